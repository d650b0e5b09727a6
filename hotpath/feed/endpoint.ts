import { BadInput } from '#shared/assert.ts';
import type { Asset } from '#shared/domain/ids.ts';
import type { Fees } from '#shared/domain/instrument.ts';
import { decimalFrom } from '#shared/money/grid.ts';
import type { Config } from '#shared/schema/config.ts';
import { rerouted } from '../runtime/reroute.ts';
import type { Market, StreamRules, Venue } from '../venues/venue.ts';

/** A venue's market as this run reaches it: URLs and fees after the configuration has spoken. */
export type Endpoint = {
  readonly venue: Venue;
  readonly market: Market;
  readonly wsUrl: string;
  /** The channels beside the books, each where it stands. */
  readonly streams: readonly { readonly rules: StreamRules; readonly url: string }[];
  readonly restUrl: string;
  readonly fees: Fees;
};

/**
 * The markets that the configuration asks for. A venue with a `via` is reached through that alone, so that a run against a stand-in never strays to the
 * real venue.
 * @throws BadInput on a venue or market that nobody has described.
 */
export function endpointsFrom(config: Config, venues: readonly Venue[]): readonly Endpoint[] {
  return config.engine.venues.flatMap((id) => {
    const venue = venues.find((candidate) => candidate.id === id);
    if (venue === undefined)
      throw new BadInput(`unknown venue "${id}" (known: ${venues.map((known) => known.id).join(', ')})`);
    return endpointsOf(venue, config);
  });
}

function endpointsOf(venue: Venue, config: Config): readonly Endpoint[] {
  const settings = config.venues[venue.id];
  if (settings?.enabled === false) return [];
  const known = venue.markets.map(({ id }) => id);
  const unknown = settings?.markets?.find((id) => !known.includes(id));
  if (unknown !== undefined) {
    throw new BadInput(`venue "${venue.id}" has no market "${unknown}" (known: ${known.join(', ')})`);
  }
  return venue.markets.flatMap((market) => {
    if (settings?.markets !== undefined && !settings.markets.includes(market.id)) return [];
    const { maker, taker } = market.defaultFees;
    return {
      venue,
      market,
      wsUrl: rerouted(market.wsUrl, settings?.via),
      streams: streamsOf(market).map((rules) => ({
        rules,
        url: rerouted(rules.wsUrl ?? market.wsUrl, settings?.via),
      })),
      restUrl: rerouted(market.restUrl, settings?.via),
      fees: {
        ...market.defaultFees,
        maker: settings?.maker_fee === undefined ? maker : decimalFrom(settings.maker_fee),
        taker: settings?.taker_fee === undefined ? taker : decimalFrom(settings.taker_fee),
        ...(settings?.fee_token === undefined || market.defaultFees.currency === 'settle'
          ? {}
          : {
              token: {
                asset: settings.fee_token.asset as Asset,
                discount: decimalFrom(settings.fee_token.discount),
              },
            }),
      },
    };
  });
}

export const streamsOf = ({ streams, moreStreams = [] }: Market): readonly StreamRules[] =>
  streams === undefined ? moreStreams : [streams, ...moreStreams];
