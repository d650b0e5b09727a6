import { threadsNs } from '#shared/clock/clock.ts';

/**
 * Until when the lease is good, for the other threads of the process: memory that they share, and a deadline on a clock that they all read. A thread that
 * wakes from a pause finds it passed before anybody tells it.
 */
export class LeaseGate {
  readonly memory: SharedArrayBuffer;
  readonly #untilNs: BigInt64Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(8)) {
    this.memory = memory;
    this.#untilNs = new BigInt64Array(memory);
  }

  get isOpen(): boolean {
    return threadsNs() < Atomics.load(this.#untilNs, 0);
  }

  /** The clock is read before the lease is asked: a pause between the two shortens the time. */
  openFor(leftMs: () => number): void {
    const nowNs = threadsNs();
    Atomics.store(this.#untilNs, 0, nowNs + BigInt(Math.floor(leftMs() * 1e6)));
  }

  close(): void {
    Atomics.store(this.#untilNs, 0, 0n);
  }
}
