import { BadInput } from '#shared/assert.ts';
import type { LevelBuffer } from '#shared/domain/market-event.ts';
import {
  claimRoom,
  CHUNK_LEVELS,
  FOUND,
  FOUND_COUNT,
  FOUND_END,
  FOUND_NUMBER,
  FOUND_LEVELS,
  FOUND_PRICE_DECIMALS,
  FOUND_QTY_DECIMALS,
  FOUND_TEXTS,
  FRAME_MEMORY,
  FRAME_VIEW,
  kernel,
  ROOM_BYTES,
} from './frame-memory.ts';
import type { Shape } from './frame-shape.ts';

/** Answer of {@link Frame.firstKey} and {@link Frame.nextKey} at the end of an object. */
export const END = -1;

/** More levels on one side of one frame than any venue sends: refused, so that a buffer never grows without limit. */
export const LEVELS_MAX = 20_000;

/** The code by which {@link Frame.nextKey} names a key (31 bits of FNV-1a). Computed once, at module load. */
export function keyCode(key: string): number {
  let hash = FNV_OFFSET;
  for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), FNV_PRIME);
  return hash & 0x7fffffff;
}

/**
 * A cursor over the JSON text of one frame, in place: it walks objects key by key in whatever order the venue writes them, skips what is not
 * asked for, and reads numbers to the exactly nearest double. One instance serves every frame; nothing is allocated but in error messages,
 * {@link Frame.text} and numbers too long for the fast path. Anything structurally unexpected throws BadInput.
 */
export class Frame {
  /** The frame's text is [start, end); the byte behind it is 0, where every loop stops. */
  bytes: Uint8Array = FRAME_MEMORY;
  /** The same bytes. */
  view = FRAME_VIEW;
  start = 0;
  end = 0;
  /** The next byte to read. */
  at = 0;
  /** Bounds of the string that {@link Frame.string} read last, without its quotes. */
  textStart = 0;
  textEnd = 0;
  /** The whole number that {@link Frame.integer} read last. */
  value = NaN;
  /** Decimals of the number read last, as written: 2 for `1.50`. */
  decimals = 0;
  /** Where copies go; undefined before the first one, -1 where there is no room for them. */
  #room: number | undefined;
  /** Where copies go that are too long for a room, or have none. */
  #own = NO_BYTES;
  readonly #number = new Float64Array(1);

  /**
   * Takes over the frame in [start, end) of `bytes`, which stay the caller's. It is read where it lies if that is FRAME_MEMORY with a byte 0 behind the
   * frame; anything else is copied there first, or into a buffer of its own that the kernel cannot read.
   */
  window(bytes: Uint8Array, start: number, end: number): this {
    if (bytes === FRAME_MEMORY && bytes[end] === 0) {
      this.bytes = bytes;
      this.view = FRAME_VIEW;
      this.start = start;
      this.end = end;
    } else this.#copy(bytes, start, end);
    this.at = this.start;
    return this;
  }

  #copy(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    this.#room ??= claimRoom(this) ?? -1;
    if (this.#room < 0 || length >= ROOM_BYTES) this.#useOwn(length);
    else {
      this.bytes = FRAME_MEMORY;
      this.view = FRAME_VIEW;
      this.start = this.#room;
    }
    // Unlike `set`, it wants no view of the part.
    buffers.copy.call(bytes, this.bytes, this.start, start, end);
    this.end = this.start + length;
    this.bytes[this.end] = 0;
  }

