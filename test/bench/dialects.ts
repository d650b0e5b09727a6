import { crc32 } from 'node:zlib';

/** A level as a venue's frame says it. */
type Level = readonly [price: string, qty: string];

/** What a frame is to say: levels best first, quantity 0 where one has gone. */
export type Said = {
  readonly symbol: string;
  readonly bids: readonly Level[];
  readonly asks: readonly Level[];
  readonly first: number;
  readonly last: number;
  readonly previous: number;
  readonly timeMs: number;
  readonly checksum: () => number;
};

export type Dialect = {
  /** The market of the venue that speaks so. */
  readonly market: string;
  readonly symbol: (base: string, quote: string) => string;
  readonly snapshot: (said: Said) => string;
  readonly delta: (said: Said) => string;
  /** Undefined where best quotes come with the book alone. */
  readonly quote?: (said: Said) => string;
};

/** Of a book's side: price in ticks and quantity in its smallest part, 0 where a level has gone. */
export type Change = readonly [tick: number, qty: number];

/** A modelled book: the whole of both sides, by tick, and where its sequence stands. */
type Modelled = {
  readonly symbol: string;
  /** Of a tick and of the smallest quantity. */
  readonly decimals: { readonly price: number; readonly qty: number };
  readonly bids: ReadonlyMap<number, number>;
  readonly asks: ReadonlyMap<number, number>;
  readonly sequence: number;
  readonly deltaSequence: number;
};

/** What a frame of a modelled book says: these changes, up to its sequence. */
export function saidOf(book: Modelled, bids: readonly Change[], asks: readonly Change[]): Said {
  const { symbol, decimals, sequence, deltaSequence } = book;
  const text = (changes: readonly Change[]): readonly Level[] =>
    changes.map(([tick, qty]) => [
      (tick / 10 ** decimals.price).toFixed(decimals.price),
      (qty / 10 ** decimals.qty).toFixed(decimals.qty),
    ]);
  return {
    symbol,
    bids: text(bids),
    asks: text(asks),
    first: deltaSequence + 1,
    last: sequence,
    previous: deltaSequence,
    timeMs: 1_790_000_000_000 + (sequence - 1_000_000) * 7,
    // The digits of the texts without their leading zeros: what the venue hashes.
    checksum: () =>
      crc32(
        [...ranked(book.asks, 1).slice(0, 10), ...ranked(book.bids, -1).slice(0, 10)]
          .map(([tick, qty]) => `${tick}${qty}`)
          .join(''),
      ),
  };
}

/** The levels of a side, best first. */
export const ranked = (side: ReadonlyMap<number, number>, direction: 1 | -1): Change[] =>
  [...side].sort(([a], [b]) => (a - b) * direction);

/** Eight decimals at least, whatever the tick, as the venue writes them. */
const padded = (levels: readonly Level[]): string => JSON.stringify(levels.map((level) => level.map(eightDecimals)));
const eightDecimals = (text: string): string => {
  const [whole, decimals = ''] = text.split('.') as [string, string?];
  return `${whole}.${decimals.padEnd(8, '0')}`;
};
const withOrders = (levels: readonly Level[]): string =>
  JSON.stringify(levels.map(([price, qty]) => [price, qty, '0', '3']));
const asObjects = (levels: readonly Level[]): string =>
  `[${levels.map(([price, qty]) => `{"price":${price},"qty":${qty}}`).join(',')}]`;
const asActions = (levels: readonly Level[], kept: 'new' | 'change'): string =>
  `[${levels.map(([price, qty]) => `["${Number(qty) === 0 ? 'delete' : kept}",${price},${qty}]`).join(',')}]`;

const okxBook = (action: string, { symbol, bids, asks, last, timeMs }: Said, previous: number): string =>
  `{"arg":{"channel":"books","instId":"${symbol}"},"action":"${action}","data":[{"asks":${withOrders(asks)},"bids":${withOrders(bids)},` +
  `"ts":"${timeMs}","checksum":0,"seqId":${last},"prevSeqId":${previous}}]}`;
const krakenBook = (type: string, { symbol, bids, asks, timeMs, checksum }: Said): string =>
  `{"channel":"book","type":"${type}","data":[{"symbol":"${symbol}","bids":${asObjects(bids)},"asks":${asObjects(asks)},` +
  `"checksum":${checksum()},"timestamp":"${new Date(timeMs).toISOString().replace('Z', '123Z')}"}]}`;
const bybitBook = (type: string, { symbol, bids, asks, last, timeMs }: Said): string =>
  `{"topic":"orderbook.50.${symbol}","type":"${type}","ts":${timeMs + 2},"data":{"s":"${symbol}","b":${JSON.stringify(bids)},` +
  `"a":${JSON.stringify(asks)},"u":${last},"seq":${last + 546_000_000_000}},"cts":${timeMs}}`;
