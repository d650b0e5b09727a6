import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { StackProps } from 'aws-cdk-lib';
import { AssetHashType, DockerImage, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import {
  AccessLogFormat,
  EndpointType,
  LambdaIntegration,
  LogGroupLogDestination,
  MethodLoggingLevel,
  RestApi,
} from 'aws-cdk-lib/aws-apigateway';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Architecture,
  Code,
  EventSourceMapping,
  Function as Lambda,
  Runtime,
  StartingPosition,
  Tracing,
} from 'aws-cdk-lib/aws-lambda';
import type { IStream } from 'aws-cdk-lib/aws-kinesis';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { CfnWebACL, CfnWebACLAssociation } from 'aws-cdk-lib/aws-wafv2';
import type { Construct } from 'constructs';
import { acknowledge } from '../acknowledged.ts';
import type { Settings } from '../settings.ts';
import { isPrecious } from '../settings.ts';
import type { DataStack } from './data-stack.ts';

export type FunctionsProps = StackProps & { readonly settings: Settings; readonly data: DataStack };

const root = fileURLToPath(new URL('../../..', import.meta.url));
const bundler = fileURLToPath(new URL('../bundle.ts', import.meta.url));
/** A record is tried so often and so long, then it goes to the dead letters: the rest of its shard waits no longer for it. */
const TRIES = 5;
const RECORD_AGE = Duration.hours(6);

/** The cold plane: the HTTP API and the projections of the streams. Nothing here keeps state of its own. */
export class FunctionsStack extends Stack {
  readonly rest: Lambda;
  readonly projector: Lambda;
  readonly market: Lambda;
  readonly api: RestApi;
  readonly #props: FunctionsProps;

