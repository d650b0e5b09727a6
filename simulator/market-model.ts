import type { Clock } from '#shared/clock/clock.ts';
import type { Side } from '#shared/domain/route.ts';
import { black76 } from '#shared/quant/black.ts';
import type { Random } from '#shared/random.ts';
import type { Exchange } from './exchange.ts';
import type { Listing } from './listings.ts';
import { isCoinSettled, tickOf } from './listings.ts';
import type { BookHalf, Level, Resting } from './matching-engine.ts';
import { HOUSE } from './matching-engine.ts';
import type { Holding } from './planting.ts';
import { surfaceOf, volatilityOf } from './volatility-surface.ts';

export type ModelSettings = {
  /** Market updates a second over all instruments of all venues; those of options and combos come beside, at most three tenths as many. */
  readonly updates_per_second: number;
  readonly dislocations_per_minute: number;
  /** Mean size, basis points. */
  readonly dislocation_bps: number;
};

/** Levels a side that the model keeps up, and beyond which it takes the worst away. */
const LEVELS_MIN = 24;
const LEVELS_MAX = 40;
/** A stalled process makes up for this much at once, not more. */
const CATCH_UP_MS_MAX = 250;
const DISLOCATIONS_MAX = 64;

/**
 * The other traders: fair prices that walk, correlated, in dollars; liquidity around them on every venue; and now and then a venue that
 * loses touch with the others. Same clock, same chance: same market.
 */
export class MarketModel {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #settings: ModelSettings;
  readonly #groups: readonly Group[];
  readonly #places: readonly Place[];
  readonly #assets: readonly (readonly [name: string, asset: AssetModel])[];
  readonly #fair: Map<string, number>;
  /** Places that others have planted, and until when. */
  readonly #held = new Map<Place, number>();
  #quietUntilNs = -Infinity;
  #dislocations: Dislocation[] = [];
  #lastNs: number;

