import { Arn, ArnFormat, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import { LogGroupLogDestination, WebSocketApi, WebSocketStage } from 'aws-cdk-lib/aws-apigatewayv2';
import { WebSocketLambdaAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { WebSocketLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { StartingPosition, type Function as Lambda } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { acknowledge } from '../acknowledged.ts';
import { allow, createLambda, readStream, type Ground } from './lambda.ts';

export type PushApi = { readonly stage: WebSocketStage; readonly push: Lambda; readonly fanout: Lambda };

const STAGE = 'live';

/** The WebSocket API: one function for what clients say, and one that brings them what the streams bring. */
export function createPushApi(scope: Construct, ground: Ground, authorizer: Lambda): PushApi {
  const api = new WebSocketApi(scope, 'PushApi', { description: 'arbitrage-engine push' });
  const stage = stageOf(scope, api);
  const push = pushFunction(scope, ground, stage);
  const fanout = fanoutFunction(scope, ground, stage);

  const integration = new WebSocketLambdaIntegration('Integration', push);
  // The token may stand in the header or in the address: neither is always there, so that none can be demanded here.
  const tokens = new WebSocketLambdaAuthorizer('Tokens', authorizer, { identitySource: [] });
  api.addRoute('$connect', { integration, authorizer: tokens });
  for (const name of ['$disconnect', '$default']) {
    acknowledge(api.addRoute(name, { integration }), {
      'AwsSolutions-APIG4': 'API Gateway authorizes a connection as it is made; its messages come over that connection',
    });
  }
  return { stage, push, fanout };
}

function stageOf(scope: Construct, api: WebSocketApi): WebSocketStage {
  const log = new LogGroup(scope, 'PushAccess', {
    retention: RetentionDays.ONE_MONTH,
    removalPolicy: RemovalPolicy.DESTROY,
  });
  return new WebSocketStage(scope, 'PushStage', {
    webSocketApi: api,
    stageName: STAGE,
    autoDeploy: true,
    detailedMetricsEnabled: true,
    throttle: { rateLimit: 200, burstLimit: 400 },
    accessLogSettings: {
      destination: new LogGroupLogDestination(log),
      // Without the address of the request: tokens stand in it.
      format: AccessLogFormat.custom(
        JSON.stringify({
          requestId: '$context.requestId',
          requestTime: '$context.requestTime',
          route: '$context.routeKey',
          event: '$context.eventType',
          connection: '$context.connectionId',
          status: '$context.status',
          principal: '$context.authorizer.principalId',
          error: '$context.error.message',
        }),
      ),
    },
  });
}

/** What clients say: their connections and subscriptions stand in the state table. */
function pushFunction(scope: Construct, ground: Ground, stage: WebSocketStage): Lambda {
  const { data, settings } = ground;
  const push = createLambda(scope, 'Push', {
    ...ground,
    entry: 'functions/websocket/push.lambda.ts',
    timeout: Duration.seconds(29),
    environment: { ...common(ground, stage), VENUES: settings.venues.join(',') },
  });
  allow(push, [data.stateTable.tableArn], ...TABLE);
  allowConnections(push, stage);
  return push;
}

/** What the streams bring, to everybody who listens. */
function fanoutFunction(scope: Construct, ground: Ground, stage: WebSocketStage): Lambda {
  const { data } = ground;
  const fanout = createLambda(scope, 'Fanout', {
    ...ground,
    entry: 'functions/websocket/fanout.lambda.ts',
    environment: { ...common(ground, stage), MARKET_STREAM: data.streams.market.streamName },
  });
  allow(fanout, [data.stateTable.tableArn], ...TABLE);
  allowConnections(fanout, stage);
  // Whoever connects wants what happens from now on.
  const from = StartingPosition.LATEST;
  readStream(scope, 'EventsToFanout', { target: fanout, stream: data.streams.events, data, from });
  readStream(scope, 'SamplesToFanout', { target: fanout, stream: data.streams.market, data, from });
  return fanout;
}

const TABLE = ['dynamodb:DeleteItem', 'dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:UpdateItem'] as const;

const common = ({ data, settings }: Ground, stage: WebSocketStage): Record<string, string> => ({
  STATE_TABLE: data.stateTable.tableName,
  EVENTS_TABLE: data.eventsTable.tableName,
  ENGINE: settings.engine,
  PUSH_ENDPOINT: stage.callbackUrl,
});

/** To speak to the connections of this API, and to end them. */
function allowConnections(to: Lambda, stage: WebSocketStage): void {
  const stack = Stack.of(stage);
  const arn = (method: string): string =>
    Arn.format(
      {
        service: 'execute-api',
        resource: stage.api.apiId,
        resourceName: `${STAGE}/${method}/@connections/*`,
        arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
      },
      stack,
    );
  allow(to, [arn('POST'), arn('DELETE')], 'execute-api:ManageConnections');
  const id = stack.getLogicalId(stage.api.node.defaultChild as never);
  const resource = (method: string): string =>
    `AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<${id}>/${STAGE}/${method}/@connections/*]`;
  const reason = 'The connections of the one API: their ids come as clients do';
  acknowledge(to.role!, { [resource('POST')]: reason, [resource('DELETE')]: reason });
}
