import type { Decimal } from 'decimal.js';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { RejectReason, TimeInForce } from '#shared/domain/order.ts';
import type { Side } from '#shared/domain/route.ts';
import type { Compression } from '../runtime/inflate.ts';

/**
 * One account of a venue as its API sees it: the endpoints under which one key trades some of the venue's markets. Data and pure functions, as all of a
 * venue: what to send, and what an answer means. Sockets, retries, limits and time are the engine's.
 */
export type Account = {
  /** Unique within the venue: `spot`, `usdm`, `unified`. */
  readonly id: string;
  /** Ids of the markets that it trades. */
  readonly markets: readonly string[];
  readonly restUrl: string;
  /** Our id in the form that the venue takes; the same every time. Where it takes numbers only, two of ours must not meet within a day. */
  readonly clientOrderId: (id: ClientOrderId) => string;
  /** Why this order cannot be sent here exactly as asked (time in force, post-only, type); undefined when it can. Never approximated. */
  readonly refuses: (order: OrderTicket) => string | undefined;
  readonly limits: AccountLimits;
  /** Asked once before anything else: what later requests must name (an account number, a user id). Answers are merged into `context.facts`. */
  readonly prepare?: (context: AccountContext) => readonly Call<Readonly<Record<string, string>>>[];
  readonly rest: AccountRest;
  readonly sockets: readonly AccountSocket[];
  readonly deadMan: DeadMan;
};

export type Credentials = {
  readonly apiKey: string;
  readonly secret: string;
  /** OKX, KuCoin. */
  readonly passphrase?: string;
};

/** What a request is made from beside its own arguments. Nothing else may enter: the same context makes the same bytes. */
export type AccountContext = {
  readonly credentials: Credentials;
  /** Unix milliseconds by our estimate of the venue's clock. */
  readonly nowMs: number;
  /** Greater than any before for this key: microseconds since 1970 at least. */
  readonly nonce: number;
  readonly facts: Readonly<Record<string, string>>;
  /** For derivatives. */
  readonly marginMode: 'cross' | 'isolated';
  readonly leverage: number;
};

/** An order to be sent. Numbers are decimal text on the instrument's grid, in the venue's unit. */
export type OrderTicket = {
  readonly clientOrderId: ClientOrderId;
  readonly instrument: Instrument;
  readonly side: Side;
  readonly type: 'limit' | 'market';
  /** Limit price; for a market order the worst price, which only some venues take. */
  readonly price: string;
  readonly qty: string;
  readonly timeInForce: TimeInForce;
  readonly postOnly: boolean;
  readonly reduceOnly: boolean;
};

/** An order to be asked about or cancelled. */
export type OrderRef = {
  readonly clientOrderId: ClientOrderId;
  readonly instrument: Instrument;
  readonly side: Side;
  /** Undefined while unknown. */
  readonly venueOrderId: string | undefined;
  /** When it was sent, Unix milliseconds: some venues look a day up. */
  readonly sentMs: number;
};

/** What an open order is to be, in decimal text on the instrument's grid. `qty` is the whole of it, with what has filled. */
export type Amendment = {
  readonly price: string;
  readonly qty: string;
  /** As the order was sent: where a change must say it again. */
  readonly postOnly: boolean;
};

/** One REST request, signed, and how its answer reads. */
export type Call<T> = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With its query; relative to the account's `restUrl`, or a whole URL where another host answers. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly weight: Weight;
  /** Never throws for what a venue may answer; a body that is not the venue's is `refused` with `in-doubt`. */
  readonly read: (reply: Reply) => Answer<T>;
};

export type Reply = {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
};

export type Answer<T> =
  | {
      readonly kind: 'ok';
      readonly value: T;
      /** The next page of a list, made when it is asked for: signatures age. */
      readonly more?: (context: AccountContext) => Call<T>;
    }
  | (Refusal & {
      /** After `not-found`: where else it may stand (a list of ended orders). It is not settled before this has been asked. */
      readonly elsewhere?: (context: AccountContext) => Call<T>;
    });

/** The venue's no. `code` as sent (a number as text, a label, or the HTTP status), `text` its words. */
export type Refusal = {
  readonly kind: 'refused';
  readonly meaning: Meaning;
  readonly code: string;
  readonly text: string;
};

/**
 * What a refusal means to us. A `RejectReason` is definite: nothing was done. `unlisted`: a code that our table does not have, an alarm, and never
 * taken for definite. `not-found`: no such order. `not-open`: too late to cancel. `in-doubt`: what was asked may have been done (5xx, timeouts at the venue).
 */
export type Meaning = RejectReason | 'not-found' | 'not-open' | 'in-doubt';

/** Units of each named bucket that a request uses. */
export type Weight = Readonly<Record<string, number>>;

