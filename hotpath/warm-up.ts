import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '#shared/clock/clock.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { LevelBuffer, MarketUpdate } from '#shared/domain/market-event.ts';
import { SNAPSHOT } from '#shared/domain/market-event.ts';
import type { ProductRoute, RouteLeg } from '#shared/domain/route.ts';
import { randomFrom } from '#shared/random.ts';
import type { Config } from '#shared/schema/config.ts';
import { configSchema } from '#shared/schema/config.ts';
import type { Engine } from './engine.ts';
import { engineFrom } from './engine.ts';
import type { EngineOptions, Prepared } from './prepare.ts';
import { silentLogger } from './runtime/logger.ts';
import { echoing, nowhere, pushed } from './warm-venues.ts';

/** `completed`: both sent and filled, in a world that is thrown away. */
export type WarmUp = { readonly plans: number; readonly completed: number };

type Scene = Prepared & { readonly routes: readonly ProductRoute[] };

type Sources = Pick<EngineOptions, 'config' | 'venues'>;

/** Kinds of routes that take turns: what is compiled must not know one of them alone. */
const ROUTES_MAX = 8;
/** Code that has met the objects of one engine alone is compiled for those, and again for the next. */
const ENGINES = 4;
/** Plans between two looks at what else there is to do: some 50 ms. */
const PLANS_PER_TURN = 10;
const LEVELS = 20;
/** What a plan earns after fees. */
const EDGE = 0.002;
const SPREAD = 1e-5;
const COIN_WORTH = 100;
const TICKS = 1e6;
/** In the quote asset, of the best level. */
const LEVEL_WORTH = 1e4;
const FOLDER = 'warm-up-';
/** Nobody warms up for so long. */
const LEFT_MS = 600_000;
const FILLED_AFTER_MS = 5;
/** Accounts are reconciled and the risk figures reckoned by then. */
const READY_MS = 3_000;
const NO_KEY = { apiKey: 'warm-up', secret: 'warm-up', passphrase: 'warm-up' } as const;
const NO_FILTERS = {
  max_edge_bps: 0,
  max_edge_bps_by_family: {},
  min_level_age_ms: 0,
  min_lifetime_ms: 0,
  max_clock_uncertainty_ms: 0,
  max_skew_ms: 0,
} as const;
const MOST = 1e15;
const NO_LIMITS = {
  max_position_size_usd: MOST,
  max_exposure_per_exchange: MOST,
  max_exposure_per_asset_usd: MOST,
  max_exposure_per_family_usd: MOST,
  max_total_exposure_usd: MOST,
  max_concentration: 1,
  max_leverage: MOST,
  max_daily_loss_usd: MOST,
  max_drawdown: 1,
  max_var: MOST,
  max_expected_shortfall: MOST,
  max_open_operations: 1_000_000_000,
  max_orders_per_second: 1_000_000_000,
  min_profit_margin_bps: -MOST,
  max_edge_bps: 0,
  max_slippage_bps: MOST,
  max_execution_time_ms: MOST,
  max_book_age_ms: MOST,
  min_venue_health: 0,
} as const;
const ORIGIN_UNIX_NS = 1_767_225_600_000_000_000n;

/**
 * Sends `plans` plans through an engine that is thrown away, so that the first real order meets compiled code: from the book to the signed text and back from
 * the fill. Nothing can leave or stay: the engine has a transport without a network, a key that is none, a journal in a folder that is removed, books and a
 * clock of its own. Takes about two seconds of the thread: for before the feeds open. Others have their turn in between, and it ends early once
 * something is urgent.
 */
export async function warmUp(
  sources: Sources,
  prepared: Prepared,
  plans: number,
  isUrgent: () => boolean,
): Promise<WarmUp> {
  const scene = sceneOf(prepared, sources.config);
  const done = { plans: 0, completed: 0 };
  if (scene.routes.length === 0 || plans === 0) return done;
  for (let engine = 0; engine < ENGINES && !isUrgent(); engine += 1) {
    const drive = { plans: Math.ceil(plans / ENGINES), isDetour: engine % 2 === 1, isUrgent };
    const { plans: sent, completed } = await driven(sources, scene, drive);
    done.plans += sent;
    done.completed += completed;
  }
  return done;
}

