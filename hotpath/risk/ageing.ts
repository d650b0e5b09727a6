import type { Config } from '#shared/schema/config.ts';
import type { EventData } from '#shared/schema/event.ts';
import type { Recorder } from '#shared/schema/recorder.ts';

/** Something that grows old: what it is, and since when, Unix ms. */
export type Aged = Pick<EventData<'ageing'>, 'what' | 'id' | 'family'> & { readonly sinceMs: number };

export type AgeingOptions = {
  readonly settings: Config['ageing'];
  readonly limits: () => Pick<Config['risk'], 'max_position_age_hours' | 'max_operation_age_hours'>;
  readonly recorder: Recorder;
  /** What an earlier start has told. */
  readonly told: Iterable<EventData<'ageing'>>;
};

const HOUR_MS = 3_600_000;

/** How old what is open may get, and who has come near to it: each is told once as it nears its limit and once as it reaches it. */
export class Ageing {
  readonly #options: AgeingOptions;
  readonly #told = new Map<string, EventData<'ageing'>['state']>();

  constructor(options: AgeingOptions) {
    this.#options = options;
    for (const data of options.told) this.#told.set(keyOf(data), data.state);
  }

  /** Infinity: it may grow as old as it will. */
  maxAgeMsOf({ what, family }: Pick<Aged, 'what' | 'family'>): number {
    const { settings, limits } = this.#options;
    const { max_position_age_hours: position, max_operation_age_hours: operation } = limits();
    const hours = what === 'operation' ? operation : (settings.hours_by_family[family] ?? position);
    return hours === 0 ? Infinity : hours * HOUR_MS;
  }

  /** `open`: all there is. What is not in it any more is forgotten. */
  look(open: readonly Aged[], nowMs: number): void {
    const { settings, recorder } = this.#options;
    const keys = new Set(open.map(keyOf));
    for (const key of this.#told.keys()) if (!keys.has(key)) this.#told.delete(key);
    for (const aged of open) {
      const { what, id, family, sinceMs } = aged;
      const [ageMs, limitMs] = [nowMs - sinceMs, this.maxAgeMsOf(aged)];
      if (ageMs < settings.warn_share * limitMs || limitMs === Infinity) continue;
      const state = ageMs < limitMs ? 'near' : 'over';
      const before = this.#told.get(keyOf(aged));
      if (before === state || before === 'over') continue;
      this.#told.set(keyOf(aged), state);
      const hours = { age_hours: hoursOf(ageMs), limit_hours: hoursOf(limitMs) };
      recorder.record('ageing', `${what}:${id}`, { what, id, family, state, ...hours });
    }
  }
}

const keyOf = ({ what, id }: Pick<Aged, 'what' | 'id'>): string => `${what} ${id}`;
const hoursOf = (ms: number): string => (ms / HOUR_MS).toFixed(3);
