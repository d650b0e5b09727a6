import type { Clock, Timer } from '#shared/clock/clock.ts';
import { BadInput } from '#shared/assert.ts';
import type { Random } from '#shared/random.ts';
import type { AccountSpec } from './accounts.ts';
import { DEFAULT_ACCOUNT } from './accounts.ts';
import type { Forced } from './exchange.ts';
import { Exchange } from './exchange.ts';
import type { Fault, FaultSpec } from './faults.ts';
import { FaultBoard, faultSpec } from './faults.ts';
import { listingsFrom } from './listings.ts';
import type { ModelSettings } from './market-model.ts';
import { MarketModel } from './market-model.ts';
import type { PlantSpec, ReferenceSpec, UnplantSpec } from './planting.ts';
import { listingNamed, plantedFrom, plantedReference, plantSpec, referenceSpec, unplantSpec } from './planting.ts';
import { Settlements } from './settlements.ts';
import { simulatedVenues } from './simulated-venues.ts';
import type {
  Client,
  Connection,
  HttpReply,
  HttpRequest,
  SimulatedVenue,
  VenueDialect,
} from './venues/venue-dialect.ts';

/** The `[simulator]` section, and what a caller may narrow or add. */
export type SimulatorConfig = ModelSettings & {
  /** All of them when absent. */
  readonly venues?: readonly string[];
  /** Unified symbols; everything the venues list when absent. */
  readonly symbols?: readonly string[];
  /** Invented coins beside them, on every venue: for load. */
  readonly extra_symbols?: number;
  readonly accounts?: readonly AccountSpec[];
  /** Overrides the venues' 100 ms between batched book frames; 0 sends every change at once. */
  readonly batch_ms?: number;
};

/** The simulated venues without any transport: behind sockets (server.ts), or in process on a virtual clock. */
export type Simulator = {
  /** Opens a WebSocket; the client is closed at once (1008) when there is nothing at that path, or the venue refuses connections. */
  readonly connect: (path: string, client: Client) => Connection;
  /** Answers at once; `delayMs` says when the answer should leave. */
  readonly request: (request: HttpRequest) => HttpReply;
  /** From here on the market moves with the clock. */
  readonly start: () => void;
  readonly stop: () => void;
  /** Orders a fault; false when too many are pending. @throws ZodError on a spec that is none. */
  readonly fault: (spec: FaultSpec) => boolean;
  /**
   * Puts exactly these levels into these books, all before the first frame of it leaves; the market leaves them alone until they are unplanted or the
   * duration is over. Accounts' orders stay, and trade with levels that they meet. @throws BadInput on what cannot stand in a book, ZodError on a
   * spec that is none.
   */
  readonly plant: (spec: PlantSpec) => void;
  /** Says of a listing what is given beside its book, until it is unplanted. @throws BadInput on an unknown listing, ZodError. */
  readonly plantReference: (spec: ReferenceSpec) => void;
  /** Gives books and references back to the market: the named listings', or all and with them the quiet. @throws BadInput, ZodError */
  readonly unplant: (spec?: UnplantSpec) => void;
  /** The books and the money themselves, for whoever checks what the venues said. */
  readonly exchange: (venue: string) => Exchange;
};

/** How often the market is brought up to the clock. */
const STEP_MS = 10;
const VENUE_BATCH_MS = 100;
const CONNECTIONS_MAX = 4_096;

