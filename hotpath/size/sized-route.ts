import { assert } from '#shared/assert.ts';
import type { Tops } from '#shared/domain/capital.ts';
import type { Asset, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { ProductRoute, RouteLeg, Side } from '#shared/domain/route.ts';
import type { TakerFee } from '#shared/quant/taker-fee.ts';
import { takerFeeOf } from '#shared/quant/taker-fee.ts';
import type { WalkLeg } from './depth-walk.ts';
import { rateAt } from './depth-walk.ts';

/** A leg with everything that sizing asks of it, looked up once. */
export type ProductLeg = WalkLeg & {
  readonly listing: Instrument;
  readonly fee: TakerFee;
  /** What the leg gives. */
  readonly input: Asset;
};

export type SizedProduct = { readonly route: ProductRoute; readonly legs: readonly ProductLeg[] };

/** Legs of product routes, made when they are first asked for and shared: there are many routes, and two ways through an instrument. */
export class ProductLegs {
  readonly #instruments: readonly Instrument[];
  readonly #legs = { buy: new Map<InstrumentIndex, ProductLeg>(), sell: new Map<InstrumentIndex, ProductLeg>() };

  constructor(instruments: readonly Instrument[]) {
    this.#instruments = instruments;
  }

  readonly of = ({ instrument, side }: RouteLeg): ProductLeg => {
    const known = this.#legs[side].get(instrument);
    if (known !== undefined) return known;
    const leg = productLegOf(instrument, side, this.#instruments);
    this.#legs[side].set(instrument, leg);
    return leg;
  };
}

function productLegOf(instrument: InstrumentIndex, side: Side, instruments: readonly Instrument[]): ProductLeg {
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
export function netEdgeAtBest(legs: readonly ProductLeg[], tops: Tops): number {
  let product = 1;
  for (const leg of legs) product *= rateAt(leg, bestPrice(leg, tops));
  return product - 1;
}

/** The same before fees. */
export function grossEdgeAtBest(legs: readonly ProductLeg[], tops: Tops): number {
  let product = 1;
  for (const leg of legs) product *= leg.side === 'buy' ? 1 / bestPrice(leg, tops) : bestPrice(leg, tops);
  return product - 1;
}

export const bestPrice = ({ instrument, side }: ProductLeg, { bid, ask }: Tops): number =>
  side === 'buy' ? ask[instrument]! : bid[instrument]!;

/** The best price of a trade that undoes the leg. */
export const wayBackPrice = ({ instrument, side }: ProductLeg, { bid, ask }: Tops): number =>
  side === 'buy' ? bid[instrument]! : ask[instrument]!;