  constructor(options: {
    readonly clock: Clock;
    readonly random: Random;
    readonly settings: ModelSettings;
    readonly exchanges: readonly Exchange[];
    /** Where to keep what each asset is worth, in dollars: others read it. */
    readonly fair: Map<string, number>;
  }) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#settings = options.settings;
    this.#fair = options.fair;
    this.#groups = groupsOf(options.exchanges, this.#random);
    this.#places = this.#groups.flatMap(({ places }) => places);
    this.#lastNs = this.#clock.now();
    const traded = this.#places.flatMap(({ listing }) => [listing.base, listing.quote]);
    // The known ones first and always, so that what is listed does not change how they move.
    this.#assets = [...new Set([...Object.keys(ASSETS), ...traded])].map((asset) => [asset, assetOf(asset)]);
    for (const [asset, { usd }] of this.#assets) this.#fair.set(asset, usd);
    for (const place of this.#places) this.#recentre(place);
  }

  /** Brings the market to the clock's now. */
  step(): void {
    const nowNs = this.#clock.now();
    const elapsedMs = Math.min(CATCH_UP_MS_MAX, (nowNs - this.#lastNs) / 1e6);
    this.#lastNs = nowNs;
    this.#letGo(nowNs);
    if (nowNs < this.#quietUntilNs || elapsedMs <= 0 || this.#places.length === 0) return;

    this.#walk(elapsedMs / 1_000);
    this.#restore();
    for (const group of this.#groups) this.#stir(group, elapsedMs);
  }

  /** Dislocations and updates of one group, each from its own chance. */
  #stir(group: Group, elapsedMs: number): void {
    const { places, random, share } = group;
    this.#dislocate(group, elapsedMs);
    group.owed += (elapsedMs / 1_000) * this.#settings.updates_per_second * share;
    for (; group.owed >= 1; group.owed -= 1) this.#update(places[random.integer(places.length)]!);
  }

  /** Leaves these books alone, in a quiet everything. */
  hold(listings: readonly Listing[], { quiet, durationMs }: Holding): void {
    const untilNs = this.#clock.now() + durationMs * 1e6;
    const wanted = new Set(listings);
    for (const place of this.#places) if (wanted.has(place.listing)) this.#held.set(place, untilNs);
    if (quiet) this.#quietUntilNs = untilNs;
  }

  /** Takes these books up again; all, and the quiet ends, when none are named. */
  release(listings?: readonly Listing[]): void {
    if (listings === undefined) this.#quietUntilNs = -Infinity;
    for (const place of [...this.#held.keys()])
      if (listings === undefined || listings.includes(place.listing)) this.#resume(place);
  }

  #letGo(nowNs: number): void {
    for (const [place, untilNs] of this.#held) if (untilNs <= nowNs) this.#resume(place);
  }

  #resume(place: Place): void {
    this.#held.delete(place);
    place.exchange.plant(place.listing, [], []);
    this.#recentre(place);
  }

  /** Whether the book is the model's to change. */
  #isOurs(place: Place): boolean {
    return !this.#held.has(place) && place.exchange.isTraded(place.listing);
  }

  /** One common factor and one of its own for each asset; pegged assets are pulled back to their peg. */
  #walk(seconds: number): void {
    const scale = Math.sqrt(seconds);
    const common = this.#random.normal();
    for (const [asset, { usd, volatility, pegged }] of this.#assets) {
      if (volatility === 0) continue;
      const price = this.#fair.get(asset)!;
      const own = this.#random.normal();
      const move = pegged ? own : CORRELATION * common + Math.sqrt(1 - CORRELATION ** 2) * own;
      const pull = pegged ? Math.log(usd / price) * Math.min(1, PEG_PULL_PER_SECOND * seconds) : 0;
      this.#fair.set(asset, price * Math.exp(move * volatility * scale + pull));
    }
  }

  /** Ends dislocations; the books concerned follow at once. */
  #restore(): void {
    const nowMs = this.#lastNs / 1e6;
    const ended = this.#dislocations.filter(({ endMs }) => endMs <= nowMs);
    if (ended.length === 0) return;
    this.#dislocations = this.#dislocations.filter(({ endMs }) => endMs > nowMs);
    for (const { touches } of ended)
      for (const place of this.#places) if (touches(place.listing) !== 0) this.#recentre(place);
  }

  /** Starts dislocations; the books concerned follow at once, as when somebody large trades. */
  #dislocate(group: Group, elapsedMs: number): void {
    const chance = (elapsedMs / 60_000) * this.#settings.dislocations_per_minute * group.share;
    if (group.random.next() >= chance || this.#dislocations.length >= DISLOCATIONS_MAX) return;

    const dislocation = this.#draw(group, this.#lastNs / 1e6);
    this.#dislocations.push(dislocation);
    for (const place of this.#places) if (dislocation.touches(place.listing) !== 0) this.#recentre(place);
  }

  #draw({ places, random }: Group, nowMs: number): Dislocation {
    const { venue, listing } = places[random.integer(places.length)]!;
    const isOption = isDerived(listing);
    const bps = -Math.log(1 - random.next()) * this.#settings.dislocation_bps * (isOption ? OPTION_GEARING : 1);
    const size = (bps / 10_000) * (random.next() < 0.5 ? 1 : -1);
    const durationMs = DURATION_MS_MIN + random.next() * (DURATION_MS_MAX - DURATION_MS_MIN);
    const onePair = random.next() < ONE_PAIR_SHARE || isOption;
    const touches = onePair
      ? (each: Listing): number => (each === listing ? 1 : 0)
      : (each: Listing): number => {
          if (each.venue !== venue) return 0;
          const isUnderlying = Number(each.base === listing.base);
          return isDerived(each) ? isUnderlying : isUnderlying - Number(each.quote === listing.base);
        };
    return { size, startMs: nowMs, endMs: nowMs + durationMs, onePair, touches };
  }

  /** The price around which this venue quotes now, and what its spread is a part of, in ticks (fractions). */
  #fairTicks({ exchange, listing, tick }: Place): { readonly fair: number; readonly scale: number } {
    const price = this.#price(exchange, listing);
    const [bought] = exchange.legsOf(listing);
    // The price of a combo may be nothing at all: what is wrong with it is so in the measure of its first leg.
    const scale = bought === undefined ? price : this.#price(exchange, bought);
    return { fair: (price + Math.expm1(this.#shift(listing, true)) * scale) / tick, scale: scale / tick };
  }

  /** The price without what is wrong with this pair alone. */
  #price(exchange: Exchange, listing: Listing): number {
    const [bought, sold] = exchange.legsOf(listing);
    if (bought !== undefined && sold !== undefined) return this.#price(exchange, bought) - this.#price(exchange, sold);
    const moved = Math.exp(this.#shift(listing, false));
    return listing.kind === 'option' ? this.#premium(listing, moved) : this.#forward(listing) * moved;
  }

  /** How far dislocations move the price, as a logarithm: those of this pair, or those of its asset on this venue. */
  #shift(listing: Listing, onePair: boolean): number {
    const nowMs = this.#lastNs / 1e6;
    let shift = 0;
    for (const dislocation of this.#dislocations) {
      if (dislocation.onePair !== onePair) continue;
      const { size, startMs, endMs, touches } = dislocation;
      const direction = touches(listing);
      // Full size for the first 70 % of its life, then back to nothing in a straight line.
      if (direction !== 0) shift += direction * size * Math.min(1, (endMs - nowMs) / (endMs - startMs) / DECAY_SHARE);
    }
    return shift;
  }

  /** Spot with the carry of a dated contract, in the quote; of an option what its strike is counted in. */
  #forward(listing: Listing): number {
    const { base, quote, perpetual, expiryMs } = listing;
    const unit = quote === base ? 1 : this.#fair.get(quote)!;
    const carry = expiryMs === undefined ? 0 : CARRY_A_YEAR * this.#yearsTo(expiryMs);
    return (this.#fair.get(base)! / unit) * Math.exp(carry + (perpetual ? PERPETUAL_PREMIUM : 0));
  }

  /** Black-76 at the surface's volatility on the same expiry's forward, moved by a factor; in coin where the option settles in it. */
  #premium(listing: Listing, moved: number): number {
    const { base, strike, right = 'call', expiryMs = 0 } = listing;
    const underlying = this.#forward(listing) * moved;
    const level = strike?.toNumber() ?? underlying;
    const years = this.#yearsTo(expiryMs);
    const volatility = years === 0 ? 0 : volatilityOf(surfaceOf(base), Math.log(level / underlying), years);
    const { price } = black76({ right, underlying, strike: level, years, volatility, rate: 0 });
    return isCoinSettled(listing) ? price / underlying : price;
  }

  #yearsTo(expiryMs: number): number {
    return Math.max(0, expiryMs - this.#clock.unixMs(this.#clock.now())) / YEAR_MS;
  }

  /** One market update: quotes move to the fair price, and somebody adds, withdraws or trades. */
  #update(place: Place): void {
    if (!this.#isOurs(place)) return;
    const { exchange, listing, random } = place;
    const { bid, ask } = this.#targets(place);
    this.#withdrawBeyond(place, bid, ask);
    const side: Side = random.next() < 0.5 ? 'buy' : 'sell';
    const half = exchange.engine(listing).half(side);
    const draw = random.next();
    if (draw < ADD_SHARE)
      this.#add(place, side, (side === 'buy' ? bid : ask) + awayFrom(side, this.#offset(place, LEVELS_MIN)));
    else if (draw < ADD_SHARE + WITHDRAW_SHARE)
      this.#withdraw(place, half, random.integer(Math.max(1, half.levels.length)));
    else this.#trade(place, side, half);
    this.#fill(place, 'buy', bid);
    this.#fill(place, 'sell', ask);
    exchange.publish(listing);
  }

  #recentre(place: Place): void {
    if (!this.#isOurs(place)) return;
    const { bid, ask } = this.#targets(place);
    this.#withdrawBeyond(place, bid, ask);
    this.#fill(place, 'buy', bid);
    this.#fill(place, 'sell', ask);
    place.exchange.publish(place.listing);
  }

  /** Best bid and ask that the model wants: the fair price always lies between them. Nobody bids less than a tick. */
  #targets(place: Place): { readonly bid: number; readonly ask: number } {
    const { fair, scale } = this.#fairTicks(place);
    const half = scale * HALF_SPREAD;
    const bid = Math.floor(fair - half);
    return { bid, ask: Math.max(bid + 1, Math.ceil(fair + half)) };
  }

  /** Takes away the model's own quotes that the fair price has passed. */
  #withdrawBeyond(place: Place, bid: number, ask: number): void {
    const { bids, asks } = place.exchange.engine(place.listing);
    this.#withdrawWhile(place, bids, (price) => price > bid);
    this.#withdrawWhile(place, asks, (price) => price < ask);
  }

  #withdrawWhile(place: Place, half: BookHalf, passed: (price: number) => boolean): void {
    const engine = place.exchange.engine(place.listing);
    for (let at = half.levels.length - 1; at >= 0; at -= 1) {
      const level = half.levels[at]!;
      if (!passed(level.price)) return;
      for (const order of houseOrders(level)) engine.cancel(order);
    }
  }

  /** Keeps the best quote at its target, at least LEVELS_MIN levels behind it, and no more than LEVELS_MAX. */
  #fill(place: Place, side: Side, target: number): void {
    const engine = place.exchange.engine(place.listing);
    const half = engine.half(side);
    if (half.at(target) === undefined) this.#add(place, side, target);
    for (let tries = 0; half.levels.length < LEVELS_MIN && tries < LEVELS_MAX; tries += 1) {
      const from = half.levels[0]?.price ?? target;
      this.#add(place, side, from + awayFrom(side, this.#offset(place, 1)));
    }
    while (half.levels.length > LEVELS_MAX) {
      const worst = half.levels[0]!;
      const house = houseOrders(worst);
      for (const order of house) engine.cancel(order);
      if (house.length === 0 || half.levels[0] === worst) return;
    }
  }

