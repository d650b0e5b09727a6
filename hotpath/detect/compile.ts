import { assert } from '#shared/assert.ts';
import type { Asset } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { FamilyId, Route, RouteFamily } from '#shared/domain/route.ts';
import type { Config } from '#shared/schema/config.ts';
import { families } from './routes/index.ts';

/** What the instruments of a run offer. A route's place in `routes` is its index everywhere else. */
export type Compilation = {
  readonly routes: readonly Route[];
  readonly byFamily: Readonly<Record<FamilyId, number>>;
  /** Families that had more routes than `max_routes` left room for: the run goes on without the rest, and says so. */
  readonly truncated: readonly FamilyId[];
};

/**
 * Compiles the configured families, in the order in which the configuration names them: what comes first is never crowded out.
 * The instruments must be the registry of the run, in its order.
 */
export function compileRoutes(
  instruments: readonly Instrument[],
  engine: Config['engine'],
  nowMs: number,
): Compilation {
  const routes: Route[] = [];
  const byFamily: Record<FamilyId, number> = {};
  const truncated: FamilyId[] = [];
  for (const id of engine.families) {
    const room = engine.max_routes - routes.length;
    // One more than there is room for: so that a full list can be told from a cut one.
    const offered = familyOf(id).compile(instruments, {
      maxLegs: engine.max_legs,
      crossVenue: engine.cross_venue_cycles,
      maxRoutes: room + 1,
      startAssets: engine.start_assets as Asset[],
      stableAssets: (engine.families.includes('stablecoin') ? engine.stable_assets : []) as Asset[],
      equalAssets: new Map(Object.entries(engine.equal_assets)) as Map<Asset, Asset>,
      nowMs,
      minTenorMs: engine.carry.min_tenor_minutes * 60_000,
    });
    if (offered.length > room) truncated.push(id);
    byFamily[id] = Math.min(offered.length, room);
    for (const route of offered.slice(0, room)) routes.push(route);
  }
  return { routes, byFamily, truncated };
}

function familyOf(id: FamilyId): RouteFamily {
  const family = families.find((candidate) => candidate.id === id);
  assert(family !== undefined, `the configuration knows a family that has no file: ${id}`);
  return family;
}
