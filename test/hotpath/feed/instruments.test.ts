import { describe, expect, it } from 'vitest';
import type { Endpoint } from '#hotpath/feed/endpoint.ts';
import { endpointsFrom } from '#hotpath/feed/endpoint.ts';
import { loadInstruments } from '#hotpath/feed/instruments.ts';
import { silentLogger } from '#hotpath/runtime/logger.ts';
import { venues } from '#hotpath/venues/index.ts';
import { mexc } from '#hotpath/venues/mexc.ts';
import { okx } from '#hotpath/venues/okx.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { textOf } from '#shared/money/grid.ts';
import { randomFrom } from '#shared/random.ts';
import type { Config } from '#shared/schema/config.ts';
import { endpointOf, respond, ScriptedTransport } from './scripted-venue.ts';

const config = loadConfig({ dir: 'config', env: {} });
const configWith = (changed: Config['venues']): Config => ({ ...config, venues: changed });
const namesOf = (endpoints: readonly Endpoint[]) => endpoints.map(({ venue, market }) => `${venue.id}:${market.id}`);

describe('endpoints', () => {
  it('are every market of every enabled venue, with configured fees', () => {
    const endpoints = endpointsFrom(config, venues);
    const asked = config.engine.venues.map((id) => venues.find((venue) => venue.id === id)!);
    expect(namesOf(endpoints)).toEqual(
      asked.flatMap(({ id, markets }) => markets.map((market) => `${id}:${market.id}`)),
    );
    const kraken = endpoints.find(({ venue }) => venue.id === 'kraken')!;
    expect([textOf(kraken.fees.maker), textOf(kraken.fees.taker), kraken.fees.currency]).toEqual([
      '0.001',
      '0.0016',
      'quote',
    ]);
  });

  it('are reached through another address, each of them', () => {
    const through = { ...config.venues, okx: { enabled: true, via: 'http://127.0.0.1:8091' } };
    const reached = endpointsFrom(configWith(through), venues).filter(({ venue }) => venue.id === 'okx');
    expect(reached.length).toBeGreaterThan(1);
    for (const { wsUrl, restUrl, streams } of reached) {
      expect(wsUrl).toBe('ws://127.0.0.1:8091/ws.okx.com:8443/ws/v5/public');
      for (const { url } of streams) expect(url).toMatch(/^ws:[/]{2}127[.]0[.]0[.]1:8091[/]ws[.]okx[.]com:8443[/]/);
      expect(restUrl).toBe('http://127.0.0.1:8091/www.okx.com');
    }
  });

  it('leave out what is disabled or not asked for', () => {
    const endpoints = endpointsFrom(
      configWith({
        binance: { enabled: false },
        okx: { enabled: true, markets: ['swap'] },
        deribit: { enabled: false },
      }),
      venues,
    );
    expect(namesOf(endpoints)).toEqual(['okx:swap', 'kraken:spot']);
  });

  it.each([
    [{ engine: { ...config.engine, venues: ['nowhere'] } }, 'unknown venue "nowhere" (known: binance, okx, kraken, '],
    [{ venues: { okx: { enabled: true, markets: ['moon'] } } }, 'venue "okx" has no market "moon"'],
  ])('refuse what nobody has described: %#', (changed, message) => {
    expect(() => endpointsFrom({ ...config, ...changed }, venues)).toThrow(message);
  });
});

const listed = (instId: string, more: object = {}) => ({
  instId,
  instType: 'SPOT',
  baseCcy: instId.split('-')[0],
  quoteCcy: instId.split('-')[1],
  tickSz: '0.1',
  lotSz: '0.001',
  minSz: '0.01',
  ctVal: '',
  ctMult: '',
  ctType: '',
  ctValCcy: '',
  settleCcy: '',
  state: 'live',
  expTime: '',
  ...more,
});

/** Starts loading against venues that the test plays; `run` lets time pass. */
function loading(symbols: readonly string[], endpoints: readonly Endpoint[] = [endpointOf(okx, 'spot')]) {
  const clock = new VirtualClock(0n);
  const transport = new ScriptedTransport(clock);
  const outside = { clock, transport, random: randomFrom(1), logger: silentLogger };
  const loaded = loadInstruments(outside, endpoints, symbols);
  // The test looks at the outcome later.
  loaded.catch(() => undefined);
  const run = (ms: number) => clock.runUntil(clock.now() + ms * 1e6);
  run(0);
  return { loaded, transport, run };
}

