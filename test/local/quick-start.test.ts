import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '#shared/clock/clock.ts';

/**
 * The quick start of docs/api.md as a reader copies it: each block is run as it stands there, the first starts the system. What stands below
 * a block must come, sooner or later: the reader of a busy machine asks again too.
 */
type Block = { readonly language: string; readonly text: string; readonly prints: string | undefined };

const [start, ...blocks] = blocksOf(readFileSync('docs/api.md', 'utf8'));
const hasPython = spawnSync('python3', ['--version']).status === 0;
/** Opportunities come as they come: of a market as small as this one now and then a minute passes without. */
const PATIENCE_MS = 180_000;

const dir = mkdtempSync(join(tmpdir(), 'arb-quick-start-'));
let system: ReturnType<typeof spawn>;
let shell: Shell;

beforeAll(async () => {
  const port = String(await freePort());
  const small = { ARB_ENGINE__VENUES: 'binance,okx,kraken', ARB_ENGINE__SYMBOLS: 'BTC/USDT,ETH/USDT,SOL/USDT' };
  const env = { ...process.env, ...small, ARB_API__PORT: port, ARB_SIMULATOR__PORT: '0', ARB_SYSTEM__DATA_DIR: dir };
  // A group of its own: npm passes no signal on to what it started.
  system = spawn('bash', ['-c', start!.text], { env, stdio: 'ignore', detached: true });
  shell = new Shell({ ...process.env, API: `http://127.0.0.1:${port}` });
});
afterAll(async () => {
  shell.close();
  const gone = once(system, 'exit');
  process.kill(-system.pid!, 'SIGINT');
  await gone;
  rmSync(dir, { recursive: true, force: true });
});

describe('the quick start of docs/api.md', () => {
  it('begins with the start, and says what each of its blocks prints', () => {
    expect(start?.text).toContain('npm start');
    expect(blocks.length).toBeGreaterThan(12);
    expect(blocks.map(({ language }) => language)).toContain('python');
    for (const { text, prints } of blocks) expect([text, prints]).toEqual([text, expect.stringMatching(/\S/)]);
  });

  for (const [index, block] of blocks.entries()) {
    const title = `${index + 1}: ${block.text.trim().split('\n').at(-1)!.slice(0, 100)}`;
    it.skipIf(block.language === 'python' && !hasPython)(title, { timeout: 2 * PATIENCE_MS }, async () => {
      const wanted = patternOf(block.prints!);
      const clock = systemClock();
      const untilNs = clock.now() + PATIENCE_MS * 1e6;
      let printed = '';
      do {
        printed = await shell.run(block.language === 'python' ? inPython(block.text) : block.text);
      } while (!wanted.test(printed) && clock.now() < untilNs);
      expect(printed).toMatch(wanted);
    });
  }
});

/** One shell for all blocks: what one of them sets is there for the next. */
class Shell {
  readonly #bash: ChildProcessWithoutNullStreams;
  #runs = 0;

  constructor(env: NodeJS.ProcessEnv) {
    this.#bash = spawn('bash', [], { env });
  }

  /** What it prints, errors included. */
  async run(text: string): Promise<string> {
    this.#runs += 1;
    const end = `-- end of ${this.#runs} --`;
    let printed = '';
    this.#bash.stdin.write(`{\n${text}\n} 2>&1\necho; echo '${end}'; sleep 0.3\n`);
    for await (const chunk of this.#bash.stdout.iterator({ destroyOnReturn: false })) {
      printed += String(chunk);
      if (printed.includes(end)) break;
    }
    return printed.slice(0, printed.indexOf(end)).trim();
  }

  close(): void {
    this.#bash.stdin.end();
  }
}

const inPython = (text: string): string => `python3 - <<'END_OF_PYTHON'\n${text}\nEND_OF_PYTHON`;

/** `…` stands for anything. */
const patternOf = (prints: string): RegExp =>
  new RegExp(
    `^${prints
      .trim()
      .split('…')
      .map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
      .join('[^]*?')}$`,
  );

function blocksOf(page: string): readonly Block[] {
  const section = page.slice(page.indexOf('## Quick start'), page.indexOf('## Conventions'));
  const fences = [...section.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map(([, language, text]) => ({
    language: language!,
    text: text!,
  }));
  return fences.flatMap(({ language, text }, index) => {
    if (language === 'text') return [];
    const next = fences[index + 1];
    return [{ language, text, prints: next?.language === 'text' ? next.text : undefined }];
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
