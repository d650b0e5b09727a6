import type { KinesisClient, ShardIteratorType } from '@aws-sdk/client-kinesis';
import { GetRecordsCommand, GetShardIteratorCommand, ListShardsCommand } from '@aws-sdk/client-kinesis';
import type { Command } from '#shared/schema/command.ts';
import { command } from '#shared/schema/command.ts';
import type { PositionFile } from './position-file.ts';

/** Which commands were handed over: by shard the last sequence number; what arrived before `sinceMs`, the first start, is
 * not meant for this engine. */
export type CommandPosition = { readonly sinceMs: number; readonly shards: Readonly<Record<string, string>> };

export type CommandPollerOptions = {
  readonly kinesis: KinesisClient;
  readonly stream: string;
  readonly position: PositionFile<CommandPosition>;
  readonly nowMs: () => number;
  /** Resolves once the command is carried out and written down: only then does the position move past it. */
  readonly onCommand: (command: Command) => Promise<void>;
};

const RECORDS_MAX = 100;
/** Ids of commands handed over, so that a repeated record does nothing. */
const SEEN_MAX = 1_000;
/** Looks for new shards this often. */
const SHARDS_EVERY = 200;

/**
 * Reads the `commands` stream in order, shard by shard, and hands each command over once, except that an engine which died over a command is
 * told it again; what is no command is counted and skipped.
 */
export class CommandPoller {
  malformed = 0;
  readonly #options: CommandPollerOptions;
  readonly #open = new Set<string>();
  readonly #closed = new Set<string>();
  readonly #iterators = new Map<string, string>();
  readonly #seen = new Set<string>();
  #position: CommandPosition;
  #polls = 0;

  constructor(options: CommandPollerOptions) {
    this.#options = options;
    const saved = options.position.load();
    this.#position = saved ?? { sinceMs: options.nowMs(), shards: {} };
    if (saved === undefined) options.position.save(this.#position);
  }

  /** One look at every shard. @throws the SDK's errors; the next poll goes on where this one stood. */
  async poll(): Promise<void> {
    if (this.#polls % SHARDS_EVERY === 0 || this.#open.size === 0) await this.#findShards();
    this.#polls += 1;
    for (const shard of this.#open) await this.#pollShard(shard);
  }

  async #pollShard(shard: string): Promise<void> {
    const { kinesis } = this.#options;
    const iterator = this.#iterators.get(shard) ?? (await this.#iteratorOf(shard));
    if (iterator === undefined) return;
    // An iterator that fails is not used again: the position finds a new one.
    this.#iterators.delete(shard);
    const answer = await kinesis.send(new GetRecordsCommand({ ShardIterator: iterator, Limit: RECORDS_MAX }));
    for (const { Data, ApproximateArrivalTimestamp } of answer.Records ?? []) {
      if ((ApproximateArrivalTimestamp?.getTime() ?? Infinity) >= this.#position.sinceMs) await this.#hand(Data);
    }
    const last = answer.Records?.at(-1)?.SequenceNumber;
    if (last !== undefined) this.#save({ ...this.#position.shards, [shard]: last });
    if (answer.NextShardIterator !== undefined) this.#iterators.set(shard, answer.NextShardIterator);
    else this.#close(shard);
  }

  /** A shard that was split or merged and read to its end. */
  #close(shard: string): void {
    this.#open.delete(shard);
    this.#closed.add(shard);
  }

  async #hand(data: Uint8Array | undefined): Promise<void> {
    const parsed = command.safeParse(jsonFrom(data));
    if (!parsed.success) {
      this.malformed += 1;
      return;
    }
    const { id } = parsed.data;
    if (this.#seen.has(id)) return;
    this.#seen.add(id);
    if (this.#seen.size > SEEN_MAX) {
      for (const oldest of this.#seen) {
        this.#seen.delete(oldest);
        break;
      }
    }
    await this.#options.onCommand(parsed.data);
  }

  async #findShards(): Promise<void> {
    const { kinesis, stream } = this.#options;
    const { Shards = [] } = await kinesis.send(new ListShardsCommand({ StreamName: stream }));
    for (const { ShardId } of Shards) if (ShardId !== undefined && !this.#closed.has(ShardId)) this.#open.add(ShardId);
  }

  async #iteratorOf(shard: string): Promise<string | undefined> {
    const after = this.#position.shards[shard];
    try {
      // From the beginning rather than by time: kinesalite never answers for a time after which nothing came.
      const type: ShardIteratorType = after === undefined ? 'TRIM_HORIZON' : 'AFTER_SEQUENCE_NUMBER';
      const { kinesis, stream } = this.#options;
      const request = { StreamName: stream, ShardId: shard, ShardIteratorType: type, StartingSequenceNumber: after };
      return (await kinesis.send(new GetShardIteratorCommand(request))).ShardIterator;
    } catch (error) {
      // The stream was made anew: what we remember of the old one says nothing about this one.
      if (!(error instanceof Error && error.name === 'InvalidArgumentException' && after !== undefined)) throw error;
      this.#save(Object.fromEntries(Object.entries(this.#position.shards).filter(([known]) => known !== shard)));
      return undefined;
    }
  }

  #save(shards: CommandPosition['shards']): void {
    this.#position = { ...this.#position, shards };
    this.#options.position.save(this.#position);
  }
}

function jsonFrom(data: Uint8Array | undefined): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(data));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
