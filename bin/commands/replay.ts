import { writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { BadInput } from '#shared/assert.ts';
import type { BasisReport, TakerFees } from '#hotpath/replay/basis.ts';
import { THRESHOLDS_BPS, reportBasis } from '#hotpath/replay/basis.ts';
import type { BookReport, FileReport } from '#hotpath/replay/book-report.ts';
import { reportBooks } from '#hotpath/replay/book-report.ts';
import { laneFrom } from '#hotpath/replay/lane.ts';
import { venues } from '#hotpath/venues/index.ts';

type Options = {
  readonly books?: true;
  readonly report?: string;
  readonly venue?: string;
  readonly bboBasis?: readonly string[];
  readonly spotFeeBps?: number;
  readonly perpFeeBps?: number;
};

/** `arb replay`: recorded frames through the engine's own decoders and books, on the recording's clock. */
export function replayCommand(): Command {
  return new Command('replay')
    .description("Play recorded frames through the engine's decoders and books, on the recording's own clock.")
    .argument('[files...]', 'frame files (*.frames.jsonl or .gz)')
    .option('--books', "print every book's sequence, size and hash, not its top alone")
    .option('--report <file>', 'write the result as JSON')
    .addOption(
      new Option('--venue <venue:market>', 'for files whose URLs do not tell, such as binance:spot').conflicts(
        'bboBasis',
      ),
    )
    .option('--bbo-basis <files...>', 'measure the basis between SPOT USDM COINM recordings of one coin')
    .option('--spot-fee-bps <bps>', 'with --bbo-basis: count what pays after this taker fee on spot', bpsFrom)
    .option('--perp-fee-bps <bps>', 'with --bbo-basis: and this one on the perpetuals', bpsFrom)
    .addHelpText('after', HELP)
    .action(async (files: readonly string[], options: Options, command: Command) => {
      if (options.bboBasis === undefined && feesFrom(options) !== undefined) {
        command.error('error: fees go with --bbo-basis');
      }
      const progress = new ProgressLine();
      if (options.bboBasis !== undefined) await replayBasis([...options.bboBasis, ...files], options, progress);
      else if (files.length > 0) await replayBooks(files, options, progress);
      else command.error('error: name the files to replay');
    });
}

const HELP = `
A frame file has one JSON object a line: t (receive time, Unix nanoseconds, as text), k (open, out, in, http), u (URL), d (text) or b (base64).
Venue and market are told from the recorded URLs; *.instruments.jsonl.gz beside a file is used when it is there. A snapshot request is
answered with the first recorded answer at or after it.

  arb replay day.frames.jsonl.gz                             a table: frames, books, gaps, final best prices
  arb replay --books --report books.json a.gz b.gz           top 5, hashes and checkpoints of every book as JSON
  arb replay --venue kraken:spot capture.jsonl               a capture without URLs
  arb replay --bbo-basis spot.gz usdm.gz coinm.gz            how wide the basis stood, how often, for how long
      --spot-fee-bps 10 --perp-fee-bps 5                     and what is left after entering and leaving both legs`;

async function replayBooks(paths: readonly string[], options: Options, progress: ProgressLine): Promise<void> {
  const lane = options.venue === undefined ? {} : { lane: laneFrom(options.venue, venues) };
  const files: FileReport[] = [];
  for (const path of paths) {
    const startedMs = performance.now();
    const report = await reportBooks(path, { venues, ...lane, onProgress: (share) => progress.show(path, share) });
    progress.clear();
    files.push(report);
    process.stdout.write(`${tableOf(report, options.books === true, (performance.now() - startedMs) / 1e3)}\n`);
  }
  if (options.report !== undefined) writeReport(options.report, { files });
}

async function replayBasis(paths: readonly string[], options: Options, progress: ProgressLine): Promise<void> {
  const [spot, usdm, coinm, ...more] = paths;
  if (spot === undefined || usdm === undefined || coinm === undefined || more.length > 0) {
    throw new BadInput('--bbo-basis takes three files: SPOT USDM COINM');
  }
  const fees = feesFrom(options);
  const report = await reportBasis([spot, usdm, coinm], {
    venues,
    ...(fees === undefined ? {} : { fees }),
    onProgress: (share) => progress.show('basis', share),
  });
  progress.clear();
  process.stdout.write(`${basisTableOf(report)}\n`);
  if (options.report !== undefined) writeReport(options.report, report);
}

function feesFrom({ spotFeeBps, perpFeeBps }: Options): TakerFees | undefined {
  if (spotFeeBps === undefined && perpFeeBps === undefined) return undefined;
  return { spotBps: spotFeeBps ?? 0, perpBps: perpFeeBps ?? 0 };
}

function bpsFrom(text: string): number {
  const bps = text.trim() === '' ? NaN : Number(text);
  if (!Number.isFinite(bps)) throw new InvalidArgumentError('A number of basis points is needed, such as 10.');
  return bps;
}

function writeReport(path: string, report: unknown): void {
  try {
    writeFileSync(path, `${JSON.stringify(report, null, 1)}\n`);
  } catch (error) {
    throw new BadInput(`cannot write ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function tableOf(report: FileReport, withHashes: boolean, elapsedSeconds: number): string {
  const { file, frames, updates, malformed, gaps, crossed, seconds, books } = report;
  const head = [
    `${frames} frames`,
    `${updates} updates`,
    `${Object.keys(books).length} books`,
    `${gaps} gaps`,
    `${crossed} crossed`,
    ...(malformed > 0 ? [`${malformed} malformed`] : []),
    `${seconds.toFixed(1)} s recorded`,
    `${Math.round(frames / Math.max(seconds, 1e-9))} messages/s`,
    `replayed at ${Math.round(frames / elapsedSeconds)}/s`,
  ];
  const titles = ['book', 'bid', 'bid size', 'ask', 'ask size', 'deltas', 'dropped', 'gaps', 'checksums'];
  const rows = Object.entries(books).map(([symbol, book]) => rowOf(symbol, book, withHashes));
  return `${file}: ${head.join(', ')}\n${columns([withHashes ? [...titles, 'levels', 'sequence', 'sha256'] : titles, ...rows])}`;
}

function rowOf(
  symbol: string,
  { final_top5, stats, levels, last_seq, ...book }: BookReport,
  withHashes: boolean,
): string[] {
  const [bid = ['-', '-']] = final_top5.bids;
  const [ask = ['-', '-']] = final_top5.asks;
  const checksums = stats.cs_checked === 0 ? '-' : `${stats.cs_ok}/${stats.cs_checked}`;
  const counts = [stats.applied, stats.stale_dropped, stats.gaps].map(String);
  const row = [symbol, ...bid, ...ask, ...counts, checksums];
  if (!withHashes) return row;
  return [...row, `${levels.bids}+${levels.asks}`, String(last_seq ?? '-'), book.full_book_sha256_16];
}

function basisTableOf({ results }: BasisReport): string {
  const pairs = Object.entries(results);
  const withFees = pairs.some(([, { profitable_episodes }]) => profitable_episodes !== undefined);
  const titles = ['pair', 'evaluations', 'min bps', 'max bps', ...THRESHOLDS_BPS.map((bps) => `>${bps}`)];
  const rows = pairs.map(([name, pair]) => [
    name.replaceAll('_', ' '),
    String(pair.evaluations),
    String(pair.min_bps ?? '-'),
    String(pair.max_bps ?? '-'),
    ...pair.episodes.map((count, at) => (count === 0 ? '-' : `${count} (${Math.round(pair.ms[at]!)} ms)`)),
    ...(withFees ? [`${pair.profitable_episodes ?? 0} above ${pair.round_trip_fees_bps ?? 0} bps`] : []),
  ]);
  return columns([withFees ? [...titles, 'pays after fees'] : titles, ...rows]);
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_title, at) => Math.max(...rows.map((row) => row[at]!.length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join('  ');
  return rows.map((row) => `  ${line(row)}`).join('\n');
}

/** How far a long replay is: rewritten in place on a terminal, a line every few seconds elsewhere, nothing for what is soon done. */
class ProgressLine {
  #nextMs = performance.now() + 1_000;
  #shown = false;

  show(what: string, share: number): void {
    const nowMs = performance.now();
    if (nowMs < this.#nextMs) return;
    const text = `replay ${what}: ${Math.floor(share * 100)} %`;
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
    else process.stderr.write(`${text}\n`);
    this.#shown = true;
    this.#nextMs = nowMs + (process.stderr.isTTY ? 100 : 3_000);
  }

  clear(): void {
    if (this.#shown && process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    this.#shown = false;
    this.#nextMs = performance.now() + 1_000;
  }
}
