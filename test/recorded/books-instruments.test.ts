import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { venues } from '#hotpath/venues/index.ts';
import { textOf } from '#shared/money/grid.ts';
import { hasRecorded, recordedDir } from '#test/support/recorded.ts';

/** File, part of the URL, market, how many are listed at least, and one of them as it must come out. */
const cases = [
  ['binance', 'api/v3', 'binance', 'spot', 1_600, 'BTC/USDT spot BTCUSDT 0.01 0.00001 1'],
  ['binance_futures', 'fapi', 'binance', 'usdm', 100, 'BTC/USDT:USDT perpetual BTCUSDT 0.01 0.001 1'],
  ['binance_futures', 'fapi', 'binance', 'usdm', 100, 'BTC/USDT:USDT-210924 future BTCUSDT_210924 0.1 0.001 1'],
  ['okx', 'instType=SPOT', 'okx', 'spot', 300, 'BTC/USDT spot BTC-USDT 0.1 0.00000001 1'],
  ['okx', 'instType=SWAP', 'okx', 'swap', 100, 'UNI/USD:UNI perpetual UNI-USD-SWAP 0.001 1 10'],
  ['okx', 'instType=FUTURES', 'okx', 'futures', 50, 'BTC/USD:BTC-220527 future BTC-USD-220527 0.1 1 100'],
  ['kraken', 'AssetPairs', 'kraken', 'spot', 290, 'BTC/USD spot BTC/USD 0.1 0.00000001 1'],
  ['kucoin', 'api/v1/symbols', 'kucoin', 'spot', 630, 'ANKR/BTC spot ANKR-BTC 0.0000000001 0.0001 1'],
  ['gateio', 'currency_pairs', 'gate', 'spot', 1_450, 'BTC/USDT spot BTC_USDT 0.01 0.0001 1'],
  ['gateio', 'currency_pairs', 'gate', 'spot', 1_450, 'HAI/ETH spot HAI_ETH 0.00000001 0.001 1'],
  ['kraken', 'AssetPairs', 'kraken', 'spot', 290, 'DOGE/USD spot DOGE/USD 0.0000001 0.00000001 1'],
  ['huobi', 'common/symbols', 'htx', 'spot', 900, 'YEE/BTC spot yeebtc 0.0000000001 0.01 1'],
  [
    'deribit',
    'currency=BTC',
    'deribit',
    'options',
    300,
    'BTC/USD:BTC-210924-40000-P option BTC-24SEP21-40000-P 0.0005 0.1 1',
  ],
  ['deribit', 'currency=BTC', 'deribit', 'futures', 5, 'BTC/USD:BTC-210924 future BTC-24SEP21 0.5 10 1'],
  ['deribit', 'currency=BTC', 'deribit', 'swap', 0, 'BTC/USD:BTC perpetual BTC-PERPETUAL 0.5 10 1'],
  ['deribit', 'currency=USDC', 'deribit', 'swap', 0, 'UNI/USDC:USDC perpetual UNI_USDC-PERPETUAL 0.001 1 1'],
] as const;

describe.skipIf(!hasRecorded)('recorded instrument lists (skipped without RECORDED_DIR)', () => {
  it.each(cases)('%s %s: %s %s', (file, path, venue, marketId, least, one) => {
    const lines = gunzipSync(readFileSync(`${recordedDir}/cryptofeed/${file}.instruments.jsonl.gz`))
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { readonly u: string; readonly d: string });
    const market = venues.find(({ id }) => id === venue)!.markets.find(({ id }) => id === marketId)!;
    const bodies = lines.filter(({ u }) => u.includes(path)).map(({ d }) => d);
    const instruments = market.instruments.parse([bodies[0]!], market.defaultFees);
    expect(instruments.length).toBeGreaterThan(least);
    expect(new Set(instruments.map(({ id }) => id)).size).toBe(instruments.length);
    const described = instruments.map(({ symbol, kind, venueSymbol, tick, lot, contractSize }) =>
      [symbol, kind, venueSymbol, textOf(tick), textOf(lot), textOf(contractSize)].join(' '),
    );
    expect(described).toContain(one);
    for (const { minQty, lot } of instruments) expect(minQty.greaterThan(0) && lot.greaterThan(0)).toBe(true);
  });
});
