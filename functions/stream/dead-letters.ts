import type { Clock } from '#shared/clock/clock.ts';
import { at } from '../common/layout.ts';
import type { Table } from '../common/table.ts';
import type { DeadLetter } from './records.ts';

const KEEP_DAYS = 90;
/** Enough to see what it was; a record may be a megabyte. */
const TEXT_MAX = 4_096;

/** JSON of a dead letter to whoever is called by it. */
export type SendDeadLetter = (message: string) => Promise<void>;

/** Keeps what could not be understood, with the reason, and tells of it; the same record again changes nothing that is kept. */
export function buryIn(table: Table, clock: Clock, send?: SendDeadLetter): (letter: DeadLetter) => Promise<void> {
  return async ({ stream, record, reason }) => {
    const nowMs = clock.unixMs(clock.now());
    const body = record.text.slice(0, TEXT_MAX);
    await table.update(at.deadLetter(stream, record.position), {
      UpdateExpression: 'SET reason = :reason, body = :body, at_ms = if_not_exists(at_ms, :now), #ttl = :ttl',
      ExpressionAttributeNames: { '#ttl': 'ttl' },
      ExpressionAttributeValues: {
        ':reason': reason,
        ':body': body,
        ':now': nowMs,
        ':ttl': Math.ceil(nowMs / 1000) + KEEP_DAYS * 86_400,
      },
    });
    await send?.(JSON.stringify({ stream, position: record.position, reason, body }));
  };
}
