import { Decimal } from 'decimal.js';
import type { z } from 'zod';
import { accountsFrom, type Target } from '#shared/portfolio/drift.ts';
import {
  accountKey,
  type Account,
  type Level,
  type Market,
  type RebalancingProblem,
  type TransferRoute,
} from '#shared/portfolio/rebalancing.ts';
import type { Config } from '#shared/schema/config.ts';
import type { rebalanceRequest } from '#shared/schema/portfolio-api.ts';
import type { MarketSample } from '#shared/schema/status.ts';
import { ApplicationError } from '../common/errors.ts';
import type { EventOf } from '../common/store.ts';

export type Facts = {
  readonly config: Config;
  readonly balances: readonly EventOf<'balance'>[];
  readonly positions: readonly EventOf<'position'>[];
  /** The latest of each instrument. */
  readonly samples: readonly MarketSample[];
  readonly request: z.infer<typeof rebalanceRequest>;
  readonly nowMs: number;
};

/** So that a plan is found in a second or two, and in the memory there is. */
const LIMITS = { accounts: 400, markets: 150, routes: 1_000 } as const;
/** A book that was not sampled for so long says nothing about a trade now. */
const FRESH_MS = 10_000;

/**
 * What the cold plane knows, as a problem to plan for: balances, the sampled levels of live books, the configured wallets.
 * @throws ApplicationError 3001 when there is more of it than can be planned for
 */
export function problemFrom(facts: Facts): RebalancingProblem {
  const { config, samples, positions, nowMs } = facts;
  const { portfolio } = config;
  const live = samples.filter(({ status, at_ms }) => status === 'live' && nowMs - at_ms <= FRESH_MS);
  const marks = marksFrom(config, live);
  const accounts = accountsOf(facts);
  const known = new Set(accounts.map(({ venue, asset }) => accountKey(venue, asset)));
  const markets = live
    .flatMap((sample) => marketFrom(config, sample, marks) ?? [])
    .filter(({ venue, base, quote, perpetual }) =>
      [quote, ...(perpetual === undefined ? [base] : [])].every((asset) => known.has(accountKey(venue, asset))),
    );
  const routes = routesFrom(config, facts.request.suspended);
  demandFew('accounts', accounts.length);
  demandFew('markets', markets.length);
  demandFew('routes', routes.length);
  return {
    accounts,
    markets,
    routes,
    marks,
    contracts: contractsOf(config, positions),
    driftWorth: portfolio.drift_worth_bps / 1e4,
    exposureWorth: portfolio.exposure_worth_bps / 1e4,
    capitalRate: config.engine.carry.capital_rate,
    depthShare: portfolio.depth_share,
    dust: portfolio.dust,
  };
}

function demandFew(what: keyof typeof LIMITS, count: number): void {
  if (count > LIMITS[what]) throw new ApplicationError(3001, `${count} ${what} are more than ${LIMITS[what]}`);
}

function accountsOf({ config, balances, request }: Facts): Account[] {
  const venues = [...new Set([...config.engine.venues, ...balances.map(({ data }) => data.venue)])];
  const wanted = request.targets ?? config.portfolio.targets;
  const buffer = new Decimal(config.portfolio.buffer);
  const targets = venues.flatMap((venue): Target[] =>
    Object.entries(wanted[venue] ?? wanted['default'] ?? {}).map(([asset, amount]) => ({
      venue,
      asset,
      amount: new Decimal(amount),
      buffer,
    })),
  );
  const holdings = balances.map(({ data: { venue, asset, total, available } }) => ({
    venue,
    asset,
    total: new Decimal(total),
    available: new Decimal(available),
  }));
  const inFlight = request.in_flight.map((transfer) => ({
    ...transfer,
    amount: new Decimal(transfer.amount),
    fee: new Decimal(transfer.fee),
  }));
  return accountsFrom(holdings, targets, inFlight);
}

/** Values in the numeraire: what is decided, then what books say, directly or through one asset that has a value. The middle one of several. */
function marksFrom({ engine }: Config, live: readonly MarketSample[]): Map<string, Decimal> {
  const marks = new Map([[engine.numeraire, new Decimal(1)]]);
  for (const [asset, worth] of Object.entries(engine.pegs)) marks.set(asset, new Decimal(worth));
  for (const through of [engine.numeraire, ...engine.start_assets]) {
    const rate = marks.get(through);
    if (rate === undefined) continue;
    for (const [base, prices] of pricesIn(live, through)) {
      if (!marks.has(base)) marks.set(base, middleOf(prices).times(rate));
    }
  }
  return marks;
}

