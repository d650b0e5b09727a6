import type { Clock, Timer } from '#shared/clock/clock.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { BookStatus } from '#shared/domain/market-event.ts';
import type { Random } from '#shared/random.ts';
import { Backoff } from '../runtime/backoff.ts';

/** What a subscription asks of its session. */
export type SubscriptionActions = {
  readonly status: (instrument: InstrumentIndex) => BookStatus;
  /** Unsubscribes and subscribes; then the book is awaited again. */
  readonly resubscribe: (subscription: Subscription) => void;
  /** Starts the book over: resubscribes where the venue pushes snapshots, asks for a new one elsewhere. */
  readonly restart: (subscription: Subscription) => void;
  /** The venue does not give this book; it is asked again only now and then. */
  readonly abandon: (subscription: Subscription) => void;
};

const TRIES_MAX = 4;
const ABANDONED_RETRY_MS = 300_000;
/** At worst two restarts a minute: OKX counts 480 subscriptions and unsubscriptions an hour a connection. */
const RESTART = { minMs: 250, maxMs: 60_000 } as const;
/** A book that held this long was well: its next failure is repaired at once. */
const CALM_MS = 60_000;

/** The timers of one followed book: does the first book come in time, and how soon may a broken one be started over? */
export class Subscription {
  readonly instrument: InstrumentIndex;
  readonly venueSymbol: string;
  /** The snapshot that is waited for or in flight, where snapshots come by REST: one at a time. */
  snapshot: Timer | undefined;
  readonly #clock: Clock;
  readonly #actions: SubscriptionActions;
  readonly #backoff: Backoff;
  readonly #firstBookWithinMs: number;
  #abandoned = false;
  #tries = 0;
  #restartedNs = Number.NEGATIVE_INFINITY;
  #firstBook: Timer | undefined;
  #restart: Timer | undefined;

  constructor(
    identity: {
      readonly instrument: InstrumentIndex;
      readonly venueSymbol: string;
      readonly firstBookWithinMs: number;
    },
    { clock, random }: { readonly clock: Clock; readonly random: Random },
    actions: SubscriptionActions,
  ) {
    this.instrument = identity.instrument;
    this.venueSymbol = identity.venueSymbol;
    this.#firstBookWithinMs = identity.firstBookWithinMs;
    this.#clock = clock;
    this.#actions = actions;
    this.#backoff = new Backoff(RESTART, random);
  }

  /** The venue was asked often enough, and still there is no book. */
  get abandoned(): boolean {
    return this.#abandoned && !this.#hasBook();
  }

  /** A book is waited for, or about to be started over. */
  get awaitsBook(): boolean {
    return !this.#hasBook() || this.#restart !== undefined;
  }

  /** Venues ack unknown symbols and stay silent, so only a book proves that the subscription works. */
  awaitBook(): void {
    this.#firstBook?.cancel();
    this.#firstBook = this.#clock.after(this.#firstBookWithinMs, () => this.#checkBook());
  }

  /** Starts the book over: at once after a calm time, with backoff while it keeps breaking. Asking twice is asking once. */
  restart(): void {
    if (this.#restart !== undefined) return;
    const nowNs = this.#clock.now();
    const calm = nowNs - this.#restartedNs > CALM_MS * 1e6;
    if (calm) this.#backoff.reset();
    const delayMs = calm ? 0 : this.#backoff.nextMs();
    this.#restartedNs = nowNs + delayMs * 1e6;
    // Deferred even when due at once: the caller may be inside the frame that broke the book.
    this.#restart = this.#clock.after(delayMs, () => {
      this.#restart = undefined;
      this.#actions.restart(this);
    });
  }

  /** The connection is gone: nothing is awaited any more. */
  cancel(): void {
    this.#firstBook?.cancel();
    this.#restart?.cancel();
    this.snapshot?.cancel();
    this.#firstBook = undefined;
    this.#restart = undefined;
    this.snapshot = undefined;
  }

  #hasBook(): boolean {
    const status = this.#actions.status(this.instrument);
    return status !== 'syncing' && status !== 'gap';
  }

  #checkBook(): void {
    this.#firstBook = undefined;
    if (this.#hasBook()) {
      this.#tries = 0;
      this.#abandoned = false;
      return;
    }
    if (this.snapshot !== undefined || this.#restart !== undefined) {
      this.awaitBook();
      return;
    }
    this.#tries += 1;
    if (this.#tries < TRIES_MAX) this.#actions.resubscribe(this);
    else this.#giveUp();
  }

  /** For now: a suspended instrument may come back. */
  #giveUp(): void {
    this.#tries = TRIES_MAX - 1;
    if (!this.#abandoned) {
      this.#abandoned = true;
      this.#actions.abandon(this);
    }
    this.#firstBook = this.#clock.after(ABANDONED_RETRY_MS, () => {
      this.#firstBook = undefined;
      if (this.#hasBook()) this.#abandoned = false;
      else this.#actions.resubscribe(this);
    });
  }
}
