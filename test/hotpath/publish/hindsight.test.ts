import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OpportunityLog } from '#hotpath/publish/opportunity-log.ts';
import { Hindsight } from '#hotpath/publish/hindsight.ts';
import type { OutcomeOf } from '#hotpath/publish/outcome.ts';
import { outcomesFrom } from '#hotpath/publish/outcome.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { Asset, InstrumentIndex, OpportunityId, RouteId, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Route, SumRoute } from '#shared/domain/route.ts';
import type { Opportunity } from '#shared/domain/trade.ts';
import { engineEvent } from '#shared/schema/event.ts';
import { Books, spot } from '#test/support/market.ts';
import { MemoryJournal } from '../execute/trading.ts';

const at = (index: number): InstrumentIndex => index as InstrumentIndex;
const now = 0 as TimeNs;
const free = {
  horizonMs: 0,
  fundingPersistence: 0,
  capitalRate: 0,
  marginFraction: 0,
  closingSlippage: 0,
  borrowRateOf: () => 0,
  minTenorMs: 0,
};

function opportunity(over: Partial<Opportunity>): Opportunity {
  return {
    id: 'o1' as OpportunityId,
    route: 'r' as RouteId,
    family: 'spatial',
    asset: 'USDT' as Asset,
    legs: [],
    notional: 1_000,
    grossEdge: 0.02,
    netEdge: 0.01,
    fees: 1,
    slippage: 0,
    unwindCost: 0,
    improvement: 0,
    goodEnd: 1,
    fillProbability: 1,
    expectedValue: 1,
    oldestBookAgeMs: 0,
    detectedTimeNs: now,
    capital: 1_000,
    impact: 0.25,
    ...over,
  };
}

function outcomes(
  instruments: readonly Instrument[],
  route: Route,
  books: Books,
  costs: Readonly<Record<string, number>> = {},
): OutcomeOf {
  const column = (): Float64Array => new Float64Array(instruments.length).fill(NaN);
  return outcomesFrom({
    instruments,
    routes: [route],
    tops: books.tops,
    depths: books.depths,
    references: {
      markPrice: column(),
      indexPrice: column(),
      underlyingPrice: column(),
      fundingRate: column(),
      nextFundingTimeMs: column(),
      fundingIntervalMs: column(),
      markVolatility: column(),
    },
    settings: free,
    unixMs: () => 0,
    displayedFraction: 0.5,
    rebalanceCostBps: costs,
  });
}

describe('what an opportunity would make now', () => {
  const pair = [spot('a:BTC/USDT', { fee: '0.001' }), spot('b:BTC/USDT', { fee: '0.002', feeCurrency: 'quote' })];
  const across: Route = {
    id: 'r' as RouteId,
    family: 'spatial',
    evaluator: 'product',
    legs: [
      { instrument: at(0), side: 'buy', ratio: 1 },
      { instrument: at(1), side: 'sell', ratio: 1 },
    ],
    start: 'USDT' as Asset,
  };

  it('takes a notional through the depth of now, fees on every leg, half of each level', () => {
    const books = new Books(2);
    books.set(0, {
      bids: [[99, 1]],
      asks: [
        [100, 10],
        [101, 100],
      ],
    });
    books.set(1, {
      bids: [
        [110, 6],
        [108, 100],
      ],
      asks: [[111, 1]],
    });
    const edge = outcomes(pair, across, books)(0, opportunity({ notional: 702 }), now)!;
    // 5 coins at 100, 2 at 101; 6.993 kept; 3 sold at 110 and the rest at 108.
    const bought = new Decimal(7).times('0.999');
    const received = new Decimal(330).plus(bought.minus(3).times(108)).times('0.998');
    expect(edge).toBeCloseTo(received.div(702).minus(1).toNumber(), 14);
    const charged = outcomes(pair, across, books, { 'a>b': 3, 'b>a': 1 })(0, opportunity({ notional: 702 }), now)!;
    expect(edge - charged).toBeCloseTo(0.0004, 14);
  });

  it('cannot say where a book is too thin, dead or not live, nor of nothing', () => {
    const books = new Books(2);
    const outcomeOf = outcomes(pair, across, books);
    expect(outcomeOf(0, opportunity({}), now)).toBeUndefined();
    books.flat(0, 100);
    books.set(1, { bids: [[110, 1]], asks: [] });
    expect(outcomeOf(0, opportunity({}), now)).toBeUndefined();
    books.set(1, { bids: [[110, 1e6]], asks: [] });
    expect(outcomeOf(0, opportunity({}), now)).toBeCloseTo(1.1 * 0.999 * 0.998 - 1, 12);
    books.set(1, { bids: [[110, 1e6]], asks: [], status: 'stale' });
    expect(outcomeOf(0, opportunity({}), now)).toBeUndefined();
    expect(outcomeOf(0, opportunity({ notional: 0 }), now)).toBeUndefined();
  });

  it('takes as many units of a sum as were found, over depth, with its payoff', () => {
    const inverse: Instrument = {
      ...spot('c:BTC/USD', { fee: '0.0005', kind: 'future' }),
      inverse: true,
      contractSize: new Decimal(100),
    };
    const sum: SumRoute = {
      id: 'r' as RouteId,
      family: 'parity',
      evaluator: 'sum',
      start: 'USDT' as Asset,
      legs: [
        { instrument: at(0), side: 'buy', ratio: 1 },
        { instrument: at(1), side: 'sell', ratio: 2 },
      ],
      terms: {
        certainty: 'locked',
        notional: { leg: 0 },
        payoffs: [{ atMs: 0, amount: 30 }],
        closings: [],
        deliveries: [],
        endsMs: 0,
      },
    };
    const books = new Books(2);
    books.set(0, {
      bids: [[99, 10]],
      asks: [
        [100, 4],
        [102, 100],
      ],
    });
    // Contracts of 100 dollars: one is one coin at 100.
    books.set(1, {
      bids: [
        [100, 6],
        [98, 1_000],
      ],
      asks: [[101, 1]],
    });
    const seen = opportunity({
      notional: 300,
      legs: [
        { instrument: inverse.id, side: 'buy', price: 100, qty: 3 },
        { instrument: inverse.id, side: 'sell', price: 100, qty: 6 },
      ],
    });
    const edge = outcomes([pair[0]!, inverse], sum, books)(0, seen, now)!;
    const paid = (2 * 100 + 1 * 102) / 0.999;
    const received = (3 * 100 + 3 * 98) * 0.9995;
    expect(edge).toBeCloseTo((received - paid + 3 * 30) / 300, 12);
  });

  it('falls when a fee rises and never rises when depth falls', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 20 }), (size, less) => {
        const edgeWith = (fee: string, depth: number): number => {
          const books = new Books(2);
          books.set(0, {
            bids: [[99, 1]],
            asks: [
              [100, depth],
              [101, depth],
              [103, 1e3],
            ],
          });
          books.set(1, {
            bids: [
              [110, depth],
              [107, depth],
              [104, 1e3],
            ],
            asks: [[111, 1]],
          });
          const charged = [spot('a:BTC/USDT', { fee }), pair[1]!];
          return outcomes(charged, across, books)(0, opportunity({ notional: size * 100 }), now)!;
        };
        expect(edgeWith('0.002', 20)).toBeLessThan(edgeWith('0.001', 20));
        expect(edgeWith('0.001', 21 - less)).toBeLessThanOrEqual(edgeWith('0.001', 21) + 1e-12);
      }),
    );
  });
});

