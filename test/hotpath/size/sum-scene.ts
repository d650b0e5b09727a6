import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { loadConfig } from '#shared/config/load.ts';
import type { References } from '#shared/domain/capital.ts';
import type { Asset, InstrumentIndex, OperationId, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Route, RouteLeg, SumRoute } from '#shared/domain/route.ts';
import { amountOf } from '#shared/money/grid.ts';
import type { Config } from '#shared/schema/config.ts';
import { compileRoutes } from '#hotpath/detect/compile.ts';
import type { Sized } from '#hotpath/pipeline.ts';
import { Sizer } from '#hotpath/size/sizer.ts';
import { valuationOf } from '#hotpath/size/valuation.ts';
import type { Levels, PaperBook } from '#test/support/market.ts';
import { Books } from '#test/support/market.ts';
import { boardOf, expiryMsOf, listing } from '#test/support/options.ts';
import { silentReferences, stillPace } from '#test/support/sizing.ts';

const config = loadConfig({ dir: 'config', env: {} }).engine;

/** Everything fills, nobody minds, and nothing is too good to be true. */
export const certain: Config['engine'] = {
  ...config,
  families: ['spatial', 'basis', 'funding', 'calendar', 'parity', 'box', 'synthetic-forward', 'jelly-roll', 'surface'],
  start_assets: ['USDT', 'USDC', 'BTC'],
  equal_assets: { USD: 'USDT' },
  displayed_fraction: 1,
  min_edge_bps: 0,
  min_expected_value: -1e12,
  max_notional: 1e9,
  route_cooldown_ms: 0,
  fill: { ...config.fill, intercept: -1e3, impact_factor: 0 },
  filters: {
    ...config.filters,
    max_edge_bps: 0,
    max_edge_bps_by_family: {},
    max_clock_uncertainty_ms: 0,
    max_skew_ms: 0,
  },
};

export const NOW_MS = Date.UTC(2026, 10, 21, 12);
export const DAY = '261127';

export type SumScene = {
  readonly instruments: readonly Instrument[];
  readonly books: readonly PaperBook[];
  readonly engine?: Partial<Config['engine']>;
  readonly available?: (venue: string, asset: string) => number;
  /** Changes what venues have said. */
  readonly said?: (references: References) => void;
};

/** A sizer over books in memory, for all families; perpetuals pay 0.01 % every eight hours, in four hours from now; the index is 60000. */
export function sumStage({ instruments, books: shown, engine: changed = {}, available, said }: SumScene) {
  const engine = { ...certain, ...changed };
  const { routes } = compileRoutes(instruments, engine, NOW_MS);
  const books = new Books(instruments.length);
  for (const [at, book] of shown.entries()) books.set(at, book);
  const references = silentReferences(instruments.length);
  references.indexPrice.fill(60_000);
  for (const [at, { kind }] of instruments.entries()) {
    if (kind !== 'perpetual') continue;
    references.fundingRate[at] = 0.0001;
    references.fundingIntervalMs[at] = 8 * 3_600_000;
    references.nextFundingTimeMs[at] = NOW_MS + 4 * 3_600_000;
  }
  said?.(references);
  const value = valuationOf(instruments, books.tops, { numeraire: 'USDT' as Asset, pegs: { USD: '1', BTC: '60000' } });
  let operations = 0;
  const sizer = new Sizer({
    instruments,
    routes,
    tops: books.tops,
    depths: books.depths,
    references,
    pace: stillPace,
    capital: { availableOf: available ?? (() => Infinity), rateOf: value },
    engine,
    unixMs: (nowNs) => NOW_MS + nowNs / 1e6,
    ids: { prefix: 'o', nextOperation: () => `op-${(operations += 1)}` as OperationId },
  });
  const indexOf = (id: string): number => {
    const index = routes.findIndex((route) => route.id === id);
    if (index < 0) throw new Error(`no route ${id} among ${routes.map((route) => route.id).join(' ')}`);
    return index;
  };
  const size = (route: string | number): Sized | undefined =>
    sizer.size(typeof route === 'string' ? indexOf(route) : route, 0 as TimeNs);
  return { routes, books, references, engine, sizer, size, rateOf: value, indexOf };
}

/** What so many units of a leg bring, and the quantity that they take: level by level, as docs/net-edge.md has it. Undefined when the book is too thin. */
export function legOutcome(
  { side, unit, instrument: at }: RouteLeg,
  {
    instruments,
    books,
    underlying = 60_000,
  }: { instruments: readonly Instrument[]; books: readonly PaperBook[]; underlying?: number },
  units: number,
  fraction = 1,
): { readonly cash: number; readonly qty: number } | undefined {
  const instrument = instruments[at]!;
  const levels = side === 'buy' ? books[at]!.asks : books[at]!.bids;
  let left = units;
  let cash = 0;
  let qty = 0;
  for (const [price, shown] of levels) {
    const { made, brought } = ofOne(instrument, side, unit, price, underlying);
    const taken = Math.min(left / made, shown * fraction);
    left -= taken * made;
    cash += taken * brought;
    qty += taken;
  }
  return left > units * 1e-9 ? undefined : { cash, qty };
}

