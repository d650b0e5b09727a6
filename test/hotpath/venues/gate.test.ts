import { describe, expect, it } from 'vitest';
import { gate } from '#hotpath/venues/gate.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import { APPLIED, BROKEN, HELD, IGNORED } from '#shared/domain/market-event.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { MarketRig, refusalOf } from '#test/support/venue-fixture.ts';

const FIRST = 0 as InstrumentIndex;
const [spot, usdt] = gate.markets;
const [updates] = gate.recorded!;
const rigOf = (market = spot!): MarketRig => new MarketRig(market, [instrumentOf('gate', market.id, 'BTC_USDT')]);
const frameOf = (result: object, channel = 'spot.obu') => ({
  frame: JSON.stringify({ channel, result: { t: 1_790_000_000_000, s: 'ob.BTC_USDT.50', ...result }, event: 'update' }),
});
const opened = (): MarketRig => {
  const rig = rigOf();
  rig.take(frameOf({ full: true, u: 100, b: [['99', '1']], a: [['101', '1']] }));
  return rig;
};

describe('gate continuity', () => {
  it.each([
    ['the next', { U: 101, u: 101, b: [['98', '1']] }, APPLIED],
    ['a step over several ids', { U: 101, u: 130, a: [['102', '1']] }, APPLIED],
    ['a step of ids alone', { U: 101, u: 102 }, APPLIED],
    ['a full book, whatever its id', { full: true, u: 7, b: [['90', '1']], a: [['91', '1']] }, APPLIED],
    ['one too far', { U: 102, u: 103 }, BROKEN],
    ['one again', { U: 100, u: 100 }, BROKEN],
    ['one that overlaps', { U: 100, u: 101 }, BROKEN],
  ])('takes %s', (_name, result, outcome) => {
    expect(opened().take(frameOf(result))?.outcome).toBe(outcome);
  });

  it('goes on from the last id of a step', () => {
    const rig = opened();
    rig.take(frameOf({ full: false, U: 101, u: 130 }));
    expect(rig.take(frameOf({ U: 131, u: 131, b: [['100', '2']] }))?.outcome).toBe(APPLIED);
    expect(rig.store.tops.bid[FIRST]).toBe(100);
  });

  it('of order_book_update joins a snapshot by its id', () => {
    const rig = rigOf(updates);
    const told = (U: number, u: number) =>
      rig.take(frameOf({ s: 'BTC_USDT', U, u, b: [['98', '1']], a: [] }, 'spot.order_book_update'))?.outcome;
    expect([told(90, 95), told(96, 103)]).toEqual([HELD, HELD]);
    const body = { id: 100, asks: [['101', '1']], bids: [['99', '1']] };
    expect(rig.snapshot('BTC_USDT', Buffer.from(JSON.stringify(body)))?.outcome).toBe(APPLIED);
    expect(rig.store.statistics(FIRST)).toMatchObject({ deltas: 1, deltasDropped: 1 });
    expect([told(104, 104), told(104, 104), told(106, 106)]).toEqual([APPLIED, IGNORED, BROKEN]);
  });
});

describe('gate frames', () => {
  it('are read in whatever order', () => {
    const book = '{"b":[["99","1"]],"u":5,"a":[["101","1"]],"full":true,"s":"ob.BTC_USDT.400","t":1}';
    const rig = rigOf();
    const taken = [
      rig.take({ frame: `{"time":1,"channel":"spot.obu","event":"update","result":${book}}` }),
      rig.take({ frame: `{"event":"update","channel":"spot.obu","result":${book},"time_ms":2}` }),
    ];
    expect(taken.map((one) => one?.outcome)).toEqual([APPLIED, APPLIED]);
  });

  it.each([
    ['no u', { U: 101 }],
    ['no U', { u: 101 }],
    ['no symbol', { s: undefined, U: 101, u: 101 }],
    ['half a stream’s name', { s: 'ob.BTC_USDT', U: 101, u: 101 }],
    ['a level without a size', { U: 101, u: 101, b: [['99']] }],
  ])('are refused with %s', (_name, result) => {
    expect(refusalOf(() => rigOf().take(frameOf(result)))).toBeTypeOf('string');
  });

  it('are refused without a result', () => {
    expect(refusalOf(() => rigOf().take({ frame: '{"channel":"spot.obu","event":"update","result":null}' }))).toMatch(
      /not an update/,
    );
  });

  it('of the other market’s channels are passed over', () => {
    expect(rigOf(usdt).take(frameOf({ full: true, u: 7, b: [], a: [] }))).toBeUndefined();
    expect(rigOf(usdt).take(frameOf({ full: true, u: 7, b: [], a: [] }, 'futures.obu'))?.outcome).toBe(APPLIED);
  });

  it('of control are told by their kind', () => {
    const rig = rigOf();
    const said = [
      '{"time":1,"channel":"spot.obu","event":"subscribe","payload":["ob.BTC_USDT.50"],"result":{"status":"success"}}',
      '{"time":1,"channel":"spot.obu","event":"unsubscribe","error":null,"result":{"status":"success"}}',
      '{"channel":"spot.obu","event":"subscribe","error":{"code":2,"message":"Alert sub"},"result":{"status":"fail"}}',
      '{"channel":"spot.obu","event":"subscribe","result":null,"error":{"code":1,"message":"no"}}',
      '{"time":1,"channel":"spot.pong","event":"","result":null}',
      '{"time":1,"channel":"","event":"","error":{"code":1,"message":"request payload does not follow json schema"},"result":null}',
      '{"time":1,"channel":"spot.trades","event":"subscribe","result":{"status":"success"}}',
    ];
    for (const frame of said) expect(rig.take({ frame })).toBeUndefined();
    expect(rig.controls).toEqual(['ack', 'ack', 'error', 'error', 'pong', 'error', 'ack']);
  });
});

describe('gate subscriptions', () => {
  it('name one stream each', () => {
    expect(usdt!.subscribe(['BTC_USDT', 'ETH_USDT'], 1)).toEqual([
      '{"time":1,"channel":"futures.obu","event":"subscribe","payload":["ob.BTC_USDT.50"]}',
      '{"time":1,"channel":"futures.obu","event":"subscribe","payload":["ob.ETH_USDT.50"]}',
    ]);
    expect(updates!.unsubscribe?.(['BTC_USDT'], 1)).toEqual([
      '{"time":1,"channel":"spot.order_book_update","event":"unsubscribe","payload":["BTC_USDT","100ms"]}',
    ]);
  });
});
