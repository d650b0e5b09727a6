import { assert } from '#shared/assert.ts';
import type { Tops } from '#shared/domain/capital.ts';
import type { Asset, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Route, RouteLeg, Side } from '#shared/domain/route.ts';
import type { TakerFee } from '#shared/quant/taker-fee.ts';
import { takerFeeOf } from '#shared/quant/taker-fee.ts';
import type { WalkLeg } from './depth-walk.ts';
import { rateAt } from './depth-walk.ts';

/** A leg with everything that sizing asks of it, looked up once. */
export type SizedLeg = WalkLeg & {
  readonly listing: Instrument;
  readonly fee: TakerFee;
  /** What the leg gives. */
  readonly input: Asset;
};

export type SizedRoute = { readonly route: Route; readonly legs: readonly SizedLeg[] };

/** Routes share their legs: there are many routes, and two ways through an instrument. @throws Bug on a sum route: no family makes one yet. */
export function sizedRoutesOf(routes: readonly Route[], instruments: readonly Instrument[]): readonly SizedRoute[] {
  const legs = { buy: new Map<InstrumentIndex, SizedLeg>(), sell: new Map<InstrumentIndex, SizedLeg>() };
  const legOf = ({ instrument, side }: RouteLeg): SizedLeg => {
    const known = legs[side].get(instrument);
    if (known !== undefined) return known;
    const leg = sizedLegOf(instrument, side, instruments);
    legs[side].set(instrument, leg);
    return leg;
  };
  return routes.map((route) => {
    assert(route.evaluator === 'product', `only product routes are sized: ${route.id}`);
    return { route, legs: route.legs.map(legOf) };
  });
}

function sizedLegOf(instrument: InstrumentIndex, side: Side, instruments: readonly Instrument[]): SizedLeg {
  const listing = instruments[instrument];
  assert(listing !== undefined, 'a leg is not in the registry');
  const fee = takerFeeOf(listing, side);
  return {
    instrument,
    side,
    paid: fee.paid.toNumber(),
    kept: fee.kept.toNumber(),
    listing,
    fee,
    input: side === 'buy' ? listing.quote : listing.base,
  };
}

/** Edge at best prices as a fraction; NaN while a leg has no price. */
export function netEdgeAtBest(legs: readonly SizedLeg[], tops: Tops): number {
  let product = 1;
  for (const leg of legs) product *= rateAt(leg, bestPrice(leg, tops));
  return product - 1;
}

/** The same before fees. */
export function grossEdgeAtBest(legs: readonly SizedLeg[], tops: Tops): number {
  let product = 1;
  for (const leg of legs) product *= leg.side === 'buy' ? 1 / bestPrice(leg, tops) : bestPrice(leg, tops);
  return product - 1;
}

export const bestPrice = ({ instrument, side }: SizedLeg, { bid, ask }: Tops): number =>
  side === 'buy' ? ask[instrument]! : bid[instrument]!;

/** The best price of a trade that undoes the leg. */
export const wayBackPrice = ({ instrument, side }: SizedLeg, { bid, ask }: Tops): number =>
  side === 'buy' ? bid[instrument]! : ask[instrument]!;
