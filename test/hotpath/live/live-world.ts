import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Decimal } from 'decimal.js';
import type { Engine } from '#hotpath/engine.ts';
import { readJournal } from '#hotpath/publish/journal.ts';
import type { VirtualWorld } from '#local/virtual-world.ts';
import { engineIn, virtualWorld } from '#local/virtual-world.ts';
import { loadConfig } from '#shared/config/load.ts';
import type { VenueId } from '#shared/domain/ids.ts';
import type { Command } from '#shared/schema/command.ts';
import type { Config } from '#shared/schema/config.ts';
import type { EngineEvent, EventData, EventKind } from '#shared/schema/event.ts';
import { DEFAULT_ACCOUNT, signedSize } from '#simulator/accounts.ts';
import type { Exchange, Order } from '#simulator/exchange.ts';
import type { Simulator } from '#simulator/simulator.ts';

export const LIVE_VENUES = ['binance', 'okx', 'kraken'] as const;
const SYMBOLS = ['BTC/USDT', 'ETH/USDT', 'ETH/BTC', 'SOL/USDT', 'BTC/USDT:USDT'];

/** No limit in the way: the market is wilder than any. */
const WIDE = {
  max_position_size_usd: 1e7,
  max_exposure_per_exchange: 1e7,
  max_exposure_per_asset_usd: 1e7,
  max_exposure_per_family_usd: 1e7,
  max_total_exposure_usd: 1e7,
  max_concentration: 1,
  max_var: 1e7,
  max_expected_shortfall: 1e7,
} as const;

/** An engine that trades for real at simulated venues. */
export function liveConfig(more: Partial<Config> = {}): Config {
  const { engine, system, simulator, verification, risk, ...rest } = loadConfig({ dir: 'config', env: {} });
  return {
    ...rest,
    system: { ...system, log_level: 'error' },
    engine: {
      ...engine,
      mode: 'live',
      venues: [...LIVE_VENUES],
      symbols: SYMBOLS,
      // As much of a warm-up as shows that one is done: processes are started by the dozen.
      warm_up_plans: 8,
      min_expected_value: 0.01,
      min_edge_bps: 0.5,
      families: ['spatial', 'cycle', 'basis'],
    },
    simulator: { ...simulator, updates_per_second: 100, dislocations_per_minute: 240, dislocation_bps: 60 },
    risk: { ...risk, ...WIDE },
    verification: { ...verification, every_ms: 2_000 },
    ...more,
  };
}

export type LiveWorld = {
  readonly engine: Engine;
  readonly simulator: Simulator;
  readonly journalDir: string;
  readonly forward: (ms: number) => void;
  readonly events: <K extends EventKind>(kind: K) => readonly EventData<K>[];
  readonly command: (command: CommandBody) => void;
  /** Ends the engine where it stands, with everything that is under way, and opens the next one; the venues go on. */
  readonly restarted: () => Promise<LiveWorld>;
};
type CommandBody = Command extends infer Each
  ? Each extends Command
    ? Omit<Each, 'v' | 'id' | 'by' | 'at_ms'>
    : never
  : never;

let commands = 0;

/** Engine and venues in this process, on a virtual clock: what the venues hold can be looked at, and changed. */
export async function liveWorld(config = liveConfig(), journalDir?: string): Promise<LiveWorld> {
  const directory = journalDir ?? join(mkdtempSync(join(tmpdir(), 'arb-live-')), 'journal');
  const naming = { seed: 7, journalDir: directory, version: 'test' };
  return worldOf(await virtualWorld(config, naming), config, naming);
}

function worldOf(
  { engine, clock, simulator }: VirtualWorld,
  config: Config,
  naming: { readonly seed: number; readonly journalDir: string; readonly version: string },
): LiveWorld {
  const { journalDir: directory } = naming;
  return {
    engine,
    simulator,
    journalDir: directory,
    forward: (ms) => clock.runUntil(clock.now() + ms * 1e6),
    events: <K extends EventKind>(kind: K) =>
      [...readJournal(directory, 0)].flatMap((event: EngineEvent) =>
        event.kind === kind ? [event.data as EventData<K>] : [],
      ),
    command: (body) => {
      commands += 1;
      engine.obey({ v: 1, id: `c${String(commands)}`, by: 'test', at_ms: clock.unixMs(clock.now()), ...body });
    },
    restarted: async () => {
      engine.finish('killed');
      return worldOf(
        { engine: await engineIn({ clock, simulator }, config, naming), clock, simulator },
        config,
        naming,
      );
    },
  };
}

const accountAt = (exchange: Exchange) => exchange.ledger.byKey(DEFAULT_ACCOUNT.apiKey)!;

/** What the account holds at a venue, over all the wallets in which these symbols trade. */
export function heldAt(exchange: Exchange, asset: string, symbols: readonly string[]): Decimal {
  const wallets = new Set(
    exchange.listings.filter(({ symbol }) => symbols.includes(symbol)).map(({ wallet }) => wallet),
  );
  return [...wallets].reduce(
    (sum, wallet) =>
      accountAt(exchange).assets(wallet).includes(asset)
        ? sum.plus(accountAt(exchange).balance(wallet, asset).total)
        : sum,
    new Decimal(0),
  );
}

export const ordersAt = (exchange: Exchange): readonly Order[] => exchange.ordersOf(accountAt(exchange));

/** Every balance and position: the engine's against the venues' own, where they differ. */
export function differences(
  { engine, simulator }: Pick<LiveWorld, 'engine' | 'simulator'>,
  venues: readonly string[] = LIVE_VENUES,
): readonly string[] {
  return venues.flatMap((venue) => {
    const exchange = simulator.exchange(venue);
    const symbols = engine.instruments.filter((each) => each.venue === venue).map(({ symbol }) => symbol);
    const balances = engine.ledger.assetsOf(venue as VenueId).flatMap((asset) => {
      const ours = engine.ledger.totalOf(venue as VenueId, asset);
      const theirs = heldAt(exchange, asset, symbols);
      return ours.minus(theirs).abs().lte(EXACT)
        ? []
        : [`${venue} ${asset}: ${ours.toFixed()} not ${theirs.toFixed()}`];
    });
    const positions = engine.instruments
      .filter((each) => each.venue === venue && each.kind !== 'spot')
      .flatMap(({ id, symbol }) => {
        const ours = engine.ledger.positionOf(id).size;
        const listing = exchange.listings.find((each) => each.symbol === symbol)!;
        const theirs = signedSize(listing, accountAt(exchange).position(listing));
        return ours.eq(theirs) ? [] : [`${id}: ${ours.toFixed()} not ${theirs}`];
      });
    return [...balances, ...positions];
  });
}

/** Averages of entry prices are kept to so many digits, here and there. */
const EXACT = new Decimal('1e-9');
