import { describe, expect, it } from 'vitest';
import type { Clock } from '#shared/clock/clock.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import type { EngineEvent, EventData, EventKind } from '#shared/schema/event.ts';
import type { Recorder } from '#shared/schema/recorder.ts';
import { BREAKER_IDS, Breakers } from '#hotpath/risk/breakers.ts';
import type { BreakerId } from '#hotpath/risk/breakers.ts';

const config = {
  ...loadConfig({ dir: 'config', env: {} }).breakers,
  consecutive_losses: { max: 3, trips: 'reducing' },
  window_loss: { usd: 100, minutes: 10, trips: 'halted' },
  reject_streak: { max: 3, trips: 'reducing' },
  error_rate: { share: 0.5, orders_min: 4, minutes: 5, trips: 'reducing' },
  latency: { ms: 200, orders_min: 4, minutes: 5, trips: 'reducing' },
  drift: { bps: 50, operations: 3, trips: 'reducing' },
  mismatch: { trips: 'reducing' },
} as const;

type Told = EventData<'breaker'>;

/** Hears its own events, as the journal has everybody hear them. */
class World {
  readonly clock = new VirtualClock(0n);
  /** How far the wall clock has been set. */
  wallStepMs = 0;
  readonly told: Told[] = [];
  readonly breakers: Breakers;
  #orders = 0;

  constructor(changed: Partial<ConstructorParameters<typeof Breakers>[0]> = {}) {
    const recorder: Recorder = {
      record: (kind, key, data) => {
        if (kind === 'breaker') this.told.push(data as Told);
        this.hear(kind, data);
        return key.length;
      },
      flush: () => undefined,
    };
    const { now, unixNs, unixMs, after } = this.clock;
    const clock: Clock = { now, unixNs, unixMs: (at) => unixMs(at) + this.wallStepMs, after };
    this.breakers = new Breakers({ config, clock, recorder, open: [], mismatches: [], ...changed });
  }

  get open(): readonly string[] {
    return this.breakers.status().flatMap(({ id, state }) => (state === 'open' ? [id] : []));
  }

  hear<K extends EventKind>(kind: K, data: EventData<K>): void {
    this.breakers.onEvent({ v: 1, engine: 'e', seq: 1, at: '0', key: 'k', kind, data } as unknown as EngineEvent);
  }

  operation(realised: number, more: Partial<EventData<'operation'>> = {}): void {
    this.hear('operation', {
      id: 'p',
      opportunity: 'o',
      route: 'r',
      type: 'spatial',
      state: 'completed',
      notional: '10000',
      expected_profit: '10',
      rates: {},
      legs: [],
      pnl: { realised: String(realised), fees: '1' },
      ...more,
    });
  }

  order(status: EventData<'order'>['status'], reason?: string, id?: string): void {
    this.#orders += 1;
    this.hear('order', {
      client_order_id: id ?? `c${this.#orders}`,
      operation: 'p',
      leg: 0,
      attempt: 0,
      purpose: 'leg',
      instrument: 'a:BTC/USDT',
      side: 'buy',
      type: 'limit',
      time_in_force: 'IOC',
      price: '1',
      qty: '1',
      filled_qty: '0',
      status,
      ...(reason === undefined ? {} : { reason }),
    });
  }

  holding(realised: number, state: 'open' | 'closed' = 'closed'): void {
    this.hear('holding', {
      id: 'h',
      state,
      expected_profit: '10',
      notional: '10000',
      pnl: { realised: String(realised) },
    } as EventData<'holding'>);
  }

  settlement(forced: 'adl' | undefined): void {
    this.hear('settlement', { instrument: 'a:BTC/USDT:USDT', forced } as EventData<'settlement'>);
  }

  pass(ms: number): void {
    this.clock.jumpTo(this.clock.now() + ms * 1e6);
  }

  mismatch(state: 'open' | 'settled', id = 'USDT'): void {
    this.hear('mismatch', { venue: 'a', what: 'balance', id, state, ledger: '1', venue_says: '2', reason: '' });
  }
}

const times = (count: number, task: () => void): void => {
  for (let done = 0; done < count; done += 1) task();
};

/** What opens each, and what just does not. */
const causes: Readonly<
  Record<BreakerId, { readonly over: (world: World) => void; readonly below: (world: World) => void }>
> = {
  'consecutive-losses': {
    over: (world) => times(3, () => world.operation(-1)),
    below: (world) => {
      times(2, () => world.operation(-1));
      world.operation(1);
      times(2, () => world.operation(-1));
    },
  },
  'window-loss': {
    over: (world) => {
      world.operation(-60);
      world.holding(-40);
    },
    below: (world) => {
      world.operation(-60);
      world.pass(10 * 60_000);
      world.operation(-60);
    },
  },
  'reject-streak': {
    over: (world) => times(3, () => world.order('rejected', 'invalid-order')),
    below: (world) => {
      times(2, () => world.order('rejected', 'invalid-order'));
      world.order('filled');
      times(5, () => world.order('rejected', 'not-filled'));
      times(2, () => world.order('rejected', 'venue-down'));
    },
  },
  'error-rate': {
    over: (world) => {
      times(2, () => world.order('filled'));
      world.order('unknown', 'timeout');
      world.order('rejected', 'rate-limited');
    },
    below: (world) => {
      times(3, () => world.order('canceled'));
      world.order('unknown', 'timeout', 'twice');
      world.order('expired', 'not-found', 'twice');
      world.order('rejected', 'rate-limited');
    },
  },
  latency: {
    over: (world) => {
      times(4, () => world.breakers.onRoundTrip(50));
      world.breakers.onRoundTrip(201);
    },
    below: (world) => {
      times(99, () => world.breakers.onRoundTrip(200));
      world.breakers.onRoundTrip(9_000);
      world.pass(5 * 60_000);
      times(3, () => world.breakers.onRoundTrip(300));
    },
  },
  drift: {
    over: (world) => {
      times(2, () => world.operation(10));
      world.operation(10 - 150);
    },
    below: (world) => {
      times(2, () => world.operation(-139, { bond: { intent: 'exit' } as never }));
      times(2, () => world.operation(0));
      world.operation(-50);
      world.operation(-30);
    },
  },
  mismatch: { over: (world) => world.mismatch('open'), below: (world) => world.mismatch('settled') },
  deleveraging: { over: (world) => world.settlement('adl'), below: (world) => world.settlement(undefined) },
};

