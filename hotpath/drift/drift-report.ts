import { BadInput } from '#shared/assert.ts';
import type { EngineEvent, EventData } from '#shared/schema/event.ts';

export type DriftMode = EventData<'engine-started'>['mode'];

/** What became of the orders of one venue and part of the plan. Basis points are of the notional; costs are above zero. */
export type DriftRow = {
  readonly venue: string;
  /** `leg 1`, `leg 2`, … of plans, by their position; `recovery` for whatever was sent after them. */
  readonly part: string;
  readonly orders: number;
  /** Of their notional, and by count: filled whole, filled in part. */
  readonly fillRate: number;
  readonly wholeShare: number;
  readonly partShare: number;
  /** Average price against what the plan expected; null where nothing filled. */
  readonly slippageBps: number | null;
  readonly feeBps: number | null;
  /** From the order to its first fill. */
  readonly fillMs: { readonly p50: number | null; readonly p99: number | null };
  readonly rejected: number;
  /** In the numeraire. */
  readonly notional: number;
};

/** One journal. Profits are in the numeraire, over the operations that have ended. */
export type DriftSide = {
  readonly journal: string;
  readonly mode: DriftMode;
  readonly operations: number;
  readonly completed: number;
  readonly expected: number;
  readonly realised: number;
  readonly fees: number;
  /** Realised less expected, of the notional. */
  readonly driftBps: number | null;
  readonly rows: readonly DriftRow[];
};

export type DriftReport = {
  /** What all of them have traded; nothing else is counted. */
  readonly instruments: readonly string[];
  readonly sides: readonly DriftSide[];
};

export type JournalSource = { readonly name: string; readonly events: () => Iterable<EngineEvent> };

/**
 * How one run's orders fared against another's: paper against shadow against live, over the instruments that all of them have ordered.
 * Each journal is read twice, and no more of it is kept than its open operations and one number a fill.
 * @throws BadInput for journals that are fewer than two, have no start in them, or have no instrument in common
 */
export function driftReport(sources: readonly JournalSource[]): DriftReport {
  if (sources.length < 2) throw new BadInput('two journals at least: a drift is a difference');
  const known = sources.map(({ name, events }) => ({ name, events, ...surveyed(name, events()) }));
  const instruments = [...known[0]!.instruments]
    .filter((instrument) => known.every((each) => each.instruments.has(instrument)))
    .sort();
  if (instruments.length === 0) {
    const names = known.map(({ name, instruments: own }) => `${name} (${own.size} instruments)`);
    throw new BadInput(`the journals share no instrument that was ordered: ${names.join(', ')}`);
  }
  const shared = new Set(instruments);
  return {
    instruments,
    sides: known.map(({ name, mode, events }) => sideFrom(name, mode, { shared, events: events() })),
  };
}

function surveyed(
  name: string,
  events: Iterable<EngineEvent>,
): { readonly mode: DriftMode; readonly instruments: ReadonlySet<string> } {
  let mode: DriftMode | undefined;
  const instruments = new Set<string>();
  for (const event of events) {
    if (event.kind === 'engine-started') mode ??= event.data.mode;
    else if (event.kind === 'order') instruments.add(event.data.instrument);
  }
  if (mode === undefined)
    throw new BadInput(`${name}: no engine has started in it, so that nobody can say in which mode it traded`);
  return { mode, instruments };
}

function sideFrom(
  journal: string,
  mode: DriftMode,
  { shared, events }: { readonly shared: ReadonlySet<string>; readonly events: Iterable<EngineEvent> },
): DriftSide {
  const side = new SideMaker(shared);
  for (const event of events) side.take(event);
  return { journal, mode, ...side.made() };
}

type Operation = EventData<'operation'>;
type Order = EventData<'order'>;
type Fill = EventData<'fill'>;
type OpenOperation = {
  readonly operation: Operation;
  readonly orders: Map<string, OpenOrder>;
};
type OpenOrder = {
  order: Order;
  readonly sentNs: bigint;
  readonly fills: Fill[];
  firstFillNs: bigint | undefined;
};

class SideMaker {
  readonly #shared: ReadonlySet<string>;
  readonly #open = new Map<string, OpenOperation>();
  readonly #parts = new Map<string, PartMaker>();
  #operations = 0;
  #completed = 0;
  #expected = 0;
  #realised = 0;
  #fees = 0;
  #notional = 0;

  constructor(shared: ReadonlySet<string>) {
    this.#shared = shared;
  }

  take(event: EngineEvent): void {
    if (event.kind === 'operation') this.#onOperation(event.data);
    else if (event.kind === 'order') this.#onOrder(event.data, BigInt(event.at));
    else if (event.kind === 'fill') this.#onFill(event.data, BigInt(event.at));
  }

