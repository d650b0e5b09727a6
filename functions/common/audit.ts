import { createHash } from 'node:crypto';
import { ApplicationError } from './errors.ts';
import { at } from './layout.ts';
import type { Item, Table } from './table.ts';
import { seqKey } from './tables.ts';

/** What was asked (`requested`, written before anything is done), and how it ended (`answered`). */
export type AuditFact = {
  readonly at_ms: number;
  readonly actor: string;
  /** Method and path. */
  readonly action: string;
  readonly request_id: string;
  readonly phase: 'requested' | 'answered';
  /** Of the body as it came: a body may hold what must not be kept. */
  readonly body_sha256: string | null;
  /** HTTP status and application code of the answer. */
  readonly status: number | null;
  readonly code: number | null;
  readonly detail: string | null;
};

/** `hash` is over the fact, the sequence and the hash of the entry before: none can be changed, left out or put in unseen. */
export type AuditEntry = AuditFact & { readonly seq: number; readonly previous: string; readonly hash: string };

export type AuditPage = {
  /** The newest first. */
  readonly entries: readonly AuditEntry[];
  /** Every entry that was read has the hash it says, and follows the one before it. */
  readonly intact: boolean;
  readonly nextBefore: number | undefined;
};

/** Of the first entry. */
const GENESIS = '0'.repeat(64);
const ATTEMPTS_MAX = 16;
const SCAN_PAGE = 500;
/** After this many a cursor is handed out, so that no request reads a whole history. */
const SCAN_PAGES_MAX = 8;

/** The chain of one engine's audit entries: each is one item that is written once. */
export class AuditTrail {
  readonly #table: Table;
  readonly #engine: string;

  constructor(table: Table, engine: string) {
    this.#table = table;
    this.#engine = engine;
  }

  /** Puts it at the end of the chain, whoever else writes at the same time. @throws ApplicationError 5001 when that does not work */
  async append(fact: AuditFact): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const [last] = (await this.#read(Infinity, 1)).map(entryOf);
      const seq = (last?.seq ?? 0) + 1;
      const previous = last?.hash ?? GENESIS;
      const entry: AuditEntry = { ...fact, seq, previous, hash: hashOf(fact, seq, previous) };
      const written = await this.#table.update(at.audit(this.#engine, seq), {
        UpdateExpression: 'SET #entry = :entry',
        ConditionExpression: 'attribute_not_exists(#entry)',
        ExpressionAttributeNames: { '#entry': 'entry' },
        ExpressionAttributeValues: { ':entry': JSON.stringify(entry) },
      });
      if (written !== undefined) return;
    }
    throw new ApplicationError(5001, 'the audit trail is written by too many at once');
  }

  async page(request: {
    readonly limit: number;
    /** Only entries below this sequence. */
    readonly before: number;
    readonly sinceMs: number;
    readonly actor: string | undefined;
  }): Promise<AuditPage> {
    const entries: AuditEntry[] = [];
    let newer: AuditEntry | undefined;
    let intact = true;
    let { before } = request;
    for (let scanned = 0; scanned < SCAN_PAGES_MAX; scanned += 1) {
      const items = await this.#read(before, SCAN_PAGE);
      for (const entry of items.map(entryOf)) {
        intact &&= isIntact(entry) && (newer === undefined || follows(newer, entry));
        newer = entry;
        if (entry.at_ms < request.sinceMs || (request.actor !== undefined && entry.actor !== request.actor)) continue;
        if (entries.length === request.limit) return { entries, intact, nextBefore: entries.at(-1)!.seq };
        entries.push(entry);
      }
      if (items.length < SCAN_PAGE) return { entries, intact, nextBefore: undefined };
      before = newer!.seq;
    }
    return { entries, intact, nextBefore: before };
  }

  async #read(before: number, limit: number): Promise<readonly Item[]> {
    const { Items = [] } = await this.#table.query({
      KeyConditionExpression: 'pk = :pk AND sk < :before',
      ExpressionAttributeValues: {
        ':pk': at.audit(this.#engine, 0).pk,
        ':before': seqKey(Math.min(before, Number.MAX_SAFE_INTEGER)),
      },
      ScanIndexForward: false,
      Limit: limit,
      ConsistentRead: true,
    });
    return Items;
  }
}

/** SHA-256 of the JSON array of the entry's values in this order, which docs/api.md names: anybody can check it. */
function hashOf(fact: AuditFact, seq: number, previous: string): string {
  const { at_ms, actor, action, request_id, phase, body_sha256, status, code, detail } = fact;
  const values = [seq, at_ms, actor, action, request_id, phase, body_sha256, status, code, detail, previous];
  return createHash('sha256').update(JSON.stringify(values)).digest('hex');
}

const isIntact = (entry: AuditEntry): boolean => entry.hash === hashOf(entry, entry.seq, entry.previous);
const follows = (newer: AuditEntry, older: AuditEntry): boolean =>
  newer.seq === older.seq + 1 && newer.previous === older.hash;

// Written by `append` alone; what somebody else made of it shows in the hash.
const entryOf = (item: Item): AuditEntry => JSON.parse(String(item['entry'])) as AuditEntry;
