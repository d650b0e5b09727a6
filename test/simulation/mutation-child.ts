import { registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';
import { assert } from '#shared/assert.ts';
import { MUTANTS, placesOf } from './mutants.ts';
import { addOutcome, automaticShare, noTotals } from './report.ts';

/** What became of one mutant. `stale`: its place stands no more, or more than once. */
export type Verdict =
  | { readonly kind: 'caught'; readonly episode: number; readonly crashes: boolean; readonly by: string }
  | { readonly kind: 'alive'; readonly episodes: number }
  | { readonly kind: 'stale'; readonly places: number };

/** Of so many recoveries this share must need no person. */
const RECOVERIES_LEAST = 50;
const AUTOMATIC_LEAST = 0.95;

const [id, episodesText] = process.argv.slice(2);
const episodes = Number(episodesText);
const mutant = MUTANTS.find((each) => each.id === id);
assert(mutant !== undefined, `no such mutant: ${id ?? ''}`);
const { find, replace } = mutant;
process.stdout.write(`${JSON.stringify(await judged())}\n`);

/** Stories under one mutant, until one breaks: every other one with kills. */
async function judged(): Promise<Verdict> {
  const places = placesOf(mutant!);
  const [place] = places;
  if (place === undefined || places.length > 1) return { kind: 'stale', places: places.length };
  const url = pathToFileURL(place).href;
  registerHooks({
    load: (loading, context, next) => {
      const loaded = next(loading, context);
      if (loading !== url || loaded.source === undefined) return loaded;
      const source = typeof loaded.source === 'string' ? loaded.source : new TextDecoder().decode(loaded.source);
      assert(source.includes(find), 'the mutant does not reach the engine');
      return { ...loaded, source: source.replace(find, () => replace) };
    },
  });
  const { episodeSeed, runEpisode } = await import('./episode.ts');
  const totals = noTotals();
  for (let at = 0; at < episodes; at += 1) {
    const crashes = at % 2 === 1;
    try {
      addOutcome(totals, runEpisode({ seed: episodeSeed(1, at), crashes }));
      const isHelpless = totals.recovered >= RECOVERIES_LEAST && automaticShare(totals) < AUTOMATIC_LEAST;
      if (isHelpless) return { kind: 'caught', episode: at, crashes, by: 'recovery needs a person too often' };
    } catch (error) {
      return { kind: 'caught', episode: at, crashes, by: error instanceof Error ? error.message : String(error) };
    }
  }
  return { kind: 'alive', episodes };
}
