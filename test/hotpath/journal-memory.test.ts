import { appendFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { JournalMemory } from '#hotpath/journal-memory.ts';
import { openJournal } from '#hotpath/open-journal.ts';
import { Journal, readJournal } from '#hotpath/publish/journal.ts';
import { segmentPath, segmentsIn } from '#hotpath/publish/segments.ts';
import { JournalState } from '#hotpath/recover/journal-state.ts';
import { saveCheckpoint } from '#hotpath/recover/startup.ts';
import { silentLogger } from '#hotpath/runtime/logger.ts';
import { BadInput } from '#shared/assert.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';

const clock = new VirtualClock(1_700_000_000_000_000_000n);
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'memory-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const writerOf = (epoch: number, folder = directory): Journal =>
  new Journal({ directory: folder, engine: 'e', clock, epoch, segmentBytes: 2_000 });

function deposit(journal: Journal, total: number): void {
  const asset = 'USDT';
  const all = String(total);
  journal.append('balance', `okx:${asset}`, { venue: 'okx', asset, total: all, available: all, reserved: '0' });
}

const balanceIn = ({ state }: { readonly state: JournalState }): string | undefined =>
  state
    .ledger()
    .balances.find(({ asset }) => asset === 'USDT')
    ?.total.toFixed();

const options = { engine: 'e', clock, logger: silentLogger, epoch: undefined, publishedSeq: () => 0 } as const;
const opening = (memory?: JournalMemory, epoch?: number): ReturnType<typeof openJournal> =>
  openJournal({ ...options, directory, epoch, memory });

describe('the memory of a journal', () => {
  it('knows nothing of a journal that is not there yet, and follows it from its first record', () => {
    const memory = new JournalMemory(join(directory, 'new'));
    memory.catchUp();
    expect(memory.state.seq).toBe(0);
    const journal = writerOf(3, join(directory, 'new'));
    deposit(journal, 5);
    journal.flush();
    memory.catchUp();
    expect([memory.state.seq, balanceIn(memory), memory.lastEpoch]).toEqual([1, '5', 3]);
  });

  it('goes on from a checkpoint in the middle of a segment', () => {
    const journal = writerOf(1);
    for (let at = 1; at <= 4; at += 1) deposit(journal, at);
    journal.flush();
    const first = new JournalMemory(directory);
    first.catchUp();
    saveCheckpoint(directory, first.state, 1);
    for (let at = 5; at <= 8; at += 1) deposit(journal, at);
    journal.flush();
    const memory = new JournalMemory(directory);
    expect(memory.state.seq).toBe(4);
    memory.catchUp();
    expect([memory.state.seq, balanceIn(memory)]).toEqual([8, '8']);
  });

  it('forgets what it read past a fence that was put up behind it', () => {
    const late = writerOf(1);
    deposit(late, 1);
    late.flush();
    const memory = new JournalMemory(directory);
    // A successor has looked where the journal ends; then the late one wakes and writes, and is read; then the fence stands.
    deposit(late, 666);
    late.flush();
    memory.catchUp();
    expect([memory.state.seq, balanceIn(memory)]).toEqual([2, '666']);
    writeFileSync(segmentPath(directory, { first: 2, epoch: 2 }), '');
    memory.catchUp();
    expect([memory.state.seq, balanceIn(memory)]).toEqual([1, '1']);
  });

  it('begins anew when what comes next was removed', () => {
    const journal = writerOf(1);
    deposit(journal, 1);
    journal.flush();
    const memory = new JournalMemory(directory);
    memory.catchUp();
    for (let at = 2; at <= 60; at += 1) {
      deposit(journal, at);
      journal.flush();
    }
    const state = new JournalMemory(directory);
    state.catchUp();
    saveCheckpoint(directory, state.state, 1);
    journal.prune(state.state.seq, 1);
    memory.catchUp();
    expect([memory.state.seq, balanceIn(memory)]).toEqual([60, '60']);
  });

  it('refuses a checkpoint that is ahead of the journal', () => {
    const journal = writerOf(1);
    deposit(journal, 1);
    deposit(journal, 2);
    journal.flush();
    const memory = new JournalMemory(directory);
    memory.catchUp();
    saveCheckpoint(directory, memory.state, 1);
    for (const name of readdirSync(directory)) if (name.endsWith('.journal')) rmSync(join(directory, name));
    expect(() => new JournalMemory(directory).catchUp()).toThrow(BadInput);
  });

  it('refuses damage', () => {
    const journal = writerOf(1);
    deposit(journal, 1);
    journal.flush();
    const memory = new JournalMemory(directory);
    memory.catchUp();
    appendFileSync(segmentPath(directory, segmentsIn(directory)[0]!), 'nonsense\n');
    deposit(journal, 2);
    journal.flush();
    expect(() => memory.catchUp()).toThrow(/journal damaged/);
  });

  it.each([undefined, 9])('opens for writing with what it read, under epoch %s', (epoch) => {
    const journal = writerOf(epoch === undefined ? 0 : 1);
    deposit(journal, 1);
    journal.flush();
    const memory = new JournalMemory(directory);
    memory.catchUp();
    deposit(journal, 2);
    journal.flush();
    // It died in the middle of a word.
    appendFileSync(segmentPath(directory, segmentsIn(directory)[0]!), '0badc0de 9 {"ha');
    const opened = opening(memory, epoch);
    expect([opened.journal.lastSeq, opened.journal.tornBytes, balanceIn(opened)]).toEqual([2, 15, '2']);
    deposit(opened.journal, 3);
    opened.journal.close();
    expect([opened.state.seq, balanceIn(opened)]).toEqual([3, '3']);
    expect(opening().state.checkpoint()).toEqual(opened.state.checkpoint());
  });
});

describe('what is journalled and not folded yet', () => {
  it('is in the journal: a process that dies before it folds loses nothing', () => {
    const opened = opening();
    deposit(opened.journal, 1);
    deposit(opened.journal, 2);
    opened.journal.flush();
    deposit(opened.journal, 3);
    const survivor = new JournalMemory(directory);
    survivor.catchUp();
    expect([survivor.state.seq, balanceIn(survivor)]).toEqual([2, '2']);
    expect([opened.state.seq, balanceIn(opened)]).toEqual([3, '3']);
    opened.journal.close();
    survivor.catchUp();
    expect(survivor.state.checkpoint()).toEqual(opened.state.checkpoint());
  });

  it('is folded before anybody reads, whenever that is and however much waits', () => {
    const anyMove = fc.oneof(fc.constantFrom('read', 'wait'), fc.nat({ max: 3_000 }));
    fc.assert(
      fc.property(fc.array(anyMove, { minLength: 1, maxLength: 8 }), (moves) => {
        const folder = mkdtempSync(join(directory, 'late-'));
        const opened = openJournal({ ...options, directory: folder });
        let total = 0;
        for (const move of moves) {
          if (move === 'read') expect(opened.state.isFunded('okx')).toBe(total > 0);
          else if (move === 'wait') clock.runUntil(clock.now() + 5e6);
          else for (let at = 0; at < move; at += 1) deposit(opened.journal, (total += 1));
        }
        opened.journal.close();
        const memory = new JournalMemory(folder);
        memory.catchUp();
        expect(opened.state.seq).toBe(total);
        expect(opened.state.checkpoint()).toEqual(memory.state.checkpoint());
        rmSync(folder, { recursive: true });
      }),
      { numRuns: 30 },
    );
  });

  it('is in a checkpoint that is saved when a segment is closed', () => {
    const state = new JournalState();
    const journal: Journal = new Journal({
      directory,
      engine: 'e',
      clock,
      segmentBytes: 2_000,
      observe: (event) => state.defer(event),
      onRotate: () => {
        saveCheckpoint(directory, state, 0);
        journal.prune(state.seq, 1);
      },
    });
    for (let at = 1; at <= 60; at += 1) {
      deposit(journal, at);
      journal.flush();
    }
    journal.close();
    const memory = new JournalMemory(directory);
    expect(memory.state.seq).toBeGreaterThan(40);
    memory.catchUp();
    expect([memory.state.seq, balanceIn(memory)]).toEqual([60, '60']);
  });
});

type Step =
  | { readonly kind: 'begin' | 'follow' | 'checkpoint' }
  | { readonly kind: 'write'; readonly writer: number; readonly count: number };
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ kind: 'begin' } as const) },
  { weight: 3, arbitrary: fc.constant({ kind: 'follow' } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: 'checkpoint' } as const) },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('write' as const), writer: fc.nat(3), count: fc.nat({ max: 30 }) }),
  },
);

describe('a journal with late writers, followed at any moments', () => {
  it('is remembered as whoever reads it from its first record', () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 40 }), (steps) => {
        const folder = mkdtempSync(join(directory, 'any-'));
        const writers = [writerOf(1, folder)];
        const memory = new JournalMemory(folder);
        const fresh = new JournalMemory(folder);
        let total = 0;
        for (const step of steps) {
          switch (step.kind) {
            case 'begin':
              writers.push(writerOf(writers.length + 1, folder));
              break;
            case 'follow':
              memory.catchUp();
              break;
            case 'checkpoint':
              fresh.catchUp();
              saveCheckpoint(folder, fresh.state, writers.length);
              break;
            case 'write': {
              const writer = writers[step.writer % writers.length]!;
              for (let at = 0; at < step.count; at += 1) deposit(writer, (total += 1));
              writer.flush();
            }
          }
        }
        memory.catchUp();
        const whole = new JournalState();
        for (const event of readJournal(folder)) whole.apply(event);
        expect(memory.state.checkpoint()).toEqual(whole.checkpoint());
        rmSync(folder, { recursive: true });
      }),
      { numRuns: 150 },
    );
  });
});
