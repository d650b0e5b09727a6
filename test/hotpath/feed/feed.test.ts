import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { binance } from '#hotpath/venues/binance.ts';
import { okx } from '#hotpath/venues/okx.ts';
import type { Market } from '#hotpath/venues/venue.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import {
  binanceDelta,
  binanceSnapshot,
  endpointOf,
  feedOver,
  MS,
  okxBook,
  respond,
  ScriptedTransport,
} from './scripted-venue.ts';

function setUp(kind: 'push' | 'rest', symbols: readonly string[], seed = 1, changes: Partial<Market> = {}) {
  const clock = new VirtualClock(1_700_000_000_000_000_000n);
  const transport = new ScriptedTransport(clock);
  const endpoint = kind === 'push' ? endpointOf(okx, 'spot', changes) : endpointOf(binance, 'spot', changes);
  const run = (ms: number) => clock.runUntil(clock.now() + ms * MS);
  const wired = feedOver(endpoint, symbols, { clock, transport, seed });
  wired.feed.start();
  return { ...wired, clock, transport, run, endpoint };
}

const opsOf = (sent: readonly string[]): string[] =>
  sent
    .filter((text) => text !== 'ping')
    .map((text) => {
      const { op, method } = JSON.parse(text) as { op?: string; method?: string };
      return (op ?? method ?? '').toLowerCase();
    });

