import type { InstrumentId } from '#shared/domain/ids.ts';
import { textOf } from '#shared/money/grid.ts';
import type { AccountStatus } from '#shared/schema/status.ts';
import type { PositionState } from '../venues/venue-account.ts';

/** Nearer to its liquidation than this share of the price, a position is told. */
const NEAR = 0.1;

/** How far the price is from where the venue closes the position, as a share of the price; undefined where the venue does not say. */
export function liquidationDistanceOf({ qty, markPrice, liquidationPrice }: PositionState): number | undefined {
  if (markPrice === undefined || liquidationPrice === undefined) return undefined;
  if (qty.isZero() || !markPrice.gt(0) || !liquidationPrice.gt(0)) return undefined;
  const distance = liquidationPrice.minus(markPrice).div(markPrice);
  return (qty.isNegative() ? distance : distance.neg()).toNumber();
}

/** Positions that have come near to their liquidation since they were last looked at; each is named once until it is far from it again. */
export class LiquidationWatch {
  readonly #near = new Set<InstrumentId>();

  look(positions: ReadonlyMap<InstrumentId, PositionState>): readonly { instrument: InstrumentId; distance: number }[] {
    for (const instrument of this.#near) if (!positions.has(instrument)) this.#near.delete(instrument);
    return [...positions].flatMap(([instrument, position]) => {
      const distance = liquidationDistanceOf(position);
      if (distance === undefined || distance >= NEAR) {
        this.#near.delete(instrument);
        return [];
      }
      if (this.#near.has(instrument)) return [];
      this.#near.add(instrument);
      return { instrument, distance };
    });
  }
}

/** A position as its venue last told it. */
export function positionStatusOf(
  instrument: InstrumentId,
  position: PositionState,
): NonNullable<AccountStatus['positions']>[number] {
  const { qty, entryPrice, markPrice, liquidationPrice, leverage, adlRank } = position;
  return {
    instrument,
    size: textOf(qty),
    entry_price: textOf(entryPrice),
    mark_price: markPrice === undefined ? null : textOf(markPrice),
    liquidation_price: liquidationPrice === undefined ? null : textOf(liquidationPrice),
    leverage: leverage === undefined ? null : textOf(leverage),
    liquidation_distance: liquidationDistanceOf(position) ?? null,
    ...(adlRank === undefined ? {} : { adl_rank: adlRank }),
  };
}
