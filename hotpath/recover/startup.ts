import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BadInput } from '#shared/assert.ts';
import type { HeldState } from '#shared/domain/held.ts';
import type { VenueId } from '#shared/domain/ids.ts';
import type { LedgerState, Left } from '#shared/domain/recovery.ts';
import { decimalFrom } from '#shared/money/grid.ts';
import type { Decimal } from 'decimal.js';
import type { EventData } from '#shared/schema/event.ts';
import type { Recorder } from '#shared/schema/recorder.ts';
import type { Checkpoint } from './journal-state.ts';
import { JournalState } from './journal-state.ts';

/** Balances at the first start: venue → asset → amount, `default` for venues without their own. */
export type InitialBalances = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** What start-up brings back to life. */
export type Revived = {
  readonly ledger: {
    readonly restore: (state: LedgerState) => void;
    readonly deposit: (venue: VenueId, asset: string, amount: Decimal) => void;
    readonly changes: () => { readonly balances: readonly EventData<'balance'>[] };
  };
  readonly executor: {
    readonly resume: (left: Left, asked: ReadonlyMap<string, EventData<'escalation'>>) => void;
  };
  readonly holdings: {
    readonly restore: (state: HeldState) => void;
  };
  readonly recorder: Recorder;
};

/**
 * The newest checkpoint of a directory that counts: what a writer of its epoch wrote up to its sequence number does. Nothing yet where there is none.
 * @throws BadInput on a checkpoint that is none.
 */
export function loadState(directory: string, counts: (epoch: number, seq: number) => boolean): JournalState {
  for (const epoch of checkpointsIn(directory)) {
    const state = loadCheckpoint(checkpointPath(directory, epoch));
    if (state !== undefined && counts(epoch, state.seq)) return state;
  }
  return new JournalState();
}

/**
 * Saves the state beside the journal, whole or not at all; what is before it may then be pruned. Each epoch has a file of its own: what a paused writer
 * of an older one saves late replaces nothing.
 */
export function saveCheckpoint(directory: string, state: JournalState, epoch: number): void {
  const path = checkpointPath(directory, epoch);
  writeFileSync(`${path}.new`, JSON.stringify(state.checkpoint()));
  renameSync(`${path}.new`, path);
  for (const older of checkpointsIn(directory))
    if (older < epoch) rmSync(checkpointPath(directory, older), { force: true });
}

/** Their epochs, newest first. */
const checkpointsIn = (directory: string): readonly number[] =>
  readdirSync(directory)
    .flatMap((name) => {
      const match = /^checkpoint(?:-([1-9]\d*))?[.]json$/.exec(name);
      return match === null ? [] : [Number(match[1] ?? 0)];
    })
    .sort((a, b) => b - a);

const checkpointPath = (directory: string, epoch: number): string =>
  join(directory, epoch === 0 ? 'checkpoint.json' : `checkpoint-${epoch}.json`);

/**
 * Start-up is recovery: balances as the journal has them (or the initial ones for a venue that never had any), no opportunity left open,
 * what is held looked after again, and every open operation taken up where it was left. All of `revived` must be new.
 */
export function revive(
  state: JournalState,
  venues: readonly string[],
  initial: InitialBalances,
  revived: Revived,
): void {
  const { ledger, executor, holdings, recorder } = revived;
  ledger.restore(state.ledger());
  holdings.restore(state.held);
  for (const venue of venues) {
    if (state.isFunded(venue)) continue;
    for (const [asset, amount] of Object.entries(initial[venue] ?? initial['default'] ?? {})) {
      ledger.deposit(venue as VenueId, asset, decimalFrom(amount));
    }
  }
  for (const balance of ledger.changes().balances)
    recorder.record('balance', `${balance.venue}:${balance.asset}`, balance);
  for (const opportunity of state.openOpportunities()) {
    recorder.record('opportunity', opportunity.id, { ...opportunity, status: 'expired' });
  }
  recorder.flush();
  const left = { open: state.openOperations(), ended: state.endedOperations(), atMs: state.atMs };
  executor.resume(left, state.openEscalations);
}

/** Undefined for one that somebody removed meanwhile. */
function loadCheckpoint(path: string): JournalState | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return JournalState.from(JSON.parse(text) as Checkpoint);
  } catch (error) {
    throw new BadInput(`checkpoint cannot be read: file=${path}`, { cause: error });
  }
}
