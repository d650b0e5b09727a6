import type { Dialect, Traffic } from './dialect.ts';
import { parseExactly } from './dialect.ts';
import type { BookEvent, Level, TruthBook } from './truth.ts';

type Snapshot = { readonly lastUpdateId: string; readonly bids: readonly Level[]; readonly asks: readonly Level[] };
type Push = {
  readonly channel?: string;
  readonly symbol?: string;
  readonly data: { readonly version: string; readonly bids: readonly Level[]; readonly asks: readonly Level[] };
};

const pairs = (levels: readonly Level[]): Level[] => levels.map(([price, qty]) => [price, qty] as const);

type Field = { readonly number: number; readonly bytes: Buffer };

/** The length-delimited fields of a message; varints are passed over. */
function textFieldsOf(message: Buffer): Field[] {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    let scale = 1;
    for (; message[at]! >= 0x80; at += 1, scale *= 128) value += (message[at]! - 0x80) * scale;
    value += message[at]! * scale;
    at += 1;
    return value;
  };
  const fields: Field[] = [];
  while (at < message.length) {
    const tag = varint();
    const value = varint();
    if (tag % 8 !== 2) continue;
    fields.push({ number: Math.floor(tag / 8), bytes: message.subarray(at, at + value) });
    at += value;
  }
  return fields;
}

function varintOf(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 0x80; left = Math.floor(left / 128)) bytes.push((left % 128) + 0x80);
  return Buffer.from([...bytes, left]);
}

const field = (number: number, value: string | Buffer): Buffer => {
  const bytes = Buffer.from(value);
  return Buffer.concat([varintOf(number * 8 + 2), varintOf(bytes.length), bytes]);
};
const textOf = (fields: readonly Field[], number: number): string =>
  fields.find((candidate) => candidate.number === number)!.bytes.toString();

const BODY = 313;

/** `latin1` text of one spot push. */
function pushText({ symbol, bids, asks }: BookEvent, from: number, to: number): string {
  const item = (number: number) => (level: Level) =>
    field(number, Buffer.concat([field(1, level[0]), field(2, level[1])]));
  const channel = 'spot@public.aggre.depth.v3.api.pb@10ms';
  const body = [...asks.map(item(1)), ...bids.map(item(2)), field(3, channel), field(4, `${from}`), field(5, `${to}`)];
  const time = Buffer.concat([varintOf(6 * 8), varintOf(1_790_000_000_000)]);
  const wrapper = [field(1, `${channel}@${symbol}`), field(3, symbol), time, field(BODY, Buffer.concat(body))];
  return Buffer.concat(wrapper).toString('latin1');
}

export const spot: Dialect = {
  eventFrom: (text) => {
    if (text.startsWith('{')) return undefined;
    const wrapper = textFieldsOf(Buffer.from(text, 'latin1'));
    const found = wrapper.find(({ number }) => number === BODY);
    if (found === undefined) return undefined;
    const body = textFieldsOf(found.bytes);
    const side = (wanted: number): Level[] =>
      body
        .filter(({ number }) => number === wanted)
        .map(({ bytes }) => textFieldsOf(bytes))
        .map((level) => [textOf(level, 1), textOf(level, 2)] as const);
    const sequence = Number(textOf(body, 5));
    return { symbol: textOf(wrapper, 3), isSnapshot: false, sequence, bids: side(2), asks: side(1) };
  },
  snapshotFrom: (symbol, text) => {
    const { lastUpdateId, bids, asks } = parseExactly(text) as Snapshot;
    return { symbol, isSnapshot: true, sequence: Number(lastUpdateId), bids: pairs(bids), asks: pairs(asks) };
  },
  snapshotText: (_symbol, book) => spotSnapshot(book.sequence, book),
};

const spotSnapshot = (lastUpdateId: number, book: TruthBook): string =>
  JSON.stringify({ lastUpdateId, bids: book.sorted('bids'), asks: book.sorted('asks') });

/** Each push covers two versions, as aggregated ones do. */
export function tellSpot(event: BookEvent, sequence: number): Traffic[] {
  const { symbol, isSnapshot, bids, asks } = event;
  const last = 2 * sequence;
  if (isSnapshot) return [{ symbol, text: JSON.stringify({ lastUpdateId: last, bids, asks }) }];
  return [{ text: pushText(event, last - 1, last), encoding: 'latin1' }];
}

/** Levels as bare numbers, in the texts they came with, and how many orders they hold. */
const bare = (levels: readonly Level[]): string => `[${levels.map(([price, qty]) => `[${price},${qty},1]`).join(',')}]`;
const futuresBook = (version: number, bids: readonly Level[], asks: readonly Level[]): string =>
  `{"asks":${bare(asks)},"bids":${bare(bids)},"version":${version}}`;
const futuresSnapshot = (book: string): string => `{"success":true,"code":0,"data":${book}}`;

export const futures: Dialect = {
  eventFrom: (text) => {
    const { channel, symbol, data } = parseExactly(text) as Push;
    if (channel !== 'push.depth') return undefined;
    const { version, bids, asks } = data;
    return {
      symbol: symbol!,
      isSnapshot: false,
      sequence: Number(version),
      bids: pairs(bids),
      asks: pairs(asks),
    };
  },
  snapshotFrom: (symbol, text) => {
    const { version, bids, asks } = (parseExactly(text) as Push).data;
    return { symbol, isSnapshot: true, sequence: Number(version), bids: pairs(bids), asks: pairs(asks) };
  },
  snapshotText: (_symbol, book) =>
    futuresSnapshot(futuresBook(book.sequence, book.sorted('bids'), book.sorted('asks'))),
};

export function tellFutures({ symbol, isSnapshot, bids, asks }: BookEvent, sequence: number): Traffic[] {
  const book = futuresBook(sequence, bids, asks);
  if (isSnapshot) return [{ symbol, text: futuresSnapshot(book) }];
  return [{ text: `{"channel":"push.depth","data":${book},"symbol":"${symbol}","ts":1790000000000}` }];
}
