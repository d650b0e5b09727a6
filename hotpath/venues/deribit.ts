import { Decimal } from 'decimal.js';
import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Fees, Funding, Instrument, InstrumentKind } from '#shared/domain/instrument.ts';
import type { LevelBuffer, MarketUpdate } from '#shared/domain/market-event.ts';
import { DELTA, SNAPSHOT } from '#shared/domain/market-event.ts';
import { amountOf, tickAt } from '#shared/money/grid.ts';
import type {
  Account,
  AccountContext,
  AccountEvent,
  AccountSocket,
  Amendment,
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
import type { BookRules, Continuity, Frame, Market, MarketSink, Venue } from './venue.ts';
import {
  andThen,
  answerFrom,
  checked,
  codesOf,
  decimalOrZero,
  decimalText,
  frameText,
  hmac,
  jsonOf,
  meaningOf,
  ok,
  queryOf,
  refused,
  signedNumber,
  timeText,
} from './venue-tools.ts';
import {
  asset,
  batchesOf,
  bodyFrom,
  bytesOf,
  END,
  expiryOf,
  FOUND_NUMBERS,
  idOf,
  keyCode,
  roomFor,
  shapeOf,
  venueId,
} from './venue.ts';

const DERIBIT = venueId('deribit');
const WS_URL = 'wss://www.deribit.com/ws/api/v2';
const REST_URL = 'https://www.deribit.com';
const HEARTBEAT_SECONDS = 10;
const CHANNELS_A_CALL = 500;

const rpc = (id: number, method: string, params: object): string =>
  JSON.stringify({ jsonrpc: '2.0', id, method, params });

const subscription = (channels: readonly string[], request: number): readonly string[] =>
  batchesOf(channels, CHANNELS_A_CALL).map((batch, at) =>
    rpc(request * 100 + at, 'public/subscribe', { channels: batch }),
  );

/** What Deribit calls the kinds of a market's instruments. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  swap: ['future'],
  futures: ['future'],
  options: ['option'],
  combos: ['future_combo', 'option_combo'],
};

/** @see https://support.deribit.com/hc/en-us/articles/25944746248989-Fees */
const SETTLEMENT_FEES: Readonly<Record<string, Partial<Fees>>> = {
  futures: { delivery: amountOf('0.00025') },
  options: { premiumShareMax: amountOf('0.125'), delivery: amountOf('0.00015') },
};

/** One protocol and one address for every market; they differ in their instruments. */
const market = (id: string, [maker, taker]: readonly [string, string]): Market => ({
  id,
  wsUrl: WS_URL,
  restUrl: REST_URL,
  hosts: ['test.deribit.com'],
  defaultFees: { maker: amountOf(maker), taker: amountOf(taker), currency: 'settle', ...SETTLEMENT_FEES[id] },
  instruments: {
    paths: KINDS[id]!.map((kind) => `/api/v2/public/get_instruments?currency=any&kind=${kind}&expired=false`),
    parse: (bodies, fees) => parseInstruments(id, bodies, fees),
  },
  greeting: [rpc(0, 'public/set_heartbeat', { interval: HEARTBEAT_SECONDS })],
  // The raw books need a login; these are theirs, joined every 100 ms. No unsubscribing: a book subscribed again on the same socket brought no
  // new snapshot.
  subscribe: (symbols, request) =>
    subscription(
      symbols.map((symbol) => `book.${symbol}.100ms`),
      request,
    ),
  limits: { symbolsPerSocket: 100, messagesPerSecond: 3 },
  heartbeat: { kind: 'server-text', reply: () => rpc(0, 'public/test', {}) },
  idleMs: 3_000 * HEARTBEAT_SECONDS,
  firstBookWithinMs: 5_000,
  book: { snapshot: { from: 'push' }, follows, depth: Infinity },
  streams: {
    kinds: ['trades', 'reference'],
    symbolsPerSocket: 200,
    subscribe: (kinds, symbols, request) =>
      subscription(
        kinds.flatMap((kind) => symbols.map((symbol) => `${kind === 'trades' ? 'trades' : 'ticker'}.${symbol}.100ms`)),
        request,
      ),
  },
  // A combo's price is the difference of its legs', below zero as often as above: the scanner of plain books does not read it.
  ...(id === 'combos' ? {} : { poll: { path: pollPath, decode: decodePoll } }),
  decode: id === 'combos' ? (frame, sink) => decodeAny(frame, sink, true) : decode,
});

/**
 * An option's fee is a fraction of the underlying, at most an eighth of the premium.
 * @see https://docs.deribit.com/#book-instrument_name-interval
 * @see https://docs.deribit.com/#ticker-instrument_name-interval
 */
export const deribit: Venue = {
  id: DERIBIT,
  markets: [
    market('swap', ['0.00015', '0.00035']),
    market('futures', ['0.00015', '0.00035']),
    market('options', ['0.0003', '0.0003']),
    market('combos', ['0.0003', '0.0003']),
  ],
  accounts: [account()],
};

/**
 * 1. The first notification is a snapshot with a change_id. 2. Each change's prev_change_id equals the change_id before; ids are shared by all
 * instruments of a currency and jump.
 */
function follows({ lastSequence }: Parameters<BookRules['follows']>[0], update: MarketUpdate): Continuity {
  return update.previousSequence === lastSequence ? 'apply' : 'gap';
}

const KEY = {
  method: keyCode('method'),
  params: keyCode('params'),
  channel: keyCode('channel'),
  data: keyCode('data'),
  type: keyCode('type'),
  time: keyCode('timestamp'),
  sequence: keyCode('change_id'),
  previous: keyCode('prev_change_id'),
  bids: keyCode('bids'),
  asks: keyCode('asks'),
  result: keyCode('result'),
  error: keyCode('error'),
  price: keyCode('price'),
  amount: keyCode('amount'),
  direction: keyCode('direction'),
  greeks: keyCode('greeks'),
  blockTrade: keyCode('block_trade_id'),
} as const;
const SUBSCRIPTION = bytesOf('subscription');
const HEARTBEAT = bytesOf('heartbeat');
const TEST_REQUEST = bytesOf('test_request');
const BOOK_CHANNEL = bytesOf('book.');
const TRADES_CHANNEL = bytesOf('trades.');
const TICKER_CHANNEL = bytesOf('ticker.');
/** Endings of the channels that we read; `raw` stands in recordings and needs a login. */
const INTERVALS = [bytesOf('.100ms'), bytesOf('.raw')] as const;
const TYPE_SNAPSHOT = bytesOf('snapshot');
const TYPE_CHANGE = bytesOf('change');
const NEW = bytesOf('new');
const CHANGE = bytesOf('change');
const DELETE = bytesOf('delete');
const BUY = bytesOf('buy');
const SELL = bytesOf('sell');

const TYPE = 1;
const SEQUENCE = 2;
const PREVIOUS = 4;
const BIDS = 8;
const ASKS = 16;
const WHOLE = TYPE | SEQUENCE | BIDS | ASKS;

const NOTHING = 0;
const BOOK = 1;
const TRADES = 2;
const TICKER = 3;
type Said = typeof NOTHING | typeof BOOK | typeof TRADES | typeof TICKER;

/** A change as it usually comes, the sequence before it in one of two places. */
const CHANGE_SHAPE = shapeOf(
  '{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.<text>","data":{"type":"change","timestamp":<integer>' +
    '(,"prev_change_id":<integer>),"instrument_name":"<text>","change_id":<integer>(,"prev_change_id":<integer>),' +
    '"bids":<actions>,"asks":<actions>}}}',
);

function decode(frame: Frame, sink: MarketSink): void {
  if (!frame.has(CHANGE_SHAPE)) decodeAny(frame, sink, false);
  else if (!Number.isNaN(FOUND_NUMBERS[3])) takeChange(frame, sink, 3);
  else if (!Number.isNaN(FOUND_NUMBERS[1])) takeChange(frame, sink, 1);
  else decodeAny(frame, sink, false);
}

/** `previousAt`: which of the shape's numbers is the previous sequence. */
function takeChange(frame: Frame, sink: MarketSink, previousAt: 1 | 3): void {
  const { update } = sink;
  frame.shapedText(0);
  if (!findInstrument(frame, sink, 0)) return;
  update.kind = DELTA;
  update.firstSequence = NaN;
  update.previousSequence = FOUND_NUMBERS[previousAt]!;
  update.lastSequence = FOUND_NUMBERS[2]!;
  update.checksum = NaN;
  update.venueTimeMs = FOUND_NUMBERS[0]!;
  frame.shapedLevels(0, update.bids);
  frame.shapedLevels(1, update.asks);
  sink.publish();
}

/** `signed`: prices may be zero and below. */
function decodeAny(frame: Frame, sink: MarketSink, signed: boolean): void {
  let isSubscription = false;
  let said: Said = NOTHING;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.method) {
      frame.string();
      isSubscription = frame.textIs(SUBSCRIPTION);
      if (isSubscription) continue;
      if (frame.textIs(HEARTBEAT)) heartbeat(frame, sink);
      return;
    }
    if (key === KEY.params && isSubscription) {
      said = readParams(frame, sink, signed);
      if (said === NOTHING) return;
    } else if (key === KEY.result || key === KEY.error) {
      sink.control(key === KEY.error ? 'error' : 'ack', frame.text());
      return;
    } else frame.skip();
  }
  if (said === NOTHING) return;
  frame.finish();
  if (said === BOOK) sink.publish();
  else if (said === TICKER) sink.publishReference();
}

