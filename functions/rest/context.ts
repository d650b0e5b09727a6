import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { Clock } from '#shared/clock/clock.ts';
import type { Command } from '#shared/schema/command.ts';
import type { Config } from '#shared/schema/config.ts';
import type { Acknowledgements } from '../alerts/acknowledgement.ts';
import type { Authority, Principal } from '../common/auth.ts';
import type { Log } from '../common/log.ts';
import type { RateLimit } from '../common/rate-limit.ts';
import type { Store } from '../common/store.ts';
import type { Tally } from '../common/tally.ts';

/** Everything the API needs of the world: the Lambda and the local server give it their own. */
export type AppOptions = {
  readonly store: Store;
  readonly authority: Authority;
  /** Of the links in notices. */
  readonly acknowledgements: Acknowledgements;
  readonly rateLimit: RateLimit;
  readonly clock: Clock;
  readonly log: Log;
  readonly tally: Tally;
  /** Rejects when the stream does not take it. */
  readonly sendCommand: (command: Command) => Promise<void>;
  /** What is configured, and therefore known even before the first sample of it. */
  readonly symbols: readonly string[];
  readonly venues: readonly string[];
  readonly corsOrigins: readonly string[];
  /** The caller's network address: who is limited before a token says more. */
  readonly addressOf: (context: Context) => string;
  /** @throws ApplicationError as the store does, where it is counted there */
  readonly socketsOpen: () => number | Promise<number>;
  /** With what the engine is started where no version is stored; absent where the API does not know it. */
  readonly startConfig?: Config;
};

export type AppEnv = {
  Variables: {
    requestId: string;
    principal: Principal;
    auditDetail?: string;
    /** For which a link is good. */
    firing?: number;
  };
};
export type App = OpenAPIHono<AppEnv>;

/** The engine counts as gone when it has said nothing for this long. */
export const SILENT_AFTER_MS = 10_000;

export const nowMs = ({ clock }: Pick<AppOptions, 'clock'>): number => clock.unixMs(clock.now());
