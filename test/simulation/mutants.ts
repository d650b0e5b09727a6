import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A deliberate bug: a place that stands once in hotpath/execute or hotpath/recover, and what is written instead. */
export type Mutant = { readonly id: string; readonly find: string; readonly replace: string };

const m = (id: string, find: string, replace: string): Mutant => ({ id, find, replace });

/** Each of these would leave a leg behind, spend money twice or lie about either. The simulation must catch every one. */
export const MUTANTS: readonly Mutant[] = [
  // What is sent.
  m(
    'send again what is not answered',
    `for (const { request } of working) gateway.probe(request.clientOrderId);`,
    `gateway.submit(working.map(({ request }) => request));`,
  ),
  m('never ask', `for (const { request } of working) gateway.probe(request.clientOrderId);`, ``),
  m(
    'send before the journal is flushed',
    `recorder.flush();\n    // A flush takes its time: what was open before it may be closed now.\n    const closed = this.#fence();`,
    `const closed = this.#fence();`,
  ),
  m(
    'change an order before the journal is flushed',
    `recorder.flush();\n    // A flush takes its time: what was open before it may be closed now.\n    const closed = this.#options.fence();`,
    `const closed = this.#options.fence();`,
  ),
  m(
    'send what is not in the journal',
    `this.#remember(order);\n    this.#recordOrder(order);`,
    `this.#remember(order);`,
  ),
  m('use an id twice', `const attempt = operation.attemptOf(leg) + beside;`, `const attempt = beside;`),
  m('forget the epoch in ids', `clientOrderIdFrom({ epoch: this.#options.epoch,`, `clientOrderIdFrom({ epoch: 1,`),
  m(
    'forget the fence after the flush',
    `const closed = this.#fence();\n    if (closed !== undefined) {\n      this.#withdraw`,
    `const closed: string | undefined = undefined;\n    if (closed !== undefined) {\n      this.#withdraw`,
  ),
  m(
    'send recovery orders without reserving',
    `if (!this.#makeWay(requests) || !wire.reserve(operation, requests)) {`,
    `if (!this.#makeWay(requests)) {`,
  ),
  m(
    'trade with our own orders',
    `const met = requests.flatMap((request) => this.#operations.workingOrders.against(request));`,
    `const met: never[] = [];`,
  ),
  m('follow a maker with everything', `makerFilled.times(leg.qty).div(makerQty).minus(sent)`, `leg.qty.minus(sent)`),
  m('keep a successor beside a late fill', `if (report.kind === 'fill') this.#replacements.hearLate(order);`, ``),
  // What is believed.
  m(
    'take unknown for rejected',
    `this.setStatus(order, 'unknown', report.cause)`,
    `this.setStatus(order, 'rejected', report.cause)`,
  ),
  m(
    'believe the first denial',
    `order.notFound >= NOT_FOUND_ENOUGH && this.setStatus`,
    `order.notFound >= 1 && this.setStatus`,
  ),
  m('believe an early denial', `if (report.kind === 'not-found' && this.#isEarly(report, operation)) return;`, ``),
  m(
    'forget a fill that comes late',
    `if (ledger.knows(fill)) return false;`,
    `if (ledger.knows(fill) || isAtRest(order.status)) return false;`,
  ),
  m('book a fill twice', `this.#remember(trade);\n    const reservation`, `const reservation`),
  m('let an ended operation sleep on', `operations.wake(operation);`, `return;`),
  m(
    'ignore the side of a fill',
    `const done = fill.side === side ? fill.qty : negated(fill.qty);`,
    `const done = fill.qty;`,
  ),
  m(
    'count no fee as spent',
    `flows.base = minus(plus(flows.base, moved.base), fill.feeAsset === instrument.base ? fill.fee : ZERO);`,
    `flows.base = flows.base.plus(moved.base);`,
  ),
  m('never call an order full', `if (isFull) order.status = 'filled';\n    else if`, `if`),
  m(
    'settle while an order works',
    `return this.orders.every(({ status }) => isAtRest(status));`,
    `return this.orders.some(({ status }) => isAtRest(status));`,
  ),
  // What is reserved.
  m('reserve half', `left: amount,\n      closing,`, `left: amount.div(2),\n      closing,`),
  m(
    'release when it is accepted',
    `if (isAtRest(status)) this.#release(order);\n    this.#recordOrder(order);`,
    `this.#release(order);\n    this.#recordOrder(order);`,
  ),
  m(
    'release all at the first fill',
    `lesser(reservation.left, times(reservation.unitCost, opening))`,
    `reservation.left`,
  ),
  m('count on closing what is gone', `if (instrument !== id || closing.isZero()) continue;`, `continue;`),
  m('never release', `this.#options.ledger.release(order.request.clientOrderId);`, ``),
  m('reserve nothing after a restart', `ledger.reserve([order.request], this.#instrument);`, ``),
  // What is journalled.
  m(
    'journal no transition',
    `this.#shift(operation, to);\n    this.#recordOperation(operation, reason);\n  }`,
    `this.#shift(operation, to);\n  }`,
  ),
  m('journal no fill', `recorder.record('fill', operation.id, data, fillText(data));`, ``),
  m('lose dust', `if (!amount.isZero()) this.dust.set(asset`, `if (amount.gt(0)) this.dust.set(asset`),
  m('lose profit', `this.realised = plus(this.realised, pnl.realised);`, `this.realised = pnl.realised;`),
  m('leave an operation ended that a fill has woken', `this.#reopen(record);\n`, ``),
  m(
    'take a full order for open after a restart',
    `if (order.filledQty.gte(mostOf(order))) order.status = 'filled';`,
    ``,
  ),
  m(
    'forget what had ended before a restart',
    `this.#operations.takeOverEnded(operation);`,
    `if (operation.isOpen) this.#operations.takeOverEnded(operation);`,
  ),
  m(
    'ask about nothing after a restart',
    `for (const { request } of [...open.flatMap(({ orders }) => orders), ...late.slice(-LATE_ORDERS_MAX)])\n      this.#options.gateway.probe(request.clientOrderId);`,
    ``,
  ),
  // What venues do by themselves.
  m(
    'book what a venue has taken twice',
    `if (terms === undefined || ledger.knows(fill)) return;`,
    `if (terms === undefined) return;`,
  ),
  m(
    'hold on to what a venue has made one-sided',
    `if (!isBalanced(held, market.instrumentOf)) return 'unbalanced';`,
    ``,
  ),
  m('recover as if a venue had taken nothing', `operation.take(taking, this.#instrument(taking.instrument));`, ``),
  m('forget over a restart what a venue has taken', `operation.take(taking, instrument);`, ``),
  m('open again what a venue has taken', `if (isForward && leg.isTaken === true) return undefined;`, ``),
  m('forget what a venue has taken before its fill is told', `if (!flows.untoldQty.isZero()) absorb(flows);`, ``),
  // What recovery decides.
  m(
    'complete with a leg alone',
    `if (legs.every(({ qty, filledQty }) => filledQty.eq(qty))) return { kind: 'complete' };`,
    `if (legs.some(({ qty, filledQty }) => filledQty.eq(qty))) return { kind: 'complete' };`,
  ),
  m(
    'hedge twice as much',
    `const lacking = units.times(bond.perUnit[at]!).minus(leg.filledQty).toDecimalPlaces(18);`,
    `const lacking = units.times(bond.perUnit[at]!).minus(leg.filledQty).times(2).toDecimalPlaces(18);`,
  ),
  m(
    'unwind the wrong way',
    `const side = isForward ? leg.side : opposite(leg.side);\n  const levels = market.levels(on, side);\n  if (levels.length === 0) return undefined;\n\n`,
    `const side = leg.side;\n  const levels = market.levels(on, side);\n  if (levels.length === 0) return undefined;\n\n`,
  ),
  m(
    'unwind a product route the wrong way',
    `const side = isForward ? leg.side : opposite(leg.side);\n  const levels = market.levels(on, side);\n  if (levels.length === 0) return undefined;\n  // What one unit`,
    `const side = leg.side;\n  const levels = market.levels(on, side);\n  if (levels.length === 0) return undefined;\n  // What one unit`,
  ),
  m(
    'send prices off the grid',
    `: worst.times(new Decimal(1).minus(slack));`,
    `: worst.times(new Decimal(1).minus(slack));\n  if (slack.gt(0)) return limit as Price;`,
  ),
  m('keep a cover for good', `[...(best?.placed ?? []), ...surplus.placed]`, `[...(best?.placed ?? [])]`),
  m(
    'never ask a person',
    `this.escalate(operation, recovery);\n        this.settleLater(operation);\n        return;`,
    `return;`,
  ),
];

const ROOT = join(import.meta.dirname, '../..');
const DIRECTORIES = ['hotpath/execute', 'hotpath/recover'];

/** The files in which a mutant's place stands, as often as it does: one, else the mutant is stale. */
export function placesOf({ find }: Mutant): readonly string[] {
  return DIRECTORIES.flatMap((directory) =>
    readdirSync(join(ROOT, directory), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(ROOT, directory, name)),
  ).flatMap((path) => Array<string>(readFileSync(path, 'utf8').split(find).length - 1).fill(path));
}
