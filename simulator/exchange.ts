import { Decimal } from 'decimal.js';
import { assert } from '#shared/assert.ts';
import type { Clock } from '#shared/clock/clock.ts';
import { opposite } from '#shared/domain/route.ts';
import type { Side } from '#shared/domain/route.ts';
import { decimalFrom } from '#shared/money/grid.ts';
import type { Account, AccountSpec, Delivery } from './accounts.ts';
import { Ledger, neededFor } from './accounts.ts';
import type { FaultBoard } from './faults.ts';
import { integerFrom } from './grid-text.ts';
import type { Listing } from './listings.ts';
import { priceOf, qtyOf, sizeOf, underlyingWorth, valueAt, valueOf } from './listings.ts';
import type { BookHalf, Fill, Incoming, Resting } from './matching-engine.ts';
import { HOUSE, MatchingEngine } from './matching-engine.ts';

export type OrderStatus = 'open' | 'filled' | 'canceled' | 'expired';

export type Order = {
  readonly id: number;
  readonly clientOrderId: string;
  readonly account: Account;
  readonly listing: Listing;
  readonly side: Side;
  readonly type: 'limit' | 'market';
  readonly timeInForce: 'GTC' | 'IOC' | 'FOK';
  readonly postOnly: boolean;
  /** Ticks; 0 for a market order. */
  price: number;
  /** Lots. */
  qty: number;
  filled: number;
  /** Worth of what filled: quote units, base units for an inverse contract. */
  cost: Decimal;
  status: OrderStatus;
  readonly createdMs: number;
  updatedMs: number;
  readonly trades: Trade[];
  resting: Resting | undefined;
  held: Decimal;
  /** The venue's own: it reduces a position by itself. */
  readonly forced?: Forced;
};

/** To cover another trader's losses, or for want of margin. */
export type Forced = 'adl' | 'liquidation';

/** One fill of one account's order. */
export type Trade = {
  readonly id: number;
  readonly order: Order;
  readonly price: number;
  readonly lots: number;
  readonly fee: Decimal;
  readonly feeAsset: string;
  readonly liquidity: 'maker' | 'taker';
  readonly realised: Decimal;
  /** Of a combo's: what was bought and sold of its legs. */
  readonly legs?: readonly BookedPart[];
  readonly timeMs: number;
};

/** What a fill moved of one listing, with the side of its account. */
type Part = { readonly listing: Listing; readonly side: Side; readonly price: number; readonly lots: number };
export type BookedPart = Part & { readonly fee: Decimal; readonly feeAsset: string; readonly realised: Decimal };

/** What everybody sees of a fill. */
export type Print = {
  readonly id: number;
  readonly price: number;
  readonly lots: number;
  readonly taker: Side;
  readonly timeMs: number;
};

/** An order as a dialect read it. Numbers are still the client's texts: the grid is checked here. */
export type OrderDraft = {
  readonly account: Account;
  readonly listing: Listing;
  /** The exchange names the order itself when the client does not. */
  readonly clientOrderId: string | undefined;
  readonly side: Side;
  readonly type: 'limit' | 'market';
  readonly timeInForce: 'GTC' | 'IOC' | 'FOK';
  readonly postOnly: boolean;
  readonly price: string | undefined;
  readonly qty: string;
  /** `quote`: a market order's quantity is the quote to spend. */
  readonly qtyIn: 'base' | 'quote';
  readonly reduceOnly?: boolean;
  readonly forced?: Forced;
};

export type Refusal =
  | 'price-off-grid'
  | 'qty-off-grid'
  | 'below-min-qty'
  | 'below-min-notional'
  | 'insufficient-funds'
  | 'duplicate-id'
  | 'would-take'
  | 'no-liquidity'
  | 'too-many-orders'
  | 'reduce-only'
  | 'expired'
  | 'told-to';

export type Placed =
  { readonly kind: 'placed'; readonly order: Order } | { readonly kind: 'refused'; readonly reason: Refusal };

/** What happened to an order, in the order of happening; the order already shows the state after it. */
export type OrderChange =
  { readonly kind: 'new' | 'amended' | 'canceled' | 'expired' } | { readonly kind: 'trade'; readonly trade: Trade };

