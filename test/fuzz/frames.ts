import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { BookStore } from '#hotpath/book/book-store.ts';
import { FeedSink } from '#hotpath/feed/sink.ts';
import { Frame } from '#hotpath/runtime/frame.ts';
import { unpackerOf } from '#hotpath/runtime/inflate.ts';
import { venues } from '#hotpath/venues/index.ts';
import type { Venue } from '#hotpath/venues/venue.ts';
import { BadInput } from '#shared/assert.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import { BROKEN } from '#shared/domain/market-event.ts';
import type { Random } from '#shared/random.ts';
import { recordedDir } from '#test/support/recorded.ts';
import type { MarketFixture, Step } from '#test/support/venue-fixture.ts';
import { bytesOfStep, fixturesOf } from '#test/support/venue-fixture.ts';
import { changesContent, kinds, mutated } from './mutations.ts';

/** Whatever reads one kind of frame. */
export type Reader = {
  readonly name: string;
  readonly frames: readonly Buffer[];
  /** A reader in its first state; what it throws but BadInput, and what it returns, are faults. */
  readonly start: () => (bytes: Buffer, at: number) => string | undefined;
};

const contentKinds = kinds.filter(changesContent);
/** One frame in so many comes unharmed, so that there are books and channels to harm. */
const CLEAN_ONE_IN = 4;

/** Feeds a reader mutations of its frames until there were `wanted`. */
export function hammer(reader: Reader, wanted: number, random: Random) {
  const faults: string[] = [];
  let mutations = 0;
  let refused = 0;
  while (mutations < wanted && faults.length < 5) {
    const read = reader.start();
    for (const [at, frame] of reader.frames.entries()) {
      const isClean = random.integer(CLEAN_ONE_IN) === 0 || frame.length === 0;
      const bytes = isClean ? frame : mutated(frame, contentKinds[random.integer(contentKinds.length)]!, random);
      if (!isClean) mutations += 1;
      try {
        const fault = read(bytes, at);
        if (fault !== undefined) faults.push(fault);
      } catch (error) {
        refused += 1;
        if (!(error instanceof BadInput)) faults.push(`${String(error)}: ${bytes.toString('latin1').slice(0, 300)}`);
      }
    }
  }
  return { faults, mutations, refused };
}

/** Every market's sockets and every account's, with the frames of the fixtures and (where there are any) of the recorded examples. */
export const readers = (): readonly Reader[] =>
  venues.flatMap((venue) => {
    const examples = examplesOf(venue.id).map((text) => Buffer.from(text));
    return [
      ...fixturesOf(venue).map((fixture) => marketReader(venue, fixture, examples)),
      ...accountReaders(venue, examples),
    ];
  });

function marketReader(
  venue: Venue,
  { market, bodies, steps, streams }: MarketFixture,
  examples: readonly Buffer[],
): Reader {
  const instruments = market.instruments.parse(bodies, market.defaultFees);
  const all: readonly Step[] = [...steps, ...streams];
  const unpack = unpackerOf(market.compression);
  const start: Reader['start'] = () => {
    const books = new BookStore({
      instruments,
      rulesOf: () => market.book,
      clock: new VirtualClock(0n),
      staleAfterMs: Infinity,
    });
    const distrustAll = (): void => {
      for (const index of instruments.keys()) books.distrust(index as InstrumentIndex);
    };
    const changed: InstrumentIndex[] = [];
    const sink = new FeedSink({
      instruments,
      venue: venue.id,
      market: market.id,
      onPrint: () => undefined,
      onReference: () => undefined,
      onControl: (kind) => {
        if (kind === 'lost') distrustAll();
      },
      onUpdate: (update) => {
        changed.push(update.instrument);
        if (books.apply(update) === BROKEN) books.distrust(update.instrument);
      },
    });
    const frame = new Frame();
    const { snapshot } = market.book;
    const decode = (bytes: Buffer, at: number): void => {
      const step = all[at];
      const text = unpack === undefined ? bytes : unpack(bytes);
      frame.window(text, 0, text.length);
      if (step !== undefined && 'symbol' in step && snapshot.from === 'rest') {
        const index = instruments.findIndex(({ venueSymbol }) => venueSymbol === step.symbol);
        snapshot.decode(frame, sink, index as InstrumentIndex);
      } else market.decode(frame, sink);
    };
    return (bytes, at) => {
      changed.length = 0;
      try {
        decode(bytes, at);
      } catch (error) {
        distrustAll();
        throw error;
      }
      return changed.map((instrument) => faultOf(books, instrument)).find((fault) => fault !== undefined);
    };
  };
  const packed = (bytes: Buffer): Buffer => (market.compression === undefined ? bytes : gzipSync(bytes, { level: 1 }));
  return { name: `${venue.id} ${market.id}`, frames: [...all.map(bytesOfStep), ...examples].map(packed), start };
}

/** A book that says it is live has a bid below its ask and sizes on both. */
function faultOf({ depths, tops }: BookStore, at: InstrumentIndex): string | undefined {
  if (depths.status(at) !== 'live') return undefined;
  const [bid, ask] = [tops.bid[at]!, tops.ask[at]!];
  const isSound =
    !(bid >= ask) && (Number.isNaN(bid) || tops.bidQty[at]! > 0) && (Number.isNaN(ask) || tops.askQty[at]! > 0);
  return isSound ? undefined : `live with ${bid} × ${tops.bidQty[at]!} | ${ask} × ${tops.askQty[at]!}`;
}

type PrivateRow = {
  readonly account?: string;
  readonly event?: string;
  readonly reject?: string;
  readonly socket?: string;
};

function accountReaders(venue: Venue, examples: readonly Buffer[]): readonly Reader[] {
  const rows = readFileSync(`test/fixtures/venues/${venue.id}.jsonl`, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as PrivateRow);
  return (venue.accounts ?? []).flatMap((account) =>
    account.sockets.map((socket) => {
      const own = rows
        .filter((row) => row.account === account.id)
        .flatMap(({ event, reject }) => event ?? reject ?? [])
        .map((text) => Buffer.from(text));
      const start: Reader['start'] = () => (bytes) => {
        socket.decode(bytes);
        return undefined;
      };
      return { name: `${venue.id} account ${account.id} ${socket.id}`, frames: [...own, ...examples], start };
    }),
  );
}

/** The frames that the recorded examples of a venue's sockets push or answer. */
function examplesOf(venue: string): readonly string[] {
  const file = `${recordedDir}/fixtures/jkorf_${EXAMPLES[venue] ?? venue}_net.jsonl.gz`;
  if (!existsSync(file)) return [];
  return gunzipSync(readFileSync(file))
    .toString()
    .trim()
    .split('\n')
    .flatMap((line) => (JSON.parse(line) as { readonly text: string }).text.split(/^(?=[<>=] )/m))
    .filter((part) => /^[<=] /.test(part))
    .map((part) => part.slice(2).trim());
}

/** Where a file of examples has another name than its venue. */
const EXAMPLES: Readonly<Record<string, string>> = { gate: 'gateio', krakenfutures: 'kraken' };
