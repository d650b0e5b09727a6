import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Asset, InstrumentId, OperationId, OpportunityId, RouteId, TimeNs, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Side } from '#shared/domain/route.ts';
import type { Plan } from '#shared/domain/trade.ts';
import type { Price, Qty } from '#shared/money/grid.ts';
import { amountOf } from '#shared/money/grid.ts';
import type { FillFacts } from '#shared/money/pnl.ts';
import { contractOf } from '#shared/money/pnl.ts';
import type { Position } from '#shared/money/position.ts';
import { bookingOf, FLAT } from '#shared/money/position.ts';
import { sampleCovariance } from '#shared/quant/risk/covariance.ts';
import { correlationRisk } from '#shared/quant/risk/parametric.ts';
import { pnlInto } from '#shared/quant/risk/scenarios.ts';
import { CONFIDENCES, tailsFor, tailsInto } from '#shared/quant/risk/tail.ts';
import { Asked } from '#hotpath/risk/asked.ts';
import { NOTE_EVERY_MS, SCENARIOS } from '#hotpath/risk/moves.ts';
import { PlanEntries } from '#hotpath/risk/factors.ts';
import { TradingBook } from '#hotpath/risk/trading-book.ts';
import { spot } from '#test/support/market.ts';

const venue = 'a' as VenueId;
const contract = (symbol: string, more: Partial<Instrument>): Instrument => ({
  ...spot(`a:${symbol}`),
  base: 'BTC' as Asset,
  quote: 'USDT' as Asset,
  settle: 'USDT' as Asset,
  ...more,
});
const coin = spot('a:BTC/USDT');
const cross = spot('a:ETH/BTC');
const linear = contract('BTC/USDT:USDT', { kind: 'perpetual', contractSize: new Decimal('0.01') });
const inverse = contract('BTC/USD:BTC', {
  kind: 'perpetual',
  inverse: true,
  contractSize: new Decimal(100),
  quote: 'USD' as Asset,
  settle: 'BTC' as Asset,
});
const call = contract('BTC/USDT:USDT-C', { kind: 'option', right: 'call', contractSize: new Decimal('0.1') });
const put = contract('BTC/USDT:USDT-P', { kind: 'option', right: 'put', contractSize: new Decimal('0.1') });
const instruments = [coin, cross, linear, inverse, call, put];

/** Accounts, positions and deviations as the ledger keeps them, by the same booking. */
class World {
  readonly rates: Record<string, number> = { BTC: 100_000, ETH: 4_000, USDT: 1, USD: 1 };
  readonly mids: Record<string, number> = {
    [linear.id]: 100_000,
    [inverse.id]: 100_000,
    [call.id]: 5_000,
    [put.id]: 3_000,
  };
  readonly totals = new Map<string, Decimal>(
    Object.entries({ BTC: amountOf(10), ETH: amountOf(100), USDT: amountOf(1e6) }),
  );
  readonly deviations = new Map<string, Decimal>();
  readonly positions = new Map<InstrumentId, Position>();
  readonly book: TradingBook;
  /** By option: what its venue says. */
  readonly deltas: Record<string, number> = {};
  nowMs = 0;

  constructor(peakUsd = 0) {
    this.book = new TradingBook({
      instruments,
      venues: [venue],
      rateOf: (asset) => this.rates[asset],
      midOf: (id) => this.mids[id] ?? NaN,
      totalOf: (_venue, asset) => this.totals.get(asset) ?? amountOf(0),
      deviationOf: (asset) => this.deviations.get(asset)?.toNumber() ?? 0,
      openPositions: () => [...this.positions].flatMap(([id, { size }]) => (size.isZero() ? [] : [id])),
      positionOf: (id) => this.positions.get(id) ?? FLAT,
      confidence: () => 0.99,
      defaultVolatility: 1e-4,
      stableAssets: ['USDT', 'USD'],
      numeraire: 'USDT',
      saidDeltaOf: (id) => this.deltas[id] ?? NaN,
      peakUsd,
    });
  }

