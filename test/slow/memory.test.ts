import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { EngineMessage } from '#hotpath/main.ts';
import { silentLogger } from '#hotpath/runtime/logger.ts';
import { startCloud } from '#local/cloud.ts';
import { ENGINE_ENV, ENGINE_NODE_OPTIONS } from '#local/engine-node.ts';
import { simulatorConfigOf, throughSimulator } from '#local/simulated.ts';
import { Child } from '#local/supervisor.ts';
import { systemClock } from '#shared/clock/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { randomFrom } from '#shared/random.ts';
import type { EngineStatus } from '#shared/schema/status.ts';
import { serveSimulator } from '#simulator/server.ts';
import { simulatedVenues } from '#simulator/simulated-venues.ts';
import { createSimulator } from '#simulator/simulator.ts';

/** Ten venues with two hundred symbols each, the most that one engine is meant for, must fit a small container. */

const VENUES = 10;
const SYMBOLS = 200;
const RSS_MB_MAX = 500;
/** Long enough for every snapshot that a venue's request limits let through one by one. */
const LIVE_WITHIN_MS = 240_000;
const STAY_MS = 20_000;

it(`keeps ${VENUES} venues × ${SYMBOLS} symbols below ${RSS_MB_MAX} MB`, async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'arb-memory-'));
  const clock = systemClock();
  const defaults = loadConfig({ dir: 'config', env: {} });
  const venueIds = [...simulatedVenues.keys()].slice(0, VENUES);
  // Derivatives are named by other symbols: each venue lists a few besides.
  const usual = defaults.engine.symbols;
  const invented = Array.from({ length: SYMBOLS }, (_, at) => `ZC${String(at + 1).padStart(3, '0')}`);
  const symbols = [
    ...usual,
    ...invented.flatMap((coin) => [
      `${coin}/USDT`,
      `${coin}/USDT:USDT`,
      `${coin}/USD:USD`,
      `${coin}/USDC:USDC`,
      `${coin}/USD:${coin}`,
    ]),
  ];
  const plain = loadConfig({
    dir: 'config',
    env: {},
    overrides: {
      system: { data_dir: dataDir, log_level: 'error' },
      api: { port: 0 },
      engine: { venues: venueIds, symbols },
      simulator: { updates_per_second: 4_000 },
    },
  });
  const simulator = createSimulator({
    clock,
    random: randomFrom(7),
    config: { ...simulatorConfigOf(plain), extra_symbols: SYMBOLS },
  });
  const server = await serveSimulator({ simulator, clock, port: 0 });
  simulator.start();
  const config = { ...plain, venues: throughSimulator(plain, server.port) };
  const cloud = await startCloud({ config, dataDir, clock, logger: silentLogger });
  let status: EngineStatus | undefined;
  let pid = 0;
  const engine = new Child({
    name: 'engine',
    entry: 'hotpath/main.ts',
    args: [
      JSON.stringify({
        config,
        seed: 7,
        aws: { region: 'us-east-1', kinesisEndpoint: cloud.kinesisUrl, dynamodbEndpoint: cloud.dynamodbUrl },
      }),
    ],
    nodeOptions: ENGINE_NODE_OPTIONS,
    env: ENGINE_ENV,
    onMessage: (message) => {
      const heard = message as EngineMessage;
      if (heard.kind === 'status') ({ status } = heard);
    },
    onLine: () => undefined,
    onTrouble: (line) => process.stdout.write(`${line}\n`),
    onGone: () => undefined,
  });
  pid = engine.pid ?? 0;
  const rssMb = (field: 'VmRSS' | 'VmHWM'): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024;

  const liveBooks = (): readonly number[] => status?.venues.map(({ live_books: now }) => now) ?? [];
  const untilMs = clock.now() / 1e6 + LIVE_WITHIN_MS;
  while (clock.now() / 1e6 < untilMs && (liveBooks().length < VENUES || liveBooks().some((count) => count < SYMBOLS)))
    await wait(1_000);
  await wait(STAY_MS);
  const live = liveBooks();
  const seen = { rss: Math.round(rssMb('VmRSS')), peak: Math.round(rssMb('VmHWM')) };
  const books = status?.venues.map(({ id, books: all, live_books: now }) => `${id} ${now}/${all}`) ?? [];
  process.stdout.write(`memory ${seen.rss} MB, peak ${seen.peak} MB; live books: ${books.join(', ')}\n`);
  await engine.stop(10_000);
  await cloud.close();
  simulator.stop();
  await server.close();

  expect(venueIds).toHaveLength(VENUES);
  expect(live).toHaveLength(VENUES);
  for (const count of live) expect(count).toBeGreaterThanOrEqual(SYMBOLS);
  expect(seen.peak).toBeLessThan(RSS_MB_MAX);
}, 400_000);
