import { assert } from '#shared/assert.ts';
import type { Clock, Timer } from '#shared/clock/clock.ts';

/** From the most urgent: what ends a risk, what closes one, what opens one, what only asks. */
export const PRIORITIES = ['cancel', 'hedge', 'order', 'query'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** Units of each named bucket. */
export type Units = Readonly<Record<string, number>>;

export type WeightLimits = {
  /** So many units in any window of so many milliseconds. */
  readonly buckets: Readonly<Record<string, { readonly units: number; readonly windowMs: number }>>;
  /** The share of every bucket, from 0 to below 1, that orders and queries leave to cancels and hedges. */
  readonly reserved: number;
  /** Requests of one priority that may wait; one more is refused. */
  readonly queueMax: number;
};

export type WeightedTask = {
  readonly priority: Priority;
  readonly weight: Units;
  /** At once when there is room, else in its turn. */
  readonly run: () => void;
  /** Not run after this many milliseconds, but dropped; then `drop` is called instead. */
  readonly withinMs?: number;
  readonly drop?: () => void;
};

/** `full`: too many of its priority wait. `too-heavy`: more than a whole bucket, it could never run. In both cases the task is forgotten. */
export type Admission = 'ran' | 'waits' | 'full' | 'too-heavy';

type Waiting = { readonly task: WeightedTask; expiry: Timer | undefined };

/**
 * Keeps requests within a venue's limits: no window of any bucket ever holds more than its units. Strictly by priority, in order within one, and what
 * waits for a bucket is not overtaken there by the less urgent. Orders and queries leave a share of every bucket to cancels and hedges; one that is
 * heavier than the rest may have an empty bucket to itself. The venue's word on what is used counts where it is more than ours.
 */
export class WeightLimiter {
  readonly #clock: Clock;
  readonly #limits: WeightLimits;
  readonly #buckets: ReadonlyMap<string, Bucket>;
  readonly #queues: Readonly<Record<Priority, Waiting[]>> = { cancel: [], hedge: [], order: [], query: [] };
  #pausedUntilNs = 0;
  #timer: Timer | undefined;
  #draining = false;

  constructor(clock: Clock, limits: WeightLimits) {
    assert(limits.reserved >= 0 && limits.reserved < 1, 'the reserved share is from 0 to below 1');
    this.#clock = clock;
    this.#limits = limits;
    this.#buckets = new Map(
      Object.entries(limits.buckets).map(([name, { units, windowMs }]) => [
        name,
        new Bucket(units, windowMs, Math.floor(units * (1 - limits.reserved) + 1e-9)),
      ]),
    );
  }

  get waiting(): number {
    const { cancel, hedge, order, query } = this.#queues;
    return cancel.length + hedge.length + order.length + query.length;
  }

  /** Milliseconds until a pause ends; 0 when there is none. */
  get pausedMs(): number {
    return Math.max(0, this.#pausedUntilNs - this.#clock.now()) / 1e6;
  }

  submit(task: WeightedTask): Admission {
    if (this.#isTooHeavy(task.weight)) return 'too-heavy';
    if (this.#mayRunAtOnce(task)) {
      this.#draining = true;
      try {
        this.#run(task);
      } finally {
        this.#draining = false;
        if (this.waiting > 0) this.#drain();
      }
      return 'ran';
    }
    const queue = this.#queues[task.priority];
    if (queue.length >= this.#limits.queueMax) return 'full';
    const waiting: Waiting = { task, expiry: undefined };
    queue.push(waiting);
    this.#drain();
    if (!queue.includes(waiting)) return 'ran';
    if (task.withinMs !== undefined) {
      waiting.expiry = this.#clock.after(task.withinMs, () => this.#expire(waiting));
    }
    return 'waits';
  }

  /** What the venue says is used of its present windows. Buckets that we do not count are left alone. */
  told(used: Units): void {
    const nowNs = this.#clock.now();
    for (const [name, units] of Object.entries(used)) this.#buckets.get(name)?.raiseTo(units, nowNs);
  }

  /** The venue found these buckets spent: orders and queries wait for a window of theirs, cancels and hedges keep their share. */
  spent(weight: Units): void {
    const nowNs = this.#clock.now();
    for (const name of Object.keys(weight)) {
      const bucket = this.#bucket(name);
      bucket.raiseTo(bucket.shared, nowNs);
    }
  }

  /** Runs nothing for `pauseMs`, whatever its priority: we are banned. A shorter pause never ends a longer one. */
  pause(pauseMs: number): void {
    this.#pausedUntilNs = Math.max(this.#pausedUntilNs, this.#clock.now() + pauseMs * 1e6);
  }

  /** Drops everything that waits. */
  clear(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const priority of PRIORITIES) {
      for (const { task, expiry } of this.#queues[priority].splice(0)) {
        expiry?.cancel();
        task.drop?.();
      }
    }
  }

  #bucket(name: string): Bucket {
    const bucket = this.#buckets.get(name);
    assert(bucket !== undefined, 'a request is weighed in a bucket that its account has');
    return bucket;
  }

  #isTooHeavy(weight: Units): boolean {
    for (const name in weight) if (weight[name]! > this.#bucket(name).units) return true;
    return false;
  }

  /** Nobody stands before it, and there is room: an order is on its way without a queue. */
  #mayRunAtOnce(task: WeightedTask): boolean {
    if (this.#draining || this.waiting > 0) return false;
    const nowNs = this.#clock.now();
    return nowNs >= this.#pausedUntilNs && this.#waitMs(task, nowNs) === 0;
  }

  #run({ weight, run }: WeightedTask): void {
    const nowNs = this.#clock.now();
    for (const name in weight) this.#bucket(name).take(weight[name]!, nowNs);
    run();
  }

  /** Runs all that may run now, and comes back when the next may. What a task submits from within is seen by the same round. */
  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    let next = this.#next();
    try {
      while (next.kind === 'run') {
        next.from.shift();
        next.waiting.expiry?.cancel();
        this.#run(next.waiting.task);
        next = this.#next();
      }
    } finally {
      this.#draining = false;
      // Whoever stands behind a task that threw has its turn all the same.
      const waitMs = next.kind === 'run' ? 0 : next.waitMs;
      if (waitMs < Infinity) this.#timer = this.#clock.after(waitMs, () => this.#drain());
    }
  }

  #next():
    | { readonly kind: 'run'; readonly from: Waiting[]; readonly waiting: Waiting }
    | { readonly kind: 'wait'; readonly waitMs: number } {
    const nowNs = this.#clock.now();
    if (this.waiting === 0) return { kind: 'wait', waitMs: Infinity };
    if (nowNs < this.#pausedUntilNs) return { kind: 'wait', waitMs: (this.#pausedUntilNs - nowNs) / 1e6 };
    const claimed = new Set<string>();
    let waitMs = Infinity;
    for (const priority of PRIORITIES) {
      const from = this.#queues[priority];
      const [waiting] = from;
      if (waiting === undefined) continue;
      const names = Object.keys(waiting.task.weight);
      if (names.some((name) => claimed.has(name))) {
        for (const name of names) claimed.add(name);
        continue;
      }
      const headWaitMs = this.#waitMs(waiting.task, nowNs);
      if (headWaitMs === 0) return { kind: 'run', from, waiting };
      waitMs = Math.min(waitMs, headWaitMs);
      for (const name of names) claimed.add(name);
    }
    return { kind: 'wait', waitMs };
  }

  #waitMs({ priority, weight }: WeightedTask, nowNs: number): number {
    const urgent = priority === 'cancel' || priority === 'hedge';
    let longest = 0;
    for (const name in weight) {
      const units = weight[name]!;
      const bucket = this.#bucket(name);
      const waitMs = bucket.waitMs(units, urgent ? bucket.units : Math.max(bucket.shared, units), nowNs);
      if (waitMs > longest) longest = waitMs;
    }
    return longest;
  }

  #expire(waiting: Waiting): void {
    const queue = this.#queues[waiting.task.priority];
    queue.splice(queue.indexOf(waiting), 1);
    waiting.task.drop?.();
    // Whoever stood behind it may be lighter.
    this.#drain();
  }
}

