import type { EngineEvent } from '#shared/schema/event.ts';
import type { Key } from './table.ts';
import { seqKey } from './tables.ts';

/**
 * Where things stand in the state table. An entity is one item that carries its latest event as text (`event`, exactly as journalled) and
 * the sequence of that event (`last_seq`); an operation's orders, fills and transitions share its partition and are read in one query.
 */
export const at = {
  status: (engine: string): Key => ({ pk: `ENGINE#${engine}`, sk: 'STATUS' }),
  run: (engine: string): Key => ({ pk: `${engine}#ENGINE`, sk: 'RUN' }),
  tradingState: (engine: string): Key => ({ pk: `${engine}#ENGINE`, sk: 'TRADING' }),
  command: (engine: string, id: string): Key => ({ pk: `${engine}#COMMAND#${id}`, sk: 'ANSWER' }),
  /** With what a command was asked for that may be asked for again. */
  commandRequest: (engine: string, id: string): Key => ({ pk: `${engine}#COMMAND#${id}`, sk: 'REQUEST' }),
  venue: (engine: string, venue: string): Key => ({ pk: `${engine}#VENUE`, sk: venue }),
  opportunity: (engine: string, id: string): Key => ({ pk: `${engine}#OPPORTUNITY#${id}`, sk: 'OPPORTUNITY' }),
  operation: (engine: string, id: string): Key => ({ pk: `${engine}#OPERATION#${id}`, sk: 'OPERATION' }),
  transition: (engine: string, id: string, seq: number): Key => ({
    pk: `${engine}#OPERATION#${id}`,
    sk: `TRANSITION#${seqKey(seq)}`,
  }),
  order: (engine: string, operation: string, id: string): Key => ({
    pk: `${engine}#OPERATION#${operation}`,
    sk: `ORDER#${id}`,
  }),
  /** Trade ids are unique to an instrument only. */
  fill: (engine: string, operation: string, id: string): Key => ({
    pk: `${engine}#OPERATION#${operation}`,
    sk: `FILL#${id}`,
  }),
  balance: (engine: string, venue: string, asset: string): Key => ({
    pk: `${engine}#BALANCE`,
    sk: `${venue}#${asset}`,
  }),
  position: (engine: string, id: string): Key => ({ pk: `${engine}#POSITION`, sk: id }),
  holding: (engine: string, id: string): Key => ({ pk: `${engine}#HOLDING`, sk: id }),
  /** What befell a holding, or what no holding has, by the sequence of the event. */
  settlement: (engine: string, seq: number): Key => ({ pk: `${engine}#SETTLEMENT`, sk: seqKey(seq) }),
  funding: (engine: string, seq: number): Key => ({ pk: `${engine}#FUNDING`, sk: seqKey(seq) }),
  breaker: (engine: string, id: string): Key => ({ pk: `${engine}#BREAKER`, sk: id }),
  /** What a breaker did, by the sequence of the event. */
  breakerHistory: (engine: string, seq: number): Key => ({ pk: `${engine}#BREAKER-HISTORY`, sk: seqKey(seq) }),
  escalation: (engine: string, operation: string): Key => ({ pk: `${engine}#ESCALATION`, sk: operation }),
  emergencyStop: (engine: string): Key => ({ pk: `${engine}#ENGINE`, sk: 'EMERGENCY-STOP' }),
  /** What the engine said to the last version of the configuration that it was given. */
  config: (engine: string): Key => ({ pk: `${engine}#ENGINE`, sk: 'CONFIG' }),
  riskLimits: (engine: string): Key => ({ pk: `${engine}#ENGINE`, sk: 'RISK-LIMITS' }),
  lease: (engine: string): Key => ({ pk: `${engine}#ENGINE`, sk: 'LEASE-WORD' }),
  mismatch: (engine: string, venue: string, what: string, id: string): Key => ({
    pk: `${engine}#MISMATCH`,
    sk: `${venue}#${what}#${id}`,
  }),
  adjustment: (engine: string, seq: number): Key => ({ pk: `${engine}#ADJUSTMENT`, sk: seqKey(seq) }),
  ageing: (engine: string, what: string, id: string): Key => ({ pk: `${engine}#AGEING`, sk: `${what}#${id}` }),
  profitPeak: (engine: string): Key => ({ pk: `${engine}#ENGINE`, sk: 'PROFIT-PEAK' }),
  candle: (instrument: string, interval: string, startMs: number): Key => ({
    pk: `CANDLE#${interval}#${instrument}`,
    sk: seqKey(startMs),
  }),
  market: (instrument: string): Key => ({ pk: 'MARKET', sk: instrument }),
  apiKey: (id: string): Key => ({ pk: `APIKEY#${id}`, sk: 'KEY' }),
  audit: (engine: string, seq: number): Key => ({ pk: `${engine}#AUDIT`, sk: seqKey(seq) }),
  configVersion: (engine: string, version: number): Key => ({ pk: `${engine}#CONFIG`, sk: seqKey(version) }),
  rebalancePlan: (engine: string, id: string): Key => ({ pk: `${engine}#REBALANCE#${id}`, sk: 'PLAN' }),
  report: (engine: string, date: string): Key => ({ pk: `${engine}#REPORT`, sk: date }),
  bucket: (principal: string): Key => ({ pk: `BUCKET#${principal}`, sk: 'BUCKET' }),
  alert: (engine: string, id: string): Key => ({ pk: `${engine}#ALERT`, sk: id }),
  /** How many notices of one rule, or of all, went out in an hour. */
  alertCount: (engine: string, hour: number, name: string): Key => ({ pk: `${engine}#ALERT-COUNT#${hour}`, sk: name }),
  /** What counted figures are compared with. */
  alertMemory: (engine: string): Key => ({ pk: `${engine}#ALERT-MEMORY`, sk: 'MEMORY' }),
  /** Which channels have a notice. */
  delivery: (notice: string): Key => ({ pk: `NOTICE#${notice}`, sk: 'DELIVERY' }),
  /** Who listens: one item a connection of the push API. */
  connection: (engine: string, id: string): Key => ({ pk: `${engine}#PUSH`, sk: id }),
  /** How far a channel of the push API has come, and the updates that it holds by the sequence of the first. */
  channelHead: (engine: string, channel: string): Key => ({ pk: `${engine}#PUSH#${channel}`, sk: 'HEAD' }),
  channelPage: (engine: string, channel: string, fromSeq: number): Key => ({
    pk: `${engine}#PUSH#${channel}`,
    sk: seqKey(fromSeq),
  }),
  deadLetter: (stream: string, position: string): Key => ({ pk: `DEADLETTER#${stream}`, sk: position }),
} as const;

