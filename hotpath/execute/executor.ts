import type { Decimal } from 'decimal.js';
import { assert } from '#shared/assert.ts';
import type { ClientOrderId, InstrumentId, OperationId, OpportunityId, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Fence, OrderGateway, OrderReport, OrderRequest, Standing } from '#shared/domain/order.ts';
import type { Left, OpenOperation, OperationView, Recovery, RecoveryOrder, Taking } from '#shared/domain/recovery.ts';
import type { Side } from '#shared/domain/route.ts';
import type { Approved, Plan, PlanLeg } from '#shared/domain/trade.ts';
import { sentLegs } from '#shared/domain/trade.ts';
import { textOf } from '#shared/money/grid.ts';
import type { EventData } from '#shared/schema/event.ts';
import { clientOrderIdFrom } from './client-order-id.ts';
import type { Word } from './escalations.ts';
import { doubtful } from './escalations.ts';
import type { Due } from './maker.ts';
import { dueOf, firstPrice, followPrice, hasMissed, holdOf } from './maker.ts';
import type { Cancelled, ManualOrder, Placed } from './manual.ts';
import { manualTerms, partsOf } from './manual.ts';
import type { Order } from './operation.ts';
import { Operation } from './operation.ts';
import { operationFrom, planFacts, termsOf } from './operation-from.ts';
import type { OperationsOptions, Share } from './operations.ts';
import { ENDED_MAX, Operations } from './operations.ts';
import { isAtRest, isLive, isResting } from './order-status.ts';
import type { Replaced } from './replacements.ts';
import { Replacements } from './replacements.ts';
import type { Approval, RecoveryPatience } from './recoveries.ts';
import { Recoveries } from './recoveries.ts';

export type ExecutorOptions = OperationsOptions & {
  readonly gateway: OrderGateway;
  readonly instrumentOf: (id: InstrumentId) => Instrument | undefined;
  /** The recover stage: what to do once no order of an operation works any more. Pure. */
  readonly decide: (view: OperationView) => Recovery;
  /** The id under which the journal knows a plan's opportunity. */
  readonly opportunityOf: (seen: OpportunityId) => OpportunityId;
  /** Counts starts of the engine: client order ids of two starts never meet. */
  readonly epoch: number;
  readonly patience: Patience;
  /** Asked in the tick in which orders would leave. */
  readonly fence?: Fence;
  /** Where others stand on a side of a book, for orders that make; undefined while nobody knows. */
  readonly bestOf?: (instrument: InstrumentId, side: Side) => Decimal | undefined;
};

export type Patience = RecoveryPatience & {
  /** An order without a last word after this long is unknown, and its venue is asked. */
  readonly reportWithinMs: number;
  /** First wait between probes of one operation; doubled each time up to the maximum. */
  readonly probeAfterMs: number;
  readonly probeMaxMs: number;
  readonly probesMax: number;
  /** How often a venue is asked about an order that rests, or that no probe has settled. */
  readonly probeSlowlyMs: number;
  /** That a venue does not find an order says nothing so soon after it was sent: it may be on its way, or not be listed yet. */
  readonly notFoundAfterMs: number;
  /** How long an order that makes may rest. */
  readonly makerMs: number;
  /** How often it is moved to where the market is; so many times at most. */
  readonly followEveryMs: number;
  readonly followsMax: number;
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
  makerMs: 10_000,
  followEveryMs: 500,
  followsMax: 10,
  idleMaxMs: 30_000,
};

const IOC = { type: 'limit', timeInForce: 'IOC' } as const;
const NOBODY_ASKED: ReadonlyMap<string, never> = new Map<string, never>();
const NO_DUST: ReadonlyMap<string, never> = new Map<string, never>();
/** What ended so short a time before a crash may have filled since; at most so many orders are asked about. */
const LATELY_MS = 60_000;
const LATE_ORDERS_MAX = 100;
/** Orders a leg that replace one another: recovery needs ids too. */
const REPLACED_MAX = 24;

