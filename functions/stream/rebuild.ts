import { createHash } from 'node:crypto';
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import type { Clock } from '#shared/clock/clock.ts';
import { engineEvent, type EngineEvent } from '#shared/schema/event.ts';
import { marketSample, type MarketSample } from '#shared/schema/status.ts';
import { placementsOf } from '../common/layout.ts';
import type { StoreNames } from '../common/store.ts';
import { Table, type Item, type Key } from '../common/table.ts';
import { seqKey } from '../common/tables.ts';
import type { TimeSeriesStore } from '../common/time-series.ts';
import { quotesOf } from './candles.ts';
import { createProjection, listAtOf, type Taken } from './projector.ts';
import { parsed } from './records.ts';

export type RebuildOptions = {
  readonly client: DynamoDBDocumentClient;
  readonly names: StoreNames;
  readonly engine: string;
  readonly series: TimeSeriesStore;
  readonly clock: Clock;
  /** The records as they were journalled, from the first one; asked for once to compare, and once more to write. Repetitions and any order are fine. */
  readonly read: () => AsyncIterable<string> | Iterable<string>;
  /** Events of this time alone, both inclusive. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Compare, and write nothing. */
  readonly dryRun: boolean;
  readonly onProgress?: (phase: 'reading' | 'comparing' | 'writing', count: number) => void;
};

/** How the tables stand to the events. */
export type Comparison = {
  /** Rows of the events table: how many there must be, and how many are not. */
  readonly events: { readonly expected: number; readonly missing: number };
  /** Items of the state table, of what has not ended by now. */
  readonly items: {
    readonly expected: number;
    readonly missing: number;
    /** At an earlier event than the last one. */
    readonly stale: number;
    /** At the right event, later in its list than its first event. */
    readonly misplaced: number;
    /** At a later event than any that was read: a projector is at work, or the events end before it. */
    readonly newer: number;
    /** At the right event in other words. Nothing of ours does that, so it is named and left alone. */
    readonly different: number;
  };
  /** SHA-256 over the expected items, as they must be and as they are; equal when nothing is wrong or newer. */
  readonly hash: { readonly expected: string; readonly found: string };
};

export type RebuildReport = {
  /** Lines by what they were: events of this engine and time, market samples, other events, and what is none of these. */
  readonly read: {
    readonly events: number;
    readonly samples: number;
    readonly others: number;
    readonly poison: number;
  };
  readonly before: Comparison;
  /** Absent in a dry run, or when nothing was wrong. */
  readonly after?: Comparison;
};

/** Nothing is missing, stale, misplaced or different; newer is right as well. */
export const isWhole = ({ events, items }: Comparison): boolean =>
  events.missing + items.missing + items.stale + items.misplaced + items.different === 0;

const CHUNK = 500;

/**
 * Brings the tables to what the events say: reads them into memory as one line an entity, asks the tables for those entities, and projects again the
 * events of what is wrong. It writes as the projector does, conditionally and idempotently, so both may run at the same time.
 * @throws ApplicationError 5001 when the database does not answer; to be started again
 */
export async function rebuild(options: RebuildOptions): Promise<RebuildReport> {
  const { dryRun, clock } = options;
  const fold = new Fold(Math.floor(clock.unixMs(clock.now()) / 1_000));
  const read = await foldAll(options, fold);
  const first = await compare(options, fold);
  if (dryRun || isWhole(first.comparison)) return { read, before: first.comparison };
  await projectAgain(options, first, fold.nowS);
  const second = await compare(options, fold);
  const state = new Table(options.client, options.names.state_table);
  for (const { key, listAt } of second.misplaced) await moveUp(state, key, listAt);
  const { comparison } = second.misplaced.length === 0 ? second : await compare(options, fold);
  return { read, before: first.comparison, after: comparison };
}

/** An entity as it must be: at the last of its events, listed where the first one put it. */
type Folded = { readonly key: Key; readonly seq: number; readonly digest: string; readonly listAt: string };

