import { Decimal } from 'decimal.js';
import { beforeEach, describe, expect, it } from 'vitest';
import { Commands } from '#hotpath/commands.ts';
import type { OrderSources } from '#hotpath/order-commands.ts';
import { orderHandlers, venuesOf } from '#hotpath/order-commands.ts';
import type { InstrumentId, OperationId, VenueOrderId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Denied } from '#shared/domain/trade.ts';
import type { Command, CommandOf } from '#shared/schema/command.ts';
import { BUY, ExecutorWorld, fill, SELL } from './execute/executor-world.ts';
import { instrumentOf, instruments, planOf } from './execute/trading.ts';

const ANY: Omit<CommandOf<'order'>, 'id'> = {
  v: 1,
  by: 'ann',
  at_ms: 0,
  kind: 'order',
  instrument: 'a:BTC/USDT',
  side: 'buy',
  type: 'limit',
  qty: '0.1',
  price: '49000',
  time_in_force: 'GTC',
};
const PERPETUAL: Instrument = {
  ...instruments.get('a:BTC/USDT' as InstrumentId)!,
  id: 'a:BTC/USDT:USDT' as InstrumentId,
  kind: 'perpetual',
};

let world: ExecutorWorld;
let commands: Commands;
let denied: Denied | undefined;
let asked: Parameters<OrderSources['denialOf']>[0][];
let position: Decimal;
let top: { readonly bid: number; readonly ask: number } | undefined;
let count: number;
let books: Record<string, { readonly price: Decimal; readonly qty: Decimal }[]>;

beforeEach(() => {
  world = new ExecutorWorld({
    instrumentOf: (id) => (id === PERPETUAL.id ? PERPETUAL : instrumentOf(id)),
  });
  denied = undefined;
  asked = [];
  position = new Decimal(0);
  top = { bid: 49_990, ask: 50_000 };
  count = 0;
  books = {};
  const notHere = (): never => {
    throw new Error('another command');
  };
  commands = new Commands(world.journal, {
    ...orderHandlers({
      executor: world.executor,
      recorder: world.journal,
      venues: venuesOf([...instruments.values()]),
      instrumentOf: (id) => (id === PERPETUAL.id ? PERPETUAL : instrumentOf(id)),
      listingsOf: (symbol) => [...instruments.values()].filter((listed) => listed.symbol === symbol),
      levels: ({ venue }) => books[venue] ?? [],
      mostOf: () => new Decimal(0.3),
      topOf: () => top,
      positionOf: () => position,
      deviationOf: () => -0.05,
      rateOf: (asset) => (asset === 'USDT' ? 1 : 50_000),
      slippageBps: () => 50,
      denialOf: (order) => {
        asked.push(order);
        return denied;
      },
      nextOperation: () => `p7-${(count += 1)}` as OperationId,
    }),
    start: notHere,
    stop: notHere,
    'emergency-stop': notHere,
    limits: notHere,
    config: notHere,
    'breaker-reset': notHere,
    adjust: notHere,
    'adjust-position': notHere,
  });
});

let ids = 0;
function obey(command: Omit<Command, 'id'> & { readonly id?: string }): string {
  ids += 1;
  commands.obey({ id: `c-${ids}`, ...command } as Command);
  const last = world.journal.of('command-refused').at(-1);
  return last?.command_id === `c-${ids}` ? `${last.code} ${last.reason}` : 'carried out';
}
const order = (changes: Partial<CommandOf<'order'>> = {}): string => obey({ ...ANY, ...changes });

