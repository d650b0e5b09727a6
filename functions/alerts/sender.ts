import { z } from 'zod';
import type { Clock } from '#shared/clock/clock.ts';
import { SEVERITIES, type AlertsConfig, type Severity } from '#shared/schema/alerts.ts';
import { at } from '../common/layout.ts';
import type { Log } from '../common/log.ts';
import type { Table } from '../common/table.ts';
import { buryIn } from '../stream/dead-letters.ts';
import type { Notice } from './notice.ts';
import { slackMessage } from './slack.ts';
import { signedHeaders } from './webhook.ts';

/** Where notices go; empty: nowhere. Slack's address is a secret in itself, and so may the other one be: neither is ever logged. */
export const channelAddresses = z.object({
  slack_webhook_url: z.union([z.literal(''), z.url({ protocol: /^https?$/ })]).default(''),
  webhook_url: z.union([z.literal(''), z.url({ protocol: /^https?$/ })]).default(''),
  webhook_secret: z.string().default(''),
});
export type ChannelAddresses = z.infer<typeof channelAddresses>;

export type SenderOptions = {
  readonly table: Table;
  readonly addresses: () => Promise<ChannelAddresses>;
  readonly minSeverity: () => Promise<AlertsConfig['min_severity']>;
  readonly clock: Clock;
  readonly log: Log;
  /** Before the second and each further attempt; doubles. */
  readonly backoffMs?: number;
};

/** Some channel did not take it: it must come again, and goes to those channels alone then. */
export class NotDelivered extends Error {
  override readonly name = 'NotDelivered';
}

type Channel = 'slack' | 'webhook';
type Outcome = 'taken' | { readonly kind: 'refused' | 'failed'; readonly why: string };

const ATTEMPTS = 3;
const BACKOFF_MS = 250;
const TIMEOUT_MS = 5_000;
/** What no further attempt would change: the message itself is refused. */
const REFUSALS: ReadonlySet<number> = new Set([400, 410, 413, 422]);
const REMEMBER_MS = 7 * 86_400_000;

/**
 * Sends a notice to every channel that wants one of its severity, and remembers who has it: a notice that comes again goes only to those who have not. What a channel
 * refuses for good is kept as a dead letter.
 * @throws NotDelivered when some channel does not answer
 */
export function createSender(options: SenderOptions): (notice: Notice) => Promise<void> {
  const { table, clock, log } = options;
  return async (notice) => {
    const [addresses, min] = await Promise.all([options.addresses(), options.minSeverity()]);
    const wanted = requestsFor(notice, addresses).filter(({ channel }) => reaches(notice.severity, min[channel]));
    if (wanted.length === 0) return;
    const key = at.delivery(notice.id);
    const delivered = (await table.get(key)) ?? {};
    const left = wanted.filter(({ channel }) => delivered[channel] === undefined);
    const failures = await Promise.all(
      left.map(async ({ channel, url, body, secret }) => {
        const outcome = await insisted(options, () =>
          post(url, body, signedHeaders(body, { secret, id: notice.id, nowMs: clock.unixMs(clock.now()) })),
        );
        if (outcome !== 'taken' && outcome.kind === 'failed') return [`${channel}: ${outcome.why}`];
        if (outcome !== 'taken') {
          log.error('notice-refused', { notice: notice.id, channel, why: outcome.why });
          const record = { sequenceNumber: '', position: `${notice.id}/${channel}`, text: body };
          await buryIn(table, clock)({ stream: 'notices', record, reason: `${channel}: ${outcome.why}` });
        }
        await table.update(key, {
          UpdateExpression: 'SET #channel = :at, #ttl = :ttl',
          ExpressionAttributeNames: { '#channel': channel, '#ttl': 'ttl' },
          ExpressionAttributeValues: {
            ':at': Math.floor(clock.unixMs(clock.now())),
            ':ttl': Math.ceil((clock.unixMs(clock.now()) + REMEMBER_MS) / 1000),
          },
        });
        return [];
      }),
    );
    if (failures.flat().length > 0) throw new NotDelivered(failures.flat().join(', '));
  };
}

type Request = { readonly channel: Channel; readonly url: string; readonly body: string; readonly secret: string };

function requestsFor(notice: Notice, addresses: ChannelAddresses): readonly Request[] {
  const { slack_webhook_url, webhook_url, webhook_secret } = addresses;
  const requests: readonly Request[] = [
    // Slack checks no signature.
    { channel: 'slack', url: slack_webhook_url, body: JSON.stringify(slackMessage(notice)), secret: '' },
    { channel: 'webhook', url: webhook_url, body: JSON.stringify(notice), secret: webhook_secret },
  ];
  return requests.filter(({ url }) => url !== '');
}

export const reaches = (severity: Severity, min: Severity): boolean =>
  SEVERITIES.indexOf(severity) >= SEVERITIES.indexOf(min);

async function insisted(
  { clock, backoffMs = BACKOFF_MS }: SenderOptions,
  send: () => Promise<Outcome>,
): Promise<Outcome> {
  let outcome = await send();
  for (let attempt = 1; attempt < ATTEMPTS && outcome !== 'taken' && outcome.kind === 'failed'; attempt += 1) {
    await new Promise<void>((resolve) => {
      clock.after(backoffMs * 2 ** (attempt - 1), resolve);
    });
    outcome = await send();
  }
  return outcome;
}

/** Follows nobody elsewhere: where a notice goes is our decision. Says what went wrong without the address. */
async function post(url: string, body: string, headers: Readonly<Record<string, string>>): Promise<Outcome> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body,
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.body?.cancel();
    if (response.ok) return 'taken';
    const why = `answered ${response.status}`;
    return { kind: REFUSALS.has(response.status) ? 'refused' : 'failed', why };
  } catch (error) {
    const { name, cause } = error as Error & { readonly cause?: { readonly code?: string } };
    return { kind: 'failed', why: cause?.code ?? name };
  }
}
