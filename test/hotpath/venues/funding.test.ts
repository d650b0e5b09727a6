import { describe, expect, it } from 'vitest';
import { venues } from '#hotpath/venues/index.ts';
import type { Funding } from '#shared/domain/instrument.ts';
import { fixturesOf } from '#test/support/venue-fixture.ts';

const HOUR_MS = 3_600_000;

/** Of what the fixture lists, with some bodies replaced. */
function fundingIn(venueId: string, marketId: string, replaced: Readonly<Record<number, string>> = {}) {
  const venue = venues.find(({ id }) => id === venueId)!;
  const { market, bodies } = fixturesOf(venue).find((fixture) => fixture.market.id === marketId)!;
  const instruments = market.instruments.parse(
    bodies.map((body, at) => replaced[at] ?? body),
    market.defaultFees,
  );
  return (symbol: string): Funding | undefined => instruments.find((each) => each.symbol === symbol)!.funding;
}

describe('how a perpetual pays funding', () => {
  it.each([
    ['bitfinex', 'swap', 'BTC/USDT:USDT', { intervalMs: 8 * HOUR_MS }],
    ['bybit', 'linear', 'BTC/USDT:USDT', { intervalMs: 8 * HOUR_MS }],
    ['deribit', 'swap', 'BTC/USD:BTC', { intervalMs: 8 * HOUR_MS, flows: true }],
    ['gate', 'usdt', 'BTC/USDT:USDT', { intervalMs: 8 * HOUR_MS, paidMs: 1_541_664_000_000 }],
    ['htx', 'swap', 'PEPE/USDT:USDT', { intervalMs: 4 * HOUR_MS }],
    ['krakenfutures', 'futures', 'BTC/USD:USD', { intervalMs: HOUR_MS }],
    ['mexc', 'futures', 'BTC/USDT:USDT', { intervalMs: 8 * HOUR_MS, paidMs: 1_790_006_400_000 }],
  ] as const)('%s %s %s', (venue, market, symbol, funding) => {
    expect(fundingIn(venue, market)(symbol)).toEqual(funding);
  });

  it.each(['usdm', 'coinm'])('is every eight hours on Binance %s where nothing was adjusted', (market) => {
    const symbol = market === 'usdm' ? 'BTC/USDT:USDT' : 'BTC/USD:BTC';
    const adjusted = (hours: number): string =>
      JSON.stringify([{ symbol: market === 'usdm' ? 'BTCUSDT' : 'BTCUSD_PERP', fundingIntervalHours: hours }]);
    expect(fundingIn('binance', market, { 1: '[]' })(symbol)).toEqual({ intervalMs: 8 * HOUR_MS });
    expect(fundingIn('binance', market, { 1: adjusted(4) })(symbol)).toEqual({ intervalMs: 4 * HOUR_MS });
    expect(fundingIn('binance', market)(`${symbol}-261225`)).toBeUndefined();
  });

  it('is unknown where a list leaves it out', () => {
    const [rates, elements] = ['{"success":true,"data":[]}', '{"status":"ok","data":[{"contract_code":"BTC-USDT"}]}'];
    expect(fundingIn('mexc', 'futures', { 1: rates })('BTC/USDT:USDT')).toBeUndefined();
    expect(fundingIn('htx', 'swap', { 1: elements })('BTC/USDT:USDT')).toBeUndefined();
    expect(fundingIn('mexc', 'futures')('PEPE/USDT:USDT')).toBeUndefined();
  });

  it.each([
    ['binance', 'usdm'],
    ['binance', 'coinm'],
    ['mexc', 'futures'],
    ['htx', 'swap'],
  ])('is refused on %s %s when its list is none', (venue, market) => {
    expect(() => fundingIn(venue, market, { 1: '<html>' })).toThrow(new RegExp(venue));
  });
});
