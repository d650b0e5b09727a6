import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import dynalite from 'dynalite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { at } from '#functions/common/layout.ts';
import { dynamodbFrom } from '#hotpath/publish/aws.ts';
import type { Logger } from '#hotpath/runtime/logger.ts';
import type { Beginning } from '#hotpath/stored-config.ts';
import { keptVersion, withStoredConfig } from '#hotpath/stored-config.ts';
import { systemClock } from '#shared/clock/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import type { Started } from '#shared/config/stored.ts';
import { withStored } from '#shared/config/stored.ts';
import type { Config } from '#shared/schema/config.ts';
import { createStateTable } from '#test/support/state-table.ts';

const files = loadConfig({ dir: 'config', env: {}, overrides: { system: { data_dir: '/nowhere' } } });
const changed = (change: Partial<Config['engine']>, risk: Partial<Config['risk']> = {}): Config => ({
  ...files,
  engine: { ...files.engine, ...change },
  risk: { ...files.risk, ...risk },
});

const without = (table: object, name: string): object =>
  Object.fromEntries(Object.entries(table).filter(([key]) => key !== name));

describe('a stored version over what an engine was started with', () => {
  it('has the last word on what the engine does, and none on what it is and where it finds things', () => {
    const stored: Config = {
      ...changed({ name: 'another', mode: 'live', min_edge_bps: 7 }, { max_daily_loss_usd: 11 }),
      system: { ...files.system, data_dir: '/elsewhere', log_level: 'debug' },
      stores: { ...files.stores, state_table: 'another' },
      lease: { ...files.lease, enabled: true },
    };
    const { config, written } = withStored({ config: files }, { version: 3, config: stored });
    expect(config).toEqual(changed({ min_edge_bps: 7 }, { max_daily_loss_usd: 11 }));
    expect(written).toBeUndefined();
  });

  it('leaves venues where they were led, and adds none', () => {
    const led: Started = {
      config: {
        ...changed({ venues: ['okx', 'kraken'] }),
        venues: { okx: { enabled: true, via: 'http://127.0.0.1:1' } },
      },
      written: changed({ venues: ['okx', 'kraken'] }),
    };
    const stored = { ...changed({ venues: ['bybit', 'okx'] }), venues: { okx: { enabled: true, taker_fee: '0.1' } } };
    const { config, written } = withStored(led, { version: 3, config: stored });
    expect(config.venues).toEqual(led.config.venues);
    expect(config.engine.venues).toEqual(['okx']);
    expect(written!.engine.venues).toEqual(['bybit', 'okx']);
    const strange = withStored(led, { version: 4, config: changed({ venues: ['bybit'] }) });
    expect(strange.config.engine.venues).toEqual(['okx', 'kraken']);
  });

  it('leads no venue elsewhere, and none back, where nobody wrote it otherwise', () => {
    const config: Config = {
      ...files,
      venues: { okx: { enabled: true }, kraken: { enabled: true, via: 'http://127.0.0.1:1' } },
    };
    const stored: Config = {
      ...files,
      venues: { okx: { enabled: true, taker_fee: '0.1', via: 'http://192.0.2.1' }, bybit: { enabled: true } },
    };
    expect(withStored({ config }, { version: 3, config: stored }).config.venues).toEqual({
      okx: { enabled: true, taker_fee: '0.1' },
      bybit: { enabled: true },
      kraken: { enabled: true, via: 'http://127.0.0.1:1' },
    });
  });

  it('has what it does not know from the files, and nothing back that it left out by name', () => {
    const started: Config = { ...files, venues: { okx: { enabled: true }, kraken: { enabled: true } } };
    const stored = {
      ...without(started, 'ageing'),
      breakers: without(started.breakers, 'deleveraging'),
      risk: without({ ...started.risk, max_daily_loss_usd: 11 }, 'max_adl_rank'),
      venues: { okx: { enabled: true } },
    };
    const { config } = withStored({ config: started }, { version: 3, config: stored });
    expect(config).toEqual({
      ...started,
      risk: { ...started.risk, max_daily_loss_usd: 11 },
      venues: { okx: { enabled: true } },
    });
  });

  it('lets in no key that may withdraw, and shuts out none', () => {
    const account = {
      gateway: 'native',
      margin_mode: 'cross',
      leverage: 1,
      reserved_limit_share: 0.2,
      allow_withdraw: false,
    } as const;
    const config: Config = { ...files, accounts: { okx: { ...account, allow_withdraw: true }, kraken: account } };
    const may = { ...account, leverage: 2, allow_withdraw: true };
    const stored = { ...files, accounts: { okx: account, kraken: may, bybit: may } };
    expect(withStored({ config }, { version: 3, config: stored }).config.accounts).toEqual({
      okx: { ...account, allow_withdraw: true },
      kraken: { ...may, allow_withdraw: false },
      bybit: { ...may, allow_withdraw: false },
    });
  });

  it('is refused by its path where it is no configuration of this release', () => {
    const stored = { ...files, risk: { ...files.risk, max_daily_loss_usd: 'much' } };
    expect(() => withStored({ config: files }, { version: 5, config: stored })).toThrow(
      /configuration version 5: risk\.max_daily_loss_usd: /,
    );
  });
});

