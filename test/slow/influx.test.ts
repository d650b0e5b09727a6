import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lineOf } from '#functions/common/line-protocol.ts';
import { ensureInfluxDatabases, influxTimeSeries, type InfluxOptions } from '#functions/common/time-series-influx.ts';
import { systemClock } from '#shared/clock/clock.ts';
import { points } from '#test/functions/support/points.ts';
import { keepsItsPromises } from '#test/functions/support/time-series-suite.ts';
import { influxd, startInflux, type Influx } from '#test/support/influx.ts';

const found = influxd();
const clock = systemClock();
const DAY_MS = 86_400_000;
const today = Math.floor(clock.unixMs(clock.now()) / DAY_MS) * DAY_MS;

describe.skipIf('missing' in found)(`time series in InfluxDB${'missing' in found ? `: ${found.missing}` : ''}`, () => {
  let influx: Influx;
  let options: InfluxOptions;

  beforeAll(async () => {
    influx = await startInflux('path' in found ? found.path : '');
    options = { url: influx.url, database: 'arb' };
    await ensureInfluxDatabases(options);
    await ensureInfluxDatabases(options);
  });
  afterAll(() => influx.close());

  keepsItsPromises(() => influxTimeSeries(options), today);

  it('keeps each interval for as long as it says', async () => {
    const policies = await query('SHOW RETENTION POLICIES', 'arb_5m');
    expect(policies[0]?.slice(0, 2)).toEqual(['autogen', `${(30 + 1) * 24}h5m0s`]);
  });

  it('names the database that is missing', async () => {
    const store = influxTimeSeries({ ...options, database: 'nobody' });
    const quote = { instrument: 'x:A/B', atMs: today, price: '1' };
    await expect(store.write([quote], today)).rejects.toMatchObject({
      code: 5003,
      detail: 'InfluxDB answered 404: database not found: "nobody_1m"',
    });
  });

  it('names what the server took only in part', async () => {
    // The same columns with numbers in them, as somebody else's tool may have left them.
    for (const name of ['1m', '5m', '1h', '1d']) await query(`CREATE DATABASE other_${name}`);
    const line = `candle,instrument=y:A/B open=1i ${today}000000`;
    expect((await fetch(`${influx.url}/write?db=other_1m`, { method: 'POST', body: line })).status).toBe(204);
    const quote = { instrument: 'x:A/B', atMs: today, price: '1' };
    await expect(influxTimeSeries({ ...options, database: 'other' }).write([quote], today)).rejects.toMatchObject({
      code: 5003,
      detail: expect.stringMatching(
        /^InfluxDB answered 400: partial write: field type conflict: .* dropped=1$/,
      ) as string,
    });
  });

  it('has every point back as it was written', async () => {
    let round = 0;
    await query('CREATE DATABASE lines');
    await fc.assert(
      fc.asyncProperty(points, async (drawn) => {
        round += 1;
        // Each its own time: what shares one shares a point.
        const point = { ...drawn, timeNs: BigInt(round) };
        const written = await fetch(`${influx.url}/write?db=lines&precision=ns`, {
          method: 'POST',
          body: lineOf(point),
        });
        expect([written.status, await written.text()]).toEqual([204, '']);
        const columns = [...Object.keys(point.fields), ...Object.keys(point.tags)];
        const [row] = await query(
          `SELECT ${columns.map(quoted).join(', ')} FROM ${quoted(point.measurement)} WHERE time = ${round}`,
          'lines',
        );
        expect(row?.slice(1).map(String)).toEqual(
          [...Object.values(point.fields), ...Object.values(point.tags)].map(String),
        );
      }),
      { numRuns: 200 },
    );
  });

  const query = async (q: string, db = ''): Promise<readonly (readonly unknown[])[]> => {
    const response = await fetch(`${influx.url}/query`, {
      method: 'POST',
      body: new URLSearchParams({ q, db, epoch: 'ns' }),
    });
    const { results } = (await response.json()) as {
      results: readonly { series?: readonly { values: readonly (readonly unknown[])[] }[]; error?: string }[];
    };
    expect(results[0]?.error).toBeUndefined();
    return results[0]?.series?.[0]?.values ?? [];
  };
});

const quoted = (name: string): string => `"${name.replaceAll('"', '\\"')}"`;
