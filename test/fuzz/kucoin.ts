import type { Dialect, Traffic } from './dialect.ts';
import { parseExactly } from './dialect.ts';
import type { BookEvent, Level, TruthBook } from './truth.ts';

type Change = readonly [price: string, qty: string, sequence: string];
type Unified = {
  readonly T?: string;
  readonly dp?: string;
  readonly t?: string;
  readonly d?: { readonly s: string; readonly C: string; readonly a: readonly Level[]; readonly b: readonly Level[] };
};
type Classic = {
  readonly topic?: string;
  readonly data?: {
    readonly sequence?: string;
    readonly change?: string;
    readonly sequenceEnd?: string;
    readonly changes?: { readonly asks: readonly Change[]; readonly bids: readonly Change[] };
    readonly bids?: readonly Level[];
    readonly asks?: readonly Level[];
  };
};

const pairs = (levels: readonly Level[] = []): Level[] => levels.map(([price, qty]) => [price, qty] as const);

/** The push sockets of the unified account. */
export const unified = (tradeType: string): Dialect => ({
  eventFrom: (text) => {
    const { T = '', dp, t, d } = parseExactly(text) as Unified;
    if (T !== `obu.${tradeType}` || dp !== 'increment@10ms' || d === undefined) return undefined;
    return { symbol: d.s, isSnapshot: t === 'snapshot', sequence: Number(d.C), bids: pairs(d.b), asks: pairs(d.a) };
  },
  snapshotFrom: () => {
    throw new Error('snapshots are pushed');
  },
  snapshotText: (symbol, book) =>
    unifiedText(tradeType, {
      symbol,
      isSnapshot: true,
      sequence: book.sequence,
      bids: book.sorted('bids'),
      asks: book.sorted('asks'),
    }),
});

/** Each delta covers two sequences, as merged ones do. */
export const unifiedText = (tradeType: string, { symbol, isSnapshot, sequence, bids, asks }: BookEvent): string => {
  const levels = `"a":${JSON.stringify(asks)},"b":${JSON.stringify(bids)}`;
  const first = isSnapshot ? sequence : sequence - 1;
  return `{"T":"obu.${tradeType}", "dp":"increment@10ms", "t":"${isSnapshot ? 'snapshot' : 'delta'}", "P":1790114459840641662, "d":{${levels},"C":${sequence},"s":"${symbol}","M":1790114459839000000,"O":${first}}}`;
};

export const tellUnified = (event: BookEvent, sequence: number): Traffic[] => [
  { text: unifiedText('SPOT', { ...event, sequence: 2 * sequence }) },
];

/** Changes in the order of their sequences; a price of 0 changes nothing. */
const ordered = (changes: readonly Change[]): Level[] =>
  [...changes]
    .sort(([, , a], [, , b]) => Number(a) - Number(b))
    .filter(([price]) => Number(price) !== 0)
    .map(([price, qty]) => [price, qty] as const);

const snapshotText = (_symbol: string, book: TruthBook): string => {
  const [bids, asks] = [book.sorted('bids'), book.sorted('asks')];
  return JSON.stringify({ code: '200000', data: { time: 1, sequence: String(book.sequence), bids, asks } });
};

function snapshotFrom(symbol: string, text: string): BookEvent {
  const { sequence, bids, asks } = (parseExactly(text) as Classic).data!;
  return { symbol, isSnapshot: true, sequence: Number(sequence), bids: pairs(bids), asks: pairs(asks) };
}

export const spotClassic: Dialect = {
  eventFrom: (text) => {
    const { topic = '', data } = parseExactly(text) as Classic;
    if (!topic.startsWith('/market/level2:')) return undefined;
    const { sequenceEnd, changes } = data!;
    const [bids, asks] = [ordered(changes!.bids), ordered(changes!.asks)];
    return { symbol: topic.split(':')[1]!, isSnapshot: false, sequence: Number(sequenceEnd), bids, asks };
  },
  snapshotFrom,
  snapshotText,
};

export const futuresClassic: Dialect = {
  eventFrom: (text) => {
    const { topic = '', data } = parseExactly(text) as Classic;
    if (!topic.startsWith('/contractMarket/level2:')) return undefined;
    const [price = '', side, qty = ''] = data!.change!.split(',');
    const level: Level[] = [[price, qty]];
    const [bids, asks] = side === 'buy' ? [level, []] : [[], level];
    return { symbol: topic.split(':')[1]!, isSnapshot: false, sequence: Number(data!.sequence), bids, asks };
  },
  snapshotFrom,
  snapshotText,
};

/** One level a frame. */
export function tellFuturesClassic({ symbol, isSnapshot, bids, asks }: BookEvent, sequence: number): Traffic[] {
  if (isSnapshot) return [{ symbol, text: JSON.stringify({ code: '200000', data: { sequence, bids, asks } }) }];
  const changes = [...bids.map(([p, q]) => `${p},buy,${q}`), ...asks.map(([p, q]) => `${p},sell,${q}`)];
  return changes.map((change, at) => ({
    text: `{"topic":"/contractMarket/level2:${symbol}","type":"message","subject":"level2","sn":1,"data":{"sequence":${sequence + at},"change":"${change}","timestamp":1790113097240}}`,
  }));
}
