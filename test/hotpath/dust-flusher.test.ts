import { Decimal } from 'decimal.js';
import { beforeEach, describe, expect, it } from 'vitest';
import { DustFlusher } from '#hotpath/dust-flusher.ts';
import { JournalState } from '#hotpath/recover/journal-state.ts';
import type { OperationId, VenueId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { ExecutorWorld, fill } from './execute/executor-world.ts';
import { instruments, priceOf, rates } from './execute/trading.ts';

const MINUTE_MS = 60_000;
const values: Readonly<Record<string, Decimal>> = rates;

let world: ExecutorWorld;
let isActive: boolean;
let flusher: DustFlusher;

beforeEach(() => {
  world = new ExecutorWorld();
  isActive = true;
  let operations = 0;
  flusher = new DustFlusher({
    clock: world.clock,
    dust: world.ledger.dust,
    market: {
      instruments: [...instruments.values()],
      levels: (on: Instrument) => [{ price: priceOf(on), qty: new Decimal(100) }],
      freeOf: ({ venue }, asset) => world.ledger.freeOf(venue, asset),
      needOf: world.ledger.needOf,
      underlyingOf: world.ledger.underlyingOf,
      rateOf: (asset) => values[asset],
    },
    rules: { flushUsd: 25, slackBps: 10, quotes: new Set(['USDT']), numeraire: 'USDT' },
    executor: world.executor,
    isActive: () => isActive,
    nextOperation: () => `d-${(operations += 1)}` as OperationId,
  });
  flusher.start();
});

describe('DustFlusher', () => {
  it('sells what operations have left, once it is worth it, and takes it off the dust ledger', () => {
    world.ledger.addDust('BTC', new Decimal('0.0003'));
    world.runMs(MINUTE_MS);
    expect(world.sent).toEqual([]);
    world.ledger.addDust('BTC', new Decimal('0.00034'));
    world.runMs(MINUTE_MS);
    expect(world.sent).toMatchObject([
      { instrument: 'a:BTC/USDT', side: 'sell', timeInForce: 'IOC', type: 'limit', purpose: 'manual' },
    ]);
    expect(world.sent[0]!.qty.toFixed()).toBe('0.0006');
    world.say(world.sent[0]!, fill(world.sent[0]!, '0.0006'));
    expect(world.ledger.dust.get('BTC')?.toFixed()).toBe('0.00004');
    const state = new JournalState();
    for (const event of world.journal.events) state.apply(event);
    // What the test has put there is in no journal.
    expect(state.ledger().dust['BTC']?.toFixed()).toBe('-0.0006');
  });

  it('waits while trading is not active, and for the sale before', () => {
    world.ledger.addDust('BTC', new Decimal('0.001'));
    isActive = false;
    world.runMs(MINUTE_MS);
    expect(world.sent).toEqual([]);
    isActive = true;
    world.runMs(MINUTE_MS);
    expect(world.executor.isFlushing).toBe(true);
    // Whoever shuts down waits for it.
    expect(world.executor.idle).toBe(false);
    world.runMs(3 * MINUTE_MS);
    expect(world.sent).toHaveLength(1);
    world.say(world.sent[0]!, { kind: 'canceled' });
    expect(world.executor.isFlushing).toBe(false);
    world.runMs(MINUTE_MS);
    expect(world.sent).toHaveLength(2);
  });

  it('is over when it is stopped', () => {
    world.ledger.addDust('BTC', new Decimal('0.001'));
    flusher.stop();
    world.runMs(5 * MINUTE_MS);
    expect(world.sent).toEqual([]);
  });

  it('is refused what the account does not have', () => {
    world.ledger.addDust('ETH', new Decimal('0.1'));
    expect(world.ledger.freeOf('a' as VenueId, 'ETH').isZero()).toBe(true);
    world.runMs(MINUTE_MS);
    expect(world.sent).toEqual([]);
  });
});
