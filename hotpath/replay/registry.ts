import { existsSync } from 'node:fs';
import { Decimal } from 'decimal.js';
import { BadInput } from '#shared/assert.ts';
import type { InstrumentId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { asset } from '../venues/venue.ts';
import { readFrameFile } from './frame-file.ts';
import type { Lane } from './lane.ts';
import type { Survey, SurveyedLane } from './survey.ts';

/**
 * The instruments of a surveyed file, lane by lane: from `*.instruments.jsonl[.gz]` beside it where that describes them, else known by their
 * venue symbol alone, with an unknown (zero) tick.
 */
export async function instrumentsOf(survey: Survey): Promise<readonly Instrument[]> {
  const bodies = await metadataBeside(survey.path);
  return survey.lanes.flatMap((lane) => {
    const described = new Map(
      lane.siblings.flatMap((sibling) => describedBy(sibling, bodies)).map((known) => [known.venueSymbol, known]),
    );
    return lane.symbols.map((symbol) => {
      const known = described.get(symbol);
      // The lane decodes for every market of its connection.
      return known === undefined ? bareInstrument(lane, symbol) : { ...known, market: lane.market.id };
    });
  });
}

/** Path and query → body. */
async function metadataBeside(path: string): Promise<ReadonlyMap<string, string>> {
  const bodies = new Map<string, string>();
  const beside = path.replace(/\.frames(\.jsonl(?:\.gz)?)$/, '.instruments$1');
  if (beside === path || !existsSync(beside)) return bodies;
  for await (const batch of readFrameFile(beside)) {
    for (const { url, bytes } of batch) {
      if (url === undefined || !URL.canParse(url)) continue;
      const { pathname, search } = new URL(url);
      bodies.set(pathname + search, Buffer.from(bytes).toString());
    }
  }
  return bodies;
}

function describedBy({ market }: Lane, bodies: ReadonlyMap<string, string>): readonly Instrument[] {
  const { paths, parse } = market.instruments;
  const found = paths.flatMap((path) => bodies.get(path) ?? []);
  if (found.length < paths.length) return [];
  try {
    return parse(found, market.defaultFees);
  } catch (error) {
    // Metadata of another year may not be readable by today's rules: the replay does not need it.
    if (error instanceof BadInput) return [];
    throw error;
  }
}

function bareInstrument({ venue, market }: SurveyedLane, venueSymbol: string): Instrument {
  const unknown = asset('');
  return {
    id: `${venue.id}:${venueSymbol}` as InstrumentId,
    venue: venue.id,
    market: market.id,
    symbol: venueSymbol,
    venueSymbol,
    kind: 'spot',
    base: unknown,
    quote: unknown,
    settle: unknown,
    contractSize: new Decimal(1),
    inverse: false,
    tick: new Decimal(0),
    lot: new Decimal(0),
    minQty: new Decimal(0),
    minNotional: new Decimal(0),
    fees: market.defaultFees,
    status: 'trading',
  };
}
