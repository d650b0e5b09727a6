import { Decimal } from 'decimal.js';
import { assert } from '#shared/assert.ts';
import type { Clock } from '#shared/clock/clock.ts';
import type { CapitalView } from '#shared/domain/capital.ts';
import type { Asset, ClientOrderId, InstrumentId, OperationId, TimeNs, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Fill, OrderRequest } from '#shared/domain/order.ts';
import type { LedgerState } from '#shared/domain/recovery.ts';
import { textOf, ZERO } from '#shared/money/grid.ts';
import type { Pnl, Rates } from '#shared/money/pnl.ts';
import { flowsOf, pnlOfFill } from '#shared/money/pnl.ts';
import type { EventData } from '#shared/schema/event.ts';
import type { Position } from '#shared/money/position.ts';
import { FLAT, positionAfter } from '#shared/money/position.ts';

type Account = {
  readonly venue: VenueId;
  readonly asset: Asset;
  total: Decimal;
  reserved: Decimal;
  /** total − reserved as a double, for the hot path. */
  available: number;
};

type Reservation = {
  readonly account: Account;
  /** Worst cost of one unit of quantity. */
  readonly unitCost: Decimal;
  left: Decimal;
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
 * fills move totals and set free what they used; an order that rests sets free the remainder.
 */
export class Ledger implements Pick<CapitalView, 'availableOf'> {
  /** What operations left over below the smallest order, by asset. */
  readonly dust = new Map<string, Decimal>();
  readonly #clock: Clock;
  readonly #accounts = new Map<string, Map<string, Account>>();
  readonly #positions = new Map<InstrumentId, Position>();
  readonly #deviations = new Map<string, Decimal>();
  readonly #reservations = new Map<ClientOrderId, Reservation>();
  readonly #exposures = new Map<OperationId, readonly (readonly [VenueId, Decimal])[]>();
  readonly #exposureByVenue = new Map<VenueId, Decimal>();
  readonly #trades = new Set<string>();
  readonly #dirtyAccounts = new Set<Account>();
  readonly #dirtyPositions = new Set<InstrumentId>();
  readonly #told = new Map<Account, string>();
  #realised: Decimal = ZERO;
  #fees: Decimal = ZERO;
  #fills = 0;
  #day = 0;
  #dayRealised: Decimal = ZERO;

  constructor(clock: Clock) {
    this.#clock = clock;
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
    return account === undefined ? ZERO : account.total.minus(account.reserved);
  }

  totalOf(venue: VenueId, asset: string): Decimal {
    return this.#accounts.get(venue)?.get(asset)?.total ?? ZERO;
  }

  reservedOf(venue: VenueId, asset: string): Decimal {
    return this.#accounts.get(venue)?.get(asset)?.reserved ?? ZERO;
  }

  /** Reserved notional of open operations on a venue, in the numeraire. */
  exposureOf(venue: VenueId): number {
    return this.#exposureByVenue.get(venue)?.toNumber() ?? 0;
  }

  totalExposure(): number {
    let total: Decimal = ZERO;
    for (const exposure of this.#exposureByVenue.values()) total = total.plus(exposure);
    return total.toNumber();
  }

  /** How far trading has moved the inventory of an asset over all venues, in units of the asset. */
  deviationOf(asset: string): number {
    return this.#deviations.get(asset)?.toNumber() ?? 0;
  }

  positionOf(instrument: InstrumentId): Position {
    return this.#positions.get(instrument) ?? FLAT;
  }

  /** Realised since 00:00 UTC, in the numeraire. */
  dailyPnl(nowNs: TimeNs): number {
    this.#turnDay(nowNs);
    return this.#dayRealised.toNumber();
  }

  /** Funds an account: at the first start only. */
  deposit(venue: VenueId, asset: string, amount: Decimal): void {
    const account = this.#accountOf(venue, asset);
    account.total = account.total.plus(amount);
    this.#touch(account);
  }

  /** Takes over what the journal says. The ledger must be new. */
  restore(state: LedgerState): void {
    assert(this.#accounts.size === 0, 'a ledger that is in use is not restored');
    for (const { venue, asset, total } of state.balances) this.deposit(venue, asset, total);
    for (const { instrument, ...position } of state.positions) this.#positions.set(instrument, position);
    for (const [asset, amount] of Object.entries(state.deviations)) this.#deviations.set(asset, amount);
    for (const [asset, amount] of Object.entries(state.dust)) this.dust.set(asset, amount);
    for (const trade of state.trades) this.#trades.add(trade);
    this.#realised = state.realised;
    this.#fees = state.fees;
    this.#fills = state.fills;
    this.#day = state.day;
    this.#dayRealised = state.dayRealised;
    // What the journal says needs no telling again.
    this.changes();
  }

  /** Reserves the worst case of all orders, or of none: false when an account does not bear it. */
  reserve(orders: readonly OrderRequest[], instrumentOf: (id: InstrumentId) => Instrument): boolean {
    const made: ClientOrderId[] = [];
    for (const order of orders) {
      if (!this.#reserveOne(order, instrumentOf(order.instrument))) {
        for (const id of made) this.release(id);
        return false;
      }
      made.push(order.clientOrderId);
    }
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
  expose(operation: OperationId, legs: readonly (readonly [VenueId, Decimal])[]): void {
    this.#exposures.set(operation, legs);
    for (const [venue, notional] of legs) {
      this.#exposureByVenue.set(venue, (this.#exposureByVenue.get(venue) ?? ZERO).plus(notional));
    }
  }

  unexpose(operation: OperationId): void {
    for (const [venue, notional] of this.#exposures.get(operation) ?? []) {
      this.#exposureByVenue.set(venue, this.#exposureByVenue.get(venue)!.minus(notional));
    }
    this.#exposures.delete(operation);
  }

  /** Whether this trade was applied before. */
  knows(fill: Fill): boolean {
    return this.#trades.has(tradeKey(fill));
  }

  /** Moves the money of a fill, once; the caller has asked {@link knows}. Returns its profit at the operation's rates. */
  apply(fill: Fill, { venue, base, quote }: Instrument, rates: Rates): Pnl {
    assert(!this.knows(fill), 'a trade is applied twice');
    this.#remember(tradeKey(fill));
    const facts = { ...fill, base, quote };
    const flows = flowsOf(fill);
    this.#move(venue, base, flows.base);
    this.#move(venue, quote, flows.quote);
    this.#move(venue, fill.feeAsset, fill.fee.neg());
    const reservation = this.#reservations.get(fill.clientOrderId);
    if (reservation !== undefined)
      this.#free(reservation, Decimal.min(reservation.left, reservation.unitCost.times(fill.qty)));

    this.#positions.set(fill.instrument, positionAfter(this.positionOf(fill.instrument), facts));
    this.#dirtyPositions.add(fill.instrument);
    const pnl = pnlOfFill(facts, rates);
    this.#turnDay(this.#clock.now());
    this.#realised = this.#realised.plus(pnl.realised);
    this.#dayRealised = this.#dayRealised.plus(pnl.realised);
    this.#fees = this.#fees.plus(pnl.fees);
    this.#fills += 1;
    return pnl;
  }

  addDust(asset: string, amount: Decimal): void {
    if (!amount.isZero()) this.dust.set(asset, (this.dust.get(asset) ?? ZERO).plus(amount));
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
    const positions = [...this.#dirtyPositions].map((id) => positionEventOf(id, this.positionOf(id)));
    this.#dirtyAccounts.clear();
    this.#dirtyPositions.clear();
    return { balances, positions };
  }

  #reserveOne(order: OrderRequest, { venue, base, quote, fees, kind }: Instrument): boolean {
    assert(kind === 'spot', 'the ledger reserves for spot orders only');
    assert(!this.#reservations.has(order.clientOrderId), 'an order is reserved twice');
    const buys = order.side === 'buy';
    const account = this.#accountOf(venue, buys ? quote : base);
    const feeOnTop = buys && fees.currency === 'quote' ? fees.taker.plus(1) : new Decimal(1);
    const unitCost = buys ? order.price.times(feeOnTop) : feeOnTop;
    const amount = unitCost.times(order.qty);
    if (account.total.minus(account.reserved).lt(amount)) return false;
    account.reserved = account.reserved.plus(amount);
    this.#reservations.set(order.clientOrderId, { account, unitCost, left: amount });
    this.#touch(account);
    return true;
  }

  #free(reservation: Reservation, amount: Decimal): void {
    reservation.left = reservation.left.minus(amount);
    reservation.account.reserved = reservation.account.reserved.minus(amount);
    this.#touch(reservation.account);
  }

  #move(venue: VenueId, asset: string, amount: Decimal): void {
    const account = this.#accountOf(venue, asset);
    account.total = account.total.plus(amount);
    this.#touch(account);
    this.#deviations.set(asset, (this.#deviations.get(asset) ?? ZERO).plus(amount));
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
    account.available = account.total.minus(account.reserved).toNumber();
    this.#dirtyAccounts.add(account);
  }

  #remember(trade: string): void {
    this.#trades.add(trade);
    if (this.#trades.size <= TRADES_MAX) return;
    for (const oldest of this.#trades) {
      this.#trades.delete(oldest);
      break;
    }
  }

  #turnDay(nowNs: TimeNs): void {
    const day = Math.floor(this.#clock.unixMs(nowNs) / DAY_MS);
    if (day === this.#day) return;
    this.#day = day;
    this.#dayRealised = ZERO;
  }
}

/** Under what a trade is remembered: trade ids are unique on an instrument only. */
export const tradeKey = ({ instrument, tradeId }: Pick<Fill, 'instrument' | 'tradeId'>): string =>
  `${instrument} ${tradeId}`;

function balanceOf({ venue, asset, total, reserved }: Account): EventData<'balance'> {
  return { venue, asset, total: textOf(total), available: textOf(total.minus(reserved)), reserved: textOf(reserved) };
}

function positionEventOf(id: InstrumentId, { size, entryPrice, realised }: Position): EventData<'position'> {
  return {
    id,
    instrument: id,
    type: size.isZero() ? 'flat' : size.isNegative() ? 'short' : 'long',
    size: textOf(size),
    entry_price: textOf(entryPrice),
    realized_pnl: textOf(realised),
    status: size.isZero() ? 'closed' : 'open',
  };
}