/** The state table as the events leave it, with a digest for each event. */
class Fold {
  readonly entities = new Map<string, Folded>();
  readonly seqs = new Set<number>();
  /** What has ended by now, in Unix seconds, is left out. */
  readonly nowS: number;

  constructor(nowS: number) {
    this.nowS = nowS;
  }

  take({ text, event }: Taken): void {
    const { seq } = event;
    this.seqs.add(seq);
    const here = listAtOf(event);
    for (const { key, ttlMs } of placementsOf(event)) {
      if (Math.ceil((atMsOf(event) + (ttlMs ?? Infinity)) / 1_000) <= this.nowS) continue;
      const id = idOf(key);
      const known = this.entities.get(id);
      const listAt = known === undefined || here < known.listAt ? here : known.listAt;
      if (known === undefined || seq > known.seq) this.entities.set(id, { key, seq, digest: digestOf(text), listAt });
      else if (listAt !== known.listAt) this.entities.set(id, { ...known, listAt });
    }
  }
}

async function foldAll(options: RebuildOptions, fold: Fold): Promise<RebuildReport['read']> {
  const count = { events: 0, samples: 0, others: 0, poison: 0 };
  const samples: MarketSample[] = [];
  const flush = async (): Promise<void> => {
    const quotes = quotesOf(samples.splice(0));
    if (!options.dryRun) await options.series.write(quotes, options.clock.unixMs(options.clock.now()));
  };
  let lines = 0;
  for await (const text of options.read()) {
    lines += 1;
    if (lines % 10_000 === 0) options.onProgress?.('reading', lines);
    const found = parsed(text, engineEvent);
    if ('value' in found) {
      const isWanted = isIn(options, found.value);
      count[isWanted ? 'events' : 'others'] += 1;
      if (isWanted) fold.take({ text, event: found.value });
      continue;
    }
    const sample = parsed(text, marketSample);
    if (!('value' in sample)) {
      count.poison += 1;
      continue;
    }
    count.samples += 1;
    samples.push(sample.value);
    if (samples.length === CHUNK) await flush();
  }
  await flush();
  return count;
}

const isIn = ({ engine, fromMs, toMs }: RebuildOptions, event: EngineEvent): boolean =>
  event.engine === engine && atMsOf(event) >= fromMs && atMsOf(event) <= toMs;

type Compared = {
  readonly comparison: Comparison;
  readonly missingSeqs: ReadonlySet<number>;
  readonly wrongIds: ReadonlySet<string>;
  readonly misplaced: readonly Folded[];
};

async function compare(options: RebuildOptions, fold: Fold): Promise<Compared> {
  const missingSeqs = await missingOf(options, fold.seqs);
  const state = new Table(options.client, options.names.state_table);
  const ids = [...fold.entities.keys()].sort();
  const items = { expected: ids.length, missing: 0, stale: 0, misplaced: 0, newer: 0, different: 0 };
  const hash = { expected: createHash('sha256'), found: createHash('sha256') };
  const wrongIds = new Set<string>();
  const misplaced: Folded[] = [];
  for (let from = 0; from < ids.length; from += CHUNK) {
    options.onProgress?.('comparing', from);
    const wanted = ids.slice(from, from + CHUNK).map((id) => fold.entities.get(id)!);
    const found = await state.getAll(
      wanted.map(({ key }) => key),
      (ms) => pause(options.clock, ms),
    );
    const byId = new Map(found.map((item) => [idOf(item as Item & Key), item]));
    for (const folded of wanted) {
      const item = byId.get(idOf(folded.key));
      hash.expected.update(lineOf(folded));
      hash.found.update(item === undefined ? '-' : lineOf(foldedFrom(item, folded.key)));
      const fault = faultOf(folded, item);
      if (fault === undefined) continue;
      items[fault] += 1;
      if (fault === 'missing' || fault === 'stale') wrongIds.add(idOf(folded.key));
      if (fault === 'misplaced') misplaced.push(folded);
    }
  }
  const comparison = {
    events: { expected: fold.seqs.size, missing: missingSeqs.size },
    items,
    hash: { expected: hash.expected.digest('hex'), found: hash.found.digest('hex') },
  };
  return { comparison, missingSeqs, wrongIds, misplaced };
}