/** Takes away what engines left that were killed while they warmed up. Others may warm up in the same folder now. */
export function sweepWarmUps({ system }: Config, unixMs: number): void {
  const { data_dir: dataDir } = system;
  if (!existsSync(dataDir)) return;
  for (const name of readdirSync(dataDir)) {
    const path = join(dataDir, name);
    if (name.startsWith(FOLDER) && statSync(path).mtimeMs < unixMs - LEFT_MS)
      rmSync(path, { recursive: true, force: true });
  }
}

type Drive = {
  readonly plans: number;
  /** By other functions of the same meaning: no call is compiled for one of them. */
  readonly isDetour: boolean;
  readonly isUrgent: () => boolean;
};

/** One engine from its start to its end, on a journal that is removed. */
async function driven({ config, venues }: Sources, scene: Scene, drive: Drive): Promise<WarmUp> {
  const { plans, isDetour, isUrgent } = drive;
  const { data_dir: dataDir } = config.system;
  mkdirSync(dataDir, { recursive: true });
  const journalDir = mkdtempSync(join(dataDir, FOLDER));
  try {
    const clock = new VirtualClock(ORIGIN_UNIX_NS);
    const engine = engineFrom(
      optionsOf({ config, venues }, scene, { journalDir, clock: clockOf(clock, isDetour) }),
      scene,
    );
    engine.start();
    clock.runUntil(clock.now() + READY_MS * 1e6);
    const { numeraire, stable_assets: stable } = config.engine;
    const market = new DryMarket(engine, clock, new Set([numeraire, ...stable]));
    let sent = 0;
    while (sent < plans && !isUrgent()) {
      market.pays(scene.routes[sent % scene.routes.length]!);
      sent += 1;
      if (sent % PLANS_PER_TURN === 0) await turn();
    }
    engine.finish('warm-up');
    return { plans: sent, completed: engine.executor.counts.completed };
  } finally {
    rmSync(journalDir, { recursive: true });
  }
}

/** Nothing in it leads out. */
function optionsOf(
  { config, venues }: Sources,
  { instruments }: Scene,
  { journalDir, clock }: Pick<EngineOptions, 'journalDir' | 'clock'>,
): EngineOptions {
  const assets = assetsOf(instruments);
  return {
    config: wide(config),
    venues: venues.map((venue) => echoing(venue, assets)),
    clock,
    logger: silentLogger,
    random: randomFrom(1),
    transport: nowhere(clock),
    journalDir,
    publishedSeq: () => 0,
    version: 'warm-up',
    seed: 1,
    credentials: new Map(venues.map(({ id }) => [id, NO_KEY])),
  };
}

/** In the shape of the machine's. */
function clockOf({ now, unixNs, unixMs, after }: VirtualClock, isDetour: boolean): Clock {
  if (!isDetour) return { now, unixNs, unixMs, after };
  return {
    now: () => now(),
    unixNs: (at) => unixNs(at),
    unixMs: (at) => unixMs(at),
    after: (delayMs, task) => after(delayMs, task),
  };
}

/** Routes of as many kinds as there are, and what they trade. */
function sceneOf({ endpoints, instruments, routes }: Prepared, config: Config): Scene {
  const mayTrade = ({ instrument }: RouteLeg): boolean =>
    config.accounts[instruments[instrument]!.venue]?.gateway !== 'ccxt';
  const kinds = new Map<string, ProductRoute>();
  for (const route of routes) {
    if (route.evaluator !== 'product' || !route.legs.every(mayTrade)) continue;
    const kind = `${route.family} ${route.legs.map(({ instrument, side }) => `${instruments[instrument]!.venue} ${side}`).join(' ')}`;
    if (!kinds.has(kind)) kinds.set(kind, route);
    if (kinds.size === ROUTES_MAX) break;
  }
  const traded = [...new Set([...kinds.values()].flatMap(({ legs }) => legs.map(({ instrument }) => instrument)))];
  const indexOf = new Map(traded.map((instrument, at) => [instrument, at as InstrumentIndex]));
  return {
    endpoints: endpoints.map((endpoint) => ({ ...endpoint, market: pushed(endpoint.market), streams: [] })),
    instruments: traded.map((instrument) => instruments[instrument]!),
    synthetics: [],
    routes: [...kinds.values()].map((route) => ({
      ...route,
      legs: route.legs.map((leg) => ({ ...leg, instrument: indexOf.get(leg.instrument)! })),
    })),
  };
}

