import type { RebalancingProblem, Step } from '#shared/portfolio/rebalancing.ts';

/**
 * A second opinion on rebalancing: plain numbers, no program. `money` of BTC/USDT at one venue `a`, and chains for BTC from `a` to `b` and for USDT from `b` to `a`.
 */
export type Small = {
  readonly available: Readonly<Record<Place, number>>;
  readonly projected: Readonly<Record<Place, number>>;
  readonly low: Readonly<Record<Place, number>>;
  readonly high: Readonly<Record<Place, number>>;
  /** [price, qty], best first. */
  readonly bids: readonly (readonly [number, number])[];
  readonly asks: readonly (readonly [number, number])[];
  readonly takerFee: number;
  readonly feeIn: 'received' | 'quote';
  readonly minNotional: number;
  readonly routes: Readonly<Record<'BTC' | 'USDT', Chain>>;
  readonly worth: number;
};
export type Place = 'a:BTC' | 'a:USDT' | 'b:BTC' | 'b:USDT';
export type Chain = {
  readonly fee: number;
  readonly min: number;
  readonly minutes: number;
  readonly isSuspended: boolean;
};

/** Buys are above zero, sales below. */
export type Moves = {
  readonly now: number;
  readonly btc: number;
  readonly usdt: number;
  readonly later: number;
};

export const MARK = 60_000;
const CAPITAL_RATE = 0.15;
const LATER = 1e-5;
const SLACK = 1e-6;
export const PLACES: readonly Place[] = ['a:BTC', 'a:USDT', 'b:BTC', 'b:USDT'];
export const markOf = (place: Place): number => (place.endsWith('BTC') ? MARK : 1);

/** Cost and worth of the drift that is left; undefined for what cannot be done. */
export function judged(small: Small, moves: Moves): { readonly cost: number; readonly left: number } | undefined {
  const free = { ...small.available };
  const held = { ...small.projected };
  const taken = { buy: 0, sell: 0 };
  const waiting = ({ minutes }: Chain, value: number): number => (CAPITAL_RATE * minutes * value) / 525_600;
  let cost = 0;

  const move = (place: Place, by: number): boolean => {
    held[place] += by;
    if (by > 0) return true;
    free[place] += by;
    return free[place] >= -SLACK / markOf(place) - Math.abs(by) * 1e-9;
  };
  const trade = (signed: number, later = 0): boolean => {
    if (signed === 0) return true;
    const side = signed > 0 ? 'buy' : 'sell';
    const walk = walked(small, side, taken[side], Math.abs(signed));
    if (walk === undefined || walk.notional < small.minNotional * (1 - 1e-9)) return false;
    taken[side] += Math.abs(signed);
    const fee = walk.notional * small.takerFee;
    cost += walk.lost + fee + later * walk.notional;
    if (side === 'sell') {
      const isDone = move('a:BTC', signed);
      return move('a:USDT', walk.notional - fee) && isDone;
    }
    const isDone = move('a:USDT', -walk.notional - (small.feeIn === 'quote' ? fee : 0));
    return move('a:BTC', signed * (small.feeIn === 'quote' ? 1 : 1 - small.takerFee)) && isDone;
  };
  const send = (asset: 'BTC' | 'USDT', from: Place, to: Place, amount: number): boolean => {
    if (amount === 0) return true;
    const chain = small.routes[asset];
    if (chain.isSuspended || amount < chain.min * (1 - 1e-9) || amount <= chain.fee) return false;
    cost += chain.fee * markOf(from) + waiting(chain, amount * markOf(from));
    const isDone = move(from, -amount);
    return move(to, amount - chain.fee) && isDone;
  };

  if (!trade(moves.now)) return undefined;
  arrive(free, held, small);
  // What arrives with the transfers is there afterwards only.
  const before = { ...free };
  if (!send('BTC', 'a:BTC', 'b:BTC', moves.btc)) return undefined;
  if (!send('USDT', 'b:USDT', 'a:USDT', moves.usdt)) return undefined;
  if (PLACES.some((place) => free[place] > before[place])) return undefined;
  arrive(free, held, small);
  if (!trade(moves.later, LATER)) return undefined;
  return {
    cost,
    left: small.worth * PLACES.reduce((sum, place) => sum + beyond(small, place, held[place]) * markOf(place), 0),
  };
}