const TAKEN_MIN = 64;

/** What was used when, as long as it matters. */
class Bucket {
  readonly units: number;
  /** What orders and queries may use. */
  readonly shared: number;
  readonly #windowNs: number;
  /** Oldest first. */
  readonly #taken: { readonly atNs: number; units: number }[] = [];
  /** Of all that is not forgotten yet: at least what is used now. */
  #used = 0;
  /** So long a list is looked through for what matters no more. */
  #forgetAt = TAKEN_MIN;

  constructor(units: number, windowMs: number, shared: number) {
    this.units = units;
    this.shared = shared;
    this.#windowNs = windowMs * 1e6;
  }

  take(units: number, nowNs: number): void {
    if (units <= 0) return;
    this.#used += units;
    const last = this.#taken.at(-1);
    if (last?.atNs === nowNs) last.units += units;
    else this.#taken.push({ atNs: nowNs, units });
    if (this.#taken.length < this.#forgetAt) return;
    this.#forget(nowNs);
    this.#forgetAt = Math.max(TAKEN_MIN, 2 * this.#taken.length);
  }

  raiseTo(used: number, nowNs: number): void {
    this.#forget(nowNs);
    this.take(used - this.#used, nowNs);
  }

  /** How long until `units` more stay within `most`. */
  waitMs(units: number, most: number, nowNs: number): number {
    // Where there is room beside what should have been forgotten, nothing need be.
    if (this.#used + units <= most) return 0;
    this.#forget(nowNs);
    let excess = this.#used + units - most;
    if (excess <= 0) return 0;
    for (const taken of this.#taken) {
      excess -= taken.units;
      // A timer may fire a rounding early: half a microsecond more is surely late enough.
      if (excess <= 0) return Math.max(taken.atNs + this.#windowNs - nowNs, 0) / 1e6 + 5e-4;
    }
    return 0;
  }

  #forget(nowNs: number): void {
    let past = 0;
    while (past < this.#taken.length && this.#taken[past]!.atNs + this.#windowNs <= nowNs) {
      this.#used -= this.#taken[past]!.units;
      past += 1;
    }
    if (past > 0) this.#taken.splice(0, past);
    if (this.#taken.length === 0) this.#used = 0;
  }
}
