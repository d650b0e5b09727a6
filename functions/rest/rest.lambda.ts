import { PutRecordCommand } from '@aws-sdk/client-kinesis';
import middy from '@middy/core';
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { systemClock } from '#shared/clock/clock.ts';
import { createAcknowledgements } from '../alerts/acknowledgement.ts';
import { authorityFrom } from '../common/authority.ts';
import { documentClient, dynamoClient, kinesisClient } from '../common/clients.ts';
import { listVariable, storeNames, variable } from '../common/environment.ts';
import { jsonLog } from '../common/log.ts';
import { signingSecret } from '../common/secrets.ts';
import { Store } from '../common/store.ts';
import { Table } from '../common/table.ts';
import { Tally } from '../common/tally.ts';
import { timeSeriesFrom } from '../common/time-series-choice.ts';
import { Connections } from '../websocket/connections.ts';
import { requestFrom, resultFrom } from './api-gateway.ts';
import { createApp } from './app.ts';

const clock = systemClock();
const client = documentClient(dynamoClient());
const names = storeNames();
const kinesis = kinesisClient();
const engine = variable('ENGINE');
const secret = signingSecret(process.env, clock);

const state = new Table(client, names.state_table);
const connections = new Connections(state, engine);

const app = createApp({
  store: new Store(client, names, engine, timeSeriesFrom(process.env, state, clock)),
  authority: authorityFrom(process.env, clock, secret),
  acknowledgements: createAcknowledgements(secret, clock),
  rateLimit: {
    perMinute: Number(process.env['RATE_LIMIT_PER_MINUTE'] ?? 1000),
    burst: Number(process.env['RATE_LIMIT_BURST'] ?? 100),
  },
  clock,
  log: jsonLog((line) => process.stdout.write(line)),
  tally: new Tally(),
  sendCommand: async (command) => {
    const Data = Buffer.from(JSON.stringify(command));
    await kinesis.send(new PutRecordCommand({ StreamName: variable('COMMANDS_STREAM'), PartitionKey: engine, Data }));
  },
  symbols: listVariable('SYMBOLS'),
  venues: listVariable('VENUES'),
  corsOrigins: listVariable('CORS_ORIGINS'),
  addressOf: ({ env }) => (env as Bindings).event.requestContext.identity.sourceIp,
  socketsOpen: () => connections.count(),
});

type Bindings = { readonly event: APIGatewayProxyEvent };

/** API Gateway REST API (v1), Lambda proxy. */
export const handler = middy<APIGatewayProxyEvent, APIGatewayProxyResult>().handler(async (event) =>
  resultFrom(await app.fetch(requestFrom(event), { event } satisfies Bindings)),
);
