import { BadInput } from '#shared/assert.ts';
import type { EngineEvent } from '#shared/schema/event.ts';
import type { Backoff } from '../runtime/backoff.ts';
import type { JournalPosition, JournalReader } from './journal.ts';
import type { OutboxRecord } from './outbox.ts';
import { BATCH_BYTES_MAX, BATCH_RECORDS_MAX, OutboxBatch, packed } from './outbox.ts';
import type { PositionFile } from './position-file.ts';

/** Puts records into a stream: for each its error code, or undefined. Rejects when the request as a whole came to nothing. */
export type PutRecords = (records: readonly OutboxRecord[]) => Promise<readonly (string | undefined)[]>;

export type ShipperOptions = {
  readonly reader: JournalReader;
  readonly position: PositionFile<JournalPosition>;
  readonly put: PutRecords;
  readonly backoff: Backoff;
  readonly sleep: (ms: number) => Promise<void>;
};

/**
 * Carries the journal to a stream, batch by batch, for ever: nothing is skipped, nothing of a key overtakes, and nothing is read ahead of
 * what is not yet acknowledged. After a crash at most one batch is sent again.
 */
export class Shipper {
  published: number;
  lastError = '';
  readonly #options: ShipperOptions;
  #batch: OutboxBatch | undefined;

  constructor(options: ShipperOptions, start: JournalPosition) {
    this.#options = options;
    this.published = start.seq;
  }

  /** Unix nanoseconds, as text, of the oldest record that was read and not acknowledged; undefined when there is none. */
  get oldestAt(): string | undefined {
    const oldest = this.#batch?.oldest;
    return oldest === undefined ? undefined : (JSON.parse(oldest.json.split('\n', 1)[0]!) as EngineEvent).at;
  }

  /** Ships what is there, at most one batch, however long that takes; returns how many records it was. */
  async shipBatch(): Promise<number> {
    const { reader, position } = this.#options;
    const records = reader.read(BATCH_RECORDS_MAX, BATCH_BYTES_MAX);
    const last = records.at(-1);
    if (last === undefined) return 0;
    const batch = new OutboxBatch(
      packed(records.map(({ seq, json }) => ({ seq, json, key: (JSON.parse(json) as EngineEvent).key }))),
    );
    this.#batch = batch;
    while (!batch.isDone) await this.#request(batch);
    this.#batch = undefined;
    position.save(last.end);
    this.published = last.seq;
    return records.length;
  }

  async #request(batch: OutboxBatch): Promise<void> {
    const { put, backoff, sleep } = this.#options;
    const sent = batch.next();
    try {
      const failures = await put(sent);
      batch.settle(sent, failures);
      const failure = failures.find((code) => code !== undefined);
      if (failure === undefined) {
        backoff.reset();
        this.lastError = '';
        return;
      }
      this.lastError = failure;
    } catch (error) {
      // Whatever a stream or the way to it does is outside; a broken promise of ours is not.
      if (!isOutside(error)) throw error;
      this.lastError = errorText(error);
    }
    await sleep(backoff.nextMs());
  }
}

/** What the SDK throws without a code: no answer in time, and no word from where credentials come from. */
const OUTSIDE_NAMES: ReadonlySet<string> = new Set(['TimeoutError', 'CredentialsProviderError']);

/** Errors of the SDK, of sockets, and nonsense from outside. */
export const isOutside = (error: unknown): error is Error =>
  error instanceof BadInput ||
  (error instanceof Error && ('$metadata' in error || 'code' in error || OUTSIDE_NAMES.has(error.name)));

/** One line for people: what happened, to what. */
export const errorText = (error: Error): string => {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  return `${code}: ${error.message}`.slice(0, 300);
};
