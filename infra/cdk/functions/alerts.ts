import { fileURLToPath } from 'node:url';
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import type { RestApi } from 'aws-cdk-lib/aws-apigateway';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { Key } from 'aws-cdk-lib/aws-kms';
import { EventSourceMapping, type Function as Lambda } from 'aws-cdk-lib/aws-lambda';
import type { Topic } from 'aws-cdk-lib/aws-sns';
import { SqsSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { loadConfig } from '#shared/config/load.ts';
import { SEVERITIES, type AlertRuleId, type Severity } from '#shared/schema/alerts.ts';
import { acknowledge } from '../acknowledged.ts';
import { isPrecious, type Settings } from '../settings.ts';
import { allow, createLambda, readStream, type Ground } from './lambda.ts';
import { createTopic } from './topics.ts';

export type Alerting = {
  readonly topics: Readonly<Record<Severity, Topic>>;
  readonly judge: Lambda;
  readonly sender: Lambda;
  /** Notices on their way to Slack and webhooks, and those that nobody took. */
  readonly notices: Queue;
  readonly undelivered: Queue;
};

const configDir = fileURLToPath(new URL('../../../config', import.meta.url));
/** CloudWatch sees these itself, where it watches the engine: nobody wants to be told twice. */
const CLOUDWATCH_JUDGES: readonly AlertRuleId[] = ['engine-silent', 'memory-high', 'memory-full'];
/** A notice is tried again every two minutes, for an hour. */
const VISIBLE_AGAIN = Duration.minutes(2);
const TRIES = 30;

/** Events and figures → alerts → a topic of their severity → mail, and a queue → Slack and webhooks. */
export function createAlerts(scope: Construct, ground: Ground, api: RestApi): Alerting {
  const { alerts, risk } = loadConfig({
    dir: configDir,
    env: { ARB_SYSTEM__ENVIRONMENT: ground.settings.environment },
  });
  const isMailed = (severity: Severity): boolean =>
    SEVERITIES.indexOf(severity) >= SEVERITIES.indexOf(alerts.min_severity.email);
  const topics = {
    info: createTopic(scope, 'Notes', ground, isMailed('info')),
    warning: createTopic(scope, 'Warnings', ground, isMailed('warning')),
    critical: createTopic(scope, 'Emergencies', ground, isMailed('critical')),
  };
  const off = isWatched(ground.settings) ? [...alerts.off, ...CLOUDWATCH_JUDGES] : alerts.off;
  const common = {
    STATE_TABLE: ground.data.stateTable.tableName,
    EVENTS_TABLE: ground.data.eventsTable.tableName,
    ENGINE: ground.settings.engine,
    ALERTS: JSON.stringify({ ...alerts, off }),
  };
  const judge = judgeOf(scope, ground, topics, {
    ...common,
    API_URL: api.url,
    JWT_SECRET_ID: ground.data.jwtSecret.secretArn,
    MAX_DAILY_LOSS_USD: String(risk.max_daily_loss_usd),
  });
  return { topics, judge, ...senderOf(scope, ground, topics, common) };
}

function judgeOf(
  scope: Construct,
  ground: Ground,
  topics: Alerting['topics'],
  environment: Readonly<Record<string, string>>,
): Lambda {
  const { data } = ground;
  const arns = Object.fromEntries(Object.entries(topics).map(([severity, { topicArn }]) => [severity, topicArn]));
  const judge = createLambda(scope, 'Alerts', {
    ...ground,
    entry: 'functions/alerts/evaluate.lambda.ts',
    environment: { ...environment, TOPICS: JSON.stringify(arns) },
  });
  allow(judge, [data.stateTable.tableArn], 'dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:UpdateItem');
  allow(judge, [data.jwtSecret.secretArn], 'secretsmanager:GetSecretValue');
  allow(judge, Object.values(arns), 'sns:Publish');
  readStream(scope, 'EventsToAlerts', { target: judge, stream: data.streams.events, data });
  new Rule(scope, 'EveryMinute', {
    description: 'Figures are looked at, and what could not be told is told',
    schedule: Schedule.rate(Duration.minutes(1)),
    targets: [new LambdaFunction(judge, { retryAttempts: 0 })],
  });
  return judge;
}

function senderOf(
  scope: Construct,
  ground: Ground,
  topics: Alerting['topics'],
  environment: Readonly<Record<string, string>>,
): Pick<Alerting, 'sender' | 'notices' | 'undelivered'> {
  const { data } = ground;
  // By its ARN: a subscription would write the topics into the policy of the key, which stands in another stack.
  const encryptionMasterKey = Key.fromKeyArn(scope, 'DataKey', data.key.keyArn);
  const removalPolicy = isPrecious(ground.settings) ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;
  const common = { encryption: QueueEncryption.KMS, encryptionMasterKey, enforceSSL: true, removalPolicy };
  const undelivered = new Queue(scope, 'Undelivered', { ...common, retentionPeriod: Duration.days(14) });
  acknowledge(undelivered, { 'AwsSolutions-SQS3': 'This is the queue for what others could not do' });
  const notices = new Queue(scope, 'Notices', {
    ...common,
    visibilityTimeout: VISIBLE_AGAIN,
    deadLetterQueue: { queue: undelivered, maxReceiveCount: TRIES },
  });
  for (const topic of Object.values(topics)) topic.addSubscription(new SqsSubscription(notices));

  const sender = createLambda(scope, 'AlertSender', {
    ...ground,
    entry: 'functions/alerts/send.lambda.ts',
    timeout: Duration.seconds(90),
    environment: { ...environment, CHANNELS_SECRET_ID: data.alertChannels.secretArn },
  });
  allow(sender, [data.stateTable.tableArn], 'dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:UpdateItem');
  allow(sender, [data.alertChannels.secretArn], 'secretsmanager:GetSecretValue');
  allow(sender, [notices.queueArn], 'sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ReceiveMessage');
  const mapping = new EventSourceMapping(scope, 'NoticesToSender', {
    target: sender,
    eventSourceArn: notices.queueArn,
    // Three attempts of five seconds and two channels at once: so many fit into the function's time.
    batchSize: 5,
    reportBatchItemFailures: true,
  });
  mapping.node.addDependency(sender.role!);
  return { sender, notices, undelivered };
}

const isWatched = ({ stacks }: Settings): boolean => stacks.includes('hotpath') && stacks.includes('observability');
