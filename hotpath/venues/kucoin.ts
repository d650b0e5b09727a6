import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Fees, Instrument } from '#shared/domain/instrument.ts';
import type { LevelBuffer, MarketUpdate } from '#shared/domain/market-event.ts';
import { DELTA, SNAPSHOT } from '#shared/domain/market-event.ts';
import { amountOf, decimalFrom } from '#shared/money/grid.ts';
import type { BookRules, Continuity, Frame, Market, MarketSink, Venue } from './venue.ts';
import { asset, batchesOf, bodyFrom, bytesOf, END, expiryOf, idOf, keyCode, roomFor, venueId } from './venue.ts';

const KUCOIN = venueId('kucoin');

type Product = Pick<Market, 'restUrl' | 'defaultFees' | 'instruments'>;

const spotProduct: Product = {
  restUrl: 'https://api.kucoin.com',
  defaultFees: { maker: amountOf('0.001'), taker: amountOf('0.001'), currency: 'quote' },
  instruments: { paths: ['/api/v2/symbols'], parse: (bodies, fees) => parseSpot('spot', bodies, fees) },
};

const futuresProduct: Product = {
  restUrl: 'https://api-futures.kucoin.com',
  defaultFees: { maker: amountOf('0.0002'), taker: amountOf('0.0006'), currency: 'settle' },
  instruments: { paths: ['/api/v1/contracts/active'], parse: (bodies, fees) => parseFutures('futures', bodies, fees) },
};

const session = {
  // 18 s is what the welcome announces; 60 s of silence close the socket, and so does more than one ping a second.
  heartbeat: { kind: 'client-text', text: '{"id":"ping","type":"ping"}', everyMs: 18_000 },
  idleMs: 40_000,
  // A snapshot comes up to 6 s after its subscription.
  firstBookWithinMs: 15_000,
} as const satisfies Partial<Market>;

/** The push sockets of the unified account: no token, one symbol a request, 300 client messages in ten seconds. */
function unified(id: string, tradeType: string, product: Product): Market {
  const channel = bytesOf(`obu.${tradeType}`);
  const requestsOf = (action: string, symbols: readonly string[], request: number): readonly string[] =>
    symbols.map((symbol, at) =>
      JSON.stringify({ id: `${request}-${at}`, action, channel: 'obu', tradeType, symbol, depth: 'increment@10ms' }),
    );
  return {
    ...session,
    ...product,
    id,
    wsUrl: `wss://x-push-${id}.kucoin.com`,
    subscribe: (symbols, request) => requestsOf('SUBSCRIBE', symbols, request),
    unsubscribe: (symbols, request) => requestsOf('UNSUBSCRIBE', symbols, request),
    // 600 topics are allowed; fifty are subscribed in two seconds.
    limits: { symbolsPerSocket: 50, messagesPerSecond: 25 },
    book: { snapshot: { from: 'push', holds: true }, follows: followsUnified, depth: Infinity },
    decode: (frame, sink) => {
      decodeUnified(frame, sink, channel);
    },
  };
}

/** The protocol of recordings, whose sockets took a token: deltas alone, the first state by REST. */
function classic(
  market: Omit<Market, keyof typeof session | 'limits' | 'subscribe' | 'unsubscribe'>,
  topic: string,
): Market {
  const requestsOf = (type: string, symbols: readonly string[], request: number): readonly string[] =>
    batchesOf(symbols, 100).map((batch, at) =>
      JSON.stringify({ id: `${request}-${at}`, type, topic: `${topic}:${batch.join(',')}`, response: true }),
    );
  return {
    ...session,
    ...market,
    subscribe: (symbols, request) => requestsOf('subscribe', symbols, request),
    unsubscribe: (symbols, request) => requestsOf('unsubscribe', symbols, request),
    limits: { symbolsPerSocket: 300, messagesPerSecond: 10 },
  };
}

const spotClassic = classic(
  {
    ...spotProduct,
    id: 'spot-classic',
    wsUrl: 'wss://ws-api-spot.kucoin.com',
    hosts: ['push-private.kucoin.com'],
    instruments: { paths: ['/api/v1/symbols'], parse: (bodies, fees) => parseSpot('spot-classic', bodies, fees) },
    book: { snapshot: snapshotAt('/api/v3/market/orderbook/level2'), follows: followsClassic, depth: Infinity },
    decode: (frame, sink) => {
      decodeClassic(frame, sink, SPOT_LEVEL2, readSpotChanges);
    },
  },
  '/market/level2',
);

