import { Decimal } from 'decimal.js';
import type { CapitalView } from '#shared/domain/capital.ts';
import type { InstrumentId, OperationId, OpportunityId, VenueId } from '#shared/domain/ids.ts';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
import type { Fence, OrderReport } from '#shared/domain/order.ts';
import type { Plan } from '#shared/domain/trade.ts';
import { sentLegs } from '#shared/domain/trade.ts';
import { carrySettingsOf } from '#shared/quant/carry.ts';
import type { EngineEvent } from '#shared/schema/event.ts';
import type { Recorder } from '#shared/schema/recorder.ts';
import type { Claim } from './allocator.ts';
import { mergedClaims } from './allocator.ts';
import { deskFrom } from './desk-from.ts';
import { DustFlusher } from './dust-flusher.ts';
import { Executor, PATIENCE } from './execute/executor.ts';
import { Holdings } from './execute/holdings.ts';
import { Ledger } from './execute/ledger.ts';
import { Rejects } from './execute/rejects.ts';
import { RoundTrips } from './execute/round-trips.ts';
import type { Tenure } from './lease/tenure.ts';
import { EmergencyStop } from './live/emergency-stop.ts';
import type { LiveAccounts } from './live/live-accounts.ts';
import type { OrderDesk } from './live/order-desk.ts';
import type { MarketSide } from './market-side.ts';
import type { EngineOptions } from './prepare.ts';
import type { RecoveryMarket } from './recover/candidate.ts';
import { elsewhereFrom } from './recover/elsewhere.ts';
import type { JournalState } from './recover/journal-state.ts';
import { recoveryMarketFrom } from './recover/recovery-market.ts';
import { decideRecovery, recoveryLimitsFrom } from './recover/recovery.ts';
import { revive } from './recover/startup.ts';
import { RiskDesk } from './risk-desk.ts';
import type { Aged } from './risk/ageing.ts';
import { LatencyCounter } from './runtime/latency-counter.ts';
import type { Restriction } from './trading-control.ts';
import { TradingControl } from './trading-control.ts';

export type OrderSideSources = {
  readonly options: EngineOptions;
  readonly state: JournalState;
  readonly lease: Tenure | undefined;
  readonly epoch: number;
  readonly recorder: Recorder;
  readonly market: MarketSide;
  readonly nextOperation: () => OperationId;
  readonly venueHealth: (venue: VenueId) => number;
  /** The id under which the journal knows a plan's opportunity. */
  readonly opportunityOf: (seen: OpportunityId) => OpportunityId;
};

/** What may be done, and what becomes of it: the gate, orders, their recovery, the ledger, what is held. */
export class OrderSide {
  readonly ledger: Ledger;
  readonly capital: CapitalView;
  /** What trading may do: commands, breakers, accounts, the lease. */
  readonly control: TradingControl;
  readonly emergency: EmergencyStop;
  readonly desk: OrderDesk;
  readonly roundTrips: RoundTrips;
  /** How long orders waited for their first word. */
  readonly answered = new LatencyCounter();
  readonly rejects = new Rejects();
  /** The books and the ledger as recovery, persons and exits ask about them. */
  readonly recoveryMarket: RecoveryMarket;
  readonly executor: Executor;
  /** What may hold a plan back, and what stops trading by itself. */
  readonly risk: RiskDesk;
  /** What sum routes have entered and not yet left. */
  readonly holdings: Holdings;
  readonly #sources: OrderSideSources;
  readonly #flusher: DustFlusher;

