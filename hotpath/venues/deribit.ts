import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { Fees, Instrument, InstrumentKind } from '#shared/domain/instrument.ts';
import type { LevelBuffer, MarketUpdate } from '#shared/domain/market-event.ts';
import { DELTA, SNAPSHOT } from '#shared/domain/market-event.ts';
import { amountOf } from '#shared/money/grid.ts';
import type { BookRules, Continuity, Frame, Market, MarketSink, Venue } from './venue.ts';
import { asset, batchesOf, bodyFrom, bytesOf, END, expiryOf, idOf, keyCode, roomFor, venueId } from './venue.ts';

const DERIBIT = venueId('deribit');
const HEARTBEAT_SECONDS = 10;

const call = (id: number, method: string, params: object): string =>
  JSON.stringify({ jsonrpc: '2.0', id, method, params });

/** One protocol and one address for every market; they differ in their instruments. */
const market = (id: string, kind: 'future' | 'option', [maker, taker]: readonly [string, string]): Market => ({
  id,
  wsUrl: 'wss://www.deribit.com/ws/api/v2',
  restUrl: 'https://www.deribit.com',
  hosts: ['test.deribit.com'],
  defaultFees: { maker: amountOf(maker), taker: amountOf(taker), currency: 'settle' },
  instruments: {
    paths: [`/api/v2/public/get_instruments?currency=any&kind=${kind}&expired=false`],
    parse: (bodies, fees) => parseInstruments(id, bodies, fees),
  },
  greeting: [call(0, 'public/set_heartbeat', { interval: HEARTBEAT_SECONDS })],
  // The raw books need a login; these are theirs, joined every 100 ms. No unsubscribing: a book subscribed again on the same socket brought no
  // new snapshot.
  subscribe: (symbols, request) =>
    batchesOf(symbols, 500).map((batch, at) =>
      call(request * 100 + at, 'public/subscribe', { channels: batch.map((symbol) => `book.${symbol}.100ms`) }),
    ),
  limits: { symbolsPerSocket: 100, messagesPerSecond: 3 },
  heartbeat: { kind: 'server-text', reply: () => call(0, 'public/test', {}) },
  idleMs: 3_000 * HEARTBEAT_SECONDS,
  firstBookWithinMs: 5_000,
  book: { snapshot: { from: 'push' }, follows, depth: Infinity },
  decode,
});

/**
 * An option's fee is a fraction of the underlying, at most an eighth of the premium.
 * @see https://docs.deribit.com/#book-instrument_name-interval
 */
export const deribit: Venue = {
  id: DERIBIT,
  markets: [
    market('swap', 'future', ['0.00015', '0.00035']),
    market('futures', 'future', ['0.00015', '0.00035']),
    market('options', 'option', ['0.0003', '0.0003']),
  ],
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
} as const;
const SUBSCRIPTION = bytesOf('subscription');
const HEARTBEAT = bytesOf('heartbeat');
const TEST_REQUEST = bytesOf('test_request');
const BOOK = bytesOf('book.');
/** Endings of the channels that carry a chain of changes; `raw` stands in recordings and needs a login. */
const INTERVALS = [bytesOf('.100ms'), bytesOf('.raw')] as const;
const TYPE_SNAPSHOT = bytesOf('snapshot');
const TYPE_CHANGE = bytesOf('change');
const NEW = bytesOf('new');
const CHANGE = bytesOf('change');
const DELETE = bytesOf('delete');

const TYPE = 1;
const SEQUENCE = 2;
const PREVIOUS = 4;
const BIDS = 8;
const ASKS = 16;
const WHOLE = TYPE | SEQUENCE | BIDS | ASKS;

function decode(frame: Frame, sink: MarketSink): void {
  let isSubscription = false;
  let isBook = false;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.method) {
      frame.string();
      isSubscription = frame.textIs(SUBSCRIPTION);
      if (isSubscription) continue;
      if (frame.textIs(HEARTBEAT)) heartbeat(frame, sink);
      return;
    }
    if (key === KEY.params && isSubscription) {
      isBook = readParams(frame, sink);
      if (!isBook) return;
    } else if (key === KEY.result || key === KEY.error) {
      sink.control(key === KEY.error ? 'error' : 'ack', frame.text());
      return;
    } else frame.skip();
  }
  if (!isBook) return;
  frame.finish();
  sink.publish();
}

