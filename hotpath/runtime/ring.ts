import { assert } from '#shared/assert.ts';

/** Answer of {@link RingWriter.reserve} where there is no room. */
export const FULL = -1;

// Places in the header, as 32-bit words. What the two threads write lies on cache lines of its own.
const WRITTEN = 0;
const READ = 16;
const ASLEEP = 32;
const HEADER_BYTES = 192;
/** Records begin at multiples of this, so that doubles are read and written in place. */
const ALIGN = 8;
/** Where a record would not fit before the ring's end, this stands in place of its length: the next one is at the begin. */
const WRAP = -1;

/** Memory for a ring of at least so many bytes: a power of two, at most 1 GiB. */
export function ringMemory(bytesMin: number): SharedArrayBuffer {
  assert(bytesMin > 0 && bytesMin <= 2 ** 30, 'a ring has between 1 byte and 1 GiB');
  return new SharedArrayBuffer(HEADER_BYTES + Math.max(64, 2 ** Math.ceil(Math.log2(bytesMin))));
}

/** What both ends see of the memory. Positions count bytes and wrap at 2³². */
class RingEnd {
  /** The ring's bytes, and the same as doubles. */
  readonly bytes: Uint8Array;
  readonly doubles: Float64Array;
  protected readonly header: Int32Array;
  protected readonly lengths: Int32Array;
  protected readonly mask: number;

  constructor(memory: SharedArrayBuffer) {
    this.header = new Int32Array(memory, 0, HEADER_BYTES / 4);
    this.bytes = new Uint8Array(memory, HEADER_BYTES);
    this.doubles = new Float64Array(memory, HEADER_BYTES);
    this.lengths = new Int32Array(memory, HEADER_BYTES);
    this.mask = this.bytes.length - 1;
  }
}

/**
 * The producer's end of a ring of records between two threads: one writes, one reads, neither takes a lock, and a record costs no allocation. The writer
 * never waits: what has no room is refused and counted. One writer a ring.
 */
export class RingWriter extends RingEnd {
  /** Records that were refused. */
  refused = 0;
  #at: number;
  /** Where the reader was when it was last looked at. */
  #readAt: number;
  #next = 0;

  constructor(memory: SharedArrayBuffer) {
    super(memory);
    this.#at = Atomics.load(this.header, WRITTEN);
    this.#readAt = Atomics.load(this.header, READ);
    this.#next = this.#at;
  }

  /** Where in {@link bytes} a record of so many bytes may be written, a multiple of eight; FULL where there is no room. Told of by {@link commit}. */
  reserve(length: number): number {
    const size = ALIGN + ((length + ALIGN - 1) & -ALIGN);
    const place = this.#at & this.mask;
    const left = this.bytes.length - place;
    const wraps = left < size;
    const needed = wraps ? left + size : size;
    if (!this.#hasRoom(needed)) {
      this.refused += 1;
      return FULL;
    }
    if (wraps) this.lengths[place >> 2] = WRAP;
    const start = wraps ? 0 : place;
    this.lengths[start >> 2] = length;
    this.#next = (this.#at + needed) | 0;
    return start + ALIGN;
  }

  /** The record that was reserved last is whole. */
  commit(): void {
    this.#at = this.#next;
    Atomics.store(this.header, WRITTEN, this.#at);
  }

  /** Wakes the reader where it sleeps; costs a look where it does not. After a batch, not after each record. */
  wake(): void {
    if (Atomics.load(this.header, ASLEEP) === 0) return;
    Atomics.store(this.header, ASLEEP, 0);
    Atomics.notify(this.header, WRITTEN);
  }

  #hasRoom(needed: number): boolean {
    const { length } = this.bytes;
    if (length - ((this.#at - this.#readAt) | 0) >= needed) return true;
    this.#readAt = Atomics.load(this.header, READ);
    return length - ((this.#at - this.#readAt) | 0) >= needed;
  }
}

/** The consumer's end. One reader a ring; another may go on where one has died. */
export class RingReader extends RingEnd {
  /** Bounds in {@link bytes} of the record that was read last; its place is the writer's again with the next call of {@link next}. */
  start = 0;
  end = 0;
  /** Behind the record that was read last. */
  #at: number;

  constructor(memory: SharedArrayBuffer) {
    super(memory);
    this.#at = Atomics.load(this.header, READ);
  }

  /** Gives the last record's place back and goes to the next one; false where there is none yet. */
  next(): boolean {
    Atomics.store(this.header, READ, this.#at);
    if (Atomics.load(this.header, WRITTEN) === this.#at) return false;
    let place = this.#at & this.mask;
    if (this.lengths[place >> 2] === WRAP) {
      this.#at = (this.#at + this.bytes.length - place) | 0;
      place = 0;
    }
    const length = this.lengths[place >> 2]!;
    this.start = place + ALIGN;
    this.end = this.start + length;
    this.#at = (this.#at + ALIGN + ((length + ALIGN - 1) & -ALIGN)) | 0;
    return true;
  }

  /** Resolves once the writer has called {@link RingWriter.wake} with something to read, at once where there is something, or after `timeoutMs`. Keeps no thread alive. */
  async wait(timeoutMs: number): Promise<void> {
    const { header } = this;
    // Asleep first, then the look: a writer that writes between the two sees the sleeper.
    Atomics.store(header, ASLEEP, 1);
    const { value } = Atomics.waitAsync(header, WRITTEN, this.#at, timeoutMs);
    await value;
    Atomics.store(header, ASLEEP, 0);
  }
}
