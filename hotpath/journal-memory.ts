import { mkdirSync } from 'node:fs';
import { BadInput } from '#shared/assert.ts';
import type { EngineEvent } from '#shared/schema/event.ts';
import type { JournalPosition, JournalReader } from './publish/journal.ts';
import { readerBefore } from './publish/journal.ts';
import { lastSeqOfEpoch, segmentsIn } from './publish/segments.ts';
import type { JournalState } from './recover/journal-state.ts';
import { loadState } from './recover/startup.ts';

const RECORDS = 1_000;
const BYTES = 1_000_000;

/** What a journal says, read as it grows: a standby that has followed it need only read the end when its turn comes. */
export class JournalMemory {
  readonly #directory: string;
  #state: JournalState;
  #reader: JournalReader;
  /** Where reading began. In this segment there are records that the checkpoint has in it already. */
  #begin: JournalPosition;

  /** Reads nothing yet but the newest checkpoint. @throws BadInput when that is none */
  constructor(directory: string) {
    mkdirSync(directory, { recursive: true });
    this.#directory = directory;
    [this.#state, this.#reader] = beginIn(directory);
    this.#begin = this.#reader.position;
  }

  get state(): JournalState {
    return this.#state;
  }

  /** Up to here the journal is good, and in the state. */
  get position(): JournalPosition {
    return this.#reader.position;
  }

  /** The last epoch that the journal knows, whoever writes it now; 0 where there is none. */
  get lastEpoch(): number {
    return Math.max(this.#state.epoch, segmentsIn(this.#directory).at(-1)?.epoch ?? 0);
  }

  /**
   * Reads on to the end. Where a fence was put up behind what was read, or what comes next was removed, it begins anew.
   * @throws BadInput on a damaged journal, or when the checkpoint speaks of records that are not there
   */
  catchUp(): void {
    if (this.#isReadOn()) return;
    this.close();
    [this.#state, this.#reader] = beginIn(this.#directory);
    this.#begin = this.#reader.position;
    if (!this.#readOn()) throw new BadInput(`the checkpoint is ahead of the journal: directory=${this.#directory}`);
  }

  /** Nothing more is read. */
  close(): void {
    this.#reader.close();
  }

  #isReadOn(): boolean {
    try {
      return this.#readOn();
    } catch (error) {
      if (!(error instanceof BadInput)) throw error;
      return false;
    }
  }

  /** False when what was read counts no more. */
  #readOn(): boolean {
    for (;;) {
      const records = this.#reader.read(RECORDS, BYTES);
      for (const { seq, json, end } of records) {
        if (seq <= this.#state.seq && this.#isAtBegin(end)) continue;
        if (seq !== this.#state.seq + 1) return false;
        // The CRC says that these are our own words: they need no second schema check.
        this.#state.apply(JSON.parse(json) as EngineEvent);
      }
      if (records.length === 0) return this.position.seq === this.#state.seq && !this.#isCutOff();
    }
  }

  /** What it reads was removed meanwhile, and so may be what follows it. */
  #isCutOff(): boolean {
    const { segment, epoch, seq } = this.position;
    return seq > 0 && !segmentsIn(this.#directory).some((found) => found.first === segment && found.epoch === epoch);
  }

  #isAtBegin({ segment, epoch }: JournalPosition): boolean {
    return segment === this.#begin.segment && epoch === this.#begin.epoch;
  }
}

function beginIn(directory: string): [JournalState, JournalReader] {
  const state = loadState(directory, (epoch, seq) => seq <= lastSeqOfEpoch(epoch, segmentsIn(directory)));
  return [state, readerBefore(directory, state.seq + 1)];
}
