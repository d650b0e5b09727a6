import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '#shared/config/load.ts';
import type { OperationId, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Plan, SizeRefusal } from '#shared/domain/trade.ts';
import type { Config } from '#shared/schema/config.ts';
import { compileRoutes } from '#hotpath/detect/compile.ts';
import type { Sized } from '#hotpath/pipeline.ts';
import { Sizer } from '#hotpath/size/sizer.ts';
import { valuationOf } from '#hotpath/size/valuation.ts';
import type { PaperBook } from '#test/support/market.ts';
import { Books, spot } from '#test/support/market.ts';
import { silentReferences, stillPace } from '#test/support/sizing.ts';

const config = loadConfig({ dir: 'config', env: {} }).engine;
const engine: Config['engine'] = {
  ...config,
  displayed_fraction: 1,
  // Everything fills, and nobody minds.
  fill: { ...config.fill, intercept: -1e3, impact_factor: 0 },
  filters: {
    ...config.filters,
    max_edge_bps: 0,
    max_edge_bps_by_family: {},
    max_clock_uncertainty_ms: 0,
    max_skew_ms: 0,
  },
  min_expected_value: 0,
};
/** Each leg fills with this probability at age 0, and less with age. */
const doubt = (probability: number): Config['engine']['fill'] => ({
  ...engine.fill,
  intercept: Math.log(-Math.log(probability)),
  round_trip: 0,
  age: 0.1,
  volatility: 0,
  share: 0,
  displayed: 0,
  cushion: 0,
  correlation: 1,
  rescue_ms: 0,
});
const ms = (milliseconds: number): TimeNs => (milliseconds * 1e6) as TimeNs;

type Scene = {
  readonly instruments: readonly Instrument[];
  readonly books: readonly PaperBook[];
  readonly engine?: Partial<Config['engine']>;
  readonly available?: (venue: string, asset: string) => number;
  readonly rates?: Readonly<Record<string, number | undefined>>;
  readonly equity?: number;
};

/** A sizer over books in memory; `size` looks the route up by its id. */
function stage({ instruments, books: shown, engine: changed = {}, available, rates, equity = NaN }: Scene) {
  const settings = { ...engine, ...changed };
  const { routes } = compileRoutes(instruments, settings, 0);
  const books = new Books(instruments.length);
  for (const [at, book] of shown.entries()) books.set(at, book);
  const value = valuationOf(instruments, books.tops, { numeraire: 'USDT' as never, pegs: {} });
  let operations = 0;
  const sizer = new Sizer({
    instruments,
    routes,
    tops: books.tops,
    depths: books.depths,
    references: silentReferences(instruments.length),
    pace: stillPace,
    unixMs: (nowNs) => nowNs / 1e6,
    capital: {
      availableOf: available ?? (() => Infinity),
      equity: () => equity,
      rateOf: (asset) => (rates !== undefined && asset in rates ? rates[asset] : value(asset)),
    },
    engine: settings,
    ids: { prefix: 'o', nextOperation: () => `op-${(operations += 1)}` as OperationId },
  });
  const size = (id: string, at: TimeNs = ms(0)): Sized | undefined =>
    sizer.size(
      routes.findIndex((route) => route.id === id),
      at,
    );
  return { books, size, sizer };
}

const planOf = (sized: Sized | undefined): Plan => {
  expect(sized?.kind, JSON.stringify(sized)).toBe('plan');
  return (sized as Extract<Sized, { kind: 'plan' }>).plan;
};
const refusal = (sized: Sized | undefined): SizeRefusal | undefined =>
  sized?.kind === 'refused' ? sized.reason : undefined;

const ROUTE = 'spatial:a:BTC/USDT>b:BTC/USDT';
const cheap = spot('a:BTC/USDT', { tick: '0.01', lot: '0.001', minQty: '0.01', minNotional: '5', fee: '0.001' });
const dear = spot('b:BTC/USDT', { tick: '0.1', lot: '0.01', minNotional: '10', fee: '0.0016', feeCurrency: 'quote' });
const scene: Scene = {
  instruments: [cheap, dear],
  books: [
    {
      bids: [[99.9, 5]],
      asks: [
        [100, 2],
        [100.5, 3],
      ],
    },
    {
      bids: [
        [102, 4],
        [100.6, 4],
      ],
      asks: [[102.2, 5]],
    },
  ],
};

