import type { Clock } from '#shared/clock/clock.ts';
import { ApplicationError } from './errors.ts';
import { keptSecret, secretsClient, secretsManagerRead } from './secrets.ts';
import { dynamoTimeSeries } from './time-series-dynamo.ts';
import { influxTimeSeries, type InfluxOptions } from './time-series-influx.ts';
import { timestreamTimeSeries } from './time-series-timestream.ts';
import type { TimeSeriesStore } from './time-series.ts';
import type { Table } from './table.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where the configuration says that candles are kept (`stores`); docs/stores.md. */
export type TimeSeriesChoice = {
  readonly time_series: 'dynamodb' | 'influxdb' | 'timestream';
  readonly influxdb: { readonly url: string; readonly database: string };
  readonly timestream: { readonly database: string; readonly table: string };
};

/** `state`: the table that holds candles where nothing else is chosen. `env`: has the credentials, which no configuration holds. */
export function timeSeriesOf(choice: TimeSeriesChoice, state: Table, env: Environment): TimeSeriesStore {
  switch (choice.time_series) {
    case 'dynamodb':
      return dynamoTimeSeries(state);
    case 'influxdb':
      return influxTimeSeries(influxOptionsOf(choice, env));
    case 'timestream':
      return timestreamTimeSeries({ ...choice.timestream, region: env['AWS_REGION'] ?? 'us-east-1' });
  }
}

export const influxOptionsOf = ({ influxdb }: TimeSeriesChoice, env: Environment): InfluxOptions => ({
  ...influxdb,
  token: env['INFLUX_TOKEN'],
  user: env['INFLUX_USERNAME'],
  password: env['INFLUX_PASSWORD'],
});

/**
 * The choice of a Lambda, from `TIME_SERIES` and what goes with it: `INFLUX_URL`, `INFLUX_DATABASE` and `INFLUX_SECRET_ID`, a secret with
 * `{"token"}` or `{"username","password"}`; `TIMESTREAM_DATABASE` and `TIMESTREAM_TABLE`.
 * @throws ApplicationError 5003 for another word
 */
export function timeSeriesFrom(env: Environment, state: Table, clock: Clock): TimeSeriesStore {
  const kind = env['TIME_SERIES'] ?? 'dynamodb';
  if (kind !== 'dynamodb' && kind !== 'influxdb' && kind !== 'timestream') {
    throw new ApplicationError(5003, `environment variable TIME_SERIES is ${kind}`);
  }
  const choice: TimeSeriesChoice = {
    time_series: kind,
    influxdb: { url: env['INFLUX_URL'] ?? '', database: env['INFLUX_DATABASE'] ?? 'arbitrage' },
    timestream: {
      database: env['TIMESTREAM_DATABASE'] ?? 'arbitrage',
      table: env['TIMESTREAM_TABLE'] ?? 'candles',
    },
  };
  const secretId = env['INFLUX_SECRET_ID'] ?? '';
  if (kind !== 'influxdb' || secretId === '') return timeSeriesOf(choice, state, env);
  const secret = keptSecret({ read: secretsManagerRead(secretsClient(), secretId), clock });
  return withSecret(secret, (text) => timeSeriesOf(choice, state, { ...env, ...credentialsIn(text) }));
}

/** A store for each value of the secret: a new one begins with its remembered minutes empty, which costs a few reads. */
function withSecret(secret: () => Promise<string>, make: (text: string) => TimeSeriesStore): TimeSeriesStore {
  let current: { readonly text: string; readonly store: TimeSeriesStore } | undefined;
  const store = async (): Promise<TimeSeriesStore> => {
    const text = await secret();
    if (current?.text !== text) current = { text, store: make(text) };
    return current.store;
  };
  return {
    write: async (quotes, nowMs) => (await store()).write(quotes, nowMs),
    candles: async (query, nowMs) => (await store()).candles(query, nowMs),
  };
}

function credentialsIn(text: string): Environment {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    throw new ApplicationError(5003, 'the secret of InfluxDB is not JSON');
  }
  const { token, username, password } = said as Environment;
  return { INFLUX_TOKEN: token, INFLUX_USERNAME: username, INFLUX_PASSWORD: password };
}
