import { Decimal } from 'decimal.js';
import { assert } from '#shared/assert.ts';
import type { Clock } from '#shared/clock/clock.ts';
import type { Closing } from '#shared/domain/held.ts';
import type { InstrumentId, OperationId, OpportunityId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Fence, Fill, OrderGateway, OrderReport, OrderRequest, OrderStatus } from '#shared/domain/order.ts';
import type { OpenOperation, OperationView, Recovery, RecoveryOrder } from '#shared/domain/recovery.ts';
import type { FamilyId } from '#shared/domain/route.ts';
import type { Approved, OperationState, Plan } from '#shared/domain/trade.ts';
import { textOf, ZERO } from '#shared/money/grid.ts';
import type { Pnl } from '#shared/money/pnl.ts';
import { fillFactsOf } from '#shared/money/pnl.ts';
import { closingOf } from '#shared/money/position.ts';
import type { Recorder } from '#shared/schema/recorder.ts';
import { clientOrderIdFrom } from './client-order-id.ts';
import type { Ledger } from './ledger.ts';
import type { Order, OrdersById } from './operation.ts';
import { fillEventOf, Operation, orderEventOf } from './operation.ts';
import { isAtRest, statusAfter } from './order-status.ts';
import { openFacts, operationFrom, planFacts, ratesText, termsOf } from './operation-from.ts';

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
};

export const PATIENCE: Patience = {
  reportWithinMs: 1_000,
  probeAfterMs: 200,
  probeMaxMs: 5_000,
  probesMax: 12,
  recoverAfterMs: 250,
};

/** A venue that does not find an order is asked once more: the question may have overtaken the order. */
const NOT_FOUND_ENOUGH = 2;
const NO_DUST: ReadonlyMap<string, never> = new Map<string, never>();
/** Orders a leg: what its client order ids can count. */
const ATTEMPTS_MAX = 36;
/** Ended operations that a late fill can still find. Fewer than the journal's state remembers: what is told of one, it must know. */
const ENDED_MAX = 400;

/**
 * Sends all legs of an approved plan in one tick, follows their orders through any order of reports, and drives recovery until nothing
 * is open. Every transition is journalled before its effect. Holds no opinion about prices: those are the plan's and recovery's.
 */
