import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Decimal } from 'decimal.js';
import { Executor, PATIENCE } from '#hotpath/execute/executor.ts';
import { Ledger } from '#hotpath/execute/ledger.ts';
import { PaperGateway } from '#hotpath/execute/paper-gateway.ts';
import { Journal } from '#hotpath/publish/journal.ts';
import { JournalState } from '#hotpath/recover/journal-state.ts';
import { RiskGate } from '#hotpath/risk/risk-gate.ts';
import { loadConfig } from '#shared/config/load.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { Asset, InstrumentIndex, OperationId, TradeId, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { OrderGateway, OrderReport, OrderRequest } from '#shared/domain/order.ts';
import type { Approved, Plan } from '#shared/domain/trade.ts';
import type { Price, Qty } from '#shared/money/grid.ts';
import { amountOf } from '#shared/money/grid.ts';
import { randomFrom } from '#shared/random.ts';
import { calm } from '#test/support/calm.ts';
import { spot } from '#test/support/market.ts';
import type { Goal, Row } from './cases.ts';
import { median } from './measure.ts';
import { ResultHash } from './result-hash.ts';

const instruments: readonly Instrument[] = ['a:BTC/USDT', 'b:BTC/USDT'].map((id) => spot(id));
const LEGS = instruments.length;
/** Plans on their way at a time. */
const AT_ONCE = 8;
const ORIGIN = 1_700_000_000_000_000_000n;
const RATES = { BTC: new Decimal(50_000), USDT: new Decimal(1) };
const { risk } = loadConfig({ dir: 'config', env: {} });

type Gateway = (clock: VirtualClock, onReport: (report: OrderReport) => void) => OrderGateway;

/**
 * Plans of two legs. Sent: every limit asked, reserved, journalled to a file and flushed, handed to the gateway. To their end: acknowledged, filled, booked,
 * ended and attributed besides, each step in the journal; through a gateway that answers at once what is left are transitions of orders and operations. What is
 * journalled is folded into the state of the journal afterwards, as in the engine, where a timer does it once the orders have left: a row by itself, in no other.
 */
export function orderFlowCases(plans: number, rounds: number): readonly Row[] {
  const paper = roundsOf(plans, rounds, paperGateway);
  const instant = roundsOf(plans, rounds, instantGateway);
  const rate = (name: string, nsOf: (flow: Flow) => number): Row => {
    const times = paper.map(nsOf);
    const quiet = (1e9 * LEGS) / Math.min(...times);
    return { name, unit: 'orders/s', value: (1e9 * LEGS) / median(times), quiet, hash: paper[0]!.hash };
  };
  const each = (name: string, nsOf: (flow: Flow) => number): Row => {
    const times = instant.map((flow) => nsOf(flow) / flow.records);
    return { name, unit: 'ns/record', value: median(times), quiet: Math.min(...times), hash: instant[0]!.hash };
  };
  const sent: Goal = { of: 'value', least: 50_000 };
  const transition: Goal = { of: 'value', most: 10_000 };
  return [
    { ...rate('paper orders through gate, journal, gateway', ({ sendNs }) => sendNs), goal: sent },
    rate('the same to their end', ({ sendNs, endNs }) => sendNs + endNs),
    { ...each('a transition, journalled', ({ sendNs, endNs }) => sendNs + endNs), goal: transition },
    each('its fold into the state, afterwards', ({ foldNs }) => foldNs),
  ];
}

/** By plan. */
type Flow = {
  readonly sendNs: number;
  readonly endNs: number;
  readonly foldNs: number;
  readonly records: number;
  readonly hash: string;
};

/** The first one, which warms up, is left out. */
const roundsOf = (plans: number, rounds: number, gateway: Gateway): readonly Flow[] =>
  Array.from({ length: rounds + 1 }, () => flowOf(plans, gateway)).slice(1);

