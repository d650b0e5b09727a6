import { assert } from '../../assert.ts';
import { selectLowest } from './select.ts';

/** Value at risk and expected shortfall of one set of outcomes, by confidence. Losses are positive; where even the bad cases gain, below zero. */
export type Tails = {
  /** Ascending, each between 0 and 1. */
  readonly confidences: readonly number[];
  readonly varUsd: Float64Array;
  readonly esUsd: Float64Array;
  /** Room for one outcome a scenario. */
  readonly scratch: Float64Array;
};

export const CONFIDENCES = [0.95, 0.99] as const;

/** Room for the figures of `scenarios` outcomes. */
export function tailsFor(scenarios: number, confidences: readonly number[] = CONFIDENCES): Tails {
  let last = 0;
  for (const confidence of confidences) {
    assert(confidence > last && confidence < 1, 'confidences ascend between 0 and 1');
    last = confidence;
  }
  const column = (): Float64Array => new Float64Array(confidences.length);
  return { confidences, varUsd: column(), esUsd: column(), scratch: new Float64Array(scenarios) };
}

/**
 * Historical (or simulated) VaR and ES of equally likely outcomes `pnl`, in their own unit. With the losses L₁ ≥ L₂ ≥ … ≥ Lₙ and m = n(1 − α):
 * VaR = L₍⌊m⌋₊₁₎, the least loss that is not exceeded with probability α; ES = [L₁ + … + L₍⌊m⌋₎ + (m − ⌊m⌋)·VaR] / m, the mean of the worst m of n, which
 * stays coherent where outcomes are few or tie. NaN without outcomes, or where one of them is no finite number. Allocates nothing that grows with them.
 * @see C. Acerbi & D. Tasche, "On the coherence of expected shortfall", J. Banking & Finance 26 (2002) 1487–1503, def. 2.6 and prop. 4.1.
 */
export function tailsInto(pnl: Float64Array, { confidences, varUsd, esUsd, scratch }: Tails): void {
  const count = pnl.length;
  assert(scratch.length === count, 'there is room for each outcome');
  let kept = lowestKept(pnl, scratch, tailMass(count, confidences[0] ?? 0));
  for (let at = 0; at < confidences.length; at += 1) {
    const mass = tailMass(count, confidences[at]!);
    const whole = Math.min(Math.floor(mass), count - 1);
    if (kept === 0) {
      varUsd[at] = Number.NaN;
      esUsd[at] = Number.NaN;
      continue;
    }
    selectLowest(scratch, kept - 1, whole);
    let sum = (mass - whole) * scratch[whole]!;
    for (let worse = 0; worse < whole; worse += 1) sum += scratch[worse]!;
    varUsd[at] = 0 - scratch[whole]!;
    esUsd[at] = 0 - sum / mass;
    kept = whole + 1;
  }
}

const SAMPLE = 64;
/** More than two deviations of a sample's rank where a twentieth lies below. */
const MARGIN = 4;
const sample = new Float64Array(SAMPLE);

/**
 * Copies the lowest outcomes, more than `mass` of them and in no order, and says how many: those up to a value of which a sample says that it lies somewhat above
 * the tail. That leaves a tenth to select from, found without a branch that the processor cannot foresee. All, where the sample was wrong. None, where there is none or one
 * is not finite: then the sum is not.
 */
function lowestKept(pnl: Float64Array, scratch: Float64Array, mass: number): number {
  const limit = sampledLimit(pnl, mass);
  let kept = 0;
  let sum = 0;
  for (let at = 0; at < pnl.length; at += 1) {
    const value = pnl[at]!;
    scratch[kept] = value;
    sum += value;
    kept += value <= limit ? 1 : 0;
  }
  if (!Number.isFinite(sum)) return 0;
  if (kept > mass) return kept;
  scratch.set(pnl);
  return pnl.length;
}

function sampledLimit(pnl: Float64Array, mass: number): number {
  const step = Math.floor(pnl.length / SAMPLE);
  const rank = Math.ceil((SAMPLE * mass) / pnl.length) + MARGIN;
  if (step < 2 || rank >= SAMPLE) return Infinity;
  for (let at = 0; at < SAMPLE; at += 1) sample[at] = pnl[at * step]!;
  selectLowest(sample, SAMPLE - 1, rank);
  return sample[rank]!;
}

/** n(1 − α), without what the subtraction rounds: 95 % of 1,000 leave 50, not 50.00000000000004. */
function tailMass(count: number, confidence: number): number {
  const mass = count * (1 - confidence);
  const nearest = Math.round(mass);
  return Math.abs(mass - nearest) < 1e-12 * count ? nearest : mass;
}
