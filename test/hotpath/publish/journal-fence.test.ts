import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Journal, JOURNAL_START, JournalReader, readJournal } from '#hotpath/publish/journal.ts';
import { lastSeqOf, liveAmong, segmentPath, segmentsIn } from '#hotpath/publish/segments.ts';
import { BadInput } from '#shared/assert.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { EngineEvent } from '#shared/schema/event.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'fence-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const clock = new VirtualClock(1_700_000_000_000_000_000n);
const open = (epoch?: number, segmentBytes = 400): Journal =>
  new Journal({ directory, engine: 'e', clock, epoch, segmentBytes });
const say = (journal: Journal, reason: string): number => journal.append('engine-stopped', 'e', { reason });
const reasons = (events: Iterable<EngineEvent>): string[] =>
  [...events].map((event) => (event.kind === 'engine-stopped' ? event.data.reason : event.kind));
const read = (): string[] => reasons(readJournal(directory));

describe('the fence of an epoch', () => {
  it('voids what the writer before appends afterwards, in its segment as in new ones, flushed late or written late', () => {
    const old = open(1);
    say(old, 'a');
    old.flush();
    say(old, 'late');
    const next = open(2);
    old.flush();
    for (let at = 0; at < 9; at += 1) {
      say(old, `later ${at}`);
      old.flush();
    }
    expect(read()).toEqual(['a']);
    expect(say(next, 'b')).toBe(2);
    next.flush();
    expect(read()).toEqual(['a', 'b']);
    expect(readdirSync(directory).length).toBeGreaterThan(3);
    const third = open(3);
    expect(say(third, 'c')).toBe(3);
    third.close();
    expect(read()).toEqual(['a', 'b', 'c']);
  });

  it('leaves a torn tail behind without touching the file, rubbish with line ends included', () => {
    const old = open(1);
    say(old, 'a');
    old.close();
    const [name] = readdirSync(directory);
    appendFileSync(join(directory, name!), 'half a record\nand more');
    expect(read()).toEqual(['a']);
    const next = open(2);
    expect(next.tornBytes).toBe(22);
    say(next, 'b');
    next.close();
    expect(read()).toEqual(['a', 'b']);
  });

  it('stands before the first record does, and a crash right there leaves an epoch without records', () => {
    const old = open(1);
    say(old, 'a');
    old.flush();
    open(2).close();
    say(old, 'late');
    old.flush();
    expect(read()).toEqual(['a']);
    const third = open(3);
    say(third, 'c');
    third.close();
    expect(read()).toEqual(['a', 'c']);
  });

  it('refuses an epoch that is not above every one before it', () => {
    open(4).close();
    for (const epoch of [1, 4]) expect(() => open(epoch)).toThrow(BadInput);
    expect(() => open(3)).toThrow('epoch=3, found=4');
    open(5).close();
  });

  it('is kept by an engine without a lease, which goes on in the last segment', () => {
    const plain = open();
    say(plain, 'a');
    plain.close();
    const leased = open(7);
    say(leased, 'b');
    leased.close();
    const later = open(undefined, 1);
    expect(later.epoch).toBe(7);
    for (const reason of ['c', 'd']) {
      say(later, reason);
      later.flush();
    }
    expect(read()).toEqual(['a', 'b', 'c', 'd']);
    expect(segmentsIn(directory).map(({ epoch }) => epoch)).toEqual([0, 7, 7, 7]);
  });

  it('takes a reader back that went past it, and one whose segment is void', () => {
    const old = open(1);
    for (const reason of ['a', 'late', 'later']) say(old, reason);
    old.flush();
    const reader = new JournalReader(directory);
    const [, second, third] = reader.read(10, 10_000);
    // Another writer saw the journal when only the first record stood in it.
    appendFileSync(segmentPath(directory, { first: 2, epoch: 2 }), '');
    const fenced = open();
    say(fenced, 'b');
    fenced.flush();
    expect(reader.read(10, 10_000).map(({ seq }) => seq)).toEqual([2]);
    for (const { end } of [second!, third!]) {
      const again = new JournalReader(directory, end);
      expect(again.read(10, 10_000).map(({ seq, json }) => [seq, json.includes('"b"')])).toEqual([[2, true]]);
    }
  });

  it('is not pruned with what it voids; void segments go', () => {
    const old = open(1, 1);
    for (const reason of ['a', 'b', 'c']) {
      say(old, reason);
      old.flush();
    }
    const next = open(2, 1);
    for (const reason of ['late', 'later']) {
      say(old, reason);
      old.flush();
    }
    for (const reason of ['d', 'e']) {
      say(next, reason);
      next.flush();
    }
    expect(next.prune(2, 1)).toBe(4);
    expect(reasons(readJournal(directory, 2))).toEqual(['c', 'd', 'e']);
  });
});

