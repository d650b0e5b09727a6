import type { Decimal } from 'decimal.js';
import type { z } from 'zod';
import { decimalFrom, textOf } from '#shared/money/grid.ts';
import { fillFactsFrom, flowAssetOf, flowsOf } from '#shared/money/pnl.ts';
import type {
  balanceView,
  BreakerChange,
  operationData,
  operationView,
  OpportunityView,
  OrderUpdate,
  SystemView,
  TradeView,
  opportunityData,
  orderView,
  positionView,
  PriceView,
  RecoveryView,
  RiskMetrics,
} from '#shared/schema/api.ts';
import type { AccountStatus, MarketSample, RiskStatus } from '#shared/schema/status.ts';
import { exact, exactOrNull, isoFromMs, isoFromNs } from '../common/envelope.ts';
import type { Entity, EventOf } from '../common/store.ts';

/** Events and samples as outsiders see them. Pure; amounts keep their exact text. */

/** `venue:symbol`; a derivative's symbol has colons of its own. */
export function splitInstrument(instrument: string): { readonly exchange: string; readonly symbol: string } {
  const colon = instrument.indexOf(':');
  return { exchange: instrument.slice(0, colon), symbol: instrument.slice(colon + 1) };
}

export function priceOf(sample: MarketSample): PriceView {
  return {
    ...splitInstrument(sample.instrument),
    price: exactOrNull(midOf(sample)),
    bid: exactOrNull(sample.bid),
    ask: exactOrNull(sample.ask),
    volume: exactOrNull(sample.volume),
    timestamp: isoFromMs(sample.at_ms),
    status: sample.status,
  };
}

/** Exact: half of a decimal sum needs one digit more. Undefined while a side is empty. */
export function midOf({ bid, ask }: Pick<MarketSample, 'bid' | 'ask'>): string | undefined {
  if (bid === '' || ask === '') return undefined;
  return textOf(decimalFrom(bid).plus(decimalFrom(ask)).times('0.5'));
}

type LegData = EventOf<'opportunity'>['data']['legs'][number];
const legOf = ({ instrument, side, price, qty }: LegData): OpportunityView['legs'][number] => ({
  ...splitInstrument(instrument),
  side,
  price: exact(price),
  quantity: exact(qty),
});

/** In the opportunity's asset: what is left of the notional's net edge. */
export const profitOf = ({ notional, net_edge_bps }: EventOf<'opportunity'>['data']): Decimal =>
  decimalFrom(notional).times(net_edge_bps).times('0.0001');

export function opportunityOf({ data }: EventOf<'opportunity'>): OpportunityView {
  const buy = data.legs.find(({ side }) => side === 'buy');
  const sell = data.legs.find(({ side }) => side === 'sell');
  const first = buy ?? sell;
  return {
    id: data.id,
    symbol: first === undefined ? '' : splitInstrument(first.instrument).symbol,
    type: data.type,
    buy_exchange: buy === undefined ? null : splitInstrument(buy.instrument).exchange,
    sell_exchange: sell === undefined ? null : splitInstrument(sell.instrument).exchange,
    buy_price: exactOrNull(buy?.price),
    sell_price: exactOrNull(sell?.price),
    legs: data.legs.map(legOf),
    quantity: exactOrNull(first?.qty),
    asset: data.asset,
    notional: exact(data.notional),
    profit: exact(textOf(profitOf(data))),
    profit_percentage: exact(textOf(decimalFrom(data.net_edge_bps).times('0.01'))),
    confidence: exact(data.fill_probability),
    expected_value: exact(data.expected_value),
    timestamp: isoFromNs(data.first_seen),
    last_seen: isoFromNs(data.last_seen),
    status: data.status,
    reason: data.reason ?? null,
    operation: data.operation ?? null,
  };
}

export function explainedOpportunityOf(event: EventOf<'opportunity'>): z.infer<typeof opportunityData> {
  const { data } = event;
  return {
    ...opportunityOf(event),
    explanation: {
      route: data.route,
      gross_edge_bps: exact(data.gross_edge_bps),
      net_edge_bps: exact(data.net_edge_bps),
      peak_net_edge_bps: exact(data.peak_net_edge_bps),
      costs: {
        fees: exact(data.fees),
        slippage: exact(data.slippage),
        expected_unwind: exact(data.unwind_cost),
      },
      fill_probability: exact(data.fill_probability),
      oldest_book_age_ms: exact(data.oldest_book_age_ms),
      checks: data.checks.map(({ name, value, limit, passed }) => ({ name, value, limit: limit ?? null, passed })),
      capital: exactOrNull(data.capital),
      impact: exactOrNull(data.impact),
      holding: data.holding === undefined ? null : holdingViewOf(data.holding),
      contest: data.contest === undefined ? null : { ...data.contest, worth: exact(data.contest.worth) },
      counterfactual: counterfactualOf(data),
      counterfactual_outcome: data.counterfactual === undefined ? null : outcomeViewOf(data.counterfactual),
    },
  };
}

