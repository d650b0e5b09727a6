import { crc32 } from 'node:zlib';
import { DepthView } from '../depth-view.ts';
import type { FlatLevels } from '../depth-view.ts';
import type { Print } from '../exchange.ts';
import { fixedText } from '../grid-text.ts';
import type { Listing } from '../listings.ts';
import type { MatchingEngine } from '../matching-engine.ts';

export type KrakenReceiver = { readonly send: (text: string) => void };

/** What a fault does to the next frame of a book. */
export type FrameFate = 'sent' | 'dropped' | 'spoilt';

const RECENT_TRADES_MAX = 50;
const CHECKSUM_LEVELS = 10;

/**
 * The public v2 channels of one pair. Books have no sequence: each frame carries the CRC32 of its ten best levels a side.
 * @see https://docs.kraken.com/api/docs/guides/spot-ws-book-v2
 */
export class KrakenFeed {
  readonly listing: Listing;
  readonly #engine: MatchingEngine;
  /** One view of the book for each depth that somebody follows. */
  readonly #books = new Map<number, { readonly view: DepthView; readonly receivers: Set<KrakenReceiver> }>();
  readonly #trades = new Set<KrakenReceiver>();
  readonly #tickers = new Set<KrakenReceiver>();
  readonly #recent: string[] = [];
  #toldTop = '';
  #last = 0;
  #volume = 0;

  constructor(listing: Listing, engine: MatchingEngine) {
    this.listing = listing;
    this.#engine = engine;
  }

  /** Starts with a snapshot, after everybody else of that depth has been brought up to date. */
  subscribeBook(depth: number, receiver: KrakenReceiver, nowMs: number): void {
    this.flush(nowMs, () => 'sent');
    const book = this.#books.get(depth) ?? {
      view: new DepthView(this.#engine, depth),
      receivers: new Set<KrakenReceiver>(),
    };
    this.#books.set(depth, book);
    book.view.advance();
    const { bids, asks } = book.view;
    receiver.send(this.#bookFrame(nowMs, { type: 'snapshot', bids, asks, checksum: checksumOf(book.view) }));
    book.receivers.add(receiver);
  }

  unsubscribeBook(depth: number, receiver: KrakenReceiver): void {
    const book = this.#books.get(depth);
    book?.receivers.delete(receiver);
    if (book?.receivers.size === 0) this.#books.delete(depth);
  }

  subscribeTrades(receiver: KrakenReceiver): void {
    receiver.send(`{"channel":"trade","type":"snapshot","data":[${this.#recent.join(',')}]}`);
    this.#trades.add(receiver);
  }

  subscribeTicker(receiver: KrakenReceiver): void {
    receiver.send(this.#tickerFrame('snapshot'));
    this.#tickers.add(receiver);
  }

  unsubscribe(channel: 'trade' | 'ticker', receiver: KrakenReceiver): void {
    (channel === 'trade' ? this.#trades : this.#tickers).delete(receiver);
  }

  /** Sends each followed depth what changed in it. */
  flush(nowMs: number, fate: () => FrameFate): void {
    for (const { view, receivers } of this.#books.values()) {
      if (!view.advance()) continue;
      const next = fate();
      if (next === 'dropped') continue;
      const checksum = (checksumOf(view) ^ (next === 'spoilt' ? 1 : 0)) >>> 0;
      const frame = this.#bookFrame(nowMs, {
        type: 'update',
        bids: view.bidChanges,
        asks: view.askChanges,
        checksum,
      });
      for (const receiver of receivers) receiver.send(frame);
    }
  }

  quote(): void {
    if (this.#tickers.size === 0) return;
    const [bid, ask] = [this.#engine.bids.best(), this.#engine.asks.best()];
    const top = `${bid?.price ?? 0} ${bid?.qty ?? 0} ${ask?.price ?? 0} ${ask?.qty ?? 0}`;
    if (top === this.#toldTop) return;
    this.#toldTop = top;
    const frame = this.#tickerFrame('update');
    for (const receiver of this.#tickers) receiver.send(frame);
  }

  trade({ id, price, lots, taker, timeMs }: Print): void {
    const { symbol } = this.listing;
    const row =
      `{"symbol":"${symbol}","side":"${taker}","price":${this.#price(price)},"qty":${this.#qty(lots)},` +
      `"ord_type":"market","trade_id":${id},"timestamp":"${isoText(timeMs)}"}`;
    this.#last = price;
    this.#volume += lots;
    this.#recent.push(row);
    if (this.#recent.length > RECENT_TRADES_MAX) this.#recent.shift();
    for (const receiver of this.#trades) receiver.send(`{"channel":"trade","type":"update","data":[${row}]}`);
  }

  #bookFrame(nowMs: number, { type, bids, asks, checksum }: BookNews): string {
    return (
      `{"channel":"book","type":"${type}","data":[{"symbol":"${this.listing.symbol}","bids":${this.#levels(bids)},` +
      `"asks":${this.#levels(asks)},"checksum":${checksum},"timestamp":"${isoText(nowMs)}"}]}`
    );
  }

  #tickerFrame(type: string): string {
    const [bid, ask] = [this.#engine.bids.best(), this.#engine.asks.best()];
    const last = this.#price(this.#last === 0 ? (bid?.price ?? 0) : this.#last);
    return (
      `{"channel":"ticker","type":"${type}","data":[{"symbol":"${this.listing.symbol}","bid":${this.#price(bid?.price ?? 0)},` +
      `"bid_qty":${this.#qty(bid?.qty ?? 0)},"ask":${this.#price(ask?.price ?? 0)},"ask_qty":${this.#qty(ask?.qty ?? 0)},"last":${last},` +
      `"volume":${this.#qty(this.#volume)},"vwap":${last},"low":${last},"high":${last},"change":0,"change_pct":0}]}`
    );
  }

  #levels(flat: FlatLevels): string {
    let text = '[';
    for (let at = 0; at < flat.length; at += 2)
      text += `${at === 0 ? '' : ','}{"price":${this.#price(flat[at]!)},"qty":${this.#qty(flat[at + 1]!)}}`;
    return `${text}]`;
  }

  #price(ticks: number): string {
    return fixedText(ticks, this.listing.priceDecimals);
  }

  #qty(lots: number): string {
    return fixedText(lots, this.listing.lotDecimals);
  }
}

type BookNews = {
  readonly type: 'snapshot' | 'update';
  readonly bids: FlatLevels;
  readonly asks: FlatLevels;
  readonly checksum: number;
};

/** Ten best asks, then ten best bids; price and quantity without point and leading zeros, which is how ticks and lots are written. */
function checksumOf({ bids, asks }: DepthView): number {
  let text = '';
  for (const side of [asks, bids])
    for (let at = 0; at < Math.min(side.length, 2 * CHECKSUM_LEVELS); at += 1) text += String(side[at]);
  return crc32(text);
}

/** Microseconds, as Kraken writes times. */
export const isoText = (unixMs: number): string => `${new Date(unixMs).toISOString().slice(0, -1)}000Z`;
