import { FeedSink } from '#hotpath/feed/sink.ts';
import { Frame } from '#hotpath/runtime/frame.ts';
import { kucoin } from '#hotpath/venues/kucoin.ts';
import type { AccountContext, Call, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import type { Market } from '#hotpath/venues/venue.ts';
import type { ClientOrderId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { MarketRig } from '#test/support/venue-fixture.ts';
import type { ExampleTable } from './examples.ts';

const [account] = kucoin.accounts!;
const { rest, sockets, deadMan } = account!;

const context: AccountContext = {
  credentials: { apiKey: 'key', secret: 'secret', passphrase: 'words' },
  nowMs: 1_708_587_400_000,
  nonce: 1_708_587_400_000_000,
  facts: {},
  marginMode: 'cross',
  leverage: 1,
};
const spot: Instrument = instrumentOf('kucoin', 'spot', 'BTC-USDT');
const swap: Instrument = { ...instrumentOf('kucoin', 'futures', 'XBTUSDTM'), kind: 'perpetual' };
const order: OrderRef = {
  clientOrderId: 'a00010000010' as ClientOrderId,
  instrument: swap,
  side: 'buy',
  venueOrderId: '402665260420558848',
  sentMs: context.nowMs,
};
const ticket: OrderTicket = {
  ...order,
  type: 'limit',
  price: '59200',
  qty: '1',
  timeInForce: 'GTC',
  postOnly: false,
  reduceOnly: false,
};

/** Behind method, path, whether it is signed, and sometimes a line of parameters. */
const bodyOf = (text: string): string =>
  text
    .split('\n')
    .slice(3)
    .filter((line) => !line.startsWith('UriParams'))
    .join('\n');

/** What a call makes of an answer; an empty value (a cancel's) is told by its kind. */
function by(call: Call<unknown> | undefined) {
  return (text: string): unknown => {
    const answer = call!.read({ status: 200, headers: {}, text: bodyOf(text) });
    if (answer.kind === 'refused') throw new Error(`${answer.meaning} ${answer.code} ${answer.text}`);
    return answer.value ?? answer.kind;
  };
}

/** The frames that came in, `< ` and `= `; a pushed one may span lines. */
const framesOf = (text: string): readonly string[] =>
  text
    .split(/^(?=[><=] ?)/m)
    .filter((part) => !part.startsWith('>'))
    .map((part) => part.slice(1).trim());

const privateEvents = (text: string): unknown => {
  const events = framesOf(text).map((frame) => sockets[0]!.decode(Buffer.from(frame)));
  return events.at(-1)!.length === 0 ? [] : events.flat();
};

/** What the market's decoder publishes of the frames; `symbol` is what it follows. */
const publicly = (id: string, symbol: string) => (text: string) => {
  const market = [...kucoin.markets, ...kucoin.recorded!].find((each) => each.id === id)!;
  const rig = new MarketRig(market, [instrumentOf('kucoin', id, symbol)]);
  const books = framesOf(text).map((frame) => rig.take({ frame }));
  return [...books.filter((book) => book !== undefined), ...rig.prints, ...rig.references];
};

/** The book that a REST answer publishes. */
const polled = (market: Market, followed: Instrument) => (text: string) => {
  const published: MarketUpdate[] = [];
  const sink = new FeedSink({
    instruments: [followed],
    venue: followed.venue,
    market: market.id,
    onControl: () => undefined,
    onUpdate: (update) => published.push(structuredClone(update)),
  });
  const bytes = Buffer.from(bodyOf(text));
  market.poll!.decode(new Frame().window(bytes, 0, bytes.length), sink, 0 as InstrumentIndex);
  return published;
};

const listed = (market: Market) => (text: string) => market.instruments.parse([bodyOf(text)], market.defaultFees);
const [spotMarket, futuresMarket] = kucoin.markets as [Market, Market];

export const examples: ExampleTable = {
  file: 'jkorf_kucoin_net.jsonl.gz',
  decode: {
    'Unified/Account/GetApiKeyInfo.txt': by(rest.permissions!(context)),
    'Unified/Account/GetBalances.txt': by(rest.balances(context)),
    'Unified/Account/GetFeeRate.txt': by(rest.fees([spot], context)[0]),
    'Unified/Trading/PlaceOrder.txt': by(rest.place(ticket, context)),
    'Unified/Trading/CancelOrder.txt': by(rest.cancel(order, context)),
    'Unified/Trading/CancelSymbolOrders.txt': by(rest.cancelAll([spot], context)[0]),
    'Unified/Trading/GetOrder.txt': by(rest.query(order, context)),
    'Unified/Trading/GetOpenOrders.txt': by(rest.openOrders([swap], context)[0]),
    'Unified/Trading/GetUserTrades.txt': by(rest.fillsSince([spot], context.nowMs, context)[0]),
    'Unified/Trading/GetPositions.txt': by(rest.positions!(context)),
    'Unified/Trading/SetDcp.txt': by(deadMan.kind === 'timer' ? deadMan.arm(10_000, [spot], context)[0] : undefined),
    'Unified/ExchangeData/GetOrderBook.txt': polled(spotMarket, spot),
    'Spot/ExchangeData/GetSymbols.txt': listed(spotMarket),
    'Spot/ExchangeData/GetAggregatedFullOrderBook.txt': polled(spotMarket, spot),
    'Spot/ExchangeData/GetAggregatedPartialOrderBook.txt': polled(spotMarket, spot),
    'Futures/ExchangeData/GetOpenContracts.txt': listed(futuresMarket),
    'Futures/ExchangeData/GetAggregatedFullOrderBook.txt': polled(futuresMarket, swap),
    'Futures/ExchangeData/GetAggregatedPartialOrderBook.txt': polled(futuresMarket, swap),
    'Subscriptions/Unified/Balance.txt': privateEvents,
    'Subscriptions/Unified/Order.txt': privateEvents,
    'Subscriptions/Unified/Position.txt': privateEvents,
    'Subscriptions/Unified/UserTrade.txt': privateEvents,
    'Subscriptions/Unified/OrderBook.txt': publicly('spot', 'ETH-USDT'),
    'Subscriptions/Unified/Trade.txt': publicly('spot', 'ETH-USDT'),
    'Subscriptions/Spot/AggBook.txt': publicly('spot-classic', 'BTC-USDT'),
    'Subscriptions/Spot/Trades.txt': publicly('spot-classic', 'BTC-USDT'),
    'Subscriptions/Futures/Book.txt': publicly('futures-classic', 'XBTUSDM'),
    'Subscriptions/Futures/Trades.txt': publicly('futures-classic', 'XBTUSDTM'),
    'Subscriptions/Futures/MarkPrice.txt': publicly('futures-classic', 'XBTUSDM'),
    'Subscriptions/Futures/FundingRate.txt': publicly('futures-classic', 'XBTUSDM'),
  },
  ignored: [
    [/\/Margin\/|Margin(ed)?[A-Z]\w*Order|\w*Margin\w*[.]txt/, 'margin trading and lending are not used'],
    [/\/SubAccount\/|SubUser|\/Earn\//, 'sub-accounts and savings are not used'],
    [/Endpoints\/Spot\/(Trading|HfTrading)\//, 'the classic account: orders go through the unified one'],
    [/Endpoints\/Futures\/(Trading|Account)\//, 'the classic account: orders and money are the unified one’s'],
    [/Endpoints\/Spot\/Account\//, 'the classic account: money is the unified one’s'],
    [
      /Subscriptions\/(Spot|Futures)\/\w*(Order|Balance|Wallet|Position|Withdrawable|Risk|Debt)\w*[.]txt/,
      'private topics of the classic account',
    ],
    [
      /Unified\/Trading\/(CancelOrders|GetOrderHistory|GetDcp|GetPosition(History|Tiers))[.]txt/,
      'not asked: orders are named one by one',
    ],
    [/Unified\/Account\//, 'account modes, ledgers, transfers and leverage are set by hand'],
    [
      /Unified\/ExchangeData\/Get(Futures|Spot)Symbols[.]txt/,
      'the classic lists say the same, and the kind of contract',
    ],
    [/GetContract[.]txt/, 'one of the list that is read'],
    [
      /Endpoints\/\w+\/ExchangeData\/Get(\w*Ticker\w*|TradeHistory|RecentTrades|FundingRate|CurrentFundingRate|CurrentMarkPrice)[.]txt/,
      'comes by its channel, not by REST',
    ],
    [/Endpoints\/\w+\/ExchangeData\//, 'statistics, candles, currencies, regions and interest are not used'],
    [/Subscriptions\/\w+\/(Tickers?|BestOffers|Snapshot|Book|PartialBook)[.]txt/, 'best prices are those of the book'],
    [
      /Subscriptions\/Unified\/(Leverage|LiquidationWarning|Kline)[.]txt/,
      'candles, leverage and warnings are not used',
    ],
    [
      /Subscriptions\/Spot\/(IndexPrice|MarkPrice|FundingBook|Klines|Concurrent)[.]txt/,
      'candles, margin prices and lending are not used',
    ],
    [
      /Subscriptions\/Futures\/(Announcement|Concurrent|FundingSettlement|CrossMarginLeverage)[.]txt/,
      'candles, announcements and settlements are not used',
    ],
  ],
};
