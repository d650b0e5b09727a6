import { Decimal } from 'decimal.js';
import { Executor, PATIENCE } from '#hotpath/execute/executor.ts';
import { Holdings } from '#hotpath/execute/holdings.ts';
import { Ledger } from '#hotpath/execute/ledger.ts';
import type { RecoveryLimits, RecoveryMarket } from '#hotpath/recover/candidate.ts';
import type { Checkpoint } from '#hotpath/recover/journal-state.ts';
import { JournalState } from '#hotpath/recover/journal-state.ts';
import { decideRecovery } from '#hotpath/recover/recovery.ts';
import { revive } from '#hotpath/recover/startup.ts';
import type { Clock } from '#shared/clock/clock.ts';
import type { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { ForcedFill } from '#shared/domain/held.ts';
import type { ClientOrderId, OperationId, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { OrderGateway, OrderReport, OrderRequest, Standing } from '#shared/domain/order.ts';
import type { Side } from '#shared/domain/route.ts';
import { opposite } from '#shared/domain/route.ts';
import type { Approved, Plan, PlanLeg } from '#shared/domain/trade.ts';
import { sentLegs } from '#shared/domain/trade.ts';
import { ZERO } from '#shared/money/grid.ts';
import { marginOf } from '#shared/money/margin.ts';
import type { EngineEvent } from '#shared/schema/event.ts';
import type { Recorder } from '#shared/schema/recorder.ts';
import { Journal } from './journal.ts';
import { FUNDS, instrumentOf, listingsOf, PRICES } from './listings.ts';
import type { Level } from './market.ts';

/** kill -9, between two instructions. */
class Killed extends Error {}

export type LifeOptions = {
  readonly clock: VirtualClock;
  readonly venues: readonly string[];
  /** What a dead or displaced engine has left. */
  readonly events: readonly EngineEvent[];
  readonly levels: (instrument: Instrument, side: Side) => readonly Level[];
  readonly place: (order: OrderRequest, life: Life) => void;
  readonly cancel: (order: ClientOrderId, life: Life) => void;
  readonly replace: (order: ClientOrderId, to: Standing, life: Life) => boolean;
  readonly probe: (order: ClientOrderId, asker: Life) => void;
  readonly limits: RecoveryLimits;
  /** A way out of what is held is about to be sent. */
  readonly onExit: (plan: Plan, life: Life) => void;
  readonly onKilled: (life: Life) => void;
  readonly onLeaseLost: (life: Life) => void;
  /** Whether its memory is read back from a checkpoint. */
  readonly isCheckpointed: boolean;
};

export const MARGIN = { fraction: new Decimal('0.25'), underlyingOf: () => undefined } as const;
const TRANSFER_COST = new Decimal('0.0005');
const PERP_CARRY = new Decimal('0.0001');
/** Nothing that is held ends by itself within a story. */
const HORIZON_MS = 30 * 86_400_000;

/**
 * One process of the engine: executor, ledger, recovery and journal as in production, every call between them and the outside a place where it may be killed.
 * Time may stand still for it, its wall clock may be set, and its lease may end.
 */
export class Life {
  readonly epoch: number;
  readonly journal: Journal;
  readonly ledger: Ledger;
  readonly executor: Executor;
  readonly holdings: Holdings;
  isAlive = true;
  /** Why nothing may be sent. */
  fence: string | undefined;
  pausedUntilMs = 0;
  wallStepMs = 0;
  readonly #options: LifeOptions;
  readonly #state: JournalState;
  #callsLeft = Infinity;
  #leaseCallsLeft = Infinity;
  #exits = 0;

  constructor(options: LifeOptions) {
    this.#options = options;
    const { clock, events, isCheckpointed } = options;
    const state = new JournalState();
    for (const event of events) state.apply(event);
    this.#state = isCheckpointed
      ? JournalState.from(JSON.parse(JSON.stringify(state.checkpoint())) as Checkpoint)
      : state;
    this.epoch = this.#state.epoch + 1;
    const own = this.#clock(clock);
    this.journal = new Journal(own, events);
    this.ledger = new Ledger(own, { ...MARGIN, instrumentOf });
    const market = this.#market();
    this.executor = new Executor({
      clock: own,
      gateway: this.#gateway(),
      ledger: this.ledger,
      recorder: this.#recorder(),
      instrumentOf,
      decide: (view) => decideRecovery(view, market, options.limits),
      opportunityOf: (seen) => seen,
      epoch: this.epoch,
      patience: PATIENCE,
      rateOf: (asset) => PRICES[asset],
      fence: () => this.fence,
      bestOf: (id, side) => {
        const instrument = instrumentOf(id);
        return instrument === undefined ? undefined : options.levels(instrument, opposite(side))[0]?.price;
      },
      keeper: {
        entered: (operation) => {
          this.holdings.entered(operation);
        },
        closing: (...closing) => {
          this.holdings.closing(...closing);
        },
        exited: (holding) => {
          this.holdings.exited(holding);
        },
      },
    });
    this.holdings = this.#holdings(own, market);
  }

  start(): void {
    const { venues } = this.#options;
    const recorder = this.#recorder();
    this.run(() => {
      recorder.record('engine-started', 'engine', startedFacts(this.epoch, venues));
      revive(
        this.#state,
        venues,
        { default: FUNDS },
        {
          ledger: this.ledger,
          executor: this.executor,
          recorder,
          holdings: this.holdings,
        },
      );
    });
  }

  /** What the gate asks beside its limits is asked when the engine has the plan: it may have stood still since it was drawn. */
  submit(plan: Approved<Plan>): void {
    this.run(() => {
      if (!sentLegs(plan.legs).some((leg) => this.isInTheWay(leg))) this.executor.submit(plan);
    });
  }

  isInTheWay(leg: PlanLeg): boolean {
    return this.executor.busy(leg.instrument) || this.executor.restingAgainst(leg);
  }

  hear(report: OrderReport): void {
    this.run(() => {
      this.executor.onReport(report);
    });
  }

  /** A venue tells what it has traded of a position by itself; as often as it likes. */
  hearForced(fill: ForcedFill): void {
    this.run(() => {
      this.holdings.onForced(fill);
    });
  }

  /** Looks after what is held, as a timer would. */
  look(): void {
    this.run(() => {
      this.holdings.look();
    });
  }

  /** Dies after so many more calls to the outside. */
  killAfter(calls: number): void {
    this.#callsLeft = calls;
  }

  /** Dies now, doing nothing. */
  kill(): void {
    this.run(() => {
      throw new Killed();
    });
  }

  /** Its lease ends within the call so many calls from now. */
  loseLeaseAfter(calls: number): void {
    this.#leaseCallsLeft = calls;
  }

  stop(): void {
    this.isAlive = false;
    this.executor.stop();
  }

  /** Whatever the engine does, it does in here: later, when its process stands still, and not at all when it is dead. */
  run(task: () => void): void {
    if (!this.isAlive) return;
    const { clock, onKilled } = this.#options;
    const nowMs = clock.now() / 1e6;
    if (nowMs < this.pausedUntilMs) {
      clock.after(this.pausedUntilMs - nowMs, () => this.run(task));
      return;
    }
    try {
      task();
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
      this.isAlive = false;
      onKilled(this);
    }
  }

  /** Writing takes its time: the lease may end meanwhile. */
  #write(): void {
    this.#call();
    this.#leaseCallsLeft -= 1;
    if (this.#leaseCallsLeft >= 0 || this.fence !== undefined) return;
    this.fence = 'LEASE_LOST';
    this.#options.onLeaseLost(this);
  }

  /** A boundary between two instructions. */
  #call(): void {
    this.#callsLeft -= 1;
    if (this.#callsLeft < 0) throw new Killed();
  }

  #clock(clock: VirtualClock): Clock {
    return {
      now: clock.now,
      unixNs: (at) => clock.unixNs((at + this.wallStepMs * 1e6) as typeof at),
      unixMs: (at) => clock.unixMs(at) + this.wallStepMs,
      after: (delayMs, task) => {
        this.#call();
        // What is due while the process stands still may be cancelled before it goes on.
        let isCancelled = false;
        const timer = clock.after(delayMs, () => this.run(() => (isCancelled ? undefined : task())));
        return {
          cancel: () => {
            isCancelled = true;
            timer.cancel();
          },
        };
      },
    };
  }

  #holdings(clock: Clock, market: RecoveryMarket): Holdings {
    const { levels, underlyingOf } = market;
    return new Holdings({
      clock,
      ledger: this.ledger,
      recorder: this.#recorder(),
      market: { instrumentOf, levels, underlyingOf, expectedFunding: () => 0 },
      settle: () => undefined,
      fundingOf: () => undefined,
      rateOf: (asset) => PRICES[asset],
      nextOperation: () => `exit-${this.epoch}-${(this.#exits += 1)}` as OperationId,
      exit: (plan) => {
        if (sentLegs(plan.legs).some((leg) => this.isInTheWay(leg))) return;
        this.#options.onExit(plan, this);
        this.executor.submit(plan as Approved<Plan>);
      },
      busy: this.executor.busy,
      entries: this.executor,
      isExiting: this.executor.isExiting,
      horizonMs: HORIZON_MS,
      stopLoss: () => 1,
      maxAgeMs: () => Infinity,
      isNextToGo: () => false,
    });
  }

  #gateway(): OrderGateway {
    const { place, cancel, replace, probe } = this.#options;
    return {
      submit: (orders) => {
        for (const order of orders) {
          this.#call();
          place(order, this);
        }
        this.#call();
      },
      cancel: (id) => {
        this.#call();
        cancel(id, this);
      },
      replace: (id, to) => {
        this.#call();
        return replace(id, to, this);
      },
      probe: (id) => {
        this.#call();
        probe(id, this);
      },
    };
  }

  #recorder(): Recorder {
    return {
      record: (kind, key, data) => {
        this.#write();
        return this.journal.record(kind, key, data);
      },
      flush: () => {
        this.#write();
        this.journal.flush();
        this.#write();
      },
    };
  }

  #market(): RecoveryMarket {
    const { venues, levels } = this.#options;
    const listed = venues.flatMap(listingsOf);
    return {
      levels: (instrument, side) => (this.isAlive ? levels(instrument, side) : []),
      freeOf: ({ venue }, asset) => this.ledger.freeOf(venue, asset),
      needOf: (instrument, order) => this.ledger.needOf(instrument, order),
      underlyingOf: () => ZERO,
      carryOf: () => PERP_CARRY,
      alternatives: ({ id, kind, base, quote }) =>
        kind === 'spot'
          ? listed.filter(
              (each) => each.kind === 'spot' && each.base === base && each.quote === quote && each.id !== id,
            )
          : [],
      coversOf: (asset) =>
        listed.filter(({ kind, base, inverse }) => kind === 'perpetual' && base === asset && !inverse),
      transferCostOf: () => TRANSFER_COST,
    };
  }
}

/** What open contracts of an account must keep reserved. */
export function marginsOf(ledger: Ledger, venue: VenueId | string, asset: string): Decimal {
  let sum: Decimal = ZERO;
  for (const id of ledger.openPositions()) {
    const instrument = instrumentOf(id)!;
    if (instrument.venue === venue && instrument.settle === asset)
      sum = sum.plus(marginOf(ledger.positionOf(id), instrument, MARGIN));
  }
  return sum;
}

const startedFacts = (epoch: number, venues: readonly string[]) => ({
  mode: 'paper' as const,
  epoch,
  seed: 0,
  version: '0',
  config_hash: '0',
  venues: [...venues],
  families: [],
  instruments: 0,
  routes: 0,
});
