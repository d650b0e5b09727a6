import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  balanceText,
  fillText,
  operationFactsText,
  operationText,
  orderFactsText,
  orderText,
} from '#hotpath/execute/event-text.ts';
import type { OrderFacts } from '#hotpath/execute/event-text.ts';
import type { EventData } from '#shared/schema/event.ts';

/** A key that is told and not made here is an error of types: the texts have to know it too. */
type Every<T> = { readonly [K in keyof Required<T>]: fc.Arbitrary<Required<T>[K]> };
type Optional<T> = { [K in keyof T]-?: undefined extends T[K] ? K : never }[keyof T];

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('a"b', 'c\\d', '\u2028', '\ud800', 'a:BTC/USDT'),
);
const amount = fc.constantFrom('0', '-12.5', '0.00000001', '123456789012345678.5');
const side = fc.constantFrom('buy' as const, 'sell' as const);

const orderFacts: Every<OrderFacts> = {
  client_order_id: text,
  operation: text,
  leg: fc.nat(4),
  attempt: fc.nat(30),
  purpose: fc.constantFrom('leg' as const, 'manual' as const),
  instrument: text,
  side,
  type: fc.constantFrom('limit' as const, 'market' as const),
  time_in_force: fc.constantFrom('IOC' as const, 'FOK' as const, 'GTC' as const),
  post_only: fc.boolean(),
  reduce_only: fc.boolean(),
  price: amount,
  qty: amount,
};
const orderNews: Every<Omit<EventData<'order'>, keyof OrderFacts>> = {
  replacing: fc.record({ price: amount, qty: amount }),
  replaced_by: text,
  venue_order_id: text,
  filled_qty: amount,
  average_price: amount,
  status: fc.constantFrom('submitted' as const, 'partially-filled' as const),
  reason: text,
};
const fill: Every<EventData<'fill'>> = {
  trade_id: text,
  client_order_id: text,
  operation: text,
  instrument: text,
  base: text,
  quote: text,
  side,
  price: amount,
  qty: amount,
  fee: amount,
  fee_asset: text,
  liquidity: fc.constantFrom('maker' as const, 'taker' as const),
  contract: fc.constant({ kind: 'perpetual' as const, size: '1', inverse: false, settle: 'US"D' }),
  fee_rate: amount,
};
const balance: Every<EventData<'balance'>> = {
  venue: text,
  asset: text,
  total: amount,
  available: amount,
  reserved: amount,
};

/** With any of the keys that may be absent, in the order in which they are told. */
function some<T>(every: Every<T>, optional: readonly Optional<T>[]): fc.Arbitrary<T> {
  const keys = Object.keys(every) as (keyof T)[];
  const required = keys.filter((key) => !optional.includes(key as never));
  return fc
    .record(every as Record<string, fc.Arbitrary<unknown>>, { requiredKeys: required as string[] })
    .map((made) => Object.fromEntries(keys.filter((key) => key in made).map((key) => [key, made[key as string]])) as T);
}

describe('the text of an event', () => {
  it('of an order is its JSON', () => {
    const facts = some<OrderFacts>(orderFacts, ['post_only', 'reduce_only']);
    const news = some(orderNews, ['replacing', 'replaced_by', 'venue_order_id', 'average_price', 'reason']);
    fc.assert(
      fc.property(facts, news, (repeated, told) => {
        const data: EventData<'order'> = { ...repeated, ...told };
        expect(orderText(orderFactsText(repeated), data)).toBe(JSON.stringify(data));
      }),
    );
  });

  it('of a fill is its JSON', () => {
    fc.assert(
      fc.property(some<EventData<'fill'>>(fill, ['contract', 'fee_rate']), (data) => {
        expect(fillText(data)).toBe(JSON.stringify(data));
      }),
    );
  });

  it('of a balance is its JSON', () => {
    fc.assert(
      fc.property(fc.record(balance), (data) => {
        expect(balanceText(data)).toBe(JSON.stringify(data));
      }),
    );
  });

  it.each([
    { state: 'executing' as const },
    { state: 'recovering' as const, reason: 'it said "no"' },
    { state: 'completed' as const, pnl: { realised: '1', fees: '0' }, dust: {} },
  ])('of an operation is its JSON: %o', (news) => {
    const facts = {
      id: 'p1',
      opportunity: 'o"1',
      route: 'r',
      type: 'spatial',
      notional: '1',
      expected_profit: '0',
      rates: { A: '1' },
      legs: [],
    };
    expect(operationText(operationFactsText(facts), news)).toBe(JSON.stringify({ ...facts, ...news }));
  });
});
