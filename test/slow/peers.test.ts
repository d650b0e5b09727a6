import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import type { Report } from '#test/bench/report.ts';

/** Plain Node: what the test runner does to imports keeps V8 from inlining. */
it('comes to the best prices of NautilusTrader and hftbacktest after every frame, and says how long each takes', (context) => {
  const args = ['--expose-gc', 'test/bench/main.ts', '--only', 'native', '--json'];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  const skipped = /^native: skipped: (.+)$/m.exec(stderr);
  if (skipped !== null) context.skip(skipped[1]);
  expect(status, stderr).toBe(0);
  const { rows } = JSON.parse(stdout) as Report;
  for (const { name, value, ratio, note } of rows)
    process.stdout.write(`${name}: ${value} ns a frame, theirs ${ratio} times as many (${note})\n`);
  expect(rows.map(({ name }) => name)).toEqual(
    ['spot', 'coinm'].flatMap((market) => [
      `nautilus_trader, binance ${market}, decode and book`,
      `nautilus_trader, binance ${market}, book alone`,
      `hftbacktest, binance ${market}, book alone`,
    ]),
  );
  expect(rows.filter(({ plainHash }) => plainHash !== undefined)).toEqual([]);
});
