import { createHash } from 'node:crypto';
import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Command } from '#shared/schema/command.ts';
import type { EngineEvent } from '#shared/schema/event.ts';
import { ENGINE, eventOf } from '../support/events.ts';
import { startTestCloud, type CloudUnderTest } from '../support/cloud.ts';
import { listIn, textIn, type Json } from '../support/json.ts';

let world: CloudUnderTest;
let admin: string;
let actor: string;
let principals = 0;

let engine: ReturnType<CloudUnderTest['play']>;
let lastSeq = 900;

beforeAll(async () => {
  world = await startTestCloud();
  engine = world.play((asked) => [wordOn(asked)]);
});
afterAll(async () => {
  await engine.stop();
  await world.close();
});

/** An engine that follows whatever it is told, but for one limit, and says what needs a restart. */
function wordOn(asked: Command): EngineEvent {
  const { id: command_id, by } = asked;
  const next = (lastSeq += 1);
  if (asked.kind === 'limits') {
    const { limits, version } = asked;
    if (limits['max_position_size_usd'] === 666) {
      return eventOf('command-refused', next, { command_id, code: 3001, reason: 'not that' });
    }
    return eventOf('risk-limits', next, { limits, by, command_id, ...(version === undefined ? {} : { version }) });
  }
  if (asked.kind === 'config') {
    const detail = {
      version: String(asked.version),
      applied: 'risk.max_var',
      restart: 'engine.venues,paper.latency_ms',
    };
    return eventOf('command-done', next, { command_id, command: 'config', by, detail });
  }
  return eventOf('trading-state', next, { state: 'halted', reason: 'asked', by, command_id });
}

beforeEach(async () => {
  actor = `admin-${(principals += 1)}`;
  admin = await world.tokenOf(actor, ['read', 'trade', 'risk', 'admin']);
});

const makeKey = async (body: object): Promise<Json> => (await world.post('/v1/keys', body, admin)).data;
const exchange = (key: Json) =>
  world.post('/v1/auth/token', { api_key: textIn(key['api_key']), api_secret: textIn(key['api_secret']) });

describe('API keys', () => {
  it('are made with a secret that is shown once, open what their scopes allow, and end when revoked', async () => {
    const made = await world.post('/v1/keys', { name: 'desk', scopes: ['read'] }, admin);
    expect(made.status).toBe(201);
    expect(made.data).toMatchObject({ name: 'desk', scopes: ['read'], expires_at: null, revoked_at: null });
    const { data } = await exchange(made.data);
    expect(data['scopes']).toEqual(['read']);
    const token = textIn(data['token']);
    expect((await world.get('/v1/trading/balances', token)).status).toBe(200);
    expect((await world.post('/v1/trading/stop', {}, token)).error.code).toBe(1003);

    const list = await world.get('/v1/keys', admin);
    expect(listIn(list.data['keys'])[0]).toMatchObject({ api_key: made.data['api_key'], name: 'desk' });
    expect(list.text).not.toContain(textIn(made.data['api_secret']));

    const id = textIn(made.data['api_key']);
    const revoked = await world.send('DELETE', `/v1/keys/${id}`, undefined, admin);
    expect([revoked.status, revoked.data['revoked_at']]).toEqual([200, new Date(world.clock.nowMs()).toISOString()]);
    const after = await world.get('/v1/trading/balances', token);
    expect([after.status, after.error.code]).toEqual([401, 1001]);
    expect((await exchange(made.data)).error.code).toBe(1001);
    expect((await world.send('DELETE', `/v1/keys/${id}`, undefined, admin)).data).toEqual(revoked.data);
  });

  it('end by themselves where they were made so, and their tokens with them', async () => {
    const expires_at = new Date(world.clock.nowMs() + 60_000).toISOString();
    const key = await makeKey({ scopes: ['read'], expires_at });
    const token = textIn((await exchange(key)).data['token']);
    world.clock.advance(59_999);
    expect((await world.get('/v1/trading/balances', token)).status).toBe(200);
    world.clock.advance(1);
    expect((await world.get('/v1/trading/balances', token)).error.code).toBe(1001);
    expect((await exchange(key)).error.code).toBe(1001);
  });

  it('keep nothing of the secret but a hash', async () => {
    const key = await makeKey({ scopes: ['read'] });
    const stored = await world.client.send(
      new UpdateCommand({
        TableName: world.config.stores.state_table,
        Key: { pk: `APIKEY#${textIn(key['api_key'])}`, sk: 'KEY' },
        UpdateExpression: 'SET looked_at = :now',
        ExpressionAttributeValues: { ':now': 1 },
        ReturnValues: 'ALL_NEW',
      }),
    );
    expect(JSON.stringify(stored.Attributes)).not.toContain(textIn(key['api_secret']));
  });

  it('are listed newest first, page by page', async () => {
    const made = [];
    for (let count = 0; count < 3; count += 1) {
      world.clock.advance(1);
      made.unshift((await makeKey({ scopes: ['read'] }))['api_key']);
    }
    const first = await world.get('/v1/keys?limit=2', admin);
    const rest = await world.get(`/v1/keys?limit=1&cursor=${textIn(first.data['next_cursor'])}`, admin);
    const ids = [first, rest].flatMap(({ data }) => listIn(data['keys']).map(({ api_key }) => api_key));
    expect(ids).toEqual(made);
  });

  it.each([
    ['no scope', { scopes: [] }, 400, 3001],
    ['an unknown scope', { scopes: ['everything'] }, 400, 3001],
    ['an unknown field', { scopes: ['read'], secret: 'mine' }, 400, 3001],
    ['an end that is over', { scopes: ['read'], expires_at: '2020-01-01T00:00:00Z' }, 400, 3001],
  ])('are refused with %s', async (_, body, status, code) => {
    const answer = await world.post('/v1/keys', body, admin);
    expect([answer.status, answer.error.code]).toEqual([status, code]);
  });

  it('give nobody more than their maker has', async () => {
    const narrow = await world.tokenOf('narrow-admin', ['admin']);
    const { status, error } = await world.post('/v1/keys', { scopes: ['trade'] }, narrow);
    expect([status, error.code]).toEqual([403, 1003]);
  });

  it('say so when there is no such key or page', async () => {
    expect((await world.send('DELETE', '/v1/keys/nothing', undefined, admin)).error.code).toBe(2003);
    expect((await world.get('/v1/keys?cursor=nonsense', admin)).error.code).toBe(3001);
  });
});

