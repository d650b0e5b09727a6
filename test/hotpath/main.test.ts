import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

it.each(['{', 'null', '{"seed":1.5}'])('ends with 2 and one line on options that are none: %s', (options) => {
  const { status, stderr, stdout } = spawnSync('node', ['hotpath/main.ts', options], { encoding: 'utf8' });
  expect(stderr).toMatch(/^options? [^\n]+\n$/);
  expect([status, stdout]).toEqual([2, '']);
});