describe('a plan', () => {
  it('stands on the grids with the profit that its rounded legs make', () => {
    const sized = stage(scene).size(ROUTE);
    const plan = planOf(sized);
    // Marginal rates: 100 → 102 and 100.5 → 102 pay after 0.1 % and 0.16 %, 100.5 → 100.6 does not: the walk ends at the bid of 4, for which
    // it buys 4.004004…, floored to 4.004. That delivers 3.999996, floored to 3.99, which needs 3.993993…, so 3.994.
    expect(plan.legs.map(({ side, qty }) => [side, qty.toFixed()])).toEqual([
      ['buy', '3.994'],
      ['sell', '3.99'],
    ]);
    const paid = new Decimal(2).times(100).plus(new Decimal('1.994').times('100.5'));
    const received = new Decimal('3.99').times(102).times('0.9984');
    const left = new Decimal('3.994').times('0.999').minus('3.99');
    const rate = plan.rates['BTC']!;
    expect(rate.toFixed()).toBe('99.95');
    expect(plan.expectedProfit.toFixed()).toBe(received.minus(paid).plus(left.times(rate)).toFixed());
    expect(plan.notional.toFixed()).toBe(paid.toFixed());
    expect(plan.netEdgeBps).toBeCloseTo(plan.expectedProfit.div(paid).times(1e4).toNumber(), 9);
    expect(plan.operation).toBe('op-1');
    expect(Object.keys(plan.rates).sort()).toEqual(['BTC', 'USDT']);
    expect(sized!.opportunity).toMatchObject({ id: 'o-0-1', route: ROUTE, family: 'spatial', asset: 'USDT' });
    expect(plan.opportunity).toBe('o-0-1');
  });

  it('explains itself: gross − fees − slippage is the net profit', () => {
    const { opportunity } = stage(scene).size(ROUTE)!;
    const { notional, grossEdge, netEdge, fees, slippage } = opportunity;
    expect(notional * grossEdge - fees - slippage).toBeCloseTo(notional * netEdge, 10);
    expect(fees).toBeGreaterThan(0);
    expect(slippage).toBeGreaterThan(0);
  });

  it('still bears the least edge when every leg fills at its limit', () => {
    const plan = planOf(stage({ ...scene, engine: { min_edge_bps: 20 } }).size(ROUTE));
    const [buy, sell] = plan.legs;
    expect(buy!.price.gte('100.5') && sell!.price.lte(102)).toBe(true);
    // Somewhere between the worst level walked and the end of the edge: the slack is used, and not overdrawn.
    expect(buy!.price.gt('100.5') && sell!.price.lt(102)).toBe(true);
    const factor = new Decimal('0.999').times('0.9984').times(sell!.price).div(buy!.price);
    expect(factor.gte('1.002')).toBe(true);
    expect(factor.lt('1.003')).toBe(true);
  });

  it('expects less where books are old and the way back is dear', () => {
    const value = (changed: Partial<Config['engine']>, ageMs = 0, bid = 99.9): number => {
      const [first, second] = scene.books;
      const books = [{ ...first!, bids: [[bid, 5]] as const, ageMs }, second!];
      return planOf(
        stage({ ...scene, books, engine: { min_expected_value: -1e9, ...changed } }).size(ROUTE),
      ).expectedValue.toNumber();
    };
    const profit = value({});
    const doubtful = { fill: doubt(0.9) };
    expect(value(doubtful)).toBeLessThan(profit);
    expect(value(doubtful, 800)).toBeLessThan(value(doubtful));
    expect(value(doubtful, 0, 90)).toBeLessThan(value(doubtful));
    const { opportunity, plan } = stage({ ...scene, engine: doubtful }).size(ROUTE) as Extract<Sized, { kind: 'plan' }>;
    expect(opportunity.fillProbability).toBeCloseTo(0.81, 12);
    expect(plan.expectedValue.toNumber()).toBeCloseTo(
      0.81 * plan.expectedProfit.toNumber() - 0.19 * opportunity.unwindCost,
      9,
    );
  });

  it('takes no more than the size limit allows, valued in the numeraire', () => {
    const plan = planOf(stage({ ...scene, engine: { max_notional: 150 } }).size(ROUTE));
    expect(plan.notional.lte(150)).toBe(true);
    expect(plan.notional.gt(148)).toBe(true);
  });

  it('takes no more than its odds are worth of the equity, where sizes are told to depend on it', () => {
    const doubtful = { ...scene, engine: { fill: doubt(0.9), kelly_fraction: 0.5 } };
    const free = stage(doubtful).size(ROUTE) as Extract<Sized, { kind: 'plan' }>;
    const { goodEnd, netEdge, unwindCost, notional } = free.opportunity;
    const kelly = goodEnd / (unwindCost / notional) - (1 - goodEnd) / netEdge;
    expect(kelly).toBeGreaterThan(10);
    // Half of Kelly of so much is 150; the equity is not known above.
    const equity = 150 / (kelly / 2);
    const plan = planOf(stage({ ...doubtful, equity }).size(ROUTE));
    expect(plan.notional.lte(150.5)).toBe(true);
    expect(plan.notional.gt(140)).toBe(true);
    expect(planOf(stage({ ...doubtful, equity: 1e6 }).size(ROUTE)).notional).toEqual(free.plan.notional);
    const off = { ...doubtful, equity, engine: { ...doubtful.engine, kelly_fraction: 0 } };
    expect(planOf(stage(off).size(ROUTE)).notional).toEqual(free.plan.notional);
  });

  it('plans a triangle whose legs feed one another in several assets', () => {
    const instruments = [
      spot('a:BTC/USDT', { tick: '0.01', lot: '0.00001', fee: '0.001' }),
      spot('a:ETH/BTC', { tick: '0.00001', lot: '0.0001', fee: '0.001' }),
      spot('a:ETH/USDT', { tick: '0.01', lot: '0.0001', fee: '0.001' }),
    ];
    const books: PaperBook[] = [
      { bids: [[29_999.99, 1]], asks: [[30_000, 1]] },
      { bids: [[0.06599, 40]], asks: [[0.066, 4]] },
      { bids: [[2_000, 30]], asks: [[2_000.01, 30]] },
    ];
    const plan = planOf(stage({ instruments, books }).size('cycle:a:BTC/USDT>a:ETH/BTC>a:ETH/USDT'));
    const [btc, eth, sale] = plan.legs;
    expect(eth!.qty.times(eth!.price).lte(btc!.qty.times('0.999'))).toBe(true);
    expect(sale!.qty.lte(eth!.qty.times('0.999'))).toBe(true);
    expect(sale!.qty.gt(3.98)).toBe(true);
    expect(Object.keys(plan.rates).sort()).toEqual(['BTC', 'ETH', 'USDT']);
    expect(plan.netEdgeBps).toBeCloseTo((0.999 ** 3 / (0.066 * 15) - 1) * 1e4, 0);
  });

  it('is the best of all lots, to within one', () => {
    const books = fc.record({
      asks: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 }),
      bids: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 }),
      fee: fc.constantFrom('0', '0.001', '0.004'),
    });
    fc.assert(
      fc.property(books, ({ asks, bids, fee }) => {
        const listing = (venue: string): Instrument =>
          spot(`${venue}:BTC/USDT`, { tick: '0.1', lot: '0.1', fee, feeCurrency: 'quote' });
        const offered = asks.map((qty, at) => [100 + 0.7 * at, qty] as const);
        const wanted = bids.map((qty, at) => [102 - 0.6 * at, qty] as const);
        const sized = stage({
          instruments: [listing('a'), listing('b')],
          books: [
            { bids: [[99, 1]], asks: offered },
            { bids: wanted, asks: [[103, 1]] },
          ],
          engine: { min_edge_bps: 0, max_notional: 1e9 },
        }).size(ROUTE);
        const value = (levels: readonly (readonly [number, number])[], qty: Decimal): Decimal => {
          let left = qty;
          let sum = new Decimal(0);
          for (const [price, shown] of levels) {
            const taken = Decimal.min(left, shown);
            sum = sum.plus(taken.times(price));
            left = left.minus(taken);
          }
          return sum;
        };
        const total = (levels: readonly (readonly [number, number])[]): number =>
          levels.reduce((sum, [, qty]) => sum + qty, 0);
        let best = new Decimal(0);
        for (let lots = 1; lots <= Math.min(total(offered), total(wanted)) * 10; lots += 1) {
          const qty = new Decimal(lots).div(10);
          const profit = value(wanted, qty)
            .times(new Decimal(1).minus(fee))
            .minus(value(offered, qty).times(new Decimal(1).plus(fee)));
          best = Decimal.max(best, profit);
        }
        expect(planOf(sized).expectedProfit.toNumber()).toBeCloseTo(best.toNumber(), 9);
      }),
      { numRuns: 200 },
    );
  });
});