/** `{"channel":…,"data":{…}}`; false, at once, for another channel or an instrument that we do not follow. */
function readParams(frame: Frame, sink: MarketSink): boolean {
  let isBook = false;
  let isRead = false;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.channel) {
      isBook = readChannel(frame, sink);
      if (!isBook) return false;
    } else if (key === KEY.data && isBook) {
      readBook(frame, sink.update);
      isRead = true;
    } else frame.skip();
  }
  if (isBook && !isRead) throw new BadInput(`deribit: a book frame without a book: ${frame.text().slice(0, 120)}`);
  return isBook;
}

/** `book.INSTRUMENT.INTERVAL`. */
function readChannel(frame: Frame, sink: MarketSink): boolean {
  frame.string();
  const { bytes, textStart, textEnd } = frame;
  if (!isAt(bytes, textStart, BOOK)) return false;
  for (const interval of INTERVALS) {
    const end = textEnd - interval.length;
    if (end <= textStart + BOOK.length || !isAt(bytes, end, interval)) continue;
    const instrument = sink.find(frame, textStart + BOOK.length, end);
    if (instrument === -1) return false;
    sink.update.instrument = instrument;
    return true;
  }
  return false;
}

function isAt(bytes: Uint8Array, from: number, text: Uint8Array): boolean {
  for (let at = 0; at < text.length; at += 1) if (bytes[from + at] !== text[at]) return false;
  return true;
}

function readBook(frame: Frame, update: MarketUpdate): void {
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
      readSide(frame, update.bids);
      seen |= BIDS;
    } else if (key === KEY.asks) {
      readSide(frame, update.asks);
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
function readSide(frame: Frame, into: LevelBuffer): void {
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
    frame.number(into.prices, index);
    requireNext(frame);
    frame.number(into.qtys, index);
    if (frame.nextElement()) throw new BadInput('deribit: a level of four');
    if (isDelete) into.qtys[index] = 0;
    frame.takeLevel(into, index);
  } while (frame.nextElement());
}

function requireNext(frame: Frame): void {
  if (!frame.nextElement()) throw new BadInput('deribit: a level is too short');
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
  min_trade_amount: z.number().positive(),
  expiration_timestamp: z.number().optional(),
  strike: z.number().optional(),
  option_type: z.enum(['call', 'put']).optional(),
  is_active: z.boolean().default(true),
});
type Listing = z.infer<typeof listing>;
const answer = z.object({ result: z.array(listing) });

function parseInstruments(id: string, bodies: readonly string[], fees: Fees): readonly Instrument[] {
  return bodies.flatMap((body) =>
    bodyFrom(answer, body, 'deribit get_instruments').result.flatMap((entry) => instrumentFrom(id, entry, fees)),
  );
}

const KIND_OF: Readonly<Record<string, InstrumentKind>> = { swap: 'perpetual', futures: 'future', options: 'option' };

const marketOf = ({ kind, settlement_period }: Listing): string | undefined => {
  if (kind === 'option') return 'options';
  if (kind !== 'future') return undefined;
  return settlement_period === 'perpetual' ? 'swap' : 'futures';
};

/**
 * Amounts are in USD where a future settles in its base, in the base everywhere else, so a contract is one unit. An option that settles in its
 * base is priced in it: `quote` says what its price is in, the symbol what its strike is in.
 */
function instrumentFrom(id: string, entry: Listing, fees: Fees): readonly Instrument[] {
  if (marketOf(entry) !== id) return [];
  const { base_currency: base, quote_currency: quote } = entry;
  const settle = entry.settlement_currency ?? base;
  const counter = entry.counter_currency ?? (quote === base ? 'USD' : quote);
  const expiry = id === 'swap' ? undefined : expiryOf(entry.expiration_timestamp);
  if (id !== 'swap' && expiry === undefined) return [];
  if (id === 'options' && (entry.strike === undefined || entry.option_type === undefined)) return [];
  const strike = entry.strike === undefined || id !== 'options' ? undefined : amountOf(entry.strike);
  const option = strike === undefined ? '' : `-${strike.toFixed()}-${entry.option_type === 'call' ? 'C' : 'P'}`;
  const symbol = `${base}/${counter}:${settle}${expiry === undefined ? '' : `-${expiry.day}`}${option}`;
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
      inverse: id !== 'options' && settle === base,
      tick: amountOf(entry.tick_size),
      lot: amountOf(entry.min_trade_amount),
      minQty: amountOf(entry.min_trade_amount),
      minNotional: amountOf(0),
      fees,
      ...(expiry === undefined ? {} : { expiryMs: expiry.ms }),
      ...(strike === undefined ? {} : { strike, right: entry.option_type! }),
      status: entry.is_active ? 'trading' : 'halted',
    },
  ];
}