type OpportunityData = EventOf<'opportunity'>['data'];
type Explanation = z.infer<typeof opportunityData>['explanation'];

const holdingViewOf = (holding: NonNullable<OpportunityData['holding']>): NonNullable<Explanation['holding']> => ({
  certainty: holding.certainty,
  hours: exact(holding.hours),
  payoff: exact(holding.payoff),
  closing: exact(holding.closing),
  delivery: exact(holding.delivery),
  funding: exact(holding.funding),
  borrow: exact(holding.borrow),
  capital_cost: exact(holding.capital_cost),
  annualised: exact(holding.annualised),
  break_even_hours: exactOrNull(holding.break_even_hours),
});

const outcomeViewOf = (
  counterfactual: NonNullable<OpportunityData['counterfactual']>,
): NonNullable<Explanation['counterfactual_outcome']> => ({
  notional: exact(counterfactual.notional),
  net_edge_bps: exact(counterfactual.net_edge_bps),
  lifetime_ms: exact(counterfactual.lifetime_ms),
  outcomes: counterfactual.outcomes.map(({ delay_ms, net_edge_bps, profit }) => ({
    delay_ms,
    net_edge_bps: exactOrNull(net_edge_bps),
    profit: exactOrNull(profit),
  })),
});

function counterfactualOf(data: EventOf<'opportunity'>['data']): string {
  if (data.operation !== undefined) return `It was traded: operation ${data.operation}.`;
  const failed = data.checks.find(({ passed }) => !passed);
  if (failed !== undefined) {
    const limit = failed.limit === undefined ? '' : ` against a limit of ${failed.limit}`;
    return `It would have been traded if ${failed.name} had held: it was ${failed.value}${limit}.`;
  }
  if (data.reason !== undefined) {
    return `It was not traded: ${data.reason}${data.detail === undefined ? '' : ` (${data.detail})`}.`;
  }
  return 'Nothing has spoken against it so far.';
}

export function operationOf({ event, firstAtNs }: Entity<'operation'>): z.infer<typeof operationView> {
  const { data } = event;
  return {
    id: data.id,
    opportunity: data.opportunity,
    route: data.route,
    type: data.type,
    state: data.state,
    reason: data.reason ?? null,
    notional: exact(data.notional),
    expected_profit: exact(data.expected_profit),
    legs: data.legs.map(legOf),
    pnl: data.pnl === undefined ? null : { realised: exact(data.pnl.realised), fees: exact(data.pnl.fees) },
    attribution: data.attribution === undefined ? null : attributionOf(data.attribution),
    timestamp: isoFromNs(firstAtNs),
    updated: isoFromNs(event.at),
  };
}

const attributionOf = ({
  captured,
  slippage,
  legging,
  fees,
  inventory,
}: NonNullable<EventOf<'operation'>['data']['attribution']>): NonNullable<
  z.infer<typeof operationView>['attribution']
> => ({
  captured: exact(captured),
  slippage: exact(slippage),
  legging: exact(legging),
  fees: exact(fees),
  inventory: exact(inventory),
});

/** What a person is asked, and what was answered. */
export const recoveryOf = ({ data, at }: EventOf<'escalation'>): RecoveryView => ({
  operation: data.operation,
  state: data.state,
  reason: data.reason,
  request: data.request,
  loose: data.loose.map(({ instrument, size, value }) => ({
    ...splitInstrument(instrument),
    size: exact(size),
    value: exact(value),
  })),
  proposals: data.proposals.map(({ id, kind, cost, orders }) => ({
    id,
    kind,
    cost: exact(cost),
    orders: orders.map(legOf),
  })),
  attempts: data.attempts,
  loss: exact(data.loss),
  since: isoFromMs(data.since_ms),
  by: data.by ?? null,
  updated: isoFromNs(at),
});

