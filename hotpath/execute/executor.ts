import { Decimal } from 'decimal.js';
import { assert } from '#shared/assert.ts';
import type { Clock } from '#shared/clock/clock.ts';
import type { Closing } from '#shared/domain/held.ts';
import type { ClientOrderId, InstrumentId, OperationId, OpportunityId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Fence, Fill, OrderGateway, OrderReport, OrderRequest, OrderStatus } from '#shared/domain/order.ts';
import type {
  Escalation,
  Left,
  OpenOperation,
  OperationView,
  Recovery,
  RecoveryOrder,
} from '#shared/domain/recovery.ts';
import type { FamilyId, Side } from '#shared/domain/route.ts';
import type { Approved, OperationState, Plan } from '#shared/domain/trade.ts';
import { textOf, ZERO } from '#shared/money/grid.ts';
import type { Pnl } from '#shared/money/pnl.ts';
import { fillFactsOf } from '#shared/money/pnl.ts';
import { closingOf } from '#shared/money/position.ts';
import type { EventData } from '#shared/schema/event.ts';
import type { Recorder } from '#shared/schema/recorder.ts';
import { attributionOf } from './attribution.ts';
import { clientOrderIdFrom } from './client-order-id.ts';
import type { Word } from './escalations.ts';
import { doubtful, Escalations, fenced, outOfIds } from './escalations.ts';
import type { Ledger } from './ledger.ts';
import type { Cancelled, ManualOrder, Placed } from './manual.ts';
import { manualTerms } from './manual.ts';
import type { Order, OrdersById } from './operation.ts';
import { DUST_ROUTE, fillEventOf, Operation, orderEventOf } from './operation.ts';
import { isAtRest, statusAfter } from './order-status.ts';
import { openFacts, operationFrom, planFacts, ratesText, termsOf } from './operation-from.ts';
import { RestingOrders } from './resting.ts';

export type ExecutorOptions = {
  readonly clock: Clock;
  readonly gateway: OrderGateway;
  readonly ledger: Ledger;
  readonly recorder: Recorder;
  readonly instrumentOf: (id: InstrumentId) => Instrument | undefined;
  /** The recover stage: what to do once no order of an operation works any more. Pure. */
  readonly decide: (view: OperationView) => Recovery;
  /** The id under which the journal knows a plan's opportunity. */
  readonly opportunityOf: (seen: OpportunityId) => OpportunityId;
  /** Counts starts of the engine: client order ids of two starts never meet. */
  readonly epoch: number;
  readonly patience: Patience;
  /** Value of an asset in the numeraire, for fees in one that no plan counted on; undefined when nobody can say. */
  readonly rateOf?: (asset: string) => number | undefined;
  /** Who keeps what sum operations enter. */
  readonly keeper?: HoldingKeeper;
  /** Asked in the tick in which orders would leave. */
  readonly fence?: Fence;
  /** Told of each operation that is over; again when a late fill had woken it. */
  readonly onEnded?: (ended: Ended) => void;
};

/** What an operation has come to, in the numeraire. */
export type Ended = {
  readonly operation: OperationId;
  readonly family: FamilyId;
  readonly state: 'completed' | 'failed';
  readonly notional: Decimal;
  /** What its fills were expected to bring: of an entry not what is to come while it is held. */
  readonly expected: Decimal;
  readonly realised: Decimal;
  readonly durationMs: number;
};

/** Told as it happens. An entry is told before the operation's own last event: what is held is in the journal before its entry is over. */
export type HoldingKeeper = {
  /** An entry has completed; it may have before, and been woken by a late fill. */
  readonly entered: (operation: Operation) => void;
  /** An exit has traded. */
  readonly closing: (holding: OperationId, instrument: InstrumentId, closing: Closing, pnl: Pnl) => void;
  /** An exit is over, however much of it was done. */
  readonly exited: (holding: OperationId) => void;
};

export type Patience = {
  /** An order without a last word after this long is unknown, and its venue is asked. */
  readonly reportWithinMs: number;
  /** First wait between probes of one operation; doubled each time up to the maximum. */
  readonly probeAfterMs: number;
  readonly probeMaxMs: number;
  readonly probesMax: number;
  /** First wait when recovery could not send anything; doubled each time up to `probeMaxMs`. */
  readonly recoverAfterMs: number;
  /** How often recovery looks again while a person is asked. */
  readonly askAgainMs: number;
  /** How often a venue is asked about an order that rests, or that no probe has settled. */
  readonly probeSlowlyMs: number;
  /** That a venue does not find an order says nothing so soon after it was sent: it may be on its way, or not be listed yet. */
  readonly notFoundAfterMs: number;
  /** The longest wait after rounds of recovery that have traded nothing. */
  readonly idleMaxMs: number;
};

