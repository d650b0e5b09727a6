import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { Fees, Instrument } from '#shared/domain/instrument.ts';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
import { DELTA, SNAPSHOT } from '#shared/domain/market-event.ts';
import { amountOf, decimalFrom } from '#shared/money/grid.ts';
import type { BookRules, Continuity, Frame, Market, MarketSink, Venue } from './venue.ts';
import { asset, batchesOf, bodyFrom, bytesOf, END, expiryOf, idOf, keyCode, venueId } from './venue.ts';

const BYBIT = venueId('bybit');

/** One protocol, a socket path each; they differ in their instruments and in how much one request may ask for. */
const market = (id: string, [maker, taker]: readonly [string, string], topicsPerRequest: number): Market => ({
  id,
  wsUrl: `wss://stream.bybit.com/v5/public/${id}`,
  restUrl: 'https://api.bybit.com',
  defaultFees: { maker: amountOf(maker), taker: amountOf(taker), currency: id === 'spot' ? 'received' : 'settle' },
  instruments: {
    // A page holds at most 1,000, which is more than any category lists.
    paths: [`/v5/market/instruments-info?category=${id}&limit=1000`],
    parse: (bodies, fees) => parseInstruments(id, bodies, fees),
  },
  subscribe: (symbols, request) => requestsOf('subscribe', symbols, request, topicsPerRequest),
  unsubscribe: (symbols, request) => requestsOf('unsubscribe', symbols, request, topicsPerRequest),
  // 21,000 characters of topics a connection are allowed; a hundred are about 3,000.
  limits: { symbolsPerSocket: 100, messagesPerSecond: 5 },
  heartbeat: { kind: 'client-text', text: '{"op":"ping"}', everyMs: 20_000 },
  idleMs: 30_000,
  firstBookWithinMs: 5_000,
  book: { snapshot: { from: 'push' }, follows, depth: Infinity },
  decode,
});

/**
 * Books of 50 levels every 20 ms. The best-quote channel (`orderbook.1`, every 10 ms) counts its own u, which does not tell whether a quote is newer
 * than a book: it is not used.
 * @see https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook
 */
export const bybit: Venue = {
  id: BYBIT,
  markets: [
    market('spot', ['0.001', '0.001'], 10),
    market('linear', ['0.0002', '0.00055'], 100),
    market('inverse', ['0.0002', '0.00055'], 100),
  ],
};

function requestsOf(op: string, symbols: readonly string[], request: number, size: number): readonly string[] {
  const topics = symbols.map((symbol) => `orderbook.50.${symbol}`);
  return batchesOf(topics, size).map((args, at) => JSON.stringify({ req_id: String(request * 100 + at), op, args }));
}

/**
 * 1. A snapshot replaces the book whenever it comes; so does u = 1, whatever the type says: the service was restarted.
 * 2. Each delta's u is the last one + 1. The documentation says only that u identifies an update; 5.76 million deltas watched without an exception
 *    make it the rule.
 */
function follows({ lastSequence }: Parameters<BookRules['follows']>[0], update: MarketUpdate): Continuity {
  return update.lastSequence === lastSequence + 1 ? 'apply' : 'gap';
}

const KEY = {
  topic: keyCode('topic'),
  type: keyCode('type'),
  data: keyCode('data'),
  time: keyCode('ts'),
  engineTime: keyCode('cts'),
  symbol: keyCode('s'),
  bids: keyCode('b'),
  asks: keyCode('a'),
  sequence: keyCode('u'),
  success: keyCode('success'),
  op: keyCode('op'),
  message: keyCode('ret_msg'),
} as const;
const BOOK_TOPIC = bytesOf('orderbook.');
const TYPE_SNAPSHOT = bytesOf('snapshot');
const TYPE_DELTA = bytesOf('delta');
const PING = bytesOf('ping');
const PONG = bytesOf('pong');
const LETTER_F = 0x66;
const RESTARTED = 1;

const SYMBOL = 1;
const BIDS = 2;
const ASKS = 4;
const SEQUENCE = 8;
const WHOLE = SYMBOL | BIDS | ASKS | SEQUENCE;

/** `{"topic":"orderbook.50.X","type":…,"ts":…,"data":{…},"cts":…}`; cts is the matching engine's time, ts the gateway's. */
function decode(frame: Frame, sink: MarketSink): void {
  const { update } = sink;
  let isBook = false;
  let isRead = false;
  let hasType = false;
  let hasEngineTime = false;
  update.venueTimeMs = NaN;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.topic) {
      frame.string();
      isBook = startsWith(frame, BOOK_TOPIC);
      if (!isBook) return;
    } else if (key === KEY.type && isBook) {
      update.kind = readType(frame);
      hasType = true;
    } else if (key === KEY.data && hasType) {
      if (!readBook(frame, sink)) return;
      isRead = true;
    } else if (key === KEY.engineTime || (key === KEY.time && !hasEngineTime)) {
      frame.integer();
      update.venueTimeMs = frame.value;
      hasEngineTime = key === KEY.engineTime;
    } else if (!isBook && (key === KEY.success || key === KEY.op)) {
      control(frame, sink, key);
      return;
    } else frame.skip();
  }
  if (!isBook) return;
  if (!isRead) throw new BadInput(`bybit: a book frame without type or data: ${frame.text().slice(0, 120)}`);
  frame.finish();
  sink.publish();
}

