import type { Clock } from '#shared/clock/clock.ts';
import { wallTimes } from '#shared/clock/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import type { Depths, References, Tops } from '#shared/domain/capital.ts';
import type { OperationId, TimeNs } from '#shared/domain/ids.ts';
import type { Instrument } from '#shared/domain/instrument.ts';
import type { Route } from '#shared/domain/route.ts';
import { textOf } from '#shared/money/grid.ts';
import type { Stages } from '#hotpath/pipeline.ts';
import { RiskGate } from '#hotpath/risk/risk-gate.ts';
import { Sizer } from '#hotpath/size/sizer.ts';
import { valuationOf } from '#hotpath/size/valuation.ts';
import { calm } from '#test/support/calm.ts';
import { silentReferences, stillPace } from '#test/support/sizing.ts';
import type { ResultHash } from './result-hash.ts';

export const { engine, risk } = loadConfig({ dir: 'config', env: {} });

/** A clock that stands wherever the frame being processed says. */
export class FrameClock implements Clock {
  nowNs = 0;
  readonly now = (): TimeNs => this.nowNs as TimeNs;
  readonly unixNs = wallTimes(0n).unixNs;
  readonly unixMs = wallTimes(0n).unixMs;
  readonly after: Clock['after'] = () => ({ cancel: () => undefined });
}

type Market = { readonly tops: Tops; readonly depths: Depths; readonly references?: References };

/**
 * What follows a route that passed the screen: sizing, the gate, and the decision into the hash. The same code behind both
 * implementations: it runs once in thousands of frames, and its cost is in both figures.
 */
export function decisionStages(
  instruments: readonly Instrument[],
  routes: readonly Route[],
  { tops, depths, references = silentReferences(instruments.length) }: Market,
  hash: ResultHash,
): Pick<Stages, 'size' | 'risk' | 'execute' | 'publish'> {
  let operations = 0;
  const rateOf = valuationOf(instruments, tops, { numeraire: engine.numeraire as never, pegs: engine.pegs });
  return {
    size: new Sizer({
      instruments,
      routes,
      tops,
      // How old a book is depends on clocks that only one side keeps.
      depths: { ...depths, ageMs: () => 0 },
      capital: { availableOf: () => 1e9, rateOf },
      references,
      pace: stillPace,
      engine,
      unixMs: () => 0,
      ids: { prefix: 'bench-', nextOperation: () => `${(operations += 1)}` as OperationId },
    }),
    risk: new RiskGate(risk, instruments, calm),
    execute: { submit: () => undefined, claimsOf: () => [] },
    publish: {
      opportunity: (route, sized, verdict) => {
        hash.integer(route);
        hash.text(sized.kind === 'refused' ? sized.reason : (verdict?.kind ?? ''));
        if (sized.kind !== 'plan') return;
        for (const { price, qty } of sized.plan.legs) hash.text(`${textOf(price)} ${textOf(qty)}`);
      },
      tell: () => undefined,
    },
  };
}
