import { randomUUID } from 'node:crypto';
import { assert } from '#shared/assert.ts';
import type { Clock } from '#shared/clock/clock.ts';
import { exactJson } from '../common/envelope.ts';
import { ApplicationError } from '../common/errors.ts';
import { at } from '../common/layout.ts';
import type { Item, Key, Table } from '../common/table.ts';
import { REPLAY_MAX } from './conversation.ts';
import type { Channel, News, Update } from './subscription.ts';

/** News and where it stands in its source; positions of a source only rise. */
export type Entry = { readonly position: string; readonly news: News };
/** News of one source: a shard, or whatever else tells in an order. `through`: the position of the last record that was looked at. */
export type Batch = { readonly source: string; readonly entries: readonly Entry[]; readonly through: string };

/** How far a channel has come: `seq` is its last update, `sent` the last one that everybody has been sent. */
export type Head = { readonly seq: number; readonly sent: number; readonly positions: Positions };
/** Source → its last position in the channel; the one that spoke last stands last. */
type Positions = ReadonlyMap<string, string>;
type Page = Batch & { readonly from: number };

/** So long updates are held for `resume`. */
const HOLD_MS = 15 * 60_000;
/** DynamoDB's items have at most 400 kB. */
const PAGE_CHARS_MAX = 128_000;
export const PAGE_MAX = 100;
/** Shards that ended are forgotten when others have long come after them. */
const SOURCES_MAX = 64;
const TRIES_MAX = 50;
/** So long a sender has its turn, and as long again with every step. It is waited for no longer than a client waits. */
const TURN_MS = 20_000;
const WAIT_MS = 15_000;
const POLL_MS = 40;

/**
 * The numbered updates of each channel, in the state table, for many writers at once. A page of updates is put under the sequence after the
 * last one, if nobody else was there first; then the head moves over it, by whoever comes next if its writer has died. So numbers have no
 * holes and are the same for everybody, and a batch that comes again finds its positions in the head and adds nothing.
 */
export class ChannelLog {
  readonly #table: Table;
  readonly #engine: string;
  readonly #clock: Clock;

  constructor(table: Table, engine: string, clock: Clock) {
    this.#table = table;
    this.#engine = engine;
    this.#clock = clock;
  }

