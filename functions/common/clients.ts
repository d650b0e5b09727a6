import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { NodeHttpHandler } from '@smithy/node-http-handler';

export type Endpoint = {
  /** Of a local or LocalStack-compatible peer; absent: AWS itself, or what `AWS_ENDPOINT_URL` names. */
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  /** How often a failed call is tried altogether. */
  readonly attempts?: number;
  /** After which an attempt counts as failed. */
  readonly timeoutMs?: number;
};

/** One client for a process: its connections stay open, or each call would pay for a TLS session. */
export function dynamoClient(to: Endpoint = {}): DynamoDBClient {
  return new DynamoDBClient(common(to));
}

/** Decimals are text in our items, so nothing is ever marshalled through a JavaScript number that matters. */
export function documentClient(dynamo: DynamoDBClient): DynamoDBDocumentClient {
  return DynamoDBDocumentClient.from(dynamo, { marshallOptions: { removeUndefinedValues: true } });
}

/** The client's own default is HTTP/2, which no local peer speaks. */
export function kinesisClient(to: Endpoint = {}): KinesisClient {
  return new KinesisClient(common(to));
}

function common({ endpoint, region, attempts = 3, timeoutMs = 5_000 }: Endpoint): object {
  return {
    region: region ?? process.env['AWS_REGION'] ?? 'us-east-1',
    maxAttempts: attempts,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: 1_000,
      requestTimeout: timeoutMs,
      // Without it a peer that accepts and never answers is only complained about.
      throwOnRequestTimeout: true,
      httpAgent: new HttpAgent({ keepAlive: true, maxSockets: 64 }),
      httpsAgent: new HttpsAgent({ keepAlive: true, maxSockets: 64 }),
    }),
    ...(endpoint === undefined ? {} : { endpoint, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } }),
  };
}
