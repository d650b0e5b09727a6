import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { BookStatus } from '#shared/domain/market-event.ts';

/** The books as the watch reads them. */
export type WatchedBooks = {
  readonly depths: { readonly status: (instrument: InstrumentIndex) => BookStatus };
  /** Writes best bid and best ask, believed or not, with their quantities to places 0 and 1; NaN where there is none. */
  readonly best: (instrument: InstrumentIndex, prices: Float64Array, qtys: Float64Array) => void;
};

/** What the watch found. Prices are mids, in the quote asset. */
export type WatchFindings = {
  /** The book has been far from the others for too long; said once. */
  readonly onSuspect: (instrument: InstrumentIndex, mid: number, others: number) => void;
  /** It agrees with the others again. */
  readonly onAgreed: (instrument: InstrumentIndex) => void;
  /** Its best prices stand still where the others have moved away from them. */
  readonly onStuck: (instrument: InstrumentIndex, unchangedMs: number) => void;
};

/** Fewer other venues cannot say who of two is wrong. */
const PEERS_MIN = 2;
/** Times the usual dispersion of the symbol's mids, but never less than `…_MIN` of the price: what an arbitrage may look like is no anomaly. */
const DISPERSIONS_MAX = 8;
const DEPARTURE_MIN = 0.02;
/** Of a book that stands still: any price beyond its best one by so much would have been taken. */
const OVERRUN_MIN = 0.002;
const DEPARTED_MAX_NS = 2e9;
/** Below half of the limit for so long, and the book is believed again. */
const AGREED_MIN_NS = 5e9;
const STANDING_MAX_NS = 10e9;
/** Of what is remembered of a symbol's usual dispersion. */
const HALF_LIFE_NS = 60e9;

/**
 * Compares each symbol's books across venues, on a timer: a venue may keep its sequence and its checksum, and still send a wrong or a frozen price. Between two
 * comparisons it costs the hot path nothing.
 */
export class PriceWatch {
  readonly #groups: readonly Group[];

  constructor(instruments: readonly Instrument[], books: WatchedBooks, findings: WatchFindings) {
    const bySymbol = new Map<string, Instrument[]>();
    const places = new Map(instruments.map((instrument, index) => [instrument, index as InstrumentIndex]));
    for (const instrument of instruments) {
      const listings = bySymbol.get(instrument.symbol) ?? [];
      // One listing a venue: a second one would vote for itself.
      if (listings.some(({ venue }) => venue === instrument.venue)) continue;
      bySymbol.set(instrument.symbol, [...listings, instrument]);
    }
    this.#groups = [...bySymbol.values()]
      .filter((listings) => listings.length > PEERS_MIN)
      .map(
        (listings) =>
          new Group(
            listings.map((listing) => places.get(listing)!),
            books,
            findings,
          ),
      );
  }

  compare(nowNs: TimeNs): void {
    for (const group of this.#groups) group.compare(nowNs);
  }
}

/** One symbol on three venues or more. */
class Group {
  readonly #members: readonly Member[];
  readonly #books: WatchedBooks;
  readonly #findings: WatchFindings;
  readonly #prices = new Float64Array(2);
  readonly #qtys = new Float64Array(2);
  /** Scratch for medians. */
  readonly #sorted: Float64Array;
  /** Usual deviation from the median of all, as a fraction of the price. */
  #dispersion = 0;
  #comparedNs = NaN;

  constructor(indices: readonly InstrumentIndex[], books: WatchedBooks, findings: WatchFindings) {
    this.#members = indices.map(newMember);
    this.#books = books;
    this.#findings = findings;
    this.#sorted = new Float64Array(indices.length);
  }