/** No limit in the way, nothing that stops trading by itself, nobody else asked. */
const wide = ({ engine, risk, verification, ...config }: Config): Config =>
  configSchema.parse({
    ...config,
    engine: {
      ...engine,
      mode: 'live',
      streams: [],
      kelly_fraction: 0,
      route_cooldown_ms: 0,
      min_expected_value: -1e12,
      filters: { ...engine.filters, ...NO_FILTERS },
    },
    risk: { ...risk, ...NO_LIMITS },
    breakers: { ...config.breakers, enabled: false },
    verification: { ...verification, every_ms: 1e9, tolerance_usd: 1e15, open_orders_every_ms: 0 },
    lease: { ...config.lease, enabled: false },
  });

/** Books of the routes: even, or so that one of them pays. */
class DryMarket {
  readonly #engine: Engine;
  readonly #clock: VirtualClock;
  readonly #worth: ReadonlyMap<string, number>;
  readonly #update = emptyUpdate();
  #sequence = 0;

  constructor(engine: Engine, clock: VirtualClock, stable: ReadonlySet<string>) {
    this.#engine = engine;
    this.#clock = clock;
    this.#worth = worthsOf(engine.instruments, stable);
  }

  /** It pays, is traded, and pays no more. */
  pays(route: Scene['routes'][number]): void {
    this.#show(route, 1);
    this.#forward(FILLED_AFTER_MS);
    this.#show(route, 0);
    this.#forward(FILLED_AFTER_MS);
  }

  #show({ legs }: Scene['routes'][number], pays: 0 | 1): void {
    for (const { instrument, side } of legs) {
      const listing = this.#engine.instruments[instrument]!;
      const even = this.#worth.get(listing.base)! / this.#worth.get(listing.quote)!;
      const margin = pays * (listing.fees.taker.toNumber() + EDGE);
      // The best price of the leg's side is where it trades; even, both sides cost the spread.
      this.#publish(instrument, listing, even * (side === 'buy' ? 1 - margin : 1 + margin));
    }
  }

  #publish(instrument: InstrumentIndex, { tick }: Instrument, middle: number): void {
    const update = this.#update;
    this.#sequence += 1;
    update.instrument = instrument;
    update.firstSequence = this.#sequence;
    update.lastSequence = this.#sequence;
    update.previousSequence = this.#sequence - 1;
    update.receivedTimeNs = this.#clock.now();
    const step = Math.max(tick.toNumber(), middle * SPREAD);
    for (let level = 0; level < LEVELS; level += 1) {
      update.bids.prices[level] = middle - step * (level + 1);
      update.asks.prices[level] = middle + step * (level + 1);
      update.bids.qtys[level] = update.asks.qtys[level] = (LEVEL_WORTH * (1 + (level % 3))) / middle;
    }
    this.#engine.onUpdate(update);
  }

  #forward(ms: number): void {
    this.#clock.runUntil(this.#clock.now() + ms * 1e6);
  }
}

/** What coins are worth: so much that a tick of their books is little. */
function worthsOf(instruments: readonly Instrument[], stable: ReadonlySet<string>): ReadonlyMap<string, number> {
  const worths = new Map<string, number>(
    assetsOf(instruments).map((asset) => [asset, stable.has(asset) ? 1 : COIN_WORTH]),
  );
  for (const { base, quote, tick } of instruments)
    if (stable.has(quote) && !stable.has(base)) worths.set(base, Math.max(worths.get(base)!, tick.toNumber() * TICKS));
  return worths;
}

const assetsOf = (instruments: readonly Instrument[]): readonly string[] => [
  ...new Set(
    instruments.flatMap(({ base, quote, settle, fees }) => [
      base,
      quote,
      settle,
      ...(fees.token === undefined ? [] : [fees.token.asset]),
    ]),
  ),
];

function emptyUpdate(): MarketUpdate {
  const levels = (): LevelBuffer => ({
    prices: new Float64Array(LEVELS),
    qtys: new Float64Array(LEVELS),
    count: LEVELS,
    priceDecimals: 0,
    qtyDecimals: 0,
  });
  return {
    kind: SNAPSHOT,
    instrument: 0 as InstrumentIndex,
    firstSequence: 0,
    lastSequence: 0,
    previousSequence: 0,
    checksum: NaN,
    venueTimeMs: NaN,
    receivedTimeNs: 0 as TimeNs,
    bids: levels(),
    asks: levels(),
  };
}
