import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Decimal } from 'decimal.js';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Opportunity } from '#shared/domain/trade.ts';
import { textOf } from '#shared/money/grid.ts';
import type { Random } from '#shared/random.ts';
import { randomFrom } from '#shared/random.ts';
import type { Config } from '#shared/schema/config.ts';
import type { Engine } from '#hotpath/engine.ts';
import { openEngine } from '#hotpath/engine.ts';
import { createLogger } from '#hotpath/runtime/logger.ts';
import { venues } from '#hotpath/venues/index.ts';
import { inProcessTransport } from '#local/in-process-transport.ts';
import { simulatorConfigOf, throughSimulator } from '#local/simulated.ts';
import type { ListingSpec } from '#simulator/listings.ts';
import { simulatedVenues } from '#simulator/simulated-venues.ts';
import type { Simulator } from '#simulator/simulator.ts';
import { createSimulator } from '#simulator/simulator.ts';
import { DOLLARS, wideBook } from './market.ts';
import type { Level, PlantedBook, World } from './truth.ts';

const ORIGIN_UNIX_NS = 1_767_225_600_000_000_000n;
const SLICE_NS = 20e6;
/** Long enough for every frame of what was planted and for what is reckoned on timers. */
const WATCH_NS = 1_500e6;
const CLEAR_NS = 100e6;
/** The slowest word of a venue on funding and index. */
const SETTLE_NS = 12e9;
/** Whose spot books value the coins while nothing else is there: a spread of 2 % pays nobody. */
const ANCHOR = 'bitget';
export const THRESHOLD_BPS = 2;
const BASES = ['BTC', 'ETH', 'SOL', 'USDC'];
const STRIKES = [80_000, 90_000, 100_000, 2_800, 3_200];
const HOUR_MS = 3_600_000;
/** A basis point every eight hours; who pays by the hour pays an eighth of it. */
const FUNDING_RATE = '0.0001';
const HOURLY = 'krakenfutures';
const FLOWING = 'deribit';

/** All venues and the whole engine in this process, on one clock; trading is stopped, so that what is found is judged and nothing more. */
export type Universe = {
  readonly instruments: readonly Instrument[];
  readonly random: Random;
  readonly world: () => Omit<World, 'bookOf'>;
  /** Plants books and nothing else, and returns every opportunity that would have been traded meanwhile. */
  readonly watch: (books: ReadonlyMap<Instrument, PlantedBook>) => readonly Opportunity[];
  readonly close: () => void;
};

