import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { accountsFrom, type InFlight } from '#shared/portfolio/drift.ts';
import { highsSolver } from '#shared/portfolio/highs-solver.ts';
import type { Solver } from '#shared/portfolio/linear-program.ts';
import type { Account, Market, RebalancingProblem, TransferRoute } from '#shared/portfolio/rebalancing.ts';
import { planRebalancing } from '#shared/portfolio/rebalancing-plan.ts';
import { neverWorseThanBruteForce } from './rebalancing-law.ts';

let solver: Solver;
beforeAll(async () => {
  solver = await highsSolver();
});

const d = (value: Decimal.Value): Decimal => new Decimal(value);

/** [available, target] or [available, target, total]; the buffer is a tenth. */
type Stand = readonly [available: number, target: number, total?: number];
const accounts = (stands: Readonly<Record<string, Stand>>): Account[] =>
  accountsFrom(
    Object.entries(stands).map(([key, [available, , total]]) => {
      const [venue, asset] = key.split(':') as [string, string];
      return { venue, asset, total: d(total ?? available), available: d(available) };
    }),
    Object.entries(stands).map(([key, [, target]]) => {
      const [venue, asset] = key.split(':') as [string, string];
      return { venue, asset, amount: d(target), buffer: d('0.1') };
    }),
    [],
  );

const market = (venue: string, symbol = 'BTC/USDT', over: Partial<Market> = {}): Market => {
  const [base, quote] = symbol.split(/[/:]/) as [string, string];
  return {
    instrument: `${venue}:${symbol}`,
    venue,
    base,
    quote,
    bids: [
      { price: d(59_990), qty: d(1) },
      { price: d(59_900), qty: d(10) },
    ],
    asks: [
      { price: d(60_010), qty: d(1) },
      { price: d(60_100), qty: d(10) },
    ],
    takerFee: d('0.001'),
    feeIn: 'received',
    lot: d('0.0001'),
    minNotional: d(10),
    ...over,
  };
};
const chain = (asset: string, from: string, to: string, over: Partial<TransferRoute> = {}): TransferRoute => ({
  asset,
  from,
  to,
  network: asset === 'BTC' ? 'BTC' : 'TRX',
  fee: d(asset === 'BTC' ? '0.0001' : 1),
  min: d(asset === 'BTC' ? '0.001' : 10),
  minutes: asset === 'BTC' ? 30 : 3,
  isSuspended: false,
  isAllowed: false,
  ...over,
});
const problemOf = (over: Partial<RebalancingProblem> & Pick<RebalancingProblem, 'accounts'>): RebalancingProblem => ({
  markets: [],
  routes: [],
  marks: new Map([
    ['BTC', d(60_000)],
    ['USDT', d(1)],
  ]),
  contracts: new Map(),
  driftWorth: 0.01,
  exposureWorth: 0,
  capitalRate: 0.15,
  depthShare: 1,
  dust: 1,
  ...over,
});
const planned = (over: Parameters<typeof problemOf>[0]) => planRebalancing(problemOf(over), solver);
const reasonsOf = ({ remaining }: ReturnType<typeof planned>) =>
  Object.fromEntries(remaining.map(({ venue, asset, reason }) => [`${venue}:${asset}`, reason]));

