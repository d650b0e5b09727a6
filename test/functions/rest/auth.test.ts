import { SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SECRET, startTestCloud, type CloudUnderTest } from '../support/cloud.ts';

let world: CloudUnderTest;
beforeAll(async () => {
  world = await startTestCloud();
});
afterAll(() => world.close());

const protectedRoutes = [
  ['GET', '/v1/status', 'read'],
  ['GET', '/v1/market/prices', 'read'],
  ['GET', '/v1/market/books/binance/BTC%2FUSDT', 'read'],
  ['GET', '/v1/analytics/opportunities', 'read'],
  ['GET', '/v1/analytics/opportunities/x', 'read'],
  ['GET', '/v1/trading/operations', 'read'],
  ['GET', '/v1/trading/operations/x', 'read'],
  ['GET', '/v1/trading/orders', 'read'],
  ['GET', '/v1/orders', 'read'],
  ['GET', '/v1/trading/positions', 'read'],
  ['GET', '/v1/positions', 'read'],
  ['GET', '/v1/trading/balances', 'read'],
  ['GET', '/v1/analytics/performance', 'read'],
  ['GET', '/v1/market/history', 'read'],
  ['GET', '/v1/market/synthetics', 'read'],
  ['GET', '/v1/config', 'read'],
  ['PUT', '/v1/config', 'admin'],
  ['GET', '/v1/config/versions', 'read'],
  ['POST', '/v1/config/rollback', 'admin'],
  ['GET', '/v1/risk/limits', 'read'],
  ['PUT', '/v1/risk/limits', 'risk'],
  ['GET', '/v1/risk/reports', 'read'],
  ['GET', '/v1/risk/reports/2026-11-20', 'read'],
  ['GET', '/v1/keys', 'admin'],
  ['POST', '/v1/keys', 'admin'],
  ['DELETE', '/v1/keys/x', 'admin'],
  ['GET', '/v1/audit', 'admin'],
  ['POST', '/v1/trading/start', 'trade'],
  ['POST', '/v1/trading/stop', 'trade'],
] as const;

const call = (method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, token?: string) =>
  method === 'GET'
    ? world.get(path, token)
    : method === 'POST'
      ? world.post(path, undefined, token)
      : world.send(method, path, undefined, token);

describe.each(protectedRoutes)('%s %s', (method, path, scope) => {
  it('is closed to everybody without a valid token', async () => {
    for (const [what, make] of Object.entries(badTokens)) {
      const { status, error } = await call(method, path, await make());
      expect([what, status, error.code]).toEqual([what, 401, what === 'expired' ? 1002 : 1001]);
    }
  });

  it(`is closed to who lacks the scope ${scope}`, async () => {
    const { status, error } = await call(
      method,
      path,
      await world.tokenOf('narrow', scope === 'read' ? ['trade'] : ['read']),
    );
    expect([status, error.code, error.detail]).toEqual([403, 1003, `scope "${scope}" is missing`]);
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

const badTokens: Record<string, () => Promise<string | undefined>> = {
  none: async () => undefined,
  garbage: async () => 'abc.def.ghi',
  expired: () => signed(jwt({ iat: now() - 100, exp: now() })),
  'wrong audience': () => signed(jwt({ aud: 'somebody-else' })),
  'wrong issuer': () => signed(jwt({ iss: 'somebody-else' })),
  'wrong signature': () => signed(jwt(), 'another secret that is as long as it has to be'),
  'another algorithm': () => signed(jwt(), SECRET.repeat(2), 'HS512'),
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