  constructor(sources: OrderSideSources) {
    const { options, state, recorder, market } = sources;
    const { clock, config } = options;
    this.#sources = sources;
    this.ledger = new Ledger(clock, {
      fraction: new Decimal(config.engine.carry.margin_fraction),
      underlyingOf: market.words.underlyingOf,
      instrumentOf: market.listed,
    });
    this.capital = {
      availableOf: this.ledger.availableOf,
      rateOf: market.rateOf,
      equity: () => this.risk.book.equityUsd(),
    };
    const trading = state.trading ?? { state: 'active', reason: 'first start' };
    this.control = new TradingControl(recorder, trading, this.#restrictions(), state.emergency?.reason);
    this.emergency = this.#emergencyOf();
    // On paper it is known: there and back.
    this.roundTrips = new RoundTrips(clock, 2 * config.paper.latency_ms);
    this.desk = deskFrom({
      ...sources,
      ledger: this.ledger,
      roundTrips: this.roundTrips,
      fence: this.#fence,
      onReport: this.#onReport,
      onForced: (fill) => this.holdings.onForced(fill),
      onAdjusted: (id) => this.holdings.onAdjusted(id),
      executor: () => this.executor,
    });
    this.recoveryMarket = this.#recoveryMarketOf();
    this.executor = this.#executorOf();
    this.risk = this.#riskOf();
    this.holdings = this.#holdingsOf();
    this.#flusher = this.#flusherOf();
  }

  /** The accounts at the venues; undefined on paper. */
  get accounts(): LiveAccounts | undefined {
    return this.desk.live;
  }

  /** What the plan's orders would reserve. */
  readonly claimsOf = (plan: Plan): readonly Claim[] =>
    mergedClaims(
      sentLegs(plan.legs).map((leg) => {
        const { instruments, indexOf } = this.#sources.market;
        const instrument = instruments[indexOf(leg.instrument)]!;
        const { asset, amount } = this.ledger.needOf(instrument, leg);
        const free = this.ledger.availableOf(instrument.venue, asset);
        return { account: `${instrument.venue} ${asset}`, amount: amount.toNumber(), free };
      }),
    );

  /** A book has changed: what rests on paper may trade. */
  onBook({ instrument }: MarketUpdate): void {
    this.desk.onBook(this.#sources.market.instruments[instrument]!.id);
  }

  /** Whatever the journal is told. */
  readonly onFact = (event: EngineEvent): void => {
    this.risk.onEvent(event);
    this.rejects.onEvent(event);
  };

  /** How a venue takes our orders. */
  at(venue: VenueId): { readonly order_round_trip_ms: number; readonly rejects: number } {
    return { order_round_trip_ms: this.roundTrips.ofMs(venue), rejects: this.rejects.of(venue) };
  }

  /** Start-up is recovery: what a dead process left is taken up before anything new. */
  start(): void {
    const { options, state, recorder } = this.#sources;
    const { config } = options;
    const { ledger, holdings, accounts } = this;
    const { emergency } = state;
    const onceHeard = (task: () => void): void =>
      accounts === undefined ? task() : accounts.afterReconciliation(task);
    // What is held at a venue is the venue's to say; what was left open is asked for once its account is open.
    const initial = accounts === undefined ? config.paper.balances : {};
    revive(state, config.engine.venues, initial, {
      ledger,
      holdings,
      recorder,
      executor: {
        resume: (left, asked) => {
          // What has filled of operations that were over the accounts have found by then: nobody else need ask.
          const known = accounts === undefined ? left : { ...left, atMs: Infinity };
          onceHeard(() => this.executor.resume(known, asked));
        },
      },
    });
    if (emergency !== undefined) onceHeard(() => this.emergency.resume(emergency));
    accounts?.start();
    this.risk.start();
    this.holdings.start();
    this.#flusher.start();
  }

  /** What rests at the venues is taken back: somebody else may trade now, or soon. */
  withdraw(): void {
    for (const order of this.executor.restingOrders()) this.executor.cancelOrder(order);
  }

  stop(): void {
    this.risk.stop();
    this.holdings.stop();
    this.#flusher.stop();
    this.executor.stop();
    this.emergency.stop();
    this.accounts?.stop();
  }

  /** What holds trading back beside commands. */
  #restrictions(): readonly Restriction[] {
    const lease: Restriction = () => {
      const reason = this.#sources.lease?.fence();
      return reason === undefined ? undefined : { state: 'halted', reason };
    };
    const start: Restriction = () => this.#sources.options.restriction;
    return [lease, start, () => this.accounts?.restriction(), () => this.risk.breakers.restriction()];
  }

  /** Everything that may be sent asks it first. */
  readonly #fence: Fence = () => this.control.fence() ?? this.#sources.lease?.fence();

  readonly #onReport = (report: OrderReport): void => {
    const tookMs = this.roundTrips.heard(report);
    if (tookMs !== undefined) {
      this.risk.breakers.onRoundTrip(tookMs);
      this.answered.record(tookMs * 1e6);
    }
    this.executor.onReport(report);
  };

