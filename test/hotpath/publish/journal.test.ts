import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JournalOptions } from '#hotpath/publish/journal.ts';
import { Journal, JOURNAL_START, JournalReader, readJournal } from '#hotpath/publish/journal.ts';
import { BadInput } from '#shared/assert.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { EngineEvent } from '#shared/schema/event.ts';
import { engineEvent } from '#shared/schema/event.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'journal-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const clock = new VirtualClock(1_700_000_000_000_000_000n);
const open = (options: Partial<JournalOptions> = {}): Journal =>
  new Journal({ directory, engine: 'e', clock, ...options });
const stop = (journal: Journal, reason: string): number => journal.append('engine-stopped', 'e', { reason });
const reasons = (events: Iterable<EngineEvent>): string[] =>
  [...events].map((event) => (event.kind === 'engine-stopped' ? event.data.reason : event.kind));
const segments = (): string[] => readdirSync(directory).sort();

/** A journal with these reasons in one segment; returns its path and the byte after each record. */
function written(texts: readonly string[]): { path: string; ends: number[] } {
  const journal = open();
  for (const text of texts) stop(journal, text);
  journal.close();
  const path = join(directory, segments()[0]!);
  const ends: number[] = [];
  readFileSync(path).forEach((byte, at) => {
    if (byte === 0x0a) ends.push(at + 1);
  });
  return { path, ends };
}

describe('Journal', () => {
  it('numbers records without a hole over restarts and gives them back as they were', () => {
    for (const start of [0, 1, 2]) {
      const journal = open();
      expect(journal.lastSeq).toBe(start * 3);
      for (const text of ['a', 'zwölf €', '{"\n"}']) expect(stop(journal, text)).toBe(journal.lastSeq);
      journal.close();
    }
    const events = [...readJournal(directory)];
    expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(reasons(events).slice(0, 3)).toEqual(['a', 'zwölf €', '{"\n"}']);
    for (const event of events) expect(engineEvent.safeParse(event).success).toBe(true);
  });

  it('writes of an event what JSON.stringify makes of it, whatever the names in it', () => {
    const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 });
    const told: EngineEvent[] = [];
    fc.assert(
      fc.property(name, fc.array(fc.tuple(name, name), { maxLength: 5 }), (engine, facts) => {
        const journal = open({ engine, observe: (event) => told.push(event) });
        for (const [key, reason] of facts) journal.append('engine-stopped', key, { reason });
        journal.close();
      }),
      { numRuns: 30 },
    );
    const lines = segments().flatMap((file) => readFileSync(join(directory, file), 'utf8').split('\n').slice(0, -1));
    expect(lines.map((line) => line.slice(line.indexOf('{')))).toEqual(
      told.map((event) => Buffer.from(JSON.stringify(event)).toString()),
    );
    expect(told.length).toBeGreaterThan(10);
  });

  it('has written nothing before a flush and everything after it', () => {
    const journal = open();
    stop(journal, 'a');
    expect(reasons(readJournal(directory))).toEqual([]);
    journal.flush();
    expect(reasons(readJournal(directory))).toEqual(['a']);
  });

  it('writes a full buffer by itself: memory does not grow', () => {
    const journal = open();
    for (let at = 0; at < 12; at += 1) stop(journal, 'x'.repeat(900_000));
    expect([...readJournal(directory)].length).toBeGreaterThan(5);
    journal.close();
    expect([...readJournal(directory)].length).toBe(12);
  });

  it('cuts a tail torn at any byte, says how much, and goes on without a hole', () => {
    const texts = ['first', 'zwölf €', 'third'];
    const { path, ends } = written(texts);
    const whole = readFileSync(path);
    for (let cut = 0; cut <= whole.length; cut += 1) {
      writeFileSync(path, whole);
      truncateSync(path, cut);
      const complete = ends.filter((end) => end <= cut).length;
      const journal = open();
      expect(journal.tornBytes).toBe(cut - (ends[complete - 1] ?? 0));
      expect(stop(journal, 'next')).toBe(complete + 1);
      journal.close();
      expect(reasons(readJournal(directory))).toEqual([...texts.slice(0, complete), 'next']);
    }
  });

  it('cuts any rubbish after the last record', () => {
    const { path } = written(['a', 'b']);
    const whole = readFileSync(path);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (rubbish) => {
        writeFileSync(path, whole);
        appendFileSync(path, rubbish);
        const journal = open();
        expect(journal.tornBytes).toBe(rubbish.length);
        expect(journal.lastSeq).toBe(2);
        journal.close();
        expect(statSync(path).size).toBe(whole.length);
      }),
      { numRuns: 200 },
    );
  });

  it('refuses a change of any byte that good records follow, naming the place', () => {
    const { path, ends } = written(['a', 'b', 'c']);
    const whole = readFileSync(path);
    for (let at = 0; at < ends[1]! - 1; at += 1) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 0x01;
      writeFileSync(path, damaged);
      const offset = at < ends[0]! ? 0 : ends[0]!;
      expect(() => open()).toThrow(BadInput);
      expect(() => open()).toThrow(`offset=${offset}, record=${offset === 0 ? 1 : 2}`);
      expect(() => [...readJournal(directory)]).toThrow(BadInput);
    }
  });

  it('refuses a missing record in the middle', () => {
    const { path, ends } = written(['a', 'b', 'c']);
    const whole = readFileSync(path);
    writeFileSync(path, Buffer.concat([whole.subarray(0, ends[0]), whole.subarray(ends[1])]));
    expect(() => [...readJournal(directory)]).toThrow(BadInput);
    expect(() => open()).toThrow(BadInput);
  });
});