const futuresClassic = classic(
  {
    ...futuresProduct,
    id: 'futures-classic',
    wsUrl: 'wss://ws-api-futures.kucoin.com',
    instruments: {
      ...futuresProduct.instruments,
      parse: (bodies, fees) => parseFutures('futures-classic', bodies, fees),
    },
    book: { snapshot: snapshotAt('/api/v1/level2/snapshot'), follows: followsClassic, depth: Infinity },
    decode: (frame, sink) => {
      decodeClassic(frame, sink, FUTURES_LEVEL2, readFuturesChange);
    },
  },
  '/contractMarket/level2',
);

/** @see https://www.kucoin.com/docs-new */
export const kucoin: Venue = {
  id: KUCOIN,
  markets: [unified('spot', 'SPOT', spotProduct), unified('futures', 'FUTURES', futuresProduct)],
  recorded: [spotClassic, futuresClassic],
};

/**
 * 1. The snapshot's C is the book's sequence. It comes up to six seconds after the subscription, deltas before it: they are held.
 * 2. A frame whose C is not above it is in it already.
 * 3. Each O must be the last C + 1. The first frame may begin inside the snapshot: its sizes are those after C.
 * @see https://www.kucoin.com/docs-new
 */
function followsUnified(
  { lastSequence, opening }: Parameters<BookRules['follows']>[0],
  { firstSequence, lastSequence: last }: MarketUpdate,
): Continuity {
  if (last <= lastSequence) return 'drop';
  if (opening) return firstSequence <= lastSequence + 1 ? 'apply' : 'gap';
  return firstSequence === lastSequence + 1 ? 'apply' : 'gap';
}

/**
 * 1. Deltas are held until the snapshot is there; what ends at or before its sequence is dropped.
 * 2. sequenceStart must not be above the last sequence + 1 (futures: sequence is the last one + 1).
 * 3. Of a frame that begins inside the snapshot the older changes would be passed over. They need not be: a frame holds the last size of each of
 *    its prices, and where that is older than the snapshot, the snapshot has the same.
 * @see https://www.kucoin.com/docs/websocket/spot-trading/public-channels/level2-market-data
 */
function followsClassic(
  { lastSequence }: Parameters<BookRules['follows']>[0],
  { firstSequence, lastSequence: last }: MarketUpdate,
): Continuity {
  if (last <= lastSequence) return 'drop';
  return firstSequence <= lastSequence + 1 ? 'apply' : 'gap';
}

const KEY = {
  topic: keyCode('T'),
  depth: keyCode('dp'),
  kind: keyCode('t'),
  body: keyCode('d'),
  symbol: keyCode('s'),
  first: keyCode('O'),
  last: keyCode('C'),
  matchTime: keyCode('M'),
  asks: keyCode('a'),
  bids: keyCode('b'),
  result: keyCode('result'),
  type: keyCode('type'),
  code: keyCode('code'),
  classicTopic: keyCode('topic'),
  data: keyCode('data'),
  sequence: keyCode('sequence'),
  sequenceStart: keyCode('sequenceStart'),
  sequenceEnd: keyCode('sequenceEnd'),
  changes: keyCode('changes'),
  change: keyCode('change'),
  time: keyCode('time'),
  timestamp: keyCode('timestamp'),
  classicAsks: keyCode('asks'),
  classicBids: keyCode('bids'),
} as const;
const INCREMENT = bytesOf('increment@10ms');
const TYPE_SNAPSHOT = bytesOf('snapshot');
const TYPE_DELTA = bytesOf('delta');
const PONG = bytesOf('pong');
const ACK = bytesOf('ack');
const ERROR = bytesOf('error');
const SUCCESS = bytesOf('200000');
const SPOT_LEVEL2 = bytesOf('/market/level2:');
const FUTURES_LEVEL2 = bytesOf('/contractMarket/level2:');
const SELL = bytesOf('sell');
const BUY = bytesOf('buy');
const LETTER_T = 0x74;
const OPEN_BRACE = 0x7b;
const COMMA = 0x2c;

/** Fields seen in a book, as bits. */
const SYMBOL = 1;
const FIRST = 2;
const LAST = 4;
const BIDS = 8;
const ASKS = 16;
const UNIFIED_FIELDS = SYMBOL | FIRST | LAST | BIDS | ASKS;

