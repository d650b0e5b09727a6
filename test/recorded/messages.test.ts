import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { venues } from '#hotpath/venues/index.ts';
import type { Market } from '#hotpath/venues/venue.ts';
import { DELTA, SNAPSHOT } from '#shared/domain/market-event.ts';
import { textOf } from '#shared/money/grid.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { hasRecorded, recordedDir } from '#test/support/recorded.ts';
import { MarketRig } from '#test/support/venue-fixture.ts';

/** Request and message examples that maintained clients test with: path → text. */
function examplesOf(client: string): ReadonlyMap<string, string> {
  const lines = gunzipSync(readFileSync(`${recordedDir}/fixtures/jkorf_${client}_net.jsonl.gz`))
    .toString()
    .trim();
  return new Map(
    lines
      .split('\n')
      .map((line) => JSON.parse(line) as { readonly path: string; readonly text: string })
      .map(({ path, text }) => [path.slice(path.indexOf('/') + 1).replace('.txt', ''), text]),
  );
}

/** What the server says in a subscription's example: lines after `<` and `=`, up to the next mark. Numbers left open are ones. */
const messagesOf = (text: string): string[] =>
  text
    .split(/^(?=[<>=])/m)
    .filter((part) => /^[<=]/.test(part))
    .map((part) =>
      part
        .replace(/^[<=]\d*/, '')
        .replaceAll(/\|[^|]+\|/g, '1')
        .trim(),
    );

/** Of a REST example: method, path and whether it is signed come first. */
const bodyOf = (text: string): string => text.split('\n').slice(3).join('\n');

function marketOf(name: string): Market {
  const [venue, id] = name.split(':');
  const { markets = [], recorded = [] } = venues.find((candidate) => candidate.id === venue) ?? {};
  return [...markets, ...recorded].find((market) => market.id === id)!;
}

const rigOf = (name: string, symbol: string): MarketRig => {
  const [venue = '', market = ''] = name.split(':');
  return new MarketRig(marketOf(name), [instrumentOf(venue, market, symbol)]);
};

/** Single real frames of 2026. */
type Vectors = { readonly frames: readonly { readonly v: string; readonly n: string; readonly raw: string }[] };

