import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { RouteLeg } from '#shared/domain/route.ts';
import { amountOf } from '#shared/money/grid.ts';
import { legFeeOf } from '#shared/quant/leg-value.ts';
import type { CommonStep } from '#hotpath/size/common-step.ts';
import { commonStepOf } from '#hotpath/size/common-step.ts';
import { listing } from '#test/support/options.ts';
import { at } from './sum-scene.ts';

type Part = {
  readonly listed: Instrument;
  readonly ratio: number;
  readonly unit?: RouteLeg['unit'];
  readonly side?: RouteLeg['side'];
};

const stepOf = (parts: readonly Part[]): CommonStep | undefined =>
  commonStepOf(
    parts.map(({ listed, ratio, unit, side = 'sell' }) => ({
      instrument: at(0),
      side,
      ratio,
      ...(unit === undefined ? {} : { unit }),
      listing: listed,
      fees: listed.fees,
      fee: legFeeOf(listed),
      underlying: 1,
    })),
  );

const linear = (lot: string, contractSize: string): Instrument =>
  listing('a:BTC/USDT:USDT', { lot: amountOf(lot), contractSize: amountOf(contractSize) });
const inverse = (lot: string, contractSize: string): Instrument =>
  listing('a:BTC/USD:BTC', { lot: amountOf(lot), contractSize: amountOf(contractSize) });
const coin = (fee: string, currency: 'received' | 'quote'): Instrument =>
  listing('a:BTC/USDT', {
    lot: amountOf('0.001'),
    fees: { maker: amountOf(0), taker: amountOf(fee), currency },
  });

const told = (step: CommonStep | undefined): readonly (string | undefined)[] => [
  step?.units.toFixed(),
  ...(step?.lots.map((lots) => lots?.toFixed()) ?? []),
];

describe('the common step', () => {
  it('is the least of which every leg takes whole lots', () => {
    expect(
      told(
        stepOf([
          { listed: linear('1', '0.01'), ratio: 1 },
          { listed: linear('1', '0.015'), ratio: 1 },
        ]),
      ),
    ).toEqual(['0.03', '3', '2']);
    expect(
      told(
        stepOf([
          { listed: linear('0.1', '1'), ratio: 1 },
          { listed: linear('0.001', '1'), ratio: 1 },
        ]),
      ),
    ).toEqual(['0.1', '1', '100']);
    const hedged = stepOf([
      { listed: linear('0.1', '1'), ratio: 1 },
      { listed: inverse('1', '10'), ratio: 60_000, unit: 'quote' },
    ]);
    expect(told(hedged)).toEqual(['0.1', '1', '600']);
    expect(hedged!.coarsest).toBe(0);
  });

  it('takes the quotient of two strikes for the fraction that it is', () => {
    const strikes = fc.tuple(fc.integer({ min: 1, max: 2_000 }), fc.integer({ min: 1, max: 2_000 }));
    fc.assert(
      fc.property(strikes, fc.constantFrom('1', '0.1', '0.01'), ([a, b], lot) => {
        const [low, high] = a < b ? [a, b] : [b, a];
        const step = stepOf([
          { listed: linear(lot, '1'), ratio: 1 },
          { listed: linear(lot, '1'), ratio: (low * 50) / (high * 50) },
        ])!;
        const [first, second] = step.lots;
        // Lots go as the strikes do, and no smaller ones do.
        expect(second!.times(high).eq(first!.times(low))).toBe(true);
        expect(first!.toNumber()).toBe(high / greatestCommonDivisor(low, high));
        expect(step.units.eq(first!.times(lot))).toBe(true);
      }),
    );
  });

  it('asks nothing of legs whose units depend on a price or on a fee', () => {
    expect(stepOf([{ listed: inverse('1', '100'), ratio: 1 }])).toBeUndefined();
    expect(stepOf([{ listed: coin('0.001', 'quote'), ratio: 60_000, unit: 'quote' }])).toBeUndefined();
    expect(
      told(
        stepOf([
          { listed: coin('0.001', 'received'), ratio: 1, side: 'buy' },
          { listed: linear('1', '0.01'), ratio: 1 },
        ]),
      ),
    ).toEqual(['0.01', undefined, '1']);
    expect(told(stepOf([{ listed: coin('0.001', 'quote'), ratio: 1, side: 'buy' }]))).toEqual(['0.001', '1']);
    expect(told(stepOf([{ listed: coin('0', 'received'), ratio: 1, side: 'buy' }]))).toEqual(['0.001', '1']);
  });

  it('grows beyond all use where a ratio is no fraction of small numbers', () => {
    const step = stepOf([
      { listed: linear('0.1', '1'), ratio: 1 },
      { listed: linear('0.1', '1'), ratio: Math.SQRT1_2 },
    ])!;
    expect(step.units.toNumber()).toBeGreaterThan(1e9);
  });
});

const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b));
