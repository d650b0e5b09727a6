import { Decimal } from 'decimal.js';
import { beforeEach, describe, expect, it } from 'vitest';
import { JournalState } from '#hotpath/recover/journal-state.ts';
import type { Asset, ClientOrderId, OperationId, TradeId, VenueId } from '#shared/domain/ids.ts';
import { recomputePnl } from '#shared/money/pnl.ts';
import { engineEvent } from '#shared/schema/event.ts';
import { holdingEventOf } from '#shared/schema/held-event.ts';
import type { ForcedFill } from '#shared/domain/held.ts';
import type { SumLeg } from './held-world.ts';
import {
  CALL,
  COIN_CALL,
  COIN_FUTURE,
  COIN_PUT,
  EXPIRY_MS,
  FUTURE,
  HeldWorld,
  HORIZON_MS,
  PERPETUAL,
  PUT,
  SPOT,
  START_MS,
  sumPlan,
} from './held-world.ts';

let world: HeldWorld;
beforeEach(() => {
  world = new HeldWorld();
});

const CONVERSION: readonly SumLeg[] = [
  [FUTURE, 'buy', '20', '30100'],
  [CALL, 'sell', '2', '1500'],
  [PUT, 'buy', '2', '1350'],
];
/** 2 × (30000 − 30100 + 1500 − 1350): whatever the price. */
const LOCKED = 100;
const conversion = () => sumPlan('c', CONVERSION, { units: '2', profit: '25', carry: '25', endsMs: EXPIRY_MS });
function quoteConversion(): void {
  world.quote(FUTURE, 30_090, 30_100);
  world.quote(CALL, 1_500, 1_520);
  world.quote(PUT, 1_340, 1_350);
}

const COIN_CONVERSION: readonly SumLeg[] = [
  [COIN_CALL, 'sell', '1', '0.05'],
  [COIN_PUT, 'buy', '1', '0.04'],
  [COIN_FUTURE, 'buy', '6000', '61000'],
];

const BASIS: readonly SumLeg[] = [
  [SPOT, 'buy', '1.001', '30000'],
  [PERPETUAL, 'sell', '1000', '30060'],
];
const basis = (profit = '40') => sumPlan('b', BASIS, { units: '1', profit, carry: '10' });
function quoteBasis(spotPrice: number, perpetual: number): void {
  world.quote(SPOT, spotPrice - 1, spotPrice);
  world.quote(PERPETUAL, perpetual, perpetual + 1);
}

const closed = () => world.journal.of('holding').filter(({ state }) => state === 'closed');

/** Nothing is left open, the ledger is what the journal says, and so is its profit. */
function checkOver(): void {
  expect(world.holdings.open).toEqual([]);
  expect(world.executor.counts.open).toBe(0);
  expect(world.ledger.exposures.total).toBe(0);
  for (const venue of ['a', 'd'] as VenueId[])
    for (const asset of ['USDT', 'BTC']) expect(world.ledger.reservedOf(venue, asset).toFixed()).toBe('0');
  checkBooks();
}

function checkBooks(): void {
  const recomputed = recomputePnl(world.journal.events);
  expect(world.ledger.pnl.realised.toFixed()).toBe(recomputed.realised.toFixed());
  expect(world.ledger.pnl.fees.toFixed()).toBe(recomputed.fees.toFixed());
  const state = new JournalState();
  for (const event of world.journal.events) state.apply(event);
  const folded = state.ledger();
  expect(folded.realised.toFixed()).toBe(recomputed.realised.toFixed());
  for (const { venue, asset, total } of folded.balances)
    expect(world.ledger.totalOf(venue, asset).toFixed()).toBe(total.toFixed());
  for (const { instrument, openedMs, ...position } of folded.positions) {
    expect(JSON.stringify(world.ledger.positionOf(instrument))).toBe(JSON.stringify(position));
    expect(openedMs).toBe(position.size.isZero() ? undefined : Math.floor(world.ledger.openedMsOf(instrument)!));
  }
  for (const [asset, amount] of Object.entries(folded.deviations))
    expect(world.ledger.deviationOf(asset)).toBe(amount.toNumber());
  expect(state.openHoldings().map((held) => holdingEventOf(held))).toEqual(
    world.holdings.open.map((held) => holdingEventOf(held)),
  );
}

