import { parentPort, workerData } from 'node:worker_threads';
import { RingReader } from '#hotpath/runtime/ring.ts';

/** What the reading thread found: `wrong` counts records out of order or not whole. */
export type RingRead = { readonly records: number; readonly bytes: number; readonly wrong: number };

const { memory, records } = workerData as { readonly memory: SharedArrayBuffer; readonly records: number };
// A wait for memory keeps no thread alive; one that listens lives until it is ended.
parentPort!.on('message', () => undefined);
const reader = new RingReader(memory);
const found = { records: 0, bytes: 0, wrong: 0 };
while (found.records < records) {
  if (!reader.next()) {
    await reader.wait(1_000);
    continue;
  }
  const { start, end } = reader;
  const isWhole = reader.bytes.subarray(start + 8, end).every((byte) => byte === (found.records & 0xff));
  if (reader.doubles[start / 8] !== found.records || !isWhole) found.wrong += 1;
  found.records += 1;
  found.bytes += end - start;
}
parentPort!.postMessage(found);
