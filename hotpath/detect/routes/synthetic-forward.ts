import type { Instrument } from '#shared/domain/instrument.ts';
import type { Board, CompileOptions, RouteFamily, StrikePair } from '../route.ts';
import { boardsOf, firstRoutes, forwardPair, pairsOf } from '../route.ts';

/** Strikes apart at most, among all strikes of the two boards. */
const DISTANCE_MAX = 3;

/**
 * A synthetic forward (call bought, put sold) against one of another board with the same coin, currency and expiry: of another venue, or of the same venue in
 * contracts of another size. Two strikes of one board are a box. Only boards of one index settle at one price and are locked; venues keep indices of their own
 * (and the same holds for two quotes that count as one), so across them the prices are expected to agree, not promised.
 *
 * Equal strikes first, then neighbours, up to three apart.
 */
export const syntheticForward: RouteFamily = {
  id: 'synthetic-forward',
  compile: (instruments, options) => firstRoutes(forwardRoutes(instruments, options), options),
};

type Forwards = { readonly board: Board; readonly pairs: readonly StrikePair[] };

function* forwardRoutes(instruments: readonly Instrument[], options: CompileOptions) {
  const boards = boardsOf(instruments, options).map((board): Forwards => ({ board, pairs: pairsOf(board) }));
  const groups = [...Map.groupBy(boards, ({ board }) => `${board.terms} ${board.expiryMs}`).values()];
  for (let distance = 0; distance <= DISTANCE_MAX; distance += 1) {
    for (const group of groups) {
      for (const long of group) for (const short of group) if (long !== short) yield* meetings(long, short, distance);
    }
  }
}

/** What is bought on one board and sold on the other so many strikes away. */
function* meetings(long: Forwards, short: Forwards, distance: number) {
  const strikes = [...new Set([...long.pairs, ...short.pairs].map(({ strike }) => strike))].sort((a, b) => a - b);
  const places = new Map(strikes.map((strike, place) => [strike, place]));
  const shortAt = new Map(short.pairs.map((pair) => [pair.strike, pair]));
  for (const bought of long.pairs) {
    const place = places.get(bought.strike)!;
    for (const other of distance === 0 ? [place] : [place - distance, place + distance]) {
      const sold = shortAt.get(strikes[other]!);
      if (sold !== undefined) yield forwardPair('synthetic-forward', [bought, long.board], [sold, short.board]);
    }
  }
}