describe('the order command', () => {
  it('is answered in the journal before the order is on its way', () => {
    expect(order({ post_only: true })).toBe('carried out');
    const at = world.journal.events.findIndex(({ kind }) => kind === 'command-done');
    expect(world.journal.of('command-done')[0]!.detail).toEqual({ order_id: 'a000700000100', operation: 'p7-1' });
    expect(world.journal.events[at + 1]).toMatchObject({ kind: 'order', data: { status: 'submitted' } });
    expect(world.sent[0]).toMatchObject({ side: 'buy', timeInForce: 'GTC', postOnly: true, type: 'limit' });
  });

  it('is carried out once, however often it comes', () => {
    const command = { ...ANY, id: 'same' };
    obey(command);
    obey(command);
    expect(world.sent).toHaveLength(1);
  });

  it('limits a market order to what an order may slip, and never lets one rest', () => {
    expect(order({ type: 'market', price: undefined })).toBe('carried out');
    expect(order({ type: 'market', price: undefined, side: 'sell' })).toBe('carried out');
    expect(world.sent.map(({ price, timeInForce, type }) => `${type} ${timeInForce} ${price.toFixed()}`)).toEqual([
      'market IOC 50250',
      'market IOC 49740.05',
    ]);
  });

  it.each<[string, Partial<CommandOf<'order'>>]>([
    ['2002 instrument=x:BTC/USDT', { instrument: 'x:BTC/USDT' }],
    ['2001 instrument=a:DOGE/USDT', { instrument: 'a:DOGE/USDT' }],
    ['3001 a limit order has a price', { price: undefined }],
    ['3001 price is off the grid: tick=0.01', { price: '49000.001' }],
    ['3001 price is off the grid: tick=0.01', { price: '0' }],
    ['3001 qty is off the grid: lot=0.0001', { qty: '0.10001' }],
    ['3001 qty is off the grid: lot=0.0001', { qty: '0' }],
    ['3001 value is below the smallest order: min=5', { qty: '0.0001', price: '100' }],
    ['3001 post_only needs a limit order with time_in_force GTC', { post_only: true, time_in_force: 'IOC' }],
    ['3001 reduce_only is for contracts', { reduce_only: true }],
    ['3001 reduce_only would turn the position: size=0', { reduce_only: true, instrument: PERPETUAL.id }],
    ['3002 BALANCE_INSUFFICIENT: asset=USDT, needed=49000, free=20000', { qty: '1' }],
  ])('is refused with %s', (answer, changes) => {
    expect(order(changes)).toBe(answer);
    expect(world.sent).toEqual([]);
  });

  it('needs a live book for a market order', () => {
    top = undefined;
    expect(order({ type: 'market', price: undefined })).toMatch(/^3001 there is no live book/);
  });

  it('never trades with one of our own that rests, nor behind a fence', () => {
    order({ side: 'sell', price: '50500' });
    expect(order({ price: '50500' })).toBe('4001 SELF_TRADE: order=a000700000100');
    world.closed = 'EMERGENCY_STOP: fire';
    expect(order()).toBe('4001 FENCED: EMERGENCY_STOP: fire');
    expect(world.sent).toHaveLength(1);
  });

  it('asks the gate with what it expects to pay, and says what stood against it', () => {
    order({ price: '50100' });
    expect(asked[0]!.leg.expectedPrice.toFixed()).toBe('50000');
    expect(asked[0]!.reduces).toBe(false);
    order({ qty: '0.05' });
    expect(asked[1]!.leg.expectedPrice.toFixed()).toBe('49000');
    // Bought back: 0.05 coins are missing since trading began.
    expect(asked[1]!.reduces).toBe(true);
    const codes = [
      ['TRADING_HALTED', 4001],
      ['POSITION_EXCEEDS_MAX', 4002],
      ['LEVERAGE_EXCEEDS_MAX', 4003],
      ['MARGIN_INSUFFICIENT', 3002],
      ['VENUE_UNHEALTHY', 5002],
    ] as const;
    for (const [reason, code] of codes) {
      denied = { kind: 'denied', reason, detail: 'x=1' };
      expect(order()).toBe(`${code} ${reason}: x=1`);
    }
  });

  it('reduces a position of contracts when asked to', () => {
    position = new Decimal('-0.2');
    expect(order({ instrument: PERPETUAL.id, reduce_only: true })).toBe('carried out');
    expect(world.sent[0]).toMatchObject({ reduceOnly: true });
    expect(asked[0]!.reduces).toBe(true);
    position = new Decimal('-0.05');
    expect(order({ instrument: PERPETUAL.id, reduce_only: true })).toMatch(/^3001 reduce_only would turn/);
  });
});

describe('an order without a venue', () => {
  const ioc = { instrument: 'BTC/USDT', time_in_force: 'IOC', price: '50100', qty: '0.2' } as const;
  const level = (price: number, qty: number) => [{ price: new Decimal(price), qty: new Decimal(qty) }];

  it('is split over all that list the symbol, as one operation', () => {
    books = { a: level(50_000, 0.05), b: level(49_990, 1) };
    expect(order(ioc)).toBe('carried out');
    expect(world.sent.map(({ instrument, qty }) => `${instrument} ${qty.toFixed()}`)).toEqual([
      'a:BTC/USDT 0.05',
      'b:BTC/USDT 0.15',
    ]);
    expect(new Set(world.sent.map(({ operation }) => operation)).size).toBe(1);
    expect(asked.map(({ leg }) => leg.instrument)).toEqual(['a:BTC/USDT', 'b:BTC/USDT']);
    world.say(world.sent[0]!, { kind: 'rejected', reason: 'venue-down', text: '' });
    expect(world.told().at(-1)).toBe('executing');
    world.say(world.sent[1]!, fill(world.sent[1]!, '0.15'));
    expect(world.told().at(-1)).toBe('completed');
  });

  it('takes its price from the best book when it is a market order', () => {
    books = { a: level(50_000, 0.05), b: level(50_001, 1) };
    expect(order({ ...ioc, type: 'market', price: undefined, time_in_force: 'GTC' })).toBe('carried out');
    expect(world.sent[0]).toMatchObject({ type: 'market', timeInForce: 'IOC' });
    expect(world.sent[0]!.price.toFixed()).toBe('50250');
  });

  it('is refused when it would rest, when nobody lists it, and when nothing is to be had', () => {
    expect(order({ ...ioc, time_in_force: 'GTC' })).toMatch(/^3001 an order without a venue/);
    expect(order({ ...ioc, instrument: 'DOGE/USDT' })).toBe('2001 instrument=DOGE/USDT');
    expect(order(ioc)).toBe('3001 nowhere is enough within the limit: price=50100');
    denied = { kind: 'denied', reason: 'TRADING_HALTED', detail: 'x=1' };
    books = { b: level(49_950, 1) };
    expect(order(ioc)).toBe('4001 TRADING_HALTED: x=1');
    expect(world.sent).toEqual([]);
  });
});

