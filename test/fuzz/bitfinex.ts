import type { Dialect, Traffic } from './dialect.ts';
import { parseExactly } from './dialect.ts';
import type { Level } from './truth.ts';

type Event = {
  readonly event?: string;
  readonly channel?: string;
  readonly chanId?: string;
  readonly symbol?: string;
};
type Row = readonly [price: string, count: string, amount: string];
type Data = readonly [channel: string, payload: string | Row | readonly Row[], ...tail: string[]];

/** The books of one recorded socket, whose announcements say what its channel numbers mean. */
export function dialectOf(traffic: readonly Traffic[]): Dialect {
  const announcements = traffic.map(({ text }) => text).filter((text) => text.includes('"subscribed"'));
  const channels = announcements
    .map((text) => parseExactly(text) as Event)
    .filter(({ channel }) => channel === 'book')
    .map(({ chanId, symbol }) => [chanId!, symbol!] as const);
  const symbolOf = new Map(channels);
  const channelOf = new Map(channels.map(([channel, symbol]) => [symbol, channel]));
  return {
    preamble: announcements,
    eventFrom: (text) => {
      if (text.startsWith('{')) return undefined;
      const [channel, payload, ...tail] = parseExactly(text) as Data;
      const symbol = symbolOf.get(channel);
      const sequence = Number(tail.at(-1));
      if (symbol === undefined || payload === 'hb') return undefined;
      if (payload === 'cs') return { symbol, isSnapshot: false, sequence, bids: [], asks: [] };
      const isSnapshot = Array.isArray(payload[0]);
      const rows = isSnapshot ? (payload as readonly Row[]) : [payload as Row];
      const side = (isAsk: boolean) => rows.filter(([, , amount]) => amount.startsWith('-') === isAsk).map(levelFrom);
      return { symbol, isSnapshot, sequence, bids: side(false), asks: side(true) };
    },
    snapshotFrom: () => {
      throw new Error('snapshots are pushed');
    },
    snapshotText: (symbol, book) => {
      const rows = [
        ...book.sorted('bids').map(([price, qty]) => `[${price},1,${qty}]`),
        ...book.sorted('asks').map(([price, qty]) => `[${price},1,-${qty}]`),
      ];
      return `[${channelOf.get(symbol)!},[${rows.join(',')}],${book.sequence}]`;
    },
  };
}

const levelFrom = ([price, count, amount]: Row): Level => [price, count === '0' ? '0' : amount.replace('-', '')];
