import type { EscalationReason, OperationView, Recovery } from '#shared/domain/recovery.ts';
import type { Candidate, RecoveryLimits, RecoveryMarket, Situation } from './candidate.ts';
import { bestOf, ordersOf, situationOf } from './candidate.ts';
import type { Covering } from './cover.ts';
import { coverLoose, surplusOf } from './cover.ts';
import { escalate } from './escalation.ts';
import { imbalances, looseText } from './loose.ts';
import { productWays } from './product-recovery.ts';
import { doAgree, standingOfSum, sumWays } from './sum-recovery.ts';

export { RECOVERY_LIMITS, recoveryLimitsFrom } from './candidate.ts';

/** A book that stumbles is back within seconds; a cover costs two fees. With the executor's patience, four waits are four seconds. */
const COVER_AFTER_WAITS = 4;
/** Rounds beyond the last. */
const COVER_ROUNDS = 3;

type Complete = Extract<Recovery, { readonly kind: 'complete' }>;

/**
 * Decides what is left to do once no order of an operation works any more. Pure: sends nothing, and says the same to the same question.
 *
 * 1. Legs that agree are done; covers that stood for them are closed first.
 * 2. Else the way that leaves most is sent: complete at a worse price, unwind, or do a leg's work on another venue, whichever is worth more.
 * 3. Where no way is open for seconds, loose coins are covered with a perpetual until one is.
 * 4. Over a limit a person is asked; what is loose is covered first where it can be.
 */
export function decideRecovery(view: OperationView, market: RecoveryMarket, limits: RecoveryLimits): Recovery {
  const situation = situationOf(view, market, limits);
  const agreed = agreedAs(view);
  const ways = agreed === undefined ? waysOf(situation) : [];
  const best = bestOf(ways);
  const done = agreed ?? (best?.placed.length === 0 ? DUST : undefined);
  const surplus = surplusOf(situation, done !== undefined);
  const next = [...(best?.placed ?? []), ...surplus.placed];
  if (done !== undefined && next.length === 0 && !surplus.isAway) return view.covers.length === 0 ? done : DUST;

  const code = limitOver(situation, best, limits);
  const isStuck = done === undefined && (code !== undefined || next.length === 0);
  const covering = isStuck ? coveringOf(situation, limits) : undefined;
  if (code !== undefined) {
    // Covers are opened and closed for some rounds more: a person takes longer than a market.
    const last = done === undefined ? (covering?.placed ?? []) : surplus.placed;
    if (limits.isAutomatic && last.length > 0 && view.round < limits.roundsMax + COVER_ROUNDS)
      return { kind: 'send', orders: ordersOf(last) };
    return escalate({ view, code, standing: standingOf(view), ways, covering, surplus: surplus.placed });
  }
  if (next.length > 0) return { kind: 'send', orders: ordersOf(next) };
  if (covering !== undefined && view.waits >= COVER_AFTER_WAITS)
    return { kind: 'send', orders: ordersOf(covering.placed) };
  return { kind: 'wait', reason: `NO_WAY_OUT_NOW: ${looseText(view)}` };
}

const DUST: Complete = { kind: 'complete', reason: 'dust' };

/** How an operation is done whose legs agree; undefined where they do not. */
function agreedAs({ legs, bond }: OperationView): Complete | undefined {
  if (legs.every(({ qty, filledQty }) => filledQty.eq(qty))) return { kind: 'complete' };
  if (legs.every(({ spent, received }) => spent.isZero() && received.isZero()))
    return { kind: 'complete', reason: 'unfilled' };
  const doesAgree = bond === undefined ? imbalances(legs).every(([, left]) => left.isZero()) : doAgree(legs, bond);
  return doesAgree ? { kind: 'complete', reason: 'recovered' } : undefined;
}

const waysOf = (situation: Situation): readonly Candidate[] =>
  situation.view.bond === undefined ? productWays(situation) : sumWays(situation, situation.view.bond);

const standingOf = (view: OperationView): Candidate['value'] =>
  view.bond === undefined ? view.realised : standingOfSum(view, view.bond);

/** A cover that costs more than may be lost is none. */
function coveringOf(situation: Situation, { lossMax }: RecoveryLimits): Covering | undefined {
  const covering = coverLoose(situation);
  return covering?.cost.gt(lossMax) === true ? undefined : covering;
}

/** The limit that is reached. Of an exit there is none on the loss: most of what it loses was lost before it began. */
function limitOver(
  { view, market }: Situation,
  best: Candidate | undefined,
  { isAutomatic, roundsMax, waitsMax, ageMsMax, lossMax }: RecoveryLimits,
): EscalationReason | undefined {
  if (!isAutomatic) return 'RECOVERY_OFF';
  const { round, waits, ageMs, legs, bond } = view;
  if (round >= roundsMax) return 'ROUNDS_EXHAUSTED';
  if (waits >= waitsMax) {
    const areLive = legs.every(({ instrument }) =>
      (['buy', 'sell'] as const).every((side) => market.levels(instrument, side).length > 0),
    );
    return areLive ? 'NO_WAY_OUT' : 'WAITED_TOO_LONG';
  }
  if (ageMs >= ageMsMax) return 'TIME_EXHAUSTED';
  return bond?.intent !== 'exit' && best?.value.neg().gt(lossMax) === true ? 'LOSS_ABOVE_MAX' : undefined;
}
