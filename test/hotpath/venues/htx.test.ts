import { describe, expect, it } from 'vitest';
import { htx } from '#hotpath/venues/htx.ts';
import type { Market } from '#hotpath/venues/venue.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import { APPLIED, BROKEN, HELD, IGNORED } from '#shared/domain/market-event.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { MarketRig, refusalOf } from '#test/support/venue-fixture.ts';

const [spot, swap] = htx.markets as readonly [Market, Market];
const BOOK = 0 as InstrumentIndex;
const rigOf = (market: Market, symbol: string): MarketRig =>
  new MarketRig(market, [instrumentOf('htx', market.id, symbol)]);
const frameOf = (message: object) => ({ frame: JSON.stringify(message) });

const ch = 'market.btcusdt.mbp.150';
const update = (prevSeqNum: number, seqNum: number) =>
  frameOf({ ch, ts: 1, tick: { prevSeqNum, seqNum, bids: [[99, seqNum]], asks: [] } });
const reply = (seqNum: number) =>
  frameOf({ id: '1', rep: ch, status: 'ok', data: { seqNum, bids: [[99, 1]], asks: [[101, 1]] } });
const opened = (): MarketRig => {
  const rig = rigOf(spot, 'btcusdt');
  rig.take(reply(100));
  return rig;
};

describe('htx spot continuity', () => {
  it.each([
    ['the next', update(100, 107), APPLIED],
    ['what the snapshot holds', update(90, 100), IGNORED],
    ['one that begins inside the snapshot', update(95, 105), BROKEN],
    ['one too far', update(101, 103), BROKEN],
  ])('takes %s', (_name, frame, outcome) => {
    expect(opened().take(frame)?.outcome).toBe(outcome);
  });

  it('holds updates until a snapshot joins them', () => {
    const rig = rigOf(spot, 'btcusdt');
    expect(rig.take(update(103, 105))?.outcome).toBe(HELD);
    expect(rig.take(update(105, 108))?.outcome).toBe(HELD);
    expect(rig.take(reply(101))?.outcome).toBe(BROKEN);
    expect(rig.take(reply(105))?.outcome).toBe(APPLIED);
    expect(rig.store.lastSequence(BOOK)).toBe(108);
    expect(rig.store.tops.bidQty[0]).toBe(108);
  });

  it('takes each whole book of recordings in place of the one before', () => {
    const whole = (version: number, bid: number) =>
      frameOf({
        ch: 'market.btcusdt.depth.step0',
        ts: 1,
        tick: { bids: [[bid, 1]], asks: [[101, 1]], version, ts: 1 },
      });
    const rig = rigOf(spot, 'btcusdt');
    expect([whole(5, 99), whole(6, 98), whole(6, 97)].map((frame) => rig.take(frame)?.outcome)).toEqual([
      APPLIED,
      APPLIED,
      IGNORED,
    ]);
    expect(rig.store.tops.bid[0]).toBe(98);
  });
});

describe('htx swap continuity', () => {
  const topic = 'market.BTC-USDT.depth.size_20.high_freq';
  const tick = (event: string, version: number) =>
    frameOf({ ch: topic, tick: { asks: [[101, 1]], bids: [[99, version]], event, version, ts: 1 }, ts: 1 });

  it.each([
    ['the next', tick('update', 8), APPLIED],
    ['one again', tick('update', 7), IGNORED],
    ['one too far', tick('update', 9), BROKEN],
    ['a count that began anew', tick('update', 1), BROKEN],
    ['another snapshot', tick('snapshot', 30), APPLIED],
  ])('takes %s', (_name, frame, outcome) => {
    const rig = rigOf(swap, 'BTC-USDT');
    rig.take(tick('snapshot', 7));
    expect(rig.take(frame)?.outcome).toBe(outcome);
  });

  it.each([
    ['no event', { version: 8, bids: [], asks: [] }],
    ['an unknown event', { event: 'replace', version: 8, bids: [], asks: [] }],
    ['no version', { event: 'update', bids: [], asks: [] }],
    ['a one-sided snapshot', { event: 'snapshot', version: 8, bids: [] }],
  ])('refuses a book with %s', (_name, fields) => {
    expect(refusalOf(() => rigOf(swap, 'BTC-USDT').take(frameOf({ ch: topic, tick: fields })))).toBeTypeOf('string');
  });
});

describe('htx frames', () => {
  it.each([
    ['no book', { ch, ts: 1 }],
    ['half a sequence', { ch, tick: { seqNum: 1, bids: [], asks: [] } }],
    ['its book before its topic', { tick: { seqNum: 2, prevSeqNum: 1 }, ch }],
    ['a reply without a sequence', { rep: ch, data: { bids: [], asks: [] } }],
    ['a one-sided reply', { rep: ch, data: { seqNum: 1, asks: [] } }],
  ])('refuses one with %s', (_name, message) => {
    expect(refusalOf(() => rigOf(spot, 'btcusdt').take(frameOf(message)))).toBeTypeOf('string');
  });

  it('answers a ping with its own number', () => {
    expect(spot.heartbeat.kind === 'server-text' && spot.heartbeat.reply('{"ping":1790000000123}')).toBe(
      '{"pong":1790000000123}',
    );
  });

  it('tells control frames by their kind', () => {
    const rig = rigOf(spot, 'btcusdt');
    const said = [
      '{"ping":1}',
      '{"id":"1","status":"ok","subbed":"market.btcusdt.mbp.150","ts":1}',
      '{"id":"1","status":"ok","unsubbed":"market.btcusdt.mbp.150","ts":1}',
      '{"status":"error","ts":1,"err-code":"bad-request","err-msg":"x"}',
    ];
    for (const frame of said) expect(rig.take({ frame })).toBeUndefined();
    expect(rig.controls).toEqual(['ping', 'ack', 'ack', 'error']);
  });
});
