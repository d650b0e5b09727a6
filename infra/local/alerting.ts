import type { KinesisStreamEvent } from 'aws-lambda';
import { BadInput } from '#shared/assert.ts';
import type { Clock, Timer } from '#shared/clock/clock.ts';
import type { Config } from '#shared/schema/config.ts';
import { createAcknowledgements } from '#functions/alerts/acknowledgement.ts';
import { AlertDesk } from '#functions/alerts/desk.ts';
import { signalsOfFigures } from '#functions/alerts/figures.ts';
import { ackLinks, currentAlerts } from '#functions/alerts/settings.ts';
import { channelAddresses, createSender, type ChannelAddresses } from '#functions/alerts/sender.ts';
import { createAlertStream } from '#functions/alerts/stream.ts';
import { readFigures } from '#functions/alerts/watch.ts';
import { ApplicationError } from '#functions/common/errors.ts';
import type { Log } from '#functions/common/log.ts';
import type { Store } from '#functions/common/store.ts';
import type { Tally } from '#functions/common/tally.ts';
import type { BatchResponse } from '#functions/stream/records.ts';

export type AlertingOptions = {
  readonly config: Config;
  readonly store: Store;
  readonly tally: Tally;
  /** Where this machine serves the API. */
  readonly apiUrl: string;
  readonly secret: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly log: Log;
};

export type Alerting = {
  /** Batches of the `events` stream, after they were projected. */
  readonly hear: (event: KinesisStreamEvent) => Promise<BatchResponse>;
  /** Finishes the look in hand. */
  readonly stop: () => Promise<void>;
};

/**
 * What the functions of alerts do in the cloud, in this process: the same rules, state and channels. Notices are handed on by the looks alone, so that a
 * channel that does not answer holds up nothing; until then they stand in the table. @throws BadInput for an address that is none
 */
export function startAlerting(options: AlertingOptions): Alerting {
  const { config, store, tally, clock, log, secret } = options;
  const addresses = addressesFrom(config, options.env);
  const current = currentAlerts(store, config.alerts);
  const sender = createSender({
    table: store.state,
    addresses: async () => ({ ...addresses, webhook_url: (await current()).webhook_url }),
    minSeverity: async () => (await current()).min_severity,
    clock,
    log,
  });
  const desk = new AlertDesk({
    table: store.state,
    engine: store.engine,
    config: current,
    publish: sender,
    ackUrl: ackLinks({
      engine: store.engine,
      apiUrl: options.apiUrl,
      acknowledgements: createAcknowledgements(() => Promise.resolve(secret), clock),
    }),
    handsOn: 'when-looking',
    clock,
    log,
  });
  const watch = { store, clock, api: () => tally.answers, maxDailyLossUsd: config.risk.max_daily_loss_usd };
  const looking = new Looking({ clock, everyMs: config.alerts.every_ms }, async () => {
    try {
      const figures = await readFigures(watch, await current());
      await desk.look((known, settings) => signalsOfFigures(figures, known, settings));
    } catch (error) {
      // The database is away: the next look sees all of it again.
      if (!(error instanceof ApplicationError)) throw error;
      log.warn('alerts-not-looked-at', { cause: error.message });
    }
  });
  return {
    hear: createAlertStream({
      desk,
      engine: store.engine,
      config: current,
      clock,
      log,
      onSignals: () => looking.wake(),
    }),
    stop: () => looking.stop(),
  };
}

/** @throws BadInput naming the variable, never its value */
function addressesFrom({ alerts }: Config, env: AlertingOptions['env']): ChannelAddresses {
  const result = channelAddresses.safeParse({
    slack_webhook_url: env['ARB_SLACK_WEBHOOK_URL'] ?? '',
    webhook_url: alerts.webhook_url,
    webhook_secret: env['ARB_ALERT_WEBHOOK_SECRET'] ?? '',
  });
  if (!result.success) throw new BadInput('ARB_SLACK_WEBHOOK_URL is no address (http or https)');
  return result.data;
}

/** One look after the other: every so often, and at once when there is something new. */
class Looking {
  readonly #options: { readonly clock: Clock; readonly everyMs: number };
  readonly #look: () => Promise<void>;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #isWanted = false;
  #isOver = false;

  constructor(options: { readonly clock: Clock; readonly everyMs: number }, look: () => Promise<void>) {
    this.#options = options;
    this.#look = look;
    this.#wait();
  }

  wake(): void {
    this.#isWanted = true;
    if (this.#running !== undefined || this.#isOver) return;
    this.#timer?.cancel();
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    this.#timer?.cancel();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#isWanted && !this.#isOver) {
      this.#isWanted = false;
      await this.#look();
    }
    this.#running = undefined;
    if (!this.#isOver) this.#wait();
  }

  #wait(): void {
    this.#timer = this.#options.clock.after(this.#options.everyMs, () => this.wake());
  }
}
