import { describe, expect, it } from 'vitest';
import { feesFrom } from '#hotpath/execute/account/account-fees.ts';
import { endpointsFrom } from '#hotpath/feed/endpoint.ts';
import { bybit } from '#hotpath/venues/bybit.ts';
import { deribit } from '#hotpath/venues/deribit.ts';
import { venues } from '#hotpath/venues/index.ts';
import { loadConfig } from '#shared/config/load.ts';
import { amountOf } from '#shared/money/grid.ts';
import { fixturesOf } from '#test/support/venue-fixture.ts';

const listed = venues.flatMap((venue) =>
  fixturesOf(venue).flatMap(({ market, bodies }) => market.instruments.parse(bodies, market.defaultFees)),
);

describe('what a settlement costs', () => {
  it('is known of every instrument that has one', () => {
    const kinds = ['future', 'option'];
    const settled = listed.filter(({ kind }) => kinds.includes(kind));
    expect(new Set(settled.map(({ kind }) => kind))).toEqual(new Set(kinds));
    for (const { id, fees } of settled) expect(fees.delivery?.lt('0.001'), id).toBe(true);
  });

  it('is for options beside a fee of the underlying that the premium caps', () => {
    for (const { id, kind, fees } of listed) {
      if (kind !== 'option') expect(fees.premiumShareMax, id).toBeUndefined();
      else expect(fees.premiumShareMax?.gt(0) === true && fees.premiumShareMax.lte('0.125'), id).toBe(true);
    }
  });

  it('is nothing for Deribit’s weekly futures and daily options', () => {
    const entry = { instrument_name: 'X', base_currency: 'BTC', quote_currency: 'USD', settlement_currency: 'BTC' };
    const grid = { tick_size: 2.5, min_trade_amount: 10, expiration_timestamp: Date.UTC(2026, 11, 25, 8) };
    const option = { kind: 'option', strike: 60_000, option_type: 'call' };
    const deliveryOf = (market: string, change: object): string | undefined => {
      const { instruments, defaultFees } = deribit.markets.find(({ id }) => id === market)!;
      const body = JSON.stringify({ result: [{ ...entry, ...grid, ...change }] });
      return instruments.parse([body], defaultFees)[0]!.fees.delivery?.toFixed();
    };
    expect(deliveryOf('futures', { kind: 'future', settlement_period: 'month' })).toBe('0.00025');
    expect(deliveryOf('futures', { kind: 'future', settlement_period: 'week' })).toBe('0');
    expect(deliveryOf('options', { ...option, settlement_period: 'week' })).toBe('0.00015');
    expect(deliveryOf('options', { ...option, settlement_period: 'day' })).toBe('0');
  });

  it('is what Bybit’s listing says, where it says something', () => {
    const { instruments, defaultFees } = bybit.markets.find(({ id }) => id === 'linear')!;
    const deliveryOf = (deliveryFeeRate: string | null | undefined): string | undefined => {
      const entry = {
        symbol: 'BTCUSDT-25DEC26',
        contractType: 'LinearFutures',
        status: 'Trading',
        baseCoin: 'BTC',
        quoteCoin: 'USDT',
        settleCoin: 'USDT',
        deliveryTime: String(Date.UTC(2026, 11, 25, 8)),
        priceFilter: { tickSize: '0.1' },
        lotSizeFilter: { qtyStep: '0.001' },
        deliveryFeeRate,
      };
      const body = JSON.stringify({ retCode: 0, result: { list: [entry] } });
      return instruments.parse([body], defaultFees)[0]!.fees.delivery?.toFixed();
    };
    expect([deliveryOf('0.0004'), deliveryOf(''), deliveryOf(null), deliveryOf(undefined)]).toEqual([
      '0.0004',
      '0.0005',
      '0.0005',
      '0.0005',
    ]);
  });

  it('stays when the configuration or the account says other trading fees', () => {
    const config = loadConfig({ dir: 'config', env: {} });
    const configured = endpointsFrom({ ...config, venues: { okx: { enabled: true, taker_fee: '0.0001' } } }, venues);
    const options = configured.find(({ venue, market }) => venue.id === 'okx' && market.id === 'options')!;
    expect(options.fees).toMatchObject({ ...options.market.defaultFees, taker: amountOf('0.0001') });
    const option = listed.find(({ kind }) => kind === 'option')!;
    const told = feesFrom(option, [{ market: option.market, maker: amountOf(0), taker: amountOf(0) }]);
    expect(told).toEqual({ ...option.fees, maker: amountOf(0), taker: amountOf(0) });
  });

  it('is counted by a premium in coin where the venue settles in coin', () => {
    const inCoin = listed.filter(({ kind, settle, base }) => kind === 'option' && settle === base);
    expect(new Set(inCoin.map(({ venue }) => venue)).size).toBeGreaterThan(1);
    for (const { id, quote, base } of inCoin) expect(quote, id).toBe(base);
  });
});
