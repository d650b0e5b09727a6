import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Decimal } from 'decimal.js';
import { afterEach, describe, expect, it } from 'vitest';
import { engineIn, virtualWorld } from '#local/virtual-world.ts';
import { BadInput } from '#shared/assert.ts';
import type { VenueId } from '#shared/domain/ids.ts';
import { DEFAULT_ACCOUNT } from '#simulator/accounts.ts';
import type { LiveWorld } from './live-world.ts';
import { differences, LIVE_VENUES, liveConfig, liveWorld, ordersAt } from './live-world.ts';

const worlds: LiveWorld[] = [];
async function started(...given: Parameters<typeof liveWorld>): Promise<LiveWorld> {
  const world = await liveWorld(...given);
  worlds.push(world);
  world.engine.start();
  return world;
}
afterEach(() => {
  for (const { engine, journalDir } of worlds.splice(0)) {
    engine.finish('test');
    rmSync(dirname(journalDir), { recursive: true, force: true });
  }
});

/** Lets everything come to an end that is under way. */
function rest({ engine, forward }: LiveWorld): void {
  engine.drain();
  for (let second = 0; second < 30 && !engine.idle; second += 1) forward(1_000);
  expect(engine.idle).toBe(true);
  forward(5_000);
}

describe('an engine in live mode', () => {
  it('trades for real, and holds what the venues say to the last digit', async () => {
    const world = await started();
    expect(world.engine.trading).toEqual({ state: 'halted', reason: 'reconciling with the venues' });
    world.forward(15_000);
    expect(world.engine.trading.state).toBe('active');
    expect(world.engine.accounts!.statuses()).toMatchObject(
      ['spot', 'usdm', 'unified', 'spot'].map((account) => ({ account, status: 'live', verified: true, reason: '' })),
    );
    rest(world);
    expect(world.engine.executor.counts.completed).toBeGreaterThan(20);
    expect(differences(world)).toEqual([]);
    expect(world.events('mismatch')).toEqual([]);
    expect(ordersAt(world.simulator.exchange('binance')).every(({ status }) => status !== 'open')).toBe(true);
  });

  it('starts with what the venues hold, not with paper', async () => {
    const world = await started();
    world.forward(3_000);
    const first = (wanted: string): string | undefined =>
      world.events('balance').find(({ venue, asset }) => venue === 'binance' && asset === wanted)?.total;
    expect(first('SOL')).toBe(DEFAULT_ACCOUNT.balances['SOL']);
    // Two wallets: spot, and what the perpetual settles in.
    expect(first('USDT')).toBe('1000000');
  });

  it('takes up what an end in the middle of everything left open, again and again', async () => {
    let world = await started();
    const firstEpoch = world.engine.epoch;
    let left = 0;
    for (let start = 0; start < 6; start += 1) {
      world.forward(2_000);
      const isBusy = (): boolean => world.engine.executor.counts.open > 0;
      for (let step = 0; step < 10_000 && !isBusy(); step += 1) world.forward(1);
      world.forward(start / 4);
      left += world.engine.executor.counts.open;
      world = await world.restarted();
      worlds.splice(0, 1, world);
      world.engine.start();
    }
    expect(left).toBeGreaterThan(3);
    world.forward(5_000);
    expect(world.engine.epoch).toBe(firstEpoch + 6);
    expect(world.engine.trading.state).toBe('active');
    rest(world);
    expect(differences(world)).toEqual([]);
    expect(world.events('mismatch')).toEqual([]);
    const sent = LIVE_VENUES.flatMap((venue) =>
      ordersAt(world.simulator.exchange(venue)).map(({ clientOrderId }) => clientOrderId),
    );
    expect(new Set(sent).size).toBe(sent.length);
  });

  it('goes on from its journal, and finds it true', async () => {
    const first = await started();
    first.forward(8_000);
    rest(first);
    const held = first.engine.ledger.totalOf('okx' as VenueId, 'BTC');
    first.engine.finish('test');
    // The simulator is begun anew: the venue has what it had at first.
    worlds.splice(0);
    const second = await started(liveConfig(), first.journalDir);
    // A venue that begins anew numbers its trades anew: none of them must be taken for one of before.
    second.command({ kind: 'stop', reason: 'only looking' });
    expect(second.engine.epoch).toBe(first.engine.epoch + 1);
    expect(second.engine.ledger.totalOf('okx' as VenueId, 'BTC').toFixed()).toBe(held.toFixed());
    second.forward(15_000);
    const told = second.events('mismatch').filter(({ venue, id }) => venue === 'okx' && id === 'BTC');
    expect(told).toMatchObject([{ state: 'open' }]);
    const gap = new Decimal(told[0]!.venue_says).minus(told[0]!.ledger);
    expect(gap.toFixed()).toBe(new Decimal(8).minus(held).toFixed());
  });

  it('tells what a venue holds otherwise, opens nothing meanwhile, and believes a person', async () => {
    const world = await started();
    world.forward(10_000);
    const exchange = world.simulator.exchange('okx');
    const account = exchange.ledger.byKey(DEFAULT_ACCOUNT.apiKey)!;
    const balance = account.balance(exchange.listings[0]!.wallet, 'USDT');
    balance.total = balance.total.minus(1_000);
    world.forward(12_000);
    const [told] = world.events('mismatch');
    expect(told).toMatchObject({ venue: 'okx', what: 'balance', id: 'USDT', state: 'open', value: '-1000' });
    expect(new Decimal(told!.venue_says).minus(told!.ledger).toFixed(9)).toBe('-1000.000000000');
    expect(world.engine.trading.state).toBe('reducing');
    expect(world.engine.accounts!.isVerified('okx' as VenueId)).toBe(false);
    expect(world.engine.accounts!.isVerified('kraken' as VenueId)).toBe(true);
    const { realised } = world.engine.ledger.pnl;
    world.command({ kind: 'adjust', venue: 'okx', asset: 'USDT', amount: told!.venue_says, reason: 'a withdrawal' });
    expect(world.events('mismatch').at(-1)).toMatchObject({ id: 'USDT', state: 'settled' });
    expect(world.events('adjustment')).toMatchObject([{ venue: 'okx', asset: 'USDT', by: 'test' }]);
    expect(Number(world.events('adjustment')[0]!.amount)).toBeCloseTo(-1_000, 6);
    expect(world.events('command-done')).toMatchObject([{ command: 'adjust', detail: { value: '-1000.00' } }]);
    expect(world.engine.trading.state).toBe('active');
    expect(world.engine.ledger.pnl.realised.eq(realised)).toBe(true);
    rest(world);
    expect(differences(world)).toEqual([]);
  });

  it('refuses an adjustment of what is not there', async () => {
    const world = await started();
    world.forward(3_000);
    world.command({ kind: 'adjust', venue: 'nowhere', asset: 'USDT', amount: '1', reason: '' });
    world.command({ kind: 'adjust', venue: 'okx', asset: 'DOGE', amount: '1', reason: '' });
    expect(world.events('command-refused').map(({ code }) => code)).toEqual([2002, 2001]);
  });

  it('cancels an order of its own that the journal does not know, and tells of a trade that it does not', async () => {
    const first = await started();
    // Long enough to be funded, too short to trade: the venues begin anew, and number their orders as before.
    first.forward(500);
    first.engine.finish('test');
    worlds.splice(0);
    const second = await liveWorld(liveConfig(), first.journalDir);
    worlds.push(second);
    const exchange = second.simulator.exchange('binance');
    const listing = exchange.listings.find(({ symbol, kind }) => symbol === 'BTC/USDT' && kind === 'spot')!;
    const account = exchange.ledger.byKey(DEFAULT_ACCOUNT.apiKey)!;
    const best = (exchange.mid(listing)! * 0.9).toFixed(2);
    const draft = { account, listing, postOnly: false, qtyIn: 'base', qty: '0.01' } as const;
    exchange.place({
      ...draft,
      clientOrderId: 'a000100zzzz00',
      side: 'buy',
      type: 'limit',
      timeInForce: 'GTC',
      price: best,
    });
    exchange.place({
      ...draft,
      clientOrderId: 'somebody',
      side: 'buy',
      type: 'limit',
      timeInForce: 'GTC',
      price: best,
    });
    exchange.place({
      ...draft,
      clientOrderId: 'a000100zzzy00',
      side: 'buy',
      type: 'market',
      timeInForce: 'IOC',
      price: undefined,
    });
    second.engine.start();
    second.forward(3_000);
    const byId = new Map(ordersAt(exchange).map(({ clientOrderId, status }) => [clientOrderId, status]));
    expect(byId.get('a000100zzzz00')).toBe('canceled');
    expect(byId.get('somebody')).toBe('open');
    const told = second.events('mismatch').filter(({ what }) => what === 'order');
    expect(told.map(({ id, state }) => `${id} ${state}`)).toEqual(['a000100zzzz00 open', '3 open']);
    expect(second.engine.trading.state).toBe('reducing');
  });

  it('trades elsewhere while a venue cannot be reached, and there once it can', async () => {
    const world = await liveWorld();
    worlds.push(world);
    for (const market of ['spot', 'swap']) {
      world.simulator.fault({ kind: 'server-error', venue: 'okx', market, duration_ms: 30_000 });
    }
    world.engine.start();
    world.forward(9_000);
    expect(world.engine.trading.reason).toBe('reconciling with the venues');
    world.forward(11_000);
    expect(world.engine.trading.state).toBe('active');
    expect(world.engine.accounts!.isVerified('okx' as VenueId)).toBe(false);
    expect(ordersAt(world.simulator.exchange('okx'))).toEqual([]);
    expect(ordersAt(world.simulator.exchange('binance')).length).toBeGreaterThan(0);
    world.forward(60_000);
    expect(world.engine.accounts!.isVerified('okx' as VenueId)).toBe(true);
    expect(ordersAt(world.simulator.exchange('okx')).length).toBeGreaterThan(0);
    rest(world);
    expect(differences(world)).toEqual([]);
  });

  it('begins a new journal above every earlier one, on money only', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'arb-live-'));
    const naming = (name: string) => ({ seed: 7, journalDir: join(folder, name), version: 'test' });
    const config = liveConfig();
    const { engine, ...world } = await virtualWorld(config, naming('first'));
    world.clock.runUntil(world.clock.now() + 120e9);
    const live = await engineIn(world, config, naming('second'));
    const paper = await engineIn(world, { ...config, engine: { ...config.engine, mode: 'paper' } }, naming('paper'));
    expect(live.epoch).toBeGreaterThan(engine.epoch + 1);
    expect(paper.epoch).toBe(1);
    for (const each of [engine, live, paper]) each.journal.close();
    rmSync(folder, { recursive: true });
  });

  it('takes no paper for money', async () => {
    const config = liveConfig();
    const paper = await started({ ...config, engine: { ...config.engine, mode: 'paper' } });
    paper.forward(1_000);
    paper.engine.finish('test');
    worlds.splice(0);
    await expect(liveWorld(config, paper.journalDir)).rejects.toThrow(BadInput);
    await expect(liveWorld(config, paper.journalDir)).rejects.toThrow(/data folder of its own/);
  });
});
