import { crc32 } from 'node:zlib';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import { randomFrom } from '#shared/random.ts';
import type { Exchange } from '#simulator/exchange.ts';
import { priceOf, qtyOf } from '#simulator/listings.ts';
import type { Simulator, SimulatorConfig } from '#simulator/simulator.ts';
import { createSimulator } from '#simulator/simulator.ts';

/** Where virtual runs start: 2026-11-21 00:00 UTC. */
export const ORIGIN_MS = 1_795_219_200_000;
export const QUIET: SimulatorConfig = { updates_per_second: 400, dislocations_per_minute: 60, dislocation_bps: 45 };

export type Run = {
  readonly simulator: Simulator;
  readonly clock: VirtualClock;
  readonly forward: (ms: number) => void;
};

/** A simulator on a virtual clock that moves when told. */
export function virtualRun(seed: number, config: Partial<SimulatorConfig> = {}): Run {
  const clock = new VirtualClock(BigInt(ORIGIN_MS) * 1_000_000n);
  const simulator = createSimulator({ clock, random: randomFrom(seed), config: { ...QUIET, ...config } });
  simulator.start();
  return { simulator, clock, forward: (ms) => clock.runUntil(clock.now() + ms * 1e6) };
}

export type TestSocket = {
  readonly frames: string[];
  readonly closes: number[];
  readonly send: (value: unknown) => void;
  /** Takes the frames received since the last time. */
  readonly take: () => string[];
};

export function socketTo(simulator: Simulator, path: string): TestSocket {
  const frames: string[] = [];
  const closes: number[] = [];
  const connection = simulator.connect(path, {
    send: (data) => frames.push(typeof data === 'string' ? data : Buffer.from(data).toString()),
    close: (code) => closes.push(code),
  });
  return {
    frames,
    closes,
    send: (value) => connection.message(typeof value === 'string' ? value : JSON.stringify(value)),
    take: () => frames.splice(0),
  };
}

export function get(simulator: Simulator, path: string): unknown {
  return JSON.parse(simulator.request({ method: 'GET', path, headers: {}, body: '' }).body);
}

/** A price → quantity book as a client keeps it, on the venue's own texts. */
export class TextBook {
  readonly bids = new Map<string, string>();
  readonly asks = new Map<string, string>();

  apply(side: 'bids' | 'asks', levels: readonly (readonly string[])[]): void {
    for (const [price, qty] of levels) {
      if (Number(qty) === 0) this[side].delete(price!);
      else this[side].set(price!, qty!);
    }
  }

  /** Best first. */
  levels(side: 'bids' | 'asks', depth = Infinity): [string, string][] {
    const sign = side === 'bids' ? -1 : 1;
    return [...this[side]].sort(([a], [b]) => sign * (Number(a) - Number(b))).slice(0, depth);
  }

  truncate(depth: number): void {
    for (const side of ['bids', 'asks'] as const)
      for (const [price] of this.levels(side).slice(depth)) this[side].delete(price);
  }

  numbers(depth = Infinity): { bids: number[][]; asks: number[][] } {
    const side = (name: 'bids' | 'asks'): number[][] =>
      this.levels(name, depth).map(([price, qty]) => [Number(price), Number(qty)]);
    return { bids: side('bids'), asks: side('asks') };
  }

  /** Kraken's rule on texts: point and leading zeros away. */
  checksum(): number {
    const digits = (text: string): string => text.replace('.', '').replace(/^0+/, '');
    const side = (name: 'bids' | 'asks'): string =>
      this.levels(name, 10)
        .map(([price, qty]) => digits(price) + digits(qty))
        .join('');
    return crc32(side('asks') + side('bids'));
  }
}

/** The truth: the exchange's own book. */
export function truth(
  exchange: Exchange,
  venueSymbol: string,
  depth = Infinity,
): { bids: number[][]; asks: number[][] } {
  const listing = exchange.listings.find((each) => each.venueSymbol === venueSymbol || each.symbol === venueSymbol)!;
  const engine = exchange.engine(listing);
  const side = (name: 'bids' | 'asks'): number[][] =>
    [...engine[name].bestFirst()]
      .slice(0, depth)
      .map(({ price, qty }) => [priceOf(listing, price).toNumber(), qtyOf(listing, qty).toNumber()]);
  return { bids: side('bids'), asks: side('asks') };
}
