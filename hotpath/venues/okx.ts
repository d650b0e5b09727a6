import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { Fees, Instrument } from '#shared/domain/instrument.ts';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
import { DELTA, SNAPSHOT } from '#shared/domain/market-event.ts';
import { amountOf, decimalFrom, textOf } from '#shared/money/grid.ts';
import type { BookRules, ChecksumView, Continuity, Frame, Market, MarketSink, Venue } from './venue.ts';
import { asset, batchesOf, bodyFrom, bytesOf, END, expiryOf, idOf, keyCode, venueId } from './venue.ts';

const OKX = venueId('okx');

/** One protocol and one socket for every market; they differ in their instruments. */
const market = (id: string, instType: string, [maker, taker]: readonly [string, string]): Market => ({
  id,
  wsUrl: 'wss://ws.okx.com:8443/ws/v5/public',
  restUrl: 'https://www.okx.com',
  defaultFees: { maker: amountOf(maker), taker: amountOf(taker), currency: id === 'spot' ? 'received' : 'settle' },
  instruments: {
    paths: [`/api/v5/public/instruments?instType=${instType}`],
    parse: (bodies, fees) => parseInstruments(id, bodies, fees),
  },
  subscribe: (symbols) => requestsOf('subscribe', symbols),
  unsubscribe: (symbols) => requestsOf('unsubscribe', symbols),
  // 480 subscriptions and unsubscriptions an hour: a hundred symbols leave room to repair each of them.
  limits: { symbolsPerSocket: 100, messagesPerSecond: 3 },
  heartbeat: { kind: 'client-text', text: 'ping', everyMs: 20_000 },
  idleMs: 30_000,
  firstBookWithinMs: 5_000,
  book: { snapshot: { from: 'push' }, follows, depth: Infinity, checksum },
  decode,
});

/** @see https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel */
export const okx: Venue = {
  id: OKX,
  markets: [
    market('spot', 'SPOT', ['0.0008', '0.001']),
    market('swap', 'SWAP', ['0.0002', '0.0005']),
    market('futures', 'FUTURES', ['0.0002', '0.0005']),
  ],
};

/** A request may hold 64 KB; a hundred subscriptions are about 5. */
function requestsOf(op: string, symbols: readonly string[]): readonly string[] {
  const args = symbols.map((instId) => ({ channel: 'books', instId }));
  return batchesOf(args, 100).map((batch) => JSON.stringify({ op, args: batch }));
}

/**
 * 1. prevSeqId equals the seqId of the frame before; seqId itself may jump.
 * 2. seqId equal to prevSeqId with no levels says that nothing happened for a minute.
 * 3. seqId below prevSeqId is a reset after maintenance: the frame follows all the same, and its seqId is the new base.
 * Frames recorded before seqId existed have no prevSeqId: their checksum alone decides.
 */
function follows({ lastSequence }: Parameters<BookRules['follows']>[0], update: MarketUpdate): Continuity {
  const { previousSequence } = update;
  if (Number.isNaN(previousSequence)) return 'apply';
  if (previousSequence !== lastSequence) return 'gap';
  const silent = update.bids.count === 0 && update.asks.count === 0;
  return silent && update.lastSequence === previousSequence ? 'drop' : 'apply';
}

const HASHED_LEVELS = 25;

/**
 * The rule of recordings before 2026-06-23 (0, absent, since then): signed CRC32 over `bidPrice:bidQty:askPrice:askQty:…` of the best 25 a side, the longer
 * side's rest appended.
 */
function checksum(book: ChecksumView): number {
  const sides = [book.bids, book.asks].map((read) => {
    const prices = new Float64Array(HASHED_LEVELS);
    const qtys = new Float64Array(HASHED_LEVELS);
    const count = read(prices, qtys);
    return Array.from({ length: count }, (_, at) => `${plain(prices[at]!)}:${plain(qtys[at]!)}`);
  });
  const [bids = [], asks = []] = sides;
  const texts = Array.from({ length: HASHED_LEVELS }, (_, at) => [bids[at], asks[at]]).flat();
  return crc32(texts.filter((text) => text !== undefined).join(':')) | 0;
}

