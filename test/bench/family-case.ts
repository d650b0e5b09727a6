import { compileRoutes } from '#hotpath/detect/compile.ts';
import { Evaluator } from '#hotpath/detect/evaluator.ts';
import { families } from '#hotpath/detect/routes/index.ts';
import type { References, Tops } from '#shared/domain/capital.ts';
import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Route } from '#shared/domain/route.ts';
import { carrySettingsOf } from '#shared/quant/carry.ts';
import type { Random } from '#shared/random.ts';
import { randomFrom } from '#shared/random.ts';
import type { Config } from '#shared/schema/config.ts';
import type { Row } from './cases.ts';
import { row } from './cases.ts';
import { engine } from './decision.ts';
import type { Contender } from './measure.ts';
import { compare } from './measure.ts';
import { PlainMarket } from './plain-market.ts';
import { ResultHash } from './result-hash.ts';
import { fairOf, referencesOf, topsOf, universe } from './universe.ts';

const VENUES = Array.from({ length: 8 }, (_none, venue) => `v${venue}`);
const ROUTES_MAX = 100_000;
const MIN_EDGE = 0.0001;
const FURTHER_ROUNDS = 3;
const GOAL = { of: 'value', most: 150 } as const;
/** Fractions of a price. */
const JUMP = 0.0004;
const TICK = 0.00005;
const LEAP = 0.0001;
/** A price that walks stays this near to its value. */
const STRAY = 0.0003;

type World = {
  readonly instruments: readonly Instrument[];
  readonly routes: readonly Route[];
  readonly references: References;
};

/** Best prices one after the other; the columns lie side by side. */
type Changes = { readonly index: Int32Array; readonly bid: Float64Array; readonly ask: Float64Array };

/**
 * A changed best price → the routes of all families that pay: eight venues with 200 symbols each (spot, perpetuals, futures, linear and coin-settled options).
 * Three markets: prices that jump about by four basis points (hard: many come near to paying), ticks of half a basis point, and a fast market in which all coins go
 * up or down together by a basis point at a time. Carry is the same on both sides, reckoned before: it is not part of an update.
 */
export function familyCases(messages: number, rounds: number): readonly Row[] {
  const instruments = universe(VENUES);
  const world = { instruments, routes: routesOf(instruments), references: referencesOf(instruments) };
  const size = `${VENUES.length} × ${instruments.length / VENUES.length} symbols`;
  const further = Math.min(rounds, FURTHER_ROUNDS);
  return [
    caseOf(`detect, all families, ${size}`, world, jumps(instruments, messages), rounds),
    caseOf('detect, the same, half a bp a tick', world, ticks(instruments, messages), further),
    caseOf('detect, the same, all coins together', world, leaps(instruments, messages), further),
  ];
}

function caseOf(name: string, world: World, changes: Changes, rounds: number): Row {
  const { instruments, routes, references } = world;
  const messages = changes.index.length;
  let screened = 0;
  const contender = (
    screenOn: (tops: Tops, hash: ResultHash) => { screen: (index: number) => void; end: () => void },
  ): Contender => ({
    prepare: () => {
      const hash = new ResultHash();
      const tops = topsOf(instruments);
      const { screen, end } = screenOn(tops, hash);
      const { index, bid, ask } = changes;
      const run = (): void => {
        for (let at = 0; at < messages; at += 1) {
          tops.bid[index[at]!] = bid[at]!;
          tops.ask[index[at]!] = ask[at]!;
          screen(index[at]!);
        }
      };
      return {
        run,
        hash: () => {
          end();
          return hash.hex;
        },
      };
    },
  });
  const fast = contender((tops, hash) => {
    const carry = { references, settings: carrySettingsOf(engine.carry), unixMs: () => 0 };
    const evaluator = new Evaluator(instruments, routes, { tops, minEdge: MIN_EDGE, carry });
    for (let call = 0; call < evaluator.sums / 16; call += 1) evaluator.refresh(0 as TimeNs);
    const before = evaluator.screened;
    const screen = (index: number): void => {
      const count = evaluator.screen(index as InstrumentIndex);
      hash.integer(count);
      for (let at = 0; at < count; at += 1) hash.integer(evaluator.found[at]!);
    };
    return { screen, end: () => (screened = evaluator.screened - before) };
  });
  const plain = contender((tops, hash) => {
    const market = new PlainMarket(instruments, routes, { tops, references, minEdge: MIN_EDGE });
    market.reckon();
    const screen = (index: number): void => {
      const found = market.found(index);
      hash.integer(found.length);
      for (const route of found) hash.integer(route);
    };
    return { screen, end: () => undefined };
  });
  const compared = compare(messages, rounds, fast, plain);
  const share = ((100 * screened) / messages).toFixed(2);
  return {
    ...row(name, compared, 'ns/message', GOAL),
    note: `${routes.length} routes; screens in full: ${share} for 100 messages`,
  };
}