  made(): Omit<DriftSide, 'journal' | 'mode'> {
    const drift = this.#realised - this.#expected;
    return {
      operations: this.#operations,
      completed: this.#completed,
      expected: this.#expected,
      realised: this.#realised,
      fees: this.#fees,
      driftBps: this.#notional > 0 ? (1e4 * drift) / this.#notional : null,
      rows: [...this.#parts.values()]
        .map((part) => part.made())
        .sort((one, other) => one.venue.localeCompare(other.venue) || one.part.localeCompare(other.part)),
    };
  }

  #onOperation(operation: Operation): void {
    const known = this.#open.get(operation.id);
    const isOver = operation.state === 'completed' || operation.state === 'failed';
    if (!isOver) {
      this.#open.set(operation.id, { operation, orders: known?.orders ?? new Map<string, OpenOrder>() });
      return;
    }
    this.#open.delete(operation.id);
    if (known !== undefined && operation.legs.every(({ instrument }) => this.#shared.has(instrument))) {
      this.#count({ ...known, operation });
    }
  }

  #onOrder(order: Order, atNs: bigint): void {
    const orders = this.#open.get(order.operation)?.orders;
    if (orders === undefined) return;
    const known = orders.get(order.client_order_id);
    if (known === undefined)
      orders.set(order.client_order_id, { order, sentNs: atNs, fills: [], firstFillNs: undefined });
    else known.order = order;
  }

  #onFill(fill: Fill, atNs: bigint): void {
    const known = this.#open.get(fill.operation)?.orders.get(fill.client_order_id);
    if (known === undefined) return;
    known.fills.push(fill);
    known.firstFillNs ??= atNs;
  }

  #count({ operation, orders }: OpenOperation): void {
    this.#operations += 1;
    if (operation.state === 'completed') this.#completed += 1;
    this.#notional += Number(operation.notional);
    this.#expected += Number(operation.expected_profit);
    this.#realised += Number(operation.pnl?.realised ?? 0);
    this.#fees += Number(operation.pnl?.fees ?? 0);
    for (const order of orders.values()) this.#partOf(order.order).count(order, operation);
  }

  #partOf({ instrument, purpose, leg }: Order): PartMaker {
    const venue = instrument.slice(0, instrument.indexOf(':'));
    const part = purpose === 'leg' ? `leg ${leg + 1}` : purpose === 'manual' ? 'manual' : 'recovery';
    const key = `${venue} ${part}`;
    let maker = this.#parts.get(key);
    if (maker === undefined) {
      maker = new PartMaker(venue, part);
      this.#parts.set(key, maker);
    }
    return maker;
  }
}

class PartMaker {
  readonly #venue: string;
  readonly #part: string;
  readonly #fillMs: number[] = [];
  #orders = 0;
  #whole = 0;
  #partly = 0;
  #rejected = 0;
  #asked = 0;
  #filled = 0;
  /** Filled notional of which the expected price is known. */
  #priced = 0;
  #slipped = 0;
  #fees = 0;

  constructor(venue: string, part: string) {
    this.#venue = venue;
    this.#part = part;
  }

  count({ order, sentNs, fills, firstFillNs }: OpenOrder, operation: Operation): void {
    const share = Number(order.filled_qty) / Number(order.qty);
    const plan = operation.legs[order.leg];
    // Of a plan's leg the notional is the operation's; an order of recovery has its part of it.
    const notional =
      plan === undefined
        ? Number(operation.notional)
        : (Number(operation.notional) * Number(order.qty)) / Number(plan.qty);
    this.#orders += 1;
    if (share >= 1) this.#whole += 1;
    else if (share > 0) this.#partly += 1;
    if (order.status === 'rejected') this.#rejected += 1;
    this.#asked += notional;
    this.#filled += notional * share;
    const expected = Number(plan?.expected_price ?? plan?.price ?? NaN);
    for (const { price, qty, side, instrument, ...fill } of fills) {
      const part = (notional * Number(qty)) / Number(order.qty);
      this.#fees += Number(fill.fee) * Number(operation.rates[fill.fee_asset] ?? fill.fee_rate ?? 0);
      if (instrument !== plan?.instrument || !(expected > 0)) continue;
      this.#priced += part;
      this.#slipped += part * (Number(price) / expected - 1) * (side === 'buy' ? 1 : -1);
    }
    if (firstFillNs !== undefined) this.#fillMs.push(Number(firstFillNs - sentNs) / 1e6);
  }

  made(): DriftRow {
    return {
      venue: this.#venue,
      part: this.#part,
      orders: this.#orders,
      fillRate: this.#asked > 0 ? this.#filled / this.#asked : 0,
      wholeShare: this.#whole / this.#orders,
      partShare: this.#partly / this.#orders,
      slippageBps: this.#priced > 0 ? (1e4 * this.#slipped) / this.#priced : null,
      feeBps: this.#filled > 0 ? (1e4 * this.#fees) / this.#filled : null,
      fillMs: { p50: quantile(this.#fillMs, 0.5), p99: quantile(this.#fillMs, 0.99) },
      rejected: this.#rejected,
      notional: this.#asked,
    };
  }
}

/** The nearest rank. */
function quantile(values: readonly number[], at: number): number | null {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(at * sorted.length) - 1)] ?? null;
}
