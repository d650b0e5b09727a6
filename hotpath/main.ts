import { readFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { Clock } from '#shared/clock/clock.ts';
import { systemClock } from '#shared/clock/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { randomFrom } from '#shared/random.ts';
import { configSchema } from '#shared/schema/config.ts';
import type { EngineStatus } from '#shared/schema/status.ts';
import type { Engine } from './engine.ts';
import { engineFrom } from './engine.ts';
import { statusMaker, type StatusSources } from './engine-status.ts';
import { epochBefore } from './execute/client-order-id.ts';
import {
  credentialsOf,
  environmentKeys,
  managedKeys,
  SEALED_KEYS,
  sealedKeys,
  secretsManager,
} from './execute/credentials.ts';
import type { Lease } from './lease/lease.ts';
import type { LeaseGate } from './lease/lease-gate.ts';
import { EXIT_LEASE_LOST, standBy } from './lease/standby.ts';
import { JournalMemory } from './journal-memory.ts';
import type { EngineOptions, Prepared } from './prepare.ts';
import { prepareEngine } from './prepare.ts';
import { OutboxClient } from './publish/outbox-client.ts';
import { busyPoll } from './runtime/busy-poll.ts';
import type { Logger } from './runtime/logger.ts';
import { FigurerThread } from './risk/figurer.ts';
import { createLogger } from './runtime/logger.ts';
import { FrameRecorder } from './feed/recorder.ts';
import { networkTransport } from './runtime/network-transport.ts';
import type { Transport } from './runtime/transport.ts';
import type { Beginning as Stored, StoredOptions } from './stored-config.ts';
import { keptVersion, withStoredConfig } from './stored-config.ts';
import { venues } from './venues/index.ts';
import { sweepWarmUps, warmUp } from './warm-up.ts';
import type { Credentials } from './venues/venue-account.ts';

const optionsSchema = z.strictObject({
  config: configSchema,
  /** The configuration as it was written, where who starts the process has changed some of it. */
  written: configSchema.optional(),
  seed: z.int(),
  /** Everything the venues send is also written to this frame file. */
  record: z.string().optional(),
  aws: z.strictObject({
    region: z.string(),
    kinesisEndpoint: z.url().optional(),
    dynamodbEndpoint: z.url().optional(),
  }),
});
type Options = z.infer<typeof optionsSchema>;

/** What the process tells its parent, where it has one. A stream would be an inbound port; this is a pipe. */
export type EngineMessage =
  /** It is ready and waits for the lease; with `started` it has it. */
  | { readonly kind: 'standby'; readonly holder: string }
  | { readonly kind: 'started'; readonly firstSeq: number }
  | { readonly kind: 'status'; readonly status: EngineStatus }
  | {
      readonly kind: 'finished';
      readonly status: EngineStatus;
      readonly decisionHash: string;
      readonly published: number;
      /** False when the publish worker could not ship everything in time: the next start goes on. */
      readonly drained: boolean;
    };

const TICK_MS = 1_000;
/** Operations get this long to end by themselves; what is left is recovered at the next start. */
const DRAIN_OPERATIONS_MS = 10_000;
const DRAIN_OUTBOX_MS = 15_000;

/** One request to the table that has the stored configuration, and the whole wait for it. */
const STORED_TIMEOUT_MS = 2_500;
const STORED_WITHIN_MS = 10_000;

/** What is on its way to the venues as cancels, when the lease is lost, gets this long. */
const LEAVE_MS = 500;

/**
 * The hot plane as a process: `argv[2]` is its options as JSON; without them it reads config/ and ARB_* and finds AWS by the SDK's own
 * chain, as in a container. SIGTERM drains and ends with 0; bad input ends with 2 and one line; a lost lease ends with 3; anything else is a bug and
 * crashes.
 */
async function main(): Promise<void> {
  const started = optionsFrom(process.argv[2]);
  const clock = systemClock();
  const logger = createLogger({ name: 'engine', level: started.config.system.log_level, clock });
  const stored = await withStoredConfig(started, storedOptionsOf(started, { clock, logger }));
  const options = { ...started, ...stored };
  const recorder = options.record === undefined ? undefined : new FrameRecorder(options.record, { clock, logger });
  const network = networkTransport(clock, options.config.engine.sockets);
  const transport = recorder?.around(network) ?? network;
  const { engine, outbox, status, lease, heldNs, builtNs } = await put(options, { clock, logger, transport });

  tell({ kind: 'started', firstSeq: engine.journal.lastSeq + 1 });
  engine.start();
  const endPolling = options.config.engine.busy_poll ? busyPoll() : undefined;
  if (lease !== undefined) tellOfTakeover(logger, [lease.freeNs, heldNs, builtNs, clock.now()]);
  outbox.start();
  let refused = 0;
  const tick = setInterval(() => {
    const now = status();
    outbox.post(now);
    if (outbox.refused > refused) logger.warn('market-samples-refused', { count: outbox.refused - refused });
    ({ refused } = outbox);
    tell({ kind: 'status', status: now });
  }, TICK_MS);

  process.once('SIGTERM', () => {
    void stop({ engine, outbox, clock, logger }).then(async (drained) => {
      endPolling?.();
      clearInterval(tick);
      await lease?.release();
      await recorder?.close();
      const { decisionHash } = engine.opportunities;
      const last: EngineMessage = {
        kind: 'finished',
        status: status(),
        decisionHash,
        published: outbox.lag.published,
        drained,
      };
      // The pipe is written before the process ends.
      if (process.send === undefined) process.exit(0);
      else process.send(last, undefined, undefined, () => process.exit(0));
    });
  });
}

function storedOptionsOf({ config, aws }: Options, around: Pick<Around, 'clock' | 'logger'>): StoredOptions {
  const { engine, stores } = config;
  const question = { engine: engine.name, stateTable: stores.state_table, aws: withoutUndefined(aws) };
  return { ...around, question: { ...question, timeoutMs: STORED_TIMEOUT_MS }, withinMs: STORED_WITHIN_MS };
}

type Around = { readonly clock: Clock; readonly logger: Logger; readonly transport: Transport };
type Put = {
  readonly engine: Engine;
  readonly outbox: OutboxClient;
  readonly status: () => EngineStatus;
  readonly lease: Lease | undefined;
  /** When its turn had come, and when the engine was put together. */
  readonly heldNs: number;
  readonly builtNs: number;
};

/** The engine and its way out, put together once it may trade; neither runs yet. */
async function put(options: Options & Stored, { clock, logger, transport }: Around): Promise<Put> {
  const { config, written, restriction, seed, aws } = options;
  const version = versionOf();
  const credentials = await credentialsFor(config, aws.region);
  if (config.engine.mode === 'live') logger.warn('orders-are-real', { venues: config.engine.venues });
  const engineOptions: EngineOptions = {
    config,
    ...(written === undefined ? {} : { written }),
    ...(restriction === undefined ? {} : { restriction }),
    venues,
    ...(credentials === undefined ? {} : { credentials }),
    clock,
    logger,
    version,
    seed,
    journalDir: join(config.system.data_dir, 'journal'),
    random: randomFrom(seed),
    transport,
    publishedSeq: () => outbox.lag.published,
    figurer: new FigurerThread(clock, ({ message }) => logger.error('risk-worker-crashed', { message })),
  };
  const { prepared, memory, lease, gate } = await turnOf(options, engineOptions, () => engine);
  const heldNs = clock.now();
  const engine = opened(engineOptions, { prepared, lease, memory });
  const builtNs = clock.now();
  const outbox: OutboxClient = outboxOf(options, engine, { clock, logger, gate });
  const status = statusMaker({
    engine,
    name: config.engine.name,
    version,
    clock,
    startedAtMs: clock.unixMs(clock.now()),
    shipping: () => ({
      publishedSeq: outbox.lag.published,
      lagRecords: outbox.lag.lagRecords,
      lagMs: outbox.lag.lagMs,
    }),
    load: loadMeter(clock),
  });
  return { engine, outbox, status, lease, heldNs, builtNs };
}

/** Where the time of a takeover went: until the lease was held, the journal read and the engine built, and its first words written. */
function tellOfTakeover(logger: Logger, [free, held, built, started]: readonly [number, number, number, number]): void {
  const ms = (fromNs: number, toNs: number): number => Math.round((toNs - fromNs) / 1e6);
  logger.info('taken-over', { leaseMs: ms(free, held), engineMs: ms(held, built), startMs: ms(built, started) });
}

/** What an engine begins with. */
type Beginning = {
  readonly prepared: Prepared;
  readonly lease?: Lease | undefined;
  readonly memory?: JournalMemory | undefined;
};

/** At once where no lease is asked for; else when this process has it. `engine` is asked when the lease is held no more. */
async function turnOf(
  { config, aws }: Options,
  engineOptions: EngineOptions,
  engine: () => Engine,
): Promise<Beginning & { readonly gate?: LeaseGate }> {
  const prepare = (): Promise<Prepared> => prepareEngine(engineOptions);
  if (!config.lease.enabled) {
    const prepared = await prepare();
    await warmUpBefore(engineOptions, prepared, () => false);
    return { prepared };
  }
  const { clock, logger, journalDir } = engineOptions;
  let memory: JournalMemory | undefined = new JournalMemory(journalDir);
  memory.catchUp();
  const turn = await standBy({
    config,
    aws: withoutUndefined(aws),
    clock,
    logger,
    epochMin: epochBefore(memory.lastEpoch, config.engine.mode, clock.unixMs(clock.now())),
    prepare,
    warmUp: (prepared, isOverdue) => warmUpBefore(engineOptions, prepared, isOverdue),
    onWait: () => {
      try {
        memory?.catchUp();
      } catch (error) {
        if (!(error instanceof BadInput)) throw error;
        // Read again when its turn comes, which then ends with these words.
        logger.error('journal-not-followed', { reason: error.message });
        memory = undefined;
      }
    },
    onWaiting: (holder) => {
      // Where one is kept: killed, it could not do so at its end, and whoever starts next would compile everything again.
      flushCompileCache();
      tell({ kind: 'standby', holder });
    },
    // Later it may be somebody else's order: a successor takes over what rests, under the id that it was sent with.
    onLapsed: (isAlone) => {
      if (isAlone) engine().withdraw();
    },
    // Somebody else trades now, and the journal and what rests are theirs: nothing is said in it, nothing taken back.
    onLost: () => void clock.after(LEAVE_MS, () => process.exit(EXIT_LEASE_LOST)),
  });
  return { ...turn, memory };
}

/** Where orders are real the first of them should not wait for a compiler; what is open there should not wait for that. */
async function warmUpBefore(options: EngineOptions, prepared: Prepared, isUrgent: () => boolean): Promise<void> {
  const { config, clock, logger } = options;
  if (config.engine.mode === 'paper') return;
  const startedNs = clock.now();
  try {
    sweepWarmUps(config, clock.unixMs(startedNs));
    const { plans, completed } = await warmUp(options, prepared, config.engine.warm_up_plans, isUrgent);
    logger.info('warmed-up', { plans, completed, tookMs: Math.round((clock.now() - startedNs) / 1e6) });
  } catch (error) {
    // Nothing of it is in what starts now, which can do without.
    logger.error('warm-up-failed', { text: error instanceof Error ? error.message : String(error) });
  }
}

/** A journal that is past our epoch is no bad input: the lease was lost before it was opened. */
function opened(options: EngineOptions, { prepared, lease, memory }: Beginning): Engine {
  try {
    return engineFrom(options, prepared, lease, memory);
  } catch (error) {
    if (!(error instanceof BadInput) || lease?.fence() === undefined) throw error;
    options.logger.error('lease-lost', { reason: error.message });
    process.exit(EXIT_LEASE_LOST);
  }
}

function outboxOf(
  { config, aws, seed }: Options,
  engine: Engine,
  { clock, logger, gate }: Pick<Around, 'clock' | 'logger'> & { readonly gate: LeaseGate | undefined },
): OutboxClient {
  const { data_dir: dataDir } = config.system;
  return new OutboxClient({
    clock,
    market: engine,
    worker: {
      journalDir: join(dataDir, 'journal'),
      positionFile: join(dataDir, 'published.json'),
      commandsFile: join(dataDir, 'commands.json'),
      streams: config.streams,
      stateTable: config.stores.state_table,
      aws: withoutUndefined(aws),
      ...(gate === undefined ? {} : { lease: { epoch: engine.epoch, memory: gate.memory } }),
      seed,
    },
    lastSeq: () => engine.journal.lastSeq,
    onCommand: (command) => {
      engine.obey(command);
      if (command.kind !== 'config') return;
      const { version, config: stored } = command;
      keptVersion(dataDir).save({ version, config: stored });
    },
    onTrouble: (lastError) => {
      if (lastError === '') logger.info('publish-worker-recovered');
      else logger.warn('publish-worker-stuck', { lastError });
    },
    onCrash: (error) => logger.error('publish-worker-crashed', { message: error.message }),
  });
}

/** Keys of the venues, where the mode needs them. @throws BadInput naming what is missing */
async function credentialsFor(
  { engine, system, venues: settings }: Options['config'],
  region: string,
): Promise<ReadonlyMap<string, Credentials> | undefined> {
  if (engine.mode === 'paper') return undefined;
  const wanted = engine.venues.filter((id) => settings[id]?.enabled !== false);
  const { env } = process;
  const local = [environmentKeys(env), sealedKeys(join(system.data_dir, SEALED_KEYS), env['ARB_SECRETS_PASSPHRASE'])];
  const stores =
    system.environment === 'local' ? local : [...local, managedKeys(system.environment, secretsManager(region))];
  return credentialsOf(wanted, stores);
}

type Running = {
  readonly engine: Engine;
  readonly outbox: OutboxClient;
  readonly clock: Clock;
  readonly logger: Logger;
};

/** Nothing new, what is open to its end, the journal closed, everything shipped: in this order, each within its time. */
async function stop({ engine, outbox, clock, logger }: Running): Promise<boolean> {
  engine.drain();
  const untilNs = clock.now() + DRAIN_OPERATIONS_MS * 1e6;
  while (!engine.idle && clock.now() < untilNs) await new Promise((resolve) => setTimeout(resolve, 20));
  if (!engine.idle) logger.warn('operations-left-open', { open: engine.executor.counts.open });
  engine.finish('stopped');
  const drained = await outbox.drain(DRAIN_OUTBOX_MS);
  if (!drained) logger.warn('journal-not-shipped', { records: outbox.lag.lagRecords, lastError: outbox.lag.lastError });
  return drained;
}

function optionsFrom(text: string | undefined): Options {
  if (text === undefined) {
    const dir = fileURLToPath(new URL('../config', import.meta.url));
    const region = process.env['AWS_REGION'] ?? 'us-east-1';
    const config = loadConfig({ dir, env: process.env, file: process.env['ARB_CONFIG'] });
    return { config, seed: process.pid, aws: { region } };
  }
  const result = optionsSchema.safeParse(jsonFrom(text));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new BadInput(`option ${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? ''}`);
}

function jsonFrom(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new BadInput(`options are no JSON: ${error.message}`, { cause: error });
  }
}

