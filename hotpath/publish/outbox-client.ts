import { Worker } from 'node:worker_threads';
import type { Clock, Timer } from '#shared/clock/clock.ts';
import type { Command } from '#shared/schema/command.ts';
import type { EngineStatus } from '#shared/schema/status.ts';
import type { Market } from './told.ts';
import { ToldWriter } from './told.ts';
import type { FromWorker, ToWorker, WorkerOptions, WorkerReport } from './worker-messages.ts';

export type OutboxClientOptions = {
  readonly clock: Clock;
  readonly worker: Omit<WorkerOptions, 'told'>;
  /** What is sampled. */
  readonly market: Market;
  /** Last sequence number of the journal. */
  readonly lastSeq: () => number;
  /** Returns once the command stands in the journal's file. */
  readonly onCommand: (command: Command) => void;
  /** What keeps the worker from shipping, posting or hearing commands, each time that changes; empty once all goes well again. */
  readonly onTrouble: (lastError: string) => void;
  /** The worker died of a bug; it is started again. */
  readonly onCrash: (error: Error) => void;
};

/** It ships what is on the disk: it needs no large heap, and the young space that the engine's flags ask for would cost as much again. */
const WORKER_LIMITS = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 256 } as const;
const RESTART_MS = 1_000;

/** The main thread's side of the publish worker: starts it, feeds it once a second, knows how far it is. */
export class OutboxClient {
  readonly #options: OutboxClientOptions;
  readonly #told: ToldWriter;
  #worker: Worker | undefined;
  #restart: Timer | undefined;
  #report: WorkerReport = { published: 0, lagMs: 0, lastError: '' };
  #onDrained: (() => void) | undefined;

  constructor(options: OutboxClientOptions) {
    this.#options = options;
    this.#told = new ToldWriter(options.market, options.clock);
  }

  start(): void {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: { ...this.#options.worker, told: this.#told.told } satisfies WorkerOptions,
      resourceLimits: WORKER_LIMITS,
    });
    this.#worker = worker;
    worker.on('message', (message: FromWorker) => this.#hear(message));
    worker.on('error', (error) => {
      this.#worker = undefined;
      this.#report = { ...this.#report, lastError: error instanceof Error ? error.message : String(error) };
      this.#options.onCrash(error instanceof Error ? error : new Error(String(error)));
      this.#restart = this.#options.clock.after(RESTART_MS, () => this.start());
    });
  }

  /** How far the worker was when it last spoke. */
  get lag(): WorkerReport & { readonly lagRecords: number } {
    return { ...this.#report, lagRecords: Math.max(0, this.#options.lastSeq() - this.#report.published) };
  }

  /** The market as it is now, and the status: called once a second. What the worker had no time for is replaced. */
  post(status: EngineStatus): void {
    this.#told.tell(status);
  }

  /** What could not be posted, in records, since the start. */
  get refused(): number {
    return this.#told.refused;
  }

  /** Ships everything that is in the journal's file and ends the worker; false when that took longer than it may. */
  async drain(withinMs: number): Promise<boolean> {
    this.#restart?.cancel();
    const worker = this.#worker;
    if (worker === undefined) return this.lag.lagRecords === 0;
    const drained = await new Promise<boolean>((resolve) => {
      const timer = this.#options.clock.after(withinMs, () => resolve(false));
      this.#onDrained = () => {
        timer.cancel();
        resolve(true);
      };
      this.#send({ kind: 'drain', seq: this.#options.lastSeq() });
    });
    await worker.terminate();
    this.#worker = undefined;
    return drained;
  }

  #send(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  #hear(message: FromWorker): void {
    switch (message.kind) {
      case 'report':
        if (message.lastError !== this.#report.lastError) this.#options.onTrouble(message.lastError);
        this.#report = { published: message.published, lagMs: message.lagMs, lastError: message.lastError };
        return;
      case 'command':
        // The engine is closed by then. Not answered, it is told to the next one.
        if (this.#onDrained !== undefined) return;
        this.#options.onCommand(message.command);
        this.#send({ kind: 'obeyed', id: message.command.id });
        return;
      case 'drained':
        this.#report = { published: message.published, lagMs: 0, lastError: '' };
        this.#onDrained?.();
    }
  }
}
