import { BadInput } from '#shared/assert.ts';
import type { Asset, InstrumentIndex, RouteId } from '#shared/domain/ids.ts';
import type { RouteLeg, SumRoute, Terms } from '#shared/domain/route.ts';
import { inversePayoff } from '#shared/quant/inverse.ts';
import { countsAs, mayStart } from '../detect/route.ts';
import type { AssetRules, Synthetic, SyntheticLeg } from './synthetic.ts';

const FAMILY = 'synthetic';
/** Sizing walks no more books at once. */
const LEGS_MAX = 6;
/** Of the greatest worth of a leg: decimals of ratios and strikes are no doubles. */
const TOLERANCE = 1e-9;

/**
 * The two routes between every synthetic and what it replicates: the one bought, the other sold. That it replicates it is not taken on trust: at every price of every
 * coin, what both come to at the end must differ by one sum, which is the routes' payoff.
 * @throws BadInput naming the synthetic where it differs by more than that, has too many legs, or is priced in no start asset.
 */
export function syntheticRoutes(synthetics: readonly Synthetic[], options: AssetRules): readonly SumRoute[] {
  return synthetics.flatMap((synthetic) => {
    const { name, quote, legs, against } = synthetic;
    if (against === undefined) return [];
    const flat = merged([...legs, ...against.legs.map((leg) => ({ ...leg, ratio: -leg.ratio }))]);
    const refuse = (reason: string): BadInput => new BadInput(`synthetics.${name}: against ${against.name}: ${reason}`);
    if (flat.length < 2 || flat.length > LEGS_MAX) throw refuse(`2 to ${LEGS_MAX} different legs make a route`);
    const combo = flat.find(({ instrument }) => instrument.kind === 'combo');
    if (combo !== undefined)
      throw refuse(`${combo.instrument.id} is a combo, whose price says neither its fee nor its margin`);
    const start = countsAs(quote, options);
    if (!mayStart(start, options)) throw refuse(`${start} is no start asset`);
    const endsMs = endOf(flat);
    const later = flat.find(({ instrument: { kind, expiryMs } }) => kind === 'option' && expiryMs !== endsMs);
    if (later !== undefined)
      throw refuse(`${later.instrument.id} outlasts the others, and nobody knows its worth then`);
    const payoff = sureWorth(flat);
    if (payoff === undefined) throw refuse('they do not come to the same at every price');
    const terms = termsOf(flat, endsMs, payoff);
    return [
      routeOf(`${name}>${against.name}`, flat, start, terms),
      routeOf(`${against.name}>${name}`, reversed(flat), start, {
        ...terms,
        payoffs: terms.payoffs.map(({ atMs, amount }) => ({ atMs, amount: -amount })),
      }),
    ];
  });
}

const reversed = (legs: readonly SyntheticLeg[]): readonly SyntheticLeg[] =>
  legs.map((leg) => ({ ...leg, ratio: -leg.ratio }));

/** One leg an instrument; what cancels out is gone. */
function merged(legs: readonly SyntheticLeg[]): readonly SyntheticLeg[] {
  const byInstrument = new Map<InstrumentIndex, SyntheticLeg>();
  for (const leg of legs) {
    const before = byInstrument.get(leg.at);
    byInstrument.set(leg.at, before === undefined ? leg : { ...leg, ratio: before.ratio + leg.ratio });
  }
  return [...byInstrument.values()].filter(({ ratio }) => ratio !== 0);
}

function endOf(legs: readonly SyntheticLeg[]): number | undefined {
  const expiries = legs.flatMap(({ instrument: { expiryMs } }) => expiryMs ?? []);
  return expiries.length === 0 ? undefined : Math.min(...expiries);
}

/**
 * What the legs come to at the end if that is one sum whatever the prices; undefined otherwise. Between two strikes the worth of a leg is a + b·S (paid in coin:
 * a + b/S), so that it is constant everywhere if it is the same at every strike and at one price beyond either end.
 */
