import type { RouteFamily } from '../route.ts';
import { coinPairRoutes } from '../route.ts';

/**
 * Two perpetuals of a coin, long the one and short the other: what they are apart, and what their fundings are apart while they are held. They differ in venue,
 * or on one venue in what they are settled in.
 */
export const funding: RouteFamily = {
  id: 'funding',
  compile: (instruments, options) =>
    coinPairRoutes('funding', instruments, options, (one, other) => one === 'perpetual' && other === 'perpetual'),
};
