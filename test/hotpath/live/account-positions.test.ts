import { Decimal } from 'decimal.js';
import { expect, it } from 'vitest';
import { liquidationDistanceOf, LiquidationWatch, positionStatusOf } from '#hotpath/live/account-positions.ts';
import type { PositionState } from '#hotpath/venues/venue-account.ts';
import type { InstrumentId } from '#shared/domain/ids.ts';

const ID = 'okx:BTC/USDT:USDT' as InstrumentId;
const position = (qty: number, mark?: number, liquidation?: number): PositionState => ({
  venueSymbol: 'BTC-USDT-SWAP',
  qty: new Decimal(qty),
  entryPrice: new Decimal(100),
  ...(mark === undefined ? {} : { markPrice: new Decimal(mark) }),
  ...(liquidation === undefined ? {} : { liquidationPrice: new Decimal(liquidation) }),
});

it('measures the way to liquidation below a long and above a short position', () => {
  expect(liquidationDistanceOf(position(1, 100, 80))).toBeCloseTo(0.2);
  expect(liquidationDistanceOf(position(-1, 100, 130))).toBeCloseTo(0.3);
  expect(liquidationDistanceOf(position(1, 100, 105))).toBeCloseTo(-0.05);
  expect(liquidationDistanceOf(position(1, 100))).toBeUndefined();
  expect(liquidationDistanceOf(position(1, 100, 0))).toBeUndefined();
  expect(liquidationDistanceOf(position(0, 100, 80))).toBeUndefined();
});

it('names a position once when it comes near, and again after it was far', () => {
  const watch = new LiquidationWatch();
  const look = (...args: Parameters<typeof position>): number => watch.look(new Map([[ID, position(...args)]])).length;
  expect([look(1, 100, 80), look(1, 88, 80), look(1, 87, 80), look(1, 100, 80), look(1, 85, 80)]).toEqual([
    0, 1, 0, 0, 1,
  ]);
  expect(watch.look(new Map())).toEqual([]);
  expect(look(1, 85, 80)).toBe(1);
});

it('tells a position with nothing where the venue says nothing', () => {
  expect(positionStatusOf(ID, position(-2))).toEqual({
    instrument: ID,
    size: '-2',
    entry_price: '100',
    mark_price: null,
    liquidation_price: null,
    leverage: null,
    liquidation_distance: null,
  });
});
