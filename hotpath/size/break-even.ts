import type { Carry, CarryMarket, CarrySettings } from '#shared/quant/carry.ts';
import { unitValue } from '#shared/quant/leg-value.ts';
import type { SumRoute } from '#shared/domain/route.ts';

/** Funding times looked at: what a persistence below 1 leaves after them is nothing. */
const FUNDINGS_MAX = 300;

/** The payments that one perpetual is expected to make: the next one, and by how much the one after it is smaller. */
type Stream = { nextMs: number; readonly intervalMs: number; amount: number };

/**
 * How long it takes until the expected funding has paid for everything else, at `netPerUnit` over the whole time: borrow and capital are charged as long as
 * the position is held, the rest at once. 0 when there is nothing to pay for, Infinity when funding never does.
 */
export function breakEvenMsOf(
  {
    route,
    carry,
    market,
    settings,
  }: {
    readonly route: SumRoute;
    readonly carry: Carry;
    readonly market: CarryMarket;
    readonly settings: Pick<CarrySettings, 'fundingPersistence'>;
  },
  netPerUnit: number,
): number {
  const lasting = carry.borrow + carry.capitalCost;
  const owedAtOnce = carry.funding - netPerUnit - lasting;
  if (owedAtOnce + lasting <= 0) return 0;
  const streams = streamsOf(route, market);
  let received = 0;
  for (let at = 0; at < FUNDINGS_MAX && streams.length > 0; at += 1) {
    const next = streams.reduce((first, stream) => (stream.nextMs < first.nextMs ? stream : first));
    const heldMs = next.nextMs - market.nowMs;
    if (route.terms.endsMs !== undefined && heldMs > carry.holdMs) return Infinity;
    received += next.amount;
    const owed = owedAtOnce + (carry.holdMs > 0 ? (lasting * heldMs) / carry.holdMs : 0);
    if (received >= owed) return heldMs;
    next.nextMs += next.intervalMs;
    next.amount *= settings.fundingPersistence;
  }
  return Infinity;
}

function streamsOf({ legs }: SumRoute, { instruments, references, tops, nowMs }: CarryMarket): readonly Stream[] {
  return legs
    .filter(({ instrument }) => instruments[instrument]!.kind === 'perpetual')
    .map(({ instrument, side, ratio, unit }) => {
      const intervalMs = references.fundingIntervalMs[instrument]!;
      const saidMs = references.nextFundingTimeMs[instrument]!;
      const missed = saidMs > nowMs ? 0 : Math.ceil((nowMs - saidMs + 1) / intervalMs);
      const middle = (tops.bid[instrument]! + tops.ask[instrument]!) / 2;
      const paid = ratio * unitValue(unit, middle) * references.fundingRate[instrument]!;
      return { nextMs: saidMs + missed * intervalMs, intervalMs, amount: side === 'buy' ? -paid : paid };
    });
}