  /** Up to `levels` spacings away, in ticks, at least one. */
  #offset({ spacing, random }: Place, levels: number): number {
    return 1 + random.integer(levels * (2 * spacing - 1));
  }

  #add(place: Place, side: Side, price: number): void {
    if (price <= 0 && place.listing.kind !== 'combo') return;
    place.exchange.house(place.listing, { side, price, qty: this.#size(place), timeInForce: 'GTC' });
  }

  #withdraw(place: Place, half: BookHalf, at: number): void {
    const level = half.levels[at];
    const [order] = level === undefined ? [] : houseOrders(level);
    if (order !== undefined) place.exchange.engine(place.listing).cancel(order);
  }

  /** Somebody takes a part of the best level of `half`. */
  #trade(place: Place, side: Side, half: BookHalf): void {
    const best = half.best();
    if (best === undefined) return;
    const qty = Math.max(1, Math.min(best.qty, Math.floor(this.#size(place) * TRADE_SHARE)));
    place.exchange.house(place.listing, {
      side: side === 'buy' ? 'sell' : 'buy',
      price: undefined,
      qty,
      timeInForce: 'IOC',
    });
  }

  /** Lots worth some thousand dollars, log-normal, on a coarser grid than the venue's: people like round sizes. */
  #size({ listing, lotUsd, sizeStep, random }: Place): number {
    const usd = LEVEL_USD * Math.exp(random.normal() * LEVEL_SPREAD);
    const steps = Math.max(1, Math.round(usd / lotUsd / sizeStep));
    return Math.max(listing.minLots, steps * sizeStep);
  }
}

