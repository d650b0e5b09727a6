import { Decimal } from 'decimal.js';
import { describe, expect, it } from 'vitest';
import { RECOVERY_LIMITS } from '#hotpath/recover/candidate.ts';
import { elsewhereFrom } from '#hotpath/recover/elsewhere.ts';
import { decideRecovery } from '#hotpath/recover/recovery.ts';
import type { OperationView, Recovery, RecoveryOrder } from '#shared/domain/recovery.ts';
import type { Weather } from './recovery-world.ts';
import * as world from './recovery-world.ts';

const { A_BTC, B_BTC, C_BTC, C_USD, P_BTC, Q_BTC, marketOf, Recovering } = world;

/** Bought on a, not sold on b. */
const boughtOnly = (): world.Recovering =>
  new Recovering([
    [A_BTC, 'buy', '0.2', '0.2'],
    [B_BTC, 'sell', '0.1998', 0],
  ]);
const moved = (...moves: readonly (readonly [typeof A_BTC, number])[]): Weather => ({ moves: new Map(moves) });
const decide = (view: OperationView, weather: Weather = {}): Recovery =>
  decideRecovery(view, marketOf(weather), RECOVERY_LIMITS);
const said = (recovery: Recovery): readonly string[] =>
  recovery.kind === 'send' ? recovery.orders.map(wordsOf) : [recovery.kind];
const wordsOf = ({ purpose, leg, instrument, side, qty }: RecoveryOrder): string =>
  `${purpose} ${leg} ${side} ${qty.toFixed()} ${instrument}`;
const ordersOf = (recovery: Recovery): readonly RecoveryOrder[] => (recovery.kind === 'send' ? recovery.orders : []);

describe('elsewhereFrom', () => {
  const all = elsewhereFrom(world.LISTED, { equalAssets: {}, rebalanceCostBps: { 'a>b': 2, 'b>a': 1 } });

  it('lets spot of the same pair on another venue stand in, and of an equal quote where that is said', () => {
    expect(all.alternatives(A_BTC)).toEqual([B_BTC, C_BTC]);
    expect(all.alternatives(P_BTC)).toEqual([]);
    const equal = elsewhereFrom(world.LISTED, { equalAssets: { USD: 'USDT' }, rebalanceCostBps: {} });
    expect(equal.alternatives(A_BTC)).toEqual([B_BTC, C_BTC, C_USD]);
  });

  it('names linear perpetuals that trade as covers', () => {
    expect(all.coversOf('BTC')).toEqual([P_BTC, Q_BTC]);
    expect(all.coversOf('USDT')).toEqual([]);
    const strange = [
      { ...P_BTC, inverse: true },
      { ...Q_BTC, status: 'halted' as const },
    ];
    expect(elsewhereFrom(strange, { equalAssets: {}, rebalanceCostBps: {} }).coversOf('BTC')).toEqual([]);
  });

  it('charges both ways between two venues', () => {
    expect(all.transferCostOf(A_BTC.venue, B_BTC.venue).toNumber()).toBe(0.0003);
    expect(all.transferCostOf(A_BTC.venue, C_BTC.venue).toNumber()).toBe(0);
  });
});

