import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FeedSink } from '#hotpath/feed/sink.ts';
import { Frame } from '#hotpath/runtime/frame.ts';
import { Bug } from '#shared/assert.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { instrumentOf } from '#test/support/instruments.ts';

const sinkOf = (instruments: readonly Instrument[], market = 'spot'): FeedSink =>
  new FeedSink({ instruments, venue: 'binance', market, onUpdate: () => undefined, onControl: () => undefined });

function find(sink: FeedSink, symbol: string): number {
  const bytes = Buffer.from(`"${symbol}"`);
  const frame = new Frame().window(bytes, 0, bytes.length);
  return sink.find(frame, frame.start + 1, frame.end - 1);
}

describe('FeedSink', () => {
  it('finds every symbol of its market at its place in the registry, and no other', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ minLength: 1, maxLength: 20 }), { maxLength: 200 }),
        fc.string(),
        (symbols, other) => {
          const instruments = symbols.map((symbol) => instrumentOf('binance', 'spot', symbol));
          const sink = sinkOf(instruments);
          expect(symbols.map((symbol) => find(sink, symbol))).toEqual(symbols.map((_, at) => at));
          if (!symbols.includes(other)) expect(find(sink, other)).toBe(-1);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('tells markets apart that spell an instrument alike', () => {
    const instruments = [
      instrumentOf('binance', 'usdm', 'BTCUSDT'),
      instrumentOf('okx', 'spot', 'BTCUSDT'),
      instrumentOf('binance', 'spot', 'BTCUSDT'),
    ];
    expect(find(sinkOf(instruments, 'spot'), 'BTCUSDT')).toBe(2);
    expect(find(sinkOf(instruments, 'usdm'), 'BTCUSDT')).toBe(0);
    expect(find(sinkOf(instruments, 'coinm'), 'BTCUSDT')).toBe(-1);
  });

  it('refuses a registry in which one market spells two instruments alike', () => {
    const twice = [instrumentOf('binance', 'spot', 'BTCUSDT'), instrumentOf('binance', 'spot', 'BTCUSDT')];
    expect(() => sinkOf(twice)).toThrow(Bug);
  });
});
