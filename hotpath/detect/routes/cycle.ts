import type { Asset } from '#shared/domain/ids.ts';
import type { CompileOptions, Conversions, Route, RouteFamily } from '../route.ts';
import { acrossVenues, conversionsOf, insideVenues, productRoute, spotOf } from '../route.ts';

const LEGS_MIN = 3;

/**
 * Conversions that lead back to the asset they began with: triangles and longer, inside one venue, or across venues where the assets in
 * between are held on each. No asset is met twice, so a cycle never hides a shorter one (two legs are spatial). Each cycle stands
 * once, turned so that it begins with the first start asset it meets; short ones come first, and those inside a venue before those across.
 * Triangles through two stable assets are the family `stablecoin`'s, while that is on.
 */
export const cycle: RouteFamily = {
  id: 'cycle',
  compile: (instruments, options) => {
    const conversions = conversionsOf(spotOf(instruments));
    const routes: Route[] = [];
    for (let legs = LEGS_MIN; legs <= options.maxLegs; legs += 1) {
      for (const across of options.crossVenue ? [false, true] : [false]) {
        for (const route of cyclesOf(conversions, options, legs, across)) {
          if (routes.length >= options.maxRoutes) return routes;
          routes.push(route);
        }
      }
    }
    return routes;
  },
};

function* cyclesOf(
  conversions: Conversions,
  { startAssets, stableAssets }: CompileOptions,
  legs: number,
  across: boolean,
): Generator<Route> {
  for (const [rank, start] of startAssets.entries()) {
    // A cycle through an earlier start asset was already found from there.
    const closed = new Set(startAssets.slice(0, rank));
    if (closed.has(start)) continue;
    for (const assets of assetCycles(conversions, [start], legs, closed)) {
      if (legs === 3 && assets.filter((asset) => stableAssets.includes(asset)).length === 2) continue;
      const choices = assets.map((from, leg) => conversions.get(from)!.get(assets[(leg + 1) % legs]!)!);
      for (const steps of across ? acrossVenues(choices) : insideVenues(choices)) {
        yield productRoute('cycle', steps, start);
      }
    }
  }
}

/** Every way to go on from `path` to a cycle of `legs` distinct assets that avoids `closed`. */
function* assetCycles(
  conversions: Conversions,
  path: readonly Asset[],
  legs: number,
  closed: ReadonlySet<Asset>,
): Generator<readonly Asset[]> {
  const reachable = conversions.get(path.at(-1)!);
  if (reachable === undefined) return;
  if (path.length === legs) {
    if (reachable.has(path[0]!)) yield path;
    return;
  }
  for (const next of reachable.keys()) {
    if (!closed.has(next) && !path.includes(next)) yield* assetCycles(conversions, [...path, next], legs, closed);
  }
}
