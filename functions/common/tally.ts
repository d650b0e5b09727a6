const SECONDS = 60;
/** As errors.ts has them. */
const SERVER_ERRORS = ['500', '5001', '5002', '5003'] as const;

/** Counts of this process, for /metrics: requests over the last minute and errors by code. */
export class Tally {
  readonly #perSecond = new Uint32Array(SECONDS);
  readonly #errors = new Map<string, number>();
  #second = 0;
  #requests = 0;

  request(nowMs: number): void {
    this.#moveTo(nowMs);
    this.#perSecond[this.#second % SECONDS]! += 1;
    this.#requests += 1;
  }

  error(type: string): void {
    this.#errors.set(type, (this.#errors.get(type) ?? 0) + 1);
  }

  requestsPerSecond(nowMs: number): number {
    this.#moveTo(nowMs);
    return this.#perSecond.reduce((sum, count) => sum + count, 0) / SECONDS;
  }

  /** Since the start: all, and those that were answered with an error of the server. */
  get answers(): { readonly requests: number; readonly errors: number } {
    const errors = SERVER_ERRORS.reduce((sum, code) => sum + (this.#errors.get(code) ?? 0), 0);
    return { requests: this.#requests, errors };
  }

  get errors(): ReadonlyMap<string, number> {
    return this.#errors;
  }

  #moveTo(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    if (second - this.#second >= SECONDS) this.#perSecond.fill(0);
    else for (let at = this.#second + 1; at <= second; at += 1) this.#perSecond[at % SECONDS] = 0;
    this.#second = Math.max(this.#second, second);
  }
}
