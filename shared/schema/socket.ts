import { z } from 'zod';

/** What a WebSocket client may say. */
export const socketRequest = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('subscribe'),
    channel: z.string().max(32),
    symbol: z.string().max(128).optional(),
    exchange: z.string().max(64).optional(),
    min_profit: z.number().optional(),
    id: z.string().max(64).optional(),
  }),
  z.object({
    type: z.literal('unsubscribe'),
    channel: z.string().max(32),
    symbol: z.string().max(128).optional(),
    exchange: z.string().max(64).optional(),
    id: z.string().max(64).optional(),
  }),
  z.object({
    type: z.literal('resume'),
    channel: z.string().max(32),
    /** The first sequence wanted again: one more than the last one seen. */
    from_seq: z.int().min(0),
    id: z.string().max(64).optional(),
  }),
]);
export type SocketRequest = z.infer<typeof socketRequest>;