function pricesIn(live: readonly MarketSample[], quote: string): Map<string, Decimal[]> {
  const prices = new Map<string, Decimal[]>();
  for (const { instrument, bid, ask } of live) {
    const symbol = spotOf(instrument);
    if (symbol === undefined || symbol.quote !== quote || bid === '' || ask === '') continue;
    const mid = new Decimal(bid).plus(ask).div(2);
    prices.set(symbol.base, [...(prices.get(symbol.base) ?? []), mid]);
  }
  return prices;
}

const middleOf = (prices: readonly Decimal[]): Decimal =>
  prices.toSorted((one, other) => one.cmp(other))[Math.floor(prices.length / 2)]!;

function spotOf(
  instrument: string,
): { readonly venue: string; readonly base: string; readonly quote: string } | undefined {
  const match = /^([^:]+):([^/:]+)[/]([^/:]+)$/.exec(instrument);
  return match === null ? undefined : { venue: match[1]!, base: match[2]!, quote: match[3]! };
}

/** Spot, and the perpetuals that may offset. */
function marketFrom(config: Config, sample: MarketSample, marks: ReadonlyMap<string, Decimal>): Market | undefined {
  const { portfolio, venues } = config;
  const { instrument } = sample;
  const offset = portfolio.offsets[instrument];
  const symbol = spotOf(offset === undefined ? instrument : instrument.slice(0, instrument.lastIndexOf(':')));
  const rate = symbol === undefined ? undefined : marks.get(symbol.quote);
  if (symbol === undefined || rate === undefined) return undefined;
  const [bids, asks] = [levelsFrom(sample.bids), levelsFrom(sample.asks)];
  return {
    ...symbol,
    instrument,
    bids,
    asks,
    takerFee: new Decimal(venues[symbol.venue]?.taker_fee ?? new Decimal(portfolio.taker_fee_bps).div(1e4)),
    feeIn: portfolio.quote_fee_venues.includes(symbol.venue) ? 'quote' : 'received',
    lot: lotOf([...bids, ...asks]),
    minNotional: new Decimal(portfolio.min_trade).div(rate),
    ...(offset === undefined
      ? {}
      : {
          perpetual: {
            contract: new Decimal(offset.contract),
            marginFraction: new Decimal(offset.margin_fraction),
            carry: { buy: offset.carry_bps.buy / 1e4, sell: offset.carry_bps.sell / 1e4 },
          },
        }),
  };
}

const levelsFrom = (levels: MarketSample['bids']): Level[] =>
  levels.map(([price, qty]) => ({ price: new Decimal(price), qty: new Decimal(qty) }));

/** No displayed quantity is finer than the venue's lots: a plan on their grid is never off it. */
function lotOf(levels: readonly Level[]): Decimal {
  return new Decimal(10).pow(-Math.max(0, ...levels.map(({ qty }) => qty.decimalPlaces())));
}

/** Every pair of venues that move an asset over the same network. */
function routesFrom({ portfolio }: Config, suspendedNow: readonly string[]): TransferRoute[] {
  const suspended = new Set([...portfolio.suspended, ...suspendedNow]);
  const allowed = new Set(portfolio.transfers);
  const isClosed = (venue: string, asset: string, network: string): boolean =>
    suspended.has(`${venue}:${asset}`) || suspended.has(`${venue}:${asset}:${network}`);
  const wallets = Object.entries(portfolio.wallets).flatMap(([venue, assets]) =>
    Object.entries(assets).flatMap(([asset, networks]) =>
      Object.entries(networks).map(([network, wallet]) => ({ venue, asset, network, wallet })),
    ),
  );
  return wallets.flatMap(({ venue: from, asset, network, wallet }) =>
    wallets
      .filter((other) => other.venue !== from && other.asset === asset && other.network === network)
      .map(({ venue: to, wallet: sink }) => ({
        asset,
        from,
        to,
        network,
        fee: new Decimal(wallet.fee),
        min: new Decimal(wallet.min),
        minutes: wallet.minutes,
        isSuspended:
          !wallet.withdraw || !sink.deposit || isClosed(from, asset, network) || isClosed(to, asset, network),
        isAllowed: allowed.has(`${from}>${to}:${asset}:${network}`),
      })),
  );
}

/** Exposure through the perpetuals whose contracts we know. */
function contractsOf({ portfolio }: Config, positions: readonly EventOf<'position'>[]): Map<string, Decimal> {
  const held = new Map<string, Decimal>();
  for (const { data } of positions) {
    const offset = portfolio.offsets[data.instrument];
    const base = spotOf(data.instrument.slice(0, data.instrument.lastIndexOf(':')))?.base;
    if (offset === undefined || base === undefined) continue;
    held.set(base, new Decimal(data.size).times(offset.contract).plus(held.get(base) ?? 0));
  }
  return held;
}
