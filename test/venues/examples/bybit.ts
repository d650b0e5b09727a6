import { bybit } from '#hotpath/venues/bybit.ts';
import type { AccountContext, AccountEvent, Call, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import { FeedSink } from '#hotpath/feed/sink.ts';
import { Frame } from '#hotpath/runtime/frame.ts';
import type { ClientOrderId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import type { ExampleTable } from './examples.ts';

const account = bybit.accounts![0]!;
const { rest, deadMan, sockets } = account;

const context: AccountContext = {
  credentials: { apiKey: 'key', secret: 'secret' },
  nowMs: 1_767_225_600_123,
  nonce: 1_767_225_600_123_000,
  facts: {},
  marginMode: 'cross',
  leverage: 1,
};

const linear = (symbol: string): Instrument => ({ ...instrumentOf('bybit', 'linear', symbol), kind: 'perpetual' });
const ticket: OrderTicket = {
  clientOrderId: 'a00010000010' as ClientOrderId,
  instrument: linear('BTCUSDT'),
  side: 'buy',
  type: 'limit',
  price: '50000',
  qty: '0.01',
  timeInForce: 'GTC',
  postOnly: false,
  reduceOnly: false,
};
const refTo = (symbol: string): OrderRef => ({
  clientOrderId: ticket.clientOrderId,
  instrument: linear(symbol),
  side: 'buy',
  venueOrderId: undefined,
  sentMs: context.nowMs,
});

const bodyOf = (text: string): string => text.split('\n').slice(3).join('\n');

/** What the call makes of the example's body. */
function answered(call: Call<unknown> | undefined, text: string): unknown {
  const answer = call!.read({ status: 200, headers: {}, text: bodyOf(text) });
  if (answer.kind === 'refused') throw new Error(`${answer.meaning} ${answer.code} ${answer.text}`);
  return answer.value ?? answer;
}

const listed = (id: string, text: string): unknown => {
  const { instruments, defaultFees } = bybit.markets.find((market) => market.id === id)!;
  return instruments.parse([bodyOf(text)], defaultFees);
};

/** The frames that the venue sent, each whole. */
const received = (text: string): readonly string[] =>
  text
    .split(/\n(?=[<>=] )/)
    .filter((part) => /^[<=]/.test(part))
    .map((part) => part.slice(2));

/** What comes of the venue's frames on a public socket; `polled`: of a REST body. */
function published(id: string, symbol: string, frames: readonly string[], polled = false): readonly unknown[] {
  const market = bybit.markets.find((each) => each.id === id)!;
  const told: unknown[] = [];
  const sink = new FeedSink({
    instruments: [instrumentOf('bybit', id, symbol)],
    venue: 'bybit',
    market: id,
    onUpdate: (update) => told.push(structuredClone(update)),
    onControl: () => undefined,
    onPrint: (print) => told.push({ ...print }),
    onReference: (reference) => told.push({ ...reference }),
  });
  for (const text of frames) {
    const bytes = Buffer.from(text);
    const frame = new Frame().window(bytes, 0, bytes.length);
    if (polled) market.poll!.decode(frame, sink, 0 as InstrumentIndex);
    else market.decode(frame, sink);
  }
  return told;
}

/** Events of the private socket, beyond its login. */
const events = (text: string): readonly AccountEvent[] =>
  received(text)
    .flatMap((frame) => sockets[0]!.decode(Buffer.from(frame)))
    .filter(({ kind }) => kind !== 'ready');

const arm = deadMan.kind === 'disconnect' ? deadMan.arm! : () => [];

export const examples: ExampleTable = {
  file: 'jkorf_bybit_net.jsonl.gz',
  decode: {
    'Account/GetApiKeyInfo.txt': (text) => answered(rest.permissions!(context), text),
    'Account/GetBalances.txt': (text) => answered(rest.balances(context), text),
    'Account/GetFeeRate.txt': (text) => answered(rest.fees([linear('ETHUSDT')], context)[0], text),
    'Account/GetAccountSpotSymbols.txt': (text) => listed('spot', text),
    'ExchangeData/GetSpotSymbols.txt': (text) => listed('spot', text),
    'ExchangeData/GetLinearInverseSymbols.txt': (text) => listed('linear', text),
    'ExchangeData/GetLinearInverseSymbolsPreListing.txt': (text) => listed('linear', text),
    'ExchangeData/GetOptionSymbols.txt': (text) => listed('option', text),
    'ExchangeData/GetOrderbook.txt': (text) => published('linear', 'BTCUSDT', [bodyOf(text)], true),
    'Trading/PlaceOrder.txt': (text) => answered(rest.place(ticket, context), text),
    'Trading/CancelOrder.txt': (text) => answered(rest.cancel(refTo('BTCUSDT'), context), text),
    'Trading/CancelAllOrder.txt': (text) => answered(rest.cancelAll([linear('BTCUSDT')], context)[0], text),
    'Trading/GetOrderHistory.txt': (text) => answered(rest.query(refTo('BTCUSDT'), context), text),
    'Trading/GetOrders.txt': (text) => answered(rest.openOrders([linear('ETHUSDT')], context)[0], text),
    'Trading/GetPositions.txt': (text) => answered(rest.positions!(context), text),
    'Trading/GetUserTrades.txt': (text) =>
      answered(rest.fillsSince([linear('ETHPERP')], context.nowMs - 1_000, context)[0], text),
    'Trading/SetDisconnectCancelAll.txt': (text) => answered(arm(context)[0], text),
    'Linear/Ticker.txt': (text) => published('linear', 'BTCUSDT', received(text)),
    'Linear/Trades.txt': (text) => published('linear', 'BTCUSDT', received(text)),
    'Option/Book.txt': (text) => published('option', 'BTCUSDT', received(text)),
    'Option/Ticker.txt': (text) => published('option', 'BTC-6JAN23-17500-C', received(text)),
    'Option/Trades.txt': (text) => published('option', 'BTCUSDT', received(text)),
    'Spot/Trades.txt': (text) => published('spot', 'BTCUSDT', received(text)),
    'Private/Balance.txt': events,
    'Private/Order.txt': events,
    'Private/Position.txt': events,
    'Private/UserTrades.txt': events,
  },
  ignored: [
    [
      /CryptoLoan|\/Earn\/|Borrow|Repay|Collateral|LeverageToken|Spread|Convert|SmallBalance|Broker|SpotMargin|CopyTrad/,
      'a product that the engine does not trade',
    ],
    [
      /Withdraw|ApiKey|FundingTransaction|GetAssetInfo|SignAgreement/,
      'moves money or keys, which the engine never does',
    ],
    [
      /Account\/(Set|Switch|AddOrReduce)|SetTradingStop|PreCheckOrder/,
      'a setting of the account, made by its owner on the venue',
    ],
    [/(EditOrder|MultipleOrders)[.]txt$/, 'orders go one by one and are never amended'],
    [
      /Tickers[.]txt$|Spot\/Ticker|GetTradeHistory|PriceLimit/,
      'prices that the books, the tape and the tickers of contracts tell by socket',
    ],
    [
      /Klines|History|Interest|Ratio|Volatility|Insurance|RiskLimit|GetDeliveryPrice|Announcements|SystemStatus/,
      'statistics and histories on which nothing is decided',
    ],
    [
      /Greeks|GetMarginAccountInfo|GetOptionAssetInfo|AssetOverview|AnalysisTradeInfo|AccountTypes|ClosedProfitLoss/,
      'sums over the account that the engine keeps itself',
    ],
    [/Liquidations|Concurrent|MinimalUserTrades/, 'a channel beside those that we subscribe'],
  ],
};
