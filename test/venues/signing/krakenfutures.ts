import { krakenfutures } from '#hotpath/venues/krakenfutures.ts';
import type { AccountContext, OrderRef, OrderTicket } from '#hotpath/venues/venue-account.ts';
import { hash, hmac } from '#hotpath/venues/venue-tools.ts';
import { asset } from '#hotpath/venues/venue.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { instrumentOf } from '#test/support/instruments.ts';
import type { OurRequest, RecordedRequest, SigningTable } from './signing.ts';

const account = krakenfutures.accounts![0]!;
const { rest, sockets } = account;
const perpetual: Instrument = {
  ...instrumentOf('krakenfutures', 'futures', 'PF_XBTUSD', '1'),
  kind: 'perpetual',
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
  instrument: perpetual,
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
  instrument: perpetual,
  side: 'buy',
  venueOrderId: '123456789',
  sentMs: context.nowMs,
};

const callOf = (call: Extract<OurRequest, { kind: 'rest' }>['call']): OurRequest => ({ kind: 'rest', account, call });
const place = (changes: Partial<OrderTicket>): OurRequest => callOf(rest.place(ticket(changes), context));

const OURS: Readonly<Record<string, (recorded: RecordedRequest) => OurRequest | { readonly skip: string }>> = {
  'swap.createOrder.limit.GTC': () => place({}),
  'swap.createOrder.limit.IOC': () => place({ timeInForce: 'IOC' }),
  'swap.createOrder.limit.FOK': () => ({ skip: account.refuses(ticket({ timeInForce: 'FOK' }))! }),
  'swap.createOrder.limit.postOnly': () => place({ postOnly: true }),
  'swap.createOrder.market.sell': () => place({ type: 'market', side: 'sell' }),
  'swap.createOrder.limit.reduceOnly': () => place({ side: 'sell', reduceOnly: true }),
  'swap.cancelOrder': () => callOf(rest.cancel(known, context)),
  'swap.cancelAllOrders': () => callOf(rest.cancelAll([perpetual], context)[0]!),
  'swap.cancelAllOrdersAfter.10s': () =>
    account.deadMan.kind === 'timer'
      ? callOf(account.deadMan.arm(10_000, [perpetual], context)[0]!)
      : { skip: 'no timer' },
  'swap.fetchBalance': () => callOf(rest.balances(context)),
  'swap.fetchOpenOrders': () => callOf(rest.openOrders([perpetual], context)[0]!),
  'swap.fetchPositions': () => callOf(rest.positions!(context)),
  'swap.ws.watchOrders(auth)': () => ({ kind: 'frame', frame: sockets[0]!.login(context, '')[0]! }),
};

export const signing: SigningTable = {
  exchanges: ['krakenfutures'],
  instruments: [perpetual],
  context,
  ours: (recorded) => OURS[recorded.call]?.(recorded) ?? { skip: 'a public request, not signed' },
  differences: [
    {
      call: /limit[.]IOC/,
      fields: ['orderType', 'authent'],
      reason: 'a known defect: the client sends an immediate order as one that rests',
    },
    {
      call: /cancelAllOrdersAfter/,
      fields: ['type', 'symbol', 'authent'],
      reason: 'the timer is the account’s: the endpoint knows no contract, and no other fields than the timeout',
    },
  ],
  resign: (recorded) => {
    const signature = recorded.headers?.['Authent'] ?? '';
    const [path = '', query = ''] = recorded.url.replace(/^https:\/\/[^/]+\/derivatives/, '').split('?');
    const secret = Buffer.from(context.credentials.secret, 'base64');
    const again = hmac('sha512', secret, hash('sha256', query + path), 'base64');
    return { recorded: signature, ours: signature === '' ? '' : again };
  },
};