function faultOf(folded: Folded, item: Item | undefined): Exclude<keyof Comparison['items'], 'expected'> | undefined {
  if (item === undefined) return 'missing';
  const found = foldedFrom(item, folded.key);
  if (found.seq < folded.seq) return 'stale';
  // Who begins in the middle of the events knows of no first one.
  if (found.listAt > folded.listAt) return 'misplaced';
  if (found.seq > folded.seq) return 'newer';
  return found.digest === folded.digest ? undefined : 'different';
}

const foldedFrom = (item: Item, key: Key): Folded => ({
  key,
  seq: Number(item['last_seq']),
  digest: digestOf(String(item['event'])),
  listAt: String(item['list_at']),
});

/** Of these sequences, those that the events table does not have. */
async function missingOf({ client, names, engine }: RebuildOptions, seqs: ReadonlySet<number>): Promise<Set<number>> {
  const missing = new Set(seqs);
  if (seqs.size === 0) return missing;
  const events = new Table(client, names.events_table);
  const [first, last] = edgesOf(seqs);
  let from: Record<string, unknown> | undefined;
  do {
    const page = await events.query({
      KeyConditionExpression: 'engine = :engine AND sk BETWEEN :first AND :last',
      ExpressionAttributeValues: { ':engine': engine, ':first': seqKey(first), ':last': seqKey(last) },
      ProjectionExpression: 'sk',
      ConsistentRead: true,
      ...(from === undefined ? {} : { ExclusiveStartKey: from }),
    });
    for (const { sk } of page.Items ?? []) missing.delete(Number(sk));
    from = page.LastEvaluatedKey;
  } while (from !== undefined);
  return missing;
}

function edgesOf(seqs: ReadonlySet<number>): readonly [first: number, last: number] {
  let [first, last] = [Infinity, 0];
  for (const seq of seqs) {
    if (seq < first) first = seq;
    if (seq > last) last = seq;
  }
  return [first, last];
}

/** The events of what is missing or stale, in chunks, as the projector would. */
async function projectAgain(
  options: RebuildOptions,
  { missingSeqs, wrongIds }: Compared,
  endedBy: number,
): Promise<void> {
  const store = createProjection({ ...options, endedBy });
  let chunk: Taken[] = [];
  let written = 0;
  const flush = async (): Promise<void> => {
    await store(chunk);
    written += chunk.length;
    chunk = [];
    options.onProgress?.('writing', written);
  };
  for await (const text of options.read()) {
    const found = parsed(text, engineEvent);
    if (!('value' in found) || !isIn(options, found.value)) continue;
    const event = found.value;
    const isWanted = missingSeqs.has(event.seq) || placementsOf(event).some(({ key }) => wrongIds.has(idOf(key)));
    if (!isWanted) continue;
    chunk.push({ text, event });
    if (chunk.length === CHUNK) await flush();
  }
  await flush();
}

/** A projector that runs meanwhile may have stored a later event first, and listed its entity there. */
async function moveUp(state: Table, key: Key, listAt: string): Promise<void> {
  await state.update(key, {
    UpdateExpression: 'SET list_at = :at',
    ConditionExpression: 'list_at > :at',
    ExpressionAttributeValues: { ':at': listAt },
  });
}

const idOf = ({ pk, sk }: Key): string => `${pk} ${sk}`;
const lineOf = ({ key, seq, digest, listAt }: Folded): string => `${idOf(key)} ${seq} ${listAt} ${digest}\n`;
const digestOf = (text: string): string => createHash('sha256').update(text).digest('base64');
const atMsOf = ({ at }: EngineEvent): number => Number(BigInt(at) / 1_000_000n);

const pause = (clock: Clock, ms: number): Promise<void> =>
  new Promise((resolve) => {
    clock.after(ms, resolve);
  });
