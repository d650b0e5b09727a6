import { Decimal } from 'decimal.js';
import type { Clock } from '#shared/clock/clock.ts';
import type { Depths } from '#shared/domain/capital.ts';
import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { TradePrint } from '#shared/domain/market-event.ts';
import type { OrderRequest } from '#shared/domain/order.ts';
import type { Side } from '#shared/domain/route.ts';
import type { Evidence, Offer, PaperGatewayOptions, TakenOf, Witness } from './paper-gateway.ts';
import { PaperGateway } from './paper-gateway.ts';

export type ShadowOptions = PaperGatewayOptions & { readonly windowMs: number };
export type Shadow = { readonly gateway: PaperGateway; readonly onPrint: (print: TradePrint) => void };

/**
 * Orders that are recorded and not sent. What would have become of them is judged by what happened later: an order that takes gets of each level what
 * was displayed when it arrived and was then traded, or still stood when the window was over. What was withdrawn meanwhile may have been gone before,
 * and is not counted; what came later is not either. The book on arrival is the one that we see an answer's way later. An order that rests fills as on paper,
 * once the book has crossed it.
 */
export function shadowGateway(options: ShadowOptions): Shadow {
  const tape = new Tape(options);
  return { gateway: new PaperGateway({ ...options, evidence: tape }), onPrint: tape.onPrint };
}

const LEVELS_MAX = 256;
/** Orders that are being judged at a time: as many as may be open. */
const WITNESSES_MAX = 1_000;

type TapeOptions = {
  readonly clock: Pick<Clock, 'now'>;
  readonly depths: Depths;
  readonly windowMs: number;
  readonly displayedFraction: number;
};

/** Books and prints while orders are judged. */
class Tape implements Evidence {
  readonly windowMs: number;
  readonly #options: TapeOptions;
  readonly #open = new Map<InstrumentIndex, Set<OrderWitness>>();
  #count = 0;

  constructor(options: TapeOptions) {
    this.#options = options;
    this.windowMs = options.windowMs;
  }

  readonly open: Evidence['open'] = (request, instrument, takenOf) => {
    const { depths, displayedFraction } = this.#options;
    if (this.#count >= WITNESSES_MAX) return undefined;
    const witnesses = this.#open.get(instrument) ?? new Set<OrderWitness>();
    this.#open.set(instrument, witnesses);
    const witness = new OrderWitness(request, instrument, {
      depths,
      takenOf,
      share: displayedFraction,
      sinceNs: this.#options.clock.now(),
      // Who is judged later on the same levels finds less of them.
      onTaken: (price, qty) => {
        for (const other of witnesses) if (other !== witness && other.side === witness.side) other.give(price, qty);
      },
      onClosed: () => {
        this.#count -= 1;
        witnesses.delete(witness);
        if (witnesses.size === 0) this.#open.delete(instrument);
      },
    });
    this.#count += 1;
    witnesses.add(witness);
    return witness;
  };

  readonly onPrint = (print: TradePrint): void => {
    if (this.#count === 0) return;
    const witnesses = this.#open.get(print.instrument);
    if (witnesses === undefined) return;
    for (const witness of witnesses) witness.onPrint(print);
  };
}

type Seen = {
  /** On arrival. */
  readonly displayed: number;
  /** Of it: traded since by others who took as we would have. */
  printed: number;
  /** Of it: what orders of ours had before, and what they were given meanwhile. */
  given: Decimal;
};

type WitnessOptions = {
  readonly depths: Depths;
  readonly takenOf: TakenOf;
  readonly share: number;
  readonly sinceNs: TimeNs;
  readonly onTaken: (price: number, qty: Decimal) => void;
  readonly onClosed: () => void;
};

/** What becomes of the levels that one order could take. */
class OrderWitness implements Witness {
  readonly side: Side;
  readonly #options: WitnessOptions;
  readonly #instrument: InstrumentIndex;
  readonly #limit: number;
  /** Best first. */
  readonly #levels = new Map<number, Seen>();

  constructor({ side, price }: OrderRequest, instrument: InstrumentIndex, options: WitnessOptions) {
    this.side = side;
    this.#options = options;
    this.#instrument = instrument;
    this.#limit = price.toNumber();
    for (const [at, displayed] of this.#displayed()) {
      this.#levels.set(at, { displayed, printed: 0, given: options.takenOf({ price: at, displayed }) });
    }
  }

  onPrint({ price, qty, taker, receivedTimeNs }: TradePrint): void {
    if (taker !== (this.side === 'buy' ? 1 : -1) || receivedTimeNs < this.#options.sinceNs) return;
    const level = this.#levels.get(price);
    if (level !== undefined) level.printed += qty;
  }

  give(price: number, qty: Decimal): void {
    const level = this.#levels.get(price);
    if (level !== undefined) level.given = level.given.plus(qty);
  }

  readonly judged = (): readonly Offer[] => {
    const now = this.#displayed();
    const offers: Offer[] = [];
    for (const [price, { displayed, printed, given }] of this.#levels) {
      const standing = now.get(price) ?? 0;
      const proven = Math.min(displayed, standing + printed);
      const qty = new Decimal(proven).times(this.#options.share).minus(given);
      if (qty.gt(0)) offers.push({ price, qty, displayed: standing });
    }
    this.#options.onClosed();
    return offers;
  };

  readonly took = (price: number, qty: Decimal): void => this.#options.onTaken(price, qty);

  readonly close = (): void => this.#options.onClosed();

  /** What is displayed within the limit; nothing of a book that is not live. */
  #displayed(): Map<number, number> {
    const { depths } = this.#options;
    const levels = new Map<number, number>();
    if (depths.status(this.#instrument) !== 'live') return levels;
    const prices = new Float64Array(LEVELS_MAX);
    const qtys = new Float64Array(LEVELS_MAX);
    const buys = this.side === 'buy';
    const count = (buys ? depths.asks : depths.bids)(this.#instrument, prices, qtys);
    for (let at = 0; at < count; at += 1) {
      const price = prices[at]!;
      if (buys ? price > this.#limit : price < this.#limit) break;
      levels.set(price, qtys[at]!);
    }
    return levels;
  }
}
