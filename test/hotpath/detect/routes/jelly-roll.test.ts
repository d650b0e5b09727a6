import { describe, expect, it } from 'vitest';
import { jellyRoll } from '#hotpath/detect/routes/jelly-roll.ts';
import { boardOf, compileOptions as options, expiryMsOf, listing } from '#test/support/options.ts';

const [nearMs, farMs] = [expiryMsOf('261225'), expiryMsOf('270326')];
const twoBoards = (pair: string, strikes = [60_000]) =>
  ['261225', '270326'].flatMap((day) => boardOf(`a:${pair}-${day}`, strikes));

describe('jelly-roll', () => {
  it('takes the strike in at one expiry and pays it back at the next, with a coin sold meanwhile', () => {
    const [sold, bought] = jellyRoll.compile([...twoBoards('BTC/USDT:USDT'), listing('a:BTC/USDT')], options);
    expect(sold).toEqual({
      id: 'jelly-roll:a:BTC/USDT:USDT-261225-60000-P+a:BTC/USDT:USDT-270326-60000-C>a:BTC/USDT:USDT-261225-60000-C+a:BTC/USDT:USDT-270326-60000-P',
      family: 'jelly-roll',
      evaluator: 'sum',
      start: 'USDT',
      legs: [
        { instrument: 0, side: 'sell', ratio: 1 },
        { instrument: 1, side: 'buy', ratio: 1 },
        { instrument: 2, side: 'buy', ratio: 1 },
        { instrument: 3, side: 'sell', ratio: 1 },
      ],
      terms: {
        certainty: 'locked',
        notional: { amount: 60_000 },
        payoffs: [
          { atMs: nearMs, amount: 60_000 },
          { atMs: farMs, amount: -60_000 },
        ],
        closings: [
          { instrument: 4, ratio: 1 },
          { instrument: 4, ratio: 1 },
        ],
        deliveries: [
          { instrument: 0, ratio: 1 },
          { instrument: 2, ratio: 1 },
        ],
        bridges: [{ instrument: 4, side: 'sell', ratio: 1, fromMs: nearMs, toMs: farMs }],
        endsMs: farMs,
      },
    });
    expect(bought).toMatchObject({
      legs: [{ side: 'buy' }, { side: 'sell' }, { side: 'sell' }, { side: 'buy' }],
      terms: { payoffs: [{ amount: -60_000 }, { amount: 60_000 }], bridges: [{ side: 'buy' }] },
    });
  });

  it('bridges as many dollars as the strike says where it is settled in coin', () => {
    const [route] = jellyRoll.compile([...twoBoards('BTC/USD:BTC'), listing('b:BTC/USD')], options);
    expect(route).toMatchObject({
      start: 'BTC',
      terms: {
        notional: { amount: 1 },
        payoffs: [
          { atMs: nearMs, amount: -1 },
          { atMs: farMs, amount: 1 },
        ],
        closings: [
          { instrument: 4, ratio: 60_000, unit: 'quote' },
          { instrument: 4, ratio: 60_000, unit: 'quote' },
        ],
        bridges: [{ instrument: 4, side: 'sell', ratio: 60_000, unit: 'quote' }],
      },
    });
  });

  it('bridges on the venue of the options where it can, and is no route where nothing bridges', () => {
    const boards = twoBoards('BTC/USDT:USDT');
    const spots = ['b:BTC/USDT', 'a:BTC/USDT', 'a:BTC/USDC'].map((id) => listing(id));
    const [route] = jellyRoll.compile([...spots, ...boards], options);
    expect(route).toMatchObject({ terms: { bridges: [{ instrument: 1 }] } });
    expect(jellyRoll.compile([...boards, listing('a:BTC/USDC'), listing('a:BTC/USDT:USDT')], options)).toEqual([]);
  });

  it('begins with neighbouring expiries, goes no further than three, and keeps to strikes that both have', () => {
    const days = ['261127', '261204', '261225', '270129', '270326'];
    const boards = days.flatMap((day, at) => boardOf(`a:BTC/USDT:USDT-${day}`, [50_000, 60_000 + at]));
    const routes = jellyRoll.compile([...boards, listing('a:BTC/USDT')], options);
    const distances = routes.map(({ legs }) => (legs[2]!.instrument - legs[0]!.instrument) / 4);
    expect(distances).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3]);
  });
});
