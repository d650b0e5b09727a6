/**
 * Lists of levels, single numbers and whole frames of a known shape out of JSON text, sixteen bytes at a time. Reads the plain forms alone (no white space, no sign, no
 * exponent, at most fifteen characters a number) and stops in front of anything else, which frame.ts then reads or refuses. A number is a mantissa below
 * 1e15 divided by a power of ten: the exactly nearest double.
 * The text may be read up to 31 bytes beyond its end, so that a byte 0 must stand behind it. AssemblyScript; built by test/shared/quant/build-kernel.ts.
 */

/** What a call read, where frame-memory.ts finds it: of each of two lists its count, whether it is at its end, decimals of prices and of quantities. */
const LISTS: usize = 16;
const NUMBER: usize = 48;
/** The length of the last price, by which the next quantity is looked for. */
const GUESS: usize = 56;
const LEVELS: usize = 256;
const COLUMN: usize = LEVELS << 3;
/** Prices and quantities of the first list, then of the second. */
const COLUMNS: usize = 64;
/** Bounds of texts, and numbers, in the order in which a shape has them. */
const TEXTS: usize = COLUMNS + COLUMN * 4;
const NUMBERS: usize = TEXTS + 64;
/**
 * By the length of a number and the place of its point (15: it has none): where its digits stand, moved to the right end, and the power of ten to divide
 * by; NaN where there is no such number.
 */
const ORDERS: usize = NUMBERS + 128;
const SCALES: usize = ORDERS + 4096;

const QUOTE: i32 = 0x22;
const COMMA: i32 = 0x2c;
const MINUS: i32 = 0x2d;
const COLON: i32 = 0x3a;
const OPEN_BRACKET: i32 = 0x5b;
const CLOSE_BRACKET: i32 = 0x5d;
/** `","`, `],`, `]]`, `},`, `}]`, and of the objects `{"price"` and `,"qty":`. */
const BETWEEN: i32 = 0x222c22;
const NEXT_LIST: i32 = 0x2c5d;
const LAST_LIST: i32 = 0x5d5d;
const NEXT_OBJECT: i32 = 0x2c7d;
const LAST_OBJECT: i32 = 0x5d7d;
const PRICE_KEY: i64 = 0x226563697270227b;
const QTY_KEY: i64 = 0x3a22797471222c;
/** `,"0","`: what OKX has further in a level, in front of how many orders there are. */
const ZERO_AND_COUNT: i64 = 0x222c2230222c;
/** `"new",`, `"change"` and `"delete"`. */
const NEW: i64 = 0x2c2277656e22;
const CHANGE: i64 = 0x2265676e61686322;
const DELETE: i64 = 0x226574656c656422;

const NANOSECOND_DIGITS: usize = 19;
const PASSED_NUMBER: usize = 0x10000;

/** Read from memory: a constant in the code is put together anew at each use. */
const POINTS = memory.data<u8>([46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46], 16);
const ELEVENS = memory.data<u8>([11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11], 16);
const ZEROS = memory.data<u8>([48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48], 16);
const NINES = memory.data<u8>([9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9], 16);
const TENS = memory.data<u8>([10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1], 16);
const HUNDREDS = memory.data<i16>([100, 1, 100, 1, 100, 1, 100, 1], 16);
/** Prices are above the first of them, quantities above the second. */
const LEAST = memory.data<f64>([0, -1], 16);
const MYRIADS = memory.data<i16>([10000, 1, 10000, 1, 10000, 1, 10000, 1], 16);

/** Fills the tables: once, before anything else. */
export function prepare(): void {
  for (let length = 0; length < 16; length += 1) {
    for (let point = 0; point < 16; point += 1) {
      const entry = <usize>((length << 4) | point);
      const isWhole = point == 15;
      let scale: f64 = length > 0 && (isWhole || (point > 0 && point < length - 1)) ? 1 : NaN;
      if (!isWhole) for (let at = point + 1; at < length; at += 1) scale *= 10;
      store<f64>(SCALES + (entry << 3), scale);
      // Lanes below zero are zeros to each machine.
      for (let lane = 0; lane < 16; lane += 1) {
        const place = lane + length - 16;
        store<u8>(ORDERS + (entry << 4) + <usize>lane, <u8>(!isWhole && place <= point ? place - 1 : place));
      }
    }
  }
}