  trade(instrument: Instrument, side: Side, qty: Decimal.Value, price: Decimal.Value, fee: Decimal.Value = 0): void {
    const { base, quote, settle, kind } = instrument;
    const traded = contractOf(instrument);
    const feeAsset = kind === 'spot' || kind === 'option' ? quote : settle;
    const facts: FillFacts = {
      side,
      base,
      quote,
      price: new Decimal(price),
      qty: new Decimal(qty),
      fee: new Decimal(fee),
      feeAsset,
      ...(traded === undefined ? {} : { contract: traded }),
    };
    const { position, cash, exposure } = bookingOf(this.positions.get(instrument.id) ?? FLAT, facts);
    this.positions.set(instrument.id, position);
    for (const [sums, amounts] of [
      [this.totals, cash],
      [this.deviations, exposure],
    ] as const)
      for (const [asset, amount] of amounts) sums.set(asset, (sums.get(asset) ?? amountOf(0)).plus(amount));
  }

  look(afterMs = 0): TradingBook {
    this.nowMs += afterMs;
    this.book.look((this.nowMs * 1e6) as TimeNs);
    return this.book;
  }
}

function askedOf(legs: readonly (readonly [Instrument, Side, number])[]): Asked {
  const asked = new Asked(new Map(instruments.map((instrument) => [instrument.id, instrument])));
  asked.take(planOf(legs), 0 as TimeNs);
  return asked;
}

const planOf = (legs: readonly (readonly [Instrument, Side, number])[]): Plan => ({
  operation: 'p' as OperationId,
  opportunity: 'o' as OpportunityId,
  route: 'r' as RouteId,
  family: 'spatial',
  asset: 'USDT' as Asset,
  legs: legs.map(([instrument, side, usd]) => ({
    instrument: instrument.id,
    side,
    price: new Decimal(1) as Price,
    qty: new Decimal(usd).div(100_000).div(instrument.contractSize) as Qty,
    expectedPrice: new Decimal(1),
    notional: amountOf(usd),
  })),
  notional: amountOf(1),
  expectedProfit: amountOf(1),
  netEdgeBps: 10,
  expectedValue: amountOf(1),
  fillProbability: 1,
  oldestBookAgeMs: 0,
  rates: { BTC: new Decimal(100_000), USDT: new Decimal(1) },
  plannedTimeNs: 0 as TimeNs,
  expectedCarry: amountOf(0),
});

const trades = fc.array(
  fc.record({
    of: fc.constantFrom(...instruments),
    side: fc.constantFrom<Side>('buy', 'sell'),
    qty: fc.integer({ min: 1, max: 50 }),
    by: fc.integer({ min: -20, max: 20 }),
  }),
  { maxLength: 12 },
);

