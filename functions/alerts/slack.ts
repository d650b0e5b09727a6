import type { Severity } from '#shared/schema/alerts.ts';
import { headlineOf, type Notice } from './notice.ts';

/** Slack's own limits. @see https://docs.slack.dev/reference/block-kit/blocks */
const HEADER_MAX = 150;
const SECTION_MAX = 3_000;
const FIELD_MAX = 2_000;
const URL_MAX = 3_000;
const TEXT_MAX = 4_000;

const MARKS: Readonly<Record<Severity, string>> = { info: 'ℹ️', warning: '⚠️', critical: '🚨' };

type Text = { readonly type: 'mrkdwn' | 'plain_text'; readonly text: string };
type Block =
  | { readonly type: 'header'; readonly text: Text }
  | { readonly type: 'section'; readonly text: Text }
  | { readonly type: 'section'; readonly fields: readonly Text[] }
  | { readonly type: 'actions'; readonly elements: readonly object[] }
  | { readonly type: 'context'; readonly elements: readonly Text[] };

/** A message for an incoming webhook. What engine and venues say is escaped: it cannot mention anybody or pretend to be a link. */
export function slackMessage(notice: Notice): { readonly text: string; readonly blocks: readonly Block[] } {
  const { severity, kind, text, value, limit, since, times, runbook, ack_url } = notice;
  const mark = kind === 'resolved' || kind === 'passed' ? '✅' : MARKS[severity];
  const headline = `${mark} ${headlineOf(notice)}`;
  const facts: readonly (readonly [string, string | null])[] = [
    ['Value', value],
    ['Limit', limit],
    ['Since', since],
    ['Seen', times > 1 ? `${times} times` : null],
  ];
  const fields = facts.flatMap(([name, fact]) => (fact === null ? [] : [markdown(`*${name}*\n`, fact, FIELD_MAX)]));
  return {
    // Shown where blocks are not: in notifications.
    text: cut(escaped(headline), TEXT_MAX),
    blocks: [
      { type: 'header', text: { type: 'plain_text', text: cut(headline, HEADER_MAX) } },
      ...(text.trim() === '' ? [] : [{ type: 'section' as const, text: markdown('', text, SECTION_MAX) }]),
      { type: 'section', fields },
      ...(ack_url === null || ack_url.length > URL_MAX ? [] : [acknowledgement(ack_url)]),
      { type: 'context', elements: [runbookText(runbook)] },
    ],
  };
}

/** @see https://docs.slack.dev/messaging/formatting-message-text#escaping */
export const escaped = (text: string): string =>
  // Control characters have no place in a message, whoever sent them.
  text
    .replaceAll(/[\p{Cc}\p{Cf}]/gu, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');

const acknowledgement = (url: string): Block => ({
  type: 'actions',
  elements: [{ type: 'button', text: { type: 'plain_text', text: 'Acknowledge' }, url, style: 'primary' }],
});

const runbookText = (runbook: string): Text =>
  /^https?:\/\/[^<>|\s]+$/.test(runbook)
    ? { type: 'mrkdwn', text: cut(`<${runbook}|What to do>`, FIELD_MAX) }
    : markdown('What to do: ', runbook, FIELD_MAX);

const markdown = (ours: string, foreign: string, max: number): Text => ({
  type: 'mrkdwn',
  text: `${ours}${cut(escaped(foreign), max - ours.length)}`,
});

/** Never in the middle of what escaping has made, nor of a pair of surrogates. */
function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  return `${text
    .slice(0, max - 1)
    .replace(/&[a-z]*$/, '')
    .replace(/[\uD800-\uDBFF]$/, '')}…`;
}
