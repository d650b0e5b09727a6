import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { KinesisClient, Shard, _Record } from '@aws-sdk/client-kinesis';
import { GetRecordsCommand, GetShardIteratorCommand, ListShardsCommand } from '@aws-sdk/client-kinesis';
import type { KinesisStreamEvent, KinesisStreamRecord } from 'aws-lambda';
import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { Clock } from '#shared/clock/clock.ts';
import type { Log } from '#functions/common/log.ts';

export type EventSourceOptions = {
  readonly kinesis: KinesisClient;
  readonly stream: string;
  readonly handler: (event: KinesisStreamEvent) => Promise<BatchResponse>;
  readonly checkpointFile: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly batchSize?: number;
  /** Pause after an empty answer. */
  readonly pollMs?: number;
  readonly maxRecordAgeMs?: number;
  /** Told of a record that was given up because it is older than `maxRecordAgeMs` and still fails: the on-failure queue. */
  readonly onDiscarded?: (record: KinesisStreamRecord) => void;
};
type BatchResponse = { readonly batchItemFailures: readonly { readonly itemIdentifier: string }[] };

export type EventSource = {
  /** Batches in hand are finished and their positions kept. */
  readonly stop: () => Promise<void>;
};

const BACKOFF_MS = { first: 50, max: 2_000 };
const DISCOVER_EVERY_MS = 5_000;
const DAY_MS = 86_400_000;

/**
 * What Lambda's event source mapping does, on this machine: each shard read in order, one batch in flight a shard, a failed part retried
 * with backoff (a batch that throws is halved until the culprit stands alone), the position kept on disk only after success.
 * Delivery is at least once.
 */
export function startEventSource(options: EventSourceOptions): EventSource {
  const checkpoints = new Checkpoints(options.checkpointFile);
  const gate = new Gate(options.clock);
  const running = new Map<string, Promise<void>>();

  const discover = async (): Promise<void> => {
    while (gate.open) {
      try {
        for (const shard of startable(await shardsOf(options), checkpoints)) {
          const id = shard.ShardId!;
          if (running.has(id)) continue;
          const reading = new ShardReader(options, checkpoints, gate, id).run().finally(() => {
            running.delete(id);
            // A shard that is read out may have children that wait for it.
            gate.wake();
          });
          running.set(id, reading);
        }
      } catch (error) {
        options.log.warn('shards-unknown', { stream: options.stream, cause: String(error) });
      }
      await gate.pause(running.size === 0 ? 250 : DISCOVER_EVERY_MS);
    }
  };
  const discovering = discover();

  return {
    stop: async () => {
      gate.close();
      await discovering;
      await Promise.all(running.values());
    },
  };
}

class ShardReader {
  readonly #options: EventSourceOptions;
  readonly #checkpoints: Checkpoints;
  readonly #gate: Gate;
  readonly #shard: string;
  #iterator: string | undefined;
  #backoffMs = BACKOFF_MS.first;

  constructor(options: EventSourceOptions, checkpoints: Checkpoints, gate: Gate, shard: string) {
    this.#options = options;
    this.#checkpoints = checkpoints;
    this.#gate = gate;
    this.#shard = shard;
  }

