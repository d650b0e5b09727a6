#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { BadInput } from '#shared/assert.ts';
import { calibrateCommand } from './commands/calibrate.ts';
import { configCommand } from './commands/config.ts';
import { driftCommand } from './commands/drift.ts';
import { keysCommand } from './commands/keys.ts';
import { rebuildCommand } from './commands/rebuild.ts';
import { replayCommand } from './commands/replay.ts';
import { startCommand } from './commands/start.ts';
import { venuesCommand } from './commands/venues.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const program = new Command('arb')
  .description('Finds, sizes, executes and accounts for crypto arbitrage.')
  .version(version)
  .showHelpAfterError('(add --help for what is possible)')
  .addHelpText(
    'after',
    '\nThe quickest start: `npm start` runs everything on this machine, against simulated venues, on paper.',
  );
for (const command of [
  startCommand(),
  replayCommand(),
  rebuildCommand(),
  driftCommand(),
  calibrateCommand(),
  configCommand(),
  keysCommand(),
  venuesCommand(),
])
  program.addCommand(command);

try {
  await program.parseAsync();
} catch (error) {
  // What came from outside gets one clear line; a bug of ours keeps its stack, because somebody must read it.
  if (!(error instanceof BadInput)) throw error;
  process.stderr.write(`arb: ${error.message}\n`);
  process.exitCode = 1;
}
