import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '#shared/clock/clock.ts';
import { documentClient, dynamoClient } from '#functions/common/clients.ts';
import { Store } from '#functions/common/store.ts';
import { tableDefinitions } from '#functions/common/tables.ts';
import { createProjector } from '#functions/stream/projector.ts';
import { ensureTables, startDynamo, type Peer } from '#local/peers.ts';
import { batchOf, eventOf, opportunityData } from '../support/events.ts';
import { silentLog, tempDir } from '../support/world.ts';

const names = { state_table: 'state', events_table: 'events' };
const dir = tempDir();
let peer: Peer;
let client: DynamoDBDocumentClient;

beforeAll(async () => {
  peer = await startDynamo({ dataDir: dir.path, port: 0 });
  const dynamo = dynamoClient({ endpoint: peer.url });
  await ensureTables(dynamo, tableDefinitions(names));
  client = documentClient(dynamo);
});
afterAll(async () => {
  await peer.close();
  dir.remove();
});

const project = async (engine: string, seqs: readonly number[]): Promise<void> => {
  const texts = seqs.map((seq) => JSON.stringify(eventOf('opportunity', seq, opportunityData(`o${seq}`), { engine })));
  const projector = createProjector({ client, names, stream: 's', clock: systemClock(), log: silentLog });
  expect(await projector(batchOf(texts))).toEqual({ batchItemFailures: [] });
};
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('store', () => {
  it('counts what is stored exactly, also over holes that are filled later', async () => {
    const store = new Store(client, names, 'count');
    expect(await store.projectedCount()).toBe(0);
    await project('count', range(1, 40));
    expect(await store.projectedCount()).toBe(40);
    await project('count', range(61, 80));
    expect(await store.projectedCount()).toBe(60);
    await project('count', [...range(35, 50), ...range(70, 90)]);
    expect(await store.projectedCount()).toBe(80);
    await project('count', range(51, 60));
    expect(await store.projectedCount()).toBe(90);
    expect(await new Store(client, names, 'count').projectedCount()).toBe(90);
  });

  it('finds a rare match deep in a long list, in pages that lose nothing', async () => {
    await project('deep', range(1, 900));
    const store = new Store(client, names, 'deep');
    const wanted = new Set(['o3', 'o450', 'o899']);
    const found: string[] = [];
    let cursor: string | undefined;
    for (let turns = 0; turns < 10; turns += 1) {
      const matches = ({ event }: { event: { data: { id: string } } }): boolean => wanted.has(event.data.id);
      const page = await store.opportunities({ limit: 2, cursor, matches });
      found.push(...page.items.map(({ event }) => event.data.id));
      cursor = page.nextCursor;
      if (cursor === undefined) break;
    }
    expect(found).toEqual(['o899', 'o450', 'o3']);
  });

  it('walks a whole list whatever the size of its pages', async () => {
    const store = new Store(client, names, 'deep');
    for (const limit of [1, 24, 25, 26, 399, 400, 401, 900, 1000]) {
      const seen: string[] = [];
      let cursor: string | undefined;
      for (let turns = 0; turns < (limit === 1 ? 30 : 50); turns += 1) {
        const page = await store.opportunities({ limit, cursor, matches: () => true });
        expect(page.items.length).toBeLessThanOrEqual(limit);
        seen.push(...page.items.map(({ event }) => event.data.id));
        cursor = page.nextCursor;
        if (cursor === undefined) break;
      }
      const expected = range(1, 900).map((seq) => `o${901 - seq}`);
      expect(seen).toEqual(limit === 1 ? expected.slice(0, 30) : expected);
    }
  });
});