/** Where a dialect hears what it must publish. */
export type ExchangeListener = {
  /** The book changed; called once a transaction. */
  readonly booked: (listing: Listing) => void;
  readonly printed: (listing: Listing, print: Print) => void;
  readonly ordered: (order: Order, change: OrderChange) => void;
  /** An expiry or a funding moved money of this account; its position shows the state after it. */
  readonly paid?: (account: Account, listing: Listing, payment: Payment) => void;
  /** The listing has expired: its book is empty and takes no orders any more. */
  readonly closed?: (listing: Listing, settlement: Settlement) => void;
};

/** Money that a position brought without a trade. */
export type Payment =
  { readonly kind: 'delivery'; readonly delivery: Delivery } | { readonly kind: 'funding'; readonly amount: Decimal };

/** How a listing ended. Price in dollars (quote units) for one of the underlying. */
export type Settlement = { readonly price: Decimal; readonly timeMs: number };

/** What somebody wants a venue to say of a listing beside its book. Prices in the listing's quote, rates fractions. */
export type PlantedReference = {
  readonly fundingRate?: number | undefined;
  readonly nextFundingMs?: number | undefined;
  readonly indexPrice?: number | undefined;
  readonly markPrice?: number | undefined;
  readonly interestRate?: number | undefined;
};

/** Levels of one side as [ticks, lots]. */
export type PlantedSide = readonly (readonly [price: number, qty: number])[];

const OPEN_ORDERS_MAX = 2_000;
/** A minute's share of it on a small position is much less than a satoshi. */
const FUNDING_DECIMALS = 14;
/** Closed orders are remembered this many deep, then forgotten oldest first. */
const HISTORY_MAX = 20_000;

/** One venue: its books, its money, its rules. What it is called on the wire is the dialect's business. */
export class Exchange {
  readonly venue: string;
  readonly listings: readonly Listing[];
  readonly engines: readonly MatchingEngine[];
  readonly ledger: Ledger;
  listener: ExchangeListener | undefined;
  readonly #clock: Clock;
  readonly #faults: FaultBoard;
  /** Every order remembered, oldest first. */
  readonly #orders = new Map<number, Order>();
  /** Latest order by account and client order id. */
  readonly #byClientId = new Map<string, Order>();
  readonly #published: Int32Array;
  readonly #fair: ReadonlyMap<string, number>;
  readonly #settlements = new Map<number, Settlement>();
  readonly #references = new Map<number, PlantedReference>();
  #nextOrder = 1;
  #nextTrade = 1;
  #open = 0;

  constructor(options: {
    readonly venue: string;
    readonly listings: readonly Listing[];
    readonly accounts: readonly AccountSpec[];
    readonly clock: Clock;
    readonly faults: FaultBoard;
    /** What assets are worth in dollars, where the venue's own books do not say. */
    readonly fair?: ReadonlyMap<string, number>;
  }) {
    this.venue = options.venue;
    this.listings = options.listings;
    this.engines = options.listings.map(() => new MatchingEngine());
    this.ledger = new Ledger(options.accounts, walletsOf(options.listings));
    this.#clock = options.clock;
    this.#faults = options.faults;
    this.#published = new Int32Array(options.listings.length);
    this.#fair = options.fair ?? new Map<string, number>();
  }

