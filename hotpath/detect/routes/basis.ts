import type { RouteFamily } from '../route.ts';
import { coinPairRoutes } from '../route.ts';

/**
 * A coin on the spot market against a perpetual or a dated future of it, linear or inverse, on any venues, both ways. Against a dated future the basis is
 * locked, since spot is sold at the price that settles the future; against a perpetual it is expected to narrow while funding is paid.
 */
export const basis: RouteFamily = {
  id: 'basis',
  compile: (instruments, options) =>
    coinPairRoutes('basis', instruments, options, (one, other) => (one === 'spot') !== (other === 'spot')),
};
