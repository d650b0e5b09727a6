import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { systemClock } from '#shared/clock/clock.ts';
import { FrameRecorder } from '#hotpath/feed/recorder.ts';
import { silentLogger } from '#hotpath/runtime/logger.ts';

it('never writes over what an earlier start recorded', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'arb-record-'));
  for (const url of ['ws://first', 'ws://second']) {
    const recorder = new FrameRecorder(join(dir, 'rec.jsonl.gz'), { clock: systemClock(), logger: silentLogger });
    const socket = { send: () => undefined, close: () => undefined };
    const transport = recorder.around({ open: () => socket, request: () => undefined });
    transport.open(url, { onOpen: () => undefined, onFrame: () => undefined, onClose: () => undefined });
    await recorder.close();
  }
  const urlIn = (name: string): unknown =>
    (JSON.parse(gunzipSync(readFileSync(join(dir, name))).toString()) as { readonly u: string }).u;
  expect([urlIn('rec.jsonl.gz'), urlIn('rec.2.jsonl.gz')]).toEqual(['ws://first', 'ws://second']);
});
