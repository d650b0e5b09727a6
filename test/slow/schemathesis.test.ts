import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestCloud, type CloudUnderTest } from '../functions/support/cloud.ts';
import {
  eventOf,
  escalationData,
  operationData,
  opportunityData,
  orderData,
  riskOf,
  sampleOf,
  statusOf,
} from '../functions/support/events.ts';
import { willingEngine } from '../functions/support/willing-engine.ts';
import { pythonTool } from '../support/python-tool.ts';

/**
 * The API against what it says of itself, by somebody else's hand: schemathesis reads /v1/openapi.json and sends what the document allows and
 * what it forbids.
 */
const tool = pythonTool('schemathesis', '4.32.5');
const absent = 'absent' in tool ? tool.absent : '';
const REQUESTS_MIN = 5_000;

/** Not asked, and why. */
const EXCLUDED = {
  // The contract has no 405: another method is another resource, which is not there (404).
  unsupported_method: true,
  // A cursor, a time, a whole configuration: what an opaque or related value must be is more than a schema can say.
  positive_data_acceptance: true,
} as const;

describe.skipIf(absent !== '')(
  `schemathesis on /v1/openapi.json${absent === '' ? '' : ` (skipped: ${absent})`}`,
  () => {
    const dir = mkdtempSync(join(tmpdir(), 'arb-st-'));
    let world: CloudUnderTest;
    let engine: ReturnType<CloudUnderTest['play']>;

    beforeAll(async () => {
      world = await startTestCloud({ api: { rate_limit_per_minute: 60_000_000, rate_limit_burst: 1_000_000 } });
      engine = world.play(willingEngine());
      await seed(world);
    });
    afterAll(async () => {
      await engine.stop();
      await world.close();
      rmSync(dir, { recursive: true });
    });

    it(`finds no server error and nothing that is not as documented in ${REQUESTS_MIN} requests and more`, async () => {
      const token = await world.tokenOf('stranger', ['read', 'trade', 'risk', 'admin']);
      writeFileSync(join(dir, 'schemathesis.toml'), KNOWN);
      const { code, output } = await run([
        '--config-file',
        join(dir, 'schemathesis.toml'),
        'run',
        `${world.cloud.apiUrl}/v1/openapi.json`,
        ...['--header', `Authorization: Bearer ${token}`],
        ...['--phases', 'examples,coverage,fuzzing', '--max-examples', '80', '--seed', '2026'],
        ...['--exclude-checks', Object.keys(EXCLUDED).join(',')],
        ...['--generation-database', 'none', '--continue-on-failure', '--no-color', '--warnings', 'off'],
        ...['--report', 'json', '--report-json-path', join(dir, 'report.json')],
      ]);
      process.stdout.write(`${output.slice(output.lastIndexOf('= SUMMARY ='))}\n`);
      const requests = Number(/(\d+) generated/.exec(output)?.[1] ?? 0);
      expect([code, output.includes('FAILURES'), output.includes('ERRORS')], output).toEqual([0, false, false]);
      expect(requests).toBeGreaterThanOrEqual(REQUESTS_MIN);
      expect(readFileSync(join(dir, 'report.json'), 'utf8').length).toBeGreaterThan(0);
    });

    async function run(args: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }> {
      // It keeps notes where it runs, and would begin with them the next time.
      const child = spawn('path' in tool ? resolve(tool.path) : '', args, {
        cwd: dir,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let output = '';
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
      const [code] = (await once(child, 'close')) as [number | null];
      return { code, output };
    }
  },
);

/** One of everything, so that not every answer is "not found". */
async function seed(world: CloudUnderTest): Promise<void> {
  const atMs = world.clock.nowMs();
  await world.say(statusOf(atMs, { risk: riskOf(atMs) }));
  await world.sample([sampleOf('binance:BTC/USDT', atMs)]);
  await world.feed([
    eventOf('opportunity', 1, opportunityData('opp-1')),
    eventOf('operation', 2, operationData('op-1')),
    eventOf('order', 3, orderData('o-1', 'op-1')),
    eventOf('escalation', 4, escalationData('op-1')),
    eventOf('breaker', 5, {
      id: 'daily-loss',
      state: 'open',
      trips: 'halted',
      reason: 'a test',
      value: '1',
      limit: '0',
      by: 'engine',
    }),
  ]);
}

/** What is there: without it most answers would be 404. */
const KNOWN = `
[[operations]]
include-path = "/v1/analytics/opportunities/{id}"
parameters = { id = "opp-1" }

[[operations]]
include-path = "/v1/trading/operations/{id}"
parameters = { id = "op-1" }

[[operations]]
include-path = "/v1/risk/breakers/{id}/reset"
parameters = { id = "daily-loss" }

[[operations]]
include-path = "/v1/trading/recoveries/{operation}"
parameters = { operation = "op-1" }
`;
