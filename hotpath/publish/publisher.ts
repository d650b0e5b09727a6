import type { Clock, Timer } from '#shared/clock/clock.ts';
import type { EventData, EventKind } from '#shared/schema/event.ts';
import type { Recorder } from '#shared/schema/recorder.ts';
import type { Journal } from './journal.ts';

/**
 * Where the stages put their facts. What nobody flushes by itself (facts that no order waits for) reaches the file with the next timer
 * of this clock.
 */
export class Publisher implements Recorder {
  readonly #journal: Journal;
  readonly #clock: Clock;
  #pending: Timer | undefined;

  constructor(journal: Journal, clock: Clock) {
    this.#journal = journal;
    this.#clock = clock;
  }

  readonly record = <K extends EventKind>(kind: K, key: string, data: EventData<K>, text?: string): number => {
    this.#pending ??= this.#clock.after(0, this.flush);
    return this.#journal.append(kind, key, data, text);
  };

  readonly flush = (): void => {
    this.#pending?.cancel();
    this.#pending = undefined;
    this.#journal.flush();
  };
}
