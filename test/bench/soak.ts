import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { dynamoClient, kinesisClient } from '#functions/common/clients.ts';
import { tableDefinitions } from '#functions/common/tables.ts';
import type { EngineMessage } from '#hotpath/main.ts';
import { ensureStreams, ensureTables, startDynamo, startKinesis } from '#local/peers.ts';
import { ENGINE_ENV, ENGINE_NODE_OPTIONS } from '#local/engine-node.ts';
import { simulatorConfigOf, throughSimulator } from '#local/simulated.ts';
import { Child } from '#local/supervisor.ts';
import { loadConfig } from '#shared/config/load.ts';
import type { Config } from '#shared/schema/config.ts';
import type { EngineStatus } from '#shared/schema/status.ts';
import type { Probe } from './soak-probe.ts';
import type { Minute } from './soak-verdict.ts';
import { minuteFrom, minuteText, verdictOf } from './soak-verdict.ts';

const HELP = `npm run soak [-- --for 1h] [--rate 20000] [--every 1m] [--warm-up 20m] [--json FILE] [--seed 1]

Runs the engine's process on paper against simulated venues in another process, over loopback WebSockets, publishing to streams
that nobody reads, and prints a line a minute: memory, engine time (a frame's arrival to the end of its decision), lag of its
event loop, garbage collections.

  --for      how long, after the warm-up has begun with the first live books (default 1h)
  --rate     market messages a second that the venues are to send (default 20000)
  --every    time between two lines (default 1m)
  --warm-up  what does not count in the verdict (default 20m, a third of a shorter run): until the orders that are
             remembered once they are over, some ten thousand, are so many
  --json     also write lines and verdict to this file

Ends with 1 when memory or the slowest frames grow: see the verdict's words.`;

/** Those whose frames cost the simulator least: both processes and the tables must fit two cores. */
const VENUES = ['binance', 'okx', 'kraken', 'bitget', 'kucoin'];
/** Symbols invented beside the usual ones: as many books as a small desk follows. */
const EXTRA_SYMBOLS = 20;
const ORDER_LATENCY_MS = 30_000;
const STARTED_WITHIN_MS = 120_000;
const STOP_MS = 35_000;

type Options = {
  readonly forMs: number;
  readonly rate: number;
  readonly everyMs: number;
  readonly warmUpMs: number;
  readonly seed: number;
  readonly json: string | undefined;
};

