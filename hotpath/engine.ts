import { createHash } from 'node:crypto';
import type { Histogram } from 'hdr-histogram-js';
import { build } from 'hdr-histogram-js';
import { Decimal } from 'decimal.js';
import { assert, BadInput } from '#shared/assert.ts';
import type { Timer } from '#shared/clock/clock.ts';
import type { CapitalView, Depths, Pace } from '#shared/domain/capital.ts';
import type { Asset, InstrumentId, InstrumentIndex, OperationId, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Fence, OrderReport } from '#shared/domain/order.ts';
import type { ApplyOutcome, MarketUpdate } from '#shared/domain/market-event.ts';
import { APPLIED, BROKEN } from '#shared/domain/market-event.ts';
import type { Route } from '#shared/domain/route.ts';
import type { Plan, TradingState } from '#shared/domain/trade.ts';
import { carrySettingsOf } from '#shared/quant/carry.ts';
import type { Command, CommandOf } from '#shared/schema/command.ts';
import type { Config } from '#shared/schema/config.ts';
import type { EngineEvent } from '#shared/schema/event.ts';
import type { Claim } from './allocator.ts';
import { mergedClaims } from './allocator.ts';
import type { Answer, Handlers } from './commands.ts';
import { ANSWERED, Commands, refused } from './commands.ts';
import { orderHandlers, venuesOf } from './order-commands.ts';
import type { ReloadSources } from './config-reload.ts';
import { reload } from './config-reload.ts';
import { DustFlusher } from './dust-flusher.ts';
import type { Restriction, Trading } from './trading-control.ts';
import { TradingControl } from './trading-control.ts';
import { BookStore } from './book/book-store.ts';
import { LevelAges } from './book/level-ages.ts';
import { ReferenceStore } from './book/reference-store.ts';
import { Volatility } from './book/volatility.ts';
import { compileRoutes } from './detect/compile.ts';
import { Evaluator } from './detect/evaluator.ts';
import type { Words } from './engine-words.ts';
import { wordsFrom } from './engine-words.ts';
import type { AccountsSetup } from './execute/accounts.ts';
import { feesOfAccounts, tradableOf } from './execute/accounts.ts';
import { epochBefore } from './execute/client-order-id.ts';
import { Executor, PATIENCE } from './execute/executor.ts';
import { Holdings } from './execute/holdings.ts';
import { Ledger } from './execute/ledger.ts';
import type { PaperGatewayOptions } from './execute/paper-gateway.ts';
import { PaperGateway } from './execute/paper-gateway.ts';
import { Rejects } from './execute/rejects.ts';
import { RoundTrips } from './execute/round-trips.ts';
import { shadowGateway } from './execute/shadow-gateway.ts';
import type { Endpoint } from './feed/endpoint.ts';
import { endpointsFrom } from './feed/endpoint.ts';
import { Feed } from './feed/feed.ts';
import { loadInstruments } from './feed/instruments.ts';
import type { Outside } from './feed/rest-reader.ts';
import type { Tenure } from './lease/tenure.ts';
import { EmergencyStop } from './live/emergency-stop.ts';
import { LiveAccounts } from './live/live-accounts.ts';
import type { OrderDesk } from './live/order-desk.ts';
import { liveDesk, paperDesk, shadowDesk } from './live/order-desk.ts';
import type { Opened } from './open-journal.ts';
import { openJournal } from './open-journal.ts';
import type { Stages } from './pipeline.ts';
import { onMarketUpdate, onRefresh } from './pipeline.ts';
import type { Journal } from './publish/journal.ts';
import { Hindsight } from './publish/hindsight.ts';
import { OpportunityLog } from './publish/opportunity-log.ts';
import { outcomesFrom } from './publish/outcome.ts';
import { Publisher } from './publish/publisher.ts';
import type { JournalState } from './recover/journal-state.ts';
import { elsewhereFrom } from './recover/elsewhere.ts';
import { recoveryMarketFrom } from './recover/recovery-market.ts';
import type { RecoveryMarket } from './recover/candidate.ts';
import { decideRecovery, recoveryLimitsFrom } from './recover/recovery.ts';
import { revive } from './recover/startup.ts';
import { RiskDesk } from './risk-desk.ts';
import type { Figurer } from './risk/figurer.ts';
import type { RiskGate } from './risk/risk-gate.ts';
import { Sizer } from './size/sizer.ts';
import { valuationOf } from './size/valuation.ts';
import type { Synthetic } from './synthetics/synthetic.ts';
import { assetRulesOf, syntheticsFrom } from './synthetics/synthetic.ts';
import { syntheticRoutes } from './synthetics/synthetic-routes.ts';
import type { Credentials } from './venues/venue-account.ts';
import type { Venue } from './venues/venue.ts';

