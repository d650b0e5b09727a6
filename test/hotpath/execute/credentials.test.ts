import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  credentialsOf,
  environmentKeys,
  managedKeys,
  readSealed,
  seal,
  sealedKeys,
  unseal,
} from '#hotpath/execute/credentials.ts';
import { BadInput } from '#shared/assert.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'keys-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const KEYS = { okx: { key: 'the-key', secret: 'the-secret', passphrase: 'the-passphrase' } };

describe('keys of venues', () => {
  it('come from the environment, with a passphrase where there is one', async () => {
    const found = await credentialsOf(
      ['okx', 'kraken'],
      [
        environmentKeys({
          ARB_SECRET_OKX_KEY: 'k',
          ARB_SECRET_OKX_SECRET: 's',
          ARB_SECRET_OKX_PASSPHRASE: 'p',
          ARB_SECRET_KRAKEN_KEY: 'k2',
          ARB_SECRET_KRAKEN_SECRET: 's2',
        }),
      ],
    );
    expect(found.get('okx')).toEqual({ apiKey: 'k', secret: 's', passphrase: 'p' });
    expect(found.get('kraken')).toEqual({ apiKey: 'k2', secret: 's2' });
  });

  it('come from the first store that has them', async () => {
    const file = join(directory, 'sealed');
    writeFileSync(file, seal(KEYS, 'pass'));
    const stores = [environmentKeys({}), sealedKeys(file, 'pass'), managedKeys('dev', () => Promise.resolve('{}'))];
    expect((await credentialsOf(['okx'], stores)).get('okx')).toEqual({
      apiKey: 'the-key',
      secret: 'the-secret',
      passphrase: 'the-passphrase',
    });
  });

  it('are named, each with every place where it could be, when they are missing', async () => {
    const stores = [environmentKeys({}), sealedKeys(join(directory, 'none'), undefined)];
    const asked = credentialsOf(['okx', 'gate'], stores);
    await expect(asked).rejects.toThrow(BadInput);
    await expect(asked).rejects.toThrow(
      'no key for okx: set ARB_SECRET_OKX_KEY and ARB_SECRET_OKX_SECRET, or arb keys add okx\nno key for gate',
    );
  });

  it('are refused when half of one is there', async () => {
    await expect(credentialsOf(['okx'], [environmentKeys({ ARB_SECRET_OKX_KEY: 'only-this' })])).rejects.toThrow(
      'ARB_SECRET_OKX_SECRET is missing',
    );
  });

  it('come from Secrets Manager by environment and venue', async () => {
    const asked: string[] = [];
    const read = (name: string): Promise<string | undefined> => {
      asked.push(name);
      return Promise.resolve(name.endsWith('okx') ? '{"key":"k","secret":"s"}' : undefined);
    };
    const store = managedKeys('production', read);
    expect(await store.find('okx')).toEqual({ apiKey: 'k', secret: 's' });
    expect(await store.find('gate')).toBeUndefined();
    expect(asked).toEqual(['arbitrage/production/venues/okx', 'arbitrage/production/venues/gate']);
  });

  it('are not repeated when they cannot be read', async () => {
    const store = managedKeys('production', () => Promise.resolve('{"key":"half-a-secret"'));
    await expect(store.find('okx')).rejects.toThrow(/arbitrage\/production\/venues\/okx is no/);
    await expect(store.find('okx')).rejects.not.toThrow(/half-a-secret/);
  });
});

describe('a sealed file', () => {
  it('opens with its passphrase and with no other', () => {
    const sealed = seal(KEYS, 'right');
    expect(unseal(sealed, 'right')).toEqual(KEYS);
    expect(() => unseal(sealed, 'wrong')).toThrow(/do not open/);
    expect(sealed).not.toMatch(/the-(key|secret|passphrase)/);
    expect(seal(KEYS, 'right')).not.toBe(sealed);
  });

  it('does not open once a byte of it was changed', () => {
    const sealed = JSON.parse(seal(KEYS, 'right')) as Record<string, string | number>;
    const data = Buffer.from(sealed['data'] as string, 'base64');
    data[3]! ^= 1;
    const changed = JSON.stringify({ ...sealed, data: data.toString('base64') });
    expect(() => unseal(changed, 'right')).toThrow(BadInput);
    expect(() => unseal('{"v":1}', 'right')).toThrow(/damaged/);
  });

  it('is nothing where there is none, and wants its passphrase where there is one', () => {
    const file = join(directory, 'sealed');
    expect(readSealed(file, undefined)).toEqual({});
    writeFileSync(file, seal(KEYS, 'right'));
    expect(() => readSealed(file, undefined)).toThrow(/set ARB_SECRETS_PASSPHRASE/);
  });
});
