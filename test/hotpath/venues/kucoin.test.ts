import { describe, expect, it } from 'vitest';
import { lanesOfUrl, nameOf, snapshotSymbolOf } from '#hotpath/replay/lane.ts';
import { kucoin } from '#hotpath/venues/kucoin.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import { APPLIED, BROKEN, HELD, IGNORED } from '#shared/domain/market-event.ts';
import { textOf } from '#shared/money/grid.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { MarketRig, refusalOf } from '#test/support/venue-fixture.ts';

const [spot, futures] = kucoin.markets;
const [spotClassic, futuresClassic] = kucoin.recorded!;
const BOOK = 0 as InstrumentIndex;

const rigOf = (market = spot!, symbol = 'BTC-USDT'): MarketRig =>
  new MarketRig(market, [instrumentOf('kucoin', market.id, symbol)]);

const level = (price: number): readonly string[] => [String(price), '1'];
/** As the venue writes it: times are whole numbers that JSON.stringify could not write. */
const obu = (kind: string, first: number, last: number, rest: { bids?: number[]; time?: string } = {}) => ({
  frame: `{"T":"obu.SPOT","dp":"increment@10ms","t":"${kind}","P":1790114459840641662,"d":{"a":[["101","1"]],"b":${JSON.stringify((rest.bids ?? [99]).map(level))},"C":${last},"s":"BTC-USDT","M":${rest.time ?? '1790114459839000000'},"O":${first}}}`,
});
const opened = (): MarketRig => {
  const rig = rigOf();
  rig.take(obu('snapshot', 100, 100));
  return rig;
};

describe('kucoin unified continuity', () => {
  it.each([
    ['the next', [101, 101], APPLIED],
    ['several merged', [101, 140], APPLIED],
    ['one that began inside the snapshot', [95, 102], APPLIED],
    ['one that the snapshot holds', [90, 100], IGNORED],
    ['one too far', [102, 103], BROKEN],
  ] as const)('takes %s after a snapshot', (_name, [first, last], outcome) => {
    expect(opened().take(obu('delta', first, last))?.outcome).toBe(outcome);
  });

  it.each([
    ['the next', [102, 109], APPLIED],
    ['one again', [101, 101], IGNORED],
    ['one that overlaps', [101, 102], BROKEN],
    ['one too far', [103, 103], BROKEN],
  ] as const)('takes %s after a delta', (_name, [first, last], outcome) => {
    const rig = opened();
    rig.take(obu('delta', 101, 101));
    expect(rig.take(obu('delta', first, last))?.outcome).toBe(outcome);
  });

  it('continues a late snapshot with the deltas that came before it', () => {
    const rig = rigOf();
    expect(rig.take(obu('delta', 98, 100, { bids: [50] }))?.outcome).toBe(HELD);
    expect(rig.take(obu('delta', 101, 105, { bids: [98] }))?.outcome).toBe(HELD);
    expect(rig.take(obu('snapshot', 100, 100))?.outcome).toBe(APPLIED);
    expect(rig.store.lastSequence(BOOK)).toBe(105);
    expect(rig.store.levels(BOOK)!.bids.count).toBe(2);
    expect(rig.take(obu('delta', 106, 106))?.outcome).toBe(APPLIED);
  });

  it('wants another snapshot when one is older than all it has seen', () => {
    const rig = rigOf();
    rig.take(obu('delta', 103, 105));
    expect(rig.take(obu('snapshot', 100, 100))?.outcome).toBe(BROKEN);
    expect(rig.store.depths.status(BOOK)).not.toBe('live');
  });
});

