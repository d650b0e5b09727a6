import type { Timer } from '#shared/clock/clock.ts';
import { BadInput } from '#shared/assert.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { Backoff } from '../../runtime/backoff.ts';
import type { BalanceState, Call, Meaning, OrderState, PositionState, VenueFill } from '../../venues/venue-account.ts';
import type { AccountContext } from '../../venues/venue-account.ts';
import type { AccountClient, Outcome } from './account-client.ts';
import { textOfOutcome } from './account-client.ts';
import type { OrderTracker, TrackedOrder } from './order-tracker.ts';

export type ResyncOptions = {
  readonly client: AccountClient;
  readonly tracker: OrderTracker;
  readonly instruments: readonly Instrument[];
  /** Whether the private streams run. While they do not, or where there is none, all of this is asked for again and again. */
  readonly isStreaming: () => boolean;
  readonly onFill: (fill: VenueFill) => void;
  readonly onOrder: (order: OrderState) => void;
  /** An order that should be open and is not among the open ones. */
  readonly onSilent: (order: TrackedOrder) => void;
  readonly onBalance: (balance: BalanceState) => void;
  readonly onPosition: (position: PositionState) => void;
  /** In which there is a position: its venue may have traded it by itself. */
  readonly held: () => readonly Instrument[];
};

/** What waiting does not change. */
const FINAL: ReadonlySet<Meaning> = new Set(['unauthorised', 'not-allowed']);
/** While no stream runs. */
const POLL_MS = 10_000;
const RETRY = { minMs: 250, maxMs: 10_000 } as const;
/** Fills are asked for from so long before the last event: the venue's books may be later than its stream. */
const OVERLAP_MS = 60_000;
/** An order sent so shortly ago need not be listed yet. */
const TRAVEL_MS = 2_000;
/** Strangers named in a log line. */
const STRANGERS_TOLD = 5;

type Make<T> = (context: AccountContext) => readonly Call<readonly T[]>[];

/**
 * Makes good what a private stream did not say: fills since it was last heard, open orders, balances, positions, by REST, again until all of it was
 * answered. One at a time; what is missed meanwhile asks for another.
 */
