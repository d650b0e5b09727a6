import { Decimal } from 'decimal.js';
import type { GatewayPatience } from '#hotpath/execute/venue-gateway.ts';
import { VenueGateway } from '#hotpath/execute/venue-gateway.ts';
import { rerouted } from '#hotpath/runtime/reroute.ts';
import type { Account } from '#hotpath/venues/venue-account.ts';
import type { Venue } from '#hotpath/venues/venue.ts';
import { inProcessTransport } from '#local/in-process-transport.ts';
import type { ClientOrderId, OperationId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Fill, OrderReport, OrderRequest, Standing } from '#shared/domain/order.ts';
import type { Price, Qty } from '#shared/money/grid.ts';
import { limitPrice, lotQty } from '#shared/money/grid.ts';
import { randomFrom } from '#shared/random.ts';
import { DEFAULT_ACCOUNT } from '#simulator/accounts.ts';
import type { Exchange, Order, Trade } from '#simulator/exchange.ts';
import { limitOf } from '#simulator/exchange.ts';
import type { FaultSpec } from '#simulator/faults.ts';
import type { Listing, ListingSpec } from '#simulator/listings.ts';
import { priceOf, qtyOf } from '#simulator/listings.ts';
import { simulatedVenues } from '#simulator/simulated-venues.ts';
import { virtualRun } from '../simulator/venue-client.ts';
import { LogBook, told as worded } from './account-rig.ts';

const VIA = 'http://127.0.0.1:1';
const PATIENCE: Partial<GatewayPatience> = { answerWithinMs: 2_000 };

/** What an account trades on the simulator, an instrument a market: the first that is listed. */
export function listedOf(venue: Venue, account: Account): readonly ListingSpec[] {
  const listings = simulatedVenues.get(venue.id)?.listings ?? [];
  return account.markets.flatMap((market) => listings.find((listing) => listing.market === market) ?? []);
}

/** One account of one venue on its simulator in process, on a virtual clock, with a gateway that has started. */
export class AccountSimulation {
  readonly gateway: VenueGateway;
  readonly reports: OrderReport[] = [];
  readonly log = new LogBook();
  readonly instrument: Instrument;
  readonly listing: Listing;
  readonly exchange: Exchange;
  readonly #run: ReturnType<typeof virtualRun>;
  readonly #venue: Venue;
  #count = 0;

