import { FeedSink } from '#hotpath/feed/sink.ts';
import { Frame } from '#hotpath/runtime/frame.ts';
import { okx } from '#hotpath/venues/okx.ts';
import type { AccountContext, Call, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import type { Market } from '#hotpath/venues/venue.ts';
import type { ClientOrderId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { MarketUpdate } from '#shared/domain/market-event.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { MarketRig } from '#test/support/venue-fixture.ts';
import type { ExampleTable } from './examples.ts';

const [account] = okx.accounts!;
const { rest, sockets, deadMan, prepare } = account!;

const context: AccountContext = {
  credentials: { apiKey: 'key', secret: 'secret', passphrase: 'words' },
  nowMs: 1_708_587_400_000,
  nonce: 1_708_587_400_000_000,
  facts: {},
  marginMode: 'cross',
  leverage: 1,
};
const instrument: Instrument = { ...instrumentOf('okx', 'spot', 'BTC-USDT'), venueCode: '10459' };
const order: OrderRef = {
  clientOrderId: 'a00010000010' as ClientOrderId,
  instrument,
  side: 'buy',
  venueOrderId: '680800019749904384',
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

const bodyOf = (text: string): string => text.split('\n').slice(3).join('\n');
const reply = (text: string) => ({ status: 200, headers: {}, text });

/** What a call makes of an answer; an empty value (a cancel's) is told by its kind. */
function read(call: Call<unknown>, body: string): unknown {
  const answer = call.read(reply(body));
  if (answer.kind === 'refused') throw new Error(`${answer.meaning} ${answer.code} ${answer.text}`);
  return answer.value ?? answer.kind;
}
const by = (call: Call<unknown> | undefined) => (text: string) => read(call!, bodyOf(text));

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
  const market = okx.markets.find((each) => each.id === id)!;
  const rig = new MarketRig(market, [instrumentOf('okx', id, symbol)]);
  const books = framesOf(text).map((frame) => rig.take({ frame }));
  return [...books.filter((book) => book !== undefined), ...rig.prints, ...rig.references];
};

/** Batches of cancels follow the list of what is open. */
function cancelBatch(text: string): unknown {
  const open = { instId: 'BTC-USDT', ordId: '12344', side: 'buy', ordType: 'limit', state: 'live', sz: '1' };
  const [list] = rest.cancelAll([instrument], context);
  const answer = list!.read(reply(JSON.stringify({ code: '0', msg: '', data: [open] })));
  return answer.kind === 'ok' ? read(answer.more!(context), bodyOf(text)) : undefined;
}

/** The book that a REST answer publishes. */
function polled(market: Market, followed: Instrument, body: string): unknown {
  const published: MarketUpdate[] = [];
  const sink = new FeedSink({
    instruments: [followed],
    venue: followed.venue,
    market: market.id,
    onControl: () => undefined,
    onUpdate: (update) => published.push(structuredClone(update)),
  });
  const bytes = Buffer.from(body);
  market.poll!.decode(new Frame().window(bytes, 0, bytes.length), sink, 0 as InstrumentIndex);
  return published;
}

export const examples: ExampleTable = {
  file: 'jkorf_okx_net.jsonl.gz',
  decode: {
    'Account/GetAccountBalance.txt': by(rest.balances(context)),
    'Account/GetAccountConfiguration.txt': (text) => [
      read(prepare!(context)[0]!, bodyOf(text)),
      read(rest.permissions!(context), bodyOf(text)),
    ],
    'Account/GetAccountPositions.txt': by(rest.positions!(context)),
    'Account/GetFeeRates.txt': by(rest.fees([instrument], context)[0]),
    'ExchangeData/GetServerTime.txt': by(rest.time),
    'ExchangeData/GetSymbols.txt': (text) =>
      okx.markets[0]!.instruments.parse([bodyOf(text)], okx.markets[0]!.defaultFees),
    'Endpoints/UnifiedApi/ExchangeData/GetOrderBook.txt': (text) => polled(okx.markets[0]!, instrument, bodyOf(text)),
    'Trading/PlaceOrder.txt': by(rest.place(ticket, context)),
    'Trading/PlaceMultipleOrders.txt': by(rest.place(ticket, context)),
    'Trading/CancelOrder.txt': by(rest.cancel(order, context)),
    'Trading/CancelMultipleOrders.txt': cancelBatch,
    'Trading/CancelAllAfter.txt': by(
      deadMan.kind === 'timer' ? deadMan.arm(60_000, [instrument], context)[0] : undefined,
    ),
    'Trading/GetOrderDetails.txt': by(rest.query(order, context)),
    'Trading/GetOrders.txt': by(rest.openOrders([instrument], context)[0]),
    'Trading/GetUserTrades.txt': by(rest.fillsSince([instrument], context.nowMs - 1_000, context)[0]),
    'Trading/GetUserTradesArchive.txt': by(rest.fillsSince([instrument], context.nowMs - 1e9, context)[0]),
    'Account/Balance.txt': privateEvents,
    'Trading/Order.txt': privateEvents,
    'Trading/Position.txt': privateEvents,
    'ExchangeData/FundingRate.txt': publicly('swap', 'BTC-USD-SWAP'),
    'ExchangeData/IndexTicker.txt': publicly('swap', 'BTC-USDT-SWAP'),
    'ExchangeData/MarkPrice.txt': publicly('futures', 'LTC-USD-190628'),
    'ExchangeData/OptionSummary.txt': publicly('options', 'BTC-USD-200103-5500-C'),
    // The example leaves out what a frame of this channel always says: whether it is a snapshot.
    'Unified/ExchangeData/OrderBook.txt': (text) =>
      publicly('spot', 'ETH-USDT')(text.replace('"data":', '"action": "snapshot", "data":')),
    'ExchangeData/Trades.txt': publicly('spot', 'BTC-USDT'),
  },
  ignored: [
    [/\/CopyTrading\/|\/SubAccounts\//, 'copy trading and sub-accounts are not used'],
    [/AlgoOrder|AdvancedAlgo|Amend|OneClickRepay|ClosePosition|CheckOrder/, 'a way of trading that is not used'],
    [/GetOrderHistory|GetOrderArchive/, 'an ended order is asked for by its name'],
    [/Trading\/GetAccountRateLimit|LiquidationWarning/, 'not asked: told by refusals and positions'],
    [/Account\/(BalanceAndPosition)|Trading\/UserTrade/, 'said by the account, positions and orders channels'],
    [
      /Endpoints\/.*\/ExchangeData\/Get(FundingRates|MarkPrices|RecentTrades|IndexTickers|OptionMarketData)\.txt/,
      'comes by its channel, not by REST',
    ],
    [/ExchangeData\/(GetTickers?|Ticker)\.txt/, 'best prices are those of the book'],
    [/Subscriptions\/.*\/Symbol\.txt/, 'instruments are read by REST'],
    [/Endpoints\/.*\/Account\//, 'funding, loans, savings and settings are not used'],
    [/Subscriptions\/.*\/Account\//, 'deposits, withdrawals and account Greeks are not used'],
    [/Endpoints\/.*\/ExchangeData\//, 'statistics, candles, blocks and schedules are not used'],
    [/Subscriptions\/.*\/ExchangeData\//, 'candles, limits, interest and status are not used'],
  ],
};
