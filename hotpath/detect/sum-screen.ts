import type { References, Tops } from '#shared/domain/capital.ts';
import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Route, SumRoute } from '#shared/domain/route.ts';
import type { CarryMarket, CarrySettings } from '#shared/quant/carry.ts';
import { carryOf, notionalPerUnit, underlyingOf } from '#shared/quant/carry.ts';
import { cashPerUnit, unitValue } from '#shared/quant/leg-value.ts';
import type { BestRoutes } from './best-routes.ts';
import type { PriceLimits } from './price-limits.ts';
import { PRICE_LIMITS, SUM_LIMITS } from './price-limits.ts';
import type { SumTables } from './sum-tables.ts';
import { sumTables } from './sum-tables.ts';

/** What sum routes are reckoned with beside the books. */
export type CarrySource = {
  readonly references: References;
  readonly settings: CarrySettings;
  readonly unixMs: (at: TimeNs) => number;
};

export type SumScreenOptions = {
  readonly tops: Tops;
  /** As a fraction. */
  readonly minEdge: number;
  /** Without it no carry is known, and no sum route pays. */
  readonly carry: CarrySource | undefined;
  readonly best: BestRoutes;
  readonly limits: PriceLimits;
};

/**
 * Let through below the threshold. Carry is some hundred milliseconds old: what of it follows the price (closing, funding, margin) is a few
 * thousandths of the notional, and prices move a few ten-thousandths meanwhile. Sizing reckons anew.
 */
const CARRY_SLACK = 2e-6;
/** The scan adds in another order than the edge does: what lies this close is settled by the edge. */
const ROUNDING = 1e-9;
/** Routes reckoned anew a call at most, less than 0.1 ms; half of them those whose instruments are news, the others in turn. */
const REFRESHED_MAX = 64;
/** Of the distance of a place from paying, to each leg beside what falls to it by its value: fractions of the whole value. */
const EVEN_SHARE = 1 / 16;
/** An option's underlying that has moved less is no news: its fee and margin are a small share of it. */
const UNDERLYING_MOVE = 1e-4;

/**
 * Screens sum routes: net per unit = Σ ratio × cash of a leg at best prices + carry, beside its least edge × notional; docs/net-edge.md.
 *
 * Prices move little and most routes are far from paying, so each side of an instrument has a *limit*, a price: while it is not passed, no route through that
 * side pays, whatever the others do within theirs. With the *ceiling* of a value (its worth at the limit of its side, or at the price of now where that is beyond),
 * every place whose sides have limits keeps to: fixed + Σ ratio × ceiling ≤ 0. A price beyond its limit is screened, and its limit set anew: as far as the ceilings
 * of the others leave it; where they leave too little, the distance of the place from paying is shared out anew among its legs, from the prices of now.
 * Only what passes its own limit moves it away, and a ceiling rises in no other way, so that the rule holds after every change.
 *
 * Carry changes slowly and is reckoned in bounded slices; a place that breaks the rule then is shared out anew. What is NaN anywhere never passes.
 * Allocates nothing after construction but in `refresh`.
 */
export class SumScreen {
  readonly #options: SumScreenOptions;
  readonly #bid: Float64Array;
  readonly #ask: Float64Array;
  readonly #instruments: readonly Instrument[];
  readonly #said: Pick<CarryMarket, 'instruments' | 'references'> | undefined;
  readonly #tables: SumTables;
  readonly #threshold: number;
  readonly #limits: PriceLimits;
  /** By value. */
  readonly #ceilings: Float64Array;
  /** By value: its worth when last asked. */
  readonly #worths: Float64Array;
  /** By instrument: what an option's fee is a fraction of, as little as it may become until it is news; 0 elsewhere. */
  readonly #underlyings: Float64Array;
  /** By instrument: whether all of its values were known when last asked. */
  readonly #isKnown: Uint8Array;
  /** By place: carry less the hurdle of a fixed notional. */
  readonly #fixed: Float64Array;
  readonly #carries: Float64Array;
  /** What `#share` leaves: fixed + Σ ratio × ceiling of the other legs. */
  readonly #others = new Float64Array(1);
  /** By place: the call of `refresh` that last reckoned it. */
  readonly #refreshed: Uint32Array;
  /** Instruments that are news, oldest first, from `#newsHead`. */
  readonly #news: Int32Array;
  readonly #isNews: Uint8Array;
  /** What was last heard of each instrument: its funding rate, time and interval, and an option's underlying. */
  readonly #heard: Float64Array;
  #newsHead = 0;
  #newsCount = 0;
  /** Where the news of one instrument is being told, from `#telling` to before `#tellingEnd` in `placesOfCarry`. */
  #telling = 0;
  #tellingEnd = 0;
  #next = 0;
  #refreshes = 0;
  /** Changes of one side that were screened in full, since the start. */
  screened = 0;

