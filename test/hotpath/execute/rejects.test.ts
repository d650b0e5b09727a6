import { expect, it } from 'vitest';
import { Rejects } from '#hotpath/execute/rejects.ts';
import { eventOf, fillData, orderData } from '../../functions/support/events.ts';

it('counts the orders that each venue has rejected', () => {
  const rejects = new Rejects();
  const order = (instrument: string, status: 'accepted' | 'rejected') =>
    eventOf('order', 1, orderData('o', 'op', { instrument, status }));
  for (const event of [
    order('okx:BTC/USDT', 'rejected'),
    order('okx:BTC/USDT:USDT', 'rejected'),
    order('binance:BTC/USDT', 'accepted'),
    eventOf('fill', 2, fillData('t', 'op')),
  ]) {
    rejects.onEvent(event);
  }
  expect(['okx', 'binance', 'kraken'].map(rejects.of)).toEqual([2, 0, 0]);
});