describe('a market that pushes snapshots', () => {
  it('subscribes when the socket opens and is live with the first book', () => {
    const { transport, run, statusOf, status, changes, decisionsNs } = setUp('push', ['BTC-USDT']);
    expect(transport.socket.url).toBe('wss://ws.okx.com:8443/ws/v5/public');
    transport.socket.accept();
    expect(transport.socket.sent).toEqual(['{"op":"subscribe","args":[{"channel":"books","instId":"BTC-USDT"}]}']);
    transport.socket.push(okxBook('BTC-USDT', 'snapshot', -1, 10));
    expect(statusOf()).toBe('live');
    run(1_000);
    expect(status()).toMatchObject({ id: 'okx', status: 'live', health: 1, messages: 1, books: 1, live_books: 1 });
    expect(changes).toEqual([{ venue: 'okx', status: 'live', reason: '1/1 sockets, 1/1 books live, 0 given up' }]);
    expect(decisionsNs).toEqual([0]);
  });

  it('subscribes again after a gap, at once and then with patience', () => {
    const { transport, run, statusOf, status, clock } = setUp('push', ['BTC-USDT']);
    const { socket } = transport;
    socket.accept();
    socket.push(okxBook('BTC-USDT', 'snapshot', -1, 10));
    run(2_000);
    socket.push(okxBook('BTC-USDT', 'update', 99, 100));
    expect(statusOf()).toBe('gap');
    expect(opsOf(socket.sent)).toEqual(['subscribe']);
    run(2_000);
    expect(opsOf(socket.sent)).toEqual(['subscribe', 'unsubscribe', 'subscribe']);
    socket.push(okxBook('BTC-USDT', 'snapshot', -1, 200));
    expect(statusOf()).toBe('live');
    expect(status()).toMatchObject({ gaps: 1, resyncs: 1, reconnects: 0 });

    // A book that breaks all the time must not cost the connection its subscription quota.
    const startNs = clock.now();
    for (let round = 0; round < 600; round += 1) {
      socket.push(okxBook('BTC-USDT', 'snapshot', -1, 10));
      socket.push(okxBook('BTC-USDT', 'update', 99, 100));
      run(1_000);
    }
    const minutes = (clock.now() - startNs) / 60e9;
    expect(status().resyncs / minutes).toBeLessThan(5);
  });

  it('distrusts every book at once when the connection is lost, and comes back', () => {
    const { transport, run, statusOf, status, changes } = setUp('push', ['BTC-USDT', 'ETH-USDT']);
    transport.socket.accept();
    for (const symbol of ['BTC-USDT', 'ETH-USDT']) transport.socket.push(okxBook(symbol, 'snapshot', -1, 10));
    run(1_500);
    transport.socket.drop(1006, 'reset');
    expect([statusOf(0), statusOf(1)]).toEqual(['syncing', 'syncing']);
    expect(changes.at(-1)).toMatchObject({ status: 'down', reason: 'disconnected: 1006 reset' });
    expect(status()).toMatchObject({ health: 0 });
    run(1_000);
    expect(transport.sockets).toHaveLength(2);
    transport.socket.accept();
    for (const symbol of ['BTC-USDT', 'ETH-USDT']) transport.socket.push(okxBook(symbol, 'snapshot', -1, 10));
    run(1_000);
    expect(status()).toMatchObject({ status: 'live', reconnects: 1, live_books: 2 });
    expect(status().health).toBeGreaterThan(0.5);
  });

  it('makes a silent subscription again, then gives it up loudly and asks now and then', () => {
    const { transport, run, statusOf, status, changes } = setUp('push', ['BTC-USDT', 'NOPE-USDT']);
    const { socket } = transport;
    socket.accept();
    socket.push(okxBook('BTC-USDT', 'snapshot', -1, 10));
    // Frames go on, so the connection is not idle: only the first-book timer can notice.
    const keepAlive = (seconds: number) => {
      for (let second = 0; second < seconds; second += 1) {
        socket.push('pong');
        // As OKX repeats a book in which nothing happens.
        if (second % 30 === 0) socket.push(okxBook('BTC-USDT', 'update', 10, 10));
        run(1_000);
      }
    };
    keepAlive(21);
    expect(opsOf(socket.sent).filter((op) => op === 'unsubscribe')).toHaveLength(3);
    expect(socket.sent.filter((text) => text.includes('NOPE-USDT'))).toHaveLength(1 + 3 + 3);
    expect(socket.sent.filter((text) => text.includes('"BTC-USDT"'))).toHaveLength(1);
    expect(statusOf(0)).toBe('live');
    expect(status()).toMatchObject({ status: 'degraded', live_books: 1 });
    expect(changes.map(({ reason }) => reason)).toContain('no book of NOPE-USDT');
    const asked = socket.sent.length;
    keepAlive(290);
    expect(opsOf(socket.sent.slice(asked))).toEqual([]);
    keepAlive(20);
    expect(opsOf(socket.sent.slice(asked))).toEqual(['unsubscribe', 'subscribe']);
    socket.push(okxBook('NOPE-USDT', 'snapshot', -1, 10));
    keepAlive(10);
    expect(status()).toMatchObject({ status: 'live', live_books: 2 });
  });

  it('closes a socket that says nothing, not even pong', () => {
    const { transport, run } = setUp('push', ['BTC-USDT']);
    transport.socket.accept();
    transport.socket.push(okxBook('BTC-USDT', 'snapshot', -1, 10));
    run(29_999);
    expect(transport.socket.state).toBe('open');
    expect(transport.socket.sent.filter((text) => text === 'ping')).toHaveLength(1);
    run(2);
    expect(transport.sockets[0]!.state).toBe('closed');
    run(1_000);
    expect(transport.sockets).toHaveLength(2);
  });

  it('sends protocol pings where the venue wants them', () => {
    const { transport, run } = setUp('push', ['BTC-USDT'], 1, {
      heartbeat: { kind: 'client-protocol-ping', everyMs: 10_000 },
    });
    transport.socket.accept();
    for (let round = 1; round <= 5; round += 1) {
      run(10_000);
      expect(transport.socket.pings).toBe(round);
      transport.socket.ping();
    }
    expect(transport.sockets).toHaveLength(1);
    expect(transport.socket.sent.filter((text) => text === 'ping')).toEqual([]);
  });

  it('takes protocol pings for life', () => {
    const { transport, run, books, clock } = setUp('push', ['BTC-USDT']);
    transport.socket.accept();
    transport.socket.push(okxBook('BTC-USDT', 'snapshot', -1, 10));
    for (let round = 0; round < 10; round += 1) {
      run(20_000);
      transport.socket.ping();
    }
    expect(transport.sockets).toHaveLength(1);
    expect(books.depths.ageMs(0 as InstrumentIndex, clock.now())).toBe(0);
  });

  it('answers a malformed frame with distrust and new subscriptions, a third with a new socket', () => {
    const { transport, run, statusOf, status } = setUp('push', ['BTC-USDT']);
    const { socket } = transport;
    const malformed = { arg: { channel: 'books', instId: 'BTC-USDT' }, action: 'update', data: [{ asks: 'x' }] };
    socket.accept();
    for (let round = 1; round <= 2; round += 1) {
      socket.push(okxBook('BTC-USDT', 'snapshot', -1, 10));
      expect(statusOf()).toBe('live');
      socket.push(malformed);
      expect(statusOf()).toBe('syncing');
      run(2_000);
      expect(opsOf(socket.sent).filter((op) => op === 'unsubscribe')).toHaveLength(round);
    }
    socket.push(malformed);
    run(1);
    expect(socket.state).toBe('closed');
    expect(status()).toMatchObject({ messages: 5, malformed: 3 });
  });

  it('leaves when the venue announces that it will close', () => {
    const { transport, run } = setUp('push', ['BTC-USDT']);
    transport.socket.accept();
    transport.socket.push({ event: 'notice', code: '64008', msg: 'upgrade soon', connId: 'a' });
    run(600);
    expect(transport.sockets).toHaveLength(2);
  });

  it('is silent after stop', () => {
    const { transport, run, feed, changes, outcomes } = setUp('push', ['BTC-USDT']);
    transport.socket.accept();
    feed.stop();
    transport.socket.push(okxBook('BTC-USDT', 'snapshot', -1, 10));
    transport.socket.drop();
    run(600_000);
    expect(transport.sockets).toHaveLength(1);
    expect([changes, outcomes]).toEqual([[], []]);
  });

  it('is silent after stop while it waits to reconnect', () => {
    const { transport, run, feed } = setUp('push', ['BTC-USDT']);
    transport.socket.accept();
    transport.socket.drop();
    feed.stop();
    run(600_000);
    expect(transport.sockets).toHaveLength(1);
  });
});

