import { Decimal } from 'decimal.js';
import type { Side } from '../domain/route.ts';
import { LinearProgram, type Term } from './linear-program.ts';
import {
  accountKey,
  LATER_COST,
  MINUTES_A_YEAR,
  type Account,
  type Market,
  type Phase,
  type RebalancingProblem,
  type TransferRoute,
} from './rebalancing.ts';

/** What a search for the reason of remaining drift may leave out of account. */
export type Lifted = 'worth' | 'suspension' | 'minimum' | 'depth' | 'reserve';

/** An amount that a solved program leaves to decide: Σ of its columns, in the unit of what is sold, bought or sent. */
export type Decision =
  | { readonly kind: 'trade'; readonly phase: Phase; readonly market: Market; readonly side: Side }
  | { readonly kind: 'transfer'; readonly phase: 1; readonly route: TransferRoute };
export type Weighed = { readonly decision: Decision; readonly columns: readonly number[]; readonly mark: number };

export type RebalancingProgram = {
  readonly program: LinearProgram;
  readonly weighed: readonly Weighed[];
  /** By account: what is missing after the plan, and what is too much. */
  readonly drifts: ReadonlyMap<string, Readonly<Record<'short' | 'over', number>>>;
  /** Accounts that a decision can fill, and that one can empty. */
  readonly filled: ReadonlySet<string>;
  readonly emptied: ReadonlySet<string>;
};

/** Pays up to nearly the whole value. */
const WORTH_LIFTED = 0.99;
const DEPTH_LIFTED = 1e6;
const TRADE_PHASES: readonly Phase[] = [0, 2];
const SIDES: readonly Side[] = ['buy', 'sell'];

/**
 * The plan as a mixed-integer program. Columns are values in the numeraire, so that all are of one size.
 *   minimise   Σ cost of trades by level + Σ fee of transfers + worth × (Σ short + Σ over) + worth × exposure beyond its bounds
 *   subject to, by account and phase, what leaves is there before the phase: Σ outₚ ≤ available + Σ_{q<p} (inq − outq)
 *              low − short ≤ projected + Σ in − Σ out ≤ high + over
 *              min · chosen ≤ trade or transfer ≤ most · chosen
 * Levels get worse, so that the cheaper ones fill first by themselves. Doing nothing is always feasible.
 * @see M. H. A. Davis & A. R. Norman, "Portfolio selection with transaction costs", Math. Oper. Res. 15 (1990): with costs in proportion to the trade it is
 *   best to do nothing within a region, and outside of it to go to its edge.
 */
export function rebalancingProgram(problem: RebalancingProblem, lifted: ReadonlySet<Lifted>): RebalancingProgram {
  const maker = new ProgramMaker(problem, lifted);
  for (const market of problem.markets) {
    for (const side of SIDES) maker.trades(market, side);
  }
  for (const route of problem.routes) maker.transfer(route);
  return maker.made();
}

/** How columns move an account: units of value a unit of the column. `held` is bound and comes back. */
type Flow = {
  readonly column: number;
  readonly phase: Phase;
  readonly in?: number;
  readonly out?: number;
  readonly held?: number;
};

class ProgramMaker {
  readonly #problem: RebalancingProblem;
  readonly #lifted: ReadonlySet<Lifted>;
  readonly #program = new LinearProgram();
  readonly #weighed: Weighed[] = [];
  readonly #accounts: ReadonlyMap<string, Account>;
  readonly #flows = new Map<string, Flow[]>();
  /** Of contracts, by asset. */
  readonly #offsets = new Map<string, Term[]>();

