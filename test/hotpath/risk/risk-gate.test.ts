import { Decimal } from 'decimal.js';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '#shared/config/load.ts';
import type { OperationId, OpportunityId, RouteId, TimeNs } from '#shared/domain/ids.ts';
import type { DenyReason, Plan, PlanLeg } from '#shared/domain/trade.ts';
import type { Price, Qty } from '#shared/money/grid.ts';
import { amountOf } from '#shared/money/grid.ts';
import type { RiskBook, RiskSources } from '#hotpath/risk/risk-gate.ts';
import { RiskGate } from '#hotpath/risk/risk-gate.ts';
import { calm, calmBook } from '#test/support/calm.ts';
import { spot } from '#test/support/market.ts';

const limits = {
  ...loadConfig({ dir: 'config', env: {} }).risk,
  max_position_size_usd: 5_000,
  max_exposure_per_exchange: 8_000,
  max_exposure_per_asset_usd: 9_000,
  max_exposure_per_family_usd: 10_000,
  max_total_exposure_usd: 12_000,
  max_concentration: 0.5,
  max_leverage: 2,
  max_correlation_risk: 0.8,
  max_daily_loss_usd: 500,
  max_drawdown: 0.1,
  max_var: 700,
  max_expected_shortfall: 900,
  max_open_operations: 3,
  max_orders_per_second: 20,
  min_profit_margin_bps: 2,
  max_edge_bps: 100,
  max_slippage_bps: 50,
  max_execution_time_ms: 1_200,
  max_book_age_ms: 1_000,
  min_venue_health: 0.5,
  min_margin_ratio: 0.25,
  max_adl_rank: 0.8,
};
const instruments = [spot('a:BTC/USDT'), spot('b:BTC/USDT')];
const now = 0 as TimeNs;

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
const gate = (sources: Partial<RiskSources> = {}) => new RiskGate(limits, instruments, { ...calm, ...sources });
const book = (figures: Partial<RiskBook>): Partial<RiskSources> => ({ book: { ...calmBook, ...figures } });

/** What each reason needs to be the answer, and the same thing at its limit, which is still allowed. */
const denials: Readonly<
  Record<
    DenyReason,
    { readonly over: Partial<RiskSources>; readonly at?: Partial<RiskSources>; readonly plan?: Partial<Plan> }
  >