  #emergencyOf(): EmergencyStop {
    const { options, recorder } = this.#sources;
    const { clock, logger } = options;
    const clear: OrderDesk['clear'] = (done) => this.desk.clear(done);
    return new EmergencyStop({ clock, logger, control: this.control, recorder, clear });
  }

  #recoveryMarketOf(): RecoveryMarket {
    const { ledger } = this;
    const { market, options } = this.#sources;
    const { engine, execution } = options.config;
    const elsewhere = { equalAssets: engine.equal_assets, rebalanceCostBps: engine.rebalance_cost_bps };
    return recoveryMarketFrom({
      depths: this.desk.depths,
      indexOf: market.indexOf,
      freeOf: (venue, asset) => ledger.freeOf(venue, asset),
      needOf: ledger.needOf,
      underlyingOf: ledger.underlyingOf,
      expectedFunding: market.words.expectedFunding,
      ...(execution.recovery.hedge_elsewhere ? { elsewhere: elsewhereFrom(market.instruments, elsewhere) } : {}),
    });
  }

  #executorOf(): Executor {
    const { options, market, recorder, epoch, opportunityOf } = this.#sources;
    const { clock, config } = options;
    const limits = recoveryLimitsFrom(config.execution.recovery);
    const { recoveryMarket } = this;
    return new Executor({
      clock,
      gateway: this.roundTrips.through(
        this.desk.gateway,
        (instrument) => market.instruments[market.indexOf(instrument)]!.venue,
      ),
      ledger: this.ledger,
      recorder,
      instrumentOf: market.listed,
      decide: (view) => decideRecovery(view, recoveryMarket, limits),
      opportunityOf,
      epoch,
      patience: { ...PATIENCE, reportWithinMs: config.execution.report_within_ms },
      fence: this.#fence,
      rateOf: market.valueOf,
      bestOf: (instrument, side) => {
        const best = market.topOf(instrument)?.[side === 'buy' ? 'bid' : 'ask'];
        return best === undefined || !(best > 0) ? undefined : new Decimal(best);
      },
      keeper: {
        entered: (operation) => this.holdings.entered(operation),
        closing: (...closing) => this.holdings.closing(...closing),
        exited: (holding) => this.holdings.exited(holding),
      },
    });
  }

  #riskOf(): RiskDesk {
    const { options, state, recorder, market, venueHealth } = this.#sources;
    const { ledger, executor, capital } = this;
    return new RiskDesk({
      ...options,
      recorder,
      state,
      instruments: market.instruments,
      indexOf: market.indexOf,
      tops: market.books.tops,
      depths: market.books.depths,
      ledger,
      executor,
      capital,
      tradingState: () => this.control.now.state,
      venueHealth,
      accountVerified: (venue) => this.accounts?.isVerified(venue) ?? true,
      shortWallet: (plan) => this.accounts?.shortWallet(plan),
      roundTripMs: this.roundTrips.ofMs,
      adlRankOf: this.#adlRankOf,
      open: () => this.#open(),
      saidDeltaOf: (id) => market.references.delta[market.indexOf(id)]!,
    });
  }

  /** Everything that may grow old. */
  #open(): readonly Aged[] {
    const { clock } = this.#sources.options;
    const holdings = this.holdings.open.map(({ id, family, openedMs }) => ({
      what: 'holding' as const,
      id,
      family,
      sinceMs: openedMs,
    }));
    const operations = this.executor.openSince.map(({ id, family, sinceNs }) => ({
      what: 'operation' as const,
      id,
      family,
      sinceMs: clock.unixMs(sinceNs),
    }));
    return [...holdings, ...operations];
  }

  readonly #adlRankOf = (id: InstrumentId): number => this.accounts?.adlRankOf(id) ?? 0;

  #holdingsOf(): Holdings {
    const { options, recorder, market, nextOperation } = this.#sources;
    const { config, clock } = options;
    const { ledger, executor } = this;
    const { gate } = this.risk;
    return new Holdings({
      clock,
      ledger,
      recorder,
      market: {
        instrumentOf: market.listed,
        levels: this.recoveryMarket.levels,
        underlyingOf: ledger.underlyingOf,
        expectedFunding: market.words.expectedFunding,
      },
      settle: this.desk.settle,
      fundingOf: market.words.fundingOf,
      rateOf: market.rateOf,
      nextOperation,
      exit: (plan) => {
        const verdict = gate.approve(plan, clock.now());
        if (verdict.kind === 'approved') executor.submit(verdict.plan);
      },
      busy: executor.busy,
      entries: executor,
      isExiting: executor.isExiting,
      horizonMs: carrySettingsOf(config.engine.carry).horizonMs,
      stopLoss: () => gate.limits.stop_loss_percentage / 100,
      maxAgeMs: (family) => this.risk.ageing.maxAgeMsOf({ what: 'holding', family }),
      isNextToGo: (id) => this.#adlRankOf(id) > gate.limits.max_adl_rank,
    });
  }

  #flusherOf(): DustFlusher {
    const { options, market, nextOperation } = this.#sources;
    const { config, clock } = options;
    const { numeraire, stable_assets: stable } = config.engine;
    const rateOf = (asset: string): Decimal | undefined => {
      const rate = market.valueOf(asset);
      return rate === undefined ? undefined : new Decimal(rate);
    };
    return new DustFlusher({
      clock,
      dust: this.ledger.dust,
      market: { ...this.recoveryMarket, instruments: market.instruments, rateOf },
      rules: {
        flushUsd: config.execution.dust_flush_usd,
        slackBps: config.execution.recovery.slack_bps,
        quotes: new Set([numeraire, ...stable]),
        numeraire,
      },
      executor: this.executor,
      isActive: () => this.control.now.state === 'active',
      nextOperation,
    });
  }
}
