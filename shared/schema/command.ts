import { z } from 'zod';

const base = { v: z.literal(1), id: z.string().min(1).max(64), by: z.string().min(1), at_ms: z.number() };

/** What the cold plane may ask of the engine, through the `commands` stream. Idempotent by `id`; answered by an event that carries it. */
export const command = z.discriminatedUnion('kind', [
  z.object({ ...base, kind: z.literal('start'), reason: z.string().max(200) }),
  z.object({ ...base, kind: z.literal('stop'), reason: z.string().max(200) }),
]);
export type Command = z.infer<typeof command>;
