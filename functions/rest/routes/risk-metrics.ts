import { createRoute } from '@hono/zod-openapi';
import { riskMetricsData } from '#shared/schema/api.ts';
import { success } from '../../common/envelope.ts';
import { ApplicationError } from '../../common/errors.ts';
import { nowMs, type App, type AppOptions } from '../context.ts';
import { answers, denials, fails, secured } from '../describe.ts';
import type { Guards } from '../guards.ts';
import { riskMetricsOf } from '../views.ts';

/** What is at risk, as the engine last reckoned it: `timestamp` says when that was. */
export function mountRiskMetrics(app: App, options: AppOptions, guards: Guards): void {
  const route = createRoute({
    method: 'get',
    path: '/v1/risk/metrics',
    tags: ['risk'],
    summary: 'Value at risk, expected shortfall, drawdown, leverage, concentration, liquidity, exposure, stresses',
    security: secured('read'),
    middleware: [guards.scope('read')] as const,
    responses: {
      200: answers(riskMetricsData, 'The figures; null for what is not known yet'),
      ...fails(404),
      ...denials,
    },
  });
  app.openapi(route, async (context) => {
    const risk = (await options.store.status())?.risk;
    if (risk === undefined) throw new ApplicationError(2003, 'the engine has told no figures yet');
    return context.json(success(riskMetricsOf(risk), nowMs(options)), 200);
  });
}
