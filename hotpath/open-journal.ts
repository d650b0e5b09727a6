import { BadInput } from '#shared/assert.ts';
import type { Clock, Timer } from '#shared/clock/clock.ts';
import type { EngineEvent } from '#shared/schema/event.ts';
import { JournalMemory } from './journal-memory.ts';
import { Journal } from './publish/journal.ts';
import type { JournalState } from './recover/journal-state.ts';
import { saveCheckpoint } from './recover/startup.ts';
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
  /** What a standby has read by now; nothing where absent. */
  readonly memory?: JournalMemory | undefined;
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
/** What is journalled is folded when the orders that it stands for have left. */
const FOLD_AFTER_MS = 1;

/** Opening cuts or leaves behind a torn tail and puts up the fence of a new epoch, so the last word is read after it. */
export function openJournal(options: OpeningOptions): Opened {
  const { directory, engine, clock, logger, epoch, publishedSeq } = options;
  const { memory = new JournalMemory(directory) } = options;
  const startNs = clock.now();
  memory.catchUp();
  const facts: Opened['facts'] = {};
  let folding: Timer | undefined;
  const fold = (): void => {
    folding = undefined;
    state.fold();
  };
  const foldSoon = (): void => {
    folding ??= clock.after(FOLD_AFTER_MS, fold);
  };
  const journal = new Journal({
    directory,
    engine,
    clock,
    epoch,
    known: memory.position,
    observe: (event) => {
      state.defer(event);
      foldSoon();
      facts.heard?.(event);
    },
    onRotate: () => {
      saveCheckpoint(directory, state, journal.epoch);
      journal.prune(Math.min(state.seq, publishedSeq()), SEGMENTS_RETAINED);
    },
  });
  if (journal.tornBytes > 0) logger.warn('journal-tail-torn', { bytes: journal.tornBytes });
  memory.catchUp();
  memory.close();
  const { state } = memory;
  if (state.seq !== journal.lastSeq)
    throw new BadInput(
      `somebody else writes the journal: directory=${directory}, last=${journal.lastSeq}, read=${state.seq}`,
    );
  // What an older writer saves from now on is void: there must be a checkpoint that is not.
  if (epoch !== undefined) saveCheckpoint(directory, state, epoch);
  logger.info('journal-open', { records: state.seq, tookMs: Math.round((clock.now() - startNs) / 1e6) });
  return { journal, state, facts };
}
