import type { TradingState } from '#shared/domain/trade.ts';
import type { EventData } from '#shared/schema/event.ts';
import type { Recorder } from '#shared/schema/recorder.ts';

export type Trading = { readonly state: TradingState; readonly reason: string };

/** What else holds trading back: open breakers, an account that is not verified, a lease that is lost. Undefined: nothing. */
export type Restriction = () => Trading | undefined;

/**
 * What trading may do now: the strictest of what was commanded and of every restriction. A restriction ends when its cause does; a command stands until
 * the next.
 */
export class TradingControl {
  readonly #recorder: Recorder;
  readonly #restrictions: readonly Restriction[];
  #commanded: Trading;
  /** Why nothing may be sent at all, recovery included; ended by a start. */
  #emergency: string | undefined;
  #draining = false;

  /** `emergency`: the reason of one that was not ended before a restart. */
  constructor(recorder: Recorder, commanded: Trading, restrictions: readonly Restriction[], emergency?: string) {
    this.#recorder = recorder;
    this.#commanded = commanded;
    this.#restrictions = restrictions;
    if (emergency !== undefined) this.#emergency = fenceOf(emergency);
  }

  get now(): Trading {
    if (this.#draining) return { state: 'halted', reason: 'draining' };
    if (this.#commanded.state === 'halted') return this.#commanded;
    let strictest = this.#commanded;
    for (const restriction of this.#restrictions) {
      const found = restriction();
      if (found?.state === 'halted') return found;
      if (found !== undefined && strictest.state === 'active') strictest = found;
    }
    return strictest;
  }

  /** The fence of an emergency: undefined while orders may leave. */
  readonly fence = (): string | undefined => this.#emergency;

  /** A start also ends an emergency. The event answers the command. */
  command(state: TradingState, { reason, by, command_id }: Omit<EventData<'trading-state'>, 'state'>): void {
    this.#commanded = { state, reason };
    if (state === 'active') this.#emergency = undefined;
    this.#recorder.record('trading-state', 'trading', {
      state,
      reason,
      by,
      ...(command_id === undefined ? {} : { command_id }),
    });
  }

  /** Nothing is sent from now on. */
  stopEverything(reason: string, by: string): void {
    this.command('halted', { reason, by });
    this.#emergency = fenceOf(reason);
  }

  /** From now on nothing new begins, whatever was commanded. */
  drain(): void {
    this.#draining = true;
  }
}

const fenceOf = (reason: string): string => `EMERGENCY_STOP: ${reason}`;
