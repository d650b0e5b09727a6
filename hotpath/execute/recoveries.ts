import { assert } from '#shared/assert.ts';
import type { Clock } from '#shared/clock/clock.ts';
import type { ClientOrderId, OperationId } from '#shared/domain/ids.ts';
import type { Fence, OrderReport, OrderRequest } from '#shared/domain/order.ts';
import type { Escalation, OpenOperation, OperationView, Recovery, RecoveryOrder } from '#shared/domain/recovery.ts';
import type { EventData } from '#shared/schema/event.ts';
import type { Recorder } from '#shared/schema/recorder.ts';
import type { Word } from './escalations.ts';
import { Escalations, fenced, outOfIds, unlisted } from './escalations.ts';
import type { Operation } from './operation.ts';
import type { Operations } from './operations.ts';
import { isAtRest, isResting } from './order-status.ts';

export type RecoveriesOptions = {
  readonly clock: Clock;
  readonly recorder: Recorder;
  readonly operations: Operations;
  /** The recover stage: what to do once no order of an operation works any more. Pure. */
  readonly decide: (view: OperationView) => Recovery;
  readonly epoch: number;
  readonly patience: RecoveryPatience;
  readonly fence: Fence;
  readonly wire: Wire;
};

/** How orders of recovery leave. */
export type Wire = {
  readonly requestsOf: (operation: Operation, orders: readonly RecoveryOrder[]) => readonly OrderRequest[];
  /** False when an account does not bear them. */
  readonly reserve: (operation: Operation, requests: readonly OrderRequest[]) => boolean;
  readonly send: (operation: Operation, requests: readonly OrderRequest[]) => void;
  readonly cancel: (order: ClientOrderId) => void;
};

export type RecoveryPatience = {
  /** First wait when recovery could not send anything; doubled each time up to `probeMaxMs`. */
  readonly recoverAfterMs: number;
  readonly probeMaxMs: number;
  /** How often recovery looks again while a person is asked. */
  readonly askAgainMs: number;
  /** The longest wait after rounds of recovery that have traded nothing. */
  readonly idleMaxMs: number;
};

/** What came of a person's word. */
export type Approval =
  | { readonly kind: 'done' }
  | {
      readonly kind: 'refused';
      readonly reason:
        'NOT_ASKED' | 'NOT_ON_OFFER' | 'FENCED' | 'ATTEMPTS_EXHAUSTED' | 'SELF_TRADE' | 'BALANCE_INSUFFICIENT';
      readonly detail: string;
    };

/** Orders a leg: what its client order ids can count. */
const ATTEMPTS_MAX = 36;

const ASK_AGAIN = 'an order of ours rests in the way and is being cancelled: approve again';

/**
 * Brings operations to their end once none of their orders works any more: as recovery decides, by itself or on a person's word. Sends through `wire` what is
 * decided, and nothing else.
 */
export class Recoveries {
  readonly #options: RecoveriesOptions;
  readonly #operations: Operations;
  readonly #escalations: Escalations;

  constructor(options: RecoveriesOptions) {
    this.#options = options;
    this.#operations = options.operations;
    this.#escalations = new Escalations(options.recorder, options.clock, options.epoch);
  }

  /** Takes over what persons were asked before a restart. */
  restore(asked: Iterable<EventData<'escalation'>>): void {
    for (const event of asked) this.#escalations.restore(event);
  }

  /**
   * No order works any more. What stood against a round that has traded nothing mostly still does: the next one waits, longer each time. One that was
   * refused has asked the market nothing, and does not count.
   */
  onRest(operation: Operation, { kind }: OrderReport): void {
    const sent = operation.orders.slice(operation.sentFrom);
    if (kind === 'fill' || operation.state !== 'recovering' || sent.some(({ filledQty }) => !filledQty.isZero())) {
      operation.idle = 0;
      this.settle(operation);
      return;
    }
    const { recoverAfterMs, idleMaxMs } = this.#options.patience;
    operation.idle += 1;
    if (sent.every(({ status }) => status === 'rejected')) operation.round -= 1;
    this.#settleAfter(operation, Math.min(idleMaxMs, recoverAfterMs * 2 ** (operation.idle - 1)));
  }

