import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { venues } from '#hotpath/venues/index.ts';
import type { Venue } from '#hotpath/venues/venue.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { APPLIED, BROKEN, DELTA, SNAPSHOT } from '#shared/domain/market-event.ts';
import { textOf } from '#shared/money/grid.ts';
import type { MarketFixture, Step } from '#test/support/venue-fixture.ts';
import {
  bytesOfStep,
  fixturesOf,
  MarketRig,
  plainOf,
  provenanceOf,
  refusalOf,
  updatesFixtures,
  writeExpectation,
} from '#test/support/venue-fixture.ts';

const instrumentsOf = ({ market, bodies }: MarketFixture): readonly Instrument[] =>
  market.instruments.parse(bodies, market.defaultFees);

/** Instruments, updates and controls of the frames, prints and references of the channels beside them. */
function readingOf(fixture: MarketFixture): unknown {
  const { market, steps, streams } = fixture;
  const instruments = instrumentsOf(fixture);
  const described = instruments.map(({ contractSize, tick, lot, minQty, minNotional, fees, ...rest }) => ({
    ...rest,
    ...Object.fromEntries(
      Object.entries({ contractSize, tick, lot, minQty, minNotional }).map(([k, v]) => [k, textOf(v)]),
    ),
    fee: fees.currency,
  }));
  const rig = new MarketRig(market, instruments);
  const frames = steps.map((step) => {
    const taken = rig.take(step);
    if (taken === undefined) return 'nothing';
    const { bids, asks, ...rest } = taken.update;
    const [bidLevels, askLevels] = [bids, asks].map(({ prices, qtys, count }) =>
      Array.from({ length: count }, (_level, at) => `${prices[at]!} × ${qtys[at]!}`),
    );
    return { ...rest, bids: bidLevels, asks: askLevels, outcome: taken.outcome };
  });
  const beside = new MarketRig(market, instruments);
  for (const step of streams) beside.take(step);
  const { prints, references } = beside;
  return plainOf({ instruments: described, frames, controls: rig.controls, prints, references });
}

/** As the venue's frames left it before `step`: some say what later ones mean. */
function rigBefore(step: Step, fixture: MarketFixture): MarketRig {
  const rig = new MarketRig(fixture.market, instrumentsOf(fixture));
  for (const before of fixture.steps.slice(0, fixture.steps.indexOf(step))) rig.take(before);
  return rig;
}

const isBookStep = (step: Step, fixture: MarketFixture): boolean => rigBefore(step, fixture).take(step) !== undefined;

it('registers every venue file, and nothing else', () => {
  const files = readdirSync('hotpath/venues').filter((name) => /^(?!index|venue)[^.]+[.]ts$/.test(name));
  expect(venues.map(({ id }) => `${id}.ts`).sort()).toEqual(files.sort());
});

it('has a fixture with its provenance for every venue, and no other', () => {
  expect(readdirSync('test/fixtures/venues').sort()).toEqual(venues.map(({ id }) => `${id}.jsonl`).sort());
  for (const { id } of venues) expect(provenanceOf(id)).toMatch(/.{40}/);
});

