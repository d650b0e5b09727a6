import type { Tops } from '#shared/domain/capital.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Route } from '#shared/domain/route.ts';
import type { BestRoutes } from './best-routes.ts';
import type { PriceLimits } from './price-limits.ts';
import { PRICE_LIMITS } from './price-limits.ts';
import type { ProductTables } from './product-tables.ts';
import { productTables } from './product-tables.ts';
import type { Rows } from './rows.ts';

/** The screen lets through what lies this close below its threshold: sizing settles it in decimals. */
const THRESHOLD_SLACK = 1e-9;
/** Limits keep this far from the threshold, as a fraction: far more than rounding makes of a product. */
const ROUNDING = 1e-12;

export type ProductScreenOptions = {
  readonly tops: Tops;
  /** As a fraction. */
  readonly minEdge: number;
  readonly best: BestRoutes;
  readonly limits: PriceLimits;
};

/**
 * Screens product routes: Π rate of the legs at best prices after taker fees, above 1 + the least edge.
 *
 * Prices move little and most routes are far from paying, so every edge has a *limit*: while no rate of an edge is above it, no route
 * through that edge pays, whatever the other edges do within theirs. With the *ceiling* of an edge (its limit, or its best rate where that is higher), every group
 * keeps to: limit of one of its edges × ceilings of the others ≤ threshold. A rate above its limit is screened, and its limit set anew:
 * as high as the ceilings of the others leave it; where they leave too little, the group's distance from the threshold is shared out anew among its edges, from
 * the best rates of now. Only what exceeds its own limit raises it, and a ceiling rises in no other way, so that the rule holds after every change.
 * Each slot's own limit as a price says in one look that nothing pays. It is never looser than its edge's; after the edge's was raised it may be stricter, until its
 * instrument is screened. Allocates nothing after construction.
 */
export class ProductScreen {
  readonly #bid: Float64Array;
  readonly #ask: Float64Array;
  readonly #found: BestRoutes;
  readonly #tables: ProductTables;
  readonly #threshold: number;
  /** What limits are kept to. */
  readonly #target: number;
  /** By edge. 0: every change is screened. */
  readonly #limits: Float64Array;
  readonly #ceilings: Float64Array;
  readonly #priceLimits: PriceLimits;
  /** By edge: the best rate when last asked; 0 without a price. */
  readonly #bests: Float64Array;
  /** What `#share` leaves: the product of the ceilings of a group's other edges. */
  readonly #others = new Float64Array(1);
  /** Changes of one side that were screened in full, since the start. */
  screened = 0;

  constructor(
    instruments: readonly Instrument[],
    routes: readonly Route[],
    { tops, minEdge, best, limits }: ProductScreenOptions,
  ) {
    this.#bid = tops.bid;
    this.#ask = tops.ask;
    this.#found = best;
    this.#tables = productTables(instruments, routes);
    this.#threshold = 1 + minEdge - THRESHOLD_SLACK;
    this.#target = this.#threshold * (1 - ROUNDING);
    const edges = this.#tables.slotsOfEdge.starts.length - 1;
    this.#priceLimits = limits;
    this.#limits = new Float64Array(edges);
    this.#ceilings = new Float64Array(edges).fill(Infinity);
    this.#bests = new Float64Array(edges);
    for (let edge = 0; edge < edges; edge += 1) this.#bound(edge, -1);
  }

  /** Adds the routes of a changed instrument that pay. */
  screen(instrument: InstrumentIndex): void {
    const { factors, edgeOfSlot } = this.#tables;
    const limits = this.#limits;
    const buy = 2 * instrument;
    const sell = buy + 1;
    // 1 / (ask × factor) > limit, without dividing. What has no price is NaN and above nothing.
    if (this.#ask[instrument]! * factors[buy]! * limits[edgeOfSlot[buy]!]! < 1) this.#screenSlot(buy);
    if (this.#bid[instrument]! * factors[sell]! > limits[edgeOfSlot[sell]!]!) this.#screenSlot(sell);
    this.#priceLimits[PRICE_LIMITS * instrument] = this.#priceLimitOf(buy);
    this.#priceLimits[PRICE_LIMITS * instrument + 1] = this.#priceLimitOf(sell);
  }

  /** At best prices after taker fees: what comes out for one that goes in; NaN while a leg has no price. */
  product(route: number): number {
    const { starts, items } = this.#tables.legs;
    const end = starts[route + 1]!;
    let product = 1;
    for (let at = starts[route]!; at < end; at += 1) product *= this.#rate(items[at]!);
    return product;
  }

  /** The same before fees. */
  grossProduct(route: number): number {
    const { starts, items } = this.#tables.legs;
    const end = starts[route + 1]!;
    let product = 1;
    for (let at = starts[route]!; at < end; at += 1) {
      const slot = items[at]!;
      product *= (slot & 1) === 0 ? 1 / this.#ask[slot >> 1]! : this.#bid[slot >> 1]!;
    }
    return product;
  }

  /** Units received for one given. */
  #rate(slot: number): number {
    const factor = this.#tables.factors[slot]!;
    return (slot & 1) === 0 ? 1 / (this.#ask[slot >> 1]! * factor) : this.#bid[slot >> 1]! * factor;
  }

  #screenSlot(slot: number): void {
    this.screened += 1;
    this.#bound(this.#tables.edgeOfSlot[slot]!, slot);
  }

  /** Looks at every group that passes the edge, and finds the edge its limit. Without a slot (−1) no route is asked. */
  #bound(edge: number, slot: number): void {
    const { starts, items } = this.#tables.groupsOfEdge;
    const end = starts[edge + 1]!;
    const target = this.#target;
    this.#askBest(edge);
    const best = this.#bests[edge]!;
    let limit = Infinity;
    for (let at = starts[edge]!; at < end; at += 1) {
      const group = items[at]!;
      let others = this.#othersOf(group, edge);
      if (!(best * others <= target)) {
        this.#share(group, edge, slot);
        others = this.#others[0]!;
      }
      if (others * limit > target) limit = target / others;
    }
    const isLower = limit < this.#limits[edge]!;
    this.#limits[edge] = limit;
    this.#ceilings[edge] = limit > best ? limit : best;
    if (isLower) this.#tighten(edge);
  }

