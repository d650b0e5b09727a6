import { okx } from '#hotpath/venues/okx.ts';
import type { AccountContext, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import { hmac } from '#hotpath/venues/venue-tools.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import type { OurRequest, RecordedRequest, SigningTable } from './signing.ts';

const [account] = okx.accounts!;
const { rest, sockets, deadMan } = account!;
const [socket] = sockets;

const spot: Instrument = { ...instrumentOf('okx', 'spot', 'BTC-USDT'), venueCode: '10459' };
const swap: Instrument = { ...instrumentOf('okx', 'swap', 'BTC-USDT-SWAP'), kind: 'perpetual', venueCode: '10459' };

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
const REQUEST = '17672256001231';

/** The orders of the recordings, told by the words of their call. */
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

function ours({ call }: RecordedRequest): OurRequest | { readonly skip: string } {
  const instrument = call.startsWith('swap') ? swap : spot;
  const name = call.replace(/^(spot|swap)[.]/, '');
  const restCall = (made: ReturnType<typeof rest.balances | typeof rest.cancel>): OurRequest => ({
    kind: 'rest',
    account: account!,
    call: made,
  });
  if (name.startsWith('createOrder')) return restCall(rest.place(ticketOf(name, instrument), context));
  if (name === 'cancelOrder') return restCall(rest.cancel(refOf(instrument), context));
  if (name === 'fetchBalance') return restCall(rest.balances(context));
  if (name === 'fetchOpenOrders') return restCall(rest.openOrders([instrument], context)[0]!);
  if (name === 'fetchPositions') return restCall(rest.positions!(context));
  if (name === 'fetchTime') return restCall(rest.time!);
  if (name.startsWith('cancelAllOrdersAfter') && deadMan.kind === 'timer') {
    return restCall(deadMan.arm(10_000, [instrument], context)[0]!);
  }
  if (/watchOrders|first frame/.test(name)) return { kind: 'frame', frame: socket!.login(context, '')[0]! };
  if (name.includes('createOrderWs')) {
    return { kind: 'frame', frame: socket!.orders!.place(ticketOf(name, instrument), context, REQUEST, '') };
  }
  if (name.includes('cancelOrderWs')) {
    return { kind: 'frame', frame: socket!.orders!.cancel(refOf(instrument), context, REQUEST, '') };
  }
  const frame = publicFrame(name, instrument);
  return frame === undefined ? { skip: 'a public request of another kind or depth' } : { kind: 'frame', frame };
}

function publicFrame(name: string, instrument: Instrument): string | undefined {
  const market = okx.markets.find(({ id }) => id === instrument.market)!;
  if (name === 'ws.watchOrderBook') return market.subscribe([instrument.venueSymbol], 1)[0];
  if (name === 'ws.watchTrades') return market.streams!.subscribe(['trades'], [instrument.venueSymbol], 1)[0];
  return undefined;
}

export const signing: SigningTable = {
  exchanges: ['okx'],
  instruments: [spot, swap],
  context,
  ours,
  differences: [
    {
      call: /cancelAllOrdersAfter/,
      fields: ['timeOut', 'type', 'symbol', 'OK-ACCESS-SIGN'],
      reason: 'the venue documents a text, and knows neither a type nor a symbol here',
    },
    {
      call: /createOrderWs\(IOC/,
      fields: ['op'],
      reason: 'one order goes as one, not as a batch of one',
    },
    {
      call: /fetchPositions/,
      fields: ['path', 'query.instId', 'OK-ACCESS-SIGN'],
      reason: 'all positions are asked for, not those of one instrument',
    },
  ],
  resign: (recorded) => {
    const recordedSign = recorded.headers?.['OK-ACCESS-SIGN'] ?? '';
    const path = recorded.url.replace(/^https:\/\/[^/]+/, '');
    const text = new Date(context.nowMs).toISOString() + (recorded.method ?? '') + path + (recorded.body ?? '');
    const again = hmac('sha256', context.credentials.secret, text, 'base64');
    return { recorded: recordedSign, ours: recordedSign === '' ? '' : again };
  },
};