  constructor(instruments: readonly Instrument[], routes: readonly Route[], options: SumScreenOptions) {
    this.#options = options;
    this.#bid = options.tops.bid;
    this.#ask = options.tops.ask;
    this.#instruments = instruments;
    this.#said = options.carry && { instruments, references: options.carry.references };
    this.#threshold = options.minEdge - CARRY_SLACK;
    this.#tables = sumTables(instruments, routes, this.#threshold - ROUNDING);
    const places = this.#tables.routes.length;
    const values = this.#tables.values.count;
    this.#limits = options.limits;
    this.#ceilings = new Float64Array(values).fill(Infinity);
    this.#worths = new Float64Array(values).fill(NaN);
    this.#underlyings = new Float64Array(instruments.length);
    this.#isKnown = new Uint8Array(instruments.length);
    this.#carries = new Float64Array(places).fill(NaN);
    this.#fixed = new Float64Array(places).fill(NaN);
    this.#refreshed = new Uint32Array(places);
    this.#news = new Int32Array(instruments.length);
    this.#isNews = new Uint8Array(instruments.length);
    this.#heard = new Float64Array(4 * instruments.length).fill(NaN);
    for (let at = 0; at < instruments.length; at += 1) this.#lookAnew(at);
    this.screened = 0;
  }

  get count(): number {
    return this.#tables.routes.length;
  }

  /** Adds the routes of a changed instrument that pay. */
  screen(instrument: InstrumentIndex): void {
    const buy = 2 * instrument;
    const sell = buy + 1;
    const isBuyWithin = this.#ask[instrument]! >= this.#limits[limitPlaceOf(buy)]!;
    const isSellWithin = this.#bid[instrument]! <= this.#limits[limitPlaceOf(sell)]!;
    if (isBuyWithin && isSellWithin) return;
    this.#look(instrument);
    if (!isBuyWithin) this.#bound(buy, true);
    if (!isSellWithin) this.#bound(sell, true);
  }

  /** Adds those routes of a slice that pay now: also those that began to because their carry became known or changed. */
  refresh(nowNs: TimeNs): void {
    const { carry, tops } = this.#options;
    if (carry === undefined) return;
    const market: CarryMarket = {
      instruments: this.#instruments,
      tops,
      references: carry.references,
      nowMs: carry.unixMs(nowNs),
    };
    this.#refreshes += 1;
    let left = REFRESHED_MAX;
    for (; left > REFRESHED_MAX / 2; left -= 1) {
      const place = this.#nextOfNews();
      if (place < 0) break;
      this.#refreshPlace(place, market, carry.settings);
    }
    for (left = Math.min(left, this.count); left > 0; left -= 1) {
      this.#refreshPlace(this.#next, market, carry.settings);
      this.#next = (this.#next + 1) % this.count;
    }
  }

  /** A venue has said something of the instrument: its routes come first in the next slices, where it matters to them. */
  noteReference(instrument: InstrumentIndex): void {
    const { carry } = this.#options;
    const { starts } = this.#tables.placesOfCarry;
    if (carry === undefined || starts[instrument] === starts[instrument + 1]) return;
    const { fundingRate, nextFundingTimeMs, fundingIntervalMs } = carry.references;
    const at = 4 * instrument;
    const isRate = this.#hears(at, fundingRate[instrument]!, 0);
    const isTime = this.#hears(at + 1, nextFundingTimeMs[instrument]!, 0);
    const isInterval = this.#hears(at + 2, fundingIntervalMs[instrument]!, 0);
    const isOption = this.#instruments[instrument]!.kind === 'option';
    const isUnderlying = isOption && this.#hears(at + 3, this.#underlyingOf(instrument), UNDERLYING_MOVE);
    if (isUnderlying) this.#lookAnew(instrument);
    if (isRate || isTime || isInterval || isUnderlying) this.#tellNews(instrument);
  }