type Denial = Extract<OrderReport, { readonly kind: 'not-found' }>;
type OrderTerms = Omit<OrderRequest, 'clientOrderId' | 'operation' | 'leg' | 'attempt'>;

/**
 * Sends all legs of an approved plan in one tick, follows their orders through any order of reports, and drives recovery until nothing
 * is open. Every transition is journalled before its effect. Holds no opinion about prices: those are the plan's and recovery's.
 */
export class Executor {
  readonly #options: ExecutorOptions;
  readonly #operations: Operations;
  readonly #recoveries: Recoveries;
  readonly #replacements: Replacements;
  #ordinal = 0;
  #stopped = false;

  constructor(options: ExecutorOptions) {
    const operations = new Operations(options);
    this.#options = options;
    this.#operations = operations;
    this.#recoveries = new Recoveries({
      ...options,
      operations,
      fence: this.#fence,
      wire: {
        requestsOf: this.#requestsOf,
        reserve: ({ bond }, requests) => options.ledger.reserve(requests, this.#instrument, bond?.intent),
        send: this.#send,
        cancel: (order) => void this.cancelOrder(order),
      },
    });
    this.#replacements = new Replacements({
      ...options,
      operations,
      fence: this.#fence,
      certainAfterMs: options.patience.notFoundAfterMs,
      cancel: (order) => void this.cancelOrder(order),
      watch: ({ operation }) => {
        operation.probes = 0;
        this.#watch(operation, options.patience.reportWithinMs);
      },
      sendAnew: this.#sendAnew,
    });
  }

  get counts(): Operations['counts'] {
    return this.#operations.counts;
  }

  /** Open operations of plans that no person is asked about. */
  get working(): number {
    return this.#operations.working;
  }

  /** Our orders that are open or were lately, and whether they are over as far as anybody here knows. */
  knownOrders(): readonly {
    readonly id: ClientOrderId;
    readonly instrument: InstrumentId;
    readonly isOver: boolean;
  }[] {
    return [...this.#operations.orders].map(({ request, status }) => ({
      id: request.clientOrderId,
      instrument: request.instrument,
      isOver: isAtRest(status),
    }));
  }

  /** Operations of plans that are open, and since when this process knows them. */
  get openSince(): readonly { readonly id: OperationId; readonly family: string; readonly sinceNs: TimeNs }[] {
    return [...this.#operations.open].flatMap(({ id, facts, isManual, startedNs }) =>
      isManual ? [] : { id, family: facts.type, sinceNs: startedNs },
    );
  }

  /** Reports that make no sense: for orders we do not know, or against an order's life. */
  get anomalies(): number {
    return this.#operations.anomalies;
  }

  /** Whether an operation works on the instrument. One that waits for a person does not, and a person's order is none. */
  readonly busy = (instrument: InstrumentId): boolean => this.#operations.busy(instrument);

  /** Whether nothing is going on by itself: what is open waits for a person, or for the market to come to a person's order. */
  get idle(): boolean {
    return this.#operations.idle;
  }

  /** Whether an order that turns dust into money is open. */
  get isFlushing(): boolean {
    return this.#operations.isFlushing;
  }

  /** Whose a position was that a venue has taken and no holding has, though a person may be asked about it. */
  readonly sharesOf = (taken: Pick<Taking, 'instrument' | 'side' | 'qty'>): readonly Share[] =>
    this.#operations.sharesOf(taken);

  /** A venue has taken so much of what an open operation has entered. Once none of its orders works any more, recovery looks at it anew. */
  readonly take = (id: OperationId, taking: Taking): void => {
    const operation = this.#operations.find(id);
    assert(operation !== undefined, 'what is taken of an operation is taken while it is open');
    operation.take(taking, this.#instrument(taking.instrument));
    if (this.#stopped) return;
    if (operation.isAtRest) this.#recoveries.settle(operation);
    else if (operation.state === 'executing') this.#follow(operation);
  };

  /** Whether an exit of the holding is open. */
  readonly isExiting = (holding: OperationId): boolean => this.#operations.isExiting(holding);

  /** Whether a leg could trade with one of our orders that are not over: one that takes with what rests, one that makes with whatever is on its way. */
  readonly restingAgainst = (leg: Pick<PlanLeg, 'instrument' | 'side' | 'price' | 'how'>): boolean =>
    this.#operations.workingOrders.against({ ...leg, timeInForce: leg.how === 'maker' ? 'GTC' : 'IOC' }).length > 0;

  /** The execute stage of the pipeline. */
  readonly submit = (plan: Approved<Plan>): void => {
    const { ledger } = this.#options;
    const { bond } = plan;
    const legs = plan.legs.map(({ instrument, side, price, qty, expectedPrice, beside }) => ({
      instrument: this.#instrument(instrument),
      side,
      price,
      qty,
      expectedPrice,
      ...(beside === undefined ? {} : { beside: beside.map((part) => part.instrument) }),
    }));
    const terms = termsOf(plan, this.#instrument);
    const facts = planFacts(plan, this.#options.opportunityOf(plan.opportunity), terms);
    const operation = new Operation(this.#nextOrdinal(), facts, legs, {
      state: 'approved',
      ...terms,
      dustTold: NO_DUST,
      startedNs: this.#options.clock.now(),
    });
    this.#operations.begin(operation);

    const closed = this.#fence();
    if (closed !== undefined) {
      this.#operations.end(operation, 'failed', closed);
      return;
    }
    const maker = plan.legs.findIndex(({ how }) => how === 'maker');
    const requests = plan.legs.flatMap((leg, at) => {
      if (maker === -1)
        return sentLegs([leg]).map((part, nth) =>
          this.#request(operation, at, { ...IOC, ...part, purpose: 'leg' }, nth),
        );
      // What follows a maker is not split.
      const price = at === maker ? firstPrice(legs[at]!, this.#bestOf(leg)) : leg.price;
      return [this.#request(operation, at, { ...IOC, ...leg, price, purpose: 'leg' })];
    });
    const [first, held] = maker === -1 ? [requests, []] : makerFirst(requests, maker);
    if (!ledger.reserve([...first, ...held], this.#instrument, bond?.intent)) {
      this.#operations.end(operation, 'failed', 'BALANCE_INSUFFICIENT');
      return;
    }
    this.#operations.move(operation, 'executing');
    this.#send(operation, first);
  };

  /**
   * Sends an order that no plan stands behind, or its parts on several venues: an operation of which nothing is recovered. `onPlaced` is told its first order,
   * and may journal what must stand in the journal before any leaves.
   */
  readonly submitManual = (order: ManualOrder, onPlaced?: (placed: ClientOrderId) => void): Placed => {
    const { clock, ledger, rateOf } = this.#options;
    const { route } = order;
    const parts = partsOf(order);
    const refused = (reason: Extract<Placed, { kind: 'refused' }>['reason'], detail: string): Placed => ({
      kind: 'refused',
      reason,
      detail,
    });
    const closed = this.#fence();
    if (closed !== undefined) return refused('FENCED', closed);
    const [met] = parts.flatMap(({ instrument, price }) =>
      this.#operations.workingOrders.against({ ...order, instrument: instrument.id, price }),
    );
    if (met !== undefined) return refused('SELF_TRADE', `order=${met.request.clientOrderId}`);
    const terms = manualTerms(order, (asset) => rateOf?.(asset));
    if (terms === undefined) return refused('RATE_UNKNOWN', `instrument=${order.instrument.id}`);

    const start = { state: 'approved', rates: terms.rates, dustTold: NO_DUST, startedNs: clock.now() } as const;
    const operation = new Operation(this.#nextOrdinal(), terms.facts, terms.legs, start);
    const requests = parts.map((part, at) =>
      this.#request(operation, at, { ...order, ...part, instrument: part.instrument.id, purpose: 'manual' }),
    );
    if (!ledger.reserve(requests, this.#instrument)) {
      const { asset, amount } = ledger.needOf(order.instrument, order);
      const free = ledger.freeOf(order.instrument.venue, asset);
      return refused('BALANCE_INSUFFICIENT', `asset=${asset}, needed=${textOf(amount)}, free=${textOf(free)}`);
    }
    this.#operations.begin(operation, route);
    this.#operations.move(operation, 'executing');
    const first = requests[0]!.clientOrderId;
    onPlaced?.(first);
    this.#send(operation, requests);
    return { kind: 'sent', order: first, operation: operation.id };
  };

  /** Asks the venue to take an order back; what comes of it is told by events. */
  readonly cancelOrder = (id: ClientOrderId): Cancelled => {
    const { gateway, patience } = this.#options;
    const order = this.#operations.orderOf(id);
    if (order === undefined) return { kind: 'unknown' };
    const { operation, status } = order;
    if (isAtRest(status)) return { kind: 'over', status };
    wantNothingInsteadOf(order);
    // Who asks again and again does not put off the questions.
    if (!order.isCancelling) {
      order.isCancelling = true;
      operation.probes = 0;
      this.#watch(operation, patience.probeAfterMs);
    }
    gateway.cancel(id);
    return { kind: 'cancelling', operation: operation.id };
  };

  /** Gives an order that rests another price or quantity; what comes of it is told by events. */
  readonly replaceOrder = (id: ClientOrderId, to: Partial<Standing>): Replaced => this.#replacements.replace(id, to);

  /** A resting order of ours as it stands; undefined when it is over, or nobody knows it. */
  readonly orderOf = (id: ClientOrderId): Pick<Order, 'request' | 'instrument' | 'filledQty'> | undefined => {
    const order = this.#operations.orderOf(id);
    return order === undefined || isAtRest(order.status) ? undefined : order;
  };

  /** Orders of persons that are not over. */
  readonly restingOrders = (): readonly ClientOrderId[] => this.#operations.workingOrders.resting();

  /** A person takes one of the ways out: the named one, or the cheapest that sends something. */
  readonly approveRecovery = (id: OperationId, proposal: string | undefined, word: Word): Approval =>
    this.#recoveries.approve(id, proposal, word);

  /** A person takes things as they are: what is loose is inventory from now on, and orders in doubt count as over. */
  readonly cancelRecovery = (id: OperationId, word: Word): Approval => this.#recoveries.cancel(id, word);

  /** Everything a venue says about an order, in any order, once or many times. */
  readonly onReport = (report: OrderReport): void => {
    if (this.#stopped) return;
    const operations = this.#operations;
    const order = operations.orderOf(report.clientOrderId);
    if (order === undefined) {
      operations.anomalies += 1;
      return;
    }
    const { operation } = order;
    if (report.kind === 'not-found' && this.#isEarly(report, operation)) return;
    const isSettled = this.#replacements.hear(order, report);
    const isNews = operations.apply(order, report) || isSettled;
    const { patience } = this.#options;
    // One more denial settles it. Of what was given up it says nothing, and recovery has a timer of its own by then.
    if (order.notFound === 1 && !isAtRest(order.status)) this.#watch(operation, patience.probeAfterMs);
    if (!isNews) return;

    if (!operation.isOpen) {
      if (report.kind !== 'fill') return;
      operations.wake(operation);
    }
    if (report.kind === 'fill') this.#replacements.hearLate(order);
    this.#replacements.succeed(order);
    if (operation.state === 'executing' && !operation.isManual) this.#follow(operation);
    if (operation.isAtRest) this.#recoveries.onRest(operation, report);
    else if (operation.state === 'escalated' && isResting(order)) this.#recoveries.restAfterAll(operation);
    else if (report.kind === 'unknown') this.#watch(operation, patience.probeAfterMs);
    else if (operation.timer === undefined) this.#watch(operation, patience.reportWithinMs);
  };

  /**
   * Takes over what a dead process left: asks about every order that had no last word, then recovers as ever. What ended is known again, so that a late fill
   * finds it; of what is open or ended lately every order is asked about once, since such a fill may have come while nobody listened. Nothing is sent before all
   * of it is known and reserved: an order that recovers one operation must not meet one of another. `asked`: persons, by operation.
   */
  readonly resume = (left: Left, asked: ReadonlyMap<string, EventData<'escalation'>> = NOBODY_ASKED): void => {
    this.#recoveries.restore(asked.values());
    const late = left.ended.slice(-ENDED_MAX).flatMap((ended) => this.#rememberEnded(ended, left.atMs));
    const open = left.open.flatMap((operation) => this.#takeOver(operation) ?? []);
    for (const operation of open) this.#goOn(operation);
    this.#options.recorder.flush();
    for (const { request } of [...open.flatMap(({ orders }) => orders), ...late.slice(-LATE_ORDERS_MAX)])
      this.#options.gateway.probe(request.clientOrderId);
  };

  /**
   * Nothing is sent, asked or written any more. What is open stays as the journal has it, and the next start takes it up: without books there is
   * nothing to recover on.
   */
  readonly stop = (): void => {
    this.#stopped = true;
    for (const operation of this.#operations.open) {
      operation.timer?.cancel();
      operation.chase?.cancel();
    }
  };

  /** Returns the orders that may have filled since. */
  #rememberEnded(ended: OpenOperation, atMs: number): readonly Order[] {
    const { clock, instrumentOf } = this.#options;
    const operation = operationFrom(ended, instrumentOf, { ordinal: this.#nextOrdinal(), startedNs: clock.now() });
    if (operation === undefined) return [];
    this.#operations.takeOverEnded(operation);
    return atMs - (ended.toldMs ?? 0) <= LATELY_MS ? operation.orders : [];
  }

  /** Undefined when there is nothing to go on with. */
  #takeOver(open: OpenOperation): Operation | undefined {
    const { clock, instrumentOf, ledger } = this.#options;
    const operation = operationFrom(open, instrumentOf, { ordinal: this.#nextOrdinal(), startedNs: clock.now() });
    const operations = this.#operations;
    if (operation === undefined) {
      this.#forsake(open);
      return undefined;
    }
    // What recovery had used up before a person was asked stays used up: it trades again on that person's word.
    if (operation.state === 'escalated')
      operation.continueFrom((clock.now() - (clock.unixMs(clock.now()) - (open.sinceMs ?? 0)) * 1e6) as TimeNs);
    operations.takeOver(operation);
    if (operation.state === 'approved') {
      operations.end(operation, 'failed', 'NEVER_SENT');
      return undefined;
    }
    for (const order of operation.orders) {
      if (isAtRest(order.status)) continue;
      // It may still be live and take its worst case. Where the account does not bear that, there is nothing left to protect.
      ledger.reserve([order.request], this.#instrument);
      // Where the account does not bear the change either, it is asked about all the same.
      if (order.replacing !== undefined && !this.#operations.replace(order, order.replacing))
        order.replacedNs = clock.now();
      this.#operations.setStatus(order, 'unknown', 'restart');
      // Nobody follows it any more.
      if (order === operation.maker) order.isCancelling = true;
    }
    return operation;
  }

  #goOn(operation: Operation): void {
    if (operation.isAtRest) this.#recoveries.settle(operation);
    else this.#watch(operation, this.#options.patience.probeAfterMs);
  }

  /** Without its instruments nothing can be traded for it. What may still be live is taken back, as far as its venue is known. */
  #forsake(open: OpenOperation): void {
    const working = open.orders.filter(({ status }) => !isAtRest(status));
    const isLoose = working.length > 0 || open.orders.some(({ fills }) => fills.length > 0);
    if (!isLoose) {
      this.#operations.dismiss(open);
      return;
    }
    this.#recoveries.forsake(open);
    for (const { request } of working) this.#options.gateway.cancel(request.clientOrderId);
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

  /** Several orders of one leg count on from each other. */
  readonly #requestsOf = (operation: Operation, orders: readonly RecoveryOrder[]): readonly OrderRequest[] =>
    orders.map((order, at) => {
      const beside = orders.slice(0, at).filter(({ leg }) => leg === order.leg).length;
      return this.#request(operation, order.leg, { ...IOC, ...order }, beside);
    });

  /** In the stead of an order that is over, for what is left of it. */
  readonly #sendAnew = ({ operation, request }: Order, standing: Standing): Order | undefined => {
    if (operation.attemptOf(request.leg) >= REPLACED_MAX) return undefined;
    const anew = this.#request(operation, request.leg, { ...request, ...standing });
    if (!this.#options.ledger.reserve([anew], this.#instrument, operation.bond?.intent)) return undefined;
    this.#send(operation, [anew]);
    return operation.orders.at(-1);
  };

  readonly #fence = (): string | undefined => (this.#stopped ? 'the engine has stopped' : this.#options.fence?.());

  /** Journal first, wire second; all orders in this tick. */
  readonly #send = (operation: Operation, requests: readonly OrderRequest[]): void => {
    const { clock, gateway, patience, recorder } = this.#options;
    operation.sentNs = clock.now();
    operation.sentFrom = operation.orders.length;
    for (const request of requests) this.#operations.addOrder(operation, request, this.#instrument(request.instrument));
    recorder.flush();
    // A flush takes its time: what was open before it may be closed now.
    const closed = this.#fence();
    if (closed !== undefined) {
      this.#withdraw(operation, closed);
      return;
    }
    operation.probes = 0;
    this.#watch(operation, patience.reportWithinMs);
    gateway.submit(requests);
  };

  /** Journalled and never sent. */
  #withdraw(operation: Operation, reason: string): void {
    for (const order of operation.orders.slice(operation.sentFrom))
      this.#operations.setStatus(order, 'canceled', reason);
    // What rests already is taken back when the others are found to have missed.
    if (!operation.isAtRest) return;
    const isFirst = operation.state === 'executing' && operation.sentFrom === 0;
    if (isFirst) this.#operations.end(operation, 'failed', reason);
    else this.#recoveries.settleLater(operation);
  }

  /** Sends of the other legs what the maker's fills call for. Where one of them has missed, the maker waits no longer. */
  #follow(operation: Operation): void {
    const { maker } = operation;
    if (maker === undefined) return;
    const due = dueOf(operation, maker);
    if (due.length > 0 && !hasMissed(operation, maker)) this.#sendDue(operation, due);
    if (hasMissed(operation, maker)) this.#takeBack(maker);
    else if (isResting(maker)) this.#chaseLater(operation);
  }

  /** Moves the maker's order to where the market is, as far as the plan bears. */
  #chase(operation: Operation): void {
    const { maker } = operation;
    if (this.#stopped || operation.state !== 'executing' || maker === undefined || !isResting(maker)) return;
    const { request } = maker;
    const best = this.#bestOf(request);
    const leg = operation.legs[request.leg]!;
    const price = best === undefined ? request.price : followPrice(leg, request.price, best);
    if (!price.eq(request.price)) {
      operation.follows += 1;
      this.replaceOrder(request.clientOrderId, { price });
    }
    this.#chaseLater(operation);
  }

  #chaseLater(operation: Operation): void {
    const { clock, patience, bestOf } = this.#options;
    if (bestOf === undefined || operation.chase !== undefined || operation.follows >= patience.followsMax) return;
    operation.chase = clock.after(patience.followEveryMs, () => {
      operation.chase = undefined;
      this.#chase(operation);
    });
  }

  #bestOf({ instrument, side }: Pick<OrderRequest, 'instrument' | 'side'>): Decimal | undefined {
    return this.#options.bestOf?.(instrument, side);
  }

  #sendDue(operation: Operation, due: readonly Due[]): void {
    const { ledger } = this.#options;
    const requests = due.map(({ at, leg, qty }) => {
      const terms = { ...IOC, ...leg, instrument: leg.instrument.id, qty, purpose: 'leg' } as const;
      return this.#request(operation, at, terms);
    });
    // What would trade with an order of ours is left to recovery, which makes way first.
    if (requests.some((request) => this.#operations.workingOrders.against(request).length > 0)) {
      this.#takeBack(operation.maker!);
      return;
    }
    const held = due.flatMap(({ at, later }, nth) =>
      later.gt(0) ? [{ ...requests[nth]!, clientOrderId: holdOf(operation.id, at), qty: later }] : [],
    );
    for (const { at } of due) ledger.release(holdOf(operation.id, at));
    // No more than was held: it is refused only where an account has lost what it had.
    if (ledger.reserve([...requests, ...held], this.#instrument, operation.bond?.intent))
      this.#send(operation, requests);
    else this.#takeBack(operation.maker!);
  }

  #takeBack(maker: Order): void {
    wantNothingInsteadOf(maker);
    if (!isAtRest(maker.status) && !maker.isCancelling) this.cancelOrder(maker.request.clientOrderId);
  }

  /** So soon after the order was sent a denial says nothing. */
  #isEarly({ askedTimeNs, receivedTimeNs }: Denial, { sentNs }: Operation): boolean {
    return (askedTimeNs ?? receivedTimeNs) - sentNs < this.#options.patience.notFoundAfterMs * 1e6;
  }

  /** How long until a denial says something; Infinity when it does already. */
  #certainInMs({ sentNs }: Operation): number {
    const { clock, patience } = this.#options;
    const leftMs = patience.notFoundAfterMs - (clock.now() - sentNs) / 1e6;
    return leftMs > 0 ? leftMs + 1 : Infinity;
  }

  #watch(operation: Operation, delayMs: number): void {
    operation.timer?.cancel();
    if (this.#stopped) return;
    operation.timer = this.#options.clock.after(delayMs, () => {
      operation.timer = undefined;
      this.#onSilence(operation);
    });
  }

  /** Orders that should have ended by now are unknown until their venue has been asked. Asked often enough, a person is. */
  #onSilence(operation: Operation): void {
    const { clock, gateway, recorder, patience } = this.#options;
    const { maker } = operation;
    const restsMs = maker === undefined ? Infinity : patience.makerMs - (clock.now() - operation.startedNs) / 1e6;
    if (maker !== undefined && restsMs <= 0) {
      wantNothingInsteadOf(maker);
      maker.isCancelling = true;
    }
    const working = operation.orders.filter(({ status }) => !isAtRest(status));
    const silent = working.filter((order) => !isResting(order));
    const isHopeless = operation.probes >= patience.probesMax;
    if (silent.length > 0 && isHopeless && operation.state !== 'escalated')
      this.#recoveries.escalate(operation, doubtful(operation, silent));
    // An order that must not rest and is said to be live has outlived its time; so, perhaps, has one of which nothing is heard at all.
    const late = silent.filter((order) => isHopeless || (isLive(order) && order.replacing?.how !== 'in-place'));
    for (const order of silent) if (order.status !== 'unknown') this.#operations.setStatus(order, 'unknown', 'timeout');
    recorder.flush();
    operation.probes = silent.length === 0 ? 0 : operation.probes + 1;
    const isSlow = silent.length === 0 || isHopeless;
    const doubledMs = Math.min(patience.probeMaxMs, patience.probeAfterMs * 2 ** (operation.probes - 1));
    const nextMs = isSlow ? patience.probeSlowlyMs : Math.min(doubledMs, this.#certainInMs(operation));
    // Not a rounding error later: that would be now, for ever.
    this.#watch(operation, restsMs > 0 ? Math.max(1, Math.min(nextMs, restsMs)) : nextMs);
    for (const { request } of late) gateway.cancel(request.clientOrderId);
    for (const { request } of working) gateway.probe(request.clientOrderId);
  }
}

/** It may be on its way out already, to make room for another one. */
function wantNothingInsteadOf(order: Order): void {
  if (order.replacing?.how === 'anew') order.replacing = undefined;
}

/** The maker's order by itself, and what the other legs hold back until its fills call for them. */
function makerFirst(
  requests: readonly OrderRequest[],
  maker: number,
): readonly [readonly OrderRequest[], readonly OrderRequest[]] {
  const first: OrderRequest = { ...requests[maker]!, timeInForce: 'GTC', postOnly: true };
  const held = requests.flatMap((request, at) =>
    at === maker ? [] : [{ ...request, clientOrderId: holdOf(request.operation, at) }],
  );
  return [[first], held];
}
