import { FeedSink } from '#hotpath/feed/sink.ts';
import { Frame } from '#hotpath/runtime/frame.ts';
import { htx } from '#hotpath/venues/htx.ts';
import type { AccountContext, Call, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import type { Market } from '#hotpath/venues/venue.ts';
import type { ClientOrderId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { MarketRig } from '#test/support/venue-fixture.ts';
import type { ExampleTable } from './examples.ts';

const [spotMarket, swapMarket] = htx.markets as [Market, Market];
const [spotAccount, swapAccount] = htx.accounts!;
const { rest, sockets, prepare } = spotAccount!;
const [orderSocket, eventSocket] = sockets;

const context: AccountContext = {
  credentials: { apiKey: '160bb889-b7XXXXbe-e0XXXXf5-ghxertfvbf', secret: 'secret' },
  nowMs: 1_630_649_500_000,
  nonce: 1,
  facts: { accountId: '1', userId: '63628520' },
  marginMode: 'cross',
  leverage: 1,
};
const spotOf = (symbol: string): Instrument => instrumentOf('htx', 'spot', symbol);
const swap: Instrument = { ...instrumentOf('htx', 'swap', 'BTC-USDT'), kind: 'perpetual' };

const orderOf = (clientOrderId: string, venueOrderId?: string): OrderRef => ({
  clientOrderId: clientOrderId as ClientOrderId,
  instrument: spotOf('adausdt'),
  side: 'buy',
  venueOrderId,
  sentMs: context.nowMs,
});
const ticket: OrderTicket = {
  ...orderOf('a00010000010'),
  type: 'limit',
  price: '1',
  qty: '5',
  timeInForce: 'GTC',
  postOnly: false,
  reduceOnly: false,
};

const bodyOf = (text: string): string =>
  text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .slice(3)
    .join('\n');

function read(call: Call<unknown>, body: string): unknown {
  const answer = call.read({ status: 200, headers: {}, text: body });
  if (answer.kind === 'refused') throw new Error(`${answer.meaning} ${answer.code} ${answer.text}`);
  return answer.value;
}
const by = (call: Call<unknown>) => (text: string) => read(call, bodyOf(text));

/** What came in: answers and pushes, which may span lines. */
const framesOf = (text: string): readonly string[] =>
  text
    .replaceAll('\r', '')
    .split(/^(?=[><=] ?\{?)/m)
    .filter((part) => /^[<=]/.test(part))
    .map((part) => part.slice(1).trim());

const privately = (text: string): unknown => framesOf(text).map((frame) => eventSocket!.decode(Buffer.from(frame)))[2];

/** Numbers of the acknowledgements are left open in the examples: only the pushes are read. */
const publicly = (market: Market, symbol: string) => (text: string) => {
  const rig = new MarketRig(market, [instrumentOf('htx', market.id, symbol)]);
  const [, push] = framesOf(text);
  const book = rig.take({ frame: push! });
  return [...(book === undefined ? [] : [book]), ...rig.prints, ...rig.references];
};

/** The book that a REST answer publishes. */
function polled(market: Market, text: string): unknown {
  const instrument = instrumentOf('htx', market.id, 'any');
  const published: MarketUpdate[] = [];
  const sink = new FeedSink({
    instruments: [instrument],
    venue: instrument.venue,
    market: market.id,
    onControl: () => undefined,
    onUpdate: (update) => published.push(structuredClone(update)),
  });
  const bytes = Buffer.from(bodyOf(text));
  market.poll!.decode(new Frame().window(bytes, 0, bytes.length), sink, 0 as InstrumentIndex);
  return published;
}

/** An order that its client id does not find any more stands in a list. */
function listed(clientOrderId: string, text: string): unknown {
  const missing = {
    status: 200,
    headers: {},
    text: '{"status":"error","err-code":"base-record-invalid","err-msg":""}',
  };
  const answer = rest.query(orderOf(clientOrderId), context).read(missing);
  return answer.kind === 'refused' && answer.elsewhere !== undefined
    ? read(answer.elsewhere(context), bodyOf(text))
    : undefined;
}

const swapSwitch = (text: string): unknown => {
  const { deadMan } = swapAccount!;
  return deadMan.kind === 'timer' ? read(deadMan.arm(10_000, [], context)[0]!, bodyOf(text)) : undefined;
};

export const examples: ExampleTable = {
  file: 'jkorf_htx_net.jsonl.gz',
  decode: {
    'Spot/Account/GetAccounts.txt': by(prepare!(context)[0]!),
    'Spot/Account/GetUserId.txt': by(prepare!(context)[1]!),
    'Spot/Account/GetApiKeyInfo.txt': by(rest.permissions!(context)),
    'Spot/Account/GetBalances.txt': by(rest.balances(context)),
    'Spot/Account/GetTradingFees.txt': by(rest.fees([spotOf('btcusdt')], context)[0]!),
    'Spot/ExchangeData/GetSymbolConfig.txt': (text) =>
      spotMarket.instruments.parse([bodyOf(text)], spotMarket.defaultFees),
    'Spot/ExchangeData/GetOrderBook.txt': (text) => polled(spotMarket, text),
    'Spot/Trading/PlaceOrder.txt': by(rest.place(ticket, context)),
    'Spot/Trading/CancelOrder.txt': by(rest.cancel(orderOf('', '1'), context)),
    'Spot/Trading/CancelOrderByClientOrderId.txt': by(rest.cancel(orderOf('a1'), context)),
    // The same answer comes over the order socket, under the number of its request.
    'Spot/Trading/CancelOrders.txt': (text) =>
      orderSocket!.decode(Buffer.from(bodyOf(text).replace('{', '{"cid":"7",'))),
    'Spot/Trading/CancelOrdersByCriteria.txt': by(rest.cancelAll([spotOf('btcusdt')], context)[0]!),
    'Spot/Trading/GetOpenOrders.txt': by(rest.openOrders([spotOf('apnusdt')], context)[0]!),
    'Spot/Trading/GetOrder.txt': by(rest.query(orderOf('', '1'), context)),
    'Spot/Trading/GetOrderByClientOrderId.txt': by(rest.query(orderOf('23456'), context)),
    'Spot/Trading/GetHistoricalOrders.txt': (text) => listed('23456', text),
    'Spot/Trading/GetClosedOrders.txt': (text) => listed('', text),
    'Spot/Trading/GetOrderTrades.txt': by(rest.fillsOf!(orderOf('', '1'), context)),
    'Spot/Trading/GetUserTrades.txt': by(rest.fillsSince([spotOf('polyusdt')], context.nowMs, context)[0]!),
    'UsdtMarginSwap/Account/GetTradingFees.txt': by(swapAccount!.rest.fees([swap], context)[0]!),
    'UsdtMarginSwap/Trading/CancelOrdersAfter.txt': swapSwitch,
    'UsdtMarginSwap/ExchangeData/GetContractInfo.txt': (text) =>
      swapMarket.instruments.parse([bodyOf(text)], swapMarket.defaultFees),
    'UsdtMarginSwap/ExchangeData/GetOrderBook.txt': (text) => polled(swapMarket, text),
    'Subscriptions/Spot/Order1.txt': privately,
    'Subscriptions/Spot/OrderTrade.txt': privately,
    'Subscriptions/Spot/OrderBook.txt': publicly(spotMarket, 'ethusdt'),
    // The same frame at the depth that we follow.
    'Subscriptions/Spot/OrderBookChange.txt': (text) =>
      publicly(spotMarket, 'ethusdt')(text.replaceAll('mbp.5"', 'mbp.150"')),
    'Subscriptions/Spot/Trades.txt': publicly(spotMarket, 'ethusdt'),
    'Subscriptions/UsdtMarginSwap/OrderBook.txt': publicly(swapMarket, 'ETH-USDT'),
    'Subscriptions/UsdtMarginSwap/OrderBookIncr.txt': publicly(swapMarket, 'ETH-USDT'),
    'Subscriptions/UsdtMarginSwap/Trades.txt': publicly(swapMarket, 'ETH-USDT'),
    'Subscriptions/UsdtMarginSwap/MarkKline.txt': publicly(swapMarket, 'ETH-USDT'),
    'Subscriptions/UsdtMarginSwap/IndexKline.txt': publicly(swapMarket, 'ETH-USDT'),
    'Subscriptions/UsdtMarginSwap/Funding.txt': publicly(swapMarket, 'BTC-USDT'),
  },
  ignored: [
    [/Endpoints\/Spot\/(Margin|SubAccount)\//, 'loans and sub-accounts are not traded on'],
    [/Endpoints\/Spot\/Account\//, 'deposits, transfers, valuations and points are not asked for'],
    [/Endpoints\/Spot\/ExchangeData\//, 'prices and trades come over sockets, symbols from market-symbols'],
    [/Endpoints\/Spot\/Trading\/.*Conditional/, 'conditional orders are not sent'],
    [/Endpoints\/Spot\/Trading\/Place(Margin|Multiple)/, 'margin orders and batches are not sent'],
    [
      /Endpoints\/UsdtMarginSwap\/(Account|Trading|SubAccount)\//,
      'V1 and V3 of private endpoints ended in September 2026, V5 has forms of its own',
    ],
    [/Endpoints\/UsdtMarginSwap\/ExchangeData\//, 'funding, mark, index and trades come over sockets'],
    [
      /Subscriptions\/UsdtMarginSwap\/(Cross|Isolated|Order[.])/,
      'private topics before V5, which has forms of its own',
    ],
    [/Subscriptions\/Spot\/Account/, 'mode 1 says the available part alone: mode 2 is subscribed'],
    [/Subscriptions\/Spot\/OrderBookMbp/, 'whole books of 20 levels: the incremental one is followed'],
    [
      /Subscriptions\/.*(Ticker|Tickers|BookTicker|Klines|Kline|Concurrent|Symbols)[.]/,
      'candles and tickers are not followed',
    ],
    [/Subscriptions\/UsdtMarginSwap\/(Basis|Contract|ContractElements|Liquidation|Status)[.]/, 'not followed'],
  ],
};
