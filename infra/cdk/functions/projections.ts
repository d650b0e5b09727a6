import type { Function as Lambda } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { allow, createLambda, readStream, type Ground } from './lambda.ts';
import { allowCandles, candlesEnvironment } from './time-series.ts';

/** What makes tables of the streams. */
export function createProjections(
  scope: Construct,
  ground: Ground,
): { readonly projector: Lambda; readonly market: Lambda } {
  const { data, settings } = ground;
  const tables = {
    STATE_TABLE: data.stateTable.tableName,
    EVENTS_TABLE: data.eventsTable.tableName,
    DEAD_LETTERS_URL: data.deadLetters.queueUrl,
  };
  const state = data.stateTable.tableArn;

  const projector = createLambda(scope, 'Projector', {
    ...ground,
    entry: 'functions/stream/projector.lambda.ts',
    environment: { ...tables, EVENTS_STREAM: data.streams.events.streamName },
  });
  allow(projector, [state, data.eventsTable.tableArn], 'dynamodb:BatchWriteItem');
  allow(projector, [state], 'dynamodb:UpdateItem');
  readStream(scope, 'EventsToProjector', { target: projector, stream: data.streams.events, data });

  const market = createLambda(scope, 'Market', {
    ...ground,
    entry: 'functions/stream/market.lambda.ts',
    environment: { ...tables, ...candlesEnvironment(settings), MARKET_STREAM: data.streams.market.streamName },
  });
  allow(market, [state], 'dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:UpdateItem');
  allowCandles(market, settings, 'write');
  readStream(scope, 'SamplesToMarket', { target: market, stream: data.streams.market, data });

  return { projector, market };
}
