import { assert } from '#shared/assert.ts';
import { ruleOf, type AlertRuleId } from '#shared/schema/alerts.ts';

/** What was seen of one rule and its subject: that it is so, or is so no more. */
export type Signal = {
  readonly rule: AlertRuleId;
  /** Which venue, breaker, operation; empty where the engine as a whole is meant. */
  readonly subject: string;
  readonly bad: boolean;
  /** Of what was seen. */
  readonly atMs: number;
  /** Since when it is known to be so, where that is earlier. */
  readonly sinceMs?: number;
  /** So long must it be so before anybody is told. */
  readonly holdMs?: number;
  /** Of the event; what was heard before is not heard again. */
  readonly seq?: number;
  readonly text: string;
  readonly value?: string;
  readonly limit?: string;
};

export type NoticeKind = 'firing' | 'reminder' | 'resolved' | 'passed';

/** One rule on one subject, as it stands. Counted in firings: each is told once, and its end once. */
export type Alert = {
  readonly id: string;
  readonly rule: AlertRuleId;
  readonly subject: string;
  /** `pending`: it is so, but not for long enough yet. */
  readonly state: 'pending' | 'firing' | 'over';
  /** Of the state's condition. */
  readonly since_ms: number;
  readonly fired_ms: number;
  readonly ended_ms: number;
  /** When it was last seen to be so, and how often in this firing. */
  readonly last_ms: number;
  readonly times: number;
  readonly firings: number;
  /** The last firing whose begin, and whose end, somebody was told of. */
  readonly told: number;
  readonly told_end: number;
  readonly told_ms: number;
  readonly text: string;
  readonly value: string | null;
  readonly limit: string | null;
  /** Of this firing. */
  readonly acknowledged: { readonly by: string; readonly at_ms: number } | null;
  readonly last_seq: number;
};

export const alertIdOf = ({ rule, subject }: Pick<Signal, 'rule' | 'subject'>): string =>
  subject === '' ? rule : `${rule}:${subject.replaceAll(/[^\w.:-]/g, '_').slice(0, SUBJECT_MAX)}`;
const SUBJECT_MAX = 120;
const TEXT_MAX = 1_000;

/** The alert after a signal; undefined while there is nothing to know. */
export function observed(alert: Alert | undefined, signal: Signal): Alert | undefined {
  if (alert === undefined) return signal.bad ? begun(blank(signal), signal) : undefined;
  if (signal.seq !== undefined && signal.seq <= alert.last_seq) return alert;
  const heard = { ...alert, last_seq: signal.seq ?? alert.last_seq };
  if (!signal.bad) return alert.state === 'over' ? heard : over(heard, signal.atMs);
  if (alert.state === 'over') return begun(heard, signal);
  const words = { ...heard, ...wordsOf(signal), last_ms: signal.atMs };
  return alert.state === 'firing' ? { ...words, times: alert.times + 1 } : fired(words, signal);
}

/** The alert after time alone: what is momentary ends by silence. */
export function quieted(alert: Alert, nowMs: number, quietMs: number): Alert {
  const isSilent = alert.state === 'firing' && isMomentary(alert) && nowMs - alert.last_ms >= quietMs;
  return isSilent ? over(alert, nowMs) : alert;
}

/** What has to be told now, if anything. */
export function dueOf(alert: Alert, nowMs: number, remindMs: number): NoticeKind | undefined {
  const { state, firings, told, told_end, told_ms, acknowledged } = alert;
  if (state === 'firing') {
    if (told < firings) return 'firing';
    const isForgotten = remindMs > 0 && acknowledged === null && nowMs - told_ms >= remindMs;
    return isForgotten && !isMomentary(alert) ? 'reminder' : undefined;
  }
  if (told < firings) return 'passed';
  return told_end < firings && !isMomentary(alert) ? 'resolved' : undefined;
}

/** The alert once that is told, or is about to be. */
export function toldOf(alert: Alert, kind: NoticeKind, nowMs: number): Alert {
  const ends = kind === 'resolved' || kind === 'passed';
  return { ...alert, told: alert.firings, told_end: ends ? alert.firings : alert.told_end, told_ms: nowMs };
}

/** The alert once somebody has seen to it; the same when it is over, or another firing is meant. */
export function acknowledgedOf(alert: Alert, firing: number, by: string, nowMs: number): Alert {
  if (alert.state !== 'firing' || alert.firings !== firing || alert.acknowledged !== null) return alert;
  return { ...alert, acknowledged: { by, at_ms: nowMs } };
}

const isMomentary = ({ rule }: Alert): boolean => ruleOf(rule).momentary === true;

const blank = ({ rule, subject }: Signal): Alert => ({
  id: alertIdOf({ rule, subject }),
  rule,
  subject,
  state: 'over',
  since_ms: 0,
  fired_ms: 0,
  ended_ms: 0,
  last_ms: 0,
  times: 0,
  firings: 0,
  told: 0,
  told_end: 0,
  told_ms: 0,
  text: '',
  value: null,
  limit: null,
  acknowledged: null,
  last_seq: 0,
});

function begun(alert: Alert, signal: Signal): Alert {
  const since_ms = Math.min(signal.sinceMs ?? signal.atMs, signal.atMs);
  const last_seq = signal.seq ?? alert.last_seq;
  const pending = { ...alert, ...wordsOf(signal), state: 'pending' as const, since_ms, last_ms: signal.atMs, last_seq };
  return fired(pending, signal);
}

/** It fires once it was so for long enough. */
function fired(alert: Alert, { atMs, holdMs = 0 }: Signal): Alert {
  assert(alert.state !== 'firing', 'what fires does not begin to');
  if (atMs - alert.since_ms < holdMs) return alert;
  return { ...alert, state: 'firing', fired_ms: atMs, times: 1, firings: alert.firings + 1, acknowledged: null };
}

const over = (alert: Alert, atMs: number): Alert => ({ ...alert, state: 'over', since_ms: atMs, ended_ms: atMs });

const wordsOf = ({ text, value, limit }: Signal): Pick<Alert, 'text' | 'value' | 'limit'> => ({
  text: text.slice(0, TEXT_MAX),
  value: value ?? null,
  limit: limit ?? null,
});
