import { BadInput } from '#shared/assert.ts';
import type { Account } from '../accounts.ts';
import type { Exchange, Order, OrderDraft, Refusal, Trade } from '../exchange.ts';
import { averageOf, limitOf } from '../exchange.ts';
import type { Listing } from '../listings.ts';
import { valueOf } from '../listings.ts';
import { priceText, qtyText } from './binance-metadata.ts';

/** Binance's refusal of a request: an HTTP status and its own code. */
export class BinanceError extends Error {
  override readonly name = 'BinanceError';
  readonly status: number;
  readonly code: number;

  constructor(code: number, text: string, status = 400) {
    super(text);
    this.code = code;
    this.status = status;
  }
}

type Fields = ReadonlyMap<string, string>;

/** The field, or -1102. */
export function required(fields: Fields, name: string): string {
  const value = fields.get(name);
  if (value === undefined || value === '')
    throw new BinanceError(-1102, `Mandatory parameter '${name}' was not sent, was empty/null, or malformed.`);
  return value;
}

/** Reads, places and answers one `order.place`. @throws BinanceError */
export function placeOrder(exchange: Exchange, listing: Listing, account: Account, fields: Fields): unknown {
  const draft = draftOf(listing, account, fields);
  const placed = place(exchange, draft);
  return listing.market === 'spot' ? spotPlaced(placed, fields.get('newOrderRespType')) : futuresOrder(placed);
}

