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
};

/** One client for a process: its connections stay open, or each call would pay for a TLS session. */
export function dynamoClient({ endpoint, region, attempts = 3 }: Endpoint = {}): DynamoDBClient {
  return new DynamoDBClient({ ...common(endpoint, region), maxAttempts: attempts, requestHandler: handler() });
}

/** Decimals are text in our items, so nothing is ever marshalled through a JavaScript number that matters. */
export function documentClient(dynamo: DynamoDBClient): DynamoDBDocumentClient {
  return DynamoDBDocumentClient.from(dynamo, { marshallOptions: { removeUndefinedValues: true } });
}

/** The client's own default is HTTP/2, which no local peer speaks. */
export function kinesisClient({ endpoint, region, attempts = 3 }: Endpoint = {}): KinesisClient {
  return new KinesisClient({ ...common(endpoint, region), maxAttempts: attempts, requestHandler: handler() });
}

function common(endpoint: string | undefined, region: string | undefined): object {
  return {
    region: region ?? process.env['AWS_REGION'] ?? 'us-east-1',
    ...(endpoint === undefined ? {} : { endpoint, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } }),
  };
}

const handler = (): NodeHttpHandler =>
  new NodeHttpHandler({
    connectionTimeout: 1_000,
    requestTimeout: 10_000,
    httpAgent: new HttpAgent({ keepAlive: true, maxSockets: 64 }),
    httpsAgent: new HttpsAgent({ keepAlive: true, maxSockets: 64 }),
  });
