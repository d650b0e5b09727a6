import { Decimal } from 'decimal.js';
import { assert } from '#shared/assert.ts';
import type {
  Asset,
  ClientOrderId,
  InstrumentId,
  OperationId,
  OpportunityId,
  RouteId,
  TradeId,
  VenueId,
} from '#shared/domain/ids.ts';
import type { Held, HeldState } from '#shared/domain/held.ts';
import { afterClosing, afterFunding, endedOf } from '#shared/domain/held.ts';
import type { OpenOperation, OpenOrder, LedgerState, Taking } from '#shared/domain/recovery.ts';
import type { Price, Qty } from '#shared/money/grid.ts';
import { compare, negated, plus } from '#shared/money/exact.ts';
import { decimalFrom, textOf, ZERO } from '#shared/money/grid.ts';
import type { FillFacts, Pnl, Rates } from '#shared/money/pnl.ts';
import {
  contractFrom,
  decimalsFrom,
  fillFactsFrom,
  flowsOf,
  fundingValue,
  pnlOfFill,
  pnlOfSettlement,
  tradeKey,
} from '#shared/money/pnl.ts';
import type { Amounts, Position } from '#shared/money/position.ts';
import { adjustmentOf, bookingOf, closingOf, FLAT } from '#shared/money/position.ts';
import { heldFrom, holdingEventOf } from '#shared/schema/held-event.ts';
import type { EngineEvent, EventData } from '#shared/schema/event.ts';

type OperationRecord = {
  operation: EventData<'operation'>;
  readonly orders: Map<string, EventData<'order'>>;
  readonly fills: EventData<'fill'>[];
  /** What venues have taken of it by themselves; absent where nothing was. */
  taken?: EventData<'settlement'>[];
  /** Dust of this operation that is in the dust ledger already, by asset. */
  dust: Record<string, string>;
  /** When it was first told of, Unix ms; absent in what was saved before that was kept. */
  readonly sinceMs?: number;
  /** When it last said how it is, Unix ms; absent as above. */
  toldMs?: number;
};

/** `sentMs`: no later than when it was sent, Unix ms. `venueOrderId` is undefined while the venue had not answered. */
export type RecentOrder = {
  readonly request: OpenOrder['request'];
  readonly venueOrderId: string | undefined;
  readonly sentMs: number;
};

/** As a checkpoint holds it. */
type SavedOperation = Omit<OperationRecord, 'orders'> & { readonly orders: Record<string, EventData<'order'>> };

/** The state as text: what a checkpoint holds. */
export type Checkpoint = {
  readonly v: 1;
  readonly seq: number;
  readonly epoch: number;
  readonly accounts: Readonly<Record<string, string>>;
  readonly positions: Readonly<
    Record<
      string,
      {
        readonly size: string;
        readonly entryPrice: string;
        readonly realised: string;
        readonly cost?: string;
        readonly openedMs?: number;
      }
    >
  >;
  readonly deviations: Readonly<Record<string, string>>;
  readonly dust: Readonly<Record<string, string>>;
  readonly operations: readonly SavedOperation[];
  readonly opportunities: readonly EventData<'opportunity'>[];
  readonly pnl: { readonly realised: string; readonly fees: string; readonly fills: number };
  readonly today: { readonly day: number; readonly realised: string };
  /** What trading was last told to be; null before the first command. */
  readonly trading: Trading | null;
  /** Absent in what was saved before anything could be held. */
  readonly holdings?: readonly EventData<'holding'>[];
  /** Absent in what was saved before they were kept. */
  readonly endedHoldings?: readonly EventData<'holding'>[];
  /** When each perpetual was last paid for, Unix ms. */
  readonly fundedMs?: Readonly<Record<string, number>>;
  readonly peakRealised?: string;
  /** Trades of nobody's order that are booked. */
  readonly forced?: readonly string[];
  readonly forcedRests?: Readonly<Record<string, string>>;
  readonly ageing?: readonly EventData<'ageing'>[];
  readonly limits?: Readonly<Record<string, number>>;
  readonly commands?: readonly string[];
  readonly breakers?: readonly EventData<'breaker'>[];
  readonly escalations?: readonly EventData<'escalation'>[];
  readonly mismatches?: readonly EventData<'mismatch'>[];
  readonly emergency?: Emergency | undefined;
  readonly mode?: EventData<'engine-started'>['mode'] | undefined;
  readonly at?: string;
};