const gateBook = (numbers: string, { symbol, bids, asks, timeMs }: Said): string =>
  `{"channel":"spot.obu","result":{"t":${timeMs},${numbers},"s":"ob.${symbol}.50","b":${JSON.stringify(bids)},"a":${JSON.stringify(asks)}},` +
  `"time_ms":${timeMs + 3},"event":"update"}`;
const bitgetBook = (action: string, { symbol, bids, asks, last, timeMs }: Said, previous: number): string =>
  `{"action":"${action}","arg":{"instType":"spot","topic":"books","symbol":"${symbol}"},"data":[{"a":${JSON.stringify(asks)},"b":${JSON.stringify(bids)},` +
  `"checksum":0,"pseq":"${previous}","seq":"${last}","ts":"${timeMs}"}],"ts":${timeMs + 1}}`;
const kucoinBook = (type: string, { symbol, bids, asks, first, last, timeMs }: Said): string =>
  `{"T":"obu.SPOT","dp":"increment@10ms","t":"${type}","P":${timeMs + 1}417000,"d":{"a":${JSON.stringify(asks)},` +
  `"b":${JSON.stringify(bids)},"C":${last},"s":"${symbol}","M":${timeMs}512000,"O":${first}}}`;
const deribitBook = (type: 'snapshot' | 'change', { symbol, bids, asks, last, previous, timeMs }: Said): string => {
  const kept = type === 'snapshot' ? 'new' : 'change';
  const before = type === 'snapshot' ? '' : `"prev_change_id":${previous},`;
  return (
    `{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.${symbol}.100ms","data":{"type":"${type}","timestamp":${timeMs},` +
    `"instrument_name":"${symbol}","change_id":${last},${before}"bids":${asActions(bids, kept)},"asks":${asActions(asks, kept)}}}}`
  );
};

const joined = (base: string, quote: string): string => base + quote;
const dashed = (base: string, quote: string): string => `${base}-${quote}`;
const underlined = (base: string, quote: string): string => `${base}_${quote}`;

/** How each venue writes the same thing. */
export const dialects: Readonly<Record<string, Dialect>> = {
  binance: {
    market: 'spot',
    symbol: joined,
    snapshot: ({ bids, asks, last }) => `{"lastUpdateId":${last},"bids":${padded(bids)},"asks":${padded(asks)}}`,
    delta: ({ symbol, bids, asks, first, last, timeMs }) =>
      `{"stream":"${symbol.toLowerCase()}@depth@100ms","data":{"e":"depthUpdate","E":${timeMs},"s":"${symbol}","U":${first},"u":${last},` +
      `"b":${padded(bids)},"a":${padded(asks)}}}`,
    quote: ({ symbol, bids, asks, last }) => {
      const [bid, bidQty] = bids[0]!.map(eightDecimals);
      const [ask, askQty] = asks[0]!.map(eightDecimals);
      return `{"stream":"${symbol.toLowerCase()}@bookTicker","data":{"u":${last},"s":"${symbol}","b":"${bid}","B":"${bidQty}","a":"${ask}","A":"${askQty}"}}`;
    },
  },
  okx: {
    market: 'spot',
    symbol: dashed,
    snapshot: (said) => okxBook('snapshot', said, -1),
    delta: (said) => okxBook('update', said, said.previous),
  },
  kraken: {
    market: 'spot',
    symbol: (base, quote) => `${base}/${quote}`,
    snapshot: (said) => krakenBook('snapshot', said),
    delta: (said) => krakenBook('update', said),
  },
  bybit: {
    market: 'spot',
    symbol: joined,
    snapshot: (said) => bybitBook('snapshot', said),
    delta: (said) => bybitBook('delta', said),
  },
  gate: {
    market: 'spot',
    symbol: underlined,
    snapshot: (said) => gateBook(`"full":true,"u":${said.last}`, said),
    delta: (said) => gateBook(`"U":${said.first},"u":${said.last}`, said),
  },
  bitget: {
    market: 'spot',
    symbol: joined,
    snapshot: (said) => bitgetBook('snapshot', said, 0),
    delta: (said) => bitgetBook('update', said, said.previous),
  },
  kucoin: {
    market: 'spot',
    symbol: dashed,
    snapshot: (said) => kucoinBook('snapshot', { ...said, first: said.last }),
    delta: (said) => kucoinBook('delta', said),
  },
  deribit: {
    market: 'swap',
    symbol: underlined,
    snapshot: (said) => deribitBook('snapshot', said),
    delta: (said) => deribitBook('change', said),
  },
};
