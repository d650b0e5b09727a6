import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import {
  AccessLogFormat,
  EndpointType,
  LambdaIntegration,
  LogGroupLogDestination,
  MethodLoggingLevel,
  RestApi,
} from 'aws-cdk-lib/aws-apigateway';
import type { Function as Lambda } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { CfnWebACL, CfnWebACLAssociation } from 'aws-cdk-lib/aws-wafv2';
import type { Construct } from 'constructs';
import { acknowledge } from '../acknowledged.ts';
import { allow, createLambda, type Ground } from './lambda.ts';
import { allowCandles, candlesEnvironment } from './time-series.ts';

/** The HTTP API: one function behind a regional endpoint, and a firewall before it. */
export function createRestApi(scope: Construct, ground: Ground): { readonly api: RestApi; readonly rest: Lambda } {
  const rest = restFunction(scope, ground);
  const api = gatewayOf(scope, rest);
  if (ground.settings.endpoint === 'aws') protect(scope, api);
  else acknowledge(api.deploymentStage, { 'AwsSolutions-APIG3': 'Of an endpoint on this machine' });
  return { api, rest };
}

function restFunction(scope: Construct, ground: Ground): Lambda {
  const { stateTable, eventsTable, jwtSecret, streams } = ground.data;
  const rest = createLambda(scope, 'Rest', {
    ...ground,
    entry: 'functions/rest/rest.lambda.ts',
    timeout: Duration.seconds(10),
    environment: {
      STATE_TABLE: stateTable.tableName,
      EVENTS_TABLE: eventsTable.tableName,
      ENGINE: ground.settings.engine,
      COMMANDS_STREAM: streams.commands.streamName,
      JWT_SECRET_ID: jwtSecret.secretArn,
      VENUES: ground.settings.venues.join(','),
      CORS_ORIGINS: ground.settings.corsOrigins.join(','),
      ...candlesEnvironment(ground.settings),
    },
  });
  const state = stateTable.tableArn;
  allow(rest, [state, `${state}/index/by_list`, eventsTable.tableArn], 'dynamodb:Query');
  allow(rest, [state], 'dynamodb:GetItem', 'dynamodb:UpdateItem');
  allow(rest, [jwtSecret.secretArn], 'secretsmanager:GetSecretValue');
  allow(rest, [streams.commands.streamArn], 'kinesis:PutRecord');
  allowCandles(rest, ground.settings);
  return rest;
}

function gatewayOf(scope: Construct, rest: Lambda): RestApi {
  const log = new LogGroup(scope, 'ApiAccess', {
    retention: RetentionDays.ONE_MONTH,
    removalPolicy: RemovalPolicy.DESTROY,
  });
  const api = new RestApi(scope, 'Api', {
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
    defaultIntegration: new LambdaIntegration(rest),
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
function protect(scope: Construct, api: RestApi): void {
  const managed = (name: string, priority: number) => ({
    name,
    priority,
    overrideAction: { none: {} },
    statement: { managedRuleGroupStatement: { vendorName: 'AWS', name } },
    visibilityConfig: { sampledRequestsEnabled: true, cloudWatchMetricsEnabled: true, metricName: name },
  });
  const acl = new CfnWebACL(scope, 'Firewall', {
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
  new CfnWebACLAssociation(scope, 'FirewallOfApi', {
    resourceArn: api.deploymentStage.stageArn,
    webAclArn: acl.attrArn,
  });
}
