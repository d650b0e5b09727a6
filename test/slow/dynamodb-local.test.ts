import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe } from 'vitest';
import { documentClient, dynamoClient } from '#functions/common/clients.ts';
import { Table } from '#functions/common/table.ts';
import { tableDefinitions } from '#functions/common/tables.ts';
import { dynamoTimeSeries } from '#functions/common/time-series-dynamo.ts';
import { ensureTables } from '#local/peers.ts';
import { keepsStorePromises, STORE_NAMES } from '#test/functions/support/store-suite.ts';
import { keepsItsPromises } from '#test/functions/support/time-series-suite.ts';
import { dynamodbLocal, startDynamodbLocal } from '#test/support/dynamodb-local.ts';

const found = dynamodbLocal();

describe.skipIf('missing' in found)(`store on DynamoDB Local${'missing' in found ? `: ${found.missing}` : ''}`, () => {
  let server: Awaited<ReturnType<typeof startDynamodbLocal>>;
  let client: DynamoDBDocumentClient;

  beforeAll(async () => {
    server = await startDynamodbLocal('jars' in found ? found.jars : '');
    const dynamo = dynamoClient({ endpoint: server.url });
    await ensureTables(dynamo, tableDefinitions(STORE_NAMES));
    client = documentClient(dynamo);
  });
  afterAll(() => server.close());

  keepsStorePromises(() => client);

  describe('time series', () => {
    keepsItsPromises(() => dynamoTimeSeries(new Table(client, STORE_NAMES.state_table)));
  });
});
