import type { FeeCurrency } from '#shared/domain/instrument.ts';

/** How a venue treats orders and tells of them: what differs between venues and can break an engine. Simulated here, not spoken: see docs/simulation.md. */
export type Profile = {
  readonly venue: string;
  readonly kinds: readonly ('spot' | 'linear' | 'inverse')[];
  /** An id that comes twice: refused, refused while the first is open, or simply another order. */
  readonly ids: 'unique' | 'unique-while-open' | 'unchecked';
  /** Whether the answer to an order comes before its fills on the private stream. */
  readonly answers: 'before-fills' | 'after-fills' | 'with-fills';
  /** What a fill names. Without our id it can be told only once the answer has said the venue's. */
  readonly fillsName: 'client-id' | 'venue-id';
  /** What the stream missed: told again from a snapshot, or only to be had by asking. */
  readonly stream: 'replays' | 'forgets';
  /** The list of fills comes in pages, the newest first: an early question sees a part. */
  readonly pages: boolean;
  readonly cancelOfFilled: 'not-found' | 'not-open';
  /** Whether an open order can be changed where it stands. */
  readonly replaces: boolean;
  /** An order that has arrived is found by questions only after this long. */
  readonly queryLagMs: number;
  /** How the rest of an immediate order ends. */
  readonly rest: 'canceled' | 'expired';
  /** The stream repeats itself in ordinary operation. */
  readonly repeats: boolean;
  readonly orders: 'rest' | 'socket';
  readonly latencyMs: number;
  /** So long nothing is answered after too many requests. */
  readonly banMs: number;
  readonly fee: string;
  readonly feeCurrency: FeeCurrency;
};

const ORDINARY = {
  ids: 'unique',
  answers: 'before-fills',
  fillsName: 'client-id',
  stream: 'forgets',
  pages: false,
  cancelOfFilled: 'not-open',
  replaces: false,
  queryLagMs: 0,
  rest: 'expired',
  repeats: false,
  orders: 'socket',
  latencyMs: 20,
  banMs: 5_000,
  fee: '0.001',
  feeCurrency: 'received',
} as const;

/** As hotpath/venues speaks with them. Kraken's futures are a venue of their own. */
export const PROFILES: readonly Profile[] = [
  {
    ...ORDINARY,
    venue: 'binance',
    kinds: ['spot', 'linear', 'inverse'],
    ids: 'unique-while-open',
    answers: 'with-fills',
    cancelOfFilled: 'not-found',
    banMs: 120_000,
    latencyMs: 8,
  },
  { ...ORDINARY, venue: 'okx', replaces: true, kinds: ['spot', 'linear', 'inverse'], latencyMs: 12, pages: true },
  {
    ...ORDINARY,
    venue: 'kraken',
    replaces: true,
    kinds: ['spot'],
    ids: 'unique-while-open',
    stream: 'replays',
    repeats: true,
    rest: 'canceled',
    cancelOfFilled: 'not-found',
    feeCurrency: 'quote',
    fee: '0.0016',
    latencyMs: 40,
  },
  {
    ...ORDINARY,
    venue: 'bybit',
    replaces: true,
    kinds: ['spot', 'linear', 'inverse'],
    queryLagMs: 80,
    rest: 'canceled',
    pages: true,
    banMs: 600_000,
  },
  {
    ...ORDINARY,
    venue: 'gate',
    replaces: true,
    kinds: ['spot', 'linear'],
    ids: 'unchecked',
    answers: 'with-fills',
    cancelOfFilled: 'not-found',
    latencyMs: 60,
  },
  {
    ...ORDINARY,
    venue: 'kucoin',
    kinds: ['spot', 'linear'],
    answers: 'after-fills',
    feeCurrency: 'quote',
    queryLagMs: 120,
    rest: 'canceled',
    latencyMs: 70,
  },
  { ...ORDINARY, venue: 'bitget', kinds: ['spot', 'linear'], repeats: true, rest: 'canceled', latencyMs: 50 },
  {
    ...ORDINARY,
    venue: 'mexc',
    kinds: ['spot', 'linear'],
    orders: 'rest',
    feeCurrency: 'quote',
    fee: '0.0005',
    rest: 'canceled',
    queryLagMs: 150,
    latencyMs: 90,
  },
  {
    ...ORDINARY,
    venue: 'htx',
    kinds: ['spot', 'linear'],
    fillsName: 'venue-id',
    cancelOfFilled: 'not-open',
    rest: 'canceled',
    pages: true,
    fee: '0.002',
    latencyMs: 80,
  },
  {
    ...ORDINARY,
    venue: 'bitfinex',
    kinds: ['spot'],
    ids: 'unchecked',
    answers: 'after-fills',
    stream: 'replays',
    repeats: true,
    cancelOfFilled: 'not-found',
    latencyMs: 45,
  },
  {
    ...ORDINARY,
    venue: 'deribit',
    replaces: true,
    kinds: ['linear', 'inverse'],
    ids: 'unchecked',
    answers: 'with-fills',
    rest: 'canceled',
    fee: '0.0005',
    feeCurrency: 'settle',
    latencyMs: 30,
  },
  {
    ...ORDINARY,
    venue: 'krakenfutures',
    kinds: ['linear', 'inverse'],
    ids: 'unique-while-open',
    answers: 'with-fills',
    orders: 'rest',
    stream: 'replays',
    cancelOfFilled: 'not-found',
    fee: '0.0005',
    feeCurrency: 'settle',
    latencyMs: 50,
  },
];
