import { beforeEach, describe, expect, it } from 'vitest';
import { OpportunityLog } from '#hotpath/publish/opportunity-log.ts';
import type { Sized } from '#hotpath/pipeline.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { Asset, InstrumentId, OpportunityId, RouteId, TimeNs } from '#shared/domain/ids.ts';
import type { Opportunity, SizeRefusal, Verdict } from '#shared/domain/trade.ts';
import { engineEvent } from '#shared/schema/event.ts';
import { MemoryJournal, planOf } from '../execute/trading.ts';

let clock: VirtualClock;
let journal: MemoryJournal;
let log: OpportunityLog;
beforeEach(() => {
  clock = new VirtualClock(1_700_000_000_000_000_000n);
  journal = new MemoryJournal(clock);
  log = make();
});
const make = (): OpportunityLog =>
  new OpportunityLog({
    clock,
    recorder: journal,
    checksOf: () => () => [{ name: 'book_age', value: '1', limit: '1500', passed: true }],
    expireAfterMs: 1_000,
    eventsPerSecond: 3,
    openMax: 4,
  });

function seen(id: string, netEdge = 0.001, price = 50_000.1): Opportunity {
  return {
    id: id as OpportunityId,
    route: 'spatial:a>b' as RouteId,
    family: 'spatial',
    asset: 'USDT' as Asset,
    legs: [{ instrument: 'a:BTC/USDT' as InstrumentId, side: 'buy', price, qty: 0.1 + 0.2 }],
    notional: 1_000,
    grossEdge: 0.002,
    netEdge,
    fees: 1,
    slippage: 1e-9,
    unwindCost: 0,
    fillProbability: 0.9,
    expectedValue: -0.5,
    oldestBookAgeMs: 12,
    detectedTimeNs: 0 as TimeNs,
    capital: 1_000,
    impact: 0,
    improvement: 0,
    goodEnd: 1,
  };
}
const refused = (id: string, reason: SizeRefusal = 'BELOW_MIN_QTY', netEdge?: number): Sized => ({
  kind: 'refused',
  opportunity: seen(id, netEdge),
  reason,
  detail: 'qty=1, min=2',
});
const planned = (id: string): Sized => ({
  kind: 'plan',
  opportunity: seen(id),
  plan: planOf('op-1', [['a:BTC/USDT', 'buy', '0.2', '50000']]),
});
const approved: Verdict = { kind: 'approved', plan: planOf('op-1', []) };
const denied: Verdict = { kind: 'denied', reason: 'BOOK_TOO_OLD', detail: 'age=2000' };
const at = (ms: number): TimeNs => (ms * 1e6) as TimeNs;
function told(): string[] {
  log.tell();
  return journal.of('opportunity').map(({ id, status, reason }) => [id, status, reason ?? ''].join(' ').trim());
}

