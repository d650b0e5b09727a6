import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import { systemClock } from '#shared/clock/clock.ts';
import { configSchema } from '#shared/schema/config.ts';
import { createLogger } from '#hotpath/runtime/logger.ts';
import { startCloud, type Cloud } from './cloud.ts';

/** `argv[2]` of the process, as JSON. */
const optionsSchema = z.strictObject({
  config: configSchema,
  dataDir: z.string().min(1),
  ports: z.strictObject({ dynamodb: z.int().optional(), kinesis: z.int().optional() }).optional(),
});

/** What the parent may ask over IPC; each is answered by `{ id, value }` or `{ id, error }`. */
const question = z.discriminatedUnion('ask', [
  z.object({ ask: z.literal('projected'), id: z.number(), engine: z.string() }),
  z.object({ ask: z.literal('stop-kinesis'), id: z.number() }),
  z.object({ ask: z.literal('start-kinesis'), id: z.number() }),
]);
type Question = z.infer<typeof question>;

/**
 * The cold plane as a process: one line `{"ready":{…}}` on standard output once everything listens, one line of trouble on standard error
 * and exit code 2 when it cannot, SIGTERM finishes what is in hand and closes.
 */
async function main(): Promise<void> {
  const { config, dataDir, ports } = optionsFrom(process.argv[2]);
  const clock = systemClock();
  const logger = createLogger({ name: 'cloud', level: config.system.log_level, clock });
  const cloud = await startCloud({
    config,
    dataDir,
    clock,
    logger,
    ...(ports === undefined ? {} : { ports: set(ports) }),
  });

  const { apiUrl, dynamodbUrl, kinesisUrl, keyPair } = cloud;
  process.stdout.write(`${JSON.stringify({ ready: { apiUrl, dynamodbUrl, kinesisUrl, keyPair } })}\n`);

  process.on('message', (message) => {
    const asked = question.safeParse(message);
    if (asked.success) void reply(cloud, asked.data);
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      void cloud.close().then(() => process.exit(0));
    });
  }
}

async function reply(cloud: Cloud, asked: Question): Promise<void> {
  const { id } = asked;
  try {
    process.send?.({ id, value: await valueOf(cloud, asked) });
  } catch (error) {
    process.send?.({ id, error: String(error) });
  }
}

async function valueOf(cloud: Cloud, asked: Question): Promise<number | null> {
  switch (asked.ask) {
    case 'projected':
      return cloud.projected(asked.engine);
    case 'stop-kinesis':
      await cloud.stopKinesis();
      return null;
    case 'start-kinesis':
      await cloud.startKinesis();
      return null;
  }
}

function optionsFrom(text: string | undefined): z.infer<typeof optionsSchema> {
  let json: unknown;
  try {
    json = JSON.parse(text ?? '');
  } catch {
    throw new BadInput('the first argument is the options as JSON');
  }
  const result = optionsSchema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new BadInput(`option ${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? ''}`);
}

type Ports = { readonly dynamodb?: number; readonly kinesis?: number };
const set = (ports: { dynamodb?: number | undefined; kinesis?: number | undefined }): Ports => ({
  ...(ports.dynamodb === undefined ? {} : { dynamodb: ports.dynamodb }),
  ...(ports.kinesis === undefined ? {} : { kinesis: ports.kinesis }),
});

main().catch((error: unknown) => {
  if (!(error instanceof BadInput)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(2);
});