describe('a conversion held to its expiry', () => {
  it.each([27_345.5, 30_000, 34_567.8])('pays in dollars what was locked, less fees, at %d', (settlement) => {
    quoteConversion();
    world.executor.submit(conversion());
    world.runUntilMs(START_MS + 5_000);
    expect(world.holdings.open.map(({ legs }) => legs.map(({ size }) => size.toNumber()))).toEqual([[20, -2, 2]]);
    // Futures, calls and puts of one coin each cancel: nothing is exposed to the price, and margin stands for what is open.
    expect(world.ledger.deviationOf('BTC')).toBe(0);
    expect(world.ledger.reservedOf('d' as VenueId, 'USDT').toNumber()).toBe(0.2 * 2 * 30_100 + 0.2 * 2 * 30_000);
    expect(world.ledger.exposures.total).toBeGreaterThan(170_000);
    world.quotes.clear();
    world.index = settlement;
    world.runUntilMs(EXPIRY_MS + 5_000);
    checkOver();
    expect(closed().map(({ reason }) => reason)).toEqual(['expired']);
    expect(world.gained('USDT').toFixed()).toBe(new Decimal(LOCKED).minus(world.feesIn('USDT')).toFixed());
    expect(world.journal.of('settlement').length).toBe(3);
    // What has expired is told once more and then forgotten.
    const flat = world.journal.of('position').filter(({ status }) => status === 'closed');
    expect(flat.map(({ instrument }) => instrument).sort()).toEqual([FUTURE.id, CALL.id, PUT.id].sort());
    const state = new JournalState();
    for (const event of world.journal.events) state.apply(event);
    expect(state.ledger().positions).toEqual([]);
    expect(world.ledger.positionOf(FUTURE.id).realised.toNumber()).toBe(0);
    // What has settled is all that was ever earned: the books agree with the accounts.
    expect(world.ledger.pnl.realised.toFixed()).toBe(world.gained('USDT').toFixed());
    expect(closed()[0]!.pnl.realised).toBe(world.gained('USDT').toFixed());
    for (const event of world.journal.events) expect(engineEvent.safeParse(event).error).toBeUndefined();
  });

  it.each([48_000, 64_000])('pays in coin what was locked, less fees, at %d', (settlement) => {
    world.index = 61_000;
    world.quote(COIN_CALL, 0.05, 0.052);
    world.quote(COIN_PUT, 0.039, 0.04);
    world.quote(COIN_FUTURE, 60_990, 61_000);
    const plan = sumPlan('i', COIN_CONVERSION, { units: '1', profit: '100', carry: '100', endsMs: EXPIRY_MS });
    world.executor.submit(plan);
    world.runUntilMs(START_MS + 5_000);
    world.quotes.clear();
    world.index = settlement;
    world.runUntilMs(EXPIRY_MS + 5_000);
    checkOver();
    const brought = new Decimal(60_000).div(61_000).toDecimalPlaces(18);
    const locked = brought.minus(1).plus('0.01');
    expect(world.gained('BTC').toFixed()).toBe(locked.minus(world.feesIn('BTC')).toFixed());
    expect(world.gained('USDT').toFixed()).toBe('0');
  });

  it.each([48_000, 64_000])('brings the same dollars back where coins were bought with them, at %d', (settlement) => {
    world.index = 61_000;
    world.quote(COIN_CALL, 0.05, 0.052);
    world.quote(COIN_PUT, 0.039, 0.04);
    world.quote(SPOT, 60_999, 61_000);
    const legs: readonly SumLeg[] = [COIN_CONVERSION[0]!, COIN_CONVERSION[1]!, [SPOT, 'buy', '0.9836', '61000']];
    const plan = sumPlan('s', legs, { units: '1', profit: '100', carry: '100', endsMs: EXPIRY_MS });
    world.executor.submit({ ...plan, asset: 'BTC' as Asset });
    world.runUntilMs(START_MS + 5_000);
    world.quotes.clear();
    world.index = settlement;
    world.quote(SPOT, settlement, settlement + 1);
    world.runUntilMs(EXPIRY_MS + 60_000);
    checkOverButDust();
    // To a lot of coins, the spread and fees.
    expect(Math.abs(world.gained('USDT').plus(world.feesIn('USDT')).toNumber())).toBeLessThan(0.0002 * 64_000);
    expect(world.gained('BTC').plus(world.feesIn('BTC')).toNumber()).toBeCloseTo(60_000 / 61_000 - 1 + 0.01, 3);
  });

  it('takes the fee of the option that pays alone, and no more than its share of that', () => {
    quoteConversion();
    world.executor.submit(conversion());
    world.runUntilMs(START_MS + 5_000);
    world.quotes.clear();
    world.index = 30_020;
    world.runUntilMs(EXPIRY_MS + 5_000);
    const fees = world.journal.of('settlement').map(({ instrument, fee }) => `${instrument.slice(-1)} ${fee}`);
    // 2 coins: of 60040 a basis point; of a call that pays 20 an eighth, which is less than 0.00015 of 30020.
    expect(fees).toEqual(['2 6.004', 'C 5', 'P 0']);
  });

  it('settles what the venue lists no more: the journal knows its terms', () => {
    quoteConversion();
    world.executor.submit(conversion());
    world.runUntilMs(START_MS + 5_000);
    world.crash('all');
    world.listed = [SPOT, PERPETUAL];
    world.quotes.clear();
    world.index = 31_000;
    world.runUntilMs(EXPIRY_MS + 5_000);
    expect(world.holdings.open).toEqual([]);
    expect(world.gained('USDT').toFixed()).toBe(new Decimal(LOCKED).minus(world.feesIn('USDT')).toFixed());
  });
});

