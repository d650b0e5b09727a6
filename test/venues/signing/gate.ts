import { gate } from '#hotpath/venues/gate.ts';
import type { AccountContext, Call, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import { hash, hmac } from '#hotpath/venues/venue-tools.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import type { OurRequest, RecordedRequest, SigningTable } from './signing.ts';

const spot: Instrument = instrumentOf('gate', 'spot', 'BTC_USDT');
const swap: Instrument = { ...instrumentOf('gate', 'usdt', 'BTC_USDT'), kind: 'perpetual' };

const context: AccountContext = {
  credentials: {
    apiKey: 'testApiKey0123456789abcdefABCDEF',
    secret: 'testSecret0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP',
  },
  nowMs: 1_767_225_600_123,
  nonce: 1_767_225_600_123_000,
  facts: { user: '123456' },
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

function ours(recorded: RecordedRequest): OurRequest | { readonly skip: string } {
  const { call } = recorded;
  const instrument = call.startsWith('swap') ? swap : spot;
  const account = gate.accounts!.find(({ id }) => id === instrument.market)!;
  const { rest } = account;
  const name = call.replace(/^(spot|swap)[.]/, '');
  const restCall = (made: Call<unknown>): OurRequest => ({ kind: 'rest', account, call: made });
  if (name.startsWith('createOrder.')) return restCall(rest.place(ticketOf(name, instrument), context));
  if (name === 'cancelOrder') return restCall(rest.cancel(refOf(instrument), context));
  if (name === 'cancelAllOrders') return restCall(rest.cancelAll([instrument], context)[0]!);
  if (name === 'fetchBalance') return restCall(rest.balances(context));
  if (name === 'fetchOpenOrders') return restCall(rest.openOrders([instrument], context)[0]!);
  if (name === 'fetchPositions') return restCall(rest.positions!(context));
  if (name === 'fetchTime') return restCall(rest.time!);
  const frame = frameOf(recorded, instrument);
  return frame === undefined ? { skip: 'a public request of another kind' } : { kind: 'frame', frame };
}

function frameOf({ call, frame }: RecordedRequest, instrument: Instrument): string | undefined {
  const market = gate.markets.find(({ id }) => id === instrument.market)!;
  const [socket] = gate.accounts!.find(({ id }) => id === instrument.market)!.sockets;
  const symbols = [instrument.venueSymbol];
  const id = (frame as { readonly id?: string | number } | undefined)?.id;
  if (call.includes('watchOrderBook')) return market.subscribe(symbols, 1)[0];
  if (call.includes('watchTrades')) return market.streams!.subscribe(['trades'], symbols, 1)[0];
  if (call === 'swap.ws.watchTicker') return market.streams!.subscribe(['reference'], symbols, 1)[0];
  if (call.includes('watchOrders')) return socket!.subscribe([instrument], context, '')[0];
  if (call.includes('first frame')) return socket!.login(context, '')[0];
  if (call.includes('createOrderWs')) {
    return socket!.orders!.place(ticketOf(call, instrument), context, String(id), '');
  }
  if (call.includes('cancelOrderWs')) return socket!.orders!.cancel(refOf(instrument), context, String(id), '');
  return undefined;
}

type Framed = {
  readonly time: number;
  readonly channel: string;
  readonly event: string;
  readonly auth?: { readonly SIGN: string };
  readonly payload?: { readonly signature?: string; readonly req_param?: unknown };
};

/** What the venue's own pages on signatures say, of the recorded bytes. */
function resign({ url, method = '', body = '', headers = {}, frame }: RecordedRequest): {
  readonly recorded: string;
  readonly ours: string;
} {
  const sign = (text: string): string => hmac('sha512', context.credentials.secret, text, 'hex');
  if (frame !== undefined) {
    const { time, channel, event, auth, payload } = frame as Framed;
    if (auth !== undefined)
      return { recorded: auth.SIGN, ours: sign(`channel=${channel}&event=${event}&time=${time}`) };
    const recorded = payload?.signature ?? '';
    const text = `${event}\n${channel}\n${JSON.stringify(payload?.req_param)}\n${time}`;
    return { recorded, ours: recorded === '' ? '' : sign(text) };
  }
  const recorded = headers['SIGN'] ?? '';
  const [, path = '', query = ''] = /^https:\/\/[^/]+([^?]*)\??(.*)$/.exec(url) ?? [];
  const text = [method, path, query, hash('sha512', body).toString('hex'), headers['Timestamp'] ?? ''].join('\n');
  return { recorded, ours: recorded === '' ? '' : sign(text) };
}

export const signing: SigningTable = {
  exchanges: ['gate'],
  instruments: [spot, swap],
  context,
  ours,
  differences: [
    {
      call: /createOrder[.]limit[.](GTC|postOnly|reduceOnly)/,
      fields: ['time_in_force', 'tif', 'SIGN'],
      reason: 'a time in force is always named, never left to a default',
    },
    {
      call: /fetchOpenOrders/,
      fields: ['account', 'currency_pair', 'status', 'page', 'limit', 'SIGN'],
      reason: 'pages of a known size are asked for, of all pairs in one request',
    },
    { call: /fetchPositions/, fields: ['holding', 'SIGN'], reason: 'only positions that are held are asked for' },
    {
      call: /swap[.]ws[.]watchOrderBook/,
      fields: ['channel', 'id', 'time', 'payload'],
      reason: 'books come by the newer channel, and a subscription without a key needs no present time',
    },
    {
      call: /watchOrderBook|watchTrades|watchTicker/,
      fields: ['id', 'time'],
      reason: 'a subscription without a key needs no number and no present time',
    },
    {
      call: /watchOrders/,
      fields: ['id', 'payload'],
      reason: 'orders of every symbol come by one subscription',
    },
    {
      call: /first frame/,
      fields: ['id', 'req_id'],
      reason: 'a number that the answer repeats, of our own choice',
    },
    {
      call: /createOrderWs|cancelOrderWs/,
      fields: ['id', 'req_header', 'settle', 'signature'],
      reason: 'the broker header and the settlement, which the URL names, are left out, and a number is said once',
    },
  ],
  resign,
};
