import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { busyPoll } from '#hotpath/runtime/busy-poll.ts';

/** Milliseconds for which the event loop has waited for something to happen: a look that does not wait is none. */
const idleMs = (): number => performance.eventLoopUtilization().idle;

it('keeps the loop awake until it is ended, and timers go on', async () => {
  const end = busyPoll();
  await wait(5);
  const before = idleMs();
  for (let turn = 0; turn < 10; turn += 1) await wait(5);
  expect(idleMs()).toBe(before);
  end();
  // Ends when it sleeps again.
  while (idleMs() === before) await wait(5);
});
