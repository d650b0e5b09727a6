import type { Decimal } from 'decimal.js';
import type { Asset, InstrumentId, VenueId } from './ids.ts';

export type InstrumentKind = 'spot' | 'perpetual' | 'future' | 'option' | 'combo';

/** In which asset a venue takes its fee: the received one (Binance, OKX spot), the quote (Kraken), or the settlement asset. */
export type FeeCurrency = 'received' | 'quote' | 'settle';

export type Fees = {
  /** Fractions: 0.001 is 10 bps. */
  readonly maker: Decimal;
  readonly taker: Decimal;
  readonly currency: FeeCurrency;
  /** Options: maker and taker are fractions of the underlying, and a fee is at most this share of the premium. No cap where absent. */
  readonly premiumShareMax?: Decimal;
  /** What the settlement at expiry costs: a fraction of the settled value (futures) or of the underlying (options). None where absent. */
  readonly delivery?: Decimal;
  /** Where the account pays its fees in the venue's own token, at a discount (a fraction), as long as it holds enough of it. */
  readonly token?: { readonly asset: Asset; readonly discount: Decimal };
};

/** How a perpetual pays funding, as its listing or the venue's documentation says. What frames say goes before it. */
export type Funding = {
  /** How long the transmitted rate is for. */
  readonly intervalMs: number;
  /** One of the times at which it is paid, Unix ms; the others are whole intervals away. */
  readonly paidMs?: number;
  /** It is paid all the time: there is no next time. */
  readonly flows?: true;
};

/** Everything the engine knows of a tradable thing. Sizes are in the venue's unit (contracts where it trades contracts). */
export type Instrument = {
  readonly id: InstrumentId;
  readonly venue: VenueId;
  /** The venue's segment that carries it: `spot`, `usdm`, `coinm`, `swap`. Picks URL, protocol rules and endpoints. */
  readonly market: string;
  /** ccxt unified: `BTC/USDT`, `BTC/USDT:USDT`, `BTC/USD:BTC-261225`. */
  readonly symbol: string;
  /** The venue's spelling on the wire: `BTCUSDT`, `BTC-USDT-SWAP`. */
  readonly venueSymbol: string;
  /** The venue's number for it, where orders must name that instead (OKX `instIdCode`). */
  readonly venueCode?: string;
  readonly kind: InstrumentKind;
  readonly base: Asset;
  readonly quote: Asset;
  readonly settle: Asset;
  /** Base units a contract (linear), quote units a contract (inverse), 1 for spot. */
  readonly contractSize: Decimal;
  readonly inverse: boolean;
  readonly tick: Decimal;
  /** Coarser ticks of higher prices, lowest first: a price above `above` lies on `tick`. Absent where one tick holds for all. */
  readonly tickSteps?: readonly { readonly above: Decimal; readonly tick: Decimal }[];
  readonly lot: Decimal;
  readonly minQty: Decimal;
  /** In quote units; zero where the venue has no such rule. */
  readonly minNotional: Decimal;
  readonly fees: Fees;
  /** Absent where nobody says it: it then shows in two next times that follow each other. */
  readonly funding?: Funding;
  readonly expiryMs?: number;
  readonly strike?: Decimal;
  readonly right?: 'call' | 'put';
  /** A structure that the venue trades as one: what one unit of it buys (positive) and sells (negative), by venue symbol. */
  readonly combo?: readonly { readonly venueSymbol: string; readonly ratio: Decimal }[];
  readonly status: 'trading' | 'halted';
};
