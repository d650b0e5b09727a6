import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Fees, Instrument, InstrumentKind } from '#shared/domain/instrument.ts';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
import { DELTA, QUOTE, SNAPSHOT } from '#shared/domain/market-event.ts';
import { amountOf, decimalFrom } from '#shared/money/grid.ts';
import type { BookRules, Continuity, Frame, Market, MarketSink, Venue } from './venue.ts';
import { asset, batchesOf, bodyFrom, bytesOf, END, expiryOf, idOf, keyCode, venueId } from './venue.ts';

const BINANCE = venueId('binance');

const fees = (maker: string, taker: string, currency: Fees['currency']): Fees => ({
  maker: amountOf(maker),
  taker: amountOf(taker),
  currency,
});

/** What the three markets share: the stream protocol, its limits and its server pings. */
const streams = {
  subscribe: (symbols, request) => requestsOf('SUBSCRIBE', symbols, request),
  unsubscribe: (symbols, request) => requestsOf('UNSUBSCRIBE', symbols, request),
  heartbeat: { kind: 'server-protocol-ping' },
  idleMs: 60_000,
  firstBookWithinMs: 10_000,
  decode: (frame, sink) => decode(frame, sink),
} as const satisfies Partial<Market>;

/** Two streams a symbol; 1,024 a socket are allowed, fewer keep a reconnect small. */
const SYMBOLS_PER_SOCKET = 200;

const spot: Market = {
  ...streams,
  id: 'spot',
  wsUrl: 'wss://stream.binance.com:9443/stream',
  restUrl: 'https://api.binance.com',
  defaultFees: fees('0.001', '0.001', 'received'),
  limits: { symbolsPerSocket: SYMBOLS_PER_SOCKET, messagesPerSecond: 5 },
  instruments: { paths: ['/api/v3/exchangeInfo'], parse: (bodies, taken) => parseInstruments('spot', bodies, taken) },
  book: {
    snapshot: snapshotAt('/api/v3/depth'),
    follows: followsBySequence,
    depth: Infinity,
  },
};

const usdm: Market = {
  ...streams,
  id: 'usdm',
  wsUrl: 'wss://fstream.binance.com/public/stream',
  restUrl: 'https://fapi.binance.com',
  defaultFees: fees('0.0002', '0.0005', 'settle'),
  limits: { symbolsPerSocket: SYMBOLS_PER_SOCKET, messagesPerSecond: 10 },
  instruments: { paths: ['/fapi/v1/exchangeInfo'], parse: (bodies, taken) => parseInstruments('usdm', bodies, taken) },
  book: { snapshot: snapshotAt('/fapi/v1/depth'), follows: followsByPrevious, depth: Infinity },
};

const coinm: Market = {
  ...streams,
  id: 'coinm',
  wsUrl: 'wss://dstream.binance.com/stream',
  restUrl: 'https://dapi.binance.com',
  defaultFees: fees('0.0002', '0.0005', 'settle'),
  limits: { symbolsPerSocket: SYMBOLS_PER_SOCKET, messagesPerSecond: 10 },
  instruments: { paths: ['/dapi/v1/exchangeInfo'], parse: (bodies, taken) => parseInstruments('coinm', bodies, taken) },
  book: { snapshot: snapshotAt('/dapi/v1/depth'), follows: followsByPrevious, depth: Infinity },
};

/** @see https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams */
export const binance: Venue = { id: BINANCE, markets: [spot, usdm, coinm] };

function requestsOf(method: string, symbols: readonly string[], request: number): readonly string[] {
  const names = symbols.map((symbol) => symbol.toLowerCase());
  const params = names.flatMap((name) => [`${name}@depth@100ms`, `${name}@bookTicker`]);
  return batchesOf(params, 200).map((batch, at) => JSON.stringify({ method, params: batch, id: request * 100 + at }));
}