/** What has come in since can be spent: all that moved, on top of what was there. */
function arrive(free: Record<Place, number>, held: Record<Place, number>, small: Small): void {
  for (const place of PLACES) free[place] = small.available[place] + held[place] - small.projected[place];
}

export function beyond({ low, high }: Small, place: Place, amount: number): number {
  return Math.max(0, low[place] - amount, amount - high[place]);
}

function walked(
  { bids, asks }: Small,
  side: 'buy' | 'sell',
  taken: number,
  qty: number,
): { readonly notional: number; readonly lost: number } | undefined {
  const mid = (bids[0]![0] + asks[0]![0]) / 2;
  let [skip, left, notional, lost] = [taken, qty, 0, 0];
  for (const [price, displayed] of side === 'buy' ? asks : bids) {
    const there = Math.max(0, displayed - skip);
    skip = Math.max(0, skip - displayed);
    const size = Math.min(left, there);
    notional += size * price;
    lost += size * Math.abs(price - mid);
    left -= size;
    if (left <= 1e-12) return { notional, lost };
  }
  return undefined;
}

/** The best of all moves whose amounts are the ones at which anything changes: bounds, funds, minimums, levels. */
export function bruteForce(small: Small): number {
  let best = Infinity;
  const { now, btc, usdt, later } = candidates(small);
  for (const first of now) {
    for (const sentBtc of btc) {
      for (const sentUsdt of usdt) {
        for (const last of later) {
          const outcome = judged(small, { now: first, btc: sentBtc, usdt: sentUsdt, later: last });
          if (outcome !== undefined) best = Math.min(best, outcome.cost + outcome.left);
        }
      }
    }
  }
  return best;
}

function candidates(small: Small): Readonly<Record<keyof Moves, readonly number[]>> {
  const gap = (place: Place): number => beyond(small, place, small.projected[place]);
  const { takerFee, minNotional, routes } = small;
  const qtys = [
    gap('a:BTC'),
    gap('b:BTC'),
    gap('a:BTC') / (1 - takerFee),
    (gap('b:BTC') + routes.BTC.fee) / (1 - takerFee),
    gap('a:USDT') / MARK,
    gap('b:USDT') / MARK,
    (minNotional / MARK) * 1.01,
    small.available['a:BTC'],
    (small.available['a:USDT'] / MARK) * 0.98,
  ].filter((qty) => qty > 0);
  const trades = [0, ...new Set(qtys)].flatMap((qty) => (qty === 0 ? [0] : [qty, -qty]));
  const sent = (from: Place, to: Place, chain: Chain): number[] => [
    ...new Set([0, chain.min, gap(from), gap(to), gap(to) + chain.fee, small.available[from]]),
  ];
  return {
    now: trades,
    later: trades,
    btc: sent('a:BTC', 'b:BTC', routes.BTC),
    usdt: sent('b:USDT', 'a:USDT', routes.USDT),
  };
}

/** A plan's steps as moves. */
export function movesOf(steps: readonly Step[]): Moves {
  const moves = { now: 0, btc: 0, usdt: 0, later: 0 };
  for (const step of steps) {
    if (step.kind === 'transfer') moves[step.asset === 'BTC' ? 'btc' : 'usdt'] += Number(step.amount);
    else moves[step.phase === 0 ? 'now' : 'later'] += Number(step.qty) * (step.side === 'buy' ? 1 : -1);
  }
  return moves;
}

export const RATES: Pick<RebalancingProblem, 'capitalRate' | 'depthShare'> = {
  capitalRate: CAPITAL_RATE,
  depthShare: 1,
};
