import { Decimal } from 'decimal.js';
import type { Clock } from '#shared/clock/clock.ts';
import type { OperationId } from '#shared/domain/ids.ts';
import type { Escalation, OpenOperation, Proposal } from '#shared/domain/recovery.ts';
import { textOf, ZERO } from '#shared/money/grid.ts';
import type { EventData } from '#shared/schema/event.ts';
import type { Recorder } from '#shared/schema/recorder.ts';
import type { Operation, Order } from './operation.ts';

/** Who has answered, and by which command. */
export type Word = { readonly by: string; readonly commandId: string };

/** What is asked about. */
type Subject = { readonly id: OperationId; readonly orders: readonly unknown[] };

type Asked = {
  readonly escalation: Escalation | undefined;
  readonly event: EventData<'escalation'>;
};

/** Cost may move by so much, as a share or in the numeraire, before a person is told. */
const COST_SHARE = 0.1;
const COST_LEAST = 1;

/**
 * What persons are asked and have not answered. A proposal's id names what it named when it was shown: ways out that are no longer the same get new ids, and
 * nothing answers to the old ones.
 */
export class Escalations {
  readonly #recorder: Recorder;
  readonly #clock: Clock;
  readonly #epoch: number;
  readonly #open = new Map<OperationId, Asked>();
  #shown = 0;

  constructor(recorder: Recorder, clock: Clock, epoch: number) {
    this.#recorder = recorder;
    this.#clock = clock;
    this.#epoch = epoch;
  }

  /** Takes over what was asked before a restart. Its proposals answer to nobody: they are made anew once there are books. */
  restore(event: EventData<'escalation'>): void {
    this.#open.set(event.operation as OperationId, { escalation: undefined, event });
  }

  /** Asks, or asks again where what is at stake or what can be done is no longer the same. */
  ask(operation: Subject, escalation: Escalation): void {
    const before = this.#open.get(operation.id);
    if (before?.escalation !== undefined && isSame(before.escalation, escalation)) return;
    const event = this.#eventOf(operation, escalation, before?.event.since_ms);
    this.#open.set(operation.id, { escalation, event });
    this.#recorder.record('escalation', operation.id, event);
    this.#recorder.flush();
  }

  /** One of the ways out that are on offer: the named one, or the cheapest that sends something. */
  proposal(operation: OperationId, id: string | undefined): Proposal | undefined {
    const asked = this.#open.get(operation);
    if (asked?.escalation === undefined) return undefined;
    const { proposals } = asked.escalation;
    if (id !== undefined) return proposals[asked.event.proposals.findIndex((shown) => shown.id === id)];
    return proposals
      .filter(({ orders }) => orders.length > 0)
      .reduce<Proposal | undefined>((best, found) => (best?.cost.lte(found.cost) === true ? best : found), undefined);
  }

  /** Ids of the ways out that are on offer. */
  offers(operation: OperationId): readonly string[] {
    const asked = this.#open.get(operation);
    return asked?.escalation === undefined ? [] : asked.event.proposals.map(({ id }) => id);
  }

  /** Nobody is asked any more; nothing where nobody was. */
  close(operation: OperationId, state: 'approved' | 'cancelled' | 'settled', word?: Word): void {
    const asked = this.#open.get(operation);
    if (asked === undefined) return;
    this.#open.delete(operation);
    this.#recorder.record('escalation', operation, {
      ...asked.event,
      state,
      ...(word === undefined ? {} : { by: word.by, command_id: word.commandId }),
    });
  }

  #eventOf(operation: Subject, escalation: Escalation, sinceMs: number | undefined): EventData<'escalation'> {
    this.#shown += 1;
    const version = `${this.#epoch}-${this.#shown}`;
    const { reason, loose, proposals, loss } = escalation;
    const ids = proposals.map(({ id }) => `${id}.${version}`);
    const request = `${escalation.request} Say so for operation ${operation.id}: approve with one of ${ids.join(', ')}, or cancel.`;
    return {
      operation: operation.id,
      state: 'open',
      reason,
      request,
      loose: loose.map(({ instrument, size, value }) => ({ instrument, size: textOf(size), value: textOf(value) })),
      proposals: proposals.map(({ kind, cost, orders }, at) => ({
        id: ids[at]!,
        kind,
        cost: textOf(cost),
        orders: orders.map(({ instrument, side, price, qty }) => ({
          instrument,
          side,
          price: textOf(price),
          qty: textOf(qty),
        })),
      })),
      attempts: operation.orders.length,
      loss: textOf(loss),
      since_ms: sinceMs ?? this.#clock.unixMs(this.#clock.now()),
    };
  }
}

