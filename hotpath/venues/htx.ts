import type { Decimal } from 'decimal.js';
import { z } from 'zod';
import { assert, BadInput } from '#shared/assert.ts';
import type { ClientOrderId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Fees, Instrument } from '#shared/domain/instrument.ts';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
import { DELTA, SNAPSHOT } from '#shared/domain/market-event.ts';
import { amountOf } from '#shared/money/grid.ts';
import type { BookRules, Continuity, Frame, Market, MarketSink, StreamRules, Venue } from './venue.ts';
import { asset, batchesOf, bodyFrom, bytesOf, END, fundingFrom, idOf, keyCode, unpackerOf, venueId } from './venue.ts';
import type {
  Account,
  AccountContext,
  AccountEvent,
  AccountSocket,
  Answer,
  BalanceState,
  Call,
  FeeState,
  KeyPermissions,
  OrderRef,
  OrderState,
  OrderTicket,
  Placed,
  PositionState,
  Refusal,
  Reply,
  VenueFill,
  Weight,
} from './venue-account.ts';
import {
  andThen,
  answerFrom,
  checked,
  codesOf,
  decimalOrZero,
  decimalOrZeroOf,
  decimalText,
  frameText,
  hmac,
  jsonOf,
  meaningOf,
  ok,
  refused,
  signedNumber,
  sortedQueryOf,
  timeText,
} from './venue-tools.ts';

const HTX = venueId('htx');
/** Requests are signed with the host's name in them: these, whatever address leads there. */
const SPOT_HOST = 'api.huobi.pro';
const SWAP_HOST = 'api.hbdm.vn';

/** What the markets share: gzip frames, and pings in JSON every five seconds. */
const wire = {
  compression: 'gzip',
  heartbeat: { kind: 'server-text', reply: (ping) => ping.replace('ping', 'pong') },
  idleMs: 20_000,
  // A socket's twenty subscriptions and then its snapshot requests are paced: seven seconds.
  firstBookWithinMs: 10_000,
} as const satisfies Partial<Market>;

/** The tick-by-tick book of 150 levels a side, joined every 100 ms; incremental topics live on `/feed` alone. */
const spot: Market = {
  ...wire,
  id: 'spot',
  wsUrl: 'wss://api.huobi.pro/feed',
  restUrl: 'https://api.huobi.pro',
  hosts: ['api-aws.huobi.pro'],
  defaultFees: { maker: amountOf('0.002'), taker: amountOf('0.002'), currency: 'received' },
  instruments: { paths: ['/v1/settings/common/market-symbols'], parse: parseSpot },
  subscribe: (symbols, request) =>
    symbols.map((symbol, at) => JSON.stringify({ sub: `market.${symbol}.mbp.150`, id: `${request}-${at}` })),
  unsubscribe: (symbols, request) =>
    symbols.map((symbol, at) => JSON.stringify({ unsub: `market.${symbol}.mbp.150`, id: `${request}-${at}` })),
  // About ten snapshot requests a second; a burst is refused with "429 too many request topic".
  limits: { symbolsPerSocket: 20, messagesPerSecond: 10 },
  book: {
    snapshot: {
      from: 'request',
      text: (symbol, request) => JSON.stringify({ req: `market.${symbol}.mbp.150`, id: String(request) }),
    },
    follows: followsByPrevious,
    depth: Infinity,
  },
  // Incremental books alone live on /feed, everything else on /ws.
  streams: topicStream('trades', 'wss://api.huobi.pro/ws', ['trade.detail']),
  poll: { path: (symbol) => `/market/depth?symbol=${symbol}&type=step0`, decode: decodePolled },
  decode: (frame, sink) => decode(frame, sink, SPOT_TOPICS),
};

const swap: Market = {
  ...wire,
  id: 'swap',
  wsUrl: 'wss://api.hbdm.com/linear-swap-ws',
  restUrl: 'https://api.hbdm.com',
  hosts: ['api.hbdm.vn'],
  defaultFees: { maker: amountOf('0.0002'), taker: amountOf('0.0006'), currency: 'settle' },
  instruments: {
    paths: ['/linear-swap-api/v1/swap_contract_info', '/linear-swap-api/v1/swap_query_elements'],
    parse: parseSwaps,
  },
  subscribe: (symbols, request) => swapRequests('sub', symbols, request),
  unsubscribe: (symbols, request) => swapRequests('unsub', symbols, request),
  // About forty subscriptions a second are taken.
  limits: { symbolsPerSocket: 40, messagesPerSecond: 20 },
  book: { snapshot: { from: 'push' }, follows: followsByVersion, depth: Infinity },
  streams: topicStream('trades', 'wss://api.hbdm.com/linear-swap-ws', ['trade.detail']),
  moreStreams: [
    // There is no stream of the mark price itself: the candle of the present minute closes at it.
    topicStream('reference', 'wss://api.hbdm.com/ws_index', ['mark_price.1min', 'index.1min']),
    {
      kinds: ['reference'],
      wsUrl: 'wss://api.hbdm.com/linear-swap-notification',
      symbolsPerSocket: 40,
      subscribe: (kinds, symbols, request) =>
        (kinds.includes('reference') ? symbols : []).map((symbol, at) =>
          JSON.stringify({ op: 'sub', cid: `${request}-${at}`, topic: `public.${symbol}.funding_rate` }),
        ),
    },
  ],
  poll: {
    path: (symbol) => `/linear-swap-ex/market/depth?contract_code=${symbol}&type=step0`,
    decode: decodePolled,
  },
  decode: (frame, sink) => decode(frame, sink, SWAP_TOPICS),
};

/**
 * @see https://huobiapi.github.io/docs/spot/v1/en/#market-by-price-incremental-update
 * @see https://huobiapi.github.io/docs/usdt_swap/v1/en/#general-subscribe-incremental-market-depth-data
 */
export const htx: Venue = { id: HTX, markets: [spot, swap], accounts: [spotAccount(), swapAccount()] };

/** Channels named `market.SYMBOL.…`, each symbol subscribed by a frame of its own. */
function topicStream(kind: 'trades' | 'reference', wsUrl: string, channels: readonly string[]): StreamRules {
  return {
    kinds: [kind],
    wsUrl,
    symbolsPerSocket: 20,
    subscribe: (kinds, symbols, request) =>
      symbols.flatMap((symbol, at) =>
        (kinds.includes(kind) ? channels : []).map((channel, part) =>
          JSON.stringify({ sub: `market.${symbol}.${channel}`, id: `${request}-${at}-${part}` }),
        ),
      ),
  };
}

const swapRequests = (verb: 'sub' | 'unsub', symbols: readonly string[], request: number): readonly string[] =>
  symbols.map((symbol, at) =>
    JSON.stringify({
      [verb]: `market.${symbol}.depth.size_20.high_freq`,
      data_type: 'incremental',
      id: `${request}-${at}`,
    }),
  );

/**
 * Spot. 1. What is not above the snapshot's seqNum is dropped; 2. the first update applied must have prevSeqNum equal to the snapshot's seqNum
 * (else the snapshot is asked for again); 3. each later prevSeqNum must be the seqNum before.
 */
function followsByPrevious({ lastSequence }: Parameters<BookRules['follows']>[0], update: MarketUpdate): Continuity {
  if (update.lastSequence <= lastSequence) return 'drop';
  return update.previousSequence === lastSequence ? 'apply' : 'gap';
}

/** Swaps. 1. `version` counts a connection's updates by one. A lower one is a counter that began anew, not an old frame. */
function followsByVersion({ lastSequence }: Parameters<BookRules['follows']>[0], update: MarketUpdate): Continuity {
  if (update.lastSequence === lastSequence) return 'drop';
  return update.lastSequence === lastSequence + 1 ? 'apply' : 'gap';
}

/** What a frame's topic is to us; 0 is none of ours. */
const INCREMENTAL = 1;
const FULL = 2;
const TRADES = 3;
const MARK = 4;
const INDEX = 5;
type Topic = 0 | typeof INCREMENTAL | typeof FULL | typeof TRADES | typeof MARK | typeof INDEX;

/** What follows the symbol in the names of a market's channels; a candle's name goes on with its period. */
type Topics = readonly { readonly suffix: Uint8Array; readonly topic: Topic; readonly hasPeriod: boolean }[];

const channel = (suffix: string, topic: Topic, hasPeriod = false): Topics[number] => ({
  suffix: bytesOf(suffix),
  topic,
  hasPeriod,
});

const SWAP_TOPICS: Topics = [
  channel('.depth.size_20.high_freq', INCREMENTAL),
  channel('.depth.step0', FULL),
  channel('.trade.detail', TRADES),
  channel('.mark_price', MARK, true),
  channel('.index', INDEX, true),
];
/** `depth.step0`, 150 levels a second, is what recordings of 2021 hold. */
const SPOT_TOPICS: Topics = [
  channel('.mbp.150', INCREMENTAL),
  channel('.depth.step0', FULL),
  channel('.trade.detail', TRADES),
];
const PREFIX = bytesOf('market.');

const KEY = {
  ping: keyCode('ping'),
  channel: keyCode('ch'),
  reply: keyCode('rep'),
  time: keyCode('ts'),
  tick: keyCode('tick'),
  data: keyCode('data'),
  status: keyCode('status'),
  errorCode: keyCode('err-code'),
  subscribed: keyCode('subbed'),
  unsubscribed: keyCode('unsubbed'),
  sequence: keyCode('seqNum'),
  previous: keyCode('prevSeqNum'),
  version: keyCode('version'),
  event: keyCode('event'),
  bids: keyCode('bids'),
  asks: keyCode('asks'),
  price: keyCode('price'),
  amount: keyCode('amount'),
  direction: keyCode('direction'),
  close: keyCode('close'),
  operation: keyCode('op'),
  topic: keyCode('topic'),
  contract: keyCode('contract_code'),
  fundingRate: keyCode('funding_rate'),
  settlementTime: keyCode('settlement_time'),
} as const;
const EVENT_SNAPSHOT = bytesOf('snapshot');
const EVENT_UPDATE = bytesOf('update');
const BUY = bytesOf('buy');
const SELL = bytesOf('sell');
const PING = bytesOf('ping');
const NOTIFY = bytesOf('notify');
const FUNDING = bytesOf('.funding_rate');
const DOT = 0x2e;