/** Deterministic: the same clock, chance and calls give the same bytes. */
export function createSimulator(options: {
  readonly clock: Clock;
  readonly random: Random;
  readonly config: SimulatorConfig;
}): Simulator {
  const { clock, config } = options;
  const faults = new FaultBoard(clock);
  const accounts = config.accounts ?? [DEFAULT_ACCOUNT];
  const venues = (config.venues ?? [...simulatedVenues.keys()]).map(simulatedVenue);
  const fair = new Map<string, number>();
  const exchanges = venues.map(({ venue, listings }) => {
    const chosen = listingsFrom(listings, { symbols: config.symbols, extra: config.extra_symbols ?? 0 });
    return new Exchange({ venue, listings: chosen, accounts, clock, faults, fair });
  });
  const model = new MarketModel({ clock, random: options.random.fork('market'), settings: config, exchanges, fair });
  const settlements = exchanges.map((exchange) => new Settlements(exchange));
  const dialects = new Map(
    exchanges.map((exchange) => {
      const batchMs = config.batch_ms ?? VENUE_BATCH_MS;
      const dialect = simulatedVenue(exchange.venue).dialect({ exchange, clock, faults, batchMs });
      return [exchange.venue, { exchange, dialect }];
    }),
  );
  const sockets = new Sockets(faults);
  let timer: Timer | undefined;
  const step = (): void => {
    timer = clock.after(STEP_MS, step);
    model.step();
    for (const settlement of settlements) settlement.step();
    for (const { dialect } of dialects.values()) dialect.step();
  };

  return {
    connect: (path, client) => {
      const at = locate(path);
      const dialect = at === undefined ? undefined : dialects.get(at.venue)?.dialect;
      const connection = at === undefined || dialect === undefined ? undefined : sockets.open(dialect, at.path, client);
      if (connection === undefined) client.close(1008, 'no such endpoint');
      return connection ?? NO_CONNECTION;
    },
    request: (request) => {
      const at = locate(request.path);
      const dialect = at === undefined ? undefined : dialects.get(at.venue)?.dialect;
      if (at === undefined || dialect === undefined) return NOT_FOUND;
      return (
        refusal(dialect, faults, at.path) ??
        dialect.request({ ...request, path: at.path, headers: lowerCased(request.headers) })
      );
    },
    start: () => {
      timer ??= clock.after(STEP_MS, step);
    },
    stop: () => {
      timer?.cancel();
      timer = undefined;
    },
    fault: (spec) => {
      const fault = faultSpec.parse(spec);
      const forced = FORCED[fault.kind];
      if (forced !== undefined) return forceAll(exchanges, fault, forced);
      if (fault.kind === 'disconnect') sockets.disconnect(fault.venue, fault.market);
      return fault.kind === 'disconnect' && fault.duration_ms === undefined ? true : faults.order(fault);
    },
    ...planting(exchanges, model),
    exchange: (venue) => {
      const there = dialects.get(venue);
      if (there === undefined) throw new RangeError(`venue ${venue} is not simulated`);
      return there.exchange;
    },
  };
}

function planting(
  exchanges: readonly Exchange[],
  model: MarketModel,
): Pick<Simulator, 'plant' | 'plantReference' | 'unplant'> {
  return {
    plant: (spec) => {
      const { books, holding } = plantedFrom(plantSpec.parse(spec), exchanges);
      model.hold(
        books.map(({ listing }) => listing),
        holding,
      );
      for (const { exchange, listing, bids, asks } of books) exchange.plant(listing, bids, asks);
      for (const { exchange, listing } of books) exchange.publish(listing);
    },
    plantReference: (spec) => {
      const { venue, symbol, ...reference } = referenceSpec.parse(spec);
      const { exchange, listing } = listingNamed(exchanges, venue, symbol);
      exchange.plantReference(listing, plantedReference(reference));
    },
    unplant: (spec) => {
      const named = unplantSpec.parse(spec ?? {}).listings;
      const freed = named?.map(({ venue, symbol }) => listingNamed(exchanges, venue, symbol));
      if (freed === undefined)
        for (const exchange of exchanges) exchange.listings.forEach((each) => exchange.uproot(each));
      else for (const { exchange, listing } of freed) exchange.uproot(listing);
      model.release(freed?.map(({ listing }) => listing));
    },
  };
}

const FORCED: Readonly<Partial<Record<Fault['kind'], Forced>>> = { deleverage: 'adl', liquidate: 'liquidation' };

/** False where nobody holds anything. */
function forceAll(exchanges: readonly Exchange[], { venue, market, ratio }: Fault, forced: Forced): boolean {
  const exchange = exchanges.find((each) => each.listings[0]?.venue === venue);
  const { house, fees } = exchange?.ledger ?? {};
  const held = (exchange?.ledger.all() ?? []).flatMap((account) =>
    account === house || account === fees ? [] : account.positions().map(({ listing }) => ({ account, listing })),
  );
  return held
    .filter(({ listing }) => market === undefined || listing.market === market)
    .map(({ account, listing }) => exchange!.force(account, listing, ratio, forced))
    .some((isDone) => isDone);
}

