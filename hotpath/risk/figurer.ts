import { Worker } from 'node:worker_threads';
import type { Clock, Timer } from '#shared/clock/clock.ts';
import type { Figures, Portfolio } from './figures.ts';
import { figuresOf } from './figures.ts';

/** Who reckons the figures that take long. */
export type Figurer = {
  /** Asked once a second, with a portfolio that is given away; what it has no time for is dropped. */
  readonly ask: (portfolio: Portfolio) => void;
  /** The last answer. */
  readonly latest: () => Figures | undefined;
  readonly stop: () => void;
};

/** At once and on this thread: where time is virtual, and in tests. */
export function figurerHere(): Figurer {
  let latest: Figures | undefined;
  return {
    ask: (portfolio) => {
      latest = figuresOf(portfolio);
    },
    latest: () => latest,
    stop: () => undefined,
  };
}

/** It sees one portfolio at a time and keeps nothing. */
const WORKER_LIMITS = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 64 } as const;
const RESTART_MS = 1_000;

/** On a thread of its own: they would hold up the one that trades for milliseconds. One that died of a bug is started again. */
export class FigurerThread implements Figurer {
  readonly #clock: Clock;
  readonly #onCrash: (error: Error) => void;
  #worker: Worker | undefined;
  #restart: Timer | undefined;
  #latest: Figures | undefined;
  #isBusy = false;

  constructor(clock: Clock, onCrash: (error: Error) => void) {
    this.#clock = clock;
    this.#onCrash = onCrash;
    this.#start();
  }

  readonly ask = (portfolio: Portfolio): void => {
    if (this.#worker === undefined || this.#isBusy) return;
    this.#isBusy = true;
    // Made for this question alone: the scenarios go over as they are, not as a copy.
    this.#worker.postMessage(portfolio, [portfolio.returns.buffer]);
  };

  readonly latest = (): Figures | undefined => this.#latest;

  readonly stop = (): void => {
    this.#restart?.cancel();
    void this.#worker?.terminate();
    this.#worker = undefined;
  };

  #start(): void {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { resourceLimits: WORKER_LIMITS });
    this.#worker = worker;
    this.#isBusy = false;
    // It ends with the process.
    worker.unref();
    worker.on('message', (figures: Figures) => {
      this.#latest = figures;
      this.#isBusy = false;
    });
    worker.on('error', (error: unknown) => {
      this.#worker = undefined;
      this.#onCrash(error instanceof Error ? error : new Error(String(error)));
      this.#restart = this.#clock.after(RESTART_MS, () => this.#start());
    });
  }
}
