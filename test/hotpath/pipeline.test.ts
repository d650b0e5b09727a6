import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Contestant } from '#hotpath/allocator.ts';
import { orderOf, worthOf } from '#hotpath/allocator.ts';
import type { Sized, Stages } from '#hotpath/pipeline.ts';
import { pursue } from '#hotpath/pipeline.ts';
import type { Asset, InstrumentId, OperationId, OpportunityId, RouteId, TimeNs } from '#shared/domain/ids.ts';
import type { Approved, Opportunity, Plan } from '#shared/domain/trade.ts';
import type { Amount } from '#shared/money/grid.ts';
import { ZERO } from '#shared/money/grid.ts';

const ACCOUNTS = ['a USDT', 'a BTC', 'b USDT', 'b BTC'] as const;

/** A route that wants money, as a share of what it would do with all of it. */
type Wish = {
  readonly expectedValue: number;
  readonly netEdge: number;
  readonly holdHours: number;
  readonly amounts: readonly (readonly [account: (typeof ACCOUNTS)[number], amount: number])[];
  readonly instruments: readonly string[];
};

const wishes = (holdHours: fc.Arbitrary<number>): fc.Arbitrary<readonly Wish[]> =>
  fc.array(
    fc.record({
      expectedValue: fc.integer({ min: 1, max: 200 }),
      netEdge: fc.integer({ min: 1, max: 500 }).map((bps) => bps / 1e4),
      holdHours,
      amounts: fc.uniqueArray(fc.tuple(fc.constantFrom(...ACCOUNTS), fc.integer({ min: 100, max: 20_000 })), {
        minLength: 1,
        maxLength: 3,
        selector: ([account]) => account,
      }),
      instruments: fc.uniqueArray(fc.constantFrom('i', 'j', 'k', 'l', 'm', 'n', 'o', 'p'), { maxLength: 3 }),
    }),
    { minLength: 1, maxLength: 8 },
  );
const balances = fc.tuple(...ACCOUNTS.map(() => fc.integer({ min: 0, max: 30_000 })));

/** A market in which routes want money of one ledger, and what the pipeline makes of it. */
class Contest {
  readonly free: Map<string, number>;
  readonly told: string[] = [];
  /** Plans that were sent, and when all was said. */
  readonly order: string[] = [];
  earned = 0;
  rate = 0;
  readonly stages: Pick<Stages, 'size' | 'risk' | 'execute' | 'publish'>;
  readonly #busy = new Set<string>();
  readonly #planned = new Map<Plan, { readonly wish: Wish; readonly share: number }>();

  constructor(wanted: readonly Wish[], free: readonly number[]) {
    this.free = new Map(ACCOUNTS.map((account, at) => [account, free[at]!]));
    const sized = (route: number): Sized => this.#size(wanted[route]!, route);
    this.stages = {
      size: { size: sized, resize: sized },
      risk: {
        approve: (plan) =>
          plan.legs.some(({ instrument }) => this.#busy.has(instrument))
            ? { kind: 'denied', reason: 'INSTRUMENT_BUSY', detail: '' }
            : { kind: 'approved', plan: plan as Approved<Plan> },
      },
      execute: { submit: (plan) => this.#submit(plan), claimsOf: (plan) => this.#claimsOf(plan) },
      publish: {
        opportunity: (route, { contest, ...answer }, verdict) => {
          const said = answer.kind === 'refused' ? answer.reason : verdict!.kind;
          this.told.push([route, said, contest === undefined ? '' : `${contest.rank}/${contest.of}`].join(' ').trim());
        },
        tell: () => this.order.push('told'),
      },
    };
  }

  get lowest(): number {
    return Math.min(...this.free.values());
  }

  run(routes: readonly number[]): this {
    pursue(this.stages, Int32Array.from(routes), 0 as TimeNs);
    return this;
  }

  #size(wish: Wish, route: number): Sized {
    const share = Math.min(1, ...wish.amounts.map(([account, amount]) => this.free.get(account)! / amount));
    const opportunity = opportunityOf(route, wish, share);
    if (!(share > 1e-9)) return { kind: 'refused', opportunity, reason: 'BALANCE_INSUFFICIENT', detail: '' };
    const plan = planOf(route, wish, share);
    this.#planned.set(plan, { wish, share });
    return { kind: 'plan', opportunity, plan };
  }

  #claimsOf(plan: Plan): ReturnType<Stages['execute']['claimsOf']> {
    const { wish, share } = this.#planned.get(plan)!;
    return wish.amounts.map(([account, amount]) => ({
      account,
      amount: amount * share,
      free: this.free.get(account)!,
    }));
  }