  compare(nowNs: TimeNs): void {
    let counted = 0;
    for (const member of this.#members) if (this.#read(member, nowNs)) counted += 1;
    if (counted <= PEERS_MIN) {
      for (const member of this.#members) member.departedSinceNs = member.agreedSinceNs = NaN;
      return;
    }
    this.#learn(nowNs);
    for (const member of this.#members) {
      if (Number.isNaN(member.mid)) member.departedSinceNs = member.agreedSinceNs = NaN;
      else this.#judge(member, nowNs);
    }
  }

  /** Takes the book's mid, or NaN where it has no say. */
  #read(member: Member, nowNs: TimeNs): boolean {
    const status = this.#books.depths.status(member.instrument);
    this.#books.best(member.instrument, this.#prices, this.#qtys);
    const [bid, bidQty] = [this.#prices[0]!, this.#qtys[0]!];
    const [ask, askQty] = [this.#prices[1]!, this.#qtys[1]!];
    const moved = bid !== member.bid || ask !== member.ask || bidQty !== member.bidQty || askQty !== member.askQty;
    member.bid = bid;
    member.ask = ask;
    member.bidQty = bidQty;
    member.askQty = askQty;
    member.mid = status === 'live' || status === 'suspect' ? (bid + ask) / 2 : NaN;
    const known = !Number.isNaN(member.mid);
    if (moved || !known) {
      member.changedNs = nowNs;
      member.othersThen = NaN;
    }
    return known;
  }

  #learn(nowNs: TimeNs): void {
    const middle = this.#medianOf(undefined);
    const found = this.#deviationOf(undefined, middle) / middle;
    const share = Number.isNaN(this.#comparedNs) ? 1 : 1 - 0.5 ** ((nowNs - this.#comparedNs) / HALF_LIFE_NS);
    this.#dispersion += (found - this.#dispersion) * share;
    this.#comparedNs = nowNs;
  }

  #judge(member: Member, nowNs: TimeNs): void {
    const others = this.#medianOf(member);
    // Others that disagree among themselves are poor witnesses.
    const usual = DISPERSIONS_MAX * Math.max(this.#dispersion, this.#deviationOf(member, others) / others);
    this.#judgeDeparture(member, others, usual, nowNs);
    this.#judgeStanding(member, others, usual, nowNs);
  }

  #judgeDeparture(member: Member, others: number, usual: number, nowNs: TimeNs): void {
    const limit = Math.max(DEPARTURE_MIN, usual);
    const departure = Math.abs(member.mid / others - 1);
    member.departedSinceNs = departure > limit ? earliest(member.departedSinceNs, nowNs) : NaN;
    member.agreedSinceNs = departure <= limit / 2 ? earliest(member.agreedSinceNs, nowNs) : NaN;
    if (!member.suspect && nowNs - member.departedSinceNs >= DEPARTED_MAX_NS) {
      member.suspect = true;
      this.#findings.onSuspect(member.instrument, member.mid, others);
    } else if (member.suspect && nowNs - member.agreedSinceNs >= AGREED_MIN_NS) {
      member.suspect = false;
      this.#findings.onAgreed(member.instrument);
    }
  }

  #judgeStanding(member: Member, others: number, usual: number, nowNs: TimeNs): void {
    const limit = Math.max(OVERRUN_MIN, usual);
    if (Number.isNaN(member.othersThen)) member.othersThen = others;
    if (nowNs - member.changedNs < STANDING_MAX_NS) return;
    const moved = Math.abs(others / member.othersThen - 1);
    const overrun = Math.max(others / member.ask, member.bid / others) - 1;
    if (moved <= limit || overrun <= limit) return;
    this.#findings.onStuck(member.instrument, (nowNs - member.changedNs) / 1e6);
    member.changedNs = nowNs;
    member.othersThen = others;
  }

  /** The median mid of all members but one. */
  #medianOf(without: Member | undefined): number {
    let count = 0;
    for (const member of this.#members) {
      if (member === without || Number.isNaN(member.mid)) continue;
      this.#sorted[count] = member.mid;
      count += 1;
    }
    return median(this.#sorted, count);
  }

  /** The median deviation from `centre` of all members but one. */
  #deviationOf(without: Member | undefined, centre: number): number {
    let count = 0;
    for (const member of this.#members) {
      if (member === without || Number.isNaN(member.mid)) continue;
      this.#sorted[count] = Math.abs(member.mid - centre);
      count += 1;
    }
    return median(this.#sorted, count);
  }
}

/** One book and what was seen of it. Times are NaN while what they date is not so. */
type Member = {
  readonly instrument: InstrumentIndex;
  bid: number;
  bidQty: number;
  ask: number;
  askQty: number;
  mid: number;
  suspect: boolean;
  departedSinceNs: number;
  agreedSinceNs: number;
  /** Since when best prices and quantities stand still, and where the others stood then. */
  changedNs: number;
  othersThen: number;
};

const newMember = (instrument: InstrumentIndex): Member => ({
  instrument,
  bid: NaN,
  bidQty: NaN,
  ask: NaN,
  askQty: NaN,
  mid: NaN,
  suspect: false,
  departedSinceNs: NaN,
  agreedSinceNs: NaN,
  changedNs: NaN,
  othersThen: NaN,
});

const earliest = (sinceNs: number, nowNs: number): number => (Number.isNaN(sinceNs) ? nowNs : sinceNs);

/** Of the first `count` values, which are put in order. */
function median(values: Float64Array, count: number): number {
  for (let at = 1; at < count; at += 1) {
    const value = values[at]!;
    let to = at;
    for (; to > 0 && values[to - 1]! > value; to -= 1) values[to] = values[to - 1]!;
    values[to] = value;
  }
  return (values[(count - 1) >> 1]! + values[count >> 1]!) / 2;
}
