import type { Instrument } from '#shared/domain/instrument.ts';
import type { Route } from '#shared/domain/route.ts';
import type { Config } from '#shared/schema/config.ts';
import { compileRoutes } from './detect/compile.ts';
import type { AccountsSetup } from './execute/accounts.ts';
import { feesOfAccounts, tradableOf } from './execute/accounts.ts';
import type { Endpoint } from './feed/endpoint.ts';
import { endpointsFrom } from './feed/endpoint.ts';
import { loadInstruments } from './feed/instruments.ts';
import type { Outside } from './feed/rest-reader.ts';
import type { Figurer } from './risk/figurer.ts';
import { syntheticRoutes } from './synthetics/synthetic-routes.ts';
import type { Synthetic } from './synthetics/synthetic.ts';
import { assetRulesOf, syntheticsFrom } from './synthetics/synthetic.ts';
import type { Trading } from './trading-control.ts';
import type { Credentials } from './venues/venue-account.ts';
import type { Venue } from './venues/venue.ts';

export type EngineOptions = Outside & {
  readonly config: Config;
  /** The configuration as it was written, where the wiring has changed some of it: a new version is compared with that. */
  readonly written?: Config;
  /** What holds trading back for as long as this start lasts. */
  readonly restriction?: Trading;
  readonly venues: readonly Venue[];
  readonly journalDir: string;
  /** Up to which record the journal has been shipped: older segments may go, once a checkpoint stands for them. */
  readonly publishedSeq: () => number;
  readonly version: string;
  /** Of the run's chances, for the record. */
  readonly seed: number;
  /** Who reckons the risk figures that take long; this thread where absent. */
  readonly figurer?: Figurer;
  /** Keys by venue: what shadow and live cannot do without. */
  readonly credentials?: ReadonlyMap<string, Credentials>;
};

/** Everything that is known before there is a journal: a standby keeps it at hand. */
export type Prepared = {
  readonly endpoints: readonly Endpoint[];
  readonly instruments: readonly Instrument[];
  readonly synthetics: readonly Synthetic[];
  /** Those between synthetics and what they replicate come last. */
  readonly routes: readonly Route[];
};

/** An account that does not say its fees by then starts with those of the configuration. */
const FEES_WITHIN_MS = 5_000;

/** What the venues list. Bad input ends here, before the journal is touched. */
export async function prepareEngine(options: EngineOptions): Promise<Prepared> {
  const { config, venues } = options;
  const endpoints = endpointsFrom(config, venues);
  const listed = await loadInstruments(options, endpoints, config.engine.symbols);
  const instruments = config.engine.mode === 'paper' ? listed : await withAccountFees(options, listed);
  const rules = assetRulesOf(config.engine);
  const synthetics = syntheticsFrom(config.synthetics, instruments, rules);
  const routes = [...routesOf(options, instruments), ...syntheticRoutes(synthetics, rules)];
  return { endpoints, instruments, synthetics, routes };
}

function routesOf({ config, clock, logger }: EngineOptions, instruments: readonly Instrument[]): readonly Route[] {
  const { routes, truncated } = compileRoutes(instruments, config.engine, clock.unixMs(clock.now()));
  if (truncated.length > 0)
    logger.warn('routes-truncated', { families: truncated, maxRoutes: config.engine.max_routes });
  return routes;
}

/** What an account of this run can trade, at what it pays for it. @throws BadInput when a key is missing, is refused, or may withdraw */
async function withAccountFees(options: EngineOptions, listed: readonly Instrument[]): Promise<readonly Instrument[]> {
  const instruments = tradableOf(options, listed);
  if (instruments.length < listed.length)
    options.logger.warn('instruments-without-account', { count: listed.length - instruments.length });
  const fees = await feesOfAccounts(accountsSetup(options, instruments), FEES_WITHIN_MS);
  return instruments.map((instrument) => ({ ...instrument, fees: fees.get(instrument.id) ?? instrument.fees }));
}

export const accountsSetup = (options: EngineOptions, instruments: readonly Instrument[]): AccountsSetup => ({
  ...options,
  instruments,
  credentials: options.credentials ?? new Map<string, Credentials>(),
});
