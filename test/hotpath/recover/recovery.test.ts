import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Level } from '#hotpath/recover/book-walk.ts';
import type { RecoveryMarket } from '#hotpath/recover/candidate.ts';
import { NOWHERE_ELSE } from '#hotpath/recover/elsewhere.ts';
import { decideRecovery, RECOVERY_LIMITS } from '#hotpath/recover/recovery.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { LegView, OperationView, RecoveryOrder } from '#shared/domain/recovery.ts';
import type { Side } from '#shared/domain/route.ts';
import type { Qty } from '#shared/money/grid.ts';
import { lotQty, ZERO } from '#shared/money/grid.ts';
import { needOf } from '#shared/money/margin.ts';
import { instrumentOf, priceOf, rates } from '../execute/trading.ts';
import { B_BTC, B_ETH, B_ETH_BTC, marketOf } from './recovery-world.ts';

const SPOT = { fraction: ZERO, underlyingOf: () => undefined };
const instrument = (id: string): Instrument => instrumentOf(id as never)!;
const aBtc = instrument('a:BTC/USDT');
const bBtc = instrument('b:BTC/USDT');

/** A leg after trading `filled` at `price`, with the venue's fee. */
function leg(on: Instrument, side: Side, qty: Decimal.Value, filled: Decimal.Value): LegView {
  const view: LegView = {
    instrument: on,
    side,
    qty: new Decimal(qty) as Qty,
    filledQty: ZERO,
    spent: ZERO,
    received: ZERO,
  };
  return traded(view, side, new Decimal(filled), priceOf(on));
}

function traded(view: LegView, side: Side, qty: Decimal, price: Decimal): LegView {
  const { fees } = view.instrument;
  const value = qty.times(price);
  const feeInBase = side === 'buy' && fees.currency === 'received';
  const baseFee = feeInBase ? qty.times(fees.taker) : ZERO;
  const quoteFee = feeInBase ? ZERO : value.times(fees.taker);
  const base = (side === 'buy' ? qty : qty.neg()).minus(baseFee);
  const quote = (side === 'buy' ? value.neg() : value).minus(quoteFee);
  const [spent, received] = view.side === 'buy' ? [quote.neg(), base] : [base.neg(), quote];
  return {
    ...view,
    filledQty: view.filledQty.plus(side === view.side ? qty : qty.neg()),
    spent: view.spent.plus(spent),
    received: view.received.plus(received),
  };
}

const flat = (on: Instrument, bps = 0): Level[] => [
  { price: priceOf(on).times(1 + bps / 10_000), qty: new Decimal(1_000) },
];
const market = (levels: RecoveryMarket['levels'], free = 1e9): RecoveryMarket => ({
  levels,
  freeOf: () => new Decimal(free),
  needOf: (on, order) => needOf(order, on, ZERO, SPOT),
  underlyingOf: () => ZERO,
  carryOf: () => ZERO,
  ...NOWHERE_ELSE,
});
const view = (legs: readonly LegView[], round = 0, waits = 0): OperationView => ({
  legs,
  rates,
  round,
  waits,
  ageMs: 0,
  realised: realisedOf(legs),
  covers: [],
});
/** Received less spent, at the rates. */
const realisedOf = (legs: readonly LegView[]): Decimal =>
  legs.reduce((sum: Decimal, { instrument: { base, quote }, side, spent, received }) => {
    const [source, target] = side === 'buy' ? [quote, base] : [base, quote];
    return sum.plus(received.times(rates[target as 'BTC'])).minus(spent.times(rates[source as 'BTC']));
  }, ZERO);
const decide = (legs: readonly LegView[], around: RecoveryMarket, round = 0) =>
  decideRecovery(view(legs, round), around, RECOVERY_LIMITS);

