import { Decimal } from 'decimal.js';
import type { Clock } from '#shared/clock/clock.ts';
import type { Asset, ClientOrderId, TimeNs, TradeId, VenueOrderId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Fill, OrderReport, OrderRequest, RejectReason, Standing } from '#shared/domain/order.ts';
import { Fifo } from '#shared/fifo.ts';
import type { Price, Qty } from '#shared/money/grid.ts';
import { ZERO } from '#shared/money/grid.ts';
import type { AccountEvent, Meaning, OrderRef, OrderState, VenueFill } from '../../venues/venue-account.ts';

/** An order of ours as far as the venue has told of it. */
export type TrackedOrder = {
  readonly request: OrderRequest;
  readonly instrument: Instrument;
  /** Our id as the venue writes it. */
  readonly venueClientId: string;
  readonly sentMs: number;
  /** When it was handed to the wire, or taken over; undefined while it waits for its turn. */
  leftNs: TimeNs | undefined;
  venueOrderId: string | undefined;
  /** What may fill at most, whatever it was changed to. */
  most: Decimal;
  /** It was, or may have been, asked to be another: how it stands is reported. */
  isReplaced: boolean;
  /** Sum of the fills that were reported. */
  filled: Decimal;
  /** What the venue says is filled, at most so far; undefined when it does not say. */
  toldFilled: Decimal | undefined;
  /** How it ended, by the venue's word. Reported once its fills are. */
  end: 'filled' | 'canceled' | 'expired' | undefined;
  /** Whether all its fills were asked for since it ended. */
  fillsAsked: boolean;
  /** Nothing of it works any more, and all of that was reported. */
  isOver: boolean;
  /** Over because an answer refused it, or found none; not because the venue told of its end. */
  givenUp: boolean;
  /** Answers that there is no such order. */
  notFound: number;
  /** When anything was last heard of it, Unix milliseconds. */
  heardMs: number;
};

type Report = OrderReport extends infer Each
  ? Each extends OrderReport
    ? Omit<Each, 'clientOrderId' | 'receivedTimeNs'>
    : never
  : never;
type Ended = Extract<AccountEvent, { readonly kind: 'ended' }>;
type Named = { readonly clientOrderId: string; readonly venueOrderId: string; readonly venueSymbol?: string };

/** Ended orders remembered: a fill may still be told of them. */
const ORDERS_MAX = 10_000;
/** Trades remembered, so that none is told twice: hours of them. */
const TRADES_MAX = 50_000;
/** Fills of orders that we do not know (yet): an acknowledgement may be slower than its fill. */
const STRANGERS_MAX = 1_000;
/** Before an order has left so long ago, that it is not found says nothing. */
const TRAVEL_MS = 2_000;
/** Asked twice and not found: an order does not travel that long. */
const NOT_FOUND_ENOUGH = 2;

/**
 * Turns what a venue says of our orders, by whatever way and in whatever order, into reports: each trade once, an end never before the fills it speaks of.
 */
export class OrderTracker {
  /** Trades that were told again. */
  repeated = 0;
  readonly #clock: Clock;
  readonly #onReport: (report: OrderReport) => void;
  readonly #onRisen: (tracked: TrackedOrder) => void;
  /** Of every instrument of the account, so that ids that are only unique by symbol are not mistaken. */
  readonly #symbols: ReadonlySet<string>;
  readonly #orders = new Map<ClientOrderId, TrackedOrder>();
  readonly #sent = new Fifo<ClientOrderId>(ORDERS_MAX);
  readonly #byVenueClientId = new Map<string, TrackedOrder>();
  readonly #byVenueOrderId = new Map<string, TrackedOrder[]>();
  readonly #trades = new Set<string>();
  readonly #tradeOrder = new Fifo<string>(TRADES_MAX);
  readonly #strangers = new Map<string, VenueFill>();

  /** `onRisen`: an order that was given up works after all. Whoever sent it counts on its end. */
  constructor(
    clock: Clock,
    instruments: readonly Instrument[],
    onReport: (report: OrderReport) => void,
    onRisen: (tracked: TrackedOrder) => void = () => undefined,
  ) {
    this.#clock = clock;
    this.#onReport = onReport;
    this.#onRisen = onRisen;
    this.#symbols = new Set(instruments.map(({ venueSymbol }) => venueSymbol));
  }