export class Executor {
  readonly counts = { completed: 0, failed: 0, recovering: 0, open: 0 };
  /** Reports that make no sense: for orders we do not know, or against an order's life. */
  anomalies = 0;
  readonly #options: ExecutorOptions;
  readonly #orders: OrdersById = new Map();
  readonly #ended: Operation[] = [];
  readonly #open = new Map<string, Operation>();
  readonly #busy = new Map<InstrumentId, number>();
  #ordinal = 0;
  #stopped = false;

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  /** Whether an open operation trades the instrument. */
  readonly busy = (instrument: InstrumentId): boolean => this.#busy.has(instrument);

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
    const legs = plan.legs.map(({ instrument, side, price, qty }) => ({
      instrument: this.#instrument(instrument),
      side,
      price,
      qty,
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
    const requests = plan.legs.map((leg, at) => this.#request(operation, at, { ...leg, purpose: 'leg' }));
    if (!ledger.reserve(requests, this.#instrument, bond?.intent)) {
      this.#end(operation, 'failed', 'BALANCE_INSUFFICIENT');
      return;
    }
    this.#move(operation, 'executing');
    this.#send(operation, requests);
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
    if (operation.isAtRest) this.#settle(operation);
    else if (operation.timer === undefined) this.#watch(operation, this.#options.patience.reportWithinMs);
  };

  /** Takes over what a dead process left open: asks about every order that had no last word, then recovers as ever. */
  readonly resume = (left: readonly OpenOperation[]): void => {
    const unknown = left.flatMap((open) => this.#resumeOne(open));
    this.#options.recorder.flush();
    for (const { request } of unknown) this.#options.gateway.probe(request.clientOrderId);
  };

  /**
   * Nothing is sent, asked or written any more. What is open stays as the journal has it, and the next start takes it up: without books there is
   * nothing to recover on.
   */
  readonly stop = (): void => {
    this.#stopped = true;
    for (const operation of this.#open.values()) operation.timer?.cancel();
  };

  /** Returns the orders that must be asked about. */
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
    for (const order of operation.orders) this.#orders.set(order.request.clientOrderId, order);
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
    return unknown;
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
    if (operation.state === 'recovering') this.counts.recovering += 1;
    for (const { instrument } of operation.legs)
      this.#busy.set(instrument.id, (this.#busy.get(instrument.id) ?? 0) + 1);
    this.#options.ledger.expose(operation.id, operation.facts.type, operation.exposures());
  }

  #leave(operation: Operation): void {
    this.#open.delete(operation.id);
    this.counts.open -= 1;
    for (const { instrument } of operation.legs) {
      const users = this.#busy.get(instrument.id)! - 1;
      if (users === 0) this.#busy.delete(instrument.id);
      else this.#busy.set(instrument.id, users);
    }
    this.#options.ledger.unexpose(operation.id);
  }

  #request(
    operation: Operation,
    leg: number,
    order: Omit<RecoveryOrder, 'leg' | 'purpose'> & Pick<OrderRequest, 'purpose'>,
  ): OrderRequest {
    const attempt = operation.attemptOf(leg);
    return {
      clientOrderId: clientOrderIdFrom({ epoch: this.#options.epoch, ordinal: operation.ordinal, leg, attempt }),
      operation: operation.id,
      leg,
      attempt,
      purpose: order.purpose,
      instrument: operation.legs[leg]!.instrument.id,
      side: order.side,
      type: 'limit',
      price: order.price,
      qty: order.qty,
      timeInForce: 'IOC',
    };
  }

  /** Journal first, wire second; all orders in this tick. */
  #send(operation: Operation, requests: readonly OrderRequest[]): void {
    for (const request of requests) {
      const order = operation.addOrder(request, 'submitted');
      this.#orders.set(request.clientOrderId, order);
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
        if (isAtRest(order.status)) return false;
        order.notFound += 1;
        return order.notFound >= NOT_FOUND_ENOUGH && this.#setStatus(order, 'expired', 'not-found');
    }
  }

  #applyFill(order: Order, fill: Fill): boolean {
    const { ledger, recorder } = this.#options;
    if (ledger.knows(fill)) return false;
    const { operation, request } = order;
    const { instrument } = operation.legs[request.leg]!;
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
    if (isAtRest(order.status)) ledger.release(request.clientOrderId);
    this.#recordOrder(order);
    return true;
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
    if (isAtRest(status)) this.#options.ledger.release(order.request.clientOrderId);
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

  /** Orders that should have ended by now: they are unknown until their venue has been asked. Asked often enough, the operation fails. */
  #onSilence(operation: Operation): void {
    const { gateway, recorder, patience } = this.#options;
    const silent = operation.orders.filter(({ status }) => !isAtRest(status));
    if (operation.probes >= patience.probesMax) {
      for (const { request } of silent) gateway.cancel(request.clientOrderId);
      this.#end(
        operation,
        'failed',
        `ORDER_UNKNOWN: orders=${silent.map(({ request }) => request.clientOrderId).join(' ')}`,
      );
      return;
    }
    operation.probes += 1;
    const live = silent.filter(({ status }) => status === 'accepted' || status === 'partially-filled');
    for (const order of silent) if (order.status !== 'unknown') this.#setStatus(order, 'unknown', 'timeout');
    recorder.flush();
    this.#watch(operation, Math.min(patience.probeMaxMs, patience.probeAfterMs * 2 ** (operation.probes - 1)));
    // Ours are immediate-or-cancel: one that is said to be live has outlived its time.
    for (const { request } of live) gateway.cancel(request.clientOrderId);
    for (const { request } of silent) gateway.probe(request.clientOrderId);
  }

  /** No order works any more: recovery decides what is left to do. */
  #settle(operation: Operation): void {
    operation.timer?.cancel();
    operation.timer = undefined;
    const recovery = this.#options.decide(operation.view());
    switch (recovery.kind) {
      case 'complete':
        this.#end(operation, 'completed', recovery.reason);
        return;
      case 'fail':
        this.#end(operation, 'failed', recovery.reason);
        return;
      case 'wait':
        this.#recover(operation, recovery.reason);
        this.#settleLater(operation);
        return;
      case 'send':
        this.#sendRecovery(operation, recovery.orders);
    }
  }

  #recover(operation: Operation, reason: string | undefined): void {
    if (operation.state !== 'recovering') this.#move(operation, 'recovering', reason);
  }

