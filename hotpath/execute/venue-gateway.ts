import { Decimal } from 'decimal.js';
import { assert, BadInput } from '#shared/assert.ts';
import type { Timer } from '#shared/clock/clock.ts';
import type { ForcedFill } from '#shared/domain/held.ts';
import type { ClientOrderId, InstrumentId } from '#shared/domain/ids.ts';
import type { Fees, Instrument } from '#shared/domain/instrument.ts';
import type { Fence, OrderGateway, OrderReport, OrderRequest, Standing } from '#shared/domain/order.ts';
import { textOf } from '#shared/money/grid.ts';
import type {
  AccountContext,
  BalanceState,
  Call,
  OrderState,
  OrderTicket,
  Placed,
  PositionState,
  VenueFill,
} from '../venues/venue-account.ts';
import type { AccountSetup, Outcome, Outside } from './account/account-client.ts';
import { AccountClient, textOfOutcome } from './account/account-client.ts';
import { feesOf } from './account/account-fees.ts';
import type { AccountNews, SocketOutcome } from './account/account-session.ts';
import { AccountSession } from './account/account-session.ts';
import { DeadManSwitch } from './account/dead-man-switch.ts';
import { forcedFillOf } from './account/forced.ts';
import { liftOf } from './account/lift.ts';
import type { AccountHoldings, TradingGateway } from './account/trading-gateway.ts';
import type { TrackedOrder } from './account/order-tracker.ts';
import { OrderTracker, refOf, rejectReasonOf } from './account/order-tracker.ts';
import { Resync } from './account/resync.ts';

export type VenueGatewayOptions = Outside & {
  readonly setup: AccountSetup;
  /** Everything that this account may trade in this run. */
  readonly instruments: readonly Instrument[];
  readonly onReport: (report: OrderReport) => void;
  readonly onBalance?: (balance: BalanceState) => void;
  readonly onPosition?: (position: PositionState) => void;
  /** The venue has reduced a position by itself. It may be told more than once. */
  readonly onForced?: (fill: ForcedFill) => void;
  /** An order of an earlier start, whose fate is asked for. */
  readonly orderOf?: (id: ClientOrderId) => { readonly request: OrderRequest; readonly sentMs: number } | undefined;
  readonly patience?: Partial<GatewayPatience>;
  /** What waits for its turn when it closes is not sent. */
  readonly fence?: Fence;
};

export type GatewayPatience = {
  /** An order or a cancel without an answer after so long is in doubt. */
  readonly answerWithinMs: number;
  /** An order that could not be sent for so long is not sent any more; a hedge has longer. */
  readonly orderWithinMs: number;
  readonly hedgeWithinMs: number;
  /** How long the private stream may take to tell what an answer spoke of, before it is asked for. */
  readonly streamWithinMs: number;
  /** What the venue's dead-man switch is set to, within what it takes. */
  readonly deadManMs: number;
};

const PATIENCE: GatewayPatience = {
  answerWithinMs: 5_000,
  orderWithinMs: 500,
  hedgeWithinMs: 5_000,
  streamWithinMs: 250,
  deadManMs: 60_000,
};
const CANCEL_ATTEMPTS_MAX = 5;
const QUERY_ATTEMPTS_MAX = 3;
const FILL_ATTEMPTS_MAX = 5;
const CANCEL_ALL_ROUNDS_MAX = 5;
const CANCEL_ALL_WAIT_MS = 300;
/** Whoever stops everything must hear that it does not go on, not wait for a limit of the venue. */
const SWEEP_WITHIN_MS = 3_000;
const CLOCK_EVERY_MS = 300_000;
/** Fills are asked for from so long before the order was sent: clocks differ. */
const FILL_MARGIN_MS = 5_000;

/**
 * The orders of one account at its venue: over its order socket when that is up, else by REST. An order is sent once; whatever leaves its fate open is
 * reported as unknown and settled by asking. The private stream, its gaps made good by REST, and every answer end in the same reports.
 */
