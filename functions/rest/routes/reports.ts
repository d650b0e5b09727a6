import { createRoute, z } from '@hono/zod-openapi';
import { BadInput } from '#shared/assert.ts';
import { pageQuery, reportData, reportParams, reportQuery, reportsData } from '#shared/schema/api.ts';
import { success, successText } from '../../common/envelope.ts';
import { ApplicationError } from '../../common/errors.ts';
import { dailyReport, reportDays } from '../../reports/daily-report.ts';
import { reportPage } from '../../reports/report-page.ts';
import { nowMs, type App, type AppOptions } from '../context.ts';
import { answers, denials, fails, secured } from '../describe.ts';
import type { Guards } from '../guards.ts';

/** Daily reports, made when they are first asked for. */
export function mountReports(app: App, options: AppOptions, guards: Guards): void {
  const list = createRoute({
    method: 'get',
    path: '/v1/risk/reports',
    tags: ['risk'],
    summary: 'Days of which there is a report, newest first',
    security: secured('read'),
    middleware: [guards.scope('read')] as const,
    request: { query: pageQuery },
    responses: { 200: answers(reportsData, 'A page of days'), ...fails(400), ...denials },
  });
  app.openapi(list, async (context) => {
    const { limit, cursor } = context.req.valid('query');
    if (cursor !== undefined && !reportParams.safeParse({ date: cursor }).success) {
      throw new BadInput('cursor is not one of ours');
    }
    const days = await reportDays(options.store, { nowMs: nowMs(options), before: cursor, limit: limit + 1 });
    const reports = days.slice(0, limit).map((day) => ({ ...day }));
    const next_cursor = days.length > limit ? reports.at(-1)!.date : null;
    return context.json(success({ reports, next_cursor }, nowMs(options)), 200);
  });
  mountOne(app, options, guards);
}

function mountOne(app: App, options: AppOptions, guards: Guards): void {
  const described = answers(reportData, 'The report');
  const one = createRoute({
    method: 'get',
    path: '/v1/risk/reports/{date}',
    tags: ['risk'],
    summary: 'The report of a day (UTC): JSON, or HTML with charts when `format` or the header Accept says so',
    security: secured('read'),
    middleware: [guards.scope('read')] as const,
    request: { params: reportParams, query: reportQuery },
    responses: {
      200: { ...described, content: { ...described.content, 'text/html': { schema: z.string() } } },
      ...fails(400, 404),
      ...denials,
    },
  });
  app.openapi(one, async (context) => {
    const { date } = context.req.valid('param');
    const format = context.req.valid('query').format ?? (wantsHtml(context.req.header('accept')) ? 'html' : 'json');
    const report = await dailyReport(options.store, date, nowMs(options));
    if (report === undefined) throw new ApplicationError(2003, `no report of ${date}`);
    if (format === 'json') {
      return context.body(successText(report, nowMs(options)), 200, { 'Content-Type': 'application/json' });
    }
    context.header('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'");
    return context.html(reportPage(reportData.parse(JSON.parse(report))), 200);
  });
}

/** Browsers say text/html first; whoever does not care gets JSON. */
const wantsHtml = (accept = ''): boolean => /^\s*text\/html\b/i.test(accept);
