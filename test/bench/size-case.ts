import { compileRoutes } from '#hotpath/detect/compile.ts';
import type { InstrumentIndex, RouteId, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Route } from '#shared/domain/route.ts';
import { amountOf } from '#shared/money/grid.ts';
import { Books, spot } from '#test/support/market.ts';
import type { Levels } from '#test/support/market.ts';
import { listing } from '#test/support/options.ts';
import type { Row } from './cases.ts';
import { decisionStages, engine } from './decision.ts';
import { median } from './measure.ts';
import { ResultHash } from './result-hash.ts';

const LEVELS = 60;
/** Beyond every cool-down. */
const STEP_NS = 1e9;

/** Routes that pay → walked, put on their grids in decimals, approved: what a decision to trade costs. */
export const sizeCases = (plans: number, rounds: number): readonly Row[] => [
  sized('size and approve, 3 legs', triangle(), [plans, rounds]),
  sized('size and approve, conversion', conversion(), [plans, rounds]),
];

type Subject = { readonly instruments: readonly Instrument[]; readonly books: Books; readonly route: Route };

function sized(name: string, { instruments, books, route }: Subject, [plans, rounds]: readonly [number, number]): Row {
  const hash = new ResultHash();
  const { size, risk, publish } = decisionStages(instruments, [route], books, hash);
  let nowNs = 0;
  const decide = (): void => {
    nowNs += STEP_NS;
    const answer = size.size(0, nowNs as TimeNs);
    if (answer?.kind !== 'plan') throw new Error(`the bench expects a plan, not ${JSON.stringify(answer)}`);
    publish.opportunity(0, answer, risk.approve(answer.plan, nowNs as TimeNs), nowNs as TimeNs);
    publish.tell();
  };
  const times = Array.from({ length: rounds + 1 }, () => {
    const started = performance.now();
    for (let plan = 0; plan < plans; plan += 1) decide();
    return ((performance.now() - started) * 1e6) / plans;
  });
  return { name, unit: 'ns/plan', value: median(times.slice(1)), hash: hash.hex };
}

function triangle(): Subject {
  const instruments = [
    spot('a:BTC/USDT', { tick: '0.01', lot: '0.00001', fee: '0.001' }),
    spot('a:ETH/BTC', { tick: '0.00001', lot: '0.0001', fee: '0.001' }),
    spot('a:ETH/USDT', { tick: '0.01', lot: '0.0001', fee: '0.001' }),
  ];
  const books = booksOf([
    [30_000, 0.5],
    [0.066, 0.00001],
    [2_000, 0.05],
  ]);
  const { routes } = compileRoutes(instruments, engine, 0);
  return { instruments, books, route: routes.find(({ id }) => id === 'cycle:a:BTC/USDT>a:ETH/BTC>a:ETH/USDT')! };
}

/** Coin-settled: the call sold is dearer than the put and the future that cancel it. */
function conversion(): Subject {
  const fees = { maker: amountOf('0.0003'), taker: amountOf('0.0003'), currency: 'settle' } as const;
  const option = {
    lot: amountOf('0.1'),
    tick: amountOf('0.0001'),
    fees: { ...fees, premiumShareMax: amountOf('0.125') },
  };
  const future = { lot: amountOf(1), tick: amountOf('0.5'), contractSize: amountOf(10), fees };
  const instruments = [
    listing('a:BTC/USD:BTC-261225', future),
    listing('a:BTC/USD:BTC-261225-30000-C', option),
    listing('a:BTC/USD:BTC-261225-30000-P', option),
  ];
  const route: Route = {
    id: 'parity:bench' as RouteId,
    family: 'parity',
    evaluator: 'sum',
    start: 'BTC' as Route['start'],
    legs: [
      { instrument: 0 as InstrumentIndex, side: 'buy', ratio: 30_000, unit: 'quote' },
      { instrument: 1 as InstrumentIndex, side: 'sell', ratio: 1 },
      { instrument: 2 as InstrumentIndex, side: 'buy', ratio: 1 },
    ],
    terms: {
      certainty: 'locked',
      notional: { amount: 1 },
      payoffs: [{ atMs: 1e9, amount: -1 }],
      closings: [],
      deliveries: [],
      endsMs: 1e9,
    },
  };
  const books = booksOf([
    [30_000, 0.5, 1e4],
    [0.06, 0.0001],
    [0.05, 0.0001],
    [30_000, 0.5],
  ]);
  // Spot, by which the coin is valued.
  return { instruments: [...instruments, spot('a:BTC/USDT')], books, route };
}

/** Books of many levels, from a middle price and a distance of levels. */
function booksOf(middles: readonly (readonly [price: number, step: number, depth?: number])[]): Books {
  const books = new Books(middles.length);
  for (const [at, [price, step, depth = 1]] of middles.entries()) {
    const side = (direction: number): Levels =>
      Array.from({ length: LEVELS }, (_none, level) => [
        Number((price + direction * step * (level + 1)).toFixed(6)),
        (0.5 + (level % 7) / 10) * depth,
      ]);
    books.set(at, { bids: side(-1), asks: side(1) });
  }
  return books;
}
