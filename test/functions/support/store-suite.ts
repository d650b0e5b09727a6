import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { expect, it } from 'vitest';
import { systemClock } from '#shared/clock/clock.ts';
import { Store } from '#functions/common/store.ts';
import { Table, type Item } from '#functions/common/table.ts';
import { createProjector } from '#functions/stream/projector.ts';
import { batchOf, eventOf, opportunityData, orderData } from './events.ts';
import { projectedIn, projectionOf } from './projection.ts';
import { silentLog } from './world.ts';

/** The tables that the suite is run on. */
export const STORE_NAMES = { state_table: 'state', events_table: 'events' };

const clock = systemClock();
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** What we build on and DynamoDB promises, on whatever stands for it. */
export function keepsStorePromises(connected: () => DynamoDBDocumentClient): void {
  tablePromises((name = STORE_NAMES.state_table) => new Table(connected(), name));

  const project = async (engine: string, seqs: readonly number[]): Promise<void> => {
    const texts = seqs.map((seq) =>
      JSON.stringify(eventOf('opportunity', seq, opportunityData(`o${seq}`), { engine })),
    );
    const options = { client: connected(), names: STORE_NAMES, stream: 's', clock, log: silentLog };
    expect(await createProjector(options)(batchOf(texts))).toEqual({ batchItemFailures: [] });
  };
  const storeOf = (engine: string): Store => new Store(connected(), STORE_NAMES, engine);

  it('counts what is stored exactly, also over holes that are filled later', async () => {
    const store = storeOf('count');
    expect(await store.projectedCount()).toBe(0);
    await project('count', range(1, 40));
    expect(await store.projectedCount()).toBe(40);
    await project('count', range(61, 80));
    expect(await store.projectedCount()).toBe(60);
    await project('count', [...range(35, 50), ...range(70, 90)]);
    expect(await store.projectedCount()).toBe(80);
    await project('count', range(51, 60));
    expect(await store.projectedCount()).toBe(90);
    expect(await storeOf('count').projectedCount()).toBe(90);
  });

  it('finds a rare match deep in a long list, in pages that lose nothing', async () => {
    await project('deep', range(1, 900));
    const store = storeOf('deep');
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
    const store = storeOf('deep');
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

  it('comes to the same projections over two writers at once, each of which has everything', async () => {
    const events = range(1, 300).map((seq) =>
      eventOf('order', seq, orderData(`o${seq % 9}`, 'op', { filled_qty: String(seq) }), { engine: 'twice' }),
    );
    const texts = events.map((event) => JSON.stringify(event));
    const projector = createProjector({ client: connected(), names: STORE_NAMES, stream: 's', clock, log: silentLog });
    await Promise.all([projector(batchOf(texts)), projector(batchOf(texts.toReversed()))]);
    expect(await projectedIn(connected(), 'twice')).toEqual(projectionOf(events));
    const orders = await storeOf('twice').orders({ limit: 20, cursor: undefined, matches: () => true });
    expect(orders.items.map(({ firstAtNs }) => firstAtNs)).toEqual(range(1, 9).map((seq) => events[9 - seq]!.at));
  });
}

function tablePromises(tableOf: (name?: string) => Table): void {
  it('has nothing where nothing was put', async () => {
    const table = tableOf();
    expect(await table.get({ pk: 'nobody', sk: 'x' })).toBeUndefined();
    expect(await table.queryAll('nobody')).toEqual([]);
    expect(await table.getAll([{ pk: 'nobody', sk: 'x' }], wait)).toEqual([]);
  });

  it('keeps text exactly, the empty text and long digits too', async () => {
    const table = tableOf();
    const item = {
      pk: 'exact',
      sk: 'x',
      empty: '',
      digits: '0.10000000000000000000000000000000000000001',
      odd: '🜁"\\\n',
    };
    await table.putAll([item], wait);
    expect(await table.get({ pk: 'exact', sk: 'x' })).toEqual(item);
  });

  it('says that a condition did not hold, and then changed nothing', async () => {
    const table = tableOf();
    const set = (value: number): Promise<Item | undefined> =>
      table.update(
        { pk: 'cond', sk: 'x' },
        {
          UpdateExpression: 'SET #v = :v, first_v = if_not_exists(first_v, :v)',
          ConditionExpression: 'attribute_not_exists(#v) OR #v < :v',
          ExpressionAttributeNames: { '#v': 'value' },
          ExpressionAttributeValues: { ':v': value },
          ReturnValues: 'ALL_NEW',
        },
      );
    expect(await set(2)).toMatchObject({ value: 2, first_v: 2 });
    expect(await set(2)).toBeUndefined();
    expect(await set(1)).toBeUndefined();
    expect(await set(10)).toMatchObject({ value: 10, first_v: 2 });
  });

  it('lets one of many win who write at the same time', async () => {
    const table = tableOf();
    const wins = await Promise.all(
      range(1, 20).map((who) =>
        table.update(
          { pk: 'race', sk: 'x' },
          {
            UpdateExpression: 'SET who = :who',
            ConditionExpression: 'attribute_not_exists(pk)',
            ExpressionAttributeValues: { ':who': who },
          },
        ),
      ),
    );
    expect(wins.filter((win) => win !== undefined)).toHaveLength(1);
  });

  it('gives a partition in the order of its sort keys, over pages of a megabyte', async () => {
    const table = tableOf();
    const text = 'x'.repeat(20_000);
    const items = range(1, 120).map((index) => ({ pk: 'pages', sk: String(index).padStart(4, '0'), text }));
    await table.putAll(items.toReversed(), wait);
    const { LastEvaluatedKey } = await table.query({
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': 'pages' },
    });
    expect(LastEvaluatedKey).toBeDefined();
    expect((await table.queryAll('pages')).map(({ sk }) => sk)).toEqual(items.map(({ sk }) => sk));
    const keys = items.map(({ pk, sk }) => ({ pk, sk }));
    const found = await table.getAll(keys, wait);
    expect(found.map(({ sk }) => sk).sort()).toEqual(items.map(({ sk }) => sk));
  });

  it('orders sort keys by their bytes', async () => {
    const table = tableOf();
    const keys = ['#', '0', '9', 'A', 'Z', '_', 'a', 'z', 'é', '€', '\uffee', '🜁'];
    await table.putAll(
      keys.map((sk) => ({ pk: 'bytes', sk })),
      wait,
    );
    expect((await table.queryAll('bytes')).map(({ sk }) => sk)).toEqual(keys);
  });

  it('tells a missing table from a database that is away', async () => {
    const missing = tableOf('no-such-table');
    await expect(missing.get({ pk: 'a', sk: 'b' })).rejects.toMatchObject({ code: 5003 });
  });
}