describe('a market whose snapshots come by REST', () => {
  it('asks for the snapshot once deltas flow, holds them, and joins both', () => {
    const { transport, run, statusOf, books } = setUp('rest', ['BTCUSDT']);
    transport.socket.accept();
    expect(transport.requests).toHaveLength(0);
    transport.socket.push(binanceDelta('BTCUSDT', 5, 7, [['99.5', '1']]));
    run(1);
    expect(transport.requests.map(({ request }) => request.url)).toEqual([
      'https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000',
    ]);
    transport.socket.push(binanceDelta('BTCUSDT', 8, 9, [['100.5', '2']]));
    expect(statusOf()).toBe('syncing');
    transport.requests[0]!.answer(respond(200, binanceSnapshot(8)));
    expect(statusOf()).toBe('live');
    expect(books.tops.bid[0]).toBe(100.5);
    run(30_000);
    expect(transport.requests).toHaveLength(1);
  });

  it('does not wait for ever for the first delta of a quiet instrument', () => {
    const { transport, run, statusOf } = setUp('rest', ['BTCUSDT']);
    transport.socket.accept();
    run(1_100);
    transport.requests[0]!.answer(respond(200, binanceSnapshot(8)));
    expect(statusOf()).toBe('live');
  });

  it('asks again for a snapshot that is older than the deltas held', () => {
    const { transport, run, statusOf, status } = setUp('rest', ['BTCUSDT']);
    transport.socket.accept();
    transport.socket.push(binanceDelta('BTCUSDT', 50, 52, [['99.5', '1']]));
    run(1);
    transport.requests[0]!.answer(respond(200, binanceSnapshot(8)));
    expect(statusOf()).toBe('syncing');
    run(1);
    transport.requests[1]!.answer(respond(200, binanceSnapshot(51)));
    expect(statusOf()).toBe('live');
    expect(status()).toMatchObject({ gaps: 0, resyncs: 1 });
  });

  it('obeys Retry-After, and asks one at a time an instrument', () => {
    const { transport, run, statusOf } = setUp('rest', ['BTCUSDT']);
    transport.socket.accept();
    transport.socket.push(binanceDelta('BTCUSDT', 5, 7, []));
    run(1);
    transport.requests[0]!.answer(respond(429, {}, { 'Retry-After': '30' }));
    for (let second = 0; second < 29; second += 1) {
      transport.socket.push(binanceDelta('BTCUSDT', 8 + second, 8 + second, []));
      run(1_000);
    }
    expect(transport.requests).toHaveLength(1);
    run(2_000);
    expect(transport.requests).toHaveLength(2);
    transport.requests[1]!.answer(respond(503, {}, { 'retry-after': '5' }));
    run(4_900);
    expect(transport.requests).toHaveLength(2);
    run(1_000);
    transport.requests[2]!.answer(respond(200, binanceSnapshot(20)));
    expect(statusOf()).toBe('live');
  });

  it('treats 418 as a ban of minutes when it does not say how long', () => {
    const { transport, run } = setUp('rest', ['BTCUSDT']);
    transport.socket.accept();
    run(1_100);
    transport.requests[0]!.answer(respond(418));
    for (let round = 0; round < 118; round += 1) {
      transport.socket.push({ result: null, id: 1 });
      run(1_000);
    }
    expect(transport.requests).toHaveLength(1);
    run(3_000);
    expect(transport.requests).toHaveLength(2);
  });

  it('survives nonsense, refusals and silence in place of a snapshot', () => {
    const { transport, run, statusOf } = setUp('rest', ['BTCUSDT']);
    transport.socket.accept();
    const answers = [
      respond(200, '<html>'),
      respond(400, { code: -1121 }),
      { kind: 'failure', cause: 'timeout', text: 'timeout' },
      { kind: 'failure', cause: 'disconnect', text: 'reset' },
    ] as const;
    let sequence = 5;
    const flow = (seconds: number) => {
      for (let second = 0; second < seconds; second += 1) {
        transport.socket.push(binanceDelta('BTCUSDT', sequence, sequence, []));
        sequence += 1;
        run(1_000);
      }
    };
    for (const [round, answer] of answers.entries()) {
      flow(40);
      expect(transport.requests, `before answer ${round}`).toHaveLength(round + 1);
      transport.requests[round]!.answer(answer);
      expect(statusOf()).toBe('syncing');
    }
    flow(40);
    transport.requests[4]!.answer(respond(200, binanceSnapshot(sequence - 1)));
    expect(statusOf()).toBe('live');
  });

  it('paces the snapshots of many instruments', () => {
    const symbols = Array.from({ length: 60 }, (_, at) => `COIN${at}USDT`);
    const { transport, run } = setUp('rest', symbols);
    transport.socket.accept();
    for (let second = 0; second < 40; second += 1) {
      transport.socket.push({ result: null, id: 1 });
      run(1_000);
    }
    const atMs = transport.requests.map(({ atNs }) => atNs / MS);
    expect(transport.requests).toHaveLength(60);
    expect(atMs.filter((at) => at < 2_000)).toHaveLength(21);
    expect(atMs.at(-1)! - atMs[20]!).toBeCloseTo((39 / 1.5) * 1_000, 0);
  });

  it('drops the answer to a request of the connection before', () => {
    const { transport, run, statusOf, outcomes } = setUp('rest', ['BTCUSDT']);
    transport.socket.accept();
    run(1_100);
    transport.socket.drop();
    transport.requests[0]!.answer(respond(200, binanceSnapshot(8)));
    expect(statusOf()).toBe('syncing');
    expect(outcomes).toEqual([]);
  });
});

