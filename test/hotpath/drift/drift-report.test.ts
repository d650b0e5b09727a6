import { describe, expect, it } from 'vitest';
import { tableOf } from '../../../bin/commands/drift.ts';
import { driftReport, type JournalSource } from '#hotpath/drift/drift-report.ts';
import { BadInput } from '#shared/assert.ts';
import type { EngineEvent, EventData, EventKind } from '#shared/schema/event.ts';

/** A journal in the making: each event a millisecond after the one before, unless told. */
class Written {
  readonly events: EngineEvent[] = [];
  #atMs = 0;

  constructor(mode: EventData<'engine-started'>['mode'] | undefined) {
    if (mode === undefined) return;
    const started = {
      mode,
      epoch: 1,
      version: '1',
      config_hash: '',
      venues: [],
      families: [],
      instruments: 1,
      routes: 1,
    };
    this.add('engine-started', started);
  }

  add<K extends EventKind>(kind: K, data: EventData<K>, afterMs = 1): void {
    this.#atMs += afterMs;
    const seq = this.events.length + 1;
    const at = String(1_795_219_200_000_000_000n + BigInt(Math.round(this.#atMs * 1e6)));
    this.events.push({ v: 1, engine: 'e', seq, at, key: 'k', kind, data } as EngineEvent);
  }

  operation(id: string, over: Partial<EventData<'operation'>> = {}): void {
    this.add('operation', {
      id,
      opportunity: 'o',
      route: 'r',
      type: 'spatial',
      state: 'executing',
      notional: '1000',
      expected_profit: '2',
      rates: { BTC: '100', USDT: '1' },
      legs: [
        { instrument: 'a:BTC/USDT', side: 'buy', price: '101', expected_price: '100', qty: '10' },
        { instrument: 'b:BTC/USDT', side: 'sell', price: '99', expected_price: '100.4', qty: '10' },
      ],
      ...over,
    });
  }

  order(id: string, operation: string, over: Partial<EventData<'order'>> = {}): void {
    this.add('order', {
      client_order_id: id,
      operation,
      leg: 0,
      attempt: 0,
      purpose: 'leg',
      instrument: 'a:BTC/USDT',
      side: 'buy',
      type: 'limit',
      time_in_force: 'IOC',
      price: '101',
      qty: '10',
      filled_qty: '0',
      status: 'submitted',
      ...over,
    });
  }

  fill(order: string, operation: string, over: Partial<EventData<'fill'>> = {}, afterMs = 1): void {
    const trade = { trade_id: `t${this.events.length}`, client_order_id: order, operation, instrument: 'a:BTC/USDT' };
    const fee = { fee: '0.01', fee_asset: 'BTC', liquidity: 'taker' as const };
    this.add(
      'fill',
      { ...trade, base: 'BTC', quote: 'USDT', side: 'buy', price: '100', qty: '10', ...fee, ...over },
      afterMs,
    );
  }

  source(name: string): JournalSource {
    return { name, events: () => this.events };
  }
}

/** Buys ten as expected, sells ten. */
function whole(mode: EventData<'engine-started'>['mode']): Written {
  const written = new Written(mode);
  written.operation('1');
  written.order('1a', '1');
  written.order('1b', '1', { leg: 1, instrument: 'b:BTC/USDT', side: 'sell' });
  written.fill('1a', '1', {}, 9);
  written.fill('1b', '1', { instrument: 'b:BTC/USDT', side: 'sell', price: '100.4', fee: '1', fee_asset: 'USDT' }, 2);
  written.order('1a', '1', { status: 'filled', filled_qty: '10' });
  written.order('1b', '1', { status: 'filled', filled_qty: '10', leg: 1, instrument: 'b:BTC/USDT', side: 'sell' });
  written.operation('1', { state: 'completed', pnl: { realised: '2', fees: '2' } });
  return written;
}

/** Buys four of ten, dearer, and sells what it has got. */
function part(mode: EventData<'engine-started'>['mode']): Written {
  const written = new Written(mode);
  written.operation('1');
  written.order('1a', '1');
  written.order('1b', '1', { leg: 1, instrument: 'b:BTC/USDT', side: 'sell' });
  written.fill('1a', '1', { price: '100.5', qty: '4', fee: '0.004' }, 20);
  written.order('1a', '1', { status: 'expired', filled_qty: '4' });
  written.order('1b', '1', { status: 'rejected', leg: 1, instrument: 'b:BTC/USDT', side: 'sell' });
  written.order('1c', '1', {
    purpose: 'complete',
    leg: 1,
    attempt: 1,
    instrument: 'b:BTC/USDT',
    side: 'sell',
    qty: '4',
  });
  written.fill('1c', '1', {
    instrument: 'b:BTC/USDT',
    side: 'sell',
    price: '100',
    qty: '4',
    fee: '0',
    fee_asset: 'USDT',
  });
  written.order('1c', '1', {
    purpose: 'complete',
    leg: 1,
    instrument: 'b:BTC/USDT',
    side: 'sell',
    qty: '4',
    filled_qty: '4',
    status: 'filled',
  });
  written.operation('1', { state: 'completed', pnl: { realised: '-2.4', fees: '0.4' } });
  return written;
}

const round = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, each: unknown) => (typeof each === 'number' ? Number(each.toFixed(6)) : each)));

