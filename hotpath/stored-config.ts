import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { Clock } from '#shared/clock/clock.ts';
import { changesBetween } from '#shared/config/changes.ts';
import type { Started, StoredVersion } from '#shared/config/stored.ts';
import { withStored } from '#shared/config/stored.ts';
import type { PositionFile } from './publish/position-file.ts';
import { positionFile } from './publish/position-file.ts';
import type { Logger } from './runtime/logger.ts';
import type { StoredAnswer, StoredQuestion } from './stored-config-messages.ts';

export type StoredOptions = {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly question: StoredQuestion;
  /** The whole wait: a thread is started for the question. */
  readonly withinMs: number;
};

const versionSchema = z.object({ version: z.int().min(0), config: z.unknown() });

/** The last version that an engine of this data folder was given: what counts while the table does not answer. */
export const keptVersion = (dataDir: string): PositionFile<StoredVersion> =>
  positionFile(join(dataDir, 'config-version.json'), (json) => versionSchema.parse(json));

/**
 * Lays the newest stored version over what an engine was started with. Without an answer in time the version that the data folder remembers stands for it,
 * without one the files; a version that is no configuration of this release is left out. Each of these is said in the log.
 */
export async function withStoredConfig(started: Started, options: StoredOptions): Promise<Started> {
  const { logger } = options;
  const kept = keptVersion(started.config.system.data_dir);
  const answer = await ask(options);
  const version = answer.kind === 'failed' ? kept.load() : versionFrom(answer.text);
  if (answer.kind === 'failed')
    logger.warn('stored-config-unreachable', { error: answer.error, instead: version?.version ?? 'the files' });
  if (version === undefined) return started;
  try {
    const layered = withStored(started, version);
    const changes = changesBetween(started.config, layered.config).map(({ path }) => path);
    logger.info('stored-config', { version: version.version, changes });
    mkdirSync(started.config.system.data_dir, { recursive: true });
    kept.save(version);
    return layered;
  } catch (error) {
    if (!(error instanceof BadInput)) throw error;
    logger.error('stored-config-refused', { version: version.version, reason: error.message });
    return started;
  }
}

function versionFrom(text: string | undefined): StoredVersion | undefined {
  return text === undefined ? undefined : versionSchema.parse(JSON.parse(text));
}

async function ask({ clock, question, withinMs }: StoredOptions): Promise<StoredAnswer> {
  const worker = new Worker(new URL('./stored-config-worker.ts', import.meta.url), { workerData: question });
  try {
    return await new Promise((resolve, reject) => {
      const timer = clock.after(withinMs, () => resolve({ kind: 'failed', error: `no answer within ${withinMs} ms` }));
      worker.once('message', (answer: StoredAnswer) => {
        timer.cancel();
        resolve(answer);
      });
      worker.once('error', reject);
    });
  } finally {
    await worker.terminate();
  }
}
