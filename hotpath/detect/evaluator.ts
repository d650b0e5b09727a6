import { assert } from '#shared/assert.ts';
import type { Tops } from '#shared/domain/capital.ts';
import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Route } from '#shared/domain/route.ts';
import { BestRoutes } from './best-routes.ts';
import type { RouteTables } from './route-tables.ts';
import { routeTables } from './route-tables.ts';
import type { CarrySource } from './sum-screen.ts';
import { SumScreen } from './sum-screen.ts';

/** The screen lets through what lies this close below its threshold: sizing settles it in decimals. */
const THRESHOLD_SLACK = 1e-9;

export type EvaluatorOptions = {
  /** Must cover the instruments. */
  readonly tops: Tops;
  /** A fraction: 0.0001 is one basis point. */
  readonly minEdge: number;
  /** What sum routes need; without it they have a gross edge and never pay. */
  readonly carry?: CarrySource;
};

/**
 * Says which routes that touch a changed instrument pay at best prices after taker fees. Product routes are screened group by group first:
 * the best rate of every venue bounds all routes that differ only in venues, so that most of them are never looked at.
 * Allocates nothing after construction.
 */
export class Evaluator {
  /** The best first, as many as the last call has said. */
  readonly found: Int32Array;
  readonly #found = new BestRoutes();
  readonly #sums: SumScreen;
  readonly #tops: Tops;
  readonly #tables: RouteTables;
  readonly #routes: readonly Route[];
  readonly #threshold: number;
  /** Rate of each slot as of its instrument's last change; NaN while it has no price. */
  readonly #rates: Float64Array;
  /** The best rate among the slots of each edge; 0 while none has a price. */
  readonly #best: Float64Array;

  constructor(
    instruments: readonly Instrument[],
    routes: readonly Route[],
    { tops, minEdge, carry }: EvaluatorOptions,
  ) {
    assert(tops.bid.length >= instruments.length, 'tops do not cover the registry');
    this.found = this.#found.routes;
    this.#tops = tops;
    this.#routes = routes;
    this.#tables = routeTables(instruments, routes);
    this.#sums = new SumScreen(instruments, routes, { tops, minEdge, carry, best: this.#found });
    this.#threshold = 1 + minEdge - THRESHOLD_SLACK;
    this.#rates = new Float64Array(instruments.length * 2).fill(NaN);
    this.#best = new Float64Array(this.#tables.slotsOfEdge.starts.length - 1);
    for (let at = 0; at < instruments.length; at += 1) this.#reprice(at);
  }

  /** Routes that passed while `found` was full, since the start. */
  get dropped(): number {
    return this.#found.dropped;
  }

  /** Sum routes among the routes: those that `refresh` keeps up. */
  get sums(): number {
    return this.#sums.count;
  }

  /** Screens the routes of `changed`: how many passed, best first in `found`. A route with a leg that has no price never passes. */
  screen(changed: InstrumentIndex): number {
    this.#found.clear();
    this.#reprice(changed);
    this.#screenSlot(2 * changed);
    this.#screenSlot(2 * changed + 1);
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
    return this.#routes[route]!.evaluator === 'product' ? this.#grossProduct(route) - 1 : this.#sums.grossEdge(route);
  }

  /** Edge at best prices after taker fees and carry as last refreshed, as a fraction; NaN while a price or the carry is unknown. */
  netEdge(route: number): number {
    return this.#routes[route]!.evaluator === 'product' ? this.#product(route) - 1 : this.#sums.netEdge(route);
  }