describe('a drift report', () => {
  it('says by venue and leg what filled, when, at what price and with what fees', () => {
    const [paper, live] = driftReport([whole('paper').source('p'), part('live').source('l')]).sides;
    expect(round(paper)).toEqual({
      journal: 'p',
      mode: 'paper',
      operations: 1,
      completed: 1,
      expected: 2,
      realised: 2,
      fees: 2,
      driftBps: 0,
      rows: [
        {
          venue: 'a',
          part: 'leg 1',
          orders: 1,
          fillRate: 1,
          wholeShare: 1,
          partShare: 0,
          slippageBps: 0,
          feeBps: 10,
          fillMs: { p50: 10, p99: 10 },
          rejected: 0,
          notional: 1000,
        },
        {
          venue: 'b',
          part: 'leg 2',
          orders: 1,
          fillRate: 1,
          wholeShare: 1,
          partShare: 0,
          slippageBps: 0,
          feeBps: 10,
          fillMs: { p50: 11, p99: 11 },
          rejected: 0,
          notional: 1000,
        },
      ],
    });
    expect(round(live)).toMatchObject({
      mode: 'live',
      realised: -2.4,
      // 4.4 of 1000.
      driftBps: -44,
      rows: [
        // Half a percent dearer.
        {
          venue: 'a',
          part: 'leg 1',
          fillRate: 0.4,
          wholeShare: 0,
          partShare: 1,
          slippageBps: 50,
          feeBps: 10,
          fillMs: { p50: 21 },
        },
        { venue: 'b', part: 'leg 2', fillRate: 0, slippageBps: null, feeBps: null, fillMs: { p50: null }, rejected: 1 },
        { venue: 'b', part: 'recovery', fillRate: 1, slippageBps: 39.840637, notional: 400 },
      ],
    });
  });

  it('counts what all have ordered, of operations that are over', () => {
    const more = whole('shadow');
    more.operation('2', { legs: [{ instrument: 'c:BTC/USDT', side: 'buy', price: '1', qty: '1' }] });
    more.order('2a', '2', { instrument: 'c:BTC/USDT' });
    more.operation('2', { state: 'failed', legs: [{ instrument: 'c:BTC/USDT', side: 'buy', price: '1', qty: '1' }] });
    more.operation('3');
    more.order('3a', '3');
    const { instruments, sides } = driftReport([whole('paper').source('p'), more.source('s')]);
    expect(instruments).toEqual(['a:BTC/USDT', 'b:BTC/USDT']);
    expect(sides.map(({ operations }) => operations)).toEqual([1, 1]);
    expect(sides[1]!.rows.map(({ venue, orders }) => [venue, orders])).toEqual([
      ['a', 1],
      ['b', 1],
    ]);
  });

  it('is a table, with the modes below each other', () => {
    const text = tableOf(driftReport([whole('paper').source('p'), part('live').source('l')]));
    expect(text.split('\n').map((line) => line.trimEnd())).toMatchInlineSnapshot(`
      [
        "2 instruments in common",
        "",
        "venue  part      mode   orders  filled   whole    slip bps  fee bps  ms p50  ms p99  rejected",
        "a      leg 1     paper       1  100.0 %  100.0 %      0.00    10.00    10.0    10.0         0",
        "a      leg 1     live        1   40.0 %    0.0 %     50.00    10.00    21.0    21.0         0",
        "b      leg 2     paper       1  100.0 %  100.0 %      0.00    10.00    11.0    11.0         0",
        "b      leg 2     live        1    0.0 %    0.0 %         –        –       –       –         1",
        "b      recovery  live        1  100.0 %  100.0 %     39.84     0.00     1.0     1.0         0",
        "",
        "mode   operations  completed  expected  realised  fees  drift bps  journal",
        "paper           1          1      2.00      2.00  2.00       0.00  p",
        "live            1          1      2.00     -2.40  0.40     -44.00  l",
      ]
    `);
  });

  it('refuses what cannot be compared', () => {
    const paper = whole('paper').source('p');
    expect(() => driftReport([paper])).toThrow(new BadInput('two journals at least: a drift is a difference'));
    const nobody = new Written(undefined);
    nobody.order('1', '1');
    expect(() => driftReport([paper, nobody.source('n')])).toThrow(/^n: no engine has started in it/);
    const other = new Written('live');
    other.order('1', '1', { instrument: 'z:ETH/USDT' });
    expect(() => driftReport([paper, other.source('o')])).toThrow(
      new BadInput('the journals share no instrument that was ordered: p (2 instruments), o (1 instruments)'),
    );
  });
});
