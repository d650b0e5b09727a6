import type { Opportunity } from '#shared/domain/trade.ts';
import type { Planted } from './market.ts';
import { plantedMarket } from './market.ts';
import { FAMILIES } from './shapes.ts';
import type { Shape, Truth } from './truth.ts';
import type { Universe } from './universe.ts';
import { THRESHOLD_BPS } from './universe.ts';

/** How far from the threshold the edges are planted at most, basis points. */
const REACH_BPS = 30;
const TRIES_MAX = 200;

/**
 * Plants `each` violations of a family above the threshold and as many below. Returns what was wrong: one missed, one found that is none, a profit that is
 * off by more than its grid.
 */
export function judge(universe: Universe, family: string, each: number): readonly string[] {
  const shapes = FAMILIES[family]!(universe.instruments);
  const faults: string[] = [];
  for (let at = 0; at < each; at += 1) {
    for (const above of [true, false]) {
      const planted = plant(universe, shapes, above);
      faults.push(...faultsOf(planted, foundIn(universe.watch(planted.books), planted.shape), above));
    }
  }
  return faults;
}

/** A market around one of the shapes, drawn until one is on the side of the threshold that was asked for. @throws Error when none can be drawn. */
export function plant(universe: Universe, shapes: readonly Shape[], above: boolean): Planted {
  const { random } = universe;
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const away = 1 + REACH_BPS * random.next();
    const planted = plantedMarket({
      shape: shapes[random.integer(shapes.length)]!,
      random,
      world: universe.world(),
      thresholdBps: THRESHOLD_BPS,
      edgeBps: THRESHOLD_BPS + (above ? away : -away),
    });
    if (planted !== undefined) return planted;
  }
  throw new Error(`nothing can be planted of ${shapes[0]?.family ?? 'a family without shapes'}`);
}

export const foundIn = (opportunities: readonly Opportunity[], shape: Shape): Opportunity | undefined =>
  opportunities.find(({ family, legs }) => keyOf(family, legs) === shapeKey(shape));

const keyOf = (family: string, legs: readonly { readonly instrument: string; readonly side: string }[]): string =>
  `${family} ${legs
    .map(({ instrument, side }) => `${instrument} ${side}`)
    .sort()
    .join(' ')}`;
export const shapeKey = ({ family, legs }: Shape): string =>
  keyOf(
    family,
    legs.map(({ instrument, side }) => ({ instrument: instrument.id, side })),
  );

function faultsOf({ shape, truth }: Planted, found: Opportunity | undefined, above: boolean): readonly string[] {
  const name = `${shapeKey(shape)}: ${describeTruth(truth)}`;
  if (above !== (found !== undefined)) return [`${above ? 'missed' : 'false'} ${name}`];
  if (found === undefined) return [];
  const net = found.notional * found.netEdge;
  const off = truth.net.minus(net).abs();
  return off.lte(truth.tolerance.plus(truth.net.abs().times(1e-9)))
    ? []
    : [`wrong ${name}, found=${net} off=${off.toPrecision(4)}`];
}

const describeTruth = ({ bestEdgeBps, net, size, tolerance }: Truth): string =>
  `edge_bps=${bestEdgeBps.toFixed(3)} net=${net.toPrecision(8)} size=${size.toPrecision(6)} tolerance=${tolerance.toPrecision(3)}`;
