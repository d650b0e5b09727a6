import { DepthView, flatLevels } from '../depth-view.ts';
import type { FlatLevels } from '../depth-view.ts';
import type { Print } from '../exchange.ts';
import { trimmedText } from '../grid-text.ts';
import type { Listing } from '../listings.ts';
import type { MatchingEngine } from '../matching-engine.ts';

/** What a public channel sends to. */
export type OkxReceiver = { readonly send: (text: string) => void };

export type OkxChannel = 'books' | 'bbo-tbt' | 'trades';

const DEPTH = 400;
const FIRST_SEQUENCE = 70_000_000_000;
/** An idle book says so with an empty update. */
const LIVENESS_MS = 60_000;

/**
 * The public channels of one instrument.
 * @see https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel
 */
export class OkxFeed {
  readonly listing: Listing;
  readonly #engine: MatchingEngine;
  readonly #view: DepthView;
  readonly #receivers: Readonly<Record<OkxChannel, Set<OkxReceiver>>> = {
    books: new Set(),
    'bbo-tbt': new Set(),
    trades: new Set(),
  };
  #toldSequence: number;
  #toldMs = 0;
  #toldTop = '';

  constructor(listing: Listing, engine: MatchingEngine) {
    this.listing = listing;
    this.#engine = engine;
    this.#view = new DepthView(engine, DEPTH);
    this.#view.advance();
    this.#toldSequence = this.#sequence();
  }

  /** `books` starts with a snapshot, `bbo-tbt` with the quote as it is. */
  subscribe(channel: OkxChannel, receiver: OkxReceiver, nowMs: number): void {
    if (channel === 'books') {
      // Whoever listens already is brought up to date first, so that all go on from one sequence.
      this.flush(nowMs, () => false);
      receiver.send(this.#bookFrame('snapshot', { bids: this.#view.bids, asks: this.#view.asks }, -1, nowMs));
    }
    if (channel === 'bbo-tbt') receiver.send(this.#quoteFrame(nowMs));
    this.#receivers[channel].add(receiver);
  }

  unsubscribe(channel: OkxChannel, receiver: OkxReceiver): void {
    this.#receivers[channel].delete(receiver);
  }

  /** Sends what changed since the last book frame; `drop` loses the frame but not its sequence. */
  flush(nowMs: number, drop: () => boolean): void {
    const previous = this.#toldSequence;
    if (!this.#view.advance()) {
      if (this.#receivers.books.size === 0 || nowMs - this.#toldMs < LIVENESS_MS) return;
      this.#toldMs = nowMs;
      this.#send('books', this.#bookFrame('update', { bids: [], asks: [] }, previous, nowMs));
      return;
    }
    this.#toldSequence = this.#sequence();
    this.#toldMs = nowMs;
    if (this.#receivers.books.size === 0 || drop()) return;
    this.#send(
      'books',
      this.#bookFrame('update', { bids: this.#view.bidChanges, asks: this.#view.askChanges }, previous, nowMs),
    );
  }

  quote(nowMs: number): void {
    if (this.#receivers['bbo-tbt'].size === 0) return;
    const [bid, ask] = [this.#engine.bids.best(), this.#engine.asks.best()];
    const top = `${bid?.price ?? 0} ${bid?.qty ?? 0} ${ask?.price ?? 0} ${ask?.qty ?? 0}`;
    if (top === this.#toldTop) return;
    this.#toldTop = top;
    this.#send('bbo-tbt', this.#quoteFrame(nowMs));
  }

  trade({ id, price, lots, taker, timeMs }: Print): void {
    if (this.#receivers.trades.size === 0) return;
    const { venueSymbol, priceDecimals, lotDecimals } = this.listing;
    this.#send(
      'trades',
      `{"arg":{"channel":"trades","instId":"${venueSymbol}"},"data":[{"instId":"${venueSymbol}","tradeId":"${id}",` +
        `"px":"${trimmedText(price, priceDecimals)}","sz":"${trimmedText(lots, lotDecimals)}","side":"${taker}","ts":"${timeMs}","count":"1","seqId":${this.#sequence()}}]}`,
    );
  }

  /** The REST book. */
  snapshot(depth: number, nowMs: number): unknown {
    const sides = { bids: flatLevels(this.#engine.bids, depth), asks: flatLevels(this.#engine.asks, depth) };
    return JSON.parse(`{${this.#levels(sides)},"ts":"${nowMs}","seqId":${this.#sequence()}}`);
  }

  ticker(nowMs: number): Record<string, unknown> {
    const { venueSymbol, priceDecimals, lotDecimals, perpetual } = this.listing;
    const [bid, ask] = [this.#engine.bids.best(), this.#engine.asks.best()];
    return {
      instType: perpetual ? 'SWAP' : 'SPOT',
      instId: venueSymbol,
      last: trimmedText(bid?.price ?? 0, priceDecimals),
      bidPx: trimmedText(bid?.price ?? 0, priceDecimals),
      bidSz: trimmedText(bid?.qty ?? 0, lotDecimals),
      askPx: trimmedText(ask?.price ?? 0, priceDecimals),
      askSz: trimmedText(ask?.qty ?? 0, lotDecimals),
      ts: String(nowMs),
    };
  }

  #sequence(): number {
    return FIRST_SEQUENCE + this.#engine.changes;
  }

  /** The checksum is always 0 since June 2026. */
  #bookFrame(action: string, sides: Sides, previous: number, nowMs: number): string {
    return (
      `{"arg":{"channel":"books","instId":"${this.listing.venueSymbol}"},"action":"${action}","data":[{${this.#levels(sides)},` +
      `"ts":"${nowMs}","checksum":0,"prevSeqId":${previous},"seqId":${this.#toldSequence}}]}`
    );
  }

  #quoteFrame(nowMs: number): string {
    const sides = { bids: flatLevels(this.#engine.bids, 1), asks: flatLevels(this.#engine.asks, 1) };
    return `{"arg":{"channel":"bbo-tbt","instId":"${this.listing.venueSymbol}"},"data":[{${this.#levels(sides)},"ts":"${nowMs}","seqId":${this.#sequence()}}]}`;
  }

  #levels({ bids, asks }: Sides): string {
    return `"asks":${levelsText(this.listing, asks)},"bids":${levelsText(this.listing, bids)}`;
  }

  #send(channel: OkxChannel, frame: string): void {
    for (const receiver of this.#receivers[channel]) receiver.send(frame);
  }
}

type Sides = { readonly bids: FlatLevels; readonly asks: FlatLevels };

/** Price, size, a field that is always "0", and a number of orders. */
function levelsText({ priceDecimals, lotDecimals }: Listing, flat: FlatLevels): string {
  let text = '[';
  for (let at = 0; at < flat.length; at += 2)
    text += `${at === 0 ? '' : ','}["${trimmedText(flat[at]!, priceDecimals)}","${trimmedText(flat[at + 1]!, lotDecimals)}","0","1"]`;
  return `${text}]`;
}
