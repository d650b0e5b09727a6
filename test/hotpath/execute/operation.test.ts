import { Decimal } from 'decimal.js';
import { beforeEach, describe, expect, it } from 'vitest';
import { Executor, PATIENCE } from '#hotpath/execute/executor.ts';
import { Ledger } from '#hotpath/execute/ledger.ts';
import { Bug } from '#shared/assert.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { Asset, ClientOrderId, InstrumentId, TradeId, VenueId, VenueOrderId } from '#shared/domain/ids.ts';
import type { OrderReport, OrderRequest } from '#shared/domain/order.ts';
import type { OperationView, Recovery } from '#shared/domain/recovery.ts';
import { eventKinds, engineEvent } from '#shared/schema/event.ts';
import { instrumentOf, MemoryJournal, planOf } from './trading.ts';

const BUY = ['a:BTC/USDT', 'buy', '0.2', '50000'] as const;
const SELL = ['b:BTC/USDT', 'sell', '0.1998', '50100'] as const;

let clock: VirtualClock;
let journal: MemoryJournal;
let ledger: Ledger;
let executor: Executor;
let sent: OrderRequest[];
let probed: ClientOrderId[];
let canceled: ClientOrderId[];
let views: OperationView[];
let decision: Recovery;

beforeEach(() => {
  clock = new VirtualClock(1_700_000_000_000_000_000n);
  journal = new MemoryJournal(clock);
  ledger = new Ledger(clock);
  for (const venue of ['a', 'b'] as VenueId[]) {
    ledger.deposit(venue, 'USDT', new Decimal(20_000));
    ledger.deposit(venue, 'BTC', new Decimal(1));
  }
  [sent, probed, canceled, views] = [[], [], [], []];
  decision = { kind: 'complete' };
  executor = new Executor({
    clock,
    gateway: {
      submit: (orders) => sent.push(...orders),
      cancel: (id) => canceled.push(id),
      probe: (id) => probed.push(id),
    },
    ledger,
    recorder: journal,
    instrumentOf,
    decide: (view) => {
      views.push(view);
      return decision;
    },
    opportunityOf: (seen) => `first-${seen}` as never,
    epoch: 7,
    patience: PATIENCE,
  });
});

type Said = OrderReport extends infer Report
  ? Report extends OrderReport
    ? Omit<Report, 'clientOrderId' | 'receivedTimeNs'>
    : never
  : never;
const say = (order: OrderRequest, report: Said): void =>
  executor.onReport({ clientOrderId: order.clientOrderId, receivedTimeNs: clock.now(), ...report });
function fill(order: OrderRequest, qty: string, trade = '1'): Said {
  const feeAsset = (order.side === 'buy' ? 'BTC' : 'USDT') as Asset;
  const price = order.price;
  return {
    kind: 'fill',
    fill: {
      tradeId: `${order.clientOrderId}-${trade}` as TradeId,
      clientOrderId: order.clientOrderId,
      instrument: order.instrument,
      side: order.side,
      price,
      qty: new Decimal(qty),
      fee: new Decimal('0.0001'),
      feeAsset,
      liquidity: 'taker',
    },
  };
}
const told = (): string[] =>
  journal.of('operation').map(({ state, reason }) => (reason === undefined ? state : `${state} ${reason}`));
const orderStates = (id: string): string[] =>
  journal
    .of('order')
    .filter(({ client_order_id }) => client_order_id === id)
    .map(({ status }) => status);