  get(id: ClientOrderId): TrackedOrder | undefined {
    return this.#orders.get(id);
  }

  /** What may still work at the venue. */
  open(): readonly TrackedOrder[] {
    return [...this.#orders.values()].filter(({ isOver }) => !isOver);
  }

  /** What may still work, and what was heard of since. */
  touchedSince(ms: number): readonly TrackedOrder[] {
    return [...this.#orders.values()].filter(({ isOver, heardMs }) => !isOver || heardMs >= ms);
  }

  track(order: Pick<TrackedOrder, 'request' | 'instrument' | 'venueClientId' | 'sentMs'>): TrackedOrder {
    const tracked: TrackedOrder = {
      ...order,
      leftNs: this.#clock.now(),
      venueOrderId: undefined,
      most: order.request.qty,
      isReplaced: false,
      filled: ZERO,
      toldFilled: undefined,
      end: undefined,
      fillsAsked: false,
      isOver: false,
      givenUp: false,
      notFound: 0,
      heardMs: order.sentMs,
    };
    this.#orders.set(order.request.clientOrderId, tracked);
    this.#byVenueClientId.set(order.venueClientId, tracked);
    this.#forgetOldest(order.request.clientOrderId);
    this.#welcomeStrangers();
    return tracked;
  }

  /** The order that a frame or an answer names. */
  find({ clientOrderId, venueOrderId, venueSymbol }: Named): TrackedOrder | undefined {
    const byClientId = clientOrderId === '' ? undefined : this.#byVenueClientId.get(clientOrderId);
    if (byClientId !== undefined) return byClientId;
    const candidates = venueOrderId === '' ? undefined : this.#byVenueOrderId.get(venueOrderId);
    // Venues do not spell a symbol alike everywhere: only another instrument's spelling speaks against an order.
    return candidates?.find(
      ({ instrument }) =>
        venueSymbol === undefined || venueSymbol === instrument.venueSymbol || !this.#symbols.has(venueSymbol),
    );
  }

  /** The venue has it, under this id. Reported with the first word of it, unless it has ended by then. */
  accept(tracked: TrackedOrder, venueOrderId: string): void {
    this.#hear(tracked);
    if (tracked.venueOrderId !== undefined || venueOrderId === '') return;
    tracked.venueOrderId = venueOrderId;
    const there = this.#byVenueOrderId.get(venueOrderId);
    if (there === undefined) this.#byVenueOrderId.set(venueOrderId, [tracked]);
    else there.push(tracked);
    if (!tracked.isOver) this.#report(tracked, { kind: 'accepted', venueOrderId: venueOrderId as VenueOrderId });
    this.#welcomeStrangers();
  }

  /** A fill, told for the first time or again. */
  fill(fill: VenueFill): TrackedOrder | undefined {
    const tracked = this.find(fill);
    if (tracked === undefined) {
      this.#keepStranger(fill);
      return undefined;
    }
    this.accept(tracked, fill.venueOrderId);
    const key = `${tracked.instrument.id} ${fill.tradeId} ${fill.side}`;
    if (this.#trades.has(key)) {
      this.repeated += 1;
      return tracked;
    }
    this.#trades.add(key);
    const oldest = this.#tradeOrder.push(key);
    if (oldest !== undefined) this.#trades.delete(oldest);
    tracked.filled = tracked.filled.plus(fill.qty);
    const isFull = tracked.filled.gte(tracked.most);
    if (isFull) tracked.isOver = true;
    this.#report(tracked, { kind: 'fill', fill: fillFrom(fill, tracked) });
    if (!isFull && tracked.end !== undefined) this.tell(tracked);
    else this.#rise(tracked);
    return tracked;
  }

  /** How an order stands. Returns whether that is news; `tell` reports it once no fills are missing. */
  learn(tracked: TrackedOrder, state: OrderState): boolean {
    if (state.status === 'rejected' && state.filled.isZero()) {
      this.#reject(tracked, rejectReasonOf(state.reason), state.reason ?? '');
      return false;
    }
    this.accept(tracked, state.venueOrderId);
    if (state.status === 'open') this.#rise(tracked);
    return this.#note(tracked, state.status, state.filled);
  }

  /** As `learn`, from a frame that only names the order. */
  learnEnd(tracked: TrackedOrder, { status, filled, reason, venueOrderId }: Ended): boolean {
    if (status === 'rejected' && (filled === undefined ? tracked.filled : filled).isZero()) {
      this.#reject(tracked, rejectReasonOf(reason), reason ?? '');
      return false;
    }
    this.accept(tracked, venueOrderId);
    return this.#note(tracked, status, filled);
  }

  /** Whether the venue speaks of fills that have not come. */
  isMissingFills({ filled, toldFilled, end, fillsAsked }: TrackedOrder): boolean {
    if (toldFilled !== undefined) return filled.lt(toldFilled);
    return end !== undefined && !fillsAsked;
  }

  /** Reports how it stands: nothing while fills are missing, and nothing of a full order, whose fills say it. */
  tell(tracked: TrackedOrder): void {
    if (this.isMissingFills(tracked)) return;
    if (tracked.end === undefined) {
      if (tracked.isOver || tracked.venueOrderId === undefined) return;
      this.#report(tracked, { kind: 'accepted', venueOrderId: tracked.venueOrderId as VenueOrderId });
      return;
    }
    tracked.isOver = true;
    // Of one that was changed, the fills alone do not say that they are all.
    if (!tracked.isReplaced && tracked.filled.gte(tracked.most)) return;
    this.#report(tracked, { kind: tracked.end === 'canceled' ? 'canceled' : 'expired' });
  }

  /** Its venue is asked to change it. */
  replace(tracked: TrackedOrder, { qty }: Standing): void {
    tracked.isReplaced = true;
    tracked.most = Decimal.max(tracked.most, qty);
  }

  /** Its venue has not changed it. */
  keep(tracked: TrackedOrder, to: Standing, reason: RejectReason, text: string): void {
    if (!tracked.isOver) this.#report(tracked, { kind: 'kept', to, reason, text });
  }

  /** How an order stands that may have been changed; `askedTimeNs` where it was asked for. */
  stand(tracked: TrackedOrder, { status, price, qty }: OrderState, askedTimeNs?: TimeNs): void {
    const { isReplaced, isOver, venueOrderId } = tracked;
    if (!isReplaced || isOver || status !== 'open' || price === undefined || venueOrderId === undefined) return;
    tracked.most = Decimal.max(tracked.most, qty);
    this.#report(tracked, {
      kind: 'accepted',
      venueOrderId: venueOrderId as VenueOrderId,
      standing: { price: price as Price, qty: qty as Qty },
      ...(askedTimeNs === undefined ? {} : { askedTimeNs }),
    });
  }

