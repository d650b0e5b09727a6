import type { Pace } from '#shared/domain/capital.ts';
import type { TimeNs } from '#shared/domain/ids.ts';
import type { FamilyId } from '#shared/domain/route.ts';
import type { SizeRefusal } from '#shared/domain/trade.ts';
import type { Config } from '#shared/schema/config.ts';
import type { WalkedLeg } from './fill-model.ts';

type FilterSettings = Config['engine']['filters'];

/** What a walk found on a route. */
export type Candidate = {
  readonly route: number;
  readonly family: FamilyId;
  /** Net edge as a fraction. */
  readonly netEdge: number;
  readonly legs: readonly WalkedLeg[];
  readonly nowNs: TimeNs;
};

export type Filtered = { readonly reason: SizeRefusal; readonly detail: string };

/** A route that did not pay for so long has lost its opportunity: the next one's life begins anew. */
const LIFETIME_GAP_NS = 1e9;
/** Standing quantities are shares of doubles. */
const SHARE_SLACK = 1e-9;

/** What looks too good, too fresh or too uncertain in time to be traded. Each filter is off at 0. */
export class Filters {
  readonly #settings: FilterSettings;
  readonly #displayedFraction: number;
  readonly #pace: Pace;
  readonly #firstSeenNs: Float64Array;
  readonly #lastSeenNs: Float64Array;

  /** `routes`: how many there are. */
  constructor(
    { filters, displayed_fraction }: Pick<Config['engine'], 'filters' | 'displayed_fraction'>,
    pace: Pace,
    routes: number,
  ) {
    this.#settings = filters;
    this.#displayedFraction = displayed_fraction;
    this.#pace = pace;
    this.#firstSeenNs = new Float64Array(routes);
    this.#lastSeenNs = new Float64Array(routes).fill(-Infinity);
  }

  /** The route pays now. To be told each time, also while nothing is asked of it. */
  seen(route: number, nowNs: TimeNs): void {
    if (nowNs - this.#lastSeenNs[route]! > LIFETIME_GAP_NS) this.#firstSeenNs[route] = nowNs;
    this.#lastSeenNs[route] = nowNs;
  }

  /** The first filter that holds the candidate back; undefined when none does. */
  refusalOf(candidate: Candidate): Filtered | undefined {
    return (
      this.#abnormal(candidate) ?? this.#uncertain(candidate) ?? this.#shortLived(candidate) ?? this.#young(candidate)
    );
  }

  #abnormal({ family, netEdge }: Candidate): Filtered | undefined {
    const byFamily: Readonly<Record<string, number>> = this.#settings.max_edge_bps_by_family;
    const max = byFamily[family] ?? this.#settings.max_edge_bps;
    const edgeBps = netEdge * 1e4;
    if (max === 0 || edgeBps <= max) return undefined;
    return { reason: 'EDGE_ABNORMAL', detail: `net_edge_bps=${edgeBps.toFixed(2)}, max=${max}` };
  }

  #uncertain({ legs }: Candidate): Filtered | undefined {
    const { max_clock_uncertainty_ms: jitterMax, max_skew_ms: skewMax } = this.#settings;
    let youngest = Infinity;
    let oldest = -Infinity;
    for (const { id, instrument, ageMs } of legs) {
      const jitterMs = this.#pace.clockJitterMsOf(instrument);
      if (jitterMax > 0 && jitterMs > jitterMax)
        return {
          reason: 'CLOCKS_UNCERTAIN',
          detail: `instrument=${id}, jitter_ms=${jitterMs.toFixed(1)}, max=${jitterMax}`,
        };
      youngest = Math.min(youngest, ageMs);
      oldest = Math.max(oldest, ageMs);
    }
    const skewMs = oldest - youngest;
    if (skewMax === 0 || skewMs <= skewMax) return undefined;
    return { reason: 'CLOCKS_UNCERTAIN', detail: `skew_ms=${skewMs.toFixed(1)}, max=${skewMax}` };
  }

  #shortLived({ route, nowNs }: Candidate): Filtered | undefined {
    const { min_lifetime_ms: least } = this.#settings;
    if (least === 0) return undefined;
    const lifetimeMs = (nowNs - this.#firstSeenNs[route]!) / 1e6;
    if (lifetimeMs >= least) return undefined;
    return { reason: 'LIFETIME_TOO_SHORT', detail: `lifetime_ms=${lifetimeMs.toFixed(1)}, min=${least}` };
  }

  #young({ legs, nowNs }: Candidate): Filtered | undefined {
    const { min_level_age_ms: least } = this.#settings;
    if (least === 0) return undefined;
    for (const leg of legs) {
      const standing = this.#standingQty(leg, nowNs);
      if (standing >= leg.qty * (1 - SHARE_SLACK)) continue;
      const share = (standing / leg.qty).toFixed(3);
      return {
        reason: 'LEVEL_TOO_YOUNG',
        detail: `instrument=${leg.id}, standing_share=${share}, min_age_ms=${least}`,
      };
    }
    return undefined;
  }

  /** What we may take of the levels down to the worst one needed, where they have stood for long enough. */
  #standingQty({ instrument, side, worstPrice, prices, qtys, levels }: WalkedLeg, nowNs: TimeNs): number {
    let standing = 0;
    for (let at = 0; at < levels; at += 1) {
      const price = prices[at]!;
      if (side === 'buy' ? price > worstPrice : price < worstPrice) break;
      standing += qtys[at]! * this.#pace.standingShareOf(instrument, side, price, nowNs);
    }
    return standing * this.#displayedFraction;
  }
}