  #useOwn(length: number): void {
    if (length >= this.#own.length) this.#own = new Uint8Array(2 ** Math.ceil(Math.log2(length + 1)));
    this.bytes = this.#own;
    this.view = new DataView(this.#own.buffer);
    this.start = 0;
  }

  /**
   * Whether the whole frame has this shape: its numbers are then FOUND_NUMBERS, its texts and lists are asked for below, all in the shape's order, and
   * until the next question. False says nothing: what is not plainly so is to be read key by key.
   */
  has(shape: Shape): boolean {
    return this.bytes === FRAME_MEMORY && kernel.shape(shape, this.start, this.end) === 1;
  }

  /** The text in a place of the shape becomes the string that was read last. */
  shapedText(place: number): void {
    this.textStart = FOUND_TEXTS[2 * place]!;
    this.textEnd = FOUND_TEXTS[2 * place + 1]!;
  }

  /** Replaces what `into` held by a list of the shape. */
  shapedLevels(list: 0 | 1, into: LevelBuffer): void {
    clear(into);
    takeFound(into, list);
  }

  /** The first byte of the next value, 0 at the end of the frame. */
  peek(): number {
    const byte = this.bytes[this.at]!;
    if (byte > SPACE) return byte;
    this.#skipSpace();
    return this.bytes[this.at]!;
  }

  /** Enters an object: the code of its first key (the cursor stands on that key's value), or END if it is empty. */
  firstKey(): number {
    this.#expect(OPEN_BRACE);
    if (this.peek() !== CLOSE_BRACE) return this.#key();
    this.at += 1;
    return END;
  }

  /** After a value: the code of the next key, or END behind the object. */
  nextKey(): number {
    if (this.peek() === COMMA) {
      this.at += 1;
      return this.#key();
    }
    this.#expect(CLOSE_BRACE);
    return END;
  }

  /** Enters an array; false when it is empty (and passed). */
  firstElement(): boolean {
    this.#expect(OPEN_BRACKET);
    if (this.peek() !== CLOSE_BRACKET) return true;
    this.at += 1;
    return false;
  }

  /** After an element; false behind the last one. */
  nextElement(): boolean {
    if (this.peek() === COMMA) {
      this.at += 1;
      return true;
    }
    this.#expect(CLOSE_BRACKET);
    return false;
  }

  /** Nothing but white space may follow. */
  finish(): void {
    this.#skipSpace();
    if (this.at !== this.end) this.#refuse('text after the end');
  }

  /** A number, bare or in quotes, into `target[index]`. Nothing is returned: a double that leaves a function costs an allocation. */
  number(target: Float64Array, index: number): void {
    const quoted = this.peek() === QUOTE;
    this.at = this.#decimal(quoted ? this.at + 1 : this.at, target, index);
    if (quoted) this.#expect(QUOTE);
  }

  /** A whole number that a double holds exactly, bare or in quotes, into `value`: a sequence, a checksum, a time. */
  integer(): void {
    const { bytes } = this;
    const from = this.at;
    let at = from;
    let high = 0;
    let digit = 0;
    while (at < from + 9 && (digit = bytes[at]! - ZERO) >= 0 && digit <= 9) {
      high = (high * 10 + digit) | 0;
      at += 1;
    }
    const lowFrom = at;
    let low = 0;
    while (at < from + 15 && (digit = bytes[at]! - ZERO) >= 0 && digit <= 9) {
      low = (low * 10 + digit) | 0;
      at += 1;
    }
    const byte = bytes[at];
    if (at > from && (byte === COMMA || byte === CLOSE_BRACE)) {
      this.at = at;
      this.value = high * POWERS_OF_TEN[at - lowFrom]! + low;
      return;
    }
    this.number(this.#number, 0);
    this.value = this.#number[0]!;
    if (!Number.isSafeInteger(this.value)) this.#refuse('not an exact integer');
  }

  /** The text [start, end) as a decimal and nothing else, into `target[index]`; the cursor stays. For texts that no quotes enclose. */
  decimalAt(start: number, end: number, target: Float64Array, index: number): void {
    const { bytes } = this;
    const behind = bytes[end]!;
    // Whatever follows is no part of it, digits least of all.
    bytes[end] = 0;
    const stop = start < end ? this.#decimal(start, target, index) : -1;
    bytes[end] = behind;
    if (stop !== end) this.#refuse('not a decimal');
  }

  /** A string, whose raw bytes are then [textStart, textEnd). Escapes are left as they are. */
  string(): void {
    this.#expect(QUOTE);
    this.textStart = this.at;
    this.at = this.#closingQuote(this.at) + 1;
    this.textEnd = this.at - 1;
  }

  /** Whether the string read last is `text`. */
  textIs(text: Uint8Array): boolean {
    if (this.textEnd - this.textStart !== text.length) return false;
    for (let at = 0; at < text.length; at += 1) if (this.bytes[this.textStart + at] !== text[at]) return false;
    return true;
  }

  /** The frame's text from `from` to `to`, for messages: allocates. */
  text(from = this.start, to = this.end): string {
    return Buffer.from(this.bytes.buffer, from, Math.max(0, to - from)).toString();
  }

  /** Passes over one value of any kind. */
  skip(): void {
    const byte = this.peek();
    if (byte === QUOTE) this.at = this.#closingQuote(this.at + 1) + 1;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) this.#skipNested();
    else this.#skipScalar();
  }

  /** `[["price","qty"],…]`, quoted or bare, further elements of a level passed over; replaces what `into` held. */
  levels(into: LevelBuffer): void {
    clear(into);
    if (!this.firstElement()) return;
    do {
      if (this.#plainLevels(into, false)) return;
      this.#level(into);
    } while (this.nextElement());
  }

  /** `[{"price":p,"qty":q},…]`; replaces what `into` held. */
  levelObjects(into: LevelBuffer): void {
    clear(into);
    if (!this.firstElement()) return;
    do {
      if (this.#plainLevels(into, true)) return;
      this.#levelObject(into);
    } while (this.nextElement());
  }

  /** Levels as most venues write them, read by the kernel: whether that was the whole list. Stops before the first level of another form. */
  #plainLevels(into: LevelBuffer, areObjects: boolean): boolean {
    if (this.bytes !== FRAME_MEMORY) return false;
    let count = 0;
    do {
      this.at = areObjects ? kernel.levelObjects(this.at) : kernel.levels(this.at);
      count = FOUND[FOUND_COUNT]!;
      if (count > 0) takeFound(into, 0);
      if (FOUND[FOUND_END] === 1) return true;
    } while (count === CHUNK_LEVELS);
    return false;
  }

  #level(into: LevelBuffer): void {
    const index = roomFor(into);
    this.#expect(OPEN_BRACKET);
    this.number(into.prices, index);
    if (this.decimals > into.priceDecimals) into.priceDecimals = this.decimals;
    this.#expect(COMMA);
    this.number(into.qtys, index);
    if (this.decimals > into.qtyDecimals) into.qtyDecimals = this.decimals;
    this.takeLevel(into, index);
    while (this.nextElement()) this.skip();
  }

  #levelObject(into: LevelBuffer): void {
    const index = roomFor(into);
    into.prices[index] = NaN;
    into.qtys[index] = NaN;
    for (let key = this.firstKey(); key !== END; key = this.nextKey()) {
      if (key === KEY_PRICE) {
        this.number(into.prices, index);
        if (this.decimals > into.priceDecimals) into.priceDecimals = this.decimals;
      } else if (key === KEY_QTY) {
        this.number(into.qtys, index);
        if (this.decimals > into.qtyDecimals) into.qtyDecimals = this.decimals;
      } else this.skip();
    }
    this.takeLevel(into, index);
  }

  /** Counts the level that was read into the place `index` of {@link roomFor}. */
  takeLevel(into: LevelBuffer, index: number): void {
    if (!(into.prices[index]! > 0 && into.qtys[index]! >= 0)) this.#refuse('not a level');
    into.count = index + 1;
  }

  /**
   * Reads an unsigned decimal from `from` into `target[index]` and returns the position behind it. Division by a power of ten up to 1e22 of a mantissa
   * below 2^53 gives the nearest double; a sign, an exponent or more digits go the slow way.
   */
  #decimal(from: number, target: Float64Array, index: number): number {
    const bytes = this.bytes;
    if (bytes === FRAME_MEMORY) {
      const read = kernel.number(from);
      if (read !== 0) {
        this.decimals = read >> 8;
        target[index] = FOUND_NUMBER[0]!;
        return from + (read & 0xff);
      }
    }
    let at = from;
    let whole = 0;
    let digit = 0;
    while ((digit = bytes[at]! - ZERO) >= 0 && digit <= 9) {
      whole = (whole * 10 + digit) | 0;
      at += 1;
    }
    const wholeDigits = at - from;
    if (wholeDigits === 0 || wholeDigits > 9) return this.#longDecimal(from, target, index);
    if (bytes[at] !== POINT) {
      if ((bytes[at]! | 0x20) === LETTER_E) return this.#anyNumber(from, target, index);
      this.decimals = 0;
      target[index] = whole;
      return at;
    }
    at += 1;
    const pointAt = at;
    let fraction = 0;
    if (at + 8 < this.end) {
      // Most venues write eight decimals; four at once.
      const first = fourDigits(this.view.getInt32(at, true));
      if (first >= 0) {
        fraction = first;
        at += 4;
        const second = fourDigits(this.view.getInt32(at, true));
        if (second >= 0) {
          fraction = first * 10_000 + second;
          at += 4;
        }
      }
    }
    while ((digit = bytes[at]! - ZERO) >= 0 && digit <= 9) {
      fraction = (fraction * 10 + digit) | 0;
      at += 1;
    }
    const decimals = at - pointAt;
    if (decimals === 0 || decimals > 9 || (bytes[at]! | 0x20) === LETTER_E) {
      return this.#longDecimal(from, target, index);
    }
    const scale = POWERS_OF_TEN[decimals]!;
    const mantissa = whole * scale + fraction;
    if (mantissa > Number.MAX_SAFE_INTEGER) return this.#anyNumber(from, target, index);
    this.decimals = decimals;
    target[index] = mantissa / scale;
    return at;
  }

