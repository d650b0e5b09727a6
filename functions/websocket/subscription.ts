import type { OpportunityView, OrderUpdate, PriceView, RiskView, SystemView, TradeView } from '#shared/schema/api.ts';

type Views = {
  readonly prices: PriceView;
  readonly opportunities: OpportunityView;
  readonly orders: OrderUpdate;
  readonly trades: TradeView;
  readonly system: SystemView;
  readonly risk: RiskView;
};
export type Channel = keyof Views;
/** What happened in a channel. */
export type News = { [C in Channel]: { readonly channel: C; readonly data: Views[C] } }[Channel];
/** One update of a channel, numbered within it. */
export type Update = News & { readonly seq: number };

/** Channel → the type of its updates on the wire. */
const updateTypes: Readonly<Record<Channel, string>> = {
  prices: 'price_update',
  opportunities: 'opportunity_update',
  orders: 'order_update',
  trades: 'trade_update',
  system: 'system_update',
  risk: 'risk_update',
};
export const CHANNELS = Object.keys(updateTypes) as readonly Channel[];

/** What one client wants of a channel. Absent: everything. */
export type Subscription = {
  readonly channel: Channel;
  readonly symbol: string | undefined;
  readonly exchange: string | undefined;
  readonly minProfit: number | undefined;
  /** Chosen by the client; comes back with every update. */
  readonly id: string | undefined;
};

export function wants({ channel, symbol, exchange, minProfit }: Subscription, update: Update): boolean {
  if (update.channel !== channel) return false;
  switch (update.channel) {
    case 'prices':
    case 'orders':
    case 'trades':
      return (
        (symbol === undefined || symbol === update.data.symbol) &&
        (exchange === undefined || exchange === update.data.exchange)
      );
    case 'opportunities':
      return (
        (symbol === undefined || update.data.legs.some((leg) => leg.symbol === symbol)) &&
        (exchange === undefined || update.data.legs.some((leg) => leg.exchange === exchange)) &&
        (minProfit === undefined || profitOf(update.data) >= minProfit)
      );
    case 'risk':
      return true;
    case 'system':
      // What concerns the engine concerns every exchange.
      return exchange === undefined || update.data.exchange === null || exchange === update.data.exchange;
  }
}

/** Of what an update is the latest state: a slow client is owed only the last one of each. */
export function subjectOf(update: Update): string {
  switch (update.channel) {
    case 'prices':
      return `prices ${update.data.exchange}:${update.data.symbol}`;
    case 'opportunities':
      return `opportunities ${update.data.id}`;
    case 'orders':
      return `orders ${update.data.order_id}`;
    case 'trades':
      // Each happens once: none is the later state of another.
      return `trades ${update.data.exchange}:${update.data.symbol} ${update.data.trade_id}`;
    case 'system':
      return `system ${update.data.event} ${update.data.exchange ?? ''} ${update.data.subject ?? ''}`;
    case 'risk':
      return `risk ${update.data.event} ${update.data.event === 'breaker' ? update.data.id : ''}`;
  }
}

/** The update as this subscriber sees it on the wire. */
export function wireText({ channel, data, seq }: Update, id: string | undefined): string {
  const symbol = 'symbol' in data ? data.symbol : undefined;
  return JSON.stringify({ type: updateTypes[channel], channel, symbol, data, id, seq });
}

// Exact amounts are opaque until written out; a filter compares them as floats.
const profitOf = ({ profit }: OpportunityView): number => Number(JSON.stringify(profit));
