import { describe, expect, it } from 'vitest';
import { reportBooks } from '#hotpath/replay/book-report.ts';
import { laneFrom, lanesOfUrl, nameOf, snapshotSymbolOf } from '#hotpath/replay/lane.ts';
import { instrumentsOf } from '#hotpath/replay/registry.ts';
import { surveyFile } from '#hotpath/replay/survey.ts';
import { binance } from '#hotpath/venues/binance.ts';
import { venues } from '#hotpath/venues/index.ts';
import { textOf } from '#shared/money/grid.ts';
import { binanceDelta, binanceSnapshot, okxBook } from '../feed/scripted-venue.ts';
import type { Line } from './frame-lines.ts';
import { fileOf, frameLines, newFolder } from './frame-lines.ts';

const SPOT_WS = 'wss://stream.binance.com:9443/stream?streams=btcusdt@depth@100ms';
const depthUrl = (symbol: string) => `https://api.binance.com/api/v3/depth?symbol=${symbol}&limit=1000`;
const delta = (first: number, last: number, bids: string[][] = []): Line => ({
  k: 'in',
  c: 'ws',
  d: binanceDelta('BTCUSDT', first, last, bids),
});
const snapshot = (lastUpdateId: number): Line => ({
  k: 'http',
  c: 'rest',
  u: depthUrl('BTCUSDT'),
  d: binanceSnapshot(lastUpdateId),
});
const report = (lines: readonly Line[], options = {}) => reportBooks(fileOf(frameLines(lines)), { venues, ...options });

describe('the market of a recorded URL', () => {
  it.each([
    [SPOT_WS, ['binance:spot']],
    ['wss://fstream.binance.com/stream?streams=a', ['binance:usdm', 'binance:options']],
    ['https://dapi.binance.com/dapi/v1/depth?symbol=BTCUSD_PERP', ['binance:coinm']],
    ['wss://ws.okx.com:8443/ws/v5/public', ['okx:spot', 'okx:swap', 'okx:futures', 'okx:options']],
    ['wss://ws.kraken.com/v2', ['kraken:spot']],
    ['wss://stream.bybit.com/v5/public/linear', ['bybit:linear']],
    ['wss://stream.bybit.com/v5/public/option', ['bybit:option']],
    ['wss://api.gateio.ws/ws/v4', ['gate:spot', 'gate:spot-updates']],
    ['wss://fx-ws.gateio.ws/v4/ws/usdt', ['gate:usdt']],
    ['wss://futures.kraken.com/ws/v1', ['krakenfutures:futures']],
    ['wss://api.huobi.pro/ws', ['htx:spot']],
    ['wss://api-aws.huobi.pro/feed', ['htx:spot']],
    ['wss://api.hbdm.com/linear-swap-ws', ['htx:swap']],
    ['wss://api.bitfinex.com/ws/2', ['bitfinex:spot', 'bitfinex:swap']],
    ['wss://api-pub.bitfinex.com/ws/2', ['bitfinex:spot', 'bitfinex:swap']],
    ['wss://www.deribit.com/ws/api/v2', ['deribit:swap', 'deribit:futures', 'deribit:options', 'deribit:combos']],
    ['ws://127.0.0.1:8091/dstream.binance.com/stream', ['binance:coinm']],
    ['ws://127.0.0.1:8091/ws.kraken.com/v2', ['kraken:spot']],
    ['ws://127.0.0.1:8091/ws.okx.com:8443/ws/v5/public', ['okx:spot', 'okx:swap', 'okx:futures', 'okx:options']],
    ['http://127.0.0.1:8091/api.kraken.com/0/public/Depth', ['kraken:spot', 'kraken:spot-v1']],
    ['wss://elsewhere.example/ws', []],
    ['not a url', []],
  ])('%s', (url, names) => {
    expect(lanesOfUrl(url, venues).map(nameOf)).toEqual(names);
  });

  it('can be said instead', () => {
    expect(nameOf(laneFrom('binance:usdm', venues))).toBe('binance:usdm');
    expect(nameOf(laneFrom('kraken', venues))).toBe('kraken:spot');
    expect(() => laneFrom('binance:moon', venues)).toThrow('no market "binance:moon" (known: binance:spot, ');
  });

  it('knows its own snapshot requests', () => {
    const [spot, usdm] = binance.markets;
    expect(snapshotSymbolOf(spot!, depthUrl('BTCUSDT'))).toBe('BTCUSDT');
    expect(snapshotSymbolOf(usdm!, depthUrl('BTCUSDT'))).toBeUndefined();
    expect(snapshotSymbolOf(spot!, 'https://api.binance.com/api/v3/exchangeInfo')).toBeUndefined();
  });
});

