import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '#shared/clock/clock.ts';
import type { EngineEvent } from '#shared/schema/event.ts';
import { documentClient, dynamoClient } from '#functions/common/clients.ts';
import { Store } from '#functions/common/store.ts';
import { tableDefinitions } from '#functions/common/tables.ts';
import { readHistory } from '#functions/reports/history.ts';
import { performanceOf } from '#functions/reports/performance.ts';
import { createProjector } from '#functions/stream/projector.ts';
import { ensureTables, startDynamo, type Peer } from '#local/peers.ts';
import { batchOf, eventOf, fillData, operationData } from '../support/events.ts';
import { silentLog, tempDir } from '../support/world.ts';

const names = { state_table: 'state', events_table: 'events' };
const dir = tempDir();
let peer: Peer;
let client: DynamoDBDocumentClient;

const HOUR_MS = 3_600_000;
/** 2026-11-21T00:00:00Z */
const ORIGIN_MS = 1_795_219_200_000;

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

/** Each begins on its hour and ends half an hour later, but for the last, which stays open. */
async function storeWith(engine: string, hours: readonly number[]): Promise<Store> {
  const projector = createProjector({ client, names, stream: 'events', clock: systemClock(), log: silentLog });
  const at = (event: EngineEvent, ms: number): string =>
    JSON.stringify({ ...event, at: String(BigInt(ORIGIN_MS + ms) * 1_000_000n) });
  const events = hours.flatMap((hour, index) => {
    const [seq, id] = [3 * index + 1, `op-${hour}`];
    const pnl = { realised: String(hour), fees: '0' };
    const unvalued = fillData(id, id, { fee_asset: 'NEW' });
    return [
      at(eventOf('operation', seq, operationData(id), { engine }), hour * HOUR_MS),
      at(eventOf('fill', seq + 1, unvalued, { engine }), hour * HOUR_MS),
      ...(index === hours.length - 1
        ? []
        : [
            at(
              eventOf('operation', seq + 2, operationData(id, { state: 'completed', pnl }), { engine }),
              (hour + 0.5) * HOUR_MS,
            ),
          ]),
    ];
  });
  expect(await projector(batchOf(events))).toEqual({ batchItemFailures: [] });
  return new Store(client, names, engine);
}
const hour = (at: number): number => ORIGIN_MS + at * HOUR_MS;

describe('history', () => {
  it('is of what ended in the time, also when it began before', async () => {
    const store = await storeWith('ends', [0, 1, 2, 3]);
    const { outcomes, open, truncated, knownFromMs } = await readHistory(store, { fromMs: hour(0.5), toMs: hour(1.5) });
    expect(outcomes.map(({ id, begunAtMs }) => [id, begunAtMs])).toEqual([['op-0', hour(0)]]);
    expect([open, truncated, knownFromMs]).toEqual([0, false, hour(0.5)]);
    const all = await readHistory(store, { fromMs: hour(-100), toMs: hour(100) });
    expect(all.outcomes.map(({ id }) => id)).toEqual(['op-2', 'op-1', 'op-0']);
    // It begins where the engine's first operation does.
    expect([all.open, all.knownFromMs]).toEqual([1, hour(0)]);
  });

  it('says so when there is more than it reads, and takes the newest', async () => {
    const store = await storeWith('many', [0, 1, 2, 3, 4, 5]);
    const { outcomes, truncated, knownFromMs } = await readHistory(store, { fromMs: hour(0), toMs: hour(9), max: 3 });
    expect(outcomes.map(({ id }) => id)).toEqual(['op-4', 'op-3']);
    expect([truncated, knownFromMs]).toEqual([true, hour(3)]);
    expect((await readHistory(store, { fromMs: hour(0), toMs: hour(9), max: 6 })).truncated).toBe(false);
  });

  it('gives nobody the profit of a fill that cannot be valued', async () => {
    const store = await storeWith('unvalued', [1, 2]);
    const { outcomes } = await readHistory(store, { fromMs: hour(0), toMs: hour(9) });
    expect(outcomes.map(({ pnl, shares }) => [pnl.toFixed(), shares])).toEqual([['1', []]]);
  });

  it('counts what was paid on what is held, at its time and under its family', async () => {
    const store = await storeWith('held', [0, 1]);
    const projector = createProjector({ client, names, stream: 'events', clock: systemClock(), log: silentLog });
    const instrument = 'd:BTC/USDT:USDT';
    const contract = { kind: 'perpetual', size: '0.001', inverse: false, settle: 'USDT' } as const;
    const funding = {
      instrument,
      asset: 'USDT',
      amount: '90',
      asset_rate: '1',
      funding_rate: '-0.003',
      price: '30000',
    };
    const closing = { instrument, base: 'BTC', quote: 'USDT', side: 'buy', price: '30000', qty: '1000' } as const;
    const settled = { ...closing, fee: '3', fee_asset: 'USDT', underlying_price: '30000', contract };
    const events = [
      eventOf('funding', 91, { ...funding, holding: 'op-0', size: '-1000', due_ms: hour(1) }, { engine: 'held' }),
      eventOf('settlement', 92, { ...settled, rates: { BTC: '30100', USDT: '1' } }, { engine: 'held' }),
    ].map((event, at) => JSON.stringify({ ...event, at: String(BigInt(hour(1 + at)) * 1_000_000n) }));
    // Twice: nothing is counted twice.
    for (let time = 0; time < 2; time += 1) expect(await projector(batchOf(events))).toEqual({ batchItemFailures: [] });
    const { outcomes } = await readHistory(store, { fromMs: hour(0.9), toMs: hour(9) });
    const [family] = (await readHistory(store, { fromMs: hour(0), toMs: hour(0.9) })).outcomes.map((one) => one.family);
    const told = outcomes.map((one) => [one.id, one.family, one.pnl.toFixed(), one.fees.toFixed(), one.isPayment]);
    expect(told).toEqual([
      ['payment-92', 'unattributed', '97', '3', true],
      ['payment-91', family, '90', '0', true],
    ]);
    const found = performanceOf(outcomes, { fromMs: hour(0), toMs: hour(9), bucketMs: HOUR_MS });
    expect([found.totalPnl.toFixed(), found.fees.toFixed(), found.operations]).toEqual(['187', '3', 0]);
    const sources = Object.entries(found.sources).map(([name, value]) => [name, value.toFixed()]);
    expect(sources.filter(([, value]) => value !== '0')).toEqual([
      ['fees', '-3'],
      ['funding', '90'],
      ['settlement', '100'],
    ]);
    expect(found.venues.map(({ name, pnl, operations }) => [name, pnl.toFixed(), operations])).toEqual([
      ['d', '187', 0],
    ]);
  });

  it('is empty where there is none', async () => {
    const store = new Store(client, names, 'nobody');
    const found = await readHistory(store, { fromMs: hour(0), toMs: hour(9) });
    expect(found).toEqual({ outcomes: [], open: 0, truncated: false, knownFromMs: hour(9) });
  });
});
