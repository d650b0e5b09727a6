import { kucoin } from '#hotpath/venues/kucoin.ts';
import type { AccountContext, Call, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import { hmac } from '#hotpath/venues/venue-tools.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import type { OurRequest, RecordedRequest, SigningTable } from './signing.ts';

const [account] = kucoin.accounts!;
const { rest, sockets } = account!;
const [events] = sockets;

const spot: Instrument = instrumentOf('kucoin', 'spot', 'BTC-USDT');
const swap: Instrument = { ...instrumentOf('kucoin', 'futures', 'XBTUSDTM'), kind: 'perpetual' };

const context: AccountContext = {
  credentials: {
    apiKey: 'testApiKey0123456789abcdefABCDEF',
    secret: 'testSecret0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP',
    passphrase: 'testPass1',
  },
  nowMs: 1_767_225_600_123,
  nonce: 1_767_225_600_123_000,
  facts: {},
  marginMode: 'cross',
  leverage: 1,
};
const CLIENT_ID = 'arbtest0001' as ClientOrderId;

/** The orders of the recordings, told by the words of their call. */
function ticketOf(call: string, instrument: Instrument): OrderTicket {
  const isMarket = call.includes('market');
  return {
    clientOrderId: CLIENT_ID,
    instrument,
    side: /FOK|sell|reduceOnly/.test(call) ? 'sell' : 'buy',
    type: isMarket ? 'market' : 'limit',
    price: '50000',
    qty: instrument === spot ? '0.01' : '10',
    timeInForce: isMarket || call.includes('IOC') ? 'IOC' : call.includes('FOK') ? 'FOK' : 'GTC',
    postOnly: call.includes('postOnly'),
    reduceOnly: call.includes('reduceOnly'),
  };
}

const refOf = (instrument: Instrument): OrderRef => ({
  clientOrderId: CLIENT_ID,
  instrument,
  side: 'buy',
  venueOrderId: '123456789',
  sentMs: context.nowMs,
});

function ours({ exchange, call, transport }: RecordedRequest): OurRequest | { readonly skip: string } {
  const instrument = call.startsWith('swap') ? swap : spot;
  const name = call.replace(/^(spot|swap)[.]/, '');
  const restCall = (made: Call<unknown>): OurRequest => ({ kind: 'rest', account: account!, call: made });
  if (name === 'fetchTime') return restCall(rest.time!);
  if (exchange === 'kucoin') return { skip: 'the classic account: orders and events go through the unified one' };
  if (name.startsWith('createOrder')) return restCall(rest.place(ticketOf(name, instrument), context));
  if (name === 'cancelOrder') return restCall(rest.cancel(refOf(instrument), context));
  if (name === 'cancelAllOrders') return restCall(rest.cancelAll([instrument], context)[0]!);
  if (name === 'fetchBalance') return restCall(rest.balances(context));
  if (name === 'fetchOpenOrders') return restCall(rest.openOrders([instrument], context)[0]!);
  if (name === 'fetchPositions') return restCall(rest.positions!(context));
  if (name.includes('watchOrders') && transport === 'rest') return restCall(events!.pass!.ask(context));
  if (name.includes('watchOrders')) {
    return { kind: 'frame', frame: events!.subscribe([instrument], context, 'TKN')[0]! };
  }
  const frame = publicFrame(name, instrument);
  return frame === undefined ? { skip: 'a public request of another kind' } : { kind: 'frame', frame };
}

function publicFrame(name: string, instrument: Instrument): string | undefined {
  const market = kucoin.markets.find(({ id }) => id === instrument.market)!;
  const symbols = [instrument.venueSymbol];
  if (name === 'ws.watchOrderBook') return market.subscribe(symbols, 1)[0];
  if (name === 'ws.watchTrades') return market.streams!.subscribe(['trades'], symbols, 1)[0];
  const references = instrument === swap ? market.streams!.subscribe(['reference'], symbols, 1) : [];
  if (name === 'ws.watchMarkPrice') return references[0];
  if (name === 'ws.watchFundingRate') return references[1];
  return undefined;
}

/** What the venue's own page on signatures says, of the recorded bytes. */
function resign({ url, method = '', body = '', headers = {} }: RecordedRequest): {
  readonly recorded: string;
  readonly ours: string;
} {
  const named = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value]));
  const recorded = named['KC-API-SIGN'] ?? '';
  const text = `${named['KC-API-TIMESTAMP'] ?? ''}${method}${url.replace(/^https:\/\/[^/]+/, '')}${body}`;
  return { recorded, ours: recorded === '' ? '' : hmac('sha256', context.credentials.secret, text, 'base64') };
}

export const signing: SigningTable = {
  exchanges: ['kucoin', 'kucoin#uta'],
  instruments: [spot, swap],
  context,
  ours,
  differences: [
    {
      call: /createOrder[.]limit/,
      fields: ['timeInForce', 'KC-API-SIGN'],
      reason: 'a time in force is always named, never left to a default',
    },
    {
      call: /fetchBalance/,
      fields: ['path', 'accountType', 'KC-API-SIGN'],
      reason: 'the unified account is asked for, not the classic ones beside it',
    },
    {
      call: /fetchOpenOrders/,
      fields: ['pageNumber', 'pageSize', 'KC-API-SIGN'],
      reason: 'pages of a known size are asked for, to be followed',
    },
    {
      call: /watchOrderBook/,
      fields: ['id', 'action', 'depth'],
      reason: 'the plain increment ended in July 2026; the documentation writes the action in capitals',
    },
    {
      call: /watchTrades|watchFundingRate|watchMarkPrice/,
      fields: ['id', 'action'],
      reason: 'requests are numbered otherwise; the documentation writes the action in capitals',
    },
    {
      call: /watchOrders/,
      fields: ['id', 'action', 'channel', 'symbol', 'KC-API-SIGN', 'body'],
      reason: 'orders of every symbol come by one subscription',
    },
  ],
  resign,
};
