import { randomBytes } from 'node:crypto';
import { createRoute } from '@hono/zod-openapi';
import type { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import { idParams, keyCreated, keyRequest, keysData, keyView, pageQuery } from '#shared/schema/api.ts';
import { createKeyPair, listKeys, revokeKey, type KeyFacts } from '../../common/api-keys.ts';
import { demand } from '../../common/auth.ts';
import { isoFromMs, success } from '../../common/envelope.ts';
import { ApplicationError } from '../../common/errors.ts';
import { nowMs, type App, type AppOptions } from '../context.ts';
import { answers, denials, fails, secured } from '../describe.ts';
import type { Guards } from '../guards.ts';

/** API keys: made, listed and revoked by who has the scope admin. */
export function mountKeys(app: App, options: AppOptions, guards: Guards): void {
  mountCreate(app, options, guards);
  const list = createRoute({
    method: 'get',
    path: '/v1/keys',
    tags: ['auth'],
    summary: 'API keys, newest first, without their secrets',
    security: secured('admin'),
    middleware: [guards.scope('admin')] as const,
    request: { query: pageQuery },
    responses: { 200: answers(keysData, 'A page of keys'), ...fails(400), ...denials },
  });
  app.openapi(list, async (context) => {
    const { limit, cursor } = context.req.valid('query');
    const before = cursor === undefined ? undefined : Buffer.from(cursor, 'base64url').toString('utf8');
    if (before !== undefined && !/^\d{16}#/.test(before)) throw new BadInput('cursor is not one of ours');
    const { keys, nextBefore } = await listKeys(options.store.state, { limit, before });
    const next_cursor = nextBefore === undefined ? null : Buffer.from(nextBefore).toString('base64url');
    return context.json(success({ keys: keys.map(viewOf), next_cursor }, nowMs(options)), 200);
  });

  const revoke = createRoute({
    method: 'delete',
    path: '/v1/keys/{id}',
    tags: ['auth'],
    summary: 'Revoke a key, and with it every token of it',
    security: secured('admin'),
    middleware: [guards.scope('admin')] as const,
    request: { params: idParams },
    responses: { 200: answers(keyView, 'The revoked key'), ...fails(404), ...denials },
  });
  app.openapi(revoke, async (context) => {
    const { id } = context.req.valid('param');
    const revoked = await revokeKey(options.store.state, id, nowMs(options));
    if (revoked === undefined) throw new ApplicationError(2003, `no key ${id}`);
    context.set('auditDetail', `key ${id} revoked`);
    return context.json(success(viewOf(revoked), nowMs(options)), 200);
  });
}

function mountCreate(app: App, options: AppOptions, guards: Guards): void {
  const create = createRoute({
    method: 'post',
    path: '/v1/keys',
    tags: ['auth'],
    summary: 'Make an API key; its secret is shown in this answer and never again',
    security: secured('admin'),
    middleware: [guards.scope('admin')] as const,
    request: { body: { required: true, content: { 'application/json': { schema: keyRequest } } } },
    responses: { 201: answers(keyCreated, 'The key with its secret'), ...fails(400), ...denials },
  });
  app.openapi(create, async (context) => {
    const { name, scopes: wanted, expires_at } = context.req.valid('json');
    const scopes = [...new Set(wanted)];
    // Nobody gives what they do not have.
    for (const each of scopes) demand(context.get('principal'), each);
    const createdAtMs = Math.floor(nowMs(options));
    const expiresAtMs = expires_at === undefined ? undefined : Date.parse(expires_at);
    if (expiresAtMs !== undefined && expiresAtMs <= createdAtMs) throw new BadInput('expires_at is not in the future');
    const id = `key-${randomBytes(9).toString('hex')}`;
    const pair = await createKeyPair(options.store.state, { id, name, scopes, nowMs: createdAtMs, expiresAtMs });
    // 72 random bits that were drawn before: never, in practice.
    if (pair === undefined) throw new ApplicationError(409, 'try again');
    const facts = {
      id,
      name: name ?? null,
      scopes,
      createdAtMs,
      expiresAtMs: expiresAtMs ?? null,
      revokedAtMs: null,
    };
    context.set('auditDetail', `key ${id} made: ${scopes.join(', ')}`);
    return context.json(success({ ...viewOf(facts), api_secret: pair.apiSecret }, nowMs(options)), 201);
  });
}

const viewOf = ({ id, name, scopes, createdAtMs, expiresAtMs, revokedAtMs }: KeyFacts): z.infer<typeof keyView> => ({
  api_key: id,
  name,
  scopes: [...scopes],
  created_at: isoFromMs(createdAtMs),
  expires_at: expiresAtMs === null ? null : isoFromMs(expiresAtMs),
  revoked_at: revokedAtMs === null ? null : isoFromMs(revokedAtMs),
});
