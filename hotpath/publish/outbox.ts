import { assert } from '#shared/assert.ts';

/** One journal record on its way: `key` orders it against others, `json` is what consumers read. */
export type OutboxRecord = { readonly seq: number; readonly key: string; readonly json: string };

/** What a stream takes in one request (Kinesis PutRecords: 500 records, 5 MiB with keys); a batch stays below it as a whole. */
export const BATCH_RECORDS_MAX = 500;
export const BATCH_BYTES_MAX = 3_500_000;

/**
 * A run of journal records that is acknowledged as a whole before the position moves. A stream may take one record of a request and refuse
 * another before it, so a request holds at most one record of each key: what is refused holds back the later ones of its key.
 */
export class OutboxBatch {
  readonly #queues = new Map<string, OutboxRecord[]>();
  #left = 0;

  constructor(records: readonly OutboxRecord[]) {
    assert(records.length <= BATCH_RECORDS_MAX, 'a batch is larger than a request');
    for (const record of records) {
      const queue = this.#queues.get(record.key);
      if (queue === undefined) this.#queues.set(record.key, [record]);
      else queue.push(record);
    }
    this.#left = records.length;
  }

  get isDone(): boolean {
    return this.#left === 0;
  }

  /** The next request: the oldest record of every key that has one left. */
  next(): readonly OutboxRecord[] {
    return [...this.#queues.values()].map((queue) => queue[0]!);
  }

  /** Takes the acknowledged ones out. `failures` stands beside what {@link next} gave: the error code, or undefined where it was taken. */
  settle(sent: readonly OutboxRecord[], failures: readonly (string | undefined)[]): void {
    assert(sent.length === failures.length, 'a stream answered for another number of records');
    for (const [at, record] of sent.entries()) {
      if (failures[at] !== undefined) continue;
      const queue = this.#queues.get(record.key);
      assert(queue?.shift() === record, 'a record was acknowledged out of turn');
      if (queue.length === 0) this.#queues.delete(record.key);
      this.#left -= 1;
    }
  }

  /** Sequence number of the oldest record that is not acknowledged. */
  get oldest(): OutboxRecord | undefined {
    let oldest: OutboxRecord | undefined;
    for (const queue of this.#queues.values()) {
      if (oldest === undefined || queue[0]!.seq < oldest.seq) oldest = queue[0];
    }
    return oldest;
  }
}
