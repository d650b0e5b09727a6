import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EngineEvent } from '#shared/schema/event.ts';
import { ENGINE, eventOf, sampleOf } from '../support/events.ts';
import { listIn, textIn, type Json } from '../support/json.ts';
import { startTestCloud, type CloudUnderTest } from '../support/cloud.ts';
import { eventually } from '../support/world.ts';

let world: CloudUnderTest;
let seq = 0;

beforeAll(async () => {
  world = await startTestCloud();
  await world.feed([
    balance('binance', 'BTC', '2'),
    balance('binance', 'USDT', '180000'),
    balance('okx', 'BTC', '2.4'),
    balance('okx', 'USDT', '60000'),
  ]);
});
/** Books as of now. */
beforeEach(async () => {
  world.clock.advance(1);
  await world.sample([book('binance'), book('okx')]);
  const now = new Date(world.clock.nowMs()).toISOString();
  const reader = await world.tokenOf('reader', ['read']);
  await eventually(async () => {
    const { data } = await world.get('/v1/market/prices', reader);
    const fresh = listIn(data['prices']).filter(({ timestamp }) => textIn(timestamp) === now);
    return fresh.length === 2;
  });
});
afterAll(() => world.close());

const balance = (venue: string, asset: string, total: string): EngineEvent =>
  eventOf('balance', ++seq, { venue, asset, total, available: total, reserved: '0' });

const book = (venue: string) =>
  sampleOf(`${venue}:BTC/USDT`, world.clock.nowMs(), {
    bid: '59990',
    ask: '60010',
    bids: [['59990', '8.12345']],
    asks: [['60010', '8.12345']],
  });

const TARGETS = { binance: { BTC: 3, USDT: 120_000 }, okx: { BTC: 3, USDT: 60_000 } };
/** Nothing leaves the venues. */
const APART = { targets: TARGETS, suspended: ['binance:USDT', 'binance:BTC'] };
const plan = async (body: unknown = APART): Promise<Json> => {
  const answer = await world.post('/v1/portfolio/rebalance/plan', body, await world.tokenOf('reader', ['read']));
  expect(answer.text).toContain('"status":"success"');
  return answer.data;
};
const execute = async (body: unknown) =>
  world.post('/v1/portfolio/rebalance/execute', body, await world.tokenOf('trader', ['trade']));

describe('a plan', () => {
  it('is asked for with what is wanted where, and is a proposal with its cost', async () => {
    const data = await plan();
    expect(data).toMatchObject({ status: 'optimal', numeraire: 'USDT', remaining: [] });
    const steps = listIn(data['steps']);
    expect(steps).toMatchObject([
      {
        id: '1',
        phase: 0,
        kind: 'trade',
        exchange: 'binance',
        symbol: 'BTC/USDT',
        side: 'buy',
        limit: 60_010,
        executable: true,
      },
    ]);
    expect(Number(steps[0]!['quantity'])).toBeCloseTo(0.5, 2);
    expect(Number(data['cost'])).toBeGreaterThan(0);
    expect(listIn(data['drift'])).toMatchObject([
      { exchange: 'binance', asset: 'BTC', amount: -0.25 },
      { exchange: 'binance', asset: 'USDT', amount: 30_000 },
    ]);
  });

  it('moves over a chain that both venues have, and names the reason where its wallets are closed', async () => {
    const targets = { binance: { USDT: 60_000 }, okx: { USDT: 180_000 } };
    const open = listIn((await plan({ targets }))['steps']);
    expect(open).toMatchObject([
      {
        kind: 'transfer',
        exchange: 'binance',
        to: 'okx',
        asset: 'USDT',
        network: 'TRX',
        eta_minutes: 3,
        executable: false,
      },
    ]);
    const closed = await plan({ targets, suspended: ['okx:USDT', 'binance:BTC'] });
    expect(closed['steps']).toEqual([]);
    expect(listIn(closed['remaining']).map(({ reason }) => reason)).toEqual(['WALLET_SUSPENDED', 'WALLET_SUSPENDED']);
  });

  it('counts what travels once', async () => {
    const targets = { binance: { USDT: 60_000 }, okx: { USDT: 180_000 } };
    const transfer = { id: 't-1', asset: 'USDT', from: 'binance', to: 'okx', amount: 105_000, state: 'requested' };
    expect(await plan({ targets, in_flight: [transfer, transfer] })).toMatchObject({
      steps: [],
      drift: [],
      remaining: [],
    });
  });

  it('has the configured targets without a body, and is for readers', async () => {
    const data = await plan('');
    expect(listIn(data['remaining']).length).toBeGreaterThan(0);
    expect((await world.post('/v1/portfolio/rebalance/plan', {}, await world.tokenOf('t', ['trade']))).error.code).toBe(
      1003,
    );
    const wrong = await world.post(
      '/v1/portfolio/rebalance/plan',
      { targets: { okx: { BTC: -1 } } },
      await world.tokenOf('r', ['read']),
    );
    expect(wrong.error).toMatchObject({ code: 3001, detail: 'targets.okx.BTC: a number, not below 0' });
  });

  it('leaves alone what it has no fresh book for', async () => {
    world.clock.advance(11_000);
    const data = await plan();
    expect(data['steps']).toEqual([]);
    expect(listIn(data['remaining']).map(({ asset, reason }) => [asset, reason])).toEqual([
      ['BTC', 'NO_PRICE'],
      // To where only a trade would lead.
      ['USDT', 'NO_COUNTERPART'],
    ]);
  });
});

