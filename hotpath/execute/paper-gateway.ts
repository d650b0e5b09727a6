import { Decimal } from 'decimal.js';
import { assert } from '#shared/assert.ts';
import type { Clock } from '#shared/clock/clock.ts';
import type { Depths } from '#shared/domain/capital.ts';
import type {
  ClientOrderId,
  InstrumentId,
  InstrumentIndex,
  TimeNs,
  TradeId,
  VenueOrderId,
} from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { OrderGateway, OrderReport, OrderRequest, RejectReason, Standing } from '#shared/domain/order.ts';
import type { SettledTerms } from '#shared/domain/held.ts';
import { Fifo } from '#shared/fifo.ts';
import { feeOfTrade } from '#shared/money/fee.ts';
import { compare, lesser, minus } from '#shared/money/exact.ts';
import { lotQty, tickAt, ZERO } from '#shared/money/grid.ts';
import { underlyingValue } from '#shared/money/margin.ts';
import { quoteValueOf } from '#shared/money/pnl.ts';
import type { Random } from '#shared/random.ts';
import type { BookSide } from './consumption.ts';
import { Consumption } from './consumption.ts';
import type { Settlement } from './settlement.ts';
import { settlementOf } from './settlement.ts';

export type PaperGatewayOptions = {
  readonly clock: Clock;
  readonly random: Random;
  readonly depths: Depths;
  readonly instrumentOf: (id: InstrumentId) => { readonly instrument: Instrument; readonly index: InstrumentIndex };
  readonly idOf: (index: InstrumentIndex) => InstrumentId;
  readonly onReport: (report: OrderReport) => void;
  /** Mean and greatest deviation of one way to the venue; the answer takes the same way back. */
  readonly latencyMs: number;
  readonly latencyJitterMs: number;
  /** Share of a displayed level that our orders may take. */
  readonly displayedFraction: number;
  /** What an option's fee is a fraction of, in the currency of its premium; the strike, or one coin, where nobody says. */
  readonly underlyingOf?: (instrument: Instrument) => Decimal;
  /** What an expired contract settles at: the price of its underlying. Undefined while nobody says. */
  readonly settlementPriceOf?: (terms: SettledTerms) => number | undefined;
  /** What orders that take are judged by later; without it they trade with the book that they meet. */
  readonly evidence?: Evidence;
};

/** Watches from an order's arrival on what of the levels within its limit could be had. */
export type Evidence = {
  /** So long does it watch. */
  readonly windowMs: number;
  /** `takenOf`: what our orders have taken of a level already. Undefined where there are too many. */
  readonly open: (request: OrderRequest, instrument: InstrumentIndex, takenOf: TakenOf) => Witness | undefined;
};
export type TakenOf = (level: { readonly price: number; readonly displayed: number }) => Decimal;
export type Witness = {
  /** Ends it. Best first. */
  readonly judged: () => readonly Offer[];
  readonly took: (price: number, qty: Decimal) => void;
  /** Ends it without a judgement. */
  readonly close: () => void;
};
/** What may be taken of a level, and what is displayed there now. */
export type Offer = { readonly price: number; readonly qty: Decimal; readonly displayed: number };

/** A report before the gateway has put its name and time on it. */
type Answer = OrderReport extends infer Report
  ? Report extends OrderReport
    ? Omit<Report, 'clientOrderId' | 'receivedTimeNs'>
    : never
  : never;

type PaperOrder = {
  request: OrderRequest;
  readonly venueOrderId: VenueOrderId;
  leaves: Decimal;
  state: 'resting' | 'ended';
  /** Everything the venue has said of it, and how much of that is on its way already. */
  readonly answers: Answer[];
  answered: number;
  /** When the last of it arrives: what is said later does not arrive before. */
  heardNs: number;
};

const NOT_OPEN = { reason: 'not-allowed', text: 'the order is over' } as const;
const NOBODY_SAYS = { underlyingOf: () => undefined };
const LEVELS_MAX = 256;
/** Orders remembered once they are over. */
const ENDED_MAX = 10_000;

/**
 * A venue on paper: orders arrive after a latency and trade against the live book as it is then, at most a share of each displayed
 * level less what our earlier orders have taken of it. Same clock, same random, same books: same fills.
 */
export class PaperGateway implements OrderGateway {
  /**
   * The books as they would be had our paper orders been real: every level less what is not ours to take. Whoever decides on paper decides on
   * these, or it would find the same liquidity again and again.
   */
  readonly depths: Depths;
  readonly #options: PaperGatewayOptions;
  readonly #consumption = new Consumption();
  readonly #prices = new Float64Array(LEVELS_MAX);
  readonly #qtys = new Float64Array(LEVELS_MAX);
  readonly #lots = new Map<InstrumentIndex, number>();
  readonly #orders = new Map<ClientOrderId, PaperOrder>();
  readonly #resting = new Map<InstrumentId, Set<PaperOrder>>();
  readonly #ended = new Fifo<ClientOrderId>(ENDED_MAX);

