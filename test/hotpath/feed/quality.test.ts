import { describe, expect, it } from 'vitest';
import { BookStore } from '#hotpath/book/book-store.ts';
import { Feed } from '#hotpath/feed/feed.ts';
import { silentLogger } from '#hotpath/runtime/logger.ts';
import { binance } from '#hotpath/venues/binance.ts';
import { okx } from '#hotpath/venues/okx.ts';
import type { Market, StreamKind } from '#hotpath/venues/venue.ts';
import { venueId } from '#hotpath/venues/venue.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import { BROKEN } from '#shared/domain/market-event.ts';
import { randomFrom } from '#shared/random.ts';
import type { ScriptedSocket } from './scripted-venue.ts';
import {
  binanceDelta,
  binanceSnapshot,
  endpointOf,
  feedOver,
  instrumentOf,
  MS,
  okxBook,
  respond,
  ScriptedTransport,
} from './scripted-venue.ts';

const BTC = 0 as InstrumentIndex;

function setUp(
  kind: 'push' | 'rest',
  symbols: readonly string[],
  { streams = [], ...changes }: Partial<Omit<Market, 'streams'>> & { readonly streams?: readonly StreamKind[] } = {},
) {
  const clock = new VirtualClock(1_700_000_000_000_000_000n);
  const transport = new ScriptedTransport(clock);
  const endpoint = kind === 'push' ? endpointOf(okx, 'spot', changes) : endpointOf(binance, 'spot', changes);
  const run = (ms: number) => clock.runUntil(clock.now() + ms * MS);
  const wired = feedOver(endpoint, symbols, { clock, transport, streams });
  wired.feed.start();
  /** Time passes on a socket that answers pings and does nothing else. */
  const idle = (socket: ScriptedSocket, seconds: number) => {
    for (let second = 0; second < seconds; second += 1) {
      socket.push('pong');
      run(1_000);
    }
  };
  return { ...wired, clock, transport, run, idle, endpoint };
}

const unsubscribed = (socket: ScriptedSocket, symbol: string): number =>
  socket.sent.filter((text) => /unsubscribe/i.test(text) && text.toLowerCase().includes(symbol.toLowerCase())).length;

describe('a silent book on a socket that speaks', () => {
  it('is verified by a new snapshot after a while, and was live all the time when that agrees', () => {
    const { transport, idle, statusOf, status } = setUp('push', ['BTC-USDT']);
    const { socket } = transport;
    socket.accept();
    socket.push(okxBook('BTC-USDT', 'snapshot', -1, 10));
    idle(socket, 74);
    expect(unsubscribed(socket, 'BTC-USDT')).toBe(0);
    idle(socket, 10);
    expect(unsubscribed(socket, 'BTC-USDT')).toBe(1);
    expect(statusOf()).toBe('live');
    socket.push(okxBook('BTC-USDT', 'snapshot', -1, 10));
    idle(socket, 60);
    expect(statusOf()).toBe('live');
    expect(unsubscribed(socket, 'BTC-USDT')).toBe(1);
    expect(status()).toMatchObject({ gaps: 0, resyncs: 0 });
  });

  it('is distrusted when the venue does not answer, and asked for again', () => {
    const { transport, idle, statusOf } = setUp('push', ['BTC-USDT']);
    const { socket } = transport;
    socket.accept();
    socket.push(okxBook('BTC-USDT', 'snapshot', -1, 10));
    idle(socket, 105);
    expect(statusOf()).toBe('syncing');
    expect(unsubscribed(socket, 'BTC-USDT')).toBeGreaterThanOrEqual(2);
    socket.push(okxBook('BTC-USDT', 'snapshot', -1, 11));
    expect(statusOf()).toBe('live');
  });

  it('is asked about one at a time, the longest silence first', () => {
    const symbols = Array.from({ length: 12 }, (_, at) => `C${at}-USDT`);
    const { transport, idle, run, status } = setUp('push', symbols);
    const { socket } = transport;
    socket.accept();
    for (const symbol of symbols) {
      socket.push(okxBook(symbol, 'snapshot', -1, 10));
      run(1);
    }
    const asked: string[] = [];
    for (let round = 0; round < 30; round += 1) {
      const before = socket.sent.length;
      idle(socket, 20);
      const names = socket.sent
        .slice(before)
        .flatMap((text) => (text.includes('unsub') ? symbols.filter((s) => text.includes(`"${s}"`)) : []));
      expect(names.length).toBeLessThanOrEqual(1);
      asked.push(...names);
      for (const name of names) socket.push(okxBook(name, 'snapshot', -1, 10));
    }
    expect(asked.slice(0, 12)).toEqual(symbols);
    expect(status().live_books).toBe(12);
  });

  it('is stale once the socket has vouched for it long enough, where nothing can be asked', () => {
    const { unsubscribe, ...market } = endpointOf(okx, 'spot').market;
    expect(unsubscribe).toBeDefined();
    const clock = new VirtualClock(1_700_000_000_000_000_000n);
    const endpoint = { ...endpointOf(okx, 'spot'), market };
    const instruments = [instrumentOf(endpoint, 'BTC-USDT'), instrumentOf(endpoint, 'ETH-USDT')];
    const books = new BookStore({ instruments, rulesOf: () => market.book, clock, staleAfterMs: 5_000 });
    const transport = new ScriptedTransport(clock);
    const feed: Feed = new Feed({
      ...{ clock, transport, random: randomFrom(1), logger: silentLogger, endpoints: [endpoint], instruments, books },
      onUpdate: (update) => {
        if (books.apply(update) === BROKEN) feed.resync(update.instrument);
      },
    });
    feed.start();
    transport.socket.accept();
    for (const symbol of ['BTC-USDT', 'ETH-USDT']) transport.socket.push(okxBook(symbol, 'snapshot', -1, 10));
    const idle = (seconds: number) => {
      for (let second = 0; second < seconds; second += 1) {
        const book = okxBook('ETH-USDT', 'update', 10, 10);
        const ts = String(clock.unixMs(clock.now()));
        transport.socket.push({ ...book, data: [{ ...book.data[0], ts }] });
        clock.runUntil(clock.now() + 1e9);
      }
    };
    idle(299);
    expect(books.depths.status(BTC)).toBe('live');
    idle(8);
    expect(books.depths.status(BTC)).toBe('stale');
    expect(books.isQuiet(BTC)).toBe(true);
    // Silence is no fault of the venue's.
    expect(feed.status()[0]).toMatchObject({ health: 1, status: 'live', live_books: 1, books: 2 });
    feed.stop();
  });
});

