import { changesBetween } from '#shared/config/changes.ts';
import type { CommandOf } from '#shared/schema/command.ts';
import type { Config } from '#shared/schema/config.ts';
import { configSchema } from '#shared/schema/config.ts';
import type { Answer } from './commands.ts';
import { done, refused } from './commands.ts';

/** What sizing reads anew at every opportunity. */
export type Tuning = Pick<Config['engine'], 'min_edge_bps' | 'min_expected_value' | 'max_notional'>;

export type ReloadSources = {
  /** With what the engine was started. */
  readonly started: Config;
  readonly limits: () => Config['risk'];
  readonly tuning: () => Tuning;
  /** The limits of the gate from now on, after a restart too. */
  readonly setLimits: (limits: Config['risk']) => Answer;
  readonly tune: (tuning: Tuning) => void;
};

/**
 * A stored version of the configuration, while the engine runs: limits of the gate and the tuning of sizing follow at once, every other
 * setting is named as what needs a restart, which begins with the newest version that is stored.
 */
export function reload(
  sources: ReloadSources,
  { config, version }: Pick<CommandOf<'config'>, 'config' | 'version'>,
): Answer {
  const parsed = configSchema.safeParse(config);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    return refused(3001, `${path.map(String).join('.')}: ${message}`);
  }
  const wanted = parsed.data;
  const { started, tuning } = sources;
  const running: Config = {
    ...started,
    engine: { ...started.engine, ...tuning() },
    risk: sources.limits(),
    // None of the engine's affairs: whoever judges alerts reads them anew each time.
    alerts: wanted.alerts,
  };
  const paths = changesBetween(running, wanted).map(({ path }) => path);
  const applied = paths.filter((path) => followsAtOnce(path, wanted, started));

  if (applied.some(isLimit)) {
    const answer = sources.setLimits(wanted.risk);
    if (answer.kind === 'refused') return answer;
  }
  sources.tune(tunedBy(wanted.engine, applied, tuning()));
  const restart = paths.filter((path) => !applied.includes(path));
  return done({ version: String(version), applied: applied.join(','), restart: restart.join(',') });
}

const isLimit = (path: string): boolean => path.startsWith('risk.');

function followsAtOnce(path: string, wanted: Config, started: Config): boolean {
  if (isLimit(path)) return true;
  switch (path) {
    case 'engine.min_expected_value':
    case 'engine.max_notional':
      return true;
    case 'engine.min_edge_bps':
      // Detection has left out what paid less when it started.
      return wanted.engine.min_edge_bps >= started.engine.min_edge_bps;
    default:
      return false;
  }
}

function tunedBy(wanted: Tuning, applied: readonly string[], now: Tuning): Tuning {
  const of = (name: keyof Tuning): number => (applied.includes(`engine.${name}`) ? wanted : now)[name];
  return {
    min_edge_bps: of('min_edge_bps'),
    min_expected_value: of('min_expected_value'),
    max_notional: of('max_notional'),
  };
}
