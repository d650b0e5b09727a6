import { Decimal } from 'decimal.js';
import { JournalState } from '#hotpath/recover/journal-state.ts';
import type { Held } from '#shared/domain/held.ts';
import type { InstrumentId } from '#shared/domain/ids.ts';
import type { Fill, OrderRequest, Standing } from '#shared/domain/order.ts';
import type { Price, Qty } from '#shared/money/grid.ts';
import { exposureOf } from '#hotpath/execute/operation.ts';
import { needOf } from '#shared/money/margin.ts';
import { recomputePnl } from '#shared/money/pnl.ts';
import type { EngineEvent, EventData } from '#shared/schema/event.ts';
import { FUNDS, instrumentOf, unitWorth } from './listings.ts';
import type { Life } from './life.ts';
import { MARGIN, marginsOf } from './life.ts';
import { Tally } from './tally.ts';
import type { VenueOrder, Venues } from './venues.ts';
import { filledOf } from './venues.ts';
import type { Watched } from './watched.ts';

/** A promise that was not kept. */
export class Violation extends Error {}

export type JudgeOptions = {
  readonly venues: Venues;
  readonly names: readonly string[];
  readonly watched: ReadonlyMap<string, Watched>;
  /** Whether the wall clock was set: then no engine knows what was lately when it starts. */
  readonly isClockSet: () => boolean;
  readonly onEscalation: (escalation: EventData<'escalation'>) => void;
};

type Reserved = {
  /** What it is and what it may become, in words. */
  readonly terms?: string;
  readonly order: Pick<OrderRequest, 'instrument' | 'side' | 'qty'>;
  readonly account: string;
  readonly amount: Decimal;
  readonly unitCost: Decimal;
  /** Nothing was reserved for what fills first and reduces what is held. */
  readonly closing: Decimal;
  filled: Decimal;
  /** Of an earlier start. Where the account does not bear it, nothing is reserved. */
  readonly isCarried: boolean;
};

const ZERO = new Decimal(0);
/** An engine that starts asks about what ended no longer ago. */
const LATELY_MS = 60_000;
const AT_REST = new Set(['filled', 'canceled', 'expired', 'rejected']);

/**
 * Asks after every step whether the engine keeps its promises. Money is added up here a second time, from the journal alone and from what really happened;
 * nothing of the engine's own bookkeeping is believed.
 */
export class Judge {
  readonly #options: JudgeOptions;
  readonly #sent = new Set<string>();
  /** By the journal that counts. */
  #told = new Tally();
  #trades = new Set<string>();
  #toldQty = new Map<string, Decimal>();
  /** By trade that a venue has made by itself: how much of it is booked. */
  #forcedQty = new Map<string, Decimal>();
  #journalled = new Map<string, EventData<'order'>>();
  #reserved = new Map<string, Reserved>();
  /** By order, in what is flushed: what it is to become. */
  #replacing = new Map<string, EventData<'order'>['replacing']>();
  /** By order, as the journal has it now. */
  #latest = new Map<string, EventData<'order'>>();
  /** What stood in the stead of an order that has filled since, and what was taken back. */
  #overtaken = new Set<string>();
  /** Of which a venue has taken what neither a holding nor an operation had: it spoke too late. */
  #ofNobody = new Set<InstrumentId>();
  /** What persons have traded. */
  #byHand = new Tally();
  #cancelled = new Set<string>();
  #seen = 0;
  #seenFlushed = 0;
  #isRestarted = false;
  /** Accounts that the journal spoke of since they were last checked. */
  readonly #touched = new Set<string>();

  constructor(options: JudgeOptions) {
    this.#options = options;
  }

