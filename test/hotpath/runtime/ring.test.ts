import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FULL, ringMemory, RingReader, RingWriter } from '#hotpath/runtime/ring.ts';
import { randomFrom } from '#shared/random.ts';
import type { RingRead } from './ring-worker.ts';

const BYTES = 256;

function write(writer: RingWriter, bytes: readonly number[]): boolean {
  const start = writer.reserve(bytes.length);
  if (start === FULL) return false;
  writer.bytes.set(bytes, start);
  writer.commit();
  return true;
}

function read(reader: RingReader): readonly number[] | undefined {
  return reader.next() ? [...reader.bytes.subarray(reader.start, reader.end)] : undefined;
}

/** A ring whose positions have come so far. */
function memoryAt(position: number): SharedArrayBuffer {
  const memory = ringMemory(BYTES);
  const header = new Int32Array(memory);
  [header[0], header[16]] = [position, position];
  return memory;
}

describe('a ring of records', () => {
  it('gives out what was put in, in order, and refuses only what has no room', () => {
    const record = fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: BYTES / 2 - 8 });
    const steps = fc.array(fc.oneof(record, fc.constant('read' as const)), { maxLength: 200 });
    const positions = fc.constantFrom(0, 0x7fff_ffc0 | 0, 0xffff_ff80 | 0, 8 * 13);
    fc.assert(
      fc.property(positions, steps, (position, all) => {
        const memory = memoryAt(position);
        const [writer, reader] = [new RingWriter(memory), new RingReader(memory)];
        const held: (readonly number[])[] = [];
        let refused = 0;
        for (const step of all) {
          if (step === 'read') expect(read(reader)).toEqual(held.shift());
          else if (write(writer, step)) held.push(step);
          else {
            refused += 1;
            // A record may need its own size twice over, where it does not fit before the end; the one being read keeps its place.
            expect(held.length).toBeGreaterThan(0);
          }
        }
        expect(writer.refused).toBe(refused);
        for (const expected of [...held, undefined]) expect(read(reader)).toEqual(expected);
      }),
      { examples: [[0, [Array<number>(120).fill(1), 'read', Array<number>(120).fill(2), 'read', []]]] },
    );
  });

  it('keeps the place of a record until the next one is asked for', () => {
    const memory = ringMemory(64);
    const [writer, reader] = [new RingWriter(memory), new RingReader(memory)];
    expect([write(writer, Array<number>(24).fill(1)), write(writer, Array<number>(24).fill(2))]).toEqual([true, true]);
    expect(read(reader)).toEqual(Array<number>(24).fill(1));
    expect(write(writer, [3])).toBe(false);
    expect(read(reader)).toEqual(Array<number>(24).fill(2));
    expect(write(writer, [3])).toBe(true);
    expect(writer.refused).toBe(1);
  });

  it('never takes what is longer than half of it where it stands badly, and tells so', () => {
    const writer = new RingWriter(memoryAt(128));
    expect(writer.reserve(BYTES - 8)).toBe(FULL);
    expect(writer.reserve(2 * BYTES)).toBe(FULL);
    expect(writer.reserve(BYTES / 2 - 8)).toBe(136);
  });

  it('shows nothing that is not committed, and lets another reader go on', () => {
    const memory = ringMemory(BYTES);
    const [writer, reader] = [new RingWriter(memory), new RingReader(memory)];
    writer.reserve(8);
    expect(reader.next()).toBe(false);
    write(writer, [7]);
    write(writer, [8]);
    expect(read(reader)).toEqual([7]);
    // It died with the first record in its hands.
    const next = new RingReader(memory);
    expect([read(next), read(next), read(next)]).toEqual([[7], [8], undefined]);
  });

  it('holds doubles where they are written', () => {
    const memory = ringMemory(BYTES);
    const [writer, reader] = [new RingWriter(memory), new RingReader(memory)];
    write(writer, [1, 2, 3]);
    writer.doubles[writer.reserve(8) / 8] = 0.1;
    writer.commit();
    reader.next();
    reader.next();
    expect(reader.doubles[reader.start / 8]).toBe(0.1);
  });

  it('wakes a sleeping reader, and does not let one sleep past what is there', async () => {
    const memory = ringMemory(BYTES);
    const [writer, reader] = [new RingWriter(memory), new RingReader(memory)];
    expect(reader.next()).toBe(false);
    const woken = reader.wait(600_000);
    write(writer, [1]);
    writer.wake();
    await woken;
    expect(read(reader)).toEqual([1]);
    expect(read(reader)).toBeUndefined();
    write(writer, [2]);
    await reader.wait(600_000);
    expect(read(reader)).toEqual([2]);
    expect(read(reader)).toBeUndefined();
    await reader.wait(1);
    writer.wake();
    expect(read(reader)).toBeUndefined();
  });

  it('carries records to another thread whole and in order, full and wrapping all the way', async () => {
    const memory = ringMemory(1_024);
    const records = 20_000;
    const worker = new Worker(new URL('./ring-worker.ts', import.meta.url), { workerData: { memory, records } });
    const writer = new RingWriter(memory);
    const random = randomFrom(3);
    let sum = 0;
    for (let seq = 0; seq < records; seq += 1) {
      const length = 8 + random.integer(300);
      let start = writer.reserve(length);
      for (; start === FULL; start = writer.reserve(length)) {
        writer.wake();
        await turn();
      }
      writer.doubles[start / 8] = seq;
      writer.bytes.fill(seq & 0xff, start + 8, start + length);
      writer.commit();
      sum += length;
    }
    writer.wake();
    const [found] = (await once(worker, 'message')) as [RingRead];
    expect(found).toEqual({ records, bytes: sum, wrong: 0 });
    expect(writer.refused).toBeGreaterThan(0);
    await worker.terminate();
  });
});
