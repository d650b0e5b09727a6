import type { KinesisStreamEvent } from 'aws-lambda';
import { systemClock } from '#shared/clock/clock.ts';
import { engineStatus } from '#shared/schema/status.ts';
import { isClosed } from '../common/api-keys.ts';
import { documentClient, dynamoClient } from '../common/clients.ts';
import { variable } from '../common/environment.ts';
import { jsonLog } from '../common/log.ts';
import { at } from '../common/layout.ts';
import { Table } from '../common/table.ts';
import type { BatchResponse } from '../stream/records.ts';
import { ChannelLog } from './channel-log.ts';
import { Connections } from './connections.ts';
import { Courier } from './courier.ts';
import { createFanout } from './fanout.ts';
import { managedConnections } from './gateway.ts';

const clock = systemClock();
const engine = variable('ENGINE');
const state = new Table(documentClient(dynamoClient()), variable('STATE_TABLE'));
const channels = new ChannelLog(state, engine, clock);

const fanout = createFanout({
  channels,
  courier: new Courier({
    channels,
    connections: new Connections(state, engine),
    gateway: managedConnections(variable('PUSH_ENDPOINT')),
    isClosed: ({ id }) => isClosed(state, id, clock.unixMs(clock.now())),
    clock,
  }),
  engine,
  risk: async () => {
    const item = await state.get(at.status(engine));
    return item === undefined ? undefined : engineStatus.parse(JSON.parse(String(item['status']))).risk;
  },
  log: jsonLog((line) => process.stdout.write(line)),
});
const marketStream = variable('MARKET_STREAM');

/** Event sources: the `events` and the `market` stream, with ReportBatchItemFailures. A batch is of one of them. */
export const handler = (event: KinesisStreamEvent): Promise<BatchResponse> =>
  event.Records[0]?.eventSourceARN.endsWith(`/${marketStream}`) === true ? fanout.market(event) : fanout.events(event);