async function main(): Promise<void> {
  const options = optionsFrom(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(`${HELP}\n`);
    return;
  }
  const dataDir = mkdtempSync(join(tmpdir(), 'arb-soak-'));
  try {
    const minutes = await soak(options, dataDir);
    const verdict = verdictOf(minutes, options);
    process.stdout.write(`${verdict.words.join('\n')}\n`);
    if (options.json !== undefined)
      writeFileSync(options.json, `${JSON.stringify({ ...options, verdict, minutes }, undefined, 2)}\n`);
    if (!verdict.holds) process.exitCode = 1;
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function soak({ forMs, rate, everyMs, seed }: Options, dataDir: string): Promise<readonly Minute[]> {
  const plain = configOf(dataDir, rate);
  const stores = await startStores(plain, dataDir);
  const market = await startMarket(plain, seed);
  const minutes: Minute[] = [];
  const seen: { status?: EngineStatus; before?: EngineStatus; gone?: string } = {};
  const aws = { region: 'us-east-1', kinesisEndpoint: stores.kinesisUrl, dynamodbEndpoint: stores.dynamodbUrl };
  const engine = new Child({
    name: 'engine',
    entry: 'hotpath/main.ts',
    args: [JSON.stringify({ config: { ...plain, venues: throughSimulator(plain, market.port) }, seed, aws })],
    nodeOptions: [...ENGINE_NODE_OPTIONS, '--import', fileURLToPath(new URL('soak-probe.ts', import.meta.url))],
    env: { ...ENGINE_ENV, PROBE_EVERY_MS: String(everyMs) },
    onMessage: (message) => {
      const heard = message as EngineMessage | Probe;
      if (heard.kind === 'status') seen.status = heard.status;
      if (heard.kind !== 'probe' || seen.status === undefined) return;
      // What came before the first whole period is the start.
      if (seen.before !== undefined) {
        minutes.push(minuteFrom(heard, seen.status, seen.before));
        process.stdout.write(`${minuteText(minutes.at(-1)!, minutes.length)}\n`);
      }
      seen.before = seen.status;
    },
    onLine: () => undefined,
    onTrouble: (line) => process.stderr.write(`${line}\n`),
    onGone: (how) => (seen.gone = how),
  });
  try {
    const untilMs = nowMs() + STARTED_WITHIN_MS;
    while (seen.status === undefined && seen.gone === undefined && nowMs() < untilMs) await wait(100);
    const periods = Math.max(1, Math.round(forMs / everyMs));
    while (minutes.length < periods && seen.gone === undefined && seen.status !== undefined) await wait(100);
    if (minutes.length < periods) throw new Error(seen.gone ?? 'the engine said nothing');
    return minutes;
  } finally {
    await engine.stop(STOP_MS);
    await market.child.stop(STOP_MS);
    await stores.close();
  }
}

type Stores = { readonly dynamodbUrl: string; readonly kinesisUrl: string; readonly close: () => Promise<void> };

/** What the engine publishes to. Nobody reads it here: projections cost more than the engine, and the machine is to be the engine's. */
async function startStores({ stores, streams }: Config, dataDir: string): Promise<Stores> {
  const [dynamo, kinesis] = [await startDynamo({ dataDir, port: 0 }), await startKinesis({ dataDir, port: 0 })];
  const clients = [
    dynamoClient({ endpoint: dynamo.url }),
    kinesisClient({ endpoint: kinesis.url, attempts: 2 }),
  ] as const;
  await ensureTables(clients[0], tableDefinitions(stores));
  await ensureStreams(clients[1], [streams.events, streams.market, streams.commands], streams.shards);
  for (const client of clients) client.destroy();
  return {
    dynamodbUrl: dynamo.url,
    kinesisUrl: kinesis.url,
    close: async () => {
      await kinesis.close();
      await dynamo.close();
    },
  };
}

const nowMs = (): number => performance.now();

/** Updates of the model a message that an engine hears of them. */
const UPDATES_A_MESSAGE = 0.93;

function configOf(dataDir: string, rate: number): Config {
  const usual = loadConfig({ dir: 'config', env: {} });
  const invented = Array.from({ length: EXTRA_SYMBOLS }, (_none, at) => `ZC${String(at + 1).padStart(3, '0')}`);
  return loadConfig({
    dir: 'config',
    env: {},
    overrides: {
      system: { data_dir: dataDir, log_level: 'error' },
      api: { port: 0 },
      engine: {
        venues: VENUES,
        symbols: [...usual.engine.symbols, ...invented.flatMap((coin) => [`${coin}/USDT`, `${coin}/USDT:USDT`])],
      },
      // A stall while everything starts would have the engine rest for the whole run.
      breakers: { latency: { ms: ORDER_LATENCY_MS } },
      simulator: { updates_per_second: rate * UPDATES_A_MESSAGE },
    },
  });
}

async function startMarket(config: Config, seed: number): Promise<{ readonly child: Child; readonly port: number }> {
  const options = { ...simulatorConfigOf(config), port: 0, seed, extra_symbols: EXTRA_SYMBOLS, batch_ms: 0 };
  return new Promise((resolve, reject) => {
    const child: Child = new Child({
      name: 'market',
      entry: 'simulator/main.ts',
      args: [JSON.stringify(options)],
      onMessage: () => undefined,
      onLine: (line) => resolve({ child, port: (JSON.parse(line) as { readonly listening: number }).listening }),
      onTrouble: (line) => process.stderr.write(`${line}\n`),
      onGone: (how) => reject(new Error(how)),
    });
  });
}

/** Undefined where help is wanted. @throws on options that are none */
function optionsFrom(args: readonly string[]): Options | undefined {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...{ for: text, rate: text, every: text, json: text, seed: text, 'warm-up': text },
      help: { type: 'boolean' },
    },
  });
  if (values.help === true) return undefined;
  const forMs = durationMs(values.for ?? '1h');
  return {
    forMs,
    rate: Number(values.rate ?? 20_000),
    everyMs: durationMs(values.every ?? '1m'),
    warmUpMs: values['warm-up'] === undefined ? Math.min(1_200_000, forMs / 3) : durationMs(values['warm-up']),
    seed: Number(values.seed ?? 1),
    json: values.json,
  };
}

function durationMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(s|m|h)$/.exec(text);
  if (match === null) throw new Error(`not a duration such as 30s, 5m, 1h: ${text}`);
  return Number(match[1]) * { s: 1e3, m: 60e3, h: 3.6e6 }[match[2] as 's' | 'm' | 'h'];
}

await main();
