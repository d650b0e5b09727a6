import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { randomFrom } from '#shared/random.ts';
import { ApplicationError } from '#functions/common/errors.ts';
import { Table } from '#functions/common/table.ts';
import { batchOf, eventOf, fillData, orderData, sampleOf } from '../support/events.ts';
import { PushClient, startCloudPushWorld, type CloudPushWorld } from '../support/push-worlds.ts';
import { eventually } from '../support/world.ts';

let world: CloudPushWorld;
let ticking: NodeJS.Timeout;
beforeEach(async () => {
  world = await startCloudPushWorld();
  // Turns end and slow clients are tried again: time goes on, faster than here.
  ticking = setInterval(() => world.clock.advance(200), 10);
});
afterEach(async () => {
  clearInterval(ticking);
  await world.close();
});

const listening = async (...channels: readonly string[]): Promise<PushClient> => {
  const client = await PushClient.open(world.url(await world.tokenOf()));
  for (const channel of channels) await client.ask({ type: 'subscribe', channel });
  return client;
};
const trade = (id: string): string => JSON.stringify(eventOf('fill', 1, fillData(id, 'op')));
const order = (id: string, seq: number): string =>
  JSON.stringify(eventOf('order', seq, orderData(id, 'op', { filled_qty: String(seq) })));
const count = (to: number): readonly number[] => Array.from({ length: to }, (_, index) => index + 1);
/** All there is in a channel. */
const logOf = async (channel: 'trades' | 'orders') => {
  const { seq } = await world.channels.head(channel);
  return world.channels.updates(channel, 1, seq);
};
const tradeIds = (updates: readonly { readonly data: unknown }[]): readonly string[] =>
  updates.map(({ data }) => (data as { readonly trade_id: string }).trade_id);

describe('numbers', () => {
  it('are the same for everybody and have no hole, whichever shard speaks', async () => {
    const clients = [await listening('trades'), await listening('trades')];
    const shards = ['shardId-0', 'shardId-1', 'shardId-2'];
    await Promise.all(
      shards.map(async (shard, index) => {
        const fanout = world.another(world.table);
        for (const batch of count(4)) {
          const ids = count(5).map((each) => trade(`${index}-${batch}-${each}`));
          const { batchItemFailures } = await fanout.events(batchOf(ids, shard, batch * 10));
          expect(batchItemFailures).toEqual([]);
        }
      }),
    );
    for (const client of clients) {
      await eventually(() => client.updates().length === 60);
      expect(client.seqs('trades')).toEqual(count(60));
    }
    expect(clients[0]!.updates()).toEqual(clients[1]!.updates());
    for (const [index] of shards.entries()) {
      const own = tradeIds(clients[0]!.updates()).filter((id) => id.startsWith(`${index}-`));
      expect(own).toEqual(count(4).flatMap((batch) => count(5).map((each) => `${index}-${batch}-${each}`)));
    }
  });

  it('stay when a batch comes again, whole or in another cut', async () => {
    const client = await listening('trades');
    const texts = count(6).map((id) => trade(`t-${id}`));
    await world.fanout.events(batchOf(texts.slice(0, 4), 's', 1));
    await world.fanout.events(batchOf(texts.slice(0, 4), 's', 1));
    await world.fanout.events(batchOf(texts.slice(2), 's', 3));
    await eventually(() => client.updates().length === 6);
    expect(client.seqs('trades')).toEqual(count(6));
    expect(tradeIds(await logOf('trades'))).toEqual(count(6).map((id) => `t-${id}`));
  });

  it('survive a database that fails before and after it has done what it was asked', async () => {
    const client = await listening('trades', 'orders');
    const random = randomFrom(7);
    const shards = ['shardId-0', 'shardId-1'];
    await Promise.all(
      shards.map(async (shard) => {
        const fanout = world.another(new FlakyTable(world, () => random.next() < 0.15));
        for (const batch of count(6)) {
          const texts = count(4).flatMap((each) => [trade(`${shard}-${batch}-${each}`), order(`o-${each}`, batch)]);
          const records = batchOf(texts, shard, batch * 10);
          await eventually(async () => (await fanout.events(records)).batchItemFailures.length === 0, 60_000);
        }
      }),
    );
    const logged = await logOf('trades');
    expect(logged.map(({ seq }) => seq)).toEqual(count(48));
    expect(new Set(tradeIds(logged)).size).toBe(48);
    await eventually(() => new Set(client.seqs('trades')).size === 48 && new Set(client.seqs('orders')).size === 48);
    // What came twice came with its number: nobody is told two things under one.
    const told = new Map<number, string>();
    for (const { seq, data, channel } of client.updates()) {
      if (channel !== 'trades') continue;
      const text = JSON.stringify(data);
      expect(told.get(seq) ?? text).toBe(text);
      told.set(seq, text);
    }
  });
});

