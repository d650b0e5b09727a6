import type { DestinationStream } from 'pino';
import { destination, pino } from 'pino';
import type { Clock } from '#shared/clock/clock.ts';

/** A line is an event name plus fields: `log.warn('feed-gap', { instrument, lastSequence })`. Values of secret fields never leave. */
export type Logger = {
  readonly debug: LogLine;
  readonly info: LogLine;
  readonly warn: LogLine;
  readonly error: LogLine;
};
type LogLine = (event: string, fields?: Readonly<Record<string, unknown>>) => void;

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

const secretFields = [
  'apiKey',
  'secret',
  'passphrase',
  'password',
  'token',
  'authorization',
  'signature',
  'privateKey',
];

/** One JSON object a line, on standard error unless `to` is given; times are the passed clock's. */
export function createLogger(options: {
  readonly name: string;
  readonly level: LogLevel;
  readonly clock: Clock;
  readonly to?: DestinationStream;
}): Logger {
  const { clock } = options;
  const sink = pino(
    {
      level: options.level,
      base: { name: options.name },
      messageKey: 'event',
      timestamp: () => `,"time":${Math.round(clock.unixMs(clock.now()))}`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secretFields.flatMap((field) => [field, `*.${field}`]), censor: '[redacted]' },
    },
    options.to ?? destination({ dest: 2, sync: true }),
  );
  return {
    debug: (event, fields) => sink.debug(fields ?? {}, event),
    info: (event, fields) => sink.info(fields ?? {}, event),
    warn: (event, fields) => sink.warn(fields ?? {}, event),
    error: (event, fields) => sink.error(fields ?? {}, event),
  };
}

const nothing: LogLine = () => undefined;
/** Says nothing: for tests and replays. */
export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
