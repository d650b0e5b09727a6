import { createHash } from 'node:crypto';
import type { Histogram } from 'hdr-histogram-js';
import { build } from 'hdr-histogram-js';
import { assert, BadInput } from '#shared/assert.ts';
import type { Timer } from '#shared/clock/clock.ts';
import type { CapitalView, Pace } from '#shared/domain/capital.ts';
import type { OperationId, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { ApplyOutcome, MarketUpdate } from '#shared/domain/market-event.ts';
import { APPLIED } from '#shared/domain/market-event.ts';
import { carrySettingsOf } from '#shared/quant/carry.ts';
import type { Command } from '#shared/schema/command.ts';
import type { Config } from '#shared/schema/config.ts';
import type { LatencyCounts } from '#shared/schema/status.ts';
import type { BookStore } from './book/book-store.ts';
import type { ReferenceStore } from './book/reference-store.ts';
import { commandDesk } from './command-desk.ts';
import type { Commands } from './commands.ts';
import { Evaluator } from './detect/evaluator.ts';
import { epochBefore } from './execute/client-order-id.ts';
import type { Executor } from './execute/executor.ts';
import type { Holdings } from './execute/holdings.ts';
import type { Ledger } from './execute/ledger.ts';
import { Feed } from './feed/feed.ts';
import type { JournalMemory } from './journal-memory.ts';
import type { Tenure } from './lease/tenure.ts';
import type { LiveAccounts } from './live/live-accounts.ts';
import { MarketSide } from './market-side.ts';
import type { Opened } from './open-journal.ts';
import { openJournal } from './open-journal.ts';
import { OrderSide } from './order-side.ts';
import type { Stages } from './pipeline.ts';
import { onBelieved, onMarketUpdate, onRefresh } from './pipeline.ts';
import type { EngineOptions, Prepared } from './prepare.ts';
import { prepareEngine } from './prepare.ts';
import { Hindsight } from './publish/hindsight.ts';
import type { Journal } from './publish/journal.ts';
import { OpportunityLog } from './publish/opportunity-log.ts';
import { outcomesFrom } from './publish/outcome.ts';
import { Publisher } from './publish/publisher.ts';
import type { JournalState } from './recover/journal-state.ts';
import type { RiskDesk } from './risk-desk.ts';
import { LatencyCounter } from './runtime/latency-counter.ts';
import { Sizer } from './size/sizer.ts';
import type { Synthetic } from './synthetics/synthetic.ts';
import type { Trading, TradingControl } from './trading-control.ts';

const SWEEP_EVERY_MS = 250;
/** Refused opportunities whose further fate is followed at a time: forty a second. */
const HINDSIGHT_MAX = 200;
/** Some dozen routes a time are reckoned anew: twelve thousand a second. */
const REFRESH_EVERY_MS = 5;
const OPPORTUNITY = { expireAfterMs: 1_000, eventsPerSecond: 1, openMax: 10_000 } as const;
const DECISION_NS_MAX = 60e9;

/** Finds what the venues list and what the journal remembers, and puts the stages together. Nothing runs before `start`. */
export const openEngine = async (options: EngineOptions, lease?: Tenure): Promise<Engine> =>
  engineFrom(options, await prepareEngine(options), lease);

/**
 * Opens the journal, under the epoch of the lease where there is one. `memory`: what of it has been read by now.
 * @throws BadInput when the journal is damaged, or somebody else's
 */
export function engineFrom(options: EngineOptions, prepared: Prepared, lease?: Tenure, memory?: JournalMemory): Engine {
  const { journalDir: directory, config, clock, logger, publishedSeq } = options;
  const { name: engine } = config.engine;
  const opened = openJournal({ directory, engine, clock, logger, publishedSeq, epoch: lease?.epoch, memory });
  demandSameMoney(opened.state, options);
  return new Engine(options, { ...prepared, ...opened, lease });
}

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
  readonly epoch: number;
  readonly journal: Journal;
  readonly opportunities: OpportunityLog;
  readonly feed: Feed;
  readonly decisions: Histogram = build({ highestTrackableValue: DECISION_NS_MAX, numberOfSignificantValueDigits: 3 });
  readonly #decided = new LatencyCounter();
  readonly pace: Pace;
  readonly #options: EngineOptions;
  readonly #known: Known;
  readonly #publisher: Publisher;
  readonly #market: MarketSide;
  readonly #orders: OrderSide;
  readonly #commands: Commands;
  readonly #evaluator: Evaluator;
  readonly #stages: Stages;
  /** As sizing reads it: some of it can be changed while the engine runs. */
  readonly #sizing: Config['engine'];
  #operations = 0;
  #sweep: Timer | undefined;
  #refresh: Timer | undefined;

  constructor(options: EngineOptions, known: Known) {
    const { config, clock } = options;
    const { state, journal } = known;
    this.#options = options;
    this.#known = known;
    this.#sizing = { ...config.engine };
    const epochMin = epochBefore(state.epoch, config.engine.mode, clock.unixMs(clock.now()));
    this.epoch = known.lease?.epoch ?? epochMin + 1;
    assert(this.epoch > state.epoch, 'an engine begins an epoch of its own');
    this.journal = journal;
    this.#publisher = new Publisher(journal, clock);

    this.#market = new MarketSide({ ...known, config, clock });
    this.#orders = this.#ordersOf();
    known.facts.heard = this.#orders.onFact;
    this.#commands = this.#commandsOf();
    this.pace = this.#paceOf();
    this.opportunities = this.#opportunitiesOf();
    this.#evaluator = this.#evaluatorOf();
    this.#stages = this.#stagesOf();
    this.feed = this.#feedOf();
  }

  get mode(): Config['engine']['mode'] {
    return this.#options.config.engine.mode;
  }

  get instruments(): readonly Instrument[] {
    return this.#known.instruments;
  }

  get synthetics(): readonly Synthetic[] {
    return this.#known.synthetics;
  }

  get routes(): number {
    return this.#known.routes.length;
  }

  get books(): BookStore {
    return this.#market.books;
  }

  get references(): ReferenceStore {
    return this.#market.references;
  }

  get ledger(): Ledger {
    return this.#orders.ledger;
  }

  get capital(): CapitalView {
    return this.#orders.capital;
  }

  get executor(): Executor {
    return this.#orders.executor;
  }

  get risk(): RiskDesk {
    return this.#orders.risk;
  }

  get holdings(): Holdings {
    return this.#orders.holdings;
  }

  get control(): TradingControl {
    return this.#orders.control;
  }

  /** The accounts at the venues; undefined on paper. */
  get accounts(): LiveAccounts | undefined {
    return this.#orders.accounts;
  }

  /** Undefined where none is asked for. */
  get lease(): Tenure | undefined {
    return this.#known.lease;
  }

  /** What trading may do now. */
  get trading(): Trading {
    return this.control.now;
  }

  get idle(): boolean {
    return this.executor.idle;
  }

  /** One change of the market, through every stage. */
  readonly onUpdate = (update: MarketUpdate): void => onMarketUpdate(this.#stages, update);

  /** By stage, since the start. */
  latencies(): Readonly<Record<'decision' | 'order', LatencyCounts>> {
    return { decision: this.#decided.read(), order: this.#orders.answered.read() };
  }

  /** How a venue takes our orders. */
  ordersAt(venue: VenueId): ReturnType<OrderSide['at']> {
    return this.#orders.at(venue);
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
    this.#orders.start();
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

  /** What rests at the venues is taken back: somebody else may trade now, or soon. */
  withdraw(): void {
    this.#orders.withdraw();
  }

  /** Closes feeds and journal. What is still open is left as it is and taken up at the next start. */
  finish(reason: string): void {
    this.#sweep?.cancel();
    this.#refresh?.cancel();
    this.#orders.stop();
    this.feed.stop();
    this.opportunities.closeAll();
    this.#tellLease('released', reason);
    this.#publisher.record('engine-stopped', 'engine', { reason });
    this.#publisher.flush();
    this.journal.close();
  }

  #tellLease(state: 'held' | 'released', reason: string): void {
    const { lease } = this;
    if (lease === undefined) return;
    this.#publisher.record('lease', 'lease', { state, holder: lease.holder, epoch: lease.epoch, reason });
  }

  readonly #nextOperation = (): OperationId => {
    this.#operations += 1;
    return `p${this.epoch.toString(36)}-${this.#operations}` as OperationId;
  };

  #ordersOf(): OrderSide {
    const { state, lease } = this.#known;
    return new OrderSide({
      options: this.#options,
      state,
      lease,
      epoch: this.epoch,
      recorder: this.#publisher,
      market: this.#market,
      nextOperation: this.#nextOperation,
      venueHealth: (venue) => this.feed.health(venue),
      opportunityOf: (seen) => this.opportunities.lifetimeOf(seen),
    });
  }

  #commandsOf(): Commands {
    return commandDesk({
      options: this.#options,
      recorder: this.#publisher,
      known: this.#known.state.commands,
      market: this.#market,
      orders: this.#orders,
      sizing: this.#sizing,
      nextOperation: this.#nextOperation,
    });
  }

  #paceOf(): Pace {
    const { roundTrips } = this.#orders;
    return {
      ...this.#market.pace,
      roundTripMsOf: (instrument) => roundTrips.ofMs(this.instruments[instrument]!.venue),
    };
  }

  #opportunitiesOf(): OpportunityLog {
    return new OpportunityLog({
      ...OPPORTUNITY,
      clock: this.#options.clock,
      recorder: this.#publisher,
      checksOf: this.risk.gate.checksOf,
      hindsight: this.#hindsightOf(),
    });
  }

  /** What was refused is looked at again when an order would have arrived, after a second, and after five. */
  #hindsightOf(): Hindsight {
    const { config, clock } = this.#options;
    const outcomeOf = outcomesFrom({
      instruments: this.instruments,
      routes: this.#known.routes,
      tops: this.books.tops,
      depths: this.#orders.desk.depths,
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
    return new Evaluator(this.instruments, this.#known.routes, {
      tops: this.books.tops,
      minEdge: config.engine.min_edge_bps / 1e4,
      carry: { references: this.references, settings: carrySettingsOf(config.engine.carry), unixMs: clock.unixMs },
    });
  }

  /** The stages in their order. */
  #stagesOf(): Stages {
    const { executor, claimsOf, risk } = this.#orders;
    return {
      feed: { resync: (instrument) => this.feed.resync(instrument) },
      book: { apply: (update) => this.#applied(update) },
      detect: this.#evaluator,
      size: this.#sizerOf(),
      risk: risk.gate,
      execute: { submit: executor.submit, claimsOf },
      publish: this.opportunities,
    };
  }

  #sizerOf(): Sizer {
    const { clock } = this.#options;
    return new Sizer({
      instruments: this.instruments,
      routes: this.#known.routes,
      tops: this.books.tops,
      depths: this.#orders.desk.depths,
      references: this.references,
      pace: this.pace,
      capital: this.capital,
      engine: this.#sizing,
      splitLegs: this.#options.config.execution.split_legs,
      unixMs: (nowNs) => clock.unixMs(nowNs),
      ids: { prefix: `o${this.epoch.toString(36)}`, nextOperation: this.#nextOperation },
    });
  }

  #feedOf(): Feed {
    const { clock, config } = this.#options;
    const { decisions } = this;
    const { onPrint } = this.#orders.desk;
    return new Feed({
      ...this.#options,
      endpoints: this.#known.endpoints,
      instruments: this.instruments,
      books: this.books,
      streams:
        onPrint === undefined ? config.engine.streams : [...new Set([...config.engine.streams, 'trades' as const])],
      ...(onPrint === undefined ? {} : { onPrint }),
      healthMin: config.risk.min_venue_health,
      onUpdate: this.onUpdate,
      onBelieved: (instrument) => onBelieved(this.#stages, instrument, clock.now()),
      onReference: (reference) => {
        this.references.apply(reference);
        this.#evaluator.noteReference(reference.instrument);
      },
      onDecision: (elapsedNs) => {
        decisions.recordValue(Math.min(DECISION_NS_MAX, Math.round(elapsedNs)));
        this.#decided.record(elapsedNs);
      },
      onVenueStatus: (change) => void this.#publisher.record('venue-status', change.venue, change),
    });
  }

  #applied(update: MarketUpdate): ApplyOutcome {
    const outcome = this.#market.apply(update);
    if (outcome === APPLIED) this.#orders.onBook(update);
    return outcome;
  }

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
      this.#market.sample();
      this.opportunities.sweep(clock.now());
      this.#sweepSoon();
    });
  }
}

const hashOf = (config: Config): string =>
  createHash('sha256').update(JSON.stringify(config)).digest('hex').slice(0, 16);
