import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { DeleteTableCommand } from '@aws-sdk/client-dynamodb';
import { DeleteCommand, UpdateCommand, type DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock, type Clock } from '#shared/clock/clock.ts';
import type { EngineEvent } from '#shared/schema/event.ts';
import { documentClient, dynamoClient } from '#functions/common/clients.ts';
import { at } from '#functions/common/layout.ts';
import { Store } from '#functions/common/store.ts';
import { Table } from '#functions/common/table.ts';
import { tableDefinitions } from '#functions/common/tables.ts';
import { dynamoTimeSeries } from '#functions/common/time-series-dynamo.ts';
import { createProjector } from '#functions/stream/projector.ts';
import { isWhole, rebuild, type RebuildOptions } from '#functions/stream/rebuild.ts';
import { archiveTexts, journalTexts } from '#local/archive.ts';
import { ensureTables, startDynamo, type Peer } from '#local/peers.ts';
import { Journal } from '#hotpath/publish/journal.ts';
import { batchOf, eventOf, fillData, operationData, opportunityData, orderData, sampleOf } from '../support/events.ts';
import { projectedIn, projectionOf } from '../support/projection.ts';
import { silentLog, tempDir } from '../support/world.ts';

const names = { state_table: 'state', events_table: 'events' };
/** An hour after the events: what ends a month later is there. */
const clock: Clock = { ...systemClock(), unixMs: () => 1_795_222_800_000 };
const dir = tempDir();
const dynamoOf = (): ReturnType<typeof dynamoClient> => dynamoClient({ endpoint: peer.url });
let peer: Peer;
let client: DynamoDBDocumentClient;
let engines = 0;
let engine: string;

beforeAll(async () => {
  peer = await startDynamo({ dataDir: dir.path, port: 0 });
  client = documentClient(dynamoOf());
  await ensureTables(dynamoOf(), tableDefinitions(names));
});
beforeEach(() => {
  engine = `engine-${(engines += 1)}`;
});
afterAll(async () => {
  await peer.close();
  dir.remove();
});

/** Of everything that changes, comes once, and ends. */
function eventsOf(count: number): readonly EngineEvent[] {
  return Array.from({ length: count }, (_none, index) => {
    const seq = index + 1;
    const amount = String(seq);
    switch (seq % 5) {
      case 0:
        return eventOf('order', seq, orderData(`o${seq % 7}`, 'op-1', { filled_qty: amount }), { engine });
      case 1:
        return eventOf('opportunity', seq, opportunityData(`opp${seq % 13}`, { notional: amount }), { engine });
      case 2:
        return eventOf('operation', seq, operationData(`op-${seq % 3}`, { notional: amount }), { engine });
      case 3:
        return eventOf('fill', seq, fillData(`t${seq}`, 'op-1'), { engine });
      default: {
        const data = { venue: 'v', asset: `A${seq % 4}`, total: amount, available: amount, reserved: '0' };
        return eventOf('balance', seq, data, { engine });
      }
    }
  });
}
const textsOf = (events: readonly EngineEvent[]): readonly string[] => events.map((event) => JSON.stringify(event));

async function* each(texts: readonly string[]): AsyncGenerator<string> {
  for (const text of texts) yield await Promise.resolve(text);
}

const rebuilding = (texts: readonly string[], over: Partial<RebuildOptions> = {}): ReturnType<typeof rebuild> =>
  rebuild({
    client,
    names,
    engine,
    series: dynamoTimeSeries(new Table(client, names.state_table)),
    clock,
    read: () => each(texts),
    fromMs: 0,
    toMs: Infinity,
    dryRun: false,
    ...over,
  });

const project = async (texts: readonly string[]): Promise<void> => {
  const projector = createProjector({ client, names, stream: 'events', clock, log: silentLog });
  expect(await projector(batchOf(texts))).toEqual({ batchItemFailures: [] });
};

