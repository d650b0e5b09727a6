import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { References } from '#shared/domain/capital.ts';
import type { Asset, InstrumentIndex, RouteId, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { RouteLeg, SumRoute, Terms } from '#shared/domain/route.ts';
import type { CarrySettings } from '#shared/quant/carry.ts';
import { carryOf, notionalPerUnit, underlyingOf } from '#shared/quant/carry.ts';
import { cashPerUnit, legFeeOf } from '#shared/quant/leg-value.ts';
import { Evaluator } from '#hotpath/detect/evaluator.ts';
import { Books, spot } from '#test/support/market.ts';

const DAY_MS = 86_400_000;
/** What the screen lets through below its threshold, as it says. */
const SLACK = 2e-6;
const at = (index: number): InstrumentIndex => index as InstrumentIndex;
const ns = (ms: number): TimeNs => (ms * 1e6) as TimeNs;
const unixMs = (time: TimeNs): number => time / 1e6;
const nothing: Terms = {
  certainty: 'converging',
  notional: { leg: 0 },
  payoffs: [],
  closings: [],
  deliveries: [],
  endsMs: undefined,
};
const free: CarrySettings = {
  horizonMs: 0,
  fundingPersistence: 0,
  capitalRate: 0,
  marginFraction: 0,
  closingSlippage: 0,
  borrowRateOf: () => 0,
  minTenorMs: 0,
};
const dear: CarrySettings = {
  horizonMs: 8 * 3_600_000,
  fundingPersistence: 0.5,
  capitalRate: 0.05,
  marginFraction: 0.2,
  closingSlippage: 0.0001,
  borrowRateOf: (asset) => (asset === 'BTC' ? 0.1 : 0.02),
  minTenorMs: 0,
};

function referencesOf(count: number): References {
  const column = (): Float64Array => new Float64Array(count).fill(NaN);
  return {
    markPrice: column(),
    indexPrice: column(),
    underlyingPrice: column(),
    fundingRate: column(),
    nextFundingTimeMs: column(),
    fundingIntervalMs: column(),
    markVolatility: column(),
  };
}

const derivative = (id: string, fields: Partial<Instrument>): Instrument => ({
  ...spot(id, { fee: '0.0005' }),
  ...fields,
});
const optionFees: Instrument['fees'] = {
  maker: new Decimal('0.0003'),
  taker: new Decimal('0.0003'),
  currency: 'settle',
  premiumShareMax: new Decimal('0.125'),
  delivery: new Decimal('0.00015'),
};
const instruments: readonly Instrument[] = [
  spot('a:BTC/USDT', { fee: '0.001' }),
  spot('b:BTC/USDT', { fee: '0.0016', feeCurrency: 'quote' }),
  derivative('a:BTC/USDT', { kind: 'perpetual' }),
  derivative('b:BTC/USDT', { kind: 'perpetual' }),
  derivative('a:BTC/USD', { kind: 'perpetual', inverse: true, contractSize: new Decimal(100) }),
  derivative('a:BTC/USDT', { kind: 'future', expiryMs: 30 * DAY_MS }),
  derivative('b:BTC/USD', { kind: 'future', expiryMs: 30 * DAY_MS, inverse: true, contractSize: new Decimal(10) }),
  ...(['call', 'put'] as const).flatMap((right) => [
    derivative('a:BTC/USDT', {
      kind: 'option',
      right,
      strike: new Decimal(30_000),
      expiryMs: 30 * DAY_MS,
      fees: optionFees,
    }),
    derivative('d:BTC/BTC', {
      kind: 'option',
      right,
      strike: new Decimal(30_000),
      expiryMs: 30 * DAY_MS,
      fees: optionFees,
    }),
  ]),
];

const randomLeg = (instrument: number): fc.Arbitrary<RouteLeg> =>
  fc.record({
    instrument: fc.constant(at(instrument)),
    side: fc.constantFrom('buy' as const, 'sell' as const),
    ratio: fc.constantFrom(1, 0.4, 2.5),
    unit: fc.constantFrom('base' as const, instruments[instrument]!.kind === 'option' ? 'base' : 'quote'),
  });
const randomEnds = fc.array(
  fc.record({ instrument: fc.nat(instruments.length - 1).map(at), ratio: fc.constantFrom(1, 0.5) }),
  { maxLength: 2 },
);
const randomRoute: fc.Arbitrary<Omit<SumRoute, 'id'>> = fc
  .uniqueArray(fc.nat(instruments.length - 1), { minLength: 2, maxLength: 5 })
  .chain((indices) =>
    fc.record({
      family: fc.constant('box'),
      evaluator: fc.constant('sum' as const),
      legs: fc.tuple(...indices.map(randomLeg)),
      start: fc.constant('USDT' as Asset),
      terms: fc.record({
        certainty: fc.constant('locked' as const),
        notional: fc.oneof(
          fc.record({ leg: fc.nat(indices.length - 1) }),
          fc.record({ amount: fc.constantFrom(1, 30_000) }),
        ),
        payoffs: fc.array(
          fc.record({ atMs: fc.constant(0), amount: fc.double({ min: -5e4, max: 5e4, noNaN: true }) }),
          {
            maxLength: 2,
          },
        ),
        closings: randomEnds,
        deliveries: randomEnds,
        endsMs: fc.constantFrom(undefined, DAY_MS, 30 * DAY_MS),
      }),
    }),
  );

type Event =
  | { readonly kind: 'tick'; readonly index: number; readonly price: number; readonly dead: boolean }
  | { readonly kind: 'reference'; readonly index: number; readonly draw: number }
  | { readonly kind: 'time'; readonly hours: number };
const randomEvent: fc.Arbitrary<Event> = fc.oneof(
  fc.record({
    kind: fc.constant('tick' as const),
    index: fc.nat(instruments.length - 1),
    price: fc.double({ min: 0.5, max: 2, noNaN: true }),
    dead: fc.nat(9).map((draw) => draw === 0),
  }),
  fc.record({
    kind: fc.constant('reference' as const),
    index: fc.nat(instruments.length - 1),
    draw: fc.integer({ min: 1, max: 9 }),
  }),
  fc.record({ kind: fc.constant('time' as const), hours: fc.nat(48) }),
);

describe('sum routes, against each one reckoned alone', () => {
  it('finds the routes of a tick, and after a refresh all that pay', () => {
    const story = fc.record({
      shapes: fc.array(randomRoute, { minLength: 1, maxLength: 12 }),
      events: fc.array(randomEvent, { minLength: 5, maxLength: 60 }),
      minEdge: fc.constantFrom(-0.5, 0, 0.0001, 0.1),
    });
    let found = 0;
    fc.assert(
      fc.property(story, ({ shapes, events, minEdge }) => {
        const routes = shapes.map((shape, index): SumRoute => ({ ...shape, id: `r${index}` as RouteId }));
        const world = new World(routes, minEdge);
        world.open();
        for (const event of events) found += world.play(event);
      }),
      { numRuns: 600 },
    );
    expect(found).toBeGreaterThan(1_000);
  });
});

/** Books, references and the evaluator, beside what it should say. */
class World {
  readonly books = new Books(instruments.length);
  readonly references = referencesOf(instruments.length);
  readonly evaluator: Evaluator;
  readonly #routes: readonly SumRoute[];
  readonly #threshold: number;
  /** As of the last refresh: fewer routes than a slice has. */
  #carries: readonly number[];
  #nowMs = 0;

  constructor(routes: readonly SumRoute[], minEdge: number) {
    this.#routes = routes;
    this.#threshold = minEdge - SLACK;
    this.#carries = routes.map(() => NaN);
    const { tops } = this.books;
    const carry = { references: this.references, settings: dear, unixMs };
    this.evaluator = new Evaluator(instruments, routes, { tops, minEdge, carry });
  }

  open(): void {
    for (const index of instruments.keys()) this.play({ kind: 'tick', index, price: 1, dead: false });
    for (const index of instruments.keys()) this.play({ kind: 'reference', index, draw: 1 });
  }

  /** How many routes were found. */
  play(event: Event): number {
    switch (event.kind) {
      case 'tick': {
        const { quote, kind } = instruments[event.index]!;
        const fair = kind === 'option' ? (quote === 'BTC' ? 0.05 : 1_500) : 30_000;
        const changed = this.books.flat(event.index, fair * event.price, fair * event.price * 1.0002);
        if (event.dead) this.books.set(event.index, { bids: [], asks: [] });
        return this.#check(this.evaluator.screen(changed), ({ legs }) =>
          legs.some(({ instrument }) => instrument === changed),
        );
      }
      case 'reference': {
        const { fundingRate, nextFundingTimeMs, fundingIntervalMs, indexPrice, underlyingPrice } = this.references;
        fundingRate[event.index] = (event.draw - 5) * 1e-3;
        nextFundingTimeMs[event.index] = this.#nowMs + event.draw * 3_600_000;
        fundingIntervalMs[event.index] = event.draw > 5 ? 28_800_000 : 3_600_000;
        if (event.draw > 3) indexPrice[event.index] = 29_000 + 500 * event.draw;
        underlyingPrice[event.index] = 30_000 + 500 * event.draw;
        this.evaluator.noteReference(at(event.index));
        return this.#refresh();
      }
      case 'time':
        this.#nowMs += event.hours * 3_600_000;
        return this.#refresh();
    }
  }

  #refresh(): number {
    const market = { instruments, tops: this.books.tops, references: this.references, nowMs: this.#nowMs };
    this.#carries = this.#routes.map((route) => carryOf(route, market, dear).net);
    return this.#check(this.evaluator.refresh(ns(this.#nowMs)), () => true);
  }

  /** Nothing is asked of what doubles cannot tell. */
  #check(count: number, asked: (route: SumRoute) => boolean): number {
    const found = [...this.evaluator.found.subarray(0, count)];
    expect(new Set(found).size).toBe(count);
    const edges = found.map((route) => this.evaluator.netEdge(route));
    expect(edges).toEqual([...edges].sort((x, y) => y - x));
    for (const [index, route] of this.#routes.entries()) {
      const { edge, gross } = this.#reckon(route, index);
      const tolerance = 1e-8 * Math.max(1, gross);
      if (found.includes(index)) expect(Math.abs(this.evaluator.netEdge(index) - edge)).toBeLessThan(tolerance);
      const isPaying = asked(route) && edge > this.#threshold;
      if (Math.abs(edge - this.#threshold) < tolerance) continue;
      expect(found.includes(index), `${route.id} ${edge}`).toBe(isPaying);
    }
    return count;
  }

  /** The edge, and what all legs are worth together, in notionals: doubles tell differences of that. */
  #reckon(route: SumRoute, index: number): { readonly edge: number; readonly gross: number } {
    const { tops } = this.books;
    let net = this.#carries[index]!;
    let gross = Math.abs(net);
    for (const leg of route.legs) {
      const price = (leg.side === 'buy' ? tops.ask : tops.bid)[leg.instrument]!;
      const underlying = underlyingOf(leg.instrument, { instruments, references: this.references });
      const cash = leg.ratio * cashPerUnit(leg, legFeeOf(instruments[leg.instrument]!), price, underlying);
      net += cash;
      gross += Math.abs(cash);
    }
    const notional = notionalPerUnit(route, tops);
    return { edge: net / notional, gross: gross / notional };
  }
}