  #submit(plan: Plan): void {
    const { wish, share } = this.#planned.get(plan)!;
    this.order.push('sent');
    for (const [account, amount] of wish.amounts) this.free.set(account, this.free.get(account)! - amount * share);
    for (const instrument of wish.instruments) this.#busy.add(instrument);
    this.earned += wish.expectedValue * share;
    this.rate += (wish.expectedValue * share) / Math.max(1, wish.holdHours);
  }
}

const byEdge = (wanted: readonly Wish[]): number[] =>
  [...wanted.keys()].sort((one, other) => wanted[other]!.netEdge - wanted[one]!.netEdge);

/** What taking the best edge first, one route after the other, comes to. */
function greedy(wanted: readonly Wish[], free: readonly number[]): Contest {
  const contest = new Contest(wanted, free);
  for (const route of byEdge(wanted)) contest.run([route]);
  return contest;
}

describe('plans that compete', () => {
  it('expect at least as much as the best edges first would, and never spend an account twice', () => {
    let better = 0;
    fc.assert(
      fc.property(wishes(fc.constant(0)), balances, (wanted, free) => {
        const contest = new Contest(wanted, free).run(byEdge(wanted));
        const simple = greedy(wanted, free);
        expect(contest.lowest).toBeGreaterThanOrEqual(-1e-9);
        expect(contest.earned).toBeGreaterThanOrEqual(simple.earned * (1 - 1e-9));
        expect(contest.told).toHaveLength(wanted.length);
        if (contest.earned > simple.earned * 1.01) better += 1;
      }),
      { numRuns: 2_000 },
    );
    expect(better).toBeGreaterThan(400);
  });

  it('earn at least as much an hour where they hold for different times', () => {
    fc.assert(
      fc.property(wishes(fc.constantFrom(0, 2, 8, 720)), balances, (wanted, free) => {
        const contest = new Contest(wanted, free).run(byEdge(wanted));
        expect(contest.lowest).toBeGreaterThanOrEqual(-1e-9);
        expect(contest.rate).toBeGreaterThanOrEqual(greedy(wanted, free).rate * (1 - 1e-9));
      }),
      { numRuns: 1_000 },
    );
  });

  const wish = (over: Partial<Wish>): Wish => ({
    expectedValue: 10,
    netEdge: 0.01,
    holdHours: 0,
    amounts: [['a USDT', 1_000]],
    instruments: [],
    ...over,
  });

  it('give short money to what makes most of it in its time; the other has what is left, or is told who has it', () => {
    const slow = wish({ expectedValue: 40, holdHours: 100, netEdge: 0.04, instruments: ['i'] });
    const quick = wish({ expectedValue: 5, netEdge: 0.005, instruments: ['j'] });
    expect(new Contest([slow, quick], [1_500, 0, 0, 0]).run([0, 1]).told).toEqual(['1 approved 1/2', '0 approved 2/2']);
    const contest = new Contest([slow, quick], [1_000, 0, 0, 0]).run([0, 1]);
    expect(contest.told).toEqual(['1 approved 1/2', '0 CAPITAL_ALLOCATED 2/2']);
    expect(contest.lowest).toBe(0);
  });

  it('leave no book to one for which rounding alone has left money', () => {
    const small = wish({ expectedValue: 1, netEdge: 0.0001, amounts: [['a USDT', 100]], instruments: ['p'] });
    const first = wish({
      ...small,
      netEdge: 0.0002,
      amounts: [
        ['b BTC', 9_621],
        ['a USDT', 100],
      ],
      instruments: [],
    });
    const empty = wish({ ...small, netEdge: 0.0002, amounts: [['b BTC', 100]] });
    // The first takes all BTC but for a last digit, the small one is whole but for a hundredth: 1389 / 9621 + 0.9956.
    const contest = new Contest([small, first, empty], [114, 0, 0, 1_389]).run([1, 2, 0]);
    expect(contest.earned).toBeCloseTo(1.14, 6);
  });

  it('prefer the greater profit where they meet in one book and money is plenty', () => {
    const small = wish({ expectedValue: 1, netEdge: 0.01, amounts: [['a USDT', 100]], instruments: ['i'] });
    const great = wish({ expectedValue: 50, netEdge: 0.005, amounts: [['a USDT', 10_000]], instruments: ['i', 'j'] });
    const { told } = new Contest([small, great], [50_000, 0, 0, 0]).run([0, 1]);
    expect(told).toEqual(['1 approved 1/2', '0 denied 2/2']);
  });

  it('are all sent before anything is said of them', () => {
    const [one, other] = [wish({ instruments: ['i'] }), wish({ instruments: ['j'] })];
    expect(new Contest([one, other], [5_000, 0, 0, 0]).run([0, 1]).run([]).order).toEqual([
      'sent',
      'sent',
      'told',
      'told',
    ]);
  });

  it('say nothing of a contest where there is none', () => {
    const broke = wish({ amounts: [['b BTC', 5]] });
    const { told } = new Contest([broke, wish({})], [1_500, 0, 0, 0]).run([0, 1]);
    expect(told).toEqual(['0 BALANCE_INSUFFICIENT', '1 approved']);
  });

  it('rank by what is expected per capital and hour, at least one hour', () => {
    const contestant = (expectedValue: number, capital: number, holdHours: number): Contestant => ({
      expectedValue,
      capital,
      holdHours,
      netEdge: 0.01,
      claims: [],
      instruments: [],
    });
    expect(worthOf(contestant(10, 1_000, 0.001))).toBe(0.01);
    expect(worthOf(contestant(10, 1_000, 20))).toBe(0.0005);
    // Without margin nothing lies idle; the journal takes no infinite worth.
    expect(worthOf(contestant(10, 0, 0))).toBe(1_000);
    expect(orderOf([contestant(10, 1_000, 20), contestant(1, 1_000, 0), contestant(2, 1_000, 1)])).toEqual([2, 1, 0]);
  });
});

