import { createHash } from 'node:crypto';
import { Decimal } from 'decimal.js';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { ApplyOutcome, MarketUpdate } from '#shared/domain/market-event.ts';
import { APPLIED, DELTA, SNAPSHOT } from '#shared/domain/market-event.ts';
import { textOf } from '#shared/money/grid.ts';
import type { Levels } from '../book/book.ts';
import type { Venue } from '../venues/venue.ts';
import type { Progress } from './frame-file.ts';
import { readFrameFile } from './frame-file.ts';
import type { Lane } from './lane.ts';
import { instrumentsOf } from './registry.ts';
import { Replay } from './replay.ts';
import { surveyFile } from './survey.ts';

/** Price and size as canonical decimals: no exponent, no trailing zeros, size in the venue's unit. */
type LevelText = readonly [price: string, qty: string];
type Side5 = { readonly bids: readonly LevelText[]; readonly asks: readonly LevelText[] };

/** What one recorded file says, and whether its books hold together. Keys of `books` are the venue's symbols. */
export type FileReport = {
  readonly file: string;
  readonly frames: number;
  readonly updates: number;
  readonly malformed: number;
  readonly seconds: number;
  /** Breaks of a book's rules, and of a socket's own count of its frames. */
  readonly gaps: number;
  /** Times that a book was seen crossed. */
  readonly crossed: number;
  readonly books: Readonly<Record<string, BookReport>>;
};

export type BookReport = {
  readonly last_seq: number | null;
  readonly final_top5: Side5;
  readonly levels: { readonly bids: number; readonly asks: number };
  /** First 16 hex digits of SHA-256 over `price:size|…` of the bids high to low, `#`, the asks low to high. */
  readonly full_book_sha256_16: string;
  /** After applied delta 1, 2, 5, 10, 20, 50, …; after those whole books where the venue sends nothing else. */
  readonly checkpoints: readonly Checkpoint[];
  readonly stats: {
    readonly snapshots: number;
    readonly applied: number;
    readonly stale_dropped: number;
    readonly gaps: number;
    readonly cs_checked: number;
    readonly cs_ok: number;
  };
};

/** `after_frame` is the 0-based line of the frame. */
type Checkpoint = Side5 & { readonly after_frame: number; readonly seq: number | null };

export type ReportOptions = {
  readonly venues: readonly Venue[];
  readonly lane?: Lane;
  readonly onProgress?: Progress;
};

/** Replays one file and describes its books. @throws BadInput */
export async function reportBooks(path: string, options: ReportOptions): Promise<FileReport> {
  const { onProgress } = options;
  const survey = await surveyFile(path, { ...options, onProgress: (share) => onProgress?.(share / 2) });
  const instruments = await instrumentsOf(survey);
  const books = instruments.map(() => new BookWatch());
  const replay: Replay = new Replay([{ survey, instruments }], (update, outcome, line) => {
    books[update.instrument]!.see(replay, update, outcome, line);
  });
  const lines = readFrameFile(path, (share) => onProgress?.(0.5 + share / 2));
  for await (const batch of lines) for (const line of batch) replay.play(0, line);

  const described = instruments.flatMap(({ venueSymbol }, index) => {
    const report = describe(replay, index as InstrumentIndex, books[index]!);
    return report === undefined ? [] : [[venueSymbol, report] as const];
  });
  return {
    file: path,
    frames: replay.frames,
    updates: replay.updates,
    malformed: replay.malformed,
    seconds: Number(survey.lastUnixNs - survey.firstUnixNs) / 1e9,
    gaps: described.reduce((sum, [, { stats }]) => sum + stats.gaps, replay.losses),
    crossed: books.reduce((sum, { crossed }) => sum + crossed, 0),
    books: Object.fromEntries(described),
  };
}

const TOP = 5;

/** Follows one book through the replay: checkpoints, and how often it crossed. */
class BookWatch {
  readonly deltas = new Checkpoints();
  /** Of feeds that send the whole book each time. */
  readonly fulls = new Checkpoints();
  crossed = 0;
  #isCrossed = false;

  see(replay: Replay, { kind, instrument }: MarketUpdate, outcome: ApplyOutcome, line: number): void {
    if (outcome !== APPLIED) return;
    const isCrossed = replay.store.depths.status(instrument) === 'crossed';
    if (isCrossed && !this.#isCrossed) this.crossed += 1;
    this.#isCrossed = isCrossed;
    if (kind === DELTA) this.deltas.count(replay, instrument, line);
    else if (kind === SNAPSHOT) this.fulls.count(replay, instrument, line);
  }
}

/** The top of a book at its 1st, 2nd, 5th, 10th, … applied update of a kind. */
class Checkpoints {
  readonly list: Checkpoint[] = [];
  #count = 0;
  #next = 1;

  count(replay: Replay, instrument: InstrumentIndex, line: number): void {
    this.#count += 1;
    if (this.#count < this.#next) return;
    this.#next = nextCheckpoint(this.#next);
    this.list.push({ after_frame: line, seq: sequenceOf(replay, instrument), ...topOf(replay, instrument, TOP) });
  }
}

/** 1, 2, 5, 10, 20, 50, … */
const nextCheckpoint = (last: number): number => last * (String(last).startsWith('2') ? 2.5 : 2);

/** Undefined for a symbol that never had a book. */
function describe(
  replay: Replay,
  instrument: InstrumentIndex,
  { deltas: afterDeltas, fulls }: BookWatch,
): BookReport | undefined {
  const { snapshots, deltas, deltasDropped, gaps, checksums, checksumsWrong } = replay.store.statistics(instrument);
  if (snapshots === 0) return undefined;
  // Nothing but whole books: each of them is an update.
  const sendsWhole = deltas === 0 && snapshots > 1;
  const { bids, asks } = topOf(replay, instrument, Infinity);
  const text = `${bids.map(levelText).join('|')}#${asks.map(levelText).join('|')}`;
  return {
    last_seq: sequenceOf(replay, instrument),
    final_top5: { bids: bids.slice(0, TOP), asks: asks.slice(0, TOP) },
    levels: { bids: bids.length, asks: asks.length },
    full_book_sha256_16: createHash('sha256').update(text).digest('hex').slice(0, 16),
    checkpoints: (sendsWhole ? fulls : afterDeltas).list,
    stats: {
      snapshots,
      applied: sendsWhole ? snapshots : deltas,
      stale_dropped: deltasDropped,
      gaps,
      cs_checked: checksums,
      cs_ok: checksums - checksumsWrong,
    },
  };
}

const levelText = ([price, qty]: LevelText): string => `${price}:${qty}`;

/** The depth book itself, without quotes. */
function topOf(replay: Replay, instrument: InstrumentIndex, levelsMax: number): Side5 {
  const book = replay.store.levels(instrument);
  if (book === undefined) return { bids: [], asks: [] };
  const texts = (side: Levels): LevelText[] => {
    const length = Math.min(side.count, levelsMax);
    const prices = new Float64Array(length);
    const qtys = new Float64Array(length);
    const found = side.read(prices, qtys, 0, NaN);
    return Array.from({ length: found }, (_level, at) => [canonical(prices[at]!), canonical(qtys[at]!)]);
  };
  return { bids: texts(book.bids), asks: texts(book.asks) };
}

/** The shortest decimal that reads back as `value` is the venue's own text, less its trailing zeros. */
const canonical = (value: number): string => textOf(new Decimal(value));

function sequenceOf(replay: Replay, instrument: InstrumentIndex): number | null {
  const sequence = replay.store.lastSequence(instrument);
  return Number.isNaN(sequence) ? null : sequence;
}
