import type { Traffic } from './dialect.ts';
import type { BookEvent } from './truth.ts';

const TIME_MS = 1_790_000_000_000;

/** Options: each frame covers two ids and names the last one before it; between the books stand their tape and marks. */
export function tellOptions({ symbol, isSnapshot, bids, asks }: BookEvent, sequence: number): Traffic[] {
  const last = 2 * sequence;
  if (isSnapshot) return [{ symbol, text: JSON.stringify({ bids, asks, T: TIME_MS, lastUpdateId: last }) }];
  const name = symbol.toLowerCase();
  const said = (stream: string, data: unknown): Traffic => ({ text: JSON.stringify({ stream, data }) });
  const depth = {
    e: 'depthUpdate',
    E: TIME_MS,
    T: TIME_MS,
    s: symbol,
    U: last - 1,
    u: last,
    pu: last - 2,
    b: bids,
    a: asks,
  };
  const trade = {
    e: 'trade',
    E: TIME_MS,
    T: TIME_MS,
    s: symbol,
    t: sequence,
    p: '1.5',
    q: '2',
    X: 'MARKET',
    S: 'BUY',
    m: false,
  };
  const mark = {
    s: symbol,
    mp: '1.5',
    E: TIME_MS,
    e: 'markPrice',
    i: '2',
    b: '-1.0',
    a: '0.9',
    vo: '0.8',
    d: '-0.1',
    t: '-3',
  };
  return [
    said(`${name}@depth@100ms`, depth),
    ...(sequence % 8 === 0 ? [said(`${name}@optionTrade`, trade), said('btcusdt@optionMarkPrice', [mark, mark])] : []),
  ];
}
