import { deribit } from '#hotpath/venues/deribit.ts';
import type { AccountContext, Call, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import { hmac } from '#hotpath/venues/venue-tools.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import type { OurRequest, RecordedRequest, SigningTable } from './signing.ts';

const account = deribit.accounts![0]!;
const { rest, sockets } = account;

const swap: Instrument = { ...instrumentOf('deribit', 'swap', 'BTC-PERPETUAL', '0.5'), kind: 'perpetual' };
const option: Instrument = { ...instrumentOf('deribit', 'options', 'BTC-25DEC26-100000-C', '0.0001'), kind: 'option' };

const context: AccountContext = {
  credentials: {
    apiKey: 'testApiKey0123456789abcdefABCDEF',
    secret: 'testSecret0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP',
  },
  nowMs: 1_767_225_600_123,
  // The recordings take the time for a nonce.
  nonce: 1_767_225_600_123,
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
  price: instrument === swap ? '50000' : '0.1',
  qty: instrument === swap ? '10' : '1',
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
const open = (path: string): Call<unknown> => ({
  method: 'GET',
  path,
  headers: {},
  weight: {},
  read: () => ({ kind: 'ok', value: undefined }),
});

function ours({ call: of, transport }: RecordedRequest): Ours {
  const instrument = of.startsWith('option') ? option : swap;
  const name = of.replace(/^(swap|option)[.]/, '');
  if (transport === 'ws') return frameOf(name, instrument);
  if (name.startsWith('createOrder')) return call(rest.place(ticketOf(name, instrument), context));
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
      return call(open(deribit.markets[0]!.poll!.path(instrument.venueSymbol)));
    default:
      return { skip: 'a public request that we make in another way or not at all' };
  }
}

function frameOf(name: string, { venueSymbol }: Instrument): Ours {
  const { subscribe, streams } = deribit.markets[0]!;
  const text = (frame: string | undefined): Ours => ({ kind: 'frame', frame: frame ?? '' });
  if (name.startsWith('ws.watchOrders')) return text(sockets[0]!.login(context, '').at(-1));
  if (name === 'ws.watchOrderBook') return text(subscribe([venueSymbol], 1)[0]);
  return text(streams!.subscribe([name === 'ws.watchTrades' ? 'trades' : 'reference'], [venueSymbol], 1)[0]);
}

export const signing: SigningTable = {
  exchanges: ['deribit'],
  instruments: [swap, option],
  context,
  ours,
  differences: [
    {
      call: /createOrder/,
      fields: ['clientOrderId', 'label', 'Authorization'],
      reason: 'the venue takes our id as `label` and does not know what the client sent',
    },
    {
      call: /createOrder[.](limit[.](GTC|postOnly|reduceOnly)|market)/,
      fields: ['time_in_force'],
      reason:
        'we always say it: GTC where the venue takes it unsaid, IOC of a market order so that nothing of it rests',
    },
    {
      call: /fetchBalance/,
      fields: ['type', 'Authorization'],
      reason: 'the venue knows no type of balances',
    },
    { call: /[.]ws[.]/, fields: ['id'], reason: 'requests are numbered by each client' },
  ],
  resign: ({ headers, method, url }) => {
    const recorded = /sig=(\w+)/.exec(headers?.['Authorization'] ?? '')?.[1] ?? '';
    if (recorded === '') return { recorded, ours: '' };
    const text = `${context.nowMs}\n${context.nonce}\n${method ?? ''}\n${url.replace(/^https:\/\/[^/]+/, '')}\n\n`;
    return { recorded, ours: hmac('sha256', context.credentials.secret, text, 'hex') };
  },
};
