import { assert, BadInput } from '#shared/assert.ts';
import type { Clock, Timer } from '#shared/clock/clock.ts';
import type { Fence } from '#shared/domain/order.ts';

/** What the table says: who holds the lease (nobody after a release), under which epoch, and a count that grows with every write. */
export type LeaseRecord = { readonly holder: string; readonly epoch: number; readonly beat: number };
export const NOBODY = '';

/** Where the one record is kept. Both reject with `BadInput` when nobody knows the answer: then the write may have happened, or still will. */
export type LeaseStore = {
  /** What was last written; undefined while nobody ever wrote. */
  readonly read: () => Promise<LeaseRecord | undefined>;
  /** Writes `next` where the record is still exactly `seen`; false, and nothing written, where it is another. */
  readonly replace: (seen: LeaseRecord | undefined, next: LeaseRecord) => Promise<boolean>;
};

export type LeaseOptions = {
  readonly clock: Clock;
  readonly store: LeaseStore;
  /** Like no other process's, a later start of this one included. */
  readonly holder: string;
  readonly ttlMs: number;
  readonly renewMs: number;
  /** The highest epoch that is known from elsewhere, the journal: ours is above. */
  readonly epochMin: number;
  /** Told of every acquisition and renewal: the lease is good for longer. */
  readonly onValid?: () => void;
  /** The fence closed: nobody could renew in time. Ends with the next renewal, or by being lost. `isAlone`: nobody else can have taken it yet. */
  readonly onLapsed: (isAlone: boolean) => void;
  readonly onResumed: () => void;
  /** For good: somebody else has it. */
  readonly onLost: (to: string) => void;
  /** What the store last said; empty once it answers again. */
  readonly onTrouble: (error: string) => void;
};

type Phase = 'waiting' | 'held' | 'lost' | 'released';

/** From the holder's last moment to the challenger's first: what clocks may differ by in a ttl, and an order's way to the venue. */
const MARGIN = 0.1;

/**
 * The right to trade, held by one process at a time.
 *
 * No two clocks are compared. A challenger takes the lease when it has seen the same record, unchanged, for a whole ttl on its own monotonic clock, and
 * takes it by a write that fails if the record has changed since. The holder counts from the moment before it *sent* the last renewal that succeeded, on
 * its own clock, and stops a margin before the ttl is over. A renewal is seen by the challenger after it was sent, so the holder has stopped when the
 * challenger takes over, however late either of them runs: a process that was paused finds its fence closed when it wakes, because the fence reads a clock
 * and needs no timer. Machines that slept are found by their wall clock, since the monotonic one may sleep with them.
 *
 * Runs on the thread that trades: a renewal says that this thread lives. Its requests are somebody else's work.
 *
 * @see https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html (why the epoch is also in what is written)
 */
export class Lease {
  readonly #options: LeaseOptions;
  #phase: Phase = 'waiting';
  #record: LeaseRecord | undefined;
  /** While waiting: since when the record has been as it is. */
  #sinceNs = 0;
  #freeNs = 0;
  #untilNs = -Infinity;
  #untilUnixMs = -Infinity;
  #lapsed = false;
  #lapse: Timer | undefined;
  #wake: (() => void) | undefined;
  #trouble = '';
  #keeping: Promise<void> = Promise.resolve();

  constructor(options: LeaseOptions) {
    const { clock, ttlMs, renewMs } = options;
    assert(renewMs > 0 && 3 * renewMs <= ttlMs, 'a lease is renewed at least three times before it ends');
    this.#options = options;
    this.#sinceNs = clock.now();
  }

  get holder(): string {
    return this.#options.holder;
  }

