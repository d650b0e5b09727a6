import { FeedSink } from '#hotpath/feed/sink.ts';
import { Frame } from '#hotpath/runtime/frame.ts';
import { gate } from '#hotpath/venues/gate.ts';
import type { AccountContext, AccountRest, Call, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import type { Market } from '#hotpath/venues/venue.ts';
import type { ClientOrderId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { MarketRig } from '#test/support/venue-fixture.ts';
import type { ExampleTable } from './examples.ts';

const [spotAccount, usdtAccount] = gate.accounts!;
const [spotMarket, usdtMarket] = gate.markets as [Market, Market];
const { rest } = spotAccount!;
const { rest: contracts } = usdtAccount!;

const context: AccountContext = {
  credentials: { apiKey: 'key', secret: 'secret' },
  nowMs: 1_708_587_400_000,
  nonce: 1_708_587_400_000_000,
  facts: { user: '1667201533' },
  marginMode: 'cross',
  leverage: 1,
};
const spot: Instrument = instrumentOf('gate', 'spot', 'BTC_USDT');
const cross: Instrument = instrumentOf('gate', 'spot', 'ETH_BTC');
const swap: Instrument = { ...instrumentOf('gate', 'usdt', 'BTC_USDT'), kind: 'perpetual' };
const aave: Instrument = { ...instrumentOf('gate', 'usdt', 'AAVE_USDT'), kind: 'perpetual' };
const refOf = (instrument: Instrument): OrderRef => ({
  clientOrderId: 'a00010000010' as ClientOrderId,
  instrument,
  side: 'buy',
  venueOrderId: '1852454420',
  sentMs: context.nowMs,
});
const ticketOf = (instrument: Instrument): OrderTicket => ({
  ...refOf(instrument),
  type: 'limit',
  price: '59200',
  qty: '1',
  timeInForce: 'GTC',
  postOnly: false,
  reduceOnly: false,
});

const bodyOf = (text: string): string => text.split('\n').slice(3).join('\n');

/** What a call makes of an answer; an empty value (a cancel's) is told by its kind. */
function by(call: Call<unknown> | undefined) {
  return (text: string): unknown => {
    const answer = call!.read({ status: 200, headers: {}, text: bodyOf(text) });
    if (answer.kind === 'refused') throw new Error(`${answer.meaning} ${answer.code} ${answer.text}`);
    return answer.value ?? answer.kind;
  };
}
/** The arming call of an account's dead man's switch. */
const armed = (account: typeof spotAccount, instrument: Instrument) =>
  account?.deadMan.kind === 'timer' ? account.deadMan.arm(30_000, [instrument], context)[0] : undefined;

/** An order that is not known by its name any more, found in the list of ended ones. */
function ended({ query }: AccountRest, order: OrderRef, name: string) {
  const ours: OrderRef = { ...order, clientOrderId: name as ClientOrderId, venueOrderId: undefined };
  const unknown = '{"label":"ORDER_NOT_FOUND","message":"Order not found"}';
  const answer = query(ours, context).read({ status: 404, headers: {}, text: unknown });
  return by(answer.kind === 'refused' ? answer.elsewhere?.(context) : undefined);
}

/** The frames that came in, `< ` and `= `; a pushed one may span lines. */
const framesOf = (text: string): readonly string[] =>
  text
    .split(/^(?=[><=] ?)/m)
    .filter((part) => !part.startsWith('>'))
    .map((part) => part.slice(1).trim());

const privately = (account: typeof spotAccount) => (text: string) => {
  const events = framesOf(text).map((frame) => account!.sockets[0]!.decode(Buffer.from(frame)));
  return events.at(-1)!.length === 0 ? [] : events.flat();
};

/** What the market's decoder publishes of the frames; `symbol` is what it follows. */
const publicly = (id: string, symbol: string) => (text: string) => {
  const market = [...gate.markets, ...gate.recorded!].find((each) => each.id === id)!;
  const rig = new MarketRig(market, [instrumentOf('gate', id, symbol)]);
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

export const examples: ExampleTable = {
  file: 'jkorf_gateio_net.jsonl.gz',
  decode: {
    'Spot/Account/GetAccountInfo.txt': by(spotAccount!.prepare!(context)[0]),
    'Spot/Account/GetBalances.txt': by(rest.balances(context)),
    'Spot/Account/GetTradingFee.txt': by(rest.fees([spot], context)[0]),
    'Spot/ExchangeData/GetOrderBook.txt': polled(spotMarket, spot),
    'Spot/ExchangeData/GetSymbols.txt': listed(spotMarket),
    'Spot/Trading/PlaceOrder.txt': by(rest.place(ticketOf(spot), context)),
    'Spot/Trading/CancelOrder.txt': by(rest.cancel(refOf(spot), context)),
    'Spot/Trading/CancelAllOders.txt': by(rest.cancelAll([spot], context)[0]),
    'Spot/Trading/CancelOrdersAfter.txt': by(armed(spotAccount, spot)),
    'Spot/Trading/GetOrder.txt': by(rest.query(refOf(spot), context)),
    'Spot/Trading/GetOrders.txt': ended(rest, refOf(spot), 'abc123'),
    'Spot/Trading/GetOpenOrders.txt': by(rest.openOrders([cross], context)[0]),
    'Spot/Trading/GetUserTrades.txt': by(rest.fillsSince([spot], context.nowMs, context)[0]),
    'PerpetualFutures/Account/GetAccount.txt': by(contracts.balances(context)),
    'PerpetualFutures/Account/GetTradingFee.txt': by(contracts.fees([aave], context)[0]),
    'PerpetualFutures/ExchangeData/GetContracts.txt': listed(usdtMarket),
    'PerpetualFutures/ExchangeData/GetOrderBook.txt': polled(usdtMarket, swap),
    'PerpetualFutures/Trading/PlaceOrder.txt': by(contracts.place(ticketOf(swap), context)),
    'PerpetualFutures/Trading/CancelOrder.txt': by(contracts.cancel(refOf(swap), context)),
    'PerpetualFutures/Trading/CancelAllOrders.txt': by(contracts.cancelAll([swap], context)[0]),
    'PerpetualFutures/Trading/CancelOrdersAfter.txt': by(armed(usdtAccount, swap)),
    'PerpetualFutures/Trading/GetOrder.txt': by(contracts.query(refOf(swap), context)),
    'PerpetualFutures/Trading/GetOrders.txt': by(contracts.openOrders([swap], context)[0]),
    'PerpetualFutures/Trading/GetOrdersByTime.txt': ended(contracts, refOf(swap), 'my-custom-id'),
    'PerpetualFutures/Trading/GetPositions.txt': by(contracts.positions!(context)),
    'PerpetualFutures/Trading/GetUserTradesByTimestamp.txt': by(
      contracts.fillsSince([swap], context.nowMs, context)[0],
    ),
    'Spot/SubscribeToBalanceUpdates.txt': privately(spotAccount),
    'Spot/SubscribeToOrderUpdates.txt': privately(spotAccount),
    'Spot/SubscribeToUserTradeUpdates.txt': privately(spotAccount),
    'Futures/SubscribeToOrderUpdates.txt': privately(usdtAccount),
    'Futures/SubscribeToUserTradeUpdates.txt': privately(usdtAccount),
    'Futures/SubscribeToPositionUpdates.txt': privately(usdtAccount),
    'Spot/SubscribeToOrderBookUpdates.txt': publicly('spot-updates', 'ETH_USDT'),
    'Spot/SubscribeToTradeUpdates.txt': publicly('spot', 'ETH_USDT'),
    'Futures/SubscribeToOrderBookV2Updates.txt': publicly('usdt', 'ETH_USDT'),
    'Futures/SubscribeToTickerUpdates.txt': publicly('usdt', 'ETH_USDT'),
    'Futures/SubscribeToTradeUpdates.txt': publicly('usdt', 'ETH_USDT'),
  },
  ignored: [
    [/\/Alpha\//, 'the Alpha market is not traded'],
    [/Trigger\w*[.]txt|DualMode|Edit\w+[.]txt/, 'a way of trading that is not used'],
    [/Futures\/SubscribeToBalanceUpdates[.]txt/, 'leaves out what is available: the account is asked instead'],
    [/Subscriptions\/Spot\/\w*(Cross|Funding|Margin)\w*[.]txt/, 'margin and funding accounts are not used'],
    [/Margin|Lending|Loan|Borrow|Repay|Unified|Interest/, 'margin, lending and their settings are not used'],
    [/Endpoints\/Spot\/Account\//, 'deposits, withdrawals, ledgers and settings are not used'],
    [/PerpetualFutures\/Account\//, 'ledgers and settings are not used'],
    [/Trading\/(PlaceMultiple\w*|CancelOrders)[.]txt/, 'orders are sent and cancelled one by one'],
    [/PerpetualFutures\/Trading\/GetUserTrades[.]txt/, 'asked by time instead'],
    [
      /PerpetualFutures\/Trading\/(GetAuto|GetLiquidation|GetPositionClose|UpdatePosition)\w*[.]txt/,
      'histories and settings of positions are not used',
    ],
    [/ExchangeData\/Get(Tickers|Trades|FundingRateHistory)[.]txt/, 'comes by its channel, not by REST'],
    [/ExchangeData\/Get(Symbol|Contract)[.]txt/, 'one of the list that is read'],
    [/Endpoints\/\w+\/ExchangeData\//, 'statistics, candles, currencies and tiers are not used'],
    [/Subscriptions\/Futures\/SubscribeToBookUpdates[.]txt|PartialOrderBook/, 'books come by the newer channel'],
    [/SubscribeTo(BookTicker|Ticker)Updates[.]txt/, 'best prices are those of the book'],
    [/Subscriptions\/\w+\/(Concurrent|SubscribeToKlineUpdates)[.]txt/, 'candles are not used'],
    [
      /Subscriptions\/Futures\/SubscribeTo(ContractStats|PositionClose|ReduceRiskLimit|UserAutoDeleverage|UserLiquidation)Updates[.]txt/,
      'said by orders and positions',
    ],
  ],
};
