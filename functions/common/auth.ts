import { errors, jwtVerify, SignJWT } from 'jose';
import { z } from 'zod';
import type { Clock } from '#shared/clock/clock.ts';
import { scope, type Scope } from '#shared/schema/api.ts';
import { ApplicationError } from './errors.ts';

const ISSUER = 'arbitrage-engine';
const AUDIENCE = 'arbitrage-api';
/** The one algorithm: a token that names another, or none, is refused whatever its signature. */
const ALGORITHM = 'HS256';
const LIFETIME_S = 24 * 3600;
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

/** Issues and checks the API's tokens. Without a proper secret every use is a configuration error (5003), never a weak token. */
export function createAuthority(secret: string, clock: Clock): Authority {
  const key = new TextEncoder().encode(secret);
  const usable = (): Uint8Array => {
    if (key.length < SECRET_BYTES_MIN) throw new ApplicationError(5003, 'no signing secret is configured');
    return key;
  };
  const now = (): Date => new Date(clock.unixMs(clock.now()));

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
      const secretKey = usable();
      try {
        const { payload } = await jwtVerify(token, secretKey, {
          algorithms: [ALGORITHM],
          issuer: ISSUER,
          audience: AUDIENCE,
          requiredClaims: ['sub', 'exp', 'iat'],
          currentDate: now(),
        });
        const { sub, scopes, exp } = claims.parse(payload);
        return { id: sub, scopes, expiresAtMs: exp * 1000 };
      } catch (error) {
        if (error instanceof errors.JWTExpired) throw new ApplicationError(1002);
        if (error instanceof errors.JOSEError || error instanceof z.ZodError) {
          throw new ApplicationError(1001, 'the token is not valid');
        }
        throw error;
      }
    },
  };
}

const claims = z.object({ sub: z.string().min(1), scopes: z.array(scope), exp: z.number() });

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