  /** A new engine counts from here on, with the journal that it has read. */
  begin(life: Life): void {
    this.#isRestarted = life.epoch > 1;
    this.#told = new Tally();
    for (const venue of this.#options.names)
      for (const [asset, amount] of Object.entries(FUNDS)) this.#told.add(venue, asset, new Decimal(amount));
    this.#trades = new Set();
    this.#toldQty = new Map();
    this.#forcedQty = new Map();
    this.#ofNobody = new Set();
    this.#byHand = new Tally();
    this.#journalled = new Map();
    this.#replacing = new Map();
    this.#latest = new Map();
    this.#reserved = new Map();
    for (const watched of this.#options.watched.values()) watched.forget();
    this.#seen = 0;
    this.#seenFlushed = 0;
    this.#readFlushed(life);
    const states = new Map<string, EventData<'order'>>();
    for (const { kind, data } of life.journal.events) if (kind === 'order') states.set(data.client_order_id, data);
    this.#readNews(life);
    for (const [id, { status, filled_qty: filled }] of states) {
      const order = this.#options.venues.orders.get(id as never);
      if (order !== undefined && !AT_REST.has(status) && filled === '0' && !this.#toldQty.has(id))
        this.#reserve(order.request, true);
    }
    this.#overtaken = new Set();
    this.#cancelled = new Set();
  }

  /** What the journal has of an order's trades. */
  toldOf(id: string): Decimal {
    return this.#toldQty.get(id) ?? ZERO;
  }

  /** Before an order reaches its venue. */
  onPlace(order: OrderRequest, life: Life, isCounting: boolean): void {
    const id = order.clientOrderId;
    this.#promise(isCounting, `an engine that was displaced sends ${id}`);
    this.#promise(life.fence === undefined, `${id} is sent through a closed fence`);
    this.#promise(!this.#sent.has(id), `${id} is sent twice`);
    this.#sent.add(id);
    this.#readFlushed(life);
    this.#readNews(life);
    const fact = this.#journalled.get(id);
    this.#promise(fact !== undefined, `${id} is sent before it is in the journal`);
    this.#promise(
      fact.instrument === order.instrument &&
        fact.side === order.side &&
        fact.qty === order.qty.toFixed() &&
        fact.price === order.price.toFixed() &&
        fact.operation === order.operation,
      `${id} is not what the journal says`,
    );
    this.#checkGrid(order);
    if (order.purpose === 'leg') this.#checkFollower(order);
    else if (order.purpose !== 'manual') this.#checkRecovery(order);
    this.#reserve(order, false);
  }

  /** Before a change of an order reaches its venue. */
  onReplace(id: string, { price, qty }: Standing, life: Life, isCounting: boolean): void {
    this.#promise(isCounting, `an engine that was displaced changes ${id}`);
    this.#promise(life.fence === undefined, `${id} is changed through a closed fence`);
    this.#readFlushed(life);
    this.#readNews(life);
    const said = this.#replacing.get(id);
    this.#promise(
      said?.price === price.toFixed() && said.qty === qty.toFixed(),
      `${id} is changed before the journal says so`,
    );
    const order = this.#options.venues.orders.get(id as never);
    this.#promise(order !== undefined, `${id} is changed and was never sent`);
    const { request } = order;
    this.#checkGrid({ ...request, price, qty });
    this.#promise(qty.gt(this.toldOf(id)), `${id} is to be less than what has filled`);
    const leg = this.#options.watched.get(request.operation)?.plan.legs[request.leg];
    const isBeyond = leg !== undefined && (leg.side === 'buy' ? price.gt(leg.price) : price.lt(leg.price));
    this.#promise(!isBeyond, `${id} follows its market further than the plan bears`);
  }

  /** An order is taken back. */
  onCancel(id: string): void {
    this.#cancelled.add(id);
  }

  /** A trade at a venue. */
  onFill(fill: Fill, { request }: VenueOrder, nowMs: number): void {
    this.#options.watched.get(request.operation)?.traded(fill, request, nowMs);
  }

  /** The venue says that there is no money for an order that was reserved for. */
  onPoor({ instrument: { venue }, request: { clientOrderId } }: VenueOrder): void {
    const { venues } = this.#options;
    const isExcused = venues.isSlow || venues.hasDrifted(venue) || this.#isRestarted || this.#hasUntold(venue);
    this.#promise(
      isExcused,
      `the account at ${venue} cannot bear ${clientOrderId}: more is at stake than was reserved`,
    );
  }

  /** An order trades with another one of ours, and both pay for it. An immediate one that has stayed is nobody's plan. */
  onMet({ request: { clientOrderId } }: VenueOrder, { request }: VenueOrder): void {
    this.#promise(this.#options.venues.isSlow, `${clientOrderId} meets ${request.clientOrderId}, which is ours`);
  }

