import { createRoute } from '@hono/zod-openapi';
import { BadInput } from '#shared/assert.ts';
import { auditData, auditQuery } from '#shared/schema/api.ts';
import { AuditTrail } from '../../common/audit.ts';
import { isoFromMs, success } from '../../common/envelope.ts';
import { nowMs, type App, type AppOptions } from '../context.ts';
import { answers, denials, fails, secured } from '../describe.ts';
import type { Guards } from '../guards.ts';

/** Who asked for what, and what came of it. */
export function mountAudit(app: App, options: AppOptions, guards: Guards): void {
  const trail = new AuditTrail(options.store.state, options.store.engine);
  const list = createRoute({
    method: 'get',
    path: '/v1/audit',
    tags: ['system'],
    summary: 'Audit entries, newest first, chained by their hashes',
    security: secured('admin'),
    middleware: [guards.scope('admin')] as const,
    request: { query: auditQuery },
    responses: { 200: answers(auditData, 'A page of entries'), ...fails(400), ...denials },
  });
  app.openapi(list, async (context) => {
    const { since, actor, limit, cursor } = context.req.valid('query');
    if (cursor !== undefined && !/^\d{1,15}$/.test(cursor)) throw new BadInput('cursor is not one of ours');
    const { entries, intact, nextBefore } = await trail.page({
      limit,
      before: cursor === undefined ? Infinity : Number(cursor),
      sinceMs: since === undefined ? -Infinity : Date.parse(since),
      actor,
    });
    const data = {
      entries: entries.map((entry) => ({ ...entry, timestamp: isoFromMs(entry.at_ms) })),
      intact,
      next_cursor: nextBefore === undefined ? null : String(nextBefore),
    };
    return context.json(success(data, nowMs(options)), 200);
  });
}
