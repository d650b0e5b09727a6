import { blackScholes } from '#shared/quant/black.ts';
import type { SpotOption } from '#shared/quant/option.ts';
import { randomFrom } from '#shared/random.ts';
import type { Row } from './cases.ts';
import { FastEngine } from './fast-engine.ts';
import { gateCases } from './gate-case.ts';
import { latencyOf } from './latency-case.ts';
import { median, note, nsHistogram, percentilesOf } from './measure.ts';
import { orderFlowCases } from './order-flow-case.ts';
import { riskCases } from './risk-case.ts';
import { scaleMarket } from './scale-market.ts';
import { allRoutes, opened } from './scale-world.ts';
import { storeCases } from './store-case.ts';
import { wireCases } from './wire-case.ts';

const SEED = 1;
const SYMBOLS = 200;
const UPDATES_A_SECOND = 10_000;

export type ReferenceSize = {
  /** Messages a round, rounds, plans, and how long the steady rate is kept. */
  readonly frames: number;
  readonly rounds: number;
  readonly plans: number;
  readonly seconds: number;
};

/**
 * What native systems of this kind are said to do, one figure each: the limit in the last column is theirs. Every figure is of the engine's own parts, on one
 * core.
 */
export async function referenceCases({ frames, rounds, plans, seconds }: ReferenceSize): Promise<readonly Row[]> {
  const paths = pathCases(frames, rounds);
  const steady = await latencyOf({ rate: UPDATES_A_SECOND, seconds, symbols: SYMBOLS });
  const [orders] = orderFlowCases(Math.ceil(plans / 2), rounds);
  const wire = await wireCases(plans);
  const metrics = riskCases(frames / 20).find(({ unit }) => unit === 'recalculations/s')!;
  const [store] = await storeCases(Math.ceil(frames / 8), rounds);
  const gate = gateCases(Math.max(1, Math.ceil(plans / 200))).filter(({ name }) => name.endsWith('p99'));
  const { value: slowestNs, hash } = gate.reduce((one, other) => (other.value > one.value ? other : one));
  return [
    ...paths,
    least(orders!, 'orders through gate, journal and gateway', 10_000),
    least(metrics, 'risk metrics after a change', 25_000),
    least(store!, 'store operations in batches to a stub', 15_000),
    priceCase(frames),
    most({ ...wire.at(-1)!, hash: '', plainHash: '' }, 'approved → signed orders of two legs, p99', 5_200),
    most({ name: '', unit: 'µs/plan', value: slowestNs / 1e3, hash }, 'risk of a plan, over the limit too, p99', 2_300),
    alone('memory of 8 × 200 symbols, all routes', 'MB', steady.rssMb, 4_096),
    alone(`processor at ${UPDATES_A_SECOND.toLocaleString('en')} updates/s`, '% of a core', steady.cpuShare * 100, 50),
  ];
}

const named = (row: Row, name: string, goal: Row['goal']): Row => ({
  ...row,
  name: `reference: ${name}`,
  ...(goal === undefined ? {} : { goal }),
});
const least = (row: Row, name: string, bound: number): Row => named(row, name, { of: 'value', least: bound });
const most = (row: Row, name: string, bound: number): Row => named(row, name, { of: 'value', most: bound });
const alone = (name: string, unit: string, value: number, bound: number): Row =>
  most({ name, unit, value, hash: '' }, name, bound);

/** Frame → decision at scale: how many a second, and the slowest of a thousand. */
function pathCases(messages: number, rounds: number): readonly Row[] {
  const market = scaleMarket(SEED, { frames: messages * (rounds + 1), symbols: SYMBOLS });
  const running = opened(FastEngine, { ...market, routes: allRoutes(market.instruments) });
  const times: number[] = [];
  const histogram = nsHistogram();
  for (let round = 0; round <= rounds; round += 1) {
    const started = performance.now();
    for (let at = round * messages; at < (round + 1) * messages; at += 1) {
      const began = performance.now();
      running.take(market.frames[at]!);
      if (round > 0) note(histogram, (performance.now() - began) * 1e6);
    }
    if (round > 0) times.push((performance.now() - started) / 1e3);
  }
  const { hex: hash } = running.hash;
  const percentiles = percentilesOf(histogram, 1e6);
  const updates = { name: '', unit: 'updates/s', value: messages / median(times), hash };
  const decided = { name: '', unit: 'ms/update', value: percentiles['p99']!, hash, percentiles };
  return [least(updates, 'market updates', 50_000), most(decided, 'detection, frame to decision, p99', 1)];
}

/** One option's price and Greeks, the caller's objects and all. */
function priceCase(options: number): Row {
  const random = randomFrom(SEED);
  const histogram = nsHistogram();
  for (let at = 0; at < options; at += 1) {
    const option: SpotOption = {
      right: random.next() < 0.5 ? 'call' : 'put',
      underlying: 100,
      strike: 60 + 80 * random.next(),
      years: (1 + random.integer(365)) / 365,
      volatility: 0.3 + 0.7 * random.next(),
      rate: 0.04,
      yield: 0.01,
    };
    const started = performance.now();
    blackScholes(option);
    note(histogram, (performance.now() - started) * 1e6);
  }
  const percentiles = percentilesOf(histogram, 1e6);
  const price = { name: '', unit: 'ms/option', value: percentiles['p99']!, hash: '', percentiles };
  return most(price, 'an option priced with its Greeks, p99', 0.12);
}
