import { Decimal } from 'decimal.js';
import { BadInput } from '#shared/assert.ts';
import type { Account } from '../accounts.ts';
import type { Exchange, Order, OrderChange, Placed, Refusal, Trade } from '../exchange.ts';
import { averageOf, limitOf } from '../exchange.ts';
import type { Listing } from '../listings.ts';
import { priceOf, qtyOf, valueOf } from '../listings.ts';
import { isoText } from './kraken-feed.ts';

/** What REST and WebSocket orders have in common once their fields have been named alike. */
export type KrakenOrder = {
  readonly listing: Listing;
  readonly account: Account;
  readonly side: string | undefined;
  readonly orderType: string | undefined;
  readonly timeInForce: string;
  readonly postOnly: boolean;
  readonly price: string | undefined;
  readonly qty: string;
  readonly qtyIn: 'base' | 'quote';
  readonly clientOrderId: string | undefined;
};

/** Kraken's refusal: `EOrder:Insufficient funds`. */
export class KrakenError extends Error {
  override readonly name = 'KrakenError';
}

/** @throws KrakenError */
export function placeOrder(exchange: Exchange, wanted: KrakenOrder): Order {
  const { side, orderType } = wanted;
  const timeInForce = TIMES_IN_FORCE[wanted.timeInForce.toUpperCase()];
  if (side !== 'buy' && side !== 'sell') throw new KrakenError('EGeneral:Invalid arguments:type');
  if (orderType !== 'limit' && orderType !== 'market') throw new KrakenError('EGeneral:Invalid arguments:ordertype');
  if (timeInForce === undefined) throw new KrakenError('EGeneral:Invalid arguments:timeinforce');
  if (wanted.clientOrderId !== undefined && !CLIENT_ID.test(wanted.clientOrderId))
    throw new KrakenError('EGeneral:Invalid arguments:cl_ord_id');
  const placed = attempt(exchange, {
    account: wanted.account,
    listing: wanted.listing,
    side,
    type: orderType,
    postOnly: wanted.postOnly,
    qty: wanted.qty,
    timeInForce: orderType === 'market' ? 'IOC' : timeInForce,
    clientOrderId: wanted.clientOrderId,
    price: orderType === 'market' ? undefined : wanted.price,
    qtyIn: wanted.qtyIn,
  });
  if (placed.kind === 'refused') throw new KrakenError(REFUSALS[placed.reason]);
  return placed.order;
}

/** `OABCDE-FGHIJ-KLMNOP`: an order's (O) or a trade's (T) number in base 36. */
export function txidOf(kind: 'O' | 'T', id: number): string {
  const digits = id.toString(36).toUpperCase().padStart(16, '0');
  return `${kind}${digits.slice(0, 5)}-${digits.slice(5, 10)}-${digits.slice(10)}`;
}
export const orderIdFrom = (txid: string): number =>
  /^O[0-9A-Z]{5}-[0-9A-Z]{5}-[0-9A-Z]{6}$/.test(txid) ? Number.parseInt(txid.slice(1).replaceAll('-', ''), 36) : -1;

/** An order as QueryOrders, OpenOrders and ClosedOrders show it. */
export function describeOrder(order: Order): Record<string, unknown> {
  const { listing } = order;
  const ended = order.status !== 'open';
  return {
    refid: null,
    userref: 0,
    cl_ord_id: order.clientOrderId,
    status: REST_STATUS[order.status],
    opentm: order.createdMs / 1_000,
    starttm: 0,
    expiretm: 0,
    ...(ended ? { closetm: order.updatedMs / 1_000, reason: null } : {}),
    descr: {
      pair: altNameOf(listing),
      type: order.side,
      ordertype: order.type,
      price: limitOf(order).toFixed(),
      price2: '0',
      leverage: 'none',
      order: orderText(order),
      close: '',
    },
    vol: qtyOf(listing, order.qty).toFixed(8),
    vol_exec: qtyOf(listing, order.filled).toFixed(8),
    cost: order.cost.toFixed(),
    fee: feesOf(order).toFixed(),
    price: averageOf(order).toDecimalPlaces(12).toFixed(),
    stopprice: '0.00000',
    limitprice: '0.00000',
    misc: '',
    oflags: order.postOnly ? 'fciq,post' : 'fciq',
    trades: order.trades.map(({ id }) => txidOf('T', id)),
  };
}

export const orderText = (order: Order): string => {
  const qty = qtyOf(order.listing, order.qty).toFixed(8);
  const price = order.type === 'limit' ? ` ${limitOf(order).toFixed()}` : '';
  return `${order.side} ${qty} ${altNameOf(order.listing)} @ ${order.type}${price}`;
};

