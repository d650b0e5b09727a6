import { Decimal } from 'decimal.js';
import type { Side } from '../domain/route.ts';
import { lotQty } from '../money/grid.ts';
import {
  accountKey,
  LATER_COST,
  MINUTES_A_YEAR,
  TRANSFER_DECIMALS,
  type Account,
  type Market,
  type Phase,
  type RebalancingProblem,
  type Step,
  type TransferRoute,
} from './rebalancing.ts';
import type { Decision } from './rebalancing-program.ts';

/** A decision with its amount: in base units (contracts of a perpetual) or in the asset that is sent. */
export type Decided = { readonly decision: Decision; readonly amount: number };

const ZERO = new Decimal(0);
/** A solver's amount so little below a whole lot, as a share of the lot, is that lot. */
const NOISE = 1e-6;
const TRIES_MAX = 4;

/**
 * What is there while the steps of a plan are done, one phase after the other, in exact decimals: what comes in with a phase can be spent in the next one.
 * A step is cut to what can be paid, put on its grid, and left out where it falls below its minimum: so that a list of
 * steps can always be done as it stands.
 */
export class Execution {
  readonly #problem: RebalancingProblem;
  readonly #amounts: Map<string, Decimal>;
  readonly #free: Map<string, Decimal>;
  /** Comes in with the phase that is going on. */
  #incoming: [key: string, amount: Decimal][] = [];
  #phase: Phase = 0;
  readonly #taken = new Map<string, Decimal>();
  readonly steps: Step[] = [];

  constructor(problem: RebalancingProblem) {
    this.#problem = problem;
    const keyed = (of: (account: Account) => Decimal): Map<string, Decimal> =>
      new Map(problem.accounts.map((account) => [accountKey(account.venue, account.asset), of(account)]));
    this.#amounts = keyed(({ projected }) => projected);
    this.#free = keyed(({ available }) => Decimal.max(ZERO, available));
  }

  /** In the order of the phases. */
  add({ decision, amount }: Decided): void {
    this.#advance(decision.phase);
    if (decision.kind === 'transfer') this.#send(decision.route, amount);
    else this.#trade(decision, amount);
  }

  /** What the account holds once everything has arrived. */
  amountOf(venue: string, asset: string): Decimal {
    return this.#amounts.get(accountKey(venue, asset)) ?? ZERO;
  }

