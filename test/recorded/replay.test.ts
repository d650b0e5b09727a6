import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { reportBasis } from '#hotpath/replay/basis.ts';
import type { BookReport } from '#hotpath/replay/book-report.ts';
import { reportBooks } from '#hotpath/replay/book-report.ts';
import { laneFrom } from '#hotpath/replay/lane.ts';
import { venues } from '#hotpath/venues/index.ts';

const recorded = process.env['RECORDED_DIR'] ?? '../shared/recorded';
const files = [
  ['cryptofeed/binance', 'cryptofeed_binance'],
  ['cryptofeed/binance_futures', 'cryptofeed_binance_futures'],
  ['cryptofeed/okx', 'cryptofeed_okx'],
  ['derived/okx_books_seqid_2026form', 'derived_okx_books_seqid_2026form'],
  ['derived/kraken_v2_from_v1', 'derived_kraken_v2_from_v1'],
  ['bybit/xrpusdt_linear_ob500_20241201', 'bybit_xrpusdt_linear_ob500'],
  ['cryptofeed/gateio', 'cryptofeed_gateio'],
  ['cryptofeed/kucoin', 'cryptofeed_kucoin'],
  ['cryptofeed/huobi', 'cryptofeed_huobi'],
  ['cryptofeed/bitfinex', 'cryptofeed_bitfinex'],
  ['cryptofeed/deribit', 'cryptofeed_deribit'],
  ['cryptofeed/kraken', 'cryptofeed_kraken'],
  ['derived/bitfinex_cs_seq', 'derived_bitfinex_cs_seq'],
  ['hftbacktest/spot_btcusdt_20240808', 'hft_spot_btcusdt_20240808'],
  ['hftbacktest/usdm_btcusdt_20240808', 'hft_usdm_btcusdt_20240808'],
  ['hftbacktest/cm_btcusd_perp_20240808', 'hft_cm_btcusd_perp_20240808'],
] as const;
/** The market of files that do not name their URL. */
const laneOfFile: Readonly<Record<string, string>> = { 'bybit/xrpusdt_linear_ob500_20241201': 'bybit:linear' };

const checksumsAlone: ReadonlySet<string> = new Set(['derived/bitfinex_cs_seq']);

type Expected = {
  readonly symbols: Readonly<Record<string, Partial<BookReport> & { readonly deltas?: number }>>;
};
/** Some are keyed `HUOBI:btcusdt`. */
const withoutVenue = (symbol: string): string => symbol.replace(/^HUOBI:/, '');
/** Some files write sequences as text; null where the venue numbers sockets, not books. */
const expectedOf = (name: string): unknown =>
  JSON.parse(readFileSync(`${recorded}/expected/${name}.json`, 'utf8'), (key, value: unknown) => {
    if (!/^(last_)?seq$/.test(key)) return value;
    return typeof value === 'string' ? Number(value) : (value ?? undefined);
  });

describe.skipIf(!existsSync(recorded))('recorded frames, replayed (skipped without RECORDED_DIR)', () => {
  it.each(files)('%s gives the expected books', async (file, name) => {
    const { symbols } = expectedOf(name) as Expected;
    const lane = laneOfFile[file];
    const report = await reportBooks(`${recorded}/${file}.frames.jsonl.gz`, {
      venues,
      ...(lane === undefined ? {} : { lane: laneFrom(lane, venues) }),
    });
    expect(report).toMatchObject({ gaps: 0, crossed: 0, malformed: 0 });
    expect(Object.keys(report.books).sort()).toEqual(Object.keys(symbols).map(withoutVenue).sort());
    for (const [symbol, { stats, deltas, ...expected }] of Object.entries(symbols)) {
      const found = report.books[withoutVenue(symbol)]!;
      expect(found, symbol).toMatchObject(expected);
      // Where checksums are frames of their own they count as changes of nothing.
      const alone = checksumsAlone.has(file) ? found.stats.cs_checked : 0;
      expect(found.stats.applied - alone, symbol).toBe(stats?.applied ?? deltas);
      expect(found.stats.cs_ok, symbol).toBe(found.stats.cs_checked);
      if (stats !== undefined) expect(found.stats, symbol).toMatchObject(withoutDeltas(stats));
    }
  });

  it('checks the checksum of every Kraken frame', async () => {
    const { books } = await reportBooks(`${recorded}/derived/kraken_v2_from_v1.frames.jsonl.gz`, { venues });
    const checked = Object.values(books).map(({ stats }) => stats.cs_checked - stats.snapshots - stats.applied);
    expect(checked).toEqual(Object.keys(books).map(() => 0));
  });

  it('checks every checksum of Bitfinex, and counts every frame of its socket', async () => {
    const { symbols } = expectedOf('derived_bitfinex_cs_seq') as Expected;
    const report = await reportBooks(`${recorded}/derived/bitfinex_cs_seq.frames.jsonl.gz`, { venues });
    expect(report).toMatchObject({ gaps: 0, crossed: 0, malformed: 0 });
    // The peer kept no sequence, and a checksum alone is no delta to it.
    for (const [symbol, { deltas, final_top5, levels, full_book_sha256_16 }] of Object.entries(symbols)) {
      const { stats, ...found } = report.books[symbol]!;
      expect(found, symbol).toMatchObject({ final_top5, levels, full_book_sha256_16 });
      expect(stats.applied - stats.cs_checked, symbol).toBe(deltas);
      expect(stats.cs_ok, symbol).toBe(stats.cs_checked);
    }
    const checked = Object.values(report.books).reduce((sum, { stats }) => sum + stats.cs_checked, 0);
    expect(checked).toBe(78);
  });

  it('gives every figure of the known basis', async () => {
    const report = await reportBasis(basisFiles, { venues });
    expect(report).toEqual(expectedOf('known_basis_btc_20240808'));
  });

  it('finds nothing that pays retail taker fees on the way in and out', async () => {
    const report = await reportBasis(basisFiles, { venues, fees: { spotBps: 10, perpBps: 5 } });
    for (const pair of Object.values(report.results)) expect(pair.profitable_episodes).toBe(0);
    // Offered at the widest edge, in coins: 2,163 contracts of 100 dollars at 61671.4 on the COIN-M side.
    expect(report.results['buy_usdm_sell_cm']).toMatchObject({ max_bps: 11.5909, coins_at_max: 3.50729836 });
    expect(report.results['buy_cm_sell_spot']).toMatchObject({ max_bps: 4.8489, coins_at_max: 0.27 });
  });
});

const basisFiles = [
  `${recorded}/hftbacktest/spot_btcusdt_20240808.frames.jsonl.gz`,
  `${recorded}/hftbacktest/usdm_btcusdt_20240808.frames.jsonl.gz`,
  `${recorded}/hftbacktest/cm_btcusd_perp_20240808.frames.jsonl.gz`,
] as const;

/** The peer counts deltas received; the books count those applied and those dropped. */
function withoutDeltas(stats: object): object {
  return Object.fromEntries(Object.entries(stats).filter(([name]) => name !== 'deltas'));
}