describe('OpportunityLog', () => {
  it('tells an opportunity when it is first seen, when its reason changes and when it is gone; not in between', () => {
    log.opportunity(3, refused('o1'), undefined, at(0));
    log.opportunity(3, refused('o2', 'BELOW_MIN_QTY', 0.005), undefined, at(100));
    log.opportunity(3, refused('o3', 'DEPTH_INSUFFICIENT'), undefined, at(200));
    log.sweep(at(1_100));
    log.sweep(at(1_201));
    log.sweep(at(9_999));
    expect(told()).toEqual([
      'o1 active BELOW_MIN_QTY',
      'o1 active DEPTH_INSUFFICIENT',
      'o1 rejected DEPTH_INSUFFICIENT',
    ]);
    expect(journal.of('opportunity').at(-1)).toMatchObject({
      first_seen: '1700000000000000000',
      last_seen: '1700000000200000000',
      peak_net_edge_bps: '50',
      net_edge_bps: '10',
      slippage: '0.000000001',
      legs: [{ price: '50000.1', qty: '0.3' }],
      checks: [{ name: 'DEPTH_INSUFFICIENT', value: 'qty=1, min=2', passed: false }],
    });
    for (const event of journal.events) expect(engineEvent.safeParse(event).error).toBeUndefined();
    expect([log.detected, log.executed]).toEqual([1, 0]);
    expect(Object.fromEntries(log.rejectedByReason)).toEqual({ BELOW_MIN_QTY: 1, DEPTH_INSUFFICIENT: 1 });
  });

  it('tells an execution with its operation and every check, and stays executed', () => {
    log.opportunity(3, refused('o1'), undefined, at(0));
    log.opportunity(3, planned('o2'), denied, at(1));
    log.opportunity(3, planned('o3'), approved, at(2));
    expect(log.lifetimeOf('o3' as OpportunityId)).toBe('o1');
    log.opportunity(3, refused('o4', 'BALANCE_INSUFFICIENT'), undefined, at(3));
    log.closeAll();
    expect(told()).toEqual([
      'o1 active BELOW_MIN_QTY',
      'o1 active BOOK_TOO_OLD',
      'o1 executed',
      'o1 executed BALANCE_INSUFFICIENT',
    ]);
    expect(journal.of('opportunity')[2]).toMatchObject({
      operation: 'op-1',
      checks: [{ name: 'book_age', passed: true }],
    });
    expect(log.executed).toBe(1);
  });

  it('says what was decided only when it is asked to, in order and as it was when it was decided', () => {
    log.opportunity(3, planned('o1'), approved, at(0));
    log.opportunity(4, refused('o2'), undefined, at(0));
    expect([journal.events, log.executed, log.lifetimeOf('o2' as OpportunityId)]).toEqual([[], 1, 'o2']);
    log.opportunity(3, refused('o3', 'DEPTH_INSUFFICIENT'), undefined, at(1));
    expect(journal.of('opportunity').map(({ id, checks }) => [id, checks[0]!.name])).toEqual([
      ['o1', 'book_age'],
      ['o2', 'BELOW_MIN_QTY'],
    ]);
    expect(told()).toEqual(['o1 executed', 'o2 active BELOW_MIN_QTY', 'o1 executed DEPTH_INSUFFICIENT']);
    log.tell();
    expect(journal.events).toHaveLength(3);
  });

  it('tells what is decided of a lifetime before its end', () => {
    log.opportunity(3, refused('o1'), undefined, at(0));
    log.sweep(at(2_000));
    expect(told()).toEqual(['o1 active BELOW_MIN_QTY', 'o1 rejected BELOW_MIN_QTY']);
  });

  it('writes a bounded number of changes a second a route, and always an execution', () => {
    for (let turn = 0; turn < 10; turn += 1) {
      log.opportunity(3, refused('o1', turn % 2 === 0 ? 'BELOW_MIN_QTY' : 'DEPTH_INSUFFICIENT'), undefined, at(turn));
    }
    expect(told().length).toBe(3);
    expect(log.suppressed).toBe(7);
    log.opportunity(3, planned('o2'), approved, at(11));
    expect(told().length).toBe(4);
    log.opportunity(3, refused('o1'), undefined, at(1_011));
    expect(told().length).toBe(5);
  });

  it('holds a bounded number of open lifetimes: the one seen longest ago goes', () => {
    for (const route of [1, 2, 3, 4]) log.opportunity(route, refused(`o${route}`), undefined, at(route));
    log.opportunity(1, refused('again'), undefined, at(5));
    log.opportunity(5, refused('o5'), undefined, at(6));
    expect(told().at(-2)).toBe('o2 rejected BELOW_MIN_QTY');
    expect(log.top(2).map(({ reason }) => reason)).toEqual(['BELOW_MIN_QTY', 'BELOW_MIN_QTY']);
  });

  it('shows the best first', () => {
    for (const [route, edge] of [0.001, 0.003, 0.002].entries()) {
      log.opportunity(route, refused(`o${route}`, 'BELOW_MIN_QTY', edge), undefined, at(0));
    }
    expect(log.top(2).map(({ opportunity }) => opportunity.id)).toEqual(['o1', 'o2']);
  });

  it('hashes every decision: same decisions, same hash; any other decision, another', () => {
    const story = (...decisions: [Sized, Verdict | undefined][]): string => {
      const own = make();
      for (const [sized, verdict] of decisions) own.opportunity(1, sized, verdict, at(0));
      own.tell();
      return own.decisionHash;
    };
    const base = story([refused('x'), undefined], [planned('y'), approved]);
    expect(base).toMatch(/^[0-9a-f]{64}$/);
    expect(story([refused('other-id'), undefined], [planned('y'), approved])).toBe(base);
    const changed: Sized = {
      kind: 'refused',
      opportunity: seen('x', 0.001, 50_000.2),
      reason: 'BELOW_MIN_QTY',
      detail: '',
    };
    const others = [
      story([refused('x', 'DEPTH_INSUFFICIENT'), undefined], [planned('y'), approved]),
      story([refused('x'), undefined], [planned('y'), denied]),
      story([planned('y'), approved], [refused('x'), undefined]),
      story([changed, undefined], [planned('y'), approved]),
      story([refused('x'), undefined]),
    ];
    expect(new Set([base, ...others]).size).toBe(6);
  });
});