describe('decideRecovery', () => {
  it('does not move dust between two assets, to be moved back by the next look', () => {
    // Seven tenths of a lot of ETH too much, BTC for three tenths too little: the smallest order would turn the one into the other.
    const finest = { lot: new Decimal('0.000001') as Qty, minQty: new Decimal('0.000001') as Qty, minNotional: ZERO };
    const fine: Instrument = { ...B_ETH_BTC, ...finest };
    const between = (spent: Decimal.Value, received: Decimal.Value) => ({
      spent: new Decimal(spent),
      received: new Decimal(received),
    });
    const filled = (on: Instrument, side: Side, qty: Decimal.Value): LegView => leg(on, side, qty, 0);
    const legs: readonly LegView[] = [
      { ...filled(B_ETH, 'buy', 2), ...between(5_000, '2.0000007'), filledQty: new Decimal(2) },
      { ...filled(fine, 'sell', 3), ...between(2, '0.1'), filledQty: new Decimal(2) },
      { ...filled(B_BTC, 'sell', '0.1'), ...between('0.1000000145', 5_001), filledQty: new Decimal('0.1') },
    ];
    const isDear = { moves: new Map([[fine, 20]]) };
    expect(decide(legs, marketOf(isDear))).toEqual({ kind: 'complete', reason: 'dust' });
    expect(decide(legs, marketOf())).toEqual({ kind: 'complete', reason: 'dust' });
  });

  it('has nothing to do when every leg is full, whatever its price improvement left', () => {
    expect(
      decide(
        [leg(aBtc, 'buy', 1, 1), leg(bBtc, 'sell', '0.999', '0.999')],
        market(() => []),
      ),
    ).toEqual({ kind: 'complete' });
  });

  it('says when nothing was filled', () => {
    const legs = [leg(aBtc, 'buy', 1, 0), leg(bBtc, 'sell', '0.999', 0)];
    expect(
      decide(
        legs,
        market(() => []),
      ),
    ).toEqual({ kind: 'complete', reason: 'unfilled' });
  });

  it('completes at a worse price while that beats unwinding', () => {
    const legs = [leg(aBtc, 'buy', 1, 1), leg(bBtc, 'sell', '0.999', 0)];
    // Selling on b 10 bps lower (fee 16 bps) against selling back on a 30 bps lower (fee 10 bps).
    const decision = decide(
      legs,
      market((on) => flat(on, on === bBtc ? -10 : -30)),
    );
    expect(decision).toMatchObject({ kind: 'send', orders: [{ leg: 1, purpose: 'complete', side: 'sell' }] });
    expect(ordersOf(decision)[0]!.qty.toFixed()).toBe('0.999');
  });

  it('unwinds what was really received when that is cheaper', () => {
    const legs = [leg(aBtc, 'buy', 1, 1), leg(bBtc, 'sell', '0.999', 0)];
    const decision = decide(
      legs,
      market((on) => flat(on, on === bBtc ? -50 : -10)),
    );
    expect(decision).toMatchObject({ kind: 'send', orders: [{ leg: 0, purpose: 'unwind', side: 'sell' }] });
    // One was bought, the fee left 0.999: that is what there is to sell.
    expect(ordersOf(decision)[0]!.qty.toFixed()).toBe('0.999');
  });

  it('buys back what a lone sale took', () => {
    const legs = [leg(aBtc, 'buy', 1, 0), leg(bBtc, 'sell', '0.999', '0.999')];
    const unwound = decide(
      legs,
      market((on) => flat(on, on === aBtc ? 100 : 1)),
    );
    expect(unwound).toMatchObject({ orders: [{ leg: 1, purpose: 'unwind', side: 'buy' }] });
    const completed = decide(
      legs,
      market((on) => flat(on, on === aBtc ? 1 : 100)),
    );
    expect(completed).toMatchObject({ orders: [{ leg: 0, purpose: 'complete', side: 'buy' }] });
    // The fee is taken from what is received: one is bought to receive 0.999.
    expect(ordersOf(completed)[0]!.qty.toFixed()).toBe('1');
  });

  it('prices a limit that the book meets, further out each round', () => {
    const legs = [leg(aBtc, 'buy', 1, 1), leg(bBtc, 'sell', '0.999', 0)];
    const prices = [0, 1, 2].map((round) =>
      ordersOf(
        decide(
          legs,
          market((on) => flat(on)),
          round,
        ),
      )[0]!.price.toNumber(),
    );
    expect(prices[0]).toBeLessThan(50_000);
    expect(prices).toEqual([...prices].sort((a, b) => b - a));
    expect(prices[2]).toBeGreaterThan(49_800);
  });

  it('leaves dust below the smallest order', () => {
    const legs = [leg(aBtc, 'buy', '0.0501', '0.0501'), leg(bBtc, 'sell', '0.05', '0.04996')];
    expect(
      decide(
        legs,
        market((on) => flat(on)),
      ),
    ).toEqual({ kind: 'complete', reason: 'dust' });
  });

  it('sends the smallest order for what is a little less than it, where the account bears that', () => {
    const legs = [leg(aBtc, 'buy', '0.0502', '0.0502'), leg(bBtc, 'sell', '0.05', '0.04996')];
    // 0.0001898 are left: a lot of it is worth less than five dollars, two are worth a little more than all of it.
    const below = (free?: number) =>
      decide(
        legs,
        market((on) => flat(on, -100), free),
      );
    expect(ordersOf(below()).map(({ qty }) => qty.toFixed())).toEqual(['0.0002']);
    expect(below(0.0001)).toEqual({ kind: 'complete', reason: 'dust' });
  });

  it('leaves nothing to one leg as dust that another one can trade', () => {
    const coarse: Instrument = { ...bBtc, lot: new Decimal('0.001') };
    const legs = [leg(aBtc, 'buy', '0.0506', '0.0506'), leg(coarse, 'sell', '0.051', '0.05')];
    // 0.0005494 are left, for one book half a lot, and for the other 27 dollars.
    const decision = decide(
      legs,
      market((on) => flat(on)),
    );
    expect(decision).toMatchObject({ kind: 'send', orders: [{ leg: 0, purpose: 'unwind' }] });
    expect(ordersOf(decision)[0]!.qty.toFixed()).toBe('0.0005');
  });

  it('waits while no book is live or no funds are free, and asks a person after enough rounds, saying what is left', () => {
    const legs = [leg(aBtc, 'buy', 1, 1), leg(bBtc, 'sell', '0.999', 0)];
    expect(
      decide(
        legs,
        market(() => []),
      ),
    ).toEqual({ kind: 'wait', reason: 'NO_WAY_OUT_NOW: BTC=0.999' });
    expect(
      decide(
        legs,
        market((on) => flat(on), 0),
      ),
    ).toMatchObject({ kind: 'wait' });
    expect(
      decide(
        legs,
        market(() => []),
        RECOVERY_LIMITS.roundsMax,
      ),
    ).toMatchObject({ kind: 'escalate', reason: 'ROUNDS_EXHAUSTED: BTC=0.999' });
    const away = market(() => []);
    const { waitsMax } = RECOVERY_LIMITS;
    expect(decideRecovery(view(legs, 0, waitsMax - 1), away, RECOVERY_LIMITS).kind).toBe('wait');
    expect(decideRecovery(view(legs, 0, waitsMax), away, RECOVERY_LIMITS).kind).toBe('escalate');
  });

  it('takes what a thin book has and never calls the rest dust', () => {
    const legs = [leg(aBtc, 'buy', 1, 1), leg(bBtc, 'sell', '0.999', 0)];
    const thin = (qty: string) => market((on) => [{ price: priceOf(on), qty: new Decimal(qty) }]);
    expect(ordersOf(decide(legs, thin('0.4')))[0]!.qty.toFixed()).toBe('0.4');
    expect(decide(legs, thin('0.00001'))).toMatchObject({ kind: 'wait' });
  });
});