describe('a market whose socket cannot be kept', () => {
  function withoutSocket() {
    const wired = setUp('rest', ['BTCUSDT', 'ETHUSDT']);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect(wired.transport.requests).toEqual([]);
      wired.transport.socket.drop();
      wired.run(attempt < 2 ? 2_500 : 1);
    }
    return wired;
  }

  it('is polled, one book after the other, and nobody trades on what comes', () => {
    const { transport, run, statusOf, status, books } = withoutSocket();
    expect(transport.requests.map(({ request }) => request.url)).toEqual([
      'https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000',
    ]);
    transport.requests[0]!.answer(respond(200, binanceSnapshot(8)));
    expect(statusOf()).toBe('polled');
    expect(books.tops.bid[BTC]).toBeNaN();
    expect(books.depths.bids(BTC, new Float64Array(5), new Float64Array(5))).toBe(1);
    run(2_400);
    expect(transport.requests).toHaveLength(1);
    run(200);
    expect(transport.requests[1]!.request.url).toContain('ETHUSDT');
    run(20_000);
    // Never two at once.
    expect(transport.requests).toHaveLength(2);
    transport.requests[1]!.answer(respond(200, '<html>'));
    run(2_600);
    expect(transport.requests[2]!.request.url).toContain('BTCUSDT');
    expect(status()).toMatchObject({ status: 'down', health: 0, live_books: 0, polled_books: 1, malformed: 1 });
  });

  it('believes the socket alone once it opens', () => {
    const { transport, run, statusOf } = withoutSocket();
    transport.requests[0]!.answer(respond(200, binanceSnapshot(8)));
    while (transport.socket.state !== 'connecting') run(500);
    const asked = transport.requests.length;
    transport.socket.accept();
    expect(statusOf()).toBe('syncing');
    transport.socket.push(binanceDelta('BTCUSDT', 9, 9, []));
    run(1);
    transport.requests.at(-1)!.answer(respond(200, binanceSnapshot(9)));
    expect(statusOf()).toBe('live');
    run(30_000);
    // One snapshot each: polling is over.
    expect(transport.requests.length).toBe(asked + 2);
  });

  it('stays dark where the venue has no book by REST', () => {
    const { transport, run } = setUp('push', ['BTC-USDT'], {});
    const bare = setUp('push', ['BTC-USDT']);
    expect(bare.transport.requests).toEqual([]);
    for (let attempt = 0; attempt < 4; attempt += 1) {
      transport.socket.drop();
      run(35_000);
    }
    const polls = endpointOf(okx, 'spot').market.poll === undefined ? 0 : 1;
    expect(Math.min(1, transport.requests.length)).toBe(polls);
  });
});

