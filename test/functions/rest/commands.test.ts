import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Command, CommandOf } from '#shared/schema/command.ts';
import type { EngineEvent, EventData } from '#shared/schema/event.ts';
import { startTestCloud, type Answer, type CloudUnderTest } from '../support/cloud.ts';
import { escalationData, eventOf, operationData, orderData } from '../support/events.ts';
import { listIn, textIn } from '../support/json.ts';

let world: CloudUnderTest;
let engine: ReturnType<CloudUnderTest['play']>;
/** What the engine of the moment says to a command. */
let respond: (asked: Command) => readonly EngineEvent[];
/** Everything that came to it. */
let heard: Command[];
let principal: string;
let token: string;
let principals = 0;
let seq = 0;

beforeAll(async () => {
  world = await startTestCloud();
  engine = world.play((asked) => {
    heard.push(asked);
    return respond(asked);
  });
});
afterAll(async () => {
  await engine.stop();
  await world.close();
});
beforeEach(async () => {
  principal = `trader-${(principals += 1)}`;
  token = await world.tokenOf(principal, ['read', 'trade', 'risk']);
  heard = [];
  respond = () => [];
});

const nextSeq = (): number => (seq += 1);
const done = ({ id, kind, by }: Command, detail: Record<string, string>): EngineEvent =>
  eventOf('command-done', nextSeq(), { command_id: id, command: kind, by, detail });
const refused = (code: number, reason: string) => (asked: Command) => [
  eventOf('command-refused', nextSeq(), { command_id: asked.id, code, reason }),
];

/** Takes every order, and says of it what `over` says. */
const takes =
  (id: string, ...words: readonly Partial<EventData<'order'>>[]) =>
  (asked: Command): readonly EngineEvent[] => {
    const { instrument, side, type, qty, price = '1', time_in_force } = asked as CommandOf<'order'>;
    const order = { purpose: 'manual', instrument, side, type, qty, price, time_in_force } as const;
    return [
      done(asked, { order_id: id, operation: `op-${id}` }),
      ...[{}, ...words].map((over) => eventOf('order', nextSeq(), orderData(id, `op-${id}`, { ...order, ...over }))),
    ];
  };
const order = { symbol: 'BTC/USDT', exchange: 'binance', side: 'buy', type: 'limit', quantity: 0.5, price: 60_000 };
const place = (body: unknown, headers?: Record<string, string>): Promise<Answer> =>
  world.post('/v1/trading/orders', body, token, headers);
const cancel = (id: string): Promise<Answer> => world.send('DELETE', `/v1/trading/orders/${id}`, undefined, token);
/** Takes a cancel, and says of its order what `over` says. */
const ends =
  (id: string, over: Partial<EventData<'order'>>) =>
  (asked: Command): readonly EngineEvent[] => [
    done(asked, { order_id: id, operation: `op-${id}` }),
    eventOf('order', nextSeq(), orderData(id, `op-${id}`, over)),
  ];
const emergency = (body?: unknown): Promise<Answer> => world.post('/v1/trading/emergency-stop', body, token);
const stopWord = (asked: Command, state: 'started' | 'verified' | 'failed', left = 0): EngineEvent => {
  const { id, by, reason } = asked as CommandOf<'emergency-stop'>;
  const accounts = state === 'started' ? [] : [{ venue: 'okx', account: 'spot', open: 2, left, ms: 41 }];
  return eventOf('emergency-stop', nextSeq(), { state, reason, by, command_id: id, accounts });
};
const codeOf = ({ status, error }: Answer): readonly number[] => [status, error.code];

