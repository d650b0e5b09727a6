import { Command } from 'commander';
import type { Account, DeadMan } from '#hotpath/venues/venue-account.ts';
import { venues } from '#hotpath/venues/index.ts';
import type { Market, Venue } from '#hotpath/venues/venue.ts';
import { BadInput } from '#shared/assert.ts';
import { simulatedVenues } from '#simulator/simulated-venues.ts';

/** What the engine can do on one market of one venue. */
type Row = {
  readonly venue: string;
  readonly market: string;
  /** Where a book's first state comes from, and whether frames carry a checksum. */
  readonly book: string;
  /** Channels read beside the books. */
  readonly streams: string;
  /** How orders go out; `-` where the market is only watched. */
  readonly orders: string;
  /** What ends our orders when we fall silent. */
  readonly deadMan: string;
  readonly simulated: string;
};

/** `arb venues`: what is covered, from the venue files themselves. */
export function venuesCommand(): Command {
  return new Command('venues')
    .description('List every venue and market: books, channels, order entry, dead-man switch, simulator.')
    .argument('[venue...]', 'only these')
    .option('--json', 'as JSON, for scripts')
    .addHelpText(
      'after',
      `
  arb venues                 the whole list
  arb venues okx deribit     two of them
Orders: ws is the venue's order socket, rest its REST API; - means that the market is only watched.
Dead-man: timer (the venue cancels unless we speak up), disconnect (it cancels when the private socket is lost), none.`,
    )
    .action((names: readonly string[], { json }: { json?: true }) => {
      const rows = chosen(names).flatMap((venue) => venue.markets.map((market) => rowOf(venue, market)));
      process.stdout.write(json === true ? `${JSON.stringify(rows, null, 2)}\n` : tableOf(rows));
    });
}

function chosen(names: readonly string[]): readonly Venue[] {
  const unknown = names.find((name) => !venues.some(({ id }) => id === name));
  if (unknown !== undefined)
    throw new BadInput(`unknown venue "${unknown}" (known: ${venues.map(({ id }) => id).join(', ')})`);
  return names.length === 0 ? venues : venues.filter(({ id }) => names.includes(id));
}

function rowOf(venue: Venue, market: Market): Row {
  const account = venue.accounts?.find(({ markets }) => markets.includes(market.id));
  const kinds = [market.streams, ...(market.moreStreams ?? [])].flatMap((rules) => rules?.kinds ?? []);
  const played = simulatedVenues.get(venue.id)?.listings.some((listing) => listing.market === market.id) === true;
  return {
    venue: venue.id,
    market: market.id,
    book: `${market.book.snapshot.from}${market.book.checksum === undefined ? '' : ' + checksum'}`,
    streams: [...new Set(kinds)].join(', ') || '-',
    orders: account === undefined ? '-' : ordersOf(account),
    deadMan: account === undefined ? '-' : deadManOf(account.deadMan),
    simulated: played ? 'yes' : '-',
  };
}

const ordersOf = ({ sockets }: Account): string =>
  sockets.some(({ carries }) => carries.includes('orders')) ? 'ws, rest' : 'rest';

const deadManOf = (deadMan: DeadMan): string =>
  deadMan.kind === 'timer' ? `timer ${deadMan.minMs / 1_000}-${deadMan.maxMs / 1_000} s` : deadMan.kind;

const HEADS: Row = {
  venue: 'venue',
  market: 'market',
  book: 'book from',
  streams: 'streams',
  orders: 'orders',
  deadMan: 'dead-man',
  simulated: 'simulated',
};

function tableOf(rows: readonly Row[]): string {
  const columns = Object.keys(HEADS) as readonly (keyof Row)[];
  const widths = columns.map((column) => Math.max(...[HEADS, ...rows].map((row) => row[column].length)));
  const line = (row: Row): string =>
    columns
      .map((column, at) => row[column].padEnd(widths[at]!))
      .join('  ')
      .trimEnd();
  return `${[HEADS, ...rows].map(line).join('\n')}\n`;
}
