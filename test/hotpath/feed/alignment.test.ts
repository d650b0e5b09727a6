import fc from 'fast-check';
import { expect, it } from 'vitest';
import { binance } from '#hotpath/venues/binance.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { InstrumentIndex } from '#shared/domain/ids.ts';
import { binanceDelta, endpointOf, feedOver, MS, respond, ScriptedTransport } from './scripted-venue.ts';

const BOOK = 0 as InstrumentIndex;

/** What may happen between a venue and us. */
const happening = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('delta' as const), level: fc.nat(4), qty: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose' as const), level: fc.nat(4), qty: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('answer' as const), lag: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('refuse' as const), status: fc.constantFrom(429, 500, 503) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drop' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('malformed' as const) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 3_000 }) }) },
);

/** A venue's own book with every state it ever had: a cache may answer with an older one. */
class Truth {
  sequence = 100;
  readonly #states: ReadonlyMap<number, number>[] = [new Map([[100, 1]])];

  change(level: number, qty: number): { bids: string[][]; sequence: number } {
    const price = 100 + level;
    const next = new Map(this.#states.at(-1));
    if (qty === 0) next.delete(price);
    else next.set(price, qty);
    this.#states.push(next);
    this.sequence += 1;
    return { bids: [[String(price), String(qty)]], sequence: this.sequence };
  }

  levels(lag = 0): [number, number][] {
    return [...this.#states[Math.max(0, this.#states.length - 1 - lag)]!].sort(([a], [b]) => b - a);
  }

  snapshot(lag: number): object {
    const lastUpdateId = Math.max(100, this.sequence - lag);
    const bids = this.levels(lag).map((level) => level.map(String));
    return { lastUpdateId, bids, asks: [['200', '1']] };
  }
}

it('a live book is the venue’s book, whatever is lost, late, cached, refused or cut', () => {
  let compared = 0;
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 120, size: 'max' }), fc.nat(1e6), (happenings, seed) => {
      const clock = new VirtualClock(1_700_000_000_000_000_000n);
      const transport = new ScriptedTransport(clock);
      const { feed, books, statusOf } = feedOver(endpointOf(binance, 'spot'), ['BTCUSDT'], { clock, transport, seed });
      const truth = new Truth();
      let answered = 0;
      /** A lost frame is noticed with the next one: until then nobody can know. */
      let lost = false;
      let delivered = 0;
      const run = (ms: number) => clock.runUntil(clock.now() + ms * MS);
      const accept = () => {
        if (transport.socket.state !== 'connecting') return;
        transport.socket.accept();
        lost = false;
        delivered = 0;
      };
      const deliver = ({ bids, sequence }: { bids: string[][]; sequence: number }) => {
        if (transport.socket.state !== 'open') return;
        transport.socket.push(binanceDelta('BTCUSDT', sequence, sequence, bids));
        lost = false;
        delivered += 1;
      };
      const answer = (lag: number) => {
        const request = transport.requests[answered];
        if (request === undefined) return;
        answered += 1;
        // With no delta to join, an answer from before the (re)start looks like a good one until the next delta.
        if (delivered === 0 && lag > 0) lost = true;
        request.answer(respond(200, truth.snapshot(lag)));
      };
      const check = () => {
        if (statusOf() !== 'live' || lost) return;
        const prices = new Float64Array(10);
        const qtys = new Float64Array(10);
        const count = books.depths.bids(BOOK, prices, qtys);
        expect(Array.from({ length: count }, (_level, at) => [prices[at]!, qtys[at]!])).toEqual(truth.levels());
        expect(books.lastSequence(BOOK)).toBe(truth.sequence);
        compared += 1;
      };

      feed.start();
      accept();
      for (const event of happenings) {
        if (event.kind === 'delta') deliver(truth.change(event.level, event.qty));
        else if (event.kind === 'lose') {
          truth.change(event.level, event.qty);
          lost = true;
        } else if (event.kind === 'answer') {
          // An answer that is older than what was delivered since must wait for the deltas in between: they were all held.
          answer(event.lag);
        } else if (event.kind === 'refuse') {
          const request = transport.requests[answered];
          if (request !== undefined) {
            answered += 1;
            request.answer(respond(event.status));
          }
        } else if (event.kind === 'drop') {
          transport.socket.drop();
          expect(statusOf()).not.toBe('live');
        } else if (event.kind === 'malformed') {
          delivered = 0;
          if (transport.socket.state === 'open')
            transport.socket.push('{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate"');
        } else {
          run(event.ms);
          accept();
        }
        check();
      }
      // Undisturbed, it always gets well.
      for (let second = 0; second < 120 && (statusOf() !== 'live' || lost); second += 1) {
        run(1_000);
        accept();
        deliver(truth.change(second % 5, 1 + (second % 3)));
        answer(0);
      }
      expect(statusOf()).toBe('live');
      lost = false;
      check();
    }),
    { numRuns: 1_000 },
  );
  expect(compared).toBeGreaterThan(3_000);
});