/** `{"T":"obu.SPOT","dp":"increment@10ms","t":"snapshot"|"delta","P":…,"d":{…}}`, as text in binary frames. */
function decodeUnified(frame: Frame, sink: MarketSink, channel: Uint8Array): void {
  let isBook = false;
  let isRead = false;
  let followed = false;
  let kind: MarketUpdate['kind'] | undefined;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.topic) {
      frame.string();
      isBook = frame.textIs(channel);
      if (!isBook) return;
    } else if (key === KEY.depth) {
      frame.string();
      // The other depths are whole books of their own.
      if (!frame.textIs(INCREMENT)) return;
    } else if (key === KEY.kind && isBook) kind = readKind(frame);
    else if (key === KEY.body && kind !== undefined) {
      followed = readUnified(frame, sink, kind);
      isRead = true;
    } else if (key === KEY.result || key === KEY.type || key === KEY.code) {
      control(frame, sink, key);
      return;
    } else frame.skip();
  }
  frame.finish();
  if (isBook && !isRead) throw new BadInput(`kucoin: a book frame without type or book: ${beginning(frame)}`);
  if (followed) sink.publish();
}

function readKind(frame: Frame): MarketUpdate['kind'] {
  frame.string();
  if (frame.textIs(TYPE_SNAPSHOT)) return SNAPSHOT;
  if (frame.textIs(TYPE_DELTA)) return DELTA;
  throw new BadInput(`kucoin: unknown type: ${beginning(frame)}`);
}

/** `{"s":…,"O":first,"C":last,"M":<ns>,"a":[["price","size"]],"b":[]}`; false when it is of an instrument that we do not follow. */
function readUnified(frame: Frame, sink: MarketSink, kind: MarketUpdate['kind']): boolean {
  const { update } = sink;
  let seen = 0;
  let followed = false;
  clear(update, kind);
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.symbol) {
      frame.string();
      followed = find(frame, sink, frame.textStart, frame.textEnd);
      seen |= SYMBOL;
    } else if (key === KEY.first) {
      frame.integer();
      update.firstSequence = frame.value;
      seen |= FIRST;
    } else if (key === KEY.last) {
      frame.integer();
      update.lastSequence = frame.value;
      seen |= LAST;
    } else if (key === KEY.asks) {
      frame.levels(update.asks);
      seen |= ASKS;
    } else if (key === KEY.bids) {
      frame.levels(update.bids);
      seen |= BIDS;
    } else if (key === KEY.matchTime) readNanoseconds(frame, update);
    else frame.skip();
  }
  if (seen !== UNIFIED_FIELDS) throw new BadInput(`kucoin: fields are missing: ${beginning(frame)}`);
  if (update.firstSequence > update.lastSequence) throw new BadInput(`kucoin: O above C: ${beginning(frame)}`);
  return followed;
}

/** Unix nanoseconds are above 2^53: a double holds their milliseconds, read apart from the last six digits. */
function readNanoseconds(frame: Frame, update: MarketUpdate): void {
  frame.peek();
  const { at: start, bytes } = frame;
  frame.skip();
  const end = frame.at;
  let ms = 0;
  let ns = 0;
  let isWhole = end - start >= 18 && end - start <= 20;
  for (let at = start; at < end && isWhole; at += 1) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) isWhole = false;
    else if (at < end - 6) ms = ms * 10 + digit;
    else ns = (ns * 10 + digit) | 0;
  }
  if (!isWhole) throw new BadInput(`kucoin: not nanoseconds: ${frame.text(start, Math.min(end, start + 40))}`);
  update.venueTimeMs = ms + ns / 1e6;
}

/** `{"id":…,"result":true|false}`, `{"type":"ack"|"pong"|"error"|"welcome",…}` or `{"code":…}` of a refusal. */
function control(frame: Frame, sink: MarketSink, key: number): void {
  if (key === KEY.code) sink.control('error', frame.text());
  else if (key === KEY.result) sink.control(frame.peek() === LETTER_T ? 'ack' : 'error', frame.text());
  else {
    frame.string();
    const kind = frame.textIs(PONG) ? 'pong' : frame.textIs(ACK) ? 'ack' : frame.textIs(ERROR) ? 'error' : undefined;
    if (kind !== undefined) sink.control(kind, frame.text());
  }
}

