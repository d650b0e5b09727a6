import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isAtRest, statusAfter } from '#hotpath/execute/order-status.ts';
import type { OrderStatus } from '#shared/domain/order.ts';

const all: readonly OrderStatus[] = [
  'submitted',
  'unknown',
  'accepted',
  'partially-filled',
  'filled',
  'canceled',
  'rejected',
  'expired',
];

it('never lets an order live again: after the last word only a fill that was under way is believed', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...all)), (reports) => {
      let status: OrderStatus = 'submitted';
      for (const reported of reports) {
        const after = statusAfter(status, reported);
        if (after === 'anomaly') continue;
        if (isAtRest(status)) expect(['partially-filled', 'filled']).toContain(after);
        expect(after).not.toBe('submitted');
        status = after;
      }
    }),
  );
});

it('ends for good when filled or rejected', () => {
  for (const reported of all) {
    expect(statusAfter('filled', reported)).toBe('anomaly');
    expect(statusAfter('rejected', reported)).toBe('anomaly');
  }
  expect(statusAfter('unknown', 'accepted')).toBe('accepted');
  expect(statusAfter('canceled', 'filled')).toBe('filled');
});
