import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { Command } from 'commander';
import { BadInput } from '#shared/assert.ts';
import { loadConfig } from '#shared/config/load.ts';
import type { Keys } from '#hotpath/execute/credentials.ts';
import { readSealed, seal, SEALED_KEYS } from '#hotpath/execute/credentials.ts';
import { venues } from '#hotpath/venues/index.ts';
import { configDir } from './config.ts';

type Flags = { readonly data?: string };

/** `arb keys`: the venues' keys of this machine, in a file that only the passphrase opens. */
export function keysCommand(): Command {
  const command = new Command('keys').description(
    "Keep the venues' API keys on this machine, sealed with ARB_SECRETS_PASSPHRASE (docs/live.md).",
  );
  const data = ['--data <dir>', 'the data folder of the run (default: .arbitrage)'] as const;
  command
    .command('add <venue>')
    .description('Seal a key: asks for key, secret and passphrase (where the venue has one), or reads them as lines.')
    .option(...data)
    .action(async (venue: string, flags: Flags) => {
      demandKnown(venue);
      const { file, passphrase } = placeOf(flags);
      const keys = readSealed(file, passphrase);
      const [key = '', secret = '', word = ''] = await answersTo([
        `key of ${venue}: `,
        'secret: ',
        'passphrase (empty where there is none): ',
      ]);
      if (key === '' || secret === '') throw new BadInput('a key and its secret are wanted');
      save(file, passphrase, { ...keys, [venue]: { key, secret, ...(word === '' ? {} : { passphrase: word }) } });
      process.stdout.write(`sealed the key of ${venue} in ${file}\n`);
    });
  command
    .command('remove <venue>')
    .description('Forget a key.')
    .option(...data)
    .action((venue: string, flags: Flags) => {
      const { file, passphrase } = placeOf(flags);
      const { [venue]: gone, ...keys } = readSealed(file, passphrase);
      if (gone === undefined) throw new BadInput(`there is no key of ${venue} in ${file}`);
      save(file, passphrase, keys);
    });
  command
    .command('list')
    .description('Name the venues whose keys are kept.')
    .option(...data)
    .action((flags: Flags) => {
      const { file, passphrase } = placeOf(flags);
      for (const venue of Object.keys(readSealed(file, passphrase)).sort()) process.stdout.write(`${venue}\n`);
    });
  return command;
}

/** @throws BadInput without a passphrase */
function placeOf({ data }: Flags): { readonly file: string; readonly passphrase: string } {
  const passphrase = process.env['ARB_SECRETS_PASSPHRASE'] ?? '';
  if (passphrase === '') throw new BadInput('set ARB_SECRETS_PASSPHRASE: it seals the keys and opens them again');
  const overrides = data === undefined ? {} : { system: { data_dir: data } };
  const { system } = loadConfig({ dir: configDir, env: process.env, overrides });
  return { file: join(resolve(system.data_dir), SEALED_KEYS), passphrase };
}

function demandKnown(venue: string): void {
  if (venues.some(({ id }) => id === venue)) return;
  throw new BadInput(`unknown venue "${venue}" (known: ${venues.map(({ id }) => id).join(', ')})`);
}

/** Whole or not at all, and for its owner alone. */
function save(file: string, passphrase: string, keys: Keys): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, seal(keys, passphrase), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** What is typed is not shown. */
async function answersTo(questions: readonly string[]): Promise<readonly string[]> {
  const { stdin, stdout } = process;
  const isAsked = stdin.isTTY;
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output: nowhere, terminal: isAsked });
  const answers: string[] = [];
  if (isAsked) stdout.write(questions[0]!);
  for await (const line of lines) {
    answers.push(line.trim());
    if (isAsked) stdout.write(`\n${questions[answers.length] ?? ''}`);
    if (answers.length === questions.length) break;
  }
  lines.close();
  return answers;
}
