import { createMiddleware } from 'hono/factory';
import type { MiddlewareHandler } from 'hono';
import type { Scope } from '#shared/schema/api.ts';
import { bearerToken, demand } from '../common/auth.ts';
import { ApplicationError } from '../common/errors.ts';
import type { Admission } from '../common/rate-limit.ts';
import type { AppEnv, AppOptions } from './context.ts';

export type Guards = {
  /** A valid token with this scope, within its rate limit. */
  readonly scope: (wanted: Scope) => MiddlewareHandler<AppEnv>;
  /** Within the rate limit of the caller's address. */
  readonly anyone: MiddlewareHandler<AppEnv>;
};

const VERSIONS: ReadonlySet<string> = new Set(['1.0']);

export function createGuards(options: AppOptions, admit: (principal: string) => Promise<Admission>): Guards {
  const limited = async (principal: string): Promise<Readonly<Record<string, string>>> => {
    const { admitted, headers } = await admit(principal);
    if (!admitted) throw new ApplicationError(429, undefined, headers);
    return headers;
  };
  return {
    scope: (wanted) =>
      createMiddleware<AppEnv>(async (context, next) => {
        const principal = await options.authority.verify(bearerToken(context.req.header('authorization')));
        const headers = await limited(`key:${principal.id}`);
        demand(principal, wanted);
        context.set('principal', principal);
        for (const [name, value] of Object.entries(headers)) context.header(name, value);
        await next();
      }),
    anyone: createMiddleware<AppEnv>(async (context, next) => {
      const headers = await limited(`address:${options.addressOf(context)}`);
      for (const [name, value] of Object.entries(headers)) context.header(name, value);
      await next();
    }),
  };
}

/** An absent version is the current one. @throws ApplicationError 3001 for one that we do not speak */
export const versioned = createMiddleware<AppEnv>(async (context, next) => {
  const version = context.req.header('x-api-version') ?? '1.0';
  if (!VERSIONS.has(version))
    throw new ApplicationError(3001, `X-API-Version "${version.slice(0, 20)}" is not one of 1.0`);
  context.header('X-API-Version', version);
  await next();
});
