import { createRemoteJWKSet, decodeJwt, errors, jwtVerify, SignJWT, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import type { Clock } from '#shared/clock/clock.ts';
import { scope, type Scope } from '#shared/schema/scope.ts';
import { ApplicationError } from './errors.ts';

const ISSUER = 'arbitrage-engine';
const AUDIENCE = 'arbitrage-api';
/** The one algorithm of our own tokens: one that names another, or none, is refused whatever its signature. */
const ALGORITHM = 'HS256';
const LIFETIME_S = 24 * 3600;
/** What an identity provider may sign with. None of them takes a secret, so that nobody signs with a public key as if it were one. */
const PROVIDER_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
/** Of the provider's clock against ours. */
const TOLERANCE_S = 30;
/** HS256 wants a key as long as its hash. @see RFC 7518 §3.2 */
const SECRET_BYTES_MIN = 32;

/** Who asks, and what they may do. */
export type Principal = { readonly id: string; readonly scopes: readonly Scope[]; readonly expiresAtMs: number };

export type Authority = {
  readonly issue: (
    id: string,
    scopes: readonly Scope[],
  ) => Promise<{ readonly token: string; readonly expiresIn: number }>;
  /** @throws ApplicationError 1001 for what is not a token of ours, 1002 for one that is over */
  readonly verify: (token: string) => Promise<Principal>;
};

/**
 * An identity provider whose tokens are good here too.
 * @see https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata (`issuer`, `jwks_uri`)
 */
export type Provider = { readonly issuer: string; readonly audience: string; readonly jwksUrl: string };

/**
 * Issues and checks the API's tokens, and checks those of a provider where one is configured: a token's issuer says whose it is. Without a
 * proper secret every use of our own is a configuration error (5003), never a weak token.
 */
export function createAuthority(secret: string, clock: Clock, provider?: Provider): Authority {
  const key = new TextEncoder().encode(secret);
  const usable = (): Uint8Array => {
    if (key.length < SECRET_BYTES_MIN) throw new ApplicationError(5003, 'no signing secret is configured');
    return key;
  };
  const now = (): Date => new Date(clock.unixMs(clock.now()));
  const ofProvider = provider === undefined ? undefined : providerCheck(provider);

  return {
    issue: async (id, scopes) => {
      const issuedAt = Math.floor(now().getTime() / 1000);
      const token = await new SignJWT({ scopes })
        .setProtectedHeader({ alg: ALGORITHM })
        .setSubject(id)
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setIssuedAt(issuedAt)
        .setExpirationTime(issuedAt + LIFETIME_S)
        .sign(usable());
      return { token, expiresIn: LIFETIME_S };
    },
    verify: async (token) => {
      try {
        if (ofProvider !== undefined && issuerOf(token) === provider?.issuer) return await ofProvider(token, now());
        const { payload } = await jwtVerify(token, usable(), {
          algorithms: [ALGORITHM],
          issuer: ISSUER,
          audience: AUDIENCE,
          requiredClaims: REQUIRED_CLAIMS,
          currentDate: now(),
        });
        const { sub, scopes, exp } = claims.parse(payload);
        return { id: sub, scopes, expiresAtMs: exp * 1000 };
      } catch (error) {
        throw refusalFrom(error);
      }
    },
  };
}

const REQUIRED_CLAIMS = ['sub', 'exp', 'iat'];
const claims = z.object({ sub: z.string().min(1), scopes: z.array(scope), exp: z.number() });

/** Checks the tokens of a provider by its published keys, which are kept and asked for again when a token names one that is new. */
function providerCheck({ issuer, audience, jwksUrl }: Provider): (token: string, now: Date) => Promise<Principal> {
  const published = createRemoteJWKSet(new URL(jwksUrl));
  const keys: JWTVerifyGetKey = async (header, jws) => {
    try {
      return await published(header, jws);
    } catch (error) {
      // No such key, or no word which of several, is the token's fault; no answer, or none that we understand, is not.
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) throw error;
      throw new ApplicationError(5002, 'the keys of the identity provider cannot be read');
    }
  };
  return async (token, currentDate) => {
    const options = { algorithms: PROVIDER_ALGORITHMS, issuer, audience, requiredClaims: REQUIRED_CLAIMS };
    const { payload } = await jwtVerify(token, keys, { ...options, clockTolerance: TOLERANCE_S, currentDate });
    const { sub, exp } = providerClaims.parse(payload);
    // Our keys have names of their own: nobody elsewhere may choose one of them.
    return { id: `oidc:${sub}`, scopes: scopesOf(payload), expiresAtMs: exp * 1000 };
  };
}

const providerClaims = z.object({ sub: z.string().min(1), exp: z.number() });

/** `scope` (RFC 8693 §4.2), or the lists that providers put in its place; what is no scope of ours means nothing here. */
function scopesOf({ scope: text, scopes, permissions }: JWTPayload): readonly Scope[] {
  const named = new Set<unknown>([
    ...(typeof text === 'string' ? text.split(' ') : []),
    ...[scopes, permissions].flatMap((list) => (Array.isArray(list) ? (list as unknown[]) : [])),
  ]);
  return scope.options.filter((each) => named.has(each));
}

/** Whose the token says it is: believed once its signature is checked. */
function issuerOf(token: string): string | undefined {
  return decodeJwt(token).iss;
}

function refusalFrom(error: unknown): unknown {
  if (error instanceof errors.JWTExpired) return new ApplicationError(1002);
  if (error instanceof errors.JOSEError || error instanceof z.ZodError)
    return new ApplicationError(1001, 'the token is not valid');
  return error;
}

/** @throws ApplicationError 1003 naming the scope that is missing */
export function demand(principal: Principal, wanted: Scope): void {
  if (!principal.scopes.includes(wanted)) throw new ApplicationError(1003, `scope "${wanted}" is missing`);
}

/** The token of an `Authorization: Bearer …` header. @throws ApplicationError 1001 when there is none */
export function bearerToken(header: string | undefined): string {
  const token = /^Bearer ([^\s]+)$/i.exec(header ?? '')?.[1];
  if (token === undefined) throw new ApplicationError(1001, 'no bearer token');
  return token;
}
