import { asset, idOf, venueId } from '#hotpath/venues/venue.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { amountOf } from '#shared/money/grid.ts';

/** An instrument of which only the venue's spelling matters; a tick of 0 says that it is not known. */
export function instrumentOf(venue: string, market: string, venueSymbol: string, tick = '0'): Instrument {
  return {
    id: idOf(venueId(venue), `${market}/${venueSymbol}`),
    venue: venueId(venue),
    market,
    symbol: venueSymbol,
    venueSymbol,
    kind: 'spot',
    base: asset('BASE'),
    quote: asset('QUOTE'),
    settle: asset('QUOTE'),
    contractSize: amountOf(1),
    inverse: false,
    tick: amountOf(tick),
    lot: amountOf('0.00000001'),
    minQty: amountOf('0.00000001'),
    minNotional: amountOf(0),
    fees: { maker: amountOf('0.001'), taker: amountOf('0.001'), currency: 'received' },
    status: 'trading',
  };
}
