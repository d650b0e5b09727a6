import { describe, expect, it } from 'vitest';
import { calendar } from '#hotpath/detect/routes/calendar.ts';
import { compileOptions, dollarsAreEqual, expiryMsOf, listing } from '#test/support/options.ts';

const NEAR = expiryMsOf('261225');

describe('calendar', () => {
  it('ends when the near one settles, and closes the far one then', () => {
    const instruments = [listing('a:BTC/USDT:USDT-270326'), listing('a:BTC/USDT:USDT-261225')];
    const routes = calendar.compile(instruments, compileOptions);
    expect(routes.map(({ id }) => id)).toEqual([
      'calendar:a:BTC/USDT:USDT-270326>a:BTC/USDT:USDT-261225',
      'calendar:a:BTC/USDT:USDT-261225>a:BTC/USDT:USDT-270326',
    ]);
    for (const route of routes) {
      expect(route).toMatchObject({
        terms: {
          certainty: 'converging',
          closings: [{ instrument: 0, ratio: 1 }],
          deliveries: [{ instrument: 1, ratio: 1 }],
          endsMs: NEAR,
        },
      });
    }
  });

  it('sets a perpetual against a future, but neither spot nor two perpetuals', () => {
    const instruments = [
      listing('a:BTC/USDT'),
      listing('a:BTC/USDT:USDT'),
      listing('b:BTC/USDT:USDT'),
      listing('b:BTC/USDT:USDT-261225'),
    ];
    const routes = calendar.compile(instruments, compileOptions);
    expect(routes.map(({ legs }) => legs.map(({ instrument }) => instrument))).toEqual([
      [1, 3],
      [3, 1],
      [2, 3],
      [3, 2],
    ]);
    expect(routes[0]).toMatchObject({
      terms: { closings: [{ instrument: 1 }], deliveries: [{ instrument: 3 }], endsMs: NEAR },
    });
  });

  it('promises something only where both settle at one time on one index', () => {
    const one = listing('a:BTC/USD:BTC-261225');
    const certaintyWith = (other: ReturnType<typeof listing>): unknown =>
      calendar.compile([one, other], dollarsAreEqual).map((route) => 'terms' in route && route.terms.certainty);
    expect(certaintyWith(listing('a:BTC/USD:USD-261225'))).toEqual(['locked', 'locked']);
    expect(certaintyWith(listing('b:BTC/USD:BTC-261225'))).toEqual(['converging', 'converging']);
    expect(certaintyWith(listing('a:BTC/USDT:USDT-261225'))).toEqual(['converging', 'converging']);
    const both = calendar.compile([one, listing('b:BTC/USD:BTC-261225')], dollarsAreEqual);
    expect(both[0]).toMatchObject({ terms: { closings: [], deliveries: [{ instrument: 0 }, { instrument: 1 }] } });
  });

  it('never mixes quotes', () => {
    const instruments = [
      listing('a:BTC/USDT:USDT-261225'),
      listing('a:BTC/USDC:USDC-261225'),
      listing('a:BTC/USD:BTC-261225'),
    ];
    expect(calendar.compile(instruments, compileOptions)).toEqual([]);
    expect(calendar.compile(instruments, dollarsAreEqual)).toHaveLength(2);
  });
});