const ordersOf = (decision: ReturnType<typeof decide>): readonly RecoveryOrder[] =>
  decision.kind === 'send' ? decision.orders : [];

/** Routes of two, three and four legs over both fee conventions. */
const ROUTES: readonly (readonly (readonly [string, Side])[])[] = [
  [
    ['a:BTC/USDT', 'buy'],
    ['b:BTC/USDT', 'sell'],
  ],
  [
    ['b:ETH/USDT', 'buy'],
    ['a:ETH/USDT', 'sell'],
  ],
  [
    ['a:BTC/USDT', 'buy'],
    ['a:ETH/BTC', 'buy'],
    ['a:ETH/USDT', 'sell'],
  ],
  [
    ['b:ETH/USDT', 'buy'],
    ['b:ETH/BTC', 'sell'],
    ['b:BTC/USDT', 'sell'],
  ],
  [
    ['a:ETH/USDT', 'buy'],
    ['b:ETH/BTC', 'sell'],
    ['a:ETH/BTC', 'buy'],
    ['b:ETH/USDT', 'sell'],
  ],
];

describe('after recovery', () => {
  it('no asset is out of balance by more than the smallest order that could carry it', () => {
    const scenario = fc.record({
      route: fc.constantFrom(...ROUTES),
      notional: fc.integer({ min: 50, max: 50_000 }),
      fractions: fc.array(fc.constantFrom(0, 0.1, 0.333, 0.5, 0.9, 1), { minLength: 4, maxLength: 4 }),
      moves: fc.array(fc.integer({ min: -80, max: 80 }), { minLength: 4, maxLength: 4 }),
      depth: fc.constantFrom(0.2, 0.7, 3),
      take: fc.constantFrom(0.5, 0.8, 1),
    });
    let sent = 0;
    fc.assert(
      fc.property(scenario, ({ route, notional, fractions, moves, depth, take }) => {
        let legs = planned(route, notional).map(({ on, side, qty }, at) =>
          leg(on, side, qty, lotQty(qty.times(fractions[at]!), on.lot)),
        );
        const around = market((on, side) =>
          ladder(on, side, moves[route.findIndex(([id]) => id === on.id)]!, new Decimal(notional).times(depth)),
        );
        for (let round = 0; ; round += 1) {
          // Bounded depth and partial fills need their rounds; the bound on rounds has its own test.
          const decision = decideRecovery(view(legs, Math.min(round, 3)), around, RECOVERY_LIMITS);
          if (decision.kind === 'complete') break;
          expect(decision.kind).toBe('send');
          sent += ordersOf(decision).length;
          for (const order of ordersOf(decision)) legs = execute(legs, order, around, round < 12 ? take : 1);
          expect(round).toBeLessThan(40);
        }
        if (legs.some(({ qty, filledQty }) => !qty.eq(filledQty))) checkBalance(legs);
      }),
      { numRuns: 800 },
    );
    expect(sent).toBeGreaterThan(800);
  });
});