describe('instruments', () => {
  it('are those of the configured symbols that trade, in the order of the configuration', async () => {
    const { loaded, transport } = loading(['ETH/USDT', 'SOL/USDT', 'BTC/USDT', 'XRP/USDT']);
    expect(transport.requests.map(({ request }) => request.url)).toEqual([
      'https://www.okx.com/api/v5/public/instruments?instType=SPOT',
    ]);
    const data = [
      listed('BTC-USDT'),
      listed('DOGE-USDT'),
      listed('ETH-USDT'),
      listed('SOL-USDT', { state: 'suspend' }),
    ];
    transport.requests[0]!.answer(respond(200, { code: '0', data }));
    expect((await loaded).map(({ id }) => id)).toEqual(['okx:ETH/USDT', 'okx:BTC/USDT']);
  });

  it('are asked for again while the venue is limited or down', async () => {
    const { loaded, transport, run } = loading(['BTC/USDT']);
    transport.requests[0]!.answer(respond(429, {}, { 'retry-after': '3' }));
    run(2_900);
    expect(transport.requests).toHaveLength(1);
    run(1_000);
    transport.requests[1]!.answer({ kind: 'failure', cause: 'timeout', text: 'timeout' });
    run(2_000);
    transport.requests[2]!.answer(respond(200, { code: '0', data: [listed('BTC-USDT')] }));
    expect(await loaded).toHaveLength(1);
  });

  it('are asked for at once, of all venues', () => {
    const every = { ...config, engine: { ...config.engine, venues: venues.map(({ id }) => id) } };
    const endpoints = endpointsFrom(every, venues);
    const { transport } = loading(['BTC/USDT'], endpoints);
    expect(transport.requests.map(({ request }) => request.url).sort()).toEqual(
      endpoints.flatMap(({ market, restUrl }) => market.instruments.paths.map((path) => restUrl + path)).sort(),
    );
  });

  it('are not waited for elsewhere when one venue asks for a pause', async () => {
    const { loaded, transport, run } = loading(['BTC/USDT'], [endpointOf(okx, 'spot'), endpointOf(mexc, 'spot')]);
    const [first, second] = transport.requests;
    first!.answer(respond(429, {}, { 'retry-after': '60' }));
    second!.answer({ kind: 'failure', cause: 'timeout', text: 'timeout' });
    run(5_000);
    expect(transport.requests.map(({ request }) => new URL(request.url).host)).toEqual([
      'www.okx.com',
      'api.mexc.com',
      'api.mexc.com',
    ]);
    run(60_000);
    expect(transport.requests).toHaveLength(4);
    transport.requests[3]!.answer(respond(404));
    await expect(loaded).rejects.toThrow('okx spot');
  });

  it('are given up for after so many attempts, in one line that names venue and market', async () => {
    const { loaded, transport, run } = loading(['BTC/USDT']);
    for (let attempt = 0; attempt < 6; attempt += 1) {
      transport.requests[attempt]!.answer(respond(502));
      run(30_000);
    }
    await expect(loaded).rejects.toThrow('okx spot: cannot load instruments: HTTP 502, 6 attempts');
    expect(transport.requests).toHaveLength(6);
  });

  it.each([
    [respond(200, '<html>'), 'okx spot: cannot read instruments: '],
    [respond(404), 'okx spot: cannot load instruments: HTTP 404'],
    [
      respond(200, { code: '0', data: [listed('DOGE-USDT')] }),
      'no venue lists any of the configured symbols: BTC/USDT',
    ],
  ])('are refused with one line: %#', async (answer, message) => {
    const { loaded, transport } = loading(['BTC/USDT']);
    transport.requests[0]!.answer(answer);
    await expect(loaded).rejects.toThrow(message);
    await expect(loaded).rejects.toMatchObject({ name: 'BadInput' });
  });
});