  /** After every step of the story. */
  check(life: Life): void {
    this.#readNews(life);
    for (const account of this.#touched) this.#checkAccount(life, account);
    this.#touched.clear();
    for (const id of this.#overtaken)
      this.#promise(
        this.#cancelled.has(id) || AT_REST.has(this.#latest.get(id)!.status),
        `${id} stays, and the order in whose stead it stands has filled since`,
      );
    this.#overtaken.clear();
  }

  /** At the end of the story, when nothing happens any more. Returns what only a comparison of balances finds, and what only a list of open orders does. */
  end(life: Life): { readonly mismatches: number; readonly unseen: number } {
    this.check(life);
    const { executor, ledger, journal } = life;
    this.#promise(executor.counts.open === 0, `${executor.counts.open} operations have no end`);
    this.#promise(executor.counts.recovering === 0, 'recoveries are counted that there are not');
    const beyond = ledger.exposures.total - heldUsd(life.holdings.open);
    this.#promise(Math.abs(beyond) < 1e-6, `exposure is left: ${beyond}`);
    this.#checkHeld(life);
    this.#checkOwned(life);
    const unseen = this.#checkOver();
    for (const watched of this.#options.watched.values())
      for (const { instrument } of watched.plan.legs)
        this.#promise(!executor.busy(instrument), `${instrument} is busy for nobody`);
    for (const venue of this.#options.names)
      for (const asset of Object.keys(FUNDS)) {
        const margins = marginsOf(ledger, venue, asset);
        const reserved = ledger.reservedOf(venue as never, asset);
        this.#promise(reserved.eq(margins), `${venue} ${asset}: ${reserved.toFixed()} reserved for nothing`);
      }
    this.#checkPnl(life, journal.events);
    const mismatches = this.#checkTruth();
    for (const watched of this.#options.watched.values()) this.#checkEnded(watched);
    return { mismatches, unseen };
  }

  /** Nothing works at a venue, but what rose after it had been given up and was never told of: nobody knows that there is anything to take back. */
  #checkOver(): number {
    const live = [...this.#options.venues.orders.values()].filter(({ state }) => state === 'live');
    for (const { isRisen, isSeen, request } of live)
      this.#promise(isRisen && !isSeen, `${request.clientOrderId} works at its venue, and nobody knows`);
    return live.length;
  }

  /** Whether what venues have taken is booked, and every holding is whole again or left. */
  isWhole(life: Life): boolean {
    return this.#forcedMissing() === undefined && life.holdings.open.every((held) => oneSidedUsd(held) === 0);
  }

  /** A trade that a venue has made by itself and that is not booked, or not all of it. */
  #forcedMissing(): string | undefined {
    const { venues } = this.#options;
    return venues.forced.find(({ tradeId, qty }) => !(this.#forcedQty.get(tradeId) ?? ZERO).eq(qty))?.tradeId;
  }

  /** What a venue has taken is booked, and the holding's other legs have left. The folded journal holds the same. */
  #checkHeld({ holdings, journal }: Life): void {
    const missing = this.#forcedMissing();
    this.#promise(missing === undefined, `${missing ?? ''} was never booked`);
    const state = new JournalState();
    for (const event of journal.events) state.apply(event);
    const folded = new Map(state.openHoldings().map((held) => [held.id, held]));
    for (const held of holdings.open) {
      const usd = oneSidedUsd(held);
      this.#promise(usd === 0, `${held.id} is held one-sided, ${usd.toFixed(2)} USD of it`);
      const isSame = held.legs.every(({ size }, at) => folded.get(held.id)?.legs[at]?.size.eq(size) === true);
      this.#promise(isSame, `${held.id}: the folded journal holds another size`);
    }
    this.#promise(folded.size === holdings.open.length, 'the folded journal has other holdings');
  }

  /** Every position is held, or dust; or a person took it as it was. */
  #checkOwned({ holdings, ledger }: Life): void {
    const { watched, venues } = this.#options;
    // Some leave what nobody had entered.
    const isOther = ({ plan: { bond }, isAccepted, isMismatched }: Watched): boolean =>
      isAccepted || isMismatched || (bond?.intent === 'exit' && !watched.has(bond.holding!));
    const others = [...venues.orders.values()].filter(({ request: { operation } }) => {
      const theirs = watched.get(operation);
      return theirs !== undefined && isOther(theirs);
    });
    const excused = new Set([...this.#ofNobody, ...others.map(({ request }) => request.instrument)]);
    for (const { instrument, size } of this.#told.positions.values()) {
      const { id } = instrument;
      if (excused.has(id) || [...watched.values()].some(({ told }) => told.isTakenOfAnother(id))) continue;
      const held = holdings.open.flatMap(({ legs }) => legs.filter((leg) => leg.instrument === id));
      const byHand = this.#byHand.positions.get(id)?.size ?? ZERO;
      const owned = held.reduce((sum, leg) => sum.plus(leg.size), byHand.plus(ledger.dust.get(id) ?? ZERO));
      const usd = size.minus(owned).toNumber() * unitWorth(instrument);
      this.#promise(Math.abs(usd) < 1, `${id}: ${size.toFixed()}, of which ${owned.toFixed()} is held or dust`);
    }
  }

  #readFlushed({ journal }: Life): void {
    for (; this.#seenFlushed < journal.flushed; this.#seenFlushed += 1) {
      const event = journal.events[this.#seenFlushed]!;
      if (event.kind !== 'order') continue;
      const { client_order_id: id, replacing } = event.data;
      if (!this.#journalled.has(id)) this.#journalled.set(id, event.data);
      this.#replacing.set(id, replacing);
    }
  }

  /** Takes in what the journal says since the last call. */
  #readNews({ journal }: Life): void {
    for (; this.#seen < journal.events.length; this.#seen += 1) this.#read(journal.events[this.#seen]!);
  }

  #read({ kind, data }: EngineEvent): void {
    if (kind === 'fill') this.#readFill(data);
    else if (kind === 'settlement') this.#readForced(data);
    else if (kind === 'order') this.#readOrder(data);
    else if (kind === 'operation') this.#readOperation(data);
    else if (kind === 'escalation') this.#readEscalation(data);
  }

  /** Nobody is asked about what the journal knows: an order that has filled as much as it is, and as much as a change of unknown fate may have made it. */
  #readEscalation(data: EventData<'escalation'>): void {
    const [code, rest = ''] = data.reason.split(': orders=');
    for (const id of data.state === 'open' && code === 'ORDER_UNKNOWN' ? rest.split(' ') : []) {
      const qty = this.#options.venues.orders.get(id as never)?.request.qty;
      const changedTo = this.#latest.get(id)?.replacing?.qty ?? 0;
      const isFull = qty !== undefined && this.toldOf(id).gte(Decimal.max(qty, changedTo));
      this.#promise(!isFull, `a person is asked about ${id}, which is full`);
    }
    this.#options.onEscalation(data);
  }

  #readOrder(data: EventData<'order'>): void {
    const { client_order_id: id, status } = data;
    this.#latest.set(id, data);
    const reserved = this.#reserved.get(id);
    if (reserved === undefined) return;
    this.#touched.add(reserved.account);
    if (AT_REST.has(status)) this.#reserved.delete(id);
    else this.#reserveAnew(data, reserved);
  }

  /** The worst of what an order is and may become is to be reserved for. */
  #reserveAnew(
    { client_order_id: id, instrument: name, side, price, qty, replacing }: EventData<'order'>,
    before: Reserved,
  ): void {
    const standings = [{ price, qty }, ...(replacing === undefined ? [] : [replacing])];
    const terms = standings.map((each) => `${each.qty}@${each.price}`).join(' or ');
    if (terms === (before.terms ?? `${qty}@${price}`)) return;
    const instrument = instrumentOf(name as InstrumentId)!;
    const held = this.#told.positions.get(instrument.id)?.size ?? ZERO;
    const needs = standings.map((each) => {
      const left = Decimal.max(ZERO, new Decimal(each.qty).minus(this.toldOf(id))) as Qty;
      return needOf({ side, price: new Decimal(each.price) as Price, qty: left }, instrument, held, MARGIN);
    });
    this.#reserved.set(id, {
      ...before,
      terms,
      amount: Decimal.max(...needs.map(({ amount }) => amount)),
      unitCost: Decimal.max(...needs.map(({ unitCost }) => unitCost)),
      closing: Decimal.max(...needs.map(({ closing }) => closing)),
      filled: ZERO,
    });
  }

