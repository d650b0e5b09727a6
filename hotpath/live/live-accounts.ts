import type { Decimal } from 'decimal.js';
import type { BadInput } from '#shared/assert.ts';
import type { Timer } from '#shared/clock/clock.ts';
import type { ForcedFill } from '#shared/domain/held.ts';
import type { ClientOrderId, InstrumentId, VenueId } from '#shared/domain/ids.ts';
import type { OrderGateway } from '#shared/domain/order.ts';
import type { Plan } from '#shared/domain/trade.ts';
import { textOf, ZERO } from '#shared/money/grid.ts';
import type { CommandOf } from '#shared/schema/command.ts';
import type { Recorder } from '#shared/schema/recorder.ts';
import type { AccountStatus } from '#shared/schema/status.ts';
import type { Answer } from '../commands.ts';
import type { TradingAccount } from '../execute/account/trading-account.ts';
import type { AccountsOptions, Cleared } from '../execute/accounts.ts';
import { Accounts } from '../execute/accounts.ts';
import type { Ledger } from '../execute/ledger.ts';
import type { JournalState } from '../recover/journal-state.ts';
import type { Trading } from '../trading-control.ts';
import { positionStatusOf } from './account-positions.ts';
import { AccountVerifier } from './account-verifier.ts';
import type { KnownOrder } from './order-watch.ts';
import { OrderWatch } from './order-watch.ts';
import type { Memory } from './reconciliation.ts';
import { reconcileAccount } from './reconciliation.ts';

export type LiveOptions = Omit<AccountsOptions, 'orderOf'> & {
  /** As the journal was before this start. */
  readonly state: JournalState;
  readonly ledger: Ledger;
  readonly recorder: Recorder;
  /** Value of one unit in the numeraire; undefined when nobody can say. */
  readonly rateOf: (asset: string) => number | undefined;
  readonly roundTripMsOf: (venue: VenueId) => number;
  /** A person has said what a position is. */
  readonly onAdjusted: (instrument: InstrumentId) => void;
  /** Our orders that are open or were lately. */
  readonly knownOrders: () => readonly KnownOrder[];
  /** Of this start. */
  readonly epoch: number;
  /** False in shadow: nothing is sent, so that the ledger goes its own way and is not compared. */
  readonly isCompared: boolean;
};

/** Trading begins without the venues that have not answered by then. */
const START_WITHIN_MS = 10_000;
const RETRY_MS = 2_000;
/** Clocks differ, and a trade may be told long after it was made; what the journal has is not booked again. */
const FORCED_OVERLAP_MS = 60_000;

/**
 * The accounts of a run that trades for real, from their start on: opened, reconciled with the journal, then compared again and again. Nothing trades
 * before every venue has answered or had its time; a venue that has not is not traded at until it has.
 */
export class LiveAccounts {
  readonly #options: LiveOptions;
  readonly #accounts: Accounts;
  readonly #verifier: AccountVerifier;
  readonly #memory: Memory;
  readonly #watch: OrderWatch;
  /** Venues that agree with the journal since this start. */
  readonly #reconciled = new Set<VenueId>();
  #whenReady: (() => void)[] = [];
  #isReady = false;
  #deadline: Timer | undefined;
  #stopped = false;

