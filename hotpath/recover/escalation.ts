import type { Decimal } from 'decimal.js';
import type { Escalation, EscalationReason, OperationView, Proposal } from '#shared/domain/recovery.ts';
import { textOf, ZERO } from '#shared/money/grid.ts';
import type { Candidate, PlacedOrder } from './candidate.ts';
import { bestOf, ordersOf } from './candidate.ts';
import type { Covering } from './cover.ts';
import { looseOf, looseText } from './loose.ts';

/** What recovery knows when it gives up. */
export type Deadlock = {
  readonly view: OperationView;
  readonly code: EscalationReason;
  /** What the operation is worth as it stands. */
  readonly standing: Decimal;
  readonly ways: readonly Candidate[];
  readonly covering: Covering | undefined;
  /** Closings of covers that nothing is loose for any more. */
  readonly surplus: readonly PlacedOrder[];
};

/** Asks a person: why, what is at stake, and every way out with its cost. */
export function escalate(deadlock: Deadlock): Escalation {
  const { view, code, standing, ways } = deadlock;
  const proposals = proposalsOf(deadlock);
  const loss = (bestOf(ways)?.value ?? standing).neg();
  const reason = `${code}: ${looseText(view)}`;
  return { kind: 'escalate', reason, request: requestOf(deadlock, proposals), loose: looseOf(view), proposals, loss };
}

/** Of each kind the best, the automatic ones first; accepting what stands is always a way. */
function proposalsOf({ standing, ways, covering, surplus }: Deadlock): readonly Proposal[] {
  const proposals: Proposal[] = [];
  const add = (kind: Proposal['kind'], cost: Decimal, placed: readonly PlacedOrder[]): void => {
    const others = proposals.filter((proposal) => proposal.kind === kind).length;
    const id = others === 0 ? kind : `${kind}-${others + 1}`;
    proposals.push({ id, kind, cost, orders: ordersOf(placed) });
  };
  for (const kind of ['complete', 'unwind', 'hedge'] as const) {
    const best = bestOf(ways.filter(({ placed }) => placed.length > 0 && kindOf(placed) === kind));
    if (best !== undefined) add(kind, standing.minus(best.value), best.placed);
  }
  if (covering !== undefined) add('hedge', covering.cost, covering.placed);
  if (surplus.length > 0) add('unwind', ZERO, surplus);
  add('accept', ZERO, []);
  return proposals;
}

/** A way is called by the strangest of its orders. */
function kindOf(placed: readonly PlacedOrder[]): 'complete' | 'unwind' | 'hedge' {
  const purposes = placed.map(({ order }) => order.purpose);
  if (purposes.includes('hedge')) return 'hedge';
  return purposes.includes('complete') ? 'complete' : 'unwind';
}

const WORDS: Readonly<Record<EscalationReason, string>> = {
  RECOVERY_OFF: 'automatic recovery is switched off',
  ROUNDS_EXHAUSTED: 'its orders did not fill often enough',
  WAITED_TOO_LONG: 'a book that it needs did not come back',
  LOSS_ABOVE_MAX: 'the best way left costs more than may be decided without a person',
  TIME_EXHAUSTED: 'it took too long',
  NO_WAY_OUT:
    'the books are live, and still no order can be sent: funds are missing, or sizes are too small for the books',
};

function requestOf({ view, code }: Deadlock, proposals: readonly Proposal[]): string {
  const seconds = (view.ageMs / 1_000).toFixed(1);
  const loose = looseOf(view).map(
    ({ instrument, size, value }) => `${textOf(size)} ${instrument} (worth ${value.toFixed(2)})`,
  );
  const choices = proposals.map(({ id, cost }) => `${id} (costs ${cost.toFixed(2)})`);
  return [
    `Recovery has stopped after ${view.round} rounds and ${seconds} s: ${WORDS[code]}.`,
    loose.length === 0 ? 'Nothing is loose.' : `Unhedged: ${loose.join(', ')}.`,
    `Approve one of: ${choices.join(', ')}; or cancel, and it ends as it stands.`,
  ].join(' ');
}
