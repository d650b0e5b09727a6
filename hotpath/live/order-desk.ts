import { Decimal } from 'decimal.js';
import type { Clock } from '#shared/clock/clock.ts';
import type { Depths } from '#shared/domain/capital.ts';
import type { SettledTerms } from '#shared/domain/held.ts';
import type { InstrumentId } from '#shared/domain/ids.ts';
import type { TradePrint } from '#shared/domain/market-event.ts';
import type { OrderGateway } from '#shared/domain/order.ts';
import type { Cleared } from '../execute/accounts.ts';
import type { Executor } from '../execute/executor.ts';
import type { PaperGateway } from '../execute/paper-gateway.ts';
import type { Settlement } from '../execute/settlement.ts';
import type { Shadow } from '../execute/shadow-gateway.ts';
import { settlementOf } from '../execute/settlement.ts';
import type { LiveAccounts } from './live-accounts.ts';

/** What stands behind the orders of a run. */
export type OrderDesk = {
  readonly gateway: OrderGateway;
  /** The books as whoever decides must see them. */
  readonly depths: Depths;
  /** How an expired contract was closed; undefined while its price is not known. */
  readonly settle: (terms: SettledTerms, size: Decimal) => Settlement | undefined;
  /** Told after each change of a book: what rests on paper may trade. */
  readonly onBook: (instrument: InstrumentId) => void;
  /** Told of the tape, where orders are judged by it. */
  readonly onPrint?: (print: TradePrint) => void;
  /** Ends every open order, and asks until none is left. */
  readonly clear: (done: (cleared: readonly Cleared[]) => void) => void;
  /** Undefined on paper. */
  readonly live: LiveAccounts | undefined;
};

type Resting = Pick<Executor, 'restingOrders' | 'cancelOrder'>;

const PAPER_ROUND_MS = 50;
const PAPER_ROUNDS_MAX = 100;

/** Orders trade on paper against the live books. `executor` is asked when there is one. */
export function paperDesk(paper: PaperGateway, clock: Clock, executor: () => Resting): OrderDesk {
  return {
    gateway: paper,
    depths: paper.depths,
    settle: paper.settle,
    onBook: paper.onBook,
    clear: (done) => {
      const startedNs = clock.now();
      const open = executor().restingOrders().length;
      const round = (count: number): void => {
        const left = executor().restingOrders();
        if (left.length === 0 || count > PAPER_ROUNDS_MAX) {
          const ms = (clock.now() - startedNs) / 1e6;
          done([{ venue: 'paper', account: 'paper', open, left: left.length, isKnown: true, ms }]);
          return;
        }
        for (const order of left) executor().cancelOrder(order);
        clock.after(PAPER_ROUND_MS, () => round(count + 1));
      };
      round(1);
    },
    live: undefined,
  };
}

/** The accounts are the venues', the orders are not: what would have become of them is judged by the tape. */
export function shadowDesk({ gateway, onPrint }: Shadow, clock: Clock, executor: () => Resting): OrderDesk {
  return { ...paperDesk(gateway, clock, executor), onPrint };
}

/** Orders go to the venues' accounts. The books are as they are: what we have taken of them is gone there too. */
export function liveDesk(
  live: LiveAccounts,
  depths: Depths,
  settlementPriceOf: (terms: SettledTerms) => number | undefined,
): OrderDesk {
  return {
    gateway: live.gateway,
    depths,
    // The venue has closed it; what it paid is reckoned, and compared with its word by and by.
    settle: (terms, size) => {
      const price = settlementPriceOf(terms);
      return price === undefined || !(price > 0) ? undefined : settlementOf(terms, size, new Decimal(price));
    },
    onBook: () => undefined,
    clear: live.cancelAll,
    live,
  };
}
