import { setImmediate as turn } from 'node:timers/promises';
import type { LeaseRecord, LeaseStore } from '#hotpath/lease/lease.ts';
import { Lease } from '#hotpath/lease/lease.ts';
import { BadInput } from '#shared/assert.ts';
import type { Clock } from '#shared/clock/clock.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { TimeNs } from '#shared/domain/ids.ts';
import type { Random } from '#shared/random.ts';

export const TTL_MS = 3_000;
export const RENEW_MS = 500;
const REQUEST_TIMEOUT_MS = 1_000;

/**
 * One process's view of time: its clock runs a little fast or slow, and while it is paused nothing of it runs, though time goes on. Where the machine
 * sleeps, the monotonic clock stands still too; the wall clock goes on, and may be set.
 */
export class ProcessClock implements Clock {
  readonly unixNs: Clock['unixNs'];
  readonly #world: VirtualClock;
  readonly #rate: number;
  #paused = false;
  #asleepSinceNs: number | undefined;
  #sleptNs = 0;
  #setMs = 0;
  #alive = true;
  #late: (() => void)[] = [];

  constructor(world: VirtualClock, rate: number) {
    this.#world = world;
    this.#rate = rate;
    this.unixNs = world.unixNs;
  }

  readonly now = (): TimeNs => ((this.#world.now() - this.#sleptNs) * this.#rate) as TimeNs;

  /** Asked of now alone. */
  readonly unixMs: Clock['unixMs'] = () => this.#world.unixMs(this.#world.now()) + this.#setMs;

  readonly after: Clock['after'] = (delayMs, task) => {
    let cancelled = false;
    const run = (): void => {
      if (!cancelled) this.run(task);
    };
    const timer = this.#world.after(delayMs / this.#rate, run);
    return {
      cancel: () => {
        cancelled = true;
        timer.cancel();
      },
    };
  };

  /** Now, or when the process wakes, or never when it is dead. */
  run(task: () => void): void {
    if (!this.#alive) return;
    if (this.#paused) this.#late.push(() => this.run(task));
    else task();
  }

  pause(): void {
    this.#paused = true;
  }

  sleep(): void {
    this.pause();
    this.#asleepSinceNs ??= this.#world.now();
  }

  setWall(byMs: number): void {
    this.#setMs += byMs;
  }

  wake(): void {
    if (this.#asleepSinceNs !== undefined) this.#sleptNs += this.#world.now() - this.#asleepSinceNs;
    this.#asleepSinceNs = undefined;
    this.#paused = false;
    const late = this.#late;
    this.#late = [];
    for (const task of late) task();
  }

  kill(): void {
    this.#alive = false;
  }
}

/** The table: one record, requests that travel, and are lost on the way there or back. */
export class Table {
  record: LeaseRecord | undefined;
  down = false;
  lossShare = 0;
  readonly #world: VirtualClock;
  readonly #random: Random;

  constructor(world: VirtualClock, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  storeFor(clock: ProcessClock): LeaseStore {
    return {
      read: () => this.#request(clock, () => this.record),
      replace: (seen, next) =>
        this.#request(clock, () => {
          if (JSON.stringify(this.record) !== JSON.stringify(seen)) return false;
          this.record = next;
          return true;
        }),
    };
  }

  /** What is late was given up; it happens nevertheless. */
  #request<T>(clock: ProcessClock, handle: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = clock.after(REQUEST_TIMEOUT_MS, () => reject(new BadInput('no answer')));
      if (this.#isLost()) return;
      this.#world.after(this.#travelMs(), () => {
        if (this.#isLost()) return;
        const answer = handle();
        if (this.#isLost()) return;
        this.#world.after(this.#travelMs(), () => {
          clock.run(() => {
            timer.cancel();
            resolve(answer);
          });
        });
      });
    });
  }

  #isLost(): boolean {
    return this.down || this.#random.next() < this.lossShare;
  }

  /** Mostly soon, now and then after everybody has given up. */
  #travelMs(): number {
    return this.#random.next() < 0.03 ? 1_500 * this.#random.next() : 2 + 20 * this.#random.next();
  }
}

export type Contender = { readonly clock: ProcessClock; readonly lease: Lease; readonly said: string[] };

export class LeaseWorld {
  readonly clock = new VirtualClock(1_700_000_000_000_000_000n);
  readonly table: Table;
  readonly contenders: Contender[] = [];
  /** Everything that left: under which epoch, and whether the table agreed in that moment. */
  readonly sent: { readonly epoch: number; readonly atMs: number; readonly isOurs: boolean }[] = [];

  constructor(random: Random) {
    this.table = new Table(this.clock, random);
  }

  /** A process that wants the lease, once it is ready, and sends every 40 ms while it may. */
  join(rate = 1, isReady?: () => boolean): Contender {
    const clock = new ProcessClock(this.clock, rate);
    const said: string[] = [];
    const holder = `h${this.contenders.length + 1}`;
    const lease = new Lease({
      clock,
      store: this.table.storeFor(clock),
      holder,
      ttlMs: TTL_MS,
      renewMs: RENEW_MS,
      epochMin: 0,
      onLapsed: (isAlone) => void said.push(isAlone ? 'lapsed alone' : 'lapsed'),
      onResumed: () => void said.push('resumed'),
      onLost: (to) => void said.push(`lost to ${to}`),
      onTrouble: () => undefined,
    });
    const send = (): void => {
      if (lease.fence() === undefined) {
        const { record } = this.table;
        this.sent.push({
          epoch: lease.epoch,
          atMs: this.clock.now() / 1e6,
          isOurs: record?.holder === holder && record.epoch === lease.epoch,
        });
      }
      clock.after(40, send);
    };
    send();
    void lease.acquire(isReady).then((epoch) => said.push(`held ${epoch}`));
    const contender = { clock, lease, said };
    this.contenders.push(contender);
    return contender;
  }

  /** Lets time pass; whatever was answered is heard before the next thing happens. */
  async run(ms: number): Promise<void> {
    const untilNs = this.clock.now() + ms * 1e6;
    await turn();
    while (this.clock.step(untilNs)) await turn();
  }

  get holders(): readonly Contender[] {
    return this.contenders.filter(({ lease }) => lease.fence() === undefined);
  }
}