describe('another venue', () => {
  it("does a leg's work where that is worth more than the leg's own book and than going back", () => {
    // c pays 12 bps, b 16; going back on a costs 10 and what the book has moved.
    expect(said(decide(boughtOnly().view(), moved([A_BTC, -20])))).toEqual(['hedge 1 sell 0.1998 c:BTC/USDT']);
    expect(said(decide(boughtOnly().view(), moved([A_BTC, -20], [C_BTC, -10])))).toEqual([
      'complete 1 sell 0.1998 b:BTC/USDT',
    ]);
    // Seen from the other leg, selling the coins again elsewhere is the same trade.
    expect(said(decide(boughtOnly().view(), moved([A_BTC, 5])))).toEqual(['unwind 0 sell 0.1998 a:BTC/USDT']);
  });

  it("does it when the leg's own book is away", () => {
    const decision = decide(boughtOnly().view(), { away: [B_BTC], ...moved([A_BTC, -200]) });
    expect(said(decision)).toEqual(['hedge 1 sell 0.1998 c:BTC/USDT']);
  });

  it('must pay for bringing home what is traded there', () => {
    const rebalanceCostBps = { 'b>c': 3, 'c>b': 2, 'a>c': 50 };
    expect(said(decide(boughtOnly().view(), { rebalanceCostBps, ...moved([A_BTC, -20]) }))).toEqual([
      'complete 1 sell 0.1998 b:BTC/USDT',
    ]);
  });

  it('needs the funds there', () => {
    const free: Weather['free'] = ({ venue }, asset) => (venue === 'c' && asset === 'BTC' ? '0.1' : 1e9);
    expect(said(decide(boughtOnly().view(), { free, ...moved([A_BTC, -20]) }))).toEqual([
      'complete 1 sell 0.1998 b:BTC/USDT',
    ]);
  });

  it('is compared by all that must be done, not by what a thin book takes of it', () => {
    const thin: Weather = {
      depthOf: (on) => (on === A_BTC ? '0.05' : '0.001'),
      ...moved([A_BTC, -10], [B_BTC, -80], [C_BTC, -80]),
    };
    // Two thousandths at a dreadful price lose less than a tenth at a fair one, and leave the rest to be lost.
    expect(said(decide(boughtOnly().view(), thin))).toEqual(['unwind 0 sell 0.1 a:BTC/USDT']);
  });

  it('counts as the leg, so that the operation is over once it has filled', () => {
    const operation = boughtOnly();
    const weather = { away: [B_BTC], ...moved([A_BTC, -200]) };
    for (const order of ordersOf(decide(operation.view(), weather))) operation.take(order, marketOf(weather));
    expect(operation.view().legs[1]).toMatchObject({ filledQty: new Decimal('0.1998') });
    expect(decide(operation.view(), weather)).toEqual({ kind: 'complete' });
  });

  it('may have an equal quote, at the rates of the operation, and only where these know it', () => {
    const weather = { equalAssets: { USD: 'USDT' }, away: [B_BTC], ...moved([A_BTC, -20]) };
    expect(said(decide(boughtOnly().view(), weather))).toEqual(['hedge 1 sell 0.1998 c:BTC/USDT']);
    const rates = { ...world.RATES, USD: new Decimal('0.9995') };
    const operation = new Recovering(
      [
        [A_BTC, 'buy', '0.2', '0.2'],
        [B_BTC, 'sell', '0.1998', 0],
      ],
      undefined,
      rates,
    );
    const [order] = ordersOf(decide(operation.view(), weather));
    expect(wordsOf(order!)).toBe('hedge 1 sell 0.1998 c:BTC/USD');
    const { realised } = operation.view();
    operation.fill(order!, { price: new Decimal(50_000) });
    const [before, after] = [realised, operation.view().realised];
    // Dollars at 0.9995 that bought 49,995 worth of coins: 25 lost a coin, and the fee.
    expect(after.minus(before).toNumber()).toBeCloseTo(0.1998 * (50_000 * (1 - 0.0001) * 0.9995 - 50_000), 6);
    expect(decide(operation.view(), weather)).toEqual({ kind: 'complete' });
  });
});

