import { join } from 'node:path';
import { QueryCommand, type DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { Journal, readJournal } from '#hotpath/publish/journal.ts';
import { OutboxClient } from '#hotpath/publish/outbox-client.ts';
import { documentClient, dynamoClient, kinesisClient } from '#functions/common/clients.ts';
import { tableDefinitions } from '#functions/common/tables.ts';
import { createProjector } from '#functions/stream/projector.ts';
import { startEventSource } from '#local/event-source.ts';
import { ensureStreams, ensureTables } from '#local/peers.ts';
import { systemClock, type Clock } from '#shared/clock/clock.ts';
import { randomFrom } from '#shared/random.ts';
import type { EngineEvent, EventData, EventKind } from '#shared/schema/event.ts';
import { fillData, operationData, opportunityData, orderData } from '#test/functions/support/events.ts';
import { projectedIn, projectionOf, type Projected } from '#test/functions/support/projection.ts';
import { silentLog, tempDir } from '#test/functions/support/world.ts';
import type { FaultProxy } from './fault-proxy.ts';
import { Books } from './market.ts';
import { startFaultyPeers, type FaultyPeersOptions, type PeerName, type Urls } from './faulty-peers.ts';

export type FaultRunOptions = FaultyPeersOptions & {
  readonly perSecond: number;
  readonly seconds: number;
  /** Peers that are away for a while, from so many seconds after the start. */
  readonly outages: readonly { readonly peer: PeerName; readonly atS: number; readonly forS: number }[];
};

export type FaultRun = {
  /** Written to the journal. */
  readonly events: number;
  /** Rows of the events table that are missing, and those that no event accounts for. */
  readonly lost: number;
  readonly surplus: number;
  /** Events that were projected before an earlier one of their key. */
  readonly outOfOrder: number;
  /** Records that the projector saw more than once; no fault, since delivery is at least once. */
  readonly repeated: number;
  readonly projected: Projected;
  readonly expected: Projected;
  readonly lagMs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly settledMs: number;
  readonly rssMbMax: number;
  readonly kinesis: FaultProxy['counts'];
  readonly dynamodb: FaultProxy['counts'];
};

const ENGINE = 'engine-1';
const NAMES = { state_table: 'state', events_table: 'events' };
const STREAMS = { events: 'events', market: 'market', commands: 'commands' };
const TICK_MS = 10;
const SAMPLE_MS = 200;
/** Longer than every outage and backoff. */
const STUCK_S = 90;

/** Journal → publish worker → stream → projector → tables, with a fault proxy before each peer, at a steady rate of events. */
export async function runUnderFaults(options: FaultRunOptions): Promise<FaultRun> {
  const { outages } = options;
  const clock = systemClock();
  const dir = tempDir();
  const peers = await startFaultyPeers(options);
  const direct = clientsOf(peers.direct);
  await ensureTables(direct.dynamodb, tableDefinitions(NAMES));
  await ensureStreams(direct.kinesis, Object.values(STREAMS), 4);
  const through = clientsOf(peers.faulty);
  const journal = new Journal({ directory: join(dir.path, 'journal'), engine: ENGINE, clock });
  const outbox = outboxOf(journal, dir.path, peers.faulty, clock);
  const seen = new Seen(clock);
  const source = startEventSource({
    kinesis: through.kinesis,
    stream: STREAMS.events,
    handler: createProjector({
      client: documentClient(through.dynamodb),
      names: NAMES,
      stream: STREAMS.events,
      clock,
      log: silentLog,
      onProjected: seen.add,
    }),
    checkpointFile: join(dir.path, 'checkpoints.json'),
    clock,
    log: silentLog,
  });
  outbox.start();
  const timers = outages.flatMap(({ peer, atS, forS }) => [
    clock.after(atS * 1_000, () => peers.setOut(peer, true)),
    clock.after((atS + forS) * 1_000, () => peers.setOut(peer, false)),
  ]);
  let rssMax = 0;
  const memory = setInterval(() => (rssMax = Math.max(rssMax, process.memoryUsage().rss)), SAMPLE_MS);

  await write(journal, options, clock);
  const writtenNs = clock.now();
  await settled(seen, journal.lastSeq, clock);
  const settledMs = (clock.now() - writtenNs) / 1e6;

  clearInterval(memory);
  for (const timer of timers) timer.cancel();
  const counts = await peers.counts();
  peers.calm();
  await outbox.drain(30_000);
  await source.stop();
  journal.close();
  const events = [...readJournal(join(dir.path, 'journal'))];
  const client = documentClient(direct.dynamodb);
  const rows = await rowsOf(client);
  const run: FaultRun = {
    events: events.length,
    lost: events.filter(({ seq }) => !rows.has(seq)).length,
    surplus: [...rows.keys()].filter((seq) => seq < 1 || seq > events.length).length,
    outOfOrder: seen.outOfOrder,
    repeated: seen.repeated,
    projected: await projectedIn(client, ENGINE),
    expected: projectionOf(events),
    lagMs: seen.lagMs,
    settledMs,
    rssMbMax: Math.round(rssMax / 2 ** 20),
    ...counts,
  };
  for (const each of [...Object.values(direct), ...Object.values(through)]) each.destroy();
  await peers.close();
  dir.remove();
  return run;
}

const clientsOf = ({ kinesis, dynamodb }: Urls) => ({
  kinesis: kinesisClient({ endpoint: kinesis }),
  dynamodb: dynamoClient({ endpoint: dynamodb }),
});

/** One line for people. */
export const summaryOf = (run: FaultRun): string =>
  JSON.stringify({ ...run, projected: Object.keys(run.projected).length, expected: Object.keys(run.expected).length });

function outboxOf(journal: Journal, path: string, urls: Urls, clock: Clock): OutboxClient {
  return new OutboxClient({
    clock,
    market: { instruments: [], books: { depths: new Books(0).depths, levels: () => undefined } },
    lastSeq: () => journal.lastSeq,
    onCommand: () => undefined,
    onTrouble: () => undefined,
    onCrash: (error) => {
      throw error;
    },
    worker: {
      journalDir: join(path, 'journal'),
      positionFile: join(path, 'outbox.json'),
      commandsFile: join(path, 'commands.json'),
      streams: STREAMS,
      stateTable: NAMES.state_table,
      aws: { region: 'eu-west-1', kinesisEndpoint: urls.kinesis, dynamodbEndpoint: urls.dynamodb },
      seed: 1,
    },
  });
}

/** What the projector did, in which order and how late. */
class Seen {
  count = 0;
  repeated = 0;
  outOfOrder = 0;
  readonly #clock: Clock;
  readonly #seqs = new Set<number>();
  readonly #lastOfKey = new Map<string, number>();
  readonly #lags: number[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  readonly add = (events: readonly EngineEvent[]): void => {
    const nowMs = this.#clock.unixMs(this.#clock.now());
    for (const { seq, key, at } of events) {
      if (this.#seqs.has(seq)) {
        this.repeated += 1;
        continue;
      }
      this.#seqs.add(seq);
      this.count = this.#seqs.size;
      if (seq < (this.#lastOfKey.get(key) ?? 0)) this.outOfOrder += 1;
      this.#lastOfKey.set(key, seq);
      this.#lags.push(nowMs - Number(BigInt(at) / 1_000_000n));
    }
  };

  get lagMs(): FaultRun['lagMs'] {
    const sorted = this.#lags.toSorted((a, b) => a - b);
    const at = (share: number): number => Math.round(sorted[Math.floor((sorted.length - 1) * share)] ?? NaN);
    return { p50: at(0.5), p99: at(0.99), max: at(1) };
  }
}

/** Until everything is projected, or nothing has been for a long while: whatever is missing then is lost. */
async function settled(seen: Seen, wanted: number, clock: Clock): Promise<void> {
  let known = { count: seen.count, atNs: clock.now() };
  while (seen.count < wanted && clock.now() - known.atNs < STUCK_S * 1e9) {
    if (seen.count > known.count) known = { count: seen.count, atNs: clock.now() };
    await pause(clock, 20);
  }
}

/** As many as the rate asks for by now, a hundred times a second. */
async function write(journal: Journal, { seed, perSecond, seconds }: FaultRunOptions, clock: Clock): Promise<void> {
  const random = randomFrom(seed).fork('events');
  const startNs = clock.now();
  const total = perSecond * seconds;
  while (journal.lastSeq < total) {
    const wanted = Math.min(total, Math.floor(((clock.now() - startNs) / 1e9) * perSecond));
    while (journal.lastSeq < wanted) appendOne(journal, random.integer(1_000));
    journal.flush();
    await pause(clock, TICK_MS);
  }
}

/** What a busy engine says: entities that change over and over, operations that come and go, and fills that come once. */
function appendOne(journal: Journal, draw: number): void {
  const seq = journal.lastSeq + 1;
  const append = <K extends EventKind>(kind: K, key: string, data: EventData<K>): number =>
    journal.append(kind, key, data);
  const entity = draw % 20;
  const operation = `op-${Math.floor(seq / 1_000)}-${entity % 4}`;
  const amount = String(seq);
  if (draw < 450) append('opportunity', `opp-${entity}`, opportunityData(`opp-${entity}`, { notional: amount }));
  else if (draw < 650) append('order', operation, orderData(`o-${entity}`, operation, { filled_qty: amount }));
  else if (draw < 700) append('operation', operation, operationData(operation, { notional: amount }));
  else if (draw < 750) append('fill', operation, fillData(`t-${seq}`, operation));
  else
    append('balance', `b-${entity}`, {
      venue: 'v',
      asset: `A${entity}`,
      total: amount,
      available: amount,
      reserved: '0',
    });
}

async function rowsOf(client: DynamoDBDocumentClient): Promise<ReadonlyMap<number, true>> {
  const rows = new Map<number, true>();
  let from: Record<string, unknown> | undefined;
  do {
    const page = await client.send(
      new QueryCommand({
        TableName: NAMES.events_table,
        KeyConditionExpression: 'engine = :engine',
        ExpressionAttributeValues: { ':engine': ENGINE },
        ProjectionExpression: 'sk',
        ...(from === undefined ? {} : { ExclusiveStartKey: from }),
      }),
    );
    for (const { sk } of page.Items ?? []) rows.set(Number(sk), true);
    from = page.LastEvaluatedKey;
  } while (from !== undefined);
  return rows;
}

const pause = (clock: Clock, ms: number): Promise<void> =>
  new Promise((resolve) => {
    clock.after(ms, resolve);
  });
