import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AlertsConfig } from '#shared/schema/alerts.ts';
import { AlertDesk, type DeskOptions } from '#functions/alerts/desk.ts';
import type { Signal } from '#functions/alerts/alert.ts';
import { AlertBook } from '#functions/alerts/book.ts';
import { notice, type Notice } from '#functions/alerts/notice.ts';
import { channelAddresses, createSender, NotDelivered } from '#functions/alerts/sender.ts';
import { documentClient, dynamoClient } from '#functions/common/clients.ts';
import { at } from '#functions/common/layout.ts';
import { Table } from '#functions/common/table.ts';
import { tableDefinitions } from '#functions/common/tables.ts';
import { ensureTables, startDynamo, type Peer } from '#local/peers.ts';
import { startReceiver, type Receiver } from '../support/receiver.ts';
import { handClock, silentLog, tempDir, testConfig } from '../support/world.ts';

const dir = tempDir();
let peer: Peer;
let table: Table;
let receiver: Receiver;
beforeAll(async () => {
  peer = await startDynamo({ dataDir: dir.path, port: 0 });
  const dynamo = dynamoClient({ endpoint: peer.url });
  await ensureTables(dynamo, tableDefinitions({ state_table: 'state', events_table: 'events' }));
  table = new Table(documentClient(dynamo), 'state');
  receiver = await startReceiver();
});
afterAll(async () => {
  await receiver.close();
  await peer.close();
  dir.remove();
});

const settings: AlertsConfig = { ...testConfig().alerts, remind_ms: 60_000, quiet_ms: 10_000 };
const clock = handClock();
let engines = 0;

/** A desk of an engine of its own, and what it hands on. */
function deskOf(over: Partial<DeskOptions> & { readonly settings?: Partial<AlertsConfig> } = {}) {
  const engine = over.engine ?? `desk-${(engines += 1)}`;
  const told: Notice[] = [];
  const desk = new AlertDesk({
    table,
    engine,
    config: async () => ({ ...settings, ...over.settings }),
    publish: async (each) => void told.push(each),
    ackUrl: async () => 'http://api.test/ack',
    handsOn: 'at-once',
    clock,
    log: silentLog,
    ...over,
  });
  const look = (...signals: readonly Signal[]): Promise<void> => desk.look(() => signals);
  return { desk, engine, told, look, book: new AlertBook(table, engine) };
}

const breaker = (bad: boolean, seq: number, subject = 'window-loss'): Signal => ({
  rule: 'breaker-open',
  subject,
  bad,
  atMs: clock.nowMs(),
  seq,
  text: 'lost 2600 within the hour',
  value: '2600',
  limit: '2500',
});
const kindsOf = (told: readonly Notice[]): readonly string[] => told.map(({ kind }) => kind);