describe('a snapshot request', () => {
  it('is answered with the first answer at or after it; what that already holds is dropped', async () => {
    const { books, gaps } = await report([
      { k: 'open', c: 'ws', u: SPOT_WS },
      delta(5, 7, [['98', '1']]),
      delta(8, 9, [['99', '1']]),
      delta(10, 11, [['99.5', '1']]),
      snapshot(8),
      delta(12, 12, [['99', '0']]),
    ]);
    expect(gaps).toBe(0);
    const book = books['BTCUSDT']!;
    expect(book.stats).toMatchObject({ snapshots: 1, applied: 3, stale_dropped: 1 });
    expect(book.checkpoints.map(({ after_frame, seq }) => [after_frame, seq])).toEqual([
      [2, 9],
      [3, 11],
    ]);
    expect(book.last_seq).toBe(12);
    expect(book.final_top5.bids).toEqual([
      ['100', '1'],
      ['99.5', '1'],
    ]);
  });

  it('is made again after a gap, and not answered with what came before', async () => {
    const { books, gaps } = await report([
      { k: 'open', c: 'ws', u: SPOT_WS },
      snapshot(8),
      delta(9, 9, [['99', '1']]),
      delta(20, 21, [['98', '1']]),
      delta(22, 22, [['97', '1']]),
      snapshot(21),
      delta(23, 23, [['96', '1']]),
    ]);
    expect(gaps).toBe(1);
    expect(books['BTCUSDT']).toMatchObject({ last_seq: 23, stats: { snapshots: 2, gaps: 1 }, levels: { bids: 3 } });
  });

  it('without any answer gives no book', async () => {
    const { books, gaps, frames } = await report([{ k: 'open', c: 'ws', u: SPOT_WS }, delta(5, 7), delta(8, 9)]);
    expect([books, gaps, frames]).toEqual([{}, 0, 2]);
  });

  it('that cannot be read is counted, and the next answer taken', async () => {
    const { books, malformed } = await report([
      { k: 'open', c: 'ws', u: SPOT_WS },
      { ...snapshot(0), d: '{"code":-1003}' },
      snapshot(8),
      delta(9, 9, [['99', '1']]),
    ]);
    expect(malformed).toBe(1);
    expect(books['BTCUSDT']!.last_seq).toBe(9);
  });
});