describe('an entry that did not fill whole', () => {
  it('holds the units that agree; lots beyond them, too few to trade, are dust by instrument', () => {
    const big = { ...PERPETUAL, minQty: new Decimal(100) };
    world.listed = [SPOT, big];
    quoteBasis(30_000, 30_060);
    // 560 of 1000 contracts; coins for half of them, and no more to be had on either side.
    world.quote(PERPETUAL, 30_060, 30_061, 560);
    world.quote(SPOT, 29_999, 30_000, 0.5005);
    world.executor.submit(basis());
    world.runUntilMs(START_MS + 200);
    world.quote(PERPETUAL, 30_060, 30_061.5, 560);
    world.quote(SPOT, 29_999, 30_050, 0.0001);
    world.runUntilMs(START_MS + 60_000);
    expect(world.journal.of('operation').at(-1)).toMatchObject({
      state: 'completed',
      reason: 'dust',
      dust: { [PERPETUAL.id]: '-60' },
    });
    expect(world.ledger.dust.get(PERPETUAL.id)?.toFixed()).toBe('-60');
    const [held] = world.holdings.open;
    expect(held!.legs.map(({ size }) => size.toFixed())).toEqual(['0.4999995', '-500']);
    expect(held!.units.toFixed()).toBe('0.5');
    expect(held!.expectedProfit.toFixed()).toBe('20');
    const state = new JournalState();
    for (const event of world.journal.events) state.apply(event);
    expect(state.ledger().dust[PERPETUAL.id]?.toFixed()).toBe('-60');
    checkBooks();
  });
});