describe('what else it costs', () => {
  const inToken: Instrument = {
    ...cheap,
    fees: { ...cheap.fees, token: { asset: 'BNB' as never, discount: new Decimal('0.25') } },
  };
  const rates = { BTC: 99.95, USDT: 1, BNB: 600 };
  const tokens =
    (held: number) =>
    (_venue: string, asset: string): number =>
      asset === 'BNB' ? held : Infinity;
  const whole = [cheap, { ...dear, lot: cheap.lot }] as const;

  it('is a fee in the venue token, which leaves what is received whole and comes at a discount', () => {
    const plan = planOf(stage({ ...scene, instruments: [inToken, whole[1]], rates, available: tokens(1) }).size(ROUTE));
    expect(plan.legs.map(({ qty }) => qty.toFixed())).toEqual(['4', '4']);
    const paid = new Decimal(2).times(100).plus(new Decimal(2).times('100.5'));
    const received = new Decimal(4).times(102).times('0.9984');
    expect(plan.expectedProfit.toFixed()).toBe(received.minus(paid.times('1.00075')).toFixed());
    expect(plan.rates['BNB']!.toNumber()).toBe(600);
  });

  it('is the whole fee where the token is short, or nobody knows what it is worth', () => {
    const plain = planOf(stage({ ...scene, instruments: whole, rates }).size(ROUTE));
    for (const short of [
      { rates, available: tokens(0.1) },
      { rates: { ...rates, BNB: undefined }, available: tokens(1) },
    ]) {
      const priced = { ...scene, instruments: [inToken, whole[1]], ...short, engine: { max_notional: 20_000 } };
      const plan = planOf(stage(priced).size(ROUTE));
      expect(plan.legs.map(({ qty }) => qty.toFixed())).toEqual(plain.legs.map(({ qty }) => qty.toFixed()));
      expect(plan.expectedProfit.toFixed()).toBe(plain.expectedProfit.toFixed());
    }
  });

  it('is bringing back what was carried from one venue to another, after the fills', () => {
    const free = planOf(stage(scene).size(ROUTE));
    const plan = planOf(stage({ ...scene, engine: { rebalance_cost_bps: { 'a>b': 20, 'b>a': 10 } } }).size(ROUTE));
    expect(plan.expectedCarry.toFixed()).toBe(plan.notional.times('0.003').neg().toFixed());
    expect(plan.expectedProfit.toFixed()).toBe(free.expectedProfit.plus(plan.expectedCarry).toFixed());
    const dearer = stage({ ...scene, engine: { rebalance_cost_bps: { 'a>b': 200 } } }).size(ROUTE);
    expect(dearer).toBeUndefined();
  });

  it('is what the registry says, again when it is told that fees have changed', () => {
    const instruments = [...scene.instruments];
    const { size, sizer } = stage({ ...scene, instruments });
    const before = planOf(size(ROUTE, ms(0))).expectedProfit;
    instruments[1] = { ...dear, fees: { ...dear.fees, taker: new Decimal(0) } };
    expect(planOf(size(ROUTE, ms(250))).expectedProfit.toFixed()).toBe(before.toFixed());
    sizer.forgetFees();
    expect(planOf(size(ROUTE, ms(500))).expectedProfit.gt(before)).toBe(true);
  });
});