  async head(channel: Channel): Promise<Head> {
    return headFrom(await this.#table.get(at.channelHead(this.#engine, channel)));
  }

  /** Adds what is new of a batch, in order. @throws ApplicationError 5001 when others are always first */
  async append(channel: Channel, batch: Batch): Promise<void> {
    if (batch.entries.length === 0) return;
    let head = await this.head(channel);
    for (let lost = 0; lost < TRIES_MAX;) {
      const fresh = freshOf(batch, head.positions);
      if (fresh.length === 0) return;
      const page = pageOf(head.seq + 1, fresh, batch);
      const isOurs = await this.#put(channel, page);
      if (!isOurs) lost += 1;
      head = await this.#moved(channel, head, isOurs ? page : await this.#page(channel, page.from));
    }
    throw new ApplicationError(5001, `others always write to ${channel} first`);
  }

  /** Updates `from` to `to`, both inclusive, as far as they are held; at most as many as are replayed. */
  async updates(channel: Channel, from: number, to: number): Promise<readonly Update[]> {
    const first = Math.max(from, to - REPLAY_MAX + 1);
    const pages = await this.#pages(channel, first, to);
    return pages
      .flatMap((page) => page.entries.map(({ news }, index): Update => ({ ...news, seq: page.from + index })))
      .filter(({ seq }) => seq >= first && seq <= to);
  }

  /** The sequence from which on everything up to `seq` is held; one more than `seq` when nothing is. */
  async oldest(channel: Channel, seq: number): Promise<number> {
    const first = Math.max(1, seq - REPLAY_MAX + 1);
    const pages = await this.#pages(channel, first, seq);
    return Math.max(first, pages[0]?.from ?? seq + 1);
  }

  /**
   * Runs `work` while nobody else sends in this channel; it says of each step what everybody has been sent with it.
   * @throws ApplicationError 5002 when others do not let go of it in time
   */
  async exclusively(channel: Channel, work: (sent: Sent) => Promise<void>): Promise<void> {
    const owner = randomUUID();
    const untilMs = this.#nowMs() + WAIT_MS;
    while (!(await this.#take(channel, owner))) {
      if (this.#nowMs() >= untilMs) throw new ApplicationError(5002, `${channel} is busy`);
      await new Promise<void>((resolve) => this.#clock.after(POLL_MS, resolve));
    }
    try {
      await work((seq) => this.#markSent(channel, owner, seq));
    } finally {
      await this.#table.update(at.channelHead(this.#engine, channel), {
        UpdateExpression: 'REMOVE turn_of, turn_until_ms',
        ConditionExpression: 'turn_of = :owner',
        ExpressionAttributeValues: { ':owner': owner },
      });
    }
  }

  /** False when the page's place is taken. */
  async #put(channel: Channel, page: Page): Promise<boolean> {
    const { source, entries, through, from } = page;
    const put = await this.#table.update(at.channelPage(this.#engine, channel, from), {
      UpdateExpression: 'SET #source = :source, through = :through, entries = :entries, from_seq = :from, #ttl = :ttl',
      ConditionExpression: 'attribute_not_exists(pk)',
      ExpressionAttributeNames: { '#source': 'source', '#ttl': 'ttl' },
      ExpressionAttributeValues: {
        ':source': source,
        ':through': through,
        ':entries': JSON.stringify(entries),
        ':from': from,
        ':ttl': Math.ceil((this.#nowMs() + HOLD_MS) / 1000),
      },
    });
    return put !== undefined;
  }

  async #page(channel: Channel, from: number): Promise<Page> {
    const item = await this.#table.get(at.channelPage(this.#engine, channel, from));
    assert(item !== undefined, 'a page stays until long after the head has passed it');
    return pageFrom(item);
  }

  /** The head behind the page: moved by us, or by whoever was faster. */
  async #moved(channel: Channel, head: Head, page: Page): Promise<Head> {
    const key = at.channelHead(this.#engine, channel);
    const seq = page.from + page.entries.length - 1;
    const positions = new Map(head.positions);
    positions.delete(page.source);
    positions.set(page.source, page.through);
    for (const source of [...positions.keys()].slice(0, -SOURCES_MAX)) positions.delete(source);
    const moved = await this.#table.update(key, {
      UpdateExpression: 'SET seq = :seq, positions = :positions',
      ConditionExpression: head.seq === 0 ? 'attribute_not_exists(seq)' : 'seq = :before',
      ExpressionAttributeValues: {
        ':seq': seq,
        ':positions': JSON.stringify([...positions]),
        ...(head.seq === 0 ? {} : { ':before': head.seq }),
      },
    });
    return moved === undefined ? this.head(channel) : { ...head, seq, positions };
  }

  async #pages(channel: Channel, from: number, to: number): Promise<readonly Page[]> {
    const key = (seq: number): Key => at.channelPage(this.#engine, channel, Math.max(1, seq));
    const items = await this.#table.queryAll(key(from).pk, {
      KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
      FilterExpression: '#ttl > :now',
      ExpressionAttributeNames: { '#ttl': 'ttl' },
      ExpressionAttributeValues: {
        // The page that holds `from` may begin before it.
        ':from': key(from - PAGE_MAX + 1).sk,
        ':to': key(to).sk,
        ':now': Math.floor(this.#nowMs() / 1000),
      },
      ConsistentRead: true,
    });
    return withoutHole(items.map(pageFrom));
  }

  async #take(channel: Channel, owner: string): Promise<boolean> {
    const nowMs = this.#nowMs();
    const taken = await this.#table.update(at.channelHead(this.#engine, channel), {
      UpdateExpression: 'SET turn_of = :owner, turn_until_ms = :until',
      ConditionExpression: 'attribute_not_exists(turn_of) OR turn_until_ms < :now',
      ExpressionAttributeValues: { ':owner': owner, ':until': nowMs + TURN_MS, ':now': nowMs },
    });
    return taken !== undefined;
  }

  /** @throws ApplicationError 5002 when the turn has passed to somebody else, who sends it again */
  async #markSent(channel: Channel, owner: string, seq: number): Promise<void> {
    const marked = await this.#table.update(at.channelHead(this.#engine, channel), {
      UpdateExpression: 'SET sent = :seq, turn_until_ms = :until',
      ConditionExpression: 'turn_of = :owner',
      ExpressionAttributeValues: { ':seq': seq, ':owner': owner, ':until': this.#nowMs() + TURN_MS },
    });
    if (marked === undefined) throw new ApplicationError(5002, `the turn in ${channel} took too long`);
  }

  #nowMs(): number {
    return this.#clock.unixMs(this.#clock.now());
  }
}

/** Told up to which sequence everybody has been sent everything. */
export type Sent = (seq: number) => Promise<void>;

function freshOf({ source, entries }: Batch, positions: Positions): readonly Entry[] {
  const done = BigInt(positions.get(source) ?? -1);
  return entries.filter(({ position }) => BigInt(position) > done);
}

/** As many of the entries as fit into one item; the last page stands for the whole batch. */
function pageOf(from: number, fresh: readonly Entry[], { source, through }: Batch): Page {
  let chars = 0;
  let count = 0;
  for (const entry of fresh.slice(0, PAGE_MAX)) {
    chars += JSON.stringify(entry).length;
    if (count > 0 && chars > PAGE_CHARS_MAX) break;
    count += 1;
  }
  const entries = fresh.slice(0, count);
  return { from, source, entries, through: count === fresh.length ? through : entries.at(-1)!.position };
}

/** The newest pages that follow each other: those before may be gone in any order. */
function withoutHole(pages: readonly Page[]): readonly Page[] {
  const broken = pages.findLastIndex((page, index) => {
    const next = pages[index + 1];
    return next !== undefined && page.from + page.entries.length !== next.from;
  });
  return pages.slice(broken + 1);
}

function headFrom(item: Item | undefined): Head {
  const positions = item?.['positions'] as string | undefined;
  return {
    seq: Number(item?.['seq'] ?? 0),
    sent: Number(item?.['sent'] ?? 0),
    positions: new Map(JSON.parse(positions ?? '[]') as readonly (readonly [string, string])[]),
  };
}

const pageFrom = (item: Item): Page => ({
  from: Number(item['from_seq']),
  source: String(item['source']),
  through: String(item['through']),
  // Written by us: news of the channel, with the text of its numbers.
  entries: exactJson(String(item['entries'])) as readonly Entry[],
});
