import { expect, it } from 'vitest';
import { amountOf } from '#shared/money/grid.ts';
import { listing } from '#test/support/options.ts';
import { sumStage } from '../../size/sum-scene.ts';

/** Best quotes of the afternoon of 8 August 2024, the perpetual lifted by 30 basis points so that something pays; sizes as the venue counts them. */
const instruments = [
  listing('a:BTC/USDT', { lot: amountOf('0.00001'), tick: amountOf('0.01') }),
  listing('a:BTC/USD:BTC', { contractSize: amountOf(100), lot: amountOf(1), tick: amountOf('0.1') }),
  listing('b:BTC/USDT:USDT', { lot: amountOf('0.001'), tick: amountOf('0.1') }),
];
const [spot, coinm, usdm] = [
  { bids: [[61_837.63, 3.78826]], asks: [[61_837.64, 1.54698]] },
  { bids: [[62_023.1, 800]], asks: [[62_023.2, 5_000]] },
  { bids: [[62_300, 0.25]], asks: [[62_300.1, 0.3]] },
] as const;
const HUNDRED_DOLLARS = 100;

/** Quantities of the two legs of the plan, in the order of the route. */
function sizedLegs(route: string): readonly number[] {
  const sized = sumStage({ instruments, books: [spot, coinm, usdm] }).size(route);
  if (sized?.kind !== 'plan') throw new Error(`no plan: ${JSON.stringify(sized)}`);
  return sized.plan.legs.map(({ qty }) => qty.toNumber());
}

it('sells contracts of 100 dollars for the coins that it buys on the spot market', () => {
  const [coins, contracts] = sizedLegs('basis:a:BTC/USDT>a:BTC/USD:BTC') as [number, number];
  // 800 contracts are 1.2898 coins: less than spot offers.
  expect(contracts).toBe(800);
  expect(Math.abs(coins - (contracts * HUNDRED_DOLLARS) / 62_023.1)).toBeLessThanOrEqual(
    0.5 * (HUNDRED_DOLLARS / 62_023.1),
  );
});

it('buys contracts of 100 dollars for the coins that it sells as a linear perpetual', () => {
  const [contracts, coins] = sizedLegs('funding:a:BTC/USD:BTC>b:BTC/USDT:USDT') as [number, number];
  // A quarter of a coin is 155 contracts and a bit.
  expect(coins).toBe(0.25);
  expect(contracts).toBe(155);
});
