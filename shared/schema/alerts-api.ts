import { z } from 'zod';
import { alertRuleId, SEVERITIES } from './alerts.ts';

/** The outward contract of alerts; api.ts has what is said of times and pages. */
const time = z.iso.datetime().meta({ description: 'ISO-8601 UTC' });

export const alertsQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  cursor: z.string().max(1000).optional(),
  state: z.enum(['pending', 'firing', 'over']).optional(),
});

export const alertView = z.object({
  id: z.string(),
  rule: alertRuleId,
  /** The venue, breaker, operation or instrument that is meant; empty where the engine as a whole is. */
  subject: z.string(),
  severity: z.enum(SEVERITIES),
  title: z.string(),
  /** `pending`: it is so, but not for long enough to tell anybody. */
  state: z.enum(['pending', 'firing', 'over']),
  text: z.string(),
  value: z.string().nullable(),
  limit: z.string().nullable(),
  /** Of the state. */
  since: time,
  fired_at: time.nullable(),
  ended_at: time.nullable(),
  /** How often it has fired, and how often it was seen in the last firing. */
  firings: z.int(),
  times: z.int(),
  acknowledged: z.object({ by: z.string(), timestamp: time }).nullable(),
  /** The section of infra/RUNBOOK.md. */
  runbook: z.string(),
});
export const alertsData = z.object({ alerts: z.array(alertView), next_cursor: z.string().nullable() });
export const alertParams = z.object({ id: z.string().regex(/^[\w.:-]{1,200}$/) });
/** Of the link in a notice. */
export const ackQuery = z.object({ token: z.string().max(200).optional() });