/** Memory now and processor time since the last question. */
function loadMeter(clock: Clock): StatusSources['load'] {
  const memoryLimitBytes = memoryLimit();
  let last = { atNs: clock.now() as number, usage: process.cpuUsage() };
  return () => {
    const atNs = clock.now();
    const { user, system } = process.cpuUsage(last.usage);
    const elapsedUs = (atNs - last.atNs) / 1e3;
    last = { atNs, usage: process.cpuUsage() };
    return {
      memoryBytes: process.memoryUsage.rss(),
      memoryLimitBytes,
      cpuPercent: elapsedUs > 0 ? ((user + system) * 100) / elapsedUs : 0,
    };
  };
}

/** Of the container; of the machine where there is none, or it has no limit. */
function memoryLimit(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 && constrained < totalmem() ? constrained : totalmem();
}

function versionOf(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function withoutUndefined(aws: Options['aws']): {
  region: string;
  kinesisEndpoint?: string;
  dynamodbEndpoint?: string;
} {
  const { region, kinesisEndpoint, dynamodbEndpoint } = aws;
  return {
    region,
    ...(kinesisEndpoint === undefined ? {} : { kinesisEndpoint }),
    ...(dynamodbEndpoint === undefined ? {} : { dynamodbEndpoint }),
  };
}

const tell = (message: EngineMessage): void => void process.send?.(message);

main().catch((error: unknown) => {
  if (!(error instanceof BadInput)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(2);
});
