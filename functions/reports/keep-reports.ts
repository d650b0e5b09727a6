import type { Clock } from '#shared/clock/clock.ts';
import type { ReportData } from '#shared/schema/api.ts';
import { at } from '../common/layout.ts';
import type { Log } from '../common/log.ts';
import type { Store } from '../common/store.ts';
import { dailyReport, reportDays } from './daily-report.ts';
import { reportPage } from './report-page.ts';

/** Where reports are kept as files. The same name again replaces what is there. */
export type Shelf = {
  readonly put: (name: string, body: string, contentType: string) => Promise<void>;
  /** Where people find it. */
  readonly placeOf: (name: string) => string;
};

export type KeepOptions = {
  readonly store: Store;
  readonly shelf: Shelf;
  /** Sends a letter. */
  readonly tell: (subject: string, text: string) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
};

/** Days that were missed are made up for so long. */
const DAYS_BACK = 31;
/** Older ones are kept, and nobody is written to. */
const LETTER_DAYS = 3;
const DAY_MS = 86_400_000;
/** Whoever has taken a day on has so long before somebody else does. */
const TAKEN_MS = 10 * 60_000;

/** Makes the report of every day that is settled and has none, as JSON and as a page, and tells of it once. Returns those days, oldest first. */
export async function keepReports(options: KeepOptions): Promise<readonly string[]> {
  const { store, clock } = options;
  const nowMs = clock.unixMs(clock.now());
  const days = await reportDays(store, { nowMs, before: undefined, limit: DAYS_BACK });
  const kept: string[] = [];
  for (const { date, final } of [...days].reverse()) {
    if (final && (await taken(store, date, nowMs))) {
      await keep(options, date, nowMs);
      kept.push(date);
    }
  }
  return kept;
}

/** False for a day that is done, or in hand elsewhere. */
async function taken({ state, engine }: Store, date: string, nowMs: number): Promise<boolean> {
  const written = await state.update(at.report(engine, date), {
    UpdateExpression: 'SET taken_ms = :now',
    ConditionExpression: 'attribute_not_exists(kept_ms) AND (attribute_not_exists(taken_ms) OR taken_ms < :over)',
    ExpressionAttributeValues: { ':now': nowMs, ':over': nowMs - TAKEN_MS },
  });
  return written !== undefined;
}

async function keep({ store, shelf, tell, log }: KeepOptions, date: string, nowMs: number): Promise<void> {
  const text = await dailyReport(store, date, nowMs);
  if (text === undefined) return;
  // What dailyReport has made: the schema of the whole API would be half of this function.
  const report = JSON.parse(text) as ReportData;
  const name = `reports/${store.engine}/${date}`;
  await shelf.put(`${name}.json`, text, 'application/json');
  await shelf.put(`${name}.html`, String(await reportPage(report)), 'text/html; charset=utf-8');
  if (nowMs - Date.parse(date) < (LETTER_DAYS + 1) * DAY_MS) {
    await tell(`${report.engine}: report of ${date}`, letterOf(report, shelf.placeOf(`${name}.html`)));
  }
  await store.state.update(at.report(store.engine, date), {
    UpdateExpression: 'SET kept_ms = :now',
    ExpressionAttributeValues: { ':now': nowMs },
  });
  log.info('report-kept', { date });
}

function letterOf(report: ReportData, place: string): string {
  const known = (value: number | null): string => (value === null ? 'unknown' : String(value));
  const { best, worst } = report;
  return [
    `${report.engine}, ${report.date} (UTC)`,
    '',
    `profit        ${report.total_pnl} after fees of ${report.fees}`,
    `operations    ${report.operations}, ${report.open_operations} still open`,
    `won           ${known(report.win_rate)}`,
    `drawdown      ${report.max_drawdown}`,
    ...(best === null ? [] : [`best          ${best.pnl} (${best.family}, ${best.id})`]),
    ...(worst === null ? [] : [`worst         ${worst.pnl} (${worst.family}, ${worst.id})`]),
    '',
    `the page:     ${place}`,
    `the API:      GET /v1/risk/reports/${report.date}`,
    '',
  ].join('\n');
}