/** `{"channel":…,"data":{…}}`; nothing, at once, for another channel or an instrument that we do not follow. */
function readParams(frame: Frame, sink: MarketSink, signed: boolean): Said {
  let said: Said = NOTHING;
  let isRead = false;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.channel) {
      said = readChannel(frame, sink);
      if (said === NOTHING) return NOTHING;
    } else if (key === KEY.data && said !== NOTHING) {
      readData(frame, sink, said, signed);
      isRead = true;
    } else frame.skip();
  }
  if (said !== NOTHING && !isRead) throw new BadInput(`deribit: a frame without data: ${frame.text().slice(0, 120)}`);
  return said;
}

function readData(frame: Frame, sink: MarketSink, said: Said, signed: boolean): void {
  if (said === BOOK) readBook(frame, sink.update, signed);
  else if (said === TRADES) readTrades(frame, sink);
  else readTicker(frame, sink);
}

/** `book.INSTRUMENT.INTERVAL`, `trades.…`, `ticker.…`; the instrument is then `update.instrument`. */
function readChannel(frame: Frame, sink: MarketSink): Said {
  frame.string();
  if (isAt(frame, frame.textStart, BOOK_CHANNEL))
    return findInstrument(frame, sink, BOOK_CHANNEL.length) ? BOOK : NOTHING;
  if (isAt(frame, frame.textStart, TRADES_CHANNEL))
    return findInstrument(frame, sink, TRADES_CHANNEL.length) ? TRADES : NOTHING;
  if (isAt(frame, frame.textStart, TICKER_CHANNEL))
    return findInstrument(frame, sink, TICKER_CHANNEL.length) ? TICKER : NOTHING;
  return NOTHING;
}

function findInstrument(frame: Frame, sink: MarketSink, prefix: number): boolean {
  const from = frame.textStart + prefix;
  for (const interval of INTERVALS) {
    const end = frame.textEnd - interval.length;
    if (end <= from || !isAt(frame, end, interval)) continue;
    const instrument = sink.find(frame, from, end);
    if (instrument === -1) return false;
    sink.update.instrument = instrument;
    return true;
  }
  return false;
}

function isAt({ bytes }: Frame, from: number, text: Uint8Array): boolean {
  for (let at = 0; at < text.length; at += 1) if (bytes[from + at] !== text[at]) return false;
  return true;
}

function readBook(frame: Frame, update: MarketUpdate, signed: boolean): void {
  let seen = 0;
  update.firstSequence = NaN;
  update.previousSequence = NaN;
  update.checksum = NaN;
  update.venueTimeMs = NaN;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.type) {
      update.kind = readType(frame);
      seen |= TYPE;
    } else if (key === KEY.time) {
      frame.integer();
      update.venueTimeMs = frame.value;
    } else if (key === KEY.sequence) {
      frame.integer();
      update.lastSequence = frame.value;
      seen |= SEQUENCE;
    } else if (key === KEY.previous) {
      frame.integer();
      update.previousSequence = frame.value;
      seen |= PREVIOUS;
    } else if (key === KEY.bids) {
      readSide(frame, update.bids, signed);
      seen |= BIDS;
    } else if (key === KEY.asks) {
      readSide(frame, update.asks, signed);
      seen |= ASKS;
    } else frame.skip();
  }
  const wanted = update.kind === DELTA ? WHOLE | PREVIOUS : WHOLE;
  if ((seen & wanted) !== wanted) throw new BadInput(`deribit: fields are missing: ${frame.text().slice(0, 120)}`);
}

function readType(frame: Frame): MarketUpdate['kind'] {
  frame.string();
  if (frame.textIs(TYPE_SNAPSHOT)) return SNAPSHOT;
  if (frame.textIs(TYPE_CHANGE)) return DELTA;
  throw new BadInput(`deribit: unknown type: ${frame.text().slice(0, 120)}`);
}

/** `[["new"|"change"|"delete",price,amount],…]`. */
function readSide(frame: Frame, into: LevelBuffer, signed: boolean): void {
  into.count = 0;
  into.priceDecimals = 0;
  into.qtyDecimals = 0;
  if (!frame.firstElement()) return;
  do {
    const index = roomFor(into);
    if (!frame.firstElement()) throw new BadInput('deribit: an empty level');
    frame.string();
    const isDelete = frame.textIs(DELETE);
    if (!isDelete && !frame.textIs(NEW) && !frame.textIs(CHANGE)) {
      throw new BadInput(`deribit: unknown action: ${frame.text().slice(0, 120)}`);
    }
    requireNext(frame);
    if (signed) signedNumber(frame, into.prices, index);
    else frame.number(into.prices, index);
    requireNext(frame);
    frame.number(into.qtys, index);
    if (frame.nextElement()) throw new BadInput('deribit: a level of four');
    if (isDelete) into.qtys[index] = 0;
    if (signed) takeSigned(into, index);
    else frame.takeLevel(into, index);
  } while (frame.nextElement());
}

