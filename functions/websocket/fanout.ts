import type { KinesisStreamEvent } from 'aws-lambda';
import { engineEvent } from '#shared/schema/event.ts';
import { marketSample, type MarketSample, type RiskStatus } from '#shared/schema/status.ts';
import { ApplicationError } from '../common/errors.ts';
import type { Log } from '../common/log.ts';
import { priceOf, riskMetricsOf } from '../rest/views.ts';
import { ALL_DONE, parsed, recordsOf, retryFrom, type BatchResponse, type StreamRecord } from '../stream/records.ts';
import type { Batch, ChannelLog, Entry } from './channel-log.ts';
import type { Courier } from './courier.ts';
import { newsOf } from './news.ts';
import type { Channel, News } from './subscription.ts';

export type FanoutOptions = {
  readonly channels: ChannelLog;
  readonly courier: Courier;
  readonly engine: string;
  /** What the engine last said of the risk; undefined when it never did. */
  readonly risk: () => Promise<RiskStatus | undefined>;
  readonly log: Log;
};
type Handler = (event: KinesisStreamEvent) => Promise<BatchResponse>;

/** The one source of the figures of risk: they come with the status and not with events. */
const STATUS_SOURCE = 'status';

/**
 * The streams to whoever listens. A batch is done when its news stand in the channels and everybody has been sent them; when that fails it
 * comes again, adds nothing twice, and what was not sent is. Records that nobody understands are the projector's to bury.
 */
export function createFanout(options: FanoutOptions): { readonly events: Handler; readonly market: Handler } {
  return {
    events: (event) => fanOut(options, event, eventNews(options)),
    market: (event) => fanOut(options, event, priceNews, () => riskNews(options)),
  };
}

/** What the records of a batch are to those who listen, in order. */
type NewsFrom = (records: readonly StreamRecord[]) => readonly Entry[];

async function fanOut(
  options: FanoutOptions,
  event: KinesisStreamEvent,
  newsFrom: NewsFrom,
  besides: () => Promise<Batch | undefined> = () => Promise.resolve(undefined),
): Promise<BatchResponse> {
  const { channels, courier, log } = options;
  const records = recordsOf(event);
  const [first] = records;
  if (first === undefined) return ALL_DONE;
  try {
    const batches = batchesOf(records, newsFrom(records));
    const more = await besides();
    if (more !== undefined) batches.push(['risk', more]);
    for (const [channel, batch] of batches) await channels.append(channel, batch);
    for (const [channel] of batches) await courier.deliver(channel);
    await courier.care();
    return ALL_DONE;
  } catch (error) {
    if (!(error instanceof ApplicationError)) throw error;
    log.warn('push-retried', { position: first.position, cause: error.detail ?? error.message });
    return retryFrom(first);
  }
}

/** By channel; a shard is a source of its own in each. */
function batchesOf(records: readonly StreamRecord[], entries: readonly Entry[]): [Channel, Batch][] {
  const last = records.at(-1)!;
  const source = last.position.slice(0, last.position.lastIndexOf(':'));
  const channels = [...new Set(entries.map(({ news }) => news.channel))];
  return channels.map((channel) => [
    channel,
    { source, through: placeOf(last, NEWS_MAX - 1), entries: entries.filter(({ news }) => news.channel === channel) },
  ]);
}

/** News of one event. */
const NEWS_MAX = 100;

/** A number that rises from news to news of a shard: a Kinesis record has many events, and an event may be news to several channels. */
const placeOf = ({ sequenceNumber, line }: StreamRecord, news: number): string =>
  `${sequenceNumber}${String(line).padStart(6, '0')}${String(news).padStart(2, '0')}`;

const eventNews =
  ({ engine }: FanoutOptions): NewsFrom =>
  (records) =>
    records.flatMap((record) => {
      const result = parsed(record.text, engineEvent);
      if ('reason' in result || result.value.engine !== engine) return [];
      return newsOf(result.value).map((news, index): Entry => ({ position: placeOf(record, index), news }));
    });

/** The latest sample of each instrument: what a batch brings late is not told one by one. */
const priceNews: NewsFrom = (records) => {
  const latest = new Map<string, { readonly position: string; readonly sample: MarketSample }>();
  for (const record of records) {
    const result = parsed(record.text, marketSample);
    if ('reason' in result) continue;
    const { value: sample } = result;
    if ((latest.get(sample.instrument)?.sample.at_ms ?? -Infinity) > sample.at_ms) continue;
    // Taken out and put back: the order is that of the records.
    latest.delete(sample.instrument);
    latest.set(sample.instrument, { position: placeOf(record, 0), sample });
  }
  return [...latest.values()].map(({ position, sample }): Entry => {
    const news: News = { channel: 'prices', data: priceOf(sample) };
    return { position, news };
  });
};

async function riskNews(options: FanoutOptions): Promise<Batch | undefined> {
  const risk = await options.risk();
  if (risk === undefined) return undefined;
  const position = String(Math.floor(risk.at_ms));
  const news: News = { channel: 'risk', data: { event: 'metrics', ...riskMetricsOf(risk) } };
  return { source: STATUS_SOURCE, through: position, entries: [{ position, news }] };
}