type Trading = Pick<EventData<'trading-state'>, 'state' | 'reason'>;
type Emergency = EventData<'emergency-stop'>;

/** Ended operations kept because a late fill may still wake them. */
const ENDED_MAX = 500;
const COMMANDS_MAX = 1_000;
const FORCED_MAX = 1_000;
const AGEING_MAX = 1_000;
const DAY_MS = 86_400_000;
/** Events that may wait to be folded: they are kept for it, and whoever reads waits for all of them. */
const WAITING_MAX = 4_096;

/**
 * What the journal says, folded event by event: balances, positions, what is open. At start-up it is the memory of the engine; while the
 * engine runs it follows along, so that a checkpoint costs no reading. What is deferred is folded before anything is read: no reader sees the difference.
 */
export class JournalState {
  #seq = 0;
  #epoch = 0;
  readonly #accounts = new Map<string, Decimal>();
  readonly #positions = new Map<string, Position>();
  readonly #openedMs = new Map<string, number>();
  readonly #deviations = new Map<string, Decimal>();
  readonly #dust = new Map<string, Decimal>();
  readonly #open = new Map<string, OperationRecord>();
  readonly #ended = new Map<string, OperationRecord>();
  readonly #opportunities = new Map<string, EventData<'opportunity'>>();
  readonly #holdings = new Map<string, Held>();
  readonly #endedHoldings = new Map<string, Held>();
  readonly #fundedMs = new Map<string, number>();
  #realised: Decimal = ZERO;
  #fees: Decimal = ZERO;
  #peak: Decimal = ZERO;
  readonly #forced = new Set<string>();
  readonly #forcedRests = new Map<string, Decimal>();
  readonly #ageing = new Map<string, EventData<'ageing'>>();
  #fills = 0;
  #day = 0;
  #dayRealised: Decimal = ZERO;
  #trading: Trading | null = null;
  #limits: Readonly<Record<string, number>> = {};
  readonly #commands = new Set<string>();
  readonly #breakers = new Map<string, EventData<'breaker'>>();
  readonly #escalations = new Map<string, EventData<'escalation'>>();
  readonly #mismatches = new Map<string, EventData<'mismatch'>>();
  #emergency: Emergency | undefined;
  #mode: EventData<'engine-started'>['mode'] | undefined;
  #at = '0';
  /** Told and not folded yet: a ring, its next one, and how many they are. */
  readonly #waiting: (EngineEvent | undefined)[] = [];
  #next = 0;
  #waits = 0;

  /** Sequence number of the last event. */
  get seq(): number {
    this.fold();
    return this.#seq;
  }

  /** The last start of the engine; 0 when it never ran. */
  get epoch(): number {
    this.fold();
    return this.#epoch;
  }

  /** What trading was last told to be; null before the first command. It outlives a crash: a stop stays a stop. */
  get trading(): Trading | null {
    this.fold();
    return this.#trading;
  }

  /** The emergency stop that no start has ended, as it was last told of: a restart does not end it either. */
  get emergency(): Emergency | undefined {
    this.fold();
    return this.#emergency;
  }

  /** The most that had been earned since the first start: realised, or at the prices of then where that was told. Drawdown is measured from it. */
  get peak(): Decimal {
    this.fold();
    return this.#peak;
  }

  /** What was told of its age and is open still, as {@link ageKey} names it. */
  get ageing(): ReadonlyMap<string, EventData<'ageing'>> {
    this.fold();
    return this.#ageing;
  }

  /** Limits of the gate that were set by command. */
  get limits(): Readonly<Record<string, number>> {
    this.fold();
    return this.#limits;
  }