/** What follows the text of a step of a shape. */
const END: i32 = 0;
const ANY_NUMBER: i32 = 1;
const WHOLE_NUMBER: i32 = 2;
const TEXT: i32 = 3;
const LIST: i32 = 4;
const OBJECTS: i32 = 5;
const MORE_TEXT: i32 = 6;
const NANOSECONDS: i32 = 7;
const SEQUENCE: i32 = 8;
const ACTIONS: i32 = 9;

/**
 * Whether the frame in [from, end) has the shape that `steps` tell, and what stands in its places. A step is 32 bytes: which of sixteen bytes count, how
 * many they are, what follows them, where to go on if the frame has other bytes (nowhere: 0), the bytes. MORE_TEXT: nothing but the next step. Above the
 * sixteen bits of where to go on: how many numbers are passed over so, which are NaN then.
 */
export function shape(steps: usize, from: usize, end: usize): i32 {
  let at = from;
  let step = steps;
  let texts = TEXTS;
  let numbers = NUMBERS;
  let list: usize = 0;
  while (true) {
    const counted = load<i32>(step);
    if ((i8x16.bitmask(i8x16.eq(v128.load(at), v128.load(step, 16))) & counted) != counted) {
      let other = <usize>load<i32>(step, 12);
      if (other == 0) return 0;
      for (; other >= PASSED_NUMBER; other -= PASSED_NUMBER) {
        store<f64>(numbers, NaN);
        numbers += 8;
      }
      step = other;
      continue;
    }
    at += load<i32>(step, 4);
    const kind = load<i32>(step, 8);
    if (kind == ANY_NUMBER || kind == WHOLE_NUMBER) {
      const length = wanted(at, kind, numbers);
      if (length == 0) return 0;
      at += length;
      numbers += 8;
    } else if (kind == MORE_TEXT) {
      step += 32;
      continue;
    } else if (kind == TEXT) {
      const behind = closing(at);
      if (behind == 0) return 0;
      store<i32>(texts, <i32>at);
      store<i32>(texts, <i32>behind, 4);
      texts += 8;
      at = behind;
    } else if (kind == LIST || kind == OBJECTS || kind == ACTIONS) {
      if (<i32>load<u8>(at) == CLOSE_BRACKET) {
        tell(list, 0, f64x2.splat(1), 1);
        at += 1;
      } else {
        at = kind == LIST ? levelsInto(list, at) : kind == OBJECTS ? objectsInto(list, at) : actionsInto(list, at);
        if (load<i32>(LISTS + (list << 4), 4) == 0) return 0;
      }
      list += 1;
    } else if (kind == NANOSECONDS) {
      if (!nanosecondsInto(numbers, at)) return 0;
      at += NANOSECOND_DIGITS;
      numbers += 8;
    } else if (kind == SEQUENCE) {
      const behind = closing(at);
      if (behind == 0) return 0;
      const length = min<usize>(behind - at, 15);
      if (!wholeInto(numbers, behind - length, length)) return 0;
      at = behind;
      numbers += 8;
    } else return at == end ? 1 : 0;
    step += 32;
  }
}

/** The number at `at`, perhaps negative, into `target`; its length, 0 where there is none of the kind. */
function wanted(at: usize, kind: i32, target: usize): usize {
  const isNegative = <usize>(<i32>load<u8>(at) == MINUS);
  const start = at + isNegative;
  let length: usize;
  if (kind == WHOLE_NUMBER) {
    length = entryOf(v128.load(start)) >> 4;
    if (!wholeInto(target, start, length)) return 0;
    // Times in microseconds have sixteen digits.
    const last = <i32>load<u8>(start, 15) - 0x30;
    if (length == 15 && <u32>last < 10) {
      const value = load<f64>(target) * 10 + <f64>last;
      if (value > 9007199254740991) return 0;
      store<f64>(target, value);
      length = 16;
    }
  } else {
    length = <usize>(numberInto(target, start) & 0xff);
    if (length == 0) return 0;
  }
  if (isNegative != 0) store<f64>(target, -load<f64>(target));
  return length + isNegative;
}

