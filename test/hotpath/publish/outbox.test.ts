import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Journal, JOURNAL_START, JournalReader } from '#hotpath/publish/journal.ts';
import type { JournalPosition } from '#hotpath/publish/journal.ts';
import type { OutboxRecord } from '#hotpath/publish/outbox.ts';
import { OutboxBatch, packed } from '#hotpath/publish/outbox.ts';
import type { PositionFile } from '#hotpath/publish/position-file.ts';
import { positionFile } from '#hotpath/publish/position-file.ts';
import type { PutRecords } from '#hotpath/publish/shipper.ts';
import { isOutside, Shipper } from '#hotpath/publish/shipper.ts';
import { Backoff } from '#hotpath/runtime/backoff.ts';
import { Bug } from '#shared/assert.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import { randomFrom } from '#shared/random.ts';
import type { Random } from '#shared/random.ts';

const records = (keys: readonly string[]): OutboxRecord[] => keys.map((key, at) => ({ seq: at + 1, key, json: '{}' }));

it.each([
  ['CredentialsProviderError', true],
  ['TimeoutError', true],
  ['TypeError', false],
])('takes a %s without a code for the outside: %s', (name, expected) => {
  expect(isOutside(Object.assign(new Error('said'), { name }))).toBe(expected);
});

describe('OutboxBatch', () => {
  it('asks for one record of each key at a time and holds back the later ones of what was refused', () => {
    const batch = new OutboxBatch(records(['a', 'b', 'a', 'c', 'a']));
    expect(batch.next().map(({ seq }) => seq)).toEqual([1, 2, 4]);
    batch.settle(batch.next(), ['throttled', undefined, undefined]);
    expect(batch.next().map(({ seq }) => seq)).toEqual([1]);
    expect(batch.oldest?.seq).toBe(1);
    batch.settle(batch.next(), [undefined]);
    expect(batch.next().map(({ seq }) => seq)).toEqual([3]);
    batch.settle(batch.next(), [undefined]);
    batch.settle(batch.next(), [undefined]);
    expect(batch.isDone).toBe(true);
    expect(batch.oldest).toBeUndefined();
  });

  it('delivers everything once, in order per key, whatever is refused', () => {
    const refusals = fc.infiniteStream(fc.boolean());
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 60 }), refusals, (keys, refuses) => {
        const all = records(keys);
        const batch = new OutboxBatch(all);
        const got: OutboxRecord[] = [];
        for (let turn = 0; !batch.isDone && turn < 10_000; turn += 1) {
          const sent = batch.next();
          const failures = sent.map(() => (refuses.next().value === true ? 'no' : undefined));
          batch.settle(sent, failures);
          got.push(...sent.filter((_, at) => failures[at] === undefined));
        }
        expect(got.map(({ seq }) => seq).sort((a, b) => a - b)).toEqual(all.map(({ seq }) => seq));
        for (const key of new Set(keys)) {
          const seqs = got.filter((record) => record.key === key).map(({ seq }) => seq);
          expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
        }
      }),
    );
  });
});

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'outbox-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** The records of a pack. */
const linesOf = ({ key, json }: OutboxRecord): OutboxRecord[] =>
  json.split('\n').map((line) => ({ key, json: line, seq: (JSON.parse(line) as { readonly seq: number }).seq }));

describe('packed', () => {
  it('joins what follows each other of a key, up to a size, and changes no order', () => {
    const record = fc.record({ key: fc.constantFrom('a', 'b', 'c'), size: fc.constantFrom(1, 30_000, 99_000) });
    fc.assert(
      fc.property(fc.array(record, { maxLength: 40 }), (drawn) => {
        const all = drawn.map(({ key, size }, at) => ({
          key,
          seq: at + 1,
          json: JSON.stringify({ seq: at + 1, text: 'x'.repeat(size) }),
        }));
        const packs = packed(all);
        expect(packs.every(({ json }) => json.length <= 100_000)).toBe(true);
        expect(
          packs.map(({ seq, json }) => [seq, linesOf({ seq, key: '', json })[0]!.seq]).filter(([a, b]) => a !== b),
        ).toEqual([]);
        for (const key of ['a', 'b', 'c']) {
          const own = (of: readonly OutboxRecord[]): readonly OutboxRecord[] => of.filter((each) => each.key === key);
          expect(own(packs).flatMap(linesOf)).toEqual(own(all));
        }
      }),
    );
  });

  it('makes one record of a busy key', () => {
    const all = Array.from({ length: 500 }, (_none, at) => ({ key: 'busy', seq: at + 1, json: '{}' }));
    expect(packed(all)).toHaveLength(1);
  });
});

