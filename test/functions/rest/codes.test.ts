import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Command } from '#shared/schema/command.ts';
import type { EngineEvent } from '#shared/schema/event.ts';
import { createAcknowledgements } from '#functions/alerts/acknowledgement.ts';
import { createAuthority } from '#functions/common/auth.ts';
import { documentClient, dynamoClient } from '#functions/common/clients.ts';
import { applicationErrors, type ErrorCode } from '#functions/common/errors.ts';
import { Store } from '#functions/common/store.ts';
import { Tally } from '#functions/common/tally.ts';
import { createApp } from '#functions/rest/app.ts';
import type { AppOptions } from '#functions/rest/context.ts';
import { SECRET, startTestCloud, type CloudUnderTest } from '../support/cloud.ts';
import { eventOf, orderData } from '../support/events.ts';
import { silentLog } from '../support/world.ts';

let world: CloudUnderTest;
let engine: ReturnType<CloudUnderTest['play']>;
/** What the engine says to the next command. test/local/commands.test.ts has a real one say it. */
let respond: (asked: Command) => readonly EngineEvent[];
let token: string;

beforeAll(async () => {
  world = await startTestCloud();
  engine = world.play((asked) => respond(asked));
  token = await world.tokenOf('somebody', ['read', 'trade', 'risk', 'admin']);
});
afterAll(async () => {
  await engine.stop();
  await world.close();
});

type Met = { readonly status: number; readonly code: number; readonly message: string };

async function ask(
  method: string,
  path: string,
  { body, bearer = token, url = world.cloud.apiUrl }: { body?: unknown; bearer?: string; url?: string } = {},
): Promise<Met> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const { error } = JSON.parse(await response.text()) as { error?: { code: number; message: string } };
  return { status: response.status, code: error?.code ?? 0, message: error?.message ?? '' };
}

const ORDER = { symbol: 'BTC/USDT', exchange: 'binance', side: 'buy', type: 'limit', quantity: 1, price: 60_000 };
const order = (over: object = {}): Promise<Met> => ask('POST', '/v1/trading/orders', { body: { ...ORDER, ...over } });
const refusedWith = (code: ErrorCode): Promise<Met> => {
  respond = ({ id }) => [eventOf('command-refused', 1, { command_id: id, code, reason: 'LIMIT' })];
  return order();
};

/** How each code there is can be met: one that is new does not compile without its way. */
const WAYS: Readonly<Record<ErrorCode, () => Promise<Met>>> = {
  1001: () => ask('POST', '/v1/auth/token', { body: { api_key: 'arb-local', api_secret: 'not this one' } }),
  1002: async () => {
    const old = await world.tokenOf('somebody', ['read']);
    world.clock.advance(24 * 3_600_000);
    token = await world.tokenOf('somebody', ['read', 'trade', 'risk', 'admin']);
    return ask('GET', '/v1/status', { bearer: old });
  },
  1003: async () => ask('GET', '/v1/audit', { bearer: await world.tokenOf('reader', ['read']) }),
  2001: () => ask('GET', '/v1/market/prices?symbols=NO/SUCH'),
  2002: () => ask('GET', '/v1/market/prices?exchange=nowhere'),
  2003: () => ask('GET', '/v1/trading/operations/none'),
  3001: () => order({ quantity: -1 }),
  3002: () => refusedWith(3002),
  3003: () => {
    respond = ({ id }) => [eventOf('command-refused', 1, { command_id: id, code: 3003, reason: 'no such order' })];
    return ask('DELETE', '/v1/trading/orders/none');
  },
  3004: () => {
    const about = { purpose: 'manual', status: 'filled', filled_qty: '0.10' } as const;
    respond = ({ id, by }) => [
      eventOf('command-done', 1, { command_id: id, command: 'cancel', by, detail: { order_id: 'o', operation: 'op' } }),
      eventOf('order', 2, orderData('o', 'op', about)),
    ];
    return ask('DELETE', '/v1/trading/orders/o');
  },
  4001: () => refusedWith(4001),
  4002: () => refusedWith(4002),
  4003: () => refusedWith(4003),
  5001: () => askBroken('/v1/status', { store: storeAt('http://127.0.0.1:1') }),
  5002: () =>
    askBroken('/v1/trading/start', {
      sendCommand: () => Promise.reject(new Error('the stream is away')),
    }),
  5003: () => askBroken('/v1/status', { authority: createAuthority('', world.clock) }),
  404: () => ask('GET', '/v1/no/such/thing'),
  409: () => ask('POST', '/v1/config/rollback', { body: { version: 0, expected_version: 77 } }),
  429: () => askBroken('/v1/status', { rateLimit: { perMinute: 1, burst: 1 } }, 2),
  500: () =>
    askBroken('/metrics', {
      socketsOpen: () => {
        throw new TypeError('a bug');
      },
    }),
};

describe('the codes of the application, over HTTP', () => {
  it.each(Object.entries(WAYS))('%s', async (text, meet) => {
    const code = Number(text) as ErrorCode;
    const { status, message } = applicationErrors[code];
    expect(await meet()).toEqual({ status, code, message });
  });
});

const storeAt = (endpoint: string): Store =>
  new Store(documentClient(dynamoClient({ endpoint, attempts: 1, timeoutMs: 500 })), world.config.stores, 'engine-1');

/** The same API over a world in which one thing is broken, on a port of its own. */
async function askBroken(path: string, broken: Partial<AppOptions>, times = 1): Promise<Met> {
  const { clock, config, cloud } = world;
  const app = createApp({
    store: storeAt(cloud.dynamodbUrl),
    authority: createAuthority(SECRET, clock),
    acknowledgements: createAcknowledgements(async () => SECRET, clock),
    rateLimit: { perMinute: 1000, burst: 100 },
    clock,
    log: silentLog,
    tally: new Tally(),
    sendCommand: async () => undefined,
    symbols: config.engine.symbols,
    venues: config.engine.venues,
    corsOrigins: [],
    addressOf: () => '127.0.0.1',
    socketsOpen: () => 0,
    ...broken,
  });
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const method = path.startsWith('/v1/trading') ? 'POST' : 'GET';
    for (let earlier = 1; earlier < times; earlier += 1) await ask(method, path, { url });
    return await ask(method, path, { url });
  } finally {
    server.close();
    server.closeAllConnections();
  }
}
