import type { Clock } from '#shared/clock/clock.ts';
import { at } from './layout.ts';
import type { Item, Table } from './table.ts';

export type RateLimit = { readonly perMinute: number; readonly burst: number };
export type Admission = {
  readonly admitted: boolean;
  /** `RateLimit-*`, and `Retry-After` for who was turned away. */
  readonly headers: Readonly<Record<string, string>>;
};

/** A bucket that has been full for this long need not be remembered. */
const IDLE_TTL_S = 600;

/**
 * A token bucket a principal, shared by every instance of the API: `burst` at once, refilled at `perMinute`. Kept as one number, the time
 * at which the bucket will be full again (GCRA), so that taking a token is one conditional write and two callers never lose each other's.
 */
export function rateLimiter(table: Table, limit: RateLimit, clock: Clock): (principal: string) => Promise<Admission> {
  const intervalUs = Math.round(60e6 / limit.perMinute);
  const depthUs = intervalUs * limit.burst;

  return async (principal) => {
    const nowUs = Math.round(clock.unixMs(clock.now()) * 1000);
    const key = at.bucket(principal);
    const ttl = Math.ceil((nowUs + depthUs) / 1e6) + IDLE_TTL_S;
    const drain = (): Promise<Item | undefined> =>
      table.update(key, {
        UpdateExpression: 'SET full_at_us = full_at_us + :interval, #ttl = :ttl',
        ConditionExpression: 'full_at_us BETWEEN :now AND :latest',
        ExpressionAttributeNames: { '#ttl': 'ttl' },
        ExpressionAttributeValues: {
          ':interval': intervalUs,
          ':now': nowUs,
          ':latest': nowUs + depthUs - intervalUs,
          ':ttl': ttl,
        },
        ReturnValues: 'ALL_NEW',
      });
    const open = (): Promise<Item | undefined> =>
      table.update(key, {
        UpdateExpression: 'SET full_at_us = :full, #ttl = :ttl',
        ConditionExpression: 'attribute_not_exists(full_at_us) OR full_at_us < :now',
        ExpressionAttributeNames: { '#ttl': 'ttl' },
        ExpressionAttributeValues: { ':full': nowUs + intervalUs, ':now': nowUs, ':ttl': ttl },
        ReturnValues: 'ALL_NEW',
      });
    // Twice: between the two writes another caller may have opened the bucket.
    const taken = (await drain()) ?? (await open()) ?? (await drain());

    const fullAtUs = Number((taken ?? (await table.get(key)))?.['full_at_us'] ?? nowUs);
    return { admitted: taken !== undefined, headers: headersOf(taken !== undefined, Math.max(0, fullAtUs - nowUs)) };
  };

  function headersOf(admitted: boolean, untilFullUs: number): Record<string, string> {
    const remaining = Math.max(0, Math.floor((depthUs - untilFullUs) / intervalUs));
    const untilNextUs = Math.max(0, untilFullUs + intervalUs - depthUs);
    return {
      'RateLimit-Limit': String(limit.perMinute),
      'RateLimit-Remaining': String(remaining),
      'RateLimit-Reset': String(Math.ceil(untilFullUs / 1e6)),
      'RateLimit-Policy': `${limit.perMinute};w=60;burst=${limit.burst}`,
      ...(admitted ? {} : { 'Retry-After': String(Math.max(1, Math.ceil(untilNextUs / 1e6))) }),
    };
  }
}
