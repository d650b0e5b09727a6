import { describe, expect, it } from 'vitest';
import type { EventOf } from '#functions/common/store.ts';
import { explainedOpportunityOf } from '#functions/rest/views.ts';
import { opportunityData } from '#shared/schema/api.ts';

const event = (over: Partial<EventOf<'opportunity'>['data']>): EventOf<'opportunity'> => ({
  v: 1,
  engine: 'engine-1',
  seq: 1,
  at: '1700000000000000000',
  key: 'o1',
  kind: 'opportunity',
  data: {
    id: 'o1',
    route: 'basis:a:BTC/USDT>a:BTC/USDT:USDT',
    type: 'basis',
    asset: 'USDT',
    legs: [{ instrument: 'a:BTC/USDT', side: 'buy', price: '60000.1', qty: '0.5' }],
    notional: '30000.05',
    gross_edge_bps: '20',
    net_edge_bps: '10',
    fees: '1',
    slippage: '2',
    unwind_cost: '3',
    fill_probability: '0.9',
    expected_value: '4',
    oldest_book_age_ms: '5',
    status: 'rejected',
    reason: 'CAPITAL_ALLOCATED',
    checks: [],
    first_seen: '1700000000000000000',
    last_seen: '1700000000250000000',
    peak_net_edge_bps: '12',
    ...over,
  },
});

/** As a reader has it. */
const sent = (said: EventOf<'opportunity'>): Record<string, unknown> =>
  JSON.parse(JSON.stringify(explainedOpportunityOf(said))) as Record<string, unknown>;

describe('an opportunity explained', () => {
  it('says what holding it brings and costs, what it had to stand back for, and what it would have made', () => {
    const { explanation } = sent(
      event({
        capital: '36000.06',
        impact: '0.75',
        holding: {
          certainty: 'converging',
          hours: '8',
          payoff: '0',
          closing: '6',
          delivery: '0',
          funding: '3.000000000000000001',
          borrow: '0',
          capital_cost: '1.5',
          annualised: '0.12',
        },
        contest: { rank: 2, of: 3, worth: '0.0001' },
        counterfactual: {
          notional: '30000.05',
          net_edge_bps: '10',
          lifetime_ms: '250',
          outcomes: [{ delay_ms: 5, net_edge_bps: '9.5', profit: '28.50004750' }, { delay_ms: 1_000 }],
        },
      }),
    );
    expect(explanation).toMatchObject({
      capital: 36_000.06,
      impact: 0.75,
      contest: { rank: 2, of: 3, worth: 0.0001 },
      holding: { certainty: 'converging', hours: 8, closing: 6, capital_cost: 1.5, break_even_hours: null },
      counterfactual: 'It was not traded: CAPITAL_ALLOCATED.',
      counterfactual_outcome: {
        notional: 30_000.05,
        lifetime_ms: 250,
        outcomes: [
          { delay_ms: 5, net_edge_bps: 9.5 },
          { delay_ms: 1_000, net_edge_bps: null, profit: null },
        ],
      },
    });
  });

  it('says nothing of what an older engine did not tell', () => {
    const view = sent(event({}));
    expect(view['explanation']).toMatchObject({
      capital: null,
      impact: null,
      holding: null,
      contest: null,
      counterfactual_outcome: null,
    });
    expect(opportunityData.safeParse(view).error).toBeUndefined();
  });
});
