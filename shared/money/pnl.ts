import { Decimal } from 'decimal.js';
import { BadInput } from '../assert.ts';
import type { Instrument, InstrumentKind } from '../domain/instrument.ts';
import type { Fill } from '../domain/order.ts';
import type { Side } from '../domain/route.ts';
import type { EngineEvent, EventData } from '../schema/event.ts';
import { minus, negated, plus, times } from './exact.ts';
import { decimalFrom } from './grid.ts';

/** What must be known of anything but spot to tell the money of its fills. */
export type Contract = {
  /** Its name: an option is an asset of its own. */
  readonly instrument: string;
  readonly kind: Exclude<InstrumentKind, 'spot'>;
  /** Base units (inverse futures: quote units) in one unit of quantity. */
  readonly size: Decimal;
  readonly inverse: boolean;
  readonly settle: string;
  readonly right?: 'call' | 'put';
};

/** What a fill moved, in the words of its instrument. */
export type FillFacts = {
  readonly side: Side;
  readonly base: string;
  readonly quote: string;
  readonly price: Decimal;
  readonly qty: Decimal;
  readonly fee: Decimal;
  readonly feeAsset: string;
  /** Absent for spot. */
  readonly contract?: Contract;
  /** Value of one unit of the fee's asset where the operation's rates have none. */
  readonly feeRate?: Decimal;
};

/** Value of one unit of each asset in the numeraire, fixed when the operation was planned. An option goes by its instrument id, a unit is one of quantity. */
export type Rates = Readonly<Record<string, Decimal>>;

/** What a trade moved, by the assets of its instrument. */
export type Flows = { readonly base: Decimal; readonly quote: Decimal };

/** In the numeraire. `realised` is after fees. */
export type Pnl = { readonly realised: Decimal; readonly fees: Decimal };

/** Coins are counted to so many decimals: what a division by a price leaves is cut there, once. */
const COIN_DECIMALS = 18;

/** Paid for whole when bought, and worth something by itself; futures are promises that cost nothing but margin. */
export const hasPremium = (kind: InstrumentKind): boolean => kind === 'option' || kind === 'combo';

/** What a quantity at a price comes to: quote (linear futures, premiums), or coins (inverse futures). */
export function contractValue(
  { kind, size, inverse }: Pick<Contract, 'kind' | 'size' | 'inverse'>,
  qty: Decimal,
  price: Decimal,
): Decimal {
  if (inverse && !hasPremium(kind)) return qty.times(size).div(price).toDecimalPlaces(COIN_DECIMALS);
  return times(times(qty, size), price);
}

/**
 * What entered (+) and left (−) by the trade itself, before its fee. A future counts as the trade in coins that it stands for: base = quantity × size
 * against quote, inverse quote = quantity × size against base = that / price. An option counts as itself against its premium.
 */
export function flowsOf({ side, price, qty, contract }: Pick<FillFacts, 'side' | 'price' | 'qty' | 'contract'>): Flows {
  const { base, quote } = amountsOf(price, qty, contract);
  return side === 'buy' ? { base, quote: negated(quote) } : { base: negated(base), quote };
}

function amountsOf(price: Decimal, qty: Decimal, contract: Contract | undefined): Flows {
  if (contract === undefined) return { base: qty, quote: times(price, qty) };
  const value = contractValue(contract, qty, price);
  if (hasPremium(contract.kind)) return { base: qty, quote: value };
  return contract.inverse
    ? { base: value, quote: times(qty, contract.size) }
    : { base: times(qty, contract.size), quote: value };
}

/** What a quantity at a price comes to in quote units: what smallest orders are measured in. */
export function quoteValueOf(instrument: ContractInstrument, qty: Decimal, price: Decimal): Decimal {
  return amountsOf(price, qty, contractOf(instrument)).quote;
}

/** The asset that the base flow of a fill is counted in: an option's is the option. */
export const flowAssetOf = ({ base, contract }: Pick<FillFacts, 'base' | 'contract'>): string =>
  contract !== undefined && hasPremium(contract.kind) ? contract.instrument : base;

/**
 * base flow × rate + quote flow × rate − fee × rate. `flows`: those of the fill, where somebody has reckoned them already.
 * @throws BadInput when an asset has no rate.
 */
export function pnlOfFill(fill: FillFacts, rates: Rates, flows = flowsOf(fill)): Pnl {
  const fees = fill.fee.isZero()
    ? fill.fee
    : times(fill.fee, rates[fill.feeAsset] ?? fill.feeRate ?? noRate(fill.feeAsset));
  const asset = flowAssetOf(fill);
  const gross = plus(
    times(flows.base, rates[asset] ?? noRate(asset)),
    times(flows.quote, rates[fill.quote] ?? noRate(fill.quote)),
  );
  return { realised: minus(gross, fees), fees };
}

function noRate(asset: string): never {
  throw new BadInput(`no rate for ${asset}`);
}

