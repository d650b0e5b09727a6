import type { EngineEvent } from '#shared/schema/event.ts';
import type { EngineStatus } from '#shared/schema/status.ts';

/** What a run says of itself, so that anyone can check it; money is decimal text. */
export type RunReport = {
  readonly seed: number;
  readonly seconds: number;
  readonly venues: readonly {
    readonly id: string;
    readonly status: string;
    readonly messages: number;
    readonly gaps: number;
    readonly resyncs: number;
    readonly ageMsP99: number;
  }[];
  readonly messages: number;
  readonly decisionNs: { readonly p50: number; readonly p99: number; readonly p999: number };
  readonly opportunities: {
    readonly detected: number;
    readonly executed: number;
    readonly rejectedByReason: Readonly<Record<string, number>>;
  };
  readonly operations: {
    readonly completed: number;
    readonly failed: number;
    readonly recovering: number;
    readonly open: number;
  };
  readonly fills: number;
  readonly pnl: { readonly realised: string; readonly fees: string };
  readonly journal: { readonly records: number; readonly gaps: number };
  readonly events: { readonly journalled: number; readonly published: number; readonly projected: number };
  readonly decisionHash: string;
};

/** Reads a run's journal records one by one and adds them up: the report is what was written down, not what counters remember. */
export class JournalTotals {
  records = 0;
  gaps = 0;
  fills = 0;
  readonly #opportunities = new Map<string, { readonly status: string; readonly reason: string | undefined }>();
  readonly #operations = new Map<string, string>();
  #lastSeq: number;

  constructor(afterSeq: number) {
    this.#lastSeq = afterSeq;
  }

  add(event: EngineEvent): void {
    this.records += 1;
    if (event.seq !== this.#lastSeq + 1) this.gaps += 1;
    this.#lastSeq = event.seq;
    if (event.kind === 'opportunity') {
      this.#opportunities.set(event.data.id, { status: event.data.status, reason: event.data.reason });
    } else if (event.kind === 'operation') {
      this.#operations.set(event.data.id, event.data.state);
    } else if (event.kind === 'fill') {
      this.fills += 1;
    }
  }

  get opportunities(): RunReport['opportunities'] {
    const rejectedByReason: Record<string, number> = {};
    let executed = 0;
    for (const { status, reason } of this.#opportunities.values()) {
      if (status === 'executed') executed += 1;
      else if (reason !== undefined) rejectedByReason[reason] = (rejectedByReason[reason] ?? 0) + 1;
    }
    return { detected: this.#opportunities.size, executed, rejectedByReason: sorted(rejectedByReason) };
  }

  get operations(): RunReport['operations'] {
    const states = [...this.#operations.values()];
    const inState = (...wanted: string[]): number => states.filter((state) => wanted.includes(state)).length;
    return {
      completed: inState('completed'),
      failed: inState('failed'),
      recovering: inState('recovering'),
      open: inState('approved', 'executing'),
    };
  }
}

export function reportFrom(
  totals: JournalTotals,
  status: EngineStatus,
  run: Pick<RunReport, 'seed' | 'seconds' | 'pnl' | 'decisionHash'> &
    Pick<RunReport['events'], 'published' | 'projected'>,
): RunReport {
  return {
    seed: run.seed,
    seconds: run.seconds,
    venues: status.venues.map(({ id, status: state, messages, gaps, resyncs, age_ms_p99 }) => ({
      id,
      status: state,
      messages,
      gaps,
      resyncs,
      ageMsP99: age_ms_p99,
    })),
    messages: status.messages,
    decisionNs: status.decision_ns,
    opportunities: totals.opportunities,
    operations: totals.operations,
    fills: totals.fills,
    pnl: run.pnl,
    journal: { records: totals.records, gaps: totals.gaps },
    events: { journalled: totals.records, published: run.published, projected: run.projected },
    decisionHash: run.decisionHash,
  };
}

const sorted = (counts: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));
