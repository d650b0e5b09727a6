import type {
  Account,
  AccountContext,
  AccountEvent,
  AccountSocket,
  Answer,
  Call,
  OrderRef,
  OrderTicket,
} from '#hotpath/venues/venue-account.ts';
import type { Market, Venue } from '#hotpath/venues/venue.ts';
import type { ClientOrderId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Account as SimulatedAccount } from '#simulator/accounts.ts';
import { DEFAULT_ACCOUNT } from '#simulator/accounts.ts';
import { MarketRig } from '#test/support/venue-fixture.ts';
import type { Run, TestSocket } from './venue-client.ts';
import { socketTo } from './venue-client.ts';

/** `wss://host/path` → `/host/path`, under which the simulator has it. */
const placeOf = (url: string): string => url.replace(/^\w+:\//, '');

export function instrumentsAt(
  { simulator }: Run,
  { restUrl, instruments, defaultFees }: Market,
): readonly Instrument[] {
  const bodies = instruments.paths.map(
    (path) => simulator.request({ method: 'GET', path: placeOf(restUrl + path), headers: {}, body: '' }).body,
  );
  return instruments.parse(bodies, defaultFees);
}

/** Our decoder and books behind a simulated market's own socket. */
export class Watch {
  readonly rig: MarketRig;
  readonly socket: TestSocket;
  readonly #run: Run;

  constructor(run: Run, market: Market, instruments: readonly Instrument[]) {
    this.#run = run;
    this.rig = new MarketRig(market, instruments);
    this.socket = socketTo(run.simulator, placeOf(market.wsUrl));
    for (const text of market.greeting ?? []) this.socket.send(text);
  }

  /** Lets time pass, a few milliseconds at a time, and reads what came. */
  forward(ms: number): void {
    for (let passed = 0; passed < ms; passed += 10) {
      this.#run.forward(10);
      this.read();
    }
  }

  read(): void {
    for (const frame of this.socket.take()) this.rig.take({ frame });
  }

  /** Best first, as {@link MarketRig}'s books have it. */
  levels(index: number): { readonly bids: number[][]; readonly asks: number[][] } {
    const { bids, asks } = this.rig.store.levels(index as InstrumentIndex)!;
    const pairs = (side: typeof bids): number[][] => {
      const [prices, qtys] = [new Float64Array(side.count), new Float64Array(side.count)];
      side.read(prices, qtys, 0, NaN);
      return Array.from(prices, (price, at) => [price, qtys[at]!]);
    };
    return { bids: pairs(bids), asks: pairs(asks) };
  }
}

/** Our account against the simulator: REST, and its one private socket. */
export class Desk {
  readonly account: Account;
  readonly socket: AccountSocket;
  readonly #run: Run;
  readonly #secret: string;
  #wire: TestSocket | undefined;
  #nonce = 0;
  #order = 0;

  constructor(run: Run, account: Account, secret = DEFAULT_ACCOUNT.secret) {
    this.#run = run;
    this.account = account;
    this.socket = account.sockets[0]!;
    this.#secret = secret;
  }

  context(): AccountContext {
    const nowMs = this.#run.clock.unixMs(this.#run.clock.now());
    this.#nonce = Math.max(this.#nonce + 1, Math.floor(nowMs * 1_000));
    const { apiKey, passphrase } = DEFAULT_ACCOUNT;
    const credentials = { apiKey, secret: this.#secret, passphrase };
    return { credentials, nowMs, nonce: this.#nonce, facts: {}, marginMode: 'cross', leverage: 10 };
  }

  ask<T>(call: Call<T>): Answer<T> {
    const { method, path, headers, body = '' } = call;
    const reply = this.#run.simulator.request({ method, path: placeOf(this.account.restUrl + path), headers, body });
    return call.read({ status: reply.status, headers: reply.headers, text: reply.body });
  }

  /** What was answered, other places and further pages included; lists are joined. */
  get<T>(make: (context: AccountContext) => Call<T>): T {
    const answer = this.ask(make(this.context()));
    if (answer.kind === 'refused') {
      if (answer.elsewhere !== undefined) return this.get(answer.elsewhere);
      throw new Error(`${answer.meaning} ${answer.code} ${answer.text}`);
    }
    if (answer.more === undefined) return answer.value;
    const rest = this.get(answer.more);
    return (Array.isArray(answer.value) && Array.isArray(rest) ? [...answer.value, ...rest] : rest) as T;
  }

  meaning<T>(make: (context: AccountContext) => Call<T>): string {
    const answer = this.ask(make(this.context()));
    return answer.kind === 'ok' ? 'ok' : answer.meaning;
  }

  open(): readonly AccountEvent[] {
    const wire = socketTo(this.#run.simulator, placeOf(this.socket.wsUrl));
    this.#wire = wire;
    for (const text of this.socket.login(this.context(), '')) wire.send(text);
    const events = this.events();
    if (events.some(({ kind }) => kind === 'ready'))
      for (const text of this.socket.subscribe([], this.context(), '')) wire.send(text);
    return events;
  }

  events(): readonly AccountEvent[] {
    return this.#wire!.take().flatMap((frame) => this.socket.decode(Buffer.from(frame)));
  }

  place(order: OrderTicket, request = '1'): readonly AccountEvent[] {
    this.#wire!.send(this.socket.orders!.place(order, this.context(), request, ''));
    return this.events();
  }

  cancel(order: OrderRef, request = '2'): readonly AccountEvent[] {
    this.#wire!.send(this.socket.orders!.cancel(order, this.context(), request, ''));
    return this.events();
  }

  /** Far below the market unless told otherwise. */
  ticket(instrument: Instrument, fields: Partial<OrderTicket> = {}): OrderTicket {
    this.#order += 1;
    return {
      clientOrderId: `a0001${this.#order.toString(36).padStart(6, '0')}00` as ClientOrderId,
      instrument,
      side: 'buy',
      type: 'limit',
      price: '20000',
      qty: '1',
      timeInForce: 'GTC',
      postOnly: false,
      reduceOnly: false,
      ...fields,
    };
  }

  refOf(order: OrderTicket, venueOrderId?: string): OrderRef {
    return { ...order, venueOrderId, sentMs: this.context().nowMs };
  }
}

export const simulatedAccount = ({ simulator }: Run, { id }: Venue): SimulatedAccount =>
  simulator.exchange(id).ledger.byKey(DEFAULT_ACCOUNT.apiKey)!;

/** What an answer to an order or a cancel over a socket says. */
export const answerIn = (events: readonly AccountEvent[]): string => {
  const answer = events.find((event) => event.kind === 'answer')?.answer;
  return answer === undefined ? 'nothing' : answer.kind === 'ok' ? 'ok' : answer.meaning;
};
