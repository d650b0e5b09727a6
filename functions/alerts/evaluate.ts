import type { KinesisStreamEvent } from 'aws-lambda';
import type { AlertsConfig } from '#shared/schema/alerts.ts';
import { ALL_DONE, type BatchResponse } from '../stream/records.ts';
import type { AlertDesk } from './desk.ts';
import { emfLine } from './emf.ts';
import { signalsOfFigures } from './figures.ts';
import { createAlertStream, type AlertStreamOptions } from './stream.ts';
import { readFigures, type WatchOptions } from './watch.ts';

export type EvaluateOptions = AlertStreamOptions & {
  readonly desk: AlertDesk;
  readonly watch: WatchOptions;
  readonly config: () => Promise<AlertsConfig>;
  /** A line of metrics. */
  readonly write: (line: string) => void;
};

/** A look at the figures, and at what time has made of the alerts. @throws ApplicationError when the database is away */
export async function lookOnce({ desk, watch, engine, config, write }: EvaluateOptions): Promise<void> {
  const figures = await readFigures(watch, await config());
  if (figures.status !== undefined) write(`${emfLine(engine, figures)}\n`);
  await desk.look((known, settings) => signalsOfFigures(figures, known, settings));
}

/** What calls it is either the stream of events, or the schedule, which brings no records. */
export function createEvaluation(
  options: EvaluateOptions,
): (event: Partial<KinesisStreamEvent>) => Promise<BatchResponse> {
  const hear = createAlertStream(options);
  return async ({ Records }) => {
    if (Records !== undefined) return hear({ Records });
    await lookOnce(options);
    return ALL_DONE;
  };
}