/** `{"type":"message","topic":"/market/level2:SYMBOL","subject":…,"data":{…}}`; in 2021 the data came first, so it is read last. */
function decodeClassic(
  frame: Frame,
  sink: MarketSink,
  channel: Uint8Array,
  read: (frame: Frame, update: MarketUpdate) => void,
): void {
  let dataStart = -1;
  let dataEnd = -1;
  let symbolStart = -1;
  let symbolEnd = -1;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.classicTopic) {
      frame.string();
      if (!startsWith(frame, channel)) return;
      symbolStart = frame.textStart + channel.length;
      symbolEnd = frame.textEnd;
    } else if (key === KEY.type) control(frame, sink, key);
    else if (key === KEY.data && frame.peek() === OPEN_BRACE) {
      dataStart = frame.at;
      frame.skip();
      dataEnd = frame.at;
    } else frame.skip();
  }
  frame.finish();
  if (symbolStart < 0 || !find(frame, sink, symbolStart, symbolEnd)) return;
  if (dataStart < 0) throw new BadInput(`kucoin: a book frame without data: ${beginning(frame)}`);
  clear(sink.update, DELTA);
  frame.at = dataStart;
  read(frame, sink.update);
  if (frame.at !== dataEnd) throw new BadInput(`kucoin: brackets do not match: ${beginning(frame)}`);
  sink.publish();
}

/** `{"sequenceStart":…,"sequenceEnd":…,"changes":{"asks":[["price","size","sequence"]],"bids":[]},"time":ms}`. */
function readSpotChanges(frame: Frame, update: MarketUpdate): void {
  let seen = 0;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.sequenceStart) {
      frame.integer();
      update.firstSequence = frame.value;
      seen |= FIRST;
    } else if (key === KEY.sequenceEnd) {
      frame.integer();
      update.lastSequence = frame.value;
      seen |= LAST;
    } else if (key === KEY.changes) {
      for (let side = frame.firstKey(); side !== END; side = frame.nextKey()) {
        if (side === KEY.classicAsks) {
          readChanges(frame, update.asks);
          seen |= ASKS;
        } else if (side === KEY.classicBids) {
          readChanges(frame, update.bids);
          seen |= BIDS;
        } else frame.skip();
      }
    } else if (key === KEY.time) {
      frame.integer();
      update.venueTimeMs = frame.value;
    } else frame.skip();
  }
  if (seen !== (FIRST | LAST | BIDS | ASKS)) throw new BadInput(`kucoin: fields are missing: ${beginning(frame)}`);
}

const change = new Float64Array(3);

/** `[["price","size","sequence"],…]` in no order; a price of 0 only moves the sequence. */
function readChanges(frame: Frame, into: LevelBuffer): void {
  const sequences: number[] = [];
  if (!frame.firstElement()) return;
  do {
    if (!frame.firstElement()) throw new BadInput(`kucoin: an empty change: ${beginning(frame)}`);
    let count = 0;
    do {
      if (count === change.length) throw new BadInput(`kucoin: not a change: ${beginning(frame)}`);
      frame.number(change, count);
      count += 1;
    } while (frame.nextElement());
    if (count !== change.length) throw new BadInput(`kucoin: not a change: ${beginning(frame)}`);
    takeChange(frame, into, sequences);
  } while (frame.nextElement());
}

/** The newest size of each price counts. */
function takeChange(frame: Frame, into: LevelBuffer, sequences: number[]): void {
  const [price, size, sequence] = change as unknown as readonly [number, number, number];
  if (!(price >= 0 && size >= 0)) throw new BadInput(`kucoin: not a change: ${beginning(frame)}`);
  if (price === 0) return;
  const known = into.prices.subarray(0, into.count).indexOf(price);
  if (known >= 0 && sequences[known]! > sequence) return;
  const index = known >= 0 ? known : roomFor(into);
  into.prices[index] = price;
  into.qtys[index] = size;
  sequences[index] = sequence;
  into.count = Math.max(into.count, index + 1);
}

/** `{"sequence":…,"change":"price,buy|sell,size","timestamp":ms}`: one level. */
function readFuturesChange(frame: Frame, update: MarketUpdate): void {
  let seen = 0;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.sequence) {
      frame.integer();
      update.firstSequence = frame.value;
      update.lastSequence = frame.value;
      seen |= LAST;
    } else if (key === KEY.change) {
      frame.string();
      readLevelText(frame, update);
      seen |= BIDS;
    } else if (key === KEY.timestamp) {
      frame.integer();
      update.venueTimeMs = frame.value;
    } else frame.skip();
  }
  if (seen !== (LAST | BIDS)) throw new BadInput(`kucoin: fields are missing: ${beginning(frame)}`);
}