describe('the order-replace command', () => {
  const replace = (changes: Partial<CommandOf<'order-replace'>>, id: string = world.sent[0]!.clientOrderId): string =>
    obey({ v: 1, by: 'ann', at_ms: 0, kind: 'order-replace', order: id, ...changes } as never);

  beforeEach(() => {
    order();
    world.say(world.sent[0]!, { kind: 'accepted', venueOrderId: 'v' as VenueOrderId });
  });

  it('gives what rests another price and quantity, and asks the gate for what is left of it', () => {
    world.say(world.sent[0]!, fill(world.sent[0]!, '0.04'));
    expect(replace({ price: '49100', qty: '0.2' })).toBe('carried out');
    expect(world.replaced[0]).toMatchObject({ price: new Decimal(49_100), qty: new Decimal('0.2') });
    expect([asked.at(-1)!.leg.price.toFixed(), asked.at(-1)!.leg.qty.toFixed()]).toEqual(['49100', '0.16']);
  });

  it.each<[string, Partial<CommandOf<'order-replace'>>]>([
    ['3001 neither price nor qty is another', { price: '49000' }],
    ['3001 price is off the grid: tick=0.01', { price: '49000.001' }],
    ['3001 qty is off the grid: lot=0.0001', { qty: '0.10001' }],
    ['3001 value is below the smallest order: min=5', { qty: '0.0001', price: '100' }],
    ['3002 BALANCE_INSUFFICIENT: order=a000700000100', { qty: '1' }],
  ])('is refused with %s', (answer, changes) => {
    expect(replace(changes)).toBe(answer);
    expect(world.replaced).toEqual([]);
  });

  it('says what is over or unknown, and what the gate denies', () => {
    expect(replace({ price: '49100' }, 'nobody')).toBe('3003 order=nobody');
    denied = { kind: 'denied', reason: 'POSITION_EXCEEDS_MAX', detail: 'x=1' };
    expect(replace({ price: '49100' })).toBe('4002 POSITION_EXCEEDS_MAX: x=1');
    denied = undefined;
    world.say(world.sent[0]!, fill(world.sent[0]!, '0.05'));
    expect(replace({ qty: '0.05' })).toBe('3004 filled=0.05');
    world.say(world.sent[0]!, fill(world.sent[0]!, '0.05', '2'));
    expect(replace({ price: '49100' })).toBe(`3004 order=${world.sent[0]!.clientOrderId}, status=filled`);
  });
});

describe('the cancel command', () => {
  const cancel = (id: string): string => obey({ v: 1, by: 'ann', at_ms: 0, kind: 'cancel', order: id } as never);

  it('cancels what works and says what is over or unknown', () => {
    order();
    expect(cancel('a000700000100')).toBe('carried out');
    expect(world.journal.of('command-done').at(-1)!.detail).toEqual({
      order_id: 'a000700000100',
      operation: 'p7-1',
      status: 'cancelling',
    });
    world.say(world.sent[0]!, { kind: 'canceled' });
    expect(cancel('a000700000100')).toBe('3003 order=a000700000100, status=canceled');
    order();
    world.say(world.sent[1]!, fill(world.sent[1]!, '0.1'));
    expect(cancel('a000700000200')).toBe('3004 order=a000700000200, status=filled');
    expect(cancel('b')).toBe('3003 order=b');
  });
});

describe('the recovery command', () => {
  const answer = (decision: 'approve' | 'cancel', proposal?: string): string =>
    obey({ v: 1, by: 'ann', at_ms: 0, kind: 'recovery', operation: 'op-1', decision, proposal } as never);

  it('carries a person`s word to the operation', () => {
    expect(answer('approve')).toBe('2003 NOT_ASKED: operation=op-1');
    world.decision = {
      kind: 'escalate',
      reason: 'NO_WAY_OUT',
      request: 'Decide.',
      loose: [],
      proposals: [{ id: 'accept', kind: 'accept', cost: new Decimal(0), orders: [] }],
      loss: new Decimal(1),
    };
    world.executor.submit(planOf('op-1', [BUY, SELL]));
    world.say(world.sent[0]!, fill(world.sent[0]!, '0.2'));
    world.say(world.sent[1]!, { kind: 'expired' });
    expect(answer('approve')).toBe('3001 NOT_ON_OFFER: proposal=any, offers=accept.7-1');
    expect(answer('approve', 'accept.7-1')).toBe('carried out');
    expect(world.journal.of('escalation').at(-1)).toMatchObject({ state: 'approved', by: 'ann' });
    expect(world.told().at(-1)).toBe('failed ACCEPTED: by=ann');
    expect(answer('cancel')).toBe('2003 NOT_ASKED: operation=op-1');
  });
});
