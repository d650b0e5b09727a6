import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { SumRoute } from '#shared/domain/route.ts';
import type { Plan, PlanLeg } from '#shared/domain/trade.ts';
import { amountOf } from '#shared/money/grid.ts';
import { fillFactsOf, pnlOfFill } from '#shared/money/pnl.ts';
import { carryOf, carrySettingsOf, notionalPerUnit } from '#shared/quant/carry.ts';
import type { Sized } from '#hotpath/pipeline.ts';
import { breakEvenMsOf } from '#hotpath/size/break-even.ts';
import type { PaperBook } from '#test/support/market.ts';
import { boardOf, listing } from '#test/support/options.ts';
import type { SumScene } from './sum-scene.ts';
import { certain, DAY, ENDS_MS, entryOf, legOutcome, NOW_MS, scenes, sumsOf, sumStage } from './sum-scene.ts';

type Planned = { readonly route: SumRoute; readonly plan: Plan; readonly sized: Extract<Sized, { kind: 'plan' }> };

/** Every sum plan that a scene offers, each as if it were the only one. */
function plansIn(scene: SumScene): {
  readonly stage: ReturnType<typeof sumStage>;
  readonly planned: readonly Planned[];
} {
  const stage = sumStage(scene);
  const planned = sumsOf(stage.routes).flatMap(([index, route]) => {
    const sized = stage.sizer.resize(index, 0 as TimeNs);
    return sized?.kind === 'plan' ? [{ route, plan: sized.plan, sized }] : [];
  });
  return { stage, planned };
}

/** What a venue takes for a fill, and in which asset. */
function feeOf(instrument: Instrument, side: PlanLeg['side'], qty: Decimal, price: Decimal) {
  const { kind, fees, contractSize, inverse, base, quote, settle } = instrument;
  const size = qty.times(contractSize);
  if (kind === 'option') {
    const underlying = base === quote ? 1 : 60_000;
    const charged = Decimal.min(fees.taker.times(underlying), fees.premiumShareMax!.times(price));
    return { fee: size.times(charged), feeAsset: quote };
  }
  if (kind !== 'spot') {
    const value = inverse ? size.div(price).toDecimalPlaces(18) : size.times(price);
    return { fee: value.times(fees.taker), feeAsset: settle };
  }
  const inBase = side === 'buy' && fees.currency === 'received';
  return { fee: (inBase ? qty : qty.times(price)).times(fees.taker), feeAsset: inBase ? base : quote };
}

const isApproximate = ({ kind, inverse, fees }: Instrument, { side, unit }: SumRoute['legs'][number]): boolean =>
  kind === 'spot'
    ? unit === 'quote' || (side === 'buy' && fees.currency === 'received' && !fees.taker.isZero())
    : inverse !== (unit === 'quote');

