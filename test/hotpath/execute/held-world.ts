import { Decimal } from 'decimal.js';
import { Executor, PATIENCE } from '#hotpath/execute/executor.ts';
import type { FundingWord } from '#hotpath/execute/funding.ts';
import { Holdings } from '#hotpath/execute/holdings.ts';
import { Ledger } from '#hotpath/execute/ledger.ts';
import { PaperGateway } from '#hotpath/execute/paper-gateway.ts';
import { JournalState } from '#hotpath/recover/journal-state.ts';
import { recoveryMarketFrom } from '#hotpath/recover/recovery-market.ts';
import { decideRecovery, RECOVERY_LIMITS } from '#hotpath/recover/recovery.ts';
import { revive } from '#hotpath/recover/startup.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { Asset, InstrumentId, InstrumentIndex, OperationId, TimeNs, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { OrderReport } from '#shared/domain/order.ts';
import type { Side } from '#shared/domain/route.ts';
import type { Approved, Bond, Plan } from '#shared/domain/trade.ts';
import { amountOf, type Price, type Qty } from '#shared/money/grid.ts';
import { randomFrom } from '#shared/random.ts';
import { MemoryJournal, spot } from './trading.ts';

const HOUR_MS = 3_600_000;
export const START_MS = Date.UTC(2026, 0, 1);
export const EXPIRY_MS = START_MS + 20 * 60_000;
export const HORIZON_MS = 8 * HOUR_MS;

const text = (value: string): Decimal => new Decimal(value);

const dated = { expiryMs: EXPIRY_MS };
type Shape = Partial<Omit<Instrument, 'contractSize'>> & { readonly contractSize?: string };

/** A contract of venue d. */
function contract(symbol: string, { contractSize, ...shape }: Shape): Instrument {
  return {
    ...spot('d', 'BTC/USDT', 'quote', { fee: '0.0005', tick: '0.0001', minQty: '1', minNotional: '0' }),
    id: `d:${symbol}` as InstrumentId,
    symbol,
    kind: 'future',
    contractSize: text(contractSize ?? '1'),
    lot: text('1'),
    fees: { maker: text('0.0002'), taker: text('0.0005'), currency: 'settle', delivery: text('0.0001') },
    ...shape,
  };
}

const option = (symbol: string, right: 'call' | 'put', shape: Shape): Instrument =>
  contract(symbol, {
    ...dated,
    kind: 'option',
    right,
    fees: {
      maker: text('0.0003'),
      taker: text('0.0003'),
      currency: 'settle',
      premiumShareMax: text('0.125'),
      delivery: text('0.00015'),
    },
    ...shape,
  });

const coin = { quote: 'BTC' as Asset, settle: 'BTC' as Asset };
const inverse = { quote: 'USD' as Asset, settle: 'BTC' as Asset, inverse: true, contractSize: '10' };

export const SPOT = spot('a', 'BTC/USDT', 'received');
export const PERPETUAL = contract('BTC/USDT:USDT', { kind: 'perpetual', contractSize: '0.001' });
export const FUTURE = contract('BTC/USDT:USDT-260102', { ...dated, contractSize: '0.1' });
export const CALL = option('BTC/USDT:USDT-260102-30000-C', 'call', { strike: text('30000') });
export const PUT = option('BTC/USDT:USDT-260102-30000-P', 'put', { strike: text('30000') });
export const COIN_FUTURE = contract('BTC/USD:BTC-260102', { ...dated, ...inverse });
export const COIN_CALL = option('BTC/USD:BTC-260102-60000-C', 'call', { ...coin, strike: text('60000') });
export const COIN_PUT = option('BTC/USD:BTC-260102-60000-P', 'put', { ...coin, strike: text('60000') });

const LISTED = [SPOT, PERPETUAL, FUTURE, CALL, PUT, COIN_FUTURE, COIN_CALL, COIN_PUT];
const FUNDS = { USDT: '200000', BTC: '10' };
const VENUES = ['a', 'd'];

export type Quote = { bid: number; ask: number; qty: number };
export type SumLeg = readonly [instrument: Instrument, side: Side, qty: string, price: string];

