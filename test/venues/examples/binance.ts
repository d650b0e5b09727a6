import { binance } from '#hotpath/venues/binance.ts';
import type { Account, AccountContext, AccountEvent, Call, OrderRef } from '#hotpath/venues/venue-account.ts';
import type { Market } from '#hotpath/venues/venue.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { MarketRig } from '#test/support/venue-fixture.ts';
import type { ExampleTable } from './examples.ts';

const context: AccountContext = {
  credentials: { apiKey: 'key', secret: 'secret' },
  nowMs: 1_700_000_000_000,
  nonce: 1_700_000_000_000_000,
  facts: {},
  marginMode: 'cross',
  leverage: 1,
};
const marketOf = (id: string): Market => binance.markets.find((market) => market.id === id)!;
const accountOf = (id: string): Account => binance.accounts!.find((account) => account.id === id)!;

/** What follows method, path and flag. */
const bodyOf = (text: string): string => text.split('\n').slice(3).join('\n');

/** The value of our call's answer. */
function answered<T>(call: Call<T>, text: string): T {
  const answer = call.read({ status: 200, headers: {}, text: bodyOf(text) });
  if (answer.kind === 'refused') throw new Error(`${answer.code} ${answer.text}`);
  return answer.value;
}

/** By an account's call on the symbols that the examples trade. */
function read<T>(id: string, call: (account: Account, instrument: Instrument) => Call<T>): (text: string) => T {
  return (text) => {
    const [, symbol = 'BTCUSDT'] = /"symbol"\s*:\s*"(\w+)"/.exec(text) ?? [];
    return answered(call(accountOf(id), instrumentOf('binance', id, symbol)), text);
  };
}

const refOf = (instrument: Instrument): OrderRef => ({
  clientOrderId: 'mine' as ClientOrderId,
  instrument,
  side: 'buy',
  venueOrderId: '1',
  sentMs: 0,
});

/** The pushed messages of a subscription. */
const pushed = (text: string): string => {
  const [, message] = /^=\s*([^]*)$/m.exec(text) ?? [];
  if (message === undefined) throw new Error('no message is pushed');
  return message;
};

/** What the market's decoder publishes of a pushed message. */
const publicly =
  (id: string) =>
  (text: string): unknown => {
    const message = pushed(text);
    const [, symbol = ''] = /"s"\s*:\s*"(\w+)"/.exec(message) ?? [];
    const rig = new MarketRig(marketOf(id), [instrumentOf('binance', id, symbol)]);
    return rig.take({ frame: message })?.update ?? [...rig.prints, ...rig.references];
  };

const snapshotOf =
  (id: string) =>
  (text: string): unknown =>
    new MarketRig(marketOf(id), [instrumentOf('binance', id, 'BTCUSDT')]).snapshot(
      'BTCUSDT',
      Buffer.from(bodyOf(text)),
    );

/** What the list says. An example without filters lists nothing that can be traded, and is read all the same. */
const instrumentsOf =
  (id: string) =>
  (text: string): unknown => ({ listed: marketOf(id).instruments.parse([bodyOf(text)], marketOf(id).defaultFees) });

const privately =
  (id: string) =>
  (text: string): readonly AccountEvent[] =>
    accountOf(id)
      .sockets.find(({ carries }) => carries.includes('events'))!
      .decode(Buffer.from(pushed(text)));

const passOf = (id: string) => accountOf(id).sockets.find(({ carries }) => carries.includes('events'))!.pass!;

function armed(id: string): (text: string) => unknown {
  const { deadMan } = accountOf(id);
  if (deadMan.kind !== 'timer') throw new Error('no timer');
  return (text) => answered(deadMan.arm(100_000, [instrumentOf('binance', id, 'BTCUSDT')], context)[0]!, text);
}

