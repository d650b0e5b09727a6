import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Levels } from '#hotpath/book/book.ts';
import { BookStore } from '#hotpath/book/book-store.ts';
import { FeedSink } from '#hotpath/feed/sink.ts';
import { snapshotSymbolOf } from '#hotpath/replay/lane.ts';
import { Frame } from '#hotpath/runtime/frame.ts';
import { venues } from '#hotpath/venues/index.ts';
import type { Market } from '#hotpath/venues/venue.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import { APPLIED, BROKEN, QUOTE } from '#shared/domain/market-event.ts';
import { amountOf, textOf } from '#shared/money/grid.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { hasRecorded, recordedDir, recordedLines } from '#test/support/recorded.ts';

type Level = readonly [price: string, qty: string];
type Sides = { readonly bids: readonly Level[]; readonly asks: readonly Level[] };
type Expected = {
  readonly symbols: Record<
    string,
    {
      readonly stats?: { readonly cs_checked?: number; readonly stale_dropped?: number };
      /** Null where the venue numbers sockets, not books. */
      readonly last_seq: number | null;
      readonly final_top5: Sides;
      readonly levels: { readonly bids: number; readonly asks: number };
      readonly full_book_sha256_16: string;
      readonly checkpoints?: readonly (Sides & { readonly after_frame: number; readonly seq: number })[];
    }
  >;
};

/** File, expectations, venue, market, and the tick where the ring layout is to be proven too. */
const cases: readonly (readonly [file: string, expected: string, venue: string, market: string, tick?: string])[] = [
  ['cryptofeed/binance', 'cryptofeed_binance', 'binance', 'spot'],
  ['cryptofeed/binance_futures', 'cryptofeed_binance_futures', 'binance', 'usdm'],
  ['cryptofeed/okx', 'cryptofeed_okx', 'okx', 'spot'],
  ['cryptofeed/okx', 'cryptofeed_okx', 'okx', 'spot', '0.1'],
  ['derived/okx_books_seqid_2026form', 'derived_okx_books_seqid_2026form', 'okx', 'swap'],
  ['derived/kraken_v2_from_v1', 'derived_kraken_v2_from_v1', 'kraken', 'spot'],
  ['derived/kraken_v2_from_v1', 'derived_kraken_v2_from_v1', 'kraken', 'spot', '0.00000001'],
  ['bybit/xrpusdt_linear_ob500_20241201', 'bybit_xrpusdt_linear_ob500', 'bybit', 'linear'],
  ['bybit/xrpusdt_linear_ob500_20241201', 'bybit_xrpusdt_linear_ob500', 'bybit', 'linear', '0.0001'],
  ['cryptofeed/gateio', 'cryptofeed_gateio', 'gate', 'spot-updates'],
  ['cryptofeed/kucoin', 'cryptofeed_kucoin', 'kucoin', 'spot-classic'],
  ['cryptofeed/kucoin', 'cryptofeed_kucoin', 'kucoin', 'spot-classic', '0.0000000001'],
  ['cryptofeed/bitfinex', 'cryptofeed_bitfinex', 'bitfinex', 'spot'],
  ['cryptofeed/bitfinex', 'cryptofeed_bitfinex', 'bitfinex', 'spot', '0.000001'],
  ['cryptofeed/kraken', 'cryptofeed_kraken', 'kraken', 'spot-v1'],
  ['derived/bitfinex_cs_seq', 'derived_bitfinex_cs_seq', 'bitfinex', 'spot'],
  ['cryptofeed/deribit', 'cryptofeed_deribit', 'deribit', 'options'],
  ['cryptofeed/deribit', 'cryptofeed_deribit', 'deribit', 'options', '0.0005'],
  ['hftbacktest/spot_btcusdt_20240808', 'hft_spot_btcusdt_20240808', 'binance', 'spot', '0.01'],
  ['hftbacktest/usdm_btcusdt_20240808', 'hft_usdm_btcusdt_20240808', 'binance', 'usdm', '0.1'],
  ['hftbacktest/cm_btcusd_perp_20240808', 'hft_cm_btcusd_perp_20240808', 'binance', 'coinm', '0.1'],
];

/** Some files write them as text. */
const sequencesAsNumbers = (key: string, value: unknown): unknown =>
  /^(last_)?seq$/.test(key) && typeof value === 'string' ? Number(value) : value;

function marketOf(venue: string, market: string): Market {
  const { markets = [], recorded = [] } = venues.find(({ id }) => id === venue) ?? {};
  const found = [...markets, ...recorded].find(({ id }) => id === market);
  if (found === undefined) throw new Error(`${venue}:${market} is not registered`);
  return found;
}

const prices = new Float64Array(50_000);
const qtys = new Float64Array(50_000);
const plain = (value: number): string => textOf(amountOf(value));

function levelsOf(side: Levels, limit = Infinity): Level[] {
  const count = Math.min(limit, side.read(prices, qtys, 0, NaN));
  return Array.from({ length: count }, (_, at) => [plain(prices[at]!), plain(qtys[at]!)] as const);
}

const hashOf = ({ bids, asks }: Sides): string =>
  createHash('sha256')
    .update([bids, asks].map((side) => side.map((level) => level.join(':')).join('|')).join('#'))
    .digest('hex')
    .slice(0, 16);