  #othersOf(group: number, edge: number): number {
    const { starts, items } = this.#tables.edgesOfGroup;
    const end = starts[group + 1]!;
    let others = 1;
    for (let at = starts[group]!; at < end; at += 1) {
      const other = items[at]!;
      if (other !== edge) others *= this.#ceilings[other]!;
    }
    return others;
  }

  /**
   * The group from the best rates of now. Where it may pay, its routes through the slot are asked, and no edge is left a limit that reaches its best rate;
   * else each may rise by an equal part of the distance, and takes no more.
   */
  #share(group: number, edge: number, slot: number): void {
    const { starts, items } = this.#tables.edgesOfGroup;
    const first = starts[group]!;
    const end = starts[group + 1]!;
    const bests = this.#bests;
    let product = bests[edge]!;
    for (let at = first; at < end; at += 1) {
      if (items[at] === edge) continue;
      this.#askBest(items[at]!);
      product *= bests[items[at]!]!;
    }
    const slack = this.#target / product;
    const rise = slack > 1 ? rootOf(slack, end - first) : slack;
    let others = 1;
    for (let at = first; at < end; at += 1) {
      const other = items[at]!;
      if (other !== edge) others *= this.#lower(other, rise);
    }
    this.#others[0] = others;
    if (slot >= 0 && this.#rate(slot) * (product / bests[edge]!) > this.#target) this.#collect(group, slot);
  }

  /** An edge's ceiling, after its limit was made to stand no higher than so many times its best rate. */
  #lower(edge: number, rise: number): number {
    const best = this.#bests[edge]!;
    // Without a price it makes no route, and the first one is screened.
    const most = best === 0 ? 0 : best * rise;
    if (this.#limits[edge]! > most) {
      this.#limits[edge] = most;
      this.#tighten(edge);
    }
    const limit = this.#limits[edge]!;
    const ceiling = limit > best ? limit : best;
    this.#ceilings[edge] = ceiling;
    return ceiling;
  }

  /** The edge's limit is lower than it was: so are its slots'. */
  #tighten(edge: number): void {
    const { starts, items } = this.#tables.slotsOfEdge;
    const limits = this.#priceLimits;
    const end = starts[edge + 1]!;
    for (let at = starts[edge]!; at < end; at += 1) {
      const slot = items[at]!;
      const place = PRICE_LIMITS * (slot >> 1) + (slot & 1);
      const price = this.#priceLimitOf(slot);
      if ((slot & 1) === 0 ? price > limits[place]! : price < limits[place]!) limits[place] = price;
    }
  }

  /** The price at which a slot's rate is its edge's limit. */
  #priceLimitOf(slot: number): number {
    const factor = this.#tables.factors[slot]!;
    const limit = this.#limits[this.#tables.edgeOfSlot[slot]!]!;
    return (slot & 1) === 0 ? 1 / (factor * limit) : limit / factor;
  }

  #askBest(edge: number): void {
    const { starts, items } = this.#tables.slotsOfEdge;
    const end = starts[edge + 1]!;
    let best = 0;
    for (let at = starts[edge]!; at < end; at += 1) {
      const rate = this.#rate(items[at]!);
      if (rate > best) best = rate;
    }
    this.#bests[edge] = best;
  }

  /** The routes of a group that pass the slot and pay. */
  #collect(group: number, slot: number): void {
    const { routesOfGroup, placesOfSlot } = this.#tables;
    const end = routesOfGroup.starts[group + 1]!;
    const last = placesOfSlot.starts[slot + 1]!;
    for (let at = firstFrom(routesOfGroup.starts[group]!, placesOfSlot, slot); at < last; at += 1) {
      const place = placesOfSlot.items[at]!;
      if (place >= end) return;
      const route = routesOfGroup.items[place]!;
      const product = this.product(route);
      if (product > this.#threshold) this.#found.add(route, product - 1);
    }
  }
}

/** Where the first item of a row stands that is not below the least; the row ascends. */
function firstFrom(least: number, { starts, items }: Rows, row: number): number {
  let low = starts[row]!;
  let high = starts[row + 1]!;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (items[middle]! < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

function rootOf(slack: number, legs: number): number {
  if (legs === 2) return Math.sqrt(slack);
  return legs === 4 ? Math.sqrt(Math.sqrt(slack)) : slack ** (1 / legs);
}