export type EngineOptions = Outside & {
  readonly config: Config;
  /** The configuration as it was written, where the wiring has changed some of it: a new version is compared with that. */
  readonly written?: Config;
  readonly venues: readonly Venue[];
  readonly journalDir: string;
  /** Up to which record the journal has been shipped: older segments may go, once a checkpoint stands for them. */
  readonly publishedSeq: () => number;
  readonly version: string;
  /** Of the run's chances, for the record. */
  readonly seed: number;
  /** Who reckons the risk figures that take long; this thread where absent. */
  readonly figurer?: Figurer;
  /** Keys by venue: what shadow and live cannot do without. */
  readonly credentials?: ReadonlyMap<string, Credentials>;
};

/** An account that does not say its fees by then starts with those of the configuration. */
const FEES_WITHIN_MS = 5_000;
const STALE_AFTER_MS = 5_000;
const SWEEP_EVERY_MS = 250;
/** Refused opportunities whose further fate is followed at a time: forty a second. */
const HINDSIGHT_MAX = 200;
/** Some dozen routes a time are reckoned anew: twelve thousand a second. */
const REFRESH_EVERY_MS = 5;
const OPPORTUNITY = { expireAfterMs: 1_000, eventsPerSecond: 1, openMax: 10_000 } as const;
const DECISION_NS_MAX = 60e9;

/** Everything that is known before there is a journal: a standby keeps it at hand. */
export type Prepared = {
  readonly endpoints: readonly Endpoint[];
  readonly instruments: readonly Instrument[];
  readonly synthetics: readonly Synthetic[];
  /** The routes between synthetics and what they replicate. */
  readonly replicas: readonly Route[];
};

/** Finds what the venues list and what the journal remembers, and puts the stages together. Nothing runs before `start`. */
export const openEngine = async (options: EngineOptions, lease?: Tenure): Promise<Engine> =>
  engineFrom(options, await prepareEngine(options), lease);

/** What the venues list. Bad input ends here, before the journal is touched. */
export async function prepareEngine(options: EngineOptions): Promise<Prepared> {
  const { config, venues } = options;
  const endpoints = endpointsFrom(config, venues);
  const listed = await loadInstruments(options, endpoints, config.engine.symbols);
  const instruments = config.engine.mode === 'paper' ? listed : await withAccountFees(options, listed);
  const rules = assetRulesOf(config.engine);
  const synthetics = syntheticsFrom(config.synthetics, instruments, rules);
  return { endpoints, instruments, synthetics, replicas: syntheticRoutes(synthetics, rules) };
}

/** Opens the journal, under the epoch of the lease where there is one. @throws BadInput when the journal is damaged, or somebody else's */
export function engineFrom(options: EngineOptions, prepared: Prepared, lease?: Tenure): Engine {
  const { journalDir: directory, config, clock, logger, publishedSeq } = options;
  const { name: engine } = config.engine;
  const opened = openJournal({ directory, engine, clock, logger, publishedSeq, epoch: lease?.epoch });
  demandSameMoney(opened.state, options);
  return new Engine(options, { ...prepared, ...opened, lease });
}

/** What an account of this run can trade, at what it pays for it. @throws BadInput when a key is missing, is refused, or may withdraw */
async function withAccountFees(options: EngineOptions, listed: readonly Instrument[]): Promise<readonly Instrument[]> {
  const instruments = tradableOf(options, listed);
  if (instruments.length < listed.length)
    options.logger.warn('instruments-without-account', { count: listed.length - instruments.length });
  const fees = await feesOfAccounts(accountsSetup(options, instruments), FEES_WITHIN_MS);
  return instruments.map((instrument) => ({ ...instrument, fees: fees.get(instrument.id) ?? instrument.fees }));
}

const accountsSetup = (options: EngineOptions, instruments: readonly Instrument[]): AccountsSetup => ({
  ...options,
  instruments,
  credentials: options.credentials ?? new Map<string, Credentials>(),
});

