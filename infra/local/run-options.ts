import { accessSync, closeSync, constants, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { BadInput } from '#shared/assert.ts';
import { recomputePnl } from '#shared/money/pnl.ts';
import { textOf } from '#shared/money/grid.ts';
import type { Config } from '#shared/schema/config.ts';
import type { EngineEvent } from '#shared/schema/event.ts';
import type { EngineStatus } from '#shared/schema/status.ts';
import type { RunReport } from './run-report.ts';
import { JournalTotals, reportFrom } from './run-report.ts';

export type RunOptions = {
  readonly config: Config;
  readonly seed: number;
  /** Until asked to stop where absent. */
  readonly forSeconds?: number | undefined;
  readonly reportFile?: string | undefined;
  readonly live: boolean;
  /** A second engine that takes over when the first is gone. */
  readonly standby: boolean;
  /** Frame file for everything the venues send. */
  readonly recordFile?: string | undefined;
  /** A live table on a terminal; a line now and then elsewhere. */
  readonly table: boolean;
};

/** What is known of a run once it is over. */
export type Outcome = {
  readonly status: EngineStatus;
  readonly decisionHash: string;
  /** First journal record of the run. */
  readonly firstSeq: number;
  readonly seconds: number;
  /** Of the engine's whole life, as the stream and the tables have them. */
  readonly published: number;
  readonly projected: number;
};

/** The run's report from its journal; `read` yields the events after a sequence number. */
export function reportOf(
  { seed }: RunOptions,
  outcome: Outcome,
  read: (afterSeq: number) => Iterable<EngineEvent>,
): RunReport {
  const before = outcome.firstSeq - 1;
  const totals = new JournalTotals(before);
  const counted = function* (): Generator<EngineEvent> {
    for (const event of read(before)) {
      totals.add(event);
      yield event;
    }
  };
  const pnl = recomputePnl(counted());
  return reportFrom(totals, outcome.status, {
    seed,
    seconds: Math.round(outcome.seconds * 1e3) / 1e3,
    pnl: { realised: textOf(pnl.realised), fees: textOf(pnl.fees) },
    published: outcome.published - before,
    // Nothing where the tables did not answer.
    projected: Math.max(0, outcome.projected - before),
    decisionHash: outcome.decisionHash,
  });
}

/**
 * Makes sure, before anything runs, that what a run leaves behind can be written: nobody should learn after an hour that it cannot.
 * @throws BadInput naming the file or folder
 */
export function checkOutputs({ config, reportFile, recordFile }: RunOptions): void {
  const { data_dir: folder } = config.system;
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new BadInput(`cannot keep data in ${folder}: ${codeOf(error)}`);
  }
  // The recording begins empty: an engine that starts with something in it goes on in a file beside it.
  for (const [file, flags] of [[reportFile, 'a'] as const, [recordFile, 'w'] as const]) {
    if (file === undefined) continue;
    try {
      closeSync(openSync(file, flags));
    } catch (error) {
      throw new BadInput(`cannot write ${file}: ${codeOf(error)}`);
    }
  }
}

/** @throws BadInput when the file cannot be written. */
export function writeReport(file: string, report: RunReport): void {
  try {
    writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  } catch (error) {
    throw new BadInput(`cannot write ${file}: ${codeOf(error)}`);
  }
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'unwritable';

/** A run in five lines, for people. */
export function summaryOf({ seconds, opportunities, operations, fills, pnl, events, decisionHash }: RunReport): string {
  return [
    `ran ${seconds.toFixed(1)} s`,
    `opportunities  detected ${opportunities.detected}  executed ${opportunities.executed}`,
    `operations     completed ${operations.completed}  failed ${operations.failed}  recovering ${operations.recovering}  open ${operations.open}  fills ${fills}`,
    `PnL            realised ${pnl.realised}  fees ${pnl.fees}`,
    `events         journalled ${events.journalled}  published ${events.published}  projected ${events.projected}`,
    `decisions      ${decisionHash}`,
    '',
  ].join('\n');
}