/** 1,000 levels: five times the weight buys 5,000, and nobody trades that deep. */
function snapshotAt(path: string): BookRules['snapshot'] {
  return { from: 'rest', path: (symbol) => `${path}?symbol=${symbol}&limit=1000`, decode: decodeSnapshot };
}

/**
 * Spot. The documentation's rules, by its numbers:
 * 4. an event whose u is not above the snapshot's lastUpdateId (later: the book's own) is dropped;
 * 5. the first event must have U <= lastUpdateId + 1 <= u;
 * 6. afterwards each U must be the previous u + 1.
 * @see https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#how-to-manage-a-local-order-book-correctly
 */
function followsBySequence(
  { lastSequence, opening }: Parameters<BookRules['follows']>[0],
  { firstSequence, lastSequence: last }: MarketUpdate,
): Continuity {
  if (last <= lastSequence) return 'drop';
  if (opening) return firstSequence <= lastSequence + 1 ? 'apply' : 'gap';
  return firstSequence === lastSequence + 1 ? 'apply' : 'gap';
}

/**
 * Futures. 4. an event whose u is below lastUpdateId is dropped; 5. the first event must hold it: U <= lastUpdateId <= u; 6. afterwards each pu must be
 * the previous u. Ids are shared by all symbols, so U..u has holes and an event in truth covers (pu, u]: a snapshot taken in such a hole
 * (pu <= lastUpdateId < U) is continued too.
 * @see https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/How-to-manage-a-local-order-book-correctly
 */
function followsByPrevious(
  { lastSequence, opening }: Parameters<BookRules['follows']>[0],
  { firstSequence, previousSequence, lastSequence: last }: MarketUpdate,
): Continuity {
  if (opening) {
    if (last < lastSequence) return 'drop';
    return firstSequence <= lastSequence || previousSequence <= lastSequence ? 'apply' : 'gap';
  }
  if (last <= lastSequence) return 'drop';
  return previousSequence === lastSequence ? 'apply' : 'gap';
}

const KEY = {
  stream: keyCode('stream'),
  data: keyCode('data'),
  event: keyCode('e'),
  time: keyCode('E'),
  symbol: keyCode('s'),
  first: keyCode('U'),
  last: keyCode('u'),
  previous: keyCode('pu'),
  bids: keyCode('b'),
  asks: keyCode('a'),
  bidQty: keyCode('B'),
  askQty: keyCode('A'),
  result: keyCode('result'),
  error: keyCode('error'),
  code: keyCode('code'),
  lastUpdateId: keyCode('lastUpdateId'),
  snapshotBids: keyCode('bids'),
  snapshotAsks: keyCode('asks'),
} as const;
const DEPTH_UPDATE = bytesOf('depthUpdate');
const BOOK_TICKER = bytesOf('bookTicker');
const SERVER_SHUTDOWN = bytesOf('serverShutdown');
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;

/** Fields seen in an event, as bits. */
const SYMBOL = 1;
const FIRST = 2;
const LAST = 4;
const BIDS = 8;
const ASKS = 16;
const BID_PRICE = 32;
const ASK_PRICE = 64;
const BID_QTY = 128;
const ASK_QTY = 256;
const DEPTH_FIELDS = SYMBOL | FIRST | LAST | BIDS | ASKS;
const QUOTE_FIELDS = SYMBOL | LAST | BID_PRICE | ASK_PRICE | BID_QTY | ASK_QTY;

/** Events come bare (`/ws`) or as `{"stream":…,"data":event}` (`/stream`). */
function decode(frame: Frame, sink: MarketSink): void {
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.stream) frame.skip();
    else if (key === KEY.data && frame.peek() === OPEN_BRACE) {
      if (!readEvent(frame, sink, frame.firstKey())) return;
      while (frame.nextKey() !== END) frame.skip();
      publish(frame, sink);
      return;
    } else {
      if (readEvent(frame, sink, key)) publish(frame, sink);
      return;
    }
  }
}

function publish(frame: Frame, sink: MarketSink): void {
  frame.finish();
  sink.publish();
}

