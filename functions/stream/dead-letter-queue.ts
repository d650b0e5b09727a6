import { SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { ApplicationError } from '../common/errors.ts';
import type { SendDeadLetter } from './dead-letters.ts';

/** Into the queue whose length raises the alarm. @throws ApplicationError 5002 when it does not take it: the record comes again */
export function deadLetterQueue(client: SQSClient, url: string): SendDeadLetter {
  return async (message) => {
    try {
      await client.send(new SendMessageCommand({ QueueUrl: url, MessageBody: message }));
    } catch (error) {
      throw new ApplicationError(5002, `the dead letters' queue: ${(error as Error).name}`);
    }
  };
}