describe('rebuild', () => {
  it('has the state table back, item by item, after it was destroyed', async () => {
    const events = eventsOf(1_300);
    await project(textsOf(events));
    const before = await projectedIn(client, engine);
    await dynamoOf().send(new DeleteTableCommand({ TableName: names.state_table }));
    await new Promise((resolve) => setTimeout(resolve, 200));
    await ensureTables(dynamoOf(), tableDefinitions(names));
    expect(await projectedIn(client, engine)).toEqual({});

    const report = await rebuilding(textsOf(events));
    expect(await projectedIn(client, engine)).toEqual(before);
    expect(before).toEqual(projectionOf(events));
    const expected = Object.keys(before).length;
    expect(report.before).toMatchObject({
      events: { expected: 1_300, missing: 0 },
      items: { expected, missing: expected },
    });
    expect(report.after?.items).toEqual({ expected, missing: 0, stale: 0, misplaced: 0, newer: 0, different: 0 });
    expect(report.after?.hash.found).toBe(report.before.hash.expected);
    // Again: there is nothing left to do.
    const again = await rebuilding(textsOf(events));
    expect([again.after, isWhole(again.before)]).toEqual([undefined, true]);
  });

  it('says in a dry run what differs, and writes nothing', async () => {
    const events = eventsOf(60);
    await project(textsOf(events).slice(0, 50));
    const state = { TableName: names.state_table };
    await client.send(new DeleteCommand({ ...state, Key: at.balance(engine, 'v', 'A0') }));
    await client.send(
      new UpdateCommand({
        ...state,
        Key: at.opportunity(engine, 'opp1'),
        UpdateExpression: 'SET event = :other',
        ExpressionAttributeValues: { ':other': '{}' },
      }),
    );
    const known = await projectedIn(client, engine);
    const { before, after } = await rebuilding(textsOf(events), { dryRun: true });
    expect(after).toBeUndefined();
    expect(before.events).toEqual({ expected: 60, missing: 10 });
    const { missing, stale, different } = before.items;
    expect([missing > 0, stale > 0, different]).toEqual([true, true, 1]);
    expect(before.hash.found).not.toBe(before.hash.expected);
    expect(await projectedIn(client, engine)).toEqual(known);
  });

  it('goes on beside a projector that is ahead, and puts each entity where its first event belongs', async () => {
    const events = eventsOf(400);
    // The table is new, the projector went on from the middle, and goes on while the rest is brought back.
    await project(textsOf(events).slice(300, 350));
    const [report] = await Promise.all([
      rebuilding(textsOf(events).slice(0, 350)),
      project(textsOf(events).slice(350)),
    ]);
    expect(isWhole(report.after!)).toBe(true);
    expect(await projectedIn(client, engine)).toEqual(projectionOf(events));
    expect(await new Store(client, names, engine).projectedCount()).toBe(400);
  });

  it('takes the events of a time alone, of one engine alone, and leaves out what has ended', async () => {
    const events = eventsOf(100);
    const [first] = events;
    const startMs = Number(BigInt(first!.at) / 1_000_000n);
    const alien = eventOf('fill', 7, fillData('t', 'op'), { engine: 'somebody' });
    const texts = [...textsOf(events), JSON.stringify(alien), '{"torn'];
    const { read } = await rebuilding(texts, { fromMs: startMs + 10, toMs: startMs + 29 });
    expect(read).toEqual({ events: 20, samples: 0, others: 81, poison: 1 });
    expect(await new Store(client, names, engine).projectedCount()).toBe(20);

    const ended = { ...eventOf('opportunity', 101, opportunityData('old'), { engine }), at: '1000000000000000000' };
    await rebuilding([JSON.stringify(ended)]);
    const store = new Store(client, names, engine);
    expect([await store.opportunity('old'), await store.projectedCount()]).toEqual([undefined, 21]);
  });

  it('reads a journal and an archive alike, and makes candles of the samples in it', async () => {
    const journalDir = join(dir.path, engine);
    const journal = new Journal({ directory: journalDir, engine, clock });
    for (let seq = 1; seq <= 40; seq += 1) journal.append('fill', 'k', fillData(`t${seq}`, 'op'));
    journal.close();
    const texts: string[] = [];
    texts.push(...journalTexts(journalDir));
    expect(texts).toHaveLength(40);

    const nowMs = clock.unixMs(clock.now());
    const instrument = `venue:${engine}/Q`;
    const folder = join(dir.path, `archive-${engine}`);
    mkdirSync(join(folder, '2026/11/21/00'), { recursive: true });
    writeFileSync(join(folder, '2026/11/21/00/a'), gzipSync(`${texts.slice(0, 25).join('\n')}\n`));
    // The second object repeats some, as a stream does.
    writeFileSync(join(folder, '2026/11/21/00/b.jsonl'), `${texts.slice(20).join('\n')}\n`);
    writeFileSync(join(folder, 'samples'), `${JSON.stringify(sampleOf(instrument, Math.floor(nowMs)))}\n`);
    const series = dynamoTimeSeries(new Table(client, names.state_table));
    const report = await rebuilding([], { read: () => archiveTexts(folder), series });
    expect(report.read).toEqual({ events: 45, samples: 1, others: 0, poison: 0 });
    expect(report.after?.events).toEqual({ expected: 40, missing: 0 });
    const query = { instrument, interval: '1d', fromMs: 0, toMs: nowMs + 1, limit: 9 } as const;
    expect((await series.candles(query, nowMs)).map(({ close }) => close)).toEqual(['60000.2']);
  });
});
