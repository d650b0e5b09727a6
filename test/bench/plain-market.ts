import type { References, Tops } from '#shared/domain/capital.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Route, SumRoute } from '#shared/domain/route.ts';
import { carryOf, carrySettingsOf, notionalPerUnit, underlyingOf } from '#shared/quant/carry.ts';
import { cashPerUnit, legFeeOf } from '#shared/quant/leg-value.ts';
import { engine } from './decision.ts';
import { PlainRoutes } from './plain-routes.ts';

type World = { readonly tops: Tops; readonly references: References; readonly minEdge: number };

/** Routes as objects, listed by instrument; each one that touches a changed instrument is evaluated. */
export class PlainMarket {
  readonly #products: PlainRoutes;
  readonly #sums = new Map<number, { readonly index: number; readonly route: SumRoute; readonly carry: number }[]>();
  readonly #instruments: readonly Instrument[];
  readonly #routes: readonly Route[];
  readonly #world: World;

  constructor(instruments: readonly Instrument[], routes: readonly Route[], world: World) {
    this.#instruments = instruments;
    this.#routes = routes;
    this.#world = world;
    this.#products = new PlainRoutes(instruments, routes, world.tops);
  }

  /** Carry at the prices of now: routes that hold are found from here on. */
  reckon(): void {
    const market = { instruments: this.#instruments, ...this.#world, nowMs: 0 };
    this.#sums.clear();
    for (const [index, route] of this.#routes.entries()) {
      if (route.evaluator !== 'sum') continue;
      const listed = { index, route, carry: carryOf(route, market, carrySettingsOf(engine.carry)).net };
      for (const { instrument } of route.legs) {
        const touching = this.#sums.get(instrument) ?? [];
        this.#sums.set(instrument, touching);
        touching.push(listed);
      }
    }
  }

  found(changed: number): readonly number[] {
    const paying = this.#products.paying(changed, this.#world.minEdge);
    for (const { index, route, carry } of this.#sums.get(changed) ?? []) {
      const edge = this.#edge(route, carry);
      if (edge > this.#world.minEdge - 2e-6) paying.push({ index, edge });
    }
    return paying
      .sort((a, b) => b.edge - a.edge || a.index - b.index)
      .slice(0, 256)
      .map(({ index }) => index);
  }

  #edge(route: SumRoute, carry: number): number {
    const { tops, references } = this.#world;
    let cash = 0;
    for (const leg of route.legs) {
      const listing = this.#instruments[leg.instrument]!;
      const price = (leg.side === 'buy' ? tops.ask : tops.bid)[leg.instrument]!;
      const underlying =
        listing.kind === 'option' ? underlyingOf(leg.instrument, { instruments: this.#instruments, references }) : 0;
      cash += leg.ratio * cashPerUnit(leg, legFeeOf(listing), price, underlying);
    }
    return (cash + carry) / notionalPerUnit(route, tops);
  }
}
