import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, describe, expect, it } from 'vitest';
import { scope as scopes, type Scope } from '#shared/schema/scope.ts';
import { rateLimiter } from '#functions/common/rate-limit.ts';
import { Table } from '#functions/common/table.ts';
import { SECRET, startTestCloud, type Answer } from '../support/cloud.ts';
import { willingEngine } from '../support/willing-engine.ts';

const world = await startTestCloud();
const engine = world.play(willingEngine());
const description = JSON.parse((await world.get('/v1/openapi.json')).text) as Description;
afterAll(async () => {
  await engine.stop();
  await world.close();
});

/** What anybody may ask. Everything else that is described needs a token. */
const OPEN = [
  'GET /health',
  'GET /metrics',
  'GET /ready',
  'GET /v1/docs',
  'GET /v1/openapi.json',
  'POST /v1/auth/token',
];
/** What the holder of a link that we sent may ask: the link is the key. */
const LINKED = ['GET /v1/alerts/{id}/ack'];

type Description = {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly security?: Security; readonly responses: object }>>>
  >;
};
type Security = readonly [{ readonly bearer: readonly [Scope] }];
type Operation = { readonly name: string; readonly scope: Scope | undefined; readonly statuses: readonly string[] };

const operations: readonly Operation[] = Object.entries(description.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, { security, responses }]) => ({
    name: `${method.toUpperCase()} ${path}`,
    scope: security?.[0].bearer[0],
    statuses: Object.keys(responses),
  })),
);
const closed = operations.filter(({ scope }) => scope !== undefined);

/** Asks for an operation, whatever it is about. */
function ask(name: string, token?: string): Promise<Answer> {
  const [method = '', path = ''] = name.split(' ');
  const filled = path.replace('{date}', '2026-11-20').replaceAll(/\{\w+\}/g, 'x');
  if (method === 'GET') return world.get(filled, token);
  if (method === 'POST') return world.post(filled, undefined, token);
  return world.send(method as 'PUT', filled, undefined, token);
}

describe('who may ask what', () => {
  it('is described of every operation but the open ones', () => {
    const open = operations.filter(({ scope }) => scope === undefined).map(({ name }) => name);
    expect(open.sort()).toEqual([...OPEN, ...LINKED].sort());
    expect(closed.length).toBeGreaterThan(40);
  });

  it('stands in docs/api.md as it is described', () => {
    const said = operations.map(({ name, scope }) => `${name} ${scope ?? '–'}`);
    expect([...scopesInDocs()].sort()).toEqual(said.sort());
  });

  it.each(OPEN)('%s is open', async (name) => {
    const { status } = await ask(name);
    expect([401, 403]).not.toContain(status);
  });
});

describe.each(closed)('$name', ({ name, scope, statuses }) => {
  it('is closed to everybody without a valid token', async () => {
    for (const [what, make] of Object.entries(badTokens)) {
      const { status, error } = await ask(name, await make());
      expect([what, status, error.code]).toEqual([what, 401, what === 'expired' ? 1002 : 1001]);
    }
    expect(statuses).toContain('401');
  });

  it.each(scopes.options)(`with the scope %s alone: needs ${scope!}`, async (held) => {
    const { status, error } = await ask(name, await world.tokenOf(`${name} ${held}`, [held]));
    expect(statuses).toContain(String(status));
    if (held === scope) expect([status, (error as { code?: number } | undefined)?.code]).not.toEqual([403, 1003]);
    else expect([status, error.code, error.detail]).toEqual([403, 1003, `scope "${scope!}" is missing`]);
  });
});