  nowMs(): number {
    return Math.floor(this.#clock.unixMs(this.#clock.now()));
  }

  engine(listing: Listing): MatchingEngine {
    return this.engines[listing.index]!;
  }

  /** What trades: not yet expired. */
  traded(): readonly Listing[] {
    return this.listings.filter((listing) => this.isTraded(listing));
  }

  isTraded({ index, expiryMs }: Listing): boolean {
    return expiryMs === undefined || (!this.#settlements.has(index) && this.nowMs() < expiryMs);
  }

  /** Undefined before expiry. */
  settlementOf(listing: Listing): Settlement | undefined {
    return this.#settlements.get(listing.index);
  }

  /** Middle of the best prices; undefined while one side is empty. */
  mid(listing: Listing): number | undefined {
    const { bids, asks } = this.engine(listing);
    const [bid, ask] = [priceIn(listing, bids), priceIn(listing, asks)];
    return bid === undefined || ask === undefined
      ? undefined
      : Number(((bid + ask) / 2).toFixed(listing.priceDecimals + 1));
  }

  /** The two legs of a combo; nothing of anything else. */
  legsOf({ combo }: Listing): readonly Listing[] {
    return (combo?.legs ?? []).flatMap((name) => this.listings.find(({ venueSymbol }) => venueSymbol === name) ?? []);
  }

  /** Price of the underlying: the venue's own spot price in the listing's quote, else in dollars, else what the market holds it for. */
  indexOf(listing: Listing): number | undefined {
    const { base, quote } = listing;
    const planted = this.planted(listing).indexPrice;
    if (planted !== undefined) return planted;
    const spot = this.listings.filter((each) => each.kind === 'spot' && each.base === base);
    const pair = spot.find((each) => each.quote === quote) ?? spot.find((each) => DOLLARS.includes(each.quote));
    const own = pair === undefined ? undefined : this.mid(pair);
    const unit = quote === base ? 1 : (this.#fair.get(quote) ?? 1);
    const fair = this.#fair.get(base);
    return own ?? (fair === undefined ? undefined : Number((fair / unit).toPrecision(INDEX_DIGITS)));
  }

  /** What was planted beside the book; nothing where nothing was. */
  planted(listing: Listing): PlantedReference {
    return this.#references.get(listing.index) ?? NOTHING_PLANTED;
  }

  plantReference(listing: Listing, reference: PlantedReference): void {
    this.#references.set(listing.index, reference);
  }

  uproot(listing: Listing): void {
    this.#references.delete(listing.index);
  }

  /** The house's orders become exactly these levels; they trade with accounts' orders that they meet. */
  plant(listing: Listing, bids: PlantedSide, asks: PlantedSide): void {
    this.#clear(listing);
    for (const [price, qty] of bids) this.house(listing, { side: 'buy', price, qty, timeInForce: 'GTC' });
    for (const [price, qty] of asks) this.house(listing, { side: 'sell', price, qty, timeInForce: 'GTC' });
  }

  /** Ends an expired listing: its orders, its book and every position, at `price`. */
  settle(listing: Listing, price: Decimal): void {
    assert(!this.#settlements.has(listing.index), 'a listing settles once');
    const settlement = { price, timeMs: this.nowMs() };
    this.#settlements.set(listing.index, settlement);
    for (const order of [...this.#orders.values()])
      if (order.listing === listing && order.status === 'open') this.cancel(order);
    this.#clear(listing);
    for (const account of this.ledger.all()) {
      if (account.position(listing).lots === 0) continue;
      const delivery = this.ledger.settle(account, listing, price);
      if (account !== this.ledger.house) this.listener?.paid?.(account, listing, { kind: 'delivery', delivery });
    }
    this.#publishBook(listing);
    this.listener?.closed?.(listing, settlement);
  }

  /** Longs pay `rate` of their position's worth at `mark` to shorts, all of them by way of the house. */
  fund(listing: Listing, rate: Decimal, mark: Decimal): void {
    for (const account of this.ledger.all()) {
      const { lots } = account.position(listing);
      if (lots === 0 || account === this.ledger.house) continue;
      const owed = valueAt(listing, mark, Math.abs(lots)).times(rate).toDecimalPlaces(FUNDING_DECIMALS);
      const amount = lots > 0 ? owed.negated() : owed;
      this.ledger.pay(account, listing, amount);
      this.listener?.paid?.(account, listing, { kind: 'funding', amount });
    }
  }

  /** Takes the house's orders out of a book. */
  #clear(listing: Listing): void {
    const engine = this.engine(listing);
    for (const half of [engine.bids, engine.asks])
      for (const level of [...half.levels])
        for (const order of level.orders.filter(({ owner }) => owner === HOUSE)) engine.cancel(order);
  }

  /** Checks, holds the money, matches, rests. @throws BadInput when price or quantity is no decimal. */
  place(draft: OrderDraft): Placed {
    const checked = this.#check(draft);
    if (typeof checked === 'string') return { kind: 'refused', reason: checked };

    const order = this.#register(draft, checked);
    this.#hold(order);
    this.listener?.ordered(order, { kind: 'new' });
    this.#match(order);
    this.#publishBook(order.listing);
    return { kind: 'placed', order };
  }

  /** Takes a share of a derivative's position away, at the middle of its book, against the house; a lot at least. False where nothing is held. */
  force(account: Account, listing: Listing, share: number, forced: Forced): boolean {
    const { lots } = account.position(listing);
    const mid = this.mid(listing);
    if (listing.kind === 'spot' || lots === 0 || mid === undefined) return false;
    const side = lots > 0 ? 'sell' : 'buy';
    const qty = Math.max(1, Math.floor(Math.abs(lots) * share));
    const price = Math.max(1, Math.round(mid * 10 ** listing.priceDecimals));
    const terms = { type: 'market', timeInForce: 'IOC', postOnly: false, price: undefined, qtyIn: 'base' } as const;
    const draft: OrderDraft = { account, listing, clientOrderId: '', side, qty: '', ...terms, forced };
    const order = this.#register(draft, { price, qty });
    this.#settle(listing, side, { maker: { owner: HOUSE, side: opposite(side), price, qty }, price, qty }, order);
    return true;
  }

  /** False when the order is not open any more. */
  cancel(order: Order): boolean {
    if (order.status !== 'open') return false;
    assert(order.resting !== undefined, 'an open order rests in its book');
    this.engine(order.listing).cancel(order.resting);
    this.#end(order, 'canceled');
    this.#publishBook(order.listing);
    return true;
  }

  /**
   * Changes an open order where it stands, at the end of its queue; `qty` is the whole of it, and nothing is left of one that has filled as much. Returns why
   * it stays as it is. @throws BadInput when price or quantity is no decimal.
   */
  amend(order: Order, to: Pick<OrderDraft, 'price' | 'qty'>): Refusal | undefined {
    const { listing, account, side } = order;
    assert(order.status === 'open' && order.resting !== undefined, 'an open order is amended');
    const price = to.price === undefined ? order.price : integerFrom(to.price, listing.priceDecimals);
    const qty = integerFrom(to.qty, listing.lotDecimals);
    if (price === undefined || price <= 0) return 'price-off-grid';
    if (qty === undefined || qty <= 0) return 'qty-off-grid';
    if (qty < listing.minLots) return 'below-min-qty';
    if (order.postOnly && this.engine(listing).wouldTake(side, price)) return 'would-take';
    if (qty > order.filled) {
      const draft = { ...order, type: 'limit', price: undefined, qty: '', qtyIn: 'base' } as const;
      const balance = account.balance(listing.wallet, heldAssetOf(order));
      balance.held = balance.held.minus(order.held);
      const isBorne = this.#affords(draft, price, qty - order.filled);
      balance.held = balance.held.plus(order.held);
      if (!isBorne) return 'insufficient-funds';
    }
    this.engine(listing).cancel(order.resting);
    if (qty <= order.filled) this.#end(order, 'canceled');
    else this.#requeue(order, price, qty);
    this.#publishBook(listing);
    return undefined;
  }

  #requeue(order: Order, price: number, qty: number): void {
    const { listing, side } = order;
    Object.assign(order, { price, qty, resting: undefined, updatedMs: this.nowMs() });
    this.#hold(order);
    this.listener?.ordered(order, { kind: 'amended' });
    const incoming = { owner: order.id, side, price, qty: qty - order.filled, timeInForce: 'GTC' } as const;
    const { fills, resting } = this.engine(listing).submit(incoming);
    order.resting = resting;
    for (const fill of fills) this.#settle(listing, side, fill, order);
  }

  /** Cancels the account's open orders in what `among` says; returns them. */
  cancelAll(account: Account, among: (listing: Listing) => boolean): readonly Order[] {
    const open = this.ordersOf(account, 'open').filter(({ listing }) => among(listing));
    for (const order of open) this.cancel(order);
    return open;
  }

  /** By venue order id, else by client order id (the latest that used it). */
  find(
    account: Account,
    by: { readonly id?: number | undefined; readonly clientOrderId?: string | undefined },
  ): Order | undefined {
    const order =
      by.id === undefined
        ? this.#byClientId.get(`${account.spec.name}:${by.clientOrderId ?? ''}`)
        : this.#orders.get(by.id);
    return order?.account === account ? order : undefined;
  }

  /** Oldest first. */
  ordersOf(account: Account, status?: OrderStatus): readonly Order[] {
    return [...this.#orders.values()].filter(
      (order) => order.account === account && (status === undefined || order.status === status),
    );
  }

  /** A market-model order. It may trade against accounts' resting orders. */
  house(listing: Listing, order: Omit<Incoming, 'owner'>): Resting | undefined {
    const { fills, resting } = this.engine(listing).submit({ ...order, owner: HOUSE });
    for (const fill of fills) this.#settle(listing, order.side, fill, undefined);
    return resting;
  }

  /** Tells the listener when the book has changed since it was last told. */
  publish(listing: Listing): void {
    this.#publishBook(listing);
  }

  #check(draft: OrderDraft): Refusal | { readonly price: number; readonly qty: number } {
    const { listing, account } = draft;
    if (this.#faults.take('reject', listing.venue, listing.market) !== undefined) return 'told-to';
    if (!this.isTraded(listing)) return 'expired';
    if (this.#open >= OPEN_ORDERS_MAX) return 'too-many-orders';
    const { clientOrderId } = draft;
    if (clientOrderId !== undefined && this.find(account, { clientOrderId })?.status === 'open') return 'duplicate-id';

    const price = draft.type === 'market' ? 0 : integerFrom(draft.price ?? '0', listing.priceDecimals);
    const isTooLow = draft.type === 'limit' && listing.kind !== 'combo' && (price ?? 0) <= 0;
    if (price === undefined || isTooLow) return 'price-off-grid';
    const qty = draft.qtyIn === 'quote' ? this.#lotsFor(draft) : integerFrom(draft.qty, listing.lotDecimals);
    if (qty === undefined || qty < 0) return 'qty-off-grid';
    if (qty < listing.minLots || qty === 0) return 'below-min-qty';

    const engine = this.engine(listing);
    const best = engine.half(opposite(draft.side)).best()?.price;
    if (draft.type === 'market' && best === undefined) return 'no-liquidity';
    const reference = draft.type === 'market' ? best! : price;
    const notional = listing.inverse
      ? qtyOf(listing, qty).times(listing.contractSize)
      : valueOf(listing, reference, qty);
    if (listing.minNotional.gt(0) && notional.lt(listing.minNotional)) return 'below-min-notional';
    if (draft.postOnly && listing.postOnly === 'refused' && engine.wouldTake(draft.side, price)) return 'would-take';
    if (draft.reduceOnly === true && !reduces(account.position(listing).lots, draft.side, qty)) return 'reduce-only';
    return this.#affords(draft, reference, qty) ? { price, qty } : 'insufficient-funds';
  }

  /** Lots that the quote of a market order buys or sells at the book as it stands, rounded down. */
  #lotsFor({ qty, side, listing }: OrderDraft): number | undefined {
    let left = decimalFrom(qty);
    let lots = 0;
    for (const level of this.engine(listing).half(opposite(side)).bestFirst()) {
      const worth = valueOf(listing, level.price, level.qty);
      if (worth.gte(left))
        return (
          lots +
          left
            .div(valueOf(listing, level.price, 1))
            .toDecimalPlaces(0, Decimal.ROUND_FLOOR)
            .toNumber()
        );
      left = left.minus(worth);
      lots += level.qty;
    }
    return lots;
  }

  /** `price` is the limit, of a market order the best price. */
  #affords(draft: OrderDraft, price: number, qty: number): boolean {
    const { listing, side, account } = draft;
    const { wallet } = listing;
    if (listing.kind === 'combo')
      return account.available(wallet, listing.settle).gte(this.#neededFor(listing, side, { price, lots: qty }));
    if (listing.kind !== 'spot') {
      const { lots } = account.position(listing);
      const reducing = Math.sign(lots) === (side === 'buy' ? -1 : 1) ? Math.min(qty, Math.abs(lots)) : 0;
      const opening = listing.kind === 'option' && side === 'buy' ? qty : qty - reducing;
      const worth = this.#worth(draft, price, opening);
      const fee = this.#feeOf(listing, listing.taker, opening, worth);
      return account.available(wallet, listing.settle).gte(neededFor(listing, side, opening, worth).plus(fee));
    }
    if (side === 'sell') return account.available(wallet, listing.base).gte(qtyOf(listing, qty));
    return account.available(wallet, listing.quote).gte(this.#worth(draft, price, qty).times(this.#feeFactor(listing)));
  }

  /** What the order may cost at most: at its limit, or for a market order down the book as it stands. */
  #worth({ listing, side, type }: OrderDraft, price: number, qty: number): Decimal {
    if (qty === 0) return new Decimal(0);
    if (type === 'limit') return valueOf(listing, price, qty);
    let left = qty;
    let worth = new Decimal(0);
    for (const level of this.engine(listing).half(opposite(side)).bestFirst()) {
      const lots = Math.min(left, level.qty);
      worth = worth.plus(valueOf(listing, level.price, lots));
      left -= lots;
      if (left === 0) break;
    }
    return worth;
  }

  /** Kraken takes its fee in quote on top of the price; the others take it from what is received. */
  #feeFactor(listing: Listing): Decimal {
    return listing.venue === 'kraken' ? listing.taker.plus(1) : new Decimal(1);
  }

  /** What an open derivative order of so many lots binds; a combo's as much as its legs would, with their fees. */
  #neededFor(listing: Listing, side: Side, { price, lots }: Size): Decimal {
    if (listing.kind !== 'combo') return neededFor(listing, side, lots, valueOf(listing, price, lots));
    return this.#partsOf(listing, side, { price, lots }).reduce((sum, part) => {
      const worth = valueOf(part.listing, part.price, lots);
      const fee = this.#feeOf(part.listing, part.listing.taker, lots, worth);
      return sum.plus(neededFor(part.listing, part.side, lots, worth)).plus(fee);
    }, new Decimal(0));
  }

