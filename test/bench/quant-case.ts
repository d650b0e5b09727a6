import { blackScholes, blackScholesInto } from '#shared/quant/black.ts';
import type { StrikeQuote } from '#shared/quant/forward.ts';
import { impliedBlackScholesInto } from '#shared/quant/implied-volatility.ts';
import type { SpotColumns, SpotOption, Valuation, ValuationColumns } from '#shared/quant/option.ts';
import { parityEdges, parityEdgesInto } from '#shared/quant/parity.ts';
import { randomFrom } from '#shared/random.ts';
import type { Row } from './cases.ts';
import type { Compared, Contender } from './measure.ts';
import { compare } from './measure.ts';
import { ResultHash } from './result-hash.ts';

const FIGURES = ['price', 'delta', 'gamma', 'vega', 'theta', 'rho'] as const;
const STRIKES = 100;

/** Option prices with their Greeks, implied volatilities, and parity over a chain of strikes after the forward has moved. */
export function quantCases(options: number, rounds: number): readonly Row[] {
  const chain = chainOf(options);
  const valued = valuationCase(chain, rounds);
  return [
    { ...rowOf('Black-Scholes, 5 Greeks', 'options/s', valued), value: 1e9 / valued.fastNs },
    rowOf('Black-Scholes, 5 Greeks, each', 'ns/option', valued),
    rowOf('Black-Scholes, SIMD over scalar', 'ns/option', kernelCase(chain, rounds)),
    rowOf('implied volatility', 'ns/option', impliedCase(chain, rounds)),
    rowOf(`parity of ${STRIKES} strikes after a tick`, 'ns/tick', parityCase(Math.ceil(options / STRIKES), rounds)),
  ];
}

const rowOf = (name: string, unit: string, { fastNs, plainNs, hash, plainHash }: Compared): Row => ({
  name,
  unit,
  value: fastNs,
  ratio: plainNs / fastNs,
  hash,
  plainHash,
});

type Chain = {
  readonly options: readonly SpotOption[];
  readonly columns: SpotColumns;
  readonly out: ValuationColumns;
};

/** A day to a year, three standard deviations either way. */
function chainOf(count: number): Chain {
  const random = randomFrom(1);
  const options = Array.from({ length: count }, (): SpotOption => {
    const volatility = 0.3 + 0.7 * random.next();
    const years = (1 + random.integer(365)) / 365;
    const strike = 100 * Math.exp((6 * random.next() - 3) * volatility * Math.sqrt(years));
    const right = random.next() < 0.5 ? 'call' : 'put';
    return { right, underlying: 100, strike, years, volatility, rate: 0.04, yield: 0.01 };
  });
  const column = (pick: (option: SpotOption) => number): Float64Array => Float64Array.from(options, pick);
  const columns = {
    calls: Uint8Array.from(options, ({ right }) => (right === 'call' ? 1 : 0)),
    underlying: column(({ underlying }) => underlying),
    strike: column(({ strike }) => strike),
    years: column(({ years }) => years),
    volatility: column(({ volatility }) => volatility),
    rate: column(({ rate }) => rate),
    yield: column((option) => option.yield),
  };
  const empty = (): Float64Array => new Float64Array(count);
  const out = { price: empty(), delta: empty(), gamma: empty(), vega: empty(), theta: empty(), rho: empty() };
  return { options, columns, out };
}

/** Columns in, columns out. */
const inColumns = ({ columns, out }: Chain, hashOf: ValuationHash): Contender => ({
  prepare: () => ({
    run: () => blackScholesInto(columns, out),
    hash: () => hashOf((at, figure) => out[figure][at]!),
  }),
});

/** An object an option. */
function oneByOne({ options }: Chain, price: (option: SpotOption) => Valuation, hashOf: ValuationHash): Contender {
  const values: Valuation[] = [];
  return {
    prepare: () => ({
      run: () => {
        for (let at = 0; at < options.length; at += 1) values[at] = price(options[at]!);
      },
      hash: () => hashOf((at, figure) => values[at]![figure]),
    }),
  };
}

