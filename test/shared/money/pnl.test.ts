import { Decimal } from 'decimal.js';
import { expect, it } from 'vitest';
import { BadInput } from '#shared/assert.ts';
import { pnlOfFill, recomputePnl } from '#shared/money/pnl.ts';
import type { EngineEvent } from '#shared/schema/event.ts';

let seq = 0;
const event = (kind: string, data: unknown): EngineEvent => {
  seq += 1;
  return { v: 1, engine: 'e', seq, at: '0', key: 'op', kind, data } as unknown as EngineEvent;
};
const operation = (id: string) => event('operation', { id, rates: { BTC: '50000', USDT: '1' } });
const fill = (trade: string, more: object = {}) =>
  event('fill', {
    trade_id: trade,
    instrument: 'a:BTC/USDT',
    operation: 'op',
    base: 'BTC',
    quote: 'USDT',
    side: 'buy',
    price: '49900',
    qty: '0.1',
    fee: '0.0001',
    fee_asset: 'BTC',
    ...more,
  });

it('values what was received less what was paid less the fee', () => {
  const facts = { side: 'sell', base: 'BTC', quote: 'USDT', feeAsset: 'USDT' } as const;
  const rates = { BTC: new Decimal(50_000), USDT: new Decimal(1) };
  const pnl = pnlOfFill(
    { ...facts, price: new Decimal(50_100), qty: new Decimal(2), fee: new Decimal('10.02') },
    rates,
  );
  expect([pnl.realised.toFixed(), pnl.fees.toFixed()]).toEqual(['189.98', '10.02']);
});

it('recomputes profit from events alone and counts each trade once', () => {
  const { realised, fees, fills } = recomputePnl([
    operation('op'),
    fill('1'),
    fill('1'),
    fill('2', { side: 'sell', price: '50100', fee: '5.01', fee_asset: 'USDT' }),
    operation('op'),
  ]);
  expect([realised.toFixed(), fees.toFixed(), fills]).toEqual(['9.99', '10.01', 2]);
});

it('does not guess: a fill without its operation or rate is refused', () => {
  expect(() => recomputePnl([fill('1')])).toThrow(BadInput);
  expect(() => recomputePnl([operation('op'), fill('1', { fee_asset: 'BNB' })])).toThrow('no rate for BNB');
});
