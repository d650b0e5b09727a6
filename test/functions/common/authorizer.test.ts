import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { APIGatewayRequestAuthorizerEvent } from 'aws-lambda';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuthorizer } from '#functions/authorizer/authorizer.ts';
import { createAuthority } from '#functions/common/auth.ts';
import { handClock, silentLog } from '../support/world.ts';

const SECRET = 'a secret of the tests that is long enough for HS256';
const AUDIENCE = 'arbitrage';
const clock = handClock();
const nowS = Math.floor(clock.nowMs() / 1000);

let server: Server;
let issuer: string;
let keys: Awaited<ReturnType<typeof generateKeyPair>>;
beforeAll(async () => {
  keys = await generateKeyPair('RS256', { extractable: true });
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' };
  server = createServer((request, response) => {
    const published = { '/keys': [jwk], '/two': [jwk, { ...jwk, kid: 'k2' }] }[request.url ?? ''];
    response.writeHead(published === undefined ? 500 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ keys: published ?? [] }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
});

const authorityAt = (path = '/keys') =>
  createAuthority(SECRET, clock, { issuer, audience: AUDIENCE, jwksUrl: `${issuer}${path}` });

type Claims = { readonly aud?: string; readonly iss?: string; readonly exp?: number; readonly [name: string]: unknown };
const tokenWith = ({ aud = AUDIENCE, iss = issuer, exp = nowS + 600, ...rest }: Claims): SignJWT =>
  new SignJWT(rest)
    .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
    .setSubject('someone')
    .setIssuer(iss)
    .setAudience(aud)
    .setIssuedAt(nowS)
    .setExpirationTime(exp);

describe('tokens of a provider', () => {
  it.each([
    ['scope', { scope: 'openid read trade' }],
    ['scopes', { scopes: ['read', 'trade', 'dance'] }],
    ['permissions', { permissions: ['trade', 'read'] }],
  ])('are good with their scopes, by %s, under a name that no key of ours has', async (_, claims) => {
    const token = await tokenWith(claims).sign(keys.privateKey);
    expect(await authorityAt().verify(token)).toEqual({
      id: 'oidc:someone',
      scopes: ['read', 'trade'],
      expiresAtMs: (nowS + 600) * 1000,
    });
  });

  it.each<[string, Claims, number]>([
    ['of another audience', { aud: 'elsewhere' }, 1001],
    ['of another issuer', { iss: 'https://elsewhere.test' }, 1001],
    ['that are over', { exp: nowS - 60 }, 1002],
  ])('%s are refused', async (_, claims, code) => {
    const token = await tokenWith(claims).sign(keys.privateKey);
    await expect(authorityAt().verify(token)).rejects.toMatchObject({ code });
  });

  it('are refused without their signature, under a foreign key, and under the public key as if it were a secret', async () => {
    const base = { sub: 'x', iss: issuer, aud: AUDIENCE, iat: nowS, exp: nowS + 600, scope: 'admin' };
    const none = new UnsecuredJWT(base).encode();
    const foreign = await generateKeyPair('RS256');
    const forged = await tokenWith({ scope: 'admin' }).sign(foreign.privateKey);
    const confused = await new SignJWT(base)
      .setProtectedHeader({ alg: 'HS256', kid: 'k1' })
      .sign(new TextEncoder().encode(await exportSPKI(keys.publicKey)));
    // Signed with our own secret, but in the provider's name.
    const crossed = await new SignJWT(base).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(SECRET));
    for (const token of [none, forged, confused, crossed])
      await expect(authorityAt().verify(token)).rejects.toMatchObject({ code: 1001 });
  });

  it('are refused when they do not say which of several keys is theirs', async () => {
    const claims = { sub: 'x', iss: issuer, aud: AUDIENCE, iat: nowS, exp: nowS + 600, scope: 'read' };
    const token = await new SignJWT(claims).setProtectedHeader({ alg: 'RS256' }).sign(keys.privateKey);
    await expect(authorityAt('/two').verify(token)).rejects.toMatchObject({ code: 1001 });
  });

  it('cannot be told while its keys cannot be read; our own can', async () => {
    const token = await tokenWith({ scope: 'read' }).sign(keys.privateKey);
    const authority = authorityAt('/broken');
    await expect(authority.verify(token)).rejects.toMatchObject({ code: 5002 });
    const { token: own } = await authority.issue('desk', ['read']);
    expect(await authority.verify(own)).toMatchObject({ id: 'desk', scopes: ['read'] });
  });
});

describe('authorizer', () => {
  const authority = createAuthority(SECRET, clock);
  const authorize = createAuthorizer({ authority, log: silentLog });
  const ARN = 'arn:aws:execute-api:eu-west-1:123456789012:abc/live/GET/v1/market/prices';
  const eventWith = (over: {
    readonly headers?: Readonly<Record<string, string>>;
    readonly query?: Readonly<Record<string, string>>;
    readonly eventType?: string;
  }): APIGatewayRequestAuthorizerEvent =>
    ({
      type: 'REQUEST',
      methodArn: ARN,
      headers: over.headers ?? null,
      queryStringParameters: over.query ?? null,
      requestContext: { eventType: over.eventType },
    }) as unknown as APIGatewayRequestAuthorizerEvent;

  it('lets a valid token at the whole stage, and says whose it is', async () => {
    const { token } = await authority.issue('desk', ['read', 'trade']);
    expect(await authorize(eventWith({ headers: { authorization: `Bearer ${token}` } }))).toEqual({
      principalId: 'desk',
      policyDocument: {
        Version: '2012-10-17',
        Statement: [
          {
            Action: 'execute-api:Invoke',
            Effect: 'Allow',
            Resource: 'arn:aws:execute-api:eu-west-1:123456789012:abc/live/*',
          },
        ],
      },
      context: { scopes: 'read trade', expiresAtMs: expect.any(Number) },
    });
  });

  it('takes the token of the address at the push API alone', async () => {
    const { token } = await authority.issue('desk', ['read']);
    expect(await authorize(eventWith({ query: { token }, eventType: 'CONNECT' }))).toMatchObject({
      principalId: 'desk',
    });
    await expect(authorize(eventWith({ query: { token } }))).rejects.toThrow(/^Unauthorized$/);
  });

  it('denies what is over, and calls unauthorized what is no token of ours', async () => {
    const { token } = await authority.issue('desk', ['read']);
    const withToken = (text: string) => eventWith({ headers: { Authorization: `Bearer ${text}` } });
    await expect(authorize(withToken('x.y.z'))).rejects.toThrow(/^Unauthorized$/);
    await expect(authorize(eventWith({}))).rejects.toThrow(/^Unauthorized$/);
    clock.advance(25 * 3_600_000);
    const { policyDocument } = await authorize(withToken(token));
    expect(policyDocument.Statement).toMatchObject([{ Effect: 'Deny' }]);
    const blind = createAuthorizer({ authority: createAuthority('short', clock), log: silentLog });
    await expect(blind(withToken(token))).rejects.toMatchObject({ code: 5003 });
  });
});
