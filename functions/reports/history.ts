import { BadInput } from '#shared/assert.ts';
import { decimalFrom } from '#shared/money/grid.ts';
import { decimalsFrom, fillFactsFrom, pnlOfFill, type Rates } from '#shared/money/pnl.ts';
import type { Entity, EventOf, Store } from '../common/store.ts';
import type { Outcome, Share } from './performance.ts';

export type History = {
  /** Operations that ended within the time asked for. */
  readonly outcomes: readonly Outcome[];
  /** Begun, and not over when this was read. */
  readonly open: number;
  /** There are more than could be read: only the newest are here. */
  readonly truncated: boolean;
  /** From where on the history is complete: the start that was asked for, or the first operation after it if there was none before. */
  readonly knownFromMs: number;
};

const OPERATIONS_MAX = 2_000;
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
  return {
    outcomes,
    open: taken.filter(({ event }) => !isOver(event)).length,
    truncated,
    knownFromMs: truncated ? Math.max(fromMs, msOf(taken.at(-1)!.firstAtNs)) : await knownFrom(store, fromMs, toMs),
  };
}

async function knownFrom(store: Store, fromMs: number, toMs: number): Promise<number> {
  const first = await store.firstOperationAtMs();
  return first === undefined ? toMs : Math.min(toMs, Math.max(fromMs, first));
}

const isOver = ({ data: { state, pnl } }: EventOf<'operation'>): boolean =>
  (state === 'completed' || state === 'failed') && pnl !== undefined;

async function outcomeOf(store: Store, { event, firstAtNs }: Entity<'operation'>): Promise<Outcome> {
  const { id, type, pnl, rates } = event.data;
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
  };
}

/** Nothing for a fill whose assets the plan fixed no rate of. */
function shareOf({ data }: EventOf<'fill'>, rates: Rates): readonly Share[] {
  const colon = data.instrument.indexOf(':');
  try {
    const { realised } = pnlOfFill(fillFactsFrom(data), rates);
    return [{ venue: data.instrument.slice(0, colon), symbol: data.instrument.slice(colon + 1), pnl: realised }];
  } catch (error) {
    if (error instanceof BadInput) return [];
    throw error;
  }
}

const msOf = (unixNs: string): number => Number(BigInt(unixNs) / 1_000_000n);
