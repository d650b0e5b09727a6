import { Decimal } from 'decimal.js';
import { BadInput } from '#shared/assert.ts';
import type { Account } from '../accounts.ts';
import type { Exchange, Order, Refusal, Trade } from '../exchange.ts';
import { averageOf, limitOf } from '../exchange.ts';
import type { Listing } from '../listings.ts';
import { priceOf, qtyOf } from '../listings.ts';

type Fields = ReadonlyMap<string, string>;

/** The answer to one order of a request: `sCode` "0" when it was taken. */
export type OkxAck = Readonly<Record<'ordId' | 'clOrdId' | 'tag' | 'ts' | 'sCode' | 'sMsg', string>>;

export const INSTRUMENT_CODE_FIRST = 10_000;

/** 19 digits, beyond what a double holds, as OKX's are. */
export const orderIdText = (id: number): string => `9${String(id).padStart(18, '0')}`;
const orderIdFrom = (text: string): number => (/^9\d{18}$/.test(text) ? Number(text.slice(1)) : -1);

/** Places one order of a request. Refusals are answers here, item by item. */
export function placeItem(exchange: Exchange, listing: Listing | undefined, account: Account, fields: Fields): OkxAck {
  const nowMs = exchange.nowMs();
  const clOrdId = fields.get('clOrdId') ?? '';
  const refuse = (sCode: string, sMsg: string): OkxAck => ({ ...ackOf(undefined, nowMs), clOrdId, sCode, sMsg });
  if (listing === undefined) return refuse('51001', "Instrument ID, Instrument ID code, or Spread ID doesn't exist.");
  const side = fields.get('side');
  const ordType = fields.get('ordType') ?? '';
  const kind = ORDER_TYPES[ordType];
  if (side !== 'buy' && side !== 'sell') return refuse('51000', 'Parameter side error');
  if (kind === undefined) return refuse('51000', 'Parameter ordType error');
  if (!/^[A-Za-z0-9]{0,32}$/.test(clOrdId)) return refuse('51000', 'Parameter clOrdId error');
  const market = kind.type === 'market';
  const byQuote =
    market &&
    !listing.perpetual &&
    (fields.get('tgtCcy') ?? (side === 'buy' ? 'quote_ccy' : 'base_ccy')) === 'quote_ccy';
  try {
    const placed = exchange.place({
      account,
      listing,
      side,
      ...kind,
      clientOrderId: clOrdId === '' ? undefined : clOrdId,
      price: market ? undefined : fields.get('px'),
      qty: fields.get('sz') ?? '0',
      qtyIn: byQuote ? 'quote' : 'base',
    });
    if (placed.kind === 'placed') return { ...ackOf(placed.order, nowMs), clOrdId };
    return refuse(...REFUSALS[placed.reason]);
  } catch (error) {
    if (error instanceof BadInput) return refuse('51000', 'Parameter px or sz error');
    throw error;
  }
}

export function cancelItem(exchange: Exchange, account: Account, fields: Fields): OkxAck {
  const nowMs = exchange.nowMs();
  const order = findOrder(exchange, account, fields);
  if (order !== undefined && exchange.cancel(order)) return ackOf(order, nowMs);
  return {
    ...ackOf(undefined, nowMs),
    ordId: fields.get('ordId') ?? '',
    clOrdId: fields.get('clOrdId') ?? '',
    sCode: '51400',
    sMsg: 'Cancellation failed as the order has been filled, canceled or does not exist.',
  };
}

export function findOrder(exchange: Exchange, account: Account, fields: Fields): Order | undefined {
  const id = fields.get('ordId');
  return exchange.find(account, {
    id: id === undefined || id === '' ? undefined : orderIdFrom(id),
    clientOrderId: fields.get('clOrdId'),
  });
}

