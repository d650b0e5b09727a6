import type { TimeNs } from '#shared/domain/ids.ts';
import type { EngineStatus } from '#shared/schema/status.ts';

export type VenueStatus = EngineStatus['venues'][number]['status'];

/** What a venue's sessions and books look like at one moment. */
export type VenueView = {
  readonly sockets: number;
  readonly openSockets: number;
  readonly books: number;
  readonly liveBooks: number;
  /** Books that nothing is held against but a long silence of their own. */
  readonly quietBooks: number;
  /** Books that the venue does not give, however often they are asked for. */
  readonly abandoned: number;
  /** Every book has been live at least once since the start. */
  readonly warm: boolean;
  /** No socket has opened for several attempts. */
  readonly unreachable: boolean;
  /** Decayed sum of recent misfortunes. */
  readonly trouble: number;
};

/** Below this share of live books a venue is degraded; a single book on its way back is not worth a word. */
const LIVE_SHARE_MIN = 0.75;
const TROUBLE_HALF_LIFE_MS = 60_000;

/** From 0 (nothing can be traded) to 1: the share of live books, marked down by a sixth for each recent misfortune. */
export function healthOf({ books, liveBooks, quietBooks, trouble }: VenueView): number {
  const expected = books - quietBooks;
  return expected <= 0 ? 0 : liveBooks / expected / (1 + trouble / 5);
}

export function statusOf(view: VenueView): VenueStatus {
  const { sockets, openSockets, books, liveBooks, quietBooks, abandoned, unreachable, warm } = view;
  if (openSockets === 0) return warm || unreachable ? 'down' : 'connecting';
  if (abandoned > 0) return 'degraded';
  if (!warm) return 'connecting';
  return openSockets < sockets || liveBooks < LIVE_SHARE_MIN * (books - quietBooks) ? 'degraded' : 'live';
}

/** What is left of `trouble` after `elapsedMs`. */
export const decayed = (trouble: number, elapsedMs: number): number =>
  trouble * 0.5 ** (elapsedMs / TROUBLE_HALF_LIFE_MS);

/** Well again is this part of the way from the limit to full health, for so long. */
const BACK_SHARE = 0.4;
const BACK_AFTER_NS = 5e9;

/**
 * Takes a venue out of trading when its health falls below the limit, and back only after it was clearly above for a while: a venue that comes and goes is
 * not traded each time that it comes.
 */
export class Standing {
  readonly #outBelow: number;
  readonly #backAbove: number;
  /** `new` until the venue was well for the first time: that needs no proof of patience. */
  #state: 'new' | 'in' | 'out' = 'new';
  #wellSinceNs = NaN;

  constructor(outBelow: number) {
    this.#outBelow = outBelow;
    this.#backAbove = outBelow + (1 - outBelow) * BACK_SHARE;
  }

  get tradable(): boolean {
    return this.#state === 'in';
  }

  judge(health: number, nowNs: TimeNs): void {
    switch (this.#state) {
      case 'new':
        if (health >= this.#outBelow) this.#state = 'in';
        return;
      case 'in':
        if (health >= this.#outBelow) return;
        this.#state = 'out';
        this.#wellSinceNs = NaN;
        return;
      case 'out':
        if (health < this.#backAbove) this.#wellSinceNs = NaN;
        else if (Number.isNaN(this.#wellSinceNs)) this.#wellSinceNs = nowNs;
        else if (nowNs - this.#wellSinceNs >= BACK_AFTER_NS) this.#state = 'in';
    }
  }
}