function takeSigned(into: LevelBuffer, index: number): void {
  if (Number.isNaN(into.prices[index]) || !(into.qtys[index]! >= 0)) throw new BadInput('deribit: not a level');
  into.count = index + 1;
}

function requireNext(frame: Frame): void {
  if (!frame.nextElement()) throw new BadInput('deribit: a level is too short');
}

/**
 * `[{"timestamp":…,"price":…,"amount":…,"direction":"buy"|"sell",…},…]`: each trade is published as it is read. Block trades, which alone have a
 * `block_trade_id`, are made beside the book: no prints.
 */
function readTrades(frame: Frame, sink: MarketSink): void {
  if (!frame.firstElement()) return;
  do {
    if (readTrade(frame, sink)) sink.publishPrint();
  } while (frame.nextElement());
}

const NUMBER = new Float64Array(1);
const TRADE_TIME = 1;
const TRADE_PRICE = 2;
const TRADE_AMOUNT = 4;
const TRADE_DIRECTION = 8;
const WHOLE_TRADE = TRADE_TIME | TRADE_PRICE | TRADE_AMOUNT | TRADE_DIRECTION;

/** Whether it is to be published. */
function readTrade(frame: Frame, sink: MarketSink): boolean {
  const { print, update } = sink;
  let seen = 0;
  let isBlock = false;
  print.instrument = update.instrument;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.time) {
      frame.integer();
      print.venueTimeMs = frame.value;
      seen |= TRADE_TIME;
    } else if (key === KEY.price) {
      signedNumber(frame, NUMBER, 0);
      print.price = NUMBER[0]!;
      seen |= TRADE_PRICE;
    } else if (key === KEY.amount) {
      frame.number(NUMBER, 0);
      print.qty = NUMBER[0]!;
      seen |= TRADE_AMOUNT;
    } else if (key === KEY.direction) {
      print.taker = readDirection(frame);
      seen |= TRADE_DIRECTION;
    } else {
      if (key === KEY.blockTrade) isBlock = true;
      frame.skip();
    }
  }
  if (seen !== WHOLE_TRADE || Number.isNaN(print.price))
    throw new BadInput(`deribit: not a trade: ${frame.text().slice(0, 120)}`);
  return !isBlock;
}

function readDirection(frame: Frame): 1 | -1 {
  frame.string();
  if (frame.textIs(BUY)) return 1;
  if (frame.textIs(SELL)) return -1;
  throw new BadInput(`deribit: unknown direction: ${frame.text().slice(0, 120)}`);
}

/** What a ticker says that we take, Greeks included; position is the place in SAID. */
const TICKER_KEYS: readonly number[] = [
  'mark_price',
  'index_price',
  'current_funding',
  'bid_iv',
  'ask_iv',
  'mark_iv',
  'underlying_price',
  'interest_rate',
  'delta',
  'gamma',
  'vega',
  'theta',
  'rho',
].map(keyCode);
const SAID = new Float64Array(TICKER_KEYS.length);
const PERCENT = 100;

/** Volatilities come in percent, 0 where there is no such quote. */
function readTicker(frame: Frame, sink: MarketSink): void {
  const { reference } = sink;
  sink.clearReference();
  reference.instrument = sink.update.instrument;
  SAID.fill(NaN);
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.greeks) {
      for (let greek = frame.firstKey(); greek !== END; greek = frame.nextKey()) readSaid(frame, greek);
    } else if (key === KEY.time) {
      frame.integer();
      reference.venueTimeMs = frame.value;
    } else readSaid(frame, key);
  }
  reference.markPrice = SAID[0]!;
  reference.indexPrice = SAID[1]!;
  reference.fundingRate = SAID[2]!;
  reference.bidVolatility = SAID[3]! === 0 ? NaN : SAID[3]! / PERCENT;
  reference.askVolatility = SAID[4]! === 0 ? NaN : SAID[4]! / PERCENT;
  reference.markVolatility = SAID[5]! / PERCENT;
  reference.underlyingPrice = SAID[6]!;
  reference.interestRate = SAID[7]!;
  reference.delta = SAID[8]!;
  reference.gamma = SAID[9]!;
  reference.vega = SAID[10]!;
  reference.theta = SAID[11]!;
  reference.rho = SAID[12]!;
}

function readSaid(frame: Frame, key: number): void {
  const at = TICKER_KEYS.indexOf(key);
  if (at === -1) frame.skip();
  else signedNumber(frame, SAID, at);
}

const POLL_DEPTH = 100;

function pollPath(symbol: string): string {
  return `/api/v2/public/get_order_book?${queryOf({ instrument_name: symbol, depth: POLL_DEPTH })}`;
}

/** `{"result":{"timestamp":…,"change_id":…,"bids":[[price,amount],…],"asks":…}}`. @see https://docs.deribit.com/#public-get_order_book */
function decodePoll(frame: Frame, sink: MarketSink, instrument: InstrumentIndex): void {
  const { update } = sink;
  let seen = 0;
  update.kind = SNAPSHOT;
  update.instrument = instrument;
  update.firstSequence = NaN;
  update.previousSequence = NaN;
  update.checksum = NaN;
  update.venueTimeMs = NaN;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.result) seen = readPolled(frame, update);
    else frame.skip();
  }
  if (seen !== (SEQUENCE | BIDS | ASKS)) throw new BadInput(`deribit: no book: ${frame.text().slice(0, 120)}`);
  frame.finish();
  sink.publish();
}

function readPolled(frame: Frame, update: MarketUpdate): number {
  let seen = 0;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.time) {
      frame.integer();
      update.venueTimeMs = frame.value;
    } else if (key === KEY.sequence) {
      frame.integer();
      update.lastSequence = frame.value;
      seen |= SEQUENCE;
    } else if (key === KEY.bids) {
      frame.levels(update.bids);
      seen |= BIDS;
    } else if (key === KEY.asks) {
      frame.levels(update.asks);
      seen |= ASKS;
    } else frame.skip();
  }
  return seen;
}

const LETTER_T = 0x74;

/** `"params":{"type":"heartbeat"|"test_request"}`; only the second wants an answer. */
function heartbeat(frame: Frame, sink: MarketSink): void {
  let isTest = false;
  for (let key = frame.nextKey(); key !== END; key = frame.nextKey()) {
    if (key !== KEY.params) {
      frame.skip();
      continue;
    }
    for (let inner = frame.firstKey(); inner !== END; inner = frame.nextKey()) {
      if (inner !== KEY.type) {
        frame.skip();
        continue;
      }
      frame.string();
      isTest = frame.bytes[frame.textStart] === LETTER_T && frame.textIs(TEST_REQUEST);
    }
  }
  sink.control(isTest ? 'ping' : 'pong', frame.text());
}

