import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { scope, type Scope } from '#shared/schema/api.ts';
import { at } from './layout.ts';
import type { Table } from './table.ts';

/** Shown once, to whoever asked for it; only a hash of the secret is kept. */
export type KeyPair = { readonly apiKey: string; readonly apiSecret: string };

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
};

/** The new pair; undefined when the key exists already and no secret was given to replace its own. */
export async function createKeyPair(table: Table, { id, scopes, nowMs, secret }: NewKey): Promise<KeyPair | undefined> {
  const apiSecret = secret ?? randomBytes(32).toString('base64url');
  const salt = randomBytes(16);
  const created = await table.update(at.apiKey(id), {
    UpdateExpression: 'SET salt = :salt, #hash = :hash, scopes = :scopes, created_at_ms = :now',
    ...(secret === undefined ? { ConditionExpression: 'attribute_not_exists(pk)' } : {}),
    ExpressionAttributeNames: { '#hash': 'hash' },
    ExpressionAttributeValues: {
      ':salt': salt.toString('base64url'),
      ':hash': (await hashOf(apiSecret, salt, HASH_BYTES)).toString('base64url'),
      ':scopes': [...scopes],
      ':now': nowMs,
    },
  });
  return created === undefined ? undefined : { apiKey: id, apiSecret };
}

/** What the pair may do; undefined when it is not a pair of ours. */
export async function scopesOf(table: Table, { apiKey, apiSecret }: KeyPair): Promise<readonly Scope[] | undefined> {
  const item = await table.get(at.apiKey(apiKey));
  const known = item === undefined ? NOBODY : { salt: bytesOf(item['salt']), hash: bytesOf(item['hash']) };
  const same = timingSafeEqual(await hashOf(apiSecret, known.salt, HASH_BYTES), known.hash);
  return item !== undefined && same ? scope.array().parse(item['scopes']) : undefined;
}

const bytesOf = (text: unknown): Buffer => Buffer.from(String(text), 'base64url');
