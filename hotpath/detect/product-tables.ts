import { assert } from '#shared/assert.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { ProductRoute, Route, RouteLeg } from '#shared/domain/route.ts';
import { takerFeeOf } from '#shared/quant/taker-fee.ts';
import type { Rows } from './rows.ts';
import { rowsFrom, rowsOfOne, rowsWith } from './rows.ts';

/**
 * Product routes as typed arrays. A *slot* is one way through an instrument (2 × instrument, + 1 for a sell). An *edge* is a conversion of one
 * asset into another, whatever the venue: several slots serve it. A *group* holds the product routes that pass the same edges in the
 * same order and differ only in venues: with the best rate of every edge, one product bounds them all.
 */
export type ProductTables = {
  /** Slot of every leg, route by route; none for sum routes. */
  readonly legs: Rows;
  /** A buy costs ask × factor a unit delivered, a sell brings bid × factor: taker fees included. By slot. */
  readonly factors: Float64Array;
  /** The edge a slot serves; one beyond the last when no product route uses the slot. */
  readonly edgeOfSlot: Int32Array;
  readonly slotsOfEdge: Rows;
  readonly edgesOfGroup: Rows;
  readonly groupsOfEdge: Rows;
  readonly routesOfGroup: Rows;
  /** Where the routes of a slot stand in `routesOfGroup.items`: those of one group side by side. */
  readonly placesOfSlot: Rows;
};

export function productTables(instruments: readonly Instrument[], routes: readonly Route[]): ProductTables {
  const legs = rowsFrom(routes.map((route) => (route.evaluator === 'product' ? route.legs.map(slotOf) : [])));
  const edges = new Edges(instruments, legs);
  const groups = new Groups(edges.count);
  for (let index = 0; index < routes.length; index += 1) {
    const route = routes[index]!;
    if (route.evaluator === 'product') groups.add(index, route, edges.edgeOfSlot);
  }
  const edgesOfGroup = rowsFrom(groups.edges);
  const routesOfGroup = rowsFrom(groups.routes);
  return {
    legs,
    factors: factorsOf(instruments),
    edgeOfSlot: edges.edgeOfSlot,
    // Slots that no route uses stand under the edge beyond the last, which no group has.
    slotsOfEdge: rowsWith(edges.count + 1, rowsOfOne(edges.edgeOfSlot)),
    edgesOfGroup,
    groupsOfEdge: rowsWith(edges.count + 1, edgesOfGroup),
    routesOfGroup,
    placesOfSlot: rowsWith(
      instruments.length * 2,
      rowsFrom(Array.from(routesOfGroup.items, (route) => routes[route]!.legs.map(slotOf))),
    ),
  };
}

const slotOf = ({ instrument, side }: RouteLeg): number => 2 * instrument + (side === 'sell' ? 1 : 0);

/** The conversions that product routes make, numbered. */
class Edges {
  readonly count: number;
  readonly edgeOfSlot: Int32Array;

  constructor(instruments: readonly Instrument[], legs: Rows) {
    const numbers = new Map<string, number>();
    const isUsed = new Uint8Array(instruments.length * 2);
    for (const slot of legs.items) isUsed[slot] = 1;
    this.edgeOfSlot = Int32Array.from(isUsed, (used, slot) => {
      if (used === 0) return -1;
      const { base, quote } = instruments[slot >> 1]!;
      const conversion = (slot & 1) === 0 ? `${quote}>${base}` : `${base}>${quote}`;
      const number = numbers.get(conversion) ?? numbers.size;
      numbers.set(conversion, number);
      return number;
    });
    this.count = numbers.size;
    for (const [slot, edge] of this.edgeOfSlot.entries()) if (edge < 0) this.edgeOfSlot[slot] = this.count;
  }
}

/** Sequences of edges, each with the routes that pass it. */
class Groups {
  readonly edges: (readonly number[])[] = [];
  readonly routes: number[][] = [];
  readonly #edgeCount: number;
  /** Beginnings of sequences by the beginning before them and their last edge: a tree in one map. */
  readonly #beginnings = new Map<number, number>();
  readonly #groupOf = new Map<number, number>();

  constructor(edgeCount: number) {
    this.#edgeCount = edgeCount;
  }

  add(index: number, { legs, id }: ProductRoute, edgeOfSlot: Int32Array): void {
    let beginning = 0;
    for (const leg of legs) beginning = this.#after(beginning, edgeOfSlot[slotOf(leg)]!);
    let group = this.#groupOf.get(beginning);
    if (group === undefined) {
      const passed = legs.map((leg) => edgeOfSlot[slotOf(leg)]!);
      assert(new Set(passed).size === passed.length, `a product route converts the same assets twice: ${id}`);
      group = this.edges.push(passed) - 1;
      this.routes.push([]);
      this.#groupOf.set(beginning, group);
    }
    this.routes[group]!.push(index);
  }

  #after(beginning: number, edge: number): number {
    const key = beginning * this.#edgeCount + edge;
    const known = this.#beginnings.get(key);
    if (known !== undefined) return known;
    const number = this.#beginnings.size + 1;
    this.#beginnings.set(key, number);
    return number;
  }
}

function factorsOf(instruments: readonly Instrument[]): Float64Array {
  const factors = new Float64Array(instruments.length * 2);
  for (const [at, instrument] of instruments.entries()) {
    const buy = takerFeeOf(instrument, 'buy');
    factors[2 * at] = buy.paid.div(buy.kept).toNumber();
    factors[2 * at + 1] = takerFeeOf(instrument, 'sell').kept.toNumber();
  }
  return factors;
}