export type AccountLimits = {
  /** So many units in any window of so many milliseconds. A trade bucket counts orders, another IP weight: as the venue documents. */
  readonly buckets: Readonly<Record<string, { readonly units: number; readonly windowMs: number }>>;
  /** What the venue says is used of a bucket in its present window, from response headers in lower case. */
  readonly used?: (headers: Readonly<Record<string, string>>) => Weight;
  /** REST requests of one key must arrive in the order of their nonces: they go one at a time. */
  readonly serial?: true;
};

export type AccountRest = {
  readonly place: (order: OrderTicket, context: AccountContext) => Call<Placed>;
  readonly cancel: (order: OrderRef, context: AccountContext) => Call<unknown>;
  /**
   * Changes an open order where it stands, its ids kept; absent where the venue cannot. The answer has the order as it stands then, where the venue says it:
   * one that only says that it was asked has none.
   */
  readonly amend?: (order: OrderRef, to: Amendment, context: AccountContext) => Call<OrderState | undefined>;
  /** Everything open in these instruments, which share a market: as few calls as the venue needs, and nothing of other instruments where it allows. */
  readonly cancelAll: (instruments: readonly Instrument[], context: AccountContext) => readonly Call<unknown>[];
  /** By client order id, or by the venue's where `order` has it and the venue wants it. `refused` with `not-found` when there is none. */
  readonly query: (order: OrderRef, context: AccountContext) => Call<OrderState>;
  readonly openOrders: (
    instruments: readonly Instrument[],
    context: AccountContext,
  ) => readonly Call<readonly OrderState[]>[];
  readonly fillsSince: (
    instruments: readonly Instrument[],
    sinceMs: number,
    context: AccountContext,
  ) => readonly Call<readonly VenueFill[]>[];
  /** Fills of one order, where the venue can tell them apart; else `fillsSince` is used. */
  readonly fillsOf?: (order: OrderRef, context: AccountContext) => Call<readonly VenueFill[]>;
  readonly balances: (context: AccountContext) => Call<readonly BalanceState[]>;
  readonly positions?: (context: AccountContext) => Call<readonly PositionState[]>;
  /** This account's fees. */
  readonly fees: (instruments: readonly Instrument[], context: AccountContext) => readonly Call<readonly FeeState[]>[];
  /** What the key may do; absent where the venue does not say. */
  readonly permissions?: (context: AccountContext) => Call<KeyPermissions>;
  /** The venue's clock, unsigned, Unix milliseconds. */
  readonly time?: Call<number>;
};

/** The venue took the order. */
export type Placed = {
  readonly venueOrderId: string;
  /** Where the answer says how it stands, and what filled. */
  readonly order?: OrderState;
  readonly fills?: readonly VenueFill[];
};

export type OrderState = {
  readonly venueSymbol: string;
  /** Where markets of one account spell their symbols alike: which of them. */
  readonly market?: string;
  /** As the venue writes it; empty where it has none. */
  readonly clientOrderId: string;
  readonly venueOrderId: string;
  readonly side: Side;
  /** `expired`: ended by its own terms (an IOC's rest, a FOK that could not fill, a post-only that would take); `canceled`: because somebody asked. */
  readonly status: 'open' | 'filled' | 'canceled' | 'expired' | 'rejected';
  /** Undefined for a market order that names none. */
  readonly price?: Decimal;
  readonly qty: Decimal;
  readonly filled: Decimal;
  /** Unix milliseconds of the last change; NaN where the venue does not say. */
  readonly timeMs: number;
  /** Why it was rejected. */
  readonly reason?: Meaning;
};

export type VenueFill = {
  readonly venueSymbol: string;
  /** As an order's. */
  readonly market?: string;
  /** Empty where the venue does not repeat it. */
  readonly clientOrderId: string;
  readonly venueOrderId: string;
  readonly tradeId: string;
  readonly side: Side;
  readonly price: Decimal;
  readonly qty: Decimal;
  /** Positive: paid. */
  readonly fee: Decimal;
  /** In ccxt's spelling; empty where the venue does not say: then the instrument's rule holds. */
  readonly feeAsset: string;
  readonly liquidity: 'maker' | 'taker';
  readonly timeMs: number;
  /** The venue has reduced a position by itself: to cover another trader's losses, or for want of margin. Of no order of ours. */
  readonly forced?: 'adl' | 'liquidation';
};

export type BalanceState = { readonly asset: string; readonly total: Decimal; readonly available: Decimal };

export type PositionState = {
  readonly venueSymbol: string;
  /** Negative when short; in the venue's unit. */
  readonly qty: Decimal;
  readonly entryPrice: Decimal;
  readonly markPrice?: Decimal;
  readonly liquidationPrice?: Decimal;
  readonly leverage?: Decimal;
  /** Where it stands among those that the venue reduces first to cover others' losses: 0 (last) to 1. */
  readonly adlRank?: number;
};

