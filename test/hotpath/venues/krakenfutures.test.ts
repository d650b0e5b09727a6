import { describe, expect, it } from 'vitest';
import { krakenfutures } from '#hotpath/venues/krakenfutures.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import { APPLIED, BROKEN, IGNORED } from '#shared/domain/market-event.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { MarketRig, refusalOf } from '#test/support/venue-fixture.ts';

const FIRST = 0 as InstrumentIndex;
const [futures] = krakenfutures.markets;
const rigOf = (): MarketRig =>
  new MarketRig(
    futures!,
    ['PF_XBTUSD', 'PF_ETHUSD'].map((symbol) => instrumentOf('krakenfutures', 'futures', symbol)),
  );
const snapshot = { feed: 'book_snapshot', product_id: 'PF_XBTUSD', timestamp: 5, seq: 100, tickSize: null };
const whole = { ...snapshot, bids: [{ price: 99.5, qty: 1 }], asks: [{ price: 101, qty: 1.25 }] };
const delta = { feed: 'book', product_id: 'PF_XBTUSD', side: 'sell', seq: 101, price: 100.5, qty: 2, timestamp: 6 };
const step = (frame: object) => ({ frame: JSON.stringify(frame) });
const opened = (): MarketRig => {
  const rig = rigOf();
  rig.take(step(whole));
  return rig;
};

describe('krakenfutures continuity', () => {
  it.each([
    ['the next', 101, APPLIED],
    ['one too far', 102, BROKEN],
    ['one again', 100, BROKEN],
  ])('takes %s', (_name, seq, outcome) => {
    expect(opened().take(step({ ...delta, seq }))?.outcome).toBe(outcome);
  });

  it('counts each product for itself', () => {
    const rig = opened();
    expect(rig.take(step({ ...whole, product_id: 'PF_ETHUSD', seq: 7 }))?.outcome).toBe(APPLIED);
    expect(rig.take(step(delta))?.outcome).toBe(APPLIED);
    expect(rig.take(step({ ...delta, product_id: 'PF_ETHUSD', seq: 8 }))?.outcome).toBe(APPLIED);
  });

  it('takes nothing before a snapshot', () => {
    expect(rigOf().take(step(delta))?.outcome).toBe(IGNORED);
  });
});

describe('krakenfutures frames', () => {
  it('change one level of one side', () => {
    const rig = opened();
    const { bids, asks } = rig.take(step(delta))!.update;
    expect([bids.count, asks.count, asks.prices[0], asks.qtys[0]]).toEqual([0, 1, 100.5, 2]);
    expect(rig.store.tops.ask[FIRST]).toBe(100.5);
    rig.take(step({ ...delta, seq: 102, qty: 0 }));
    expect(rig.store.tops.ask[FIRST]).toBe(101);
    rig.take(step({ ...delta, seq: 103, side: 'buy', price: 1e2, qty: 1e-4 }));
    expect([rig.store.tops.bid[FIRST], rig.store.tops.bidQty[FIRST]]).toEqual([100, 0.0001]);
  });

  it('are read in whatever order', () => {
    const reversed = Object.fromEntries(Object.entries(delta).reverse());
    expect(opened().take(step(reversed))?.outcome).toBe(APPLIED);
  });

  it.each([
    ['no side', { ...delta, side: undefined }],
    ['an unknown side', { ...delta, side: 'both' }],
    ['no seq', { ...delta, seq: undefined }],
    ['no price', { ...delta, price: undefined }],
    ['a price of nothing', { ...delta, price: 0 }],
    ['a quantity below nothing', { ...delta, qty: -1 }],
    ['no product', { ...delta, product_id: undefined }],
    ['another feed’s fields', { ...delta, feed: 'book_snapshot' }],
    ['one side of a snapshot', { ...whole, asks: undefined }],
    ['a level without a price', { ...whole, asks: [{ qty: 1 }] }],
  ])('are refused with %s', (_name, frame) => {
    expect(refusalOf(() => rigOf().take(step(frame)))).toBeTypeOf('string');
  });

  it('of control are told by their kind', () => {
    const rig = rigOf();
    const said = [
      { event: 'info', version: 1 },
      { event: 'subscribed', feed: 'book', product_ids: ['PF_XBTUSD'] },
      { feed: 'book', event: 'unsubscribed', product_ids: ['PF_XBTUSD'] },
      { event: 'subscribed_failed', feed: 'book', product_ids: ['PF_NONE'] },
      { event: 'error', message: 'Invalid product id' },
      { event: 'alert', message: 'Bad request' },
      { feed: 'heartbeat', time: 1 },
      { feed: 'ticker', product_id: 'PF_XBTUSD', bid: 1 },
    ];
    for (const frame of said) expect(rig.take(step(frame))).toBeUndefined();
    expect(rig.controls).toEqual(['ack', 'ack', 'ack', 'error', 'error', 'error']);
  });
});
