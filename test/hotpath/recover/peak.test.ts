import { expect, it } from 'vitest';
import type { EngineEvent } from '#shared/schema/event.ts';
import { JournalState } from '#hotpath/recover/journal-state.ts';

const funding = (amount: string): EngineEvent => ({
  v: 1,
  engine: 'e',
  seq: 1,
  at: '1',
  key: 'k',
  kind: 'funding',
  data: {
    instrument: 'a:BTC/USDT:USDT',
    asset: 'USDT',
    amount,
    asset_rate: '1',
    funding_rate: '0.001',
    price: '1',
    size: '1',
    due_ms: 1,
  },
});

it('remembers what open positions had gained too, where that was told', () => {
  const state = new JournalState();
  state.apply(funding('2'));
  state.apply({ ...funding('0'), kind: 'profit-peak', data: { usd: '9.5' } });
  state.apply({ ...funding('0'), kind: 'profit-peak', data: { usd: '4' } });
  const restored = JournalState.from(JSON.parse(JSON.stringify(state.checkpoint())) as never);
  expect([state.peak.toFixed(), restored.peak.toFixed()]).toEqual(['9.5', '9.5']);
});

it('remembers the most that was ever realised, over a checkpoint too', () => {
  const state = new JournalState();
  state.apply(funding('-2'));
  expect(state.peak.toFixed()).toBe('0');
  for (const amount of ['7', '-4', '1']) state.apply(funding(amount));
  const restored = JournalState.from(JSON.parse(JSON.stringify(state.checkpoint())) as never);
  expect([state.peak.toFixed(), restored.peak.toFixed()]).toEqual(['5', '5']);
});
