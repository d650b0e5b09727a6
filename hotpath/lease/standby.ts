import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { BadInput } from '#shared/assert.ts';
import type { Clock } from '#shared/clock/clock.ts';
import type { Config } from '#shared/schema/config.ts';
import type { AwsOptions } from '../publish/aws.ts';
import type { Logger } from '../runtime/logger.ts';
import { Lease } from './lease.ts';
import { LeaseGate } from './lease-gate.ts';
import { RemoteStore } from './remote-store.ts';

/** How a process ends that has lost its lease: whoever watches it starts it again, as a standby. */
export const EXIT_LEASE_LOST = 3;

export type StandbyOptions<T> = {
  readonly config: Config;
  readonly aws: AwsOptions;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The highest epoch that the journal knows. */
  readonly epochMin: number;
  /** What an engine needs beside the journal. Made at once, and again now and then: what the venues list changes. */
  readonly prepare: () => Promise<T>;
  /** Called once, with what was prepared first. Should end soon once the lease is overdue: until then nobody trades. */
  readonly warmUp: (prepared: T, isOverdue: () => boolean) => Promise<void>;
  /** Called all the while: what the journal says can be read as it grows. */
  readonly onWait: () => void;
  /** Told that this process is ready and waits for its turn. */
  readonly onWaiting: (holder: string) => void;
  /** Nobody could renew in time: nothing is sent. While nobody else can have it, what rests at the venues is better taken back. */
  readonly onLapsed: (isAlone: boolean) => void;
  readonly onLost: () => void;
};

/** It was this process's turn. */
export type Turn<T> = { readonly lease: Lease; readonly gate: LeaseGate; readonly prepared: T };

const PREPARE_EVERY_MS = 600_000;
const WAIT_EVERY_MS = 250;

/**
 * Waits for the lease, however long, with everything at hand that can be had without it. A process that cannot get that far never takes the lease.
 * @throws BadInput as `prepare` does, the first time
 */
export async function standBy<T>(options: StandbyOptions<T>): Promise<Turn<T>> {
  const { clock, logger, prepare, warmUp, onWait, onWaiting } = options;
  const gate = new LeaseGate();
  const lease = leaseOf(options, gate);
  let prepared: { readonly made: T } | undefined;
  const acquired = lease.acquire(() => prepared !== undefined);
  const first = await prepare();
  await warmUp(first, () => lease.isOverdue);
  prepared = { made: first };
  let preparing = clock.after(PREPARE_EVERY_MS, again);
  let waiting = clock.after(WAIT_EVERY_MS, wait);
  logger.info('standing-by', { holder: lease.holder });
  onWaiting(lease.holder);
  const epoch = await acquired;
  preparing.cancel();
  waiting.cancel();
  logger.info('lease-held', { holder: lease.holder, epoch });
  return { lease, gate, prepared: prepared.made };

  function wait(): void {
    onWait();
    waiting = clock.after(WAIT_EVERY_MS, wait);
  }

  function again(): void {
    preparing = clock.after(PREPARE_EVERY_MS, again);
    prepare().then(
      (made) => (prepared = { made }),
      (error: unknown) => {
        if (!(error instanceof BadInput)) throw error;
        logger.warn('standby-not-refreshed', { reason: error.message });
      },
    );
  }
}

function leaseOf<T>(options: StandbyOptions<T>, gate: LeaseGate): Lease {
  const { config, aws, clock, logger, epochMin, onLapsed, onLost } = options;
  const { ttl_ms: ttlMs, renew_ms: renewMs } = config.lease;
  const lease: Lease = new Lease({
    clock,
    // Of the machine for people, like no other by chance.
    holder: `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`,
    ttlMs,
    renewMs,
    epochMin,
    store: new RemoteStore({
      clock,
      worker: { engine: config.engine.name, stateTable: config.stores.state_table, aws, timeoutMs: ttlMs / 3 },
      onCrash: (error) => logger.error('lease-worker-crashed', { message: error.message }),
    }),
    onValid: () => gate.openFor(() => lease.leftMs),
    onLapsed: (isAlone) => {
      logger.error('lease-not-renewed', { isAlone });
      onLapsed(isAlone);
    },
    onResumed: () => logger.warn('lease-renewed-again'),
    onLost: (to) => {
      gate.close();
      logger.error('lease-lost', { to });
      onLost();
    },
    onTrouble: (error) => {
      if (error === '') logger.info('lease-table-answers');
      else logger.warn('lease-table-silent', { error });
    },
  });
  return lease;
}