  /** Breakers that nobody has reset: a restart closes none. */
  get openBreakers(): readonly EventData<'breaker'>[] {
    this.fold();
    return [...this.#breakers.values()];
  }

  /** Commands that were answered: told again, they are not carried out again. */
  get commands(): ReadonlySet<string> {
    this.fold();
    return this.#commands;
  }

  /** By operation: what a person was asked and has not answered. */
  get openEscalations(): ReadonlyMap<string, EventData<'escalation'>> {
    this.fold();
    return this.#escalations;
  }

  /** What venues said otherwise than the ledger, and nobody has settled. */
  get openMismatches(): readonly EventData<'mismatch'>[] {
    this.fold();
    return [...this.#mismatches.values()];
  }

  /** Of the last start: money on paper is not money. */
  get mode(): EventData<'engine-started'>['mode'] | undefined {
    this.fold();
    return this.#mode;
  }

  /** When the last event was, Unix ms; 0 before the first. */
  get atMs(): number {
    this.fold();
    return msOf(this.#at);
  }

  /** Trades of operations that are open or were lately, and those that venues forced, as {@link tradeKey} names them. */
  recentTrades(): ReadonlySet<string> {
    this.fold();
    const records = [...this.#open.values(), ...this.#ended.values()];
    const ours = records.flatMap(({ fills }) => fills.map((fill) => tradeKey({ ...fill, tradeId: fill.trade_id })));
    return new Set([...this.#forced, ...ours]);
  }

  /** Orders of operations that are open or were lately. */
  recentOrders(): ReadonlyMap<ClientOrderId, RecentOrder> {
    this.fold();
    const records = [...this.#ended.values(), ...this.#open.values()];
    return new Map(
      records.flatMap(({ orders, sinceMs = msOf(this.#at) }) =>
        [...orders.values()].map((order) => {
          const { request } = openOrderFrom(order, []);
          const venueOrderId = order.venue_order_id;
          return [request.clientOrderId, { request, venueOrderId, sentMs: sinceMs }] as const;
        }),
      ),
    );
  }

  isFunded(venue: string): boolean {
    this.fold();
    for (const account of this.#accounts.keys()) if (account.startsWith(`${venue} `)) return true;
    return false;
  }

  apply(event: EngineEvent): void {
    this.fold();
    this.#apply(event);
  }

  /** Takes an event that is in the journal already, to be folded later: by {@link fold}, or before anything is read. Where many wait, the oldest goes now. */
  defer(event: EngineEvent): void {
    if (this.#waits === WAITING_MAX) this.#foldNext();
    this.#waiting[(this.#next + this.#waits) % WAITING_MAX] = event;
    this.#waits += 1;
  }

  /** Folds what waits. */
  fold(): void {
    while (this.#waits > 0) this.#foldNext();
  }

  #foldNext(): void {
    const event = this.#waiting[this.#next]!;
    this.#waiting[this.#next] = undefined;
    this.#next = (this.#next + 1) % WAITING_MAX;
    this.#waits -= 1;
    this.#apply(event);
  }

  #apply(event: EngineEvent): void {
    this.#note(event);
    switch (event.kind) {
      case 'engine-started':
        this.#applyStart(event.data);
        return;
      case 'balance':
        this.#accounts.set(`${event.data.venue} ${event.data.asset}`, decimalFrom(event.data.total));
        return;
      case 'operation':
        this.#applyOperation(event.data);
        return;
      case 'order':
        this.#recordOf(event.data.operation).orders.set(event.data.client_order_id, event.data);
        return;
      case 'fill':
        this.#applyFill(event.data, event.at);
        return;
      case 'opportunity':
        this.#applyOpportunity(event.data);
        return;
      case 'holding':
        this.#applyHolding(event.data);
        return;
      case 'settlement':
        this.#applySettlement(event.data, event.at);
        return;
      case 'funding':
        this.#applyFunding(event.data, event.at);
        return;
      case 'trading-state':
        this.#applyTrading(event.data);
        return;
      case 'emergency-stop':
        this.#applyEmergency(event.data);
        return;
      case 'risk-limits':
        this.#limits = event.data.limits;
        return;
      case 'breaker':
        keepOpen(this.#breakers, event.data.id, event.data);
        return;
      case 'escalation':
        keepOpen(this.#escalations, event.data.operation, event.data);
        return;
      case 'adjustment':
        this.#applyAdjustment(event.data);
        return;
      case 'position-adjustment':
        this.#applyPositionAdjustment(event.data, event.at);
        return;
      case 'profit-peak':
        this.#peak = Decimal.max(this.#peak, decimalFrom(event.data.usd));
        return;
      case 'ageing':
        this.#applyAgeing(event.data);
        return;
      case 'mismatch':
        keepOpen(this.#mismatches, mismatchKey(event.data), event.data);
        return;
      case 'position':
      case 'engine-stopped':
      case 'command-refused':
      case 'command-done':
      case 'lease':
      case 'venue-status':
        return;
    }
  }

  ledger(): LedgerState {
    this.fold();
    return {
      balances: [...this.#accounts].map(([account, total]) => {
        const [venue, asset] = account.split(' ');
        return { venue: venue as VenueId, asset: asset!, total };
      }),
      positions: [...this.#positions].map(([id, position]) => {
        const openedMs = this.#openedMs.get(id);
        return { instrument: id as InstrumentId, ...position, ...(openedMs === undefined ? {} : { openedMs }) };
      }),
      deviations: Object.fromEntries(this.#deviations),
      dust: Object.fromEntries(this.#dust),
      trades: [...this.recentTrades()],
      realised: this.#realised,
      fees: this.#fees,
      fills: this.#fills,
      day: this.#day,
      dayRealised: this.#dayRealised,
    };
  }

  openOperations(): readonly OpenOperation[] {
    this.fold();
    return [...this.#open.values()].map(openOperationFrom);
  }

  /** Those that ended last: a late fill may still wake one. */
  endedOperations(): readonly OpenOperation[] {
    this.fold();
    return [...this.#ended.values()].map(openOperationFrom);
  }

  openHoldings(): readonly Held[] {
    this.fold();
    return [...this.#holdings.values()];
  }

  get held(): HeldState {
    return {
      open: this.openHoldings(),
      ended: [...this.#endedHoldings.values()],
      fundedMs: this.#fundedMs,
      forcedRests: this.#forcedRests,
    };
  }

  /** Opportunities that nobody has closed. */
  openOpportunities(): readonly EventData<'opportunity'>[] {
    this.fold();
    return [...this.#opportunities.values()];
  }

  checkpoint(): Checkpoint {
    this.fold();
    const positions = [...this.#positions].map(([id, { size, entryPrice, realised, cost }]) => {
      const openedMs = this.#openedMs.get(id);
      const texts = {
        size: textOf(size),
        entryPrice: textOf(entryPrice),
        realised: textOf(realised),
        ...(openedMs === undefined ? {} : { openedMs }),
      };
      return [id, cost === undefined ? texts : { ...texts, cost: textOf(cost) }] as const;
    });
    return {
      v: 1,
      seq: this.#seq,
      epoch: this.#epoch,
      accounts: textsOf(this.#accounts),
      positions: Object.fromEntries(positions),
      deviations: textsOf(this.#deviations),
      dust: textsOf(this.#dust),
      operations: [...this.#ended.values(), ...this.#open.values()].map((record) => ({
        ...record,
        orders: Object.fromEntries(record.orders),
      })),
      opportunities: [...this.#opportunities.values()],
      pnl: { realised: textOf(this.#realised), fees: textOf(this.#fees), fills: this.#fills },
      today: { day: this.#day, realised: textOf(this.#dayRealised) },
      trading: this.#trading,
      holdings: [...this.#holdings.values()].map((held) => holdingEventOf(held)),
      endedHoldings: [...this.#endedHoldings.values()].map((held) => holdingEventOf(held)),
      fundedMs: Object.fromEntries(this.#fundedMs),
      peakRealised: textOf(this.#peak),
      forced: [...this.#forced],
      forcedRests: textsOf(this.#forcedRests),
      ageing: [...this.#ageing.values()],
      limits: this.#limits,
      commands: [...this.#commands],
      breakers: [...this.#breakers.values()],
      escalations: [...this.#escalations.values()],
      mismatches: [...this.#mismatches.values()],
      emergency: this.#emergency,
      mode: this.#mode,
      at: this.#at,
    };
  }

  static from(checkpoint: Checkpoint): JournalState {
    const state = new JournalState();
    state.#seq = checkpoint.seq;
    state.#epoch = checkpoint.epoch;
    setTexts(state.#accounts, checkpoint.accounts);
    setTexts(state.#deviations, checkpoint.deviations);
    setTexts(state.#dust, checkpoint.dust);
    for (const [id, { size, entryPrice, realised, cost, openedMs }] of Object.entries(checkpoint.positions)) {
      if (openedMs !== undefined) state.#openedMs.set(id, openedMs);
      const position = {
        size: decimalFrom(size),
        entryPrice: decimalFrom(entryPrice),
        realised: decimalFrom(realised),
      };
      state.#positions.set(id, cost === undefined ? position : { ...position, cost: decimalFrom(cost) });
    }
    for (const holding of checkpoint.holdings ?? []) state.#applyHolding(holding);
    for (const ended of checkpoint.endedHoldings ?? []) state.#endedHoldings.set(ended.id, heldFrom(ended));
    for (const [id, ms] of Object.entries(checkpoint.fundedMs ?? {})) state.#fundedMs.set(id, ms);
    for (const saved of checkpoint.operations) {
      const record = { ...saved, orders: new Map(Object.entries(saved.orders)) };
      (isEnded(record.operation) ? state.#ended : state.#open).set(record.operation.id, record);
    }
    for (const command of checkpoint.commands ?? []) state.#commands.add(command);
    for (const trade of checkpoint.forced ?? []) state.#forced.add(trade);
    setTexts(state.#forcedRests, checkpoint.forcedRests ?? {});
    for (const told of checkpoint.ageing ?? []) state.#ageing.set(ageKey(told), told);
    state.#peak = Decimal.max(ZERO, decimalFrom(checkpoint.peakRealised ?? checkpoint.pnl.realised));
    state.#limits = checkpoint.limits ?? {};
    for (const breaker of checkpoint.breakers ?? []) state.#breakers.set(breaker.id, breaker);
    for (const escalation of checkpoint.escalations ?? []) state.#escalations.set(escalation.operation, escalation);
    for (const { venue, what, id, ...rest } of checkpoint.mismatches ?? [])
      state.#mismatches.set(`${venue} ${what} ${id}`, { venue, what, id, ...rest });
    state.#emergency = checkpoint.emergency;
    state.#mode = checkpoint.mode;
    state.#at = checkpoint.at ?? '0';
    for (const opportunity of checkpoint.opportunities) state.#opportunities.set(opportunity.id, opportunity);
    state.#realised = decimalFrom(checkpoint.pnl.realised);
    state.#fees = decimalFrom(checkpoint.pnl.fees);
    state.#fills = checkpoint.pnl.fills;
    state.#day = checkpoint.today.day;
    state.#dayRealised = decimalFrom(checkpoint.today.realised);
    state.#trading = checkpoint.trading;
    return state;
  }

  #note({ seq, at, data }: EngineEvent): void {
    this.#seq = seq;
    this.#at = at;
    if ('command_id' in data && data.command_id !== undefined) this.#remember(data.command_id);
  }

  #applyStart({ epoch, mode }: EventData<'engine-started'>): void {
    this.#epoch = Math.max(this.#epoch, epoch);
    this.#mode = mode;
  }

  #applyTrading({ state, reason }: EventData<'trading-state'>): void {
    this.#trading = { state, reason };
    if (state === 'active') this.#emergency = undefined;
  }

  /** What its venues say after a start ended it is no new one. */
  #applyEmergency(data: Emergency): void {
    if (data.state === 'started' || this.#emergency !== undefined) this.#emergency = data;
  }

  #applyOpportunity(data: EventData<'opportunity'>): void {
    if (data.status === 'active') this.#opportunities.set(data.id, data);
    else this.#opportunities.delete(data.id);
  }

  #applyAgeing(data: EventData<'ageing'>): void {
    this.#ageing.set(ageKey(data), data);
    if (this.#ageing.size > AGEING_MAX) this.#ageing.delete(this.#ageing.keys().next().value!);
  }

  #applyOperation(operation: EventData<'operation'>): void {
    const known = this.#open.get(operation.id) ?? this.#ended.get(operation.id);
    const record = known ?? {
      operation,
      orders: new Map<string, EventData<'order'>>(),
      fills: [],
      dust: {},
      sinceMs: msOf(this.#at),
    };
    record.operation = operation;
    record.toldMs = msOf(this.#at);
    if (!isEnded(operation)) {
      this.#ended.delete(operation.id);
      this.#open.set(operation.id, record);
      return;
    }
    this.#open.delete(operation.id);
    this.#ageing.delete(ageKey({ what: 'operation', id: operation.id }));
    this.#ended.set(operation.id, record);
    if (operation.state === 'completed' || operation.dust !== undefined) this.#sweepDust(record);
    if (this.#ended.size <= ENDED_MAX) return;
    for (const oldest of this.#ended.keys()) {
      this.#ended.delete(oldest);
      break;
    }
  }

  #applyFill(data: EventData<'fill'>, at: string): void {
    const record = this.#recordOf(data.operation);
    this.#reopen(record);
    record.fills.push(data);
    const fill = fillFactsFrom(data);
    const pnl = pnlOfFill(fill, ratesOf(record.operation));
    this.#book(data.instrument, fill, pnl, at);
    this.#fills += 1;
    const holding = record.operation.bond?.holding ?? '';
    const held = this.#holdings.get(holding) ?? this.#endedHoldings.get(holding);
    if (held === undefined) return;
    this.#endedHoldings.delete(held.id);
    this.#holdings.set(held.id, afterClosing(held, data.instrument, closingOf(fill), pnl));
  }

  /** A fill after the end wakes an operation, though the process may have died before it said so. */
  #reopen(record: OperationRecord): void {
    const { id } = record.operation;
    if (!this.#ended.delete(id)) return;
    record.operation = { ...record.operation, state: 'recovering', reason: 'late-fill' };
    this.#open.set(id, record);
  }

  #applySettlement(data: EventData<'settlement'>, at: string): void {
    const closing = fillFactsFrom(data);
    const pnl = pnlOfSettlement(data);
    this.#book(data.instrument, closing, pnl, at);
    if (data.forced !== undefined) this.#applyForced(data);
    // Expired: nothing is ever held of it again.
    else if (this.#positions.get(data.instrument)!.size.isZero()) this.#positions.delete(data.instrument);
    const held = this.#holdings.get(data.holding ?? '');
    if (held !== undefined) this.#holdings.set(held.id, afterClosing(held, data.instrument, closingOf(closing), pnl));
  }

  /** It is known once all of it is booked. What no holding had may be of an operation that is open. */
  #applyForced(data: EventData<'settlement'>): void {
    const { instrument, side, entry, rest, trade_id: tradeId = '' } = data;
    if (entry !== undefined) (this.#recordOf(entry).taken ??= []).push(data);
    const trade = tradeKey({ instrument, side, tradeId });
    if (rest !== undefined) {
      this.#forcedRests.set(trade, decimalFrom(rest));
      return;
    }
    this.#forcedRests.delete(trade);
    this.#forced.add(trade);
    if (this.#forced.size > FORCED_MAX) this.#forced.delete(this.#forced.values().next().value!);
  }

  #remember(command: string): void {
    this.#commands.add(command);
    if (this.#commands.size > COMMANDS_MAX) this.#commands.delete(this.#commands.values().next().value!);
  }

  /** The balance event that follows says the same of the account; the deviation is ours alone: what came from outside is no position. */
  #applyAdjustment({ venue, asset, amount }: EventData<'adjustment'>): void {
    const account = `${venue} ${asset}`;
    this.#accounts.set(account, (this.#accounts.get(account) ?? ZERO).plus(decimalFrom(amount)));
  }

  #applyPositionAdjustment(data: EventData<'position-adjustment'>, at: string): void {
    const { instrument, base, quote, contract } = data;
    const to = { size: decimalFrom(data.size), entryPrice: decimalFrom(data.entry_price) };
    const terms = { base, quote, contract: contractFrom(instrument, contract) };
    const { position, exposure } = adjustmentOf(this.#positions.get(instrument) ?? FLAT, terms, to);
    for (const [asset, amount] of exposure) add(this.#deviations, asset, amount);
    this.#place(instrument, position, at);
  }

  /** A position is as old as its last beginning from nothing. */
  #place(instrument: string, position: Position, at: string): void {
    this.#positions.set(instrument, position);
    if (position.size.isZero()) this.#openedMs.delete(instrument);
    else if (!this.#openedMs.has(instrument)) this.#openedMs.set(instrument, msOf(at));
  }

  #applyFunding(data: EventData<'funding'>, at: string): void {
    const amount = decimalFrom(data.amount);
    const value = fundingValue(data);
    add(this.#accounts, `${venueOf(data.instrument)} ${data.asset}`, amount);
    add(this.#deviations, data.asset, amount);
    this.#count({ realised: value, fees: ZERO }, at);
    this.#fundedMs.set(data.instrument, data.due_ms);
    const held = this.#holdings.get(data.holding ?? '');
    if (held !== undefined) this.#holdings.set(held.id, afterFunding(held, value));
  }

  #applyHolding(data: EventData<'holding'>): void {
    if (data.state === 'open') {
      this.#endedHoldings.delete(data.id);
      this.#holdings.set(data.id, heldFrom(data));
      return;
    }
    this.#ageing.delete(ageKey({ what: 'holding', id: data.id }));
    this.#holdings.delete(data.id);
    this.#endedHoldings.set(data.id, endedOf(heldFrom(data)));
    if (this.#endedHoldings.size > ENDED_MAX) this.#endedHoldings.delete(this.#endedHoldings.keys().next().value!);
    for (const [asset, amount] of Object.entries(data.dust ?? {})) add(this.#dust, asset, decimalFrom(amount));
  }

  #book(instrument: string, fill: FillFacts, pnl: Pnl, at: string): void {
    const { position, cash, exposure } = bookingOf(this.#positions.get(instrument) ?? FLAT, fill);
    const venue = venueOf(instrument);
    for (const [asset, amount] of cash) add(this.#accounts, `${venue} ${asset}`, amount);
    for (const [asset, amount] of exposure) add(this.#deviations, asset, amount);
    this.#place(instrument, position, at);
    this.#count(pnl, at);
  }

  #count(pnl: Pnl, at: string): void {
    const day = Math.floor(msOf(at) / DAY_MS);
    if (day !== this.#day) this.#dayRealised = ZERO;
    this.#day = day;
    this.#dayRealised = plus(this.#dayRealised, pnl.realised);
    this.#realised = plus(this.#realised, pnl.realised);
    if (compare(this.#realised, this.#peak) > 0) this.#peak = this.#realised;
    this.#fees = plus(this.#fees, pnl.fees);
  }

  /** What an operation that is over has left, and has not left before. */
  #sweepDust(record: OperationRecord): void {
    const { dust, bond } = record.operation;
    const left = dust === undefined && bond === undefined ? productDust(record) : decimalsFrom(dust ?? {});
    for (const [asset, told] of Object.entries(record.dust)) add(this.#dust, asset, negated(decimalFrom(told)));
    for (const [asset, amount] of Object.entries(left)) add(this.#dust, asset, amount);
    record.dust = textsOf(new Map(Object.entries(left)));
  }

  #recordOf(operation: string): OperationRecord {
    const record = this.#open.get(operation) ?? this.#ended.get(operation);
    assert(record !== undefined, `the journal speaks of an operation it does not know: ${operation}`);
    return record;
  }
}

/** Whole milliseconds of nanoseconds in text: without the last six digits. */
const msOf = (ns: string): number => Number(ns.slice(0, -6));

const mismatchKey = ({ venue, what, id }: EventData<'mismatch'>): string => `${venue} ${what} ${id}`;

/** What is open is remembered until it is not. */
function keepOpen<T extends { readonly state: string }>(open: Map<string, T>, key: string, data: T): void {
  if (data.state === 'open') open.set(key, data);
  else open.delete(key);
}

/** Under what is remembered what was told of an age. */
export const ageKey = ({ what, id }: Pick<EventData<'ageing'>, 'what' | 'id'>): string => `${what} ${id}`;

/** Every fill of an operation is booked at its rates: they are read once. */
const readRates = new WeakMap<object, Rates>();
function ratesOf({ rates }: EventData<'operation'>): Rates {
  let read = readRates.get(rates);
  if (read === undefined) {
    read = decimalsFrom(rates);
    readRates.set(rates, read);
  }
  return read;
}

const isEnded = ({ state }: EventData<'operation'>): boolean => state === 'completed' || state === 'failed';
const venueOf = (instrument: string): string => instrument.slice(0, instrument.indexOf(':'));

/** The source asset of the first leg, from its unified spot symbol `venue:BASE/QUOTE`. */
function startAssetOf({ legs }: EventData<'operation'>): string {
  const first = legs[0];
  assert(first !== undefined, 'an operation without legs');
  const [base, quote] = first.instrument.slice(first.instrument.indexOf(':') + 1).split('/');
  return first.side === 'buy' ? quote! : base!;
}

/** All flows but those of the asset in which a product route starts and ends. A fee in a third asset is paid, not left. */
function productDust({ operation, fills }: OperationRecord): Readonly<Record<string, Decimal>> {
  const left = new Map<string, Decimal>();
  for (const fill of fills) for (const [asset, amount] of legFlows(fillFactsFrom(fill))) add(left, asset, amount);
  left.delete(startAssetOf(operation));
  return Object.fromEntries(left);
}

function legFlows(fill: FillFacts): Amounts {
  const { base, quote } = flowsOf(fill);
  const isOurs = fill.feeAsset === fill.base || fill.feeAsset === fill.quote;
  return [[fill.base, base], [fill.quote, quote], ...(isOurs ? [[fill.feeAsset, negated(fill.fee)] as const] : [])];
}

function add(sums: Map<string, Decimal>, key: string, amount: Decimal): void {
  sums.set(key, plus(sums.get(key) ?? ZERO, amount));
}

const textsOf = (sums: ReadonlyMap<string, Decimal>): Record<string, string> =>
  Object.fromEntries([...sums].map(([key, amount]) => [key, textOf(amount)]));

function setTexts(sums: Map<string, Decimal>, texts: Readonly<Record<string, string>>): void {
  for (const [key, text] of Object.entries(texts)) sums.set(key, decimalFrom(text));
}

function openOperationFrom({ operation, orders, fills, taken, dust, sinceMs, toldMs }: OperationRecord): OpenOperation {
  const rates = decimalsFrom(operation.rates);
  return {
    id: operation.id as OperationId,
    opportunity: operation.opportunity as OpportunityId,
    route: operation.route as RouteId,
    family: operation.type,
    state: operation.state,
    notional: decimalFrom(operation.notional),
    expectedProfit: decimalFrom(operation.expected_profit),
    rates,
    legs: operation.legs.map(openLegFrom),
    orders: [...orders.values()].map((order) => openOrderFrom(order, fills)),
    ...(taken === undefined ? {} : { taken: taken.map(takingFrom) }),
    pnl: pnlSoFar(fills, rates),
    dust: decimalsFrom(dust),
    ...(sinceMs === undefined ? {} : { sinceMs }),
    ...(toldMs === undefined ? {} : { toldMs }),
    ...(operation.bond === undefined ? {} : { bond: bondFrom(operation.bond) }),
  };
}

const openLegFrom = ({
  instrument,
  side,
  price,
  qty,
  expected_price: expectedPrice,
}: EventData<'operation'>['legs'][number]): OpenOperation['legs'][number] => ({
  instrument: instrument as InstrumentId,
  side,
  price: decimalFrom(price) as Price,
  qty: decimalFrom(qty) as Qty,
  ...(expectedPrice === undefined ? {} : { expectedPrice: decimalFrom(expectedPrice) }),
});

function takingFrom(data: EventData<'settlement'>): Taking {
  const { side, price, qty, fee, feeAsset, feeRate } = fillFactsFrom(data);
  const instrument = data.instrument as InstrumentId;
  return { instrument, side, price, qty, fee, feeAsset, feeRate: feeRate ?? decimalFrom(data.rates[feeAsset]!) };
}

function pnlSoFar(fills: readonly EventData<'fill'>[], rates: Rates): Pnl {
  let sum: Pnl = { realised: ZERO, fees: ZERO };
  for (const fill of fills) {
    const { realised, fees } = pnlOfFill(fillFactsFrom(fill), rates);
    sum = { realised: sum.realised.plus(realised), fees: sum.fees.plus(fees) };
  }
  return sum;
}

function bondFrom({
  units,
  per_unit: perUnit,
  intent,
  ends_ms: endsMs,
  carry,
  asset,
  holding,
}: NonNullable<EventData<'operation'>['bond']>): NonNullable<OpenOperation['bond']> {
  return {
    units: decimalFrom(units),
    perUnit: perUnit.map(decimalFrom),
    intent,
    ...(endsMs === undefined ? {} : { endsMs }),
    carry: decimalFrom(carry),
    asset: asset as Asset,
    ...(holding === undefined ? {} : { holding: holding as OperationId }),
  };
}

function openOrderFrom(order: EventData<'order'>, fills: readonly EventData<'fill'>[]): OpenOrder {
  return {
    request: {
      clientOrderId: order.client_order_id as ClientOrderId,
      operation: order.operation as OperationId,
      leg: order.leg,
      attempt: order.attempt,
      purpose: order.purpose,
      instrument: order.instrument as InstrumentId,
      side: order.side,
      type: order.type,
      price: decimalFrom(order.price) as Price,
      qty: decimalFrom(order.qty) as Qty,
      timeInForce: order.time_in_force,
      ...(order.post_only === undefined ? {} : { postOnly: order.post_only }),
      ...(order.reduce_only === undefined ? {} : { reduceOnly: order.reduce_only }),
    },
    status: order.status,
    ...(order.replacing === undefined
      ? {}
      : {
          replacing: {
            price: decimalFrom(order.replacing.price) as Price,
            qty: decimalFrom(order.replacing.qty) as Qty,
          },
        }),
    ...(order.replaced_by === undefined ? {} : { replacedBy: order.replaced_by as ClientOrderId }),
    fills: fills
      .filter((fill) => fill.client_order_id === order.client_order_id)
      .map((fill) => ({
        tradeId: fill.trade_id as TradeId,
        clientOrderId: order.client_order_id as ClientOrderId,
        side: fill.side,
        price: decimalFrom(fill.price),
        qty: decimalFrom(fill.qty),
        fee: decimalFrom(fill.fee),
        feeAsset: fill.fee_asset,
        ...(fill.fee_rate === undefined ? {} : { feeRate: decimalFrom(fill.fee_rate) }),
      })),
  };
}
