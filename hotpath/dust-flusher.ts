import type { Decimal } from 'decimal.js';
import type { Clock, Timer } from '#shared/clock/clock.ts';
import type { OperationId } from '#shared/domain/ids.ts';
import type { Executor } from './execute/executor.ts';
import { DUST_ROUTE } from './execute/operation.ts';
import type { DustMarket, DustRules } from './recover/dust-flush.ts';
import { dustFlushes } from './recover/dust-flush.ts';

/** Dust grows by crumbs: there is no hurry. */
const FLUSH_EVERY_MS = 60_000;

export type DustFlusherOptions = {
  readonly clock: Clock;
  /** By asset; contracts by instrument. */
  readonly dust: ReadonlyMap<string, Decimal>;
  readonly market: DustMarket;
  readonly rules: DustRules;
  readonly executor: Pick<Executor, 'submitManual' | 'isFlushing'>;
  readonly isActive: () => boolean;
  readonly nextOperation: () => OperationId;
};

/** Now and then turns dust into money, while trading is active and all of the sales before are over. What is refused is tried again. */
export class DustFlusher {
  readonly #options: DustFlusherOptions;
  #timer: Timer | undefined;

  constructor(options: DustFlusherOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = this.#options.clock.after(FLUSH_EVERY_MS, () => {
      this.#flush();
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #flush(): void {
    const { dust, market, rules, executor, isActive, nextOperation } = this.#options;
    // Until an order is over, what it has sold still stands in the ledger.
    if (!isActive() || executor.isFlushing) return;
    for (const order of dustFlushes(dust, market, rules))
      executor.submitManual({
        ...order,
        operation: nextOperation(),
        type: 'limit',
        timeInForce: 'IOC',
        route: DUST_ROUTE,
      });
  }
}
