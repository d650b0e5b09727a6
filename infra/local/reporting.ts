import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Clock, Timer } from '#shared/clock/clock.ts';
import { ApplicationError } from '#functions/common/errors.ts';
import type { Log } from '#functions/common/log.ts';
import type { Store } from '#functions/common/store.ts';
import { keepReports, type Shelf } from '#functions/reports/keep-reports.ts';

const HOUR_MS = 3_600_000;
/** What the schedule of the cloud waits after midnight: by then the day is settled. */
const AFTER_HOUR_MS = 60_000;

export type ReportingOptions = {
  readonly store: Store;
  readonly dataDir: string;
  readonly clock: Clock;
  readonly log: Log;
};

/** The daily reports into the data folder: those that are missing at the start, and each once its day is settled. */
export function startReporting({ store, dataDir, clock, log }: ReportingOptions): {
  readonly stop: () => Promise<void>;
} {
  const shelf = folderShelf(dataDir);
  let timer: Timer | undefined;
  let running = Promise.resolve();
  let isOver = false;
  const tell = (subject: string): Promise<void> => {
    log.info('report', { subject });
    return Promise.resolve();
  };
  const run = async (): Promise<void> => {
    try {
      await keepReports({ store, shelf, tell, clock, log });
    } catch (error) {
      // The database is away: the next hour makes it up.
      if (!(error instanceof ApplicationError)) throw error;
      log.warn('reports-not-kept', { cause: error.message });
    }
  };
  const again = (): void => {
    running = run().then(() => {
      if (!isOver) timer = clock.after(HOUR_MS - (clock.unixMs(clock.now()) % HOUR_MS) + AFTER_HOUR_MS, again);
    });
  };
  again();
  return {
    stop: async () => {
      isOver = true;
      timer?.cancel();
      await running;
      timer?.cancel();
    },
  };
}

/** Written whole or not at all. */
function folderShelf(dataDir: string): Shelf {
  const placeOf = (name: string): string => join(dataDir, name);
  return {
    placeOf,
    put: (name, body) => {
      const file = placeOf(name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(`${file}.new`, body);
      renameSync(`${file}.new`, file);
      return Promise.resolve();
    },
  };
}