  constructor(options: PaperGatewayOptions) {
    this.#options = options;
    const { depths } = options;
    this.depths = {
      ...depths,
      bids: (index, prices, qtys) =>
        this.#leave(index, 'bid', { count: depths.bids(index, prices, qtys), prices, qtys }),
      asks: (index, prices, qtys) =>
        this.#leave(index, 'ask', { count: depths.asks(index, prices, qtys), prices, qtys }),
    };
  }

  readonly submit: OrderGateway['submit'] = (orders) => {
    for (const order of orders) this.#travel(() => this.#arrive(order));
  };

  readonly cancel: OrderGateway['cancel'] = (id) => {
    this.#travel(() => {
      const order = this.#orders.get(id);
      if (order?.state !== 'resting') return;
      this.#end(order, { kind: 'canceled' });
      this.#deliver(order);
    });
  };

  readonly replace: OrderGateway['replace'] = (id, to) => {
    this.#travel(() => {
      const order = this.#orders.get(id);
      if (order !== undefined) this.#replace(order, to);
    });
    return true;
  };

  readonly probe: OrderGateway['probe'] = (id) => {
    const askedTimeNs = this.#options.clock.now();
    this.#travel(() => {
      const order = this.#orders.get(id);
      this.#answer(id, order === undefined ? [{ kind: 'not-found' }] : retold(order, askedTimeNs));
    });
  };

  /** Fills what rests on an instrument when its book has crossed the price. Told after each change of a book. */
  readonly onBook = (instrument: InstrumentId): void => {
    if (this.#resting.size === 0) return;
    for (const order of this.#resting.get(instrument) ?? []) {
      this.#match(order, 'maker');
      this.#deliver(order);
    }
  };

  /** Closes a position in what has expired, as its venue would; undefined while the price is not known. */
  readonly settle = (terms: SettledTerms, size: Decimal): Settlement | undefined => {
    const price = this.#options.settlementPriceOf?.(terms);
    return price === undefined || !(price > 0) ? undefined : settlementOf(terms, size, new Decimal(price));
  };

  /** Reduces levels in place to what we may still take of them; returns how many are left. */
  #leave(
    index: InstrumentIndex,
    side: BookSide,
    { count, prices, qtys }: { readonly count: number; readonly prices: Float64Array; readonly qtys: Float64Array },
  ): number {
    const id = this.#options.idOf(index);
    const isTouched = this.#consumption.isTouched(id, side);
    const lot = this.#lotOf(index);
    let left = 0;
    for (let at = 0; at < count; at += 1) {
      const level = { price: prices[at]!, displayed: qtys[at]! };
      const taken = isTouched ? this.#consumption.takenOf(id, side, level).toNumber() : 0;
      const free = level.displayed * this.#options.displayedFraction - taken;
      // Less than a lot of a level is not to be had.
      if (free < lot) continue;
      prices[left] = level.price;
      qtys[left] = free;
      left += 1;
    }
    return left;
  }

  /** A little less than a lot, for what doubles leave of it. */
  #lotOf(index: InstrumentIndex): number {
    let lot = this.#lots.get(index);
    if (lot === undefined) {
      const { idOf, instrumentOf } = this.#options;
      lot = instrumentOf(idOf(index)).instrument.lot.toNumber() * (1 - 1e-9);
      this.#lots.set(index, lot);
    }
    return lot;
  }

  #travel(task: () => void): void {
    this.#options.clock.after(this.#oneWayMs(), task);
  }

  #oneWayMs(): number {
    const { random, latencyMs, latencyJitterMs } = this.#options;
    return Math.max(0, latencyMs + latencyJitterMs * (2 * random.next() - 1));
  }

  #arrive(request: OrderRequest): void {
    assert(!this.#orders.has(request.clientOrderId), 'a client order id is used twice');
    const refused = this.#refusal(request);
    if (refused !== undefined) {
      this.#answer(request.clientOrderId, [{ kind: 'rejected', ...refused }]);
      return;
    }
    const venueOrderId = `paper-${request.clientOrderId}` as VenueOrderId;
    const order: PaperOrder = {
      request,
      venueOrderId,
      leaves: request.qty,
      state: 'resting',
      answers: [],
      answered: 0,
      heardNs: 0,
    };
    this.#orders.set(request.clientOrderId, order);
    order.answers.push({ kind: 'accepted', venueOrderId });
    const { evidence } = this.#options;
    if (evidence === undefined) {
      const isKilled = request.timeInForce === 'FOK' && this.#takeable(request).lt(request.qty);
      if (!isKilled) this.#match(order, 'taker');
      this.#settle(order);
    } else {
      this.#deliver(order);
      // Its market data takes the way that an answer takes: then we see what it met.
      this.#travel(() => this.#watch(order, evidence));
    }
  }

  /** In place: what is not filled yet stands at another price, or is more or less. */
  #replace(order: PaperOrder, to: Standing): void {
    const { request } = order;
    const filled = request.qty.minus(order.leaves);
    const isResting = this.#resting.get(request.instrument)?.has(order) === true;
    const refused = !isResting || to.qty.lte(filled) ? NOT_OPEN : this.#refusal({ ...request, ...to });
    if (refused === undefined) {
      order.request = { ...request, ...to };
      order.leaves = to.qty.minus(filled);
      order.answers.push({ kind: 'accepted', venueOrderId: order.venueOrderId, standing: to });
      this.#match(order, 'taker');
    } else order.answers.push({ kind: 'kept', to, ...refused });
    this.#deliver(order);
  }

  /** What has not traded at once rests or is over. */
  #settle(order: PaperOrder): void {
    const { request } = order;
    if (order.state === 'resting') {
      if (request.timeInForce === 'GTC' && request.type === 'limit') this.#rest(order);
      else this.#end(order, { kind: 'expired' });
    }
    this.#deliver(order);
  }

  #watch(order: PaperOrder, { open, windowMs }: Evidence): void {
    const { request } = order;
    const { index } = this.#options.instrumentOf(request.instrument);
    const side = sideTaken(request);
    const witness = open(request, index, (level) => this.#consumption.takenOf(request.instrument, side, level));
    this.#options.clock.after(windowMs, () => {
      if (order.state === 'ended') witness?.close();
      else this.#judge(order, witness);
    });
  }

  #judge(order: PaperOrder, witness: Witness | undefined): void {
    const { request } = order;
    const side = sideTaken(request);
    const { lot } = this.#options.instrumentOf(request.instrument).instrument;
    const offers = (witness?.judged() ?? []).map((offer) => ({ ...offer, qty: lotQty(offer.qty, lot) }));
    const total = offers.reduce<Decimal>((sum, { qty }) => sum.plus(qty), ZERO);
    const isKilled = request.timeInForce === 'FOK' && total.lt(request.qty);
    for (const { price, qty: free, displayed } of isKilled ? [] : offers) {
      const qty = lesser(free, order.leaves);
      if (compare(qty, ZERO) <= 0) continue;
      this.#consumption.take(request.instrument, side, { price, displayed, qty });
      witness?.took(price, qty);
      this.#fill(order, new Decimal(price), qty, 'taker');
    }
    this.#settle(order);
  }

  #refusal(request: OrderRequest): { reason: RejectReason; text: string } | undefined {
    const { instrument: id, price, qty } = request;
    const { instrument, index } = this.#options.instrumentOf(id);
    if (this.#options.depths.status(index) !== 'live') return { reason: 'venue-down', text: 'book is not live' };
    if (!qty.mod(instrument.lot).isZero() || !price.mod(tickAt(instrument, price)).isZero()) {
      return { reason: 'invalid-order', text: 'price or quantity is off the grid' };
    }
    const tooSmall =
      compare(qty, instrument.minQty) < 0 || compare(quoteValueOf(instrument, qty, price), instrument.minNotional) < 0;
    if (tooSmall) return { reason: 'below-minimum', text: 'below the smallest order' };
    // Whatever is displayed counts, and not only our share of it.
    const wouldTake = request.postOnly === true && this.#levels(request) > 0;
    return wouldTake ? { reason: 'would-take', text: 'post-only, and it would trade at once' } : undefined;
  }

  /** Takes what the book offers within the limit. An order that rests is the maker of its fills: they happen at its price. */
  #match(order: PaperOrder, liquidity: 'maker' | 'taker'): void {
    const { request } = order;
    const { index } = this.#options.instrumentOf(request.instrument);
    if (this.#options.depths.status(index) !== 'live') return;
    const count = this.#levels(request);
    for (let at = 0; at < count && compare(order.leaves, ZERO) > 0; at += 1) {
      const free = this.#freeOf(request, at);
      const qty = lesser(free, order.leaves);
      if (compare(qty, ZERO) <= 0) continue;
      const level = { price: this.#prices[at]!, displayed: this.#qtys[at]!, qty };
      this.#consumption.take(request.instrument, sideTaken(request), level);
      this.#fill(order, liquidity === 'taker' ? new Decimal(this.#prices[at]!) : request.price, qty, liquidity);
    }
  }

  #takeable(request: OrderRequest): Decimal {
    let total: Decimal = ZERO;
    const count = this.#levels(request);
    for (let at = 0; at < count; at += 1) total = total.plus(this.#freeOf(request, at));
    return total;
  }

  /** Reads the other side of the book; returns how many levels are within the limit. */
  #levels(request: OrderRequest): number {
    const { depths, instrumentOf } = this.#options;
    const { index } = instrumentOf(request.instrument);
    const buys = request.side === 'buy';
    const read = buys ? depths.asks : depths.bids;
    const count = read(index, this.#prices, this.#qtys);
    const limit = request.price.toNumber();
    let within = 0;
    while (within < count && (buys ? this.#prices[within]! <= limit : this.#prices[within]! >= limit)) within += 1;
    return within;
  }

  /** What is left for us of a level, on the lot grid. */
  #freeOf(request: OrderRequest, at: number): Decimal {
    const { instrument } = this.#options.instrumentOf(request.instrument);
    const displayed = this.#qtys[at]!;
    const level = { price: this.#prices[at]!, displayed };
    const taken = this.#consumption.takenOf(request.instrument, sideTaken(request), level);
    const free = new Decimal(displayed).times(this.#options.displayedFraction).minus(taken);
    return free.lte(0) ? ZERO : free.div(instrument.lot).floor().times(instrument.lot);
  }

  #fill(order: PaperOrder, price: Decimal, qty: Decimal, liquidity: 'maker' | 'taker'): void {
    const { request } = order;
    const { instrument } = this.#options.instrumentOf(request.instrument);
    order.leaves = minus(order.leaves, qty);
    const underlying = this.#options.underlyingOf?.(instrument) ?? underlyingValue(instrument, NOBODY_SAYS);
    const rate = instrument.fees[liquidity];
    const charged = feeOfTrade(instrument, { side: request.side, price, qty, rate, underlying });
    order.answers.push({
      kind: 'fill',
      fill: {
        tradeId: `${request.clientOrderId}-${order.answers.length}` as TradeId,
        clientOrderId: request.clientOrderId,
        instrument: request.instrument,
        side: request.side,
        price,
        qty,
        ...charged,
        liquidity,
      },
    });
    if (order.leaves.isZero()) this.#unrest(order);
  }

  #rest(order: PaperOrder): void {
    const { instrument } = order.request;
    const resting = this.#resting.get(instrument);
    if (resting === undefined) this.#resting.set(instrument, new Set([order]));
    else resting.add(order);
  }

  #unrest(order: PaperOrder): void {
    order.state = 'ended';
    const { instrument, clientOrderId } = order.request;
    const resting = this.#resting.get(instrument);
    resting?.delete(order);
    if (resting?.size === 0) this.#resting.delete(instrument);
    const oldest = this.#ended.push(clientOrderId);
    if (oldest !== undefined) this.#orders.delete(oldest);
  }

  #end(order: PaperOrder, answer: Answer): void {
    this.#unrest(order);
    order.answers.push(answer);
  }

  /** Sends what is new about an order: reports of one order do not overtake each other. */
  #deliver(order: PaperOrder): void {
    const news = order.answers.slice(order.answered);
    if (news.length === 0) return;
    order.answered = order.answers.length;
    const { clock } = this.#options;
    order.heardNs = Math.max(order.heardNs, clock.now() + this.#oneWayMs() * 1e6);
    clock.after((order.heardNs - clock.now()) / 1e6, () => this.#report(order.request.clientOrderId, news));
  }

  #answer(clientOrderId: ClientOrderId, answers: readonly Answer[]): void {
    this.#travel(() => this.#report(clientOrderId, answers));
  }

  #report(clientOrderId: ClientOrderId, answers: readonly Answer[]): void {
    const receivedTimeNs = this.#options.clock.now();
    for (const answer of answers) this.#options.onReport({ clientOrderId, receivedTimeNs, ...answer });
  }
}

const sideTaken = ({ side }: OrderRequest): BookSide => (side === 'buy' ? 'ask' : 'bid');

/** What a venue says when it is asked about an order: its fills, then its state. */
function retold({ answers, state, venueOrderId, request }: PaperOrder, askedTimeNs: TimeNs): Answer[] {
  const fills = answers.filter(({ kind }) => kind === 'fill');
  const last = answers.findLast(({ kind }) => kind === 'canceled' || kind === 'expired');
  if (last !== undefined) return [...fills, last];
  if (state !== 'resting') return fills;
  const standing = { price: request.price, qty: request.qty };
  return [...fills, { kind: 'accepted', venueOrderId, standing, askedTimeNs }];
}
