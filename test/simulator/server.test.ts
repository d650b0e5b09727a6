import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { systemClock } from '#shared/clock/clock.ts';
import { randomFrom } from '#shared/random.ts';
import type { RunningServer } from '#simulator/server.ts';
import { rerouted } from '#hotpath/runtime/reroute.ts';
import { venues } from '#hotpath/venues/index.ts';
import { serveSimulator } from '#simulator/server.ts';
import type { Simulator } from '#simulator/simulator.ts';
import { createSimulator } from '#simulator/simulator.ts';
import { QUIET } from './venue-client.ts';

describe('simulator behind sockets', () => {
  const clock = systemClock();
  let simulator: Simulator;
  let server: RunningServer;
  beforeAll(async () => {
    simulator = createSimulator({ clock, random: randomFrom(2), config: QUIET });
    server = await serveSimulator({ simulator, clock, port: 0 });
    simulator.start();
  });
  afterAll(async () => {
    simulator.stop();
    await server.close();
  });
  const fault = (body: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${server.port}/_control/faults`, { method: 'POST', body });

  it('serves every market behind its real hosts', async () => {
    const subscriptions: Record<string, readonly [string, string]> = {
      'binance.spot': ['{"method":"SUBSCRIBE","params":["btcusdt@depth@100ms"],"id":1}', '/api/v3/time'],
      'binance.usdm': ['{"method":"SUBSCRIBE","params":["btcusdt@depth@100ms"],"id":1}', '/fapi/v1/time'],
      'binance.coinm': ['{"method":"SUBSCRIBE","params":["btcusd_perp@depth@100ms"],"id":1}', '/dapi/v1/time'],
      'okx.spot': ['{"op":"subscribe","args":[{"channel":"books","instId":"BTC-USDT"}]}', '/api/v5/public/time'],
      'okx.swap': ['{"op":"subscribe","args":[{"channel":"books","instId":"BTC-USDT-SWAP"}]}', '/api/v5/public/time'],
      'kraken.spot': ['{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"]}}', '/0/public/Time'],
    };
    const via = `http://127.0.0.1:${server.port}`;
    for (const [name, [subscribe, path]] of Object.entries(subscriptions)) {
      const [venue, id] = name.split('.');
      const market = venues.find((each) => each.id === venue)!.markets.find((each) => each.id === id)!;
      const rest = rerouted(market.restUrl, via);
      expect((await fetch(rest + path)).status, rest).toBe(200);
      const socket = new WebSocket(rerouted(market.wsUrl, via));
      await once(socket, 'open');
      socket.send(subscribe);
      const book = await new Promise<string>((resolve) => {
        socket.on('message', (data: Buffer) => {
          const text = data.toString();
          if (text.includes('"b":[') || text.includes('"bids":[')) resolve(text);
        });
      });
      expect(book.length).toBeGreaterThan(50);
      socket.close();
    }
  });

  it('takes books and references over HTTP, gives them back, and says what is wrong with others', async () => {
    const control = async (name: string, value: unknown): Promise<readonly [number, unknown]> => {
      const body = JSON.stringify(value);
      const answer = await fetch(`http://127.0.0.1:${server.port}/_control/${name}`, { method: 'POST', body });
      return [answer.status, await answer.json()];
    };
    const book = { venue: 'kraken', symbol: 'LTC/BTC', bids: [['0.001', '3']], asks: [['0.002', '4']] };
    const asks = (): number => {
      const exchange = simulator.exchange('kraken');
      return exchange.engine(exchange.listings.find(({ symbol }) => symbol === 'LTC/BTC')!).asks.levels.length;
    };
    expect(await control('plant', { books: [book] })).toEqual([200, { planted: true }]);
    expect(asks()).toBe(1);
    expect(await control('references', { venue: 'okx', symbol: 'BTC/USDT:USDT', funding_rate: 0.001 })).toEqual([
      200,
      { planted: true },
    ]);
    expect(await control('unplant', {})).toEqual([200, { unplanted: true }]);
    expect(asks()).toBeGreaterThan(20);
    expect(await control('plant', { books: [{ ...book, symbol: 'XYZ' }] })).toEqual([
      400,
      { error: 'kraken does not list XYZ' },
    ]);
    expect(await control('plant', { books: [{ ...book, bids: [[1, 2]] }] })).toEqual([
      400,
      { error: expect.stringContaining('books.0.bids.0.0') as unknown },
    ]);
    expect((await control('weather', {}))[0]).toBe(404);
  });

  it('takes faults over HTTP and says what is wrong with others', async () => {
    expect((await fault('{"venue":"okx","kind":"server-error"}')).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${server.port}/okx/api/v5/public/time`)).status).toBe(503);
    expect((await fetch(`http://127.0.0.1:${server.port}/okx/api/v5/public/time`)).status).toBe(200);
    const unknown = await fault('{"venue":"okx","kind":"earthquake"}');
    expect([unknown.status, await unknown.text()]).toEqual([400, expect.stringContaining('kind')]);
    expect((await fault('{')).status).toBe(400);
    expect((await fault('x'.repeat(2_000_000))).status).toBe(413);
  });

  it('breaks sockets without a goodbye, and closes those that ask for nothing real', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/kraken/v2`);
    await once(socket, 'open');
    const closed = once(socket, 'close');
    await fault('{"venue":"kraken","kind":"disconnect"}');
    expect((await closed)[0]).toBe(1006);
    const lost = new WebSocket(`ws://127.0.0.1:${server.port}/nowhere`);
    expect((await once(lost, 'close'))[0]).toBe(1008);
  });

  it('says when its port is taken', async () => {
    await expect(serveSimulator({ simulator, clock, port: server.port })).rejects.toThrow(
      'is taken (the venue simulator',
    );
  });
});

describe('simulator process', () => {
  it('says where it listens, serves, and ends on SIGTERM', async () => {
    const child = spawn(process.execPath, ['simulator/main.ts', '{"seed":3,"symbols":["BTC/USDT"]}'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    const { listening } = JSON.parse(line) as { listening: number };
    const answer = await fetch(`http://127.0.0.1:${listening}/okx/api/v5/public/instruments?instType=SPOT`);
    expect(((await answer.json()) as { data: unknown[] }).data).toHaveLength(1);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });
});
