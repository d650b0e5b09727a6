import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { reportBooks } from '#hotpath/replay/book-report.ts';
import { venues } from '#hotpath/venues/index.ts';
import type { Line } from './frame-lines.ts';
import { fileOf, frameLines } from './frame-lines.ts';

const report = (lines: readonly Line[]) => reportBooks(fileOf(frameLines(lines)), { venues });

describe('a recorded HTX socket', () => {
  const topic = 'market.btcusdt.mbp.150';
  const packed = (message: object): Line => ({ k: 'in', b: gzipSync(JSON.stringify(message)).toString('base64') });
  const update = (prevSeqNum: number, seqNum: number): Line =>
    packed({ ch: topic, ts: 1, tick: { prevSeqNum, seqNum, bids: [[100, seqNum]], asks: [] } });
  const reply = (seqNum: number): Line =>
    packed({ id: '1', rep: topic, status: 'ok', data: { seqNum, bids: [[100, 1]], asks: [[101, 1]] } });
  const opened: Line = { k: 'open', u: 'wss://api.huobi.pro/feed' };

  it('is inflated, and its replies join the updates held for them', async () => {
    const { gaps, malformed, books } = await report([
      opened,
      update(10, 12),
      update(12, 15),
      reply(12),
      update(15, 16),
    ]);
    expect({ gaps, malformed }).toEqual({ gaps: 0, malformed: 0 });
    expect(books['btcusdt']).toMatchObject({ last_seq: 16, stats: { snapshots: 1, applied: 2 } });
  });

  it('waits for the next reply after a damaged frame', async () => {
    const damaged: Line = { k: 'in', b: Buffer.from('no gzip').toString('base64') };
    const lines = [opened, update(10, 12), reply(12), damaged, update(12, 15), reply(12), update(15, 16)];
    const { malformed, books } = await report(lines);
    expect(malformed).toBe(1);
    expect(books['btcusdt']).toMatchObject({ last_seq: 16, stats: { snapshots: 2, applied: 2 } });
  });
});

describe('recorded Bitfinex sockets', () => {
  const inFrame = (c: string, message: unknown): Line => ({ k: 'in', c, d: JSON.stringify(message) });
  const opened = (c: string): Line => ({ k: 'open', c, u: 'wss://api-pub.bitfinex.com/ws/2' });
  const announced = (c: string, symbol: string): Line =>
    inFrame(c, { event: 'subscribed', channel: 'book', chanId: 17, symbol, prec: 'P0' });
  const book = (price: number) => [
    [price, 1, 1],
    [price + 1, 1, -1],
  ];

  it('number and count each on their own', async () => {
    const { gaps, books } = await report([
      ...[opened('a'), opened('b'), announced('a', 'tBTCUSD'), announced('b', 'tETHUSD')],
      ...[inFrame('a', [17, book(100), 1]), inFrame('b', [17, book(200), 1])],
      ...[inFrame('a', [17, [100, 1, 7], 2]), inFrame('b', [17, [200, 1, 8], 2])],
    ]);
    expect(gaps).toBe(0);
    expect(books['tBTCUSD']!.final_top5.bids).toEqual([['100', '7']]);
    expect(books['tETHUSD']!.final_top5.bids).toEqual([['200', '8']]);
  });

  it('tell of a lost frame, and begin anew when they open again', async () => {
    const lines = [
      ...[opened('a'), announced('a', 'tBTCUSD'), inFrame('a', [17, book(100), 1]), inFrame('a', [17, [100, 1, 7], 3])],
      ...[opened('a'), announced('a', 'tETHUSD'), inFrame('a', [17, book(200), 1]), inFrame('a', [17, [200, 1, 8], 2])],
    ];
    const { gaps, books } = await report(lines);
    expect(gaps).toBe(1);
    expect(books['tBTCUSD']).toMatchObject({ final_top5: { bids: [['100', '1']] }, stats: { applied: 0 } });
    expect(books['tETHUSD']!.final_top5.bids).toEqual([['200', '8']]);
  });
});