  #readFill(data: EventData<'fill'>): void {
    const instrument = instrumentOf(data.instrument as InstrumentId)!;
    const trade = `${data.instrument} ${data.trade_id}`;
    this.#promise(!this.#trades.has(trade), `trade ${data.trade_id} is booked twice`);
    this.#trades.add(trade);
    const id = data.client_order_id;
    const order = this.#options.venues.orders.get(id as never);
    const fill = order?.fills.find(({ tradeId }) => tradeId === data.trade_id);
    this.#promise(order !== undefined && fill !== undefined, `trade ${data.trade_id} never happened`);
    this.#promise(
      data.side === fill.side && data.qty === fill.qty.toFixed() && data.price === fill.price.toFixed(),
      `trade ${data.trade_id} is booked as another`,
    );
    this.#told.apply(fill, instrument);
    this.#toldQty.set(id, (this.#toldQty.get(id) ?? ZERO).plus(fill.qty));
    const reserved = this.#reserved.get(id);
    if (reserved !== undefined) reserved.filled = reserved.filled.plus(fill.qty);
    const watched = this.#options.watched.get(data.operation);
    watched?.told.apply(fill, order.request);
    if (watched === undefined) this.#byHand.apply(fill, instrument);
    for (let next = this.#latest.get(id)?.replaced_by; next !== undefined; next = this.#latest.get(next)?.replaced_by)
      this.#overtaken.add(next);
    const { venue, kind, base, quote, settle } = instrument;
    const assets = kind === 'spot' ? [base, quote, fill.feeAsset] : [settle, fill.feeAsset];
    for (const asset of assets) this.#touched.add(`${venue} ${asset}`);
  }

  /** A part of what a venue has traded by itself: each holding has its own. */
  #readForced(data: EventData<'settlement'>): void {
    const { trade_id: id = '' } = data;
    const fill = this.#options.venues.forced.find(({ tradeId }) => tradeId === id);
    this.#promise(fill !== undefined, `a position is settled that no venue has touched: ${data.instrument}`);
    const booked = (this.#forcedQty.get(id) ?? ZERO).plus(data.qty);
    this.#forcedQty.set(id, booked);
    const isSame = data.side === fill.side && data.price === fill.price.toFixed() && booked.lte(fill.qty);
    this.#promise(isSame, `${id} is booked as another, or twice: ${booked.toFixed()} of ${fill.qty.toFixed()}`);
    const instrument = instrumentOf(fill.instrument)!;
    this.#told.apply({ ...fill, qty: new Decimal(data.qty), fee: new Decimal(data.fee) }, instrument);
    const watched = this.#options.watched.get(data.entry ?? '');
    if (watched !== undefined) watched.taken({ ...fill, qty: new Decimal(data.qty) }, this.#options.venues.nowMs);
    else if (data.holding === undefined) this.#ofNobody.add(instrument.id);
    for (const asset of [instrument.settle, fill.feeAsset]) this.#touched.add(`${instrument.venue} ${asset}`);
  }

  #readOperation({ id, state, reason, pnl, attribution, dust = {} }: EventData<'operation'>): void {
    const watched = this.#options.watched.get(id);
    if (watched === undefined) return;
    this.#promise(!watched.isOver || state === 'recovering' || state === watched.state, `${id} goes on after its end`);
    watched.state = state;
    watched.reason = reason;
    if (state === 'recovering') watched.wasRecovering = true;
    // Without a lease nothing can be done, by nobody: whoever takes over goes on.
    if (state === 'escalated' && reason !== 'LEASE_LOST') watched.wasAsked = true;
    if (state === 'escalated') watched.wasRecovering = true;
    if (!watched.isOver) return;
    this.#promise(pnl !== undefined, `${id} ends without its profit`);
    if (attribution !== undefined) this.#checkAttribution(id, attribution, pnl);
    this.#checkLeftBehind(watched, watched.told.looseUsd());
    if (state === 'completed') this.#checkDust(watched, dust);
  }

  /** What a product route has left over is in the dust ledger, fees and all. */
  #checkDust({ plan, told }: Watched, dust: Readonly<Record<string, string>>): void {
    if (plan.bond !== undefined) return;
    for (const [asset, left] of told.leftOver()) {
      const said = Number(dust[asset] ?? 0);
      const isSame = Math.abs(said - left) <= 1e-9 * Math.max(1, Math.abs(left));
      this.#promise(isSame, `${plan.operation} leaves ${left} ${asset} and says ${said}`);
    }
  }

  /** Nobody else's leg is left behind: what is loose was given up by a person, or is dust. */
  #checkLeftBehind({ plan, dustUsd, state, reason, isAccepted }: Watched, looseUsd: number): void {
    this.#promise(
      looseUsd <= dustUsd || isAccepted,
      `${plan.operation} is ${state ?? 'unknown'} (${reason ?? 'no reason'}) with ${looseUsd.toFixed(2)} USD loose; ${dustUsd.toFixed(2)} would be dust`,
    );
  }

  #checkAttribution(
    id: string,
    parts: NonNullable<EventData<'operation'>['attribution']>,
    pnl: { readonly realised: string },
  ): void {
    const sum = Object.values(parts).reduce((total: Decimal, part) => total.plus(part), ZERO);
    this.#promise(
      sum.eq(pnl.realised),
      `${id}: the parts of its profit are ${sum.toFixed()}, all of it ${pnl.realised}`,
    );
  }

  #checkGrid({ clientOrderId: id, instrument, price, qty }: OrderRequest): void {
    const { tick, lot, minQty } = instrumentOf(instrument)!;
    this.#promise(qty.gte(minQty) && qty.mod(lot).isZero(), `${id} has a quantity of no lots: ${qty.toFixed()}`);
    this.#promise(price.gt(0) && price.mod(tick).isZero(), `${id} has a price of no ticks: ${price.toFixed()}`);
  }

  /** What follows a maker never does more than the maker has done. */
  #checkFollower({ clientOrderId: id, operation, leg: at, qty }: OrderRequest): void {
    const watched = this.#options.watched.get(operation);
    const maker = watched?.plan.legs.findIndex(({ how }) => how === 'maker') ?? -1;
    if (watched === undefined || maker === -1 || maker === at) return;
    const [led, leg] = [watched.plan.legs[maker]!, watched.plan.legs[at]!];
    let sent: Decimal = qty;
    for (const { request } of this.#options.venues.orders.values())
      if (request.operation === operation && request.leg === at && request.purpose === 'leg')
        sent = sent.plus(request.qty);
    const done = watched.told.net(maker) / led.qty.toNumber();
    const follows = sent.toNumber() / leg.qty.toNumber();
    this.#promise(follows <= done + 1e-9, `${id} brings leg ${at} to ${follows}, and its maker has ${done}`);
  }

  /** Recovery acts on what is certain: no order of the operation may still work. It never does more than brings legs together. */
  #checkRecovery(sent: OrderRequest): void {
    const { clientOrderId: id, operation } = sent;
    const { venues, watched } = this.#options;
    const recovering = watched.get(operation);
    if (recovering === undefined || recovering.isAccepted) return;
    const excess = recovering.excessOf(sent);
    this.#promise(excess === undefined, `${id} goes too far: ${excess ?? ''}`);
    const isOpening = sent.purpose === 'complete' && recovering.told.isTaken(sent.leg);
    this.#promise(!isOpening, `${id} opens again what its venue has taken`);
    for (const order of venues.orders.values()) {
      if (order.request.operation !== operation || order.request.clientOrderId === id) continue;
      if (order.sentMs === venues.nowMs) continue;
      this.#promise(this.#isKnownOver(order), `${id} is sent while ${order.request.clientOrderId} may still work`);
    }
    const { state } = recovering;
    this.#promise(state === 'recovering', `${id} recovers an operation that is ${state ?? 'unknown'}`);
  }

  #isKnownOver({ isEndTold, wasDenied, request }: VenueOrder): boolean {
    return isEndTold || wasDenied || (this.#toldQty.get(request.clientOrderId) ?? ZERO).gte(request.qty);
  }

  #reserve(
    order: Pick<OrderRequest, 'clientOrderId' | 'instrument' | 'side' | 'price' | 'qty'>,
    isCarried: boolean,
  ): void {
    const instrument = instrumentOf(order.instrument)!;
    const held = this.#told.positions.get(order.instrument)?.size ?? ZERO;
    const { asset, amount, unitCost, closing } = needOf(order, instrument, held, MARGIN);
    const account = `${instrument.venue} ${asset}`;
    this.#reserved.set(order.clientOrderId, { order, account, amount, unitCost, closing, filled: ZERO, isCarried });
  }

  /** The ledger is the sum of the trades in the journal; what may still be spent is reserved. */
  #checkAccount({ ledger }: Life, account: string): void {
    const [venue, asset] = account.split(' ') as [never, string];
    let expected = this.#told.of(venue, asset);
    for (const { instrument, size } of this.#told.positions.values()) {
      if (instrument.venue !== venue || instrument.settle !== asset) continue;
      const position = ledger.positionOf(instrument.id);
      this.#promise(
        position.size.eq(size),
        `${instrument.id}: ${position.size.toFixed()} held, ${size.toFixed()} traded`,
      );
      const cost = position.cost ?? ZERO;
      expected = expected.plus(instrument.inverse ? cost.neg() : cost);
    }
    const total = ledger.totalOf(venue, asset);
    this.#promise(
      total.eq(expected),
      `${account}: the ledger has ${total.toFixed()}, its trades come to ${expected.toFixed()}`,
    );
    const reserved = ledger.reservedOf(venue, asset);
    const free = total.minus(reserved);
    const theirs = [...this.#reserved.values()].filter(
      (each) => each.account === account && !(each.isCarried && free.lt(each.amount)),
    );
    const sides = Map.groupBy(theirs, ({ order }) => `${order.instrument} ${order.side}`);
    const needed = [...sides.values()].reduce(
      (sum, side) => sum.plus(Decimal.max(apartOf(side), this.#togetherOf(side))),
      marginsOf(ledger, venue, asset),
    );
    this.#promise(
      reserved.gte(0) && reserved.gte(needed),
      `${account}: ${reserved.toFixed()} is reserved, ${needed.toFixed()} may be spent`,
    );
  }

  /** What all orders of a side of an instrument open beyond what is held now: no two close the same. Nothing where one may be several, or is of an earlier start. */
  #togetherOf(side: readonly Reserved[]): Decimal {
    const [{ order: first }] = side as [Reserved];
    const isPlain = side.every(({ terms, isCarried }) => terms === undefined && !isCarried);
    if (!isPlain || instrumentOf(first.instrument)!.kind === 'spot') return ZERO;
    const held = this.#told.positions.get(first.instrument)?.size ?? ZERO;
    const closable = held.isNegative() === (first.side === 'buy') ? held.abs() : ZERO;
    const left = side.reduce((sum, { order, filled }) => sum.plus(Decimal.max(ZERO, order.qty.minus(filled))), ZERO);
    const cheapest = Decimal.min(...side.map(({ unitCost }) => unitCost));
    return Decimal.max(ZERO, left.minus(closable)).times(cheapest);
  }

  #hasUntold(venue: string): boolean {
    for (const order of this.#options.venues.orders.values())
      if (
        order.instrument.venue === venue &&
        !filledOf(order).eq(this.#toldQty.get(order.request.clientOrderId) ?? ZERO)
      )
        return true;
    return false;
  }

  /** Every figure of profit is what the journal's events alone say. */
  #checkPnl({ ledger }: Life, events: readonly EngineEvent[]): void {
    const { realised, fees } = recomputePnl(events);
    this.#promise(
      ledger.pnl.realised.eq(realised),
      `profit is ${ledger.pnl.realised.toFixed()}, its trades say ${realised.toFixed()}`,
    );
    this.#promise(ledger.pnl.fees.eq(fees), `fees are ${ledger.pnl.fees.toFixed()}, its trades say ${fees.toFixed()}`);
    const state = new JournalState();
    for (const event of events) state.apply(event);
    this.#promise(state.openOperations().length === 0, 'the journal knows operations that have no end');
    const folded = state.ledger();
    this.#promise(folded.realised.eq(realised), 'the folded journal has another profit');
    for (const { venue, asset, total } of folded.balances)
      this.#promise(
        ledger.totalOf(venue, asset).eq(total),
        `${venue} ${asset}: the folded journal has ${total.toFixed()}`,
      );
    for (const [asset, amount] of ledger.dust)
      this.#promise(amount.eq(folded.dust[asset] ?? ZERO), `dust of ${asset}: the folded journal has another amount`);
    this.#checkOperationsPnl(events);
  }

  /** An operation's profit is that of its own trades. */
  #checkOperationsPnl(events: readonly EngineEvent[]): void {
    const own = new Map<string, EngineEvent[]>();
    const ends = new Map<string, EventData<'operation'>>();
    for (const event of events) {
      const operation = event.kind === 'fill' ? event.data.operation : event.kind === 'operation' ? event.data.id : '';
      if (operation === '') continue;
      const list = own.get(operation) ?? [];
      list.push(event);
      own.set(operation, list);
      if (event.kind === 'operation') ends.set(operation, event.data);
    }
    for (const [id, { pnl }] of ends) {
      const said = recomputePnl(own.get(id)!).realised;
      this.#promise(
        said.eq(pnl?.realised ?? 'NaN'),
        `${id} says ${pnl?.realised ?? 'no profit'}, its trades ${said.toFixed()}`,
      );
    }
  }

  /** The venues' accounts are what the journal says. Only the balances may show the trade of an order
   * that rose after it was given up, and one that came late while no engine lived when the question about it was lost too. */
  #checkTruth(): number {
    const { venues, isClockSet } = this.#options;
    const expected = Tally.of(this.#told);
    for (const [account, amount] of venues.drift.cash) {
      const [venue, asset] = account.split(' ') as [string, string];
      expected.add(venue, asset, amount);
    }
    let mismatches = 0;
    for (const order of venues.orders.values())
      for (const fill of order.fills) {
        if (this.#trades.has(`${fill.instrument} ${fill.tradeId}`)) continue;
        // Nobody asks about what had ended long before it was told of, should the engine die of that very word.
        const { endToldMs = Infinity, fillToldMs = 0 } = order;
        const isPast = fillToldMs - endToldMs > LATELY_MS;
        const isForgotten = this.#isRestarted && (order.isUnanswered || isPast || isClockSet());
        this.#promise(order.isRisen || isForgotten, `trade ${fill.tradeId} of ${fill.clientOrderId} was never booked`);
        expected.apply(fill, order.instrument);
        const watched = this.#options.watched.get(order.request.operation);
        if (watched !== undefined) watched.isMismatched = true;
        mismatches += 1;
      }
    const difference = venues.truth.differs(expected);
    this.#promise(difference === undefined, `ledger and venue differ: ${difference ?? ''}`);
    return mismatches;
  }

  #checkEnded(watched: Watched): void {
    if (watched.state === undefined) return;
    this.#promise(watched.isOver, `${watched.plan.operation} is ${watched.state} at the end`);
    if (!watched.isMismatched) this.#checkLeftBehind(watched, watched.truth.looseUsd());
  }

  #promise(holds: boolean, promise: string): asserts holds {
    if (!holds) throw new Violation(promise);
  }
}

