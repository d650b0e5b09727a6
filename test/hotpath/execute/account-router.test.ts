import { Decimal } from 'decimal.js';
import { expect, it } from 'vitest';
import { AccountRouter } from '#hotpath/execute/account-router.ts';
import type { ClientOrderId, InstrumentId } from '#shared/domain/ids.ts';
import type { OrderGateway } from '#shared/domain/order.ts';
import type { Price, Qty } from '#shared/money/grid.ts';
import { orderOf } from '#test/support/account-rig.ts';

it('sends each order where its instrument is traded, in one call each, and asks there about it', () => {
  const said: string[] = [];
  const gateway = (name: string): OrderGateway => ({
    submit: (orders) => void said.push(`${name} ${orders.map(({ clientOrderId }) => clientOrderId).join(' ')}`),
    cancel: (id) => void said.push(`${name} cancel ${id}`),
    replace: (id) => said.push(`${name} replace ${id}`) > 0,
    probe: (id) => void said.push(`${name} probe ${id}`),
  });
  const gateways: Record<string, OrderGateway> = { a: gateway('a'), b: gateway('b') };
  const router = new AccountRouter(
    (instrument) => gateways[instrument],
    (order) => (order === 'earlier' ? ('b' as InstrumentId) : undefined),
  );
  const order = (id: string, instrument: string) =>
    orderOf({ clientOrderId: id as ClientOrderId, instrument: instrument as InstrumentId });
  router.submit([order('1', 'a'), order('2', 'b'), order('3', 'a')]);
  router.cancel('2' as ClientOrderId);
  router.probe('1' as ClientOrderId);
  router.probe('earlier' as ClientOrderId);
  router.probe('nobody' as ClientOrderId);
  const to = { price: new Decimal(1) as Price, qty: new Decimal(1) as Qty };
  expect(router.replace('3' as ClientOrderId, to)).toBe(true);
  expect(router.replace('nobody' as ClientOrderId, to)).toBe(false);
  expect(said).toEqual(['a 1 3', 'b 2', 'b cancel 2', 'a probe 1', 'b probe earlier', 'a replace 3']);
  expect(() => router.submit([order('4', 'c')])).toThrow(/account trades its instrument/);
});
