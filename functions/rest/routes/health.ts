import { createRoute } from '@hono/zod-openapi';
import { healthData, readyData } from '#shared/schema/api.ts';
import { success } from '../../common/envelope.ts';
import { ApplicationError } from '../../common/errors.ts';
import { nowMs, SILENT_AFTER_MS, type App, type AppOptions } from '../context.ts';
import { answers, fails } from '../describe.ts';

const health = createRoute({
  method: 'get',
  path: '/health',
  tags: ['system'],
  summary: 'The API process is alive',
  responses: { 200: answers(healthData, 'Alive') },
});
const ready = createRoute({
  method: 'get',
  path: '/ready',
  tags: ['system'],
  summary: 'The database answers and the engine has been heard within ten seconds',
  responses: { 200: answers(readyData, 'Ready'), ...fails(503) },
});

/** For load balancers and orchestrators: no token, no secrets. */
export function mountHealth(app: App, options: AppOptions): void {
  app.openapi(health, (context) => context.json(success({ healthy: true }, nowMs(options)), 200));
  app.openapi(ready, async (context) => {
    const { engine } = options.store;
    const status = await options.store.status();
    if (status === undefined) throw new ApplicationError(5002, `engine ${engine} has never been heard`);
    const status_age_ms = Math.max(0, Math.round(nowMs(options) - status.at_ms));
    if (status_age_ms > SILENT_AFTER_MS) {
      throw new ApplicationError(5002, `engine ${engine} was last heard ${Math.round(status_age_ms / 1000)} s ago`);
    }
    return context.json(success({ ready: true, engine, status_age_ms }, nowMs(options)), 200);
  });
}