describe('a basis against a perpetual', () => {
  it('is left by trading once funding and the basis have brought what was expected', () => {
    quoteBasis(30_000, 30_060);
    world.executor.submit(basis());
    world.runUntilMs(START_MS + 5_000);
    const [held] = world.holdings.open;
    // A coin in the account for a coin sold: the fee was taken from what was bought.
    expect(held!.legs.map(({ size }) => size.toFixed())).toEqual(['0.999999', '-1000']);
    expect(world.ledger.deviationOf('BTC')).toBeCloseTo(0, 5);
    world.funding = { rate: 0.003, nextMs: START_MS + 3_600_000, price: 30_050 };
    world.runUntilMs(START_MS + 3_599_000);
    expect(world.journal.of('funding')).toEqual([]);
    world.runUntilMs(START_MS + 3_602_000);
    // The short side receives: 1000 × 0.001 × 30050 × 0.003.
    expect(world.journal.of('funding').map(({ amount, holding }) => [amount, holding])).toEqual([['90.15', 'b']]);
    expect(closed()).toEqual([]);
    quoteBasis(30_500, 30_500);
    world.runUntilMs(START_MS + 3_700_000);
    checkOverButDust();
    const [end] = closed();
    expect(end!.reason).toBe('converged');
    expect(Number(end!.pnl.realised)).toBeGreaterThan(0);
    expect(world.journal.of('operation').filter(({ state }) => state === 'completed').length).toBe(2);
    const { entry, entry_fees, funding, exit, exit_fees, realised } = end!.pnl;
    const sum = new Decimal(entry).minus(entry_fees).plus(funding).plus(exit).minus(exit_fees);
    expect(sum.toFixed()).toBe(realised);
    expect(world.ledger.pnl.realised.toFixed()).toBe(realised);
  });

  it('is paid its funding, though another holding has the same the other way round', () => {
    quoteBasis(30_000, 30_060);
    world.quote(FUTURE, 30_100, 30_101);
    world.executor.submit(basis('400'));
    world.runUntilMs(START_MS + 1_000);
    const legs: readonly SumLeg[] = [
      [FUTURE, 'sell', '10', '30100'],
      [PERPETUAL, 'buy', '1000', '30061'],
    ];
    world.executor.submit(sumPlan('f', legs, { units: '1', profit: '400', carry: '390', endsMs: EXPIRY_MS }));
    world.funding = { rate: 0.003, nextMs: START_MS + 60_000, price: 30_050 };
    world.runUntilMs(START_MS + 62_000);
    expect(world.ledger.positionOf(PERPETUAL.id).size.toNumber()).toBe(0);
    const paid = world.journal.of('funding').map(({ amount, holding }) => `${holding} ${amount}`);
    expect(paid.sort()).toEqual(['b 90.15', 'f -90.15']);
    checkBooks();
  });

  it('is left when funding turns against it by more than leaving costs', () => {
    quoteBasis(30_000, 30_060);
    world.executor.submit(basis());
    world.runUntilMs(START_MS + 5_000);
    // A short pays when the rate is negative. 40 are expected; to leave costs fees of 90 both ways and 2 of spreads.
    world.expectedRate = -0.004;
    world.runUntilMs(START_MS + 10_000);
    expect(closed()).toEqual([]);
    world.expectedRate = -0.005;
    world.runUntilMs(START_MS + 20_000);
    expect(closed().map(({ reason }) => reason)).toEqual(['funding-turned']);
  });

  it('is not left for funding that was counted on when it was entered', () => {
    quoteBasis(30_000, 30_060);
    world.expectedRate = -0.004;
    world.executor.submit(basis());
    world.runUntilMs(START_MS + 20_000);
    expect(closed()).toEqual([]);
    expect(world.holdings.open[0]!.expectedFunding.toNumber()).toBeCloseTo(-120.24, 2);
    world.expectedRate = -0.008;
    world.runUntilMs(START_MS + 25_000);
    expect(closed()).toEqual([]);
    world.expectedRate = -0.009;
    world.runUntilMs(START_MS + 30_000);
    expect(closed().map(({ reason }) => reason)).toEqual(['funding-turned']);
  });

  it('is left when it has lost more than it may', () => {
    quoteBasis(30_000, 30_060);
    world.stopLoss = 0.01;
    world.executor.submit(basis());
    world.runUntilMs(START_MS + 5_000);
    // Of a notional of 60,000, 600 may be lost: fees and spreads are some 90 of them.
    quoteBasis(30_000, 30_500);
    world.runUntilMs(START_MS + 10_000);
    expect(closed()).toEqual([]);
    quoteBasis(30_000, 30_700);
    world.runUntilMs(START_MS + 15_000);
    const [end] = closed();
    expect(end!.reason).toBe('stop-loss');
    expect(Number(end!.pnl.realised)).toBeLessThan(-600);
    checkOverButDust();
  });

  it('is left at the horizon, and in parts where the books are thin', () => {
    quoteBasis(30_000, 30_060);
    world.executor.submit(basis('400'));
    world.runUntilMs(START_MS + HORIZON_MS - 5_000);
    expect(closed()).toEqual([]);
    world.quote(SPOT, 30_000, 30_001, 0.4);
    world.quote(PERPETUAL, 30_060, 30_061, 500);
    for (let at = 0; at < 200 && closed().length === 0; at += 1) {
      // A new level each time: what was taken of the old one is not taken again.
      world.quote(SPOT, 30_000 + at * 0.01, 30_001 + at * 0.01, 0.4);
      world.quote(PERPETUAL, 30_060 + at * 0.01, 30_061 + at * 0.01, 500);
      world.runUntilMs(world.nowMs + 2_000);
    }
    expect(closed().map(({ reason }) => reason)).toEqual(['horizon']);
    expect(world.journal.of('operation').filter(({ bond }) => bond?.intent === 'exit').length).toBeGreaterThan(3);
    checkBooks();
  });
});

describe('what is left alone', () => {
  it('is closed when the other leg has settled, though it was a single lot', () => {
    world.quote(FUTURE, 30_100, 30_101);
    world.quote(PERPETUAL, 29_999, 30_000);
    const legs: readonly SumLeg[] = [
      [FUTURE, 'sell', '1', '30100'],
      [PERPETUAL, 'buy', '100', '30000'],
    ];
    const endsMs = EXPIRY_MS + HORIZON_MS;
    world.executor.submit(sumPlan('r', legs, { units: '0.1', profit: '400', carry: '390', endsMs }));
    world.runUntilMs(EXPIRY_MS - 1_000);
    expect(world.holdings.open.length).toBe(1);
    world.runUntilMs(EXPIRY_MS + 5_000);
    expect(closed().map(({ reason }) => reason)).toEqual(['unbalanced']);
    checkOver();
  });

  it('is settled by itself, once somebody can value it', () => {
    world.quote(FUTURE, 30_090, 30_100);
    // The other leg has no book: recovery has no way out and asks a person, who is not there.
    const plan = sumPlan('l', CONVERSION.slice(0, 2), { units: '2', profit: '25', carry: '25', endsMs: EXPIRY_MS });
    world.executor.submit(plan);
    world.runUntilMs(START_MS + 9);
    world.quotes.clear();
    world.rates = undefined;
    world.runUntilMs(EXPIRY_MS + 3_600_000);
    expect(world.executor.counts.escalated).toBe(1);
    expect(world.journal.of('settlement')).toEqual([]);
    world.rates = { USDT: 1, USD: 1 };
    world.runUntilMs(EXPIRY_MS + 3_605_000);
    expect(world.ledger.positionOf(FUTURE.id).size.toNumber()).toBe(0);
    // Bought for 30100 when a coin was taken for 30000, and taken back at what it was worth then.
    expect(world.ledger.pnl.realised.plus(world.ledger.pnl.fees).toNumber()).toBe(-200);
    checkBooks();
  });
});

