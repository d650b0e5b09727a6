import { Decimal } from 'decimal.js';
import { describe, expect, it } from 'vitest';
import { bitfinex } from '#hotpath/venues/bitfinex.ts';
import { bybit } from '#hotpath/venues/bybit.ts';
import { deribit } from '#hotpath/venues/deribit.ts';
import { krakenfutures } from '#hotpath/venues/krakenfutures.ts';
import { mexc } from '#hotpath/venues/mexc.ts';
import { okx } from '#hotpath/venues/okx.ts';
import type { AccountContext, AccountEvent } from '#hotpath/venues/venue-account.ts';
import { DEFAULT_ACCOUNT } from '#simulator/accounts.ts';
import { instrumentsAt } from './our-client.ts';
import { ORIGIN_MS, socketTo, virtualRun } from './venue-client.ts';

const { apiKey, secret, passphrase } = DEFAULT_ACCOUNT;
const CONTEXT: AccountContext = {
  credentials: { apiKey, secret, passphrase },
  nowMs: ORIGIN_MS,
  nonce: ORIGIN_MS * 1_000,
  facts: {},
  marginMode: 'cross',
  leverage: 1,
};

/** A perpetual with a position of one lot, and how to pay for it. */
function holding(venue: string, symbol: string) {
  const run = virtualRun(71, { venues: [venue], dislocations_per_minute: 0 });
  const { simulator } = run;
  const exchange = simulator.exchange(venue);
  const account = exchange.ledger.byKey(apiKey)!;
  const listing = exchange.listings.find((each) => each.symbol === symbol)!;
  exchange.ledger.trade(account, listing, 'buy', { price: 90_000 * 10 ** listing.priceDecimals, lots: 1 });
  const fund = (): void => exchange.fund(listing, new Decimal('-0.01'), new Decimal(90_000));
  const total = (): string => account.balance(listing.wallet, listing.settle).total.toFixed();
  return { run, simulator, listing, fund, total };
}

describe('funding', () => {
  it.each([
    { name: 'Bitfinex', venue: bitfinex, symbol: 'BTC/USDT:USDT' },
    { name: 'Bybit', venue: bybit, symbol: 'BTC/USDT:USDT' },
    { name: 'Deribit', venue: deribit, symbol: 'BTC/USDC:USDC' },
    { name: 'Kraken', venue: krakenfutures, symbol: 'BTC/USD:USD' },
    { name: 'MEXC', venue: mexc, symbol: 'BTC/USDT:USDT' },
    { name: 'OKX', venue: okx, symbol: 'BTC/USDT:USDT' },
  ])('is told on the private stream of $name', ({ venue, symbol }) => {
    const { run, simulator, listing, fund, total } = holding(venue.id, symbol);
    const account = venue.accounts!.find(({ markets }) => markets.includes(listing.market))!;
    const market = venue.markets.find(({ id }) => id === listing.market)!;
    const instruments = instrumentsAt(run, market).filter((each) => each.symbol === symbol);
    const socket = account.sockets[0]!;
    const wire = socketTo(simulator, socket.wsUrl.replace(/^\w+:\//, ''));
    const events = (): readonly AccountEvent[] => wire.take().flatMap((frame) => socket.decode(Buffer.from(frame)));
    for (const text of socket.login(CONTEXT, '')) wire.send(text);
    const challenge = events().find(({ kind }) => kind === 'challenge');
    if (challenge?.kind === 'challenge') for (const text of socket.prove!(challenge.text, CONTEXT)) wire.send(text);
    for (const text of socket.subscribe(instruments, CONTEXT, '')) wire.send(text);
    wire.take();
    const before = total();
    fund();
    expect(total()).not.toBe(before);
    const balances = events().flatMap((event) => (event.kind === 'balance' ? [event.balance] : []));
    const told = balances.findLast(({ asset }) => asset === listing.settle);
    expect(told?.total.toFixed()).toBe(total());
  });

  it('is an account update on Binance', () => {
    const { simulator, fund, total } = holding('binance', 'BTC/USDT:USDT');
    const headers = { 'x-mbx-apikey': apiKey };
    const { body } = simulator.request({ method: 'POST', path: '/binance/usdm/fapi/v1/listenKey', headers, body: '' });
    const { listenKey } = JSON.parse(body) as { listenKey: string };
    const wire = socketTo(simulator, `/binance/usdm/private/ws/${listenKey}`);
    fund();
    expect(wire.take().map((frame) => JSON.parse(frame) as unknown)).toMatchObject([
      { e: 'ACCOUNT_UPDATE', a: { m: 'FUNDING_FEE', B: [{ a: 'USDT', wb: new Decimal(total()).toFixed(8) }] } },
    ]);
  });
});
