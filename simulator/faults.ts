import { z } from 'zod';
import type { Clock } from '#shared/clock/clock.ts';

/**
 * A misbehaviour to order. Bounded by `count` (default 1) where it hits single frames, requests or orders, or by `duration_ms`.
 * - `disconnect`: closes the sockets now, and refuses new ones for `duration_ms`
 * - `gap`: the next book delta is not sent, later ones are; `bad-checksum`: sent with a wrong one
 * - `stale`: market data frozen for `duration_ms`, sockets alive
 * - `rate-limited`, `server-error`: REST answers 429 (Retry-After `ms`) or 503
 * - `slow-ack`: answers to order requests come `ms` later; `lost-ack`: the order is done, its answer never comes
 * - `deleverage`, `liquidate`: the venue takes `ratio` of every position away now, to cover others' losses or for want of margin
 * - `reject`: the next order is refused; `partial-fill`: it fills at most `ratio` of its quantity, the rest expires
 */
export const faultSpec = z.strictObject({
  venue: z.string().min(1).max(32),
  market: z.string().min(1).max(32).optional(),
  kind: z.enum([
    'disconnect',
    'gap',
    'bad-checksum',
    'stale',
    'rate-limited',
    'server-error',
    'slow-ack',
    'lost-ack',
    'reject',
    'partial-fill',
    'deleverage',
    'liquidate',
  ]),
  count: z.int().min(1).max(1_000_000).optional(),
  duration_ms: z.number().min(0).max(3_600_000).optional(),
  ms: z.number().min(0).max(600_000).default(1_000),
  ratio: z.number().min(0).max(1).default(0.5),
});
export type FaultSpec = z.input<typeof faultSpec>;
export type Fault = z.infer<typeof faultSpec>;
type FaultKind = Fault['kind'];

const FAULTS_MAX = 1_000;
/** How long a `stale` without a duration lasts. */
const STALE_MS = 5_000;

/** The faults ordered and not yet used up. */
export class FaultBoard {
  readonly #clock: Clock;
  #active: { readonly fault: Fault; left: number; readonly untilNs: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** False when the board is full. */
  order(fault: Fault): boolean {
    if (this.#active.length >= FAULTS_MAX) this.#dropSpent();
    if (this.#active.length >= FAULTS_MAX) return false;
    const durationMs = fault.duration_ms ?? (fault.kind === 'stale' ? STALE_MS : undefined);
    const left = fault.count ?? (durationMs === undefined ? 1 : Infinity);
    const untilNs = durationMs === undefined ? Infinity : this.#clock.now() + durationMs * 1e6;
    this.#active.push({ fault, left, untilNs });
    return true;
  }

  /** The fault that hits this frame, request or order, if any; uses it up. */
  take(kind: FaultKind, venue: string, market: string): Fault | undefined {
    if (this.#active.length === 0) return undefined;
    const nowNs = this.#clock.now();
    const hit = this.#active.find(
      ({ fault, left, untilNs }) =>
        fault.kind === kind &&
        fault.venue === venue &&
        (fault.market === undefined || fault.market === market) &&
        left > 0 &&
        nowNs < untilNs,
    );
    if (hit === undefined) return undefined;
    hit.left -= 1;
    if (hit.left === 0) this.#dropSpent();
    return hit.fault;
  }

  /** True while a fault bounded by time holds; uses nothing up. */
  holds(kind: 'stale' | 'disconnect', venue: string, market: string): boolean {
    const nowNs = this.#clock.now();
    return this.#active.some(
      ({ fault, untilNs }) =>
        fault.kind === kind &&
        fault.venue === venue &&
        (fault.market === undefined || fault.market === market) &&
        nowNs < untilNs,
    );
  }

  /** How long an order's answer is held back: 0, some milliseconds, or Infinity when it is lost. */
  ackDelayMs(venue: string, market: string): number {
    if (this.take('lost-ack', venue, market) !== undefined) return Infinity;
    return this.take('slow-ack', venue, market)?.ms ?? 0;
  }

  #dropSpent(): void {
    const nowNs = this.#clock.now();
    this.#active = this.#active.filter(({ left, untilNs }) => left > 0 && nowNs < untilNs);
  }
}