/** An order as REST and the `orders` channel show it; `trade` is the fill that the channel reports. */
export function describeOrder(order: Order, trade?: Trade): Record<string, string> {
  const { listing } = order;
  const last = trade ?? order.trades.at(-1);
  const feeAsset = last?.feeAsset ?? '';
  const fee = order.trades.reduce((sum, each) => sum.plus(each.fee), new Decimal(0));
  return {
    instType: listing.perpetual ? 'SWAP' : 'SPOT',
    instId: listing.venueSymbol,
    instIdCode: String(INSTRUMENT_CODE_FIRST + listing.index),
    ccy: '',
    ordId: orderIdText(order.id),
    clOrdId: order.clientOrderId,
    tag: '',
    px: order.type === 'market' ? '' : limitOf(order).toFixed(),
    sz: qtyOf(listing, order.qty).toFixed(),
    ordType: orderTypeOf(order),
    side: order.side,
    posSide: 'net',
    tdMode: listing.perpetual ? 'cross' : 'cash',
    tgtCcy: order.type === 'market' && !listing.perpetual ? 'base_ccy' : '',
    accFillSz: qtyOf(listing, order.filled).toFixed(),
    fillPx: last === undefined ? '' : priceOf(listing, last.price).toFixed(),
    fillSz: last === undefined ? '0' : qtyOf(listing, last.lots).toFixed(),
    fillTime: last === undefined ? '' : String(last.timeMs),
    tradeId: last === undefined ? '' : String(last.id),
    avgPx: order.filled === 0 ? '' : averageOf(order).toDecimalPlaces(12).toFixed(),
    state: stateOf(order),
    feeCcy: feeAsset,
    fee: fee.negated().toFixed(),
    rebateCcy: '',
    rebate: '0',
    pnl: (last?.realised ?? new Decimal(0)).toFixed(),
    lever: listing.perpetual ? '10' : '',
    category: 'normal',
    reduceOnly: 'false',
    cTime: String(order.createdMs),
    uTime: String(order.updatedMs),
    ...(trade === undefined
      ? {}
      : {
          fillFee: trade.fee.negated().toFixed(),
          fillFeeCcy: trade.feeAsset,
          execType: trade.liquidity === 'taker' ? 'T' : 'M',
        }),
  };
}

/** A line of `/trade/fills`. */
export function describeFill(trade: Trade): Record<string, string> {
  const { order } = trade;
  return {
    instType: order.listing.perpetual ? 'SWAP' : 'SPOT',
    instId: order.listing.venueSymbol,
    tradeId: String(trade.id),
    ordId: orderIdText(order.id),
    clOrdId: order.clientOrderId,
    billId: String(trade.id),
    tag: '',
    fillPx: priceOf(order.listing, trade.price).toFixed(),
    fillSz: qtyOf(order.listing, trade.lots).toFixed(),
    side: order.side,
    posSide: 'net',
    execType: trade.liquidity === 'taker' ? 'T' : 'M',
    feeCcy: trade.feeAsset,
    fee: trade.fee.negated().toFixed(),
    fillPnl: trade.realised.toFixed(),
    ts: String(trade.timeMs),
    fillTime: String(trade.timeMs),
  };
}

const ackOf = (order: Order | undefined, nowMs: number): OkxAck => ({
  ordId: order === undefined ? '' : orderIdText(order.id),
  clOrdId: order?.clientOrderId ?? '',
  tag: '',
  ts: String(nowMs),
  sCode: '0',
  sMsg: '',
});

function stateOf({ status, filled }: Order): string {
  switch (status) {
    case 'open':
      return filled > 0 ? 'partially_filled' : 'live';
    case 'filled':
      return 'filled';
    case 'canceled':
    case 'expired':
      return 'canceled';
  }
}

const orderTypeOf = ({ type, postOnly, timeInForce }: Order): string =>
  type === 'market' ? 'market' : postOnly ? 'post_only' : timeInForce === 'GTC' ? 'limit' : timeInForce.toLowerCase();

type OrderKind = {
  readonly type: 'limit' | 'market';
  readonly timeInForce: 'GTC' | 'IOC' | 'FOK';
  readonly postOnly: boolean;
};
const ORDER_TYPES: Readonly<Record<string, OrderKind>> = {
  limit: { type: 'limit', timeInForce: 'GTC', postOnly: false },
  market: { type: 'market', timeInForce: 'IOC', postOnly: false },
  post_only: { type: 'limit', timeInForce: 'GTC', postOnly: true },
  ioc: { type: 'limit', timeInForce: 'IOC', postOnly: false },
  fok: { type: 'limit', timeInForce: 'FOK', postOnly: false },
};

const REFUSALS: Readonly<Record<Refusal, readonly [sCode: string, sMsg: string]>> = {
  'price-off-grid': ['51000', 'Parameter px error'],
  'qty-off-grid': ['51121', 'Order quantity must be a multiple of the lot size.'],
  'below-min-qty': ['51020', 'Your order should meet or exceed the minimum order amount.'],
  'below-min-notional': ['51020', 'Your order should meet or exceed the minimum order amount.'],
  'insufficient-funds': ['51008', 'Order failed. Insufficient balance in account.'],
  'duplicate-id': ['51016', 'Client order ID already exists.'],
  'would-take': ['51000', 'Parameter ordType error'],
  'no-liquidity': ['51006', 'Order price is not within the price limit.'],
  'too-many-orders': ['50011', 'Rate limit reached.'],
  'reduce-only': [
    '51169',
    "Order failed because you don't have any positions in this direction for this contract to reduce or close.",
  ],
  'told-to': ['51155', "You can't trade this pair or borrow this crypto due to local laws and regulations."],
};
