import type { Command } from '#shared/schema/command.ts';
import type { AwsOptions } from './aws.ts';
import type { ToldMemory } from './told.ts';

/** What the publish worker is started with. */
export type WorkerOptions = {
  readonly journalDir: string;
  /** Where the shipped position is kept. */
  readonly positionFile: string;
  /** Where the position in the `commands` stream is kept. */
  readonly commandsFile: string;
  readonly streams: { readonly events: string; readonly market: string; readonly commands: string };
  readonly stateTable: string;
  readonly aws: AwsOptions;
  /** Where a lease is asked for: its epoch, and the memory of its gate. */
  readonly lease?: { readonly epoch: number; readonly memory: SharedArrayBuffer };
  readonly told: ToldMemory;
  /** Seed of the backoff's jitter. */
  readonly seed: number;
};

export type ToWorker =
  /** Ship everything up to this sequence number, answer, end. */
  | { readonly kind: 'drain'; readonly seq: number }
  /** The command was carried out and stands in the journal. */
  | { readonly kind: 'obeyed'; readonly id: string };

/** `lagMs`: age of the oldest record that is not acknowledged. `lastError`: empty while all goes well. */
export type WorkerReport = { readonly published: number; readonly lagMs: number; readonly lastError: string };

export type FromWorker =
  | ({ readonly kind: 'report' } & WorkerReport)
  | { readonly kind: 'command'; readonly command: Command }
  | { readonly kind: 'drained'; readonly published: number };
