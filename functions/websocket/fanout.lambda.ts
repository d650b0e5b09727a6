import type { KinesisStreamEvent } from 'aws-lambda';
import { systemClock } from '#shared/clock/clock.ts';
import { documentClient, dynamoClient } from '../common/clients.ts';
import { storeNames, variable } from '../common/environment.ts';
import { jsonLog } from '../common/log.ts';
import { Store } from '../common/store.ts';
import type { BatchResponse } from '../stream/records.ts';
import { ChannelLog } from './channel-log.ts';
import { Connections } from './connections.ts';
import { Courier } from './courier.ts';
import { createFanout } from './fanout.ts';
import { managedConnections } from './gateway.ts';

const clock = systemClock();
const engine = variable('ENGINE');
const store = new Store(documentClient(dynamoClient()), storeNames(), engine);
const channels = new ChannelLog(store.state, engine, clock);

const fanout = createFanout({
  channels,
  courier: new Courier({
    channels,
    connections: new Connections(store.state, engine),
    gateway: managedConnections(variable('PUSH_ENDPOINT')),
    clock,
  }),
  store,
  log: jsonLog((line) => process.stdout.write(line)),
});
const marketStream = variable('MARKET_STREAM');

/** Event sources: the `events` and the `market` stream, with ReportBatchItemFailures. A batch is of one of them. */
export const handler = (event: KinesisStreamEvent): Promise<BatchResponse> =>
  event.Records[0]?.eventSourceARN.endsWith(`/${marketStream}`) === true ? fanout.market(event) : fanout.events(event);