describe('a desk', () => {
  it('tells a firing once, reminds, tells its end, and forgets nothing over instances', async () => {
    const { engine, told, desk, look } = deskOf();
    await desk.hear([breaker(true, 1), breaker(true, 1)]);
    await look();
    expect(kindsOf(told)).toEqual(['firing']);
    expect(notice.parse(told[0])).toMatchObject({
      id: `${engine}/breaker-open:window-loss/1/firing`,
      severity: 'critical',
      value: '2600',
      limit: '2500',
      runbook: 'infra/RUNBOOK.md#breaker-open',
      ack_url: 'http://api.test/ack',
    });
    clock.advance(60_000);
    const other = deskOf({ engine });
    await other.look();
    expect(kindsOf(other.told)).toEqual(['reminder']);
    await other.desk.hear([breaker(false, 2)]);
    await look();
    expect([kindsOf(told), kindsOf(other.told)]).toEqual([['firing'], ['reminder', 'resolved']]);
    await look();
    await other.look();
    expect([told.length, other.told.length]).toEqual([1, 2]);
  });

  it('lets nobody be reminded once somebody has acknowledged', async () => {
    const { told, desk, look, book } = deskOf();
    await desk.hear([breaker(true, 1)]);
    const seen = await book.acknowledge('breaker-open:window-loss', 'ann', clock.nowMs());
    expect(seen?.acknowledged?.by).toBe('ann');
    clock.advance(120_000);
    await look();
    expect(kindsOf(told)).toEqual(['firing']);
    expect(await book.acknowledge('var-high', 'ann', clock.nowMs())).toBeUndefined();
  });

  it('tells once, however many instances hear the same at the same time', async () => {
    const first = deskOf();
    const desks = [first, ...Array.from({ length: 3 }, () => deskOf({ engine: first.engine }))];
    for (let round = 1; round <= 5; round += 1) {
      const signals = [breaker(true, 2 * round - 1)];
      await Promise.all(desks.flatMap(({ desk, look }) => [desk.hear(signals), look(...signals)]));
      await Promise.all(desks.map(({ desk }) => desk.hear([breaker(false, 2 * round)])));
      await Promise.all(desks.map(({ look }) => look()));
    }
    const ids = desks.flatMap(({ told }) => told.map(({ id }) => id));
    expect(new Set(ids).size).toBe(ids.length);
    const told = ids.map((id) => id.split('/').slice(2).join(' ')).sort();
    expect(told).toEqual([1, 2, 3, 4, 5].flatMap((firing) => [`${firing} firing`, `${firing} resolved`]).sort());
  });

  it('hands on what another instance took and never did', async () => {
    const dead = deskOf({ publish: () => new Promise(() => undefined) });
    void dead.desk.hear([breaker(true, 1)]);
    await expect.poll(async () => (await dead.book.read('breaker-open:window-loss'))?.outgoing?.tries).toBe(1);
    const alive = deskOf({ engine: dead.engine });
    await alive.look();
    expect(alive.told).toEqual([]);
    clock.advance(30_000);
    await alive.look();
    expect(kindsOf(alive.told)).toEqual(['firing']);
  });

  it('holds back what is over the limits of an hour, and tells it later; what is critical waits for its own rule alone', async () => {
    const held = { settings: { max_per_hour: 2, max_per_hour_by_rule: 3 } };
    const { told, desk, look } = deskOf(held);
    const venue = (subject: string): Signal => ({ ...breaker(true, 1, subject), rule: 'venue-down' });
    await desk.hear(['a', 'b', 'c'].map(venue));
    await desk.hear(['1', '2', '3', '4'].map((subject) => breaker(true, 1, subject)));
    expect(told.map(({ alert }) => alert)).toEqual([
      ...['venue-down:a', 'venue-down:b'],
      ...['breaker-open:1', 'breaker-open:2', 'breaker-open:3'],
    ]);
    await desk.hear([{ ...venue('c'), bad: false, seq: 2 }]);
    clock.advance(3_600_000);
    await look();
    const late = told.slice(5).filter(({ kind }) => kind !== 'reminder');
    expect(late.map(({ alert, kind }) => [alert, kind])).toEqual([
      ['breaker-open:4', 'firing'],
      ['venue-down:c', 'passed'],
    ]);
  });

  it('forgets after a month what nobody has spoken of', async () => {
    const { desk, book, look } = deskOf({ settings: { remind_ms: 0 } });
    await desk.hear([breaker(true, 1), breaker(false, 2)]);
    await look();
    clock.advance(30 * 86_400_000 - 1_000);
    expect(await book.all(clock.nowMs())).toHaveLength(1);
    clock.advance(2_000);
    expect(await book.all(clock.nowMs())).toEqual([]);
  });

  it('hears nothing of what is off', async () => {
    const { told, desk, book } = deskOf({ settings: { off: ['breaker-open'] } });
    await desk.hear([breaker(true, 1)]);
    const disabled = deskOf({ settings: { enabled: false } });
    await disabled.desk.hear([breaker(true, 1)]);
    await disabled.look(breaker(true, 1));
    expect([told, disabled.told, await book.all(clock.nowMs())]).toEqual([[], [], []]);
  });
});

