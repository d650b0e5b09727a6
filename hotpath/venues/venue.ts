import type { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import type { Asset, InstrumentId, InstrumentIndex, VenueId } from '#shared/domain/ids.ts';
import type { Fees, Instrument } from '#shared/domain/instrument.ts';
import type { MarketUpdate, ReferenceUpdate, TradePrint } from '#shared/domain/market-event.ts';
import type { Frame } from '../runtime/frame.ts';
import type { Compression } from '../runtime/inflate.ts';
import type { Account } from './venue-account.ts';

export type { Frame };
export { END, keyCode, roomFor } from '../runtime/frame.ts';
export { FOUND_NUMBERS } from '../runtime/frame-memory.ts';
export { shapeOf } from '../runtime/frame-shape.ts';
export { unpackerOf } from '../runtime/inflate.ts';

/**
 * A venue is a value: data and pure functions, one file. The engine owns sockets, books, clocks and money; a venue only says what
 * its bytes mean and what bytes to send.
 */
export type Venue = {
  readonly id: VenueId;
  /** The venue's segments, each with its own socket, endpoints and continuity rule: spot, usdm, coinm, swap. */
  readonly markets: readonly Market[];
  /** Older protocols of the venue that recordings still speak: replayed, never connected to. */
  readonly recorded?: readonly Market[];
  /** How one trades there; none where a venue is only watched. A market belongs to one account at most. */
  readonly accounts?: readonly Account[];
};

export type Market = {
  readonly id: string;
  /** Base URLs; configuration may lead them through another address (`venues.<id>.via`), which is how the simulator is reached. */
  readonly wsUrl: string;
  readonly restUrl: string;
  /** Further host names under which the market's sockets are or were reached: recordings name them. */
  readonly hosts?: readonly string[];
  /** Absent where frames are text as they come. `decode` always sees text. */
  readonly compression?: Compression;
  /** Lowest-tier fees: used until the account endpoint has answered. */
  readonly defaultFees: Fees;
  readonly instruments: {
    /** GET, relative to restUrl. More than one where the venue splits the list. */
    readonly paths: readonly string[];
    /** @throws BadInput on a body that is not the venue's. Instruments it cannot express are left out. */
    readonly parse: (bodies: readonly string[], fees: Fees) => readonly Instrument[];
  };
  /** Text frames sent once a socket, before the first subscription. */
  readonly greeting?: readonly string[];
  /** Text frames that subscribe to book and, where it is separate, best quote; already batched to the venue's limits. */
  readonly subscribe: (venueSymbols: readonly string[], request: number) => readonly string[];
  /** Absent where only a new socket brings a new snapshot: whatever breaks a book then ends its socket. */
  readonly unsubscribe?: (venueSymbols: readonly string[], request: number) => readonly string[];
  readonly limits: {
    readonly symbolsPerSocket: number;
    /** Client messages a second a socket. */
    readonly messagesPerSecond: number;
  };
  readonly heartbeat:
    | { readonly kind: 'server-protocol-ping' }
    | { readonly kind: 'client-protocol-ping'; readonly everyMs: number }
    | { readonly kind: 'client-text'; readonly text: string; readonly everyMs: number }
    /** The venue pings in its own words (`sink.control('ping', frame)`) and hangs up unless the frame is answered. */
    | { readonly kind: 'server-text'; readonly reply: (ping: string) => string };
  /** No frame at all for this long: the socket is dead, reconnect. */
  readonly idleMs: number;
  /** A subscription without a live book after this long is made again (venues ack unknown symbols and stay silent). */
  readonly firstBookWithinMs: number;
  readonly book: BookRules;
  /** Channels beside the books: on sockets of their own, so that their volume never delays a book. Read by the same `decode`. */
  readonly streams?: StreamRules;
  /** Where not all of them stand at one URL: the rest, in the same form. A kind may stand in more than one. */
  readonly moreStreams?: readonly StreamRules[];
  /**
   * The whole book by REST, for when no socket can be kept: shown, never traded on. Absent where `book.snapshot` is from REST already: that one serves.
   */
  readonly poll?: {
    /** GET, relative to restUrl. */
    readonly path: (venueSymbol: string) => string;
    /** As a REST snapshot's. @throws BadInput */
    readonly decode: (frame: Frame, sink: MarketSink, instrument: InstrumentIndex) => void;
  };
  /**
   * Reads one frame of the public socket into `sink.update` and publishes it; unknown frames publish nothing. May be called with foreign
   * bytes. @throws BadInput when a frame of a known channel is malformed: the frame is counted, its book distrusted, the channel resubscribed.
   */
  readonly decode: (frame: Frame, sink: MarketSink) => void;
};

/** Where channels beside the books stand, and how one asks for them. */
export type StreamRules = {
  /** What the venue has here. */
  readonly kinds: readonly StreamKind[];
  /** Where it is not the books' URL. */
  readonly wsUrl?: string;
  readonly symbolsPerSocket: number;
  readonly subscribe: (
    kinds: readonly StreamKind[],
    venueSymbols: readonly string[],
    request: number,
  ) => readonly string[];
};

/** `trades`: the public tape. `reference`: mark and index price, funding, option volatilities and Greeks. */
export type StreamKind = 'trades' | 'reference';

/** How a book of this market starts and continues. */
export type BookRules = {
  /**
   * Where the first state comes from. `rest` and `request`: deltas are held until the snapshot's answer is applied; `request` asks over the
   * same socket, and `decode` publishes the answer like any other frame.
   */
  readonly snapshot:
    /** `holds`: deltas may come before the pushed snapshot, and are held for it. */
    | { readonly from: 'push'; readonly holds?: true }
    | { readonly from: 'request'; readonly text: (venueSymbol: string, request: number) => string }
    | {
        readonly from: 'rest';
        /** GET, relative to restUrl. */
        readonly path: (venueSymbol: string) => string;
        /** Reads the body into `sink.update` as SNAPSHOT for `instrument` and publishes it. @throws BadInput */
        readonly decode: (frame: Frame, sink: MarketSink, instrument: InstrumentIndex) => void;
      };
  /**
   * The venue's continuity rule, as numbered in its documentation (cite it in the venue file).
   * `opening` is true for the first delta after a snapshot.
   */
  readonly follows: (
    state: { readonly lastSequence: number; readonly opening: boolean },
    update: MarketUpdate,
  ) => Continuity;
  /** Levels kept a side after each frame; Infinity keeps all. A number where the venue truncates to the subscribed depth. */
  readonly depth: number;
  /**
   * Present where frames carry a checksum: what the venue would have sent for this book, as a signed integer of 32 bits (others are boxed) or NaN,
   * compared when `update.checksum` is not NaN.
   */
  readonly checksum?: (book: ChecksumView) => number;
};

export type Continuity = 'apply' | 'drop' | 'gap';

/** What a checksum needs of a book. */
export type ChecksumView = {
  /** Writes up to `prices.length` levels, best first; returns how many. */
  readonly bids: (prices: Float64Array, qtys: Float64Array) => number;
  readonly asks: (prices: Float64Array, qtys: Float64Array) => number;
  /** Decimals the venue writes, learnt from the frames of this book. */
  readonly priceDecimals: number;
  readonly qtyDecimals: number;
};

/** Where `decode` puts what it read. Owned by the engine; one for the whole run. */
export type MarketSink = {
  readonly update: MarketUpdate;
  /** The registered instrument whose venue symbol stands in the frame's bytes [start, end); -1 when we do not follow it. */
  readonly find: (frame: Frame, start: number, end: number) => InstrumentIndex | -1;
  /** Hands `update` on. The decoder must have set every field of it. */
  readonly publish: () => void;
  /** A trade of the tape, and what hands it on; every field set, `receivedTimeNs` by the engine. */
  readonly print: TradePrint;
  readonly publishPrint: () => void;
  /** Mark, index, funding, Greeks. `clearReference` makes every number NaN; the decoder then sets what the frame says. */
  readonly reference: ReferenceUpdate;
  readonly clearReference: () => void;
  readonly publishReference: () => void;
  /** A control frame. */
  readonly control: (kind: Control, text: string) => void;
  /** What this socket said earlier that its frames need to be understood. */
  readonly connection: ConnectionMemory;
};

/**
 * `notice`: the venue wants us to reconnect. `ping`: to be answered as the market's heartbeat says. `lost`: frames of this socket did not arrive,
 * nobody knows of which book; said before anything of the present frame is published.
 */
export type Control = 'ack' | 'pong' | 'error' | 'notice' | 'ping' | 'lost';

/** One socket's memory: channel numbers and a count of frames, where a venue has them. Empty when the socket opens. */
export type ConnectionMemory = {
  /** Of the last frame, where the venue counts a socket's frames; NaN before the first. */
  sequence: number;
  /** From now on `channel` means `instrument`, or nothing that we follow. @throws BadInput beyond any plausible number of channels */
  readonly learn: (channel: number, instrument: InstrumentIndex | -1) => void;
  /** Undefined for a channel that was not announced. */
  readonly instrumentOf: (channel: number) => InstrumentIndex | -1 | undefined;
  /** Keeps a copy of a frame whose channel was not announced yet; false when there is no room. */
  readonly hold: (channel: number, frame: Frame) => boolean;
  /** The frames held for a channel, in their order; they are held no more. */
  readonly release: (channel: number) => readonly Uint8Array[];
};

/** Makes branded ids where text enters. */
export const venueId = (text: string): VenueId => text as VenueId;
export const asset = (text: string): Asset => text as Asset;

/** `venue:symbol`. */
export const idOf = (venue: VenueId, symbol: string): InstrumentId => `${venue}:${symbol}` as InstrumentId;

/** Text to compare with a frame's bytes; made once, at module load. */
export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A list in parts of at most `size`, as venues limit what one request may ask for. */
export function batchesOf<T>(list: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, at) => list.slice(at * size, (at + 1) * size));
}

/** Reads a REST body by its schema. @throws BadInput naming what it should have been. */
export function bodyFrom<T>(schema: z.ZodType<T>, body: string, what: string): T {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    throw new BadInput(`${what}: not JSON: ${body.slice(0, 80)}`);
  }
  const result = schema.safeParse(parsed);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new BadInput(`${what}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}: ${body.slice(0, 80)}`);
}

/** How a perpetual pays funding, `paidMs` being one of its times; nothing where the venue says no interval. */
export function fundingFrom(intervalMs: number | undefined, paidMs?: number): Pick<Instrument, 'funding'> {
  if (intervalMs === undefined || !(intervalMs > 0)) return {};
  return { funding: { intervalMs, ...(paidMs !== undefined && paidMs > 0 ? { paidMs } : {}) } };
}

/** An expiry with its day as unified symbols write it: `261225`. Undefined without one. */
export function expiryOf(ms: number | undefined): { readonly ms: number; readonly day: string } | undefined {
  if (ms === undefined || !Number.isSafeInteger(ms) || ms <= 0 || ms > 8e15) return undefined;
  return { ms, day: new Date(ms).toISOString().slice(2, 10).replaceAll('-', '') };
}
