import type { AlertsConfig } from '#shared/schema/alerts.ts';
import type { EngineEvent, EventData, EventKind } from '#shared/schema/event.ts';
import type { Signal } from './alert.ts';

/** What an event says; nothing for most. */
export function signalsOfEvent(event: EngineEvent, { limits }: AlertsConfig, nowMs: number): readonly Signal[] {
  const atMs = Number(BigInt(event.at) / 1_000_000n);
  const words = wordsOf(event, limits);
  if (words === undefined) return [];
  const { isNews, ...said } = words;
  return isNews === true && nowMs - atMs > NEWS_MS ? [] : [{ ...said, atMs, seq: event.seq }];
}

/** Something without an end that is this old is no news: the stream is read again, or was held up. */
const NEWS_MS = 6 * 3_600_000;

type Words = Omit<Signal, 'atMs' | 'seq'> & { readonly isNews?: true };
type Limits = AlertsConfig['limits'];

/** The events that may matter, each with what it says. */
const SPEAKERS: { readonly [K in EventKind]?: (data: EventData<K>, limits: Limits) => Words | undefined } = {
  breaker: ({ id, state, reason, value, limit, trips }) => ({
    rule: 'breaker-open',
    subject: id,
    bad: state === 'open',
    value,
    limit,
    text: `trading is ${trips}: ${reason}`,
  }),
  // Trading ends it, which the status tells.
  'emergency-stop': ({ state, reason, by }) => ({
    rule: 'emergency-stop',
    subject: '',
    bad: true,
    text: `${state}, by ${by}: ${reason}`,
    isNews: true,
  }),
  escalation: ({ operation, state, reason, request, loss }) => ({
    rule: 'recovery-escalated',
    subject: operation,
    bad: state === 'open',
    value: loss,
    text: `${reason}. ${request}`,
  }),
  mismatch: ({ venue, what, id, state, ledger, venue_says, reason }) => ({
    rule: 'reconciliation-mismatch',
    subject: `${venue}:${what}:${id}`,
    bad: state === 'open',
    text: `${what} ${id}: the ledger has ${ledger}, ${venue} says ${venue_says}. ${reason}`,
  }),
  settlement: ({ forced, instrument, side, qty, price }) =>
    forced === undefined
      ? undefined
      : {
          rule: 'position-reduced',
          subject: instrument,
          bad: true,
          text: `${forced === 'adl' ? 'auto-deleveraging' : 'liquidation'}: ${side} ${qty} at ${price}`,
          isNews: true,
        },
  ageing: ({ what, id, family, state, age_hours, limit_hours }) => ({
    rule: 'position-old',
    subject: id,
    bad: true,
    value: `${age_hours} h`,
    limit: `${limit_hours} h`,
    text: state === 'near' ? `${what} of ${family} nears its age` : `${what} of ${family} is over its age`,
    isNews: true,
  }),
  lease: ({ state, holder, epoch, reason }) =>
    state === 'released'
      ? undefined
      : {
          rule: 'lease-changed',
          subject: '',
          bad: true,
          text: `${state} by ${holder}, epoch ${epoch}. ${reason}`,
          isNews: true,
        },
  'venue-status': ({ venue, status, reason }) => ({
    rule: 'venue-down',
    subject: venue,
    bad: status === 'down',
    text: reason,
  }),
  opportunity: ({ route, expected_value, net_edge_bps, asset, status }, { opportunity_value }) =>
    Number(expected_value) < opportunity_value
      ? undefined
      : {
          rule: 'opportunity-large',
          subject: '',
          bad: true,
          value: expected_value,
          limit: String(opportunity_value),
          text: `${route}: ${expected_value} ${asset} expected, ${net_edge_bps} bps net, ${status}`,
          isNews: true,
        },
};

/** Events of which somebody may have to be told. */
export const alertingKinds = Object.keys(SPEAKERS) as readonly EventKind[];

function wordsOf(event: EngineEvent, limits: Limits): Words | undefined {
  // The kind and its data belong together; TypeScript does not follow that through an index.
  const speaker = SPEAKERS[event.kind] as
    ((data: EngineEvent['data'], limits: Limits) => Words | undefined) | undefined;
  return speaker?.(event.data, limits);
}
