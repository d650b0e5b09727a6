import fc from 'fast-check';
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

/** An object's fields in any order, bare or in the envelope. */
const framed = (event: object) =>
  fc
    .tuple(fc.shuffledSubarray(Object.entries(event), { minLength: Object.keys(event).length }), fc.boolean())
    .map(([entries, isBare]) => {
      const text = JSON.stringify(Object.fromEntries(entries));
      return isBare ? text : `{"stream":"x@y","data":${text}}`;
    });
const decimal = fc.integer({ min: 1, max: 10 ** 12 }).map((value) => (value / 1e4).toFixed(4));

describe('the tape', () => {
  const trade = {
    e: 'aggTrade',
    E: 1_790_000_000_005,
    s: 'BTCUSDT',
    a: 1,
    p: '62000.10',
    q: '0.5',
    f: 1,
    l: 1,
    T: 1_790_000_000_004,
    m: true,
  };
  const printsOf = (id: string, event: object) => {
    const rig = rigOf(id);
    expect(rig.take({ frame: JSON.stringify(event) })).toBeUndefined();
    return rig.prints;
  };

  it('is read in whatever order its fields come', () => {
    const trades = fc
      .record({ p: decimal, q: decimal, m: fc.boolean(), e: fc.constantFrom('trade', 'aggTrade') })
      .chain((fields) =>
        framed({ ...trade, ...fields, b: 88, a: 50, X: 'MARKET' }).map((frame) => ({ frame, fields })),
      );
    fc.assert(
      fc.property(trades, ({ frame, fields: { p, q, m } }) => {
        const rig = rigOf('usdm');
        expect(rig.take({ frame })).toBeUndefined();
        expect(rig.prints).toMatchObject([
          { price: Number(p), qty: Number(q), taker: m ? -1 : 1, venueTimeMs: 1_790_000_000_004 },
        ]);
      }),
    );
  });

  it.each([
    ['microseconds', { T: 1_790_000_000_004_500 }, 1_790_000_000_004.5],
    ['milliseconds', {}, 1_790_000_000_004],
  ])('tells its time in %s', (_name, fields, timeMs) => {
    expect(printsOf('spot', { ...trade, ...fields })).toMatchObject([{ venueTimeMs: timeMs }]);
  });

  it.each([
    ['a trade of nothing', 'usdm', { p: '0', q: '0' }],
    ['a block trade', 'options', { e: 'trade', X: 'BLOCK' }],
    ['a trade of the insurance fund', 'usdm', { e: 'trade', X: 'INSURANCE_FUND' }],
    ['a trade of COIN-M among those of USD-M', 'usdm', { st: 2 }],
    ['a trade of USD-M among those of COIN-M', 'coinm', { st: 1 }],
    ['a symbol that is not followed', 'spot', { s: 'ETHUSDT' }],
  ])('has no print of %s', (_name, id, fields) => {
    expect(printsOf(id, { ...trade, ...fields })).toEqual([]);
  });

  it.each(['s', 'p', 'q', 'm'])('refuses a trade without %s', (field) => {
    const rest = Object.fromEntries(Object.entries(trade).filter(([key]) => key !== field));
    expect(refusalOf(() => rigOf('spot').take({ frame: JSON.stringify(rest) }))).toMatch(/not a trade/);
  });
});

describe('marks', () => {
  const mark = { e: 'markPriceUpdate', E: 9, s: 'BTCUSDT', p: '62000.5', i: '62001', P: '62001', r: '0.0001', T: 20 };

  it('are read in whatever order their fields come, with their sign', () => {
    const marks = fc
      .record({ p: decimal, i: decimal, r: fc.integer({ min: -300, max: 300 }).map((bps) => (bps / 1e4).toFixed(8)) })
      .chain((fields) => framed({ ...mark, ...fields, st: 1 }).map((frame) => ({ frame, fields })));
    fc.assert(
      fc.property(marks, ({ frame, fields: { p, i, r } }) => {
        const rig = rigOf('usdm');
        expect(rig.take({ frame })).toBeUndefined();
        expect(rig.references).toHaveLength(1);
        const [{ markPrice, indexPrice, fundingRate, nextFundingTimeMs, venueTimeMs, delta }] = rig.references as [
          never,
        ];
        expect([markPrice, indexPrice, Number(fundingRate) + 0]).toEqual([Number(p), Number(i), Number(r) + 0]);
        expect([nextFundingTimeMs, venueTimeMs, delta]).toEqual([20, 9, NaN]);
      }),
    );
  });

  it('of a contract that is delivered have no funding', () => {
    const rig = rigOf('coinm');
    rig.take({ frame: JSON.stringify({ ...mark, r: '', T: 0 }) });
    expect(rig.references).toMatchObject([{ markPrice: 62_000.5, fundingRate: NaN, nextFundingTimeMs: NaN }]);
  });

  it('of all symbols come in a list, and other lists say nothing', () => {
    const rig = rigOf('usdm');
    const list = [
      mark,
      { ...mark, st: 2 },
      { ...mark, s: 'ETHUSDT' },
      { e: '24hrTicker', s: 'BTCUSDT', p: 'x' },
      7,
      { ...mark, p: '1' },
    ];
    for (const frame of [
      JSON.stringify(list),
      `{"stream":"!markPrice@arr","data":${JSON.stringify(list)}}`,
      '[]',
      '[1,[2]]',
    ])
      expect(rig.take({ frame })).toBeUndefined();
    expect(rig.references.map(({ markPrice }) => markPrice)).toEqual([62_000.5, 1, 62_000.5, 1]);
  });

  it('of options have volatilities and Greeks, and none where there is no quote', () => {
    const rig = rigOf('options');
    const option = {
      s: 'BTCUSDT',
      mp: '770.5',
      E: 9,
      e: 'markPrice',
      i: '62000',
      b: '-1.0',
      a: '0.98',
      vo: '0.94',
      rf: '0.01',
      d: '-0.11',
      t: '-164.2',
      g: '0.00001',
      v: '30.6',
    };
    rig.take({ frame: `{"stream":"btcusdt@optionMarkPrice","data":${JSON.stringify([option])}}` });
    expect(rig.references).toMatchObject([
      {
        markPrice: 770.5,
        indexPrice: 62_000,
        underlyingPrice: 62_000,
        bidVolatility: NaN,
        askVolatility: 0.98,
        markVolatility: 0.94,
        delta: -0.11,
        theta: -164.2,
        gamma: 0.00001,
        vega: 30.6,
        interestRate: 0.01,
        fundingRate: NaN,
      },
    ]);
  });
});