export const PATIENCE: Patience = {
  reportWithinMs: 1_000,
  probeAfterMs: 200,
  probeMaxMs: 5_000,
  probesMax: 60,
  recoverAfterMs: 250,
  askAgainMs: 5_000,
  probeSlowlyMs: 15_000,
  notFoundAfterMs: 2_000,
  idleMaxMs: 30_000,
};

/** A venue that does not find an order is asked once more: the question may have overtaken the order. */
const NOT_FOUND_ENOUGH = 2;
const IOC = { type: 'limit', timeInForce: 'IOC' } as const;
const NOBODY_ASKED: ReadonlyMap<string, never> = new Map<string, never>();
const NO_DUST: ReadonlyMap<string, never> = new Map<string, never>();
/** Orders a leg: what its client order ids can count. */
const ATTEMPTS_MAX = 36;
/** Ended operations that a late fill can still find. Fewer than the journal's state remembers: what is told of one, it must know. */
const ENDED_MAX = 400;
/** What began so short a time before a crash may have filled since; at most so many orders are asked about. */
const LATELY_MS = 60_000;
const LATE_ORDERS_MAX = 100;

/** What came of a person's word. */
export type Approval =
  | { readonly kind: 'done' }
  | {
      readonly kind: 'refused';
      readonly reason:
        'NOT_ASKED' | 'NOT_ON_OFFER' | 'FENCED' | 'ATTEMPTS_EXHAUSTED' | 'SELF_TRADE' | 'BALANCE_INSUFFICIENT';
      readonly detail: string;
    };

type OrderTerms = Omit<OrderRequest, 'clientOrderId' | 'operation' | 'leg' | 'attempt'>;

/**
 * Sends all legs of an approved plan in one tick, follows their orders through any order of reports, and drives recovery until nothing
 * is open. Every transition is journalled before its effect. Holds no opinion about prices: those are the plan's and recovery's.
 */
