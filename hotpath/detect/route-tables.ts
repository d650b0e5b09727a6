import { assert } from '#shared/assert.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Route, RouteLeg } from '#shared/domain/route.ts';
import { takerFeeOf } from '#shared/quant/taker-fee.ts';
import type { Entry, Rows } from './rows.ts';
import { invert, rowsFrom } from './rows.ts';

/**
 * Product routes as typed arrays. A *slot* is one way through an instrument (2 × instrument, + 1 for a sell). An *edge* is a conversion of one
 * asset into another, whatever the venue: several slots serve it. A *group* holds the product routes that pass the same edges in the
 * same order and differ only in venues: with the best rate of every edge, one product bounds them all.
 */
export type RouteTables = {
  /** Slot of every leg, route by route (also of sum routes, which are screened elsewhere). */
  readonly legs: Rows;
  /** A buy costs ask × factor a unit delivered, a sell brings bid × factor: taker fees included. By slot. */
  readonly factors: Float64Array;
  /** The edge a slot serves; −1 when no product route uses the slot. */
  readonly edgeOfSlot: Int32Array;
  readonly slotsOfEdge: Rows;
  readonly edgesOfGroup: Rows;
  readonly routesOfGroup: Rows;
  /** Groups of each edge by number of legs, with what their product needs beside them: [group, other edge] … */
  readonly pairsOfEdge: Rows;
  /** [group, first edge, second edge, third edge] … */
  readonly triplesOfEdge: Rows;
  /** [group, first edge, … fourth edge] … */
  readonly fourfoldsOfEdge: Rows;
  /** [group] … */
  readonly longerOfEdge: Rows;
};

export function routeTables(instruments: readonly Instrument[], routes: readonly Route[]): RouteTables {
  const products = [...routes.entries()].filter(([, { evaluator }]) => evaluator === 'product');
  const slots = instruments.length * 2;
  const edges = new Map<string, number>();
  const edgeOfSlot = new Int32Array(slots).fill(-1);
  const groups = new Map<string, { readonly edges: readonly number[]; readonly routes: number[] }>();
  for (const [index, { legs }] of products) {
    const passed = legs.map((leg) => numberOf(edges, conversionOf(instruments[leg.instrument]!, leg)));
    assert(new Set(passed).size === passed.length, 'a product route converts the same assets twice');
    for (const [at, leg] of legs.entries()) edgeOfSlot[slotOf(leg)] = passed[at]!;
    const key = passed.join('>');
    const group = groups.get(key) ?? { edges: passed, routes: [] };
    groups.set(key, group);
    group.routes.push(index);
  }
  const groupList = [...groups.values()];
  return {
    legs: rowsFrom(routes.map(({ legs }) => legs.map(slotOf))),
    factors: factorsOf(instruments),
    edgeOfSlot,
    slotsOfEdge: invert(edges.size, [...edgeOfSlot.entries()], ([slot, edge]) => (edge < 0 ? [] : [[edge, [slot]]])),
    edgesOfGroup: rowsFrom(groupList.map((group) => group.edges)),
    routesOfGroup: rowsFrom(groupList.map((group) => group.routes)),
    ...groupsOfEdges(
      edges.size,
      groupList.map((group) => group.edges),
    ),
  };
}

const slotOf = ({ instrument, side }: RouteLeg): number => 2 * instrument + (side === 'sell' ? 1 : 0);

function groupsOfEdges(
  count: number,
  groups: readonly (readonly number[])[],
): Pick<RouteTables, 'pairsOfEdge' | 'triplesOfEdge' | 'fourfoldsOfEdge' | 'longerOfEdge'> {
  const numbered = [...groups.entries()];
  return {
    pairsOfEdge: invert(count, numbered, ([group, passed]) =>
      passed.length === 2 ? passed.map((edge, at): Entry => [edge, [group, passed[1 - at]!]]) : [],
    ),
    triplesOfEdge: invert(count, numbered, withEdges(3)),
    fourfoldsOfEdge: invert(count, numbered, withEdges(4)),
    longerOfEdge: invert(count, numbered, ([group, passed]) =>
      passed.length > 4 ? passed.map((edge): Entry => [edge, [group]]) : [],
    ),
  };
}

/** Groups of so many legs, each with all its edges, under every one of them. */
const withEdges =
  (legs: number) =>
  ([group, passed]: readonly [number, readonly number[]]): readonly Entry[] =>
    passed.length === legs ? passed.map((edge): Entry => [edge, [group, ...passed]]) : [];

function factorsOf(instruments: readonly Instrument[]): Float64Array {
  const factors = new Float64Array(instruments.length * 2);
  for (const [at, instrument] of instruments.entries()) {
    const buy = takerFeeOf(instrument, 'buy');
    factors[2 * at] = buy.paid.div(buy.kept).toNumber();
    factors[2 * at + 1] = takerFeeOf(instrument, 'sell').kept.toNumber();
  }
  return factors;
}

const conversionOf = ({ base, quote }: Instrument, { side }: RouteLeg): string =>
  side === 'buy' ? `${quote}>${base}` : `${base}>${quote}`;

function numberOf(numbers: Map<string, number>, key: string): number {
  const known = numbers.get(key);
  if (known !== undefined) return known;
  numbers.set(key, numbers.size);
  return numbers.size - 1;
}
