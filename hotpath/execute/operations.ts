import { Decimal } from 'decimal.js';
import { assert } from '#shared/assert.ts';
import type { Clock } from '#shared/clock/clock.ts';
import type { Closing } from '#shared/domain/held.ts';
import type { ClientOrderId, InstrumentId, OperationId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Fill, OrderReport, OrderRequest, OrderStatus, Standing } from '#shared/domain/order.ts';
import type { OpenOperation, Taking } from '#shared/domain/recovery.ts';
import type { OperationState } from '#shared/domain/trade.ts';
import type { Qty } from '#shared/money/grid.ts';
import { compare } from '#shared/money/exact.ts';
import { textOf, ZERO } from '#shared/money/grid.ts';
import type { Pnl } from '#shared/money/pnl.ts';
import { fillFactsOf } from '#shared/money/pnl.ts';
import { closingOf } from '#shared/money/position.ts';
import type { Recorder } from '#shared/schema/recorder.ts';
import { attributionOf } from './attribution.ts';
import { balanceText, fillText, operationText, orderText } from './event-text.ts';
import type { Ledger } from './ledger.ts';
import { holdOf } from './maker.ts';
import type { Operation, Order, Replacing } from './operation.ts';
import { DUST_ROUTE, fillEventOf, MANUAL, mostOf, orderEventOf, restate } from './operation.ts';
import { openFacts, ratesText } from './operation-from.ts';
import { isAtRest, statusAfter } from './order-status.ts';
import { WorkingOrders } from './working-orders.ts';