  constructor(problem: RebalancingProblem, lifted: ReadonlySet<Lifted>) {
    this.#problem = problem;
    this.#lifted = lifted;
    this.#accounts = new Map(
      problem.accounts
        .filter(({ asset }) => problem.marks.has(asset))
        .map((account) => [accountKey(account.venue, account.asset), account]),
    );
  }

  trades(market: Market, side: Side): void {
    const { venue, base, quote, perpetual } = market;
    const levels = side === 'buy' ? market.asks : market.bids;
    const isKnown = this.#accounts.has(accountKey(venue, quote)) && this.#problem.marks.has(base);
    if (!isKnown || levels.length === 0 || midOf(market) === undefined) return;
    if (perpetual === undefined && !this.#accounts.has(accountKey(venue, base))) return;
    const phases = perpetual === undefined ? TRADE_PHASES : TRADE_PHASES.slice(0, 1);
    const byPhase = phases.map((phase) => this.#trade(market, side, phase));
    // Both phases eat from the same levels.
    const [now, later] = byPhase;
    for (const [at, { column, most }] of (later === undefined ? [] : now!).entries()) {
      this.#program.atMost(most, [
        [column, 1],
        [later![at]!.column, 1],
      ]);
    }
  }

  #trade(market: Market, side: Side, phase: Phase): Sized[] {
    const share = this.#problem.depthShare * (this.#lifted.has('depth') ? DEPTH_LIFTED : 1);
    const columns = unitsOf(market, side, this.#problem.marks).map(({ cost, notional, flows, value }) => {
      const most = value * share;
      const column = this.#program.continuous(cost + (phase === 0 ? 0 : notional * LATER_COST), most);
      for (const { account, ...flow } of flows) this.#flow(account, { column, phase, ...flow });
      if (market.perpetual !== undefined) {
        push(this.#offsets, market.base, [column, side === 'buy' ? 1 : -1]);
      }
      return { column, most, notional };
    });
    const least = Number(market.minNotional.times(this.#problem.marks.get(market.quote)!));
    const mark = this.#mark(market.base) * (market.perpetual === undefined ? 1 : Number(market.perpetual.contract));
    this.#decide({ kind: 'trade', phase, market, side }, columns, { least, fee: 0, mark });
    return columns;
  }

  transfer(route: TransferRoute): void {
    const source = accountKey(route.from, route.asset);
    const sink = accountKey(route.to, route.asset);
    if (!this.#accounts.has(source) || !this.#accounts.has(sink)) return;
    const mark = this.#mark(route.asset);
    const waiting = (this.#problem.capitalRate * route.minutes) / MINUTES_A_YEAR;
    const isOpen = !route.isSuspended || this.#lifted.has('suspension');
    const most = this.#spendable(route);
    const column = this.#program.continuous(waiting, isOpen ? most : 0);
    this.#flow(source, { column, phase: 1, out: 1 });
    this.#flow(sink, { column, phase: 1, in: 1 });
    const fee = Number(route.fee) * mark;
    const chosen = this.#decide({ kind: 'transfer', phase: 1, route }, [{ column, most, notional: 1 }], {
      least: Math.max(Number(route.min) * mark, fee),
      fee,
      mark,
    });
    if (chosen !== undefined) this.#flow(sink, { column: chosen, phase: 1, in: -fee });
  }

  /** What could be sent at most: all of the asset that is there, and all that the books sell there. */
  #spendable({ from, asset }: TransferRoute): number {
    const { markets, marks, depthShare } = this.#problem;
    const share = depthShare * (this.#lifted.has('depth') ? DEPTH_LIFTED : 1);
    const here = markets.filter(({ venue, perpetual }) => venue === from && perpetual === undefined);
    let most = this.#available(this.#accounts.get(accountKey(from, asset))!);
    for (const market of here) {
      const side = market.base === asset ? 'buy' : market.quote === asset ? 'sell' : undefined;
      if (side === undefined || !marks.has(market.base) || !marks.has(market.quote)) continue;
      for (const { value } of unitsOf(market, side, marks)) most += value * share;
    }
    // More than everything there is is never sent, however deep the books.
    const everything = [...this.#accounts.values()].reduce((sum, account) => sum + this.#available(account), 0);
    return Math.min(most, everything * 2);
  }

  /** A fee or a minimum makes it a choice. Returns the column of the choice. */
  #decide(
    decision: Decision,
    columns: readonly Sized[],
    { least, fee, mark }: { readonly least: number; readonly fee: number; readonly mark: number },
  ): number | undefined {
    this.#weighed.push({ decision, columns: columns.map(({ column }) => column), mark });
    const minimum = this.#lifted.has('minimum') ? fee : least;
    if (minimum <= 0 && fee <= 0) return undefined;
    const total = columns.map(({ column, notional }): Term => [column, notional]);
    const most = columns.reduce((sum, column) => sum + column.most * column.notional, 0);
    const chosen = this.#program.choice(fee, most >= minimum);
    this.#program.atLeast(0, [...total, [chosen, -minimum]]);
    this.#program.atMost(0, [...total, [chosen, -most]]);
    return chosen;
  }

  made(): RebalancingProgram {
    const drifts = new Map<string, Readonly<Record<'short' | 'over', number>>>();
    for (const [key, account] of this.#accounts) {
      this.#keepFunds(account, this.#flows.get(key) ?? []);
      drifts.set(key, this.#keepBand(account, this.#flows.get(key) ?? []));
    }
    for (const [asset, offsets] of this.#offsets) this.#keepExposure(asset, offsets);
    const moved = (flows: (flow: Flow) => number | undefined): Set<string> =>
      new Set([...this.#flows].filter(([, all]) => all.some((flow) => (flows(flow) ?? 0) > 0)).map(([key]) => key));
    return {
      program: this.#program,
      weighed: this.#weighed,
      drifts,
      filled: moved((flow) => flow.in),
      emptied: moved((flow) => flow.out),
    };
  }

  #keepFunds(account: Account, flows: readonly Flow[]): void {
    for (const phase of [0, 1, 2] as const) {
      if (!flows.some((flow) => flow.phase === phase && (flow.out !== undefined || flow.held !== undefined))) continue;
      const terms = flows
        .filter((flow) => flow.phase <= phase)
        .map((flow): Term => [
          flow.column,
          (flow.out ?? 0) + (flow.held ?? 0) - (flow.phase < phase ? (flow.in ?? 0) : 0),
        ]);
      this.#program.atMost(this.#available(account), summed(terms));
    }
  }

  #keepBand(account: Account, flows: readonly Flow[]): Readonly<Record<'short' | 'over', number>> {
    const { projected, band } = account;
    const mark = this.#mark(account.asset);
    const worth = this.#lifted.has('worth') ? WORTH_LIFTED : this.#problem.driftWorth;
    const drift = { short: this.#program.continuous(worth), over: this.#program.continuous(worth) };
    const terms = summed(flows.map((flow) => [flow.column, (flow.in ?? 0) - (flow.out ?? 0)]));
    const [low, high] = band === undefined ? [projected, projected] : [band.low, band.high];
    this.#program.atLeast(Number(low.minus(projected)) * mark, [...terms, [drift.short, 1]]);
    this.#program.atMost(Number(high.minus(projected)) * mark, [...terms, [drift.over, -1]]);
    return drift;
  }

  /** Of all accounts that have a band, and of contracts: trades anywhere and offsets count, transfers do not. */
  #keepExposure(asset: string, offsets: readonly Term[]): void {
    const banded = [...this.#accounts].filter(([, account]) => account.asset === asset && account.band !== undefined);
    const sumOf = (of: (account: Account) => Decimal): number =>
      Number(banded.reduce((sum, [, account]) => sum.plus(of(account)), new Decimal(0))) * this.#mark(asset);
    const held =
      sumOf(({ projected }) => projected) + Number(this.#problem.contracts.get(asset) ?? 0) * this.#mark(asset);
    const flows = banded.flatMap(([key]) => this.#flows.get(key) ?? []);
    const terms = summed([...flows.map((flow): Term => [flow.column, (flow.in ?? 0) - (flow.out ?? 0)]), ...offsets]);
    const short = this.#program.continuous(this.#problem.exposureWorth);
    const over = this.#program.continuous(this.#problem.exposureWorth);
    this.#program.atLeast(sumOf(({ band }) => band!.low) - held, [...terms, [short, 1]]);
    this.#program.atMost(sumOf(({ band }) => band!.high) - held, [...terms, [over, -1]]);
  }

  #available({ projected, available, asset, band }: Account): number {
    const isFreed = this.#lifted.has('reserve') && band !== undefined;
    const free = isFreed ? Decimal.max(projected, available) : available;
    return Math.max(0, Number(free)) * this.#mark(asset);
  }

  #mark(asset: string): number {
    return Number(this.#problem.marks.get(asset)!);
  }

  #flow(account: string, flow: Flow): void {
    push(this.#flows, account, flow);
  }
}

/** A column, how much of it there is, and what of its value counts against a minimum. */
type Sized = { readonly column: number; readonly most: number; readonly notional: number };

type Unit = {
  readonly cost: number;
  readonly notional: number;
  /** Of the whole level. */
  readonly value: number;
  readonly flows: readonly (Pick<Flow, 'in' | 'out' | 'held'> & { readonly account: string })[];
};

/** What one unit of value in base costs and moves, by level. */
function unitsOf(market: Market, side: Side, marks: RebalancingProblem['marks']): Unit[] {
  const { venue, base, quote, takerFee, feeIn, perpetual } = market;
  const mid = midOf(market)!;
  const rate = Number(marks.get(quote)!.div(marks.get(base)!));
  const fee = Number(takerFee);
  const [baseAccount, quoteAccount] = [accountKey(venue, base), accountKey(venue, quote)];
  return (side === 'buy' ? market.asks : market.bids).map((level) => {
    const price = Number(level.price);
    const lost = (Math.abs(price - mid) + price * fee) * rate;
    const contract = perpetual?.contract ?? 1;
    const value = Number(level.qty.times(contract)) * Number(marks.get(base)!);
    if (perpetual !== undefined) {
      const held = (price * Number(perpetual.marginFraction) + price * fee) * rate;
      return {
        cost: lost + perpetual.carry[side],
        notional: price * rate,
        value,
        flows: [{ account: quoteAccount, held }],
      };
    }
    const isFeeReceived = feeIn === 'received';
    const flows =
      side === 'buy'
        ? [
            { account: quoteAccount, out: price * rate * (isFeeReceived ? 1 : 1 + fee) },
            { account: baseAccount, in: isFeeReceived ? 1 - fee : 1 },
          ]
        : [
            { account: baseAccount, out: 1 },
            { account: quoteAccount, in: price * rate * (1 - fee) },
          ];
    return { cost: lost, notional: price * rate, value, flows };
  });
}

/** Undefined while a side is empty. */
export function midOf({ bids, asks }: Pick<Market, 'bids' | 'asks'>): number | undefined {
  const [bid, ask] = [bids[0], asks[0]];
  return bid === undefined || ask === undefined ? undefined : Number(bid.price.plus(ask.price).div(2));
}

/** One term a column. */
function summed(terms: readonly Term[]): Term[] {
  const sums = new Map<number, number>();
  for (const [column, coefficient] of terms) sums.set(column, (sums.get(column) ?? 0) + coefficient);
  return [...sums];
}

function push<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
