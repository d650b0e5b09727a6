import { unpackerOf } from '#hotpath/runtime/inflate.ts';
import type {
  Account,
  AccountContext,
  AccountEvent,
  Answer,
  Call,
  OrderTicket,
} from '#hotpath/venues/venue-account.ts';
import type { Market, Venue } from '#hotpath/venues/venue.ts';
import type { ClientOrderId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { DEFAULT_ACCOUNT } from '#simulator/accounts.ts';
import { MarketRig } from '#test/support/venue-fixture.ts';
import type { Run } from './venue-client.ts';
import { virtualRun } from './venue-client.ts';

/** `wss://host/path` → `/host/path`, under which the simulator has it. */
const placeOf = (url: string): string => url.replace(/^\w+:\//, '');

/** One venue of the simulator as our own code reads and uses it, in process and on a virtual clock. */
export class OwnClient {
  readonly run: Run;
  readonly #venue: Venue;
  /** What `prepare` found out. */
  facts: Readonly<Record<string, string>> = {};

  constructor(venue: Venue, seed: number) {
    this.#venue = venue;
    this.run = virtualRun(seed, { venues: [venue.id], batch_ms: 0 });
    this.run.forward(500);
  }

  context(keys: Partial<AccountContext['credentials']> = {}): AccountContext {
    const { clock } = this.run;
    const { apiKey, secret } = DEFAULT_ACCOUNT;
    const nowMs = clock.unixMs(clock.now());
    const credentials = { apiKey, secret, ...keys };
    return { credentials, nowMs, nonce: nowMs, facts: this.facts, marginMode: 'cross', leverage: 1 };
  }

  market(id: string): Market {
    return this.#venue.markets.find((market) => market.id === id)!;
  }

  account(id: string): Account {
    const account = this.#venue.accounts!.find((each) => each.id === id)!;
    for (const call of account.prepare?.(this.context()) ?? [])
      this.facts = { ...this.facts, ...this.value(account, call) };
    return account;
  }

  get(url: string): string {
    return this.run.simulator.request({ method: 'GET', path: placeOf(url), headers: {}, body: '' }).body;
  }

  instrument(id: string, symbol: string): Instrument {
    const { restUrl, instruments, defaultFees } = this.market(id);
    const bodies = instruments.paths.map((path) => this.get(restUrl + path));
    return instruments.parse(bodies, defaultFees).find((each) => each.symbol === symbol)!;
  }

  ask<T>({ restUrl }: Account, { method, path, headers, body = '', read }: Call<T>): Answer<T> {
    const url = path.startsWith('https://') ? path : restUrl + path;
    const named = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
    const reply = this.run.simulator.request({ method, path: placeOf(url), headers: named, body });
    return read({ status: reply.status, headers: reply.headers, text: reply.body });
  }

  /** @throws when it is refused */
  value<T>(account: Account, call: Call<T>): T {
    const answer = this.ask(account, call);
    if (answer.kind === 'refused') throw new Error(`${answer.meaning} ${answer.code} ${answer.text}`);
    return answer.value;
  }

  /** The frames of a socket as bytes, since the last time. */
  open(url: string): {
    readonly send: (text: string) => void;
    readonly take: () => readonly Uint8Array[];
    readonly closes: number[];
  } {
    const frames: Uint8Array[] = [];
    const closes: number[] = [];
    const connection = this.run.simulator.connect(placeOf(url), {
      send: (data) => frames.push(typeof data === 'string' ? Buffer.from(data) : Uint8Array.from(data)),
      close: (code) => closes.push(code),
    });
    return { send: (text) => connection.message(text), take: () => frames.splice(0), closes };
  }

  /** Our decoder behind the public sockets of a market, subscribed to one instrument in everything. */
  follow(id: string, instrument: Instrument): { readonly rig: MarketRig; readonly forward: (ms: number) => void } {
    const market = this.market(id);
    const unpack = unpackerOf(market.compression) ?? ((frame: Uint8Array): Uint8Array => frame);
    const rig = new MarketRig(market, [instrument]);
    const symbols = [instrument.venueSymbol];
    const sockets = [
      { url: market.wsUrl, frames: market.subscribe(symbols, 1) },
      ...[market.streams!, ...(market.moreStreams ?? [])].map(({ kinds, wsUrl, subscribe }) => ({
        url: wsUrl ?? market.wsUrl,
        frames: subscribe(kinds, symbols, 2),
      })),
    ].map(({ url, frames }) => {
      const socket = this.open(url);
      for (const frame of frames) socket.send(frame);
      return socket;
    });
    const { snapshot } = market.book;
    const read = (): void => {
      for (const socket of sockets)
        for (const frame of socket.take()) {
          const text = unpack(frame);
          rig.frame(text);
          const words = text[0] === 0x7b ? Buffer.from(text).toString() : '';
          if (market.heartbeat.kind === 'server-text' && rig.controls.at(-1) === 'ping' && words.includes('ping'))
            socket.send(market.heartbeat.reply(words));
        }
    };
    this.run.forward(20);
    read();
    if (snapshot.from === 'request') sockets[0]!.send(snapshot.text(instrument.venueSymbol, 3));
    if (snapshot.from === 'rest')
      rig.snapshot(
        instrument.venueSymbol,
        Buffer.from(this.get(market.restUrl + snapshot.path(instrument.venueSymbol))),
      );
    read();
    return {
      rig,
      forward: (ms) => {
        for (let left = ms; left > 0; left -= 20) {
          this.run.forward(20);
          read();
        }
      },
    };
  }

  /** A private socket, logged in and subscribed. */
  listen(
    account: Account,
    id: string,
  ): { readonly send: (frame: string) => void; readonly take: () => readonly AccountEvent[] } {
    const spec = account.sockets.find((socket) => socket.id === id)!;
    const context = this.context();
    const pass = spec.pass === undefined ? '' : this.value(account, spec.pass.ask(context));
    const socket = this.open(spec.wsUrl + (spec.path?.(context, pass) ?? ''));
    for (const frame of [...spec.login(context, pass), ...spec.subscribe([], context, pass)]) socket.send(frame);
    return { send: socket.send, take: () => socket.take().flatMap((frame) => spec.decode(frame)) };
  }
}

/** Every level that our book has. */
export function levelsOf({ store }: MarketRig): { readonly bids: number[][]; readonly asks: number[][] } {
  const side = (name: 'bids' | 'asks'): number[][] => {
    const [prices, qtys] = [new Float64Array(2_000), new Float64Array(2_000)];
    const count = store.depths[name](0 as InstrumentIndex, prices, qtys);
    return Array.from({ length: count }, (_, at) => [prices[at]!, qtys[at]!]);
  };
  return { bids: side('bids'), asks: side('asks') };
}

/** A limit order that rests far below the market. */
export const restingTicket = (instrument: Instrument, more: Partial<OrderTicket> = {}): OrderTicket => ({
  clientOrderId: 'a00010000010z' as ClientOrderId,
  instrument,
  side: 'buy',
  type: 'limit',
  price: '50000',
  qty: instrument.kind === 'spot' ? '0.01' : '100',
  timeInForce: 'GTC',
  postOnly: false,
  reduceOnly: false,
  ...more,
});
