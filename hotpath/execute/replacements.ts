import type { ClientOrderId, OperationId } from '#shared/domain/ids.ts';
import type { Fence, OrderGateway, OrderReport, Standing } from '#shared/domain/order.ts';
import type { Qty } from '#shared/money/grid.ts';
import { textOf } from '#shared/money/grid.ts';
import { quoteValueOf } from '#shared/money/pnl.ts';
import type { Recorder } from '#shared/schema/recorder.ts';
import type { Order } from './operation.ts';
import type { Operations } from './operations.ts';
import { isAtRest, isResting } from './order-status.ts';

export type ReplacementsOptions = {
  readonly operations: Operations;
  readonly recorder: Recorder;
  readonly gateway: Pick<OrderGateway, 'replace'>;
  readonly fence: Fence;
  /** So soon after it was asked for, that an order stands as before says nothing: the change may be on its way. */
  readonly certainAfterMs: number;
  readonly cancel: (order: ClientOrderId) => void;
  /** Asks about the operation's orders unless they are settled by then. */
  readonly watch: (order: Order) => void;
  /** Sends another order in an order's stead; undefined when that cannot be. */
  readonly sendAnew: (order: Order, standing: Standing) => Order | undefined;
};

/** What came of asking that an order be another one. */
export type Replaced =
  | { readonly kind: 'replacing'; readonly operation: OperationId }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'over'; readonly status: string }
  | {
      readonly kind: 'refused';
      readonly reason: 'NOT_RESTING' | 'FILLED_BEYOND' | 'SELF_TRADE' | 'FENCED' | 'BALANCE_INSUFFICIENT';
      readonly detail: string;
    };

/**
 * Gives an order that rests another price or quantity: in place where its venue can, else by taking it back and sending another one for what is left, once it
 * is surely over. Both what it is and what it may become are reserved for until its venue has said which. Nothing is asked for twice.
 */
export class Replacements {
  readonly #options: ReplacementsOptions;

  constructor(options: ReplacementsOptions) {
    this.#options = options;
  }

  /** `to.qty` is the whole of the order. What comes of it is told by events. */
  replace(id: ClientOrderId, to: Partial<Standing>): Replaced {
    const { operations, recorder, gateway } = this.#options;
    const order = operations.orderOf(id);
    if (order === undefined) return { kind: 'unknown' };
    if (isAtRest(order.status)) return { kind: 'over', status: order.status };
    const { request, operation } = order;
    const standing: Standing = { price: to.price ?? request.price, qty: to.qty ?? request.qty };
    const refusal = this.#refusalOf(order, standing);
    if (refusal !== undefined) return refusal;
    if (!operations.replace(order, { ...standing, how: 'in-place' }))
      return refused('BALANCE_INSUFFICIENT', `order=${id}`);
    recorder.flush();
    // A flush takes its time: what was open before it may be closed now.
    const closed = this.#options.fence();
    if (closed !== undefined) {
      operations.settleReplacement(order, request, closed);
      return refused('FENCED', closed);
    }
    if (gateway.replace(id, standing)) this.#options.watch(order);
    else {
      this.#options.cancel(id);
      order.replacing = { ...standing, how: 'anew' };
    }
    return { kind: 'replacing', operation: operation.id };
  }

  /** What a report says of a replacement; true when it settles one. An order's end does so by itself. */
  hear(order: Order, report: OrderReport): boolean {
    const { operations, certainAfterMs } = this.#options;
    const { replacing, replacedNs, request } = order;
    if (replacedNs === undefined || isAtRest(order.status) || replacing?.how === 'anew') return false;
    if (report.kind === 'kept') {
      if (replacing === undefined || !areSame(report.to, replacing)) return false;
      operations.settleReplacement(order, request, report.reason);
      return true;
    }
    if (report.kind !== 'accepted' || report.standing === undefined) return false;
    const { standing, askedTimeNs } = report;
    const isDone = replacing !== undefined && areSame(standing, replacing);
    const isCertain = askedTimeNs !== undefined && askedTimeNs - replacedNs >= certainAfterMs * 1e6;
    const isNews = replacing !== undefined || !areSame(standing, request);
    if (!isDone && !(isCertain && isNews)) return false;
    operations.settleReplacement(order, standing, replacing === undefined || isDone ? undefined : 'not done');
    return true;
  }

  /** An order is over: what was to stand in its stead is sent for what is left. */
  succeed(order: Order): void {
    const { replacing, operation, instrument, filledQty } = order;
    if (replacing === undefined || !isAtRest(order.status)) return;
    order.replacing = undefined;
    if (replacing.how !== 'anew' || order.status === 'rejected' || operation.state !== 'executing') return;
    const standing: Standing = { price: replacing.price, qty: replacing.qty.minus(filledQty) as Qty };
    const isEnough =
      standing.qty.gt(0) &&
      standing.qty.gte(instrument.minQty) &&
      quoteValueOf(instrument, standing.qty, standing.price).gte(instrument.minNotional);
    if (!isEnough || this.#obstacleTo(order, standing) !== undefined) return;
    const successor = this.#options.sendAnew(order, standing);
    if (successor !== undefined) this.#options.operations.succeed(order, successor);
  }

  /** A fill of an order that was taken for over: what stands in its stead now, replaced or not since, would do too much. */
  hearLate(order: Order): void {
    for (let next = order.successor; next !== undefined; next = next.successor)
      if (!isAtRest(next.status)) this.#options.cancel(next.request.clientOrderId);
  }

  #refusalOf(order: Order, to: Standing): Replaced | undefined {
    if (!isResting(order)) return refused('NOT_RESTING', `status=${order.status}`);
    if (to.qty.lte(order.filledQty)) return refused('FILLED_BEYOND', `filled=${textOf(order.filledQty)}`);
    return this.#obstacleTo(order, to);
  }

  #obstacleTo({ request }: Order, to: Standing): Replaced | undefined {
    const { operations, fence } = this.#options;
    const closed = fence();
    if (closed !== undefined) return refused('FENCED', closed);
    const [met] = operations.workingOrders.against({ ...request, ...to });
    return met === undefined ? undefined : refused('SELF_TRADE', `order=${met.request.clientOrderId}`);
  }
}

type Refusal = Extract<Replaced, { readonly kind: 'refused' }>;

const refused = (reason: Refusal['reason'], detail: string): Refusal => ({ kind: 'refused', reason, detail });

const areSame = (one: Standing, other: Standing): boolean => one.price.eq(other.price) && one.qty.eq(other.qty);
