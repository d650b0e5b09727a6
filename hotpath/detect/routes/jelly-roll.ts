import type { Instrument } from '#shared/domain/instrument.ts';
import type { Board, CompileOptions, Listed, RouteFamily, StrikePair, SumSpec } from '../route.ts';
import {
  apart,
  boardsOf,
  bothWays,
  bought,
  countsAs,
  endOf,
  firstRoutes,
  inQuote,
  pairsOf,
  paymentOf,
  sold,
  spotOf,
} from '../route.ts';

/** Expiries apart at most. */
const DISTANCE_MAX = 3;

/**
 * Two synthetic forwards of one strike and two expiries: sold at T₁ and bought at T₂, or the reverse. At T₁ the one that was sold brings K − S₁ and a coin is sold
 * for S₁; at T₂ the other one brings S₂ − K and the coin is bought back for S₂: K comes in at T₁ and goes out at T₂. Paid in coin they bring K/S₁ − 1 and 1 − K/S₂,
 * and it is K dollars of the coin that are sold and bought back: one coin goes out at T₁ and comes in at T₂. Where no spot market has the strikes' currency there is
 * nothing to bridge the expiries with, and no route; of several the options' venue comes first, then registry order.
 *
 * Neighbouring expiries first, up to three apart.
 */
export const jellyRoll: RouteFamily = {
  id: 'jelly-roll',
  compile: (instruments, options) => firstRoutes(rolls(instruments, options), options),
};

function* rolls(instruments: readonly Instrument[], options: CompileOptions) {
  const markets = spotOf(instruments);
  const series = [...Map.groupBy(boardsOf(instruments, options), (board) => board.series).values()].flatMap(
    (boards) => {
      const spot = spotFor(boards[0]!, markets, options);
      return spot === undefined ? [] : [{ boards, spot }];
    },
  );
  for (let distance = 1; distance <= DISTANCE_MAX; distance += 1) {
    for (const { boards, spot } of series) {
      for (const [near, far] of apart(boards, distance)) {
        for (const [early, late] of sameStrikes(near, far)) {
          yield* bothWays('jelly-roll', roll([early, near], [late, far], spot));
        }
      }
    }
  }
}

function roll(
  [early, near]: readonly [StrikePair, Board],
  [late, far]: readonly [StrikePair, Board],
  spot: Listed,
): SumSpec {
  const { inCoin, start } = near;
  const { strike } = early;
  const [nearCall, farCall] = [sold(early.call), bought(late.call)];
  const coin = inCoin ? inQuote(sold(spot, strike)) : sold(spot);
  const trade = endOf(coin);
  return {
    parts: [nearCall, bought(early.put), farCall, sold(late.put)],
    start,
    terms: {
      certainty: 'locked',
      notional: { amount: inCoin ? 1 : strike },
      payoffs: [...paymentOf(near.expiryMs, inCoin ? -1 : strike), ...paymentOf(far.expiryMs, inCoin ? 1 : -strike)],
      closings: [trade, trade],
      deliveries: [endOf(nearCall), endOf(farCall)],
      bridges: [{ ...trade, side: coin.side, fromMs: near.expiryMs, toMs: far.expiryMs }],
      endsMs: far.expiryMs,
    },
  };
}

function spotFor(board: Board, markets: readonly Listed[], options: CompileOptions): Listed | undefined {
  const fitting = markets.filter(
    ({ instrument: { base, quote } }) => base === board.base && countsAs(quote, options) === board.strikeAsset,
  );
  return fitting.find(({ instrument }) => board.index.startsWith(`${instrument.venue} `)) ?? fitting[0];
}

function sameStrikes(near: Board, far: Board): readonly (readonly [StrikePair, StrikePair])[] {
  const later = new Map(pairsOf(far).map((pair) => [pair.strike, pair]));
  return pairsOf(near).flatMap((pair) => {
    const other = later.get(pair.strike);
    return other === undefined ? [] : [[pair, other] as const];
  });
}