type ValuationHash = (valueAt: (at: number, figure: keyof Valuation) => number) => string;

const hashWith =
  (count: number, add: (hash: ResultHash, value: number) => void): ValuationHash =>
  (valueAt) => {
    const hash = new ResultHash();
    for (let at = 0; at < count; at += 1) for (const figure of FIGURES) add(hash, valueAt(at, figure));
    return hash.hex;
  };

/** Beside the textbook's formula: equal to a millionth of a unit. */
function valuationCase(chain: Chain, rounds: number): Compared {
  const count = chain.options.length;
  const hashOf = hashWith(count, (hash, value) => hash.integer(Math.round(value * 1e6)));
  return compare(count, rounds, inColumns(chain, hashOf), oneByOne(chain, plainBlackScholes, hashOf));
}

/** Beside the same formulas one at a time: equal to the bit. */
function kernelCase(chain: Chain, rounds: number): Compared {
  const count = chain.options.length;
  const hashOf = hashWith(count, (hash, value) => hash.double(value));
  return compare(count, rounds, inColumns(chain, hashOf), oneByOne(chain, blackScholes, hashOf));
}

/** Beside Newton's steps on the textbook's formula: equal to a millionth. */
function impliedCase({ options, columns, out }: Chain, rounds: number): Compared {
  const count = options.length;
  blackScholesInto(columns, out);
  const quoted = { ...columns, price: out.price };
  const column = (): Float64Array => new Float64Array(count);
  const implied = {
    volatility: column(),
    uncertainty: column(),
    refusal: new Uint8Array(count),
    evaluations: new Uint8Array(count),
  };
  const found: number[] = [];
  const hashOf = (volatilities: ArrayLike<number>): string => {
    const hash = new ResultHash();
    for (let at = 0; at < count; at += 1) hash.integer(Math.round(volatilities[at]! * 1e6));
    return hash.hex;
  };
  const fast: Contender = {
    prepare: () => ({
      run: () => impliedBlackScholesInto(quoted, implied),
      hash: () => hashOf(implied.volatility),
    }),
  };
  const plain: Contender = {
    prepare: () => ({
      run: () => {
        for (let at = 0; at < count; at += 1) found[at] = plainImplied(options[at]!, out.price[at]!);
      },
      hash: () => hashOf(found),
    }),
  };
  return compare(count, rounds, fast, plain);
}

/** A tick of the forward, then both ways of every strike: columns beside an object a strike. */
function parityCase(ticks: number, rounds: number): Compared {
  const random = randomFrom(2);
  const quotes = Array.from({ length: STRIKES }, (_none, at): StrikeQuote => {
    const strike = 40_000 + 500 * at;
    const put = 500 + 1_000 * random.next();
    const call = put + 65_000 - strike;
    return { strike, callBid: call - 20, callAsk: call + 20, putBid: put - 20, putAsk: put + 20 };
  });
  const column = (pick: (quote: StrikeQuote) => number): Float64Array => Float64Array.from(quotes, pick);
  const columns = {
    strike: column(({ strike }) => strike),
    callBid: column(({ callBid }) => callBid),
    callAsk: column(({ callAsk }) => callAsk),
    putBid: column(({ putBid }) => putBid),
    putAsk: column(({ putAsk }) => putAsk),
  };
  const moves = Float64Array.from({ length: ticks }, () => 65_000 + 100 * random.next());
  const fast: Contender = {
    prepare: () => {
      const hash = new ResultHash();
      const forward = { bid: 0, ask: 0, discount: 0.99, settlement: 'linear' as const };
      const out = { conversion: new Float64Array(STRIKES), reversal: new Float64Array(STRIKES) };
      const run = (): void => {
        for (let tick = 0; tick < ticks; tick += 1) {
          forward.bid = moves[tick]! - 0.5;
          forward.ask = moves[tick]! + 0.5;
          parityEdgesInto(columns, forward, out);
          hash.double(out.conversion[tick % STRIKES]!);
          hash.double(out.reversal[tick % STRIKES]!);
        }
      };
      return { run, hash: () => hash.hex };
    },
  };
  const plain: Contender = {
    prepare: () => {
      const hash = new ResultHash();
      const run = (): void => {
        for (let tick = 0; tick < ticks; tick += 1) {
          const forward = { bid: moves[tick]! - 0.5, ask: moves[tick]! + 0.5, discount: 0.99 };
          const edges = quotes.map((quote) => parityEdges(quote, { ...forward, settlement: 'linear' }));
          hash.double(edges[tick % STRIKES]!.conversion);
          hash.double(edges[tick % STRIKES]!.reversal);
        }
      };
      return { run, hash: () => hash.hex };
    },
  };
  return compare(ticks, rounds, fast, plain);
}

