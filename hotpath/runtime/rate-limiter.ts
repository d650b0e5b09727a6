import type { Clock, Timer } from '#shared/clock/clock.ts';

export type RateLimits = {
  readonly perSecond: number;
  /** Tasks that may run at once after a quiet time. */
  readonly burst: number;
  /** Tasks that may wait; one more is refused. */
  readonly queueMax: number;
};

/** A token bucket with a bounded queue: tasks run in order, at once while there are tokens, else when the next one is earned. */
export class RateLimiter {
  readonly #clock: Clock;
  readonly #limits: RateLimits;
  readonly #waiting: (() => void)[] = [];
  #tokens: number;
  #refilledNs: number;
  #pausedUntilNs = 0;
  #timer: Timer | undefined;

  constructor(clock: Clock, limits: RateLimits) {
    this.#clock = clock;
    this.#limits = limits;
    this.#tokens = limits.burst;
    this.#refilledNs = clock.now();
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Runs `task` now or in its turn; false when the queue is full and the task will never run. */
  run(task: () => void): boolean {
    if (this.#waiting.length >= this.#limits.queueMax) return false;
    this.#waiting.push(task);
    if (this.#timer === undefined) this.#drain();
    return true;
  }

  /** Runs nothing for `pauseMs`: the other side asked for it. A shorter pause never ends a longer one. */
  pause(pauseMs: number): void {
    this.#pausedUntilNs = Math.max(this.#pausedUntilNs, this.#clock.now() + pauseMs * 1e6);
  }

  /** Forgets what waits. */
  clear(): void {
    this.#waiting.length = 0;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #drain(): void {
    this.#timer = undefined;
    while (this.#waiting.length > 0) {
      const waitMs = this.#waitMs();
      if (waitMs > 0) {
        this.#timer = this.#clock.after(waitMs, () => this.#drain());
        return;
      }
      this.#tokens -= 1;
      this.#waiting.shift()!();
    }
  }

  #waitMs(): number {
    const nowNs = this.#clock.now();
    if (nowNs < this.#pausedUntilNs) return (this.#pausedUntilNs - nowNs) / 1e6;
    const { perSecond, burst } = this.#limits;
    this.#tokens = Math.min(burst, this.#tokens + ((nowNs - this.#refilledNs) / 1e9) * perSecond);
    this.#refilledNs = nowNs;
    // A millionth of a token covers the rounding of a timer that fired exactly on time.
    return this.#tokens >= 1 - 1e-6 ? 0 : ((1 - this.#tokens) / perSecond) * 1e3;
  }
}
