import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { BadInput } from '#shared/assert.ts';
import type { EngineEvent, EventKind } from '#shared/schema/event.ts';
import { engineStatus, type EngineStatus, type MarketSample } from '#shared/schema/status.ts';
import { at, listOf, type ListName } from './layout.ts';
import { Table, type Item, type Key } from './table.ts';
import { LIST_INDEX, seqKey } from './tables.ts';
import { dynamoTimeSeries } from './time-series-dynamo.ts';
import type { TimeSeriesStore } from './time-series.ts';

export type EventOf<K extends EventKind> = Extract<EngineEvent, { kind: K }>;
/** What the engine says to a command. */
export type CommandAnswer = EventOf<
  'trading-state' | 'command-refused' | 'command-done' | 'risk-limits' | 'breaker' | 'emergency-stop'
>;
/** An entity's latest event, and when its first one happened. */
export type Entity<K extends EventKind> = { readonly event: EventOf<K>; readonly firstAtNs: string };
export type Page<T> = { readonly items: readonly T[]; readonly nextCursor: string | undefined };
export type PageRequest<T> = {
  readonly limit: number;
  readonly cursor: string | undefined;
  readonly matches: (item: T) => boolean;
};
/** `fromMs` and `toMs` inclusive. */
type Range = { readonly fromMs: number; readonly toMs: number; readonly max: number };
export type Operation = {
  readonly operation: Entity<'operation'>;
  readonly transitions: readonly EventOf<'operation'>[];
  readonly orders: readonly Entity<'order'>[];
  readonly fills: readonly EventOf<'fill'>[];
};

export type StoreNames = { readonly state_table: string; readonly events_table: string };

/** Pages grow as long as a filter matches little: a short list costs little, a rare match few round trips. */
const SCAN_PAGE = { first: 25, max: 400 };
/** After this many pages a cursor is handed out, so that no request reads a whole history. */
const SCAN_PAGES_MAX = 12;

/** What the API reads: projections of one engine's events, its last status, the market samples. */
export class Store {
  readonly engine: string;
  readonly state: Table;
  readonly series: TimeSeriesStore;
  readonly #events: Table;
  /** Sequences up to here are known to be there without a hole. */
  #countedTo = 0;

  /** `series`: where candles are kept; in the state table when absent. */
  constructor(client: DynamoDBDocumentClient, names: StoreNames, engine: string, series?: TimeSeriesStore) {
    this.engine = engine;
    this.state = new Table(client, names.state_table);
    this.series = series ?? dynamoTimeSeries(this.state);
    this.#events = new Table(client, names.events_table);
  }

  /** The engine's last word of itself; undefined when it never spoke. */
  async status(): Promise<EngineStatus | undefined> {
    const item = await this.state.get(at.status(this.engine));
    return item === undefined ? undefined : engineStatus.parse(JSON.parse(String(item['status'])));
  }

  tradingState(): Promise<EventOf<'trading-state'> | undefined> {
    return this.#one<'trading-state'>(at.tradingState(this.engine));
  }

  /** What the engine said to a command; undefined while it has not. */
  commandAnswer(id: string): Promise<CommandAnswer | undefined> {
    return this.#one<CommandAnswer['kind']>(at.command(this.engine, id));
  }

  /** What the engine said to the last version of the configuration that it was given. */
  configAnswer(): Promise<EventOf<'command-done'> | undefined> {
    return this.#one<'command-done'>(at.config(this.engine));
  }

  /** The limits of the gate as they were last set by command. */
  riskLimits(): Promise<EventOf<'risk-limits'> | undefined> {
    return this.#one<'risk-limits'>(at.riskLimits(this.engine));
  }

  /** How the last emergency stop stands. */
  emergencyStop(): Promise<EventOf<'emergency-stop'> | undefined> {
    return this.#one<'emergency-stop'>(at.emergencyStop(this.engine));
  }

  /** The last word of every breaker that has ever spoken. */
  async breakers(): Promise<readonly EventOf<'breaker'>[]> {
    const items = await this.state.queryAll(at.breaker(this.engine, '').pk);
    return items.map((item) => eventOf<'breaker'>(item));
  }

  /** What breakers did, newest first, below the sequence `before`. */
  async breakerHistory(limit: number, before: number): Promise<readonly EventOf<'breaker'>[]> {
    const { Items = [] } = await this.state.query({
      KeyConditionExpression: 'pk = :pk AND sk < :before',
      ExpressionAttributeValues: {
        ':pk': at.breakerHistory(this.engine, 0).pk,
        ':before': seqKey(Math.min(before, Number.MAX_SAFE_INTEGER)),
      },
      ScanIndexForward: false,
      Limit: limit,
    });
    return Items.map((item) => eventOf<'breaker'>(item));
  }

  escalation(operation: string): Promise<EventOf<'escalation'> | undefined> {
    return this.#one<'escalation'>(at.escalation(this.engine, operation));
  }

  escalations(request: PageRequest<Entity<'escalation'>>): Promise<Page<Entity<'escalation'>>> {
    return this.#list('ESCALATION', request);
  }

