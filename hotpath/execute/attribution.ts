import { Decimal } from 'decimal.js';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Side } from '#shared/domain/route.ts';
import { compare, lesser, minus, negated, plus, times } from '#shared/money/exact.ts';
import { textOf, ZERO } from '#shared/money/grid.ts';
import type { Rates } from '#shared/money/pnl.ts';
import { fillFactsOf, pnlOfFill } from '#shared/money/pnl.ts';
import type { EventData } from '#shared/schema/event.ts';
import type { Operation, Order } from './operation.ts';

type Attribution = NonNullable<EventData<'operation'>['attribution']>;

/** Parts are told to so many decimals; the last of them takes what rounding leaves. */
const DECIMALS = 12;
const ONE = new Decimal(1);

/**
 * Where the profit of an operation came from: captured + slippage + legging + fees + inventory = realised, exactly; in the numeraire.
 *
 * - captured: what the plan expected before fees, as far as all its legs were done.
 * - slippage: what the plan's own orders got better than the plan expected, over what they filled; worse is negative.
 * - legging: the same of recovery's orders, and all that its hedges with derivatives brought.
 * - fees: paid, so at most zero but for rebates.
 * - inventory: what legs did beyond the least done one, from the expected price to the plan's rates: loose ends that were kept.
 */
export function attributionOf(operation: Operation): Attribution {
  const gained = { slippage: ZERO as Decimal, legging: ZERO as Decimal };
  const edges = edgesOf(operation);
  for (const order of operation.orders) {
    if (order.filledQty.isZero()) continue;
    const part = order.request.purpose === 'leg' ? 'slippage' : 'legging';
    gained[part] = minus(plus(gained[part], order.gross), expectedOf(order, operation, edges));
  }
  const { realised, fees } = operation;
  const captured = capturedBy(operation, edges).toDecimalPlaces(DECIMALS);
  const slippage = gained.slippage.toDecimalPlaces(DECIMALS);
  const legging = gained.legging.toDecimalPlaces(DECIMALS);
  const inventory = minus(minus(minus(plus(realised, fees), captured), slippage), legging);
  return {
    captured: textOf(captured),
    slippage: textOf(slippage),
    legging: textOf(legging),
    fees: textOf(negated(fees)),
    inventory: textOf(inventory),
  };
}

/** What each leg of the plan would bring at its expected price; empty where nothing has filled. */
const edgesOf = ({ orders, legs, rates }: Operation): readonly Decimal[] =>
  orders.every(({ filledQty }) => filledQty.isZero())
    ? []
    : legs.map(({ instrument, side, qty, expectedPrice }) =>
        grossOf({ instrument, side, qty, price: expectedPrice }, rates),
      );

/** The edge of the plan's legs at expected prices (`edges`: leg by leg), as far as the least done of them was done. */
function capturedBy(operation: Operation, edges: readonly Decimal[]): Decimal {
  const share = operation.filledShares().reduce(lesser, ONE);
  return share.isZero() ? ZERO : times(edges.reduce<Decimal>(plus, ZERO), share);
}

/** What an order's fills would have brought at the price that the plan expected of its leg; nothing of what trades no leg's coins. */
function expectedOf({ request, isOfLeg, filledQty }: Order, operation: Operation, edges: readonly Decimal[]): Decimal {
  const { instrument, side, qty, expectedPrice } = operation.legs[request.leg]!;
  if (!isOfLeg) return ZERO;
  if (request.side === side && compare(filledQty, qty) === 0) return edges[request.leg]!;
  return grossOf({ instrument, side: request.side, qty: filledQty, price: expectedPrice }, operation.rates);
}

type Trade = {
  readonly instrument: Instrument;
  readonly side: Side;
  readonly qty: Decimal;
  readonly price: Decimal;
};

/** In the numeraire, before fees. */
const grossOf = ({ instrument, ...trade }: Trade, rates: Rates): Decimal =>
  pnlOfFill(fillFactsOf({ ...trade, fee: ZERO, feeAsset: instrument.quote }, instrument), rates).realised;
