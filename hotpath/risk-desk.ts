import { z } from 'zod';
import type { Clock, Timer } from '#shared/clock/clock.ts';
import type { CapitalView, Depths, Tops } from '#shared/domain/capital.ts';
import type { InstrumentId, InstrumentIndex, TimeNs, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Plan, TradingState } from '#shared/domain/trade.ts';
import type { CommandOf } from '#shared/schema/command.ts';
import type { Config } from '#shared/schema/config.ts';
import { configSchema } from '#shared/schema/config.ts';
import type { EngineEvent } from '#shared/schema/event.ts';
import type { Recorder } from '#shared/schema/recorder.ts';
import type { RiskStatus } from '#shared/schema/status.ts';
import type { Answer } from './commands.ts';
import { ANSWERED, refused } from './commands.ts';
import type { Executor } from './execute/executor.ts';
import type { Ledger } from './execute/ledger.ts';
import type { JournalState } from './recover/journal-state.ts';
import { portfolioOf } from './risk-portfolio.ts';
import type { Aged } from './risk/ageing.ts';
import { Ageing } from './risk/ageing.ts';
import { Breakers } from './risk/breakers.ts';
import type { SaidDelta } from './risk/factors.ts';
import type { Figurer } from './risk/figurer.ts';
import { figurerHere } from './risk/figurer.ts';
import type { Portfolio } from './risk/figures.ts';
import { Funds } from './risk/funds.ts';
import type { Limits, RiskSources } from './risk/risk-gate.ts';
import { RiskGate } from './risk/risk-gate.ts';
import { riskStatusOf } from './risk/risk-status.ts';
import { TradingBook } from './risk/trading-book.ts';
import { Window } from './risk/window.ts';

export type RiskDeskOptions = {
  readonly config: Config;
  readonly clock: Clock;
  readonly recorder: Recorder;
  readonly state: Pick<JournalState, 'limits' | 'openBreakers' | 'openMismatches' | 'peak' | 'ageing'>;
  readonly instruments: readonly Instrument[];
  readonly indexOf: (id: InstrumentId) => InstrumentIndex;
  readonly tops: Tops;
  readonly depths: Depths;
  readonly ledger: Ledger;
  readonly executor: Pick<Executor, 'busy' | 'working' | 'restingAgainst'>;
  readonly capital: CapitalView;
  readonly tradingState: () => TradingState;
  readonly venueHealth: (venue: VenueId) => number;
  readonly accountVerified: (venue: VenueId) => boolean;
  /** A wallet at a venue that does not bear what the legs need of it, in words; undefined where all do. */
  readonly shortWallet: (plan: Plan) => string | undefined;
  readonly roundTripMs: (venue: VenueId) => number;
  /** Where a position stands among those that its venue reduces first, 0 (last) to 1; 0 where nobody says. */
  readonly adlRankOf: (id: InstrumentId) => number;
  /** Everything that is open and may grow old. */
  readonly open: () => readonly Aged[];
  /** An option's delta by its venue's word; NaN while it has not said. */
  readonly saidDeltaOf: SaidDelta;
  /** Who reckons what takes long; this thread where absent. */
  readonly figurer?: Figurer;
};

const LOOK_EVERY_MS = 1_000;
/** Figures that another thread made longer ago are not told any more. */
const FIGURES_AGE_MAX_MS = 10_000;
const SECOND_MS = 1_000;
/** How often a peak that has grown is journalled, and by which share of equity it must have for that to be sooner. */
const PEAK_EVERY_MS = 60_000;
const PEAK_SHARE = 0.001;
const PEAK_DECIMALS = 8;
/** More orders than any limit allows in a second. */
const ORDERS_MAX = 10_000;

/** Limits as a command may set them: all or some, those of the configuration. */
const limitsSchema = configSchema.shape.risk.partial();