const entriesOf = async (query = ''): Promise<readonly Json[]> =>
  listIn((await world.get(`/v1/audit?actor=${actor}${query}`, admin)).data['entries']);

describe('audit', () => {
  it('has two entries for whatever changes something: before it is done and after', async () => {
    await makeKey({ scopes: ['read'] });
    await world.post('/v1/keys', { scopes: [] }, admin);
    await world.post('/v1/trading/stop', { reason: 'audited' }, admin);
    await world.get('/v1/keys', admin);
    await fetch(`${world.cloud.apiUrl}/v1/keys`, { method: 'HEAD', headers: { authorization: `Bearer ${admin}` } });

    const lines = (await entriesOf()).map(({ action, phase, status, code }) => [action, phase, status, code]);
    expect(lines.reverse()).toEqual([
      ['POST /v1/keys', 'requested', null, null],
      ['POST /v1/keys', 'answered', 201, null],
      ['POST /v1/keys', 'requested', null, null],
      ['POST /v1/keys', 'answered', 400, 3001],
      ['POST /v1/trading/stop', 'requested', null, null],
      ['POST /v1/trading/stop', 'answered', 200, null],
    ]);
    const [, first] = (await entriesOf()).slice(-2);
    const body = JSON.stringify({ scopes: ['read'] });
    expect(first!['body_sha256']).toBe(createHash('sha256').update(body).digest('hex'));
  });

  it('chains its entries so that anybody can check them, however many write at once', async () => {
    await Promise.all(Array.from({ length: 6 }, () => makeKey({ scopes: ['read'] })));
    const { data } = await world.get('/v1/audit?limit=1000', admin);
    expect(data['intact']).toBe(true);
    const entries = [...listIn(data['entries'])].reverse();
    expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, at) => at + 1));
    let previous = '0'.repeat(64);
    for (const entry of entries) {
      // The recipe of docs/api.md.
      const names = 'seq at_ms actor action request_id phase body_sha256 status code detail'.split(' ');
      const values = JSON.stringify([...names.map((name) => entry[name]), previous]);
      expect([entry['previous'], entry['hash']]).toEqual([previous, createHash('sha256').update(values).digest('hex')]);
      previous = textIn(entry['hash']);
    }
  });

  it('filters by actor and time, and pages', async () => {
    await makeKey({ scopes: ['read'] });
    world.clock.advance(5_000);
    const since = new Date(world.clock.nowMs()).toISOString();
    await makeKey({ scopes: ['read'] });
    expect(await entriesOf()).toHaveLength(4);
    expect(await entriesOf(`&since=${since}`)).toHaveLength(2);
    const first = await world.get(`/v1/audit?actor=${actor}&limit=3`, admin);
    const next = textIn(first.data['next_cursor']);
    const rest = await world.get(`/v1/audit?actor=${actor}&limit=3&cursor=${next}`, admin);
    const seqs = [first, rest].flatMap(({ data }) => listIn(data['entries']).map(({ seq }) => Number(seq)));
    expect(seqs).toEqual([...seqs].sort((a, b) => b - a));
    expect([seqs.length, rest.data['next_cursor']]).toEqual([4, null]);
    expect((await world.get('/v1/audit?cursor=x', admin)).error.code).toBe(3001);
    expect((await world.get('/v1/audit?since=yesterday', admin)).error.code).toBe(3001);
  });

  it('shows when somebody has changed an entry', async () => {
    await makeKey({ scopes: ['read'] });
    const [entry] = await entriesOf();
    const put = (changed: Json) =>
      world.client.send(
        new UpdateCommand({
          TableName: world.config.stores.state_table,
          Key: { pk: `${ENGINE}#AUDIT`, sk: String(Number(entry!['seq'])).padStart(16, '0') },
          UpdateExpression: 'SET #entry = :entry',
          ExpressionAttributeNames: { '#entry': 'entry' },
          ExpressionAttributeValues: { ':entry': JSON.stringify(changed) },
        }),
      );
    await put({ ...entry!, actor: 'somebody else' as unknown as Json });
    expect((await world.get('/v1/audit', admin)).data['intact']).toBe(false);
    await put(entry!);
    expect((await world.get('/v1/audit', admin)).data['intact']).toBe(true);
  });
});

