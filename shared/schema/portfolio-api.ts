import { z } from 'zod';
import { notNegative as amount, positive } from './exact.ts';

/** The outward contract of rebalancing; api.ts has what is said of amounts and times. Values are in the numeraire. */
const decimal = z.number().meta({ description: 'A JSON number whose text is the exact decimal' });
const time = z.iso.datetime().meta({ description: 'ISO-8601 UTC' });
const name = z.string().min(1).max(64);
const LIST_MAX = 200;

export const rebalanceRequest = z.strictObject({
  /** Instead of the configured ones: exchange → asset → amount wanted there. */
  targets: z.record(name, z.record(name, amount)).optional(),
  /** Transfers on their way that the balances may or may not show: each counts once, at its destination. */
  in_flight: z
    .array(
      z.strictObject({
        id: name,
        asset: name,
        from: name,
        to: name,
        amount: positive,
        fee: amount.default('0'),
        /** `requested`: the source still counts it. `sent`: neither does. `credited`: the destination does. */
        state: z.enum(['requested', 'sent', 'credited']),
      }),
    )
    .max(LIST_MAX)
    .default([]),
  /** Wallets that are closed, beside the configured ones: `exchange:asset` or `exchange:asset:network`. */
  suspended: z.array(z.string().max(200)).max(LIST_MAX).default([]),
});

const driftView = z.object({
  exchange: z.string(),
  asset: z.string(),
  /** Beyond the bounds; below zero is missing. */
  amount: decimal,
});
const stepView = z.object({
  id: z.string(),
  /** 0: now. 1: transfers, with what phase 0 has brought. 2: trades with what has arrived. */
  phase: z.int(),
  kind: z.enum(['trade', 'offset', 'transfer']),
  exchange: z.string(),
  symbol: z.string().nullable(),
  side: z.enum(['buy', 'sell']).nullable(),
  /** Of a transfer: what leaves. */
  quantity: decimal,
  limit: decimal.nullable(),
  average_price: decimal.nullable(),
  asset: z.string().nullable(),
  to: z.string().nullable(),
  network: z.string().nullable(),
  arrives: decimal.nullable(),
  eta_minutes: z.number(),
  cost: decimal,
  /** A trade of phase 0: by command. A transfer: by a person, and only where it is released by name. */
  executable: z.boolean(),
});
export type StepView = z.infer<typeof stepView>;
export const rebalancePlan = z.object({
  plan_id: z.string(),
  /** `bounded`: the search was cut short, there may be a cheaper plan. `none`: it found nothing in time. */
  status: z.enum(['optimal', 'bounded', 'none']),
  numeraire: z.string(),
  cost: decimal,
  eta_minutes: z.number(),
  drift: z.array(driftView),
  steps: z.array(stepView),
  remaining: z.array(driftView.extend({ reason: z.string() })),
  timestamp: time,
  expires_at: time,
});

export const rebalanceExecution = z.strictObject({
  plan_id: z.uuid(),
  /** All that are executable where absent; a quantity may be less than what was proposed. */
  steps: z
    .array(z.strictObject({ id: z.string().max(16), quantity: positive.optional() }))
    .min(1)
    .max(LIST_MAX)
    .optional(),
});
export const rebalanceExecuted = z.object({
  plan_id: z.string(),
  steps: z.array(
    z.object({
      id: z.string(),
      command_id: z.string(),
      state: z.enum(['done', 'refused', 'pending', 'unsent']),
      code: z.int().nullable(),
      reason: z.string().nullable(),
      detail: z.record(z.string(), z.string()),
    }),
  ),
  timestamp: time,
});
