import type { Dialect, Traffic } from './dialect.ts';
import { parseExactly } from './dialect.ts';
import type { BookEvent, Level } from './truth.ts';

type Book = {
  readonly seqNum?: string;
  readonly version?: string;
  readonly event?: string;
  readonly bids?: readonly Level[];
  readonly asks?: readonly Level[];
};
type Frame = { readonly ch?: string; readonly rep?: string; readonly tick?: Book; readonly data?: Book };

/** Levels as bare numbers, in the texts they came with. */
const bare = (levels: readonly Level[]): string => `[${levels.map(([price, qty]) => `[${price},${qty}]`).join(',')}]`;
const sides = (bids: readonly Level[], asks: readonly Level[]): string => `"bids":${bare(bids)},"asks":${bare(asks)}`;

const dialect = (suffix: string, snapshotText: Dialect['snapshotText']): Dialect => ({
  eventFrom: (text) => {
    const { ch, rep, tick, data } = parseExactly(text) as Frame;
    const topic = ch ?? rep ?? '';
    const book = tick ?? data;
    if (!topic.endsWith(suffix) || book === undefined) return undefined;
    return {
      symbol: topic.slice('market.'.length, -suffix.length),
      isSnapshot: rep !== undefined || book.event === 'snapshot',
      sequence: Number(book.seqNum ?? book.version),
      bids: book.bids ?? [],
      asks: book.asks ?? [],
    };
  },
  snapshotFrom: () => {
    throw new Error('snapshots are frames');
  },
  snapshotText,
});

const SPOT = '.mbp.150';
const SWAP = '.depth.size_20.high_freq';

const spotSnapshot = (symbol: string, sequence: number, bids: readonly Level[], asks: readonly Level[]): string =>
  `{"id":"1","status":"ok","ts":1790000000000,"rep":"market.${symbol}${SPOT}","data":{"seqNum":${sequence},${sides(bids, asks)}}}`;

export const spot = dialect(SPOT, (symbol, book) =>
  spotSnapshot(symbol, book.sequence, book.sorted('bids'), book.sorted('asks')),
);

/** Each update covers two sequences, as joined ones do. */
export function tellSpot({ symbol, isSnapshot, bids, asks }: BookEvent, sequence: number): Traffic[] {
  const last = 2 * sequence;
  if (isSnapshot) return [{ text: spotSnapshot(symbol, last, bids, asks) }];
  const tick = `{"seqNum":${last},"prevSeqNum":${last - 2},${sides(bids, asks)}}`;
  return [{ text: `{"ch":"market.${symbol}${SPOT}","ts":1790000000000,"tick":${tick}}` }];
}

function swapText(symbol: string, event: 'snapshot' | 'update', version: number, levels: string): string {
  const tick = `{${levels},"ch":"market.${symbol}${SWAP}","event":"${event}","id":1,"mrid":1,"ts":1790000000000,"version":${version}}`;
  return `{"ch":"market.${symbol}${SWAP}","tick":${tick},"ts":1790000000001}`;
}

export const swap = dialect(SWAP, (symbol, book) =>
  swapText(symbol, 'snapshot', book.sequence, sides(book.sorted('bids'), book.sorted('asks'))),
);

export const tellSwap = ({ symbol, isSnapshot, bids, asks }: BookEvent, sequence: number): Traffic[] => [
  { text: swapText(symbol, isSnapshot ? 'snapshot' : 'update', sequence, sides(bids, asks)) },
];