function routesOf(instruments: readonly Instrument[]): readonly Route[] {
  // Cycles last: of four legs across venues there are millions.
  const names = families.map(({ id }) => id).sort((a, b) => Number(a === 'cycle') - Number(b === 'cycle'));
  const settings = {
    ...engine,
    families: names as Config['engine']['families'],
    max_legs: 4,
    max_routes: ROUTES_MAX,
  };
  return compileRoutes(instruments, settings, 0).routes;
}

function jumps(instruments: readonly Instrument[], messages: number): Changes {
  const random = randomFrom(11);
  const changed = Int32Array.from({ length: messages }, () => random.integer(instruments.length));
  return changesOf(instruments, changed, (instrument) => fairOf(instrument) * (1 + random.normal() * JUMP));
}

function ticks(instruments: readonly Instrument[], messages: number): Changes {
  const random = randomFrom(12);
  const shifts = new Float64Array(instruments.length);
  const changed = Int32Array.from({ length: messages }, () => random.integer(instruments.length));
  return changesOf(instruments, changed, (instrument, index) => {
    shifts[index] = Math.max(-STRAY, Math.min(STRAY, shifts[index]! + random.normal() * TICK));
    return fairOf(instrument) * (1 + shifts[index]);
  });
}

/** All instruments follow before the coins go on. */
function leaps(instruments: readonly Instrument[], messages: number): Changes {
  const random = randomFrom(13);
  let level = 1;
  let left = 0;
  const order = Int32Array.from(instruments.keys());
  const changed = Int32Array.from({ length: messages }, (_none, at) => {
    if (at % order.length === 0) shuffle(order, random);
    return order[at % order.length]!;
  });
  const moved = (asset: string): number => (asset.startsWith('USD') ? 1 : level);
  return changesOf(instruments, changed, (instrument) => {
    if (left === 0) level *= 1 + (random.next() < 0.5 ? -LEAP : LEAP);
    left = (left + 1) % order.length;
    return fairOf(instrument, moved) * (1 + random.normal() * TICK);
  });
}

function shuffle(order: Int32Array, random: Random): void {
  for (let at = order.length - 1; at > 0; at -= 1) {
    const other = random.integer(at + 1);
    [order[at], order[other]] = [order[other]!, order[at]!];
  }
}

/** Half spreads: a basis point, a percent for options. */
function changesOf(
  instruments: readonly Instrument[],
  index: Int32Array,
  priceOf: (instrument: Instrument, index: number) => number,
): Changes {
  const bid = new Float64Array(index.length);
  const ask = new Float64Array(index.length);
  for (const [at, changed] of index.entries()) {
    const instrument = instruments[changed]!;
    const half = instrument.kind === 'option' ? 0.01 : 0.0001;
    const price = priceOf(instrument, changed);
    bid[at] = price * (1 - half);
    ask[at] = price * (1 + half);
  }
  return { index, bid, ask };
}
