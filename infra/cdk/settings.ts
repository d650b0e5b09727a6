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
  /** An identity provider whose tokens are good at the APIs too: `iss`, `aud` and the address of its keys. None when empty. */
  oidcIssuer: z.union([z.url(), z.literal('')]).default(''),
  oidcAudience: z.string().default(''),
  oidcJwksUrl: z.union([z.url({ protocol: /^https$/ }), z.literal('')]).default(''),
  /** LocalStack-compatible endpoints know no firewall and bring no SDK to the functions; a deployment that others can reach has both. */
  endpoint: z.enum(['aws', 'emulated']).default('aws'),
  /** Who is written to when something is wrong; nobody when empty. */
  alertEmail: z.union([z.email(), z.literal('')]).default(''),
  /** Where candles are kept; the last is for accounts that have Timestream for LiveAnalytics. */
  timeSeries: z.enum(['dynamodb', 'influxdb', 'timestream']).default('dynamodb'),
  /** With `influxdb`: where it answers, such as an instance of Timestream for InfluxDB, and the ARN of the secret that opens it. */
  influxUrl: z.union([z.url({ protocol: /^https?$/ }), z.literal('')]).default(''),
  influxSecret: z.union([z.string().regex(/^arn:aws[a-z-]*:secretsmanager:/), z.literal('')]).default(''),
  /** With `timestream`: the database that holds `candles_1m` and its like. */
  timestreamDatabase: z
    .string()
    .regex(/^[a-zA-Z0-9_.-]{3,256}$/)
    .default('arbitrage'),
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
    if (result.data.timeSeries === 'influxdb' && (result.data.influxUrl === '' || result.data.influxSecret === ''))
      throw new BadInput('context timeSeries: "influxdb" wants influxUrl and influxSecret');
    const { oidcIssuer, oidcAudience, oidcJwksUrl } = result.data;
    if (new Set([oidcIssuer, oidcAudience, oidcJwksUrl].map((text) => text === '')).size > 1)
      throw new BadInput('context oidcIssuer: wants oidcAudience and oidcJwksUrl, and they want it');
    return result.data;
  }
  const [issue] = result.error.issues;
  throw new BadInput(`context ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
}

/** What may be lost with its stack, and what may not. */
export const isPrecious = ({ environment }: Settings): boolean => environment !== 'dev';
