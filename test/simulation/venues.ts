import { Decimal } from 'decimal.js';
import { assert } from '#shared/assert.ts';
import type { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { ForcedFill } from '#shared/domain/held.ts';
import type { Asset, ClientOrderId, TimeNs, TradeId, VenueOrderId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Fill, OrderReport, OrderRequest, RejectReason, Standing } from '#shared/domain/order.ts';
import type { Random } from '#shared/random.ts';
import type { Weather } from './faults.ts';
import { FEE_TOKEN, instrumentOf, PRICES } from './listings.ts';
import type { Market } from './market.ts';
import type { Profile } from './profiles.ts';
import { Tally } from './tally.ts';

/** A report without what is added when it is told. */
export type Word = OrderReport extends infer Report
  ? Report extends OrderReport
    ? Omit<Report, 'clientOrderId' | 'receivedTimeNs'>
    : never
  : never;

/** An order as it is, whatever anybody was told. */
export type VenueOrder = {
  /** As it stands. */
  request: OrderRequest;
  readonly instrument: Instrument;
  readonly sentMs: number;
  /** `lost`: it never arrives. */
  state: 'travelling' | 'lost' | 'refused' | 'live' | 'ended';
  readonly fills: Fill[];
  /** Last word; a full order has none. */
  end: Word | undefined;
  /** Questions find it from then on. */
  foundFromMs: number;
  /** Whether a last word was told: then no fill may get lost any more. */
  isEndTold: boolean;
  /** When that was, and when a fill was last told. */
  endToldMs: number | undefined;
  fillToldMs: number | undefined;
  /** A word of it was lost: those that follow are too, until somebody asks. */
  isMuted: boolean;
  /** Answers to questions asked late enough that it does not exist, since anything else was said. */
  denials: number;
  /** It was denied often enough to be taken for absent. */
  wasDenied: boolean;
  /** It came when it had been given up. */
  isRisen: boolean;
  /** Somebody was told that there is such an order. */
  isSeen: boolean;
  /** The last question about it was not answered, or not wholly. */
  isUnanswered: boolean;
};

type VenueState = {
  readonly profile: Profile;
  downUntilMs: number;
  bannedUntilMs: number;
  unreadUntilMs: number;
  booksAwayUntilMs: number;
  hasDrifted: boolean;
};

/** Who asks a question: nobody else hears the answer. */
export type Asker = { readonly isAlive: boolean; readonly hear: (report: OrderReport) => void };

export type VenuesOptions = {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly weather: Weather;
  readonly market: Market;
  readonly profiles: readonly Profile[];
  /** Whoever is there to hear, or who has asked; false when nobody is. */
  readonly hear: (report: OrderReport, asker: Asker | undefined) => boolean;
  readonly onFill: (fill: Fill, order: VenueOrder) => void;
  /** A venue has traded of a position by itself; `isTold`: it will say so without being asked. */
  readonly onForced: (fill: ForcedFill, isTold: boolean) => void;
  /** An order for which the account has no money. */
  readonly onPoor: (order: VenueOrder) => void;
  /** An order trades with another one of ours. */
  readonly onMet: (order: VenueOrder, met: VenueOrder) => void;
  readonly tell: (text: () => string) => void;
};

/** No order is on its way for longer, unless that is the fault. */
export const TRAVEL_MS_MAX = 300;
/** Nor is it unlisted for longer, unless an order is lost in a queue: then it may rise when nobody counts on it. */
const SLOW_MS = 1_800;
/** So long after it was sent an answer that it does not exist means something. */
const CERTAIN_MS = 2_000;
const LATE_MS = 20_000;
const REFUSALS: readonly RejectReason[] = [
  'venue-down',
  'price-out-of-band',
  'not-allowed',
  'invalid-order',
  'unlisted',
];
const FILLS_MAX = 3;
const FORCES = [
  ['deleveraged', 'adl'],
  ['liquidated', 'liquidation'],
] as const;
/** So often an order must not be found before it is none. */
const DENIALS = 2;
const NONE = new Decimal(0);

/** All venues of an episode: their orders, their accounts, and what they tell of them. Reports, never throws: the contract of an order gateway. */
export class Venues {
  readonly orders = new Map<ClientOrderId, VenueOrder>();
  readonly truth = new Tally();
  /** Deposits and withdrawals that nobody told the engine of. */
  readonly drift = new Tally();
  /** What venues have traded of our positions by themselves. */
  readonly forced: ForcedFill[] = [];
  /** An order may arrive after the engine was twice told that there is none: then more may be at stake than was reserved. */
  isSlow = false;
  readonly #options: VenuesOptions;
  readonly #states: ReadonlyMap<string, VenueState>;
  #trades = 0;

  constructor(options: VenuesOptions) {
    this.#options = options;
    this.#states = new Map(
      options.profiles.map((profile) => [
        profile.venue,
        { profile, downUntilMs: 0, bannedUntilMs: 0, unreadUntilMs: 0, booksAwayUntilMs: 0, hasDrifted: false },
      ]),
    );
  }

  get nowMs(): number {
    return this.#options.clock.now() / 1e6;
  }

  hasDrifted(venue: string): boolean {
    return this.#state(venue).hasDrifted;
  }

  /** Whether the venue's books are heard. */
  isSeen(venue: string): boolean {
    const { downUntilMs, booksAwayUntilMs } = this.#state(venue);
    return this.nowMs >= Math.max(downUntilMs, booksAwayUntilMs);
  }

  /** Whether the venue answers questions. */
  answers(venue: string): boolean {
    const { downUntilMs, bannedUntilMs, unreadUntilMs } = this.#state(venue);
    return this.nowMs >= Math.max(downUntilMs, bannedUntilMs, unreadUntilMs);
  }

  place(request: OrderRequest): void {
    const instrument = instrumentOf(request.instrument);
    assert(instrument !== undefined, 'an order names an instrument that is not listed');
    const order: VenueOrder = {
      request,
      instrument,
      sentMs: this.nowMs,
      state: 'travelling',
      fills: [],
      end: undefined,
      foundFromMs: Infinity,
      isEndTold: false,
      endToldMs: undefined,
      fillToldMs: undefined,
      isMuted: false,
      denials: 0,
      wasDenied: false,
      isRisen: false,
      isSeen: false,
      isUnanswered: false,
    };
    this.orders.set(request.clientOrderId, order);
    const { weather, random } = this.#options;
    const refusal = this.#refusalOf(order);
    if (refusal !== undefined) {
      this.#refuse(order, refusal);
      return;
    }
    if (weather.strikes('lost-silently')) {
      order.state = 'lost';
      return;
    }
    if (this.#isDown(order) || weather.strikes('unknown-lost')) {
      order.state = 'lost';
      this.#later(this.#draw(500), () => this.#say(order, { kind: 'unknown', cause: 'disconnect' }));
      return;
    }
    let travelMs = Math.min(TRAVEL_MS_MAX, this.#latencyOf(order));
    if (weather.strikes('slow-arrival')) {
      const isVery = random.next() < 0.1;
      this.isSlow ||= isVery;
      travelMs = isVery ? this.#draw(20_000) : this.#draw(SLOW_MS);
    }
    this.#later(travelMs, () => this.#arrive(order));
  }

  /** What is live ends; what has ended is looked at, and said again. */
  cancel(id: ClientOrderId): void {
    const order = this.orders.get(id);
    if (order === undefined || !this.answers(order.instrument.venue)) return;
    this.#later(this.#latencyOf(order), () => {
      if (isLive(order)) {
        const { weather } = this.#options;
        const isToldLate = weather.strikes('fill-after-cancel');
        if (isToldLate || weather.strikes('fill-during-cancel')) this.#fillSome(order);
        if (isLive(order)) this.#end(order, { kind: 'canceled' });
        this.#publish(order, 0, 0, isToldLate);
      } else if (order.state === 'ended') this.#answer(order, undefined);
    });
  }

  /** Changes what is live where it stands; false where the venue cannot. */
  replace(id: ClientOrderId, to: Standing): boolean {
    const { weather } = this.#options;
    const order = this.orders.get(id);
    if (order === undefined || !this.#state(order.instrument.venue).profile.replaces) return false;
    if (!this.answers(order.instrument.venue) || weather.strikes('replace-lost')) {
      if (weather.strikes('unknown-lost'))
        this.#later(this.#draw(500), () => this.#say(order, { kind: 'unknown', cause: 'disconnect' }));
      return true;
    }
    const travelMs = weather.strikes('replace-slow') ? this.#draw(SLOW_MS) : this.#latencyOf(order);
    this.#later(travelMs, () => this.#change(order, to));
    return true;
  }

  #change(order: VenueOrder, to: Standing): void {
    const { weather } = this.#options;
    const before = order.fills.length;
    if (isLive(order) && weather.strikes('fill-during-replace')) this.#fillSome(order);
    if (order.fills.length > before) this.#publish(order, 1, before);
    const refusal = this.#refusalToChange(order, to);
    this.#options.tell(
      () => `${order.request.clientOrderId} becomes ${to.qty.toFixed()} at ${to.price.toFixed()}: ${refusal ?? 'done'}`,
    );
    if (refusal === undefined) {
      order.request = { ...order.request, ...to };
      const met = this.#metBy(order);
      if (met !== undefined) this.#options.onMet(order, met);
    }
    const venueOrderId = `v-${order.request.clientOrderId}` as VenueOrderId;
    const word: Word =
      refusal === undefined
        ? { kind: 'accepted', venueOrderId, standing: to }
        : { kind: 'kept', to, reason: refusal, text: '' };
    const said: Word = weather.strikes('replace-unanswered') ? { kind: 'unknown', cause: 'timeout' } : word;
    this.#later(this.#latencyOf(order) + (weather.strikes('word-late') ? this.#draw(LATE_MS) : 0), () =>
      this.#say(order, said),
    );
  }

  #refusalToChange(order: VenueOrder, to: Standing): RejectReason | undefined {
    const filled = filledOf(order);
    if (!isLive(order) || to.qty.lte(filled)) return 'not-allowed';
    if (this.#options.weather.strikes('replace-refused')) return 'price-out-of-band';
    const changed = { ...order, request: { ...order.request, ...to } };
    if (this.#isPoor({ ...changed, request: { ...changed.request, qty: to.qty.minus(filled) as Standing['qty'] } })) {
      this.#options.onPoor(order);
      return 'insufficient-funds';
    }
    return this.#wouldTake(changed) ? 'would-take' : undefined;
  }

  /** Answers with the fills first, then with how it stands; or that there is none. */
  probe(id: ClientOrderId, asker: Asker): void {
    const { weather } = this.#options;
    const order = this.orders.get(id);
    if (order === undefined) {
      // Journalled by somebody who died before sending it.
      this.#later(this.#draw(100), () => this.#hear(id, { kind: 'not-found' }, asker));
      return;
    }
    order.isUnanswered = true;
    if (!this.answers(order.instrument.venue) || weather.strikes('question-lost')) return;
    if (weather.strikes('read-outage')) {
      this.#state(order.instrument.venue).unreadUntilMs = this.nowMs + this.#drawLong(300_000);
      return;
    }
    const askedTimeNs = this.#options.clock.now();
    this.#later(this.#latencyOf(order), () => {
      const isThere = isLive(order) || order.state === 'ended';
      if (isThere && this.nowMs >= order.foundFromMs) this.#answer(order, asker, askedTimeNs);
      else this.#deny(order, asker, askedTimeNs);
    });
  }

  /** What happens to a venue as a whole, now. */
  strike(): void {
    const { weather, random, profiles } = this.#options;
    const state = this.#state(profiles[random.integer(profiles.length)]!.venue);
    const nowMs = this.nowMs;
    if (weather.strikes('venue-down')) state.downUntilMs = nowMs + this.#drawLong(600_000);
    if (weather.strikes('book-away')) state.booksAwayUntilMs = nowMs + this.#drawLong(300_000);
    if (weather.strikes('balance-drift')) this.#drift(state);
  }

  /** What a venue does to our positions, now. */
  force(): void {
    const { weather, random } = this.#options;
    for (const [fault, forced] of FORCES) {
      const open = [...this.truth.positions.values()].filter(({ size }) => !size.isZero());
      if (open.length > 0 && weather.strikes(fault)) this.#take(open[random.integer(open.length)]!, forced);
    }
  }

  /** A part of a position, or all of it. */
  #take(
    { instrument, size }: { readonly instrument: Instrument; readonly size: Decimal },
    forced: ForcedFill['forced'],
  ): void {
    const { random, market, weather, clock } = this.#options;
    const { venue } = instrument;
    const side = size.isNegative() ? 'buy' : 'sell';
    const [best] = market.levels(instrument, side);
    if (best === undefined) return;
    const { lot } = instrument;
    const share = random.next() < 0.3 ? 1 : random.next();
    const qty = lot.times(Math.ceil(size.abs().div(lot).toNumber() * share));
    this.#trades += 1;
    const fill: ForcedFill = {
      tradeId: `forced${this.#trades}` as TradeId,
      instrument: instrument.id,
      side,
      price: best.price,
      qty,
      ...this.#feeOf(instrument, side, best.price, qty),
      forced,
      timeMs: clock.unixMs(clock.now()),
    };
    this.forced.push(fill);
    this.truth.apply(fill, instrument);
    this.#options.tell(() => `${venue} takes ${side} ${qty.toFixed()} ${instrument.id} at ${best.price.toFixed()}`);
    this.#options.onForced(fill, !weather.strikes('force-untold'));
  }

  #drift(state: VenueState): void {
    const { random } = this.#options;
    state.hasDrifted = true;
    const asset = ['USDT', 'BTC', 'ETH'][random.integer(3)]!;
    const amount = this.truth
      .of(state.profile.venue, asset)
      .times((random.next() - 0.8).toFixed(2))
      .toDecimalPlaces(6);
    this.truth.add(state.profile.venue, asset, amount);
    this.drift.add(state.profile.venue, asset, amount);
    this.#options.tell(() => `${state.profile.venue} ${asset} drifts by ${amount.toFixed()}`);
  }

  #refusalOf({ instrument: { venue } }: VenueOrder): RejectReason | undefined {
    const { weather, random } = this.#options;
    const state = this.#state(venue);
    const nowMs = this.nowMs;
    if (nowMs < state.bannedUntilMs) return 'rate-limited';
    if (nowMs < state.downUntilMs && random.next() < 0.5) return 'venue-down';
    if (weather.strikes('rate-limit')) return 'rate-limited';
    if (weather.strikes('ban')) {
      state.bannedUntilMs = nowMs + this.#drawLong(state.profile.banMs);
      return 'rate-limited';
    }
    return weather.strikes('refused') ? REFUSALS[random.integer(REFUSALS.length)]! : undefined;
  }

  #refuse(order: VenueOrder, reason: RejectReason): void {
    order.state = 'refused';
    const word: Word = { kind: 'rejected', reason, text: '' };
    this.#later(this.#latencyOf(order), () => this.#say(order, word));
  }

  #arrive(order: VenueOrder): void {
    const { weather, random } = this.#options;
    const { request } = order;
    const isPostOnly = request.postOnly === true;
    const { profile } = this.#state(order.instrument.venue);
    if (this.#isPoor(order)) {
      this.#options.onPoor(order);
      this.#refuse(order, 'insufficient-funds');
      return;
    }
    if (isPostOnly && this.#wouldTake(order)) {
      this.#refuse(order, 'would-take');
      return;
    }
    const met = this.#metBy(order);
    if (met !== undefined) this.#options.onMet(order, met);
    order.state = 'live';
    order.isRisen = order.wasDenied;
    order.foundFromMs = this.nowMs + profile.queryLagMs;
    if (weather.strikes('query-lag'))
      order.foundFromMs = Math.max(order.foundFromMs, order.sentMs + this.#draw(SLOW_MS));
    if (!isPostOnly && !weather.strikes('no-fill')) this.#trade(order);
    // A full order has ended by its fills. What is said to be immediate may be forgotten by its venue, and stay.
    if (isLive(order) && !(request.timeInForce === 'GTC' || weather.strikes('stays-live'))) {
      const isRejected = order.fills.length > 0 && weather.strikes('partial-then-reject');
      const end: Word = isRejected ? { kind: 'rejected', reason: 'unlisted', text: '' } : { kind: profile.rest };
      this.#end(order, end);
    }
    if (isLive(order)) this.#later(this.#draw(3_000), () => this.#fillLater(order));
    this.#options.tell(
      () => `${order.request.clientOrderId} at ${profile.venue}: ${order.fills.length} fills, ${order.state}`,
    );
    this.#publish(order, random.next());
  }

  #wouldTake({ instrument, request: { side, price } }: VenueOrder): boolean {
    const [best] = this.#options.market.levels(instrument, side);
    return best !== undefined && (side === 'buy' ? best.price.lte(price) : best.price.gte(price));
  }

  /** One of ours that rests where this one would take it. */
  #metBy({ instrument, request: { side, price } }: VenueOrder): VenueOrder | undefined {
    for (const other of this.orders.values()) {
      if (other.instrument !== instrument || !isLive(other) || other.request.side === side) continue;
      if (other.request.timeInForce !== 'GTC') continue;
      if (side === 'buy' ? other.request.price.lte(price) : other.request.price.gte(price)) return other;
    }
    return undefined;
  }

  /** Takes what the book has within the limit. */
  #trade(order: VenueOrder): void {
    const { weather, market, random } = this.#options;
    const { side, price, qty, timeInForce } = order.request;
    const { lot } = order.instrument;
    const levels = market.levels(order.instrument, side, weather.strikes('thin-book') ? 0.02 : 1);
    let left: Decimal = qty;
    if (weather.strikes('partial-fill')) left = lot.times(Math.floor(qty.div(lot).toNumber() * random.next()));
    if (timeInForce === 'FOK' && left.lt(qty)) return;
    for (const level of levels) {
      if (!left.gt(0) || order.fills.length === FILLS_MAX) return;
      if (side === 'buy' ? level.price.gt(price) : level.price.lt(price)) return;
      const taken = left.lt(level.qty) ? left : level.qty;
      this.#fill(order, level.price, taken);
      left = left.minus(taken);
    }
  }

  #fillLater(order: VenueOrder): void {
    if (!isLive(order)) return;
    const before = order.fills.length;
    this.#fillSome(order);
    if (order.fills.length > before) this.#publish(order, 1, before);
    if (isLive(order) && order.fills.length < FILLS_MAX) this.#later(this.#draw(8_000), () => this.#fillLater(order));
  }

  #fillSome(order: VenueOrder): void {
    const { lot } = order.instrument;
    const left = order.request.qty.minus(filledOf(order));
    const lots = Math.ceil(left.div(lot).toNumber() * this.#options.random.next());
    if (lots > 0) this.#fill(order, order.request.price, lot.times(lots));
  }

  #fill(order: VenueOrder, price: Decimal, qty: Decimal): void {
    const { instrument, request } = order;
    this.#trades += 1;
    const fill: Fill = {
      tradeId: `t${this.#trades}` as TradeId,
      clientOrderId: request.clientOrderId,
      instrument: request.instrument,
      side: request.side,
      price,
      qty,
      ...this.#feeOf(instrument, request.side, price, qty),
      liquidity: 'taker',
    };
    order.fills.push(fill);
    if (filledOf(order).gte(request.qty)) order.state = 'ended';
    this.truth.apply(fill, instrument);
    this.#options.onFill(fill, order);
  }

  #feeOf(
    { kind, fees, base, quote, settle, contractSize, inverse }: Instrument,
    side: 'buy' | 'sell',
    price: Decimal,
    qty: Decimal,
  ): Pick<Fill, 'fee' | 'feeAsset'> {
    const size = qty.times(contractSize);
    const isInBase = kind === 'spot' && fees.currency === 'received' && side === 'buy';
    const asset = kind !== 'spot' ? settle : isInBase ? base : quote;
    const worth = isInBase ? size : inverse ? size.div(price).toDecimalPlaces(12) : size.times(price);
    const fee = worth.times(fees.taker);
    if (!this.#options.weather.strikes('fee-in-token')) return { fee, feeAsset: asset };
    const rate = PRICES[asset]! / PRICES[FEE_TOKEN]!;
    return { fee: fee.times(rate).toDecimalPlaces(8), feeAsset: FEE_TOKEN as Asset };
  }

  #end(order: VenueOrder, end: Word): void {
    order.state = 'ended';
    order.end = end;
  }

  /** Tells of an order in the venue's way, with all the faults of the trade. `from`: fills before it were told of. `isToldLate`: the last of them after the end. */
  #publish(order: VenueOrder, haste: number, from = 0, isToldLate = false): void {
    const { weather, random } = this.#options;
    const { profile } = this.#state(order.instrument.venue);
    const ack: Word = { kind: 'accepted', venueOrderId: `v-${order.request.clientOrderId}` as VenueOrderId };
    const fills = order.fills.slice(from).map((fill): Word => ({ kind: 'fill', fill }));
    const end: Word[] = order.end === undefined ? [] : [order.end];
    let words: Word[];
    if (weather.strikes('unknown-delivered')) {
      order.isMuted = true;
      this.#later(this.#draw(1_000), () =>
        this.#hear(order.request.clientOrderId, { kind: 'unknown', cause: 'timeout' }),
      );
      return;
    }
    if (from > 0 || weather.strikes('ack-lost')) words = [...fills, ...end];
    else if (profile.answers === 'after-fills' && profile.fillsName === 'client-id') words = [...fills, ack, ...end];
    else words = [ack, ...fills, ...end];
    if (weather.strikes('fill-lost')) words.length = random.integer(words.length + 1);
    if (weather.strikes('alien-status') && words.at(-1) === order.end && order.end !== undefined)
      words[words.length - 1] = { kind: 'unknown', cause: 'server-error' };
    const spreadMs = weather.strikes('words-reordered') ? 400 : 0;
    let atMs = this.#latencyOf(order) * haste;
    const lastFill = fills.at(-1);
    const isLate = order.end !== undefined && (isToldLate || weather.strikes('fill-after-end'));
    for (const word of words) {
      atMs += profile.answers === 'with-fills' ? 0 : random.next() * 10;
      let delayMs = atMs + spreadMs * random.next();
      if (weather.strikes('word-late') || (isLate && word === lastFill)) delayMs += random.next() * LATE_MS;
      this.#later(delayMs, () => this.#say(order, word));
      const isRepeated = weather.strikes('word-repeated') || (profile.repeats && random.next() < 0.3);
      if (isRepeated) this.#later(delayMs + random.next() * 3_000, () => this.#say(order, word));
    }
  }

  /** A word on the stream: what comes while nobody hears it is lost, and all that follows with it; but no fill of an order whose end was told. */
  #say(order: VenueOrder, word: Word): void {
    if (order.isMuted) return;
    const { profile, downUntilMs, unreadUntilMs } = this.#state(order.instrument.venue);
    const backMs = Math.max(downUntilMs, unreadUntilMs);
    if (this.nowMs >= backMs) {
      if (!this.#hear(order.request.clientOrderId, word) && !order.isEndTold) order.isMuted = true;
      return;
    }
    if (profile.stream === 'replays' || order.isEndTold) this.#later(backMs - this.nowMs, () => this.#say(order, word));
    else order.isMuted = true;
  }

  #answer(order: VenueOrder, asker: Asker | undefined, askedTimeNs?: TimeNs): void {
    const { weather } = this.#options;
    const id = order.request.clientOrderId;
    const { profile } = this.#state(order.instrument.venue);
    const isPart = (profile.pages || order.fills.length > 1) && weather.strikes('history-truncated');
    const from = isPart ? order.fills.length - 1 : 0;
    for (const fill of order.fills.slice(from)) this.#hear(id, { kind: 'fill', fill }, asker);
    if (isPart && order.fills.length > 0) return;
    order.isMuted = false;
    if (order.end !== undefined) this.#hear(id, order.end, asker);
    // What may have been changed is said to have ended: its fills alone do not tell.
    else if (order.state === 'ended' && order.request.timeInForce === 'GTC') this.#hear(id, { kind: 'expired' }, asker);
    else if (isLive(order)) {
      const { price, qty } = order.request;
      const standing = askedTimeNs === undefined ? {} : { standing: { price, qty }, askedTimeNs };
      this.#hear(id, { kind: 'accepted', venueOrderId: `v-${id}` as VenueOrderId, ...standing }, asker);
    }
    // Who dies of an answer has not heard all of it.
    order.isUnanswered = asker?.isAlive === false;
  }

  #deny(order: VenueOrder, asker: Asker, askedTimeNs: TimeNs): void {
    if (askedTimeNs / 1e6 - order.sentMs >= CERTAIN_MS && asker.isAlive) order.denials += 1;
    this.#hear(order.request.clientOrderId, { kind: 'not-found', askedTimeNs }, asker);
  }

  #hear(clientOrderId: ClientOrderId, word: Word, asker?: Asker): boolean {
    const { hear, clock, tell } = this.#options;
    tell(() => `told ${clientOrderId} ${textOf(word)}`);
    const order = this.orders.get(clientOrderId);
    const before = order === undefined ? undefined : { ...order };
    if (order !== undefined) note(order, word, this.nowMs);
    const isHeard = hear({ clientOrderId, receivedTimeNs: clock.now(), ...word }, asker);
    // What works after it was given up is cancelled by the gateway: nobody counts on it any more.
    if (order?.wasDenied === true && isLive(order) && word.kind !== 'not-found') this.cancel(clientOrderId);
    if (!isHeard && order !== undefined) Object.assign(order, before);
    return isHeard;
  }

  /** Spot only: what contracts need depends on prices, and nobody agrees on those. */
  #isPoor({ instrument, request: { side, price, qty } }: VenueOrder): boolean {
    const { kind, venue, base, quote, fees } = instrument;
    if (kind !== 'spot') return false;
    const asset = side === 'buy' ? quote : base;
    for (const { instrument: held, size } of this.truth.positions.values())
      if (held.venue === venue && held.settle === asset && !size.isZero()) return false;
    const fee = side === 'buy' && fees.currency === 'quote' ? fees.taker.plus(1) : 1;
    const needed = side === 'buy' ? price.times(qty).times(fee) : qty;
    return this.truth.of(venue, asset).lt(needed);
  }

  #isDown({ instrument: { venue } }: VenueOrder): boolean {
    return this.nowMs < this.#state(venue).downUntilMs;
  }

  #latencyOf({ instrument: { venue } }: VenueOrder): number {
    return this.#state(venue).profile.latencyMs * (0.5 + this.#options.random.next());
  }

  #state(venue: string): VenueState {
    const state = this.#states.get(venue);
    assert(state !== undefined, `a venue that is not of this episode: ${venue}`);
    return state;
  }

  readonly #draw = (max: number): number => this.#options.random.next() * max;
  /** Mostly short, now and then long. */
  readonly #drawLong = (max: number): number => this.#options.random.next() ** 4 * max;

  #later(delayMs: number, task: () => void): void {
    this.#options.clock.after(delayMs, task);
  }
}