it('asks a person about an entry whose contracts are listed no more, and tells what it has brought', () => {
  quoteConversion();
  world.executor.submit(conversion());
  world.runUntilMs(START_MS + 10);
  world.listed = [SPOT, PERPETUAL];
  world.crash('all');
  const told = world.journal.of('operation').at(-1)!;
  expect(told).toMatchObject({ state: 'escalated', reason: 'INSTRUMENT_UNLISTED' });
  const asked = world.journal.of('escalation').at(-1)!;
  expect(asked.loose.length).toBeGreaterThan(0);
  expect(world.executor.counts).toMatchObject({ escalated: 1, open: 1 });
  // Still not there: still asked, and no proposal sends anything.
  world.crash('all');
  const word = { by: 'ann', commandId: 'c' };
  expect(world.executor.approveRecovery(asked.operation as never, undefined, word)).toMatchObject({ kind: 'refused' });
  expect(world.executor.cancelRecovery(asked.operation as never, word)).toEqual({ kind: 'done' });
  expect(world.executor.counts).toMatchObject({ escalated: 0, open: 0, failed: 1 });
  const fills = world.journal.of('fill');
  expect(fills.length).toBeGreaterThan(0);
  const ended = world.journal.of('operation').at(-1)!;
  expect(ended).toMatchObject({ state: 'failed', reason: 'ACCEPTED: by=ann' });
  expect(ended.pnl!.realised).toBe(recomputePnl(world.journal.events).realised.toFixed());
  expect(ended.pnl!.fees).toBe(fills.reduce((sum, { fee }) => sum.plus(fee), new Decimal(0)).toFixed());
});

describe('a fill that comes after the end', () => {
  beforeEach(() => {
    quoteBasis(30_000, 30_060);
    world.executor.submit(basis());
    world.runUntilMs(START_MS + 5_000);
    quoteBasis(30_500, 30_400);
    world.runUntilMs(START_MS + 10_000);
    expect(closed().length).toBe(1);
  });

  it('of an entry holds again no more than that fill', () => {
    hearLate('b', 'sell');
    for (let at = 1; at <= 10; at += 1) {
      quoteBasis(30_500 + at, 30_400 + at);
      world.runUntilMs(START_MS + 10_000 + at * 10_000);
    }
    checkOverButDust();
    const entries = world.journal.of('operation').filter(({ id, state }) => id === 'b' && state === 'completed');
    expect(entries.length).toBe(2);
  });

  it.each(['as it was', 'killed', 'killed from a checkpoint'])('of an exit leaves what it has opened: %s', (how) => {
    const exit = world.journal.of('operation').findLast(({ bond }) => bond?.intent === 'exit')!;
    if (how === 'killed from a checkpoint') world.crash('all');
    hearLate(exit.id, 'buy');
    expect(world.ledger.positionOf(PERPETUAL.id).size.toNumber()).toBe(100);
    if (how !== 'as it was') world.crash('all');
    for (let at = 1; at <= 10; at += 1) {
      quoteBasis(30_500 + at, 30_400 + at);
      world.runUntilMs(world.nowMs + 10_000);
    }
    checkOverButDust();
  });

  /** A hundred contracts more than an order of an operation was thought to have traded. */
  function hearLate(id: string, side: 'buy' | 'sell'): void {
    const order = world.journal
      .of('order')
      .find(({ instrument, operation }) => instrument === PERPETUAL.id && operation === id)!;
    const clientOrderId = order.client_order_id as ClientOrderId;
    const trade = { clientOrderId, instrument: PERPETUAL.id, side, liquidity: 'taker' } as const;
    const fill = { ...trade, tradeId: 'late' as TradeId, price: new Decimal(30_060), qty: new Decimal(100) };
    const fee = { fee: new Decimal('1.503'), feeAsset: 'USDT' as Asset };
    world.executor.onReport({
      kind: 'fill',
      clientOrderId,
      receivedTimeNs: world.clock.now(),
      fill: { ...fill, ...fee },
    });
  }
});

