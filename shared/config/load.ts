import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { z } from 'zod';
import { BadInput } from '../assert.ts';
import type { Config } from '../schema/config.ts';
import { configSchema } from '../schema/config.ts';
import { leavesOf } from './changes.ts';

export type ConfigSources = {
  /** Folder with default.toml, <environment>.toml and venues/<venue>.toml. */
  readonly dir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** One more file of the operator's, after the project's own layers and before the environment. */
  readonly file?: string | undefined;
  /** What the command line said: the last word. */
  readonly overrides?: Tree | undefined;
};

type Tree = { readonly [key: string]: unknown };

/** Environment names that are not configuration: secrets and endpoints stand beside it, never in it. */
const NOT_CONFIGURATION = new Set([
  'ARB_JWT_SECRET',
  'ARB_API_SECRET',
  'ARB_CONFIG',
  'ARB_SECRETS_PASSPHRASE',
  'ARB_SLACK_WEBHOOK_URL',
  'ARB_ALERT_WEBHOOK_SECRET',
  'ARB_ENABLE_RISK_CHECKS',
]);
/** Keys of venues: docs/live.md. */
const VENUE_KEY = /^ARB_SECRET_/;

/** Short names of the settings that teams change most. */
const SHORT_FORMS: Readonly<Record<string, readonly string[]>> = {
  ARB_MAX_POSITION_SIZE_USD: ['risk', 'max_position_size_usd'],
  ARB_MAX_TOTAL_EXPOSURE_USD: ['risk', 'max_total_exposure_usd'],
  ARB_MIN_PROFIT_MARGIN_BPS: ['risk', 'min_profit_margin_bps'],
  ARB_MAX_DAILY_LOSS_USD: ['risk', 'max_daily_loss_usd'],
  ARB_TARGET_EXECUTION_TIME_MS: ['risk', 'max_execution_time_ms'],
  ARB_ENABLE_CIRCUIT_BREAKERS: ['breakers', 'enabled'],
  ARB_ENABLE_RECOVERY_MODE: ['execution', 'recovery', 'enabled'],
};

/** `false` sets every limit on money so wide that none binds; single limits may be set beside it. Never with real orders. */
const RISK_CHECKS = 'ARB_ENABLE_RISK_CHECKS';
const ENDLESS_USD = 1e15;
/** How fresh books and how healthy venues must be is no matter of money: those stay. */
const UNLIMITED: Tree = {
  risk: {
    max_position_size_usd: ENDLESS_USD,
    max_exposure_per_exchange: ENDLESS_USD,
    max_exposure_per_asset_usd: ENDLESS_USD,
    max_exposure_per_family_usd: ENDLESS_USD,
    max_total_exposure_usd: ENDLESS_USD,
    max_concentration: 1,
    max_leverage: 1e6,
    max_correlation_risk: 1,
    max_daily_loss_usd: ENDLESS_USD,
    max_drawdown: 1,
    max_var: ENDLESS_USD,
    max_expected_shortfall: ENDLESS_USD,
    max_open_operations: 1_000,
    min_profit_margin_bps: -10_000,
    max_edge_bps: 0,
    max_slippage_bps: 10_000,
    max_execution_time_ms: 60_000,
    min_margin_ratio: 0,
  },
};

/** What one layer says: a file, a variable, the command line. */
type Layer = { readonly name: string; readonly tree: Tree };

/**
 * Reads the layers, later wins: default.toml, <environment>.toml, venues/<venue>.toml, the operator's file, ARB_* variables, overrides.
 * @throws BadInput naming the layer or path and what is allowed there, on an unreadable file, an unknown key or a bad value.
 */
export function loadConfig(sources: ConfigSources): Config {
  const config = checked(mergedOf(layersOf(sources)));
  if (config.engine.mode === 'live' && !areRisksChecked(sources.env))
    throw new BadInput(`configuration: ${RISK_CHECKS}=false: not with real orders (engine.mode = "live")`);
  return config;
}

/** Which layer had the last word on each setting, by path; a setting that none names has its value from the schema. */
export function originsOf(sources: ConfigSources): ReadonlyMap<string, string> {
  const last = new Map<string, string>();
  for (const { name, tree } of layersOf(sources)) for (const path of leavesOf(tree).keys()) last.set(path, name);
  return last;
}

function layersOf({ dir, env, file, overrides }: ConfigSources): readonly Layer[] {
  const first = fileLayer(join(dir, 'default.toml'));
  const environment = env['ARB_SYSTEM__ENVIRONMENT'] ?? stringAt(first.tree, 'system', 'environment') ?? 'local';
  const own = [join(dir, `${environment}.toml`), ...venueFiles(dir)].filter((path) => existsSync(path));
  const files = [first, ...own.map(fileLayer), ...(file === undefined ? [] : [fileLayer(file)])];
  const unlimited = areRisksChecked(env) ? [] : [{ name: RISK_CHECKS, tree: UNLIMITED }];
  const said = overrides === undefined ? [] : [{ name: 'command line', tree: overrides }];
  return [...files, ...unlimited, ...fromEnvironment(env, mergedOf(files)), ...said];
}

