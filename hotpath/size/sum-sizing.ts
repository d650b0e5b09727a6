import { Decimal } from 'decimal.js';
import type { OpportunityId, TimeNs } from '#shared/domain/ids.ts';
import type { RouteLeg, SumRoute } from '#shared/domain/route.ts';
import type { Bond, PlanLeg } from '#shared/domain/trade.ts';
import type { Amount } from '#shared/money/grid.ts';
import { limitPrice, tickAt } from '#shared/money/grid.ts';
import type { CarryMarket, CarrySettings } from '#shared/quant/carry.ts';
import { canEnter, carryOf, carrySettingsOf, notionalPerUnit, underlyingOf } from '#shared/quant/carry.ts';
import { cashPerUnit, legFeeOf } from '#shared/quant/leg-value.ts';
import type { CommonStep } from './common-step.ts';
import { commonStepOf } from './common-step.ts';
import type { ExactUnitLeg, WantedUnits } from './exact-units.ts';
import { exactUnits } from './exact-units.ts';
import type { WalkedLeg } from './fill-model.ts';
import { ageOf } from './opportunity.ts';
import type { Rates } from './plan.ts';
import { startMaxOf } from './product-sizing.ts';
import type { Found, Refusal, Settled, Sight, SizeSources, Sizing } from './sizing.ts';
import { causeOf, edgeMinOf, feesNow, hurdleOf, refusal } from './sizing.ts';
import type { SumSight } from './sum-opportunity.ts';
import { grossEdgeOf, sumOpportunity, unitCashAtBest, unknownOpportunity } from './sum-opportunity.ts';
import type { UnitLeg } from './unit-leg.ts';
import { cashAt, priceYielding, unitLegsOf, wayInPrice } from './unit-leg.ts';
import { UnitWalk } from './unit-walk.ts';
import { notionalOf, realisedBy, unitRatesOf } from './unit-worth.ts';

/** Sizes routes that open several legs at once. */
export class SumSizing implements Sizing<SumRoute> {
  readonly #sources: SizeSources;
  readonly #settings: CarrySettings;
  readonly #walk = new UnitWalk();
  readonly #fees = new Map<number, LegFees>();
  /** Whole numbers are costly, and a route's grids do not change. */
  readonly #steps = new Map<SumRoute, CommonStep | undefined>();

  constructor(sources: SizeSources) {
    this.#sources = sources;
    this.#settings = carrySettingsOf(sources.engine.carry);
  }