/** Reads a depth update or a best quote of an instrument we follow to its end; false, at once, for anything else. */
function readEvent(frame: Frame, sink: MarketSink, firstKey: number): boolean {
  const { update } = sink;
  const { bids, asks } = update;
  let seen = 0;
  update.firstSequence = NaN;
  update.previousSequence = NaN;
  update.checksum = NaN;
  update.venueTimeMs = NaN;
  for (let key = firstKey; key !== END; key = frame.nextKey()) {
    switch (key) {
      case KEY.event:
        frame.string();
        if (!frame.textIs(DEPTH_UPDATE) && !frame.textIs(BOOK_TICKER)) return ignore(frame, sink);
        break;
      case KEY.time:
        frame.integer();
        update.venueTimeMs = frame.value;
        break;
      case KEY.symbol: {
        frame.string();
        const instrument = sink.find(frame, frame.textStart, frame.textEnd);
        if (instrument === -1) return false;
        update.instrument = instrument;
        seen |= SYMBOL;
        break;
      }
      case KEY.first:
        frame.integer();
        update.firstSequence = frame.value;
        seen |= FIRST;
        break;
      case KEY.last:
        frame.integer();
        update.lastSequence = frame.value;
        seen |= LAST;
        break;
      case KEY.previous:
        frame.integer();
        update.previousSequence = frame.value;
        break;
      case KEY.bids:
        seen |= readSide(frame, bids) ? BIDS : BID_PRICE;
        break;
      case KEY.asks:
        seen |= readSide(frame, asks) ? ASKS : ASK_PRICE;
        break;
      case KEY.bidQty:
        frame.number(bids.qtys, 0);
        seen |= BID_QTY;
        break;
      case KEY.askQty:
        frame.number(asks.qtys, 0);
        seen |= ASK_QTY;
        break;
      case KEY.result:
        sink.control('ack', frame.text());
        return false;
      case KEY.error:
      case KEY.code:
        sink.control('error', frame.text());
        return false;
      default:
        frame.skip();
    }
  }
  return isWhole(seen, sink.update, frame);
}

/** An event of another channel; one of them says that the server is about to go. */
function ignore(frame: Frame, sink: MarketSink): false {
  if (frame.textIs(SERVER_SHUTDOWN)) sink.control('notice', frame.text());
  return false;
}

/** `b` and `a` are levels in a depth update and a price in a best quote. Answers whether they were levels. */
function readSide(frame: Frame, side: MarketUpdate['bids']): boolean {
  if (frame.peek() === OPEN_BRACKET) {
    frame.levels(side);
    return true;
  }
  frame.number(side.prices, 0);
  // An empty side is quoted as price 0.
  side.count = side.prices[0]! > 0 ? 1 : 0;
  return false;
}

function isWhole(seen: number, update: MarketUpdate, frame: Frame): boolean {
  if ((seen & DEPTH_FIELDS) === DEPTH_FIELDS) update.kind = DELTA;
  else if ((seen & QUOTE_FIELDS) === QUOTE_FIELDS) update.kind = QUOTE;
  else if (seen === 0) return false;
  else throw new BadInput(`binance: fields are missing: ${frame.text().slice(0, 120)}`);
  return true;
}

/** `{"lastUpdateId":…,"E":…,"bids":[…],"asks":[…]}` of `/depth`; an error body has none of these. */
function decodeSnapshot(frame: Frame, sink: MarketSink, instrument: InstrumentIndex): void {
  const { update } = sink;
  let seen = 0;
  update.kind = SNAPSHOT;
  update.instrument = instrument;
  update.previousSequence = NaN;
  update.checksum = NaN;
  update.venueTimeMs = NaN;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.lastUpdateId) {
      frame.integer();
      update.lastSequence = frame.value;
      update.firstSequence = update.lastSequence;
      seen |= LAST;
    } else if (key === KEY.snapshotBids) {
      frame.levels(update.bids);
      seen |= BIDS;
    } else if (key === KEY.snapshotAsks) {
      frame.levels(update.asks);
      seen |= ASKS;
    } else if (key === KEY.time) {
      frame.integer();
      update.venueTimeMs = frame.value;
    } else frame.skip();
  }
  if (seen !== (LAST | BIDS | ASKS)) throw new BadInput(`binance: not a snapshot: ${frame.text().slice(0, 120)}`);
  publish(frame, sink);
}

