import { Decimal } from 'decimal.js';
import type { Asset, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { OperationView, RecoveryOrder } from '#shared/domain/recovery.ts';
import type { Side } from '#shared/domain/route.ts';
import { ZERO } from '#shared/money/grid.ts';
import type { Config } from '#shared/schema/config.ts';
import type { Level } from './book-walk.ts';

/** What recovery may ask about the world. */
export type RecoveryMarket = Elsewhere & {
  /** What a taker of `side` meets, best first; empty when the book is not live. */
  readonly levels: (instrument: Instrument, side: Side) => readonly Level[];
  /** Free funds, exact. */
  readonly freeOf: (instrument: Instrument, asset: string) => Decimal;
  /** What an order would reserve at its worst. */
  readonly needOf: (
    instrument: Instrument,
    order: Pick<RecoveryOrder, 'side' | 'qty' | 'price'>,
  ) => { readonly asset: Asset; readonly amount: Decimal };
  /** What an option's fee is a fraction of, in the currency of its premium. */
  readonly underlyingOf: (instrument: Instrument) => Decimal;
  /** What holding a perpetual from this side is expected to cost until it is closed, as a fraction of its value; never below zero. */
  readonly carryOf: (perpetual: Instrument, side: Side) => Decimal;
};

/** Where else than on its own book something may be done. */
export type Elsewhere = {
  /** Spot of other venues that does an instrument's work as well. */
  readonly alternatives: (instrument: Instrument) => readonly Instrument[];
  /** Linear perpetuals of an asset, of any venue: what can stand for it for a while. */
  readonly coversOf: (asset: string) => readonly Instrument[];
  /** What it costs to bring back what was traded on one venue instead of another, both ways, as a fraction. */
  readonly transferCostOf: (leg: VenueId, other: VenueId) => Decimal;
};

export type RecoveryLimits = {
  /** False: a person decides everything. */
  readonly isAutomatic: boolean;
  /** Rounds of orders after which the market is not to be had at any price we would pay. */
  readonly roundsMax: number;
  /** Waits in a row for a live book or for funds: a venue that is away comes back in minutes, and until then a loose leg is nobody else's. */
  readonly waitsMax: number;
  /** How far beyond the walked price a recovery order may trade, in basis points a round: it must get done. */
  readonly slackBps: number;
  /** In the numeraire: an operation that would lose more by the best way left is a person's to decide. */
  readonly lossMax: number;
  /** From the first decision on. */
  readonly ageMsMax: number;
};

/** With the executor's patience, 360 waits are half an hour. */
export const RECOVERY_LIMITS: RecoveryLimits = {
  isAutomatic: true,
  roundsMax: 8,
  waitsMax: 360,
  slackBps: 10,
  lossMax: 1_000,
  ageMsMax: 30 * 60_000,
};

export const recoveryLimitsFrom = (config: Config['execution']['recovery']): RecoveryLimits => ({
  isAutomatic: config.enabled,
  roundsMax: config.rounds_max,
  waitsMax: config.waits_max,
  slackBps: config.slack_bps,
  lossMax: config.loss_max_usd,
  ageMsMax: config.minutes_max * 60_000,
});

/** What a decision is made on; levels are read once. */
export type Situation = {
  readonly view: OperationView;
  readonly market: RecoveryMarket;
  /** How far beyond the walked price an order may trade now, as a fraction. */
  readonly slack: Decimal;
};

export function situationOf(view: OperationView, market: RecoveryMarket, { slackBps }: RecoveryLimits): Situation {
  const read = new Map<string, readonly Level[]>();
  const levels = (instrument: Instrument, side: Side): readonly Level[] => {
    const key = `${side} ${instrument.id}`;
    const known = read.get(key) ?? market.levels(instrument, side);
    read.set(key, known);
    return known;
  };
  const slack = new Decimal(slackBps).times(view.round + 1).div(10_000);
  return { view, market: { ...market, levels }, slack };
}

export type PlacedOrder = { readonly on: Instrument; readonly order: RecoveryOrder };

type Worth = {
  /** In the numeraire. */
  readonly value: Decimal;
  /** Whether the books bear all of it; otherwise it is a beginning. */
  readonly isWhole: boolean;
};

/** A way to make the legs agree: every order it needs, and what the operation would be worth at the end. */
export type Candidate = Worth & { readonly placed: readonly PlacedOrder[] };

/** Of what stays as dust: it must be traded one day, and moves with its market until then. More than a trade costs mostly: what one leg's book can take is no dust of another's. */
export const DUST_COST = new Decimal('0.01');

/** All of it before a part of it; then what leaves more. */
export const isBetter = (a: Worth, b: Worth): boolean => (a.isWhole === b.isWhole ? a.value.gt(b.value) : a.isWhole);

export function bestOf<T extends Candidate>(candidates: readonly T[]): T | undefined {
  let best: T | undefined;
  for (const candidate of candidates) if (best === undefined || isBetter(candidate, best)) best = candidate;
  return best;
}

export const ordersOf = (placed: readonly PlacedOrder[]): readonly RecoveryOrder[] => placed.map(({ order }) => order);

/** Whether a leg trades the instrument itself. */
export const isLeg = ({ id }: Instrument, { legs }: OperationView): boolean =>
  legs.some(({ instrument }) => instrument.id === id);

/** Whether every account bears the worst case of all orders at once. */
export function isAffordable(placed: readonly PlacedOrder[], market: RecoveryMarket): boolean {
  const needed = new Map<string, Decimal>();
  for (const { on, order } of placed) {
    const { asset, amount } = market.needOf(on, order);
    const account = `${on.venue} ${asset}`;
    const total = (needed.get(account) ?? ZERO).plus(amount);
    // What only reduces a position needs nothing, whatever the account has.
    if (amount.gt(0) && total.gt(market.freeOf(on, asset))) return false;
    needed.set(account, total);
  }
  return true;
}