describe('sockets', () => {
  it('carry no more symbols than the venue allows, and no more messages a second', () => {
    const clock = new VirtualClock(0n);
    const transport = new ScriptedTransport(clock);
    const endpoint = endpointOf(okx, 'spot', { limits: { symbolsPerSocket: 2, messagesPerSecond: 4 } });
    const { feed } = feedOver(endpoint, ['A-B', 'B-C', 'C-D', 'D-E', 'E-F'], { clock, transport });
    feed.start();
    clock.runUntil(10_000 * MS);
    expect(transport.sockets).toHaveLength(3);
    for (const socket of transport.sockets) socket.accept();
    const counts = transport.sockets.map(({ sent }) => (JSON.parse(sent[0]!) as { args: unknown[] }).args.length);
    expect(counts).toEqual([2, 2, 1]);
    for (let second = 0; second < 30; second += 1) {
      const before = transport.sockets[0]!.sent.length;
      clock.runUntil(clock.now() + 1_000 * MS);
      for (const socket of transport.sockets) if (socket.state === 'open') socket.push('pong');
      expect(transport.sockets[0]!.sent.length - before).toBeLessThanOrEqual(4);
    }
  });
});

/** What a connection may suffer, in any order. */
const mishap = fc.oneof(
  fc.record({ kind: fc.constant('accept' as const) }),
  fc.record({ kind: fc.constant('drop' as const) }),
  fc.record({ kind: fc.constant('snapshot' as const) }),
  fc.record({ kind: fc.constant('gap' as const) }),
  fc.record({ kind: fc.constant('malformed' as const) }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 40_000 }) }),
);

