import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { scope, type Scope } from '#shared/schema/scope.ts';
import { at, KEY_LIST } from './layout.ts';
import type { Item, Table } from './table.ts';
import { LIST_INDEX } from './tables.ts';

/** Shown once, to whoever asked for it; only a hash of the secret is kept. */
export type KeyPair = { readonly apiKey: string; readonly apiSecret: string };

/** What may be told of a key. */
export type KeyFacts = {
  readonly id: string;
  readonly name: string | null;
  readonly scopes: readonly Scope[];
  readonly createdAtMs: number;
  readonly expiresAtMs: number | null;
  readonly revokedAtMs: number | null;
};

const hashOf = promisify<string, Buffer, number, Buffer>(scrypt);
const HASH_BYTES = 32;
/** Hashed for keys that do not exist, so that the time of an answer does not tell which keys do. */
const NOBODY = { salt: Buffer.alloc(16), hash: Buffer.alloc(HASH_BYTES) };

export type NewKey = {
  readonly id: string;
  readonly scopes: readonly Scope[];
  readonly nowMs: number;
  /** Chosen by the owner, and put in place of the one before; drawn when absent. */
  readonly secret?: string | undefined;
  readonly name?: string | undefined;
  readonly expiresAtMs?: number | undefined;
};

/** The new pair; undefined when the key exists already and no secret was given to replace its own. */
export async function createKeyPair(table: Table, key: NewKey): Promise<KeyPair | undefined> {
  const { id, scopes, nowMs, secret, name, expiresAtMs } = key;
  const apiSecret = secret ?? randomBytes(32).toString('base64url');
  const salt = randomBytes(16);
  const created = await table.update(at.apiKey(id), {
    UpdateExpression:
      'SET salt = :salt, #hash = :hash, scopes = :scopes, created_at_ms = :now, key_name = :name, expires_at_ms = :expires, #list = :list, list_at = :at REMOVE revoked_at_ms',
    ...(secret === undefined ? { ConditionExpression: 'attribute_not_exists(pk)' } : {}),
    ExpressionAttributeNames: { '#hash': 'hash', '#list': 'list' },
    ExpressionAttributeValues: {
      ':salt': salt.toString('base64url'),
      ':hash': (await hashOf(apiSecret, salt, HASH_BYTES)).toString('base64url'),
      ':scopes': [...scopes],
      ':now': nowMs,
      ':name': name ?? null,
      ':expires': expiresAtMs ?? null,
      ':list': KEY_LIST,
      ':at': `${String(Math.floor(nowMs)).padStart(16, '0')}#${id}`,
    },
  });
  return created === undefined ? undefined : { apiKey: id, apiSecret };
}

/** What the pair may do and until when; undefined when it is not a pair of ours, was revoked or is over. */
export async function grantOf(
  table: Table,
  { apiKey, apiSecret }: KeyPair,
  nowMs: number,
): Promise<KeyFacts | undefined> {
  const item = await table.get(at.apiKey(apiKey));
  const known = item === undefined ? NOBODY : { salt: bytesOf(item['salt']), hash: bytesOf(item['hash']) };
  const same = timingSafeEqual(await hashOf(apiSecret, known.salt, HASH_BYTES), known.hash);
  if (item === undefined || !same) return undefined;
  const facts = factsOf(item);
  return isUsable(facts, nowMs) ? facts : undefined;
}

/** Whether tokens of this key are still good. One that was never stored (signed elsewhere with our secret) speaks for itself. */
export async function isClosed(table: Table, id: string, nowMs: number): Promise<boolean> {
  const item = await table.get(at.apiKey(id));
  return item !== undefined && !isUsable(factsOf(item), nowMs);
}

/** Ends a key for good; undefined when there is none. Again changes nothing. */
export async function revokeKey(table: Table, id: string, nowMs: number): Promise<KeyFacts | undefined> {
  const item = await table.update(at.apiKey(id), {
    UpdateExpression: 'SET revoked_at_ms = if_not_exists(revoked_at_ms, :now)',
    ConditionExpression: 'attribute_exists(pk)',
    ExpressionAttributeValues: { ':now': nowMs },
    ReturnValues: 'ALL_NEW',
  });
  return item === undefined ? undefined : factsOf(item);
}

/** Newest first, revoked ones too. `before`: the position of the last key of the page before. */
export async function listKeys(
  table: Table,
  { limit, before }: { readonly limit: number; readonly before: string | undefined },
): Promise<{ readonly keys: readonly KeyFacts[]; readonly nextBefore: string | undefined }> {
  const { Items = [], LastEvaluatedKey } = await table.query({
    IndexName: LIST_INDEX,
    KeyConditionExpression: before === undefined ? '#list = :list' : '#list = :list AND list_at < :before',
    ExpressionAttributeNames: { '#list': 'list' },
    ExpressionAttributeValues: { ':list': KEY_LIST, ...(before === undefined ? {} : { ':before': before }) },
    ScanIndexForward: false,
    Limit: limit,
  });
  const last = Items.at(-1);
  const isMore = LastEvaluatedKey !== undefined && last !== undefined;
  return { keys: Items.map(factsOf), nextBefore: isMore ? String(last['list_at']) : undefined };
}

const isUsable = ({ revokedAtMs, expiresAtMs }: KeyFacts, nowMs: number): boolean =>
  revokedAtMs === null && (expiresAtMs === null || nowMs < expiresAtMs);

function factsOf(item: Item): KeyFacts {
  const timeAt = (name: string): number | null => (typeof item[name] === 'number' ? item[name] : null);
  const name = item['key_name'];
  return {
    id: String(item['pk']).slice(at.apiKey('').pk.length),
    name: typeof name === 'string' ? name : null,
    scopes: scope.array().parse(item['scopes']),
    createdAtMs: Number(item['created_at_ms']),
    expiresAtMs: timeAt('expires_at_ms'),
    revokedAtMs: timeAt('revoked_at_ms'),
  };
}

const bytesOf = (text: unknown): Buffer => Buffer.from(String(text), 'base64url');
