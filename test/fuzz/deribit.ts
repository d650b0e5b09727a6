import type { Dialect, Traffic } from './dialect.ts';
import { parseExactly } from './dialect.ts';
import type { BookEvent, Level } from './truth.ts';

type Change = readonly [action: string, price: string, amount: string];
type Push = {
  readonly params?: {
    readonly channel?: string;
    readonly data?: {
      readonly type: string;
      readonly instrument_name: string;
      readonly change_id: string;
      readonly bids: readonly Change[];
      readonly asks: readonly Change[];
    };
  };
};

const pairs = (changes: readonly Change[]): Level[] => changes.map(([, price, amount]) => [price, amount] as const);

const changes = (levels: readonly Level[]): string =>
  `[${levels.map(([price, qty]) => `["${Number(qty) === 0 ? 'delete' : 'change'}",${price},${qty}]`).join(',')}]`;

const pushText = (head: string, { symbol, sequence, bids, asks }: Omit<BookEvent, 'isSnapshot'>): string =>
  `{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.${symbol}.100ms","data":{${head},"timestamp":1790000000000,"instrument_name":"${symbol}","change_id":${sequence},"bids":${changes(bids)},"asks":${changes(asks)}}}}`;

export const books: Dialect = {
  eventFrom: (text) => {
    const { channel = '', data } = (parseExactly(text) as Push).params ?? {};
    if (!channel.startsWith('book.') || data === undefined) return undefined;
    const { type, instrument_name: symbol, change_id, bids, asks } = data;
    return {
      symbol,
      isSnapshot: type === 'snapshot',
      sequence: Number(change_id),
      bids: pairs(bids),
      asks: pairs(asks),
    };
  },
  snapshotFrom: () => {
    throw new Error('snapshots are pushed');
  },
  snapshotText: (symbol, book) =>
    pushText('"type":"snapshot"', {
      symbol,
      sequence: book.sequence,
      bids: book.sorted('bids'),
      asks: book.sorted('asks'),
    }),
};

/** Ids jump by three, as ids that instruments share do. */
export function tell(event: BookEvent, sequence: number): Traffic[] {
  const head = event.isSnapshot ? '"type":"snapshot"' : `"type":"change","prev_change_id":${3 * sequence - 3}`;
  return [{ text: pushText(head, { ...event, sequence: 3 * sequence }) }];
}
