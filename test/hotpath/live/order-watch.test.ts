import { Decimal } from 'decimal.js';
import { beforeEach, describe, expect, it } from 'vitest';
import { clientOrderIdFrom } from '#hotpath/execute/client-order-id.ts';
import type { KnownOrder, WatchedAccount } from '#hotpath/live/order-watch.ts';
import { OrderWatch } from '#hotpath/live/order-watch.ts';
import type { Mismatch } from '#hotpath/recover/verification.ts';
import type { OrderState } from '#hotpath/venues/venue-account.ts';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import { BTC, LogBook } from '#test/support/account-rig.ts';

const EVERY_MS = 30_000;
const EPOCH = 7;
const idOf = (epoch: number, ordinal = 1): ClientOrderId => clientOrderIdFrom({ epoch, ordinal, leg: 0, attempt: 0 });

let clock: VirtualClock;
let open: readonly string[] | undefined;
let known: KnownOrder[];
let mayCancel: boolean;
let said: string[];
let told: Omit<Mismatch, 'state'>[];
let watch: OrderWatch;

const orderState = (clientOrderId: string): OrderState => ({
  venueSymbol: BTC.venueSymbol,
  clientOrderId,
  venueOrderId: `v-${clientOrderId}`,
  side: 'buy',
  status: 'open',
  price: new Decimal(100),
  qty: new Decimal(2),
  filled: new Decimal(0),
  timeMs: NaN,
});

const account: WatchedAccount = {
  venue: BTC.venue,
  id: 'main',
  instruments: [BTC],
  venueClientId: (id) => `x-${id}`,
  cancel: (id) => void said.push(`cancel ${id}`),
  probe: (id) => void said.push(`probe ${id}`),
  gateway: {
    askOpenOrders: (done) => void clock.after(50, () => done(open?.map(orderState))),
    cancelStranger: ({ clientOrderId }) => void said.push(`cancel stranger ${clientOrderId}`),
  },
};

const watching = (tellsAliens = true): void => {
  watch = new OrderWatch({
    clock,
    logger: new LogBook().logger,
    everyMs: EVERY_MS,
    tellsAliens,
    known: () => known,
    mayCancel: () => mayCancel,
    epoch: () => EPOCH,
    note: (mismatch) => void told.push(mismatch),
  });
  watch.watch(account);
};
const lists = (count: number): void => clock.runUntil(clock.now() + count * (EVERY_MS + 60) * 1e6);

beforeEach(() => {
  clock = new VirtualClock(1_795_219_200_000_000_000n);
  [open, known, mayCancel, said, told] = [[], [], true, [], []];
});

describe('the watch over open orders', () => {
  it('lets be what is open as it should be, and what has just been sent', () => {
    known = [{ id: idOf(EPOCH), instrument: BTC.id, isOver: false }];
    open = [`x-${idOf(EPOCH)}`, `x-${idOf(EPOCH, 2)}`];
    watching();
    lists(3);
    expect([said, told]).toEqual([[], []]);
  });

  it('takes back what was over and works, asks what it has traded, and tells of it once it stays', () => {
    known = [{ id: idOf(EPOCH), instrument: BTC.id, isOver: true }];
    open = [`x-${idOf(EPOCH)}`];
    watching();
    lists(1);
    expect(said).toEqual([`cancel ${idOf(EPOCH)}`, `probe ${idOf(EPOCH)}`]);
    expect(told).toEqual([]);
    lists(1);
    expect(told).toMatchObject([
      { what: 'order', id: `x-${idOf(EPOCH)}`, ledger: 'over', venue_says: 'open buy 2 BTC/USDT' },
    ]);
    expect(watch.isStanding(BTC.venue, `x-${idOf(EPOCH)}`)).toBe(true);
    open = [];
    lists(1);
    expect(watch.isStanding(BTC.venue, `x-${idOf(EPOCH)}`)).toBe(false);
  });

  it('cancels what is ours and nobody knows, but not what a successor has sent', () => {
    open = [`x-${idOf(EPOCH - 1)}`, `x-${idOf(EPOCH + 1)}`];
    watching();
    lists(2);
    const stranger = `cancel stranger x-${idOf(EPOCH - 1)}`;
    expect(said).toEqual([stranger, stranger]);
    expect(told.map(({ id }) => id)).toEqual([`x-${idOf(EPOCH - 1)}`]);
  });

  it('cancels nothing while another engine may trade', () => {
    mayCancel = false;
    known = [{ id: idOf(EPOCH), instrument: BTC.id, isOver: true }];
    open = [`x-${idOf(EPOCH)}`, `x-${idOf(EPOCH - 1)}`];
    watching();
    lists(3);
    expect([said, told]).toEqual([[], []]);
  });

  it('tells of orders of nobody here from the second list on, and touches none', () => {
    open = ['somebody'];
    watching();
    lists(1);
    expect(told).toEqual([]);
    lists(1);
    expect(told).toMatchObject([{ id: 'somebody', ledger: 'none', reason: 'an open order of nobody here' }]);
    expect(said).toEqual([]);
  });

  it('makes no difference of them where others may trade on the account', () => {
    open = ['somebody'];
    watching(false);
    lists(3);
    expect([said, told]).toEqual([[], []]);
  });

  it('goes on after a question that was not answered, and not after its end', () => {
    open = undefined;
    known = [{ id: idOf(EPOCH), instrument: BTC.id, isOver: true }];
    watching();
    lists(1);
    open = [`x-${idOf(EPOCH)}`];
    lists(1);
    expect(said.length).toBe(2);
    watch.stop();
    lists(3);
    expect(said.length).toBe(2);
  });
});
