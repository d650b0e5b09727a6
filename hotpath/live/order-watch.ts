import type { Clock, Timer } from '#shared/clock/clock.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import { textOf } from '#shared/money/grid.ts';
import type { Logger } from '../runtime/logger.ts';
import type { TradingAccount } from '../execute/account/trading-account.ts';
import { CLIENT_ORDER_ID_LENGTH, clientOrderIdParts } from '../execute/client-order-id.ts';
import type { Mismatch } from '../recover/verification.ts';
import type { OrderState } from '../venues/venue-account.ts';

/** What is asked, and how it writes our ids. */
export type WatchedAccount = Pick<TradingAccount, 'venue' | 'id' | 'venueClientId' | 'cancel' | 'probe'> & {
  readonly instruments: readonly Pick<Instrument, 'id'>[];
  readonly gateway: Pick<TradingAccount['gateway'], 'askOpenOrders' | 'cancelStranger'>;
};

/** An order of ours that is known, and whether it is over as far as anybody here knows. */
export type KnownOrder = { readonly id: ClientOrderId; readonly instrument: string; readonly isOver: boolean };

export type OrderWatchOptions = {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly everyMs: number;
  /** Whether orders of others on our accounts are differences. */
  readonly tellsAliens: boolean;
  /** Those that are open or were lately. */
  readonly known: () => readonly KnownOrder[];
  /** Nothing of ours is taken back while another engine may trade. */
  readonly mayCancel: () => boolean;
  readonly epoch: () => number;
  readonly note: (mismatch: Omit<Mismatch, 'state'>) => void;
};

type Judgement = 'ours' | 'risen' | 'orphan' | 'alien';

/**
 * Asks every account for its open orders, again and again, and judges those that should not be there. An order that was taken for over and works is taken back
 * and asked about: what it has traded finds its operation. One of ours that nobody remembers is cancelled. One of nobody here is told.
 * What is strange in two lists in a row is a difference until it is gone: one list may be older than what we know.
 */
export class OrderWatch {
  readonly #options: OrderWatchOptions;
  /** By account: what was strange in its last list, and in how many in a row. */
  readonly #strange = new Map<string, ReadonlyMap<string, number>>();
  readonly #timers = new Map<string, Timer>();
  #stopped = false;

  constructor(options: OrderWatchOptions) {
    this.#options = options;
  }

  watch(account: WatchedAccount): void {
    const { clock, everyMs } = this.#options;
    if (this.#stopped || everyMs === 0) return;
    this.#timers.set(
      keyOf(account),
      clock.after(everyMs, () => this.#look(account)),
    );
  }

  /** Whether an order is still listed that was told as a difference. */
  readonly isStanding = (venue: string, order: string): boolean =>
    [...this.#strange].some(
      ([account, orders]) => account.startsWith(`${venue} `) && (orders.get(order) ?? 0) >= LISTS_ENOUGH,
    );

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers.values()) timer.cancel();
  }

  #look(account: WatchedAccount): void {
    // What ends after the question says nothing against a list.
    const known = this.#known(account);
    account.gateway.askOpenOrders((open) => {
      if (this.#stopped) return;
      if (open !== undefined) this.#judge(account, open, known);
      this.watch(account);
    });
  }

  #judge(account: WatchedAccount, open: readonly OrderState[], known: ReadonlyMap<string, KnownOrder>): void {
    const before = this.#strange.get(keyOf(account)) ?? NONE;
    const strange = new Map<string, number>();
    for (const order of open) {
      if (order.status !== 'open') continue;
      const judgement = this.#judgementOn(order, account, known);
      if (judgement === 'ours') continue;
      const name = nameOf(order);
      const times = Math.min(LISTS_ENOUGH, (before.get(name) ?? 0) + 1);
      strange.set(name, times);
      if (judgement === 'alien') this.#onAlien(account, order, times);
      else this.#onOurs(account, order, { judgement, times, found: known.get(order.clientOrderId) });
    }
    this.#strange.set(keyOf(account), strange);
  }

  #judgementOn(
    { clientOrderId }: OrderState,
    { venueClientId }: WatchedAccount,
    known: ReadonlyMap<string, KnownOrder>,
  ): Judgement {
    const found = known.get(clientOrderId);
    if (found !== undefined) return found.isOver ? 'risen' : 'ours';
    const ours = clientOrderId.slice(-CLIENT_ORDER_ID_LENGTH) as ClientOrderId;
    const parts = clientOrderIdParts(ours);
    if (parts === undefined || venueClientId(ours) !== clientOrderId) return 'alien';
    // Of this start it is newer than the question; of a later one it is our successor's.
    return parts.epoch >= this.#options.epoch() ? 'ours' : 'orphan';
  }

  #onOurs(
    account: WatchedAccount,
    order: OrderState,
    { judgement, times, found }: { judgement: Judgement; times: number; found: KnownOrder | undefined },
  ): void {
    const { logger, mayCancel, note } = this.#options;
    if (!mayCancel()) return;
    const { venue, id } = account;
    logger.error('account-order-risen', { venue, account: id, order: nameOf(order), judgement });
    if (found === undefined) account.gateway.cancelStranger(order);
    else {
      account.cancel(found.id);
      account.probe(found.id);
    }
    if (times < LISTS_ENOUGH) return;
    const reason = found === undefined ? 'an order of ours that nobody knows' : 'an order of ours that was over';
    note(mismatchOf(venue, order, { ledger: found === undefined ? 'none' : 'over', reason: `${reason}: cancelled` }));
  }

  #onAlien({ venue, id }: WatchedAccount, order: OrderState, times: number): void {
    const { logger, tellsAliens, note } = this.#options;
    if (times < LISTS_ENOUGH) logger.warn('account-order-alien', { venue, account: id, order: nameOf(order) });
    else if (tellsAliens) note(mismatchOf(venue, order, { ledger: 'none', reason: 'an open order of nobody here' }));
  }

  /** By their ids as the venue writes them. */
  #known({ instruments, venueClientId }: WatchedAccount): ReadonlyMap<string, KnownOrder> {
    const here = new Set<string>(instruments.map(({ id }) => id));
    return new Map(
      this.#options.known().flatMap((order) => (here.has(order.instrument) ? [[venueClientId(order.id), order]] : [])),
    );
  }
}

const LISTS_ENOUGH = 2;
const NONE: ReadonlyMap<string, number> = new Map<string, number>();
const keyOf = ({ venue, id }: Pick<WatchedAccount, 'venue' | 'id'>): string => `${venue} ${id}`;
const nameOf = ({ clientOrderId, venueOrderId }: OrderState): string =>
  clientOrderId === '' ? venueOrderId : clientOrderId;

function mismatchOf(
  venue: string,
  order: OrderState,
  told: Pick<Mismatch, 'ledger' | 'reason'>,
): Omit<Mismatch, 'state'> {
  const says = `open ${order.side} ${textOf(order.qty)} ${order.venueSymbol}`;
  return { venue, what: 'order', id: nameOf(order), venue_says: says, ...told };
}
