import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Engine } from '#hotpath/engine.ts';
import { statusMaker } from '#hotpath/engine-status.ts';
import type { Tenure } from '#hotpath/lease/tenure.ts';
import { readJournal } from '#hotpath/publish/journal.ts';
import type { VirtualWorld } from '#local/virtual-world.ts';
import { engineIn, virtualWorld } from '#local/virtual-world.ts';
import { BadInput } from '#shared/assert.ts';
import type { EngineEvent } from '#shared/schema/event.ts';
import { priceOf } from '#simulator/listings.ts';
import type { Simulator } from '#simulator/simulator.ts';
import { LIVE_VENUES, liveConfig, ordersAt } from '../live/live-world.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tenure-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** A lease that is good until it is said why not. */
class Granted implements Tenure {
  readonly holder: string;
  readonly epoch: number;
  readonly leftMs = 1_000;
  why: string | undefined;

  constructor(epoch: number) {
    this.holder = `holder-${epoch}`;
    this.epoch = epoch;
  }

  readonly fence = (): string | undefined => this.why;
}

const named = (lease: Tenure) => ({ seed: 7, journalDir: directory, version: 'test', lease });
const events = (): readonly EngineEvent[] => [...readJournal(directory)];
const ordered = ({ simulator }: VirtualWorld): number =>
  LIVE_VENUES.reduce((sum, venue) => sum + ordersAt(simulator.exchange(venue)).length, 0);
const forward = ({ clock }: VirtualWorld, ms: number): void => clock.runUntil(clock.now() + ms * 1e6);

async function started(lease: Tenure): Promise<VirtualWorld> {
  const world = await virtualWorld(liveConfig(), named(lease));
  world.engine.start();
  forward(world, 4_000);
  return world;
}

describe('an engine under a lease', () => {
  it('trades under its epoch, and says who holds it, from when to when', async () => {
    const lease = new Granted(5);
    const world = await started(lease);
    const { engine, clock } = world;
    expect(engine.epoch).toBe(5);
    expect(ordered(world)).toBeGreaterThan(0);
    const status = statusMaker({
      engine,
      clock,
      name: 'e',
      version: 'test',
      startedAtMs: 0,
      shipping: () => ({ publishedSeq: 0, lagRecords: 0, lagMs: 0 }),
      load: () => ({ memoryBytes: 0, cpuPercent: 0 }),
    });
    expect(status().lease).toEqual({ holder: 'holder-5', epoch: 5, left_ms: 1_000 });
    engine.finish('test');
    expect(events().flatMap((event) => (event.kind === 'lease' ? [event.data] : []))).toEqual([
      { state: 'held', holder: 'holder-5', epoch: 5, reason: 'taken' },
      { state: 'released', holder: 'holder-5', epoch: 5, reason: 'test' },
    ]);
    expect(readdirSync(directory).filter((name) => name.endsWith('.journal'))).toEqual([
      '0000000000000001-000005.journal',
    ]);
  });

  it('sends nothing while it is not renewed, and goes on when it is again', async () => {
    const lease = new Granted(1);
    const world = await started(lease);
    lease.why = 'lease not renewed';
    const before = ordered(world);
    // What has left may still arrive.
    forward(world, 50);
    const arrived = ordered(world);
    expect(arrived - before).toBeLessThan(20);
    forward(world, 5_000);
    expect(ordered(world)).toBe(arrived);
    expect(world.engine.trading).toEqual({ state: 'halted', reason: 'lease not renewed' });
    lease.why = undefined;
    forward(world, 5_000);
    expect(ordered(world)).toBeGreaterThan(arrived);
    expect(world.engine.trading.state).toBe('active');
    world.engine.finish('test');
  });

  it('goes on where an engine of an older epoch was cut off, and cannot be one itself', async () => {
    const lost = new Granted(3);
    const world = await started(lost);
    lost.why = 'lease lost';
    const next = await engineIn(world, liveConfig(), named(new Granted(4)));
    const length = next.journal.lastSeq;
    const { lastSeq } = world.engine.journal;
    next.start();
    // The old one does not know yet: it writes on, and nobody reads it.
    forward(world, 3_000);
    expect(world.engine.journal.lastSeq).toBeGreaterThan(lastSeq);
    const [first, ...later] = events().slice(length);
    expect(first).toMatchObject({ seq: length + 1, kind: 'engine-started', data: { epoch: 4 } });
    expect(later.filter(({ kind }) => kind === 'engine-started')).toEqual([]);
    expect(events().map(({ seq }) => seq)).toEqual(events().map((_, at) => at + 1));
    world.engine.finish('lost');
    next.finish('test');
    await expect(engineIn(world, liveConfig(), named(new Granted(4)))).rejects.toThrow(BadInput);
  });
});

