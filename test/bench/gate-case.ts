import { Decimal } from 'decimal.js';
import { loadConfig } from '#shared/config/load.ts';
import type { Asset, InstrumentId, OperationId, OpportunityId, RouteId, TimeNs, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Plan, PlanLeg } from '#shared/domain/trade.ts';
import type { Price, Qty } from '#shared/money/grid.ts';
import { amountOf } from '#shared/money/grid.ts';
import type { Position } from '#shared/money/position.ts';
import { Exposures } from '#hotpath/execute/exposures.ts';
import { Funds } from '#hotpath/risk/funds.ts';
import { RiskGate } from '#hotpath/risk/risk-gate.ts';
import { TradingBook } from '#hotpath/risk/trading-book.ts';
import { calm } from '#test/support/calm.ts';
import { spot } from '#test/support/market.ts';
import type { Row } from './cases.ts';
import { median } from './measure.ts';
import { ResultHash } from './result-hash.ts';

const COINS = 25;
const VENUES = ['a', 'b'] as const;
/** Few enough to stay near the processor, as a plan is that was just made. */
const PLANS = 64;
/** A block is timed plan by plan; of the blocks the median counts, so that another program on the core does not. */
const BLOCK = 32 * PLANS;
const PRICE = 100;
const NOW = 0 as TimeNs;
const { risk, engine } = loadConfig({ dir: 'config', env: {} });

/**
 * Plan → approved: every limit asked, of plans of two and three legs, beside fifty positions and their thousand scenarios. Far from the limits value at risk is cleared
 * by a bound; near them it is reckoned, and what is over them is told.
 */
export function gateCases(rounds: number): readonly Row[] {
  return [2, 3].flatMap((legs) => [
    ...rowsOf(`gate, plan of ${legs} legs`, legs, rounds, {}).map((row): Row =>
      row.name.endsWith('p99') ? { ...row, goal: { of: 'value', most: 5_000 } } : row,
    ),
    ...rowsOf(`gate, plan of ${legs} legs over the limit`, legs, Math.ceil(rounds / 4), {
      max_var: 1,
      max_expected_shortfall: 1,
    }),
  ]);
}

function rowsOf(name: string, legs: number, rounds: number, limits: Partial<typeof risk>): readonly Row[] {
  const gate = gateOver({ ...risk, max_position_size_usd: 1e9, ...limits });
  const plans = Array.from({ length: PLANS }, (_none, at) => planOf(at, legs));
  const hash = new ResultHash();
  const approved = (at: number): string => gate.approve(plans[at % PLANS]!, NOW).kind;
  for (let at = 0; at < PLANS; at += 1) hash.text(approved(at));
  for (let at = 0; at < BLOCK; at += 1) approved(at);
  const blocks = Array.from({ length: rounds }, () => timesOf(approved));
  const hex = hash.hex;
  const row = (percentile: string, share: number): Row => {
    const found = blocks.map((times) => times[Math.floor(times.length * share)]!);
    return {
      name: `${name}, ${percentile}`,
      unit: 'ns/plan',
      value: median(found),
      quiet: Math.min(...found),
      hash: hex,
    };
  };
  return [row('p50', 0.5), row('p99', 0.99)];
}

/** Nanoseconds of each of a block, sorted; a clock reading is in each. */
function timesOf(take: (at: number) => unknown): Float64Array {
  const times = new Float64Array(BLOCK);
  for (let at = 0; at < BLOCK; at += 1) {
    const started = performance.now();
    take(at);
    times[at] = (performance.now() - started) * 1e6;
  }
  return times.sort();
}

/** Spot and a perpetual of each coin on both venues: half of what is held is contracts. */
function gateOver(limits: typeof risk): RiskGate {
  const exposures = new Exposures();
  const positions = new Map<InstrumentId, Position>();
  for (const [at, listed] of instruments.entries()) {
    if (listed.kind !== 'perpetual' || listed.venue !== VENUES[0]) continue;
    const size = new Decimal(at % 2 === 0 ? 10 : -10);
    positions.set(listed.id, { size, entryPrice: new Decimal(PRICE), realised: amountOf(0), cost: size.times(PRICE) });
    exposures.add(listed.id as string as OperationId, 'funding', [
      { venue: listed.venue, asset: listed.base, usd: 1_000 },
    ]);
  }
  const book = new TradingBook({
    instruments,
    venues: VENUES as readonly string[] as readonly VenueId[],
    rateOf: (asset) => (asset === 'USDT' ? 1 : PRICE),
    midOf: () => PRICE,
    totalOf: () => amountOf(10_000),
    deviationOf: (asset) => (asset === 'USDT' ? 0 : 5),
    openPositions: () => [...positions.keys()],
    positionOf: (id) => positions.get(id)!,
    confidence: () => limits.var_confidence,
    defaultVolatility: engine.fill.default_volatility,
    stableAssets: ['USDT'],
    numeraire: 'USDT',
    peakUsd: 0,
  });
  book.look(NOW);
  const funds = new Funds({
    availableOf: () => 1e9,
    reservedOf: () => amountOf(1_000),
    needOf: () => ({ asset: 'USDT' as Asset, amount: amountOf(0) }),
    marginFraction: engine.carry.margin_fraction,
  });
  return new RiskGate(limits, instruments, {
    ...calm,
    positionUsd: () => 500,
    exposureUsd: exposures.ofVenue,
    assetExposureUsd: exposures.ofAsset,
    familyExposureUsd: exposures.ofFamily,
    totalExposureUsd: () => exposures.total,
    shortAccount: funds.shortAccount,
    marginRatio: funds.marginRatio,
    book,
  });
}

const instruments: readonly Instrument[] = VENUES.flatMap((venue) =>
  Array.from({ length: COINS }, (_none, coin) => [
    spot(`${venue}:C${coin}/USDT`),
    {
      ...spot(`${venue}:C${coin}/USDT:USDT`),
      base: `C${coin}` as Asset,
      quote: 'USDT' as Asset,
      settle: 'USDT' as Asset,
      kind: 'perpetual' as const,
    },
  ]).flat(),
);

const at = (index: number): Instrument => instruments[index % instruments.length]!;

/** Buys one, sells another, with a third where it has three legs. */
function planOf(seed: number, legs: number): Plan {
  const planned = Array.from({ length: legs }, (_none, leg) =>
    legOf(at(seed * 7 + leg * 50 + leg), leg % 2 === 0 ? 'buy' : 'sell', seed),
  );
  return {
    operation: `op-${seed}` as OperationId,
    opportunity: `o-${seed}` as OpportunityId,
    route: 'spatial' as RouteId,
    family: 'spatial',
    asset: 'USDT' as Asset,
    legs: planned,
    notional: amountOf(1_000),
    expectedProfit: amountOf(1),
    netEdgeBps: 10,
    expectedValue: amountOf(1),
    fillProbability: 1,
    oldestBookAgeMs: 10,
    rates: { USDT: new Decimal(1) },
    plannedTimeNs: NOW,
    expectedCarry: amountOf(0),
  };
}

function legOf({ id }: Instrument, side: 'buy' | 'sell', seed: number): PlanLeg {
  const qty = new Decimal(10).plus(new Decimal(seed).div(1_000));
  const price = new Decimal(PRICE).plus(new Decimal(seed).div(10_000));
  return {
    instrument: id,
    side,
    price: price as Price,
    qty: qty as Qty,
    expectedPrice: price.plus('0.0123'),
    notional: amountOf(qty.times(price)),
  };
}
