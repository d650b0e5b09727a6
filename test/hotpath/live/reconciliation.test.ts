import { Decimal } from 'decimal.js';
import { expect, it } from 'vitest';
import type { Found, Memory, Reconciled } from '#hotpath/live/reconciliation.ts';
import { reconcileAccount } from '#hotpath/live/reconciliation.ts';
import type { VenueFill } from '#hotpath/venues/venue-account.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import { BTC, orderOf } from '#test/support/account-rig.ts';

const AT_MS = 1_795_219_200_000;

/** What is found where these orders have traded, so long before the last event: the journal knows `ours`, and none of its trades. */
function foundOf(
  fills: readonly (readonly [clientOrderId: string, agoMs: number, forced?: 'adl'])[],
): Found | undefined {
  const traded = fills.map(([clientOrderId, agoMs, forced], at): VenueFill => ({
    ...(forced === undefined ? {} : { forced }),
    venueSymbol: BTC.venueSymbol,
    clientOrderId,
    venueOrderId: `v${String(at)}`,
    tradeId: `t${String(at)}`,
    side: 'buy',
    price: new Decimal(100),
    qty: new Decimal(1),
    fee: new Decimal(0),
    feeAsset: 'USDT',
    liquidity: 'taker',
    timeMs: AT_MS - agoMs,
  }));
  const account: Reconciled = {
    venue: BTC.venue,
    instruments: [BTC],
    venueClientId: (id) => id,
    gateway: {
      askOpenOrders: (done) => done([]),
      askFills: (sinceMs, done) => done(traded.filter(({ timeMs }) => timeMs >= sinceMs)),
      cancelStranger: () => undefined,
    },
  };
  const request = orderOf({ clientOrderId: 'ours' as ClientOrderId });
  const memory: Memory = {
    openOperations: [],
    recentOrders: new Map([[request.clientOrderId, { request, venueOrderId: undefined, sentMs: AT_MS - 55_000 }]]),
    recentTrades: new Set(),
    atMs: AT_MS,
  };
  let found: Found | undefined;
  reconcileAccount(account, memory, (told) => (found = told));
  return found;
}

it('finds what an order traded while nobody was told, up to a minute before the last event', () => {
  expect(foundOf([['ours', 50_000]])).toEqual({ strange: [], late: ['ours'], forced: [] });
  expect(foundOf([['ours', 61_000]])).toEqual({ strange: [], late: [], forced: [] });
});

it('finds what the venue has traded by itself: it is nobody’s order, and nothing strange', () => {
  const found = foundOf([['', 1_000, 'adl']]);
  expect(found).toMatchObject({
    strange: [],
    late: [],
    forced: [{ instrument: BTC.id, tradeId: 't0', forced: 'adl' }],
  });
});

it('calls strange only what the journal cannot have forgotten', () => {
  const found = foundOf([
    ['of a forgotten operation', 50_000],
    ['of nobody', 1_000],
  ]);
  expect(found?.late).toEqual([]);
  expect(found?.strange.map(({ id }) => id)).toEqual(['of nobody']);
});
