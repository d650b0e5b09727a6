import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Engine } from '#hotpath/engine.ts';
import { openEngine } from '#hotpath/engine.ts';
import { readJournal } from '#hotpath/publish/journal.ts';
import { silentLogger } from '#hotpath/runtime/logger.ts';
import { networkTransport } from '#hotpath/runtime/network-transport.ts';
import { venues } from '#hotpath/venues/index.ts';
import { simulatorConfigOf, simulatorKeys, throughSimulator } from '#local/simulated.ts';
import { systemClock } from '#shared/clock/clock.ts';
import { randomFrom } from '#shared/random.ts';
import type { Command } from '#shared/schema/command.ts';
import type { Config } from '#shared/schema/config.ts';
import type { RunningServer } from '#simulator/server.ts';
import { serveSimulator } from '#simulator/server.ts';
import type { Simulator } from '#simulator/simulator.ts';
import { createSimulator } from '#simulator/simulator.ts';
import { differences, LIVE_VENUES, liveConfig, ordersAt } from '../hotpath/live/live-world.ts';

/** The same over real sockets: signed requests, private streams, whatever order things come in. */
const clock = systemClock();
let simulator: Simulator;
let server: RunningServer;
let transport: ReturnType<typeof networkTransport>;
let engine: Engine | undefined;
let directory: string;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'arb-live-'));
  transport = networkTransport(clock);
  const config = liveConfig();
  // Clocks and ages are the machine's affair here, not the test's.
  const filters = { ...config.engine.filters, max_clock_uncertainty_ms: 0, max_skew_ms: 0 };
  const risk = { ...config.risk, max_book_age_ms: 60_000, max_execution_time_ms: 60_000 };
  const { engine: settings, breakers } = config;
  const relaxed = { ...config, engine: { ...settings, filters }, risk, breakers: { ...breakers, enabled: false } };
  simulator = createSimulator({ clock, random: randomFrom(7), config: simulatorConfigOf(relaxed) });
  server = await serveSimulator({ simulator, clock, port: 0 });
  simulator.start();
  await opened({ ...relaxed, venues: throughSimulator(relaxed, server.port) });
});
afterEach(async () => {
  engine?.finish('test');
  engine = undefined;
  simulator.stop();
  transport.end();
  await server.close();
  rmSync(directory, { recursive: true, force: true });
});

async function opened(config: Config): Promise<void> {
  engine = await openEngine({
    config,
    venues,
    clock,
    transport,
    random: randomFrom(8),
    logger: silentLogger,
    journalDir: join(directory, 'journal'),
    publishedSeq: () => 0,
    version: 'test',
    seed: 7,
    credentials: simulatorKeys(config.engine.venues),
  });
  engine.start();
}

async function until(what: () => boolean): Promise<void> {
  await expect.poll(what, { timeout: 45_000, interval: 20 }).toBe(true);
}
const events = () => [...readJournal(join(directory, 'journal'), 0)];
const openAt = (): number =>
  LIVE_VENUES.reduce(
    (sum, venue) => sum + ordersAt(simulator.exchange(venue)).filter(({ status }) => status === 'open').length,
    0,
  );

it('trades for real over real sockets, and is exact at rest', async () => {
  const { executor } = engine!;
  await until(() => executor.counts.completed >= 5);
  engine!.drain();
  await until(() => engine!.idle);
  // What fills last is told last.
  await until(() => differences({ engine: engine!, simulator }).length === 0);
  const sent = LIVE_VENUES.flatMap((venue) => ordersAt(simulator.exchange(venue)).map((order) => order.clientOrderId));
  expect(new Set(sent).size).toBe(sent.length);
  expect(events().filter(({ kind }) => kind === 'mismatch')).toEqual([]);
});

it('stops everything under load: nothing is sent after it, and every venue says that nothing is open', async () => {
  const { executor } = engine!;
  await until(() => executor.counts.completed >= 3);
  const command = (id: string, body: object): void =>
    engine!.obey({ v: 1, id, by: 'test', at_ms: clock.unixMs(clock.now()), ...body } as Command);
  const bid = { kind: 'order', side: 'buy', type: 'limit', qty: '0.001', price: '20000', time_in_force: 'GTC' };
  let bids = 0;
  const bidEverywhere = (): void => {
    bids += 1;
    for (const venue of LIVE_VENUES) command(`${venue}${String(bids)}`, { ...bid, instrument: `${venue}:BTC/USDT` });
  };
  for (let count = 0; count < 5; count += 1) bidEverywhere();
  // A machine that is busy with others may let one wait too long to be sent.
  const again = setInterval(bidEverywhere, 5_000);
  await until(() => openAt() >= 15).finally(() => clearInterval(again));

  const lastSeq = engine!.journal.lastSeq;
  command('stop', { kind: 'emergency-stop', reason: 'fire' });
  await until(() => events().some(({ kind, data }) => kind === 'emergency-stop' && data.state === 'verified'));
  const verified = events()
    .flatMap((event) => (event.kind === 'emergency-stop' ? [event.data] : []))
    .at(-1)!;
  const lastMs = Math.max(...verified.accounts.map(({ ms }) => ms));
  const perAccount = verified.accounts.map(({ venue, account, open, ms }) => `${venue} ${account} ${open} in ${ms} ms`);
  process.stdout.write(`emergency stop: last account clear after ${lastMs.toFixed(1)} ms (${perAccount.join(', ')})\n`);
  expect(verified.accounts.every(({ left }) => left === 0)).toBe(true);
  expect(openAt()).toBe(0);

  const known = new Set<string>(
    events().flatMap((event) => (event.kind === 'order' && event.seq <= lastSeq ? [event.data.client_order_id] : [])),
  );
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const journalled = events().flatMap((event) =>
    event.kind === 'order' && event.data.status === 'submitted' ? [event.data.client_order_id] : [],
  );
  const seen = LIVE_VENUES.flatMap((venue) => ordersAt(simulator.exchange(venue)).map((order) => order.clientOrderId));
  expect(journalled.filter((id) => !known.has(id))).toEqual([]);
  expect(seen.filter((id) => !known.has(id))).toEqual([]);
});
