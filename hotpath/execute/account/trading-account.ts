import type { BadInput } from '#shared/assert.ts';
import type { Clock } from '#shared/clock/clock.ts';
import type { ClientOrderId, InstrumentId, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { OrderGateway, OrderReport } from '#shared/domain/order.ts';
import type { BalanceState, PositionState } from '../../venues/venue-account.ts';
import { AccountUnreachable } from './account-client.ts';
import type { AccountHoldings, TradingGateway } from './trading-gateway.ts';

export type TradingAccountOptions = {
  readonly venue: VenueId;
  readonly id: string;
  readonly kind: 'native' | 'ccxt';
  readonly instruments: readonly Instrument[];
  readonly gateway: TradingGateway;
  /** Our id as the venue writes it. */
  readonly venueClientId: (id: ClientOrderId) => string;
  readonly clock: Clock;
  readonly onReport: (report: OrderReport) => void;
};

/** `refused`: its key cannot be used, and waiting does not help. */
export type AccountState = 'starting' | 'live' | 'degraded' | 'down' | 'refused';

/** An account that was not answered is started again after so long. */
const RESTART_MS = 5_000;

/** One account of this run: opened, opened again while nobody answers, and what it was last told to hold. Orders leave once it is open. */
export class TradingAccount implements OrderGateway {
  readonly venue: VenueId;
  readonly id: string;
  readonly kind: 'native' | 'ccxt';
  readonly instruments: readonly Instrument[];
  readonly gateway: TradingGateway;
  readonly venueClientId: (id: ClientOrderId) => string;
  readonly balances = new Map<string, BalanceState>();
  readonly positions = new Map<InstrumentId, PositionState>();
  readonly #options: TradingAccountOptions;
  readonly #byId: ReadonlyMap<InstrumentId, Instrument>;
  readonly #contracts: ReadonlyMap<string, InstrumentId>;
  #opened: 'not-yet' | 'open' | 'refused' = 'not-yet';
  #problem = 'not answered yet';
  #stopped = false;

  constructor(options: TradingAccountOptions) {
    const { venue, id, kind, instruments, gateway, venueClientId } = options;
    this.venue = venue;
    this.id = id;
    this.kind = kind;
    this.instruments = instruments;
    this.gateway = gateway;
    this.venueClientId = venueClientId;
    this.#options = options;
    this.#byId = new Map(instruments.map((each) => [each.id, each]));
    this.#contracts = new Map(
      instruments.filter((each) => each.kind !== 'spot').map((each) => [each.venueSymbol, each.id]),
    );
  }

  instrumentOf(id: InstrumentId): Instrument | undefined {
    return this.#byId.get(id);
  }

  get isOpen(): boolean {
    return this.#opened === 'open';
  }

  get state(): AccountState {
    if (this.#opened === 'refused') return 'refused';
    if (this.#opened === 'not-yet') return this.#problem === 'not answered yet' ? 'starting' : 'down';
    return this.gateway.status.current && this.gateway.status.bannedMs === 0 ? 'live' : 'degraded';
  }

  /** Why it is not live; empty when it is. */
  get reason(): string {
    const { current, bannedMs } = this.gateway.status;
    if (this.#opened !== 'open') return this.#problem;
    if (bannedMs > 0) return `the venue has us wait for ${(bannedMs / 1e3).toFixed(0)} s`;
    return current ? '' : 'the private stream is catching up';
  }

  /** Opens it, again and again while nobody answers; `done` is told once: open, or refused for good. */
  start(done: (problem: BadInput | undefined) => void): void {
    this.gateway.start((problem) => {
      if (this.#stopped) return;
      if (problem instanceof AccountUnreachable) {
        this.#problem = problem.message;
        this.#options.clock.after(RESTART_MS, () => {
          if (!this.#stopped) this.start(done);
        });
        return;
      }
      this.#opened = problem === undefined ? 'open' : 'refused';
      this.#problem = problem?.message ?? '';
      done(problem);
    });
  }

  stop(done: () => void): void {
    this.#stopped = true;
    if (this.isOpen) this.gateway.stop(done);
    else done();
  }

  readonly submit: OrderGateway['submit'] = (orders) => {
    if (this.isOpen) {
      this.gateway.submit(orders);
      return;
    }
    const { clock, onReport } = this.#options;
    for (const { clientOrderId } of orders) {
      clock.after(0, () => {
        const text = `account ${this.id} of ${this.venue} is not open`;
        onReport({ clientOrderId, receivedTimeNs: clock.now(), kind: 'rejected', reason: 'venue-down', text });
      });
    }
  };

  readonly cancel: OrderGateway['cancel'] = (order) => this.gateway.cancel(order);
  readonly replace: OrderGateway['replace'] = (order, to) => this.gateway.replace(order, to);
  readonly probe: OrderGateway['probe'] = (order) => this.gateway.probe(order);

  /** The venue's word on one balance or position, as it comes. */
  noteBalance(balance: BalanceState): void {
    this.balances.set(balance.asset, balance);
  }

  notePosition(position: PositionState): void {
    const instrument = this.#contracts.get(position.venueSymbol);
    if (instrument !== undefined) this.positions.set(instrument, position);
  }

  /** All of it: what is not named is nothing. */
  noteHoldings({ balances, positions }: AccountHoldings): void {
    this.balances.clear();
    this.positions.clear();
    for (const balance of balances) {
      const there = this.balances.get(balance.asset);
      // An account of several wallets tells an asset once for each.
      const sum =
        there === undefined
          ? balance
          : {
              ...balance,
              total: there.total.plus(balance.total),
              available: there.available.plus(balance.available),
            };
      this.balances.set(balance.asset, sum);
    }
    for (const position of positions) this.notePosition(position);
  }
}