  /** No order works any more: recovery decides what is left to do. */
  settle(operation: Operation): void {
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
        this.escalate(operation, recovery);
        this.settleLater(operation);
        return;
      case 'wait':
        // A person who is asked stays asked.
        if (operation.state !== 'escalated') this.#recover(operation, recovery.reason);
        this.settleLater(operation);
        return;
      case 'send':
        this.#sendRecovery(operation, recovery.orders);
    }
  }

  /** Asks again after a while: longer each time, or every few seconds while a person is asked. */
  settleLater(operation: Operation): void {
    const { patience } = this.#options;
    if (operation.state !== 'escalated') operation.waits += 1;
    const doubledMs = Math.min(patience.probeMaxMs, patience.recoverAfterMs * 2 ** (operation.waits - 1));
    this.#settleAfter(operation, operation.state === 'escalated' ? patience.askAgainMs : doubledMs);
  }

  #settleAfter(operation: Operation, delayMs: number): void {
    operation.timer?.cancel();
    operation.timer = this.#options.clock.after(delayMs, () => {
      operation.timer = undefined;
      this.settle(operation);
    });
  }

  /** Nothing can be traded for it: a person is asked. */
  forsake(open: OpenOperation): void {
    this.#operations.forsake(open);
    this.#escalations.ask(open, unlisted(open));
  }

  /** A person takes one of the ways out: the named one, or the cheapest that sends something. */
  approve(id: OperationId, proposal: string | undefined, word: Word): Approval {
    const operation = this.#operations.find(id);
    if (this.#operations.isForsaken(id) && this.#escalations.proposal(id, proposal) !== undefined)
      return this.#endForsaken(id, 'approved', word);
    if (operation?.state !== 'escalated') return { kind: 'refused', reason: 'NOT_ASKED', detail: `operation=${id}` };
    const chosen = this.#escalations.proposal(id, proposal);
    if (chosen === undefined) {
      const offers = this.#escalations.offers(id).join(' ');
      return { kind: 'refused', reason: 'NOT_ON_OFFER', detail: `proposal=${proposal ?? 'any'}, offers=${offers}` };
    }
    if (chosen.orders.length > 0) return this.#sendApproved(operation, chosen.orders, word);
    this.#escalations.close(id, 'approved', word);
    if (operation.isAtRest) this.#accept(operation, word);
    else this.#giveUp(operation, word);
    return { kind: 'done' };
  }

  /** A person takes things as they are: what is loose is inventory from now on, and orders in doubt count as over. */
  cancel(id: OperationId, word: Word): Approval {
    if (this.#operations.isForsaken(id)) return this.#endForsaken(id, 'cancelled', word);
    const operation = this.#operations.find(id);
    if (operation?.state !== 'escalated') return { kind: 'refused', reason: 'NOT_ASKED', detail: `operation=${id}` };
    this.#escalations.close(id, 'cancelled', word);
    this.#forget(operation);
    this.#accept(operation, word);
    return { kind: 'done' };
  }

  /** Asks a person, unless that is what the person was asked before. */
  escalate(operation: Operation, escalation: Escalation): void {
    if (operation.state !== 'escalated') this.#operations.move(operation, 'escalated', escalation.reason);
    this.#escalations.ask(operation, escalation);
  }

  /** A person's order that was given up rests in its book. */
  restAfterAll(operation: Operation): void {
    if (operation.orders.some((order) => !isAtRest(order.status) && !isResting(order))) return;
    this.#escalations.close(operation.id, 'settled');
    this.#operations.move(operation, 'executing', 'resting');
  }

  #endManual(operation: Operation): void {
    const { orders } = operation;
    const isFilled = orders.some(({ filledQty }) => !filledQty.isZero());
    if (orders.every(({ status }) => status === 'rejected'))
      this.#end(operation, 'failed', `REJECTED: ${orders.at(-1)?.reason ?? 'unlisted'}`);
    else this.#end(operation, 'completed', isFilled ? undefined : 'unfilled');
  }

  /** Recovery goes on: by itself, or on a person's word. */
  #recover(operation: Operation, reason: string | undefined): void {
    if (operation.state === 'recovering') return;
    this.#escalations.close(operation.id, 'settled');
    operation.recoveringNs ??= this.#options.clock.now();
    this.#operations.move(operation, 'recovering', reason);
  }

  #sendRecovery(operation: Operation, orders: readonly RecoveryOrder[]): void {
    assert(orders.length > 0, 'recovery sends no order');
    const { fence, wire } = this.#options;
    const closed = fence();
    if (closed !== undefined || orders.some(({ leg }) => operation.attemptOf(leg) >= ATTEMPTS_MAX)) {
      this.escalate(operation, closed === undefined ? outOfIds(operation) : fenced(operation, closed));
      this.settleLater(operation);
      return;
    }
    const requests = wire.requestsOf(operation, orders);
    if (!this.#makeWay(requests) || !wire.reserve(operation, requests)) {
      this.settleLater(operation);
      return;
    }
    this.#recover(operation, undefined);
    operation.round += 1;
    operation.waits = 0;
    wire.send(operation, requests);
  }

  /** Whether no order would trade with one of ours that rests; what stands in the way is taken back first. */
  #makeWay(requests: readonly OrderRequest[]): boolean {
    const met = requests.flatMap((request) => this.#operations.workingOrders.against(request));
    for (const { request, isCancelling } of met) if (!isCancelling) this.#options.wire.cancel(request.clientOrderId);
    return met.length === 0;
  }

  #sendApproved(operation: Operation, orders: readonly RecoveryOrder[], word: Word): Approval {
    const { fence, wire } = this.#options;
    const closed = fence();
    if (closed !== undefined) return { kind: 'refused', reason: 'FENCED', detail: closed };
    if (orders.some(({ leg }) => operation.attemptOf(leg) >= ATTEMPTS_MAX))
      return { kind: 'refused', reason: 'ATTEMPTS_EXHAUSTED', detail: `operation=${operation.id}` };
    const requests = wire.requestsOf(operation, orders);
    if (!this.#makeWay(requests)) return { kind: 'refused', reason: 'SELF_TRADE', detail: ASK_AGAIN };
    if (!wire.reserve(operation, requests))
      return { kind: 'refused', reason: 'BALANCE_INSUFFICIENT', detail: `operation=${operation.id}` };
    this.#escalations.close(operation.id, 'approved', word);
    operation.startAnew(this.#options.clock.now());
    operation.round = 1;
    this.#operations.move(operation, 'recovering', `approved by ${word.by}`);
    wire.send(operation, requests);
    return { kind: 'done' };
  }

  /** Orders in doubt count as over, and recovery goes on. */
  #giveUp(operation: Operation, word: Word): void {
    operation.startAnew(this.#options.clock.now());
    this.#operations.move(operation, 'recovering', `orders given up by ${word.by}`);
    this.#forget(operation);
    this.settle(operation);
  }

  /** Orders in doubt count as over. They may live for all that: their venues are told once more that they are not wanted. */
  #forget({ orders }: Operation): void {
    for (const order of orders) {
      if (isAtRest(order.status)) continue;
      this.#options.wire.cancel(order.request.clientOrderId);
      this.#operations.setStatus(order, 'expired', 'given-up');
    }
  }

  /** What is loose is inventory. What the legs agree on is held as ever. */
  #accept(operation: Operation, word: Word): void {
    this.#end(operation, 'failed', `ACCEPTED: by=${word.by}`, true);
  }

  #endForsaken(id: OperationId, state: 'approved' | 'cancelled', word: Word): Approval {
    this.#escalations.close(id, state, word);
    this.#operations.endForsaken(id, `ACCEPTED: by=${word.by}`);
    return { kind: 'done' };
  }

  #end(operation: Operation, to: 'completed' | 'failed', reason: string | undefined, isAccepted = false): void {
    this.#escalations.close(operation.id, 'settled');
    this.#operations.end(operation, to, reason, isAccepted);
  }
}
