import { z } from 'zod';

export const SEVERITIES = ['info', 'warning', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];
const severity = z.enum(SEVERITIES);

type Rule = {
  readonly severity: Severity;
  readonly title: string;
  /** The heading in infra/RUNBOOK.md. */
  readonly runbook: string;
  /** It happens and has no end: it is over once it has not happened again for a while, and nobody is told of that. */
  readonly momentary?: true;
};

/** Everything that is worth a word, and how much. docs/alerts.md says when each begins and ends. */
export const ALERT_RULES = {
  'engine-silent': { severity: 'critical', title: 'Engine silent', runbook: 'Engine silent' },
  'latency-high': { severity: 'warning', title: 'Decisions are slow', runbook: 'Decisions slow' },
  'memory-high': {
    severity: 'warning',
    title: 'Engine memory is high',
    runbook: 'Engine memory above 80 percent',
  },
  'memory-full': {
    severity: 'critical',
    title: 'Engine memory is nearly used up',
    runbook: 'Engine memory above 90 percent',
  },
  'var-high': {
    severity: 'critical',
    title: 'Value at risk is near its limit',
    runbook: 'Value at risk near its limit',
  },
  'daily-loss': { severity: 'critical', title: 'Daily loss is over its limit', runbook: 'Daily loss over its limit' },
  'api-errors': { severity: 'critical', title: 'The API fails', runbook: 'API errors above 5 percent' },
  'venue-degraded': { severity: 'warning', title: 'Venue is not well', runbook: 'Venue down' },
  'venue-down': { severity: 'warning', title: 'Venue is down', runbook: 'Venue down' },
  'volatility-unusual': { severity: 'warning', title: 'Unusual volatility', runbook: 'Unusual volatility' },
  'strategy-degraded': { severity: 'warning', title: 'Many operations fail', runbook: 'Strategies fail' },
  'denial-streak': { severity: 'warning', title: 'The gate denies every plan', runbook: 'Plans denied' },
  'publish-late': { severity: 'warning', title: 'Events are shipped late', runbook: 'Events shipped late' },
  'breaker-open': { severity: 'critical', title: 'Breaker has opened', runbook: 'Breaker open' },
  'emergency-stop': { severity: 'critical', title: 'Emergency stop', runbook: 'Emergency stop' },
  'recovery-escalated': { severity: 'critical', title: 'Recovery asks a person', runbook: 'Recovery asks a person' },
  'reconciliation-mismatch': {
    severity: 'warning',
    title: 'Ledger and venue differ',
    runbook: 'Ledger and venue differ',
  },
  'position-reduced': {
    severity: 'critical',
    title: 'A venue has reduced a position',
    runbook: 'Position reduced by its venue',
    momentary: true,
  },
  'position-old': { severity: 'warning', title: 'Held for long', runbook: 'Held for long', momentary: true },
  'lease-changed': {
    severity: 'warning',
    title: 'The lease has changed hands',
    runbook: 'Lease changed',
    momentary: true,
  },
  'opportunity-large': {
    severity: 'info',
    title: 'Large opportunity',
    runbook: 'Large opportunity',
    momentary: true,
  },
} as const satisfies Readonly<Record<string, Rule>>;

export type AlertRuleId = keyof typeof ALERT_RULES;
const ruleIds = Object.keys(ALERT_RULES) as [AlertRuleId, ...AlertRuleId[]];
export const alertRuleId = z.enum(ruleIds);
export const ruleOf = (id: AlertRuleId): Rule => ALERT_RULES[id];

const share = z.number().min(0).max(1);
const ms = z.number().min(0);

/** Where each rule begins. A hold is how long it must be so before anybody is told. */
const alertLimits = z.strictObject({
  /** The engine has said nothing for so long. */
  silent_ms: ms,
  /** 99th percentile from frame to decision, of a window. */
  latency_p99_ms: z.number().positive(),
  latency_hold_ms: ms,
  memory_high: share,
  memory_high_hold_ms: ms,
  memory_full: share,
  /** Value at risk over its limit. */
  var_utilization: z.number().positive(),
  var_hold_ms: ms,
  /** Answers of the API that were server errors, of at least so many. */
  api_error_share: share,
  api_requests_min: z.int().positive(),
  venue_hold_ms: ms,
  /** A mid has moved so many standard deviations of its own moves in a window, and so far at least. */
  volatility_sigmas: z.number().positive(),
  volatility_bps: z.number().positive(),
  /** Operations that failed, of at least so many that ended. */
  failed_share: share,
  operations_min: z.int().positive(),
  /** Plans that limits of the gate have refused since the last one that passed. */
  denials: z.int().positive(),
  publish_lag_ms: z.number().positive(),
  publish_hold_ms: ms,
  /** Expected value of an opportunity, in its asset. */
  opportunity_value: z.number().positive(),
});

/** Who is told what, and how often; docs/alerts.md. What is secret (Slack's address, the key of signatures) stands in no file. */
export const alertsConfig = z.strictObject({
  enabled: z.boolean(),
  /** How often figures are looked at; in the cloud once a minute. */
  every_ms: z.number().min(50),
  /** Figures that are counted (latencies, errors, moves) are judged over so long. */
  window_ms: z.number().min(50),
  /** Rules that nobody wants to hear of. */
  off: z.array(alertRuleId),
  /** Gets each notice as signed JSON; nobody when empty. */
  webhook_url: z.union([z.literal(''), z.url({ protocol: /^https?$/ })]),
  /** The API as people reach it, for the links of acknowledgement; empty: where this machine serves it. */
  public_url: z.union([z.literal(''), z.url({ protocol: /^https?$/ })]),
  /** Where the runbook can be read; the heading's anchor is added. */
  runbook_url: z.string().max(500),
  /** Below it a channel is not told. */
  min_severity: z.strictObject({ slack: severity, webhook: severity, email: severity }),
  /** While nobody has acknowledged; 0: never again. */
  remind_ms: ms,
  /** After which something momentary is over. */
  quiet_ms: ms,
  /** How long a link of acknowledgement is good for. */
  link_ms: z.number().positive(),
  /** Notices an hour: over all rules (what is critical is not held back by it), and of one rule. What is over it waits, and is told later. */
  max_per_hour: z.int().positive(),
  max_per_hour_by_rule: z.int().positive(),
  /** A notice that could not be delivered for so long is given up, and kept as a dead letter. */
  give_up_ms: z.number().positive(),
  limits: alertLimits,
});
export type AlertsConfig = z.infer<typeof alertsConfig>;
