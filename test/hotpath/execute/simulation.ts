import { Decimal } from 'decimal.js';
import { expect } from 'vitest';
import { Executor, PATIENCE } from '#hotpath/execute/executor.ts';
import { Ledger } from '#hotpath/execute/ledger.ts';
import { JournalState } from '#hotpath/recover/journal-state.ts';
import { decideRecovery, RECOVERY_LIMITS } from '#hotpath/recover/recovery.ts';
import { revive } from '#hotpath/recover/startup.ts';
import { assert } from '#shared/assert.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { ClientOrderId, TradeId, VenueId, VenueOrderId } from '#shared/domain/ids.ts';
import type { Fill, OrderGateway, OrderReport, OrderRequest } from '#shared/domain/order.ts';
import { ZERO } from '#shared/money/grid.ts';
import { flowsOf, recomputePnl, tradeKey } from '#shared/money/pnl.ts';
import type { Random } from '#shared/random.ts';
import { randomFrom } from '#shared/random.ts';
import type { LegShape } from './trading.ts';
import { instrumentOf, instruments, MemoryJournal, planOf, priceOf } from './trading.ts';

type Answer = OrderReport extends infer Report
  ? Report extends OrderReport
    ? Omit<Report, 'clientOrderId' | 'receivedTimeNs'>
    : never
  : never;

/** What became of an order at the venue, whatever we were told. */
type Truth = { readonly fills: readonly Fill[]; readonly end: Answer; arrived: boolean };

/**
 * A venue that does everything a venue can do to us: loses, repeats, delays and mixes up reports, rejects, fills in part, says an order is
 * canceled before its last fill is told, answers late or not at all.
 */
class FaultyVenue implements OrderGateway {
  onReport: (report: OrderReport) => void = () => undefined;
  onSubmit: (orders: readonly OrderRequest[]) => void = () => undefined;
  /** After this many orders no fault happens any more, so that every story has an end. */
  readonly #faultyOrders: number;
  readonly #orders = new Map<ClientOrderId, Truth>();
  readonly #clock: VirtualClock;
  readonly #random: Random;

  constructor(clock: VirtualClock, random: Random) {
    this.#clock = clock;
    this.#random = random;
    this.#faultyOrders = random.integer(12);
  }

  readonly submit: OrderGateway['submit'] = (orders) => {
    this.onSubmit(orders);
    for (const order of orders) this.#arrive(order);
  };

  readonly cancel = (): void => undefined;

