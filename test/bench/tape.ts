import { claimRoom, FRAME_MEMORY } from '#hotpath/runtime/frame-memory.ts';
import type { BenchFrame } from './bench-market.ts';

/** What one read of a socket brings at most. */
const READ_BYTES = 65_536;

/**
 * Frames as a socket brings them: they lie end to end, and so much of them as one read takes is copied into a room, where they are read one by one. Laid out
 * beforehand; the copies are part of the reading.
 */
export class Tape {
  readonly #frames: readonly BenchFrame[];
  /** Each frame with a byte 0 behind it. */
  readonly #bytes: Uint8Array;
  /** Where each frame begins, and where all end. */
  readonly #starts: Int32Array;
  readonly #room = claimRoom(this)!;

  constructor(frames: readonly BenchFrame[]) {
    this.#frames = frames;
    this.#starts = new Int32Array(frames.length + 1);
    for (const [at, { bytes }] of frames.entries()) this.#starts[at + 1] = this.#starts[at]! + bytes.length + 1;
    this.#bytes = new Uint8Array(frames.reduce((sum, { bytes }) => sum + bytes.length + 1, 0));
    for (const [at, { bytes }] of frames.entries()) this.#bytes.set(bytes, this.#starts[at]);
  }

  /** `take` hears each frame and where it lies. */
  play(take: (frame: BenchFrame, bytes: Uint8Array, start: number, end: number) => void): void {
    const [frames, starts, room] = [this.#frames, this.#starts, this.#room];
    for (let from = 0, to = 0; from < frames.length; from = to) {
      const first = starts[from]!;
      while (to < frames.length && starts[to + 1]! - first <= READ_BYTES) to += 1;
      FRAME_MEMORY.set(this.#bytes.subarray(first, starts[to]), room);
      for (let at = from; at < to; at += 1)
        take(frames[at]!, FRAME_MEMORY, room + starts[at]! - first, room + starts[at + 1]! - first - 1);
    }
  }
}
