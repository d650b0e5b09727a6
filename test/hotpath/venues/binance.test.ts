import { describe, expect, it } from 'vitest';
import { binance } from '#hotpath/venues/binance.ts';
import { APPLIED, BROKEN, DELTA, HELD, IGNORED, QUOTE } from '#shared/domain/market-event.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { MarketRig, refusalOf } from '#test/support/venue-fixture.ts';

const rigOf = (id: string): MarketRig => {
  const market = binance.markets.find((candidate) => candidate.id === id)!;
  return new MarketRig(market, [instrumentOf('binance', id, 'BTCUSDT')]);
};
const snapshot = (lastUpdateId: number) => JSON.stringify({ lastUpdateId, bids: [['99', '1']], asks: [['101', '2']] });
const depth = (fields: object) => ({
  frame: JSON.stringify({ e: 'depthUpdate', E: 1, s: 'BTCUSDT', b: [['98', '1']], a: [], ...fields }),
});

describe('binance frames', () => {
  const event = '"e":"depthUpdate","E":7,"s":"BTCUSDT","U":1,"u":2,"b":[["99.10","1"]],"a":[]';
  const quote = '"u":9,"s":"BTCUSDT","b":"99.10","B":"3","a":"99.20","A":"4"';

  it.each([
    ['a bare event', `{${event}}`],
    ['a combined one', `{"stream":"btcusdt@depth@100ms","data":{${event}}}`],
    ['the envelope turned round', `{"data":{${event}},"stream":"btcusdt@depth@100ms"}`],
    [
      'another order of keys',
      '{"u":2,"a":[],"b":[["99.10","1"]],"U":1,"ps":"BTC","st":1,"s":"BTCUSDT","E":7,"e":"depthUpdate"}',
    ],
    ['white space', `{ ${event.replaceAll(',"', ' ,\n "')} }\n`],
  ])('reads a depth update as %s', (_name, frame) => {
    const update = rigOf('spot').take({ frame })!.update;
    expect(update).toMatchObject({ kind: DELTA, firstSequence: 1, lastSequence: 2, venueTimeMs: 7 });
    expect([update.bids.count, update.bids.prices[0], update.asks.count]).toEqual([1, 99.1, 0]);
  });

  it.each([
    `{${quote}}`,
    `{"e":"bookTicker",${quote},"T":8,"E":9}`,
    `{"u":9,"e":"bookTicker","ps":"BTC",${quote.slice(6)}}`,
  ])('reads a best quote: %s', (frame) => {
    const update = rigOf('usdm').take({ frame })!.update;
    expect(update).toMatchObject({ kind: QUOTE, lastSequence: 9 });
    expect([update.bids.prices[0], update.bids.qtys[0], update.asks.prices[0], update.asks.qtys[0]]).toEqual([
      99.1, 3, 99.2, 4,
    ]);
  });

  it('reads an empty side of a quote as no level', () => {
    const update = rigOf('spot').take({
      frame: `{${quote.replace('99.20', '0.00').replace('"4"', '"0.00"')}}`,
    })!.update;
    expect([update.bids.count, update.asks.count]).toEqual([1, 0]);
  });

  it.each(['s', 'U', 'u', 'b', 'a'])('refuses a depth update without %s', (field) => {
    const rest = Object.fromEntries(
      Object.entries(JSON.parse(`{${event}}`) as object).filter(([key]) => key !== field),
    );
    expect(refusalOf(() => rigOf('spot').take({ frame: JSON.stringify(rest) }))).toMatch(/fields are missing/);
  });

  it('tells control frames by their kind', () => {
    const rig = rigOf('spot');
    const said = [
      '{"result":null,"id":1}',
      '{"error":{"code":2,"msg":"Invalid request"},"id":1}',
      '{"code":-1121,"msg":"Invalid symbol."}',
      '{"e":"serverShutdown","E":1}',
    ];
    for (const frame of said) expect(rig.take({ frame })).toBeUndefined();
    expect(rig.controls).toEqual(['ack', 'error', 'error', 'notice']);
  });

  it('refuses an error body as a snapshot', () => {
    const rig = rigOf('spot');
    expect(refusalOf(() => rig.snapshot('BTCUSDT', Buffer.from('{"code":-1003,"msg":"Too many requests"}')))).toMatch(
      /not a snapshot/,
    );
  });
});

describe('spot continuity', () => {
  it.each([
    [{ U: 90, u: 99 }, IGNORED],
    [{ U: 90, u: 100 }, IGNORED],
    [{ U: 90, u: 101 }, APPLIED],
    [{ U: 101, u: 101 }, APPLIED],
    [{ U: 102, u: 110 }, BROKEN],
  ])('answers %j, the first after a snapshot of 100, with %i', (fields, outcome) => {
    const rig = rigOf('spot');
    rig.snapshot('BTCUSDT', Buffer.from(snapshot(100)));
    expect(rig.take(depth(fields))?.outcome).toBe(outcome);
  });

  it.each([
    [{ U: 106, u: 107 }, APPLIED],
    [{ U: 105, u: 107 }, BROKEN],
    [{ U: 107, u: 107 }, BROKEN],
    [{ U: 101, u: 105 }, IGNORED],
  ])('answers %j, after one that ended at 105, with %i', (fields, outcome) => {
    const rig = rigOf('spot');
    rig.snapshot('BTCUSDT', Buffer.from(snapshot(100)));
    rig.take(depth({ U: 99, u: 105 }));
    expect(rig.take(depth(fields))?.outcome).toBe(outcome);
  });
});

describe('futures continuity', () => {
  it.each([
    [{ U: 90, u: 99, pu: 80 }, IGNORED],
    [{ U: 90, u: 100, pu: 80 }, APPLIED],
    [{ U: 100, u: 120, pu: 95 }, APPLIED],
    // Ids are shared by all symbols: the snapshot may stand in the hole between two events.
    [{ U: 104, u: 120, pu: 95 }, APPLIED],
    [{ U: 104, u: 120, pu: 100 }, APPLIED],
    [{ U: 104, u: 120, pu: 101 }, BROKEN],
    [{ U: 104, u: 120 }, BROKEN],
  ])('answers %j, the first after a snapshot of 100, with %i', (fields, outcome) => {
    const rig = rigOf('usdm');
    rig.snapshot('BTCUSDT', Buffer.from(snapshot(100)));
    expect(rig.take(depth(fields))?.outcome).toBe(outcome);
  });

  it.each([
    [{ U: 150, u: 160, pu: 120 }, APPLIED],
    [{ U: 121, u: 160, pu: 119 }, BROKEN],
    [{ U: 121, u: 160, pu: 121 }, BROKEN],
    [{ U: 100, u: 120, pu: 95 }, IGNORED],
  ])('answers %j, after one that ended at 120, with %i', (fields, outcome) => {
    const rig = rigOf('usdm');
    rig.snapshot('BTCUSDT', Buffer.from(snapshot(100)));
    rig.take(depth({ U: 99, u: 120, pu: 95 }));
    expect(rig.take(depth(fields))?.outcome).toBe(outcome);
  });

  it('holds deltas of an instrument whose snapshot has not come', () => {
    expect(rigOf('coinm').take(depth({ U: 1, u: 2, pu: 0 }))?.outcome).toBe(HELD);
  });
});
