import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EventData } from '#shared/schema/event.ts';
import { notice, type Notice } from '#functions/alerts/notice.ts';
import { startTestCloud, type CloudUnderTest } from '../support/cloud.ts';
import { eventOf, statusOf } from '../support/events.ts';
import { listIn, textIn } from '../support/json.ts';
import { startReceiver, type Receiver } from '../support/receiver.ts';
import { eventually } from '../support/world.ts';

let world: CloudUnderTest;
let receiver: Receiver;
let slack: Receiver;
beforeAll(async () => {
  receiver = await startReceiver();
  slack = await startReceiver();
  world = await startTestCloud({
    alerts: { webhook_url: receiver.url, every_ms: 50 },
    env: { ARB_SLACK_WEBHOOK_URL: slack.url },
  });
});
afterAll(async () => {
  await world.close();
  await receiver.close();
  await slack.close();
});

const breaker = (id: string, state: 'open' | 'closed'): EventData<'breaker'> => ({
  id,
  state,
  trips: 'halted',
  reason: 'lost <!channel> & more',
  value: '2600',
  limit: '2500',
  by: 'engine',
});
let seq = 0;
/** Trips a breaker, and waits for what the webhook is told of it. */
async function tripped(id: string): Promise<Notice> {
  await world.feed([eventOf('breaker', (seq += 1), breaker(id, 'open'))]);
  return toldOf(id, 'firing');
}
async function toldOf(subject: string, kind: Notice['kind']): Promise<Notice> {
  const found = (): Notice | undefined =>
    receiver.received
      .map(({ body }) => notice.parse(JSON.parse(body)))
      .findLast((each) => each.subject === subject && each.kind === kind);
  await eventually(() => found() !== undefined, 60_000);
  return found()!;
}
const pathOf = ({ ack_url }: Notice): string => {
  const { pathname, search } = new URL(ack_url!);
  return `${pathname}${search}`;
};
const alertIn = async (id: string, token: string) =>
  listIn((await world.get('/v1/alerts', token)).data['alerts']).find((each) => textIn(each['id']) === id);

describe('an alert', () => {
  it('goes from a breaker to webhook and Slack, is listed, and ends', async () => {
    const told = await tripped('drift');
    expect(told).toMatchObject({
      rule: 'breaker-open',
      severity: 'critical',
      firing: 1,
      text: 'trading is halted: lost <!channel> & more',
    });
    await eventually(() => slack.received.length > 0);
    expect(slack.received.at(-1)!.body).toContain('lost &lt;!channel&gt; &amp; more');
    expect(slack.received.at(-1)!.body).toContain('/v1/alerts/breaker-open:drift/ack?token=');

    const token = await world.tokenOf('reader', ['read']);
    expect(await alertIn('breaker-open:drift', token)).toMatchObject({
      state: 'firing',
      severity: 'critical',
      value: '2600',
      limit: '2500',
      ended_at: null,
      acknowledged: null,
      runbook: 'Breaker open',
    });
    await world.feed([eventOf('breaker', (seq += 1), breaker('drift', 'closed'))]);
    await toldOf('drift', 'resolved');
    expect(await alertIn('breaker-open:drift', token)).toMatchObject({ state: 'over', firings: 1 });
  });

  it('is paged, and filtered by its state', async () => {
    await tripped('error-rate');
    await tripped('latency');
    const token = await world.tokenOf('pager', ['read']);
    const ids = async (query: string): Promise<[string[], string | null]> => {
      const { data } = await world.get(`/v1/alerts?${query}`, token);
      return [
        listIn(data['alerts']).map((each) => textIn(each['id'])),
        data['next_cursor'] as unknown as string | null,
      ];
    };
    const [all] = await ids('state=firing');
    expect(all).toEqual(expect.arrayContaining(['breaker-open:error-rate', 'breaker-open:latency']));
    const paged: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const [page, next]: [string[], string | null] = await ids(
        `state=firing&limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`,
      );
      paged.push(...page);
      cursor = next;
    }
    expect(paged).toEqual(all);
    expect((await world.get('/v1/alerts?cursor=abc', token)).error.code).toBe(3001);
    expect((await world.get('/v1/alerts?state=open', token)).error.code).toBe(3001);
  });

  it('fires when the engine falls silent, and is over when it speaks', async () => {
    await world.say(statusOf(world.clock.nowMs() - 60_001));
    expect(await toldOf('', 'firing')).toMatchObject({ rule: 'engine-silent', limit: '60 s' });
    await world.say(statusOf(world.clock.nowMs()));
    expect(await toldOf('', 'resolved')).toMatchObject({ rule: 'engine-silent' });
  });
});

