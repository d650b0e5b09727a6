import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { engineFrom } from '#hotpath/engine.ts';
import type { EngineOptions } from '#hotpath/prepare.ts';
import { prepareEngine } from '#hotpath/prepare.ts';
import { FigurerThread } from '#hotpath/risk/figurer.ts';
import { silentLogger } from '#hotpath/runtime/logger.ts';
import { networkTransport } from '#hotpath/runtime/network-transport.ts';
import type { SocketHandlers, Transport } from '#hotpath/runtime/transport.ts';
import { venues } from '#hotpath/venues/index.ts';
import { warmUp } from '#hotpath/warm-up.ts';
import { simulatorConfigOf, simulatorKeys, throughSimulator } from '#local/simulated.ts';
import { Child } from '#local/supervisor.ts';
import type { Clock } from '#shared/clock/clock.ts';
import { systemClock } from '#shared/clock/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { randomFrom } from '#shared/random.ts';
import type { Config } from '#shared/schema/config.ts';
import type { PlantSpec } from '#simulator/planting.ts';
import { liveConfig } from '../hotpath/live/live-world.ts';
import { note, nsHistogram, percentilesOf } from './measure.ts';

/** In microseconds, from the read that brought the frame; `ticks` of them led to two orders, `filled` to two fills. */
export type TickResult = {
  readonly sentUs: Readonly<Record<string, number>>;
  readonly filledUs: Readonly<Record<string, number>>;
  readonly ticks: number;
  readonly filled: number;
};

const SEED = 3;
const VENUES = ['binance', 'okx'] as const;
const SYMBOL = 'BTC/USDT';
const LIVE_WITHIN_MS = 60_000;
const FILLED_WITHIN_MS = 5_000;
/** The market is even again for so long before the next tick: routes cool down meanwhile. */
const REST_MS = 150;
const EVEN = 90_000;
/** Sixty-five basis points: what is left after the fees of two legs pays. */
const APART = 585;

/** What happened since the last tick was planted. Times are nanoseconds of the clock; NaN: not yet. */
class Watch {
  orders = 0;
  frameNs = NaN;
  tickNs = NaN;
  sentNs = NaN;
  filledNs = NaN;
  fillsBefore = 0;
  inFrame = false;

  begin(fills: number): void {
    this.orders = 0;
    this.tickNs = NaN;
    this.sentNs = NaN;
    this.filledNs = NaN;
    this.fillsBefore = fills;
  }
}

/** `argv[2]`: how many ticks. */
const ticks = Number(process.argv[2]);
const clock = systemClock();
const dataDir = mkdtempSync(join(tmpdir(), 'arb-tick-'));
const config = configOf();
const market = await startMarket();
const watch = new Watch();
const options: EngineOptions = {
  config: { ...config, venues: throughSimulator(config, market.port) },
  venues,
  clock,
  random: randomFrom(SEED),
  logger: silentLogger,
  transport: watched(networkTransport(clock), clock),
  seed: SEED,
  journalDir: join(dataDir, 'journal'),
  version: 'bench',
  publishedSeq: () => 0,
  credentials: simulatorKeys(VENUES),
  figurer: new FigurerThread(clock, (error) => {
    throw error;
  }),
};
const prepared = await prepareEngine(options);
await warmUp(options, prepared, loadConfig({ dir: 'config', env: {} }).engine.warm_up_plans, () => false);
const engine = engineFrom(options, prepared);
const histograms = { sent: nsHistogram(), filled: nsHistogram() };
try {
  engine.start();
  await plant(EVEN, EVEN);
  await until(() => engine.feed.status().every(({ live_books: live }) => live > 0), LIVE_WITHIN_MS);
  await until(() => engine.accounts?.statuses().every(({ verified }) => verified) ?? false, LIVE_WITHIN_MS);
  for (let at = 0; at < ticks; at += 1) await tick(at);
} finally {
  engine.finish('bench');
  await market.child.stop(LIVE_WITHIN_MS);
  rmSync(dataDir, { recursive: true, force: true });
}
const result: TickResult = {
  sentUs: percentilesOf(histograms.sent, 1e3),
  filledUs: percentilesOf(histograms.filled, 1e3),
  ticks: histograms.sent.totalCount,
  filled: histograms.filled.totalCount,
};
process.send!(result, undefined, undefined, () => process.exit(0));