  constructor(scope: Construct, id: string, props: FunctionsProps) {
    super(scope, id, props);
    this.#props = props;
    const { data, settings } = props;
    const tables = { STATE_TABLE: data.stateTable.tableName, EVENTS_TABLE: data.eventsTable.tableName };

    this.projector = this.#function('Projector', 'functions/stream/projector.lambda.ts', {
      ...tables,
      EVENTS_STREAM: data.streams.events.streamName,
    });
    this.market = this.#function('Market', 'functions/stream/market.lambda.ts', {
      ...tables,
      MARKET_STREAM: data.streams.market.streamName,
    });
    this.rest = this.#function('Rest', 'functions/rest/rest.lambda.ts', {
      ...tables,
      ENGINE: settings.engine,
      COMMANDS_STREAM: data.streams.commands.streamName,
      JWT_SECRET_ID: data.jwtSecret.secretArn,
      VENUES: settings.venues.join(','),
      CORS_ORIGINS: settings.corsOrigins.join(','),
    });
    this.#grant();
    this.#read('EventsToProjector', this.projector, data.streams.events);
    this.#read('SamplesToMarket', this.market, data.streams.market);
    this.api = this.#restApi();
    if (settings.endpoint === 'aws') this.#protect(this.api);
    else acknowledge(this.api.deploymentStage, { 'AwsSolutions-APIG3': 'Of an endpoint on this machine' });
  }

  /** Each function may do what it does and nothing else. */
  #grant(): void {
    const { stateTable, eventsTable, jwtSecret, streams, deadLetters, key } = this.#props.data;
    const state = stateTable.tableArn;
    allow(this.projector, [state, eventsTable.tableArn], 'dynamodb:BatchWriteItem');
    allow(this.projector, [state], 'dynamodb:UpdateItem');
    allow(this.projector, [streams.events.streamArn], ...READ_STREAM);
    allow(this.market, [state], 'dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:UpdateItem');
    allow(this.market, [streams.market.streamArn], ...READ_STREAM);
    allow(this.rest, [state, `${state}/index/by_list`, eventsTable.tableArn], 'dynamodb:Query');
    allow(this.rest, [state], 'dynamodb:GetItem', 'dynamodb:UpdateItem');
    allow(this.rest, [jwtSecret.secretArn], 'secretsmanager:GetSecretValue');
    allow(this.rest, [streams.commands.streamArn], 'kinesis:PutRecord');
    for (const each of [this.projector, this.market]) allow(each, [deadLetters.queueArn], 'sqs:SendMessage');
    for (const each of [this.rest, this.projector, this.market])
      allow(each, [key.keyArn], 'kms:Decrypt', 'kms:GenerateDataKey');
  }

  #function(name: string, entry: string, environment: Readonly<Record<string, string>>): Lambda {
    const logGroup = new LogGroup(this, `${name}Log`, {
      retention: isPrecious(this.#props.settings) ? RetentionDays.THREE_MONTHS : RetentionDays.ONE_WEEK,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = new Role(this, `${name}Role`, { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    const lambda = new Lambda(this, name, {
      code: bundled(entry, this.#props.settings.endpoint === 'aws' ? 'of-the-runtime' : 'bundled'),
      handler: 'index.handler',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: 512,
      timeout: Duration.seconds(name === 'Rest' ? 10 : 60),
      tracing: Tracing.ACTIVE,
      role,
      logGroup,
      environment: { ...environment, NODE_OPTIONS: '--enable-source-maps' },
    });
    allow(lambda, [logGroup.logGroupArn], 'logs:CreateLogStream', 'logs:PutLogEvents');
    acknowledge(role, {
      'AwsSolutions-IAM5[Resource::*]': 'X-Ray takes traces from anybody who may send them: it has no resources',
    });
    return lambda;
  }

  #read(name: string, target: Lambda, stream: IStream): void {
    const { deadLetters } = this.#props.data;
    const mapping = new EventSourceMapping(this, name, {
      target,
      eventSourceArn: stream.streamArn,
      startingPosition: StartingPosition.TRIM_HORIZON,
      batchSize: 500,
      parallelizationFactor: 1,
      retryAttempts: TRIES,
      maxRecordAge: RECORD_AGE,
      bisectBatchOnError: true,
      reportBatchItemFailures: true,
      onFailure: { bind: () => ({ destination: deadLetters.queueArn }) },
    });
    // Lambda looks whether it may read before it agrees to.
    mapping.node.addDependency(target.role!);
  }

  #restApi(): RestApi {
    const log = new LogGroup(this, 'ApiAccess', {
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const api = new RestApi(this, 'Api', {
      description: 'arbitrage-engine',
      endpointTypes: [EndpointType.REGIONAL],
      cloudWatchRole: true,
      deployOptions: {
        stageName: 'live',
        tracingEnabled: true,
        metricsEnabled: true,
        loggingLevel: MethodLoggingLevel.ERROR,
        dataTraceEnabled: false,
        throttlingRateLimit: 200,
        throttlingBurstLimit: 400,
        accessLogDestination: new LogGroupLogDestination(log),
        accessLogFormat: AccessLogFormat.jsonWithStandardFields(),
      },
    });
    const requestValidator = api.addRequestValidator('Validator', {
      validateRequestBody: true,
      validateRequestParameters: true,
    });
    api.root.addProxy({
      defaultIntegration: new LambdaIntegration(this.rest),
      defaultMethodOptions: { requestValidator, requestParameters: { 'method.request.path.proxy': true } },
      anyMethod: true,
    });
    const ownTokens =
      'The function checks its own signed tokens and scopes on every route; what is open (health, metrics, the document, the token) is so by contract';
    acknowledge(api.root, { 'AwsSolutions-APIG4': ownTokens, 'AwsSolutions-COG4': ownTokens });
    acknowledge(api, {
      'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]':
        'The role that API Gateway prescribes for its logs: one an account, for whatever log groups its APIs have',
    });
    return api;
  }

  /** What everybody tries on everybody, and floods from one address. */
  #protect(api: RestApi): void {
    const managed = (name: string, priority: number) => ({
      name,
      priority,
      overrideAction: { none: {} },
      statement: { managedRuleGroupStatement: { vendorName: 'AWS', name } },
      visibilityConfig: { sampledRequestsEnabled: true, cloudWatchMetricsEnabled: true, metricName: name },
    });
    const acl = new CfnWebACL(this, 'Firewall', {
      scope: 'REGIONAL',
      defaultAction: { allow: {} },
      visibilityConfig: { sampledRequestsEnabled: true, cloudWatchMetricsEnabled: true, metricName: 'firewall' },
      rules: [
        managed('AWSManagedRulesCommonRuleSet', 1),
        managed('AWSManagedRulesKnownBadInputsRuleSet', 2),
        {
          name: 'flood',
          priority: 3,
          action: { block: {} },
          statement: { rateBasedStatement: { limit: 6_000, aggregateKeyType: 'IP' } },
          visibilityConfig: { sampledRequestsEnabled: true, cloudWatchMetricsEnabled: true, metricName: 'flood' },
        },
      ],
    });
    new CfnWebACLAssociation(this, 'FirewallOfApi', {
      resourceArn: api.deploymentStage.stageArn,
      webAclArn: acl.attrArn,
    });
  }
}

const READ_STREAM = [
  'kinesis:DescribeStream',
  'kinesis:DescribeStreamSummary',
  'kinesis:GetRecords',
  'kinesis:GetShardIterator',
  'kinesis:ListShards',
] as const;

function allow(to: Lambda, resources: readonly string[], ...actions: readonly string[]): void {
  to.addToRolePolicy(new PolicyStatement({ actions: [...actions], resources: [...resources] }));
}

/** The entry as one file. Synthesis cannot wait for a promise, so that another process makes it. */
function bundled(entry: string, sdk: 'of-the-runtime' | 'bundled'): Code {
  return Code.fromAsset(root, {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      image: DockerImage.fromRegistry('never-used'),
      // Never run either: what is alike in words is bundled once, and the functions below are not words.
      command: [entry, sdk],
      local: {
        tryBundle: (outDir) => {
          execFileSync(process.execPath, [bundler, join(root, entry), outDir, sdk], {
            stdio: ['ignore', 'inherit', 'inherit'],
          });
          return true;
        },
      },
    },
  });
}
