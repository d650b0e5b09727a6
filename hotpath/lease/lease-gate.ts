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

  openFor(ms: number): void {
    Atomics.store(this.#untilNs, 0, threadsNs() + BigInt(Math.floor(ms * 1e6)));
  }

  close(): void {
    Atomics.store(this.#untilNs, 0, 0n);
  }
}
