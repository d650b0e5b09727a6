import fc from 'fast-check';
import { expect, it } from 'vitest';
import { clientOrderIdFrom, clientOrderIdParts, epochBefore } from '#hotpath/execute/client-order-id.ts';
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

it('begins a new live journal where no earlier life can have been', () => {
  const [noon, later] = ['2026-11-21T12:00:00Z', '2026-11-21T12:01:00Z'].map((text) => Date.parse(text));
  expect(epochBefore(0, 'live', noon!)).toBe((324 * 24 + 12) * 60);
  expect(epochBefore(0, 'live', later!)).toBe(epochBefore(0, 'live', noon!) + 1);
  expect(epochBefore(5, 'live', later!)).toBe(5);
  expect([epochBefore(0, 'paper', noon!), epochBefore(0, 'shadow', noon!), epochBefore(0, 'live', 0)]).toEqual([
    0, 0, 0,
  ]);
  // Also in years in which the minutes are more than the digits hold, with a start a second for a day.
  fc.assert(
    fc.property(fc.integer({ min: noon!, max: Date.UTC(2100, 0) }), (unixMs) => {
      const epoch = epochBefore(0, 'live', unixMs) + 86_400;
      expect(clientOrderIdFrom({ epoch, ordinal: 0, leg: 0, attempt: 0 })).toHaveLength(13);
    }),
  );
});