describe('kucoin unified frames', () => {
  it.each([
    ['1790114459839000000', 1_790_114_459_839],
    ['1790114460671676191', 1_790_114_460_671.676191],
    ['1790114459839000001 ', 1_790_114_459_839.000001],
  ])('reads %s ns, above 2^53, to the microsecond', (time, ms) => {
    const taken = rigOf().take(obu('snapshot', 1, 1, { time }));
    expect(Math.abs(taken!.update.venueTimeMs - ms)).toBeLessThan(0.001);
  });

  it.each(['17901144598390000', '1.790114459839e18', '-1790114459839000000', 'null', '"1790114459839000000"'])(
    'refuses %s as nanoseconds',
    (time) => {
      expect(refusalOf(() => rigOf().take(obu('snapshot', 1, 1, { time })))).toMatch(/nanoseconds/);
    },
  );

  it.each([
    ['no type', '{"T":"obu.SPOT","d":{"s":"BTC-USDT","O":1,"C":1,"a":[],"b":[]}}'],
    ['an unknown type', '{"T":"obu.SPOT","t":"replace","d":{"s":"BTC-USDT","O":1,"C":1,"a":[],"b":[]}}'],
    ['no book', '{"T":"obu.SPOT","dp":"increment@10ms","t":"delta"}'],
    ['its book before its name', '{"d":{},"t":"delta","T":"obu.SPOT"}'],
    ['one side', '{"T":"obu.SPOT","t":"delta","d":{"s":"BTC-USDT","O":1,"C":1,"a":[]}}'],
    ['no sequence', '{"T":"obu.SPOT","t":"delta","d":{"s":"BTC-USDT","O":1,"a":[],"b":[]}}'],
    ['sequences reversed', '{"T":"obu.SPOT","t":"delta","d":{"s":"BTC-USDT","O":2,"C":1,"a":[],"b":[]}}'],
    ['a price of nothing', '{"T":"obu.SPOT","t":"delta","d":{"s":"BTC-USDT","O":1,"C":1,"a":[["0","1"]],"b":[]}}'],
  ])('refuses a book frame with %s', (_name, frame) => {
    expect(refusalOf(() => rigOf().take({ frame }))).toBeTypeOf('string');
  });

  it('passes over the other product’s books and other depths', () => {
    const other = obu('snapshot', 1, 1).frame;
    expect(rigOf(futures).take({ frame: other })).toBeUndefined();
    expect(rigOf().take({ frame: other.replace('increment@10ms', '50') })).toBeUndefined();
  });

  it('tells control frames by their kind', () => {
    const rig = rigOf();
    const said = [
      '{"sessionId":"e8e4","message":"welcome","pingInterval":18000}',
      '{"id":"p1","result":true}',
      '{"type":"pong","id":"p32","ts":1790113111261396000}',
      '{"id":"p1","result":false}',
      '{"id":"p1","code":"400100","msg":"x"}',
    ];
    for (const frame of said) expect(rig.take({ frame })).toBeUndefined();
    expect(rig.controls).toEqual(['ack', 'pong', 'error', 'error']);
  });
});

type Change = readonly [price: string, size: string, sequence: string];
const l2 = (sequenceStart: number, sequenceEnd: number, asks: readonly Change[], bids: readonly Change[] = []) => ({
  frame: JSON.stringify({
    data: { sequenceStart, symbol: 'BTC-USDT', changes: { asks, bids }, sequenceEnd },
    subject: 'trade.l2update',
    topic: '/market/level2:BTC-USDT',
    type: 'message',
  }),
});
const classicOpened = (): MarketRig => {
  const rig = rigOf(spotClassic);
  const data = { time: 1, sequence: '100', bids: [['99', '1']], asks: [['101', '1']] };
  rig.take({ symbol: 'BTC-USDT', snapshot: JSON.stringify({ code: '200000', data }) });
  return rig;
};

describe('kucoin classic spot', () => {
  it.each([
    ['the next', [101, 103], APPLIED],
    ['one that began inside the snapshot', [98, 103], APPLIED],
    ['one that the snapshot holds', [90, 100], IGNORED],
    ['one too far', [102, 102], BROKEN],
  ] as const)('takes %s', (_name, [start, end], outcome) => {
    expect(classicOpened().take(l2(start, end, [['102', '1', '0']]))?.outcome).toBe(outcome);
  });

  it('only moves the sequence for a price of 0, and keeps the newest of two sizes', () => {
    const rig = classicOpened();
    const taken = rig.take(
      l2(
        101,
        105,
        [
          ['102', '7', '104'],
          ['0', '0', '105'],
          ['102', '5', '101'],
        ],
        [['99', '0', '103']],
      ),
    );
    expect(taken?.update.asks).toMatchObject({ count: 1 });
    expect(taken?.update.asks.qtys[0]).toBe(7);
    expect(rig.store.lastSequence(BOOK)).toBe(105);
    expect(rig.store.levels(BOOK)!.bids.count).toBe(0);
  });

  it.each([
    ['two elements', [['102', '7']]],
    ['four elements', [['102', '7', '101', '1']]],
    ['nothing', [[]]],
    ['a size below 0', [['102', '-7', '101']]],
    ['a price below 0', [['-102', '7', '101']]],
  ])('refuses a change of %s', (_name, changes) => {
    expect(refusalOf(() => classicOpened().take(l2(101, 101, changes as unknown as Change[])))).toBeTypeOf('string');
  });

  it('refuses an answer that is no success as a snapshot', () => {
    const snapshot = '{"code":"400001","msg":"Please check the header of your request"}';
    expect(refusalOf(() => rigOf(spotClassic).take({ symbol: 'BTC-USDT', snapshot }))).toMatch(/kucoin/);
  });

  it('is what recorded URLs lead to', () => {
    const names = (url: string): string[] => lanesOfUrl(url, [kucoin]).map(nameOf);
    expect(names('wss://push-private.kucoin.com/endpoint?token=TOKEN')).toEqual(['kucoin:spot-classic']);
    expect(names('wss://ws-api-futures.kucoin.com/?token=x')).toEqual(['kucoin:futures-classic']);
    expect(names('wss://x-push-spot.kucoin.com')).toEqual(['kucoin:spot']);
    expect(names('wss://x-push-futures.kucoin.com/')).toEqual(['kucoin:futures']);
    const asked = 'https://api.kucoin.com/api/v3/market/orderbook/level2?symbol=BTC-USDT';
    expect(snapshotSymbolOf(spotClassic!, asked)).toBe('BTC-USDT');
  });
});

