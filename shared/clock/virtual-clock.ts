import { assert } from '../assert.ts';
import type { TimeNs } from '../domain/ids.ts';
import type { Clock } from './clock.ts';
import { wallTimes } from './clock.ts';

type Entry = { readonly atNs: number; readonly order: number; readonly task: () => void; cancelled: boolean };

/** A clock that moves only when told: timers fire in (time, order of setting), so a run repeats exactly. */
export class VirtualClock implements Clock {
  readonly unixNs: Clock['unixNs'];
  readonly unixMs: Clock['unixMs'];
  readonly #heap: Entry[] = [];
  #nowNs = 0;
  #order = 0;

  constructor(originUnixNs: bigint) {
    ({ unixNs: this.unixNs, unixMs: this.unixMs } = wallTimes(originUnixNs));
  }

  readonly now = (): TimeNs => this.#nowNs as TimeNs;

  readonly after: Clock['after'] = (delayMs, task) => {
    const entry: Entry = { atNs: this.#nowNs + Math.max(0, delayMs) * 1e6, order: this.#order, task, cancelled: false };
    this.#order += 1;
    this.#push(entry);
    return {
      cancel: () => {
        entry.cancelled = true;
      },
    };
  };

  /** Moves to `atNs` without firing what is due on the way: for callers that own the order of events. */
  jumpTo(atNs: number): void {
    assert(atNs >= this.#nowNs, 'virtual time went back');
    this.#nowNs = atNs;
  }

  /** Fires the next timer that is due at or before `untilNs`; false when there is none (and time stands at `untilNs`). */
  step(untilNs: number): boolean {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.atNs > untilNs) {
        this.#nowNs = Math.max(this.#nowNs, untilNs);
        return false;
      }
      this.#pop();
      if (next.cancelled) continue;
      this.#nowNs = Math.max(this.#nowNs, next.atNs);
      next.task();
      return true;
    }
  }

  /** Fires everything that is due up to `untilNs`, in order. */
  runUntil(untilNs: number): void {
    while (this.step(untilNs));
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (before(heap[parent]!, entry)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1;
      if (before(last, heap[child]!)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

const before = (a: Entry, b: Entry): boolean => a.atNs < b.atNs || (a.atNs === b.atNs && a.order < b.order);
