import { expect, it } from 'vitest';
import { Fifo } from '#shared/fifo.ts';

it('gives back the oldest key once there is no room, round after round', () => {
  const fifo = new Fifo<number>(3);
  const gone = Array.from({ length: 11 }, (_none, key) => fifo.push(key));
  expect(gone).toEqual([undefined, undefined, undefined, 0, 1, 2, 3, 4, 5, 6, 7]);
});