const isLive = ({ state }: VenueOrder): boolean => state === 'live';

/** What whoever hears a word may conclude. */
function note(order: VenueOrder, { kind }: Word, nowMs: number): void {
  if (kind !== 'not-found') order.denials = 0;
  if (kind !== 'not-found' && kind !== 'unknown') order.isSeen = true;
  if (order.denials >= DENIALS) order.wasDenied = true;
  if (kind === 'fill') order.fillToldMs = nowMs;
  if (kind !== 'canceled' && kind !== 'expired' && kind !== 'rejected') return;
  order.isEndTold = true;
  order.endToldMs ??= nowMs;
}

export const filledOf = ({ fills }: Pick<VenueOrder, 'fills'>): Decimal =>
  fills.slice(1).reduce((sum, { qty }) => sum.plus(qty), fills[0]?.qty ?? NONE);

export function textOf(word: Word): string {
  if (word.kind === 'fill')
    return `fill ${word.fill.tradeId} ${word.fill.side} ${word.fill.qty.toFixed()} at ${word.fill.price.toFixed()}`;
  if (word.kind === 'rejected') return `rejected ${word.reason}`;
  if (word.kind === 'accepted' && word.standing !== undefined)
    return `accepted ${word.standing.qty.toFixed()} at ${word.standing.price.toFixed()}`;
  return word.kind === 'unknown' ? `unknown ${word.cause}` : word.kind;
}
