import { assert } from '#shared/assert.ts';
import { Fifo } from '#shared/fifo.ts';
import type { ClientOrderId, InstrumentId } from '#shared/domain/ids.ts';
import type { OrderGateway, OrderRequest } from '#shared/domain/order.ts';

/** Orders whose gateway is remembered; older ones are looked up. */
const ORDERS_MAX = 10_000;

/** One gateway for all accounts: each order goes to the one that trades its instrument, and what is asked of it later goes there too. */
export class AccountRouter implements OrderGateway {
  readonly #gatewayOf: (instrument: InstrumentId) => OrderGateway | undefined;
  readonly #instrumentOf: (order: ClientOrderId) => InstrumentId | undefined;
  readonly #orders = new Map<ClientOrderId, OrderGateway>();
  readonly #sent = new Fifo<ClientOrderId>(ORDERS_MAX);

  /** `instrumentOf`: of an order that this one did not send, of an earlier start. */
  constructor(
    gatewayOf: (instrument: InstrumentId) => OrderGateway | undefined,
    instrumentOf: (order: ClientOrderId) => InstrumentId | undefined,
  ) {
    this.#gatewayOf = gatewayOf;
    this.#instrumentOf = instrumentOf;
  }

  readonly submit: OrderGateway['submit'] = (orders) => {
    const routes = orders.map((order) => this.#routed(order));
    for (const [at, gateway] of routes.entries())
      if (routes.indexOf(gateway) === at) gateway.submit(orders.filter((_order, nth) => routes[nth] === gateway));
  };

  readonly cancel: OrderGateway['cancel'] = (order) => this.#find(order)?.cancel(order);

  readonly replace: OrderGateway['replace'] = (order, to) => this.#find(order)?.replace(order, to) ?? false;

  readonly probe: OrderGateway['probe'] = (order) => this.#find(order)?.probe(order);

  #routed({ instrument, clientOrderId }: OrderRequest): OrderGateway {
    const gateway = this.#gatewayOf(instrument);
    assert(gateway !== undefined, 'an order is sent where an account trades its instrument');
    this.#orders.set(clientOrderId, gateway);
    const oldest = this.#sent.push(clientOrderId);
    if (oldest !== undefined) this.#orders.delete(oldest);
    return gateway;
  }

  #find(order: ClientOrderId): OrderGateway | undefined {
    const gateway = this.#orders.get(order);
    if (gateway !== undefined) return gateway;
    const instrument = this.#instrumentOf(order);
    return instrument === undefined ? undefined : this.#gatewayOf(instrument);
  }
}
