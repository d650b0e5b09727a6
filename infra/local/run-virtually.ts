import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '#shared/clock/clock.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import { randomFrom } from '#shared/random.ts';
import type { Config } from '#shared/schema/config.ts';
import type { EngineStatus } from '#shared/schema/status.ts';
import type { Engine } from '#hotpath/engine.ts';
import { openEngine } from '#hotpath/engine.ts';
import { marketSamples, statusMaker } from '#hotpath/engine-status.ts';
import { readJournal } from '#hotpath/publish/journal.ts';
import { OutboxClient } from '#hotpath/publish/outbox-client.ts';
import { createLogger } from '#hotpath/runtime/logger.ts';
import { venues } from '#hotpath/venues/index.ts';
import { createSimulator } from '#simulator/simulator.ts';
import { startCloud } from './cloud.ts';
import { inProcessTransport } from './in-process-transport.ts';
import { LOCK_FILE, lockFolder } from './path-lock.ts';
import type { RunOptions } from './run-options.ts';
import { reportOf, summaryOf, writeReport } from './run-options.ts';
import { simulatorConfigOf, throughSimulator } from './simulated.ts';
import { Screen } from './screen.ts';

/** 2026-01-01T00:00:00Z: every virtual run begins there, so that equal seeds give equal times. */
const ORIGIN_UNIX_NS = 1_767_225_600_000_000_000n;
const WIRE_LATENCY_MS = 1;
const VERSION = 'virtual';
/** Virtual time between two looks at the real world (Ctrl-C, the screen). */
const SLICE_NS = 250e6;
const DRAIN_OPERATIONS_NS = 10e9;
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
  const clock = new VirtualClock(ORIGIN_UNIX_NS);
  const random = randomFrom(options.seed);
  const simulator = createSimulator({ clock, random: random.fork('market'), config: simulatorConfigOf(config) });
  simulator.start();
  const engine = await opened(
    clock,
    openEngine({
      config,
      venues,
      clock,
      random: random.fork('engine'),
      logger: createLogger({ name: 'engine', level: config.system.log_level, clock }),
      transport: inProcessTransport(simulator, clock, random.fork('wire'), WIRE_LATENCY_MS),
      version: VERSION,
      seed: options.seed,
      journalDir,
      // Nothing is shipped before the end, so nothing may go.
      publishedSeq: () => 0,
    }),
  );

  engine.start();
  const status = await run(engine, clock, { seconds, screen: new Screen(process.stdout, options.table) });
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

/** Its own folder, and no port that a run beside it may have. The simulator's address is a name only: nothing listens there. */
function virtualConfig(config: Config): Config {
  return {
    ...config,
    system: { ...config.system, data_dir: join(config.system.data_dir, 'virtual') },
    api: { ...config.api, port: 0 },
    venues: throughSimulator(config, 1),
  };
}

/** Start-up awaits answers: time goes on, event by event, until they are there. */
async function opened<T>(clock: VirtualClock, promise: Promise<T>): Promise<T> {
  const answer = { settled: false };
  const settle = (): void => {
    answer.settled = true;
  };
  promise.then(settle, settle);
  for (;;) {
    await new Promise((resolve) => setImmediate(resolve));
    if (answer.settled) return promise;
    clock.step(clock.now() + SLICE_NS);
  }
}

/** Runs to the end of the time or to Ctrl-C, lets open operations end, closes the journal. Returns the last status. */
async function run(
  engine: Engine,
  clock: VirtualClock,
  { seconds, screen }: { readonly seconds: number; readonly screen: Screen },
): Promise<EngineStatus> {
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
  engine.drain();
  const untilNs = clock.now() + DRAIN_OPERATIONS_NS;
  while (!engine.idle && clock.step(untilNs));
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
  outbox.post(marketSamples(engine, clock), status);
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
