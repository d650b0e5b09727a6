import { Decimal } from 'decimal.js';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '#shared/config/load.ts';
import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Route } from '#shared/domain/route.ts';
import { carrySettingsOf } from '#shared/quant/carry.ts';
import type { Random } from '#shared/random.ts';
import { randomFrom } from '#shared/random.ts';
import { compileRoutes } from '#hotpath/detect/compile.ts';
import { Evaluator } from '#hotpath/detect/evaluator.ts';
import { families } from '#hotpath/detect/routes/index.ts';
import { Books } from '#test/support/market.ts';
import { listing } from '#test/support/options.ts';
import { silentReferences } from '#test/support/sizing.ts';

/** Whatever is skipped pays nothing: each answer against every route asked alone. */

const { engine } = loadConfig({ dir: 'config', env: {} });
const NOW_MS = Date.UTC(2026, 10, 20);
const LEVEL = 60_000;
/** What the screens let through below the least edge. */
const PRODUCT_SLACK = 1e-9;
const SUM_SLACK = 2e-6;
/** Closer to the threshold than this, doubles do not say on which side. */
const UNDECIDED = 1e-11;

const COINS: Readonly<Record<string, number>> = { BTC: LEVEL, ETH: 3_000, USDT: 1, USDC: 1, USD: 1 };
const SYMBOLS = [
  ...['BTC/USDT', 'ETH/USDT', 'ETH/BTC', 'BTC/USDC', 'USDC/USDT', 'BTC/USDT:USDT', 'ETH/USDT:USDT'],
  ...['BTC/USDT:USDT-261225', 'BTC/USDT:USDT-270326', 'BTC/USD:BTC', 'BTC/USD:BTC-261225'],
  ...['261225', '270326'].flatMap((day) =>
    [50_000, 60_000, 70_000].flatMap((strike) => ['C', 'P'].map((right) => `BTC/USDT:USDT-${day}-${strike}-${right}`)),
  ),
  ...[60_000, 70_000].flatMap((strike) => ['C', 'P'].map((right) => `BTC/USD:BTC-261225-${strike}-${right}`)),
];

function universe(random: Random): readonly Instrument[] {
  const fees = ['0', '0.0002', '0.0005'];
  return ['a', 'b', 'c'].flatMap((venue) =>
    SYMBOLS.filter(() => random.next() < 0.8).map((symbol) => {
      const plain = listing(`${venue}:${symbol}`);
      const taker = new Decimal(fees[random.integer(fees.length)]!);
      const isOption = plain.kind === 'option';
      const option = isOption ? { premiumShareMax: new Decimal('0.125'), delivery: new Decimal('0.00015') } : {};
      const currency = plain.kind === 'spot' ? (random.next() < 0.5 ? 'received' : 'quote') : 'settle';
      return { ...plain, fees: { maker: taker, taker, currency, ...option } };
    }),
  );
}

/** At a level of the coin: options at intrinsic value and something for the time. */
function fairOf({ kind, base, quote, strike, right, expiryMs }: Instrument, level: number): number {
  const worth = COINS[base]! * (base === 'USDC' ? 1 : level);
  if (kind !== 'option') return worth / (COINS[quote]! * (quote === 'BTC' ? level : 1));
  const distance = strike!.toNumber() - worth;
  const time = 4_000 * Math.exp(-Math.abs(distance) / 15_000) * (expiryMs! > Date.UTC(2027, 0) ? 1.5 : 1);
  const premium = Math.max(0, right === 'put' ? distance : -distance) + time;
  return quote === base ? premium / worth : premium;
}

describe('a screen that skips what stays within its limits', () => {
  it.each([0, -0.0005, 0.0005, 0.003])('finds what every route asked alone says, at a least edge of %d', (minEdge) => {
    const tally = { found: 0, asked: 0, screened: 0 };
    for (let seed = 1; seed <= 4; seed += 1) {
      const world = new World(randomFrom(seed), minEdge);
      world.open();
      const before = world.evaluator.screened;
      const ticks = world.ticks;
      for (let step = 0; step < 600; step += 1) tally.found += world.step();
      tally.screened += world.evaluator.screened - before;
      tally.asked += 2 * (world.ticks - ticks);
    }
    expect(tally.found).toBeGreaterThan(50);
    expect(tally.screened).toBeLessThan(tally.asked / 2);
  });
});

class World {
  readonly evaluator: Evaluator;
  ticks = 0;
  readonly #instruments: readonly Instrument[];
  readonly #routes: readonly Route[];
  readonly #books: Books;
  readonly #references: ReturnType<typeof silentReferences>;
  readonly #random: Random;
  readonly #touching: readonly (readonly number[])[];
  readonly #minEdge: number;
  /** Of each instrument, a share of its fair price. */
  readonly #shifts: Float64Array;
  #level = 1;
  #nowMs = NOW_MS;

