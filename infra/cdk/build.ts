import type { App } from 'aws-cdk-lib';
import { Tags, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { BadInput } from '#shared/assert.ts';
import type { Settings } from './settings.ts';
import { DashboardStack } from './stacks/dashboard-stack.ts';
import { DataStack } from './stacks/data-stack.ts';
import { FunctionsStack } from './stacks/functions-stack.ts';
import { HotpathStack } from './stacks/hotpath-stack.ts';
import { ObservabilityStack } from './stacks/observability-stack.ts';

/** The stacks of one deployment; only `data` keeps anything. */
export type Deployment = {
  readonly data: DataStack;
  readonly functions: FunctionsStack | undefined;
  readonly hotpath: HotpathStack | undefined;
  readonly dashboard: DashboardStack | undefined;
  readonly observability: ObservabilityStack | undefined;
};

/** @throws BadInput when the chosen stacks cannot stand without one that was left out. */
export function deploymentOf(app: App, settings: Settings): Deployment {
  const { stacks } = settings;
  const wants = (name: Settings['stacks'][number]): boolean => stacks.includes(name);
  if (!wants('data')) throw new BadInput('context stacks: every other stack stands on "data"');
  if (wants('observability') && !wants('functions'))
    throw new BadInput('context stacks: "observability" watches "functions"');
  const prefix = `Arbitrage-${settings.environment}`;
  const data = new DataStack(app, `${prefix}-data`, { settings });
  const functions = wants('functions') ? new FunctionsStack(app, `${prefix}-functions`, { settings, data }) : undefined;
  const hotpath = wants('hotpath') ? new HotpathStack(app, `${prefix}-hotpath`, { settings, data }) : undefined;
  const dashboard = wants('dashboard') ? new DashboardStack(app, `${prefix}-dashboard`, {}) : undefined;
  const observability =
    wants('observability') && functions !== undefined
      ? new ObservabilityStack(app, `${prefix}-observability`, { settings, data, functions, hotpath })
      : undefined;
  Tags.of(app).add('application', 'arbitrage-engine');
  Tags.of(app).add('environment', settings.environment);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  return { data, functions, hotpath, dashboard, observability };
}
