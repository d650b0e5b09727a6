import { LATENCY_BOUNDS_S, type LatencyCounts } from '#shared/schema/status.ts';

const BOUNDS_NS = Float64Array.from(LATENCY_BOUNDS_S, (seconds) => Math.round(seconds * 1e9));

/** Latencies since the start, each counted in one bucket: what others take differences of. Allocates nothing when it records. */
export class LatencyCounter {
  readonly #counts = new Float64Array(BOUNDS_NS.length + 1);
  #sumNs = 0;

  readonly record = (elapsedNs: number): void => {
    let bucket = 0;
    while (bucket < BOUNDS_NS.length && elapsedNs > BOUNDS_NS[bucket]!) bucket += 1;
    this.#counts[bucket]! += 1;
    this.#sumNs += elapsedNs;
  };

  read(): LatencyCounts {
    return { counts: [...this.#counts], sum_s: this.#sumNs / 1e9 };
  }
}