/** Everything that may hold trading back, put together: the gate, the trading book behind it, the breakers. */
export class RiskDesk {
  readonly gate: RiskGate;
  readonly book: TradingBook;
  readonly breakers: Breakers;
  readonly ageing: Ageing;
  readonly #options: RiskDeskOptions;
  readonly #sent = new Window(SECOND_MS, ORDERS_MAX);
  readonly #figurer: Figurer;
  /** Limits that commands have set; the others are the configuration's. */
  #commanded: Partial<Limits>;
  #toldPeakUsd: number;
  #toldPeakNs = -Infinity;
  #timer: Timer | undefined;

  constructor(options: RiskDeskOptions) {
    const { config, state, clock, recorder } = options;
    this.#options = options;
    this.#figurer = options.figurer ?? figurerHere();
    const { openBreakers: open, openMismatches: mismatches } = state;
    this.breakers = new Breakers({ config: config.breakers, clock, recorder, open, mismatches });
    this.book = bookOf(options, () => this.gate.limits.var_confidence);
    this.#commanded = rememberedLimits(state.limits);
    this.gate = new RiskGate({ ...config.risk, ...this.#commanded }, options.instruments, this.#sources());
    this.ageing = new Ageing({
      settings: config.ageing,
      limits: () => this.gate.limits,
      recorder,
      told: state.ageing.values(),
    });
    this.#toldPeakUsd = this.book.peakUsd;
  }

  /** Whatever the journal is told. */
  readonly onEvent = (event: EngineEvent): void => {
    if (event.kind === 'order' && event.data.status === 'submitted') {
      const { clock } = this.#options;
      this.#sent.add(clock.now() / 1e6, 1);
    }
    this.breakers.onEvent(event);
  };

  start(): void {
    this.#look();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#figurer.stop();
  }

  /** Limits that are in force from now on, after a restart too. Nothing changes where one of them is refused. */
  readonly changeLimits = ({ limits, version, by, id }: CommandOf<'limits'>): Answer => {
    const parsed = limitsSchema.safeParse(limits);
    if (!parsed.success) {
      const { path, message } = parsed.error.issues[0]!;
      return refused(3001, `limit ${path.map(String).join('.')}: ${message}`);
    }
    const changed = withoutUndefined(parsed.data);
    this.gate.setLimits(changed);
    this.#commanded = { ...this.#commanded, ...changed };
    this.#options.recorder.record('risk-limits', 'risk', {
      limits: this.#commanded,
      ...(version === undefined ? {} : { version }),
      by,
      command_id: id,
    });
    return ANSWERED;
  };

  readonly resetBreaker = ({ breaker, by, id }: CommandOf<'breaker-reset'>): Answer =>
    this.breakers.reset(breaker, by, id) ? ANSWERED : refused(2003, `no such breaker: ${breaker}`);

  /** Everything that is at risk now, for people. */
  status(): RiskStatus {
    const { clock, ledger } = this.#options;
    const nowNs = clock.now();
    const figures = this.#figurer.latest();
    const atMs = clock.unixMs(nowNs);
    return riskStatusOf({
      atMs,
      book: this.book,
      ageMs: this.book.ageMs(nowNs),
      limits: this.gate.limits,
      exposures: ledger.exposures,
      dailyPnlUsd: ledger.dailyPnl(nowNs),
      figures: figures !== undefined && atMs - figures.atMs <= FIGURES_AGE_MAX_MS ? figures : undefined,
    });
  }

  #look(): void {
    const { clock } = this.#options;
    const nowNs = clock.now();
    this.book.look(nowNs);
    this.#tellPeak(nowNs);
    this.ageing.look(this.#options.open(), clock.unixMs(nowNs));
    const { var_confidence: confidence } = this.gate.limits;
    if (this.book.ageMs(nowNs) === 0) this.#figurer.ask(this.#portfolio({ atMs: clock.unixMs(nowNs), confidence }));
    this.#timer = clock.after(LOOK_EVERY_MS, () => this.#look());
  }

