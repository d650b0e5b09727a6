import type { KinesisStreamEvent } from 'aws-lambda';
import type { Clock } from '#shared/clock/clock.ts';
import type { AlertsConfig } from '#shared/schema/alerts.ts';
import { engineEvent } from '#shared/schema/event.ts';
import { ApplicationError } from '../common/errors.ts';
import type { Log } from '../common/log.ts';
import { ALL_DONE, parsed, recordsOf, retryFrom, type BatchResponse, type StreamRecord } from '../stream/records.ts';
import type { Signal } from './alert.ts';
import type { AlertDesk } from './desk.ts';
import { alertingKinds, signalsOfEvent } from './event-signals.ts';

export type AlertStreamOptions = {
  readonly desk: AlertDesk;
  readonly engine: string;
  readonly config: () => Promise<AlertsConfig>;
  readonly clock: Clock;
  readonly log: Log;
  /** Told when something was heard. */
  readonly onSignals?: () => void;
};

/** The `events` stream into alerts: most records are passed over by their text. What cannot be read is the projector's to bury. */
export function createAlertStream(options: AlertStreamOptions): (event: KinesisStreamEvent) => Promise<BatchResponse> {
  const { desk, clock, log } = options;
  return async (event) => {
    const records = recordsOf(event);
    const config = await options.config();
    if (!config.enabled) return ALL_DONE;
    for (const record of records) {
      const signals = signalsOf(record, options.engine, config, clock.unixMs(clock.now()));
      if (signals.length === 0) continue;
      try {
        await desk.hear(signals);
      } catch (error) {
        if (!(error instanceof ApplicationError)) throw error;
        log.warn('signals-retried', { cause: error.message });
        return retryFrom(record);
      }
      options.onSignals?.();
    }
    return ALL_DONE;
  };
}

function signalsOf({ text }: StreamRecord, engine: string, config: AlertsConfig, nowMs: number): readonly Signal[] {
  if (!mayMatter(text, config.limits.opportunity_value)) return [];
  const result = parsed(text, engineEvent);
  return 'value' in result && result.value.engine === engine ? signalsOfEvent(result.value, config, nowMs) : [];
}

const KIND = new RegExp(`"kind":"(${alertingKinds.join('|')})"`);
const EXPECTED_VALUE = /"expected_value":"(-?[\d.]+)"/;

/** Nearly all events are of opportunities that are not large: to parse them all would cost more than everything else here. */
function mayMatter(text: string, opportunityValue: number): boolean {
  const kind = KIND.exec(text)?.[1];
  if (kind !== 'opportunity') return kind !== undefined;
  return Number(EXPECTED_VALUE.exec(text)?.[1] ?? Infinity) >= opportunityValue;
}
