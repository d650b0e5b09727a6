import type { Instrument } from '#shared/domain/instrument.ts';
import type { AccountContext, OrderTicket } from './venue-account.ts';

/** Stands where the texts of two orders of a kind differ. Private use: in no text of ours or a venue's. */
export const HOLE = '\uE000';

const TIMES_IN_FORCE = ['GTC', 'IOC', 'FOK'] as const;

/**
 * The texts of orders but for what differs between those of a kind: of one instrument, with the same side, type, time in force and flags. Made once a kind, by
 * the code that makes any such text, from an order whose price and quantity are holes; what else differs, that code leaves out. Kept as long as the owner, which is what
 * else they are made from, and the instrument.
 */
export class OrderTemplates<T> {
  readonly #kinds = new WeakMap<object, WeakMap<Instrument, Map<number, T>>>();
  readonly #make: (order: OrderTicket, context: AccountContext) => T;

  constructor(make: (order: OrderTicket, context: AccountContext) => T) {
    this.#make = make;
  }

  of(owner: object, order: OrderTicket, context: AccountContext): T {
    const kinds = this.#kindsOf(owner, order.instrument);
    const kind = kindOf(order);
    let template = kinds.get(kind);
    if (template === undefined) {
      template = this.#make({ ...order, price: HOLE, qty: HOLE }, context);
      kinds.set(kind, template);
    }
    return template;
  }

  #kindsOf(owner: object, instrument: Instrument): Map<number, T> {
    let owned = this.#kinds.get(owner);
    if (owned === undefined) this.#kinds.set(owner, (owned = new WeakMap()));
    let kinds = owned.get(instrument);
    if (kinds === undefined) owned.set(instrument, (kinds = new Map<number, T>()));
    return kinds;
  }
}

/** The text with its holes filled in order; `parts`: the template split at {@link HOLE}. */
export function filled(parts: readonly string[], values: readonly string[]): string {
  let text = parts[0]!;
  for (let at = 0; at < values.length; at += 1) text += values[at]! + parts[at + 1]!;
  return text;
}

function kindOf({ side, type, timeInForce, postOnly, reduceOnly }: OrderTicket): number {
  const flags = (side === 'buy' ? 1 : 0) + (type === 'limit' ? 2 : 0) + (postOnly ? 4 : 0) + (reduceOnly ? 8 : 0);
  return flags + 16 * TIMES_IN_FORCE.indexOf(timeInForce);
}
