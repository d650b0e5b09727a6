import type { TimeNs } from '#shared/domain/ids.ts';

/** An edge this many times the one last spoken of is news, cool-down or not. */
const NOTABLE_GROWTH = 1.5;

/**
 * `free`: size it. `silent`: it was spoken of a moment ago. `planned`: its edge has grown notably, but a plan for it has just been made, and
 * until its fills show in the books the same edge would be bought twice.
 */
export type Cooling = 'free' | 'silent' | 'planned';

/** Keeps a route that was planned or refused a moment ago from being walked and published at tick rate. */
export class CoolDown {
  readonly #periodNs: number;
  readonly #untilNs: Float64Array;
  readonly #edge: Float64Array;
  readonly #planned: Uint8Array;

  constructor(routes: number, periodMs: number) {
    this.#periodNs = periodMs * 1e6;
    this.#untilNs = new Float64Array(routes).fill(-Infinity);
    this.#edge = new Float64Array(routes);
    this.#planned = new Uint8Array(routes);
  }

  ask(route: number, edge: number, nowNs: TimeNs): Cooling {
    if (nowNs >= this.#untilNs[route]!) return 'free';
    if (edge < this.#edge[route]! * NOTABLE_GROWTH) return 'silent';
    return this.#planned[route] === 1 ? 'planned' : 'free';
  }

  /** The route was spoken of now, at this edge. A plan is remembered until its own cool-down ends. */
  begin(route: number, edge: number, nowNs: TimeNs, planned: boolean): void {
    this.#edge[route] = edge;
    if (nowNs < this.#untilNs[route]! && this.#planned[route] === 1) return;
    this.#untilNs[route] = nowNs + this.#periodNs;
    this.#planned[route] = planned ? 1 : 0;
  }
}
