import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { z } from 'zod';
import { leavesOf } from '#shared/config/changes.ts';
import type { ConfigSources } from '#shared/config/load.ts';
import { loadConfig, originsOf } from '#shared/config/load.ts';
import { configSchema } from '#shared/schema/config.ts';

export const configDir = fileURLToPath(new URL('../../config', import.meta.url));

/** `arb config`: what the engine would run with, and what it could be told. */
export function configCommand(): Command {
  return new Command('config')
    .description('Print the configuration that a start would use, or its JSON Schema.')
    .option('--schema', 'print the JSON Schema of every setting instead')
    .option('--origins', 'print each setting with its value and the layer that had the last word on it')
    .option('--config <file>', "one more TOML file over the project's own layers")
    .addHelpText(
      'after',
      `
Layers, later wins: config/default.toml, config/<environment>.toml, config/venues/<venue>.toml, --config FILE, ARB_* variables.
  ARB_RISK__MAX_DAILY_LOSS_USD=500 arb config      one setting from the environment (section, two underscores, key)
  arb config --origins | grep risk                 where each limit comes from
  arb config --schema > schema.json                for an editor or a check in CI`,
    )
    .action(({ schema, origins, config: file }: { schema?: true; origins?: true; config?: string }) => {
      const sources: ConfigSources = { dir: configDir, env: process.env, file };
      if (origins === true) process.stdout.write(originLines(sources));
      else {
        const value = schema === true ? z.toJSONSchema(configSchema, { io: 'input' }) : loadConfig(sources);
        process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
      }
    });
}

function originLines(sources: ConfigSources): string {
  const origins = originsOf(sources);
  const leaves = [...leavesOf(loadConfig(sources))].sort(([a], [b]) => (a < b ? -1 : 1));
  return leaves.map(([path, value]) => `${path} = ${value}  # ${origins.get(path) ?? 'the schema'}\n`).join('');
}