const futures = (folder: string, id: 'usdm' | 'coinm'): ExampleTable['decode'] => ({
  [`${folder}/ExchangeData/GetExchangeInfo.txt`]: instrumentsOf(id),
  [`${folder}/ExchangeData/GetOrderBook.txt`]: snapshotOf(id),
  [`${folder}/ExchangeData/GetServerTime.txt`]: read(id, ({ rest }) => rest.time!),
  [`${folder}/Account/GetBalances.txt`]: read(id, ({ rest }) => rest.balances(context)),
  [`${folder}/Account/GetPositionInformation.txt`]: read(id, ({ rest }) => rest.positions!(context)),
  [`${folder}/Account/GetUserCommissionRate.txt`]: read(
    id,
    ({ rest }, instrument) => rest.fees([instrument], context)[0]!,
  ),
  [`${folder}/Account/StartUserStream.txt`]: read(id, () => passOf(id).ask(context)),
  [`${folder}/Account/KeepAliveUserStream.txt`]: (text) => {
    answered(passOf(id).renew!.call(context, 'key'), text);
    return 'renewed';
  },
  [`${folder}/Trading/PlaceOrder.txt`]: read(id, ({ rest }, instrument) =>
    rest.place(
      {
        ...refOf(instrument),
        type: 'limit',
        price: '1',
        qty: '1',
        timeInForce: 'GTC',
        postOnly: false,
        reduceOnly: false,
      },
      context,
    ),
  ),
  [`${folder}/Trading/CancelOrder.txt`]: read(id, ({ rest }, instrument) => rest.cancel(refOf(instrument), context)),
  [`${folder}/Trading/CancelAllOrders.txt`]: read(
    id,
    ({ rest }, instrument) => rest.cancelAll([instrument], context)[0]!,
  ),
  [`${folder}/Trading/CancelAllOrdersAfterTimeout.txt`]: armed(id),
  [`${folder}/Trading/GetOrder.txt`]: read(id, ({ rest }, instrument) => rest.query(refOf(instrument), context)),
  [`${folder}/Trading/GetOpenOrder.txt`]: read(id, ({ rest }, instrument) => rest.query(refOf(instrument), context)),
  [`${folder}/Trading/GetOpenOrders.txt`]: read(
    id,
    ({ rest }, instrument) => rest.openOrders([instrument], context)[0]!,
  ),
  [`${folder}/Trading/GetUserTrades.txt`]: read(
    id,
    ({ rest }, instrument) => rest.fillsSince([instrument], 0, context)[0]!,
  ),
});

const spot: ExampleTable['decode'] = {
  'Spot/ExchangeData/GetExchangeInfo.txt': instrumentsOf('spot'),
  'Spot/ExchangeData/GetServerTime.txt': read('spot', ({ rest }) => rest.time!),
  'Spot/Account/GetAccountInfo.txt': read('spot', ({ rest }) => rest.balances(context)),
  'Spot/Account/GetCommissionRates.txt': read('spot', ({ rest }, instrument) => rest.fees([instrument], context)[0]!),
  'Spot/Account/GetAPIKeyPermissions.txt': read('spot', ({ rest }) => rest.permissions!(context)),
  'Spot/Trading/PlaceOrder.txt': read('spot', ({ rest }, instrument) =>
    rest.place(
      {
        ...refOf(instrument),
        type: 'limit',
        price: '1',
        qty: '1',
        timeInForce: 'GTC',
        postOnly: false,
        reduceOnly: false,
      },
      context,
    ),
  ),
  'Spot/Trading/CancelOrder.txt': read('spot', ({ rest }, instrument) => rest.cancel(refOf(instrument), context)),
  'Spot/Trading/CancelAllOrders.txt': read('spot', ({ rest }, instrument) => rest.cancelAll([instrument], context)[0]!),
  'Spot/Trading/GetOrder.txt': read('spot', ({ rest }, instrument) => rest.query(refOf(instrument), context)),
  'Spot/Trading/GetOpenOrders.txt': read('spot', ({ rest }, instrument) => rest.openOrders([instrument], context)[0]!),
  'Spot/Trading/GetUserTrades.txt': read(
    'spot',
    ({ rest }, instrument) => rest.fillsSince([instrument], 0, context)[0]!,
  ),
};