const NOT_FOUND: HttpReply = {
  status: 404,
  headers: { 'content-type': 'text/plain' },
  body: 'no such venue',
  delayMs: 0,
};

const NO_CONNECTION: Connection = { markets: [], message: () => undefined, closed: () => undefined };

/** @throws BadInput when nobody has written it. */
function simulatedVenue(venue: string): SimulatedVenue {
  const simulated = simulatedVenues.get(venue);
  if (simulated === undefined)
    throw new BadInput(`venue "${venue}" is not simulated (simulated: ${[...simulatedVenues.keys()].join(', ')})`);
  return simulated;
}

/** Host → the path below which it is found here: `api.kraken.com` → `/kraken`. */
const HOSTS: ReadonlyMap<string, string> = new Map(
  [...simulatedVenues.values()].flatMap(({ venue, hosts }) =>
    Object.entries(hosts).map(([host, prefix]) => [host, `/${venue}${prefix}`] as const),
  ),
);

const lowerCased = (headers: HttpRequest['headers']): HttpRequest['headers'] =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

/**
 * The venue that a path belongs to, and the path below its prefix. A client is moved here by putting the simulator's address before a venue's host:
 * `/api.kraken.com/0/public/Time` is `/kraken/0/public/Time`.
 */
function locate(path: string): { readonly venue: string; readonly path: string } | undefined {
  const host = path.split(/[/?]/, 2)[1] ?? '';
  const full = (HOSTS.get(host) ?? `/${host}`) + path.slice(host.length + 1);
  const venue = full.split(/[/?]/, 2)[1] ?? '';
  return simulatedVenues.has(venue) ? { venue, path: full.slice(venue.length + 1) } : undefined;
}

/** The answer of a venue that was told to be overrun or down. */
function refusal(dialect: VenueDialect, faults: FaultBoard, path: string): HttpReply | undefined {
  const market = dialect.marketOf(path);
  const headers = { 'content-type': 'application/json' };
  const limited = faults.take('rate-limited', dialect.venue, market);
  if (limited !== undefined) {
    const retryAfter = String(Math.max(1, Math.ceil(limited.ms / 1_000)));
    return {
      status: 429,
      headers: { ...headers, 'retry-after': retryAfter },
      body: dialect.failure('rate-limited'),
      delayMs: 0,
    };
  }
  if (faults.take('server-error', dialect.venue, market) === undefined) return undefined;
  return { status: 503, headers, body: dialect.failure('server-error'), delayMs: 0 };
}

/** Every open socket, so that a disconnect finds them. */
class Sockets {
  readonly #faults: FaultBoard;
  readonly #open = new Set<{ readonly venue: string; readonly connection: Connection; readonly client: Client }>();

  constructor(faults: FaultBoard) {
    this.#faults = faults;
  }

  open(dialect: VenueDialect, path: string, client: Client): Connection | undefined {
    if (this.#open.size >= CONNECTIONS_MAX) return undefined;
    let gone = false;
    // Whatever was on its way when the socket ended (a slow acknowledgement, say) is lost with it.
    const guarded: Client = {
      send: (data) => {
        if (!gone) client.send(data);
      },
      close: (code, reason) => {
        if (gone) return;
        client.close(code, reason);
        closed();
      },
    };
    const connection = dialect.connect(path, guarded);
    if (connection === undefined) return undefined;
    const refused = connection.markets.some((market) => this.#faults.holds('disconnect', dialect.venue, market));
    const entry = { venue: dialect.venue, connection, client: guarded };
    const closed = (): void => {
      if (gone) return;
      gone = true;
      this.#open.delete(entry);
      connection.closed();
    };
    if (refused) {
      closed();
      return undefined;
    }
    this.#open.add(entry);
    return { markets: connection.markets, message: (text) => (gone ? undefined : connection.message(text)), closed };
  }

  /** Abnormal closure: 1006 is what the other end sees of a broken socket. */
  disconnect(venue: string, market: string | undefined): void {
    for (const { venue: of, connection, client } of [...this.#open])
      if (of === venue && (market === undefined || connection.markets.some((each) => each === market)))
        client.close(1006, 'disconnect');
  }
}
