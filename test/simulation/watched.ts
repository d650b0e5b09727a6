import type { Instrument } from '#shared/domain/instrument.ts';
import type { Fill, OrderRequest } from '#shared/domain/order.ts';
import { standsIn } from '#shared/domain/recovery.ts';
import type { Plan } from '#shared/domain/trade.ts';
import { instrumentOf, PRICES, unitWorth } from './listings.ts';

/** What an operation has traded, in doubles: enough to say whether a leg is left behind. */
export class Flows {
  /** By leg, in its own direction: what was traded, and what its venue has taken of that by itself. */
  readonly #done: number[];
  readonly #taken: number[];
  /** By leg: all that was ever traded in its own direction. */
  readonly #most: number[];
  /** Of product routes: what came in less what went out, by asset. */
  readonly assets = new Map<string, number>();
  /** Coins that derivatives stand for which are no legs. */
  readonly #covers = new Map<string, number>();
  readonly #takenCovers = new Map<string, number>();
  readonly #plan: Plan;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#done = plan.legs.map(() => 0);
    this.#taken = plan.legs.map(() => 0);
    this.#most = plan.legs.map(() => 0);
  }

  isTaken(leg: number): boolean {
    return this.#taken[leg] !== 0;
  }

  /** What is said to be taken of it was another's: an order may have entered it, and has not. */
  isTakenOfAnother(instrument: string): boolean {
    return this.#plan.legs.some(
      (leg, at) => leg.instrument === instrument && this.#taken[at]! > this.#most[at]! + 1e-9,
    );
  }

  /** What is left of a leg, in its own direction. A venue may be thought to have taken more than there was: the rest was not this operation's. */
  net(leg: number): number {
    const done = this.#done[leg]!;
    return done - Math.min(this.#taken[leg]!, Math.max(0, done));
  }

  get covers(): ReadonlyMap<string, number> {
    const covers = new Map(this.#covers);
    for (const [asset, coins] of this.#takenCovers) add(covers, asset, coins);
    return covers;
  }

  apply(fill: Fill, { leg: at, instrument: id }: Pick<OrderRequest, 'leg' | 'instrument'>): void {
    const leg = this.#plan.legs[at]!;
    const own = instrumentOf(leg.instrument)!;
    const traded = instrumentOf(id)!;
    const sign = fill.side === 'buy' ? 1 : -1;
    const [qty, price] = [fill.qty.toNumber(), fill.price.toNumber()];
    if (id !== leg.instrument && !standsIn(own, traded)) {
      this.#cover(this.#covers, traded, fill);
      return;
    }
    this.#done[at]! += fill.side === leg.side ? qty : -qty;
    if (fill.side === leg.side) this.#most[at]! += qty;
    if (own.kind !== 'spot') return;
    const perQuote = PRICES[traded.quote]! / PRICES[own.quote]!;
    add(this.assets, own.base, sign * qty);
    add(this.assets, own.quote, -sign * qty * price * perQuote);
    if (fill.feeAsset === traded.base) add(this.assets, own.base, -fill.fee.toNumber());
    if (fill.feeAsset === traded.quote) add(this.assets, own.quote, -fill.fee.toNumber() * perQuote);
  }

  /** What a venue has traded of it by itself: of a leg, or of what covers it. */
  take({ side, qty, instrument: id }: Pick<Fill, 'side' | 'qty' | 'instrument'>): void {
    const leg = this.#plan.legs.findIndex(({ instrument }) => instrument === id);
    if (leg === -1) this.#cover(this.#takenCovers, instrumentOf(id)!, { side, qty });
    else this.#taken[leg]! += qty.toNumber();
  }

  /** As if nothing had been taken. */
  giveBack(): void {
    this.#taken.fill(0);
    this.#takenCovers.clear();
  }

  /** Of product routes: what is neither spent nor the profit, by asset. */
  leftOver(): readonly (readonly [string, number])[] {
    return [...this.assets].filter(([asset]) => asset !== startOf(this.#plan));
  }

  #cover(
    covers: Map<string, number>,
    { base, contractSize }: Instrument,
    { side, qty }: Pick<Fill, 'side' | 'qty'>,
  ): void {
    add(covers, base, qty.times(contractSize).toNumber() * (side === 'buy' ? 1 : -1));
  }

  /** What stands alone, in dollars; nothing once all is as planned. */
  looseUsd(): number {
    if (
      this.#covers.size === 0 &&
      this.#plan.legs.every(({ qty }, at) => Math.abs(this.net(at) - qty.toNumber()) < 1e-9)
    )
      return 0;
    return this.#plan.bond === undefined ? this.#looseOfProduct() : this.#looseOfSum(this.#plan.bond);
  }

  #looseOfProduct(): number {
    const start = startOf(this.#plan);
    let usd = 0;
    const { covers } = this;
    for (const asset of new Set([...this.assets.keys(), ...covers.keys()]))
      if (asset !== start) usd += Math.abs((this.assets.get(asset) ?? 0) + (covers.get(asset) ?? 0)) * PRICES[asset]!;
    return usd;
  }

  #looseOfSum({ perUnit }: NonNullable<Plan['bond']>): number {
    const { legs } = this.#plan;
    const matched = Math.max(0, Math.min(...perUnit.map((each, at) => this.net(at) / each.toNumber())));
    let [apart, together] = [0, 0];
    for (const [at, { instrument: id, side }] of legs.entries()) {
      const loose = (this.net(at) - matched * perUnit[at]!.toNumber()) * unitWorth(instrumentOf(id)!);
      apart += Math.abs(loose);
      together += side === 'buy' ? loose : -loose;
    }
    let covered = 0;
    for (const [asset, coins] of this.covers) covered += coins * PRICES[asset]!;
    return Math.abs(covered) < 1e-9 ? apart : Math.abs(together + covered);
  }
}

/** What became of one operation. */
export type OperationOutcome = {
  readonly legs: number;
  readonly isSum: boolean;
  readonly state: string;
  readonly wasRecovering: boolean;
  /** Recovery was made to ask a person. */
  readonly isStrict: boolean;
  /** A person was asked, and had to answer. */
  readonly wasAsked: boolean;
  readonly wasAnswered: boolean;
  /** How long something stood alone, whoever knew of it. */
  readonly looseSeconds: number;
  readonly isMismatched: boolean;
  readonly notionalUsd: number;
  /** What recovery's own trades brought. */
  readonly recoveryUsd: number;
};

/** An operation as the simulation follows it. */
export class Watched {
  readonly plan: Plan;
  readonly truth: Flows;
  told: Flows;
  /** What is no more than this is too small to be traded. */
  readonly dustUsd: number;
  state: string | undefined;
  reason: string | undefined;
  /** Whether recovery had to do something; whether a person was asked, had to answer, and took what is loose. */
  wasRecovering = false;
  wasAsked = false;
  wasAnswered = false;
  isAccepted = false;
  /** A trade of it was never told: only the comparison of balances finds it. */
  isMismatched = false;
  looseSinceMs: number | undefined;
  looseMs = 0;
  /** What recovery's own trades brought, in dollars. */
  recoveryUsd = 0;

  constructor(plan: Plan) {
    this.plan = plan;
    this.truth = new Flows(plan);
    this.told = new Flows(plan);
    const least = plan.legs.map(({ instrument }) => leastUsd(instrumentOf(instrument)!));
    // Legs of a sum agree when each is within a lot of the same units: of what a venue has left of a leg, a lot may be much of the others.
    const worths = plan.legs.map(({ instrument, qty }) => qty.toNumber() * unitWorth(instrumentOf(instrument)!));
    const grains = plan.legs.map(({ instrument, qty }) => instrumentOf(instrument)!.lot.div(qty).toNumber());
    const lotUsd = Math.max(...grains) * Math.max(...worths);
    const beside = plan.bond === undefined ? 0 : least.length * Math.max(...least, lotUsd);
    this.dustUsd = 1 + 1.2 * (least.reduce((sum, each) => sum + each) + beside);
  }

  get isOver(): boolean {
    return this.state === 'completed' || this.state === 'failed';
  }

  /** Why an order of recovery takes its leg beyond where the other legs stand, in words; undefined when it does not. */
  excessOf({ leg: at, instrument: id, side, qty }: OrderRequest): string | undefined {
    const { legs } = this.plan;
    const leg = legs[at]!;
    const own = instrumentOf(leg.instrument)!;
    if (id !== leg.instrument && !standsIn(own, instrumentOf(id)!)) return undefined;
    const shares = legs.map((each, k) => this.told.net(k) / each.qty.toNumber());
    const change = qty.toNumber() / leg.qty.toNumber();
    const after = shares[at]! + (side === leg.side ? change : -change);
    // Prices move, fees are paid, and lots are whole.
    const slack = 0.05 + this.dustUsd / (leg.qty.toNumber() * unitWorth(own));
    const [least, most] = [Math.min(...shares), Math.max(...shares)];
    if (after >= least - slack && after <= most + slack) return undefined;
    return `${after.toFixed(3)} of leg ${at}, others have ${least.toFixed(3)} to ${most.toFixed(3)}`;
  }

  /** A trade at the venue, whoever knows of it. */
  traded(fill: Fill, request: OrderRequest, nowMs: number): void {
    this.truth.apply(fill, request);
    if (request.purpose !== 'leg') this.recoveryUsd += valueOf(fill, instrumentOf(request.instrument)!);
    this.#look(nowMs);
  }

  /** Its venue's own trade, as the journal has it: nobody else says whose the position was. */
  taken(fill: Pick<Fill, 'side' | 'qty' | 'instrument'>, nowMs: number): void {
    this.told.take(fill);
    this.truth.take(fill);
    this.#look(nowMs);
  }

  /** What an engine had read is read again by the next. */
  forget(): void {
    this.told = new Flows(this.plan);
    this.truth.giveBack();
    this.state = undefined;
    this.reason = undefined;
  }

  outcome(nowMs: number, isStrict: boolean): OperationOutcome {
    const { plan, state = 'unknown', wasRecovering, wasAsked, wasAnswered, recoveryUsd } = this;
    const stillMs = this.looseSinceMs === undefined || this.isAccepted ? 0 : nowMs - this.looseSinceMs;
    return {
      legs: plan.legs.length,
      isSum: plan.bond !== undefined,
      state,
      wasRecovering,
      isStrict,
      wasAsked,
      wasAnswered,
      isMismatched: this.isMismatched,
      looseSeconds: (this.looseMs + stillMs) / 1_000,
      notionalUsd: plan.notional.toNumber(),
      recoveryUsd,
    };
  }

  #look(nowMs: number): void {
    const isLoose = this.truth.looseUsd() > this.dustUsd;
    if (isLoose) this.looseSinceMs ??= nowMs;
    else this.#closed(nowMs);
  }

  /** At the end of the story, or when a person takes what is loose. */
  #closed(nowMs: number): void {
    if (this.looseSinceMs !== undefined) this.looseMs += nowMs - this.looseSinceMs;
    this.looseSinceMs = undefined;
  }
}

/** What a trade brings at first prices, fee paid, in dollars. */
function valueOf(
  { side, price, qty, fee, feeAsset }: Fill,
  { base, quote, contractSize, inverse }: Instrument,
): number {
  const sign = side === 'buy' ? 1 : -1;
  const size = qty.times(contractSize).toNumber();
  const [coins, money] = inverse ? [size / price.toNumber(), size] : [size, size * price.toNumber()];
  return sign * (coins * PRICES[base]! - money * PRICES[quote]!) - fee.toNumber() * PRICES[feeAsset]!;
}

const startOf = ({ legs }: Plan): string => {
  const { base, quote } = instrumentOf(legs[0]!.instrument)!;
  return legs[0]!.side === 'buy' ? quote : base;
};

/** The smallest order that can be sent. */
function leastUsd(instrument: Instrument): number {
  const { lot, minQty, minNotional, quote } = instrument;
  return Math.max(
    minNotional.toNumber() * PRICES[quote]!,
    Math.max(minQty.toNumber(), lot.toNumber()) * unitWorth(instrument),
  );
}

const add = (sums: Map<string, number>, key: string, amount: number): void =>
  void sums.set(key, (sums.get(key) ?? 0) + amount);
