import { createHash } from 'node:crypto';
import type { Context, MiddlewareHandler } from 'hono';
import { createMiddleware } from 'hono/factory';
import type { Scope } from '#shared/schema/scope.ts';
import { isClosed } from '../common/api-keys.ts';
import { AuditTrail, type AuditFact } from '../common/audit.ts';
import { bearerToken, demand } from '../common/auth.ts';
import { ApplicationError } from '../common/errors.ts';
import type { Admission } from '../common/rate-limit.ts';
import { nowMs, type AppEnv, type AppOptions } from './context.ts';

export type Guards = {
  /** A valid token with this scope, of a key that is not closed, within its rate limit; what changes anything is audited. */
  readonly scope: (wanted: Scope) => MiddlewareHandler<AppEnv>;
  /** Who holds a link of ours, within the rate limit of their address; what they do is audited. */
  readonly link: (
    holderOf: (context: Context<AppEnv>) => Promise<{ readonly id: string; readonly firing: number }>,
  ) => MiddlewareHandler<AppEnv>;
  /** Within the rate limit of the caller's address. */
  readonly anyone: MiddlewareHandler<AppEnv>;
};

/** Methods that change nothing. */
const READS: ReadonlySet<string> = new Set(['GET', 'HEAD']);
/** What must work when the database does not: who may stop is in the token. */
const STOPS: ReadonlySet<string> = new Set(['/v1/trading/stop', '/v1/trading/emergency-stop']);
const VERSIONS: ReadonlySet<string> = new Set(['1.0']);

export function createGuards(options: AppOptions, admit: (principal: string) => Promise<Admission>): Guards {
  const limited = async (principal: string): Promise<Readonly<Record<string, string>>> => {
    const { admitted, headers } = await admit(principal);
    if (!admitted) throw new ApplicationError(429, undefined, headers);
    return headers;
  };
  const limitedByAddress = async (context: Context<AppEnv>): Promise<void> => {
    const headers = await limited(`address:${options.addressOf(context)}`);
    for (const [name, value] of Object.entries(headers)) context.header(name, value);
  };
  const audited = auditedBy(options);
  return {
    scope: (wanted) =>
      createMiddleware<AppEnv>(async (context, next) => {
        const principal = await options.authority.verify(bearerToken(context.req.header('authorization')));
        const [headers, closed] = await unlessStop(context, options, [{}, false], () =>
          Promise.all([limited(`key:${principal.id}`), isClosed(options.store.state, principal.id, nowMs(options))]),
        );
        if (closed) throw new ApplicationError(1001, 'the key of this token was revoked or is over');
        demand(principal, wanted);
        context.set('principal', principal);
        for (const [name, value] of Object.entries(headers)) context.header(name, value);
        await (READS.has(context.req.method) ? next() : audited(context, next));
      }),
    link: (holderOf) =>
      createMiddleware<AppEnv>(async (context, next) => {
        await limitedByAddress(context);
        const { id, firing } = await holderOf(context);
        context.set('principal', { id, scopes: [], expiresAtMs: 0 });
        context.set('firing', firing);
        await audited(context, next);
      }),
    anyone: createMiddleware<AppEnv>(async (context, next) => {
      await limitedByAddress(context);
      await next();
    }),
  };
}

/** A stop is not held up by a database that is away: it goes on with `instead`, and the log says without what. */
async function unlessStop<T>(
  context: Context<AppEnv>,
  { log }: AppOptions,
  instead: T,
  check: () => Promise<T>,
): Promise<T> {
  try {
    return await check();
  } catch (thrown) {
    const isAway = thrown instanceof ApplicationError && (thrown.code === 5001 || thrown.code === 5003);
    if (!isAway || !STOPS.has(context.req.path)) throw thrown;
    log.error('stop-unguarded', { request: context.get('requestId'), cause: thrown.message });
    return instead;
  }
}

/**
 * Two entries around whatever changes something. The first is written before anything is done: what cannot be audited is not done. When
 * the second cannot be written, the request has been carried out and its caller is told so; the first entry stands.
 */
function auditedBy(options: AppOptions): (context: Context<AppEnv>, next: () => Promise<void>) => Promise<void> {
  const trail = new AuditTrail(options.store.state, options.store.engine);
  return async (context, next) => {
    const { req } = context;
    const fact = (over: Pick<AuditFact, 'phase'> & Partial<AuditFact>): AuditFact => ({
      at_ms: Math.floor(nowMs(options)),
      actor: context.get('principal').id,
      action: `${req.method} ${req.path}`,
      request_id: context.get('requestId'),
      body_sha256: null,
      status: null,
      code: null,
      detail: null,
      ...over,
    });
    const body = await req.text();
    const body_sha256 = body === '' ? null : createHash('sha256').update(body).digest('hex');
    await unlessStop(context, options, undefined, () => trail.append(fact({ phase: 'requested', body_sha256 })));
    await next();
    const { error } = context;
    const code = error instanceof ApplicationError ? error.code : null;
    const { status } = context.res;
    try {
      await trail.append(fact({ phase: 'answered', status, code, detail: context.get('auditDetail') ?? null }));
    } catch (thrown) {
      if (!(thrown instanceof ApplicationError)) throw thrown;
      options.log.error('audit-incomplete', { request: context.get('requestId'), cause: thrown.message });
    }
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
