import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lanesOfUrl, nameOf, snapshotSymbolOf } from '#hotpath/replay/lane.ts';
import { mexc } from '#hotpath/venues/mexc.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import { APPLIED, BROKEN, HELD, IGNORED } from '#shared/domain/market-event.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { MarketRig, refusalOf } from '#test/support/venue-fixture.ts';

const [spot, futures] = mexc.markets;
const BOOK = 0 as InstrumentIndex;
const CHANNEL = 'spot@public.aggre.depth.v3.api.pb@10ms';

const rigOf = (market = spot!, symbol = 'BTCUSDT'): MarketRig =>
  new MarketRig(market, [instrumentOf('mexc', market.id, symbol)]);

const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
const text = (field: number, value: string | Uint8Array): Buffer => {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([...varint(field * 8 + 2), ...varint(bytes.length)]), bytes]);
};
const item = (field: number, price: string, qty: string): Buffer =>
  text(field, Buffer.concat([text(1, price), text(2, qty)]));

const ask = item(1, '101.50', '2');
const bid = item(2, '99.25', '0.00000001');
const body = (from: string, to: string, ...items: readonly Buffer[]): Buffer =>
  text(313, Buffer.concat([...items, text(3, CHANNEL), text(4, from), text(5, to)]));
const sentAt = Buffer.from([6 * 8, ...varint(1_790_000_000_123)]);
const frameOf = (...fields: readonly Buffer[]): Buffer =>
  Buffer.concat([text(1, `${CHANNEL}@BTCUSDT`), text(3, 'BTCUSDT'), ...fields]);
const push = (from: number, to: number): Buffer => frameOf(sentAt, body(`${from}`, `${to}`, ask, bid));

const snapshot = JSON.stringify({ lastUpdateId: 100, bids: [['99', '1']], asks: [['102', '1']] });
const opened = (): MarketRig => {
  const rig = rigOf();
  rig.take({ symbol: 'BTCUSDT', snapshot });
  return rig;
};

describe('mexc spot continuity', () => {
  it.each([
    ['the next', [101, 101], APPLIED],
    ['several merged', [101, 140], APPLIED],
    ['one that began inside the snapshot', [95, 102], APPLIED],
    ['one that the snapshot holds', [90, 100], IGNORED],
    ['one too far', [102, 103], BROKEN],
  ] as const)('takes %s after a snapshot', (_name, [from, to], outcome) => {
    expect(opened().frame(push(from, to))?.outcome).toBe(outcome);
  });

  it.each([
    ['the next', [102, 109], APPLIED],
    ['one again', [101, 101], IGNORED],
    ['one that overlaps', [101, 102], BROKEN],
    ['one too far', [103, 103], BROKEN],
  ] as const)('takes %s after a push', (_name, [from, to], outcome) => {
    const rig = opened();
    rig.frame(push(101, 101));
    expect(rig.frame(push(from, to))?.outcome).toBe(outcome);
  });

  it('wants another snapshot when one is older than the first push', () => {
    const rig = rigOf();
    expect(rig.frame(push(103, 105))?.outcome).toBe(HELD);
    expect(rig.take({ symbol: 'BTCUSDT', snapshot })?.outcome).toBe(BROKEN);
    expect(rig.store.depths.status(BOOK)).not.toBe('live');
  });
});

