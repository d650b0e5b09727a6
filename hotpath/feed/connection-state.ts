import { BadInput } from '#shared/assert.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import type { Frame } from '../runtime/frame.ts';
import type { ConnectionMemory } from '../venues/venue.ts';

/** More than any venue opens on one socket. */
const CHANNELS_MAX = 1_024;
/** Frames of channels that were not announced yet; the announcement follows within a moment. */
const HELD_FRAMES_MAX = 64;
const HELD_BYTES_MAX = 1024 * 1024;

type HeldFrame = { readonly channel: number; readonly bytes: Uint8Array };

/** What one socket has taught its decoder; forgotten when another is opened. */
export class ConnectionState implements ConnectionMemory {
  sequence = NaN;
  readonly #channels = new Map<number, InstrumentIndex | -1>();
  #held: HeldFrame[] = [];
  #heldBytes = 0;

  reset(): void {
    this.sequence = NaN;
    this.#channels.clear();
    this.#held = [];
    this.#heldBytes = 0;
  }

  learn(channel: number, instrument: InstrumentIndex | -1): void {
    if (this.#channels.size >= CHANNELS_MAX && !this.#channels.has(channel)) {
      throw new BadInput(`more than ${CHANNELS_MAX} channels on a connection`);
    }
    this.#channels.set(channel, instrument);
  }

  instrumentOf(channel: number): InstrumentIndex | -1 | undefined {
    return this.#channels.get(channel);
  }

  hold(channel: number, frame: Frame): boolean {
    const { start, end } = frame;
    if (this.#held.length === HELD_FRAMES_MAX || this.#heldBytes + end - start > HELD_BYTES_MAX) return false;
    this.#held.push({ channel, bytes: frame.bytes.slice(start, end) });
    this.#heldBytes += end - start;
    return true;
  }

  release(channel: number): readonly Uint8Array[] {
    const released = this.#held.filter((held) => held.channel === channel).map(({ bytes }) => bytes);
    this.#held = this.#held.filter((held) => held.channel !== channel);
    this.#heldBytes = this.#held.reduce((sum, { bytes }) => sum + bytes.length, 0);
    return released;
  }
}
