import { assert } from '#shared/assert.ts';
import type { Tops } from '#shared/domain/capital.ts';
import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Route } from '#shared/domain/route.ts';
import { BestRoutes } from './best-routes.ts';
import type { PriceLimits } from './price-limits.ts';
import { newPriceLimits, PRICE_LIMITS } from './price-limits.ts';
import { ProductScreen } from './product-screen.ts';
import type { CarrySource } from './sum-screen.ts';
import { SumScreen } from './sum-screen.ts';

export type EvaluatorOptions = {
  /** Must cover the instruments. */
  readonly tops: Tops;
  /** A fraction: 0.0001 is one basis point. */
  readonly minEdge: number;
  /** What sum routes need; without it they have a gross edge and never pay. */
  readonly carry?: CarrySource;
};

/**
 * Says which routes that touch a changed instrument pay at best prices after taker fees. Every change of a best price must be screened before the next one, but
 * for one that leaves no price. Most changes are told from two prices and their limits: see the screens. Allocates nothing after construction.
 */
export class Evaluator {
  /** The best first, as many as the last call has said. */
  readonly found: Int32Array;
  readonly #found = new BestRoutes();
  readonly #bid: Float64Array;
  readonly #ask: Float64Array;
  readonly #limits: PriceLimits;
  readonly #products: ProductScreen;
  readonly #sums: SumScreen;
  readonly #routes: readonly Route[];

  constructor(
    instruments: readonly Instrument[],
    routes: readonly Route[],
    { tops, minEdge, carry }: EvaluatorOptions,
  ) {
    assert(tops.bid.length >= instruments.length, 'tops do not cover the registry');
    this.found = this.#found.routes;
    this.#routes = routes;
    this.#bid = tops.bid;
    this.#ask = tops.ask;
    this.#limits = newPriceLimits(instruments.length);
    const kept = { tops, minEdge, best: this.#found, limits: this.#limits };
    this.#products = new ProductScreen(instruments, routes, kept);
    this.#sums = new SumScreen(instruments, routes, { ...kept, carry });
  }

  /** Routes that passed while `found` was full, since the start. */
  get dropped(): number {
    return this.#found.dropped;
  }

  /** Sum routes among the routes: those that `refresh` keeps up. */
  get sums(): number {
    return this.#sums.count;
  }

  /** Sides of instruments that went beyond their limits and were screened route by route, since the start. */
  get screened(): number {
    return this.#products.screened + this.#sums.screened;
  }

  /** Screens the routes of `changed`: how many passed, best first in `found`. A route with a leg that has no price never passes. */
  screen(changed: InstrumentIndex): number {
    this.#found.clear();
    const limits = this.#limits;
    const at = PRICE_LIMITS * changed;
    const ask = this.#ask[changed]!;
    const bid = this.#bid[changed]!;
    if (ask >= limits[at]! && bid <= limits[at + 1]! && ask >= limits[at + 2]! && bid <= limits[at + 3]!) return 0;
    this.#products.screen(changed);
    this.#sums.screen(changed);
    return this.#found.count;
  }

  /**
   * Reckons the carry of some sum routes anew: how many of them pay now, best first in `found`. What the time until the end of a route brings and
   * costs changes without a tick; called often enough, each route has its turn.
   */
  readonly refresh = (nowNs: TimeNs): number => {
    this.#found.clear();
    this.#sums.refresh(nowNs);
    return this.#found.count;
  };

  /** The references of an instrument have changed: the next calls of `refresh` begin with its routes. */
  readonly noteReference = (instrument: InstrumentIndex): void => this.#sums.noteReference(instrument);

  /** Edge at best prices before fees and carry, as a fraction (sure payoffs count); NaN while a leg has no price. */
  grossEdge(route: number): number {
    return this.#routes[route]!.evaluator === 'product'
      ? this.#products.grossProduct(route) - 1
      : this.#sums.grossEdge(route);
  }

  /** Edge at best prices after taker fees and carry as last refreshed, as a fraction; NaN while a price or the carry is unknown. */
  netEdge(route: number): number {
    return this.#routes[route]!.evaluator === 'product' ? this.#products.product(route) - 1 : this.#sums.netEdge(route);
  }
}