const listing = z.object({
  instrument_name: z.string().min(1),
  kind: z.string(),
  base_currency: z.string().min(1),
  quote_currency: z.string().min(1),
  /** Absent in lists of 2021, when everything settled in its base. */
  settlement_currency: z.string().optional(),
  counter_currency: z.string().optional(),
  settlement_period: z.string().optional(),
  tick_size: z.number().positive(),
  tick_size_steps: z.array(z.object({ above_price: z.number(), tick_size: z.number().positive() })).default([]),
  min_trade_amount: z.number().positive(),
  expiration_timestamp: z.number().optional(),
  strike: z.number().optional(),
  option_type: z.enum(['call', 'put']).optional(),
  is_active: z.boolean().default(true),
  state: z.string().default('open'),
});
type Listing = z.infer<typeof listing>;
const instrumentsBody = z.object({ result: z.array(listing) });

/** Weekly futures and daily options are delivered free of charge. */
function feesOf({ kind, settlement_period: period }: Listing, fees: Fees): Fees {
  const isFree = (kind === 'future' && period === 'week') || (kind === 'option' && period === 'day');
  return isFree ? { ...fees, delivery: amountOf(0) } : fees;
}

function parseInstruments(id: string, bodies: readonly string[], fees: Fees): readonly Instrument[] {
  return bodies.flatMap((body) =>
    bodyFrom(instrumentsBody, body, 'deribit get_instruments').result.flatMap((entry) =>
      instrumentFrom(id, entry, fees),
    ),
  );
}

const KIND_OF: Readonly<Record<string, InstrumentKind>> = {
  swap: 'perpetual',
  futures: 'future',
  options: 'option',
  combos: 'combo',
};

const marketOf = ({ kind, settlement_period }: Listing): string | undefined => {
  if (kind === 'option') return 'options';
  if (kind.endsWith('_combo')) return 'combos';
  if (kind !== 'future') return undefined;
  return settlement_period === 'perpetual' ? 'swap' : 'futures';
};

/**
 * Funding flows all the time; `current_funding` is what is paid over eight hours.
 * @see https://www.deribit.com/kb/deribit-linear-perpetual
 */
const FUNDING: Funding = { intervalMs: 28_800_000, flows: true };

type Strike = { readonly strike: Decimal; readonly right: 'call' | 'put' };

function strikeOf({ kind, strike, option_type }: Listing): Strike | undefined {
  if (kind !== 'option' || strike === undefined || option_type === undefined) return undefined;
  return { strike: amountOf(strike), right: option_type };
}

/**
 * Amounts are in USD where a future settles in its base, in the base everywhere else, so a contract is one unit. An option that settles in its
 * base is priced in it: `quote` says what its price is in, the symbol what its strike is in. A combo has no unified symbol but its own name.
 */
function instrumentFrom(id: string, entry: Listing, fees: Fees): readonly Instrument[] {
  if (marketOf(entry) !== id) return [];
  const { base_currency: base, quote_currency: quote } = entry;
  const settle = entry.settlement_currency ?? base;
  const counter = entry.counter_currency ?? (quote === base ? 'USD' : quote);
  const expiry = id === 'swap' ? undefined : expiryOf(entry.expiration_timestamp);
  const strike = strikeOf(entry);
  if ((id === 'futures' || id === 'options') && expiry === undefined) return [];
  if (id === 'options' && strike === undefined) return [];
  const option = strike === undefined ? '' : `-${strike.strike.toFixed()}-${strike.right === 'call' ? 'C' : 'P'}`;
  const unified = `${base}/${counter}:${settle}${expiry === undefined ? '' : `-${expiry.day}`}${option}`;
  const symbol = id === 'combos' ? entry.instrument_name : unified;
  const tickSteps = entry.tick_size_steps.map(({ above_price, tick_size }) => ({
    above: amountOf(above_price),
    tick: amountOf(tick_size),
  }));
  return [
    {
      id: idOf(DERIBIT, symbol),
      venue: DERIBIT,
      market: id,
      symbol,
      venueSymbol: entry.instrument_name,
      kind: KIND_OF[id]!,
      base: asset(base),
      quote: asset(quote),
      settle: asset(settle),
      contractSize: amountOf(1),
      inverse: !entry.kind.startsWith('option') && settle === base,
      tick: amountOf(entry.tick_size),
      ...(tickSteps.length === 0 ? {} : { tickSteps: tickSteps.sort((a, b) => a.above.cmp(b.above)) }),
      lot: amountOf(entry.min_trade_amount),
      minQty: amountOf(entry.min_trade_amount),
      minNotional: amountOf(0),
      fees: feesOf(entry, fees),
      ...(id === 'swap' ? { funding: FUNDING } : {}),
      ...(expiry === undefined ? {} : { expiryMs: expiry.ms }),
      ...strike,
      status: entry.is_active && entry.state === 'open' ? 'trading' : 'halted',
    },
  ];
}

/**
 * One key trades everything; orders, answers and events share one socket. Our id goes as `label`, which Deribit neither checks nor keeps unique.
 * @see https://docs.deribit.com/#private-buy
 */
function account(): Account {
  return {
    id: 'main',
    markets: Object.keys(KINDS),
    restUrl: REST_URL,
    clientOrderId: (id) => id,
    refuses,
    limits: {
      // Credits of the lowest tier: 20 requests a second in the long run; orders and cancels 5 a second.
      buckets: { requests: { units: 20, windowMs: 1_000 }, orders: { units: 5, windowMs: 1_000 } },
    },
    rest: {
      place: (order, context) => call(placeMethod(order), orderOf(order), context, { weight: ORDER, read: readPlaced }),
      cancel: (order, context) => call(...cancelOf(order), context, { weight: ORDER, read: readCanceled }),
      amend: (order, to, context) =>
        call(...editOf(order, to), context, {
          weight: ORDER,
          read: (reply) => read(reply, placedResult, ({ order: entry }) => stateOf(entry), CANCEL_CODES),
        }),
      cancelAll: (instruments, context) =>
        instruments.map(({ venueSymbol }) =>
          call('private/cancel_all_by_instrument', { instrument_name: venueSymbol }, context, {
            weight: ORDER,
            read: (reply) => read(reply, z.string(), () => undefined),
          }),
        ),
      query: queryCall,
      openOrders,
      fillsSince: (instruments, sinceMs, context) =>
        [...Map.groupBy(instruments, ({ settle }) => settle)].flatMap(([currency, inside]) => {
          const symbols = new Set(inside.map(({ venueSymbol }) => venueSymbol));
          return recordsSince(sinceMs, context).map((historical) =>
            tradePages({ currency, symbols, sinceMs: Math.floor(sinceMs), historical }, context),
          );
        }),
      fillsOf,
      balances: (context) =>
        call('private/get_account_summaries', {}, context, {
          weight: REQUEST,
          read: (reply) => read(reply, summaries, (result) => result.summaries.map(balanceOf)),
        }),
      positions: (context) =>
        call('private/get_positions', {}, context, {
          weight: REQUEST,
          read: (reply) => read(reply, z.array(positionEntry), (list) => list.map(positionOf)),
        }),
      fees: feeCalls,
      permissions,
      time: {
        method: 'GET',
        path: '/api/v2/public/get_time',
        headers: {},
        weight: { requests: 1 },
        read: (reply) => read(reply, z.string().regex(/^\d{13}$/), Number),
      },
    },
    sockets: [socket()],
    /** Switched on for each socket once it is logged in. */
    deadMan: { kind: 'disconnect' },
  };
}

