import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import { black76, blackScholes } from '#shared/quant/black.ts';
import { impliedBlack76, impliedBlackScholes } from '#shared/quant/implied-volatility.ts';
import type { Implied } from '#shared/quant/implied-volatility.ts';
import type { SpotOption, Valuation } from '#shared/quant/option.ts';
import { randomFrom } from '#shared/random.ts';

/** Our prices, Greeks and implied volatilities against mpmath, wings, odd rates and last minutes included. */

const CASES = 120_000;
const FIGURES = ['price', 'delta', 'gamma', 'vega', 'theta', 'rho'] as const;
/** Below this a double keeps fewer digits, ours and the reference's. */
const LEAST = 1e-290;
const VEGA_LEAST = 1e-8;
const HALF_PLACE = 2 ** -53;

type Case = { readonly model: 'spot' | 'forward'; readonly option: SpotOption };

const isThere = spawnSync('python3', ['-c', 'import mpmath']).status === 0;

describe.skipIf(!isThere)('against mpmath (skipped where python3 or its mpmath is absent)', () => {
  const cases = casesFrom(20_260);
  let references: readonly Valuation[] = [];
  beforeAll(() => {
    references = referencesOf(cases);
  }, 600_000);

  it('prices to 1e-12 and Greeks to 1e-9, relative', () => {
    expect(references).toHaveLength(CASES);
    const worst = { price: 0, delta: 0, gamma: 0, vega: 0, theta: 0, rho: 0 };
    const compared = { ...worst };
    for (const [at, each] of cases.entries()) {
      const ours = valueOf(each);
      for (const figure of FIGURES) {
        const reference = references[at]![figure];
        if (Math.abs(reference) < LEAST) continue;
        compared[figure] += 1;
        worst[figure] = Math.max(worst[figure], Math.abs(ours[figure] / reference - 1));
      }
    }
    for (const figure of FIGURES)
      print(`${figure}: ${compared[figure]} cases, worst ${worst[figure].toExponential(2)}`);
    expect(compared.price).toBeGreaterThanOrEqual(100_000);
    expect(worst.price).toBeLessThanOrEqual(1e-12);
    for (const figure of FIGURES) expect(worst[figure], figure).toBeLessThanOrEqual(1e-9);
  });

  it('finds the volatility of the reference price again to 1e-9 wherever the price holds it, and the price everywhere', () => {
    const count = { vega: 0, held: 0, smeared: 0, lost: 0, refused: 0, evaluations: 0, evaluationsMost: 0, sharp: 0 };
    const worst = { held: 0, sharp: 0, price: 0, smears: 0 };
    for (const [at, each] of cases.entries()) {
      const { price, vega } = references[at]!;
      if (price < LEAST) continue;
      const { volatility } = each.option;
      const implied = impliedOf(each, price);
      // How far the price's own last half place moves the volatility, relative: no method does better than that.
      const blur = (price * HALF_PLACE) / (vega * volatility);
      if (vega > VEGA_LEAST) count.vega += 1;
      if (implied.kind === 'refused') {
        expect(['vega-vanishing', 'above-bound', 'below-intrinsic']).toContain(implied.reason);
        expect(blur, JSON.stringify(each)).toBeGreaterThan(1e-9);
        count.refused += 1;
        if (vega <= VEGA_LEAST) continue;
        // All volatilities from none to this one have the same double for a price.
        count.lost += 1;
        expect(valueOf({ ...each, option: { ...each.option, volatility: 0 } }).price, JSON.stringify(each)).toBe(price);
        continue;
      }
      const error = Math.abs(implied.volatility / volatility - 1);
      const again = valueOf({ ...each, option: { ...each.option, volatility: implied.volatility } }).price;
      worst.price = Math.max(worst.price, Math.abs(again / price - 1));
      count.evaluations += implied.evaluations;
      count.evaluationsMost = Math.max(count.evaluationsMost, implied.evaluations);
      if (blur > 1e-9) {
        count.smeared += 1;
        if (blur < 1e-3) worst.smears = Math.max(worst.smears, error / blur);
        continue;
      }
      count.held += 1;
      worst.held = Math.max(worst.held, error);
      if (blur < 1e-14) {
        count.sharp += 1;
        worst.sharp = Math.max(worst.sharp, error);
      }
    }
    const solved = count.held + count.smeared;
    print(
      `implied: ${solved} solved, ${count.refused} refused; of all, ${count.vega} with vega > 1e-8; ${(count.evaluations / solved).toFixed(2)} evaluations, ${count.evaluationsMost} at most`,
    );
    print(
      `  price holds the volatility to 1e-9: ${count.held}, none refused, worst ${worst.held.toExponential(2)}; to 1e-14: ${count.sharp}, worst ${worst.sharp.toExponential(2)}`,
    );
    print(
      `  half a last place of the price is more than 1e-9 of the volatility: ${count.smeared} solved, worst ${worst.smears.toFixed(2)} half places off`,
    );
    print(`  the price is that of no volatility, to the last bit, though vega > 1e-8: ${count.lost}, refused`);
    print(`  price, volatility, price: worst ${worst.price.toExponential(2)}`);
    expect(count.held).toBeGreaterThan(CASES / 2);
    expect(worst.held).toBeLessThanOrEqual(1e-9);
    expect(worst.sharp).toBeLessThanOrEqual(1e-12);
    expect(worst.price).toBeLessThanOrEqual(1e-12);
    expect(worst.smears).toBeLessThanOrEqual(2);
    expect(count.evaluationsMost).toBeLessThanOrEqual(6);
  });
});