  /** As above for more than nine digits before or after the point: the mantissa is a double from the start. */
  #longDecimal(from: number, target: Float64Array, index: number): number {
    const bytes = this.bytes;
    let at = from;
    let pointAt = -1;
    let mantissa = 0;
    for (; ; at += 1) {
      const byte = bytes[at]!;
      if (byte === POINT && pointAt < 0) pointAt = at;
      else if (byte >= ZERO && byte <= ZERO + 9) mantissa = mantissa * 10 + (byte - ZERO);
      else break;
    }
    const decimals = pointAt < 0 ? 0 : at - pointAt - 1;
    const simple = pointAt !== from && pointAt !== at - 1 && at > from && (bytes[at]! | 0x20) !== LETTER_E;
    if (!simple || decimals > 22 || mantissa > Number.MAX_SAFE_INTEGER) return this.#anyNumber(from, target, index);
    this.decimals = decimals;
    target[index] = mantissa / POWERS_OF_TEN[decimals]!;
    return at;
  }

  /** Any JSON number, through `Number`, which rounds to nearest too. */
  #anyNumber(from: number, target: Float64Array, index: number): number {
    let at = from;
    while (at - from < 64 && isNumeral(this.bytes[at]!)) at += 1;
    const parts = JSON_NUMBER.exec(this.text(from, at));
    const value = Number(parts?.[0]);
    if (parts === null || !Number.isFinite(value)) this.#refuse('not a number');
    this.decimals = Math.max(0, (parts[1]?.length ?? 0) - Number(parts[2] ?? 0));
    target[index] = value;
    return at;
  }

  #key(): number {
    const bytes = this.bytes;
    let at = this.at;
    const first = bytes[at + 1]!;
    // Keys of one letter are the rule where messages are many.
    if (
      bytes[at] === QUOTE &&
      first > SPACE &&
      first !== BACKSLASH &&
      bytes[at + 2] === QUOTE &&
      bytes[at + 3] === COLON
    ) {
      this.at = at + 4;
      return Math.imul(FNV_OFFSET ^ first, FNV_PRIME) & 0x7fffffff;
    }
    this.#expect(QUOTE);
    at = this.at;
    let hash = FNV_OFFSET;
    let byte = 0;
    while ((byte = bytes[at]!) !== QUOTE) {
      if (byte < SPACE || byte === BACKSLASH) this.#refuse('not a key');
      hash = Math.imul(hash ^ byte, FNV_PRIME);
      at += 1;
    }
    this.at = at + 1;
    this.#expect(COLON);
    return hash & 0x7fffffff;
  }

  #expect(byte: number): void {
    if (this.bytes[this.at] !== byte && this.peek() !== byte) this.#refuse(`expected ${String.fromCharCode(byte)}`);
    this.at += 1;
  }

  #skipSpace(): void {
    const bytes = this.bytes;
    let at = this.at;
    while (isSpace(bytes[at]!)) at += 1;
    this.at = at;
  }

  #closingQuote(from: number): number {
    const bytes = this.bytes;
    let at = from;
    let byte = 0;
    while ((byte = bytes[at]!) !== QUOTE) {
      if (byte === BACKSLASH) at += 1;
      if (bytes[at]! < SPACE) return this.#refuse('string without an end');
      at += 1;
    }
    return at;
  }

  #skipNested(): void {
    let depth = 0;
    do {
      const byte = this.peek();
      if (byte === QUOTE) this.at = this.#closingQuote(this.at + 1);
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth += 1;
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth -= 1;
      else if (byte === 0) this.#refuse('value without an end');
      this.at += 1;
    } while (depth > 0);
  }

  #skipScalar(): void {
    const from = this.at;
    while (isScalar(this.bytes[this.at]!)) this.at += 1;
    if (this.at === from) this.#refuse('expected a value');
  }

  /** Names the trouble once, with where it is; the frame's beginning identifies the message. */
  #refuse(trouble: string): never {
    const { start, end } = this;
    const beginning = this.text(start, Math.min(end, start + 120));
    throw new BadInput(`${trouble} at byte ${this.at - start} of ${end - start}: ${beginning}`);
  }
}

