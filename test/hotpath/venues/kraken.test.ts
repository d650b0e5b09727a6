import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { kraken } from '#hotpath/venues/kraken.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import { APPLIED, BROKEN } from '#shared/domain/market-event.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { hasRecorded, recordedDir } from '#test/support/recorded.ts';
import { MarketRig, refusalOf } from '#test/support/venue-fixture.ts';

const market = kraken.markets[0]!;
const FIRST = 0 as InstrumentIndex;
type Level = readonly [price: string, qty: string];

const rigOf = (symbol = 'ETH/USD'): MarketRig => new MarketRig(market, [instrumentOf('kraken', 'spot', symbol)]);

/** The venue's own rule, on texts. */
function checksumOf(bids: readonly Level[], asks: readonly Level[]): number {
  const digits = (text: string): string => text.replace('.', '').replace(/^0+/, '');
  const side = (levels: readonly Level[]) => levels.slice(0, 10).map(([price, qty]) => digits(price) + digits(qty));
  return crc32([...side(asks), ...side(bids)].join(''));
}

function frameOf(type: string, bids: readonly Level[], asks: readonly Level[], checksum: number): { frame: string } {
  const side = (levels: readonly Level[]) => levels.map(([price, qty]) => `{"price":${price},"qty":${qty}}`).join(',');
  const data = `{"symbol":"ETH/USD","bids":[${side(bids)}],"asks":[${side(asks)}],"checksum":${checksum},"timestamp":"2026-02-28T23:59:59.123456Z"}`;
  return { frame: `{"channel":"book","type":"${type}","data":[${data}]}` };
}

describe('kraken checksum', () => {
  it('is the CRC of the texts, whatever their decimals, up to what a double keeps', () => {
    const book = fc
      .record({ priceDecimals: fc.integer({ min: 0, max: 10 }), qtyDecimals: fc.integer({ min: 0, max: 8 }) })
      .chain(({ priceDecimals, qtyDecimals }) => {
        const written = (max: number, decimals: number) =>
          fc.integer({ min: 1, max }).map((units) => {
            const text = String(units).padStart(decimals + 1, '0');
            return decimals === 0 ? text : `${text.slice(0, -decimals)}.${text.slice(-decimals)}`;
          });
        const level = fc.tuple(written(2 ** 40, priceDecimals), written(2 ** 51, qtyDecimals));
        return fc.uniqueArray(level, { selector: ([price]) => Number(price), minLength: 2, maxLength: 30 });
      });
    fc.assert(
      fc.property(book, (levels) => {
        const sorted = [...levels].sort(([a], [b]) => Number(a) - Number(b));
        const half = Math.floor(sorted.length / 2);
        const bids = sorted.slice(0, half).reverse();
        const asks = sorted.slice(half);
        expect(rigOf().take(frameOf('snapshot', bids, asks, checksumOf(bids, asks)))?.outcome).toBe(APPLIED);
        const wrong = checksumOf(bids, asks) ^ 1;
        expect(rigOf().take(frameOf('snapshot', bids, asks, wrong >>> 0))?.outcome).toBe(BROKEN);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is not believed, nor held against the book, where a quantity has more digits than a double keeps', () => {
    const bids: Level[] = [['0.0000012', '99999999999.12345678']];
    const asks: Level[] = [['0.0000013', '5.00000000']];
    const rig = rigOf();
    expect(rig.take(frameOf('snapshot', bids, asks, checksumOf(bids, asks)))?.outcome).toBe(APPLIED);
    expect(rig.store.depths.status(FIRST)).toBe('syncing');
    const better: Level[] = [['0.0000012', '7.00000000']];
    expect(rig.take(frameOf('update', better, [], checksumOf(better, asks)))?.outcome).toBe(APPLIED);
    expect(rig.store.depths.status(FIRST)).toBe('live');
  });

  it.skipIf(!hasRecorded)('holds for real frames of 2025', () => {
    const vector = JSON.parse(readFileSync(`${recordedDir}/vectors/kraken_v2_ethusd_depth10.json`, 'utf8')) as {
      readonly frames: readonly string[];
    };
    const rig = rigOf();
    expect(vector.frames.map((frame) => rig.take({ frame })?.outcome)).toEqual([APPLIED, APPLIED]);
    expect(rig.store.statistics(FIRST)).toMatchObject({ checksums: 2, checksumsWrong: 0 });
  });
});

describe('kraken frames', () => {
  it('carry their time to the microsecond', () => {
    const update = rigOf().take(frameOf('snapshot', [], [], 0))!.update;
    expect(update.venueTimeMs).toBeCloseTo(Date.parse('2026-02-28T23:59:59.123Z') + 0.456, 3);
  });

  it.each([
    '',
    '2026-02-28',
    '2026-02-28T23:59:59',
    '2026-02-28 23:59:59Z',
    '2026-0x-28T23:59:59Z',
    `${'2'.repeat(40)}Z`,
  ])('refuse the time %j', (timestamp) => {
    const { frame } = frameOf('snapshot', [], [], 0);
    const bad = frame.replace('2026-02-28T23:59:59.123456Z', timestamp);
    expect(refusalOf(() => rigOf().take({ frame: bad }))).toMatch(/not a timestamp/);
  });

  it.each([
    ['"checksum":0,', ''],
    ['"symbol":"ETH/USD",', ''],
    ['"bids":[],', ''],
    ['"type":"snapshot",', ''],
    ['"type":"snapshot"', '"type":"whole"'],
    ['"data":[{', '"data":[],"x":[{'],
    ['}]}', '},{}]}'],
    ['"data":[', '"dat":['],
  ])('are refused with %j as %j', (part, instead) => {
    const { frame } = frameOf('snapshot', [], [], 0);
    expect(refusalOf(() => rigOf().take({ frame: frame.replace(part, instead) }))).toBeTypeOf('string');
  });

  it('take the last word on a price that a frame names twice', () => {
    const rig = rigOf();
    rig.take(frameOf('snapshot', [['9.0', '1.0']], [['9.5', '1.0']], checksumOf([['9.0', '1.0']], [['9.5', '1.0']])));
    const twice: Level[] = [
      ['9.0', '2.0'],
      ['9.0', '3.0'],
    ];
    expect(rig.take(frameOf('update', twice, [], checksumOf([['9.0', '3.0']], [['9.5', '1.0']])))?.outcome).toBe(
      APPLIED,
    );
    expect(rig.store.tops.bidQty[FIRST]).toBe(3);
  });

  it('tell control frames by their kind', () => {
    const rig = rigOf();
    const said = [
      '{"method":"pong","req_id":1}',
      '{"method":"subscribe","success":true}',
      '{"method":"subscribe","success":false,"error":"x"}',
      '{"error":"Currency pair not supported","success":false}',
      '{"channel":"heartbeat"}',
    ];
    for (const frame of said) expect(rig.take({ frame })).toBeUndefined();
    expect(rig.controls).toEqual(['pong', 'ack', 'error', 'error']);
  });
});