describe('an order', () => {
  it.each(['/v1/trading/orders', '/v1/orders'])('is sent by POST %s, and told as the venue tells it', async (path) => {
    respond = takes(`a-${path.length}`, { status: 'partially-filled', filled_qty: '0.2', average_price: '59999.5' });
    const { status, data } = await world.post(path, { ...order, post_only: true }, token);
    expect(status).toBe(201);
    expect(data).toMatchObject({
      order_id: `a-${path.length}`,
      symbol: 'BTC/USDT',
      exchange: 'binance',
      side: 'buy',
      type: 'limit',
      quantity: 0.5,
      status: 'partially-filled',
      filled_quantity: 0.2,
      average_price: 59_999.5,
    });
    expect(Date.parse(textIn(data['timestamp']))).toBeGreaterThan(0);
    expect(heard).toMatchObject([
      {
        kind: 'order',
        by: principal,
        instrument: 'binance:BTC/USDT',
        time_in_force: 'GTC',
        post_only: true,
        price: '60000',
      },
    ]);
  });

  it('keeps every digit of its quantity and price, in whatever notation', async () => {
    respond = takes('digits', { status: 'accepted' });
    const body =
      '{"symbol":"BTC/USDT","exchange":"okx","side":"sell","type":"limit","quantity":1.23456789012345678901e-3,"price":60000.10}';
    const { status, text } = await place(body);
    expect(status).toBe(201);
    expect(heard).toMatchObject([{ qty: '0.00123456789012345678901', price: '60000.1' }]);
    expect(text).toContain('"quantity":0.00123456789012345678901,');
  });

  it('at the market is IOC, and told as rejected where the venue rejects it', async () => {
    respond = takes('market', { status: 'rejected', reason: 'insufficient-funds' });
    const { status, data } = await place({ ...order, type: 'market', price: undefined });
    expect([status, data['status'], data['reason']]).toEqual([201, 'rejected', 'insufficient-funds']);
    expect(heard[0]).toMatchObject({ type: 'market', time_in_force: 'IOC' });
    expect(heard[0]).not.toHaveProperty('price');
  });

  it.each([
    ['no quantity', { quantity: undefined }, 'quantity'],
    ['a quantity of zero', { quantity: 0 }, 'quantity'],
    ['a negative price', { price: -1 }, 'price'],
    ['a quantity in words', { quantity: 'much' }, 'quantity'],
    ['an unknown side', { side: 'both' }, 'side'],
    ['no limit', { price: undefined }, 'price'],
    ['a market order that rests', { type: 'market', time_in_force: 'GTC' }, 'time_in_force'],
    ['post-only that cannot rest', { post_only: true, time_in_force: 'IOC' }, 'post_only'],
    ['an unknown field', { leverage: 100 }, 'leverage'],
    ['a number for a name', { client_order_id: 5 }, 'client_order_id'],
  ])('with %s is 400/3001 and never sent', async (_, over, where) => {
    const answer = await place({ ...order, ...over });
    expect(codeOf(answer)).toEqual([400, 3001]);
    expect(answer.error.detail).toContain(where);
    expect(heard).toEqual([]);
  });

  it('is refused for what nobody knows, and to who may not trade', async () => {
    expect(codeOf(await place({ ...order, symbol: 'X/Y' }))).toEqual([404, 2001]);
    expect(codeOf(await place({ ...order, exchange: 'nowhere' }))).toEqual([404, 2002]);
    expect(codeOf(await place('nonsense'))).toEqual([400, 3001]);
    const reader = await world.tokenOf('reader', ['read', 'risk']);
    expect(codeOf(await world.post('/v1/trading/orders', order, reader))).toEqual([403, 1003]);
    expect(codeOf(await world.send('DELETE', '/v1/trading/orders/x', undefined, reader))).toEqual([403, 1003]);
    expect(heard).toEqual([]);
  });

  it.each([
    [400, 3001, 'quantity is off the lot'],
    [400, 3002, 'USDT: 10 of 30000'],
    [403, 4001, 'TRADING_HALTED'],
    [403, 4002, 'POSITION_EXCEEDS_MAX'],
    [403, 4003, 'LEVERAGE_EXCEEDS_MAX'],
  ])('is answered %i/%i where the engine refuses so', async (status, code, reason) => {
    respond = refused(code, reason);
    const answer = await place(order);
    expect([...codeOf(answer), answer.error.detail]).toEqual([status, code, reason]);
  });

  it('is 503/5002 for a code of the engine that is none of ours', async () => {
    respond = refused(77, 'who knows');
    expect(codeOf(await place(order))).toEqual([503, 5002]);
  });
});

