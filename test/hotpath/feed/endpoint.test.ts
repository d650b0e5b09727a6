import { describe, expect, it } from 'vitest';
import { loadConfig } from '#shared/config/load.ts';
import { endpointsFrom } from '#hotpath/feed/endpoint.ts';
import { binance } from '#hotpath/venues/binance.ts';

const config = loadConfig({ dir: 'config', env: {} });

describe('the fees of an endpoint', () => {
  it('are paid in the configured token on spot markets only', () => {
    const settings = { enabled: true, fee_token: { asset: 'BNB', discount: '0.25' } };
    const fees = endpointsFrom({ ...config, venues: { binance: settings } }, [binance]).map(
      ({ market, fees: { token } }) => [market.id, token?.asset, token?.discount.toFixed()],
    );
    expect(fees).toContainEqual(['spot', 'BNB', '0.25']);
    expect(fees.filter(([id]) => id !== 'spot').every(([, asset]) => asset === undefined)).toBe(true);
    expect(
      endpointsFrom({ ...config, venues: {} }, [binance]).every(({ fees: { token } }) => token === undefined),
    ).toBe(true);
  });
});
