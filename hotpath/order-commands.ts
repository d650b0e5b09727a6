import { Decimal } from 'decimal.js';
import type { ClientOrderId, InstrumentId, OperationId, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Standing } from '#shared/domain/order.ts';
import type { Denied, DenyReason, Plan, PlanLeg } from '#shared/domain/trade.ts';
import type { Price, Qty } from '#shared/money/grid.ts';
import { amountOf, limitPrice, textOf, tickAt, ZERO } from '#shared/money/grid.ts';
import { quoteValueOf } from '#shared/money/pnl.ts';
import type { CommandOf } from '#shared/schema/command.ts';
import type { Recorder } from '#shared/schema/recorder.ts';
import type { Answer, Handlers } from './commands.ts';
import { ANSWERED, done, refused } from './commands.ts';
import type { Executor } from './execute/executor.ts';
import type { ManualOrder, Placed } from './execute/manual.ts';
import { ratesFor } from './execute/manual.ts';
import { exposureOf, MANUAL } from './execute/operation.ts';
import type { Place } from '#shared/money/routing.ts';
import { splitOver } from '#shared/money/routing.ts';
import type { Replaced } from './execute/replacements.ts';
import type { Approval } from './execute/recoveries.ts';

/** What commands on orders ask of the rest of the engine. */
export type OrderSources = {
  readonly executor: Pick<
    Executor,
    'submitManual' | 'cancelOrder' | 'replaceOrder' | 'orderOf' | 'approveRecovery' | 'cancelRecovery'
  >;
  readonly recorder: Recorder;
  readonly venues: ReadonlySet<string>;
  readonly instrumentOf: (id: InstrumentId) => Instrument | undefined;
  /** Every listing of a symbol. */
  readonly listingsOf: (symbol: string) => readonly Instrument[];
  /** What a taker of `side` meets, best first; empty when the book is not live. */
  readonly levels: (instrument: Instrument, side: ManualOrder['side']) => Place['levels'];
  /** The most of an order that its account bears. */
  readonly mostOf: (instrument: Instrument, order: Pick<ManualOrder, 'side' | 'qty' | 'price'>) => Decimal;
  /** Best prices of a live book. */
  readonly topOf: (id: InstrumentId) => { readonly bid: number; readonly ask: number } | undefined;
  /** Contracts held, signed. */
  readonly positionOf: (id: InstrumentId) => Decimal;
  /** Coins held above or below what trading began with, signed. */
  readonly deviationOf: (asset: string) => number;
  readonly rateOf: (asset: string) => number | undefined;
  /** How far beyond the best price a market order may trade. */
  readonly slippageBps: () => number;
  /** What holds an order back. */
  readonly denialOf: (order: {
    readonly leg: PlanLeg;
    readonly rates: Plan['rates'];
    readonly reduces: boolean;
  }) => Denied | undefined;
  readonly nextOperation: () => OperationId;
};

type OrderCommand = CommandOf<'order'>;
type Read = { readonly order: Omit<ManualOrder, 'operation'> } | { readonly refusal: Answer };

/** Commands of persons on single orders and on what recovery asks them. Codes are those of the API. */
export function orderHandlers(
  sources: OrderSources,
): Pick<Handlers, 'order' | 'order-replace' | 'cancel' | 'recovery'> {
  return {
    order: (command) => placeOrder(sources, command),
    'order-replace': (command) => replaceOrder(sources, command),
    cancel: (command) => cancelOrder(sources, command),
    recovery: (command) => answerRecovery(sources, command),
  };
}

function placeOrder(sources: OrderSources, command: OrderCommand): Answer {
  const read = orderFrom(command, sources);
  if ('refusal' in read) return read.refusal;
  const { beside = [] } = read.order;
  for (const part of [read.order, ...beside]) {
    const denied = denialOf({ ...read.order, ...part }, sources);
    if (denied !== undefined) return denied;
  }
  const operation = sources.nextOperation();
  const placed = sources.executor.submitManual({ ...read.order, operation }, (id) => {
    // In the journal before the order is on the wire: a command that is told again after a crash is not carried out again.
    sources.recorder.record('command-done', `command:${command.id}`, {
      command_id: command.id,
      command: 'order',
      by: command.by,
      detail: { order_id: id, operation },
    });
  });
  return placed.kind === 'sent'
    ? ANSWERED
    : refused(CODE_OF_PLACED[placed.reason], `${placed.reason}: ${placed.detail}`);
}

