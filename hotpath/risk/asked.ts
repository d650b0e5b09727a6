import { assert } from '#shared/assert.ts';
import type { Asset, InstrumentId, TimeNs, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Plan, PlanLeg } from '#shared/domain/trade.ts';
import { sentLegs } from '#shared/domain/trade.ts';
import { doubleOf } from '#shared/money/double.ts';
import { hasPremium } from '#shared/money/pnl.ts';

/** One leg as the checks ask about it. */
export type AskedLeg = {
  leg: PlanLeg;
  listing: Instrument;
  id: InstrumentId;
  venue: VenueId;
  base: Asset;
  qty: number;
  /** Its limit. */
  price: number;
  /** Its value, that of what underlies an option; in the numeraire. */
  usd: number;
  /** How much worse than expected its limit is; 0 where it is no worse. */
  slippageBps: number;
};

/** What the sources of the gate see of it. */
export type AskedPlan = Pick<Asked, 'plan' | 'legs' | 'count'>;

/** A plan in numbers. The same places are filled for every plan: what the gate approves leaves nothing behind. */
export class Asked {
  nowNs: TimeNs = 0 as TimeNs;
  /** Of `legs`, these are the plan's. */
  count = 0;
  totalUsd = 0;
  readonly legs: AskedLeg[] = [];
  readonly #listings: ReadonlyMap<InstrumentId, Instrument>;
  #plan: Plan | undefined;

  constructor(listings: ReadonlyMap<InstrumentId, Instrument>) {
    this.#listings = listings;
  }

  get plan(): Plan {
    assert(this.#plan !== undefined, 'an order is asked about what only plans have');
    return this.#plan;
  }

  take(plan: Plan, nowNs: TimeNs): void {
    this.#plan = plan;
    this.nowNs = nowNs;
    this.#fill(sentLegs(plan.legs), plan.rates);
  }

  /** An order by itself. */
  takeOrder(leg: PlanLeg, rates: Plan['rates'], nowNs: TimeNs): void {
    this.#plan = undefined;
    this.nowNs = nowNs;
    this.#fill([leg], rates);
  }

  #fill(legs: readonly PlanLeg[], rates: Plan['rates']): void {
    this.count = legs.length;
    this.totalUsd = 0;
    for (let at = 0; at < legs.length; at += 1) {
      const leg = legs[at]!;
      const listing = this.#listings.get(leg.instrument);
      assert(listing !== undefined, `a plan trades what is not in the registry: ${leg.instrument}`);
      const usd = notionalOf(leg, listing, rates);
      this.totalUsd += usd;
      this.#put(at, leg, listing, usd);
    }
  }

  #put(at: number, leg: PlanLeg, listing: Instrument, usd: number): void {
    const { id, venue, base } = listing;
    const qty = doubleOf(leg.qty);
    const price = doubleOf(leg.price);
    const slippageBps = slippageOf(leg.side, price, doubleOf(leg.expectedPrice));
    const place = this.legs[at];
    if (place === undefined) {
      this.legs.push({ leg, listing, id, venue, base, qty, price, usd, slippageBps });
      return;
    }
    place.leg = leg;
    place.listing = listing;
    place.id = id;
    place.venue = venue;
    place.base = base;
    place.qty = qty;
    place.price = price;
    place.usd = usd;
    place.slippageBps = slippageBps;
  }
}

/** An option counts as what underlies it, whatever its premium. */
function notionalOf(
  { qty, notional }: PlanLeg,
  { kind, base, contractSize }: Instrument,
  rates: Plan['rates'],
): number {
  const rate = hasPremium(kind) ? rates[base] : undefined;
  if (rate === undefined) return doubleOf(notional);
  return doubleOf(qty) * doubleOf(contractSize) * doubleOf(rate);
}

function slippageOf(side: PlanLeg['side'], price: number, expected: number): number {
  const worse = side === 'buy' ? price - expected : expected - price;
  // The premium of an option may be nothing at all.
  return worse <= 0 ? 0 : (worse / Math.abs(expected)) * 1e4;
}
