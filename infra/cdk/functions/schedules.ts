import { Duration, type Stack } from 'aws-cdk-lib';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import type { Function as Lambda } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { acknowledge } from '../acknowledged.ts';
import { allow, createLambda, type Ground } from './lambda.ts';
import { createTopic } from './topics.ts';

/** What is done by the clock: the daily report, once its day is settled. It makes up days that were missed. */
export function createSchedules(scope: Construct, ground: Ground): { readonly reports: Lambda } {
  const { data, settings } = ground;
  const topic = createTopic(scope, 'DailyReports', ground, true);
  const reports = createLambda(scope, 'Reports', {
    ...ground,
    entry: 'functions/reports/daily.lambda.ts',
    timeout: Duration.minutes(5),
    environment: {
      STATE_TABLE: data.stateTable.tableName,
      EVENTS_TABLE: data.eventsTable.tableName,
      ENGINE: settings.engine,
      REPORTS_BUCKET: data.reports.bucketName,
      REPORTS_TOPIC: topic.topicArn,
    },
  });
  const state = data.stateTable.tableArn;
  allow(reports, [state, `${state}/index/by_list`], 'dynamodb:Query');
  allow(reports, [state], 'dynamodb:GetItem', 'dynamodb:UpdateItem');
  const objects = `/reports/${settings.engine}/*`;
  allow(reports, [`${data.reports.bucketArn}${objects}`], 's3:PutObject');
  acknowledge(reports.role!, {
    [`AwsSolutions-IAM5[Resource::${importOf(data, data.reports.bucketArn)}${objects}]`]:
      'The reports of one engine in the one bucket: their names come with the day',
  });
  allow(reports, [topic.topicArn], 'sns:Publish');
  new Rule(scope, 'EveryDay', {
    description: 'The report of the day before (UTC)',
    schedule: Schedule.cron({ hour: '1', minute: '5' }),
    targets: [new LambdaFunction(reports, { retryAttempts: 2, maxEventAge: Duration.hours(6) })],
  });
  return { reports };
}

/** Under which name the value of another stack comes into this one. */
function importOf(stack: Stack, value: string): string {
  const { 'Fn::ImportValue': name } = stack.resolve(stack.exportValue(value)) as { readonly 'Fn::ImportValue': string };
  return name;
}