describe('channels beside the books', () => {
  const streamed: Partial<Market> = {
    moreStreams: [
      {
        kinds: ['reference'],
        wsUrl: 'wss://funding.example/ws',
        symbolsPerSocket: 10,
        subscribe: (_kinds, symbols) => [`funding ${symbols.join(' ')}`],
      },
    ],
    streams: {
      kinds: ['trades', 'reference'],
      wsUrl: 'wss://beside.example/ws',
      symbolsPerSocket: 2,
      subscribe: (kinds, symbols) => [`${kinds.join('+')} ${symbols.join(' ')}`],
    },
    decode: (frame, sink) => {
      const text = Buffer.from(frame.bytes.subarray(frame.start, frame.end)).toString();
      const [name, mark] = text.split(' ');
      sink.clearReference();
      sink.reference.instrument = sink.find(frame, frame.start, frame.start + name!.length) as InstrumentIndex;
      sink.reference.markPrice = Number(mark);
      sink.publishReference();
    },
  };
  const start = (streams: readonly StreamKind[], symbols: readonly string[]) => {
    const clock = new VirtualClock(0n);
    const transport = new ScriptedTransport(clock);
    const endpoint = endpointOf(okx, 'swap', streamed);
    const wired = feedOver(endpoint, symbols, { clock, transport, streams, kind: 'perpetual' });
    wired.feed.start();
    const run = (ms: number) => clock.runUntil(clock.now() + ms * MS);
    run(5_000);
    const beside = () => transport.sockets.filter(({ url }) => url.startsWith('wss://beside.example'));
    return { ...wired, transport, run, beside };
  };

  it('come over sockets of their own, as many as the venue wants', () => {
    const { beside, references, status } = start(['reference'], ['A-B', 'C-D', 'E-F']);
    expect(beside()).toHaveLength(2);
    for (const socket of beside()) socket.accept();
    expect(beside().map(({ sent }) => sent)).toEqual([['reference A-B C-D'], ['reference E-F']]);
    beside()[1]!.push('E-F 1.5');
    expect(references).toEqual([{ instrument: 2, markPrice: 1.5 }]);
    expect(status()).toMatchObject({ references: 1, prints: 0, live_books: 0 });
  });

  it('may stand at several URLs, and each has its own', () => {
    const funding = (kind: StreamKind) =>
      start([kind], ['A-B', 'C-D', 'E-F']).transport.sockets.filter(({ url }) => url === 'wss://funding.example/ws');
    expect(funding('trades')).toEqual([]);
    const [socket, ...more] = funding('reference');
    socket!.accept();
    expect([socket!.sent, more]).toEqual([['funding A-B C-D E-F'], []]);
  });

  it('are not opened unless asked for', () => {
    expect(start([], ['A-B']).transport.sockets).toHaveLength(1);
  });

  it('come back by themselves, and their loss is no trouble of the books', () => {
    const { beside, run, transport, statusOf, status } = start(['trades'], ['A-B']);
    const books = transport.sockets.find(({ url }) => !url.startsWith('wss://beside.example'))!;
    books.accept();
    beside()[0]!.accept();
    expect(beside()[0]!.sent).toEqual(['trades A-B']);
    beside()[0]!.drop();
    run(1_000);
    expect(beside()).toHaveLength(2);
    expect(status().health).toBe(0);
    expect(statusOf()).toBe('syncing');
    expect(status().reconnects).toBe(0);
    beside()[1]!.accept();
    expect(beside()[1]!.sent).toEqual(['trades A-B']);
  });
});

