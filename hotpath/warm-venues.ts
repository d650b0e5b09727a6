import { Decimal } from 'decimal.js';
import type { Clock } from '#shared/clock/clock.ts';
import type { SocketHandlers, Transport } from './runtime/transport.ts';
import type {
  Account,
  AccountContext,
  AccountEvent,
  AccountRest,
  AccountSocket,
  Call,
  OrderState,
  OrderTicket,
  Placed,
  VenueFill,
} from './venues/venue-account.ts';
import type { Market, Venue } from './venues/venue.ts';

const ANSWER_AFTER_MS = 1;
/** What an account holds of each asset: more than any plan wants. */
const HELD = new Decimal(1e9);
const NOTHING = new Uint8Array();
const UNLIMITED = 1e9;

/** A world without a network: whatever is sent ends here, and is answered by the venue as `echoing` has made it. */
export function nowhere(clock: Clock): Transport {
  return {
    open: (_url, handlers, use) => {
      clock.after(ANSWER_AFTER_MS, () => handlers.onOpen());
      const send = use === 'feed' ? (): void => undefined : (): void => answerLater(handlers, clock);
      return { send, ping: () => undefined, close: () => undefined };
    },
    request: (_request, done) => {
      clock.after(ANSWER_AFTER_MS, () => done({ kind: 'response', status: 200, headers: {}, body: NOTHING }));
    },
  };
}

const answerLater = (handlers: SocketHandlers, clock: Clock): void =>
  void clock.after(ANSWER_AFTER_MS, () => handlers.onFrame(NOTHING, 0, 0, clock.now()));

/**
 * The venue with its own order texts and signatures, whose accounts let everybody in, hold enough of `assets`, and fill every order whole. Only what is there
 * is put in another's place, so that the objects keep their shapes: code is compiled for those.
 */
export const echoing = (venue: Venue, assets: readonly string[]): Venue => ({
  ...venue,
  ...(venue.accounts === undefined
    ? {}
    : { accounts: venue.accounts.map((account) => echoingAccount(account, assets)) }),
});

/** Every snapshot stands by itself. */
export const pushed = (market: Market): Market => ({
  ...market,
  book: { ...market.book, snapshot: { from: 'push' } },
});

function echoingAccount(account: Account, assets: readonly string[]): Account {
  const fills = new Fills(account);
  const { buckets } = account.limits;
  const unlimited = Object.entries(buckets).map(([name, bucket]) => [name, { ...bucket, units: UNLIMITED }] as const);
  return {
    ...account,
    ...(account.prepare === undefined ? {} : { prepare: () => [] }),
    limits: { ...account.limits, buckets: Object.fromEntries(unlimited) },
    rest: echoingRest(account.rest, fills, assets),
    sockets: account.sockets.map((socket) => echoingSocket(socket, fills)),
    deadMan: { kind: 'none', why: 'no order of it rests' },
  };
}

function echoingRest(rest: AccountRest, fills: Fills, assets: readonly string[]): AccountRest {
  const held = assets.map((asset) => ({ asset, total: HELD, available: HELD }));
  return {
    ...rest,
    place: (order, context) => ({
      ...rest.place(order, context),
      read: () => ({ kind: 'ok', value: fills.placed(order, context) }),
    }),
    cancelAll: () => [],
    openOrders: () => [],
    fillsSince: () => [],
    fees: () => [],
    balances: () => answering(held),
    ...(rest.positions === undefined ? {} : { positions: () => answering([]) }),
    ...(rest.permissions === undefined ? {} : { permissions: () => answering({ trade: true, withdraw: false }) }),
    ...(rest.time === undefined ? {} : { time: { ...rest.time, read: () => ({ kind: 'ok', value: 0 }) } }),
  };
}

const answering = <T>(value: T): Call<T> => ({
  method: 'GET',
  path: '/',
  headers: {},
  weight: {},
  read: () => ({ kind: 'ok', value }),
});

function echoingSocket(socket: AccountSocket, fills: Fills): AccountSocket {
  const { orders, pass } = socket;
  let said: AccountEvent[] = [];
  return {
    ...plain(socket),
    ...(pass === undefined ? {} : { pass: { ask: () => answering('pass') } }),
    login: () => [],
    subscribe: () => [],
    heartbeat: { kind: 'none' },
    idleMs: Infinity,
    decode: () => {
      const events = said;
      said = [];
      return events;
    },
    ...(orders === undefined
      ? {}
      : {
          orders: {
            ...orders,
            place: (order, context, request, passed) => {
              said.push(...fills.events(order, context, request));
              return orders.place(order, context, request, passed);
            },
          },
        }),
  };
}

/** Nobody challenges, and what is said is not packed. */
function plain(socket: AccountSocket): AccountSocket {
  if (socket.compression === undefined && socket.prove === undefined) return socket;
  const kept = Object.entries(socket).filter(([name]) => name !== 'compression' && name !== 'prove');
  return Object.fromEntries(kept) as AccountSocket;
}

/** What an account says of an order that fills at once. */
class Fills {
  readonly #account: Account;
  #count = 0;

  constructor(account: Account) {
    this.#account = account;
  }

  placed(order: OrderTicket, { nowMs }: AccountContext): Required<Placed> {
    this.#count += 1;
    const { instrument, side } = order;
    const { venueSymbol, market } = instrument;
    const clientOrderId = this.#account.clientOrderId(order.clientOrderId);
    const venueOrderId = `w${this.#count}`;
    const names = { venueSymbol, market, clientOrderId, venueOrderId, side, timeMs: nowMs };
    const [price, qty] = [new Decimal(order.price), new Decimal(order.qty)];
    const paid = { fee: new Decimal(0), feeAsset: '', liquidity: 'taker' } as const;
    const fill: VenueFill = { ...names, tradeId: venueOrderId, price, qty, ...paid };
    const state: OrderState = { ...names, status: 'filled', price, qty, filled: qty };
    return { venueOrderId, order: state, fills: [fill] };
  }

  events(order: OrderTicket, context: AccountContext, request: string): readonly AccountEvent[] {
    const { venueOrderId, order: state, fills } = this.placed(order, context);
    return [
      { kind: 'answer', request, to: 'place', answer: { kind: 'ok', value: { venueOrderId } } },
      ...fills.map((fill) => ({ kind: 'fill', fill }) as const),
      { kind: 'order', order: state },
    ];
  }
}
