import { FeedSink } from '#hotpath/feed/sink.ts';
import { Frame } from '#hotpath/runtime/frame.ts';
import { bitfinex } from '#hotpath/venues/bitfinex.ts';
import type { AccountContext, Call, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import type { Market } from '#hotpath/venues/venue.ts';
import type { ClientOrderId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { MarketRig } from '#test/support/venue-fixture.ts';
import type { ExampleTable } from './examples.ts';

const [spotMarket, swapMarket] = bitfinex.markets;
const [{ rest, sockets }, swapAccount] = bitfinex.accounts! as [
  NonNullable<typeof bitfinex.accounts>[number],
  NonNullable<typeof bitfinex.accounts>[number],
];

const context: AccountContext = {
  credentials: { apiKey: 'key', secret: 'secret' },
  nowMs: 1_574_964_000_000,
  nonce: 1_574_964_000_000_000,
  facts: {},
  marginMode: 'cross',
  leverage: 1,
};
const of = (symbol: string): Instrument => instrumentOf('bitfinex', 'spot', symbol);
const orderOf = (symbol: string, venueOrderId: string): OrderRef => ({
  clientOrderId: 'a00010000010' as ClientOrderId,
  instrument: of(symbol),
  side: 'buy',
  venueOrderId,
  sentMs: context.nowMs,
});
const order = orderOf('tBTCUSD', '1747566428');
const ticket: OrderTicket = {
  ...order,
  type: 'limit',
  price: '10000',
  qty: '0.1',
  timeInForce: 'GTC',
  postOnly: false,
  reduceOnly: false,
};

const bodyOf = (text: string): string => text.split('\n').slice(3).join('\n');
const reply = (text: string) => ({ status: 200, headers: {}, text });

/** What a call makes of an answer; an empty value is told by its kind. */
function read(call: Call<unknown>, body: string): unknown {
  const answer = call.read(reply(body));
  if (answer.kind === 'refused') throw new Error(`${answer.meaning} ${answer.code} ${answer.text}`);
  return answer.value ?? answer.kind;
}
const by = (call: Call<unknown>) => (text: string) => read(call, bodyOf(text));

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

const publicly = (isSwap: boolean, symbol: string) => (text: string) => {
  const rig = new MarketRig((isSwap ? swapMarket : spotMarket)!, [
    instrumentOf('bitfinex', isSwap ? 'swap' : 'spot', symbol),
  ]);
  const books = framesOf(text).map((frame) => rig.take({ frame }));
  return [...books.filter((book) => book !== undefined), ...rig.prints, ...rig.references];
};

/** An ended order stands in the second list that a query asks. */
function ended(text: string): unknown {
  const answer = rest.query(orderOf('tBTCUSD', '33961681942'), context).read(reply('[]'));
  return answer.kind === 'refused' && answer.elsewhere !== undefined
    ? read(answer.elsewhere(context), bodyOf(text))
    : undefined;
}

/** Cancels of many follow the list of what is open. */
function cancelMany(text: string): unknown {
  const row = [1747566428, null, 1, 'tBTCUSD', 1, 1, 0.1, 0.1, 'EXCHANGE LIMIT', 0, 0, 0, 0, 'ACTIVE', 0, 0, 10000];
  const answer = rest.cancelAll([of('tBTCUSD')], context)[0]!.read(reply(JSON.stringify([row])));
  return answer.kind === 'ok' ? read(answer.more!(context), bodyOf(text)) : undefined;
}

/** The list of pairs says what is there; names and last prices stand in two more lists. */
function instruments(market: typeof spotMarket, first: string) {
  return (text: string): unknown => {
    const names = '[[["UST","USDt"]]]';
    const tickers = `[["t${first}",10645,73.9,10647,75.2,731.6,0.07,10644.5,14480.8,10766,9889.1]]`;
    return market!.instruments.parse([bodyOf(text), names, tickers], market!.defaultFees);
  };
}

/** The book that a REST answer publishes. */
function polled(market: Market, instrument: Instrument, body: string): unknown {
  const published: MarketUpdate[] = [];
  const sink = new FeedSink({
    instruments: [instrument],
    venue: instrument.venue,
    market: market.id,
    onControl: () => undefined,
    onUpdate: (update) => published.push(structuredClone(update)),
  });
  const bytes = Buffer.from(body);
  market.poll!.decode(new Frame().window(bytes, 0, bytes.length), sink, 0 as InstrumentIndex);
  return published;
}

export const examples: ExampleTable = {
  file: 'jkorf_bitfinex_net.jsonl.gz',
  decode: {
    'Account/Get30DaySummaryAndFees.txt': by(rest.fees([of('tBTCUSD')], context)[0]!),
    'Account/GetApiKeyPermissions.txt': by(rest.permissions!(context)),
    'Account/GetBalances.txt': by(rest.balances(context)),
    'ExchangeData/GetSymbols.txt': instruments(spotMarket, 'BTCUSD'),
    'ExchangeData/GetFuturesSymbols.txt': instruments(swapMarket, 'BTCF0:USTF0'),
    'ExchangeData/GetAssetSymbols.txt': (text) =>
      spotMarket!.instruments.parse(
        ['[[["ABSUST",[null,null,null,"4.0"]]]]', bodyOf(text), '[["tABSUST",1,1,1,1,1,0.1,1.25,1,1,1]]'],
        spotMarket!.defaultFees,
      ),
    'ExchangeData/GetTickers.txt': (text) =>
      spotMarket!.instruments.parse(
        ['[[["BTCUSD",[null,null,null,"0.00004"]]]]', '[[]]', bodyOf(text)],
        spotMarket!.defaultFees,
      ),
    'ExchangeData/GetOrderBook.txt': (text) => polled(spotMarket!, of('tETHUST'), bodyOf(text)),
    'Trading/PlaceOrder.txt': by(rest.place(ticket, context)),
    'Trading/CancelOrder.txt': by(rest.cancel(order, context)),
    'Trading/CancelOrders.txt': cancelMany,
    'Trading/GetOpenOrders.txt': by(rest.openOrders([of('tETHUSD')], context)[0]!),
    'Trading/GetClosedOrders.txt': ended,
    'Trading/GetOrderTrades.txt': by(rest.fillsOf!(orderOf('tETHUSD', '33963608932'), context)),
    'Trading/GetUserTrades.txt': by(rest.fillsSince([of('tETHUST')], 1_574_963_000_000, context)[0]!),
    'Trading/GetPositions.txt': by(swapAccount.rest.positions!(context)),
    'Subscriptions/Spot/OrderSnapshot.txt': privateEvents,
    'Subscriptions/Spot/OrderUpdate.txt': privateEvents,
    'Subscriptions/Spot/PositionSnapshot.txt': privateEvents,
    'Subscriptions/Spot/PositionUpdate.txt': privateEvents,
    'Subscriptions/Spot/WalletSnapshot.txt': privateEvents,
    'Subscriptions/Spot/WalletUpdate.txt': privateEvents,
    // `te` comes without its fee and is passed over; its row reads as that of the `tu` behind it.
    'Subscriptions/Spot/UserTrade.txt': (text) => privateEvents(text.replace('"te"', '"tu"')),
    'Subscriptions/Spot/DerivStatus.txt': publicly(true, 'tBTCF0:USTF0'),
    // The example is rounded to two digits; the exact book of the same form is what is read.
    'Subscriptions/Spot/OrderBook.txt': (text) => publicly(false, 'tETHUST')(text.replaceAll('"P2"', '"P0"')),
    // The example is the history that comes first and is passed over: its row, told as it happens.
    'Subscriptions/Spot/Trades.txt': (text) =>
      publicly(false, 'tETHUST')(text.replace(/(\[\s*1,\s*)\[\s*(\[[^\]]*\])\s*\]/, '$1"te",$2')),
  },
  ignored: [
    [/Funding|Credit|Loan/, 'lending is not used'],
    [/Subscriptions\/Spot\/(Ticker|Klines|Liquidations)/, 'not used: best prices are those of the book'],
    [/Subscriptions\/Spot\/(BalanceUpdate|Margin)/, 'a sum in dollars of the whole account, not a balance'],
    [/RawOrderBook|OrderBookRaw/, 'order by order; the book by price is read'],
    [/GetDerivativesStatus/, 'comes by the status channel, not by REST'],
    [/Trading\/(ClaimPosition|IncreasePosition|GetIncreasePosition)/, 'a way of trading that is not used'],
    [/Trading\/GetPosition(History|Snapshots|sById)/, 'positions as they stand are read'],
    [/\/Account\//, 'alerts, deposits, withdrawals, transfers and the ledger are not used'],
    [/\/ExchangeData\//, 'statistics, candles and asset descriptions are not used'],
  ],
};
