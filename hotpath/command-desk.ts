import type { OperationId } from '#shared/domain/ids.ts';
import type { TradingState } from '#shared/domain/trade.ts';
import type { CommandOf } from '#shared/schema/command.ts';
import type { Config } from '#shared/schema/config.ts';
import type { Recorder } from '#shared/schema/recorder.ts';
import type { Answer, Handlers } from './commands.ts';
import { ANSWERED, Commands, refused } from './commands.ts';
import type { ReloadSources } from './config-reload.ts';
import { reload } from './config-reload.ts';
import type { MarketSide } from './market-side.ts';
import { orderHandlers, venuesOf } from './order-commands.ts';
import type { OrderSide } from './order-side.ts';
import type { EngineOptions } from './prepare.ts';

export type CommandSources = {
  readonly options: EngineOptions;
  readonly recorder: Recorder;
  /** Commands that were answered before this start. */
  readonly known: ReadonlySet<string>;
  readonly market: MarketSide;
  readonly orders: OrderSide;
  /** As sizing reads it: some of it can be changed while the engine runs. */
  readonly sizing: Config['engine'];
  readonly nextOperation: () => OperationId;
};

/** Everything that persons may ask of a running engine. */
export function commandDesk(sources: CommandSources): Commands {
  const { options, recorder, known, orders } = sources;
  const { clock } = options;
  const { control, emergency, risk } = orders;
  const change =
    (state: TradingState) =>
    ({ reason, by, id }: CommandOf<'start' | 'stop'>): Answer => {
      control.command(state, { reason, by, command_id: id });
      return ANSWERED;
    };
  const handlers: Handlers = {
    start: change('active'),
    stop: change('halted'),
    'emergency-stop': emergency.begin,
    ...ordersOf(sources),
    limits: (command) => risk.changeLimits(command),
    config: (command) => reloaded(sources, command),
    'breaker-reset': (command) => risk.resetBreaker(command),
    adjust: (command) => orders.accounts?.adjust(command) ?? refused(3001, 'on paper no account differs'),
    'adjust-position': (command) =>
      orders.accounts?.adjustPosition(command) ?? refused(3001, 'on paper no account differs'),
  };
  return new Commands(recorder, handlers, known, () => clock.unixMs(clock.now()));
}

function ordersOf({
  options,
  recorder,
  market,
  orders,
  nextOperation,
}: CommandSources): ReturnType<typeof orderHandlers> {
  const { instruments, listed, topOf, valueOf } = market;
  const { executor, ledger, recoveryMarket, risk } = orders;
  const { gate } = risk;
  return orderHandlers({
    executor,
    recorder,
    venues: venuesOf(instruments),
    instrumentOf: listed,
    listingsOf: (symbol) => instruments.filter((instrument) => instrument.symbol === symbol),
    levels: recoveryMarket.levels,
    mostOf: (instrument, order) => {
      const { asset, unitCost } = ledger.needOf(instrument, order);
      return unitCost.isZero() ? order.qty : ledger.freeOf(instrument.venue, asset).div(unitCost);
    },
    topOf,
    positionOf: (id) => ledger.positionOf(id).size,
    deviationOf: (asset) => ledger.deviationOf(asset),
    rateOf: valueOf,
    slippageBps: () => gate.limits.max_slippage_bps,
    denialOf: (order) => gate.denialOf(order, options.clock.now()),
    nextOperation,
  });
}

function reloaded({ options, orders, sizing }: CommandSources, command: CommandOf<'config'>): Answer {
  const { id, by, at_ms, v, version } = command;
  const { config, written = config } = options;
  const { risk } = orders;
  const sources: ReloadSources = {
    started: written,
    limits: () => risk.gate.limits,
    tuning: () => sizing,
    // An event of its own, which is not the answer.
    setLimits: (limits) => risk.changeLimits({ v, id: `${id}:limits`, by, at_ms, kind: 'limits', limits, version }),
    tune: (tuning) => void Object.assign(sizing, tuning),
  };
  return reload(sources, command);
}
