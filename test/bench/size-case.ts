import { compileRoutes } from '#hotpath/detect/compile.ts';
import type { TimeNs } from '#shared/domain/ids.ts';
import { Books, spot } from '#test/support/market.ts';
import type { Levels } from '#test/support/market.ts';
import type { Row } from './cases.ts';
import { decisionStages, engine } from './decision.ts';
import { median } from './measure.ts';
import { ResultHash } from './result-hash.ts';

const LEVELS = 60;
/** Beyond every cool-down. */
const STEP_NS = 1e9;

/** One triangle that pays → walked, put on its grids in decimals, approved: what a decision to trade costs. */
export function sizeCase(plans: number, rounds: number): Row {
  const instruments = [
    spot('a:BTC/USDT', { tick: '0.01', lot: '0.00001', fee: '0.001' }),
    spot('a:ETH/BTC', { tick: '0.00001', lot: '0.0001', fee: '0.001' }),
    spot('a:ETH/USDT', { tick: '0.01', lot: '0.0001', fee: '0.001' }),
  ];
  const books = new Books(instruments.length);
  for (const [at, [price, step]] of [
    [30_000, 0.5] as const,
    [0.066, 0.00001] as const,
    [2_000, 0.05] as const,
  ].entries()) {
    const side = (direction: number): Levels =>
      Array.from({ length: LEVELS }, (_none, level) => [
        Number((price + direction * step * (level + 1)).toFixed(6)),
        0.5 + (level % 7) / 10,
      ]);
    books.set(at, { bids: side(-1), asks: side(1) });
  }
  const { routes } = compileRoutes(instruments, engine, 0);
  const route = routes.findIndex(({ id }) => id === 'cycle:a:BTC/USDT>a:ETH/BTC>a:ETH/USDT');
  const hash = new ResultHash();
  const { size, risk, publish } = decisionStages(instruments, routes, books, hash);
  let nowNs = 0;
  const decide = (): void => {
    nowNs += STEP_NS;
    const sized = size.size(route, nowNs as TimeNs);
    if (sized?.kind !== 'plan') throw new Error(`the bench expects a plan, not ${JSON.stringify(sized)}`);
    publish.opportunity(route, sized, risk.approve(sized.plan, nowNs as TimeNs), nowNs as TimeNs);
  };
  const times = Array.from({ length: rounds + 1 }, () => {
    const started = performance.now();
    for (let plan = 0; plan < plans; plan += 1) decide();
    return ((performance.now() - started) * 1e6) / plans;
  });
  return {
    name: 'size and approve, 3 legs',
    unit: 'ns/plan',
    value: median(times.slice(1)),
    hash: hash.hex,
    plainHash: hash.hex,
  };
}