export class VenueGateway implements TradingGateway {
  readonly client: AccountClient;
  readonly counts = { placed: 0, overSocket: 0, denied: 0, inDoubt: 0, probes: 0, cancels: 0 };
  readonly #options: VenueGatewayOptions;
  readonly #patience: GatewayPatience;
  readonly #tracker: OrderTracker;
  readonly #sessions: readonly AccountSession[];
  readonly #resync: Resync;
  readonly #deadMan: DeadManSwitch | undefined;
  readonly #byId: ReadonlyMap<InstrumentId, Instrument>;
  /** Orders being asked about, and whether somebody wants to hear that there is none. */
  readonly #looking = new Map<ClientOrderId, 'aloud' | 'silently'>();
  readonly #fetching = new Set<ClientOrderId>();
  /** Contracts in which the venue last told of a position. */
  readonly #held = new Map<string, Instrument>();
  #clockTimer: Timer | undefined;
  #stopped = false;

  /** @throws BadInput when the account lacks credentials that it needs. */
  constructor(options: VenueGatewayOptions) {
    const { setup, instruments, clock, onReport } = options;
    if (setup.credentials.apiKey === '' || setup.credentials.secret === '') {
      throw new BadInput(`account ${setup.account.id} of ${setup.venue}: no key`);
    }
    this.#options = options;
    this.#patience = { ...PATIENCE, ...options.patience };
    this.client = new AccountClient(setup, options);
    this.#byId = new Map(instruments.map((instrument) => [instrument.id, instrument]));
    this.#tracker = new OrderTracker(clock, instruments, onReport, (tracked) => this.#onRisen(tracked));
    this.#resync = new Resync({
      client: this.client,
      tracker: this.#tracker,
      instruments,
      isStreaming: () => this.#isStreaming(),
      onFill: (fill) => this.#onFill(fill),
      onOrder: (order) => this.#onOrder(order),
      onSilent: (order) => this.#look(order, 'silently'),
      onBalance: (balance) => options.onBalance?.(balance),
      onPosition: (position) => this.#onPosition(position),
      held: () => [...this.#held.values()],
    });
    this.#sessions = setup.account.sockets.map(
      (socket) =>
        new AccountSession({
          client: this.client,
          socket,
          instruments,
          onEvent: (event) => this.#onEvent(event),
          onReady: () => {
            if (socket.carries.includes('events')) this.#resync.run();
          },
          onLost: (heardMs) => {
            this.#resync.missed(heardMs);
            if (this.#isStreaming()) this.#resync.run();
          },
        }),
    );
    const { deadMan } = setup.account;
    this.#deadMan =
      deadMan.kind === 'timer'
        ? new DeadManSwitch(this.client, deadMan, this.#patience.deadManMs, () => this.#resting())
        : undefined;
  }

  /** Whether orders go over a socket, and whether what the stream missed is made good. */
  get status(): { readonly socket: boolean; readonly current: boolean; readonly bannedMs: number } {
    return {
      socket: this.#orderSession() !== undefined,
      current: this.#resync.isCurrent && this.#isStreaming(),
      bannedMs: this.client.limiter.pausedMs,
    };
  }

  /** Sockets that had to be opened again, frames that could not be read, codes that no table has, trades told again. */
  get trouble(): {
    readonly reconnects: number;
    readonly malformed: number;
    readonly unlisted: number;
    readonly repeated: number;
  } {
    return {
      reconnects: this.#sessions.reduce((sum, { reconnects }) => sum + reconnects, 0),
      malformed: this.#sessions.reduce((sum, { malformed }) => sum + malformed, 0),
      unlisted: this.client.unlisted,
      repeated: this.#tracker.repeated,
    };
  }

