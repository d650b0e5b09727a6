import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { get, socketTo, virtualRun } from './venue-client.ts';
import type { Run, TestSocket } from './venue-client.ts';

function everything({ simulator, forward }: Run): string {
  const sockets: TestSocket[] = [
    socketTo(
      simulator,
      '/binance/spot/stream?streams=btcusdt@depth@100ms/ethbtc@depth@100ms/btcusdt@bookTicker/btcusdt@trade',
    ),
    socketTo(simulator, '/binance/usdm/public/stream?streams=btcusdt@depth@100ms'),
    socketTo(simulator, '/okx/ws/v5/public'),
    socketTo(simulator, '/kraken/v2'),
  ];
  sockets[2]!.send({
    op: 'subscribe',
    args: [
      { channel: 'books', instId: 'BTC-USDT' },
      { channel: 'trades', instId: 'BTC-USDT' },
    ],
  });
  sockets[3]!.send({ method: 'subscribe', params: { channel: 'book', symbol: ['BTC/USD', 'SOL/ETH'], depth: 25 } });
  forward(20_000);
  const hash = createHash('sha256');
  for (const { frames } of sockets) for (const frame of frames) hash.update(frame);
  return hash.digest('hex');
}

describe('simulator', () => {
  it('gives the same bytes for the same seed, others for another', () => {
    expect(everything(virtualRun(1))).toBe(everything(virtualRun(1)));
    expect(everything(virtualRun(1))).not.toBe(everything(virtualRun(2)));
  });

  it('keeps every book uncrossed and at least 20 levels deep', () => {
    const { simulator, forward } = virtualRun(12, { dislocations_per_minute: 300, dislocation_bps: 120 });
    for (let second = 0; second < 60; second += 1) {
      forward(1_000);
      for (const venue of ['binance', 'okx', 'kraken'] as const)
        for (const { bids, asks } of simulator.exchange(venue).engines) {
          expect(bids.best()!.price).toBeLessThan(asks.best()!.price);
          expect(Math.min(bids.levels.length, asks.levels.length)).toBeGreaterThanOrEqual(20);
          expect(Math.max(bids.levels.length, asks.levels.length)).toBeLessThanOrEqual(100);
        }
    }
  });

  it('opens gaps wider than the fees now and then, and almost never without dislocations', () => {
    const share = (perMinute: number): number => {
      const { simulator, forward } = virtualRun(13, { venues: ['binance', 'okx'], dislocations_per_minute: perMinute });
      let wide = 0;
      const samples = 1_200;
      for (let at = 0; at < samples; at += 1) {
        forward(100);
        const best = (venue: 'binance' | 'okx'): { bid: number; ask: number } => {
          const exchange = simulator.exchange(venue);
          const listing = exchange.listings.find(({ symbol }) => symbol === 'BTC/USDT')!;
          const { bids, asks } = exchange.engine(listing);
          const scale = 10 ** -listing.priceDecimals;
          return { bid: bids.best()!.price * scale, ask: asks.best()!.price * scale };
        };
        const [a, b] = [best('binance'), best('okx')];
        if (Math.max(a.bid / b.ask, b.bid / a.ask) > 1.002) wide += 1;
      }
      return wide / samples;
    };
    expect(share(0)).toBe(0);
    expect(share(60)).toBeGreaterThan(0.02);
    expect(share(60)).toBeLessThan(0.7);
  });

  it('answers as an overrun or broken venue when told, for as many requests as told', () => {
    const { simulator } = virtualRun(14, { symbols: ['BTC/USDT', 'BTC/USDT:USDT'] });
    const time = (path: string): { status: number; headers: Readonly<Record<string, string>>; body: string } =>
      simulator.request({ method: 'GET', path, headers: {}, body: '' });
    simulator.fault({ venue: 'binance', market: 'usdm', kind: 'rate-limited', count: 2, ms: 3_000 });
    expect(time('/binance/spot/api/v3/time').status).toBe(200);
    expect(time('/binance/usdm/fapi/v1/time')).toMatchObject({ status: 429, headers: { 'retry-after': '3' } });
    expect(time('/binance/usdm/fapi/v1/time').status).toBe(429);
    expect(time('/binance/usdm/fapi/v1/time').status).toBe(200);
    simulator.fault({ venue: 'kraken', kind: 'server-error' });
    expect(time('/kraken/0/public/Time').status).toBe(503);
    expect(time('/kraken/0/public/Time').status).toBe(200);
    simulator.fault({ venue: 'okx', kind: 'rate-limited' });
    expect(JSON.parse(time('/okx/api/v5/public/time').body)).toMatchObject({ code: '50011' });
    expect(time('/nowhere').status).toBe(404);
  });

  it('breaks the sockets of one market, and refuses new ones for as long as told', () => {
    const { simulator, forward } = virtualRun(15);
    const spot = socketTo(simulator, '/binance/spot/ws');
    const usdm = socketTo(simulator, '/binance/usdm/public/ws');
    simulator.fault({ venue: 'binance', market: 'usdm', kind: 'disconnect', duration_ms: 5_000 });
    expect([spot.closes, usdm.closes]).toEqual([[], [1006]]);
    expect(socketTo(simulator, '/binance/usdm/public/ws').closes).toEqual([1008]);
    expect(socketTo(simulator, '/binance/spot/ws').closes).toEqual([]);
    forward(5_001);
    expect(socketTo(simulator, '/binance/usdm/public/ws').closes).toEqual([]);
  });

  it('counts request weight as Binance does, and refuses beyond it', () => {
    const { simulator, forward } = virtualRun(16, { symbols: ['BTC/USDT'] });
    const statuses = Array.from({ length: 310 }, () =>
      simulator.request({ method: 'GET', path: '/binance/spot/api/v3/exchangeInfo', headers: {}, body: '' }),
    );
    expect(statuses[0]!.headers['x-mbx-used-weight-1m']).toBe('20');
    expect(statuses.filter(({ status }) => status === 200)).toHaveLength(300);
    expect(Number(statuses.at(-1)!.headers['retry-after'])).toBeGreaterThan(0);
    forward(60_000);
    expect(get(simulator, '/binance/spot/api/v3/time')).toHaveProperty('serverTime');
  });
});
