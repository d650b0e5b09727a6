import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Clock } from '#shared/clock/clock.ts';
import { systemClock } from '#shared/clock/clock.ts';
import { reportData } from '#shared/schema/api.ts';
import { documentClient, dynamoClient } from '#functions/common/clients.ts';
import { Store } from '#functions/common/store.ts';
import { tableDefinitions } from '#functions/common/tables.ts';
import { dailyReport } from '#functions/reports/daily-report.ts';
import { keepReports, type KeepOptions } from '#functions/reports/keep-reports.ts';
import { createProjector } from '#functions/stream/projector.ts';
import { ensureTables, startDynamo, type Peer } from '#local/peers.ts';
import { startReporting } from '#local/reporting.ts';
import { batchOf, eventOf, operationData } from '../support/events.ts';
import { eventually, silentLog, tempDir } from '../support/world.ts';

const names = { state_table: 'state', events_table: 'events' };
const dir = tempDir();
let peer: Peer;
let client: DynamoDBDocumentClient;
beforeAll(async () => {
  peer = await startDynamo({ dataDir: dir.path, port: 0 });
  const dynamo = dynamoClient({ endpoint: peer.url });
  await ensureTables(dynamo, tableDefinitions(names));
  client = documentClient(dynamo);
});
afterAll(async () => {
  await peer.close();
  dir.remove();
});

const DAY_MS = 86_400_000;
/** 2026-11-21T00:00:00Z, when the first operation of each engine here ends. */
const ORIGIN_MS = 1_795_219_200_000;
let engines = 0;

async function storeWithHistory(): Promise<Store> {
  const engine = `reports-${(engines += 1)}`;
  const done = operationData('op-1', { state: 'completed', pnl: { realised: '12.340000000000000001', fees: '1.5' } });
  const projector = createProjector({ client, names, stream: 's', clock: systemClock(), log: silentLog });
  await projector(batchOf([JSON.stringify(eventOf('operation', 1, done, { engine }))]));
  return new Store(client, names, engine);
}
const clockAt = (day: number): Clock => ({ ...systemClock(), unixMs: () => ORIGIN_MS + day * DAY_MS });

function keeping(store: Store, day: number, over: Partial<KeepOptions> = {}) {
  const files = new Map<string, string>();
  const letters: { readonly subject: string; readonly text: string }[] = [];
  const options: KeepOptions = {
    store,
    shelf: { put: async (name, body) => void files.set(name, body), placeOf: (name) => `s3://kept/${name}` },
    tell: async (subject, text) => void letters.push({ subject, text }),
    clock: clockAt(day),
    log: silentLog,
    ...over,
  };
  return { files, letters, options };
}

describe('daily reports', () => {
  it('are kept as JSON and as a page once their day is settled, and told of once', async () => {
    const store = await storeWithHistory();
    expect(await keepReports(keeping(store, 1 + 0.99 / 24).options)).toEqual([]);
    const { files, letters, options } = keeping(store, 1 + 1 / 24);
    expect(await keepReports(options)).toEqual(['2026-11-21']);
    expect([...files.keys()]).toEqual(['json', 'html'].map((type) => `reports/${store.engine}/2026-11-21.${type}`));
    const [json, page] = [...files.values()];
    expect(json).toContain('"total_pnl":12.340000000000000001');
    expect(reportData.parse(JSON.parse(json!))).toMatchObject({ final: true, operations: 1 });
    expect(page).toContain('<!doctype html>');
    expect(letters).toMatchObject([
      {
        subject: `${store.engine}: report of 2026-11-21`,
        text: expect.stringContaining('operations    1, 0 still open'),
      },
    ]);
    expect(letters[0]!.text).toContain(`s3://kept/reports/${store.engine}/2026-11-21.html`);
    // What was kept is what the API serves.
    expect(await dailyReport(store, '2026-11-21', ORIGIN_MS + 9 * DAY_MS)).toBe(json);

    expect(await keepReports(options)).toEqual([]);
    expect(letters).toHaveLength(1);
  });

  it('make up the days that were missed, and write only of the last ones', async () => {
    const store = await storeWithHistory();
    const { files, letters, options } = keeping(store, 6.5);
    const days = ['2026-11-21', '2026-11-22', '2026-11-23', '2026-11-24', '2026-11-25', '2026-11-26'];
    expect(await keepReports(options)).toEqual(days);
    expect(files.size).toBe(2 * days.length);
    expect(letters.map(({ subject }) => subject.slice(-10))).toEqual(days.slice(-3));
  });

  it('are made by one of those who try at once, and by another when that one has died', async () => {
    const store = await storeWithHistory();
    const tries = Array.from({ length: 4 }, () => keeping(store, 1.5));
    const kept = await Promise.all(tries.map(({ options }) => keepReports(options)));
    expect(kept.flat()).toEqual(['2026-11-21']);
    expect(tries.flatMap(({ letters }) => letters)).toHaveLength(1);

    const dying = keeping(store, 2.5, { tell: () => Promise.reject(new Error('SNS is away')) });
    await expect(keepReports(dying.options)).rejects.toThrow('SNS is away');
    expect(await keepReports(keeping(store, 2.5).options)).toEqual([]);
    expect(await keepReports(keeping(store, 2.5 + 11 / 1440).options)).toEqual(['2026-11-22']);
  });

  it('are kept in the data folder of this machine, those of missed days at the start', async () => {
    const store = await storeWithHistory();
    const { stop } = startReporting({ store, dataDir: dir.path, clock: clockAt(1.5), log: silentLog });
    const file = join(dir.path, 'reports', store.engine, '2026-11-21.html');
    await eventually(() => existsSync(file), 60_000);
    await stop();
    expect(readFileSync(file, 'utf8')).toContain('2026-11-21');
  });
});
