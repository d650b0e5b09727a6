import { Decimal } from 'decimal.js';
import { describe, expect, it } from 'vitest';
import type { OperationBond } from '#hotpath/execute/operation.ts';
import type { RecoveryLimits } from '#hotpath/recover/candidate.ts';
import { RECOVERY_LIMITS, recoveryLimitsFrom } from '#hotpath/recover/candidate.ts';
import { decideRecovery } from '#hotpath/recover/recovery.ts';
import type { Asset } from '#shared/domain/ids.ts';
import type { Escalation, EscalationReason, OperationView, Recovery } from '#shared/domain/recovery.ts';
import type { Shape, Weather } from './recovery-world.ts';
import { A_BTC, B_BTC, C_BTC, marketOf, P_BTC, Q_BTC, Recovering } from './recovery-world.ts';

const BOUGHT: readonly Shape[] = [
  [A_BTC, 'buy', '0.2', '0.2'],
  [B_BTC, 'sell', '0.1998', 0],
];
const bought = (): Recovering => new Recovering(BOUGHT);
const decide = (view: OperationView, weather: Weather = {}, limits: Partial<RecoveryLimits> = {}): Recovery =>
  decideRecovery(view, marketOf(weather), { ...RECOVERY_LIMITS, ...limits });

/** Where nothing covers. */
const NO_COVER: Weather = { away: [P_BTC, Q_BTC] };
const SHUT: Weather = { away: [A_BTC, B_BTC, C_BTC, P_BTC, Q_BTC] };

function escalationOf(recovery: Recovery): Escalation {
  if (recovery.kind !== 'escalate') throw new Error(`no escalation: ${recovery.kind}`);
  return recovery;
}

type Case = {
  readonly view: Partial<OperationView>;
  readonly weather: Weather;
  readonly limits?: Partial<RecoveryLimits>;
  /** One short of the limit it is not reached. */
  readonly before: Partial<OperationView> | { readonly limits: Partial<RecoveryLimits> };
  readonly words: RegExp;
};
const CASES: Readonly<Record<EscalationReason, Case>> = {
  RECOVERY_OFF: {
    view: {},
    weather: {},
    limits: { isAutomatic: false },
    before: { limits: { isAutomatic: true } },
    words: /switched off/,
  },
  ROUNDS_EXHAUSTED: { view: { round: 8 }, weather: NO_COVER, before: { round: 7 }, words: /did not fill/ },
  WAITED_TOO_LONG: { view: { waits: 360 }, weather: SHUT, before: { waits: 359 }, words: /did not come back/ },
  NO_WAY_OUT: {
    view: { waits: 360 },
    weather: { ...NO_COVER, free: () => 0 },
    before: { waits: 359 },
    words: /funds are missing/,
  },
  TIME_EXHAUSTED: {
    view: { ageMs: 1_800_000 },
    weather: NO_COVER,
    before: { ageMs: 1_799_999 },
    words: /took too long/,
  },
  LOSS_ABOVE_MAX: {
    view: {},
    weather: NO_COVER,
    limits: { lossMax: 20 },
    before: { limits: { lossMax: 30 } },
    words: /costs more/,
  },
};