describe('plans of sum routes', () => {
  it('are realised to the last digit by fills at the expected prices', () => {
    let plans = 0;
    fc.assert(
      fc.property(scenes, (scene) => {
        const { planned } = plansIn(scene);
        for (const { route, plan } of planned) {
          plans += 1;
          let realised = new Decimal(0);
          for (const [at, { side, qty, expectedPrice: price }] of plan.legs.entries()) {
            const instrument = scene.instruments[route.legs[at]!.instrument]!;
            const fill = fillFactsOf({ side, price, qty, ...feeOf(instrument, side, qty, price) }, instrument);
            realised = realised.plus(pnlOfFill(fill, plan.rates).realised);
          }
          expect(realised.toFixed()).toBe(plan.expectedProfit.minus(plan.expectedCarry).toFixed());
        }
      }),
      { numRuns: 20 },
    );
    expect(plans).toBeGreaterThan(500);
  });

  it('earn what the definition says, to within what rounding to lots leaves over', () => {
    fc.assert(
      fc.property(scenes, (scene) => {
        const { stage, planned } = plansIn(scene);
        const { instruments } = scene;
        for (const { route, plan, sized } of planned) {
          const rate = plan.rates[route.start]!.toNumber();
          const units = plan.bond!.units.toNumber();
          const market = { instruments, tops: stage.books.tops, references: stage.references, nowMs: NOW_MS };
          const carry = carryOf(route, market, carrySettingsOf(stage.engine.carry));
          const notional = notionalPerUnit(route, stage.books.tops) * units * rate;
          expect(plan.expectedCarry.toNumber()).toBeCloseTo(units * carry.net * rate, 6);
          expect(plan.notional.toNumber()).toBeCloseTo(notional, 6);
          expect(plan.netEdgeBps).toBeCloseTo((plan.expectedProfit.toNumber() / notional) * 1e4, 8);
          // A remainder is worth the middle price; what it cost is at most seven percent away: middles of scenes are three either way, levels beyond. Fees in coin are valued likewise.
          let tolerance = 1e-6;
          for (const [at, leg] of plan.legs.entries()) {
            const instrument = instruments[route.legs[at]!.instrument]!;
            const lots = leg.qty.div(instrument.lot).toNumber();
            const value = leg.notional.toNumber();
            if (isApproximate(instrument, route.legs[at]!)) tolerance += 0.07 * (value / lots);
            if (instrument.inverse) tolerance += 0.07 * value * instrument.fees.taker.toNumber();
          }
          const entry = entryOf(route, scene, units * (1 - 1e-12));
          const expected = (entry! + units * carry.net) * rate;
          expect(Math.abs(plan.expectedProfit.toNumber() - expected)).toBeLessThanOrEqual(tolerance);
          expect(sized.opportunity.netEdge * 1e4).toBeCloseTo(plan.netEdgeBps, 6);
        }
      }),
      { numRuns: 20 },
    );
  });

  it('stand on every grid, agree with one another to half a lot, and take only what is displayed', () => {
    fc.assert(
      fc.property(scenes, fc.constantFrom(0.5, 1), (scene, fraction) => {
        const { planned } = plansIn({ ...scene, engine: { displayed_fraction: fraction } });
        for (const { route, plan } of planned) {
          const units = plan.bond!.units.toNumber();
          for (const [at, { qty, price, side }] of plan.legs.entries()) {
            const leg = route.legs[at]!;
            const instrument = scene.instruments[leg.instrument]!;
            expect(qty.mod(instrument.lot).toNumber()).toBe(0);
            expect(price.mod(instrument.tick).toNumber()).toBe(0);
            expect(qty.gt(0)).toBe(true);
            const book = scene.books[leg.instrument]!;
            const displayed = (side === 'buy' ? book.asks : book.bids).reduce((sum, [, shown]) => sum + shown, 0);
            expect(qty.toNumber()).toBeLessThanOrEqual(displayed * fraction * (1 + 1e-9));
            const meant = legOutcome(leg, { ...scene, books: scene.books.map(deep) }, units * leg.ratio, fraction)!.qty;
            const lots = Math.abs(qty.toNumber() - meant) / instrument.lot.toNumber();
            // A level is taken in whole lots, so that what a price-dependent leg averages may be off by a little more than half of one.
            if (isApproximate(instrument, leg)) expect(lots).toBeLessThanOrEqual(0.51);
            expect(plan.bond!.perUnit[at]!.times(plan.bond!.units).minus(qty).abs().toNumber()).toBeLessThan(1e-20);
          }
        }
      }),
      { numRuns: 20 },
    );
  });

  it('still earn the least edge when every leg fills at its limit', () => {
    fc.assert(
      fc.property(scenes, fc.constantFrom(0, 20), (scene, min) => {
        const { stage, planned } = plansIn({ ...scene, engine: { min_edge_bps: min } });
        for (const { route, plan } of planned) {
          const atLimits = {
            ...scene,
            books: scene.books.map((book, index): PaperBook => {
              const at = route.legs.findIndex(({ instrument }) => instrument === index);
              if (at < 0) return book;
              const levels = [[plan.legs[at]!.price.toNumber(), 1e9]] as const;
              return { asks: levels, bids: levels };
            }),
          };
          const market = {
            tops: stage.books.tops,
            instruments: scene.instruments,
            references: stage.references,
            nowMs: NOW_MS,
          };
          const carry = carryOf(route, market, carrySettingsOf(stage.engine.carry));
          const notional = notionalPerUnit(route, stage.books.tops);
          expect((entryOf(route, atLimits, 1)! + carry.net) / notional).toBeGreaterThanOrEqual(min / 1e4 - 1e-9);
          for (const [at, { price, expectedPrice, side }] of plan.legs.entries()) {
            const { tick } = scene.instruments[route.legs[at]!.instrument]!;
            expect((side === 'buy' ? price.minus(expectedPrice) : expectedPrice.minus(price)).plus(tick).gte(0)).toBe(
              true,
            );
          }
        }
      }),
      { numRuns: 15 },
    );
  });

  it('explain themselves: costs add up to the net profit', () => {
    fc.assert(
      fc.property(scenes, (scene) => {
        for (const { sized } of plansIn(scene).planned) {
          const { notional, grossEdge, netEdge, fees, slippage, holding } = sized.opportunity;
          const { funding, closing, delivery, borrow, capitalCost } = holding!;
          const net = notional * grossEdge - fees - slippage + funding - closing - delivery - borrow - capitalCost;
          expect(net / notional).toBeCloseTo(netEdge, 9);
        }
      }),
      { numRuns: 20 },
    );
  });

  it('never spend more than an account has, shared by the legs that it pays for', () => {
    const amounts = fc.record({
      USDT: fc.constantFrom(500, 5_000, 1e9),
      BTC: fc.constantFrom(0.05, 0.4, 1e9),
      USD: fc.constantFrom(3_000, 1e9),
    });
    fc.assert(
      fc.property(scenes, amounts, (scene, money) => {
        const { planned } = plansIn({ ...scene, available: (_venue, asset) => money[asset as keyof typeof money] });
        for (const { route, plan } of planned) {
          const spent = new Map<string, Decimal>();
          for (const [at, { qty, price, side }] of plan.legs.entries()) {
            const { kind, base, quote, settle, venue, fees, contractSize, inverse } =
              scene.instruments[route.legs[at]!.instrument]!;
            const spend = (asset: string, amount: Decimal): void =>
              void spent.set(`${venue} ${asset}`, (spent.get(`${venue} ${asset}`) ?? new Decimal(0)).plus(amount));
            const size = qty.times(contractSize);
            if (kind === 'spot') spend(side === 'buy' ? quote : base, side === 'buy' ? qty.times(price) : qty);
            else if (kind === 'option')
              spend(quote, side === 'buy' ? size.times(price) : size.times(base === quote ? 0.2 : 12_000));
            else spend(settle, (inverse ? size.div(price) : size.times(price)).times(fees.taker.plus('0.2')));
          }
          for (const [account, amount] of spent) {
            const asset = account.split(' ')[1] as keyof typeof money;
            expect(amount.toNumber(), account).toBeLessThanOrEqual(money[asset] * (1 + 1e-12));
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  it('are the best of all whole steps, to within one', () => {
    fc.assert(
      fc.property(scenes, (scene) => {
        const { stage, planned } = plansIn(scene);
        for (const { route, plan } of planned) {
          if (route.legs.some((leg) => isApproximate(scene.instruments[leg.instrument]!, leg))) continue;
          const market = {
            tops: stage.books.tops,
            instruments: scene.instruments,
            references: stage.references,
            nowMs: NOW_MS,
          };
          const { net } = carryOf(route, market, carrySettingsOf(stage.engine.carry));
          const units = plan.bond!.units.toNumber();
          const steps = Math.round(plan.legs[0]!.qty.div(scene.instruments[route.legs[0]!.instrument]!.lot).toNumber());
          const rate = plan.rates[route.start]!.toNumber();
          const profitOf = (size: number): number => {
            const entry = entryOf(route, scene, size * (1 - 1e-12));
            return entry === undefined ? -Infinity : (entry + size * net) * rate;
          };
          // One lot of the first leg may be less than a step of the route: then more sizes than can be had are tried.
          for (let lots = 1; lots <= 3 * steps; lots += Math.max(1, Math.floor(steps / 40))) {
            const gap = profitOf((units * lots) / steps) - plan.expectedProfit.toNumber();
            expect(gap).toBeLessThanOrEqual(Math.max(0, profitOf(oneStep(route, scene.instruments))) + 1e-6);
          }
        }
      }),
      { numRuns: 15 },
    );
  });
});

/** The fewest units of the route that are whole lots of every leg. */
function oneStep({ legs }: SumRoute, instruments: readonly Instrument[]): number {
  const unitsALot = legs.map(({ instrument, ratio }) => {
    const { lot, contractSize } = instruments[instrument]!;
    return lot.times(contractSize).toNumber() / ratio;
  });
  const largest = Math.max(...unitsALot);
  const isWhole = (value: number): boolean => Math.abs(value - Math.round(value)) < 1e-9 * value;
  for (let lots = 1; lots <= 3_200; lots += 1)
    if (unitsALot.every((units) => isWhole((lots * largest) / units))) return lots * largest;
  throw new Error('legs without a common step');
}

const plain: SumScene['engine'] = {
  carry: { ...certain.carry, capital_rate: 0, closing_slippage_bps: 0, borrow_rates: {} },
};
const fees = (taker: string, other: object = {}): Partial<Instrument> => ({
  fees: { maker: amountOf(0), taker: amountOf(taker), currency: 'quote', ...other },
});
const planOf = (sized: Sized | undefined): Plan => {
  expect(sized?.kind, JSON.stringify(sized)).toBe('plan');
  return (sized as Extract<Sized, { kind: 'plan' }>).plan;
};
const refusalOf = (sized: Sized | undefined): string | undefined =>
  sized?.kind === 'refused' ? `${sized.reason}: ${sized.detail}` : sized?.kind;

describe('a conversion paid in dollars', () => {
  const options = { contractSize: amountOf('0.01'), lot: amountOf(1), tick: amountOf(5) };
  const [call, put] = boardOf(`b:BTC/USDT:USDT-${DAY}`, [60_000], {
    ...options,
    ...fees('0.0003', { currency: 'settle', premiumShareMax: amountOf('0.125') }),
  }) as [Instrument, Instrument];
  const scene: SumScene = {
    instruments: [
      listing('a:BTC/USDT', { lot: amountOf('0.001'), tick: amountOf('0.01'), ...fees('0.0001') }),
      call,
      put,
    ],
    books: [
      { asks: [[60_000, 2]], bids: [[59_990, 2]] },
      { bids: [[1_500, 50]], asks: [[1_600, 50]] },
      { bids: [[1_100, 80]], asks: [[1_200, 80]] },
    ],
    engine: plain,
  };
  const ROUTE = `parity:a:BTC/USDT+${put.id}>${call.id}`;

  it('earns the strike less what it costs to stand and to close', () => {
    const plan = planOf(sumStage(scene).size(ROUTE));
    expect(plan.legs.map(({ qty }) => qty.toFixed())).toEqual(['0.5', '50', '50']);
    // 300 of premiums; 0.03 % of the index for either option, 0.01 % of the coin to buy it and, at its middle price, to sell it.
    const net = new Decimal(300).minus(18).minus(18).minus(6).minus('5.9995');
    expect(plan.expectedProfit.toFixed()).toBe(net.div(2).toFixed());
    expect(plan.expectedCarry.toFixed()).toBe(new Decimal(60_000).minus('5.9995').div(2).toFixed());
    expect(plan.notional.toFixed()).toBe('30000');
    expect(plan.bond).toMatchObject({ intent: 'enter', endsMs: ENDS_MS });
    expect(plan.bond!.units.toFixed()).toBe('0.5');
    expect(plan.bond!.perUnit.map((qty) => qty.toFixed())).toEqual(['1', '100', '100']);
  });

  it('leaves nothing of a whole unit at its rates but cash, and values tokens about their price', () => {
    const { rates, legs } = planOf(sumStage(scene).size(ROUTE));
    const [coin, sold, bought] = legs;
    const tokens = bought!.qty.times(rates[put.id]!).minus(sold!.qty.times(rates[call.id]!));
    expect(coin!.qty.times(rates['BTC']!).plus(tokens).abs().toNumber()).toBeLessThan(1e-20);
    expect(rates['BTC']!.toNumber()).toBe(59_995);
    // Half of what settlement brings is taken off the put that pays it, half put on the call that owes it: 0.01 of 60000 less or more, about.
    expect(rates[call.id]!.minus(rates[put.id]!).toNumber()).toBeCloseTo(599.95, 6);
  });

  it('says how long it holds, and what that is a year', () => {
    const { opportunity } = sumStage(scene).size(ROUTE)!;
    const hours = (ENDS_MS - NOW_MS) / 3_600_000;
    expect(opportunity.holding).toMatchObject({
      certainty: 'locked',
      hours,
      payoff: 30_000,
      funding: 0,
      breakEvenHours: 0,
    });
    expect(opportunity.holding!.annualised).toBeCloseTo((opportunity.netEdge * 8_760) / hours, 12);
    // The coin, the put's premium, and a fifth of the index for the call that was sold.
    expect(opportunity.capital).toBeCloseTo((59_995 + 1_150 + 12_000) / 2, 6);
    expect(opportunity.impact).toBe(0);
  });

  it('is refused while the index that its fees are a fraction of is unknown', () => {
    const said: SumScene['said'] = ({ indexPrice }) => void indexPrice.fill(NaN);
    expect(refusalOf(sumStage({ ...scene, said }).size(ROUTE))).toBe(
      `REFERENCE_UNKNOWN: instruments=${call.id} ${put.id}`,
    );
  });

  it('is refused where its value is no number, however little is asked', () => {
    const engine = { ...plain, fill: { ...certain.fill, impact_factor: NaN } };
    expect(refusalOf(sumStage({ ...scene, engine }).size(ROUTE))).toMatch(/^EV_BELOW_THRESHOLD: expected_value=NaN/);
  });

  it('says nothing of an unknown index where a book has nothing that may be taken', () => {
    const stage = sumStage({ ...scene, said: ({ indexPrice }) => void indexPrice.fill(NaN) });
    Object.assign(stage.books.depths, { asks: () => 0 });
    expect(stage.size(ROUTE)).toBeUndefined();
  });

  it('is entered no more once its options expire within the least tenor', () => {
    const { sizer, indexOf, engine } = sumStage(scene);
    const lastMs = ENDS_MS - engine.carry.min_tenor_minutes * 60_000 - 1 - NOW_MS;
    const route = indexOf(ROUTE);
    planOf(sizer.size(route, (lastMs * 1e6) as TimeNs));
    expect(sizer.size(route, ((lastMs + 1) * 1e6) as TimeNs)).toBeUndefined();
    expect(sizer.resize(route, ((lastMs + 1) * 1e6) as TimeNs)).toBeUndefined();
  });

  it('names the account that is short, and the instrument whose grid is too coarse', () => {
    const poor: SumScene = { ...scene, available: (venue, asset) => (venue === 'b' && asset === 'USDT' ? 60 : 1e9) };
    expect(refusalOf(sumStage(poor).size(ROUTE))).toMatch(/^BALANCE_INSUFFICIENT: instrument=b:/);
    const coarse = {
      ...scene,
      instruments: [listing('a:BTC/USDT', { lot: amountOf('0.3'), ...fees('0.0001') }), call, put],
    };
    expect(planOf(sumStage(coarse).size(ROUTE)).legs.map(({ qty }) => qty.toFixed())).toEqual(['0.3', '30', '30']);
    const dear = [
      {
        asks: [
          [60_000, 0.4],
          [60_300, 9],
        ],
        bids: [[59_990, 2]],
      } as const,
      ...scene.books.slice(1),
    ];
    const coarser = [listing('a:BTC/USDT', { lot: amountOf('0.7'), ...fees('0.0001') }), call, put];
    expect(refusalOf(sumStage({ ...scene, instruments: coarser, books: dear }).size(ROUTE))).toMatch(
      /^BELOW_MIN_QTY: instrument=a:BTC\/USDT, lot=0.7, step_units=0.7, units=0.4/,
    );
    const large = { ...put, minQty: amountOf(60) };
    expect(refusalOf(sumStage({ ...scene, instruments: [scene.instruments[0]!, call, large] }).size(ROUTE))).toBe(
      `DEPTH_INSUFFICIENT: instrument=${put.id}, qty=50, min=60`,
    );
  });

  it('reads fees from the registry, and again when it is told that they have changed', () => {
    const instruments = [...scene.instruments];
    const { sizer } = sumStage({ ...scene, instruments });
    const profit = (): string => planOf(sizer.resize(0, 0 as TimeNs)).expectedProfit.toFixed();
    const before = profit();
    instruments[0] = { ...instruments[0]!, ...fees('0') };
    expect(sumsOf(sumStage(scene).routes)[0]![1].id).toBe(ROUTE);
    sizer.forgetFees();
    expect(new Decimal(profit()).minus(before).toFixed()).toBe(new Decimal(6).plus('5.9995').div(2).toFixed());
  });
});

describe('routes paid in coin', () => {
  const board = boardOf(`a:BTC/USD:BTC-${DAY}`, [58_000, 60_000], { lot: amountOf('0.1'), tick: amountOf('0.0001') });
  const [lowCall, lowPut, call, put] = board as [Instrument, Instrument, Instrument, Instrument];
  const future = listing(`a:BTC/USD:BTC-${DAY}`, {
    contractSize: amountOf(10),
    lot: amountOf(1),
    tick: amountOf('0.5'),
  });
  const scene: SumScene = {
    instruments: [future, call, put],
    books: [
      { asks: [[60_300, 90_000]], bids: [[60_290, 90_000]] },
      { bids: [[0.05, 1.25]], asks: [[0.051, 9]] },
      { bids: [[0.019, 9]], asks: [[0.02, 9]] },
    ],
    engine: plain,
  };

  it('count a coin-settled hedge in dollars of contracts', () => {
    const plan = planOf(sumStage(scene).size(`parity:${future.id}+${put.id}>${call.id}`));
    expect(plan.legs.map(({ qty }) => qty.toFixed())).toEqual(['7200', '1.2', '1.2']);
    const coins = new Decimal('0.03').plus(new Decimal(60_000).div(60_300)).minus(1).times('1.2');
    expect(plan.expectedProfit.toNumber()).toBeCloseTo(coins.times(plan.rates['BTC']!).toNumber(), 9);
    expect(plan.expectedCarry.toNumber()).toBe(-1.2 * 60_000);
    expect(plan.rates['BTC']!.toNumber()).toBe(60_000);
  });

  it('take whole lots of both strikes of a box, as the strikes have it', () => {
    const scaled: SumScene = {
      instruments: board,
      books: [
        // The synthetic forward at the lower strike is too dear by 0.01.
        { bids: [[0.07, 9]], asks: [[0.071, 9]] },
        { bids: [[0.02, 9]], asks: [[0.0205, 9]] },
        { bids: [[0.05, 9]], asks: [[0.0505, 9]] },
        { bids: [[0.045, 9]], asks: [[0.0455, 9]] },
      ],
      engine: plain,
    };
    const stage = sumStage(scaled);
    const boxes = sumsOf(stage.routes).filter(([, { family }]) => family === 'box');
    const plans = boxes.map(([at]) => stage.sizer.resize(at, 0 as TimeNs)).filter((sized) => sized?.kind === 'plan');
    expect(plans.length).toBe(1);
    const quantities = new Map(plans[0]!.plan.legs.map(({ instrument, qty }) => [instrument, qty.toFixed()]));
    expect([lowCall, lowPut, call, put].map(({ id }) => quantities.get(id))).toEqual(['9', '9', '8.7', '8.7']);
  });
});

describe('a position that is held for its funding', () => {
  const [coin, perpetual] = [listing('a:BTC/USDT'), listing('a:BTC/USDT:USDT')];
  const scene: SumScene = {
    instruments: [coin, perpetual],
    books: [
      { asks: [[60_000, 2]], bids: [[60_000, 2]] },
      { asks: [[60_000, 2]], bids: [[60_000, 2]] },
    ],
    engine: {
      carry: {
        ...certain.carry,
        capital_rate: 0,
        closing_slippage_bps: 0.8,
        horizon_hours: 24,
        funding_persistence: 1,
      },
    },
  };
  const ROUTE = 'basis:a:BTC/USDT>a:BTC/USDT:USDT';
  const holdingOf = (changed: Partial<SumScene>): object =>
    (sumStage({ ...scene, ...changed }).size(ROUTE) as Extract<Sized, { kind: 'plan' }>).opportunity.holding!;

  it('breaks even with the payment that covers the way in and out', () => {
    // Six dollars a coin in 4, 12 and 20 hours; the way out costs 9.60 a coin.
    expect(holdingOf({})).toMatchObject({ hours: 24, funding: 36, breakEvenHours: 12 });
    const twice: SumScene['said'] = ({ fundingRate }) => void (fundingRate[1] = 0.0002);
    expect(holdingOf({ said: twice })).toMatchObject({ breakEvenHours: 4 });
    const dear = [scene.books[0]!, { asks: [[60_020, 2]], bids: [[60_010, 2]] } as const];
    expect(holdingOf({ books: dear })).toMatchObject({ breakEvenHours: 0 });
  });

  it('never breaks even where funding is paid, or ends before it has paid enough', () => {
    const said: SumScene['said'] = ({ fundingRate }) => void (fundingRate[1] = -0.00001);
    const breakEvenMs = (stage: ReturnType<typeof sumStage>, net: number, ended: Partial<SumRoute['terms']> = {}) => {
      const found = stage.routes[stage.indexOf(ROUTE)] as SumRoute;
      const route = { ...found, terms: { ...found.terms, ...ended } };
      const { books, references } = stage;
      const market = { tops: books.tops, instruments: scene.instruments, references, nowMs: NOW_MS };
      const settings = carrySettingsOf(stage.engine.carry);
      return breakEvenMsOf({ route, carry: carryOf(route, market, settings), market, settings }, net);
    };
    expect(breakEvenMs(sumStage({ ...scene, said }), -10)).toBe(Infinity);
    const hour = 3_600_000;
    // Thirty more are owed than the eighteen of a day.
    expect(breakEvenMs(sumStage(scene), -30)).toBe(60 * hour);
    expect(breakEvenMs(sumStage(scene), -30, { endsMs: NOW_MS + 59 * hour })).toBe(Infinity);
  });

  it('is refused while the venue has not said rate, time and interval', () => {
    const dear = [scene.books[0]!, { asks: [[60_200, 2]], bids: [[60_100, 2]] } as const];
    const said: SumScene['said'] = ({ fundingIntervalMs }) => void fundingIntervalMs.fill(NaN);
    const sized = sumStage({ ...scene, books: dear, said }).size(ROUTE);
    expect(refusalOf(sized)).toBe('REFERENCE_UNKNOWN: instruments=a:BTC/USDT:USDT');
    const figures = Object.values(sized!.opportunity).filter((value) => typeof value === 'number');
    expect(figures.filter((value) => !Number.isFinite(value))).toEqual([]);
  });
});

/** The same prices, and at the last one as much as anybody could want. */
const deep = (book: PaperBook): PaperBook => ({
  asks: book.asks.map(([price, qty], at) => [price, at === book.asks.length - 1 ? 1e9 : qty]),
  bids: book.bids.map(([price, qty], at) => [price, at === book.bids.length - 1 ? 1e9 : qty]),
});
