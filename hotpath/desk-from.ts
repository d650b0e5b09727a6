import type { ForcedFill } from '#shared/domain/held.ts';
import type { InstrumentId } from '#shared/domain/ids.ts';
import type { Fence, OrderReport } from '#shared/domain/order.ts';
import type { Recorder } from '#shared/schema/recorder.ts';
import type { Executor } from './execute/executor.ts';
import type { Ledger } from './execute/ledger.ts';
import type { PaperGatewayOptions } from './execute/paper-gateway.ts';
import { PaperGateway } from './execute/paper-gateway.ts';
import type { RoundTrips } from './execute/round-trips.ts';
import { shadowGateway } from './execute/shadow-gateway.ts';
import { LiveAccounts } from './live/live-accounts.ts';
import type { OrderDesk } from './live/order-desk.ts';
import { liveDesk, paperDesk, shadowDesk } from './live/order-desk.ts';
import type { MarketSide } from './market-side.ts';
import type { EngineOptions } from './prepare.ts';
import { accountsSetup } from './prepare.ts';
import type { JournalState } from './recover/journal-state.ts';

export type DeskSources = {
  readonly options: EngineOptions;
  readonly market: MarketSide;
  readonly ledger: Ledger;
  readonly roundTrips: RoundTrips;
  readonly recorder: Recorder;
  readonly state: JournalState;
  readonly epoch: number;
  readonly fence: Fence;
  readonly onReport: (report: OrderReport) => void;
  /** A venue has reduced a position by itself; a person has said what one is. */
  readonly onForced: (fill: ForcedFill) => void;
  readonly onAdjusted: (id: InstrumentId) => void;
  /** Asked when there is one. */
  readonly executor: () => Executor;
};

/** Where the orders of the run's mode go: to books on paper, to a tape that judges them, or to the venues' accounts. */
export function deskFrom(sources: DeskSources): OrderDesk {
  const { options, market, executor } = sources;
  const { clock, config } = options;
  const { mode } = config.engine;
  if (mode === 'paper') return paperDesk(new PaperGateway(paperOptionsOf(sources)), clock, executor);
  const live = accountsOf(sources, mode);
  if (mode === 'live') return liveDesk(live, market.books.depths, market.words.settlementPriceOf);
  const { latency_ms, latency_jitter_ms, displayed_fraction, window_ms } = config.shadow;
  const shadow = shadowGateway({
    ...paperOptionsOf(sources),
    latencyMs: latency_ms,
    latencyJitterMs: latency_jitter_ms,
    displayedFraction: displayed_fraction,
    windowMs: window_ms,
  });
  return { ...shadowDesk(shadow, clock, executor), live };
}

function accountsOf(sources: DeskSources, mode: 'shadow' | 'live'): LiveAccounts {
  const { options, market, ledger, roundTrips, recorder, state, fence, onReport, onForced, onAdjusted } = sources;
  return new LiveAccounts({
    ...accountsSetup(options, market.instruments),
    onReport,
    onForced,
    onAdjusted,
    knownOrders: () => sources.executor().knownOrders(),
    epoch: sources.epoch,
    fence: mode === 'shadow' ? () => 'in shadow mode no order is sent' : fence,
    state,
    ledger,
    recorder,
    rateOf: market.valueOf,
    roundTripMsOf: roundTrips.ofMs,
    isCompared: mode === 'live',
  });
}

function paperOptionsOf({ options, market, ledger, onReport }: DeskSources): PaperGatewayOptions {
  const { config, clock, random } = options;
  const { instruments, books } = market;
  return {
    clock,
    random: random.fork('paper'),
    depths: books.depths,
    instrumentOf: (id) => {
      const index = market.indexOf(id);
      return { instrument: instruments[index]!, index };
    },
    idOf: (index) => instruments[index]!.id,
    onReport,
    latencyMs: config.paper.latency_ms,
    latencyJitterMs: config.paper.latency_jitter_ms,
    displayedFraction: config.paper.displayed_fraction,
    underlyingOf: ledger.underlyingOf,
    settlementPriceOf: market.words.settlementPriceOf,
  };
}