  /** Of the one who holds or held the lease. */
  get epoch(): number {
    assert(this.#phase !== 'waiting' && this.#record !== undefined, 'no epoch before the lease is held');
    return this.#record.epoch;
  }

  /** Since when it could be taken, on this process's clock: given away, or its ttl over. Of one that was never held: since it was looked at. */
  get freeNs(): number {
    return this.#freeNs;
  }

  /** Whoever held it let its time run out: nobody trades until it is taken. False of one that was given away, or that nobody ever held. */
  get isOverdue(): boolean {
    const holder = this.#record?.holder ?? NOBODY;
    return this.#phase === 'waiting' && holder !== NOBODY && this.#waitMs() <= 0;
  }

  /** How long orders may still leave without another renewal; 0 when they may not. */
  get leftMs(): number {
    const { clock } = this.#options;
    const now = clock.now();
    return Math.max(0, Math.min((this.#untilNs - now) / 1e6, this.#untilUnixMs - clock.unixMs(now)));
  }

  /** Undefined while orders may leave. */
  readonly fence: Fence = () => {
    if (this.leftMs > 0) return undefined;
    return this.#phase === 'held'
      ? 'lease not renewed'
      : `lease ${this.#phase === 'waiting' ? 'not held' : this.#phase}`;
  };

  /** Waits until the lease is ours, however long, and keeps it from then on. Not taken while we are not ready. Returns the epoch. */
  async acquire(isReady: () => boolean = () => true): Promise<number> {
    assert(this.#phase === 'waiting', 'a lease is acquired once');
    for (;;) {
      const waitMs = await this.#attempt(isReady);
      if (waitMs === undefined) break;
      await this.#sleep(waitMs);
    }
    this.#keeping = this.#keep();
    return this.epoch;
  }

  /** Gives the lease away at once; a store that does not answer lets it end by itself. Nothing is sent after this. */
  async release(): Promise<void> {
    if (this.#phase !== 'held') return;
    this.#end('released');
    await this.#keeping;
    const { store, holder } = this.#options;
    await this.#ask(async () => {
      const found = await store.read();
      if (found?.holder === holder) await store.replace(found, { ...found, holder: NOBODY, beat: found.beat + 1 });
    });
  }

  /** One look at the record, and the attempt to take it where it may be taken; undefined once it is ours, else when to look again. */
  async #attempt(isReady: () => boolean): Promise<number | undefined> {
    const { clock, store, holder, renewMs, epochMin } = this.#options;
    const isHeld = await this.#ask(async () => {
      const seen = await store.read();
      if (!isSame(seen, this.#record)) {
        this.#record = seen;
        this.#sinceNs = clock.now();
      }
      // One of ours that we were told nothing of was written late.
      const isOurs = seen?.holder === holder;
      if (!isReady()) return false;
      const isTaken = !isOurs && seen?.holder !== NOBODY;
      if (isTaken && this.#waitMs() > 0) return false;
      this.#freeNs = Math.min(clock.now(), this.#sinceNs + (isTaken ? this.#options.ttlMs * 1e6 : 0));
      const epoch = isOurs ? seen.epoch : Math.max(seen?.epoch ?? 0, epochMin) + 1;
      return await this.#write(seen, { holder, epoch, beat: (seen?.beat ?? 0) + 1 });
    });
    if (isHeld === true) return undefined;
    return Math.min(renewMs / 2, Math.max(renewMs / 10, this.#waitMs()));
  }

  /** How long the record must still stay as it is. */
  #waitMs(): number {
    const { clock, ttlMs } = this.#options;
    return ttlMs - (clock.now() - this.#sinceNs) / 1e6;
  }

  async #keep(): Promise<void> {
    const { clock, renewMs } = this.#options;
    let startNs = clock.now();
    for (;;) {
      await this.#sleep(Math.max(renewMs / 10, renewMs - (clock.now() - startNs) / 1e6));
      startNs = clock.now();
      if (this.#phase === 'held') await this.#renew();
      if (this.#phase !== 'held') return;
    }
  }

  async #renew(): Promise<void> {
    const { store, holder } = this.#options;
    const record = this.#record!;
    const next = { ...record, beat: record.beat + 1 };
    if ((await this.#ask(() => this.#write(record, next))) === true) return;
    // Refused, or nobody knows: the record itself says whether it is still ours. Having read it renews nothing.
    const found = await this.#ask(async () => ({ record: await store.read() }));
    if (found === undefined || this.#phase !== 'held') return;
    if (found.record?.holder === holder && found.record.epoch === record.epoch) this.#record = found.record;
    else this.#lose(found.record?.holder ?? NOBODY);
  }

  /** Good from the moment before it was sent. */
  async #write(seen: LeaseRecord | undefined, next: LeaseRecord): Promise<boolean> {
    const { clock, store, ttlMs } = this.#options;
    const sentNs = clock.now();
    const sentUnixMs = clock.unixMs(sentNs);
    if (!(await store.replace(seen, next))) return false;
    this.#record = next;
    if (this.#phase === 'waiting') this.#phase = 'held';
    if (this.#phase !== 'held') return true;
    const goodMs = ttlMs * (1 - MARGIN);
    this.#untilNs = sentNs + goodMs * 1e6;
    this.#untilUnixMs = sentUnixMs + goodMs;
    this.#heed();
    return true;
  }

  /** Tells of the fence as it is after a renewal, and when it closes. */
  #heed(): void {
    const { clock, onValid, onLapsed, onResumed } = this.#options;
    const { leftMs } = this;
    this.#lapse?.cancel();
    // Timers may be a millisecond early.
    this.#lapse = clock.after(leftMs + 1, () => {
      if (this.leftMs > 0 || this.#lapsed) return;
      this.#lapsed = true;
      onLapsed(this.#isAlone());
    });
    if (leftMs === 0) return;
    onValid?.();
    if (this.#lapsed) onResumed();
    this.#lapsed = false;
  }

  /** Within the margin, by both clocks. A timer of a process that was paused comes later. */
  #isAlone(): boolean {
    const { clock, ttlMs } = this.#options;
    const now = clock.now();
    const leftMs = Math.min((this.#untilNs - now) / 1e6, this.#untilUnixMs - clock.unixMs(now));
    return leftMs > -ttlMs * MARGIN;
  }

  #lose(to: string): void {
    this.#end('lost');
    this.#options.onLost(to);
  }

  #end(phase: 'lost' | 'released'): void {
    this.#phase = phase;
    this.#untilNs = -Infinity;
    this.#lapse?.cancel();
    this.#wake?.();
  }

  /** Undefined where the store gave no answer. */
  async #ask<T>(question: () => Promise<T>): Promise<T | undefined> {
    try {
      const answer = await question();
      this.#tell('');
      return answer;
    } catch (error) {
      if (!(error instanceof BadInput)) throw error;
      this.#tell(error.message);
      return undefined;
    }
  }

  #tell(trouble: string): void {
    if (trouble !== this.#trouble) this.#options.onTrouble(trouble);
    this.#trouble = trouble;
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(ms, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}

const isSame = (a: LeaseRecord | undefined, b: LeaseRecord | undefined): boolean =>
  a?.holder === b?.holder && a?.epoch === b?.epoch && a?.beat === b?.beat;
