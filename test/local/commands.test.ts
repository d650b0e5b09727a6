import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { ENGINE_NODE_OPTIONS } from '#local/engine-node.ts';
import { enginesBelow } from '#test/support/processes.ts';
import { listIn, parse, textIn, type Json } from '../functions/support/json.ts';
import { eventually } from '../functions/support/world.ts';

const SECRET = 'a-secret-of-this-test';
const dir = mkdtempSync(join(tmpdir(), 'arb-commands-'));
let run: ChildProcess;
let api: string;
let token: string;

beforeAll(async () => {
  const port = await freePort();
  api = `http://127.0.0.1:${port}`;
  const env = { ...process.env, ARB_API__PORT: String(port), ARB_SIMULATOR__PORT: '0', ARB_API_SECRET: SECRET };
  const few = ['--venues', 'binance,okx', '--symbols', 'BTC/USDT,ETH/USDT', '--seed', '7'];
  run = spawn('node', ['bin/arb.ts', 'start', '--no-table', '--data', dir, ...few], { env, stdio: 'ignore' });
  await eventually(async () => {
    const given = await ask('POST', '/v1/auth/token', { api_key: 'arb-local', api_secret: SECRET }).catch(
      () => undefined,
    );
    token = given?.status === 200 ? textIn(given.data['token']) : '';
    return token !== '';
  }, 60_000);
  await eventually(async () => (await bidOf()) !== undefined, 60_000);
}, 130_000);
afterAll(async () => {
  const gone = once(run, 'exit');
  run.kill('SIGINT');
  await gone;
  rmSync(dir, { recursive: true, force: true });
});

type Told = { readonly status: number; readonly data: Json; readonly code: number | undefined };

