import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Decimal } from 'decimal.js';
import { virtualWorld } from '#local/virtual-world.ts';
import { loadConfig } from '#shared/config/load.ts';
import type { Approved, Plan } from '#shared/domain/trade.ts';
import { DEFAULT_ACCOUNT } from '#simulator/accounts.ts';
import type { Exchange } from '#simulator/exchange.ts';
import { planOf } from '../hotpath/execute/trading.ts';
import type { Goal, Row } from './cases.ts';
import { ResultHash } from './result-hash.ts';

const VENUES = ['binance', 'okx'];
/** Virtual time: what the venues answer, and what their limits let through again. */
const BETWEEN_NS = 1e9;
/** Plans are timed one by one; of so many in a row, the quietest stretch has the least percentile. */
const STRETCHES = 8;
/** Share of the plans, the first ones: their code is still being compiled. */
const WARM_UP = 0.2;

/**
 * An approved plan → the orders of both legs reserved, journalled (to a file), signed, encoded and written to the order sockets of two venues: the whole
 * engine in live mode, its sockets held in this process. What the kernel and the network add is not in it.
 */
export async function wireCases(plans: number): Promise<readonly Row[]> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-wire-'));
  const { engine: settings, system, simulator: market, ...config } = loadConfig({ dir: 'config', env: {} });
  const { engine, clock, simulator } = await virtualWorld(
    {
      ...config,
      system: { ...system, log_level: 'error' },
      engine: { ...settings, mode: 'live', venues: VENUES, symbols: ['BTC/USDT'], families: ['spatial'], streams: [] },
      simulator: { ...market, updates_per_second: 1, dislocations_per_minute: 0 },
    },
    { seed: 1, journalDir: join(directory, 'journal'), version: 'bench' },
  );
  engine.start();
  clock.runUntil(clock.now() + 5e9);
  const warmUp = Math.floor(plans * WARM_UP);
  const times = new Float64Array(plans - warmUp);
  for (let at = 0; at < plans; at += 1) {
    const plan = planNumbered(at);
    const started = performance.now();
    engine.executor.submit(plan);
    if (at >= warmUp) times[at - warmUp] = (performance.now() - started) * 1e3;
    clock.runUntil(clock.now() + BETWEEN_NS);
  }
  const hash = new ResultHash();
  for (const venue of VENUES) hash.integer(ordersAt(simulator.exchange(venue)));
  const expected = new ResultHash();
  VENUES.forEach(() => expected.integer(plans));
  engine.finish('bench');
  rmSync(directory, { recursive: true });
  const length = Math.ceil(times.length / STRETCHES);
  const stretches = Array.from({ length: STRETCHES }, (_none, at) =>
    times.slice(at * length, (at + 1) * length).sort(),
  );
  times.sort();
  const at = (sorted: Float64Array, share: number): number => sorted[Math.floor(sorted.length * share)]!;
  const row = (name: string, share: number, goal?: Goal): Row => ({
    name: `approved → bytes on two sockets, ${name}`,
    unit: 'µs/plan',
    value: at(times, share),
    quiet: Math.min(...stretches.map((stretch) => at(stretch, share))),
    hash: hash.hex,
    plainHash: expected.hex,
    ...(goal === undefined ? {} : { goal }),
  });
  return [row('p50', 0.5, { of: 'value', most: 100 }), row('p99', 0.99)];
}

/** Far from every price: both orders end unfilled, and nothing is left to do. */
function planNumbered(at: number): Approved<Plan> {
  const rates = { BTC: new Decimal(90_000), USDT: new Decimal(1) };
  const legs = planOf(`bench-${String(at)}`, [
    ['binance:BTC/USDT', 'buy', '0.001', '20000'],
    ['okx:BTC/USDT', 'sell', '0.001', '200000'],
  ]);
  return { ...legs, rates };
}

const ordersAt = (exchange: Exchange): number =>
  exchange.ordersOf(exchange.ledger.byKey(DEFAULT_ACCOUNT.apiKey)!).length;
