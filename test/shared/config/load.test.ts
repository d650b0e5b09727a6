import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BadInput } from '#shared/assert.ts';
import { loadConfig, originsOf } from '#shared/config/load.ts';

const load = (env: Record<string, string | undefined> = {}, overrides = {}, file?: string) =>
  loadConfig({ dir: 'config', env, overrides, file });
const fileWith = (text: string): string => {
  const path = join(mkdtempSync(join(tmpdir(), 'arb-config-')), 'mine.toml');
  writeFileSync(path, text);
  return path;
};

describe('loadConfig', () => {
  it('reads the defaults', () => {
    expect(load().engine.venues).toEqual(['binance', 'okx', 'kraken', 'deribit']);
  });

  it('lets later layers win: file over default, environment over file, overrides over all', () => {
    const file = fileWith('[risk]\nmax_daily_loss_usd = 1\nmax_open_operations = 3\n');
    const config = load({ ARB_RISK__MAX_DAILY_LOSS_USD: '2' }, { risk: { min_profit_margin_bps: 9 } }, file);
    expect(config.risk).toMatchObject({ max_daily_loss_usd: 2, max_open_operations: 3, min_profit_margin_bps: 9 });
  });

  it('reads an environment value as the type the setting has', () => {
    const config = load({
      ARB_ENGINE__VENUES: 'binance, okx',
      ARB_ENGINE__CROSS_VENUE_CYCLES: 'false',
      ARB_ENGINE__PEGS__USD: '0.9995',
      ARB_VENUES__OKX__TAKER_FEE: '0.0008',
      ARB_MAX_POSITION_SIZE_USD: '1234.5',
    });
    expect(config.engine).toMatchObject({
      venues: ['binance', 'okx'],
      cross_venue_cycles: false,
      pegs: { USD: '0.9995' },
    });
    expect(config.venues['okx']?.taker_fee).toBe('0.0008');
    expect(config.risk.max_position_size_usd).toBe(1234.5);
  });

  it.each([
    ['an unknown key in a file', {}, '[engine]\nfoo = 1\n', /unknown key engine\.foo \(allowed: name, mode, families/],
    ['an unknown section', {}, '[nonsense]\na = 1\n', /unknown key nonsense \(allowed: system, engine/],
    ['a bad value', {}, '[risk]\nmax_daily_loss_usd = -1\n', /risk\.max_daily_loss_usd: .*>0/],
    ['money as a float', {}, '[engine.pegs]\nUSD = 1.0\n', /engine\.pegs\.USD: .*expected string/],
    ['a file that is not TOML', {}, '[engine\n', /mine\.toml is not TOML/],
    [
      'a variable that names no setting',
      { ARB_RISK__MAX_DAILY_LOS_USD: '1' },
      '',
      /ARB_RISK__MAX_DAILY_LOS_USD names no setting \(allowed in risk: max_position/,
    ],
    ['a variable with a bad value', { ARB_API__PORT: 'eighty' }, '', /api\.port: .*expected number/],
  ])('refuses %s, naming path and what is allowed', (_what, env, text, message) => {
    const attempt = () => load(env, {}, fileWith(text));
    expect(attempt).toThrow(BadInput);
    expect(attempt).toThrow(message);
  });

  it('knows short names for what teams change most', () => {
    const { risk, breakers, execution } = load({
      ARB_MAX_POSITION_SIZE_USD: '1',
      ARB_MAX_TOTAL_EXPOSURE_USD: '2',
      ARB_MIN_PROFIT_MARGIN_BPS: '3.5',
      ARB_MAX_DAILY_LOSS_USD: '4',
      ARB_TARGET_EXECUTION_TIME_MS: '5',
      ARB_ENABLE_CIRCUIT_BREAKERS: 'false',
      ARB_ENABLE_RECOVERY_MODE: 'false',
    });
    expect(risk).toMatchObject({
      max_position_size_usd: 1,
      max_total_exposure_usd: 2,
      min_profit_margin_bps: 3.5,
      max_daily_loss_usd: 4,
      max_execution_time_ms: 5,
    });
    expect([breakers.enabled, execution.recovery.enabled]).toEqual([false, false]);
  });

  it('opens every limit on money where risk checks are off, but for those that are named', () => {
    const { risk } = load({ ARB_ENABLE_RISK_CHECKS: 'false', ARB_MAX_DAILY_LOSS_USD: '4' });
    const checked = load({ ARB_ENABLE_RISK_CHECKS: 'true' }).risk;
    expect(checked).toEqual(load().risk);
    expect(risk.max_daily_loss_usd).toBe(4);
    expect(risk.max_position_size_usd).toBe(1e15);
    expect(risk.max_book_age_ms).toBe(checked.max_book_age_ms);
  });

  it.each([
    ['ARB_MAX_POSITION_SIZE_USD', '0', /risk\.max_position_size_usd: .*>0/],
    ['ARB_MAX_TOTAL_EXPOSURE_USD', 'much', /risk\.max_total_exposure_usd: .*expected number/],
    ['ARB_MIN_PROFIT_MARGIN_BPS', '', /risk\.min_profit_margin_bps: .*expected number/],
    ['ARB_MAX_DAILY_LOSS_USD', '-5', /risk\.max_daily_loss_usd: .*>0/],
    ['ARB_TARGET_EXECUTION_TIME_MS', '0', /risk\.max_execution_time_ms: .*>0/],
    ['ARB_ENABLE_CIRCUIT_BREAKERS', 'yes', /breakers\.enabled: .*expected boolean/],
    ['ARB_ENABLE_RECOVERY_MODE', '1', /execution\.recovery\.enabled: .*expected boolean/],
    ['ARB_ENABLE_RISK_CHECKS', 'no', /ARB_ENABLE_RISK_CHECKS: true or false, not "no"/],
  ])('refuses %s=%s', (name, text, message) => {
    expect(() => load({ [name]: text })).toThrow(message);
  });

  it('never goes live without risk checks, whoever asks for it', () => {
    const env = { ARB_ENABLE_RISK_CHECKS: 'false' };
    for (const attempt of [
      () => load(env, { engine: { mode: 'live' } }),
      () => load({ ...env, ARB_ENGINE__MODE: 'live' }),
      () => load(env, {}, fileWith('[engine]\nmode = "live"\n')),
    ])
      expect(attempt).toThrow(/ARB_ENABLE_RISK_CHECKS=false: not with real orders/);
    expect(load(env, { engine: { mode: 'shadow' } }).engine.mode).toBe('shadow');
  });

  it('says which layer had the last word', () => {
    const file = fileWith('[risk]\nmax_daily_loss_usd = 1\nmax_open_operations = 3\n');
    const origins = originsOf({
      dir: 'config',
      env: { ARB_MAX_DAILY_LOSS_USD: '2', ARB_ENABLE_RISK_CHECKS: 'false', ARB_API__PORT: '80' },
      file,
      overrides: { api: { port: 81 } },
    });
    expect(origins.get('risk.max_daily_loss_usd')).toBe('ARB_MAX_DAILY_LOSS_USD');
    expect(origins.get('risk.max_open_operations')).toBe('ARB_ENABLE_RISK_CHECKS');
    expect(origins.get('risk.max_book_age_ms')).toBe('config/default.toml');
    expect(origins.get('api.port')).toBe('command line');
  });

  it('refuses a missing file by name', () => {
    expect(() => load({}, {}, '/nowhere/x.toml')).toThrow(/cannot read \/nowhere\/x\.toml: ENOENT/);
  });

  it('leaves secrets alone', () => {
    expect(() => load({ ARB_JWT_SECRET: 'hush' })).not.toThrow();
  });
});

it('reads a file for each venue that has one, whatever the defaults say of it', () => {
  const dir = mkdtempSync(join(tmpdir(), 'arb-layers-'));
  cpSync('config', dir, { recursive: true });
  mkdirSync(join(dir, 'venues'));
  writeFileSync(join(dir, 'venues', 'gate.toml'), '[venues.gate]\ntaker_fee = "0.0009"\n');
  expect(loadConfig({ dir, env: {} }).venues['gate']?.taker_fee).toBe('0.0009');
});
