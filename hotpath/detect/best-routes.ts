/**
 * Routes handed on from one change at most: the best ones. The rest is counted and seen again with the next change. Sizing walks only a few of
 * them; the others are here so that good routes which may not trade now do not hide those behind them.
 */
const FOUND_MAX = 256;

/** The best routes of one change, in descending order of edge, equal edges in the order of the routes; the worst falls off when it is full. */
export class BestRoutes {
  readonly routes = new Int32Array(FOUND_MAX);
  count = 0;
  /** Routes that came while it was full, since the start. */
  dropped = 0;
  readonly #edges = new Float64Array(FOUND_MAX);

  clear(): void {
    this.count = 0;
  }

  add(route: number, edge: number): void {
    const edges = this.#edges;
    const routes = this.routes;
    let at = this.count;
    if (at === FOUND_MAX) {
      this.dropped += 1;
      at -= 1;
      if (edge < edges[at]! || (edge === edges[at]! && route > routes[at]!)) return;
    } else this.count += 1;
    while (at > 0 && (edges[at - 1]! < edge || (edges[at - 1]! === edge && routes[at - 1]! > route))) {
      edges[at] = edges[at - 1]!;
      routes[at] = routes[at - 1]!;
      at -= 1;
    }
    edges[at] = edge;
    routes[at] = route;
  }
}
