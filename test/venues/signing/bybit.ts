import { bybit } from '#hotpath/venues/bybit.ts';
import type { AccountContext, Call, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import { hmac } from '#hotpath/venues/venue-tools.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import type { OurRequest, RecordedRequest, SigningTable } from './signing.ts';

const account = bybit.accounts![0]!;
const { rest, sockets, deadMan } = account;
const [events, trade] = sockets;

const spot = instrumentOf('bybit', 'spot', 'BTCUSDT');
const swap: Instrument = { ...instrumentOf('bybit', 'linear', 'BTCUSDT'), kind: 'perpetual' };

const context: AccountContext = {
  credentials: {
    apiKey: 'testApiKey0123456789abcdefABCDEF',
    secret: 'testSecret0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP',
  },
  nowMs: 1_767_225_600_123,
  nonce: 1_767_225_600_123_000,
  facts: {},
  marginMode: 'cross',
  leverage: 1,
};
const CLIENT_ID = 'arbtest0001' as ClientOrderId;

/** The orders of the recordings, told by the words of their call. */
const ticketOf = (call: string, instrument: Instrument): OrderTicket => ({
  clientOrderId: CLIENT_ID,
  instrument,
  side: /FOK|sell|reduceOnly/.test(call) ? 'sell' : 'buy',
  type: call.includes('market') ? 'market' : 'limit',
  price: '50000',
  qty: '0.01',
  timeInForce: call.includes('IOC') ? 'IOC' : call.includes('FOK') ? 'FOK' : 'GTC',
  postOnly: call.includes('postOnly'),
  reduceOnly: call.includes('reduceOnly'),
});

const refOf = (instrument: Instrument): OrderRef => ({
  clientOrderId: CLIENT_ID,
  instrument,
  side: 'buy',
  venueOrderId: '123456789',
  sentMs: context.nowMs,
});

type Ours = OurRequest | { readonly skip: string };
const call = (made: Call<unknown>): Ours => ({ kind: 'rest', account, call: made });

function ours(recorded: RecordedRequest): Ours {
  const instrument = recorded.call.startsWith('swap') ? swap : spot;
  const name = recorded.call.replace(/^(spot|swap)[.]/, '');
  if (recorded.transport === 'ws') return frameOf(name, instrument, recorded);
  if (name.startsWith('createOrder')) return call(rest.place(ticketOf(name, instrument), context));
  if (name.startsWith('cancelAllOrdersAfter') && deadMan.kind === 'disconnect') return call(deadMan.arm!(context)[0]!);
  switch (name) {
    case 'cancelOrder':
      return call(rest.cancel(refOf(instrument), context));
    case 'cancelAllOrders':
      return call(rest.cancelAll([instrument], context)[0]!);
    case 'fetchBalance':
      return call(rest.balances(context));
    case 'fetchOpenOrders':
      return call(rest.openOrders([instrument], context)[0]!);
    case 'fetchPositions':
      return call(rest.positions!(context));
    case 'fetchTime':
      return call(rest.time!);
    case 'fetchOrderBook':
      return call(open(bybit.markets.find(({ id }) => id === instrument.market)!.poll!.path(instrument.venueSymbol)));
    default:
      return { skip: 'a list of instruments that we ask for in other parts' };
  }
}

const open = (path: string): Call<unknown> => ({
  method: 'GET',
  path,
  headers: {},
  weight: {},
  read: () => ({ kind: 'ok', value: undefined }),
});

function frameOf(name: string, instrument: Instrument, { frame }: RecordedRequest): Ours {
  const text = (made: string | undefined): Ours => ({ kind: 'frame', frame: made ?? '' });
  const { streams, subscribe } = bybit.markets.find(({ id }) => id === instrument.market)!;
  const request = (frame as { readonly reqId?: string }).reqId ?? '';
  if (name.startsWith('ws.createOrderWs(IOC'))
    return text(trade!.orders!.place(ticketOf(name, instrument), context, request, ''));
  if (name.startsWith('ws.cancelOrderWs')) return text(trade!.orders!.cancel(refOf(instrument), context, request, ''));
  if (name.startsWith('ws.createOrderWs')) return text(trade!.login(context, '')[0]);
  if (name.startsWith('ws.watchOrders')) return text(events!.login(context, '')[0]);
  if (name === 'ws.watchOrderBook') return text(subscribe([instrument.venueSymbol], 1)[0]);
  return text(streams!.subscribe([name === 'ws.watchTrades' ? 'trades' : 'reference'], [instrument.venueSymbol], 1)[0]);
}

export const signing: SigningTable = {
  exchanges: ['bybit'],
  instruments: [spot, swap],
  context,
  ours,
  differences: [
    {
      call: /createOrder[.]limit[.](GTC|reduceOnly)/,
      fields: ['timeInForce', 'X-BAPI-SIGN'],
      reason: 'we say GTC, which the venue takes where nothing is said',
    },
    {
      call: /spot[.]cancelOrder$/,
      fields: ['orderFilter', 'X-BAPI-SIGN'],
      reason: 'plain orders are what the venue cancels where nothing is said',
    },
    {
      call: /cancelAllOrdersAfter/,
      fields: ['timeWindow', 'symbol', 'X-BAPI-SIGN'],
      reason: 'our switch is the fastest that there is, for all contracts: the venue knows no symbol here',
    },
    {
      call: /fetchOpenOrders/,
      fields: ['limit', 'X-BAPI-SIGN'],
      reason: 'we ask for the longest page that there is',
    },
    {
      call: /fetchPositions/,
      fields: ['symbol', 'settleCoin', 'X-BAPI-SIGN'],
      reason: 'all positions are asked for, by settlement coin, not those of one symbol',
    },
    { call: /fetchOrderBook/, fields: ['limit'], reason: 'we ask for as many levels as the book channel keeps' },
    { call: /ws[.]watch(OrderBook|Trades|Ticker)/, fields: ['req_id'], reason: 'requests are numbered by each client' },
  ],
  resign: ({ headers, method, url, body }) => {
    const recorded = headers?.['X-BAPI-SIGN'] ?? '';
    if (recorded === '') return { recorded, ours: '' };
    const payload = method === 'GET' ? (url.split('?')[1] ?? '') : (body ?? '');
    const { apiKey, secret } = context.credentials;
    return { recorded, ours: hmac('sha256', secret, `${context.nowMs}${apiKey}5000${payload}`, 'hex') };
  },
};
