import type { TradeId } from '#shared/domain/ids.ts';
import type { ForcedFill } from '#shared/domain/held.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { VenueFill } from '../../venues/venue-account.ts';
import { feeOf } from './order-tracker.ts';

/** A trade that the venue has made of a position by itself; undefined for one of an order, and for what nobody here trades. */
export function forcedFillOf(fill: VenueFill, instruments: readonly Instrument[]): ForcedFill | undefined {
  const { forced, venueSymbol, market, tradeId, side, price, qty, timeMs } = fill;
  if (forced === undefined) return undefined;
  const instrument = instruments.find(
    (each) => each.venueSymbol === venueSymbol && (market === undefined || each.market === market),
  );
  if (instrument === undefined) return undefined;
  const fee = feeOf(fill, instrument);
  return { instrument: instrument.id, tradeId: tradeId as TradeId, side, price, qty, ...fee, forced, timeMs };
}
