import { Decimal } from 'decimal.js';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { RecoveryOrder } from '#shared/domain/recovery.ts';
import { feeOfTrade } from '#shared/money/fee.ts';
import { lotQty, tickAt } from '#shared/money/grid.ts';
import { fillFactsOf, pnlOfFill, quoteValueOf } from '#shared/money/pnl.ts';
import { limitBeyond, walkBase } from './book-walk.ts';
import type { RecoveryMarket } from './candidate.ts';

/** What selling dust may ask about the world. */
export type DustMarket = Pick<RecoveryMarket, 'levels' | 'freeOf' | 'needOf' | 'underlyingOf'> & {
  readonly instruments: readonly Instrument[];
  /** Value of an asset in the numeraire; undefined when nobody can say. */
  readonly rateOf: (asset: string) => Decimal | undefined;
};

export type DustRules = {
  /** In the numeraire: dust that is worth less stays. */
  readonly flushUsd: number;
  /** How far beyond the walked price the order may trade. */
  readonly slackBps: number;
  /** Assets that dust is turned into: money, or it would be another's inventory. */
  readonly quotes: ReadonlySet<string>;
  readonly numeraire: string;
};

export type DustFlush = Pick<RecoveryOrder, 'side' | 'qty' | 'price'> & { readonly instrument: Instrument };

/**
 * The orders that turn dust into money, or buy back what is owed: one for each asset that is worth it and can be traded. `dust` is by asset, net over all
 * venues and operations (contracts by instrument): coins that lie on one venue and are missing on another are none. So it is sold wherever it brings most
 * and the account bears it, never more than there is.
 */
export function dustFlushes(
  dust: ReadonlyMap<string, Decimal>,
  market: DustMarket,
  rules: DustRules,
): readonly DustFlush[] {
  return [...dust].flatMap(([asset, amount]) => {
    if (asset === rules.numeraire || amount.isZero()) return [];
    const isWorthIt = valueOf(asset, amount, market)?.gte(rules.flushUsd) === true;
    return isWorthIt ? (bestOrder(asset, amount, market, rules) ?? []) : [];
  });
}

/** Of a contract what the coins that it stands for are worth. */
function valueOf(asset: string, amount: Decimal, { instruments, rateOf }: DustMarket): Decimal | undefined {
  const contract = instruments.find(({ id, kind }) => id === asset && kind !== 'spot');
  if (contract === undefined) return rateOf(asset)?.times(amount.abs());
  const { base, quote, inverse, contractSize } = contract;
  return rateOf(inverse ? quote : base)?.times(amount.abs().times(contractSize));
}

type Offer = DustFlush & { readonly perUnit: Decimal };

/** The one that brings most a unit, fees paid. */
function bestOrder(asset: string, amount: Decimal, market: DustMarket, rules: DustRules): DustFlush | undefined {
  let best: Offer | undefined;
  for (const instrument of market.instruments) {
    const { id, kind, base, quote } = instrument;
    const isFor = kind === 'spot' ? base === asset && rules.quotes.has(quote) : id === asset;
    const offer = isFor ? offerOn(instrument, amount, market, rules.slackBps) : undefined;
    if (offer !== undefined && (best === undefined || offer.perUnit.gt(best.perUnit))) best = offer;
  }
  if (best === undefined) return undefined;
  const { instrument, side, qty, price } = best;
  return { instrument, side, qty, price };
}

function offerOn(instrument: Instrument, amount: Decimal, market: DustMarket, slackBps: number): Offer | undefined {
  const side = amount.gt(0) ? 'sell' : 'buy';
  const levels = market.levels(instrument, side);
  const wanted = lotQty(amount.abs(), instrument.lot);
  if (levels.length === 0 || wanted.isZero()) return undefined;
  const walk = walkBase(levels, wanted);
  const qty = lotQty(walk.qty, instrument.lot);
  const slack = new Decimal(slackBps).div(10_000);
  const price = limitBeyond(walk.worst, slack, side, tickAt(instrument, walk.worst));
  if (qty.isZero() || qty.lt(instrument.minQty) || quoteValueOf(instrument, qty, price).lt(instrument.minNotional))
    return undefined;
  const { asset, amount: needed } = market.needOf(instrument, { side, qty, price });
  if (needed.gt(0) && needed.gt(market.freeOf(instrument, asset))) return undefined;

  const trade = { side, price: walk.value.div(walk.qty), qty } as const;
  const fee = feeOfTrade(instrument, {
    ...trade,
    rate: instrument.fees.taker,
    underlying: market.underlyingOf(instrument),
  });
  const { base, quote } = instrument;
  const [baseRate, quoteRate, feeRate] = [base, quote, fee.feeAsset].map(market.rateOf);
  if (baseRate === undefined || quoteRate === undefined || feeRate === undefined) return undefined;
  // At the same rates for all of them, what an option is worth by itself cancels.
  const rates = { [base]: baseRate, [quote]: quoteRate, [fee.feeAsset]: feeRate, [instrument.id]: baseRate };
  const { realised } = pnlOfFill(fillFactsOf({ ...trade, ...fee }, instrument), rates);
  return { instrument, side, qty, price, perUnit: realised.div(qty) };
}