describe('what is left', () => {
  it('is sized again whatever the cool-down says, with the money that is there', () => {
    let money = 1e6;
    const { size, sizer } = stage({ ...scene, available: () => money });
    const first = planOf(size(ROUTE));
    money = 200;
    expect(size(ROUTE)).toBeUndefined();
    const second = planOf(sizer.resize(0, ms(0)));
    expect(second.notional.lt(first.notional) && second.notional.lte(200)).toBe(true);
    expect(second.opportunity).not.toBe(first.opportunity);
  });
});

describe('a filter', () => {
  it('holds back what is too good to be true, before anything is put on a grid', () => {
    const filters = { ...engine.filters, max_edge_bps: 50 };
    const sized = stage({ ...scene, engine: { filters } }).size(ROUTE);
    expect(refusal(sized)).toBe('EDGE_ABNORMAL');
  });
});

describe('a refusal', () => {
  const refusedWith = (changed: Partial<Scene>): SizeRefusal | undefined =>
    refusal(stage({ ...scene, ...changed }).size(ROUTE));
  const [first, second] = scene.books as [PaperBook, PaperBook];
  const listed = (changed: Parameters<typeof spot>[1]): Partial<Scene> => ({
    instruments: [cheap, spot('b:BTC/USDT', changed)],
  });

  it.each<[SizeRefusal, Partial<Scene>]>([
    ['RATE_UNKNOWN', { rates: { BTC: undefined } }],
    ['RATE_UNKNOWN', { rates: { USDT: undefined } }],
    [
      'BELOW_MIN_QTY',
      {
        ...listed({ minQty: '3' }),
        books: [
          {
            ...first,
            asks: [
              [100, 2],
              [105, 9],
            ],
          },
          second,
        ],
      },
    ],
    [
      'BELOW_MIN_NOTIONAL',
      {
        ...listed({ minNotional: '300' }),
        books: [
          {
            ...first,
            asks: [
              [100, 2],
              [105, 9],
            ],
          },
          second,
        ],
      },
    ],
    ['DEPTH_INSUFFICIENT', { books: [{ ...first, asks: [[100, 0.001]] }, second] }],
    ['DEPTH_INSUFFICIENT', { books: [{ ...first, bids: [] }, second], rates: { BTC: 100 } }],
    ['BALANCE_INSUFFICIENT', { available: (venue) => (venue === 'b' ? 0 : 1e6) }],
    ['BALANCE_INSUFFICIENT', { available: (venue) => (venue === 'a' ? 0.5 : 1e6) }],
    ['EV_BELOW_THRESHOLD', { engine: { min_expected_value: 100 } }],
    ['EV_BELOW_THRESHOLD', { engine: { fill: doubt(0.2) } }],
    // A lot of 3 bought for a lot of 2 sold leaves one behind, which is worth less than it cost.
    [
      'EDGE_BELOW_THRESHOLD',
      {
        instruments: [spot('a:BTC/USDT', { lot: '3' }), spot('b:BTC/USDT', { lot: '2' })],
        rates: { BTC: 60 },
      },
    ],
  ])('%s', (reason, changed) => {
    expect(refusedWith(changed)).toBe(reason);
  });

  it('says nothing where the route does not pay, or a book is dead', () => {
    expect(stage({ ...scene, books: [{ ...first, asks: [[101.8, 2]] }, second] }).size(ROUTE)).toBeUndefined();
    expect(stage({ ...scene, books: [first, { bids: [], asks: [] }] }).size(ROUTE)).toBeUndefined();
  });

  it('settles a threshold within 1e-9 in decimals', () => {
    const price = (bid: number): Partial<Scene> => ({
      instruments: [spot('a:BTC/USDT', { lot: '1' }), spot('b:BTC/USDT', { lot: '1' })],
      books: [
        { bids: [[99, 9]], asks: [[100, 3]] },
        { bids: [[bid, 3]], asks: [[104, 9]] },
      ],
      engine: { min_edge_bps: 100 },
    });
    expect(planOf(stage({ ...scene, ...price(101) }).size(ROUTE)).netEdgeBps).toBe(100);
    expect(refusedWith(price(100.99999995))).toBe('EDGE_BELOW_THRESHOLD');
  });

  it('holds only finite figures', () => {
    for (const changed of [
      { available: () => 0 },
      { rates: { BTC: undefined } },
      { books: [{ ...first, bids: [], ageMs: NaN }, second] },
    ]) {
      const { opportunity } = stage({ ...scene, ...changed }).size(ROUTE)!;
      const figures = Object.values(opportunity).filter((value) => typeof value === 'number');
      expect(figures.filter((value) => !Number.isFinite(value))).toEqual([]);
      expect(opportunity.legs.every(({ price, qty }) => Number.isFinite(price) && Number.isFinite(qty))).toBe(true);
    }
  });
});

