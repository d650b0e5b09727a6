import type { App } from 'aws-cdk-lib';
import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';

/**
 * What a deployment may choose, from CDK context (`-c name=value`, or cdk.json). Unknown values are refused before anything is made.
 */
const settingsSchema = z.object({
  environment: z.enum(['dev', 'staging', 'production']).default('dev'),
  /** Under which name the engine speaks; one engine and its standby a deployment. */
  engine: z
    .string()
    .regex(/^[a-z0-9-]{1,32}$/)
    .default('engine-1'),
  /** Both at once are refused by EC2 at launch, so there is only one word for them. */
  placement: z.enum(['dedicated-host', 'cluster-metal']).default('dedicated-host'),
  instanceType: z.string().default('c7i.metal-24xl'),
  venues: z
    .string()
    .default('binance,okx,kraken')
    .transform((text) => text.split(',').filter((part) => part !== ''))
    .refine((venues) => venues.length > 0, 'at least one'),
  corsOrigins: z
    .string()
    .default('')
    .transform((text) => text.split(',').filter((part) => part !== '')),
  /** LocalStack-compatible endpoints know no firewall and bring no SDK to the functions; a deployment that others can reach has both. */
  endpoint: z.enum(['aws', 'emulated']).default('aws'),
  /** Who is written to when something is wrong; nobody when empty. */
  alertEmail: z.union([z.email(), z.literal('')]).default(''),
  /** `data,functions` is what a LocalStack-compatible endpoint can hold. */
  stacks: z
    .string()
    .default('data,functions,hotpath,dashboard,observability')
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(['data', 'functions', 'hotpath', 'dashboard', 'observability']))),
});
export type Settings = z.infer<typeof settingsSchema>;

/** @throws BadInput naming the context value and what is allowed. */
export function settingsFrom(app: App): Settings {
  const names = Object.keys(settingsSchema.shape);
  const given = Object.fromEntries(
    names.flatMap((name) => {
      const value: unknown = app.node.tryGetContext(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const result = settingsSchema.safeParse(given);
  if (result.success) {
    if (result.data.endpoint === 'emulated' && isPrecious(result.data))
      throw new BadInput('context endpoint: "emulated" is for environment "dev" alone');
    return result.data;
  }
  const [issue] = result.error.issues;
  throw new BadInput(`context ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
}

/** What may be lost with its stack, and what may not. */
export const isPrecious = ({ environment }: Settings): boolean => environment !== 'dev';
