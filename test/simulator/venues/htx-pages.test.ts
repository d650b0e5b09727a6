import { expect, it } from 'vitest';
import { venues } from '#hotpath/venues/index.ts';
import type { VenueFill } from '#hotpath/venues/venue-account.ts';
import { DEFAULT_ACCOUNT } from '#simulator/accounts.ts';
import { AccountSimulation, listedOf } from '#test/support/account-simulation.ts';

const TRADES = 131;

it('tells of every trade, however many pages that are', () => {
  const venue = venues.find(({ id }) => id === 'htx')!;
  const account = venue.accounts!.find(({ id }) => id === 'swap')!;
  const made = new AccountSimulation(venue, account, listedOf(venue, account)[0]!);
  const owner = made.exchange.ledger.byKey(DEFAULT_ACCOUNT.apiKey)!;
  const terms = { type: 'market', timeInForce: 'IOC', postOnly: false, price: undefined, qtyIn: 'base' } as const;
  for (let at = 0; at < TRADES; at += 1) {
    const side = at % 2 === 0 ? 'buy' : 'sell';
    const draft = {
      account: owner,
      listing: made.listing,
      clientOrderId: undefined,
      side,
      qty: '1',
      ...terms,
    } as const;
    expect(made.exchange.place(draft).kind).toBe('placed');
  }
  const traded = made.orders().flatMap(({ trades }) => trades);
  expect(traded.length).toBeGreaterThanOrEqual(TRADES);
  let told: readonly VenueFill[] | undefined;
  made.gateway.askFills(0, (fills) => (told = fills));
  made.forward(10_000);
  expect(new Set(told?.map(({ tradeId }) => tradeId)).size).toBe(traded.length);
  made.gateway.stop();
});