const SEQUENCE = 1;
const PREVIOUS = 2;
const VERSION = 4;
const EVENT = 8;
const BIDS = 16;
const ASKS = 32;

function decode(frame: Frame, sink: MarketSink, topics: Topics): void {
  const { update } = sink;
  let topic: Topic = 0;
  let isReply = false;
  let tickAt = -1;
  update.venueTimeMs = NaN;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.channel || key === KEY.reply) {
      topic = readTopic(frame, sink, topics);
      if (topic === 0) return;
      isReply = key === KEY.reply;
    } else if (key === KEY.time) {
      frame.integer();
      update.venueTimeMs = frame.value;
    } else if ((key === KEY.tick || key === KEY.data) && topic !== 0) {
      tickAt = frame.at;
      if (topic <= FULL) readBook(frame, update, { isReply, isFull: topic === FULL });
      else frame.skip();
    } else if (key === KEY.operation) {
      frame.at = frame.start;
      decodeOperation(frame, sink);
      return;
    } else if (isControl(key)) {
      sink.control(key === KEY.ping ? 'ping' : key === KEY.errorCode ? 'error' : 'ack', frame.text());
      return;
    } else frame.skip();
  }
  if (topic === 0) return;
  if (tickAt < 0) throw new BadInput(`htx: a frame of a channel without its content: ${frame.text().slice(0, 120)}`);
  frame.finish();
  frame.at = topic <= FULL ? frame.end : tickAt;
  if (topic <= FULL) sink.publish();
  else if (topic === TRADES) readTrades(frame, sink);
  else readCandle(frame, sink, topic);
}

const isControl = (key: number): boolean =>
  key === KEY.ping || key === KEY.errorCode || key === KEY.subscribed || key === KEY.unsubscribed;

/** `market.SYMBOL.mbp.150`; 0 for another topic or an instrument that we do not follow. */
function readTopic(frame: Frame, sink: MarketSink, topics: Topics): Topic {
  frame.string();
  const { bytes, textStart, textEnd } = frame;
  if (!isAt(bytes, textStart, PREFIX)) return 0;
  const start = textStart + PREFIX.length;
  let periodAt = textEnd;
  while (periodAt > start && bytes[periodAt] !== DOT) periodAt -= 1;
  for (let at = 0; at < topics.length; at += 1) {
    const { suffix, topic, hasPeriod } = topics[at]!;
    const end = (hasPeriod ? periodAt : textEnd) - suffix.length;
    if (end <= start || !isAt(bytes, end, suffix)) continue;
    const instrument: InstrumentIndex | -1 = sink.find(frame, start, end);
    if (instrument === -1) return 0;
    sink.update.instrument = instrument;
    return topic;
  }
  return 0;
}

/** `{"id":…,"ts":…,"data":[{"ts":…,"amount":…,"price":…,"direction":"buy"}]}`: the direction is the taker's. Swaps count contracts, both sides of a trade. */
function readTrades(frame: Frame, sink: MarketSink): void {
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key !== KEY.data) frame.skip();
    else if (frame.firstElement()) {
      do readTrade(frame, sink);
      while (frame.nextElement());
    }
  }
}

const number = new Float64Array(1);

function readTrade(frame: Frame, sink: MarketSink): void {
  const { print, update } = sink;
  print.instrument = update.instrument;
  print.price = NaN;
  print.qty = NaN;
  print.venueTimeMs = update.venueTimeMs;
  let hasSide = false;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.price) {
      frame.number(number, 0);
      print.price = number[0]!;
    } else if (key === KEY.amount) {
      frame.number(number, 0);
      print.qty = number[0]!;
    } else if (key === KEY.time) {
      frame.integer();
      print.venueTimeMs = frame.value;
    } else if (key === KEY.direction) {
      frame.string();
      hasSide = frame.textIs(BUY) || frame.textIs(SELL);
      print.taker = frame.textIs(BUY) ? 1 : -1;
    } else frame.skip();
  }
  if (!hasSide || !(print.price > 0) || !(print.qty >= 0))
    throw new BadInput(`htx: not a trade: ${frame.text().slice(0, 120)}`);
  sink.publishPrint();
}

/** A candle of the mark or index price, which closes at the present price. */
function readCandle(frame: Frame, sink: MarketSink, topic: Topic): void {
  const { reference, update } = sink;
  number[0] = NaN;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.close) frame.number(number, 0);
    else frame.skip();
  }
  if (!(number[0] > 0)) throw new BadInput(`htx: a candle without its close: ${frame.text().slice(0, 120)}`);
  sink.clearReference();
  reference.instrument = update.instrument;
  reference.venueTimeMs = update.venueTimeMs;
  if (topic === MARK) reference.markPrice = number[0]!;
  else reference.indexPrice = number[0]!;
  sink.publishReference();
}

/** Frames of the notification socket: `{"op":"notify","topic":"public.BTC-USDT.funding_rate","ts":…,"data":[…]}`, acknowledgements, pings. */
function decodeOperation(frame: Frame, sink: MarketSink): void {
  const { update } = sink;
  let isNotice = false;
  let isFunding = false;
  let errorCode = 0;
  let dataAt = -1;
  update.venueTimeMs = NaN;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.operation) {
      frame.string();
      isNotice = frame.textIs(NOTIFY);
      if (frame.textIs(PING)) {
        sink.control('ping', frame.text());
        return;
      }
    } else if (key === KEY.topic) {
      frame.string();
      isFunding = isAt(frame.bytes, frame.textEnd - FUNDING.length, FUNDING);
    } else if (key === KEY.time) {
      frame.integer();
      update.venueTimeMs = frame.value;
    } else if (key === KEY.errorCode) {
      frame.integer();
      errorCode = frame.value;
    } else {
      if (key === KEY.data) dataAt = frame.at;
      frame.skip();
    }
  }
  if (!isNotice) sink.control(errorCode === 0 ? 'ack' : 'error', frame.text());
  if (!isNotice || !isFunding) return;
  if (dataAt < 0) throw new BadInput(`htx: a notice without its data: ${frame.text().slice(0, 120)}`);
  frame.finish();
  frame.at = dataAt;
  if (!frame.firstElement()) return;
  do readFunding(frame, sink);
  while (frame.nextElement());
}

/** The rate as it stands for the interval that ends at `settlement_time`. */
function readFunding(frame: Frame, sink: MarketSink): void {
  const { reference } = sink;
  let instrument: InstrumentIndex | -1 | undefined;
  sink.clearReference();
  reference.venueTimeMs = sink.update.venueTimeMs;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.contract) {
      frame.string();
      instrument = sink.find(frame, frame.textStart, frame.textEnd);
    } else if (key === KEY.fundingRate) {
      signedNumber(frame, number, 0);
      reference.fundingRate = number[0]!;
    } else if (key === KEY.settlementTime) {
      signedNumber(frame, number, 0);
      reference.nextFundingTimeMs = number[0]!;
    } else frame.skip();
  }
  if (instrument === undefined) throw new BadInput(`htx: funding of no contract: ${frame.text().slice(0, 120)}`);
  if (instrument === -1) return;
  reference.instrument = instrument;
  sink.publishReference();
}

/** `{"status":"ok","ts":…,"tick":{"version":…,"bids":[…],"asks":[…]}}`, the book by REST. */
function decodePolled(frame: Frame, sink: MarketSink, instrument: InstrumentIndex): void {
  const { update } = sink;
  let isRead = false;
  update.instrument = instrument;
  update.venueTimeMs = NaN;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.tick) {
      readBook(frame, update, { isReply: false, isFull: true });
      isRead = true;
    } else if (key === KEY.time) {
      frame.integer();
      update.venueTimeMs = frame.value;
    } else frame.skip();
  }
  frame.finish();
  if (!isRead) throw new BadInput(`htx: not a book: ${frame.text().slice(0, 120)}`);
  sink.publish();
}

function isAt(bytes: Uint8Array, from: number, text: Uint8Array): boolean {
  if (from < 0) return false;
  for (let at = 0; at < text.length; at += 1) if (bytes[from + at] !== text[at]) return false;
  return true;
}

/** `tick` of an update, `data` of a reply. A side in which nothing changed may be missing. */
function readBook(
  frame: Frame,
  update: MarketUpdate,
  { isReply, isFull }: { isReply: boolean; isFull: boolean },
): void {
  let seen = 0;
  update.kind = isReply || isFull ? SNAPSHOT : DELTA;
  update.firstSequence = NaN;
  update.previousSequence = NaN;
  update.checksum = NaN;
  update.bids.count = 0;
  update.asks.count = 0;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.bids) {
      frame.levels(update.bids);
      seen |= BIDS;
    } else if (key === KEY.asks) {
      frame.levels(update.asks);
      seen |= ASKS;
    } else if (key === KEY.sequence || key === KEY.version) {
      frame.integer();
      update.lastSequence = frame.value;
      seen |= key === KEY.sequence ? SEQUENCE : VERSION;
    } else if (key === KEY.previous) {
      frame.integer();
      update.previousSequence = frame.value;
      seen |= PREVIOUS;
    } else if (key === KEY.event) {
      update.kind = readEvent(frame);
      seen |= EVENT;
    } else frame.skip();
  }
  if (!isWhole(seen, update, isReply || isFull)) {
    throw new BadInput(`htx: fields are missing: ${frame.text().slice(0, 120)}`);
  }
}

/** Spot names both sequences in an update, one in a reply; swaps say their version and whether it is a snapshot. */
function isWhole(seen: number, { kind }: MarketUpdate, isSpotSnapshot: boolean): boolean {
  const bothSides = (seen & (BIDS | ASKS)) === (BIDS | ASKS);
  if (isSpotSnapshot) return bothSides && (seen & (SEQUENCE | VERSION)) !== 0;
  if ((seen & EVENT) !== 0) return (seen & VERSION) !== 0 && (kind === DELTA || bothSides);
  return (seen & (SEQUENCE | PREVIOUS)) === (SEQUENCE | PREVIOUS);
}

function readEvent(frame: Frame): MarketUpdate['kind'] {
  frame.string();
  if (frame.textIs(EVENT_SNAPSHOT)) return SNAPSHOT;
  if (frame.textIs(EVENT_UPDATE)) return DELTA;
  throw new BadInput(`htx: unknown event: ${frame.text().slice(0, 120)}`);
}

