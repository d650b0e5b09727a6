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
import { scaleMarket } from './scale-market.ts';
import type { World } from './scale-world.ts';
import { allRoutes, opened } from './scale-world.ts';

const SEED = 1;
const sender = fileURLToPath(new URL('socket-sender.ts', import.meta.url));

type Heard = (venue: string, bytes: Uint8Array, start: number, end: number) => void;
/** Sockets and what reads from them, each time begun anew. */
type Listener = {
  readonly feeds: 'in-place' | 'ws';
  readonly begin: () => { readonly hear: Heard; readonly tops: () => Tops };
};

/** Who is heard, what every book is at the beginning, and what makes the sender's frames of the same market. */
type SocketMarket = World & { readonly frames: number; readonly args: readonly string[]; readonly rounds: number };
const READERS = ['inPlace', 'ws', 'plain'] as const;
type Reader = (typeof READERS)[number];

/**
 * Another process sends three venues' frames through loopback sockets as fast as they are read: kernel → frames → books → decisions. Sockets interleave as
 * they like, so that what is compared is where every book ends.
 */
export async function socketCases(frames: number, rounds: number): Promise<readonly Row[]> {
  const market = benchMarket(SEED, 0);
  const { routes } = compileRoutes(market.instruments, engine, 0);
  const args = [SEED, frames].map(String);
  const rows = await throughSockets({ ...market, routes, frames, args, rounds }, READERS);
  return [
    { ...rows.inPlace, name: 'through sockets, read in place' },
    { ...rows.ws, name: 'through sockets, ws' },
  ];
}

/** The same at scale: eight venues' dialects, routes of every family. */
export async function scaleSocketCase(frames: number, rounds: number, symbols: number): Promise<readonly Row[]> {
  const market = scaleMarket(SEED, { frames: 0, symbols });
  const args = [SEED, frames, symbols].map(String);
  const routes = allRoutes(market.instruments);
  const { inPlace } = await throughSockets({ ...market, routes, frames, args, rounds }, ['inPlace', 'plain']);
  const name = `scale, 8 × ${symbols} symbols, through sockets`;
  return [
    { ...inPlace, name, goal: { of: 'value', least: 700_000 } },
    {
      ...inPlace,
      name: `${name}, mean`,
      unit: 'ns/message',
      value: 1e9 / inPlace.value,
      quiet: 1e9 / inPlace.quiet!,
      goal: { of: 'ratio', least: 15 },
    },
  ];
}

/** Messages a second by reader; the plain one is what the others are compared with. */
async function throughSockets(
  { frames, args, rounds, ...world }: SocketMarket,
  readers: readonly Reader[],
): Promise<Readonly<Record<Reader, Row>>> {
  const listeners = listenersOf(world);
  const child = fork(sender, args, { execArgv: [] });
  try {
    const [{ port }] = (await once(child, 'message')) as [{ port: number }];
    const venues = [...new Set(world.instruments.map(({ venue }) => venue as string))];
    const times: Record<Reader, number[]> = { inPlace: [], ws: [], plain: [] };
    const hashes = { inPlace: '', ws: '', plain: '' };
    for (let round = 0; round <= rounds; round += 1) {
      for (const name of readers) {
        const { ns, hash } = await listen(listeners[name], { child, port, venues, frames });
        hashes[name] = hash;
        if (round > 0) times[name].push(ns);
      }
    }
    const plainNs = median(times.plain);
    const row = (key: Reader): Row => ({
      name: key,
      unit: 'messages/s',
      value: 1e9 / median(times[key]),
      quiet: 1e9 / Math.min(...times[key]),
      ratio: plainNs / median(times[key]),
      hash: hashes[key],
      plainHash: hashes.plain,
    });
    return { inPlace: row('inPlace'), ws: row('ws'), plain: row('plain') };
  } finally {
    child.kill();
  }
}

function listenersOf(world: World): Readonly<Record<Reader, Listener>> {
  const fast = (): ReturnType<Listener['begin']> => {
    const running = opened(FastEngine, world);
    return { hear: (...heard) => running.hear(...heard), tops: () => running.tops };
  };
  const firstOf = new Map(world.instruments.map(({ venue }, at) => [venue as string, at]));
  const plain = (): ReturnType<Listener['begin']> => {
    const running = opened(PlainEngine, world);
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
  return {
    inPlace: { feeds: 'in-place', begin: fast },
    ws: { feeds: 'ws', begin: fast },
    plain: { feeds: 'ws', begin: plain },
  };
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
