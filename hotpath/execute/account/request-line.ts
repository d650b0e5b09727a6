import type { Priority } from '../../runtime/weight-limiter.ts';
import { PRIORITIES } from '../../runtime/weight-limiter.ts';

/**
 * The nonces of one key, and the line in which its requests stand where they must arrive in the order of their nonces: one at a time, the most urgent
 * next. Accounts that share a key share their line.
 */
export class RequestLine {
  readonly #waiting: { readonly rank: number; readonly task: () => void }[] = [];
  #busy = false;
  #nonce = 0;

  /** Greater than any before, and at least the microseconds given. */
  nonce(unixUs: number): number {
    this.#nonce = Math.max(this.#nonce + 1, Math.floor(unixUs));
    return this.#nonce;
  }

  /** Runs `task` when nothing before it is under way; what it is given must be called once it is over. */
  enter(priority: Priority, task: (leave: () => void) => void): void {
    const rank = PRIORITIES.indexOf(priority);
    const after = this.#waiting.findIndex((other) => other.rank > rank);
    const entry = { rank, task: () => task(this.#leave) };
    this.#waiting.splice(after < 0 ? this.#waiting.length : after, 0, entry);
    this.#next();
  }

  readonly #leave = (): void => {
    this.#busy = false;
    this.#next();
  };

  #next(): void {
    if (this.#busy) return;
    const entry = this.#waiting.shift();
    if (entry === undefined) return;
    this.#busy = true;
    entry.task();
  }
}