  /** An answer's definite no. Not believed of an order that was heard of, nor the last word: see `onRisen`. */
  reject(tracked: TrackedOrder, reason: RejectReason, text: string): void {
    if (tracked.isOver || tracked.end !== undefined) return;
    if (tracked.venueOrderId !== undefined) {
      this.doubt(tracked, 'server-error');
      return;
    }
    this.#reject(tracked, reason, text);
    tracked.givenUp = true;
  }

  doubt(tracked: TrackedOrder, cause: 'timeout' | 'disconnect' | 'server-error'): void {
    if (!tracked.isOver) this.#report(tracked, { kind: 'unknown', cause });
  }

  /** Whether it had not left by then, or just had: that its venue does not find it says nothing. */
  isOnItsWay({ leftNs }: TrackedOrder, askedNs: TimeNs): boolean {
    return leftNs === undefined || askedNs - leftNs < TRAVEL_MS * 1e6;
  }

  /** The venue was asked, fills included, and has no such order. */
  missing(tracked: TrackedOrder, askedNs: TimeNs): void {
    if (!this.isOnItsWay(tracked, askedNs)) tracked.notFound += 1;
    if (tracked.notFound >= NOT_FOUND_ENOUGH && !tracked.isOver) {
      tracked.isOver = true;
      tracked.givenUp = true;
    }
    this.#report(tracked, { kind: 'not-found', askedTimeNs: askedNs });
  }

