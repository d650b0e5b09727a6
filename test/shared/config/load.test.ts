import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BadInput } from '#shared/assert.ts';
import { loadConfig } from '#shared/config/load.ts';

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