  /** Where a venue and the ledger differ. */
  async openMismatches(): Promise<readonly EventOf<'mismatch'>[]> {
    const items = await this.state.queryAll(at.mismatch(this.engine, '', '', '').pk);
    return items.map((item) => eventOf<'mismatch'>(item)).filter(({ data }) => data.state === 'open');
  }

  async venues(): Promise<readonly EventOf<'venue-status'>[]> {
    const items = await this.state.queryAll(at.venue(this.engine, '').pk);
    return items.map((item) => eventOf<'venue-status'>(item));
  }

  async opportunity(id: string): Promise<Entity<'opportunity'> | undefined> {
    const item = await this.state.get(at.opportunity(this.engine, id));
    return item === undefined ? undefined : entityOf<'opportunity'>(item);
  }

  opportunities(request: PageRequest<Entity<'opportunity'>>): Promise<Page<Entity<'opportunity'>>> {
    return this.#list('OPPORTUNITY', request);
  }

  async order(operation: string, id: string): Promise<Entity<'order'> | undefined> {
    const item = await this.state.get(at.order(this.engine, operation, id));
    return item === undefined ? undefined : entityOf<'order'>(item);
  }

  operations(request: PageRequest<Entity<'operation'>>): Promise<Page<Entity<'operation'>>> {
    return this.#list('OPERATION', request);
  }

  orders(request: PageRequest<Entity<'order'>>): Promise<Page<Entity<'order'>>> {
    return this.#list('ORDER', request);
  }

  /** Operations by the time of their first event, newest first, at most `max`. */
  operationsBegun(range: Range): Promise<readonly Entity<'operation'>[]> {
    return this.#between('OPERATION', range);
  }

  /** Settlements and funding, newest first, at most `max`. */
  payments(range: Range): Promise<readonly Entity<'settlement' | 'funding'>[]> {
    return this.#between('PAYMENT', range);
  }

  async #between<K extends EventKind>(name: ListName, range: Range): Promise<readonly Entity<K>[]> {
    const found: Entity<K>[] = [];
    let from: Record<string, unknown> | undefined;
    do {
      const page = await this.state.query({
        IndexName: LIST_INDEX,
        KeyConditionExpression: '#list = :list AND list_at BETWEEN :from AND :to',
        ExpressionAttributeNames: { '#list': 'list' },
        ExpressionAttributeValues: {
          ':list': listOf(this.engine, name),
          ':from': listAtOf(range.fromMs),
          ':to': listAtOf(range.toMs),
        },
        ScanIndexForward: false,
        Limit: range.max - found.length,
        ...(from === undefined ? {} : { ExclusiveStartKey: from }),
      });
      found.push(...(page.Items ?? []).map((item) => entityOf<K>(item)));
      from = page.LastEvaluatedKey;
    } while (from !== undefined && found.length < range.max);
    return found;
  }

  /** When the engine's history of operations begins; undefined when there is none. */
  async firstOperationAtMs(): Promise<number | undefined> {
    const { Items = [] } = await this.state.query({
      IndexName: LIST_INDEX,
      KeyConditionExpression: '#list = :list',
      ExpressionAttributeNames: { '#list': 'list' },
      ExpressionAttributeValues: { ':list': listOf(this.engine, 'OPERATION') },
      Limit: 1,
    });
    const [first] = Items;
    return first === undefined ? undefined : Number(BigInt(entityOf<'operation'>(first).firstAtNs) / 1_000_000n);
  }

  /** The family of an operation; undefined for one that is not stored. */
  async familyOf(operation: string): Promise<string | undefined> {
    const item = await this.state.get(at.operation(this.engine, operation));
    return item === undefined ? undefined : eventOf<'operation'>(item).data.type;
  }

  /** An operation with all that belongs to it: one partition, one query. */
  async operation(id: string): Promise<Operation | undefined> {
    const items = await this.state.queryAll(at.operation(this.engine, id).pk);
    const head = items.find(({ sk }) => sk === 'OPERATION');
    if (head === undefined) return undefined;
    const under = (prefix: string): readonly Item[] => items.filter(({ sk }) => String(sk).startsWith(prefix));
    return {
      operation: entityOf<'operation'>(head),
      transitions: under('TRANSITION#').map((item) => eventOf<'operation'>(item)),
      orders: under('ORDER#').map((item) => entityOf<'order'>(item)),
      fills: under('FILL#').map((item) => eventOf<'fill'>(item)),
    };
  }

  /** The fills of an operation alone. */
  async fillsOf(operation: string): Promise<readonly EventOf<'fill'>[]> {
    const items = await this.state.queryAll(at.operation(this.engine, operation).pk, {
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :fill)',
      ExpressionAttributeValues: { ':fill': at.fill(this.engine, operation, '').sk },
    });
    return items.map((item) => eventOf<'fill'>(item));
  }

  async positions(): Promise<readonly EventOf<'position'>[]> {
    const items = await this.state.queryAll(at.position(this.engine, '').pk);
    return items.map((item) => eventOf<'position'>(item));
  }

  async balances(): Promise<readonly EventOf<'balance'>[]> {
    const items = await this.state.queryAll(at.balance(this.engine, '', '').pk);
    return items.map((item) => eventOf<'balance'>(item));
  }

  /** The latest sample of every instrument. */
  async markets(): Promise<readonly MarketSample[]> {
    return (await this.state.queryAll(at.market('').pk)).map(sampleOf);
  }

  async market(instrument: string): Promise<MarketSample | undefined> {
    const item = await this.state.get(at.market(instrument));
    return item === undefined ? undefined : sampleOf(item);
  }

  /** How many of the engine's events are stored, exactly: counted from the last sequence below which none is missing. */
  async projectedCount(): Promise<number> {
    const from = this.#countedTo;
    let withoutHole = from;
    let count = from;
    let key: Record<string, unknown> | undefined;
    do {
      const page = await this.#events.query({
        KeyConditionExpression: 'engine = :engine AND sk > :from',
        ExpressionAttributeValues: { ':engine': this.engine, ':from': seqKey(from) },
        ProjectionExpression: 'sk',
        ...(key === undefined ? {} : { ExclusiveStartKey: key }),
      });
      for (const { sk } of page.Items ?? []) {
        count += 1;
        if (Number(sk) === withoutHole + 1) withoutHole += 1;
      }
      key = page.LastEvaluatedKey;
    } while (key !== undefined);
    this.#countedTo = withoutHole;
    return count;
  }

  async #one<K extends EventKind>(key: Key): Promise<EventOf<K> | undefined> {
    const item = await this.state.get(key);
    return item === undefined ? undefined : eventOf<K>(item);
  }

  async #list<K extends EventKind>(name: ListName, request: PageRequest<Entity<K>>): Promise<Page<Entity<K>>> {
    const list = listOf(this.engine, name);
    const found: Entity<K>[] = [];
    let from = request.cursor === undefined ? undefined : keyFrom(request.cursor, list);
    let lastFound = from;
    for (let scanned = 0; scanned < SCAN_PAGES_MAX; scanned += 1) {
      const page = await this.state.query({
        IndexName: LIST_INDEX,
        KeyConditionExpression: '#list = :list',
        ExpressionAttributeNames: { '#list': 'list' },
        ExpressionAttributeValues: { ':list': list },
        ScanIndexForward: false,
        Limit: Math.min(Math.max(request.limit + 1, SCAN_PAGE.first) * 2 ** scanned, SCAN_PAGE.max),
        ...(from === undefined ? {} : { ExclusiveStartKey: from }),
      });
      for (const item of page.Items ?? []) {
        const entity = entityOf<K>(item);
        if (!request.matches(entity)) continue;
        if (found.length === request.limit) return { items: found, nextCursor: cursorFrom(lastFound!) };
        found.push(entity);
        lastFound = indexKeyOf(item);
      }
      from = page.LastEvaluatedKey;
      if (from === undefined) return { items: found, nextCursor: undefined };
    }
    return { items: found, nextCursor: cursorFrom(found.length === request.limit ? lastFound! : from!) };
  }
}

