import type { Instrument } from '#shared/domain/instrument.ts';

export type PlainLevel = readonly [price: number, qty: number];
export type PlainUpdate = {
  readonly kind: 'snapshot' | 'delta' | 'quote';
  readonly symbol: string;
  readonly bids: readonly PlainLevel[];
  readonly asks: readonly PlainLevel[];
  readonly first: number;
  readonly last: number;
  readonly previous: number;
  readonly checksum?: number;
};

type Texts = readonly (readonly string[])[];
type Objects = readonly { readonly price: number; readonly qty: number }[];

/** One frame of a venue's socket by JSON.parse. */
export function plainParse(venue: string, text: string): PlainUpdate {
  switch (venue) {
    case 'binance':
      return binanceUpdate(text);
    case 'okx':
      return okxUpdate(text);
    case 'kraken':
      return krakenUpdate(text);
    default:
      throw new Error(`no plain parser for ${venue}`);
  }
}

/** The answer to a snapshot request, which does not name its symbol. */
export function plainSnapshot(text: string, instrument: number, instruments: readonly Instrument[]): PlainUpdate {
  const body = JSON.parse(text) as { lastUpdateId: number; bids: Texts; asks: Texts };
  const { lastUpdateId: last } = body;
  const symbol = instruments[instrument]!.venueSymbol;
  return {
    kind: 'snapshot',
    symbol,
    bids: fromTexts(body.bids),
    asks: fromTexts(body.asks),
    first: last,
    last,
    previous: NaN,
  };
}

const fromTexts = (levels: Texts): PlainLevel[] => levels.map(([price, qty]) => [Number(price), Number(qty)]);
const fromObjects = (levels: Objects): PlainLevel[] => levels.map(({ price, qty }) => [price, qty]);

function binanceUpdate(text: string): PlainUpdate {
  const { data } = JSON.parse(text) as {
    data:
      | { e: 'depthUpdate'; s: string; U: number; u: number; b: Texts; a: Texts }
      | { e?: never; s: string; u: number; b: string; B: string; a: string; A: string };
  };
  if (data.e === undefined) {
    return {
      kind: 'quote',
      symbol: data.s,
      bids: [[Number(data.b), Number(data.B)]],
      asks: [[Number(data.a), Number(data.A)]],
      first: NaN,
      last: data.u,
      previous: NaN,
    };
  }
  return {
    kind: 'delta',
    symbol: data.s,
    bids: fromTexts(data.b),
    asks: fromTexts(data.a),
    first: data.U,
    last: data.u,
    previous: data.U - 1,
  };
}

function okxUpdate(text: string): PlainUpdate {
  const { arg, action, data } = JSON.parse(text) as {
    arg: { instId: string };
    action: string;
    data: [{ asks: Texts; bids: Texts; seqId: number; prevSeqId: number }];
  };
  const [{ asks, bids, seqId, prevSeqId }] = data;
  return {
    kind: action === 'snapshot' ? 'snapshot' : 'delta',
    symbol: arg.instId,
    bids: fromTexts(bids),
    asks: fromTexts(asks),
    first: NaN,
    last: seqId,
    previous: prevSeqId,
  };
}

function krakenUpdate(text: string): PlainUpdate {
  const { type, data } = JSON.parse(text) as {
    type: string;
    data: [{ symbol: string; bids: Objects; asks: Objects; checksum: number }];
  };
  const [{ symbol, bids, asks, checksum }] = data;
  return {
    kind: type === 'snapshot' ? 'snapshot' : 'delta',
    symbol,
    bids: fromObjects(bids),
    asks: fromObjects(asks),
    first: NaN,
    last: NaN,
    previous: NaN,
    checksum,
  };
}