describe('carrying it out', () => {
  it('sends a trade as an order, at most as proposed, and once', async () => {
    const { plan_id, steps } = await plan();
    const [step] = listIn(steps);
    const half = { plan_id, steps: [{ id: '1', quantity: 0.25 }] };
    const answering = world.answerNext<'order'>((asked) =>
      eventOf('command-done', ++seq, {
        command_id: asked.id,
        command: 'order',
        by: asked.by,
        detail: { order_id: 'o-1', operation: 'm-1' },
      }),
    );
    const answer = await execute(half);
    expect(await answering).toMatchObject({
      kind: 'order',
      instrument: 'binance:BTC/USDT',
      side: 'buy',
      type: 'limit',
      qty: '0.25',
      price: '60010',
      time_in_force: 'IOC',
      by: 'trader',
    });
    expect(answer.data).toMatchObject({ plan_id, steps: [{ id: '1', state: 'done', detail: { order_id: 'o-1' } }] });
    const whole = await execute({ plan_id });
    expect(whole.error.code).toBe(3001);
    expect(whole.status).toBe(409);
    const more = await execute({ plan_id, steps: [{ id: '1', quantity: Number(step!['quantity']) + 1 }] });
    expect(more.error.detail).toContain('was proposed');
  });

  it('says what the engine has against it', async () => {
    const { plan_id } = await plan();
    const answering = world.answerNext<'order'>((asked) =>
      eventOf('command-refused', ++seq, { command_id: asked.id, code: 4001, reason: 'EXPOSURE_TOTAL' }),
    );
    const answer = await execute({ plan_id });
    await answering;
    expect(answer.data).toMatchObject({ steps: [{ id: '1', state: 'refused', code: 4001, reason: 'EXPOSURE_TOTAL' }] });
  });

  it('sends no transfer, nothing of a plan that has expired, and nothing for readers', async () => {
    const transfers = await plan({ targets: { binance: { USDT: 60_000 }, okx: { USDT: 180_000 } } });
    const refused = await execute({ plan_id: transfers['plan_id'], steps: [{ id: '1' }] });
    expect(refused.error).toMatchObject({ code: 3001, detail: expect.stringContaining('withdraws nothing') as string });
    const none = await execute({ plan_id: transfers['plan_id'] });
    expect(none.data).toMatchObject({ steps: [] });
    expect((await execute({ plan_id: '6f6f6f6f-6f6f-4f6f-8f6f-6f6f6f6f6f6f' })).status).toBe(404);
    const { plan_id } = await plan();
    world.clock.advance(61_000);
    expect((await execute({ plan_id })).status).toBe(409);
    const reader = await world.tokenOf('reader', ['read']);
    expect((await world.post('/v1/portfolio/rebalance/execute', { plan_id: textIn(plan_id) }, reader)).error.code).toBe(
      1003,
    );
    expect(ENGINE).toBe(world.config.engine.name);
  });
});
