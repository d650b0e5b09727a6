import { describe, expect, it } from 'vitest';
import type { Pace } from '#shared/domain/capital.ts';
import type { InstrumentId, InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { Config } from '#shared/schema/config.ts';
import type { WalkedLeg } from '#hotpath/size/fill-model.ts';
import type { Candidate } from '#hotpath/size/filters.ts';
import { Filters } from '#hotpath/size/filters.ts';

type Settings = Config['engine']['filters'];

const OFF: Settings = {
  max_edge_bps: 0,
  max_edge_bps_by_family: {},
  min_level_age_ms: 0,
  min_lifetime_ms: 0,
  max_clock_uncertainty_ms: 0,
  max_skew_ms: 0,
};
const ms = (milliseconds: number): TimeNs => (milliseconds * 1e6) as TimeNs;

const leg = (changes: Partial<WalkedLeg> = {}): WalkedLeg => ({
  id: 'a:BTC/USDT' as InstrumentId,
  instrument: 0 as InstrumentIndex,
  side: 'buy',
  qty: 3,
  averagePrice: 100.2,
  worstPrice: 100.5,
  limit: 101,
  ageMs: 10,
  prices: Float64Array.of(100, 100.5, 101),
  qtys: Float64Array.of(2, 4, 5),
  levels: 3,
  ...changes,
});

const candidate = (changes: Partial<Candidate> = {}): Candidate => ({
  route: 0,
  family: 'spatial',
  netEdge: 0.02,
  legs: [leg(), leg({ id: 'b:BTC/USDT' as InstrumentId, instrument: 1 as InstrumentIndex, ageMs: 400 })],
  nowNs: ms(0),
  ...changes,
});

function filters(settings: Partial<Settings>, pace: Partial<Pace> = {}): Filters {
  const still: Pace = {
    volatilityOf: () => 1e-4,
    roundTripMsOf: () => 10,
    clockJitterMsOf: () => NaN,
    standingShareOf: () => 1,
  };
  return new Filters({ filters: { ...OFF, ...settings }, displayed_fraction: 0.5 }, { ...still, ...pace }, 2);
}

describe('a filter that is off', () => {
  it('holds nothing back', () => {
    const strange = { clockJitterMsOf: () => 1e6, standingShareOf: () => 0 };
    expect(filters({}, strange).refusalOf(candidate({ netEdge: 100 }))).toBeUndefined();
  });
});

describe('the guard against abnormal profit', () => {
  it('holds back what is better than the most that is believed', () => {
    const guarded = filters({ max_edge_bps: 150 });
    expect(guarded.refusalOf(candidate({ netEdge: 0.015 }))).toBeUndefined();
    expect(guarded.refusalOf(candidate({ netEdge: 0.0151 }))).toEqual({
      reason: 'EDGE_ABNORMAL',
      detail: 'net_edge_bps=151.00, max=150',
    });
  });

  it('believes a family more, less or anything where that is said', () => {
    const guarded = filters({ max_edge_bps: 150, max_edge_bps_by_family: { box: 900, surface: 0, cycle: 20 } });
    expect(guarded.refusalOf(candidate({ family: 'box' }))).toBeUndefined();
    expect(guarded.refusalOf(candidate({ family: 'surface', netEdge: 5 }))).toBeUndefined();
    expect(guarded.refusalOf(candidate({ family: 'cycle', netEdge: 0.003 }))?.reason).toBe('EDGE_ABNORMAL');
  });
});

describe('the guard against uncertain clocks', () => {
  it('holds back where travel times vary too much, and not where nobody knows', () => {
    const jitter = (of: number): Filters =>
      filters({ max_clock_uncertainty_ms: 50 }, { clockJitterMsOf: (instrument) => (instrument === 1 ? of : NaN) });
    expect(jitter(NaN).refusalOf(candidate())).toBeUndefined();
    expect(jitter(50).refusalOf(candidate())).toBeUndefined();
    expect(jitter(50.04).refusalOf(candidate())).toEqual({
      reason: 'CLOCKS_UNCERTAIN',
      detail: 'instrument=b:BTC/USDT, jitter_ms=50.0, max=50',
    });
  });

  it('holds back books that were true at times too far apart', () => {
    expect(filters({ max_skew_ms: 390 }).refusalOf(candidate())).toBeUndefined();
    expect(filters({ max_skew_ms: 389 }).refusalOf(candidate())).toEqual({
      reason: 'CLOCKS_UNCERTAIN',
      detail: 'skew_ms=390.0, max=389',
    });
  });
});

describe('the least lifetime', () => {
  it('counts from when the route was first seen to pay', () => {
    const patient = filters({ min_lifetime_ms: 200 });
    for (const at of [0, 100, 199]) {
      patient.seen(0, ms(at));
      expect(patient.refusalOf(candidate({ nowNs: ms(at) }))).toEqual({
        reason: 'LIFETIME_TOO_SHORT',
        detail: `lifetime_ms=${at.toFixed(1)}, min=200`,
      });
    }
    patient.seen(0, ms(200));
    expect(patient.refusalOf(candidate({ nowNs: ms(200) }))).toBeUndefined();
  });

  it('begins anew once the route has not been seen for a second, and is each route’s own', () => {
    const patient = filters({ min_lifetime_ms: 200 });
    patient.seen(0, ms(0));
    patient.seen(0, ms(1_000));
    expect(patient.refusalOf(candidate({ nowNs: ms(1_000) }))).toBeUndefined();
    patient.seen(1, ms(1_000));
    expect(patient.refusalOf(candidate({ route: 1, nowNs: ms(1_000) }))?.reason).toBe('LIFETIME_TOO_SHORT');
    patient.seen(0, ms(2_001));
    expect(patient.refusalOf(candidate({ nowNs: ms(2_001) }))?.reason).toBe('LIFETIME_TOO_SHORT');
  });
});

describe('the guard against phantom liquidity', () => {
  const watched = (shares: Readonly<Record<number, number>>): Filters =>
    filters({ min_level_age_ms: 100 }, { standingShareOf: (_instrument, _side, price) => shares[price] ?? 1 });

  it('wants the size carried by what has stood, down to the worst level that is needed', () => {
    // Half of 2 + 4 may be taken: all of it must stand for 3.
    expect(watched({}).refusalOf(candidate())).toBeUndefined();
    expect(watched({ 101: 0 }).refusalOf(candidate())).toBeUndefined();
    expect(watched({ 100.5: 0.5 }).refusalOf(candidate())).toEqual({
      reason: 'LEVEL_TOO_YOUNG',
      detail: 'instrument=a:BTC/USDT, standing_share=0.667, min_age_ms=100',
    });
  });

  it('leaves a smaller size to the levels that stand', () => {
    const small = { legs: [leg({ qty: 1, worstPrice: 100 })] };
    expect(watched({ 100.5: 0 }).refusalOf(candidate(small))).toBeUndefined();
    expect(watched({ 100: 0.9 }).refusalOf(candidate(small))?.reason).toBe('LEVEL_TOO_YOUNG');
  });

  it('asks for the side that the leg takes from', () => {
    const asked: string[] = [];
    const watching = filters(
      { min_level_age_ms: 100 },
      {
        standingShareOf: (instrument, side, price) => {
          asked.push(`${instrument} ${side} ${price}`);
          return 1;
        },
      },
    );
    const sale = leg({ side: 'sell', prices: Float64Array.of(100, 99), levels: 2, worstPrice: 99.5, qty: 1 });
    expect(watching.refusalOf(candidate({ legs: [sale] }))).toBeUndefined();
    expect(asked).toEqual(['0 sell 100']);
  });
});
