import type { EngineEvent } from '#shared/schema/event.ts';
import { isoFromNs } from '../common/envelope.ts';
import { breakerChangeOf, opportunityOf, orderUpdateOf, systemOf, tradeOf } from '../rest/views.ts';
import type { News } from './subscription.ts';

/** What an event is to those who listen, by channel; nothing where none carries it. */
export function newsOf(event: EngineEvent): readonly News[] {
  switch (event.kind) {
    case 'opportunity':
      return [{ channel: 'opportunities', data: opportunityOf(event) }];
    case 'order':
      return [{ channel: 'orders', data: orderUpdateOf(event) }];
    case 'fill':
      return [{ channel: 'trades', data: tradeOf(event) }];
    case 'engine-started':
    case 'engine-stopped':
    case 'trading-state':
    case 'venue-status':
    case 'emergency-stop':
    case 'escalation':
    case 'mismatch':
    case 'adjustment':
    case 'position-adjustment':
    case 'ageing':
    case 'lease':
      return [{ channel: 'system', data: systemOf(event) }];
    case 'breaker':
      return [
        { channel: 'system', data: systemOf(event) },
        { channel: 'risk', data: { event: 'breaker', ...breakerChangeOf(event) } },
      ];
    case 'risk-limits': {
      const { limits, by } = event.data;
      return [{ channel: 'risk', data: { event: 'limits', limits, by, timestamp: isoFromNs(event.at) } }];
    }
    case 'command-refused':
    case 'command-done':
    case 'operation':
    case 'balance':
    case 'position':
    case 'holding':
    case 'settlement':
    case 'profit-peak':
    case 'funding':
      return [];
  }
}
