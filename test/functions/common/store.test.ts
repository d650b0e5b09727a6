import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe } from 'vitest';
import { documentClient, dynamoClient } from '#functions/common/clients.ts';
import { tableDefinitions } from '#functions/common/tables.ts';
import { ensureTables, startDynamo, type Peer } from '#local/peers.ts';
import { keepsStorePromises, STORE_NAMES } from '../support/store-suite.ts';
import { tempDir } from '../support/world.ts';

const dir = tempDir();
let peer: Peer;
let client: DynamoDBDocumentClient;

beforeAll(async () => {
  peer = await startDynamo({ dataDir: dir.path, port: 0 });
  const dynamo = dynamoClient({ endpoint: peer.url });
  await ensureTables(dynamo, tableDefinitions(STORE_NAMES));
  client = documentClient(dynamo);
});
afterAll(async () => {
  await peer.close();
  dir.remove();
});

describe('store on dynalite', () => {
  keepsStorePromises(() => client);
});
