import { describe, expect, it } from 'vitest';
import { loadConfig } from '#shared/config/load.ts';
import type { Config } from '#shared/schema/config.ts';
import { endpointsFrom } from '#hotpath/feed/endpoint.ts';
import { binance } from '#hotpath/venues/binance.ts';

const config = loadConfig({ dir: 'config', env: {} });

describe('the fees of an endpoint', () => {
  it('are paid in the configured token on spot markets only', () => {
    const tokensOf = (settings: Config['venues']) =>
      endpointsFrom({ ...config, engine: { ...config.engine, venues: ['binance'] }, venues: settings }, [binance]).map(
        ({ market, fees: { token } }) => [market.id, token?.asset, token?.discount.toFixed()],
      );
    const told = tokensOf({ binance: { enabled: true, fee_token: { asset: 'BNB', discount: '0.25' } } });
    expect(told).toContainEqual(['spot', 'BNB', '0.25']);
    expect(told.length).toBeGreaterThan(1);
    expect(told.filter(([id]) => id !== 'spot').every(([, asset]) => asset === undefined)).toBe(true);
    expect(tokensOf({}).every(([, asset]) => asset === undefined)).toBe(true);
  });
});