const REQUEST: Weight = { requests: 1 };
const ORDER: Weight = { orders: 1 };
/** Clocks differ: fills of an order are asked for from a little before it was sent. */
const SENT_SLACK_MS = 60_000;

/** Text, a truth value, a list of texts, or a number as its decimal text: no order passes through a double. */
type Param = string | boolean | readonly string[] | { readonly number: string };
type Params = Readonly<Record<string, Param>>;
type Reader<T> = (reply: Reply) => Answer<T>;

const numeral = (text: string | number): Param => ({ number: String(text) });
const isNumeral = (param: Param): param is { readonly number: string } =>
  typeof param === 'object' && 'number' in param;

/** A frame of JSON-RPC, numbers as they were given. */
const rpcFrame = (id: string, method: string, params: Params): string => {
  const fields = Object.entries(params).map(
    ([name, param]) => `"${name}":${isNumeral(param) ? param.number : JSON.stringify(param)}`,
  );
  return `{"jsonrpc":"2.0","id":${id},"method":"${method}","params":{${fields.join(',')}}}`;
};

const pathOf = (method: string, params: Params): string => {
  const query = queryOf(
    Object.fromEntries(
      Object.entries(params).map(([name, param]) => [name, isNumeral(param) ? param.number : String(param)]),
    ),
  );
  return `/api/v2/${method}${query === '' ? '' : `?${query}`}`;
};

/** Signed: time, nonce, then method, path with query and body, a line each. @see https://docs.deribit.com/#authentication */
function call<T>(
  method: string,
  params: Params,
  { credentials, nowMs, nonce }: AccountContext,
  { weight, read: reader }: { readonly weight: Weight; readonly read: Reader<T> },
): Call<T> {
  const path = pathOf(method, params);
  const time = String(Math.floor(nowMs));
  const signature = hmac('sha256', credentials.secret, `${time}\n${nonce}\nGET\n${path}\n\n`, 'hex');
  return {
    method: 'GET',
    path,
    headers: { Authorization: `deri-hmac-sha256 id=${credentials.apiKey},ts=${time},sig=${signature},nonce=${nonce}` },
    weight,
    read: reader,
  };
}

const rpcError = z.object({
  code: z.string(),
  message: z.string().default(''),
  data: z.object({ reason: z.string().optional(), param: z.string().optional() }).optional().catch(undefined),
});
const errorBody = z.object({ error: rpcError });

/** What is rare shares one code, `other_reject`, and says in its message what it is. */
const refusalOf = ({ code, message, data }: z.infer<typeof rpcError>, codes = CODES): Refusal =>
  refused(
    message.includes('reduce_only') ? 'reduce-only' : meaningOf(codes, code),
    code,
    [message, data?.param, data?.reason].filter(Boolean).join(' '),
  );

/** Reads `result`, or the refusal in `error`, which comes with status 400. */
function read<R, V>(reply: Reply, result: z.ZodType<R>, valueOf: (result: R) => V, codes = CODES): Answer<V> {
  return answerFrom(reply, z.object({ result }), {
    refusalOf: (body) => {
      const parsed = errorBody.safeParse(body);
      return parsed.success ? refusalOf(parsed.data.error, codes) : undefined;
    },
    valueOf: (body) => valueOf(body.result),
  });
}

const TIMES_IN_FORCE = {
  GTC: 'good_til_cancelled',
  IOC: 'immediate_or_cancel',
  FOK: 'fill_or_kill',
} as const;

function refuses({ instrument, type, timeInForce, postOnly, price }: OrderTicket): string | undefined {
  if (postOnly && type === 'market') return 'a market order cannot be post-only';
  if (postOnly && timeInForce !== 'GTC') return `a post-only order cannot be ${timeInForce}`;
  if (type === 'market' && timeInForce === 'FOK') return 'a market order fills what it can: FOK needs a limit';
  if (type === 'market') return undefined;
  const tick = tickAt(instrument, price);
  return new Decimal(price).mod(tick).isZero() ? undefined : `above its first step the tick is ${tick.toFixed()}`;
}

/** Options are quoted on a coarser grid where they are dear. */

const placeMethod = ({ side }: OrderTicket): string => `private/${side}`;

/** A market order is sent to end at once, so that its rest never stands in the book. */
function orderOf({
  clientOrderId,
  instrument,
  type,
  price,
  qty,
  timeInForce,
  postOnly,
  reduceOnly,
}: OrderTicket): Params {
  return {
    instrument_name: instrument.venueSymbol,
    amount: numeral(qty),
    type,
    ...(type === 'limit' ? { price: numeral(price) } : {}),
    time_in_force: TIMES_IN_FORCE[type === 'market' ? 'IOC' : timeInForce],
    // Without the second Deribit would move the price until it does not take.
    ...(postOnly ? { post_only: true, reject_post_only: true } : {}),
    ...(reduceOnly ? { reduce_only: true } : {}),
    label: clientOrderId,
  };
}

const cancelOf = ({ venueOrderId, clientOrderId, instrument }: OrderRef): [method: string, params: Params] =>
  venueOrderId === undefined
    ? ['private/cancel_by_label', { label: clientOrderId, currency: instrument.settle }]
    : ['private/cancel', { order_id: venueOrderId }];

/** `amount` is the whole order's, filled part included; what is post-only stays so by being said again. @see https://docs.deribit.com/#private-edit */
function editOf(
  { venueOrderId, clientOrderId, instrument }: OrderRef,
  { price, qty, postOnly }: Amendment,
): [method: string, params: Params] {
  const terms = {
    amount: numeral(qty),
    price: numeral(price),
    ...(postOnly ? { post_only: true, reject_post_only: true } : {}),
  };
  return venueOrderId === undefined
    ? ['private/edit_by_label', { label: clientOrderId, instrument_name: instrument.venueSymbol, ...terms }]
    : ['private/edit', { order_id: venueOrderId, ...terms }];
}

const direction = z.enum(['buy', 'sell']);