describe('whatever happens to a connection', () => {
  it('there is at most one socket, attempts are bounded, and the venue comes back', () => {
    fc.assert(
      fc.property(
        fc.array(mishap, { maxLength: 60, size: 'max' }),
        fc.integer({ min: 0, max: 1e6 }),
        (mishaps, seed) => {
          const { transport, run, statusOf, status, clock } = setUp('push', ['BTC-USDT'], seed);
          const open = () => transport.sockets.filter(({ state }) => state !== 'closed');
          const acceptPending = () => {
            if (transport.socket.state === 'connecting') transport.socket.accept();
          };
          for (const event of mishaps) {
            if (event.kind === 'wait') run(event.ms);
            else if (event.kind === 'accept') acceptPending();
            else if (event.kind === 'drop') transport.socket.drop();
            else if (transport.socket.state === 'open') {
              if (event.kind === 'snapshot') transport.socket.push(okxBook('BTC-USDT', 'snapshot', -1, 10));
              else if (event.kind === 'gap') transport.socket.push(okxBook('BTC-USDT', 'update', 99, 100));
              else transport.socket.push({ arg: { channel: 'books', instId: 'BTC-USDT' }, action: 'update', data: 1 });
            }
            expect(open().length).toBeLessThanOrEqual(1);
            // A book is only believed while its connection stands.
            if (transport.socket.state !== 'open') expect(statusOf()).not.toBe('live');
          }
          const seconds = clock.now() / 1e9;
          const drops = mishaps.filter(({ kind }) => kind === 'drop').length;
          expect(transport.sockets.length).toBeLessThanOrEqual(4 + drops + mishaps.length / 3 + seconds / 15);

          // Once the venue behaves again, so do we, within the longest backoff.
          for (let second = 0; second < 70 && statusOf() !== 'live'; second += 1) {
            run(1_000);
            acceptPending();
            if (transport.socket.state === 'open') transport.socket.push(okxBook('BTC-USDT', 'snapshot', -1, 10));
          }
          run(1_000);
          expect(statusOf()).toBe('live');
          expect(status().status).toBe('live');
        },
      ),
      { numRuns: 300 },
    );
  });

  it('attempts to reach a venue that is gone grow apart to half a minute', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
        const { transport, run, changes } = setUp('push', ['BTC-USDT'], seed);
        for (let second = 0; second < 3_600; second += 1) {
          transport.socket.drop(1006, 'refused');
          run(1_000);
        }
        // Full jitter of 30 s: 15 s apart on average once the backoff has grown.
        expect(transport.sockets.length).toBeGreaterThan(150);
        expect(transport.sockets.length).toBeLessThan(350);
        expect(changes.at(-1)).toMatchObject({ status: 'down' });
      }),
      { numRuns: 20 },
    );
  });
});
