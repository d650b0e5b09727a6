import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import {
  AccessLogFormat,
  EndpointType,
  IdentitySource,
  LambdaIntegration,
  LogGroupLogDestination,
  MethodLoggingLevel,
  RequestAuthorizer,
  ResponseType,
  RestApi,
} from 'aws-cdk-lib/aws-apigateway';
import type { Function as Lambda } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { CfnWebACL, CfnWebACLAssociation } from 'aws-cdk-lib/aws-wafv2';
import type { Construct } from 'constructs';
import { acknowledge } from '../acknowledged.ts';
import { providerEnvironment } from './authorizer.ts';
import { allow, createLambda, type Ground } from './lambda.ts';
import { allowCandles, candlesEnvironment } from './time-series.ts';

/** What anybody may ask for: what is alive, what is described, and what brings its own proof. */
const OPEN = ['health', 'ready', 'metrics', 'v1/openapi.json', 'v1/docs', 'v1/auth/token', 'v1/alerts/{id}/ack'];
/** So long the authorizer's word on a token is kept; the function checks the token again in any case. */
const BELIEVED = Duration.minutes(1);

/** The HTTP API: one function behind a regional endpoint, an authorizer and a firewall before it. */
export function createRestApi(
  scope: Construct,
  ground: Ground,
  authorizer: Lambda,
): { readonly api: RestApi; readonly rest: Lambda } {
  const rest = restFunction(scope, ground);
  const api = gatewayOf(scope);
  route(scope, api, { rest, authorizer });
  explain(api);
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
      ...providerEnvironment(ground.settings),
    },
  });
  const state = stateTable.tableArn;
  allow(rest, [state, `${state}/index/by_list`, eventsTable.tableArn], 'dynamodb:Query');
  allow(rest, [state], 'dynamodb:GetItem', 'dynamodb:UpdateItem');
  allow(rest, [jwtSecret.secretArn], 'secretsmanager:GetSecretValue');
  allow(rest, [streams.commands.streamArn], 'kinesis:PutRecord');
  allowCandles(rest, ground.settings, 'read');
  return rest;
}

function gatewayOf(scope: Construct): RestApi {
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
  acknowledge(api, {
    'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]':
      'The role that API Gateway prescribes for its logs: one an account, for whatever log groups its APIs have',
  });
  return api;
}

/** Everything goes to the one function; with a valid token, but for what is open and what browsers ask beforehand. */
function route(
  scope: Construct,
  api: RestApi,
  { rest, authorizer: handler }: { readonly rest: Lambda; readonly authorizer: Lambda },
): void {
  const integration = new LambdaIntegration(rest);
  const authorizer = new RequestAuthorizer(scope, 'Tokens', {
    handler,
    identitySources: [IdentitySource.header('Authorization')],
    resultsCacheTtl: BELIEVED,
  });
  const requestValidator = api.addRequestValidator('Validator', {
    validateRequestBody: true,
    validateRequestParameters: true,
  });
  for (const path of OPEN) {
    const parameters = [...path.matchAll(/\{(\w+)\}/g)].map(
      ([, name]) => [`method.request.path.${name!}`, true] as const,
    );
    api.root
      .resourceForPath(path)
      .addMethod('ANY', integration, { requestValidator, requestParameters: Object.fromEntries(parameters) });
  }
  const anyPath = { requestValidator, requestParameters: { 'method.request.path.proxy': true } };
  for (const parent of [api.root, api.root.resourceForPath('v1')]) {
    const proxy = parent.addProxy({ anyMethod: false });
    proxy.addMethod('ANY', integration, { ...anyPath, authorizer });
    proxy.addMethod('OPTIONS', integration, anyPath);
  }
  const ownTokens = 'The function checks its own signed tokens and scopes on every route, behind the authorizer too';
  const open = 'Open by contract: what is alive, what is described, what brings its own proof, and preflights';
  acknowledge(api.root, { 'AwsSolutions-APIG4': open, 'AwsSolutions-COG4': ownTokens });
}

/** What API Gateway refuses by itself is told in the words of the API. */
function explain(api: RestApi): void {
  const answer = (
    type: ResponseType,
    status: number,
    { code, category, message, detail }: { code: string; category: string; message: string; detail: string },
  ): void => {
    const text = (value: string): string => (value.includes('$context') ? value : JSON.stringify(value));
    api.addGatewayResponse(type.responseType, {
      type,
      statusCode: String(status),
      responseHeaders: { 'X-Request-Id': 'context.requestId' },
      templates: {
        'application/json':
          `{"status":"error","timestamp":"$context.requestTime","error":{"code":${code},"category":${text(category)},` +
          `"message":${text(message)},"detail":${text(detail)},"request_id":"$context.requestId"}}`,
      },
    });
  };
  const detail = '$context.error.messageString';
  const authentication = { category: 'Authentication' };
  const invalid = { ...authentication, code: '1001', message: 'Invalid API key' };
  answer(ResponseType.UNAUTHORIZED, 401, { ...invalid, detail: 'the token is missing or not valid' });
  // The authorizer denies what is over, and nothing else.
  const over = { ...authentication, code: '1002', message: 'Expired token' };
  answer(ResponseType.ACCESS_DENIED, 401, { ...over, detail: 'get another token' });
  const denied = { ...authentication, message: 'Insufficient permissions' };
  answer(ResponseType.WAF_FILTERED, 403, { code: '1003', ...denied, detail: 'refused by the firewall' });
  const request = { category: 'Request', detail };
  answer(ResponseType.MISSING_AUTHENTICATION_TOKEN, 404, { ...request, code: '404', message: 'Not found' });
  answer(ResponseType.THROTTLED, 429, { ...request, code: '429', message: 'Too many requests' });
  answer(ResponseType.DEFAULT_4XX, 400, { ...request, code: '3001', message: 'Invalid order parameters' });
  const system = { category: 'System', detail };
  answer(ResponseType.AUTHORIZER_FAILURE, 503, { ...system, code: '5002', message: 'External service unavailable' });
  answer(ResponseType.INTEGRATION_TIMEOUT, 503, { ...system, code: '5002', message: 'External service unavailable' });
  answer(ResponseType.DEFAULT_5XX, 500, { ...system, code: '500', message: 'Internal error' });
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
