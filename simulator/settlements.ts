import { Decimal } from 'decimal.js';
import { assert } from '#shared/assert.ts';
import type { Exchange } from './exchange.ts';
import type { Listing } from './listings.ts';
import { nextFundingMs, referenceOf } from './reference.ts';

/** How often the index is read into a settlement price. */
const SAMPLE_MS = 1_000;
/** Digits of a reading, and decimals of the average. */
const INDEX_DIGITS = 10;
const PRICE_DECIMALS = 4;

/**
 * What the calendar does to one venue: expired listings settle at the average of their index, read once a second over the time before expiry that
 * the venue names; perpetuals pay funding, on most venues at 00:00, 08:00 and 16:00 UTC, on Kraken each hour, on Deribit all the time.
 * @see https://legacy.deribit.com/pages/docs/futures: the time-weighted average of the index between 07:30 and 08:00 UTC.
 */
export class Settlements {
  readonly #exchange: Exchange;
  readonly #perpetuals: readonly Perpetual[];
  #expiring: readonly Expiring[];
  #sampledMs = -Infinity;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
    this.#perpetuals = exchange.listings
      .filter(({ perpetual }) => perpetual)
      .map((listing) => ({ listing, due: { ms: dueAfter(listing, exchange.nowMs()) } }));
    this.#expiring = exchange.listings.flatMap((listing) =>
      listing.expiryMs === undefined
        ? []
        : [{ listing, expiryMs: listing.expiryMs, readings: { sum: new Decimal(0), count: 0 } }],
    );
  }

  /** Does what is due. Called every few milliseconds. */
  step(): void {
    const nowMs = this.#exchange.nowMs();
    if (Math.floor(nowMs / SAMPLE_MS) === Math.floor(this.#sampledMs / SAMPLE_MS)) return;
    this.#sampledMs = nowMs;
    for (const expiring of this.#expiring) this.#read(expiring, nowMs);
    const ended = this.#expiring.filter(({ expiryMs }) => nowMs >= expiryMs);
    if (ended.length > 0) {
      this.#expiring = this.#expiring.filter(({ expiryMs }) => nowMs < expiryMs);
      for (const expiring of ended) this.#settle(expiring);
    }
    for (const perpetual of this.#perpetuals) this.#fund(perpetual, nowMs);
  }

  /** Readings lie before expiry; only who missed them all reads once after it. */
  #read({ listing, expiryMs, readings }: Expiring, nowMs: number): void {
    if (nowMs < expiryMs - listing.settlesOverMs || (nowMs >= expiryMs && readings.count > 0)) return;
    const index = this.#exchange.indexOf(listing);
    if (index === undefined) return;
    readings.sum = readings.sum.plus(index.toPrecision(INDEX_DIGITS));
    readings.count += 1;
  }

  #settle({ listing, readings: { sum, count } }: Expiring): void {
    assert(count > 0, 'the market holds every asset for something');
    this.#exchange.settle(listing, sum.div(count).toDecimalPlaces(PRICE_DECIMALS));
  }

  #fund({ listing, due }: Perpetual, nowMs: number): void {
    const { nextFundingMs: planted, ...reference } = this.#exchange.planted(listing);
    if (nowMs < (listing.fundingFlows ? due.ms : (planted ?? due.ms))) return;
    const said = referenceOf(this.#exchange, listing);
    due.ms = dueAfter(listing, nowMs);
    if (planted !== undefined) this.#exchange.plantReference(listing, reference);
    if (said === undefined) return;
    const share = listing.fundingFlows ? new Decimal(FLOW_MS).div(listing.fundingEveryMs) : 1;
    this.#exchange.fund(
      listing,
      new Decimal(said.fundingRate).times(share),
      new Decimal(said.mark.toPrecision(INDEX_DIGITS)),
    );
  }
}

/** Funding that flows is paid as often as this. */
const FLOW_MS = 60_000;
const dueAfter = (listing: Listing, nowMs: number): number =>
  listing.fundingFlows ? (Math.floor(nowMs / FLOW_MS) + 1) * FLOW_MS : nextFundingMs(listing, nowMs);

type Perpetual = { readonly listing: Listing; readonly due: { ms: number } };
type Expiring = {
  readonly listing: Listing;
  readonly expiryMs: number;
  readonly readings: { sum: Decimal; count: number };
};
