import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KinesisClient } from '@aws-sdk/client-kinesis';
import { PutRecordsCommand, SplitShardCommand } from '@aws-sdk/client-kinesis';
import type { KinesisStreamEvent } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '#shared/clock/clock.ts';
import { kinesisClient } from '#functions/common/clients.ts';
import { startEventSource, type EventSource, type EventSourceOptions } from '#local/event-source.ts';
import { ensureStreams, startKinesis, type Peer } from '#local/peers.ts';
import { eventually, silentLog, tempDir } from '../functions/support/world.ts';

const dir = tempDir();
let peer: Peer;
let kinesis: KinesisClient;

beforeAll(async () => {
  peer = await startKinesis({ dataDir: dir.path, port: 0 });
  kinesis = kinesisClient({ endpoint: peer.url });
});
afterAll(async () => {
  await peer.close();
  dir.remove();
});

describe('event source', () => {
  it('delivers every key in order, over restarts of the reader, without taking up what is done', async () => {
    await ensureStreams(kinesis, ['restart'], 2);
    const seen = new Seen();
    await put('restart', keyed(0, 60));
    let source = start('restart', seen.handler);
    await eventually(() => seen.count >= 60);
    await source.stop();

    await put('restart', keyed(60, 120));
    source = start('restart', seen.handler);
    await eventually(() => seen.count >= 120);
    await source.stop();
    expect(seen.count).toBe(120);
    expect(seen.isInOrder()).toBe(true);
  });

  it('comes back after an outage of the stream and loses nothing', async () => {
    await ensureStreams(kinesis, ['outage'], 2);
    const seen = new Seen();
    const source = start('outage', seen.handler);
    await put('outage', keyed(0, 30));
    await eventually(() => seen.count >= 30);

    await peer.stop();
    await expect(put('outage', keyed(30, 31))).rejects.toThrow();
    await peer.start();
    await put('outage', keyed(30, 60));
    await eventually(() => seen.count >= 60);
    await source.stop();
    expect(seen.isInOrder()).toBe(true);
    expect(seen.count).toBe(60);
  });

  it('halves a batch that throws until the culprit stands alone, and gives it up when it is too old', async () => {
    await ensureStreams(kinesis, ['poison'], 1);
    const seen = new Seen();
    const discarded: string[] = [];
    await put('poison', keyed(0, 40));
    const source = start(
      'poison',
      async (event) => {
        if (textsOf(event).some((text) => text.endsWith(':17'))) throw new Error('cannot take 17');
        return seen.handler(event);
      },
      { maxRecordAgeMs: 0, onDiscarded: ({ kinesis: { data } }) => discarded.push(decoded(data)) },
    );
    await eventually(() => seen.count >= 39);
    await source.stop();
    expect(discarded).toEqual(['k1:17']);
    expect(seen.count).toBe(39);
    expect(seen.isInOrder()).toBe(true);
  });

  it('goes on from the record that a handler names', async () => {
    await ensureStreams(kinesis, ['partial'], 1);
    const taken: string[] = [];
    let refusals = 3;
    await put('partial', keyed(0, 20));
    const source = start('partial', async (event) => {
      const cut = refusals > 0 ? 5 : event.Records.length;
      refusals -= 1;
      taken.push(...textsOf(event).slice(0, cut));
      const failed = event.Records[cut];
      return { batchItemFailures: failed === undefined ? [] : [{ itemIdentifier: failed.kinesis.sequenceNumber }] };
    });
    await eventually(() => taken.length >= 20);
    await source.stop();
    expect(taken).toEqual(keyed(0, 20).map(({ text }) => text));
  });

  it('reads the children of a split shard after their parent', async () => {
    await ensureStreams(kinesis, ['split'], 1);
    const seen = new Seen();
    await put('split', keyed(0, 20));
    const middle = (2n ** 127n).toString();
    await kinesis.send(
      new SplitShardCommand({ StreamName: 'split', ShardToSplit: 'shardId-000000000000', NewStartingHashKey: middle }),
    );
    await ensureStreams(kinesis, ['split'], 1);
    // kinesalite takes records for the children a moment after the split.
    await eventually(async () => {
      await put('split', keyed(20, 40));
      return true;
    });
    const source = start('split', seen.handler);
    await eventually(() => seen.count >= 40, 20_000);
    await source.stop();
    expect(seen.isInOrder()).toBe(true);
  });

  it('refuses a damaged checkpoint file by name', async () => {
    const file = join(dir.path, 'damaged.json');
    writeFileSync(file, '{"shardId-000000000000":');
    expect(() => start('restart', new Seen().handler, { checkpointFile: file })).toThrow(/damaged\.json is damaged/);
  });
});

type Handler = EventSourceOptions['handler'];

function start(stream: string, handler: Handler, over: Partial<EventSourceOptions> = {}): EventSource {
  return startEventSource({
    kinesis,
    stream,
    handler,
    checkpointFile: join(dir.path, 'checkpoints', `${stream}.json`),
    clock: systemClock(),
    log: silentLog,
    batchSize: 25,
    pollMs: 20,
    ...over,
  });
}

type Keyed = { readonly key: string; readonly text: string };
const keyed = (from: number, to: number): Keyed[] =>
  Array.from({ length: to - from }, (_, index) => {
    const number = from + index;
    const key = `k${number % 4}`;
    return { key, text: `${key}:${number}` };
  });

async function put(stream: string, records: readonly Keyed[]): Promise<void> {
  const Records = records.map(({ key, text }) => ({ PartitionKey: key, Data: Buffer.from(text) }));
  await kinesis.send(new PutRecordsCommand({ StreamName: stream, Records }));
}

const decoded = (data: string): string => Buffer.from(data, 'base64').toString('utf8');
const textsOf = (event: KinesisStreamEvent): string[] => event.Records.map(({ kinesis: { data } }) => decoded(data));

/** Takes everything and remembers it by key. */
class Seen {
  count = 0;
  readonly #byKey = new Map<string, number[]>();

  readonly handler: Handler = async (event) => {
    for (const text of textsOf(event)) {
      const [key, number] = text.split(':') as [string, string];
      const numbers = this.#byKey.get(key) ?? [];
      numbers.push(Number(number));
      this.#byKey.set(key, numbers);
      this.count += 1;
    }
    return { batchItemFailures: [] };
  };

  isInOrder(): boolean {
    return [...this.#byKey.values()].every((numbers) => numbers.every((n, at) => at === 0 || n > numbers[at - 1]!));
  }
}