/** A sum plan as sizing makes them: `carry` of the expected profit comes after the fills. */
export function sumPlan(
  operation: string,
  shapes: readonly SumLeg[],
  more: { readonly units: string; readonly profit: string; readonly carry: string; readonly endsMs?: number },
): Approved<Plan> {
  const units = text(more.units);
  const bond: Bond = {
    units,
    perUnit: shapes.map(([, , qty]) => text(qty).div(units)),
    intent: 'enter',
    ...(more.endsMs === undefined ? {} : { endsMs: more.endsMs }),
  };
  const plan = {
    operation: operation as OperationId,
    opportunity: `opp-${operation}`,
    route: `route-${operation}`,
    family: 'parity',
    asset: 'USDT',
    legs: shapes.map(([{ id }, side, qty, price]) => ({
      instrument: id,
      side,
      price: text(price) as Price,
      qty: text(qty) as Qty,
      expectedPrice: text(price),
      notional: amountOf(30_000),
    })),
    notional: amountOf(60_000),
    expectedProfit: amountOf(more.profit),
    netEdgeBps: 10,
    expectedValue: amountOf(1),
    fillProbability: 0.9,
    oldestBookAgeMs: 1,
    rates: { BTC: text('30000'), USDT: text('1'), USD: text('1') },
    plannedTimeNs: 0 as TimeNs,
    expectedCarry: amountOf(more.carry),
    bond,
  };
  return plan as unknown as Approved<Plan>;
}

/** The paper half of the engine on scripted books: it can be killed at any time and started again from its journal. */
export class HeldWorld {
  readonly clock = new VirtualClock(BigInt(START_MS) * 1_000_000n);
  /** By instrument id; one level a side. */
  readonly quotes = new Map<string, Quote>();
  /** The underlying, as venues say it. */
  index = 30_000;
  /** How far the machine's wall clock has been set, as holdings see it. */
  wallStepMs = 0;
  funding: FundingWord | undefined;
  expectedRate = 0;
  /** Share of its notional that a holding may lose. */
  stopLoss = 1;
  maxAgeMs = Infinity;
  /** Instruments whose position the venue is near to reducing. */
  readonly nextToGo = new Set<string>();
  /** Values of assets in the numeraire, but of coins, which are worth the index; undefined while nobody can say. */
  rates: Readonly<Record<string, number>> | undefined = { USDT: 1, USD: 1 };
  journal = new MemoryJournal(this.clock);
  ledger!: Ledger;
  executor!: Executor;
  holdings!: Holdings;
  state!: JournalState;
  listed: readonly Instrument[] = LISTED;
  #epoch = 0;

  constructor() {
    this.#boot(new JournalState());
  }

  get nowMs(): number {
    return this.clock.unixMs(this.clock.now());
  }

  runUntilMs(unixMs: number): void {
    this.clock.runUntil((unixMs - START_MS) * 1e6);
  }

  /** kill -9: nothing is left but the journal, up to its last flush, to the last record, or so many records of it. */
  crash(keep: 'flushed' | 'all' | number): void {
    const journal = new MemoryJournal(this.clock);
    const kept = keep === 'flushed' ? this.journal.flushed : keep === 'all' ? undefined : keep;
    journal.events.push(...this.journal.events.slice(0, kept));
    journal.flush();
    this.holdings.stop();
    this.executor.stop();
    this.journal = journal;
    const state = new JournalState();
    for (const event of journal.events) state.apply(event);
    this.#boot(JournalState.from(JSON.parse(JSON.stringify(state.checkpoint())) as never));
  }