const basis = (buy: number, sell: number, terms: Partial<Terms> = {}): SumRoute => ({
  id: `basis:${buy}>${sell}` as RouteId,
  family: 'basis',
  evaluator: 'sum',
  legs: [
    { instrument: at(buy), side: 'buy', ratio: 1 },
    { instrument: at(sell), side: 'sell', ratio: 1 },
  ],
  start: 'USDT' as Asset,
  terms: { ...nothing, ...terms },
});

describe('the edge of a sum route', () => {
  const pair = [spot('a:BTC/USDT'), spot('a:BTC/USDT', { kind: 'future' })];
  const carryWith = (settings: CarrySettings) => ({ references: referencesOf(2), settings, unixMs });

  it('is (bid − ask) / ask to the bit when nothing is charged', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1, max: 1e5, noNaN: true }),
        fc.double({ min: 1, max: 1e5, noNaN: true }),
        (ask, bid) => {
          const { tops, ...books } = bookPair(ask, bid);
          const evaluator = new Evaluator(pair, [basis(0, 1)], { tops, minEdge: 0, carry: carryWith(free) });
          expect(evaluator.grossEdge(0)).toBe((bid - ask) / ask);
          evaluator.refresh(ns(0));
          expect(evaluator.netEdge(0)).toBe((bid - ask) / ask);
          expect(books.count).toBe(2);
        },
      ),
    );
  });

  it('adds fees, and is screened from either leg', () => {
    const charged = [
      spot('a:BTC/USDT', { fee: '0.001', feeCurrency: 'quote' }),
      spot('a:BTC/USDT', { fee: '0.0005', feeCurrency: 'quote', kind: 'future' }),
    ];
    const books = new Books(2);
    const evaluator = new Evaluator(charged, [basis(0, 1)], {
      tops: books.tops,
      minEdge: 0.0009,
      carry: carryWith(free),
    });
    expect(evaluator.screen(books.flat(0, 100))).toBe(0);
    expect(evaluator.screen(books.flat(1, 100.3))).toBe(0);
    const net = new Decimal('100.3').times('0.9995').minus(new Decimal(100).times('1.001')).div(100).toNumber();
    expect(evaluator.refresh(ns(0))).toBe(1);
    expect(evaluator.netEdge(0)).toBeCloseTo(net, 14);
    expect(evaluator.screen(at(0))).toBe(1);
    expect(evaluator.screen(at(1))).toBe(1);
    books.flat(1, 99.9);
    expect(evaluator.screen(at(1))).toBe(0);
  });

  it('counts sure payoffs before costs: the legs of a box alone say nothing', () => {
    const { tops } = bookPair(100, 90);
    const locked = basis(0, 1, { notional: { amount: 50 }, payoffs: [{ atMs: 0, amount: 12 }] });
    const evaluator = new Evaluator(pair, [locked], { tops, minEdge: 0 });
    expect(evaluator.grossEdge(0)).toBeCloseTo((90 - 100 + 12) / 50, 14);
  });

  it('turns the signs over for what is counted in quote', () => {
    const { tops } = bookPair(20_000, 25_000);
    const route: SumRoute = {
      ...basis(0, 1),
      legs: [
        { instrument: at(0), side: 'buy', ratio: 20_000, unit: 'quote' },
        { instrument: at(1), side: 'sell', ratio: 20_000, unit: 'quote' },
      ],
    };
    const evaluator = new Evaluator(pair, [route], { tops, minEdge: 0 });
    expect(evaluator.grossEdge(0)).toBeCloseTo(1 - 0.8, 14);
  });

  it('is unknown without carry, and then never pays', () => {
    const { tops } = bookPair(100, 200);
    const evaluator = new Evaluator(pair, [basis(0, 1)], { tops, minEdge: 0 });
    expect(evaluator.refresh(ns(0))).toBe(0);
    expect(evaluator.screen(at(1))).toBe(0);
    expect(evaluator.netEdge(0)).toBeNaN();
  });

  it('refuses a route that names an instrument twice', () => {
    const { tops } = bookPair(1, 1);
    expect(() => new Evaluator(pair, [basis(1, 1)], { tops, minEdge: 0 })).toThrow('an instrument twice');
  });
});