const filter = z.object({
  filterType: z.string(),
  tickSize: z.string().optional(),
  stepSize: z.string().optional(),
  minQty: z.string().optional(),
  minNotional: z.string().optional(),
  notional: z.string().optional(),
});
const listing = z.object({
  symbol: z.string().min(1),
  status: z.string().optional(),
  contractStatus: z.string().optional(),
  baseAsset: z.string().min(1),
  quoteAsset: z.string().min(1),
  marginAsset: z.string().optional(),
  contractType: z.string().optional(),
  contractSize: z.number().positive().optional(),
  deliveryDate: z.number().optional(),
  filters: z.array(filter),
});
type Listing = z.infer<typeof listing>;
const exchangeInfo = z.object({ symbols: z.array(listing) });

function parseInstruments(market: string, bodies: readonly string[], taken: Fees): readonly Instrument[] {
  return bodies.flatMap((body) =>
    bodyFrom(exchangeInfo, body, 'binance exchangeInfo').symbols.flatMap((entry) =>
      instrumentFrom(market, entry, taken),
    ),
  );
}

/** Empty for what the engine cannot express: a listing without a price or lot grid, or a contract of an unknown type. */
function instrumentFrom(market: string, entry: Listing, taken: Fees): readonly Instrument[] {
  const filterOf = (...types: string[]) => entry.filters.find(({ filterType }) => types.includes(filterType));
  const tick = filterOf('PRICE_FILTER')?.tickSize;
  const lot = filterOf('LOT_SIZE');
  const notional = filterOf('NOTIONAL', 'MIN_NOTIONAL');
  const kind = kindOf(market, entry.contractType);
  if (tick === undefined || lot?.stepSize === undefined || lot.minQty === undefined || kind === undefined) return [];
  const [base, quote] = [asset(entry.baseAsset), asset(entry.quoteAsset)];
  const settle = asset(entry.marginAsset ?? entry.quoteAsset);
  const expiry = kind === 'future' ? expiryOf(entry.deliveryDate) : undefined;
  const contract = market === 'spot' ? '' : `:${settle}${expiry === undefined ? '' : `-${expiry.day}`}`;
  const symbol = `${base}/${quote}${contract}`;
  const grid = { tick: decimalFrom(tick), lot: decimalFrom(lot.stepSize) };
  if (!grid.tick.greaterThan(0) || !grid.lot.greaterThan(0)) return [];
  return [
    {
      id: idOf(BINANCE, symbol),
      venue: BINANCE,
      market,
      symbol,
      venueSymbol: entry.symbol,
      kind,
      ...{ base, quote, settle },
      contractSize: amountOf(entry.contractSize ?? 1),
      inverse: market === 'coinm',
      ...grid,
      minQty: decimalFrom(lot.minQty),
      minNotional: decimalFrom(notional?.minNotional ?? notional?.notional ?? '0'),
      fees: taken,
      ...(expiry === undefined ? {} : { expiryMs: expiry.ms }),
      status: (entry.status ?? entry.contractStatus) === 'TRADING' ? 'trading' : 'halted',
    },
  ];
}

function kindOf(market: string, contractType: string | undefined): InstrumentKind | undefined {
  if (market === 'spot') return 'spot';
  if (contractType === 'PERPETUAL') return 'perpetual';
  return contractType !== undefined && /^(CURRENT|NEXT)_(MONTH|QUARTER)$/.test(contractType) ? 'future' : undefined;
}