describe('segments', () => {
  it('rotate by size, are read through, and tell when one was closed', () => {
    const closed: number[] = [];
    const journal = open({ segmentBytes: 300, onRotate: (seq) => closed.push(seq) });
    for (let at = 1; at <= 20; at += 1) {
      stop(journal, `r${at}`);
      journal.flush();
    }
    journal.close();
    expect(segments().length).toBeGreaterThan(4);
    expect(closed.map((seq) => `${String(seq + 1).padStart(16, '0')}.journal`)).toEqual(segments().slice(1));
    expect(reasons(readJournal(directory))).toEqual(Array.from({ length: 20 }, (_, at) => `r${at + 1}`));
    expect(reasons(readJournal(directory, 13))[0]).toBe('r14');
    expect(open().lastSeq).toBe(20);
  });

  it('are pruned only where nothing after the given record stands, and the newest stay', () => {
    const journal = open({ segmentBytes: 1 });
    for (let at = 1; at <= 10; at += 1) {
      stop(journal, `r${at}`);
      journal.flush();
    }
    expect(journal.prune(4, 1)).toBe(4);
    expect(reasons(readJournal(directory, 4))[0]).toBe('r5');
    expect(journal.prune(10, 3)).toBe(3);
    expect(segments().length).toBe(3);
    journal.close();
    expect(open().lastSeq).toBe(10);
  });
});

describe('JournalReader', () => {
  it('follows a writer over rotations, record by record, from any position', () => {
    const journal = open({ segmentBytes: 400 });
    const reader = new JournalReader(directory);
    const seen: number[] = [];
    let middle = new JournalReader(directory);
    for (let at = 1; at <= 60; at += 1) {
      stop(journal, 'x'.repeat(at % 40));
      if (at % 3 !== 0) continue;
      journal.flush();
      for (const record of reader.read(2, 10_000)) {
        seen.push(record.seq);
        if (record.seq === 20) middle = new JournalReader(directory, record.end);
      }
    }
    journal.close();
    for (let got = reader.read(7, 10_000); got.length > 0; got = reader.read(7, 10_000)) {
      seen.push(...got.map(({ seq }) => seq));
    }
    expect(seen).toEqual(Array.from({ length: 60 }, (_, at) => at + 1));
    expect(middle.read(100, 100_000).map(({ seq }) => seq)).toEqual(Array.from({ length: 40 }, (_, at) => at + 21));
  });

  it('waits for the rest of a record that is being written', () => {
    const { path, ends } = written(['a', 'b']);
    const whole = readFileSync(path);
    writeFileSync(path, whole.subarray(0, ends[0]! + 5));
    const reader = new JournalReader(directory);
    expect(reader.read(10, 10_000).map(({ seq }) => seq)).toEqual([1]);
    expect(reader.read(10, 10_000)).toEqual([]);
    writeFileSync(path, whole);
    expect(reader.read(10, 10_000).map(({ seq }) => seq)).toEqual([2]);
  });

  it('gives out what stands before damage first: nothing is lost when the file is mended', () => {
    const { path, ends } = written(['a', 'b', 'c', 'd']);
    const whole = readFileSync(path);
    const broken = Buffer.from(whole);
    broken[ends[1]! + 20]! ^= 1;
    writeFileSync(path, broken);
    const reader = new JournalReader(directory);
    expect(reader.read(10, 10_000).map(({ seq }) => seq)).toEqual([1, 2]);
    expect(() => reader.read(10, 10_000)).toThrow('record=3');
    writeFileSync(path, whole);
    expect(reader.read(10, 10_000).map(({ seq }) => seq)).toEqual([3, 4]);
  });

  it('says when there is no journal at all', () => {
    expect(() => [...readJournal(join(directory, 'nowhere'))]).toThrow(BadInput);
  });

  it('refuses a position that the journal does not have', () => {
    written(['a']);
    expect(() =>
      new JournalReader(directory, { ...JOURNAL_START, segment: 1, offset: 9_999, seq: 7 }).read(1, 1),
    ).toThrow('beyond the journal');
    expect(() => new JournalReader(directory, { ...JOURNAL_START, segment: 5, seq: 9 }).read(1, 1)).toThrow('missing');
  });
});
