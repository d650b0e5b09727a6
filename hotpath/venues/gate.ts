import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Fees, Instrument } from '#shared/domain/instrument.ts';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
import { DELTA, SNAPSHOT } from '#shared/domain/market-event.ts';
import { amountOf, decimalFrom } from '#shared/money/grid.ts';
import type { BookRules, Continuity, Frame, Market, MarketSink, Venue } from './venue.ts';
import { asset, bodyFrom, bytesOf, END, idOf, keyCode, venueId } from './venue.ts';

const GATE = venueId('gate');
/** Every request must have a time; that it is the present one matters only where a request is signed. */
const ANY_TIME = 1;

/** What the markets share: the protocol, in which only the prefix of a channel's name differs, and its limits. */
const streams = (prefix: 'spot' | 'futures') =>
  ({
    restUrl: 'https://api.gateio.ws',
    subscribe: (symbols) => requestsOf('subscribe', prefix, symbols),
    unsubscribe: (symbols) => requestsOf('unsubscribe', prefix, symbols),
    limits: { symbolsPerSocket: 40, messagesPerSecond: 20 },
    heartbeat: {
      kind: 'client-text',
      text: JSON.stringify({ time: ANY_TIME, channel: `${prefix}.ping` }),
      everyMs: 15_000,
    },
    idleMs: 30_000,
    firstBookWithinMs: 5_000,
    book: { snapshot: { from: 'push' }, follows, depth: Infinity },
    decode: decoderOf(`${prefix}.obu`),
  }) as const satisfies Partial<Market>;

const spot: Market = {
  ...streams('spot'),
  id: 'spot',
  wsUrl: 'wss://api.gateio.ws/ws/v4/',
  defaultFees: { maker: amountOf('0.001'), taker: amountOf('0.001'), currency: 'received' },
  instruments: pairsOf('spot'),
};

/** Perpetuals settled in USDT. */
const usdt: Market = {
  ...streams('futures'),
  id: 'usdt',
  wsUrl: 'wss://fx-ws.gateio.ws/v4/ws/usdt',
  defaultFees: { maker: amountOf('0.0002'), taker: amountOf('0.0005'), currency: 'settle' },
  instruments: { paths: ['/api/v4/futures/usdt/contracts'], parse: parseContracts },
};

/** Spot books before mid 2025: `order_book_update`, started from a REST snapshot. */
const spotUpdates: Market = {
  ...spot,
  id: 'spot-updates',
  instruments: pairsOf('spot-updates'),
  subscribe: (symbols) => updateRequestsOf('subscribe', symbols),
  unsubscribe: (symbols) => updateRequestsOf('unsubscribe', symbols),
  book: {
    snapshot: {
      from: 'rest',
      path: (symbol) => `/api/v4/spot/order_book?currency_pair=${symbol}&limit=100&with_id=true`,
      decode: decodeSnapshot,
    },
    follows: followsSnapshot,
    depth: Infinity,
  },
  decode: decoderOf('spot.order_book_update'),
};

/**
 * Books of 50 levels every 20 ms. The best quotes come on a channel of their own, hardly sooner, and nothing says that their ids are those of `obu`:
 * they are not used.
 * @see https://www.gate.com/announcements/article/45317 spot, https://www.gate.com/announcements/article/44946 futures
 */
export const gate: Venue = { id: GATE, markets: [spot, usdt], recorded: [spotUpdates] };

/** One stream a request, as in every example of the documentation. */
function requestsOf(event: string, prefix: string, symbols: readonly string[]): readonly string[] {
  return symbols.map((symbol) => requestOf(event, `${prefix}.obu`, [`ob.${symbol}.50`]));
}

function updateRequestsOf(event: string, symbols: readonly string[]): readonly string[] {
  return symbols.map((symbol) => requestOf(event, 'spot.order_book_update', [symbol, '100ms']));
}

const requestOf = (event: string, channel: string, payload: readonly string[]): string =>
  JSON.stringify({ time: ANY_TIME, channel, event, payload });

/**
 * 1. A full push replaces the book, and its u is the book's id; it may come again at any time.
 * 2. Otherwise U is the book's id + 1, and u becomes the id; 3. anything else is a gap: unsubscribe and subscribe.
 */
function follows({ lastSequence }: Parameters<BookRules['follows']>[0], update: MarketUpdate): Continuity {
  return update.firstSequence === lastSequence + 1 ? 'apply' : 'gap';
}

/**
 * `order_book_update`. 1. An update with u below the snapshot's id + 1 is dropped; 2. the first one must have U <= id + 1 <= u;
 * 3. afterwards each U is the previous u + 1.
 * @see https://www.gate.com/docs/developers/apiv4/ws/en/#changed-order-book-levels
 */
function followsSnapshot(
  { lastSequence, opening }: Parameters<BookRules['follows']>[0],
  { firstSequence, lastSequence: last }: MarketUpdate,
): Continuity {
  if (last <= lastSequence) return 'drop';
  if (opening) return firstSequence <= lastSequence + 1 ? 'apply' : 'gap';
  return firstSequence === lastSequence + 1 ? 'apply' : 'gap';
}

