import {
  ApiGatewayManagementApiClient,
  DeleteConnectionCommand,
  GoneException,
  LimitExceededException,
  PayloadTooLargeException,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { ApplicationError } from '../common/errors.ts';

/**
 * What becomes of a message: `slow` when the connection does not take it now (throttled, or no answer in time), `gone` when there is no such
 * connection, `too-large` when nobody will ever take it.
 */
export type Delivery = 'sent' | 'slow' | 'gone' | 'too-large';

/** The connections of the push API, by their ids. */
export type Gateway = {
  readonly post: (connection: string, text: string) => Promise<Delivery>;
  /** Of one that has ended already, too. */
  readonly close: (connection: string) => Promise<void>;
};

type Credentials = { readonly accessKeyId: string; readonly secretAccessKey: string };

/** A connection that takes a message no faster is slow. */
const POST_MS = 2_000;

/**
 * API Gateway's management API of one WebSocket stage.
 * @param endpoint `https://<api>.execute-api.<region>.amazonaws.com/<stage>`
 * @param credentials where the process has none of its own
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
 */
export function managedConnections(endpoint: string, credentials?: Credentials): Gateway {
  const client = new ApiGatewayManagementApiClient({
    endpoint,
    ...(credentials === undefined ? {} : { credentials }),
    region: process.env['AWS_REGION'] ?? 'us-east-1',
    // What is slow is told the latest state later: trying again here would hold up the others.
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: 1_000,
      requestTimeout: POST_MS,
      throwOnRequestTimeout: true,
      httpAgent: { keepAlive: true, maxSockets: 64 },
      httpsAgent: { keepAlive: true, maxSockets: 64 },
    }),
  });
  return {
    post: async (connection, text) => {
      try {
        await client.send(new PostToConnectionCommand({ ConnectionId: connection, Data: Buffer.from(text) }));
        return 'sent';
      } catch (error) {
        return deliveryFrom(error);
      }
    },
    close: async (connection) => {
      try {
        await client.send(new DeleteConnectionCommand({ ConnectionId: connection }));
      } catch (error) {
        deliveryFrom(error);
      }
    },
  };
}

/** @throws ApplicationError 5003 when we may not speak to connections at all; whatever is our own bug as it is */
function deliveryFrom(error: unknown): Delivery {
  if (error instanceof GoneException) return 'gone';
  if (error instanceof PayloadTooLargeException) return 'too-large';
  if (error instanceof LimitExceededException) return 'slow';
  const { name, $metadata } = error as { readonly name: string; readonly $metadata?: { httpStatusCode?: number } };
  const status = $metadata?.httpStatusCode;
  // An answer that is no JSON is a SyntaxError, and theirs; these are ours.
  if ([TypeError, RangeError, ReferenceError].some((bug) => error instanceof bug)) throw error;
  if (status === 403 || name === 'CredentialsProviderError')
    throw new ApplicationError(5003, `no messages to connections: ${name}`);
  // A fault of theirs, or of the way to them: as slow as any.
  return 'slow';
}
