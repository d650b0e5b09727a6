import { BadInput } from '#shared/assert.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { OrderRequest } from '#shared/domain/order.ts';
import type { OrderState } from '../../venues/venue-account.ts';
import type { CcxtGatewayOptions } from '../ccxt-gateway.ts';
import { CcxtGateway } from '../ccxt-gateway.ts';
import type { TradingGateway } from './trading-gateway.ts';

/** Everything of one venue through ccxt. Opened by `start`: ccxt and the venue's markets are loaded then. */
export class CcxtAccount implements TradingGateway {
  readonly #options: CcxtGatewayOptions;
  readonly #instruments: readonly Instrument[];
  #gateway: CcxtGateway | undefined;
  /** Of this run's instruments, those that ccxt knows there. */
  #known = new Set<string>();

  constructor(options: CcxtGatewayOptions, instruments: readonly Instrument[]) {
    this.#options = options;
    this.#instruments = instruments;
  }

  /** There is no stream: everything is asked for. */
  get status(): TradingGateway['status'] {
    return { socket: false, current: this.#gateway !== undefined, bannedMs: 0 };
  }

  get openOrders(): number {
    return this.#gateway?.openOrders ?? 0;
  }

  readonly start: TradingGateway['start'] = (done) => {
    void this.#open().then(done);
  };

  readonly stop: TradingGateway['stop'] = (done = () => undefined) => {
    this.#gateway?.stop();
    done();
  };

  readonly submit = (orders: readonly OrderRequest[]): void => {
    const [known, strange] = [true, false].map((wanted) =>
      orders.filter(({ instrument }) => this.#known.has(instrument) === wanted),
    );
    this.#gateway?.submit(known!);
    const { clock, onReport } = this.#options;
    for (const { clientOrderId } of strange!) {
      clock.after(0, () => {
        const text = 'ccxt does not list it';
        onReport({ clientOrderId, receivedTimeNs: clock.now(), kind: 'rejected', reason: 'not-allowed', text });
      });
    }
  };

  readonly cancel = (order: ClientOrderId): void => this.#gateway?.cancel(order);
  readonly replace: TradingGateway['replace'] = (order, to) => this.#gateway?.replace(order, to) ?? false;
  readonly probe = (order: ClientOrderId): void => this.#gateway?.probe(order);

  readonly cancelAll: TradingGateway['cancelAll'] = (done) => {
    const gateway = this.#gateway;
    if (gateway === undefined) done([], false);
    else {
      void gateway
        .cancelAll(this.#listed())
        .then(() => gateway.openOrdersOf(this.#listed()))
        .then((left) => done(left ?? [], left !== undefined));
    }
  };

  /** ccxt's own are of the lowest tier: the configuration's stand. */
  readonly fees: TradingGateway['fees'] = (done) => done(new Map(this.#instruments.map(({ id, fees }) => [id, fees])));

  readonly askHoldings: TradingGateway['askHoldings'] = (done) =>
    this.#ask((gateway) => gateway.holdingsOf(this.#listed()), done);

  readonly askOpenOrders: TradingGateway['askOpenOrders'] = (done) =>
    this.#ask((gateway) => gateway.openOrdersOf(this.#listed()), done);

  readonly askFills: TradingGateway['askFills'] = (sinceMs, done) =>
    this.#ask((gateway) => gateway.fillsSince(this.#listed(), sinceMs), done);

  readonly cancelStranger = (order: OrderState): void => {
    const instrument = this.#listed().find(({ venueSymbol }) => venueSymbol === order.venueSymbol);
    if (instrument !== undefined) void this.#gateway?.cancelStranger(order, instrument);
  };

  /** As ccxt describes them: it wants its own symbols. */
  #listed(): readonly Instrument[] {
    return this.#gateway?.instruments.filter(({ id }) => this.#known.has(id)) ?? [];
  }

  #ask<T>(ask: (gateway: CcxtGateway) => Promise<T | undefined>, done: (answer: T | undefined) => void): void {
    if (this.#gateway === undefined) done(undefined);
    else void ask(this.#gateway).then(done);
  }

  async #open(): Promise<BadInput | undefined> {
    try {
      this.#gateway ??= await CcxtGateway.open(this.#options);
    } catch (error) {
      if (!(error instanceof BadInput)) throw error;
      return error;
    }
    const wanted = new Set(this.#instruments.map(({ id }) => id));
    this.#known = new Set(this.#gateway.instruments.flatMap(({ id }) => (wanted.has(id) ? [id] : [])));
    return undefined;
  }
}
