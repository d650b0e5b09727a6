import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { Credentials } from '../venues/venue-account.ts';

/** Where the keys of venues may be kept. */
export type KeyStore = {
  /** For messages: where somebody should put it. */
  readonly place: (venue: string) => string;
  /** Undefined when it is not there. @throws BadInput when it is there and cannot be used */
  readonly find: (venue: string) => Promise<Credentials | undefined>;
};

/**
 * The key of each venue, from the first store that has it.
 * @throws BadInput naming every venue without one, and where it was sought
 */
export async function credentialsOf(
  venues: readonly string[],
  stores: readonly KeyStore[],
): Promise<ReadonlyMap<string, Credentials>> {
  const found = new Map<string, Credentials>();
  for (const venue of venues) {
    for (const store of stores) {
      const credentials = await store.find(venue);
      if (credentials === undefined) continue;
      found.set(venue, credentials);
      break;
    }
  }
  const missing = venues.filter((venue) => !found.has(venue));
  if (missing.length === 0) return found;
  const lines = missing.map((venue) => `no key for ${venue}: ${stores.map(({ place }) => place(venue)).join(', or ')}`);
  throw new BadInput(lines.join('\n'));
}

/** `ARB_SECRET_<VENUE>_KEY`, `_SECRET` and, where the venue has one, `_PASSPHRASE`. */
export function environmentKeys(env: Readonly<Record<string, string | undefined>>): KeyStore {
  const nameOf = (venue: string, part: string): string => `ARB_SECRET_${venue.toUpperCase()}_${part}`;
  return {
    place: (venue) => `set ${nameOf(venue, 'KEY')} and ${nameOf(venue, 'SECRET')}`,
    find: (venue) => {
      const [key, secret, passphrase] = ['KEY', 'SECRET', 'PASSPHRASE'].map((part) => env[nameOf(venue, part)] ?? '');
      if (key === '' && secret === '') return Promise.resolve(undefined);
      if (key === '' || secret === '')
        throw new BadInput(`${nameOf(venue, key === '' ? 'KEY' : 'SECRET')} is missing beside its other half`);
      return Promise.resolve(credentialsFrom({ key: key!, secret: secret!, passphrase }));
    },
  };
}

/** Name of the sealed file in the data folder. */
export const SEALED_KEYS = 'venue-keys.sealed';

/** The sealed file of this machine; `arb keys` writes it. Without a passphrase it is none. */
export function sealedKeys(file: string, passphrase: string | undefined): KeyStore {
  let opened: Keys | undefined;
  return {
    place: (venue) => `arb keys add ${venue}`,
    find: (venue) => {
      opened ??= readSealed(file, passphrase);
      const key = opened[venue];
      return Promise.resolve(key === undefined ? undefined : credentialsFrom(key));
    },
  };
}

/** One secret a venue: a JSON object with `key`, `secret` and, where the venue has one, `passphrase`. */
export function managedKeys(environment: string, read: (name: string) => Promise<string | undefined>): KeyStore {
  const nameOf = (venue: string): string => `arbitrage/${environment}/venues/${venue}`;
  return {
    place: (venue) => `keep it in Secrets Manager as ${nameOf(venue)}`,
    find: async (venue) => {
      const text = await read(nameOf(venue));
      if (text === undefined) return undefined;
      const parsed = keySchema.safeParse(jsonFrom(text));
      // What it says is not repeated: half of it may be a secret.
      if (!parsed.success) throw new BadInput(`secret ${nameOf(venue)} is no {"key", "secret", "passphrase"?}`);
      return credentialsFrom(parsed.data);
    },
  };
}

/** Reads one secret of AWS Secrets Manager; undefined when there is none of that name. @throws BadInput when it cannot be asked */
export function secretsManager(region: string): (name: string) => Promise<string | undefined> {
  return async (name) => {
    // Large, and needed in the cloud alone.
    const { SecretsManagerClient, GetSecretValueCommand } = await import('@aws-sdk/client-secrets-manager');
    const client = new SecretsManagerClient({ region, maxAttempts: 3 });
    try {
      const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: name }));
      return SecretString;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      if (error.name === 'ResourceNotFoundException') return undefined;
      throw new BadInput(`Secrets Manager does not answer for ${name}: ${error.name}`);
    } finally {
      client.destroy();
    }
  };
}

const keySchema = z.object({ key: z.string().min(1), secret: z.string().min(1), passphrase: z.string().optional() });
const keysSchema = z.record(z.string(), keySchema);
/** By venue. */
export type Keys = z.infer<typeof keysSchema>;

const SCRYPT = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 } as const;
const KEY_BYTES = 32;
const IV_BYTES = 12;
const sealedSchema = z.strictObject({
  v: z.literal(1),
  salt: z.base64(),
  iv: z.base64(),
  tag: z.base64(),
  data: z.base64(),
});

/** Keys as a file may hold them: AES-256-GCM under a key that scrypt makes of the passphrase and a fresh salt. */
export function seal(keys: Keys, passphrase: string): string {
  const [salt, iv] = [randomBytes(16), randomBytes(IV_BYTES)];
  const cipher = createCipheriv('aes-256-gcm', scryptSync(passphrase, salt, KEY_BYTES, SCRYPT), iv);
  const data = Buffer.concat([cipher.update(JSON.stringify(keys), 'utf8'), cipher.final()]);
  const text = (bytes: Buffer): string => bytes.toString('base64');
  const sealed = { v: 1, salt: text(salt), iv: text(iv), tag: text(cipher.getAuthTag()), data: text(data) };
  return `${JSON.stringify(sealed)}\n`;
}

/** @throws BadInput when it is damaged, or the passphrase is another. */
export function unseal(sealed: string, passphrase: string): Keys {
  const parsed = sealedSchema.safeParse(jsonFrom(sealed));
  if (!parsed.success) throw new BadInput('the sealed keys are damaged');
  const [salt, iv, tag, data] = [parsed.data.salt, parsed.data.iv, parsed.data.tag, parsed.data.data].map((text) =>
    Buffer.from(text, 'base64'),
  );
  try {
    const decipher = createDecipheriv('aes-256-gcm', scryptSync(passphrase, salt!, KEY_BYTES, SCRYPT), iv!);
    decipher.setAuthTag(tag!);
    return keysSchema.parse(JSON.parse(Buffer.concat([decipher.update(data!), decipher.final()]).toString('utf8')));
  } catch {
    throw new BadInput('the sealed keys do not open: the passphrase is another, or the file was changed');
  }
}

/** What a sealed file holds; nothing when there is none. @throws BadInput */
export function readSealed(file: string, passphrase: string | undefined): Keys {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
  if (passphrase === undefined || passphrase === '')
    throw new BadInput(`${file} is sealed: set ARB_SECRETS_PASSPHRASE to open it`);
  return unseal(text, passphrase);
}

function jsonFrom(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const credentialsFrom = ({ key, secret, passphrase }: Keys[string]): Credentials => ({
  apiKey: key,
  secret,
  ...(passphrase === undefined || passphrase === '' ? {} : { passphrase }),
});