/** Under what a trade is remembered: ids are unique on one side of one instrument only. */
export const tradeKey = ({ instrument, side, tradeId }: { instrument: string; side: Side; tradeId: string }): string =>
  `${instrument} ${side} ${tradeId}`;

/**
 * Profit from the journal's `operation`, `fill`, `settlement` and `funding` events alone, exact: what every other figure of profit must equal. Each trade
 * counts once however often it stands in the events. @throws BadInput on a fill whose operation or rate is unknown.
 */
export function recomputePnl(events: Iterable<EngineEvent>): Pnl & { readonly fills: number } {
  const rates = new Map<string, Rates>();
  const seen = new Set<string>();
  let realised = new Decimal(0);
  let fees = new Decimal(0);
  const add = (pnl: Pnl): void => {
    realised = realised.plus(pnl.realised);
    fees = fees.plus(pnl.fees);
  };
  for (const event of events) {
    if (event.kind === 'operation' && !rates.has(event.data.id))
      rates.set(event.data.id, decimalsFrom(event.data.rates));
    if (event.kind === 'settlement') add(pnlOfSettlement(event.data));
    if (event.kind === 'funding') add({ realised: fundingValue(event.data), fees: new Decimal(0) });
    if (event.kind !== 'fill') continue;
    const trade = tradeKey({ ...event.data, tradeId: event.data.trade_id });
    if (seen.has(trade)) continue;
    seen.add(trade);
    const known = rates.get(event.data.operation);
    if (known === undefined) throw new BadInput(`fill of an unknown operation: seq=${event.seq}`);
    add(pnlOfFill(fillFactsFrom(event.data), known));
  }
  return { realised, fees, fills: seen.size };
}

/** A settlement brings its rates along: those of the holding that it ends. */
export const pnlOfSettlement = (data: EventData<'settlement'>): Pnl =>
  pnlOfFill(fillFactsFrom(data), decimalsFrom(data.rates));

/** What a funding payment is worth, in the numeraire. */
export const fundingValue = ({
  amount,
  asset_rate: rate,
}: Pick<EventData<'funding'>, 'amount' | 'asset_rate'>): Decimal => decimalFrom(amount).times(decimalFrom(rate));

/** The money of a fill as the gateway reports it. `feeRate` where the operation's rates do not know the fee's asset. */
export const fillFactsOf = (
  { side, price, qty, fee, feeAsset }: Pick<Fill, 'side' | 'price' | 'qty' | 'fee'> & { readonly feeAsset: string },
  instrument: ContractInstrument,
  feeRate?: Decimal,
): FillFacts => {
  const contract = contractOf(instrument);
  return {
    side,
    base: instrument.base,
    quote: instrument.quote,
    price,
    qty,
    fee,
    feeAsset,
    ...(contract === undefined ? {} : { contract }),
    ...(feeRate === undefined ? {} : { feeRate }),
  };
};

/** What of an instrument the money of its trades depends on. */
export type ContractInstrument = Pick<
  Instrument,
  'id' | 'kind' | 'base' | 'quote' | 'settle' | 'contractSize' | 'inverse' | 'right'
>;

/** Undefined for spot. */
export function contractOf({
  id,
  kind,
  contractSize: size,
  inverse,
  settle,
  right,
}: Omit<ContractInstrument, 'base' | 'quote'>): Contract | undefined {
  if (kind === 'spot') return undefined;
  return { instrument: id, kind, size, inverse, settle, ...(right === undefined ? {} : { right }) };
}

type FilledData = Pick<
  EventData<'fill'>,
  'instrument' | 'side' | 'base' | 'quote' | 'price' | 'qty' | 'fee' | 'fee_asset' | 'contract' | 'fee_rate'
>;

/** Reads the money of a `fill` or `settlement` event. */
export function fillFactsFrom(data: FilledData): FillFacts {
  return {
    side: data.side,
    base: data.base,
    quote: data.quote,
    price: decimalFrom(data.price),
    qty: decimalFrom(data.qty),
    fee: decimalFrom(data.fee),
    feeAsset: data.fee_asset,
    ...(data.contract === undefined ? {} : { contract: contractFrom(data.instrument, data.contract) }),
    ...(data.fee_rate === undefined ? {} : { feeRate: decimalFrom(data.fee_rate) }),
  };
}

/** Reads the contract of a `fill`, `settlement` or `position-adjustment` event. */
export const contractFrom = (instrument: string, data: NonNullable<FilledData['contract']>): Contract => ({
  instrument,
  kind: data.kind,
  size: decimalFrom(data.size),
  inverse: data.inverse,
  settle: data.settle,
  ...(data.right === undefined ? {} : { right: data.right }),
});

/** Reads amounts by asset, such as an operation's rates. @throws BadInput on anything that is not a decimal. */
export const decimalsFrom = (texts: Readonly<Record<string, string>>): Readonly<Record<string, Decimal>> =>
  Object.fromEntries(Object.entries(texts).map(([asset, text]) => [asset, decimalFrom(text)]));
