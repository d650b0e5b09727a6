import { SQSClient } from '@aws-sdk/client-sqs';
import { systemClock } from '#shared/clock/clock.ts';
import { documentClient, dynamoClient } from '../common/clients.ts';
import { storeNames, variable } from '../common/environment.ts';
import { jsonLog } from '../common/log.ts';
import { Table } from '../common/table.ts';
import { timeSeriesFrom } from '../common/time-series-choice.ts';
import { deadLetterQueue } from './dead-letter-queue.ts';
import { createMarketProjector } from './market.ts';

const clock = systemClock();
const client = documentClient(dynamoClient());
const names = storeNames();

/** Event source: the `market` stream, with ReportBatchItemFailures. */
export const handler = createMarketProjector({
  client,
  names,
  series: timeSeriesFrom(process.env, new Table(client, names.state_table), clock),
  stream: variable('MARKET_STREAM'),
  clock,
  log: jsonLog((line) => process.stdout.write(line)),
  sendDeadLetter: deadLetterQueue(new SQSClient(), variable('DEAD_LETTERS_URL')),
});
