import type { Clock } from '#shared/clock/clock.ts';
import type { TradingState } from '#shared/domain/trade.ts';
import type { Config } from '#shared/schema/config.ts';
import type { EngineEvent, EventData } from '#shared/schema/event.ts';
import type { Recorder } from '#shared/schema/recorder.ts';
import type { BreakerStatus } from '#shared/schema/status.ts';
import type { Machine, OrderEnd, Result } from './breaker.ts';
import { consecutiveLosses, drift, errorRate, forcedTrades, latency, rejectStreak, windowLoss } from './breaker.ts';

export type BreakersOptions = {
  readonly config: Config['breakers'];
  readonly clock: Clock;
  readonly recorder: Recorder;
  /** Those that nobody has reset before this start. */
  readonly open: readonly EventData<'breaker'>[];
  /** What differed before this start, and nobody has settled. */
  readonly mismatches: readonly EventData<'mismatch'>[];
};

export const BREAKER_IDS = [
  'consecutive-losses',
  'window-loss',
  'reject-streak',
  'error-rate',
  'latency',
  'drift',
  'mismatch',
  'deleveraging',
] as const;
export type BreakerId = (typeof BREAKER_IDS)[number];

type Breaker = {
  readonly id: BreakerId;
  readonly machine: Machine;
  readonly trips: 'reducing' | 'halted';
  open: { readonly reason: string } | undefined;
  /** By the wall clock: for people. */
  openedMs: number | null;
};

/** Refusals that a plan counts on: prices move, and some orders may only make. */
const USUAL_REFUSALS: readonly string[] = ['not-filled', 'would-take'];
/** Orders that were counted as unknown, so that what becomes of them is not counted again. */
const UNKNOWN_MAX = 1_000;

/**
 * What stops trading by itself. Fed with what the journal is told, so that every way an operation or an order can end counts; open until a person resets it, restarts
 * included. While one is open the trading state is at best what it trips.
 */
export class Breakers {
  readonly #options: BreakersOptions;
  readonly #breakers: readonly Breaker[];
  readonly #unknown = new Set<string>();
  readonly #mismatches = new Set<string>();
  /** Whose word has made a balance what its venue says, since something differed. */
  #adjustedBy: string | undefined;

  constructor(options: BreakersOptions) {
    const { config } = options;
    this.#options = options;
    const left = new Map(options.open.map((event) => [event.id, event]));
    // One that a person has reset stays so, whatever still differs.
    if (left.has('mismatch')) for (const mismatch of options.mismatches) this.#mismatches.add(keyOf(mismatch));
    const breaker = (id: BreakerId, machine: Machine, trips: Breaker['trips']): Breaker => {
      const open = left.get(id);
      return { id, machine, trips, open: open && { reason: open.reason }, openedMs: null };
    };
    this.#breakers = [
      breaker('consecutive-losses', consecutiveLosses(config.consecutive_losses), config.consecutive_losses.trips),
      breaker('window-loss', windowLoss(config.window_loss), config.window_loss.trips),
      breaker('reject-streak', rejectStreak(config.reject_streak), config.reject_streak.trips),
      breaker('error-rate', errorRate(config.error_rate), config.error_rate.trips),
      breaker('latency', latency(config.latency), config.latency.trips),
      breaker('drift', drift(config.drift), config.drift.trips),
      breaker('mismatch', this.#mismatchMachine(), config.mismatch.trips),
      breaker('deleveraging', forcedTrades(), config.deleveraging.trips),
    ];
  }

  /** What the open ones make of trading; undefined while none is open. */
  readonly restriction = (): { readonly state: TradingState; readonly reason: string } | undefined => {
    let strictest: Breaker | undefined;
    for (const breaker of this.#breakers) {
      if (breaker.open === undefined) continue;
      if (strictest === undefined || breaker.trips === 'halted') strictest = breaker;
      if (strictest.trips === 'halted') break;
    }
    return strictest && { state: strictest.trips, reason: `breaker ${strictest.id}: ${strictest.open!.reason}` };
  };

