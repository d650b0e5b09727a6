import { z } from 'zod';
import { ruleOf, SEVERITIES } from '#shared/schema/alerts.ts';
import { isoFromMs } from '../common/envelope.ts';
import type { Alert, NoticeKind } from './alert.ts';

/** What somebody is told: the body of the webhook, and what the other channels are written from. */
export const notice = z.object({
  v: z.literal(1),
  /** The same for every attempt to deliver it: who gets it twice may drop the second. */
  id: z.string(),
  engine: z.string(),
  /** Rule and subject; what acknowledgement names. */
  alert: z.string(),
  /** Of the alert, counted from 1. */
  firing: z.int(),
  rule: z.string(),
  subject: z.string(),
  severity: z.enum(SEVERITIES),
  /** `passed`: it had begun and was over before anybody could be told. */
  kind: z.enum(['firing', 'reminder', 'resolved', 'passed']),
  title: z.string(),
  text: z.string(),
  value: z.string().nullable(),
  limit: z.string().nullable(),
  /** How often it was seen in this firing. */
  times: z.int(),
  since: z.string(),
  at: z.string(),
  runbook: z.string(),
  ack_url: z.string().nullable(),
});
export type Notice = z.infer<typeof notice>;

export function noticeOf(
  alert: Alert,
  kind: NoticeKind,
  about: {
    readonly engine: string;
    readonly nowMs: number;
    readonly runbookUrl: string;
    readonly ackUrl: string | null;
  },
): Notice {
  const { severity, title, runbook } = ruleOf(alert.rule);
  const nth = kind === 'reminder' ? `@${about.nowMs}` : '';
  return {
    v: 1,
    id: `${about.engine}/${alert.id}/${alert.firings}/${kind}${nth}`,
    engine: about.engine,
    alert: alert.id,
    firing: alert.firings,
    rule: alert.rule,
    subject: alert.subject,
    severity,
    kind,
    title,
    text: alert.text,
    value: alert.value,
    limit: alert.limit,
    times: alert.times,
    since: isoFromMs(alert.fired_ms),
    at: isoFromMs(about.nowMs),
    runbook: `${about.runbookUrl}#${slugOf(runbook)}`,
    ack_url: kind === 'firing' || kind === 'reminder' ? about.ackUrl : null,
  };
}

/** As Markdown makes links of headings. */
const slugOf = (heading: string): string => heading.toLowerCase().replaceAll(' ', '-');

const KIND_WORDS: Readonly<Record<NoticeKind, string>> = {
  firing: '',
  reminder: 'still so: ',
  resolved: 'over: ',
  passed: 'was so: ',
};

/** One line for a subject or a heading: `[critical] Breaker has opened: window-loss (engine-1)`. */
export function headlineOf({ severity, kind, title, subject, engine }: Notice): string {
  return `[${severity}] ${KIND_WORDS[kind]}${title}${subject === '' ? '' : `: ${subject}`} (${engine})`;
}

/** For people who read plain text. */
export function plainTextOf(each: Notice): string {
  return [
    headlineOf(each),
    '',
    each.text,
    ...(each.value === null ? [] : [`value ${each.value}${each.limit === null ? '' : `, limit ${each.limit}`}`]),
    `since ${each.since}${each.times > 1 ? `, seen ${each.times} times` : ''}`,
    `what to do: ${each.runbook}`,
    ...(each.ack_url === null ? [] : [`acknowledge: ${each.ack_url}`]),
    '',
  ].join('\n');
}