function sureWorth(legs: readonly SyntheticLeg[]): number | undefined {
  let sum = 0;
  for (const ofCoin of Map.groupBy(legs, ({ instrument }) => instrument.base).values()) {
    const strikes = ofCoin.flatMap(({ instrument: { strike } }) => strike?.toNumber() ?? []);
    const [low, high] = strikes.length === 0 ? [1, 1] : [Math.min(...strikes), Math.max(...strikes)];
    const terms = [low / 2, ...strikes, high * 2].map((price) => ofCoin.map((leg) => leg.ratio * worthOf(leg, price)));
    const worths = terms.map((each) => each.reduce((worth, term) => worth + term, 0));
    const most = Math.max(...terms.flat().map(Math.abs));
    const [first] = worths as [number];
    if (worths.some((worth) => !(Math.abs(worth - first) <= TOLERANCE * most))) return undefined;
    sum += first;
  }
  return Math.abs(sum) <= TOLERANCE ? 0 : sum;
}

/** Of one unit at a settlement price, or at that price of the market. */
function worthOf({ instrument: { kind, base, quote, strike, right } }: SyntheticLeg, price: number): number {
  if (kind !== 'option') return price;
  const exercise = strike!.toNumber();
  if (base === quote) return inversePayoff(right!, exercise, price);
  return Math.max(0, right === 'call' ? price - exercise : exercise - price);
}

function termsOf(legs: readonly SyntheticLeg[], endsMs: number | undefined, payoff: number): Terms {
  const settles = ({ instrument: { expiryMs } }: SyntheticLeg): boolean =>
    expiryMs !== undefined && expiryMs === endsMs;
  const ends = (ending: readonly SyntheticLeg[]): Terms['closings'] =>
    ending.map(({ at, ratio }) => ({ instrument: at, ratio: Math.abs(ratio) }));
  const indices = new Set(legs.filter(settles).map(({ instrument: { venue, quote } }) => `${venue} ${quote}`));
  const isLocked = indices.size === 1 && legs.every((leg) => settles(leg) || leg.instrument.kind === 'spot');
  return {
    certainty: isLocked ? 'locked' : 'converging',
    notional: notionalOf(legs),
    payoffs: payoff === 0 || endsMs === undefined ? [] : [{ atMs: endsMs, amount: payoff }],
    closings: ends(legs.filter((leg) => !settles(leg))),
    deliveries: ends(legs.filter((leg) => settles(leg) && !isOtherOfPair(leg, legs))),
    endsMs,
  };
}

/** Of a call and a put of one strike one pays: the call stands for both. */
const isOtherOfPair = ({ instrument: put, ratio }: SyntheticLeg, legs: readonly SyntheticLeg[]): boolean =>
  put.right === 'put' &&
  legs.some(
    ({ instrument: call, ratio: calls }) =>
      call.right === 'call' &&
      call.venue === put.venue &&
      call.base === put.base &&
      call.strike?.eq(put.strike!) === true &&
      Math.abs(calls) >= Math.abs(ratio),
  );

/** The value of the first leg that is no option; else the lowest strike, or a coin where premiums are paid in coin. */
function notionalOf(legs: readonly SyntheticLeg[]): Terms['notional'] {
  const leg = legs.findIndex(({ instrument: { kind } }) => kind !== 'option');
  if (leg >= 0) return { leg };
  const isInCoin = legs.every(({ instrument: { base, quote } }) => base === quote);
  return { amount: isInCoin ? 1 : Math.min(...legs.map(({ instrument: { strike } }) => strike!.toNumber())) };
}

const routeOf = (name: string, legs: readonly SyntheticLeg[], start: Asset, terms: Terms): SumRoute => ({
  id: `${FAMILY}:${name}` as RouteId,
  family: FAMILY,
  evaluator: 'sum',
  legs: legs.map(({ at, ratio }): RouteLeg => ({
    instrument: at,
    side: ratio > 0 ? 'buy' : 'sell',
    ratio: Math.abs(ratio),
  })),
  start,
  terms,
});