  /** Whether this was not known, or differs from what was known by more than a share of it; then it is known. */
  #hears(at: number, value: number, share: number): boolean {
    const known = this.#heard[at]!;
    if (Number.isNaN(value) || value === known || Math.abs(value - known) <= share * Math.abs(known)) return false;
    this.#heard[at] = value;
    return true;
  }

  /** At best prices after taker fees and carry, the latter as last reckoned; NaN while anything is unknown. */
  netEdge(route: number): number {
    const place = this.#tables.placeOfRoute[route]!;
    const sum = this.#tables.routes[place]!;
    return (this.#cash(place, sum) + this.#carries[place]!) / notionalPerUnit(sum, this.#options.tops);
  }

  /** At best prices with the sure payoffs, before fees and every other cost. */
  grossEdge(route: number): number {
    const { tops } = this.#options;
    const sum = this.#tables.routes[this.#tables.placeOfRoute[route]!]!;
    let net = 0;
    for (const { instrument, side, unit, ratio } of sum.legs) {
      const value = ratio * unitValue(unit, (side === 'buy' ? tops.ask : tops.bid)[instrument]!);
      // Buying what is counted in quote brings it.
      net += (side === 'buy') === (unit === 'quote') ? value : -value;
    }
    for (const { amount } of sum.terms.payoffs) net += amount;
    return net / notionalPerUnit(sum, tops);
  }

  #lookAnew(instrument: number): void {
    this.#look(instrument);
    this.#bound(2 * instrument, false);
    this.#bound(2 * instrument + 1, false);
  }

  /** An instrument whose first price comes makes carry known. */
  #look(instrument: number): void {
    const { tops } = this.#options;
    const isBuyUsed = this.#isUsed(2 * instrument);
    const isSellUsed = this.#isUsed(2 * instrument + 1);
    if (!isBuyUsed && !isSellUsed) return;
    let known = (isBuyUsed ? tops.ask[instrument]! : 0) + (isSellUsed ? tops.bid[instrument]! : 0);
    if (this.#instruments[instrument]!.kind === 'option') {
      const underlying = this.#underlyingOf(instrument as InstrumentIndex) * (1 - 3 * UNDERLYING_MOVE);
      this.#underlyings[instrument] = underlying;
      known += underlying;
    }
    const isKnown = Number.isNaN(known) ? 0 : 1;
    if (isKnown > this.#isKnown[instrument]!) this.#tellNews(instrument);
    this.#isKnown[instrument] = isKnown;
  }

  #isUsed(slot: number): boolean {
    const { starts } = this.#tables.valuesOfSlot;
    return starts[slot] !== starts[slot + 1];
  }

  #underlyingOf(instrument: InstrumentIndex): number {
    return this.#said === undefined ? NaN : underlyingOf(instrument, this.#said);
  }

  /** Looks at every place that has the slot, and finds the slot its limit. */
  #bound(slot: number, isSaid: boolean): void {
    const { starts, items } = this.#tables.valuesOfSlot;
    const end = starts[slot + 1]!;
    const price = this.#priceOf(slot);
    this.screened += 1;
    let limit = unlimited(slot);
    for (let at = starts[slot]!; at < end; at += 1) {
      const value = items[at]!;
      const worth = this.#worthAt(value, price);
      this.#worths[value] = worth;
      const most = Number.isNaN(worth) ? NaN : this.#mostOf(value, isSaid);
      // NaN stays.
      const reached = worth <= most ? this.#priceAt(value, most) : NaN;
      limit = (slot & 1) === 0 ? Math.max(limit, reached) : Math.min(limit, reached);
    }
    this.#limits[limitPlaceOf(slot)] = limit;
    for (let at = starts[slot]!; at < end; at += 1) this.#setCeiling(items[at]!, limit);
  }

  /** What a value may become with nothing paying, the others being at their ceilings. Less than it is where something pays. */
  #mostOf(value: number, isSaid: boolean): number {
    const { placesOfValue, legs, ratios } = this.#tables;
    const worth = this.#worths[value]!;
    const ceilings = this.#ceilings;
    const last = placesOfValue.starts[value + 1]!;
    let most = Infinity;
    for (let row = placesOfValue.starts[value]!; row < last; row += 1) {
      const place = placesOfValue.items[row]!;
      const end = legs.starts[place + 1]!;
      let others = this.#fixed[place]!;
      // Until its carry is known it does not pay, and then it is shared out.
      if (Number.isNaN(others)) continue;
      let ratio = 0;
      for (let at = legs.starts[place]!; at < end; at += 1) {
        const leg = legs.items[at]!;
        if (leg === value) ratio = ratios[at]!;
        else others += ratios[at]! * ceilings[leg]!;
      }
      if (!(others + ratio * worth <= 0)) {
        this.#share(place, value, isSaid);
        others = this.#others[0]!;
      }
      if (others + ratio * most > 0) most = -others / ratio;
    }
    return most;
  }

  /**
   * A place from the prices of now. Where it may pay, its edge is asked, and every change of its legs is screened from then on;
   * else each leg but one may rise by its part of the distance, in proportion to its share of the value, and takes no more.
   */
  #share(place: number, but: number, isSaid: boolean): void {
    const { legs, ratios } = this.#tables;
    const first = legs.starts[place]!;
    const end = legs.starts[place + 1]!;
    const worths = this.#worths;
    const fixed = this.#fixed[place]!;
    let net = fixed;
    let gross = 0;
    for (let at = first; at < end; at += 1) {
      const leg = legs.items[at]!;
      const worth = this.#worthAt(leg, this.#priceOf(this.#tables.values.slots[leg]!));
      worths[leg] = worth;
      net += ratios[at]! * worth;
      gross += ratios[at]! * Math.abs(worth);
    }
    if (net > 0 && isSaid) this.#collect(place);
    const rise = net > 0 ? NaN : -net / (gross * (1 + EVEN_SHARE * (end - first)));
    let others = fixed;
    for (let at = first; at < end; at += 1) {
      const leg = legs.items[at]!;
      const ratio = ratios[at]!;
      if (leg === but) continue;
      this.#lower(leg, worths[leg]! + (rise * (ratio * Math.abs(worths[leg]!) + EVEN_SHARE * gross)) / ratio);
      others += ratio * this.#ceilings[leg]!;
    }
    this.#others[0] = Number.isNaN(net) ? -Infinity : others;
  }

  /** Lets a value become no more than this, unless it may not even now. NaN: every change is screened. */
  #lower(value: number, most: number): void {
    if (this.#ceilings[value]! <= most) return;
    const slot = this.#tables.values.slots[value]!;
    const price = this.#priceAt(value, most);
    const at = limitPlaceOf(slot);
    const limit = this.#limits[at]!;
    this.#limits[at] = (slot & 1) === 0 ? Math.max(limit, price) : Math.min(limit, price);
    this.#setCeiling(value, this.#limits[at]);
  }

  #setCeiling(value: number, limit: number): void {
    const worth = this.#worths[value]!;
    const highest = this.#worthAt(value, limit);
    // What is unknown makes nothing pay, and is screened when it becomes known.
    this.#ceilings[value] = Number.isNaN(worth) ? -Infinity : highest > worth ? highest : worth;
  }

  #priceOf(slot: number): number {
    return (slot & 1) === 0 ? this.#ask[slot >> 1]! : this.#bid[slot >> 1]!;
  }

  /** At least what a leg is worth: an option's underlying is taken as low as it may be. */
  #worthAt(value: number, price: number): number {
    const { isPerPrice, slopes, cappedSlopes, feeRates, slots } = this.#tables.values;
    const slope = slopes[value]!;
    if (isPerPrice[value] === 1) return slope / price;
    const fee = feeRates[value]! * this.#underlyings[slots[value]! >> 1]!;
    return Math.max(slope * price - fee, cappedSlopes[value]! * price);
  }

  /** The price at which a leg is worth so much. */
  #priceAt(value: number, worth: number): number {
    const { isPerPrice, slopes, cappedSlopes, feeRates, slots } = this.#tables.values;
    const slope = slopes[value]!;
    const capped = cappedSlopes[value]!;
    const slot = slots[value]!;
    const isBuy = (slot & 1) === 0;
    if (isPerPrice[value] === 1) {
      // Sold, it is worth less than nothing, and bought, more.
      if (isBuy) return slope / worth;
      return worth >= 0 ? Infinity : slope / worth;
    }
    const price = (worth + feeRates[value]! * this.#underlyings[slot >> 1]!) / slope;
    if (isBuy) return Math.max(price, worth / capped);
    return capped > 0 ? Math.min(price, worth / capped) : price;
  }

  /** Pays at the prices of now. */
  #collect(place: number): void {
    const route = this.#tables.indices[place]!;
    const edge = this.netEdge(route);
    if (edge > this.#threshold) this.#options.best.add(route, edge);
  }

  #cash(place: number, { legs }: SumRoute): number {
    const { tops } = this.#options;
    const { values, legs: rows } = this.#tables;
    const first = rows.starts[place]!;
    let cash = 0;
    for (let at = 0; at < legs.length; at += 1) {
      const leg = legs[at]!;
      const fee = values.fees[rows.items[first + at]!]!;
      const price = (leg.side === 'buy' ? tops.ask : tops.bid)[leg.instrument]!;
      const underlying = fee.kind === 'option' ? this.#underlyingOf(leg.instrument) : 0;
      cash += leg.ratio * cashPerUnit(leg, fee, price, underlying);
    }
    return cash;
  }

  /** Once a call: a place may be news of two instruments, and have its turn besides. */
  #refreshPlace(place: number, market: CarryMarket, settings: CarrySettings): void {
    if (this.#refreshed[place] === this.#refreshes) return;
    this.#refreshed[place] = this.#refreshes;
    const carry = carryOf(this.#tables.routes[place]!, market, settings).net;
    this.#carries[place] = carry;
    this.#fixed[place] = carry - this.#tables.hurdles[place]!;
    if (this.#isBroken(place)) this.#share(place, -1, true);
  }

  /** Whether a place might pay with all of its legs at their ceilings. */
  #isBroken(place: number): boolean {
    const { legs, ratios } = this.#tables;
    const end = legs.starts[place + 1]!;
    let most = this.#fixed[place]!;
    if (Number.isNaN(most)) return false;
    for (let at = legs.starts[place]!; at < end; at += 1) most += ratios[at]! * this.#ceilings[legs.items[at]!]!;
    return !(most <= 0);
  }

  #tellNews(instrument: number): void {
    if (this.#isNews[instrument] === 1) return;
    this.#isNews[instrument] = 1;
    this.#news[(this.#newsHead + this.#newsCount) % this.#news.length] = instrument;
    this.#newsCount += 1;
  }

  /** The next place of an instrument that is news; −1 when there is none. What becomes news again meanwhile comes last. */
  #nextOfNews(): number {
    const { starts, items } = this.#tables.placesOfCarry;
    while (this.#telling === this.#tellingEnd) {
      if (this.#newsCount === 0) return -1;
      const instrument = this.#news[this.#newsHead]!;
      this.#newsHead = (this.#newsHead + 1) % this.#news.length;
      this.#newsCount -= 1;
      this.#isNews[instrument] = 0;
      this.#telling = starts[instrument]!;
      this.#tellingEnd = starts[instrument + 1]!;
    }
    this.#telling += 1;
    return items[this.#telling - 1]!;
  }
}

/** Where a slot's limit stands. */
const limitPlaceOf = (slot: number): number => PRICE_LIMITS * (slot >> 1) + SUM_LIMITS + (slot & 1);

const unlimited = (slot: number): number => ((slot & 1) === 0 ? 0 : Infinity);
