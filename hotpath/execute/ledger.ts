import { Decimal } from 'decimal.js';
import { assert } from '#shared/assert.ts';
import type { Clock } from '#shared/clock/clock.ts';
import type { CapitalView } from '#shared/domain/capital.ts';
import type { Asset, ClientOrderId, InstrumentId, OperationId, TimeNs, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Fill, OrderRequest } from '#shared/domain/order.ts';
import type { LedgerState } from '#shared/domain/recovery.ts';
import type { Side } from '#shared/domain/route.ts';
import type { Bond } from '#shared/domain/trade.ts';
import { Fifo } from '#shared/fifo.ts';
import { doubleOf } from '#shared/money/double.ts';
import { compare, lesser, minus, plus, times } from '#shared/money/exact.ts';
import { textOf, ZERO } from '#shared/money/grid.ts';
import type { MarginRules, Need } from '#shared/money/margin.ts';
import { marginAssetOf, marginOf, needOf, underlyingValue } from '#shared/money/margin.ts';
import type { FillFacts, Pnl, Rates } from '#shared/money/pnl.ts';
import { contractOf, fillFactsOf, flowsOf, pnlOfFill, tradeKey } from '#shared/money/pnl.ts';
import type { EventData } from '#shared/schema/event.ts';
import type { Position } from '#shared/money/position.ts';
import { adjustmentOf, bookingOf, FLAT } from '#shared/money/position.ts';
import type { Exposed } from './exposures.ts';
import { Exposures } from './exposures.ts';

type Account = {
  readonly venue: VenueId;
  readonly asset: Asset;
  total: Decimal;
  reserved: Decimal;
  /** total − reserved as a double, for the hot path. */
  available: number;
};

type Reservation = {
  readonly instrument: InstrumentId;
  readonly side: Side;
  readonly account: Account;
  /** Worst cost of one unit of quantity; the least, where an order may stand at one of several prices. */
  unitCost: Decimal;
  left: Decimal;
  /** So much fills first and reduces what is held: nothing was reserved for it, so nothing is set free. */
  closing: Decimal;
};

export type LedgerOptions = MarginRules & {
  /** Of positions that the journal remembers; undefined for what is listed no more. */
  readonly instrumentOf: (id: InstrumentId) => Instrument | undefined;
};

type TradeName = Pick<Fill, 'instrument' | 'side' | 'tradeId'>;

/** No contracts: nothing is margined. */
const SPOT_ONLY: LedgerOptions = {
  fraction: ZERO,
  underlyingOf: () => undefined,
  instrumentOf: () => undefined,
};

export type LedgerChanges = {
  readonly balances: readonly EventData<'balance'>[];
  readonly positions: readonly EventData<'position'>[];
};

/** Trades remembered so that none is applied twice; venues repeat fills within seconds, this is hours of them. */
const TRADES_MAX = 50_000;
const DAY_MS = 86_400_000;

/**
 * Every balance in decimals. Orders reserve their worst case before they are sent, so that two operations never spend the same money;
 * fills move totals and set free what they used; an order that rests sets free the remainder. Open contracts keep their margin reserved. What they would
 * bring if they were closed now is not booked: only what is realised is.
 */
export class Ledger implements Pick<CapitalView, 'availableOf'> {
  /** What operations left over below the smallest order, by asset. */
  readonly dust = new Map<string, Decimal>();
  readonly #clock: Clock;
  readonly #options: LedgerOptions;
  readonly #accounts = new Map<string, Map<string, Account>>();
  readonly #positions = new Map<InstrumentId, Position>();
  readonly #openedMs = new Map<InstrumentId, number>();
  readonly #margins = new Map<InstrumentId, { readonly account: Account; readonly amount: Decimal }>();
  readonly #deviations = new Map<string, Decimal>();
  readonly #reservations = new Map<ClientOrderId, Reservation>();
  readonly #exposures = new Exposures();
  readonly #trades = new Set<string>();
  readonly #tradeOrder = new Fifo<string>(TRADES_MAX);
  readonly #dirtyAccounts = new Set<Account>();
  readonly #dirtyPositions = new Set<InstrumentId>();
  /** Expired: once flat and told, nothing is ever held of them again. */
  readonly #settled = new Set<InstrumentId>();
  readonly #told = new Map<Account, string>();
  #realised: Decimal = ZERO;
  #fees: Decimal = ZERO;
  #fills = 0;
  #day = 0;
  #dayRealised: Decimal = ZERO;