/** What follows from the prices of others. */
const isDerived = ({ kind }: Listing): boolean => kind === 'option' || kind === 'combo';

/** What is stirred together. What is derived has its own, so that the other markets move the same however many of them a venue lists. */
type Group = {
  readonly places: readonly Place[];
  readonly random: Random;
  /** Of the updates and dislocations that are set, beside those of the other group. */
  readonly share: number;
  /** Updates owed: the fraction left over from the step before. */
  owed: number;
};

function groupsOf(exchanges: readonly Exchange[], random: Random): readonly Group[] {
  const placesOf = (isIn: (listing: Listing) => boolean, chance: Random): readonly Place[] =>
    exchanges.flatMap((exchange) =>
      exchange.listings.filter(isIn).map((listing) => placeOf(exchange, listing, chance)),
    );
  const chance = random.fork('options');
  const [plain, derived] = [placesOf((listing) => !isDerived(listing), random), placesOf(isDerived, chance)];
  const share = plain.length === 0 ? 1 : Math.min(OPTION_SHARE, derived.length / plain.length);
  return [
    { places: plain, random, share: 1, owed: 0 },
    { places: derived, random: chance, share, owed: 0 },
  ].filter(({ places }) => places.length > 0);
}

type Place = {
  readonly exchange: Exchange;
  readonly random: Random;
  readonly venue: string;
  readonly listing: Listing;
  readonly tick: number;
  /** Ticks between levels, on average. */
  readonly spacing: number;
  /** What one lot is worth at the first price. */
  readonly lotUsd: number;
  readonly sizeStep: number;
};