/** Where the quote stands that ends the text; 0 where anything in it is not plain. */
function closing(from: usize): usize {
  let at = from;
  while (true) {
    const text = v128.load(at);
    const quotes = i8x16.bitmask(i8x16.eq(text, i8x16.splat(<i8>QUOTE)));
    const odd = oddIn(text);
    if (quotes != 0) return (odd & (quotes ^ (quotes - 1))) != 0 ? 0 : at + <usize>ctz(quotes);
    if (odd != 0) return 0;
    at += 16;
  }
}

/** Backslashes and what may not stand in a string. */
@inline
function oddIn(text: v128): i32 {
  return i8x16.bitmask(v128.or(i8x16.lt_u(text, i8x16.splat(0x20)), i8x16.eq(text, i8x16.splat(0x5c))));
}

/** `["p","q",…],…]` from its first level on: where it stopped, behind the list (it is at its end) or in front of a level that it does not read. */
export function levels(from: usize): usize {
  return levelsInto(0, from);
}

/** `{"price":p,"qty":q},…]`, likewise. */
export function levelObjects(from: usize): usize {
  return objectsInto(0, from);
}

function levelsInto(list: usize, from: usize): usize {
  const prices = COLUMNS + list * (COLUMN << 1);
  let at = from;
  let column: usize = 0;
  let scales = f64x2.splat(1);
  let guess: usize = load<i32>(GUESS);
  let isEnd: i32 = 0;
  while (column < COLUMN && <i32>load<u8>(at) == OPEN_BRACKET) {
    const isQuoted = <i32>load<u8>(at, 1) == QUOTE;
    const start = at + 1 + <usize>isQuoted;
    const price = v128.load(start);
    const priceEntry = entryOf(price);
    // A branch and no calculation, so that the processor need not wait for the length of one number to look for the next.
    if (priceEntry >> 4 != guess) {
      guess = priceEntry >> 4;
      store<i32>(GUESS, <i32>guess);
    }
    let next = start + guess;
    const between = load<i32>(next);
    if (isQuoted ? (between & 0xffffff) != BETWEEN : (between & 0xff) != COMMA) break;
    next += isQuoted ? 3 : 1;
    const qty = v128.load(next);
    const qtyEntry = entryOf(qty);
    next += qtyEntry >> 4;
    if (isQuoted) {
      if (<i32>load<u8>(next) != QUOTE) break;
      next += 1;
    }
    const scale = scaleOf(priceEntry, qtyEntry);
    if (!put(prices + column, price, priceEntry, qty, qtyEntry, scale)) break;
    if (<i32>load<u8>(next) == COMMA) {
      const count = (load<i64>(next) & 0xffffffffffff) == ZERO_AND_COUNT && isDigit(next + 6) ? next + 7 : 0;
      if (count != 0 && <i32>load<u8>(count) == QUOTE) next = count + 1;
      else if (count != 0 && <i32>load<u8>(count, 1) == QUOTE && isDigit(count)) next = count + 2;
      else next = passed(next);
    }
    const behind = <i32>load<u16>(next);
    if (behind != NEXT_LIST && behind != LAST_LIST) break;
    at = next + 2;
    column += 8;
    scales = f64x2.pmax(scales, scale);
    if (behind == LAST_LIST) {
      isEnd = 1;
      break;
    }
  }
  tell(list, column, scales, isEnd);
  return at;
}

function objectsInto(list: usize, from: usize): usize {
  const prices = COLUMNS + list * (COLUMN << 1);
  let at = from;
  let column: usize = 0;
  let scales = f64x2.splat(1);
  let isEnd: i32 = 0;
  while (column < COLUMN && load<i64>(at) == PRICE_KEY && <i32>load<u8>(at, 8) == COLON) {
    const price = v128.load(at + 9);
    const priceEntry = entryOf(price);
    let next = at + 9 + (priceEntry >> 4);
    if ((load<i64>(next) & 0xffffffffffffff) != QTY_KEY) break;
    next += 7;
    const qty = v128.load(next);
    const qtyEntry = entryOf(qty);
    next += qtyEntry >> 4;
    const scale = scaleOf(priceEntry, qtyEntry);
    if (!put(prices + column, price, priceEntry, qty, qtyEntry, scale)) break;
    const behind = <i32>load<u16>(next);
    if (behind != NEXT_OBJECT && behind != LAST_OBJECT) break;
    at = next + 2;
    column += 8;
    scales = f64x2.pmax(scales, scale);
    if (behind == LAST_OBJECT) {
      isEnd = 1;
      break;
    }
  }
  tell(list, column, scales, isEnd);
  return at;
}

