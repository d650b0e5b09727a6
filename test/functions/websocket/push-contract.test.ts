import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONNECTIONS_MAX } from '#functions/websocket/conversation.ts';
import { eventOf, fillData, opportunityData, orderData, sampleOf } from '../support/events.ts';
import { figuresOf, PushClient, startCloudPushWorld, startHubWorld, type PushWorld } from '../support/push-worlds.ts';
import { eventually } from '../support/world.ts';

const price = (symbol: string, bid: number) =>
  sampleOf(`binance:${symbol}`, 1_000 + bid, { bid: String(bid), ask: String(bid) });

/** What every push API does, whoever keeps its connections. */
describe.each([
  ['the hub of a laptop', startHubWorld],
  ['the functions of the cloud', startCloudPushWorld],
])('%s', (_, start) => {
  let world: PushWorld;
  beforeAll(async () => {
    world = await start();
  });
  afterAll(() => world.close());

  const arrive = async (rest = ''): Promise<PushClient> => PushClient.open(world.url(await world.tokenOf(), rest));
  /** A symbol's prices one by one, each told before the next comes. */
  const tell = async (symbol: string, ...bids: readonly number[]): Promise<void> => {
    for (const bid of bids) await world.prices([price(symbol, bid)]);
  };

  it('sends what was subscribed and nothing else, rising, with the id of the subscription', async () => {
    const client = await arrive();
    const answer = await client.ask({ type: 'subscribe', channel: 'prices', symbol: 'A/B', id: 'mine' });
    expect(answer).toMatchObject({ type: 'subscribed', channel: 'prices', symbol: 'A/B', id: 'mine' });
    await tell('A/B', 1);
    await tell('C/D', 2);
    await tell('A/B', 3);
    await eventually(() => client.updates().length === 2);
    expect(client.updates().map(({ type, symbol, id, data }) => [type, symbol, id, data.price])).toEqual([
      ['price_update', 'A/B', 'mine', 1],
      ['price_update', 'A/B', 'mine', 3],
    ]);
    expect(client.seqs('prices')).toEqual([answer.seq + 1, answer.seq + 3]);
    const bye = await client.ask({ type: 'unsubscribe', channel: 'prices', symbol: 'A/B', id: 'bye' });
    expect(bye).toEqual({ type: 'unsubscribed', channel: 'prices', symbol: 'A/B', id: 'bye' });
    await tell('A/B', 4);
    await client.ask({ type: 'unsubscribe', channel: 'prices' });
    expect(client.updates()).toHaveLength(2);
    await client.leave();
  });

  it('tells everybody the same numbers, of each channel from the same events', async () => {
    const [one, other] = [await arrive(), await arrive()];
    for (const client of [one, other]) {
      for (const channel of ['opportunities', 'orders', 'trades', 'system', 'risk'])
        await client.ask({ type: 'subscribe', channel });
    }
    const breaker = { trips: 'halted', reason: 'lost 2600', value: '2600', limit: '2500', by: 'engine' } as const;
    await world.events([
      eventOf('opportunity', 1, opportunityData('opp-1')),
      eventOf('order', 2, orderData('o-1', 'op-1')),
      eventOf('fill', 3, fillData('t-1', 'op-1')),
      eventOf('breaker', 4, { id: 'window-loss', state: 'open', ...breaker }),
      eventOf('order', 5, orderData('o-1', 'op-1', { filled_qty: '0.05' })),
    ]);
    await world.risk(figuresOf(5_000, 7));
    for (const client of [one, other]) await eventually(() => client.updates().length === 7);
    const byChannel = (client: PushClient): object =>
      Object.groupBy(
        client.updates().map(({ channel, seq, data }) => ({ channel, seq, data })),
        ({ channel }) => channel!,
      );
    expect(byChannel(one)).toEqual(byChannel(other));
    expect(one.seqs('orders')).toEqual([one.seqs('orders')[0], one.seqs('orders')[0]! + 1]);
    expect(
      one
        .updates()
        .filter(({ channel }) => channel === 'risk')
        .map(({ data }) => data),
    ).toMatchObject([
      { event: 'breaker', id: 'window-loss' },
      { event: 'metrics', portfolio_var: 7 },
    ]);
    for (const client of [one, other]) await client.leave();
  });

  it('keeps the digits of amounts', async () => {
    const client = await arrive('&channel=trades');
    await eventually(() => client.answers().length === 1 || world.risk(figuresOf(6_000, 7)).then(() => false));
    const raw: string[] = [];
    client.socket.on('message', (data: Buffer) => raw.push(data.toString()));
    await world.events([eventOf('fill', 6, fillData('t-2', 'op-1', { qty: '0.123456789012345678' }))]);
    await eventually(() => raw.length === 1);
    expect(raw[0]).toContain('"quantity":0.123456789012345678');
    await client.leave();
  });

  it('filters opportunities by profit, and trades by exchange', async () => {
    const client = await arrive();
    await client.ask({ type: 'subscribe', channel: 'opportunities', min_profit: 7.5 });
    await client.ask({ type: 'subscribe', channel: 'trades', exchange: 'okx' });
    await world.events([
      eventOf('opportunity', 7, opportunityData('small', { notional: '5000' })),
      eventOf('opportunity', 8, opportunityData('large', { notional: '6000.01' })),
      eventOf('fill', 9, fillData('t-3', 'op', { instrument: 'binance:C/D' })),
      eventOf('fill', 10, fillData('t-4', 'op', { instrument: 'okx:C/D' })),
    ]);
    await eventually(() => client.updates().length === 2);
    expect(client.updates()).toMatchObject([{ data: { id: 'large' } }, { data: { trade_id: 't-4' } }]);
    await client.leave();
  });

  it('opens with the channel that the address names', async () => {
    const client = await arrive('&channel=prices');
    await eventually(async () => {
      await tell('A/B', 5);
      return client.updates().length > 0;
    });
    expect(client.inbox[0]).toMatchObject({ type: 'subscribed', channel: 'prices' });
    expect(client.updates()[0]).toMatchObject({ type: 'price_update', symbol: 'A/B', seq: client.inbox[0]!.seq + 1 });
    await client.leave();
  });

  it('loses nothing of what was missed, and says gap where it is not held', async () => {
    const before = await arrive();
    const { seq } = await before.ask({ type: 'subscribe', channel: 'prices', symbol: 'A/B' });
    await tell('A/B', 10, 11);
    await eventually(() => before.updates().length === 2);
    await before.leave();
    await tell('A/B', 12);
    await tell('C/D', 13);
    await tell('A/B', 14);

    const after = await arrive();
    const early = await after.ask({ type: 'resume', channel: 'prices', from_seq: seq + 3 });
    expect(early.error).toMatchObject({ code: 3001 });
    await after.ask({ type: 'subscribe', channel: 'prices', symbol: 'A/B', id: 's' });
    const resumed = await after.ask({ type: 'resume', channel: 'prices', from_seq: seq + 3, id: 'r' });
    expect(resumed).toEqual({ type: 'resumed', channel: 'prices', from_seq: seq + 3, seq: seq + 5, id: 'r' });
    expect(after.updates().map((update) => [update.seq, update.id, update.data.price])).toEqual([
      [seq + 3, 's', 12],
      [seq + 5, 's', 14],
    ]);
    await tell('A/B', 15);
    await eventually(() => after.updates().length === 3);
    expect(after.seqs('prices').at(-1)).toBe(seq + 6);
    const gap = await after.ask({ type: 'resume', channel: 'prices', from_seq: seq + 99 });
    expect(gap).toMatchObject({ type: 'gap', channel: 'prices', from_seq: seq + 99, seq: seq + 6 });
    const none = await after.ask({ type: 'resume', channel: 'prices', from_seq: seq + 7 });
    expect(none).toMatchObject({ type: 'resumed', seq: seq + 6 });
    await after.leave();
  });

  it.each([
    ['text that is no JSON', '{"type":', 3001],
    ['an unknown type', { type: 'dance' }, 3001],
    ['an unknown channel', { type: 'subscribe', channel: 'gossip' }, 3001],
    ['an unknown symbol', { type: 'subscribe', channel: 'prices', symbol: 'X/Y' }, 2001],
    ['an unknown exchange', { type: 'subscribe', channel: 'prices', exchange: 'nowhere' }, 2002],
  ])('answers %s with its code, and ends after three in a row', async (__, message, code) => {
    const client = await arrive();
    for (const each of [message, message]) expect((await client.ask(each)).error).toMatchObject({ code });
    expect((await client.ask({ type: 'unsubscribe', channel: 'prices' })).type).toBe('unsubscribed');
    for (const each of [message, message]) expect((await client.ask(each)).error).toMatchObject({ code });
    expect(client.closed).toBeUndefined();
    await client.ask(message);
    await eventually(() => client.closed !== undefined);
    expect([client.closed, client.answers().at(-1)?.code]).toContain(1008);
    await eventually(async () => (await world.connections()) === 0);
  });

  it('serves nobody without the scope read', async () => {
    const client = await PushClient.open(world.url(await world.tokenOf(['trade'])));
    expect((await client.ask({ type: 'subscribe', channel: 'prices' })).error).toMatchObject({ code: 1003 });
    await client.leave();
  });

  it('has a bounded number of subscriptions', async () => {
    const client = await arrive();
    const channels = ['prices', 'orders', 'trades', 'opportunities'];
    const filters = channels.flatMap((channel) =>
      ['A/B', 'C/D', 'BTC/USDT', 'ETH/USDT'].flatMap((symbol) =>
        ['binance', 'okx'].map((exchange) => ({ channel, symbol, exchange })),
      ),
    );
    for (const filter of filters) expect((await client.ask({ type: 'subscribe', ...filter })).type).toBe('subscribed');
    await client.leave();
  });

  it.each([
    ['no token that is valid', 'x.y.z', '', [401, 403]],
    ['a channel that there is not', undefined, '&channel=gossip', [400]],
  ])('turns away %s before the upgrade', async (__, token, rest, statuses) => {
    const { socket } = new PushClient(world.url(token ?? (await world.tokenOf()), rest));
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    response.resume();
    expect(statuses).toContain(response.statusCode);
  });

  it('turns away who comes when all connections are taken', async () => {
    await eventually(async () => (await world.connections()) === 0);
    const inside: PushClient[] = [];
    for (let count = 0; count < CONNECTIONS_MAX; count += 1) inside.push(await arrive());
    const { socket } = new PushClient(world.url(await world.tokenOf()));
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    response.resume();
    expect(response.statusCode).toBe(503);
    for (const client of inside) await client.leave();
    await eventually(async () => (await world.connections()) === 0);
    await (await arrive()).leave();
  });

  it('ends the conversation with the key', async () => {
    const client = await arrive();
    await client.ask({ type: 'subscribe', channel: 'prices' });
    await tell('A/B', 30);
    await eventually(() => client.updates().length === 1);
    world.revoke(true);
    world.clock.advance(11_000);
    await eventually(async () => {
      await tell('A/B', 31);
      return client.closed !== undefined;
    });
    expect([client.closed, client.answers().at(-1)?.code]).toContain(1008);
    world.revoke(false);
    await eventually(async () => (await world.connections()) === 0);
  });

  it('ends the conversation with the token', async () => {
    const client = await arrive();
    await client.ask({ type: 'subscribe', channel: 'prices' });
    world.clock.advance(24 * 3_600_000 + 1_000);
    await eventually(async () => {
      await tell('A/B', 20);
      return client.closed !== undefined;
    });
    expect([client.closed, client.answers().at(-1)?.code]).toContain(1008);
    expect(client.updates()).toEqual([]);
  });
});
