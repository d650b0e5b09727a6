import { assert } from '#shared/assert.ts';
import type { Clock, Timer } from '#shared/clock/clock.ts';
import type { Opportunity } from '#shared/domain/trade.ts';
import type { OutcomeOf } from './outcome.ts';

/** What a refused opportunity would have made, so long after it was refused. */
export type Outcome = {
  readonly delayMs: number;
  /** As a fraction, at the size that was found; undefined when the books did not bear it. */
  readonly netEdge: number | undefined;
};

/** How it went on: grows until every delay has passed. */
export type Aftermath = { readonly outcomes: readonly Outcome[]; readonly complete: boolean };

export type HindsightOptions = {
  readonly clock: Clock;
  readonly outcomeOf: OutcomeOf;
  /** Ascending. The first is the time that an order would have taken. */
  readonly delaysMs: readonly number[];
  /** Refused opportunities that are looked after at a time; more are counted, not looked after. */
  readonly pendingMax: number;
};

type Pending = {
  readonly route: number;
  readonly opportunity: Opportunity;
  readonly outcomes: Outcome[];
  readonly done: () => void;
  complete: boolean;
  timer: Timer;
};

/** Looks again at what was refused: its legs in the books of some moments later. */
export class Hindsight {
  /** Those for which there was no room. */
  skipped = 0;
  readonly #options: HindsightOptions;
  readonly #pending = new Set<Pending>();

  constructor(options: HindsightOptions) {
    assert(options.delaysMs.length > 0, 'hindsight looks at no time');
    this.#options = options;
  }

  /** `done` is called once, when the last delay has passed. Undefined when too many are being looked after. */
  follow(route: number, opportunity: Opportunity, done: () => void): Aftermath | undefined {
    if (this.#pending.size >= this.#options.pendingMax) {
      this.skipped += 1;
      return undefined;
    }
    const pending: Pending = { route, opportunity, outcomes: [], done, complete: false, timer: NONE };
    this.#pending.add(pending);
    this.#wait(pending);
    return pending;
  }

  stop(): void {
    for (const { timer } of this.#pending) timer.cancel();
    this.#pending.clear();
  }

  #wait(pending: Pending): void {
    const { clock, delaysMs } = this.#options;
    const at = pending.outcomes.length;
    pending.timer = clock.after(delaysMs[at]! - (delaysMs[at - 1] ?? 0), () => this.#look(pending));
  }

  #look(pending: Pending): void {
    const { clock, delaysMs, outcomeOf } = this.#options;
    const { route, opportunity, outcomes } = pending;
    outcomes.push({ delayMs: delaysMs[outcomes.length]!, netEdge: outcomeOf(route, opportunity, clock.now()) });
    if (outcomes.length < delaysMs.length) {
      this.#wait(pending);
      return;
    }
    pending.complete = true;
    this.#pending.delete(pending);
    pending.done();
  }
}

const NONE: Timer = { cancel: () => undefined };
