import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { z } from 'zod';
import { loadConfig } from '#shared/config/load.ts';
import { configSchema } from '#shared/schema/config.ts';

export const configDir = fileURLToPath(new URL('../../config', import.meta.url));

/** `arb config`: what the engine would run with, and what it could be told. */
export function configCommand(): Command {
  return new Command('config')
    .description('Print the configuration that a start would use, or its JSON Schema.')
    .option('--schema', 'print the JSON Schema of every setting instead')
    .option('--config <file>', "one more TOML file over the project's own layers")
    .addHelpText(
      'after',
      `
Layers, later wins: config/default.toml, config/<environment>.toml, config/venues/<venue>.toml, --config FILE, ARB_* variables.
  ARB_RISK__MAX_DAILY_LOSS_USD=500 arb config      one setting from the environment (section, two underscores, key)
  arb config --schema > schema.json                for an editor or a check in CI`,
    )
    .action(({ schema, config }: { schema?: true; config?: string }) => {
      const value =
        schema === true
          ? z.toJSONSchema(configSchema, { io: 'input' })
          : loadConfig({ dir: configDir, env: process.env, file: config });
      process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
    });
}
