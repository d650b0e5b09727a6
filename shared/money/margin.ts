import { Decimal } from 'decimal.js';
import type { Asset } from '../domain/ids.ts';
import type { Instrument } from '../domain/instrument.ts';
import type { OrderRequest } from '../domain/order.ts';
import { lesser, minus, plus, times } from './exact.ts';
import { ZERO } from './grid.ts';
import { contractOf, contractValue, hasPremium } from './pnl.ts';
import type { Position } from './position.ts';

/** How much of the account stands for open contracts. */
export type MarginRules = {
  /** Of a future's value, or of a sold option's underlying. */
  readonly fraction: Decimal;
  /** What an option's fee and margin are fractions of, in the currency of its premium; undefined while nobody has said. */
  readonly underlyingOf: (instrument: Instrument) => Decimal | undefined;
};

/** The worst case of an order: `unitCost` for each unit of quantity that opens something, all of them `amount`. What fills first is `closing`, and needs nothing. */
export type Need = {
  readonly asset: Asset;
  readonly unitCost: Decimal;
  readonly amount: Decimal;
  readonly closing: Decimal;
};

const ONE = new Decimal(1);
/** Coins are counted to so many decimals. */
const COIN_DECIMALS = 18;

/** In which asset a venue asks margin and pays profit: for options the currency of the premium. */
export const marginAssetOf = ({ kind, quote, settle }: Instrument): Asset => (hasPremium(kind) ? quote : settle);

/** One coin for premiums in coin, else what the venue says, else the strike: it is no further off than the option is worth. */
export function underlyingValue(instrument: Instrument, rules: Pick<MarginRules, 'underlyingOf'>): Decimal {
  if (instrument.base === instrument.quote) return ONE;
  return rules.underlyingOf(instrument) ?? instrument.strike ?? ZERO;
}

/**
 * What an account must have free for an order. Spot: what it gives, and the fee where that comes on top. Contracts: margin and fee of what is added to the
 * position; what only reduces it needs nothing.
 */
export function needOf(
  { side, qty, price }: Pick<OrderRequest, 'side' | 'qty' | 'price'>,
  instrument: Instrument,
  held: Decimal,
  rules: MarginRules,
): Need {
  const { kind, base, quote, fees } = instrument;
  if (kind === 'spot') {
    const buys = side === 'buy';
    const feeOnTop = buys && fees.currency === 'quote' ? plus(fees.taker, ONE) : ONE;
    const unitCost = buys ? times(price, feeOnTop) : ONE;
    return { asset: buys ? quote : base, unitCost, amount: times(unitCost, qty), closing: ZERO };
  }
  const grows = held.isZero() || held.isNegative() === (side === 'sell');
  const closing = grows ? ZERO : lesser(qty, held.abs());
  const unitCost = unitNeed(side, price, instrument, rules);
  return { asset: marginAssetOf(instrument), unitCost, amount: times(unitCost, minus(qty, closing)), closing };
}

function unitNeed(side: OrderRequest['side'], price: Decimal, instrument: Instrument, rules: MarginRules): Decimal {
  const { kind, contractSize, fees } = instrument;
  const contract = contractOf(instrument)!;
  if (!hasPremium(kind)) {
    const needed = contractValue(contract, ONE, price).times(rules.fraction.plus(fees.taker));
    return needed.toDecimalPlaces(COIN_DECIMALS, Decimal.ROUND_UP);
  }
  const underlying = underlyingValue(instrument, rules);
  const fee = optionFee(instrument, fees.taker, price, underlying);
  const given = side === 'buy' ? Decimal.max(ZERO, price) : rules.fraction.times(underlying);
  return given.plus(fee).times(contractSize);
}

/** A share of the underlying, at most one of the premium; a coin's worth, in the currency of the premium. */
export function optionFee(
  { fees }: Pick<Instrument, 'fees'>,
  rate: Decimal,
  price: Decimal,
  underlying: Decimal,
): Decimal {
  const charged = rate.times(underlying);
  return fees.premiumShareMax === undefined ? charged : Decimal.min(charged, fees.premiumShareMax.times(price.abs()));
}

/** What stands for an open position: a share of its entry value, or of a sold option's underlying. Bought options are paid for. */
export function marginOf({ size, cost }: Position, instrument: Instrument, rules: MarginRules): Decimal {
  if (instrument.kind === 'spot' || size.isZero()) return ZERO;
  if (!hasPremium(instrument.kind)) return rules.fraction.times((cost ?? ZERO).abs());
  if (!size.isNegative()) return ZERO;
  return size.abs().times(instrument.contractSize).times(rules.fraction).times(underlyingValue(instrument, rules));
}
