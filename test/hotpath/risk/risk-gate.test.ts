import { Decimal } from 'decimal.js';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '#shared/config/load.ts';
import type { OperationId, OpportunityId, RouteId, TimeNs } from '#shared/domain/ids.ts';
import type { DenyReason, Plan, PlanLeg } from '#shared/domain/trade.ts';
import type { Price, Qty } from '#shared/money/grid.ts';
import { amountOf } from '#shared/money/grid.ts';
import type { RiskSources } from '#hotpath/risk/risk-gate.ts';
import { riskGate } from '#hotpath/risk/risk-gate.ts';
import { spot } from '#test/support/market.ts';

const limits = {
  ...loadConfig({ dir: 'config', env: {} }).risk,
  max_position_size_usd: 5_000,
  max_exposure_per_exchange: 8_000,
  max_total_exposure_usd: 12_000,
  max_daily_loss_usd: 500,
  max_open_operations: 3,
  min_profit_margin_bps: 2,
  max_book_age_ms: 1_000,
  min_venue_health: 0.5,
};
const instruments = [spot('a:BTC/USDT'), spot('b:BTC/USDT')];
const now = 0 as TimeNs;

const calm: RiskSources = {
  tradingState: () => 'active',
  venueHealth: () => 1,
  bookStatus: () => 'live',
  bookAgeMs: () => 10,
  positionUsd: () => 0,
  exposureUsd: () => 0,
  totalExposureUsd: () => 0,
  dailyPnlUsd: () => 0,
  openOperations: () => 0,
  busy: () => false,
};

const leg = (at: number, notional: number): PlanLeg => ({
  instrument: instruments[at]!.id,
  side: at === 0 ? 'buy' : 'sell',
  price: new Decimal(100) as Price,
  qty: new Decimal(notional / 100) as Qty,
  expectedPrice: new Decimal(100),
  notional: amountOf(notional),
});
const plan: Plan = {
  operation: 'op-1' as OperationId,
  opportunity: 'o-1' as OpportunityId,
  route: 'spatial:a:BTC/USDT>b:BTC/USDT' as RouteId,
  family: 'spatial',
  asset: instruments[0]!.quote,
  legs: [leg(0, 1_000), leg(1, 1_000)],
  notional: amountOf(1_000),
  expectedProfit: amountOf(1),
  netEdgeBps: 10,
  expectedValue: amountOf(1),
  fillProbability: 1,
  oldestBookAgeMs: 10,
  rates: { BTC: new Decimal(100), USDT: new Decimal(1) },
  plannedTimeNs: now,
  expectedCarry: amountOf(0),
};
const gate = (sources: Partial<RiskSources> = {}) => riskGate(limits, instruments, { ...calm, ...sources });

/** What each reason needs to be the answer, and the same thing at its limit, which is still allowed. */
const denials: Readonly<
  Record<
    DenyReason,
    { readonly over: Partial<RiskSources>; readonly at?: Partial<RiskSources>; readonly plan?: Partial<Plan> }
  >
> = {
  TRADING_HALTED: { over: { tradingState: () => 'halted' } },
  TRADING_REDUCING: { over: { tradingState: () => 'reducing' } },
  VENUE_UNHEALTHY: { over: { venueHealth: (venue) => (venue === 'b' ? 0.49 : 1) }, at: { venueHealth: () => 0.5 } },
  BOOK_NOT_LIVE: { over: { bookStatus: (id) => (id === 'b:BTC/USDT' ? 'gap' : 'live') } },
  BOOK_TOO_OLD: { over: { bookAgeMs: (id) => (id === 'b:BTC/USDT' ? 1_001 : 0) }, at: { bookAgeMs: () => 1_000 } },
  EDGE_BELOW_MIN: { over: {}, plan: { netEdgeBps: 1.99 } },
  POSITION_EXCEEDS_MAX: { over: { positionUsd: () => -4_001 }, at: { positionUsd: () => 4_000 } },
  VENUE_EXPOSURE_EXCEEDS_MAX: {
    over: { exposureUsd: (venue) => (venue === 'b' ? 7_001 : 0) },
    at: { exposureUsd: () => 7_000 },
  },
  TOTAL_EXPOSURE_EXCEEDS_MAX: { over: { totalExposureUsd: () => 10_001 }, at: { totalExposureUsd: () => 10_000 } },
  DAILY_LOSS_EXCEEDS_MAX: { over: { dailyPnlUsd: () => -500.01 }, at: { dailyPnlUsd: () => -500 } },
  OPEN_OPERATIONS_EXCEED_MAX: { over: { openOperations: () => 3 }, at: { openOperations: () => 2 } },
  INSTRUMENT_BUSY: { over: { busy: (id) => id === 'b:BTC/USDT' } },
  BRIDGE_NOT_TRADED: {
    over: {},
    plan: { bond: { units: new Decimal(1), perUnit: [], intent: 'enter', isBridged: true } },
  },
};
const reasons = Object.keys(denials) as DenyReason[];