export class Executor {
  readonly counts = { completed: 0, failed: 0, recovering: 0, escalated: 0, open: 0 };
  /** Reports that make no sense: for orders we do not know, or against an order's life. */
  anomalies = 0;
  readonly #options: ExecutorOptions;
  readonly #orders: OrdersById = new Map();
  readonly #ended: Operation[] = [];
  readonly #open = new Map<string, Operation>();
  readonly #busy = new Map<InstrumentId, number>();
  readonly #resting = new RestingOrders();
  readonly #escalations: Escalations;
  #ordinal = 0;
  #stopped = false;

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#escalations = new Escalations(options.recorder, options.clock, options.epoch);
  }

  /** Whether an operation works on the instrument; a person's order is none. */
  readonly busy = (instrument: InstrumentId): boolean => this.#busy.has(instrument);

  /** Whether nothing is going on by itself: what is open waits for a person, or for the market to come to a person's order. */
  get idle(): boolean {
    for (const { state, isManual } of this.#open.values()) if (state !== 'escalated' && !isManual) return false;
    return true;
  }

  /** Whether an order that turns dust into money is open. */
  get isFlushing(): boolean {
    for (const { facts } of this.#open.values()) if (facts.route === DUST_ROUTE) return true;
    return false;
  }

  /** Whether an order at this limit could trade with one of ours. */
  readonly restingAgainst = (instrument: InstrumentId, side: Side, price: Decimal): boolean =>
    this.#resting.against(instrument, side, price).length > 0;

  /** Whether an exit of the holding is open. */
  readonly isExiting = (holding: OperationId): boolean => {
    for (const { bond } of this.#open.values()) if (bond?.holding === holding) return true;
    return false;
  };

  /** The execute stage of the pipeline. */
  readonly submit = (plan: Approved<Plan>): void => {
    const { ledger } = this.#options;
    const { bond } = plan;
    assert(!this.#open.has(plan.operation), 'an operation is submitted twice');
    const legs = plan.legs.map(({ instrument, side, price, qty, expectedPrice }) => ({
      instrument: this.#instrument(instrument),
      side,
      price,
      qty,
      expectedPrice,
    }));
    const terms = termsOf(plan, this.#instrument);
    const facts = planFacts(plan, this.#options.opportunityOf(plan.opportunity), terms);
    const operation = new Operation(this.#nextOrdinal(), facts, legs, {
      state: 'approved',
      ...terms,
      dustTold: NO_DUST,
      startedNs: this.#options.clock.now(),
    });
    this.#enter(operation);
    this.#recordOperation(operation);

    const closed = this.#options.fence?.();
    if (closed !== undefined) {
      this.#end(operation, 'failed', closed);
      return;
    }
    const requests = plan.legs.map((leg, at) => this.#request(operation, at, { ...IOC, ...leg, purpose: 'leg' }));
    if (!ledger.reserve(requests, this.#instrument, bond?.intent)) {
      this.#end(operation, 'failed', 'BALANCE_INSUFFICIENT');
      return;
    }
    this.#move(operation, 'executing');
    this.#send(operation, requests);
  };

  /**
   * Sends one order that no plan stands behind: an operation of one leg of which nothing is recovered. `onPlaced` may journal what must stand in the journal
   * before the order leaves.
   */
  readonly submitManual = (order: ManualOrder, onPlaced?: (placed: ClientOrderId) => void): Placed => {
    const { clock, fence, ledger, rateOf } = this.#options;
    const { instrument, side, price, route } = order;
    const refused = (reason: Extract<Placed, { kind: 'refused' }>['reason'], detail: string): Placed => ({
      kind: 'refused',
      reason,
      detail,
    });
    const closed = fence?.();
    if (closed !== undefined) return refused('FENCED', closed);
    const [met] = this.#resting.against(instrument.id, side, price);
    if (met !== undefined) return refused('SELF_TRADE', `order=${met.request.clientOrderId}`);
    const terms = manualTerms(order, (asset) => rateOf?.(asset));
    if (terms === undefined) return refused('RATE_UNKNOWN', `instrument=${instrument.id}`);

    const start = { state: 'approved', rates: terms.rates, dustTold: NO_DUST, startedNs: clock.now() } as const;
    const operation = new Operation(this.#nextOrdinal(), terms.facts, [terms.leg], start);
    const request = this.#request(operation, 0, { ...order, instrument: instrument.id, purpose: 'manual' });
    if (!ledger.reserve([request], this.#instrument)) {
      const { asset, amount } = ledger.needOf(instrument, request);
      const free = ledger.freeOf(instrument.venue, asset);
      return refused('BALANCE_INSUFFICIENT', `asset=${asset}, needed=${textOf(amount)}, free=${textOf(free)}`);
    }
    this.#enter(operation);
    this.#recordOperation(operation, route);
    this.#move(operation, 'executing');
    onPlaced?.(request.clientOrderId);
    this.#send(operation, [request]);
    return { kind: 'sent', order: request.clientOrderId, operation: operation.id };
  };

  /** Asks the venue to take an order back; what comes of it is told by events. */
  readonly cancelOrder = (id: ClientOrderId): Cancelled => {
    const { gateway, patience } = this.#options;
    const order = this.#orders.get(id);
    if (order === undefined) return { kind: 'unknown' };
    const { operation, status } = order;
    if (isAtRest(status)) return { kind: 'over', status };
    order.isCancelling = true;
    operation.probes = 0;
    this.#watch(operation, patience.probeAfterMs);
    gateway.cancel(id);
    return { kind: 'cancelling', operation: operation.id };
  };

  /** Orders of persons that are not over. */
  readonly restingOrders = (): readonly ClientOrderId[] => this.#resting.all();

  /** A person takes one of the ways out: the named one, or the cheapest that sends something. */
  readonly approveRecovery = (id: OperationId, proposal: string | undefined, word: Word): Approval => {
    const operation = this.#open.get(id);
    if (operation?.state !== 'escalated') return { kind: 'refused', reason: 'NOT_ASKED', detail: `operation=${id}` };
    const chosen = this.#escalations.proposal(id, proposal);
    if (chosen === undefined) {
      const offers = this.#escalations.offers(id).join(' ');
      return { kind: 'refused', reason: 'NOT_ON_OFFER', detail: `proposal=${proposal ?? 'any'}, offers=${offers}` };
    }
    if (chosen.orders.length > 0) return this.#approve(operation, chosen.orders, word);
    this.#escalations.close(id, 'approved', word);
    if (operation.isAtRest) this.#accept(operation, word);
    else this.#giveUp(operation, word);
    return { kind: 'done' };
  };

  /** A person takes things as they are: what is loose is inventory from now on, and orders in doubt count as over. */
  readonly cancelRecovery = (id: OperationId, word: Word): Approval => {
    const operation = this.#open.get(id);
    if (operation?.state !== 'escalated') return { kind: 'refused', reason: 'NOT_ASKED', detail: `operation=${id}` };
    this.#escalations.close(id, 'cancelled', word);
    for (const order of operation.orders) if (!isAtRest(order.status)) this.#setStatus(order, 'expired', 'given-up');
    this.#accept(operation, word);
    return { kind: 'done' };
  };

  /** Everything a venue says about an order, in any order, once or many times. */
  readonly onReport = (report: OrderReport): void => {
    if (this.#stopped) return;
    const order = this.#orders.get(report.clientOrderId);
    if (order === undefined) {
      this.anomalies += 1;
      return;
    }
    const isNews = this.#apply(order, report);
    if (!isNews) return;

    const { operation } = order;
    if (!operation.isOpen) {
      if (report.kind !== 'fill') return;
      this.#wake(operation);
    }
    if (operation.isAtRest) this.#onRest(operation, report);
    else if (operation.state === 'escalated' && isResting(order)) this.#restAfterAll(operation);
    else if (operation.timer === undefined) this.#watch(operation, this.#options.patience.reportWithinMs);
  };

  /**
   * Takes over what a dead process left: asks about every order that had no last word, then recovers as ever. What ended is known again, so that a late fill
   * finds it; of what is open or ended lately every order is asked about once, since such a fill may have come while nobody listened. `asked`: persons, by
   * operation.
   */
  readonly resume = (left: Left, asked: ReadonlyMap<string, EventData<'escalation'>> = NOBODY_ASKED): void => {
    for (const event of asked.values()) this.#escalations.restore(event);
    const late = left.ended.slice(-ENDED_MAX).flatMap((ended) => this.#rememberEnded(ended, left.atMs));
    const open = left.open.flatMap((operation) => this.#resumeOne(operation));
    this.#options.recorder.flush();
    for (const { request } of [...open, ...late.slice(-LATE_ORDERS_MAX)])
      this.#options.gateway.probe(request.clientOrderId);
  };

  /**
   * Nothing is sent, asked or written any more. What is open stays as the journal has it, and the next start takes it up: without books there is
   * nothing to recover on.
   */
  readonly stop = (): void => {
    this.#stopped = true;
    for (const operation of this.#open.values()) operation.timer?.cancel();
  };

  /** Returns the orders that may have filled since. */
  #rememberEnded(ended: OpenOperation, atMs: number): readonly Order[] {
    const { clock, instrumentOf } = this.#options;
    const operation = operationFrom(ended, instrumentOf, { ordinal: this.#nextOrdinal(), startedNs: clock.now() });
    if (operation === undefined) return [];
    for (const order of operation.orders) this.#orders.set(order.request.clientOrderId, order);
    operation.isEarlier = true;
    this.#keep(operation);
    return atMs - (ended.sinceMs ?? 0) <= LATELY_MS ? operation.orders : [];
  }

  /** Returns its orders: all of them are asked about. */
  #resumeOne(open: OpenOperation): readonly Order[] {
    const { clock, recorder, instrumentOf, ledger, patience } = this.#options;
    const operation = operationFrom(open, instrumentOf, { ordinal: this.#nextOrdinal(), startedNs: clock.now() });
    if (operation === undefined) {
      this.counts.failed += 1;
      const pnl = { realised: textOf(open.pnl.realised), fees: textOf(open.pnl.fees) };
      recorder.record('operation', open.id, {
        ...openFacts(open),
        state: 'failed',
        reason: 'INSTRUMENT_UNLISTED',
        pnl,
      });
      return [];
    }
    this.#enter(operation);
    this.#count(operation.state, 1);
    for (const order of operation.orders) this.#remember(order);
    if (operation.state === 'approved') {
      this.#end(operation, 'failed', 'NEVER_SENT');
      return [];
    }
    // Whoever reads from this start on must know at which rates its fills are booked.
    this.#recordOperation(operation, 'restart');
    const unknown = operation.orders.filter(({ status }) => !isAtRest(status));
    for (const order of unknown) {
      // It may still be live and take its worst case. Where the account does not bear that, there is nothing left to protect.
      ledger.reserve([order.request], this.#instrument);
      this.#setStatus(order, 'unknown', 'restart');
    }
    if (unknown.length === 0) this.#settle(operation);
    else this.#watch(operation, patience.probeAfterMs);
    return operation.orders;
  }

  readonly #instrument = (id: InstrumentId): Instrument => {
    const instrument = this.#options.instrumentOf(id);
    assert(instrument !== undefined, `an order is meant for an instrument that nobody knows: ${id}`);
    return instrument;
  };

  #nextOrdinal(): number {
    this.#ordinal += 1;
    return this.#ordinal;
  }

  #enter(operation: Operation): void {
    this.#open.set(operation.id, operation);
    this.counts.open += 1;
    if (!operation.isManual)
      for (const { instrument } of operation.legs)
        this.#busy.set(instrument.id, (this.#busy.get(instrument.id) ?? 0) + 1);
    this.#options.ledger.expose(operation.id, operation.facts.type, operation.exposures());
  }

  #leave(operation: Operation): void {
    this.#open.delete(operation.id);
    this.counts.open -= 1;
    for (const { instrument } of operation.isManual ? [] : operation.legs) {
      const users = this.#busy.get(instrument.id)! - 1;
      if (users === 0) this.#busy.delete(instrument.id);
      else this.#busy.set(instrument.id, users);
    }
    this.#options.ledger.unexpose(operation.id);
  }

  #request(operation: Operation, leg: number, order: OrderTerms, beside = 0): OrderRequest {
    const attempt = operation.attemptOf(leg) + beside;
    const { purpose, instrument, side, type, price, qty, timeInForce, postOnly, reduceOnly } = order;
    return {
      clientOrderId: clientOrderIdFrom({ epoch: this.#options.epoch, ordinal: operation.ordinal, leg, attempt }),
      operation: operation.id,
      leg,
      attempt,
      purpose,
      instrument,
      side,
      type,
      price,
      qty,
      timeInForce,
      ...(postOnly === undefined ? {} : { postOnly }),
      ...(reduceOnly === undefined ? {} : { reduceOnly }),
    };
  }

  /** Journal first, wire second; all orders in this tick. */
  #send(operation: Operation, requests: readonly OrderRequest[]): void {
    operation.sentNs = this.#options.clock.now();
    operation.sentFrom = operation.orders.length;
    for (const request of requests) {
      const order = operation.addOrder(request, this.#instrument(request.instrument), 'submitted');
      this.#remember(order);
      this.#recordOrder(order);
    }
    this.#options.recorder.flush();
    // A flush takes its time: what was open before it may be closed now.
    const closed = this.#options.fence?.();
    if (closed !== undefined) {
      this.#withdraw(operation, requests, closed);
      return;
    }
    operation.probes = 0;
    this.#watch(operation, this.#options.patience.reportWithinMs);
    this.#options.gateway.submit(requests);
  }

  #remember(order: Order): void {
    const { clientOrderId, timeInForce } = order.request;
    this.#orders.set(clientOrderId, order);
    if (timeInForce === 'GTC' && !isAtRest(order.status)) this.#resting.add(order);
  }

  /** Journalled and never sent. */
  #withdraw(operation: Operation, requests: readonly OrderRequest[], reason: string): void {
    for (const { clientOrderId } of requests) this.#setStatus(this.#orders.get(clientOrderId)!, 'canceled', reason);
    if (operation.state === 'executing') this.#end(operation, 'failed', reason);
    else this.#settleLater(operation);
  }

  /** Applies one report to its order; false when it says nothing new. */
  #apply(order: Order, report: OrderReport): boolean {
    if (report.kind !== 'not-found') order.notFound = 0;
    switch (report.kind) {
      case 'fill':
        return this.#applyFill(order, report.fill);
      case 'accepted':
        order.venueOrderId ??= report.venueOrderId;
        // An acknowledgement that a fill has overtaken says nothing new.
        return order.status !== 'accepted' && order.filledQty.isZero() && this.#setStatus(order, 'accepted', undefined);
      case 'rejected':
        return this.#setStatus(order, 'rejected', report.reason);
      case 'canceled':
      case 'expired':
        return this.#setStatus(order, report.kind, undefined);
      case 'unknown':
        if (order.status === 'unknown' || isAtRest(order.status)) return false;
        this.#setStatus(order, 'unknown', report.cause);
        this.#watch(order.operation, this.#options.patience.probeAfterMs);
        return true;
      case 'not-found':
        if (isAtRest(order.status) || this.#isYoung(order.operation)) return false;
        order.notFound += 1;
        return order.notFound >= NOT_FOUND_ENOUGH && this.#setStatus(order, 'expired', 'not-found');
    }
  }

  #isYoung({ sentNs }: Operation): boolean {
    const { clock, patience } = this.#options;
    return clock.now() - sentNs < patience.notFoundAfterMs * 1e6;
  }

  #applyFill(order: Order, fill: Fill): boolean {
    const { ledger, recorder } = this.#options;
    if (ledger.knows(fill)) return false;
    const { operation, request, instrument } = order;
    if (fill.instrument !== request.instrument || fill.side !== request.side) {
      this.anomalies += 1;
      return false;
    }
    const feeRate = this.#feeRateOf(fill, operation);
    recorder.record('fill', operation.id, fillEventOf(fill, operation.id, instrument, feeRate));
    const pnl = ledger.apply(fill, instrument, operation.rates, feeRate);
    operation.addFill(order, fill, pnl);
    const holding = operation.bond?.holding;
    if (holding !== undefined)
      this.#options.keeper?.closing(holding, instrument.id, closingOf(fillFactsOf(fill, instrument)), pnl);
    const isFull = order.filledQty.gte(request.qty);
    if (order.filledQty.gt(request.qty) || order.status === 'rejected') this.anomalies += 1;
    // Money that has moved is believed whatever was said before; an order that had ended stays ended unless this completes it.
    if (isFull) order.status = 'filled';
    else if (!isAtRest(order.status)) order.status = 'partially-filled';
    if (isAtRest(order.status)) this.#release(order);
    this.#recordOrder(order);
    return true;
  }

  #release(order: Order): void {
    this.#options.ledger.release(order.request.clientOrderId);
    this.#resting.remove(order);
  }

  /** For a fee in an asset that the plan did not count on. Worth nothing when nobody can say what it is worth: the fill is real all the same. */
  #feeRateOf({ feeAsset }: Fill, { rates }: Operation): Decimal | undefined {
    if (rates[feeAsset] !== undefined) return undefined;
    const rate = this.#options.rateOf?.(feeAsset);
    if (rate === undefined) this.anomalies += 1;
    return rate === undefined ? ZERO : new Decimal(rate);
  }

  #setStatus(order: Order, reported: OrderStatus, reason: string | undefined): boolean {
    if (order.status === reported) return false;
    const status = statusAfter(order.status, reported);
    if (status === 'anomaly') {
      // A last word after the last word is a repetition: only what contradicts a life still going on is strange.
      if (!isAtRest(order.status)) this.anomalies += 1;
      return false;
    }
    order.status = status;
    order.reason = reason;
    if (isAtRest(status)) this.#release(order);
    this.#recordOrder(order);
    return true;
  }

  #watch(operation: Operation, delayMs: number): void {
    operation.timer?.cancel();
    operation.timer = this.#options.clock.after(delayMs, () => {
      operation.timer = undefined;
      this.#onSilence(operation);
    });
  }

  /** Orders that should have ended by now are unknown until their venue has been asked. Asked often enough, a person is. */
  #onSilence(operation: Operation): void {
    const { gateway, recorder, patience } = this.#options;
    const working = operation.orders.filter(({ status }) => !isAtRest(status));
    const silent = working.filter((order) => !isResting(order));
    const isHopeless = operation.probes >= patience.probesMax;
    if (silent.length > 0 && isHopeless && operation.state !== 'escalated')
      this.#escalate(operation, doubtful(operation, silent));
    // An order that must not rest and is said to be live has outlived its time; so, perhaps, has one of which nothing is heard at all.
    const late = silent.filter((order) => isHopeless || isLive(order));
    for (const order of silent) if (order.status !== 'unknown') this.#setStatus(order, 'unknown', 'timeout');
    recorder.flush();
    operation.probes = silent.length === 0 ? 0 : operation.probes + 1;
    const isSlow = silent.length === 0 || isHopeless;
    const doubledMs = Math.min(patience.probeMaxMs, patience.probeAfterMs * 2 ** (operation.probes - 1));
    this.#watch(operation, isSlow ? patience.probeSlowlyMs : doubledMs);
    for (const { request } of late) gateway.cancel(request.clientOrderId);
    for (const { request } of working) gateway.probe(request.clientOrderId);
  }

  /** A person's order that was given up rests in its book. */
  #restAfterAll(operation: Operation): void {
    if (operation.orders.some((order) => !isAtRest(order.status) && !isResting(order))) return;
    this.#escalations.close(operation.id, 'settled');
    this.#move(operation, 'executing', 'resting');
  }

  /**
   * No order works any more. What stood against a round that has traded nothing mostly still does: the next one waits, longer each time. One that was
   * refused has asked the market nothing, and does not count.
   */
  #onRest(operation: Operation, { kind }: OrderReport): void {
    const sent = operation.orders.slice(operation.sentFrom);
    if (kind === 'fill' || operation.state !== 'recovering' || sent.some(({ filledQty }) => !filledQty.isZero())) {
      operation.idle = 0;
      this.#settle(operation);
      return;
    }
    const { recoverAfterMs, idleMaxMs } = this.#options.patience;
    operation.idle += 1;
    if (sent.every(({ status }) => status === 'rejected')) operation.round -= 1;
    this.#settleAfter(operation, Math.min(idleMaxMs, recoverAfterMs * 2 ** (operation.idle - 1)));
  }

  /** No order works any more: recovery decides what is left to do. */
  #settle(operation: Operation): void {
    operation.timer?.cancel();
    operation.timer = undefined;
    if (operation.isManual) {
      this.#endManual(operation);
      return;
    }
    const recovery = this.#options.decide(operation.view(this.#options.clock.now()));
    switch (recovery.kind) {
      case 'complete':
        this.#end(operation, 'completed', recovery.reason);
        return;
      case 'escalate':
        this.#escalate(operation, recovery);
        this.#settleLater(operation);
        return;
      case 'wait':
        // A person who is asked stays asked.
        if (operation.state !== 'escalated') this.#recover(operation, recovery.reason);
        this.#settleLater(operation);
        return;
      case 'send':
        this.#sendRecovery(operation, recovery.orders);
    }
  }

  #endManual(operation: Operation): void {
    const { status, reason, filledQty } = operation.orders.at(-1)!;
    if (status === 'rejected') this.#end(operation, 'failed', `REJECTED: ${reason ?? 'unlisted'}`);
    else this.#end(operation, 'completed', filledQty.isZero() ? 'unfilled' : undefined);
  }

  #escalate(operation: Operation, escalation: Escalation): void {
    if (operation.state !== 'escalated') this.#move(operation, 'escalated', escalation.reason);
    this.#escalations.ask(operation, escalation);
  }

  /** Recovery goes on: by itself, or on a person's word. */
  #recover(operation: Operation, reason: string | undefined): void {
    if (operation.state === 'recovering') return;
    this.#escalations.close(operation.id, 'settled');
    operation.recoveringNs ??= this.#options.clock.now();
    this.#move(operation, 'recovering', reason);
  }

  #sendRecovery(operation: Operation, orders: readonly RecoveryOrder[]): void {
    assert(orders.length > 0, 'recovery sends no order');
    const { fence, ledger } = this.#options;
    const closed = fence?.();
    if (closed !== undefined || orders.some(({ leg }) => operation.attemptOf(leg) >= ATTEMPTS_MAX)) {
      this.#escalate(operation, closed === undefined ? outOfIds(operation) : fenced(operation, closed));
      this.#settleLater(operation);
      return;
    }
    const requests = this.#requestsOf(operation, orders);
    if (!this.#makeWay(requests) || !ledger.reserve(requests, this.#instrument, operation.bond?.intent)) {
      this.#settleLater(operation);
      return;
    }
    this.#recover(operation, undefined);
    operation.round += 1;
    operation.waits = 0;
    this.#send(operation, requests);
  }

  /** Several orders of one leg count on from each other. */
  #requestsOf(operation: Operation, orders: readonly RecoveryOrder[]): readonly OrderRequest[] {
    return orders.map((order, at) => {
      const beside = orders.slice(0, at).filter(({ leg }) => leg === order.leg).length;
      return this.#request(operation, order.leg, { ...IOC, ...order }, beside);
    });
  }

  /** Whether no order would trade with one of ours that rests; what stands in the way is taken back first. */
  #makeWay(requests: readonly OrderRequest[]): boolean {
    const met = requests.flatMap(({ instrument, side, price }) => this.#resting.against(instrument, side, price));
    for (const { request, isCancelling } of met) if (!isCancelling) this.cancelOrder(request.clientOrderId);
    return met.length === 0;
  }

  #approve(operation: Operation, orders: readonly RecoveryOrder[], word: Word): Approval {
    const { fence, ledger } = this.#options;
    const closed = fence?.();
    if (closed !== undefined) return { kind: 'refused', reason: 'FENCED', detail: closed };
    if (orders.some(({ leg }) => operation.attemptOf(leg) >= ATTEMPTS_MAX))
      return { kind: 'refused', reason: 'ATTEMPTS_EXHAUSTED', detail: `operation=${operation.id}` };
    const requests = this.#requestsOf(operation, orders);
    if (!this.#makeWay(requests))
      return {
        kind: 'refused',
        reason: 'SELF_TRADE',
        detail: 'a resting order of ours is being cancelled: approve again',
      };
    if (!ledger.reserve(requests, this.#instrument, operation.bond?.intent))
      return { kind: 'refused', reason: 'BALANCE_INSUFFICIENT', detail: `operation=${operation.id}` };
    this.#escalations.close(operation.id, 'approved', word);
    this.#anew(operation);
    operation.round = 1;
    this.#move(operation, 'recovering', `approved by ${word.by}`);
    this.#send(operation, requests);
    return { kind: 'done' };
  }

  /** Orders in doubt count as over, and recovery goes on. */
  #giveUp(operation: Operation, word: Word): void {
    this.#anew(operation);
    this.#move(operation, 'recovering', `orders given up by ${word.by}`);
    for (const order of operation.orders) if (!isAtRest(order.status)) this.#setStatus(order, 'expired', 'given-up');
    this.#settle(operation);
  }

  /** What is loose is inventory. What the legs agree on is held as ever. */
  #accept(operation: Operation, word: Word): void {
    this.#end(operation, 'failed', `ACCEPTED: by=${word.by}`, true);
  }

  /** Recovery has all its means again. */
  #anew(operation: Operation): void {
    operation.round = 0;
    operation.waits = 0;
    operation.idle = 0;
    operation.probes = 0;
    operation.recoveringNs = this.#options.clock.now();
  }

  #settleLater(operation: Operation): void {
    const { patience } = this.#options;
    if (operation.state !== 'escalated') operation.waits += 1;
    const doubledMs = Math.min(patience.probeMaxMs, patience.recoverAfterMs * 2 ** (operation.waits - 1));
    this.#settleAfter(operation, operation.state === 'escalated' ? patience.askAgainMs : doubledMs);
  }

  #settleAfter(operation: Operation, delayMs: number): void {
    operation.timer?.cancel();
    operation.timer = this.#options.clock.after(delayMs, () => {
      operation.timer = undefined;
      this.#settle(operation);
    });
  }

  /** A fill that came after the end: the money is real, so the operation is open again. */
  #wake(operation: Operation): void {
    // One that ended before this start was not counted by it.
    if (operation.isEarlier) this.#count(operation.state, 1);
    operation.isEarlier = false;
    this.#ended.splice(this.#ended.indexOf(operation), 1);
    this.#anew(operation);
    this.#enter(operation);
    this.#move(operation, 'recovering', 'late-fill');
  }

  #move(operation: Operation, to: OperationState, reason?: string): void {
    this.#count(operation.state, -1);
    operation.move(to);
    this.#count(to, 1);
    this.#recordOperation(operation, reason);
  }

  #count(state: OperationState, change: 1 | -1): void {
    if (state !== 'approved' && state !== 'executing') this.counts[state] += change;
  }

  /** `isAccepted`: what is loose stays so on a person's word. */
  #end(operation: Operation, to: 'completed' | 'failed', reason: string | undefined, isAccepted = false): void {
    const { ledger, recorder } = this.#options;
    operation.timer?.cancel();
    operation.timer = undefined;
    this.#escalations.close(operation.id, 'settled');
    this.#count(operation.state, -1);
    operation.move(to);
    this.#count(to, 1);
    for (const order of operation.orders) this.#release(order);
    this.#leave(operation);
    const { bond } = operation;
    if (to === 'completed' || isAccepted) {
      for (const [asset, amount] of operation.takeResidues()) ledger.addDust(asset, amount);
      if (bond?.intent === 'enter') this.#options.keeper?.entered(operation);
    }
    this.#recordOperation(operation, reason);
    const { balances, positions } = ledger.changes();
    for (const balance of balances) recorder.record('balance', `${balance.venue}:${balance.asset}`, balance);
    for (const position of positions) recorder.record('position', position.id, position);
    this.#keep(operation);
    this.#options.onEnded?.(this.#endedOf(operation, to));
    if (bond?.holding !== undefined) this.#options.keeper?.exited(bond.holding);
  }

  #endedOf({ id, facts, bond, realised, startedNs }: Operation, state: Ended['state']): Ended {
    const carry = bond?.intent === 'enter' ? bond.carry.times(bond.units) : ZERO;
    return {
      operation: id,
      family: facts.type,
      state,
      notional: new Decimal(facts.notional),
      expected: new Decimal(facts.expected_profit).minus(carry),
      realised,
      durationMs: (this.#options.clock.now() - startedNs) / 1e6,
    };
  }

  #keep(operation: Operation): void {
    this.#ended.push(operation);
    if (this.#ended.length <= ENDED_MAX) return;
    for (const { request } of this.#ended.shift()!.orders) this.#orders.delete(request.clientOrderId);
  }

  #recordOperation(operation: Operation, reason?: string): void {
    const { realised, fees, facts, state, dust, isManual } = operation;
    const isOver = !operation.isOpen;
    this.#options.recorder.record('operation', operation.id, {
      ...facts,
      state,
      ...(reason === undefined ? {} : { reason }),
      ...(isOver ? { pnl: { realised: textOf(realised), fees: textOf(fees) } } : {}),
      ...(isOver && !isManual ? { attribution: attributionOf(operation) } : {}),
      ...(isOver ? { dust: ratesText(Object.fromEntries(dust)) } : {}),
    });
  }

  #recordOrder(order: Order): void {
    this.#options.recorder.record('order', order.operation.id, orderEventOf(order));
  }
}

const isLive = ({ status }: Order): boolean => status === 'accepted' || status === 'partially-filled';
/** It stands in its book and may. */
const isResting = (order: Order): boolean =>
  order.request.timeInForce === 'GTC' && !order.isCancelling && isLive(order);
