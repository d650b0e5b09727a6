import { futuresSignature, mexc, spotSignature } from '#hotpath/venues/mexc.ts';
import type { AccountContext, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import type { OurRequest, RecordedRequest, SigningTable } from './signing.ts';

const [spotAccount, futuresAccount] = mexc.accounts!;
const spot: Instrument = instrumentOf('mexc', 'spot', 'BTCUSDT');
const swap: Instrument = { ...instrumentOf('mexc', 'futures', 'BTC_USDT'), kind: 'perpetual' };

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

function ticketOf(call: string, instrument: Instrument): OrderTicket {
  return {
    clientOrderId: CLIENT_ID,
    instrument,
    side: /FOK|sell|reduceOnly/.test(call) ? 'sell' : 'buy',
    type: call.includes('market') ? 'market' : 'limit',
    price: '50000',
    qty: instrument === spot ? '0.01' : '10',
    timeInForce: call.includes('IOC') ? 'IOC' : call.includes('FOK') ? 'FOK' : 'GTC',
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

function ours({ call, transport }: RecordedRequest): OurRequest | { readonly skip: string } {
  const isSwap = call.startsWith('swap');
  const [instrument, account] = isSwap ? [swap, futuresAccount!] : [spot, spotAccount!];
  const { rest, sockets } = account;
  const [events] = sockets;
  const name = call.replace(/^(spot|swap)[.]/, '');
  const restCall = (made: ReturnType<typeof rest.cancel>): OurRequest => ({ kind: 'rest', account, call: made });
  if (name.startsWith('createOrder')) return restCall(rest.place(ticketOf(name, instrument), context));
  if (name === 'cancelOrder') return restCall(rest.cancel(refOf(instrument), context));
  if (name === 'cancelAllOrders') return restCall(rest.cancelAll([instrument], context)[0]!);
  if (name === 'fetchBalance') return restCall(rest.balances(context));
  if (name === 'fetchOpenOrders') return restCall(rest.openOrders([instrument], context)[0]!);
  if (name === 'fetchPositions') return restCall(rest.positions!(context));
  if (name === 'fetchTime') return restCall(spotAccount!.rest.time!);
  if (name.includes('watchOrders')) {
    if (isSwap) return { kind: 'frame', frame: events!.login(context, '')[0]! };
    if (transport === 'rest') return restCall(events!.pass!.ask(context));
    return { kind: 'frame', frame: events!.subscribe([], context, 'LK123')[0]! };
  }
  return publicFrame(name, instrument) ?? { skip: 'a public request of another kind or depth' };
}

function publicFrame(name: string, instrument: Instrument): OurRequest | undefined {
  const market = mexc.markets.find(({ id }) => id === instrument.market)!;
  const symbols = [instrument.venueSymbol];
  const [frame] =
    name === 'ws.watchOrderBook'
      ? market.subscribe(symbols, 1)
      : name === 'ws.watchTrades'
        ? market.streams!.subscribe(['trades'], symbols, 1)
        : name === 'ws.watchFundingRate'
          ? market.streams!.subscribe(['reference'], symbols, 1).filter((text) => text.includes('funding'))
          : [];
  return frame === undefined ? undefined : { kind: 'frame', frame };
}

/** The recorded bytes, signed by us. */
function resign({ url, headers, body }: RecordedRequest): { readonly recorded: string; readonly ours: string } {
  const { apiKey, secret } = context.credentials;
  const [, query = ''] = url.split('?');
  const [unsigned = '', signature] = query.split('&signature=');
  if (signature !== undefined) return { recorded: signature, ours: spotSignature(secret, unsigned) };
  const time = headers?.['Request-Time'] ?? '';
  return {
    recorded: headers?.['Signature'] ?? '',
    ours: time === '' ? '' : futuresSignature(secret, { apiKey, time, content: body ?? query }),
  };
}

export const signing: SigningTable = {
  exchanges: ['mexc'],
  instruments: [spot, swap],
  context,
  ours,
  differences: [
    { call: /./, fields: ['header.source'], reason: 'names the client library' },
    {
      call: /^swap[.]createOrder/,
      fields: ['positionMode', 'Signature'],
      reason: 'says that positions are one-way, so that an account in hedge mode refuses; the signature covers it',
    },
    {
      call: /^swap[.]createOrder[.]limit[.](IOC|FOK)$/,
      fields: ['type', 'timeInForce', 'Signature'],
      reason:
        'the client sends a resting limit order with a field that the venue does not have: IOC is type 3, FOK is type 4',
    },
    {
      call: /^swap[.]createOrder[.]market/,
      fields: ['type', 'Signature'],
      reason: 'market is type 5; the type 6 of the client turns the rest into a limit order at the present price',
    },
    {
      call: /reduceOnly/,
      fields: ['side', 'reduceOnly', 'Signature'],
      reason: 'one-way positions are reduced by reduceOnly, closing sides belong to hedge mode',
    },
    {
      call: /^swap[.]fetchOpenOrders$/,
      fields: ['path', 'page_num', 'Signature'],
      reason: 'asks for the symbol alone, page by page',
    },
    {
      call: /^spot[.]ws[.]watchOrders/,
      fields: ['params'],
      reason: 'subscribes deals and balances in the same frame',
    },
    {
      call: /^spot[.]ws[.]watch(OrderBook|Trades)$/,
      fields: ['id', 'params'],
      reason: 'numbers its request, and takes the channels of 10 ms',
    },
    {
      call: /^swap[.]ws[.]watchOrderBook$/,
      fields: ['compress'],
      reason: 'asks for each step of the book by itself',
    },
  ],
  resign,
};