/** Money on paper is not money. @throws BadInput when the journal speaks of another kind of it */
function demandSameMoney({ mode: before }: JournalState, { config, journalDir }: EngineOptions): void {
  const { mode } = config.engine;
  if (before === undefined || before === mode) return;
  throw new BadInput(
    `the journal in ${journalDir} is of mode "${before}": run "${mode}" with a data folder of its own`,
  );
}

type Known = Prepared & Opened & { readonly lease: Tenure | undefined };

/** The hot plane: one thread from frame to order. Reads top-down: what is seen, what it is worth, what may be done, what was done. */
export class Engine {
  readonly instruments: readonly Instrument[];
  readonly synthetics: readonly Synthetic[];
  readonly epoch: number;
  readonly journal: Journal;
  readonly books: BookStore;
  /** Mark and index prices, funding, volatilities and Greeks, where `engine.streams` has them followed. */
  readonly references: ReferenceStore;
  readonly ledger: Ledger;
  readonly executor: Executor;
  /** What may hold a plan back, and what stops trading by itself. */
  readonly risk: RiskDesk;
  /** What sum routes have entered and not yet left. */
  readonly holdings: Holdings;
  readonly #flusher: DustFlusher;
  readonly opportunities: OpportunityLog;
  readonly feed: Feed;
  readonly decisions: Histogram = build({ highestTrackableValue: DECISION_NS_MAX, numberOfSignificantValueDigits: 3 });
  readonly capital: CapitalView;
  readonly pace: Pace;
  readonly #options: EngineOptions;
  readonly #known: Known;
  readonly #routes: readonly Route[];
  readonly #indices: ReadonlyMap<InstrumentId, InstrumentIndex>;
  readonly #publisher: Publisher;
  /** What trading may do: commands, breakers, accounts, the lease. */
  readonly control: TradingControl;
  readonly #commands: Commands;
  readonly #orders: ReturnType<typeof orderHandlers>;
  readonly #desk: OrderDesk;
  readonly #emergency: EmergencyStop;
  readonly #volatility: Volatility;
  readonly #roundTrips: RoundTrips;
  readonly #rejects = new Rejects();
  /** Undefined where no filter asks how long levels have stood. */
  readonly #levelAges: LevelAges | undefined;
  readonly #words: Words;
  readonly #evaluator: Evaluator;
  readonly #stages: Stages;
  /** As sizing reads it: some of it can be changed while the engine runs. */
  readonly #sizing: Config['engine'];
  #operations = 0;
  #sweep: Timer | undefined;
  #refresh: Timer | undefined;