  /**
   * What a fill moves: itself, or the legs of a combo, the second at the middle of its own book, the first at what is left.
   * @see https://docs.deribit.com/api-reference/combo-books/private-get_leg_prices
   */
  #partsOf(listing: Listing, side: Side, { price, lots }: Size): readonly Part[] {
    if (listing.kind !== 'combo') return [{ listing, side, price, lots }];
    const [bought, sold] = this.legsOf(listing);
    assert(bought !== undefined && sold !== undefined, 'a combo is listed with its legs');
    const middle = Math.round((this.mid(sold) ?? 0) * 10 ** sold.priceDecimals);
    const second = Math.max(1, 1 - price, middle);
    return [
      { listing: bought, side, price: price + second, lots },
      { listing: sold, side: opposite(side), price: second, lots },
    ];
  }

  #register(draft: OrderDraft, { price, qty }: { readonly price: number; readonly qty: number }): Order {
    const { account, listing, side, type, timeInForce, postOnly, forced } = draft;
    const clientOrderId = draft.clientOrderId ?? `sim${this.#nextOrder}`;
    const nowMs = this.nowMs();
    const order: Order = {
      id: this.#nextOrder,
      clientOrderId,
      account,
      listing,
      side,
      type,
      timeInForce,
      postOnly,
      price,
      qty,
      filled: 0,
      cost: new Decimal(0),
      status: 'open',
      createdMs: nowMs,
      updatedMs: nowMs,
      trades: [],
      resting: undefined,
      held: new Decimal(0),
      ...(forced === undefined ? {} : { forced }),
    };
    this.#nextOrder += 1;
    this.#open += 1;
    this.#orders.set(order.id, order);
    this.#byClientId.set(`${account.spec.name}:${clientOrderId}`, order);
    this.#forgetOldest();
    return order;
  }

  #match(order: Order): void {
    const { listing, side, type } = order;
    if (order.postOnly && this.engine(listing).wouldTake(side, order.price)) {
      this.#end(order, 'canceled');
      return;
    }
    const fault = this.#faults.take('partial-fill', listing.venue, listing.market);
    const qty = fault === undefined ? order.qty : Math.floor(order.qty * fault.ratio);
    const timeInForce = fault === undefined ? order.timeInForce : 'IOC';
    const price = type === 'market' ? undefined : order.price;
    if (qty > 0) {
      const { fills, resting } = this.engine(listing).submit({ owner: order.id, side, price, qty, timeInForce });
      order.resting = resting;
      for (const fill of fills) this.#settle(listing, side, fill, order);
    }
    if (order.status === 'open' && order.resting === undefined) this.#end(order, 'expired');
  }

  /** Moves the money of one fill, both sides, and tells everybody. `taker` is undefined for the house. */
  #settle(listing: Listing, takerSide: Side, { maker, price, qty }: Fill, taker: Order | undefined): void {
    const makerOrder = maker.owner === HOUSE ? undefined : this.#orders.get(maker.owner);
    const id = this.#nextTrade;
    this.#nextTrade += 1;
    const parts = this.#partsOf(listing, takerSide, { price, lots: qty });
    const turned = parts.map((part) => ({ ...part, side: opposite(part.side) }));
    const trades = [
      this.#fill(taker, { id, price, lots: qty, parts }, 'taker'),
      this.#fill(makerOrder, { id, price, lots: qty, parts: turned }, 'maker'),
    ];
    if (taker !== undefined || makerOrder !== undefined)
      for (const part of parts) this.#exchangeGoods(part, { taker, maker: makerOrder });
    this.listener?.printed(listing, { id, price, lots: qty, taker: takerSide, timeMs: this.nowMs() });
    if (listing.kind === 'combo') this.#printLegs(parts);
    for (const trade of trades) if (trade !== undefined) this.listener?.ordered(trade.order, { kind: 'trade', trade });
  }

  /** What the fill does to one account's order: quantities, status, fee, position, hold. `parts` have the sides of its account. */
  #fill(order: Order | undefined, fill: FillSize, liquidity: 'maker' | 'taker'): Trade | undefined {
    if (order === undefined) return undefined;
    const { listing, account } = order;
    const { id, price, lots } = fill;
    const parts = fill.parts.map((part) => this.#book(account, part, liquidity));
    const sum = (of: 'fee' | 'realised'): Decimal =>
      parts.reduce((total, part) => total.plus(part[of]), new Decimal(0));

    order.filled += lots;
    order.cost = order.cost.plus(valueOf(listing, price, lots));
    order.updatedMs = this.nowMs();
    const trade: Trade = {
      id,
      order,
      price,
      lots,
      fee: sum('fee'),
      feeAsset: parts[0]!.feeAsset,
      liquidity,
      realised: sum('realised'),
      ...(listing.kind === 'combo' ? { legs: parts } : {}),
      timeMs: order.updatedMs,
    };
    order.trades.push(trade);
    if (order.filled === order.qty) this.#close(order, 'filled');
    this.#hold(order);
    return trade;
  }

  /** Takes the fee of one part and brings the account's position to its state after it. */
  #book(account: Account, part: Part, liquidity: 'maker' | 'taker'): BookedPart {
    const { listing, side, price, lots } = part;
    const spot = listing.kind === 'spot';
    const feeInBase = spot && listing.feeIn === 'received' && side === 'buy';
    const feeAsset = !spot ? listing.settle : feeInBase ? listing.base : listing.quote;
    const taken = feeInBase ? qtyOf(listing, lots) : valueOf(listing, price, lots);
    const fee = this.#feeOf(listing, listing[liquidity], lots, taken);
    const realised = spot ? new Decimal(0) : this.ledger.trade(account, listing, side, { price, lots });
    this.ledger.move({ wallet: listing.wallet, asset: feeAsset, amount: fee }, account, this.ledger.fees);
    return { ...part, fee, feeAsset, realised };
  }

  #printLegs(parts: readonly Part[]): void {
    for (const { listing, side, price, lots } of parts) {
      this.listener?.printed(listing, { id: this.#nextTrade, price, lots, taker: side, timeMs: this.nowMs() });
      this.#nextTrade += 1;
    }
  }

  /**
   * A fraction of what changes hands; of an option a fraction of its underlying, capped by its price.
   * @see https://support.deribit.com/hc/en-us/articles/25944746248989-Fees
   */
  #feeOf(listing: Listing, rate: Decimal, lots: number, worth: Decimal): Decimal {
    const round = (fee: Decimal): Decimal => fee.toDecimalPlaces(8, Decimal.ROUND_HALF_UP);
    if (listing.kind !== 'option') return round(worth.times(rate));
    const index = new Decimal(this.indexOf(listing) ?? listing.strike ?? 0);
    return round(Decimal.min(underlyingWorth(listing, index, lots).times(rate), worth.times(listing.feeCap)));
  }

  #exchangeGoods(
    { listing, side: takerSide, price, lots }: Part,
    orders: { readonly taker: Order | undefined; readonly maker: Order | undefined },
  ): void {
    const takerAccount = orders.taker?.account ?? this.ledger.house;
    const makerAccount = orders.maker?.account ?? this.ledger.house;
    const [buyer, seller] = takerSide === 'buy' ? [takerAccount, makerAccount] : [makerAccount, takerAccount];
    if (listing.kind !== 'spot') {
      if (orders.taker === undefined) this.ledger.trade(this.ledger.house, listing, takerSide, { price, lots });
      if (orders.maker === undefined)
        this.ledger.trade(this.ledger.house, listing, opposite(takerSide), { price, lots });
      return;
    }
    const { wallet } = listing;
    this.ledger.move({ wallet, asset: listing.base, amount: qtyOf(listing, lots) }, seller, buyer);
    this.ledger.move({ wallet, asset: listing.quote, amount: valueOf(listing, price, lots) }, buyer, seller);
  }

  /** Brings the order's hold to what its open rest needs. */
  #hold(order: Order): void {
    const { listing, account, side } = order;
    const left = order.status === 'open' && order.type === 'limit' ? order.qty - order.filled : 0;
    const price = order.price === 0 && listing.kind !== 'combo' ? 1 : order.price;
    const derivative = listing.kind !== 'spot';
    const needed = derivative
      ? this.#neededFor(listing, side, { price, lots: left })
      : side === 'sell'
        ? qtyOf(listing, left)
        : valueOf(listing, price, left).times(this.#feeFactor(listing));
    const balance = account.balance(listing.wallet, heldAssetOf(order));
    balance.held = balance.held.plus(needed).minus(order.held);
    order.held = needed;
  }

  #end(order: Order, status: 'canceled' | 'expired'): void {
    this.#close(order, status);
    order.updatedMs = this.nowMs();
    this.#hold(order);
    this.listener?.ordered(order, { kind: status });
  }

  #close(order: Order, status: Exclude<OrderStatus, 'open'>): void {
    order.status = status;
    order.resting = undefined;
    this.#open -= 1;
  }

  #publishBook(listing: Listing): void {
    const { changes } = this.engine(listing);
    if (this.#published[listing.index] === changes) return;
    this.#published[listing.index] = changes;
    this.listener?.booked(listing);
  }

  #forgetOldest(): void {
    if (this.#orders.size <= HISTORY_MAX + OPEN_ORDERS_MAX) return;
    for (const order of this.#orders.values()) {
      if (order.status === 'open') continue;
      this.#orders.delete(order.id);
      const key = `${order.account.spec.name}:${order.clientOrderId}`;
      if (this.#byClientId.get(key) === order) this.#byClientId.delete(key);
      return;
    }
  }
}