  /** NaN once the route can be entered no more. Where a venue's word is missing, what the legs bring before fees: so that want of the word is told where it matters. */
  readonly edgeAtBest = (route: SumRoute, nowNs: TimeNs): number => {
    const market = this.#marketAt(nowNs);
    if (!canEnter(route, market, this.#settings)) return NaN;
    let net = carryOf(route, market, this.#settings).net;
    for (const leg of route.legs) {
      const { fee } = this.#feesOf(leg);
      const underlying = fee.kind === 'option' ? underlyingOf(leg.instrument, market) : NaN;
      net += leg.ratio * cashPerUnit(leg, fee, wayInPrice(leg, market.tops), underlying);
    }
    const edge = net / notionalPerUnit(route, market.tops);
    return Number.isNaN(edge) ? grossEdgeOf(this.#sightOf(route, nowNs), this.#sources) : edge;
  };

  readonly find = (route: SumRoute, { id, nowNs, notionalMax }: Sight): Found | undefined => {
    const sources = this.#sources;
    const sight = this.#sightOf(route, nowNs);
    if (!canEnter(route, sight.market, this.#settings)) return undefined;
    if (Number.isNaN(unitCashAtBest(sight, sources).net + sight.carry.net)) return this.#unknown(sight, id, nowNs);
    if (!this.#walkBooks(sight, notionalMax)) return undefined;
    const { units, cash, bound } = this.#walk;
    const walked = this.#walkedLegs(sight, nowNs);
    const found = { id, sight, walked, nowNs };
    const { opportunity, unwindable } = sumOpportunity({ ...found, units, cash }, sources);
    return {
      opportunity,
      obstacle: unwindable ? undefined : refusal('DEPTH_INSUFFICIENT', 'a leg has no price to go back at'),
      bound,
      walked,
      settle: (startRate) => this.#settle(found, startRate),
    };
  };

  /** The fees of some instruments have changed. */
  forgetFees(): void {
    this.#fees.clear();
    this.#steps.clear();
  }

  #sightOf(route: SumRoute, nowNs: TimeNs): SumSight {
    const { tops } = this.#sources;
    const market = this.#marketAt(nowNs);
    const settings = this.#settings;
    return {
      route,
      legs: unitLegsOf(route, market, this.#feesOf),
      carry: carryOf(route, market, settings),
      notional: notionalPerUnit(route, tops),
      market,
      settings,
    };
  }

  #marketAt(nowNs: TimeNs): CarryMarket {
    const { instruments, tops, references, unixMs } = this.#sources;
    return { instruments, tops, references, nowMs: unixMs(nowNs) };
  }

  #walkBooks({ route, legs, carry, notional }: SumSight, notionalMax: number): boolean {
    const { depths, engine, capital } = this.#sources;
    return this.#walk.walk(legs, depths, {
      displayedFraction: engine.displayed_fraction,
      carry: carry.net,
      hurdle: hurdleOf(engine) * notional,
      unitsMax: startMaxOf(capital.rateOf(route.start), notionalMax) / notional,
      marginFraction: this.#settings.marginFraction,
      availableOf: capital.availableOf,
    });
  }

  #settle({ id, sight, walked, nowNs }: FoundUnits, startRate: number): Settled | Refusal {
    const { engine, capital, tops } = this.#sources;
    const { route, legs } = sight;
    const step = this.#stepOf(sight);
    const exact = exactUnits(this.#wantedUnits(legs, walked), this.#walk.units, {
      step,
      displayedFraction: engine.displayed_fraction,
      margin: new Decimal(engine.carry.margin_fraction),
      availableOf: capital.availableOf,
    });
    if (exact.kind === 'refused') return causeOf(exact, this.#walk.bound);

    const rates = unitRatesOf(legs, step, { start: route.start, startRate, rateOf: capital.rateOf, tops });
    const units = exact.units.toNumber();
    const entry = exact.legs.reduce((sum, leg) => sum.plus(realisedBy(leg, rates)), new Decimal(0));
    const carry = exact.units
      .times(sight.carry.net)
      .times(rates[route.start]!)
      .toSignificantDigits(FOUND_DIGITS, Decimal.ROUND_FLOOR);
    const profit = entry.plus(carry) as Amount;
    const notional = exact.units.times(sight.notional).times(rates[route.start]!) as Amount;
    const exactWalked = walked.map((leg, at) => ({
      ...leg,
      qty: exact.legs[at]!.qty.toNumber(),
      averagePrice: exact.legs[at]!.averagePrice.toNumber(),
    }));
    const cash = entry.div(rates[route.start]!).toNumber();
    const { opportunity } = sumOpportunity({ id, sight, walked: exactWalked, units, cash, nowNs }, this.#sources);
    return {
      kind: 'settled',
      opportunity,
      legs: exact.legs.map((leg) => planLegOf(leg, rates)),
      notional,
      profit,
      carry: carry as Amount,
      netEdge: profit.div(notional),
      rates,
      bond: bondOf(route, exact.units, exact.legs),
    };
  }

  /** Undefined where a book has nothing that may be taken. */
  #unknown(sight: SumSight, id: OpportunityId, nowNs: TimeNs): Found | undefined {
    this.#walk.look(sight.legs, this.#sources.depths);
    if (sight.legs.some((_leg, at) => this.#walk.levels[at] === 0)) return undefined;
    const walked = this.#walkedLegs(sight, nowNs);
    const said = missingWords(sight);
    return {
      opportunity: unknownOpportunity({ id, sight, walked, nowNs }, this.#sources),
      obstacle: refusal('REFERENCE_UNKNOWN', `instruments=${said.join(' ')}`),
      bound: 'edge',
      walked,
      settle: () => refusal('REFERENCE_UNKNOWN', `instruments=${said.join(' ')}`),
    };
  }

  #wantedUnits(legs: readonly UnitLeg[], walked: readonly WalkedLeg[]): readonly WantedUnits[] {
    return legs.map((leg, at) => {
      const { qty, worstPrice, limit, prices, qtys, levels } = walked[at]!;
      const { listing, side } = leg;
      const tick = tickAt(listing, limit);
      // However much a leg might yield: only what is a difference of prices is sold for nothing.
      const isDifference = listing.kind === 'combo';
      const price = limitPrice(side === 'buy' || isDifference ? limit : Math.max(limit, tick.toNumber()), tick, side);
      return { leg, limit: price, qty, worstPrice, prices, qtys, levels };
    });
  }

  /** The legs as they were walked. Each may yield an equal share of what a unit at the worst levels earns beyond the least edge. */
  #walkedLegs({ legs, carry, notional }: SumSight, nowNs: TimeNs): readonly WalkedLeg[] {
    const { depths, tops, engine } = this.#sources;
    const walk = this.#walk;
    let spare = carry.net - edgeMinOf(engine) * notional;
    for (const [at, leg] of legs.entries()) spare += leg.ratio * cashAt(leg, walk.worstPrice[at]!);
    return legs.map((leg, at) => {
      const { instrument, listing, side, ratio } = leg;
      const worstPrice = walk.worstPrice[at]!;
      const share = spare > 0 ? spare / legs.length / ratio : 0;
      return {
        id: listing.id,
        instrument,
        side,
        qty: walk.qty[at]!,
        averagePrice: walk.qty[at]! > 0 ? walk.value[at]! / walk.qty[at]! : wayInPrice(leg, tops),
        worstPrice,
        limit: share > 0 ? priceYielding(leg, worstPrice, share) : worstPrice,
        ageMs: ageOf(depths.ageMs(instrument, nowNs)),
        prices: walk.prices[at]!,
        qtys: walk.qtys[at]!,
        levels: walk.levels[at]!,
      };
    });
  }

  #stepOf({ route, legs }: SumSight): CommonStep | undefined {
    if (!this.#steps.has(route)) this.#steps.set(route, commonStepOf(legs));
    return this.#steps.get(route);
  }

  readonly #feesOf = ({ instrument }: RouteLeg): LegFees => {
    const known = this.#fees.get(instrument);
    if (known !== undefined) return known;
    const listing = this.#sources.instruments[instrument]!;
    const fees = feesNow(listing, this.#sources);
    const found = { fees, fee: legFeeOf({ kind: listing.kind, fees }) };
    // What is paid in a token depends on how much there is.
    if (listing.fees.token === undefined) this.#fees.set(instrument, found);
    return found;
  };
}

type LegFees = Pick<UnitLeg, 'fees' | 'fee'>;

type FoundUnits = {
  readonly id: OpportunityId;
  readonly sight: SumSight;
  readonly walked: readonly WalkedLeg[];
  readonly nowNs: TimeNs;
};

/** Digits of values that are found rather than owed. */
const FOUND_DIGITS = 15;

const planLegOf = (leg: ExactUnitLeg, rates: Rates): PlanLeg => ({
  instrument: leg.leg.listing.id,
  side: leg.leg.side,
  price: leg.limit,
  qty: leg.qty,
  expectedPrice: leg.averagePrice,
  notional: notionalOf(leg, rates) as Amount,
});

const bondOf = (
  { terms: { endsMs, bridges = [] } }: SumRoute,
  units: Decimal,
  legs: readonly ExactUnitLeg[],
): Bond => ({
  units,
  perUnit: legs.map(({ qty }) => qty.div(units)),
  intent: 'enter',
  ...(endsMs === undefined ? {} : { endsMs }),
  ...(bridges.length === 0 ? {} : { isBridged: true }),
});

/** The instruments of which something is not known that the route is reckoned with. */
function missingWords({ route, legs, market: { references } }: SumSight): readonly string[] {
  const missing = legs.filter(
    ({ instrument, listing: { kind }, underlying }) =>
      (kind === 'option' && Number.isNaN(underlying)) ||
      (kind === 'perpetual' &&
        Number.isNaN(
          references.fundingRate[instrument]! +
            references.nextFundingTimeMs[instrument]! +
            references.fundingIntervalMs[instrument]!,
        )),
  );
  return missing.length === 0 ? [route.id] : missing.map(({ listing }) => listing.id);
}