describe('the trading book', () => {
  it('earns what equity gains, however it is traded and wherever prices go', () => {
    fc.assert(
      fc.property(trades, fc.integer({ min: 50, max: 150 }), (made, percent) => {
        const world = new World();
        const price = (instrument: Instrument): number =>
          instrument === cross ? 0.04 : instrument === coin ? 100_000 : world.mids[instrument.id]!;
        for (const { of, side, qty, by } of made)
          world.trade(of, side, of.kind === 'spot' ? qty / 100 : qty, price(of) * (1 + by / 1e4), qty / 1e3);
        world.rates['BTC'] = 1_000 * percent;
        world.mids[linear.id] = 1_001 * percent;
        world.mids[inverse.id] = 999 * percent;
        world.mids[call.id] = 5_000 + percent;
        const book = world.look();
        const untouched = 10 * 1_000 * percent + 100 * 4_000 + 1e6;
        expect(book.equityUsd()).toBeCloseTo(untouched + book.tradedUsd, 4);
        const left = Math.max(0, -book.tradedUsd);
        expect(book.drawdown()).toBeCloseTo(
          book.equityUsd() > 0 ? left / book.equityUsd() : left > 0 ? Infinity : 0,
          9,
        );
      }),
    );
  });

  it('is exposed to what it holds: coins to their value, contracts to their own price, options to half their coins', () => {
    const world = new World();
    world.trade(coin, 'buy', '0.5', 100_000);
    world.trade(linear, 'sell', 30, 100_000);
    world.trade(inverse, 'buy', 200, 100_000);
    world.trade(call, 'buy', 10, 5_000);
    const { book } = world;
    world.look();
    const { factors } = book;
    expect(book.deltaUsd[factors.ofContract(linear.id)!]).toBeCloseTo(-30_000, 6);
    expect(book.deltaUsd[factors.ofContract(inverse.id)!]).toBeCloseTo(20_000, 6);
    expect(book.deltaUsd[factors.ofAsset('BTC' as Asset)!]).toBeCloseTo(50_000 + 50_000, 6);
    expect(book.rows.map(({ instrument }) => instrument.id).sort()).toEqual([call.id, inverse.id, linear.id].sort());
  });

  it('bounds VaR and shortfall from above, and says them exactly where the bound is not enough', () => {
    const entries = fc.array(
      fc.tuple(
        fc.constantFrom(...instruments),
        fc.constantFrom<Side>('buy', 'sell'),
        fc.integer({ min: 1, max: 100_000 }),
      ),
      { minLength: 1, maxLength: 4 },
    );
    const world = new World();
    world.trade(linear, 'sell', 30, 100_000);
    world.trade(cross, 'buy', 3, 0.04);
    fc.assert(
      fc.property(entries, fc.integer({ min: 0, max: 3 }), fc.integer({ min: -300, max: 300 }), (legs, notes, jump) => {
        world.rates['BTC'] = 100_000 + 100 * jump;
        for (let note = 0; note < notes; note += 1) world.look(NOTE_EVERY_MS);
        const plan = askedOf(legs);
        const exact = [world.book.varUsdWith(plan, -Infinity), world.book.shortfallUsdWith(plan, -Infinity)] as const;
        const bound = [world.book.varUsdWith(plan, Infinity), world.book.shortfallUsdWith(plan, Infinity)] as const;
        expect(bound[0]).toBeGreaterThanOrEqual(exact[0] - 1e-6);
        expect(bound[1]).toBeGreaterThanOrEqual(exact[1] - 1e-6);
        expect(exact[1]).toBeGreaterThanOrEqual(exact[0]);
      }),
    );
  });

  it('sees that one leg hedges the other: coins on two venues are one, a contract nearly so', () => {
    const { book } = new World();
    book.look(0 as TimeNs);
    const alone = book.varUsdWith(askedOf([[coin, 'buy', 50_000]]), -Infinity);
    const hedged = book.varUsdWith(
      askedOf([
        [coin, 'buy', 50_000],
        [linear, 'sell', 50_000],
      ]),
      -Infinity,
    );
    const same = book.varUsdWith(
      askedOf([
        [coin, 'buy', 50_000],
        [coin, 'sell', 50_000],
      ]),
      0,
    );
    const boxed = book.varUsdWith(
      askedOf([
        [call, 'buy', 50_000],
        [put, 'sell', 50_000],
        [coin, 'sell', 50_000],
      ]),
      0,
    );
    // 2.9 % a day, 2.33 deviations.
    expect(alone).toBeGreaterThan(2_500);
    expect(alone).toBeLessThan(4_500);
    expect(hedged).toBeLessThan(alone / 10);
    expect([same, boxed]).toEqual([0, 0]);
  });

  it('measures what the formulas say of all scenarios at once', () => {
    fc.assert(
      fc.property(trades, (made) => {
        const world = new World();
        for (const { of, side, qty, by } of made)
          world.trade(of, side, of.kind === 'spot' ? qty / 100 : qty, (world.mids[of.id] ?? 1_000) * (1 + by / 1e4));
        const { book } = world;
        world.look();
        const { scenarios } = book.moves;
        const delta = Float64Array.from(book.deltaUsd);
        const pnl = new Float64Array(SCENARIOS);
        pnlInto(scenarios, delta, new Float64Array(delta.length), pnl);
        const tails = tailsFor(SCENARIOS, [0.99]);
        tailsInto(pnl, tails);
        const gross = delta.reduce((sum, each) => sum + Math.abs(each), 1);
        expect(Math.abs(book.tailUsd.varUsd - tails.varUsd[0]!)).toBeLessThan(1e-9 * gross);
        expect(Math.abs(book.tailUsd.shortfallUsd - tails.esUsd[0]!)).toBeLessThan(1e-9 * gross);
        expect(book.correlationRisk()).toBeCloseTo(correlationRisk(delta, sampleCovariance(scenarios)), 6);
      }),
    );
  });

  it('measures how much hangs together, and how far it is from its peak', () => {
    const world = new World(1_000);
    expect(world.look().correlationRisk()).toBe(0);
    expect(world.book.drawdown()).toBeCloseTo(1_000 / 2_400_000, 12);
    world.trade(coin, 'buy', 1, 100_000);
    expect(world.look().correlationRisk()).toBe(1);
    world.trade(linear, 'sell', 100, 100_000);
    expect(world.look().correlationRisk()).toBeLessThan(0.1);
    world.rates['BTC'] = 110_000;
    expect(world.look().tradedUsd).toBeCloseTo(10_000, 6);
    world.mids[linear.id] = 110_000;
    world.look();
    expect(world.book.drawdown()).toBeCloseTo(10_000 / world.book.equityUsd(), 9);
  });

  it('knows nothing before its first look, keeps the last price while none is told, and is unknown where none ever was', () => {
    const world = new World();
    expect(world.book.ageMs(0 as TimeNs)).toBe(Infinity);
    world.trade(cross, 'buy', 1, 0.04);
    world.look(1_000);
    delete world.rates['ETH'];
    world.mids[linear.id] = NaN;
    world.look(1_000);
    expect(world.book.ageMs((world.nowMs * 1e6) as TimeNs)).toBe(0);
    const other = new World();
    delete other.rates['ETH'];
    other.look(1_000);
    expect(other.book.ageMs(1e9 as TimeNs)).toBe(0);
    other.trade(cross, 'buy', 1, 0.04);
    other.look(4_000);
    expect(other.book.ageMs(5e9 as TimeNs)).toBe(4_000);
  });
});

