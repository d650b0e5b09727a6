import { claimRoom, FRAME_MEMORY } from '#hotpath/runtime/frame-memory.ts';
import type { Row } from './cases.ts';
import { FastEngine } from './fast-engine.ts';
import { note, nsHistogram, percentilesOf } from './measure.ts';
import { scaleMarket } from './scale-market.ts';
import { allRoutes, opened } from './scale-world.ts';

const SEED = 1;
/** So many messages follow one another at once, then as many with pauses, and so on: a noisy machine hits both alike. */
const BLOCK = 1_000;
/** Share of the messages, the first ones: their code is still being compiled. */
const WARM_UP = 0.3;

export type PauseSize = { readonly frames: number; readonly symbols: number; readonly rate: number };

/**
 * What a pause costs: messages from memory, without sockets, one behind the other and at a steady rate. In the pause the thread only asks for the time; what
 * the next message then costs more is what the processor's caches have forgotten meanwhile.
 */
export function pauseCases({ frames, symbols, rate }: PauseSize): readonly Row[] {
  const market = scaleMarket(SEED, { frames, symbols });
  const running = opened(FastEngine, { ...market, routes: allRoutes(market.instruments) });
  // Where a socket would have put them, just before.
  const room = claimRoom(running)!;
  const times = { atOnce: nsHistogram(), paced: nsHistogram() };
  const everyMs = 1e3 / rate;
  let dueMs = performance.now();
  for (const [at, { instrument, bytes }] of market.frames.entries()) {
    const { venue } = market.instruments[instrument]!;
    const isPaced = Math.floor(at / BLOCK) % 2 === 1;
    while (isPaced && performance.now() < dueMs);
    const end = room + bytes.length;
    FRAME_MEMORY.set(bytes, room);
    FRAME_MEMORY[end] = 0;
    const began = performance.now();
    running.hear(venue, FRAME_MEMORY, room, end);
    const tookNs = (performance.now() - began) * 1e6;
    if (at >= WARM_UP * frames) note(isPaced ? times.paced : times.atOnce, tookNs);
    dueMs = began + everyMs;
  }
  const { hex: hash } = running.hash;
  const row = (name: string, percentiles: Readonly<Record<string, number>>): Row => ({
    name: `engine time from memory, 8 × ${symbols} symbols, ${name}, p50`,
    unit: 'µs/message',
    value: percentiles['p50']!,
    hash,
    plainHash: hash,
    percentiles,
  });
  return [
    row('back to back', percentilesOf(times.atOnce, 1e3)),
    row(`at ${rate.toLocaleString('en')}/s`, percentilesOf(times.paced, 1e3)),
  ];
}
