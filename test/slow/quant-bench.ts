import { black76Into, blackScholes, blackScholesInto } from '#shared/quant/black.ts';
import { impliedBlack76Into } from '#shared/quant/implied-volatility.ts';
import type { SpotOption } from '#shared/quant/option.ts';
import { parityEdgesInto } from '#shared/quant/parity.ts';
import { randomFrom } from '#shared/random.ts';

/** Times the batch forms on a chain like those of crypto options: a day to a year, three standard deviations either way. One JSON line a form. */

const ROWS = 4_096;
const ROUNDS = 200;
const YEARS = [1 / 365, 7 / 365, 30 / 365, 0.25, 1] as const;

const random = randomFrom(3);
const column = (): Float64Array => new Float64Array(ROWS);
const options = {
  calls: Uint8Array.from({ length: ROWS }, (_row, at) => at & 1),
  underlying: column().fill(60_000),
  strike: column(),
  years: column().map((_zero, at) => YEARS[at % YEARS.length]!),
  volatility: column().map(() => 0.3 + 0.7 * random.next()),
  rate: column().fill(0.04),
  yield: column().fill(0.01),
};
for (let at = 0; at < ROWS; at += 1) {
  const deviation = options.volatility[at]! * Math.sqrt(options.years[at]!);
  options.strike[at] = 60_000 * Math.exp((6 * random.next() - 3) * deviation);
}
const out = { price: column(), delta: column(), gamma: column(), vega: column(), theta: column(), rho: column() };
const implied = {
  volatility: column(),
  uncertainty: column(),
  refusal: new Uint8Array(ROWS),
  evaluations: new Uint8Array(ROWS),
};
const quoted = { ...options, price: out.price };

const rows = Array.from({ length: ROWS }, (_none, at): SpotOption => {
  const [underlying, strike, years] = [options.underlying[at]!, options.strike[at]!, options.years[at]!];
  const right = options.calls[at] === 1 ? 'call' : 'put';
  return { right, underlying, strike, years, volatility: options.volatility[at]!, rate: 0.04, yield: 0.01 };
});
let sum = 0;
const chain = {
  strike: options.strike,
  callBid: column(),
  callAsk: column().fill(1),
  putBid: column(),
  putAsk: column().fill(1),
};
const forward = { bid: 60_000, ask: 60_001, discount: 0.99, settlement: 'linear' as const };
const edges = { conversion: column(), reversal: column() };

measure('black-scholes, 5 greeks', () => blackScholesInto(options, out));
measure('black-76, 5 greeks', () => black76Into(options, out));
measure('implied, black-76', () => impliedBlack76Into(quoted, implied));
measure('parity, both ways', () => parityEdgesInto(chain, forward, edges));
measure('black-scholes, 5 greeks, one at a time', () => {
  for (let at = 0; at < ROWS; at += 1) sum += blackScholes(rows[at]!).price;
});
if (Number.isNaN(sum)) throw new Error('the bench expects prices');

/** The quickest pass of all: noise only adds. Bytes are of the best of three: what the code allocates is there each time. */
function measure(name: string, run: () => void): void {
  for (let warm = 0; warm < 200; warm += 1) run();
  let ns = Infinity;
  let bytes = Infinity;
  for (let attempt = 0; attempt < 3; attempt += 1) {
    globalThis.gc?.();
    const heap = process.memoryUsage().heapUsed;
    for (let round = 0; round < ROUNDS; round += 1) run();
    bytes = Math.min(bytes, (process.memoryUsage().heapUsed - heap) / ROUNDS / ROWS);
    for (let round = 0; round < ROUNDS; round += 1) {
      const startedNs = process.hrtime.bigint();
      run();
      ns = Math.min(ns, Number(process.hrtime.bigint() - startedNs) / ROWS);
    }
  }
  process.stdout.write(`${JSON.stringify({ name, ns, bytes })}\n`);
}