> = {
  TRADING_HALTED: { over: { tradingState: () => 'halted' } },
  TRADING_REDUCING: { over: { tradingState: () => 'reducing' } },
  ACCOUNT_UNVERIFIED: { over: { accountVerified: (venue) => venue !== 'b' } },
  VENUE_UNHEALTHY: { over: { venueHealth: (venue) => (venue === 'b' ? 0.49 : 1) }, at: { venueHealth: () => 0.5 } },
  BOOK_NOT_LIVE: { over: { bookStatus: (id) => (id === 'b:BTC/USDT' ? 'gap' : 'live') } },
  BOOK_TOO_OLD: { over: { bookAgeMs: (id) => (id === 'b:BTC/USDT' ? 1_001 : 0) }, at: { bookAgeMs: () => 1_000 } },
  EXECUTION_TIME_EXCEEDS_MAX: {
    over: { bookAgeMs: () => 1_000, roundTripMs: (venue) => (venue === 'b' ? 201 : 0) },
    at: { bookAgeMs: () => 1_000, roundTripMs: () => 200 },
  },
  RISK_UNKNOWN: { over: book({ ageMs: () => 5_001 }), at: book({ ageMs: () => 5_000 }) },
  EDGE_BELOW_MIN: { over: {}, plan: { netEdgeBps: 1.99 } },
  EDGE_ABNORMAL: { over: {}, plan: { netEdgeBps: 100.01 } },
  SLIPPAGE_EXCEEDS_MAX: {
    over: {},
    plan: { legs: [leg(0, 1_000), { ...leg(1, 1_000), expectedPrice: new Decimal(100.6) }] },
  },
  POSITION_EXCEEDS_MAX: { over: { positionUsd: () => -4_001 }, at: { positionUsd: () => 4_000 } },
  VENUE_EXPOSURE_EXCEEDS_MAX: {
    over: { exposureUsd: (venue) => (venue === 'b' ? 7_001 : 0) },
    at: { exposureUsd: () => 7_000 },
  },
  ASSET_EXPOSURE_EXCEEDS_MAX: {
    over: { assetExposureUsd: (asset) => (asset === 'BTC' ? 6_001 : 0), positionUsd: () => -1_000 },
    at: { assetExposureUsd: () => 6_000, positionUsd: () => -1_000 },
  },
  FAMILY_EXPOSURE_EXCEEDS_MAX: {
    over: { familyExposureUsd: (family) => (family === 'spatial' ? 8_001 : 0) },
    at: { familyExposureUsd: () => 8_000 },
  },
  TOTAL_EXPOSURE_EXCEEDS_MAX: { over: { totalExposureUsd: () => 10_001 }, at: { totalExposureUsd: () => 10_000 } },
  CONCENTRATION_EXCEEDS_MAX: {
    over: { ...book({ equityUsd: () => 15_999 }), assetExposureUsd: () => 6_000 },
    at: { ...book({ equityUsd: () => 16_000 }), assetExposureUsd: () => 6_000 },
  },
  LEVERAGE_EXCEEDS_MAX: {
    over: { ...book({ equityUsd: () => 5_999 }), totalExposureUsd: () => 10_000 },
    at: { ...book({ equityUsd: () => 6_000 }), totalExposureUsd: () => 10_000 },
  },
  CORRELATION_RISK_EXCEEDS_MAX: {
    over: book({ correlationRisk: () => 0.81 }),
    at: book({ correlationRisk: () => 0.8 }),
  },
  DAILY_LOSS_EXCEEDS_MAX: { over: { dailyPnlUsd: () => -500.01 }, at: { dailyPnlUsd: () => -500 } },
  DRAWDOWN_EXCEEDS_MAX: { over: book({ drawdown: () => 0.11 }), at: book({ drawdown: () => 0.1 }) },
  OPEN_OPERATIONS_EXCEED_MAX: { over: { openOperations: () => 3 }, at: { openOperations: () => 2 } },
  ORDER_RATE_EXCEEDS_MAX: { over: { recentOrders: () => 19 }, at: { recentOrders: () => 18 } },
  BALANCE_INSUFFICIENT: { over: { shortAccount: () => 'a USDT: wanted=1000, free=999' } },
  MARGIN_INSUFFICIENT: { over: { marginRatio: () => 0.24 }, at: { marginRatio: () => 0.25 } },
  INSTRUMENT_BUSY: { over: { busy: (id) => id === 'b:BTC/USDT' } },
  SELF_TRADE: { over: { meetsOwnOrder: ({ side }) => side === 'sell' } },
  ADL_RANK_EXCEEDS_MAX: { over: { adlRank: (id) => (id === 'b:BTC/USDT' ? 0.81 : 0) }, at: { adlRank: () => 0.8 } },
  BRIDGE_NOT_TRADED: {
    over: {},
    plan: { bond: { units: new Decimal(1), perUnit: [], intent: 'enter', isBridged: true } },
  },
  VAR_EXCEEDS_MAX: { over: book({ varUsdWith: () => 701 }), at: book({ varUsdWith: () => 700 }) },
  EXPECTED_SHORTFALL_EXCEEDS_MAX: {
    over: book({ shortfallUsdWith: () => 901 }),
    at: book({ shortfallUsdWith: () => 900 }),
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
    expect(verdict.kind === 'denied' && verdict.detail).toMatch(/^[a-z_]+=.+(, limit=.+)?$/);
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
      // What two of them set is the earlier one's.
      const sources = Object.assign({}, ...later.map((name) => denials[name].over).reverse()) as Partial<RiskSources>;
      const changed = Object.assign({}, ...later.map((name) => denials[name].plan ?? {}).reverse()) as Partial<Plan>;
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
      { marginRatio: () => NaN },
      ...(['ageMs', 'equityUsd', 'drawdown', 'correlationRisk', 'varUsdWith', 'shortfallUsdWith'] as const).map(
        (name) => book({ [name]: () => NaN }),
      ),
    ]) {
      expect(gate(sources).approve(plan, now).kind).toBe('denied');
    }
  });

  it('holds no exit back by what limits entries, but by what makes any order unsafe', () => {
    const bond = { units: new Decimal(1), perUnit: [new Decimal(1), new Decimal(1)] };
    const exit: Plan = { ...plan, netEdgeBps: -50, bond: { ...bond, intent: 'exit', holding: plan.operation } };
    const unsafe: DenyReason[] = [
      'TRADING_HALTED',
      'ACCOUNT_UNVERIFIED',
      'VENUE_UNHEALTHY',
      'BOOK_NOT_LIVE',
      'BOOK_TOO_OLD',
      'INSTRUMENT_BUSY',
      'SELF_TRADE',
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

  it('shares out what is over equity: nothing is left to lose where there is none', () => {
    for (const equityUsd of [0, -1])
      expect(gate(book({ equityUsd: () => equityUsd })).approve(plan, now)).toMatchObject({
        reason: 'CONCENTRATION_EXCEEDS_MAX',
      });
  });

  it('asks of a sale that nobody expects less for, and of a purchase below what is expected, no slippage', () => {
    const better = { ...plan, legs: [{ ...leg(0, 1_000), expectedPrice: new Decimal(200) }] };
    expect(gate().checksOf(better, now)()).toContainEqual({
      name: 'slippage_bps',
      value: '0',
      limit: '50',
      passed: true,
    });
  });

  it('takes other limits at run time, and keeps the rest', () => {
    const changed = gate();
    changed.setLimits({ min_profit_margin_bps: 10.5 });
    expect(changed.approve(plan, now)).toMatchObject({
      reason: 'EDGE_BELOW_MIN',
      detail: 'net_edge_bps=10, limit=10.5',
    });
    expect(changed.limits).toEqual({ ...limits, min_profit_margin_bps: 10.5 });
  });

  it('leaves the abnormal edge to others where its limit is 0', () => {
    const open = gate();
    open.setLimits({ max_edge_bps: 0 });
    expect(open.approve({ ...plan, netEdgeBps: 1e6 }, now).kind).toBe('approved');
  });

  it('holds a person’s order back by what concerns any order, and one that reduces by what makes it unsafe', () => {
    const order = { leg: leg(1, 2_000), rates: plan.rates, reduces: false };
    expect(gate().denialOf(order, now)).toBeUndefined();
    const asked = reasons.filter((reason) => gate(denials[reason].over).denialOf(order, now)?.reason === reason);
    expect(asked).toEqual([
      'TRADING_HALTED',
      'TRADING_REDUCING',
      'ACCOUNT_UNVERIFIED',
      'VENUE_UNHEALTHY',
      'POSITION_EXCEEDS_MAX',
      'VENUE_EXPOSURE_EXCEEDS_MAX',
      'ASSET_EXPOSURE_EXCEEDS_MAX',
      'TOTAL_EXPOSURE_EXCEEDS_MAX',
      'CONCENTRATION_EXCEEDS_MAX',
      'LEVERAGE_EXCEEDS_MAX',
      'DAILY_LOSS_EXCEEDS_MAX',
      'DRAWDOWN_EXCEEDS_MAX',
      'ADL_RANK_EXCEEDS_MAX',
    ]);
    const reducing = reasons.filter(
      (reason) => gate(denials[reason].over).denialOf({ ...order, reduces: true }, now) !== undefined,
    );
    expect(reducing).toEqual(['TRADING_HALTED', 'ACCOUNT_UNVERIFIED', 'VENUE_UNHEALTHY']);
  });

  it('counts an option as what underlies it, whatever its premium', () => {
    const option = { ...instruments[0]!, kind: 'option' as const, contractSize: new Decimal(2) };
    const sold = { ...leg(0, 5), qty: new Decimal(30) as Qty };
    const verdict = new RiskGate(limits, [option], calm).approve({ ...plan, legs: [sold] }, now);
    // 30 × 2 coins at 100.
    expect(verdict).toMatchObject({ reason: 'POSITION_EXCEEDS_MAX', detail: 'position_usd=6000, limit=5000' });
  });

  it('tells of a plan that it approved what it found then, whatever has changed since', () => {
    const state = { ageMs: 900, tradingState: 'active' as 'active' | 'halted' };
    const changing = gate({ bookAgeMs: () => state.ageMs, tradingState: () => state.tradingState });
    const fresh = gate({ bookAgeMs: () => 900 }).checksOf(plan, now)();
    expect(changing.approve(plan, now).kind).toBe('approved');
    Object.assign(state, { ageMs: 5_000, tradingState: 'halted' });
    const found = changing.checksOf(plan, now);
    changing.approve({ ...plan, netEdgeBps: 77 }, now);
    expect(found()).toEqual(fresh);
    expect(found().every(({ passed }) => passed)).toBe(true);
  });

  it('asks anew about a plan that it denied, that it was asked about at another time, or under other limits', () => {
    let ageMs = 900;
    const changing = gate({ bookAgeMs: () => ageMs });
    const ageFound = (at = now): string | undefined =>
      changing
        .checksOf(plan, at)()
        .find(({ name }) => name === 'book_age_ms')?.value;
    changing.approve(plan, now);
    ageMs = 950;
    expect([ageFound(), ageFound((now + 1) as TimeNs)]).toEqual(['900', '950']);
    changing.approve(plan, now);
    changing.setLimits({ max_slippage_bps: 49 });
    ageMs = 960;
    expect(ageFound()).toBe('960');
    ageMs = 1_100;
    expect(changing.approve(plan, now).kind).toBe('denied');
    ageMs = 970;
    expect(ageFound()).toBe('970');
  });

  it('tells every check with what it found, failed or not', () => {
    const checks = gate({ bookAgeMs: () => 1_100 }).checksOf(plan, now)();
    expect(checks).toHaveLength(reasons.length);
    expect(checks.filter(({ passed }) => !passed)).toEqual([
      { name: 'book_age_ms', value: '1100', limit: '1000', passed: false },
    ]);
  });
});