describe.skipIf(!hasRecorded)('messages of maintained clients (skipped without RECORDED_DIR)', () => {
  it.each([
    ['bybit', 'bybit:spot', /Subscriptions/],
    ['bybit', 'bybit:linear', /Subscriptions/],
    ['gateio', 'gate:spot', /Subscriptions/],
    ['gateio', 'gate:usdt', /Subscriptions/],
    ['gateio', 'gate:spot-updates', /Subscriptions/],
    ['kraken', 'krakenfutures:futures', /Subscriptions.Futures/],
    ['kucoin', 'kucoin:spot', /Subscriptions/],
    ['kucoin', 'kucoin:futures', /Subscriptions/],
    ['kucoin', 'kucoin:spot-classic', /Subscriptions/],
    ['kucoin', 'kucoin:futures-classic', /Subscriptions/],
    ['mexc', 'mexc:spot', /Subscriptions.SpotApi/],
    ['mexc', 'mexc:futures', /Subscriptions.FuturesApi/],
    ['htx', 'htx:spot', /Subscriptions.Spot/],
    ['htx', 'htx:swap', /Subscriptions.UsdtMarginSwap/],
    ['bitfinex', 'bitfinex:spot', /Subscriptions/],
  ])('%s: %s refuses none of them', (client, name, paths) => {
    const messages = [...examplesOf(client)].flatMap(([path, text]) => (paths.test(path) ? messagesOf(text) : []));
    expect(messages.length).toBeGreaterThan(4);
    const rig = rigOf(name, 'NONE');
    for (const frame of messages) expect(() => rig.take({ frame }), frame).not.toThrow();
  });

  it.each([
    ['bybit', 'Subscriptions/V5/Option/Book', 'bybit:linear', 'BTCUSDT', SNAPSHOT, 18521288, 16493.5, 16611],
    [
      'gateio',
      'Subscriptions/Futures/SubscribeToOrderBookV2Updates',
      'gate:usdt',
      'ETH_USDT',
      SNAPSHOT,
      2517661113,
      54672.1,
      54742,
    ],
    [
      'gateio',
      'Subscriptions/Spot/SubscribeToOrderBookUpdates',
      'gate:spot-updates',
      'ETH_USDT',
      DELTA,
      48776306,
      19137.74,
      19137.75,
    ],
    ['kucoin', 'Subscriptions/Unified/OrderBook', 'kucoin:spot', 'ETH-USDT', SNAPSHOT, 25984468414, 90701.1, 90701.2],
    ['kucoin', 'Subscriptions/Spot/AggBook', 'kucoin:spot-classic', 'BTC-USDT', DELTA, 14103847, 18891.9, 18906],
    ['kucoin', 'Subscriptions/Futures/Book', 'kucoin:futures-classic', 'XBTUSDM', DELTA, 18, 0, 5000],
    ['mexc', 'Subscriptions/FuturesApi/Book', 'mexc:futures', 'BTC_USDT', DELTA, 96801927, 0, 6859.5],
    ['htx', 'Subscriptions/Spot/OrderBook', 'htx:spot', 'ethusdt', SNAPSHOT, 136998124622, 52690.69, 52690.7],
    ['htx', 'Subscriptions/UsdtMarginSwap/OrderBookIncr', 'htx:swap', 'ETH-USDT', SNAPSHOT, 1512467, 13071.9, 13081.9],
    ['bitfinex', 'Subscriptions/Spot/OrderBook', 'bitfinex:spot', 'tETHUST', SNAPSHOT, NaN, 7254.7, 0],
  ] as const)('%s: %s is a book', (client, path, name, symbol, kind, lastSequence, bid, ask) => {
    const rig = rigOf(name, symbol);
    const taken = messagesOf(examplesOf(client).get(path)!).map((frame) => rig.take({ frame })?.update);
    expect(taken[0]).toBeUndefined();
    expect(rig.controls).toEqual(['ack']);
    expect(taken[1]).toMatchObject({ kind, lastSequence, instrument: 0 });
    expect([taken[1]!.bids.prices[0], taken[1]!.asks.prices[0]]).toEqual([bid, ask]);
  });

  it('reads the snapshot that a client asks Gate for', () => {
    const body = bodyOf(examplesOf('gateio').get('Endpoints/Spot/ExchangeData/GetOrderBook')!);
    const taken = rigOf('gate:spot-updates', 'ETH_USDT').snapshot('ETH_USDT', Buffer.from(body));
    expect(taken?.update).toMatchObject({ kind: SNAPSHOT, lastSequence: 123456 });
    expect(taken?.update.asks).toMatchObject({ count: 2, priceDecimals: 2, qtyDecimals: 3 });
  });

  it.each([
    ['kucoin', 'Spot/ExchangeData/GetAggregatedFullOrderBook', 'kucoin:spot-classic', 3262786978, 6500.16],
    ['kucoin', 'Spot/ExchangeData/GetAggregatedPartialOrderBook', 'kucoin:spot-classic', 3262786978, 6500.16],
    ['kucoin', 'Futures/ExchangeData/GetAggregatedFullOrderBook', 'kucoin:futures-classic', 100, 5000],
    ['kucoin', 'Futures/ExchangeData/GetAggregatedPartialOrderBook', 'kucoin:futures-classic', 100, 5000],
    ['kucoin', 'Unified/ExchangeData/GetOrderBook', 'kucoin:spot-classic', 20133903260, 104563.9],
    ['mexc', 'SpotApi/ExchangeData/GetOrderBook', 'mexc:spot', 1112416, 14],
  ])('%s: %s is a snapshot', (client, path, name, lastSequence, ask) => {
    const body = bodyOf(examplesOf(client).get(`Endpoints/${path}`)!);
    const { update } = rigOf(name, 'X').snapshot('X', Buffer.from(body))!;
    expect(update).toMatchObject({ kind: SNAPSHOT, lastSequence });
    expect(update.asks.prices[0]).toBe(ask);
  });

  it('reads the real KuCoin frames of 2026', () => {
    const { frames } = JSON.parse(readFileSync(`${recordedDir}/vectors/modern_frames_2026.json`, 'utf8')) as Vectors;
    const told = (v: string, name: string, symbol: string): string[] => {
      const rig = rigOf(name, symbol);
      return frames.flatMap(({ v: venue, n, raw }) => {
        const update = venue === v && !n.includes('(out)') ? rig.take({ frame: raw })?.update : undefined;
        if (update === undefined) return [];
        const { kind, firstSequence, lastSequence, venueTimeMs, bids, asks } = update;
        return `${kind} ${firstSequence} ${lastSequence} ${venueTimeMs} ${bids.count} ${asks.count} ${bids.prices[0]!} ${bids.qtys[0]!}`;
      });
    };
    expect(told('kucoin-uta', 'kucoin:futures', 'ETHUSDTM')).toEqual([
      '0 1736604716203 1736604716203 1790114460661 2 2 2749.68 277',
    ]);
    expect(told('kucoin-uta', 'kucoin:futures', 'XBTUSDTM')).toEqual([
      '1 1747821262584 1747821262585 1790114459839 2 0 85973.3 16236',
    ]);
    expect(told('kucoin-futures-classic', 'kucoin:futures-classic', 'XBTUSDTM')).toEqual([
      '1 1747821025244 1747821025244 1790113097240 1 0 83614 12',
    ]);
  });

  it.each([
    ['bybit', 'V5Api/ExchangeData/GetSpotSymbols', 'bybit:spot', ['BTC/USDT BTCUSDT 0.01 0.000001 0.000048 1 1']],
    [
      'bybit',
      'V5Api/ExchangeData/GetLinearInverseSymbols',
      'bybit:linear',
      ['BTC/USDT:USDT BTCUSDT 0.1 0.001 0.001 5 1'],
    ],
    ['gateio', 'Spot/ExchangeData/GetSymbols', 'gate:spot', ['ETH/USDT ETH_USDT 0.000001 0.001 0.001 1 1']],
    ['gateio', 'PerpetualFutures/ExchangeData/GetContracts', 'gate:usdt', ['LAB/USDT:USDT LAB_USDT 0.00001 1 1 0 100']],
    [
      'kraken',
      'Futures/ExchangeData/GetSymbols',
      'krakenfutures:futures',
      [
        'BTC/USD:BTC PI_XBTUSD 0.5 1 1 0 1',
        'BTC/USD:BTC-220930 FI_XBTUSD_220930 0.5 1 1 0 1',
        'BTC/USD:USD PF_XBTUSD 1 0.0001 0.0001 0 1',
      ],
    ],
    [
      'kucoin',
      'Spot/ExchangeData/GetSymbols',
      'kucoin:spot',
      ['XLM/USDT XLM-USDT 0.000001 0.0001 0.1 0.1 1', 'VET/USDT VET-USDT 0.0000001 0.0001 10 0.1 1'],
    ],
    ['kucoin', 'Futures/ExchangeData/GetOpenContracts', 'kucoin:futures', ['BTC/USDT:USDT XBTUSDTM 1 1 1 0 0.001']],
    ['htx', 'Spot/ExchangeData/GetSymbolConfig', 'htx:spot', ['BTC3L/USDT btc3lusdt 0.0001 0.0001 0.01 5 1']],
    ['htx', 'UsdtMarginSwap/ExchangeData/GetContractInfo', 'htx:swap', ['BTC/USDT:USDT BTC-USDT 0.1 1 1 0 0.001']],
    ['mexc', 'SpotApi/ExchangeData/GetExchangeInfo', 'mexc:spot', ['BROCK/USDT BROCKUSDT 0.00001 0.01 0.01 1 1']],
    [
      'mexc',
      'FuturesApi/ExchangeData/GetSymbols',
      'mexc:futures',
      ['BTC/USDT:USDT BTC_USDT 0.5 1 1 0 0.0001', 'ETH/USDT:USDT ETH_USDT 0.05 1 1 0 0.001'],
    ],
  ])('%s: %s lists instruments', (client, path, name, expected) => {
    const market = marketOf(name);
    const body = bodyOf(examplesOf(client).get(`Endpoints/${path}`)!);
    const found = market.instruments.parse([body], market.defaultFees);
    const numbers = found.map(({ symbol, venueSymbol, tick, lot, minQty, minNotional, contractSize }) =>
      [symbol, venueSymbol, ...[tick, lot, minQty, minNotional, contractSize].map(textOf)].join(' '),
    );
    expect(numbers).toEqual(expected);
    expect(found.map(({ status }) => status)).toEqual(found.map(() => 'trading'));
  });

  it('reads the real HTX frames of 2026', () => {
    const vectors = JSON.parse(readFileSync(`${recordedDir}/vectors/modern_frames_2026.json`, 'utf8')) as Vectors;
    const frames = vectors.frames.filter(({ v, raw }) => v.startsWith('htx-spot') && !raw.includes('account-'));
    const delta = rigOf('htx:spot', 'btcjpy');
    const told = frames.map(({ raw }) => delta.take({ frame: raw })?.update);
    expect(told[0]).toMatchObject({ kind: DELTA, lastSequence: 204675265972, previousSequence: 204675265969 });
    expect([...told[0]!.bids.prices.slice(0, 3)]).toEqual([13640078, 13638902, 11001001]);
    expect([...told[0]!.bids.qtys.slice(0, 3)]).toEqual([0.00036, 0.00017, 0]);
    expect(told.slice(1)).toEqual([undefined, undefined]);
    expect(delta.controls).toEqual(['error']);
    const { update } = rigOf('htx:spot', 'batjpy').take({ frame: frames[1]!.raw })!;
    expect(update).toMatchObject({ kind: SNAPSHOT, lastSequence: 200333109135, venueTimeMs: 1790134138994 });
    expect([update.bids.count, update.asks.count, update.asks.prices[2]]).toEqual([3, 3, 14.72]);
  });

  it('takes HTX’s incremental updates of another depth for what they are', () => {
    const [, frame] = messagesOf(examplesOf('htx').get('Subscriptions/Spot/OrderBookChange')!);
    expect(rigOf('htx:spot', 'ethusdt').take({ frame: frame! })).toBeUndefined();
    const { update } = rigOf('htx:spot', 'ethusdt').take({ frame: frame!.replace('mbp.5', 'mbp.150') })!;
    expect(update).toMatchObject({ kind: DELTA, lastSequence: 100020146795, previousSequence: 100020146794 });
    expect([update.bids.count, update.asks.count, update.asks.qtys[0]]).toEqual([0, 1, 26.75597395914065]);
  });

  it.each([
    ['bitfinex:spot', 'GetSymbols', 'BTCUST', 'BTC/USDT tBTCUST 1', 200],
    ['bitfinex:spot', 'GetSymbols', 'DSHUSD', 'DASH/USD tDSHUSD 1', 200],
    ['bitfinex:swap', 'GetFuturesSymbols', 'BTCF0:USTF0', 'BTC/USDT:USDT tBTCF0:USTF0 1', 40],
  ])('%s: lists what Bitfinex %s names and quotes', (name, list, pair, expected, least) => {
    const market = marketOf(name);
    const [pairs, names] = [list, 'GetAssetSymbols'].map((path) =>
      bodyOf(examplesOf('bitfinex').get(`Endpoints/Spot/ExchangeData/${path}`)!),
    );
    const listed = (JSON.parse(pairs!) as readonly (readonly (readonly [string])[])[])[0]!.map(([symbol]) => symbol);
    const tickers = listed.map((symbol) => [`t${symbol}`, 1, 1, 1, 1, 1, 1, 62_001.5, 1, 1, 1]);
    const found = market.instruments.parse([pairs!, names!, JSON.stringify(tickers)], market.defaultFees);
    expect(found.length).toBeGreaterThan(least);
    expect(new Set(found.map(({ id }) => id)).size).toBe(found.length);
    const one = found.find(({ venueSymbol }) => venueSymbol === `t${pair}`)!;
    expect(`${one.symbol} ${one.venueSymbol} ${textOf(one.tick)}`).toBe(expected);
    const quoted = JSON.stringify(tickers.filter(([symbol]) => symbol !== `t${pair}`));
    const rest = market.instruments.parse([pairs!, names!, quoted], market.defaultFees);
    expect(rest.map(({ venueSymbol }) => venueSymbol)).not.toContain(`t${pair}`);
  });

  it('gives the book of the real Bybit frames of 2026, and passes over its trades', () => {
    const vector = JSON.parse(
      readFileSync(`${recordedDir}/vectors/bybit_v5_ob50_btcusdt_linear_20260313.json`, 'utf8'),
    ) as {
      readonly frames: readonly string[];
      readonly trade: string;
      readonly expected: { readonly final_top5: object; readonly levels: object; readonly u: readonly number[] };
    };
    const rig = rigOf('bybit:linear', 'BTCUSDT');
    const taken = vector.frames.map((frame) => rig.take({ frame })!.update);
    expect(taken.map(({ lastSequence }) => lastSequence)).toEqual(vector.expected.u);
    expect(rig.take({ frame: vector.trade })).toBeUndefined();
    const book = rig.store.levels(taken[0]!.instrument)!;
    expect({ bids: book.bids.count, asks: book.asks.count }).toEqual(vector.expected.levels);
    const top = (side: typeof book.bids): string[][] => {
      const [prices, qtys] = [new Float64Array(5), new Float64Array(5)];
      side.read(prices, qtys, 0, NaN);
      return Array.from(prices, (price, at) => [String(price), String(qtys[at])]);
    };
    expect({ bids: top(book.bids), asks: top(book.asks) }).toEqual(vector.expected.final_top5);
  });
});