describe('Executor', () => {
  it('sends all legs in one tick, each journalled, reserved and told under the id of its opportunity', () => {
    executor.submit(planOf('op-1', [BUY, SELL]));
    expect(sent.map(({ clientOrderId }) => clientOrderId)).toEqual(['a000700000100', 'a000700000110']);
    expect(journal.flushed).toBe(journal.events.length);
    expect(told()).toEqual(['approved', 'executing']);
    expect(journal.of('operation')[0]).toMatchObject({ opportunity: 'first-opp-op-1', rates: { BTC: '50000' } });
    expect(ledger.freeOf('a' as VenueId, 'USDT').toFixed()).toBe('10000');
    expect(executor.busy('a:BTC/USDT' as InstrumentId)).toBe(true);
    expect(ledger.exposures.total).toBeCloseTo(20_009.98);
    expect(executor.counts).toMatchObject({ open: 1 });
  });

  it('completes when every leg is filled, with its profit, and writes only events that consumers accept', () => {
    executor.submit(planOf('op-1', [BUY, SELL]));
    for (const order of sent) {
      say(order, { kind: 'accepted', venueOrderId: 'v' as VenueOrderId });
      say(order, fill(order, order.qty.toFixed()));
    }
    expect(told()).toEqual(['approved', 'executing', 'completed']);
    // 0.2 bought at 50000, 0.1998 sold at 50100, less 0.0001 BTC and 0.0001 USDT of fees.
    expect(journal.of('operation').at(-1)!.pnl).toEqual({ realised: '14.9799', fees: '5.0001' });
    expect(
      journal
        .of('balance')
        .map(({ venue, asset, total }) => `${venue} ${asset} ${total}`)
        .sort(),
    ).toEqual(['a BTC 1.1999', 'a USDT 10000', 'b BTC 0.8002', 'b USDT 30009.9799']);
    expect(journal.of('position').map(({ id, type }) => `${id} ${type}`)).toEqual([
      'a:BTC/USDT long',
      'b:BTC/USDT short',
    ]);
    expect(executor.counts).toEqual({ completed: 1, failed: 0, recovering: 0, open: 0 });
    expect(ledger.dust.get('BTC')?.toFixed()).toBe('0.0001');
    for (const event of journal.events) expect(engineEvent.safeParse(event).error).toBeUndefined();
    expect(eventKinds).toContain('fill');
  });

  it('sends nothing that an account does not bear', () => {
    executor.submit(planOf('op-1', [BUY, ['b:BTC/USDT', 'sell', '1.5', '50100']]));
    expect(sent).toEqual([]);
    expect(told()).toEqual(['approved', 'failed BALANCE_INSUFFICIENT']);
    expect(ledger.exposures.total).toBe(0);
    expect(ledger.freeOf('a' as VenueId, 'USDT').toFixed()).toBe('20000');
  });

  it('asks about a silent order by its id, never sends it again, and gives up after bounded questions', () => {
    executor.submit(planOf('op-1', [BUY, SELL]));
    say(sent[1]!, fill(sent[1]!, '0.1998'));
    say(sent[0]!, { kind: 'accepted', venueOrderId: 'v' as VenueOrderId });
    clock.runUntil(1.1e9);
    expect(orderStates(sent[0]!.clientOrderId)).toEqual(['submitted', 'accepted', 'unknown']);
    expect(canceled).toEqual([sent[0]!.clientOrderId]);
    clock.runUntil(600e9);
    expect(probed).toEqual(Array.from({ length: PATIENCE.probesMax }, () => sent[0]!.clientOrderId));
    expect(sent.length).toBe(2);
    expect(told().at(-1)).toBe(`failed ORDER_UNKNOWN: orders=${sent[0]!.clientOrderId}`);
    expect(ledger.reservedOf('a' as VenueId, 'USDT').toFixed()).toBe('0');
    expect(clock.step(Infinity)).toBe(false);
  });

  it('believes that an order was never seen only when told twice', () => {
    executor.submit(planOf('op-1', [BUY]));
    say(sent[0]!, { kind: 'unknown', cause: 'disconnect' });
    clock.runUntil(0.25e9);
    expect(probed.length).toBe(1);
    say(sent[0]!, { kind: 'not-found' });
    expect(executor.counts.open).toBe(1);
    say(sent[0]!, { kind: 'not-found' });
    expect(orderStates(sent[0]!.clientOrderId)).toEqual(['submitted', 'unknown', 'expired']);
    expect(executor.counts.open).toBe(0);
  });

  it('counts a repeated fill once and believes one that comes after the end: the operation is open again', () => {
    executor.submit(planOf('op-1', [BUY, SELL]));
    say(sent[0]!, fill(sent[0]!, '0.1'));
    say(sent[0]!, fill(sent[0]!, '0.1'));
    say(sent[0]!, { kind: 'expired' });
    say(sent[1]!, fill(sent[1]!, '0.1998'));
    expect(views[0]!.legs.map(({ filledQty }) => filledQty.toFixed())).toEqual(['0.1', '0.1998']);
    expect(executor.counts).toMatchObject({ completed: 1, open: 0 });
    decision = { kind: 'complete', reason: 'dust' };
    say(sent[0]!, fill(sent[0]!, '0.05', '2'));
    expect(told().slice(-2)).toEqual(['recovering late-fill', 'completed dust']);
    expect(orderStates(sent[0]!.clientOrderId).at(-1)).toBe('expired');
    expect(executor.counts).toEqual({ completed: 1, failed: 0, recovering: 0, open: 0 });
  });

  it('sends what recovery decides under new ids, and waits when it cannot', () => {
    executor.submit(planOf('op-1', [BUY, SELL]));
    decision = { kind: 'wait', reason: 'NO_WAY_OUT_NOW' };
    say(sent[0]!, fill(sent[0]!, '0.2'));
    say(sent[1]!, { kind: 'rejected', reason: 'venue-down', text: '' });
    expect(told().slice(-1)).toEqual(['recovering NO_WAY_OUT_NOW']);
    expect(executor.counts).toMatchObject({ open: 1, recovering: 1 });
    const { price, qty } = sent[1]!;
    decision = { kind: 'send', orders: [{ leg: 1, purpose: 'complete', side: 'sell', price, qty }] };
    clock.runUntil(0.26e9);
    expect(sent.at(-1)).toMatchObject({
      clientOrderId: 'a000700000111',
      attempt: 1,
      purpose: 'complete',
      side: 'sell',
    });
    decision = { kind: 'complete' };
    say(sent.at(-1)!, fill(sent.at(-1)!, '0.1998'));
    expect(views.map(({ round, waits }) => [round, waits])).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
    ]);
    expect(told().slice(-2)).toEqual(['recovering NO_WAY_OUT_NOW', 'completed']);
  });

  it('does nothing more once stopped: what is open stays as the journal has it', () => {
    executor.submit(planOf('op-1', [BUY, SELL]));
    decision = { kind: 'wait', reason: 'NO_WAY_OUT_NOW' };
    executor.submit(planOf('op-2', [['a:ETH/USDT', 'buy', '1', '2500']]));
    say(sent[2]!, fill(sent[2]!, '0.5'));
    say(sent[2]!, { kind: 'expired' });
    executor.stop();
    const events = journal.events.length;
    clock.runUntil(120e9);
    say(sent[0]!, fill(sent[0]!, '0.2'));
    expect(journal.events.length).toBe(events);
    expect([sent.length, probed.length, views.length]).toEqual([3, 0, 1]);
    expect(executor.counts).toMatchObject({ open: 2 });
  });

  it('counts reports that make no sense and changes nothing', () => {
    executor.submit(planOf('op-1', [BUY]));
    const events = journal.events.length;
    executor.onReport({ clientOrderId: 'foreign' as ClientOrderId, receivedTimeNs: clock.now(), kind: 'canceled' });
    const wrong = fill(sent[0]!, '0.1') as Extract<Said, { kind: 'fill' }>;
    say(sent[0]!, { kind: 'fill', fill: { ...wrong.fill, side: 'sell' } });
    expect(executor.anomalies).toBe(2);
    expect(journal.events.length).toBe(events);
  });

  it('refuses an operation that is open already', () => {
    executor.submit(planOf('op-1', [BUY]));
    expect(() => executor.submit(planOf('op-1', [SELL]))).toThrow(Bug);
  });
});
