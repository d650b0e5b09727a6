import { describe, expect, it } from 'vitest';
import { loadConfig } from '#shared/config/load.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { randomFrom } from '#shared/random.ts';
import { compileRoutes } from '#hotpath/detect/compile.ts';
import { Evaluator } from '#hotpath/detect/evaluator.ts';
import { Books, spot } from '#test/support/market.ts';

const { engine } = loadConfig({ dir: 'config', env: {} });
const LEGS_MIN = 3;
const LEGS_MAX = 6;
const MIN_EDGE = 0.001;

describe('a known graph', () => {
  it('has a best triangle of 4.5: BTC/USDT 30000, ETH/BTC 0.3, ETH/USDT 2000, last prices, no fees', () => {
    const known = [spot('a:BTC/USDT'), spot('a:ETH/BTC'), spot('a:ETH/USDT')];
    const { routes } = compileRoutes(known, { ...engine, families: ['cycle'], max_legs: 3 }, 0);
    const books = new Books(3);
    const evaluator = new Evaluator(known, routes, { tops: books.tops, minEdge: 0 });
    for (const [index, price] of [30_000, 0.3, 2_000].entries()) evaluator.screen(books.flat(index, price));
    expect(evaluator.screen(2 as InstrumentIndex)).toBe(1);
    const best = evaluator.found[0]!;
    expect(1 + evaluator.netEdge(best)).toBeCloseTo(4.5, 12);
    expect(routes[best]!.id).toBe('cycle:a:ETH/USDT>a:ETH/BTC>a:BTC/USDT');
  });
});

describe('random graphs', () => {
  it('hold the cycles of 3 to 6 legs that an exhaustive search finds, with their edges', () => {
    const tally = { graphs: 0, paying: 0, legs: new Set<number>() };
    for (let seed = 1; seed <= 1_200; seed += 1) {
      const graph = new Graph(seed);
      const expected = graph.search();
      const found = graph.detect();
      expect([...found.keys()].sort(), `seed ${seed}`).toEqual([...expected.keys()].sort());
      for (const [key, edge] of found) expect(edge).toBeCloseTo(expected.get(key)!, 12);
      tally.graphs += 1;
      tally.paying += found.size;
      for (const key of found.keys()) tally.legs.add(key.split(' ').length);
    }
    expect(tally.graphs).toBe(1_200);
    expect(tally.paying).toBeGreaterThan(4_000);
    expect([...tally.legs].sort()).toEqual([3, 4, 5, 6]);
  });
});

/** Up to seven assets with values, up to twelve markets at prices near them, on one or two venues. */
class Graph {
  readonly #instruments: readonly Instrument[];
  readonly #books: Books;

  constructor(seed: number) {
    const random = randomFrom(seed);
    const assets = ['USDT', 'BTC', 'ETH', 'SOL', 'XRP', 'ADA', 'LTC'].slice(0, 3 + random.integer(5));
    const values = assets.map(() => Math.exp(3 * random.normal()));
    const pairs = new Map<string, readonly [base: number, quote: number]>();
    for (let market = 0; market < 12; market += 1) {
      const base = random.integer(assets.length);
      const quote = random.integer(assets.length);
      const venue = random.next() < 0.8 ? 'a' : 'b';
      const id = base < quote ? [base, quote] : [quote, base];
      if (base !== quote) pairs.set(`${venue} ${id.join()}`, [base, quote]);
    }
    const fees = ['0', '0.001'];
    this.#instruments = [...pairs].map(([key, [base, quote]]) =>
      spot(`${key[0]!}:${assets[base]!}/${assets[quote]!}`, {
        fee: fees[random.integer(2)]!,
        feeCurrency: random.next() < 0.5 ? 'received' : 'quote',
      }),
    );
    this.#books = new Books(this.#instruments.length);
    for (const [index, [base, quote]] of [...pairs.values()].entries()) {
      const mid = (values[base]! / values[quote]!) * (1 + 0.004 * random.normal());
      this.#books.flat(index, mid * (1 - 0.0005 * random.next()), mid * (1 + 0.0005 * random.next()));
    }
  }

  /** Every cycle that pays, from whatever instrument it is looked for; keyed so that rotations are one. */
  detect(): ReadonlyMap<string, number> {
    const assets = new Set(this.#instruments.flatMap(({ base, quote }) => [base, quote]));
    const settings = { ...engine, families: ['cycle' as const], max_legs: LEGS_MAX, start_assets: [...assets] };
    const { routes, truncated } = compileRoutes(this.#instruments, settings, 0);
    expect(truncated).toEqual([]);
    const evaluator = new Evaluator(this.#instruments, routes, { tops: this.#books.tops, minEdge: MIN_EDGE });
    const found = new Map<string, number>();
    for (const index of this.#instruments.keys()) {
      const count = evaluator.screen(index as InstrumentIndex);
      for (const route of evaluator.found.subarray(0, count)) {
        const { legs } = routes[route]!;
        expect(legs.some(({ instrument }) => instrument === index)).toBe(true);
        found.set(rotation(legs.map(({ instrument, side }) => `${side}${instrument}`)), evaluator.netEdge(route));
      }
    }
    expect(evaluator.dropped).toBe(0);
    return found;
  }

  /** Walks every closed path over distinct assets and multiplies its rates. */
  search(): ReadonlyMap<string, number> {
    const { bid, ask } = this.#books.tops;
    const steps = this.#instruments.flatMap(({ base, quote, fees }, at) => {
      const kept = 1 - fees.taker.toNumber();
      const bought = fees.currency === 'received' ? kept / ask[at]! : 1 / (ask[at]! * (1 + fees.taker.toNumber()));
      return [
        { key: `buy${at}`, from: quote, to: base, rate: bought },
        { key: `sell${at}`, from: base, to: quote, rate: bid[at]! * kept },
      ];
    });
    const paying = new Map<string, number>();
    const extend = (path: typeof steps): void => {
      const last = path.at(-1)!;
      if (last.to === path[0]!.from) {
        const edge = path.reduce((product, { rate }) => product * rate, 1) - 1;
        if (path.length >= LEGS_MIN && edge > MIN_EDGE) paying.set(rotation(path.map(({ key }) => key)), edge);
        return;
      }
      if (path.length === LEGS_MAX) return;
      for (const step of steps) {
        if (step.from === last.to && path.every(({ from }) => from !== step.from)) extend([...path, step]);
      }
    };
    for (const step of steps) extend([step]);
    return paying;
  }
}

const rotation = (keys: readonly string[]): string =>
  keys.map((_key, at) => [...keys.slice(at), ...keys.slice(0, at)].join(' ')).sort()[0]!;