  #reprice(instrument: number): void {
    this.#setRate(2 * instrument, this.#rate(2 * instrument));
    this.#setRate(2 * instrument + 1, this.#rate(2 * instrument + 1));
  }

  /** Units received for one given, from the prices of now. */
  #rate(slot: number): number {
    const factor = this.#tables.factors[slot]!;
    return (slot & 1) === 0 ? 1 / (this.#tops.ask[slot >> 1]! * factor) : this.#tops.bid[slot >> 1]! * factor;
  }

  /** Keeps the best rate of the slot's edge: others are asked only when the one that was best got worse. */
  #setRate(slot: number, rate: number): void {
    const edge = this.#tables.edgeOfSlot[slot]!;
    const before = this.#rates[slot]!;
    this.#rates[slot] = rate;
    if (edge < 0) return;
    const best = this.#best[edge]!;
    if (rate >= best) this.#best[edge] = rate;
    else if (before === best) this.#findBest(edge);
  }

  #findBest(edge: number): void {
    const { starts, items } = this.#tables.slotsOfEdge;
    const end = starts[edge + 1]!;
    let best = 0;
    for (let at = starts[edge]!; at < end; at += 1) {
      const rate = this.#rates[items[at]!]!;
      if (rate > best) best = rate;
    }
    this.#best[edge] = best;
  }

  /**
   * Bounds every group that passes the slot's edge, with the slot's own rate on that edge. The bound multiplies in the order of the legs,
   * and rounding keeps order: no route of a group can exceed it by a bit.
   */
  #screenSlot(slot: number): void {
    const edge = this.#tables.edgeOfSlot[slot]!;
    if (edge < 0 || Number.isNaN(this.#rates[slot]!)) return;
    const best = this.#best[edge]!;
    this.#best[edge] = this.#rates[slot]!;
    this.#screenPairs(edge, slot);
    this.#screenTriples(edge, slot);
    this.#screenFourfolds(edge, slot);
    this.#screenLonger(edge, slot);
    this.#best[edge] = best;
  }

  #screenPairs(edge: number, slot: number): void {
    const { starts, items } = this.#tables.pairsOfEdge;
    const best = this.#best;
    const threshold = this.#threshold;
    const own = best[edge]!;
    const end = starts[edge + 1]!;
    for (let at = starts[edge]!; at < end; at += 2) {
      if (own * best[items[at + 1]!]! > threshold) this.#collect(items[at]!, slot);
    }
  }

  #screenTriples(edge: number, slot: number): void {
    const { starts, items } = this.#tables.triplesOfEdge;
    const best = this.#best;
    const threshold = this.#threshold;
    const end = starts[edge + 1]!;
    for (let at = starts[edge]!; at < end; at += 4) {
      const bound = best[items[at + 1]!]! * best[items[at + 2]!]! * best[items[at + 3]!]!;
      if (bound > threshold) this.#collect(items[at]!, slot);
    }
  }

  #screenFourfolds(edge: number, slot: number): void {
    const { starts, items } = this.#tables.fourfoldsOfEdge;
    const best = this.#best;
    const threshold = this.#threshold;
    const end = starts[edge + 1]!;
    for (let at = starts[edge]!; at < end; at += 5) {
      const half = best[items[at + 1]!]! * best[items[at + 2]!]!;
      const bound = half * best[items[at + 3]!]! * best[items[at + 4]!]!;
      if (bound > threshold) this.#collect(items[at]!, slot);
    }
  }

  #screenLonger(edge: number, slot: number): void {
    const { starts, items } = this.#tables.longerOfEdge;
    const edges = this.#tables.edgesOfGroup;
    const best = this.#best;
    const threshold = this.#threshold;
    const end = starts[edge + 1]!;
    for (let at = starts[edge]!; at < end; at += 1) {
      const group = items[at]!;
      const last = edges.starts[group + 1]!;
      let bound = 1;
      for (let leg = edges.starts[group]!; leg < last; leg += 1) bound *= best[edges.items[leg]!]!;
      if (bound > threshold) this.#collect(group, slot);
    }
  }

  /** The routes of a group that pass the slot and pay at the prices of now: a book that died since its last change has none. */
  #collect(group: number, slot: number): void {
    const { starts, items } = this.#tables.routesOfGroup;
    const end = starts[group + 1]!;
    for (let at = starts[group]!; at < end; at += 1) {
      const route = items[at]!;
      if (!this.#passes(route, slot)) continue;
      const product = this.#product(route);
      if (product > this.#threshold) this.#found.add(route, product - 1);
    }
  }

  #passes(route: number, slot: number): boolean {
    const { starts, items } = this.#tables.legs;
    const end = starts[route + 1]!;
    for (let at = starts[route]!; at < end; at += 1) if (items[at] === slot) return true;
    return false;
  }

  #product(route: number): number {
    const { starts, items } = this.#tables.legs;
    const end = starts[route + 1]!;
    let product = 1;
    for (let at = starts[route]!; at < end; at += 1) product *= this.#rate(items[at]!);
    return product;
  }

  #grossProduct(route: number): number {
    const { starts, items } = this.#tables.legs;
    const end = starts[route + 1]!;
    let product = 1;
    for (let at = starts[route]!; at < end; at += 1) {
      const slot = items[at]!;
      product *= (slot & 1) === 0 ? 1 / this.#tops.ask[slot >> 1]! : this.#tops.bid[slot >> 1]!;
    }
    return product;
  }
}