  #reject(tracked: TrackedOrder, reason: RejectReason, text: string): void {
    this.#hear(tracked);
    tracked.givenUp = false;
    if (tracked.isOver || tracked.filled.gt(0)) return;
    tracked.isOver = true;
    this.#report(tracked, { kind: 'rejected', reason, text });
  }

  /** What works is not over, whatever an answer said. */
  #rise(tracked: TrackedOrder): void {
    if (!tracked.givenUp || tracked.filled.gte(tracked.most)) return;
    tracked.isOver = false;
    tracked.givenUp = false;
    this.#onRisen(tracked);
  }

  #note(tracked: TrackedOrder, status: OrderState['status'], filled: Decimal | undefined): boolean {
    if (filled !== undefined) tracked.toldFilled = Decimal.max(tracked.toldFilled ?? ZERO, filled);
    if (status === 'open' || tracked.isOver || tracked.end !== undefined) return false;
    tracked.end = status === 'rejected' ? 'canceled' : status;
    tracked.fillsAsked = false;
    if (status === 'filled' && !tracked.isReplaced) tracked.toldFilled ??= tracked.request.qty;
    return true;
  }

  #hear(tracked: TrackedOrder): void {
    tracked.notFound = 0;
    tracked.heardMs = this.#clock.unixMs(this.#clock.now());
  }

  #report(tracked: TrackedOrder, report: Report): void {
    const { clientOrderId } = tracked.request;
    this.#onReport({ clientOrderId, receivedTimeNs: this.#clock.now(), ...report });
  }

  #keepStranger(fill: VenueFill): void {
    this.#strangers.set(`${fill.venueSymbol} ${fill.tradeId} ${fill.side}`, fill);
    if (this.#strangers.size > STRANGERS_MAX) this.#strangers.delete(this.#strangers.keys().next().value!);
  }

  #welcomeStrangers(): void {
    for (const [key, fill] of this.#strangers) {
      if (this.find(fill) === undefined) continue;
      this.#strangers.delete(key);
      this.fill(fill);
    }
  }

  /** What may still work is not forgotten: its turn comes again. */
  #forgetOldest(sent: ClientOrderId): void {
    let oldest = this.#sent.push(sent);
    for (let turn = 0; turn < ORDERS_MAX && oldest !== undefined; turn += 1) {
      const tracked = this.#orders.get(oldest);
      if (tracked?.isOver !== false) {
        this.#forget(tracked);
        return;
      }
      oldest = this.#sent.push(oldest);
    }
  }

  /** Nothing where it was forgotten before: an order of an earlier start may be tracked more than once. */
  #forget(tracked: TrackedOrder | undefined): void {
    if (tracked === undefined) return;
    this.#orders.delete(tracked.request.clientOrderId);
    this.#byVenueClientId.delete(tracked.venueClientId);
    if (tracked.venueOrderId !== undefined) this.#byVenueOrderId.delete(tracked.venueOrderId);
  }
}

/** What an order must be named by. */
export const refOf = ({ request, instrument, venueOrderId, sentMs }: TrackedOrder): OrderRef => ({
  clientOrderId: request.clientOrderId,
  instrument,
  side: request.side,
  venueOrderId,
  sentMs,
});

/** A definite reason; what is none of ours is `unlisted`. */
export function rejectReasonOf(meaning: Meaning | undefined): RejectReason {
  return meaning === undefined || meaning === 'not-found' || meaning === 'not-open' || meaning === 'in-doubt'
    ? 'unlisted'
    : meaning;
}

function fillFrom(fill: VenueFill, { request, instrument }: TrackedOrder): Fill {
  const { tradeId, side, price, qty, liquidity } = fill;
  return {
    tradeId: tradeId as TradeId,
    clientOrderId: request.clientOrderId,
    instrument: request.instrument,
    side,
    price,
    qty,
    liquidity,
    ...feeOf(fill, instrument),
  };
}

/** As the venue says it, in whatever asset. Where it does not say, by the instrument's rule: asset, and amount when that is missing too. */
export function feeOf(fill: VenueFill, instrument: Instrument): Pick<Fill, 'fee' | 'feeAsset'> {
  if (fill.feeAsset !== '') return { fee: fill.fee, feeAsset: fill.feeAsset as Asset };
  const { fees, kind, base, quote, settle, contractSize, inverse } = instrument;
  const received = kind === 'spot' && fees.currency === 'received' && fill.side === 'buy';
  const feeAsset = kind !== 'spot' ? settle : received ? base : quote;
  if (!fill.fee.isZero()) return { fee: fill.fee, feeAsset };
  const size = fill.qty.times(contractSize);
  const worth = received ? size : inverse ? size.div(fill.price) : size.times(fill.price);
  return { fee: worth.times(fees[fill.liquidity]), feeAsset };
}
