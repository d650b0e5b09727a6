import { BadInput } from '#shared/assert.ts';
import type { Config } from '#shared/schema/config.ts';
import { DEFAULT_ACCOUNT } from '#simulator/accounts.ts';
import { simulatedVenues } from '#simulator/simulated-venues.ts';
import type { SimulatorConfig } from '#simulator/simulator.ts';

/** @throws BadInput naming a venue that is not simulated. */
export function demandSimulated(venues: readonly string[]): void {
  const unknown = venues.find((venue) => !simulatedVenues.has(venue));
  if (unknown === undefined) return;
  const known = [...simulatedVenues.keys()].join(', ');
  throw new BadInput(`venue "${unknown}" is not simulated (simulated: ${known}); --live follows its public feed`);
}

/** The simulator's key, by venue: what an engine that trades there for real is given. */
export function simulatorKeys(
  venues: readonly string[],
): ReadonlyMap<string, { apiKey: string; secret: string; passphrase: string }> {
  const { apiKey, secret, passphrase } = DEFAULT_ACCOUNT;
  return new Map(venues.map((venue) => [venue, { apiKey, secret, passphrase }]));
}

/** The same as environment variables of the engine's process. */
export function simulatorKeyEnv(venues: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...simulatorKeys(venues)].flatMap(([venue, { apiKey, secret, passphrase }]) => {
      const name = `ARB_SECRET_${venue.toUpperCase()}`;
      return [
        [`${name}_KEY`, apiKey],
        [`${name}_SECRET`, secret],
        [`${name}_PASSPHRASE`, passphrase],
      ];
    }),
  );
}

/** What the simulator plays for this run: the engine's venues. */
export function simulatorConfigOf({
  engine,
  simulator,
}: Config): Omit<SimulatorConfig, 'venues'> & { readonly venues: readonly string[] } {
  return { ...simulator, venues: engine.venues };
}

/** The venues as they are found at the simulator; markets that it does not play are left out. */
export function throughSimulator({ venues, engine }: Config, port: number): Config['venues'] {
  return {
    ...venues,
    ...Object.fromEntries(
      engine.venues.map((id) => {
        const played = new Set(simulatedVenues.get(id)?.listings.map(({ market }) => market));
        const markets = venues[id]?.markets?.filter((market) => played.has(market)) ?? [...played];
        return [id, { enabled: true, ...venues[id], markets, via: `http://127.0.0.1:${port}` }];
      }),
    ),
  };
}
