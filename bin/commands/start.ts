import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { BadInput } from '#shared/assert.ts';
import { loadConfig } from '#shared/config/load.ts';
import type { Config } from '#shared/schema/config.ts';
import { venues } from '#hotpath/venues/index.ts';
import { checkOutputs } from '#local/run-options.ts';
import { runProcesses } from '#local/run-processes.ts';
import { runVirtually } from '#local/run-virtually.ts';
import { demandSimulated } from '#local/simulated.ts';
import { configDir } from './config.ts';

type Flags = {
  readonly for?: number;
  readonly report?: string;
  readonly record?: string;
  readonly seed: number;
  readonly virtual?: true;
  readonly live?: true;
  readonly standby?: true;
  readonly mode?: 'paper' | 'shadow' | 'live';
  readonly symbols?: readonly string[];
  readonly venues?: readonly string[];
  readonly config?: string;
  readonly data?: string;
  readonly table: boolean;
};

/** `arb start`: the whole system on this machine. */
export function startCommand(): Command {
  return new Command('start')
    .description(
      'Run everything on this machine: venues (simulated), engine (on paper), streams, tables, API, live table.',
    )
    .option('--for <duration>', 'stop after this long: 30s, 5m, 1h (default: until Ctrl-C)', seconds)
    .option('--report <file>', 'write what happened as JSON, for anyone to check (docs/reports.md)')
    .option('--seed <n>', 'seed of the simulated market and of paper latencies', seed, 1)
    .option(
      '--virtual',
      'virtual clock, in-process venues, as fast as it goes: same seed, same decisions (needs --for)',
    )
    .option('--live', 'the real venues instead of the simulator; orders stay on paper unless --mode says otherwise')
    .addOption(
      new Option('--mode <mode>', 'how orders are carried out (docs/live.md); live sends real ones').choices([
        'paper',
        'shadow',
        'live',
      ]),
    )
    .option('--standby', 'a second engine process that takes over when the first is gone (docs/failover.md)')
    .option('--symbols <list>', 'follow only these, comma-separated, unified: BTC/USDT,ETH/USDT', list)
    .option('--venues <list>', 'only these venues, comma-separated: binance,okx,kraken', list)
    .option('--config <file>', "one more TOML file over the project's own layers")
    .option('--data <dir>', 'where journal, tables and streams are kept (default: .arbitrage)')
    .option(
      '--record <file>',
      'also write everything the venues send as a frame file (.jsonl.gz) that arb replay reads',
    )
    .option('--no-table', 'print a line now and then instead of the live table')
    .addHelpText(
      'after',
      `
Examples:
  arb start                                          until Ctrl-C; the API is on http://localhost:8080/v1
  arb start --for 30s --seed 7 --report r.json       a run that ends, and its report
  arb start --virtual --for 5m --seed 7              five minutes of market in seconds, repeatable
  arb start --live --venues okx,kraken               public feeds of the real venues, orders on paper
  arb start --mode live                              real orders at the simulated venues
  arb start --live --mode live --venues okx,kraken   real orders at the real venues: needs their keys (docs/live.md)

Ctrl-C drains, closes and prints a summary; a second Ctrl-C stops at once. What is in the data folder survives: the next start
recovers from it. Settings: arb config --schema.`,
    )
    .action(async (flags: Flags) => {
      if (flags.virtual === true) checkVirtual(flags);
      const loaded = loadConfig({
        dir: configDir,
        env: process.env,
        file: flags.config,
        overrides: overridesOf(flags),
      });
      // Every process of the run must mean the same folder, wherever it was started.
      const dataDir = dataDirOf(loaded, flags);
      const config = { ...loaded, system: { ...loaded.system, data_dir: dataDir } };
      const options = {
        config,
        seed: flags.seed,
        forSeconds: flags.for,
        reportFile: flags.report,
        recordFile: flags.record,
        live: flags.live === true,
        standby: flags.standby === true,
        table: flags.table && process.stdout.isTTY,
      };
      if (options.standby && flags.record !== undefined)
        throw new BadInput('--standby and --record exclude each other: two engines would write one file');
      checkVenues(config.engine.venues, options.live);
      checkOutputs(options);
      process.exitCode = flags.virtual === true ? await runVirtually(options) : await runProcesses(options);
    });
}

/** @throws BadInput on what a virtual run cannot do */
function checkVirtual(flags: Flags): void {
  if (flags.live === true) throw new BadInput('--virtual and --live exclude each other: real venues keep real time');
  if (flags.record !== undefined)
    throw new BadInput('--record is for runs on real sockets: a virtual run is repeated by its seed');
  if (flags.standby === true)
    throw new BadInput('--virtual and --standby exclude each other: a virtual run is one process');
  if (flags.for === undefined) throw new BadInput('--virtual needs --for: a virtual run has no other end');
}

/** Simulated accounts begin anew at every start: so must what is remembered of them. */
function dataDirOf({ system, engine }: Config, { live, virtual }: Flags): string {
  const configured = resolve(system.data_dir);
  if (engine.mode === 'paper' || live === true || virtual === true) return configured;
  const fresh = join(configured, `simulated-${engine.mode}`);
  rmSync(fresh, { recursive: true, force: true });
  return fresh;
}

/** Before anything runs. @throws BadInput naming the venue that nobody has described, or that is not simulated */
function checkVenues(ids: readonly string[], live: boolean): void {
  const unknown = ids.find((id) => !venues.some((venue) => venue.id === id));
  if (unknown !== undefined)
    throw new BadInput(
      `unknown venue "${unknown}" (known: ${venues.map(({ id }) => id).join(', ')}; arb venues says more)`,
    );
  if (!live) demandSimulated(ids);
}

function overridesOf({ symbols, venues: wanted, data, mode }: Flags): Record<string, unknown> {
  return {
    engine: {
      ...(mode === undefined ? {} : { mode }),
      ...(symbols === undefined ? {} : { symbols }),
      ...(wanted === undefined ? {} : { venues: wanted }),
    },
    system: data === undefined ? {} : { data_dir: data },
  };
}

function seconds(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  const value = match === null ? NaN : Number(match[1]) * { ms: 1e-3, s: 1, m: 60, h: 3600 }[(match[2] ?? 's') as 's'];
  if (!(value > 0)) throw new InvalidArgumentError('a duration such as 30s, 5m or 1h');
  return value;
}

function seed(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff)
    throw new InvalidArgumentError('a whole number from 0 to 4294967295');
  return value;
}

function list(text: string): readonly string[] {
  const items = text.split(',').map((item) => item.trim());
  if (items.some((item) => item === '')) throw new InvalidArgumentError('a comma-separated list');
  return items;
}