describe('a plan', () => {
  it('does nothing within the bounds', () => {
    const plan = planned({
      accounts: accounts({ 'a:BTC': [0.95, 1], 'a:USDT': [63_000, 60_000] }),
      markets: [market('a')],
    });
    expect(plan).toMatchObject({ status: 'optimal', steps: [], minutes: 0, before: [], remaining: [] });
    expect(Number(plan.cost)).toBe(0);
  });

  it('buys to the edge of the bounds, at a price of the book and with the fee counted', () => {
    const plan = planned({
      accounts: accounts({ 'a:BTC': [0.5, 1], 'a:USDT': [90_000, 60_000] }),
      markets: [market('a')],
    });
    expect(plan.steps).toHaveLength(1);
    const [step] = plan.steps;
    expect(step).toMatchObject({ kind: 'trade', phase: 0, instrument: 'a:BTC/USDT', side: 'buy' });
    if (step?.kind !== 'trade') throw new Error('a trade');
    // 0.4 BTC are missing to the lower edge, 24,000 USDT are too much for the upper one: 0.4004 BTC with the fee in what is received.
    expect(Number(step.qty)).toBeCloseTo(0.4004, 4);
    expect(Number(step.limit)).toBe(60_010);
    expect(Number(plan.cost)).toBeCloseTo(0.4004 * (10 + 60.01), 0);
    expect(plan.remaining).toEqual([]);
  });

  it('moves what is too much at one venue to where it is missing, and says when it is there', () => {
    const plan = planned({
      accounts: accounts({ 'a:USDT': [90_000, 60_000], 'b:USDT': [30_000, 60_000] }),
      routes: [chain('USDT', 'a', 'b'), chain('USDT', 'a', 'b', { network: 'ETH', fee: d(8), minutes: 5 })],
    });
    expect(plan.steps).toMatchObject([
      { kind: 'transfer', asset: 'USDT', from: 'a', to: 'b', network: 'TRX', minutes: 3 },
    ]);
    expect(plan.minutes).toBe(3);
    const [step] = plan.steps;
    if (step?.kind !== 'transfer') throw new Error('a transfer');
    expect(Number(step.arrives)).toBeCloseTo(24_000, 0);
    expect(Number(step.amount.minus(step.arrives))).toBe(1);
  });

  it('sells there, sends the money, and buys here where the coin itself cannot travel', () => {
    const plan = planned({
      accounts: accounts({
        'a:BTC': [2, 1],
        'a:USDT': [60_000, 60_000],
        'b:BTC': [0.1, 1],
        'b:USDT': [60_000, 60_000],
      }),
      markets: [market('a'), market('b')],
      routes: [chain('USDT', 'a', 'b'), chain('BTC', 'a', 'b', { isSuspended: true })],
    });
    const done = (step: (typeof plan.steps)[number]) =>
      step.kind === 'transfer' ? step.asset : `${step.side} ${step.instrument}`;
    expect(new Set(plan.steps.map(done))).toEqual(new Set(['sell a:BTC/USDT', 'USDT', 'buy b:BTC/USDT']));
    expect(plan.remaining).toEqual([]);
  });

  it('spends what comes in with a later phase only', () => {
    const plan = planned({
      accounts: accounts({ 'a:BTC': [2, 1], 'a:USDT': [0, 0], 'a:ETH': [0, 10] }),
      markets: [market('a'), ethMarket('a')],
      marks: new Map([
        ['BTC', d(60_000)],
        ['USDT', d(1)],
        ['ETH', d(3_000)],
      ]),
    });
    expect(
      plan.steps.map((step) => (step.kind === 'transfer' ? 'transfer' : [step.phase, step.instrument, step.side])),
    ).toEqual([
      [0, 'a:BTC/USDT', 'sell'],
      [2, 'a:ETH/USDT', 'buy'],
    ]);
  });

  it('passes through an asset of which nothing is asked, and touches none of it', () => {
    const base = { 'a:USDT': [90_000, 60_000], 'b:USDT': [30_000, 60_000] } as const;
    const idle = accountsFrom(
      ['a', 'b'].map((venue) => ({ venue, asset: 'BTC', total: d(3), available: d(3) })),
      [],
      [],
    );
    const plan = planned({
      accounts: [...accounts(base), ...idle],
      markets: [market('a'), market('b')],
      routes: [chain('BTC', 'a', 'b')],
    });
    expect(plan.steps.map((step) => (step.kind === 'transfer' ? step.asset : step.side))).toEqual([
      'buy',
      'BTC',
      'sell',
    ]);
    // Whole lots of 6 USDT, twice.
    expect(plan.remaining).toMatchObject([{ venue: 'b', asset: 'USDT', reason: 'BELOW_MINIMUM' }]);
    expect(Number(plan.remaining[0]?.amount)).toBeGreaterThan(-12.1);
    const [, sent] = plan.steps;
    if (sent?.kind !== 'transfer') throw new Error('a transfer');
    expect(Number(sent.amount)).toBeLessThan(0.5);
  });

  it('opens a perpetual against exposure that it cannot trade away, within the margin there is', () => {
    const perpetual = market('a', 'BTC/USDT:USDT', {
      lot: d(1),
      bids: [{ price: d(59_990), qty: d(10_000) }],
      asks: [{ price: d(60_010), qty: d(10_000) }],
      perpetual: { contract: d('0.001'), marginFraction: d('0.2'), carry: { buy: 0.0001, sell: 0 } },
    });
    const plan = planned({
      accounts: accounts({ 'a:USDT': [60_000, 60_000], 'b:BTC': [2, 1] }),
      markets: [perpetual],
      exposureWorth: 0.005,
    });
    expect(plan.steps).toMatchObject([{ kind: 'offset', phase: 0, side: 'sell', instrument: 'a:BTC/USDT:USDT' }]);
    const [step] = plan.steps;
    expect(step?.kind === 'offset' && Number(step.qty)).toBe(900);
    expect(reasonsOf(plan)).toEqual({ 'b:BTC': 'NO_ROUTE' });
    const hedged = planned({
      accounts: accounts({ 'a:USDT': [60_000, 60_000], 'b:BTC': [2, 1] }),
      markets: [perpetual],
      contracts: new Map([['BTC', d('-0.9')]]),
      exposureWorth: 0.005,
    });
    expect(hedged.steps).toEqual([]);
    const poor = planned({
      accounts: accounts({ 'a:USDT': [1_206, 1_206], 'b:BTC': [2, 1] }),
      markets: [perpetual],
      exposureWorth: 0.005,
    });
    const [cut] = poor.steps;
    // 12 USDT of margin and 0.06 of fee a contract.
    expect(cut?.kind === 'offset' && Number(cut.qty)).toBe(100);
  });
});