describe('mexc protobuf', () => {
  it('reads levels, versions and the time', () => {
    const { update } = opened().frame(push(101, 36_913_565_463))!;
    expect(update).toMatchObject({ firstSequence: 101, lastSequence: 36_913_565_463, venueTimeMs: 1_790_000_000_123 });
    expect([update.asks.prices[0], update.asks.qtys[0]]).toEqual([101.5, 2]);
    expect([update.bids.prices[0], update.bids.qtys[0]]).toEqual([99.25, 1e-8]);
    expect(update.asks.priceDecimals).toBe(2);
  });

  it('reads fields in any order and passes over those it does not know', () => {
    const strange = Buffer.concat([
      Buffer.from([7 * 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
      Buffer.from([8 * 8 + 1, 1, 2, 3, 4, 5, 6, 7, 8]),
      Buffer.from([9 * 8 + 5, 1, 2, 3, 4]),
      text(4000, 'x'),
    ]);
    const level = Buffer.concat([strange, text(2, '3'), text(1, '101'), strange]);
    const inner = Buffer.concat([text(5, '102'), text(1, level), strange, text(4, '101'), bid]);
    const bytes = Buffer.concat([strange, text(313, inner), sentAt, text(3, 'BTCUSDT'), text(1, `${CHANNEL}@BTCUSDT`)]);
    const taken = opened().frame(bytes);
    expect(taken?.outcome).toBe(APPLIED);
    expect([taken!.update.asks.prices[0], taken!.update.asks.qtys[0]]).toEqual([101, 3]);
  });

  it('ends a number where its field ends, though digits follow', () => {
    // The tag of field 6 is the character 0, its value the character 5.
    const level = Buffer.concat([text(1, '101'), Buffer.from('05'), text(2, '3'), Buffer.from('05')]);
    const taken = opened().frame(frameOf(body('101', '101', text(1, level))));
    expect([taken!.update.asks.prices[0], taken!.update.asks.qtys[0]]).toEqual([101, 3]);
  });

  it.each([
    ['no body', frameOf(sentAt)],
    ['no symbol', Buffer.concat([text(1, CHANNEL), body('101', '101', ask)])],
    ['another channel', Buffer.concat([text(1, 'spot@else'), text(3, 'BTCUSDT'), body('101', '101', ask)])],
    ['two bodies', frameOf(body('101', '101', ask), body('102', '102', ask))],
    ['no versions', frameOf(text(313, ask))],
    ['versions reversed', frameOf(body('102', '101', ask))],
    ['a version beyond the exact integers', frameOf(body('101', '9007199254740993', ask))],
    ['a version that is no number', frameOf(body('101', '10x', ask))],
    ['an empty version', frameOf(body('', '101', ask))],
    ['a level without a quantity', frameOf(body('101', '101', text(1, text(1, '101'))))],
    ['a level without a price', frameOf(body('101', '101', text(2, text(2, '3'))))],
    ['a price of 0', frameOf(body('101', '101', item(1, '0', '3')))],
    ['a price below 0', frameOf(body('101', '101', item(1, '-1', '3')))],
    ['a quantity below 0', frameOf(body('101', '101', item(1, '1', '-3')))],
    ['a price with a blank', frameOf(body('101', '101', item(1, ' 1', '3')))],
    ['an empty price', frameOf(body('101', '101', item(1, '', '3')))],
    ['a group', Buffer.concat([frameOf(), Buffer.from([7 * 8 + 3])])],
    ['field 0', Buffer.concat([frameOf(), Buffer.from([0, 0])])],
    ['a length beyond the end', Buffer.concat([frameOf(), Buffer.from([7 * 8 + 2, 9, 1])])],
    ['a length beyond all frames', Buffer.concat([frameOf(), Buffer.from([58, 0xff, 0xff, 0xff, 0xff, 0x7f])])],
    ['a varint without an end', Buffer.concat([frameOf(), Buffer.from([7 * 8, 0x80, 0x80])])],
    ['a varint of eleven bytes', Buffer.concat([frameOf(), Buffer.from([56, ...Array<number>(10).fill(0x80), 1])])],
    ['a time beyond all days', frameOf(Buffer.from([48, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]))],
    ['an item that leaves its message', frameOf(text(313, Buffer.concat([text(1, Buffer.from([10, 50])), ask])))],
  ])('refuses a book frame with %s', (_name, bytes) => {
    const rig = opened();
    expect(refusalOf(() => rig.frame(bytes))).toBeTypeOf('string');
  });

  it('answers any bytes with nothing, an update or BadInput', () => {
    const rig = opened();
    const any = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.uint8Array({ maxLength: 64 }).map((bytes) => frameOf(text(313, bytes))),
      fc.uint8Array({ maxLength: 64 }).map((bytes) => frameOf(body('101', '102', text(1, bytes)))),
    );
    fc.assert(
      fc.property(any, (bytes) => {
        refusalOf(() => rig.frame(bytes));
      }),
      { numRuns: 2_000 },
    );
  });

  it('refuses more levels than any venue sends', () => {
    const items = Array.from({ length: 20_001 }, () => ask);
    expect(refusalOf(() => opened().frame(frameOf(body('101', '101', ...items))))).toMatch(/levels/);
  });
});

describe('mexc futures', () => {
  const data = (fields: object): object => ({ asks: [[101.5, 2, 1]], bids: [], ...fields });
  const depth = (fields: object) => ({
    frame: JSON.stringify({ channel: 'push.depth', data: data(fields), symbol: 'BTC_USDT', ts: 1_790_000_000_000 }),
  });
  const futuresOpened = (): MarketRig => {
    const rig = rigOf(futures, 'BTC_USDT');
    const state = '{"asks":[[1.02E+2,1.5E3,4]],"bids":[[99,3,1]],"version":100,"timestamp":1790000000000}';
    rig.take({ symbol: 'BTC_USDT', snapshot: `{"success":true,"code":0,"data":${state}}` });
    return rig;
  };

  it.each([
    ['a step', { version: 101 }, APPLIED],
    ['a step that the snapshot holds', { version: 100 }, IGNORED],
    ['a step too far', { version: 102 }, BROKEN],
    ['merged steps', { begin: 101, end: 107, version: 107 }, APPLIED],
    ['merged steps that began inside the snapshot', { begin: 90, end: 107, version: 107 }, APPLIED],
    ['merged steps too far', { begin: 102, end: 107, version: 107 }, BROKEN],
  ])('takes %s', (_name, fields, outcome) => {
    expect(futuresOpened().take(depth(fields))?.outcome).toBe(outcome);
  });

  it('reads numbers with exponents', () => {
    const rig = futuresOpened();
    expect([rig.store.tops.ask[0], rig.store.tops.askQty[0]]).toEqual([102, 1500]);
  });

  it('reads a book before its channel is named', () => {
    const frame = JSON.stringify({ symbol: 'BTC_USDT', data: data({ version: 101 }), channel: 'push.depth', ts: 5 });
    expect(futuresOpened().take({ frame })?.outcome).toBe(APPLIED);
  });

  it.each([
    ['no version', depth({})],
    ['one side', { frame: '{"channel":"push.depth","data":{"asks":[],"version":101},"symbol":"BTC_USDT"}' }],
    ['no data', { frame: '{"channel":"push.depth","symbol":"BTC_USDT"}' }],
    ['no symbol', { frame: '{"channel":"push.depth","data":{"asks":[],"bids":[],"version":101}}' }],
  ])('refuses a book frame with %s', (_name, step) => {
    expect(refusalOf(() => futuresOpened().take(step))).toMatch(/mexc/);
  });

  it.each(['{"success":false,"code":510,"message":"too frequent"}', '{"success":true,"code":0,"data":null}'])(
    'refuses %s as a snapshot',
    (body_) => {
      expect(refusalOf(() => rigOf(futures, 'BTC_USDT').take({ symbol: 'BTC_USDT', snapshot: body_ }))).toMatch(/mexc/);
    },
  );
});

describe('mexc control frames', () => {
  it('tells those of spot by their kind', () => {
    const rig = rigOf();
    const said = [
      '{"id":0,"code":0,"msg":"PONG"}',
      `{"id":0,"code":0,"msg":"${CHANNEL}@BTCUSDT"}`,
      '{"id":0,"code":0,"msg":"Not Subscribed successfully! [x]. Reason: Blocked!"}',
      '{"id":0,"code":2,"msg":"x"}',
    ];
    for (const frame of said) expect(rig.take({ frame })).toBeUndefined();
    expect(rig.controls).toEqual(['pong', 'ack', 'error', 'error']);
  });

  it('tells those of futures by their kind', () => {
    const rig = rigOf(futures, 'BTC_USDT');
    const said = [
      '{"channel":"pong","data":1587453241453}',
      '{"channel":"rs.sub.depth","data":"success"}',
      '{"channel":"rs.error","data":"no"}',
      '{"channel":"push.depth.full","data":{},"symbol":"BTC_USDT"}',
    ];
    for (const frame of said) expect(rig.take({ frame })).toBeUndefined();
    expect(rig.controls).toEqual(['pong', 'ack', 'error']);
  });
});

describe('mexc recordings', () => {
  it('are known by their URLs', () => {
    const names = (url: string): string[] => lanesOfUrl(url, [mexc]).map(nameOf);
    expect(names('wss://wbs-api.mexc.com/ws')).toEqual(['mexc:spot']);
    expect(names('wss://contract.mexc.com/edge')).toEqual(['mexc:futures']);
    const host = 'https://api.mexc.com';
    expect(snapshotSymbolOf(spot!, `${host}/api/v3/depth?symbol=BTCUSDT&limit=1000`)).toBe('BTCUSDT');
    expect(snapshotSymbolOf(futures!, `${host}/api/v1/contract/depth/BTC_USDT?limit=1000`)).toBe('BTC_USDT');
    expect(snapshotSymbolOf(futures!, `${host}/api/v1/contract/depth_commits/BTC_USDT/1000`)).toBeUndefined();
  });
});
