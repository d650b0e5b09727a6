import { Decimal } from 'decimal.js';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Comparison } from '#hotpath/recover/verification.ts';
import { Mismatches } from '#hotpath/recover/verification.ts';

const RULES = { tolerance: 5, confirm: 3 };
const compared = (says: number, had: readonly number[], more: Partial<Comparison> = {}): Comparison => ({
  what: 'balance',
  id: 'USDT',
  says: new Decimal(says),
  had: had.map((amount) => new Decimal(amount)),
  unitValue: 1,
  cause: 'somebody',
  ...more,
});
const told = (mismatches: Mismatches, ...comparisons: Comparison[]): string[] =>
  comparisons.flatMap((comparison) =>
    mismatches
      .compare('okx', [comparison])
      .map(({ id, state, ledger, venue_says: says }) => [id, state, ledger, says].join(' ')),
  );

describe('mismatches', () => {
  it('are told once they were seen often enough in a row, and when they are gone', () => {
    const mismatches = new Mismatches(RULES);
    expect(told(mismatches, compared(90, [100]), compared(90, [100]))).toEqual([]);
    expect(told(mismatches, compared(90, [100]))).toEqual(['USDT open 100 90']);
    expect(mismatches.open).toMatchObject([{ venue: 'okx', id: 'USDT', value: '-10', reason: 'somebody' }]);
    expect(told(mismatches, compared(90, [100]))).toEqual([]);
    expect(told(mismatches, compared(90, [90]))).toEqual(['USDT settled 100 90']);
    expect(mismatches.open).toEqual([]);
  });

  it('are none within the tolerance, in the numeraire', () => {
    const mismatches = new Mismatches(RULES);
    const coin = { id: 'BTC', unitValue: 100_000 };
    const small = compared(1.00004, [1], coin);
    expect(told(mismatches, small, small, small)).toEqual([]);
    const large = compared(1.0001, [1], coin);
    expect(told(mismatches, large, large, large)).toEqual(['BTC open 1 1.0001']);
  });

  it('are told however small when nobody can say what they are worth', () => {
    const mismatches = new Mismatches(RULES);
    const strange = compared(1.00001, [1], { unitValue: undefined });
    expect(told(mismatches, strange, strange, strange)).toEqual(['USDT open 1 1.00001']);
    expect(mismatches.open[0]).not.toHaveProperty('value');
  });

  it('begin anew after one comparison that agrees', () => {
    const mismatches = new Mismatches(RULES);
    const wrong = compared(90, [100]);
    expect(told(mismatches, wrong, wrong, compared(100, [100]), wrong, wrong)).toEqual([]);
  });

  it('are not taken for what fills have moved while the venue was asked', () => {
    const mismatches = new Mismatches(RULES);
    const moving = compared(150, [100, 150, 210]);
    expect(told(mismatches, moving, moving, moving, moving)).toEqual([]);
  });

  it('are told to the amount although the account trades all the time', () => {
    const mismatches = new Mismatches(RULES);
    // A thousand are missing; each comparison alone would bear other differences.
    const seen = [
      compared(9_000, [10_000, 10_700]),
      compared(8_400, [10_200, 9_400]),
      compared(12_345, [13_345, 13_000, 12_500]),
    ];
    expect(told(mismatches, ...seen)).toEqual(['USDT open 13345 12345']);
  });

  it('are told by the amount that stays the same, not by one that lies near', () => {
    const mismatches = new Mismatches(RULES);
    const seen = [compared(9_000, [10_000, 9_998]), compared(8_000, [9_000, 8_999]), compared(7_000, [7_997, 8_000])];
    expect(told(mismatches, ...seen)).toEqual(['USDT open 8000 7000']);
  });

  it('find every difference that stays, to the amount, and none that is not there', () => {
    const amounts = fc.array(fc.integer({ min: -50_000, max: 50_000 }), { minLength: 1, maxLength: 5 });
    const rounds = fc.array(fc.tuple(amounts, fc.nat()), { minLength: 3, maxLength: 6 });
    fc.assert(
      fc.property(rounds, fc.constantFrom(0, -4, 7, -1_234, 99_999), (given, missing) => {
        const mismatches = new Mismatches(RULES);
        const events = given.flatMap(([had, pick]) =>
          mismatches.compare('okx', [compared(had[pick % had.length]! + missing, had)]),
        );
        if (Math.abs(missing) <= RULES.tolerance) {
          expect(events).toEqual([]);
          return;
        }
        for (const { state, ledger, venue_says: says } of events) {
          // By chance an amount may stand where the difference leads.
          if (state === 'open' && given.every(([had]) => had.length === 1))
            expect(new Decimal(says).minus(ledger).toNumber()).toBe(missing);
        }
        const isPlain = given.every(([had]) => had.length === 1);
        if (isPlain) expect(events.map(({ state }) => state)).toEqual(['open']);
      }),
    );
  });

  it('remember what an earlier start has told', () => {
    const earlier = new Mismatches(RULES);
    told(earlier, compared(90, [100]), compared(90, [100]), compared(90, [100]));
    const mismatches = new Mismatches(RULES, earlier.open);
    const wrong = compared(90, [100]);
    expect(told(mismatches, wrong, wrong, wrong)).toEqual([]);
    expect(told(mismatches, compared(100, [100]))).toEqual(['USDT settled 100 90']);
  });

  it('are noted once, and settled by whoever deals with them', () => {
    const mismatches = new Mismatches(RULES);
    const order = { venue: 'okx', what: 'order', id: 'a1', ledger: 'none', venue_says: 'open', reason: 'x' } as const;
    expect(mismatches.note(order)).toMatchObject({ state: 'open' });
    expect(mismatches.note(order)).toBeUndefined();
    expect(mismatches.settle(order, 'cancelled')).toMatchObject({ state: 'settled', reason: 'cancelled' });
    expect(mismatches.settle(order, 'cancelled')).toBeUndefined();
  });
});
