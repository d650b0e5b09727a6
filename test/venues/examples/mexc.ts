import { FeedSink } from '#hotpath/feed/sink.ts';
import { Frame } from '#hotpath/runtime/frame.ts';
import { mexc } from '#hotpath/venues/mexc.ts';
import type { AccountContext, Call, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import type { Market } from '#hotpath/venues/venue.ts';
import type { ClientOrderId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { MarketRig } from '#test/support/venue-fixture.ts';
import type { ExampleTable } from './examples.ts';

const [spotMarket, futuresMarket] = mexc.markets as [Market, Market];
const [spotAccount, futuresAccount] = mexc.accounts!;
const spot: Instrument = instrumentOf('mexc', 'spot', 'BTCUSDT');
const swap: Instrument = { ...instrumentOf('mexc', 'futures', 'BTC_USDT'), kind: 'perpetual' };
const { pass } = spotAccount!.sockets[0]!;

const context: AccountContext = {
  credentials: { apiKey: 'key', secret: 'secret' },
  nowMs: 1_790_000_000_000,
  nonce: 1,
  facts: {},
  marginMode: 'cross',
  leverage: 1,
};
const orderOf = (instrument: Instrument, venueOrderId?: string): OrderRef => ({
  clientOrderId: 'a00010000010' as ClientOrderId,
  instrument,
  side: 'buy',
  venueOrderId,
  sentMs: context.nowMs,
});
const ticketOf = (instrument: Instrument): OrderTicket => ({
  ...orderOf(instrument),
  type: 'limit',
  price: '1',
  qty: '5',
  timeInForce: 'GTC',
  postOnly: false,
  reduceOnly: false,
});

const bodyOf = (text: string): string =>
  text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .slice(3)
    .join('\n');

/** What a call makes of an answer: its value, or a refusal whose code is known. */
function read(call: Call<unknown>, body: string): unknown {
  const answer = call.read({ status: 200, headers: {}, text: body });
  if (answer.kind === 'ok') return answer.value ?? answer.kind;
  if (answer.meaning === 'in-doubt' || answer.meaning === 'unlisted') throw new Error(`${answer.code} ${answer.text}`);
  return answer;
}
const by = (call: Call<unknown>) => (text: string) => read(call, bodyOf(text));

/** Examples of lists with a 0 in place of every number, which no side and no state has; one ends in a comma. */
const withoutZeros = (call: Call<unknown>) => (text: string) =>
  read(
    call,
    bodyOf(text)
      .replaceAll(/"(side|state)": 0,/g, '"$1": 1,')
      .replaceAll(/,(\s*\})/g, '$1'),
  );

const framesOf = (text: string): readonly string[] =>
  text
    .replaceAll('\r', '')
    .split(/^(?=[><=] ?\{?)/m)
    .filter((part) => /^[<=]/.test(part))
    .map((part) => part.slice(1).trim());

const privately = (text: string): unknown => {
  const events = framesOf(text).map((frame) => futuresAccount!.sockets[0]!.decode(Buffer.from(frame)));
  return events.at(-1);
};

const publicly = (text: string): unknown => {
  const rig = new MarketRig(futuresMarket, [swap]);
  const book = rig.take({ frame: framesOf(text).at(-1)! });
  return [...(book === undefined ? [] : [book]), ...rig.prints, ...rig.references];
};

function snapshot(text: string): unknown {
  const { snapshot: rules } = spotMarket.book;
  if (rules.from !== 'rest') return undefined;
  const published: MarketUpdate[] = [];
  const sink = new FeedSink({
    instruments: [spot],
    venue: spot.venue,
    market: spot.market,
    onControl: () => undefined,
    onUpdate: (update) => published.push(structuredClone(update)),
  });
  const bytes = Buffer.from(bodyOf(text));
  rules.decode(new Frame().window(bytes, 0, bytes.length), sink, 0 as InstrumentIndex);
  return published;
}

const { rest: spotRest } = spotAccount!;
const { rest: futuresRest } = futuresAccount!;

export const examples: ExampleTable = {
  file: 'jkorf_mexc_net.jsonl.gz',
  decode: {
    'SpotApi/Trading/PlaceOrder.txt': by(spotRest.place(ticketOf(spot), context)),
    'SpotApi/Trading/CancelOrder.txt': by(spotRest.cancel(orderOf(spot), context)),
    'SpotApi/Trading/CancelAllOrders.txt': by(spotRest.cancelAll([spot], context)[0]!),
    'SpotApi/Trading/GetOrder.txt': by(spotRest.query(orderOf(spot), context)),
    'SpotApi/Trading/GetOpenOrders.txt': by(spotRest.openOrders([spot], context)[0]!),
    'SpotApi/Trading/GetOrders.txt': by(spotRest.openOrders([spot], context)[0]!),
    'SpotApi/Trading/GetUserTrades.txt': by(spotRest.fillsSince([spot], context.nowMs, context)[0]!),
    'SpotApi/Account/StartUserStream.txt': by(pass!.ask(context)),
    'SpotApi/Account/KeepAliveUserStream.txt': by(pass!.renew!.call(context, 'key')),
    'SpotApi/Account/GetTradeFeeAsync.txt': by(spotRest.fees([spot], context)[0]!),
    'SpotApi/Account/GetAccountInfo.txt': by(spotRest.balances(context)),
    'SpotApi/ExchangeData/GetExchangeInfo.txt': (text) =>
      spotMarket.instruments.parse([bodyOf(text)], spotMarket.defaultFees),
    'SpotApi/ExchangeData/GetServerTime.txt': by(spotRest.time!),
    'SpotApi/ExchangeData/GetOrderBook.txt': snapshot,
    'FuturesApi/Trading/PlaceOrder.txt': by(futuresRest.place(ticketOf(swap), context)),
    'FuturesApi/Trading/CancelOrders.txt': by(futuresRest.cancel(orderOf(swap, '1'), context)),
    'FuturesApi/Trading/CancelOrdersByClientOrderIds.txt': by(futuresRest.cancel(orderOf(swap), context)),
    'FuturesApi/Trading/CancelAllOrders.txt': by(futuresRest.cancelAll([swap], context)[0]!),
    'FuturesApi/Trading/GetOrder.txt': by(futuresRest.query(orderOf(swap, '1'), context)),
    'FuturesApi/Trading/GetOrderByClientOrderId.txt': by(futuresRest.query(orderOf(swap), context)),
    'FuturesApi/Trading/GetOpenOrders.txt': withoutZeros(futuresRest.openOrders([swap], context)[0]!),
    'FuturesApi/Trading/GetUserTrades.txt': withoutZeros(futuresRest.fillsSince([swap], context.nowMs, context)[0]!),
    'FuturesApi/Trading/GetOrderTrades.txt': by(futuresRest.fillsOf!(orderOf(swap, '1'), context)),
    'FuturesApi/Trading/GetPositions.txt': by(futuresRest.positions!(context)),
    'FuturesApi/Account/GetBalances.txt': by(futuresRest.balances(context)),
    'FuturesApi/Account/GetTradingFees.txt': by(futuresRest.fees([swap], context)[0]!),
    'FuturesApi/ExchangeData/GetSymbols.txt': (text) =>
      futuresMarket.instruments.parse([bodyOf(text)], futuresMarket.defaultFees),
    'Subscriptions/FuturesApi/Book.txt': publicly,
    // The same content as an increment's.
    'Subscriptions/FuturesApi/PartialBook.txt': (text) => publicly(text.replace('push.depth.full', 'push.depth')),
    'Subscriptions/FuturesApi/Trades.txt': publicly,
    'Subscriptions/FuturesApi/MarkPrice.txt': publicly,
    'Subscriptions/FuturesApi/IndexPrice.txt': publicly,
    'Subscriptions/FuturesApi/FundingRate.txt': publicly,
    'Subscriptions/FuturesApi/Ticker.txt': publicly,
    'Subscriptions/FuturesApi/Order.txt': privately,
    'Subscriptions/FuturesApi/UserTrade.txt': privately,
    'Subscriptions/FuturesApi/Position.txt': privately,
    'Subscriptions/FuturesApi/Balance.txt': privately,
  },
  ignored: [
    [/Subscriptions\/SpotApi\//, 'JSON streams ended in August 2025: protobuf since'],
    [/SpotApi\/SubAccount\//, 'sub-accounts are not traded on'],
    [/SpotApi\/Account\//, 'deposits, withdrawals, transfers and dust are not asked for'],
    [/SpotApi\/ExchangeData\//, 'prices and trades come over sockets'],
    [/SpotApi\/Trading\/PlaceTestOrder/, 'an order of trial that says nothing'],
    [/FuturesApi\/ExchangeData\/GetSymbol[.]/, 'one contract of the list that is read'],
    [/FuturesApi\/ExchangeData\//, 'mark, index, funding and trades come over sockets'],
    [/FuturesApi\/Account\//, 'settings, transfers and discounts are not asked for'],
    [
      /FuturesApi\/Trading\/.*(Plan|Trigger|TpSl|Trailing|Chase|Edit|Reverse|CloseAll)/,
      'plans, triggers and edits are not sent',
    ],
    [/FuturesApi\/Trading\//, 'histories, counts and limits are not asked for'],
    [/Subscriptions\/FuturesApi\//, 'notices of plans, modes and risk, candles and lists are not followed'],
  ],
};
