import { Decimal } from 'decimal.js';
import { assert } from '#shared/assert.ts';
import type { Side } from '#shared/domain/route.ts';
import type { Listing } from './listings.ts';
import { payoffOf, qtyOf, underlyingWorth, valueAt, valueOf } from './listings.ts';

/** Who may trade, and with what. The same keys work on every simulated venue, each venue with its own balances. */
export type AccountSpec = {
  readonly name: string;
  readonly apiKey: string;
  /** Base64, because Kraken signs with the decoded bytes; the other venues use the text as it stands. */
  readonly secret: string;
  /** Where a venue wants one: OKX, KuCoin. */
  readonly passphrase: string;
  readonly balances: Readonly<Record<string, string>>;
};

/** The account a laptop run trades with. */
export const DEFAULT_ACCOUNT: AccountSpec = {
  name: 'desk',
  apiKey: 'simulator-key',
  secret: 'c2ltdWxhdG9yLXNlY3JldC1mb3ItbG9jYWxob3N0',
  passphrase: 'simulator',
  balances: {
    USDT: '500000',
    USDC: '250000',
    USD: '250000',
    BTC: '8',
    ETH: '120',
    SOL: '2500',
    XRP: '300000',
    ADA: '400000',
    LTC: '2000',
  },
};

export type Balance = { total: Decimal; held: Decimal };

/** A derivative's position. `cost` is what the open lots were worth when opened, in the settlement asset's unit of value. */
export type Position = { lots: number; cost: Decimal; realised: Decimal };

/** Margin asked for a position: a tenth of its value, of an option sold a tenth of its underlying. Losses not yet realised are left out. */
const MARGIN_SHARE = new Decimal('0.1');

export class Account {
  readonly spec: AccountSpec;
  readonly #balances = new Map<string, Balance>();
  readonly #positions = new Map<number, { readonly listing: Listing; readonly position: Position }>();

  constructor(spec: AccountSpec) {
    this.spec = spec;
  }

  balance(wallet: string, asset: string): Balance {
    const key = `${wallet}:${asset}`;
    const there = this.#balances.get(key);
    if (there !== undefined) return there;
    const empty: Balance = { total: new Decimal(0), held: new Decimal(0) };
    this.#balances.set(key, empty);
    return empty;
  }

