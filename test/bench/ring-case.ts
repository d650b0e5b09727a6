import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { FULL, ringMemory, RingReader, RingWriter } from '#hotpath/runtime/ring.ts';
import type { Row } from './cases.ts';
import { row } from './cases.ts';
import type { Contender } from './measure.ts';
import { compare } from './measure.ts';
import { ResultHash } from './result-hash.ts';

/** As a sample of a book with ten levels a side has them. */
const DOUBLES = 46;

/** A record from one end of a ring in shared memory to the other, beside a MessagePort that is given the same numbers; both ends on one thread. */
export function ringCases(records: number, rounds: number): readonly Row[] {
  const record = Float64Array.from({ length: DOUBLES }, (_none, at) => at / 7);
  const take = (hash: ResultHash, numbers: Float64Array, from: number): void => {
    for (let at = 0; at < DOUBLES; at += 15) hash.double(numbers[from + at]!);
  };
  const ring: Contender = {
    prepare: () => {
      const hash = new ResultHash();
      const memory = ringMemory(1 << 16);
      const [writer, reader] = [new RingWriter(memory), new RingReader(memory)];
      const run = (): void => {
        for (let at = 0; at < records; at += 1) {
          const start = writer.reserve(8 * DOUBLES);
          if (start === FULL) throw new Error('a ring that is read was full');
          record[0] = at;
          const place = start / 8;
          for (let number = 0; number < DOUBLES; number += 1) writer.doubles[place + number] = record[number]!;
          writer.commit();
          writer.wake();
          if (reader.next()) take(hash, reader.doubles, reader.start / 8);
        }
      };
      return { run, hash: () => hash.hex };
    },
  };
  const port: Contender = {
    prepare: () => {
      const hash = new ResultHash();
      const { port1, port2 } = new MessageChannel();
      const run = (): void => {
        for (let at = 0; at < records; at += 1) {
          record[0] = at;
          port1.postMessage(record);
          take(hash, (receiveMessageOnPort(port2) as { message: Float64Array }).message, 0);
        }
        port1.close();
      };
      return { run, hash: () => hash.hex };
    },
  };
  return [row('a record to another thread, 46 numbers', compare(records, rounds, ring, port), 'ns/record')];
}
