import { SQSClient } from '@aws-sdk/client-sqs';
import { systemClock } from '#shared/clock/clock.ts';
import { documentClient, dynamoClient } from '../common/clients.ts';
import { storeNames, variable } from '../common/environment.ts';
import { jsonLog } from '../common/log.ts';
import { deadLetterQueue } from './dead-letter-queue.ts';
import { createProjector } from './projector.ts';

/** Event source: the `events` stream, with ReportBatchItemFailures. */
export const handler = createProjector({
  client: documentClient(dynamoClient()),
  names: storeNames(),
  stream: variable('EVENTS_STREAM'),
  clock: systemClock(),
  log: jsonLog((line) => process.stdout.write(line)),
  sendDeadLetter: deadLetterQueue(new SQSClient(), variable('DEAD_LETTERS_URL')),
});