  #boot(state: JournalState): void {
    this.#epoch += 1;
    const { clock, journal: recorder } = this;
    const epoch = this.#epoch;
    const listed = (id: InstrumentId): Instrument | undefined => this.listed.find((one) => one.id === id);
    const underlyingOf = (instrument: Instrument): Decimal =>
      new Decimal(instrument.base === instrument.quote ? 1 : this.index);
    const ledger = new Ledger(clock, { fraction: text('0.2'), underlyingOf, instrumentOf: listed });
    const side = (of: 'bid' | 'ask') => (index: InstrumentIndex, prices: Float64Array, qtys: Float64Array) => {
      const quote = this.quotes.get(LISTED[index]!.id);
      if (quote === undefined) return 0;
      [prices[0], qtys[0]] = [quote[of], quote.qty];
      return 1;
    };
    const indexOf = (id: InstrumentId): InstrumentIndex => LISTED.findIndex((one) => one.id === id) as InstrumentIndex;
    const gateway = new PaperGateway({
      clock,
      random: randomFrom(epoch),
      depths: {
        status: (index) => (this.quotes.has(LISTED[index]!.id) ? 'live' : 'stale'),
        asks: side('ask'),
        bids: side('bid'),
        ageMs: () => 0,
      },
      instrumentOf: (id) => ({ instrument: LISTED[indexOf(id)]!, index: indexOf(id) }),
      idOf: (index) => LISTED[index]!.id,
      onReport: (report: OrderReport) => {
        if (epoch === this.#epoch) executor.onReport(report);
      },
      latencyMs: 5,
      latencyJitterMs: 3,
      displayedFraction: 1,
      underlyingOf,
      settlementPriceOf: () => this.index,
    });
    const market = recoveryMarketFrom({
      depths: gateway.depths,
      indexOf,
      freeOf: (venue, asset) => ledger.freeOf(venue, asset),
      needOf: ledger.needOf,
      underlyingOf,
    });
    const executor: Executor = new Executor({
      clock,
      gateway,
      ledger,
      recorder,
      instrumentOf: listed,
      decide: (view) => decideRecovery(view, market, RECOVERY_LIMITS),
      opportunityOf: (seen) => seen,
      epoch,
      patience: PATIENCE,
      rateOf: () => undefined,
      keeper: {
        entered: (operation) => holdings.entered(operation),
        closing: (...closing) => holdings.closing(...closing),
        exited: (holding) => holdings.exited(holding),
      },
    });
    let exits = 0;
    const holdings: Holdings = new Holdings({
      clock: {
        now: clock.now,
        unixNs: clock.unixNs,
        unixMs: (at) => clock.unixMs(at) + this.wallStepMs,
        after: clock.after,
      },
      ledger,
      recorder,
      market: { instrumentOf: listed, levels: market.levels, underlyingOf, expectedFunding: () => this.expectedRate },
      settle: gateway.settle,
      fundingOf: () => this.funding,
      rateOf: (asset) => (this.rates === undefined || asset !== 'BTC' ? this.rates?.[asset] : this.index),
      nextOperation: () => `x${epoch}-${(exits += 1)}` as OperationId,
      exit: (plan) => executor.submit(plan as Approved<Plan>),
      busy: executor.busy,
      entries: executor,
      isExiting: executor.isExiting,
      horizonMs: HORIZON_MS,
      stopLoss: () => this.stopLoss,
      maxAgeMs: () => this.maxAgeMs,
      isNextToGo: (id) => this.nextToGo.has(id),
    });
    [this.ledger, this.executor, this.holdings, this.state] = [ledger, executor, holdings, state];
    revive(state, VENUES, { default: FUNDS }, { ledger, executor, holdings, recorder });
    recorder.flush();
    holdings.start();
  }

  /** What the accounts hold of an asset beyond what they began with. */
  gained(asset: string): Decimal {
    const total = VENUES.reduce((sum, venue) => sum.plus(this.ledger.totalOf(venue as VenueId, asset)), text('0'));
    return total.minus(text(FUNDS[asset as keyof typeof FUNDS]).times(VENUES.length));
  }

  /** All fees that the journal knows, in an asset. */
  feesIn(asset: string): Decimal {
    return [...this.journal.of('fill'), ...this.journal.of('settlement')]
      .filter(({ fee_asset }) => fee_asset === asset)
      .reduce((sum, { fee }) => sum.plus(fee), text('0'));
  }

  /** The books of everything, a little apart. */
  quote(instrument: Instrument, bid: number, ask: number, qty = 1e6): void {
    this.quotes.set(instrument.id, { bid, ask, qty });
  }
}
