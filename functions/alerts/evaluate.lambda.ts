import { SNSClient } from '@aws-sdk/client-sns';
import { systemClock } from '#shared/clock/clock.ts';
import { alertsConfig } from '#shared/schema/alerts.ts';
import { documentClient, dynamoClient } from '../common/clients.ts';
import { storeNames, variable } from '../common/environment.ts';
import { jsonLog } from '../common/log.ts';
import { signingSecret } from '../common/secrets.ts';
import { Store } from '../common/store.ts';
import { createAcknowledgements } from './acknowledgement.ts';
import { AlertDesk } from './desk.ts';
import { createEvaluation } from './evaluate.ts';
import { ackLinks, currentAlerts } from './settings.ts';
import { publishTo, topicArns } from './topics.ts';

const clock = systemClock();
const engine = variable('ENGINE');
const store = new Store(documentClient(dynamoClient()), storeNames(), engine);
const config = currentAlerts(store, alertsConfig.parse(JSON.parse(variable('ALERTS'))));
const write = (line: string): void => void process.stdout.write(line);
const log = jsonLog(write);
const desk = new AlertDesk({
  table: store.state,
  engine,
  config,
  publish: publishTo(
    new SNSClient({ region: process.env['AWS_REGION'] ?? 'us-east-1', maxAttempts: 3 }),
    topicArns.parse(JSON.parse(variable('TOPICS'))),
  ),
  ackUrl: ackLinks({
    engine,
    apiUrl: variable('API_URL'),
    acknowledgements: createAcknowledgements(signingSecret(process.env, clock), clock),
  }),
  handsOn: 'at-once',
  clock,
  log,
});

/** Event sources: the `events` stream, with ReportBatchItemFailures, and a schedule of one minute. */
export const handler = createEvaluation({
  desk,
  engine,
  config,
  watch: { store, clock, maxDailyLossUsd: Number(variable('MAX_DAILY_LOSS_USD')) },
  clock,
  log,
  write,
});
