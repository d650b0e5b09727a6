import { ApplicationError } from '../common/errors.ts';
import { at } from '../common/layout.ts';
import type { Item, Table } from '../common/table.ts';
import { acknowledgedOf, type Alert } from './alert.ts';
import type { Notice } from './notice.ts';

/** A notice that is on its way and not handed on yet. */
export type Outgoing = {
  readonly notice: Notice;
  readonly tries: number;
  readonly next_ms: number;
  readonly since_ms: number;
};
/** An alert as it stands in the table. */
export type Kept = { readonly alert: Alert; readonly outgoing: Outgoing | null; readonly version: number };

/** Writers who meet: each tries again with what the other has written. */
const ATTEMPTS_MAX = 16;
/** What was not written to for so long is forgotten. */
const KEEP_MS = 30 * 86_400_000;
const HOUR_MS = 3_600_000;
const NOTHING = '-';

/** The alerts of one engine in the state table: one item each, written on a condition. */
export class AlertBook {
  readonly #table: Table;
  readonly #engine: string;

  constructor(table: Table, engine: string) {
    this.#table = table;
    this.#engine = engine;
  }

  /** The table forgets what is over its time when it likes. */
  async all(nowMs: number): Promise<readonly Kept[]> {
    const items = await this.#table.queryAll(at.alert(this.#engine, '').pk);
    return items.filter(({ ttl }) => Number(ttl) * 1000 > nowMs).map(keptOf);
  }

  async read(id: string): Promise<Kept | undefined> {
    const item = await this.#table.get(at.alert(this.#engine, id));
    return item === undefined ? undefined : keptOf(item);
  }

  /** False when somebody else has written since `before` was read. */
  async write(
    before: Kept | undefined,
    { alert, outgoing }: Pick<Kept, 'alert' | 'outgoing'>,
    nowMs: number,
  ): Promise<boolean> {
    const written = await this.#table.update(at.alert(this.#engine, alert.id), {
      UpdateExpression:
        'SET #alert = :alert, #outgoing = :outgoing, #notice = :notice, #version = :version, #ttl = :ttl',
      ConditionExpression: before === undefined ? 'attribute_not_exists(#version)' : '#version = :before',
      ExpressionAttributeNames: { '#alert': 'alert', '#ttl': 'ttl', ...OUTGOING },
      ExpressionAttributeValues: {
        ':alert': JSON.stringify(alert),
        ':outgoing': JSON.stringify(outgoing),
        ':notice': outgoing?.notice.id ?? NOTHING,
        ':version': (before?.version ?? 0) + 1,
        ':ttl': Math.ceil((nowMs + KEEP_MS) / 1000),
        ...(before === undefined ? {} : { ':before': before.version }),
      },
    });
    return written !== undefined;
  }

  /** Puts off the notice that is on its way, or (null) takes it away; whatever else was written meanwhile stays. */
  async replace(id: string, notice: Notice, outgoing: Outgoing | null): Promise<void> {
    await this.#table.update(at.alert(this.#engine, id), {
      UpdateExpression: 'SET #outgoing = :outgoing, #notice = :next ADD #version :one',
      ConditionExpression: '#notice = :notice',
      ExpressionAttributeNames: OUTGOING,
      ExpressionAttributeValues: {
        ':outgoing': JSON.stringify(outgoing),
        ':notice': notice.id,
        ':next': outgoing?.notice.id ?? NOTHING,
        ':one': 1,
      },
    });
  }

  /** Counts one of `name` in this hour; false when that would be more than `max`. */
  async count(name: string, max: number, nowMs: number): Promise<boolean> {
    const hour = Math.floor(nowMs / HOUR_MS);
    const counted = await this.#table.update(at.alertCount(this.#engine, hour, name), {
      UpdateExpression: 'SET #ttl = :ttl ADD #told :one',
      ConditionExpression: 'attribute_not_exists(#told) OR #told < :max',
      ExpressionAttributeNames: { '#told': 'told', '#ttl': 'ttl' },
      ExpressionAttributeValues: { ':one': 1, ':max': max, ':ttl': (hour + 2) * (HOUR_MS / 1000) },
    });
    return counted !== undefined;
  }

  /** What was counted and not told after all. */
  async giveBack(name: string, nowMs: number): Promise<void> {
    await this.#table.update(at.alertCount(this.#engine, Math.floor(nowMs / HOUR_MS), name), {
      UpdateExpression: 'ADD #told :less',
      ExpressionAttributeNames: { '#told': 'told' },
      ExpressionAttributeValues: { ':less': -1 },
    });
  }

  /** The alert after it; undefined when there is none. Nothing changes when it is over, or another firing is meant. */
  acknowledge(id: string, by: string, nowMs: number, firing?: number): Promise<Alert | undefined> {
    return untilWritten(async () => {
      const kept = await this.read(id);
      if (kept === undefined) return { done: undefined };
      const alert = acknowledgedOf(kept.alert, firing ?? kept.alert.firings, by, nowMs);
      const isDone = alert === kept.alert || (await this.write(kept, { ...kept, alert }, nowMs));
      return isDone ? { done: alert } : undefined;
    });
  }
}

/** Tries again while somebody else was faster (undefined). @throws ApplicationError 5001 when that has no end */
export async function untilWritten<T>(attempt: () => Promise<{ readonly done: T } | undefined>): Promise<T> {
  for (let tried = 0; tried < ATTEMPTS_MAX; tried += 1) {
    const result = await attempt();
    if (result !== undefined) return result.done;
  }
  throw new ApplicationError(5001, 'an alert is written by too many at once');
}

const OUTGOING = { '#outgoing': 'outgoing', '#notice': 'notice', '#version': 'version' } as const;

// Written by the book alone.
const keptOf = (item: Item): Kept => ({
  alert: JSON.parse(String(item['alert'])) as Alert,
  outgoing: JSON.parse(String(item['outgoing'])) as Outgoing | null,
  version: Number(item['version']),
});
