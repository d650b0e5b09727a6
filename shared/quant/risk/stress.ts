import { assert } from '../../assert.ts';
import type { Positions } from './exposure.ts';

/** What might happen, as data. Fractions: 0.3 is 30 %. */
export type Stress =
  /** The venue stops: of what it holds, `lostShare` is gone with the hedges it was, the rest is frozen; what stands alone elsewhere moves against us by `move`. */
  | { readonly kind: 'venue-down'; readonly venue: number; readonly lostShare: number; readonly move: number }
  /** A stablecoin loses `fall` of its value against the numeraire; prices in it rise, all others stay. */
  | { readonly kind: 'depeg'; readonly asset: number; readonly fall: number }
  /** Prices jump, and nothing trades between: by asset, the others stay. */
  | { readonly kind: 'gap'; readonly moves: readonly { readonly asset: number; readonly move: number }[] }
  /** Longs of perpetuals pay `rate` `times` over (below zero: shorts do); on one venue alone where it is named, hedges elsewhere then pay nothing back. */
  | { readonly kind: 'funding-spike'; readonly rate: number; readonly times: number; readonly venue?: number }
  /** Of each plan that is under way one leg alone fills, the worst; its price moves against us by `move` before it is undone. */
  | { readonly kind: 'one-leg-fills'; readonly move: number };

export type StressKind = Stress['kind'];

/** USD; `pnlUsd` below zero is a loss. */
export type StressOutcome = {
  readonly pnlUsd: number;
  /** Value at a venue that is down and not lost: it cannot be used meanwhile. */
  readonly frozenUsd: number;
  /** Σ by asset, stable ones left out, of |net delta| once it has happened: what is left unhedged. */
  readonly unhedgedUsd: number;
};

/** Orders under way, a row a leg as if it had filled. `plan` tells which belong together. */
export type OpenLegs = {
  readonly count: number;
  readonly plan: Int32Array;
  readonly deltaUsd: Float64Array;
  readonly gammaUsd: Float64Array;
  /** Of undoing it: fees both ways and slippage. */
  readonly exitCostUsd: Float64Array;
};

/** What the stresses are asked of. `stable` has 1 for each asset that only a depeg moves (cash, stablecoins): a balance of it is no open exposure. */
export type StressBook = {
  readonly positions: Positions;
  readonly legs: OpenLegs;
  readonly stable: Uint8Array;
};

/**
 * The outcome of one stress. A position follows its asset by δm + ½γm² and its currency (where that moves by x) by (V − δ)x + ½γx²: its value x·f(S/x) is homogeneous in both, so that
 * ∂V/∂x = V − δ and ∂²V/∂x² = γ (Euler). A stablecoin's fall so reaches a short perpetual that is paid in it as well as the coins.
 */
export function stressOf(book: StressBook, stress: Stress): StressOutcome {
  switch (stress.kind) {
    case 'venue-down':
      return venueDown(book, stress);
    case 'depeg':
      return depeg(book, stress);
    case 'gap':
      return gap(book, stress);
    case 'funding-spike':
      return fundingSpike(book, stress);
    case 'one-leg-fills':
      return oneLegFills(book, stress);
  }
}

/** How hard {@link stressesFor} tests. */
export type StressTerms = {
  readonly lostShare: number;
  readonly hedgeMove: number;
  readonly depeg: number;
  readonly gap: number;
  readonly fundingRate: number;
  readonly fundingTimes: number;
  readonly legMove: number;
};

/** A stress of each kind for everything it can happen to: each venue, each stablecoin, all other assets together up and down, funding both ways, one leg. */
export function stressesFor(
  {
    venues,
    stablecoins,
    others,
  }: { readonly venues: number; readonly stablecoins: readonly number[]; readonly others: readonly number[] },
  terms: StressTerms,
): readonly Stress[] {
  const { lostShare, hedgeMove, fundingTimes } = terms;
  const gapBy = (move: number): Stress => ({ kind: 'gap', moves: others.map((asset) => ({ asset, move })) });
  const fundingAt = (rate: number): Stress => ({ kind: 'funding-spike', rate, times: fundingTimes });
  return [
    ...Array.from({ length: venues }, (_none, venue): Stress => ({
      kind: 'venue-down',
      venue,
      lostShare,
      move: hedgeMove,
    })),
    ...stablecoins.map((asset): Stress => ({ kind: 'depeg', asset, fall: terms.depeg })),
    gapBy(terms.gap),
    gapBy(-terms.gap),
    fundingAt(terms.fundingRate),
    fundingAt(-terms.fundingRate),
    { kind: 'one-leg-fills', move: terms.legMove },
  ];
}

type Of<K extends StressKind> = Extract<Stress, { readonly kind: K }>;