describe('breakers', () => {
  it.each(BREAKER_IDS)('%s opens at its limit and not before, and is told', (id) => {
    const world = new World();
    causes[id].below(world);
    expect(world.open).not.toContain(id);
    const other = new World();
    causes[id].over(other);
    expect(other.open).toContain(id);
    expect(other.told.find((event) => event.id === id)).toMatchObject({ state: 'open', by: 'engine' });
    expect(other.breakers.restriction()?.reason).toMatch(/^breaker [a-z-]+: value=.+, limit=.+$/);
  });

  it.each(BREAKER_IDS)('%s is reset by a person alone, and then begins anew', (id) => {
    const world = new World();
    causes[id].over(world);
    world.operation(1_000);
    world.mismatch('settled');
    world.pass(24 * 3_600_000);
    expect(world.open).toContain(id);
    expect(world.breakers.reset(id, 'ann', 'c-1')).toBe(true);
    expect(world.open).not.toContain(id);
    expect(world.told.at(-1)).toMatchObject({ id, state: 'closed', by: 'ann', command_id: 'c-1' });
  });

  it('is at its strictest what any open one trips', () => {
    const world = new World();
    expect(world.breakers.restriction()).toBeUndefined();
    world.mismatch('open');
    expect(world.breakers.restriction()?.state).toBe('reducing');
    world.operation(-100);
    expect(world.breakers.restriction()).toMatchObject({
      state: 'halted',
      reason: 'breaker window-loss: value=100, limit=100',
    });
  });

  it('stays open over a restart, and knows no other', () => {
    const before = new World();
    before.operation(-100);
    const after = new World({ open: before.told });
    expect(after.open).toEqual(['window-loss']);
    expect(after.breakers.restriction()?.state).toBe('halted');
    expect(after.breakers.reset('no-such', 'ann', 'c-1')).toBe(false);
  });

  it.each([86_400_000, -86_400_000])('keeps its windows when the wall clock is set by %d ms', (ms) => {
    const late = new World();
    late.operation(-60);
    late.pass(9 * 60_000);
    late.wallStepMs = ms;
    late.operation(-60);
    expect(late.open).toEqual(['window-loss']);
    expect(late.breakers.status().find(({ id }) => id === 'window-loss')?.opened_ms).toBe(9 * 60_000 + ms);
    const past = new World();
    past.operation(-60);
    past.wallStepMs = ms;
    past.pass(10 * 60_000);
    past.operation(-60);
    expect(past.open).toEqual([]);
  });

  it('opens none where they are switched off', () => {
    const world = new World({ config: { ...config, enabled: false } });
    for (const id of BREAKER_IDS) causes[id].over(world);
    expect(world.told).toEqual([]);
  });

  it('counts a holding when it closes, not when it is entered', () => {
    const world = new World();
    const bond: EventData<'operation'>['bond'] = {
      units: '1',
      per_unit: ['1'],
      intent: 'enter',
      carry: '15',
      asset: 'USDT',
    };
    times(5, () => {
      world.operation(-5, { bond });
      world.holding(10, 'open');
    });
    expect(world.open).toEqual([]);
    times(3, () => world.holding(-1));
    expect(world.open).toEqual(['consecutive-losses']);
  });

  it('lets a person who makes the ledger agree close what had differed', () => {
    const world = new World();
    world.mismatch('open');
    world.mismatch('open', 'BTC');
    world.hear('adjustment', {
      venue: 'a',
      asset: 'USDT',
      amount: '1',
      reason: 'deposit',
      by: 'ann',
      command_id: 'c-1',
    });
    world.mismatch('settled');
    expect(world.open).toEqual(['mismatch']);
    world.mismatch('settled', 'BTC');
    expect(world.open).toEqual([]);
    expect(world.told.at(-1)).toMatchObject({ id: 'mismatch', state: 'closed', by: 'ann' });
  });

  it('remembers over a restart what differed, as long as nobody has reset it', () => {
    const differs = {
      venue: 'a',
      what: 'balance',
      id: 'USDT',
      state: 'open',
      ledger: '1',
      venue_says: '2',
      reason: '',
    } as const;
    const before = new World();
    before.hear('mismatch', differs);
    const after = new World({ open: before.told, mismatches: [differs] });
    after.hear('adjustment', { venue: 'a', asset: 'USDT', amount: '1', reason: 'deposit', by: 'ann' });
    after.mismatch('settled');
    expect(after.open).toEqual([]);
    const reset = new World({ mismatches: [differs] });
    reset.operation(1);
    expect(reset.open).toEqual([]);
  });
});
