import { discountFactor, rateBetween, yearsBetween } from './discount.ts';
import { forwardFromFutures, forwardFromParity } from './forward.ts';
import type { FuturesCurve, Settlement, StrikeQuote } from './forward.ts';

/** All that is quoted on one underlying: its price now, its futures (earliest first) and its options by expiry, in any order. */
export type CurveMarket = FuturesCurve & {
  readonly options: readonly { readonly expiryMs: number; readonly quotes: readonly StrikeQuote[] }[];
  /** Of the options; their premium's currency earns `rate` a year, continuously compounded. */
  readonly settlement: Settlement;
  readonly rate: number;
  /** Strikes that it takes to believe a parity forward. */
  readonly minStrikes: number;
};

export type CurvePoint = {
  readonly expiryMs: number;
  readonly years: number;
  readonly forward: number;
  /** A future of that expiry; put-call parity of its options; or a constant carry between the neighbours that have one of these. */
  readonly source: 'future' | 'parity' | 'interpolated';
  /** The yearly rate from spot to this forward: ln(F/S)/T. */
  readonly carry: number;
  /** The yearly rate from the point before (or from spot) to this one: what a calendar of the two pays. */
  readonly stepCarry: number;
  /** What one unit of the premium's currency paid at this expiry is worth now. */
  readonly discount: number;
};

export type ForwardCurve = {
  /** Earliest first. */
  readonly points: readonly CurvePoint[];
  /** Expiries of options that nothing says a forward of: expired, or later than all that do. */
  readonly missing: readonly number[];
};

/**
 * The forward of every expiry that has a future or options. A future says what can be traded and is taken first, then parity, then a constant carry
 * between neighbours; nothing is guessed beyond the last of them.
 * @see forwardFromFutures, forwardFromParity for the formulas; Hull, ch. 5 (carry) and 18 (parity).
 */
export function forwardCurve(market: CurveMarket): ForwardCurve {
  const { spot, nowMs, rate } = market;
  const nodes = nodesOf(market);
  const curve = { spot, nowMs, futures: nodes };
  const expiries = new Set([...nodes, ...market.options].map(({ expiryMs }) => expiryMs));
  const points: CurvePoint[] = [];
  const missing: number[] = [];
  let before = { expiryMs: nowMs, forward: spot };
  for (const expiryMs of [...expiries].sort((a, b) => a - b)) {
    const found = forwardFromFutures(curve, expiryMs);
    if (found.kind === 'none') {
      missing.push(expiryMs);
      continue;
    }
    const { forward } = found;
    const years = yearsBetween(nowMs, expiryMs);
    points.push({
      expiryMs,
      years,
      forward,
      source: nodes.find((node) => node.expiryMs === expiryMs)?.source ?? 'interpolated',
      carry: rateBetween(spot, forward, years),
      stepCarry: rateBetween(before.forward, forward, yearsBetween(before.expiryMs, expiryMs)),
      discount: discountFactor(rate, years),
    });
    before = { expiryMs, forward };
  }
  return { points, missing };
}

type Node = { readonly expiryMs: number; readonly price: number; readonly source: 'future' | 'parity' };

/** The expiries of which the forward is quoted, one way or the other: earliest first. */
function nodesOf({ nowMs, futures, options, settlement, rate, minStrikes }: CurveMarket): readonly Node[] {
  const nodes: Node[] = futures
    .filter(({ expiryMs }) => expiryMs > nowMs)
    .map(({ expiryMs, price }) => ({ expiryMs, price, source: 'future' }));
  for (const { expiryMs, quotes } of options) {
    if (expiryMs <= nowMs || nodes.some((node) => node.expiryMs === expiryMs)) continue;
    const discount = discountFactor(rate, yearsBetween(nowMs, expiryMs));
    const parity = forwardFromParity(quotes, { discount, settlement, minStrikes });
    if (parity.kind === 'forward') nodes.push({ expiryMs, price: parity.forward, source: 'parity' });
  }
  return nodes.sort((a, b) => a.expiryMs - b.expiryMs);
}
