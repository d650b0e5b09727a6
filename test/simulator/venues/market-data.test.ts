import { describe, expect, it } from 'vitest';
import { get, socketTo, TextBook, truth, virtualRun } from '../venue-client.ts';
import type { TestSocket } from '../venue-client.ts';

const SECONDS = 30;

type Snapshot = { lastUpdateId: number; bids: string[][]; asks: string[][] };
type BinanceFrame = { U: number; u: number; pu?: number; b: string[][]; a: string[][]; e: string };

/** Follows Binance's documented rules and throws where they are broken. */
class BinanceClient {
  readonly book = new TextBook();
  #last = 0;
  #opening = true;
  applied = 0;
  readonly #futures: boolean;

  constructor(snapshot: unknown, futures: boolean) {
    this.#futures = futures;
    const { lastUpdateId, bids, asks } = snapshot as Snapshot;
    this.#last = lastUpdateId;
    this.book.apply('bids', bids);
    this.book.apply('asks', asks);
  }

  feed({ U, u, pu, b, a }: BinanceFrame): void {
    if (this.#futures ? u < this.#last : u <= this.#last) return;
    const next = this.#last + 1;
    const follows = this.#opening
      ? this.#futures
        ? U <= this.#last && this.#last <= u
        : U <= next && next <= u
      : this.#futures
        ? pu === this.#last
        : U === next;
    if (!follows) throw new Error(`gap: ${this.#last} then U=${U} u=${u} pu=${pu}`);
    this.#opening = false;
    this.#last = u;
    this.applied += 1;
    this.book.apply('bids', b);
    this.book.apply('asks', a);
  }
}

const depthFrames = (socket: TestSocket): BinanceFrame[] =>
  socket
    .take()
    .map((text) => JSON.parse(text) as BinanceFrame & { data?: BinanceFrame })
    .map((frame) => frame.data ?? frame)
    .filter((frame) => frame.e === 'depthUpdate');

describe('Binance market data', () => {
  it.each([
    ['spot', '/binance/spot/stream', '/binance/spot/api/v3/depth?limit=5000&symbol=', 'ETHBTC'],
    ['spot', '/binance/spot/ws', '/binance/spot/api/v3/depth?limit=5000&symbol=', 'BTCUSDT'],
    ['usdm', '/binance/usdm/public/stream', '/binance/usdm/fapi/v1/depth?limit=1000&symbol=', 'BTCUSDT'],
    ['coinm', '/dstream.binance.com/ws', '/dapi.binance.com/dapi/v1/depth?limit=1000&symbol=', 'BTCUSD_PERP'],
  ])('%s %s keeps its id chain, and the book it builds is the true one', (market, path, depthPath, symbol) => {
    const { simulator, forward } = virtualRun(3);
    forward(1_000);
    const socket = socketTo(simulator, path);
    socket.send({ method: 'SUBSCRIBE', params: [`${symbol.toLowerCase()}@depth@100ms`], id: 7 });
    expect(JSON.parse(socket.frames[0]!)).toEqual({ result: null, id: 7 });
    // The snapshot comes at moments that do not fall together with the 100 ms frames.
    forward(770);
    const client = new BinanceClient(get(simulator, depthPath + symbol), market !== 'spot');
    for (const frame of depthFrames(socket)) client.feed(frame);
    for (let second = 0; second < SECONDS; second += 1) {
      forward(1_000);
      for (const frame of depthFrames(socket)) client.feed(frame);
    }
    expect(client.applied).toBeGreaterThan(SECONDS);
    const listing = simulator
      .exchange('binance')
      .listings.find((each) => each.market === market && each.venueSymbol === symbol)!;
    // Frames leave at the end of a step: right after one, client and venue must agree to the last level.
    let frames = depthFrames(socket);
    for (let tries = 0; frames.length === 0 && tries < 500; tries += 1) {
      forward(10);
      frames = depthFrames(socket);
    }
    for (const frame of frames) client.feed(frame);
    expect(client.book.numbers()).toEqual(truth(simulator.exchange('binance'), listing.symbol));
  });

  it('aligns with a snapshot taken at any moment', () => {
    for (let at = 0; at < 40; at += 1) {
      const { simulator, forward } = virtualRun(at, { symbols: ['BTC/USDT', 'BTC/USDT:USDT'], venues: ['binance'] });
      const socket = socketTo(simulator, '/binance/usdm/public/ws');
      socket.send({ method: 'SUBSCRIBE', params: ['btcusdt@depth@100ms'], id: 1 });
      forward(130 + 10 * at);
      const client = new BinanceClient(get(simulator, '/binance/usdm/fapi/v1/depth?limit=1000&symbol=BTCUSDT'), true);
      forward(500);
      for (const frame of depthFrames(socket)) client.feed(frame);
      expect(client.applied).toBeGreaterThan(0);
    }
  });

  it('sends the best quote of the book with the id of the book', () => {
    const { simulator, forward } = virtualRun(4, { symbols: ['BTC/USDT'] });
    const socket = socketTo(simulator, '/binance/spot/stream?streams=btcusdt@bookTicker/btcusdt@trade');
    forward(5_000);
    type Tick = { stream: string; data: { u: number; b: string; a: string; t: number } };
    const frames = socket.take().map((text) => JSON.parse(text) as Tick);
    const quotes = frames.filter(({ stream }) => stream === 'btcusdt@bookTicker').map(({ data }) => data);
    const trades = frames.filter(({ stream }) => stream === 'btcusdt@trade').map(({ data }) => data);
    expect(quotes.length).toBeGreaterThan(100);
    expect(trades.length).toBeGreaterThan(10);
    for (const { b, a } of quotes) expect(Number(b)).toBeLessThan(Number(a));
    expect(quotes.map(({ u }) => u)).toEqual(quotes.map(({ u }) => u).toSorted((x, y) => x - y));
    expect(new Set(trades.map(({ t }) => t)).size).toBe(trades.length);
  });

  it('lets a gap be noticed', () => {
    const { simulator, forward } = virtualRun(5, { symbols: ['BTC/USDT'] });
    const socket = socketTo(simulator, '/binance/spot/ws');
    socket.send({ method: 'SUBSCRIBE', params: ['btcusdt@depth@100ms'], id: 1 });
    forward(500);
    const client = new BinanceClient(get(simulator, '/binance/spot/api/v3/depth?limit=5000&symbol=BTCUSDT'), false);
    forward(300);
    for (const frame of depthFrames(socket)) client.feed(frame);
    simulator.fault({ venue: 'binance', kind: 'gap' });
    forward(500);
    expect(() => {
      for (const frame of depthFrames(socket)) client.feed(frame);
    }).toThrow('gap');
  });
});

describe('OKX market data', () => {
  type Update = { asks: string[][]; bids: string[][]; prevSeqId: number; seqId: number; checksum: number };
  type Push = { arg?: { channel: string }; action: string; data: [Update] | undefined };
  const updates = (socket: TestSocket): { action: string; data: [Update] }[] =>
    socket
      .take()
      .filter((text) => text !== 'pong')
      .map((text) => JSON.parse(text) as Push)
      .flatMap(({ arg, action, data }) => (arg?.channel === 'books' && data !== undefined ? [{ action, data }] : []));

  it.each(['BTC-USDT', 'XRP-BTC', 'BTC-USDT-SWAP'])(
    '%s chains prevSeqId to seqId, and the book is the true one',
    (instId) => {
      const { simulator, forward } = virtualRun(6);
      const early = socketTo(simulator, '/okx/ws/v5/public');
      early.send({ op: 'subscribe', args: [{ channel: 'books', instId }] });
      forward(1_234);
      // A second subscriber in the middle of a batch must not break the first one's chain.
      const late = socketTo(simulator, '/ws.okx.com:8443/ws/v5/public');
      late.send({ op: 'subscribe', args: [{ channel: 'books', instId }] });
      forward(SECONDS * 1_000);
      simulator.stop();
      late.send({ op: 'subscribe', args: [{ channel: 'books', instId }] });
      for (const socket of [early, late]) {
        const book = new TextBook();
        let last = -1;
        let count = 0;
        for (const { action, data } of updates(socket)) {
          const [{ prevSeqId, seqId, checksum, bids, asks }] = data;
          if (action === 'snapshot') {
            book.bids.clear();
            book.asks.clear();
            expect(prevSeqId).toBe(-1);
          } else expect(prevSeqId).toBe(last);
          expect(checksum).toBe(0);
          last = seqId;
          count += 1;
          book.apply('bids', bids);
          book.apply('asks', asks);
        }
        expect(count).toBeGreaterThan(SECONDS);
        expect(book.numbers()).toEqual(truth(simulator.exchange('okx'), instId));
      }
    },
  );

  it('says on an idle book that it lives, answers ping, and refuses channels that do not exist', () => {
    const { simulator, forward } = virtualRun(7, {
      symbols: ['BTC/USDT'],
      updates_per_second: 0.001,
      dislocations_per_minute: 0,
    });
    const socket = socketTo(simulator, '/okx/ws/v5/public');
    socket.send({
      op: 'subscribe',
      args: [
        { channel: 'books', instId: 'BTC-USDT' },
        { channel: 'books', instId: 'NO-PE' },
      ],
    });
    for (let at = 0; at < 5; at += 1) {
      forward(15_000);
      socket.send('ping');
    }
    expect(socket.frames).toContain('pong');
    expect(socket.frames.some((text) => text.includes('"60018"'))).toBe(true);
    const alive = updates(socket).filter(({ action }) => action === 'update');
    expect(alive.length).toBeGreaterThan(0);
    for (const { data } of alive) expect(data[0]).toMatchObject({ asks: [], bids: [], prevSeqId: data[0].seqId });
    expect(socket.closes).toEqual([]);
    forward(31_000);
    expect(socket.closes).toEqual([4004]);
  });

  it('freezes while a stale fault holds, and goes on without a gap', () => {
    const { simulator, forward } = virtualRun(8, { symbols: ['BTC/USDT'] });
    const socket = socketTo(simulator, '/okx/ws/v5/public');
    socket.send({ op: 'subscribe', args: [{ channel: 'books', instId: 'BTC-USDT' }] });
    forward(1_000);
    simulator.fault({ venue: 'okx', kind: 'stale', duration_ms: 3_000 });
    const before = updates(socket);
    forward(2_900);
    expect(updates(socket)).toEqual([]);
    forward(1_000);
    const after = updates(socket);
    expect(after[0]!.data[0].prevSeqId).toBe(before.at(-1)!.data[0].seqId);
  });
});

describe('Kraken market data', () => {
  type Level = { price: string; qty: string };
  type Book = { channel?: string; type: string; data: [{ bids: Level[]; asks: Level[]; checksum: string }] };
  /** Keeps the source text of every number: the checksum hashes it. */
  const exact = (text: string): unknown => JSON.parse(text.replace(/:(-?\d+(\.\d+)?)([,}\]])/g, ':"$1"$3'));
  const books = (socket: TestSocket): Book[] =>
    socket
      .take()
      .map((text) => exact(text) as Book)
      .filter(({ channel }) => channel === 'book');
  const feed = (book: TextBook, { type, data: [{ bids, asks, checksum }] }: Book, depth: number): void => {
    if (type === 'snapshot') {
      book.bids.clear();
      book.asks.clear();
    }
    const pairs = (levels: Level[]): string[][] => levels.map(({ price, qty }) => [price, qty]);
    book.apply('bids', pairs(bids));
    book.apply('asks', pairs(asks));
    book.truncate(depth);
    if (book.checksum() !== Number(checksum)) throw new Error('checksum');
  };