  constructor(venue: Venue, account: Account, listed: ListingSpec, deadManMs = 60_000) {
    this.#venue = venue;
    this.#run = virtualRun(21, {
      venues: [venue.id],
      symbols: [listed.symbol],
      updates_per_second: 5,
      dislocations_per_minute: 0,
    });
    const { simulator, clock } = this.#run;
    this.exchange = simulator.exchange(venue.id);
    this.listing = this.exchange.listings.find(({ market }) => market === listed.market)!;
    this.forward(2_000);
    this.instrument = this.#instrument(listed);
    const random = randomFrom(22);
    const { apiKey, secret, passphrase } = DEFAULT_ACCOUNT;
    this.gateway = new VenueGateway({
      clock,
      random,
      logger: this.log.logger,
      transport: inProcessTransport(simulator, clock, random, 4),
      instruments: [this.instrument],
      onReport: (report) => void this.reports.push(report),
      patience: { ...PATIENCE, deadManMs },
      setup: {
        venue: venue.id,
        account,
        credentials: { apiKey, secret, passphrase },
        marginMode: 'cross',
        leverage: 1,
        reserved: 0.2,
        via: VIA,
      },
    });
    const started: (Error | undefined)[] = [];
    this.gateway.start((problem) => started.push(problem));
    this.forward(5_000);
    if (started.length !== 1 || started[0] !== undefined)
      throw new Error(
        `${this.name} does not start: ${started[0]?.message ?? 'no answer'}\n${this.log.lines.slice(-8).join('\n')}`,
      );
  }

  /** For messages. */
  get name(): string {
    return `${this.#venue.id} ${this.listing.market} ${this.listing.symbol}`;
  }

  forward(ms: number): void {
    this.#run.forward(ms);
  }

  fault(spec: Omit<FaultSpec, 'venue' | 'market'>): void {
    this.#run.simulator.fault({ ...spec, venue: this.#venue.id, market: this.listing.market });
  }

  /** What the account's orders are at the venue, oldest first. */
  orders(): readonly Order[] {
    const { apiKey } = DEFAULT_ACCOUNT;
    return this.exchange.ordersOf(this.exchange.ledger.byKey(apiKey)!);
  }

  /** Where an order stands at the venue: under our id in its form, or (a label need not be unique) under the number that it acknowledged. */
  bookedAs({ clientOrderId }: Pick<OrderRequest, 'clientOrderId'>, venueClientId: string): readonly Order[] {
    const accepted = this.reports.find(
      (report) => report.kind === 'accepted' && report.clientOrderId === clientOrderId,
    );
    const digits = accepted?.kind === 'accepted' ? (/\d+$/.exec(accepted.venueOrderId)?.[0] ?? '') : '';
    const named = this.orders().filter((order) => order.clientOrderId === venueClientId);
    if (named.length > 0 || digits === '') return named;
    // A venue that writes another id still counts its orders: six digits are more than a test has.
    return this.orders().filter(({ id }) => id === Number(digits) % 1_000_000);
  }

  /** Of the instrument's book. */
  best(side: 'bid' | 'ask'): Decimal {
    const half = this.exchange.engine(this.listing)[side === 'bid' ? 'bids' : 'asks'];
    return priceOf(this.listing, half.best()!.price);
  }

  /** The best price of the other side made worse by a percentage: a limit that surely trades. */
  crossing(side: 'buy' | 'sell'): Price {
    const best = this.best(side === 'buy' ? 'ask' : 'bid');
    return limitPrice(
      best.times(side === 'buy' ? '1.01' : '0.99'),
      this.instrument.tick,
      side === 'buy' ? 'sell' : 'buy',
    );
  }

  /** A limit that rests, and not at the best. */
  resting(side: 'buy' | 'sell', percent = 1): Price {
    const best = this.best(side === 'buy' ? 'bid' : 'ask');
    const away = new Decimal(percent).div(100);
    return limitPrice(best.times(side === 'buy' ? away.neg().plus(1) : away.plus(1)), this.instrument.tick, side);
  }

  /** How the only order stands at its venue, in words; or how one of these terms would. */
  standing(
    { clientOrderId }: Pick<OrderRequest, 'clientOrderId'>,
    terms?: Standing,
  ): readonly [id: string, price: string, qty: string] {
    const [order] = this.orders();
    const { price, qty } = terms ?? { price: limitOf(order!), qty: qtyOf(this.listing, order!.qty) };
    return [clientOrderId, price.toFixed(), qty.toFixed()];
  }

  /** The last that was told of how an order stands. */
  told({ clientOrderId }: Pick<OrderRequest, 'clientOrderId'>): Extract<OrderReport, { kind: 'accepted' }> | undefined {
    return this.reports
      .filter((report) => report.kind === 'accepted')
      .findLast((report) => report.clientOrderId === clientOrderId && report.standing !== undefined);
  }

  /** `times` the least that the venue takes, and at least four lots. */
  qty(times = 4): Qty {
    const { minQty, minNotional, lot, contractSize, inverse } = this.instrument;
    const unit = inverse ? contractSize : this.best('bid').times('0.98').times(contractSize);
    const least = Decimal.max(minQty, minNotional.div(unit), lot);
    return lotQty(least.times(times).plus(lot), lot);
  }

  order(more: Partial<OrderRequest> = {}): OrderRequest {
    this.#count += 1;
    const side = more.side ?? 'buy';
    return {
      clientOrderId: `a00020000${String(this.#count).padStart(2, '0')}00` as ClientOrderId,
      operation: 'op' as OperationId,
      leg: 0,
      attempt: 0,
      purpose: 'leg',
      instrument: this.instrument.id,
      side,
      type: 'limit',
      price: this.crossing(side),
      qty: this.qty(),
      timeInForce: 'IOC',
      ...more,
    };
  }

  /** Submits and waits; what was reported, in a word each, without the ids. */
  send(order: OrderRequest, waitMs = 1_500): string[] {
    this.gateway.submit([order]);
    this.forward(waitMs);
    return this.words(order);
  }

  words({ clientOrderId }: Pick<OrderRequest, 'clientOrderId'>): string[] {
    return this.reports
      .filter((report) => report.clientOrderId === clientOrderId)
      .map((report) => worded(report).replace(/^(accepted|fill) .*/, '$1'));
  }

  /** Everything that was told to be filled of an order, or of all. */
  fills(order?: Pick<OrderRequest, 'clientOrderId'>): readonly Fill[] {
    return this.reports.flatMap((report) =>
      report.kind === 'fill' && (order === undefined || report.clientOrderId === order.clientOrderId)
        ? [report.fill]
        : [],
    );
  }

  filled(order: Pick<OrderRequest, 'clientOrderId'>): Decimal {
    return this.fills(order).reduce((sum, { qty }) => sum.plus(qty), new Decimal(0));
  }

  /** Somebody else sells into the book until `lots` of our resting order are filled. */
  sellInto(order: Order, lots: number): void {
    const engine = this.exchange.engine(this.listing);
    let ahead = 0;
    for (const level of engine.bids.bestFirst()) {
      if (level.price < order.price) break;
      for (const resting of level.orders) {
        if (resting === order.resting) break;
        ahead += resting.qty;
      }
      if (level.price === order.price) break;
    }
    this.exchange.house(this.listing, { side: 'sell', price: order.price, qty: ahead + lots, timeInForce: 'IOC' });
    this.exchange.publish(this.listing);
  }

  /** The fills that we were told against those that the venue has booked. */
  ledgers(): { readonly ours: readonly string[]; readonly venues: readonly string[] } {
    const row = (...parts: (string | Decimal)[]): string =>
      parts.map((part) => (typeof part === 'string' ? part : part.toFixed())).join(' ');
    const ofTrade = ({ order, price, lots, fee, feeAsset, liquidity }: Trade): string =>
      row(order.side, priceOf(order.listing, price), qtyOf(order.listing, lots), fee, feeAsset, liquidity);
    return {
      ours: this.fills()
        .map(({ side, price, qty, fee, feeAsset, liquidity }) => row(side, price, qty, fee, feeAsset, liquidity))
        .toSorted(),
      venues: this.orders()
        .flatMap(({ trades }) => trades.map(ofTrade))
        .toSorted(),
    };
  }

  /** As the venue's own metadata, asked on the simulator, describes it. */
  #instrument({ market: id, symbol }: ListingSpec): Instrument {
    const market = this.#venue.markets.find((each) => each.id === id)!;
    const bodies = market.instruments.paths.map((path) => {
      const { pathname, search } = new URL(rerouted(market.restUrl + path, VIA));
      return this.#run.simulator.request({ method: 'GET', path: pathname + search, headers: {}, body: '' }).body;
    });
    const instruments = market.instruments.parse(bodies, market.defaultFees);
    const found = instruments.find((each) => each.symbol === symbol);
    if (found === undefined) throw new Error(`${this.#venue.id} ${id} does not list ${symbol}`);
    return found;
  }
}
