import type { EngineStatus } from '#shared/schema/status.ts';

export type VenueStatus = EngineStatus['venues'][number]['status'];

/** What a venue's sessions and books look like at one moment. */
export type VenueView = {
  readonly sockets: number;
  readonly openSockets: number;
  readonly books: number;
  readonly liveBooks: number;
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
export function healthOf({ books, liveBooks, trouble }: VenueView): number {
  return books === 0 ? 0 : liveBooks / books / (1 + trouble / 5);
}

export function statusOf(view: VenueView): VenueStatus {
  const { sockets, openSockets, books, liveBooks, abandoned, unreachable, warm } = view;
  if (openSockets === 0) return warm || unreachable ? 'down' : 'connecting';
  if (abandoned > 0) return 'degraded';
  if (!warm) return 'connecting';
  return openSockets < sockets || liveBooks < LIVE_SHARE_MIN * books ? 'degraded' : 'live';
}

/** What is left of `trouble` after `elapsedMs`. */
export const decayed = (trouble: number, elapsedMs: number): number =>
  trouble * 0.5 ** (elapsedMs / TROUBLE_HALF_LIFE_MS);
