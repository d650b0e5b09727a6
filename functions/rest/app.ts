import { randomUUID } from 'node:crypto';
import { OpenAPIHono } from '@hono/zod-openapi';
import { bodyLimit } from 'hono/body-limit';
import { cors } from 'hono/cors';
import { HTTPException } from 'hono/http-exception';
import { secureHeaders } from 'hono/secure-headers';
import { BadInput } from '#shared/assert.ts';
import { failure } from '../common/envelope.ts';
import { ApplicationError, detailOf } from '../common/errors.ts';
import { rateLimiter } from '../common/rate-limit.ts';
import { nowMs, type App, type AppEnv, type AppOptions } from './context.ts';
import { createGuards, versioned } from './guards.ts';
import { mountAdjustments } from './routes/adjustments.ts';
import { mountAlerts } from './routes/alerts.ts';
import { mountAudit } from './routes/audit.ts';
import { mountBalances } from './routes/balances.ts';
import { mountBooks } from './routes/books.ts';
import { mountBreakers } from './routes/breakers.ts';
import { mountCommands } from './routes/commands.ts';
import { mountDocuments } from './routes/documents.ts';
import { mountConfig } from './routes/config.ts';
import { mountHealth } from './routes/health.ts';
import { mountHistory } from './routes/history.ts';
import { mountKeys } from './routes/keys.ts';
import { mountMetrics } from './routes/metrics.ts';
import { mountOperations } from './routes/operations.ts';
import { mountOpportunities } from './routes/opportunities.ts';
import { mountOrderEntry } from './routes/order-entry.ts';
import { mountOrders } from './routes/orders.ts';
import { mountPerformance } from './routes/performance.ts';
import { mountPositions } from './routes/positions.ts';
import { mountPrices } from './routes/prices.ts';
import { mountRebalance } from './routes/rebalance.ts';
import { mountRecoveries } from './routes/recoveries.ts';
import { mountReports } from './routes/reports.ts';
import { mountRiskLimits } from './routes/risk-limits.ts';
import { mountRiskMetrics } from './routes/risk-metrics.ts';
import { mountStatus } from './routes/status.ts';
import { mountSynthetics } from './routes/synthetics.ts';
import { mountToken } from './routes/token.ts';
import { mountTrading } from './routes/trading.ts';

const BODY_BYTES_MAX = 64 * 1024;
/** What a caller may name a request itself: it comes back in headers and logs. */
const REQUEST_ID = /^[\w.:-]{1,64}$/;

/** The HTTP API: the same in a Lambda and on this machine. */
export function createApp(options: AppOptions): App {
  const app: App = new OpenAPIHono<AppEnv>({
    defaultHook: (result) => {
      if (!result.success) throw new ApplicationError(3001, detailOf(result.error.issues));
    },
  });
  const guards = createGuards(options, rateLimiter(options.store.state, options.rateLimit, options.clock));

  app.use(async (context, next) => {
    const given = context.req.header('x-request-id') ?? '';
    context.set('requestId', REQUEST_ID.test(given) ? given : randomUUID());
    options.tally.request(nowMs(options));
    await next();
    context.header('X-Request-Id', context.get('requestId'));
  });
  app.use(secureHeaders());
  app.use('/v1/*', corsFor(options.corsOrigins), versioned);
  app.use(
    bodyLimit({
      maxSize: BODY_BYTES_MAX,
      onError: () => {
        throw new ApplicationError(3001, `a body may have ${BODY_BYTES_MAX} bytes`);
      },
    }),
  );

  mountHealth(app, options);
  mountMetrics(app, options);
  mountToken(app, options, guards);
  mountStatus(app, options, guards);
  mountPrices(app, options, guards);
  mountHistory(app, options, guards);
  mountBooks(app, options, guards);
  mountSynthetics(app, options, guards);
  mountOpportunities(app, options, guards);
  mountPerformance(app, options, guards);
  mountOperations(app, options, guards);
  mountOrders(app, options, guards);
  mountOrderEntry(app, options, guards);
  mountPositions(app, options, guards);
  mountBalances(app, options, guards);
  mountTrading(app, options, guards);
  mountRecoveries(app, options, guards);
  mountAdjustments(app, options, guards);
  mountCommands(app, options, guards);
  mountRiskMetrics(app, options, guards);
  mountRiskLimits(app, options, guards);
  mountBreakers(app, options, guards);
  mountRebalance(app, options, guards);
  mountReports(app, options, guards);
  mountAlerts(app, options, guards);
  mountConfig(app, options, guards);
  mountKeys(app, options, guards);
  mountAudit(app, options, guards);
  mountDocuments(app);

  app.notFound(() => {
    throw new ApplicationError(404);
  });
  app.onError((thrown, context) => {
    const error = applicationErrorFrom(thrown);
    const requestId = context.get('requestId');
    options.tally.error(String(error.code));
    if (error.code === 500) options.log.error('request-failed', { requestId, cause: thrown.stack ?? String(thrown) });
    return context.json(failure(error, requestId, nowMs(options)), error.status, { ...error.headers });
  });
  return app;
}

/** What is no outcome we know is our own bug: the caller learns that there was one, the log learns which. */
function applicationErrorFrom(thrown: Error): ApplicationError {
  if (thrown instanceof ApplicationError) return thrown;
  if (thrown instanceof BadInput) return new ApplicationError(3001, thrown.message);
  if (thrown instanceof HTTPException && thrown.status === 400) return new ApplicationError(3001, thrown.message);
  if (thrown instanceof HTTPException && thrown.status === 415) {
    return new ApplicationError(3001, 'send the body with the header Content-Type: application/json');
  }
  return new ApplicationError(500);
}

const corsFor = (origins: readonly string[]): ReturnType<typeof cors> =>
  cors({
    origin: (origin) => (origins.includes(origin) ? origin : null),
    allowMethods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowHeaders: ['Authorization', 'Content-Type', 'Idempotency-Key', 'X-API-Version', 'X-Request-Id'],
    exposeHeaders: ['X-Request-Id', 'RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset', 'Retry-After'],
    maxAge: 600,
  });