const plain = (value: number): string => (value >= 1e-6 && value < 1e21 ? String(value) : textOf(amountOf(value)));

const KEY = {
  arg: keyCode('arg'),
  channel: keyCode('channel'),
  instId: keyCode('instId'),
  action: keyCode('action'),
  data: keyCode('data'),
  asks: keyCode('asks'),
  bids: keyCode('bids'),
  time: keyCode('ts'),
  checksum: keyCode('checksum'),
  sequence: keyCode('seqId'),
  previous: keyCode('prevSeqId'),
  event: keyCode('event'),
} as const;
const BOOKS = bytesOf('books');
const ACTION_SNAPSHOT = bytesOf('snapshot');
const ACTION_UPDATE = bytesOf('update');
const NOTICE = bytesOf('notice');
const ERROR = bytesOf('error');
const PONG = 'pong';
const LETTER_P = 0x70;

const ASKS = 1;
const BIDS = 2;
const CHECKSUM = 4;
const SEQUENCE = 8;
const PREVIOUS = 16;

function decode(frame: Frame, sink: MarketSink): void {
  if (frame.peek() === LETTER_P && frame.text() === PONG) {
    sink.control('pong', PONG);
    return;
  }
  let isBook = false;
  let action = 0;
  let isRead = false;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.event) {
      control(frame, sink);
      return;
    }
    if (key === KEY.arg) {
      if (!readArg(frame, sink)) return;
      isBook = true;
    } else if (key === KEY.action) action = readAction(frame);
    else if (key === KEY.data && isBook && action !== 0) {
      readBook(frame, sink, action === 1 ? SNAPSHOT : DELTA);
      isRead = true;
    } else frame.skip();
  }
  if (!isBook) return;
  if (!isRead) throw new BadInput(`okx: a book frame without action or data: ${frame.text().slice(0, 120)}`);
  frame.finish();
  sink.publish();
}

/** `{"channel":"books","instId":…}`; false for another channel or an instrument we do not follow. */
function readArg(frame: Frame, sink: MarketSink): boolean {
  let isBook = false;
  let instrument: ReturnType<MarketSink['find']> = -1;
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.channel) {
      frame.string();
      isBook = frame.textIs(BOOKS);
    } else if (key === KEY.instId) {
      frame.string();
      instrument = sink.find(frame, frame.textStart, frame.textEnd);
    } else frame.skip();
  }
  if (!isBook || instrument === -1) return false;
  sink.update.instrument = instrument;
  return true;
}

function readAction(frame: Frame): 1 | 2 {
  frame.string();
  if (frame.textIs(ACTION_SNAPSHOT)) return 1;
  if (frame.textIs(ACTION_UPDATE)) return 2;
  throw new BadInput(`okx: unknown action: ${frame.text().slice(0, 120)}`);
}

/** The array holds one book. */
function readBook(frame: Frame, sink: MarketSink, kind: MarketUpdate['kind']): void {
  const { update } = sink;
  let seen = 0;
  update.kind = kind;
  update.firstSequence = NaN;
  update.lastSequence = NaN;
  update.previousSequence = NaN;
  update.checksum = NaN;
  update.venueTimeMs = NaN;
  if (!frame.firstElement()) throw new BadInput('okx: a book frame without a book');
  for (let key = frame.firstKey(); key !== END; key = frame.nextKey()) {
    if (key === KEY.asks) {
      frame.levels(update.asks);
      seen |= ASKS;
    } else if (key === KEY.bids) {
      frame.levels(update.bids);
      seen |= BIDS;
    } else if (key === KEY.time) {
      frame.integer();
      update.venueTimeMs = frame.value;
    } else if (key === KEY.checksum) {
      frame.integer();
      update.checksum = frame.value === 0 ? NaN : frame.value;
      seen |= CHECKSUM;
    } else if (key === KEY.sequence) {
      frame.integer();
      update.lastSequence = frame.value;
      seen |= SEQUENCE;
    } else if (key === KEY.previous) {
      frame.integer();
      update.previousSequence = frame.value;
      seen |= PREVIOUS;
    } else frame.skip();
  }
  if (frame.nextElement()) throw new BadInput('okx: two books in a frame');
  requireWhole(frame, update, seen);
}

