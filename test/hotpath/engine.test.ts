import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { BadInput } from '#shared/assert.ts';
import { loadConfig } from '#shared/config/load.ts';
import { virtualWorld } from '#local/virtual-world.ts';

it('refuses a synthetic that is not what it replicates before it opens a journal', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'arb-engine-'));
  const journalDir = join(directory, 'journal');
  const { engine, ...config } = loadConfig({ dir: 'config', env: {} });
  const world = virtualWorld(
    {
      ...config,
      system: { ...config.system, log_level: 'error' },
      engine: { ...engine, venues: ['binance'], symbols: ['BTC/USDT', 'ETH/USDT'] },
      synthetics: {
        wrong: { legs: [{ instrument: 'binance:BTC/USDT', ratio: '1' }], against: 'binance:ETH/USDT' },
      },
    },
    { seed: 1, journalDir, version: 'test' },
  );
  try {
    await expect(world).rejects.toThrow(BadInput);
    expect(existsSync(journalDir)).toBe(false);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