  #sendRecovery(operation: Operation, orders: readonly RecoveryOrder[]): void {
    assert(orders.length > 0, 'recovery sends no order');
    const closed = this.#options.fence?.();
    this.#recover(operation, closed);
    if (closed !== undefined) {
      this.#settleLater(operation);
      return;
    }
    if (orders.some(({ leg }) => operation.attemptOf(leg) >= ATTEMPTS_MAX)) {
      this.#end(operation, 'failed', 'ATTEMPTS_EXHAUSTED');
      return;
    }
    const requests = orders.map((order) => this.#request(operation, order.leg, order));
    if (!this.#options.ledger.reserve(requests, this.#instrument, operation.bond?.intent)) {
      this.#settleLater(operation);
      return;
    }
    operation.round += 1;
    operation.waits = 0;
    this.#send(operation, requests);
  }

  #settleLater(operation: Operation): void {
    const { clock, patience } = this.#options;
    operation.waits += 1;
    operation.timer = clock.after(
      Math.min(patience.probeMaxMs, patience.recoverAfterMs * 2 ** (operation.waits - 1)),
      () => {
        operation.timer = undefined;
        this.#settle(operation);
      },
    );
  }

  /** A fill that came after the end: the money is real, so the operation is open again. */
  #wake(operation: Operation): void {
    this.counts[operation.state === 'completed' ? 'completed' : 'failed'] -= 1;
    this.#ended.splice(this.#ended.indexOf(operation), 1);
    operation.round = 0;
    operation.waits = 0;
    operation.probes = 0;
    this.#enter(operation);
    this.#move(operation, 'recovering', 'late-fill');
  }

  #move(operation: Operation, to: OperationState, reason?: string): void {
    operation.move(to);
    if (to === 'recovering') this.counts.recovering += 1;
    this.#recordOperation(operation, reason);
  }

  #end(operation: Operation, to: 'completed' | 'failed', reason: string | undefined): void {
    const { ledger, recorder } = this.#options;
    operation.timer?.cancel();
    operation.timer = undefined;
    if (operation.state === 'recovering') this.counts.recovering -= 1;
    operation.move(to);
    this.counts[to] += 1;
    for (const { request } of operation.orders) ledger.release(request.clientOrderId);
    this.#leave(operation);
    const { bond } = operation;
    // What a failed operation leaves is no dust: somebody must look at it.
    if (to === 'completed') {
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
    const { realised, fees, facts, state, bond, dust } = operation;
    const isOver = !operation.isOpen;
    this.#options.recorder.record('operation', operation.id, {
      ...facts,
      state,
      ...(reason === undefined ? {} : { reason }),
      ...(isOver ? { pnl: { realised: textOf(realised), fees: textOf(fees) } } : {}),
      ...(isOver && bond !== undefined ? { dust: ratesText(Object.fromEntries(dust)) } : {}),
    });
  }

  #recordOrder(order: Order): void {
    this.#options.recorder.record('order', order.operation.id, orderEventOf(order));
  }
}
