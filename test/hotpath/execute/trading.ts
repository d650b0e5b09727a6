import { Decimal } from 'decimal.js';
import { assert } from '#shared/assert.ts';
import type { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { Asset, InstrumentId, OperationId, OpportunityId, RouteId, TimeNs, VenueId } from '#shared/domain/ids.ts';
import type { FeeCurrency, Instrument } from '#shared/domain/instrument.ts';
import type { Side } from '#shared/domain/route.ts';
import type { Approved, Plan } from '#shared/domain/trade.ts';
import { amountOf, type Price, type Qty } from '#shared/money/grid.ts';
import type { EngineEvent, EventData, EventKind } from '#shared/schema/event.ts';
import type { Recorder } from '#shared/schema/recorder.ts';

type Shape = {
  readonly tick?: string;
  readonly lot?: string;
  readonly minQty?: string;
  readonly minNotional?: string;
  readonly fee?: string;
};

export function spot(venue: string, symbol: string, currency: FeeCurrency, shape: Shape = {}): Instrument {
  const [base, quote] = symbol.split('/') as [Asset, Asset];
  const fee = new Decimal(shape.fee ?? '0.001');
  return {
    id: `${venue}:${symbol}` as InstrumentId,
    venue: venue as VenueId,
    market: 'spot',
    symbol,
    venueSymbol: symbol,
    kind: 'spot',
    base,
    quote,
    settle: quote,
    contractSize: new Decimal(1),
    inverse: false,
    tick: new Decimal(shape.tick ?? '0.01'),
    lot: new Decimal(shape.lot ?? '0.0001'),
    minQty: new Decimal(shape.minQty ?? '0.0001'),
    minNotional: new Decimal(shape.minNotional ?? '5'),
    fees: { maker: fee, taker: fee, currency },
    status: 'trading',
  };
}

/** Venue a takes fees from what is received, venue b from the quote. */
export const instruments = new Map(
  [
    spot('a', 'BTC/USDT', 'received'),
    spot('a', 'ETH/USDT', 'received'),
    spot('a', 'ETH/BTC', 'received', { tick: '0.00001', minNotional: '0.0001' }),
    spot('b', 'BTC/USDT', 'quote', { fee: '0.0016' }),
    spot('b', 'ETH/USDT', 'quote', { fee: '0.0016' }),
    spot('b', 'ETH/BTC', 'quote', { fee: '0.0016', tick: '0.00001', minNotional: '0.0001' }),
  ].map((instrument) => [instrument.id, instrument]),
);
export const instrumentOf = (id: InstrumentId): Instrument | undefined => instruments.get(id);

export const rates = { BTC: new Decimal(50_000), ETH: new Decimal(2_500), USDT: new Decimal(1) };
export const priceOf = ({ symbol }: Instrument): Decimal =>
  new Decimal(symbol === 'BTC/USDT' ? 50_000 : symbol === 'ETH/USDT' ? 2_500 : '0.05');

export type LegShape = readonly [instrument: string, side: Side, qty: string, price: string];

/** A plan as the risk gate would let it through. */
export function planOf(operation: string, shapes: readonly LegShape[]): Approved<Plan> {
  const legs = shapes.map(([id, side, qty, price]) => ({
    instrument: id as InstrumentId,
    side,
    price: new Decimal(price) as Price,
    qty: new Decimal(qty) as Qty,
    expectedPrice: new Decimal(price),
    notional: amountOf(new Decimal(qty).times(price)),
  }));
  const plan: Plan = {
    operation: operation as OperationId,
    opportunity: `opp-${operation}` as OpportunityId,
    route: legs.map(({ instrument }) => instrument).join('>') as RouteId,
    family: legs.length === 2 ? 'spatial' : 'cycle',
    asset: 'USDT' as Asset,
    legs,
    notional: amountOf(1_000),
    expectedProfit: amountOf(1),
    netEdgeBps: 10,
    expectedValue: amountOf(1),
    fillProbability: 0.9,
    oldestBookAgeMs: 1,
    rates,
    plannedTimeNs: 0 as TimeNs,
    expectedCarry: amountOf(0),
  };
  return plan as Approved<Plan>;
}

/** A journal in memory that knows what would have survived a kill. */
export class MemoryJournal implements Recorder {
  readonly events: EngineEvent[] = [];
  flushed = 0;
  readonly #clock: VirtualClock;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  readonly record = <K extends EventKind>(kind: K, key: string, data: EventData<K>, text?: string): number => {
    assert(text === undefined || text === JSON.stringify(data), 'what stands in the file is not what was told');
    const seq = this.events.length + 1;
    const at = this.#clock.unixNs(this.#clock.now());
    this.events.push({ v: 1, engine: 'e', seq, at, key, kind, data } as unknown as EngineEvent);
    return seq;
  };

  readonly flush = (): void => {
    this.flushed = this.events.length;
  };

  of<K extends EventKind>(kind: K): EventData<K>[] {
    return this.events.filter((event) => event.kind === kind).map(({ data }) => data as EventData<K>);
  }
}
