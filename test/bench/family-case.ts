import { compileRoutes } from '#hotpath/detect/compile.ts';
import { Evaluator } from '#hotpath/detect/evaluator.ts';
import { families } from '#hotpath/detect/routes/index.ts';
import type { Tops } from '#shared/domain/capital.ts';
import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import { carrySettingsOf } from '#shared/quant/carry.ts';
import { randomFrom } from '#shared/random.ts';
import type { Config } from '#shared/schema/config.ts';
import type { Row } from './cases.ts';
import { row } from './cases.ts';
import { engine } from './decision.ts';
import type { Contender } from './measure.ts';
import { compare } from './measure.ts';
import { PlainMarket } from './plain-market.ts';
import { ResultHash } from './result-hash.ts';
import { referencesOf, setQuote, topsOf, universe } from './universe.ts';

const VENUES = Array.from({ length: 8 }, (_none, venue) => `v${venue}`);
const ROUTES_MAX = 100_000;
const MIN_EDGE = 0.0001;

/**
 * A changed best price → the routes of all families that pay: eight venues with 200 symbols each (spot, perpetuals, futures, linear and coin-settled options).
 * Carry is the same on both sides, reckoned before: it is not part of an update.
 */
export function familyCase(messages: number, rounds: number): Row {
  const instruments = universe(VENUES);
  // Cycles last: of four legs across venues there are millions.
  const names = families.map(({ id }) => id).sort((a, b) => Number(a === 'cycle') - Number(b === 'cycle'));
  const settings = {
    ...engine,
    families: names as Config['engine']['families'],
    max_legs: 4,
    max_routes: ROUTES_MAX,
  };
  const { routes } = compileRoutes(instruments, settings, 0);
  const references = referencesOf(instruments);
  const random = randomFrom(11);
  const changed = Int32Array.from({ length: messages }, () => random.integer(instruments.length));
  const shifts = Float64Array.from({ length: messages }, () => 1 + random.normal() * 0.0004);
  const contender = (screenOn: (tops: Tops, hash: ResultHash) => (index: number) => void): Contender => ({
    prepare: () => {
      const hash = new ResultHash();
      const tops = topsOf(instruments);
      const screen = screenOn(tops, hash);
      const run = (): void => {
        for (let at = 0; at < messages; at += 1) {
          const index = changed[at]!;
          setQuote(tops, instruments, index, shifts[at]!);
          screen(index);
        }
      };
      return { run, hash: () => hash.hex };
    },
  });
  const fast = contender((tops, hash) => {
    const carry = { references, settings: carrySettingsOf(engine.carry), unixMs: () => 0 };
    const evaluator = new Evaluator(instruments, routes, { tops, minEdge: MIN_EDGE, carry });
    for (let call = 0; call < evaluator.sums / 16; call += 1) evaluator.refresh(0 as TimeNs);
    return (index) => {
      const count = evaluator.screen(index as InstrumentIndex);
      hash.integer(count);
      for (let at = 0; at < count; at += 1) hash.integer(evaluator.found[at]!);
    };
  });
  const plain = contender((tops, hash) => {
    const market = new PlainMarket(instruments, routes, { tops, references, minEdge: MIN_EDGE });
    market.reckon();
    return (index) => {
      const found = market.found(index);
      hash.integer(found.length);
      for (const route of found) hash.integer(route);
    };
  });
  const compared = compare(messages, rounds, fast, plain);
  return row(`detect, all families, ${VENUES.length} × ${instruments.length / VENUES.length} symbols`, compared);
}