describe('an engine that starts', () => {
  let peer: Server;
  let endpoint: string;
  let dataDir: string;
  let said: [string, Readonly<Record<string, unknown>> | undefined][];

  beforeAll(async () => {
    peer = dynalite({ createTableMs: 0 });
    await new Promise<void>((resolve) => peer.listen(0, '127.0.0.1', resolve));
    endpoint = `http://127.0.0.1:${(peer.address() as AddressInfo).port}`;
    await createStateTable(dynamodb());
  });
  afterAll(
    () =>
      new Promise((resolve) => {
        peer.close(resolve);
        peer.closeAllConnections();
      }),
  );
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'stored-'));
    said = [];
  });
  afterEach(() => rmSync(dataDir, { recursive: true }));

  const dynamodb = () => dynamodbFrom({ region: 'eu-west-1', dynamodbEndpoint: endpoint });
  const store = async (engine: string, version: number, config: unknown): Promise<void> => {
    await storeText(engine, version, JSON.stringify({ version, config, by: 'me' }));
  };
  const storeText = async (engine: string, version: number, text: string): Promise<void> => {
    const { pk, sk } = at.configVersion(engine, version);
    const Item = { pk: { S: pk }, sk: { S: sk }, version_text: { S: text } };
    await dynamodb().send(new PutItemCommand({ TableName: 'state', Item }));
  };
  const logger: Logger = {
    debug: () => undefined,
    info: (event, fields) => void said.push([event, fields]),
    warn: (event, fields) => void said.push([event, fields]),
    error: (event, fields) => void said.push([event, fields]),
  };
  const start = (engine: string, dynamodbEndpoint = endpoint): Promise<Beginning> => {
    const aws = { region: 'eu-west-1', dynamodbEndpoint };
    const config = { ...files, system: { ...files.system, data_dir: dataDir } };
    return withStoredConfig(
      { config },
      {
        clock: systemClock(),
        logger,
        question: { engine, stateTable: 'state', aws, timeoutMs: 20_000 },
        withinMs: 60_000,
      },
    );
  };
  // Nobody listens there: reserved, and refused at once.
  const NOWHERE = 'http://127.0.0.1:1';

  it('takes the newest version, and says what that changes', async () => {
    for (const version of [1, 2, 10]) await store('one', version, changed({ min_edge_bps: version }));
    const { config } = await start('one');
    expect(config.engine.min_edge_bps).toBe(10);
    expect(said).toEqual([['stored-config', { version: 10, changes: ['engine.min_edge_bps'] }]]);
  });

  it('has its files where nothing was ever stored', async () => {
    expect((await start('nobody')).config.engine).toEqual(files.engine);
    expect(said).toEqual([]);
  });

  it('has the version that it was last given while the store does not answer, and its files before the first', async () => {
    expect((await start('two', NOWHERE)).config.engine).toEqual(files.engine);
    expect(said).toEqual([['stored-config-unreachable', { error: expect.any(String) }]]);
    await store('two', 4, changed({ min_edge_bps: 4 }));
    await start('two');
    const again = await start('two', NOWHERE);
    expect(again.config.engine.min_edge_bps).toBe(4);
    expect(again).not.toHaveProperty('restriction');
    expect(said.slice(2).map(([event, fields]) => [event, fields?.['version']])).toEqual([
      ['stored-config-unreachable', undefined],
      ['stored-config', 4],
    ]);
  });

  it('has the version before one that is none, its files before the first, and opens nothing in either case', async () => {
    await store('three', 2, { ...files, nonsense: true });
    const refused = { state: 'reducing', reason: expect.stringMatching(/^CONFIG_REFUSED: .* 2: .*nonsense/) };
    const first = await start('three');
    expect([first.config.engine, first.restriction]).toEqual([files.engine, refused]);
    expect(said).toEqual([['stored-config-refused', { reason: expect.stringContaining('nonsense') }]]);
    keptVersion(dataDir).save({ version: 1, config: changed({ min_edge_bps: 1 }) });
    const { config, restriction } = await start('three');
    expect([config.engine.min_edge_bps, restriction]).toEqual([1, refused]);
    expect(keptVersion(dataDir).load()?.version).toBe(1);
  });

  it.each(['{', 'null', '{"config":{}}'])('opens nothing where what is stored cannot be read: %s', async (text) => {
    await storeText('four', 1, text);
    const { config, restriction } = await start('four');
    expect(config.engine).toEqual(files.engine);
    expect(restriction).toEqual({ state: 'reducing', reason: expect.stringContaining('cannot be read') });
  });

  it('opens nothing where the kept version cannot be read', async () => {
    writeFileSync(join(dataDir, 'config-version.json'), '{');
    const { restriction } = await start('five', NOWHERE);
    expect(restriction?.reason).toMatch(/^CONFIG_REFUSED: .*config-version\.json/);
  });
});
