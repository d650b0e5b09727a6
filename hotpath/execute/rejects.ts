import type { EngineEvent } from '#shared/schema/event.ts';

/** How many orders each venue has rejected since the start, by what the journal is told. */
export class Rejects {
  readonly #counts = new Map<string, number>();

  readonly onEvent = (event: EngineEvent): void => {
    if (event.kind !== 'order' || event.data.status !== 'rejected') return;
    const { instrument } = event.data;
    const venue = instrument.slice(0, instrument.indexOf(':'));
    this.#counts.set(venue, this.of(venue) + 1);
  };

  readonly of = (venue: string): number => this.#counts.get(venue) ?? 0;
}