/** Whether a person who has seen the one knows the other: same cause, same loose ends, same ways out at about the same cost. */
function isSame(a: Escalation, b: Escalation): boolean {
  return shapeOf(a) === shapeOf(b) && a.proposals.every(({ cost }, at) => isNear(cost, b.proposals[at]!.cost));
}

const shapeOf = ({ reason, loose, proposals }: Escalation): string =>
  JSON.stringify([
    reason.split(':', 1),
    loose.map(({ instrument, size }) => [instrument, size]),
    proposals.map(({ id, orders }) => [id, orders.map(({ instrument, side, qty }) => [instrument, side, qty])]),
  ]);

const isNear = (a: Decimal, b: Decimal): boolean =>
  a
    .minus(b)
    .abs()
    .lte(Decimal.max(COST_LEAST, a.abs().times(COST_SHARE)));

/** No probe has settled what became of these orders. */
export function doubtful(operation: Operation, orders: readonly Order[]): Escalation {
  const names = orders.map(describe).join('; ');
  return {
    kind: 'escalate',
    reason: `ORDER_UNKNOWN: orders=${orders.map(({ request }) => request.clientOrderId).join(' ')}`,
    request:
      `Nothing tells what became of ${names}. It may still be live, so its money stays reserved and its venue is asked on. ` +
      'Look at the venue. Accept says that the order is over and has traded no more than is known: recovery then goes on by itself.',
    loose: operation.loose(),
    proposals: [{ id: 'accept', kind: 'accept', cost: ZERO, orders: [] }],
    loss: operation.realised.neg(),
  };
}

/** Recovery has orders to send and may not. */
export function fenced(operation: Operation, reason: string): Escalation {
  return {
    kind: 'escalate',
    reason,
    request: `No order may leave (${reason}), so the legs stay as they are. Once orders may leave again recovery goes on by itself.`,
    loose: operation.loose(),
    proposals: [{ id: 'accept', kind: 'accept', cost: ZERO, orders: [] }],
    loss: operation.realised.neg(),
  };
}

/** What nobody lists any more cannot be traded. Values are of the plan, as far as a leg was done. */
export function unlisted({ legs, orders, notional, pnl }: OpenOperation): Escalation {
  const loose = legs.map(({ instrument, side, qty }, at) => {
    const done = orders
      .filter(({ request }) => request.leg === at)
      .flatMap(({ fills }) => fills)
      .reduce((sum, fill) => (fill.side === side ? sum.plus(fill.qty) : sum.minus(fill.qty)), new Decimal(0));
    const value = notional.times(done.abs()).div(qty).toDecimalPlaces(8);
    return { instrument, size: side === 'buy' ? done : done.neg(), value };
  });
  return {
    kind: 'escalate',
    reason: 'INSTRUMENT_UNLISTED',
    request:
      'One of its instruments is not listed or not configured any more, so nothing can be traded for it; orders that may be live are being cancelled. ' +
      'Configure the instrument and start again, and recovery goes on. Or look at the venue, close what is loose there, and accept.',
    loose: loose.filter(({ size }) => !size.isZero()),
    proposals: [{ id: 'accept', kind: 'accept', cost: ZERO, orders: [] }],
    loss: pnl.realised.neg(),
  };
}

/** Every leg has had as many orders as its ids can count. */
export function outOfIds(operation: Operation): Escalation {
  return {
    kind: 'escalate',
    reason: 'ATTEMPTS_EXHAUSTED',
    request:
      'A leg has had as many orders as one operation may send. Close what is loose by orders of your own, then accept.',
    loose: operation.loose(),
    proposals: [{ id: 'accept', kind: 'accept', cost: ZERO, orders: [] }],
    loss: operation.realised.neg(),
  };
}

const describe = ({ request: { clientOrderId, side, qty, price, instrument } }: Order): string =>
  `order ${clientOrderId} (${side} ${textOf(qty)} ${instrument} at ${textOf(price)})`;
