import type { Asset, InstrumentIndex, RouteId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { FamilyId, ProductRoute, RouteLeg } from '#shared/domain/route.ts';

export type { CompileOptions, Route, RouteFamily, SumRoute, Terms } from '#shared/domain/route.ts';

/** An instrument together with its place in the registry: what families arrange. */
export type Listed = { readonly at: InstrumentIndex; readonly instrument: Instrument };

/** One way through an instrument: what is given, what is received. */
export type Step = Listed & { readonly leg: RouteLeg; readonly from: Asset; readonly to: Asset };

/** The instruments that trade spot now, in registry order. */
export function spotOf(instruments: readonly Instrument[]): readonly Listed[] {
  return instruments.flatMap((instrument, at) =>
    instrument.kind === 'spot' && instrument.status === 'trading' ? [{ at: at as InstrumentIndex, instrument }] : [],
  );
}

/** Both ways through an instrument: a buy turns quote into base, a sell turns base into quote. */
export function stepsOf({ at, instrument }: Listed): readonly [buy: Step, sell: Step] {
  const { base, quote } = instrument;
  return [
    { at, instrument, leg: { instrument: at, side: 'buy', ratio: 1 }, from: quote, to: base },
    { at, instrument, leg: { instrument: at, side: 'sell', ratio: 1 }, from: base, to: quote },
  ];
}

/** The route that takes these steps in order and ends where the first began. */
export function productRoute(family: FamilyId, steps: readonly Step[], start: Asset): ProductRoute {
  return {
    id: `${family}:${steps.map(({ instrument }) => instrument.id).join('>')}` as RouteId,
    family,
    evaluator: 'product',
    legs: steps.map(({ leg }) => leg),
    start,
  };
}
