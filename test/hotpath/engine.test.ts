import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { BadInput } from '#shared/assert.ts';
import { loadConfig } from '#shared/config/load.ts';
import type { Config } from '#shared/schema/config.ts';
import { virtualWorld } from '#local/virtual-world.ts';

const { engine: whole, system, ...rest } = loadConfig({ dir: 'config', env: {} });
const config: Config = {
  ...rest,
  system: { ...system, log_level: 'error' },
  engine: { ...whole, venues: ['binance'], symbols: ['BTC/USDT', 'ETH/USDT'] },
};

it('refuses a synthetic that is not what it replicates before it opens a journal', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'arb-engine-'));
  const journalDir = join(directory, 'journal');
  const world = virtualWorld(
    {
      ...config,
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

it('opens nothing for as long as a start lasts that has a restriction', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'arb-engine-'));
  const restriction = { state: 'reducing', reason: 'CONFIG_REFUSED: version 5' } as const;
  try {
    const { engine } = await virtualWorld(config, {
      seed: 1,
      journalDir: directory,
      version: 'test',
      restriction,
    });
    expect(engine.control.now).toEqual(restriction);
    engine.control.command('active', { reason: 'go', by: 'ann' });
    expect(engine.control.now).toEqual(restriction);
    engine.control.command('halted', { reason: 'stop', by: 'ann' });
    expect(engine.control.now).toEqual({ state: 'halted', reason: 'stop' });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
