import type { ChecksumView } from './venue.ts';

const HASHED_LEVELS = 10;
/** Whole numbers up to here come back exactly from the double that a decimal text became. */
const EXACT_MAX = 2 ** 51;
const prices = new Float64Array(HASHED_LEVELS);
const qtys = new Float64Array(HASHED_LEVELS);
/** No venue writes more decimals. */
const POWERS = Float64Array.from({ length: 23 }, (_none, exponent) => Number(`1e${exponent}`));

/**
 * CRC32 (the venue's is unsigned) over the top 10 asks from low to high, then the top 10 bids from high to low: of each level the price's and the quantity's digits
 * as the venue writes them, without the point and without leading zeros. The venue writes a fixed number of decimals for each instrument, so the
 * digits are those of value × 10^decimals. NaN when a value has more digits than a double keeps.
 * @see https://docs.kraken.com/api/docs/guides/spot-ws-book-v2
 */
export function krakenChecksum(book: ChecksumView): number {
  const priceScale = POWERS[book.priceDecimals]!;
  const qtyScale = POWERS[book.qtyDecimals]!;
  let crc = -1;
  for (let side = 0; side < 2; side += 1) {
    const count = side === 0 ? book.asks(prices, qtys) : book.bids(prices, qtys);
    for (let at = 0; at < count; at += 1) {
      const price = Math.round(prices[at]! * priceScale);
      const qty = Math.round(qtys[at]! * qtyScale);
      // Said so that what is no number is refused too.
      if (!(price <= EXACT_MAX && qty <= EXACT_MAX)) return NaN;
      crc = hashDigits(hashDigits(crc, price), qty);
    }
  }
  return ~crc;
}

const EIGHT_DIGITS = 1e8;
const FOUR_DIGITS = 10_000;

/** Continues the CRC over the decimal digits of a whole number; nothing is left of a zero. Four digits at a time: every frame is hashed. */
function hashDigits(crc: number, value: number): number {
  if (value < EIGHT_DIGITS) return hashShort(crc, value | 0);
  const high = Math.floor(value / EIGHT_DIGITS);
  const low = (value - high * EIGHT_DIGITS) | 0;
  const middle = (low / FOUR_DIGITS) | 0;
  return hashFour(hashFour(hashShort(crc, high | 0), middle), low - middle * FOUR_DIGITS);
}

/** Up to eight digits, without leading zeros. */
function hashShort(crc: number, value: number): number {
  if (value < FOUR_DIGITS) return hashFirst(crc, value);
  const high = (value / FOUR_DIGITS) | 0;
  return hashFour(hashFirst(crc, high), value - high * FOUR_DIGITS);
}

/** Up to four digits, without leading zeros. */
function hashFirst(crc: number, value: number): number {
  if (value >= 1_000) return hashFour(crc, value);
  // The first digit is the lowest byte: leading zeros are shifted out.
  if (value >= 100) {
    const mixed = crc ^ (DIGITS[value]! >>> 8);
    return (
      TABLE[512 + (mixed & 255)]! ^ TABLE[256 + ((mixed >>> 8) & 255)]! ^ TABLE[(mixed >>> 16) & 255]! ^ (mixed >>> 24)
    );
  }
  if (value >= 10) {
    const mixed = crc ^ (DIGITS[value]! >>> 16);
    return TABLE[256 + (mixed & 255)]! ^ TABLE[(mixed >>> 8) & 255]! ^ (mixed >>> 16);
  }
  if (value === 0) return crc;
  const mixed = crc ^ (DIGITS[value]! >>> 24);
  return TABLE[mixed & 255]! ^ (mixed >>> 8);
}

/** Four digits, leading zeros among them. */
function hashFour(crc: number, value: number): number {
  const mixed = crc ^ DIGITS[value]!;
  return (
    TABLE[768 + (mixed & 255)]! ^
    TABLE[512 + ((mixed >>> 8) & 255)]! ^
    TABLE[256 + ((mixed >>> 16) & 255)]! ^
    TABLE[mixed >>> 24]!
  );
}

/** The characters of 0000 to 9999, the first in the lowest byte. */
const DIGITS = Int32Array.from({ length: FOUR_DIGITS }, (_none, value) =>
  Buffer.from(String(value).padStart(4, '0')).readInt32LE(),
);

/** What a byte becomes, and what it becomes when one, two, three bytes follow: 256 entries each. */
const TABLE = crcTable();

function crcTable(): Int32Array {
  const table = new Int32Array(4 * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let entry = byte;
    for (let bit = 0; bit < 8; bit += 1) entry = (entry & 1) === 0 ? entry >>> 1 : (entry >>> 1) ^ 0xedb88320;
    table[byte] = entry;
  }
  for (let at = 256; at < table.length; at += 1) {
    const before = table[at - 256]!;
    table[at] = (before >>> 8) ^ table[before & 255]!;
  }
  return table;
}
