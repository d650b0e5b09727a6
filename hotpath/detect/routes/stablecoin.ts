import type { Asset } from '#shared/domain/ids.ts';
import type { CompileOptions, Conversions, Route, RouteFamily, Step } from '../route.ts';
import { acrossVenues, conversionsOf, insideVenues, productRoute, spotOf } from '../route.ts';

const LEGS = 3;

/**
 * What two assets that promise the same are apart: a coin is bought for the one, sold for the other, and that converted back, each leg on any venue from
 * balances held there. Each triangle stands once, turned so that it begins with the first start asset it meets; those inside a venue come first.
 */
export const stablecoin: RouteFamily = {
  id: 'stablecoin',
  compile: (instruments, options) => {
    const conversions = conversionsOf(spotOf(instruments));
    const routes: Route[] = [];
    if (options.maxLegs < LEGS) return routes;
    for (const waysOf of [insideVenues, acrossVenues]) {
      for (const { start, choices } of trianglesOf(conversions, options)) {
        for (const steps of waysOf(choices)) {
          if (routes.length >= options.maxRoutes) return routes;
          routes.push(productRoute('stablecoin', steps, start));
        }
      }
    }
    return routes;
  },
};

type Triangle = { readonly start: Asset; readonly choices: readonly (readonly Step[])[] };

function* trianglesOf(conversions: Conversions, { stableAssets, startAssets }: CompileOptions): Generator<Triangle> {
  for (const spent of new Set(stableAssets)) {
    for (const [coin, buys] of conversions.get(spent) ?? []) {
      if (stableAssets.includes(coin)) continue;
      for (const [received, sells] of conversions.get(coin)!) {
        if (received === spent || !stableAssets.includes(received)) continue;
        const back = conversions.get(received)!.get(spent);
        const assets = [spent, coin, received];
        const start = startAssets.find((asset) => assets.includes(asset));
        if (back === undefined || start === undefined) continue;
        const choices = [buys, sells, back];
        const first = assets.indexOf(start);
        yield { start, choices: [...choices.slice(first), ...choices.slice(0, first)] };
      }
    }
  }
}
