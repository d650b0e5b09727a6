import { describe, expect, it } from 'vitest';
import { bybit } from '#hotpath/venues/bybit.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import { APPLIED, BROKEN, SNAPSHOT } from '#shared/domain/market-event.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { MarketRig, refusalOf } from '#test/support/venue-fixture.ts';

const FIRST = 0 as InstrumentIndex;
const [spot, linear, inverse] = bybit.markets;
const rigOf = (): MarketRig => new MarketRig(linear!, [instrumentOf('bybit', 'linear', 'BTCUSDT')]);
const frameOf = (type: string, data: object, rest: object = { ts: 1_790_000_000_007, cts: 1_790_000_000_004 }) => ({
  frame: JSON.stringify({
    topic: 'orderbook.50.BTCUSDT',
    type,
    ...rest,
    data: { s: 'BTCUSDT', b: [], a: [], ...data },
  }),
});
const opened = (): MarketRig => {
  const rig = rigOf();
  rig.take(frameOf('snapshot', { b: [['99', '1']], a: [['101', '1']], u: 100 }));
  return rig;
};

describe('bybit continuity', () => {
  it.each([
    ['the next', 'delta', 101, APPLIED],
    ['a new snapshot, whatever its u', 'snapshot', 7, APPLIED],
    ['a restart of the service', 'delta', 1, APPLIED],
    ['one too far', 'delta', 102, BROKEN],
    ['one again', 'delta', 100, BROKEN],
    ['an older one', 'delta', 50, BROKEN],
  ])('takes %s', (_name, type, u, outcome) => {
    const levels = { b: [['98', '1']], a: [['102', '1']] };
    expect(opened().take(frameOf(type, { ...levels, u }))?.outcome).toBe(outcome);
  });

  it('replaces the book after a restart, and goes on from there', () => {
    const rig = opened();
    const restart = rig.take(frameOf('delta', { b: [['90', '1']], a: [['110', '1']], u: 1 }));
    expect(restart?.update.kind).toBe(SNAPSHOT);
    expect([rig.store.tops.bid[FIRST], rig.store.tops.ask[FIRST]]).toEqual([90, 110]);
    expect(rig.take(frameOf('delta', { u: 2 }))?.outcome).toBe(APPLIED);
    expect(rig.store.lastSequence(FIRST)).toBe(2);
  });
});

describe('bybit frames', () => {
  it.each([
    ['the engine’s time, before or after the data', { ts: 7, cts: 4 }, 4],
    ['the engine’s time, named first', { cts: 4, ts: 7 }, 4],
    ['the gateway’s time where there is no other', { ts: 7 }, 7],
    ['no time', {}, NaN],
  ])('carry %s', (_name, times, venueTimeMs) => {
    expect(rigOf().take(frameOf('snapshot', { u: 5 }, times))?.update.venueTimeMs).toBe(venueTimeMs);
  });

  it.each([
    ['no type', { topic: 'orderbook.50.BTCUSDT', data: { s: 'BTCUSDT', b: [], a: [], u: 5 } }],
    ['an unknown type', { topic: 'orderbook.50.BTCUSDT', type: 'whole', data: {} }],
    ['no data', { topic: 'orderbook.50.BTCUSDT', type: 'delta' }],
    ['no u', { topic: 'orderbook.50.BTCUSDT', type: 'delta', data: { s: 'BTCUSDT', b: [], a: [] } }],
    ['one side', { topic: 'orderbook.50.BTCUSDT', type: 'delta', data: { s: 'BTCUSDT', b: [], u: 5 } }],
    ['no symbol', { topic: 'orderbook.50.BTCUSDT', type: 'delta', data: { b: [], a: [], u: 5 } }],
    ['a broken u', { topic: 'orderbook.50.BTCUSDT', type: 'delta', data: { s: 'BTCUSDT', b: [], a: [], u: 5.5 } }],
  ])('are refused with %s', (_name, frame) => {
    expect(refusalOf(() => rigOf().take({ frame: JSON.stringify(frame) }))).toBeTypeOf('string');
  });

  it('of other topics are passed over', () => {
    const rig = rigOf();
    for (const topic of ['kline.5.BTCUSDT', 'allLiquidation.BTCUSDT', 'order', 'orderbook']) {
      expect(
        rig.take({ frame: JSON.stringify({ topic, type: 'snapshot', ts: 1, data: [{ s: 'BTCUSDT' }] }) }),
      ).toBeUndefined();
    }
    expect(rig.controls).toEqual([]);
  });

  it('of control are told by their kind', () => {
    const rig = rigOf();
    const said = [
      { success: true, ret_msg: '', conn_id: 'c', req_id: '1', op: 'subscribe' },
      { success: true, conn_id: 'c', data: { failTopics: [], successTopics: ['x'] }, type: 'COMMAND_RESP' },
      { success: true, ret_msg: 'pong', conn_id: 'c', req_id: '', op: 'ping' },
      { req_id: 'x', op: 'pong', args: ['1'], conn_id: 'c' },
      { success: false, ret_msg: 'error:handler not found', conn_id: 'c', op: 'subscribe' },
      { success: false, ret_msg: 'pong', op: 'ping' },
    ];
    for (const frame of said) rig.take({ frame: JSON.stringify(frame) });
    expect(rig.controls).toEqual(['ack', 'ack', 'pong', 'pong', 'error', 'error']);
  });
});

describe('bybit subscriptions', () => {
  it('hold ten topics a request on spot, a hundred elsewhere', () => {
    const symbols = Array.from({ length: 25 }, (_, at) => `C${at}USDT`);
    const sizes = [spot!, linear!, inverse!].map((market) =>
      market
        .subscribe(symbols, 3)
        .map((text) => (JSON.parse(text) as { readonly args: readonly string[] }).args.length),
    );
    expect(sizes).toEqual([[10, 10, 5], [25], [25]]);
    expect(linear!.unsubscribe?.(['BTCUSDT'], 3)).toEqual([
      '{"req_id":"300","op":"unsubscribe","args":["orderbook.50.BTCUSDT"]}',
    ]);
  });
});
