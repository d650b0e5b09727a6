import { describe, expect, it } from 'vitest';
import { okx } from '#hotpath/venues/okx.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import { APPLIED, BROKEN, IGNORED } from '#shared/domain/market-event.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { MarketRig, refusalOf } from '#test/support/venue-fixture.ts';

const rigOf = (): MarketRig => new MarketRig(okx.markets[0]!, [instrumentOf('okx', 'spot', 'BTC-USDT')]);
const arg = { channel: 'books', instId: 'BTC-USDT' };
const book = (action: string, fields: object) => ({
  frame: JSON.stringify({ arg, action, data: [{ asks: [], bids: [], ts: '1790000000000', checksum: 0, ...fields }] }),
});
const opened = (): MarketRig => {
  const rig = rigOf();
  rig.take(
    book('snapshot', { asks: [['101', '1', '0', '1']], bids: [['99', '1', '0', '1']], seqId: 100, prevSeqId: -1 }),
  );
  return rig;
};

describe('okx continuity', () => {
  it.each([
    ['the next, however far it jumps', { seqId: 900, prevSeqId: 100, bids: [['98', '1', '0', '1']] }, APPLIED],
    ['a sign of life', { seqId: 100, prevSeqId: 100 }, IGNORED],
    ['a reset after maintenance', { seqId: 3, prevSeqId: 100, bids: [['98', '1', '0', '1']] }, APPLIED],
    ['an empty step', { seqId: 101, prevSeqId: 100 }, APPLIED],
    ['one too far', { seqId: 120, prevSeqId: 110 }, BROKEN],
    ['one again', { seqId: 100, prevSeqId: 90 }, BROKEN],
  ])('takes %s', (_name, fields, outcome) => {
    expect(opened().take(book('update', fields))?.outcome).toBe(outcome);
  });

  it('goes on from a reset’s seqId', () => {
    const rig = opened();
    rig.take(book('update', { seqId: 3, prevSeqId: 100, asks: [['102', '1', '0', '1']] }));
    expect(rig.take(book('update', { seqId: 5, prevSeqId: 3 }))?.outcome).toBe(APPLIED);
    expect(rig.store.lastSequence(0 as InstrumentIndex)).toBe(5);
  });
});

describe('okx frames', () => {
  it('reads the form of recordings, where the checksum is all there is', () => {
    const rig = rigOf();
    const levels = {
      asks: [
        ['3366.8', '9', '0', '3'],
        ['3368', '8', '0', '3'],
      ],
      bids: [['3366.1', '7', '0', '3']],
    };
    // CRC32 of 3366.1:7:3366.8:9:3368:8, signed, as the documentation of that form builds it.
    const taken = rig.take({
      frame: JSON.stringify({ arg, action: 'snapshot', data: [{ ...levels, ts: '1', checksum: -1_471_518_219 }] }),
    });
    expect(taken?.outcome).toBe(APPLIED);
    expect(rig.store.statistics(0 as InstrumentIndex)).toMatchObject({ checksums: 1, checksumsWrong: 0 });
    const wrong = { frame: JSON.stringify({ arg, action: 'update', data: [{ ...levels, ts: '1', checksum: 12 }] }) };
    expect(rig.take(wrong)?.outcome).toBe(BROKEN);
  });

  it.each([
    ['no action', { arg, data: [{ asks: [], bids: [], seqId: 1, prevSeqId: -1 }] }],
    ['an unknown action', { arg, action: 'replace', data: [] }],
    ['no data', { arg, action: 'update' }],
    ['no book', { arg, action: 'update', data: [] }],
    ['two books', { arg, action: 'update', data: [{ asks: [], bids: [], seqId: 1, prevSeqId: 0 }, {}] }],
    ['no sequence and no checksum', { arg, action: 'update', data: [{ asks: [], bids: [], checksum: 0 }] }],
    ['half a sequence', { arg, action: 'update', data: [{ asks: [], bids: [], checksum: 5, seqId: 1 }] }],
    ['one side', { arg, action: 'update', data: [{ asks: [], seqId: 1, prevSeqId: 0 }] }],
    ['its data before its name', { data: [{}], action: 'update', arg }],
  ])('refuses a book frame with %s', (_name, frame) => {
    expect(refusalOf(() => rigOf().take({ frame: JSON.stringify(frame) }))).toBeTypeOf('string');
  });

  it('tells control frames by their kind', () => {
    const rig = rigOf();
    const said = [
      'pong',
      `{"event":"subscribe","arg":${JSON.stringify(arg)}}`,
      '{"event":"error","code":"60018","msg":"x"}',
      '{"event":"notice","code":"64008"}',
    ];
    for (const frame of said) expect(rig.take({ frame })).toBeUndefined();
    expect(rig.controls).toEqual(['pong', 'ack', 'error', 'notice']);
  });
});
