import { FeedSink } from '#hotpath/feed/sink.ts';
import { Frame } from '#hotpath/runtime/frame.ts';
import { kraken } from '#hotpath/venues/kraken.ts';
import type { AccountContext, Answer, Call, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import type { ClientOrderId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { MarketRig } from '#test/support/venue-fixture.ts';
import type { ExampleTable } from './examples.ts';

const market = kraken.markets[0]!;
const account = kraken.accounts![0]!;
const { rest } = account;

const context: AccountContext = {
  credentials: { apiKey: 'key', secret: 'c2VjcmV0' },
  nowMs: 0,
  nonce: 1,
  facts: {},
  marginMode: 'cross',
  leverage: 1,
};
const spot = (symbol: string): Instrument => instrumentOf('kraken', 'spot', symbol);
const pairs = ['BTC/USD', 'BTC/EUR', 'BTC/GBP', 'SUI/USD', 'ETH/USDT'].map(spot);
const [btc] = pairs as [Instrument];
const clientOrderId = 'a0000000000000' as ClientOrderId;
const ticket: OrderTicket = {
  clientOrderId,
  instrument: btc,
  side: 'buy',
  type: 'limit',
  price: '25000.1',
  qty: '2.1234',
  timeInForce: 'GTC',
  postOnly: false,
  reduceOnly: false,
};
const known = (venueOrderId: string): OrderRef => ({
  clientOrderId,
  instrument: btc,
  side: 'buy',
  venueOrderId,
  sentMs: 0,
});

const bodyOf = (text: string): string => text.split('\n').slice(3).join('\n');

function valueOf<T>(call: Call<T>, text: string): T {
  const answer: Answer<T> = call.read({ status: 200, headers: {}, text: bodyOf(text) });
  if (answer.kind === 'refused') throw new Error(`refused: ${answer.meaning} ${answer.text}`);
  return answer.value;
}

/** What is pushed, in one line; several where the markers carry numbers. */
const pushed = (text: string): string => text.slice(text.search(/^=/m) + 1).trim();

const rig = (): MarketRig => new MarketRig(market, pairs);

function printsOf(text: string): readonly unknown[] {
  const reading = rig();
  reading.take({ frame: pushed(text) });
  return reading.prints;
}

/** The number of bids and asks of a polled book. */
function polled(text: string): readonly number[] {
  const counts: number[] = [];
  const sink = new FeedSink({
    instruments: pairs,
    venue: 'kraken',
    market: 'spot',
    onUpdate: ({ bids, asks }) => counts.push(bids.count, asks.count),
    onControl: () => undefined,
  });
  const bytes = Buffer.from(bodyOf(text));
  market.poll!.decode(new Frame().window(bytes, 0, bytes.length), sink, 0 as InstrumentIndex);
  return counts;
}

const armed = (): Call<unknown> => {
  if (account.deadMan.kind !== 'timer') throw new Error('the venue has a timer');
  return account.deadMan.arm(60_000, pairs, context)[0]!;
};

/** The second step of cancel-all, as the listed orders lead to it. */
function cancelBatch(): Call<unknown> {
  const listed = {
    error: [],
    result: {
      open: {
        OQCLML: {
          status: 'open',
          opentm: 1,
          descr: { pair: 'XBTUSD', type: 'buy', ordertype: 'limit', price: '1' },
          vol: '1',
          vol_exec: '0',
        },
      },
    },
  };
  const answer = rest.cancelAll(pairs, context)[0]!.read({ status: 200, headers: {}, text: JSON.stringify(listed) });
  if (answer.kind !== 'ok') throw new Error(answer.text);
  return answer.more!(context);
}

export const examples: ExampleTable = {
  file: 'jkorf_kraken_net.jsonl.gz',
  only: /(Endpoints|Subscriptions)[/]Spot[/]/,
  decode: {
    'Account/GetApiKeyInfo.txt': (text) => valueOf(rest.permissions!(context), text),
    'Account/GetAvailableBalances.txt': (text) => valueOf(rest.balances(context), text),
    'Account/GetTradeVolume.txt': (text) => valueOf(rest.fees(pairs, context)[0]!, text),
    'ExchangeData/GetOrderBook.txt': polled,
    'ExchangeData/GetSymbols.txt': (text) => market.instruments.parse([bodyOf(text)], market.defaultFees),
    'Trading/CancelAllOrdersAfter.txt': (text) => valueOf(armed(), text),
    'Trading/CancelMultipleOrders.txt': (text) => valueOf(cancelBatch(), text),
    'Trading/CancelOrder.txt': (text) => valueOf(rest.cancel(known('O1'), context), text),
    'Trading/GetClosedOrders.txt': (text) => {
      const open = '{"error":[],"result":{"open":{}}}';
      const ref: OrderRef = { ...known('O1'), venueOrderId: undefined };
      const answer = rest.query(ref, context).read({ status: 200, headers: {}, text: open });
      if (answer.kind === 'ok') throw new Error('an empty list has no order');
      // None of the orders carries an id of ours: the list is understood, and the order is not there.
      const closed = answer.elsewhere!(context).read({ status: 200, headers: {}, text: bodyOf(text) });
      if (closed.kind === 'ok' || closed.meaning !== 'not-found') throw new Error('the list was not understood');
      return closed;
    },
    'Trading/GetOpenOrders.txt': (text) => valueOf(rest.openOrders(pairs, context)[0]!, text),
    'Trading/GetOrders.txt': (text) => valueOf(rest.query(known('OBCMZD-JIEE7-77TH3F'), context), text),
    'Trading/GetOrders2.txt': (text) => valueOf(rest.query(known('OICRC3-KX7OB-QB2B2S'), context), text),
    'Trading/GetUserTrades.txt': (text) => valueOf(rest.fillsSince(pairs, 0, context)[0]!, text),
    'Trading/PlaceOrder.txt': (text) => valueOf(rest.place(ticket, context), text),
    'Spot/AggBook.txt': (text) => rig().take({ frame: pushed(text) }),
    'Spot/Trades.txt': printsOf,
  },
  ignored: [
    [/Withdraw|Deposit|Transfer/, 'moves funds in or out: the engine never does'],
    [/Ledger/, 'bookkeeping that no stage reads'],
    [/Earn[/]/, 'lending out funds'],
    [/GetOpenPositions|GetTradeBalance/, 'margin, which the engine does not use on spot'],
    [/Account[/]GetBalances/, 'totals only: the extended balances say what is held too'],
    [/Kline|Concurrent/, 'candles'],
    [/GetTicker|Spot[/]Ticker|RecentSpread/, 'no more than the book says'],
    [/GetTradeHistory/, 'past trades of the tape'],
    [/GetAssets/, 'the list of pairs says enough of assets'],
    [/SystemStatus/, 'each pair has its status'],
    [/CancelAllOrders[.]/, 'ends the orders of every pair'],
    [/EditOrder/, 'orders are not edited'],
    [/PlaceMultipleOrders/, 'orders go one by one: the batch is of one pair, and no faster over a socket'],
    [/GetUserTradeDetails/, 'fills are read from the history, which says the same'],
    [/IndividualBook/, 'books by order, not by price'],
  ],
};
