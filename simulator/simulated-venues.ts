import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { assert } from '#shared/assert.ts';
import type { SimulatedVenue } from './venues/venue-dialect.ts';

/**
 * Every simulated venue: the files of venues/ that export `simulated`. They are found by their place, so that a further venue is one file; in the order
 * of their names, so that a run repeats. A name with a hyphen is no venue: half of one may stand there until it is whole.
 */
export const simulatedVenues: ReadonlyMap<string, SimulatedVenue> = new Map(
  (await Promise.all(namesHere().map(load))).map((simulated) => [simulated.venue, simulated]),
);

function namesHere(): readonly string[] {
  return readdirSync(join(import.meta.dirname, 'venues'))
    .filter((file) => /^[a-z0-9]+[.]ts$/.test(file))
    .map((file) => file.replace(/[.]ts$/, ''))
    .sort();
}

async function load(name: string): Promise<SimulatedVenue> {
  const { simulated } = (await import(`./venues/${name}.ts`)) as { readonly simulated?: SimulatedVenue };
  assert(simulated !== undefined, 'a file of a simulated venue exports `simulated`');
  return simulated;
}