const KEY = {
  channel: keyCode('channel'),
  event: keyCode('event'),
  error: keyCode('error'),
  result: keyCode('result'),
  time: keyCode('t'),
  full: keyCode('full'),
  symbol: keyCode('s'),
  first: keyCode('U'),
  last: keyCode('u'),
  bids: keyCode('b'),
  asks: keyCode('a'),
  snapshotId: keyCode('id'),
  snapshotBids: keyCode('bids'),
  snapshotAsks: keyCode('asks'),
} as const;
const EVENT_UPDATE = bytesOf('update');
const SPOT_PONG = bytesOf('spot.pong');
const FUTURES_PONG = bytesOf('futures.pong');
const STREAM_PREFIX = bytesOf('ob.');
const POINT = 0x2e;
const LETTER_T = 0x74;
const OPEN_BRACE = 0x7b;

const SYMBOL = 1;
const FIRST = 2;
const LAST = 4;
const FULL = 8;
const BIDS = 16;
const ASKS = 32;

/** What a frame's result held. */
const NOTHING = 0;
const BOOK = 1;
const UNFOLLOWED = 2;

/** A decoder of one channel: `{"channel":…,"result":{…},"event":"update"}`, in whatever order. */
function decoderOf(channelName: string): Market['decode'] {
  const channel = bytesOf(channelName);
  return (frame, sink) => decode(frame, sink, channel);
}

function decode(frame: Frame, sink: MarketSink, channel: Uint8Array): void {
  let isOurs = false;
  let isUpdate = false;
  let held = NOTHING;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.channel) {
      frame.string();
      isOurs = frame.textIs(channel);
      // A request that could not be read is refused without a channel.
      if (!isOurs && frame.textEnd > frame.textStart) {
        if (frame.textIs(SPOT_PONG) || frame.textIs(FUTURES_PONG)) sink.control('pong', frame.text());
        return;
      }
    } else if (key === KEY.event) {
      frame.string();
      isUpdate = frame.textIs(EVENT_UPDATE);
    } else if (key === KEY.result && isOurs && frame.peek() === OPEN_BRACE) {
      held = readResult(frame, sink);
      if (held === UNFOLLOWED) return;
    } else if (key === KEY.error && frame.peek() === OPEN_BRACE) {
      sink.control('error', frame.text());
      return;
    } else frame.skip();
  }
  if (!isOurs) return;
  if (isUpdate !== (held === BOOK)) throw new BadInput(`gate: not a book: ${frame.text().slice(0, 120)}`);
  frame.finish();
  if (isUpdate) sink.publish();
  else sink.control('ack', frame.text());
}

/** A book's change, or the `{"status":…}` of an answer. A side without changes may be left out. */
function readResult(frame: Frame, sink: MarketSink): number {
  const { update } = sink;
  let seen = 0;
  let followed = false;
  update.firstSequence = NaN;
  update.previousSequence = NaN;
  update.checksum = NaN;
  update.venueTimeMs = NaN;
  empty(update.bids);
  empty(update.asks);
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.symbol) {
      followed = readSymbol(frame, sink);
      if (!followed) return UNFOLLOWED;
      seen |= SYMBOL;
    } else if (key === KEY.full) {
      if (frame.peek() === LETTER_T) seen |= FULL;
      frame.skip();
    } else if (key === KEY.first) {
      frame.integer();
      update.firstSequence = frame.value;
      seen |= FIRST;
    } else if (key === KEY.last) {
      frame.integer();
      update.lastSequence = frame.value;
      seen |= LAST;
    } else if (key === KEY.bids) {
      frame.levels(update.bids);
      seen |= BIDS;
    } else if (key === KEY.asks) {
      frame.levels(update.asks);
      seen |= ASKS;
    } else if (key === KEY.time) {
      frame.integer();
      update.venueTimeMs = frame.value;
    } else frame.skip();
  }
  if (seen === 0) return NOTHING;
  update.kind = (seen & FULL) === 0 ? DELTA : SNAPSHOT;
  const needed = update.kind === DELTA ? SYMBOL | FIRST | LAST : SYMBOL | LAST;
  if ((seen & needed) !== needed) throw new BadInput(`gate: fields are missing: ${frame.text().slice(0, 120)}`);
  return BOOK;
}

function empty(side: MarketUpdate['bids']): void {
  side.count = 0;
  side.priceDecimals = 0;
  side.qtyDecimals = 0;
}