describe('moves', () => {
  it('take the place of what was drawn, from a minute to a day, a contract without a price with its coin', () => {
    const world = new World();
    const { factors, moves } = world.book;
    world.mids[inverse.id] = NaN;
    for (let note = 0; note <= 6; note += 1) {
      if (note === 6) {
        world.rates['BTC'] = 101_000;
        world.mids[linear.id] = 102_000;
      }
      world.look(NOTE_EVERY_MS);
    }
    expect(moves.observed).toBe(1);
    const first = (factor: number): number => moves.scenarios.returns[factor * SCENARIOS]!;
    const daily = Math.sqrt(86_400 / 60);
    expect(first(factors.ofAsset('BTC' as Asset)!)).toBeCloseTo(0.01 * daily, 9);
    expect(first(factors.ofContract(linear.id)!)).toBeCloseTo(0.02 * daily, 9);
    expect(first(factors.ofContract(inverse.id)!)).toBeCloseTo(0.01 * daily, 9);
    expect(first(factors.ofAsset('USDT' as Asset)!)).toBe(0);
  });

  it('keep the units of every factor above what they are, and come back to them', () => {
    const world = new World();
    const { moves, factors } = world.book;
    const coins = factors.ofAsset('BTC' as Asset)!;
    const before = CONFIDENCES.map((_confidence, at) => moves.units.long[at]![coins]!);
    for (let note = 0; note < 12; note += 1) {
      world.rates['BTC'] = 100_000 - 500 * note;
      world.look(NOTE_EVERY_MS);
    }
    moves.refresh(factors.count);
    const after = CONFIDENCES.map((_confidence, at) => moves.units.long[at]![coins]!);
    for (const at of CONFIDENCES.keys()) expect(after[at]).toBeGreaterThan(before[at]!);
  });
});

it('moves an option by the delta that its venue says, and takes the same out of the ledger’s count as before', () => {
  const world = new World();
  world.trade(call, 'buy', 10, 5_000);
  const coinOf = (book: TradingBook): number => book.deltaUsd[book.factors.ofAsset('BTC' as Asset)!]!;
  const before = world.look();
  const [halfUsd, tradedUsd] = [coinOf(before), before.tradedUsd];
  // Ten contracts of a tenth of a coin.
  expect(halfUsd).toBeCloseTo(50_000, 6);
  world.deltas[call.id] = 0.9;
  const after = world.look(1_000);
  expect(coinOf(after)).toBeCloseTo(90_000, 6);
  expect(after.tradedUsd).toBeCloseTo(tradedUsd, 6);
  const asked = askedOf([[call, 'buy', 10_000]]);
  const entries = new PlanEntries();
  after.factors.addPlan(asked, entries);
  expect(entries.deltaUsd[0]).toBeCloseTo(9_000, 6);
});
