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
import type { Trading } from './trading-control.ts';

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

/** What an engine starts with. `restriction`: a version does not count, so nothing is opened until a start with one that does. */
export type Beginning = Started & { readonly restriction?: Trading };

/**
 * Lays the newest stored version over what an engine was started with. Without an answer in time the version that the data folder remembers stands for it,
 * without one the files. A version that is no configuration of this release is left out in the same way; what stands for it may be looser than what was
 * wanted, so trading only reduces. Each of these is said in the log.
 */
export async function withStoredConfig(started: Started, options: StoredOptions): Promise<Beginning> {
  const { logger } = options;
  const kept = keptVersion(started.config.system.data_dir);
  const answer = await ask(options);
  if (answer.kind === 'failed') logger.warn('stored-config-unreachable', { error: answer.error });
  const sources = answer.kind === 'failed' ? [kept.load] : [() => versionFrom(answer.text), kept.load];
  let refusal: string | undefined;
  for (const source of sources) {
    try {
      const version = source();
      return restricted(version === undefined ? started : inForce(started, version, logger), refusal);
    } catch (error) {
      if (!(error instanceof BadInput)) throw error;
      refusal ??= error.message;
      logger.error('stored-config-refused', { reason: error.message });
    }
  }
  return restricted(started, refusal);
}

const restricted = (started: Started, refusal: string | undefined): Beginning =>
  refusal === undefined
    ? started
    : { ...started, restriction: { state: 'reducing', reason: `CONFIG_REFUSED: ${refusal}` } };

function inForce(started: Started, version: StoredVersion, logger: Logger): Started {
  const { data_dir: dataDir } = started.config.system;
  const layered = withStored(started, version);
  const changes = changesBetween(started.config, layered.config).map(({ path }) => path);
  logger.info('stored-config', { version: version.version, changes });
  mkdirSync(dataDir, { recursive: true });
  keptVersion(dataDir).save(version);
  return layered;
}

/** @throws BadInput when the item in the table is no version */
function versionFrom(text: string | undefined): StoredVersion | undefined {
  if (text === undefined) return undefined;
  try {
    return versionSchema.parse(JSON.parse(text));
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof z.ZodError)) throw error;
    throw new BadInput('the newest version of the configuration cannot be read', { cause: error });
  }
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