  /** In the journal, so that a restart measures drawdown from it: at once where it has grown much, else now and then. */
  #tellPeak(nowNs: TimeNs): void {
    const { book } = this;
    const grownUsd = book.peakUsd - this.#toldPeakUsd;
    const isDue = nowNs - this.#toldPeakNs >= PEAK_EVERY_MS * 1e6;
    if (grownUsd <= 0 || !(isDue || grownUsd >= PEAK_SHARE * book.equityUsd())) return;
    this.#toldPeakUsd = book.peakUsd;
    this.#toldPeakNs = nowNs;
    this.#options.recorder.record('profit-peak', 'risk', { usd: book.peakUsd.toFixed(PEAK_DECIMALS) });
  }

  #portfolio(moment: Pick<Portfolio, 'atMs' | 'confidence'>): Portfolio {
    const { instruments, config, indexOf, depths, ledger, capital } = this.#options;
    const { stable_assets: stableAssets } = config.engine;
    const sources = {
      book: this.book,
      instruments,
      venues: venuesOf(instruments),
      stableAssets,
      indexOf,
      depths,
      ledger,
    };
    return portfolioOf({ ...sources, rateOf: capital.rateOf }, moment);
  }

  #sources(): RiskSources {
    const { ledger, executor, capital, depths, indexOf, clock, config } = this.#options;
    const { tradingState, venueHealth, accountVerified, roundTripMs } = this.#options;
    const funds = new Funds({
      availableOf: ledger.availableOf,
      reservedOf: (venue, asset) => ledger.reservedOf(venue, asset),
      needOf: ledger.needOf,
      marginFraction: config.engine.carry.margin_fraction,
    });
    return {
      tradingState,
      accountVerified,
      venueHealth,
      bookStatus: (id) => depths.status(indexOf(id)),
      bookAgeMs: (id, nowNs) => depths.ageMs(indexOf(id), nowNs),
      roundTripMs,
      // An asset that nobody can value is over every limit.
      positionUsd: (asset) => valueOf(ledger.deviationOf(asset), capital.rateOf(asset)),
      exposureUsd: ledger.exposures.ofVenue,
      assetExposureUsd: ledger.exposures.ofAsset,
      familyExposureUsd: ledger.exposures.ofFamily,
      totalExposureUsd: () => ledger.exposures.total,
      dailyPnlUsd: () => ledger.dailyPnl(clock.now()),
      openOperations: () => executor.working,
      recentOrders: (nowNs: TimeNs) => this.#sent.count(nowNs / 1e6),
      shortAccount: (asked) => funds.shortAccount(asked) ?? this.#options.shortWallet(asked.plan),
      marginRatio: funds.marginRatio,
      busy: executor.busy,
      meetsOwnOrder: executor.restingAgainst,
      adlRank: this.#options.adlRankOf,
      book: this.book,
    };
  }
}

function bookOf(
  { config, state, instruments, indexOf, tops, ledger, capital, saidDeltaOf }: RiskDeskOptions,
  confidence: () => Config['risk']['var_confidence'],
): TradingBook {
  const { numeraire, stable_assets: stableAssets, fill } = config.engine;
  return new TradingBook({
    instruments,
    venues: venuesOf(instruments),
    rateOf: capital.rateOf,
    midOf: (id) => {
      const at = indexOf(id);
      return (tops.bid[at]! + tops.ask[at]!) / 2;
    },
    totalOf: (venue, asset) => ledger.totalOf(venue, asset),
    deviationOf: (asset) => ledger.deviationOf(asset),
    openPositions: () => ledger.openPositions(),
    positionOf: (id) => ledger.positionOf(id),
    confidence,
    defaultVolatility: fill.default_volatility,
    stableAssets,
    numeraire,
    saidDeltaOf,
    peakUsd: state.peak.toNumber(),
  });
}

const venuesOf = (instruments: readonly Instrument[]): readonly VenueId[] => [
  ...new Set(instruments.map(({ venue }) => venue)),
];

/** Nothing is worth nothing, whatever its price. */
const valueOf = (amount: number, rate = Infinity): number => (amount === 0 ? 0 : amount * rate);

/** What the configuration knows no more is forgotten. */
const rememberedLimits = (limits: Readonly<Record<string, number>>): Partial<Limits> =>
  withoutUndefined(z.object(configSchema.shape.risk.shape).partial().parse(limits));

function withoutUndefined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