/** Average price of what filled; 0 before the first fill. */
export function averageOf({ listing, filled, cost }: Order): Decimal {
  if (filled === 0) return new Decimal(0);
  const size = sizeOf(listing, filled);
  return listing.inverse ? size.div(cost) : cost.div(size);
}

export const limitOf = ({ listing, price }: Order): Decimal => priceOf(listing, price);

const DOLLARS = ['USD', 'USDT', 'USDC', 'UST'];
const INDEX_DIGITS = 10;
const NOTHING_PLANTED: PlantedReference = {};

const priceIn = ({ priceDecimals }: Listing, half: BookHalf): number | undefined => {
  const best = half.best();
  return best === undefined ? undefined : best.price / 10 ** priceDecimals;
};

type Size = { readonly price: number; readonly lots: number };
type FillSize = Size & { readonly id: number; readonly parts: readonly Part[] };

/** Which wallets a venue has, and which assets an account starts with in each: everything where spot trades, else what its contracts settle in. */
function walletsOf(listings: readonly Listing[]): ReadonlyMap<string, (asset: string) => boolean> {
  return new Map(
    [...new Set(listings.map(({ wallet }) => wallet))].map((wallet) => {
      const inside = listings.filter((listing) => listing.wallet === wallet);
      const settled = new Set(inside.map(({ settle }) => settle));
      const spot = inside.some(({ kind }) => kind === 'spot');
      return [wallet, (asset: string): boolean => spot || settled.has(asset)];
    }),
  );
}

/** Whether the whole order brings the position nearer to nothing. */
const reduces = (lots: number, side: Side, qty: number): boolean =>
  Math.sign(lots) === (side === 'buy' ? -1 : 1) && qty <= Math.abs(lots);

/** In which asset an open order binds what it needs. */
const heldAssetOf = ({ listing, side }: Pick<Order, 'listing' | 'side'>): string =>
  listing.kind !== 'spot' ? listing.settle : side === 'sell' ? listing.base : listing.quote;