function readLevelText(frame: Frame, update: MarketUpdate): void {
  const { bytes, textStart: start, textEnd: end } = frame;
  let priceEnd = start;
  while (priceEnd < end && bytes[priceEnd] !== COMMA) priceEnd += 1;
  let sideEnd = priceEnd + 1;
  while (sideEnd < end && bytes[sideEnd] !== COMMA) sideEnd += 1;
  frame.textStart = priceEnd + 1;
  frame.textEnd = Math.min(sideEnd, end);
  const isBuy = frame.textIs(BUY);
  if ((!isBuy && !frame.textIs(SELL)) || sideEnd >= end)
    throw new BadInput(`kucoin: not a change: ${beginning(frame)}`);
  const into = isBuy ? update.bids : update.asks;
  const index = roomFor(into);
  frame.decimalAt(start, priceEnd, into.prices, index);
  frame.decimalAt(sideEnd + 1, end, into.qtys, index);
  frame.takeLevel(into, index);
}

function snapshotAt(path: string): BookRules['snapshot'] {
  return { from: 'rest', path: (symbol) => `${path}?symbol=${symbol}`, decode: decodeSnapshot };
}

/** `{"code":"200000","data":{"sequence":…,"bids":[…],"asks":[…]}}`; the spot answer quotes its sequence. */
function decodeSnapshot(frame: Frame, sink: MarketSink, instrument: InstrumentIndex): void {
  const { update } = sink;
  let isRead = false;
  let isSuccess = false;
  clear(update, SNAPSHOT);
  update.instrument = instrument;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.code) {
      frame.string();
      isSuccess = frame.textIs(SUCCESS);
    } else if (key === KEY.data && frame.peek() === OPEN_BRACE) {
      readSnapshot(frame, update);
      isRead = true;
    } else frame.skip();
  }
  frame.finish();
  if (!isSuccess || !isRead) throw new BadInput(`kucoin: not a snapshot: ${beginning(frame)}`);
  sink.publish();
}

function readSnapshot(frame: Frame, update: MarketUpdate): void {
  let seen = 0;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.sequence) {
      frame.integer();
      update.firstSequence = frame.value;
      update.lastSequence = frame.value;
      seen |= LAST;
    } else if (key === KEY.classicBids) {
      frame.levels(update.bids);
      seen |= BIDS;
    } else if (key === KEY.classicAsks) {
      frame.levels(update.asks);
      seen |= ASKS;
    } else frame.skip();
  }
  if (seen !== (LAST | BIDS | ASKS)) throw new BadInput(`kucoin: not a snapshot: ${beginning(frame)}`);
}

/** Nothing read yet. */
function clear(update: MarketUpdate, kind: MarketUpdate['kind']): void {
  update.kind = kind;
  update.firstSequence = NaN;
  update.lastSequence = NaN;
  update.previousSequence = NaN;
  update.checksum = NaN;
  update.venueTimeMs = NaN;
  update.bids.count = 0;
  update.asks.count = 0;
}

/** Whether we follow the instrument that is spelled in [start, end). */
function find(frame: Frame, sink: MarketSink, start: number, end: number): boolean {
  const instrument = sink.find(frame, start, end);
  if (instrument === -1) return false;
  sink.update.instrument = instrument;
  return true;
}

/** Whether the string read last starts with `text`. */
function startsWith(frame: Frame, text: Uint8Array): boolean {
  if (frame.textEnd - frame.textStart < text.length) return false;
  for (let at = 0; at < text.length; at += 1) if (frame.bytes[frame.textStart + at] !== text[at]) return false;
  return true;
}

const beginning = (frame: Frame): string => frame.text(0, 120);

const spotListing = z.object({
  symbol: z.string().min(1),
  baseCurrency: z.string().min(1),
  quoteCurrency: z.string().min(1),
  baseMinSize: z.string(),
  baseIncrement: z.string(),
  priceIncrement: z.string(),
  minFunds: z.string().nullish(),
  feeCategory: z.int().positive().max(10).default(1),
  makerFeeCoefficient: z.string().default('1'),
  takerFeeCoefficient: z.string().default('1'),
  enableTrading: z.boolean(),
});
const spotAnswer = z.object({ code: z.literal('200000'), data: z.array(spotListing) });