/** Whether the string read last starts with `text`. */
function startsWith(frame: Frame, text: Uint8Array): boolean {
  const { bytes, textStart, textEnd } = frame;
  if (textEnd - textStart < text.length) return false;
  for (let at = 0; at < text.length; at += 1) if (bytes[textStart + at] !== text[at]) return false;
  return true;
}

function readType(frame: Frame): MarketUpdate['kind'] {
  frame.string();
  if (frame.textIs(TYPE_SNAPSHOT)) return SNAPSHOT;
  if (frame.textIs(TYPE_DELTA)) return DELTA;
  throw new BadInput(`bybit: unknown type: ${frame.text().slice(0, 120)}`);
}

/** False, at once, when it is of an instrument that we do not follow. */
function readBook(frame: Frame, sink: MarketSink): boolean {
  const { update } = sink;
  let seen = 0;
  update.firstSequence = NaN;
  update.previousSequence = NaN;
  update.checksum = NaN;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.symbol) {
      frame.string();
      const instrument = sink.find(frame, frame.textStart, frame.textEnd);
      if (instrument === -1) return false;
      update.instrument = instrument;
      seen |= SYMBOL;
    } else if (key === KEY.bids) {
      frame.levels(update.bids);
      seen |= BIDS;
    } else if (key === KEY.asks) {
      frame.levels(update.asks);
      seen |= ASKS;
    } else if (key === KEY.sequence) {
      frame.integer();
      update.lastSequence = frame.value;
      seen |= SEQUENCE;
    } else frame.skip();
  }
  if (seen !== WHOLE) throw new BadInput(`bybit: fields are missing: ${frame.text().slice(0, 120)}`);
  if (update.lastSequence === RESTARTED) update.kind = SNAPSHOT;
  return true;
}

/** `{"success":true|false,"ret_msg":…,"op":"subscribe"|"ping"|…}`, or `{"op":"pong",…}` on the derivatives' sockets. */
function control(frame: Frame, sink: MarketSink, firstKey: number): void {
  let kind: 'ack' | 'pong' | 'error' = 'ack';
  for (let key = firstKey; key !== END; key = frame.nextKey()) {
    if (key === KEY.op || key === KEY.message) {
      frame.string();
      if (kind === 'ack' && (frame.textIs(PING) || frame.textIs(PONG))) kind = 'pong';
      continue;
    }
    if (key === KEY.success && frame.peek() === LETTER_F) kind = 'error';
    frame.skip();
  }
  sink.control(kind, frame.text());
}

const listing = z.object({
  symbol: z.string().min(1),
  contractType: z.string().optional(),
  status: z.string(),
  baseCoin: z.string().min(1),
  quoteCoin: z.string().min(1),
  settleCoin: z.string().optional(),
  deliveryTime: z.string().optional(),
  priceFilter: z.object({ tickSize: z.string() }),
  lotSizeFilter: z.object({
    basePrecision: z.string().optional(),
    qtyStep: z.string().optional(),
    minOrderQty: z.string().optional(),
    minOrderAmt: z.string().optional(),
    minNotionalValue: z.string().optional(),
  }),
});
type Listing = z.infer<typeof listing>;
const answer = z.object({ retCode: z.literal(0), result: z.object({ list: z.array(listing) }) });

function parseInstruments(id: string, bodies: readonly string[], fees: Fees): readonly Instrument[] {
  return bodies.flatMap((body) =>
    bodyFrom(answer, body, 'bybit instruments-info').result.list.flatMap((entry) => instrumentFrom(id, entry, fees)),
  );
}

/** Empty for a listing without a grid, or a dated one without a date. Linear contracts count base units, inverse ones US dollars. */
function instrumentFrom(id: string, entry: Listing, fees: Fees): readonly Instrument[] {
  const spot = id === 'spot';
  const { basePrecision, qtyStep, minOrderQty, minOrderAmt, minNotionalValue } = entry.lotSizeFilter;
  const step = qtyStep ?? basePrecision ?? '';
  const { tickSize } = entry.priceFilter;
  const dated = !spot && !(entry.contractType ?? '').endsWith('Perpetual');
  const expiry = dated ? expiryOf(Number(entry.deliveryTime)) : undefined;
  if (!(Number(tickSize) > 0) || !(Number(step) > 0) || (dated && expiry === undefined)) return [];
  const [base, quote] = [asset(entry.baseCoin), asset(entry.quoteCoin)];
  const settle = asset(entry.settleCoin ?? entry.quoteCoin);
  const symbol = `${base}/${quote}${spot ? '' : `:${settle}${expiry === undefined ? '' : `-${expiry.day}`}`}`;
  return [
    {
      id: idOf(BYBIT, symbol),
      venue: BYBIT,
      market: id,
      symbol,
      venueSymbol: entry.symbol,
      kind: spot ? 'spot' : dated ? 'future' : 'perpetual',
      ...{ base, quote, settle },
      contractSize: amountOf(1),
      inverse: id === 'inverse',
      tick: decimalFrom(tickSize),
      lot: decimalFrom(step),
      minQty: decimalFrom(minOrderQty ?? step),
      minNotional: decimalFrom(minNotionalValue ?? minOrderAmt ?? '0'),
      fees,
      ...(expiry === undefined ? {} : { expiryMs: expiry.ms }),
      status: entry.status === 'Trading' ? 'trading' : 'halted',
    },
  ];
}
