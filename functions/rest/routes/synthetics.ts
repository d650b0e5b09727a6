import { createRoute } from '@hono/zod-openapi';
import type { z } from 'zod';
import { syntheticsData } from '#shared/schema/api.ts';
import type { SyntheticStatus } from '#shared/schema/status.ts';
import { exact, exactOrNull, isoFromMs, success } from '../../common/envelope.ts';
import { nowMs, type App, type AppOptions } from '../context.ts';
import { answers, denials, secured } from '../describe.ts';
import type { Guards } from '../guards.ts';
import { splitInstrument } from '../views.ts';

type SyntheticView = z.infer<typeof syntheticsData>['synthetics'][number];

/** The configured synthetics as the engine last priced them: none while it is silent. */
export function mountSynthetics(app: App, options: AppOptions, guards: Guards): void {
  const route = createRoute({
    method: 'get',
    path: '/v1/market/synthetics',
    tags: ['market'],
    summary: 'Synthetic instruments: book, fair value and Greeks',
    security: secured('read'),
    middleware: [guards.scope('read')] as const,
    responses: { 200: answers(syntheticsData, 'One entry a configured synthetic'), ...denials },
  });
  app.openapi(route, async (context) => {
    const status = await options.store.status();
    const atMs = nowMs(options);
    const synthetics = status?.synthetics?.map((synthetic) => viewFrom(synthetic, status.at_ms, atMs)) ?? [];
    return context.json(success({ synthetics }, atMs), 200);
  });
}

function viewFrom(synthetic: SyntheticStatus, sampledAtMs: number, atMs: number): SyntheticView {
  const { bids, asks, greeks, legs } = synthetic;
  const [bid, ask] = [bids[0], asks[0]];
  const levelsOf = (side: SyntheticStatus['bids']): [number, number][] =>
    side.map(([price, units]) => [exact(price), exact(units)]);
  const greek = (text: string | null): number | null => exactOrNull(text ?? undefined);
  return {
    name: synthetic.name,
    description: synthetic.description,
    quote: synthetic.quote,
    legs: legs.map(({ instrument, ratio }) => ({ ...splitInstrument(instrument), ratio: exact(ratio) })),
    bid: exactOrNull(bid?.[0]),
    bid_quantity: exactOrNull(bid?.[1]),
    ask: exactOrNull(ask?.[0]),
    ask_quantity: exactOrNull(ask?.[1]),
    bids: levelsOf(bids),
    asks: levelsOf(asks),
    fair_value: exactOrNull(synthetic.fair_value ?? undefined),
    greeks: {
      delta: greek(greeks.delta),
      gamma: greek(greeks.gamma),
      vega: greek(greeks.vega),
      theta: greek(greeks.theta),
      rho: greek(greeks.rho),
    },
    status: synthetic.status,
    // As old as it was when sampled, and older since.
    age_ms: Math.max(0, Math.round(synthetic.age_ms + atMs - sampledAtMs)),
    timestamp: isoFromMs(sampledAtMs),
  };
}
