import { BadInput } from '#shared/assert.ts';
import { decimalFrom, ZERO } from '#shared/money/grid.ts';
import {
  decimalsFrom,
  fillFactsFrom,
  fundingValue,
  pnlOfFill,
  pnlOfSettlement,
  type Pnl,
  type Rates,
} from '#shared/money/pnl.ts';
import type { Entity, EventOf, Store } from '../common/store.ts';
import { UNATTRIBUTED, type Outcome, type Share } from './performance.ts';

export type History = {
  /** Operations that ended within the time asked for, and what was paid within it on what is held. */
  readonly outcomes: readonly Outcome[];
  /** Begun, and not over when this was read. */
  readonly open: number;
  /** There are more than could be read: only the newest are here. */
  readonly truncated: boolean;
  /** From where on the history is complete: the start that was asked for, or the first operation after it if there was none before. */
  readonly knownFromMs: number;
};

const OPERATIONS_MAX = 2_000;
const PAYMENTS_MAX = 20_000;
/** Partitions that are read at the same time. */
const CONCURRENCY = 32;
/** An operation that ended within the time may have begun before it: they live for seconds, a manual recovery for hours. */
const LIFE_MAX_MS = 86_400_000;

/** The operations that ended from `fromMs` (inclusive) to `toMs` (exclusive), with what each market contributed: at most `max` are read. */
export async function readHistory(
  store: Store,
  { fromMs, toMs, max = OPERATIONS_MAX }: { readonly fromMs: number; readonly toMs: number; readonly max?: number },
): Promise<History> {
  const begun = await store.operationsBegun({ fromMs: fromMs - LIFE_MAX_MS, toMs, max: max + 1 });
  const truncated = begun.length > max;
  const taken = begun.slice(0, max);
  const within = (ms: number): boolean => ms >= fromMs && ms < toMs;
  const ended = taken.filter(({ event }) => isOver(event) && within(msOf(event.at)));

  const outcomes: Outcome[] = [];
  for (let at = 0; at < ended.length; at += CONCURRENCY) {
    outcomes.push(...(await Promise.all(ended.slice(at, at + CONCURRENCY).map((each) => outcomeOf(store, each)))));
  }
  const paid = await store.payments({ fromMs, toMs, max: PAYMENTS_MAX + 1 });
  const payments = paid.slice(0, PAYMENTS_MAX).map(({ event }) => event);
  const arePaymentsCut = paid.length > PAYMENTS_MAX;
  const knownFromMs = truncated
    ? Math.max(fromMs, msOf(taken.at(-1)!.firstAtNs))
    : await knownFrom(store, fromMs, toMs);
  return {
    outcomes: [
      ...outcomes,
      ...(await paymentsFrom(
        store,
        payments.filter(({ at }) => within(msOf(at))),
      )),
    ],
    open: taken.filter(({ event }) => !isOver(event)).length,
    truncated: truncated || arePaymentsCut,
    knownFromMs: arePaymentsCut ? Math.max(knownFromMs, msOf(payments.at(-1)!.at)) : knownFromMs,
  };
}

type Payment = EventOf<'settlement' | 'funding'>;

/** Money that moved without an operation, under the family of the one that had entered. */
async function paymentsFrom(store: Store, payments: readonly Payment[]): Promise<readonly Outcome[]> {
  const holdings = [...new Set(payments.flatMap(({ data }) => data.holding ?? []))];
  const families = new Map<string, string | undefined>();
  for (let at = 0; at < holdings.length; at += CONCURRENCY) {
    const found = holdings.slice(at, at + CONCURRENCY).map(async (id) => [id, await store.familyOf(id)] as const);
    for (const [id, family] of await Promise.all(found)) families.set(id, family);
  }
  return payments.map((event) => paymentOf(event, families.get(event.data.holding ?? '') ?? UNATTRIBUTED));
}

function paymentOf(event: Payment, family: string): Outcome {
  const { realised, fees } = pnlOfPayment(event);
  const atMs = msOf(event.at);
  return {
    id: `payment-${event.seq}`,
    isPayment: true,
    family,
    begunAtMs: atMs,
    endedAtMs: atMs,
    pnl: realised,
    fees,
    shares: [{ ...marketOf(event.data.instrument), pnl: realised }],
    sources: event.kind === 'funding' ? { funding: realised } : { settlement: realised.plus(fees), fees: fees.neg() },
  };
}

const pnlOfPayment = (event: Payment): Pnl =>
  event.kind === 'settlement' ? pnlOfSettlement(event.data) : { realised: fundingValue(event.data), fees: ZERO };

async function knownFrom(store: Store, fromMs: number, toMs: number): Promise<number> {
  const first = await store.firstOperationAtMs();
  return first === undefined ? toMs : Math.min(toMs, Math.max(fromMs, first));
}

const isOver = ({ data: { state, pnl } }: EventOf<'operation'>): boolean =>
  (state === 'completed' || state === 'failed') && pnl !== undefined;

async function outcomeOf(store: Store, { event, firstAtNs }: Entity<'operation'>): Promise<Outcome> {
  const { id, type, pnl, rates, attribution = {} } = event.data;
  const fills = await store.fillsOf(id);
  const valued = decimalsFrom(rates);
  return {
    id,
    family: type,
    begunAtMs: msOf(firstAtNs),
    endedAtMs: msOf(event.at),
    pnl: decimalFrom(pnl?.realised ?? '0'),
    fees: decimalFrom(pnl?.fees ?? '0'),
    shares: fills.flatMap((fill) => shareOf(fill, valued)),
    sources: decimalsFrom(attribution),
  };
}

/** Nothing for a fill whose assets the plan fixed no rate of. */
function shareOf({ data }: EventOf<'fill'>, rates: Rates): readonly Share[] {
  try {
    const { realised } = pnlOfFill(fillFactsFrom(data), rates);
    return [{ ...marketOf(data.instrument), pnl: realised }];
  } catch (error) {
    if (error instanceof BadInput) return [];
    throw error;
  }
}

function marketOf(instrument: string): Pick<Share, 'venue' | 'symbol'> {
  const colon = instrument.indexOf(':');
  return { venue: instrument.slice(0, colon), symbol: instrument.slice(colon + 1) };
}

const msOf = (unixNs: string): number => Number(BigInt(unixNs) / 1_000_000n);
