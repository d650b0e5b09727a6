import { Decimal } from 'decimal.js';
import { expect, it } from 'vitest';
import { BookStore } from '#hotpath/book/book-store.ts';
import { ReferenceStore } from '#hotpath/book/reference-store.ts';
import { endpointsFrom } from '#hotpath/feed/endpoint.ts';
import { Feed } from '#hotpath/feed/feed.ts';
import { loadInstruments } from '#hotpath/feed/instruments.ts';
import { silentLogger } from '#hotpath/runtime/logger.ts';
import { venues } from '#hotpath/venues/index.ts';
import { inProcessTransport } from '#local/in-process-transport.ts';
import { simulatorConfigOf, throughSimulator } from '#local/simulated.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { FUNDING_FLOWS } from '#shared/domain/capital.ts';
import type { InstrumentId } from '#shared/domain/ids.ts';
import { BROKEN } from '#shared/domain/market-event.ts';
import { randomFrom } from '#shared/random.ts';
import { DEFAULT_ACCOUNT } from '#simulator/accounts.ts';
import type { Listing } from '#simulator/listings.ts';
import { valueAt } from '#simulator/listings.ts';
import { createSimulator } from '#simulator/simulator.ts';
import { simulatedVenues } from '#simulator/simulated-venues.ts';

type Scene = { readonly symbols?: readonly string[]; readonly startMs?: number };