describe.each(venues)('$id', (venue: Venue) => {
  describe.each(fixturesOf(venue))('$market.id', (fixture) => {
    const { market, steps, streams } = fixture;
    const instruments = instrumentsOf(fixture);

    it('reads its instruments', () => {
      expect(instruments.map(({ id }) => id)).toEqual(instruments.map(({ symbol }) => `${venue.id}:${symbol}`));
      expect(new Set(instruments.map(({ venueSymbol }) => venueSymbol)).size).toBe(instruments.length);
    });

    it('reads everything as its fixture says', () => {
      const gives = readingOf(fixture);
      if (updatesFixtures) writeExpectation(venue.id, market.id, gives);
      else expect(gives, 'UPDATE_FIXTURES=1 writes what is read now').toEqual(fixture.gives);
    });

    it.each(['', '[]', '{"symbols":1}', '<html>', '{"code":"50011","data":[],"msg":"Too Many Requests"}'])(
      'refuses %j as a list of instruments',
      (body) => {
        expect(refusalOf(() => market.instruments.parse([body], market.defaultFees))).toMatch(new RegExp(venue.id));
      },
    );

    it('subscribes every symbol within its limits, and unsubscribes the same', () => {
      const symbols = Array.from({ length: market.limits.symbolsPerSocket }, (_, at) => `COIN${at}-X`);
      for (const frames of [
        market.subscribe(symbols, 7),
        market.unsubscribe?.(symbols, 7) ?? market.subscribe(symbols, 8),
      ]) {
        const text = frames.join('\n').toUpperCase();
        for (const symbol of symbols) expect(text).toContain(symbol);
        expect(frames.length).toBeLessThanOrEqual(market.limits.messagesPerSecond * 2);
        expect(new Set(frames).size).toBe(frames.length);
        for (const frame of frames) expect(JSON.parse(frame)).toBeTypeOf('object');
      }
    });

    it('opens its book with a snapshot and never breaks its sequence', () => {
      const rig = new MarketRig(market, instruments);
      const taken = steps.flatMap((step) => rig.take(step) ?? []);
      const settled = taken.slice(taken.findIndex(({ update }) => update.kind === SNAPSHOT));
      expect(settled[0]?.outcome).toBe(APPLIED);
      expect(settled.filter(({ update }) => update.kind === DELTA).length).toBeGreaterThan(0);
      expect(settled.map(({ outcome }) => outcome)).not.toContain(BROKEN);
      const { instrument } = taken[0]!.update;
      expect(rig.store.depths.status(instrument)).toBe('live');
      expect(rig.store.tops.bid[instrument]).toBeLessThan(rig.store.tops.ask[instrument]!);
      expect(rig.store.statistics(instrument)).toMatchObject({ gaps: 0, checksumsWrong: 0 });
    });

    it('reads every number to the nearest double', () => {
      const rig = new MarketRig(market, instruments);
      for (const step of steps) {
        const update = rig.take(step)?.update;
        if (update === undefined) continue;
        const text = 'frame' in step ? step.frame : step.snapshot;
        const numbers = new Set([...text.matchAll(/\d+(?:\.\d+)?(?:e[+-]?\d+)?/gi)].map(([number]) => Number(number)));
        for (const { prices, qtys, count } of [update.bids, update.asks]) {
          for (const value of [...prices.slice(0, count), ...qtys.slice(0, count)]) expect(numbers).toContain(value);
        }
      }
    });

    it('answers frames that it does not know with nothing', () => {
      const rig = new MarketRig(market, instruments);
      for (const text of ['{"event":"pong"}', '{}', '{"something":["new",{"b":1}]}']) {
        expect(rig.take({ frame: text })).toBeUndefined();
      }
    });

    it('answers instruments that it does not follow with nothing', () => {
      const rig = new MarketRig(market, instruments);
      const { venueSymbol } = instruments[0]!;
      // As long as the symbol: binary frames count their bytes.
      const other = 'OTHER'.padEnd(venueSymbol.length, 'X').slice(0, venueSymbol.length);
      for (const step of steps) {
        if (!('frame' in step)) continue;
        expect(rig.take({ ...step, frame: step.frame.replaceAll(venueSymbol, other) })).toBeUndefined();
      }
    });

    it('refuses a book frame that is cut short, wherever it is cut', () => {
      for (const step of steps.filter((candidate) => isBookStep(candidate, fixture))) {
        const bytes = bytesOfStep(step);
        const rig = rigBefore(step, fixture);
        const cuts = Array.from({ length: bytes.length - 1 }, (_, at) => at + 1);
        const published = cuts.filter((cut) => {
          const part = bytes.subarray(0, cut);
          let taken: unknown;
          const refused = refusalOf(() => {
            taken = 'frame' in step ? rig.frame(part) : rig.snapshot(step.symbol, part);
          });
          expect(refused === undefined || taken === undefined).toBe(true);
          return taken !== undefined;
        });
        expect(published).toEqual([]);
      }
    });

    it.runIf(market.streams !== undefined)('reads the channels that it has beside the books', () => {
      const sockets = [market.streams!, ...(market.moreStreams ?? [])];
      const kinds = sockets.flatMap((socket) => socket.kinds);
      for (const { kinds: here, symbolsPerSocket, subscribe } of sockets) {
        const symbols = Array.from({ length: Math.min(symbolsPerSocket, 50) }, (_, at) => `COIN${at}-X`);
        for (const kind of here) {
          const text = subscribe([kind], symbols, 7).join('\n');
          expect(text.length).toBeGreaterThan(0);
          for (const frame of subscribe([kind], symbols, 7)) expect(JSON.parse(frame)).toBeTypeOf('object');
        }
        expect(subscribe(here, symbols, 7).join('')).not.toBe(subscribe(here.slice(0, -1), symbols, 7).join(''));
      }

      const rig = new MarketRig(market, instruments);
      // Numbers of channels may have been announced on the book's socket.
      for (const step of streams) expect(rig.take(step)).toBeUndefined();
      expect(rig.prints.length > 0).toBe(kinds.includes('trades'));
      expect(rig.references.length > 0).toBe(kinds.includes('reference'));
      for (const { price, qty, taker } of rig.prints) {
        expect(price).toBeGreaterThan(0);
        expect(qty).toBeGreaterThan(0);
        expect([1, -1]).toContain(taker);
      }
      for (const { instrument, receivedTimeNs, ...said } of rig.references) {
        expect(instruments[instrument]).toBeDefined();
        expect(receivedTimeNs).toBeGreaterThan(0);
        const { fundingRate, nextFundingTimeMs, markPrice, indexPrice, ...others } = said;
        const numbers = [fundingRate, nextFundingTimeMs, markPrice, indexPrice, ...Object.values(others)];
        expect(numbers.some((value) => !Number.isNaN(value))).toBe(true);
        if (!Number.isNaN(fundingRate)) expect(Math.abs(fundingRate)).toBeLessThan(0.1);
        if (!Number.isNaN(markPrice)) expect(markPrice).toBeGreaterThan(0);
      }
    });

    it('never crashes on a cut frame of a channel beside the books', () => {
      for (const step of streams) {
        const rig = new MarketRig(market, instruments);
        const bytes = bytesOfStep(step);
        for (let cut = 1; cut < bytes.length; cut += 1) refusalOf(() => rig.frame(bytes.subarray(0, cut)));
      }
    });

    it('does not believe its book after a delta was lost', () => {
      const played = new MarketRig(market, instruments);
      const deltas = steps.filter((step) => played.take(step)?.update.kind === DELTA);
      const losable = deltas.slice(0, -1).filter((lost) => {
        const rig = new MarketRig(market, instruments);
        const before = steps.slice(0, steps.indexOf(lost));
        for (const step of before) rig.take(step);
        return rig.take(lost)?.outcome === APPLIED;
      });
      expect(losable.length).toBeGreaterThan(0);
      for (const lost of losable) {
        const rig = new MarketRig(market, instruments);
        const outcomes = steps.filter((step) => step !== lost).flatMap((step) => rig.take(step)?.outcome ?? []);
        if (!rig.controls.includes('lost')) expect(outcomes).toContain(BROKEN);
      }
    });
  });
});
