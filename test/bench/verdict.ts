import { median } from './measure.ts';

/** One row of one run of the bench. */
export type Figure = { readonly name: string; readonly unit: string; readonly value: number; readonly hash: string };

export type Verdict = {
  readonly name: string;
  readonly unit: string;
  readonly old: number;
  readonly new: number;
  /** Above 1 the new one is slower, whatever the unit counts. */
  readonly slowdown: number;
  /** How far apart two runs of the same code were, as a factor: half of such pairs were closer. */
  readonly noise: number;
  readonly kind: 'slower' | 'faster' | 'same';
  readonly isOtherResult: boolean;
};

/** Below this a difference is not worth a look, however quiet the machine. */
const LEAST = 1.02;
/** Fewer pairs agree by chance. */
export const PAIRS_LEAST = 5;
/** One pair in so many may lie on the other side. */
const PAIRS_AN_EXCEPTION = 6;

/**
 * Old and new runs in pairs, as they came → a verdict for each row that both have. The difference is the median over the pairs of new ÷ old: a pair
 * stood side by side, so what the machine did to one it did to the other. Noise is what the same arithmetic gives for code against itself: each run
 * against the next one of its own side (A/A). A row is slower, or faster, when its difference is beyond that noise and the pairs agree about the side.
 */
export function verdicts(
  pairs: readonly (readonly [old: readonly Figure[], fresh: readonly Figure[]])[],
): readonly Verdict[] {
  const [first] = pairs;
  if (first === undefined) return [];
  return first[1].flatMap(({ name }) => {
    const of = (figures: readonly Figure[]): Figure | undefined => figures.find((figure) => figure.name === name);
    const both = pairs.flatMap(([old, fresh]) => {
      const [one, other] = [of(old), of(fresh)];
      return one === undefined || other === undefined ? [] : [[one, other] as const];
    });
    return both.length < pairs.length ? [] : [verdictOf(both)];
  });
}

function verdictOf(pairs: readonly (readonly [Figure, Figure])[]): Verdict {
  const [, { name, unit }] = pairs[0]!;
  const time = ({ value }: Figure): number => (isRate(unit) ? 1 / value : value);
  const slowdowns = pairs.map(([old, fresh]) => factorOf(time(fresh), time(old)));
  const slowdown = median(slowdowns);
  const noise = noiseOf([pairs.map(([old]) => time(old)), pairs.map(([, fresh]) => time(fresh))]);
  const exceptions = Math.floor(pairs.length / PAIRS_AN_EXCEPTION);
  const agree = (isOn: (factor: number) => boolean): boolean =>
    pairs.length >= PAIRS_LEAST && slowdowns.filter(isOn).length >= pairs.length - exceptions;
  const threshold = Math.max(noise, LEAST);
  const isSlower = slowdown > threshold && agree((factor) => factor > 1);
  const isFaster = slowdown < 1 / threshold && agree((factor) => factor < 1);
  return {
    name,
    unit,
    old: median(pairs.map(([{ value }]) => value)),
    new: median(pairs.map(([, { value }]) => value)),
    slowdown,
    noise,
    kind: isSlower ? 'slower' : isFaster ? 'faster' : 'same',
    isOtherResult: pairs.some(([old, fresh]) => old.hash !== fresh.hash),
  };
}

/** Units of rates end in a second; everything else is better when it is less. */
const isRate = (unit: string): boolean => unit.endsWith('/s');

function noiseOf(sides: readonly (readonly number[])[]): number {
  const factors = sides.flatMap((times) => times.slice(1).map((time, at) => factorOf(time, times[at]!)));
  return factors.length === 0 ? 1 : median(factors.map((factor) => Math.max(factor, 1 / factor)));
}

/** Figures may be zero: what allocates nothing twice is as good. */
const factorOf = (one: number, other: number): number => (one === other ? 1 : one / other);
