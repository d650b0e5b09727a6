import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { PutRecordCommand, type KinesisClient } from '@aws-sdk/client-kinesis';
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { createAdaptorServer, type HttpBindings } from '@hono/node-server';
import { BadInput } from '#shared/assert.ts';
import type { Clock, Timer } from '#shared/clock/clock.ts';
import type { Config } from '#shared/schema/config.ts';
import type { EngineEvent } from '#shared/schema/event.ts';
import type { MarketSample } from '#shared/schema/status.ts';
import { createAcknowledgements } from '#functions/alerts/acknowledgement.ts';
import { createKeyPair, isClosed, type KeyPair } from '#functions/common/api-keys.ts';
import { createAuthority } from '#functions/common/auth.ts';
import { documentClient, dynamoClient, kinesisClient } from '#functions/common/clients.ts';
import { ApplicationError } from '#functions/common/errors.ts';
import type { Log } from '#functions/common/log.ts';
import { Store } from '#functions/common/store.ts';
import { Table } from '#functions/common/table.ts';
import { tableDefinitions } from '#functions/common/tables.ts';
import { Tally } from '#functions/common/tally.ts';
import { influxOptionsOf, timeSeriesOf } from '#functions/common/time-series-choice.ts';
import { ensureInfluxDatabases } from '#functions/common/time-series-influx.ts';
import type { TimeSeriesStore } from '#functions/common/time-series.ts';
import { createApp } from '#functions/rest/app.ts';
import { knownMarkets } from '#functions/rest/known-markets.ts';
import { priceOf, riskMetricsOf } from '#functions/rest/views.ts';
import { createMarketProjector } from '#functions/stream/market.ts';
import { createProjector } from '#functions/stream/projector.ts';
import { Hub } from '#functions/websocket/hub.ts';
import type { IsClosed } from '#functions/websocket/key-watch.ts';
import { newsOf } from '#functions/websocket/news.ts';
import { startAlerting, type Alerting } from './alerting.ts';
import { startEventSource, type EventSource, type EventSourceOptions } from './event-source.ts';
import { ensureStreams, ensureTables, startDynamo, startKinesis, type Peer } from './peers.ts';
import { startReporting } from './reporting.ts';
import { jwtSecret } from './secrets.ts';
import { serveSockets } from './ws-server.ts';

export type CloudOptions = {
  readonly config: Config;
  readonly dataDir: string;
  readonly clock: Clock;
  readonly logger: Log;
  /** Of the peers; 0 or absent picks free ones. */
  readonly ports?: { readonly dynamodb?: number; readonly kinesis?: number };
  readonly env?: Readonly<Record<string, string | undefined>>;
};

/** The cold plane of one machine: everything that runs behind API Gateway in the cloud, over the same wire protocols. */
export type Cloud = {
  readonly apiUrl: string;
  readonly dynamodbUrl: string;
  readonly kinesisUrl: string;
  /** Set at the first start alone: shown once, only its hash is kept. Never one whose secret the owner chose. */
  readonly keyPair: KeyPair | undefined;
  /** How many events of an engine are stored. */
  readonly projected: (engine: string) => Promise<number>;
  /** An outage, on demand. */
  readonly stopKinesis: () => Promise<void>;
  readonly startKinesis: () => Promise<void>;
  readonly close: () => Promise<void>;
};

const LOCAL_KEY = 'arb-local';

/** @throws BadInput when a port or folder is taken, or a secret is unusable */
export async function startCloud(options: CloudOptions): Promise<Cloud> {
  const { dataDir, ports = {} } = options;
  const secret = jwtSecret(dataDir, options.env ?? process.env);
  const closing: (() => Promise<void>)[] = [];
  try {
    const dynamo = await startDynamo({ dataDir, port: ports.dynamodb ?? 0 });
    closing.unshift(dynamo.close);
    const kinesis = await startKinesis({ dataDir, port: ports.kinesis ?? 0 });
    closing.unshift(kinesis.close);
    const plane = await wire(options, dynamo, kinesis, secret);
    closing.unshift(plane.close);
    return {
      apiUrl: plane.apiUrl,
      dynamodbUrl: dynamo.url,
      kinesisUrl: kinesis.url,
      keyPair: plane.keyPair,
      projected: plane.projected,
      stopKinesis: kinesis.stop,
      startKinesis: kinesis.start,
      close: () => inOrder(closing),
    };
  } catch (error) {
    await inOrder(closing);
    throw error;
  }
}

type Plane = Pick<Cloud, 'apiUrl' | 'keyPair' | 'projected' | 'close'>;

