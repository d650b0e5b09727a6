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
  const parse = parsers[venue];
  if (parse === undefined) throw new Error(`no plain parser for ${venue}`);
  return parse(text);
}

const parsers: Readonly<Record<string, (text: string) => PlainUpdate>> = {
  binance: binanceUpdate,
  okx: okxUpdate,
  kraken: krakenUpdate,
  bybit: bybitUpdate,
  gate: gateUpdate,
  bitget: bitgetUpdate,
  kucoin: kucoinUpdate,
  deribit: deribitUpdate,
};

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

function bybitUpdate(text: string): PlainUpdate {
  const { type, data } = JSON.parse(text) as { type: string; data: { s: string; b: Texts; a: Texts; u: number } };
  return {
    kind: type === 'snapshot' ? 'snapshot' : 'delta',
    symbol: data.s,
    bids: fromTexts(data.b),
    asks: fromTexts(data.a),
    first: NaN,
    last: data.u,
    previous: data.u - 1,
  };
}

function gateUpdate(text: string): PlainUpdate {
  const { result } = JSON.parse(text) as {
    result: { full?: boolean; U?: number; u: number; s: string; b: Texts; a: Texts };
  };
  return {
    kind: result.full === true ? 'snapshot' : 'delta',
    symbol: result.s.slice('ob.'.length, result.s.lastIndexOf('.')),
    bids: fromTexts(result.b),
    asks: fromTexts(result.a),
    first: result.U ?? NaN,
    last: result.u,
    previous: (result.U ?? NaN) - 1,
  };
}

function bitgetUpdate(text: string): PlainUpdate {
  const { action, arg, data } = JSON.parse(text) as {
    action: string;
    arg: { symbol: string };
    data: [{ a: Texts; b: Texts; pseq: string; seq: string }];
  };
  const [{ a, b, pseq, seq }] = data;
  return {
    kind: action === 'snapshot' ? 'snapshot' : 'delta',
    symbol: arg.symbol,
    bids: fromTexts(b),
    asks: fromTexts(a),
    first: NaN,
    last: Number(seq),
    previous: Number(pseq),
  };
}

function kucoinUpdate(text: string): PlainUpdate {
  const { t, d } = JSON.parse(text) as { t: string; d: { s: string; O: number; C: number; a: Texts; b: Texts } };
  return {
    kind: t === 'snapshot' ? 'snapshot' : 'delta',
    symbol: d.s,
    bids: fromTexts(d.b),
    asks: fromTexts(d.a),
    first: d.O,
    last: d.C,
    previous: d.O - 1,
  };
}

type Actions = readonly (readonly [action: string, price: number, amount: number])[];
const fromActions = (levels: Actions): PlainLevel[] =>
  levels.map(([action, price, amount]) => [price, action === 'delete' ? 0 : amount]);

function deribitUpdate(text: string): PlainUpdate {
  const { channel, data } = (
    JSON.parse(text) as {
      params: {
        channel: string;
        data: { type: string; change_id: number; prev_change_id?: number; bids: Actions; asks: Actions };
      };
    }
  ).params;
  return {
    kind: data.type === 'snapshot' ? 'snapshot' : 'delta',
    symbol: channel.slice('book.'.length, -'.100ms'.length),
    bids: fromActions(data.bids),
    asks: fromActions(data.asks),
    first: NaN,
    last: data.change_id,
    previous: data.prev_change_id ?? NaN,
  };
}
