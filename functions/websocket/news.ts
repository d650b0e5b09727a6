import type { EngineEvent } from '#shared/schema/event.ts';
import { opportunityOf, orderUpdateOf, systemOf, tradeOf } from '../rest/views.ts';
import type { News } from './subscription.ts';

/** What an event is to those who listen; undefined where no channel carries it. */
export function newsOf(event: EngineEvent): News | undefined {
  switch (event.kind) {
    case 'opportunity':
      return { channel: 'opportunities', data: opportunityOf(event) };
    case 'order':
      return { channel: 'orders', data: orderUpdateOf(event) };
    case 'fill':
      return { channel: 'trades', data: tradeOf(event) };
    case 'engine-started':
    case 'engine-stopped':
    case 'trading-state':
    case 'venue-status':
      return { channel: 'system', data: systemOf(event) };
    case 'command-refused':
    case 'command-done':
    case 'risk-limits':
    case 'breaker':
    case 'emergency-stop':
    case 'escalation':
    case 'mismatch':
    case 'adjustment':
    case 'lease':
    case 'operation':
    case 'balance':
    case 'position':
    case 'holding':
    case 'settlement':
    case 'funding':
      return undefined;
  }
}
