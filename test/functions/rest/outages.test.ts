import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Clock } from '#shared/clock/clock.ts';
import { systemClock } from '#shared/clock/clock.ts';
import { createAcknowledgements } from '#functions/alerts/acknowledgement.ts';
import { createAuthority } from '#functions/common/auth.ts';
import { documentClient, dynamoClient } from '#functions/common/clients.ts';
import { at } from '#functions/common/layout.ts';
import { Store } from '#functions/common/store.ts';
import { tableDefinitions } from '#functions/common/tables.ts';
import { Tally } from '#functions/common/tally.ts';
import { requestFrom, resultFrom } from '#functions/rest/api-gateway.ts';
import { createApp } from '#functions/rest/app.ts';
import type { App, AppOptions } from '#functions/rest/context.ts';
import { ensureTables, startDynamo, type Peer } from '#local/peers.ts';
import { SECRET } from '../support/cloud.ts';
import { eventOf } from '../support/events.ts';
import { silentLog, tempDir } from '../support/world.ts';

const dir = tempDir();
const names = { state_table: 'state', events_table: 'events' };
const clock: Clock = systemClock();
let peer: Peer;

beforeAll(async () => {
  peer = await startDynamo({ dataDir: dir.path, port: 0 });
  const dynamo = dynamoClient({ endpoint: peer.url });
  await ensureTables(dynamo, tableDefinitions(names));
  dynamo.destroy();
});
afterAll(async () => {
  await peer.close();
  dir.remove();
});

function appOn(
  over: {
    url?: string;
    secret?: string;
    names?: typeof names;
    logged?: string[];
    addressOf?: () => string;
  } = {},
): App {
  const dynamo = dynamoClient({ endpoint: over.url ?? peer.url, attempts: 1, timeoutMs: 500 });
  return createApp({
    ...optionsOf(new Store(documentClient(dynamo), over.names ?? names, 'engine-1')),
    authority: createAuthority(over.secret ?? SECRET, clock),
    log: { ...silentLog, error: (event, fields) => over.logged?.push(`${event} ${String(fields?.['cause'])}`) },
    addressOf: over.addressOf ?? (() => '127.0.0.1'),
  });
}
const optionsOf = (store: Store): AppOptions => ({
  store,
  authority: createAuthority(SECRET, clock),
  acknowledgements: createAcknowledgements(async () => SECRET, clock),
  rateLimit: { perMinute: 1000, burst: 100 },
  clock,
  log: silentLog,
  tally: new Tally(),
  sendCommand: async () => undefined,
  symbols: [],
  venues: [],
  corsOrigins: [],
  addressOf: () => '127.0.0.1',
  socketsOpen: () => 0,
});
const token = async (): Promise<string> =>
  (await createAuthority(SECRET, clock).issue('x', ['read', 'trade', 'risk'])).token;
async function ask(app: App, path: string): Promise<{ status: number; code: number; text: string }> {
  const response = await app.request(path, { headers: { authorization: `Bearer ${await token()}` } });
  const text = await response.text();
  return { status: response.status, code: JSON.parse(text).error?.code, text };
}

describe('outages', () => {
  it('say 503/5001 while the database is down, and nothing once it is back', async () => {
    const app = appOn();
    await peer.stop();
    for (const path of ['/v1/market/prices', '/v1/analytics/opportunities', '/v1/trading/orders', '/ready']) {
      expect(await ask(app, path)).toMatchObject({ status: 503, code: 5001 });
    }
    expect((await app.request('/health')).status).toBe(200);
    expect(await (await app.request('/metrics')).text()).toContain('arbitrage_store_up 0');
    await peer.start();
    expect((await ask(app, '/v1/market/prices')).status).toBe(200);
  });

  it('say 503/5001 when the database accepts and never answers', async () => {
    const deaf = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(deaf, 'listening');
    const url = `http://127.0.0.1:${(deaf.address() as AddressInfo).port}`;
    expect(await ask(appOn({ url }), '/v1/market/prices')).toMatchObject({ status: 503, code: 5001 });
    deaf.closeAllConnections();
    deaf.close();
  });

  it('say 500/5003 when a table or the signing secret is not configured', async () => {
    const missing = appOn({ names: { state_table: 'nowhere', events_table: 'events' } });
    expect(await ask(missing, '/v1/market/prices')).toMatchObject({ status: 500, code: 5003 });
    expect(await ask(appOn({ secret: 'short' }), '/v1/market/prices')).toMatchObject({ status: 500, code: 5003 });
  });

  it('say 404/2003 of a configuration that nobody has stored or started with', async () => {
    for (const path of ['/v1/config', '/v1/risk/limits']) {
      expect(await ask(appOn(), path)).toMatchObject({ status: 404, code: 2003 });
    }
    const { data } = JSON.parse((await ask(appOn(), '/v1/config/versions')).text) as { data: unknown };
    expect(data).toEqual({ versions: [], next_cursor: null });
  });

  it('show nothing of a bug to the caller and all of it to the log', async () => {
    const logged: string[] = [];
    const app = appOn({
      logged,
      addressOf: () => {
        throw new TypeError('undefined is not a thing');
      },
    });
    const response = await app.request('/v1/auth/token', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"api_key":"a","api_secret":"b"}',
    });
    const text = await response.text();
    expect(response.status).toBe(500);
    expect(JSON.parse(text).error).toMatchObject({ code: 500, message: 'Internal error' });
    expect(text).not.toContain('undefined is not a thing');
    expect(logged[0]).toContain('undefined is not a thing');
  });
});

