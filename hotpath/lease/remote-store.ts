import { Worker } from 'node:worker_threads';
import { assert, BadInput } from '#shared/assert.ts';
import type { Clock, Timer } from '#shared/clock/clock.ts';
import type { LeaseStore } from './lease.ts';
import type {
  FromLeaseWorker,
  LeaseAnswer,
  LeaseQuestion,
  LeaseWorkerOptions,
  ToLeaseWorker,
} from './worker-messages.ts';

export type RemoteStoreOptions = {
  readonly clock: Clock;
  readonly worker: LeaseWorkerOptions;
  /** The worker died of a bug; it is started again with the next question. */
  readonly onCrash: (error: Error) => void;
};

const WORKER_LIMITS = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 128 } as const;
/** The worker gives up first, where it lives. */
const SLACK = 1.25;

/** The main thread's side of the lease worker. */
export class RemoteStore implements LeaseStore {
  readonly #options: RemoteStoreOptions;
  readonly #pending = new Map<number, { readonly answered: (answer: LeaseAnswer) => void; readonly timer: Timer }>();
  #worker: Worker | undefined;
  #asked = 0;

  constructor(options: RemoteStoreOptions) {
    this.#options = options;
  }

  readonly read: LeaseStore['read'] = async () => {
    const answer = await this.#ask({ kind: 'read' });
    assert(answer.kind === 'record', 'the lease worker answers what it was asked');
    return answer.record;
  };

  readonly replace: LeaseStore['replace'] = async (seen, next) => {
    const answer = await this.#ask({ kind: 'replace', seen, next });
    assert(answer.kind === 'replaced', 'the lease worker answers what it was asked');
    return answer.done;
  };

  async close(): Promise<void> {
    await this.#worker?.terminate();
    this.#worker = undefined;
  }

  async #ask(question: LeaseQuestion): Promise<Exclude<LeaseAnswer, { kind: 'failed' }>> {
    const { clock, worker } = this.#options;
    this.#asked += 1;
    const id = this.#asked;
    const answer = await new Promise<LeaseAnswer>((answered) => {
      const timer = clock.after(worker.timeoutMs * SLACK, () => {
        this.#answer(id, { kind: 'failed', error: 'no answer in time' });
      });
      this.#pending.set(id, { answered, timer });
      this.#worker ??= this.#start();
      this.#worker.postMessage({ id, question } satisfies ToLeaseWorker);
    });
    if (answer.kind === 'failed') throw new BadInput(answer.error);
    return answer;
  }

  #start(): Worker {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: this.#options.worker,
      resourceLimits: WORKER_LIMITS,
    });
    worker.on('message', ({ id, answer }: FromLeaseWorker) => this.#answer(id, answer));
    worker.on('error', (error) => {
      this.#worker = undefined;
      this.#options.onCrash(error instanceof Error ? error : new Error(String(error)));
      for (const id of [...this.#pending.keys()]) this.#answer(id, { kind: 'failed', error: 'the lease worker died' });
    });
    return worker;
  }

  #answer(id: number, answer: LeaseAnswer): void {
    const asked = this.#pending.get(id);
    this.#pending.delete(id);
    asked?.timer.cancel();
    asked?.answered(answer);
  }
}