describe('the aftermath of a refusal', () => {
  /** A log whose outcomes are the time, so that one sees when it looked. */
  function rig(pendingMax = 10) {
    const clock = new VirtualClock(1_700_000_000_000_000_000n);
    const journal = new MemoryJournal(clock);
    const outcomeOf: OutcomeOf = (route) => (route === 9 ? undefined : clock.now() / 1e13);
    const hindsight = new Hindsight({ clock, outcomeOf, delaysMs: [5, 1_000, 5_000], pendingMax });
    const log = new OpportunityLog({
      clock,
      recorder: journal,
      checksOf: () => () => [],
      expireAfterMs: 500,
      eventsPerSecond: 5,
      openMax: 100,
      hindsight,
    });
    const refuse = (route: number, netEdge = 0.01): void => {
      log.opportunity(
        route,
        {
          kind: 'refused',
          opportunity: opportunity({ id: `o${route}` as OpportunityId, netEdge }),
          reason: 'BALANCE_INSUFFICIENT',
          detail: '',
        },
        undefined,
        clock.now(),
      );
      log.tell();
    };
    const told = () =>
      journal.of('opportunity').map(({ id, status, counterfactual }) => ({ id, status, counterfactual }));
    return { clock, journal, log, hindsight, refuse, told };
  }

  it('is told when the last delay has passed, if the lifetime is over by then', () => {
    const { clock, journal, log, refuse, told } = rig();
    refuse(1);
    clock.runUntil(200e6);
    refuse(1, 0.03);
    clock.runUntil(800e6);
    log.sweep(clock.now());
    expect(told().at(-1)).toEqual({ id: 'o1', status: 'rejected', counterfactual: undefined });
    clock.runUntil(6e9);
    expect(told()).toHaveLength(3);
    expect(told().at(-1)).toEqual({
      id: 'o1',
      status: 'rejected',
      counterfactual: {
        notional: '1000',
        net_edge_bps: '100',
        lifetime_ms: '200',
        outcomes: [
          { delay_ms: 5, net_edge_bps: '0.005', profit: '0.0005' },
          { delay_ms: 1_000, net_edge_bps: '1', profit: '0.1' },
          { delay_ms: 5_000, net_edge_bps: '5', profit: '0.5' },
        ],
      },
    });
    expect(journal.of('opportunity').at(-1)!.peak_net_edge_bps).toBe('300');
    for (const event of journal.events) expect(engineEvent.safeParse(event).error).toBeUndefined();
  });

  it('is told with the end of a lifetime that lasts longer', () => {
    const { clock, log, refuse, told } = rig();
    for (let turn = 0; turn < 60; turn += 1) {
      refuse(9);
      clock.runUntil((turn + 1) * 100e6);
      log.sweep(clock.now());
    }
    expect(told()).toHaveLength(1);
    clock.runUntil(7e9);
    log.sweep(clock.now());
    expect(told()).toHaveLength(2);
    expect(told().at(-1)!.counterfactual).toMatchObject({
      lifetime_ms: '5900',
      outcomes: [{ delay_ms: 5 }, { delay_ms: 1_000 }, { delay_ms: 5_000 }],
    });
  });

  it('looks after a bounded number, counts the others, and stops', () => {
    const { clock, log, hindsight, refuse, told } = rig(2);
    for (const route of [1, 2, 3]) refuse(route);
    expect(hindsight.skipped).toBe(1);
    clock.runUntil(4e9);
    log.closeAll();
    clock.runUntil(9e9);
    expect(told().filter(({ counterfactual }) => counterfactual !== undefined)).toEqual([]);
    expect(told()).toHaveLength(6);
    refuse(4);
    clock.runUntil(20e9);
    log.sweep(clock.now());
    expect(told().at(-1)!.counterfactual?.outcomes).toHaveLength(3);
  });
});
