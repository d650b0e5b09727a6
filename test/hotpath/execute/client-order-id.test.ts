import fc from 'fast-check';
import { expect, it } from 'vitest';
import { clientOrderIdFrom, clientOrderIdParts } from '#hotpath/execute/client-order-id.ts';
import { Bug } from '#shared/assert.ts';

const parts = fc.record({
  epoch: fc.integer({ min: 0, max: 36 ** 4 - 1 }),
  ordinal: fc.integer({ min: 0, max: 36 ** 6 - 1 }),
  leg: fc.integer({ min: 0, max: 35 }),
  attempt: fc.integer({ min: 0, max: 35 }),
});

it('says and reads back where an order belongs, within what every venue accepts', () => {
  fc.assert(
    fc.property(parts, (of) => {
      const id = clientOrderIdFrom(of);
      expect(id).toMatch(/^[a-z][a-z0-9]{0,17}$/);
      expect(clientOrderIdParts(id)).toEqual(of);
    }),
  );
});

it('does not take a foreign id for ours', () => {
  for (const id of ['', 'a', 'x-123', 'b000100000a00', 'a000100000a00x', 'A000100000A00']) {
    expect(clientOrderIdParts(id)).toBeUndefined();
  }
});

it('refuses a part that does not fit', () => {
  expect(() => clientOrderIdFrom({ epoch: 1, ordinal: 1, leg: 36, attempt: 0 })).toThrow(Bug);
  expect(() => clientOrderIdFrom({ epoch: -1, ordinal: 1, leg: 0, attempt: 0 })).toThrow(Bug);
});
