import type { KinesisStreamEvent } from 'aws-lambda';

/** One line of a Kinesis record, decoded. `position` names it within its stream. */
export type StreamRecord = {
  readonly sequenceNumber: string;
  /** Within its Kinesis record, from 0. */
  readonly line: number;
  readonly position: string;
  readonly text: string;
};

export type BatchResponse = { readonly batchItemFailures: readonly { readonly itemIdentifier: string }[] };

/** The publish worker puts what follows each other of one key into one record, a line each. */
export const recordsOf = (event: KinesisStreamEvent): readonly StreamRecord[] =>
  event.Records.flatMap(({ kinesis: { sequenceNumber, data }, eventID }) =>
    Buffer.from(data, 'base64')
      .toString('utf8')
      .split('\n')
      .map((text, line) => ({ sequenceNumber, line, position: line === 0 ? eventID : `${eventID}.${line}`, text })),
  );

/** Lambda goes on from the first record named, so one is enough; everything after it comes again. */
export const retryFrom = (record: StreamRecord): BatchResponse => ({
  batchItemFailures: [{ itemIdentifier: record.sequenceNumber }],
});
export const ALL_DONE: BatchResponse = { batchItemFailures: [] };

/** A record that no retry can help: what it was and why. */
export type DeadLetter = {
  readonly stream: string;
  readonly record: Omit<StreamRecord, 'line'>;
  readonly reason: string;
};

/** The JSON of a record, or why it is poison. */
export function parsed<T>(
  text: string,
  schema: { readonly safeParse: (value: unknown) => { success: true; data: T } | { success: false; error: Error } },
): { readonly value: T } | { readonly reason: string } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { reason: 'not JSON' };
  }
  const result = schema.safeParse(json);
  return result.success ? { value: result.data } : { reason: result.error.message.slice(0, 500) };
}