describe('a position that its venue reduces by itself', () => {
  const forced = (qty: number, more: Partial<ForcedFill> = {}): ForcedFill => ({
    instrument: PERPETUAL.id,
    tradeId: 'adl-1' as TradeId,
    side: 'buy',
    price: new Decimal(30_100),
    qty: new Decimal(qty),
    fee: new Decimal(0),
    feeAsset: 'USDT' as Asset,
    forced: 'adl',
    timeMs: world.nowMs,
    ...more,
  });
  const entered = (): void => {
    quoteBasis(30_000, 30_060);
    world.executor.submit(basis());
    world.runUntilMs(START_MS + 5_000);
    expect(world.holdings.open.length).toBe(1);
  };

  it('leaves its other leg at once, once, and over a restart too', () => {
    entered();
    world.holdings.onForced(forced(1_000));
    expect(world.journal.of('settlement')).toMatchObject([
      { holding: 'b', forced: 'adl', trade_id: 'adl-1', qty: '1000' },
    ]);
    // In the same moment: nobody waits for a look.
    expect(world.journal.of('order').at(-1)).toMatchObject({ instrument: SPOT.id, side: 'sell', status: 'submitted' });
    world.holdings.onForced(forced(1_000));
    world.crash('all');
    world.holdings.onForced(forced(1_000));
    world.runUntilMs(START_MS + 60_000);
    expect(world.journal.of('settlement').length).toBe(1);
    expect(world.ledger.positionOf(PERPETUAL.id).size.toNumber()).toBe(0);
    checkOverButDust();
    checkBooks();
  });

  it('leaves all of what is held when a part of a leg is taken, for that reason', () => {
    entered();
    world.holdings.onForced(forced(400));
    world.runUntilMs(START_MS + 60_000);
    expect(closed()).toMatchObject([{ reason: 'deleveraged' }]);
    expect(world.ledger.positionOf(PERPETUAL.id).size.toNumber()).toBe(0);
    checkOverButDust();
    checkBooks();
  });

  it('tries to leave again as soon when the wall clock is set back meanwhile', () => {
    entered();
    const exits = () => world.journal.of('operation').filter(({ bond }) => bond?.intent === 'exit');
    world.quote(SPOT, 29_999, 30_000, 0.1);
    world.quote(PERPETUAL, 30_060, 30_061, 50);
    world.holdings.onForced(forced(400));
    world.runUntilMs(START_MS + 5_900);
    expect(exits().at(-1)).toMatchObject({ state: 'completed' });
    expect(world.holdings.open.length).toBe(1);
    world.wallStepMs = -3_600_000;
    quoteBasis(30_000, 30_100);
    world.runUntilMs(START_MS + 10_000);
    expect(closed()).toMatchObject([{ reason: 'deleveraged' }]);
  });

  it('books what no holding has, and touches none', () => {
    entered();
    world.holdings.onForced(forced(300, { side: 'sell', tradeId: 'adl-2' as TradeId, forced: 'liquidation' }));
    expect(world.journal.of('settlement')).toMatchObject([{ forced: 'liquidation', qty: '300' }]);
    expect(world.journal.of('settlement')[0]).not.toHaveProperty('holding');
    world.runUntilMs(START_MS + 20_000);
    expect(world.holdings.open.length).toBe(1);
    expect(world.ledger.positionOf(PERPETUAL.id).size.toNumber()).toBe(-1_300);
  });

  it('takes nothing from what is entered after what was being entered has come to nothing', () => {
    quoteBasis(30_000, 30_060);
    world.executor.submit(basis());
    world.holdings.onForced(forced(300));
    quoteBasis(31_000, 29_000);
    world.runUntilMs(START_MS + 5_000);
    expect(world.holdings.open).toEqual([]);
    quoteBasis(30_000, 30_060);
    world.executor.submit(sumPlan('later', BASIS, { units: '1', profit: '40', carry: '10' }));
    world.runUntilMs(START_MS + 10_000);
    expect(world.journal.of('holding').find(({ id }) => id === 'later')).toMatchObject({
      legs: [{}, { instrument: PERPETUAL.id, size: '-1000' }],
    });
  });

  it('takes it from the oldest first', () => {
    entered();
    world.executor.submit(sumPlan('later', BASIS, { units: '1', profit: '40', carry: '10' }));
    world.runUntilMs(START_MS + 10_000);
    expect(world.holdings.open.length).toBe(2);
    world.holdings.onForced(forced(1_200));
    expect(world.journal.of('settlement').map(({ holding, qty }) => [holding, qty])).toEqual([
      ['b', '1000'],
      ['later', '200'],
    ]);
    world.runUntilMs(START_MS + 60_000);
    expect(closed().map(({ reason }) => reason)).toEqual(['deleveraged', 'deleveraged']);
    checkOverButDust();
    checkBooks();
  });

  it('books the rest of what it had booked to one of two when it was killed', () => {
    entered();
    world.executor.submit(sumPlan('later', BASIS, { units: '1', profit: '40', carry: '10' }));
    world.runUntilMs(START_MS + 10_000);
    const before = world.journal.events.length;
    world.holdings.onForced(forced(1_700));
    world.crash(before + 1);
    expect(world.journal.of('settlement')).toMatchObject([{ holding: 'b', qty: '1000', rest: '700' }]);
    world.holdings.onForced(forced(1_700));
    world.holdings.onForced(forced(1_700));
    expect(world.journal.of('settlement').map(({ holding, qty, rest }) => [holding, qty, rest])).toEqual([
      ['b', '1000', '700'],
      ['later', '700', undefined],
    ]);
    world.crash('all');
    world.holdings.onForced(forced(1_700));
    expect(world.journal.of('settlement').length).toBe(2);
    world.runUntilMs(START_MS + 60_000);
    checkOverButDust();
    checkBooks();
  });

  it.each(['as it was', 'killed'])('brings what is still being entered to what is left of it: %s', (how) => {
    quoteBasis(30_000, 30_060);
    world.executor.submit(basis());
    // One leg has filled, the other has not been heard of.
    for (let ms = 0; world.ledger.positionOf(PERPETUAL.id).size.isZero(); ms += 0.1) world.runUntilMs(START_MS + ms);
    expect(world.executor.counts.open).toBe(1);
    world.holdings.onForced(forced(300));
    expect(world.ledger.positionOf(PERPETUAL.id).size.toNumber()).toBe(-700);
    if (how === 'killed') world.crash('all');
    quoteBasis(30_000, 30_060);
    world.runUntilMs(world.nowMs + 60_000);
    const [held] = world.holdings.open;
    expect(held!.legs.map((leg) => [Number(leg.entered), Number(leg.size)])).toEqual([
      [expect.closeTo(0.7, 3), expect.closeTo(0.7, 3)],
      [-700, -700],
    ]);
    // Nothing was sold again where it had just been taken.
    const orders = world.journal.of('order').filter(({ operation }) => operation === 'b');
    expect(orders.filter(({ instrument, purpose }) => instrument === PERPETUAL.id && purpose !== 'leg')).toEqual([]);
    expect(world.ledger.positionOf(PERPETUAL.id).size.toNumber()).toBe(-700);
    checkBooks();
  });

  describe('while a person is asked about what was being entered', () => {
    /** Half of the coins and all of the contracts; then the books go away for long. */
    beforeEach(() => {
      world.quote(SPOT, 29_999, 30_000, 0.5);
      world.quote(PERPETUAL, 30_060, 30_061);
      world.executor.submit(basis());
      for (let ms = 0; world.journal.of('fill').length < 2; ms += 0.1) world.runUntilMs(START_MS + ms);
      world.quotes.clear();
      while (world.executor.counts.escalated === 0) world.runUntilMs(world.nowMs + 1_000);
      expect(world.ledger.positionOf(PERPETUAL.id).size.toNumber()).toBe(-1_000);
    });
    const accepted = () => world.executor.cancelRecovery('b' as OperationId, { by: 'ann', commandId: 'c-1' });
    const first = (operation: string) => world.journal.of('holding').find(({ id }) => id === operation);

    it.each(['as it was', 'killed'])('it is taken from what stood alone: %s', (how) => {
      world.holdings.onForced(forced(200));
      world.runUntilMs(world.nowMs + 5_000);
      if (how === 'killed') world.crash('all');
      expect(accepted()).toEqual({ kind: 'done' });
      expect(first('b')!.legs[1]).toMatchObject({ entered: '-500', size: '-500' });
      expect(world.ledger.positionOf(PERPETUAL.id).size.toNumber()).toBe(-800);
      checkBooks();
    });

    it.each([
      ['as it was', 200, -800],
      ['killed', 200, -800],
      ['as it was', 800, -200],
      ['killed', 800, -200],
    ])('what is then done goes by what is left: %s, %d taken', (how, taken, left) => {
      world.holdings.onForced(forced(taken));
      if (how === 'killed') world.crash('all');
      quoteBasis(30_000, 30_060);
      world.runUntilMs(world.nowMs + 10_000);
      // A new start has its books back before it would ask.
      const approval = world.executor.approveRecovery('b' as OperationId, undefined, { by: 'ann', commandId: 'c-1' });
      expect(approval.kind).toBe(how === 'killed' ? 'refused' : 'done');
      world.runUntilMs(world.nowMs + 10_000);
      expect(world.executor.counts.open).toBe(0);
      expect(world.ledger.positionOf(PERPETUAL.id).size.toNumber()).toBe(left);
      const [coins, contracts] = world.holdings.open[0]!.legs;
      expect([Number(coins!.size), Number(contracts!.size)]).toEqual([expect.closeTo(-left / 1_000, 3), left]);
      checkBooks();
    });

    it.each(['as it was', 'killed'])('a person is asked no more once all of it is gone: %s', (how) => {
      world.holdings.onForced(forced(1_000));
      if (how === 'killed') world.crash('all');
      quoteBasis(30_000, 30_060);
      world.runUntilMs(world.nowMs + 10_000);
      world.executor.approveRecovery('b' as OperationId, undefined, { by: 'ann', commandId: 'c-1' });
      world.runUntilMs(world.nowMs + 10_000);
      expect(world.ledger.positionOf(PERPETUAL.id).size.toNumber()).toBe(0);
      checkOverButDust();
    });

    it.each(['as it was', 'killed'])('and not from what another one enters meanwhile: %s', (how) => {
      world.holdings.onForced(forced(200));
      if (how === 'killed') world.crash('all');
      quoteBasis(30_000, 30_060);
      world.executor.submit(sumPlan('later', BASIS, { units: '1', profit: '40', carry: '10' }));
      world.runUntilMs(world.nowMs + 3_000);
      expect(first('later')).toMatchObject({ legs: [{}, { entered: '-1000', size: '-1000' }] });
      checkBooks();
    });
  });

  it('is left before it comes to that, where its venue says that it is near', () => {
    entered();
    world.nextToGo.add(PERPETUAL.id);
    world.runUntilMs(START_MS + 60_000);
    expect(closed()).toMatchObject([{ reason: 'adl-rank' }]);
    checkOverButDust();
  });
});