describe('a replacement', () => {
  const replace = (id: string, body: unknown): Promise<Answer> =>
    world.send('PATCH', `/v1/trading/orders/${id}`, body, token);
  const replaced =
    (id: string, ...words: readonly (readonly [id: string, over: Partial<EventData<'order'>>])[]) =>
    (asked: Command): readonly EngineEvent[] => [
      done(asked, { order_id: id, operation: `op-${id}` }),
      ...words.map(([each, over]) => eventOf('order', nextSeq(), orderData(each, `op-${id}`, over))),
    ];

  it('is told once the order stands so, or another one in its stead', async () => {
    respond = replaced('moved', ['moved', { status: 'accepted', price: '59000', qty: '0.5' }]);
    const { status, data } = await replace('moved', { price: 59_000 });
    expect([status, data['order_id'], data['price']]).toEqual([200, 'moved', 59_000]);
    expect(heard).toMatchObject([{ kind: 'order-replace', order: 'moved', price: '59000' }]);
    expect(heard[0]).not.toHaveProperty('qty');
    respond = replaced(
      'first',
      ['first', { status: 'canceled', replaced_by: 'second' }],
      ['second', { status: 'accepted', price: '58000' }],
    );
    expect((await replace('first', { price: 58_000 })).data).toMatchObject({ order_id: 'second', price: 58_000 });
  });

  it('is an error where the venue keeps it as it was, and where it ended first', async () => {
    respond = replaced('kept', ['kept', { status: 'accepted', price: '1', reason: 'kept: would-take' }]);
    expect(codeOf(await replace('kept', { price: 58_000 }))).toEqual([400, 3001]);
    respond = replaced('full', ['full', { status: 'filled', price: '1' }]);
    expect(codeOf(await replace('full', { price: 58_000 }))).toEqual([409, 3004]);
    respond = refused(3003, 'nobody');
    expect(codeOf(await replace('nobody', { quantity: 1 }))).toEqual([404, 3003]);
    expect(codeOf(await replace('empty', {}))).toEqual([400, 3001]);
  });

  it('stays on its way while nobody has said', async () => {
    respond = replaced('slow', ['slow', { status: 'accepted', price: '1', replacing: { price: '2', qty: '1' } }]);
    expect((await replace('slow', { price: 2 })).status).toBe(202);
  });
});

describe('an order without an exchange', () => {
  it('is routed, and takes at once', async () => {
    respond = takes('routed', { status: 'filled' });
    expect((await place({ ...order, exchange: undefined })).status).toBe(201);
    expect(heard).toMatchObject([{ instrument: 'BTC/USDT', time_in_force: 'IOC' }]);
  });
});

describe('a named order', () => {
  const key = { 'idempotency-key': 'my order 1' };

  it('is one order, however often it is sent', async () => {
    respond = takes('once', { status: 'accepted' });
    const first = await place(order, key);
    const again = await place({ ...order, quantity: '0.50' }, key);
    expect(codeOf(again)).toEqual([409, 3001]);
    const same = await place(order, key);
    expect([first.status, same.status, same.data]).toEqual([201, 201, first.data]);
    expect(heard).toHaveLength(1);
  });

  it('is sent again only while nothing is known of it', async () => {
    const pending = await place(order, key);
    expect(pending.status).toBe(202);
    respond = refused(3002, 'poor');
    // The same command: the engine carries it out once.
    const told = world.post('/v1/trading/orders', order, token, key);
    await world.feed([
      eventOf('command-refused', nextSeq(), {
        command_id: textIn(pending.data['command_id']),
        code: 3002,
        reason: 'poor',
      }),
    ]);
    expect(codeOf(await told)).toEqual([400, 3002]);
    expect(codeOf(await place(order, key))).toEqual([400, 3002]);
    expect(new Set(heard.map(({ id }) => id)).size).toBe(1);
  });

  it('may be named in the body, and is named by its sender alone', async () => {
    respond = takes('mine', { status: 'accepted' });
    const named = { ...order, client_order_id: 'my order 1' };
    const [first, same] = [await place(named), await place(named)];
    expect(same.data).toEqual(first.data);
    const other = await world.tokenOf('somebody else', ['trade']);
    await world.post('/v1/trading/orders', named, other);
    expect(heard.map(({ by }) => by)).toEqual([principal, 'somebody else']);
    expect(heard[0]!.id).not.toBe(heard[1]!.id);
    expect(codeOf(await place(order, { 'idempotency-key': 'x'.repeat(129) }))).toEqual([400, 3001]);
  });
});