export const riskMetricsOf = (risk: RiskStatus): RiskMetrics => ({
  portfolio_var: risk.var_usd,
  expected_shortfall: risk.expected_shortfall_usd,
  parametric_var: risk.parametric_var_usd,
  monte_carlo_var: risk.monte_carlo_var_usd,
  confidence: risk.confidence,
  var_utilization: risk.var_utilization,
  equity: risk.equity_usd,
  max_drawdown: risk.max_drawdown,
  drawdown: risk.drawdown,
  leverage_ratio: risk.leverage,
  concentration_risk: risk.concentration,
  liquidity_ratio: risk.liquidity_ratio,
  correlation_risk: risk.correlation_risk,
  exit_cost: risk.exit_cost_usd,
  daily_pnl: risk.daily_pnl_usd,
  exposure: {
    gross: risk.exposure.gross_usd,
    net: risk.exposure.net_usd,
    by_exchange: risk.exposure.by_venue,
    by_asset: risk.exposure.by_asset,
    by_family: risk.exposure.by_family,
  },
  stresses: risk.stresses,
  timestamp: isoFromMs(risk.at_ms),
});

/** What a breaker did. */
export const breakerChangeOf = ({ data, at }: EventOf<'breaker'>): BreakerChange => ({
  id: data.id,
  state: data.state,
  trips: data.trips,
  value: data.value,
  limit: data.limit,
  reason: data.reason,
  by: data.by,
  timestamp: isoFromNs(at),
});

export const orderOf = ({ event, firstAtNs }: Entity<'order'>): z.infer<typeof orderView> => ({
  ...orderUpdateOf(event),
  timestamp: isoFromNs(firstAtNs),
});

/** An order's state as it changes. */
export function orderUpdateOf({ data, at }: EventOf<'order'>): OrderUpdate {
  return {
    order_id: data.client_order_id,
    venue_order_id: data.venue_order_id ?? null,
    operation: data.operation,
    purpose: data.purpose,
    ...splitInstrument(data.instrument),
    side: data.side,
    type: data.type,
    time_in_force: data.time_in_force,
    price: exact(data.price),
    quantity: exact(data.qty),
    filled_quantity: exact(data.filled_qty),
    average_price: exactOrNull(data.average_price),
    status: data.status,
    reason: data.reason ?? null,
    updated: isoFromNs(at),
  };
}

/** What befalls the engine and its venues. */
export function systemOf(event: EventOf<SystemView['event']>): SystemView {
  const { kind, engine, at } = event;
  const common = { event: kind, engine, exchange: null, subject: null, timestamp: isoFromNs(at) };
  switch (event.kind) {
    case 'engine-started':
      return { ...common, state: 'started', reason: `${event.data.mode}, version ${event.data.version}` };
    case 'engine-stopped':
      return { ...common, state: 'stopped', reason: event.data.reason };
    case 'trading-state':
    case 'emergency-stop':
    case 'lease':
      return { ...common, state: event.data.state, reason: event.data.reason };
    case 'breaker':
      return { ...common, subject: event.data.id, state: event.data.state, reason: event.data.reason };
    case 'escalation':
      return { ...common, subject: event.data.operation, state: event.data.state, reason: event.data.request };
    case 'mismatch': {
      const { venue, id, state, reason, ledger, venue_says } = event.data;
      const said = `${reason}: the ledger has ${ledger}, the venue says ${venue_says}`;
      return { ...common, exchange: venue, subject: id, state, reason: said };
    }
    case 'adjustment': {
      const { venue, asset, amount, reason, by } = event.data;
      return { ...common, exchange: venue, subject: asset, state: 'adjusted', reason: `${amount} by ${by}: ${reason}` };
    }
    case 'position-adjustment': {
      const { venue, instrument, size, entry_price, reason, by } = event.data;
      const made = `${size} at ${entry_price} by ${by}: ${reason}`;
      return { ...common, exchange: venue, subject: instrument, state: 'adjusted', reason: made };
    }
    case 'ageing': {
      const { what, id, state, age_hours, limit_hours } = event.data;
      return { ...common, subject: id, state, reason: `${what} of ${age_hours} h, limit ${limit_hours} h` };
    }
    case 'venue-status':
      return { ...common, exchange: event.data.venue, state: event.data.status, reason: event.data.reason };
  }
}

/** Where a venue and the ledger differ, and nobody has settled it. */
export class Mismatches {
  readonly #open: ReadonlyMap<string, EventOf<'mismatch'>>;

  constructor(open: readonly EventOf<'mismatch'>[]) {
    this.#open = new Map(open.map((event) => [keyOf(event.data), event]));
  }

  of(what: 'balance' | 'position', venue: string, id: string): z.infer<typeof balanceView>['mismatch'] {
    const event = this.#open.get(keyOf({ what, venue, id }));
    if (event === undefined) return null;
    const { venue_says, reason } = event.data;
    return { venue_says, reason, since: isoFromNs(event.at) };
  }
}
const keyOf = ({ what, venue, id }: Pick<EventOf<'mismatch'>['data'], 'what' | 'venue' | 'id'>): string =>
  `${what} ${venue} ${id}`;

