import type { Clock } from '#shared/clock/clock.ts';
import type { EngineEvent, EventData, EventKind } from '#shared/schema/event.ts';
import type { Recorder } from '#shared/schema/recorder.ts';

/** A journal in memory that knows what would have survived a kill. */
export class Journal implements Recorder {
  readonly events: EngineEvent[];
  flushed: number;
  readonly #clock: Pick<Clock, 'now' | 'unixNs'>;

  constructor(clock: Pick<Clock, 'now' | 'unixNs'>, events: readonly EngineEvent[] = []) {
    this.#clock = clock;
    this.events = [...events];
    this.flushed = events.length;
  }

  readonly record = <K extends EventKind>(kind: K, key: string, data: EventData<K>): number => {
    const seq = this.events.length + 1;
    const at = this.#clock.unixNs(this.#clock.now());
    // The pair (kind, data) agrees by K; TypeScript cannot follow that into the union.
    this.events.push({ v: 1, engine: 'e', seq, at, key, kind, data } as unknown as EngineEvent);
    return seq;
  };

  readonly flush = (): void => {
    this.flushed = this.events.length;
  };
}