/** Either the sequence pair, or (recordings) a checksum, which then stands for the sequence: it names the state that the frame leads to. */
function requireWhole(frame: Frame, update: MarketUpdate, seen: number): void {
  const sequenced = (seen & (SEQUENCE | PREVIOUS)) === (SEQUENCE | PREVIOUS);
  const legacy = (seen & (SEQUENCE | PREVIOUS)) === 0 && !Number.isNaN(update.checksum);
  if ((seen & (ASKS | BIDS)) !== (ASKS | BIDS) || (!sequenced && !legacy)) {
    throw new BadInput(`okx: fields are missing: ${frame.text().slice(0, 120)}`);
  }
  if (legacy) update.lastSequence = update.checksum;
}

/** `{"event":"subscribe"|"unsubscribe"|"error"|"notice"|…}`. */
function control(frame: Frame, sink: MarketSink): void {
  frame.string();
  const kind = frame.textIs(ERROR) ? 'error' : frame.textIs(NOTICE) ? 'notice' : 'ack';
  sink.control(kind, frame.text());
}

const listing = z.object({
  instId: z.string().min(1),
  baseCcy: z.string().default(''),
  quoteCcy: z.string().default(''),
  settleCcy: z.string().default(''),
  uly: z.string().default(''),
  instFamily: z.string().default(''),
  ctType: z.string().default(''),
  ctVal: z.string().default(''),
  ctMult: z.string().default(''),
  tickSz: z.string().default(''),
  lotSz: z.string().default(''),
  minSz: z.string().default(''),
  expTime: z.string().default(''),
  state: z.string(),
});
type Listing = z.infer<typeof listing>;
const answer = z.object({ code: z.literal('0'), data: z.array(listing) });

function parseInstruments(id: string, bodies: readonly string[], fees: Fees): readonly Instrument[] {
  return bodies.flatMap((body) =>
    bodyFrom(answer, body, 'okx instruments').data.flatMap((entry) => instrumentFrom(id, entry, fees)),
  );
}

/** Empty for what has no grid yet (before its opening) or names no assets. */
function instrumentFrom(id: string, entry: Listing, fees: Fees): readonly Instrument[] {
  const spot = id === 'spot';
  const underlying = entry.uly === '' ? entry.instFamily : entry.uly;
  const [base = '', quote = ''] = spot ? [entry.baseCcy, entry.quoteCcy] : underlying.split('-');
  const settle = spot ? quote : entry.settleCcy;
  const contract = spot ? ['1', '1'] : [entry.ctVal, entry.ctMult];
  const numbers = [entry.tickSz, entry.lotSz, entry.minSz, ...contract];
  if ([base, quote, settle].includes('') || numbers.some((text) => !(Number(text) > 0))) return [];
  const expiry = id === 'futures' ? expiryOf(Number(entry.expTime)) : undefined;
  if (id === 'futures' && expiry === undefined) return [];
  const symbol = `${base}/${quote}${spot ? '' : `:${settle}${expiry === undefined ? '' : `-${expiry.day}`}`}`;
  const [tick, lot, minQty, value, multiplier] = numbers.map(decimalFrom);
  return [
    {
      id: idOf(OKX, symbol),
      venue: OKX,
      market: id,
      symbol,
      venueSymbol: entry.instId,
      kind: spot ? 'spot' : expiry === undefined ? 'perpetual' : 'future',
      base: asset(base),
      quote: asset(quote),
      settle: asset(settle),
      contractSize: value!.times(multiplier!),
      inverse: entry.ctType === 'inverse',
      tick: tick!,
      lot: lot!,
      minQty: minQty!,
      minNotional: amountOf(0),
      fees,
      ...(expiry === undefined ? {} : { expiryMs: expiry.ms }),
      status: entry.state === 'live' ? 'trading' : 'halted',
    },
  ];
}
