import { htx, signatureOf } from '#hotpath/venues/htx.ts';
import type { AccountContext, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import type { OurRequest, RecordedRequest, SigningTable } from './signing.ts';

const [spotAccount, swapAccount] = htx.accounts!;
const spot: Instrument = instrumentOf('htx', 'spot', 'btcusdt');
const swap: Instrument = { ...instrumentOf('htx', 'swap', 'BTC-USDT'), kind: 'perpetual' };

const context: AccountContext = {
  credentials: {
    apiKey: 'testApiKey0123456789abcdefABCDEF',
    secret: 'testSecret0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP',
  },
  nowMs: 1_767_225_600_123,
  nonce: 1_767_225_600_123_000,
  facts: { accountId: '1' },
  marginMode: 'cross',
  leverage: 1,
};

/** The id of ours whose number is the 1234567890 of the recordings. */
const SWAP_ID = 'a000000kf12oh' as ClientOrderId;

function ticketOf(call: string, instrument: Instrument): OrderTicket {
  return {
    clientOrderId: instrument === spot ? ('arbtest0001' as ClientOrderId) : SWAP_ID,
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
  clientOrderId: SWAP_ID,
  instrument,
  side: 'buy',
  venueOrderId: '123456789',
  sentMs: context.nowMs,
});

function ours({ call }: RecordedRequest): OurRequest | { readonly skip: string } {
  const isSwap = call.startsWith('swap');
  const [instrument, account] = isSwap ? [swap, swapAccount!] : [spot, spotAccount!];
  const { rest, sockets, deadMan } = account;
  const name = call.replace(/^(spot|swap)[.]/, '');
  const restCall = (made: ReturnType<typeof rest.cancel>): OurRequest => ({ kind: 'rest', account, call: made });
  if (name.startsWith('createOrder')) return restCall(rest.place(ticketOf(name, instrument), context));
  if (name === 'cancelOrder') return restCall(rest.cancel(refOf(instrument), context));
  if (name === 'cancelAllOrders') return restCall(rest.cancelAll([instrument], context)[0]!);
  if (name === 'fetchBalance') return restCall(rest.balances(context));
  if (name === 'fetchOpenOrders') return restCall(rest.openOrders([instrument], context)[0]!);
  if (name === 'fetchPositions') return restCall(rest.positions!(context));
  if (name === 'fetchTime') return restCall(rest.time!);
  if (name.startsWith('cancelAllOrdersAfter') && deadMan.kind === 'timer')
    return isSwap
      ? { skip: 'the client arms the spot switch for swaps: V5 has one of its own' }
      : restCall(deadMan.arm(10_000, [instrument], context)[0]!);
  if (name.includes('watchOrders')) {
    const events = sockets.find(({ id }) => id === 'events')!;
    return { kind: 'frame', frame: events.login(context, '')[0]! };
  }
  if (name === 'ws.watchTrades') {
    const market = htx.markets.find(({ id }) => id === instrument.market)!;
    return { kind: 'frame', frame: market.streams!.subscribe(['trades'], [instrument.venueSymbol], 1)[0]! };
  }
  if (name === 'ws.watchOrderBook' && !isSwap)
    return { kind: 'frame', frame: htx.markets[0]!.subscribe([instrument.venueSymbol], 1)[0]! };
  return { skip: 'a public request of another kind, depth or generation' };
}

const URL_PARTS = /^https:\/\/([^/]+)([^?]+)[?](.*)&Signature=([^&]+)$/;

/** The recorded query without its signature, signed by us. */
function resign({ method, url }: RecordedRequest): { readonly recorded: string; readonly ours: string } {
  // Where parameters follow the signature's place in the order of names, it still comes last.
  const [, host = '', path = '', query = '', signature = ''] = URL_PARTS.exec(url) ?? [];
  return {
    recorded: decodeURIComponent(signature),
    ours:
      signature === '' ? '' : signatureOf(context.credentials.secret, { method: method ?? 'GET', host, path, query }),
  };
}

export const signing: SigningTable = {
  exchanges: ['htx'],
  instruments: [spot, swap],
  context,
  ours,
  differences: [
    {
      call: /^swap[.]createOrder/,
      fields: ['channel_code'],
      reason: 'names the client library as a broker',
    },
    {
      call: /^swap[.]createOrder[.]market/,
      fields: ['time_in_force'],
      reason: 'a market order has no time in force; the recorded gtc says nothing',
    },
    {
      call: /^spot[.]cancelAllOrders$/,
      fields: ['account-id'],
      reason: 'names the account, so that orders of margin accounts are left alone',
    },
    {
      call: /fetchOpenOrders/,
      fields: ['size', 'limit', 'Signature'],
      reason: 'asks for the longest page, which the signature covers',
    },
    {
      call: /^(spot|swap)[.]ws[.]watch(Trades|OrderBook)$/,
      fields: ['id'],
      reason: 'a number of the request, chosen freely',
    },
  ],
  resign: (recorded) =>
    recorded.transport === 'rest' && recorded.url.includes('&Signature=')
      ? resign(recorded)
      : { recorded: '', ours: '' },
};
