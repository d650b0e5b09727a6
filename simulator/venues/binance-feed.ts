import { DepthView, flatLevels } from '../depth-view.ts';
import type { FlatLevels } from '../depth-view.ts';
import type { Print } from '../exchange.ts';
import type { Listing } from '../listings.ts';
import type { BookHalf, MatchingEngine } from '../matching-engine.ts';
import { priceText, qtyText } from './binance-metadata.ts';
import type { Client } from './venue-dialect.ts';

/** A public socket; `combined` ones wrap each payload in `{"stream","data"}`. */
export type StreamSocket = { readonly client: Client; readonly combined: boolean; readonly streams: Set<string> };

type StreamKind = 'depth' | 'bookTicker' | 'trade' | 'aggTrade';

const DEPTH_MAX = 5_000;
/** Update ids start here: large enough to look like the venue's, far from where doubles lose integers. */
const FIRST_ID = 90_000_000_000;

/**
 * The public streams of one listing.
 * @see https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#diff-depth-stream
 */
export class BinanceFeed {
  readonly listing: Listing;
  readonly #engine: MatchingEngine;
  readonly #view: DepthView;
  readonly #streams: Readonly<Record<StreamKind, Map<string, Set<StreamSocket>>>> = {
    depth: new Map(),
    bookTicker: new Map(),
    trade: new Map(),
    aggTrade: new Map(),
  };
  /** Last update id that a depth frame has told. */
  #toldId: number;
  /** Ids that other symbols of the market used up: futures number all symbols from one counter. */
  #foreignIds = FIRST_ID;
  readonly #toldTop: [bid: number, bidQty: number, ask: number, askQty: number] = [0, 0, 0, 0];

  constructor(listing: Listing, engine: MatchingEngine) {
    this.listing = listing;
    this.#engine = engine;
    this.#view = new DepthView(engine, DEPTH_MAX);
    this.#view.advance();
    this.#toldId = this.#id();
  }

  /** False when this listing has no such stream (the venue acknowledges it all the same, and stays silent). */
  subscribe(name: string, socket: StreamSocket): boolean {
    const kind = kindOf(name);
    if (kind === undefined) return false;
    if (kind === 'depth' && this.#streams.depth.size === 0) {
      this.#view.advance();
      this.#toldId = this.#id();
    }
    const there = this.#streams[kind].get(name);
    if (there === undefined) this.#streams[kind].set(name, new Set([socket]));
    else there.add(socket);
    return true;
  }

  unsubscribe(name: string, socket: StreamSocket): void {
    const kind = kindOf(name);
    if (kind === undefined) return;
    const there = this.#streams[kind].get(name);
    there?.delete(socket);
    if (there?.size === 0) this.#streams[kind].delete(name);
  }

  /** The REST snapshot. */
  snapshot(limit: number, nowMs: number): Record<string, unknown> {
    // Rule 5 of the futures documentation wants U <= lastUpdateId <= u: true there because the shared counter has moved on meanwhile.
    if (this.listing.perpetual) this.#foreignIds += 1;
    const levels = (half: BookHalf): unknown => pairsOf(this.listing, flatLevels(half, limit));
    const book = { lastUpdateId: this.#id(), bids: levels(this.#engine.bids), asks: levels(this.#engine.asks) };
    if (!this.listing.perpetual) return book;
    return {
      ...book,
      E: nowMs,
      T: nowMs,
      ...(this.listing.inverse ? { symbol: this.listing.venueSymbol, pair: this.#pair() } : {}),
    };
  }

  /** Sends what changed since the last depth frame; `drop` loses the frame but not its ids. */
  flush(nowMs: number, drop: () => boolean): void {
    if (this.#streams.depth.size === 0 || !this.#view.advance()) return;
    const previous = this.#toldId;
    this.#toldId = this.#id();
    if (drop()) return;
    const { venueSymbol, perpetual, inverse } = this.listing;
    const futures = perpetual ? `,"T":${nowMs}` : '';
    const pair = inverse ? `,"ps":"${this.#pair()}"` : '';
    const chain = perpetual ? `,"pu":${previous}` : '';
    this.#send(
      'depth',
      `{"e":"depthUpdate","E":${nowMs}${futures},"s":"${venueSymbol}"${pair},"U":${previous + 1},"u":${this.#toldId}${chain}` +
        `,"b":${levelsText(this.listing, this.#view.bidChanges)},"a":${levelsText(this.listing, this.#view.askChanges)}}`,
    );
  }

  /** Sends the best quote when it moved. */
  quote(nowMs: number): void {
    if (this.#streams.bookTicker.size === 0) return;
    const bid = this.#engine.bids.best();
    const ask = this.#engine.asks.best();
    if (bid === undefined || ask === undefined) return;
    const told = this.#toldTop;
    if (told[0] === bid.price && told[1] === bid.qty && told[2] === ask.price && told[3] === ask.qty) return;
    [told[0], told[1], told[2], told[3]] = [bid.price, bid.qty, ask.price, ask.qty];
    this.#send('bookTicker', this.#quoteText(nowMs, { bid, ask }));
  }

  /** Best quote as REST tells it. */
  ticker(): Record<string, unknown> {
    const [bid, ask] = [this.#engine.bids.best(), this.#engine.asks.best()];
    return {
      symbol: this.listing.venueSymbol,
      bidPrice: priceText(this.listing, bid?.price ?? 0),
      bidQty: qtyText(this.listing, bid?.qty ?? 0),
      askPrice: priceText(this.listing, ask?.price ?? 0),
      askQty: qtyText(this.listing, ask?.qty ?? 0),
    };
  }

  trade({ id, price, lots, taker, timeMs }: Print): void {
    const maker = taker === 'sell';
    const start = `"E":${timeMs},"s":"${this.listing.venueSymbol}"`;
    const end = `"p":"${priceText(this.listing, price)}","q":"${qtyText(this.listing, lots)}","T":${timeMs},"m":${maker}`;
    if (this.#streams.trade.size > 0) this.#send('trade', `{"e":"trade",${start},"t":${id},${end},"M":true}`);
    if (this.#streams.aggTrade.size > 0)
      this.#send('aggTrade', `{"e":"aggTrade",${start},"a":${id},"f":${id},"l":${id},${end}}`);
  }

  #quoteText(
    nowMs: number,
    { bid, ask }: Record<'bid' | 'ask', { readonly price: number; readonly qty: number }>,
  ): string {
    const { listing } = this;
    const head = listing.perpetual ? '"e":"bookTicker",' : '';
    const pair = listing.inverse ? `"ps":"${this.#pair()}",` : '';
    const times = listing.perpetual ? `,"T":${nowMs},"E":${nowMs}` : '';
    return (
      `{${head}"u":${this.#id()},"s":"${listing.venueSymbol}",${pair}"b":"${priceText(listing, bid.price)}","B":"${qtyText(listing, bid.qty)}",` +
      `"a":"${priceText(listing, ask.price)}","A":"${qtyText(listing, ask.qty)}"${times}}`
    );
  }

  #id(): number {
    return this.#foreignIds + this.#engine.changes;
  }

  #pair(): string {
    return `${this.listing.base}${this.listing.quote}`;
  }

  /** One text for all raw sockets, one for the combined sockets of each stream name. */
  #send(kind: StreamKind, frame: string): void {
    for (const [name, sockets] of this.#streams[kind]) {
      let wrapped: string | undefined;
      for (const socket of sockets)
        socket.client.send(socket.combined ? (wrapped ??= `{"stream":"${name}","data":${frame}}`) : frame);
    }
  }
}

/** `btcusdt@depth@100ms` → depth. Partial-depth and ticker streams are not simulated. */
function kindOf(name: string): StreamKind | undefined {
  const kind = name.slice(name.indexOf('@') + 1);
  if (kind === 'bookTicker' || kind === 'trade' || kind === 'aggTrade') return kind;
  return /^depth(@(0|100|250|500|1000)ms)?$/.test(kind) ? 'depth' : undefined;
}

function levelsText(listing: Listing, flat: FlatLevels): string {
  let text = '[';
  for (let at = 0; at < flat.length; at += 2)
    text += `${at === 0 ? '' : ','}["${priceText(listing, flat[at]!)}","${qtyText(listing, flat[at + 1]!)}"]`;
  return `${text}]`;
}

function pairsOf(listing: Listing, flat: FlatLevels): readonly (readonly [string, string])[] {
  const pairs: [string, string][] = [];
  for (let at = 0; at < flat.length; at += 2)
    pairs.push([priceText(listing, flat[at]!), qtyText(listing, flat[at + 1]!)]);
  return pairs;
}