/** Every configured market of every venue, spoken by the simulator, on a clock of the test. */
async function simulated(seed: number, named?: readonly string[], { symbols, startMs }: Scene = {}) {
  const defaults = loadConfig({ dir: 'config', env: {} });
  const chosen = { venues: [...(named ?? defaults.engine.venues)], symbols: [...(symbols ?? defaults.engine.symbols)] };
  const config = { ...defaults, engine: { ...defaults.engine, ...chosen } };
  const clock = new VirtualClock(BigInt(startMs ?? 1_700_000_000_000) * 1_000_000n);
  const random = randomFrom(seed);
  const simulator = createSimulator({ clock, random: random.fork('market'), config: simulatorConfigOf(config) });
  simulator.start();
  const outside = {
    clock,
    random: random.fork('feed'),
    logger: silentLogger,
    transport: inProcessTransport(simulator, clock, random.fork('wire'), 2),
  };
  const endpoints = endpointsFrom({ ...config, venues: throughSimulator(config, 1) }, venues);
  const loading = loadInstruments(outside, endpoints, config.engine.symbols);
  const answer = { isThere: false };
  void loading.then(() => (answer.isThere = true));
  while (!answer.isThere) {
    clock.runUntil(clock.now() + 1e6);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const instruments = await loading;
  const books = new BookStore({
    instruments,
    rulesOf: ({ venue, market }) =>
      endpoints.find((endpoint) => endpoint.venue.id === venue && endpoint.market.id === market)!.market.book,
    clock,
    staleAfterMs: 5_000,
  });
  const references = new ReferenceStore(instruments);
  const prints = new Set<InstrumentId>();
  const feed: Feed = new Feed({
    ...outside,
    endpoints,
    instruments,
    books,
    streams: named === undefined ? [] : ['trades', 'reference'],
    onPrint: ({ instrument }) => void prints.add(instruments[instrument]!.id),
    onReference: (reference) => references.apply(reference),
    onUpdate: (update) => {
      if (books.apply(update) === BROKEN) feed.resync(update.instrument);
    },
  });
  feed.start();
  const run = (seconds: number) => clock.runUntil(clock.now() + seconds * 1e9);
  const statusOf = (venue: string) => feed.status().find(({ id }) => id === venue)!;
  const nowMs = (): number => clock.unixMs(clock.now());
  return { feed, simulator, run, nowMs, statusOf, instruments, references, prints };
}

it('every market is live in seconds and stays so, the same way with the same seed', async () => {
  const [first, again] = [await simulated(7), await simulated(7)];
  for (const { run } of [first, again]) run(20);
  for (const status of first.feed.status()) {
    expect(status).toMatchObject({ status: 'live', health: 1, gaps: 0, resyncs: 0, reconnects: 0 });
    expect(status.live_books).toBe(status.books);
    expect(status.messages).toBeGreaterThan(300);
  }
  expect(first.feed.status()).toEqual(again.feed.status());
});

it.each([...simulatedVenues.keys()])('%s tells of trades and reference prices beside its books', async (id) => {
  const { run, statusOf, instruments, references, prints } = await simulated(7, [id]);
  run(30);
  const { status, live_books, books, reconnects, malformed } = statusOf(id);
  expect([status, live_books, reconnects, malformed]).toEqual(['live', books, 0, 0]);
  expect(prints.size).toBeGreaterThan(0);
  const unmarked = instruments.filter(({ kind }, at) => kind !== 'spot' && Number.isNaN(references.markPrice[at]));
  expect(unmarked.map((instrument) => instrument.id)).toEqual([]);
  const unfunded = instruments.filter(
    ({ kind }, at) => kind === 'perpetual' && Number.isNaN(references.fundingRate[at]),
  );
  expect(unfunded.map((instrument) => instrument.id)).toEqual([]);
});

const FUNDED_MS = Date.UTC(2026, 10, 20, 8);
/** The slowest venue speaks of funding once a minute. */
const RUN_UP_S = 80;
const RATE = 0.0012;
const derivativesOf = (id: string): readonly Listing[] => {
  const listings = simulatedVenues.get(id)!.listings.map((spec, index) => ({ ...spec, index }));
  const options = listings.filter(({ kind }) => kind === 'option').slice(0, 4);
  return [...listings.filter(({ perpetual }) => perpetual), ...options];
};
const purseOf = ({ wallet, settle }: Listing): string => `${wallet} ${settle}`;

/** Two minutes before perpetuals pay what is planted. */
async function beforeFunding(id: string) {
  const symbols = derivativesOf(id).map(({ symbol }) => symbol);
  const scene = await simulated(7, [id], { symbols, startMs: FUNDED_MS - 120_000 });
  const exchange = scene.simulator.exchange(id);
  const account = exchange.ledger.byKey(DEFAULT_ACCOUNT.apiKey)!;
  const perpetuals = scene.instruments.flatMap(({ id: name, kind, market, symbol }, at) => {
    const listing = exchange.listings.find((each) => each.market === market && each.symbol === symbol)!;
    return kind === 'perpetual' ? [{ name, at, listing }] : [];
  });
  for (const { listing } of perpetuals)
    exchange.plantReference(listing, { fundingRate: RATE, markPrice: exchange.mid(listing)! });
  /** Buys some of each; answers what is then owed from now on, by purse, for one interval. */
  const buy = (): ReadonlyMap<string, Decimal> => {
    const owed = new Map<string, Decimal>();
    for (const { listing } of perpetuals) {
      const lots = 1_000 * listing.minLots;
      exchange.ledger.trade(account, listing, 'buy', {
        price: exchange.mid(listing)! * 10 ** listing.priceDecimals,
        lots,
      });
      const worth = valueAt(listing, new Decimal(exchange.planted(listing).markPrice!), lots);
      owed.set(purseOf(listing), worth.times(RATE).plus(owed.get(purseOf(listing)) ?? 0));
    }
    return owed;
  };
  const money = (): ReadonlyMap<string, Decimal> =>
    new Map(perpetuals.map(({ listing }) => [purseOf(listing), account.balance(listing.wallet, listing.settle).total]));
  return { ...scene, perpetuals, buy, money };
}

it.each([...simulatedVenues.keys()].filter((id) => derivativesOf(id).length > 0))(
  '%s says when and what its perpetuals pay, and they pay it',
  async (id) => {
    const { run, nowMs, instruments, references, perpetuals, buy, money } = await beforeFunding(id);
    run(RUN_UP_S);
    expect(perpetuals).not.toEqual([]);
    for (const { name, at, listing } of perpetuals) {
      const { fundingRate, nextFundingTimeMs, fundingIntervalMs } = references;
      expect([name, fundingRate[at], fundingIntervalMs[at]]).toEqual([name, RATE, listing.fundingEveryMs]);
      expect([name, nextFundingTimeMs[at]]).toEqual([name, listing.fundingFlows ? FUNDING_FLOWS : FUNDED_MS]);
    }
    const underlying = [references.indexPrice, references.underlyingPrice];
    const silent = instruments.filter(
      ({ kind }, at) => kind === 'option' && underlying.every((column) => Number.isNaN(column[at])),
    );
    expect(silent.map((option) => option.id)).toEqual([]);

    run((FUNDED_MS - nowMs()) / 1_000 - 2);
    const owed = buy();
    const before = money();
    run(4);
    const flowed = perpetuals.every(({ listing }) => listing.fundingFlows) ? 60_000 / 28_800_000 : 1;
    for (const [purse, amount] of owed) {
      const paid = before.get(purse)!.minus(money().get(purse)!);
      expect([purse, paid.div(amount.times(flowed)).toNumber()]).toEqual([purse, expect.closeTo(1, 3)]);
    }
  },
);

it.each([
  ['binance', 'gap'],
  ['okx', 'gap'],
  ['kraken', 'gap'],
  ['kraken', 'bad-checksum'],
] as const)('notices on %s: %s, and heals the book', async (venue, kind) => {
  const { simulator, run, statusOf } = await simulated(8);
  run(10);
  simulator.fault({ venue, kind, market: 'spot', count: 3 });
  run(15);
  const { gaps, resyncs, reconnects, live_books, books, status } = statusOf(venue);
  expect(gaps).toBeGreaterThan(0);
  expect(resyncs).toBeGreaterThanOrEqual(1);
  expect([reconnects, status, live_books]).toEqual([0, 'live', books]);
});

it.each(['binance', 'okx', 'kraken'] as const)('%s goes down with its sockets and comes back', async (venue) => {
  const { simulator, run, statusOf, feed } = await simulated(9);
  run(10);
  simulator.fault({ venue, kind: 'disconnect', duration_ms: 3_000 });
  simulator.fault({ venue, kind: 'rate-limited', count: 2, ms: 2_000 });
  run(1);
  expect(statusOf(venue)).toMatchObject({ status: 'down', health: 0, live_books: 0 });
  expect(feed.status().filter(({ status }) => status === 'live')).toHaveLength(feed.status().length - 1);
  run(40);
  const { status, books, live_books, reconnects } = statusOf(venue);
  expect([status, live_books]).toEqual(['live', books]);
  expect(reconnects).toBeGreaterThanOrEqual(1);
});
