import { createRoute } from '@hono/zod-openapi';
import type { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import {
  configChanged,
  configData,
  configRequest,
  configVersionsData,
  pageQuery,
  rollbackRequest,
} from '#shared/schema/api.ts';
import { isoFromMs, success } from '../../common/envelope.ts';
import type { EventOf } from '../../common/store.ts';
import { ConfigVersions, type ConfigVersion, type NewVersion } from '../../config/versions.ts';
import { commandOf, wordOn } from '../commands.ts';
import { nowMs, type App, type AppOptions } from '../context.ts';
import { answers, denials, fails, secured } from '../describe.ts';
import type { Guards } from '../guards.ts';

/**
 * The configuration in versions. A new one is stored first, then sent to the engine, which changes what can change while it runs and names
 * the rest: what is stored stands whatever the engine says.
 */
export function mountConfig(app: App, options: AppOptions, guards: Guards): void {
  const versions = new ConfigVersions(options.store.state, options.store.engine, options.startConfig);
  mountReads(app, options, guards, versions);
  const put = createRoute({
    method: 'put',
    path: '/v1/config',
    tags: ['system'],
    summary: 'Store a whole configuration as the next version',
    security: secured('admin'),
    middleware: [guards.scope('admin')] as const,
    request: { body: { required: true, content: { 'application/json': { schema: configRequest } } } },
    responses: { 200: answers(configChanged, STORED), ...fails(400, 409), ...denials },
  });
  app.openapi(put, async (context) => {
    const { config, comment, expected_version } = context.req.valid('json');
    const stored = await versions.put(() => config, {
      ...aboutOf(options, context.get('principal').id),
      comment,
      expected: expected_version,
    });
    context.set('auditDetail', auditOf(stored));
    return context.json(success(await told(options, context.get('principal').id, stored), nowMs(options)), 200);
  });

  const rollback = createRoute({
    method: 'post',
    path: '/v1/config/rollback',
    tags: ['system'],
    summary: 'Store an earlier version again, as the next one',
    security: secured('admin'),
    middleware: [guards.scope('admin')] as const,
    request: { body: { required: true, content: { 'application/json': { schema: rollbackRequest } } } },
    responses: { 200: answers(configChanged, STORED), ...fails(400, 404, 409), ...denials },
  });
  app.openapi(rollback, async (context) => {
    const { version, comment, expected_version } = context.req.valid('json');
    const { config } = await versions.at(version);
    const stored = await versions.put(() => config, {
      ...aboutOf(options, context.get('principal').id),
      comment: comment === '' ? `rollback to version ${version}` : comment,
      expected: expected_version,
    });
    context.set('auditDetail', auditOf(stored));
    return context.json(success(await told(options, context.get('principal').id, stored), nowMs(options)), 200);
  });

  const reload = createRoute({
    method: 'post',
    path: '/v1/config/reload',
    tags: ['system'],
    summary: 'Send the current version to the engine again',
    security: secured('admin'),
    middleware: [guards.scope('admin')] as const,
    responses: { 200: answers(configChanged, 'What the engine says to it'), ...fails(404), ...denials },
  });
  app.openapi(reload, async (context) => {
    const current = await versions.current();
    return context.json(success(await told(options, context.get('principal').id, current), nowMs(options)), 200);
  });
}

const STORED = 'The new version, and what the engine says to it';

function mountReads(app: App, options: AppOptions, guards: Guards, versions: ConfigVersions): void {
  const current = createRoute({
    method: 'get',
    path: '/v1/config',
    tags: ['system'],
    summary: 'The current version of the configuration',
    security: secured('read'),
    middleware: [guards.scope('read')] as const,
    responses: { 200: answers(configData, 'The configuration; there are no secrets in it'), ...fails(404), ...denials },
  });
  app.openapi(current, async (context) => {
    const [version, answer] = await Promise.all([versions.current(), options.store.configAnswer()]);
    return context.json(success(viewOf(version, answer), nowMs(options)), 200);
  });

  const list = createRoute({
    method: 'get',
    path: '/v1/config/versions',
    tags: ['system'],
    summary: 'Versions of the configuration, newest first, with what each changed',
    security: secured('read'),
    middleware: [guards.scope('read')] as const,
    request: { query: pageQuery },
    responses: { 200: answers(configVersionsData, 'A page of versions'), ...fails(400), ...denials },
  });
  app.openapi(list, async (context) => {
    const { limit, cursor } = context.req.valid('query');
    if (cursor !== undefined && !/^\d{1,15}$/.test(cursor)) throw new BadInput('cursor is not one of ours');
    const found = await versions.list(limit + 1, cursor === undefined ? Infinity : Number(cursor));
    const shown = found.slice(0, limit);
    const next_cursor = found.length > limit ? String(shown.at(-1)!.version) : null;
    const data = { versions: shown.map(summaryOf), next_cursor };
    return context.json(success(data, nowMs(options)), 200);
  });
}

/** Who stores a version, and when. */
export const aboutOf = (options: AppOptions, by: string): Pick<NewVersion, 'by' | 'atMs'> => ({
  by,
  atMs: Math.floor(nowMs(options)),
});

/** For the audit entry: the paths that changed; their values stand in the version. */
export const auditOf = ({ version, changes }: ConfigVersion): string =>
  `configuration version ${version}: ${changes.map(({ path }) => path).join(', ')}`.slice(0, 1_000);

function summaryOf({ version, by, atMs, comment, changes }: ConfigVersion): Summary {
  return { version, by, timestamp: isoFromMs(atMs), comment, changes: changes.map((each) => ({ ...each })) };
}
type Summary = z.infer<typeof configVersionsData>['versions'][number];

/** Sends it to the engine. */
async function told(options: AppOptions, by: string, stored: ConfigVersion): Promise<z.infer<typeof configChanged>> {
  const { version, config } = stored;
  const { word, answer } = await wordOn(options, commandOf(options, by, { kind: 'config', version, config }));
  return { ...viewOf(stored, answer?.kind === 'command-done' ? answer : undefined), engine: word };
}

/** The engine's last word counts for the version that it names. */
function viewOf(stored: ConfigVersion, answer: EventOf<'command-done'> | undefined): z.infer<typeof configData> {
  const detail = answer?.data.detail ?? {};
  const applied = detail['version'] === String(stored.version);
  const restart = applied ? (detail['restart'] ?? '').split(',').filter((path) => path !== '') : [];
  return { ...summaryOf(stored), config: stored.config, applied, restart };
}
