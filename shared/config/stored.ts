import { z } from 'zod';
import { BadInput } from '../assert.ts';
import type { Config } from '../schema/config.ts';
import { configSchema } from '../schema/config.ts';

/** A version of the configuration as the API stores it; `config` is whatever stands there. */
export type StoredVersion = { readonly version: number; readonly config: unknown };

/** The configuration that an engine was started with. `written`: as its files say it, where who starts it has led its venues elsewhere. */
export type Started = { readonly config: Config; readonly written?: Config | undefined };

/**
 * A stored version as the last layer over what an engine was started with. What the process is, and where it finds things, is said by whoever starts it:
 * system, streams, stores, API, lease, simulator, the addresses of venues, whether keys may withdraw, and the engine's name and mode. Where the venues are led elsewhere
 * they stay there, and none is added: a simulated run meets no real venue by a word from the store. Settings that a version of an older release does not know have the
 * value that the engine was started with.
 * @throws BadInput naming the path when the version is no configuration of this release
 */
export function withStored(started: Started, { version, config: stored }: StoredVersion): Started {
  const { config, written } = started;
  const parsed = configSchema.safeParse(completed(configSchema, stored, written ?? config));
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    throw new BadInput(`configuration version ${version}: ${path.map(String).join('.')}: ${message}`);
  }
  const wanted = parsed.data;
  if (written === undefined) return { config: over(config, wanted) };
  const isLed = JSON.stringify(config.venues) !== JSON.stringify(written.venues);
  const layered = over(config, wanted);
  return { config: isLed ? { ...layered, ...ledBy(config, wanted) } : layered, written: over(written, wanted) };
}

/** With every setting that it lacks. What it lists by name (venues, accounts, pegs, synthetics) it lists whole: what is not among them is no more. */
function completed(schema: z.ZodType, stored: unknown, started: unknown): unknown {
  if (!(schema instanceof z.ZodObject) || !isTable(stored) || !isTable(started)) return stored;
  const whole: Record<string, unknown> = { ...stored };
  for (const [key, inner] of Object.entries<z.ZodType>(schema.shape)) {
    if (!(key in started)) continue;
    whole[key] = key in stored ? completed(inner, stored[key], started[key]) : started[key];
  }
  return whole;
}

const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const over = (config: Config, wanted: Config): Config => ({
  ...wanted,
  engine: { ...wanted.engine, name: config.engine.name, mode: config.engine.mode },
  system: config.system,
  streams: config.streams,
  stores: config.stores,
  api: config.api,
  lease: config.lease,
  simulator: config.simulator,
  venues: reachedAs(config.venues, wanted.venues),
  accounts: trustedAs(config.accounts, wanted.accounts),
});

/** Keys and orders go where a venue is said to be: nobody leads them elsewhere, or back, by a word from the store. */
function reachedAs(started: Config['venues'], wanted: Config['venues']): Config['venues'] {
  const led = Object.keys(started).filter((name) => started[name]?.via !== undefined);
  return Object.fromEntries(
    [...new Set([...Object.keys(wanted), ...led])].map((name) => {
      const { via } = started[name] ?? {};
      const venue = { enabled: true, ...wanted[name] };
      delete venue.via;
      return [name, via === undefined ? venue : { ...venue, via }];
    }),
  );
}

/** A key that may withdraw is let in by whoever starts the engine, never by a word from the store. */
const trustedAs = (started: Config['accounts'], wanted: Config['accounts']): Config['accounts'] =>
  Object.fromEntries(
    Object.entries(wanted).map(([name, account]) => [
      name,
      { ...account, allow_withdraw: started[name]?.allow_withdraw ?? false },
    ]),
  );

function ledBy(config: Config, wanted: Config): Pick<Config, 'venues' | 'engine'> {
  const { name, mode, venues: known } = config.engine;
  const shared = wanted.engine.venues.filter((venue) => known.includes(venue));
  const venues = shared.length === 0 ? known : shared;
  return { venues: config.venues, engine: { ...wanted.engine, name, mode, venues } };
}
