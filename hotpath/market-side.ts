import { assert } from '#shared/assert.ts';
import type { Clock } from '#shared/clock/clock.ts';
import type { CapitalView, Pace } from '#shared/domain/capital.ts';
import type { Asset, InstrumentId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { ApplyOutcome, MarketUpdate } from '#shared/domain/market-event.ts';
import { APPLIED, BROKEN } from '#shared/domain/market-event.ts';
import { carrySettingsOf } from '#shared/quant/carry.ts';
import type { Config } from '#shared/schema/config.ts';
import { BookStore } from './book/book-store.ts';
import { LevelAges } from './book/level-ages.ts';
import { ReferenceStore } from './book/reference-store.ts';
import { Volatility } from './book/volatility.ts';
import type { Words } from './engine-words.ts';
import { wordsFrom } from './engine-words.ts';
import type { Endpoint } from './feed/endpoint.ts';
import { valuationOf } from './size/valuation.ts';

export type MarketSources = {
  readonly config: Config;
  readonly clock: Clock;
  readonly endpoints: readonly Endpoint[];
  readonly instruments: readonly Instrument[];
};

const STALE_AFTER_MS = 5_000;

/** What is seen of the market, and what it is worth: the registry, the books, the venues' other words, the values of assets. */
export class MarketSide {
  readonly instruments: readonly Instrument[];
  readonly books: BookStore;
  /** Mark and index prices, funding, volatilities and Greeks, where `engine.streams` has them followed. */
  readonly references: ReferenceStore;
  readonly words: Words;
  readonly rateOf: CapitalView['rateOf'];
  readonly #indices: ReadonlyMap<InstrumentId, InstrumentIndex>;
  readonly #volatility: Volatility;
  /** Undefined where no filter asks how long levels have stood. */
  readonly #levelAges: LevelAges | undefined;

  constructor(sources: MarketSources) {
    const { config, clock, instruments } = sources;
    this.instruments = instruments;
    this.#indices = new Map(instruments.map(({ id }, index) => [id, index as InstrumentIndex]));
    this.books = booksOf(sources);
    this.references = new ReferenceStore(instruments);
    this.rateOf = valuationOf(instruments, this.books.tops, {
      numeraire: config.engine.numeraire as Asset,
      pegs: config.engine.pegs,
    });
    this.words = wordsFrom({
      instruments,
      indexOf: (id) => this.#indices.get(id),
      references: this.references,
      tops: this.books.tops,
      rateOf: this.rateOf,
      settings: carrySettingsOf(config.engine.carry),
      nowMs: () => clock.unixMs(clock.now()),
    });
    this.#volatility = new Volatility(this.books.tops, clock, config.engine.fill);
    const { min_level_age_ms: minAgeMs } = config.engine.filters;
    this.#levelAges = minAgeMs > 0 ? new LevelAges(instruments.length, minAgeMs) : undefined;
  }

  /** Undefined for what is listed no more: after a restart the journal may name it. */
  readonly listed = (id: InstrumentId): Instrument | undefined => this.instruments[this.#indices.get(id) ?? -1];

  /** Every instrument that an order may name is in the registry. */
  readonly indexOf = (id: InstrumentId): InstrumentIndex => {
    const index = this.#indices.get(id);
    assert(index !== undefined, `not in the registry: ${id}`);
    return index;
  };

  /** The value of a unit in the numeraire; undefined where no book says it. */
  readonly valueOf = (asset: string): number | undefined => this.rateOf(asset as Asset);

  /** Best prices of a live book. */
  readonly topOf = (id: InstrumentId): { readonly bid: number; readonly ask: number } | undefined => {
    const { depths, tops } = this.books;
    const index = this.indexOf(id);
    if (depths.status(index) !== 'live') return undefined;
    return { bid: tops.bid[index]!, ask: tops.ask[index]! };
  };

  /** How fast prices move, and how long levels stand. */
  get pace(): Pick<Pace, 'volatilityOf' | 'clockJitterMsOf' | 'standingShareOf'> {
    return {
      volatilityOf: this.#volatility.of,
      clockJitterMsOf: (instrument) => this.books.clockJitterMs(instrument),
      standingShareOf: this.#levelAges?.standingShareOf ?? ((): number => 1),
    };
  }

  /** The book stage, with the levels watched where a filter asks for it. */
  apply(update: MarketUpdate): ApplyOutcome {
    const outcome = this.books.apply(update);
    if (outcome === APPLIED) this.#levelAges?.observe(update);
    else if (outcome === BROKEN) this.#levelAges?.forget(update.instrument, update.receivedTimeNs);
    return outcome;
  }

  /** To be called at a steady pace: what volatility is measured by. */
  sample(): void {
    this.#volatility.sample();
  }
}

function booksOf({ clock, endpoints, instruments }: MarketSources): BookStore {
  const rules = new Map(endpoints.map(({ venue, market }) => [`${venue.id} ${market.id}`, market.book]));
  return new BookStore({
    instruments,
    rulesOf: ({ venue, market }) => rules.get(`${venue} ${market}`)!,
    clock,
    staleAfterMs: STALE_AFTER_MS,
  });
}