it('leaves what has grown too old, whatever that brings', () => {
  quoteBasis(30_000, 30_060);
  world.executor.submit(basis());
  world.runUntilMs(START_MS + 5_000);
  world.maxAgeMs = 3_600_000;
  // Far from what was to be earned.
  quoteBasis(30_000, 30_070);
  world.runUntilMs(START_MS + 3_590_000);
  expect(world.holdings.open.length).toBe(1);
  world.runUntilMs(START_MS + 3_620_000);
  expect(closed()).toMatchObject([{ reason: 'aged' }]);
});

/** Coins below a lot may stay behind. */
function checkOverButDust(): void {
  expect(world.holdings.open).toEqual([]);
  expect(world.executor.counts.open).toBe(0);
  expect(world.ledger.exposures.total).toBe(0);
  expect(world.ledger.positionOf(PERPETUAL.id).size.toFixed()).toBe('0');
  checkBooks();
}

describe('a kill at any time', () => {
  it('loses nothing of a conversion', () => {
    let entered = 0;
    // Milliseconds after the start: in the middle of every word of the entry, and around the settlement.
    const times = [...Array.from({ length: 30 }, (_, at) => at), 500, 3_000].map((ms) => START_MS + ms);
    for (const time of [...times, EXPIRY_MS - 1, EXPIRY_MS, EXPIRY_MS + 1_100]) {
      for (const keep of ['flushed', 'all'] as const) {
        world = new HeldWorld();
        quoteConversion();
        world.executor.submit(conversion());
        world.runUntilMs(Math.min(time, START_MS + 20_000));
        if (time > START_MS + 20_000) {
          world.quotes.clear();
          world.index = 33_333;
          world.runUntilMs(time);
        }
        world.crash(keep);
        const before = world.journal.events.length;
        world.runUntilMs(Math.max(world.nowMs, START_MS + 60_000));
        world.quotes.clear();
        world.index = 33_333;
        // Time enough to believe that an order was never seen.
        world.runUntilMs(EXPIRY_MS + 20_000);
        checkOver();
        // What follows the restart can be reckoned by itself.
        expect(() => recomputePnl(world.journal.events.slice(before))).not.toThrow();
        const gained = world.gained('USDT').plus(world.feesIn('USDT'));
        if (closed().length === 0) continue;
        entered += 1;
        expect(closed().length).toBe(1);
        // Completed by recovery at the same books, or whole at once: what was locked, either way.
        expect(gained.toFixed()).toBe(String(LOCKED));
      }
    }
    expect(entered).toBeGreaterThan(20);
  });

  it('loses nothing of a basis, its funding and its exit', () => {
    const due = START_MS + 60_000;
    const after = START_MS + 120_000;
    const exits = Array.from({ length: 25 }, (_, at) => after + at * 100);
    for (const time of [START_MS + 10, START_MS + 1_000, due - 500, due + 500, due + 1_500, ...exits]) {
      world = new HeldWorld();
      quoteBasis(30_000, 30_060);
      world.funding = { rate: 0.003, nextMs: due, price: 30_050 };
      world.executor.submit(basis());
      const killAt = (ms: number): void => {
        if (time <= ms && time >= world.nowMs) {
          world.runUntilMs(time);
          world.crash('all');
        }
        world.runUntilMs(ms);
      };
      killAt(after);
      quoteBasis(30_500, 30_500);
      killAt(after + 60_000);
      world.runUntilMs(after + 120_000);
      checkOverButDust();
      expect(world.journal.of('funding').length).toBe(1);
      expect(closed().length).toBe(1);
      expect(world.ledger.pnl.realised.toFixed()).toBe(closed()[0]!.pnl.realised);
    }
  });
});
