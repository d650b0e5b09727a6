import { BadInput } from '#shared/assert.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Endpoint } from './endpoint.ts';
import type { Outside, ReadOutcome } from './rest-reader.ts';
import { RestReader } from './rest-reader.ts';

/** Of each venue: none of their lists is in more pieces than a burst. */
const LIMITS = { perSecond: 5, burst: 10, queueMax: 64 } as const;

/**
 * What the venues list of `symbols` (unified), in the order of endpoints and symbols, so that equal answers give equal indices. Halted
 * instruments are left out.
 * @throws BadInput naming venue and market whose list cannot be had after every attempt, or when nothing at all is listed.
 */
export async function loadInstruments(
  outside: Outside,
  endpoints: readonly Endpoint[],
  symbols: readonly string[],
): Promise<readonly Instrument[]> {
  const readers = new Map(endpoints.map(({ venue }) => [venue.id, new RestReader(outside, LIMITS)]));
  const wanted = new Map(symbols.map((symbol, order) => [symbol, order]));
  const lists = await Promise.all(endpoints.map((endpoint) => listOf(endpoint, readers.get(endpoint.venue.id)!)));
  const found = lists.flatMap((list) =>
    list
      .filter(({ symbol, status }) => wanted.has(symbol) && status === 'trading')
      .sort((a, b) => wanted.get(a.symbol)! - wanted.get(b.symbol)!),
  );
  if (found.length === 0) throw new BadInput(`no venue lists any of the configured symbols: ${symbols.join(', ')}`);
  return found;
}

async function listOf(endpoint: Endpoint, reader: RestReader): Promise<readonly Instrument[]> {
  const { venue, market, restUrl, fees } = endpoint;
  const outcomes = await Promise.all(
    market.instruments.paths.map((path) => new Promise<ReadOutcome>((resolve) => reader.read(restUrl + path, resolve))),
  );
  const bodies = outcomes.map((outcome) => {
    if (outcome.kind === 'body') return Buffer.from(outcome.body).toString();
    throw new BadInput(`${venue.id} ${market.id}: cannot load instruments: ${outcome.reason}`);
  });
  try {
    return market.instruments.parse(bodies, fees);
  } catch (error) {
    if (error instanceof BadInput)
      throw new BadInput(`${venue.id} ${market.id}: cannot read instruments: ${error.message}`);
    throw error;
  }
}
