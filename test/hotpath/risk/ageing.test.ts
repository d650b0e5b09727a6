import { beforeEach, describe, expect, it } from 'vitest';
import type { Aged } from '#hotpath/risk/ageing.ts';
import { Ageing } from '#hotpath/risk/ageing.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import { MemoryJournal } from '../execute/trading.ts';

const HOUR_MS = 3_600_000;
const START_MS = 1_000_000;
const held = (id: string, family = 'basis'): Aged => ({ what: 'holding', id, family, sinceMs: START_MS });

let journal: MemoryJournal;
let limits: { max_position_age_hours: number; max_operation_age_hours: number };
let ageing: Ageing;
const started = (): Ageing =>
  new Ageing({
    settings: { hours_by_family: { carry: 100, parity: 0 }, warn_share: 0.8 },
    limits: () => limits,
    recorder: journal,
    told: journal.of('ageing'),
  });
const look = (hours: number, open: readonly Aged[]): void => ageing.look(open, START_MS + hours * HOUR_MS);
const told = (): readonly string[] => journal.of('ageing').map(({ id, state }) => `${id} ${state}`);

beforeEach(() => {
  journal = new MemoryJournal(new VirtualClock(0n));
  limits = { max_position_age_hours: 10, max_operation_age_hours: 1 };
  ageing = started();
});

describe('ageing', () => {
  it('tells once as the limit nears and once when it is reached, over a restart too', () => {
    for (const hours of [1, 7.9, 8, 9]) look(hours, [held('a')]);
    expect(told()).toEqual(['a near']);
    ageing = started();
    for (const hours of [9.5, 10, 11]) look(hours, [held('a')]);
    expect(told()).toEqual(['a near', 'a over']);
    expect(journal.of('ageing')[1]).toMatchObject({ family: 'basis', age_hours: '10.000', limit_hours: '10.000' });
  });

  it('has its own limit for a family, for operations, and none where it is zero', () => {
    look(50, [held('long', 'carry'), held('for-ever', 'parity'), { ...held('p'), what: 'operation' }]);
    expect(told()).toEqual(['p over']);
    expect(ageing.maxAgeMsOf({ what: 'holding', family: 'carry' })).toBe(100 * HOUR_MS);
    expect(ageing.maxAgeMsOf({ what: 'holding', family: 'parity' })).toBe(Infinity);
  });

  it('follows a limit that a person changes', () => {
    look(8.5, [held('a')]);
    limits.max_position_age_hours = 8.2;
    look(8.6, [held('a')]);
    expect(told()).toEqual(['a near', 'a over']);
  });

  it('forgets what is over', () => {
    look(8, [held('a')]);
    look(8.1, []);
    look(8.2, [held('a')]);
    expect(told()).toEqual(['a near', 'a near']);
  });
});