  constructor(clock: Clock, options = SPOT_ONLY) {
    this.#clock = clock;
    this.#options = options;
  }

  /** Since the first start. */
  get pnl(): Pnl {
    return { realised: this.#realised, fees: this.#fees };
  }

  get fills(): number {
    return this.#fills;
  }

  readonly availableOf = (venue: VenueId, asset: Asset): number =>
    this.#accounts.get(venue)?.get(asset)?.available ?? 0;

  /** The same, exact. */
  freeOf(venue: VenueId, asset: string): Decimal {
    const account = this.#accounts.get(venue)?.get(asset);
    return account === undefined ? ZERO : minus(account.total, account.reserved);
  }

  totalOf(venue: VenueId, asset: string): Decimal {
    return this.#accounts.get(venue)?.get(asset)?.total ?? ZERO;
  }

  reservedOf(venue: VenueId, asset: string): Decimal {
    return this.#accounts.get(venue)?.get(asset)?.reserved ?? ZERO;
  }

  /** Notional of what is open: operations and holdings, all their legs. In the numeraire, in doubles: for limits. */
  get exposures(): Readonly<Pick<Exposures, 'ofVenue' | 'ofAsset' | 'ofFamily' | 'total' | 'all' | 'underWay'>> {
    return this.#exposures;
  }

  /** How far trading has moved what is held of an asset over all venues, in units of it; contracts count as what they stand for. */
  deviationOf(asset: string): number {
    return this.#deviations.get(asset)?.toNumber() ?? 0;
  }

  positionOf(instrument: InstrumentId): Position {
    return this.#positions.get(instrument) ?? FLAT;
  }

  /** When it was opened from nothing, Unix ms; undefined while it is flat. */
  openedMsOf(instrument: InstrumentId): number | undefined {
    return this.#openedMs.get(instrument);
  }

  /** Instruments in which something is open. */
  openPositions(): readonly InstrumentId[] {
    return [...this.#positions].filter(([, { size }]) => !size.isZero()).map(([id]) => id);
  }

  /** What an option's fee is a fraction of, in the currency of its premium. */
  readonly underlyingOf = (instrument: Instrument): Decimal => underlyingValue(instrument, this.#options);

  /** What an order would reserve as things stand. */
  readonly needOf = (instrument: Instrument, order: Pick<OrderRequest, 'side' | 'qty' | 'price'>): Need =>
    this.#needOf(instrument, order, undefined);

  /** Realised since 00:00 UTC, in the numeraire. */
  dailyPnl(nowNs: TimeNs): number {
    this.#turnDay(nowNs);
    return this.#dayRealised.toNumber();
  }

  /** Funds an account: at the first start only. */
  deposit(venue: VenueId, asset: string, amount: Decimal): void {
    const account = this.#accountOf(venue, asset);
    account.total = plus(account.total, amount);
    this.#touch(account);
  }

  /** Makes an account what its venue says, and returns what that added. Trading did not earn it: no profit, no exposure. */
  adjust(venue: VenueId, asset: string, total: Decimal): Decimal {
    const amount = total.minus(this.totalOf(venue, asset));
    this.#move(venue, asset, amount);
    return amount;
  }

  /** Makes a contract's position what its venue says. No profit, no cash: only what it stands for and binds. */
  adjustPosition(instrument: Instrument, to: Pick<Position, 'size' | 'entryPrice'>): void {
    const { id, base, quote } = instrument;
    const contract = contractOf(instrument);
    assert(contract !== undefined, 'coins are adjusted as balances');
    const { position, exposure } = adjustmentOf(this.positionOf(id), { base, quote, contract }, to);
    for (const [asset, amount] of exposure) this.#deviate(asset, amount);
    this.#place(id, position);
    this.#margin(id, position);
    this.#openRest(id, position);
  }

  /** What is or was held at a venue. */
  assetsOf(venue: VenueId): readonly string[] {
    return [...(this.#accounts.get(venue)?.keys() ?? [])];
  }

  /** Takes over what the journal says. The ledger must be new. */
  restore(state: LedgerState): void {
    assert(this.#accounts.size === 0, 'a ledger that is in use is not restored');
    for (const { venue, asset, total } of state.balances) this.deposit(venue, asset, total);
    for (const { instrument, openedMs, ...position } of state.positions) {
      this.#positions.set(instrument, position);
      if (openedMs !== undefined) this.#openedMs.set(instrument, openedMs);
      this.#margin(instrument, position);
    }
    for (const [asset, amount] of Object.entries(state.deviations)) this.#deviations.set(asset, amount);
    for (const [asset, amount] of Object.entries(state.dust)) this.dust.set(asset, amount);
    for (const trade of state.trades) this.#remember(trade);
    this.#realised = state.realised;
    this.#fees = state.fees;
    this.#fills = state.fills;
    this.#day = state.day;
    this.#dayRealised = state.dayRealised;
    // What the journal says needs no telling again.
    this.changes();
  }

  /**
   * Reserves the worst case of all orders, or of none: false when an account does not bear it. Of an exit's contracts it always does: they end what is
   * held, and the margin that netting against other holdings had set free is called for again, whoever has it.
   */
  reserve(
    orders: readonly OrderRequest[],
    instrumentOf: (id: InstrumentId) => Instrument,
    intent: Bond['intent'] = 'enter',
  ): boolean {
    const made: ClientOrderId[] = [];
    for (const order of orders) {
      const instrument = instrumentOf(order.instrument);
      const isCalled = intent === 'exit' && instrument.kind !== 'spot';
      if (!this.#reserveOne(order, instrument, isCalled)) {
        for (const id of made) this.release(id);
        return false;
      }
      made.push(order.clientOrderId);
    }
    return true;
  }

  /**
   * Makes an order's reservation the worst of what may be left of it. False, and nothing is changed, when its account does not bear that; a `fact` it always
   * does: the venue will trade it, whoever has the money.
   */
  amend(
    order: ClientOrderId,
    instrument: Instrument,
    left: readonly Pick<OrderRequest, 'side' | 'qty' | 'price'>[],
    as: 'wish' | 'fact',
  ): boolean {
    const reservation = this.#reservations.get(order);
    if (reservation === undefined) return false;
    const needs = left.map((each) => this.#needOf(instrument, each, reservation));
    const amount = Decimal.max(...needs.map((need) => need.amount));
    const { account } = reservation;
    const more = amount.minus(reservation.left);
    if (as === 'wish' && more.gt(0) && compare(minus(account.total, account.reserved), more) < 0) return false;
    account.reserved = account.reserved.plus(more);
    reservation.left = amount;
    reservation.unitCost = Decimal.min(...needs.map(({ unitCost }) => unitCost));
    reservation.closing = Decimal.max(...needs.map(({ closing }) => closing));
    this.#touch(account);
    return true;
  }

  /** Sets free what is left of an order's reservation; nothing when there is none. */
  release(order: ClientOrderId): void {
    const reservation = this.#reservations.get(order);
    if (reservation === undefined) return;
    this.#reservations.delete(order);
    this.#free(reservation, reservation.left);
  }

  /** Counts an operation's legs as exposure until it ends. */
  expose(operation: OperationId, family: string, legs: readonly Exposed[]): void {
    this.#exposures.add(operation, family, legs);
  }

  unexpose(operation: OperationId): void {
    this.#exposures.remove(operation);
  }

  /** Whether this trade was applied before. */
  knows(fill: TradeName): boolean {
    return this.#trades.has(tradeKey(fill));
  }

  /** Moves the money of a fill, once; the caller has asked {@link knows}. Returns its profit at the operation's rates. */
  apply(fill: Fill, instrument: Instrument, rates: Rates, feeRate?: Decimal): Pnl {
    const trade = tradeKey(fill);
    assert(!this.#trades.has(trade), 'a trade is applied twice');
    this.#remember(trade);
    const reservation = this.#reservations.get(fill.clientOrderId);
    if (reservation !== undefined) this.#spend(reservation, fill.qty);
    const pnl = this.#book(instrument, fillFactsOf(fill, instrument, feeRate), rates);
    this.#fills += 1;
    return pnl;
  }

  /** Closes what has expired, as if it were traded at what it paid. */
  settle(instrument: Pick<Instrument, 'id' | 'venue'>, closing: FillFacts, rates: Rates): Pnl {
    this.#settled.add(instrument.id);
    return this.#book(instrument, closing, rates);
  }

  /** Books what a venue has traded of a position by itself; once the whole of the trade is booked, it is to be remembered by {@link noteForced}. */
  force(instrument: Pick<Instrument, 'id' | 'venue'>, closing: FillFacts, rates: Rates): Pnl {
    return this.#book(instrument, closing, rates);
  }

  noteForced(trade: TradeName): void {
    this.#remember(tradeKey(trade));
  }

  /** A payment on an open position; `value` is what it is worth in the numeraire. */
  fund(venue: VenueId, asset: string, amount: Decimal, value: Decimal): void {
    this.#move(venue, asset, amount);
    this.#deviate(asset, amount);
    this.#count({ realised: value, fees: ZERO });
  }

  #book({ id, venue }: Pick<Instrument, 'id' | 'venue'>, facts: FillFacts, rates: Rates): Pnl {
    const flows = flowsOf(facts);
    const { position, cash, exposure } = bookingOf(this.positionOf(id), facts, flows);
    for (const [asset, amount] of cash) this.#move(venue, asset, amount);
    for (const [asset, amount] of exposure) this.#deviate(asset, amount);
    this.#place(id, position);
    if (facts.contract !== undefined) {
      this.#margin(id, position);
      this.#openRest(id, position);
    }
    const pnl = pnlOfFill(facts, rates, flows);
    this.#count(pnl);
    return pnl;
  }

  #place(id: InstrumentId, position: Position): void {
    this.#positions.set(id, position);
    this.#dirtyPositions.add(id);
    if (position.size.isZero()) this.#openedMs.delete(id);
    else if (!this.#openedMs.has(id)) this.#openedMs.set(id, this.#clock.unixMs(this.#clock.now()));
  }

  #count(pnl: Pnl): void {
    this.#turnDay(this.#clock.now());
    this.#realised = plus(this.#realised, pnl.realised);
    this.#dayRealised = plus(this.#dayRealised, pnl.realised);
    this.#fees = plus(this.#fees, pnl.fees);
  }

  addDust(asset: string, amount: Decimal): void {
    if (!amount.isZero()) this.dust.set(asset, plus(this.dust.get(asset) ?? ZERO, amount));
  }

  /** What has changed since the last call, as events. */
  changes(): LedgerChanges {
    const balances: EventData<'balance'>[] = [];
    for (const account of this.#dirtyAccounts) {
      const balance = balanceOf(account);
      const text = `${balance.total} ${balance.reserved}`;
      if (this.#told.get(account) !== text) balances.push(balance);
      this.#told.set(account, text);
    }
    const positions = [...this.#dirtyPositions].map((id) =>
      positionEventOf(id, this.positionOf(id), this.#openedMs.get(id)),
    );
    for (const id of this.#settled) if (this.positionOf(id).size.isZero()) this.#positions.delete(id);
    this.#dirtyAccounts.clear();
    this.#dirtyPositions.clear();
    this.#settled.clear();
    return { balances, positions };
  }

  #reserveOne(order: OrderRequest, instrument: Instrument, isCalled: boolean): boolean {
    assert(!this.#reservations.has(order.clientOrderId), 'an order is reserved twice');
    const { asset, unitCost, amount, closing } = this.needOf(instrument, order);
    const account = this.#accountOf(instrument.venue, asset);
    // What needs nothing is never refused: an account in the red must still get out.
    if (!isCalled && compare(amount, ZERO) > 0 && compare(minus(account.total, account.reserved), amount) < 0)
      return false;
    account.reserved = plus(account.reserved, amount);
    const { id } = instrument;
    this.#reservations.set(order.clientOrderId, {
      instrument: id,
      side: order.side,
      account,
      unitCost,
      left: amount,
      closing,
    });
    this.#touch(account);
    return true;
  }

  /** `own`: what it closes already is its own to close. */
  #needOf(
    instrument: Instrument,
    order: Pick<OrderRequest, 'side' | 'qty' | 'price'>,
    own: Reservation | undefined,
  ): Need {
    const { id, kind } = instrument;
    const { size } = this.positionOf(id);
    let held = size;
    if (kind !== 'spot' && isClosedBy(size, order.side)) {
      // What other orders close of it is theirs.
      for (const other of this.#reservations.values())
        if (other !== own && other.instrument === id && other.side === order.side)
          held = size.isNegative() ? plus(held, other.closing) : minus(held, other.closing);
      if (!isClosedBy(held, order.side)) held = ZERO;
    }
    return needOf(order, instrument, held, this.#options);
  }

  /** What orders counted on closing and is not there any more they open: that is reserved for, whoever has the money. */
  #openRest(id: InstrumentId, { size }: Position): void {
    let left = size.abs();
    for (const reservation of this.#reservations.values()) {
      const { instrument, side, closing, unitCost } = reservation;
      if (instrument !== id || closing.isZero()) continue;
      reservation.closing = isClosedBy(size, side) ? lesser(closing, left) : ZERO;
      left = minus(left, reservation.closing);
      this.#free(reservation, times(unitCost, minus(reservation.closing, closing)));
    }
  }

  /** Makes the margin of a position what it must be now. Nothing stands for what is listed no more. */
  #margin(id: InstrumentId, position: Position): void {
    const before = this.#margins.get(id);
    if (before !== undefined) {
      before.account.reserved = minus(before.account.reserved, before.amount);
      this.#touch(before.account);
      this.#margins.delete(id);
    }
    const instrument = this.#options.instrumentOf(id);
    const amount = instrument === undefined ? ZERO : marginOf(position, instrument, this.#options);
    if (instrument === undefined || amount.isZero()) return;
    const account = this.#accountOf(instrument.venue, marginAssetOf(instrument));
    account.reserved = plus(account.reserved, amount);
    this.#margins.set(id, { account, amount });
    this.#touch(account);
  }

  #spend(reservation: Reservation, qty: Decimal): void {
    let opening = qty;
    if (!reservation.closing.isZero()) {
      const closing = lesser(reservation.closing, qty);
      reservation.closing = minus(reservation.closing, closing);
      opening = minus(qty, closing);
    }
    this.#free(reservation, lesser(reservation.left, times(reservation.unitCost, opening)));
  }

  #free(reservation: Reservation, amount: Decimal): void {
    reservation.left = minus(reservation.left, amount);
    reservation.account.reserved = minus(reservation.account.reserved, amount);
    this.#touch(reservation.account);
  }

  #move(venue: VenueId, asset: string, amount: Decimal): void {
    const account = this.#accountOf(venue, asset);
    account.total = plus(account.total, amount);
    this.#touch(account);
  }

  #deviate(asset: string, amount: Decimal): void {
    this.#deviations.set(asset, plus(this.#deviations.get(asset) ?? ZERO, amount));
  }

  #accountOf(venue: VenueId, asset: string): Account {
    let accounts = this.#accounts.get(venue);
    if (accounts === undefined) {
      accounts = new Map<string, Account>();
      this.#accounts.set(venue, accounts);
    }
    let account = accounts.get(asset);
    if (account === undefined) {
      account = { venue, asset: asset as Asset, total: ZERO, reserved: ZERO, available: 0 };
      accounts.set(asset, account);
    }
    return account;
  }

  #touch(account: Account): void {
    account.available = doubleOf(minus(account.total, account.reserved));
    this.#dirtyAccounts.add(account);
  }

  #remember(trade: string): void {
    this.#trades.add(trade);
    const oldest = this.#tradeOrder.push(trade);
    if (oldest !== undefined) this.#trades.delete(oldest);
  }

  #turnDay(nowNs: TimeNs): void {
    const day = Math.floor(this.#clock.unixMs(nowNs) / DAY_MS);
    if (day === this.#day) return;
    this.#day = day;
    this.#dayRealised = ZERO;
  }
}

/** Whether a trade of a side makes a position smaller. */
const isClosedBy = (size: Decimal, side: Side): boolean => !size.isZero() && size.isNegative() === (side === 'buy');

function balanceOf({ venue, asset, total, reserved }: Account): EventData<'balance'> {
  return { venue, asset, total: textOf(total), available: textOf(minus(total, reserved)), reserved: textOf(reserved) };
}

function positionEventOf(
  id: InstrumentId,
  { size, entryPrice, realised }: Position,
  openedMs: number | undefined,
): EventData<'position'> {
  return {
    id,
    instrument: id,
    type: size.isZero() ? 'flat' : size.isNegative() ? 'short' : 'long',
    size: textOf(size),
    entry_price: textOf(entryPrice),
    realized_pnl: textOf(realised),
    status: size.isZero() ? 'closed' : 'open',
    ...(openedMs === undefined ? {} : { opened_ms: openedMs }),
  };
}
