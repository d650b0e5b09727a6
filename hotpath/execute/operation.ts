import { Decimal } from 'decimal.js';
import { assert } from '#shared/assert.ts';
import type { Timer } from '#shared/clock/clock.ts';
import type { Asset, InstrumentId, OperationId, TimeNs, VenueOrderId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Fill, OrderRequest, OrderStatus, Standing } from '#shared/domain/order.ts';
import type { Cover, LegView, Loose, OperationView, Taking } from '#shared/domain/recovery.ts';
import { standsIn } from '#shared/domain/recovery.ts';
import type { Side } from '#shared/domain/route.ts';
import type { Bond, OperationState } from '#shared/domain/trade.ts';
import type { Price, Qty } from '#shared/money/grid.ts';
import { doubleOf } from '#shared/money/double.ts';
import { compare, minus, negated, plus, times } from '#shared/money/exact.ts';
import { lotQty, textOf, ZERO } from '#shared/money/grid.ts';
import type { Contract, ContractInstrument, Pnl, Rates } from '#shared/money/pnl.ts';
import { contractOf, fillFactsOf, flowsOf, hasPremium, pnlOfFill } from '#shared/money/pnl.ts';
import { heldChange } from '#shared/money/position.ts';
import type { EventData } from '#shared/schema/event.ts';
import type { OrderFacts } from './event-text.ts';
import { operationFactsText, orderFactsText } from './event-text.ts';
import type { Exposed } from './exposures.ts';
import { isAtRest } from './order-status.ts';

/** The life of an operation. A fill that was still on its way may wake one that had ended. */
const next: Readonly<Record<OperationState, readonly OperationState[]>> = {
  approved: ['executing', 'failed'],
  executing: ['recovering', 'escalated', 'completed', 'failed'],
  recovering: ['escalated', 'completed', 'failed'],
  /** Back to `executing`: a person's order of which nothing had been heard does rest after all. */
  escalated: ['executing', 'recovering', 'completed', 'failed'],
  completed: ['recovering'],
  failed: ['recovering'],
};

export type OperationLeg = {
  readonly instrument: Instrument;
  readonly side: Side;
  /** Worst that the plan bears. */
  readonly price: Price;
  readonly qty: Qty;
  /** What the plan reckons with. */
  readonly expectedPrice: Decimal;
  /** Where else a part of it is traded. */
  readonly beside?: readonly InstrumentId[];
};

/** One order of an operation as we know it. */
export type Order = {
  /** As it stands by all that is known: a replacement changes it. */
  request: OrderRequest;
  readonly operation: Operation;
  /** What it trades: its leg's instrument, or another one where recovery hedges elsewhere. */
  readonly instrument: Instrument;
  /** Its fills are the leg's; those of a hedge with a derivative are not. */
  readonly isOfLeg: boolean;
  /** What every event of this order repeats, and the JSON with which they begin. */
  facts: OrderFacts;
  factsText: string;
  status: OrderStatus;
  reason: string | undefined;
  venueOrderId: VenueOrderId | undefined;
  filledQty: Decimal;
  filledValue: Decimal;
  averagePrice: string | undefined;
  /** What its fills brought before fees, in the numeraire. */
  gross: Decimal;
  /** It may not rest any longer. */
  isCancelling: boolean;
  /** Probes in a row that the venue answered with not-found. */
  notFound: number;
  /** Asked for and not settled. */
  replacing: Replacing | undefined;
  /** When its venue was last asked to replace it. */
  replacedNs: TimeNs | undefined;
  /** What was sent in its stead once it was over. */
  successor: Order | undefined;
};

/** What an order is to become: `in-place` by its venue, `anew` by another order once this one is over. */
export type Replacing = Standing & { readonly how: 'in-place' | 'anew' };

/** What every `operation` event of one operation repeats. */
export type OperationFacts = Pick<
  EventData<'operation'>,
  'id' | 'opportunity' | 'route' | 'type' | 'notional' | 'expected_profit' | 'rates' | 'legs' | 'bond'
>;