export const examples: ExampleTable = {
  file: 'jkorf_binance_net.jsonl.gz',
  decode: {
    ...spot,
    ...futures('UsdFutures', 'usdm'),
    ...futures('CoinFutures', 'coinm'),
    'UsdFutures/Trading/GetPositions.txt': read('usdm', ({ rest }) => rest.positions!(context)),
    'Subscriptions/Spot/ExchangeData/AggregatedTrades.txt': publicly('spot'),
    'Subscriptions/Spot/ExchangeData/BookTicker.txt': publicly('spot'),
    'Subscriptions/Spot/ExchangeData/Trades.txt': publicly('spot'),
    'Subscriptions/UsdFutures/AggTrades.txt': publicly('usdm'),
    'Subscriptions/UsdFutures/Book.txt': publicly('usdm'),
    'Subscriptions/UsdFutures/BookTicker.txt': publicly('usdm'),
    'Subscriptions/UsdFutures/MarkPrice.txt': publicly('usdm'),
    'Subscriptions/Spot/Account/Order.txt': privately('spot'),
    'Subscriptions/Spot/Account/AccountPosition.txt': privately('spot'),
    'Subscriptions/UsdFutures/OrderUpdate.txt': privately('usdm'),
    'Subscriptions/UsdFutures/AccountUpdate.txt': privately('usdm'),
  },
  ignored: [
    [/Endpoints[/]General[/]/, 'earn, loans, mining, gift cards, NFTs, copy trading, brokers: no trading'],
    [
      /Margin|Isolated|Liability|MaxBorrow|CollateralR|Interest|BankruptcyLoan/,
      'margin and lending, which the engine does not do',
    ],
    [
      /Convert|Algo|Conditional|Oco|Oto|Twap|TimeWeighted|VolumePart|Strategy|Grid|LeveragedToken/i,
      'orders of a kind that the engine does not send',
    ],
    [
      /[/](Edit|Amend|Replace)\w*[.]txt|CancelMultiple|PlaceMultiple|PlaceTest|OrderEditHistory/,
      'orders are placed and cancelled one by one, never changed',
    ],
    [
      /Deposit|Withdraw|Transfer|Dust|Fiat|Pay|C2C|Travel|Wallet|Dividend|Busd|Rebate|CloudMining|UserAssets|AutoConvert/,
      'money in and out of the account: the engine has no key for it',
    ],
    [
      /Klines|Ticker|AvgPrice|Ratio|Concurrent|GetPrices?[.]|GetPrice[.]|AveragePrice/i,
      'candles and tickers without a mark or funding rate',
    ],
    [
      /ExchangeData[/]Get(Recent|Aggregated|Trade)\w*|FundingRates|FundingInfo|MarkPrices?[.]txt|BookPrices?|OpenInterest|GetBasis/,
      'market data by REST that the streams tell us',
    ],
    [/PartialBook/, 'books are kept from the whole depth'],
    [
      /Index|InsuranceFund|Adl|Liquidations|ForcedOrders|SymbolUpdates|ReferencePrice|DelistSchedule|SystemStatus|ExecutionRules|AssetDetails/,
      'risk and calendar data that the engine does not use',
    ],
    [
      /Leverage|MarginType|PositionMode|MultiAsset|Bracket|Configuration|BnbBurn|RateLimit|TradingStatus|AccountStatus|VipLevel|Snapshot/,
      'settings of the account, made by its owner',
    ],
    [
      /DownloadId|DownloadLink|IncomeHistory|GetOrders[.]txt|PreventedTrades|TradeFee|GetAccountInfo|GetFundingWallet|StopUserStream|Spot[/]Account[/]GetBalances|AccountInfoV3/,
      'lists that we do not ask for: open orders, fills, balances and commission say enough',
    ],
    [/TradeUpdate|Account[/]Balance[.]txt/, 'said again, and in full, by the order and balance events'],
  ],
};
