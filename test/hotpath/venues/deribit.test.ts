import { describe, expect, it } from 'vitest';
import { deribit } from '#hotpath/venues/deribit.ts';
import { APPLIED, BROKEN } from '#shared/domain/market-event.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { MarketRig, refusalOf } from '#test/support/venue-fixture.ts';

const name = 'BTC-25DEC26-100000-C';
const rigOf = (): MarketRig => new MarketRig(deribit.markets[2]!, [instrumentOf('deribit', 'options', name)]);
const frameOf = (data: object, channel = `book.${name}.100ms`) => ({
  frame: JSON.stringify({ jsonrpc: '2.0', method: 'subscription', params: { channel, data } }),
});
const levels = { bids: [['new', 0.01, 2]], asks: [['new', 0.02, 3]] };
const change = (prev_change_id: number, change_id: number) => ({
  type: 'change',
  timestamp: 1,
  prev_change_id,
  change_id,
  bids: [['change', 0.01, 1]],
  asks: [],
});
const opened = (): MarketRig => {
  const rig = rigOf();
  rig.take(frameOf({ type: 'snapshot', timestamp: 1, change_id: 100, ...levels }));
  return rig;
};

describe('deribit continuity', () => {
  it.each([
    ['the next, however far it jumps', change(100, 9_000), APPLIED],
    ['one too far', change(101, 102), BROKEN],
    ['one again', change(90, 100), BROKEN],
  ])('takes %s', (_name, data, outcome) => {
    expect(opened().take(frameOf(data))?.outcome).toBe(outcome);
  });

  it('removes what is deleted, whatever its amount', () => {
    const rig = opened();
    rig.take(frameOf({ ...change(100, 101), bids: [['delete', 0.01, 5]] }));
    expect([rig.store.tops.bid[0], rig.store.tops.ask[0]]).toEqual([NaN, 0.02]);
  });
});

describe('deribit frames', () => {
  it.each([
    ['no book', frameOf({}).frame.replace(/,"data":\{\}/, '')],
    ['an unknown type', frameOf({ ...change(100, 101), type: 'replace' }).frame],
    ['no chain', frameOf({ type: 'change', change_id: 101, ...levels }).frame],
    ['no id', frameOf({ type: 'snapshot', ...levels }).frame],
    ['one side', frameOf({ type: 'snapshot', change_id: 1, bids: [] }).frame],
    ['an unknown action', frameOf({ ...change(100, 101), bids: [['drop', 0.01, 1]] }).frame],
    ['an empty level', frameOf({ ...change(100, 101), bids: [[]] }).frame],
    ['a short level', frameOf({ ...change(100, 101), bids: [['new', 0.01]] }).frame],
    ['a level of one', frameOf({ ...change(100, 101), bids: [['new']] }).frame],
    ['a long level', frameOf({ ...change(100, 101), bids: [['new', 0.01, 1, 1]] }).frame],
    ['a price below zero', frameOf({ ...change(100, 101), bids: [['new', -0.01, 1]] }).frame],
  ])('are refused with %s', (_name, frame) => {
    expect(refusalOf(() => opened().take({ frame }))).toBeTypeOf('string');
  });

  it.each(['raw', '100ms'])('are read from the %s channel', (interval) => {
    const data = { type: 'snapshot', timestamp: 1, change_id: 1, ...levels };
    expect(rigOf().take(frameOf(data, `book.${name}.${interval}`))?.outcome).toBe(APPLIED);
  });

  it.each([`book.${name}.none.20.100ms`, `ticker.${name}.100ms`, 'book..raw', `books.${name}.raw`, `book.${name}`])(
    'of %s are passed over',
    (channel) => {
      expect(rigOf().take(frameOf({ type: 'snapshot', change_id: 1, ...levels }, channel))).toBeUndefined();
    },
  );

  it('tell control frames by their kind', () => {
    const rig = rigOf();
    const said = [
      '{"jsonrpc":"2.0","id":0,"result":"ok"}',
      '{"jsonrpc":"2.0","id":1,"error":{"code":13778,"message":"x"}}',
      '{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"heartbeat"}}',
      '{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}',
    ];
    for (const frame of said) expect(rig.take({ frame })).toBeUndefined();
    expect(rig.controls).toEqual(['ack', 'error', 'pong', 'ping']);
  });
});