/** A line of TradesHistory. */
export const describeTrade = ({ id, order, price, lots, fee, liquidity, timeMs }: Trade): Record<string, unknown> => ({
  ordertxid: txidOf('O', order.id),
  pair: order.listing.venueSymbol,
  time: timeMs / 1_000,
  type: order.side,
  ordertype: order.type,
  price: priceOf(order.listing, price).toFixed(),
  cost: valueOf(order.listing, price, lots).toFixed(),
  fee: fee.toFixed(),
  vol: qtyOf(order.listing, lots).toFixed(8),
  margin: '0.00000',
  misc: '',
  trade_id: id,
  maker: liquidity === 'maker',
});

/** One report of the `executions` channel. */
export function executionOf(
  order: Order,
  kind: OrderChange['kind'] | 'filled',
  trade: Trade | undefined,
): Record<string, unknown> {
  const { listing } = order;
  return {
    order_id: txidOf('O', order.id),
    cl_ord_id: order.clientOrderId,
    symbol: listing.symbol,
    side: order.side,
    order_type: order.type,
    order_qty: qtyOf(listing, order.qty).toNumber(),
    ...(order.type === 'limit' ? { limit_price: limitOf(order).toNumber() } : {}),
    time_in_force: order.timeInForce.toLowerCase(),
    post_only: order.postOnly,
    exec_type: kind,
    order_status: statusOf(order),
    cum_qty: qtyOf(listing, order.filled).toNumber(),
    cum_cost: order.cost.toNumber(),
    avg_price: averageOf(order).toDecimalPlaces(12).toNumber(),
    fee_usd_equiv: feesOf(order).toNumber(),
    timestamp: isoText(order.updatedMs),
    ...(trade === undefined ? {} : tradeFields(trade)),
  };
}

const tradeFields = ({ id, order, price, lots, fee, feeAsset, liquidity }: Trade): Record<string, unknown> => ({
  exec_id: txidOf('T', id),
  trade_id: id,
  last_qty: qtyOf(order.listing, lots).toNumber(),
  last_price: priceOf(order.listing, price).toNumber(),
  cost: valueOf(order.listing, price, lots).toNumber(),
  liquidity_ind: liquidity === 'taker' ? 't' : 'm',
  fees: [{ asset: feeAsset, qty: fee.toNumber() }],
});

/** `XBTUSDT`, `XBTUSD`. */
export const altNameOf = ({ base, quote }: Listing): string =>
  krakenAltName(krakenAsset(base)) + krakenAltName(krakenAsset(quote));

const feesOf = ({ trades }: Order): Decimal => trades.reduce((sum, { fee }) => sum.plus(fee), new Decimal(0));

function attempt(exchange: Exchange, draft: Parameters<Exchange['place']>[0]): Placed {
  try {
    return exchange.place(draft);
  } catch (error) {
    if (error instanceof BadInput) throw new KrakenError('EGeneral:Invalid arguments:volume');
    throw error;
  }
}

function statusOf({ status, filled }: Order): string {
  if (status === 'open') return filled > 0 ? 'partially_filled' : 'new';
  return status;
}

const REST_STATUS = { open: 'open', filled: 'closed', canceled: 'canceled', expired: 'expired' } as const;
const TIMES_IN_FORCE: Readonly<Record<string, 'GTC' | 'IOC' | 'FOK'>> = { GTC: 'GTC', IOC: 'IOC', FOK: 'FOK' };
/** A UUID, or up to 18 characters. */
const CLIENT_ID = /^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}|[\x21-\x7e]{1,18})$/i;

const REFUSALS: Readonly<Record<Refusal, string>> = {
  'price-off-grid': 'EOrder:Invalid price',
  'qty-off-grid': 'EGeneral:Invalid arguments:volume',
  'below-min-qty': 'EOrder:Order minimum not met',
  'below-min-notional': 'EOrder:Cost minimum not met',
  'insufficient-funds': 'EOrder:Insufficient funds',
  'duplicate-id': 'EGeneral:Invalid arguments:cl_ord_id is in use',
  'would-take': 'EOrder:Post only order',
  'no-liquidity': 'EService:Market in limit_only mode',
  'too-many-orders': 'EOrder:Orders limit exceeded',
  'reduce-only': 'EOrder:Reduce only:No position exists',
  'told-to': 'EAccount:Invalid permissions',
};

/** Kraken's REST spells old assets with X and Z (XXBTZUSD); against USDT and USDC it does not (XBTUSDT). */
export function restSymbol(base: string, quote: string): string {
  const names: readonly [string, string] = [krakenAsset(base), krakenAsset(quote)];
  const old = names.every((name) => /^[XZ].{3}$/.test(name));
  return old ? names.join('') : names.map(krakenAltName).join('');
}

/** Kraken's own asset codes: `XXBT`, `ZUSD`; newer assets are spelled as everywhere. */
export const krakenAsset = (asset: string): string => ASSETS[asset] ?? asset;
/** `XXBT` → `XBT`. */
export const krakenAltName = (name: string): string => (/^[XZ].{3}$/.test(name) ? name.slice(1) : name);

const ASSETS: Readonly<Record<string, string>> = { BTC: 'XXBT', ETH: 'XETH', XRP: 'XXRP', LTC: 'XLTC', USD: 'ZUSD' };