/** How the legs of a sum plan hang together, what a unit is worth beyond its fills, in the numeraire, and in which asset it is counted. */
export type OperationBond = Bond & { readonly carry: Decimal; readonly asset: Asset };

/** What a leg has come to: signed change of what is held, the quantity traded for it, and the average price. */
export type LegOutcome = { readonly size: Decimal; readonly traded: Decimal; readonly price: Decimal };

const ONE = new Decimal(1);

type LegAssets = Pick<OperationLeg, 'instrument' | 'side'>;
type LegFlows = {
  /** Net, in the leg's own direction; and all that was traded in that direction. */
  filledQty: Decimal;
  forwardQty: Decimal;
  filledValue: Decimal;
  base: Decimal;
  quote: Decimal;
  held: Decimal;
  /** Of what is filled: what its venue has taken by itself, and what that brought, in the numeraire. */
  takenQty: Decimal;
  takenValue: Decimal;
  /** The same of fills that are not heard of yet, if they ever are. */
  untoldQty: Decimal;
  untoldValue: Decimal;
};

/** A plan on its way: its legs, all orders ever sent for them, and what they have moved. Knows no venue and sends nothing. */
export class Operation {
  readonly id: OperationId;
  readonly ordinal: number;
  readonly facts: OperationFacts;
  /** The JSON with which all of its events begin. */
  readonly factsText: string;
  readonly legs: readonly OperationLeg[];
  /** What it trades, as planned. */
  readonly touched: readonly InstrumentId[];
  readonly rates: Rates;
  /** Of sum routes. */
  readonly bond: OperationBond | undefined;
  /** On the clock of this start of the engine. */
  readonly startedNs: TimeNs;
  readonly orders: Order[] = [];
  /** Fires when a venue has been silent for too long, or when recovery is to be tried again. */
  timer: Timer | undefined;
  /** Fires when the maker is to follow its market again; how often it has. */
  chase: Timer | undefined;
  follows = 0;
  probes = 0;
  /** Recovery rounds that sent orders, and waits since the last of them. */
  round = 0;
  waits = 0;
  /** Rounds in a row that have traded nothing. */
  idle = 0;
  /** When orders were last sent, or taken over; and where those of then begin. */
  sentNs: TimeNs;
  sentFrom = 0;
  /** It ended before this start of the engine. */
  isEarlier = false;
  /** Since when recovery has been at it, of its own or since a person's last word. */
  recoveringNs: TimeNs | undefined;
  realised: Decimal = ZERO;
  fees: Decimal = ZERO;
  #state: OperationState;
  readonly #flows: LegFlows[];
  readonly #attempts: number[];
  /** Derivatives that stand for what is loose elsewhere. */
  readonly #covers = new Map<InstrumentId, Cover>();
  #coversTaken: Decimal = ZERO;
  #dustTold: ReadonlyMap<string, Decimal>;

