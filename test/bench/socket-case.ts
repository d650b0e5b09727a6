import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { systemClock } from '#shared/clock/clock.ts';
import { compileRoutes } from '#hotpath/detect/compile.ts';
import { networkTransport } from '#hotpath/runtime/network-transport.ts';
import type { Socket } from '#hotpath/runtime/transport.ts';
import type { Tops } from '#shared/domain/capital.ts';
import type { BenchFrame } from './bench-market.ts';
import { benchMarket } from './bench-market.ts';
import type { Row } from './cases.ts';
import { engine } from './decision.ts';
import { FastEngine } from './fast-engine.ts';
import { median } from './measure.ts';
import { PlainEngine } from './plain-engine.ts';
import { ResultHash } from './result-hash.ts';

const SEED = 1;
const sender = fileURLToPath(new URL('socket-sender.ts', import.meta.url));

type Heard = (venue: string, bytes: Uint8Array, start: number, end: number) => void;
/** Sockets and what reads from them, each time begun anew. */
type Listener = {
  readonly feeds: 'in-place' | 'ws';
  readonly begin: () => { readonly hear: Heard; readonly tops: () => Tops };
};

/**
 * Another process sends three venues' frames through loopback sockets as fast as they are read: kernel → frames → books → decisions. Sockets interleave as
 * they like, so that what is compared is where every book ends.
 */
export async function socketCases(frames: number, rounds: number): Promise<readonly Row[]> {
  const market = benchMarket(SEED, frames);
  const { instruments, snapshots } = market;
  const { routes } = compileRoutes(instruments, engine, 0);
  const opened = <Engine extends FastEngine | PlainEngine>(started: Engine): Engine => {
    for (const frame of snapshots) started.take(frame);
    return started;
  };
  const fast = (): ReturnType<Listener['begin']> => {
    const running = opened(new FastEngine(instruments, routes));
    return { hear: (...heard) => running.hear(...heard), tops: () => running.tops };
  };
  const firstOf = new Map(instruments.map(({ venue }, at) => [venue as string, at]));
  const plain = (): ReturnType<Listener['begin']> => {
    const running = opened(new PlainEngine(instruments, routes));
    const hear: Heard = (venue, bytes, start, end) => {
      // It finds the book by what the frame says; only the venue is taken from here.
      const frame: BenchFrame = {
        instrument: firstOf.get(venue)!,
        kind: 'delta',
        levels: 0,
        bytes: bytes.subarray(start, end),
      };
      running.take(frame);
    };
    return { hear, tops: () => running.tops };
  };
  const listeners = {
    inPlace: { feeds: 'in-place', begin: fast },
    ws: { feeds: 'ws', begin: fast },
    plain: { feeds: 'ws', begin: plain },
  } as const satisfies Record<string, Listener>;

  const child = fork(sender, [String(SEED), String(frames)], { execArgv: [] });
  try {
    const [{ port }] = (await once(child, 'message')) as [{ port: number }];
    const venues = [...firstOf.keys()];
    const times = { inPlace: [] as number[], ws: [] as number[], plain: [] as number[] };
    const hashes = { inPlace: '', ws: '', plain: '' };
    for (let round = 0; round <= rounds; round += 1) {
      for (const name of ['inPlace', 'ws', 'plain'] as const) {
        const { ns, hash } = await listen(listeners[name], { child, port, venues, frames });
        hashes[name] = hash;
        if (round > 0) times[name].push(ns);
      }
    }
    const plainNs = median(times.plain);
    const row = (name: string, key: 'inPlace' | 'ws'): Row => ({
      name,
      unit: 'messages/s',
      value: 1e9 / median(times[key]),
      ratio: plainNs / median(times[key]),
      hash: hashes[key],
      plainHash: hashes.plain,
    });
    return [row('through sockets, read in place', 'inPlace'), row('through sockets, ws', 'ws')];
  } finally {
    child.kill();
  }
}

type Run = {
  readonly child: ChildProcess;
  readonly port: number;
  readonly venues: readonly string[];
  readonly frames: number;
};

/** Nanoseconds a message, from the first to the last. */
async function listen(
  { feeds, begin }: Listener,
  { child, port, venues, frames }: Run,
): Promise<{ readonly ns: number; readonly hash: string }> {
  const { hear, tops } = begin();
  const transport = networkTransport(systemClock(), feeds);
  let [count, startedMs, endedMs] = [0, 0, 0];
  let done: () => void = () => undefined;
  const all = new Promise<void>((resolve) => (done = resolve));
  const sockets: Socket[] = [];
  await Promise.all(
    venues.map(
      (venue) =>
        new Promise<void>((resolve) => {
          const socket = transport.open(
            `ws://127.0.0.1:${port}/${venue}`,
            {
              onOpen: resolve,
              onFrame: (bytes, start, end) => {
                if (count === 0) startedMs = performance.now();
                count += 1;
                hear(venue, bytes, start, end);
                if (count < frames) return;
                endedMs = performance.now();
                done();
              },
              onClose: () => undefined,
            },
            'feed',
          );
          sockets.push(socket);
        }),
    ),
  );
  child.send('go');
  await all;
  for (const socket of sockets) socket.close();
  transport.end();
  const hash = new ResultHash();
  const { bid, ask } = tops();
  for (let at = 0; at < bid.length; at += 1) {
    hash.double(bid[at]!);
    hash.double(ask[at]!);
  }
  return { ns: ((endedMs - startedMs) * 1e6) / frames, hash: hash.hex };
}
