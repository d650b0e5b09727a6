import { describe, expect, it } from 'vitest';
import { ConnectionState } from '#hotpath/feed/connection-state.ts';
import { Frame } from '#hotpath/runtime/frame.ts';
import { bitfinex } from '#hotpath/venues/bitfinex.ts';
import { BadInput } from '#shared/assert.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import { APPLIED, BROKEN, IGNORED } from '#shared/domain/market-event.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { MarketRig, refusalOf } from '#test/support/venue-fixture.ts';

const BOOK = 0 as InstrumentIndex;
const rigOf = (): MarketRig =>
  new MarketRig(
    bitfinex.markets[0]!,
    ['tBTCUSD', 'tETHUSD'].map((symbol) => instrumentOf('bitfinex', 'spot', symbol)),
  );
const frameOf = (message: unknown) => ({ frame: JSON.stringify(message) });
const announced = (chanId: number, symbol: string, fields: object = {}) =>
  frameOf({ event: 'subscribed', channel: 'book', chanId, symbol, prec: 'P0', ...fields });
const book = [
  [100, 1, 1],
  [101, 2, -1],
];
const opened = (): MarketRig => {
  const rig = rigOf();
  rig.take(announced(17, 'tBTCUSD'));
  rig.take(frameOf([17, book, 1]));
  return rig;
};

describe('bitfinex channels', () => {
  it('mean nothing until they are announced; what came before is then taken', () => {
    const rig = rigOf();
    expect(rig.take({ frame: '[17,"hb",1]' })).toBeUndefined();
    expect(rig.take(frameOf([17, book, 2]))).toBeUndefined();
    expect(rig.take({ frame: '[17,[100,1,5],3]' })).toBeUndefined();
    expect(rig.take(announced(17, 'tBTCUSD'))?.outcome).toBe(APPLIED);
    expect(rig.store.tops.bidQty[0]).toBe(5);
    expect(rig.store.lastSequence(BOOK)).toBe(3);
    expect(rig.controls).toEqual(['ack']);
  });

  it('of other kinds and of raw books are passed over, but counted', () => {
    const rig = opened();
    rig.take(frameOf({ event: 'subscribed', channel: 'trades', chanId: 4, symbol: 'tBTCUSD' }));
    rig.take(announced(5, 'tETHUSD', { prec: 'R0' }));
    const others = [
      [4, [[1, 1790000000000, 0.5, 100]], 2],
      [4, 'te', [1, 1790000000000, 0.5, 100], 3],
      [5, [[34753002978, 7294.7, 1.5]], 4],
      [4, 'hb', 5],
    ];
    for (const message of others) expect(rig.take(frameOf(message))).toBeUndefined();
    expect(rig.take(frameOf([17, [99, 1, 1], 6]))?.outcome).toBe(APPLIED);
    expect(rig.controls).not.toContain('lost');
  });

  it('that nobody announces end the socket, not the memory', () => {
    const rig = rigOf();
    for (let count = 1; count <= 65; count += 1) rig.take(frameOf([9, [100, 1, 1], count]));
    expect(rig.controls).toEqual(['lost']);
  });
});

describe('bitfinex counts', () => {
  it.each([
    ['one too far', 3],
    ['one again', 1],
    ['one back', 0],
    ['none', NaN],
  ])('say that frames were lost: %s', (_name, count) => {
    const rig = opened();
    const tail = Number.isNaN(count) ? [] : [count];
    expect(rig.take(frameOf([17, [99, 1, 1], ...tail]))?.outcome).toBe(IGNORED);
    expect(rig.controls).toEqual(['ack', 'lost']);
    expect(rig.store.depths.status(BOOK)).toBe('syncing');
  });

  it('are the socket’s, whatever the channel', () => {
    const rig = opened();
    rig.take({ frame: '[99,"hb",3]' });
    expect(rig.controls).toEqual(['ack', 'lost']);
  });
});

describe('bitfinex checksums', () => {
  // CRC32 of 100:1:101:-1.
  const right = 875_781_962;

  it('are compared with the book as it stands', () => {
    const rig = opened();
    expect(rig.take(frameOf([17, 'cs', right, 2]))?.outcome).toBe(APPLIED);
    expect(rig.store.statistics(BOOK)).toMatchObject({ checksums: 1, checksumsWrong: 0 });
    expect(rig.take(frameOf([17, 'cs', right + 1, 3]))?.outcome).toBe(BROKEN);
    expect(rig.store.statistics(BOOK)).toMatchObject({ checksums: 2, checksumsWrong: 1 });
  });
});

describe('bitfinex frames', () => {
  it.each([
    ['no payload', '[17]'],
    ['nothing', '[]'],
    ['an unknown word', '[17,"zz",2]'],
    ['a short level', '[17,[100,1],2]'],
    ['a long level', '[17,[100,1,1,1],2]'],
    ['an empty level', '[17,[[]],2]'],
    ['a price of zero', '[17,[0,1,1],2]'],
    ['a number for a book', '[17,5,2]'],
    ['a broken count', '[17,[100,1,1],2.5]'],
    ['more than a count', '[17,[100,1,1],2,3]'],
    ['text behind it', '[17,[100,1,1],2]]'],
    ['an announcement without a number', '{"event":"subscribed","channel":"book","symbol":"tBTCUSD"}'],
  ])('are refused with %s', (_name, frame) => {
    expect(refusalOf(() => opened().take({ frame }))).toBeTypeOf('string');
  });

  it('tell control frames by their kind', () => {
    const rig = rigOf();
    const said = [
      '{"event":"info","version":2,"platform":{"status":1}}',
      '{"event":"info","code":20061,"msg":"back"}',
      '{"event":"conf","status":"OK","flags":196608}',
      '{"event":"conf","status":"FAILED","flags":196608}',
      '{"event":"error","code":10305,"msg":"limit"}',
    ];
    for (const frame of said) expect(rig.take({ frame })).toBeUndefined();
    expect(rig.controls).toEqual(['ack', 'notice', 'ack', 'error', 'error']);
  });
});

describe('ConnectionState', () => {
  it('holds so many channels and bytes, and forgets them all', () => {
    const state = new ConnectionState();
    for (let channel = 0; channel < 1_024; channel += 1) state.learn(channel, -1);
    state.learn(5, BOOK);
    expect(() => {
      state.learn(2_000, -1);
    }).toThrow(BadInput);
    const large = new Frame().window(new Uint8Array(600_000), 0, 600_000);
    expect([state.hold(1, large), state.hold(2, large)]).toEqual([true, false]);
    expect(state.release(2)).toEqual([]);
    expect(state.release(1).map(({ length }) => length)).toEqual([600_000]);
    expect(state.hold(2, large)).toBe(true);
    state.sequence = 7;
    state.reset();
    expect([state.sequence, state.instrumentOf(5), state.release(2)]).toEqual([NaN, undefined, []]);
  });
});
