import { Decimal } from 'decimal.js';
import { BookStore } from '#hotpath/book/book-store.ts';
import type { Endpoint } from '#hotpath/feed/endpoint.ts';
import { streamsOf } from '#hotpath/feed/endpoint.ts';
import type { VenueStatusChange } from '#hotpath/feed/feed.ts';
import { Feed } from '#hotpath/feed/feed.ts';
import { silentLogger } from '#hotpath/runtime/logger.ts';
import type { HttpRequest, HttpResult, SocketHandlers, Transport } from '#hotpath/runtime/transport.ts';
import type { Market, StreamKind, Venue } from '#hotpath/venues/venue.ts';
import { asset } from '#hotpath/venues/venue.ts';
import type { Clock } from '#shared/clock/clock.ts';
import type { InstrumentId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { ApplyOutcome, MarketUpdate, ReferenceUpdate } from '#shared/domain/market-event.ts';
import { BROKEN } from '#shared/domain/market-event.ts';
import { randomFrom } from '#shared/random.ts';

/** A socket as the script of a test sees it. */
export class ScriptedSocket {
  readonly url: string;
  readonly openedNs: number;
  readonly sent: string[] = [];
  /** Protocol pings that came from the client. */
  pings = 0;
  state: 'connecting' | 'open' | 'closed' = 'connecting';
  readonly #handlers: SocketHandlers;
  readonly #clock: Clock;

  constructor(url: string, handlers: SocketHandlers, clock: Clock) {
    this.url = url;
    this.openedNs = clock.now();
    this.#handlers = handlers;
    this.#clock = clock;
  }

  accept(): void {
    this.state = 'open';
    this.#handlers.onOpen();
  }

  push(message: unknown): void {
    const text = typeof message === 'string' ? message : JSON.stringify(message);
    const frame = Buffer.from(text);
    this.#handlers.onFrame(frame, 0, frame.length, this.#clock.now());
  }

  ping(): void {
    this.#handlers.onPing?.(this.#clock.now());
  }

  drop(code = 1006, reason = 'lost'): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.#handlers.onClose(code, reason);
  }
}

/** A Transport that does nothing of itself: the test plays the venue. */
export class ScriptedTransport implements Transport {
  readonly sockets: ScriptedSocket[] = [];
  readonly requests: {
    readonly request: HttpRequest;
    readonly atNs: number;
    readonly answer: (result: HttpResult) => void;
  }[] = [];
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get socket(): ScriptedSocket {
    return this.sockets.at(-1)!;
  }

  open: Transport['open'] = (url, handlers) => {
    const socket = new ScriptedSocket(url, handlers, this.#clock);
    this.sockets.push(socket);
    return {
      send: (text) => {
        socket.sent.push(text);
      },
      ping: () => {
        socket.pings += 1;
      },
      close: () => {
        this.#clock.after(0, () => socket.drop(1000, 'closed by us'));
      },
    };
  };

  request: Transport['request'] = (request, done) => {
    this.requests.push({ request, atNs: this.#clock.now(), answer: done });
  };
}

export const respond = (status: number, body: unknown = {}, headers: Record<string, string> = {}): HttpResult => ({
  kind: 'response',
  status,
  headers,
  body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
});

/** One venue, one market, with what a test wants changed; URLs may lead to a server on loopback. */
export function endpointOf(
  venue: Venue,
  marketId: string,
  {
    urls = {},
    ...changes
  }: Partial<Market> & { readonly urls?: { readonly ws?: string; readonly rest?: string } } = {},
): Endpoint {
  const market = { ...venue.markets.find(({ id }) => id === marketId)!, ...changes };
  return {
    venue,
    market,
    wsUrl: urls.ws ?? market.wsUrl,
    streams: streamsOf(market).map((rules) => ({ rules, url: urls.ws ?? rules.wsUrl ?? market.wsUrl })),
    restUrl: urls.rest ?? market.restUrl,
    fees: market.defaultFees,
  };
}

export function instrumentOf({ venue, market }: Endpoint, venueSymbol: string): Instrument {
  const [base = '', quote = ''] = venueSymbol.split(/[-/]/);
  return {
    id: `${venue.id}:${venueSymbol}` as InstrumentId,
    venue: venue.id,
    market: market.id,
    symbol: venueSymbol,
    venueSymbol,
    kind: 'spot',
    base: asset(base),
    quote: asset(quote),
    settle: asset(quote),
    contractSize: new Decimal(1),
    inverse: false,
    tick: new Decimal(0),
    lot: new Decimal('0.001'),
    minQty: new Decimal(0),
    minNotional: new Decimal(0),
    fees: market.defaultFees,
    status: 'trading',
  };
}

/** A feed over real books, wired as the engine wires it, with what it said. */
export function feedOver(
  endpoint: Endpoint,
  symbols: readonly string[],
  {
    clock,
    transport,
    seed = 1,
    streams = [],
    kind = 'spot',
  }: {
    readonly clock: Clock;
    readonly transport: Transport;
    readonly seed?: number;
    readonly streams?: readonly StreamKind[];
    readonly kind?: Instrument['kind'];
  },
) {
  const instruments = symbols.map((symbol) => ({ ...instrumentOf(endpoint, symbol), kind }));
  const books = new BookStore({ instruments, rulesOf: () => endpoint.market.book, clock, staleAfterMs: Infinity });
  const outcomes: ApplyOutcome[] = [];
  const changes: VenueStatusChange[] = [];
  const decisionsNs: number[] = [];
  const references: Pick<ReferenceUpdate, 'instrument' | 'markPrice'>[] = [];
  const feed: Feed = new Feed({
    clock,
    transport,
    random: randomFrom(seed),
    logger: silentLogger,
    endpoints: [endpoint],
    instruments,
    books,
    streams,
    onReference: ({ instrument, markPrice }) => references.push({ instrument, markPrice }),
    onUpdate: (update: MarketUpdate) => {
      const outcome = books.apply(update);
      outcomes.push(outcome);
      if (outcome === BROKEN) feed.resync(update.instrument);
    },
    onDecision: (elapsedNs) => decisionsNs.push(elapsedNs),
    onVenueStatus: (change) => changes.push(change),
  });
  const statusOf = (index = 0) => books.depths.status(index as InstrumentIndex);
  return { feed, books, outcomes, changes, decisionsNs, references, statusOf, status: () => feed.status()[0]! };
}

export const MS = 1e6;

/** A Binance spot depth event. */
export const binanceDelta = (symbol: string, first: number, last: number, bids: string[][], asks: string[][] = []) => ({
  stream: `${symbol.toLowerCase()}@depth@100ms`,
  data: { e: 'depthUpdate', E: 1_700_000_000_000, s: symbol, U: first, u: last, b: bids, a: asks },
});

export const binanceSnapshot = (lastUpdateId: number) => ({
  lastUpdateId,
  bids: [['100.0', '1']],
  asks: [['101.0', '1']],
});

export const okxBook = (instId: string, action: 'snapshot' | 'update', previous: number, sequence: number) => ({
  arg: { channel: 'books', instId },
  action,
  data: [
    {
      asks: [['101', '1', '0', '1']],
      bids: [['100', '1', '0', '1']],
      ts: '1700000000000',
      checksum: 0,
      prevSeqId: previous,
      seqId: sequence,
    },
  ],
});
