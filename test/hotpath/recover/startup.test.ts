import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Decimal } from 'decimal.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Ledger } from '#hotpath/execute/ledger.ts';
import { JournalState } from '#hotpath/recover/journal-state.ts';
import { loadState, revive, saveCheckpoint } from '#hotpath/recover/startup.ts';
import { BadInput } from '#shared/assert.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { VenueId } from '#shared/domain/ids.ts';
import type { OpenOperation } from '#shared/domain/recovery.ts';
import { MemoryJournal } from '../execute/trading.ts';

let directory: string;
let clock: VirtualClock;
let journal: MemoryJournal;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'startup-'));
  clock = new VirtualClock(1_700_000_000_000_000_000n);
  journal = new MemoryJournal(clock);
});
afterEach(() => rmSync(directory, { recursive: true }));

const INITIAL = { default: { USDT: '1000', BTC: '1' }, b: { USDT: '5' } };

/** A start from what the journal says; returns what the process then holds. */
function start(venues: readonly string[], from = 0): { ledger: Ledger; resumed: OpenOperation[]; state: JournalState } {
  const state = loadState(directory, () => true);
  expect(state.seq).toBe(from);
  for (const event of journal.events.slice(from)) state.apply(event);
  const ledger = new Ledger(clock);
  const resumed: OpenOperation[] = [];
  revive(state, venues, INITIAL, {
    ledger,
    executor: { resume: ({ open }) => void resumed.push(...open) },
    holdings: { restore: () => undefined },
    recorder: journal,
  });
  return { ledger, resumed, state };
}

/** Half an operation: approved, sent, one leg filled, then silence. */
function leaveOpen(): void {
  const legs = [
    { instrument: 'a:BTC/USDT', side: 'buy' as const, price: '50', qty: '2' },
    { instrument: 'b:BTC/USDT', side: 'sell' as const, price: '51', qty: '2' },
  ];
  const operation = {
    id: 'op',
    opportunity: 'o1',
    route: 'r',
    type: 'spatial',
    notional: '100',
    expected_profit: '2',
    rates: { BTC: '50', USDT: '1' },
    legs,
  };
  journal.record('operation', 'op', { ...operation, state: 'approved' });
  journal.record('operation', 'op', { ...operation, state: 'executing' });
  for (const [leg, { instrument, side, price, qty }] of legs.entries()) {
    journal.record('order', 'op', {
      client_order_id: `c${leg}`,
      operation: 'op',
      leg,
      attempt: 0,
      purpose: 'leg',
      instrument,
      side,
      type: 'limit',
      time_in_force: 'IOC',
      price,
      qty,
      filled_qty: '0',
      status: 'submitted',
    });
  }
  journal.record('fill', 'op', {
    trade_id: 't1',
    client_order_id: 'c0',
    operation: 'op',
    instrument: 'a:BTC/USDT',
    base: 'BTC',
    quote: 'USDT',
    side: 'buy',
    price: '50',
    qty: '2',
    fee: '0.002',
    fee_asset: 'BTC',
    liquidity: 'taker',
  });
}

