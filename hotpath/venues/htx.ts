import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Fees, Instrument } from '#shared/domain/instrument.ts';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
import { DELTA, SNAPSHOT } from '#shared/domain/market-event.ts';
import { amountOf } from '#shared/money/grid.ts';
import type { BookRules, Continuity, Frame, Market, MarketSink, Venue } from './venue.ts';
import { asset, bodyFrom, bytesOf, END, idOf, keyCode, venueId } from './venue.ts';

const HTX = venueId('htx');

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
  decode: (frame, sink) => decode(frame, sink, SPOT_TOPICS),
};

const swap: Market = {
  ...wire,
  id: 'swap',
  wsUrl: 'wss://api.hbdm.com/linear-swap-ws',
  restUrl: 'https://api.hbdm.com',
  hosts: ['api.hbdm.vn'],
  defaultFees: { maker: amountOf('0.0002'), taker: amountOf('0.0006'), currency: 'settle' },
  instruments: { paths: ['/linear-swap-api/v1/swap_contract_info'], parse: parseSwaps },
  subscribe: (symbols, request) => swapRequests('sub', symbols, request),
  unsubscribe: (symbols, request) => swapRequests('unsub', symbols, request),
  // About forty subscriptions a second are taken.
  limits: { symbolsPerSocket: 40, messagesPerSecond: 20 },
  book: { snapshot: { from: 'push' }, follows: followsByVersion, depth: Infinity },
  decode: (frame, sink) => decode(frame, sink, SWAP_TOPICS),
};

/**
 * @see https://huobiapi.github.io/docs/spot/v1/en/#market-by-price-incremental-update
 * @see https://huobiapi.github.io/docs/usdt_swap/v1/en/#general-subscribe-incremental-market-depth-data
 */
export const htx: Venue = { id: HTX, markets: [spot, swap] };

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

type Topics = {
  /** What follows the symbol in the names of a market's book channels. */
  readonly incremental: Uint8Array;
  readonly full?: Uint8Array;
};

const SWAP_TOPICS: Topics = { incremental: bytesOf('.depth.size_20.high_freq') };
/** `depth.step0`, 150 levels a second, is what recordings of 2021 hold. */
const SPOT_TOPICS: Topics = { incremental: bytesOf('.mbp.150'), full: bytesOf('.depth.step0') };
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
} as const;
const EVENT_SNAPSHOT = bytesOf('snapshot');
const EVENT_UPDATE = bytesOf('update');

/** What a frame's topic is to us. */
const INCREMENTAL = 1;
const FULL = 2;

const SEQUENCE = 1;
const PREVIOUS = 2;
const VERSION = 4;
const EVENT = 8;
const BIDS = 16;
const ASKS = 32;

function decode(frame: Frame, sink: MarketSink, topics: Topics): void {
  const { update } = sink;
  let topic = 0;
  let isReply = false;
  let isRead = false;
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
      readBook(frame, update, { isReply, isFull: topic === FULL });
      isRead = true;
    } else if (isControl(key)) {
      sink.control(key === KEY.ping ? 'ping' : key === KEY.errorCode ? 'error' : 'ack', frame.text());
      return;
    } else frame.skip();
  }
  if (topic === 0) return;
  if (!isRead) throw new BadInput(`htx: a book frame without a book: ${frame.text().slice(0, 120)}`);
  frame.finish();
  sink.publish();
}

const isControl = (key: number): boolean =>
  key === KEY.ping || key === KEY.errorCode || key === KEY.subscribed || key === KEY.unsubscribed;

/** `market.SYMBOL.mbp.150`; 0 for another topic or an instrument that we do not follow. */
function readTopic(
  frame: Frame,
  sink: MarketSink,
  { incremental, full }: Topics,
): 0 | typeof INCREMENTAL | typeof FULL {
  frame.string();
  const { bytes, textStart, textEnd } = frame;
  if (!isAt(bytes, textStart, PREFIX)) return 0;
  const start = textStart + PREFIX.length;
  const isIncremental = isAt(bytes, textEnd - incremental.length, incremental);
  const suffix = isIncremental ? incremental : full;
  if (suffix === undefined || textEnd - suffix.length <= start || !isAt(bytes, textEnd - suffix.length, suffix))
    return 0;
  const instrument: InstrumentIndex | -1 = sink.find(frame, start, textEnd - suffix.length);
  if (instrument === -1) return 0;
  sink.update.instrument = instrument;
  return isIncremental ? INCREMENTAL : FULL;
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

/** Dated contracts stand in the same list; their topics are named otherwise and are not followed. */
function parseSwaps(bodies: readonly string[], fees: Fees): readonly Instrument[] {
  return bodies.flatMap((body) =>
    bodyFrom(swapList, body, 'htx swap_contract_info').data.flatMap((entry) => swapInstrument(entry, fees)),
  );
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
