import type { RouteFamily } from '../route.ts';
import { coinPairRoutes } from '../route.ts';

/**
 * Two points of a coin's forward curve, one bought and one sold: futures of two expiries, or a future and a perpetual, on any venues. Futures that settle at
 * the same time are locked; otherwise the far one is closed by trading when the near one settles.
 */
export const calendar: RouteFamily = {
  id: 'calendar',
  compile: (instruments, options) =>
    coinPairRoutes(
      'calendar',
      instruments,
      options,
      (one, other) => one !== 'spot' && other !== 'spot' && (one === 'future' || other === 'future'),
    ),
};