const orderEntry = z.object({
  order_id: z.string(),
  label: z.string().default(''),
  instrument_name: z.string(),
  direction,
  order_state: z.enum(['open', 'untriggered', 'filled', 'rejected', 'cancelled']),
  order_type: z.string().default('limit'),
  time_in_force: z.string().default(''),
  post_only: z.boolean().default(false),
  /** `market_price` for a market order. */
  price: z.string().default(''),
  amount: decimalText,
  filled_amount: decimalOrZero,
  last_update_timestamp: timeText,
});
type OrderEntry = z.infer<typeof orderEntry>;

/** Nobody can cancel what never rests: an IOC or FOK that ended was ended by its own terms. */
function statusOf({ order_state, time_in_force }: OrderEntry): OrderState['status'] {
  switch (order_state) {
    case 'open':
    case 'untriggered':
      return 'open';
    case 'cancelled':
      return time_in_force === TIMES_IN_FORCE.IOC || time_in_force === TIMES_IN_FORCE.FOK ? 'expired' : 'canceled';
    case 'filled':
    case 'rejected':
      return order_state;
  }
}

function stateOf(entry: OrderEntry): OrderState {
  const status = statusOf(entry);
  const price = decimalText.safeParse(entry.price);
  return {
    venueSymbol: entry.instrument_name,
    clientOrderId: entry.label,
    venueOrderId: entry.order_id,
    side: entry.direction,
    status,
    ...(price.success ? { price: price.data } : {}),
    qty: entry.amount,
    filled: entry.filled_amount,
    timeMs: entry.last_update_timestamp,
    ...(status === 'rejected' ? { reason: entry.post_only ? 'would-take' : 'unlisted' } : {}),
  };
}

const tradeEntry = z.object({
  trade_id: z.string(),
  order_id: z.string(),
  label: z.string().default(''),
  instrument_name: z.string(),
  direction,
  price: decimalText,
  amount: decimalText,
  fee: decimalOrZero,
  fee_currency: z.string().default(''),
  liquidity: z.string(),
  timestamp: timeText,
  /** Which sides of the trade were a liquidation: M, T or MT. */
  liquidation: z.string().nullish(),
});
type TradeEntry = z.infer<typeof tradeEntry>;

const fillOf = (entry: TradeEntry): VenueFill => ({
  venueSymbol: entry.instrument_name,
  clientOrderId: entry.label,
  venueOrderId: entry.order_id,
  tradeId: entry.trade_id,
  side: entry.direction,
  price: entry.price,
  qty: entry.amount,
  fee: entry.fee,
  feeAsset: entry.fee_currency,
  liquidity: entry.liquidity === 'M' ? 'maker' : 'taker',
  timeMs: entry.timestamp,
  ...(entry.liquidation?.includes(entry.liquidity === 'M' ? 'M' : 'T') === true ? { forced: 'liquidation' } : {}),
});

const placedResult = z.object({ order: orderEntry, trades: z.array(tradeEntry).default([]) });
const placedOf = ({ order, trades }: z.infer<typeof placedResult>): Placed => ({
  venueOrderId: order.order_id,
  order: stateOf(order),
  fills: trades.map(fillOf),
});
const readPlaced: Reader<Placed> = (reply) => read(reply, placedResult, placedOf);

/** A cancel by id answers the order, by label how many it canceled. */
const canceledResult = z.union([orderEntry, z.string().regex(/^\d+$/)]);

function canceledOf(result: z.infer<typeof canceledResult>): Answer<Placed> {
  if (typeof result !== 'string') return ok({ venueOrderId: result.order_id, order: stateOf(result) });
  return result === '0' ? refused('not-open', '0', 'no open order has this label') : ok({ venueOrderId: '' });
}

const readCanceled: Reader<Placed> = (reply) =>
  andThen(
    read(reply, canceledResult, (result) => result, CANCEL_CODES),
    canceledOf,
  );

/** By the venue's id, or by label among what is open or ended lately; after that among the history. */
function queryCall(order: OrderRef, context: AccountContext): Call<OrderState> {
  const { venueOrderId, clientOrderId, instrument } = order;
  const elsewhere = (later: AccountContext): Call<OrderState> => queryHistory(order, later);
  const reader: Reader<OrderState> = (reply) => {
    const answer = andThen(
      read(reply, z.union([orderEntry, z.array(orderEntry)]), (result) => [result].flat()),
      (list) => foundIn(list, order),
    );
    return answer.kind === 'refused' && answer.meaning === 'not-found' ? { ...answer, elsewhere } : answer;
  };
  const [method, params]: [string, Params] =
    venueOrderId === undefined
      ? ['private/get_order_state_by_label', { currency: instrument.settle, label: clientOrderId }]
      : ['private/get_order_state', { order_id: venueOrderId }];
  return call(method, params, context, { weight: REQUEST, read: reader });
}

function queryHistory(order: OrderRef, context: AccountContext): Call<OrderState> {
  const params: Params = {
    instrument_name: order.instrument.venueSymbol,
    count: numeral(PAGE),
    include_old: true,
    include_unfilled: true,
    historical: true,
  };
  return call('private/get_order_history_by_instrument', params, context, {
    weight: REQUEST,
    read: (reply) =>
      andThen(
        read(reply, z.array(orderEntry), (list) => list),
        (list) => foundIn(list, order),
      ),
  });
}

/** Labels are not unique: the instrument tells ours apart, and the latest counts. */
function foundIn(
  list: readonly OrderEntry[],
  { venueOrderId, clientOrderId, instrument }: OrderRef,
): Answer<OrderState> {
  const [found] = list
    .filter((entry) => entry.instrument_name === instrument.venueSymbol)
    .filter((entry) => (venueOrderId === undefined ? entry.label === clientOrderId : entry.order_id === venueOrderId))
    .sort((a, b) => b.last_update_timestamp - a.last_update_timestamp);
  return found === undefined ? refused('not-found', '0', 'no such order in the list') : ok(stateOf(found));
}

function openOrders(
  instruments: readonly Instrument[],
  context: AccountContext,
): readonly Call<readonly OrderState[]>[] {
  const symbols = new Set(instruments.map(({ venueSymbol }) => venueSymbol));
  const [only, ...others] = symbols;
  if (only === undefined) return [];
  const [method, params]: [string, Params] =
    others.length === 0
      ? ['private/get_open_orders_by_instrument', { instrument_name: only }]
      : ['private/get_open_orders', {}];
  const reader: Reader<readonly OrderState[]> = (reply) =>
    read(reply, z.array(orderEntry), (list) =>
      list.filter(({ instrument_name }) => symbols.has(instrument_name)).map(stateOf),
    );
  return [call(method, params, context, { weight: REQUEST, read: reader })];
}

const PAGE = 1_000;
/** Recent trades are kept apart for a day; a little less, so that none falls between. */
const RECENT_MS = 23 * 3_600_000;

/** Which records hold what is younger than `sinceMs`: `historical` or not. */
const recordsSince = (sinceMs: number, { nowMs }: AccountContext): readonly boolean[] =>
  nowMs - sinceMs > RECENT_MS ? [true, false] : [false];

type TradeScope = {
  readonly currency: string;
  readonly symbols: ReadonlySet<string>;
  readonly sinceMs: number;
  readonly historical: boolean;
};

