import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '#shared/clock/clock.ts';
import type { Account } from '../accounts.ts';
import type { Exchange } from '../exchange.ts';
import type { FaultBoard } from '../faults.ts';
import type { ListingSpec } from '../listings.ts';

/** The far end of a socket, real or in process. */
export type Client = {
  readonly send: (data: string | Uint8Array) => void;
  readonly close: (code: number, reason: string) => void;
};

/** Our end of it. */
export type Connection = {
  /** Whose faults hit it: a disconnect of any of these markets closes it. */
  readonly markets: readonly string[];
  readonly message: (text: string) => void;
  readonly closed: () => void;
};

export type HttpRequest = {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** Names in lower case by the time a dialect reads them. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
};

export type HttpReply = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The answer leaves this much later; Infinity: it is lost, though what was asked has been done. */
  readonly delayMs: number;
};

/**
 * One simulated venue: `export const simulated` of a file in this folder, which is found by its place. Everything that is the venue's own stands there:
 * what it lists and at which fees, where its hosts are, how it talks.
 */
export type SimulatedVenue = {
  readonly venue: string;
  /**
   * Its real hosts (with the port where its URLs carry one) and the path prefix under which the dialect sees them: `{'fapi.binance.com': '/usdm'}`; `''`
   * where hosts need not be told apart. A client is moved to the simulator by putting the simulator's address before the host.
   */
  readonly hosts: Readonly<Record<string, string>>;
  readonly listings: readonly ListingSpec[];
  readonly dialect: (options: DialectOptions) => VenueDialect;
};

/** How one venue talks: its endpoints, envelopes, signatures, sequence numbers and error codes over the common exchange. */
export type VenueDialect = {
  readonly venue: string;
  /** Opens a WebSocket on a path below the venue's prefix; undefined when the venue has none there. */
  readonly connect: (path: string, client: Client) => Connection | undefined;
  readonly request: (request: HttpRequest) => HttpReply;
  /** Which market a REST path belongs to: faults may be limited to one. */
  readonly marketOf: (path: string) => string;
  /** The venue's own answer when it is overrun or down. */
  readonly failure: (kind: 'rate-limited' | 'server-error') => string;
  /** Sends what is due on the clock: batched book frames, heartbeats. Called every few milliseconds. */
  readonly step: () => void;
};

export type DialectOptions = {
  readonly exchange: Exchange;
  readonly clock: Clock;
  readonly faults: FaultBoard;
  /** How often batched channels are sent; the venues' own 100 ms unless a load test wants more frames. */
  readonly batchMs: number;
};

export const jsonReply = (
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): HttpReply => ({
  status,
  headers: { 'content-type': 'application/json;charset=UTF-8', ...headers },
  body: JSON.stringify(value),
  delayMs: 0,
});

/** Sends an order's answer when the ordered faults let it go. */
export function deliver({ exchange, clock, faults }: DialectOptions, market: string, send: () => void): void {
  const delayMs = faults.ackDelayMs(exchange.venue, market);
  if (delayMs === 0) send();
  else if (delayMs !== Infinity) clock.after(delayMs, send);
}

export const splitPath = (path: string): { readonly route: string; readonly query: string } => {
  const at = path.indexOf('?');
  return at < 0 ? { route: path, query: '' } : { route: path.slice(0, at), query: path.slice(at + 1) };
};

/** The fields of a query or form body; a repeated name keeps its last value. */
export const fieldsOf = (text: string): Map<string, string> => new Map(new URLSearchParams(text));

/** A JSON object of strings, numbers and booleans as text fields; undefined when it is something else. */
export function fieldsOfJson(value: unknown): Map<string, string> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return new Map(
    Object.entries(value).flatMap(([key, field]: [string, unknown]) =>
      typeof field === 'string' || typeof field === 'number' || typeof field === 'boolean'
        ? [[key, String(field)]]
        : [],
    ),
  );
}

/** The object of a JSON text; undefined for anything else. */
export function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as unknown[]) : []);
export const textsOf = (value: unknown): readonly string[] => listOf(value).filter((item) => typeof item === 'string');

export const hmacSha256 = (secret: string, text: string, encoding: 'hex' | 'base64'): string =>
  createHmac('sha256', secret).update(text).digest(encoding);

/** Kraken's: HMAC-SHA512 with the decoded secret over path + SHA256(nonce + body). */
export const krakenSignature = (secret: string, path: string, noncedBody: string): string =>
  createHmac('sha512', Buffer.from(secret, 'base64'))
    .update(Buffer.concat([Buffer.from(path), createHash('sha256').update(noncedBody).digest()]))
    .digest('base64');

export function sameText(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Counts units per key in fixed windows, as venues do; keys of past windows are forgotten. */
export class RateWindow {
  readonly #windowMs: number;
  #window = -1;
  readonly #used = new Map<string, number>();

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** Counts, and returns what the key has used in this window. */
  take(key: string, units: number, nowMs: number): number {
    const window = Math.floor(nowMs / this.#windowMs);
    if (window !== this.#window) {
      this.#window = window;
      this.#used.clear();
    }
    const used = (this.#used.get(key) ?? 0) + units;
    this.#used.set(key, used);
    return used;
  }

  secondsLeft(nowMs: number): number {
    return Math.ceil(((this.#window + 1) * this.#windowMs - nowMs) / 1_000);
  }
}

/** Sockets of one private stream, by account. */
export class PrivateAudience<Socket> {
  readonly #sockets = new Map<Account, Set<Socket>>();

  join(account: Account, socket: Socket): void {
    const there = this.#sockets.get(account);
    if (there === undefined) this.#sockets.set(account, new Set([socket]));
    else there.add(socket);
  }

  leave(socket: Socket): void {
    for (const sockets of this.#sockets.values()) sockets.delete(socket);
  }

  of(account: Account): Iterable<Socket> {
    return this.#sockets.get(account) ?? [];
  }
}