  /** Assets the wallet has ever had, in the order of their arrival. */
  assets(wallet: string): readonly string[] {
    const prefix = `${wallet}:`;
    return [...this.#balances.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
  }

  position(listing: Listing): Position {
    const there = this.#positions.get(listing.index);
    if (there !== undefined) return there.position;
    const flat: Position = { lots: 0, cost: new Decimal(0), realised: new Decimal(0) };
    this.#positions.set(listing.index, { listing, position: flat });
    return flat;
  }

  positions(): readonly { readonly listing: Listing; readonly position: Position }[] {
    return [...this.#positions.values()];
  }

  /** Free to commit: total less what open orders hold and positions bind. */
  available(wallet: string, asset: string): Decimal {
    const { total, held } = this.balance(wallet, asset);
    return this.positions()
      .filter(({ listing }) => listing.settle === asset && listing.wallet === wallet)
      .reduce((left, { listing, position }) => left.minus(boundBy(listing, position)), total.minus(held));
  }
}

/** One venue's money: it only ever moves from one account to another, so that no unit is made or lost. */
export class Ledger {
  /** The model's own side of every trade, and the other side of every realised profit; may go below zero. */
  readonly house = new Account({ ...NOBODY, name: 'house' });
  readonly fees = new Account({ ...NOBODY, name: 'fees' });
  readonly #byKey = new Map<string, Account>();

  constructor(specs: readonly AccountSpec[], wallets: ReadonlyMap<string, (asset: string) => boolean>) {
    for (const spec of specs) {
      const account = new Account(spec);
      assert(!this.#byKey.has(spec.apiKey), 'an API key names one account');
      this.#byKey.set(spec.apiKey, account);
      for (const [wallet, takes] of wallets)
        for (const [asset, amount] of Object.entries(spec.balances))
          if (takes(asset)) account.balance(wallet, asset).total = new Decimal(amount);
    }
  }

  byKey(apiKey: string): Account | undefined {
    return this.#byKey.get(apiKey);
  }

  /** Every account, the house and the fee account included. */
  all(): readonly Account[] {
    return [...this.#byKey.values(), this.house, this.fees];
  }

  move(money: Money, from: Account, to: Account): void {
    const source = from.balance(money.wallet, money.asset);
    const target = to.balance(money.wallet, money.asset);
    source.total = source.total.minus(money.amount);
    target.total = target.total.plus(money.amount);
  }

  /**
   * Opens, adds to, reduces or turns a position; the profit of what is closed moves against the house, of an option the premium of every trade.
   * Returns that profit.
   */
  trade(
    account: Account,
    listing: Listing,
    side: Side,
    fill: { readonly price: number; readonly lots: number },
  ): Decimal {
    const position = account.position(listing);
    const signed = side === 'buy' ? fill.lots : -fill.lots;
    const closing = Math.sign(signed) === -Math.sign(position.lots) ? Math.min(fill.lots, Math.abs(position.lots)) : 0;
    const profit = closing > 0 ? closePart(position, listing, closing, fill.price) : new Decimal(0);
    const opening = fill.lots - closing;
    if (opening > 0) {
      position.lots += Math.sign(signed) * opening;
      position.cost = position.cost.plus(valueOf(listing, fill.price, opening));
    }
    position.realised = position.realised.plus(profit);
    const given = side === 'buy' ? -fill.lots : fill.lots;
    this.pay(account, listing, listing.kind === 'option' ? valueOf(listing, fill.price, given) : profit);
    return profit;
  }

  /** Ends a position at the settlement price of its listing. The fee is no more than the payoff's share where an option is. */
  settle(account: Account, listing: Listing, price: Decimal): Delivery {
    const position = account.position(listing);
    const { lots, cost } = position;
    const [size, isLong] = [Math.abs(lots), lots > 0];
    const worth = listing.kind === 'option' ? payoffOf(listing, price, size) : valueAt(listing, price, size);
    const grown = worth.minus(cost);
    const profit = isLong === listing.inverse ? grown.negated() : grown;
    const amount = listing.kind !== 'option' ? profit : isLong ? worth : worth.negated();
    position.lots = 0;
    position.cost = new Decimal(0);
    position.realised = position.realised.plus(profit);
    const fee = deliveryFeeOf(listing, price, size);
    this.pay(account, listing, amount);
    if (account !== this.house)
      this.move({ wallet: listing.wallet, asset: listing.settle, amount: fee }, account, this.fees);
    return { lots, price, amount, profit, fee };
  }

  /** Moves what a position earns from the house to its account. */
  pay(account: Account, { wallet, settle }: Listing, amount: Decimal): void {
    if (account !== this.house) this.move({ wallet, asset: settle, amount }, this.house, account);
  }
}

/** What settlement did to one position, in the settlement asset; `lots` are those before it. */
export type Delivery = {
  readonly lots: number;
  readonly price: Decimal;
  /** Paid to the account: the payoff of an option, the profit of a future. */
  readonly amount: Decimal;
  /** Against the price of entry, before the fee. */
  readonly profit: Decimal;
  readonly fee: Decimal;
};

function deliveryFeeOf(listing: Listing, price: Decimal, lots: number): Decimal {
  const { deliveryFee, feeCap, kind } = listing;
  const fee =
    kind === 'option'
      ? Decimal.min(
          underlyingWorth(listing, price, lots).times(deliveryFee),
          payoffOf(listing, price, lots).times(feeCap),
        )
      : valueAt(listing, price, lots).times(deliveryFee);
  return fee.toDecimalPlaces(8, Decimal.ROUND_HALF_UP);
}

/** Average price at which the open lots were opened, as text; `0` when flat. */
export function entryPrice(listing: Listing, { lots, cost }: Position): string {
  if (lots === 0) return '0';
  const size = qtyOf(listing, Math.abs(lots)).times(listing.contractSize);
  return (listing.inverse ? size.div(cost) : cost.div(size)).toDecimalPlaces(8).toFixed();
}

/** Size of a position in the venue's unit, negative when short, as text. */
export const signedSize = (listing: Listing, { lots }: Position): string => qtyOf(listing, lots).toFixed();

/** What opening so many lots worth `value` asks for: margin, or the whole premium of an option bought. */
export function neededFor(listing: Listing, side: Side, lots: number, value: Decimal): Decimal {
  if (listing.kind !== 'option') return value.times(MARGIN_SHARE);
  return side === 'buy' ? value : shortMargin(listing, lots);
}

function boundBy(listing: Listing, { lots, cost }: Position): Decimal {
  if (listing.kind !== 'option') return cost.times(MARGIN_SHARE);
  return lots < 0 ? shortMargin(listing, -lots) : new Decimal(0);
}

const shortMargin = (listing: Listing, lots: number): Decimal =>
  underlyingWorth(listing, listing.strike ?? new Decimal(0), lots).times(MARGIN_SHARE);

type Money = { readonly wallet: string; readonly asset: string; readonly amount: Decimal };

const NOBODY: AccountSpec = { name: '', apiKey: '', secret: '', passphrase: '', balances: {} };

/** A linear long earns when its lots are worth more quote, an inverse long when they are worth less base. */
function closePart(position: Position, listing: Listing, lots: number, price: number): Decimal {
  const long = position.lots > 0;
  const share = lots === Math.abs(position.lots);
  const cost = share ? position.cost : position.cost.times(lots).div(Math.abs(position.lots)).toDecimalPlaces(12);
  position.cost = position.cost.minus(cost);
  position.lots -= long ? lots : -lots;
  const grown = valueOf(listing, price, lots).minus(cost);
  return long === listing.inverse ? grown.negated() : grown;
}
