import { assert } from '#shared/assert.ts';

/** Journal records of one key on their way: `seq` of the first, `key` orders them against others, `json` is what consumers read, a line each. */
export type OutboxRecord = { readonly seq: number; readonly key: string; readonly json: string };

/** What a stream takes in one request (Kinesis PutRecords: 500 records, 5 MiB with keys); a batch stays below it as a whole. */
export const BATCH_RECORDS_MAX = 500;
export const BATCH_BYTES_MAX = 3_500_000;

/** Far below the megabyte that one stream record may have. */
const PACK_CHARS_MAX = 100_000;

/**
 * Records of one key that follow each other as one record, a line each: a request holds one record of a key at most, and a busy key would cost a
 * request an event. Who reads the stream reads lines (functions/stream/records.ts), and so does who reads the archive that is made of it.
 */
export function packed(records: readonly OutboxRecord[]): readonly OutboxRecord[] {
  const packs: OutboxRecord[] = [];
  const openOf = new Map<string, number>();
  for (const record of records) {
    const at = openOf.get(record.key);
    const open = at === undefined ? undefined : packs[at]!;
    if (at !== undefined && open !== undefined && open.json.length + record.json.length < PACK_CHARS_MAX) {
      packs[at] = { ...open, json: `${open.json}\n${record.json}` };
      continue;
    }
    openOf.set(record.key, packs.length);
    packs.push(record);
  }
  return packs;
}

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
