import { describe, expect, it } from 'vitest';
import { VirtualClock } from '#shared/clock/virtual-clock.ts';
import type { ClientOrderId, InstrumentId, VenueId } from '#shared/domain/ids.ts';
import type { OrderGateway, OrderReport, OrderRequest } from '#shared/domain/order.ts';
import { RoundTrips } from '#hotpath/execute/round-trips.ts';

const a = 'a' as VenueId;
const b = 'b' as VenueId;

function scene() {
  const clock = new VirtualClock(0n);
  const trips = new RoundTrips(clock, 50);
  const calls: string[] = [];
  const gateway: OrderGateway = {
    submit: (orders) => calls.push(`submit ${orders.map(({ clientOrderId }) => clientOrderId).join(' ')}`),
    cancel: (id) => calls.push(`cancel ${id}`),
    replace: (id) => calls.push(`replace ${id}`) > 0,
    probe: (id) => calls.push(`probe ${id}`),
  };
  const through = trips.through(gateway, (instrument) => instrument.split(':')[0] as VenueId);
  const send = (...orders: readonly (readonly [id: string, instrument: string])[]): void =>
    through.submit(
      orders.map(
        ([id, instrument]) =>
          ({ clientOrderId: id as ClientOrderId, instrument: instrument as InstrumentId }) as OrderRequest,
      ),
    );
  const hear = (id: string, afterMs: number, kind: 'expired' | 'unknown' = 'expired'): void => {
    clock.runUntil(clock.now() + afterMs * 1e6);
    const report = { kind, clientOrderId: id as ClientOrderId, receivedTimeNs: clock.now(), cause: 'timeout' };
    trips.heard(report as OrderReport);
  };
  return { trips, through, calls, send, hear };
}

describe('round trips', () => {
  it('are the given ones until a venue has answered, then the first, then a mean that moves a tenth of the way', () => {
    const { trips, send, hear } = scene();
    expect(trips.ofMs(a)).toBe(50);
    send(['1', 'a:X']);
    hear('1', 20);
    expect(trips.ofMs(a)).toBe(20);
    expect(trips.ofMs(b)).toBe(50);
    send(['2', 'a:X']);
    hear('2', 40);
    expect(trips.ofMs(a)).toBeCloseTo(22, 12);
  });

  it('count the first word of an order only, and no silence of ours', () => {
    const { trips, send, hear } = scene();
    send(['1', 'a:X'], ['2', 'b:X']);
    hear('1', 10);
    hear('1', 500);
    hear('2', 10, 'unknown');
    hear('2', 10);
    hear('3', 10);
    expect(trips.ofMs(a)).toBe(10);
    expect(trips.ofMs(b)).toBe(50);
  });

  it('leave the gateway as it is', () => {
    const { through, calls, send } = scene();
    send(['1', 'a:X'], ['2', 'b:X']);
    through.cancel('1' as ClientOrderId);
    through.probe('2' as ClientOrderId);
    expect(calls).toEqual(['submit 1 2', 'cancel 1', 'probe 2']);
  });
});
