import type { StackProps } from 'aws-cdk-lib';
import { Duration, Stack } from 'aws-cdk-lib';
import type { IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import {
  Alarm,
  ComparisonOperator,
  Dashboard,
  GraphWidget,
  MathExpression,
  Metric,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { Construct } from 'constructs';
import type { Alerting } from '../functions/alerts.ts';
import type { Settings } from '../settings.ts';
import type { DataStack } from './data-stack.ts';
import type { FunctionsStack } from './functions-stack.ts';
import type { HotpathStack } from './hotpath-stack.ts';

export type ObservabilityProps = StackProps & {
  readonly settings: Settings;
  readonly data: DataStack;
  readonly functions: FunctionsStack;
  readonly hotpath: HotpathStack | undefined;
};

type Severity = 'warning' | 'critical';
type Watch = {
  readonly id: string;
  readonly severity: Severity;
  readonly metric: IMetric;
  readonly above: number;
  readonly minutes: number;
  /** The heading in infra/RUNBOOK.md. */
  readonly runbook: string;
  /** Silence is a fault in itself. */
  readonly silenceIsBad?: true;
};

const RUNBOOK = 'infra/RUNBOOK.md';

/** What is watched, who is told, and where it is written what to do. */
export class ObservabilityStack extends Stack {
  readonly #topics: Alerting['topics'];

  constructor(scope: Construct, id: string, props: ObservabilityProps) {
    super(scope, id, props);
    this.#topics = props.functions.alerting.topics;
    const watches = watchesOf(props);
    for (const watch of watches) this.#alarm(watch);
    new Dashboard(this, 'Dashboard', {
      widgets: [
        watches.map(({ id: title, metric }) => new GraphWidget({ title, left: [metric], width: 8 })),
        ENGINE_METRICS.map((name) => new GraphWidget({ title: name, left: [ofEngineItself(name, props)], width: 8 })),
      ],
    });
  }

  #alarm({ id, severity, metric, above, minutes, runbook, silenceIsBad }: Watch): void {
    const alarm = new Alarm(this, id, {
      metric,
      threshold: above,
      evaluationPeriods: minutes,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      treatMissingData: silenceIsBad === true ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
      alarmDescription: `${severity}: ${runbook}. What to do: ${RUNBOOK}#${slugOf(runbook)}`,
    });
    alarm.addAlarmAction(new SnsAction(this.#topics[severity]));
    alarm.addOkAction(new SnsAction(this.#topics[severity]));
  }
}

/** As Markdown makes links of headings. */
export const slugOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^a-z0-9 -]/g, '')
    .replaceAll(' ', '-');

const MINUTE = { period: Duration.minutes(1) } as const;
const worst = { ...MINUTE, statistic: 'Maximum' } as const;
const total = { ...MINUTE, statistic: 'Sum' } as const;

const watchesOf = ({ data, functions, hotpath }: ObservabilityProps): readonly Watch[] => [
  ...ofApi(functions),
  ...ofPush(functions),
  ...ofProjections(functions),
  ...ofArchive(data),
  ...ofAlerts(functions),
  ...(hotpath === undefined ? [] : ofEngine(data, hotpath)),
];

function ofApi({ api, rest }: FunctionsStack): readonly Watch[] {
  const errorShare = new MathExpression({
    expression: '100 * errors / MAX([requests, 1])',
    usingMetrics: { errors: api.metricServerError(total), requests: api.metricCount(total) },
    label: 'server errors, percent of requests',
    ...MINUTE,
  });
  return [
    {
      id: 'ApiErrors',
      severity: 'critical',
      metric: errorShare,
      above: 5,
      minutes: 5,
      runbook: 'API errors above 5 percent',
    },
    {
      id: 'ApiSlow',
      severity: 'warning',
      metric: api.metricLatency({ ...MINUTE, statistic: 'p99' }),
      above: 3_500,
      minutes: 5,
      runbook: 'API slow',
    },
    {
      id: 'RestErrors',
      severity: 'critical',
      metric: rest.metricErrors(total),
      above: 0,
      minutes: 3,
      runbook: 'REST function fails',
    },
  ];
}

function ofPush({ authorizer, pushApi: { push, fanout } }: FunctionsStack): readonly Watch[] {
  return [
    {
      id: 'AuthorizerErrors',
      severity: 'critical',
      metric: authorizer.metricErrors(total),
      // A caller without a token counts as one: a few at a time are nothing.
      above: 50,
      minutes: 3,
      runbook: 'Callers cannot be authorized',
    },
    {
      id: 'PushErrors',
      severity: 'warning',
      metric: push.metricErrors(total),
      above: 0,
      minutes: 3,
      runbook: 'Push function fails',
    },
    {
      id: 'FanoutErrors',
      severity: 'warning',
      metric: fanout.metricErrors(total),
      above: 0,
      minutes: 3,
      runbook: 'Fan-out fails',
    },
    {
      id: 'FanoutBehind',
      severity: 'warning',
      metric: fanout.metric('IteratorAge', worst),
      above: 30_000,
      minutes: 3,
      runbook: 'Push is late',
    },
  ];
}

function ofProjections({ projector, market }: FunctionsStack): readonly Watch[] {
  return [
    {
      id: 'EventsBehind',
      severity: 'critical',
      metric: projector.metric('IteratorAge', worst),
      above: 60_000,
      minutes: 3,
      runbook: 'Events are projected late',
    },
    {
      id: 'MarketBehind',
      severity: 'warning',
      metric: market.metric('IteratorAge', worst),
      above: 120_000,
      minutes: 5,
      runbook: 'Market samples are projected late',
    },
    {
      id: 'ProjectorErrors',
      severity: 'critical',
      metric: projector.metricErrors(total),
      above: 0,
      minutes: 3,
      runbook: 'Projector fails',
    },
    {
      id: 'MarketErrors',
      severity: 'warning',
      metric: market.metricErrors(total),
      above: 0,
      minutes: 3,
      runbook: 'Market projector fails',
    },
  ];
}

function ofArchive({ deadLetters, archive }: DataStack): readonly Watch[] {
  return [
    {
      id: 'DeadLetters',
      severity: 'warning',
      metric: deadLetters.metricApproximateNumberOfMessagesVisible(worst),
      above: 0,
      minutes: 1,
      runbook: 'Dead letters',
    },
    {
      id: 'ArchiveBehind',
      severity: 'critical',
      metric: archive.metricFreshness(worst),
      // In seconds. It delivers every five minutes; the stream forgets after seven days.
      above: 3_600,
      minutes: 15,
      runbook: 'Archive is late',
    },
  ];
}

/** Who watches the watch. */
function ofAlerts({ alerting, reports }: FunctionsStack): readonly Watch[] {
  const { judge, notices, undelivered } = alerting;
  return [
    {
      id: 'AlertsFail',
      severity: 'critical',
      metric: judge.metricErrors(total),
      above: 0,
      minutes: 3,
      runbook: 'Alerts are not judged',
    },
    {
      id: 'AlertsSilent',
      severity: 'critical',
      metric: absent(judge.metricInvocations(total), '1 while alerts are not looked at'),
      above: 0,
      minutes: 5,
      runbook: 'Alerts are not looked at',
      silenceIsBad: true,
    },
    {
      id: 'NoticesWait',
      severity: 'warning',
      metric: notices.metricApproximateAgeOfOldestMessage(worst),
      // In seconds.
      above: 600,
      minutes: 5,
      runbook: 'Notices wait',
    },
    {
      id: 'NoticesUndelivered',
      severity: 'critical',
      metric: undelivered.metricApproximateNumberOfMessagesVisible(worst),
      above: 0,
      minutes: 1,
      runbook: 'Notices not delivered',
    },
    {
      id: 'ReportsFail',
      severity: 'warning',
      metric: reports.metricErrors(total),
      above: 0,
      minutes: 1,
      runbook: 'Reports not made',
    },
  ];
}

/** What the function of alerts says of the engine, a minute each (functions/alerts/emf.ts). */
const ENGINE_METRICS = [
  ...['StatusAge', 'DecisionLatencyP99', 'MemoryUtilization', 'VarUtilization', 'DailyPnl', 'VenuesNotLive'],
  'PublishLag',
] as const;
const ofEngineItself = (metricName: string, { settings }: ObservabilityProps): Metric =>
  new Metric({
    namespace: 'ArbitrageEngine',
    metricName,
    dimensionsMap: { Engine: settings.engine },
    statistic: 'Maximum',
    ...MINUTE,
  });

/** 1 in every minute without a count. */
const absent = (count: IMetric, label: string): IMetric =>
  new MathExpression({ expression: 'IF(FILL(count, 0) > 0, 0, 1)', usingMetrics: { count }, label, ...MINUTE });

function ofEngine({ streams }: DataStack, { service }: HotpathStack): readonly Watch[] {
  const running = new Metric({
    namespace: 'ECS/ContainerInsights',
    metricName: 'RunningTaskCount',
    dimensionsMap: { ClusterName: service.cluster.clusterName, ServiceName: service.serviceName },
    statistic: 'Minimum',
    ...MINUTE,
  });
  const memory = service.metricMemoryUtilization(worst);
  return [
    {
      id: 'EngineDown',
      severity: 'critical',
      metric: absent(running, '1 while no engine runs'),
      above: 0,
      minutes: 1,
      runbook: 'Engine down',
      silenceIsBad: true,
    },
    {
      id: 'EngineSilent',
      severity: 'critical',
      metric: absent(streams.market.metricIncomingRecords(total), '1 while no samples come'),
      above: 0,
      minutes: 2,
      runbook: 'Engine silent',
      silenceIsBad: true,
    },
    {
      id: 'EngineMemory',
      severity: 'warning',
      metric: memory,
      above: 80,
      minutes: 5,
      runbook: 'Engine memory above 80 percent',
    },
    {
      id: 'EngineMemoryFull',
      severity: 'critical',
      metric: memory,
      above: 90,
      minutes: 2,
      runbook: 'Engine memory above 90 percent',
    },
  ];
}
