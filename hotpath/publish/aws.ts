import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { KinesisClient, PutRecordsCommand } from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { EngineStatus } from '#shared/schema/status.ts';
import type { PutRecords } from './shipper.ts';

/** Where the cloud is; without an endpoint the SDK finds it by region, and credentials by its own chain. */
export type AwsOptions = {
  readonly region: string;
  readonly kinesisEndpoint?: string;
  readonly dynamodbEndpoint?: string;
};

/** One attempt a call: whoever sends decides about repetition. */
export function kinesisFrom({ region, kinesisEndpoint }: AwsOptions): KinesisClient {
  return new KinesisClient({
    region,
    maxAttempts: 1,
    requestHandler: keepAliveHandler(),
    ...endpointOf(kinesisEndpoint),
  });
}

/** `timeoutMs`: of one attempt, of which there is then only one. */
export function dynamodbFrom({ region, dynamodbEndpoint }: AwsOptions, timeoutMs?: number): DynamoDBClient {
  return new DynamoDBClient({
    region,
    maxAttempts: timeoutMs === undefined ? 2 : 1,
    requestHandler: keepAliveHandler(timeoutMs),
    ...endpointOf(dynamodbEndpoint),
  });
}

/** PutRecords on one stream. */
export function putRecordsTo(kinesis: KinesisClient, stream: string): PutRecords {
  const encoder = new TextEncoder();
  return async (records) => {
    const answer = await kinesis.send(
      new PutRecordsCommand({
        StreamName: stream,
        Records: records.map(({ key, json }) => ({ PartitionKey: key.slice(0, 256), Data: encoder.encode(json) })),
      }),
    );
    return (answer.Records ?? []).map(({ ErrorCode, ErrorMessage }) =>
      ErrorCode === undefined ? undefined : `${ErrorCode}: ${ErrorMessage ?? ''}`,
    );
  };
}

/** How long the state table keeps the word of an engine that no longer speaks. */
const STATUS_TTL_SECONDS = 86_400;

/** Writes an engine's status past the streams. */
export async function putStatus(dynamodb: DynamoDBClient, table: string, status: EngineStatus): Promise<void> {
  await dynamodb.send(
    new PutItemCommand({
      TableName: table,
      Item: {
        pk: { S: `ENGINE#${status.engine}` },
        sk: { S: 'STATUS' },
        status: { S: JSON.stringify(status) },
        at_ms: { N: String(status.at_ms) },
        ttl: { N: String(Math.floor(status.at_ms / 1000) + STATUS_TTL_SECONDS) },
      },
    }),
  );
}

/** The default client opens a new session a request; this one keeps its connections. */
const keepAliveHandler = (timeoutMs = 5_000): NodeHttpHandler =>
  new NodeHttpHandler({
    connectionTimeout: Math.min(2_000, timeoutMs),
    requestTimeout: timeoutMs,
    throwOnRequestTimeout: true,
    httpAgent: new HttpAgent({ keepAlive: true, maxSockets: 8 }),
    httpsAgent: new HttpsAgent({ keepAlive: true, maxSockets: 8 }),
  });

/** Peers on this machine want any credentials and check none: real ones are not sent to them. */
function endpointOf(endpoint: string | undefined): {
  endpoint?: string;
  credentials?: { accessKeyId: string; secretAccessKey: string };
} {
  if (endpoint === undefined) return {};
  const { hostname } = new URL(endpoint);
  const isLoopback = hostname === '127.0.0.1' || hostname === 'localhost' || hostname === '[::1]';
  return isLoopback ? { endpoint, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } } : { endpoint };
}
