import { BadInput } from '#shared/assert.ts';
import { changesBetween, leavesOf, type Change } from '#shared/config/changes.ts';
import { configSchema, type Config } from '#shared/schema/config.ts';
import { ApplicationError, detailOf } from '../common/errors.ts';
import { at } from '../common/layout.ts';
import type { Item, Table } from '../common/table.ts';
import { seqKey } from '../common/tables.ts';

export type ConfigVersion = {
  /** 0 is what the API was started with; the first stored one is 1. */
  readonly version: number;
  readonly config: Config;
  readonly by: string;
  readonly atMs: number;
  readonly comment: string;
  /** Against the version before it. */
  readonly changes: readonly Change[];
};

export type NewVersion = {
  readonly by: string;
  readonly atMs: number;
  readonly comment: string;
  /** The version on which the change is based; another one being current is a conflict. */
  readonly expected: number | undefined;
};

/** The versions of one engine's configuration: each is one item that is written once; a rollback is a new version. */
export class ConfigVersions {
  readonly #table: Table;
  readonly #engine: string;
  readonly #start: Config | undefined;

  constructor(table: Table, engine: string, start: Config | undefined) {
    this.#table = table;
    this.#engine = engine;
    this.#start = start;
  }

  /** @throws ApplicationError 2003 when nothing is stored and nobody said with what the engine is started */
  async current(): Promise<ConfigVersion> {
    const found = await this.#newest();
    if (found === undefined) throw new ApplicationError(2003, 'no configuration is stored');
    return found;
  }

  /** @throws ApplicationError 2003 */
  async at(version: number): Promise<ConfigVersion> {
    const item = version === 0 ? undefined : await this.#table.get(at.configVersion(this.#engine, version));
    const found = item === undefined ? undefined : versionOf(item);
    const start = version === 0 ? this.#startVersion() : undefined;
    const known = found ?? start;
    if (known === undefined) throw new ApplicationError(2003, `no version ${version}`);
    return known;
  }

  /** Newest first, below `before`. */
  async list(limit: number, before: number): Promise<readonly ConfigVersion[]> {
    const found = (await this.#read(limit, before)).map(versionOf);
    const start = this.#startVersion();
    return found.length < limit && start !== undefined && before > 0 ? [...found, start] : found;
  }

  /**
   * Stores what `change` makes of the current configuration as the next version; the current one when nothing changes.
   * @throws ApplicationError 409 when somebody else was first, BadInput when the result is no configuration
   */
  async put(change: (current: Config | undefined) => unknown, about: NewVersion): Promise<ConfigVersion> {
    const current = await this.#newest();
    const base = current?.version ?? 0;
    if (about.expected !== undefined && about.expected !== base) {
      throw new ApplicationError(409, `the current version is ${base}`);
    }
    const config = configFrom(change(current?.config));
    const changes = changesBetween(current?.config, config);
    if (current !== undefined && changes.length === 0) return current;
    const { by, atMs, comment } = about;
    const next: ConfigVersion = { version: base + 1, config, by, atMs, comment, changes };
    const written = await this.#table.update(at.configVersion(this.#engine, next.version), {
      UpdateExpression: 'SET version_text = :version',
      ConditionExpression: 'attribute_not_exists(version_text)',
      ExpressionAttributeValues: { ':version': JSON.stringify(next) },
    });
    if (written === undefined) throw new ApplicationError(409, `version ${next.version} was written by somebody else`);
    return next;
  }

  async #newest(): Promise<ConfigVersion | undefined> {
    const [item] = await this.#read(1, Infinity);
    return item === undefined ? this.#startVersion() : versionOf(item);
  }

  async #read(limit: number, before: number): Promise<readonly Item[]> {
    const { Items = [] } = await this.#table.query({
      KeyConditionExpression: 'pk = :pk AND sk < :before',
      ExpressionAttributeValues: {
        ':pk': at.configVersion(this.#engine, 0).pk,
        ':before': seqKey(Math.min(before, Number.MAX_SAFE_INTEGER)),
      },
      ScanIndexForward: false,
      Limit: limit,
      ConsistentRead: true,
    });
    return Items;
  }

  #startVersion(): ConfigVersion | undefined {
    if (this.#start === undefined) return undefined;
    return { version: 0, config: this.#start, by: 'start', atMs: 0, comment: 'as started', changes: [] };
  }
}

/**
 * The schema refuses every unknown key, and there is none for a secret; what is left is an address with a password in it.
 * @throws BadInput naming the paths, never the values
 */
function configFrom(input: unknown): Config {
  const result = configSchema.safeParse(input);
  if (!result.success) throw new BadInput(detailOf(result.error.issues));
  for (const [path, value] of leavesOf(result.data)) {
    const url = URL.parse(String(JSON.parse(value)));
    if (url !== null && (url.username !== '' || url.password !== '')) {
      throw new BadInput(`${path}: an address with a user or password in it; secrets do not belong here`);
    }
  }
  return result.data;
}

// Written by `put` alone.
const versionOf = (item: Item): ConfigVersion => JSON.parse(String(item['version_text'])) as ConfigVersion;
