import type { Clock } from '#shared/clock/clock.ts';
import type { ClientOrderId, InstrumentId, VenueId } from '#shared/domain/ids.ts';
import type { OrderGateway, OrderReport } from '#shared/domain/order.ts';

/** An answer moves the estimate by this share: the last ten or so orders count. */
const NEWS_SHARE = 0.1;
/** Orders whose answer is awaited; the oldest is forgotten first. */
const PENDING_MAX = 10_000;

type Pending = { readonly venue: VenueId; readonly sentNs: number };

/** How long each venue takes from an order's leaving to its first word: an exponentially weighted mean. */
export class RoundTrips {
  readonly #clock: Clock;
  readonly #firstMs: number;
  readonly #meanMs = new Map<VenueId, number>();
  readonly #pending = new Map<ClientOrderId, Pending>();

  /** `firstMs` stands for a venue until it has answered. */
  constructor(clock: Clock, firstMs: number) {
    this.#clock = clock;
    this.#firstMs = firstMs;
  }

  readonly ofMs = (venue: VenueId): number => this.#meanMs.get(venue) ?? this.#firstMs;

  /** The gateway, with the departure of its orders noted. */
  through(gateway: OrderGateway, venueOf: (instrument: InstrumentId) => VenueId): OrderGateway {
    return {
      submit: (orders) => {
        const sentNs = this.#clock.now();
        for (const { clientOrderId, instrument } of orders)
          this.#note(clientOrderId, { venue: venueOf(instrument), sentNs });
        gateway.submit(orders);
      },
      cancel: gateway.cancel,
      replace: gateway.replace,
      probe: gateway.probe,
    };
  }

  /** A report of an order; the first word of the venue itself counts. Returns how long an order's first word took, undefined of any other. */
  heard({ clientOrderId, kind, receivedTimeNs }: OrderReport): number | undefined {
    const pending = this.#pending.get(clientOrderId);
    if (pending === undefined) return undefined;
    this.#pending.delete(clientOrderId);
    const tookMs = (receivedTimeNs - pending.sentNs) / 1e6;
    // Ours is the silence, not theirs.
    if (kind === 'unknown') return tookMs;
    const mean = this.#meanMs.get(pending.venue);
    this.#meanMs.set(pending.venue, mean === undefined ? tookMs : mean + NEWS_SHARE * (tookMs - mean));
    return tookMs;
  }

  #note(id: ClientOrderId, pending: Pending): void {
    this.#pending.set(id, pending);
    if (this.#pending.size <= PENDING_MAX) return;
    for (const oldest of this.#pending.keys()) {
      this.#pending.delete(oldest);
      break;
    }
  }
}
