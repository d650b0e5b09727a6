import type { CapitalView } from '#shared/domain/capital.ts';
import type { TimeNs } from '#shared/domain/ids.ts';
import type { ProductRoute } from '#shared/domain/route.ts';
import { doubleOf } from '#shared/money/double.ts';
import { plus } from '#shared/money/exact.ts';
import type { Amount } from '#shared/money/grid.ts';
import { ZERO } from '#shared/money/grid.ts';
import { transferCostOf } from '#shared/quant/transfer-cost.ts';
import type { WalkLimits } from './depth-walk.ts';
import { DepthWalk, LEGS_MAX, rateAt } from './depth-walk.ts';
import type { WantedLeg } from './exact-legs.ts';
import { exactLegs, yieldedPrice } from './exact-legs.ts';
import type { WalkedLeg } from './fill-model.ts';
import { ageOf, atExactSize, opportunityFrom } from './opportunity.ts';
import { planLegOf, ratesOf, worthOf } from './plan.ts';
import type { ProductLeg, SizedProduct } from './sized-route.ts';
import { netEdgeAtBest, ProductLegs } from './sized-route.ts';
import type { Found, Refusal, Settled, Sight, SizeSources, Sizing } from './sizing.ts';
import { causeOf, edgeMinOf, hurdleOf, refusal } from './sizing.ts';

/** Sizes conversions of one asset through others back into itself. */
export class ProductSizing implements Sizing<ProductRoute> {
  readonly #sources: SizeSources;
  readonly #walk = new DepthWalk();
  readonly #inputMax = new Float64Array(LEGS_MAX);
  #sized = new Map<ProductRoute, SizedProduct>();
  #legs: ProductLegs;

  constructor(sources: SizeSources) {
    this.#sources = sources;
    this.#legs = new ProductLegs(sources.instruments);
  }

  readonly edgeAtBest = (route: ProductRoute): number => netEdgeAtBest(this.#sizedOf(route), this.#sources.tops);

  readonly find = (route: ProductRoute, { id, nowNs, notionalMax }: Sight): Found | undefined => {
    const { depths } = this.#sources;
    const sized = this.#sizedOf(route);
    if (!this.#walk.walk(sized.legs, depths, this.#limitsOf(sized, notionalMax))) return undefined;
    const bearable = this.#bearable(sized);
    const walked = this.#walkedLegs(sized.legs, bearable, nowNs);
    const { opportunity, unwindable } = opportunityFrom({ id, sized, walk: this.#walk, walked, nowNs }, this.#sources);
    return {
      opportunity,
      obstacle: unwindable ? undefined : refusal('DEPTH_INSUFFICIENT', 'a leg has no price to go back at'),
      bound: this.#walk.bound,
      walked,
      settle: (startRate) => this.#settle(sized, { opportunity, bearable }, startRate),
    };
  };

  /** The fees of some instruments have changed. */
  forgetFees(): void {
    this.#legs = new ProductLegs(this.#sources.instruments);
    this.#sized = new Map();
  }

  /** Made when the route is first seen to pay: most never are. What is paid in a token depends on how much there is. */
  #sizedOf(route: ProductRoute): SizedProduct {
    const known = this.#sized.get(route);
    if (known !== undefined) return known;
    const { instruments, engine } = this.#sources;
    const legs = route.legs.map((leg) => this.#legs.of(leg, this.#sources));
    const sized = { route, legs, transfer: transferCostOf(route, instruments, engine.rebalance_cost_bps) };
    if (legs.every(({ instrument }) => instruments[instrument]!.fees.token === undefined))
      this.#sized.set(route, sized);
    return sized;
  }

  #settle(
    { legs, transfer }: SizedProduct,
    { opportunity: found, bearable }: { readonly opportunity: Found['opportunity']; readonly bearable: number },
    startRate: number,
  ): Settled | Refusal {
    const { capital, engine } = this.#sources;
    const valued = ratesOf(legs, capital.rateOf);
    if (valued.kind === 'unknown') return refusal('RATE_UNKNOWN', `asset=${valued.asset}`);
    const exact = exactLegs(this.#wantedLegs(legs), bearable, engine.displayed_fraction);
    if (exact.kind === 'refused') return causeOf(exact, this.#walk.bound);
    const { rates } = valued;
    const { notional, profit: traded } = worthOf(exact.legs, rates);
    const carry = (transfer === 0 ? ZERO : notional.times(-transfer)) as Amount;
    const profit = plus(traded, carry) as Amount;
    const netEdge = profit.div(notional);
    return {
      kind: 'settled',
      opportunity: atExactSize(found, exact.legs, doubleOf(notional) / startRate, doubleOf(netEdge)),
      legs: exact.legs.map((leg) => planLegOf(leg, rates)),
      notional,
      profit,
      carry,
      netEdge,
      rates,
    };
  }

  #limitsOf({ route, legs, transfer }: SizedProduct, notionalMax: number): WalkLimits {
    const { capital, engine } = this.#sources;
    for (const [at, { listing, input }] of legs.entries()) {
      this.#inputMax[at] = Math.max(0, capital.availableOf(listing.venue, input));
    }
    return {
      displayedFraction: engine.displayed_fraction,
      hurdle: hurdleOf(engine) + transfer,
      startMax: startMaxOf(capital.rateOf(route.start), notionalMax),
      inputMax: this.#inputMax,
    };
  }

  #wantedLegs(legs: readonly ProductLeg[]): readonly WantedLeg[] {
    const walk = this.#walk;
    return legs.map(({ listing, side, fee }, at) => ({
      instrument: listing,
      side,
      fee,
      qty: walk.baseQty[at]!,
      worstPrice: walk.worstPrice[at]!,
      available: this.#inputMax[at]!,
      prices: walk.prices[at]!,
      qtys: walk.qtys[at]!,
      levels: walk.levels[at]!,
    }));
  }

  #walkedLegs(legs: readonly ProductLeg[], bearable: number, nowNs: TimeNs): readonly WalkedLeg[] {
    const walk = this.#walk;
    const wanted = legs.map(({ side }, at) => ({ side, worstPrice: walk.worstPrice[at]! }));
    return legs.map(({ instrument, listing, side }, at) => ({
      id: listing.id,
      instrument,
      side,
      qty: walk.baseQty[at]!,
      averagePrice: walk.baseQty[at]! > 0 ? walk.quoteQty[at]! / walk.baseQty[at]! : walk.worstPrice[at]!,
      worstPrice: walk.worstPrice[at]!,
      limit: yieldedPrice(wanted, at, bearable),
      ageMs: ageOf(this.#sources.depths.ageMs(instrument, nowNs)),
      prices: walk.prices[at]!,
      qtys: walk.qtys[at]!,
      levels: walk.levels[at]!,
    }));
  }

  /** How far the whole route may slip below the worst levels walked before it earns less than the least edge, as a factor. */
  #bearable({ legs, transfer }: SizedProduct): number {
    let product = 1;
    for (const [at, leg] of legs.entries()) product *= rateAt(leg, this.#walk.worstPrice[at]!);
    return product / (1 + edgeMinOf(this.#sources.engine) + transfer);
  }
}

/** The size limit, in units of an asset; without a rate the route is not traded anyway. */
export const startMaxOf = (rate: ReturnType<CapitalView['rateOf']>, notionalMax: number): number =>
  rate === undefined ? Infinity : notionalMax / rate;
