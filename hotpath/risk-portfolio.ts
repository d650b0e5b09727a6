import type { CapitalView, Depths } from '#shared/domain/capital.ts';
import type { Asset, InstrumentId, InstrumentIndex, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { doubleOf } from '#shared/money/double.ts';
import { hasPremium } from '#shared/money/pnl.ts';
import type { ExitSide } from '#shared/quant/risk/liquidity.ts';
import type { Position } from '#shared/quant/risk/portfolio-risk.ts';
import { positionsFor } from '#shared/quant/risk/exposure.ts';
import type { OpenLegs } from '#shared/quant/risk/stress.ts';
import type { Ledger } from './execute/ledger.ts';
import type { Portfolio, ToLeave } from './risk/figures.ts';
import { SCENARIOS } from './risk/moves.ts';
import type { Row, TradingBook } from './risk/trading-book.ts';

export type PortfolioSources = {
  readonly book: TradingBook;
  readonly instruments: readonly Instrument[];
  readonly venues: readonly VenueId[];
  readonly stableAssets: readonly string[];
  readonly indexOf: (id: InstrumentId) => InstrumentIndex;
  readonly depths: Depths;
  readonly ledger: Ledger;
  readonly rateOf: CapitalView['rateOf'];
};

/** What is worth less is not left. */
const LEAVE_USD_MIN = 1;
const LEVELS = 20;
/** Of undoing a leg: fees both ways and what the spread takes. */
const UNDO_SHARE = 0.002;

/** The portfolio as it stands, copied for whoever reckons its figures. */
export function portfolioOf(
  sources: PortfolioSources,
  { atMs, confidence }: Pick<Portfolio, 'atMs' | 'confidence'>,
): Portfolio {
  const { book, venues, stableAssets } = sources;
  const { assets } = book.factors;
  const held = [...book.deltaUsd.entries()].filter(([, deltaUsd]) => deltaUsd !== 0);
  const returns = new Float64Array(held.length * SCENARIOS);
  for (const [at, [factor]] of held.entries())
    returns.set(book.moves.scenarios.returns.subarray(factor * SCENARIOS, (factor + 1) * SCENARIOS), at * SCENARIOS);
  return {
    atMs,
    confidence,
    deltaUsd: Float64Array.from(held, ([, deltaUsd]) => deltaUsd),
    returns,
    positions: positionsOf(sources),
    legs: legsOf(sources),
    venues,
    assets,
    stable: Uint8Array.from(assets, (asset) => (stableAssets.includes(asset) ? 1 : 0)),
    toLeave: [...book.rows.flatMap((row) => contractToLeave(row, sources)), ...coinsToLeave(sources)],
  };
}

/** Every account, and every contract. */
function positionsOf({ book, venues, ledger }: PortfolioSources): Portfolio['positions'] {
  const { assets } = book.factors;
  const rows: Position[] = [];
  for (const [venue, id] of venues.entries()) {
    for (const [asset, name] of assets.entries()) {
      const { rate } = book.cashOf(asset);
      const valueUsd = doubleOf(ledger.totalOf(id, name)) * rate;
      // What nobody can value is left out.
      if (!(Math.abs(valueUsd) > 0)) continue;
      const plain = { factor: asset, family: 0, gammaUsd: 0, perpetualUsd: 0 };
      rows.push({ ...plain, venue, asset, currency: asset, valueUsd, deltaUsd: valueUsd });
    }
  }
  for (const { instrument, factor, valueUsd, deltaUsd } of book.rows) {
    if (Number.isNaN(valueUsd + deltaUsd)) continue;
    rows.push({
      factor,
      venue: venues.indexOf(instrument.venue),
      asset: book.factors.ofAsset(instrument.base)!,
      currency: book.factors.ofAsset(instrument.quote)!,
      family: 0,
      valueUsd,
      deltaUsd,
      gammaUsd: 0,
      perpetualUsd: instrument.kind === 'perpetual' ? deltaUsd : 0,
    });
  }
  return columnsOf(rows);
}

function columnsOf(rows: readonly Position[]): Portfolio['positions'] {
  const columns = positionsFor(rows.length);
  columns.count = rows.length;
  for (const [at, row] of rows.entries()) {
    for (const name of Object.keys(row) as (keyof Position)[]) columns[name][at] = row[name];
  }
  return columns;
}

function legsOf({ ledger }: PortfolioSources): OpenLegs {
  const legs = ledger.exposures.underWay().flatMap((exposed, plan) => exposed.map(({ usd }) => ({ plan, usd })));
  return {
    count: legs.length,
    plan: Int32Array.from(legs, ({ plan }) => plan),
    deltaUsd: Float64Array.from(legs, ({ usd }) => usd),
    gammaUsd: new Float64Array(legs.length),
    exitCostUsd: Float64Array.from(legs, ({ usd }) => usd * UNDO_SHARE),
  };
}

function contractToLeave({ instrument, valueUsd, deltaUsd }: Row, sources: PortfolioSources): readonly ToLeave[] {
  if (Math.abs(hasPremium(instrument.kind) ? valueUsd : deltaUsd) < LEAVE_USD_MIN) return [];
  const size = doubleOf(sources.ledger.positionOf(instrument.id).size);
  const { contractSize, inverse, kind, quote } = instrument;
  const unit = doubleOf(contractSize);
  const rate = sources.rateOf(quote) ?? Number.NaN;
  // Inverse contracts are dollars at any price: what is lost to the book is its distance from the middle.
  const usdOf = (price: number, mid: number): number =>
    unit * (inverse && !hasPremium(kind) ? price / mid : price) * rate;
  return [{ qty: size, book: exitSide(instrument, size, usdOf, sources), takerFee: doubleOf(instrument.fees.taker) }];
}

/** What trading has left of each coin, in the first spot market that is live. */
function coinsToLeave(sources: PortfolioSources): readonly ToLeave[] {
  const { book, instruments, rateOf } = sources;
  return book.factors.assets.flatMap((asset, at) => {
    const { amount, rate } = book.cashOf(at);
    if (rateOf(asset) === 1 || !(Math.abs(amount * rate) >= LEAVE_USD_MIN)) return [];
    const market = marketOf(asset, instruments, sources);
    if (market === undefined) return [{ qty: amount, book: { ...NO_BOOK, midUsd: rate }, takerFee: 0 }];
    const quoteRate = rateOf(market.quote) ?? Number.NaN;
    const side = exitSide(market, amount, (price) => price * quoteRate, sources);
    return [{ qty: amount, book: side, takerFee: doubleOf(market.fees.taker) }];
  });
}

const marketOf = (
  asset: Asset,
  instruments: readonly Instrument[],
  { depths, indexOf }: PortfolioSources,
): Instrument | undefined =>
  instruments.find(({ id, kind, base }) => kind === 'spot' && base === asset && depths.status(indexOf(id)) === 'live');

const NO_BOOK: ExitSide = { count: 0, pricesUsd: new Float64Array(0), qtys: new Float64Array(0), midUsd: 0 };

function exitSide(
  { id }: Instrument,
  qty: number,
  usdOf: (price: number, mid: number) => number,
  { depths, indexOf }: PortfolioSources,
): ExitSide {
  const index = indexOf(id);
  const read = (side: 'bids' | 'asks') => {
    const [prices, qtys] = [new Float64Array(LEVELS), new Float64Array(LEVELS)];
    return { count: depths.status(index) === 'live' ? depths[side](index, prices, qtys) : 0, prices, qtys };
  };
  const [bids, asks] = [read('bids'), read('asks')];
  if (bids.count === 0 || asks.count === 0) return NO_BOOK;
  const mid = (bids.prices[0]! + asks.prices[0]!) / 2;
  const { count, prices, qtys } = qty > 0 ? bids : asks;
  return { count, pricesUsd: prices.map((price) => usdOf(price, mid)), qtys, midUsd: usdOf(mid, mid) };
}
