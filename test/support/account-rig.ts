import { Decimal } from 'decimal.js';
import type { AccountSetup, Outside } from '#hotpath/execute/account/account-client.ts';
import type { Logger } from '#hotpath/runtime/logger.ts';
import type { Account, BalanceState } from '#hotpath/venues/venue-account.ts';
import { inProcessTransport } from '#local/in-process-transport.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { ClientOrderId, OperationId, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { OrderReport, OrderRequest } from '#shared/domain/order.ts';
import type { Price, Qty } from '#shared/money/grid.ts';
import { textOf } from '#shared/money/grid.ts';
import { randomFrom } from '#shared/random.ts';
import { spot } from '../hotpath/execute/trading.ts';
import { ScriptedVenue } from './account-venue.ts';

export const BTC: Instrument = spot('scripted', 'BTC/USDT', 'received');
export const ETH: Instrument = spot('scripted', 'ETH/USDT', 'received');
export const CREDENTIALS = { apiKey: 'key-of-the-desk', secret: 'c2VjcmV0+/for=tests', passphrase: 'open sesame' };
const ORIGIN_NS = 1_795_219_200_000_000_000n;

/** What was logged, as text. */
export class LogBook {
  readonly lines: string[] = [];
  readonly logger: Logger;

  constructor() {
    const line =
      (level: string): Logger['info'] =>
      (event, fields) =>
        void this.lines.push(`${level} ${event} ${JSON.stringify(fields ?? {})}`);
    this.logger = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
  }

  count(event: string): number {
    return this.lines.filter((each) => each.includes(` ${event} `)).length;
  }
}

/** A scripted venue on a virtual clock, and what a gateway or a client to it needs. */
export function accountRig(account: Account, more: Partial<AccountSetup> = {}) {
  const clock = new VirtualClock(ORIGIN_NS);
  const random = randomFrom(5);
  const venue = new ScriptedVenue(clock);
  const log = new LogBook();
  const outside: Outside = {
    clock,
    random,
    logger: log.logger,
    transport: inProcessTransport(venue, clock, random, 4),
  };
  const setup: AccountSetup = {
    venue: 'scripted' as VenueId,
    account,
    credentials: CREDENTIALS,
    marginMode: 'cross',
    leverage: 1,
    reserved: 0.2,
    ...more,
  };
  const reports: OrderReport[] = [];
  const balances: BalanceState[] = [];
  const options = {
    ...outside,
    setup,
    instruments: [BTC, ETH],
    onReport: (report: OrderReport) => void reports.push(report),
    onBalance: (balance: BalanceState) => void balances.push(balance),
  };
  const forward = (ms: number): void => clock.runUntil(clock.now() + ms * 1e6);
  return { clock, venue, log, outside, setup, options, reports, balances, forward };
}

let count = 0;
export function orderOf(more: Partial<OrderRequest> = {}): OrderRequest {
  count += 1;
  return {
    clientOrderId: `order${count}` as ClientOrderId,
    operation: 'op' as OperationId,
    leg: 0,
    attempt: 0,
    purpose: 'leg',
    instrument: BTC.id,
    side: 'buy',
    type: 'limit',
    price: new Decimal('100') as Price,
    qty: new Decimal('2') as Qty,
    timeInForce: 'IOC',
    ...more,
  };
}

/** `accepted v1`, `fill t2 1.5 0.01 BNB`, `rejected not-allowed`: what was reported, in a word each. */
export function told(report: OrderReport): string {
  switch (report.kind) {
    case 'accepted': {
      const { venueOrderId, standing } = report;
      return `accepted ${venueOrderId}${standing === undefined ? '' : ` ${textOf(standing.qty)}@${textOf(standing.price)}`}`;
    }
    case 'fill': {
      const { tradeId, qty, fee, feeAsset } = report.fill;
      return `fill ${tradeId} ${qty.toFixed()} ${fee.toFixed()} ${feeAsset}`;
    }
    case 'rejected':
      return `rejected ${report.reason}`;
    case 'kept':
      return `kept ${report.reason}`;
    case 'unknown':
      return `unknown ${report.cause}`;
    case 'canceled':
    case 'expired':
    case 'not-found':
      return report.kind;
  }
}