/** An empty buffer for one side of a frame; it grows with the frames it meets, up to LEVELS_MAX. */
export function newLevelBuffer(): LevelBuffer {
  return { prices: new Float64Array(64), qtys: new Float64Array(64), count: 0, priceDecimals: 0, qtyDecimals: 0 };
}

/** The index of the next level, with room made for it. */
export function roomFor(buffer: LevelBuffer): number {
  if (buffer.count === buffer.prices.length) grow(buffer);
  return buffer.count;
}

function clear(buffer: LevelBuffer): void {
  buffer.count = 0;
  buffer.priceDecimals = 0;
  buffer.qtyDecimals = 0;
}

/** Adds the levels of a list that the kernel found. */
function takeFound(into: LevelBuffer, list: 0 | 1): void {
  const cells = 4 * list;
  const count = FOUND[cells + FOUND_COUNT]!;
  const from = into.count;
  while (into.prices.length < from + count) grow(into);
  const { prices, qtys } = into;
  const column = 2 * CHUNK_LEVELS * list;
  for (let at = 0; at < count; at += 1) {
    prices[from + at] = FOUND_LEVELS[column + at]!;
    qtys[from + at] = FOUND_LEVELS[column + CHUNK_LEVELS + at]!;
  }
  into.count = from + count;
  const priceDecimals = FOUND[cells + FOUND_PRICE_DECIMALS]!;
  const qtyDecimals = FOUND[cells + FOUND_QTY_DECIMALS]!;
  if (priceDecimals > into.priceDecimals) into.priceDecimals = priceDecimals;
  if (qtyDecimals > into.qtyDecimals) into.qtyDecimals = qtyDecimals;
}