const spotListing = z.object({
  symbol: z.string().min(1),
  state: z.string(),
  bc: z.string().min(1),
  qc: z.string().min(1),
  pp: z.int(),
  ap: z.int(),
  minoa: z.number().optional(),
  lominoa: z.number().optional(),
  minov: z.number().optional(),
  at: z.string().optional(),
});
type SpotListing = z.infer<typeof spotListing>;
/** `/v1/common/symbols`, which recordings of 2021 hold. */
const olderListing = z
  .object({
    symbol: z.string().min(1),
    state: z.string(),
    'base-currency': z.string().min(1),
    'quote-currency': z.string().min(1),
    'price-precision': z.int(),
    'amount-precision': z.int(),
    'min-order-amt': z.number().optional(),
    'min-order-value': z.number().optional(),
    'api-trading': z.string().optional(),
  })
  .transform((entry): SpotListing => ({
    symbol: entry.symbol,
    state: entry.state,
    bc: entry['base-currency'],
    qc: entry['quote-currency'],
    pp: entry['price-precision'],
    ap: entry['amount-precision'],
    minoa: entry['min-order-amt'],
    minov: entry['min-order-value'],
    at: entry['api-trading'],
  }));
const spotList = z.object({ status: z.literal('ok'), data: z.array(z.union([spotListing, olderListing])) });

function parseSpot(bodies: readonly string[], fees: Fees): readonly Instrument[] {
  return bodies.flatMap((body) =>
    bodyFrom(spotList, body, 'htx market-symbols').data.map((entry) => spotInstrument(entry, fees)),
  );
}

function spotInstrument(entry: SpotListing, fees: Fees): Instrument {
  const [base, quote] = [asset(entry.bc.toUpperCase()), asset(entry.qc.toUpperCase())];
  const symbol = `${base}/${quote}`;
  const lot = amountOf(10).pow(-entry.ap);
  const minimum = amountOf(entry.lominoa ?? entry.minoa ?? 0);
  return {
    id: idOf(HTX, symbol),
    venue: HTX,
    market: 'spot',
    symbol,
    venueSymbol: entry.symbol,
    kind: 'spot',
    ...{ base, quote, settle: quote },
    contractSize: amountOf(1),
    inverse: false,
    tick: amountOf(10).pow(-entry.pp),
    lot,
    minQty: minimum.greaterThan(lot) ? minimum : lot,
    minNotional: amountOf(entry.minov ?? 0),
    fees,
    status: entry.state === 'online' && (entry.at ?? 'enabled') === 'enabled' ? 'trading' : 'halted',
  };
}

const swapListing = z.object({
  contract_code: z.string().min(1),
  pair: z.string().optional(),
  contract_size: z.number().positive(),
  price_tick: z.number().positive(),
  contract_status: z.int(),
  business_type: z.string().default('swap'),
});
const swapList = z.object({ status: z.literal('ok'), data: z.array(swapListing) });
const TRADING = 1;

/** Hours between two fundings. */
const swapElements = z.object({
  status: z.literal('ok'),
  data: z.array(z.object({ contract_code: z.string(), settle_period: z.number().optional() })),
});

/** Dated contracts stand in the same list; their topics are named otherwise and are not followed. */
function parseSwaps(bodies: readonly string[], fees: Fees): readonly Instrument[] {
  const [listed = '', elements] = bodies;
  const { data } = bodyFrom(swapList, listed, 'htx swap_contract_info');
  const instruments = data.flatMap((entry) => swapInstrument(entry, fees));
  if (elements === undefined) return instruments;
  const periods = bodyFrom(swapElements, elements, 'htx swap_query_elements').data;
  const fundingOf = new Map(
    periods.map(({ contract_code: code, settle_period: hours = NaN }) => [code, fundingFrom(hours * 3_600_000)]),
  );
  return instruments.map((instrument) => ({ ...instrument, ...fundingOf.get(instrument.venueSymbol) }));
}

function swapInstrument(entry: z.infer<typeof swapListing>, fees: Fees): readonly Instrument[] {
  const [base = '', quote = ''] = (entry.pair ?? entry.contract_code).split('-');
  if (entry.business_type !== 'swap' || base === '' || quote === '') return [];
  const symbol = `${base}/${quote}:${quote}`;
  return [
    {
      id: idOf(HTX, symbol),
      venue: HTX,
      market: 'swap',
      symbol,
      venueSymbol: entry.contract_code,
      kind: 'perpetual',
      ...{ base: asset(base), quote: asset(quote), settle: asset(quote) },
      contractSize: amountOf(entry.contract_size),
      inverse: false,
      tick: amountOf(entry.price_tick),
      lot: amountOf(1),
      minQty: amountOf(1),
      minNotional: amountOf(0),
      fees,
      status: entry.contract_status === TRADING ? 'trading' : 'halted',
    },
  ];
}

// Accounts. Spot by its REST of 2013, `/ws/trade` for orders and `/ws/v2` for events; USDT swaps by V5 of 2026.

const PAGE_MS_MAX = 48 * 3_600_000;
/** Clocks differ: what became of an order is asked for from a little before it was sent. */
const SENT_SLACK_MS = 60_000;

function spotAccount(): Account {
  return {
    id: 'spot',
    markets: ['spot'],
    restUrl: `https://${SPOT_HOST}`,
    // Letters, digits, `_` and `-`, 64 at most: as it stands.
    clientOrderId: (id) => id,
    refuses: (order) => refusesSpot(order),
    // Each endpoint has a limit of its own for a user; these are the tightest of their kind.
    limits: {
      buckets: {
        place: { units: 100, windowMs: 2_000 },
        cancel: { units: 100, windowMs: 2_000 },
        read: { units: 20, windowMs: 2_000 },
      },
    },
    prepare: (context) => [accountIdCall(context), userIdCall(SPOT_HOST, context)],
    rest: {
      place: placeSpot,
      cancel: cancelSpot,
      cancelAll: (instruments, context) => batchesOf(instruments, 10).map((batch) => cancelAllSpot(batch, context)),
      query: querySpot,
      openOrders: (instruments, context) => instruments.map((each) => openSpot(each, undefined, context)),
      fillsSince: (instruments, sinceMs, context) =>
        instruments.map((each) => spotFills(each, { sinceMs, from: undefined }, context)),
      fillsOf: spotFillsOf,
      balances: spotBalances,
      fees: (instruments, context) => batchesOf(instruments, 10).map((batch) => spotFees(batch, context)),
      permissions: (context) => permissionsCall(SPOT_HOST, context),
      time: {
        method: 'GET',
        path: '/v1/common/timestamp',
        headers: {},
        weight: { read: 1 },
        read: (reply) => spotAnswer(reply, spotBody(z.string()), ({ data }) => Number(data)),
      },
    },
    sockets: [spotOrderSocket(), spotEventSocket()],
    deadMan: {
      kind: 'timer',
      minMs: 5_000,
      // No upper bound is documented.
      maxMs: 3_600_000,
      arm: (timeoutMs, _instruments, context) => [armSpot(timeoutMs, context)],
    },
  };
}

function swapAccount(): Account {
  return {
    id: 'swap',
    markets: ['swap'],
    restUrl: `https://${SWAP_HOST}`,
    clientOrderId: swapClientOrderId,
    refuses: (order) => refusesAny(order),
    limits: { buckets: { trade: { units: 72, windowMs: 3_000 }, read: { units: 72, windowMs: 3_000 } } },
    prepare: (context) => [userIdCall(SWAP_HOST, context)],
    rest: {
      place: placeSwap,
      cancel: cancelSwap,
      cancelAll: (instruments, context) => instruments.map((each) => cancelAllSwap(each, context)),
      query: querySwap,
      openOrders: (instruments, context) => instruments.map((each) => openSwap(each, undefined, context)),
      fillsSince: (instruments, sinceMs, context) =>
        instruments.map((each) =>
          swapFills({ contract_code: each.venueSymbol, start_time: String(Math.floor(sinceMs)) }, undefined, context),
        ),
      fillsOf: ({ instrument, venueOrderId, clientOrderId }, context) =>
        swapFills(
          { contract_code: instrument.venueSymbol, ...swapIdOf({ venueOrderId, clientOrderId }) },
          undefined,
          context,
        ),
      balances: (context) =>
        swapGet('/v5/account/balance', {}, context, (reply) => swapAnswer(reply, swapBalances, swapBalancesFrom)),
      positions: (context) =>
        swapGet('/v5/trade/position/opens', {}, context, (reply) =>
          swapAnswer(reply, z.array(swapPosition).nullable(), (list) => (list ?? []).map(positionFrom)),
        ),
      fees: (instruments, context) => [swapFees(instruments, context)],
      permissions: (context) => permissionsCall(SWAP_HOST, context),
      time: {
        method: 'GET',
        path: '/api/v1/timestamp',
        headers: {},
        weight: { read: 1 },
        read: (reply) =>
          legacyAnswer(reply, z.object({ status: z.literal('ok'), ts: z.string() }), ({ ts }) => Number(ts)),
      },
    },
    sockets: [swapEventSocket()],
    deadMan: {
      kind: 'timer',
      minMs: 5_000,
      // No upper bound is documented.
      maxMs: 3_600_000,
      arm: (timeoutMs, _instruments, context) => [armSwap(timeoutMs, context)],
    },
  };
}

/**
 * Method, host, path and sorted query, a line each, by HMAC-SHA256 in base64. The body is not signed.
 * @see https://huobiapi.github.io/docs/spot/v1/en/#authentication
 */
export const signatureOf = (
  secret: string,
  { method, host, path, query }: Readonly<Record<'method' | 'host' | 'path' | 'query', string>>,
): string => hmac('sha256', secret, `${method}\n${host}\n${path}\n${query}`, 'base64');

/** UTC to the second, without a zone. */
const timestampOf = (nowMs: number): string => new Date(nowMs).toISOString().slice(0, 19);

type Fields = Readonly<Record<string, string | undefined>>;
type Request<T> = {
  readonly host: string;
  readonly path: string;
  /** Present for POST. */
  readonly body?: object;
  readonly query?: Fields;
  readonly weight: Weight;
  readonly read: (reply: Reply) => Answer<T>;
};

