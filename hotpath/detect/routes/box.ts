import type { Instrument } from '#shared/domain/instrument.ts';
import type { CompileOptions, RouteFamily } from '../route.ts';
import { apart, boardsOf, firstRoutes, forwardPair, pairsOf } from '../route.ts';

/** Strikes apart at most. */
const DISTANCE_MAX = 8;

/**
 * Two synthetic forwards of one board: bought at the lower strike and sold at the higher one, or the reverse. What they leave is fixed: K₂ − K₁ dollars, or 1 − K₁/K₂
 * coin. Neighbouring strikes first, then those two apart, up to eight.
 * @see D. Ronn & E. Ronn, "The box spread arbitrage conditions", Rev. Financial Studies 2 (1989) 91–108.
 */
export const box: RouteFamily = {
  id: 'box',
  compile: (instruments, options) => firstRoutes(boxRoutes(instruments, options), options),
};

function* boxRoutes(instruments: readonly Instrument[], options: CompileOptions) {
  const boards = boardsOf(instruments, options).map((board) => ({ board, pairs: pairsOf(board) }));
  for (let distance = 1; distance <= DISTANCE_MAX; distance += 1) {
    for (const { board, pairs } of boards) {
      for (const [low, high] of apart(pairs, distance)) {
        yield forwardPair('box', [low, board], [high, board]);
        yield forwardPair('box', [high, board], [low, board]);
      }
    }
  }
}