/** A stream that fails in every way a stream fails, and remembers what it took. */
class FaultyStream {
  readonly taken: OutboxRecord[] = [];
  requests = 0;
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  readonly put: PutRecords = async (sent) => {
    this.requests += 1;
    expect(sent.length).toBeLessThanOrEqual(500);
    if (this.#random.next() < 0.2) throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    const failures = sent.map(() => (this.#random.next() < 0.2 ? 'ProvisionedThroughputExceededException' : undefined));
    this.taken.push(...sent.filter((_, at) => failures[at] === undefined).flatMap(linesOf));
    // Taken, but the answer is lost: everything of this request comes again.
    if (this.#random.next() < 0.1) throw Object.assign(new Error('reset'), { code: 'ECONNRESET' });
    return failures;
  };
}

const positionOn = (): PositionFile<JournalPosition> =>
  positionFile(join(directory, 'position.json'), (json) => json as JournalPosition);

function shipperOn(stream: { readonly put: PutRecords }, sleeps: number[]): Shipper {
  const position = positionOn();
  const start = position.load() ?? JOURNAL_START;
  return new Shipper(
    {
      reader: new JournalReader(join(directory, 'journal'), start),
      position,
      put: stream.put,
      backoff: new Backoff({ minMs: 100, maxMs: 2_000 }, randomFrom(1)),
      sleep: async (ms) => void sleeps.push(ms),
    },
    start,
  );
}

describe('Shipper', () => {
  it('ships every record over failures and crashes, in order per key, at most one batch twice a crash', async () => {
    const clock = new VirtualClock(0n);
    const journal = new Journal({ directory: join(directory, 'journal'), engine: 'e', clock, segmentBytes: 50_000 });
    for (let at = 0; at < 3_000; at += 1) journal.append('engine-stopped', `key-${at % 37}`, { reason: `${at}` });
    journal.flush();
    const stream = new FaultyStream(randomFrom(7));
    const sleeps: number[] = [];
    let crashes = 0;
    let saved: JournalPosition | undefined;
    let shipper = shipperOn(stream, sleeps);
    for (let turn = 0; shipper.published < journal.lastSeq; turn += 1) {
      if (turn % 3 === 2) {
        // A crash after the stream took a batch and before the position was saved: the worst moment.
        const before = shipperOn(stream, sleeps);
        await before.shipBatch();
        if (saved !== undefined) positionOn().save(saved);
        shipper = shipperOn(stream, sleeps);
        crashes += 1;
      }
      await shipper.shipBatch();
      saved = positionOn().load();
      expect(saved?.seq).toBe(shipper.published);
    }
    expect(crashes).toBeGreaterThan(0);
    const first = new Map<string, number>();
    for (const { seq, key } of stream.taken) {
      const last = first.get(key) ?? 0;
      // A record may come again, but none comes before its turn.
      expect(seq).toBeLessThanOrEqual(last + 37 + (last === 0 ? 1 : 0));
      first.set(key, Math.max(last, seq));
    }
    expect(new Set(stream.taken.map(({ seq }) => seq)).size).toBe(3_000);
    expect(Math.max(...sleeps)).toBeLessThanOrEqual(2_000);
  });
  it('says what is wrong and how old the oldest unsent record is', async () => {
    const clock = new VirtualClock(5_000_000_000n);
    const journal = new Journal({ directory: join(directory, 'journal'), engine: 'e', clock });
    journal.append('engine-stopped', 'k', { reason: '' });
    journal.flush();
    let tries = 0;
    const put: PutRecords = async (sent) => {
      tries += 1;
      if (tries === 1)
        throw Object.assign(new Error('Stream x under account 1 not found.'), {
          name: 'ResourceNotFoundException',
          $metadata: {},
        });
      expect(shipper.lastError).toBe('ResourceNotFoundException: Stream x under account 1 not found.');
      expect(shipper.oldestAt).toBe('5000000000');
      return sent.map(() => undefined);
    };
    const shipper = shipperOn({ put }, []);
    expect(await shipper.shipBatch()).toBe(1);
    expect(shipper.lastError).toBe('');
    expect(shipper.oldestAt).toBeUndefined();
    expect(await shipper.shipBatch()).toBe(0);
  });

  it('does not hide a broken promise of ours', async () => {
    const journal = new Journal({ directory: join(directory, 'journal'), engine: 'e', clock: new VirtualClock(0n) });
    journal.append('engine-stopped', 'k', { reason: '' });
    journal.flush();
    await expect(shipperOn({ put: async () => [] }, []).shipBatch()).rejects.toThrow(Bug);
  });
});
