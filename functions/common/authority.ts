import type { Clock } from '#shared/clock/clock.ts';
import { createAuthority, type Authority, type Provider } from './auth.ts';
import { variable } from './environment.ts';
import { signingSecret } from './secrets.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The authority of a Lambda: with the secret that signs, as it is now, and with the provider that `OIDC_ISSUER` names (then with
 * `OIDC_AUDIENCE` and `OIDC_JWKS_URL`).
 */
export function authorityFrom(env: Environment, clock: Clock, secret = signingSecret(env, clock)): Authority {
  const provider = providerFrom(env);
  let kept: { readonly secret: string; readonly authority: Authority } | undefined;
  // The same one as long as the secret is: it keeps the keys of the provider.
  const current = async (): Promise<Authority> => {
    const now = await secret();
    if (kept?.secret !== now) kept = { secret: now, authority: createAuthority(now, clock, provider) };
    return kept.authority;
  };
  return {
    issue: async (...of) => (await current()).issue(...of),
    verify: async (token) => (await current()).verify(token),
  };
}

function providerFrom(env: Environment): Provider | undefined {
  const issuer = env['OIDC_ISSUER'] ?? '';
  if (issuer === '') return undefined;
  return { issuer, audience: variable('OIDC_AUDIENCE'), jwksUrl: variable('OIDC_JWKS_URL') };
}