const CODE_OF_PLACED: Readonly<Record<Extract<Placed, { kind: 'refused' }>['reason'], number>> = {
  BALANCE_INSUFFICIENT: 3002,
  RATE_UNKNOWN: 3001,
  SELF_TRADE: 4001,
  FENCED: 4001,
};

/** The order as it can be sent, or what is wrong with it. */
function orderFrom(command: OrderCommand, sources: OrderSources): Read {
  const { instrument: id, side, type, time_in_force: asked, post_only: postOnly, reduce_only: reduceOnly } = command;
  if (id.split(':', 1)[0]!.includes('/')) return routed(command, sources);
  if (!sources.venues.has(id.slice(0, id.indexOf(':')))) return invalid(2002, `instrument=${id}`);
  const instrument = sources.instrumentOf(id as InstrumentId);
  if (instrument === undefined) return invalid(2001, `instrument=${id}`);
  // A market order that could rest would be a limit order.
  const timeInForce = type === 'market' && asked === 'GTC' ? 'IOC' : asked;
  if (postOnly === true && timeInForce !== 'GTC')
    return invalid(3001, 'post_only needs a limit order with time_in_force GTC');
  const price = priceOf(command, instrument, sources);
  if (typeof price === 'string') return invalid(3001, price);
  const qty = new Decimal(command.qty) as Qty;
  const wrong =
    offGrid(instrument, qty, price) ?? (reduceOnly === true ? turning(command, instrument, sources) : undefined);
  if (wrong !== undefined) return invalid(3001, wrong);
  const flags = {
    ...(postOnly === undefined ? {} : { postOnly }),
    ...(reduceOnly === undefined ? {} : { reduceOnly }),
  };
  return { order: { instrument, side, type, qty, price, timeInForce, route: MANUAL, ...flags } };
}

/** Without a venue: split over all that list the symbol, where it is best. Such an order takes at once or not at all. */
function routed(command: OrderCommand, sources: OrderSources): Read {
  const {
    instrument: symbol,
    side,
    type,
    time_in_force: asked,
    post_only: postOnly,
    reduce_only: reduceOnly,
  } = command;
  if (postOnly === true || reduceOnly === true || (type === 'limit' && asked !== 'IOC') || asked === 'FOK')
    return invalid(3001, 'an order without a venue is split: it takes at once (IOC), and neither rests nor reduces');
  const listings = sources.listingsOf(symbol);
  // Contracts of different sizes do not add up.
  const alike = listings.filter(({ contractSize }) => contractSize.eq(listings[0]!.contractSize));
  if (alike.length === 0) return invalid(2001, `instrument=${symbol}`);
  const price = bestPriceOf(command, alike, sources);
  if (typeof price === 'string') return invalid(3001, price);
  const qty = new Decimal(command.qty) as Qty;
  const places = alike.map((instrument) => ({
    instrument,
    levels: sources.levels(instrument, side),
    most: sources.mostOf(instrument, { side, qty, price }),
  }));
  const [first, ...beside] = splitOver(places, { side, qty, price });
  if (first === undefined) return invalid(3001, `nowhere is enough within the limit: price=${textOf(price)}`);
  return { order: { ...first, side, type, timeInForce: 'IOC', route: MANUAL, beside } };
}

/** The limit; that of a market order from the best of the books. */
function bestPriceOf(command: OrderCommand, listings: readonly Instrument[], sources: OrderSources): Price | string {
  const found = listings.map((instrument) => priceOf(command, instrument, sources));
  const prices = found.filter((price) => typeof price !== 'string');
  if (prices.length === 0) return found[0] as string;
  return (command.side === 'buy' ? Decimal.min(...prices) : Decimal.max(...prices)) as Price;
}

const invalid = (code: number, reason: string): Read => ({ refusal: refused(code, reason) });

