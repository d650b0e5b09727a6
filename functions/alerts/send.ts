import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { BadInput } from '#shared/assert.ts';
import { ApplicationError } from '../common/errors.ts';
import type { Log } from '../common/log.ts';
import { noticeFrom } from './message.ts';
import type { Notice } from './notice.ts';
import { NotDelivered } from './sender.ts';

/** The queue of the topics, one notice after the other; what some channel did not take comes again, and in the end goes to the dead letters. */
export function createSending(
  send: (notice: Notice) => Promise<void>,
  log: Log,
): (event: SQSEvent) => Promise<SQSBatchResponse> {
  return async ({ Records }) => {
    const batchItemFailures: { readonly itemIdentifier: string }[] = [];
    for (const { body, messageId } of Records) {
      try {
        await send(noticeFrom(body));
      } catch (error) {
        const isExpected =
          error instanceof NotDelivered || error instanceof ApplicationError || error instanceof BadInput;
        if (!isExpected) throw error;
        log.warn('notice-not-sent', { message: messageId, cause: error.message });
        batchItemFailures.push({ itemIdentifier: messageId });
      }
    }
    return { batchItemFailures };
  };
}
