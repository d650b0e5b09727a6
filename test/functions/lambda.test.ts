import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import type { APIGatewayProxyEvent, Context, KinesisStreamEvent } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentClient, dynamoClient } from '#functions/common/clients.ts';
import { at } from '#functions/common/layout.ts';
import { Table } from '#functions/common/table.ts';
import { tableDefinitions } from '#functions/common/tables.ts';
import { Connections } from '#functions/websocket/connections.ts';
import { ensureTables, startDynamo, type Peer } from '#local/peers.ts';
import { SECRET } from './support/cloud.ts';
import { batchOf, eventOf, opportunityData, sampleOf } from './support/events.ts';
import { parse } from './support/json.ts';
import { tempDir } from './support/world.ts';

const dir = tempDir();
const names = { state_table: 'state', events_table: 'events' };
let peer: Peer;
let client: DynamoDBDocumentClient;
const letters: string[] = [];
/** Takes every message, as SQS does. */
const queue = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const { MessageBody } = JSON.parse(Buffer.concat(chunks).toString()) as { MessageBody: string };
    letters.push(MessageBody);
    const MD5OfMessageBody = createHash('md5').update(MessageBody).digest('hex');
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' });
    response.end(JSON.stringify({ MessageId: '1', MD5OfMessageBody }));
  });
});
const listening = (server: Server): Promise<string> =>
  new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  });

beforeAll(async () => {
  peer = await startDynamo({ dataDir: dir.path, port: 0 });
  const dynamo = dynamoClient({ endpoint: peer.url });
  await ensureTables(dynamo, tableDefinitions(names));
  client = documentClient(dynamo);
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_DYNAMODB: peer.url,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    STATE_TABLE: names.state_table,
    EVENTS_TABLE: names.events_table,
    EVENTS_STREAM: 'events',
    MARKET_STREAM: 'market',
    DEAD_LETTERS_URL: `${await listening(queue)}/000000000000/dead-letters`,
    COMMANDS_STREAM: 'commands',
    ENGINE: 'engine-1',
    ARB_JWT_SECRET: SECRET,
  });
});
afterAll(async () => {
  queue.closeAllConnections();
  queue.close();
  client.destroy();
  await peer.close();
  dir.remove();
});

/** The entry files as Lambda loads them: configured by the environment alone. */
describe('lambda entries', () => {
  it('project the streams and answer for them', async () => {
    const projector = await import('#functions/stream/projector.lambda.ts');
    const market = await import('#functions/stream/market.lambda.ts');
    const rest = await import('#functions/rest/rest.lambda.ts');
    const events: KinesisStreamEvent = batchOf([JSON.stringify(eventOf('opportunity', 1, opportunityData('opp-1')))]);
    expect(await projector.handler(events)).toEqual({ batchItemFailures: [] });
    expect(await market.handler(batchOf([JSON.stringify(sampleOf('binance:BTC/USDT', 1))]))).toEqual({
      batchItemFailures: [],
    });
    const state = new Table(client, names.state_table);
    expect(await state.get(at.market('binance:BTC/USDT'))).toMatchObject({ at_ms: 1 });

    expect(await projector.handler(batchOf(['nonsense']))).toEqual({ batchItemFailures: [] });
    expect(letters.map((letter) => parse(letter)['reason'])).toEqual(['not JSON']);

    const call = async (path: string): Promise<{ statusCode: number; body: string }> =>
      rest.handler(gatewayEvent(path), {} as Context);
    expect((await call('/health')).statusCode).toBe(200);
    const denied = await call('/v1/market/prices');
    expect([denied.statusCode, parse(denied.body)['error']]).toEqual([401, expect.objectContaining({ code: 1001 })]);
    const connections = new Connections(state, 'engine-1');
    const guest = { id: 'x', scopes: ['read'] as const, expiresAtMs: 4e12 };
    for (const id of ['c-1', 'c-2']) await connections.open(id, guest, 1, undefined);
    expect((await call('/metrics')).body).toContain('websocket_connections_active 2\n');
    const ready = await call('/ready');
    expect([ready.statusCode, parse(ready.body)['error']]).toEqual([503, expect.objectContaining({ code: 5002 })]);
  });
});

const gatewayEvent = (path: string): APIGatewayProxyEvent =>
  ({
    httpMethod: 'GET',
    path,
    headers: {},
    multiValueQueryStringParameters: null,
    body: null,
    isBase64Encoded: false,
    requestContext: { domainName: 'api.example', identity: { sourceIp: '203.0.113.7' } },
  }) as unknown as APIGatewayProxyEvent;
