import type { OpportunityView, PriceView } from '#shared/schema/api.ts';

/** One update of a channel, numbered within it. */
export type Update =
  | { readonly channel: 'prices'; readonly seq: number; readonly data: PriceView }
  | { readonly channel: 'opportunities'; readonly seq: number; readonly data: OpportunityView };
export type Channel = Update['channel'];
export const CHANNELS: readonly Channel[] = ['prices', 'opportunities'];

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
  }
}

/** Of what an update is the latest state: a slow client is owed only the last one of each. */
export function subjectOf(update: Update): string {
  switch (update.channel) {
    case 'prices':
      return `prices ${update.data.exchange}:${update.data.symbol}`;
    case 'opportunities':
      return `opportunities ${update.data.id}`;
  }
}

/** The update as this subscriber sees it on the wire. */
export function wireText(update: Update, id: string | undefined): string {
  const symbol = update.data.symbol;
  const type = update.channel === 'prices' ? 'price_update' : 'opportunity_update';
  return JSON.stringify({ type, channel: update.channel, symbol, data: update.data, id, seq: update.seq });
}

// Exact amounts are opaque until written out; a filter compares them as floats.
const profitOf = ({ profit }: OpportunityView): number => Number(JSON.stringify(profit));
