import { createRoute } from '@hono/zod-openapi';
import { tokenData, tokenRequest } from '#shared/schema/api.ts';
import { grantOf } from '../../common/api-keys.ts';
import { success } from '../../common/envelope.ts';
import { ApplicationError } from '../../common/errors.ts';
import { nowMs, type App, type AppOptions } from '../context.ts';
import { answers, fails } from '../describe.ts';
import type { Guards } from '../guards.ts';

/** An API key pair for a token of 24 hours. */
export function mountToken(app: App, options: AppOptions, guards: Guards): void {
  const token = createRoute({
    method: 'post',
    path: '/v1/auth/token',
    tags: ['auth'],
    summary: 'Exchange an API key pair for a token',
    middleware: [guards.anyone] as const,
    request: { body: { required: true, content: { 'application/json': { schema: tokenRequest } } } },
    responses: { 200: answers(tokenData, 'A token of 24 hours'), ...fails(400, 401, 429, 500, 503) },
  });
  app.openapi(token, async (context) => {
    const { api_key, api_secret } = context.req.valid('json');
    const pair = { apiKey: api_key, apiSecret: api_secret };
    const grant = await grantOf(options.store.state, pair, nowMs(options));
    if (grant === undefined) throw new ApplicationError(1001);
    const { scopes } = grant;
    const issued = await options.authority.issue(api_key, scopes);
    const data = { token: issued.token, expires_in: issued.expiresIn, scopes: [...scopes] };
    return context.json(success(data, nowMs(options)), 200);
  });
}
