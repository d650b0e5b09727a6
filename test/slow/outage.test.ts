import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { GetRecordsCommand, GetShardIteratorCommand, ListShardsCommand } from '@aws-sdk/client-kinesis';
import { expect, it } from 'vitest';
import type { EngineMessage } from '#hotpath/main.ts';
import { readJournal } from '#hotpath/publish/journal.ts';
import { silentLogger } from '#hotpath/runtime/logger.ts';
import { kinesisClient } from '#functions/common/clients.ts';
import { startCloud } from '#local/cloud.ts';
import { simulatorConfigOf, throughSimulator } from '#local/simulated.ts';
import { Child } from '#local/supervisor.ts';
import { systemClock } from '#shared/clock/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { randomFrom } from '#shared/random.ts';
import type { EngineEvent } from '#shared/schema/event.ts';
import { serveSimulator } from '#simulator/server.ts';
import { createSimulator } from '#simulator/simulator.ts';

const OUTAGE_MS = 20_000;

it('loses nothing and keeps order per key when Kinesis is gone for 20 s, and shows the lag meanwhile', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'arb-outage-'));
  const clock = systemClock();
  const overrides = { system: { data_dir: dataDir, log_level: 'error' }, api: { port: 0 } };
  const plain = loadConfig({ dir: 'config', env: {}, overrides });
  const simulator = createSimulator({ clock, random: randomFrom(7), config: simulatorConfigOf(plain) });
  const venues = await serveSimulator({ simulator, clock, port: 0 });
  simulator.start();
  const config = { ...plain, venues: throughSimulator(plain, venues.port) };
  const cloud = await startCloud({ config, dataDir, clock, logger: silentLogger });
  const heard: EngineMessage[] = [];
  const engine = new Child({
    name: 'engine',
    entry: 'hotpath/main.ts',
    args: [
      JSON.stringify({
        config,
        seed: 7,
        aws: { region: 'us-east-1', kinesisEndpoint: cloud.kinesisUrl, dynamodbEndpoint: cloud.dynamodbUrl },
      }),
    ],
    onMessage: (message) => heard.push(message as EngineMessage),
    onLine: () => undefined,
    onTrouble: () => undefined,
    onGone: (how) => heard.push({ kind: 'started', firstSeq: how.length }),
  });

  const lagSeen = async (): Promise<number> => {
    const text = await (await fetch(`${cloud.apiUrl}/metrics`)).text();
    return Number(/^arbitrage_publish_lag_seconds(?:\{[^}]*\})? (\S+)$/m.exec(text)?.[1]);
  };

  await wait(10_000);
  const lagBefore = await lagSeen();
  await cloud.stopKinesis();
  await wait(OUTAGE_MS);
  const lagDuring = await lagSeen();
  await cloud.startKinesis();
  const backNs = clock.now();
  while ((await lagSeen()) > 2 && clock.now() - backNs < 60e9) await wait(500);
  const caughtUpSeconds = (clock.now() - backNs) / 1e9;
  expect(await engine.stop(40_000)).toBe(true);

  const events = [...readJournal(join(dataDir, 'journal'))];
  while ((await cloud.projected(config.engine.name)) < events.length) await wait(100);
  const shipped = await streamed(cloud.kinesisUrl, config.streams.events);
  await cloud.close();
  simulator.stop();
  await venues.close();

  expect(lagBefore).toBeLessThan(5);
  expect(lagDuring).toBeGreaterThan(10);
  expect(caughtUpSeconds).toBeLessThan(60);
  const finished = heard.find((message) => message.kind === 'finished');
  expect(finished).toMatchObject({ drained: true, published: events.length });
  expect(new Set(shipped.map(({ seq }) => seq)).size, 'events lost on the way').toBe(events.length);
  expect(disorder(shipped)).toEqual([]);
  process.stdout.write(
    `${JSON.stringify({ events: events.length, shipped: shipped.length, lagBefore, lagDuring, caughtUpSeconds })}\n`,
  );
});

/** Everything that is in the stream, shard by shard. */
async function streamed(endpoint: string, stream: string): Promise<EngineEvent[]> {
  const kinesis = kinesisClient({ endpoint });
  const { Shards = [] } = await kinesis.send(new ListShardsCommand({ StreamName: stream }));
  const events: EngineEvent[] = [];
  for (const { ShardId } of Shards) {
    const first = await kinesis.send(
      new GetShardIteratorCommand({ StreamName: stream, ShardId, ShardIteratorType: 'TRIM_HORIZON' }),
    );
    for (let iterator = first.ShardIterator; iterator !== undefined;) {
      const page = await kinesis.send(new GetRecordsCommand({ ShardIterator: iterator, Limit: 10_000 }));
      for (const { Data } of page.Records ?? []) {
        for (const line of Buffer.from(Data!).toString().split('\n')) events.push(JSON.parse(line) as EngineEvent);
      }
      iterator = (page.Records ?? []).length === 0 ? undefined : page.NextShardIterator;
    }
  }
  kinesis.destroy();
  return events;
}

/** Keys whose events do not stand in the order in which they happened; an event that came again counts where it came first. */
function disorder(events: readonly EngineEvent[]): string[] {
  const last = new Map<string, number>();
  const seen = new Set<number>();
  const bad: string[] = [];
  for (const { key, seq } of events) {
    if (seen.has(seq)) continue;
    seen.add(seq);
    if (seq < (last.get(key) ?? 0)) bad.push(`${key} ${seq}`);
    last.set(key, seq);
  }
  return bad;
}