describe('notices', () => {
  const addresses = (over: object = {}) =>
    channelAddresses.parse({ webhook_url: receiver.url, webhook_secret: 'shared', ...over });
  const senderFor = (over: { addresses?: object; min?: AlertsConfig['min_severity'] } = {}) =>
    createSender({
      table,
      addresses: async () => addresses(over.addresses),
      minSeverity: async () => over.min ?? settings.min_severity,
      clock,
      log: silentLog,
      backoffMs: 1,
    });

  it('outlive an outage of who takes them: nothing lost, nobody told twice', async () => {
    const { engine, desk, look } = deskOf({ publish: senderFor(), handsOn: 'when-looking' });
    const ids = (): string[] =>
      receiver.received
        .map(({ body }) => notice.parse(JSON.parse(body)))
        .filter((each) => each.engine === engine)
        .map(({ id }) => id);
    for (const trouble of ['silence', 503, 404] as const) {
      receiver.answer(trouble);
      await desk.hear([breaker(true, 1, String(trouble))]);
      await look();
      await look();
    }
    receiver.answer(200);
    receiver.received.length = 0;
    clock.advance(1_000);
    await look();
    await look();
    expect(ids().sort()).toEqual(
      ['404', '503', 'silence'].map((subject) => `${engine}/breaker-open:${subject}/1/firing`),
    );
  });

  it('are given up in the end, and kept with the reason', async () => {
    const { engine, desk, look, book } = deskOf({
      publish: senderFor(),
      settings: { give_up_ms: 60_000, remind_ms: 0 },
    });
    receiver.answer('silence');
    await desk.hear([breaker(true, 1)]);
    for (let minute = 0; minute < 3; minute += 1) {
      clock.advance(31_000);
      await look();
    }
    const dead = await table.get(at.deadLetter('notices', `${engine}/breaker-open:window-loss/1/firing`));
    expect(dead?.['reason']).toMatch(/^not handed on in \d tries$/);
    expect((await book.read('breaker-open:window-loss'))?.outgoing).toBeNull();
    receiver.answer(200);
  });

  it('are signed over what was sent and when', async () => {
    const { engine, desk } = deskOf({ publish: senderFor() });
    receiver.received.length = 0;
    await desk.hear([breaker(true, 1)]);
    const [{ headers, body, path }] = receiver.received as [Receiver['received'][number]];
    const timestamp = String(headers['x-arbitrage-timestamp']);
    const expected = createHmac('sha256', 'shared').update(`${timestamp}.${body}`).digest('hex');
    expect([path, headers['x-arbitrage-signature']]).toEqual(['/hook', `v1=${expected}`]);
    expect(Number(timestamp)).toBe(Math.floor(clock.nowMs() / 1000));
    expect(headers['x-arbitrage-delivery']).toBe(`${engine}/breaker-open:window-loss/1/firing`);
  });

  it('go to each channel once, and again only to the one that did not take them', async () => {
    const slack = await startReceiver();
    const send = senderFor({ addresses: { slack_webhook_url: slack.url } });
    const { desk, told } = deskOf();
    await desk.hear([breaker(true, 1)]);
    receiver.received.length = 0;
    receiver.answer(500);
    await expect(send(told[0]!)).rejects.toThrow(new NotDelivered('webhook: answered 500'));
    receiver.answer(200);
    receiver.received.length = 0;
    await send(told[0]!);
    await send(told[0]!);
    expect([slack.received.length, receiver.received.length]).toEqual([1, 1]);
    expect(slack.received[0]!.body).toContain('Breaker has opened');
    expect(slack.received[0]!.headers['x-arbitrage-signature']).toBeUndefined();
    await slack.close();
  });

  it('are kept as dead letters where they are refused for good, and follow nobody elsewhere', async () => {
    const { desk, told } = deskOf();
    await desk.hear([breaker(true, 1)]);
    const send = senderFor();
    receiver.answer(302);
    await expect(send(told[0]!)).rejects.toThrow('webhook: answered 302');
    receiver.answer(413);
    await send(told[0]!);
    receiver.answer(200);
    expect((await table.get(at.deadLetter('notices', `${told[0]!.id}/webhook`)))?.['reason']).toBe(
      'webhook: answered 413',
    );
  });

  it('stay away from a channel that wants graver ones', async () => {
    const send = senderFor({ min: { slack: 'info', webhook: 'critical', email: 'info' } });
    const { desk, told } = deskOf();
    await desk.hear([{ ...breaker(true, 1, 'okx'), rule: 'venue-down' }, breaker(true, 1)]);
    receiver.received.length = 0;
    for (const each of told) await send(each);
    expect(receiver.received.map(({ body }) => notice.parse(JSON.parse(body)).severity)).toEqual(['critical']);
  });
});
