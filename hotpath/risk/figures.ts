import type { ExitSide } from '#shared/quant/risk/liquidity.ts';
import { exitOf, liquidityOf } from '#shared/quant/risk/liquidity.ts';
import type { Positions } from '#shared/quant/risk/exposure.ts';
import { sampleCovariance } from '#shared/quant/risk/covariance.ts';
import { drawScenarios } from '#shared/quant/risk/monte-carlo.ts';
import { parametricTail } from '#shared/quant/risk/parametric.ts';
import { pnlInto, scenariosOf } from '#shared/quant/risk/scenarios.ts';
import type { OpenLegs, Stress } from '#shared/quant/risk/stress.ts';
import { stressesFor, stressOf } from '#shared/quant/risk/stress.ts';
import { tailsFor, tailsInto } from '#shared/quant/risk/tail.ts';
import { randomFrom } from '#shared/random.ts';

/** One position to leave: signed, in the unit of its book. */
export type ToLeave = { readonly qty: number; readonly book: ExitSide; readonly takerFee: number };

/** What the figures that take long are reckoned from: plain data, so that another thread can have it. */
export type Portfolio = {
  readonly atMs: number;
  readonly confidence: number;
  /** Factors that something is held of: exposure to each, and how each moves in every scenario, factor by factor. */
  readonly deltaUsd: Float64Array;
  readonly returns: Float64Array<ArrayBuffer>;
  /** Accounts and contracts: all there is, the inventory too. */
  readonly positions: Positions;
  readonly legs: OpenLegs;
  readonly venues: readonly string[];
  readonly assets: readonly string[];
  /** By asset: 1 where only a depeg moves it. */
  readonly stable: Uint8Array;
  readonly toLeave: readonly ToLeave[];
};

export type Figures = {
  readonly atMs: number;
  readonly parametricVarUsd: number;
  readonly monteCarloVarUsd: number;
  /** Of what the trading book holds, gone within a minute; and what leaving all of it costs. */
  readonly liquidityRatio: number;
  readonly exitCostUsd: number;
  /** Profit or loss of each. */
  readonly stresses: Readonly<Record<string, number>>;
};

const DRAWN = 1_000;
const EXIT = { share: 0.5, refillMs: 1_000, slippageMax: 0.005, horizonMs: 60_000 } as const;
/** How hard: a venue with half of what it holds, a coin's worst day, a stablecoin's worst week. */
const STRESS = {
  lostShare: 0.5,
  hedgeMove: 0.05,
  depeg: 0.1,
  gap: 0.2,
  fundingRate: 0.0075,
  fundingTimes: 3,
  legMove: 0.02,
} as const;

/** Parametric and Monte Carlo VaR, liquidity, stresses. Pure: the same portfolio, the same figures. */
export function figuresOf(portfolio: Portfolio): Figures {
  const { atMs, confidence, deltaUsd, returns, toLeave } = portfolio;
  const factors = deltaUsd.length;
  const covariance = sampleCovariance(scenariosOf(factors, factors === 0 ? 0 : returns.length / factors, returns));
  const liquidity = liquidityOf(toLeave.map(({ qty, book, takerFee }) => exitOf(qty, book, { ...EXIT, takerFee })));
  return {
    atMs,
    parametricVarUsd: factors === 0 ? 0 : parametricTail(deltaUsd, covariance, confidence).varUsd,
    monteCarloVarUsd: factors === 0 ? 0 : monteCarloVar(deltaUsd, covariance, confidence),
    liquidityRatio: liquidity.liquidShare,
    exitCostUsd: liquidity.costUsd,
    stresses: stressed(portfolio),
  };
}

/** The same draws each time: figures move because the portfolio does. */
function monteCarloVar(
  deltaUsd: Float64Array,
  covariance: ReturnType<typeof sampleCovariance>,
  confidence: number,
): number {
  const drawn = drawScenarios(covariance, DRAWN, randomFrom(1));
  if (drawn.kind === 'refused') return Number.NaN;
  const pnl = new Float64Array(DRAWN);
  const tails = tailsFor(DRAWN, [confidence]);
  pnlInto(drawn.scenarios, deltaUsd, new Float64Array(deltaUsd.length), pnl);
  tailsInto(pnl, tails);
  return tails.varUsd[0]!;
}

function stressed({ positions, legs, stable, venues, assets }: Portfolio): Readonly<Record<string, number>> {
  const indices = [...assets.keys()];
  const book = { positions, legs, stable };
  const stresses = stressesFor(
    {
      venues: venues.length,
      stablecoins: indices.filter((asset) => stable[asset] === 1),
      others: indices.filter((asset) => stable[asset] !== 1),
    },
    STRESS,
  );
  return Object.fromEntries(
    stresses.map((stress) => [nameOf(stress, { venues, assets }), stressOf(book, stress).pnlUsd]),
  );
}

function nameOf(stress: Stress, { venues, assets }: Pick<Portfolio, 'venues' | 'assets'>): string {
  switch (stress.kind) {
    case 'venue-down':
      return `venue-down ${venues[stress.venue]!}`;
    case 'depeg':
      return `depeg ${assets[stress.asset]!}`;
    case 'gap':
      return (stress.moves[0]?.move ?? 0) < 0 ? 'gap down' : 'gap up';
    case 'funding-spike':
      return stress.rate < 0 ? 'funding-spike shorts pay' : 'funding-spike longs pay';
    case 'one-leg-fills':
      return stress.kind;
  }
}
