import { Decimal } from 'decimal.js';
import { assert } from '#shared/assert.ts';
import type { InstrumentId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { PlanLeg } from '#shared/domain/trade.ts';
import { lotQty } from '#shared/money/grid.ts';
import type { Place } from '#shared/money/routing.ts';
import type { SizeSources } from './sizing.ts';

/** As many levels as an order of ours ever takes. */
const LEVELS_MAX = 32;

type Listed = { readonly instrument: Instrument; readonly index: InstrumentIndex };
type Sources = Pick<SizeSources, 'instruments' | 'depths' | 'capital' | 'engine'>;

/** Where the coins of a leg are traded for the same money: their books and what the accounts there bear, asked once a plan. */
export class Places {
  readonly #sources: Sources;
  readonly #byId = new Map<InstrumentId, Listed>();
  readonly #byPair = new Map<string, Listed[]>();
  readonly #prices = new Float64Array(LEVELS_MAX);
  readonly #qtys = new Float64Array(LEVELS_MAX);

  constructor(sources: Sources) {
    this.#sources = sources;
    for (const [index, instrument] of sources.instruments.entries()) {
      if (instrument.kind !== 'spot') continue;
      const listed = { instrument, index: index as InstrumentIndex };
      this.#byId.set(instrument.id, listed);
      const pair = pairOf(instrument);
      const beside = this.#byPair.get(pair);
      if (beside === undefined) this.#byPair.set(pair, [listed]);
      else beside.push(listed);
    }
  }

  /** The leg's own first; none for what is no spot. */
  readonly of = (leg: PlanLeg): readonly Place[] => {
    const own = this.#byId.get(leg.instrument);
    if (own === undefined) return [];
    const all = this.#byPair.get(pairOf(own.instrument));
    assert(all !== undefined, 'what is listed by its id is listed by its pair');
    return [own, ...all.filter((each) => each !== own)].map((each) => this.#place(each, leg, each === own));
  };

  #place({ instrument, index }: Listed, { side, price, qty }: PlanLeg, isOwn: boolean): Place {
    const { depths, capital, engine } = this.#sources;
    const isLive = depths.status(index) === 'live';
    const read = side === 'buy' ? depths.asks : depths.bids;
    const count = isLive ? read(index, this.#prices, this.#qtys) : 0;
    const levels = Array.from({ length: count }, (_, at) => ({
      price: new Decimal(this.#prices[at]!),
      qty: lotQty(new Decimal(this.#qtys[at]!).times(engine.displayed_fraction), instrument.lot),
    }));
    if (isOwn) return { instrument, levels, most: qty };
    const free = new Decimal(
      Math.max(0, capital.availableOf(instrument.venue, side === 'buy' ? instrument.quote : instrument.base)),
    );
    const most = side === 'buy' ? free.div(price.times(instrument.fees.taker.plus(1))) : free;
    return { instrument, levels, most };
  }
}

const pairOf = ({ base, quote }: Instrument): string => `${base}/${quote}`;
