import type { Clock } from '#shared/clock/clock.ts';
import { ruleOf, type AlertsConfig } from '#shared/schema/alerts.ts';
import type { Log } from '../common/log.ts';
import type { Table } from '../common/table.ts';
import { buryIn } from '../stream/dead-letters.ts';
import { alertIdOf, dueOf, observed, quieted, toldOf, type Alert, type NoticeKind, type Signal } from './alert.ts';
import { AlertBook, untilWritten, type Kept, type Outgoing } from './book.ts';
import { noticeOf, type Notice } from './notice.ts';

export type DeskOptions = {
  readonly table: Table;
  readonly engine: string;
  readonly config: () => Promise<AlertsConfig>;
  /** Hands a notice on, for good: rejects when it could not. */
  readonly publish: (notice: Notice) => Promise<void>;
  /** The address at which a firing is acknowledged; null where nobody could open it. */
  readonly ackUrl: (alert: Pick<Alert, 'id' | 'firings'>, config: AlertsConfig) => Promise<string | null>;
  /** `at-once`: whoever hears a signal also hands its notice on. `when-looking`: it is left to the next look, since it may take long. */
  readonly handsOn: 'at-once' | 'when-looking';
  readonly clock: Clock;
  readonly log: Log;
};

type Change = (alert: Alert | undefined) => Alert | undefined;

/** An instance that has taken a notice on has so long to hand it on before another one does. */
const TAKEN_MS = 30_000;
/** Notices that wait for an answer at the same time: one who is slow to take them does not hold up all others. */
const HANDED_ON_AT_ONCE = 8;
const BACKOFF_MS = { first: 1_000, max: 300_000 };

/**
 * Hears signals, and looks at all alerts of one engine from time to time. Any number of instances may do so at once: the table decides, and each firing is told once.
 * What is to be told is written together with the change that asks for it, and stands there until it was handed on.
 */
export class AlertDesk {
  readonly #options: DeskOptions;
  readonly #book: AlertBook;

  constructor(options: DeskOptions) {
    this.#options = options;
    this.#book = new AlertBook(options.table, options.engine);
  }

  /** @throws ApplicationError 5001 when the table does not answer: the signals must come again */
  async hear(signals: readonly Signal[]): Promise<void> {
    const config = await this.#options.config();
    if (!config.enabled) return;
    for (const signal of signals) {
      if (!config.off.includes(signal.rule))
        await this.#change(alertIdOf(signal), config, (alert) => observed(alert, signal));
    }
  }

