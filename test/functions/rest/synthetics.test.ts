import { afterAll, beforeAll, expect, it } from 'vitest';
import { statusOf } from '../support/events.ts';
import { startTestCloud, type CloudUnderTest } from '../support/cloud.ts';

let world: CloudUnderTest;

beforeAll(async () => {
  world = await startTestCloud();
});
afterAll(() => world.close());

it('are none before the engine has spoken of them, and not for everybody', async () => {
  const token = await world.tokenOf('reader', ['read']);
  expect((await world.get('/v1/market/synthetics', token)).data).toEqual({ synthetics: [] });
  await world.say(statusOf(world.clock.nowMs()));
  expect((await world.get('/v1/market/synthetics', token)).data).toEqual({ synthetics: [] });
  expect((await world.get('/v1/market/synthetics')).error.code).toBe(1001);
  const trader = await world.tokenOf('trader', ['trade']);
  expect((await world.get('/v1/market/synthetics', trader)).error.code).toBe(1003);
});

it('have the very decimals that the engine said, and null where it could not say', async () => {
  const sampledAtMs = world.clock.nowMs();
  await world.say(
    statusOf(sampledAtMs, {
      synthetics: [
        {
          name: 'roll',
          description: 'March against December',
          quote: 'USD',
          legs: [
            { instrument: 'deribit:BTC/USD:BTC-270326', ratio: '1' },
            { instrument: 'deribit:BTC/USD:BTC-261225', ratio: '-1' },
          ],
          bids: [['-12.50', '3.2']],
          asks: [],
          fair_value: '-11.000000000000000001',
          greeks: { delta: '0', gamma: '0', vega: null, theta: null, rho: null },
          status: 'live',
          age_ms: 40,
        },
      ],
    }),
  );
  world.clock.advance(1_000);
  const { data, text } = await world.get('/v1/market/synthetics', await world.tokenOf('reader', ['read']));
  expect(data).toEqual({
    synthetics: [
      {
        name: 'roll',
        description: 'March against December',
        quote: 'USD',
        legs: [
          { exchange: 'deribit', symbol: 'BTC/USD:BTC-270326', ratio: 1 },
          { exchange: 'deribit', symbol: 'BTC/USD:BTC-261225', ratio: -1 },
        ],
        bid: -12.5,
        bid_quantity: 3.2,
        ask: null,
        ask_quantity: null,
        bids: [[-12.5, 3.2]],
        asks: [],
        fair_value: -11,
        greeks: { delta: 0, gamma: 0, vega: null, theta: null, rho: null },
        status: 'live',
        age_ms: 1_040,
        timestamp: new Date(sampledAtMs).toISOString(),
      },
    ],
  });
  expect(text).toContain('"bid":-12.50,');
  expect(text).toContain('"fair_value":-11.000000000000000001,');
});