describe('a cancel', () => {
  it('is told once the venue has said so', async () => {
    respond = ends('gone', { status: 'canceled', filled_qty: '0.01' });
    const { status, data } = await cancel('gone');
    expect([status, data]).toMatchObject([200, { order_id: 'gone', status: 'cancelled' }]);
    expect(heard).toMatchObject([{ kind: 'cancel', order: 'gone', by: principal }]);
  });

  it('of an order that is filled meanwhile is 409/3004', async () => {
    respond = ends('quick', { status: 'filled', filled_qty: '0.10' });
    expect(codeOf(await cancel('quick'))).toEqual([409, 3004]);
  });

  it('of what cannot be the id of an order is 400/3001 and never sent', async () => {
    expect(codeOf(await cancel('x'.repeat(65)))).toEqual([400, 3001]);
    expect(heard).toEqual([]);
  });

  it.each([
    [404, 3003, 'no order x'],
    [409, 3004, 'filled'],
  ])('is answered %i/%i where the engine refuses so', async (status, code, reason) => {
    respond = refused(code, reason);
    expect(codeOf(await cancel('x'))).toEqual([status, code]);
  });
});

describe('the emergency stop', () => {
  it('is told once the venues have said that nothing is left', async () => {
    respond = (asked) => [stopWord(asked, 'started'), stopWord(asked, 'verified')];
    const { status, data } = await emergency({ reason: 'smoke' });
    expect([status, data]).toMatchObject([
      200,
      {
        state: 'verified',
        reason: 'smoke',
        by: principal,
        accounts: [{ exchange: 'okx', account: 'spot', open_orders: 2, left_orders: 0, took_ms: 41 }],
      },
    ]);
  });

  it('says what is left where it failed', async () => {
    respond = (asked) => [stopWord(asked, 'started'), stopWord(asked, 'failed', 1)];
    const { status, data } = await emergency();
    expect([status, data['state'], listIn(data['accounts'])[0]!['left_orders']]).toEqual([200, 'failed', 1]);
    expect(heard).toMatchObject([{ kind: 'emergency-stop', reason: 'emergency stop by API' }]);
  });

  it('wants the scope risk', async () => {
    const trader = await world.tokenOf('trader', ['read', 'trade']);
    expect(codeOf(await world.post('/v1/trading/emergency-stop', {}, trader))).toEqual([403, 1003]);
  });
});

