import { assert } from '#shared/assert.ts';
import { CONFIDENCES, tailsFor, tailsInto } from '#shared/quant/risk/tail.ts';
import type { Scenarios } from '#shared/quant/risk/scenarios.ts';
import { keptScenarios, scenariosOf } from '#shared/quant/risk/scenarios.ts';
import { randomFrom } from '#shared/random.ts';

/** How a factor is thought to move before enough of its moves have been seen. Fractions a day. */
export type Prior = {
  /** Standard deviation of what it shares with its coin, or of the coin. */
  readonly deviation: number;
  /** Factors of one group share their own draw: a coin and its contracts. */
  readonly group: number;
  /** What a contract moves by itself. */
  readonly own: number;
};

export const SCENARIOS = 1_000;
/** A level is noted so often, and a move is over so many notes: one minute. */
export const NOTE_EVERY_MS = 10_000;
const NOTES = 6;
const DAY_MS = 86_400_000;
/** Independent moves grow with the square root of time. */
const TO_A_DAY = Math.sqrt(DAY_MS / (NOTES * NOTE_EVERY_MS));
/** Correlation of two coins, until it is seen. */
const COMMON = 0.6;
const SEED = 1;

/** By confidence: expected shortfall of one USD long and one USD short of each factor. */
type Units = { readonly long: readonly Float64Array[]; readonly short: readonly Float64Array[] };

/**
 * A thousand moves of every factor over a day: as many as have been seen in this run, scaled from a minute to a day, the rest drawn from a prior. What is seen
 * takes the place of what was drawn, then of what was seen longest ago; after three hours all of it is seen.
 */
export class Moves {
  readonly scenarios: Scenarios;
  /**
   * Never less than the expected shortfall of a unit, and little more: gains count as nothing, {@link observe} raises them by what one move may add, {@link refresh} reckons
   * them anew.
   */
  readonly units: Units;
  /** Standard deviation of each factor, a day. */
  readonly deviation: Float64Array;
  readonly #tails = tailsFor(SCENARIOS, CONFIDENCES);
  readonly #row = new Float64Array(SCENARIOS);
  readonly #notes: readonly Float64Array[];
  #noted = 0;
  #observed = 0;
  #turn = 0;

  constructor(priors: readonly Prior[]) {
    const factors = priors.length;
    const columns = (): readonly Float64Array[] => CONFIDENCES.map(() => new Float64Array(factors));
    this.scenarios = keptScenarios(scenariosOf(factors, SCENARIOS, drawnFrom(priors)));
    this.units = { long: columns(), short: columns() };
    this.deviation = new Float64Array(factors);
    this.#notes = Array.from({ length: NOTES + 1 }, () => new Float64Array(factors).fill(Number.NaN));
    this.refresh(factors);
  }

  /** Scenarios that were seen. */
  get observed(): number {
    return Math.min(this.#observed, SCENARIOS);
  }

  /** Notes what every factor stands at; NaN where nobody knows. `coinOf` says with what a contract moves while its own price is not known. */
  observe(levels: Readonly<Float64Array>, coinOf: Readonly<Int32Array>): void {
    const { factors, returns } = this.scenarios;
    assert(levels.length === factors, 'there is a level of each factor');
    const now = this.#notes[this.#noted % (NOTES + 1)]!;
    now.set(levels);
    const then = this.#notes[(this.#noted + 1) % (NOTES + 1)]!;
    this.#noted += 1;
    if (this.#noted <= NOTES) return;
    const place = this.#observed % SCENARIOS;
    this.#observed += 1;
    const moved = (factor: number): number => (now[factor]! / then[factor]! - 1) * TO_A_DAY;
    for (let factor = 0; factor < factors; factor += 1) {
      const own = moved(factor);
      const known = Number.isFinite(own) ? own : moved(coinOf[factor]!);
      const move = Number.isFinite(known) ? known : 0;
      returns[factor * SCENARIOS + place] = move;
      this.#raise(factor, move);
    }
  }

  /** Reckons the units of some factors anew, all of them in turn. */
  refresh(count: number): void {
    const { factors } = this.scenarios;
    for (let done = 0; done < Math.min(count, factors); done += 1) {
      this.#reckon(this.#turn);
      this.#turn = (this.#turn + 1) % factors;
    }
  }

  /** One outcome of n takes another's place: the sum of the worst m, gains among them counted as nothing, grows by no more than the new loss. */
  #raise(factor: number, move: number): void {
    const { long, short } = this.units;
    for (let at = 0; at < CONFIDENCES.length; at += 1) {
      const tail = SCENARIOS * (1 - CONFIDENCES[at]!);
      long[at]![factor] = long[at]![factor]! + Math.max(0, -move) / tail;
      short[at]![factor] = short[at]![factor]! + Math.max(0, move) / tail;
    }
  }

  #reckon(factor: number): void {
    const moves = this.scenarios.returns.subarray(factor * SCENARIOS, (factor + 1) * SCENARIOS);
    let sum = 0;
    let squares = 0;
    for (let at = 0; at < SCENARIOS; at += 1) {
      sum += moves[at]!;
      squares += moves[at]! * moves[at]!;
    }
    this.deviation[factor] = Math.sqrt(Math.max(0, squares - (sum * sum) / SCENARIOS) / (SCENARIOS - 1));
    this.#measure(moves, 1, factor, this.units.long);
    this.#measure(moves, -1, factor, this.units.short);
  }

  #measure(moves: Float64Array, sign: 1 | -1, factor: number, into: readonly Float64Array[]): void {
    for (let at = 0; at < SCENARIOS; at += 1) this.#row[at] = Math.min(0, sign * moves[at]!);
    tailsInto(this.#row, this.#tails);
    for (let at = 0; at < CONFIDENCES.length; at += 1) into[at]![factor] = this.#tails.esUsd[at]!;
  }
}

/** One common move, one of each group, one of each factor. */
function drawnFrom(priors: readonly Prior[]): Float64Array {
  const random = randomFrom(SEED);
  const drawn = (): Float64Array => Float64Array.from({ length: SCENARIOS }, () => random.normal());
  const common = drawn();
  const groups = new Map<number, Float64Array>();
  const returns = new Float64Array(priors.length * SCENARIOS);
  for (const [factor, { deviation, group, own }] of priors.entries()) {
    const coin = groups.get(group) ?? drawn();
    groups.set(group, coin);
    for (let at = 0; at < SCENARIOS; at += 1) {
      const shared = Math.sqrt(COMMON) * common[at]! + Math.sqrt(1 - COMMON) * coin[at]!;
      const alone = own === 0 ? 0 : own * random.normal();
      returns[factor * SCENARIOS + at] = deviation * shared + alone;
    }
  }
  return returns;
}
