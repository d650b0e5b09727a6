import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Side } from '#shared/domain/route.ts';
import { opposite } from '#shared/domain/route.ts';
import type { Incoming, Matched, Resting } from '#simulator/matching-engine.ts';
import { MatchingEngine } from '#simulator/matching-engine.ts';

const side = fc.constantFrom<Side>('buy', 'sell');
const order = fc.record({
  kind: fc.constant('order' as const),
  side,
  price: fc.option(fc.integer({ min: 95, max: 105 }), { nil: undefined, freq: 8 }),
  qty: fc.integer({ min: 1, max: 50 }),
  timeInForce: fc.constantFrom('GTC' as const, 'GTC' as const, 'GTC' as const, 'IOC' as const, 'FOK' as const),
});
const cancel = fc.record({ kind: fc.constant('cancel' as const), which: fc.nat() });
const actions = fc.array(fc.oneof({ weight: 5, arbitrary: order }, { weight: 1, arbitrary: cancel }), {
  maxLength: 120,
});

type Action = (typeof actions extends fc.Arbitrary<(infer A)[]> ? A : never) & object;

/** The law in its simplest form: a list of resting orders, searched for the best and oldest each time. */
class NaiveBook {
  resting: { owner: number; side: Side; price: number; qty: number }[] = [];

  submit({ owner, side: taker, price, qty, timeInForce }: Incoming): { owner: number; price: number; qty: number }[] {
    const able = this.#takeable(taker, price);
    if (timeInForce === 'FOK' && able.reduce((sum, { qty: there }) => sum + there, 0) < qty) return [];
    const fills: { owner: number; price: number; qty: number }[] = [];
    let left = qty;
    for (const maker of able) {
      const lots = Math.min(left, maker.qty);
      if (lots === 0) break;
      maker.qty -= lots;
      left -= lots;
      fills.push({ owner: maker.owner, price: maker.price, qty: lots });
    }
    this.resting = this.resting.filter((maker) => maker.qty > 0);
    if (left > 0 && timeInForce === 'GTC' && price !== undefined)
      this.resting.push({ owner, side: taker, price, qty: left });
    return fills;
  }

  #takeable(taker: Side, price: number | undefined): NaiveBook['resting'] {
    const sign = taker === 'buy' ? 1 : -1;
    return this.resting
      .filter((maker) => maker.side !== taker && (price === undefined || sign * maker.price <= sign * price))
      .sort((a, b) => sign * (a.price - b.price) || a.owner - b.owner);
  }
}

/** Runs the actions; owners number the orders in their order of arrival. */
function run(
  list: readonly Action[],
  after: (engine: MatchingEngine, incoming: Incoming, matched: Matched) => void,
): MatchingEngine {
  const engine = new MatchingEngine();
  const resting: Resting[] = [];
  list.forEach((action, at) => {
    if (action.kind === 'cancel') {
      const victim = resting[action.which % Math.max(1, resting.length)];
      if (victim !== undefined) engine.cancel(victim);
      return;
    }
    const { side: taker, price, qty, timeInForce } = action;
    const incoming: Incoming = { owner: at + 1, side: taker, price, qty, timeInForce };
    const matched = engine.submit(incoming);
    if (matched.resting !== undefined) resting.push(matched.resting);
    after(engine, incoming, matched);
  });
  return engine;
}

describe('matching engine', () => {
  it('fills best price first, then oldest first, like a plain list does', () => {
    fc.assert(
      fc.property(fc.array(order, { maxLength: 120, size: 'max' }), (list) => {
        const naive = new NaiveBook();
        run(list, (_, incoming, { fills }) => {
          const expected = naive.submit(incoming);
          expect(fills.map(({ maker, price, qty }) => ({ owner: maker.owner, price, qty }))).toEqual(expected);
        });
      }),
      { numRuns: 300 },
    );
  });

  it('never leaves a crossed book, and keeps levels sorted and equal to their orders', () => {
    fc.assert(
      fc.property(actions, (list) => {
        run(list, (engine) => {
          const [bid, ask] = [engine.bids.best(), engine.asks.best()];
          if (bid !== undefined && ask !== undefined) expect(bid.price).toBeLessThan(ask.price);
          for (const half of [engine.bids, engine.asks]) {
            const prices = [...half.bestFirst()].map(({ price }) => price);
            expect(prices).toEqual(prices.toSorted((a, b) => (half === engine.bids ? b - a : a - b)));
            for (const level of half.levels) {
              expect(level.orders.length).toBeGreaterThan(0);
              expect(level.qty).toBe(level.orders.reduce((sum, { qty }) => sum + qty, 0));
            }
          }
        });
      }),
      { numRuns: 300 },
    );
  });

  it('fills FOK whole or not at all, rests neither IOC nor market orders, and never fills beyond a limit', () => {
    fc.assert(
      fc.property(actions, (list) => {
        run(list, (engine, incoming, { fills, resting }) => {
          const filled = fills.reduce((sum, { qty }) => sum + qty, 0);
          expect(filled).toBeLessThanOrEqual(incoming.qty);
          if (incoming.timeInForce === 'FOK') expect([0, incoming.qty]).toContain(filled);
          if (incoming.timeInForce !== 'GTC' || incoming.price === undefined) expect(resting).toBeUndefined();
          else expect(resting?.qty ?? 0).toBe(incoming.qty - filled);
          for (const { price } of fills)
            if (incoming.price !== undefined)
              expect(incoming.side === 'buy' ? price <= incoming.price : price >= incoming.price).toBe(true);
          if (filled < incoming.qty && incoming.timeInForce === 'IOC' && incoming.price !== undefined)
            expect(engine.wouldTake(incoming.side, incoming.price)).toBe(false);
        });
      }),
      { numRuns: 300 },
    );
  });

  it('neither makes nor loses lots: what was sent is filled, resting, cancelled or refused', () => {
    fc.assert(
      fc.property(fc.array(order, { maxLength: 120, size: 'max' }), (list) => {
        let [sent, filled, dropped] = [0, 0, 0];
        const engine = run(list, (_, incoming, matched) => {
          const fills = matched.fills.reduce((sum, { qty }) => sum + qty, 0);
          sent += incoming.qty;
          // Each fill takes from the taker and from a maker.
          filled += 2 * fills;
          if (matched.resting === undefined) dropped += incoming.qty - fills;
        });
        const resting = [engine.bids, engine.asks]
          .flatMap((half) => half.levels)
          .reduce((sum, { qty }) => sum + qty, 0);
        expect(filled + resting + dropped).toBe(sent);
      }),
      { numRuns: 300 },
    );
  });

  it('cancels an order once', () => {
    const engine = new MatchingEngine();
    const { resting } = engine.submit({ owner: 1, side: 'buy', price: 100, qty: 5, timeInForce: 'GTC' });
    expect(engine.cancel(resting!)).toBe(true);
    expect(engine.cancel(resting!)).toBe(false);
    expect(engine.half(opposite('sell')).best()).toBeUndefined();
  });
});