describe('the risk gate', () => {
  it('approves a plan that breaks no limit, as it is', () => {
    expect(gate().approve(plan, now)).toEqual({ kind: 'approved', plan });
  });

  it.each(reasons)('denies with %s', (reason) => {
    const { over, plan: changed = {} } = denials[reason];
    const verdict = gate(over).approve({ ...plan, ...changed }, now);
    expect(verdict).toMatchObject({ kind: 'denied', reason });
    expect(verdict.kind === 'denied' && verdict.detail).toMatch(/^[a-z_]+=[^,]+(, limit=.+)?$/);
  });

  it.each(reasons.filter((reason) => denials[reason].at !== undefined))(
    'still allows what %s limits, at the limit',
    (reason) => {
      expect(gate(denials[reason].at).approve(plan, now).kind).toBe('approved');
    },
  );

  it('answers with the first check that fails, in the order of the list', () => {
    for (const [at, reason] of reasons.entries()) {
      const later = reasons.slice(at);
      // Both trading states cannot hold at once.
      const sources = Object.assign({}, ...later.map((name) => denials[name].over).reverse()) as Partial<RiskSources>;
      const changed = Object.assign({}, ...later.map((name) => denials[name].plan ?? {})) as Partial<Plan>;
      const verdict = gate(sources).approve({ ...plan, ...changed }, now);
      expect(verdict).toMatchObject({ kind: 'denied', reason });
    }
  });

  it('adds up what one plan puts on the same venue', () => {
    const twice = { ...plan, legs: [leg(0, 4_500), leg(0, 4_500)] };
    expect(gate().approve(twice, now)).toMatchObject({ reason: 'VENUE_EXPOSURE_EXCEEDS_MAX' });
  });

  it('lets nothing pass that is not a number', () => {
    for (const sources of [
      { bookAgeMs: () => NaN },
      { venueHealth: () => NaN },
      { dailyPnlUsd: () => NaN },
      { totalExposureUsd: () => NaN },
    ]) {
      expect(gate(sources).approve(plan, now).kind).toBe('denied');
    }
  });

  it('holds no exit back by what limits entries, but by what makes any order unsafe', () => {
    const bond = { units: new Decimal(1), perUnit: [new Decimal(1), new Decimal(1)] };
    const exit: Plan = { ...plan, netEdgeBps: -50, bond: { ...bond, intent: 'exit', holding: plan.operation } };
    const unsafe: DenyReason[] = [
      'TRADING_HALTED',
      'VENUE_UNHEALTHY',
      'BOOK_NOT_LIVE',
      'BOOK_TOO_OLD',
      'INSTRUMENT_BUSY',
    ];
    for (const reason of reasons) {
      const verdict = gate(denials[reason].over).approve(exit, now);
      expect(verdict.kind === 'denied' ? verdict.reason : 'approved', reason).toBe(
        unsafe.includes(reason) ? reason : 'approved',
      );
    }
    const entry: Plan = { ...plan, bond: { ...bond, intent: 'enter' } };
    expect(gate({ tradingState: () => 'reducing' }).approve(entry, now)).toMatchObject({ reason: 'TRADING_REDUCING' });
  });

  it('counts an option as what underlies it, whatever its premium', () => {
    const option = { ...instruments[0]!, kind: 'option' as const, contractSize: new Decimal(2) };
    const sold = { ...leg(0, 5), qty: new Decimal(30) as Qty };
    const verdict = riskGate(limits, [option], calm).approve({ ...plan, legs: [sold] }, now);
    // 30 × 2 coins at 100.
    expect(verdict).toMatchObject({ reason: 'POSITION_EXCEEDS_MAX', detail: 'position_usd=6000, limit=5000' });
  });

  it('tells every check with what it found, failed or not', () => {
    const checks = gate({ bookAgeMs: () => 2_000 }).checksOf(plan, now);
    expect(checks).toHaveLength(reasons.length);
    expect(checks.filter(({ passed }) => !passed)).toEqual([
      { name: 'book_age_ms', value: '2000', limit: '1000', passed: false },
    ]);
  });
});