it('survives whatever becomes of a frame beside the books, and prints nothing that is no trade', () => {
  const frames = [
    '{"stream":"s","data":{"e":"aggTrade","E":1,"s":"BTCUSDT","a":1,"p":"1.5","q":"2","f":1,"l":1,"T":1,"m":true,"st":1}}',
    '{"e":"markPriceUpdate","E":9,"s":"BTCUSDT","p":"1.5","i":"2","P":"2","r":"-0.0001","T":20}',
    '{"data":[{"s":"BTCUSDT","mp":"7.5","E":9,"e":"markPrice","i":"6","b":"-1.0","a":"0.98","vo":"0.94"}]}',
  ];
  const harm = fc.record({
    frame: fc.constantFrom(...frames),
    at: fc.nat(130),
    cut: fc.nat(12),
    put: fc.string({ maxLength: 6 }),
  });
  fc.assert(
    fc.property(harm, fc.constantFrom('spot', 'usdm', 'coinm', 'options'), ({ frame, at, cut, put }, id) => {
      const rig = rigOf(id);
      refusalOf(() => rig.take({ frame: frame.slice(0, at) + put + frame.slice(at + cut) }));
      for (const { price, qty, taker } of rig.prints)
        expect([price > 0, qty > 0, Math.abs(taker)]).toEqual([true, true, 1]);
    }),
    { numRuns: 3_000 },
  );
});

describe('options', () => {
  const market = binance.markets.find(({ id }) => id === 'options')!;
  const listed = (more: object) =>
    market.instruments.parse(
      [
        JSON.stringify({
          optionContracts: [{ baseAsset: 'BTC', quoteAsset: 'USDT', underlying: 'BTCUSDT', settleAsset: 'USDT' }],
          optionSymbols: [
            {
              symbol: 'BTC-261225-60000-C',
              side: 'CALL',
              strikePrice: '60000.00000000',
              underlying: 'BTCUSDT',
              unit: 1,
              expiryDate: Date.UTC(2026, 11, 25, 8),
              filters: [
                { filterType: 'PRICE_FILTER', tickSize: '5' },
                { filterType: 'LOT_SIZE', minQty: '0.01', stepSize: '0.01' },
              ],
              ...more,
            },
          ],
        }),
      ],
      market.defaultFees,
    );

  it('are named as everywhere', () => {
    expect(listed({})).toMatchObject([
      { symbol: 'BTC/USDT:USDT-261225-60000-C', right: 'call', kind: 'option', status: 'trading' },
    ]);
    expect(listed({ side: 'PUT', strikePrice: '0.50', status: 'BREAK' })).toMatchObject([
      { symbol: 'BTC/USDT:USDT-261225-0.5-P', right: 'put', status: 'halted' },
    ]);
  });

  it.each([{ underlying: 'ETHUSDT' }, { filters: [] }, { strikePrice: '0' }, { expiryDate: 0 }, { unit: '0' }])(
    'are left out where they cannot be expressed: %j',
    (more) => {
      expect(listed(more)).toEqual([]);
    },
  );

  it('ask once for the marks of an underlying', () => {
    const symbols = ['BTC-261225-60000-C', 'BTC-261225-60000-P', 'ETH-261225-3000-C'];
    const [frame, ...more] = market.streams!.subscribe(['reference'], symbols, 3);
    expect([JSON.parse(frame!), more]).toEqual([
      { method: 'SUBSCRIBE', params: ['btcusdt@optionMarkPrice', 'ethusdt@optionMarkPrice'], id: 300 },
      [],
    ]);
  });

  it('read a REST book by either name of its number', () => {
    const rig = rigOf('options');
    const book = { bids: [['99', '1']], asks: [['101', '2']], T: 1 };
    for (const number of [{ u: 8 }, { lastUpdateId: 8 }])
      expect(rig.snapshot('BTCUSDT', Buffer.from(JSON.stringify({ ...book, ...number })))?.update.lastSequence).toBe(8);
  });
});
