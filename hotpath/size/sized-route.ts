import { assert } from '#shared/assert.ts';
import type { Tops } from '#shared/domain/capital.ts';
import type { Asset, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { ProductRoute, RouteLeg, Side } from '#shared/domain/route.ts';
import type { TakerFee } from '#shared/quant/taker-fee.ts';
import { takerFeeOf } from '#shared/quant/taker-fee.ts';
import type { WalkLeg } from './depth-walk.ts';
import { rateAt } from './depth-walk.ts';
import type { SizeSources } from './sizing.ts';
import { feesNow, paysInToken } from './sizing.ts';

/** A leg with everything that sizing asks of it, looked up once. */
export type ProductLeg = WalkLeg & {
  readonly listing: Instrument;
  readonly fee: TakerFee;
  /** What the leg gives. */
  readonly input: Asset;
};

export type SizedProduct = {
  readonly route: ProductRoute;
  readonly legs: readonly ProductLeg[];
  /** What it costs to bring back to each venue what was taken from it, as a fraction of what goes in. */
  readonly transfer: number;
};

/** Two ways through an instrument, and two ways to pay the fee. */
type Ways = Readonly<Record<Side, Map<InstrumentIndex, ProductLeg>>>;
const ways = (): Ways => ({ buy: new Map(), sell: new Map() });

/** Legs of product routes, made when they are first asked for and shared: there are many routes, and few ways through an instrument. */
export class ProductLegs {
  readonly #instruments: readonly Instrument[];
  readonly #legs = ways();
  /** Of venues whose token is short. */
  readonly #undiscounted = ways();

  constructor(instruments: readonly Instrument[]) {
    this.#instruments = instruments;
  }

  of({ instrument, side }: RouteLeg, sources: Pick<SizeSources, 'capital' | 'engine'>): ProductLeg {
    const listing = this.#instruments[instrument];
    assert(listing !== undefined, 'a leg is not in the registry');
    const isShort = listing.fees.token !== undefined && !paysInToken(listing, sources);
    const legs = (isShort ? this.#undiscounted : this.#legs)[side];
    const known = legs.get(instrument);
    if (known !== undefined) return known;
    const leg = productLegOf(instrument, side, { ...listing, fees: feesNow(listing, sources) });
    legs.set(instrument, leg);
    return leg;
  }
}

function productLegOf(instrument: InstrumentIndex, side: Side, listing: Instrument): ProductLeg {
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
export function netEdgeAtBest({ legs, transfer }: SizedProduct, tops: Tops): number {
  let product = 1;
  for (const leg of legs) product *= rateAt(leg, bestPrice(leg, tops));
  return product - 1 - transfer;
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