/** The limit; that of a market order is as far beyond the best price as an order may trade. Text: why there is none. */
function priceOf({ type, price, side }: OrderCommand, instrument: Instrument, sources: OrderSources): Price | string {
  if (price !== undefined) return new Decimal(price) as Price;
  if (type === 'limit') return 'a limit order has a price';
  const top = sources.topOf(instrument.id);
  const best = side === 'buy' ? top?.ask : top?.bid;
  if (best === undefined || !(best > 0)) return 'there is no live book to take the price of a market order from';
  const share = new Decimal(sources.slippageBps()).div(10_000);
  const worst = new Decimal(best).times(side === 'buy' ? share.plus(1) : new Decimal(1).minus(share));
  return limitPrice(worst, tickAt(instrument, worst), side);
}

function offGrid(instrument: Instrument, qty: Decimal, price: Decimal): string | undefined {
  const { lot, minQty, minNotional } = instrument;
  const tick = tickAt(instrument, price);
  if (!price.gt(0) || !price.mod(tick).isZero()) return `price is off the grid: tick=${textOf(tick)}`;
  if (!qty.gt(0) || !qty.mod(lot).isZero()) return `qty is off the grid: lot=${textOf(lot)}`;
  if (qty.lt(minQty)) return `qty is below the smallest order: min=${textOf(minQty)}`;
  if (quoteValueOf(instrument, qty, price).lt(minNotional))
    return `value is below the smallest order: min=${textOf(minNotional)}`;
  return undefined;
}

/** Why an order would not only reduce. */
function turning({ side, qty }: OrderCommand, { id, kind }: Instrument, sources: OrderSources): string | undefined {
  if (kind === 'spot') return 'reduce_only is for contracts';
  const size = sources.positionOf(id);
  const isAgainst = side === 'buy' ? size.lt(0) : size.gt(0);
  return isAgainst && size.abs().gte(qty) ? undefined : `reduce_only would turn the position: size=${textOf(size)}`;
}

function denialOf(
  { instrument, side, price, qty }: Omit<ManualOrder, 'operation'>,
  sources: OrderSources,
): Answer | undefined {
  const rates = ratesFor(instrument, price, sources.rateOf);
  if (rates === undefined) return refused(3001, `RATE_UNKNOWN: instrument=${instrument.id}`);
  const top = sources.topOf(instrument.id);
  const best = side === 'buy' ? top?.ask : top?.bid;
  // One that rests trades at its own price.
  const doesTake = best !== undefined && (side === 'buy' ? price.gte(best) : price.lte(best));
  const expectedPrice = doesTake ? new Decimal(best) : price;
  const notional = amountOf(exposureOf({ instrument, price, qty }, rates));
  const leg: PlanLeg = { instrument: instrument.id, side, price, qty, expectedPrice, notional };
  const denied = sources.denialOf({ leg, rates, reduces: doesReduce(instrument, side, qty, sources) });
  return denied === undefined ? undefined : refused(codeOf(denied.reason), `${denied.reason}: ${denied.detail}`);
}

/** Whether it brings what is held closer to what trading began with, and not beyond. */
function doesReduce(
  { id, kind, base }: Instrument,
  side: ManualOrder['side'],
  qty: Decimal,
  sources: OrderSources,
): boolean {
  const held = kind === 'spot' ? new Decimal(sources.deviationOf(base)) : sources.positionOf(id);
  return (side === 'buy' ? held.lt(ZERO) : held.gt(ZERO)) && held.abs().gte(qty);
}

const codeOf = (reason: DenyReason): number => CODE_OF_DENIAL[reason] ?? 4001;

/** Every other denial is a limit exceeded. */
const CODE_OF_DENIAL: Readonly<Partial<Record<DenyReason, number>>> = {
  POSITION_EXCEEDS_MAX: 4002,
  LEVERAGE_EXCEEDS_MAX: 4003,
  BALANCE_INSUFFICIENT: 3002,
  MARGIN_INSUFFICIENT: 3002,
  VENUE_UNHEALTHY: 5002,
  BOOK_NOT_LIVE: 5002,
};