describe('kucoin classic futures', () => {
  const delta = (sequence: number, change: string) => ({
    frame: JSON.stringify({ topic: '/contractMarket/level2:XBTUSDTM', subject: 'level2', data: { sequence, change } }),
  });
  const futuresOpened = (): MarketRig => {
    const rig = rigOf(futuresClassic, 'XBTUSDTM');
    const data = { sequence: 100, asks: [['101', 4]], bids: [['99', 1]], ts: '1604643655040584408' };
    const snapshot = JSON.stringify({ code: '200000', data }).replace('"1604643655040584408"', '1604643655040584408');
    rig.take({ symbol: 'XBTUSDTM', snapshot });
    return rig;
  };

  it('takes one level a frame', () => {
    const rig = futuresOpened();
    expect(rig.take(delta(100, '98,buy,7'))?.outcome).toBe(IGNORED);
    expect(rig.take(delta(101, '98.5,buy,7'))?.outcome).toBe(APPLIED);
    expect(rig.take(delta(102, '101,sell,0'))?.outcome).toBe(APPLIED);
    expect(rig.store.levels(BOOK)!.bids.count).toBe(2);
    expect(rig.store.levels(BOOK)!.asks.count).toBe(0);
    expect(rig.take(delta(104, '101,sell,1'))?.outcome).toBe(BROKEN);
  });

  it.each([
    '',
    '98',
    '98,buy',
    '98,buy,',
    ',buy,7',
    '98,hold,7',
    '98,buy,7,1',
    'x,buy,7',
    '98,buy,7x',
    '0,buy,7',
    ' 98,buy,7',
  ])('refuses %j as a change', (text) => {
    expect(refusalOf(() => futuresOpened().take(delta(101, text)))).toBeTypeOf('string');
  });

  it('passes over whole books of the same subject', () => {
    const frame = '{"topic":"/contractMarket/level2Depth50:XBTUSDTM","subject":"level2","data":{"sequence":101}}';
    expect(futuresOpened().take({ frame })).toBeUndefined();
  });
});

describe('kucoin instruments', () => {
  const listed = (more: object): string => {
    const entry = { symbol: 'A-B', baseCurrency: 'A', quoteCurrency: 'B', baseMinSize: '1', baseIncrement: '1' };
    return JSON.stringify({
      code: '200000',
      data: [{ ...entry, priceIncrement: '0.1', enableTrading: true, ...more }],
    });
  };

  it.each([
    [{}, '0.001', '0.001'],
    [{ feeCategory: 2, makerFeeCoefficient: '1.00', takerFeeCoefficient: '1.00' }, '0.002', '0.002'],
    [{ feeCategory: 3, makerFeeCoefficient: '0', takerFeeCoefficient: '0.5' }, '0', '0.0015'],
  ])('charges %j by its class', (more, maker, taker) => {
    const [found] = spot!.instruments.parse([listed(more)], spot!.defaultFees);
    expect([textOf(found!.fees.maker), textOf(found!.fees.taker)]).toEqual([maker, taker]);
  });

  it('leaves out what has no grid', () => {
    expect(spot!.instruments.parse([listed({ priceIncrement: '0' })], spot!.defaultFees)).toEqual([]);
  });
});
