import type { Decimal } from 'decimal.js';
import type { Held, HeldLeg, SettledTerms } from '../domain/held.ts';
import { realisedOf } from '../domain/held.ts';
import type { Asset, InstrumentId, OperationId, OpportunityId, RouteId, VenueId } from '../domain/ids.ts';
import { decimalFrom, textOf } from '../money/grid.ts';
import { contractOf, decimalsFrom } from '../money/pnl.ts';
import type { EventData } from './event.ts';

type HoldingData = EventData<'holding'>;
type LegData = HoldingData['legs'][number];

/** The event that tells what is held, whole; `end` once nothing is any more. */
export function holdingEventOf(
  held: Held,
  end?: { readonly reason: string; readonly dust: Readonly<Record<string, Decimal>> },
): HoldingData {
  const { entry, entryFees, funding, exit, exitFees } = held.pnl;
  return {
    id: held.id,
    state: end === undefined ? 'open' : 'closed',
    ...(end === undefined ? {} : { reason: end.reason, dust: textsOf(end.dust) }),
    opportunity: held.opportunity,
    route: held.route,
    type: held.family,
    asset: held.asset,
    units: textOf(held.units),
    legs: held.legs.map(legData),
    rates: textsOf(held.rates),
    notional: textOf(held.notional),
    expected_profit: textOf(held.expectedProfit),
    expected_funding: textOf(held.expectedFunding),
    opened_ms: held.openedMs,
    ...(held.endsMs === undefined ? {} : { ends_ms: held.endsMs }),
    pnl: {
      entry: textOf(entry),
      entry_fees: textOf(entryFees),
      funding: textOf(funding),
      exit: textOf(exit),
      exit_fees: textOf(exitFees),
      realised: textOf(realisedOf(held.pnl)),
    },
  };
}

/** @throws BadInput on an amount that is no decimal. */
export function heldFrom(data: HoldingData): Held {
  return {
    id: data.id as OperationId,
    opportunity: data.opportunity as OpportunityId,
    route: data.route as RouteId,
    family: data.type,
    asset: data.asset as Asset,
    units: decimalFrom(data.units),
    legs: data.legs.map(legFrom),
    rates: decimalsFrom(data.rates),
    notional: decimalFrom(data.notional),
    expectedProfit: decimalFrom(data.expected_profit),
    expectedFunding: decimalFrom(data.expected_funding),
    openedMs: data.opened_ms,
    ...(data.ends_ms === undefined ? {} : { endsMs: data.ends_ms }),
    pnl: {
      entry: decimalFrom(data.pnl.entry),
      entryFees: decimalFrom(data.pnl.entry_fees),
      funding: decimalFrom(data.pnl.funding),
      exit: decimalFrom(data.pnl.exit),
      exitFees: decimalFrom(data.pnl.exit_fees),
    },
  };
}

function legData({ instrument, terms, entered, size, entryPrice }: HeldLeg): LegData {
  const contract = contractOf(terms);
  const { expiryMs, strike, fees } = terms;
  return {
    instrument,
    base: terms.base,
    quote: terms.quote,
    entered: textOf(entered),
    size: textOf(size),
    entry_price: textOf(entryPrice),
    ...(contract === undefined
      ? {}
      : {
          contract: {
            kind: contract.kind,
            size: textOf(contract.size),
            inverse: contract.inverse,
            settle: contract.settle,
            ...(contract.right === undefined ? {} : { right: contract.right }),
            ...(expiryMs === undefined ? {} : { expiry_ms: expiryMs }),
            ...(strike === undefined ? {} : { strike: textOf(strike) }),
            ...(fees.delivery === undefined ? {} : { delivery: textOf(fees.delivery) }),
            ...(fees.premiumShareMax === undefined ? {} : { premium_share_max: textOf(fees.premiumShareMax) }),
          },
        }),
  };
}

function legFrom(data: LegData): HeldLeg {
  return {
    instrument: data.instrument as InstrumentId,
    terms: termsFrom(data),
    entered: decimalFrom(data.entered),
    size: decimalFrom(data.size),
    entryPrice: decimalFrom(data.entry_price),
  };
}

function termsFrom({ instrument, base, quote, contract }: LegData): SettledTerms {
  const { expiry_ms: expiryMs, strike, delivery, premium_share_max: premiumShareMax, right } = contract ?? {};
  return {
    id: instrument as InstrumentId,
    venue: instrument.slice(0, instrument.indexOf(':')) as VenueId,
    kind: contract?.kind ?? 'spot',
    base: base as Asset,
    quote: quote as Asset,
    settle: (contract?.settle ?? quote) as Asset,
    contractSize: decimalFrom(contract?.size ?? '1'),
    inverse: contract?.inverse ?? false,
    ...(expiryMs === undefined ? {} : { expiryMs }),
    ...(strike === undefined ? {} : { strike: decimalFrom(strike) }),
    ...(right === undefined ? {} : { right }),
    fees: {
      ...(delivery === undefined ? {} : { delivery: decimalFrom(delivery) }),
      ...(premiumShareMax === undefined ? {} : { premiumShareMax: decimalFrom(premiumShareMax) }),
    },
  };
}

const textsOf = (amounts: Readonly<Record<string, Decimal>>): Record<string, string> =>
  Object.fromEntries(Object.entries(amounts).map(([asset, amount]) => [asset, textOf(amount)]));
