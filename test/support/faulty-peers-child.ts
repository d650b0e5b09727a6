import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import dynalite from 'dynalite';
import kinesalite from 'kinesalite';
import { systemClock } from '#shared/clock/clock.ts';
import { randomFrom } from '#shared/random.ts';
import { NO_FAULTS, startFaultProxy } from './fault-proxy.ts';
import { tablePeer } from './table-peer.ts';
import type { FaultyPeersOptions, FromPeers, ToPeers } from './faulty-peers.ts';

const { seed, faults, database } = JSON.parse(process.argv[2]!) as FaultyPeersOptions;
const clock = systemClock();
const random = randomFrom(seed);
const say = (message: FromPeers): void => void process.send!(message);

// In memory: a disk would only make the peers slower than the rate that is asked of our code.
const direct = {
  kinesis: await listening(kinesalite({ createStreamMs: 0, shardLimit: 64 })),
  dynamodb: await listening(database === 'stub' ? tablePeer() : dynalite({ createTableMs: 0 })),
};
const proxies = {
  kinesis: await startFaultProxy({ target: direct.kinesis, faults, random: random.fork('kinesis'), clock }),
  dynamodb: await startFaultProxy({ target: direct.dynamodb, faults, random: random.fork('dynamodb'), clock }),
};

process.on('message', (message: ToPeers) => {
  switch (message.kind) {
    case 'out':
      proxies[message.peer].setOut(message.isOut);
      return;
    case 'calm':
      for (const proxy of Object.values(proxies)) {
        proxy.setOut(false);
        proxy.setFaults(NO_FAULTS);
      }
      return;
    case 'count':
      say({ kind: 'counts', counts: { kinesis: proxies.kinesis.counts, dynamodb: proxies.dynamodb.counts } });
  }
});
process.once('disconnect', () => {
  // Nothing that was stored is wanted any more.
  process.exit(0);
});
say({
  kind: 'ready',
  direct,
  faulty: { kinesis: proxies.kinesis.url, dynamodb: proxies.dynamodb.url },
});

function listening(server: Server): Promise<string> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  });
}