/** Two or more engines on one journal, in any order: the newest writes, older ones wake and write late, readers follow. */
type Step =
  | { readonly kind: 'open' }
  | { readonly kind: 'append'; readonly writer: number; readonly count: number }
  | { readonly kind: 'flush'; readonly writer: number }
  | { readonly kind: 'prune'; readonly writer: number }
  | { readonly kind: 'kill'; readonly writer: number; readonly torn: number }
  | { readonly kind: 'read'; readonly max: number }
  | { readonly kind: 'resume' };

const writer = fc.nat({ max: 7 });
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.constant({ kind: 'open' } as const) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('append' as const), writer, count: fc.nat({ max: 5 }) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('flush' as const), writer }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('prune' as const), writer }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('kill' as const), writer, torn: fc.nat({ max: 25 }) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('read' as const), max: fc.integer({ min: 1, max: 9 }) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'resume' } as const) },
);

class World {
  readonly folder = mkdtempSync(join(directory, 'world-'));
  readonly truth: string[] = [];
  readonly followed: string[] = [];
  readonly #writers: { readonly journal: Journal; pending: string[]; alive: boolean }[] = [];
  #reader = new JournalReader(this.folder);
  #position = JOURNAL_START;
  #words = 0;

  take(next: Step): void {
    switch (next.kind) {
      case 'open': {
        const epoch = this.#writers.length + 1;
        const journal = new Journal({ directory: this.folder, engine: 'e', clock, epoch, segmentBytes: 300 });
        expect(journal.lastSeq).toBe(this.truth.length);
        this.#writers.push({ journal, pending: [], alive: true });
        return;
      }
      case 'append':
        for (let at = 0; at < next.count; at += 1) this.#append(next.writer);
        return;
      case 'flush':
        this.#flush(next.writer);
        return;
      case 'prune':
        this.#alive(next.writer)?.journal.prune(0, 1);
        return;
      case 'kill': {
        const writing = this.#alive(next.writer);
        if (writing === undefined) return;
        writing.alive = false;
        this.#tear(writing.journal.epoch, next.torn);
        return;
      }
      case 'read':
        for (const { json, end } of this.#reader.read(next.max, 1_000_000)) {
          this.followed.push((JSON.parse(json) as { data: { reason: string } }).data.reason);
          this.#position = end;
        }
        return;
      case 'resume':
        this.#reader.close();
        this.#reader = new JournalReader(this.folder, this.#position);
    }
  }

  #append(at: number): void {
    const writing = this.#alive(at);
    if (writing === undefined) return;
    this.#words += 1;
    const word = `${writing.journal.epoch}:${this.#words}`;
    say(writing.journal, word);
    writing.pending.push(word);
  }

  #flush(at: number): void {
    const writing = this.#alive(at);
    if (writing === undefined) return;
    writing.journal.flush();
    if (writing === this.#writers.at(-1)) this.truth.push(...writing.pending);
    writing.pending = [];
  }

  /** A process that died in the middle of a write. */
  #tear(epoch: number, bytes: number): void {
    const last = segmentsIn(this.folder).findLast((segment) => segment.epoch === epoch);
    if (last !== undefined) appendFileSync(segmentPath(this.folder, last), '0badc0de 9 {"half":\n'.slice(0, bytes));
  }

  #alive(at: number): { readonly journal: Journal; pending: string[]; alive: boolean } | undefined {
    const writing = this.#writers[at % Math.max(1, this.#writers.length)];
    return writing?.alive === true ? writing : undefined;
  }
}

describe('any interleaving of late writers and the newest one', () => {
  it('reads as what each wrote before the next began, at once and in pieces', () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 80 }), (steps) => {
        const world = new World();
        world.take({ kind: 'open' });
        for (const each of steps) {
          world.take(each);
          expect(world.truth.slice(0, world.followed.length)).toEqual(world.followed);
        }
        expect(reasons(readJournal(world.folder))).toEqual(world.truth);
        world.take({ kind: 'read', max: 1_000 });
        expect(world.followed).toEqual(world.truth);
        rmSync(world.folder, { recursive: true });
      }),
      { numRuns: 300 },
    );
  });
});

describe('segments', () => {
  it('count up to where the next of the same epoch or the first of a higher one begins', () => {
    const all = [
      { first: 1, epoch: 0 },
      { first: 10, epoch: 0 },
      { first: 20, epoch: 0 },
      { first: 15, epoch: 3 },
      { first: 15, epoch: 4 },
    ];
    expect(all.map((segment) => lastSeqOf(segment, all))).toEqual([9, 14, 14, 14, Infinity]);
    expect(liveAmong(all)).toEqual([all[0], all[1], all[4]]);
  });
});