it('allocates nothing an option in the batch forms, and says how long one takes', () => {
  // Plain Node: what the test runner does to imports keeps V8 from inlining.
  const flags = ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64'];
  const { stdout, stderr, status } = spawnSync(process.execPath, [...flags, 'test/slow/quant-bench.ts'], {
    encoding: 'utf8',
  });
  expect(status, stderr).toBe(0);
  const results = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { readonly name: string; readonly ns: number; readonly bytes: number });
  expect(results).toHaveLength(5);
  for (const { name, ns, bytes } of results) {
    print(`${name}: ${ns.toFixed(1)} ns an option or strike, ${bytes.toFixed(2)} B`);
    if (name.endsWith('one at a time')) continue;
    // One boxed double an option would be 12 bytes or more.
    expect(bytes, name).toBeLessThan(3);
  }
});

/** A third each within 1, 8 and 36 standard deviations of the money; a quarter minutes from expiry; rates of all signs and none. */
function casesFrom(seed: number): readonly Case[] {
  const random = randomFrom(seed);
  const within = (low: number, high: number): number => low + (high - low) * random.next();
  const rateOf = (): number => (random.next() < 0.15 ? 0 : within(-0.05, 0.15));
  const yearsOf = [
    () => within(1, 120) / 525_600,
    () => within(1, 30) / 365,
    () => within(0.1, 2),
    () => within(2, 30),
  ] as const;
  const depths = [() => within(-1, 1), () => within(-8, 8), () => within(-36, 36)] as const;
  return Array.from({ length: CASES }, (): Case => {
    const model = random.next() < 0.5 ? 'spot' : 'forward';
    const years = yearsOf[random.integer(4)]!();
    const volatility = Math.exp(within(Math.log(0.03), Math.log(2.5)));
    const rate = rateOf();
    const carry = model === 'spot' ? rateOf() : rate;
    const underlying = Math.exp(within(Math.log(0.01), Math.log(1e5)));
    const depth = depths[random.integer(3)]!() * volatility * Math.sqrt(years);
    const strike = underlying * Math.exp((rate - carry) * years + Math.max(-12, Math.min(12, depth)));
    const right = random.next() < 0.5 ? 'call' : 'put';
    return { model, option: { right, underlying, strike, years, volatility, rate, yield: carry } };
  });
}

function referencesOf(cases: readonly Case[]): readonly Valuation[] {
  const input = cases.map(({ model, option }) =>
    [
      model,
      option.right === 'call' ? 1 : -1,
      option.underlying,
      option.strike,
      option.years,
      option.volatility,
      option.rate,
      option.yield,
    ].join(' '),
  );
  const { stdout, stderr, status } = spawnSync('python3', ['test/slow/quant-reference.py'], {
    input: input.join('\n'),
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(stderr);
  return stdout
    .trim()
    .split('\n')
    .map((line) => {
      const [price, delta, gamma, vega, theta, rho] = line.split(' ').map(Number) as [
        number,
        number,
        number,
        number,
        number,
        number,
      ];
      return { price, delta, gamma, vega, theta, rho };
    });
}

const valueOf = ({ model, option }: Case): Valuation => (model === 'spot' ? blackScholes(option) : black76(option));

const impliedOf = ({ model, option }: Case, price: number): Implied =>
  model === 'spot' ? impliedBlackScholes({ ...option, price }) : impliedBlack76({ ...option, price });

const print = (line: string): boolean => process.stdout.write(`  ${line}\n`);