const tradePage = z.object({ trades: z.array(tradeEntry), has_more: z.boolean() });

/** Oldest first; the next page starts at the last trade's time, and brings that trade again. */
function tradePages(scope: TradeScope, context: AccountContext): Call<readonly VenueFill[]> {
  const { currency, symbols, sinceMs, historical } = scope;
  const params: Params = {
    currency,
    start_timestamp: numeral(sinceMs),
    end_timestamp: numeral(Math.floor(context.nowMs) + SENT_SLACK_MS),
    count: numeral(PAGE),
    sorting: 'asc',
    historical,
  };
  const reader: Reader<readonly VenueFill[]> = (reply) =>
    andThen(
      read(reply, tradePage, (page) => page),
      ({ trades, has_more }): Answer<readonly VenueFill[]> => {
        const value = trades.map(fillOf).filter(({ venueSymbol }) => symbols.has(venueSymbol));
        const last = trades.at(-1)?.timestamp ?? NaN;
        if (!has_more || Number.isNaN(last)) return ok(value);
        const next = { ...scope, sinceMs: Math.max(last, sinceMs + 1) };
        return { kind: 'ok', value, more: (later) => tradePages(next, later) };
      },
    );
  return call('private/get_user_trades_by_currency_and_time', params, context, { weight: REQUEST, read: reader });
}

/** By the venue's id where we know it, else by label among the instrument's trades since it was sent. */
function fillsOf(order: OrderRef, context: AccountContext): Call<readonly VenueFill[]> {
  const { venueOrderId, clientOrderId, instrument, sentMs } = order;
  const historical = context.nowMs - sentMs > RECENT_MS;
  if (venueOrderId !== undefined)
    return call('private/get_user_trades_by_order', { order_id: venueOrderId, sorting: 'asc', historical }, context, {
      weight: REQUEST,
      read: (reply) => read(reply, z.array(tradeEntry), (list) => list.map(fillOf)),
    });
  const params: Params = {
    instrument_name: instrument.venueSymbol,
    start_timestamp: numeral(Math.floor(sentMs) - SENT_SLACK_MS),
    end_timestamp: numeral(Math.floor(context.nowMs) + SENT_SLACK_MS),
    count: numeral(PAGE),
    sorting: 'asc',
    historical,
  };
  return call('private/get_user_trades_by_instrument_and_time', params, context, {
    weight: REQUEST,
    read: (reply) =>
      read(reply, tradePage, ({ trades }) => trades.filter(({ label }) => label === clientOrderId).map(fillOf)),
  });
}

const summaryEntry = z.object({ currency: z.string(), balance: decimalText, available_funds: decimalText });
const summaries = z.object({ summaries: z.array(summaryEntry) });
const balanceOf = ({ currency, balance, available_funds }: z.infer<typeof summaryEntry>): BalanceState => ({
  asset: currency,
  total: balance,
  available: Decimal.max(0, available_funds),
});

const positionEntry = z.object({
  instrument_name: z.string(),
  direction: z.enum(['buy', 'sell', 'zero']),
  size: decimalText,
  average_price: decimalOrZero,
  mark_price: decimalOrZero,
  estimated_liquidation_price: decimalOrZero,
  leverage: decimalOrZero,
});

function positionOf(entry: z.infer<typeof positionEntry>): PositionState {
  const size = entry.size.abs();
  const { estimated_liquidation_price: liquidationPrice, mark_price: markPrice, leverage } = entry;
  return {
    venueSymbol: entry.instrument_name,
    qty: entry.direction === 'sell' ? size.negated() : size,
    entryPrice: entry.average_price,
    ...(markPrice.isZero() ? {} : { markPrice }),
    ...(liquidationPrice.isZero() ? {} : { liquidationPrice }),
    ...(leverage.isZero() ? {} : { leverage }),
  };
}

const discountEntry = z.object({
  instrument_type: z.string(),
  fee_type: z.enum(['relative', 'fixed']),
  maker_fee: decimalText,
  taker_fee: decimalText,
});
type Discount = z.infer<typeof discountEntry>;
/** Only accounts with discounts have `fees`; entries of other forms change nothing. */
const discounts = z.object({ fees: z.array(z.unknown()).default([]) });

/** First what the account pays less, then what its instruments cost: the public commissions, cut by that. */
function feeCalls(instruments: readonly Instrument[], context: AccountContext): readonly Call<readonly FeeState[]>[] {
  const groups = Map.groupBy(instruments, ({ market: id, settle }) => `${id} ${settle}`);
  return [...groups.values()].flatMap((inside) =>
    KINDS[inside[0]!.market]!.map((kind) => discountCall(kind, inside, context)),
  );
}

function discountCall(
  kind: string,
  instruments: readonly Instrument[],
  context: AccountContext,
): Call<readonly FeeState[]> {
  const currency = instruments[0]!.settle;
  return call('private/get_account_summary', { currency, extended: true }, context, {
    weight: REQUEST,
    read: (reply) =>
      andThen(
        read(reply, discounts, ({ fees }) => fees.flatMap((entry) => discountEntry.safeParse(entry).data ?? [])),
        (cuts) => ({ kind: 'ok', value: [], more: () => commissions(kind, instruments, cuts) }),
      ),
  });
}

const commissionEntry = z.object({
  instrument_name: z.string(),
  maker_commission: decimalText,
  taker_commission: decimalText,
});

function commissions(
  kind: string,
  instruments: readonly Instrument[],
  discounted: readonly Discount[],
): Call<readonly FeeState[]> {
  const { market: id, settle } = instruments[0]!;
  const symbols = new Set(instruments.map(({ venueSymbol }) => venueSymbol));
  const type = FEE_TYPES[id];
  const discount = discounted.find(({ instrument_type }) => instrument_type === type);
  return {
    method: 'GET',
    path: pathOf('public/get_instruments', { currency: settle, kind, expired: false }),
    headers: {},
    weight: REQUEST,
    read: (reply) =>
      read(reply, z.array(commissionEntry), (list) =>
        list
          .filter(({ instrument_name }) => symbols.has(instrument_name))
          .map(({ instrument_name, maker_commission, taker_commission }) => ({
            venueSymbol: instrument_name,
            market: id,
            maker: discountedFee(maker_commission, discount?.maker_fee, discount),
            taker: discountedFee(taker_commission, discount?.taker_fee, discount),
          })),
      ),
  };
}

const FEE_TYPES: Readonly<Record<string, string>> = { swap: 'perpetual', futures: 'future', options: 'option' };

/** `relative`: a fraction of the instrument's own fee; `fixed`: instead of it. */
const discountedFee = (commission: Decimal, fee: Decimal | undefined, discount: Discount | undefined): Decimal => {
  if (fee === undefined || discount === undefined) return commission;
  return discount.fee_type === 'relative' ? commission.times(fee) : fee;
};