function grow(buffer: LevelBuffer): void {
  const { length } = buffer.prices;
  if (length >= LEVELS_MAX) throw new BadInput(`more than ${LEVELS_MAX} levels on a side`);
  const prices = new Float64Array(Math.min(LEVELS_MAX, 2 * length));
  const qtys = new Float64Array(prices.length);
  prices.set(buffer.prices);
  qtys.set(buffer.qtys);
  buffer.prices = prices;
  buffer.qtys = qtys;
}

/** The number in four ASCII digits, the first in the lowest byte; -1 if one of them is none. */
function fourDigits(bytes: number): number {
  const digits = bytes ^ 0x30303030;
  // A byte above 9 carries into its highest bit, or has it already.
  if ((((digits + 0x76767676) | 0 | digits) & 0x80808080) !== 0) return -1;
  const pairs = Math.imul(digits, 10) + (digits >>> 8);
  return (pairs & 0xff) * 100 + ((pairs >>> 16) & 0xff);
}

const buffers = Buffer.prototype as Buffer;
const isSpace = (byte: number): boolean => byte === SPACE || (byte <= 13 && byte >= 9);
/** `0`–`9`, `.`, `-`, `+`, `e`, `E`. */
const isNumeral = (byte: number): boolean =>
  (byte >= ZERO && byte <= ZERO + 9) || byte === POINT || byte === 0x2d || byte === 0x2b || (byte | 0x20) === LETTER_E;
/** What numbers and `true`, `false`, `null` are made of. */
const isScalar = (byte: number): boolean => isNumeral(byte) || (byte >= 0x61 && byte <= 0x7a);

const NO_BYTES = new Uint8Array(0);
const JSON_NUMBER = /^-?\d+(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/;
const POWERS_OF_TEN = Float64Array.from({ length: 23 }, (_, power) => Number(`1e${power}`));
const FNV_OFFSET = 0x811c9dc5 | 0;
const FNV_PRIME = 0x01000193;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const POINT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const LETTER_E = 0x65;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const KEY_PRICE = keyCode('price');
const KEY_QTY = keyCode('qty');