describe('acknowledgement', () => {
  it('is a button behind a link: opening it changes nothing', async () => {
    const path = pathOf(await tripped('reject-streak'));
    const reader = await world.tokenOf('ack-reader', ['read']);
    const page = await world.get(path);
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=UTF-8']);
    expect(page.text).toContain('<form method="post"><button>');
    expect(page.headers.get('cache-control')).toBe('no-store');
    expect(page.headers.get('content-security-policy')).toContain("form-action 'self'");
    expect((await alertIn('breaker-open:reject-streak', reader))?.['acknowledged']).toBeNull();

    const pressed = await world.post(path, undefined);
    expect([pressed.status, pressed.text]).toEqual([200, expect.stringContaining('Acknowledged')]);
    expect(await alertIn('breaker-open:reject-streak', reader)).toMatchObject({ acknowledged: { by: 'link' } });
    const { data } = await world.get('/v1/audit', await world.tokenOf('auditor', ['admin']));
    expect(listIn(data['entries'])[0]).toMatchObject({
      actor: 'link',
      action: 'POST /v1/alerts/breaker-open:reject-streak/ack',
      status: 200,
    });
  });

  it('takes no link of another alert, of another firing, of another time, or none of ours', async () => {
    const first = pathOf(await tripped('window-loss'));
    const other = first.replace('window-loss', 'latency');
    for (const path of [
      other,
      first.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
      first.replace(/token=.*/, 'token=x'),
      first.replace(/\?.*/, '?token='),
    ]) {
      expect([(await world.get(path)).error.code, (await world.post(path, undefined)).error.code]).toEqual([
        1001, 1001,
      ]);
    }
    await world.feed([eventOf('breaker', (seq += 1), breaker('window-loss', 'closed'))]);
    await toldOf('window-loss', 'resolved');
    receiver.received.length = 0;
    const second = await tripped('window-loss');
    expect(second.firing).toBe(2);
    expect((await world.post(first, undefined)).text).toContain('fired again');
    const reader = await world.tokenOf('late-reader', ['read']);
    expect((await alertIn('breaker-open:window-loss', reader))?.['acknowledged']).toBeNull();
    world.clock.advance(86_400_000);
    expect([(await world.get(first)).error.code, (await world.post(first, undefined)).error.code]).toEqual([
      1002, 1002,
    ]);
  });

  it('is given with a token of scope trade, and to nobody else', async () => {
    await tripped('consecutive-losses');
    const path = '/v1/alerts/breaker-open:consecutive-losses/ack';
    expect((await world.post(path, undefined)).error.code).toBe(1001);
    expect((await world.post(path, undefined, await world.tokenOf('narrow-ack', ['read', 'risk']))).error.code).toBe(
      1003,
    );
    const trader = await world.tokenOf('ann', ['trade']);
    expect((await world.post(path, undefined, trader)).data).toMatchObject({ acknowledged: { by: 'ann' } });
    expect((await world.post('/v1/alerts/breaker-open:nobody/ack', undefined, trader)).error.code).toBe(2003);
    expect((await world.post('/v1/alerts/breaker%20open/ack', undefined, trader)).error.code).toBe(3001);
  });
});