describe('a recording', () => {
  it('whose sockets carry no URL is told by its requests', async () => {
    const { books } = await report([delta(5, 7), snapshot(6), delta(8, 8, [['99', '1']])]);
    expect(books['BTCUSDT']!.last_seq).toBe(8);
  });

  it('is read by the first protocol of its URL that understands something', async () => {
    const open = { k: 'open', c: 'ws', u: 'wss://api.gateio.ws/ws/v4/' } as const;
    const told = (channel: string, fields: object): Line => ({
      k: 'in',
      c: 'ws',
      d: { channel: `spot.${channel}`, event: 'update', result: { ...fields, b: [['99', '1']], a: [['101', '1']] } },
    });
    const live = await report([open, told('obu', { s: 'ob.BTC_USDT.50', full: true, u: 7 })]);
    expect(live.books['BTC_USDT']).toMatchObject({ last_seq: 7, stats: { snapshots: 1, applied: 0 } });
    const older = await report([
      open,
      told('order_book_update', { s: 'BTC_USDT', U: 6, u: 8 }),
      {
        k: 'http',
        u: 'https://api.gateio.ws/api/v4/spot/order_book?currency_pair=BTC_USDT&limit=100&with_id=true',
        d: { id: 6, bids: [], asks: [] },
      },
    ]);
    expect(older.books['BTC_USDT']).toMatchObject({ last_seq: 8, stats: { snapshots: 1, applied: 1 } });
  });

  it('that tells no venue is refused, unless it is said', async () => {
    const lines: Line[] = [{ k: 'in', c: 'ws', d: okxBook('BTC-USDT', 'snapshot', -1, 10) }];
    await expect(report(lines)).rejects.toThrow('the recorded URLs do not tell the venue: say --venue VENUE:MARKET');
    const { books } = await report(lines, { lane: laneFrom('okx', venues) });
    expect(books['BTC-USDT']).toMatchObject({ last_seq: 10, levels: { bids: 1, asks: 1 } });
  });

  it('without frames is refused', async () => {
    await expect(report([])).rejects.toThrow('no frames');
  });

  it('of several venues keeps them apart', async () => {
    const { books } = await report([
      { k: 'open', c: 'a', u: SPOT_WS },
      { k: 'open', c: 'b', u: 'wss://ws.okx.com:8443/ws/v5/public' },
      { ...delta(9, 9), c: 'a' },
      { k: 'in', c: 'b', d: okxBook('BTC-USDT', 'snapshot', -1, 10) },
      snapshot(8),
    ]);
    expect(Object.keys(books).sort()).toEqual(['BTC-USDT', 'BTCUSDT']);
  });

  it('with a malformed frame loses the book until the next snapshot, as a live feed does', async () => {
    const open: Line = { k: 'open', c: 'ws', u: 'wss://ws.okx.com:8443/ws/v5/public' };
    const frame = (action: 'snapshot' | 'update', previous: number, sequence: number): Line => ({
      k: 'in',
      c: 'ws',
      d: okxBook('BTC-USDT', action, previous, sequence),
    });
    const broken: Line = {
      k: 'in',
      c: 'ws',
      d: '{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{',
    };
    const { books, malformed } = await report([
      open,
      frame('snapshot', -1, 10),
      broken,
      frame('update', 10, 11),
      frame('snapshot', -1, 20),
      frame('update', 20, 21),
    ]);
    expect(malformed).toBe(1);
    expect(books['BTC-USDT']).toMatchObject({ last_seq: 21, stats: { snapshots: 2, applied: 1, gaps: 0 } });
  });

  it('counts how often a book crossed', async () => {
    const bid = (price: string, qty: string, at: number) => delta(at, at, [[price, qty]]);
    const { crossed } = await report([
      { k: 'open', c: 'ws', u: SPOT_WS },
      snapshot(8),
      bid('102', '1', 9),
      bid('102', '2', 10),
      bid('102', '0', 11),
      bid('101', '1', 12),
    ]);
    expect(crossed).toBe(2);
  });
});

it('metadata beside the file describes its instruments; a symbol it does not know stays bare', async () => {
  const dir = newFolder();
  const path = fileOf(
    frameLines([{ k: 'open', c: 'ws', u: SPOT_WS }, delta(5, 7), { ...snapshot(6), u: depthUrl('NEWUSDT') }]),
    'x.frames.jsonl.gz',
    dir,
  );
  const listed = {
    symbol: 'BTCUSDT',
    status: 'TRADING',
    baseAsset: 'BTC',
    quoteAsset: 'USDT',
    isSpotTradingAllowed: true,
    filters: [
      { filterType: 'PRICE_FILTER', tickSize: '0.01000000' },
      { filterType: 'LOT_SIZE', minQty: '0.00001000', stepSize: '0.00001000' },
      { filterType: 'NOTIONAL', minNotional: '5.00000000' },
    ],
  };
  const metadata: Line = { k: 'http', u: 'https://api.binance.com/api/v3/exchangeInfo', d: { symbols: [listed] } };
  fileOf(frameLines([metadata]), 'x.instruments.jsonl.gz', dir);
  const instruments = await instrumentsOf(await surveyFile(path, { venues }));
  expect(instruments.map(({ venueSymbol, symbol, tick }) => [venueSymbol, symbol, textOf(tick)])).toEqual([
    ['BTCUSDT', 'BTC/USDT', '0.01'],
    ['NEWUSDT', 'NEWUSDT', '0'],
  ]);
});