const fileLayer = (path: string): Layer => ({ name: path, tree: readToml(path) });
const mergedOf = (layers: readonly Layer[]): Tree => layers.reduce<Tree>((under, { tree }) => merge(under, tree), {});

function areRisksChecked(env: ConfigSources['env']): boolean {
  const text = env[RISK_CHECKS] ?? 'true';
  if (text !== 'true' && text !== 'false')
    throw new BadInput(`configuration: ${RISK_CHECKS}: true or false, not ${JSON.stringify(text)}`);
  return text === 'true';
}

function checked(tree: Tree): Config {
  const result = configSchema.safeParse(tree);
  if (!result.success) throw new BadInput(result.error.issues.map(describe).join('\n'));
  return result.data;
}

function describe(issue: z.core.$ZodIssue): string {
  const path = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const allowed = keysAt(issue.path.map(String));
    const names = issue.keys.map((key) => [path, key].filter((part) => part !== '').join('.')).join(', ');
    return `configuration: unknown key ${names} (allowed: ${allowed.join(', ')})`;
  }
  return `configuration: ${path}: ${issue.message}`;
}

/** Whatever stands in venues/, in the order of the names. */
function venueFiles(dir: string): string[] {
  const folder = join(dir, 'venues');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.toml'))
    .sort()
    .map((name) => join(folder, name));
}

function readToml(path: string): Tree {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new BadInput(`configuration: cannot read ${path}: ${(cause as NodeJS.ErrnoException).code ?? 'unreadable'}`);
  }
  try {
    return parse(text);
  } catch (cause) {
    throw new BadInput(`configuration: ${path} is not TOML: ${(cause as Error).message.split('\n')[0] ?? ''}`);
  }
}

/** `ARB_RISK__MAX_DAILY_LOSS_USD=5000` → risk.max_daily_loss_usd, read as the type that the schema has there. */
function fromEnvironment(env: ConfigSources['env'], below: Tree): readonly Layer[] {
  return Object.entries(env).flatMap(([name, text]) => {
    const isSetting = name.startsWith('ARB_') && !NOT_CONFIGURATION.has(name) && !VENUE_KEY.test(name);
    if (text === undefined || !isSetting) return [];
    const path = SHORT_FORMS[name] ?? spelled(name.slice('ARB_'.length).split('__'), below);
    const schema = schemaAt(path);
    if (schema === undefined) {
      const parent = path.slice(0, -1);
      throw new BadInput(
        `configuration: ${name} names no setting (allowed in ${parent.join('.') || 'the configuration'}: ${keysAt(parent).join(', ') || 'nothing'})`,
      );
    }
    return [
      { name, tree: path.reduceRight<unknown>((value, key) => ({ [key]: value }), valueOf(text, schema)) as Tree },
    ];
  });
}

/** Variables are upper case; keys are spelled as the layers below spell them (`engine.pegs.USD`), lower case where they are new. */
function spelled(parts: readonly string[], below: Tree): string[] {
  let at: unknown = below;
  return parts.map((part) => {
    const known = isTree(at) ? Object.keys(at).find((key) => key.toLowerCase() === part.toLowerCase()) : undefined;
    at = isTree(at) && known !== undefined ? at[known] : undefined;
    return known ?? part.toLowerCase();
  });
}

function valueOf(text: string, schema: z.ZodType): unknown {
  if (schema instanceof z.ZodNumber) return text.trim() === '' ? text : Number(text);
  if (schema instanceof z.ZodBoolean) return text === 'true' ? true : text === 'false' ? false : text;
  if (schema instanceof z.ZodArray) return text.split(',').map((item) => item.trim());
  return text;
}

function schemaAt(path: readonly string[]): z.ZodType | undefined {
  let schema: z.ZodType | undefined = configSchema;
  for (const key of path) {
    schema = schema === undefined ? undefined : childOf(bare(schema), key);
  }
  return schema === undefined ? undefined : bare(schema);
}

function childOf(schema: z.ZodType, key: string): z.ZodType | undefined {
  if (schema instanceof z.ZodObject) return (schema.shape as Record<string, z.ZodType>)[key];
  if (schema instanceof z.ZodRecord) return schema.valueType as z.ZodType;
  return undefined;
}

function bare(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) return bare(schema.unwrap() as z.ZodType);
  return schema;
}

function keysAt(path: readonly string[]): readonly string[] {
  const schema = schemaAt(path);
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

/** Tables merge key by key; everything else is replaced. */
function merge(under: Tree, over: Tree): Tree {
  const merged: Record<string, unknown> = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    merged[key] = isTree(below) && isTree(value) ? merge(below, value) : value;
  }
  return merged;
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);

function stringAt(tree: Tree, section: string, key: string): string | undefined {
  const table = tree[section];
  const value = isTree(table) ? table[key] : undefined;
  return typeof value === 'string' ? value : undefined;
}