/** One venue is cheap, the next time the other: what is bought here and sold there goes back. */
async function tick(at: number): Promise<void> {
  watch.begin(engine.ledger.fills);
  await plant(EVEN + (at % 2 === 0 ? 0 : APART), EVEN + (at % 2 === 0 ? APART : 0));
  await until(() => !Number.isNaN(watch.filledNs), FILLED_WITHIN_MS);
  // The first tenth warms up.
  if (at >= ticks / 10 && !Number.isNaN(watch.sentNs)) note(histograms.sent, watch.sentNs - watch.tickNs);
  if (at >= ticks / 10 && !Number.isNaN(watch.filledNs)) note(histograms.filled, watch.filledNs - watch.tickNs);
  await plant(EVEN, EVEN);
  await until(() => engine.idle, FILLED_WITHIN_MS);
  await wait(REST_MS);
}

/** The engine's sockets with a look at the clock around what comes and what goes. */
function watched(transport: Transport, { now }: Clock): Transport {
  return {
    ...transport,
    open: (url, handlers, use) => {
      const socket = transport.open(url, use === 'feed' ? feedSide(handlers) : accountSide(handlers), use);
      if (use === 'feed') return socket;
      return {
        ...socket,
        send: (text) => {
          socket.send(text);
          if (!watch.inFrame || watch.orders === 2) return;
          watch.orders += 1;
          watch.tickNs = watch.frameNs;
          if (watch.orders === 2) watch.sentNs = now();
        },
        close: () => socket.close(),
      };
    },
  };
}

function feedSide(handlers: SocketHandlers): SocketHandlers {
  return {
    ...handlers,
    onFrame: (bytes, start, end, readNs) => {
      watch.frameNs = readNs;
      watch.inFrame = true;
      handlers.onFrame(bytes, start, end, readNs);
      watch.inFrame = false;
    },
  };
}

function accountSide(handlers: SocketHandlers): SocketHandlers {
  return {
    ...handlers,
    onFrame: (bytes, start, end, readNs) => {
      handlers.onFrame(bytes, start, end, readNs);
      if (Number.isNaN(watch.filledNs) && engine.ledger.fills >= watch.fillsBefore + 2) watch.filledNs = clock.now();
    },
  };
}

function configOf(): Config {
  const live = liveConfig();
  return {
    ...live,
    system: { ...live.system, data_dir: dataDir },
    engine: { ...live.engine, venues: [...VENUES], symbols: [SYMBOL], families: ['spatial'], streams: [] },
    breakers: { ...live.breakers, enabled: false },
    simulator: { ...live.simulator, updates_per_second: 10, dislocations_per_minute: 0 },
  };
}

async function startMarket(): Promise<{ readonly child: Child; readonly port: number }> {
  return new Promise((resolve, reject) => {
    const child: Child = new Child({
      name: 'market',
      entry: 'simulator/main.ts',
      args: [JSON.stringify({ ...simulatorConfigOf(config), port: 0, seed: SEED, batch_ms: 0 })],
      onMessage: () => undefined,
      onLine: (line) => resolve({ child, port: (JSON.parse(line) as { readonly listening: number }).listening }),
      onTrouble: (line) => process.stderr.write(`${line}\n`),
      onGone: (how) => reject(new Error(how)),
    });
  });
}

/** Books of both venues around these prices; nothing else moves. */
async function plant(binance: number, okx: number): Promise<void> {
  const around = (middle: number, side: 1 | -1): [string, string][] =>
    Array.from({ length: 10 }, (_none, at) => [(middle + side * (5 + at)).toFixed(1), '0.5']);
  const spec: PlantSpec = {
    books: [binance, okx].map((middle, at) => ({
      venue: VENUES[at]!,
      symbol: SYMBOL,
      bids: around(middle, -1),
      asks: around(middle, 1),
    })),
    quiet: true,
  };
  const answer = await fetch(`http://127.0.0.1:${market.port}/_control/plant`, {
    method: 'POST',
    body: JSON.stringify(spec),
  });
  if (!answer.ok) throw new Error(`not planted: ${await answer.text()}`);
}

async function until(holds: () => boolean, withinMs: number): Promise<void> {
  for (const untilNs = clock.now() + withinMs * 1e6; !holds() && clock.now() < untilNs;) await wait(1);
}