async function ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Told> {
  const response = await fetch(`${api}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const told = parse(await response.text());
  return { status: response.status, data: told['data'] ?? {}, code: told['error']?.['code'] as unknown as number };
}

/** Of a live book. */
async function bidOf(): Promise<number | undefined> {
  const { data } = await ask('GET', '/v1/market/prices?symbols=BTC/USDT&exchange=binance');
  const price = listIn(data['prices'] ?? ([] as never))[0];
  return price !== undefined && textIn(price['status']) === 'live' ? Number(price['bid']) : undefined;
}
const outcomeOf = ({ status, code }: Told): readonly unknown[] => [status, code];
const statusOf = async (order: Json): Promise<string | undefined> => {
  const { data } = await ask('GET', `/v1/trading/orders?operation=${textIn(order['operation'])}`);
  return listIn(data['orders']).map(({ status }) => textIn(status))[0];
};

/** Far below the market: it rests. */
async function restingOrder(over: object = {}): Promise<object> {
  const price = Math.floor((await bidOf())! / 2);
  return { symbol: 'BTC/USDT', exchange: 'binance', side: 'buy', type: 'limit', quantity: 0.01, price, ...over };
}

it.skipIf(!existsSync('/proc/self/cmdline'))('has Node collect garbage as it should (skipped without /proc)', () => {
  const [engine] = enginesBelow(run.pid!);
  const flags = readFileSync(`/proc/${engine}/cmdline`, 'utf8')
    .split('\0')
    .slice(1, 1 + ENGINE_NODE_OPTIONS.length);
  expect(flags).toEqual(ENGINE_NODE_OPTIONS);
});

it('takes an order once, shows it, and takes it back', async () => {
  const order = await restingOrder();
  const key = { 'idempotency-key': 'one' };
  const placed = await ask('POST', '/v1/trading/orders', order, key);
  expect([placed.status, placed.data]).toMatchObject([201, { status: 'accepted', purpose: 'manual', quantity: 0.01 }]);
  const id = textIn(placed.data['order_id']);
  expect((await ask('POST', '/v1/trading/orders', order, key)).data['order_id']).toBe(id);
  const { data } = await ask('GET', '/v1/orders?status=accepted');
  expect(listIn(data['orders']).map((each) => each['order_id'])).toContain(id);

  const cancelled = await ask('DELETE', `/v1/trading/orders/${id}`);
  expect([cancelled.status, cancelled.data['status']]).toEqual([200, 'cancelled']);
  expect(await statusOf(placed.data)).toBe('canceled');
  expect(outcomeOf(await ask('DELETE', `/v1/trading/orders/${id}`))).toEqual([404, 3003]);
  expect(outcomeOf(await ask('DELETE', '/v1/trading/orders/nothing'))).toEqual([404, 3003]);
});

it('trades at the market, and cannot take back what is filled', async () => {
  const bought = await ask('POST', '/v1/orders', await restingOrder({ type: 'market', price: undefined }));
  expect([bought.status, bought.data]).toMatchObject([201, { status: 'filled', filled_quantity: 0.01 }]);
  const id = textIn(bought.data['order_id']);
  expect(outcomeOf(await ask('DELETE', `/v1/orders/${id}`))).toEqual([409, 3004]);
  const operation = await ask('GET', `/v1/trading/operations/${textIn(bought.data['operation'])}`);
  expect(operation.data).toMatchObject({ state: 'completed', type: 'manual', fills: [{ quantity: 0.01 }] });
});

it('is refused what does not fit the venue, the account or the limits, and follows new limits', async () => {
  const place = async (over: object): Promise<readonly unknown[]> =>
    outcomeOf(await ask('POST', '/v1/trading/orders', await restingOrder(over)));
  expect(await place({ quantity: 0.0000000001 })).toEqual([400, 3001]);
  expect(await place({ exchange: 'kraken' })).toEqual([404, 2002]);
  expect(await place({ side: 'sell', price: 10_000_000, quantity: 50 })).toEqual([403, 4002]);
  const changed = await ask('PUT', '/v1/risk/limits', { max_position_size_usd: 1 });
  expect(changed.data).toMatchObject({ applied: true, engine: { state: 'done' } });
  expect(await place({ quantity: 0.5 })).toEqual([403, 4002]);
  await ask('PUT', '/v1/risk/limits', { max_position_size_usd: 50_000, max_leverage: 1e-9 });
  expect(await place({ quantity: 0.5 })).toEqual([403, 4003]);
  // Where nothing else holds it back, funds do.
  const { data } = await ask('GET', '/v1/risk/limits');
  const most = Object.keys(data['limits']!).filter((name) => name.endsWith('_usd') && name !== 'max_daily_loss_usd');
  const wide = [...most, 'max_exposure_per_exchange', 'max_leverage', 'max_var', 'max_expected_shortfall'];
  const generous = { ...Object.fromEntries(wide.map((name) => [name, 1e15])), max_concentration: 1 };
  expect((await ask('PUT', '/v1/risk/limits', generous)).data).toMatchObject({ applied: true });
  expect(await place({ quantity: 20 })).toEqual([400, 3002]);
  const back = await ask('POST', '/v1/config/rollback', { version: 0 });
  expect(back.data).toMatchObject({ applied: true, restart: [], engine: { detail: { restart: '' } } });
  // The event of the limits may come by another shard than the answer.
  await eventually(async () => (await ask('GET', '/v1/risk/limits')).data['applied'] === (true as never));
  expect(await place({ quantity: 0.02 })).toEqual([201, undefined]);
});

it('follows what it can of a new configuration, and names the rest', async () => {
  const { data } = await ask('GET', '/v1/config');
  const { config } = data as unknown as { readonly config: Record<'engine' | 'paper', object> };
  const wanted = {
    ...config,
    engine: { ...config.engine, max_notional: 12_345 },
    paper: { ...config.paper, latency_ms: 17 },
  };
  const put = await ask('PUT', '/v1/config', { config: wanted });
  expect(put.data).toMatchObject({
    applied: true,
    restart: ['paper.latency_ms'],
    engine: { detail: { applied: 'engine.max_notional' } },
  });
});

it('has breakers that are reset by command', async () => {
  const reset = await ask('POST', '/v1/risk/breakers/window-loss/reset');
  expect([reset.status, reset.data['state']]).toEqual([200, 'closed']);
  expect(outcomeOf(await ask('POST', '/v1/risk/breakers/nonsense/reset'))).toEqual([404, 2003]);
  const { data } = await ask('GET', '/v1/risk/breakers');
  expect(listIn(data['breakers']).map(({ state }) => state)).toEqual(Array.from({ length: 8 }, () => 'closed'));
  expect(listIn(data['history'])[0]).toMatchObject({ id: 'window-loss', state: 'closed', by: 'arb-local' });
});

it('tells what is at risk', async () => {
  const { data: resting } = await ask('POST', '/v1/trading/orders', await restingOrder());
  expect(resting['status']).toBe('accepted');
  // Told once a second: what is read first may be from before the order.
  const isTold = ({ portfolio_var, exposure, stresses }: Json): boolean =>
    Number(portfolio_var) > 0 &&
    exposure?.['by_exchange']?.['binance'] !== undefined &&
    Object.keys(stresses ?? {}).length > 0;
  let told: Json = {};
  await eventually(async () => isTold((told = (await ask('GET', '/v1/risk/metrics')).data)), 30_000);
  const { equity, var_utilization, exposure, stresses } = told;
  expect(Number(equity)).toBeGreaterThan(1e6);
  expect(Number(var_utilization)).toBeLessThan(1);
  expect(Number(exposure!['by_exchange']!['binance'])).toBeGreaterThan(0);
  expect(Object.keys(stresses!).length).toBeGreaterThan(3);
  expect(await (await fetch(`${api}/metrics`)).text()).toMatch(/^arbitrage_engine_var_current \d/m);
});

it('stops everything at once, says so, and starts again', async () => {
  const told: Json[] = [];
  const socket = new WebSocket(`${api.replace('http', 'ws')}/v1/system?token=${token}`);
  socket.on('message', (text: Buffer) => told.push(parse(text.toString())));
  await once(socket, 'open');
  const { data: resting } = await ask('POST', '/v1/trading/orders', await restingOrder());
  const stopped = await ask('POST', '/v1/trading/emergency-stop', { reason: 'test' });
  expect([stopped.status, stopped.data]).toMatchObject([200, { state: 'verified', reason: 'test' }]);
  expect(listIn(stopped.data['accounts']).every(({ left_orders }) => Number(left_orders) === 0)).toBe(true);
  await eventually(async () => (await statusOf(resting)) === 'canceled');
  expect(outcomeOf(await ask('POST', '/v1/trading/orders', await restingOrder()))).toEqual([403, 4001]);
  const states = (): unknown[] =>
    told.filter(({ data }) => data?.['event'] === ('emergency-stop' as never)).map(({ data }) => data!['state']);
  await eventually(() => states().length === 2);
  expect(states()).toEqual(['started', 'verified']);
  socket.close();

  expect((await ask('POST', '/v1/trading/start')).data).toMatchObject({ state: 'active' });
  expect((await ask('POST', '/v1/trading/orders', await restingOrder())).status).toBe(201);
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
