import { systemClock } from '#shared/clock/clock.ts';
import { alertsConfig } from '#shared/schema/alerts.ts';
import { documentClient, dynamoClient } from '../common/clients.ts';
import { storeNames, variable } from '../common/environment.ts';
import { jsonLog } from '../common/log.ts';
import { keptSecret, secretsClient, secretsManagerRead } from '../common/secrets.ts';
import { Table } from '../common/table.ts';
import { createSending } from './send.ts';
import { channelAddresses, createSender } from './sender.ts';
import { currentAlerts } from './settings.ts';

const clock = systemClock();
const log = jsonLog((line) => process.stdout.write(line));
const table = new Table(documentClient(dynamoClient()), storeNames().state_table);
const config = currentAlerts(
  { state: table, engine: variable('ENGINE') },
  alertsConfig.parse(JSON.parse(variable('ALERTS'))),
);
const secret = keptSecret({ read: secretsManagerRead(secretsClient(), variable('CHANNELS_SECRET_ID')), clock });

/** Event source: the queue of the topics of alerts, with ReportBatchItemFailures. */
export const handler = createSending(
  createSender({
    table,
    // The configuration's `webhook_url` can be set over the API: nobody has this function post to an address of their choice.
    addresses: async () => channelAddresses.parse(JSON.parse(await secret())),
    minSeverity: async () => (await config()).min_severity,
    clock,
    log,
  }),
  log,
);