type AtVenue = NonNullable<AccountStatus['positions']>[number];

/** `mid`: the instrument's current mid, `atVenue`: what the venue says of the position; where there is one. */
export function positionOf(
  { data, at }: EventOf<'position'>,
  beside: {
    readonly nowMs: number;
    readonly mid: string | undefined;
    readonly atVenue: AtVenue | undefined;
    readonly mismatches: Mismatches;
  },
): z.infer<typeof positionView> {
  const { nowMs, mid, atVenue, mismatches } = beside;
  const { exchange, symbol } = splitInstrument(data.instrument);
  return {
    id: data.id,
    symbol,
    exchange,
    type: data.type,
    size: exact(data.size),
    entry_price: exact(data.entry_price),
    current_price: exactOrNull(mid),
    unrealized_pnl: exactOrNull(unrealizedOf(data, symbol, mid)),
    realized_pnl: exact(data.realized_pnl),
    at_exchange: atVenue === undefined ? null : atVenueOf(atVenue),
    mismatch: mismatches.of('position', exchange, data.instrument),
    opened: data.opened_ms === undefined ? null : isoFromMs(data.opened_ms),
    age_hours: data.opened_ms === undefined ? null : Math.max(0, nowMs - data.opened_ms) / 3_600_000,
    timestamp: isoFromNs(at),
    status: data.status,
  };
}

const atVenueOf = (told: AtVenue): z.infer<typeof positionView>['at_exchange'] => ({
  size: exact(told.size),
  entry_price: exact(told.entry_price),
  mark_price: exactOrNull(told.mark_price ?? undefined),
  liquidation_price: exactOrNull(told.liquidation_price ?? undefined),
  leverage: exactOrNull(told.leverage ?? undefined),
  liquidation_distance: told.liquidation_distance,
  adl_rank: told.adl_rank ?? null,
});

function unrealizedOf(
  { type, size, entry_price }: EventOf<'position'>['data'],
  symbol: string,
  mid: string | undefined,
): string | undefined {
  // Contracts are counted in units whose payoff this view does not know.
  if (mid === undefined || symbol.includes(':')) return undefined;
  const gain = decimalFrom(mid).minus(entry_price).times(decimalFrom(size).abs());
  return textOf(type === 'short' ? gain.negated() : gain);
}

export const balanceOf = ({ data, at }: EventOf<'balance'>, mismatches: Mismatches): z.infer<typeof balanceView> => ({
  exchange: data.venue,
  asset: data.asset,
  total: exact(data.total),
  available: exact(data.available),
  reserved: exact(data.reserved),
  in_flight: exact('0'),
  mismatch: mismatches.of('balance', data.venue, data.asset),
  timestamp: isoFromNs(at),
});

type FillView = z.infer<typeof operationData>['fills'][number];

export const fillOf = (event: EventOf<'fill'>, rates: Readonly<Record<string, string>>): FillView => ({
  ...fillFactsOf(event),
  contribution: contributionOf(event.data, rates),
});

/** A fill as it happens. */
export const tradeOf = (event: EventOf<'fill'>): TradeView => ({
  ...fillFactsOf(event),
  operation: event.data.operation,
});

function fillFactsOf({ data, at }: EventOf<'fill'>): Omit<FillView, 'contribution'> {
  return {
    trade_id: data.trade_id,
    order_id: data.client_order_id,
    ...splitInstrument(data.instrument),
    side: data.side,
    price: exact(data.price),
    quantity: exact(data.qty),
    fee: exact(data.fee),
    fee_asset: data.fee_asset,
    liquidity: data.liquidity,
    timestamp: isoFromNs(at),
  };
}

/** The asset flows of a fill, valued: what comes in counts up, what goes out and the fee count down. */
function contributionOf(
  data: EventOf<'fill'>['data'],
  rates: Readonly<Record<string, string>>,
): FillView['contribution'] {
  const fill = fillFactsFrom(data);
  const rate = {
    base: rates[flowAssetOf(fill)],
    quote: rates[fill.quote],
    fee: rates[fill.feeAsset] ?? data.fee_rate,
  };
  if (rate.base === undefined || rate.quote === undefined || rate.fee === undefined) return null;
  const flows = flowsOf(fill);
  const valued = (flow: Decimal, at: string): number => exact(textOf(flow.times(at)));
  return {
    base: valued(flows.base, rate.base),
    quote: valued(flows.quote, rate.quote),
    fee: valued(fill.fee.negated(), rate.fee),
  };
}
