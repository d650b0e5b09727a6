import type { Instrument } from '#shared/domain/instrument.ts';
import type { Board, CompileOptions, Listed, Part, RouteFamily, SumRoute } from '../route.ts';
import { apart, boardsOf, bought, endOf, firstRoutes, paymentOf, sold, sumRoute } from '../route.ts';

/** Strikes or expiries apart at most. */
const DISTANCE_MAX = 8;

/**
 * What a volatility surface cannot be without giving money away: each route pays at least its bound at every price.
 * - Vertical: a call of the lower strike K₁ is worth at least one of the higher K₂, and at most K₂ − K₁ more; puts mirrored. Paid in coin the lower strike's option
 *   against K₁/K₂ of the higher one's is worth at most 1 − K₁/K₂ more.
 * - Butterfly: a call, and a put, is at most the mean of its neighbours, weighted by their distances.
 * - Calendar: a call is worth at least the same call of an earlier expiry, as at that expiry it is worth at least what it would then pay. That takes interest that is
 *   not negative, so that puts have no such bound.
 *
 * Neighbouring strikes and expiries first, then those two apart, up to eight; butterflies of neighbouring strikes alone.
 * @see P. Carr & D. Madan, "A note on sufficient conditions for no arbitrage", Finance Research Letters 2 (2005) 125–130.
 */
export const surface: RouteFamily = {
  id: 'surface',
  compile: (instruments, options) => firstRoutes(boundRoutes(instruments, options), options),
};

function* boundRoutes(instruments: readonly Instrument[], options: CompileOptions) {
  const boards = boardsOf(instruments, options);
  const ladders = boards.flatMap((board) => RIGHTS.map((right) => ({ board, right, rungs: rungsOf(board, right) })));
  const series = [...Map.groupBy(boards, (board) => board.series).values()];
  for (let distance = 1; distance <= DISTANCE_MAX; distance += 1) {
    for (const { board, right, rungs } of ladders) {
      for (const [low, high] of apart(rungs, distance)) yield* verticals(board, right, low, high);
      if (distance === 1) yield* butterflies(board, rungs);
    }
    for (const chain of series) for (const [near, far] of apart(chain, distance)) yield* calendars(near, far);
  }
}

const RIGHTS = ['call', 'put'] as const;

/** An option of a board, by its strike. */
type Rung = { readonly strike: number; readonly option: Listed };

const rungsOf = ({ rows }: Board, right: 'call' | 'put'): readonly Rung[] =>
  rows.flatMap(({ strike, [right]: option }) => (option === undefined ? [] : [{ strike, option }]));

/** What is worth more never sells for less, nor for more than the difference above it. */
function* verticals(board: Board, right: 'call' | 'put', low: Rung, high: Rung) {
  const share = board.inCoin ? low.strike / high.strike : 1;
  const most = board.inCoin ? 1 - share : high.strike - low.strike;
  const notional = board.inCoin ? 1 : low.strike;
  const [dear, cheap] = right === 'call' ? [low.option, high.option] : [high.option, low.option];
  const shareOf = ({ at }: Listed): number => (at === high.option.at ? share : 1);
  yield bound(board, [bought(dear), sold(cheap)], { notional });
  yield bound(board, [sold(dear, shareOf(dear)), bought(cheap, shareOf(cheap))], { notional, atLeast: -most });
}

function* butterflies(board: Board, rungs: readonly Rung[]) {
  for (const [at, middle] of rungs.entries()) {
    const [low, high] = [rungs[at - 1], rungs[at + 1]];
    if (low === undefined || high === undefined) continue;
    const width = high.strike - low.strike;
    const wings = [
      bought(low.option, (high.strike - middle.strike) / width),
      bought(high.option, (middle.strike - low.strike) / width),
    ];
    yield bound(board, [sold(middle.option), ...wings], { notional: board.inCoin ? 1 : middle.strike });
  }
}

function* calendars(near: Board, far: Board) {
  const later = new Map(rungsOf(far, 'call').map(({ strike, option }) => [strike, option]));
  for (const { strike, option } of rungsOf(near, 'call')) {
    const other = later.get(strike);
    if (other !== undefined) yield bound(near, [bought(other), sold(option)], { notional: near.inCoin ? 1 : strike });
  }
}

/** It ends with the board's expiry: what expires later is closed by trading, everything else may pay. */
function bound(
  { start, expiryMs }: Board,
  parts: readonly Part[],
  { notional, atLeast = 0 }: { readonly notional: number; readonly atLeast?: number },
): SumRoute {
  const settles = ({ instrument }: Part): boolean => instrument.expiryMs === expiryMs;
  return sumRoute('surface', {
    parts,
    start,
    terms: {
      certainty: 'bound',
      notional: { amount: notional },
      payoffs: paymentOf(expiryMs, atLeast),
      closings: parts.filter((part) => !settles(part)).map(endOf),
      deliveries: parts.filter(settles).map(endOf),
      endsMs: expiryMs,
    },
  });
}