export type OperationsOptions = {
  readonly clock: Clock;
  readonly ledger: Ledger;
  readonly recorder: Recorder;
  /** Value of an asset in the numeraire, for fees in one that no plan counted on; undefined when nobody can say. */
  readonly rateOf?: (asset: string) => number | undefined;
  /** Who keeps what sum operations enter. */
  readonly keeper?: HoldingKeeper;
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

/** A venue that does not find an order is asked once more: the question may have overtaken the order. */
const NOT_FOUND_ENOUGH = 2;
/** Ended operations that a late fill can still find. Fewer than the journal's state remembers: what is told of one, it must know. */
export const ENDED_MAX = 400;

/** Before the reason why a venue did not replace an order. */
const KEPT = 'kept: ';
const UNLISTED = 'INSTRUMENT_UNLISTED';

/** A part of what a venue has taken; `id` is undefined where no open operation has it. */
export type Share = { readonly id: OperationId | undefined; readonly qty: Decimal };

/** What has become of every operation and order of this run: each change is journalled, booked and counted here, and nothing is sent. */
export class Operations {
  readonly counts = { completed: 0, failed: 0, recovering: 0, escalated: 0, open: 0 };
  /** Open operations of plans that no person is asked about. */
  working = 0;
  /** Reports that make no sense: for orders we do not know, or against an order's life. */
  anomalies = 0;
  /** Our orders that are not over. */
  readonly workingOrders = new WorkingOrders();
  readonly #options: OperationsOptions;
  readonly #orders = new Map<ClientOrderId, Order>();
  /** In the order in which they ended. */
  readonly #ended = new Set<Operation>();
  readonly #open = new Map<OperationId, Operation>();
  readonly #forsaken = new Map<OperationId, OpenOperation>();
  readonly #busy = new Map<InstrumentId, number>();

  constructor(options: OperationsOptions) {
    this.#options = options;
  }

  /** Those that are not over. */
  get open(): Iterable<Operation> {
    return this.#open.values();
  }

  find(id: OperationId): Operation | undefined {
    return this.#open.get(id);
  }

  orderOf(id: ClientOrderId): Order | undefined {
    return this.#orders.get(id);
  }

  /** Orders that are open or were lately. */
  get orders(): Iterable<Order> {
    return this.#orders.values();
  }

  /** Whether an operation works on the instrument. */
  readonly busy = (instrument: InstrumentId): boolean => this.#busy.has(instrument);

  /** Whether nothing is going on by itself: what is open waits for a person, or for the market to come to a person's order. */
  get idle(): boolean {
    for (const { state, facts } of this.#open.values())
      if (state !== 'escalated' && facts.route !== MANUAL) return false;
    return true;
  }

  get isFlushing(): boolean {
    for (const { facts } of this.#open.values()) if (facts.route === DUST_ROUTE) return true;
    return false;
  }

  isExiting(holding: OperationId): boolean {
    for (const { bond } of this.#open.values()) if (bond?.holding === holding) return true;
    return false;
  }

  /**
   * Whose a position was that a venue has taken and no holding has: of each open operation as much as is known to be its, the oldest first; then as much as
   * orders of theirs may have entered of which nothing was heard yet. The rest was of nobody.
   */
  sharesOf(taken: Pick<Taking, 'instrument' | 'side' | 'qty'>): readonly Share[] {
    const shares = new Map<OperationId | undefined, Decimal>();
    let left: Decimal = taken.qty;
    for (const sizeOf of [(each: Operation) => each.takeable(taken), (each: Operation) => each.untold(taken)])
      for (const operation of this.#open.values()) {
        const qty = Decimal.min(left, sizeOf(operation));
        if (qty.isZero()) continue;
        shares.set(operation.id, qty.plus(shares.get(operation.id) ?? ZERO));
        left = left.minus(qty);
      }
    if (!left.isZero()) shares.set(undefined, left);
    return [...shares].map(([id, qty]) => ({ id, qty }));
  }

  /** Begins an operation. */
  begin(operation: Operation, reason?: string): void {
    this.#enter(operation);
    this.#recordOperation(operation, reason);
  }

  /** Takes over what another start has left open. */
  takeOver(operation: Operation): void {
    this.#enter(operation);
    this.#count(operation.state, 1);
    for (const order of operation.orders) this.#remember(order);
    // Whoever reads from this start on must know at which rates its fills are booked.
    if (operation.state !== 'approved') this.#recordOperation(operation, 'restart');
  }

  /** Takes over what another start has ended: a late fill may still wake it. */
  takeOverEnded(operation: Operation): void {
    for (const order of operation.orders) this.#orders.set(order.request.clientOrderId, order);
    operation.isEarlier = true;
    this.#keep(operation);
  }

  /** What another start has left open, of instruments that nobody lists any more: nothing but a person's word ends it. */
  forsake(open: OpenOperation): void {
    this.#forsaken.set(open.id, open);
    this.counts.open += 1;
    this.#count('escalated', 1);
    this.#options.recorder.record('operation', open.id, { ...openFacts(open), state: 'escalated', reason: UNLISTED });
  }

  isForsaken(id: OperationId): boolean {
    return this.#forsaken.has(id);
  }

  endForsaken(id: OperationId, reason: string): void {
    const open = this.#forsaken.get(id)!;
    this.#forsaken.delete(id);
    this.counts.open -= 1;
    this.#count('escalated', -1);
    this.dismiss(open, reason);
  }

  /** Ends what nothing can be done for, and nothing need be. */
  dismiss(open: OpenOperation, reason = UNLISTED): void {
    this.#count('failed', 1);
    const pnl = { realised: textOf(open.pnl.realised), fees: textOf(open.pnl.fees) };
    this.#options.recorder.record('operation', open.id, { ...openFacts(open), state: 'failed', reason, pnl });
  }

  /** An order of an operation, in the journal; the next flush makes it last. */
  addOrder(operation: Operation, request: OrderRequest, instrument: Instrument): void {
    const order = operation.addOrder(request, instrument, 'submitted');
    this.#remember(order);
    this.#recordOrder(order);
  }

  /** A legal transition, in the journal. */
  move(operation: Operation, to: OperationState, reason?: string): void {
    this.#shift(operation, to);
    this.#recordOperation(operation, reason);
  }

  /** `isAccepted`: what is loose stays so on a person's word. */
  end(operation: Operation, to: 'completed' | 'failed', reason: string | undefined, isAccepted = false): void {
    const { ledger, recorder } = this.#options;
    operation.timer?.cancel();
    operation.timer = undefined;
    this.#shift(operation, to);
    for (const order of operation.orders) this.#release(order);
    for (const at of operation.legs.keys()) ledger.release(holdOf(operation.id, at));
    this.#leave(operation);
    const { bond } = operation;
    // Dust is sold when it is worth it; what a person has accepted is not sold behind his back.
    if (to === 'completed') for (const [asset, amount] of operation.takeResidues()) ledger.addDust(asset, amount);
    if ((to === 'completed' || isAccepted) && bond?.intent === 'enter') this.#options.keeper?.entered(operation);
    this.#recordOperation(operation, reason);
    const { balances, positions } = ledger.changes();
    for (const balance of balances)
      recorder.record('balance', `${balance.venue}:${balance.asset}`, balance, balanceText(balance));
    for (const position of positions) recorder.record('position', position.id, position);
    this.#keep(operation);
    if (bond?.holding !== undefined) this.#options.keeper?.exited(bond.holding);
  }

  /** A fill that came after the end: the money is real, so the operation is open again. */
  wake(operation: Operation): void {
    // One that ended before this start was not counted by it.
    if (operation.isEarlier) this.#count(operation.state, 1);
    operation.isEarlier = false;
    this.#ended.delete(operation);
    operation.startAnew(this.#options.clock.now());
    this.#enter(operation);
    this.move(operation, 'recovering', 'late-fill');
  }

  /** Applies one report to its order; false when it says nothing new. */
  apply(order: Order, report: OrderReport): boolean {
    if (report.kind !== 'not-found') order.notFound = 0;
    switch (report.kind) {
      case 'fill':
        return this.#applyFill(order, report.fill);
      case 'accepted':
        order.venueOrderId ??= report.venueOrderId;
        if (order.filledQty.isZero())
          return order.status !== 'accepted' && this.setStatus(order, 'accepted', undefined);
        // An acknowledgement that a fill has overtaken says nothing new, but of an order of which nothing was known.
        return order.status === 'unknown' && this.setStatus(order, 'partially-filled', undefined);
      case 'kept':
        return false;
      case 'rejected':
        return this.setStatus(order, 'rejected', report.reason);
      case 'canceled':
      case 'expired':
        // Full as it stood: it was to be more, and has not become so.
        return this.setStatus(order, order.filledQty.gte(order.request.qty) ? 'filled' : report.kind, undefined);
      case 'unknown':
        return !isAtRest(order.status) && this.setStatus(order, 'unknown', report.cause);
      case 'not-found':
        if (isAtRest(order.status)) return false;
        order.notFound += 1;
        return order.notFound >= NOT_FOUND_ENOUGH && this.setStatus(order, 'expired', 'not-found');
    }
  }

  setStatus(order: Order, reported: OrderStatus, reason: string | undefined): boolean {
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

  /** An order is to become another: both are reserved for, and the journal says it; the next flush makes it last. False when the account does not bear it. */
  replace(order: Order, replacing: Replacing): boolean {
    if (replacing.how === 'in-place' && !this.#amend(order, [order.request, replacing], 'wish')) return false;
    order.replacing = replacing;
    order.reason = undefined;
    order.replacedNs = this.#options.clock.now();
    this.#recordOrder(order);
    return true;
  }

  /** An order is over, and another one was sent in its stead. */
  succeed(order: Order, successor: Order): void {
    order.successor = successor;
    this.#recordOrder(order);
  }

  /** How an order that was to be replaced stands now; `kept` says why it stands as before. */
  settleReplacement(order: Order, standing: Standing, kept?: string): void {
    order.replacing = undefined;
    order.reason = kept === undefined ? undefined : `${KEPT}${kept}`;
    restate(order, standing);
    if (!isAtRest(order.status)) {
      this.#amend(order, [standing], 'fact');
      if (order.filledQty.gte(standing.qty)) {
        order.status = 'filled';
        this.#release(order);
      }
    }
    this.#recordOrder(order);
  }

  /** Reserves the worst that is left of what an order may be. */
  #amend(
    { request: { clientOrderId, side }, instrument, filledQty }: Order,
    standings: readonly Standing[],
    as: 'wish' | 'fact',
  ): boolean {
    const left = standings.map(({ price, qty }) => ({
      side,
      price,
      qty: Decimal.max(ZERO, qty.minus(filledQty)) as Qty,
    }));
    return this.#options.ledger.amend(clientOrderId, instrument, left, as);
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
    const data = fillEventOf(fill, operation.id, instrument, feeRate);
    recorder.record('fill', operation.id, data, fillText(data));
    const pnl = ledger.apply(fill, instrument, operation.rates, feeRate);
    operation.addFill(order, fill, pnl);
    const holding = operation.bond?.holding;
    if (holding !== undefined)
      this.#options.keeper?.closing(holding, instrument.id, closingOf(fillFactsOf(fill, instrument)), pnl);
    const most = mostOf(order);
    const over = compare(order.filledQty, most);
    const isFull = over >= 0;
    if (over > 0 || order.status === 'rejected') this.anomalies += 1;
    // Money that has moved is believed whatever was said before; an order that had ended stays ended unless this completes it.
    if (isFull) order.status = 'filled';
    else if (!isAtRest(order.status)) order.status = 'partially-filled';
    if (isAtRest(order.status)) this.#release(order);
    this.#recordOrder(order);
    return true;
  }

  #release(order: Order): void {
    if (order.replacing?.how === 'in-place') order.replacing = undefined;
    this.#options.ledger.release(order.request.clientOrderId);
    this.workingOrders.remove(order);
  }

  /** For a fee in an asset that the plan did not count on. Worth nothing when nobody can say what it is worth: the fill is real all the same. */
  #feeRateOf({ feeAsset }: Fill, { rates }: Operation): Decimal | undefined {
    if (rates[feeAsset] !== undefined) return undefined;
    const rate = this.#options.rateOf?.(feeAsset);
    if (rate === undefined) this.anomalies += 1;
    return rate === undefined ? ZERO : new Decimal(rate);
  }

  #enter(operation: Operation): void {
    assert(!this.#open.has(operation.id), 'an operation is submitted twice');
    this.#open.set(operation.id, operation);
    this.counts.open += 1;
    if (isWorking(operation)) this.#occupy(operation);
    this.#options.ledger.expose(operation.id, operation.facts.type, operation.exposures());
  }

  #leave(operation: Operation): void {
    this.#open.delete(operation.id);
    this.counts.open -= 1;
    this.#options.ledger.unexpose(operation.id);
  }

  #shift(operation: Operation, to: OperationState): void {
    const wasWorking = isWorking(operation);
    this.#count(operation.state, -1);
    operation.move(to);
    this.#count(to, 1);
    if (wasWorking && !isWorking(operation)) this.#vacate(operation);
    else if (!wasWorking && isWorking(operation)) this.#occupy(operation);
  }

  #count(state: OperationState, change: 1 | -1): void {
    if (state !== 'approved' && state !== 'executing') this.counts[state] += change;
  }

  #occupy({ touched }: Operation): void {
    this.working += 1;
    for (const id of touched) this.#busy.set(id, (this.#busy.get(id) ?? 0) + 1);
  }

  #vacate({ touched }: Operation): void {
    this.working -= 1;
    for (const id of touched) {
      const users = this.#busy.get(id)! - 1;
      if (users === 0) this.#busy.delete(id);
      else this.#busy.set(id, users);
    }
  }

  #remember(order: Order): void {
    this.#orders.set(order.request.clientOrderId, order);
    if (!isAtRest(order.status)) this.workingOrders.add(order);
  }

  #keep(operation: Operation): void {
    this.#ended.add(operation);
    if (this.#ended.size <= ENDED_MAX) return;
    for (const oldest of this.#ended) {
      this.#ended.delete(oldest);
      for (const { request } of oldest.orders) this.#orders.delete(request.clientOrderId);
      break;
    }
  }

  #recordOperation(operation: Operation, reason?: string): void {
    const { realised, fees, facts, state, dust, isManual } = operation;
    const isOver = !operation.isOpen;
    const news = {
      state,
      ...(reason === undefined ? {} : { reason }),
      ...(isOver ? { pnl: { realised: textOf(realised), fees: textOf(fees) } } : {}),
      ...(isOver && !isManual ? { attribution: attributionOf(operation) } : {}),
      ...(isOver ? { dust: ratesText(Object.fromEntries(dust)) } : {}),
    };
    const text = operationText(operation.factsText, news);
    this.#options.recorder.record('operation', operation.id, { ...facts, ...news }, text);
  }

  #recordOrder(order: Order): void {
    const data = orderEventOf(order);
    this.#options.recorder.record('order', order.operation.id, data, orderText(order.factsText, data));
  }
}

/** Whether it counts on the books of its legs. Not while a person is asked, who may take long; a person's own order counts on none. */
const isWorking = ({ state, isManual }: Operation): boolean =>
  !isManual && (state === 'approved' || state === 'executing' || state === 'recovering');