  /** Every fact that the journal is told. */
  readonly onEvent = (event: EngineEvent): void => {
    if (event.kind === 'operation') this.#onOperation(event.data);
    else if (event.kind === 'holding') this.#onHolding(event.data);
    else if (event.kind === 'order') this.#onOrder(event.data);
    else if (event.kind === 'mismatch') this.#onMismatch(event.data);
    else if (event.kind === 'settlement' && event.data.forced !== undefined) this.#tell(({ onForced }) => onForced?.());
    else if (event.kind === 'adjustment' && this.#mismatches.size > 0) this.#adjustedBy = event.data.by;
  };

  /** An order's first word came after so long. */
  readonly onRoundTrip = (tookMs: number): void => {
    this.#tell(({ onRoundTrip }, nowMs) => onRoundTrip?.(tookMs, nowMs));
  };

  /** False where there is no such breaker. One that is closed forgets what it has seen all the same. */
  reset(id: string, by: string, command: string): boolean {
    const breaker = this.#breakers.find((each) => each.id === id);
    if (breaker === undefined) return false;
    this.#close(breaker, { by, command_id: command });
    return true;
  }

  status(): readonly BreakerStatus[] {
    const nowMs = this.#nowMs();
    return this.#breakers.map(({ id, machine, trips, open, openedMs }) => ({
      id,
      state: open === undefined ? 'closed' : 'open',
      trips,
      value: textOf(machine.value(nowMs)),
      limit: textOf(machine.limit),
      reason: open?.reason ?? '',
      opened_ms: openedMs,
    }));
  }

  /** One that trades and is done is a result; what enters or leaves a holding is part of one, told when that closes. */
  #onOperation(data: EventData<'operation'>): void {
    if (data.pnl === undefined) return;
    const { bond } = data;
    const carry = bond?.intent === 'enter' ? Number(bond.carry) * Number(bond.units) : 0;
    const result: Result = {
      realisedUsd: Number(data.pnl.realised),
      expectedUsd: Number(data.expected_profit) - carry,
      notionalUsd: Number(data.notional),
    };
    // Nothing has filled.
    if (result.realisedUsd === 0) return;
    if (bond === undefined) this.#tell(({ onResult }, nowMs) => onResult?.(result, nowMs));
    if (bond?.intent !== 'exit') this.#tell(({ onTrade }, nowMs) => onTrade?.(result, nowMs));
  }

  #onHolding({ state, pnl, expected_profit: expected, notional }: EventData<'holding'>): void {
    if (state !== 'closed') return;
    const result: Result = {
      realisedUsd: Number(pnl.realised),
      expectedUsd: Number(expected),
      notionalUsd: Number(notional),
    };
    this.#tell(({ onResult }, nowMs) => onResult?.(result, nowMs));
  }

  #onOrder({ client_order_id: id, status, reason }: EventData<'order'>): void {
    const end = orderEndOf(status, reason);
    if (end === undefined) return;
    if (this.#unknown.delete(id)) return;
    if (end === 'unknown') {
      this.#unknown.add(id);
      if (this.#unknown.size > UNKNOWN_MAX) this.#unknown.delete(this.#unknown.values().next().value!);
    }
    this.#tell(({ onOrder }, nowMs) => onOrder?.(end, nowMs));
  }

  #onMismatch(mismatch: EventData<'mismatch'>): void {
    if (mismatch.state === 'open') this.#mismatches.add(keyOf(mismatch));
    else this.#mismatches.delete(keyOf(mismatch));
    this.#tell(() => undefined);
    const by = this.#adjustedBy;
    if (this.#mismatches.size > 0 || by === undefined) return;
    // The person who made the ledger agree has looked.
    this.#adjustedBy = undefined;
    const breaker = this.#breakers.find((each) => each.id === 'mismatch')!;
    if (breaker.open !== undefined) this.#close(breaker, { by });
  }

  #mismatchMachine(): Machine {
    return {
      value: () => this.#mismatches.size,
      limit: 1,
      isOver: () => this.#mismatches.size > 0,
      clear: () => {
        this.#mismatches.clear();
      },
    };
  }

  /** Shows every machine what has happened, and opens what has seen too much. */
  #tell(show: (machine: Machine, nowMs: number) => void): void {
    const nowMs = this.#nowMs();
    for (const breaker of this.#breakers) {
      show(breaker.machine, nowMs);
      if (breaker.open === undefined && this.#options.config.enabled && breaker.machine.isOver(nowMs))
        this.#open(breaker, nowMs);
    }
  }

  #open(breaker: Breaker, nowMs: number): void {
    const { id, machine, trips } = breaker;
    const value = textOf(machine.value(nowMs));
    const limit = textOf(machine.limit);
    const reason = `value=${value}, limit=${limit}`;
    breaker.open = { reason };
    breaker.openedMs = this.#options.clock.unixMs(this.#options.clock.now());
    this.#options.recorder.record('breaker', `breaker:${id}`, {
      id,
      state: 'open',
      trips,
      reason,
      value,
      limit,
      by: 'engine',
    });
  }

  #close(breaker: Breaker, told: { readonly by: string; readonly command_id?: string }): void {
    const { id, machine, trips } = breaker;
    const value = textOf(machine.value(this.#nowMs()));
    machine.clear();
    breaker.open = undefined;
    this.#options.recorder.record('breaker', `breaker:${id}`, {
      id,
      state: 'closed',
      trips,
      reason: 'reset',
      value,
      limit: textOf(machine.limit),
      ...told,
    });
  }

  /** By the clock that is never set: windows are no longer and no shorter for it. */
  #nowMs(): number {
    return this.#options.clock.now() / 1e6;
  }
}

const keyOf = ({ venue, what, id }: EventData<'mismatch'>): string => `${venue} ${what} ${id}`;

/** Undefined while it lives. */
function orderEndOf(status: EventData<'order'>['status'], reason: string | undefined): OrderEnd | undefined {
  switch (status) {
    case 'submitted':
    case 'accepted':
    case 'partially-filled':
      return undefined;
    case 'rejected':
      return USUAL_REFUSALS.includes(reason ?? '') ? 'taken' : 'refused';
    case 'unknown':
      return 'unknown';
    case 'filled':
    case 'canceled':
    case 'expired':
      return 'taken';
  }
}

const textOf = (value: number): string => (Number.isNaN(value) ? '' : String(Math.round(value * 1e6) / 1e6));