describe('API Gateway', () => {
  it('asks the same app and gets the same answer', async () => {
    const event = {
      httpMethod: 'GET',
      path: '/v1/trading/balances',
      headers: { authorization: `Bearer ${await token()}`, 'x-request-id': 'lambda-1' },
      multiValueQueryStringParameters: { asset: ['BTC'] },
      body: null,
      isBase64Encoded: false,
      requestContext: { domainName: 'api.example', identity: { sourceIp: '203.0.113.7' } },
    } as unknown as Parameters<typeof requestFrom>[0];
    const result = await resultFrom(await appOn().fetch(requestFrom(event)));
    expect(result.statusCode).toBe(200);
    expect(result.headers?.['x-request-id']).toBe('lambda-1');
    expect(JSON.parse(result.body).data).toEqual({ balances: [] });
  });

  it('takes any path for a path', () => {
    for (const path of ['//', '//v1/status']) {
      const requestContext = { domainName: 'api.example' };
      const event = { httpMethod: 'GET', path, headers: {}, body: null, isBase64Encoded: false, requestContext };
      const { url } = requestFrom(event as unknown as Parameters<typeof requestFrom>[0]);
      expect(url).toBe(`https://api.example${path}`);
    }
  });

  it('passes a body on, plain or in base64', async () => {
    for (const isBase64Encoded of [false, true]) {
      const body = '{"api_key":"ключ"}';
      const request = requestFrom({
        httpMethod: 'POST',
        path: '/v1/auth/token',
        headers: { 'content-type': 'application/json' },
        multiValueQueryStringParameters: null,
        body: isBase64Encoded ? Buffer.from(body).toString('base64') : body,
        isBase64Encoded,
        requestContext: {},
      } as unknown as Parameters<typeof requestFrom>[0]);
      expect(await request.text()).toBe(body);
    }
  });
});

describe('an order', () => {
  it('that was sent is not called a failure because it cannot be read', async () => {
    const real = documentClient(dynamoClient({ endpoint: peer.url }));
    const send = (command: Parameters<typeof real.send>[0]): Promise<unknown> => {
      const { Key } = command.input as { readonly Key?: { readonly sk: string } };
      return Key?.sk.startsWith('ORDER#') === true ? Promise.reject(new Error('connection reset')) : real.send(command);
    };
    const store = new Store({ send } as unknown as typeof real, names, 'engine-1');
    const app = createApp({
      ...optionsOf(store),
      symbols: ['BTC/USDT'],
      venues: ['okx'],
      sendCommand: async ({ id, kind, by }) => {
        const detail = { order_id: 'o-1', operation: 'op-1' };
        const done = eventOf('command-done', 1, { command_id: id, command: kind, by, detail });
        await store.state.update(at.command('engine-1', id), {
          UpdateExpression: 'SET event = :event',
          ExpressionAttributeValues: { ':event': JSON.stringify(done) },
        });
      },
    });
    const headers = { authorization: `Bearer ${await token()}` };
    const order = { symbol: 'BTC/USDT', exchange: 'okx', side: 'buy', type: 'limit', quantity: 1, price: 1 };
    const answer = await app.request('/v1/trading/orders', { method: 'POST', headers, body: JSON.stringify(order) });
    expect(answer.status).toBe(202);
    expect(JSON.parse(await answer.text()).data).toMatchObject({ status: 'pending', order_id: 'o-1' });
  });
});

describe('audit', () => {
  /** The real table, but for the entries from the given one on. */
  function appWithoutEntriesFrom(first: number, sent: string[], logged: string[]): App {
    const real = documentClient(dynamoClient({ endpoint: peer.url }));
    let entries = 0;
    const send = (command: Parameters<typeof real.send>[0]): Promise<unknown> => {
      const { UpdateExpression = '' } = command.input as { readonly UpdateExpression?: string };
      const isEntry = UpdateExpression.includes('#entry');
      if (isEntry) entries += 1;
      return isEntry && entries >= first ? Promise.reject(new Error('connection reset')) : real.send(command);
    };
    return createApp({
      ...optionsOf(new Store({ send } as unknown as typeof real, names, 'engine-1')),
      log: { ...silentLog, error: (event) => logged.push(event) },
      sendCommand: async ({ kind }) => {
        sent.push(kind);
        throw new Error('nobody listens');
      },
    });
  }
  const post = async (app: App, what: 'start' | 'stop' | 'emergency-stop'): Promise<number> => {
    const headers = { authorization: `Bearer ${await token()}` };
    const response = await app.request(`/v1/trading/${what}`, { method: 'POST', headers });
    const { code } = JSON.parse(await response.text()).error as { readonly code: number };
    return code;
  };

  it('is written before anything is done: what cannot be audited is not done', async () => {
    const [sent, logged]: [string[], string[]] = [[], []];
    expect(await post(appWithoutEntriesFrom(1, sent, logged), 'start')).toBe(5001);
    expect(sent).toEqual([]);
  });

  it.each(['stop', 'emergency-stop'] as const)(
    'never holds up a %s: the command goes out, and the log says what is missing',
    async (what) => {
      const [sent, logged]: [string[], string[]] = [[], []];
      expect(await post(appWithoutEntriesFrom(1, sent, logged), what)).toBe(5002);
      expect([sent, logged]).toEqual([[what], ['stop-unguarded', 'audit-incomplete']]);
    },
  );

  it('leaves the answer as it is when the outcome cannot be written, and says so in the log', async () => {
    const [sent, logged]: [string[], string[]] = [[], []];
    expect(await post(appWithoutEntriesFrom(2, sent, logged), 'stop')).toBe(5002);
    expect([sent, logged]).toEqual([['stop'], ['audit-incomplete']]);
  });
});
