import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundle } from '#cdk/bundle.ts';
import { systemClock } from '#shared/clock/clock.ts';
import { createAuthority } from '#functions/common/auth.ts';
import { documentClient, dynamoClient } from '#functions/common/clients.ts';
import { Table } from '#functions/common/table.ts';
import { tableDefinitions } from '#functions/common/tables.ts';
import { Connections } from '#functions/websocket/connections.ts';
import { wholeOf } from '#functions/websocket/conversation.ts';
import { ensureTables, startDynamo, type Peer } from '#local/peers.ts';
import { SECRET } from '../functions/support/cloud.ts';
import { batchOf, ENGINE, eventOf, opportunityData, sampleOf } from '../functions/support/events.ts';

/**
 * The bundles as Lambda runs them: AWS's own runtime interface client (npm `aws-lambda-ric`, which compiles for minutes and is therefore no
 * dependency) takes events from a Runtime API on loopback.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 */
const HOME = 'node_modules/.cache/ric';
const CLIENT = resolve(HOME, 'node_modules/aws-lambda-ric/index.mjs');
const isThere = existsSync(CLIENT);
const WARM = 100;
/** Who hears what the fan-out has to say. */
const LISTENS = 'c-listens';

describe.skipIf(!isThere)(
  `bundles under the runtime interface client (skipped without it: npm install --prefix ${HOME} aws-lambda-ric@4.0.2)`,
  () => {
    const dir = mkdtempSync(join(tmpdir(), 'arb-runtime-'));
    const names = { state_table: 'state', events_table: 'events' };
    let peer: Peer;
    let token: string;
    /** How often the management API of the push API was asked to say something. */
    let posts = 0;
    const connections = createServer((request, response) => {
      posts += 1;
      request.resume().on('end', () => response.end());
    });

    beforeAll(async () => {
      connections.listen(0, '127.0.0.1');
      await once(connections, 'listening');
      ({ token } = await createAuthority(SECRET, systemClock()).issue('x', ['read']));
      peer = await startDynamo({ dataDir: join(dir, 'tables'), port: 0 });
      const dynamo = dynamoClient({ endpoint: peer.url });
      await ensureTables(dynamo, tableDefinitions(names));
      const principal = { id: 'x', scopes: ['read'] as const, expiresAtMs: Date.now() + 3_600_000 };
      await new Connections(new Table(documentClient(dynamo), names.state_table), ENGINE).open(
        LISTENS,
        principal,
        Date.now(),
        wholeOf('opportunities'),
      );
      dynamo.destroy();
    });
    afterAll(async () => {
      connections.close();
      connections.closeAllConnections();
      await peer.close();
      rmSync(dir, { recursive: true, force: true });
    });

    it.each([
      ['REST, GET /health', 'functions/rest/rest.lambda.ts', () => restEvent('/health'), /"healthy\\":true/],
      ['REST, no token', 'functions/rest/rest.lambda.ts', () => restEvent('/v1/status'), /"statusCode":401.*1001/],
      ['authorizer', 'functions/authorizer/authorizer.lambda.ts', () => authorizerEvent(token), /"Effect":"Allow"/],
      ['push, CONNECT', 'functions/websocket/push.lambda.ts', () => pushEvent('CONNECT'), /^{"statusCode":200}$/],
      [
        'push, MESSAGE (subscribe)',
        'functions/websocket/push.lambda.ts',
        (index: number) => pushEvent(index === 0 ? 'CONNECT' : 'MESSAGE'),
        /^{"statusCode":200}$/,
        WARM,
      ],
      [
        'push fan-out, a batch of one',
        'functions/websocket/fanout.lambda.ts',
        (index: number) =>
          batchOf(
            [JSON.stringify(eventOf('opportunity', index + 1, opportunityData(`f-${index}`)))],
            'shard',
            1 + index,
          ),
        /^{"batchItemFailures":\[\]}$/,
        WARM,
      ],
      [
        'projector, a batch of one',
        'functions/stream/projector.lambda.ts',
        (index: number) =>
          batchOf([JSON.stringify(eventOf('opportunity', index + 1, opportunityData(`o-${index}`)))], 'shard', index),
        /^{"batchItemFailures":\[\]}$/,
      ],
      [
        'market, a batch of one',
        'functions/stream/market.lambda.ts',
        (index: number) => batchOf([JSON.stringify(sampleOf('binance:BTC/USDT', 1 + index))], 'shard', index),
        /^{"batchItemFailures":\[\]}$/,
      ],
    ] as const)('%s', async (name, entry, eventFrom, expected, says?: number) => {
      posts = 0;
      const out = join(dir, entry.replaceAll('/', '-'));
      await bundle(entry, out, 'bundled');
      const lambda = await start(out);
      const times: number[] = [];
      for (let index = 0; index <= WARM; index += 1) {
        const began = performance.now();
        expect(await lambda.invoke(eventFrom(index))).toMatch(expected);
        times.push(performance.now() - began);
      }
      await lambda.stop();
      const [, ...warm] = times;
      warm.sort((a, b) => a - b);
      const at = (share: number): string => warm[Math.floor(share * warm.length)]!.toFixed(1);
      expect(posts).toBeGreaterThanOrEqual(says ?? 0);
      process.stdout.write(`${name}: cold ${lambda.coldMs().toFixed(0)} ms, warm p50 ${at(0.5)} p99 ${at(0.99)} ms\n`);
    });

    const environment = (api: string, taskRoot: string): NodeJS.ProcessEnv => ({
      PATH: process.env['PATH'],
      AWS_LAMBDA_RUNTIME_API: api,
      LAMBDA_TASK_ROOT: taskRoot,
      _HANDLER: 'index.handler',
      DEAD_LETTERS_URL: 'http://127.0.0.1:1/none',
      AWS_LAMBDA_FUNCTION_NAME: 'test',
      AWS_LAMBDA_FUNCTION_VERSION: '1',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '512',
      AWS_LAMBDA_LOG_GROUP_NAME: 'log',
      AWS_LAMBDA_LOG_STREAM_NAME: 'log',
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_ENDPOINT_URL_DYNAMODB: peer.url,
      PUSH_ENDPOINT: `http://127.0.0.1:${(connections.address() as AddressInfo).port}/live`,
      STATE_TABLE: names.state_table,
      EVENTS_TABLE: names.events_table,
      EVENTS_STREAM: 'events',
      MARKET_STREAM: 'market',
      COMMANDS_STREAM: 'commands',
      ENGINE: 'engine-1',
      ARB_JWT_SECRET: SECRET,
      NODE_OPTIONS: '--enable-source-maps',
    });

    /** The Runtime API: one invocation at a time, as Lambda gives them. */
    async function start(taskRoot: string): Promise<{
      readonly invoke: (event: unknown) => Promise<string>;
      readonly coldMs: () => number;
      readonly stop: () => Promise<void>;
    }> {
      const began = performance.now();
      let coldMs = 0;
      let asking: ServerResponse | undefined;
      let given: { readonly event: unknown; readonly told: (text: string) => void } | undefined;
      let requests = 0;
      const give = (): void => {
        if (asking === undefined || given === undefined) return;
        requests += 1;
        asking.setHeader('Lambda-Runtime-Aws-Request-Id', `request-${requests}`);
        asking.setHeader('Lambda-Runtime-Deadline-Ms', String(Date.now() + 30_000));
        asking.setHeader('Lambda-Runtime-Invoked-Function-Arn', 'arn:aws:lambda:us-east-1:000000000000:function:test');
        asking.setHeader('Content-Type', 'application/json');
        asking.end(JSON.stringify(given.event));
        asking = undefined;
      };
      const server = createServer((request, response) => {
        if (request.url?.endsWith('/invocation/next') === true) {
          if (coldMs === 0) coldMs = performance.now() - began;
          asking = response;
          give();
          return;
        }
        request.setEncoding('utf8');
        void request.toArray().then((chunks) => {
          response.statusCode = 202;
          response.end('{}');
          const isError = request.url?.endsWith('/error') === true;
          const { told } = given ?? {};
          given = undefined;
          told?.(`${isError ? 'error: ' : ''}${chunks.join('')}`);
        });
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const api = `127.0.0.1:${(server.address() as AddressInfo).port}`;
      const child = spawn(process.execPath, [CLIENT, 'index.handler'], {
        cwd: taskRoot,
        env: environment(api, taskRoot),
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      child.setMaxListeners(0);
      return {
        invoke: (event) =>
          new Promise((told, failed) => {
            child.once('exit', (code) => failed(new Error(`the runtime ended with ${code ?? 'a signal'}`)));
            given = { event, told };
            give();
          }),
        coldMs: () => coldMs,
        stop: async () => {
          const gone = once(child, 'exit');
          child.kill('SIGKILL');
          await gone;
          server.close();
          server.closeAllConnections();
        },
      };
    }
  },
);

const restEvent = (path: string): object => ({
  httpMethod: 'GET',
  path,
  headers: {},
  multiValueQueryStringParameters: null,
  body: null,
  isBase64Encoded: false,
  requestContext: { domainName: 'api.example', identity: { sourceIp: '203.0.113.7' } },
});

const authorizerEvent = (token: string): object => ({
  type: 'REQUEST',
  methodArn: 'arn:aws:execute-api:us-east-1:000000000000:api/live/GET/v1/status',
  headers: { Authorization: `Bearer ${token}` },
  queryStringParameters: null,
  requestContext: {},
});

const pushEvent = (eventType: 'CONNECT' | 'MESSAGE'): object => ({
  requestContext: {
    eventType,
    connectionId: 'c-speaks',
    requestId: 'r',
    authorizer: { principalId: 'x', scopes: 'read', expiresAtMs: String(Date.now() + 3_600_000) },
  },
  ...(eventType === 'MESSAGE' ? { body: JSON.stringify({ type: 'subscribe', channel: 'prices' }) } : {}),
});
