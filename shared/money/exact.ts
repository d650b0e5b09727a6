import { Decimal } from 'decimal.js';

/**
 * decimal.js keeps a number as words of seven digits, most significant first, that never straddle the point (`d`), the exponent of the first digit (`e`) and a
 * sign (`s`); `d` is null for what is no number.
 */
type Parts = { s: number; e: number; d: number[] | null };
type Numeral = { readonly s: number; readonly e: number; readonly d: readonly number[] };

const WORD = 1e7;
const WORD_DIGITS = 7;
/** With a carry 36 digits: fewer than decimals are rounded to. */
const WORDS_MAX = 5;
/** The result in hand, least significant word first. */
const found = new Int32Array(2 * WORDS_MAX);

/**
 * The method of the same name, to the last digit, without the copies that it makes of what it is given: for what is booked and journalled with every order.
 * Results of more words than money has are left to the method.
 */
export function plus(a: Decimal, b: Decimal): Decimal {
  const x = a as unknown as Numeral;
  const y = b as unknown as Numeral;
  if (!areSome(x, y)) return isNone(y) && isSome(x) ? a : isNone(x) && isSome(y) ? b : a.plus(b);
  if (x.s === y.s) return summed(x, y) ?? a.plus(b);
  return subtracted(x, y) ?? a.plus(b);
}

/** As {@link plus}. */
export function minus(a: Decimal, b: Decimal): Decimal {
  const x = a as unknown as Numeral;
  const y = b as unknown as Numeral;
  if (!areSome(x, y)) return isNone(y) && isSome(x) ? a : isNone(x) && isSome(y) ? negated(b) : a.minus(b);
  if (x.s === y.s) return subtracted(x, y) ?? a.minus(b);
  return summed(x, y) ?? a.minus(b);
}

/** As {@link plus}. */
export function times(a: Decimal, b: Decimal): Decimal {
  const x = a as unknown as Numeral;
  const y = b as unknown as Numeral;
  if (!areSome(x, y) || x.d.length + y.d.length > WORDS_MAX) return a.times(b);
  const xs = x.d;
  const ys = y.d;
  const count = xs.length + ys.length;
  for (let at = 0; at < count; at += 1) found[at] = 0;
  for (let i = xs.length - 1, from = 0; i >= 0; i -= 1, from += 1) {
    const word = xs[i]!;
    let carry = 0;
    let at = from;
    for (let j = ys.length - 1; j >= 0; j -= 1, at += 1) {
      const sum = word * ys[j]! + found[at]! + carry;
      carry = Math.floor(sum / WORD);
      found[at] = sum - carry * WORD;
    }
    found[at] = carry;
  }
  return made(x.s * y.s, lowOf(x) + lowOf(y), count);
}

/** Numbers are never changed: both may have the same words. */
export function negated(value: Decimal): Decimal {
  const { s, e, d } = value as unknown as Parts;
  return d === null || d.length > WORDS_MAX ? value.neg() : decimalOf(-s, e, d);
}

/** Below 0, 0 or above it, as a is less than b, equal or more; NaN where one of them is. */
export function compare(a: Decimal, b: Decimal): number {
  const x = a as unknown as Numeral;
  const y = b as unknown as Numeral;
  if (!areSome(x, y)) return isNone(y) && isSome(x) ? x.s : isNone(x) && isSome(y) ? -y.s : a.cmp(b);
  if (x.s !== y.s) return x.s;
  const order = x.e === y.e ? compareWords(x.d, y.d) : x.e - y.e;
  return order === 0 ? 0 : order > 0 ? x.s : -x.s;
}

/** A whole number of at least 0 that a double holds exactly. */
export function wholeOf(count: number): Decimal {
  if (count < WORD) return new Decimal(count);
  const low = count % WORD;
  const above = (count - low) / WORD;
  found[0] = low;
  found[1] = above % WORD;
  found[2] = (above - found[1]) / WORD;
  return made(1, 0, 3);
}

export const lesser = (a: Decimal, b: Decimal): Decimal => (compare(b, a) < 0 ? b : a);

