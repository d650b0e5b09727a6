import type { Command, CommandKind, CommandOf } from '#shared/schema/command.ts';
import type { EngineEvent } from '#shared/schema/event.ts';
import { eventOf, orderData } from './events.ts';

/**
 * An engine that does whatever it is asked, at once: orders rest until they are cancelled, an order it has not sent is refused (3003). For
 * proofs that are about the API alone.
 */
export function willingEngine(): (asked: Command) => readonly EngineEvent[] {
  const open = new Map<string, CommandOf<'order'>>();
  let seq = 1_000_000;
  const next = (): number => (seq += 1);

  const done = ({ id, kind, by }: Command, detail: Readonly<Record<string, string>> = {}): readonly EngineEvent[] => [
    eventOf('command-done', next(), { command_id: id, command: kind, by, detail }),
  ];
  const tradingState =
    (state: 'active' | 'halted') =>
    ({ id, by, reason }: CommandOf<'start' | 'stop'>): readonly EngineEvent[] => [
      eventOf('trading-state', next(), { state, reason, by, command_id: id }),
    ];
  const told = (order: string, status: 'accepted' | 'canceled'): EngineEvent => {
    const { instrument, side, type, qty, price = '1', time_in_force } = open.get(order)!;
    const about = { purpose: 'manual', instrument, side, type, qty, price, time_in_force } as const;
    return eventOf('order', next(), orderData(order, `op-${order}`, { ...about, status }));
  };

  const answers: { readonly [K in CommandKind]?: (asked: CommandOf<K>) => readonly EngineEvent[] } = {
    start: tradingState('active'),
    stop: tradingState('halted'),
    'emergency-stop': ({ id, by, reason }) => [
      eventOf('emergency-stop', next(), { state: 'verified', reason, by, command_id: id, accounts: [] }),
    ],
    order: (asked) => {
      const order = `w${open.size}`;
      open.set(order, asked);
      return [...done(asked, { order_id: order, operation: `op-${order}` }), told(order, 'accepted')];
    },
    cancel: (asked) =>
      open.has(asked.order)
        ? [...done(asked, { order_id: asked.order, operation: `op-${asked.order}` }), told(asked.order, 'canceled')]
        : [eventOf('command-refused', next(), { command_id: asked.id, code: 3003, reason: 'it is not open' })],
    limits: ({ id, by, limits, version }) => [
      eventOf('risk-limits', next(), {
        limits,
        by,
        command_id: id,
        ...(version === undefined ? {} : { version }),
      }),
    ],
    'breaker-reset': ({ id, by, breaker }) => [
      eventOf('breaker', next(), {
        id: breaker,
        state: 'closed',
        trips: 'halted',
        reason: 'reset',
        value: '0',
        limit: '1',
        by,
        command_id: id,
      }),
    ],
  };
  return (asked) => {
    const answer = answers[asked.kind] as ((asked: Command) => readonly EngineEvent[]) | undefined;
    return answer === undefined ? done(asked) : answer(asked);
  };
}