describe('a person is asked', () => {
  it.each(Object.entries(CASES))('%s', (code, { view, weather, limits, before, words }) => {
    const asked = escalationOf(decide(bought().view(view), weather, limits));
    expect(asked.reason).toBe(`${code}: BTC=0.1998`);
    expect(asked.request).toMatch(words);
    const earlier =
      'limits' in before ? decide(bought().view(view), weather, before.limits) : decide(bought().view(before), weather);
    expect(earlier.kind).not.toBe('escalate');
  });

  it('what is loose, what every way costs, and what accepting means', () => {
    const asked = escalationOf(decide(bought().view({ round: 8 }), { ...NO_COVER, moves: new Map([[A_BTC, -20]]) }));
    expect(asked.loose).toEqual([{ instrument: A_BTC.id, size: new Decimal('0.1998'), value: new Decimal('9990') }]);
    const told = asked.proposals.map(({ id, kind, orders }) => [id, kind, orders.map(({ instrument }) => instrument)]);
    expect(told).toEqual([
      ['complete', 'complete', [B_BTC.id]],
      ['unwind', 'unwind', [A_BTC.id]],
      ['hedge', 'hedge', [C_BTC.id]],
      ['accept', 'accept', []],
    ]);
    const costs = asked.proposals.map(({ cost }) => cost.toNumber());
    // A basis point off the fair price and the fee; on a 21 of them.
    const cost = (bps: number, fee: number): number => 9_990 * (1 - (1 - bps / 10_000) * (1 - fee));
    [cost(1, 0.0016), cost(21, 0.001), cost(1, 0.0012), 0].forEach((expected, at) => {
      expect(costs[at]!).toBeCloseTo(expected, 6);
    });
    // The fee of the purchase, and the best way.
    expect(asked.loss.toNumber()).toBeCloseTo(10 + cost(1, 0.0012), 6);
    expect(asked.request).toBe(
      'Recovery has stopped after 8 rounds and 0.0 s: its orders did not fill often enough. ' +
        'Unhedged: 0.1998 a:BTC/USDT (worth 9990.00). ' +
        'Approve one of: complete (costs 16.98), unwind (costs 30.95), hedge (costs 12.99), accept (costs 0.00); ' +
        'or cancel, and it ends as it stands.',
    );
  });

  it('what stands when there is no way at all', () => {
    const asked = escalationOf(decide(bought().view({ waits: 360 }), SHUT));
    expect(asked.proposals.map(({ id }) => id)).toEqual(['accept']);
    expect(asked.loss.toNumber()).toBe(10);
  });

  it('only after what is loose was covered, if that can be done within three more rounds', () => {
    const operation = bought();
    const weather: Weather = {
      moves: new Map([
        [A_BTC, -500],
        [B_BTC, -500],
        [C_BTC, -500],
      ]),
    };
    const covered = decide(operation.view(), weather, { lossMax: 100 });
    expect(covered).toMatchObject({ kind: 'send', orders: [{ purpose: 'hedge', instrument: Q_BTC.id, side: 'sell' }] });
    expect(decide(operation.view({ round: 10 }), weather).kind).toBe('send');
    expect(decide(operation.view({ round: 11 }), weather).kind).toBe('escalate');
    const [order] = covered.kind === 'send' ? covered.orders : [];
    operation.take(order!, marketOf());
    const asked = escalationOf(decide(operation.view({ round: 1 }), weather, { lossMax: 100 }));
    expect(asked.loose.map(({ instrument, size }) => `${size.toFixed()} ${instrument}`)).toEqual([
      '0.1998 a:BTC/USDT',
      '-199 q:BTC/USDT:USDT',
    ]);
    expect(asked.proposals.map(({ id }) => id)).toEqual(['complete', 'unwind', 'hedge', 'accept']);
  });

  it('about a cover that nothing is loose for any more, if it cannot be closed', () => {
    const closed = new Recovering([BOUGHT[0]!, [B_BTC, 'sell', '0.1998', '0.1998']]);
    const covers = [{ instrument: Q_BTC, size: new Decimal(-199) }];
    expect(decide(closed.view({ round: 8, ageMs: 1e9, covers })).kind).toBe('send');
    const asked = escalationOf(decide(closed.view({ round: 11, covers })));
    expect(asked.proposals).toMatchObject([
      { id: 'unwind', orders: [{ purpose: 'hedge', side: 'buy', instrument: Q_BTC.id }] },
      { id: 'accept' },
    ]);
    expect(asked.loose).toMatchObject([{ instrument: Q_BTC.id, value: new Decimal(-9_950) }]);
  });

  it('of an exit never for its loss: most of that was lost before', () => {
    const bond = (intent: 'enter' | 'exit'): OperationBond => ({
      units: new Decimal(1),
      perUnit: [new Decimal('0.2'), new Decimal(20)],
      intent,
      carry: new Decimal(0),
      asset: 'USDT' as Asset,
    });
    const legs: readonly Shape[] = [
      [A_BTC, 'sell', '0.2', '0.2'],
      [P_BTC, 'buy', 20, 0],
    ];
    const view = (intent: 'enter' | 'exit'): OperationView =>
      new Recovering(legs, bond(intent)).view({ realised: new Decimal(-5_000) });
    const weather: Weather = { away: [Q_BTC] };
    expect(decide(view('exit'), weather).kind).toBe('send');
    expect(escalationOf(decide(view('enter'), weather)).reason).toBe('LOSS_ABOVE_MAX: a:BTC/USDT=1, p:BTC/USDT:USDT=0');
  });
});

it('takes its limits from the configuration', () => {
  expect(
    recoveryLimitsFrom({
      enabled: true,
      rounds_max: 8,
      waits_max: 360,
      slack_bps: 10,
      loss_max_usd: 1_000,
      minutes_max: 30,
      hedge_elsewhere: true,
    }),
  ).toEqual(RECOVERY_LIMITS);
});
