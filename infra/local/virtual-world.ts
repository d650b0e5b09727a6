import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import { randomFrom } from '#shared/random.ts';
import type { Config } from '#shared/schema/config.ts';
import type { Engine } from '#hotpath/engine.ts';
import { openEngine } from '#hotpath/engine.ts';
import type { Trading } from '#hotpath/trading-control.ts';
import type { Tenure } from '#hotpath/lease/tenure.ts';
import { createLogger } from '#hotpath/runtime/logger.ts';
import { venues } from '#hotpath/venues/index.ts';
import type { Simulator } from '#simulator/simulator.ts';
import { createSimulator } from '#simulator/simulator.ts';
import { inProcessTransport } from './in-process-transport.ts';
import { simulatorConfigOf, simulatorKeys, throughSimulator } from './simulated.ts';

/** 2026-01-01T00:00:00Z: every virtual run begins there, so that equal seeds give equal times. */
const ORIGIN_UNIX_NS = 1_767_225_600_000_000_000n;
const WIRE_LATENCY_MS = 1;
/** Virtual time between two looks at the real world. */
export const SLICE_NS = 250e6;
const DRAIN_OPERATIONS_NS = 10e9;

export type VirtualWorld = { readonly engine: Engine; readonly clock: VirtualClock; readonly simulator: Simulator };

type Naming = {
  readonly seed: number;
  readonly journalDir: string;
  readonly version: string;
  readonly lease?: Tenure;
  readonly restriction?: Trading;
};

/** Engine and simulated venues in this process on one virtual clock: same configuration and seed, same run. Nothing has started but the market. */
export async function virtualWorld(config: Config, naming: Naming): Promise<VirtualWorld> {
  const clock = new VirtualClock(ORIGIN_UNIX_NS);
  const random = randomFrom(naming.seed).fork('market');
  const simulator = createSimulator({ clock, random, config: simulatorConfigOf(config) });
  simulator.start();
  return { engine: await engineIn({ clock, simulator }, config, naming), clock, simulator };
}

/** An engine in a world that is there already: the next start, after one that has ended. */
export function engineIn(
  { clock, simulator }: Pick<VirtualWorld, 'clock' | 'simulator'>,
  config: Config,
  { lease, ...naming }: Naming,
): Promise<Engine> {
  const random = randomFrom(naming.seed);
  return opened(
    clock,
    openEngine(
      {
        // The simulator's address is a name only: nothing listens there.
        config: { ...config, venues: throughSimulator(config, 1) },
        venues,
        clock,
        random: random.fork('engine'),
        logger: createLogger({ name: 'engine', level: config.system.log_level, clock }),
        transport: inProcessTransport(simulator, clock, random.fork('wire'), WIRE_LATENCY_MS),
        ...naming,
        // Nothing is shipped before the end, so nothing may go.
        publishedSeq: () => 0,
        credentials: simulatorKeys(config.engine.venues),
      },
      lease,
    ),
  );
}

/** Nothing new begins; what is open goes on to its end. */
export function drained({ engine, clock }: VirtualWorld): void {
  engine.drain();
  const untilNs = clock.now() + DRAIN_OPERATIONS_NS;
  while (!engine.idle && clock.step(untilNs));
}

/** Start-up awaits answers: time goes on, event by event, until they are there. */
async function opened<T>(clock: VirtualClock, promise: Promise<T>): Promise<T> {
  const answer = { settled: false };
  const settle = (): void => {
    answer.settled = true;
  };
  promise.then(settle, settle);
  for (;;) {
    await new Promise((resolve) => setImmediate(resolve));
    if (answer.settled) return promise;
    clock.step(clock.now() + SLICE_NS);
  }
}
