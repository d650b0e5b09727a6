import { Decimal } from 'decimal.js';
import type { Depths } from '#shared/domain/capital.ts';
import type { InstrumentId, InstrumentIndex, VenueId } from '#shared/domain/ids.ts';
import type { RecoveryMarket } from './candidate.ts';

export type RecoveryMarketOptions = Pick<RecoveryMarket, 'needOf' | 'underlyingOf'> & {
  readonly depths: Depths;
  readonly indexOf: (instrument: InstrumentId) => InstrumentIndex;
  readonly freeOf: (venue: VenueId, asset: string) => Decimal;
};

/** Deep enough for any plan: what is not in it counts as not there. */
const LEVELS_MAX = 200;

/** The live books and the ledger as recovery asks about them. */
export function recoveryMarketFrom({ depths, indexOf, freeOf, ...asked }: RecoveryMarketOptions): RecoveryMarket {
  const prices = new Float64Array(LEVELS_MAX);
  const qtys = new Float64Array(LEVELS_MAX);
  return {
    levels: ({ id }, side) => {
      const index = indexOf(id);
      if (depths.status(index) !== 'live') return [];
      const count = side === 'buy' ? depths.asks(index, prices, qtys) : depths.bids(index, prices, qtys);
      // The shortest text of a double that was read from decimal text is that text: nothing is lost here.
      return Array.from({ length: count }, (_, at) => ({
        price: new Decimal(prices[at]!),
        qty: new Decimal(qtys[at]!),
      }));
    },
    freeOf: ({ venue }, asset) => freeOf(venue, asset),
    ...asked,
  };
}
