import { Stack } from 'aws-cdk-lib';
import type { Function as Lambda } from 'aws-cdk-lib/aws-lambda';
import { acknowledge } from '../acknowledged.ts';
import type { Settings } from '../settings.ts';
import { allow } from './lambda.ts';

/** How a function finds the candles: functions/common/time-series-choice.ts reads it. Empty where they are in the state table. */
export function candlesEnvironment(settings: Settings): Readonly<Record<string, string>> {
  switch (settings.timeSeries) {
    case 'dynamodb':
      return {};
    case 'influxdb':
      return { TIME_SERIES: 'influxdb', INFLUX_URL: settings.influxUrl, INFLUX_SECRET_ID: settings.influxSecret };
    case 'timestream':
      return { TIME_SERIES: 'timestream', TIMESTREAM_DATABASE: settings.timestreamDatabase };
  }
}

/** What it may do there beside the state table: one makes candles, the other looks at them. */
export function allowCandles(to: Lambda, settings: Settings, may: 'read' | 'write'): void {
  if (settings.timeSeries === 'influxdb') allow(to, [settings.influxSecret], 'secretsmanager:GetSecretValue');
  if (settings.timeSeries !== 'timestream') return;
  const tables = `${settings.timestreamDatabase}/table/*`;
  acknowledge(to.role!, {
    [`AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:timestream:<AWS::Region>:<AWS::AccountId>:database/${tables}]`]:
      'The tables of candles in their one database, one for each length',
  });
  const arn = Stack.of(to).formatArn({ service: 'timestream', resource: 'database', resourceName: tables });
  allow(to, [arn], 'timestream:Select', ...(may === 'write' ? ['timestream:WriteRecords'] : []));
  // Which has no resources.
  allow(to, ['*'], 'timestream:DescribeEndpoints');
}
