import { createRoute, z } from '@hono/zod-openapi';
import { createMiddleware } from 'hono/factory';
import { html } from 'hono/html';
import { BadInput } from '#shared/assert.ts';
import { ruleOf } from '#shared/schema/alerts.ts';
import { ackQuery, alertParams, alertsData, alertsQuery, alertView } from '#shared/schema/alerts-api.ts';
import type { Alert } from '../../alerts/alert.ts';
import { AlertBook } from '../../alerts/book.ts';
import { isoFromMs, success } from '../../common/envelope.ts';
import { ApplicationError } from '../../common/errors.ts';
import { nowMs, type App, type AppEnv, type AppOptions } from '../context.ts';
import { answers, denials, fails, secured } from '../describe.ts';
import type { Guards } from '../guards.ts';

type AlertView = z.infer<typeof alertView>;

/** Who is named in the audit trail and in the alert when a link was used: whoever has it. */
const LINK_HOLDER = 'link';

/** What is wrong or was, and a person's word that it is seen to. */
export function mountAlerts(app: App, options: AppOptions, guards: Guards): void {
  const book = new AlertBook(options.store.state, options.store.engine);
  const list = createRoute({
    method: 'get',
    path: '/v1/alerts',
    tags: ['system'],
    summary: 'Alerts as they stand, newest first',
    security: secured('read'),
    middleware: [guards.scope('read')] as const,
    request: { query: alertsQuery },
    responses: { 200: answers(alertsData, 'A page of alerts'), ...fails(400), ...denials },
  });
  app.openapi(list, async (context) => {
    const { limit, cursor, state } = context.req.valid('query');
    const after = cursor === undefined ? undefined : placeFrom(cursor);
    const found = (await book.all(nowMs(options)))
      .map(({ alert }) => alert)
      .filter((alert) => state === undefined || alert.state === state)
      .sort((a, b) => compare(placeOf(a), placeOf(b)))
      .filter((alert) => after === undefined || compare(placeOf(alert), after) > 0);
    const alerts = found.slice(0, limit);
    const next_cursor = found.length > limit ? cursorFrom(placeOf(alerts.at(-1)!)) : null;
    return context.json(success({ alerts: alerts.map(viewOf), next_cursor }, nowMs(options)), 200);
  });
  mountLink(app, options, guards);
  mountAcknowledge(app, options, guards, book);
}

/** Opening the link changes nothing, so that whatever follows links on its own cannot acknowledge: a person presses the button. */
function mountLink(app: App, options: AppOptions, guards: Guards): void {
  const page = createRoute({
    method: 'get',
    path: '/v1/alerts/{id}/ack',
    tags: ['system'],
    summary: 'The page behind the link of a notice: one button, which acknowledges',
    middleware: [guards.anyone] as const,
    request: { params: alertParams, query: ackQuery },
    responses: {
      200: { description: 'The page', content: { 'text/html': { schema: z.string() } } },
      ...fails(400, 401, 429, 500, 503),
    },
  });
  app.openapi(page, async (context) => {
    const { id } = context.req.valid('param');
    const { token = '' } = context.req.valid('query');
    await options.acknowledgements.verify(token, { engine: options.store.engine, alert: id });
    return context.html(pageOf(id, html`<form method="post"><button>Acknowledge</button></form>`), 200, PAGE_HEADERS);
  });
}

function mountAcknowledge(app: App, options: AppOptions, guards: Guards, book: AlertBook): void {
  const { engine } = options.store;
  const withLink = guards.link(async (context) => {
    const firing = await options.acknowledgements.verify(context.req.query('token') ?? '', {
      engine,
      alert: context.req.param('id') ?? '',
    });
    return { id: LINK_HOLDER, firing };
  });
  const withToken = guards.scope('trade');
  const guard = createMiddleware<AppEnv>((context, next) => {
    const hasLink = context.req.header('authorization') === undefined && context.req.query('token') !== undefined;
    return (hasLink ? withLink : withToken)(context, next);
  });
  const described = answers(alertView, 'The alert, acknowledged unless it is over');
  const acknowledge = createRoute({
    method: 'post',
    path: '/v1/alerts/{id}/ack',
    tags: ['system'],
    summary:
      'Acknowledge an alert: nobody is reminded of this firing any more. With a token of scope trade, or with that of a link',
    security: secured('trade'),
    middleware: [guard] as const,
    request: { params: alertParams, query: ackQuery },
    responses: {
      200: { ...described, content: { ...described.content, 'text/html': { schema: z.string() } } },
      ...fails(400, 404),
      ...denials,
    },
  });
  app.openapi(acknowledge, async (context) => {
    const { id } = context.req.valid('param');
    const { id: by } = context.get('principal');
    const alert = await book.acknowledge(id, by, nowMs(options), context.get('firing'));
    if (alert === undefined) throw new ApplicationError(2003, `no alert ${id}`);
    if (by !== LINK_HOLDER) return context.json(success(viewOf(alert), nowMs(options)), 200);
    const isSeen = alert.acknowledged !== null || alert.state === 'over';
    const words = alert.state === 'over' ? 'It is over already.' : 'Acknowledged: nobody is reminded of it any more.';
    return context.html(
      pageOf(id, isSeen ? words : 'It has fired again since: see the newer notice.'),
      200,
      PAGE_HEADERS,
    );
  });
}

function viewOf(alert: Alert): AlertView {
  const { severity, title, runbook } = ruleOf(alert.rule);
  const { acknowledged } = alert;
  return {
    id: alert.id,
    rule: alert.rule,
    subject: alert.subject,
    severity,
    title,
    state: alert.state,
    text: alert.text,
    value: alert.value,
    limit: alert.limit,
    since: isoFromMs(alert.since_ms),
    fired_at: alert.firings === 0 ? null : isoFromMs(alert.fired_ms),
    ended_at: alert.firings === 0 || alert.state === 'firing' ? null : isoFromMs(alert.ended_ms),
    firings: alert.firings,
    times: alert.times,
    acknowledged: acknowledged && { by: acknowledged.by, timestamp: isoFromMs(acknowledged.at_ms) },
    runbook,
  };
}

type Place = readonly [sinceMs: number, id: string];
const placeOf = ({ since_ms, id }: Alert): Place => [since_ms, id];
/** Newest first. */
const compare = ([aMs, a]: Place, [bMs, b]: Place): number => bMs - aMs || (a < b ? -1 : Number(a > b));
const cursorFrom = ([sinceMs, id]: Place): string => Buffer.from(`${sinceMs} ${id}`).toString('base64url');

/** @throws BadInput on anything that we did not hand out */
function placeFrom(cursor: string): Place {
  const [, sinceText, id] =
    /^(\d{1,15}(?:\.\d+)?) ([\w.:-]{1,200})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  if (sinceText === undefined || id === undefined) throw new BadInput('cursor is not one of ours');
  return [Number(sinceText), id];
}

/** The link stands in no history of another site, and the page in no frame and no store. */
const PAGE_HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-store',
};

const pageOf = (id: string, inner: string | ReturnType<typeof html>): ReturnType<typeof html> =>
  html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>${id}</title>
        <style>
          body {
            font:
              16px/1.5 system-ui,
              sans-serif;
            margin: 4rem auto;
            max-width: 30rem;
            padding: 0 1rem;
          }
          button {
            font: inherit;
            padding: 0.5rem 1.5rem;
          }
        </style>
      </head>
      <body>
        <h1>${id}</h1>
        <p>${inner}</p>
      </body>
    </html>`;