  it.each([10, 25, 100])('depth %i: every checksum is right and the truncated book is the true one', (depth) => {
    const { simulator, forward } = virtualRun(9, { venues: ['kraken'] });
    const symbols = ['BTC/USD', 'XRP/BTC', 'ADA/USDT'];
    for (const symbol of symbols) {
      const socket = socketTo(simulator, '/kraken/v2');
      socket.send({ method: 'subscribe', params: { channel: 'book', symbol: [symbol], depth }, req_id: 1 });
      forward(10_000);
      const book = new TextBook();
      const frames = books(socket);
      expect(frames[0]!.type).toBe('snapshot');
      expect(frames.length).toBeGreaterThan(10);
      for (const frame of frames) feed(book, frame, depth);
      expect(book.numbers()).toEqual(truth(simulator.exchange('kraken'), symbol, depth));
    }
  });

  it('lets a spoilt checksum and a lost frame be noticed', () => {
    for (const kind of ['bad-checksum', 'gap'] as const) {
      const { simulator, forward } = virtualRun(10, { symbols: ['BTC/USD'] });
      const socket = socketTo(simulator, '/kraken/v2');
      socket.send({ method: 'subscribe', params: { channel: 'book', symbol: ['BTC/USD'], depth: 10 } });
      const book = new TextBook();
      forward(1_000);
      for (const frame of books(socket)) feed(book, frame, 10);
      simulator.fault({ venue: 'kraken', kind, count: 3 });
      forward(2_000);
      expect(() => {
        for (const frame of books(socket)) feed(book, frame, 10);
      }).toThrow('checksum');
    }
  });

  it('beats once a second when idle, pongs, and answers each symbol of a request', () => {
    const { simulator, forward } = virtualRun(11, {
      symbols: ['BTC/USD'],
      updates_per_second: 0.001,
      dislocations_per_minute: 0,
    });
    const socket = socketTo(simulator, '/ws.kraken.com/v2');
    socket.send({ method: 'subscribe', params: { channel: 'book', symbol: ['BTC/USD', 'NO/PE'] }, req_id: 5 });
    const acks = socket
      .take()
      .map((text) => JSON.parse(text) as { method?: string; success: boolean; req_id: number })
      .filter(({ method }) => method === 'subscribe');
    expect(acks.map(({ success, req_id }) => [success, req_id])).toEqual([
      [true, 5],
      [false, 5],
    ]);
    forward(5_500);
    expect(socket.take().filter((text) => text.includes('heartbeat')).length).toBeGreaterThanOrEqual(3);
    socket.send({ method: 'ping', req_id: 9 });
    expect(JSON.parse(socket.take()[0]!)).toMatchObject({ method: 'pong', req_id: 9 });
  });
});
