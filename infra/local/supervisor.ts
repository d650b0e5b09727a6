import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const leash = fileURLToPath(new URL('leash.ts', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));
/** A child that starts again need not compile what has not changed: a quarter of the processor time of its start. */
const compiled = join(root, 'node_modules/.cache/compiled');

/** How our processes end when what they were given cannot work. */
const EXIT_BAD_INPUT = 2;

export type ChildOptions = {
  readonly name: string;
  /** Entry file, from the project's root. */
  readonly entry: string;
  readonly args: readonly string[];
  readonly nodeOptions?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly onMessage: (message: unknown) => void;
  readonly onLine: (line: string) => void;
  /** What the child wrote to stderr, kept short: shown when it fails. */
  readonly onTrouble: (line: string) => void;
  /** Undefined: an exit that nobody asked for is final and `onGone` says so. */
  readonly restart?: { readonly max: number; readonly backoffMs: number };
  readonly onRestart?: (count: number) => void;
  /** The child ended without being asked and will not be started again. */
  readonly onGone: (how: string) => void;
};

/** A child process under watch: restarted when it dies by itself (within limits), stopped when asked, killed when deaf. */
export class Child {
  readonly #options: ChildOptions;
  #process: ChildProcess | undefined;
  #restarts = 0;
  #stopping = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ChildOptions) {
    this.#options = options;
    this.#spawn();
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** False when the child is not there to hear it. */
  send(message: object): boolean {
    return this.#process?.connected === true && this.#process.send(message);
  }

  /** Asks with SIGTERM, waits, then kills. Resolves once it is gone; true when it left by itself. */
  async stop(graceMs: number): Promise<boolean> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return true;
    let graceful = true;
    const killer = setTimeout(() => {
      graceful = false;
      child.kill('SIGKILL');
    }, graceMs);
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await gone;
    clearTimeout(killer);
    return graceful;
  }

  /** At once, no questions: the second Ctrl-C. */
  kill(): void {
    this.#stopping = true;
    clearTimeout(this.#timer);
    this.#process?.kill('SIGKILL');
  }

  #spawn(): void {
    const { entry, args, env, nodeOptions = [] } = this.#options;
    // A group of its own: Ctrl-C reaches the parent alone, which then stops its children in order.
    const child = spawn(process.execPath, [...nodeOptions, '--import', leash, entry, ...args], {
      cwd: root,
      detached: true,
      env: { NODE_COMPILE_CACHE: compiled, ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'json',
    });
    this.#process = child;
    child.on('message', this.#options.onMessage);
    eachLine(child.stdout, this.#options.onLine);
    eachLine(child.stderr, this.#options.onTrouble);
    child.once('exit', (code, signal) => this.#onExit(code, signal));
    child.once('error', (error) => this.#options.onTrouble(error.message));
  }

  #onExit(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#stopping) return;
    const { restart, name } = this.#options;
    // Bad input does not get better by trying again.
    if (restart === undefined || code === EXIT_BAD_INPUT || this.#restarts >= restart.max) {
      this.#options.onGone(`${name} ended (${signal ?? `code ${String(code)}`})`);
      return;
    }
    this.#restarts += 1;
    this.#options.onRestart?.(this.#restarts);
    this.#timer = setTimeout(() => this.#spawn(), restart.backoffMs);
  }
}

/** Splits a stream into lines; a line longer than 64 KiB is cut, so that a babbling child cannot fill our memory. */
function eachLine(stream: NodeJS.ReadableStream | null, onLine: (line: string) => void): void {
  let rest = '';
  stream?.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = (lines.pop() ?? '').slice(0, 65_536);
    for (const line of lines) if (line !== '') onLine(line);
  });
}