  readonly probe: OrderGateway['probe'] = (id) => {
    if (this.#chance(0.2)) return;
    const truth = this.#orders.get(id);
    const answers: Answer[] = truth?.arrived !== true ? [{ kind: 'not-found' }] : [...fillsOf(truth), truth.end];
    this.#later(this.#random.next() * 300, () => {
      for (const answer of answers) this.#tell(id, answer);
    });
  };

  #arrive(request: OrderRequest): void {
    const id = request.clientOrderId;
    const truth = this.#decide(request);
    this.#orders.set(id, truth);
    if (this.#chance(0.05)) return; // never arrived: nothing will ever happen to it
    this.#later(this.#random.next() * 400, () => {
      truth.arrived = true;
      this.#report(id, truth);
    });
  }

  #decide(request: OrderRequest): Truth {
    if (this.#chance(0.15))
      return { fills: [], end: { kind: 'rejected', reason: 'venue-down', text: '' }, arrived: false };
    const share = this.#random.next();
    const isFull = share < (this.#isFaulty() ? 0.4 : 0.9);
    const lots = request.qty.div(instrumentOf(request.instrument)!.lot).toNumber();
    const filled = isFull ? lots : Math.floor(lots * this.#random.next());
    const fills: Fill[] = [];
    for (let left = filled; left > 0 && fills.length < 3;) {
      const part = fills.length === 2 ? left : 1 + this.#random.integer(left);
      fills.push(this.#fill(request, part, fills.length));
      left -= part;
    }
    return { fills, end: { kind: this.#chance(0.5) ? 'canceled' : 'expired' }, arrived: false };
  }

  #fill(request: OrderRequest, lots: number, number: number): Fill {
    const { base, quote, lot, fees } = instrumentOf(request.instrument)!;
    const qty = lot.times(lots);
    const inBase = fees.currency === 'received' && request.side === 'buy';
    return {
      tradeId: `${request.clientOrderId}-${number}` as TradeId,
      clientOrderId: request.clientOrderId,
      instrument: request.instrument,
      side: request.side,
      price: request.price,
      qty,
      fee: fees.taker.times(inBase ? qty : qty.times(request.price)),
      feeAsset: inBase ? base : quote,
      liquidity: 'taker',
    };
  }

  /** Tells the story of an order with all faults of the trade. A lost word loses all that follow: then only asking helps. */
  #report(id: ClientOrderId, truth: Truth): void {
    const answers: Answer[] = [];
    if (truth.end.kind !== 'rejected') answers.push({ kind: 'accepted', venueOrderId: `v-${id}` as VenueOrderId });
    answers.push(...fillsOf(truth), truth.end);
    if (this.#chance(0.2)) {
      answers.length = this.#random.integer(answers.length);
      if (this.#chance(0.5)) answers.push({ kind: 'unknown', cause: 'disconnect' });
    }
    for (const answer of answers) {
      const delayMs = this.#isFaulty() ? this.#random.next() * (this.#chance(0.1) ? 20_000 : 200) : 1;
      this.#later(delayMs, () => this.#tell(id, answer));
      if (this.#chance(0.15)) this.#later(this.#random.next() * 3_000, () => this.#tell(id, answer));
    }
  }

  #tell(id: ClientOrderId, answer: Answer): void {
    this.onReport({ clientOrderId: id, receivedTimeNs: this.#clock.now(), ...answer });
  }

  #later(delayMs: number, task: () => void): void {
    this.#clock.after(delayMs, task);
  }

  readonly #isFaulty = (): boolean => this.#orders.size < this.#faultyOrders;
  readonly #chance = (probability: number): boolean => this.#random.next() < probability && this.#isFaulty();
}

const fillsOf = (truth: Truth): Answer[] => truth.fills.map((fill) => ({ kind: 'fill', fill }));

const ROUTES: readonly (readonly LegShape[])[] = [
  [
    ['a:BTC/USDT', 'buy', '0.2', '50010'],
    ['b:BTC/USDT', 'sell', '0.1998', '50190'],
  ],
  [
    ['b:ETH/USDT', 'buy', '3', '2500'],
    ['a:ETH/USDT', 'sell', '3', '2510'],
  ],
  [
    ['a:BTC/USDT', 'buy', '0.2', '50000'],
    ['a:ETH/BTC', 'buy', '3.99', '0.05'],
    ['a:ETH/USDT', 'sell', '3.986', '2520'],
  ],
  [
    ['a:ETH/USDT', 'buy', '4', '2500'],
    ['b:ETH/BTC', 'sell', '3.996', '0.0502'],
    ['b:BTC/USDT', 'sell', '0.2002', '50100'],
  ],
];
const VENUES = ['a', 'b'] as VenueId[];
const FUNDS = { USDT: '40000', BTC: '1', ETH: '20' };

export type Outcome = {
  readonly operations: number;
  readonly recovered: number;
  readonly failed: number;
  readonly crashes: number;
  readonly steps: number;
};

/** One seeded story, with its invariants asked after every step. */
export function simulate(seed: number, crashes: number): Outcome {
  const world = new World(seed);
  let died = 0;
  for (let step = 0; step < 100_000; step += 1) {
    if (died < crashes && world.random.next() < 0.02) {
      world.crash();
      died += 1;
    }
    if (!world.clock.step(3_600e9)) {
      world.end();
      return { ...world.outcome(), crashes: died, steps: step };
    }
    world.check();
  }
  throw new Error(`the story of seed ${seed} has no end`);
}

class World {
  readonly random: Random;
  readonly clock = new VirtualClock(1_700_000_000_000_000_000n);
  #journal = new MemoryJournal(this.clock);
  readonly #venue: FaultyVenue;
  readonly #sent = new Set<string>();
  #ledger: Ledger;
  #executor: Executor;
  #epoch = 0;
  #checked = 0;
  readonly #trades = new Set<string>();
  readonly #totals = new Map<string, { venue: VenueId; asset: string; total: Decimal }>();

  constructor(seed: number) {
    this.random = randomFrom(seed);
    this.#venue = new FaultyVenue(this.clock, this.random.fork('venue'));
    this.#venue.onSubmit = (orders) => this.#checkSubmit(orders);
    [this.#ledger, this.#executor] = this.#boot(new JournalState());
    for (const venue of VENUES)
      for (const [asset, text] of Object.entries(FUNDS)) this.#add(venue, asset, new Decimal(text));
    for (let at = 0; at < 3; at += 1) {
      const route = ROUTES[this.random.integer(ROUTES.length)]!;
      this.clock.after(this.random.next() * 500, () => this.#executor.submit(planOf(`op-${at}`, route)));
    }
  }

  /** kill -9: what was not flushed is gone, and so is all memory. The next process reads the journal. */
  crash(): void {
    const journal = new MemoryJournal(this.clock);
    journal.events.push(...this.#journal.events.slice(0, this.#journal.flushed));
    journal.flush();
    this.#journal = journal;
    const state = new JournalState();
    for (const event of journal.events) state.apply(event);
    [this.#ledger, this.#executor] = this.#boot(
      JournalState.from(JSON.parse(JSON.stringify(state.checkpoint())) as never),
    );
  }

  #boot(state: JournalState): [Ledger, Executor] {
    this.#epoch += 1;
    const ledger = new Ledger(this.clock);
    const recorder = this.#journal;
    const alive = this.#epoch;
    const market = {
      levels: (instrument: Parameters<typeof priceOf>[0], side: 'buy' | 'sell') => {
        const price = priceOf(instrument).times(side === 'buy' ? '1.0001' : '0.9999');
        return alive === this.#epoch ? [{ price, qty: new Decimal(50) }] : [];
      },
      freeOf: ({ venue }: { venue: Parameters<Ledger['freeOf']>[0] }, asset: string) => ledger.freeOf(venue, asset),
      needOf: ledger.needOf,
      underlyingOf: () => ZERO,
    };
    const executor = new Executor({
      clock: this.clock,
      gateway: this.#venue,
      ledger,
      recorder,
      instrumentOf,
      decide: (view) => decideRecovery(view, market, RECOVERY_LIMITS),
      opportunityOf: (seen) => seen,
      epoch: this.#epoch,
      patience: PATIENCE,
    });
    this.#venue.onReport = executor.onReport;
    revive(state, VENUES, { default: FUNDS }, { ledger, executor, recorder, holdings: { restore: () => undefined } });
    recorder.flush();
    this.#checked = Math.min(this.#checked, recorder.events.length);
    return [ledger, executor];
  }

  /** No order before its journal record, no id twice. */
  #checkSubmit(orders: readonly OrderRequest[]): void {
    const journalled = new Set(
      this.#journal.events
        .slice(0, this.#journal.flushed)
        .map(({ data }) => ('client_order_id' in data ? data.client_order_id : '')),
    );
    for (const { clientOrderId } of orders) {
      expect(this.#sent.has(clientOrderId)).toBe(false);
      expect(journalled.has(clientOrderId)).toBe(true);
      this.#sent.add(clientOrderId);
    }
  }

  /** The ledger is the sum of the fills in the journal, each trade once; no reservation is negative. */
  check(): void {
    // The journal's timer: what happened in this step is in the file.
    this.#journal.flush();
    const news = this.#journal.events.slice(this.#checked);
    this.#checked = this.#journal.events.length;
    for (const event of news) {
      if (event.kind !== 'fill') continue;
      const fill = event.data;
      const trade = tradeKey({ ...fill, tradeId: fill.trade_id });
      expect(this.#trades.has(trade)).toBe(false);
      this.#trades.add(trade);
      const venue = fill.instrument.split(':')[0]!;
      const flows = flowsOf({ side: fill.side, price: new Decimal(fill.price), qty: new Decimal(fill.qty) });
      this.#add(venue, fill.base, flows.base);
      this.#add(venue, fill.quote, flows.quote);
      this.#add(venue, fill.fee_asset, new Decimal(fill.fee).neg());
    }
    if (news.length === 0) return;
    for (const { venue, asset, total } of this.#totals.values()) {
      assert(this.#ledger.totalOf(venue, asset).eq(total), `ledger of ${venue} ${asset} is not the sum of the fills`);
      assert(this.#ledger.reservedOf(venue, asset).gte(0), `reserved on ${venue} ${asset} is negative`);
    }
  }

  #add(venue: string, asset: string, amount: Decimal): void {
    const account = `${venue} ${asset}`;
    const total = (this.#totals.get(account)?.total ?? ZERO).plus(amount);
    this.#totals.set(account, { venue: venue as VenueId, asset, total });
  }

  /** Every operation has ended; what is left agrees with the events alone. */
  end(): void {
    expect(this.#executor.counts.open).toBe(0);
    expect(this.#executor.counts.recovering).toBe(0);
    expect(this.#ledger.exposures.total).toBe(0);
    for (const venue of VENUES) {
      for (const asset of Object.keys(FUNDS)) expect(this.#ledger.reservedOf(venue, asset).toFixed()).toBe('0');
    }
    for (const instrument of instruments.keys()) expect(this.#executor.busy(instrument)).toBe(false);
    const recomputed = recomputePnl(this.#journal.events);
    expect(this.#ledger.pnl.realised.toFixed()).toBe(recomputed.realised.toFixed());
    expect(this.#ledger.pnl.fees.toFixed()).toBe(recomputed.fees.toFixed());

    const state = new JournalState();
    for (const event of this.#journal.events) state.apply(event);
    expect(state.openOperations()).toEqual([]);
    const folded = state.ledger();
    expect(folded.realised.toFixed()).toBe(recomputed.realised.toFixed());
    for (const { venue, asset, total } of folded.balances) {
      expect(this.#ledger.totalOf(venue, asset).toFixed()).toBe(total.toFixed());
    }
    for (const [asset, amount] of this.#ledger.dust) {
      expect((folded.dust[asset] ?? ZERO).toFixed()).toBe(amount.toFixed());
    }
    for (const { instrument, ...position } of folded.positions) {
      expect(JSON.stringify(this.#ledger.positionOf(instrument))).toBe(JSON.stringify(position));
    }
    this.#checkOperations();
  }

  /** The last event of each operation is an end, and its profit is that of its own fills. */
  #checkOperations(): void {
    const last = new Map(this.#journal.of('operation').map((operation) => [operation.id, operation]));
    for (const operation of last.values()) {
      expect(['completed', 'failed']).toContain(operation.state);
      const own = this.#journal.events.filter(
        ({ kind, data }) =>
          (kind === 'fill' && 'operation' in data && data.operation === operation.id) ||
          (kind === 'operation' && 'id' in data && data.id === operation.id),
      );
      const pnl = recomputePnl(own);
      // An operation that a dead process had only approved never had an order, and says so.
      expect(operation.pnl?.realised).toBe(pnl.realised.toFixed());
    }
  }

  outcome(): Omit<Outcome, 'crashes' | 'steps'> {
    const operations = this.#journal.of('operation');
    return {
      operations: new Set(operations.map(({ id }) => id)).size,
      recovered: operations.filter(({ state }) => state === 'recovering').length,
      failed: operations.filter(({ state }) => state === 'failed').length,
    };
  }
}