/** Quantities as sizing makes them: each leg spends what the one before surely delivers, on the lot grid. */
function planned(route: (typeof ROUTES)[number], notional: number): { on: Instrument; side: Side; qty: Decimal }[] {
  let amount = new Decimal(notional);
  return route.map(([id, side]) => {
    const on = instrument(id);
    const { fees, lot } = on;
    const perUnit = fees.currency === 'quote' ? priceOf(on).times(fees.taker.plus(1)) : priceOf(on);
    const qty = lotQty(side === 'sell' ? amount : amount.div(perUnit), lot);
    const kept = new Decimal(1).minus(fees.taker);
    amount =
      side === 'sell' ? qty.times(priceOf(on)).times(kept) : fees.currency === 'received' ? qty.times(kept) : qty;
    return { on, side, qty };
  });
}

/** Four levels, each worse by five basis points, of together this value in USDT. */
function ladder(on: Instrument, side: Side, moveBps: number, value: Decimal): Level[] {
  const sign = side === 'buy' ? 1 : -1;
  return [1, 2, 3, 4].map((at) => ({
    price: priceOf(on)
      .times(1 + (moveBps + sign * 5 * at) / 10_000)
      .div(on.tick)
      .toDecimalPlaces(0)
      .times(on.tick),
    qty: Decimal.max(on.lot.times(100), value.div(4).div(rates[on.base as 'BTC' | 'ETH'])),
  }));
}

/** The venue fills the order within its limit, or only a share of it. */
function execute(
  legs: LegView[],
  { leg: at, side, qty, price }: RecoveryOrder,
  around: RecoveryMarket,
  take: number,
): LegView[] {
  const on = legs[at]!.instrument;
  let left: Decimal = lotQty(qty.times(take), on.lot);
  if (left.isZero()) left = qty;
  let view_ = legs[at]!;
  for (const level of around.levels(on, side)) {
    expect(side === 'buy' ? level.price.lte(price) : level.price.gte(price)).toBe(true);
    const taken = Decimal.min(left, lotQty(level.qty, on.lot));
    view_ = traded(view_, side, taken, level.price);
    left = left.minus(taken);
    if (left.isZero()) break;
  }
  return legs.with(at, view_);
}

function checkBalance(legs: readonly LegView[]): void {
  for (const [at, next] of legs.slice(1).entries()) {
    const previous = legs[at]!;
    const asset = next.side === 'buy' ? next.instrument.quote : next.instrument.base;
    const residue = previous.received
      .minus(next.spent)
      .times(rates[asset as 'BTC'])
      .abs();
    // In USDT, of either leg: the smallest order, rounded up to a lot. Alone what is more than two thirds of it is worth one; beside other dust only if that lessens all
    // of it together. 2 % above for the price at which it is measured.
    const share = legs.length === 2 ? '1.5' : 1;
    const smallest = [previous.instrument, next.instrument].map(({ lot, minQty, minNotional, base, quote }) => {
      const lotUsd = lot.times(rates[base as 'BTC']);
      const least = Decimal.max(minNotional.times(rates[quote as 'BTC']), minQty.times(rates[base as 'BTC']));
      return Decimal.max(lotUsd, least.plus(lotUsd).div(share));
    });
    expect(residue.toNumber()).toBeLessThanOrEqual(
      Decimal.max(...smallest)
        .times('1.02')
        .toNumber(),
    );
  }
}
