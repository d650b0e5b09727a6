import type { Decimal } from 'decimal.js';
import { describe, expect, it } from 'vitest';
import { deribit } from '#hotpath/venues/deribit.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import { MarketRig } from '#test/support/venue-fixture.ts';
import { DEFAULT_ACCOUNT } from '#simulator/accounts.ts';
import type { OrderDraft } from '#simulator/exchange.ts';
import { priceOf } from '#simulator/listings.ts';
import { get, socketTo, truth, virtualRun } from './venue-client.ts';

const SPREAD = 'BTC-FS-25DEC26_PERP';
const CALLS = 'BTC-CS-25DEC26-90000_100000';
const REVERSAL = 'BTC-REV-25DEC26-90000';

function start() {
  const run = virtualRun(61, { venues: ['deribit'], batch_ms: 0, dislocations_per_minute: 0 });
  const exchange = run.simulator.exchange('deribit');
  const account = exchange.ledger.byKey(DEFAULT_ACCOUNT.apiKey)!;
  const named = (name: string) => exchange.listings.find(({ venueSymbol }) => venueSymbol === name)!;
  const midOf = (name: string): number => exchange.mid(named(name))!;
  const lotsOf = (name: string): number => account.position(named(name)).lots;
  const plant = (symbol: string, bids: [string, string][], asks: [string, string][]): void =>
    run.simulator.plant({ books: [{ venue: 'deribit', symbol, bids, asks }], quiet: true });
  const take = (name: string, side: OrderDraft['side'], price: string, qty: string) =>
    exchange.place({
      account,
      listing: named(name),
      clientOrderId: undefined,
      side,
      type: 'limit',
      timeInForce: 'IOC',
      postOnly: false,
      price,
      qty,
      qtyIn: 'base',
    });
  const btc = (): Decimal => account.balance('spot', 'BTC').total;
  return { ...run, exchange, account, named, midOf, lotsOf, plant, take, btc };
}

describe('combos on the simulated Deribit', () => {
  it('stand at the difference of their legs', () => {
    const { exchange, midOf } = start();
    const combos = exchange.listings.filter(({ combo }) => combo !== undefined);
    expect(combos.map(({ venueSymbol }) => venueSymbol)).toEqual(expect.arrayContaining([SPREAD, CALLS, REVERSAL]));
    for (const { venueSymbol, combo, priceDecimals } of combos) {
      const [bought, sold] = combo!.legs;
      const ticks = 10 ** -priceDecimals;
      expect(Math.abs(midOf(venueSymbol) - (midOf(bought) - midOf(sold))), venueSymbol).toBeLessThan(
        combo!.of === 'option' ? 3 * ticks : 30 * ticks,
      );
    }
  });

  it('are listed with their legs, and their books followed by our decoder, below zero too', () => {
    const { simulator, forward, plant, exchange } = start();
    const market = deribit.markets.find(({ id }) => id === 'combos')!;
    const bodies = market.instruments.paths.map((path) => JSON.stringify(get(simulator, `/www.deribit.com${path}`)));
    const instruments = market.instruments.parse(bodies, market.defaultFees);
    expect(instruments.map(({ venueSymbol }) => venueSymbol)).toContain(CALLS);
    const spread = instruments.find(({ venueSymbol }) => venueSymbol === SPREAD)!;
    expect(spread).toMatchObject({ kind: 'combo', status: 'trading' });
    expect(spread.lot.toFixed()).toBe('10');

    const rig = new MarketRig(market, [spread]);
    const socket = socketTo(simulator, '/www.deribit.com/ws/api/v2');
    for (const frame of market.subscribe([SPREAD], 1)) socket.send(frame);
    forward(3_000);
    plant(
      SPREAD,
      [['-12.5', '1000']],
      [
        ['0', '20'],
        ['3.5', '10'],
      ],
    );
    forward(200);
    for (const frame of socket.take()) rig.take({ frame });
    const [prices, qtys] = [new Float64Array(10), new Float64Array(10)];
    expect(rig.store.depths.bids(0 as InstrumentIndex, prices, qtys)).toBe(1);
    expect([prices[0], qtys[0]]).toEqual([-12.5, 1_000]);
    expect(truth(exchange, SPREAD)).toEqual({
      bids: [[-12.5, 1_000]],
      asks: [
        [0, 20],
        [3.5, 10],
      ],
    });

    const details = get(simulator, `/www.deribit.com/api/v2/public/get_combo_details?combo_id=${SPREAD}`);
    expect(details).toMatchObject({
      result: {
        id: SPREAD,
        state: 'active',
        legs: [
          { instrument_name: 'BTC-25DEC26', amount: 1 },
          { instrument_name: 'BTC-PERPETUAL', amount: -1 },
        ],
      },
    });
    const combos = get(simulator, '/www.deribit.com/api/v2/public/get_combos?currency=ETH');
    expect(combos).toMatchObject({ result: [{ id: 'ETH-FS-25DEC26_PERP' }] });
  });

  it('fill into positions of both legs, whose prices differ by the price paid', () => {
    const { plant, take, lotsOf, exchange, named, btc } = start();
    plant(SPREAD, [], [['412.5', '500']]);
    plant('BTC-PERPETUAL', [['90000', '10']], [['90001', '10']]);
    const before = btc();
    const placed = take(SPREAD, 'buy', '412.5', '300');
    expect(placed).toMatchObject({ kind: 'placed', order: { status: 'filled', filled: 30 } });
    expect([lotsOf('BTC-25DEC26'), lotsOf('BTC-PERPETUAL'), lotsOf(SPREAD)]).toEqual([30, -30, 0]);
    const [trade] = placed.kind === 'placed' ? placed.order.trades : [];
    const [far, near] = trade!.legs!;
    expect([far!.side, near!.side]).toEqual(['buy', 'sell']);
    expect(priceOf(far!.listing, far!.price).minus(priceOf(near!.listing, near!.price)).toFixed()).toBe('412.5');
    expect(priceOf(near!.listing, near!.price).toFixed()).toBe('90000.5');
    // Both legs pay: 300 dollars at 90413 and at 90000.5, 0.035 % of each.
    expect(trade!.fee.toFixed()).toBe('0.00000233');
    expect(before.minus(btc()).toFixed()).toBe('0.00000233');
    const house = exchange.ledger.house.position(named('BTC-25DEC26'));
    expect(house.lots).toBe(-30);
  });

  it('of options move the premium of both legs', () => {
    const { plant, take, lotsOf, btc } = start();
    plant(REVERSAL, [['-0.0100', '5']], []);
    plant('BTC-25DEC26-90000-P', [['0.0400', '1']], [['0.0402', '1']]);
    const before = btc();
    expect(take(REVERSAL, 'sell', '-0.01', '2')).toMatchObject({ kind: 'placed', order: { status: 'filled' } });
    expect([lotsOf('BTC-25DEC26-90000-C'), lotsOf('BTC-25DEC26-90000-P')]).toEqual([-20, 20]);
    // Sold at −0.01: 0.02 paid, and 0.0003 of each of four options.
    expect(before.minus(btc()).toFixed()).toBe('0.0212');
  });

  it('end with the leg that ends first', () => {
    const { named } = start();
    expect(named('BTC-FS-26MAR27_25DEC26').expiryMs).toBe(named('BTC-25DEC26').expiryMs);
  });
});
