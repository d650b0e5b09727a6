import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import type { KinesisStreamEvent } from 'aws-lambda';
import type { Clock } from '#shared/clock/clock.ts';
import { marketSample, type MarketSample } from '#shared/schema/status.ts';
import { ApplicationError } from '../common/errors.ts';
import { at } from '../common/layout.ts';
import type { Log } from '../common/log.ts';
import type { StoreNames } from '../common/store.ts';
import { Table } from '../common/table.ts';
import { dynamoTimeSeries } from '../common/time-series-dynamo.ts';
import type { TimeSeriesStore } from '../common/time-series.ts';
import { quotesOf } from './candles.ts';
import { buryIn, type SendDeadLetter } from './dead-letters.ts';
import { ALL_DONE, parsed, recordsOf, retryFrom, type BatchResponse } from './records.ts';

export type MarketOptions = {
  readonly client: DynamoDBDocumentClient;
  readonly names: StoreNames;
  readonly stream: string;
  /** Where candles are kept; in the state table when absent. */
  readonly series?: TimeSeriesStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Told of the samples that are the latest of their instruments. */
  readonly onSamples?: (samples: readonly MarketSample[]) => void;
  /** Told of every record that was buried. */
  readonly onPoison?: () => void;
  /** Sent every record that was buried, with the reason. */
  readonly sendDeadLetter?: SendDeadLetter;
};

const CONCURRENCY = 16;

/**
 * The `market` stream into one item an instrument: the latest sample of a batch wins, and never an older one over a newer. And into
 * candles, of which every sample is a part.
 */
export function createMarketProjector(options: MarketOptions): (event: KinesisStreamEvent) => Promise<BatchResponse> {
  const state = new Table(options.client, options.names.state_table);
  const series = options.series ?? dynamoTimeSeries(state);
  const bury = buryIn(state, options.clock, options.sendDeadLetter);
  return async (event) => {
    const records = recordsOf(event);
    const first = records[0];
    if (first === undefined) return ALL_DONE;
    try {
      const latest = new Map<string, MarketSample>();
      const samples: MarketSample[] = [];
      for (const record of records) {
        const result = parsed(record.text, marketSample);
        if ('reason' in result) {
          await bury({ stream: options.stream, record, reason: result.reason });
          options.onPoison?.();
          options.log.error('poison-record', { stream: options.stream, position: record.position });
          continue;
        }
        samples.push(result.value);
        if ((latest.get(result.value.instrument)?.at_ms ?? -Infinity) <= result.value.at_ms) {
          latest.set(result.value.instrument, result.value);
        }
      }
      const fresh = await storeAll(state, [...latest.values()]);
      options.onSamples?.(fresh);
      await series.write(quotesOf(samples), options.clock.unixMs(options.clock.now()));
      return ALL_DONE;
    } catch (error) {
      if (!(error instanceof ApplicationError)) throw error;
      options.log.warn('projection-retried', { stream: options.stream, cause: error.message, detail: error.detail });
      return retryFrom(first);
    }
  };
}

/** The samples that were news to the table. */
async function storeAll(state: Table, samples: readonly MarketSample[]): Promise<readonly MarketSample[]> {
  const fresh: MarketSample[] = [];
  for (let from = 0; from < samples.length; from += CONCURRENCY) {
    await Promise.all(
      samples.slice(from, from + CONCURRENCY).map(async (sample) => {
        if (await storeOne(state, sample)) fresh.push(sample);
      }),
    );
  }
  return fresh;
}

async function storeOne(state: Table, sample: MarketSample): Promise<boolean> {
  const stored = await state.update(at.market(sample.instrument), {
    UpdateExpression: 'SET quote = :quote, at_ms = :at',
    ConditionExpression: 'attribute_not_exists(at_ms) OR at_ms < :at',
    ExpressionAttributeValues: { ':quote': JSON.stringify(sample), ':at': sample.at_ms },
  });
  return stored !== undefined;
}