describe('clients', () => {
  it.each(['throttled', 'failing', 'hanging'] as const)(
    'that are slow (%s) hold up nobody, and get the latest state of each subject when they are well again',
    async (weather) => {
      const slow = await listening('orders', 'trades');
      const [id] = world.gateway.ids;
      const quick = await listening('orders', 'trades');
      world.gateway.weather.set(id!, weather);
      for (const step of count(2)) {
        const texts = [order('o-1', step), order('o-2', step), trade(`t-${step}`)];
        await world.fanout.events(batchOf(texts, 's', step * 10));
      }
      await eventually(() => quick.updates().length === 6);
      expect(slow.updates()).toEqual([]);
      world.gateway.weather.delete(id!);
      await eventually(async () => {
        // Any sample wakes the fan-out.
        await world.prices([sampleOf('binance:A/B', 1)]);
        return slow.updates().length === 4;
      });
      expect(slow.seqs('orders')).toEqual([3, 4]);
      expect(slow.seqs('trades')).toEqual([1, 2]);
      await world.fanout.events(batchOf([order('o-1', 3)], 's', 90));
      await eventually(() => slow.seqs('orders').at(-1) === 5);
    },
  );

  it('that are gone are forgotten', async () => {
    const client = await listening('trades');
    await eventually(async () => (await world.connections()) === 1);
    world.clock.advance(11_000);
    world.gateway.lose(world.gateway.ids[0]!);
    await world.fanout.events(batchOf([trade('t-1')], 's'));
    expect(await world.connections()).toBe(0);
    expect(client.updates()).toEqual([]);
  });

  it('that speak over a connection that nobody knows are told to come again', async () => {
    const client = await listening();
    await world.table.remove({ pk: 'engine-1#PUSH', sk: world.gateway.ids[0]! });
    expect(await client.ask({ type: 'subscribe', channel: 'prices' })).toMatchObject({ type: 'closing', code: 1008 });
    await eventually(() => client.closed !== undefined);
  });

  it('lose nothing when they resume while updates go on', async () => {
    for (const batch of count(10)) await world.fanout.events(batchOf([trade(`a-${batch}`)], 's', batch));
    let isOver = false;
    const live = (async () => {
      for (const batch of count(10)) await world.fanout.events(batchOf([trade(`b-${batch}`)], 's', 100 + batch));
      isOver = true;
    })();
    const client = await PushClient.open(world.url(await world.tokenOf()));
    client.socket.send(JSON.stringify({ type: 'subscribe', channel: 'trades' }));
    await eventually(() => client.answers().length === 1);
    const before = client.answers()[0]!.seq;
    await client.ask({ type: 'resume', channel: 'trades', from_seq: 1 });
    await live;
    expect(isOver).toBe(true);
    await eventually(() => client.seqs('trades').at(-1) === 20);
    expect(new Set(client.seqs('trades'))).toEqual(new Set(count(20)));
    // From the first replayed one on, in order and once.
    const replayed = client.seqs('trades').slice(client.seqs('trades').indexOf(1));
    expect(replayed).toEqual(count(20));
    expect(before).toBeGreaterThanOrEqual(10);
  });
});

it('takes over the turn of a sender that died', async () => {
  const client = await listening('trades');
  let release = (): void => undefined;
  const died = world.channels.exclusively('trades', () => new Promise((resolve) => (release = resolve)));
  const waiting = world.fanout.events(batchOf([trade('t-1')], 's'));
  world.clock.advance(21_000);
  await eventually(() => client.updates().length === 1);
  expect(await waiting).toEqual({ batchItemFailures: [] });
  release();
  await died;
});

/** Fails as a database on the network does: the writer cannot know whether it has been done. */
class FlakyTable extends Table {
  readonly #fails: () => boolean;

  constructor({ client }: Pick<CloudPushWorld, 'client'>, fails: () => boolean) {
    super(client, 'state');
    this.#fails = fails;
  }

  override async update(...of: Parameters<Table['update']>): ReturnType<Table['update']> {
    if (this.#fails()) throw new ApplicationError(5001);
    const result = await super.update(...of);
    if (this.#fails()) throw new ApplicationError(5001);
    return result;
  }

  override async get(...of: Parameters<Table['get']>): ReturnType<Table['get']> {
    if (this.#fails()) throw new ApplicationError(5001);
    return super.get(...of);
  }
}
