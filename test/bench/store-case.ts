import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import { documentClient, dynamoClient } from '#functions/common/clients.ts';
import { Table, type Item } from '#functions/common/table.ts';
import { seqKey, tableDefinitions } from '#functions/common/tables.ts';
import { ensureTables } from '#local/peers.ts';
import { eventOf, orderData } from '#test/functions/support/events.ts';
import { NO_FAULTS } from '#test/support/fault-proxy.ts';
import { startFaultyPeers } from '#test/support/faulty-peers.ts';
import type { Row } from './cases.ts';
import { median } from './measure.ts';
import { ResultHash } from './result-hash.ts';

const NAMES = { state_table: 'state', events_table: 'events' };
const WARM = 4;

/**
 * Events → rows of a table, in batches as the projector writes them: marshalled, signed and sent over loopback to a stub in a process of its own, which
 * costs as little as a peer can. What a database would need is not in it.
 */
export async function storeCases(items: number, rounds: number): Promise<readonly Row[]> {
  const peers = await startFaultyPeers({ seed: 1, faults: NO_FAULTS, database: 'stub' });
  const dynamo = dynamoClient({ endpoint: peers.direct.dynamodb });
  const client = documentClient(dynamo);
  await ensureTables(dynamo, tableDefinitions(NAMES));
  const table = new Table(client, NAMES.events_table);
  const rows = Array.from({ length: items }, (_none, at) => rowOf(at + 1));
  const never = (): Promise<void> => Promise.reject(new Error('the stub leaves nothing unprocessed'));
  const times: number[] = [];
  for (let round = 0; round < WARM + rounds; round += 1) {
    const started = performance.now();
    await table.putAll(rows, never);
    times.push((performance.now() - started) / 1e3);
  }
  const { Items = [] } = await client.send(
    new QueryCommand({
      TableName: NAMES.events_table,
      KeyConditionExpression: 'engine = :engine',
      ExpressionAttributeValues: { ':engine': 'engine-1' },
    }),
  );
  dynamo.destroy();
  await peers.close();
  return [
    {
      name: 'repository, rows in batches to a stub',
      unit: 'operations/s',
      value: items / median(times.slice(WARM)),
      hash: hashOf(Items),
      plainHash: hashOf(rows),
    },
  ];
}

function rowOf(seq: number): Item {
  const event = eventOf('order', seq, orderData(`o${seq % 100}`, 'op'));
  return {
    engine: event.engine,
    sk: seqKey(seq),
    kind: event.kind,
    key: event.key,
    at: event.at,
    event: JSON.stringify(event),
  };
}

function hashOf(rows: readonly Item[]): string {
  const hash = new ResultHash();
  for (const text of rows.map(({ sk, event }) => `${String(sk)} ${String(event)}`).sort()) hash.text(text);
  return hash.hex;
}
