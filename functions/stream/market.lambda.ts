import { systemClock } from '#shared/clock/clock.ts';
import { documentClient, dynamoClient } from '../common/clients.ts';
import { storeNames, variable } from '../common/environment.ts';
import { jsonLog } from '../common/log.ts';
import { createMarketProjector } from './market.ts';

/** Event source: the `market` stream, with ReportBatchItemFailures. */
export const handler = createMarketProjector({
  client: documentClient(dynamoClient()),
  names: storeNames(),
  stream: variable('MARKET_STREAM'),
  clock: systemClock(),
  log: jsonLog((line) => process.stdout.write(line)),
});
