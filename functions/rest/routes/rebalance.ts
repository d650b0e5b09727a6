import { randomUUID } from 'node:crypto';
import type { Decimal } from 'decimal.js';
import type { z } from 'zod';
import { assert } from '#shared/assert.ts';
import { decimalFrom, textOf } from '#shared/money/grid.ts';
import { highsSolver } from '#shared/portfolio/highs-solver.ts';
import type { Drift, RebalancingPlan, Step } from '#shared/portfolio/rebalancing.ts';
import { planRebalancing } from '#shared/portfolio/rebalancing-plan.ts';
import {
  rebalanceExecuted,
  rebalanceExecution,
  rebalancePlan,
  rebalanceRequest,
  type StepView,
} from '#shared/schema/portfolio-api.ts';
import { exact, isoFromMs, success } from '../../common/envelope.ts';
import { ApplicationError } from '../../common/errors.ts';
import { at } from '../../common/layout.ts';
import { ConfigVersions } from '../../config/versions.ts';
import { problemFrom } from '../../portfolio/rebalancing-problem.ts';
import { exactBodyFrom } from '../body.ts';
import { commandOf, namedCommand, wordOn, type Wish } from '../commands.ts';
import { nowMs, type App, type AppOptions } from '../context.ts';
import { answers, denials, fails, secured } from '../describe.ts';
import type { Guards } from '../guards.ts';
import { splitInstrument } from '../views.ts';

const PATH = '/v1/portfolio/rebalance';
type Executed = z.infer<typeof rebalanceExecuted>['steps'][number];

/** A plan that brings funds back to where they are wanted, and its trades on command. Transfers are a person's: nothing here withdraws. */
export function mountRebalance(app: App, options: AppOptions, guards: Guards): void {
  mountPlan(app, options, guards);
  mountExecute(app, options, guards);
}

function mountPlan(app: App, options: AppOptions, guards: Guards): void {
  const versions = new ConfigVersions(options.store.state, options.store.engine, options.startConfig);
  app.openAPIRegistry.registerPath({
    method: 'post',
    path: `${PATH}/plan`,
    tags: ['portfolio'],
    summary: 'The cheapest trades, transfers and offsets back to the targets, and what they cannot reach',
    security: secured('read'),
    request: { body: { required: false, content: { 'application/json': { schema: rebalanceRequest } } } },
    responses: { 200: answers(rebalancePlan, 'A proposal: nothing is done'), ...fails(400, 404), ...denials },
  });
  app.post(`${PATH}/plan`, guards.scope('read'), async (context) => {
    const request = exactBodyFrom(await context.req.text(), rebalanceRequest);
    const { store } = options;
    const [{ config }, balances, positions, samples, solver] = await Promise.all([
      versions.current(),
      store.balances(),
      store.positions(),
      store.markets(),
      highsSolver(),
    ]);
    const atMs = nowMs(options);
    const problem = problemFrom({ config, balances, positions, samples, request, nowMs: atMs });
    const plan = planRebalancing(problem, solver);
    const kept = {
      id: randomUUID(),
      expiresMs: atMs + config.portfolio.plan_ttl_s * 1_000,
      steps: plan.steps.map(wishOf),
    };
    await keep(options, kept);
    const data: z.infer<typeof rebalancePlan> = {
      plan_id: kept.id,
      status: plan.status,
      numeraire: config.engine.numeraire,
      cost: number(plan.cost),
      eta_minutes: plan.minutes,
      drift: plan.before.map(driftViewOf),
      steps: stepsOf(plan),
      remaining: plan.remaining.map((drift) => ({ ...driftViewOf(drift), reason: drift.reason })),
      timestamp: isoFromMs(atMs),
      expires_at: isoFromMs(kept.expiresMs),
    };
    return context.json(success(data, atMs), 200);
  });
}

function mountExecute(app: App, options: AppOptions, guards: Guards): void {
  app.openAPIRegistry.registerPath({
    method: 'post',
    path: `${PATH}/execute`,
    tags: ['portfolio'],
    summary: 'Trades of a plan as orders, at most as proposed, each of them once',
    security: secured('trade'),
    request: { body: { required: true, content: { 'application/json': { schema: rebalanceExecution } } } },
    responses: { 200: answers(rebalanceExecuted, "The engine's word on each"), ...fails(400, 404, 409), ...denials },
  });
  app.post(`${PATH}/execute`, guards.scope('trade'), async (context) => {
    const asked = exactBodyFrom(await context.req.text(), rebalanceExecution);
    const plan = await keptPlan(options, asked.plan_id);
    const by = context.get('principal').id;
    const wanted = wishesFrom(plan.steps, asked.steps);
    // All or none begin: what is wrong with one is found before the first is sent.
    const named: { readonly step: string; readonly command: string; readonly wish: Wish }[] = [];
    for (const { id: step, wish } of wanted) {
      const { id: command } = await namedCommand(options, { by: asked.plan_id, name: step, wish });
      named.push({ step, command, wish });
    }
    const steps = await Promise.all(
      named.map(async ({ step, command, wish }): Promise<Executed> => {
        const { word } = await wordOn(options, commandOf(options, by, wish, command));
        return { id: step, ...word };
      }),
    );
    context.set('auditDetail', `plan ${asked.plan_id}, steps ${wanted.map(({ id }) => id).join(' ')}`);
    const atMs = nowMs(options);
    return context.json(success({ plan_id: asked.plan_id, steps, timestamp: isoFromMs(atMs) }, atMs), 200);
  });
}

