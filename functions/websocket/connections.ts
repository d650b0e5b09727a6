import { scope } from '#shared/schema/scope.ts';
import type { Principal } from '../common/auth.ts';
import { at } from '../common/layout.ts';
import type { Item, Key, Table } from '../common/table.ts';
import { filterKey, refuseMany, SUBSCRIPTIONS_MAX, type Filter } from './conversation.ts';
import type { Channel, Subscription } from './subscription.ts';

/** From where on a connection is owed a channel's updates, and not before when it is tried again. */
export type Debt = { readonly fromSeq: number; readonly notBeforeMs: number };

/** A connection as the table has it. */
export type Listener = {
  readonly id: string;
  readonly principal: Principal;
  readonly connectedAtMs: number;
  readonly subscriptions: readonly Subscription[];
  /** Channels in which it is behind. */
  readonly debts: ReadonlyMap<Channel, Debt>;
  /** Bad messages in a row. */
  readonly strikes: number;
  /** The channel with which it opened, while it has not been told so. */
  readonly greeting: Channel | undefined;
};

/** API Gateway ends a connection after two hours. */
const LIFETIME_MS = 2 * 3_600_000;

/** The connections of the push API: one partition, as many items as connections are allowed. */
export class Connections {
  readonly #table: Table;
  readonly #engine: string;

  constructor(table: Table, engine: string) {
    this.#table = table;
    this.#engine = engine;
  }

  async all(): Promise<readonly Listener[]> {
    const { pk } = at.connection(this.#engine, '');
    return (await this.#table.queryAll(pk, { ConsistentRead: true })).map(listenerFrom);
  }

  /** Without reading what they say: as many as one page holds, which is more than there may be. */
  async count(): Promise<number> {
    const { pk } = at.connection(this.#engine, '');
    const { Count } = await this.#table.query({
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': pk },
      Select: 'COUNT',
    });
    return Count ?? 0;
  }

  async get(id: string): Promise<Listener | undefined> {
    const item = await this.#table.get(this.#key(id));
    return item === undefined ? undefined : listenerFrom(item);
  }

  async open(id: string, principal: Principal, nowMs: number, opensWith: Subscription | undefined): Promise<void> {
    const { channel } = opensWith ?? {};
    await this.#table.update(this.#key(id), {
      UpdateExpression:
        'SET principal = :id, scopes = :scopes, expires_at_ms = :expires, connected_at_ms = :now, subscriptions = :subscriptions, debts = :none, strikes = :zero, greeting = :greeting, #ttl = :ttl',
      ExpressionAttributeNames: { '#ttl': 'ttl' },
      ExpressionAttributeValues: {
        ':id': principal.id,
        ':scopes': [...principal.scopes],
        ':expires': principal.expiresAtMs,
        ':now': nowMs,
        ':subscriptions': opensWith === undefined ? {} : { [filterKey(opensWith.channel, opensWith)]: opensWith },
        ':none': {},
        ':zero': 0,
        ':greeting': channel ?? null,
        ':ttl': Math.ceil(Math.min(principal.expiresAtMs, nowMs + LIFETIME_MS) / 1000),
      },
    });
  }

  async remove(id: string): Promise<void> {
    await this.#table.remove(this.#key(id));
  }

  /** @throws ApplicationError 3001 when there are too many */
  async subscribe(listener: Listener, subscription: Subscription): Promise<void> {
    const stored = await this.#change(listener.id, {
      UpdateExpression: 'SET subscriptions.#filter = :subscription',
      ConditionExpression:
        'attribute_exists(pk) AND (attribute_exists(subscriptions.#filter) OR size(subscriptions) < :max)',
      ExpressionAttributeNames: { '#filter': filterKey(subscription.channel, subscription) },
      ExpressionAttributeValues: { ':subscription': subscription, ':max': SUBSCRIPTIONS_MAX },
    });
    if (!stored && (await this.get(listener.id)) !== undefined) refuseMany(SUBSCRIPTIONS_MAX);
  }

  async unsubscribe(id: string, channel: Channel, filter: Filter): Promise<void> {
    await this.#change(id, {
      UpdateExpression: 'REMOVE subscriptions.#filter',
      ExpressionAttributeNames: { '#filter': filterKey(channel, filter) },
    });
  }

  async owe(id: string, channel: Channel, debt: Debt): Promise<void> {
    await this.#change(id, {
      UpdateExpression: 'SET debts.#channel = :debt',
      ExpressionAttributeNames: { '#channel': channel },
      ExpressionAttributeValues: { ':debt': debt },
    });
  }

  async settle(id: string, channel: Channel): Promise<void> {
    await this.#change(id, {
      UpdateExpression: 'REMOVE debts.#channel',
      ExpressionAttributeNames: { '#channel': channel },
    });
  }

  async greeted(id: string): Promise<void> {
    await this.#change(id, {
      UpdateExpression: 'SET greeting = :none',
      ExpressionAttributeValues: { ':none': null },
    });
  }

  /** How many bad messages in a row there are with this one. */
  async strike(id: string): Promise<number> {
    const item = await this.#table.update(this.#key(id), {
      UpdateExpression: 'SET strikes = strikes + :one',
      ConditionExpression: 'attribute_exists(pk)',
      ExpressionAttributeValues: { ':one': 1 },
      ReturnValues: 'ALL_NEW',
    });
    return Number(item?.['strikes'] ?? 0);
  }

  async forgive({ id, strikes }: Listener): Promise<void> {
    if (strikes === 0) return;
    await this.#change(id, { UpdateExpression: 'SET strikes = :zero', ExpressionAttributeValues: { ':zero': 0 } });
  }

  /** Of a connection that is still there. */
  async #change(id: string, input: Parameters<Table['update']>[1]): Promise<boolean> {
    const changed = await this.#table.update(this.#key(id), {
      ConditionExpression: 'attribute_exists(pk)',
      ...input,
    });
    return changed !== undefined;
  }

  #key(id: string): Key {
    return at.connection(this.#engine, id);
  }
}

/** Written by us alone. */
function listenerFrom(item: Item): Listener {
  const greeting = item['greeting'];
  return {
    id: String(item['sk']),
    principal: {
      id: String(item['principal']),
      scopes: scope.array().parse(item['scopes']),
      expiresAtMs: Number(item['expires_at_ms']),
    },
    connectedAtMs: Number(item['connected_at_ms']),
    subscriptions: Object.values(item['subscriptions'] as Readonly<Record<string, Subscription>>),
    debts: new Map(Object.entries(item['debts'] as Readonly<Record<string, Debt>>) as [Channel, Debt][]),
    strikes: Number(item['strikes']),
    greeting: greeting === null ? undefined : (greeting as Channel),
  };
}