/** `BTC_USDT`, or a stream's name around it: `ob.BTC_USDT.50`. False when we do not follow it. */
function readSymbol(frame: Frame, sink: MarketSink): boolean {
  frame.string();
  const { bytes } = frame;
  let { textStart: start, textEnd: end } = frame;
  if (bytes[start] === STREAM_PREFIX[0] && bytes[start + 1] === STREAM_PREFIX[1] && bytes[start + 2] === POINT) {
    start += STREAM_PREFIX.length;
    while (end > start && bytes[end - 1] !== POINT) end -= 1;
    end -= 1;
    if (end <= start) throw new BadInput(`gate: not a stream: ${frame.text().slice(0, 120)}`);
  }
  const instrument = sink.find(frame, start, end);
  if (instrument === -1) return false;
  sink.update.instrument = instrument;
  return true;
}

function decodeSnapshot(frame: Frame, sink: MarketSink, instrument: InstrumentIndex): void {
  const { update } = sink;
  let seen = 0;
  update.kind = SNAPSHOT;
  update.instrument = instrument;
  update.firstSequence = NaN;
  update.previousSequence = NaN;
  update.checksum = NaN;
  update.venueTimeMs = NaN;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.snapshotId) {
      frame.integer();
      update.lastSequence = frame.value;
      seen |= LAST;
    } else if (key === KEY.snapshotBids) {
      frame.levels(update.bids);
      seen |= BIDS;
    } else if (key === KEY.snapshotAsks) {
      frame.levels(update.asks);
      seen |= ASKS;
    } else frame.skip();
  }
  if (seen !== (LAST | BIDS | ASKS)) throw new BadInput(`gate: not a snapshot: ${frame.text().slice(0, 120)}`);
  frame.finish();
  sink.publish();
}

const pair = z.object({
  id: z.string().min(1),
  base: z.string().min(1),
  quote: z.string().min(1),
  precision: z.int(),
  amount_precision: z.int(),
  min_base_amount: z.string().optional(),
  min_quote_amount: z.string().optional(),
  trade_status: z.string(),
});
const pairs = z.array(pair).min(1);

function pairsOf(id: string): Market['instruments'] {
  return {
    paths: ['/api/v4/spot/currency_pairs'],
    parse: (bodies, fees) =>
      bodies.flatMap((body) => bodyFrom(pairs, body, 'gate currency_pairs').map((entry) => pairFrom(id, entry, fees))),
  };
}

function pairFrom(id: string, entry: z.infer<typeof pair>, fees: Fees): Instrument {
  const symbol = `${entry.base}/${entry.quote}`;
  const lot = amountOf(10).pow(-entry.amount_precision);
  return {
    id: idOf(GATE, symbol),
    venue: GATE,
    market: id,
    symbol,
    venueSymbol: entry.id,
    kind: 'spot',
    base: asset(entry.base),
    quote: asset(entry.quote),
    settle: asset(entry.quote),
    contractSize: amountOf(1),
    inverse: false,
    tick: amountOf(10).pow(-entry.precision),
    lot,
    minQty: entry.min_base_amount === undefined ? lot : decimalFrom(entry.min_base_amount),
    minNotional: decimalFrom(entry.min_quote_amount ?? '0'),
    fees,
    status: entry.trade_status === 'tradable' ? 'trading' : 'halted',
  };
}

const contract = z.object({
  name: z.string().min(1),
  type: z.string(),
  quanto_multiplier: z.string(),
  order_price_round: z.string(),
  order_size_min: z.union([z.number(), z.string()]),
  in_delisting: z.boolean(),
  status: z.string().optional(),
});
const contracts = z.array(contract).min(1);

function parseContracts(bodies: readonly string[], fees: Fees): readonly Instrument[] {
  return bodies.flatMap((body) =>
    bodyFrom(contracts, body, 'gate contracts').flatMap((entry) => contractFrom(entry, fees)),
  );
}

/**
 * Empty for what is not a linear contract with a size and a grid. Fractions of contracts, where a contract allows them, need a header of their own
 * with every order: whole contracts are the lot everywhere.
 */
function contractFrom(entry: z.infer<typeof contract>, fees: Fees): readonly Instrument[] {
  const [base = '', quote = ''] = entry.name.split('_');
  const { quanto_multiplier: size, order_price_round: tick } = entry;
  if (entry.type !== 'direct' || base === '' || quote === '') return [];
  if (!(Number(size) > 0) || !(Number(tick) > 0)) return [];
  const symbol = `${base}/${quote}:${quote}`;
  const least = decimalFrom(String(entry.order_size_min));
  const trades = !entry.in_delisting && (entry.status === undefined || entry.status === 'trading');
  return [
    {
      id: idOf(GATE, symbol),
      venue: GATE,
      market: 'usdt',
      symbol,
      venueSymbol: entry.name,
      kind: 'perpetual',
      base: asset(base),
      quote: asset(quote),
      settle: asset(quote),
      contractSize: decimalFrom(size),
      inverse: false,
      tick: decimalFrom(tick),
      lot: amountOf(1),
      minQty: least.lessThan(1) ? amountOf(1) : least,
      minNotional: amountOf(0),
      fees,
      status: trades ? 'trading' : 'halted',
    },
  ];
}