describe('start-up', () => {
  it('funds each venue once: at its first start', () => {
    expect(
      start(['a'])
        .ledger.totalOf('a' as VenueId, 'USDT')
        .toFixed(),
    ).toBe('1000');
    expect(journal.of('balance').length).toBe(2);
    const { ledger } = start(['a', 'b']);
    expect(ledger.totalOf('b' as VenueId, 'USDT').toFixed()).toBe('5');
    expect(journal.of('balance').length).toBe(3);
    start(['a', 'b']);
    expect(journal.of('balance').length).toBe(3);
    expect(journal.flushed).toBe(3);
  });

  it('brings back balances, profit and positions, and takes up what was left open', () => {
    start(['a']);
    leaveOpen();
    const { ledger, resumed } = start(['a']);
    expect(ledger.totalOf('a' as VenueId, 'USDT').toFixed()).toBe('900');
    expect(ledger.totalOf('a' as VenueId, 'BTC').toFixed()).toBe('2.998');
    expect(ledger.pnl.realised.toFixed()).toBe('-0.1');
    expect(ledger.dailyPnl(clock.now())).toBe(-0.1);
    expect(ledger.deviationOf('BTC')).toBe(1.998);
    expect(ledger.positionOf('a:BTC/USDT' as never).size.toFixed()).toBe('1.998');
    expect(resumed.map(({ id, state }) => `${id} ${state}`)).toEqual(['op executing']);
    expect(
      resumed[0]!.orders.map(({ request, status, fills }) => [request.clientOrderId, status, fills.length]),
    ).toEqual([
      ['c0', 'submitted', 1],
      ['c1', 'submitted', 0],
    ]);
  });

  it('remembers the last epoch and the last word on trading', () => {
    const started = {
      mode: 'paper',
      version: '',
      config_hash: '',
      venues: [],
      families: [],
      instruments: 0,
      routes: 0,
    } as const;
    for (const epoch of [1, 2]) journal.record('engine-started', 'e', { ...started, venues: [], families: [], epoch });
    journal.record('trading-state', 't', { state: 'halted', reason: 'me', by: 'x' });
    const { state } = start([]);
    expect(state.epoch).toBe(2);
    expect(state.trading).toEqual({ state: 'halted', reason: 'me' });
  });

  it('closes opportunities that nobody closed', () => {
    const opportunity = { ...OPPORTUNITY, id: 'o1', status: 'active' as const };
    journal.record('opportunity', 'o1', opportunity);
    journal.record('opportunity', 'o2', { ...opportunity, id: 'o2' });
    journal.record('opportunity', 'o2', { ...opportunity, id: 'o2', status: 'rejected' });
    start([]);
    expect(
      journal
        .of('opportunity')
        .slice(3)
        .map(({ id, status }) => `${id} ${status}`),
    ).toEqual(['o1 expired']);
    start([]);
    expect(journal.of('opportunity').length).toBe(4);
  });

  it('goes on from a checkpoint exactly as from the whole journal', () => {
    start(['a', 'b']);
    leaveOpen();
    const whole = new JournalState();
    for (const event of journal.events) whole.apply(event);
    for (let cut = 0; cut <= journal.events.length; cut += 1) {
      const part = new JournalState();
      for (const event of journal.events.slice(0, cut)) part.apply(event);
      saveCheckpoint(directory, part, 0);
      const state = loadState(directory, () => true);
      for (const event of journal.events.slice(state.seq)) state.apply(event);
      expect(state.checkpoint()).toEqual(whole.checkpoint());
      expect(JSON.stringify(state.ledger())).toBe(JSON.stringify(whole.ledger()));
      expect(JSON.stringify(state.openOperations())).toBe(JSON.stringify(whole.openOperations()));
    }
    expect(whole.ledger().realised.eq(new Decimal('-0.1'))).toBe(true);
  });

  it('takes the newest checkpoint that counts, and leaves alone what a paused writer saved late', () => {
    const upTo = (seq: number): JournalState => {
      const state = new JournalState();
      for (const event of journal.events.slice(0, seq)) state.apply(event);
      return state;
    };
    start(['a', 'b']);
    leaveOpen();
    saveCheckpoint(directory, upTo(2), 0);
    saveCheckpoint(directory, upTo(3), 4);
    // The one before would have been void too: it went.
    expect(readdirSync(directory)).toEqual(['checkpoint-4.json']);
    saveCheckpoint(directory, upTo(4), 3);
    expect(loadState(directory, () => true).seq).toBe(3);
    expect(loadState(directory, (epoch, seq) => epoch !== 4 || seq !== 3).seq).toBe(4);
    expect(loadState(directory, () => false).seq).toBe(0);
  });

  it('names a checkpoint that is none', () => {
    writeFileSync(join(directory, 'checkpoint.json'), '{"v":1');
    expect(() => loadState(directory, () => true)).toThrow(BadInput);
    expect(() => loadState(directory, () => true)).toThrow(/checkpoint.json/);
  });
});

const OPPORTUNITY = {
  route: 'r',
  type: 'spatial',
  asset: 'USDT',
  legs: [],
  notional: '0',
  gross_edge_bps: '0',
  net_edge_bps: '0',
  fees: '0',
  slippage: '0',
  unwind_cost: '0',
  fill_probability: '0',
  expected_value: '0',
  oldest_book_age_ms: '0',
  checks: [],
  first_seen: '0',
  last_seen: '0',
  peak_net_edge_bps: '0',
};
