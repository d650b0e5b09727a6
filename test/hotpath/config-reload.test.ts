import { describe, expect, it } from 'vitest';
import { loadConfig } from '#shared/config/load.ts';
import type { Config } from '#shared/schema/config.ts';
import { ANSWERED, refused } from '#hotpath/commands.ts';
import { reload, type ReloadSources, type Tuning } from '#hotpath/config-reload.ts';

const started = loadConfig({ dir: 'config', env: {}, overrides: {} });

function world(over: Partial<ReloadSources> = {}): {
  readonly sources: ReloadSources;
  readonly now: () => { readonly limits: Config['risk']; readonly tuning: Tuning };
} {
  let limits = started.risk;
  let tuning: Tuning = started.engine;
  return {
    now: () => ({ limits, tuning }),
    sources: {
      started,
      limits: () => limits,
      tuning: () => tuning,
      setLimits: (wanted) => {
        limits = wanted;
        return ANSWERED;
      },
      tune: (wanted) => {
        tuning = wanted;
      },
      ...over,
    },
  };
}
const detail = (applied: string, restart = '', version = '7') => ({
  kind: 'done',
  detail: { version, applied, restart },
});

describe('a configuration that comes while the engine runs', () => {
  it('changes limits and the tuning of sizing, and names what needs a restart', () => {
    const { sources, now } = world();
    const config = {
      ...started,
      risk: { ...started.risk, max_daily_loss_usd: 1 },
      engine: { ...started.engine, max_notional: 10, min_expected_value: 2, min_edge_bps: 5, venues: ['okx'] },
      paper: { ...started.paper, latency_ms: 50 },
      alerts: { ...started.alerts, remind_ms: 1 },
    };
    expect(reload(sources, { config, version: 7 })).toEqual(
      detail(
        'engine.max_notional,engine.min_edge_bps,engine.min_expected_value,risk.max_daily_loss_usd',
        'engine.venues,paper.latency_ms',
      ),
    );
    expect(now().limits).toEqual(config.risk);
    expect(now().tuning).toEqual({ min_edge_bps: 5, min_expected_value: 2, max_notional: 10 });
    // What has been followed is followed no more: only the rest is left to say.
    expect(reload(sources, { config, version: 7 })).toEqual(detail('', 'engine.venues,paper.latency_ms'));
    expect(reload(sources, { config: started, version: 8 })).toMatchObject({ detail: { version: '8', restart: '' } });
    expect(now()).toMatchObject({ limits: started.risk, tuning: { min_edge_bps: started.engine.min_edge_bps } });
  });

  it('sees no edge below the one with which detection started', () => {
    const { sources, now } = world();
    const config = { ...started, engine: { ...started.engine, min_edge_bps: started.engine.min_edge_bps - 0.5 } };
    expect(reload(sources, { config, version: 7 })).toEqual(detail('', 'engine.min_edge_bps'));
    expect(now().tuning.min_edge_bps).toBe(started.engine.min_edge_bps);
  });

  it('changes nothing where it is none, or where its limits are refused', () => {
    const { sources, now } = world({ setLimits: () => refused(3001, 'no') });
    const before = now();
    const config = {
      ...started,
      risk: { ...started.risk, max_daily_loss_usd: 1 },
      engine: { ...started.engine, max_notional: 10 },
    };
    expect(reload(sources, { config, version: 7 })).toEqual(refused(3001, 'no'));
    expect(reload(sources, { config: { ...started, engine: {} }, version: 7 })).toMatchObject({
      kind: 'refused',
      code: 3001,
      reason: expect.stringContaining('engine.') as string,
    });
    expect(now()).toEqual(before);
  });
});
