import { z } from 'zod';
import { BadInput } from '#shared/assert.ts';
import { systemClock } from '#shared/clock/clock.ts';
import { randomFrom } from '#shared/random.ts';
import { serveSimulator } from './server.ts';
import { createSimulator } from './simulator.ts';

/**
 * The simulator as a process: options as JSON in the first argument or in SIMULATOR_OPTIONS; one line `{"listening":port}` on stdout when
 * it serves; SIGTERM or SIGINT ends it. Names as in the configuration's `[simulator]` section.
 */
const optionsSchema = z.strictObject({
  port: z.int().min(0).max(65_535).default(0),
  updates_per_second: z.number().positive().default(400),
  dislocations_per_minute: z.number().min(0).default(60),
  dislocation_bps: z.number().min(0).default(45),
  batch_ms: z.number().min(0).default(100),
  seed: z.int().default(1),
  venues: z.array(z.string()).optional(),
  symbols: z.array(z.string()).optional(),
  extra_symbols: z.int().min(0).max(2_000).default(0),
});

async function main(): Promise<void> {
  const { port, seed, venues, symbols, ...settings } = optionsSchema.parse(
    JSON.parse(process.argv[2] ?? process.env['SIMULATOR_OPTIONS'] ?? '{}'),
  );
  const clock = systemClock();
  const simulator = createSimulator({
    clock,
    random: randomFrom(seed),
    config: {
      ...settings,
      ...(venues === undefined ? {} : { venues }),
      ...(symbols === undefined ? {} : { symbols }),
    },
  });
  const server = await serveSimulator({ simulator, clock, port });
  simulator.start();
  process.stdout.write(`${JSON.stringify({ listening: server.port })}\n`);

  const end = (): void => {
    simulator.stop();
    void server.close();
  };
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
}

main().catch((error: unknown) => {
  if (!(error instanceof BadInput)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(2);
});
