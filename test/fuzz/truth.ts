import { crc32 } from 'node:zlib';

/** What one clean frame says of a book, read by JSON.parse alone: an implementation that shares nothing with the engine's. */
export type BookEvent = {
  readonly symbol: string;
  readonly isSnapshot: boolean;
  /** Names the state that the frame leads to; frames with equal or smaller ones than a REST snapshot's are in it already. */
  readonly sequence: number;
  readonly bids: readonly Level[];
  readonly asks: readonly Level[];
};
export type Level = readonly [price: string, qty: string];

type Wire = {
  readonly data?: Wire | readonly Wire[];
  readonly result?: Wire;
  readonly topic?: string;
  readonly event?: string;
  readonly full?: boolean;
  readonly feed?: string;
  readonly product_id?: string;
  readonly seq?: string;
  readonly side?: string;
  readonly price?: string;
  readonly qty?: string;
  readonly e?: string;
  readonly s?: string;
  readonly u?: string;
  readonly a?: readonly Level[];
  readonly b?: readonly Level[];
  readonly arg?: { readonly channel: string; readonly instId: string };
  readonly channel?: string;
  readonly type?: string;
  readonly action?: string;
  readonly symbol?: string;
  readonly checksum?: string;
  readonly seqId?: string;
  readonly prevSeqId?: string;
  readonly bids?: readonly (Level | { readonly price: string; readonly qty: string })[];
  readonly asks?: readonly (Level | { readonly price: string; readonly qty: string })[];
};

/** Numbers keep their text: checksums hash it. */
const parse = (text: string): Wire =>
  JSON.parse(text, (_key, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' ? context!.source! : value,
  ) as Wire;

const levelsFrom = (side: Wire['bids'] = []): Level[] =>
  side.map((level) => ('price' in level ? ([level.price, level.qty] as const) : ([level[0], level[1]] as const)));

/** Undefined for whatever changes no book. */
export function eventFrom(text: string): BookEvent | undefined {
  if (!text.startsWith('{')) return undefined;
  const wire = parse(text);
  if (wire.arg?.channel === 'books' && wire.action !== undefined) {
    const [book] = wire.data as readonly Wire[];
    const { bids, asks, seqId, prevSeqId, checksum } = book!;
    if (seqId !== undefined && seqId === prevSeqId) return undefined;
    return {
      symbol: wire.arg.instId,
      isSnapshot: wire.action === 'snapshot',
      sequence: Number(seqId ?? checksum),
      bids: levelsFrom(bids),
      asks: levelsFrom(asks),
    };
  }
  if (wire.channel === 'book') {
    const [book] = wire.data as readonly Wire[];
    const { symbol, bids, asks, checksum } = book!;
    const isSnapshot = wire.type === 'snapshot';
    return { symbol: symbol!, isSnapshot, sequence: Number(checksum), bids: levelsFrom(bids), asks: levelsFrom(asks) };
  }
  if (wire.topic?.startsWith('orderbook.') === true) return bybitEvent(wire);
  if (wire.event === 'update' && /[.](obu|order_book_update)$/.test(wire.channel ?? '')) return gateEvent(wire.result!);
  if (wire.feed !== undefined && wire.seq !== undefined) return krakenFuturesEvent(wire);
  const update = (wire.data ?? wire) as Wire;
  if (update.e !== 'depthUpdate') return undefined;
  return { symbol: update.s!, isSnapshot: false, sequence: Number(update.u), bids: update.b!, asks: update.a! };
}

function bybitEvent({ type, data }: Wire): BookEvent {
  const { s, u, b = [], a = [] } = data as Wire;
  return { symbol: s!, isSnapshot: type === 'snapshot' || u === '1', sequence: Number(u), bids: b, asks: a };
}

function gateEvent({ s, u, full, b = [], a = [] }: Wire): BookEvent {
  const symbol = s!.replace(/^ob[.]|[.]50$/g, '');
  return { symbol, isSnapshot: full === true, sequence: Number(u), bids: b, asks: a };
}

function krakenFuturesEvent({ feed, product_id, seq, side, price, qty, bids, asks }: Wire): BookEvent | undefined {
  if (feed !== 'book' && feed !== 'book_snapshot') return undefined;
  const level = price === undefined ? [] : [[price, qty!] as const];
  return {
    symbol: product_id!,
    isSnapshot: feed === 'book_snapshot',
    sequence: Number(seq),
    bids: side === 'buy' ? level : levelsFrom(bids),
    asks: side === 'sell' ? level : levelsFrom(asks),
  };
}

/** The answer to a snapshot request. */
export function snapshotFrom(symbol: string, text: string): BookEvent {
  const wire = parse(text) as Wire & { readonly lastUpdateId?: string; readonly id?: string };
  const { bids, asks, lastUpdateId, id } = wire;
  const sequence = Number(lastUpdateId ?? id);
  return { symbol, isSnapshot: true, sequence, bids: levelsFrom(bids), asks: levelsFrom(asks) };
}

const words = new Uint32Array(2);
const double = new Float64Array(words.buffer);

/** Mixes a level into 32 bits; a book's hash is the XOR of its levels', so that it can follow changes. */
export function levelHash(side: number, price: number, qty: number): number {
  double[0] = price;
  let hash = Math.imul(words[0]! ^ side, 0x9e3779b1) ^ Math.imul(words[1]!, 0x85ebca77);
  double[0] = qty;
  hash = Math.imul(hash ^ (hash >>> 15) ^ words[0]!, 0xc2b2ae3d) ^ Math.imul(words[1]!, 0x27d4eb2f);
  return hash ^ (hash >>> 13);
}

/** One book as the venue has it. */
export class TruthBook {
  readonly bids = new Map<number, Level>();
  readonly asks = new Map<number, Level>();
  hash = 0;
  sequence = NaN;

  apply({ isSnapshot, sequence, bids, asks }: BookEvent): void {
    if (isSnapshot) {
      this.bids.clear();
      this.asks.clear();
      this.hash = 0;
    }
    for (const level of bids) this.#set(this.bids, 0, level);
    for (const level of asks) this.#set(this.asks, 1, level);
    this.sequence = sequence;
  }

  #set(side: Map<number, Level>, number: number, level: Level): void {
    const price = Number(level[0]);
    const before = side.get(price);
    if (before !== undefined) this.hash ^= levelHash(number, price, Number(before[1]));
    side.delete(price);
    if (Number(level[1]) === 0) return;
    side.set(price, level);
    this.hash ^= levelHash(number, price, Number(level[1]));
  }

  /** Best first. */
  sorted(side: 'bids' | 'asks'): Level[] {
    return [...this[side].values()].sort(([a], [b]) =>
      side === 'bids' ? Number(b) - Number(a) : Number(a) - Number(b),
    );
  }

  /** The best `count` levels a side, flat: what a checksum vouches for. */
  top(count: number): number[] {
    return (['bids', 'asks'] as const).flatMap((side) => this.sorted(side).slice(0, count).flat().map(Number));
  }

  krakenChecksum(): number {
    const digits = (level: Level): string => level.map((text) => text.replace('.', '').replace(/^0+/, '')).join('');
    const side = (name: 'bids' | 'asks') => this.sorted(name).slice(0, 10).map(digits).join('');
    return crc32(side('asks') + side('bids'));
  }
}
