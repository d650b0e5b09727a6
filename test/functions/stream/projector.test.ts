import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '#shared/clock/clock.ts';
import type { EngineEvent } from '#shared/schema/event.ts';
import type { MarketSample } from '#shared/schema/status.ts';
import { documentClient, dynamoClient } from '#functions/common/clients.ts';
import { ApplicationError } from '#functions/common/errors.ts';
import { Store } from '#functions/common/store.ts';
import { tableDefinitions } from '#functions/common/tables.ts';
import { createMarketProjector } from '#functions/stream/market.ts';
import { createProjector, type Projector } from '#functions/stream/projector.ts';
import { ensureTables, startDynamo, type Peer } from '#local/peers.ts';
import { batchOf, eventOf, fillData, operationData, opportunityData, orderData, sampleOf } from '../support/events.ts';
import { projectedIn, projectionOf } from '../support/projection.ts';
import { silentLog, tempDir } from '../support/world.ts';

const names = { state_table: 'state', events_table: 'events' };
const dir = tempDir();
const clock = systemClock();
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

const projectorOn = (through: DynamoDBDocumentClient, onPoison?: () => void): Projector =>
  createProjector({
    client: through,
    names,
    stream: 'events',
    clock,
    log: silentLog,
    ...(onPoison === undefined ? {} : { onPoison }),
  });

describe('projector', () => {
  let engines = 0;

  it('ends in the same state however a lawful stream is delivered', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(scripts, deliveries, async (script, delivery) => {
        engines += 1;
        const events = eventsFrom(script, `prop-${engines}`);
        const projector = projectorOn(failingClient(delivery.failEvery));
        await deliver(projector, events, delivery);

        expect(await projectedIn(client, `prop-${engines}`)).toEqual(projectionOf(events));
        expect(await new Store(client, names, `prop-${engines}`).projectedCount()).toBe(events.length);
      }),
      { numRuns: 60 },
    );
  });

  it('lets an older event change nothing', async () => {
    const options = { engine: 'late' };
    const projector = projectorOn(client);
    const text = (seq: number, status: 'submitted' | 'filled'): string =>
      JSON.stringify(eventOf('order', seq, orderData('o', 'op', { status }), options));
    await projector(batchOf([text(9, 'filled')]));
    await projector(batchOf([text(4, 'submitted')]));
    const store = new Store(client, names, 'late');
    const operationOrders = await store.orders({ limit: 10, cursor: undefined, matches: () => true });
    expect(operationOrders.items.map(({ event }) => event.data.status)).toEqual(['filled']);
    expect(await store.projectedCount()).toBe(2);
  });

  it('buries poison with its reason and goes on', async () => {
    let poisoned = 0;
    const projector = projectorOn(client, () => (poisoned += 1));
    const good = eventOf('opportunity', 1, opportunityData('good'), { engine: 'poison' });
    const alien = { ...good, kind: 'dance', seq: 2 };
    const rounded = eventOf('opportunity', 3, opportunityData('bad', { fees: '1e-7' }), { engine: 'poison' });
    const texts = ['{"torn', JSON.stringify(alien), JSON.stringify(rounded), JSON.stringify(good)];
    expect(await projector(batchOf(texts, 'shardId-000000000009'))).toEqual({ batchItemFailures: [] });

    expect(poisoned).toBe(3);
    expect(await new Store(client, names, 'poison').opportunity('good')).toBeDefined();
    const letters = await projectorDeadLetters();
    expect(letters.map(({ body }) => body)).toEqual(texts.slice(0, 3));
    expect(letters[0]!['reason']).toBe('not JSON');
    expect(letters[2]!['reason']).toContain('fees');
  });

  it('sends what it buries with the reason, and asks for the record again when nobody takes it', async () => {
    const sent: string[] = [];
    let takes = false;
    const sendDeadLetter = (message: string): Promise<void> => {
      if (!takes) return Promise.reject(new ApplicationError(5002, 'away'));
      sent.push(message);
      return Promise.resolve();
    };
    const options = { client, names, stream: 'events', clock, log: silentLog, sendDeadLetter };
    const batch = batchOf(['nonsense'], 'shardId-000000000007', 8);
    for (const handle of [createProjector(options), createMarketProjector(options)]) {
      takes = false;
      expect(await handle(batch)).toEqual({ batchItemFailures: [{ itemIdentifier: '000000000008' }] });
      takes = true;
      expect(await handle(batch)).toEqual({ batchItemFailures: [] });
    }
    const letter = {
      stream: 'events',
      position: 'shardId-000000000007:000000000008',
      reason: 'not JSON',
      body: 'nonsense',
    };
    expect(sent.map((message): unknown => JSON.parse(message))).toEqual([letter, letter]);
  });

  it('asks for the rest of a batch again, from the first chunk that failed', async () => {
    const events = Array.from({ length: 1_100 }, (_, index) =>
      JSON.stringify(eventOf('fill', index + 1, fillData(`t${index}`, 'op'), { engine: 'rest' })),
    );
    // A chunk of 500 fills is 20 batches into each table: the second chunk breaks.
    const response = await projectorOn(failingAfter(45))(batchOf(events));
    expect(response.batchItemFailures).toEqual([{ itemIdentifier: '000000000501' }]);
    expect(await projectorOn(client)(batchOf(events))).toEqual({ batchItemFailures: [] });
    expect(await new Store(client, names, 'rest').projectedCount()).toBe(1_100);
  });
});

