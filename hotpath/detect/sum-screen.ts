import type { References, Tops } from '#shared/domain/capital.ts';
import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Route, SumRoute } from '#shared/domain/route.ts';
import type { CarryMarket, CarrySettings } from '#shared/quant/carry.ts';
import { carryOf, notionalPerUnit, underlyingOf } from '#shared/quant/carry.ts';
import { cashPerUnit, unitValue } from '#shared/quant/leg-value.ts';
import type { BestRoutes } from './best-routes.ts';
import type { SumTables, Value } from './sum-tables.ts';
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
/** An option's underlying that has moved less is no news: its fee and margin are a small share of it. */
const UNDERLYING_MOVE = 1e-4;

/**
 * Screens sum routes: net per unit = Σ ratio × cash of a leg at best prices + carry, beside its least edge × notional; docs/net-edge.md. A changed hub scans
 * contiguous arrays; the change of another leg sums up the few routes that it is in. Carry changes slowly and is reckoned in
 * bounded slices. What is NaN anywhere never passes. Allocates nothing after construction but in `refresh`.
 */
export class SumScreen {
  readonly #options: SumScreenOptions;
  readonly #instruments: readonly Instrument[];
  readonly #said: Pick<CarryMarket, 'instruments' | 'references'> | undefined;
  readonly #tables: SumTables;
  readonly #threshold: number;
  /** By value; NaN while there is no price. */
  readonly #values: Float64Array;
  /** By place: carry less the hurdle of a fixed notional, and that with the worth of all legs but the hub. */
  readonly #fixed: Float64Array;
  readonly #rests: Float64Array;
  readonly #carries: Float64Array;
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

  constructor(instruments: readonly Instrument[], routes: readonly Route[], options: SumScreenOptions) {
    this.#options = options;
    this.#instruments = instruments;
    this.#said = options.carry && { instruments, references: options.carry.references };
    this.#threshold = options.minEdge - CARRY_SLACK;
    this.#tables = sumTables(instruments, routes, this.#threshold - ROUNDING);
    const places = this.#tables.routes.length;
    this.#values = new Float64Array(this.#tables.values.length).fill(NaN);
    this.#carries = new Float64Array(places).fill(NaN);
    this.#fixed = new Float64Array(places).fill(NaN);
    this.#rests = new Float64Array(places).fill(NaN);
    this.#refreshed = new Uint32Array(places);
    this.#news = new Int32Array(instruments.length);
    this.#isNews = new Uint8Array(instruments.length);
    this.#heard = new Float64Array(4 * instruments.length).fill(NaN);
    for (let at = 0; at < instruments.length; at += 1) this.#reprice(at);
  }

  get count(): number {
    return this.#tables.routes.length;
  }

  /** Adds the routes of a changed instrument that pay. */
  screen(instrument: InstrumentIndex): void {
    const { starts, items } = this.#tables.valuesOfInstrument;
    const end = starts[instrument + 1]!;
    if (starts[instrument] === end) return;
    this.#reprice(instrument);
    this.#screenOthers(instrument);
    for (let at = starts[instrument]!; at < end; at += 1) this.#screenHub(items[at]!);
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
    if (isUnderlying) this.#reprice(instrument);
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

  /** An instrument whose first price comes makes carry known. */
  #reprice(instrument: number): void {
    const { values, valuesOfInstrument } = this.#tables;
    const end = valuesOfInstrument.starts[instrument + 1]!;
    let before = 0;
    let after = 0;
    for (let at = valuesOfInstrument.starts[instrument]!; at < end; at += 1) {
      const number = valuesOfInstrument.items[at]!;
      before += this.#values[number]!;
      this.#values[number] = this.#valueOf(values[number]!);
      after += this.#values[number];
    }
    if (Number.isNaN(before) && !Number.isNaN(after)) this.#tellNews(instrument);
  }

  #valueOf({ instrument, leg, fee, hurdle }: Value): number {
    const { tops } = this.#options;
    const price = (leg.side === 'buy' ? tops.ask : tops.bid)[instrument]!;
    const underlying = fee.kind === 'option' ? this.#underlyingOf(instrument) : 0;
    const cash = cashPerUnit(leg, fee, price, underlying);
    return hurdle === 0 ? cash : cash - hurdle * unitValue(leg.unit, price);
  }

  #underlyingOf(instrument: InstrumentIndex): number {
    return this.#said === undefined ? NaN : underlyingOf(instrument, this.#said);
  }

  #screenHub(value: number): void {
    const worth = this.#values[value]!;
    const rests = this.#rests;
    const { placesOfHub, hubRatios } = this.#tables;
    const end = placesOfHub[value + 1]!;
    for (let place = placesOfHub[value]!; place < end; place += 1) {
      if (rests[place]! + hubRatios[place]! * worth > 0) this.#collect(place);
    }
  }

  #screenOthers(instrument: number): void {
    const { starts, items } = this.#tables.placesOfOther;
    const end = starts[instrument + 1]!;
    for (let at = starts[instrument]!; at < end; at += 1) this.#sumUp(items[at]!);
  }

  /** The worth of all legs but the hub, anew: added up each time, so that nothing drifts and what was unknown can become known. */
  #sumUp(place: number): void {
    const { others, otherRatios, hubs, hubRatios } = this.#tables;
    const end = others.starts[place + 1]!;
    let rest = this.#fixed[place]!;
    for (let at = others.starts[place]!; at < end; at += 1) rest += otherRatios[at]! * this.#values[others.items[at]!]!;
    this.#rests[place] = rest;
    if (rest + hubRatios[place]! * this.#values[hubs[place]!]! > 0) this.#collect(place);
  }

  /** Pays at the prices of now: a book that died since its last change has none. */
  #collect(place: number): void {
    const route = this.#tables.indices[place]!;
    const edge = this.netEdge(route);
    if (edge > this.#threshold) this.#options.best.add(route, edge);
  }

  #cash(place: number, { legs }: SumRoute): number {
    const { tops } = this.#options;
    const { values, hubs, others } = this.#tables;
    let other = others.starts[place]!;
    let cash = 0;
    for (const leg of legs) {
      const hub = values[hubs[place]!]!;
      const { fee } = hub.instrument === leg.instrument ? hub : values[others.items[other++]!]!;
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
    this.#sumUp(place);
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
