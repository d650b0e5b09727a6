import type { KinesisStreamEvent } from 'aws-lambda';
import type { EngineEvent, EventData, EventKind } from '#shared/schema/event.ts';
import {
  LATENCY_BOUNDS_S,
  type EngineStatus,
  type LatencyCounts,
  type MarketSample,
  type RiskStatus,
} from '#shared/schema/status.ts';

export const ENGINE = 'engine-1';
/** 2026-11-21T00:00:00Z */
const ORIGIN_NS = 1_795_219_200_000_000_000n;

export function eventOf<K extends EventKind>(
  kind: K,
  seq: number,
  data: EventData<K>,
  { engine = ENGINE, key = 'k' }: { engine?: string; key?: string } = {},
): EngineEvent {
  const at = String(ORIGIN_NS + BigInt(seq) * 1_000_000n);
  return { v: 1, engine, seq, at, key, kind, data } as EngineEvent;
}

/** A batch as Lambda gets it. */
export function batchOf(texts: readonly string[], shard = 'shardId-000000000000', from = 1): KinesisStreamEvent {
  return {
    Records: texts.map((text, index) => {
      const sequenceNumber = String(from + index).padStart(12, '0');
      return {
        awsRegion: 'local',
        eventID: `${shard}:${sequenceNumber}`,
        eventName: 'aws:kinesis:record',
        eventSource: 'aws:kinesis',
        eventSourceARN: 'arn',
        eventVersion: '1.0',
        invokeIdentityArn: 'local',
        kinesis: {
          kinesisSchemaVersion: '1.0',
          partitionKey: 'k',
          sequenceNumber,
          data: Buffer.from(text).toString('base64'),
          approximateArrivalTimestamp: 0,
        },
      };
    }),
  };
}

export const opportunityData = (
  id: string,
  over: Partial<EventData<'opportunity'>> = {},
): EventData<'opportunity'> => ({
  id,
  route: 'spatial:binance:BTC/USDT>okx:BTC/USDT',
  type: 'spatial',
  asset: 'USDT',
  legs: [
    { instrument: 'binance:BTC/USDT', side: 'buy', price: '60000.10', qty: '0.10' },
    { instrument: 'okx:BTC/USDT', side: 'sell', price: '60100.30', qty: '0.10' },
  ],
  notional: '6000.01',
  gross_edge_bps: '16.7',
  net_edge_bps: '12.5',
  fees: '1.2',
  slippage: '0.3',
  unwind_cost: '4.5',
  fill_probability: '0.96',
  expected_value: '6.9',
  oldest_book_age_ms: '12.5',
  status: 'active',
  checks: [{ name: 'trading-state', value: 'active', passed: true }],
  first_seen: String(ORIGIN_NS),
  last_seen: String(ORIGIN_NS + 5_000_000n),
  peak_net_edge_bps: '13',
  ...over,
});

export const operationData = (id: string, over: Partial<EventData<'operation'>> = {}): EventData<'operation'> => ({
  id,
  opportunity: 'opp-1',
  route: 'spatial:binance:BTC/USDT>okx:BTC/USDT',
  type: 'spatial',
  state: 'approved',
  notional: '6000.01',
  expected_profit: '7.500',
  rates: { BTC: '60000', USDT: '1' },
  legs: [
    { instrument: 'binance:BTC/USDT', side: 'buy', price: '60000.10', qty: '0.10' },
    { instrument: 'okx:BTC/USDT', side: 'sell', price: '60100.30', qty: '0.10' },
  ],
  ...over,
});

export const orderData = (
  id: string,
  operation: string,
  over: Partial<EventData<'order'>> = {},
): EventData<'order'> => ({
  client_order_id: id,
  operation,
  leg: 0,
  attempt: 0,
  purpose: 'leg',
  instrument: 'binance:BTC/USDT',
  side: 'buy',
  type: 'limit',
  time_in_force: 'IOC',
  price: '60000.10',
  qty: '0.10',
  filled_qty: '0',
  status: 'submitted',
  ...over,
});

export const fillData = (id: string, operation: string, over: Partial<EventData<'fill'>> = {}): EventData<'fill'> => ({
  trade_id: id,
  client_order_id: 'o-1',
  operation,
  instrument: 'binance:BTC/USDT',
  base: 'BTC',
  quote: 'USDT',
  side: 'buy',
  price: '60000.10',
  qty: '0.10',
  fee: '0.0001',
  fee_asset: 'BTC',
  liquidity: 'taker',
  ...over,
});