/** `fees` multiplies what every venue takes. */
export async function openUniverse(options: { readonly seed: number; readonly fee?: string }): Promise<Universe> {
  const directory = mkdtempSync(join(tmpdir(), 'arb-planted-'));
  const config = configOf(directory, options.fee);
  const clock = new VirtualClock(ORIGIN_UNIX_NS);
  const random = randomFrom(options.seed);
  const simulator = createSimulator({
    clock,
    random: random.fork('market'),
    config: { ...simulatorConfigOf(config), batch_ms: 0 },
  });
  // Before anybody asks: some say it once a minute only.
  for (const { listings } of simulatedVenues.values()) {
    for (const listing of listings)
      if (config.engine.symbols.includes(listing.symbol)) plantReference(simulator, listing, clock);
  }
  simulator.start();
  const opening = openEngine({
    config,
    venues,
    clock,
    random: random.fork('engine'),
    logger: createLogger({ name: 'planted', level: 'error', clock }),
    transport: inProcessTransport(simulator, clock, random.fork('wire'), 1),
    version: 'planted',
    seed: options.seed,
    journalDir: join(directory, 'journal'),
    publishedSeq: () => 0,
  });
  const engine = await until(clock, opening);
  engine.start();
  engine.obey({ id: 'stop', kind: 'stop', reason: 'planted', by: 'test' } as never);
  const universe: Running = { engine, simulator, clock };
  // Venues speak of an instrument while it has prices.
  const nowMs = clock.unixMs(clock.now());
  const derivatives = engine.instruments.filter(({ kind }) => kind !== 'spot' && kind !== 'combo');
  plantAlone(universe, new Map(derivatives.map((each) => [each, wideBook(each, nowMs)])));
  clock.runUntil(clock.now() + SETTLE_NS);
  return {
    instruments: engine.instruments,
    random: random.fork('planted'),
    world: () => worldOf(config, clock),
    watch: (books) => watch(universe, books),
    close: () => {
      engine.finish('planted');
      simulator.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

type Running = { readonly engine: Engine; readonly simulator: Simulator; readonly clock: VirtualClock };

/** Every other book is emptied, and the market stands still. */
function plantAlone({ engine, simulator, clock }: Running, books: ReadonlyMap<Instrument, PlantedBook>): void {
  const nowMs = clock.unixMs(clock.now());
  const anchors = engine.instruments.filter(
    (each) => each.venue === ANCHOR && each.quote === 'USDT' && each.kind === 'spot' && !books.has(each),
  );
  const all = new Map([...anchors.map((each) => [each, wideBook(each, nowMs)] as const), ...books]);
  simulator.plant({
    clear: true,
    books: [...all].map(([{ venue, symbol }, { bids, asks }]) => ({
      venue,
      symbol,
      bids: bids.map(textsOf),
      asks: asks.map(textsOf),
    })),
  });
}

function watch(running: Running, books: ReadonlyMap<Instrument, PlantedBook>): readonly Opportunity[] {
  const { engine, clock } = running;
  // Book after book arrives: half of the market before and half of this one would be a third one.
  plantAlone(running, new Map());
  clock.runUntil(clock.now() + CLEAR_NS);
  plantAlone(running, books);
  const found = new Map<string, Opportunity>();
  const untilNs = clock.now() + WATCH_NS;
  while (clock.now() < untilNs) {
    clock.runUntil(clock.now() + SLICE_NS);
    for (const { opportunity, reason } of engine.opportunities.top(1_000)) {
      if (reason === 'TRADING_HALTED' && opportunity.detectedTimeNs >= untilNs - WATCH_NS)
        found.set(opportunity.route, opportunity);
    }
  }
  return [...found.values()];
}

/** What every venue says of a derivative for the whole of the run: the index, and the same funding everywhere. */
function plantReference(simulator: Simulator, listing: ListingSpec, clock: VirtualClock): void {
  const { venue, symbol, kind, base } = listing;
  if (kind === 'spot' || kind === 'combo') return;
  simulator.plantReference({
    venue,
    symbol,
    index_price: DOLLARS[base]!,
    ...(kind === 'perpetual'
      ? {
          funding_rate: fundingRateOf(venue).toNumber(),
          next_funding_ms: nextMs(clock.unixMs(clock.now()), intervalMsOf(venue)),
        }
      : {}),
  });
}

const intervalMsOf = (venue: string): number => (venue === HOURLY ? HOUR_MS : 8 * HOUR_MS);
const fundingRateOf = (venue: string): Decimal => new Decimal(FUNDING_RATE).times(intervalMsOf(venue)).div(8 * HOUR_MS);

const textsOf = ([price, qty]: Level): [string, string] => [textOf(price), textOf(qty)];
const nextMs = (nowMs: number, intervalMs: number): number => (Math.floor(nowMs / intervalMs) + 1) * intervalMs;

function worldOf({ engine }: Config, clock: VirtualClock): Omit<World, 'bookOf'> {
  const nowMs = clock.unixMs(clock.now());
  const { carry } = engine;
  return {
    indexOf: ({ base }) => new Decimal(DOLLARS[base]!),
    fundingOf: ({ venue }) => ({
      rate: fundingRateOf(venue),
      nextMs: venue === FLOWING ? undefined : nextMs(nowMs, intervalMsOf(venue)),
      intervalMs: intervalMsOf(venue),
    }),
    nowMs,
    displayedFraction: new Decimal(engine.displayed_fraction),
    hurdle: new Decimal(THRESHOLD_BPS).div(1e4),
    horizonMs: carry.horizon_hours * 3_600_000,
    fundingPersistence: new Decimal(carry.funding_persistence),
    capitalRate: new Decimal(carry.capital_rate),
    marginFraction: new Decimal(carry.margin_fraction),
    closingSlippage: new Decimal(carry.closing_slippage_bps).div(1e4),
    borrowRate: new Decimal(carry.borrow_rates['default']!),
  };
}

/** Everything listed for a few coins; every limit that is not about price out of the way. */
function configOf(directory: string, fee: string | undefined): Config {
  const config = loadConfig({ dir: 'config', env: {} });
  const names = [...simulatedVenues.keys()];
  const symbols = [...simulatedVenues.values()].flatMap(({ listings }) =>
    listings.flatMap(({ symbol, base, strike }) =>
      BASES.includes(base) && (strike === undefined || STRIKES.includes(strike.toNumber())) ? [symbol] : [],
    ),
  );
  const { engine } = config;
  const riches = Object.fromEntries(Object.keys(DOLLARS).map((asset) => [asset, '1000000000000']));
  const wanted: Config = {
    ...config,
    system: { ...config.system, data_dir: directory, log_level: 'error' },
    engine: {
      ...engine,
      venues: names,
      symbols: [...new Set(symbols)],
      families: [
        'spatial',
        'stablecoin',
        'basis',
        'funding',
        'calendar',
        'parity',
        'box',
        'synthetic-forward',
        'jelly-roll',
        'surface',
        'cycle',
      ],
      start_assets: ['USDT', 'USDC', 'USD', 'BTC', 'ETH'],
      pegs: { USD: '1', USDC: '1' },
      cross_venue_cycles: false,
      max_legs: 4,
      max_routes: 200_000,
      min_edge_bps: THRESHOLD_BPS,
      min_expected_value: -1e12,
      max_notional: 1e12,
      route_cooldown_ms: 0,
      // Years of the usual cost of money would move a leg so far that its book is suspected.
      carry: { ...engine.carry, capital_rate: 0.002, borrow_rates: { default: 0.003 } },
    },
    paper: { ...config.paper, displayed_fraction: 1, balances: { default: riches } },
    venues: Object.fromEntries(
      names.map((name) => [
        name,
        { enabled: true, ...config.venues[name], ...(fee === undefined ? {} : { taker_fee: fee }) },
      ]),
    ),
  };
  return { ...wanted, venues: throughSimulator(wanted, 1) };
}

/** Start-up awaits answers: time goes on until they are there. */
async function until<T>(clock: VirtualClock, promise: Promise<T>): Promise<T> {
  const answer = { settled: false };
  const settle = (): void => {
    answer.settled = true;
  };
  promise.then(settle, settle);
  for (;;) {
    await new Promise((resolve) => setImmediate(resolve));
    if (answer.settled) return promise;
    clock.step(clock.now() + SLICE_NS);
  }
}
