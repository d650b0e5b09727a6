import type { Timer } from '#shared/clock/clock.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { DeadMan } from '../../venues/venue-account.ts';
import type { AccountClient, Outcome } from './account-client.ts';
import { textOfOutcome } from './account-client.ts';

type Timed = Extract<DeadMan, { readonly kind: 'timer' }>;

/** A refused or lost arming is repeated after so long. */
const REPEAT_MS = 1_000;

/**
 * Has the venue cancel our orders when we fall silent: armed when an order may rest, again every third of its time while one may, disarmed on a clean
 * stop. Orders that end at once need none of it. When nothing rests any more it is left to run out, which then cancels nothing.
 */
export class DeadManSwitch {
  armed = 0;
  failures = 0;
  readonly #client: AccountClient;
  readonly #deadMan: Timed;
  readonly #timeoutMs: number;
  readonly #resting: () => readonly Instrument[];
  /** Until when each instrument is covered. */
  readonly #coveredNs = new Map<Instrument, number>();
  #timer: Timer | undefined;

  /** `resting`: the instruments on which an order of ours may rest. */
  constructor(client: AccountClient, deadMan: Timed, wantedMs: number, resting: () => readonly Instrument[]) {
    this.#client = client;
    this.#deadMan = deadMan;
    this.#timeoutMs = Math.min(Math.max(wantedMs, deadMan.minMs), deadMan.maxMs);
    this.#resting = resting;
  }

  /** An order may rest from now on. */
  cover(instrument: Instrument): void {
    const leftMs = ((this.#coveredNs.get(instrument) ?? 0) - this.#client.clock.now()) / 1e6;
    if (leftMs < (this.#timeoutMs * 2) / 3) this.#arm([instrument]);
    this.#timer ??= this.#client.clock.after(this.#timeoutMs / 3, this.#tick);
  }

  /** Whatever the venue would still do is called off. */
  disarm(done: () => void): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const nowNs = this.#client.clock.now();
    const covered = [...this.#coveredNs].flatMap(([instrument, untilNs]) => (untilNs > nowNs ? [instrument] : []));
    this.#coveredNs.clear();
    if (covered.length === 0) done();
    else this.#send(0, covered, done);
  }

  readonly #tick = (): void => {
    this.#timer = undefined;
    const resting = this.#resting();
    if (resting.length === 0) return;
    this.#arm(resting);
    this.#timer = this.#client.clock.after(this.#timeoutMs / 3, this.#tick);
  };

  #arm(instruments: readonly Instrument[]): void {
    const untilNs = this.#client.clock.now() + this.#timeoutMs * 1e6;
    for (const instrument of instruments) this.#coveredNs.set(instrument, untilNs);
    this.armed += 1;
    this.#send(this.#timeoutMs, instruments, (outcome) => {
      if (outcome.kind === 'ok') return;
      for (const instrument of instruments) this.#coveredNs.delete(instrument);
      this.#timer?.cancel();
      this.#timer = this.#client.clock.after(REPEAT_MS, this.#tick);
    });
  }

  #send(timeoutMs: number, instruments: readonly Instrument[], done: (outcome: Outcome<unknown>) => void): void {
    const { client, deadMan } = { client: this.#client, deadMan: this.#deadMan };
    client.all(
      (context) => deadMan.arm(timeoutMs, instruments, context),
      { name: 'dead-man', priority: 'cancel' },
      (outcome) => {
        if (outcome.kind !== 'ok') {
          this.failures += 1;
          client.logger.warn('account-dead-man-failed', { ...client.name, timeoutMs, text: textOfOutcome(outcome) });
        }
        done(outcome);
      },
    );
  }
}
