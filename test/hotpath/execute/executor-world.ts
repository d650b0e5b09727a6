import { Decimal } from 'decimal.js';
import type { ExecutorOptions } from '#hotpath/execute/executor.ts';
import { Executor, PATIENCE } from '#hotpath/execute/executor.ts';
import { Ledger } from '#hotpath/execute/ledger.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { Asset, ClientOrderId, TradeId, VenueId } from '#shared/domain/ids.ts';
import type { OrderReport, OrderRequest, Standing } from '#shared/domain/order.ts';
import type { OperationView, Recovery } from '#shared/domain/recovery.ts';
import type { EventData } from '#shared/schema/event.ts';
import { instrumentOf, MemoryJournal, rates } from './trading.ts';

export const BUY = ['a:BTC/USDT', 'buy', '0.2', '50000'] as const;
export const SELL = ['b:BTC/USDT', 'sell', '0.1998', '50100'] as const;

export type Said = OrderReport extends infer Report
  ? Report extends OrderReport
    ? Omit<Report, 'clientOrderId' | 'receivedTimeNs'>
    : never
  : never;

/** An executor whose venue and recovery say what the test wants: two accounts of 20,000 USDT and 1 BTC each. */
export class ExecutorWorld {
  readonly clock = new VirtualClock(1_700_000_000_000_000_000n);
  readonly journal = new MemoryJournal(this.clock);
  readonly ledger = new Ledger(this.clock);
  readonly sent: OrderRequest[] = [];
  readonly probed: ClientOrderId[] = [];
  readonly canceled: ClientOrderId[] = [];
  /** Whether the venue replaces in place, and what it was asked. */
  replaces = true;
  readonly replaced: (Standing & { readonly id: ClientOrderId })[] = [];
  readonly views: OperationView[] = [];
  decision: Recovery = { kind: 'complete' };
  /** Why nothing may leave. */
  closed: string | undefined;
  readonly executor: Executor;

  constructor({ funds = true, ...options }: Partial<ExecutorOptions> & { readonly funds?: boolean } = {}) {
    for (const venue of funds ? (['a', 'b'] as VenueId[]) : []) {
      this.ledger.deposit(venue, 'USDT', new Decimal(20_000));
      this.ledger.deposit(venue, 'BTC', new Decimal(1));
    }
    this.executor = new Executor({
      clock: this.clock,
      gateway: {
        submit: (orders) => this.sent.push(...orders),
        cancel: (id) => this.canceled.push(id),
        replace: (id, to) => {
          if (this.replaces) this.replaced.push({ id, ...to });
          return this.replaces;
        },
        probe: (id) => this.probed.push(id),
      },
      ledger: this.ledger,
      recorder: this.journal,
      instrumentOf,
      decide: (view) => {
        this.views.push(view);
        return this.decision;
      },
      opportunityOf: (seen) => `first-${seen}` as never,
      epoch: 7,
      patience: PATIENCE,
      rateOf: (asset) => (rates as Record<string, Decimal>)[asset]?.toNumber(),
      fence: () => this.closed,
      ...options,
    });
  }

  readonly say = (order: OrderRequest, report: Said): void =>
    this.executor.onReport({ clientOrderId: order.clientOrderId, receivedTimeNs: this.clock.now(), ...report });

  readonly told = (): string[] =>
    this.journal.of('operation').map(({ state, reason }) => (reason === undefined ? state : `${state} ${reason}`));

  readonly orderStates = (id: string): string[] =>
    this.journal
      .of('order')
      .filter(({ client_order_id }) => client_order_id === id)
      .map(({ status }) => status);

  asked(): EventData<'escalation'> {
    return this.journal.of('escalation').at(-1)!;
  }

  runMs(ms: number): void {
    this.clock.runUntil(this.clock.now() + ms * 1e6);
  }
}

/** A fill at the order's price, with a fee of 0.0001 of what it receives. */
export function fill(order: OrderRequest, qty: string, trade = '1'): Extract<Said, { kind: 'fill' }> {
  const feeAsset = (order.side === 'buy' ? 'BTC' : 'USDT') as Asset;
  return {
    kind: 'fill',
    fill: {
      tradeId: `${order.clientOrderId}-${trade}` as TradeId,
      clientOrderId: order.clientOrderId,
      instrument: order.instrument,
      side: order.side,
      price: order.price,
      qty: new Decimal(qty),
      fee: new Decimal('0.0001'),
      feeAsset,
      liquidity: 'taker',
    },
  };
}
