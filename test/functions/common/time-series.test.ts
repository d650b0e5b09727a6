import { afterAll, beforeAll, describe } from 'vitest';
import { documentClient, dynamoClient } from '#functions/common/clients.ts';
import { Table } from '#functions/common/table.ts';
import { tableDefinitions } from '#functions/common/tables.ts';
import { dynamoTimeSeries } from '#functions/common/time-series-dynamo.ts';
import { ensureTables, startDynamo, type Peer } from '#local/peers.ts';
import { keepsItsPromises } from '../support/time-series-suite.ts';
import { tempDir } from '../support/world.ts';

const dir = tempDir();
let peer: Peer;
let table: Table;

beforeAll(async () => {
  peer = await startDynamo({ dataDir: dir.path, port: 0 });
  const dynamo = dynamoClient({ endpoint: peer.url });
  await ensureTables(dynamo, tableDefinitions({ state_table: 'state', events_table: 'events' }));
  table = new Table(documentClient(dynamo), 'state');
});
afterAll(async () => {
  await peer.close();
  dir.remove();
});

describe('time series in DynamoDB', () => {
  keepsItsPromises(() => dynamoTimeSeries(table));
});