describe('market projector', () => {
  it('keeps samples where nobody listens', async () => {
    const handle = createMarketProjector({ client, names, stream: 'market', clock, log: silentLog });
    await handle(batchOf([JSON.stringify(sampleOf('z:A/B', 3))]));
    expect((await new Store(client, names, 'any').market('z:A/B'))?.at_ms).toBe(3);
  });

  it('keeps the latest sample of each instrument, and tells of news alone', async () => {
    const told: MarketSample[] = [];
    const handle = createMarketProjector({
      client,
      names,
      stream: 'market',
      clock,
      log: silentLog,
      onSamples: (samples) => told.push(...samples),
    });
    const text = (instrument: string, atMs: number): string => JSON.stringify(sampleOf(instrument, atMs));
    await handle(batchOf([text('x:A/B', 5), text('x:A/B', 9), 'nonsense', text('y:A/B', 7)]));
    await handle(batchOf([text('x:A/B', 8), text('y:A/B', 7)]));
    const store = new Store(client, names, 'any');
    expect((await store.market('x:A/B'))?.at_ms).toBe(9);
    expect(told.map(({ instrument, at_ms }) => `${instrument}@${at_ms}`).sort()).toEqual(['x:A/B@9', 'y:A/B@7']);
  });
});

type Step = { readonly kind: 'order' | 'opportunity' | 'operation' | 'balance'; readonly entity: number };
const scripts = fc.array(
  fc.record({ kind: fc.constantFrom<Step['kind']>('order', 'opportunity', 'operation', 'balance'), entity: fc.nat(2) }),
  { minLength: 1, maxLength: 40 },
);
type Delivery = { readonly sizes: readonly number[]; readonly replays: readonly number[]; readonly failEvery: number };
const deliveries = fc.record({
  sizes: fc.array(fc.integer({ min: 1, max: 15 }), { minLength: 1, maxLength: 8 }),
  replays: fc.array(fc.nat(39), { maxLength: 4 }),
  failEvery: fc.constantFrom(0, 3, 7, 11),
});

function eventsFrom(script: readonly Step[], engine: string): EngineEvent[] {
  return script.map(({ kind, entity }, index) => {
    const seq = index + 1;
    const id = `e${entity}`;
    switch (kind) {
      case 'order':
        return eventOf('order', seq, orderData(id, 'op', { filled_qty: String(seq) }), { engine });
      case 'opportunity':
        return eventOf('opportunity', seq, opportunityData(id, { notional: String(seq) }), { engine });
      case 'operation':
        return eventOf('operation', seq, operationData(id, { notional: String(seq) }), { engine });
      case 'balance': {
        const amount = String(seq);
        const data = { venue: 'v', asset: id, total: amount, available: amount, reserved: '0' };
        return eventOf('balance', seq, data, { engine });
      }
    }
  });
}

/** In order, in batches; what fails comes again, and some of what is done already comes again as well: at least once. */
async function deliver(projector: Projector, events: readonly EngineEvent[], delivery: Delivery): Promise<void> {
  const texts = events.map((event) => JSON.stringify(event));
  let at = 0;
  let turn = 0;
  while (at < texts.length) {
    const size = delivery.sizes[turn % delivery.sizes.length]!;
    const from = delivery.replays.includes(turn) ? Math.max(0, at - 7) : at;
    const batch = batchOf(texts.slice(from, at + size), 'shard', from + 1);
    const { batchItemFailures } = await projector(batch);
    const failed = batchItemFailures[0];
    at = failed === undefined ? Math.min(texts.length, at + size) : Math.min(at, Number(failed.itemIdentifier) - 1);
    turn += 1;
    if (turn > 2_000) throw new Error('the stream does not move');
  }
}

type Sent = Parameters<DynamoDBDocumentClient['send']>[0];
/** The real table behind a wire that breaks at every n-th call, before or after the call took effect, until it is mended. */
function failingClient(every: number): DynamoDBDocumentClient {
  let calls = 0;
  let failures = 0;
  const send = async (command: Sent): Promise<unknown> => {
    calls += 1;
    const fails = every > 0 && calls % every === 0 && failures < 8;
    if (fails) failures += 1;
    if (fails && calls % 2 === 0) throw new Error('connection reset');
    const answer = await client.send(command);
    if (fails) throw new Error('connection reset after the write');
    return answer;
  };
  return { send } as unknown as DynamoDBDocumentClient;
}

function failingAfter(calls: number): DynamoDBDocumentClient {
  let left = calls;
  const send = (command: Sent): Promise<unknown> => {
    left -= 1;
    return left < 0 ? Promise.reject(new Error('connection refused')) : client.send(command);
  };
  return { send } as unknown as DynamoDBDocumentClient;
}

type Row = Readonly<Record<string, string>>;

async function projectorDeadLetters(): Promise<readonly Row[]> {
  const { Items = [] } = await client.send(
    new ScanCommand({
      TableName: 'state',
      FilterExpression: 'begins_with(pk, :pk)',
      ExpressionAttributeValues: { ':pk': 'DEADLETTER#events' },
    }),
  );
  return (Items as Row[]).sort((a, b) => (a['sk']! < b['sk']! ? -1 : 1));
}