function venueDown({ positions, stable }: StressBook, { venue, lostShare, move }: Of<'venue-down'>): StressOutcome {
  const { count, valueUsd } = positions;
  const kept = (at: number): number => (positions.venue[at] === venue ? 1 - lostShare : 1);
  let owedUsd = 0;
  for (let at = 0; at < count; at += 1) if (positions.venue[at] === venue) owedUsd += valueUsd[at]!;
  // What we owe a venue is still owed when it is gone.
  const heldUsd = Math.max(0, owedUsd);
  const left = netByAsset(positions, stable, kept);
  let pnlUsd = 0 - lostShare * heldUsd;
  for (let asset = 0; asset < stable.length; asset += 1)
    pnlUsd += worstMove(left.deltaUsd[asset]!, left.gammaUsd[asset]!, move);
  return { pnlUsd, frozenUsd: (1 - lostShare) * heldUsd, unhedgedUsd: grossOf(left.deltaUsd) };
}

function depeg({ positions, stable }: StressBook, { asset, fall }: Of<'depeg'>): StressOutcome {
  const { count, currency, valueUsd, deltaUsd, gammaUsd } = positions;
  let pnlUsd = 0;
  for (let at = 0; at < count; at += 1) {
    if (positions.asset[at] === asset) pnlUsd += moved(deltaUsd[at]!, gammaUsd[at]!, -fall);
    else if (currency[at] === asset) pnlUsd += moved(valueUsd[at]! - deltaUsd[at]!, gammaUsd[at]!, -fall);
  }
  return { pnlUsd, frozenUsd: 0, unhedgedUsd: unhedged(positions, stable) };
}

function gap({ positions, stable }: StressBook, { moves }: Of<'gap'>): StressOutcome {
  const { count, deltaUsd, gammaUsd } = positions;
  const moveOf = new Float64Array(stable.length);
  for (const { asset, move } of moves) {
    assert(asset >= 0 && asset < stable.length, 'each move is of an asset that is counted');
    moveOf[asset] = move;
  }
  let pnlUsd = 0;
  for (let at = 0; at < count; at += 1) pnlUsd += moved(deltaUsd[at]!, gammaUsd[at]!, moveOf[positions.asset[at]!]!);
  return { pnlUsd, frozenUsd: 0, unhedgedUsd: unhedged(positions, stable) };
}

function fundingSpike({ positions, stable }: StressBook, { rate, times, venue }: Of<'funding-spike'>): StressOutcome {
  const { count, perpetualUsd } = positions;
  let paidUsd = 0;
  for (let at = 0; at < count; at += 1)
    if (venue === undefined || positions.venue[at] === venue) paidUsd += perpetualUsd[at]! * rate * times;
  return { pnlUsd: 0 - paidUsd, frozenUsd: 0, unhedgedUsd: unhedged(positions, stable) };
}

function oneLegFills({ positions, legs, stable }: StressBook, { move }: Of<'one-leg-fills'>): StressOutcome {
  const worst = new Map<number, { readonly pnlUsd: number; readonly deltaUsd: number }>();
  for (let at = 0; at < legs.count; at += 1) {
    const plan = legs.plan[at]!;
    const deltaUsd = legs.deltaUsd[at]!;
    const pnlUsd = worstMove(deltaUsd, legs.gammaUsd[at]!, move) - legs.exitCostUsd[at]!;
    const before = worst.get(plan);
    if (before === undefined || pnlUsd < before.pnlUsd) worst.set(plan, { pnlUsd, deltaUsd });
  }
  let pnlUsd = 0;
  let unhedgedUsd = unhedged(positions, stable);
  for (const leg of worst.values()) {
    pnlUsd += leg.pnlUsd;
    unhedgedUsd += Math.abs(leg.deltaUsd);
  }
  return { pnlUsd, frozenUsd: 0, unhedgedUsd };
}

/** δm + ½γm². */
const moved = (deltaUsd: number, gammaUsd: number, move: number): number =>
  deltaUsd * move + 0.5 * gammaUsd * move * move;

/** The worse of both ways, or of staying where it is: long gamma gains either way. */
const worstMove = (deltaUsd: number, gammaUsd: number, move: number): number =>
  Math.min(0, moved(deltaUsd, gammaUsd, move), moved(deltaUsd, gammaUsd, -move));

type ByAsset = { readonly deltaUsd: Float64Array; readonly gammaUsd: Float64Array };

/** What the price of each asset that moves does to what is kept of the positions. */
function netByAsset(positions: Positions, stable: Uint8Array, keptOf: (at: number) => number): ByAsset {
  const net = { deltaUsd: new Float64Array(stable.length), gammaUsd: new Float64Array(stable.length) };
  for (let at = 0; at < positions.count; at += 1) {
    const asset = positions.asset[at]!;
    assert(asset >= 0 && asset < stable.length, 'each position is in an asset that is counted');
    if (stable[asset] === 1) continue;
    net.deltaUsd[asset] = net.deltaUsd[asset]! + keptOf(at) * positions.deltaUsd[at]!;
    net.gammaUsd[asset] = net.gammaUsd[asset]! + keptOf(at) * positions.gammaUsd[at]!;
  }
  return net;
}

const unhedged = (positions: Positions, stable: Uint8Array): number =>
  grossOf(netByAsset(positions, stable, () => 1).deltaUsd);

const grossOf = (amounts: Float64Array): number => amounts.reduce((sum, amount) => sum + Math.abs(amount), 0);
