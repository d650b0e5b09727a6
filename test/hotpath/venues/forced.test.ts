import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { venues } from '#hotpath/venues/index.ts';
import type { AccountEvent } from '#hotpath/venues/venue-account.ts';

type Line = { readonly account?: string; readonly event?: string };
/** A private frame of ours, and what it says instead when the venue has traded by itself. */
type Case = readonly [
  venue: string,
  account: string,
  found: string,
  ours: string,
  forced: readonly (readonly [instead: string, as: 'adl' | 'liquidation'])[],
];

const CASES: readonly Case[] = [
  [
    'binance',
    'usdm',
    '"x":"TRADE"',
    '"c":"a00010000010"',
    [
      ['"c":"adl_autoclose"', 'adl'],
      ['"c":"autoclose-1596107620040000020"', 'liquidation'],
    ],
  ],
  [
    'okx',
    'unified',
    '"fillPx":"62000"',
    '"category":"normal"',
    [
      ['"category":"adl"', 'adl'],
      ['"category":"partial_liquidation"', 'liquidation'],
      ['"category":"full_liquidation"', 'liquidation'],
    ],
  ],
  [
    'bybit',
    'unified',
    '"topic":"execution"',
    '"execType":"Trade"',
    [
      ['"execType":"AdlTrade"', 'adl'],
      ['"execType":"BustTrade"', 'liquidation'],
    ],
  ],
  [
    'gate',
    'usdt',
    'futures.usertrades',
    '"text":"t-a0001000001000"',
    [
      ['"text":"auto_deleveraging"', 'adl'],
      ['"text":"liquidation"', 'liquidation'],
      ['"text":"liq-123"', 'liquidation'],
    ],
  ],
  [
    'krakenfutures',
    'futures',
    '"feed":"fills"',
    '"fill_type":"maker"',
    [
      ['"fill_type":"unwindCounterparty"', 'adl'],
      ['"fill_type":"liquidation"', 'liquidation'],
      ['"fill_type":"assignor"', 'liquidation'],
    ],
  ],
  [
    'mexc',
    'futures',
    'push.personal.order.deal',
    '"category":1',
    [
      ['"category":4', 'adl'],
      ['"category":2', 'liquidation'],
    ],
  ],
  [
    'htx',
    'swap',
    '"trade_id":"155233460"',
    '"role":"taker"',
    [
      ['"role":"taker","order_source":"ADL"', 'adl'],
      ['"role":"taker","order_source":"risk"', 'liquidation'],
      ['"role":"taker","liquidation_type":"2"', 'liquidation'],
    ],
  ],
];

describe.each(CASES)('%s', (venue, account, found, ours, forced) => {
  const frame = readFileSync(`test/fixtures/venues/${venue}.jsonl`, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
    .find(
      (line) => line.account === account && line.event?.includes(found) === true && line.event.includes(ours),
    )!.event!;
  const fillsOf = (text: string) =>
    venues
      .find(({ id }) => id === venue)!
      .accounts!.find(({ id }) => id === account)!
      .sockets.filter(({ carries }) => carries.includes('events'))
      .flatMap(({ decode }): readonly AccountEvent[] => decode(new TextEncoder().encode(text)))
      .flatMap((event) => (event.kind === 'fill' ? event.fill : []));

  it('calls a trade of ours nobody else’s', () => {
    const [fill] = fillsOf(frame);
    expect(fill).toBeDefined();
    expect(fill).not.toHaveProperty('forced');
  });

  it.each(forced)('reads %s as what it has traded by itself', (instead, as) => {
    expect(fillsOf(frame.replace(ours, instead))[0]).toMatchObject({ forced: as });
  });
});
