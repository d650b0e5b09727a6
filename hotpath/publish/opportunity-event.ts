import { Decimal } from 'decimal.js';
import { assert } from '#shared/assert.ts';
import type { FillFacts, Holding, Opportunity } from '#shared/domain/trade.ts';
import { textOf } from '#shared/money/grid.ts';
import type { EventData, LegFill } from '#shared/schema/event.ts';
import type { Contest } from '../pipeline.ts';
import type { Outcome } from './hindsight.ts';

type OpportunityData = EventData<'opportunity'>;

/** What an event says of an opportunity as it was sized. */
export function figuresOf(
  opportunity: Opportunity,
): Omit<OpportunityData, 'id' | 'status' | 'checks' | 'first_seen' | 'last_seen' | 'peak_net_edge_bps'> {
  const { holding } = opportunity;
  return {
    route: opportunity.route,
    type: opportunity.family,
    asset: opportunity.asset,
    legs: opportunity.legs.map(({ instrument, side, price, qty, fill }) => ({
      instrument,
      side,
      price: decimalText(price),
      qty: decimalText(qty),
      ...(fill === undefined ? {} : { fill: fillTexts(fill) }),
    })),
    notional: decimalText(opportunity.notional),
    gross_edge_bps: bpsText(opportunity.grossEdge),
    net_edge_bps: bpsText(opportunity.netEdge),
    fees: decimalText(opportunity.fees),
    slippage: decimalText(opportunity.slippage),
    unwind_cost: decimalText(opportunity.unwindCost),
    fill_probability: decimalText(opportunity.fillProbability),
    expected_value: decimalText(opportunity.expectedValue),
    oldest_book_age_ms: decimalText(opportunity.oldestBookAgeMs),
    capital: decimalText(opportunity.capital),
    impact: decimalText(opportunity.impact),
    good_end: decimalText(opportunity.goodEnd),
    improvement: decimalText(opportunity.improvement),
    ...(holding === undefined ? {} : { holding: holdingTexts(holding) }),
  };
}

export const contestTexts = ({ rank, of, worth }: Contest): NonNullable<OpportunityData['contest']> => ({
  rank,
  of,
  worth: decimalText(worth),
});

/** What became of a refused opportunity: `lifetimeMs` is how long its route kept paying. */
export const counterfactualTexts = (
  { notional, netEdge }: Opportunity,
  outcomes: readonly Outcome[],
  lifetimeMs: number,
): NonNullable<OpportunityData['counterfactual']> => ({
  notional: decimalText(notional),
  net_edge_bps: bpsText(netEdge),
  lifetime_ms: decimalText(lifetimeMs),
  outcomes: outcomes.map(({ delayMs, netEdge: found }) => ({
    delay_ms: delayMs,
    ...(found === undefined ? {} : { net_edge_bps: bpsText(found), profit: decimalText(found * notional) }),
  })),
});

export const bpsText = (fraction: number): string => decimalText(fraction * 1e4);

const DIGITS = 12;

/** A found number as decimal text, rounded half up: twelve digits say all that a screen can know. */
export function decimalText(found: number): string {
  assert(Number.isFinite(found), 'an opportunity holds a number that is none');
  const shortest = String(found);
  // Neither too many digits nor an exponent.
  if (shortest.length <= DIGITS && !shortest.includes('e')) return shortest === '-0' ? '0' : shortest;
  const rounded = found.toPrecision(DIGITS);
  // Of an exponent, and of a tie, which the double need not be where its text is one, decimals know more.
  if (shortest.endsWith('5') || rounded.includes('e') || !rounded.includes('.'))
    return textOf(new Decimal(found).toSignificantDigits(DIGITS));
  return withoutZeros(rounded);
}

/** Trailing ones, behind the point, and the point itself if nothing is left behind it. */
function withoutZeros(text: string): string {
  let end = text.length;
  while (text.charCodeAt(end - 1) === ZERO) end -= 1;
  if (text.charCodeAt(end - 1) === POINT) end -= 1;
  return end === text.length ? text : text.slice(0, end);
}

const ZERO = 0x30;
const POINT = 0x2e;

const fillTexts = ({ ageMs, roundTripMs, volatility, share, displayed, cushion }: FillFacts): LegFill => ({
  age_ms: decimalText(ageMs),
  round_trip_ms: decimalText(roundTripMs),
  volatility: decimalText(volatility),
  share: decimalText(share),
  displayed: decimalText(displayed),
  cushion: decimalText(cushion),
});

const holdingTexts = ({ breakEvenHours, ...holding }: Holding): NonNullable<OpportunityData['holding']> => ({
  certainty: holding.certainty,
  hours: decimalText(holding.hours),
  payoff: decimalText(holding.payoff),
  closing: decimalText(holding.closing),
  delivery: decimalText(holding.delivery),
  funding: decimalText(holding.funding),
  borrow: decimalText(holding.borrow),
  capital_cost: decimalText(holding.capitalCost),
  annualised: decimalText(holding.annualised),
  ...(Number.isFinite(breakEvenHours) ? { break_even_hours: decimalText(breakEvenHours) } : {}),
});
