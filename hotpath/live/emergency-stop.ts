import type { Clock, Timer } from '#shared/clock/clock.ts';
import type { CommandOf } from '#shared/schema/command.ts';
import type { EventData } from '#shared/schema/event.ts';
import type { Recorder } from '#shared/schema/recorder.ts';
import type { Answer } from '../commands.ts';
import { ANSWERED } from '../commands.ts';
import type { Cleared } from '../execute/accounts.ts';
import type { Logger } from '../runtime/logger.ts';
import type { TradingControl } from '../trading-control.ts';

export type EmergencyOptions = {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly recorder: Recorder;
  readonly control: TradingControl;
  /** Ends every open order at every account, and asks until none is left. */
  readonly clear: (done: (cleared: readonly Cleared[]) => void) => void;
};

type Emergency = Pick<EventData<'emergency-stop'>, 'reason' | 'by' | 'command_id'>;

/** Between a failed round and the next; they go on until the venues have said that nothing is open, or trading is started again. */
const AGAIN_MS = 2_000;

/**
 * Stops everything: nothing is sent from this instant on, every open order is cancelled, the venues are asked until none is left, and the journal says so.
 */
export class EmergencyStop {
  readonly #options: EmergencyOptions;
  #timer: Timer | undefined;
  /** Counts stops: only the last one goes on. */
  #stops = 0;

  constructor(options: EmergencyOptions) {
    this.#options = options;
  }

  readonly begin = ({ reason, by, id }: CommandOf<'emergency-stop'>): Answer => {
    const { control } = this.#options;
    control.stopEverything(reason, by);
    const emergency = { reason, by, command_id: id };
    this.#tell(emergency, 'started', []);
    this.#pursue(emergency, 'started');
    return ANSWERED;
  };

  /** Goes on with one that was not ended before a restart: what it cancelled, and what it did not come to, is asked for again. */
  resume({ reason, by, command_id: id, state }: EventData<'emergency-stop'>): void {
    this.#pursue({ reason, by, ...(id === undefined ? {} : { command_id: id }) }, state);
  }

  stop(): void {
    this.#stops += 1;
    this.#timer?.cancel();
  }

  #pursue(emergency: Emergency, said: EventData<'emergency-stop'>['state']): void {
    this.#timer?.cancel();
    this.#stops += 1;
    this.#round(emergency, said, this.#stops);
  }

  #round(emergency: Emergency, said: EventData<'emergency-stop'>['state'], stop: number): void {
    const { clock, control, clear } = this.#options;
    const isOver = (): boolean => control.fence() === undefined || stop !== this.#stops;
    clear((cleared) => {
      if (isOver()) return;
      const state = cleared.every(({ left, isKnown }) => isKnown && left === 0) ? 'verified' : 'failed';
      if (state !== said) this.#tell(emergency, state, cleared);
      if (state === 'verified') return;
      this.#timer = clock.after(AGAIN_MS, () => {
        if (!isOver()) this.#round(emergency, state, stop);
      });
    });
  }

  #tell(emergency: Emergency, state: EventData<'emergency-stop'>['state'], cleared: readonly Cleared[]): void {
    const { recorder, logger } = this.#options;
    const accounts = cleared.map(({ venue, account, open, left, isKnown, ms }) => ({
      venue,
      account,
      open,
      // Nobody has said that nothing is left.
      left: isKnown ? left : Math.max(left, 1),
      ms: Math.round(ms * 1e3) / 1e3,
    }));
    recorder.record('emergency-stop', 'trading', { state, ...emergency, accounts });
    recorder.flush();
    logger[state === 'failed' ? 'error' : 'warn'](`emergency-stop-${state}`, { reason: emergency.reason, accounts });
  }
}
