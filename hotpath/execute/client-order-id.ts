import { assert } from '#shared/assert.ts';
import type { ClientOrderId } from '#shared/domain/ids.ts';
import type { Config } from '#shared/schema/config.ts';

/** What a client order id says: which start of the engine, its n-th operation, which leg, which attempt on that leg. */
export type ClientOrderIdParts = {
  readonly epoch: number;
  readonly ordinal: number;
  readonly leg: number;
  readonly attempt: number;
};

const BASE = 36;
const WIDTHS = { epoch: 4, ordinal: 6, leg: 1, attempt: 1 } as const;
/** All of them are so long. */
export const CLIENT_ORDER_ID_LENGTH = 13;
const ORIGIN_MS = Date.UTC(2026, 0);
const BEGINNINGS = BASE ** WIDTHS.epoch - 2 ** 17;
const PATTERN = /^a([0-9a-z]{4})([0-9a-z]{6})([0-9a-z])([0-9a-z])$/;

/**
 * The id under which an order can be asked for even when its acknowledgement was lost: 13 characters, a letter first, then base 36 in
 * fixed widths. Within what Binance (36), OKX (32 alphanumeric) and Kraken (18) accept.
 */
export function clientOrderIdFrom({ epoch, ordinal, leg, attempt }: ClientOrderIdParts): ClientOrderId {
  return `a${digits(epoch, WIDTHS.epoch)}${digits(ordinal, WIDTHS.ordinal)}${digits(leg, WIDTHS.leg)}${digits(attempt, WIDTHS.attempt)}` as ClientOrderId;
}

/**
 * The epoch that the next one is above: the last that the journal knows. A new journal of live trading begins at the minutes since 2026 (`unixMs` is now), because
 * venues remember the ids of an earlier life: after three years they come round again, and leave room for starts.
 */
export function epochBefore(known: number, mode: Config['engine']['mode'], unixMs: number): number {
  if (known > 0 || mode !== 'live') return known;
  return Math.max(0, Math.floor((unixMs - ORIGIN_MS) / 60_000)) % BEGINNINGS;
}

/** Undefined for an id that is not ours. */
export function clientOrderIdParts(id: string): ClientOrderIdParts | undefined {
  const match = PATTERN.exec(id);
  if (match === null) return undefined;
  const [epoch, ordinal, leg, attempt] = match.slice(1).map((part) => parseInt(part, BASE));
  return { epoch: epoch!, ordinal: ordinal!, leg: leg!, attempt: attempt! };
}

function digits(value: number, width: number): string {
  assert(Number.isInteger(value) && value >= 0 && value < BASE ** width, 'a part of a client order id is out of range');
  return value.toString(BASE).padStart(width, '0');
}