/** The functions over the peers: tables and streams, projections, API and push. */
async function wire(options: CloudOptions, dynamo: Peer, kinesis: Peer, secret: string): Promise<Plane> {
  const { config, clock, env = process.env } = options;
  const dynamodb = dynamoClient({ endpoint: dynamo.url });
  const streams = kinesisClient({ endpoint: kinesis.url, attempts: 2 });
  await ensureTables(dynamodb, tableDefinitions(config.stores));
  await ensureStreams(streams, Object.values(streamNames(config)), config.streams.shards);

  const client = documentClient(dynamodb);
  const series = await seriesOf(config, client, env);
  const store = new Store(client, config.stores, config.engine.name, series);
  const secretOfOwner = chosenSecret(env);
  const created = await createKeyPair(store.state, {
    id: LOCAL_KEY,
    scopes: ['read', 'trade', 'risk', 'admin'],
    nowMs: clock.unixMs(clock.now()),
    secret: secretOfOwner,
  });

  const tally = new Tally();
  const markets = new SeenMarkets(config);
  const areClosed: IsClosed = ({ id }) => isClosed(store.state, id, clock.unixMs(clock.now()));
  const hub = new Hub({ clock, isClosed: areClosed, isKnownSymbol: markets.hasSymbol, isKnownVenue: markets.hasVenue });
  const api = await serveApi(options, { store, streams, hub, tally, secret, isClosed: areClosed });
  const about = { config, store, tally, clock, log: options.logger, env, secret, apiUrl: api.url };
  const alerting = startAlerting(about);
  const reporting = startReporting({ ...about, dataDir: options.dataDir });
  const sources = startProjections(options, { client, series, streams, hub, markets, tally, alerting });
  const risk = announceRisk(store, hub, clock);

  return {
    apiUrl: api.url,
    keyPair: secretOfOwner === undefined ? created : undefined,
    projected: (engine) =>
      (engine === store.engine ? store : new Store(client, config.stores, engine)).projectedCount(),
    close: async () => {
      await Promise.all(sources.map((running) => running.stop()));
      await alerting.stop();
      await reporting.stop();
      risk.stop();
      hub.close();
      await api.close();
      dynamodb.destroy();
      streams.destroy();
    },
  };
}

/** Where the configuration keeps candles; databases that are missing are made. */
async function seriesOf(
  { stores }: Config,
  client: DynamoDBDocumentClient,
  env: NonNullable<CloudOptions['env']>,
): Promise<TimeSeriesStore> {
  if (stores.time_series === 'influxdb') {
    try {
      await ensureInfluxDatabases(influxOptionsOf(stores, env));
    } catch (error) {
      if (!(error instanceof ApplicationError)) throw error;
      throw new BadInput(`stores.influxdb (${stores.influxdb.url}): ${error.detail ?? error.message}`);
    }
  }
  return timeSeriesOf(stores, new Table(client, stores.state_table), env);
}

/** From the streams into the tables, and from there to whoever listens. */
function startProjections(
  { config, dataDir, clock, logger }: CloudOptions,
  parts: {
    readonly client: DynamoDBDocumentClient;
    readonly series: TimeSeriesStore;
    readonly streams: KinesisClient;
    readonly hub: Hub;
    readonly markets: SeenMarkets;
    readonly tally: Tally;
    readonly alerting: Alerting;
  },
): readonly EventSource[] {
  const { client, series, streams, hub, markets, tally, alerting } = parts;
  const onPoison = (): void => tally.error('poison-record');
  const common = { client, names: config.stores, clock, log: logger, onPoison };
  const projector = createProjector({
    ...common,
    stream: config.streams.events,
    onProjected: (events) => announce(hub, events),
  });
  const market = createMarketProjector({
    ...common,
    series,
    stream: config.streams.market,
    onSamples: (samples) => {
      markets.add(samples);
      for (const sample of samples) hub.price(priceOf(sample));
    },
  });
  const source = (stream: string, handler: EventSourceOptions['handler']): EventSource =>
    startEventSource({
      kinesis: streams,
      stream,
      handler,
      checkpointFile: join(dataDir, 'checkpoints', `${stream}.json`),
      clock,
      log: logger,
    });
  return [source(config.streams.events, inTurn(projector, alerting.hear)), source(config.streams.market, market)];
}

/** Two functions on one stream: the second hears what the first has done. What either could not do comes again. */
const inTurn =
  (first: EventSourceOptions['handler'], second: EventSourceOptions['handler']): EventSourceOptions['handler'] =>
  async (event) => {
    const done = await first(event);
    return done.batchItemFailures.length > 0 ? done : second(event);
  };