export type FeeState = {
  /** Absent: for every instrument of the market. */
  readonly venueSymbol?: string;
  readonly market: string;
  /** Fractions; negative is a rebate. */
  readonly maker: Decimal;
  readonly taker: Decimal;
};

export type KeyPermissions = {
  readonly trade: boolean;
  /** A key that may withdraw is refused by the engine. Undefined: the venue does not say. */
  readonly withdraw: boolean | undefined;
};

/** A private socket: our orders go out on it, or their fate comes in, or both. */
export type AccountSocket = {
  readonly id: string;
  readonly carries: readonly ('events' | 'orders')[];
  readonly wsUrl: string;
  /** Whatever must be asked by REST before the socket may open: a listen key, a token. */
  readonly pass?: {
    readonly ask: (context: AccountContext) => Call<string>;
    /** Keeps it alive. */
    readonly renew?: {
      readonly everyMs: number;
      readonly call: (context: AccountContext, pass: string) => Call<unknown>;
    };
  };
  /** Added to `wsUrl`, or a whole URL where the pass names one. */
  readonly path?: (context: AccountContext, pass: string) => string;
  readonly compression?: Compression;
  /** Frames sent as soon as the socket opens. With none, and nothing to `prove`, the socket is ready at once, otherwise when `decode` says `ready`. */
  readonly login: (context: AccountContext, pass: string) => readonly string[];
  /** The frames that answer a `challenge`. */
  readonly prove?: (challenge: string, context: AccountContext) => readonly string[];
  /** Frames sent once it is ready. */
  readonly subscribe: (instruments: readonly Instrument[], context: AccountContext, pass: string) => readonly string[];
  /** Present where `carries` has orders. `request` is a short number as text, which the answer names. */
  readonly orders?: {
    readonly weight: Weight;
    readonly place: (order: OrderTicket, context: AccountContext, request: string, pass: string) => string;
    readonly cancel: (order: OrderRef, context: AccountContext, request: string, pass: string) => string;
  };
  readonly heartbeat: AccountHeartbeat;
  /** No frame at all for this long: the socket is dead. */
  readonly idleMs: number;
  /** Reads one frame, unpacked. Frames it does not know are nothing. @throws BadInput when a frame of a known kind is malformed. */
  readonly decode: (frame: Uint8Array) => readonly AccountEvent[];
};

export type AccountHeartbeat =
  /** The other side pings by protocol, or not at all. */
  | { readonly kind: 'none' }
  | { readonly kind: 'client-protocol-ping'; readonly everyMs: number }
  | { readonly kind: 'client-text'; readonly text: (nowMs: number) => string; readonly everyMs: number };

/** What a private frame said. */
export type AccountEvent =
  | { readonly kind: 'order'; readonly order: OrderState }
  /** An order's end, of venues that then name the order and little else; found by either id. */
  | {
      readonly kind: 'ended';
      readonly venueOrderId: string;
      /** Empty where the venue does not repeat it. */
      readonly clientOrderId: string;
      readonly status: Exclude<OrderState['status'], 'open'>;
      /** Undefined where the frame does not say: the fills do. */
      readonly filled?: Decimal;
      readonly timeMs: number;
      readonly reason?: Meaning;
    }
  | { readonly kind: 'fill'; readonly fill: VenueFill }
  | { readonly kind: 'balance'; readonly balance: BalanceState }
  | { readonly kind: 'position'; readonly position: PositionState }
  /** To an order or a cancel sent over a socket; found by request, or (venues that do not repeat it) by client order id as the venue writes it. */
  | {
      readonly kind: 'answer';
      readonly request?: string;
      readonly clientOrderId?: string;
      readonly to: 'place' | 'cancel' | 'unsaid';
      readonly answer: Answer<Placed>;
    }
  /** Logged in. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'challenge'; readonly text: string }
  /** To be sent back as it stands. */
  | { readonly kind: 'ping'; readonly reply: string }
  | { readonly kind: 'pong' }
  /** The socket or its pass ends: open a new one. */
  | { readonly kind: 'over'; readonly text: string }
  | { readonly kind: 'error'; readonly refusal: Refusal };

/** What ends our open orders when we fall silent. */
export type DeadMan =
  | {
      readonly kind: 'timer';
      /** The least and the most that the venue takes. */
      readonly minMs: number;
      readonly maxMs: number;
      /** Arms it, or arms it again. `timeoutMs` 0 disarms. */
      readonly arm: (
        timeoutMs: number,
        instruments: readonly Instrument[],
        context: AccountContext,
      ) => readonly Call<unknown>[];
    }
  /** The venue cancels when the private socket is lost: asked for in `login` or `subscribe`, or by `arm` first. */
  | { readonly kind: 'disconnect'; readonly arm?: (context: AccountContext) => readonly Call<unknown>[] }
  | { readonly kind: 'none'; readonly why: string };
