import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import type { KinesisStreamEvent } from 'aws-lambda';
import type { Clock } from '#shared/clock/clock.ts';
import { engineEvent, type EngineEvent } from '#shared/schema/event.ts';
import { ApplicationError } from '../common/errors.ts';
import { listOf, placementsOf, type Placement } from '../common/layout.ts';
import type { Log } from '../common/log.ts';
import type { StoreNames } from '../common/store.ts';
import { Table, type Item } from '../common/table.ts';
import { seqKey } from '../common/tables.ts';
import { buryIn, type SendDeadLetter } from './dead-letters.ts';
import { ALL_DONE, parsed, recordsOf, retryFrom, type BatchResponse, type StreamRecord } from './records.ts';

export type ProjectorOptions = {
  readonly client: DynamoDBDocumentClient;
  readonly names: StoreNames;
  readonly stream: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Told of every event once its effect is stored; again when a batch comes again. */
  readonly onProjected?: (events: readonly EngineEvent[]) => void;
  /** Told of every record that was buried. */
  readonly onPoison?: () => void;
  /** Sent every record that was buried, with the reason. */
  readonly sendDeadLetter?: SendDeadLetter;
};
export type Projector = (event: KinesisStreamEvent) => Promise<BatchResponse>;

/** Writes of one chunk that are under way at the same time. */
const CONCURRENCY = 16;
/**
 * Records whose fate is decided together: what fails later is retried from here, not from the start of a larger batch. An entity that
 * changes often within a chunk is written once.
 */
const CHUNK = 500;

/**
 * The `events` stream into the tables. Idempotent on (engine, seq): an event is stored under its sequence, and an entity takes an event
 * only if it has no later one; so a batch may come twice, in part, or late, and changes nothing. Poison goes to the dead letters and
 * never holds up a shard; a database that fails does, and the rest of the batch comes again.
 */
export function createProjector(options: ProjectorOptions): Projector {
  const state = new Table(options.client, options.names.state_table);
  const bury = buryIn(state, options.clock, options.sendDeadLetter);
  const store = createProjection(options);

  const project = async (chunk: readonly StreamRecord[]): Promise<void> => {
    const taken: Taken[] = [];
    for (const record of chunk) {
      const result = parsed(record.text, engineEvent);
      if ('value' in result) {
        taken.push({ text: record.text, event: result.value });
        continue;
      }
      await bury({ stream: options.stream, record, reason: result.reason });
      options.onPoison?.();
      options.log.error('poison-record', { stream: options.stream, position: record.position, reason: result.reason });
    }
    await store(taken);
    options.onProjected?.(taken.map(({ event }) => event));
  };

  return async (event) => {
    const records = recordsOf(event);
    for (let from = 0; from < records.length; from += CHUNK) {
      try {
        await project(records.slice(from, from + CHUNK));
      } catch (error) {
        if (!(error instanceof ApplicationError)) throw error;
        options.log.warn('projection-retried', { stream: options.stream, cause: error.message, detail: error.detail });
        return retryFrom(records[from]!);
      }
    }
    return ALL_DONE;
  };
}

export type ProjectionOptions = Pick<ProjectorOptions, 'client' | 'names' | 'clock'> & {
  /** Unix seconds: items that have ended by then are left out. */
  readonly endedBy?: number;
};

/** An event with its own words. */
export type Taken = { readonly text: string; readonly event: EngineEvent };

/**
 * Stores the effect of events, in whatever order, however often.
 * @throws ApplicationError 5001 when the database does not answer; the same events may come again
 */
export function createProjection({
  client,
  names,
  clock,
  endedBy = -Infinity,
}: ProjectionOptions): (taken: readonly Taken[]) => Promise<void> {
  const state = new Table(client, names.state_table);
  const events = new Table(client, names.events_table);
  const wait = (ms: number): Promise<void> => pause(clock, ms);
  return async (taken) => {
    const changes = changesOf(taken).filter((change) => endOf(change) > endedBy);
    await events.putAll(uniqueRows(taken), wait);
    await state.putAll(changes.filter(({ placement }) => placement.once === true).map(itemOf), wait);
    await applyAll(
      state,
      changes.filter(({ placement }) => placement.once !== true),
    );
  };
}