/** Where both are zero the methods tell the sign; and they round what has too many words. */
const isNone = ({ d }: Numeral): boolean => (d as Parts['d'])?.[0] === 0;
function isSome({ d }: Numeral): boolean {
  const words = d as Parts['d'];
  return words !== null && words[0] !== 0 && words.length <= WORDS_MAX;
}
const areSome = (x: Numeral, y: Numeral): boolean => isSome(x) && isSome(y);

/** Place of the first word and of the last: 0 is that of the ones. */
const topOf = ({ e }: Numeral): number => Math.floor(e / WORD_DIGITS);
const lowOf = (x: Numeral): number => topOf(x) - x.d.length + 1;

/** Of words that begin at one place. */
function compareWords(xs: readonly number[], ys: readonly number[]): number {
  const both = xs.length < ys.length ? xs.length : ys.length;
  for (let at = 0; at < both; at += 1) if (xs[at] !== ys[at]) return xs[at]! > ys[at]! ? 1 : -1;
  return xs.length === ys.length ? 0 : xs.length > ys.length ? 1 : -1;
}

/** Of one sign; undefined where it takes too many words. */
function summed(x: Numeral, y: Numeral): Decimal | undefined {
  const tops = { x: topOf(x), y: topOf(y) };
  const low = Math.min(tops.x - x.d.length, tops.y - y.d.length) + 1;
  let count = Math.max(tops.x, tops.y) - low + 1;
  if (count > WORDS_MAX) return undefined;
  let carry = 0;
  for (let at = 0; at < count; at += 1) {
    let word = wordAt(x.d, tops.x - low - at) + wordAt(y.d, tops.y - low - at) + carry;
    carry = word >= WORD ? 1 : 0;
    if (carry === 1) word -= WORD;
    found[at] = word;
  }
  if (carry === 1) {
    found[count] = 1;
    count += 1;
  }
  return made(x.s, low, count);
}

/** The first less the second in size, with the sign of the first; undefined where it takes too many words. */
function subtracted(x: Numeral, y: Numeral): Decimal | undefined {
  const xTop = topOf(x);
  const yTop = topOf(y);
  const low = Math.min(xTop - x.d.length, yTop - y.d.length) + 1;
  const count = Math.max(xTop, yTop) - low + 1;
  if (count > WORDS_MAX) return undefined;
  const order = xTop === yTop ? compareWords(x.d, y.d) : xTop - yTop;
  if (order === 0) return new Decimal(0);
  let borrow = 0;
  for (let at = 0; at < count; at += 1) {
    const less = wordAt(x.d, xTop - low - at) - wordAt(y.d, yTop - low - at);
    let word = (order > 0 ? less : -less) - borrow;
    borrow = word < 0 ? 1 : 0;
    if (borrow === 1) word += WORD;
    found[at] = word;
  }
  return made(order > 0 ? x.s : -x.s, low, count);
}

const wordAt = (words: readonly number[], at: number): number => (at >= 0 && at < words.length ? words[at]! : 0);

/** From the words in hand, the last of which stands at `low`. Not all of them are 0. */
function made(sign: number, low: number, count: number): Decimal {
  let top = count - 1;
  while (found[top] === 0) top -= 1;
  let last = 0;
  while (found[last] === 0) last += 1;
  return decimalOf(sign, (low + top) * WORD_DIGITS + digitsOf(found[top]!) - 1, wordsBetween(top, last));
}

function decimalOf(sign: number, exponent: number, words: number[]): Decimal {
  const value = new Decimal(0);
  const parts = value as unknown as Parts;
  parts.s = sign;
  parts.e = exponent;
  parts.d = words;
  return value;
}

/** Literals: an array that is pushed to takes room for many more. */
function wordsBetween(top: number, last: number): number[] {
  switch (top - last) {
    case 0:
      return [found[top]!];
    case 1:
      return [found[top]!, found[last]!];
    case 2:
      return [found[top]!, found[top - 1]!, found[last]!];
    case 3:
      return [found[top]!, found[top - 1]!, found[top - 2]!, found[last]!];
    default:
      return Array.from(found.subarray(last, top + 1)).reverse();
  }
}

function digitsOf(word: number): number {
  if (word < 1_000) return word < 10 ? 1 : word < 100 ? 2 : 3;
  if (word < 100_000) return word < 10_000 ? 4 : 5;
  return word < 1_000_000 ? 6 : 7;
}