/** REST and WebSocket on one port. */
async function serveApi(
  { config, clock, logger }: CloudOptions,
  parts: {
    readonly store: Store;
    readonly streams: KinesisClient;
    readonly hub: Hub;
    readonly secret: string;
    readonly tally: Tally;
    readonly isClosed: IsClosed;
  },
): Promise<{ readonly url: string; readonly close: () => Promise<void> }> {
  const { store, streams, hub, secret, tally } = parts;
  const authority = createAuthority(secret, clock);
  const app = createApp({
    store,
    authority,
    acknowledgements: createAcknowledgements(() => Promise.resolve(secret), clock),
    rateLimit: { perMinute: config.api.rate_limit_per_minute, burst: config.api.rate_limit_burst },
    clock,
    log: logger,
    tally,
    sendCommand: async (command) => {
      const Data = Buffer.from(JSON.stringify(command));
      const { commands } = config.streams;
      await streams.send(new PutRecordCommand({ StreamName: commands, PartitionKey: config.engine.name, Data }));
    },
    symbols: config.engine.symbols,
    venues: config.engine.venues,
    corsOrigins: config.api.cors_origins,
    addressOf: ({ env }) => (env as HttpBindings).incoming.socket.remoteAddress ?? 'unknown',
    socketsOpen: () => hub.connections,
    startConfig: config,
  });
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  await listen(server, config.api);
  const sockets = serveSockets(server, hub, { authority, isClosed: parts.isClosed, clock });
  return {
    url: `http://${config.api.host}:${(server.address() as AddressInfo).port}`,
    close: async () => {
      sockets.close();
      await closed(server);
    },
  };
}

const streamNames = ({ streams: { events, market, commands } }: Config): Record<string, string> => ({
  events,
  market,
  commands,
});

/** The owner may choose the local key's secret, and so choose it anew when it is lost. */
function chosenSecret(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const secret = env['ARB_API_SECRET'];
  if (secret === undefined || secret === '') return undefined;
  if (secret.length < 16) throw new BadInput('ARB_API_SECRET has fewer than 16 characters');
  return secret;
}

function announce(hub: Hub, events: readonly EngineEvent[]): void {
  for (const event of events) {
    for (const news of newsOf(event)) hub.publish(news);
  }
}

const STATUS_EVERY_MS = 1_000;

/** The figures of risk come with the status and not with events. */
function announceRisk(store: Store, hub: Hub, clock: Clock): { readonly stop: () => void } {
  let toldMs = 0;
  let timer: Timer | undefined;
  const look = async (): Promise<void> => {
    try {
      const risk = (await store.status())?.risk;
      if (risk === undefined || risk.at_ms <= toldMs) return;
      toldMs = risk.at_ms;
      hub.publish({ channel: 'risk', data: { event: 'metrics', ...riskMetricsOf(risk) } });
    } catch (error) {
      // The database is away: the figures that follow are newer.
      if (!(error instanceof ApplicationError)) throw error;
    }
  };
  const again = (): void => {
    timer = clock.after(STATUS_EVERY_MS, () => {
      again();
      void look();
    });
  };
  again();
  return { stop: () => timer?.cancel() };
}

/** Configured markets and those that samples came of: as many as the engine has instruments. */
class SeenMarkets {
  readonly #config: Config;
  readonly #samples = new Map<string, Pick<MarketSample, 'instrument'>>();
  #known: ReturnType<typeof knownMarkets>;

  constructor(config: Config) {
    this.#config = config;
    this.#known = knownMarkets(config.engine, []);
  }

  add(samples: readonly MarketSample[]): void {
    const before = this.#samples.size;
    for (const { instrument } of samples) this.#samples.set(instrument, { instrument });
    if (this.#samples.size > before) this.#known = knownMarkets(this.#config.engine, [...this.#samples.values()]);
  }

  readonly hasSymbol = (symbol: string): boolean => this.#known.symbols.has(symbol);
  readonly hasVenue = (venue: string): boolean => this.#known.venues.has(venue);
}

function listen(server: Server, { host, port }: Config['api']): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const how = error.code === 'EADDRINUSE' ? 'is taken' : `cannot be listened on: ${error.code ?? error.message}`;
      reject(new BadInput(`port ${port} on ${host} ${how} (the API's)`));
    });
    server.listen(port, host, () => {
      server.removeAllListeners('error');
      resolve();
    });
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

async function inOrder(steps: readonly (() => Promise<void>)[]): Promise<void> {
  for (const step of steps) await step();
}
