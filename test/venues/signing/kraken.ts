import { kraken } from '#hotpath/venues/kraken.ts';
import type { AccountContext, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import { hash, hmac } from '#hotpath/venues/venue-tools.ts';
import { asset } from '#hotpath/venues/venue.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import type { OurRequest, RecordedRequest, SigningTable } from './signing.ts';

const account = kraken.accounts![0]!;
const { rest, sockets } = account;
const socket = sockets[0]!;
const btc: Instrument = {
  ...instrumentOf('kraken', 'spot', 'BTC/USD', '0.1'),
  base: asset('BTC'),
  quote: asset('USD'),
  settle: asset('USD'),
};

const context: AccountContext = {
  credentials: {
    apiKey: 'testApiKey0123456789abcdefABCDEF',
    secret: 'dGVzdFNlY3JldDAxMjM0NTY3ODlhYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ekFCQ0RFRkdISUpLTE1OT1A=',
  },
  nowMs: 1_767_225_600_123,
  nonce: 1_767_225_600_123,
  facts: {},
  marginMode: 'cross',
  leverage: 1,
};

const ticket = (changes: Partial<OrderTicket>): OrderTicket => ({
  clientOrderId: 'arbtest0001' as ClientOrderId,
  instrument: btc,
  side: 'buy',
  type: 'limit',
  price: '50000',
  qty: '0.01',
  timeInForce: 'GTC',
  postOnly: false,
  reduceOnly: false,
  ...changes,
});
const known: OrderRef = {
  clientOrderId: 'arbtest0001' as ClientOrderId,
  instrument: btc,
  side: 'buy',
  venueOrderId: '123456789',
  sentMs: context.nowMs,
};

const callOf = (call: Extract<OurRequest, { kind: 'rest' }>['call']): OurRequest => ({ kind: 'rest', account, call });
const frameOf = (frame: string): OurRequest => ({ kind: 'frame', frame });

const OURS: Readonly<Record<string, (recorded: RecordedRequest) => OurRequest | { readonly skip: string }>> = {
  'spot.createOrder.limit.GTC': () => callOf(rest.place(ticket({}), context)),
  'spot.createOrder.limit.IOC': () => callOf(rest.place(ticket({ timeInForce: 'IOC' }), context)),
  'spot.createOrder.limit.FOK': () => ({ skip: account.refuses(ticket({ timeInForce: 'FOK' }))! }),
  'spot.createOrder.limit.postOnly': () => callOf(rest.place(ticket({ postOnly: true }), context)),
  'spot.createOrder.market.sell': () => callOf(rest.place(ticket({ type: 'market', side: 'sell' }), context)),
  'spot.cancelOrder': () => callOf(rest.cancel(known, context)),
  'spot.cancelAllOrders': () => ({ skip: 'it ends the orders of every pair: ours lists those of its pairs first' }),
  'spot.cancelAllOrdersAfter.10s': () =>
    account.deadMan.kind === 'timer' ? callOf(account.deadMan.arm(10_000, [btc], context)[0]!) : { skip: 'no timer' },
  'spot.fetchBalance': () => callOf(rest.balances(context)),
  'spot.fetchOpenOrders': () => callOf(rest.openOrders([btc], context)[0]!),
  'spot.ws.watchOrders(auth)': ({ transport }) =>
    transport === 'rest' ? callOf(socket.pass!.ask(context)) : frameOf(socket.subscribe([btc], context, 'WSTOKEN')[0]!),
  'spot.ws.createOrderWs(first frame)': () =>
    frameOf(socket.orders!.place(ticket({ timeInForce: 'IOC' }), context, '5', 'WSTOKEN')),
  'spot.ws.createOrderWs(IOC, after auth)': () =>
    frameOf(socket.orders!.place(ticket({ timeInForce: 'IOC' }), context, '6', 'wstoken')),
};

export const signing: SigningTable = {
  exchanges: ['kraken'],
  instruments: [btc],
  context,
  ours: (recorded) => OURS[recorded.call]?.(recorded) ?? { skip: 'a public request, not signed' },
  differences: [
    {
      call: /createOrder[.]/,
      fields: ['pair', 'oflags', 'api-sign'],
      reason: 'the alternative name of the same pair; and fees are asked for in the quote asset, as accounting expects',
    },
    {
      call: /fetchBalance/,
      fields: ['type', 'api-sign'],
      reason: 'a field of the client that the endpoint does not have',
    },
    {
      call: /createOrderWs/,
      fields: ['fee_preference'],
      reason: 'fees are asked for in the quote asset, as accounting expects',
    },
    {
      call: /watchOrders/,
      fields: ['snap_trades', 'req_id'],
      reason: 'fills before the subscription are asked for too; nobody waits for the acknowledgement by its number',
    },
  ],
  resign: (recorded) => {
    const signature = recorded.headers?.['API-Sign'] ?? '';
    const path = recorded.url.replace(/^https:\/\/[^/]+/, '');
    const digest = hash('sha256', `${context.nonce}${recorded.body ?? ''}`);
    const secret = Buffer.from(context.credentials.secret, 'base64');
    const again = hmac('sha512', secret, Buffer.concat([Buffer.from(path), digest]), 'base64');
    return { recorded: signature, ours: signature === '' ? '' : again };
  },
};
