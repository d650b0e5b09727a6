import {
  GetRecordsCommand,
  GetShardIteratorCommand,
  PutRecordsCommand,
  type KinesisClient,
} from '@aws-sdk/client-kinesis';
import { PutCommand, type DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { command, type Command, type CommandKind, type CommandOf } from '#shared/schema/command.ts';
import type { Config } from '#shared/schema/config.ts';
import type { EngineEvent } from '#shared/schema/event.ts';
import type { EngineStatus, MarketSample } from '#shared/schema/status.ts';
import type { Scope } from '#shared/schema/scope.ts';
import { createAuthority } from '#functions/common/auth.ts';
import { documentClient, dynamoClient, kinesisClient } from '#functions/common/clients.ts';
import { startCloud, type Cloud } from '#local/cloud.ts';
import { ENGINE } from './events.ts';
import { parse, type Json } from './json.ts';
import { eventually, handClock, silentLog, tempDir, testConfig } from './world.ts';

export const SECRET = 'a secret of the tests that is long enough for HS256';

export type Answer = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Of the envelope; undefined where the answer is another one. */
  readonly data: Json;
  readonly error: {
    readonly code: number;
    readonly category: string;
    readonly detail?: string;
    readonly request_id: string;
  };
};

/** The whole cold plane on loopback, and a hand on its clock and streams. */
export type CloudUnderTest = {
  readonly cloud: Cloud;
  readonly config: Config;
  readonly clock: ReturnType<typeof handClock>;
  readonly kinesis: KinesisClient;
  readonly tokenOf: (id: string, scopes?: readonly Scope[]) => Promise<string>;
  readonly get: (path: string, token?: string, headers?: Record<string, string>) => Promise<Answer>;
  readonly post: (
    path: string,
    body: unknown,
    token?: string,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<Answer>;
  /** Any other method. */
  readonly send: (method: 'PUT' | 'PATCH' | 'DELETE', path: string, body: unknown, token?: string) => Promise<Answer>;
  readonly feed: (events: readonly EngineEvent[]) => Promise<void>;
  readonly sample: (samples: readonly MarketSample[]) => Promise<void>;
  /** The state table's client, for what no endpoint would do. */
  readonly client: DynamoDBDocumentClient;
  readonly say: (status: EngineStatus) => Promise<void>;
  /** Plays the engine: answers the next command with what `answer` makes of it. */
  readonly answerNext: <K extends CommandKind>(answer: (asked: CommandOf<K>) => EngineEvent) => Promise<Command>;
  /** Plays the engine until it is told to stop: answers each command with what `answer` makes of it, or not at all. */
  readonly play: (answer: (asked: Command) => readonly EngineEvent[]) => { readonly stop: () => Promise<void> };
  /** A command that nobody will answer. */
  readonly abandon: (id: string) => void;
  readonly close: () => Promise<void>;
};

/** `api`, `alerts`: settings that are not the defaults. */
export async function startTestCloud({
  api = {},
  alerts = {},
  env: added = {},
}: {
  readonly api?: object;
  readonly alerts?: object;
  readonly env?: Readonly<Record<string, string>>;
} = {}): Promise<CloudUnderTest> {
  const dir = tempDir();
  const clock = handClock();
  const config = testConfig({ api, alerts, streams: { shards: 1 } });
  const env = { ARB_JWT_SECRET: SECRET, ...added };
  const cloud = await startCloud({ config, dataDir: dir.path, clock, logger: silentLog, env });
  const kinesis = kinesisClient({ endpoint: cloud.kinesisUrl });
  const dynamo = dynamoClient({ endpoint: cloud.dynamodbUrl });
  const client = documentClient(dynamo);
  const authority = createAuthority(SECRET, clock);

  const settled = new Set<string>();
  const put = async (stream: string, texts: readonly string[]): Promise<void> => {
    const Records = texts.map((text) => ({ PartitionKey: 'k', Data: Buffer.from(text) }));
    await kinesis.send(new PutRecordsCommand({ StreamName: stream, Records }));
  };
  const request = async (path: string, init: RequestInit): Promise<Answer> => {
    const response = await fetch(`${cloud.apiUrl}${path}`, init);
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
    const body = parse(isJson ? text : '{}');
    return {
      status: response.status,
      headers: response.headers,
      text,
      data: body['data']!,
      error: body['error'] as unknown as Answer['error'],
    };
  };
  const commandsFromStart = async (): Promise<string | undefined> => {
    const { ShardIterator } = await kinesis.send(
      new GetShardIteratorCommand({
        StreamName: config.streams.commands,
        ShardId: 'shardId-000000000000',
        ShardIteratorType: 'TRIM_HORIZON',
      }),
    );
    return ShardIterator;
  };
  const commandFrom = ({ Data }: { readonly Data?: Uint8Array | undefined }): Command =>
    command.parse(JSON.parse(Buffer.from(Data!).toString('utf8')));
  const bearer = (token?: string): Record<string, string> =>
    token === undefined ? {} : { authorization: `Bearer ${token}` };

  return {
    cloud,
    config,
    clock,
    kinesis,
    client,
    tokenOf: async (id, scopes = ['read', 'trade']) => (await authority.issue(id, scopes)).token,
    get: (path, token, headers = {}) => request(path, { headers: { ...bearer(token), ...headers } }),
    post: (path, body, token, headers = {}) =>
      request(path, {
        method: 'POST',
        headers: {
          ...bearer(token),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
    send: (method, path, body, token) =>
      request(path, {
        method,
        headers: { ...bearer(token), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    feed: async (events) => {
      const before = await cloud.projected(ENGINE);
      await put(
        config.streams.events,
        events.map((event) => JSON.stringify(event)),
      );
      await eventually(async () => (await cloud.projected(ENGINE)) >= before + events.length);
    },
    sample: (samples) =>
      put(
        config.streams.market,
        samples.map((sample) => JSON.stringify(sample)),
      ),
    say: async (status) => {
      const Item = { pk: `ENGINE#${status.engine}`, sk: 'STATUS', status: JSON.stringify(status), at_ms: status.at_ms };
      await client.send(new PutCommand({ TableName: config.stores.state_table, Item }));
    },
    answerNext: async <K extends CommandKind>(answer: (asked: CommandOf<K>) => EngineEvent) => {
      const ShardIterator = await commandsFromStart();
      let asked: Command | undefined;
      await eventually(async () => {
        const { Records = [] } = await kinesis.send(new GetRecordsCommand({ ShardIterator }));
        asked = Records.map(commandFrom).find(({ id }) => !settled.has(id));
        return asked !== undefined;
      });
      settled.add(asked!.id);
      await put(config.streams.events, [JSON.stringify(answer(asked as CommandOf<K>))]);
      return asked!;
    },
    play: (answer) => {
      const ending = new AbortController();
      const playing = (async (): Promise<void> => {
        let iterator = await commandsFromStart();
        while (!ending.signal.aborted) {
          const { Records = [], NextShardIterator } = await kinesis.send(
            new GetRecordsCommand({ ShardIterator: iterator }),
          );
          const fresh = Records.map(commandFrom).filter(({ id }) => !settled.has(id));
          for (const { id } of fresh) settled.add(id);
          const texts = fresh.flatMap(answer).map((event) => JSON.stringify(event));
          if (texts.length > 0) await put(config.streams.events, texts);
          iterator = NextShardIterator;
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      })();
      return {
        stop: async () => {
          ending.abort();
          await playing;
        },
      };
    },
    abandon: (id) => settled.add(id),
    close: async () => {
      await cloud.close();
      kinesis.destroy();
      dynamo.destroy();
      dir.remove();
    },
  };
}
