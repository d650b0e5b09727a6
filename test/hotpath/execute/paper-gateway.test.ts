import { Decimal } from 'decimal.js';
import { beforeEach, describe, expect, it } from 'vitest';
import { PaperGateway } from '#hotpath/execute/paper-gateway.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { ClientOrderId, InstrumentId, InstrumentIndex, OperationId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { BookStatus } from '#shared/domain/market-event.ts';
import type { Fill, OrderReport, OrderRequest } from '#shared/domain/order.ts';
import type { Price, Qty } from '#shared/money/grid.ts';
import { randomFrom } from '#shared/random.ts';
import { CALL, COIN_CALL, COIN_FUTURE, PERPETUAL } from './held-world.ts';
import { instrumentOf } from './trading.ts';
import type { BookSide } from '#test/support/two-sided.ts';
import { depthsOf } from '#test/support/two-sided.ts';

let status: BookStatus;
let asks: BookSide;
let bids: BookSide;
let clock: VirtualClock;
let reports: OrderReport[];
let gateway: PaperGateway;

const depths = depthsOf({ status: () => status, asks: () => asks, bids: () => bids });

beforeEach(() => {
  status = 'live';
  asks = [
    [100, 1],
    [101, 2],
  ];
  bids = [[99, 1]];
  clock = new VirtualClock(0n);
  reports = [];
  gateway = new PaperGateway({
    clock,
    random: randomFrom(1),
    depths,
    instrumentOf: (id) => ({ instrument: instrumentOf(id)!, index: 0 as InstrumentIndex }),
    idOf: () => 'a:BTC/USDT' as InstrumentId,
    onReport: (report) => void reports.push(report),
    latencyMs: 5,
    latencyJitterMs: 3,
    displayedFraction: 0.5,
  });
});

let count = 0;
function order(qty: string, price: string, more: Partial<OrderRequest> = {}): OrderRequest {
  count += 1;
  return {
    clientOrderId: `order${count}` as ClientOrderId,
    operation: 'op' as OperationId,
    leg: 0,
    attempt: 0,
    purpose: 'leg',
    instrument: 'a:BTC/USDT' as InstrumentId,
    side: 'buy',
    type: 'limit',
    price: new Decimal(price) as Price,
    qty: new Decimal(qty) as Qty,
    timeInForce: 'IOC',
    ...more,
  };
}
const kinds = (): string[] => reports.map(({ kind }) => kind);
const fills = (): string[] => reports.flatMap((report) => (report.kind === 'fill' ? [text(report.fill)] : []));
const text = ({ price, qty, fee, feeAsset }: Fill): string =>
  `${qty.toFixed()}@${price.toFixed()} fee ${fee.toFixed()} ${feeAsset}`;
const send = (...orders: OrderRequest[]): void => {
  gateway.submit(orders);
  clock.runUntil(clock.now() + 20e6);
};