  constructor(options: EngineOptions, known: Known) {
    const { config, clock } = options;
    const { instruments, state, journal } = known;
    this.#options = options;
    this.#known = known;
    this.#sizing = { ...config.engine };
    this.instruments = instruments;
    this.synthetics = known.synthetics;
    this.#indices = new Map(instruments.map(({ id }, index) => [id, index as InstrumentIndex]));
    const epochMin = epochBefore(state.epoch, config.engine.mode, clock.unixMs(clock.now()));
    this.epoch = known.lease?.epoch ?? epochMin + 1;
    assert(this.epoch > state.epoch, 'an engine begins an epoch of its own');
    const { routes, truncated } = compileRoutes(instruments, config.engine, clock.unixMs(clock.now()));
    this.#routes = [...routes, ...known.replicas];
    if (truncated.length > 0) {
      options.logger.warn('routes-truncated', { families: truncated, maxRoutes: config.engine.max_routes });
    }

    this.journal = journal;
    this.#publisher = new Publisher(journal, clock);
    this.control = new TradingControl(
      this.#publisher,
      state.trading ?? { state: 'active', reason: 'first start' },
      this.#restrictions(),
      state.emergency?.reason,
    );
    this.#emergency = this.#emergencyOf();
    this.#commands = new Commands(this.#publisher, this.#handlers(), state.commands, () => clock.unixMs(clock.now()));
    this.books = booksOf(options, known);
    this.references = new ReferenceStore(instruments);
    const rateOf = valuationOf(instruments, this.books.tops, {
      numeraire: config.engine.numeraire as Asset,
      pegs: config.engine.pegs,
    });
    this.#words = wordsFrom({
      instruments,
      indexOf: (id) => this.#indices.get(id),
      references: this.references,
      tops: this.books.tops,
      rateOf,
      settings: carrySettingsOf(config.engine.carry),
      nowMs: () => clock.unixMs(clock.now()),
    });
    this.ledger = new Ledger(clock, {
      fraction: new Decimal(config.engine.carry.margin_fraction),
      underlyingOf: this.#words.underlyingOf,
      instrumentOf: this.#listed,
    });
    this.capital = { availableOf: this.ledger.availableOf, rateOf, equity: () => this.risk.book.equityUsd() };

    this.#volatility = new Volatility(this.books.tops, clock, config.engine.fill);
    // On paper it is known: there and back.
    this.#roundTrips = new RoundTrips(clock, 2 * config.paper.latency_ms);
    const { min_level_age_ms: minAgeMs } = config.engine.filters;
    this.#levelAges = minAgeMs > 0 ? new LevelAges(instruments.length, minAgeMs) : undefined;
    this.pace = this.#paceOf();
    this.#desk = this.#deskOf();
    const market = this.#recoveryMarketOf();
    this.executor = this.#executorOf(market);
    this.risk = this.#riskOf();
    known.facts.heard = this.#onFact;
    const { gate } = this.risk;
    this.#orders = this.#ordersOf(gate, market);
    this.holdings = this.#holdingsOf(market, gate);
    this.#flusher = this.#flusherOf(market);
    this.opportunities = this.#opportunitiesOf(gate);
    this.#evaluator = this.#evaluatorOf();
    this.#stages = this.#stagesOf(gate, this.#desk.depths);
    this.feed = this.#feedOf(this.#stages);
  }

  get mode(): Config['engine']['mode'] {
    return this.#options.config.engine.mode;
  }

  /** The accounts at the venues; undefined on paper. */
  get accounts(): LiveAccounts | undefined {
    return this.#desk.live;
  }

  /** Undefined where none is asked for. */
  get lease(): Tenure | undefined {
    return this.#known.lease;
  }

  get routes(): number {
    return this.#routes.length;
  }

  /** What trading may do now. */
  get trading(): Trading {
    return this.control.now;
  }

  /** Start-up is recovery: what a dead process left is taken up first, then the feeds open. */
  start(): void {
    const { config, version, seed } = this.#options;
    this.#publisher.record('engine-started', 'engine', {
      mode: config.engine.mode,
      epoch: this.epoch,
      seed,
      version,
      config_hash: hashOf(config),
      venues: config.engine.venues,
      families: config.engine.families,
      instruments: this.instruments.length,
      routes: this.routes,
    });
    this.#tellLease('held', 'taken');
    const { ledger, holdings, accounts } = this;
    const { emergency } = this.#known.state;
    const onceHeard = (task: () => void): void =>
      accounts === undefined ? task() : accounts.afterReconciliation(task);
    // What is held at a venue is the venue's to say; what was left open is asked for once its account is open.
    const initial = accounts === undefined ? config.paper.balances : {};
    const resume: Executor['resume'] = (...left) => this.executor.resume(...left);
    revive(this.#known.state, config.engine.venues, initial, {
      ledger,
      holdings,
      recorder: this.#publisher,
      executor: {
        resume: (left, asked) => {
          // What has filled of operations that were over the accounts have found by then: nobody else need ask.
          const known = accounts === undefined ? left : { ...left, atMs: Infinity };
          onceHeard(() => resume(known, asked));
        },
      },
    });
    if (emergency !== undefined) onceHeard(() => this.#emergency.resume(emergency));
    accounts?.start();
    this.risk.start();
    this.holdings.start();
    this.#flusher.start();
    this.feed.start();
    this.#sweepSoon();
    if (this.#evaluator.sums > 0) this.#refreshSoon();
  }

  /** Carries out a command once, however often it comes, and answers it in the journal. */
  obey(command: Command): void {
    this.#commands.obey(command);
  }

  /** From now on nothing new begins; what is open goes on to its end. */
  drain(): void {
    this.control.drain();
  }

  get idle(): boolean {
    return this.executor.idle;
  }

  /** What rests at the venues is taken back: somebody else may trade now, or soon. */
  withdraw(): void {
    for (const order of this.executor.restingOrders()) this.executor.cancelOrder(order);
  }

  /** Closes feeds and journal. What is still open is left as it is and taken up at the next start. */
  finish(reason: string): void {
    this.#sweep?.cancel();
    this.#refresh?.cancel();
    this.risk.stop();
    this.holdings.stop();
    this.#flusher.stop();
    this.executor.stop();
    this.#emergency.stop();
    this.accounts?.stop();
    this.feed.stop();
    this.opportunities.closeAll();
    this.#tellLease('released', reason);
    this.#publisher.record('engine-stopped', 'engine', { reason });
    this.#publisher.flush();
    this.journal.close();
  }

  /** What holds trading back beside commands. */
  #restrictions(): readonly Restriction[] {
    const lease: Restriction = () => {
      const reason = this.lease?.fence();
      return reason === undefined ? undefined : { state: 'halted', reason };
    };
    return [lease, () => this.accounts?.restriction(), () => this.risk.breakers.restriction()];
  }

  #tellLease(state: 'held' | 'released', reason: string): void {
    const { lease } = this;
    if (lease === undefined) return;
    this.#publisher.record('lease', 'lease', { state, holder: lease.holder, epoch: lease.epoch, reason });
  }

  #handlers(): Handlers {
    const { control } = this;
    const change =
      (state: TradingState) =>
      ({ reason, by, id }: CommandOf<'start' | 'stop'>): Answer => {
        control.command(state, { reason, by, command_id: id });
        return ANSWERED;
      };
    return {
      start: change('active'),
      stop: change('halted'),
      'emergency-stop': this.#emergency.begin,
      order: (command) => this.#orders.order(command),
      cancel: (command) => this.#orders.cancel(command),
      limits: (command) => this.risk.changeLimits(command),
      config: (command) => this.#reload(command),
      recovery: (command) => this.#orders.recovery(command),
      'breaker-reset': (command) => this.risk.resetBreaker(command),
      adjust: (command) => this.accounts?.adjust(command) ?? refused(3001, 'on paper no account differs'),
    };
  }

  #ordersOf(gate: RiskGate, { levels }: RecoveryMarket): ReturnType<typeof orderHandlers> {
    const { books, capital, executor, instruments, ledger } = this;
    return orderHandlers({
      executor,
      recorder: this.#publisher,
      venues: venuesOf(instruments),
      instrumentOf: this.#listed,
      listingsOf: (symbol) => instruments.filter((listed) => listed.symbol === symbol),
      levels,
      mostOf: (instrument, order) => {
        const { asset, unitCost } = ledger.needOf(instrument, order);
        return unitCost.isZero() ? order.qty : ledger.freeOf(instrument.venue, asset).div(unitCost);
      },
      topOf: (id) => {
        const index = this.#indexOf(id);
        if (books.depths.status(index) !== 'live') return undefined;
        return { bid: books.tops.bid[index]!, ask: books.tops.ask[index]! };
      },
      positionOf: (id) => ledger.positionOf(id).size,
      deviationOf: (asset) => ledger.deviationOf(asset),
      rateOf: (asset) => capital.rateOf(asset as Asset),
      slippageBps: () => gate.limits.max_slippage_bps,
      denialOf: (order) => gate.denialOf(order, this.#options.clock.now()),
      nextOperation: this.#nextOperation,
    });
  }

  #reload(command: CommandOf<'config'>): Answer {
    const { id, by, at_ms, v, version } = command;
    const { config, written = config } = this.#options;
    const sources: ReloadSources = {
      started: written,
      limits: () => this.risk.gate.limits,
      tuning: () => this.#sizing,
      // An event of its own, which is not the answer.
      setLimits: (limits) =>
        this.risk.changeLimits({ v, id: `${id}:limits`, by, at_ms, kind: 'limits', limits, version }),
      tune: (tuning) => void Object.assign(this.#sizing, tuning),
    };
    return reload(sources, command);
  }

  /** How a venue takes our orders. */
  ordersAt(venue: VenueId): { readonly order_round_trip_ms: number; readonly rejects: number } {
    return { order_round_trip_ms: this.#roundTrips.ofMs(venue), rejects: this.#rejects.of(venue) };
  }

  /** Whatever the journal is told. */
  readonly #onFact = (event: EngineEvent): void => {
    this.risk.onEvent(event);
    this.#rejects.onEvent(event);
  };

  /** Undefined for what is listed no more: after a restart the journal may name it. */
  readonly #listed = (id: InstrumentId): Instrument | undefined => this.instruments[this.#indices.get(id) ?? -1];

  readonly #nextOperation = (): OperationId => {
    this.#operations += 1;
    return `p${this.epoch.toString(36)}-${this.#operations}` as OperationId;
  };

  /** Every instrument that an order may name is in the registry. */
  readonly #indexOf = (id: InstrumentId): InstrumentIndex => {
    const index = this.#indices.get(id);
    assert(index !== undefined, `not in the registry: ${id}`);
    return index;
  };

  readonly #onReport = (report: OrderReport): void => {
    const tookMs = this.#roundTrips.heard(report);
    if (tookMs !== undefined) this.risk.breakers.onRoundTrip(tookMs);
    this.executor.onReport(report);
  };

  #emergencyOf(): EmergencyStop {
    const { clock, logger } = this.#options;
    const { control } = this;
    return new EmergencyStop({
      clock,
      logger,
      control,
      recorder: this.#publisher,
      clear: (done) => this.#desk.clear(done),
    });
  }

  /** Everything that may be sent asks it first. */
  readonly #fence: Fence = () => this.control.fence() ?? this.lease?.fence();

  #deskOf(): OrderDesk {
    const { clock, config } = this.#options;
    const { mode } = config.engine;
    if (mode === 'paper') return paperDesk(new PaperGateway(this.#paperOptionsOf()), clock, () => this.executor);
    const live = new LiveAccounts({
      ...accountsSetup(this.#options, this.instruments),
      onReport: this.#onReport,
      fence: mode === 'shadow' ? () => 'in shadow mode no order is sent' : this.#fence,
      state: this.#known.state,
      ledger: this.ledger,
      recorder: this.#publisher,
      rateOf: (asset) => this.capital.rateOf(asset as Asset),
      roundTripMsOf: this.#roundTrips.ofMs,
      isCompared: mode === 'live',
    });
    if (mode === 'live') return liveDesk(live, this.books.depths, this.#words.settlementPriceOf);
    const { latency_ms, latency_jitter_ms, displayed_fraction, window_ms } = config.shadow;
    const shadow = shadowGateway({
      ...this.#paperOptionsOf(),
      latencyMs: latency_ms,
      latencyJitterMs: latency_jitter_ms,
      displayedFraction: displayed_fraction,
      windowMs: window_ms,
    });
    return { ...shadowDesk(shadow, clock, () => this.executor), live };
  }

  #paperOptionsOf(): PaperGatewayOptions {
    const { config, clock, random } = this.#options;
    const { instruments, books } = this;
    return {
      clock,
      random: random.fork('paper'),
      depths: books.depths,
      instrumentOf: (id) => {
        const index = this.#indexOf(id);
        return { instrument: instruments[index]!, index };
      },
      idOf: (index) => instruments[index]!.id,
      onReport: this.#onReport,
      latencyMs: config.paper.latency_ms,
      latencyJitterMs: config.paper.latency_jitter_ms,
      displayedFraction: config.paper.displayed_fraction,
      underlyingOf: this.ledger.underlyingOf,
      settlementPriceOf: this.#words.settlementPriceOf,
    };
  }

  #recoveryMarketOf(): RecoveryMarket {
    const { ledger } = this;
    const { depths } = this.#desk;
    const { engine, execution } = this.#options.config;
    const elsewhere = { equalAssets: engine.equal_assets, rebalanceCostBps: engine.rebalance_cost_bps };
    return recoveryMarketFrom({
      depths,
      indexOf: this.#indexOf,
      freeOf: (venue, asset) => ledger.freeOf(venue, asset),
      needOf: ledger.needOf,
      underlyingOf: ledger.underlyingOf,
      expectedFunding: this.#words.expectedFunding,
      ...(execution.recovery.hedge_elsewhere ? { elsewhere: elsewhereFrom(this.instruments, elsewhere) } : {}),
    });
  }

  #executorOf(market: RecoveryMarket): Executor {
    const limits = recoveryLimitsFrom(this.#options.config.execution.recovery);
    return new Executor({
      clock: this.#options.clock,
      gateway: this.#roundTrips.through(this.#desk.gateway, (id) => this.instruments[this.#indexOf(id)]!.venue),
      ledger: this.ledger,
      recorder: this.#publisher,
      instrumentOf: this.#listed,
      decide: (view) => decideRecovery(view, market, limits),
      opportunityOf: (seen) => this.opportunities.lifetimeOf(seen),
      epoch: this.epoch,
      patience: { ...PATIENCE, reportWithinMs: this.#options.config.execution.report_within_ms },
      fence: this.#fence,
      rateOf: (asset) => this.capital.rateOf(asset as Asset),
      keeper: {
        entered: (operation) => this.holdings.entered(operation),
        closing: (...closing) => this.holdings.closing(...closing),
        exited: (holding) => this.holdings.exited(holding),
      },
    });
  }

  #flusherOf(market: RecoveryMarket): DustFlusher {
    const { config, clock } = this.#options;
    const { numeraire, stable_assets: stable } = config.engine;
    const rateOf = (asset: string): Decimal | undefined => {
      const rate = this.capital.rateOf(asset as Asset);
      return rate === undefined ? undefined : new Decimal(rate);
    };
    return new DustFlusher({
      clock,
      dust: this.ledger.dust,
      market: { ...market, instruments: this.instruments, rateOf },
      rules: {
        flushUsd: config.execution.dust_flush_usd,
        slackBps: config.execution.recovery.slack_bps,
        quotes: new Set([numeraire, ...stable]),
        numeraire,
      },
      executor: this.executor,
      isActive: () => this.trading.state === 'active',
      nextOperation: this.#nextOperation,
    });
  }

  #holdingsOf({ levels }: RecoveryMarket, gate: RiskGate): Holdings {
    const { config, clock } = this.#options;
    const { ledger, executor } = this;
    return new Holdings({
      clock,
      ledger,
      recorder: this.#publisher,
      market: {
        instrumentOf: this.#listed,
        levels,
        underlyingOf: ledger.underlyingOf,
        expectedFunding: this.#words.expectedFunding,
      },
      settle: this.#desk.settle,
      fundingOf: this.#words.fundingOf,
      rateOf: this.capital.rateOf,
      nextOperation: this.#nextOperation,
      exit: (plan) => {
        const verdict = gate.approve(plan, clock.now());
        if (verdict.kind === 'approved') executor.submit(verdict.plan);
      },
      busy: executor.busy,
      isExiting: executor.isExiting,
      horizonMs: carrySettingsOf(config.engine.carry).horizonMs,
      stopLoss: () => gate.limits.stop_loss_percentage / 100,
    });
  }

  #riskOf(): RiskDesk {
    const { instruments, books, ledger, executor, capital } = this;
    return new RiskDesk({
      ...this.#options,
      recorder: this.#publisher,
      state: this.#known.state,
      instruments,
      indexOf: this.#indexOf,
      tops: books.tops,
      depths: books.depths,
      ledger,
      executor,
      capital,
      tradingState: () => this.trading.state,
      venueHealth: (venue) => this.feed.health(venue),
      accountVerified: (venue) => this.accounts?.isVerified(venue) ?? true,
      shortWallet: (plan) => this.accounts?.shortWallet(plan),
      roundTripMs: this.#roundTrips.ofMs,
    });
  }

  #opportunitiesOf({ checksOf }: RiskGate): OpportunityLog {
    return new OpportunityLog({
      ...OPPORTUNITY,
      clock: this.#options.clock,
      recorder: this.#publisher,
      checksOf,
      hindsight: this.#hindsightOf(this.#desk.depths),
    });
  }

  /** What was refused is looked at again when an order would have arrived, after a second, and after five. */
  #hindsightOf(depths: Depths): Hindsight {
    const { config, clock } = this.#options;
    const outcomeOf = outcomesFrom({
      instruments: this.instruments,
      routes: this.#routes,
      tops: this.books.tops,
      depths,
      references: this.references,
      settings: carrySettingsOf(config.engine.carry),
      unixMs: clock.unixMs,
      displayedFraction: config.engine.displayed_fraction,
      rebalanceCostBps: config.engine.rebalance_cost_bps,
    });
    const { latency_ms: latencyMs } = config.paper;
    return new Hindsight({
      clock,
      outcomeOf,
      delaysMs: [latencyMs, 1_000, 5_000].sort((a, b) => a - b),
      pendingMax: HINDSIGHT_MAX,
    });
  }

  #evaluatorOf(): Evaluator {
    const { config, clock } = this.#options;
    return new Evaluator(this.instruments, this.#routes, {
      tops: this.books.tops,
      minEdge: config.engine.min_edge_bps / 1e4,
      carry: { references: this.references, settings: carrySettingsOf(config.engine.carry), unixMs: clock.unixMs },
    });
  }

  /** The stages in their order. */
  #stagesOf(gate: RiskGate, depths: Depths): Stages {
    const { clock } = this.#options;
    const { instruments, books } = this;
    const sizer = new Sizer({
      instruments,
      routes: this.#routes,
      tops: books.tops,
      depths,
      references: this.references,
      pace: this.pace,
      capital: this.capital,
      engine: this.#sizing,
      unixMs: (nowNs) => clock.unixMs(nowNs),
      ids: { prefix: `o${this.epoch.toString(36)}`, nextOperation: this.#nextOperation },
    });
    return {
      feed: { resync: (instrument) => this.feed.resync(instrument) },
      book: { apply: (update) => this.#applied(update) },
      detect: this.#evaluator,
      size: sizer,
      risk: gate,
      execute: { submit: this.executor.submit, claimsOf: this.#claimsOf },
      publish: this.opportunities,
    };
  }

  #feedOf(stages: Stages): Feed {
    const { config } = this.#options;
    const { instruments, books, decisions } = this;
    const { onPrint } = this.#desk;
    return new Feed({
      ...this.#options,
      endpoints: this.#known.endpoints,
      instruments,
      books,
      streams:
        onPrint === undefined ? config.engine.streams : [...new Set([...config.engine.streams, 'trades' as const])],
      ...(onPrint === undefined ? {} : { onPrint }),
      healthMin: config.risk.min_venue_health,
      onUpdate: (update) => onMarketUpdate(stages, update),
      onReference: (reference) => {
        this.references.apply(reference);
        this.#evaluator.noteReference(reference.instrument);
      },
      onDecision: (elapsedNs) => decisions.recordValue(Math.min(DECISION_NS_MAX, Math.round(elapsedNs))),
      onVenueStatus: (change) => void this.#publisher.record('venue-status', change.venue, change),
    });
  }

  #paceOf(): Pace {
    const { instruments, books } = this;
    return {
      volatilityOf: this.#volatility.of,
      roundTripMsOf: (instrument) => this.#roundTrips.ofMs(instruments[instrument]!.venue),
      clockJitterMsOf: (instrument) => books.clockJitterMs(instrument),
      standingShareOf: this.#levelAges?.standingShareOf ?? ((): number => 1),
    };
  }

  /** The book stage, with the levels watched where a filter asks for it. */
  #applied(update: MarketUpdate): ApplyOutcome {
    const outcome = this.books.apply(update);
    if (outcome === APPLIED) {
      this.#levelAges?.observe(update);
      this.#desk.onBook(this.instruments[update.instrument]!.id);
    } else if (outcome === BROKEN) this.#levelAges?.forget(update.instrument, update.receivedTimeNs);
    return outcome;
  }

  /** What the plan's orders would reserve. */
  readonly #claimsOf = (plan: Plan): readonly Claim[] =>
    mergedClaims(
      plan.legs.map((leg) => {
        const instrument = this.instruments[this.#indexOf(leg.instrument)]!;
        const { asset, amount } = this.ledger.needOf(instrument, leg);
        const free = this.ledger.availableOf(instrument.venue, asset);
        return { account: `${instrument.venue} ${asset}`, amount: amount.toNumber(), free };
      }),
    );

  /** What the time until the end of a route brings changes without a tick. */
  #refreshSoon(): void {
    const { clock } = this.#options;
    this.#refresh = clock.after(REFRESH_EVERY_MS, () => {
      onRefresh(this.#stages, clock.now());
      this.#refreshSoon();
    });
  }

  #sweepSoon(): void {
    const { clock } = this.#options;
    this.#sweep = clock.after(SWEEP_EVERY_MS, () => {
      this.#volatility.sample();
      this.opportunities.sweep(clock.now());
      this.#sweepSoon();
    });
  }
}

function booksOf({ clock }: EngineOptions, { endpoints, instruments }: Known): BookStore {
  const rules = new Map(endpoints.map(({ venue, market }) => [`${venue.id} ${market.id}`, market.book]));
  return new BookStore({
    instruments,
    rulesOf: ({ venue, market }) => rules.get(`${venue} ${market}`)!,
    clock,
    staleAfterMs: STALE_AFTER_MS,
  });
}

const hashOf = (config: Config): string =>
  createHash('sha256').update(JSON.stringify(config)).digest('hex').slice(0, 16);
