import { Decimal } from 'decimal.js';
import type { Depths } from '#shared/domain/capital.ts';
import type { InstrumentId, InstrumentIndex, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Elsewhere, RecoveryMarket } from './candidate.ts';
import { NOWHERE_ELSE } from './elsewhere.ts';

export type RecoveryMarketOptions = Pick<RecoveryMarket, 'needOf' | 'underlyingOf'> & {
  readonly depths: Depths;
  readonly indexOf: (instrument: InstrumentId) => InstrumentIndex;
  readonly freeOf: (venue: VenueId, asset: string) => Decimal;
  /** Absent where every leg has its own book only. */
  readonly elsewhere?: Elsewhere;
  /** What a long of a perpetual is expected to pay over the time, as a fraction of its value; NaN while its venue has not said. */
  readonly expectedFunding?: (perpetual: Instrument, holdMs: number) => number;
};

/** Deep enough for any plan: what is not in it counts as not there. */
const LEVELS_MAX = 200;
/** Recovery gives up sooner than this; a payment in between is paid whole. */
const COVERED_MS = 8 * 3_600_000;
/** Of a perpetual whose venue has not said what it pays. */
const CARRY_UNKNOWN = new Decimal('0.001');

/** The live books and the ledger as recovery asks about them. */
export function recoveryMarketFrom(options: RecoveryMarketOptions): RecoveryMarket {
  const { depths, indexOf, freeOf, needOf, underlyingOf, elsewhere, expectedFunding } = options;
  const prices = new Float64Array(LEVELS_MAX);
  const qtys = new Float64Array(LEVELS_MAX);
  return {
    ...(elsewhere ?? NOWHERE_ELSE),
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
    needOf,
    underlyingOf,
    carryOf: (perpetual, side) => {
      const long = expectedFunding?.(perpetual, COVERED_MS) ?? NaN;
      if (Number.isNaN(long)) return CARRY_UNKNOWN;
      return new Decimal(Math.max(0, side === 'buy' ? long : -long));
    },
  };
}