/** As it is usually written. @see J. Hull, "Options, Futures, and Other Derivatives", ch. 17 and 19. */
function plainBlackScholes({
  right,
  underlying,
  strike,
  years,
  volatility,
  rate,
  yield: earned,
}: SpotOption): Valuation {
  const sign = right === 'call' ? 1 : -1;
  const root = Math.sqrt(years);
  const d1 =
    (Math.log(underlying / strike) + (rate - earned + (volatility * volatility) / 2) * years) / (volatility * root);
  const d2 = d1 - volatility * root;
  const kept = Math.exp(-earned * years);
  const discount = Math.exp(-rate * years);
  const first = plainCdf(sign * d1);
  const second = plainCdf(sign * d2);
  const density = Math.exp(-0.5 * d1 * d1) / Math.sqrt(2 * Math.PI);
  return {
    price: sign * (underlying * kept * first - strike * discount * second),
    delta: sign * kept * first,
    gamma: (kept * density) / (underlying * volatility * root),
    vega: underlying * kept * density * root,
    theta:
      (-underlying * kept * density * volatility) / (2 * root) +
      sign * (earned * underlying * kept * first - rate * strike * discount * second),
    rho: sign * strike * years * discount * second,
  };
}

/** Newton from 50 %, halved back into the bracket where it leaves it. */
function plainImplied(option: SpotOption, price: number): number {
  let low = 0;
  let high = 5;
  let volatility = 0.5;
  for (let step = 0; step < 100; step += 1) {
    const { price: reached, vega } = plainBlackScholes({ ...option, volatility });
    if (reached > price) high = volatility;
    else low = volatility;
    const wanted = volatility - (reached - price) / vega;
    const next = wanted > low && wanted < high ? wanted : 0.5 * (low + high);
    if (Math.abs(next - volatility) < 1e-12) return next;
    volatility = next;
  }
  return volatility;
}

/** @see G. West, "Better approximations to cumulative normal functions", Wilmott (2005): Hart's algorithm, 1e-15. */
function plainCdf(x: number): number {
  const z = Math.abs(x);
  if (z > 37) return x > 0 ? 1 : 0;
  const density = Math.exp((-z * z) / 2);
  let tail: number;
  if (z < 7.07106781186547) {
    const above =
      (((((3.52624965998911e-2 * z + 0.700383064443688) * z + 6.37396220353165) * z + 33.912866078383) * z +
        112.079291497871) *
        z +
        221.213596169931) *
        z +
      220.206867912376;
    const below =
      ((((((8.83883476483184e-2 * z + 1.75566716318264) * z + 16.064177579207) * z + 86.7807322029461) * z +
        296.564248779674) *
        z +
        637.333633378831) *
        z +
        793.826512519948) *
        z +
      440.413735824752;
    tail = (density * above) / below;
  } else {
    const fraction = z + 1 / (z + 2 / (z + 3 / (z + 4 / (z + 0.65))));
    tail = density / fraction / 2.506628274631;
  }
  return x > 0 ? 1 - tail : tail;
}
