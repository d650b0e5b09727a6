import { z } from 'zod';

const base = { v: z.literal(1), id: z.string().min(1).max(64), by: z.string().min(1).max(128), at_ms: z.number() };
const reason = z.string().max(200);
/** Names of ours and the venues'. What comes back in an answer must fit into a record. */
const name = z.string().max(200);
const decimal = z
  .string()
  .max(60)
  .regex(/^\d+(\.\d+)?$/, 'a decimal in quotes, such as "0.001"');
const signed = z
  .string()
  .max(60)
  .regex(/^-?\d+(\.\d+)?$/, 'a decimal in quotes, such as "-0.001"');

/** What the cold plane may ask of the engine, through the `commands` stream. Idempotent by `id`; answered by an event that carries it. */
export const command = z.discriminatedUnion('kind', [
  z.object({ ...base, kind: z.literal('start'), reason }),
  z.object({ ...base, kind: z.literal('stop'), reason }),
  /** Nothing is sent any more, every open order is cancelled, and the venues are asked until none is left. Ended by `start`. */
  z.object({ ...base, kind: z.literal('emergency-stop'), reason }),
  /** One order by a person: an operation of one leg. `price` is the limit, for a market order the worst price. */
  z.object({
    ...base,
    kind: z.literal('order'),
    instrument: name,
    side: z.enum(['buy', 'sell']),
    type: z.enum(['limit', 'market']),
    qty: decimal,
    price: decimal.optional(),
    time_in_force: z.enum(['GTC', 'IOC', 'FOK']),
    post_only: z.boolean().optional(),
    reduce_only: z.boolean().optional(),
  }),
  /** `order` is a client order id of ours. */
  z.object({ ...base, kind: z.literal('cancel'), order: name }),
  /** Another price or quantity for a person's order that rests; `qty` is the whole of it, with what has filled. Not given: as it is. */
  z.object({
    ...base,
    kind: z.literal('order-replace'),
    order: name,
    price: decimal.optional(),
    qty: decimal.optional(),
  }),
  /** Limits of the gate, all or some; in force at once and after a restart. */
  z.object({
    ...base,
    kind: z.literal('limits'),
    limits: z.record(name, z.number()),
    version: z.int().optional(),
  }),
  /** A stored version of the configuration: what can change while it runs is changed, the rest is named in the answer. */
  z.object({ ...base, kind: z.literal('config'), version: z.int(), config: z.unknown() }),
  /** A person's word on an operation that recovery has given up: one of its proposals, or none of them. */
  z.object({
    ...base,
    kind: z.literal('recovery'),
    operation: name,
    decision: z.enum(['approve', 'cancel']),
    proposal: name.optional(),
  }),
  z.object({ ...base, kind: z.literal('breaker-reset'), breaker: name }),
  /** The venue is right: its amount becomes the ledger's (a deposit, a withdrawal, what nobody told us). */
  z.object({ ...base, kind: z.literal('adjust'), venue: name, asset: name, amount: signed, reason }),
  /** The same of a position: contracts, signed, and what they were entered at. */
  z.object({
    ...base,
    kind: z.literal('adjust-position'),
    instrument: name,
    size: signed,
    entry_price: decimal,
    reason,
  }),
]);
export type Command = z.infer<typeof command>;
export type CommandKind = Command['kind'];
export type CommandOf<K extends CommandKind> = Extract<Command, { readonly kind: K }>;