  /** Signals of this moment, what ends by silence, reminders, and what could not be handed on before. @throws ApplicationError 5001 */
  async look(signalsOf: (known: readonly Alert[], config: AlertsConfig) => readonly Signal[]): Promise<void> {
    const config = await this.#options.config();
    if (!config.enabled) return;
    const nowMs = this.#nowMs();
    const before = (await this.#book.all(nowMs)).map(({ alert }) => alert);
    const standing = new Set(before.filter(({ state }) => state !== 'over').map(({ id }) => id));
    // Nobody needs to hear again that nothing is wrong.
    await this.hear(signalsOf(before, config).filter((signal) => signal.bad || standing.has(alertIdOf(signal))));

    const aged: Change = (alert) => alert && quieted(alert, nowMs, config.quiet_ms);
    const all = await this.#book.all(nowMs);
    const waiting = all.filter(({ outgoing }) => outgoing !== null);
    for (let from = 0; from < waiting.length; from += HANDED_ON_AT_ONCE) {
      await Promise.all(waiting.slice(from, from + HANDED_ON_AT_ONCE).map((kept) => this.#retry(kept, config)));
    }
    for (const { alert, outgoing } of newsFirst(all)) {
      const isDue = aged(alert) !== alert || dueOf(alert, nowMs, config.remind_ms) !== undefined;
      if (outgoing === null && isDue) await this.#change(alert.id, config, aged);
    }
  }

  /** Applies a change to what stands in the table now, whoever else changes it, and tells what is due after it. */
  async #change(id: string, config: AlertsConfig, change: Change): Promise<void> {
    const nowMs = this.#nowMs();
    let admitted: { readonly counted: readonly string[] | undefined } | undefined;
    const telling = await untilWritten(async () => {
      const kept = await this.#book.read(id);
      const underWay = kept?.outgoing ?? null;
      const alert = change(kept?.alert);
      if (alert === undefined) return { done: null };
      const due = underWay === null ? dueOf(alert, nowMs, config.remind_ms) : undefined;
      // Asked once for all attempts: what is admitted is counted.
      if (due !== undefined) admitted ??= { counted: await this.#admit(alert, config, nowMs) };
      if (due === undefined || admitted?.counted === undefined) {
        const isDone = alert === kept?.alert || (await this.#book.write(kept, { alert, outgoing: underWay }, nowMs));
        return isDone ? { done: null } : undefined;
      }
      const outgoing = await this.#outgoing(alert, due, config);
      const isDone = await this.#book.write(kept, { alert: toldOf(alert, due, nowMs), outgoing }, nowMs);
      return isDone ? { done: outgoing } : undefined;
    });
    // Another instance was faster.
    if (telling === null) await this.#giveBack(admitted?.counted ?? [], nowMs);
    else if (this.#options.handsOn === 'at-once') await this.#handOn(id, telling);
  }

  async #outgoing(alert: Alert, kind: NoticeKind, config: AlertsConfig): Promise<Outgoing> {
    const { engine, ackUrl, handsOn } = this.#options;
    const nowMs = this.#nowMs();
    const about = { engine, nowMs, runbookUrl: config.runbook_url, ackUrl: await ackUrl(alert, config) };
    const notice = noticeOf(alert, kind, about);
    return handsOn === 'at-once'
      ? { notice, tries: 1, next_ms: nowMs + TAKEN_MS, since_ms: nowMs }
      : { notice, tries: 0, next_ms: nowMs, since_ms: nowMs };
  }

  /** What was not handed on when it should have been: by an instance that died, or to somebody who did not answer. */
  async #retry(kept: Kept, config: AlertsConfig): Promise<void> {
    const nowMs = this.#nowMs();
    const { outgoing } = kept;
    const { id } = kept.alert;
    if (outgoing === null || outgoing.next_ms > nowMs) return;
    if (nowMs - outgoing.since_ms > config.give_up_ms) {
      await this.#giveUp(outgoing);
      await this.#book.replace(id, outgoing.notice, null);
      return;
    }
    const again = { ...outgoing, tries: outgoing.tries + 1, next_ms: nowMs + TAKEN_MS };
    if (await this.#book.write(kept, { ...kept, outgoing: again }, nowMs)) await this.#handOn(id, again);
  }

  async #handOn(id: string, outgoing: Outgoing): Promise<void> {
    const { publish, log } = this.#options;
    const { notice, tries } = outgoing;
    try {
      await publish(notice);
    } catch (error) {
      log.warn('notice-not-handed-on', { notice: notice.id, tries, cause: (error as Error).message });
      const next_ms = this.#nowMs() + Math.min(BACKOFF_MS.first * 2 ** (tries - 1), BACKOFF_MS.max);
      await this.#book.replace(id, notice, { ...outgoing, next_ms });
      return;
    }
    log.info('notice', { notice: notice.id, severity: notice.severity });
    await this.#book.replace(id, notice, null);
  }

  async #giveUp({ notice, tries }: Outgoing): Promise<void> {
    const { table, clock, log } = this.#options;
    log.error('notice-given-up', { notice: notice.id, tries });
    const record = { sequenceNumber: '', position: notice.id, text: JSON.stringify(notice) };
    await buryIn(table, clock)({ stream: 'notices', record, reason: `not handed on in ${tries} tries` });
  }

  /** What is counted for one more notice this hour, each with its most; what is critical is held back by its own rule alone. */
  #countsOf({ rule }: Alert, config: AlertsConfig): readonly (readonly [name: string, max: number])[] {
    const ofRule = [rule, config.max_per_hour_by_rule] as const;
    return ruleOf(rule).severity === 'critical' ? [ofRule] : [ofRule, ['all', config.max_per_hour]];
  }

  async #admit(alert: Alert, config: AlertsConfig, nowMs: number): Promise<readonly string[] | undefined> {
    const counted: string[] = [];
    for (const [name, max] of this.#countsOf(alert, config)) {
      if (!(await this.#book.count(name, max, nowMs))) {
        await this.#giveBack(counted, nowMs);
        this.#options.log.warn('notices-held-back', { alert: alert.id, limit: name });
        return undefined;
      }
      counted.push(name);
    }
    return counted;
  }

  async #giveBack(counted: readonly string[], nowMs: number): Promise<void> {
    for (const name of counted) await this.#book.giveBack(name, nowMs);
  }

  #nowMs(): number {
    const { clock } = this.#options;
    return clock.unixMs(clock.now());
  }
}

/** What nobody was told of yet, before reminders: both count towards the limits. */
function newsFirst(all: readonly Kept[]): readonly Kept[] {
  const isNews = ({ alert: { told, firings } }: Kept): boolean => told < firings;
  return [...all.filter(isNews), ...all.filter((kept) => !isNews(kept))];
}
