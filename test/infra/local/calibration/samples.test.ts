import { describe, expect, it } from 'vitest';
import type { EngineEvent, EventData, EventKind, LegFill } from '#shared/schema/event.ts';
import { samplesFrom } from '#local/calibration/samples.ts';
import { opportunityData, operationData } from '#test/functions/support/events.ts';

const facts: LegFill = {
  age_ms: '3',
  round_trip_ms: '10',
  volatility: '0.0002',
  share: '0.25',
  displayed: '24000',
  cushion: '0.001',
};
const opportunity = (over: Partial<EventData<'opportunity'>> = {}): EventData<'opportunity'> => {
  const { legs, ...data } = opportunityData('opp-1', {
    status: 'executed',
    operation: 'op-1',
    improvement: '0.5',
    ...over,
  });
  return { ...data, legs: legs.map((leg) => ({ ...leg, fill: facts })) };
};
const operation = (over: Partial<EventData<'operation'>> = {}): EventData<'operation'> =>
  operationData('op-1', { pnl: { realised: '6.25', fees: '1' }, rates: { BTC: '60000', USDT: '2' }, ...over });
const order = (leg: number, status: EventData<'order'>['status'], attempt = 0): EventData<'order'> => ({
  client_order_id: `o${leg}${attempt}`,
  operation: 'op-1',
  leg,
  attempt,
  purpose: attempt === 0 ? 'leg' : 'complete',
  instrument: 'binance:BTC/USDT',
  side: 'buy',
  type: 'limit',
  time_in_force: 'IOC',
  price: '60000.10',
  qty: '0.10',
  filled_qty: '0',
  status,
});

function event<K extends EventKind>(kind: K, data: EventData<K>): EngineEvent {
  return { v: 1, engine: 'engine-1', seq: 1, at: '1', key: 'k', kind, data } as EngineEvent;
}

describe('the plans of a journal', () => {
  it('are what their chance was reckoned from, which legs filled at once, and what they brought in the numeraire', () => {
    const [sample, ...others] = samplesFrom([
      event('opportunity', opportunity({ last_seen: '5000000' })),
      event('order', order(0, 'submitted')),
      event('order', order(1, 'submitted')),
      event('order', order(0, 'filled')),
      event('order', order(1, 'expired')),
      event('order', order(1, 'filled', 1)),
      event('operation', operation()),
      // What is told when the lifetime ends is of another moment.
      event('opportunity', opportunity({ fill_probability: '0.1' })),
    ]);
    expect(others).toEqual([]);
    expect(sample).toEqual({
      family: 'spatial',
      plannedMs: 5,
      legs: [true, false].map((filled) => ({
        facts: { ageMs: 3, roundTripMs: 10, volatility: 0.0002, share: 0.25, displayed: 24_000, cushion: 0.001 },
        filled,
      })),
      fillProbability: 0.96,
      allFilled: false,
      expectedValue: 13.8,
      expectedProfit: 8.5,
      unwindCost: 9,
      realised: 6.25,
    });
  });

  it('are only those that were sent and have ended', () => {
    const open = operationData('op-1', { state: 'executing' });
    const sent = [event('order', order(0, 'filled')), event('order', order(1, 'filled'))];
    expect(samplesFrom([event('opportunity', opportunity()), ...sent, event('operation', open)])).toEqual([]);
    expect(samplesFrom([event('opportunity', opportunity()), event('operation', operation())])).toEqual([]);
    expect(samplesFrom([event('opportunity', opportunityData('opp-1')), ...sent])).toEqual([]);
  });

  it('have brought nothing yet where something is held', () => {
    const bond = { asset: 'USDT', units: '1', per_unit: ['1', '1'], intent: 'enter', carry: '0' } as const;
    const [sample] = samplesFrom([
      event('opportunity', opportunity()),
      event('order', order(0, 'filled')),
      event('order', order(1, 'filled')),
      event('operation', operation({ bond: { ...bond, per_unit: [...bond.per_unit] } })),
    ]);
    expect(sample).toMatchObject({ allFilled: true, realised: undefined });
  });
});
