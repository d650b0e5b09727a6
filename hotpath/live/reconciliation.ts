import type { ForcedFill } from '#shared/domain/held.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { OpenOperation } from '#shared/domain/recovery.ts';
import { textOf } from '#shared/money/grid.ts';
import { tradeKey } from '#shared/money/pnl.ts';
import { forcedFillOf } from '../execute/account/forced.ts';
import type { TradingAccount } from '../execute/account/trading-account.ts';
import { CLIENT_ORDER_ID_LENGTH, clientOrderIdParts } from '../execute/client-order-id.ts';
import type { RecentOrder } from '../recover/journal-state.ts';
import type { Mismatch } from '../recover/verification.ts';
import type { OrderState, VenueFill } from '../venues/venue-account.ts';

/** What the journal knows, as far as venues may know otherwise. */
export type Memory = {
  readonly openOperations: readonly OpenOperation[];
  /** Of operations that are open or were lately: their fills find them. */
  readonly recentOrders: ReadonlyMap<ClientOrderId, RecentOrder>;
  readonly recentTrades: ReadonlySet<string>;
  /** When the last event was journalled, Unix ms; 0 before the first start: then nothing that traded was ours. */
  readonly atMs: number;
};

/** Trades are asked for from so long before the last event: a stream that had been lost had not told all of them. */
const OVERLAP_MS = 60_000;
/** So long before it a trade of nobody's is strange: clocks differ. Earlier, it may be of an operation that the journal has forgotten. */
const STRANGE_MS = 5_000;

/** What is asked, and how it writes our ids. */
export type Reconciled = Pick<TradingAccount, 'venue' | 'instruments' | 'venueClientId'> & {
  readonly gateway: Pick<TradingAccount['gateway'], 'askOpenOrders' | 'askFills' | 'cancelStranger'>;
};

/** What an account has that the journal does not know. */
export type Found = {
  readonly strange: readonly Omit<Mismatch, 'state'>[];
  /** Orders of ours, of operations that are over, that have traded since: to be asked about. */
  readonly late: readonly ClientOrderId[];
  /** What the venue has traded of our positions by itself since. */
  readonly forced: readonly ForcedFill[];
};

/**
 * Orders of ours that nobody follows are cancelled at the venue, trades of nobody's operation are told. What the journal left open is not looked at: it is
 * asked for order by order. `done` gets undefined when the venue did not answer.
 */
export function reconcileAccount(account: Reconciled, memory: Memory, done: (found: Found | undefined) => void): void {
  const left = new Set<string>(
    memory.openOperations.flatMap(({ orders }) =>
      orders.map(({ request }) => account.venueClientId(request.clientOrderId)),
    ),
  );
  account.gateway.askOpenOrders((open) => {
    if (open === undefined) {
      done(undefined);
      return;
    }
    const orphans = open.filter(
      ({ clientOrderId, status }) => status === 'open' && isOrphan(clientOrderId, account, left),
    );
    for (const order of orphans) account.gateway.cancelStranger(order);
    const cancelled = orphans.map((order) => orphanOf(account, order));
    if (memory.atMs === 0) {
      done({ strange: cancelled, late: [], forced: [] });
      return;
    }
    account.gateway.askFills(memory.atMs - OVERLAP_MS, (fills) => {
      if (fills === undefined) {
        done(undefined);
        return;
      }
      const found = unknownTrades(account, fills, memory);
      done({ ...found, strange: [...cancelled, ...found.strange] });
    });
  });
}

/** Of ours by its form, and of no operation that is open. Where venues take numbers only, nobody can tell. */
function isOrphan(written: string, { venueClientId }: Reconciled, left: ReadonlySet<string>): boolean {
  const ours = written.slice(-CLIENT_ORDER_ID_LENGTH);
  const isOurs = clientOrderIdParts(ours) !== undefined && venueClientId(ours as ClientOrderId) === written;
  return isOurs && !left.has(written);
}

function orphanOf({ venue }: Reconciled, order: OrderState): Omit<Mismatch, 'state'> {
  return {
    venue,
    what: 'order',
    id: order.clientOrderId,
    ledger: 'none',
    venue_says: `open ${order.side} ${textOf(order.qty)} ${order.venueSymbol}`,
    reason: 'an order of ours that the journal does not know: cancelled',
  };
}

/** Trades that the journal does not know: of orders that it does, or of nobody. */
function unknownTrades(
  { venue, instruments, venueClientId }: Reconciled,
  fills: readonly VenueFill[],
  { recentOrders, recentTrades, atMs }: Memory,
): Found {
  const strange: Omit<Mismatch, 'state'>[] = [];
  const late = new Set<ClientOrderId>();
  const forced: ForcedFill[] = [];
  for (const fill of fills) {
    const instrument = instrumentOf(fill, instruments);
    if (instrument === undefined) continue;
    const { side, tradeId } = fill;
    if (recentTrades.has(tradeKey({ instrument: instrument.id, side, tradeId }))) continue;
    const found = forcedFillOf(fill, instruments);
    if (found !== undefined) {
      forced.push(found);
      continue;
    }
    const orders = [...recentOrders.values()].filter(
      ({ request, venueOrderId }) =>
        request.instrument === instrument.id &&
        // Without our id on it, it may be of any whose number nobody has heard.
        (fill.clientOrderId === ''
          ? venueOrderId === undefined || venueOrderId === fill.venueOrderId
          : venueClientId(request.clientOrderId) === fill.clientOrderId),
    );
    for (const { request } of orders) late.add(request.clientOrderId);
    const isOld = fill.timeMs < atMs - STRANGE_MS;
    if (orders.length === 0 && !isOld) strange.push(strangeTradeOf(venue, instrument, fill));
  }
  return { strange, late: [...late], forced };
}

function strangeTradeOf(
  venue: string,
  { symbol }: Instrument,
  { side, tradeId, qty, price, clientOrderId, venueOrderId }: VenueFill,
): Omit<Mismatch, 'state'> {
  return {
    venue,
    what: 'order',
    id: clientOrderId === '' ? venueOrderId : clientOrderId,
    ledger: 'none',
    venue_says: `${side} ${textOf(qty)} ${symbol} at ${textOf(price)}, trade ${tradeId}`,
    reason: 'a trade that the journal does not know',
  };
}

const instrumentOf = (
  { venueSymbol, market }: Pick<VenueFill, 'venueSymbol' | 'market'>,
  instruments: readonly Instrument[],
): Instrument | undefined =>
  instruments.find((each) => each.venueSymbol === venueSymbol && (market === undefined || each.market === market));