describe('recoveries', () => {
  it('are listed with what is asked, newest first, page by page', async () => {
    await world.feed([
      eventOf('operation', nextSeq(), operationData('stuck-1', { state: 'escalated', reason: 'LOSS_ABOVE_MAX' })),
      ...['stuck-1', 'stuck-2', 'stuck-3'].map((id) => eventOf('escalation', nextSeq(), escalationData(id))),
      eventOf('escalation', nextSeq(), escalationData('stuck-2', { state: 'approved', by: 'me' })),
    ]);
    const { data, text } = await world.get('/v1/trading/recoveries', token);
    expect(listIn(data['recoveries']).map(({ operation }) => operation)).toEqual(['stuck-3', 'stuck-1']);
    expect(listIn(data['recoveries'])[0]).toMatchObject({
      state: 'open',
      reason: 'LOSS_ABOVE_MAX',
      request: 'okx filled 0.1 BTC and binance nothing.',
      loose: [{ exchange: 'okx', symbol: 'BTC/USDT', size: -0.1, value: 6010.03 }],
      proposals: [{ id: 'unwind-1', kind: 'unwind', orders: [{ exchange: 'okx', price: 60_200 }] }, { id: 'accept' }],
      attempts: 3,
    });
    expect(text).toContain('"cost":12.50,');
    const first = await world.get('/v1/trading/recoveries?limit=1', token);
    const cursor = textIn(first.data['next_cursor']);
    const rest = await world.get(`/v1/trading/recoveries?limit=1&cursor=${cursor}`, token);
    expect(listIn(rest.data['recoveries'])).toMatchObject([{ operation: 'stuck-1' }]);
    const answered = await world.get('/v1/trading/recoveries?state=approved', token);
    expect(answered.data['recoveries']).toMatchObject([{ operation: 'stuck-2', by: 'me' }]);
    expect((await world.get(`/v1/trading/orders?cursor=${cursor}`, token)).error.code).toBe(3001);

    const operation = await world.get('/v1/trading/operations/stuck-1', token);
    expect(operation.data).toMatchObject({ state: 'escalated', escalation: { operation: 'stuck-1', state: 'open' } });
    const escalated = await world.get('/v1/trading/operations?state=escalated', token);
    expect(escalated.data['operations']).toMatchObject([{ id: 'stuck-1', attribution: null }]);
  });

  it('are decided by a person', async () => {
    respond = (asked) => [done(asked, { state: 'recovering' })];
    const path = '/v1/trading/recoveries/stuck-1';
    const { status, data } = await world.post(path, { decision: 'approve', proposal: 'unwind-1' }, token);
    expect([status, data]).toMatchObject([
      200,
      { operation: 'stuck-1', decision: 'approve', detail: { state: 'recovering' } },
    ]);
    expect(heard).toMatchObject([
      { kind: 'recovery', operation: 'stuck-1', decision: 'approve', proposal: 'unwind-1', by: principal },
    ]);
    respond = refused(2003, 'nothing is asked of it');
    expect(codeOf(await world.post(path, { decision: 'cancel' }, token))).toEqual([404, 2003]);
    expect(codeOf(await world.post(path, { decision: 'wait' }, token))).toEqual([400, 3001]);
    const reader = await world.tokenOf('reader', ['read', 'risk']);
    expect(codeOf(await world.post(path, { decision: 'cancel' }, reader))).toEqual([403, 1003]);
    expect(codeOf(await world.get('/v1/trading/recoveries', reader))).toEqual([403, 1003]);
  });
});

describe('an adjustment', () => {
  const adjust = (body: unknown): Promise<Answer> => world.post('/v1/trading/adjustments', body, token);
  const body = { exchange: 'okx', asset: 'BTC', amount: -1.5, reason: 'withdrawn by hand' };

  it('goes to the engine with every digit', async () => {
    respond = (asked) => [done(asked, { difference: '-2' })];
    const { status, data } = await adjust(
      '{"exchange":"okx","asset":"BTC","amount":8.000000000000000001,"reason":"deposit"}',
    );
    expect([status, data]).toMatchObject([200, { exchange: 'okx', asset: 'BTC', detail: { difference: '-2' } }]);
    expect(heard).toMatchObject([{ kind: 'adjust', venue: 'okx', amount: '8.000000000000000001', reason: 'deposit' }]);
  });

  it('is refused where it makes no sense', async () => {
    expect(codeOf(await adjust({ ...body, exchange: 'nowhere' }))).toEqual([404, 2002]);
    expect(codeOf(await adjust({ ...body, reason: '' }))).toEqual([400, 3001]);
    const trader = await world.tokenOf('trader', ['read', 'trade']);
    expect(codeOf(await world.post('/v1/trading/adjustments', body, trader))).toEqual([403, 1003]);
    expect(heard).toEqual([]);
  });
});

