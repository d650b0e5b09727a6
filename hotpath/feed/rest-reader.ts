import type { Clock, Timer } from '#shared/clock/clock.ts';
import type { Random } from '#shared/random.ts';
import { Backoff } from '../runtime/backoff.ts';
import type { Logger } from '../runtime/logger.ts';
import { RateLimiter } from '../runtime/rate-limiter.ts';
import type { RateLimits } from '../runtime/rate-limiter.ts';
import type { HttpResult, Transport } from '../runtime/transport.ts';

/** What I/O needs of the world: all of it is passed in, so that a run can be repeated. */
export type Outside = {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
};

export type ReadOutcome =
  | { readonly kind: 'body'; readonly body: Uint8Array }
  /** Refused for good, or not answered after every attempt. */
  | { readonly kind: 'failed'; readonly reason: string };

type Verdict =
  | { readonly kind: 'body'; readonly body: Uint8Array }
  | { readonly kind: 'again'; readonly reason: string; readonly pauseMs: number }
  | { readonly kind: 'refused'; readonly reason: string };

const TIMEOUT_MS = 10_000;
const ATTEMPTS_MAX = 6;
const RETRY = { minMs: 500, maxMs: 20_000 } as const;
/** Venues that limit without saying for how long: Binance answers 418 once an address is banned, at least for two minutes. */
const PAUSE_MS_BY_STATUS: Readonly<Record<number, number>> = { 418: 120_000, 429: 10_000 };
/** The longest ban that a venue documents is three days. */
const PAUSE_MS_MAX = 3 * 86_400_000;

/**
 * GETs against one REST host: paced, retried with backoff a bounded number of times, and silent for as long as the host asks
 * (429, 418 and 5xx with Retry-After).
 */
export class RestReader {
  readonly #outside: Outside;
  readonly #limiter: RateLimiter;

  constructor(outside: Outside, limits: RateLimits) {
    this.#outside = outside;
    this.#limiter = new RateLimiter(outside.clock, limits);
  }

  /** Calls `done` once, later, unless cancelled before. */
  read(url: string, done: (outcome: ReadOutcome) => void): Timer {
    const { clock, random, transport, logger } = this.#outside;
    const backoff = new Backoff(RETRY, random);
    let cancelled = false;
    const finish = (outcome: ReadOutcome): void => {
      if (!cancelled) done(outcome);
    };
    const attempt = (): void => {
      const queued = this.#limiter.run(() => {
        if (cancelled) return;
        transport.request({ method: 'GET', url, timeoutMs: TIMEOUT_MS }, (result) => {
          if (!cancelled) settle(this.#judge(result));
        });
      });
      if (!queued) finish({ kind: 'failed', reason: 'too many requests waiting' });
    };
    const settle = (verdict: Verdict): void => {
      if (verdict.kind !== 'again') {
        finish(verdict.kind === 'body' ? verdict : { kind: 'failed', reason: verdict.reason });
        return;
      }
      const { reason, pauseMs } = verdict;
      if (pauseMs > 0) this.#limiter.pause(pauseMs);
      const delayMs = backoff.nextMs();
      if (backoff.attempts >= ATTEMPTS_MAX) {
        finish({ kind: 'failed', reason: `${reason}, ${ATTEMPTS_MAX} attempts` });
        return;
      }
      logger.warn('rest-retry', { url, reason, pauseMs, attempt: backoff.attempts });
      next = clock.after(delayMs, attempt);
    };
    let next = clock.after(0, attempt);
    return {
      cancel: () => {
        cancelled = true;
        next.cancel();
      },
    };
  }

  /** Forgets every request that has not been sent. */
  stop(): void {
    this.#limiter.clear();
  }

  #judge(result: HttpResult): Verdict {
    if (result.kind === 'failure') return { kind: 'again', reason: result.text, pauseMs: 0 };
    const { status, headers, body } = result;
    if (status >= 200 && status < 300) return { kind: 'body', body };
    const reason = `HTTP ${status}`;
    const limited = PAUSE_MS_BY_STATUS[status];
    if (limited === undefined && status < 500) return { kind: 'refused', reason };
    return { kind: 'again', reason, pauseMs: this.#retryAfterMs(headers) ?? limited ?? 0 };
  }

  /** Seconds or an HTTP date. @see https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
  #retryAfterMs(headers: Readonly<Record<string, string>>): number | undefined {
    const name = Object.keys(headers).find((candidate) => candidate.toLowerCase() === 'retry-after');
    if (name === undefined) return undefined;
    const { clock } = this.#outside;
    const text = headers[name]!;
    const delayMs = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - clock.unixMs(clock.now());
    return Number.isFinite(delayMs) ? Math.min(Math.max(delayMs, 0), PAUSE_MS_MAX) : undefined;
  }
}
