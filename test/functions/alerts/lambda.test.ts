import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { SQSEvent } from 'aws-lambda';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { systemClock } from '#shared/clock/clock.ts';
import { documentClient, dynamoClient } from '#functions/common/clients.ts';
import { tableDefinitions } from '#functions/common/tables.ts';
import { notice } from '#functions/alerts/notice.ts';
import { createProjector } from '#functions/stream/projector.ts';
import { ensureTables, startDynamo, type Peer } from '#local/peers.ts';
import { SECRET } from '../support/cloud.ts';
import { batchOf, ENGINE, eventOf, operationData } from '../support/events.ts';
import { startReceiver, type Receiver } from '../support/receiver.ts';
import { silentLog, tempDir, testConfig } from '../support/world.ts';

/** The entry files as Lambda loads them, against what stands for the services of AWS on loopback. */
const dir = tempDir();
let peer: Peer;
let slack: Receiver;
let webhook: Receiver;
/** Configured, and no address for the cloud. */
let stranger: Receiver;
let secretWebhook: string;
const servers: Server[] = [];
const published: URLSearchParams[] = [];
const objects = new Map<string, string>();

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
async function bodyOf(request: AsyncIterable<unknown>): Promise<string> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return body;
}

beforeAll(async () => {
  peer = await startDynamo({ dataDir: dir.path, port: 0 });
  slack = await startReceiver();
  webhook = await startReceiver();
  stranger = await startReceiver();
  secretWebhook = webhook.url;
  const names = { state_table: 'state', events_table: 'events' };
  const dynamo = dynamoClient({ endpoint: peer.url });
  await ensureTables(dynamo, tableDefinitions(names));
  dynamo.destroy();
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_DYNAMODB: peer.url,
    AWS_ENDPOINT_URL_SNS: await serve((request, response) => {
      void bodyOf(request).then((body) => {
        published.push(new URLSearchParams(body));
        response.writeHead(200, { 'content-type': 'text/xml' });
        response.end('<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>');
      });
    }),
    AWS_ENDPOINT_URL_SECRETS_MANAGER: await serve((_request, response) => {
      const SecretString = JSON.stringify({
        slack_webhook_url: slack.url,
        webhook_url: secretWebhook,
        webhook_secret: 'shared',
      });
      response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify({ SecretString }));
    }),
    AWS_ENDPOINT_URL_S3: await serve((request, response) => {
      void bodyOf(request).then((body) => {
        objects.set(request.url ?? '', body);
        response.writeHead(200).end();
      });
    }),
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    STATE_TABLE: names.state_table,
    EVENTS_TABLE: names.events_table,
    EVENTS_STREAM: 'events',
    ENGINE,
    ARB_JWT_SECRET: SECRET,
    ALERTS: JSON.stringify({ ...testConfig().alerts, webhook_url: stranger.url }),
    TOPICS: JSON.stringify({ info: 'arn:info', warning: 'arn:warning', critical: 'arn:critical' }),
    API_URL: 'https://api.example/live/',
    CHANNELS_SECRET_ID: 'channels',
    MAX_DAILY_LOSS_USD: '5000',
    REPORTS_BUCKET: 'kept',
    REPORTS_TOPIC: 'arn:reports',
  });
});
afterAll(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  await slack.close();
  await webhook.close();
  await stranger.close();
  await peer.close();
  dir.remove();
});

it('an event goes through its topic to Slack, the webhook and by mail', async () => {
  const { handler: judge } = await import('#functions/alerts/evaluate.lambda.ts');
  const { handler: send } = await import('#functions/alerts/send.lambda.ts');
  const breaker = { trips: 'halted', reason: 'lost 2600', value: '2600', limit: '2500', by: 'engine' } as const;
  const opened = eventOf('breaker', 1, { id: 'window-loss', state: 'open', ...breaker });
  const batch = batchOf([
    'nonsense',
    JSON.stringify(eventOf('operation', 2, operationData('o'))),
    JSON.stringify(opened),
  ]);
  expect(await judge(batch)).toEqual({ batchItemFailures: [] });
  expect(await judge(batch)).toEqual({ batchItemFailures: [] });
  // The schedule brings no records.
  expect(await judge({ source: 'aws.events' } as never)).toEqual({ batchItemFailures: [] });

  expect(published).toHaveLength(1);
  const [letter] = published;
  expect([letter!.get('TopicArn'), letter!.get('MessageStructure')]).toEqual(['arn:critical', 'json']);
  expect(letter!.get('Subject')).toBe('[critical] Breaker has opened: window-loss (engine-1)');
  const { default: text, email } = JSON.parse(letter!.get('Message')!) as {
    readonly default: string;
    readonly email: string;
  };
  expect(email).toContain('acknowledge: https://api.example/live/v1/alerts/breaker-open:window-loss/ack?token=');

  const body = JSON.stringify({ Type: 'Notification', TopicArn: 'arn:critical', Message: text });
  const queued = {
    Records: [
      { messageId: '1', body },
      { messageId: '2', body },
    ],
  } as SQSEvent;
  expect(await send(queued)).toEqual({ batchItemFailures: [] });
  expect([slack.received.length, webhook.received.length]).toEqual([1, 1]);
  expect(notice.parse(JSON.parse(webhook.received[0]!.body))).toMatchObject({ alert: 'breaker-open:window-loss' });
  expect(webhook.received[0]!.headers['x-arbitrage-signature']).toMatch(/^v1=[0-9a-f]{64}$/);

  secretWebhook = '';
  vi.resetModules();
  const { handler: sendAnew } = await import('#functions/alerts/send.lambda.ts');
  const again = { ...notice.parse(JSON.parse(text)), id: 'another' };
  const later = { messageId: '3', body: JSON.stringify({ Type: 'Notification', Message: JSON.stringify(again) }) };
  expect(await sendAnew({ Records: [later] } as SQSEvent)).toEqual({ batchItemFailures: [] });
  expect([slack, webhook, stranger].map(({ received }) => received.length)).toEqual([2, 1, 0]);
});

it('the report of a settled day is put into the bucket and mailed, once', async () => {
  const { handler: report } = await import('#functions/reports/daily.lambda.ts');
  const clock = systemClock();
  const beganMs = clock.unixMs(clock.now()) - 2 * 86_400_000;
  const done = eventOf(
    'operation',
    9,
    operationData('op-1', { state: 'completed', pnl: { realised: '3', fees: '1' } }),
  );
  const project = createProjector({
    client: documentClient(dynamoClient()),
    names: { state_table: 'state', events_table: 'events' },
    stream: 'events',
    clock,
    log: silentLog,
  });
  await project(batchOf([JSON.stringify({ ...done, at: String(BigInt(Math.floor(beganMs)) * 1_000_000n) })]));
  const date = new Date(beganMs).toISOString().slice(0, 10);
  expect((await report())[0]).toBe(date);
  expect(await report()).toEqual([]);
  const kept = [...objects.keys()].filter((path) => path.includes(date)).sort();
  expect(kept.map((path) => path.split('?')[0]!.split('/reports/')[1])).toEqual([
    `engine-1/${date}.html`,
    `engine-1/${date}.json`,
  ]);
  const letters = published.filter((each) => each.get('TopicArn') === 'arn:reports');
  expect(letters[0]!.get('Subject')).toBe(`engine-1: report of ${date}`);
  expect(letters[0]!.get('Message')).toContain('operations    1, 0 still open');
});
