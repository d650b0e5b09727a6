import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FeedSink } from '#hotpath/feed/sink.ts';
import { ROOM_BYTES } from '#hotpath/runtime/frame-memory.ts';
import { Frame } from '#hotpath/runtime/frame.ts';
import { venues } from '#hotpath/venues/index.ts';
import { BadInput } from '#shared/assert.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { LevelBuffer } from '#shared/domain/market-event.ts';

type Levels = readonly (readonly [price: string, qty: string])[];
type Said = { readonly bids: Levels; readonly asks: Levels; readonly whole: number; readonly other: number };

const quotedLevels = (levels: Levels): string => JSON.stringify(levels);
const objects = (levels: Levels): string =>
  `[${levels.map(([price, qty]) => `{"price":${price},"qty":${qty}}`).join(',')}]`;
const COUNTS = ['3', '13', '145', '', '1x'];
const orders = (levels: Levels): string =>
  JSON.stringify(levels.map((level, at) => [...level, '0', COUNTS[(level[1].length + at) % COUNTS.length]!]));
const ACTIONS = ['new', 'change', 'delete', 'renew'];
const actions = (levels: Levels): string =>
  `[${levels.map(([price, qty], at) => `["${ACTIONS[(price.length + at) % (at === 7 ? 4 : 3)]!}",${price},${qty}]`).join(',')}]`;
const nanoseconds = (number: number): string => `179011445${String(number).padStart(10, '0').slice(-10)}`;

/** Frames as venues usually write them. */
const FORMS: Readonly<
  Record<string, { readonly market: string; readonly symbol: string; readonly text: (said: Said) => string }>
> = {
  'binance depth': {
    market: 'spot',
    symbol: 'BTCUSDT',
    text: ({ bids, asks, whole, other }) =>
      `{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":${whole},"s":"BTCUSDT","U":${other},"u":${whole},"b":${quotedLevels(bids)},"a":${quotedLevels(asks)}}}`,
  },
  'binance quote': {
    market: 'spot',
    symbol: 'BTCUSDT',
    text: ({ bids: [bid = ['0', '1']], asks: [ask = ['0.1', '0']], whole }) =>
      `{"stream":"btcusdt@bookTicker","data":{"u":${whole},"s":"BTCUSDT","b":"${bid[0]}","B":"${bid[1]}","a":"${ask[0]}","A":"${ask[1]}"}}`,
  },
  'binance futures depth': {
    market: 'usdm',
    symbol: 'BTCUSDT',
    text: ({ bids, asks, whole, other }) =>
      `{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":${whole},"T":${whole},"s":"BTCUSDT","ps":"BTCUSDT","st":${other === 1 ? 2 : 1},"U":${other},"u":${whole},"pu":${other},"b":${quotedLevels(bids)},"a":${quotedLevels(asks)}}}`,
  },
  'binance futures quote': {
    market: 'usdm',
    symbol: 'BTCUSDT',
    text: ({ bids: [bid = ['0', '1']], asks: [ask = ['0.1', '0']], whole, other }) =>
      `{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":${whole},"s":"BTCUSDT","ps":"BTCUSDT","st":${other === 1 ? 2 : 1},"b":"${bid[0]}","B":"${bid[1]}","a":"${ask[0]}","A":"${ask[1]}","T":${other},"E":${whole}}}`,
  },
  'okx books': {
    market: 'spot',
    symbol: 'BTC-USDT',
    text: ({ bids, asks, whole, other }) =>
      `{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"asks":${orders(asks)},"bids":${orders(bids)},"ts":"${whole}","checksum":${-other},"prevSeqId":${other},"seqId":${whole}}]}`,
  },
  'kraken book': {
    market: 'spot',
    symbol: 'BTC/USD',
    text: ({ bids, asks, whole }) =>
      `{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":${objects(bids)},"asks":${objects(asks)},"checksum":${whole},"timestamp":"2025-05-06T09:17:26.208075Z"}]}`,
  },
  'okx books, the other way round': {
    market: 'swap',
    symbol: 'BTC-USDT',
    text: ({ bids, asks, whole, other }) =>
      `{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"asks":${orders(asks)},"bids":${orders(bids)},"ts":"${whole}","checksum":${other},"seqId":${whole}${other % 3 === 1 ? '' : `,"prevSeqId":${other}`}}]}`,
  },
  'gate obu': {
    market: 'spot',
    symbol: 'BTC_USDT',
    text: ({ bids, asks, whole, other }) =>
      `{"channel":"spot.obu","result":{"t":${other},"U":${other},"u":${whole},"s":"ob.BTC_USDT${other % 5 === 1 ? '' : '.50'}","b":${quotedLevels(bids)},"a":${quotedLevels(asks)}}${whole % 2 === 0 ? '' : `,"time":${other}`},"time_ms":${other},"event":"update"}`,
  },
  'bitget books': {
    market: 'spot',
    symbol: 'BTCUSDT',
    text: ({ bids, asks, whole, other }) =>
      `{"action":"update","arg":{"instType":"spot","topic":"books","symbol":"BTCUSDT"},"data":[{"a":${quotedLevels(asks)},"b":${quotedLevels(bids)}${whole % 2 === 0 ? '' : `,"checksum":${-other}`},"pseq":"13${whole}","seq":"${other}","ts":"${other}"}],"ts":${whole}}`,
  },
  'kucoin obu': {
    market: 'spot',
    symbol: 'BTC-USDT',
    text: ({ bids, asks, whole, other }) =>
      `{"T":"obu.SPOT","dp":"increment@10ms","t":"delta","P":${nanoseconds(whole)},"d":{"a":${quotedLevels(asks)},"b":${quotedLevels(bids)},"C":${whole},"s":"BTC-USDT","M":${nanoseconds(other)},"O":${other}}}`,
  },
  'deribit book': {
    market: 'options',
    symbol: 'BTC-24SEP21-8000-P',
    text: ({ bids, asks, whole, other }) =>
      `{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.BTC-24SEP21-8000-P.${other % 5 === 1 ? 'raw' : '100ms'}","data":{"type":"change","timestamp":${whole}${whole % 2 === 0 ? `,"prev_change_id":${other}` : ''},"instrument_name":"BTC-24SEP21-8000-P","change_id":${whole}${other % 2 === 0 ? '' : `,"prev_change_id":${other}`},"bids":${actions(bids)},"asks":${actions(asks)}}}}`,
  },
  'bybit orderbook': {
    market: 'spot',
    symbol: 'BTCUSDT',
    text: ({ bids, asks, whole, other }) =>
      `{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":${other},"data":{"s":"BTCUSDT","b":${quotedLevels(bids)},"a":${quotedLevels(asks)},"u":${whole},"seq":${other}},"cts":${other}}`,
  },
};

