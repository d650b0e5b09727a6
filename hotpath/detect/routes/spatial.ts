import type { Asset } from '#shared/domain/ids.ts';
import type { CompileOptions, Listed, Route, RouteFamily } from '../route.ts';
import { productRoute, spotOf, stepsOf } from '../route.ts';

/**
 * The same asset on two venues: bought where it is cheap, sold where it is dear, both at once from balances held on each. Base and quote
 * must be equal as assets: BTC/USDT against BTC/USDC is a cycle through USDC/USDT, not this.
 */
export const spatial: RouteFamily = {
  id: 'spatial',
  compile: (instruments, options) => {
    const routes: Route[] = [];
    for (const listings of byPair(spotOf(instruments)).values()) {
      for (const [buyAt, sellAt] of orderedPairs(listings)) {
        if (routes.length >= options.maxRoutes) return routes;
        const route = spatialRoute(buyAt, sellAt, options);
        if (route !== undefined) routes.push(route);
      }
    }
    return routes;
  },
};

/** Profit stays in the quote where that is a start asset, else in the base; a pair with neither makes no route. */
function spatialRoute(buyAt: Listed, sellAt: Listed, { startAssets }: CompileOptions): Route | undefined {
  const [buy] = stepsOf(buyAt);
  const [, sell] = stepsOf(sellAt);
  const mayStart = (asset: Asset): boolean => startAssets.includes(asset);
  if (mayStart(buy.from)) return productRoute('spatial', [buy, sell], buy.from);
  return mayStart(sell.from) ? productRoute('spatial', [sell, buy], sell.from) : undefined;
}

function byPair(listed: readonly Listed[]): ReadonlyMap<string, readonly Listed[]> {
  return Map.groupBy(listed, ({ instrument }) => `${instrument.base}/${instrument.quote}`);
}

function* orderedPairs(listings: readonly Listed[]): Generator<readonly [Listed, Listed]> {
  for (const buyAt of listings)
    for (const sellAt of listings) if (buyAt.instrument.venue !== sellAt.instrument.venue) yield [buyAt, sellAt];
}