/** The network of one process. Cut, nothing of it arrives any more, and nothing at it: so it looks when the process is dead. */
class Network {
  readonly simulator: Simulator;
  readonly #open = new Set<{ readonly closed: () => void }>();
  #isCut = false;

  constructor(simulator: Simulator) {
    this.simulator = {
      ...simulator,
      request: (request) =>
        this.#isCut ? { status: 0, headers: {}, body: '', delayMs: Infinity } : simulator.request(request),
      connect: (path, client) => {
        const connection = simulator.connect(path, {
          send: (bytes) => {
            if (!this.#isCut) client.send(bytes);
          },
          close: (code, reason) => {
            if (!this.#isCut) client.close(code, reason);
          },
        });
        this.#open.add(connection);
        return {
          ...connection,
          message: (text) => {
            if (!this.#isCut) connection.message(text);
          },
          closed: () => connection.closed(),
        };
      },
    };
  }

  cut(): void {
    this.#isCut = true;
    for (const connection of this.#open) connection.closed();
  }
}

describe("the venues' switches under a lease", () => {
  const VENUES = ['okx', 'kraken'] as const;
  // What is cut off looks like a slow venue from within.
  const { breakers, ...others } = liveConfig();
  const CONFIG = { ...others, breakers: { ...breakers, enabled: false } };
  /** So far below every book that it rests. */
  const rest = (engine: Engine, { clock }: VirtualWorld, price: string): void => {
    const order = { kind: 'order', side: 'buy', type: 'limit', qty: '0.01', price, time_in_force: 'GTC' } as const;
    const about = { v: 1, by: 'test', at_ms: clock.unixMs(clock.now()) } as const;
    for (const venue of VENUES)
      engine.obey({ ...about, ...order, id: `${venue}:${price}`, instrument: `${venue}:BTC/USDT` });
  };
  const openAt = ({ simulator }: VirtualWorld, price: string): readonly string[] =>
    VENUES.filter((venue) =>
      ordersAt(simulator.exchange(venue)).some(
        (order) => order.status === 'open' && priceOf(order.listing, order.price).eq(price),
      ),
    );
  const dead = async (): Promise<VirtualWorld> => {
    const world = await virtualWorld(CONFIG, named(new Granted(1)));
    const network = new Network(world.simulator);
    const engine = await engineIn({ clock: world.clock, simulator: network.simulator }, CONFIG, named(new Granted(2)));
    engine.start();
    forward(world, 4_000);
    rest(engine, world, '20000');
    forward(world, 1_000);
    expect(openAt(world, '20000')).toEqual(VENUES);
    network.cut();
    return world;
  };

  it('end what an engine left that died, when nobody takes over', async () => {
    const world = await dead();
    forward(world, 40_000);
    expect(openAt(world, '20000')).toEqual(VENUES);
    forward(world, 30_000);
    expect(openAt(world, '20000')).toEqual([]);
  });

  it('of an engine that died do not end what its successor has resting, nor are they left armed by a clean stop', async () => {
    const world = await dead();
    forward(world, 2_500);
    const next = await engineIn(world, CONFIG, named(new Granted(3)));
    next.start();
    forward(world, 10_000);
    rest(next, world, '21000');
    forward(world, 90_000);
    // What the successor has asked of the other venue just before may have spent its rate limit.
    expect(openAt(world, '21000')).toContain('okx');
    next.finish('test');
    forward(world, 90_000);
    expect(openAt(world, '21000')).toContain('okx');
  });
});