function parseSpot(market: string, bodies: readonly string[], fees: Fees): readonly Instrument[] {
  return bodies.flatMap((body) =>
    bodyFrom(spotAnswer, body, 'kucoin symbols').data.flatMap((entry) => spotFrom(market, entry, fees)),
  );
}

/** Coins of class A pay the tier's fee, B twice and C three times that, times the symbol's coefficient. */
function spotFrom(market: string, entry: z.infer<typeof spotListing>, fees: Fees): readonly Instrument[] {
  const [tick, lot] = [decimalFrom(entry.priceIncrement), decimalFrom(entry.baseIncrement)];
  if (!tick.greaterThan(0) || !lot.greaterThan(0)) return [];
  const symbol = `${entry.baseCurrency}/${entry.quoteCurrency}`;
  return [
    {
      id: idOf(KUCOIN, symbol),
      venue: KUCOIN,
      market,
      symbol,
      venueSymbol: entry.symbol,
      kind: 'spot',
      base: asset(entry.baseCurrency),
      quote: asset(entry.quoteCurrency),
      settle: asset(entry.quoteCurrency),
      contractSize: amountOf(1),
      inverse: false,
      tick,
      lot,
      minQty: decimalFrom(entry.baseMinSize),
      minNotional: decimalFrom(entry.minFunds ?? '0'),
      fees: {
        maker: fees.maker.times(entry.feeCategory).times(decimalFrom(entry.makerFeeCoefficient)),
        taker: fees.taker.times(entry.feeCategory).times(decimalFrom(entry.takerFeeCoefficient)),
        currency: fees.currency,
      },
      status: entry.enableTrading ? 'trading' : 'halted',
    },
  ];
}

const contract = z.object({
  symbol: z.string().min(1),
  type: z.string(),
  baseCurrency: z.string().min(1),
  quoteCurrency: z.string().min(1),
  settleCurrency: z.string().min(1),
  expireDate: z.number().nullish(),
  lotSize: z.number().positive(),
  tickSize: z.number().positive(),
  multiplier: z.number(),
  isInverse: z.boolean(),
  status: z.string(),
});
const contractsAnswer = z.object({ code: z.literal('200000'), data: z.array(contract) });

function parseFutures(market: string, bodies: readonly string[], fees: Fees): readonly Instrument[] {
  return bodies.flatMap((body) =>
    bodyFrom(contractsAnswer, body, 'kucoin contracts').data.flatMap((entry) => contractFrom(market, entry, fees)),
  );
}

const PERPETUAL = 'FFWCSX';
const DATED = 'FFICSX';
const RENAMED: Readonly<Record<string, string>> = { XBT: 'BTC' };

/** An inverse contract's multiplier is −1: one unit of the quote currency. Empty for types that we do not know. */
function contractFrom(market: string, entry: z.infer<typeof contract>, fees: Fees): readonly Instrument[] {
  const expiry = entry.type === DATED ? expiryOf(entry.expireDate ?? undefined) : undefined;
  if ((entry.type !== PERPETUAL && expiry === undefined) || entry.multiplier === 0) return [];
  const [base, quote, settle] = [entry.baseCurrency, entry.quoteCurrency, entry.settleCurrency].map(
    (code) => RENAMED[code] ?? code,
  ) as [string, string, string];
  const symbol = `${base}/${quote}:${settle}${expiry === undefined ? '' : `-${expiry.day}`}`;
  return [
    {
      id: idOf(KUCOIN, symbol),
      venue: KUCOIN,
      market,
      symbol,
      venueSymbol: entry.symbol,
      kind: expiry === undefined ? 'perpetual' : 'future',
      base: asset(base),
      quote: asset(quote),
      settle: asset(settle),
      contractSize: amountOf(entry.multiplier).abs(),
      inverse: entry.isInverse,
      tick: amountOf(entry.tickSize),
      lot: amountOf(entry.lotSize),
      minQty: amountOf(entry.lotSize),
      minNotional: amountOf(0),
      fees,
      ...(expiry === undefined ? {} : { expiryMs: expiry.ms }),
      status: entry.status === 'Open' ? 'trading' : 'halted',
    },
  ];
}