describe('PaperGateway', () => {
  it('fills against the book as it is on arrival, after a latency each way', () => {
    gateway.submit([order('1', '101')]);
    clock.runUntil(1.9e6);
    asks = [[100.5, 4]];
    clock.runUntil(3.9e6);
    expect(reports).toEqual([]);
    clock.runUntil(16e6);
    expect(kinds()).toEqual(['accepted', 'fill']);
    expect(fills()).toEqual(['1@100.5 fee 0.001 BTC']);
    expect(reports[0]!.receivedTimeNs).toBeGreaterThan(4e6);
  });

  it('takes at most the share of each level within the limit; what remains of an IOC expires', () => {
    send(order('3', '101'));
    expect(fills()).toEqual(['0.5@100 fee 0.0005 BTC', '1@101 fee 0.001 BTC']);
    expect(kinds().at(-1)).toBe('expired');
    reports = [];
    asks = [[102, 9]];
    send(order('1', '101'));
    expect(kinds()).toEqual(['accepted', 'expired']);
  });

  it('does not give the same liquidity twice until the level changes', () => {
    send(order('0.4', '100'));
    send(order('0.4', '100'));
    send(order('0.4', '100'));
    expect(fills().map((each) => each.split('@')[0])).toEqual(['0.4', '0.1']);
    asks = [[100, 1.2]];
    send(order('0.4', '100'));
    expect(fills().length).toBe(3);
  });

  it('shows the books as they would be had it really traded', () => {
    send(order('0.3', '100'));
    const [prices, qtys] = [new Float64Array(9), new Float64Array(9)];
    const left = gateway.depths.asks(0 as InstrumentIndex, prices, qtys);
    expect([...prices.subarray(0, left)]).toEqual([100, 101]);
    expect([...qtys.subarray(0, left)]).toEqual([0.2, 1]);
    send(order('0.2', '100'));
    expect(gateway.depths.asks(0 as InstrumentIndex, prices, qtys)).toBe(1);
    expect(prices[0]).toBe(101);
    expect(gateway.depths.bids(0 as InstrumentIndex, prices, qtys)).toBe(1);
    expect(qtys[0]).toBe(0.5);
  });

  it('shows no level of which less than a lot is to be had', () => {
    asks = [
      [100, 0.00015],
      [101, 0.0002],
    ];
    const [prices, qtys] = [new Float64Array(9), new Float64Array(9)];
    expect(gateway.depths.asks(0 as InstrumentIndex, prices, qtys)).toBe(1);
    expect(prices[0]).toBe(101);
  });

  it('fills all of a FOK or nothing', () => {
    send(order('1.6', '101', { timeInForce: 'FOK' }));
    expect(kinds()).toEqual(['accepted', 'expired']);
    send(order('1.5', '101', { timeInForce: 'FOK' }));
    expect(fills().length).toBe(2);
  });

  it('rests a GTC order and fills it as a maker at its own price when the book crosses it', () => {
    send(order('0.3', '99.5', { timeInForce: 'GTC', instrument: 'b:BTC/USDT' as InstrumentId }));
    expect(kinds()).toEqual(['accepted']);
    asks = [[99.4, 0.4]];
    gateway.onBook('b:BTC/USDT' as InstrumentId);
    asks = [[99.3, 0.4]];
    gateway.onBook('b:BTC/USDT' as InstrumentId);
    clock.runUntil(clock.now() + 20e6);
    expect(fills()).toEqual(['0.2@99.5 fee 0.03184 USDT', '0.1@99.5 fee 0.01592 USDT']);
  });

  it('rejects a post-only order that would trade at once, and rests one that would not', () => {
    const kept = { timeInForce: 'GTC', postOnly: true } as const;
    for (const price of ['101', '99']) send(order('0.3', price, kept));
    expect(reports.map((report) => (report.kind === 'rejected' ? report.reason : report.kind))).toEqual([
      'would-take',
      'accepted',
    ]);
  });

  it('cancels what rests', () => {
    const resting = order('0.3', '99', { timeInForce: 'GTC' });
    send(resting);
    gateway.cancel(resting.clientOrderId);
    clock.runUntil(clock.now() + 20e6);
    expect(kinds()).toEqual(['accepted', 'canceled']);
  });

  it('rejects what a venue would reject', () => {
    status = 'stale';
    send(order('1', '101'));
    status = 'live';
    send(order('0.00005', '101'), order('1', '101.001'), order('0.01', '101'));
    expect(reports.map((report) => (report.kind === 'rejected' ? report.reason : report.kind))).toEqual(
      expect.arrayContaining(['venue-down', 'invalid-order', 'invalid-order', 'below-minimum']),
    );
    expect(reports.length).toBe(4);
  });

  it('tells on a probe what it told before: fills, then the state; and does not know what it never saw', () => {
    const filled = order('0.5', '100');
    send(filled);
    const before = reports.filter(({ kind }) => kind === 'fill');
    const expired = order('0.5', '100');
    send(expired);
    reports = [];
    for (const id of [filled.clientOrderId, expired.clientOrderId, 'never' as ClientOrderId]) {
      gateway.probe(id);
      clock.runUntil(clock.now() + 20e6);
    }
    expect(kinds()).toEqual(['fill', 'expired', 'not-found']);
    expect(reports[0]).toMatchObject({ fill: (before[0] as { fill: Fill }).fill });
  });

  it('does the same for the same seed', () => {
    const run = (): string => {
      const timeline: string[] = [];
      const own = new VirtualClock(0n);
      const same = new PaperGateway({
        clock: own,
        random: randomFrom(9),
        depths,
        instrumentOf: (id) => ({ instrument: instrumentOf(id)!, index: 0 as InstrumentIndex }),
        idOf: () => 'a:BTC/USDT' as InstrumentId,
        onReport: ({ receivedTimeNs, kind }) => void timeline.push(`${receivedTimeNs} ${kind}`),
        latencyMs: 5,
        latencyJitterMs: 3,
        displayedFraction: 0.5,
      });
      for (let at = 0; at < 20; at += 1) same.submit([order('0.1', '101')]);
      own.runUntil(1e9);
      return timeline.join();
    };
    expect(run()).toBe(run());
  });
});

describe('PaperGateway of contracts', () => {
  const feeOf = (instrument: Instrument, size: string, price: number, underlying?: number): string => {
    const fees: string[] = [];
    asks = [[price, 1e6]];
    const contracts = new PaperGateway({
      clock,
      random: randomFrom(1),
      depths,
      instrumentOf: () => ({ instrument, index: 0 as InstrumentIndex }),
      idOf: () => instrument.id,
      onReport: (report) => {
        if (report.kind === 'fill') fees.push(`${report.fill.fee.toFixed()} ${report.fill.feeAsset}`);
      },
      latencyMs: 1,
      latencyJitterMs: 0,
      displayedFraction: 1,
      ...(underlying === undefined ? {} : { underlyingOf: () => new Decimal(underlying) }),
    });
    contracts.submit([order(size, String(price), { instrument: instrument.id })]);
    clock.runUntil(clock.now() + 20e6);
    return fees.join();
  };

  it('takes the fee of futures where they settle, of their value', () => {
    expect(feeOf(PERPETUAL, '100', 30_000)).toBe('1.5 USDT');
    expect(feeOf(COIN_FUTURE, '6000', 60_000)).toBe('0.0005 BTC');
  });

  it('takes the fee of options of what underlies them, at most a share of the premium', () => {
    expect(feeOf(CALL, '2', 1_500, 29_000)).toBe('17.4 USDT');
    expect(feeOf(CALL, '2', 1_500)).toBe('18 USDT');
    expect(feeOf(CALL, '2', 10, 29_000)).toBe('2.5 USDT');
    expect(feeOf(COIN_CALL, '2', 0.05)).toBe('0.0006 BTC');
  });

  it('measures the smallest order in quote units', () => {
    const least = { ...COIN_FUTURE, minNotional: new Decimal(100) };
    expect(feeOf(least, '9', 60_000)).toBe('');
    expect(feeOf(least, '10', 50_000)).toBe('0.000001 BTC');
  });

  it('settles at a known price only', () => {
    expect(gateway.settle(CALL, new Decimal(1))).toBeUndefined();
  });
});
