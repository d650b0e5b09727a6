import { createRoute } from '@hono/zod-openapi';
import type { Config } from '#shared/schema/config.ts';
import { limitsChanged, limitsData, limitsRequest } from '#shared/schema/api.ts';
import { isoFromMs, success } from '../../common/envelope.ts';
import { ApplicationError } from '../../common/errors.ts';
import type { EventOf } from '../../common/store.ts';
import { ConfigVersions } from '../../config/versions.ts';
import { nowMs, type App, type AppOptions } from '../context.ts';
import { answers, denials, fails, secured } from '../describe.ts';
import type { Guards } from '../guards.ts';
import { commandOf, wordOn } from '../commands.ts';
import { aboutOf, auditOf } from './config.ts';

/** The section `risk` of the configuration, over the same versions; a change is also sent to the engine. */
export function mountRiskLimits(app: App, options: AppOptions, guards: Guards): void {
  const versions = new ConfigVersions(options.store.state, options.store.engine, options.startConfig);
  const get = createRoute({
    method: 'get',
    path: '/v1/risk/limits',
    tags: ['risk'],
    summary: 'Limits of the current version of the configuration',
    security: secured('read'),
    middleware: [guards.scope('read')] as const,
    responses: { 200: answers(limitsData, 'The limits'), ...fails(404), ...denials },
  });
  app.openapi(get, async (context) => {
    const [{ config, version, atMs }, inForce] = await Promise.all([versions.current(), options.store.riskLimits()]);
    const applied = isFollowed(config.risk, inForce);
    const data = { limits: config.risk, version, applied, timestamp: isoFromMs(atMs) };
    return context.json(success(data, nowMs(options)), 200);
  });

  const put = createRoute({
    method: 'put',
    path: '/v1/risk/limits',
    tags: ['risk'],
    summary: 'Change some limits; the rest stays',
    security: secured('risk'),
    middleware: [guards.scope('risk')] as const,
    request: { body: { required: true, content: { 'application/json': { schema: limitsRequest } } } },
    responses: {
      200: answers(limitsChanged, 'The limits as stored, and what the engine says to them'),
      ...fails(400, 404, 409),
      ...denials,
    },
  });
  app.openapi(put, async (context) => {
    const changed = context.req.valid('json');
    const stored = await versions.put(
      (current) => {
        if (current === undefined) throw new ApplicationError(2003, 'no configuration is stored');
        return { ...current, risk: { ...current.risk, ...changed } };
      },
      { ...aboutOf(options, context.get('principal').id), comment: 'risk limits', expected: undefined },
    );
    context.set('auditDetail', auditOf(stored));
    const { config, version, atMs } = stored;
    const command = commandOf(options, context.get('principal').id, {
      kind: 'limits',
      limits: config.risk,
      version,
    });
    const { word, answer } = await wordOn(options, command);
    const data = {
      message: 'Risk limits updated successfully' as const,
      limits: config.risk,
      version,
      applied: answer?.kind === 'risk-limits' && isFollowed(config.risk, answer),
      engine: word,
      timestamp: isoFromMs(atMs),
    };
    return context.json(success(data, nowMs(options)), 200);
  });
}

/** Whether the engine has said that exactly these are in force. */
const isFollowed = (limits: Config['risk'], inForce: EventOf<'risk-limits'> | undefined): boolean =>
  inForce !== undefined && Object.entries(limits).every(([name, value]) => inForce.data.limits[name] === value);
