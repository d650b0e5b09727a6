import type { Tops } from '#shared/domain/capital.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Route } from '#shared/domain/route.ts';

/** A buy costs ask × factor a unit delivered, a sell brings bid × factor. */
type PlainLeg = { readonly instrument: number; readonly side: 'buy' | 'sell'; readonly factor: number };
type PlainRoute = { readonly index: number; readonly legs: readonly PlainLeg[] };

/** A route by its index, and what it earns. */
export type Paying = { readonly index: number; readonly edge: number };

/** As many as the evaluator hands on from one change. */
const FOUND_MAX = 256;

/** Routes as objects, listed by instrument; each one that touches a changed instrument is evaluated. */
export class PlainRoutes {
  readonly #byInstrument = new Map<number, PlainRoute[]>();
  readonly #tops: Tops;

  constructor(instruments: readonly Instrument[], routes: readonly Route[], tops: Tops) {
    this.#tops = tops;
    for (const [index, { legs, evaluator }] of routes.entries()) {
      if (evaluator !== 'product') continue;
      const route: PlainRoute = {
        index,
        legs: legs.map(({ instrument, side }) => {
          const { taker, currency } = instruments[instrument]!.fees;
          const fee = taker.toNumber();
          const cost = currency === 'received' ? 1 / (1 - fee) : 1 + fee;
          return { instrument, side, factor: side === 'buy' ? cost : 1 - fee };
        }),
      };
      for (const { instrument } of legs) {
        const touching = this.#byInstrument.get(instrument) ?? [];
        this.#byInstrument.set(instrument, touching);
        touching.push(route);
      }
    }
  }

  /** Routes of a changed instrument that pay, best first. */
  found(changed: number, minEdge: number): readonly number[] {
    return this.paying(changed, minEdge)
      .sort((a, b) => b.edge - a.edge)
      .slice(0, FOUND_MAX)
      .map(({ index }) => index);
  }

  /** The same with their edges, in no order. */
  paying(changed: number, minEdge: number): Paying[] {
    const paying: Paying[] = [];
    for (const { index, legs } of this.#byInstrument.get(changed) ?? []) {
      let product = 1;
      for (const leg of legs) product *= this.#rateOf(leg);
      if (product > 1 + minEdge - 1e-9) paying.push({ index, edge: product - 1 });
    }
    return paying;
  }

  #rateOf({ instrument, side, factor }: PlainLeg): number {
    return side === 'sell' ? this.#tops.bid[instrument]! * factor : 1 / (this.#tops.ask[instrument]! * factor);
  }
}
