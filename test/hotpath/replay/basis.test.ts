import { expect, it } from 'vitest';
import { reportBasis } from '#hotpath/replay/basis.ts';
import { venues } from '#hotpath/venues/index.ts';
import type { Line } from './frame-lines.ts';
import { fileOf, frameLines } from './frame-lines.ts';

const hosts = { spot: 'stream', usdm: 'fstream', cm: 'dstream' } as const;

/** A recording of best quotes: [milliseconds, bid, ask]. */
function quotes(
  market: keyof typeof hosts,
  symbol: string,
  rows: readonly (readonly [number, number, number])[],
): string {
  const open: Line = { at: 0, k: 'open', c: 'ws', u: `wss://${hosts[market]}.binance.com/stream` };
  const lines = rows.map(([at, bid, ask], index): Line => {
    const data = { e: 'bookTicker', u: index + 1, s: symbol, b: `${bid}`, B: '1', a: `${ask}`, A: '1' };
    return { at, k: 'in', c: 'ws', d: { stream: `${symbol.toLowerCase()}@bookTicker`, data } };
  });
  return fileOf(frameLines([open, ...lines]));
}

it('measures episodes between evaluations, and stops with the last USD-M quote', async () => {
  const files = [
    quotes('spot', 'BTCUSDT', [
      [1, 10_000, 10_000],
      [40, 9_990, 9_990],
      [70, 10_000, 10_000],
      [900, 5_000, 5_000],
    ]),
    quotes('usdm', 'BTCUSDT', [
      [2, 10_000, 10_000],
      [50, 10_020.5, 10_020.5],
      [100, 10_000, 10_000],
    ]),
    quotes('cm', 'BTCUSD_PERP', [[3, 10_000, 10_000]]),
  ] as const;
  const { results } = await reportBasis(files, { venues });
  expect(Object.keys(results)).toHaveLength(6);
  // Evaluated at 3, 40, 50, 70 and 100 ms: 0, 10.01, 30.53, 20.5, 0 bps.
  expect(results['buy_spot_sell_usdm']).toEqual({
    evaluations: 5,
    min_bps: 0,
    max_bps: 30.5305,
    episodes: [1, 1, 1, 1, 1, 1, 1, 1, 1],
    ms: [60, 60, 60, 60, 60, 60, 60, 60, 60],
  });
  expect(results['buy_cm_sell_usdm']).toMatchObject({ max_bps: 20.5, episodes: [1, 1, 1, 1, 1, 1, 1, 1, 1] });
  expect(results['buy_usdm_sell_spot']).toMatchObject({ max_bps: 0, episodes: [0, 0, 0, 0, 0, 0, 0, 0, 0] });

  const paying = await reportBasis(files, { venues, fees: { spotBps: 10, perpBps: 5 } });
  expect(paying.results['buy_spot_sell_usdm']).toMatchObject({ round_trip_fees_bps: 30, profitable_episodes: 1 });
  expect(paying.results['buy_cm_sell_usdm']).toMatchObject({ round_trip_fees_bps: 20, profitable_episodes: 1 });
  // One contract of 100 dollars is a hundredth of a coin at 10,000.
  expect(paying.results['buy_spot_sell_usdm']).toMatchObject({ coins_at_max: 1 });
  expect(paying.results['buy_cm_sell_usdm']).toMatchObject({ coins_at_max: 0.01 });
  const dearer = await reportBasis(files, { venues, fees: { spotBps: 10, perpBps: 6 } });
  expect(dearer.results['buy_spot_sell_usdm']).toMatchObject({ round_trip_fees_bps: 32, profitable_episodes: 0 });
});

it('says nothing before every market has spoken', async () => {
  const files = [
    quotes('spot', 'BTCUSDT', [[1, 10_000, 10_001]]),
    quotes('usdm', 'BTCUSDT', [[2, 10_000, 10_001]]),
    quotes('cm', 'BTCUSD_PERP', [[3, 10_000, 10_001]]),
  ] as const;
  const { results } = await reportBasis(files, { venues });
  expect(results['buy_spot_sell_cm']).toMatchObject({ evaluations: 0, min_bps: null, max_bps: null });
});

it('refuses a file of several instruments', async () => {
  const two = fileOf(
    frameLines(
      ['BTCUSDT', 'ETHUSDT'].map((symbol) => ({
        k: 'in',
        c: 'ws',
        u: 'wss://stream.binance.com/stream',
        d: { stream: 'x@bookTicker', data: { u: 1, s: symbol, b: '1', B: '1', a: '2', A: '1' } },
      })),
    ),
  );
  await expect(reportBasis([two, two, two], { venues })).rejects.toThrow('files of one instrument, this one has 2');
});

it('refuses files of several coins', async () => {
  const row = [[1, 10_000, 10_001]] as const;
  const files = [quotes('spot', 'BTCUSDT', row), quotes('usdm', 'ETHUSDT', row), quotes('cm', 'BTCUSD_PERP', row)];
  const [spot, usdm, coinm] = files as [string, string, string];
  await expect(reportBasis([spot, usdm, coinm], { venues })).rejects.toThrow('files of one coin, these have BTC, ETH');
});
