import { fileURLToPath } from 'node:url';
import type { StackProps } from 'aws-cdk-lib';
import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import {
  AccessLogFormat,
  EndpointType,
  LambdaIntegration,
  LogGroupLogDestination,
  MethodLoggingLevel,
  RestApi,
} from 'aws-cdk-lib/aws-apigateway';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Architecture, Runtime, StartingPosition, Tracing } from 'aws-cdk-lib/aws-lambda';
import { KinesisEventSource, SqsDlq } from 'aws-cdk-lib/aws-lambda-event-sources';
import { NodejsFunction, OutputFormat, SourceMapMode } from 'aws-cdk-lib/aws-lambda-nodejs';
import type { IStream } from 'aws-cdk-lib/aws-kinesis';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { CfnWebACL, CfnWebACLAssociation } from 'aws-cdk-lib/aws-wafv2';
import type { Construct } from 'constructs';
import type { Settings } from '../settings.ts';
import { isPrecious } from '../settings.ts';
import type { DataStack } from './data-stack.ts';

export type FunctionsProps = StackProps & { readonly settings: Settings; readonly data: DataStack };

const root = fileURLToPath(new URL('../../..', import.meta.url));
/** A record is tried so often and so long, then it goes to the dead letters: the rest of its shard waits no longer for it. */
const TRIES = 5;
const RECORD_AGE = Duration.hours(6);

/** The cold plane: the HTTP API and the projections of the streams. Nothing here keeps state of its own. */
export class FunctionsStack extends Stack {
  readonly rest: NodejsFunction;
  readonly projector: NodejsFunction;
  readonly market: NodejsFunction;
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
    this.#read(this.projector, data.streams.events);
    this.#read(this.market, data.streams.market);
    this.api = this.#restApi();
    this.#protect(this.api);
  }

  /** Each function may do what it does and nothing else. */
  #grant(): void {
    const { stateTable, eventsTable, jwtSecret, streams, key } = this.#props.data;
    const state = stateTable.tableArn;
    const allow = (to: NodejsFunction, resources: readonly string[], ...actions: readonly string[]): void =>
      to.addToRolePolicy(new PolicyStatement({ actions: [...actions], resources: [...resources] }));
    allow(this.projector, [state], 'dynamodb:UpdateItem', 'dynamodb:BatchWriteItem');
    allow(this.projector, [eventsTable.tableArn], 'dynamodb:BatchWriteItem');
    allow(this.market, [state], 'dynamodb:UpdateItem', 'dynamodb:BatchWriteItem');
    allow(this.rest, [state, `${state}/index/by_list`], 'dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:UpdateItem');
    allow(this.rest, [eventsTable.tableArn], 'dynamodb:Query');
    allow(this.rest, [jwtSecret.secretArn], 'secretsmanager:GetSecretValue');
    allow(this.rest, [streams.commands.streamArn], 'kinesis:PutRecord');
    for (const each of [this.rest, this.projector, this.market])
      allow(each, [key.keyArn], 'kms:Decrypt', 'kms:GenerateDataKey');
  }

  #function(name: string, entry: string, environment: Readonly<Record<string, string>>): NodejsFunction {
    const logGroup = new LogGroup(this, `${name}Log`, {
      retention: isPrecious(this.#props.settings) ? RetentionDays.THREE_MONTHS : RetentionDays.ONE_WEEK,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    return new NodejsFunction(this, name, {
      entry: `${root}${entry}`,
      handler: 'handler',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: 512,
      timeout: Duration.seconds(name === 'Rest' ? 10 : 60),
      tracing: Tracing.ACTIVE,
      logGroup,
      environment: { ...environment, NODE_OPTIONS: '--enable-source-maps' },
      depsLockFilePath: `${root}package-lock.json`,
      projectRoot: root,
      bundling: {
        format: OutputFormat.ESM,
        target: 'node24',
        mainFields: ['module', 'main'],
        minify: true,
        sourceMap: true,
        sourceMapMode: SourceMapMode.EXTERNAL,
        sourcesContent: false,
        // The runtime brings the SDK; the rest is bundled.
        externalModules: ['@aws-sdk/*', '@smithy/*'],
        banner: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
      },
    });
  }

  #read(target: NodejsFunction, stream: IStream): void {
    target.addEventSource(
      new KinesisEventSource(stream, {
        startingPosition: StartingPosition.TRIM_HORIZON,
        batchSize: 500,
        maxBatchingWindow: Duration.millis(0),
        parallelizationFactor: 1,
        retryAttempts: TRIES,
        maxRecordAge: RECORD_AGE,
        bisectBatchOnError: true,
        reportBatchItemFailures: true,
        onFailure: new SqsDlq(this.#props.data.deadLetters),
      }),
    );
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
    api.root.addProxy({ defaultIntegration: new LambdaIntegration(this.rest), anyMethod: true });
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