  /** @throws BadInput when a key is missing */
  constructor(options: LiveOptions) {
    const { state, config } = options;
    this.#options = options;
    const earlier = state.recentOrders();
    const venues = new Map(options.instruments.map(({ id, venue }) => [id, venue]));
    const openedMs = options.clock.unixMs(options.clock.now());
    this.#accounts = new Accounts({
      ...options,
      onForced: (fill) => this.#onForced(fill, openedMs),
      orderOf: (id: ClientOrderId) => earlier.get(id),
      onReport: (report) => {
        options.onReport(report);
        if (report.kind === 'fill') this.#verifier.booked(venues.get(report.fill.instrument)!);
      },
    });
    this.#memory = {
      openOperations: state.openOperations(),
      recentOrders: earlier,
      recentTrades: state.recentTrades(),
      atMs: state.epoch === 0 ? 0 : state.atMs,
    };
    const feeTokens = Object.entries(config.venues).flatMap(([id, { fee_token: token }]) =>
      token === undefined ? [] : [[id as VenueId, token.asset] as const],
    );
    this.#verifier = new AccountVerifier({
      ...options,
      settings: config.verification,
      instruments: this.#accounts.list.flatMap(({ instruments }) => instruments),
      feeAssets: new Map(feeTokens),
      ask: (venue, done) => this.#accounts.askHoldings(venue, done),
      open: state.openMismatches,
      isStanding: (venue, order) => this.#watch.isStanding(venue, order),
    });
    const { open_orders_every_ms: everyMs, alien_orders: aliens } = config.verification;
    this.#watch = new OrderWatch({
      ...options,
      everyMs,
      tellsAliens: aliens === 'reduce',
      known: options.knownOrders,
      mayCancel: () => options.fence() === undefined,
      epoch: () => options.epoch,
      note: (mismatch) => this.#verifier.note(mismatch),
    });
  }

  get gateway(): OrderGateway {
    return this.#accounts.gateway;
  }

  get accounts(): readonly TradingAccount[] {
    return this.#accounts.list;
  }

  start(): void {
    this.#deadline = this.#options.clock.after(START_WITHIN_MS, () => this.#begin());
    for (const account of this.#accounts.list) {
      account.start((problem) => {
        if (problem !== undefined) this.#onRefused(account, problem);
        else if (this.#accounts.of(account.venue).every(({ isOpen }) => isOpen)) this.#reconcile(account.venue);
      });
    }
  }

  /** Runs `task` once every venue has answered or had its time. */
  afterReconciliation(task: () => void): void {
    if (this.#isReady) task();
    else this.#whenReady.push(task);
  }

  /** Nothing trades while it is not known what is there; with a difference that nobody has explained, nothing is opened. */
  readonly restriction = (): Trading | undefined => {
    if (!this.#isReady) return { state: 'halted', reason: 'reconciling with the venues' };
    const [found] = this.#verifier.open;
    if (found === undefined) return undefined;
    return { state: 'reducing', reason: `${found.venue} differs from the ledger in ${found.what} ${found.id}` };
  };

  /** Whether a venue is heard and agrees with the ledger. */
  readonly isVerified = (venue: VenueId): boolean =>
    this.#reconciled.has(venue) && this.#verifier.doubtOf(venue) === undefined;

  /**
   * A wallet that does not bear what the legs need of it together, in words; undefined where all do. The ledger counts by venue: where a venue keeps its
   * accounts' money apart, what one has is of no use to another.
   */
  readonly shortWallet = ({ legs }: Pick<Plan, 'legs'>): string | undefined => {
    const needed = new Map<string, Decimal>();
    for (const leg of legs) {
      const account = this.#accounts.trading(leg.instrument);
      if (account === undefined || this.#accounts.of(account.venue).length < 2) continue;
      const { asset, amount } = this.#options.ledger.needOf(account.instrumentOf(leg.instrument)!, leg);
      const wallet = `${account.venue} ${account.id} ${asset}`;
      const total = (needed.get(wallet) ?? ZERO).plus(amount);
      needed.set(wallet, total);
      const available = account.balances.get(asset)?.available ?? ZERO;
      if (total.gt(available)) return `wallet=${wallet}, needed=${total.toFixed(8)}, available=${available.toFixed(8)}`;
    }
    return undefined;
  };

  readonly adjustPosition = (command: CommandOf<'adjust-position'>): Answer => this.#verifier.adjustPosition(command);

  /** Where a position stands among those that its venue reduces first, 0 (last) to 1; 0 where it does not say. */
  readonly adlRankOf = (instrument: InstrumentId): number => {
    const position = this.#accounts.trading(instrument)?.positions.get(instrument);
    return position === undefined || position.qty.isZero() ? 0 : (position.adlRank ?? 0);
  };

  readonly adjust = (command: CommandOf<'adjust'>): Answer => this.#verifier.adjust(command);

  readonly cancelAll = (done: (cleared: readonly Cleared[]) => void): void => this.#accounts.cancelAll(done);

  statuses(): readonly AccountStatus[] {
    return this.#accounts.list.map((account) => {
      const { venue, id, kind, state } = account;
      const doubt = this.#reconciled.has(venue) ? this.#verifier.doubtOf(venue) : 'not reconciled yet';
      const roundTripMs = this.#options.roundTripMsOf(venue);
      const positions = [...account.positions].flatMap(([instrument, position]) =>
        position.qty.isZero() ? [] : positionStatusOf(instrument, position),
      );
      return {
        venue,
        account: id,
        gateway: kind,
        status: state === 'refused' ? 'down' : state,
        verified: this.isVerified(venue),
        reason: account.reason === '' ? (doubt ?? '') : account.reason,
        round_trip_ms: Number.isFinite(roundTripMs) ? roundTripMs : null,
        banned_ms: account.gateway.status.bannedMs,
        ...(positions.length === 0 ? {} : { positions }),
      };
    });
  }

  /** Ends sockets and questions. Orders that rest are left: `cancelAll` ends those. */
  stop(done: () => void = () => undefined): void {
    this.#stopped = true;
    this.#deadline?.cancel();
    this.#verifier.stop();
    this.#watch.stop();
    this.#accounts.stop(done);
  }

  /** A snapshot may tell of what was before we began: that is in what the venue said it holds. */
  #onForced(fill: ForcedFill, openedMs: number): void {
    const { isCompared, onForced, instruments, logger } = this.#options;
    const sinceMs = this.#memory.atMs === 0 ? openedMs : this.#memory.atMs - FORCED_OVERLAP_MS;
    if (!isCompared || fill.timeMs < sinceMs) return;
    const { instrument, side, forced } = fill;
    logger.error('account-position-forced', { instrument, side, qty: textOf(fill.qty), forced });
    onForced(fill);
    this.#verifier.booked(instruments.find(({ id }) => id === instrument)!.venue);
  }

  #onRefused({ venue, id }: TradingAccount, problem: BadInput): void {
    this.#options.logger.error('account-refused', { venue, account: id, text: problem.message });
    this.#beginWhenAllSaid();
  }

  #reconcile(venue: VenueId): void {
    if (this.#stopped) return;
    const accounts = this.#accounts.of(venue);
    const later = (): void => void this.#options.clock.after(RETRY_MS, () => this.#reconcile(venue));
    if (!this.#options.isCompared) {
      // Nothing at the venue is ours: what rests there is somebody's who trades.
      this.#takeOver(venue, later);
      return;
    }
    let awaited = accounts.length;
    let isAnswered = true;
    for (const account of accounts) {
      reconcileAccount(account, this.#memory, (found) => {
        for (const fill of found?.forced ?? []) this.#onForced(fill, 0);
        for (const mismatch of found?.strange ?? []) this.#verifier.note(mismatch);
        for (const order of found?.late ?? []) this.afterReconciliation(() => this.gateway.probe(order));
        isAnswered &&= found !== undefined;
        awaited -= 1;
        if (awaited > 0) return;
        if (isAnswered) this.#takeOver(venue, later);
        else later();
      });
    }
  }

  /** What the venue holds becomes the ledger's at the first start; later the journal's word stands, and is compared. */
  #takeOver(venue: VenueId, later: () => void): void {
    this.#accounts.askHoldings(venue, (holdings) => {
      if (this.#stopped) return;
      if (holdings === undefined) {
        later();
        return;
      }
      const { state, isCompared, logger } = this.#options;
      if (!state.isFunded(venue)) this.#verifier.fund(venue, holdings);
      this.#reconciled.add(venue);
      logger.info('account-reconciled', { venue });
      if (isCompared) {
        this.#verifier.watch(venue);
        for (const account of this.#accounts.of(venue)) this.#watch.watch(account);
      }
      this.#beginWhenAllSaid();
    });
  }

  #beginWhenAllSaid(): void {
    const isSaid = this.#accounts.list.every(({ venue, state }) => state === 'refused' || this.#reconciled.has(venue));
    if (isSaid) this.#begin();
  }

  #begin(): void {
    if (this.#isReady || this.#stopped) return;
    this.#deadline?.cancel();
    this.#isReady = true;
    const missing = this.#accounts.venues.filter((venue) => !this.#reconciled.has(venue));
    if (missing.length > 0) this.#options.logger.error('accounts-not-reconciled', { venues: missing });
    const tasks = this.#whenReady;
    this.#whenReady = [];
    for (const task of tasks) task();
  }
}