function opportunityOf(
  route: number,
  { netEdge, holdHours, amounts, expectedValue }: Wish,
  share: number,
): Opportunity {
  const capital = share * amounts.reduce((sum, [, amount]) => sum + amount, 0);
  return {
    id: `o${route}` as OpportunityId,
    route: `r${route}` as RouteId,
    family: 'spatial',
    asset: 'USDT' as Asset,
    legs: [],
    notional: capital,
    grossEdge: netEdge,
    netEdge,
    fees: 0,
    slippage: 0,
    unwindCost: 0,
    fillProbability: 1,
    expectedValue: expectedValue * share,
    oldestBookAgeMs: 0,
    detectedTimeNs: 0 as TimeNs,
    capital,
    impact: 0,
    improvement: 0,
    goodEnd: 1,
    holding: {
      certainty: 'locked',
      hours: holdHours,
      payoff: 0,
      closing: 0,
      delivery: 0,
      funding: 0,
      borrow: 0,
      capitalCost: 0,
      annualised: 0,
      breakEvenHours: 0,
    },
  };
}

function planOf(route: number, { instruments, expectedValue }: Wish, share: number): Plan {
  const amount = (value: number): Amount => new Decimal(value) as Amount;
  return {
    operation: `p${route}` as OperationId,
    opportunity: `o${route}` as OpportunityId,
    route: `r${route}` as RouteId,
    family: 'spatial',
    asset: 'USDT' as Asset,
    legs: instruments.map((instrument) => ({ instrument: instrument as InstrumentId }) as Plan['legs'][number]),
    notional: amount(1),
    expectedProfit: amount(1),
    netEdgeBps: 1,
    expectedValue: amount(expectedValue * share),
    fillProbability: 1,
    oldestBookAgeMs: 0,
    rates: { USDT: new Decimal(1) },
    plannedTimeNs: 0 as TimeNs,
    expectedCarry: ZERO,
  };
}