describe('an adjustment of a position', () => {
  const path = '/v1/trading/position-adjustments';
  const body = {
    exchange: 'okx',
    symbol: 'BTC/USDT:USDT',
    size: -0.5,
    entry_price: 60_000.5,
    reason: 'closed by hand',
  };

  it('goes to the engine, which says what it made of it', async () => {
    respond = (asked) => [done(asked, { size: '-0.5' })];
    const { status, data } = await world.post(path, body, token);
    expect([status, data]).toMatchObject([200, { exchange: 'okx', symbol: 'BTC/USDT:USDT', detail: { size: '-0.5' } }]);
    const instrument = 'okx:BTC/USDT:USDT';
    expect(heard).toMatchObject([{ kind: 'adjust-position', instrument, size: '-0.5', entry_price: '60000.5' }]);
    respond = refused(2001, 'no account trades it');
    expect(codeOf(await world.post(path, body, token))).toEqual([404, 2001]);
  });

  it('is refused where it makes no sense', async () => {
    expect(codeOf(await world.post(path, { ...body, exchange: 'nowhere' }, token))).toEqual([404, 2002]);
    expect(codeOf(await world.post(path, { ...body, size: 'all' }, token))).toEqual([400, 3001]);
    expect(codeOf(await world.post(path, { ...body, entry_price: -1 }, token))).toEqual([400, 3001]);
    const trader = await world.tokenOf('trader', ['read', 'trade']);
    expect(codeOf(await world.post(path, body, trader))).toEqual([403, 1003]);
    expect(heard).toEqual([]);
  });
});

describe('what is not answered in time', () => {
  it('is pending, and can be asked for', async () => {
    const silentOrder = takes('silent');
    respond = (asked) => {
      if (asked.kind === 'order') return asked.side === 'sell' ? silentOrder(asked) : [];
      if (asked.kind === 'cancel') return ends('slow', { status: 'accepted' })(asked);
      return asked.kind === 'emergency-stop' && asked.reason === 'begun' ? [stopWord(asked, 'started')] : [];
    };
    const post = (path: string, body: unknown): Promise<Answer> => world.post(path, body, token);
    const [unheard, silent, slow, begun, unbegun, ...others] = await Promise.all([
      place(order),
      place({ ...order, side: 'sell' }),
      cancel('slow'),
      emergency({ reason: 'begun' }),
      emergency(),
      post('/v1/trading/recoveries/stuck', { decision: 'cancel' }),
      post('/v1/trading/adjustments', { exchange: 'okx', asset: 'BTC', amount: 1, reason: 'deposit' }),
      post('/v1/risk/breakers/drift/reset', {}),
    ]);
    expect([unheard.status, unheard.data]).toMatchObject([202, { status: 'pending', order_id: null }]);
    // The engine has sent it, and the venue says nothing.
    expect([silent.status, silent.data]).toMatchObject([201, { status: 'submitted', order_id: 'silent' }]);
    expect([slow.status, slow.data]).toMatchObject([202, { status: 'pending', order_id: 'slow' }]);
    expect([begun.status, begun.data['state']]).toEqual([202, 'started']);
    expect([unbegun.status, unbegun.data['state']]).toEqual([202, 'pending']);
    expect(others.map(({ status, data }) => [status, data['state']])).toEqual(others.map(() => [202, 'pending']));

    const wordOn = async ({ data }: Answer): Promise<unknown> =>
      (await world.get(`/v1/trading/commands/${textIn(data['command_id'])}`, token)).data;
    expect(await wordOn(unheard)).toMatchObject({ state: 'pending', answered_at: null });
    const asked = (answer: Answer): Command => heard.find(({ id }) => id === textIn(answer.data['command_id']))!;
    await world.feed([...takes('late', { status: 'accepted' })(asked(unheard)), stopWord(asked(begun), 'verified')]);
    expect(await wordOn(unheard)).toMatchObject({ state: 'done', detail: { order_id: 'late', operation: 'op-late' } });
    expect(await wordOn(begun)).toMatchObject({ state: 'done', detail: { state: 'verified' } });
  });
});