function cancelOrder({ executor }: OrderSources, { order }: CommandOf<'cancel'>): Answer {
  const cancelled = executor.cancelOrder(order as ClientOrderId);
  switch (cancelled.kind) {
    case 'unknown':
      return refused(3003, `order=${order}`);
    case 'over':
      return refused(cancelled.status === 'filled' ? 3004 : 3003, `order=${order}, status=${cancelled.status}`);
    case 'cancelling':
      return done({ order_id: order, operation: cancelled.operation, status: 'cancelling' });
  }
}

/** What is wanted is checked as a new order would be: its grid, and the gate for what is left of it at its new price. */
function replaceOrder(sources: OrderSources, command: CommandOf<'order-replace'>): Answer {
  const id = command.order as ClientOrderId;
  const known = sources.executor.orderOf(id);
  if (known?.request.purpose === 'leg') return refused(3001, `order=${id}, only a person's order is replaced by hand`);
  const to = known === undefined ? {} : standingFrom(command, known);
  if (known !== undefined) {
    const wrong = wrongOf(known, to as Standing, sources);
    if (wrong !== undefined) return wrong;
  }
  const replaced = sources.executor.replaceOrder(id, to);
  switch (replaced.kind) {
    case 'unknown':
      return refused(3003, `order=${id}`);
    case 'over':
      return refused(replaced.status === 'filled' ? 3004 : 3003, `order=${id}, status=${replaced.status}`);
    case 'refused':
      return refused(CODE_OF_REPLACED[replaced.reason], `${replaced.reason}: ${replaced.detail}`);
    case 'replacing':
      return done({ order_id: id, operation: replaced.operation, status: 'replacing' });
  }
}

type Known = NonNullable<ReturnType<Executor['orderOf']>>;

const standingFrom = ({ price, qty }: CommandOf<'order-replace'>, { request }: Known): Standing => ({
  price: price === undefined ? request.price : (new Decimal(price) as Price),
  qty: qty === undefined ? request.qty : (new Decimal(qty) as Qty),
});

function wrongOf(
  { request, instrument, filledQty }: Known,
  { price, qty }: Standing,
  sources: OrderSources,
): Answer | undefined {
  if (price.eq(request.price) && qty.eq(request.qty)) return refused(3001, 'neither price nor qty is another');
  const left = qty.minus(filledQty) as Qty;
  if (left.lte(0)) return refused(3004, `filled=${textOf(filledQty)}`);
  const wrong = offGrid(instrument, left, price);
  if (wrong !== undefined) return refused(3001, wrong);
  return denialOf({ ...request, instrument, price, qty: left, route: MANUAL }, sources);
}

const CODE_OF_REPLACED: Readonly<Record<Extract<Replaced, { kind: 'refused' }>['reason'], number>> = {
  NOT_RESTING: 3001,
  FILLED_BEYOND: 3004,
  BALANCE_INSUFFICIENT: 3002,
  SELF_TRADE: 4001,
  FENCED: 4001,
};

function answerRecovery({ executor }: OrderSources, command: CommandOf<'recovery'>): Answer {
  const { decision, proposal, operation, by, id } = command;
  const word = { by, commandId: id };
  const approval =
    decision === 'approve'
      ? executor.approveRecovery(operation as OperationId, proposal, word)
      : executor.cancelRecovery(operation as OperationId, word);
  if (approval.kind === 'done') return done({ operation, decision });
  return refused(CODE_OF_APPROVAL[approval.reason], `${approval.reason}: ${approval.detail}`);
}

const CODE_OF_APPROVAL: Readonly<Record<Extract<Approval, { kind: 'refused' }>['reason'], number>> = {
  NOT_ASKED: 2003,
  NOT_ON_OFFER: 3001,
  ATTEMPTS_EXHAUSTED: 3001,
  BALANCE_INSUFFICIENT: 3002,
  SELF_TRADE: 4001,
  FENCED: 4001,
};

/** Venues of the instruments that can be named. */
export const venuesOf = (instruments: readonly Instrument[]): ReadonlySet<VenueId> =>
  new Set(instruments.map(({ venue }) => venue));