// The projector stored only what the schema of events accepted.
const eventOf = <K extends EventKind>(item: Item): EventOf<K> => JSON.parse(String(item['event'])) as EventOf<K>;
const sampleOf = (item: Item): MarketSample => JSON.parse(String(item['quote'])) as MarketSample;

const entityOf = <K extends EventKind>(item: Item): Entity<K> => ({
  event: eventOf<K>(item),
  firstAtNs: String(item['list_at'])
    .split('#')[0]!
    .replace(/^0+(?=\d)/, ''),
});

/** Before every event of that millisecond. */
const listAtOf = (ms: number): string => String(BigInt(Math.max(0, Math.floor(ms))) * 1_000_000n).padStart(20, '0');

const indexKeyOf = ({ pk, sk, list, list_at }: Item): Record<string, unknown> => ({ pk, sk, list, list_at });

const cursorFrom = (key: Readonly<Record<string, unknown>>): string =>
  Buffer.from(JSON.stringify([key['pk'], key['sk'], key['list_at']])).toString('base64url');

/** @throws BadInput on anything that we did not hand out for this list */
function keyFrom(cursor: string, list: string): Record<string, unknown> {
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    throw new BadInput('cursor is not one of ours');
  }
  if (!Array.isArray(parts) || parts.length !== 3 || !parts.every((part) => typeof part === 'string' && part !== '')) {
    throw new BadInput('cursor is not one of ours');
  }
  const [pk, sk, list_at] = parts as [string, string, string];
  // Another list's cursor would move this query to a place that means nothing here.
  if (!list.endsWith(`#${listOfEntity(pk, sk)}`)) throw new BadInput('cursor belongs to another list');
  return { pk, sk, list, list_at };
}

/** Where an entity of this key is listed, as the layout has it. */
function listOfEntity(pk: string, sk: string): string {
  if (sk.startsWith('ORDER#')) return 'ORDER';
  return pk.endsWith('#ESCALATION') ? 'ESCALATION' : sk;
}