/** API keys belong to no engine. */
export const KEY_LIST = 'APIKEY';

/** `PAYMENT`: settlements and funding, which move money without an operation. */
export type ListName = 'OPPORTUNITY' | 'OPERATION' | 'ORDER' | 'PAYMENT' | 'ESCALATION';
export const listOf = (engine: string, name: ListName): string => `${engine}#${name}`;

/**
 * One item that an event sets. `list`: the list in which it is shown. `once`: no other event ever sets it, so it needs no condition and
 * may travel in a batch.
 */
export type Placement = {
  readonly key: Key;
  readonly list?: ListName;
  readonly ttlMs?: number;
  readonly once?: true;
};

const DAY_MS = 86_400_000;
/** So long a command that comes again is answered as before. */
export const ANSWER_TTL_MS = DAY_MS;
const OPPORTUNITY_TTL_MS = 30 * DAY_MS;

/** The items that an event sets; each of them to this event, unless it has a later one already. */
export function placementsOf(event: EngineEvent): readonly Placement[] {
  const { engine } = event;
  switch (event.kind) {
    case 'engine-started':
    case 'engine-stopped':
      return [{ key: at.run(engine) }];
    case 'trading-state':
      return [{ key: at.tradingState(engine) }, ...answersTo(engine, event.data.command_id)];
    case 'command-refused':
      return [answer(engine, event.data.command_id)];
    case 'command-done':
      return [
        answer(engine, event.data.command_id),
        ...(event.data.command === 'config' ? [{ key: at.config(engine) }] : []),
      ];
    case 'risk-limits':
      return [{ key: at.riskLimits(engine) }, answer(engine, event.data.command_id)];
    case 'breaker':
      return [
        { key: at.breaker(engine, event.data.id) },
        { key: at.breakerHistory(engine, event.seq), once: true },
        ...answersTo(engine, event.data.command_id),
      ];
    case 'emergency-stop':
      return [
        { key: at.emergencyStop(engine) },
        ...(event.data.command_id === undefined || event.data.state === 'started'
          ? []
          : [answer(engine, event.data.command_id)]),
      ];
    case 'escalation':
      return [{ key: at.escalation(engine, event.data.operation), list: 'ESCALATION' }];
    case 'mismatch':
      return [{ key: at.mismatch(engine, event.data.venue, event.data.what, event.data.id) }];
    case 'adjustment':
    case 'position-adjustment':
      return [{ key: at.adjustment(engine, event.seq), once: true }];
    case 'ageing':
      return [{ key: at.ageing(engine, event.data.what, event.data.id) }];
    case 'profit-peak':
      return [{ key: at.profitPeak(engine) }];
    case 'lease':
      return [{ key: at.lease(engine) }];
    case 'venue-status':
      return [{ key: at.venue(engine, event.data.venue) }];
    case 'opportunity':
      return [{ key: at.opportunity(engine, event.data.id), list: 'OPPORTUNITY', ttlMs: OPPORTUNITY_TTL_MS }];
    case 'operation':
      return [
        { key: at.operation(engine, event.data.id), list: 'OPERATION' },
        { key: at.transition(engine, event.data.id, event.seq), once: true },
      ];
    case 'order':
      return [{ key: at.order(engine, event.data.operation, event.data.client_order_id), list: 'ORDER' }];
    case 'fill':
      return [
        { key: at.fill(engine, event.data.operation, `${event.data.instrument}#${event.data.trade_id}`), once: true },
      ];
    case 'balance':
      return [{ key: at.balance(engine, event.data.venue, event.data.asset) }];
    case 'position':
      return [{ key: at.position(engine, event.data.id) }];
    case 'holding':
      return [{ key: at.holding(engine, event.data.id) }];
    case 'settlement':
      return [{ key: at.settlement(engine, event.seq), list: 'PAYMENT', once: true }];
    case 'funding':
      return [{ key: at.funding(engine, event.seq), list: 'PAYMENT', once: true }];
  }
}

const answersTo = (engine: string, command: string | undefined): readonly Placement[] =>
  command === undefined ? [] : [answer(engine, command)];

const answer = (engine: string, command: string): Placement => ({
  key: at.command(engine, command),
  ttlMs: ANSWER_TTL_MS,
});