/** What orders open by themselves beyond what was held when they were sent. */
const apartOf = (side: readonly Reserved[]): Decimal =>
  side.reduce((sum, { amount, unitCost, closing, filled }) => {
    const opened = Decimal.max(ZERO, filled.minus(closing));
    return sum.plus(Decimal.max(ZERO, amount.minus(unitCost.times(opened))));
  }, ZERO);

/** What is held stands to move as much as when it was entered. */
const heldUsd = (open: readonly Held[]): number =>
  open
    .flatMap(({ legs, rates }) =>
      legs.map(({ terms, entered, entryPrice }) =>
        exposureOf({ instrument: terms, price: entryPrice, qty: entered.abs() }, rates).toNumber(),
      ),
    )
    .reduce((sum, usd) => sum + usd, 0);

/** Of a holding: what its legs hold beyond the share that all of them still have of their entry, in dollars; 0 while that is no more than two lots. */
function oneSidedUsd(held: Held): number {
  // Of what has come to less than a lot nothing was entered.
  const legs = held.legs.filter(({ entered }) => !entered.isZero());
  const shares = legs.map(({ size, entered }) => size.abs().div(entered.abs()).toNumber());
  const lots = legs.map(({ instrument, entered }) => instrumentOf(instrument)!.lot.div(entered.abs()).toNumber());
  const [least, grain] = [Math.min(...shares), 2.001 * Math.max(...lots)];
  return legs.reduce((usd, { instrument, entered }, at) => {
    const beyond = shares[at]! - least;
    return beyond <= grain ? usd : usd + beyond * entered.abs().toNumber() * unitWorth(instrumentOf(instrument)!);
  }, 0);
}
