import type { Instrument, InstrumentKind } from '#shared/domain/instrument.ts';
import type { Board, CompileOptions, Listed, RouteFamily, StrikePair, SumSpec } from '../route.ts';
import {
  boardsOf,
  bothWays,
  bought,
  countsAs,
  endOf,
  firstRoutes,
  inQuote,
  lastingOf,
  pairsOf,
  paymentOf,
  settlesWith,
  sold,
} from '../route.ts';

/**
 * Conversion (call sold, put bought, coin bought) and reversal at every strike that has both options. The coin is a future of the same expiry, a perpetual or the
 * spot market, on any venue. Paid in dollars, call less put is S − K and one coin cancels it; paid in coin it is 1 − K/S, and K dollars of the coin, counted in
 * quote, cancel it. Locked are the future that settles with the options, and spot, which is traded at the price that settles them; against a perpetual or the
 * future of another index, two prices are expected to agree.
 *
 * Strikes × hedges, both ways: all strikes take their first hedge before any takes its second. Of the hedges futures come first, then perpetuals, then spot; of one
 * kind those of the options' venue, then in registry order.
 * @see H. Stoll, "The relationship between put and call option prices", J. Finance 24 (1969) 801–824.
 */
export const parity: RouteFamily = {
  id: 'parity',
  compile: (instruments, options) => firstRoutes(parityRoutes(instruments, options), options),
};

function* parityRoutes(instruments: readonly Instrument[], options: CompileOptions) {
  const coins = lastingOf(instruments, HEDGES, options);
  const boards = boardsOf(instruments, options).map((board) => ({
    board,
    pairs: pairsOf(board),
    hedges: hedgesOf(board, coins, options),
  }));
  const ranks = Math.max(0, ...boards.map(({ hedges }) => hedges.length));
  for (let rank = 0; rank < ranks; rank += 1) {
    for (const { board, pairs, hedges } of boards) {
      const hedge = hedges[rank];
      if (hedge === undefined) continue;
      for (const pair of pairs) yield* bothWays('parity', conversion(board, pair, hedge));
    }
  }
}

const HEDGES: readonly InstrumentKind[] = ['future', 'perpetual', 'spot'];

function hedgesOf(board: Board, coins: readonly Listed[], options: CompileOptions): readonly Listed[] {
  const rank = ({ instrument: { kind, venue } }: Listed): number =>
    2 * HEDGES.indexOf(kind) + (board.index.startsWith(`${venue} `) ? 0 : 1);
  return coins.filter((coin) => cancels(coin, board, options)).sort((a, b) => rank(a) - rank(b));
}

/** Whether a coin cancels a board's remainder: its price is in what the strikes are counted in, and its profit in what the options pay. */
function cancels({ instrument }: Listed, board: Board, options: CompileOptions): boolean {
  const { kind, base, quote, settle, inverse, expiryMs } = instrument;
  if (base !== board.base || countsAs(quote, options) !== board.strikeAsset) return false;
  if (kind === 'spot') return true;
  if (kind === 'future' && expiryMs !== board.expiryMs) return false;
  return inverse === board.inCoin && countsAs(settle, options) === board.start;
}

function conversion(board: Board, { strike, call, put }: StrikePair, hedge: Listed): SumSpec {
  const { inCoin, expiryMs, start } = board;
  const coin = inCoin ? inQuote(bought(hedge, strike)) : bought(hedge);
  const isFuture = hedge.instrument.kind === 'future';
  const isLocked = hedge.instrument.kind === 'spot' || settlesWith(hedge, board);
  const option = sold(call);
  return {
    parts: [coin, option, bought(put)],
    start,
    terms: {
      certainty: isLocked ? 'locked' : 'converging',
      notional: inCoin ? { amount: 1 } : { leg: 0 },
      payoffs: paymentOf(expiryMs, inCoin ? -1 : strike),
      closings: isFuture ? [] : [endOf(coin)],
      deliveries: [...(isFuture ? [endOf(coin)] : []), endOf(option)],
      endsMs: expiryMs,
    },
  };
}