/** Finds by orderId or origClientOrderId. @throws BinanceError `code` when there is none. */
export function findOrder(
  exchange: Exchange,
  account: Account,
  fields: Fields,
  missing: { code: number; text: string },
): Order {
  const id = fields.get('orderId');
  const clientOrderId = fields.get('origClientOrderId');
  if (id === undefined && clientOrderId === undefined)
    throw new BinanceError(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!");
  const order = exchange.find(account, { id: id === undefined ? undefined : Number(id), clientOrderId });
  if (order === undefined || order.listing.venueSymbol !== fields.get('symbol'))
    throw new BinanceError(missing.code, missing.text);
  return order;
}

export const describeOrder = (order: Order): unknown =>
  order.listing.market === 'spot' ? spotOrder(order) : futuresOrder(order);

export const describeCancel = (order: Order): unknown =>
  order.listing.market === 'spot'
    ? { ...spotCore(order), origClientOrderId: order.clientOrderId, transactTime: order.updatedMs }
    : futuresOrder(order);

/** A line of `myTrades` or `userTrades`. */
export function describeTrade({ id, order, price, lots, fee, feeAsset, liquidity, realised, timeMs }: Trade): unknown {
  const { listing } = order;
  const common = {
    symbol: listing.venueSymbol,
    id,
    orderId: order.id,
    price: priceText(listing, price),
    qty: qtyText(listing, lots),
    commission: fee.toFixed(8),
    commissionAsset: feeAsset,
    time: timeMs,
  };
  const value = valueOf(listing, price, lots).toFixed(8);
  if (listing.market === 'spot')
    return {
      ...common,
      orderListId: -1,
      quoteQty: value,
      isBuyer: order.side === 'buy',
      isMaker: liquidity === 'maker',
      isBestMatch: true,
    };
  return {
    ...common,
    ...(listing.inverse ? { baseQty: value } : { quoteQty: value }),
    side: sideText(order),
    buyer: order.side === 'buy',
    maker: liquidity === 'maker',
    realizedPnl: realised.toFixed(8),
    positionSide: 'BOTH',
  };
}

/** `executionReport` (spot) or the `o` of `ORDER_TRADE_UPDATE` (futures). */
export function executionOf(
  order: Order,
  change: 'NEW' | 'CANCELED' | 'EXPIRED' | 'TRADE',
  trade: Trade | undefined,
): Record<string, unknown> {
  const { listing } = order;
  const common = {
    s: listing.venueSymbol,
    c: order.clientOrderId,
    S: sideText(order),
    o: typeText(order),
    f: timeInForceText(order),
    q: qtyText(listing, order.qty),
    p: priceText(listing, order.price),
    x: change,
    X: statusText(order),
    i: order.id,
    l: qtyText(listing, trade?.lots ?? 0),
    z: qtyText(listing, order.filled),
    L: priceText(listing, trade?.price ?? 0),
    n: trade?.fee.toFixed(8) ?? '0',
    N: trade?.feeAsset ?? null,
    T: order.updatedMs,
    t: trade?.id ?? (listing.market === 'spot' ? -1 : 0),
    m: trade?.liquidity === 'maker',
  };
  if (listing.market === 'spot') return { ...common, ...spotExecution(order, trade) };
  return {
    ...common,
    ap: averageOf(order).toDecimalPlaces(8).toFixed(),
    sp: '0',
    R: false,
    wt: 'CONTRACT_PRICE',
    ot: typeText(order),
    ps: 'BOTH',
    cp: false,
    rp: trade?.realised.toFixed(8) ?? '0',
    b: '0',
    a: '0',
  };
}

const spotExecution = (order: Order, trade: Trade | undefined): Record<string, unknown> => ({
  e: 'executionReport',
  E: order.updatedMs,
  P: '0.00000000',
  F: '0.00000000',
  g: -1,
  C: '',
  r: 'NONE',
  I: order.id * 2,
  w: order.status === 'open',
  M: false,
  O: order.createdMs,
  Z: order.cost.toFixed(8),
  Y: trade === undefined ? '0.00000000' : valueOf(order.listing, trade.price, trade.lots).toFixed(8),
  Q: '0.00000000',
  W: order.createdMs,
  V: 'NONE',
});

/** Free and locked of every asset of the market's wallet. */
export const walletRows = (
  account: Account,
  market: string,
): readonly { asset: string; free: string; locked: string; total: string }[] => {
  const wallet = market;
  return account.assets(wallet).map((asset) => {
    const { total, held } = account.balance(wallet, asset);
    const free = market === 'spot' ? total.minus(held) : account.available(wallet, asset);
    return { asset, free: free.toFixed(8), locked: held.toFixed(8), total: total.toFixed(8) };
  });
};

function place(exchange: Exchange, draft: OrderDraft): Order {
  const futures = draft.listing.market !== 'spot';
  try {
    const placed = exchange.place(draft);
    if (placed.kind === 'placed') return placed.order;
    const [code, text] = refusalOf(placed.reason, futures);
    throw new BinanceError(code, text);
  } catch (error) {
    if (error instanceof BadInput) throw new BinanceError(-1100, 'Illegal characters found in a parameter.');
    throw error;
  }
}

function draftOf(listing: Listing, account: Account, fields: Fields): OrderDraft {
  const side = required(fields, 'side');
  if (side !== 'BUY' && side !== 'SELL') throw new BinanceError(-1117, 'Invalid side.');
  const type = required(fields, 'type');
  const spot = listing.market === 'spot';
  if (type !== 'LIMIT' && type !== 'MARKET' && !(spot && type === 'LIMIT_MAKER'))
    throw new BinanceError(-1116, 'Invalid orderType.');
  const timeInForce = type === 'LIMIT' ? required(fields, 'timeInForce') : type === 'MARKET' ? 'IOC' : 'GTC';
  const postOnly = type === 'LIMIT_MAKER' || (!spot && timeInForce === 'GTX');
  if (!postOnly && timeInForce !== 'GTC' && timeInForce !== 'IOC' && timeInForce !== 'FOK')
    throw new BinanceError(-1115, 'Invalid timeInForce.');
  const byQuote = spot && type === 'MARKET' && fields.get('quantity') === undefined;
  const clientOrderId = fields.get('newClientOrderId');
  if (clientOrderId !== undefined && !/^[.A-Z:/a-z0-9_-]{1,36}$/.test(clientOrderId))
    throw new BinanceError(-1100, "Illegal characters found in parameter 'newClientOrderId'.");
  return {
    account,
    listing,
    clientOrderId,
    side: side === 'BUY' ? 'buy' : 'sell',
    type: type === 'MARKET' ? 'market' : 'limit',
    timeInForce: timeInForce === 'IOC' || timeInForce === 'FOK' ? timeInForce : 'GTC',
    postOnly,
    price: type === 'MARKET' ? undefined : required(fields, 'price'),
    qty: byQuote ? required(fields, 'quoteOrderQty') : required(fields, 'quantity'),
    qtyIn: byQuote ? 'quote' : 'base',
  };
}

function refusalOf(reason: Refusal, futures: boolean): readonly [code: number, text: string] {
  switch (reason) {
    case 'price-off-grid':
      return futures ? [-4014, 'Price not increased by tick size.'] : [-1013, 'Filter failure: PRICE_FILTER'];
    case 'qty-off-grid':
      return futures
        ? [-1111, 'Precision is over the maximum defined for this asset.']
        : [-1013, 'Filter failure: LOT_SIZE'];
    case 'below-min-qty':
      return futures ? [-4003, 'Quantity less than or equal to zero.'] : [-1013, 'Filter failure: LOT_SIZE'];
    case 'below-min-notional':
      return futures ? [-4164, "Order's notional must be no smaller than 50."] : [-1013, 'Filter failure: NOTIONAL'];
    case 'insufficient-funds':
      return futures
        ? [-2019, 'Margin is insufficient.']
        : [-2010, 'Account has insufficient balance for requested action.'];
    case 'duplicate-id':
      return futures ? [-4116, 'ClientOrderId is duplicated.'] : [-2010, 'Duplicate order sent.'];
    case 'would-take':
      return futures
        ? [-5022, 'Due to the order could not be executed as maker, the Post Only order will be rejected.']
        : [-2010, 'Order would immediately match and take.'];
    case 'no-liquidity':
      return [-1013, 'Filter failure: MARKET_LOT_SIZE'];
    case 'too-many-orders':
      return [-1015, 'Too many new orders; current limit is 2000 orders.'];
    case 'reduce-only':
      return [-2022, 'ReduceOnly Order is rejected.'];
    case 'told-to':
      return [-2010, 'This action is disabled on this account.'];
  }
}

const sideText = ({ side }: Order): string => (side === 'buy' ? 'BUY' : 'SELL');
const typeText = ({ type, postOnly, listing }: Order): string =>
  type === 'market' ? 'MARKET' : postOnly && listing.market === 'spot' ? 'LIMIT_MAKER' : 'LIMIT';
const timeInForceText = ({ timeInForce, postOnly, listing, type }: Order): string =>
  postOnly && listing.market !== 'spot' ? 'GTX' : type === 'market' ? 'GTC' : timeInForce;

function statusText({ status, filled }: Order): string {
  switch (status) {
    case 'open':
      return filled > 0 ? 'PARTIALLY_FILLED' : 'NEW';
    case 'filled':
      return 'FILLED';
    case 'canceled':
      return 'CANCELED';
    case 'expired':
      return 'EXPIRED';
  }
}

const spotCore = (order: Order): Record<string, unknown> => ({
  symbol: order.listing.venueSymbol,
  orderId: order.id,
  orderListId: -1,
  clientOrderId: order.clientOrderId,
  price: priceText(order.listing, order.price),
  origQty: qtyText(order.listing, order.qty),
  executedQty: qtyText(order.listing, order.filled),
  origQuoteOrderQty: '0.00000000',
  cummulativeQuoteQty: order.cost.toFixed(8),
  status: statusText(order),
  timeInForce: timeInForceText(order),
  type: typeText(order),
  side: sideText(order),
  selfTradePreventionMode: 'NONE',
});

const spotOrder = (order: Order): unknown => ({
  ...spotCore(order),
  stopPrice: '0.00000000',
  icebergQty: '0.00000000',
  time: order.createdMs,
  updateTime: order.updatedMs,
  isWorking: true,
  workingTime: order.createdMs,
});

function spotPlaced(order: Order, wanted: string | undefined): unknown {
  const { listing, trades } = order;
  // FULL is Binance's default for LIMIT and MARKET, ACK for the rest.
  const kind = wanted ?? (order.postOnly ? 'ACK' : 'FULL');
  if (kind === 'ACK') return ackOf(order);
  const result = { ...spotCore(order), transactTime: order.updatedMs, workingTime: order.createdMs };
  if (kind === 'RESULT') return result;
  return {
    ...result,
    fills: trades.map((trade) => ({
      price: priceText(listing, trade.price),
      qty: qtyText(listing, trade.lots),
      commission: trade.fee.toFixed(8),
      commissionAsset: trade.feeAsset,
      tradeId: trade.id,
    })),
  };
}

const ackOf = (order: Order): unknown => ({
  symbol: order.listing.venueSymbol,
  orderId: order.id,
  orderListId: -1,
  clientOrderId: order.clientOrderId,
  transactTime: order.createdMs,
});

const futuresOrder = (order: Order): unknown => ({
  orderId: order.id,
  symbol: order.listing.venueSymbol,
  ...(order.listing.inverse ? { pair: `${order.listing.base}${order.listing.quote}` } : {}),
  status: statusText(order),
  clientOrderId: order.clientOrderId,
  price: limitOf(order).toFixed(),
  avgPrice: averageOf(order).toDecimalPlaces(8).toFixed(),
  origQty: qtyText(order.listing, order.qty),
  executedQty: qtyText(order.listing, order.filled),
  cumQty: qtyText(order.listing, order.filled),
  ...(order.listing.inverse ? { cumBase: order.cost.toFixed() } : { cumQuote: order.cost.toFixed() }),
  timeInForce: timeInForceText(order),
  type: typeText(order),
  reduceOnly: false,
  closePosition: false,
  side: sideText(order),
  positionSide: 'BOTH',
  stopPrice: '0',
  workingType: 'CONTRACT_PRICE',
  priceProtect: false,
  origType: typeText(order),
  time: order.createdMs,
  updateTime: order.updatedMs,
});