describe('three venues of which one is wrong', () => {
  it('trade on without it, until it agrees again', () => {
    const clock = new VirtualClock(1_700_000_000_000_000_000n);
    const transport = new ScriptedTransport(clock);
    const endpoints = ['a', 'b', 'c'].map((name) => {
      const endpoint = endpointOf(okx, 'spot', { urls: { ws: `wss://${name}` } });
      return { ...endpoint, venue: { ...endpoint.venue, id: venueId(name) } };
    });
    const instruments = endpoints.map((endpoint) => instrumentOf(endpoint, 'BTC-USDT'));
    const books = new BookStore({ instruments, rulesOf: () => okx.markets[0]!.book, clock, staleAfterMs: Infinity });
    const believed: [InstrumentIndex, number][] = [];
    const feed: Feed = new Feed({
      ...{ clock, transport, random: randomFrom(1), logger: silentLogger, endpoints, instruments, books },
      healthMin: 0.5,
      onUpdate: (update) => {
        if (books.apply(update) === BROKEN) feed.resync(update.instrument);
      },
      onBelieved: (instrument) => believed.push([instrument, books.tops.bid[instrument]!]),
    });
    const run = (ms: number) => clock.runUntil(clock.now() + ms * MS);
    const socketOf = (name: string) => transport.sockets.find(({ url }) => url === `wss://${name}`)!;
    const say = (name: string, price: number) => {
      const book = okxBook('BTC-USDT', 'snapshot', -1, 10);
      const level = (text: number) => [[String(text), '1', '0', '1']];
      socketOf(name).push({ ...book, data: [{ ...book.data[0], bids: level(price), asks: level(price + 1) }] });
    };
    const c = 2 as InstrumentIndex;
    feed.start();
    for (const socket of transport.sockets) socket.accept();
    for (const name of ['a', 'b', 'c']) say(name, 100);
    run(1_500);
    expect(feed.health(venueId('c'))).toBe(1);
    say('c', 150);
    expect(books.tops.bid[c]).toBe(150);
    run(3_500);
    expect(books.depths.status(c)).toBe('suspect');
    expect(books.tops.bid[c]).toBeNaN();
    say('c', 151);
    expect([books.depths.status(c), books.tops.bid[c]]).toEqual(['suspect', NaN]);
    run(1_500);
    expect(feed.health(venueId('c'))).toBe(0);
    expect(feed.status()[2]).toMatchObject({ suspect_books: 1, tradable: false });
    expect(feed.health(venueId('a'))).toBe(1);
    say('c', 100);
    expect(believed).toEqual([]);
    run(6_500);
    expect([books.depths.status(c), books.tops.bid[c]]).toEqual(['live', 100]);
    // Nothing else says so: whoever looks at changes of prices is told, once they are there.
    expect(believed).toEqual([[c, 100]]);
    // The book is believed again; the venue has to be well for a while longer.
    expect(feed.health(venueId('c'))).toBe(0);
    run(6_000);
    expect(feed.health(venueId('c'))).toBe(1);
    feed.stop();
  });

  it('get the books of a frozen one again', () => {
    const { transport, run, statusOf, moveOthers } = frozen();
    expect(statusOf()).toBe('live');
    moveOthers();
    run(1_000);
    expect(statusOf()).toBe('syncing');
    run(2_000);
    const socket = transport.sockets.find(({ url }) => url === 'wss://a')!;
    expect(unsubscribed(socket, 'BTC-USDT')).toBe(1);
    expect(opsAfter(socket)).toBe('subscribe');
  });

  function frozen() {
    const clock = new VirtualClock(1_700_000_000_000_000_000n);
    const transport = new ScriptedTransport(clock);
    const endpoints = ['a', 'b', 'c'].map((name) => {
      const endpoint = endpointOf(okx, 'spot', { urls: { ws: `wss://${name}` } });
      return { ...endpoint, venue: { ...endpoint.venue, id: venueId(name) } };
    });
    const instruments = endpoints.map((endpoint) => instrumentOf(endpoint, 'BTC-USDT'));
    const books = new BookStore({ instruments, rulesOf: () => okx.markets[0]!.book, clock, staleAfterMs: Infinity });
    const feed: Feed = new Feed({
      ...{ clock, transport, random: randomFrom(1), logger: silentLogger, endpoints, instruments, books },
      onUpdate: (update) => void books.apply(update),
    });
    const run = (ms: number) => clock.runUntil(clock.now() + ms * MS);
    feed.start();
    for (const socket of transport.sockets) {
      socket.accept();
      socket.push(okxBook('BTC-USDT', 'snapshot', -1, 10));
    }
    for (let second = 0; second < 12; second += 1) {
      for (const socket of transport.sockets) socket.push('pong');
      run(1_000);
    }
    const moveOthers = () => {
      const book = okxBook('BTC-USDT', 'snapshot', -1, 11);
      const levels = { bids: [['101.5', '1', '0', '1']], asks: [['102', '1', '0', '1']] };
      for (const socket of transport.sockets.slice(1)) socket.push({ ...book, data: [{ ...book.data[0], ...levels }] });
    };
    return { transport, run, moveOthers, statusOf: () => books.depths.status(BTC) };
  }

  const opsAfter = ({ sent }: ScriptedSocket): string =>
    (JSON.parse(sent.filter((text) => text !== 'ping').at(-1)!) as { op: string }).op;
});
