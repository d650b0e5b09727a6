import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { BadInput } from '#shared/assert.ts';
import { systemClock } from '#shared/clock/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import type { Config } from '#shared/schema/config.ts';
import { documentClient, dynamoClient } from '#functions/common/clients.ts';
import { ApplicationError } from '#functions/common/errors.ts';
import { Table } from '#functions/common/table.ts';
import { tableDefinitions } from '#functions/common/tables.ts';
import { timeSeriesOf } from '#functions/common/time-series-choice.ts';
import {
  isWhole,
  rebuild,
  type Comparison,
  type RebuildOptions,
  type RebuildReport,
} from '#functions/stream/rebuild.ts';
import { archiveTexts, journalTexts } from '#local/archive.ts';
import { ensureTables, startDynamo } from '#local/peers.ts';
import { configDir } from './config.ts';

type Flags = {
  readonly journal?: string;
  readonly archive?: string;
  readonly from?: number;
  readonly to?: number;
  readonly dryRun?: true;
  readonly endpoint?: string;
  readonly aws?: true;
  readonly engine?: string;
  readonly data?: string;
  readonly config?: string;
  readonly json?: true;
};

/** `arb rebuild`: the tables anew from what was recorded. */
export function rebuildCommand(): Command {
  return new Command('rebuild')
    .description(
      'Bring the tables to what the journal or the archive says: what is missing is projected again (docs/stores.md).',
    )
    .addOption(new Option('--journal <dir>', "an engine's journal (default: that of --data)").conflicts('archive'))
    .option('--archive <place>', 'a folder of archived events (JSON lines, gzip or not), or s3://bucket/prefix')
    .option('--from <time>', 'only events from this time on, such as 2026-11-21T00:00:00Z', unixMs)
    .option('--to <time>', 'only events up to this time', unixMs)
    .option('--dry-run', 'say what differs and write nothing; exits with 1 when something does')
    .addOption(
      new Option('--endpoint <url>', 'tables of a running `arb start`, or another local peer').conflicts('aws'),
    )
    .option('--aws', 'tables of AWS, with the credentials and the region that the SDK finds')
    .option('--engine <name>', 'whose events (default: engine.name of the configuration)')
    .option('--config <file>', "one more TOML file over the project's own layers")
    .option('--data <dir>', 'where journal and tables are kept (default: .arbitrage); not while a run has it open')
    .option('--json', 'print the report as JSON')
    .action(async (flags: Flags) => {
      const config = configOf(flags);
      const report = await withTables(flags, config, (endpoint) => run(flags, config, endpoint));
      process.stdout.write(flags.json === true ? `${JSON.stringify(report)}\n` : textOf(report));
      if (!isWhole(report.after ?? report.before)) process.exitCode = 1;
    });
}

function configOf({ data, config: file }: Flags): Config {
  const overrides = data === undefined ? {} : { system: { data_dir: data } };
  return loadConfig({ dir: configDir, env: process.env, file, overrides });
}

/** On the endpoint that was named, on AWS, or on the tables of the data folder, which are opened for this. */
async function withTables(
  { endpoint, aws }: Flags,
  config: Config,
  use: (endpoint: string | undefined) => Promise<RebuildReport>,
): Promise<RebuildReport> {
  if (endpoint !== undefined || aws === true) return use(endpoint);
  const peer = await startDynamo({ dataDir: resolve(config.system.data_dir), port: 0 });
  try {
    return await use(peer.url);
  } finally {
    await peer.close();
  }
}

async function run(flags: Flags, config: Config, endpoint: string | undefined): Promise<RebuildReport> {
  const dynamo = dynamoClient({ endpoint, attempts: 10 });
  const client = documentClient(dynamo);
  const progress = new ProgressLine();
  try {
    // Those of AWS are made by a deployment.
    if (flags.aws !== true) await ensureTables(dynamo, tableDefinitions(config.stores));
    return await rebuild({
      client,
      names: config.stores,
      engine: flags.engine ?? config.engine.name,
      series: timeSeriesOf(config.stores, new Table(client, config.stores.state_table), process.env),
      clock: systemClock(),
      read: sourceOf(flags, config),
      fromMs: flags.from ?? 0,
      toMs: flags.to ?? Infinity,
      dryRun: flags.dryRun === true,
      onProgress: progress.show,
    });
  } catch (error) {
    if (!(error instanceof ApplicationError)) throw error;
    throw new BadInput(`${error.message}${error.detail === undefined ? '' : `: ${error.detail}`}; start it again`);
  } finally {
    progress.clear();
    dynamo.destroy();
  }
}

function sourceOf({ journal, archive }: Flags, { system }: Config): RebuildOptions['read'] {
  if (archive !== undefined) return () => archiveTexts(archive);
  const directory = journal ?? resolve(system.data_dir, 'journal');
  return () => journalTexts(directory);
}

function unixMs(text: string): number {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new InvalidArgumentError('A time is needed, such as 2026-11-21T00:00:00Z.');
  return ms;
}

function textOf({ read, before, after }: RebuildReport): string {
  const line = (name: string, { events, items, hash }: Comparison): string =>
    `${name.padEnd(8)}events ${events.expected}, ${events.missing} missing; items ${items.expected}, ${items.missing} missing, ` +
    `${items.stale} stale, ${items.misplaced} misplaced, ${items.different} different, ${items.newer} newer; ` +
    `state ${hash.found.slice(0, 16)}${hash.found === hash.expected ? ' as expected' : `, expected ${hash.expected.slice(0, 16)}`}\n`;
  return (
    `read    events ${read.events}, samples ${read.samples}, of others ${read.others}, not understood ${read.poison}\n` +
    line('before', before) +
    (after === undefined ? '' : line('after', after))
  );
}

/** How far it is, on a terminal. */
class ProgressLine {
  readonly show = (phase: string, count: number): void => {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${phase} ${count}`);
  };

  clear(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  }
}
