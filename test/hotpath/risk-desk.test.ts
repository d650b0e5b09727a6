import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { loadConfig } from '#shared/config/load.ts';
import type { Command } from '#shared/schema/command.ts';
import type { Config } from '#shared/schema/config.ts';
import type { EngineEvent } from '#shared/schema/event.ts';
import type { VirtualWorld } from '#local/virtual-world.ts';
import { drained, virtualWorld } from '#local/virtual-world.ts';
import { readJournal } from '#hotpath/publish/journal.ts';

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

function folder(): string {
  const directory = mkdtempSync(join(tmpdir(), 'arb-desk-'));
  directories.push(directory);
  return join(directory, 'journal');
}

/** Two venues that differ all the time. */
function configWith(changed: Partial<Config['breakers']>): Config {
  const { system, engine, simulator, breakers, ...config } = loadConfig({ dir: 'config', env: {} });
  return {
    ...config,
    system: { ...system, log_level: 'error' },
    engine: { ...engine, venues: ['binance', 'okx'], symbols: ['BTC/USDT', 'ETH/USDT'], families: ['spatial'] },
    simulator: { ...simulator, updates_per_second: 50, dislocations_per_minute: 120 },
    breakers: { ...breakers, ...changed },
  };
}

const started = async (config: Config, journalDir: string): Promise<VirtualWorld> => {
  const world = await virtualWorld(config, { seed: 3, journalDir, version: 'test' });
  world.engine.start();
  return world;
};

function pass({ clock }: VirtualWorld, ms: number): void {
  const untilNs = clock.now() + ms * 1e6;
  while (clock.step(untilNs));
}

function stopped(world: VirtualWorld, journalDir: string): readonly EngineEvent[] {
  drained(world);
  world.engine.finish('done');
  world.simulator.stop();
  return [...readJournal(journalDir)];
}

type Body = Command extends infer C ? (C extends Command ? Omit<C, 'v' | 'by' | 'at_ms'> : never) : never;
const command = (world: VirtualWorld, body: Body): void =>
  world.engine.obey({ v: 1, by: 'ann', at_ms: world.clock.unixMs(world.clock.now()), ...body });

const answersTo = (events: readonly EngineEvent[], id: string): readonly EngineEvent[] =>
  events.filter(({ data }) => 'command_id' in data && data.command_id === id);

describe('the risk desk of an engine', () => {
  it('takes limits by command, refuses what is none, and keeps them over a restart', async () => {
    const journalDir = folder();
    const config = configWith({});
    const first = await started(config, journalDir);
    command(first, { id: 'c-1', kind: 'limits', limits: { max_open_operations: 2, max_var: 1_234.5 }, version: 7 });
    command(first, { id: 'c-2', kind: 'limits', limits: { max_leverage: -1 } });
    command(first, { id: 'c-3', kind: 'limits', limits: { no_such: 1 } });
    command(first, { id: 'c-4', kind: 'limits', limits: { max_leverage: 2 } });
    expect(first.engine.risk.gate.limits).toEqual({
      ...config.risk,
      max_open_operations: 2,
      max_var: 1_234.5,
      max_leverage: 2,
    });
    const events = stopped(first, journalDir);
    expect(answersTo(events, 'c-1')[0]).toMatchObject({
      kind: 'risk-limits',
      data: { limits: { max_open_operations: 2, max_var: 1_234.5 }, version: 7, by: 'ann' },
    });
    expect(answersTo(events, 'c-2')[0]).toMatchObject({ kind: 'command-refused', data: { code: 3001 } });
    expect(answersTo(events, 'c-3')[0]).toMatchObject({ kind: 'command-refused', data: { code: 3001 } });

    const second = await started({ ...config, risk: { ...config.risk, max_book_age_ms: 777 } }, journalDir);
    expect(second.engine.risk.gate.limits).toMatchObject({
      max_open_operations: 2,
      max_leverage: 2,
      max_book_age_ms: 777,
    });
    stopped(second, journalDir);
  });

  it('tells what is at risk: all of it known, the exposures those of what is open', async () => {
    const journalDir = folder();
    const world = await started(configWith({}), journalDir);
    pass(world, 20_000);
    const status = world.engine.risk.status();
    expect(status.at_ms).toBe(world.clock.unixMs(world.clock.now()));
    const { exposure, stresses, ...figures } = status;
    expect(Object.entries(figures).filter(([, figure]) => !Number.isFinite(figure))).toEqual([]);
    // What both venues were funded with, at the market's prices.
    expect(status.equity_usd).toBeGreaterThan(2e6);
    expect(exposure.gross_usd).toBeGreaterThan(0);
    expect(status.var_usd).toBeGreaterThan(0);
    expect(status.expected_shortfall_usd).toBeGreaterThanOrEqual(status.var_usd!);
    expect(status.liquidity_ratio).toBe(1);
    expect(Object.keys(stresses)).toContain('venue-down okx');
    expect(Object.keys(stresses)).toContain('gap down');
    stopped(world, journalDir);
  });

  it('halts trading by what the journal is told', async () => {
    const journalDir = folder();
    const strict = configWith({ error_rate: { share: 0, orders_min: 1, minutes: 5, trips: 'halted' } });
    const world = await started(strict, journalDir);
    pass(world, 20_000);
    expect(world.engine.trading).toEqual({ state: 'halted', reason: 'breaker error-rate: value=0, limit=0' });
    const events = stopped(world, journalDir);
    const opened = events.findIndex(({ kind }) => kind === 'breaker');
    const after = events.slice(opened);
    expect(
      after.filter(({ kind, data }) => kind === 'operation' && 'state' in data && data.state === 'approved'),
    ).toEqual([]);
  });

  it('reduces trading when a breaker opens, over a restart too, until a person resets it', async () => {
    const journalDir = folder();
    const slow = configWith({ latency: { ms: 0.001, orders_min: 2, minutes: 5, trips: 'reducing' } });
    const first = await started(slow, journalDir);
    pass(first, 20_000);
    expect(first.engine.trading).toMatchObject({
      state: 'reducing',
      reason: expect.stringMatching(/^breaker latency: /) as string,
    });
    const before = stopped(first, journalDir);
    expect(before.filter(({ kind }) => kind === 'breaker')).toHaveLength(1);

    const second = await started(configWith({}), journalDir);
    expect(second.engine.trading.state).toBe('reducing');
    pass(second, 10_000);
    expect(second.engine.executor.counts.completed).toBe(0);
    expect(second.engine.opportunities.rejectedByReason.get('TRADING_REDUCING')).toBeGreaterThan(0);
    command(second, { id: 'c-1', kind: 'breaker-reset', breaker: 'no-such' });
    command(second, { id: 'c-2', kind: 'breaker-reset', breaker: 'latency' });
    expect(second.engine.trading.state).toBe('active');
    pass(second, 10_000);
    expect(second.engine.executor.counts.completed).toBeGreaterThan(0);
    const after = stopped(second, journalDir);
    expect(answersTo(after, 'c-1')[0]).toMatchObject({ kind: 'command-refused', data: { code: 2003 } });
    expect(answersTo(after, 'c-2')[0]).toMatchObject({ kind: 'breaker', data: { state: 'closed', by: 'ann' } });
  });
});