function bookPair(first: number, second: number): Books & { readonly count: number } {
  const books = new Books(2);
  books.flat(0, first);
  books.flat(1, second);
  return Object.assign(books, { count: 2 });
}

describe('the refresh of carry', () => {
  const perpetuals = Array.from({ length: 40 }, (_none, index) => spot(`v${index}:BTC/USDT`, { kind: 'perpetual' }));
  const routes = perpetuals.flatMap((_one, buy) =>
    perpetuals.flatMap((_two, sell) => (buy === sell ? [] : [basis(buy, sell)])),
  );

  /** Books that pay nothing at all, and no word of funding yet. */
  function silent() {
    const books = new Books(perpetuals.length);
    for (const index of perpetuals.keys()) books.flat(index, 100);
    const references = referencesOf(perpetuals.length);
    const settings = { ...free, horizonMs: 3_600_000 };
    const evaluator = new Evaluator(perpetuals, routes, {
      tops: books.tops,
      minEdge: 0.0001,
      carry: { references, settings, unixMs },
    });
    const say = (index: number, rate: number): void => {
      references.fundingRate[index] = rate;
      references.nextFundingTimeMs[index] = 1_000;
      references.fundingIntervalMs[index] = 28_800_000;
      evaluator.noteReference(at(index));
    };
    const pays = (calls: number): ReadonlySet<number> => {
      const found = new Set<number>();
      for (let call = 0; call < calls; call += 1) {
        const count = evaluator.refresh(ns(0));
        for (const route of evaluator.found.subarray(0, count)) found.add(route);
      }
      return found;
    };
    return { evaluator, say, pays };
  }

  it('finds without a tick what begins to pay when a venue speaks, within three calls', () => {
    const { evaluator, say, pays } = silent();
    for (const index of perpetuals.keys()) say(index, 0.001);
    expect(pays(300)).toEqual(new Set());
    say(7, 0.002);
    const sold = routes.flatMap(({ legs }, index) => (legs[1]!.instrument === 7 ? [index] : []));
    expect(pays(3)).toEqual(new Set(sold));
    expect(evaluator.netEdge(sold[0]!)).toBeCloseTo(0.001, 12);
    say(7, 0.001);
    expect(pays(100)).toEqual(new Set());
  });

  it('gives every route its turn while the same instruments are news over and over', () => {
    const { say, pays } = silent();
    for (const index of perpetuals.keys()) say(index, 0.001);
    pays(300);
    const found = new Set<number>();
    for (let call = 0; call < 160; call += 1) {
      for (const index of perpetuals.keys()) say(index, index === 3 ? 0.003 : 0.001 + call * 1e-7);
      for (const route of pays(1)) found.add(route);
    }
    expect(found.size).toBe(perpetuals.length - 1);
  });

  it('finds what becomes known in turn, without a word', () => {
    const books = new Books(2);
    const references = referencesOf(2);
    references.fundingRate.set([0, 0.001]);
    references.nextFundingTimeMs.set([7_200_000, 7_200_000]);
    references.fundingIntervalMs.set([28_800_000, 28_800_000]);
    const evaluator = new Evaluator(perpetuals.slice(0, 2), [basis(0, 1)], {
      tops: books.tops,
      minEdge: 0.0001,
      carry: { references, settings: { ...free, horizonMs: 3_600_000 }, unixMs },
    });
    evaluator.screen(books.flat(0, 100));
    evaluator.screen(books.flat(1, 100));
    expect(evaluator.refresh(ns(0))).toBe(0);
    // An hour later the funding lies within the horizon.
    expect(evaluator.refresh(ns(3_600_000))).toBe(1);
  });
});