/** `touches`: 1 where a listing's price rises with the dislocation's size, -1 where it falls, 0 where it stays. */
type Dislocation = {
  readonly size: number;
  readonly startMs: number;
  readonly endMs: number;
  /** Of one pair; otherwise of an asset on a venue, where options follow their underlying. */
  readonly onePair: boolean;
  readonly touches: (listing: Listing) => number;
};

function placeOf(exchange: Exchange, listing: Listing, random: Random): Place {
  const tick = tickOf(listing).toNumber();
  const base = assetOf(listing.base).usd;
  const price = base / assetOf(listing.quote).usd;
  const contract = listing.contractSize.toNumber();
  const isInQuote = listing.inverse || exchange.legsOf(listing).some(({ inverse }) => inverse);
  const lotUsd = (isInQuote ? contract : contract * base) * 10 ** -listing.lotDecimals;
  return {
    exchange,
    random,
    venue: exchange.venue,
    listing,
    tick,
    spacing: Math.max(1, Math.round((price * LEVEL_SPACING) / tick)),
    lotUsd,
    sizeStep: Math.max(1, 10 ** Math.floor(Math.log10(SIZE_STEP_USD / lotUsd))),
  };
}

const houseOrders = (level: Level): readonly Resting[] => level.orders.filter(({ owner }) => owner === HOUSE);
const awayFrom = (side: Side, ticks: number): number => (side === 'buy' ? -ticks : ticks);

/** First price in dollars, and volatility as a fraction per square root of a second (60 % a year is about 1.07e-4). */
type AssetModel = { readonly usd: number; readonly volatility: number; readonly pegged: boolean };
const ASSETS: Readonly<Record<string, AssetModel>> = {
  USD: { usd: 1, volatility: 0, pegged: true },
  USDT: { usd: 1.0002, volatility: 4e-6, pegged: true },
  USDC: { usd: 0.9999, volatility: 3e-6, pegged: true },
  BTC: { usd: 92_400, volatility: 0.9e-4, pegged: false },
  ETH: { usd: 3_120, volatility: 1.2e-4, pegged: false },
  SOL: { usd: 141, volatility: 1.5e-4, pegged: false },
  XRP: { usd: 2.13, volatility: 1.5e-4, pegged: false },
  ADA: { usd: 0.482, volatility: 1.6e-4, pegged: false },
  LTC: { usd: 94.7, volatility: 1.3e-4, pegged: false },
};
/** An invented coin: between 20 and 420 dollars, by its name. */
function assetOf(name: string): AssetModel {
  const known = ASSETS[name];
  if (known !== undefined) return known;
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + letter.charCodeAt(0)) % 400;
  return { usd: 20 + sum, volatility: 1.5e-4, pegged: false };
}

const CORRELATION = 0.8;
const PEG_PULL_PER_SECOND = 0.02;
/** Perpetuals stand a basis point above spot. */
const PERPETUAL_PREMIUM = 0.0001;
const CARRY_A_YEAR = 0.06;
const OPTION_SHARE = 0.3;
/** A premium that is wrong is wrong by more than a price. */
const OPTION_GEARING = 10;
const YEAR_MS = 365 * 86_400_000;
const HALF_SPREAD = 0.00001;
/** Between levels, as a fraction of the price. */
const LEVEL_SPACING = 0.00006;
const LEVEL_USD = 9_000;
const LEVEL_SPREAD = 0.7;
const SIZE_STEP_USD = 20;
const TRADE_SHARE = 0.1;
const ADD_SHARE = 0.45;
const WITHDRAW_SHARE = 0.35;
const ONE_PAIR_SHARE = 0.5;
const DURATION_MS_MIN = 300;
const DURATION_MS_MAX = 5_000;
const DECAY_SHARE = 0.3;
