import { describe, expect, it } from 'vitest';
import { ReferenceStore } from '#hotpath/book/reference-store.ts';
import { syntheticStatuses } from '#hotpath/engine-status.ts';
import { asset } from '#hotpath/venues/venue.ts';
import type { InstrumentIndex, TimeNs } from '#shared/domain/ids.ts';
import type { SyntheticStatus } from '#shared/schema/status.ts';
import { syntheticStatus } from '#shared/schema/status.ts';
import { Books } from '#test/support/market.ts';
import { listing } from '#test/support/options.ts';

describe('syntheticStatuses', () => {
  const [march, december] = [listing('a:BTC/USD:BTC-270326'), listing('a:BTC/USD:BTC-261225')];
  const legs = [
    { at: 0 as InstrumentIndex, instrument: march, ratio: 1 },
    { at: 1 as InstrumentIndex, instrument: december, ratio: -0.1 },
  ];
  const synthetic = { name: 'roll', description: 'a roll', quote: asset('USD'), legs };
  const books = new Books(2);
  const references = new ReferenceStore([{}, {}]);
  const told = (): SyntheticStatus => {
    const [status] = syntheticStatuses({ synthetics: [synthetic], references, books }, 0 as TimeNs);
    return syntheticStatus.parse(JSON.parse(JSON.stringify(status)));
  };

  it('say what nobody knows as null', () => {
    expect(told()).toMatchObject({ fair_value: null, bids: [], asks: [], status: 'syncing', greeks: { delta: '0.9' } });
  });

  it('round what summing left over', () => {
    books.set(0, { bids: [[0.3, 3]], asks: [[0.4, 3]], ageMs: 3 });
    books.set(1, { bids: [[1, 3]], asks: [[1, 3]], ageMs: 5 });
    expect(told()).toEqual({
      name: 'roll',
      description: 'a roll',
      quote: 'USD',
      legs: [
        { instrument: 'a:BTC/USD:BTC-270326', ratio: '1' },
        { instrument: 'a:BTC/USD:BTC-261225', ratio: '-0.1' },
      ],
      bids: [['0.2', '10']],
      asks: [['0.3', '7.5']],
      fair_value: '0.25',
      greeks: { delta: '0.9', gamma: '0', vega: '0', theta: '0', rho: '0' },
      status: 'live',
      age_ms: 5,
    });
  });
});
