import { BadInput } from '#shared/assert.ts';
import type { Asset, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { CompileOptions } from '#shared/domain/route.ts';
import type { Config } from '#shared/schema/config.ts';
import type { Listed } from '../detect/route.ts';
import { countsAs } from '../detect/route.ts';

/** So many units of an instrument, below zero where it is sold. A unit is one coin of its base, whatever the size of a contract. */
export type SyntheticLeg = Listed & { readonly ratio: number };

/** A linear combination of instruments that is priced as one: what its legs cost together, in one quote. */
export type Synthetic = {
  readonly name: string;
  readonly description: string;
  /** What its price is in; the quotes of all legs count as this one. */
  readonly quote: Asset;
  readonly legs: readonly SyntheticLeg[];
  /** What it replicates, as legs of its own: an instrument, or another synthetic. */
  readonly against?: { readonly name: string; readonly legs: readonly SyntheticLeg[] };
};

type Definition = Config['synthetics'][string];

/** Which assets count as which, and in which routes may start. */
export type AssetRules = Pick<CompileOptions, 'startAssets' | 'equalAssets'>;

export const assetRulesOf = (engine: Config['engine']): AssetRules => ({
  startAssets: engine.start_assets as Asset[],
  equalAssets: new Map(Object.entries(engine.equal_assets)) as Map<Asset, Asset>,
});

/**
 * The synthetics of the configuration over the instruments of the run.
 * @throws BadInput naming the synthetic on an instrument that is not followed (with the nearest that are), on legs of several quotes, and on contracts that have no
 * fixed number of coins at any price.
 */
export function syntheticsFrom(
  definitions: Config['synthetics'],
  instruments: readonly Instrument[],
  options: AssetRules,
): readonly Synthetic[] {
  const listed = new Map<string, Listed>(
    instruments.map((instrument, at) => [instrument.id, { at: at as InstrumentIndex, instrument }]),
  );
  const legsOf = (name: string, { legs }: Definition): readonly SyntheticLeg[] =>
    legs.map(({ instrument, ratio }) => {
      const found = listed.get(instrument);
      if (found === undefined) throw unknown(name, instrument, [...listed.keys()]);
      return { ...found, ratio: Number(ratio) };
    });
  const againstOf = (name: string, against: string): readonly SyntheticLeg[] => {
    const instrument = listed.get(against);
    if (instrument !== undefined) return [{ ...instrument, ratio: 1 }];
    const synthetic = definitions[against];
    if (synthetic === undefined) throw unknown(name, against, [...listed.keys(), ...Object.keys(definitions)]);
    return legsOf(against, synthetic);
  };
  return Object.entries(definitions).map(([name, definition]) => {
    const { description = '', against } = definition;
    const legs = legsOf(name, definition);
    const opposed = against === undefined ? undefined : { name: against, legs: againstOf(name, against) };
    const quote = quoteOf(name, [...legs, ...(opposed?.legs ?? [])], definition.quote, options);
    return { name, description, quote, legs, ...(opposed === undefined ? {} : { against: opposed }) };
  });
}

/** The one quote of all legs. */
function quoteOf(name: string, legs: readonly SyntheticLeg[], stated: string | undefined, options: AssetRules): Asset {
  const unsized = legs.find(({ instrument: { kind, inverse } }) => kind === 'combo' && inverse);
  if (unsized !== undefined) {
    throw new BadInput(
      `synthetics.${name}: ${unsized.instrument.id} is counted in dollars and has no coins at a price`,
    );
  }
  const quotes = new Set(legs.map(({ instrument }) => countsAs(instrument.quote, options)));
  const [quote] = quotes;
  if (quotes.size > 1 || quote === undefined) {
    const each = legs.map(({ instrument }) => `${instrument.id} in ${instrument.quote}`);
    throw new BadInput(`synthetics.${name}: its legs are priced in several assets: ${each.join(', ')}`);
  }
  if (stated !== undefined && countsAs(stated as Asset, options) !== quote) {
    throw new BadInput(`synthetics.${name}: its legs are priced in ${quote}, not in ${stated}`);
  }
  return quote;
}

const NEAREST = 3;

function unknown(name: string, asked: string, known: readonly string[]): BadInput {
  const nearest = known
    .map((candidate) => ({ candidate, edits: editsBetween(asked, candidate) }))
    .sort((one, other) => one.edits - other.edits)
    .slice(0, NEAREST);
  const names = nearest.map(({ candidate }) => candidate).join(', ');
  return new BadInput(`synthetics.${name}: "${asked}" is not followed (nearest: ${names}); is it in engine.symbols?`);
}

/** Letters to insert, delete or replace. V. Levenshtein, Binary codes capable of correcting deletions, insertions, and reversals (1966). */
function editsBetween(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