const current = async (): Promise<Json> => (await world.get('/v1/config', admin)).data;
const withRisk = (config: Json, over: object): object => ({ ...config, risk: { ...config['risk'], ...over } });

describe('configuration', () => {
  it('is what the API was started with, until a version is stored', async () => {
    const found = await current();
    expect(found).toMatchObject({ version: 0, by: 'start', applied: false, changes: [] });
    expect(found['config']).toEqual(JSON.parse(JSON.stringify(world.config)));
    expect((await world.get('/v1/risk/limits', admin)).data).toMatchObject({
      version: 0,
      limits: { max_daily_loss_usd: 5000 },
      applied: false,
    });
  });

  it('is stored in versions with what each changed, and rolled back by a new one', async () => {
    const before = await current();
    const { config } = before as { config: Json };
    const put = await world.send(
      'PUT',
      '/v1/config',
      { config: withRisk(config, { max_daily_loss_usd: 4000 }), comment: 'careful' },
      admin,
    );
    const version = Number(before['version']) + 1;
    expect(put.data).toMatchObject({
      version,
      by: actor,
      comment: 'careful',
      applied: true,
      restart: ['engine.venues', 'paper.latency_ms'],
      engine: { state: 'done', detail: { applied: 'risk.max_var' } },
      changes: [{ path: 'risk.max_daily_loss_usd', before: '5000', after: '4000' }],
    });
    expect(await current()).toMatchObject({ version, applied: true, config: { risk: { max_daily_loss_usd: 4000 } } });

    const back = await world.post('/v1/config/rollback', { version: before['version'] }, admin);
    expect(back.data).toMatchObject({
      version: version + 1,
      comment: `rollback to version ${Number(before['version'])}`,
      changes: [{ path: 'risk.max_daily_loss_usd', before: '4000', after: '5000' }],
    });
    expect((await current())['config']).toEqual(config);

    const list = await world.get('/v1/config/versions?limit=2', admin);
    expect(listIn(list.data['versions']).map((each) => each['version'])).toEqual([version + 1, version]);
    const rest = await world.get(`/v1/config/versions?cursor=${textIn(list.data['next_cursor'])}`, admin);
    expect(listIn(rest.data['versions']).at(-1)).toMatchObject({ version: 0 });
    expect(rest.data['next_cursor']).toBeNull();
    const details = (await entriesOf()).map(({ detail }) => detail);
    expect(details).toContain(`configuration version ${version}: risk.max_daily_loss_usd`);
  });

  it('does not change by a version that changes nothing', async () => {
    const { version, config } = await current();
    expect((await world.send('PUT', '/v1/config', { config }, admin)).data['version']).toEqual(version);
  });

  it('refuses to be changed on the ground of another version, and by two at once', async () => {
    const { version, config } = await current();
    const stale = await world.send(
      'PUT',
      '/v1/config',
      { config: withRisk(config!, { max_open_operations: 3 }), expected_version: Number(version) + 7 },
      admin,
    );
    expect([stale.status, stale.error.code]).toEqual([409, 409]);
    const answers = await Promise.all(
      [4, 5, 6].map((max_open_operations) =>
        world.send(
          'PUT',
          '/v1/config',
          { config: withRisk(config!, { max_open_operations }), expected_version: version },
          admin,
        ),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
  });

  it.each<[string, Readonly<Record<string, object>>, string]>([
    ['an unknown key', { api: { jwt_secret: 'hunter2hunter2' } }, 'jwt_secret'],
    ['a bad value', { system: { log_level: 'hunter2hunter2' } }, 'system.log_level'],
    [
      'an address with a password',
      { venues: { okx: { via: 'http://me:hunter2hunter2@peer.test' } } },
      'venues.okx.via',
    ],
  ])('refuses %s by its path, and keeps nothing of the value', async (_, over, path) => {
    const { config, version } = await current();
    const merged = Object.fromEntries(
      Object.entries(config!).map(([name, section]) => [name, { ...section, ...over[name] }]),
    );
    const refused = await world.send('PUT', '/v1/config', { config: merged }, admin);
    expect([refused.status, refused.error.code]).toEqual([400, 3001]);
    expect(refused.error.detail).toContain(path);
    expect((await current())['version']).toEqual(version);
    const audit = await world.get('/v1/audit?limit=1000', admin);
    expect(audit.text).not.toContain('hunter2hunter2');
    expect((await world.get('/v1/config/versions', admin)).text).not.toContain('hunter2hunter2');
  });

  it('cannot be rolled back to what never was', async () => {
    const { status, error } = await world.post('/v1/config/rollback', { version: 999 }, admin);
    expect([status, error.code]).toEqual([404, 2003]);
    expect((await world.get('/v1/config/versions?cursor=x', admin)).error.code).toBe(3001);
  });

  it('changes limits alone, and only those that there are', async () => {
    const before = await current();
    const put = await world.send('PUT', '/v1/risk/limits', { max_position_size_usd: 1234.5 }, admin);
    expect(put.data).toMatchObject({
      message: 'Risk limits updated successfully',
      version: Number(before['version']) + 1,
      limits: { max_position_size_usd: 1234.5, max_daily_loss_usd: 5000 },
      applied: true,
      engine: { state: 'done' },
    });
    expect((await world.get('/v1/risk/limits', admin)).data).toMatchObject({
      limits: { max_position_size_usd: 1234.5 },
      applied: true,
    });
    for (const body of [undefined, {}, { max_luck: 3 }, { max_daily_loss_usd: -1 }, { max_daily_loss_usd: '5000' }]) {
      const refused = await world.send('PUT', '/v1/risk/limits', body, admin);
      expect([refused.status, refused.error.code]).toEqual([400, 3001]);
    }
  });

  it('stands although the engine refuses it, says nothing, or cannot be told', { timeout: 30_000 }, async () => {
    const put = (limit: number) =>
      world.send('PUT', '/v1/risk/limits', { max_position_size_usd: limit }, admin).then(({ data }) => data);
    const refused = await put(666);
    expect(refused).toMatchObject({
      limits: { max_position_size_usd: 666 },
      applied: false,
      engine: { state: 'refused', code: 3001, reason: 'not that' },
    });
    expect((await world.get('/v1/risk/limits', admin)).data).toMatchObject({
      version: refused['version'],
      applied: false,
    });

    await engine.stop();
    const pending = await put(667);
    expect(pending).toMatchObject({ applied: false, engine: { state: 'pending' } });
    world.abandon(textIn(pending['engine']!['command_id']));
    await world.cloud.stopKinesis();
    const unsent = await put(668);
    expect(unsent).toMatchObject({
      limits: { max_position_size_usd: 668 },
      applied: false,
      engine: { state: 'unsent', reason: 'the command stream does not answer' },
    });
    await world.cloud.startKinesis();

    engine = world.play((asked) => [wordOn(asked)]);
    const told = await world.post('/v1/config/reload', undefined, admin);
    expect(told.data).toMatchObject({ version: unsent['version'], applied: true, engine: { state: 'done' } });
    const narrow = await world.tokenOf('reader', ['read']);
    expect((await world.post('/v1/config/reload', undefined, narrow)).error.code).toBe(1003);
  });
});
