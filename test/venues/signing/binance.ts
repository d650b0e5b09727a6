import { binance } from '#hotpath/venues/binance.ts';
import type { Account, AccountContext, Call, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import { hmac } from '#hotpath/venues/venue-tools.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import type { OurRequest, RecordedRequest, SigningTable } from './signing.ts';

const accountOf = (id: string): Account => binance.accounts!.find((account) => account.id === id)!;
const spot = instrumentOf('binance', 'spot', 'BTCUSDT');
const swap: Instrument = { ...instrumentOf('binance', 'usdm', 'BTCUSDT'), kind: 'perpetual' };

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
  timeInForce: /IOC|createOrderWs/.test(call) ? 'IOC' : call.includes('FOK') ? 'FOK' : 'GTC',
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

function callOf(name: string, instrument: Instrument, { rest, sockets }: Account): Call<unknown> | undefined {
  if (name === 'cancelOrder') return rest.cancel(refOf(instrument), context);
  if (name === 'cancelAllOrders') return rest.cancelAll([instrument], context)[0];
  if (name === 'fetchBalance') return rest.balances(context);
  if (name === 'fetchOpenOrders') return rest.openOrders([instrument], context)[0];
  if (name === 'fetchTime') return rest.time;
  if (name === 'ws.watchOrders(auth)') return sockets.find(({ id }) => id === 'events')?.pass?.ask(context);
  return name.startsWith('createOrder.') ? rest.place(ticketOf(name, instrument), context) : undefined;
}

function frameOf(name: string, instrument: Instrument, { sockets }: Account): string | undefined {
  const market = binance.markets.find(({ id }) => id === instrument.market)!;
  const symbols = [instrument.venueSymbol];
  const socket = sockets.find(({ carries }) => carries.includes('orders'))!;
  if (name === 'ws.watchOrderBook') return market.subscribe(symbols, 1)[0];
  if (name === 'ws.watchTrades') return market.streams!.subscribe(['trades'], symbols, 1)[0];
  if (name === 'ws.watchMarkPrice') return market.streams!.subscribe(['reference'], symbols, 1)[0];
  if (name === 'ws.watchOrders(auth)') return socket.login(context, '')[0];
  if (name.includes('createOrderWs')) return socket.orders!.place(ticketOf(name, instrument), context, '1', '');
  return name.includes('cancelOrderWs') ? socket.orders!.cancel(refOf(instrument), context, '1', '') : undefined;
}

function ours({ call, transport, url }: RecordedRequest): OurRequest | { readonly skip: string } {
  const instrument = call.startsWith('swap') ? swap : spot;
  const account = accountOf(instrument.market);
  const name = call.replace(/^(spot|swap)[.]/, '');
  if (url.includes('leverageBracket'))
    return { skip: 'brackets of leverage are not asked for: the engine keeps far below' };
  if (transport === 'ws') {
    const frame = frameOf(name, instrument, account);
    return frame === undefined ? { skip: 'a ticker without a price that we use' } : { kind: 'frame', frame };
  }
  const made = callOf(name, instrument, account);
  return made === undefined
    ? { skip: 'a public request of another kind or depth' }
    : { kind: 'rest', account, call: made };
}

/** What Binance signs: the bytes of query or body, or a frame's parameters in the order of their names. */
function resign({ transport, url, body, frame }: RecordedRequest): { recorded: string; ours: string } | undefined {
  const { secret } = context.credentials;
  if (transport === 'ws') {
    const { params } = frame as { params: Record<string, string | number | boolean> };
    const { signature, ...signed } = params;
    if (typeof signature !== 'string') return undefined;
    const payload = Object.entries(signed)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([field, value]) => `${field}=${String(value)}`)
      .join('&');
    return { recorded: signature, ours: hmac('sha256', secret, payload, 'hex') };
  }
  const [, payload, signature] = /^(.*)&signature=([0-9a-f]+)$/.exec(body ?? url.split('?')[1] ?? '') ?? [];
  if (payload === undefined || signature === undefined) return undefined;
  return { recorded: signature, ours: hmac('sha256', secret, payload, 'hex') };
}

export const signing: SigningTable = {
  exchanges: ['binance'],
  instruments: [spot, swap],
  context,
  ours,
  differences: [
    {
      call: /createOrder|cancel|fetchBalance|fetchOpenOrders|watchOrders/,
      fields: ['recvWindow', 'signature'],
      reason:
        'an order that arrives later than 5 s is no longer wanted; the signature covers the window, and is compared on the recorded bytes',
    },
    {
      call: /cancelOrder/,
      fields: ['orderId', 'origClientOrderId'],
      reason: 'orders are named by our own id, which is known before the venue has answered',
    },
    {
      call: /fetchBalance/,
      fields: ['omitZeroBalances', 'path'],
      reason:
        'assets that we do not have are not asked for; on futures the list of balances is asked instead of the whole account',
    },
    {
      call: /Ws|watchOrders/,
      fields: ['id', 'returnRateLimits', 'clientOrderId'],
      reason:
        'ids tell what was asked, rate limits are switched off once for the socket, and clientOrderId is no parameter of the venue',
    },
    {
      call: /watchOrderBook|watchTrades|watchMarkPrice/,
      fields: ['id', 'params'],
      reason:
        'the best quote is subscribed with the book, futures trades are the documented aggregate ones, and request numbers are ours',
    },
  ],
  resign: (recorded) => resign(recorded) ?? { recorded: '', ours: '' },
};