  #advance(phase: Phase): void {
    if (phase === this.#phase) return;
    this.#phase = phase;
    for (const [key, amount] of this.#incoming) this.#free.set(key, (this.#free.get(key) ?? ZERO).plus(amount));
    this.#incoming = [];
  }

  #send(route: TransferRoute, decided: number): void {
    const { asset, from, to, network, fee, min, minutes, isAllowed, isSuspended } = route;
    const source = accountKey(from, asset);
    const step = new Decimal(10).pow(-TRANSFER_DECIMALS);
    const wanted = Decimal.max(onGrid(decided, step), decided >= Number(min) * (1 - NOISE) ? min : ZERO);
    const amount = Decimal.min(wanted, lotQty(this.#free.get(source) ?? ZERO, step));
    if (isSuspended || amount.lt(min) || amount.lte(fee)) return;
    const arrives = amount.minus(fee);
    const waiting = amount.times(this.#problem.capitalRate).times(minutes).div(MINUTES_A_YEAR);
    const cost = fee.plus(waiting).times(this.#mark(asset));
    this.#out(source, amount);
    this.#in(accountKey(to, asset), arrives);
    this.steps.push({
      kind: 'transfer',
      phase: 1,
      asset,
      from,
      to,
      network,
      amount,
      arrives,
      minutes,
      isAllowed,
      cost,
    });
  }

  #trade({ market, side, phase }: Extract<Decision, { kind: 'trade' }>, decided: number): void {
    const floored = onGrid(decided, market.lot);
    const isEnough = this.#walk(market, side, floored)?.notional.gte(market.minNotional) === true;
    const qty = this.#affordable(market, side, isEnough ? floored : floored.plus(market.lot));
    const walk = this.#walk(market, side, qty);
    if (walk === undefined || walk.notional.lt(market.minNotional)) return;
    const { notional, limit, lost } = walk;
    const { instrument, venue, base, quote, takerFee, feeIn, perpetual } = market;
    const fee = notional.times(takerFee);
    const waiting = notional.times(phase === 0 ? 0 : LATER_COST);
    const cost = lost.plus(fee).plus(waiting).times(this.#mark(quote));
    const shape = { phase, instrument, side, qty, limit, average: notional.div(sizeOf(market, qty)) };
    this.#taken.set(takenKey(market, side), this.#takenOf(market, side).plus(qty));
    if (perpetual !== undefined) {
      const carry = notional.times(this.#mark(quote)).times(perpetual.carry[side]);
      this.#hold(accountKey(venue, quote), notional.times(perpetual.marginFraction).plus(fee));
      this.steps.push({ kind: 'offset', ...shape, cost: cost.plus(carry) });
      return;
    }
    const [baseAccount, quoteAccount] = [accountKey(venue, base), accountKey(venue, quote)];
    if (side === 'buy') {
      this.#out(quoteAccount, feeIn === 'quote' ? notional.plus(fee) : notional);
      this.#in(baseAccount, feeIn === 'quote' ? qty : qty.minus(qty.times(takerFee)));
    } else {
      this.#out(baseAccount, qty);
      this.#in(quoteAccount, notional.minus(fee));
    }
    this.steps.push({ kind: 'trade', ...shape, cost });
  }

  /** The most of `qty` that the account pays for. */
  #affordable(market: Market, side: Side, qty: Decimal): Decimal {
    const { venue, base, quote, takerFee, lot, feeIn, perpetual } = market;
    if (perpetual === undefined && side === 'sell')
      return Decimal.min(qty, lotQty(this.#free.get(accountKey(venue, base)) ?? ZERO, lot));
    const free = this.#free.get(accountKey(venue, quote)) ?? ZERO;
    const onTop = perpetual !== undefined || feeIn === 'quote' ? takerFee : ZERO;
    const share = (perpetual?.marginFraction ?? new Decimal(1)).plus(onTop);
    let able = qty;
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const needed = this.#walk(market, side, able)?.notional.times(share);
      if (needed === undefined) return ZERO;
      if (needed.lte(free)) return able;
      able = lotQty(able.times(free).div(needed), lot);
    }
    return ZERO;
  }

  /** What `qty` meets behind what this plan has taken already. Undefined where it is nothing, or where the levels that may be taken end before. */
  #walk(
    market: Market,
    side: Side,
    qty: Decimal,
  ): { readonly notional: Decimal; readonly limit: Decimal; readonly lost: Decimal } | undefined {
    if (qty.lte(0)) return undefined;
    const mid = market.bids[0]!.price.plus(market.asks[0]!.price).div(2);
    let before = this.#takenOf(market, side);
    let left = qty;
    let [notional, lost] = [ZERO, ZERO];
    for (const { price, qty: displayed } of side === 'buy' ? market.asks : market.bids) {
      const there = displayed.times(this.#problem.depthShare);
      const skipped = Decimal.min(before, there);
      before = before.minus(skipped);
      const size = sizeOf(market, Decimal.min(left, there.minus(skipped)));
      left = left.minus(Decimal.min(left, there.minus(skipped)));
      notional = notional.plus(size.times(price));
      lost = lost.plus(size.times(price.minus(mid).abs()));
      if (left.isZero()) return { notional, limit: price, lost };
    }
    return undefined;
  }

  #takenOf(market: Market, side: Side): Decimal {
    return this.#taken.get(takenKey(market, side)) ?? ZERO;
  }

  #out(key: string, amount: Decimal): void {
    this.#hold(key, amount);
    this.#amounts.set(key, (this.#amounts.get(key) ?? ZERO).minus(amount));
  }

  #hold(key: string, amount: Decimal): void {
    this.#free.set(key, (this.#free.get(key) ?? ZERO).minus(amount));
  }

  #in(key: string, amount: Decimal): void {
    this.#incoming.push([key, amount]);
    this.#amounts.set(key, (this.#amounts.get(key) ?? ZERO).plus(amount));
  }

  #mark(asset: string): Decimal {
    return this.#problem.marks.get(asset)!;
  }
}

/** Levels in base units. */
const sizeOf = ({ perpetual }: Market, qty: Decimal): Decimal =>
  perpetual === undefined ? qty : qty.times(perpetual.contract);
const takenKey = ({ instrument }: Market, side: Side): string => `${side} ${instrument}`;

/** A solver's amount on the grid. */
function onGrid(amount: number, step: Decimal): Decimal {
  return lotQty(new Decimal(Math.max(0, amount)).plus(step.times(NOISE)), step);
}