  /** Until the shard ends (it was split or merged and is read out) or the source stops. */
  async run(): Promise<void> {
    while (this.#gate.open) {
      try {
        if (!(await this.#step())) return;
        this.#backoffMs = BACKOFF_MS.first;
      } catch (error) {
        // The stream does not answer, or our iterator is too old: a new one from the checkpoint loses nothing.
        this.#iterator = undefined;
        const { stream, log } = this.#options;
        // Once an outage, not once a try.
        if (this.#backoffMs === BACKOFF_MS.first) {
          log.warn('shard-read-failed', { stream, shard: this.#shard, cause: String(error) });
        }
        await this.#backOff();
      }
    }
  }

  /** Reads once; false at the shard's end. */
  async #step(): Promise<boolean> {
    const { kinesis, stream, batchSize = 500, pollMs = 250 } = this.#options;
    this.#iterator ??= await this.#iteratorFromCheckpoint();
    const answer = await kinesis.send(new GetRecordsCommand({ ShardIterator: this.#iterator, Limit: batchSize }));
    const records = (answer.Records ?? []).map((record) => lambdaRecord(stream, this.#shard, record));
    if (records.length > 0) {
      await this.#deliver(records);
      if (!this.#gate.open) return false;
    }
    this.#iterator = answer.NextShardIterator;
    if (this.#iterator === undefined) {
      this.#checkpoints.set(this.#shard, 'done');
      return false;
    }
    if (records.length < batchSize) await this.#gate.pause(pollMs);
    return true;
  }

  async #iteratorFromCheckpoint(): Promise<string> {
    const { kinesis, stream } = this.#options;
    const after = this.#checkpoints.get(this.#shard);
    const { ShardIterator } = await kinesis.send(
      new GetShardIteratorCommand({
        StreamName: stream,
        ShardId: this.#shard,
        ...(after === undefined
          ? { ShardIteratorType: 'TRIM_HORIZON' }
          : { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: after }),
      }),
    );
    if (ShardIterator === undefined) throw new BadInput(`no iterator for ${stream} ${this.#shard}`);
    return ShardIterator;
  }

  /** Hands over all of them, in order, however often it takes. Returns early only when the source stops. */
  async #deliver(records: readonly KinesisStreamRecord[]): Promise<void> {
    let from = 0;
    let size = records.length;
    while (from < records.length && this.#gate.open) {
      const batch = records.slice(from, from + size);
      const done = await this.#invoke(batch);
      if (done > 0) {
        from += done;
        this.#checkpoints.set(this.#shard, batch[done - 1]!.kinesis.sequenceNumber);
        this.#backoffMs = BACKOFF_MS.first;
        size = done === batch.length ? records.length : batch.length - done;
        continue;
      }
      size = Math.max(1, Math.floor(batch.length / 2));
      if (batch.length === 1 && this.#tooOld(batch[0]!)) {
        this.#options.onDiscarded?.(batch[0]!);
        this.#options.log.error('record-discarded', { stream: this.#options.stream, position: batch[0]!.eventID });
        from += 1;
        this.#checkpoints.set(this.#shard, batch[0]!.kinesis.sequenceNumber);
        continue;
      }
      await this.#backOff();
    }
  }

  /** How many records from the start of the batch are done. */
  async #invoke(batch: readonly KinesisStreamRecord[]): Promise<number> {
    let response: BatchResponse;
    try {
      response = await this.#options.handler({ Records: [...batch] });
    } catch (error) {
      this.#options.log.warn('handler-failed', { stream: this.#options.stream, cause: String(error) });
      return 0;
    }
    const failed = new Set(response.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
    if (failed.size === 0) return batch.length;
    const first = batch.findIndex(({ kinesis }) => failed.has(kinesis.sequenceNumber));
    // Lambda takes an identifier that it does not know for a failure of the whole batch.
    return Math.max(0, first);
  }

  #tooOld(record: KinesisStreamRecord): boolean {
    const { clock, maxRecordAgeMs = DAY_MS } = this.#options;
    return clock.unixMs(clock.now()) - record.kinesis.approximateArrivalTimestamp * 1000 > maxRecordAgeMs;
  }

  async #backOff(): Promise<void> {
    await this.#gate.pause(this.#backoffMs);
    this.#backoffMs = Math.min(this.#backoffMs * 2, BACKOFF_MS.max);
  }
}

/** Pauses that end early when the source stops. */
class Gate {
  open = true;
  readonly #clock: Clock;
  readonly #wakers = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async pause(ms: number): Promise<void> {
    if (!this.open) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        timer.cancel();
        this.#wakers.delete(wake);
        resolve();
      };
      const timer = this.#clock.after(ms, wake);
      this.#wakers.add(wake);
    });
  }

  wake(): void {
    for (const wake of [...this.#wakers]) wake();
  }

  close(): void {
    this.open = false;
    this.wake();
  }
}

/** Shard → last sequence number done, or `done` for a shard that is read out. Written by rename: whole or not at all. */
class Checkpoints {
  readonly #file: string;
  readonly #positions: Record<string, string>;

  constructor(file: string) {
    this.#file = file;
    this.#positions = positionsIn(file);
  }

  get(shard: string): string | undefined {
    return this.#positions[shard];
  }

  set(shard: string, position: string): void {
    this.#positions[shard] = position;
    mkdirSync(dirname(this.#file), { recursive: true });
    writeFileSync(`${this.#file}.new`, JSON.stringify(this.#positions));
    renameSync(`${this.#file}.new`, this.#file);
  }
}

function positionsIn(file: string): Record<string, string> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
  try {
    return z.record(z.string(), z.string()).parse(JSON.parse(text));
  } catch {
    throw new BadInput(`checkpoint file ${file} is damaged; without it the stream is read again from its start`);
  }
}

async function shardsOf({ kinesis, stream }: EventSourceOptions): Promise<readonly Shard[]> {
  const shards: Shard[] = [];
  let token: string | undefined;
  do {
    const page = await kinesis.send(
      new ListShardsCommand(token === undefined ? { StreamName: stream } : { NextToken: token }),
    );
    shards.push(...(page.Shards ?? []));
    token = page.NextToken;
  } while (token !== undefined);
  return shards;
}

/** Children wait for their parents, so that the order of a key survives a split or a merge. */
function startable(shards: readonly Shard[], checkpoints: Checkpoints): readonly Shard[] {
  const listed = new Set(shards.map(({ ShardId }) => ShardId));
  const isRead = (parent: string | undefined): boolean =>
    parent === undefined || !listed.has(parent) || checkpoints.get(parent) === 'done';
  return shards.filter(
    ({ ShardId, ParentShardId, AdjacentParentShardId }) =>
      checkpoints.get(ShardId!) !== 'done' && isRead(ParentShardId) && isRead(AdjacentParentShardId),
  );
}

/** A record as Lambda hands it over. */
function lambdaRecord(stream: string, shard: string, record: _Record): KinesisStreamRecord {
  const sequenceNumber = record.SequenceNumber!;
  return {
    awsRegion: 'local',
    eventID: `${shard}:${sequenceNumber}`,
    eventName: 'aws:kinesis:record',
    eventSource: 'aws:kinesis',
    eventSourceARN: `arn:aws:kinesis:local:000000000000:stream/${stream}`,
    eventVersion: '1.0',
    invokeIdentityArn: 'local',
    kinesis: {
      kinesisSchemaVersion: '1.0',
      partitionKey: record.PartitionKey!,
      sequenceNumber,
      data: Buffer.from(record.Data!).toString('base64'),
      approximateArrivalTimestamp: (record.ApproximateArrivalTimestamp?.getTime() ?? 0) / 1000,
    },
  };
}