/** BatchWriteItem refuses one key twice; identical events are one event. */
function uniqueRows(taken: readonly Taken[]): Item[] {
  const rows = new Map<string, Item>();
  for (const { text, event } of taken) {
    rows.set(`${event.engine}#${event.seq}`, {
      engine: event.engine,
      sk: seqKey(event.seq),
      kind: event.kind,
      key: event.key,
      at: event.at,
      event: text,
    });
  }
  return [...rows.values()];
}

type Change = {
  readonly placement: Placement;
  readonly engine: string;
  /** The latest event of the entity in this chunk. */
  readonly seq: number;
  readonly atMs: number;
  readonly text: string;
  /** Where the entity stands in its list: its first event ever, as far as this chunk knows. */
  readonly listAt: string;
};

/** An event carries its entity's whole state, so the latest one of a chunk is enough. */
function changesOf(taken: readonly Taken[]): readonly Change[] {
  const changes = new Map<string, Change>();
  for (const { text, event } of taken) {
    const here = listAtOf(event);
    for (const placement of placementsOf(event)) {
      const id = `${placement.key.pk} ${placement.key.sk}`;
      const known = changes.get(id);
      const listAt = known === undefined || here < known.listAt ? here : known.listAt;
      if (known === undefined || event.seq > known.seq) {
        changes.set(id, { placement, engine: event.engine, seq: event.seq, atMs: atMsOf(event), text, listAt });
      } else if (listAt !== known.listAt) {
        changes.set(id, { ...known, listAt });
      }
    }
  }
  return [...changes.values()];
}

/** Where an event puts its entity in its list. */
export const listAtOf = ({ at, seq }: EngineEvent): string => `${at.padStart(20, '0')}#${seqKey(seq)}`;
const atMsOf = ({ at }: EngineEvent): number => Number(BigInt(at) / 1_000_000n);

const itemOf = ({ placement: { key, list }, engine, seq, text, listAt }: Change): Item => ({
  ...key,
  event: text,
  last_seq: seq,
  list_at: listAt,
  ...(list === undefined ? {} : { list: listOf(engine, list) }),
});

async function applyAll(state: Table, changes: readonly Change[]): Promise<void> {
  for (let from = 0; from < changes.length; from += CONCURRENCY) {
    await Promise.all(changes.slice(from, from + CONCURRENCY).map((change) => apply(state, change)));
  }
}

async function apply(state: Table, change: Change): Promise<void> {
  const { placement, engine, seq, text, listAt } = change;
  const { key, list } = placement;
  const endsAtS = placement.ttlMs === undefined ? undefined : endOf(change);
  await state.update(key, {
    UpdateExpression: `SET event = :event, last_seq = :seq, list_at = if_not_exists(list_at, :at)${
      list === undefined ? '' : ', #list = :list'
    }${endsAtS === undefined ? '' : ', #ttl = :ttl'}`,
    ConditionExpression: 'attribute_not_exists(last_seq) OR last_seq < :seq',
    ...namesOf({
      ...(list === undefined ? {} : { '#list': 'list' }),
      ...(endsAtS === undefined ? {} : { '#ttl': 'ttl' }),
    }),
    ExpressionAttributeValues: {
      ':event': text,
      ':seq': seq,
      ':at': listAt,
      ...(list === undefined ? {} : { ':list': listOf(engine, list) }),
      ...(endsAtS === undefined ? {} : { ':ttl': endsAtS }),
    },
  });
}

/** Unix seconds; by the event's time, so that projecting it again keeps nothing longer. */
const endOf = ({ placement: { ttlMs = Infinity }, atMs }: Change): number => Math.ceil((atMs + ttlMs) / 1_000);

/** Words that DynamoDB reserves need a placeholder, and a placeholder without use is refused. */
const namesOf = (
  names: Readonly<Record<string, string>>,
): { readonly ExpressionAttributeNames?: Record<string, string> } =>
  Object.keys(names).length === 0 ? {} : { ExpressionAttributeNames: names };

const pause = (clock: Clock, ms: number): Promise<void> =>
  new Promise((resolve) => {
    clock.after(ms, resolve);
  });
