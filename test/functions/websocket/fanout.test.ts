import { expect, it } from 'vitest';
import type { Batch } from '#functions/websocket/channel-log.ts';
import { createFanout, type FanoutOptions } from '#functions/websocket/fanout.ts';
import { batchOf, ENGINE, eventOf, fillData } from '../support/events.ts';
import { silentLog } from '../support/world.ts';

it('gives every event of a record of many lines a place of its own, in their order', async () => {
  const told: Batch[] = [];
  const options = {
    engine: ENGINE,
    channels: {
      append: (_channel: string, batch: Batch) => {
        told.push(batch);
        return Promise.resolve();
      },
    },
    courier: { deliver: () => Promise.resolve(), care: () => Promise.resolve() },
    risk: () => Promise.resolve(undefined),
    log: silentLog,
  } as unknown as FanoutOptions;
  const line = (seq: number): string => JSON.stringify(eventOf('fill', seq, fillData(`t${seq}`, 'op')));
  const lines = (from: number, count: number): string =>
    Array.from({ length: count }, (_none, at) => line(from + at)).join('\n');
  const batch = batchOf([line(1), lines(2, 30), lines(32, 12)], 'shardId-000000000003', 7);
  expect(await createFanout(options).events(batch)).toEqual({ batchItemFailures: [] });

  const [trades] = told;
  expect(trades?.source).toBe('shardId-000000000003');
  const places = trades!.entries.map(({ position }) => BigInt(position));
  expect(places).toHaveLength(43);
  expect(places.every((place, at) => at === 0 || place > places[at - 1]!)).toBe(true);
  expect(BigInt(trades!.through)).toBeGreaterThanOrEqual(places.at(-1)!);
  // The record that follows stands behind all of them.
  const later = batchOf([line(44)], 'shardId-000000000003', 10);
  await createFanout(options).events(later);
  expect(BigInt(told[1]!.entries[0]!.position)).toBeGreaterThan(BigInt(trades!.through));
});