/** `["new",p,q],["change",p,q],["delete",p,q],…]`, likewise; what is deleted has no quantity, and decimals are not told. */
function actionsInto(list: usize, from: usize): usize {
  const prices = COLUMNS + list * (COLUMN << 1);
  let at = from;
  let column: usize = 0;
  let isEnd: i32 = 0;
  while (column < COLUMN && <i32>load<u8>(at) == OPEN_BRACKET) {
    const action = load<i64>(at, 1);
    const isNew = (action & 0xffffffffffff) == NEW;
    if (!isNew && ((action != CHANGE && action != DELETE) || <i32>load<u8>(at, 9) != COMMA)) break;
    const start = at + (isNew ? 7 : 10);
    const price = v128.load(start);
    const priceEntry = entryOf(price);
    let next = start + (priceEntry >> 4);
    if (<i32>load<u8>(next) != COMMA) break;
    next += 1;
    const qty = v128.load(next);
    const qtyEntry = entryOf(qty);
    next += qtyEntry >> 4;
    if (!put(prices + column, price, priceEntry, qty, qtyEntry, scaleOf(priceEntry, qtyEntry))) break;
    if (action == DELETE) store<f64>(prices + column + COLUMN, 0);
    const behind = <i32>load<u16>(next);
    if (behind != NEXT_LIST && behind != LAST_LIST) break;
    at = next + 2;
    column += 8;
    if (behind == LAST_LIST) {
      isEnd = 1;
      break;
    }
  }
  tell(list, column, f64x2.splat(1), isEnd);
  return at;
}

/** The number at `at` into NUMBER; its length, with its decimals above eight bits. 0 where it is none of the plain form. */
export function number(at: usize): i32 {
  return numberInto(NUMBER, at);
}

@inline
function numberInto(target: usize, at: usize): i32 {
  const text = v128.load(at);
  const entry = entryOf(text);
  const length = entry >> 4;
  const behind = <i32>load<u8>(at + length);
  // It goes on: an exponent, a second point, a sixteenth character.
  if ((behind | 0x20) == 0x65 || (behind >= 0x2e && behind <= 0x39)) return 0;
  const scale = load<f64>(SCALES + (entry << 3));
  const digits = digitsOf(text, entry);
  if (v128.any_true(wrong(digits)) || scale != scale) return 0;
  store<f64>(target, mantissaOf(digits) / scale);
  return <i32>length | (<i32>ctz(<i64>scale) << 8);
}

/** Unix milliseconds out of the nanoseconds at `at`, which are above 2^53; false where they have not nineteen digits. */
function nanosecondsInto(target: usize, at: usize): bool {
  if (!wholeInto(target, at, NANOSECOND_DIGITS - 6)) return false;
  const ms = load<f64>(target);
  if (!wholeInto(target, at + NANOSECOND_DIGITS - 6, 6)) return false;
  store<f64>(target, ms + load<f64>(target) / 1e6);
  return true;
}

/** The number of `length` digits at `at`; false where one of them is none. */
@inline
function wholeInto(target: usize, at: usize, length: usize): bool {
  const digits = digitsOf(v128.load(at), (length << 4) | 15);
  store<f64>(target, mantissaOf(digits));
  return length > 0 && !v128.any_true(wrong(digits));
}

@inline
function mantissaOf(digits: v128): f64 {
  const quads = quadsOf(digits);
  const halves = i32x4.dot_i16x8_s(i16x8.narrow_i32x4_s(quads, quads), v128.load(MYRIADS));
  return <f64>(<i64>i32x4.extract_lane(halves, 0) * 100000000 + <i64>i32x4.extract_lane(halves, 1));
}