const ethMarket = (venue: string): Market =>
  market(venue, 'ETH/USDT', {
    bids: [{ price: d(2_999), qty: d(100) }],
    asks: [{ price: d(3_001), qty: d(100) }],
  });

describe('what remains has its reason', () => {
  const far = { 'a:BTC': [2, 1], 'b:BTC': [0, 1] } as const;

  it.each<[string, Partial<RebalancingProblem>, Record<string, string>]>([
    [
      'NOT_WORTH_IT',
      { routes: [chain('BTC', 'a', 'b', { fee: d('0.05') })] },
      { 'a:BTC': 'NOT_WORTH_IT', 'b:BTC': 'NOT_WORTH_IT' },
    ],
    [
      'WALLET_SUSPENDED',
      { routes: [chain('BTC', 'a', 'b', { isSuspended: true })] },
      { 'a:BTC': 'WALLET_SUSPENDED', 'b:BTC': 'WALLET_SUSPENDED' },
    ],
    ['NO_ROUTE', {}, { 'a:BTC': 'NO_ROUTE', 'b:BTC': 'NO_ROUTE' }],
    ['NO_PRICE', { routes: [chain('BTC', 'a', 'b')], marks: new Map() }, { 'a:BTC': 'NO_PRICE', 'b:BTC': 'NO_PRICE' }],
  ])('%s', (_, over, reasons) => {
    const plan = planned({ accounts: accounts(far), ...over });
    expect(reasonsOf(plan)).toEqual(reasons);
    expect(plan.steps).toEqual([]);
  });

  it('BELOW_MINIMUM', () => {
    const plan = planned({
      accounts: accounts({ 'a:USDT': [113, 100], 'b:USDT': [87, 100] }),
      routes: [chain('USDT', 'a', 'b', { min: d(50), fee: d('0.01') })],
      driftWorth: 0.02,
    });
    expect(reasonsOf(plan)).toEqual({ 'a:USDT': 'BELOW_MINIMUM', 'b:USDT': 'BELOW_MINIMUM' });
  });

  it('NO_DEPTH', () => {
    const thin = market('a', 'BTC/USDT', {
      bids: [{ price: d(59_990), qty: d('0.1') }],
      asks: [{ price: d(60_010), qty: d('0.1') }],
    });
    const plan = planned({ accounts: accounts({ 'a:BTC': [2, 1], 'a:USDT': [0, 60_000] }), markets: [thin] });
    expect(plan.steps).toHaveLength(1);
    expect(reasonsOf(plan)).toEqual({ 'a:BTC': 'NO_DEPTH', 'a:USDT': 'NO_DEPTH' });
  });

  it('RESERVED', () => {
    const plan = planned({
      accounts: accounts({ 'a:USDT': [0, 60_000, 90_000], 'b:USDT': [30_000, 60_000] }),
      routes: [chain('USDT', 'a', 'b')],
    });
    expect(reasonsOf(plan)).toEqual({ 'a:USDT': 'RESERVED', 'b:USDT': 'RESERVED' });
  });

  it('NO_COUNTERPART', () => {
    const plan = planned({
      accounts: accounts({ 'a:USDT': [60_000, 60_000], 'b:USDT': [30_000, 60_000] }),
      routes: [chain('USDT', 'a', 'b')],
    });
    // What stands within its bounds may be used down to their edge; the rest is nowhere.
    expect(reasonsOf(plan)).toEqual({ 'b:USDT': 'NO_COUNTERPART' });
  });

  it('TIME_LIMIT', () => {
    const plan = planRebalancing(problemOf({ accounts: accounts(far), routes: [chain('BTC', 'a', 'b')] }), () => ({
      kind: 'none',
    }));
    expect(plan).toMatchObject({ status: 'none', steps: [] });
    expect(reasonsOf(plan)).toEqual({ 'a:BTC': 'TIME_LIMIT', 'b:BTC': 'TIME_LIMIT' });
  });
});