  constructor(ordinal: number, facts: OperationFacts, legs: readonly OperationLeg[], start: StartOfOperation) {
    this.id = facts.id as OperationId;
    this.ordinal = ordinal;
    this.facts = facts;
    this.factsText = operationFactsText(facts);
    this.legs = legs;
    this.touched = touchedBy(legs);
    this.rates = start.rates;
    this.bond = start.bond;
    this.startedNs = start.startedNs;
    this.sentNs = start.startedNs;
    this.#state = start.state;
    this.#flows = legs.map(() => ({
      filledQty: ZERO,
      forwardQty: ZERO,
      filledValue: ZERO,
      base: ZERO,
      quote: ZERO,
      held: ZERO,
      takenQty: ZERO,
      takenValue: ZERO,
      untoldQty: ZERO,
      untoldValue: ZERO,
    }));
    this.#attempts = legs.map(() => 0);
    this.#dustTold = start.dustTold;
  }

  get state(): OperationState {
    return this.#state;
  }

  get isOpen(): boolean {
    return this.#state !== 'completed' && this.#state !== 'failed';
  }

  /** The order of the plan that rests in its book, which the other legs follow: the last one, where it was replaced. */
  get maker(): Order | undefined {
    return this.orders.findLast(({ request }) => request.purpose === 'leg' && request.timeInForce === 'GTC');
  }

  get isAtRest(): boolean {
    return this.orders.every(({ status }) => isAtRest(status));
  }

  /** A person's order: whatever fills is wanted, and nothing is recovered. */
  get isManual(): boolean {
    return this.facts.type === MANUAL;
  }

  move(to: OperationState): void {
    assert(next[this.#state].includes(to), `an operation cannot go from ${this.#state} to ${to}`);
    this.#state = to;
  }

  /** Recovery has all its means again. */
  startAnew(nowNs: TimeNs): void {
    this.round = 0;
    this.waits = 0;
    this.idle = 0;
    this.probes = 0;
    this.recoveringNs = nowNs;
  }

  /** Recovery goes on with what a dead process has left of its means; `sinceNs`: when it began, at the latest. */
  continueFrom(sinceNs: TimeNs): void {
    this.round = Math.max(0, ...this.#attempts.map((attempts) => attempts - 1));
    this.recoveringNs = sinceNs;
  }

  /** How much a trade of this side that its venue makes by itself can take of what the operation has entered, or covers with, as far as is known. */
  takeable({ instrument: id, side }: Pick<Taking, 'instrument' | 'side'>): Decimal {
    const cover = this.#covers.get(id)?.size ?? ZERO;
    if (!cover.isZero()) return cover.isNegative() === (side === 'buy') ? cover.abs() : ZERO;
    const at = this.#takenLeg(id, side);
    return at === -1 ? ZERO : Decimal.max(ZERO, this.#doneOf(at));
  }

  /** How much more of it orders that still work may have entered. */
  untold({ instrument: id, side }: Pick<Taking, 'instrument' | 'side'>): Decimal {
    const at = this.#takenLeg(id, side);
    return this.orders.reduce((sum: Decimal, order) => {
      const { request, instrument, status, filledQty } = order;
      const isEntering = request.leg === at && instrument.id === id && request.side !== side && !isAtRest(status);
      return isEntering ? sum.plus(mostOf(order)).minus(filledQty) : sum;
    }, ZERO);
  }

  /** Of what is entered; what is being left is its holding's. */
  #takenLeg(id: InstrumentId, side: Side): number {
    if (this.bond?.intent !== 'enter') return -1;
    return this.legs.findIndex(({ instrument, side: own }) => instrument.id === id && own !== side);
  }

  /** A venue has traded so much of it by itself: recovery goes by what is left, and that is all that will be held. */
  take(taking: Taking, instrument: Instrument): void {
    const { realised: value } = pnlOfFill(fillFactsOf(taking, instrument, taking.feeRate), this.rates);
    const at = this.#takenLeg(instrument.id, taking.side);
    if (at === -1) {
      this.#addToCover({ instrument }, taking);
      this.#coversTaken = plus(this.#coversTaken, value);
      return;
    }
    const flows = this.#flows[at]!;
    flows.untoldQty = plus(flows.untoldQty, taking.qty);
    flows.untoldValue = plus(flows.untoldValue, value);
    absorb(flows);
  }

  get isTaken(): boolean {
    return this.#flows.some(isTaken);
  }

  /** What of a leg stands: net quantity done in its own direction, less what was taken of it. */
  #doneOf(at: number): Decimal {
    const { filledQty, takenQty } = this.#flows[at]!;
    return takenQty.isZero() ? filledQty : minus(filledQty, takenQty);
  }

  /** The number of the next order on a leg. */
  attemptOf(leg: number): number {
    return this.#attempts[leg]!;
  }

  addOrder(request: OrderRequest, instrument: Instrument, status: OrderStatus): Order {
    assert(this.rates[instrument.quote] !== undefined, `an operation has no rate for ${instrument.quote}`);
    const facts = orderFactsOf(request);
    const order: Order = {
      request,
      operation: this,
      instrument,
      isOfLeg: isOfLeg(instrument, this.legs[request.leg]!.instrument),
      facts,
      factsText: orderFactsText(facts),
      status,
      reason: undefined,
      venueOrderId: undefined,
      filledQty: ZERO,
      filledValue: ZERO,
      averagePrice: undefined,
      gross: ZERO,
      isCancelling: false,
      notFound: 0,
      replacing: undefined,
      replacedNs: undefined,
      successor: undefined,
    };
    this.orders.push(order);
    this.#attempts[request.leg] = request.attempt + 1;
    return order;
  }

  /** Counts a fill on its order and its leg. Whether the trade is new, and its profit, is the ledger's business. */
  addFill(order: Order, fill: FillAmounts, pnl: Pnl): void {
    const isFirst = order.filledQty.isZero();
    order.filledQty = plus(order.filledQty, fill.qty);
    order.filledValue = plus(order.filledValue, times(fill.qty, fill.price));
    order.averagePrice = textOf(isFirst ? fill.price : order.filledValue.div(order.filledQty).toSignificantDigits(18));
    order.gross = plus(plus(order.gross, pnl.realised), pnl.fees);
    if (order.isOfLeg) this.#addToLeg(order, fill);
    else this.#addToCover(order, fill);
    this.realised = plus(this.realised, pnl.realised);
    this.fees = plus(this.fees, pnl.fees);
  }

  /** Of a hedge with another quote, at the rates of the operation. */
  #addToLeg({ instrument, request: { leg } }: Order, fill: FillAmounts): void {
    const { instrument: own, side } = this.legs[leg]!;
    const flows = this.#flows[leg]!;
    const facts = fillFactsOf(fill, instrument);
    const moved = flowsOf(facts);
    const done = fill.side === side ? fill.qty : negated(fill.qty);
    const quote = minus(moved.quote, fill.feeAsset === instrument.quote ? fill.fee : ZERO);
    const isOther = instrument.quote !== own.quote;
    const inOwn = (amount: Decimal): Decimal =>
      isOther ? amount.times(this.#rateOf(instrument.quote)).div(this.#rateOf(own.quote)).toDecimalPlaces(18) : amount;
    flows.filledQty = plus(flows.filledQty, done);
    if (fill.side === side) flows.forwardQty = plus(flows.forwardQty, fill.qty);
    if (!flows.untoldQty.isZero()) absorb(flows);
    flows.filledValue = plus(flows.filledValue, inOwn(times(done, fill.price)));
    flows.held = plus(flows.held, heldChange(facts, moved));
    flows.base = minus(plus(flows.base, moved.base), fill.feeAsset === instrument.base ? fill.fee : ZERO);
    flows.quote = plus(flows.quote, inOwn(quote));
  }

  #addToCover({ instrument }: Pick<Cover, 'instrument'>, { side, qty }: Pick<FillAmounts, 'side' | 'qty'>): void {
    const before = this.#covers.get(instrument.id)?.size ?? ZERO;
    const size = side === 'buy' ? before.plus(qty) : before.minus(qty);
    if (size.isZero()) this.#covers.delete(instrument.id);
    else this.#covers.set(instrument.id, { instrument, size });
  }

  #rateOf(asset: string): Decimal {
    const rate = this.rates[asset];
    assert(rate !== undefined, `an operation has no rate for ${asset}`);
    return rate;
  }

  view(nowNs: TimeNs): OperationView {
    const { rates, round, waits, bond, recoveringNs } = this;
    const legs = this.legs.map((leg, at) => legView(leg, this.#flows[at]!, this.#doneOf(at)));
    const told = {
      ageMs: recoveringNs === undefined ? 0 : (nowNs - recoveringNs) / 1e6,
      realised: this.#flows.reduce(
        (sum, { takenValue }) => plus(sum, takenValue),
        plus(this.realised, this.#coversTaken),
      ),
      covers: [...this.#covers.values()],
    };
    return { ...told, legs, rates, round, waits, ...(bond === undefined ? {} : { bond }) };
  }

  /** What each venue stands to move, in the numeraire: the value of its legs, that of what underlies an option. */
  exposures(): readonly Exposed[] {
    return this.legs.map((leg) => exposedOf(leg.instrument, exposureOf(leg, this.rates)));
  }

  /** What a sum operation leaves to hold, leg by leg, in units that agree and whatever rounding to lots has added to them; empty when nothing does. */
  outcomes(): readonly LegOutcome[] {
    const residues = this.#loose();
    if (this.bond === undefined || !this.#matched().gt(0)) return [];
    return this.legs.map(({ side }, at) => {
      const { held, filledQty, filledValue } = this.#flows[at]!;
      const price = filledValue.div(filledQty).toSignificantDigits(18);
      const gone = minus(filledQty, this.#doneOf(at)).plus(residues[at]!.abs());
      const [traded, less] = side === 'buy' ? [filledQty, gone] : [filledQty.neg(), gone.neg()];
      return { size: held.minus(less), traded: traded.minus(less), price };
    });
  }

  /** Units that all legs have filled. */
  matchedUnits(): Decimal {
    return this.#matched().toSignificantDigits(18);
  }

  /**
   * What is left between the legs since the last call, by asset. Where a product route starts and ends it is profit, not dust. Of a sum route it is whole
   * lots that no other leg answers: contracts by instrument. An exit leaves none: what it has not closed is still held.
   */
  takeResidues(): readonly (readonly [string, Decimal])[] {
    const residues = this.#residues();
    for (const [id, { size }] of this.#covers) residues.set(id, size);
    const told = this.#dustTold;
    this.#dustTold = residues;
    return [...new Set([...residues.keys(), ...told.keys()])].map(
      (asset) => [asset, minus(residues.get(asset) ?? ZERO, told.get(asset) ?? ZERO)] as const,
    );
  }

  /** All that {@link takeResidues} has told. */
  get dust(): ReadonlyMap<string, Decimal> {
    return this.#dustTold;
  }

  #residues(): Map<string, Decimal> {
    if (this.isManual) return this.facts.route === DUST_ROUTE ? this.#soldDust() : new Map<string, Decimal>();
    return this.bond === undefined ? this.#productResidues() : this.#sumResidues();
  }

  /** What is sold of the dust is dust no more. */
  #soldDust(): Map<string, Decimal> {
    return new Map<string, Decimal>(
      this.legs.map(({ instrument: { kind, base, id } }, at) => {
        const flows = this.#flows[at]!;
        return kind === 'spot' ? ([base, flows.base] as const) : ([id, flows.held] as const);
      }),
    );
  }

  #productResidues(): Map<string, Decimal> {
    const residues = new Map<string, Decimal>();
    for (const [at, own] of this.legs.entries()) {
      const leg = legView(own, this.#flows[at]!, this.#doneOf(at));
      residues.set(targetOf(leg), plus(residues.get(targetOf(leg)) ?? ZERO, leg.received));
      residues.set(sourceOf(leg), minus(residues.get(sourceOf(leg)) ?? ZERO, leg.spent));
    }
    residues.delete(sourceOf(this.legs[0]!));
    return residues;
  }

  #sumResidues(): Map<string, Decimal> {
    const residues = new Map<string, Decimal>();
    if (this.bond?.intent !== 'enter') return residues;
    for (const [at, residue] of this.#loose().entries()) {
      if (residue.isZero()) continue;
      const { instrument } = this.legs[at]!;
      const asset = instrument.kind === 'spot' ? instrument.base : instrument.id;
      residues.set(asset, (residues.get(asset) ?? ZERO).plus(residue));
    }
    return residues;
  }

  /** By leg: net quantity done in the leg's own direction, as a share of what was planned; at least 0. */
  filledShares(): readonly Decimal[] {
    return this.legs.map(({ qty }, at) => {
      const done = this.#doneOf(at);
      if (compare(done, qty) === 0) return ONE;
      return done.gt(0) ? done.div(qty) : ZERO;
    });
  }

  /** What stands unanswered, leg by leg: net quantity beyond what the least filled leg answers. */
  loose(): readonly Loose[] {
    const matched = Decimal.min(...this.filledShares());
    const loose: Loose[] = [];
    for (const [at, { instrument, side, qty, expectedPrice }] of this.legs.entries()) {
      const excess = this.#doneOf(at).minus(matched.times(qty)).toDecimalPlaces(18);
      const lots = lotQty(excess.abs(), instrument.lot);
      if (lots.isZero()) continue;
      const isLong = (side === 'buy') === excess.gt(0);
      const value = exposureOf({ instrument, price: expectedPrice, qty: lots }, this.rates).toDecimalPlaces(8);
      loose.push({ instrument: instrument.id, size: isLong ? lots : lots.neg(), value });
    }
    return loose;
  }

  /** By leg, signed: whole lots beyond what the least filled leg answers. */
  #loose(): readonly Decimal[] {
    const { bond } = this;
    if (bond === undefined) return this.legs.map(() => ZERO);
    const matched = this.#matched();
    return this.legs.map(({ instrument: { lot }, side }, at) => {
      const excess = this.#doneOf(at).minus(matched.times(bond.perUnit[at]!)).toDecimalPlaces(18);
      // Below nothing where a late fill has taken back more than there was.
      const lots = lotQty(excess.abs(), lot);
      return excess.isNegative() === (side === 'buy') ? lots.neg() : lots;
    });
  }

  #matched(): Decimal {
    const { bond } = this;
    if (bond === undefined) return ZERO;
    return Decimal.max(ZERO, Decimal.min(...bond.perUnit.map((perUnit, at) => this.#doneOf(at).div(perUnit))));
  }
}

/** The family of orders that no plan stands behind, and the route of those that sell dust. */
export const MANUAL = 'manual';
export const DUST_ROUTE = 'dust';

export type StartOfOperation = {
  readonly state: OperationState;
  readonly rates: Rates;
  readonly bond?: OperationBond;
  /** Residues that are in the dust ledger already: the operation had ended before and was woken. */
  readonly dustTold: ReadonlyMap<string, Decimal>;
  readonly startedNs: TimeNs;
};

export type FillAmounts = Pick<Fill, 'side' | 'price' | 'qty' | 'fee'> & { readonly feeAsset: string };

function touchedBy(legs: readonly OperationLeg[]): readonly InstrumentId[] {
  const touched: InstrumentId[] = [];
  for (const { instrument, beside } of legs) {
    touched.push(instrument.id);
    if (beside !== undefined) touched.push(...beside);
  }
  return touched;
}

const isOfLeg = (traded: Instrument, own: Instrument): boolean => traded.id === own.id || standsIn(own, traded);

const sourceOf = ({ instrument, side }: LegAssets): string => (side === 'buy' ? instrument.quote : instrument.base);
const targetOf = ({ instrument, side }: LegAssets): string => (side === 'buy' ? instrument.base : instrument.quote);

function legView({ instrument, side, qty }: OperationLeg, flows: LegFlows, filledQty: Decimal): LegView {
  const { base, quote } = flows;
  const [spent, received] = side === 'buy' ? [negated(quote), base] : [negated(base), quote];
  const view = { instrument, side, qty, filledQty, spent, received };
  return isTaken(flows) ? { ...view, isTaken: true } : view;
}

const isTaken = ({ takenQty, untoldQty }: LegFlows): boolean => !takenQty.isZero() || !untoldQty.isZero();

/** What was taken is of what has filled as soon as that is known, in whatever order both are told. */
function absorb(flows: LegFlows): void {
  const { forwardQty, takenQty, untoldQty, untoldValue } = flows;
  const qty = Decimal.min(untoldQty, minus(forwardQty, takenQty));
  if (qty.isZero()) return;
  const value = qty.eq(untoldQty) ? untoldValue : untoldValue.times(qty).div(untoldQty).toDecimalPlaces(18);
  flows.takenQty = plus(takenQty, qty);
  flows.takenValue = plus(flows.takenValue, value);
  flows.untoldQty = minus(untoldQty, qty);
  flows.untoldValue = minus(untoldValue, value);
}

export const exposedOf = ({ venue, base }: Pick<Instrument, 'venue' | 'base'>, value: Decimal): Exposed => ({
  venue,
  asset: base,
  usd: doubleOf(value),
});

/** What a leg stands to move, in the numeraire: its value, that of what underlies an option. */
export function exposureOf(
  {
    instrument,
    price,
    qty,
  }: { readonly instrument: ContractInstrument; readonly price: Decimal; readonly qty: Decimal },
  rates: Rates,
): Decimal {
  const { kind, base, quote, contractSize, inverse } = instrument;
  const rateOf = (asset: string): Decimal => {
    const rate = rates[asset];
    assert(rate !== undefined, `an operation has no rate for ${asset}`);
    return rate;
  };
  if (kind === 'spot') return times(times(price, qty), rateOf(quote));
  const units = times(qty, contractSize);
  if (hasPremium(kind)) return times(units, rateOf(base));
  return inverse ? times(units, rateOf(quote)) : times(times(units, price), rateOf(quote));
}

/** The event that tells an order's state. */
export function orderEventOf(order: Order): EventData<'order'> {
  const { facts, status, reason, venueOrderId, filledQty, averagePrice, replacing, successor } = order;
  const data = { ...facts } as EventData<'order'>;
  if (replacing !== undefined) data.replacing = { price: textOf(replacing.price), qty: textOf(replacing.qty) };
  if (successor !== undefined) data.replaced_by = successor.request.clientOrderId;
  if (venueOrderId !== undefined) data.venue_order_id = venueOrderId;
  data.filled_qty = textOf(filledQty);
  if (averagePrice !== undefined) data.average_price = averagePrice;
  data.status = status;
  if (reason !== undefined) data.reason = reason;
  return data;
}

/** What its events say of an order from now on. */
export function restate(order: Order, { price, qty }: Standing): void {
  order.request = { ...order.request, price, qty };
  order.facts = orderFactsOf(order.request);
  order.factsText = orderFactsText(order.facts);
}

/** What may fill of an order at most: the more of what it is and what it may become. */
export const mostOf = ({ request, replacing }: Pick<Order, 'request' | 'replacing'>): Qty =>
  replacing?.how === 'in-place' && replacing.qty.gt(request.qty) ? replacing.qty : request.qty;

const orderFactsOf = (request: OrderRequest): OrderFacts => ({
  client_order_id: request.clientOrderId,
  operation: request.operation,
  leg: request.leg,
  attempt: request.attempt,
  purpose: request.purpose,
  instrument: request.instrument,
  side: request.side,
  type: request.type,
  time_in_force: request.timeInForce,
  ...(request.postOnly === undefined ? {} : { post_only: request.postOnly }),
  ...(request.reduceOnly === undefined ? {} : { reduce_only: request.reduceOnly }),
  price: textOf(request.price),
  qty: textOf(request.qty),
});

/** The event that tells a fill. */
export function fillEventOf(
  fill: Fill,
  operation: OperationId,
  instrument: Instrument,
  feeRate: Decimal | undefined,
): EventData<'fill'> {
  const contract = contractOf(instrument);
  return {
    trade_id: fill.tradeId,
    client_order_id: fill.clientOrderId,
    operation,
    instrument: fill.instrument,
    base: instrument.base,
    quote: instrument.quote,
    side: fill.side,
    price: textOf(fill.price),
    qty: textOf(fill.qty),
    fee: textOf(fill.fee),
    fee_asset: fill.feeAsset,
    liquidity: fill.liquidity,
    ...(contract === undefined ? {} : { contract: contractText(contract) }),
    ...(feeRate === undefined ? {} : { fee_rate: textOf(feeRate) }),
  };
}

export const contractText = ({
  kind,
  size,
  inverse,
  settle,
  right,
}: Contract): NonNullable<EventData<'fill'>['contract']> => ({
  kind,
  size: textOf(size),
  inverse,
  settle,
  ...(right === undefined ? {} : { right }),
});