function flowOf(count: number, gatewayOf: Gateway): Flow {
  const directory = mkdtempSync(join(tmpdir(), 'order-flow-'));
  const clock = new VirtualClock(ORIGIN);
  const state = new JournalState();
  const journal = new Journal({ directory, engine: 'bench', clock, observe: (event) => state.defer(event) });
  const ledger = new Ledger(clock);
  for (const venue of ['a', 'b'] as VenueId[])
    for (const asset of ['BTC', 'USDT']) ledger.deposit(venue, asset, new Decimal(1e9));
  const gateway = gatewayOf(clock, (report) => executor.onReport(report));
  const executor: Executor = new Executor({
    clock,
    gateway,
    ledger,
    recorder: {
      record: (kind, key, data, text) => journal.append(kind, key, data, text),
      flush: () => journal.flush(),
    },
    instrumentOf: (id) => instruments.find((listed) => listed.id === id),
    decide: () => ({ kind: 'complete' }),
    opportunityOf: (seen) => seen,
    epoch: 1,
    patience: PATIENCE,
  });
  const gate = new RiskGate(risk, instruments, calm);
  const plans = Array.from({ length: count }, (_none, at) => planOf(at));

  let [sentMs, endedMs, foldedMs] = [0, 0, 0];
  for (let from = 0; from < count; from += AT_ONCE) {
    const started = performance.now();
    for (const plan of plans.slice(from, from + AT_ONCE)) {
      const verdict = gate.approve(plan, clock.now());
      if (verdict.kind === 'approved') executor.submit(verdict.plan);
    }
    const sent = performance.now();
    clock.runUntil(clock.now() + 20e6);
    // As the engine's publisher does with what no order waits for.
    journal.flush();
    const ended = performance.now();
    state.fold();
    sentMs += sent - started;
    endedMs += ended - sent;
    foldedMs += performance.now() - ended;
  }

  const hash = new ResultHash();
  hash.text(`${executor.counts.completed} ${ledger.pnl.realised.toFixed()} ${ledger.fills} ${journal.lastSeq}`);
  journal.close();
  rmSync(directory, { recursive: true });
  const eachNs = (ms: number): number => (ms * 1e6) / count;
  const records = journal.lastSeq / count;
  return { sendNs: eachNs(sentMs), endNs: eachNs(endedMs), foldNs: eachNs(foldedMs), records, hash: hash.hex };
}

const paperGateway: Gateway = (clock, onReport) => {
  let displayed = 0;
  const side = (price: number) => (_index: InstrumentIndex, prices: Float64Array, qtys: Float64Array) => {
    prices[0] = price;
    // Another level every time: what was taken of the one before says nothing of it.
    qtys[0] = 10 + ((displayed += 1) % 1_000) / 1_000;
    return 1;
  };
  return new PaperGateway({
    clock,
    random: randomFrom(1),
    depths: { status: () => 'live', asks: side(50_000), bids: side(50_000), ageMs: () => 0 },
    instrumentOf: (id) => {
      const index = instruments[0]!.id === id ? 0 : 1;
      return { instrument: instruments[index]!, index: index as InstrumentIndex };
    },
    idOf: (index) => instruments[index]!.id,
    onReport,
    latencyMs: 5,
    latencyJitterMs: 3,
    displayedFraction: 0.8,
  });
};

/** Fills whole orders in the tick in which they come, after the call that brought them. */
const instantGateway: Gateway = (clock, onReport) => ({
  submit: (orders) => {
    for (const order of orders) clock.after(0, () => fillWhole(order, clock, onReport));
  },
  cancel: () => undefined,
  replace: () => false,
  probe: () => undefined,
});

function fillWhole(order: OrderRequest, clock: VirtualClock, onReport: (report: OrderReport) => void): void {
  const { clientOrderId, instrument, side, price, qty } = order;
  const said = { clientOrderId, receivedTimeNs: clock.now() };
  onReport({ ...said, kind: 'accepted', venueOrderId: `v-${clientOrderId}` as never });
  const trade = { tradeId: `t-${clientOrderId}` as TradeId, clientOrderId, instrument, side, price, qty };
  const fee = { fee: qty.times(price).times('0.001'), feeAsset: 'USDT' as Asset, liquidity: 'taker' as const };
  onReport({ ...said, kind: 'fill', fill: { ...trade, ...fee } });
}

function planOf(at: number): Plan {
  const qty = new Decimal('0.0123').plus(new Decimal(at % 100).div(10_000)) as Qty;
  const legs = instruments.map(({ id }, leg) => ({
    instrument: id,
    side: leg === 0 ? ('buy' as const) : ('sell' as const),
    price: new Decimal(leg === 0 ? '50010.5' : '49990.25') as Price,
    qty,
    expectedPrice: new Decimal(50_000),
    notional: amountOf(qty.times(50_000)),
  }));
  const plan = {
    operation: `p1-${at}` as OperationId,
    opportunity: `o1-${at}`,
    route: 'a:BTC/USDT>b:BTC/USDT',
    family: 'spatial',
    asset: 'USDT',
    legs,
    notional: amountOf(600),
    expectedProfit: amountOf('0.25'),
    netEdgeBps: 5,
    expectedValue: amountOf('0.2'),
    fillProbability: 0.9,
    oldestBookAgeMs: 5,
    rates: RATES,
    plannedTimeNs: 0,
    expectedCarry: amountOf(0),
  };
  return plan as unknown as Approved<Plan>;
}