const number = fc.oneof(
  { weight: 12, arbitrary: fc.tuple(fc.nat(99_999), fc.stringMatching(/^\d{1,8}$/)).map(([a, b]) => `${a + 1}.${b}`) },
  { weight: 4, arbitrary: fc.nat(9_999).map((value) => String(value + 1)) },
  { weight: 1, arbitrary: fc.constantFrom('0.00000000', '1e-7', '12345678901.123456789', '-1', '1.', '007') },
);
const levels = fc.array(fc.tuple(number, number), { maxLength: 9 });
const whole = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.constantFrom(1, 1_672_304_484_978_000));
const said = fc.record({ bids: levels, asks: levels, whole, other: whole });

/** So long that nothing but the key walk reads it. */
const BEYOND = Buffer.alloc(ROOM_BYTES, ' ');

function readerOf(name: string) {
  const { market, symbol } = FORMS[name]!;
  const venue = name.split(' ')[0]!;
  const { decode } = venues.find(({ id }) => id === venue)!.markets.find(({ id }) => id === market)!;
  const published: unknown[] = [];
  const sink = new FeedSink({
    instruments: [{ venue, market, venueSymbol: symbol } as unknown as Instrument],
    venue,
    market,
    onUpdate: ({ bids, asks, ...rest }) => published.push({ ...rest, bids: copyOf(bids), asks: copyOf(asks) }),
    onControl: (kind) => published.push(kind),
  });
  const frame = new Frame();
  return (bytes: Uint8Array) => {
    published.length = 0;
    const { bids, asks } = sink.update;
    for (const side of [bids, asks]) [side.count, side.priceDecimals, side.qtyDecimals] = [0, 0, 0];
    try {
      decode(frame.window(bytes, 0, bytes.length), sink);
      return [...published];
    } catch (error) {
      if (!(error instanceof BadInput)) throw error;
      return 'refused';
    }
  };
}

const copyOf = ({ count, prices, qtys, priceDecimals, qtyDecimals }: LevelBuffer) => ({
  prices: [...prices.subarray(0, count)],
  qtys: [...qtys.subarray(0, count)],
  decimals: [priceDecimals, qtyDecimals],
});

describe.each(Object.keys(FORMS))('%s', (name) => {
  const once = readerOf(name);
  const walked = readerOf(name);
  const agree = (text: string) => {
    const read = once(Buffer.from(text));
    expect(read).toEqual(walked(Buffer.concat([Buffer.from(text), BEYOND])));
    return read;
  };

  it('says the same read at once and key by key', () => {
    fc.assert(
      fc.property(said, (frame) => void agree(FORMS[name]!.text(frame))),
      { numRuns: 400 },
    );
    const plain = FORMS[name]!.text({ bids: [['1.5', '2']], asks: [['2.5', '0.125']], whole: 7, other: 5 });
    expect(agree(plain)).toHaveLength(1);
  });

  it('is refused or left alone alike when it is cut, damaged or of something else', () => {
    fc.assert(
      fc.property(said, fc.nat(), fc.nat(127), fc.boolean(), (frame, place, byte, isCut) => {
        const text = FORMS[name]!.text(frame);
        const at = place % text.length;
        agree(isCut ? text.slice(0, at) : text.slice(0, at) + String.fromCharCode(byte) + text.slice(at + 1));
      }),
      { numRuns: 800 },
    );
  });
});
