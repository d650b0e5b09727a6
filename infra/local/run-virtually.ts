import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '#shared/clock/clock.ts';
import type { Config } from '#shared/schema/config.ts';
import type { EngineStatus } from '#shared/schema/status.ts';
import type { Engine } from '#hotpath/engine.ts';
import { statusMaker } from '#hotpath/engine-status.ts';
import { readJournal } from '#hotpath/publish/journal.ts';
import { OutboxClient } from '#hotpath/publish/outbox-client.ts';
import { createLogger } from '#hotpath/runtime/logger.ts';
import { startCloud } from './cloud.ts';
import { LOCK_FILE, lockFolder } from './path-lock.ts';
import type { RunOptions } from './run-options.ts';
import { reportOf, summaryOf, writeReport } from './run-options.ts';
import { Screen } from './screen.ts';
import type { VirtualWorld } from './virtual-world.ts';
import { drained, SLICE_NS, virtualWorld } from './virtual-world.ts';

const VERSION = 'virtual';
const SHIP_WITHIN_MS = 300_000;

/**
 * The whole run in this process on a virtual clock, as fast as it goes: same seed, same decisions. Its data folder is `virtual` below the
 * configured one, begun anew each time. What it journalled is shipped and projected afterwards, through the same peers as ever.
 */
export async function runVirtually(options: RunOptions): Promise<number> {
  const config = virtualConfig(options.config);
  // Two at once would empty and fill each other's folder.
  const lock = lockFolder(config.system.data_dir);
  try {
    for (const name of readdirSync(config.system.data_dir)) {
      if (name !== LOCK_FILE) rmSync(join(config.system.data_dir, name), { recursive: true, force: true });
    }
    return await runIn(config, options);
  } finally {
    lock.release();
  }
}

async function runIn(config: Config, options: RunOptions): Promise<number> {
  const seconds = options.forSeconds!;
  const journalDir = join(config.system.data_dir, 'journal');
  const world = await virtualWorld(config, { seed: options.seed, journalDir, version: VERSION });
  const { engine } = world;

  engine.start();
  const status = await run(world, { seconds, screen: new Screen(process.stdout, options.table) });
  const { decisionHash } = engine.opportunities;
  const shipped = await ship(config, engine, status);
  const report = reportOf(
    { ...options, config },
    { status, decisionHash, firstSeq: 1, seconds, ...shipped },
    (afterSeq) => readJournal(journalDir, afterSeq),
  );
  process.stdout.write(summaryOf(report));
  if (options.reportFile !== undefined) writeReport(options.reportFile, report);
  return report.events.journalled === report.events.projected ? 0 : 1;
}

/** Its own folder, and no port that a run beside it may have. */
function virtualConfig(config: Config): Config {
  return {
    ...config,
    system: { ...config.system, data_dir: join(config.system.data_dir, 'virtual') },
    api: { ...config.api, port: 0 },
  };
}

/** Runs to the end of the time or to Ctrl-C, lets open operations end, closes the journal. Returns the last status. */
async function run(
  world: VirtualWorld,
  { seconds, screen }: { readonly seconds: number; readonly screen: Screen },
): Promise<EngineStatus> {
  const { engine, clock } = world;
  const real = systemClock();
  const makeStatus = statusMaker({
    engine,
    name: 'virtual',
    version: VERSION,
    clock,
    startedAtMs: clock.unixMs(clock.now()),
    shipping: () => ({ publishedSeq: 0, lagRecords: engine.journal.lastSeq, lagMs: 0 }),
    load: () => ({ memoryBytes: process.memoryUsage.rss(), cpuPercent: 0 }),
  });
  const user = { interrupted: false };
  const interrupt = (): void => {
    if (user.interrupted) process.exit(130);
    user.interrupted = true;
  };
  process.on('SIGINT', interrupt);
  const startNs = clock.now();
  const endNs = startNs + seconds * 1e9;
  let shownNs = -Infinity;
  while (clock.now() < endNs && !user.interrupted) {
    clock.runUntil(Math.min(endNs, clock.now() + SLICE_NS));
    await new Promise((resolve) => setImmediate(resolve));
    if (real.now() - shownNs < 1e9) continue;
    shownNs = real.now();
    const extras = {
      apiUrl: '(not while virtual)',
      restarts: 0,
      seconds: (clock.now() - startNs) / 1e9,
      ofSeconds: seconds,
    };
    screen.show(makeStatus(), extras);
  }
  drained(world);
  const status = makeStatus();
  engine.finish('stopped');
  process.off('SIGINT', interrupt);
  return status;
}

/** Ships and projects what the run journalled, in real time: the worker, the streams, the projector and the tables are the real ones. */
async function ship(
  config: Config,
  engine: Engine,
  status: EngineStatus,
): Promise<{ readonly published: number; readonly projected: number }> {
  const clock = systemClock();
  const logger = createLogger({ name: 'cloud', level: config.system.log_level, clock });
  const dataDir = config.system.data_dir;
  const cloud = await startCloud({ config, dataDir, clock, logger });
  const outbox = new OutboxClient({
    clock,
    market: engine,
    worker: {
      journalDir: join(dataDir, 'journal'),
      positionFile: join(dataDir, 'published.json'),
      commandsFile: join(dataDir, 'commands.json'),
      streams: config.streams,
      stateTable: config.stores.state_table,
      aws: { region: 'us-east-1', kinesisEndpoint: cloud.kinesisUrl, dynamodbEndpoint: cloud.dynamodbUrl },
      seed: 1,
    },
    lastSeq: () => engine.journal.lastSeq,
    onCommand: () => undefined,
    onTrouble: (lastError) => {
      if (lastError !== '') logger.warn('publish-worker-stuck', { lastError });
    },
    onCrash: (error) => logger.error('publish-worker-crashed', { message: error.message }),
  });
  outbox.start();
  outbox.post(status);
  await outbox.drain(SHIP_WITHIN_MS);
  const published = outbox.lag.published;
  const untilNs = clock.now() + SHIP_WITHIN_MS * 1e6;
  let projected = await cloud.projected(config.engine.name);
  while (projected < published && clock.now() < untilNs) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    projected = await cloud.projected(config.engine.name);
  }
  await cloud.close();
  return { published, projected };
}
