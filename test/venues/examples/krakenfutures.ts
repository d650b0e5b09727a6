import { FeedSink } from '#hotpath/feed/sink.ts';
import { Frame } from '#hotpath/runtime/frame.ts';
import { krakenfutures } from '#hotpath/venues/krakenfutures.ts';
import type { AccountContext, Answer, Call, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import type { ClientOrderId, InstrumentIndex } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import { MarketRig } from '#test/support/venue-fixture.ts';
import type { ExampleTable } from './examples.ts';

const market = krakenfutures.markets[0]!;
const account = krakenfutures.accounts![0]!;
const { rest, sockets } = account;
const socket = sockets[0]!;

const context: AccountContext = {
  credentials: { apiKey: 'key', secret: 'c2VjcmV0' },
  nowMs: 0,
  nonce: 1,
  facts: {},
  marginMode: 'cross',
  leverage: 1,
};
const contracts = ['PI_XBTUSD', 'PF_XBTUSD', 'PF_ETHUSD'].map((symbol): Instrument =>
  instrumentOf('krakenfutures', 'futures', symbol),
);
const [inverse] = contracts as [Instrument];
const clientOrderId = 'a0000000000000' as ClientOrderId;
const ticket: OrderTicket = {
  clientOrderId,
  instrument: inverse,
  side: 'buy',
  type: 'limit',
  price: '9400',
  qty: '10000',
  timeInForce: 'GTC',
  postOnly: false,
  reduceOnly: false,
};
const known: OrderRef = { clientOrderId, instrument: inverse, side: 'buy', venueOrderId: 'cb4e34f6', sentMs: 0 };

const bodyOf = (text: string): string => text.split('\n').slice(3).join('\n');
const replyOf = (text: string) => ({ status: 200, headers: {}, text: bodyOf(text) });

function valueOf<T>(call: Call<T>, text: string): T {
  const answer: Answer<T> = call.read(replyOf(text));
  if (answer.kind === 'refused') throw new Error(`refused: ${answer.meaning} ${answer.text}`);
  return answer.value;
}

/** What is pushed. */
const pushed = (text: string): string => text.slice(text.search(/^=/m) + 1).trim();

/** What came before it: challenge and acknowledgement are read on the way. */
const received = (text: string): readonly string[] =>
  text.split('\n').flatMap((line) => (line.startsWith('< ') ? [line.slice(2)] : []));

function privateEvents(text: string): readonly unknown[] {
  const kinds = received(text).flatMap((frame) => socket.decode(Buffer.from(frame)).map(({ kind }) => kind));
  if (kinds[0] !== 'challenge') throw new Error('the challenge was not understood');
  return socket.decode(Buffer.from(pushed(text)));
}

function referencesOf(text: string): readonly unknown[] {
  const rig = new MarketRig(market, contracts);
  rig.take({ frame: pushed(text) });
  return rig.references;
}

/** The number of bids and asks of a polled book. */
function polled(text: string): readonly number[] {
  const counts: number[] = [];
  const sink = new FeedSink({
    instruments: contracts,
    venue: 'krakenfutures',
    market: 'futures',
    onUpdate: ({ bids, asks }) => counts.push(bids.count, asks.count),
    onControl: () => undefined,
  });
  const bytes = Buffer.from(bodyOf(text));
  market.poll!.decode(new Frame().window(bytes, 0, bytes.length), sink, 0 as InstrumentIndex);
  return counts;
}

const armed = (): Call<unknown> => {
  if (account.deadMan.kind !== 'timer') throw new Error('the venue has a timer');
  return account.deadMan.arm(60_000, contracts, context)[0]!;
};

export const examples: ExampleTable = {
  file: 'jkorf_kraken_net.jsonl.gz',
  only: /(Endpoints|Subscriptions)[/]Futures[/]/,
  decode: {
    'Account/GetBalances.txt': (text) => valueOf(rest.balances(context), text),
    'ExchangeData/GetOrderBook.txt': polled,
    'ExchangeData/GetSymbols.txt': (text) => market.instruments.parse([bodyOf(text)], market.defaultFees),
    'ExchangeData/GetSymbolStatus.txt': (text) => valueOf(rest.time!, text),
    'Trading/CancelAllOrderAfter.txt': (text) => valueOf(armed(), text),
    'Trading/CancelAllOrders.txt': (text) => valueOf(rest.cancelAll(contracts, context)[0]!, text),
    'Trading/CancelOrder.txt': (text) => valueOf(rest.cancel(known, context), text),
    'Trading/GetOpenOrders.txt': (text) => valueOf(rest.openOrders(contracts, context)[0]!, text),
    'Trading/GetOpenPositions.txt': (text) => valueOf(rest.positions!(context), text),
    'Trading/GetOrders.txt': (text) => {
      // No order in it: the history is asked next.
      const answer = rest.query(known, context).read(replyOf(text));
      if (answer.kind === 'ok' || answer.meaning !== 'not-found') throw new Error('the answer was not understood');
      return answer.elsewhere?.(context).path;
    },
    'Trading/GetUserTrades.txt': (text) => valueOf(rest.fillsSince(contracts, 0, context)[0]!, text),
    'Trading/PlaceOrder.txt': (text) => valueOf(rest.place(ticket, context), text),
    'Futures/OrderUpdate.txt': privateEvents,
    'Futures/Ticker.txt': referencesOf,
    'Futures/UserTrade.txt': privateEvents,
  },
  ignored: [
    [/AccountLog|Pnl|Transfer|PlatformNotifications/, 'bookkeeping and notices that no stage reads'],
    [/HistoricalFundingRates/, 'funding of the past: the present rate comes with the ticker'],
    [/Klines/, 'candles'],
    [/ExchangeData[/]GetTickers/, 'the socket says the same sooner'],
    [/ExchangeData[/]GetTrades/, 'past trades of the tape'],
    [/EditOrder/, 'orders are not edited'],
    [/GetExecutionEvents/, 'fills are read from the list of fills, which names the same ones'],
    [/Leverage|SelfTradeStrategy/, 'settings of the account, which are its owner’s'],
  ],
};
