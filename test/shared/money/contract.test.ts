import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Contract, FillFacts } from '#shared/money/pnl.ts';
import { flowsOf, pnlOfFill, recomputePnl } from '#shared/money/pnl.ts';
import type { Position } from '#shared/money/position.ts';
import { bookingOf, FLAT, positionAfter } from '#shared/money/position.ts';
import type { EngineEvent } from '#shared/schema/event.ts';

const linear: Contract = {
  instrument: 'v:BTC/USDT:USDT',
  kind: 'perpetual',
  size: new Decimal('0.01'),
  inverse: false,
  settle: 'USDT',
};
const inverse: Contract = {
  instrument: 'v:BTC/USD:BTC',
  kind: 'future',
  size: new Decimal(100),
  inverse: true,
  settle: 'BTC',
};
const call: Contract = { ...linear, instrument: 'v:C', kind: 'option', size: new Decimal('0.1'), right: 'call' };

const trade = (contract: Contract, side: 'buy' | 'sell', qty: Decimal.Value, price: Decimal.Value): FillFacts => ({
  side,
  base: 'BTC',
  quote: contract.inverse ? 'USD' : 'USDT',
  price: new Decimal(price),
  qty: new Decimal(qty),
  fee: new Decimal(0),
  feeAsset: contract.settle,
  contract,
});
const texts = (...values: readonly Decimal[]): string[] => values.map((value) => value.toFixed());

describe('the money of a contract', () => {
  it('is that of the trade in coins for which a future stands', () => {
    const { base, quote } = flowsOf(trade(linear, 'sell', 5, 30_000));
    expect(texts(base, quote)).toEqual(['-0.05', '1500']);
    const turned = flowsOf(trade(inverse, 'buy', 6, 40_000));
    expect(texts(turned.base, turned.quote)).toEqual(['0.015', '-600']);
  });

  it('is that of the option itself against its premium', () => {
    const fill = trade(call, 'buy', 3, 1_500);
    const rates = { USDT: new Decimal(1), 'v:C': new Decimal(160) };
    expect(texts(flowsOf(fill).base, flowsOf(fill).quote)).toEqual(['3', '-450']);
    expect(pnlOfFill(fill, rates).realised.toFixed()).toBe('30');
    expect(() => pnlOfFill(fill, { USDT: new Decimal(1) })).toThrow('no rate for v:C');
  });

  it('moves no cash of a future but its profit and its fee, and the premium of an option', () => {
    const opened = bookingOf(FLAT, { ...trade(linear, 'sell', 5, 30_000), fee: new Decimal('0.75') });
    expect(opened.cash.map(([asset, amount]) => `${asset} ${amount.toFixed()}`)).toEqual(['USDT 0', 'USDT -0.75']);
    const closed = bookingOf(opened.position, trade(linear, 'buy', 2, 29_000));
    expect(closed.cash[0]![1].toFixed()).toBe('20');
    expect(texts(closed.position.size, closed.position.entryPrice, closed.position.realised)).toEqual([
      '-3',
      '30000',
      '19.25',
    ]);
    const bought = bookingOf(FLAT, trade(call, 'buy', 3, 1_500));
    expect(bought.cash[0]!.map(String)).toEqual(['USDT', '-450']);
    expect(bought.exposure[0]!.map(String)).toEqual(['BTC', '0.15']);
  });

  it('averages an inverse entry harmonically', () => {
    const position = [trade(inverse, 'buy', 4, 20_000), trade(inverse, 'buy', 4, 40_000)].reduce(positionAfter, FLAT);
    expect(position.entryPrice.toNumber()).toBeCloseTo(80_000 / 3, 9);
    expect(positionAfter(position, trade(inverse, 'sell', 8, 40_000)).realised.toFixed()).toBe('0.01');
  });

  it('turns over at the price of the fill', () => {
    const turned = [trade(linear, 'buy', 2, 30_000), trade(linear, 'sell', 5, 31_000)].reduce(positionAfter, FLAT);
    expect(texts(turned.size, turned.entryPrice, turned.realised)).toEqual(['-3', '31000', '20']);
  });

  it('comes out as the sum of its flows once it is flat, to the last digit, whatever the way', () => {
    const step = fc.record({
      side: fc.constantFrom('buy' as const, 'sell' as const),
      qty: fc.integer({ min: 1, max: 50 }),
      price: fc.integer({ min: 10_000, max: 90_000 }),
    });
    fc.assert(
      fc.property(fc.constantFrom(linear, inverse, call), fc.array(step, { maxLength: 15 }), (contract, steps) => {
        let position: Position = FLAT;
        let cash = new Decimal(0);
        let flows = new Decimal(0);
        const book = (fill: FillFacts): void => {
          const booking = bookingOf(position, fill);
          position = booking.position;
          for (const [asset, amount] of booking.cash) if (asset === contract.settle) cash = cash.plus(amount);
          const { base, quote } = flowsOf(fill);
          flows = flows.plus(contract.inverse ? base : quote);
        };
        for (const { side, qty, price } of steps) book(trade(contract, side, qty, price));
        const { size } = position;
        if (!size.isZero()) book(trade(contract, size.gt(0) ? 'sell' : 'buy', size.abs(), 33_333));
        expect(position.size.isZero()).toBe(true);
        expect(cash.toFixed()).toBe(flows.toFixed());
        expect(position.realised.toFixed()).toBe(cash.toFixed());
      }),
    );
  });
});

describe('profit from events alone', () => {
  let seq = 0;
  const event = (kind: string, data: unknown): EngineEvent => {
    seq += 1;
    return { v: 1, engine: 'e', seq, at: '0', key: 'op', kind, data } as unknown as EngineEvent;
  };
  const contract = { kind: 'perpetual', size: '0.001', inverse: false, settle: 'USDT' };
  const filled = {
    instrument: 'v:BTC/USDT:USDT',
    operation: 'op',
    base: 'BTC',
    quote: 'USDT',
    side: 'sell',
    price: '30100',
    qty: '1000',
    fee: '3',
    fee_asset: 'USDT',
    trade_id: '1',
    contract,
  };

  it('counts contracts, funding and settlements', () => {
    const { realised, fees } = recomputePnl([
      event('operation', { id: 'op', rates: { BTC: '30000', USDT: '1' } }),
      event('fill', filled),
      event('funding', { amount: '2.5', asset_rate: '1' }),
      event('settlement', { ...filled, side: 'buy', price: '30050', fee: '1', rates: { BTC: '30000', USDT: '1' } }),
    ]);
    expect(texts(realised, fees)).toEqual(['48.5', '4']);
  });

  it('values a fee in a third asset at the rate that came with it', () => {
    const { realised, fees } = recomputePnl([
      event('operation', { id: 'op', rates: { BTC: '30000', USDT: '1' } }),
      event('fill', { ...filled, fee: '0.01', fee_asset: 'BNB', fee_rate: '600' }),
    ]);
    expect(texts(realised, fees)).toEqual(['94', '6']);
  });

  it('tells two sides of one trade with ourselves apart', () => {
    const { fills } = recomputePnl([
      event('operation', { id: 'op', rates: { BTC: '30000', USDT: '1' } }),
      event('fill', filled),
      event('fill', { ...filled, side: 'buy' }),
    ]);
    expect(fills).toBe(2);
  });
});