function tell(list: usize, column: usize, scales: v128, isEnd: i32): void {
  const cells = LISTS + (list << 4);
  store<i32>(cells, <i32>(column >> 3));
  store<i32>(cells, isEnd, 4);
  // 10^d is 2^d times something odd.
  store<i32>(cells, <i32>ctz(<i64>f64x2.extract_lane(scales, 0)), 8);
  store<i32>(cells, <i32>ctz(<i64>f64x2.extract_lane(scales, 1)), 12);
}

/** Behind the plain strings and numbers that follow, each after a comma; in front of anything else. */
function passed(from: usize): usize {
  let at = from;
  while (<i32>load<u8>(at) == COMMA) {
    const text = v128.load(at + 1);
    let quotes = i8x16.bitmask(i8x16.eq(text, i8x16.splat(<i8>QUOTE)));
    if ((quotes & 1) == 0) {
      const entry = entryOf(text);
      if (entry < 16 || v128.any_true(wrong(digitsOf(text, entry)))) return at;
      at += 1 + (entry >> 4);
      continue;
    }
    quotes &= quotes - 1;
    // Longer than any count or id: not plain.
    if (quotes == 0 || (oddIn(text) & (quotes ^ (quotes - 1))) != 0) return at;
    at += 2 + <usize>ctz(quotes);
  }
  return at;
}

@inline
function isDigit(at: usize): bool {
  return <u32>(<i32>load<u8>(at) - 0x30) < 10;
}

/** The entry of the tables for the number that the text begins with: its length, above four bits for the place of its point. */
@inline
function entryOf(text: v128): usize {
  // Digits, the point and the slash, which is found out later.
  const raised = i8x16.sub(text, v128.load(POINTS));
  const rest = ~i8x16.bitmask(i8x16.eq(i8x16.min_u(raised, v128.load(ELEVENS)), raised)) | 0x8000;
  const points = i8x16.bitmask(i8x16.eq(text, v128.load(POINTS))) & (rest ^ (rest - 1));
  return <usize>((ctz(rest) << 4) | ctz(points | 0x8000));
}

/** The powers of ten of a price and of a quantity. */
@inline
function scaleOf(priceEntry: usize, qtyEntry: usize): v128 {
  return v128.load64_lane(SCALES + (qtyEntry << 3), v128.load64_zero(SCALES + (priceEntry << 3)), 1);
}

/** Price and quantity into their columns; false where they are not those of a level. */
@inline
function put(target: usize, price: v128, priceEntry: usize, qty: v128, qtyEntry: usize, scale: v128): bool {
  const p = digitsOf(price, priceEntry);
  const q = digitsOf(qty, qtyEntry);
  const halves = i32x4.dot_i16x8_s(i16x8.narrow_i32x4_s(quadsOf(p), quadsOf(q)), v128.load(MYRIADS));
  const high = f64x2.convert_low_i32x4_s(i32x4.shuffle(halves, halves, 0, 2, 0, 2));
  const low = f64x2.convert_low_i32x4_s(i32x4.shuffle(halves, halves, 1, 3, 1, 3));
  const values = f64x2.div(f64x2.add(f64x2.mul(high, f64x2.splat(1e8)), low), scale);
  v128.store64_lane(target, values, 0);
  v128.store64_lane(target + COLUMN, values, 1);
  // What is no number is NaN, and above nothing.
  return !v128.any_true(v128.or(wrong(p), wrong(q))) && i64x2.all_true(f64x2.gt(values, v128.load(LEAST)));
}

@inline
function digitsOf(text: v128, entry: usize): v128 {
  return i8x16.relaxed_swizzle(i8x16.sub(text, v128.load(ZEROS)), v128.load(ORDERS + (entry << 4)));
}

@inline
function wrong(digits: v128): v128 {
  return i8x16.gt_u(digits, v128.load(NINES));
}

/** Four digits in each lane; the weights are within seven bits, so that the relaxed product is the exact one everywhere. */
@inline
function quadsOf(digits: v128): v128 {
  return i32x4.dot_i16x8_s(i16x8.relaxed_dot_i8x16_i7x16_s(digits, v128.load(TENS)), v128.load(HUNDREDS));
}