function signedCall<T>(request: Request<T>, { credentials, nowMs }: AccountContext): Call<T> {
  const { host, path, body, weight, read } = request;
  const method = body === undefined ? 'GET' : 'POST';
  const query = sortedQueryOf({
    AccessKeyId: credentials.apiKey,
    SignatureMethod: 'HmacSHA256',
    SignatureVersion: '2',
    Timestamp: timestampOf(nowMs),
    ...request.query,
  });
  const signature = signatureOf(credentials.secret, { method, host, path, query });
  const signed = { method, path: `${path}?${query}&Signature=${encodeURIComponent(signature)}`, weight, read } as const;
  if (body === undefined) return { ...signed, headers: {} };
  return { ...signed, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
}

/** A call that the spot host answers, made for an account that may live at another one. */
const atSpotHost = <T>(call: Call<T>, home: string): Call<T> =>
  home === SPOT_HOST ? call : { ...call, path: `https://${SPOT_HOST}${call.path}` };

function userIdCall(home: string, context: AccountContext): Call<Readonly<Record<string, string>>> {
  const read = (reply: Reply): Answer<Readonly<Record<string, string>>> =>
    spotAnswer(reply, z.object({ code: z.literal('200'), data: z.string() }), ({ data }) => ({ userId: data }));
  const request = { host: SPOT_HOST, path: '/v2/user/uid', weight: { read: 1 }, read };
  return atSpotHost(signedCall(request, context), home);
}

const apiKeys = z.object({
  code: z.literal('200'),
  data: z.array(z.object({ accessKey: z.string(), permission: z.string() })),
});

function permissionsCall(home: string, context: AccountContext): Call<KeyPermissions> {
  const { apiKey } = context.credentials;
  const read = (reply: Reply): Answer<KeyPermissions> =>
    spotAnswer(reply, apiKeys, ({ data }) => {
      const ours = data.find(({ accessKey }) => accessKey === apiKey);
      if (ours === undefined) throw new BadInput('htx: the key is not in the list of keys');
      const permissions = ours.permission.split(',').map((each) => each.trim());
      return { trade: permissions.includes('trade'), withdraw: permissions.includes('withdraw') };
    });
  const query = { uid: context.facts['userId'], accessKey: apiKey };
  return atSpotHost(
    signedCall({ host: SPOT_HOST, path: '/v2/user/api-key', query, weight: { read: 1 }, read }, context),
    home,
  );
}

/** What no market of the venue takes. */
function refusesAny({ type, timeInForce, postOnly }: OrderTicket): string | undefined {
  if (postOnly && (type === 'market' || timeInForce !== 'GTC'))
    return 'a post-only order rests: it cannot be IOC, FOK or at market';
  if (type === 'market' && timeInForce === 'FOK') return 'a market order cannot be fill-or-kill here';
  return undefined;
}

function refusesSpot(order: OrderTicket): string | undefined {
  if (order.reduceOnly) return 'spot has no reduce-only orders';
  if (order.type === 'market' && order.side === 'buy') return 'a market buy names what to spend here, not what to buy';
  return refusesAny(order);
}

function spotTypeOf({ side, type, timeInForce, postOnly }: OrderTicket): string {
  if (type === 'market') return `${side}-market`;
  if (postOnly) return `${side}-limit-maker`;
  return `${side}-${{ GTC: 'limit', IOC: 'ioc', FOK: 'limit-fok' }[timeInForce]}`;
}

const spotOrderOf = (order: OrderTicket, { facts }: AccountContext): Fields => ({
  'account-id': facts['accountId'],
  symbol: order.instrument.venueSymbol,
  type: spotTypeOf(order),
  'client-order-id': order.clientOrderId,
  amount: order.qty,
  ...(order.type === 'market' ? {} : { price: order.price }),
});

const spotBody = <T>(data: z.ZodType<T>) => z.object({ status: z.literal('ok'), data });

const placedSpot = (id: string): Placed => ({ venueOrderId: id });

function placeSpot(order: OrderTicket, context: AccountContext): Call<Placed> {
  return signedCall(
    {
      host: SPOT_HOST,
      path: '/v1/order/orders/place',
      body: spotOrderOf(order, context),
      weight: { place: 1 },
      read: (reply) => spotAnswer(reply, spotBody(z.string()), ({ data }) => placedSpot(data)),
    },
    context,
  );
}

/** By client id the answer is a state: 10 means that it is being cancelled, anything else that it cannot be any more. */
function cancelSpot({ venueOrderId, clientOrderId }: OrderRef, context: AccountContext): Call<unknown> {
  const weight = { cancel: 1 };
  if (venueOrderId !== undefined) {
    const path = `/v1/order/orders/${venueOrderId}/submitcancel`;
    const read = (reply: Reply): Answer<unknown> => spotAnswer(reply, spotBody(z.string()), ({ data }) => data);
    return signedCall({ host: SPOT_HOST, path, body: {}, weight, read }, context);
  }
  const path = '/v1/order/orders/submitCancelClientOrder';
  const read = (reply: Reply): Answer<unknown> => {
    const answer = spotAnswer(reply, spotBody(z.string()), ({ data }) => data);
    return andThen(answer, (state) =>
      state === '10' ? ok(state) : refused(state === '0' ? 'not-found' : 'not-open', state, 'order state'),
    );
  };
  return signedCall({ host: SPOT_HOST, path, body: { 'client-order-id': clientOrderId }, weight, read }, context);
}

const cancelledMany = spotBody(z.object({ 'success-count': z.string(), 'next-id': z.string().nullish() }));

/** A hundred at a time; `next-id` names the next one while there is one. */
function cancelAllSpot(instruments: readonly Instrument[], context: AccountContext): Call<unknown> {
  const symbol = instruments.map(({ venueSymbol }) => venueSymbol).join(',');
  return signedCall(
    {
      host: SPOT_HOST,
      path: '/v1/order/orders/batchCancelOpenOrders',
      body: { 'account-id': context.facts['accountId'], symbol },
      weight: { cancel: 1 },
      read: (reply) => {
        const answer = spotAnswer(reply, cancelledMany, ({ data }) => data);
        return andThen(answer, ({ 'success-count': count, 'next-id': next }): Answer<unknown> => {
          const isDone = count === '0' || next === undefined || next === null || next === '-1';
          return isDone ? ok(count) : okWith(count, (later) => cancelAllSpot(instruments, later));
        });
      },
    },
    context,
  );
}

const spotOrder = z
  .object({
    id: z.string(),
    symbol: z.string(),
    'client-order-id': z.string().nullish(),
    type: z.string().regex(/^(buy|sell)-/),
    state: z.string(),
    amount: decimalText,
    price: decimalOrZero,
    // Their spelling: lists of ended orders say field-amount, lists of open ones filled-amount.
    'field-amount': z.string().nullish(),
    'filled-amount': z.string().nullish(),
    'created-at': timeText,
    'finished-at': timeText,
    'canceled-at': timeText,
  })
  .transform((order): OrderState => {
    const filled = decimalOrZeroOf(order['filled-amount'] ?? order['field-amount']);
    const times = [order['created-at'], order['finished-at'], order['canceled-at']].filter((time) => time > 0);
    return {
      venueSymbol: order.symbol,
      clientOrderId: order['client-order-id'] ?? '',
      venueOrderId: order.id,
      ...spotStateOf(order.state, order.type),
      ...(order.type.endsWith('-market') ? {} : { price: order.price }),
      qty: order.amount,
      filled,
      timeMs: times.length === 0 ? NaN : Math.max(...times),
    };
  });

/** Whether an end was asked for stands nowhere: IOC and FOK orders can hardly be cancelled by hand, a resting one ends in no other way. */
function spotStateOf(state: string, type: string): Pick<OrderState, 'side' | 'status' | 'reason'> {
  const side = type.startsWith('buy') ? 'buy' : 'sell';
  const endsItself = /-(ioc|market|limit-fok|stop-limit-fok)$/.test(type);
  switch (state) {
    case 'filled':
      return { side, status: 'filled' };
    case 'canceled':
    case 'partial-canceled':
      return { side, status: endsItself ? 'expired' : 'canceled' };
    case 'rejected':
      return type.endsWith('-limit-maker')
        ? { side, status: 'expired', reason: 'would-take' }
        : { side, status: 'rejected' };
    case 'created':
    case 'submitted':
    case 'pre-submitted':
    case 'partial-filled':
    case 'canceling':
      return { side, status: 'open' };
    default:
      throw new BadInput(`htx: unknown order state ${state.slice(0, 40)}`);
  }
}

const orderAnswer = (reply: Reply): Answer<OrderState> => spotAnswer(reply, spotBody(spotOrder), ({ data }) => data);

/** A client id finds an ended order for two hours only; the list of the last 48 hours has them all but the cancelled ones. */
function querySpot(order: OrderRef, context: AccountContext): Call<OrderState> {
  const { venueOrderId, clientOrderId } = order;
  const weight = { read: 1 };
  if (venueOrderId !== undefined) {
    const path = `/v1/order/orders/${venueOrderId}`;
    return signedCall({ host: SPOT_HOST, path, weight, read: queried }, context);
  }
  const path = '/v1/order/orders/getClientOrder';
  const read = (reply: Reply): Answer<OrderState> => {
    const answer = queried(reply);
    return answer.kind === 'refused' && answer.meaning === 'not-found'
      ? { ...answer, elsewhere: (later) => historyCall(order, later) }
      : answer;
  };
  return signedCall({ host: SPOT_HOST, path, query: { clientOrderId }, weight, read }, context);
}

/** Asked for an order it does not have, the venue calls the record invalid. */
function queried(reply: Reply): Answer<OrderState> {
  const answer = orderAnswer(reply);
  return answer.kind === 'refused' && answer.code === 'base-record-invalid'
    ? { ...answer, meaning: 'not-found' }
    : answer;
}

function historyCall({ instrument, clientOrderId, sentMs }: OrderRef, context: AccountContext): Call<OrderState> {
  const startMs = Math.max(sentMs - SENT_SLACK_MS, context.nowMs - PAGE_MS_MAX);
  const query = { symbol: instrument.venueSymbol, 'start-time': String(Math.floor(startMs)), size: '1000' };
  const read = (reply: Reply): Answer<OrderState> => {
    const answer = spotAnswer(reply, spotBody(z.array(spotOrder)), ({ data }) => data);
    return andThen(answer, (orders) => {
      const found = orders.find((each) => each.clientOrderId === clientOrderId);
      return found === undefined ? refused('not-found', 'absent', 'not in the list of the last two days') : ok(found);
    });
  };
  return signedCall({ host: SPOT_HOST, path: '/v1/order/history', query, weight: { read: 1 }, read }, context);
}

const OPEN_PAGE = 500;

function openSpot(
  instrument: Instrument,
  from: string | undefined,
  context: AccountContext,
): Call<readonly OrderState[]> {
  const query = {
    'account-id': context.facts['accountId'],
    symbol: instrument.venueSymbol,
    size: String(OPEN_PAGE),
    ...(from === undefined ? {} : { from, direct: 'next' }),
  };
  const read = (reply: Reply): Answer<readonly OrderState[]> => {
    const answer = spotAnswer(reply, spotBody(z.array(spotOrder)), ({ data }) => data);
    return paged(answer, OPEN_PAGE, ({ venueOrderId }, later) => openSpot(instrument, venueOrderId, later));
  };
  return signedCall({ host: SPOT_HOST, path: '/v1/order/openOrders', query, weight: { read: 1 }, read }, context);
}

/** A page that is full has another behind its last entry. */
const paged = <T>(
  answer: Answer<readonly T[]>,
  size: number,
  next: (last: T, context: AccountContext) => Call<readonly T[]>,
): Answer<readonly T[]> =>
  andThen(answer, (list) => {
    const last = list.length >= size ? list.at(-1) : undefined;
    return last === undefined ? ok(list) : okWith(list, (later) => next(last, later));
  });

const okWith = <T>(value: T, more: (context: AccountContext) => Call<T>): Answer<T> => ({ kind: 'ok', value, more });

const spotFill = z.object({
  /** Of the entry, by which pages are asked for. */
  id: z.string(),
  symbol: z.string(),
  'order-id': z.string(),
  'trade-id': z.string(),
  type: z.string().regex(/^(buy|sell)-/),
  price: decimalText,
  'filled-amount': decimalText,
  'filled-fees': decimalOrZero,
  'filled-points': decimalOrZero,
  'fee-currency': z.string().nullish(),
  'fee-deduct-currency': z.string().nullish(),
  role: z.enum(['maker', 'taker']),
  'created-at': timeText,
});
type SpotFill = z.infer<typeof spotFill>;

/** A fee paid in points or in the venue's coin stands apart. */
const spotFillFrom = (fill: SpotFill): VenueFill => ({
  venueSymbol: fill.symbol,
  clientOrderId: '',
  venueOrderId: fill['order-id'],
  tradeId: fill['trade-id'],
  side: fill.type.startsWith('buy') ? 'buy' : 'sell',
  price: fill.price,
  qty: fill['filled-amount'],
  ...feeOf([fill['filled-fees'], fill['fee-currency']], [fill['filled-points'], fill['fee-deduct-currency']]),
  liquidity: fill.role,
  timeMs: fill['created-at'],
});

type FeePart = readonly [fee: Decimal, asset: string | null | undefined];
const feeOf = ([fee, currency]: FeePart, [deducted, coin]: FeePart): Pick<VenueFill, 'fee' | 'feeAsset'> =>
  fee.isZero() && !deducted.isZero()
    ? { fee: deducted, feeAsset: (coin ?? '').toUpperCase() }
    : { fee, feeAsset: (currency ?? '').toUpperCase() };

const FILL_PAGE = 500;

/** 48 hours at most in a request; older ones are asked for in further windows. */
function spotFills(
  instrument: Instrument,
  window: { readonly sinceMs: number; readonly from: string | undefined },
  context: AccountContext,
): Call<readonly VenueFill[]> {
  const { from } = window;
  const sinceMs = Math.floor(window.sinceMs);
  const nowMs = Math.ceil(context.nowMs);
  const endMs = Math.min(nowMs, sinceMs + PAGE_MS_MAX);
  const query = {
    symbol: instrument.venueSymbol,
    'start-time': String(sinceMs),
    'end-time': String(endMs),
    size: String(FILL_PAGE),
    ...(from === undefined ? {} : { from, direct: 'next' }),
  };
  const read = (reply: Reply): Answer<readonly VenueFill[]> => {
    const answer = spotAnswer(reply, spotBody(z.array(spotFill)), ({ data }) => data);
    return andThen(answer, (list) => {
      const fills = list.map(spotFillFrom);
      const last = list.length >= FILL_PAGE ? list.at(-1) : undefined;
      if (last !== undefined) return okWith(fills, (later) => spotFills(instrument, { sinceMs, from: last.id }, later));
      if (endMs >= nowMs) return ok(fills);
      return okWith(fills, (later) => spotFills(instrument, { sinceMs: endMs, from: undefined }, later));
    });
  };
  return signedCall({ host: SPOT_HOST, path: '/v1/order/matchresults', query, weight: { read: 1 }, read }, context);
}

/** Fills name the order's number alone: while that is unknown, all of the symbol since the order was sent. */
function spotFillsOf(order: OrderRef, context: AccountContext): Call<readonly VenueFill[]> {
  const { instrument, venueOrderId, sentMs } = order;
  if (venueOrderId === undefined)
    return spotFills(instrument, { sinceMs: sentMs - SENT_SLACK_MS, from: undefined }, context);
  const path = `/v1/order/orders/${venueOrderId}/matchresults`;
  const read = (reply: Reply): Answer<readonly VenueFill[]> =>
    spotAnswer(reply, spotBody(z.array(spotFill)), ({ data }) => data.map(spotFillFrom));
  return signedCall({ host: SPOT_HOST, path, weight: { read: 1 }, read }, context);
}

const accounts = spotBody(z.array(z.object({ id: z.string(), type: z.string(), state: z.string() })));

function accountIdCall(context: AccountContext): Call<Readonly<Record<string, string>>> {
  const read = (reply: Reply): Answer<Readonly<Record<string, string>>> =>
    spotAnswer(reply, accounts, ({ data }) => {
      const account = data.find(({ type, state }) => type === 'spot' && state === 'working');
      if (account === undefined) throw new BadInput('htx: the key has no working spot account');
      return { accountId: account.id };
    });
  return signedCall({ host: SPOT_HOST, path: '/v1/account/accounts', weight: { read: 1 }, read }, context);
}

const spotBalanceList = spotBody(
  z.object({ list: z.array(z.object({ currency: z.string(), type: z.string(), balance: decimalText })) }),
);

/** An asset has an entry for each of its parts: `trade` is available, all others are held. */
function spotBalances(context: AccountContext): Call<readonly BalanceState[]> {
  const path = `/v1/account/accounts/${context.facts['accountId'] ?? ''}/balance`;
  const read = (reply: Reply): Answer<readonly BalanceState[]> =>
    spotAnswer(reply, spotBalanceList, ({ data }) => {
      const assets = new Map<string, BalanceState>();
      for (const { currency, type, balance } of data.list) {
        const name = currency.toUpperCase();
        const { total, available } = assets.get(name) ?? { total: amountOf(0), available: amountOf(0) };
        const free = type === 'trade' ? available.plus(balance) : available;
        assets.set(name, { asset: name, total: total.plus(balance), available: free });
      }
      return [...assets.values()];
    });
  return signedCall({ host: SPOT_HOST, path, weight: { read: 1 }, read }, context);
}

const spotFeeList = z.object({
  code: z.literal('200'),
  data: z.array(z.object({ symbol: z.string(), actualMakerRate: decimalText, actualTakerRate: decimalText })),
});

function spotFees(instruments: readonly Instrument[], context: AccountContext): Call<readonly FeeState[]> {
  const query = { symbols: instruments.map(({ venueSymbol }) => venueSymbol).join(',') };
  const read = (reply: Reply): Answer<readonly FeeState[]> =>
    spotAnswer(reply, spotFeeList, ({ data }) =>
      data.map(({ symbol, actualMakerRate, actualTakerRate }) => ({
        venueSymbol: symbol,
        market: 'spot',
        maker: actualMakerRate,
        taker: actualTakerRate,
      })),
    );
  const path = '/v2/reference/transact-fee-rate';
  return signedCall({ host: SPOT_HOST, path, query, weight: { read: 1 }, read }, context);
}

function armSpot(timeoutMs: number, context: AccountContext): Call<unknown> {
  const read = (reply: Reply): Answer<unknown> =>
    spotAnswer(reply, z.object({ code: z.literal('200') }), ({ code }) => code);
  return signedCall(
    {
      host: SPOT_HOST,
      path: '/v2/algo-orders/cancel-all-after',
      body: { timeout: Math.ceil(timeoutMs / 1_000) },
      weight: { cancel: 1 },
      read,
    },
    context,
  );
}

const oldTrouble = z.object({
  status: z.literal('error'),
  'err-code': z.string(),
  'err-msg': z.string().nullish(),
});
const newTrouble = z.object({ code: z.string(), message: z.string().nullish() });

/** V1 answers `{"status":"error","err-code","err-msg"}`, V2 `{"code","message"}`; both with HTTP 200. */
function spotRefusal(body: unknown): Refusal | undefined {
  const old = oldTrouble.safeParse(body);
  if (old.success) return spotTrouble(old.data['err-code'], old.data['err-msg'] ?? '');
  const recent = newTrouble.safeParse(body);
  if (!recent.success || recent.data.code === '200') return undefined;
  return spotTrouble(recent.data.code, recent.data.message ?? '');
}

/** One code stands for whatever the gateway does not like; a burst is told by its words. */
const spotTrouble = (code: string, text: string): Refusal =>
  refused(
    code === 'invalid-parameter' && text === 'request limit' ? 'rate-limited' : meaningOf(SPOT_CODES, code),
    code,
    text,
  );

const spotAnswer = <T, V>(reply: Reply, schema: z.ZodType<T>, valueOf: (body: T) => V): Answer<V> =>
  answerFrom(reply, schema, { refusalOf: spotRefusal, valueOf });

/** @see https://huobiapi.github.io/docs/spot/v1/en/#error-code-3 */
const SPOT_CODES = codesOf({
  'insufficient-funds': 'account-frozen-balance-insufficient-error order-accountbalance-error',
  'below-minimum': 'order-limitorder-amount-min-error order-marketorder-amount-min-error order-value-min-error',
  'invalid-order':
    'order-limitorder-amount-max-error order-marketorder-amount-buy-max-error ' +
    'order-marketorder-amount-sell-max-error order-amount-over-limit order-orderprice-precision-error ' +
    'order-orderamount-precision-error order-type-invalid order-source-invalid invalid-amount ' +
    'invalid-parameter bad-request base-symbol-error base-argument-unsupported validation-format-error ' +
    'validation-constraints-error validation-constraints-required parameter-required require-symbol 2002',
  'price-out-of-band':
    'order-invalid-price order-limitorder-price-min-error order-limitorder-price-max-error ' +
    'order-limitorder-price-buy-min-error order-limitorder-price-buy-max-error ' +
    'order-limitorder-price-sell-min-error order-limitorder-price-sell-max-error ' +
    'order-price-greater-than-limit order-price-less-than-limit order-etp-nav-price-min-error ' +
    'order-etp-nav-price-max-error price-exceeds-the-protective-price-during-limit-price-trading',
  'duplicate-id': 'invalid-client-order-id',
  'not-allowed':
    'order-holding-limit-failed order-disabled cancel-disabled base-symbol-trade-disabled ' +
    'base-operation-forbidden symbol-not-support forbidden-trade-for-open-protect ' +
    'market-orders-not-support-during-limit-price-trading account-account-id-inexistent ' +
    'account-get-accounts-inexistent-error operation-forbidden-for-lock-account-state ' +
    'operation-forbidden-for-fl-account-state account-state-invalid',
  'not-open': 'order-user-cancel-forbidden order-orderstate-error',
  'not-found': 'order-queryorder-invalid not-found base-not-found',
  'rate-limited': 'rate-too-many-requests base-request-exceed-frequency-limit 510 1006',
  unauthorised:
    'api-signature-not-valid api-signature-check-failed login-required sub-user-auth-required 1002 1003 ' + '2000 3011',
  'clock-skew': 'invalid-timestamp',
  'venue-down': 'system-maintenance',
  // The venue's own trouble: something may have been done.
  'in-doubt': 'timeout gateway-internal-error base-system-error base-record-invalid order-update-error 500',
});

/** Some sockets pack their frames and some do not: gzip begins with these two bytes, text never. */
const unpackGzip = unpackerOf('gzip');
const textOfFrame = (frame: Uint8Array): string =>
  frameText(frame[0] === 0x1f && frame[1] === 0x8b && unpackGzip !== undefined ? unpackGzip(frame) : frame);

/** @throws BadInput on what is no JSON object */
function messageOf(frame: Uint8Array): Readonly<Record<string, unknown>> {
  const message = jsonOf(textOfFrame(frame));
  if (typeof message === 'object' && message !== null && !Array.isArray(message))
    return message as Record<string, unknown>;
  throw new BadInput(`htx: a private frame that is no object: ${textOfFrame(frame).slice(0, 120)}`);
}

const wordOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** The login of `/ws/v2` and `/ws/trade`. */
function spotLogin(path: string, { credentials, nowMs }: AccountContext): readonly string[] {
  const fields = {
    accessKey: credentials.apiKey,
    signatureMethod: 'HmacSHA256',
    signatureVersion: '2.1',
    timestamp: timestampOf(nowMs),
  };
  const query = sortedQueryOf(fields);
  const signature = signatureOf(credentials.secret, { method: 'GET', host: SPOT_HOST, path, query });
  return [JSON.stringify({ action: 'req', ch: 'auth', params: { authType: 'api', ...fields, signature } })];
}

/** What both spot sockets say beside their own business; undefined for anything else. */
function spotControl(message: Readonly<Record<string, unknown>>): readonly AccountEvent[] | undefined {
  const { action, ch, code, data, ping } = message;
  if (action === 'ping') {
    const ts = Number((data as { readonly ts?: unknown } | undefined)?.ts);
    return [{ kind: 'ping', reply: JSON.stringify({ action: 'pong', data: { ts } }) }];
  }
  if (typeof ping === 'string') return [{ kind: 'ping', reply: `{"pong":${Number(ping)}}` }];
  if (action === 'req' && ch === 'auth') {
    if (code === '200') return [{ kind: 'ready' }];
    // 2002 is a wrong parameter elsewhere; 429 and 4000 are too many sockets or requests.
    const meaning = code === '429' || code === '4000' ? 'rate-limited' : 'unauthorised';
    return [{ kind: 'error', refusal: refused(meaning, wordOf(code), wordOf(message['message'])) }];
  }
  if (action === 'sub' || action === 'unsub')
    return code === '200' ? [] : [{ kind: 'error', refusal: spotTrouble(wordOf(code), wordOf(message['message'])) }];
  return undefined;
}

/** @see https://www.htx.com/en-us/opend/newApiPages/?id=8cb89359-77b5-11ed-9966-1928f079ab6 */
function spotOrderSocket(): AccountSocket {
  return {
    id: 'orders',
    carries: ['orders'],
    wsUrl: `wss://${SPOT_HOST}/ws/trade`,
    login: (context) => spotLogin('/ws/trade', context),
    subscribe: () => [],
    orders: {
      // Shared with REST.
      weight: { place: 1 },
      place: (order, context, request) =>
        JSON.stringify({
          cid: request,
          ch: 'create-order',
          params: { ...spotOrderOf(order, context), source: 'spot-api' },
        }),
      cancel: ({ venueOrderId, clientOrderId }, _context, request) =>
        JSON.stringify({
          cid: request,
          ch: 'cancel',
          params:
            venueOrderId === undefined ? { 'client-order-ids': [clientOrderId] } : { 'order-ids': [venueOrderId] },
        }),
    },
    heartbeat: { kind: 'none' },
    idleMs: 60_000,
    decode: (frame) => {
      const message = messageOf(frame);
      return spotControl(message) ?? orderAnswers(message);
    },
  };
}

const cancelledSome = z.object({
  success: z.array(z.string()).nullish(),
  failed: z
    .array(
      z.object({
        'err-code': z.string().nullish(),
        'err-msg': z.string().nullish(),
        'order-state': z.string().nullish(),
      }),
    )
    .nullish(),
});

/** A number answers an order, lists of cancelled and failed ones a cancel. */
function orderAnswers(message: Readonly<Record<string, unknown>>): readonly AccountEvent[] {
  const { cid, data } = message;
  if (typeof cid !== 'string') return [];
  const refusal = spotRefusal(message);
  if (refusal !== undefined) return [{ kind: 'answer', request: cid, to: 'unsaid', answer: refusal }];
  if (typeof data === 'string') return [{ kind: 'answer', request: cid, to: 'place', answer: ok(placedSpot(data)) }];
  const { success, failed } = checked(cancelledSome, data, 'htx cancel');
  const [first] = failed ?? [];
  const answer: Answer<Placed> =
    first === undefined
      ? ok(placedSpot(success?.[0] ?? ''))
      : spotTrouble(first['err-code'] ?? first['order-state'] ?? '', first['err-msg'] ?? '');
  return [{ kind: 'answer', request: cid, to: 'cancel', answer }];
}

/**
 * Orders of every symbol, fills with their fees (mode 0: trades alone), balances with total and available part (mode 2).
 * @see https://huobiapi.github.io/docs/spot/v1/en/#subscribe-order-updates
 */
function spotEventSocket(): AccountSocket {
  return {
    id: 'events',
    carries: ['events'],
    wsUrl: `wss://${SPOT_HOST}/ws/v2`,
    login: (context) => spotLogin('/ws/v2', context),
    subscribe: () =>
      ['orders#*', 'trade.clearing#*#0', 'accounts.update#2'].map((ch) => JSON.stringify({ action: 'sub', ch })),
    heartbeat: { kind: 'none' },
    idleMs: 60_000,
    decode: (frame) => {
      const message = messageOf(frame);
      const control = spotControl(message);
      if (control !== undefined) return control;
      const { ch, data } = message;
      if (typeof ch !== 'string') return [];
      if (ch.startsWith('orders#')) return [{ kind: 'order', order: checked(spotOrderEvent, data, 'htx order') }];
      if (ch.startsWith('trade.clearing#')) return spotFillEvents(data);
      if (ch.startsWith('accounts.update#')) return spotBalanceEvents(data);
      return [];
    },
  };
}

const spotOrderEvent = z
  .object({
    symbol: z.string(),
    orderId: z.string(),
    clientOrderId: z.string().nullish(),
    type: z.string().regex(/^(buy|sell)-/),
    orderStatus: z.string(),
    orderPrice: z.string().nullish(),
    orderSize: z.string().nullish(),
    /** A market buy has a worth instead of a size. */
    orderValue: z.string().nullish(),
    execAmt: z.string().nullish(),
    remainAmt: z.string().nullish(),
    orderCreateTime: timeText,
    tradeTime: timeText,
    lastActTime: timeText,
  })
  .transform((order): OrderState => {
    const qty = decimalOrZeroOf(order.orderSize ?? order.orderValue);
    const filled =
      order.execAmt !== undefined && order.execAmt !== null
        ? decimalOrZeroOf(order.execAmt)
        : order.remainAmt === undefined || order.remainAmt === null
          ? amountOf(0)
          : qty.minus(decimalOrZeroOf(order.remainAmt));
    const times = [order.lastActTime, order.tradeTime, order.orderCreateTime].filter((time) => time > 0);
    return {
      venueSymbol: order.symbol,
      clientOrderId: order.clientOrderId ?? '',
      venueOrderId: order.orderId,
      ...spotStateOf(order.orderStatus, order.type),
      ...(order.type.endsWith('-market') ? {} : { price: decimalOrZeroOf(order.orderPrice) }),
      qty,
      filled,
      timeMs: times[0] ?? NaN,
    };
  });

const spotClearing = z.object({
  eventType: z.string(),
  symbol: z.string(),
  orderId: z.string(),
  clientOrderId: z.string().nullish(),
  tradeId: z.string(),
  orderSide: z.enum(['buy', 'sell']),
  tradePrice: decimalText,
  tradeVolume: decimalText,
  transactFee: decimalOrZero,
  feeCurrency: z.string().nullish(),
  feeDeduct: decimalOrZero,
  feeDeductType: z.string().nullish(),
  aggressor: z.boolean(),
  tradeTime: timeText,
});

function spotFillEvents(data: unknown): readonly AccountEvent[] {
  // Mode 1 sends cancellations over the same channel.
  if ((data as { readonly eventType?: unknown } | null)?.eventType === 'cancellation') return [];
  const fill = checked(spotClearing, data, 'htx trade.clearing');
  return [
    {
      kind: 'fill',
      fill: {
        venueSymbol: fill.symbol,
        clientOrderId: fill.clientOrderId ?? '',
        venueOrderId: fill.orderId,
        tradeId: fill.tradeId,
        side: fill.orderSide,
        price: fill.tradePrice,
        qty: fill.tradeVolume,
        ...feeOf([fill.transactFee, fill.feeCurrency], [fill.feeDeduct, fill.feeDeductType]),
        liquidity: fill.aggressor ? 'taker' : 'maker',
        timeMs: fill.tradeTime,
      },
    },
  ];
}

const spotBalanceEvent = z.object({
  currency: z.string().nullish(),
  balance: z.string().nullish(),
  available: z.string().nullish(),
});

/** Modes 0 and 1 send one part without the other, which says nothing of the total. */
function spotBalanceEvents(data: unknown): readonly AccountEvent[] {
  const { currency, balance, available } = checked(spotBalanceEvent, data, 'htx accounts.update');
  if (typeof currency !== 'string' || typeof balance !== 'string' || typeof available !== 'string') return [];
  const state = {
    asset: currency.toUpperCase(),
    total: decimalOrZeroOf(balance),
    available: decimalOrZeroOf(available),
  };
  return [{ kind: 'balance', balance: state }];
}

/** The number in our id's 12 digits of base 36, from 1: below 36^12 it fits the venue's 63 bits, and no two ids share one. */
export function swapClientOrderId(id: ClientOrderId): string {
  let value = 0n;
  for (const digit of id.slice(1)) {
    const part = parseInt(digit, 36);
    assert(!Number.isNaN(part), 'a client order id has digits of base 36');
    value = value * 36n + BigInt(part);
  }
  return String(value + 1n);
}

function swapGet<T>(path: string, query: Fields, context: AccountContext, read: (reply: Reply) => Answer<T>): Call<T> {
  return signedCall({ host: SWAP_HOST, path, query, weight: { read: 1 }, read }, context);
}

function swapPost<T>(path: string, body: object, context: AccountContext, read: (reply: Reply) => Answer<T>): Call<T> {
  return signedCall({ host: SWAP_HOST, path, body, weight: { trade: 1 }, read }, context);
}

type OrderIds = Pick<OrderRef, 'venueOrderId' | 'clientOrderId'>;
const swapIdOf = ({ venueOrderId, clientOrderId }: OrderIds): Fields =>
  venueOrderId === undefined ? { client_order_id: swapClientOrderId(clientOrderId) } : { order_id: venueOrderId };

const orderNumber = z.object({ order_id: z.string() });

/** Leverage is a setting of the contract here, not of an order. @see https://www.htx.com/en-us/opend/newApiPages/?id=8cb89359-77b5-11ed-9966-19588768fe7 */
function placeSwap(order: OrderTicket, context: AccountContext): Call<Placed> {
  const isMarket = order.type === 'market';
  const body = {
    contract_code: order.instrument.venueSymbol,
    margin_mode: context.marginMode,
    side: order.side,
    type: isMarket ? 'market' : order.postOnly ? 'post_only' : 'limit',
    ...(isMarket ? {} : { time_in_force: order.timeInForce.toLowerCase(), price: order.price }),
    volume: order.qty,
    client_order_id: swapClientOrderId(order.clientOrderId),
    ...(order.reduceOnly ? { reduce_only: 1 } : {}),
  };
  return swapPost('/v5/trade/order', body, context, (reply) =>
    swapAnswer(reply, orderNumber, ({ order_id }) => ({ venueOrderId: order_id })),
  );
}

function cancelSwap(order: OrderRef, context: AccountContext): Call<unknown> {
  const body = { contract_code: order.instrument.venueSymbol, ...swapIdOf(order) };
  return swapPost('/v5/trade/cancel_order', body, context, (reply) => swapAnswer(reply, orderNumber, (data) => data));
}

const NOTHING_TO_CANCEL = '1051';

function cancelAllSwap({ venueSymbol }: Instrument, context: AccountContext): Call<unknown> {
  return swapPost('/v5/trade/cancel_all_orders', { contract_code: venueSymbol }, context, (reply) => {
    const answer = swapAnswer(reply, z.array(orderNumber).nullish(), (list): unknown => list ?? []);
    return answer.kind === 'refused' && answer.code === NOTHING_TO_CANCEL ? ok([]) : answer;
  });
}

const swapOrder = z
  .object({
    contract_code: z.string(),
    order_id: z.string(),
    client_order_id: z.string().nullish(),
    side: z.enum(['buy', 'sell']),
    type: z.string(),
    time_in_force: z.string().nullish(),
    state: z.string(),
    price: decimalOrZero,
    volume: decimalText,
    trade_volume: decimalOrZero,
    cancel_reason: z.string().nullish(),
    created_time: timeText,
    updated_time: timeText,
  })
  .transform((order): OrderState => ({
    venueSymbol: order.contract_code,
    clientOrderId: order.client_order_id ?? '',
    venueOrderId: order.order_id,
    side: order.side,
    ...swapStateOf(order),
    ...(order.type === 'market' ? {} : { price: order.price }),
    qty: order.volume,
    filled: order.trade_volume,
    timeMs: Number.isNaN(order.updated_time) ? order.created_time : order.updated_time,
  }));

type SwapOrder = {
  readonly state: string;
  readonly type: string;
  readonly time_in_force?: string | null | undefined;
  readonly cancel_reason?: string | null | undefined;
  readonly volume: Decimal;
  readonly trade_volume: Decimal;
};

/** An order that trades with several at once is called filled from the first of them on: it is when the volume says so. */
function swapStateOf(order: SwapOrder): Pick<OrderState, 'status' | 'reason'> {
  switch (order.state) {
    case 'new':
    case 'partially_filled':
      return { status: 'open' };
    case 'filled':
      return { status: order.trade_volume.gte(order.volume) ? 'filled' : 'open' };
    case 'canceled':
    case 'partially_canceled':
      return swapEndOf(order);
    case 'rejected':
      return { status: 'rejected' };
    default:
      throw new BadInput(`htx: unknown order state ${order.state.slice(0, 40)}`);
  }
}

/** A post-only order that would take is cancelled by the system. */
function swapEndOf({ type, time_in_force, cancel_reason }: SwapOrder): Pick<OrderState, 'status' | 'reason'> {
  if (type === 'market' || /^(ioc|fok)$/i.test(time_in_force ?? '')) return { status: 'expired' };
  if (type === 'post_only' && /by system|limit-maker/i.test(cancel_reason ?? ''))
    return { status: 'expired', reason: 'would-take' };
  return { status: 'canceled' };
}

function querySwap(order: OrderRef, context: AccountContext): Call<OrderState> {
  const query = {
    contract_code: order.instrument.venueSymbol,
    margin_mode: context.marginMode,
    ...swapIdOf(order),
  };
  return swapGet('/v5/trade/order', query, context, (reply) => {
    const answer = swapAnswer(reply, swapOrder.nullable(), (data) => data);
    return andThen(answer, (found) => (found === null ? refused('not-found', '200', 'no order') : ok(found)));
  });
}

const SWAP_PAGE = 100;

function openSwap(
  instrument: Instrument,
  from: string | undefined,
  context: AccountContext,
): Call<readonly OrderState[]> {
  const query = {
    contract_code: instrument.venueSymbol,
    limit: String(SWAP_PAGE),
    ...(from === undefined ? {} : { from, direct: 'next' }),
  };
  const entry = z.object({ id: z.string() });
  return swapGet('/v5/trade/order/opens', query, context, (reply) =>
    swapAnswerPage(reply, {
      item: swapOrder,
      idOf: (raw) => checked(entry, raw, 'htx order').id,
      next: (last, later) => openSwap(instrument, last, later),
    }),
  );
}

/** A list in pages of a hundred, continued behind the `id` of its last entry. */
function swapAnswerPage<T>(
  reply: Reply,
  rules: {
    readonly item: z.ZodType<T>;
    readonly idOf: (raw: unknown) => string;
    readonly next: (last: string, context: AccountContext) => Call<readonly T[]>;
  },
): Answer<readonly T[]> {
  const answer = swapAnswer(reply, z.array(z.unknown()).nullable(), (list) => {
    const raws = list ?? [];
    return {
      values: raws.map((raw) => checked(rules.item, raw, 'htx list')),
      last: raws.length < SWAP_PAGE ? undefined : rules.idOf(raws.at(-1)),
    };
  });
  return andThen(answer, ({ values, last }) =>
    last === undefined ? ok(values) : okWith(values, (later) => rules.next(last, later)),
  );
}

const swapFill = z
  .object({
    id: z.string(),
    contract_code: z.string(),
    order_id: z.string(),
    client_order_id: z.string().nullish(),
    trade_id: z.string(),
    side: z.enum(['buy', 'sell']).optional(),
    /** Its name on the socket. */
    direction: z.enum(['buy', 'sell']).optional(),
    role: z.string(),
    trade_price: decimalText,
    trade_volume: decimalText,
    trade_fee: decimalOrZero,
    fee_currency: z.string().nullish(),
    created_time: timeText,
    /** `risk` and `ADL` are the venue's own. */
    order_source: z.string().nullish(),
    /** 0: none. */
    liquidation_type: z.string().nullish(),
  })
  .transform((fill, context): VenueFill => {
    const side = fill.side ?? fill.direction;
    if (side === undefined) {
      context.addIssue({ code: 'custom', message: 'a fill of no side' });
      return z.NEVER;
    }
    return {
      venueSymbol: fill.contract_code,
      clientOrderId: fill.client_order_id ?? '',
      venueOrderId: fill.order_id,
      tradeId: fill.trade_id,
      side,
      price: fill.trade_price,
      qty: fill.trade_volume,
      // Positive is paid here, other than in the endpoints before V5. Several currencies cannot be told apart: then the rule holds.
      fee: fill.trade_fee,
      feeAsset: /^\w+$/.test(fill.fee_currency ?? '') ? fill.fee_currency!.toUpperCase() : '',
      liquidity: /^maker$/i.test(fill.role) ? 'maker' : 'taker',
      timeMs: fill.created_time,
      ...forcedBy(fill.order_source ?? '', fill.liquidation_type ?? '0'),
    };
  });

function forcedBy(source: string, liquidation: string): Pick<VenueFill, 'forced'> {
  if (source === 'ADL') return { forced: 'adl' };
  return source === 'risk' || !['', '0'].includes(liquidation) ? { forced: 'liquidation' } : {};
}

/** Of the last three days. */
function swapFills(fields: Fields, from: string | undefined, context: AccountContext): Call<readonly VenueFill[]> {
  const query = { ...fields, limit: String(SWAP_PAGE), ...(from === undefined ? {} : { from, direct: 'next' }) };
  const entry = z.object({ id: z.string() });
  return swapGet('/v5/trade/order/details', query, context, (reply) =>
    swapAnswerPage(reply, {
      item: swapFill,
      idOf: (raw) => checked(entry, raw, 'htx fill').id,
      next: (last, later) => swapFills(fields, last, later),
    }),
  );
}

const swapBalances = z.object({
  details: z.array(
    z.object({ currency: z.string(), equity: decimalOrZero, available: decimalOrZero, profit_unreal: decimalOrZero }),
  ),
});

/** Equity contains what open positions would bring; the total does not. */
const swapBalancesFrom = ({ details }: z.infer<typeof swapBalances>): readonly BalanceState[] =>
  details.map(({ currency, equity, available, profit_unreal }) => ({
    asset: currency.toUpperCase(),
    total: equity.minus(profit_unreal),
    available,
  }));

const swapPosition = z.object({
  contract_code: z.string(),
  direction: z.enum(['buy', 'sell']),
  volume: decimalText,
  open_avg_price: decimalOrZero,
  mark_price: decimalOrZero,
  liquidation_price: decimalOrZero,
  lever_rate: decimalOrZero,
  /** 1 to 5. */
  adl_risk_percent: decimalOrZero,
});

/** A cross position far from its end has a liquidation price below zero: none. */
const positionFrom = (position: z.infer<typeof swapPosition>): PositionState => ({
  venueSymbol: position.contract_code,
  qty: position.direction === 'buy' ? position.volume : position.volume.negated(),
  entryPrice: position.open_avg_price,
  ...(position.mark_price.gt(0) ? { markPrice: position.mark_price } : {}),
  ...(position.liquidation_price.gt(0) ? { liquidationPrice: position.liquidation_price } : {}),
  ...(position.lever_rate.gt(0) ? { leverage: position.lever_rate } : {}),
  ...(position.adl_risk_percent.gt(0) ? { adlRank: position.adl_risk_percent.toNumber() / 5 } : {}),
});

const swapFeeList = z.object({
  status: z.literal('ok'),
  data: z.array(z.object({ contract_code: z.string(), open_maker_fee: decimalText, open_taker_fee: decimalText })),
});

/** V5 has no endpoint for it. Opening and closing cost the same. */
function swapFees(instruments: readonly Instrument[], context: AccountContext): Call<readonly FeeState[]> {
  const wanted = new Set(instruments.map(({ venueSymbol }) => venueSymbol));
  return signedCall(
    {
      host: SWAP_HOST,
      path: '/linear-swap-api/v1/swap_fee',
      body: { business_type: 'swap' },
      weight: { read: 1 },
      read: (reply) =>
        legacyAnswer(reply, swapFeeList, ({ data }) =>
          data
            .filter(({ contract_code }) => wanted.has(contract_code))
            .map(({ contract_code, open_maker_fee, open_taker_fee }) => ({
              venueSymbol: contract_code,
              market: 'swap',
              maker: open_maker_fee,
              taker: open_taker_fee,
            })),
        ),
    },
    context,
  );
}

/** @see https://www.htx.com/en-us/opend/newApiPages/?id=8cb89359-77b5-11ed-9966-19b72307cbb */
function armSwap(timeoutMs: number, context: AccountContext): Call<unknown> {
  const body = timeoutMs === 0 ? { on_off: '0' } : { on_off: '1', time_out: String(timeoutMs) };
  return swapPost('/v5/trade/cancel-after', body, context, (reply) =>
    swapAnswer(reply, z.object({ current_time: z.string() }), (data) => data),
  );
}

const legacyTrouble = z.object({ status: z.literal('error'), err_code: z.string(), err_msg: z.string().nullish() });

/** V5 answers `{"code":200,"message","data"}`; its gateway still answers `{"status":"error","err_code","err_msg"}`. */
function swapRefusal(body: unknown): Refusal | undefined {
  const legacy = legacyTrouble.safeParse(body);
  if (legacy.success)
    return refused(meaningOf(SWAP_CODES, legacy.data.err_code), legacy.data.err_code, legacy.data.err_msg ?? '');
  const recent = newTrouble.safeParse(body);
  if (!recent.success || recent.data.code === '200') return undefined;
  return refused(meaningOf(SWAP_CODES, recent.data.code), recent.data.code, recent.data.message ?? '');
}

const legacyAnswer = <T, V>(reply: Reply, schema: z.ZodType<T>, valueOf: (body: T) => V): Answer<V> =>
  answerFrom(reply, schema, { refusalOf: swapRefusal, valueOf });

const swapAnswer = <T, V>(reply: Reply, data: z.ZodType<T>, valueOf: (data: T) => V): Answer<V> =>
  legacyAnswer(reply, z.object({ code: z.literal('200'), data }), ({ data: value }) => valueOf(value));

/** @see https://huobiapi.github.io/docs/usdt_swap/v1/en/#error-code */
const SWAP_CODES = codesOf({
  unauthorised: '403 1003 1084 1253 12004 12005 12007 12008',
  'rate-limited': '510 1006 1032',
  'invalid-order':
    '1013 1014 1030 1033 1034 1035 1036 1037 1038 1040 1041 1055 1066 1067 1094 1322 1332 1347 1412 1491',
  'price-out-of-band': '1039 1069 1072 1075',
  'duplicate-id': '1065',
  'insufficient-funds': '1047 1301',
  'reduce-only': '1048 1492',
  'not-allowed': '1010 1056 1057 1058 1059 1083 1220 1221 1222 1223 1224 1231 1461 4007',
  'not-found': '1017 1061',
  'not-open': '1051 1063 1071',
  // The venue's own trouble: something may have been done.
  'in-doubt': '1000 1001 1004 1046 1108',
});

/** @see https://www.htx.com/en-us/opend/newApiPages/?id=8cb89359-77b5-11ed-9966-195a208afe7 */
function swapEventSocket(): AccountSocket {
  return {
    id: 'events',
    carries: ['events'],
    wsUrl: `wss://${SWAP_HOST}/ws/v5/notification`,
    login: ({ credentials, nowMs }) => {
      const fields = {
        AccessKeyId: credentials.apiKey,
        SignatureMethod: 'HmacSHA256',
        SignatureVersion: '2',
        Timestamp: timestampOf(nowMs),
      };
      const query = sortedQueryOf(fields);
      const path = '/ws/v5/notification';
      const signature = signatureOf(credentials.secret, { method: 'GET', host: SWAP_HOST, path, query });
      return [JSON.stringify({ op: 'auth', type: 'api', ...fields, Signature: signature })];
    },
    subscribe: () =>
      ['orders', 'trade', 'positions', 'account'].map((topic, at) =>
        JSON.stringify({ op: 'sub', cid: String(at), topic, ...(topic === 'account' ? {} : { contract_code: '*' }) }),
      ),
    heartbeat: { kind: 'none' },
    idleMs: 60_000,
    decode: (frame) => swapEvents(messageOf(frame)),
  };
}

function swapEvents(message: Readonly<Record<string, unknown>>): readonly AccountEvent[] {
  const { op, ts } = message;
  const code = message['err-code'];
  switch (op) {
    case 'ping':
      return [{ kind: 'ping', reply: JSON.stringify({ op: 'pong', ts }) }];
    case 'auth':
      if (code === '0') return [{ kind: 'ready' }];
      return [{ kind: 'error', refusal: opRefusal(message) }];
    case 'sub':
    case 'unsub':
    case 'error':
      return code === '0' ? [] : [{ kind: 'error', refusal: opRefusal(message) }];
    case 'close':
      return [{ kind: 'over', text: JSON.stringify(message).slice(0, 200) }];
    case 'notify':
      return swapNotice(message);
    default:
      return [];
  }
}

/** A login that is refused says so in numbers of the gateway. */
function opRefusal(message: Readonly<Record<string, unknown>>): Refusal {
  const code = wordOf(message['err-code']);
  return refused(LOGIN_CODES[code] ?? meaningOf(SWAP_CODES, code), code, wordOf(message['err-msg']));
}

/** @see https://huobiapi.github.io/docs/usdt_swap/v1/en/#error-code (of the notification socket) */
const LOGIN_CODES = codesOf({
  unauthorised: '2001 2002 2003 2005 2013',
  'rate-limited': '2004 2030',
  'invalid-order': '2010 2011 2012 2014 2040',
});

function swapNotice({ topic, data }: Readonly<Record<string, unknown>>): readonly AccountEvent[] {
  const list = (Array.isArray(data) ? data : [data]) as readonly unknown[];
  switch (topic) {
    case 'orders':
      return list.map((each) => ({ kind: 'order', order: checked(swapOrder, each, 'htx orders') }));
    case 'trade':
      return list.map((each) => ({ kind: 'fill', fill: checked(swapFill, each, 'htx trade') }));
    case 'positions':
      return list.map((each) => ({
        kind: 'position',
        position: positionFrom(checked(swapPosition, each, 'htx positions')),
      }));
    case 'account':
      return list
        .flatMap((each) => swapBalancesFrom(checked(swapBalances, each, 'htx account')))
        .map((balance) => ({ kind: 'balance', balance }));
    default:
      return [];
  }
}