describe('rate limit', () => {
  it('lets a burst of 100 in, turns the next away with Retry-After, and refills 1000 a minute', async () => {
    const token = await world.tokenOf('eager');
    const answers = await Promise.all(Array.from({ length: 100 }, () => world.get('/v1/trading/balances', token)));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    const left = answers.map(({ headers }) => Number(headers.get('ratelimit-remaining'))).sort((a, b) => a - b);
    expect(left).toEqual(Array.from({ length: 100 }, (_, index) => index));

    const refused = await world.get('/v1/trading/balances', token);
    expect([refused.status, refused.error.code]).toEqual([429, 429]);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(refused.headers.get('ratelimit-limit')).toBe('1000');
    expect(refused.headers.get('ratelimit-remaining')).toBe('0');

    world.clock.advance(59);
    expect((await world.get('/v1/trading/balances', token)).status).toBe(429);
    world.clock.advance(1);
    expect((await world.get('/v1/trading/balances', token)).status).toBe(200);
    expect((await world.get('/v1/trading/balances', token)).status).toBe(429);
  });

  it('is of each principal alone', async () => {
    const [eager, calm] = [await world.tokenOf('eager-2'), await world.tokenOf('calm')];
    await Promise.all(Array.from({ length: 101 }, () => world.get('/v1/trading/balances', eager)));
    expect((await world.get('/v1/trading/balances', eager)).status).toBe(429);
    expect((await world.get('/v1/trading/balances', calm)).status).toBe(200);
  });

  it('never lets more than the burst and the refill in, however the calls fall', async () => {
    const token = await world.tokenOf('steady');
    let admitted = 0;
    for (let second = 0; second < 5; second += 1) {
      const answers = await Promise.all(Array.from({ length: 60 }, () => world.get('/v1/trading/balances', token)));
      admitted += answers.filter(({ status }) => status === 200).length;
      world.clock.advance(1_000);
    }
    // 100 at once and 16⅔ in each of the four seconds before the last round.
    expect(admitted).toBe(100 + Math.floor((4 * 1000) / 60));
  });

  it('is one bucket for all instances of the API', async () => {
    const limit = { perMinute: 1000, burst: 100 };
    const table = new Table(world.client, world.config.stores.state_table);
    const [here, there] = [rateLimiter(table, limit, world.clock), rateLimiter(table, limit, world.clock)];
    const all = await Promise.all(
      Array.from({ length: 75 }, () => [here('key:shared'), there('key:shared')]).flatMap((both) => both),
    );
    expect(all.filter(({ admitted }) => admitted)).toHaveLength(100);
    // One in every 60 ms from there on, whoever is asked.
    for (let at = 0; at < 20; at += 1) {
      world.clock.advance(59);
      expect((await here('key:shared')).admitted).toBe(false);
      world.clock.advance(1);
      expect((await (at % 2 === 0 ? here : there)('key:shared')).admitted).toBe(true);
      expect((await there('key:shared')).admitted).toBe(false);
    }
  });

  it('holds for tokens too, by address', async () => {
    const answers = await Promise.all(Array.from({ length: 101 }, () => world.post('/v1/auth/token', {})));
    expect(answers.filter(({ status }) => status === 400)).toHaveLength(100);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(1);
  });
});

type Claims = { readonly iss?: string; readonly aud?: string; readonly iat?: number; readonly exp?: number };
const now = (): number => Math.floor(world.clock.nowMs() / 1000);

function jwt(over: Claims = {}): SignJWT {
  return new SignJWT({
    scopes: ['read', 'trade'],
    sub: 'x',
    iss: 'arbitrage-engine',
    aud: 'arbitrage-api',
    iat: now() - 60,
    exp: now() + 60,
    ...over,
  });
}
const signed = (token: SignJWT, secret = SECRET, alg = 'HS256'): Promise<string> =>
  token.setProtectedHeader({ alg }).sign(new TextEncoder().encode(secret));

const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 });

const badTokens: Record<string, () => Promise<string | undefined>> = {
  none: async () => undefined,
  garbage: async () => 'abc.def.ghi',
  expired: () => signed(jwt({ iat: now() - 100, exp: now() })),
  'wrong audience': () => signed(jwt({ aud: 'somebody-else' })),
  'wrong issuer': () => signed(jwt({ iss: 'somebody-else' })),
  'wrong signature': () => signed(jwt(), 'another secret that is as long as it has to be'),
  'another algorithm': () => signed(jwt(), SECRET.repeat(2), 'HS512'),
  'an asymmetric algorithm': () => jwt().setProtectedHeader({ alg: 'RS256' }).sign(RSA.privateKey),
  'a public key as the secret': () =>
    signed(jwt(), RSA.publicKey.export({ type: 'spki', format: 'pem' }).toString(), 'HS256'),
  'alg none': async () =>
    new UnsecuredJWT({
      scopes: ['read'],
      sub: 'x',
      iss: 'arbitrage-engine',
      aud: 'arbitrage-api',
      exp: now() + 60,
    }).encode(),
  'no expiry': () =>
    signed(new SignJWT({ scopes: ['read'], sub: 'x', iss: 'arbitrage-engine', aud: 'arbitrage-api', iat: now() })),
  'unknown scopes': () =>
    signed(
      new SignJWT({
        scopes: ['everything'],
        sub: 'x',
        iss: 'arbitrage-engine',
        aud: 'arbitrage-api',
        iat: now(),
        exp: now() + 60,
      }),
    ),
};

/** `GET /v1/status read`: every line of the table of endpoints, one path each. */
function scopesInDocs(): readonly string[] {
  const page = readFileSync('docs/api.md', 'utf8');
  const table = page.slice(page.indexOf('## Endpoints'), page.indexOf('### Commands'));
  const rows = [...table.matchAll(/^\| ([A-Z]+) ([^|]+?) *\|.*\| *(\S+) *\|$/gm)];
  return rows.flatMap(([, method, paths, scope]) => paths!.split(', ').map((path) => `${method!} ${path} ${scope!}`));
}