export class Resync {
  done = 0;
  readonly #options: ResyncOptions;
  readonly #backoff: Backoff;
  /** Events since then are missing; Infinity when none is. */
  #missedMs = Infinity;
  #running = false;
  #again = false;
  #isFirst = true;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: ResyncOptions) {
    this.#options = options;
    this.#backoff = new Backoff(RETRY, options.client.random);
  }

  /** Whether nothing is known to be missing. */
  get isCurrent(): boolean {
    return this.#missedMs === Infinity && !this.#running && !this.#isFirst;
  }

  /** Events since `ms` (Unix, the venue's clock) may be lost; asked for with the next `run`, and soon in any case. */
  missed(ms: number): void {
    this.#missedMs = Math.min(this.#missedMs, ms);
    this.#later(POLL_MS);
  }

  /** Asks for everything now. `done` is called once: when it has come, or with the reason why this key will never be told. */
  run(done: (problem: BadInput | undefined) => void = () => undefined): void {
    if (this.#stopped) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#running = true;
    const { client } = this.#options;
    const startedMs = client.nowMs();
    const missedMs = Math.min(this.#missedMs, startedMs);
    this.#missedMs = Infinity;
    this.#fills(missedMs - OVERLAP_MS, (problem) => {
      this.#running = false;
      if (this.#stopped) return;
      if (problem === undefined) this.#onDone(startedMs, done);
      else this.#onProblem(problem, missedMs, done);
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #onDone(startedMs: number, done: (problem: BadInput | undefined) => void): void {
    this.#backoff.reset();
    this.#isFirst = false;
    this.done += 1;
    if (!this.#options.isStreaming()) this.missed(startedMs);
    done(undefined);
    if (!this.#again) return;
    this.#again = false;
    this.run();
  }

  #onProblem(problem: Outcome<unknown>, missedMs: number, done: (problem: BadInput | undefined) => void): void {
    const { client } = this.#options;
    const text = textOfOutcome(problem);
    client.logger.warn('account-resync-failed', { ...client.name, text });
    this.#missedMs = Math.min(this.#missedMs, missedMs);
    if (this.#isFirst && problem.kind === 'refused' && FINAL.has(problem.meaning)) {
      const { venue, account } = client.name;
      done(new BadInput(`account ${account} of ${venue}: the key is refused: ${text}`));
      return;
    }
    this.#timer?.cancel();
    this.#timer = client.clock.after(this.#backoff.nextMs(), () => {
      this.#timer = undefined;
      this.run(done);
    });
  }

  #later(delayMs: number): void {
    this.#timer ??= this.#options.client.clock.after(delayMs, () => {
      this.#timer = undefined;
      this.run();
    });
  }

  #fills(sinceMs: number, done: (problem: Outcome<unknown> | undefined) => void): void {
    const { client, tracker, onFill, held } = this.#options;
    const { fillsSince } = client.setup.account.rest;
    const touched = new Set(tracker.touchedSince(sinceMs).map(({ instrument }) => instrument));
    const makes = byMarket([...new Set([...touched, ...held()])]).map(
      (instruments): Make<VenueFill> =>
        (context) =>
          fillsSince(instruments, sinceMs, context),
    );
    this.#each(makes, 'fills', onFill, (problem) => {
      if (problem === undefined) this.#orders([...touched], done);
      else done(problem);
    });
  }

  /** At the start everywhere: what is open there and nobody knows must be said. */
  #orders(touched: readonly Instrument[], done: (problem: Outcome<unknown> | undefined) => void): void {
    const { client, tracker, instruments: all, onOrder, onSilent } = this.#options;
    const { openOrders } = client.setup.account.rest;
    const isFirst = this.#isFirst;
    const makes = byMarket(isFirst ? all : touched).map(
      (instruments): Make<OrderState> =>
        (context) =>
          openOrders(instruments, context),
    );
    const askedMs = client.nowMs();
    const listed = new Set<TrackedOrder>();
    const strangers: string[] = [];
    const told = (order: OrderState): void => {
      const tracked = tracker.find(order);
      if (tracked === undefined) strangers.push(order.clientOrderId === '' ? order.venueOrderId : order.clientOrderId);
      else {
        listed.add(tracked);
        onOrder(order);
      }
    };
    this.#each(makes, 'open-orders', told, (problem) => {
      if (problem !== undefined) {
        done(problem);
        return;
      }
      if (isFirst && strangers.length > 0) {
        const orders = strangers.slice(0, STRANGERS_TOLD).join(' ');
        client.logger.warn('account-orders-of-others', { ...client.name, count: strangers.length, orders });
      }
      for (const tracked of tracker.open())
        if (!listed.has(tracked) && tracked.sentMs < askedMs - TRAVEL_MS) onSilent(tracked);
      this.#holdings(done);
    });
  }

  #holdings(done: (problem: Outcome<unknown> | undefined) => void): void {
    const { client, onBalance, onPosition } = this.#options;
    const { balances, positions } = client.setup.account.rest;
    this.#each([(context) => [balances(context)]], 'balances', onBalance, (problem) => {
      if (problem !== undefined || positions === undefined) done(problem);
      else this.#each([(context) => [positions(context)]], 'positions', onPosition, done);
    });
  }

  /** Every row of every list, or the first that was not answered. */
  #each<T>(
    makes: readonly Make<T>[],
    name: string,
    onRow: (row: T) => void,
    done: (problem: Outcome<unknown> | undefined) => void,
  ): void {
    const next = (at: number): void => {
      const make = makes[at];
      if (make === undefined) {
        done(undefined);
        return;
      }
      this.#options.client.all(make, { name, priority: 'query' }, (outcome) => {
        if (outcome.kind !== 'ok') {
          done(outcome);
          return;
        }
        for (const row of outcome.value.flat()) onRow(row);
        next(at + 1);
      });
    };
    next(0);
  }
}

const byMarket = (instruments: readonly Instrument[]): readonly (readonly Instrument[])[] => [
  ...Map.groupBy(instruments, ({ market }) => market).values(),
];
