import { compileRoutes } from '#hotpath/detect/compile.ts';
import { families } from '#hotpath/detect/routes/index.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Route } from '#shared/domain/route.ts';
import type { Config } from '#shared/schema/config.ts';
import type { BenchMarket } from './bench-market.ts';
import { engine } from './decision.ts';
import type { FastEngine } from './fast-engine.ts';
import type { PlainEngine } from './plain-engine.ts';
import { referencesOf } from './universe.ts';

const ROUTES_MAX = 100_000;

export type World = Pick<BenchMarket, 'instruments' | 'snapshots'> & { readonly routes: readonly Route[] };

/** What every family finds in a market. Cycles last: of four legs across venues there are millions. */
export function allRoutes(instruments: readonly Instrument[]): readonly Route[] {
  const names = families.map(({ id }) => id).sort((a, b) => Number(a === 'cycle') - Number(b === 'cycle'));
  const settings = { ...engine, families: names as Config['engine']['families'], max_routes: ROUTES_MAX };
  return compileRoutes(instruments, settings, 0).routes;
}

/** An engine that has every book, and the carry of every route. */
export function opened<E extends FastEngine | PlainEngine>(
  Engine: new (...world: ConstructorParameters<typeof FastEngine>) => E,
  { instruments, routes, snapshots }: World,
): E {
  const started = new Engine(instruments, routes, referencesOf(instruments));
  for (const frame of snapshots) started.take(frame);
  started.reckon();
  return started;
}
