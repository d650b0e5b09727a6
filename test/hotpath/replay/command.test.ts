import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { replayCommand } from '../../../bin/commands/replay.ts';
import { binanceDelta, binanceSnapshot } from '../feed/scripted-venue.ts';
import { fileOf, frameLines, newFolder } from './frame-lines.ts';

type Outcome = { readonly code: number; readonly stdout: string; readonly stderr: string };

const replay = (...args: string[]) =>
  new Promise<Outcome>((resolve) => {
    execFile(process.execPath, ['bin/arb.ts', 'replay', ...args], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });

const day = fileOf(
  frameLines([
    { k: 'open', c: 'ws', u: 'wss://stream.binance.com:9443/stream' },
    { k: 'http', u: 'https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000', d: binanceSnapshot(8) },
    { k: 'in', c: 'ws', d: binanceDelta('BTCUSDT', 9, 9, [['100.25', '3']]) },
  ]),
);

it('prints a table and writes the report', async () => {
  const report = join(newFolder(), 'out.json');
  const { code, stdout, stderr } = await replay('--books', '--report', report, day);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain(`${day}: 1 frames, 2 updates, 1 books, 0 gaps, 0 crossed`);
  expect(stdout).toMatch(/BTCUSDT +100\.25 +3 +101 +1 +1 +0 +0 +- +2\+1 +9 +[0-9a-f]{16}/);
  const { files } = JSON.parse(readFileSync(report, 'utf8')) as { files: Record<string, unknown>[] };
  expect(files).toHaveLength(1);
  expect(files[0]).toMatchObject({
    file: day,
    gaps: 0,
    crossed: 0,
    books: {
      BTCUSDT: {
        last_seq: 9,
        final_top5: {
          bids: [
            ['100.25', '3'],
            ['100', '1'],
          ],
          asks: [['101', '1']],
        },
        levels: { bids: 2, asks: 1 },
        checkpoints: [{ after_frame: 2, seq: 9 }],
      },
    },
  });
});

it('fails in one line, without a stack', async () => {
  const { code, stdout, stderr } = await replay('/nonexistent.gz');
  expect([code, stdout, stderr]).toEqual([1, '', 'arb: /nonexistent.gz: no such file\n']);
});

const cut = fileOf(readFileSync(day).subarray(0, 60));
it.each<readonly [args: string[], message: string]>([
  [[], 'name the files to replay'],
  [[cut], 'damaged gzip'],
  [['--venue', 'moon', day], 'no market "moon"'],
  [['--bbo-basis', day, day], '--bbo-basis takes three files: SPOT USDM COINM'],
  [['--bbo-basis', day, day, day, '--spot-fee-bps', 'ten'], 'A number of basis points is needed'],
  [['--spot-fee-bps', '10', day], 'fees go with --bbo-basis'],
  [['--venue', 'okx', '--bbo-basis', day, day, day], 'cannot be used with option'],
  [['--moon', day], "unknown option '--moon'"],
])('refuses %j', async (args, message) => {
  const command = replayCommand()
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  const outcome = await command.parseAsync(args, { from: 'user' }).catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(Error);
  const { name, message: text } = outcome as Error;
  expect(['BadInput', 'CommanderError', 'InvalidArgumentError']).toContain(name);
  expect(text).toContain(message);
  expect(text.split('\n')).toHaveLength(1);
});

it('refuses a report that cannot be written', async () => {
  const quiet = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const outcome = replayCommand().parseAsync(['--report', '/nonexistent/out.json', day], { from: 'user' });
  await expect(outcome).rejects.toThrow('cannot write /nonexistent/out.json');
  quiet.mockRestore();
});

it('teaches with --help', () => {
  let help = '';
  replayCommand()
    .configureOutput({ writeOut: (text) => (help += text) })
    .outputHelp();
  for (const word of ['--books', '--bbo-basis', '--venue', 'arb replay ']) expect(help).toContain(word);
});