/** Replays a file through decode and books, and collects what the expectations speak of. */
function replay(file: string, market: Market, venue: string, symbols: readonly string[], tick?: string) {
  const lines = recordedLines(file);
  const startNs = BigInt(lines[0]!.t);
  const instruments = symbols.map((symbol) => instrumentOf(venue, market.id, symbol, tick));
  const lineOfSequence = new Map<string, number>();
  const applied: { symbol: string; line: number; seq: number; top: Sides }[] = [];
  const bookOf = (instrument: InstrumentIndex) => store.levels(instrument)!;
  const store = new BookStore({
    instruments,
    rulesOf: () => market.book,
    clock: new VirtualClock(startNs),
    staleAfterMs: Infinity,
    onDelta: ({ instrument, lastSequence }) => {
      const symbol = symbols[instrument]!;
      const line = lineOfSequence.get(`${symbol} ${lastSequence}`)!;
      if (!wanted.has(`${symbol} ${line}`)) return;
      const top = { bids: levelsOf(bookOf(instrument).bids, 5), asks: levelsOf(bookOf(instrument).asks, 5) };
      applied.push({ symbol, line, seq: lastSequence, top });
    },
  });
  const wanted = new Set<string>();
  let line = 0;
  let broken = 0;
  let wrongQuotes = 0;
  const sink = new FeedSink({
    instruments,
    venue,
    market: market.id,
    onControl: () => undefined,
    onUpdate: (update) => {
      if (update.kind !== QUOTE) lineOfSequence.set(`${symbols[update.instrument]!} ${update.lastSequence}`, line);
      const outcome = store.apply(update);
      if (outcome === BROKEN) broken += 1;
      if (outcome !== APPLIED || update.kind !== QUOTE) return;
      if (store.tops.bid[update.instrument] !== update.bids.prices[0]) wrongQuotes += 1;
    },
  });
  const frame = new Frame();
  const run = (): void => {
    for (const { t, k, d = '', u = '' } of lines) {
      const bytes = Buffer.from(d);
      sink.update.receivedTimeNs = Number(BigInt(t) - startNs) as TimeNs;
      frame.window(bytes, 0, bytes.length);
      if (k === 'in') market.decode(frame, sink);
      if (k === 'http' && market.book.snapshot.from === 'rest') {
        const symbol = snapshotSymbolOf(market, u) ?? '';
        market.book.snapshot.decode(frame, sink, symbols.indexOf(symbol) as InstrumentIndex);
      }
      line += 1;
    }
  };
  return { run, store, applied, wanted, outcomes: () => ({ broken, wrongQuotes }) };
}

describe.skipIf(!hasRecorded)('recorded books (skipped without RECORDED_DIR)', () => {
  for (const [file, expectedName, venue, marketId, tick] of cases) {
    it(`${file}${tick === undefined ? '' : ` (tick ${tick})`} gives every expected figure`, () => {
      const expected = JSON.parse(
        readFileSync(`${recordedDir}/expected/${expectedName}.json`, 'utf8'),
        sequencesAsNumbers,
      ) as Expected;
      const symbols = Object.keys(expected.symbols);
      const { run, store, applied, wanted, outcomes } = replay(file, marketOf(venue, marketId), venue, symbols, tick);
      for (const [symbol, { checkpoints = [] }] of Object.entries(expected.symbols)) {
        for (const { after_frame } of checkpoints) wanted.add(`${symbol} ${after_frame}`);
      }
      run();
      expect(outcomes()).toEqual({ broken: 0, wrongQuotes: 0 });
      for (const [at, symbol] of symbols.entries()) {
        const instrument = at as InstrumentIndex;
        const want = expected.symbols[symbol]!;
        const { bids, asks } = store.levels(instrument)!;
        const book = { bids: levelsOf(bids), asks: levelsOf(asks) };
        const statistics = store.statistics(instrument);
        expect({ bids: book.bids.slice(0, 5), asks: book.asks.slice(0, 5) }).toEqual(want.final_top5);
        expect({ bids: book.bids.length, asks: book.asks.length }).toEqual(want.levels);
        expect(hashOf(book)).toBe(want.full_book_sha256_16);
        if (want.last_seq !== null) expect(store.lastSequence(instrument)).toBe(want.last_seq);
        expect(statistics).toMatchObject({ gaps: 0, snapshots: 1, checksumsWrong: 0 });
        if (want.stats?.stale_dropped !== undefined) expect(statistics.deltasDropped).toBe(want.stats.stale_dropped);
        if (want.stats?.cs_checked !== undefined) expect(statistics.checksums).toBe(want.stats.cs_checked);
        // The first generation's snapshots carry none.
        if (venue === 'kraken') expect(statistics.checksums).toBe(statistics.deltas + (marketId === 'spot-v1' ? 0 : 1));
        expect(store.depths.status(instrument)).toBe('live');
        const checkpoints = applied
          .filter((delta) => delta.symbol === symbol)
          .map((delta) => ({ after_frame: delta.line, seq: delta.seq, ...delta.top }));
        expect(checkpoints).toEqual(want.checkpoints ?? []);
      }
    });
  }
});