  constructor(random: Random, minEdge: number) {
    this.#random = random;
    this.#minEdge = minEdge;
    this.#instruments = universe(random);
    const names = families.map(({ id }) => id) as typeof engine.families;
    const settings = { ...engine, families: names, max_legs: 4, max_routes: 6_000, equal_assets: { USD: 'USDT' } };
    this.#routes = compileRoutes(this.#instruments, settings, NOW_MS).routes;
    this.#touching = this.#instruments.map((_one, at) =>
      [...this.#routes.entries()].flatMap(([route, { legs }]) =>
        legs.some(({ instrument }) => instrument === at) ? [route] : [],
      ),
    );
    this.#books = new Books(this.#instruments.length);
    this.#references = silentReferences(this.#instruments.length);
    this.#shifts = new Float64Array(this.#instruments.length).fill(1);
    const settingsOfCarry = carrySettingsOf(engine.carry);
    const carry = { references: this.#references, settings: settingsOfCarry, unixMs: (at: TimeNs) => at / 1e6 };
    this.evaluator = new Evaluator(this.#instruments, this.#routes, { tops: this.#books.tops, minEdge, carry });
  }

  open(): void {
    for (const at of this.#instruments.keys()) {
      this.#quote(at, 1);
      this.#screen(at);
    }
    for (const at of this.#instruments.keys()) this.#say(at, 1e-4);
    for (let call = 0; call <= this.#routes.length / 32; call += 1) this.#refresh();
  }

  /** How many routes were found. */
  step(): number {
    const random = this.#random;
    const draw = random.next();
    const at = random.integer(this.#instruments.length);
    if (draw < 0.03) return this.#refresh();
    if (draw < 0.05) return this.#say(at, (random.next() < 0.5 ? 1e-4 : 0.1) * random.normal());
    if (draw < 0.06) return this.#die(at, random.next() < 0.5);
    // Everything moves together.
    if (draw < 0.5) this.#level *= 1 + 2e-5 * random.normal();
    // A tick of half a basis point; now and then a jump.
    this.#shifts[at] = draw > 0.97 ? 1 + 0.003 * random.normal() : 1 + (this.#shifts[at]! - 1) * 0.9;
    this.#quote(at, 1 + 5e-5 * random.normal());
    return this.#screen(at);
  }

  #quote(at: number, noise: number): void {
    const mid = fairOf(this.#instruments[at]!, this.#level) * this.#shifts[at]! * noise;
    const half = this.#instruments[at]!.kind === 'option' ? 0.002 : 0.0002;
    this.#books.flat(at, mid * (1 - half), mid * (1 + half));
  }

  /** A book that dies may do so without a word. */
  #die(at: number, isSaid: boolean): number {
    this.#books.set(at, { bids: [], asks: [] });
    return isSaid ? this.#screen(at) : 0;
  }

  #say(at: number, move: number): number {
    const { fundingRate, nextFundingTimeMs, fundingIntervalMs, indexPrice } = this.#references;
    fundingRate[at] = 1e-4 * this.#random.normal();
    nextFundingTimeMs[at] = this.#nowMs + 3_600_000;
    fundingIntervalMs[at] = 28_800_000;
    indexPrice[at] = LEVEL * this.#level * (1 + move);
    this.evaluator.noteReference(at as InstrumentIndex);
    return 0;
  }

  #refresh(): number {
    this.#nowMs += 1_000;
    const count = this.evaluator.refresh((this.#nowMs * 1e6) as TimeNs);
    for (const route of this.evaluator.found.subarray(0, count)) expect(this.#isPaying(route)).not.toBe(false);
    return count;
  }

  #screen(at: number): number {
    this.ticks += 1;
    const count = this.evaluator.screen(at as InstrumentIndex);
    if (count === this.evaluator.found.length) return count;
    const found = new Set(this.evaluator.found.subarray(0, count));
    expect(found.size).toBe(count);
    for (const route of this.#touching[at]!) {
      const isPaying = this.#isPaying(route);
      if (isPaying !== undefined) expect(found.has(route), this.#routes[route]!.id).toBe(isPaying);
    }
    return count;
  }

  /** Undefined where doubles do not say. */
  #isPaying(route: number): boolean | undefined {
    const slack = this.#routes[route]!.evaluator === 'product' ? PRODUCT_SLACK : SUM_SLACK;
    const distance = this.evaluator.netEdge(route) - (this.#minEdge - slack);
    return Math.abs(distance) < UNDECIDED ? undefined : distance > 0;
  }
}
