import { bitfinex } from '#hotpath/venues/bitfinex.ts';
import type { AccountContext, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import { hmac } from '#hotpath/venues/venue-tools.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import type { OurRequest, RecordedRequest, SigningTable } from './signing.ts';

const [spotAccount, swapAccount] = bitfinex.accounts!;

const spot: Instrument = instrumentOf('bitfinex', 'spot', 'tBTCUST');
const swap: Instrument = { ...instrumentOf('bitfinex', 'swap', 'tBTCF0:USTF0'), kind: 'perpetual' };

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
/** Whose number is the 1234567890 of the recordings. */
const CLIENT_ID = 'a000000kf12oi' as ClientOrderId;

function ticketOf(call: string, instrument: Instrument): OrderTicket {
  return {
    clientOrderId: CLIENT_ID,
    instrument,
    side: /FOK|sell|reduceOnly/.test(call) ? 'sell' : 'buy',
    type: call.includes('market') ? 'market' : 'limit',
    price: '50000',
    qty: '0.01',
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

function ours({ call }: RecordedRequest): OurRequest | { readonly skip: string } {
  const isSwap = call.startsWith('swap');
  const [instrument, account] = isSwap ? [swap, swapAccount!] : [spot, spotAccount!];
  const { rest, sockets } = account;
  const name = call.replace(/^(spot|swap)[.]/, '');
  const restCall = (made: ReturnType<typeof rest.cancel>): OurRequest => ({ kind: 'rest', account, call: made });
  if (name.startsWith('createOrder')) return restCall(rest.place(ticketOf(name, instrument), context));
  if (name === 'cancelOrder') return restCall(rest.cancel(refOf(instrument), context));
  if (name === 'fetchBalance') return restCall(rest.balances(context));
  if (name === 'fetchOpenOrders') return restCall(rest.openOrders([instrument], context)[0]!);
  if (name === 'fetchPositions') return restCall(rest.positions!(context));
  if (name === 'cancelAllOrders') return { skip: 'all:1 cancels beyond the symbol; ours lists and cancels by number' };
  // The client's nonce is in milliseconds there.
  if (name.startsWith('ws.watchOrders')) {
    return { kind: 'frame', frame: sockets[0]!.login({ ...context, nonce: context.nowMs }, '')[0]! };
  }
  const frame = publicFrame(name, instrument);
  return frame === undefined ? { skip: 'a public request of another kind or depth' } : { kind: 'frame', frame };
}

function publicFrame(name: string, instrument: Instrument): string | undefined {
  const market = bitfinex.markets.find(({ id }) => id === instrument.market)!;
  if (name === 'ws.watchOrderBook') return market.subscribe([instrument.venueSymbol], 1)[0];
  if (name === 'ws.watchTrades') return market.streams!.subscribe(['trades'], [instrument.venueSymbol], 1)[0];
  return undefined;
}

export const signing: SigningTable = {
  exchanges: ['bitfinex'],
  instruments: [spot, swap],
  context,
  ours,
  differences: [
    {
      call: /^swap[.]createOrder/,
      fields: ['lev', 'bfx-signature'],
      reason: 'without a leverage the venue takes 10: ours is always said',
    },
    { call: /watchOrders/, fields: ['dms'], reason: 'our socket cancels our orders when it is lost' },
    { call: /watchOrderBook/, fields: ['len'], reason: 'a hundred levels, not the 25 that come unasked' },
  ],
  resign: (recorded) => {
    const headers = recorded.headers ?? {};
    const signature = headers['bfx-signature'] ?? '';
    const path = recorded.url.replace(/^https:\/\/[^/]+/, '/api');
    const text = path + (headers['bfx-nonce'] ?? '') + (recorded.body ?? '');
    const again = hmac('sha384', context.credentials.secret, text, 'hex');
    return { recorded: signature, ours: signature === '' ? '' : again };
  },
};
