import type { BenchMarket } from './bench-market.ts';
import type { Row } from './cases.ts';
import { row } from './cases.ts';
import { FastEngine } from './fast-engine.ts';
import type { Compared } from './measure.ts';
import { heapGrowth, median, note, nsHistogram, percentilesOf } from './measure.ts';
import { PlainEngine } from './plain-engine.ts';
import { scaleMarket } from './scale-market.ts';
import type { World } from './scale-world.ts';
import { allRoutes, opened } from './scale-world.ts';
import { Tape } from './tape.ts';

const SEED = 1;
const SYMBOLS = 200;
const HEAP_PASSES = 3;
/** What decides a change that pays is rare: it takes so many rounds to be compiled. */
const WARM_ROUNDS = 3;

export type ScaleSize = {
  /** Messages of a round. */
  readonly frames: number;
  readonly rounds: number;
  /** Symbols a venue, from the fewest to the most. */
  readonly growth: readonly number[];
};

/** The whole path, frame → decision, frames where a socket would have put them: eight venues' dialects, 200 symbols each, every family compiled. */
export function scaleCases({ frames, rounds, growth }: ScaleSize): readonly Row[] {
  const world = worldOf(frames * (rounds + 1), SYMBOLS);
  const compared = inTurns(world, frames, rounds);
  const { hash, plainHash } = compared;
  const name = 'scale, 8 × 200 symbols';
  const alone = { hash, plainHash } as const;
  const { ns, quietNs, hash: sustainedHash } = sustained(world, frames, rounds);
  const families = new Set(world.routes.map(({ family }) => family)).size;
  return [
    {
      ...{ name, unit: 'messages/s', value: 1e9 / ns, quiet: 1e9 / quietNs, hash: sustainedHash, plainHash },
      goal: { of: 'value', least: 1_500_000 },
      note: `${world.routes.length} routes of ${families} families; rounds right after one another`,
    },
    { ...row(`${name}, mean`, compared), goal: { of: 'ratio', least: 15 }, percentiles: eachTime(world) },
    { name: `${name}, heap`, unit: 'bytes/message', value: heapOf(world), ...alone, goal: { of: 'value', most: 1 } },
    ...growthCases(growth, frames, rounds),
  ];
}

type ScaleWorld = World & BenchMarket & { readonly symbols: number };

function worldOf(frames: number, symbols: number): ScaleWorld {
  const market = scaleMarket(SEED, { frames, symbols });
  return { ...market, routes: allRoutes(market.instruments), symbols };
}

/** Both go through the same messages, a round the one and a round the other; the first round warms up, and another engine has warmed the code. */
function inTurns(world: ScaleWorld, messages: number, rounds: number): Compared {
  timed(opened(FastEngine, world), world, 0, Math.min(WARM_ROUNDS * messages, world.frames.length));
  const fast = opened(FastEngine, world);
  const plain = opened(PlainEngine, world);
  const times = { fast: [] as number[], plain: [] as number[] };
  for (let round = 0; round <= rounds; round += 1) {
    const from = round * messages;
    const fastNs = timed(fast, world, from, from + messages);
    const plainNs = plainTimed(plain, world, from, from + messages);
    if (round === 0) continue;
    times.fast.push(fastNs);
    times.plain.push(plainNs);
  }
  const [fastNs, plainNs] = [median(times.fast), median(times.plain)];
  return { fastNs, quietNs: Math.min(...times.fast), plainNs, hash: fast.hash.hex, plainHash: plain.hash.hex };
}

/** As a busy engine: nothing else runs between its rounds, where in turns each begins with what the plain one has left of the caches. */
function sustained(
  world: ScaleWorld,
  messages: number,
  rounds: number,
): { readonly ns: number; readonly quietNs: number; readonly hash: string } {
  const running = opened(FastEngine, world);
  const times = Array.from({ length: rounds + 1 }, (_none, round) =>
    timed(running, world, round * messages, (round + 1) * messages),
  );
  const measured = times.slice(1);
  return { ns: median(measured), quietNs: Math.min(...measured), hash: running.hash.hex };
}

/** Nanoseconds a message, each where a socket would have put it. */
function timed(running: FastEngine, { frames }: ScaleWorld, from: number, to: number): number {
  const tape = new Tape(frames.slice(from, to));
  const started = performance.now();
  tape.play((frame, bytes, start, end) => running.take(frame, bytes, start, end));
  return ((performance.now() - started) * 1e6) / (to - from);
}

function plainTimed(running: PlainEngine, { frames }: ScaleWorld, from: number, to: number): number {
  const started = performance.now();
  for (let at = from; at < to; at += 1) running.take(frames[at]!);
  return ((performance.now() - started) * 1e6) / (to - from);
}

/** Of each message alone; a clock reading is in each. */
function eachTime(world: ScaleWorld): Readonly<Record<string, number>> {
  const running = opened(FastEngine, world);
  const histogram = nsHistogram();
  new Tape(world.frames).play((frame, bytes, start, end) => {
    const started = performance.now();
    running.take(frame, bytes, start, end);
    note(histogram, (performance.now() - started) * 1e6);
  });
  return percentilesOf(histogram);
}

/** Of a typical message. Compiled code allocates less than what is still being compiled: the passes before the last only warm up. */
function heapOf(world: ScaleWorld): number {
  const [last] = Array.from({ length: HEAP_PASSES }, () => {
    const running = opened(FastEngine, world);
    return heapGrowth(world.frames.length, (at) => running.take(world.frames[at]!));
  }).reverse();
  return last!.typical;
}

/** What a message costs when there are more symbols: each number of them has an engine of its own, and rounds in turn. */
function growthCases(growth: readonly number[], messages: number, rounds: number): readonly Row[] {
  const sizes = growth.map((symbols) => {
    const world = worldOf(messages * (rounds + 1), symbols);
    return { world, running: opened(FastEngine, world), times: [] as number[] };
  });
  for (let round = 0; round <= rounds; round += 1) {
    for (const { world, running, times } of sizes) {
      const ns = timed(running, world, round * messages, (round + 1) * messages);
      if (round > 0) times.push(ns);
    }
  }
  const fewest = median(sizes[0]!.times);
  return sizes.map(({ world, running, times }, at): Row => {
    const { hex: hash } = running.hash;
    return {
      name: `growth, 8 × ${world.symbols} symbols`,
      unit: 'ns/message',
      value: median(times),
      hash,
      ...(at === 0 ? {} : { goal: { of: 'value', most: 1.5 * fewest } }),
      note: `${world.routes.length} routes`,
    };
  });
}