  /**
   * Compares clocks, checks the key, reads balances and positions, opens the sockets. `done` gets the reason when the account cannot be used: nothing
   * was opened then.
   */
  start(done: (problem: BadInput | undefined) => void): void {
    this.client.start((problem) => {
      if (problem !== undefined || this.#stopped) {
        done(problem);
        return;
      }
      this.#armDisconnect(() => {
        this.#clockLater();
        this.#resync.run((outcome) => {
          if (this.#stopped) return;
          for (const session of this.#sessions) session.start();
          done(outcome);
        });
      });
    });
  }

  /** Ends everything; the venue's switch is disarmed first. Orders that rest are left: `cancelAll` ends those. */
  stop(done: () => void = () => undefined): void {
    this.#stopped = true;
    this.#clockTimer?.cancel();
    this.#resync.stop();
    const end = (): void => {
      for (const session of this.#sessions) session.stop();
      this.client.stop();
      done();
    };
    if (this.#deadMan === undefined) end();
    else this.#deadMan.disarm(end);
  }

  readonly submit = (orders: readonly OrderRequest[]): void => {
    for (const order of orders) this.#place(order);
  };

  readonly cancel: OrderGateway['cancel'] = (id) => {
    const tracked = this.#known(id);
    if (tracked === undefined) return;
    this.counts.cancels += 1;
    this.client.persist<unknown>(
      (told) => this.#sendCancel(tracked, told),
      CANCEL_ATTEMPTS_MAX,
      (outcome) => {
        if (outcome.kind !== 'ok' && !this.#stopped) {
          const { clientOrderId: order } = tracked.request;
          const fields = { ...this.client.name, order, text: textOfOutcome(outcome) };
          this.client.logger.warn('account-cancel-refused', fields);
        }
        // What was cancelled, or could not be: the stream says it, or it is asked.
        this.client.clock.after(this.#patience.streamWithinMs, () => {
          if (!tracked.isOver) this.#look(tracked, 'silently');
        });
      },
    );
  };

  readonly replace: OrderGateway['replace'] = (id, to) => {
    const { amend } = this.client.setup.account.rest;
    const tracked = this.#known(id);
    if (amend === undefined || tracked === undefined) return false;
    this.#tracker.replace(tracked, to);
    const { postOnly = false } = tracked.request;
    const wanted = { price: textOf(to.price), qty: textOf(to.qty), postOnly };
    const { answerWithinMs: timeoutMs, orderWithinMs: withinMs } = this.#patience;
    const fence: Fence = () => this.#options.fence?.();
    this.client.ask(
      (context) => amend(refOf(tracked), wanted, context),
      { name: 'amend', priority: 'order', timeoutMs, withinMs, fence },
      (outcome) => this.#onAmended(tracked, to, outcome),
    );
    return true;
  };

  readonly probe: OrderGateway['probe'] = (id) => {
    const tracked = this.#known(id);
    if (tracked === undefined) this.client.logger.warn('account-order-unknown', { ...this.client.name, order: id });
    else this.#look(tracked, 'aloud');
  };

  /**
   * Ends every open order in the account's instruments, and asks until none is left, nor on its way to rest there; `done` gets what could not be ended.
   * Begun behind a closed fence, it cancels nothing more once that is open.
   */
  cancelAll(done: (left: readonly OrderState[], isKnown: boolean) => void): void {
    const { account } = this.client.setup;
    const markets = this.#markets();
    const isLifted = liftOf(this.#options.fence);
    const fence: Fence = () => (isLifted() ? 'orders leave again' : undefined);
    const round = (count: number): void => {
      this.#sweep(markets, fence, (left, isKnown) => {
        if (isLifted()) done(left, isKnown);
        else if (isKnown && left.length === 0 && !this.#isTravelling()) {
          for (const tracked of this.#tracker.open()) this.#look(tracked, 'silently');
          done([], true);
        } else if (count >= CANCEL_ALL_ROUNDS_MAX || this.#stopped) {
          this.client.logger.error('account-orders-left', { ...this.client.name, orders: left.length, isKnown });
          done(left, isKnown);
        } else this.client.clock.after(CANCEL_ALL_WAIT_MS * count, () => round(count + 1));
      });
    };
    assert(account.markets.length > 0, 'an account trades a market');
    round(1);
  }

  /** Orders of ours that may still work. */
  get openOrders(): number {
    return this.#tracker.open().length;
  }

  /** What the venue says is open in the account's instruments, whoever sent it. */
  askOpenOrders(done: (orders: readonly OrderState[] | undefined) => void): void {
    const { openOrders } = this.client.setup.account.rest;
    this.#askLists('open-orders', openOrders, done);
  }

  /** What traded in the account's instruments, whoever sent the orders. */
  askFills(sinceMs: number, done: (fills: readonly VenueFill[] | undefined) => void): void {
    const { fillsSince } = this.client.setup.account.rest;
    this.#askLists('fills', (instruments, context) => fillsSince(instruments, sinceMs, context), done);
  }

  askHoldings(done: (holdings: AccountHoldings | undefined) => void): void {
    const { balances, positions } = this.client.setup.account.rest;
    const options = (name: string) => ({ name, priority: 'query' }) as const;
    this.client.pages(balances, options('balances'), (told) => {
      if (told.kind !== 'ok') done(undefined);
      else if (positions === undefined) done({ balances: told.value.flat(), positions: [] });
      else {
        this.client.pages(positions, options('positions'), (open) => {
          done(open.kind === 'ok' ? { balances: told.value.flat(), positions: open.value.flat() } : undefined);
        });
      }
    });
  }

  /** Cancels an order that nobody here has sent: one of an earlier start, which the journal does not know. */
  cancelStranger({ clientOrderId, venueOrderId, side, venueSymbol, market, timeMs }: OrderState): void {
    const instrument = this.#options.instruments.find(
      (each) => each.venueSymbol === venueSymbol && (market === undefined || each.market === market),
    );
    if (instrument === undefined) return;
    const sentMs = Number.isNaN(timeMs) ? this.client.nowMs() : timeMs;
    const order = { clientOrderId: clientOrderId as ClientOrderId, instrument, side, venueOrderId, sentMs };
    const { cancel } = this.client.setup.account.rest;
    this.client.persist<unknown>(
      (told) =>
        this.client.ask<unknown>((context) => cancel(order, context), { name: 'cancel', priority: 'cancel' }, told),
      CANCEL_ATTEMPTS_MAX,
      (outcome) => {
        if (outcome.kind === 'ok') return;
        this.client.logger.warn('account-cancel-refused', { ...this.client.name, text: textOfOutcome(outcome) });
      },
    );
  }

  /** This account's fees of its instruments; those of the instrument where the venue does not say. */
  fees(done: (fees: ReadonlyMap<InstrumentId, Fees>) => void): void {
    feesOf(this.client, this.#markets(), done);
  }

  /** The rows of a list of every market; undefined when one was not answered. */
  #askLists<T>(
    name: string,
    make: (instruments: readonly Instrument[], context: AccountContext) => readonly Call<readonly T[]>[],
    done: (rows: readonly T[] | undefined) => void,
  ): void {
    const markets = this.#markets();
    const rows: T[] = [];
    const next = (at: number): void => {
      const instruments = markets[at];
      if (instruments === undefined) {
        done(rows);
        return;
      }
      this.client.all<readonly T[]>(
        (context) => make(instruments, context),
        { name, priority: 'query' },
        (outcome) => {
          if (outcome.kind !== 'ok') {
            done(undefined);
            return;
          }
          rows.push(...outcome.value.flat());
          next(at + 1);
        },
      );
    };
    next(0);
  }

  #place(order: OrderRequest): void {
    const { setup, clock } = this.#options;
    const instrument = this.#byId.get(order.instrument);
    assert(instrument !== undefined, 'an order goes to the account that trades its instrument');
    const ticket = ticketOf(order, instrument);
    const venueClientId = setup.account.clientOrderId(order.clientOrderId);
    const sentMs = this.client.nowMs();
    const tracked = this.#tracker.track({ request: order, instrument, venueClientId, sentMs });
    const refusal = setup.account.refuses(ticket);
    if (refusal !== undefined) {
      this.counts.denied += 1;
      // Later: whoever submits is not told before submitting has returned.
      clock.after(0, () => this.#tracker.reject(tracked, 'not-allowed', refusal));
      return;
    }
    this.counts.placed += 1;
    if (ticket.timeInForce === 'GTC') this.#deadMan?.cover(instrument);
    this.#send(tracked, ticket);
  }

  #send(tracked: TrackedOrder, ticket: OrderTicket): void {
    const { answerWithinMs: timeoutMs, orderWithinMs, hedgeWithinMs } = this.#patience;
    const urgent = ['hedge', 'unwind', 'complete'].includes(tracked.request.purpose);
    const priority = urgent ? 'hedge' : 'order';
    const withinMs = urgent ? hedgeWithinMs : orderWithinMs;
    // Asked in the tick in which it leaves.
    const fence: Fence = () => {
      const closed = this.#options.fence?.();
      if (closed === undefined) tracked.leftNs = this.client.clock.now();
      return closed;
    };
    const options = { priority, timeoutMs, withinMs, fence } as const;
    const byRest = (): void => {
      tracked.leftNs = undefined;
      const { place } = this.client.setup.account.rest;
      this.client.ask(
        (context) => place(ticket, context),
        { name: 'place', ...options },
        (outcome) => this.#onPlaced(tracked, outcome),
      );
    };
    const session = this.#orderSession();
    if (session === undefined) {
      byRest();
      return;
    }
    tracked.leftNs = undefined;
    session.place(ticket, tracked.venueClientId, options, (outcome) => {
      if (outcome.kind === 'no-socket') byRest();
      else {
        this.counts.overSocket += 1;
        this.#onPlaced(tracked, outcome);
      }
    });
  }

  /** Only what is surely a no is one. */
  #onPlaced(tracked: TrackedOrder, outcome: Outcome<Placed>): void {
    switch (outcome.kind) {
      case 'ok':
        this.#onAnswer(tracked, outcome.value);
        return;
      case 'failed':
        this.#doubt(tracked, outcome.cause);
        return;
      case 'unsent':
        // Possibly within `submit`: told later, as everything is.
        this.client.clock.after(0, () => {
          this.#tracker.reject(
            tracked,
            outcome.why === 'fenced' ? 'not-allowed' : 'rate-limited',
            textOfOutcome(outcome),
          );
        });
        return;
      case 'refused': {
        const { meaning, code, text } = outcome;
        if (meaning === 'unlisted' || meaning === 'in-doubt' || meaning === 'not-found' || meaning === 'not-open') {
          this.#doubt(tracked, 'server-error');
        } else this.#tracker.reject(tracked, rejectReasonOf(meaning), `${code} ${text}`.trim());
      }
    }
  }

  /** Where the answer does not say how the order stands, the stream does, or it is asked. A no is one for the change; the order itself may have ended. */
  #onAmended(tracked: TrackedOrder, to: Standing, outcome: Outcome<OrderState | undefined>): void {
    const look = (): void => {
      this.client.clock.after(this.#patience.streamWithinMs, () => {
        if (!tracked.isOver) this.#look(tracked, 'silently');
      });
    };
    switch (outcome.kind) {
      case 'ok':
        if (outcome.value === undefined) look();
        else this.#learn(tracked, outcome.value);
        return;
      case 'failed':
        this.#doubt(tracked, outcome.cause);
        return;
      case 'unsent':
        // Possibly within `replace`: told later, as everything is.
        this.client.clock.after(0, () => this.#tracker.keep(tracked, to, 'rate-limited', textOfOutcome(outcome)));
        return;
      case 'refused':
        if (outcome.meaning === 'unlisted' || outcome.meaning === 'in-doubt') this.#doubt(tracked, 'server-error');
        else {
          this.#tracker.keep(tracked, to, rejectReasonOf(outcome.meaning), `${outcome.code} ${outcome.text}`.trim());
          look();
        }
    }
  }

  #onAnswer(tracked: TrackedOrder, { venueOrderId, order, fills }: Placed): void {
    this.#tracker.accept(tracked, venueOrderId);
    for (const fill of fills ?? []) this.#onFill({ ...fill, clientOrderId: tracked.venueClientId });
    if (order !== undefined) this.#learn(tracked, order);
  }

  /** It was reported as over, and others may be on their way in its stead: it must not work any longer. */
  #onRisen({ request: { clientOrderId } }: TrackedOrder): void {
    this.client.logger.error('account-order-risen', { ...this.client.name, order: clientOrderId });
    this.cancel(clientOrderId);
  }

  #doubt(tracked: TrackedOrder, cause: 'timeout' | 'disconnect' | 'server-error'): void {
    this.counts.inDoubt += 1;
    this.#tracker.doubt(tracked, cause);
  }

  #sendCancel(tracked: TrackedOrder, told: (outcome: Outcome<unknown>) => void): void {
    const order = refOf(tracked);
    const options = { priority: 'cancel', timeoutMs: this.#patience.answerWithinMs } as const;
    const byRest = (): void => {
      const { cancel } = this.client.setup.account.rest;
      this.client.ask<unknown>((context) => cancel(order, context), { name: 'cancel', ...options }, told);
    };
    const session = this.#orderSession();
    if (session === undefined) byRest();
    else {
      session.cancel(order, tracked.venueClientId, options, (outcome: SocketOutcome) => {
        if (outcome.kind === 'no-socket') byRest();
        else told(outcome);
      });
    }
  }

  #onEvent(event: AccountNews): void {
    switch (event.kind) {
      case 'order':
        this.#onOrder(event.order);
        return;
      case 'ended': {
        const tracked = this.#tracker.find(event);
        if (tracked === undefined) return;
        this.#noteReason(tracked, event.reason);
        // Without a word on what filled, the stream may not have said all of it: the fills are asked for.
        if (this.#tracker.learnEnd(tracked, event)) this.#settle(tracked, this.#patience.streamWithinMs);
        return;
      }
      case 'fill':
        this.#onFill(event.fill);
        return;
      case 'balance':
        this.#options.onBalance?.(event.balance);
        return;
      case 'position':
        this.#onPosition(event.position);
    }
  }

  #onPosition(position: PositionState): void {
    const { venueSymbol, qty } = position;
    const instrument = this.#options.instruments.find((each) => each.venueSymbol === venueSymbol);
    if (qty.isZero()) this.#held.delete(venueSymbol);
    else if (instrument !== undefined) this.#held.set(venueSymbol, instrument);
    this.#options.onPosition?.(position);
  }

  #onOrder(order: OrderState): void {
    const tracked = this.#tracker.find(order);
    if (tracked !== undefined) this.#learn(tracked, order);
  }

  #learn(tracked: TrackedOrder, order: OrderState): void {
    this.#noteReason(tracked, order.reason);
    const isNews = this.#tracker.learn(tracked, order);
    this.#tracker.stand(tracked, order);
    if (isNews || this.#tracker.isMissingFills(tracked)) this.#settle(tracked, this.#patience.streamWithinMs);
  }

  #noteReason({ request }: TrackedOrder, reason: OrderState['reason']): void {
    if (reason !== 'unlisted') return;
    this.client.noted({ kind: 'refused', meaning: reason, code: '', text: `order ${request.clientOrderId}` }, 'order');
  }

  #onFill(fill: VenueFill): void {
    if (fill.forced === undefined) {
      this.#tracker.fill(fill);
      return;
    }
    const forced = forcedFillOf(fill, this.#options.instruments);
    if (forced !== undefined) this.#options.onForced?.(forced);
  }

  /** Reports how an order stands, once its fills are there: those that do not come are asked for. */
  #settle(tracked: TrackedOrder, graceMs: number): void {
    if (!this.#tracker.isMissingFills(tracked)) {
      this.#tracker.tell(tracked);
      return;
    }
    const { clientOrderId } = tracked.request;
    if (this.#fetching.has(clientOrderId)) return;
    this.#fetching.add(clientOrderId);
    this.client.clock.after(graceMs, () => this.#fetchMissing(tracked, 1));
  }

  #fetchMissing(tracked: TrackedOrder, attempt: number): void {
    const { clientOrderId } = tracked.request;
    if (this.#stopped || !this.#tracker.isMissingFills(tracked)) {
      this.#fetching.delete(clientOrderId);
      return;
    }
    this.#fetchFills(tracked, () => {
      if (!this.#tracker.isMissingFills(tracked)) {
        this.#fetching.delete(clientOrderId);
        // The last fill of an order that has ended has said so.
        if (!tracked.isOver) this.#tracker.tell(tracked);
      } else if (attempt < FILL_ATTEMPTS_MAX) {
        const waitMs = this.#patience.streamWithinMs * 2 ** attempt;
        this.client.clock.after(waitMs, () => this.#fetchMissing(tracked, attempt + 1));
      } else {
        // Not reported as ended: it is asked about until its fills are told.
        this.#fetching.delete(clientOrderId);
        this.client.logger.warn('account-fills-missing', { ...this.client.name, order: clientOrderId });
      }
    });
  }

  /** Asks for the fills of one order and reports them. */
  #fetchFills(tracked: TrackedOrder, done: (isAnswered: boolean) => void): void {
    const { fillsOf, fillsSince } = this.client.setup.account.rest;
    const options = { name: 'fills', priority: 'order' } as const;
    const told = (outcome: Outcome<readonly (readonly VenueFill[])[]>): void => {
      if (outcome.kind === 'ok') {
        for (const fill of outcome.value.flat()) this.#onFill(fill);
        if (tracked.end !== undefined) tracked.fillsAsked = true;
      }
      done(outcome.kind === 'ok');
    };
    const sinceMs = tracked.sentMs - FILL_MARGIN_MS;
    if (fillsOf !== undefined) this.client.pages((context) => fillsOf(refOf(tracked), context), options, told);
    else this.client.all((context) => fillsSince([tracked.instrument], sinceMs, context), options, told);
  }

  /** Asks what became of an order. Fills are reported first, then how it stands; that there is none only `aloud`, to whoever asked. */
  #look(tracked: TrackedOrder, how: 'aloud' | 'silently'): void {
    const { clientOrderId } = tracked.request;
    const isAsked = this.#looking.has(clientOrderId);
    if (!isAsked || how === 'aloud') this.#looking.set(clientOrderId, how);
    if (isAsked) return;
    this.counts.probes += 1;
    const askedNs = this.client.clock.now();
    const { query } = this.client.setup.account.rest;
    this.client.persist<OrderState>(
      (told) =>
        this.client.ask((context) => query(refOf(tracked), context), { name: 'query', priority: 'order' }, told),
      QUERY_ATTEMPTS_MAX,
      (outcome) => {
        const over = (): 'aloud' | 'silently' | undefined => {
          const wanted = this.#looking.get(clientOrderId);
          this.#looking.delete(clientOrderId);
          return wanted;
        };
        if (outcome.kind === 'ok') {
          over();
          this.#noteReason(tracked, outcome.value.reason);
          this.#tracker.learn(tracked, outcome.value);
          this.#tracker.stand(tracked, outcome.value, askedNs);
          this.#settle(tracked, 0);
        } else if (outcome.kind === 'refused' && outcome.meaning === 'not-found') {
          this.#fetchFills(tracked, (isAnswered) => {
            // Whoever asked counts from when it was submitted: it may have waited for its turn since.
            const isCertain = isAnswered && !this.#tracker.isOnItsWay(tracked, askedNs);
            if (over() === 'aloud' && isCertain) this.#tracker.missing(tracked, askedNs);
          });
        } else {
          over();
          const fields = { ...this.client.name, order: clientOrderId, text: textOfOutcome(outcome) };
          this.client.logger.warn('account-query-unanswered', fields);
        }
      },
    );
  }

  /** Cancels, then asks what is open. `isKnown` is false when the venue did not say. */
  #sweep(
    markets: readonly (readonly Instrument[])[],
    fence: Fence,
    done: (left: readonly OrderState[], isKnown: boolean) => void,
  ): void {
    const { cancelAll, openOrders } = this.client.setup.account.rest;
    const left: OrderState[] = [];
    let isKnown = true;
    const next = (at: number): void => {
      const instruments = markets[at];
      if (instruments === undefined) {
        done(left, isKnown);
        return;
      }
      this.client.all<unknown>(
        (context) => cancelAll(instruments, context),
        { name: 'cancel-all', priority: 'cancel', withinMs: SWEEP_WITHIN_MS, fence },
        () => {
          this.client.all(
            (context) => openOrders(instruments, context),
            { name: 'open-orders', priority: 'cancel', withinMs: SWEEP_WITHIN_MS },
            (outcome) => {
              if (outcome.kind === 'ok') left.push(...outcome.value.flat().filter(({ status }) => status === 'open'));
              else isKnown = false;
              next(at + 1);
            },
          );
        },
      );
    };
    next(0);
  }

  #armDisconnect(done: () => void): void {
    const { deadMan } = this.client.setup.account;
    if (deadMan.kind !== 'disconnect' || deadMan.arm === undefined) {
      done();
      return;
    }
    const { arm } = deadMan;
    this.client.persist<unknown>(
      (told) => this.client.all(arm, { name: 'dead-man', priority: 'cancel' }, told),
      CANCEL_ATTEMPTS_MAX,
      (outcome) => {
        if (outcome.kind !== 'ok') {
          this.client.logger.warn('account-dead-man-failed', { ...this.client.name, text: textOfOutcome(outcome) });
        }
        done();
      },
    );
  }

  #clockLater(): void {
    this.#clockTimer = this.client.clock.after(CLOCK_EVERY_MS, () => {
      this.client.syncClock();
      this.#clockLater();
    });
  }

  /** Whether every private stream runs, and there is one. */
  #isStreaming(): boolean {
    const streams = this.#sessions.filter(({ carriesEvents }) => carriesEvents);
    return streams.length > 0 && streams.every(({ isReady }) => isReady);
  }

  #orderSession(): AccountSession | undefined {
    return this.#sessions.find((session) => session.carriesOrders && session.isReady);
  }

  /** Whether an order that would rest was sent and not answered. */
  #isTravelling(): boolean {
    return this.#tracker
      .open()
      .some(({ request, venueOrderId }) => request.timeInForce === 'GTC' && venueOrderId === undefined);
  }

  #known(id: ClientOrderId): TrackedOrder | undefined {
    const tracked = this.#tracker.get(id);
    if (tracked !== undefined) return tracked;
    const earlier = this.#options.orderOf?.(id);
    const instrument = earlier === undefined ? undefined : this.#byId.get(earlier.request.instrument);
    if (earlier === undefined || instrument === undefined) return undefined;
    const venueClientId = this.client.setup.account.clientOrderId(id);
    const known = this.#tracker.track({ ...earlier, instrument, venueClientId });
    // Whoever sent it may have changed it since: only its venue's last word says that it is full.
    known.isReplaced = earlier.request.timeInForce === 'GTC';
    if (known.isReplaced) known.most = new Decimal(Infinity);
    return known;
  }

  #resting(): readonly Instrument[] {
    const resting = this.#tracker.open().filter(({ request }) => request.timeInForce === 'GTC');
    return [...new Set(resting.map(({ instrument }) => instrument))];
  }

  /** The instruments of each market. */
  #markets(): readonly (readonly Instrument[])[] {
    return [...Map.groupBy(this.#options.instruments, ({ market }) => market).values()];
  }
}

function ticketOf(order: OrderRequest, instrument: Instrument): OrderTicket {
  const { clientOrderId, side, type, price, qty, timeInForce, postOnly = false, reduceOnly = false } = order;
  return {
    clientOrderId,
    instrument,
    side,
    type,
    price: textOf(price),
    qty: textOf(qty),
    timeInForce,
    postOnly,
    reduceOnly,
  };
}