describe('the cool-down', () => {
  const grown: PaperBook = { bids: [[104, 4]], asks: [[104.2, 5]] };

  it('is silent after a plan and after a refusal, until its time is over', () => {
    for (const changed of [{}, { min_expected_value: 100 }]) {
      const { size } = stage({ ...scene, engine: changed });
      const kind = size(ROUTE, ms(0))!.kind;
      expect(size(ROUTE, ms(1))).toBeUndefined();
      expect(size(ROUTE, ms(249))).toBeUndefined();
      expect(size(ROUTE, ms(250))!.kind).toBe(kind);
    }
  });

  it('lets a notably grown edge through after a refusal', () => {
    const { books, size } = stage({ ...scene, engine: { min_expected_value: 9 } });
    expect(refusal(size(ROUTE, ms(0)))).toBe('EV_BELOW_THRESHOLD');
    books.set(1, grown);
    expect(size(ROUTE, ms(10))!.kind).toBe('plan');
  });

  it('says once that the edge has grown since a plan, and does not buy it twice', () => {
    const { books, size } = stage(scene);
    planOf(size(ROUTE, ms(0)));
    books.set(1, grown);
    expect(refusal(size(ROUTE, ms(10)))).toBe('ROUTE_COOLING_DOWN');
    expect(size(ROUTE, ms(20))).toBeUndefined();
    expect(size(ROUTE, ms(250))!.kind).toBe('plan');
  });

  it('numbers what it sees route by route', () => {
    const { size } = stage(scene);
    expect([0, 250, 500].map((at) => size(ROUTE, ms(at))!.opportunity.id)).toEqual(['o-0-1', 'o-0-2', 'o-0-3']);
  });

  it('walks only a few routes for one change; the others have their turn with the next', () => {
    const venues = Array.from({ length: 12 }, (_none, venue) => spot(`v${venue}:BTC/USDT`));
    const books = venues.map((_listing, venue): PaperBook => {
      const price = venue === 0 ? 100 : 110;
      return { bids: [[price, 5]], asks: [[price + 0.1, 5]] };
    });
    const { size } = stage({ instruments: venues, books });
    const routes = venues.slice(1).map(({ id }) => `spatial:v0:BTC/USDT>${id}`);
    const walked = (at: TimeNs): number => routes.filter((route) => size(route, at) !== undefined).length;
    expect([walked(ms(0)), walked(ms(1)), walked(ms(2))]).toEqual([8, 3, 0]);
  });

  it('walks few routes while a dislocation of many lasts, the best of each change first, and many again after a rest', () => {
    const venues = Array.from({ length: 200 }, (_none, venue) => spot(`v${venue}:BTC/USDT`));
    const books = venues.map((_listing, venue): PaperBook => {
      const price = venue === 0 ? 100 : 110;
      return { bids: [[price, 5]], asks: [[price + 0.1, 5]] };
    });
    const { size } = stage({ instruments: venues, books });
    const routes = venues.slice(1).map(({ id }) => `spatial:v0:BTC/USDT>${id}`);
    const walked = (at: number): number => routes.filter((route) => size(route, ms(at)) !== undefined).length;
    const lasting = Array.from({ length: 100 }, (_none, at) => walked(at));
    expect(lasting.slice(0, 3)).toEqual([8, 8, 8]);
    // 24 at once and half a walk a millisecond from then on.
    expect(lasting.reduce((sum, count) => sum + count, 0)).toBe(24 + 99 / 2 - 0.5);
    expect(walked(1_000)).toBe(8);
  });
});