export const escalationData = (
  operation: string,
  over: Partial<EventData<'escalation'>> = {},
): EventData<'escalation'> => ({
  operation,
  state: 'open',
  reason: 'LOSS_ABOVE_MAX',
  request: 'okx filled 0.1 BTC and binance nothing.',
  loose: [{ instrument: 'okx:BTC/USDT', size: '-0.10', value: '6010.03' }],
  proposals: [
    {
      id: 'unwind-1',
      kind: 'unwind',
      cost: '12.50',
      orders: [{ instrument: 'okx:BTC/USDT', side: 'buy', price: '60200', qty: '0.10' }],
    },
    { id: 'accept', kind: 'accept', cost: '0', orders: [] },
  ],
  attempts: 3,
  loss: '4.2',
  since_ms: 1_795_219_200_000,
  ...over,
});

export const riskOf = (atMs: number): RiskStatus => ({
  at_ms: atMs,
  equity_usd: 1_000_000,
  var_usd: 12_345.6,
  expected_shortfall_usd: 15_000,
  parametric_var_usd: 12_000,
  monte_carlo_var_usd: null,
  confidence: 0.95,
  var_utilization: 0.25,
  drawdown: 0.01,
  max_drawdown: 0.02,
  leverage: 0.4,
  concentration: 0.2,
  correlation_risk: 0.3,
  liquidity_ratio: 1,
  exit_cost_usd: 20,
  daily_pnl_usd: -7,
  exposure: {
    gross_usd: 400_000,
    net_usd: 100,
    by_venue: { binance: 200_000 },
    by_asset: { BTC: 100 },
    by_family: { spatial: 0 },
  },
  stresses: { 'venue-down binance': -50_000 },
});

export const sampleOf = (instrument: string, atMs: number, over: Partial<MarketSample> = {}): MarketSample => ({
  instrument,
  at_ms: atMs,
  bid: '60000.10',
  bid_qty: '1.5',
  ask: '60000.30',
  ask_qty: '2',
  volume: '1234.500',
  status: 'live',
  age_ms: 3,
  bids: [
    ['60000.10', '1.5'],
    ['60000.00', '2.25'],
  ],
  asks: [
    ['60000.30', '2'],
    ['60000.40', '0.000000010000000001'],
  ],
  ...over,
});

/** So many latencies of so many seconds, as the engine counts them. */
export const countsOf = (...found: readonly (readonly [seconds: number, count: number])[]): LatencyCounts => {
  const counts = Array.from({ length: LATENCY_BOUNDS_S.length + 1 }, () => 0);
  for (const [seconds, count] of found) {
    const bucket = LATENCY_BOUNDS_S.findIndex((bound) => seconds <= bound);
    counts[bucket === -1 ? LATENCY_BOUNDS_S.length : bucket]! += count;
  }
  return { counts, sum_s: found.reduce((sum, [seconds, count]) => sum + seconds * count, 0) };
};

export const statusOf = (atMs: number, over: Partial<EngineStatus> = {}): EngineStatus => ({
  engine: ENGINE,
  epoch: 3,
  mode: 'paper',
  at_ms: atMs,
  started_at_ms: atMs - 60_000,
  trading_state: 'active',
  reason: 'start',
  version: '0.1.0',
  venues: [
    {
      id: 'binance',
      status: 'live',
      health: 0.98,
      messages: 1000,
      gaps: 1,
      resyncs: 2,
      reconnects: 0,
      books: 16,
      live_books: 15,
      age_ms: 12,
      age_ms_p99: 90,
      clock_offset_ms: -3,
    },
  ],
  messages: 5000,
  messages_per_second: 250,
  decision_ns: { p50: 4000, p99: 22_000, p999: 90_000 },
  latency: { decision: countsOf([3e-6, 97], [2e-5, 3]), order: countsOf([0.04, 4]) },
  opportunities: { detected: 7, executed: 2, rejected_by_reason: { EDGE_BELOW_MIN: 5 }, top: [] },
  operations: { completed: 2, failed: 0, recovering: 0, open: 1 },
  fills: 4,
  pnl: { realised: '12.340000000000000001', fees: '3.21' },
  journal: { records: 321, published: 300, lag_records: 21, lag_ms: 1500 },
  memory_bytes: 1e8,
  memory_limit_bytes: 4e8,
  cpu_percent: 42,
  ...over,
});