describe('what travels', () => {
  const holdings = [
    { venue: 'a', asset: 'USDT', total: d(90_000), available: d(90_000) },
    { venue: 'b', asset: 'USDT', total: d(30_000), available: d(30_000) },
  ];
  const targets = ['a', 'b'].map((venue) => ({ venue, asset: 'USDT', amount: d(60_000), buffer: d('0.1') }));
  const transfer: InFlight = {
    id: 't-1',
    asset: 'USDT',
    from: 'a',
    to: 'b',
    amount: d(24_000),
    fee: d(1),
    state: 'requested',
  };
  const seenBy = (state: InFlight['state']) => {
    const left = state === 'requested' ? 0 : 24_001;
    const come = state === 'credited' ? 24_000 : 0;
    return [
      { ...holdings[0]!, total: d(90_000 - left), available: d(90_000 - left) },
      { ...holdings[1]!, total: d(30_000 + come), available: d(30_000 + come) },
    ];
  };

  it.each(['requested', 'sent', 'credited'] as const)(
    'counts once when it is %s, so that nothing is sent again',
    (state) => {
      const moving = accountsFrom(seenBy(state), targets, [{ ...transfer, state }]);
      expect(moving.map(({ projected }) => Number(projected))).toEqual([65_999, 54_000]);
      const plan = planned({ accounts: moving, routes: [chain('USDT', 'a', 'b')] });
      expect(plan).toMatchObject({ steps: [], before: [], remaining: [] });
    },
  );

  it('counts once although both venues tell of it, and cannot be spent before it arrives', () => {
    const told = [transfer, { ...transfer, state: 'sent' as const }];
    const moving = accountsFrom(seenBy('sent'), targets, told);
    expect(moving.map(({ projected }) => Number(projected))).toEqual([65_999, 54_000]);
    expect(moving.map(({ available }) => Number(available))).toEqual([65_999, 30_000]);
  });

  it('is neither made nor lost: what stands and what travels is the same whatever is said of it', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            id: fc.constantFrom('1', '2', '3'),
            state: fc.constantFrom('requested', 'sent', 'credited'),
            amount: fc.integer({ min: 1, max: 500 }),
          }),
        ),
        (drawn) => {
          const inFlight = drawn.map(({ amount, ...rest }) => ({
            ...rest,
            asset: 'USDT',
            from: 'a',
            to: 'b',
            amount: d(amount),
            fee: d(0),
          }));
          const distinct = new Map<string, (typeof inFlight)[number]>();
          const rank = { requested: 0, sent: 1, credited: 2 };
          for (const one of inFlight) {
            const known = distinct.get(one.id);
            if (known === undefined || rank[one.state] > rank[known.state]) distinct.set(one.id, one);
          }
          const seen = accountsFrom(holdings, targets, inFlight).reduce(
            (sum, { projected }) => sum + Number(projected),
            0,
          );
          const onTheWay = [...distinct.values()].filter(({ state }) => state === 'sent');
          expect(seen).toBe(120_000 + onTheWay.reduce((sum, { amount }) => sum + Number(amount), 0));
        },
      ),
    );
  });
});

it('is never one that cannot be done, and never dearer than the best of all tries', () => {
  neverWorseThanBruteForce(solver, 60);
});