/** Units made and cash brought by one unit of the venue's quantity. */
function ofOne(
  { kind, fees, contractSize, inverse, base, quote }: Instrument,
  side: 'buy' | 'sell',
  unit: RouteLeg['unit'],
  price: number,
  index: number,
): { readonly made: number; readonly brought: number } {
  const fee = fees.taker.toNumber();
  const size = contractSize.toNumber();
  const buys = side === 'buy';
  const received = fees.currency === 'received';
  if (kind === 'option') {
    const underlying = base === quote ? 1 : index;
    const charged = Math.min(fee * underlying, (fees.premiumShareMax?.toNumber() ?? Infinity) * price);
    return { made: size, brought: size * ((buys ? -price : price) - charged) };
  }
  if (kind === 'spot' && unit === 'quote') {
    if (!buys) return { made: price * (1 - fee), brought: -1 };
    return received ? { made: price, brought: 1 - fee } : { made: price * (1 + fee), brought: 1 };
  }
  if (kind === 'spot') {
    if (!buys) return { made: 1, brought: price * (1 - fee) };
    return received ? { made: 1 - fee, brought: -price } : { made: 1, brought: -price * (1 + fee) };
  }
  if (unit === 'quote') return { made: size, brought: (size / price) * (buys ? 1 - fee : -(1 + fee)) };
  const coins = inverse ? size / price : size;
  return { made: coins, brought: coins * price * (buys ? -(1 + fee) : 1 - fee) };
}

/** Of all legs together. */
export function entryOf(route: SumRoute, scene: Parameters<typeof legOutcome>[1], units: number): number | undefined {
  let cash = 0;
  for (const leg of route.legs) {
    const outcome = legOutcome(leg, scene, units * leg.ratio);
    if (outcome === undefined) return undefined;
    cash += outcome.cash;
  }
  return cash;
}

const fee = fc.constantFrom('0', '0.0002', '0.0005', '0.001');
const shares = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 });

type Spec = { readonly id: string; readonly fair: number; readonly depth: number; readonly other: Partial<Instrument> };

const FUTURE = `a:BTC/USD:BTC-${DAY}`;
const SPECS: readonly Spec[] = [
  { id: 'a:BTC/USDT', fair: 60_000, depth: 0.5, other: { lot: amountOf('0.001'), tick: amountOf('0.01') } },
  { id: 'b:BTC/USDT', fair: 60_000, depth: 0.5, other: { lot: amountOf('0.00001'), tick: amountOf('0.1') } },
  { id: 'a:BTC/USD', fair: 60_000, depth: 0.5, other: { lot: amountOf('0.0001'), tick: amountOf('0.01') } },
  contracts('a:BTC/USDT:USDT', 60_000, 50, { contractSize: '0.01', lot: '1', tick: '0.1' }),
  contracts('b:BTC/USDT:USDT', 60_000, 500, { contractSize: '0.001', lot: '1', tick: '0.1' }),
  contracts('b:BTC/USD:BTC', 60_000, 300, { contractSize: '100', lot: '1', tick: '0.1' }),
  contracts(FUTURE, 60_000, 3_000, { contractSize: '10', lot: '1', tick: '0.5' }),
  ...boardOf(`a:BTC/USD:BTC-${DAY}`, [58_000, 60_000, 64_000]).map((option) => optionSpec(option, true)),
  ...boardOf(`b:BTC/USDT:USDT-${DAY}`, [58_000, 60_000, 64_000]).map((option) => optionSpec(option, false)),
];

function contracts(
  id: string,
  fair: number,
  depth: number,
  { contractSize, lot, tick }: { contractSize: string; lot: string; tick: string },
): Spec {
  return { id, fair, depth, other: { contractSize: amountOf(contractSize), lot: amountOf(lot), tick: amountOf(tick) } };
}

function optionSpec({ id, strike, right }: Instrument, inCoin: boolean): Spec {
  const k = strike!.toNumber();
  const worth = Math.max(0, right === 'call' ? 60_000 - k : k - 60_000) + 900;
  return {
    id,
    fair: inCoin ? worth / 60_000 : worth,
    depth: inCoin ? 2 : 50,
    other: {
      contractSize: amountOf(inCoin ? '1' : '0.01'),
      lot: amountOf(inCoin ? '0.1' : '1'),
      tick: amountOf(inCoin ? '0.0001' : '5'),
    },
  };
}

const rounded = (price: number, tick: Decimal): number =>
  new Decimal(price).div(tick).toDecimalPlaces(0).times(tick).toNumber();

/** One of everything, priced up to three percent away from where parity would have it, so that much pays. */
export const scenes: fc.Arbitrary<SumScene> = fc
  .tuple(
    ...SPECS.map((spec) =>
      fc.record({
        spec: fc.constant(spec),
        fee,
        currency: fc.constantFrom('received' as const, 'quote' as const),
        away: fc.integer({ min: -30, max: 30 }),
        asks: shares,
        bids: shares,
      }),
    ),
  )
  .map((drawn) => {
    const instruments = drawn.map(({ spec, fee: taker, currency }): Instrument => {
      const made = listing(spec.id, spec.other);
      const isOption = made.kind === 'option';
      return {
        ...made,
        fees: {
          maker: amountOf(0),
          taker: amountOf(taker),
          currency: made.kind === 'spot' ? currency : 'settle',
          ...(isOption ? { premiumShareMax: amountOf('0.125') } : {}),
        },
      };
    });
    const books = drawn.map(({ spec, away, asks, bids }, at): PaperBook => {
      const { tick } = instruments[at]!;
      const middle = spec.fair * (1 + away / 1e3);
      const step = Math.max(tick.toNumber(), middle * 0.0004);
      const ladder = (sizes: readonly number[], sign: number): Levels =>
        sizes.map(
          (size, level) => [rounded(middle + sign * step * (level + 1), tick), (size * spec.depth) / 5] as const,
        );
      return { asks: ladder(asks, 1), bids: ladder(bids, -1) };
    });
    return { instruments, books };
  });

export const sumsOf = (routes: readonly Route[]): readonly (readonly [number, SumRoute])[] =>
  [...routes.entries()].flatMap(([at, route]) => (route.evaluator === 'sum' ? [[at, route] as const] : []));

export const at = (index: number): InstrumentIndex => index as InstrumentIndex;
export const ENDS_MS = expiryMsOf(DAY);
