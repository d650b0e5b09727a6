import type { Clock } from '#shared/clock/clock.ts';
import type { Principal } from '../common/auth.ts';

/** Whether the key of a principal was revoked or is over. */
export type IsClosed = (principal: Principal) => Promise<boolean>;

export const KEY_CLOSED = 'the key of this token was revoked or is over';
const LOOK_EVERY_MS = 10_000;

/** Looks now and then at the keys of those who listen: a socket that is open does not outlive its key by much. */
export class KeyWatch {
  readonly #clock: Clock;
  readonly #isClosed: IsClosed;
  #lookedMs: number;

  constructor(clock: Clock, isClosed: IsClosed) {
    this.#clock = clock;
    this.#isClosed = isClosed;
    this.#lookedMs = -Infinity;
  }

  /**
   * The ids of those whose keys are closed; nobody when that was asked less than ten seconds ago. Each key is asked about once.
   * @throws ApplicationError when the keys cannot be read; they are asked about again in ten seconds
   */
  async closed(principals: Iterable<Principal>): Promise<ReadonlySet<string>> {
    const nowMs = this.#clock.unixMs(this.#clock.now());
    // The clock may be set back.
    if (Math.abs(nowMs - this.#lookedMs) < LOOK_EVERY_MS) return new Set();
    this.#lookedMs = nowMs;
    const byId = new Map([...principals].map((principal) => [principal.id, principal]));
    const looks = [...byId].map(async ([id, principal]) => ((await this.#isClosed(principal)) ? [id] : []));
    return new Set((await Promise.all(looks)).flat());
  }
}
