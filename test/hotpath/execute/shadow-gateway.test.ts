import { Decimal } from 'decimal.js';
import { beforeEach, describe, expect, it } from 'vitest';
import type { PaperGateway } from '#hotpath/execute/paper-gateway.ts';
import { shadowGateway, type Shadow } from '#hotpath/execute/shadow-gateway.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { ClientOrderId, InstrumentId, InstrumentIndex, OperationId } from '#shared/domain/ids.ts';
import type { BookStatus } from '#shared/domain/market-event.ts';
import type { OrderReport, OrderRequest } from '#shared/domain/order.ts';
import type { Price, Qty } from '#shared/money/grid.ts';
import { randomFrom } from '#shared/random.ts';
import { instrumentOf } from './trading.ts';
import type { BookSide } from '#test/support/two-sided.ts';
import { depthsOf } from '#test/support/two-sided.ts';

let status: BookStatus;
let asks: BookSide;
let bids: BookSide;
let clock: VirtualClock;
let reports: OrderReport[];
let shadow: Shadow;
let gateway: PaperGateway;

const depths = depthsOf({ status: () => status, asks: () => asks, bids: () => bids });

/** 10 ms there, 10 ms back, then 100 ms in which the tape speaks. */
beforeEach(() => {
  status = 'live';
  asks = [
    [100, 2],
    [101, 4],
  ];
  bids = [[99, 2]];
  clock = new VirtualClock(0n);
  reports = [];
  shadow = shadowGateway({
    clock,
    random: randomFrom(1),
    depths,
    instrumentOf: (id) => ({ instrument: instrumentOf(id)!, index: 0 as InstrumentIndex }),
    idOf: () => 'a:BTC/USDT' as InstrumentId,
    onReport: (report) => void reports.push(report),
    latencyMs: 10,
    latencyJitterMs: 0,
    displayedFraction: 0.5,
    windowMs: 100,
  });
  ({ gateway } = shadow);
});

let count = 0;
const order = (qty: string, price: string, more: Partial<OrderRequest> = {}): OrderRequest => {
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
};
const forward = (ms: number): void => clock.runUntil(clock.now() + ms * 1e6);
const print = (price: number, qty: number, taker: 1 | -1 = 1, instrument = 0): void =>
  shadow.onPrint({
    instrument: instrument as InstrumentIndex,
    price,
    qty,
    taker,
    venueTimeMs: NaN,
    receivedTimeNs: clock.now(),
  });
const fills = (id?: ClientOrderId): string[] =>
  reports.flatMap((report) =>
    report.kind === 'fill' && (id === undefined || report.clientOrderId === id)
      ? [`${report.fill.qty.toFixed()}@${report.fill.price.toFixed()}`]
      : [],
  );
const kinds = (): string[] => reports.map(({ kind }) => kind);

describe('an order in the shadow', () => {
  it('is accepted after both ways, and judged when the window is over', () => {
    gateway.submit([order('1', '100')]);
    forward(20);
    expect(kinds()).toEqual(['accepted']);
    forward(100);
    expect(fills()).toEqual([]);
    forward(10);
    expect(kinds()).toEqual(['accepted', 'fill']);
    expect(fills()).toEqual(['1@100']);
  });

  it('gets a share of what stood all the while', () => {
    gateway.submit([order('9', '101')]);
    forward(200);
    expect(fills()).toEqual(['1@100', '2@101']);
    expect(kinds().at(-1)).toBe('expired');
  });

  it('gets nothing of what was withdrawn before the tape could prove it, where paper would have filled', () => {
    gateway.submit([order('1', '100')]);
    forward(50);
    asks = [[101, 4]];
    forward(200);
    expect(fills()).toEqual([]);
    expect(kinds()).toEqual(['accepted', 'expired']);
  });

  it('gets a share of what others have taken since, within the limit', () => {
    gateway.submit([order('1', '100')]);
    forward(50);
    print(100, 1.2);
    asks = [[101, 4]];
    forward(200);
    expect(fills()).toEqual(['0.6@100']);
  });

  it('believes no print beyond what was displayed on arrival, of the other side, elsewhere, or from before it', () => {
    gateway.submit([order('3', '100')]);
    forward(15);
    print(100, 50);
    forward(35);
    print(99.5, 50);
    print(100, 50, -1);
    print(100, 50, 1, 1);
    print(101, 50);
    asks = [[101, 4]];
    forward(200);
    expect(fills()).toEqual([]);
    asks = [[100, 2]];
    gateway.submit([order('3', '100')]);
    forward(50);
    print(100, 50);
    asks = [];
    forward(200);
    expect(fills()).toEqual(['1@100']);
  });

  it('gets nothing of what came after it', () => {
    asks = [[101, 4]];
    gateway.submit([order('1', '100')]);
    forward(50);
    asks = [[100, 9]];
    forward(200);
    expect(fills()).toEqual([]);
  });

  it('leaves less to our orders that are judged after it on the same levels', () => {
    const [first, second] = [order('0.8', '100'), order('0.8', '100')];
    gateway.submit([first]);
    forward(30);
    gateway.submit([second]);
    forward(300);
    expect(fills(first.clientOrderId)).toEqual(['0.8@100']);
    expect(fills(second.clientOrderId)).toEqual(['0.2@100']);
    gateway.submit([order('0.8', '100')]);
    forward(300);
    expect(fills().length).toBe(2);
  });

  it('shows what it has taken in the books that are decided on', () => {
    gateway.submit([order('1', '100')]);
    forward(200);
    const [prices, qtys] = [new Float64Array(9), new Float64Array(9)];
    expect(gateway.depths.asks(0 as InstrumentIndex, prices, qtys)).toBe(1);
    expect(prices[0]).toBe(101);
  });

  it('sells alike, and fills all of a FOK or nothing', () => {
    gateway.submit([order('0.9', '99', { side: 'sell' }), order('1.1', '99', { side: 'sell', timeInForce: 'FOK' })]);
    forward(300);
    expect(fills()).toEqual(['0.9@99']);
    expect(kinds().filter((kind) => kind === 'expired')).toHaveLength(1);
  });

  it('rests with what it has not got, and fills as on paper when the book crosses it', () => {
    const resting = order('3', '100', { timeInForce: 'GTC' });
    gateway.submit([resting]);
    forward(200);
    expect(fills()).toEqual(['1@100']);
    asks = [[99.5, 8]];
    gateway.onBook('a:BTC/USDT' as InstrumentId);
    forward(20);
    expect(fills()).toEqual(['1@100', '2@100']);
  });

  it('can be taken back while it is judged, and then gets nothing', () => {
    const taken = order('1', '100', { timeInForce: 'GTC' });
    gateway.submit([taken]);
    forward(50);
    gateway.cancel(taken.clientOrderId);
    forward(300);
    expect(kinds()).toEqual(['accepted', 'canceled']);
    expect(fills()).toEqual([]);
  });

  it('gets nothing of a book that is not live when it is judged', () => {
    gateway.submit([order('1', '100')]);
    forward(50);
    status = 'gap';
    forward(200);
    expect(fills()).toEqual([]);
  });
});
