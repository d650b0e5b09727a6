import { Decimal } from 'decimal.js';
import type { OperationBond } from '#hotpath/execute/operation.ts';
import { Operation } from '#hotpath/execute/operation.ts';
import type { Level } from '#hotpath/recover/book-walk.ts';
import type { RecoveryMarket } from '#hotpath/recover/candidate.ts';
import { elsewhereFrom } from '#hotpath/recover/elsewhere.ts';
import type { Asset, ClientOrderId, InstrumentId, OperationId, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { OperationView, RecoveryOrder } from '#shared/domain/recovery.ts';
import type { Side } from '#shared/domain/route.ts';
import { feeOfTrade } from '#shared/money/fee.ts';
import type { Price, Qty } from '#shared/money/grid.ts';
import { lotQty, ZERO } from '#shared/money/grid.ts';
import { needOf } from '#shared/money/margin.ts';
import { fillFactsOf, pnlOfFill } from '#shared/money/pnl.ts';
import { spot } from '../execute/trading.ts';

const text = (value: Decimal.Value): Decimal => new Decimal(value);

function perpetual(venue: string, symbol: string, contractSize: string, fee: string): Instrument {
  const [base, rest] = symbol.split('/') as [string, string];
  const [quote, settle] = rest.split(':') as [Asset, Asset];
  return {
    ...spot(venue, `${base}/${quote}`, 'settle', { fee, tick: '0.1', lot: '1', minQty: '1', minNotional: '0' }),
    id: `${venue}:${symbol}` as InstrumentId,
    symbol,
    kind: 'perpetual',
    settle,
    contractSize: text(contractSize),
  };
}

/** Three venues of coins (a takes fees from what is received, the others from the quote), two of perpetuals. */
export const A_BTC = spot('a', 'BTC/USDT', 'received');
export const B_BTC = spot('b', 'BTC/USDT', 'quote', { fee: '0.0016' });
export const C_BTC = spot('c', 'BTC/USDT', 'quote', { fee: '0.0012', minNotional: '10' });
export const C_USD = spot('c', 'BTC/USD', 'quote', { fee: '0.0001' });
export const A_ETH = spot('a', 'ETH/USDT', 'received');
export const B_ETH = spot('b', 'ETH/USDT', 'quote', { fee: '0.0016' });
export const C_ETH = spot('c', 'ETH/USDT', 'quote', { fee: '0.0012' });
export const A_ETH_BTC = spot('a', 'ETH/BTC', 'received', { tick: '0.00001', minNotional: '0.0001' });
export const B_ETH_BTC = spot('b', 'ETH/BTC', 'quote', { fee: '0.0016', tick: '0.00001', minNotional: '0.0001' });
export const C_ETH_BTC = spot('c', 'ETH/BTC', 'quote', { fee: '0.0012', tick: '0.00001', minNotional: '0.0001' });
export const P_BTC = perpetual('p', 'BTC/USDT:USDT', '0.01', '0.0005');
export const Q_BTC = perpetual('q', 'BTC/USDT:USDT', '0.001', '0.0002');
export const P_ETH = perpetual('p', 'ETH/USDT:USDT', '0.1', '0.0005');
export const LISTED = [
  ...[A_BTC, B_BTC, C_BTC, C_USD, A_ETH, B_ETH, C_ETH, A_ETH_BTC, B_ETH_BTC, C_ETH_BTC],
  ...[P_BTC, Q_BTC, P_ETH],
];

export const RATES = { BTC: text(50_000), ETH: text(2_500), USDT: text(1) };
export const fairOf = ({ base, quote }: Instrument): Decimal =>
  RATES[base as 'BTC'].div(quote === 'BTC' ? RATES.BTC : RATES.USDT);

/** How the books and accounts stand; absent is calm: one deep level at the fair price, money everywhere. */
export type Weather = {
  /** Basis points that an instrument's book is away from the fair price. */
  readonly moves?: ReadonlyMap<Instrument, number>;
  /** Books that are not live. */
  readonly away?: readonly Instrument[];
  /** Base units a level. */
  readonly depthOf?: (on: Instrument) => Decimal.Value;
  readonly free?: (on: Instrument, asset: string) => Decimal.Value;
  readonly equalAssets?: Readonly<Record<string, string>>;
  readonly rebalanceCostBps?: Readonly<Record<string, number>>;
  readonly carry?: Decimal.Value;
};

const RULES = { fraction: text('0.2'), underlyingOf: () => undefined };

export function marketOf(weather: Weather = {}): RecoveryMarket {
  const { moves, away = [], depthOf, free, equalAssets = {}, rebalanceCostBps = {} } = weather;
  return {
    levels: (on, side) => {
      if (away.includes(on)) return [];
      const sign = side === 'buy' ? 1 : -1;
      return [1, 2].map((step): Level => {
        const price = fairOf(on).times(1 + ((moves?.get(on) ?? 0) + sign * step) / 10_000);
        return { price: price.div(on.tick).round().times(on.tick), qty: text(depthOf?.(on) ?? 1e6) };
      });
    },
    freeOf: (on, asset) => text(free?.(on, asset) ?? 1e9),
    needOf: (on, order) => needOf(order, on, ZERO, RULES),
    underlyingOf: () => ZERO,
    carryOf: () => text(weather.carry ?? 0),
    ...elsewhereFrom(LISTED, { equalAssets, rebalanceCostBps }),
  };
}

export type Shape = readonly [on: Instrument, side: Side, qty: Decimal.Value, filled: Decimal.Value];

/** An operation as the executor counts it, after its legs' own orders. */
export class Recovering {
  readonly #operation: Operation;
  #orders = 0;

  constructor(shapes: readonly Shape[], bond?: OperationBond, rates: OperationView['rates'] = RATES) {
    const legs = shapes.map(([instrument, side, qty]) => {
      const price = fairOf(instrument) as Price;
      return { instrument, side, qty: text(qty) as Qty, price, expectedPrice: price };
    });
    const facts = { id: 'op', opportunity: 'o', route: 'r', type: 'spatial', notional: '1', expected_profit: '0' };
    this.#operation = new Operation(1, { ...facts, rates: {}, legs: [] }, legs, {
      state: 'recovering',
      rates,
      ...(bond === undefined ? {} : { bond }),
      dustTold: new Map(),
      startedNs: 0 as TimeNs,
    });
    for (const [leg, [on, side, , filled]] of shapes.entries()) {
      if (text(filled).isZero()) continue;
      this.fill({ leg, purpose: 'leg', instrument: on.id, side, qty: text(filled) as Qty, price: fairOf(on) as Price });
    }
  }

  view(more: Partial<OperationView> = {}): OperationView {
    return { ...this.#operation.view(0 as TimeNs), ...more };
  }

  /** Fills an order at its limit, or at a better price, fee and all. */
  fill(
    order: Omit<RecoveryOrder, 'purpose'> & { readonly purpose: RecoveryOrder['purpose'] | 'leg' },
    { qty = order.qty, price = order.price }: { readonly qty?: Decimal; readonly price?: Decimal } = {},
  ): void {
    const instrument = LISTED.find(({ id }) => id === order.instrument)!;
    const id = `o${(this.#orders += 1)}` as ClientOrderId;
    const attempt = this.#operation.attemptOf(order.leg);
    const request = { ...order, clientOrderId: id, operation: 'op' as OperationId, attempt } as const;
    const kept = this.#operation.addOrder({ ...request, type: 'limit', timeInForce: 'IOC' }, instrument, 'filled');
    const trade = { side: order.side, price, qty };
    const fee = feeOfTrade(instrument, { ...trade, rate: instrument.fees.taker, underlying: ZERO });
    const fill = { ...trade, ...fee };
    this.#operation.addFill(kept, fill, pnlOfFill(fillFactsOf(fill, instrument), this.#operation.rates));
  }

  /** Takes an order to the books, or a share of it. */
  take(order: RecoveryOrder, market: RecoveryMarket, share = 1): void {
    const instrument = LISTED.find(({ id }) => id === order.instrument)!;
    const part = lotQty(order.qty.times(share), instrument.lot);
    let left: Decimal = part.isZero() ? order.qty : part;
    for (const level of market.levels(instrument, order.side)) {
      const qty = lotQty(Decimal.min(left, level.qty), instrument.lot);
      const isMarketable = order.side === 'buy' ? level.price.lte(order.price) : level.price.gte(order.price);
      if (qty.isZero() || !isMarketable) continue;
      this.fill(order, { qty, price: level.price });
      left = left.minus(qty);
    }
  }
}