describe('a cover', () => {
  /** Nothing can be done with the coins themselves. */
  const shut: Weather = { away: [A_BTC, B_BTC, C_BTC] };

  it('stands for what cannot be traded once that has lasted, on the perpetual that costs least, rounded down', () => {
    const view = boughtOnly().view();
    expect(said(decide({ ...view, waits: 3 }, shut))).toEqual(['wait']);
    // q takes 2 bps a trade, p 5.
    expect(said(decide({ ...view, waits: 4 }, shut))).toEqual(['hedge 0 sell 199 q:BTC/USDT:USDT']);
    expect(
      said(decide({ ...view, waits: 4 }, { ...shut, ...moved([Q_BTC, 0]), depthOf: (on) => (on === Q_BTC ? 5 : 1e6) })),
    ).toEqual(['hedge 0 sell 19 p:BTC/USDT:USDT']);
    expect(said(decide({ ...view, waits: 4 }, { ...shut, free: () => 0 }))).toEqual(['wait']);
    expect(said(decide({ ...view, waits: 4 }, { away: [...shut.away!, P_BTC, Q_BTC] }))).toEqual(['wait']);
  });

  it('is bought where coins were sold that nobody has bought back', () => {
    const sold = new Recovering([
      [A_BTC, 'buy', '0.2', 0],
      [B_BTC, 'sell', '0.1998', '0.1998'],
    ]);
    expect(said(decide(sold.view({ waits: 4 }), shut))).toEqual(['hedge 0 buy 199 q:BTC/USDT:USDT']);
  });

  it('costs its fees, its spread and its carry, and one that costs more than may be lost is none', () => {
    const escalated = decide(boughtOnly().view({ round: 99 }), { ...shut, carry: '0.001' });
    const hedge = escalated.kind === 'escalate' ? escalated.proposals.find(({ kind }) => kind === 'hedge') : undefined;
    // 0.199 coins at 49,995: twice 2 bps, 10 bps of carry, and the 2 bps between bid and ask.
    expect(hedge!.cost.toNumber()).toBeCloseTo(0.199 * (49_995 * 0.0014 + 10), 6);
    expect(said(decide(boughtOnly().view({ waits: 4 }), { ...shut, carry: '0.2' }))).toEqual(['wait']);
  });

  it('is closed as far as it goes beyond what is loose, beside the orders of the way out', () => {
    const operation = boughtOnly();
    for (const order of ordersOf(decide(operation.view({ waits: 4 }), shut))) operation.take(order, marketOf());
    expect(operation.view().covers).toEqual([{ instrument: Q_BTC, size: new Decimal(-199) }]);
    expect(said(decide(operation.view({ waits: 9 }), shut))).toEqual(['wait']);

    // The books are back: first the coins, half of which fill; then what covers the other half, and so on.
    const [order] = ordersOf(decide(operation.view(), moved([A_BTC, 5])));
    expect(wordsOf(order!)).toBe('unwind 0 sell 0.1998 a:BTC/USDT');
    operation.take(order!, marketOf(), 0.5);
    expect(said(decide(operation.view(), moved([A_BTC, 5])))).toEqual([
      'unwind 0 sell 0.0999 a:BTC/USDT',
      'hedge 0 buy 99 q:BTC/USDT:USDT',
    ]);
    for (const next of ordersOf(decide(operation.view(), moved([A_BTC, 5])))) operation.take(next, marketOf());
    expect(said(decide(operation.view()))).toEqual(['hedge 0 buy 100 q:BTC/USDT:USDT']);
    expect(said(decide(operation.view(), { away: [Q_BTC] }))).toEqual(['wait']);
    for (const next of ordersOf(decide(operation.view()))) operation.take(next, marketOf());
    expect(operation.view().covers).toEqual([]);
    expect(decide(operation.view())).toMatchObject({ kind: 'complete' });
  });

  it('below the smallest order is dust', () => {
    const closed = new Recovering([
      [A_BTC, 'buy', '0.2', '0.2'],
      [B_BTC, 'sell', '0.1998', '0.1998'],
    ]);
    const covers = [{ instrument: { ...Q_BTC, minQty: new Decimal(10) }, size: new Decimal(-5) }];
    expect(decide(closed.view({ covers }))).toEqual({ kind: 'complete', reason: 'dust' });
  });

  it("is never a leg's own instrument", () => {
    const basis = new Recovering(
      [
        [A_BTC, 'buy', '0.2002', '0.2002'],
        [Q_BTC, 'sell', 200, 0],
      ],
      {
        units: new Decimal(1),
        perUnit: [new Decimal('0.2002'), new Decimal(200)],
        intent: 'enter',
        carry: new Decimal(0),
        asset: 'USDT' as never,
      },
    );
    const weather = { away: [A_BTC] };
    const short: Weather['free'] = ({ venue }) => (venue === 'q' ? 0 : 1e9);
    // 0.2002 less the fee, in hundredths.
    expect(said(decide(basis.view({ waits: 4 }), { ...weather, free: short }))).toEqual([
      'hedge 0 sell 19 p:BTC/USDT:USDT',
    ]);
  });
});