/** Signed: time, nonce and no data, a line each. */
function authParams({ credentials, nowMs, nonce }: AccountContext): Params {
  const time = String(Math.floor(nowMs));
  return {
    grant_type: 'client_signature',
    client_id: credentials.apiKey,
    timestamp: numeral(time),
    signature: hmac('sha256', credentials.secret, `${time}\n${nonce}\n`, 'hex'),
    nonce: String(nonce),
    data: '',
  };
}

const granted = z.object({ scope: z.string() });

/** A login tells what its key may do. */
function permissions(context: AccountContext): Call<KeyPermissions> {
  return {
    method: 'GET',
    path: pathOf('public/auth', authParams(context)),
    headers: {},
    weight: REQUEST,
    read: (reply) =>
      read(reply, granted, ({ scope }) => {
        const scopes = scope.split(' ');
        return { trade: scopes.includes('trade:read_write'), withdraw: scopes.includes('wallet:read_write') };
      }),
  };
}

/** The last digit of a request's id says what it was; the rest is our number. */
const OURS = '0';
const PLACE = '1';
const CANCEL = '2';
const AUTH_ID = '10';
const SESSION_IDS = { heartbeat: '20', disconnect: '30', subscribe: '40', test: '50' } as const;

/** @see https://docs.deribit.com/#user-changes-kind-currency-interval */
function socket(): AccountSocket {
  return {
    id: 'private',
    carries: ['events', 'orders'],
    wsUrl: WS_URL,
    login: (context) => [
      rpcFrame(SESSION_IDS.heartbeat, 'public/set_heartbeat', { interval: numeral(HEARTBEAT_SECONDS) }),
      rpcFrame(AUTH_ID, 'public/auth', authParams(context)),
    ],
    subscribe: (instruments) => [
      rpcFrame(SESSION_IDS.disconnect, 'private/enable_cancel_on_disconnect', { scope: 'connection' }),
      rpcFrame(SESSION_IDS.subscribe, 'private/subscribe', {
        channels: [
          'user.changes.any.any.raw',
          ...new Set(instruments.map(({ settle }) => `user.portfolio.${settle.toLowerCase()}`)),
        ],
      }),
    ],
    orders: {
      weight: { orders: 1 },
      place: (order, _context, request) => rpcFrame(`${request}${PLACE}`, placeMethod(order), orderOf(order)),
      cancel: (order, _context, request) => rpcFrame(`${request}${CANCEL}`, ...cancelOf(order)),
    },
    heartbeat: { kind: 'none' },
    idleMs: 3_000 * HEARTBEAT_SECONDS,
    decode: decodePrivate,
  };
}

const notification = z.object({
  method: z.string(),
  params: z.object({ type: z.string().optional(), channel: z.string().default(''), data: z.unknown().optional() }),
});
const rpcReply = z.object({ id: z.string(), result: z.unknown().optional(), error: rpcError.optional() });

function decodePrivate(frame: Uint8Array): readonly AccountEvent[] {
  const message = jsonOf(frameText(frame));
  const told = notification.safeParse(message);
  if (told.success) {
    const { method, params } = told.data;
    if (method === 'subscription') return eventsOf(params.channel, params.data);
    const isTest = method === 'heartbeat' && params.type === 'test_request';
    return isTest ? [{ kind: 'ping', reply: rpcFrame(SESSION_IDS.test, 'public/test', {}) }] : [];
  }
  const replied = rpcReply.safeParse(message);
  return replied.success ? replyEvents(replied.data) : [];
}

const changes = z.object({
  trades: z.array(tradeEntry).default([]),
  orders: z.array(orderEntry).default([]),
  positions: z.array(positionEntry).default([]),
});

/** Fills before the orders that they change. @throws BadInput */
function eventsOf(channel: string, data: unknown): readonly AccountEvent[] {
  if (channel.startsWith('user.portfolio.'))
    return [{ kind: 'balance', balance: balanceOf(checked(summaryEntry, data, 'deribit portfolio')) }];
  if (!channel.startsWith('user.changes.')) return [];
  const { trades, orders, positions } = checked(changes, data, 'deribit changes');
  return [
    ...trades.map((entry) => ({ kind: 'fill' as const, fill: fillOf(entry) })),
    ...orders.map((entry) => ({ kind: 'order' as const, order: stateOf(entry) })),
    ...positions.map((entry) => ({ kind: 'position' as const, position: positionOf(entry) })),
  ];
}

/** Codes that say that this socket's login has run out. */
const LOGGED_OUT = new Set(['13009', '10000']);

/** @throws BadInput when an answer to an order is none. */
function replyEvents({ id, result, error }: z.infer<typeof rpcReply>): readonly AccountEvent[] {
  const [request, kind] = [id.slice(0, -1), id.slice(-1)];
  if (kind === OURS) {
    if (error !== undefined) return [{ kind: 'error', refusal: refusalOf(error) }];
    return id === AUTH_ID ? [{ kind: 'ready' }] : [];
  }
  if (kind !== PLACE && kind !== CANCEL) return [];
  const to = kind === PLACE ? 'place' : 'cancel';
  if (error !== undefined) {
    const answer = refusalOf(error, to === 'place' ? CODES : CANCEL_CODES);
    const over = LOGGED_OUT.has(error.code) ? [{ kind: 'over' as const, text: error.message }] : [];
    return [{ kind: 'answer', request, to, answer }, ...over];
  }
  const answer =
    to === 'place'
      ? ok(placedOf(checked(placedResult, result, 'deribit order')))
      : canceledOf(checked(canceledResult, result, 'deribit cancel'));
  return [{ kind: 'answer', request, to, answer }];
}

/**
 * Codes by what they mean; definite unless `in-doubt`.
 * @see https://docs.deribit.com/#rpc-error-codes
 */
const CODES = codesOf({
  'in-doubt': '10001 11031 11094 13008 13028 13666 13888 -32603',
  'invalid-order':
    '10020 10021 10022 10023 10024 10025 10026 10027 10031 10033 10034 10035 10036 10043 10044 10048 11029 11036 11037 11038 ' +
    '11039 11041 11043 11046 11047 11048 11049 11050 11055 13010 13011 13016 13020 13032 -32600 -32601 -32602 -32700 -32000',
  'below-minimum': '10002 10032',
  'price-out-of-band': '10005 10006 10007 10008 10011',
  'insufficient-funds': '10009 10039',
  'self-trade': '10003',
  'would-take': '11021 11054',
  'rate-limited': '10028 10047 10066 11035',
  'venue-down': '10012 10040 10041 10049 11051 11056 13019 13025 13036 13503',
  'not-allowed':
    '10013 10014 10015 10016 10017 10018 10019 10030 10037 10038 10072 11030 11042 11098 12005 13002 13012 13021 13030 13031 13037',
  unauthorised: '9999 10000 13000 13001 13003 13004 13005 13006 13007 13009',
  'not-found': '10004 10029',
  'not-open': '10010 11008 11044',
});

/** An order whose id we were told has been there: what is not found to cancel has ended. */
const CANCEL_CODES = { ...CODES, ...codesOf({ 'not-open': '10004' }) };
