import { Decimal } from 'decimal.js';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Interval } from '#shared/schema/api.ts';
import { intervals, type Candle, type Quote, type TimeSeriesStore } from '#functions/common/time-series.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** 2026-11-21T00:00:00Z */
const NOW_MS = 1_795_219_200_000;
let instruments = 0;
const freshInstrument = (): string => `venue:S${(instruments += 1)}/Q`;

/** What every adapter promises. `nowMs`: the start of a day. */
export function keepsItsPromises(make: () => TimeSeriesStore, nowMs: number = NOW_MS): void {
  const all = (store: TimeSeriesStore, instrument: string, interval: '1m' | '5m' | '1h' | '1d' = '1m', limit = 1_000) =>
    store.candles({ instrument, interval, fromMs: 0, toMs: nowMs + DAY_MS, limit }, nowMs);
  const quote = (instrument: string, ageMs: number, price: string): Quote => ({
    instrument,
    atMs: nowMs - ageMs,
    price,
  });

  it('gives open, high, low and close of each interval, exactly', async () => {
    const [store, instrument] = [make(), freshInstrument()];
    const prices = ['0.1', '0.300000000000000001', '0.3', '0.2'];
    await store.write(
      prices.map((price, at) => quote(instrument, 4 * MINUTE_MS - at * 1_000, price)),
      nowMs,
    );
    await store.write([quote(instrument, MINUTE_MS, '9')], nowMs);
    const first = { open: '0.1', high: '0.300000000000000001', low: '0.1', close: '0.2' };
    expect(await all(store, instrument)).toEqual([
      { startMs: nowMs - 4 * MINUTE_MS, ...first },
      { startMs: nowMs - MINUTE_MS, open: '9', high: '9', low: '9', close: '9' },
    ]);
    const whole = { ...first, high: '9', close: '9' };
    expect(await all(store, instrument, '5m')).toEqual([{ startMs: nowMs - 5 * MINUTE_MS, ...whole }]);
    expect(await all(store, instrument, '1h')).toEqual([{ startMs: nowMs - HOUR_MS, ...whole }]);
    expect(await all(store, instrument, '1d')).toEqual([{ startMs: nowMs - DAY_MS, ...whole }]);
  });

  it(
    'ends with the same candles however often and in whatever order the quotes come',
    { timeout: 120_000 },
    async () => {
      const seen = fc.record({
        ageMs: fc.integer({ min: -MINUTE_MS, max: 10 * MINUTE_MS }),
        cents: fc.integer({ min: 1, max: 500 }),
      });
      const deliveries = fc.array(seen, { minLength: 1, maxLength: 25 }).chain((quotes) =>
        fc.record({
          quotes: fc.constant(quotes),
          // Each at least once: shuffled, and some again.
          order: fc.shuffledSubarray(quotes, { minLength: quotes.length }),
          again: fc.subarray(quotes),
          size: fc.integer({ min: 1, max: 10 }),
        }),
      );
      await fc.assert(
        fc.asyncProperty(deliveries, async ({ quotes, order, again, size }) => {
          const [store, instrument] = [make(), freshInstrument()];
          const sent = [...order, ...again].map(({ ageMs, cents }) => quote(instrument, ageMs, String(cents / 100)));
          const batches = Array.from({ length: Math.ceil(sent.length / size) }, (_, at) =>
            sent.slice(at * size, (at + 1) * size),
          );
          // Two instances at once, as shards are read.
          for (let at = 0; at < batches.length; at += 2) {
            await Promise.all(batches.slice(at, at + 2).map((batch) => store.write(batch, nowMs)));
          }
          const told = quotes.map(({ ageMs, cents }) => quote(instrument, ageMs, String(cents / 100)));
          for (const interval of ['1m', '5m', '1h'] as const) {
            expect(await all(store, instrument, interval)).toEqual(modelOf(told, interval));
          }
        }),
        { numRuns: 25 },
      );
    },
  );

  it('has every interval up to date while the quotes of a day come in, one by one', async () => {
    const [store, instrument] = [make(), freshInstrument()];
    const told: Quote[] = [];
    const everyMs = 47 * 1_000;
    for (let step = 0; step < 60; step += 1) {
      const next = {
        instrument,
        atMs: nowMs - 60 * everyMs + step * everyMs,
        price: String(100 + ((step * 37) % 41)),
      };
      told.push(next);
      await store.write([next], next.atMs + 400);
      if (step % 9 !== 0) continue;
      for (const interval of ['1m', '5m', '1h', '1d'] as const) {
        const query = { instrument, interval, fromMs: 0, toMs: nowMs, limit: 1_000 };
        expect(await store.candles(query, next.atMs + 500)).toEqual(modelOf(told, interval));
      }
    }
  });

  it('gives what starts within the time asked for, the oldest first, up to the limit', async () => {
    const [store, instrument] = [make(), freshInstrument()];
    const ages = [1, 2, 3, 4, 5, 6];
    await store.write(
      ages.map((age) => quote(instrument, age * MINUTE_MS, String(age))),
      nowMs,
    );
    const range = { instrument, interval: '1m' as const, fromMs: nowMs - 5 * MINUTE_MS, toMs: nowMs - MINUTE_MS };
    const opens = async (limit: number) => (await store.candles({ ...range, limit }, nowMs)).map(({ open }) => open);
    expect(await opens(10)).toEqual(['5', '4', '3', '2']);
    expect(await opens(2)).toEqual(['5', '4']);
    expect(await store.candles({ ...range, toMs: range.fromMs, limit: 5 }, nowMs)).toEqual([]);
  });

  it('knows nothing of other instruments, of the far future, nor of what is too old to keep', async () => {
    const [store, instrument] = [make(), freshInstrument()];
    await store.write([quote(instrument, 8 * DAY_MS, '1'), quote(instrument, -2 * MINUTE_MS, '2')], nowMs);
    expect(await all(store, instrument, '1m')).toEqual([]);
    expect((await all(store, instrument, '5m')).map(({ open }) => open)).toEqual(['1']);
    expect(await all(store, `${instrument}X`, '5m')).toEqual([]);
    // A week later the candle is over, whether or not it has been cleared away.
    const later = { instrument, interval: '5m' as const, fromMs: 0, toMs: nowMs, limit: 9 };
    expect(await store.candles(later, nowMs + 30 * DAY_MS)).toEqual([]);
  });
}

/** Bucket by bucket, the plain way. */
function modelOf(quotes: readonly Quote[], interval: Interval): readonly Candle[] {
  const { ms } = intervals[interval];
  const starts = [...new Set(quotes.map(({ atMs }) => Math.floor(atMs / ms) * ms))].sort((a, b) => a - b);
  return starts.map((startMs) => {
    const inside = quotes
      .filter(({ atMs }) => atMs >= startMs && atMs < startMs + ms)
      .sort((a, b) => a.atMs - b.atMs || Number(a.price) - Number(b.price));
    const prices = inside.map(({ price }) => new Decimal(price));
    return {
      startMs,
      open: inside[0]!.price,
      high: Decimal.max(...prices).toFixed(),
      low: Decimal.min(...prices).toFixed(),
      close: inside.at(-1)!.price,
    };
  });
}
