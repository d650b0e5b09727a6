import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { venues } from '#hotpath/venues/index.ts';
import type { ChecksumView } from '#hotpath/venues/venue.ts';
import { hasRecorded, recordedDir } from '#test/support/recorded.ts';

type Levels = readonly (readonly [price: string, qty: string])[];
type Vector = { readonly asks: Levels; readonly bids: Levels; readonly crc32?: number; readonly crc32_signed?: number };
type Vectors = {
  readonly kraken_v2: readonly Vector[];
  readonly okx_legacy: Vector;
  readonly kraken_strip: readonly (readonly [text: string, digits: string])[];
};

const decimalsOf = (text: string): number => text.split('.')[1]?.length ?? 0;

/** A book of these texts as a checksum sees it. */
function viewOf({ asks, bids }: Pick<Vector, 'asks' | 'bids'>): ChecksumView {
  const all = [...asks, ...bids];
  const read =
    (side: Levels) =>
    (prices: Float64Array, qtys: Float64Array): number => {
      const shown = side.slice(0, prices.length);
      for (const [at, [price, qty]] of shown.entries()) {
        prices[at] = Number(price);
        qtys[at] = Number(qty);
      }
      return shown.length;
    };
  return {
    asks: read(asks),
    bids: read(bids),
    priceDecimals: Math.max(...all.map(([price]) => decimalsOf(price))),
    qtyDecimals: Math.max(...all.map(([, qty]) => decimalsOf(qty))),
  };
}

const checksumOf = (venue: string) => venues.find(({ id }) => id === venue)!.markets[0]!.book.checksum!;

describe.skipIf(!hasRecorded)('checksum vectors (skipped without RECORDED_DIR)', () => {
  const vectors = hasRecorded
    ? (JSON.parse(readFileSync(`${recordedDir}/vectors/checksums.json`, 'utf8')) as Vectors)
    : { kraken_v2: [], okx_legacy: { asks: [], bids: [] }, kraken_strip: [] };

  it('are ours for Kraken, with fewer than ten levels too', () => {
    expect(vectors.kraken_v2.length).toBeGreaterThan(1);
    for (const vector of vectors.kraken_v2) expect(checksumOf('kraken')(viewOf(vector))).toBe(vector.crc32! | 0);
  });

  it('are ours for the older OKX form', () => {
    expect(checksumOf('okx')(viewOf(vectors.okx_legacy))).toBe(vectors.okx_legacy.crc32_signed);
  });

  it('hash what is left of a Kraken number without its point and leading zeros', () => {
    expect(vectors.kraken_strip.length).toBeGreaterThan(3);
    for (const [text, digits] of vectors.kraken_strip) {
      // A quantity of 0 is no level, so a price stands for the number.
      const view = { ...viewOf({ asks: [[text, '7']], bids: [] }), qtyDecimals: 0 };
      expect(checksumOf('kraken')(view), text).toBe(crc32(`${digits}7`) | 0);
    }
  });
});
