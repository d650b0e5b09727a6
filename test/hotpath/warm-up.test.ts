import { mkdirSync, mkdtempSync, readdirSync, utimesSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { compileRoutes } from '#hotpath/detect/compile.ts';
import type { Engine } from '#hotpath/engine.ts';
import { endpointsFrom } from '#hotpath/feed/endpoint.ts';
import type { Prepared } from '#hotpath/prepare.ts';
import { venues } from '#hotpath/venues/index.ts';
import { sweepWarmUps, warmUp } from '#hotpath/warm-up.ts';
import type { Config } from '#shared/schema/config.ts';
import type { Exchange } from '#simulator/exchange.ts';
import { liveConfig, liveWorld } from './live/live-world.ts';

const PLANS = 24;
const never = (): boolean => false;

afterEach(() => vi.restoreAllMocks());

test('every plan of a warm-up is traded to its end, by every native venue, and nothing is left of it', async () => {
  const { config, prepared } = await scene();
  const { plans, completed } = await warmUp({ config, venues }, prepared, PLANS, never);
  expect([plans, completed >= PLANS]).toEqual([PLANS, true]);
  expect(readdirSync(config.system.data_dir)).toEqual([]);
});

test('a warm-up opens no socket and says nothing to the engine that is real', async () => {
  const connect = vi.spyOn(Socket.prototype, 'connect');
  const { config, prepared, engine, ordersAtVenues } = await scene();
  const before = [engine.journal.lastSeq, engine.opportunities.decisionHash, ordersAtVenues()];
  await warmUp({ config, venues }, prepared, PLANS, never);
  expect(connect).not.toHaveBeenCalled();
  expect([engine.journal.lastSeq, engine.opportunities.decisionHash, ordersAtVenues()]).toEqual(before);
});

test('accounts by ccxt have a network of their own: they are left out', async () => {
  const { config, prepared } = await scene();
  const gateway = {
    gateway: 'ccxt',
    margin_mode: 'cross',
    leverage: 1,
    reserved_limit_share: 0.2,
    allow_withdraw: false,
  } as const;
  const accounts = Object.fromEntries(config.engine.venues.map((venue) => [venue, gateway]));
  const done = await warmUp({ config: { ...config, accounts }, venues }, prepared, PLANS, never);
  expect(done).toEqual({ plans: 0, completed: 0 });
});

test('what a killed engine left of its warm-up is taken away, what another one uses now is not', () => {
  const live = liveConfig();
  const dataDir = mkdtempSync(join(tmpdir(), 'arb-warm-'));
  for (const name of ['warm-up-old', 'warm-up-new', 'journal']) mkdirSync(join(dataDir, name));
  const nowMs = 1_800_000_000_000;
  for (const [name, agoS] of [
    ['warm-up-old', 3_600],
    ['warm-up-new', 1],
    ['journal', 3_600],
  ] as const)
    utimesSync(join(dataDir, name), nowMs / 1e3 - agoS, nowMs / 1e3 - agoS);
  sweepWarmUps({ ...live, system: { ...live.system, data_dir: dataDir } }, nowMs);
  expect(readdirSync(dataDir).sort()).toEqual(['journal', 'warm-up-new']);
});

test('no plans are none', async () => {
  const { config, prepared } = await scene();
  expect(await warmUp({ config, venues }, prepared, 0, never)).toEqual({ plans: 0, completed: 0 });
});

test('others have their turn while it lasts, and it ends once something is urgent, with nothing left', async () => {
  const { config, prepared } = await scene();
  let isUrgent = false;
  let turns = 0;
  const other = (): void => {
    turns += 1;
    isUrgent = turns === 3;
    if (!isUrgent) setImmediate(other);
  };
  setImmediate(other);
  const { plans, completed } = await warmUp({ config, venues }, prepared, 400, () => isUrgent);
  expect([turns, plans > 0, plans < 100, completed > 0]).toEqual([3, true, true, true]);
  expect(readdirSync(config.system.data_dir)).toEqual([]);
});

type Scene = {
  readonly config: Config;
  readonly prepared: Prepared;
  readonly engine: Engine;
  readonly ordersAtVenues: () => number;
};

async function scene(): Promise<Scene> {
  const live = liveConfig();
  const dataDir = mkdtempSync(join(tmpdir(), 'arb-warm-'));
  const config = { ...live, system: { ...live.system, data_dir: dataDir } };
  const { engine, simulator } = await liveWorld(config);
  const { instruments } = engine;
  const { routes } = compileRoutes(instruments, config.engine, 0);
  return {
    config,
    prepared: { endpoints: endpointsFrom(config, venues), instruments, synthetics: [], routes },
    engine,
    ordersAtVenues: () => config.engine.venues.reduce((sum, venue) => sum + ordersAt(simulator.exchange(venue)), 0),
  };
}

const ordersAt = (exchange: Exchange): number =>
  exchange.ledger.all().reduce((sum, account) => sum + exchange.ordersOf(account).length, 0);
