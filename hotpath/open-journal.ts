import { mkdirSync } from 'node:fs';
import type { Clock } from '#shared/clock/clock.ts';
import type { EngineEvent } from '#shared/schema/event.ts';
import { Journal, readJournal } from './publish/journal.ts';
import { lastSeqOfEpoch, segmentsIn } from './publish/segments.ts';
import type { JournalState } from './recover/journal-state.ts';
import { loadState, saveCheckpoint } from './recover/startup.ts';
import type { Logger } from './runtime/logger.ts';

export type OpeningOptions = {
  readonly directory: string;
  readonly engine: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Of the lease; absent where none is asked for. */
  readonly epoch: number | undefined;
  /** Up to which record the journal has been shipped: older segments may go, once a checkpoint stands for them. */
  readonly publishedSeq: () => number;
};

export type Opened = {
  readonly journal: Journal;
  /** What the journal says; it follows along. */
  readonly state: JournalState;
  /** Who hears every fact that is journalled from now on. */
  readonly facts: { heard?: (event: EngineEvent) => void };
};

/** Of 64 MiB each: days of history beside the archive that the stream makes. */
const SEGMENTS_RETAINED = 32;

/** Opening cuts or leaves behind a torn tail and puts up the fence of a new epoch, so it comes before reading. */
export function openJournal({ directory, engine, clock, logger, epoch, publishedSeq }: OpeningOptions): Opened {
  const facts: Opened['facts'] = {};
  const journal = new Journal({
    directory,
    engine,
    clock,
    epoch,
    observe: (event) => {
      state.apply(event);
      facts.heard?.(event);
    },
    onRotate: () => {
      saveCheckpoint(directory, state, journal.epoch);
      journal.prune(Math.min(state.seq, publishedSeq()), SEGMENTS_RETAINED);
    },
  });
  if (journal.tornBytes > 0) logger.warn('journal-tail-torn', { bytes: journal.tornBytes });
  const state: JournalState = stateOf(directory);
  // What an older writer saves from now on is void: there must be a checkpoint that is not.
  if (epoch !== undefined) saveCheckpoint(directory, state, epoch);
  return { journal, state, facts };
}

/** The last epoch that a journal knows, whoever writes it now; 0 where there is none. */
export function lastEpochIn(directory: string): number {
  mkdirSync(directory, { recursive: true });
  return Math.max(stateOf(directory).epoch, segmentsIn(directory).at(-1)?.epoch ?? 0);
}

const stateOf = (directory: string): JournalState =>
  loadState(directory, {
    read: (afterSeq) => readJournal(directory, afterSeq),
    counts: (epoch, seq) => seq <= lastSeqOfEpoch(epoch, segmentsIn(directory)),
  });