type OrderWish = Extract<Wish, { kind: 'order' }>;
type Wanted = { readonly id: string; readonly wish: OrderWish };
/** By step: its order, or why there is none. */
type KeptPlan = { readonly id: string; readonly expiresMs: number; readonly steps: readonly (OrderWish | string)[] };

function wishOf(step: Step): OrderWish | string {
  if (step.kind === 'transfer') return 'a transfer is done by a person: the engine withdraws nothing';
  if (step.phase > 0) return 'it needs what has not arrived: plan again when it has';
  return {
    kind: 'order',
    instrument: step.instrument,
    side: step.side,
    type: 'limit',
    qty: textOf(step.qty),
    price: textOf(step.limit),
    time_in_force: 'IOC',
  };
}

/** @throws ApplicationError 3001 for a step that the plan has not, that is no order, or that is asked for beyond its quantity */
function wishesFrom(steps: KeptPlan['steps'], asked: z.infer<typeof rebalanceExecution>['steps']): readonly Wanted[] {
  const orders = steps.flatMap((step, index) =>
    typeof step === 'string' ? [] : [{ id: String(index + 1), wish: step }],
  );
  if (asked === undefined) return orders;
  if (new Set(asked.map(({ id }) => id)).size < asked.length) throw new ApplicationError(3001, 'steps: one twice');
  return asked.map(({ id, quantity }) => {
    const step = steps[Number(id) - 1];
    if (step === undefined) throw new ApplicationError(3001, `steps: the plan has no step ${id}`);
    if (typeof step === 'string') throw new ApplicationError(3001, `steps: ${id}: ${step}`);
    if (quantity === undefined) return { id, wish: step };
    if (decimalFrom(quantity).gt(step.qty)) throw new ApplicationError(3001, `steps: ${id}: ${step.qty} was proposed`);
    return { id, wish: { ...step, qty: textOf(decimalFrom(quantity)) } };
  });
}

async function keep({ store }: AppOptions, plan: KeptPlan): Promise<void> {
  await store.state.update(at.rebalancePlan(store.engine, plan.id), {
    UpdateExpression: 'SET #plan = :plan, #ttl = :ttl',
    ExpressionAttributeNames: { '#plan': 'plan', '#ttl': 'ttl' },
    ExpressionAttributeValues: { ':plan': JSON.stringify(plan), ':ttl': Math.ceil(plan.expiresMs / 1_000) },
  });
}

/** @throws ApplicationError 404 for one that is not known, 409 for one that is too old */
async function keptPlan(options: AppOptions, id: string): Promise<KeptPlan> {
  const { store } = options;
  const item = await store.state.get(at.rebalancePlan(store.engine, id));
  if (item === undefined) throw new ApplicationError(404, `no plan ${id}: plans are kept until they expire`);
  const plan = JSON.parse(String(item['plan'])) as KeptPlan;
  assert(plan.id === id, 'a plan is kept under its id');
  if (nowMs(options) > plan.expiresMs)
    throw new ApplicationError(409, 'the plan has expired: books and balances have moved on');
  return plan;
}

const number = (value: Decimal): number => exact(textOf(value.toSignificantDigits(DIGITS)));
/** More digits than any grid has are noise of divisions. */
const DIGITS = 18;

const driftViewOf = ({ venue, asset, amount }: Drift): z.infer<typeof rebalancePlan>['drift'][number] => ({
  exchange: venue,
  asset,
  amount: number(amount),
});

const stepsOf = ({ steps }: RebalancingPlan): StepView[] =>
  steps.map((step, index) => {
    const common = { id: String(index + 1), phase: step.phase, kind: step.kind, cost: number(step.cost) };
    return step.kind === 'transfer' ? { ...common, ...transferOf(step) } : { ...common, ...tradeOf(step) };
  });

type Shape = Omit<StepView, 'id' | 'phase' | 'kind' | 'cost'>;

const transferOf = (step: Extract<Step, { kind: 'transfer' }>): Shape => ({
  exchange: step.from,
  symbol: null,
  side: null,
  quantity: number(step.amount),
  limit: null,
  average_price: null,
  asset: step.asset,
  to: step.to,
  network: step.network,
  arrives: number(step.arrives),
  eta_minutes: step.minutes,
  executable: step.isAllowed,
});

const tradeOf = (step: Exclude<Step, { kind: 'transfer' }>): Shape => ({
  ...splitInstrument(step.instrument),
  side: step.side,
  quantity: number(step.qty),
  limit: number(step.limit),
  average_price: number(step.average),
  asset: null,
  to: null,
  network: null,
  arrives: null,
  eta_minutes: 0,
  executable: step.phase === 0,
});
